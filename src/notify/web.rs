//! What all channels over HTTP share: the client, how an answer is judged, and how patient the receiver asks us to be.
//!
//! Certificates are checked against the machine's authorities and, where one is named, a file of further ones. Redirects are not
//! followed: a message, its signature or a token would go where nobody has said it may. An address may be a secret itself (chat
//! webhooks), so no error repeats it.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Certificate, Client, RequestBuilder, Response, StatusCode, Url, redirect};
use tokio_rustls::rustls::crypto::ring;

use super::channel::{Refusal, SetupError, one_line};
use crate::engine::time::Timestamp;

/// Largest part of an answer that is read, in bytes.
const MAX_ANSWER: usize = 256 * 1024;

/// How a receiver is reached.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Access {
    /// PEM file with authorities beside the machine's.
    pub ca_file: Option<PathBuf>,
    /// Longest wait for an answer.
    pub timeout: Duration,
}

/// An answer with a good status.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// An address of `http` or `https`, without user and password in it.
///
/// # Errors
/// When it is none. The text is not repeated.
pub fn address(what: &'static str, text: &str) -> Result<Url, SetupError> {
    let refused = |detail: &str| SetupError::Setting { what, detail: detail.to_owned() };
    let url = Url::parse(text.trim()).map_err(|error| refused(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(refused("it must begin with https:// or http://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused("it must not carry a user name or a password"));
    }
    Ok(url)
}

/// `base` with `path` after it, whatever slash `base` ends in.
pub fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    let joined = format!("{}/{}", base.path().trim_end_matches('/'), path.trim_start_matches('/'));
    url.set_path(&joined);
    url
}

/// Whether the address is on this machine.
pub fn is_local(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// A client for this address.
///
/// # Errors
/// When the file of authorities cannot be used, or TLS cannot be set up.
pub fn client(url: &Url, access: &Access) -> Result<Client, SetupError> {
    // One provider for the whole process; whoever came first has installed the same one.
    let _ = ring::default_provider().install_default();
    let mut builder = Client::builder()
        .user_agent(concat!("fleetwatch/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .connect_timeout(access.timeout.min(Duration::from_secs(10)))
        .timeout(access.timeout);
    if is_local(url) {
        // A proxy for the way out would look for it on its own machine.
        builder = builder.no_proxy();
    }
    builder = match &access.ca_file {
        Some(path) => builder.tls_certs_merge(authorities(path)?),
        // Without TLS nothing is asked of the machine's authorities, which may be none.
        None if url.scheme() == "http" => builder.tls_certs_only([]),
        None => builder,
    };
    builder.build().map_err(|error| SetupError::Setting { what: "TLS", detail: causes(&error) })
}

/// The certificates in a PEM file.
///
/// # Errors
/// When it cannot be read or holds none.
pub fn authorities(path: &Path) -> Result<Vec<Certificate>, SetupError> {
    let refused = |detail: String| SetupError::File { what: "authorities", path: path.to_owned(), detail };
    let pem = std::fs::read(path).map_err(|error| refused(error.to_string()))?;
    let found = Certificate::from_pem_bundle(&pem).map_err(|error| refused(causes(&error)))?;
    if found.is_empty() { Err(refused("there is no certificate in it".into())) } else { Ok(found) }
}

/// Sends a request and judges the answer.
///
/// # Errors
/// When there was none, or its status says that it was not taken. `now` is for a `Retry-After` that names an instant.
pub async fn send(request: RequestBuilder, now: Timestamp) -> Result<Answer, Refusal> {
    let response = request.send().await.map_err(|error| Refusal::later(causes(&error.without_url())))?;
    let (status, headers) = (response.status(), response.headers().clone());
    let body = read(response).await?;
    if status.is_success() { Ok(Answer { status, headers, body }) } else { Err(judged(status, &headers, &body, now)) }
}

/// Statuses that speak of the message itself (RFC 9110 section 15.5, RFC 6585): it would be refused again in an hour.
/// Everything else is mended by time or by people: a token, an address, a proxy, a room.
const UNFIT: &[StatusCode] = &[
    StatusCode::BAD_REQUEST,
    StatusCode::PAYLOAD_TOO_LARGE,
    StatusCode::URI_TOO_LONG,
    StatusCode::UNSUPPORTED_MEDIA_TYPE,
    StatusCode::UNPROCESSABLE_ENTITY,
    StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
];

/// What a status that is no success means.
pub fn judged(status: StatusCode, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Refusal {
    if status.is_redirection() {
        return Refusal::later(format!(
            "answered {status}: redirects are not followed, configure the address it leads to"
        ));
    }
    let said = one_line(&String::from_utf8_lossy(&body[..body.len().min(2_048)]));
    let error =
        one_line(&if said.is_empty() { format!("answered {status}") } else { format!("answered {status}: {said}") });
    if UNFIT.contains(&status) {
        Refusal::Never { error }
    } else {
        Refusal::Later { error, after: patience(headers, now) }
    }
}

/// `Retry-After`, in seconds or as an instant.
pub fn patience(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp().as_millisecond();
    let ms = Timestamp::from_ms(at).since_ms(now);
    Some(Duration::from_millis(u64::try_from(ms).unwrap_or(0)))
}

async fn read(mut response: Response) -> Result<Vec<u8>, Refusal> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| Refusal::later(causes(&error.without_url())))? {
        let room = MAX_ANSWER - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if body.len() == MAX_ANSWER {
            break;
        }
    }
    Ok(body)
}

/// An error with what caused it: the outer text alone ("error sending request") helps nobody.
pub fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_795_305_600_000);

    fn headers(retry_after: &str) -> HeaderMap {
        HeaderMap::from_iter([(RETRY_AFTER, retry_after.parse().unwrap())])
    }

    #[test]
    fn only_what_is_wrong_with_the_message_itself_is_for_good() {
        let for_good = [400, 413, 414, 415, 422, 431];
        for status in (100..=999).filter(|status| !(200..300).contains(status)) {
            let refusal = judged(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), b"why\n", NOW);
            assert_eq!(matches!(refusal, Refusal::Never { .. }), for_good.contains(&status), "{status}: {refusal:?}");
            assert!(refusal.error().contains(&status.to_string()), "{refusal:?}");
        }
        let refusal = judged(StatusCode::BAD_REQUEST, &HeaderMap::new(), b"no such\nroom", NOW);
        assert_eq!(refusal.error(), "answered 400 Bad Request: no such room");
    }

    #[test]
    fn patience_is_read_as_seconds_and_as_an_instant() {
        assert_eq!(patience(&headers("120"), NOW), Some(Duration::from_secs(120)));
        // NOW is 2026-11-22 00:00:00 UTC.
        assert_eq!(patience(&headers("Sun, 22 Nov 2026 00:01:30 GMT"), NOW), Some(Duration::from_secs(90)));
        assert_eq!(patience(&headers("Sat, 21 Nov 2026 00:00:00 GMT"), NOW), Some(Duration::ZERO));
        assert_eq!(patience(&headers("soon"), NOW), None);
        assert_eq!(patience(&HeaderMap::new(), NOW), None);
    }

    #[test]
    fn addresses_are_of_the_web_and_carry_no_password() {
        let of = |text| address("url", text);
        assert!(of("https://a.example/x").is_ok() && of("http://127.0.0.1:9093").is_ok());
        for bad in ["", "a.example", "ftp://a.example", "file:///etc/passwd", "https://u:hunter2@a.example/"] {
            let error = of(bad).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
        assert_eq!(below(&of("http://a.example/am/").unwrap(), "/api/v2").as_str(), "http://a.example/am/api/v2");
        assert_eq!(below(&of("http://a.example").unwrap(), "api").as_str(), "http://a.example/api");
    }

    #[test]
    fn this_machine_is_known_by_all_its_names() {
        let local = |text| is_local(&address("url", text).unwrap());
        assert!(local("http://localhost:1") && local("http://127.9.9.9") && local("http://[::1]:5"));
        assert!(!local("http://localhost.example") && !local("https://10.0.0.1"));
    }
}
