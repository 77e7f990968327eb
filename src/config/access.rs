//! Section `access`: who may use the operators' listener.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::record::access::Separator;

/// How people prove who they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccessMode {
    /// Nobody is asked; only on loopback.
    None,
    /// Users with passwords in the store.
    Users,
    /// An OpenID provider.
    Oidc,
    /// A header that a trusted proxy sets.
    Proxy,
}

/// Section `access`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AccessConfig {
    /// Which of the ways is used; the others' sections are checked but have no effect.
    pub mode: AccessMode,
    /// A session without a request for so long ends, in minutes.
    pub session_idle_min: u32,
    /// A session ends after so long whatever happens, in hours.
    pub session_max_h: u32,
    /// Networks from which `/metrics` may be read without a token, beside this machine.
    pub metrics_from: Vec<String>,
    /// Section `access.roles`.
    pub roles: RolesConfig,
    /// Section `access.proxy`.
    pub proxy: ProxyConfig,
    /// Section `access.oidc`.
    pub oidc: OidcConfig,
}

/// Section `access.roles`: for each role the groups, as a provider or proxy says them, that give it.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RolesConfig {
    pub viewer: Vec<String>,
    pub noc: Vec<String>,
    pub support: Vec<String>,
    pub branch: Vec<String>,
    pub commander: Vec<String>,
    pub admin: Vec<String>,
}

/// Section `access.proxy`: reverse proxies in front of the listener.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProxyConfig {
    /// Networks of the proxies whose headers count, in every mode.
    pub networks: Vec<String>,
    /// Header with the person's name.
    pub user_header: String,
    /// Header with the person's groups.
    pub groups_header: String,
    /// Header with the branches of a person with the role `branch`.
    pub branches_header: String,
    /// What stands between the groups, and the branches.
    pub separator: Separator,
}

/// Section `access.oidc`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OidcConfig {
    /// The provider's issuer, letter by letter.
    pub issuer: Option<String>,
    /// Our id at the provider.
    pub client_id: Option<String>,
    /// File with our secret at the provider; a public client has none.
    pub client_secret_file: Option<PathBuf>,
    /// Scopes that are asked for beside `openid`.
    pub scopes: Vec<String>,
    /// Claim with the name that stands in the record.
    pub name_claim: String,
    /// Claim with the groups; dots reach into objects.
    pub groups_claim: String,
    /// Claim with the branches of a person with the role `branch`.
    pub branches_claim: String,
    /// What stands between the groups, and the branches, of a claim that is one text.
    pub separator: Separator,
    /// Further audiences that may stand beside `client_id` in a token.
    pub audiences: Vec<String>,
    /// After so many minutes the provider is asked again who somebody is.
    pub recheck_min: u32,
    /// PEM file with a private authority that has signed the provider's certificate.
    pub ca_file: Option<PathBuf>,
}

impl Default for AccessConfig {
    fn default() -> Self {
        Self {
            mode: AccessMode::None,
            session_idle_min: 60,
            session_max_h: 12,
            metrics_from: Vec::new(),
            roles: RolesConfig::default(),
            proxy: ProxyConfig::default(),
            oidc: OidcConfig::default(),
        }
    }
}

impl Default for ProxyConfig {
    fn default() -> Self {
        Self {
            networks: Vec::new(),
            user_header: "x-remote-user".into(),
            groups_header: "x-remote-groups".into(),
            branches_header: "x-remote-branches".into(),
            separator: Separator::Comma,
        }
    }
}

impl Default for OidcConfig {
    fn default() -> Self {
        Self {
            issuer: None,
            client_id: None,
            client_secret_file: None,
            scopes: vec!["profile".into()],
            name_claim: "preferred_username".into(),
            groups_claim: "groups".into(),
            branches_claim: "branches".into(),
            separator: Separator::None,
            audiences: Vec::new(),
            recheck_min: 60,
            ca_file: None,
        }
    }
}

impl RolesConfig {
    /// Whether no group gives a role.
    pub(super) fn is_empty(&self) -> bool {
        let Self { viewer, noc, support, branch, commander, admin } = self;
        [viewer, noc, support, branch, commander, admin].into_iter().all(Vec::is_empty)
    }
}
