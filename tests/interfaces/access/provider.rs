//! Logging in at an OpenID provider. The provider here is a small real one: it speaks the protocol over HTTP on loopback, checks what
//! it is sent (client, secret, redirect, PKCE) and signs with its own key. It shares no code with the client that is tested.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Json;
use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use fleetwatch::record::access::{AccessStore, Role, Separator};
use fleetwatch::web::AccessSettings;
use fleetwatch::web::access::{Mode, OidcSettings, RoleMap};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};

use super::{HOST, HTML, cookie, guarded, look};
use crate::client::{Answer, ask};
use crate::sample;
use crate::server::Server;

const CLIENT: &str = "fleetwatch";
const SECRET: &str = "s3cret+/%";

/// What the provider does wrong, to see that it is noticed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    None,
    ForeignKey,
    NoSignature,
    OtherAudience,
    OtherIssuer,
    OtherNonce,
    Expired,
    OfTomorrow,
    NoGroups,
    ReservedName,
    NoToken,
}

struct Provider {
    issuer: String,
    key: EcdsaKeyPair,
    foreign: EcdsaKeyPair,
    /// Code to what it was asked with.
    codes: Mutex<HashMap<String, HashMap<String, String>>>,
    fault: Mutex<Fault>,
    /// Claims beside the usual ones, or in their place.
    claims: Mutex<Value>,
}

fn key() -> EcdsaKeyPair {
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap()
}

fn sign(key: &EcdsaKeyPair, header: &Value, claims: &Value) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", encode(header), encode(claims));
    let signature = key.sign(&SystemRandom::new(), text.as_bytes()).unwrap();
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

impl Provider {
    async fn start() -> Arc<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}/realms/noc", listener.local_addr().unwrap());
        let (codes, fault, claims) = (Mutex::default(), Mutex::new(Fault::None), Mutex::new(json!({})));
        let provider = Arc::new(Self { issuer, key: key(), foreign: key(), codes, fault, claims });
        let router = axum::Router::new()
            .route("/realms/noc/.well-known/openid-configuration", get(configuration))
            .route("/realms/noc/keys", get(keys))
            .route("/realms/noc/token", post(token))
            .with_state(Arc::clone(&provider));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        provider
    }

    /// What a person does at the provider: reads the address that the browser was led to, and is led back with a code.
    fn authorize(&self, location: &str) -> String {
        let (endpoint, query) = location.split_once('?').unwrap();
        assert_eq!(endpoint, format!("{}/authorize", self.issuer));
        let asked: HashMap<String, String> = parameters(query);
        assert_eq!((&*asked["response_type"], &*asked["client_id"]), ("code", CLIENT));
        assert_eq!(asked["code_challenge_method"], "S256");
        assert!(asked["scope"].split(' ').any(|scope| scope == "openid"), "{}", asked["scope"]);
        assert!(asked["nonce"].len() >= 20 && asked["state"].len() >= 20);
        let code = format!("code-{}", self.codes.lock().unwrap().len());
        let back = format!("/login/callback?code={code}&state={}", asked["state"]);
        assert!(asked["redirect_uri"].ends_with("/login/callback"), "{}", asked["redirect_uri"]);
        self.codes.lock().unwrap().insert(code, asked);
        back
    }

    fn claim(&self, claims: Value) {
        *self.claims.lock().unwrap() = claims;
    }

    fn break_by(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
    }
}

fn parameters(query: &str) -> HashMap<String, String> {
    let url = reqwest::Url::parse(&format!("http://x/?{query}")).unwrap();
    url.query_pairs().into_owned().collect()
}

async fn configuration(State(provider): State<Arc<Provider>>) -> Json<Value> {
    let issuer = &provider.issuer;
    Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/keys"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "code_challenge_methods_supported": ["S256"],
    }))
}

