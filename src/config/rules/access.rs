//! Rules that join keys of `access`.

use super::rule::{Rule, rule};
use crate::config::access::AccessMode;
use crate::config::host::is_local;
use crate::config::settings::Config;

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
