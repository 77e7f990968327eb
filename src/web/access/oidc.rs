//! Logging in at an OpenID provider: authorization code with PKCE, state and nonce.
//!
//! What a login needs until it comes back (state, nonce, PKCE verifier) travels in a cookie of the browser that began it, ten
//! minutes long: nothing is kept here, so nobody can fill anything by beginning logins, and a restart in between does no harm. The provider's
//! description and keys are fetched when first needed and kept for an hour; a signature by an unknown key fetches them once more.

//!
//! | module | what it owns |
//! |---|---|
//! | `claims` | what the claims say: groups, branches |
//! | `token` | whether an ID token holds |

mod claims;
mod token;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::core::{CoreAuthenticationFlow, CoreClient, CoreClientAuthMethod, CoreProviderMetadata};
use openidconnect::{
    AsyncHttpClient, ClientId, ClientSecret, CsrfToken, HttpRequest, HttpResponse, IssuerUrl, Nonce, PkceCodeChallenge,
    RedirectUrl, Scope, http as oidc_http,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;
use tokio::sync::Mutex;
use url::form_urlencoded::byte_serialize;

use self::token::Expected;
pub use self::token::TokenError;
use super::RoleMap;
use crate::engine::time::Timestamp;
use crate::record::access::{Role, Separator, check_name};

/// How long the provider may take over one answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(8);

/// Largest answer of the provider in bytes; key sets are some kilobytes.
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// How long the provider's description is kept.
const METADATA_MS: i64 = 3_600_000;

/// The provider, and what its claims mean.
#[derive(Clone)]
pub struct OidcSettings {
    /// Issuer, letter by letter as the provider says it.
    pub issuer: String,
    pub client_id: String,
    /// `None`: a public client, which PKCE alone protects.
    pub client_secret: Option<String>,
    /// Scopes beside `openid`.
    pub scopes: Vec<String>,
    /// Claim with the name that stands in the record.
    pub name_claim: String,
    /// Further audiences that may stand beside our id in a token.
    pub audiences: Vec<String>,
    /// Claim with the groups or roles; a path with dots reaches into objects.
    pub groups_claim: String,
    /// Claim with the branches of a person with the role `branch`.
    pub branches_claim: String,
    /// What stands between the groups, and the branches, of a claim that is one text.
    pub separator: Separator,
    /// Which role the groups mean.
    pub roles: RoleMap,
    /// After so long the provider is asked again who somebody is.
    pub recheck: Duration,
    /// PEM of a private authority that has signed the provider's certificate.
    pub ca_pem: Option<Vec<u8>>,
}

impl fmt::Debug for OidcSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { issuer, client_id, .. } = self;
        f.debug_struct("OidcSettings").field("issuer", issuer).field("client_id", client_id).finish_non_exhaustive()
    }
}

/// Why a login at the provider failed. [`fmt::Display`] is for the log; what the person can do is said beside it.
#[derive(Debug, Error)]
pub enum OidcError {
    #[error("access.oidc: {0}")]
    Settings(String),
    #[error("the OpenID provider cannot be reached or gives no sense: {0}")]
    Provider(String),
    #[error("the login was begun in another browser, too long ago, or not here")]
    Flow,
    #[error("the provider refused: {0}")]
    Refused(String),
    #[error("the provider's token does not hold: {0}")]
    Token(#[from] TokenError),
    #[error(
        "the claim {claim:?} of the provider's token is {is}, not a name that can stand in a record (access.oidc.name_claim)"
    )]
    Name { claim: String, is: &'static str },
    #[error("the claim {claim:?} of the provider's token is {is}, not a text or a list of texts")]
    Claim { claim: String, is: &'static str },
    #[error("{name}: the provider's token has no claim {claim:?} with groups (access.oidc.groups_claim)")]
    NoGroups { name: String, claim: String },
    #[error(
        "{name}: the provider left the groups out of the token (Entra ID does above 200 groups): let it send only the groups that are \
         assigned to this application, or application roles (access.oidc.groups_claim = \"roles\")"
    )]
    LeftOut { name: String },
    #[error("{0}: none of the groups in the claim has a role here (access.roles)")]
    Role(String),
}

/// What a login takes with it to the provider and back.
#[derive(Debug, Serialize, Deserialize)]
struct Flow {
    state: String,
    nonce: String,
    verifier: String,
    redirect: String,
    next: String,
}

/// What the provider sends back in the address.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct Returned {
    code: String,
    state: String,
    iss: Option<String>,
    error: Option<String>,
}

/// Who has logged in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) name: String,
    /// The provider's own id of the person.
    pub(super) subject: String,
    pub(super) role: Role,
    pub(super) branches: Vec<String>,
    /// Where the person wanted to go.
    pub(super) next: String,
}

/// Talks with one provider.
pub(super) struct Oidc {
    settings: OidcSettings,
    issuer: IssuerUrl,
    http: Client,
    metadata: Mutex<Option<(CoreProviderMetadata, Timestamp)>>,
}

