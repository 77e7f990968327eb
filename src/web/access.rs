//! Who a request comes from, and whether that may do what it asks for.
//!
//! | module | what it owns |
//! |---|---|
//! | `caller` | the person or program behind a request: token, session, proxy's header |
//! | `cookie` | names and attributes of the cookies |
//! | `form` | forms come from our own pages: token and origin |
//! | `login` | logging in and out, the own account |
//! | `oidc` | logging in at an OpenID provider |
//! | `origin` | addresses, and trusted proxies |
//! | `password` | argon2id, and checks that take equally long for everybody |
//! | `require` | what a group of routes takes, and who is let through |
//! | `roles` | which role the words of a provider or proxy mean |
//! | `secret` | random secrets, fingerprints, the token of forms |
//! | `settings` | how the listener is guarded, as the configuration says |
//! | `throttle` | how often a login may be tried |
//! | `view` | the pages of the login, and the own account |
//!
//! Every route stands in a group that says what it takes ([`require`]); nothing is reachable because somebody forgot to
//! ask. Handlers that need to know more (one device, one command) take the [`Principal`](crate::record::access::Principal) as an argument and ask it.

pub(super) mod caller;
mod cookie;
mod form;
pub(super) mod login;
pub mod oidc;
pub(super) mod origin;
pub mod password;
pub(super) mod require;
mod roles;
pub mod secret;
mod settings;
mod throttle;
pub(super) mod view;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use ipnet::IpNet;
use thiserror::Error;

pub use self::oidc::OidcSettings;
pub use self::roles::RoleMap;
pub use self::settings::{AccessSettings, Mode, ProxySettings};

use self::cookie::Cookies;
use self::oidc::{Oidc, OidcError};
use self::password::{Checker, PasswordError};
use self::throttle::Throttle;
use crate::clock::Clock;
use crate::record::access::AccessStore;

/// Why access cannot be set up.
#[derive(Debug, Error)]
pub enum AccessError {
    #[error(transparent)]
    Password(#[from] PasswordError),
    #[error(transparent)]
    Oidc(#[from] OidcError),
}

/// Guards the listener. Shared between requests.
pub struct Access {
    store: Arc<dyn AccessStore>,
    settings: AccessSettings,
    clock: Clock,
    cookies: Cookies,
    throttle: Throttle,
    /// Key of the forms of whoever has no session.
    form_key: [u8; 32],
    /// When it was last told that people's addresses are unknown.
    told_shared: AtomicI64,
    /// Only with users of our own.
    checker: Option<Checker>,
    /// Only with an OpenID provider.
    oidc: Option<Oidc>,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Access {
    /// Guards by `settings` over what `store` keeps.
    ///
    /// # Errors
    /// When the system gives no random bytes, or the OpenID provider's settings cannot be used.
    pub fn new(store: Arc<dyn AccessStore>, settings: AccessSettings, clock: Clock) -> Result<Self, AccessError> {
        let checker = matches!(settings.mode, Mode::Users).then(Checker::new).transpose()?;
        let oidc = match &settings.mode {
            Mode::Oidc(oidc) => Some(Oidc::new((**oidc).clone())?),
            Mode::Open | Mode::Users | Mode::Proxy(_) => None,
        };
        let secure = settings.public_url.as_ref().is_some_and(|url| url.starts_with("https://"));
        let form_key = secret::random().map_err(PasswordError::NoRandom)?;
        let (cookies, throttle) = (Cookies { secure }, Throttle::default());
        let told_shared = AtomicI64::new(i64::MIN);
        Ok(Self { store, settings, clock, cookies, throttle, form_key, told_shared, checker, oidc })
    }

    /// Whether browsers reach the listener over HTTPS.
    pub(super) fn is_encrypted(&self) -> bool {
        self.cookies.secure
    }

    /// The host of the public address, which the listener then has to answer to.
    pub fn public_host(&self) -> Option<&str> {
        let (_, rest) = self.settings.public_url.as_deref()?.split_once("://")?;
        let host = rest.split('/').next()?;
        host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map_or(Some(host), |(name, _)| Some(name))
    }

    /// Networks of the reverse proxies whose headers count.
    pub(super) fn proxies(&self) -> &[IpNet] {
        &self.settings.proxies
    }

    /// Where people, sessions and tokens are kept.
    pub fn store(&self) -> Arc<dyn AccessStore> {
        Arc::clone(&self.store)
    }

    fn idle_ms(&self) -> i64 {
        i64::try_from(self.settings.idle.as_millis()).unwrap_or(i64::MAX)
    }
}