async fn keys(State(provider): State<Arc<Provider>>) -> Json<Value> {
    let point = provider.key.public_key().as_ref();
    let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..65]));
    Json(json!({ "keys": [{ "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": "1", "x": x, "y": y }] }))
}

async fn token(
    State(provider): State<Arc<Provider>>,
    headers: HeaderMap,
    Form(sent): Form<HashMap<String, String>>,
) -> axum::response::Response {
    let basic = headers.get("authorization").and_then(|value| value.to_str().ok()?.strip_prefix("Basic "));
    let basic = basic.and_then(|text| String::from_utf8(STANDARD.decode(text).ok()?).ok());
    // RFC 6749, 2.3.1: both halves are form-encoded.
    let known = basic.as_deref() == Some("fleetwatch:s3cret%2B%2F%25");
    // A code is good once.
    let asked = provider.codes.lock().unwrap().remove(&sent["code"]);
    let Some(asked) = asked.filter(|_| known) else {
        return (StatusCode::BAD_REQUEST, Json(json!({ "error": "invalid_grant" }))).into_response();
    };
    let challenge =
        URL_SAFE_NO_PAD.encode(ring::digest::digest(&ring::digest::SHA256, sent["code_verifier"].as_bytes()));
    if challenge != asked["code_challenge"] || sent["redirect_uri"] != asked["redirect_uri"] {
        return (StatusCode::BAD_REQUEST, Json(json!({ "error": "invalid_grant" }))).into_response();
    }
    let mut answer = json!({ "access_token": "a", "token_type": "Bearer", "expires_in": 60 });
    if let Some(id_token) = id_token(&provider, &asked["nonce"]) {
        answer["id_token"] = id_token.into();
    }
    Json(answer).into_response()
}

fn id_token(provider: &Provider, nonce: &str) -> Option<String> {
    let fault = *provider.fault.lock().unwrap();
    let now = sample::NOW.as_ms() / 1_000;
    let mut claims = json!({
        "iss": provider.issuer, "sub": "248289761001", "aud": CLIENT, "exp": now + 300, "iat": now, "nonce": nonce,
        "preferred_username": "佐藤 花子", "realm_access": { "roles": ["offline", "noc-night"] }, "branches": "a b",
    });
    for (name, value) in provider.claims.lock().unwrap().as_object().unwrap() {
        claims[name] = value.clone();
    }
    let mut header = json!({ "alg": "ES256", "kid": "1", "typ": "JWT" });
    match fault {
        Fault::None | Fault::ForeignKey => {}
        Fault::NoSignature => header = json!({ "alg": "none" }),
        Fault::OtherAudience => claims["aud"] = "other".into(),
        Fault::OtherIssuer => claims["iss"] = "https://evil.example".into(),
        Fault::OtherNonce => claims["nonce"] = "other".into(),
        Fault::Expired => claims["exp"] = (now - 60).into(),
        Fault::OfTomorrow => {
            claims["iat"] = (now + 86_400).into();
            claims["exp"] = (now + 86_700).into();
        }
        Fault::NoGroups => claims["realm_access"] = json!({}),
        Fault::ReservedName => claims["preferred_username"] = "detector".into(),
        Fault::NoToken => return None,
    }
    let key = if fault == Fault::ForeignKey { &provider.foreign } else { &provider.key };
    let token = sign(key, &header, &claims);
    // An unsigned token has an empty third part.
    Some(if fault == Fault::NoSignature { format!("{}.", token.rsplit_once('.').unwrap().0) } else { token })
}

async fn server(provider: &Provider) -> Server {
    reading(provider, "realm_access.roles").await
}

