//! Logging in and out, and the own account.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use serde::Deserialize;

use super::caller::{Caller, Visit, encode_name};
use super::cookie::Jar;
use super::oidc::{OidcError, Returned, TokenError};
use super::view::{self, Notice, Way};
use super::{Access, Mode, secret};
use crate::engine::label;
use crate::engine::time::Timestamp;
use crate::record::access::{Deed, Principal, Role, Session, Via, check_name};
use crate::web::server::guard;
use crate::web::server::html;
use crate::web::server::page;
use crate::web::server::problem::Problem;
use crate::web::server::state::HttpState;
use crate::web::ui::login::inside;

/// How long a login at a provider may take.
const FLOW_S: u32 = 600;

/// How often it is told that people's addresses are unknown, in ms.
const SHARED_EVERY_MS: i64 = 600_000;

/// How long a browser keeps the name that a person says where nobody is asked.
const NAME_S: u32 = 90 * 86_400;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct LoginParams {
    next: String,
}

/// The form of the login page.
#[derive(Deserialize)]
pub(in crate::web) struct Filled {
    name: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    next: String,
}

impl std::fmt::Debug for Filled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Filled").finish_non_exhaustive()
    }
}

impl Access {
    /// How one logs in here.
    fn way(&self) -> Way {
        match &self.settings.mode {
            Mode::Open => Way::Name,
            Mode::Users => Way::Password,
            Mode::Oidc(_) => Way::Provider,
            Mode::Proxy(_) => Way::Proxy,
        }
    }

    /// Where the provider sends the browser back to.
    fn callback(&self, headers: &HeaderMap) -> String {
        let host = headers.get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or("localhost");
        let here = self.settings.public_url.clone().unwrap_or_else(|| format!("http://{host}"));
        format!("{}/login/callback", here.trim_end_matches('/'))
    }

    /// Begins a session and gives its cookie. The one that the browser had ends: an id that somebody has planted is worth nothing
    /// after the login.
    async fn log_in(&self, who: NewSession<'_>, headers: &HeaderMap) -> Result<String, Problem> {
        let problem = |_| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the system gives no random bytes");
        let secret = secret::random_text().map_err(problem)?;
        let now = self.clock.now();
        let NewSession { name, role, branches, address, detail } = who;
        let longest_ms = i64::try_from(self.settings.longest.as_millis()).unwrap_or(i64::MAX);
        let session = Session {
            fingerprint: secret::fingerprint(&secret),
            name: name.to_owned(),
            role,
            branches,
            begun_at: now,
            seen_at: now,
            ends_at: now.plus_ms(longest_ms),
            address: address.to_string(),
        };
        let deed = |what: &str, detail: String| Deed {
            at: now,
            by: name.to_owned(),
            what: what.to_owned(),
            about: name.to_owned(),
            detail,
        };
        let told = |error| Problem::record(&error);
        if let Some(old) = self.cookies.read(Jar::Session, headers) {
            let ended = deed("logout", format!("{address}, by another login"));
            self.store.end_session(&secret::fingerprint(&old), &ended).await.map_err(told)?;
        }
        self.store.sweep_sessions(now.plus_ms(-self.idle_ms()), now).await.map_err(told)?;
        self.store.begin_session(&session, &deed("login", detail)).await.map_err(told)?;
        tracing::info!(name, role = role.as_str(), %address, "logged in");
        Ok(secret)
    }
}

struct NewSession<'a> {
    name: &'a str,
    role: Role,
    branches: Vec<String>,
    address: IpAddr,
    detail: String,
}

fn address_of(caller: &Caller) -> IpAddr {
    caller.origin.as_ref().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |origin| origin.address)
}

impl Access {
    /// Says now and then that the limits cannot tell people apart.
    fn tell_shared(&self, address: IpAddr, now: Timestamp) {
        let last = self.told_shared.load(Ordering::Relaxed);
        if now.as_ms().saturating_sub(last) < SHARED_EVERY_MS {
            return;
        }
        self.told_shared.store(now.as_ms(), Ordering::Relaxed);
        tracing::warn!(
            %address,
            "logins come through a proxy, and nobody who is believed says for whom: failed ones slow down the account instead of \
             stopping the address. List the proxy in access.proxy.networks, and let it send X-Forwarded-For"
        );
    }

    /// Counts a login before it is tried; waits where the address is many people's.
    async fn admit(&self, caller: &Caller, account: &str, now: Timestamp) -> Result<(), Duration> {
        let address = address_of(caller);
        if caller.is_shared() {
            self.tell_shared(address, now);
            tokio::time::sleep(self.throttle.attempt_shared(account, now)).await;
            return Ok(());
        }
        self.throttle.attempt(address, account, now)
    }

    fn admitted(&self, caller: &Caller, account: &str, now: Timestamp) {
        if caller.is_shared() {
            self.throttle.succeeded_shared(account, now);
        } else {
            self.throttle.succeeded(address_of(caller), account, now);
        }
    }
}

