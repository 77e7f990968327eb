//! Logging in at an OpenID provider: authorization code with PKCE, state and nonce.
//!
//! What a login needs until it comes back (state, nonce, PKCE verifier) travels in a cookie of the browser that began it, ten
//! minutes long: nothing is kept here, so nobody can fill anything by beginning logins, and a restart in between does no harm. The provider's
//! description and keys are fetched when first needed and kept for an hour; a signature by an unknown key fetches them once more.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreIdToken, CoreJwsSigningAlgorithm as Alg, CoreProviderMetadata,
};
use openidconnect::{
    AsyncHttpClient, AuthorizationCode, ClaimsVerificationError, ClientId, ClientSecret, CsrfToken, HttpRequest,
    HttpResponse, IssuerUrl, Nonce, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope, TokenResponse as _,
    http as oidc_http,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;
use tokio::sync::Mutex;

use super::RoleMap;
use crate::engine::time::Timestamp;

/// How long the provider may take over one answer.
const PATIENCE: Duration = Duration::from_secs(8);

/// Largest answer of the provider in bytes; key sets are some kilobytes.
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// How long the provider's description is kept.
const METADATA_MS: i64 = 3_600_000;

/// Signatures that count: only such as need the provider's private key.
const ALGORITHMS: [Alg; 9] = [
    Alg::RsaSsaPkcs1V15Sha256,
    Alg::RsaSsaPkcs1V15Sha384,
    Alg::RsaSsaPkcs1V15Sha512,
    Alg::RsaSsaPssSha256,
    Alg::RsaSsaPssSha384,
    Alg::RsaSsaPssSha512,
    Alg::EcdsaP256Sha256,
    Alg::EcdsaP384Sha384,
    Alg::EdDsa,
];

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
    /// Claim with the groups or roles; a path with dots reaches into objects.
    pub groups_claim: String,
    /// Claim with the branches of a person with the role `branch`.
    pub branches_claim: String,
    /// Which role the groups mean.
    pub roles: RoleMap,
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
    Token(String),
    #[error("the provider's token has no claim {0:?} with a name that can stand in a record (access.oidc.name_claim)")]
    Name(String),
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
pub(in crate::http) struct Returned {
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
    pub(super) role: crate::record::access::Role,
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
        let mut http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(PATIENCE);
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
            return Err(OidcError::Token("the answer is of another issuer".to_owned()));
        }
        if let Some(error) = returned.error {
            // Closed words of the standard; anything else is not repeated.
            let word = error.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            return Err(OidcError::Refused(if word { error } else { "an error".to_owned() }));
        }
        let metadata = self.metadata(now, false).await?;
        let token = self.exchange(metadata.clone(), returned.code, flow.verifier, flow.redirect).await?;
        let nonce = Nonce::new(flow.nonce);
        match self.verify(metadata, &token, &nonce) {
            Ok(()) => {}
            // The keys may have been changed since.
            Err(ClaimsVerificationError::SignatureVerification(_)) => {
                let metadata = self.metadata(now, true).await?;
                self.verify(metadata, &token, &nonce).map_err(|error| OidcError::Token(error.to_string()))?;
            }
            Err(error) => return Err(OidcError::Token(error.to_string())),
        }
        self.identity(&token, flow.next)
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

    /// Changes the code for an ID token.
    async fn exchange(
        &self,
        metadata: CoreProviderMetadata,
        code: String,
        verifier: String,
        redirect: String,
    ) -> Result<CoreIdToken, OidcError> {
        let provider = |error: &dyn std::error::Error| OidcError::Provider(chain(error));
        let redirect = RedirectUrl::new(redirect).map_err(|_| OidcError::Flow)?;
        let client = CoreClient::from_provider_metadata(metadata, self.client_id(), self.secret());
        let client = client.set_redirect_uri(redirect);
        let request = client.exchange_code(AuthorizationCode::new(code)).map_err(|error| provider(&error))?;
        let request = request.set_pkce_verifier(PkceCodeVerifier::new(verifier));
        let answer = Box::pin(request.request_async(&self.http)).await.map_err(|error| provider(&error))?;
        answer.id_token().cloned().ok_or_else(|| OidcError::Token("there is none in the answer".to_owned()))
    }

    /// Checks signature, issuer, audience, times and nonce.
    fn verify(
        &self,
        metadata: CoreProviderMetadata,
        token: &CoreIdToken,
        nonce: &Nonce,
    ) -> Result<(), ClaimsVerificationError> {
        let client = CoreClient::from_provider_metadata(metadata, self.client_id(), self.secret());
        let verifier = client.id_token_verifier().set_allowed_algs(ALGORITHMS);
        token.claims(&verifier, nonce).map(drop)
    }

    /// What the claims of a verified token say.
    fn identity(&self, token: &CoreIdToken, next: String) -> Result<Identity, OidcError> {
        let settings = &self.settings;
        let text = token.to_string();
        let payload = text.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
        let claims: Option<Value> = payload.and_then(|payload| serde_json::from_slice(&payload).ok());
        let claims = claims.ok_or_else(|| OidcError::Token("its claims cannot be read".to_owned()))?;
        let name = claim(&claims, &settings.name_claim).and_then(Value::as_str).map(str::trim);
        let name = name.filter(|name| crate::record::access::check_name(name).is_ok());
        let name = name.ok_or_else(|| OidcError::Name(settings.name_claim.clone()))?.to_owned();
        let role = settings.roles.role_of(&words(claim(&claims, &settings.groups_claim)));
        let role = role.ok_or_else(|| OidcError::Role(name.clone()))?;
        let subject = claims.get("sub").and_then(Value::as_str).unwrap_or_default().to_owned();
        let branches = words(claim(&claims, &settings.branches_claim));
        Ok(Identity { name, subject, role, branches, next })
    }
}

/// The claim of this name, or where the path with dots leads (`realm_access.roles`).
fn claim<'a>(claims: &'a Value, name: &str) -> Option<&'a Value> {
    claims.get(name).or_else(|| name.split('.').try_fold(claims, |value, part| value.get(part)))
}

/// A claim as words: a list of texts, or one text with words between spaces or commas.
fn words(claim: Option<&Value>) -> Vec<String> {
    match claim {
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Some(Value::String(text)) => {
            text.split([' ', ',']).filter(|word| !word.is_empty()).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
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
    let mut response = request.send().await?;
    let mut answer = oidc_http::Response::builder().status(response.status());
    for (name, value) in response.headers() {
        answer = answer.header(name, value);
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > MAX_ANSWER_BYTES {
            return Err(AskError::Long);
        }
    }
    Ok(answer.body(bytes)?)
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn claims_are_found_by_name_and_by_path() {
        let claims = json!({
            "groups": ["a", 7, "b"],
            "realm_access": { "roles": ["noc"] },
            "https://x.example/roles": "one two,three",
        });
        for (name, expected) in [
            ("groups", vec!["a", "b"]),
            ("realm_access.roles", vec!["noc"]),
            ("https://x.example/roles", vec!["one", "two", "three"]),
            ("realm_access.nothing", vec![]),
            ("groups.0", vec![]),
        ] {
            assert_eq!(words(claim(&claims, name)), expected, "{name}");
        }
    }
}