/// A server that finds the groups in this claim.
async fn reading(provider: &Provider, groups_claim: &str) -> Server {
    let oidc = OidcSettings {
        issuer: provider.issuer.clone(),
        client_id: CLIENT.into(),
        client_secret: Some(SECRET.into()),
        scopes: vec!["profile".into()],
        name_claim: "preferred_username".into(),
        audiences: vec!["listed".into()],
        groups_claim: groups_claim.into(),
        branches_claim: "branches".into(),
        separator: Separator::None,
        roles: RoleMap(vec![
            (Role::Noc, vec!["noc-night".into()]),
            (Role::Branch, vec!["branch staff".into()]),
            (Role::Admin, vec!["admin".into()]),
        ]),
        recheck: Duration::from_secs(3_600),
        ca_pem: None,
    };
    guarded(AccessSettings { mode: Mode::Oidc(Box::new(oidc)), ..AccessSettings::default() }).await
}

/// Begins a login: the answer that leads to the provider.
async fn begin(server: &Server) -> Answer {
    let answer = ask(server.address, "GET", "/login/start?next=%2Fgates", &[HOST, HTML]).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    answer
}

#[tokio::test]
async fn a_person_logs_in_at_the_provider() {
    let provider = Provider::start().await;
    let server = server(&provider).await;
    let page = ask(server.address, "GET", "/login?next=%2Fgates&lang=en", &[HOST, HTML]).await;
    assert!(page.body.contains("href=\"/login/start?next=%2Fgates&amp;lang=en\""), "{}", page.body);
    let led = begin(&server).await;
    let flow = cookie(&led);
    assert!(led.header("set-cookie").contains("Max-Age=600"));
    let back = provider.authorize(led.header("location"));
    let address: SocketAddr = server.address;
    let answer = ask(address, "GET", &back, &[HOST, HTML, ("Cookie", &flow)]).await;
    assert_eq!((answer.status, answer.header("location")), (303, "/gates"), "{}", answer.body);
    let session = cookie(&answer);
    let page = look(&server, "/account?lang=en", &session).await;
    assert!(page.body.contains("佐藤 花子") && page.body.contains("NOC"), "{}", page.body);
    let deeds = server.store.deeds(10).await.unwrap();
    assert!(deeds[0].what == "login" && deeds[0].detail.contains("248289761001"), "{deeds:?}");

    // The code is used up, and the answer is of no use a second time or to another browser.
    for headers in [&[HOST, HTML, ("Cookie", &*flow)][..], &[HOST, HTML]] {
        let again = ask(address, "GET", &back, headers).await;
        assert_eq!((again.status, again.header("set-cookie")), (401, ""), "{}", again.body);
    }
    server.stop().await;
}

