//! The person or program behind a request.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::connect_info::ConnectInfo;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::cookie::Jar;
use super::origin::{Asked, Foreign, Origin, Peer};
use super::settings::{Mode, ProxySettings};
use super::{Access, secret, view};
use crate::engine::label;
use crate::record::StoreError;
use crate::record::access::{Listed, Principal, Role, Via, check_name};
use crate::record::incident::IncidentStore;
use crate::web::server::html;
use crate::web::server::listener;
use crate::web::server::problem::{Problem, unauthorized, wants_page};
use crate::web::ui::frame;
use crate::web::ui::language;

/// Sessions and tokens are noted as used at most this often.
const TOUCH_MS: i64 = 60_000;

/// Who somebody is that says no name where nobody is asked.
const OPERATOR: &str = "operator";

/// With this header a program says its name where nobody is asked; of no effect elsewhere.
const BY: HeaderName = HeaderName::from_static("x-fleetwatch-by");

/// Why it cannot be said who this is.
#[derive(Clone, Debug)]
pub(in crate::web) enum Refusal {
    /// A token that opens nothing.
    Token(&'static str),
    /// Nobody is asked here, so nobody but this machine is answered; and this says that it is somebody else.
    Foreign(Foreign),
    Other(Problem),
}

impl Refusal {
    /// As a page for a browser.
    pub(super) fn told(&self, uri: &Uri, headers: &HeaderMap) -> Response {
        let page = wants_page(headers) && !uri.path().starts_with("/api/");
        match self {
            Self::Foreign(sign) if page => {
                let lang = language::accepted(headers);
                let page = frame::plain(lang, uri, |view| view::only_here(view, sign));
                html::respond(StatusCode::FORBIDDEN, lang, &page)
            }
            Self::Other(problem) if page => html::refused(uri, headers, problem),
            other => other.clone().into_response(),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Token(why) => unauthorized(why),
            Self::Foreign(sign) => Problem::new(StatusCode::FORBIDDEN, view::only_here_in_short(&sign)).into_response(),
            Self::Other(problem) => problem.into_response(),
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Other(Problem::record(&error))
    }
}

/// Who asks, as far as it is known. Stands in the extensions of every request.
#[derive(Clone, Debug)]
pub(in crate::web) struct Caller {
    /// `None`: the router is not served over a connection.
    pub(super) origin: Option<Origin>,
    pub(in crate::web) identity: Result<Option<Principal>, Refusal>,
    /// Key of the forms that are shown to this caller.
    pub(super) form_key: Vec<u8>,
}

impl Caller {
    /// What a form for this caller has to carry.
    pub(in crate::web) fn form_token(&self) -> String {
        secret::form_token(&self.form_key, self.name())
    }

    pub(super) fn is_form_token(&self, token: &str) -> bool {
        secret::is_form_token(&self.form_key, self.name(), token)
    }

    /// Whether the address is one behind which many people are.
    pub(super) fn is_shared(&self) -> bool {
        self.origin.as_ref().is_some_and(|origin| origin.shared)
    }

    /// Whose connection it is: the person's address, or of an IPv6 one its network. `None` where many are behind one address, and for this
    /// machine itself.
    pub(in crate::web) fn subscriber(&self) -> Option<IpAddr> {
        let origin = self.origin.as_ref().filter(|origin| !origin.shared && !origin.is_local());
        origin.map(|origin| listener::subscriber(origin.address))
    }

    /// Whether this machine itself asks.
    pub(in crate::web) fn is_local(&self) -> bool {
        self.origin.as_ref().is_some_and(Origin::is_local)
    }