impl Oidc {
    pub(super) fn new(settings: OidcSettings) -> Result<Self, OidcError> {
        let told = |error: &dyn fmt::Display| OidcError::Settings(error.to_string());
        // Another part of the process may have done it; there is only this one provider of cryptography anyway.
        let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
        let issuer = IssuerUrl::new(settings.issuer.clone()).map_err(|error| told(&error))?;
        // Without redirects: a provider that sends us elsewhere could send us to an address of our own network.
        let mut http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(REQUEST_TIMEOUT);
        if let Some(pem) = &settings.ca_pem {
            let certificates = reqwest::Certificate::from_pem_bundle(pem).map_err(|error| told(&error))?;
            http = http.tls_certs_merge(certificates);
        }
        let http = http.build().map_err(|error| told(&error))?;
        Ok(Self { settings, issuer, http: Client(http), metadata: Mutex::new(None) })
    }

    /// Begins a login that comes back to `redirect` and then leads to `next`: the provider's address, and what the browser
    /// keeps meanwhile.
    pub(super) async fn begin(
        &self,
        redirect: &str,
        next: &str,
        now: Timestamp,
    ) -> Result<(String, String), OidcError> {
        let metadata = self.metadata(now, false).await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let client = CoreClient::from_provider_metadata(metadata, self.client_id(), self.secret());
        let redirect_url = RedirectUrl::new(redirect.to_owned()).map_err(|e| OidcError::Settings(e.to_string()))?;
        let client = client.set_redirect_uri(redirect_url);
        let mut request =
            client.authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random);
        for scope in &self.settings.scopes {
            request = request.add_scope(Scope::new(scope.clone()));
        }
        let (url, state, nonce) = request.set_pkce_challenge(challenge).url();
        let flow = Flow {
            state: state.into_secret(),
            nonce: nonce.secret().clone(),
            verifier: verifier.into_secret(),
            redirect: redirect.to_owned(),
            next: next.to_owned(),
        };
        let flow = serde_json::to_vec(&flow).map_err(|error| OidcError::Settings(error.to_string()))?;
        Ok((url.into(), URL_SAFE_NO_PAD.encode(flow)))
    }

    /// Ends a login: `flow` is what the browser kept.
    pub(super) async fn finish(&self, flow: &str, returned: Returned, now: Timestamp) -> Result<Identity, OidcError> {
        let flow = URL_SAFE_NO_PAD.decode(flow).ok().and_then(|json| serde_json::from_slice::<Flow>(&json).ok());
        let flow = flow.ok_or(OidcError::Flow)?;
        if returned.state.is_empty() || returned.state != flow.state {
            return Err(OidcError::Flow);
        }
        if returned.iss.is_some_and(|iss| iss != self.settings.issuer) {
            return Err(TokenError::Issuer("another one in the answer's address".to_owned()).into());
        }
        if let Some(error) = returned.error {
            return Err(OidcError::Refused(word(&error)));
        }
        let metadata = self.metadata(now, false).await?;
        let token = self.exchange(&metadata, &returned.code, &flow).await?;
        let claims = match token::signed(&token, metadata.jwks()) {
            // The keys may have been changed since.
            Err(TokenError::Signature(_)) => token::signed(&token, self.metadata(now, true).await?.jwks())?,
            other => other?,
        };
        let Self { settings: OidcSettings { issuer, client_id, audiences, .. }, .. } = self;
        let subject = token::check(&claims, &Expected { issuer, client_id, audiences, nonce: &flow.nonce, now })?;
        self.identity(&claims, subject, flow.next)
    }

    fn client_id(&self) -> ClientId {
        ClientId::new(self.settings.client_id.clone())
    }

    fn secret(&self) -> Option<ClientSecret> {
        self.settings.client_secret.clone().map(ClientSecret::new)
    }

    /// The provider's description with its keys.
    async fn metadata(&self, now: Timestamp, anew: bool) -> Result<CoreProviderMetadata, OidcError> {
        let mut kept = self.metadata.lock().await;
        if let Some((metadata, at)) = &*kept
            && !anew
            && now.since_ms(*at) < METADATA_MS
        {
            return Ok(metadata.clone());
        }
        let found = CoreProviderMetadata::discover_async(self.issuer.clone(), &self.http).await;
        let metadata = found.map_err(|error| OidcError::Provider(chain(&error)))?;
        *kept = Some((metadata.clone(), now));
        Ok(metadata)
    }

    /// Changes the code for an ID token (RFC 6749, 4.1.3). Of the answer only that is read: the rest may be of any form.
    async fn exchange(&self, metadata: &CoreProviderMetadata, code: &str, flow: &Flow) -> Result<String, OidcError> {
        let endpoint =
            metadata.token_endpoint().ok_or_else(|| OidcError::Provider("it names no token endpoint".into()))?;
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &*flow.redirect),
            ("code_verifier", &*flow.verifier),
        ];
        let mut request = self.http.0.post(endpoint.as_str()).header("accept", "application/json");
        let client_id = &*self.settings.client_id;
        match &self.settings.client_secret {
            Some(secret) if in_body(metadata) => form.extend([("client_id", client_id), ("client_secret", &**secret)]),
            Some(secret) => {
                let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
                request = request.basic_auth(encoded(client_id), Some(encoded(secret)));
            }
            None => form.push(("client_id", client_id)),
        }
        let provider = |error: &dyn std::error::Error| OidcError::Provider(chain(error));
        let response = request.form(&form).send().await.map_err(|error| provider(&error))?;
        let status = response.status();
        let bytes = bounded(response).await.map_err(|error| provider(&error))?;
        let answer: Option<Map<String, Value>> = serde_json::from_slice(&bytes).ok();
        let text = |name: &str| answer.as_ref().and_then(|answer| answer.get(name)).and_then(Value::as_str);
        match (text("error"), text("id_token")) {
            (Some(error), _) => Err(OidcError::Refused(word(error))),
            (None, Some(token)) if status.is_success() => Ok(token.to_owned()),
            (None, _) if answer.is_some() && status.is_success() => {
                Err(TokenError::Form("there is none in the answer (id_token)".to_owned()).into())
            }
            (None, _) => Err(OidcError::Provider(format!("the token endpoint answered {status}, and no token"))),
        }
    }

    /// What the claims of a token that holds say.
    fn identity(&self, claims: &Map<String, Value>, subject: String, next: String) -> Result<Identity, OidcError> {
        let settings = &self.settings;
        let said = claims::find(claims, &settings.name_claim);
        let name = said.and_then(Value::as_str).map(|name| crate::engine::label::form(name).into_owned());
        let name = name.filter(|name| check_name(name).is_ok());
        let is = said.map_or("missing", claims::kind);
        let name = name.ok_or_else(|| OidcError::Name { claim: settings.name_claim.clone(), is })?;
        let groups = claims::texts(claims, &settings.groups_claim, settings.separator)?;
        let left_out = groups.is_none() && claims::left_out(claims, &settings.groups_claim);
        let role = settings.roles.role_of(groups.as_deref().unwrap_or_default());
        let Some(role) = role else {
            return Err(match groups {
                Some(_) => OidcError::Role(name),
                None if left_out => OidcError::LeftOut { name },
                None => OidcError::NoGroups { name, claim: settings.groups_claim.clone() },
            });
        };
        if left_out {
            tracing::warn!(name, role = role.as_str(), "{}", OidcError::LeftOut { name: name.clone() });
        }
        // Nobody else is bound to branches, so for nobody else it matters what stands there.
        let branches = match role {
            Role::Branch => claims::texts(claims, &settings.branches_claim, settings.separator)?.unwrap_or_default(),
            _ => Vec::new(),
        };
        Ok(Identity { name, subject, role, branches, next })
    }
}

