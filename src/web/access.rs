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
//! | `roles` | which role the words of a provider or proxy mean |
//! | `secret` | random secrets, fingerprints, the token of forms |
//! | `throttle` | how often a login may be tried |
//! | `view` | the pages of the login, and the own account |
//!
//! Every route stands in a group that says what it takes ([`require`]); nothing is reachable because somebody forgot to
//! ask. Handlers that need to know more (one device, one command) take the [`Principal`] as an argument and ask it.

mod caller;
mod cookie;
mod form;
pub(super) mod login;
pub mod oidc;
mod origin;
pub mod password;
mod roles;
pub mod secret;
mod throttle;
pub(super) mod view;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use ipnet::IpNet;
use thiserror::Error;

pub(super) use self::caller::{Caller, Door, Visit, identify};
pub(super) use self::form::FIELD as FORM_FIELD;
pub use self::oidc::OidcSettings;
pub(super) use self::origin::{Foreign, Peer};
pub use self::roles::RoleMap;

use self::cookie::Cookies;
use self::oidc::{Oidc, OidcError};
use self::password::{Checker, PasswordError};
use self::throttle::Throttle;
use super::page;
use crate::clock::Clock;
use crate::record::access::{AccessStore, Action, Principal, Separator};
use crate::web::server::problem::{Problem, wants_page};

/// The header with which a page asks for itself again.
const REFRESH: HeaderName = HeaderName::from_static("x-fleetwatch-refresh");

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

/// What a group of routes takes.
#[derive(Clone, Debug)]
pub(super) struct Needed {
    pub(super) access: Arc<Access>,
    /// `None`: somebody who is known; what is wished decides, and the handler asks.
    pub(super) action: Option<Action>,
}

/// Lets through who may do what the group of routes takes, and no form but our own.
pub(super) async fn require(State(needed): State<Needed>, request: Request, next: Next) -> Response {
    let Needed { access, action } = needed;
    let Some(caller) = request.extensions().get::<Caller>().cloned() else {
        // Only a router that was put together wrongly comes here; nothing is let through.
        return Problem::new(StatusCode::UNAUTHORIZED, "nobody was asked who this is").into_response();
    };
    let principal = match caller.identity.as_ref() {
        Err(refusal) => return refusal.told(request.uri(), request.headers()),
        Ok(None) => return unknown(&access, &request),
        Ok(Some(principal)) => principal,
    };
    if let Some(action) = action
        && !principal.may(action)
    {
        return refused(&request, &forbidden(principal, action));
    }
    match form::check(&access, &caller, request).await {
        Ok(request) => next.run(request).await,
        Err(refused) => refused,
    }
}

/// Lets programs read the metrics: from this machine, from listed networks, or with the right to.
pub(super) async fn guard_metrics(State(access): State<Arc<Access>>, request: Request, next: Next) -> Response {
    let Some(caller) = request.extensions().get::<Caller>() else {
        return Problem::new(StatusCode::UNAUTHORIZED, "nobody was asked who this is").into_response();
    };
    let from_here =
        caller.origin.as_ref().is_some_and(|origin| origin.is_local() || origin.is_from(&access.settings.metrics_from));
    match caller.identity.as_ref() {
        _ if from_here => next.run(request).await,
        Ok(Some(principal)) if principal.may(Action::Scrape) => next.run(request).await,
        Ok(Some(principal)) => forbidden(principal, Action::Scrape).into_response(),
        Ok(None) => {
            unauthorized("the metrics need a token with the scope metrics, or a network of access.metrics_from")
        }
        Err(refusal) => refusal.clone().into_response(),
    }
}

/// What is said to somebody who may not.
pub(super) fn forbidden(principal: &Principal, action: Action) -> Problem {
    let Principal { name, role, .. } = principal;
    let detail = format!("{name} ({}) may not {}", role.as_str(), action.as_phrase());
    Problem::new(StatusCode::FORBIDDEN, detail)
}

/// A refusal, as a page for a browser.
fn refused(request: &Request, problem: &Problem) -> Response {
    if wants_page(request.headers()) && !request.uri().path().starts_with("/api/") {
        return page::refused(request.uri(), request.headers(), problem);
    }
    problem.clone().into_response()
}

/// Sends a browser to the login and tells a program what is missing.
fn unknown(access: &Access, request: &Request) -> Response {
    let uri = request.uri();
    // A page that asks for itself again (`live.js`) is told so, and goes to the login as a whole.
    let refreshes = request.headers().contains_key(&REFRESH);
    if wants_page(request.headers()) && !refreshes && !uri.path().starts_with("/api/") {
        let there = uri.path_and_query().map_or("/", |path| path.as_str());
        let next = if request.method().is_safe() { there } else { "/" };
        // Whoever was logged in a while ago is led through the provider at once: there they mostly still are.
        let had_session = access.cookies.read(cookie::Jar::Session, request.headers()).is_some();
        let there =
            if access.oidc.is_some() && had_session { login::start_address(next) } else { login::address(next) };
        return (StatusCode::SEE_OTHER, [(header::LOCATION, there)]).into_response();
    }
    unauthorized("this needs a session, or a token: Authorization: Bearer fw_...")
}

/// 401, with the way to do better.
pub(super) fn unauthorized(detail: &str) -> Response {
    let problem = Problem::new(StatusCode::UNAUTHORIZED, detail);
    ([(header::WWW_AUTHENTICATE, "Bearer realm=\"fleetwatch\"")], problem).into_response()
}
