//! How the listener is guarded, as the configuration says.

use std::time::Duration;

use axum::http::HeaderName;
use ipnet::IpNet;

use super::oidc::OidcSettings;
use super::roles::RoleMap;
use crate::record::access::Separator;

/// How people prove who they are.
#[derive(Clone, Debug)]
pub enum Mode {
    /// Nobody is asked: this machine may everything, and nobody else anything.
    Open,
    /// Users with passwords in our own store.
    Users,
    /// An OpenID provider.
    Oidc(Box<OidcSettings>),
    /// A proxy in front of the listener has asked, and says in a header who it is.
    Proxy(ProxySettings),
}

/// What a trusted proxy says. Its networks are [`AccessSettings::proxies`].
#[derive(Clone, Debug)]
pub struct ProxySettings {
    /// Header with the person's name.
    pub user_header: HeaderName,
    /// Header with the person's groups.
    pub groups_header: HeaderName,
    /// Header with the branches of a person with the role `branch`.
    pub branches_header: HeaderName,
    /// What stands between the groups, and the branches.
    pub separator: Separator,
    /// Which role the groups mean.
    pub roles: RoleMap,
}

/// How the listener is guarded.
#[derive(Clone, Debug)]
pub struct AccessSettings {
    pub mode: Mode,
    /// Under which address browsers reach the listener: `https://noc.example.jp`. `None`: as they say themselves, on loopback.
    pub public_url: Option<String>,
    /// Networks of the reverse proxies whose headers count.
    pub proxies: Vec<IpNet>,
    /// Networks from which `/metrics` may be read without a token, beside this machine.
    pub metrics_from: Vec<IpNet>,
    /// A session without a request for so long ends.
    pub idle: Duration,
    /// A session ends after so long whatever happens.
    pub longest: Duration,
}

impl Default for AccessSettings {
    fn default() -> Self {
        Self {
            mode: Mode::Open,
            public_url: None,
            proxies: Vec::new(),
            metrics_from: Vec::new(),
            idle: Duration::from_secs(3_600),
            longest: Duration::from_secs(12 * 3_600),
        }
    }
}