    fn name(&self) -> &str {
        self.identity.as_ref().ok().and_then(Option::as_ref).map_or("", |principal| &principal.name)
    }
}

/// Who may come in, and the list of what is whose.
#[derive(Clone, Debug)]
pub(in crate::web) struct Door {
    pub(in crate::web) access: Arc<Access>,
    /// `None`: there is no list, and nothing is of any branch.
    pub(in crate::web) list: Option<Arc<dyn IncidentStore>>,
}

impl Door {
    /// The principal with the devices that are his by the list.
    async fn with_devices(&self, mut principal: Principal) -> Result<Principal, Refusal> {
        if principal.role == Role::Branch
            && let Some(list) = &self.list
        {
            // As the list has them: it passed through the same form.
            for branch in &mut principal.branches {
                *branch = label::form(branch).into_owned();
            }
            principal.devices = Arc::new(list.devices_of(&principal.branches).await?);
        }
        Ok(principal)
    }
}

/// Puts the [`Caller`] into the extensions of each request.
pub(in crate::web) async fn identify(State(door): State<Door>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<ConnectInfo<Peer>>().map(|ConnectInfo(Peer(peer))| peer.ip());
    let asked = Asked { headers: request.headers(), uri: request.uri(), version: request.version() };
    let mut caller = door.access.caller(peer, asked).await;
    caller.identity = match caller.identity {
        Ok(Some(principal)) => door.with_devices(principal).await.map(Some),
        other => other,
    };
    request.extensions_mut().insert(caller);
    next.run(request).await
}

impl Access {
    async fn caller(&self, peer: Option<IpAddr>, asked: Asked<'_>) -> Caller {
        let headers = asked.headers;
        let origin = peer.map(|peer| Origin::of(peer, asked, &self.settings.proxies));
        let mut form_key = self.form_key.to_vec();
        let identity = match bearer(headers) {
            Some(token) => self.by_token(token).await.map(Some),
            None => match &self.settings.mode {
                Mode::Open => match origin.as_ref().map(|origin| &origin.foreign) {
                    Some(None) => Ok(Some(self.unasked(headers))),
                    Some(Some(sign)) => Err(Refusal::Foreign(sign.clone())),
                    // Without a connection nobody knows.
                    None => Err(Refusal::Foreign(Foreign::Peer)),
                },
                Mode::Proxy(proxy) => by_proxy(proxy, origin.as_ref(), headers),
                Mode::Users | Mode::Oidc(_) => match self.cookies.read(Jar::Session, headers) {
                    Some(cookie) => {
                        form_key = cookie.as_bytes().to_vec();
                        self.by_session(&cookie).await
                    }
                    None => Ok(None),
                },
            },
        };
        Caller { origin, identity, form_key }
    }

    async fn by_token(&self, text: Option<&str>) -> Result<Principal, Refusal> {
        let text = text.ok_or(Refusal::Token("the Authorization header must be: Bearer fw_..."))?;
        let token = self.store.token(&secret::fingerprint(text)).await?;
        let token = token.ok_or(Refusal::Token("there is no such token"))?;
        let now = self.clock.now();
        if !token.is_alive(now) {
            let why = if token.revoked_at.is_some() { "the token was revoked" } else { "the token has expired" };
            return Err(Refusal::Token(why));
        }
        if token.used_at.is_none_or(|used| now.since_ms(used) >= TOUCH_MS)
            && let Err(error) = self.store.touch_token(&token.id, now).await
        {
            tracing::warn!(reason = error.reason(), "the use of a token could not be noted");
        }
        Ok(Principal::from(&token))
    }

    async fn by_session(&self, cookie: &str) -> Result<Option<Principal>, Refusal> {
        let fingerprint = secret::fingerprint(cookie);
        let Some(session) = self.store.session(&fingerprint).await? else { return Ok(None) };
        let now = self.clock.now();
        if !session.is_alive(self.idle_ms(), now) || now.since_ms(session.begun_at) >= self.role_ms() {
            return Ok(None);
        }
        let mut principal = Principal::from(&session);
        if matches!(self.settings.mode, Mode::Users) {
            // What somebody is here now, not what he was at the login.
            let user = self.store.user(&session.name).await?.filter(|user| !user.disabled);
            let Some(user) = user else { return Ok(None) };
            (principal.role, principal.branches) = (user.role, user.branches);
        }
        if now.since_ms(session.seen_at) >= TOUCH_MS
            && let Err(error) = self.store.touch_session(&fingerprint, now).await
        {
            tracing::warn!(reason = error.reason(), "the use of a session could not be noted");
        }
        Ok(Some(principal))
    }

    /// How long a login proves a role, in ms.
    fn role_ms(&self) -> i64 {
        let recheck = match &self.settings.mode {
            Mode::Oidc(oidc) => oidc.recheck,
            Mode::Open | Mode::Users | Mode::Proxy(_) => self.settings.longest,
        };
        i64::try_from(recheck.min(self.settings.longest).as_millis()).unwrap_or(i64::MAX)
    }