/// Leads on, with a cookie set or taken away.
fn onward(to: &str, cookies: Vec<axum::http::HeaderValue>) -> Response {
    let cookies = AppendHeaders(cookies.into_iter().map(|cookie| (header::SET_COOKIE, cookie)));
    (StatusCode::SEE_OTHER, [(header::LOCATION, to.to_owned())], cookies).into_response()
}

/// The login page.
fn show(state: &HttpState, visit: &Visit, way: Way, next: &str, notice: Option<Notice>) -> Response {
    let view = page::view(state, visit);
    let status = if notice.is_some() { StatusCode::UNAUTHORIZED } else { StatusCode::OK };
    html::respond(status, view.lang, &view::login(&view, way, next, notice))
}

pub(in crate::web) async fn page(
    State(state): State<HttpState>,
    Query(params): Query<LoginParams>,
    visit: Visit,
    caller: axum::Extension<Caller>,
) -> Response {
    if let Err(refusal) = &caller.identity {
        return refusal.told(&visit.uri, &visit.headers);
    }
    let (way, next) = (state.access.way(), inside(&params.next));
    // Who is known already is not asked again; a name that was only said may be said anew.
    if visit.principal.as_ref().is_some_and(Principal::is_proved) {
        return onward(next, Vec::new());
    }
    show(&state, &visit, way, next, None)
}

/// `POST /login`: a name and a password, or a name alone where nobody is asked.
pub(in crate::web) async fn submit(
    State(state): State<HttpState>,
    visit: Visit,
    caller: axum::Extension<Caller>,
    filled: Result<Form<Filled>, FormRejection>,
) -> Response {
    let access = &state.access;
    if let Err(refusal) = &caller.identity {
        return refusal.told(&visit.uri, &visit.headers);
    }
    if !guard::comes_from_here(&visit.headers) {
        let foreign = Problem::new(StatusCode::FORBIDDEN, "the request does not come from this listener's own page");
        return html::refused(&visit.uri, &visit.headers, &foreign);
    }
    let filled = match filled {
        Ok(Form(filled)) => filled,
        Err(rejection) => return Problem::new(rejection.status(), rejection.body_text()).into_response(),
    };
    let next = inside(&filled.next).to_owned();
    match access.settings.mode {
        Mode::Users => with_password(&state, &visit, &caller, filled, &next).await,
        Mode::Open if check_name(&label::form(&filled.name)).is_ok() => {
            let cookie = access.cookies.set(Jar::Name, &encode_name(&label::form(&filled.name)), Some(NAME_S));
            onward(&next, vec![cookie])
        }
        Mode::Open => show(&state, &visit, Way::Name, &next, Some(Notice::BadName)),
        Mode::Oidc(_) | Mode::Proxy(_) => {
            Problem::missing("nobody logs in here with a name and a password").into_response()
        }
    }
}

async fn with_password(state: &HttpState, visit: &Visit, caller: &Caller, filled: Filled, next: &str) -> Response {
    let (access, address, now) = (&state.access, address_of(caller), state.clock.now());
    let Filled { name, password, .. } = filled;
    let name = label::form(&name);
    let again = |notice| show(state, visit, Way::Password, next, Some(notice));
    let Some(checker) = &access.checker else { return again(Notice::Wrong) };
    // A name that nobody can have is no key to count under, and is checked all the same.
    let account = if check_name(&name).is_ok() { &*name } else { "" };
    if let Err(wait) = access.admit(caller, account, now).await {
        tracing::warn!(%address, wait_s = wait.as_secs(), "too many failed logins");
        return too_many(again(Notice::TooMany(wait)), wait);
    }
    let user = match access.store.user(account).await {
        Ok(user) => user.filter(|user| !user.disabled),
        Err(error) => return Problem::record(&error).into_response(),
    };
    let hash = user.as_ref().map(|user| user.password.clone());
    let fits = password.len() <= super::password::MAX_BYTES && checker.fits(password, hash).await;
    let Some(user) = user.filter(|_| fits) else {
        // Not the name: some type their password there.
        tracing::warn!(%address, "a login failed");
        return again(Notice::Wrong);
    };
    access.admitted(caller, account, now);
    let detail = address.to_string();
    let who = NewSession { name: &user.name, role: user.role, branches: user.branches.clone(), address, detail };
    match access.log_in(who, &visit.headers).await {
        Ok(secret) => onward(next, vec![access.cookies.set(Jar::Session, &secret, None)]),
        Err(problem) => problem.into_response(),
    }
}

fn too_many(mut page: Response, wait: Duration) -> Response {
    *page.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    let seconds = wait.as_secs().saturating_add(1).to_string();
    ([(header::RETRY_AFTER, seconds)], page).into_response()
}