/// Whether the provider takes the client's secret in the form alone.
fn in_body(metadata: &CoreProviderMetadata) -> bool {
    let methods = metadata.token_endpoint_auth_methods_supported();
    methods.is_some_and(|methods| {
        methods.contains(&CoreClientAuthMethod::ClientSecretPost)
            && !methods.contains(&CoreClientAuthMethod::ClientSecretBasic)
    })
}

/// A word of the standard; anything else is not repeated.
fn word(error: &str) -> String {
    let word = error.len() <= 60 && error.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    if word { error.to_owned() } else { "an error".to_owned() }
}

/// Why a request to the provider failed.
#[derive(Debug, Error)]
enum AskError {
    #[error("the request failed")]
    Http(#[from] reqwest::Error),
    #[error("the answer is longer than {MAX_ANSWER_BYTES} bytes")]
    Long,
    #[error("the answer is not HTTP")]
    Form(#[from] oidc_http::Error),
}

/// Sends the requests of the protocol's library, which is made for another version of our HTTP client.
struct Client(reqwest::Client);

impl<'c> AsyncHttpClient<'c> for Client {
    type Error = AskError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, AskError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(ask(&self.0, request))
    }
}

async fn ask(client: &reqwest::Client, request: HttpRequest) -> Result<HttpResponse, AskError> {
    let (parts, body) = request.into_parts();
    let request = client.request(parts.method, parts.uri.to_string()).headers(parts.headers).body(body);
    let response = request.send().await?;
    let mut answer = oidc_http::Response::builder().status(response.status());
    for (name, value) in response.headers() {
        answer = answer.header(name, value);
    }
    Ok(answer.body(bounded(response).await?)?)
}

async fn bounded(mut response: reqwest::Response) -> Result<Vec<u8>, AskError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > MAX_ANSWER_BYTES {
            return Err(AskError::Long);
        }
    }
    Ok(bytes)
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