    /// Whoever reaches an open listener: the administrator, under the name that the person says.
    fn unasked(&self, headers: &HeaderMap) -> Principal {
        let said = headers.get(BY).and_then(|value| std::str::from_utf8(value.as_bytes()).ok()).map(str::to_owned);
        let kept = || self.cookies.read(Jar::Name, headers).and_then(|value| decode_name(&value));
        let name = said.or_else(kept).map(|name| label::form(&name).into_owned());
        let name = name.filter(|name| check_name(name).is_ok());
        let name = name.unwrap_or_else(|| OPERATOR.to_owned());
        Principal { name, role: Role::Admin, branches: Vec::new(), devices: Listed::default(), via: Via::Open }
    }
}

/// A name as a cookie's value.
pub(super) fn encode_name(name: &str) -> String {
    URL_SAFE_NO_PAD.encode(name)
}

fn decode_name(value: &str) -> Option<String> {
    URL_SAFE_NO_PAD.decode(value).ok().and_then(|bytes| String::from_utf8(bytes).ok())
}

/// `None`: no Authorization header; `Some(None)`: one that is no bearer token.
fn bearer(headers: &HeaderMap) -> Option<Option<&str>> {
    let value = headers.get(header::AUTHORIZATION)?;
    let text = value.to_str().ok().and_then(|text| text.split_once(' '));
    Some(text.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim()))
}

/// Whoever a trusted proxy says it is.
fn by_proxy(proxy: &ProxySettings, origin: Option<&Origin>, headers: &HeaderMap) -> Result<Option<Principal>, Refusal> {
    let problem = |status, why: &str| Refusal::Other(Problem::new(status, why));
    let sent = |name: &HeaderName| headers.contains_key(name);
    let trusted = origin.is_some_and(|origin| origin.by_proxy);
    if !trusted {
        // Somebody goes round the proxy. With the header it is an attempt, and told apart from ignorance.
        let any = [&proxy.user_header, &proxy.groups_header, &proxy.branches_header].into_iter().any(sent);
        let why = "this address is not one of the proxies that may say who is there (access.proxy.networks)";
        return if any { Err(problem(StatusCode::FORBIDDEN, why)) } else { Ok(None) };
    }
    let name = match single(headers, &proxy.user_header) {
        Ok(None) => return Ok(None),
        Ok(Some(name)) => label::form(&name).into_owned(),
        Err(()) => {
            return Err(problem(
                StatusCode::BAD_REQUEST,
                "the proxy's header with the name stands twice or is no UTF-8",
            ));
        }
    };
    if check_name(&name).is_err() {
        return Err(problem(StatusCode::FORBIDDEN, "the name that the proxy says cannot stand in a record"));
    }
    let list = |header: &HeaderName| match single(headers, header) {
        Ok(text) => Ok(text.map(|text| proxy.separator.parts(&text))),
        // Of two one may be the person's own.
        Err(()) => {
            Err(problem(StatusCode::BAD_REQUEST, &format!("the proxy's header {header} stands twice or is no UTF-8")))
        }
    };
    let groups = list(&proxy.groups_header)?;
    let role = proxy.roles.role_of(groups.as_deref().unwrap_or_default());
    let role = role.ok_or_else(|| match groups {
        Some(_) => {
            problem(StatusCode::FORBIDDEN, "none of the groups that the proxy says has a role here (access.roles)")
        }
        None => {
            let why = format!("the proxy says no groups: it has to send the header {}", proxy.groups_header);
            problem(StatusCode::FORBIDDEN, &why)
        }
    })?;
    let branches = list(&proxy.branches_header)?.unwrap_or_default();
    let branches = Principal::branches_of(&branches);
    Ok(Some(Principal { name, role, branches, devices: Listed::default(), via: Via::Proxy }))
}

/// The value of a header that may stand once.
fn single(headers: &HeaderMap, name: &HeaderName) -> Result<Option<String>, ()> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => match std::str::from_utf8(value.as_bytes()) {
            Ok(text) => Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty())),
            Err(_) => Err(()),
        },
        (Some(_), Some(_)) => Err(()),
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Principal {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Response> {
        match parts.extensions.get::<Caller>().map(|caller| &caller.identity) {
            Some(Ok(Some(principal))) => Ok(principal.clone()),
            Some(Err(refusal)) => Err(refusal.clone().into_response()),
            Some(Ok(None)) | None => Err(unauthorized("nobody is known here")),
        }
    }
}

/// What a page needs to know of its request: the address, the headers, and who looks.
#[derive(Clone, Debug)]
pub(in crate::web) struct Visit {
    pub(in crate::web) uri: Uri,
    /// Whether it sends a form: its answer cannot be asked for again.
    pub(in crate::web) posted: bool,
    pub(in crate::web) headers: HeaderMap,
    /// `None` on pages that everybody may see.
    pub(in crate::web) principal: Option<Principal>,
    /// What every form on the page has to carry.
    pub(in crate::web) form_token: String,
}