/// `GET /login/start`: on to the OpenID provider.
pub(in crate::web) async fn start(
    State(state): State<HttpState>,
    Query(params): Query<LoginParams>,
    visit: Visit,
) -> Response {
    let access = &state.access;
    let Some(oidc) = &access.oidc else { return Problem::missing("there is no OpenID provider here").into_response() };
    let next = inside(&params.next);
    match Box::pin(oidc.begin(&access.callback(&visit.headers), next, state.clock.outside())).await {
        Ok((url, flow)) => onward(&url, vec![access.cookies.set(Jar::Flow, &flow, Some(FLOW_S))]),
        Err(error) => failed(&state, &visit, &error),
    }
}

/// `GET /login/callback`: back from the provider.
pub(in crate::web) async fn callback(
    State(state): State<HttpState>,
    Query(returned): Query<Returned>,
    visit: Visit,
    caller: axum::Extension<Caller>,
) -> Response {
    let access = &state.access;
    let Some(oidc) = &access.oidc else { return Problem::missing("there is no OpenID provider here").into_response() };
    let Some(flow) = access.cookies.read(Jar::Flow, &visit.headers) else {
        return failed(&state, &visit, &OidcError::Flow);
    };
    let identity = match Box::pin(oidc.finish(&flow, returned, state.clock.outside())).await {
        Ok(identity) => identity,
        Err(error) => return failed(&state, &visit, &error),
    };
    let address = address_of(&caller);
    let detail = format!("{address}, subject {}", identity.subject);
    let who =
        NewSession { name: &identity.name, role: identity.role, branches: identity.branches.clone(), address, detail };
    match access.log_in(who, &visit.headers).await {
        Ok(secret) => {
            let cookies = vec![access.cookies.set(Jar::Session, &secret, None), access.cookies.clear(Jar::Flow)];
            onward(inside(&identity.next), cookies)
        }
        Err(problem) => problem.into_response(),
    }
}

fn failed(state: &HttpState, visit: &Visit, error: &OidcError) -> Response {
    tracing::warn!(%error, "a login at the OpenID provider failed");
    let notice = match error {
        OidcError::Provider(_) | OidcError::Settings(_) => Notice::ProviderAway,
        OidcError::Flow => Notice::BeginAgain,
        OidcError::Refused(_) => Notice::ProviderRefused,
        OidcError::Token(TokenError::Audience(_)) => Notice::OtherAudience,
        OidcError::Token(TokenError::Time(_)) => Notice::ClocksDiffer,
        OidcError::Token(TokenError::Nonce) => Notice::BeginAgain,
        OidcError::Token(_) => Notice::BadToken,
        OidcError::Name { claim, .. } => Notice::NoName(claim.clone()),
        OidcError::Claim { claim, .. } | OidcError::NoGroups { claim, .. } => Notice::NoGroups(claim.clone()),
        OidcError::LeftOut { .. } => Notice::GroupsLeftOut,
        OidcError::Role(_) => Notice::NoRole,
    };
    show(state, visit, Way::Provider, "/", Some(notice))
}

/// Whose sessions are to end. Who has none (a proxy's people, an open listener's) has nothing to end but a name.
pub(in crate::web) async fn logout(State(state): State<HttpState>, principal: Principal, request: Request) -> Response {
    let access = &state.access;
    let everywhere = request.uri().path().ends_with("/everywhere");
    let now = state.clock.now();
    let deed = |what: &str| Deed {
        at: now,
        by: principal.name.clone(),
        what: what.to_owned(),
        about: principal.name.clone(),
        detail: String::new(),
    };
    let ended = match &principal.via {
        Via::Session(_) if everywhere => {
            access.store.end_sessions_of(&principal.name, &deed("sessions_ended")).await.map(drop)
        }
        Via::Session(fingerprint) => access.store.end_session(fingerprint, &deed("logout")).await.map(drop),
        Via::Open | Via::Proxy | Via::Token { .. } => Ok(()),
    };
    match ended {
        Ok(()) => onward("/login", vec![access.cookies.clear(Jar::Session), access.cookies.clear(Jar::Name)]),
        Err(error) => Problem::record(&error).into_response(),
    }
}

pub(in crate::web) async fn account(
    State(state): State<HttpState>,
    principal: Principal,
    visit: Visit,
    caller: axum::Extension<Caller>,
) -> Response {
    let sessions = match &principal.via {
        Via::Session(_) => state.access.store.sessions_of(&principal.name).await,
        Via::Open | Via::Proxy | Via::Token { .. } => Ok(Vec::new()),
    };
    match sessions {
        Ok(mut sessions) => {
            let (idle_ms, now) = (state.access.idle_ms(), state.clock.now());
            sessions.retain(|session| session.is_alive(idle_ms, now));
            let here = (address_of(&caller), caller.is_shared());
            let view = page::view(&state, &visit);
            html::respond(StatusCode::OK, view.lang, &view::account(&view, &principal, (here, &sessions)))
        }
        Err(error) => Problem::record(&error).into_response(),
    }
}
