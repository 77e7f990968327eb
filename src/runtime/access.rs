//! The configuration of access, as the listener takes it.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use axum::http::HeaderName;

use crate::config::{AccessMode, Config, kinds};
use crate::record::access::{Role, exact};
use crate::text::secret_word;
use crate::web::AccessSettings;
use crate::web::access::{Mode, OidcSettings, ProxySettings, RoleMap};

/// How the operators' listener is guarded by this configuration.
///
/// # Errors
/// When a file that it names cannot be read, or says nothing.
pub fn settings(config: &Config) -> anyhow::Result<AccessSettings> {
    let access = &config.access;
    let mode = match access.mode {
        AccessMode::None => Mode::Open,
        AccessMode::Users => Mode::Users,
        AccessMode::Oidc => Mode::Oidc(Box::new(oidc(config)?)),
        AccessMode::Proxy => Mode::Proxy(proxy(config)?),
    };
    let networks = |texts: &[String]| texts.iter().filter_map(|text| kinds::network(text)).collect();
    Ok(AccessSettings {
        mode,
        public_url: config.http.public_url.clone(),
        proxies: networks(&access.proxy.networks),
        metrics_from: networks(&access.metrics_from),
        idle: Duration::from_secs(u64::from(access.session_idle_min) * 60),
        longest: Duration::from_secs(u64::from(access.session_max_h) * 3_600),
    })
}

fn roles(config: &Config) -> RoleMap {
    let roles = &config.access.roles;
    let words = |role| match role {
        Role::Viewer => &roles.viewer,
        Role::Noc => &roles.noc,
        Role::Support => &roles.support,
        Role::Branch => &roles.branch,
        Role::Commander => &roles.commander,
        Role::Admin => &roles.admin,
    };
    RoleMap(Role::ALL.map(|role| (role, words(role).iter().map(|word| exact(word)).collect())).into())
}

fn proxy(config: &Config) -> anyhow::Result<ProxySettings> {
    let proxy = &config.access.proxy;
    let header = |name: &str| {
        HeaderName::from_bytes(name.as_bytes()).with_context(|| format!("access.proxy: {name:?} is no header's name"))
    };
    Ok(ProxySettings {
        user_header: header(&proxy.user_header)?,
        groups_header: header(&proxy.groups_header)?,
        branches_header: header(&proxy.branches_header)?,
        separator: proxy.separator,
        roles: roles(config),
    })
}

fn oidc(config: &Config) -> anyhow::Result<OidcSettings> {
    let oidc = &config.access.oidc;
    let (Some(issuer), Some(client_id)) = (oidc.issuer.clone(), oidc.client_id.clone()) else {
        bail!("access.mode = \"oidc\" needs access.oidc.issuer and access.oidc.client_id");
    };
    let pem = |path: &Path| std::fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    Ok(OidcSettings {
        issuer,
        client_id,
        client_secret: oidc.client_secret_file.as_deref().map(secret_word).transpose()?,
        scopes: oidc.scopes.clone(),
        name_claim: oidc.name_claim.clone(),
        groups_claim: oidc.groups_claim.clone(),
        branches_claim: oidc.branches_claim.clone(),
        separator: oidc.separator,
        audiences: oidc.audiences.clone(),
        recheck: Duration::from_secs(u64::from(oidc.recheck_min) * 60),
        roles: roles(config),
        ca_pem: oidc.ca_file.as_deref().map(pem).transpose()?,
    })
}