impl<S: Send + Sync> FromRequestParts<S> for Visit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let caller = parts.extensions.get::<Caller>();
        Ok(Self {
            uri: parts.uri.clone(),
            posted: !parts.method.is_safe(),
            headers: parts.headers.clone(),
            principal: caller.and_then(|caller| caller.identity.clone().ok().flatten()),
            form_token: caller.map(Caller::form_token).unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;
    use crate::record::access::Separator;
    use crate::web::access::roles::RoleMap;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            // Not `from_static`, which takes ASCII only.
            headers.append(HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        headers
    }

    fn proxied(peer: &str, pairs: &[(&'static str, &'static str)]) -> Result<Option<Principal>, StatusCode> {
        let settings = ProxySettings {
            user_header: HeaderName::from_static("x-remote-user"),
            groups_header: HeaderName::from_static("x-remote-groups"),
            branches_header: HeaderName::from_static("x-remote-branches"),
            separator: Separator::Comma,
            roles: RoleMap(vec![(Role::Branch, vec!["branch".into()]), (Role::Noc, vec!["night shift".into()])]),
        };
        let headers = headers(pairs);
        let asked = Asked { headers: &headers, uri: &Uri::from_static("/"), version: axum::http::Version::HTTP_11 };
        let origin = Origin::of(peer.parse().unwrap(), asked, &["10.0.0.0/8".parse().unwrap()]);
        by_proxy(&settings, Some(&origin), &headers).map_err(|refusal| refusal.into_response().status())
    }

    #[test]
    fn a_proxys_word_counts_and_nobody_elses() {
        let sato = [("x-remote-user", "佐藤 花子"), ("x-remote-groups", "all, night shift")];
        let principal = proxied("10.1.2.3", &sato).unwrap().unwrap();
        assert_eq!((&*principal.name, principal.role, principal.via), ("佐藤 花子", Role::Noc, Via::Proxy));
        let branch =
            [("x-remote-user", "Abe"), ("x-remote-groups", "branch"), ("x-remote-branches", "sapporo-03, sapporo-04,")];
        assert_eq!(proxied("10.1.2.3", &branch).unwrap().unwrap().branches, ["sapporo-03", "sapporo-04"]);
        assert_eq!(proxied("192.0.2.1", &sato), Err(StatusCode::FORBIDDEN), "a header from elsewhere");
        assert_eq!(proxied("192.0.2.1", &[("x-remote-groups", "branch")]), Err(StatusCode::FORBIDDEN));
        assert_eq!(proxied("127.0.0.1", &sato), Err(StatusCode::FORBIDDEN), "this machine is elsewhere, too");
        assert_eq!(proxied("192.0.2.1", &[]), Ok(None));
        assert_eq!(proxied("10.1.2.3", &[("x-remote-groups", "branch")]), Ok(None), "nobody was named");
        assert_eq!(proxied("10.1.2.3", &[("x-remote-user", " ")]), Ok(None));
        let twice = [("x-remote-user", "Abe"), ("x-remote-user", "root"), ("x-remote-groups", "branch")];
        assert_eq!(proxied("10.1.2.3", &twice), Err(StatusCode::BAD_REQUEST));
        assert_eq!(proxied("10.1.2.3", &[("x-remote-user", "Abe")]), Err(StatusCode::FORBIDDEN), "no group, no role");
        for groups in ["night", "all night shift", "night shift admins", "not;night shift", "Night Shift"] {
            let other = [("x-remote-user", "Abe"), ("x-remote-groups", groups)];
            assert_eq!(proxied("10.1.2.3", &other), Err(StatusCode::FORBIDDEN), "{groups} is another group");
        }
        for header in ["x-remote-groups", "x-remote-branches"] {
            let twice = [("x-remote-user", "Abe"), ("x-remote-groups", "branch"), (header, "a"), (header, "b")];
            assert_eq!(proxied("10.1.2.3", &twice), Err(StatusCode::BAD_REQUEST), "{header}");
        }
        let own = [("x-remote-user", "detector"), ("x-remote-groups", "branch")];
        assert_eq!(proxied("10.1.2.3", &own), Err(StatusCode::FORBIDDEN));
    }

    #[test]
    fn only_a_bearer_token_is_one() {
        for (value, token) in [
            ("Bearer fw_x", Some(Some("fw_x"))),
            ("bearer  fw_x ", Some(Some("fw_x"))),
            ("Basic eDp5", Some(None)),
            ("Bearer", Some(None)),
            ("", Some(None)),
        ] {
            assert_eq!(bearer(&headers(&[("authorization", value)])), token, "{value}");
        }
        assert_eq!(bearer(&headers(&[])), None);
    }

    #[test]
    fn a_name_survives_its_cookie() {
        assert_eq!(decode_name(&encode_name("佐藤 花子; Path=/")), Some("佐藤 花子; Path=/".into()));
        assert_eq!(decode_name("!"), None);
    }
}
