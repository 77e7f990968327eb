//! Section `access`: who may use the operators' listener.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Config;
use super::rules::{Rule, is_local, rule};
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
    fn is_empty(&self) -> bool {
        let Self { viewer, noc, support, branch, commander, admin } = self;
        [viewer, noc, support, branch, commander, admin].into_iter().all(Vec::is_empty)
    }
}

/// Rules that join keys of access.
pub(super) fn rules(config: &Config) -> Vec<Rule> {
    let (http, access) = (&config.http, &config.access);
    let remote = !http.listen.ip().is_loopback();
    let encrypted = http.public_url.as_ref().is_some_and(|url| url.starts_with("https://"));
    let cookies = matches!(access.mode, AccessMode::Users | AccessMode::Oidc);
    let mapped = matches!(access.mode, AccessMode::Oidc | AccessMode::Proxy);
    vec![
        rule(
            &["http.listen", "access.mode"],
            remote && access.mode == AccessMode::None,
            "is not a loopback address, and access.mode = \"none\" asks nobody who they are: set access.mode to \"users\", \
             \"oidc\" or \"proxy\"",
        ),
        rule(
            &["http.public_url", "access.mode"],
            access.mode == AccessMode::None && http.public_url.is_some(),
            "says that people come through a proxy, but access.mode = \"none\" asks nobody and answers this machine alone: set access.mode to \
             \"users\", \"oidc\" or \"proxy\", or leave http.public_url out",
        ),
        rule(
            &["access.proxy.networks", "access.mode"],
            access.mode == AccessMode::None && !access.proxy.networks.is_empty(),
            "lists a proxy, but access.mode = \"none\" answers this machine alone: set access.mode to \"users\", \"oidc\" or \"proxy\", or \
             leave access.proxy.networks out",
        ),
        rule(
            &["http.listen", "http.public_url", "access.mode"],
            remote && cookies && !encrypted,
            "is not a loopback address, and logins would travel in clear: put a proxy with TLS in front and set \
             http.public_url to its https:// address",
        ),
        rule(
            &["http.public_url"],
            !encrypted && http.public_url.as_deref().is_some_and(|url| !is_on_this_machine(url)),
            "must begin with https:// unless it is this machine: cookies would travel in clear",
        ),
        rule(
            &["http.public_url"],
            http.public_url.as_deref().is_some_and(|url| !is_bare(url)),
            "must be the address of the host alone, such as https://noc.example.jp: the pages stand at its root",
        ),
        rule(
            &["access.mode", "access.roles.viewer"],
            mapped && access.roles.is_empty(),
            "needs access.roles: without it nobody has a role, and so nobody gets in",
        ),
        rule(
            &["access.mode", "access.proxy.networks"],
            access.mode == AccessMode::Proxy && access.proxy.networks.is_empty(),
            "needs access.proxy.networks: the addresses from which the header with the name is believed",
        ),
        rule(
            &["access.mode", "access.oidc.issuer", "access.oidc.client_id"],
            access.mode == AccessMode::Oidc && (access.oidc.issuer.is_none() || access.oidc.client_id.is_none()),
            "needs access.oidc.issuer and access.oidc.client_id",
        ),
        rule(
            &["access.oidc.issuer"],
            access.oidc.issuer.as_deref().is_some_and(|url| !url.starts_with("https://") && !is_on_this_machine(url)),
            "must begin with https:// unless it is this machine: whoever is on the way could log in as anybody",
        ),
        rule(
            &["access.session_idle_min", "access.session_max_h"],
            access.session_idle_min > access.session_max_h * 60,
            "must be at most access.session_max_h: later the session has ended anyway",
        ),
    ]
}

/// Whether an address names this machine.
fn is_on_this_machine(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    let host = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((v6, _)) => v6,
        None => authority.split(':').next().unwrap_or_default(),
    };
    is_local(host)
}

/// Whether nothing follows the host and its port.
fn is_bare(url: &str) -> bool {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    !rest.trim_end_matches('/').contains(['/', '?', '#'])
}