#[tokio::test]
async fn what_does_not_belong_together_does_not_log_in() {
    let provider = Provider::start().await;
    let server = server(&provider).await;
    let (mine, theirs) = (begin(&server).await, begin(&server).await);
    let (back, other) = (provider.authorize(mine.header("location")), provider.authorize(theirs.header("location")));
    let flow = cookie(&mine);
    let code = other.split_once("code=").unwrap().1.split('&').next().unwrap();
    let state = back.split_once("state=").unwrap().1;
    for (path, told) in [
        // Another login's answer: the attacker's own, planted in this browser.
        (other.clone(), "start again"),
        // The attacker's code under this login's state: PKCE does not fit.
        (format!("/login/callback?code={code}&state={state}"), "has refused"),
        (format!("/login/callback?code={code}"), "start again"),
        (format!("{back}&iss=https%3A%2F%2Fevil.example"), "cannot be trusted"),
        (format!("/login/callback?error=access_denied&state={state}"), "has refused"),
        ("/login/callback".to_owned(), "start again"),
    ] {
        let path = format!("{path}{}lang=en", if path.contains('?') { '&' } else { '?' });
        let answer = ask(server.address, "GET", &path, &[HOST, HTML, ("Cookie", &flow)]).await;
        assert_eq!((answer.status, answer.header("set-cookie")), (401, ""), "{path}: {}", answer.body);
        assert!(answer.body.contains(told), "{path}: {}", answer.body);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_token_that_does_not_hold_is_refused() {
    let provider = Provider::start().await;
    let server = server(&provider).await;
    for fault in [
        Fault::ForeignKey,
        Fault::NoSignature,
        Fault::OtherAudience,
        Fault::OtherIssuer,
        Fault::OtherNonce,
        Fault::Expired,
        Fault::OfTomorrow,
        Fault::NoGroups,
        Fault::ReservedName,
        Fault::NoToken,
        Fault::None,
    ] {
        provider.break_by(fault);
        let led = begin(&server).await;
        let back = provider.authorize(led.header("location"));
        let answer = ask(server.address, "GET", &back, &[HOST, HTML, ("Cookie", &cookie(&led))]).await;
        let expected = if fault == Fault::None { 303 } else { 401 };
        assert_eq!(answer.status, expected, "{fault:?}: {}", answer.body);
        assert_eq!(answer.header("set-cookie").is_empty(), fault != Fault::None, "{fault:?}");
    }
    server.stop().await;
}

/// Logs in with these claims; the answer, and the role that came of it.
async fn with(provider: &Provider, server: &Server, claims: Value) -> (Answer, Option<String>) {
    provider.claim(claims);
    let led = begin(server).await;
    let back = format!("{}&lang=en", provider.authorize(led.header("location")));
    let answer = ask(server.address, "GET", &back, &[HOST, HTML, ("Cookie", &cookie(&led))]).await;
    if answer.status != 303 {
        assert_eq!((answer.status, answer.header("set-cookie")), (401, ""));
        return (answer, None);
    }
    let page = look(server, "/account?lang=en", &cookie(&answer)).await.body;
    let role = page.split("<dt>Role</dt><dd>").nth(1).and_then(|rest| rest.split('<').next());
    (answer, role.map(str::to_owned))
}

#[tokio::test]
async fn a_group_is_the_whole_text_and_nothing_of_it() {
    let provider = Provider::start().await;
    let server = reading(&provider, "groups").await;
    for (groups, role) in [
        (json!("noc-night"), Some("NOC")),
        (json!("branch staff"), Some("Branch")),
        (json!([" branch staff "]), Some("Branch")),
        (json!(["helpdesk admin", "noc-night"]), Some("NOC")),
        (json!("helpdesk admin"), None),
        (json!("not,admin"), None),
        (json!("admin noc-night"), None),
        (json!(["helpdesk admin"]), None),
        (json!("admin\tx"), None),
        (json!("Admin"), None),
        (json!([["admin"]]), None),
        (json!([{ "admin": "admin" }]), None),
        (json!("*"), None),
    ] {
        let (answer, got) = with(&provider, &server, json!({ "groups": groups })).await;
        assert_eq!(got.as_deref(), role, "{groups}: {}", answer.body);
        assert!(role.is_some() || answer.body.contains("have no role"), "{groups}: {}", answer.body);
    }
    for groups in [json!({ "admin": "admin" }), json!(7), json!(true)] {
        let (answer, _) = with(&provider, &server, json!({ "groups": groups })).await;
        assert!(answer.body.contains("in a readable form"), "{groups}: {}", answer.body);
    }
    let both = json!({ "groups": "branch staff", "branches": "sapporo 03, otaru" });
    let (answer, _) = with(&provider, &server, both).await;
    let page = look(&server, "/account?lang=en", &cookie(&answer)).await.body;
    assert!(page.contains("<dt>Branches</dt><dd><bdi>sapporo 03, otaru</bdi></dd>"), "one branch: {page}");
    server.stop().await;
}

#[tokio::test]
async fn groups_that_did_not_come_are_told_from_groups_without_a_role() {
    let provider = Provider::start().await;
    let server = reading(&provider, "groups").await;
    let overage =
        json!({ "_claim_names": { "groups": "src1" }, "_claim_sources": { "src1": { "endpoint": "https://x" } } });
    for (claims, told) in [
        (json!({}), "did not give your groups"),
        (json!({ "groups": null }), "did not give your groups"),
        (overage, "in so many groups"),
        (json!({ "hasgroups": true }), "in so many groups"),
        (json!({ "groups": [] }), "have no role"),
    ] {
        let (answer, role) = with(&provider, &server, claims.clone()).await;
        assert!(role.is_none() && answer.body.contains(told), "{claims}: {}", answer.body);
    }
    server.stop().await;
}

#[tokio::test]
async fn further_audiences_and_claims_nobody_asked_for_do_not_matter() {
    let provider = Provider::start().await;
    let server = server(&provider).await;
    for (claims, told) in [
        (json!({ "aud": ["3381", CLIENT, "9911"], "azp": CLIENT }), None),
        (json!({ "aud": [CLIENT, "listed"] }), None),
        (json!({ "aud": [CLIENT, "other"], "azp": "other" }), Some("for another application")),
        (json!({ "aud": [CLIENT, "other"] }), Some("for another application")),
        (json!({ "aud": ["other"], "azp": CLIENT }), Some("for another application")),
        (
            json!({ "iat": sample::NOW.as_ms() / 1_000 + 86_400, "exp": sample::NOW.as_ms() / 1_000 + 90_000 }),
            Some("The clocks"),
        ),
        (json!({ "email_verified": "true" }), None),
        (json!({ "updated_at": "2026-01-01T00:00:00Z" }), None),
        (json!({ "amr": "pwd" }), None),
        (
            json!({ "address": "Tokyo", "auth_time": "now", "acr": 1, "locale": ["ja"], "picture": {}, "email": false }),
            None,
        ),
        (json!({ "preferred_username": 7 }), Some("without a name")),
    ] {
        let (answer, role) = with(&provider, &server, claims.clone()).await;
        assert_eq!(role.is_some(), told.is_none(), "{claims}: {}", answer.body);
        assert!(told.is_none_or(|told| answer.body.contains(told)), "{claims}: {}", answer.body);
    }
    server.stop().await;
}

#[tokio::test]
async fn the_provider_is_asked_again_who_somebody_is() {
    let provider = Provider::start().await;
    let server = server(&provider).await;
    let minute = 60_000;
    let session = |begun: i64| super::session_begun(&server, Role::Noc, begun);
    assert_eq!(look(&server, "/gates", &session(59 * minute).await).await.status, 200);
    let over = session(60 * minute).await;
    let led = look(&server, "/gates", &over).await;
    assert_eq!(
        (led.status, led.header("location")),
        (303, "/login/start?next=%2Fgates"),
        "through the provider at once"
    );
    assert_eq!(
        look(&server, "/gates", "").await.header("location"),
        "/login?next=%2Fgates",
        "whoever was not there is asked"
    );
    let program = ask(server.address, "GET", "/api/v1/devices", &[HOST, ("Cookie", &over)]).await;
    assert_eq!(program.status, 401);
    server.stop().await;
}

#[tokio::test]
async fn a_provider_that_is_away_is_told() {
    let oidc = OidcSettings {
        // Nobody listens there: port 1 needs root.
        issuer: "http://127.0.0.1:1/realms/noc".into(),
        client_id: CLIENT.into(),
        client_secret: None,
        scopes: Vec::new(),
        name_claim: "sub".into(),
        audiences: Vec::new(),
        groups_claim: "groups".into(),
        branches_claim: "branches".into(),
        separator: Separator::None,
        roles: RoleMap::default(),
        recheck: Duration::from_secs(3_600),
        ca_pem: None,
    };
    let server = guarded(AccessSettings { mode: Mode::Oidc(Box::new(oidc)), ..AccessSettings::default() }).await;
    let answer = ask(server.address, "GET", "/login/start?lang=en", &[HOST, HTML]).await;
    assert!(answer.status == 401 && answer.body.contains("cannot be reached"), "{}", answer.body);
    server.stop().await;
}
