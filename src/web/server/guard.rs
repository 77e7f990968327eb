//! What stands between the network and the routes.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::problem::Problem;

/// A page may load this listener's style sheet, script and icon, listen to its events, send its forms back here, and nothing else.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const HEADERS: [(HeaderName, &str); 6] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    // Not "no-referrer": with that a browser hides from us, too, where our own form comes from.
    (REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// Under which names the listener may be asked.
///
/// A listener on loopback has no password, because only this machine can reach it. But a foreign page in a browser on this
/// machine can, when its name is made to resolve to 127.0.0.1 (DNS rebinding): its requests carry its own name in `Host`.
#[derive(Clone, Debug)]
pub struct HostPolicy {
    /// `None`: every name.
    names: Option<Vec<String>>,
}

impl HostPolicy {
    /// The policy of a listener on `address`: loopback names and `allowed` on a loopback address; `allowed` elsewhere, or
    /// every name when there are none.
    pub fn new(address: SocketAddr, allowed: &[String]) -> Self {
        if !address.ip().is_loopback() && allowed.is_empty() {
            return Self { names: None };
        }
        let mut names: Vec<String> = allowed.iter().map(|name| name.to_ascii_lowercase()).collect();
        names.push("localhost".to_owned());
        Self { names: Some(names) }
    }

    /// Whether a `Host` header (`name` or `name:port`) may be answered.
    pub fn allows(&self, host: &str) -> bool {
        let Some(names) = &self.names else { return true };
        is_loopback_address(host) || names.contains(&name_of(host).to_ascii_lowercase())
    }
}

/// Whether a `Host` header names this machine as only itself can reach it.
pub(in crate::web) fn is_loopback_name(host: &str) -> bool {
    name_of(host).eq_ignore_ascii_case("localhost") || is_loopback_address(host)
}

fn is_loopback_address(host: &str) -> bool {
    let literal = name_of(host).trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    literal.is_ok_and(|ip| ip.is_loopback())
}

/// The name without its port. An IPv6 address keeps its brackets.
fn name_of(host: &str) -> &str {
    let name_end = host.find(']').map_or(0, |bracket| bracket + 1);
    match host[name_end..].find(':') {
        Some(colon) => &host[..name_end + colon],
        None => host,
    }
}

/// What is answered under every name: balancers and orchestrators ask by address, or under a name of their own. For the metrics it is
/// decided later by who asks; but no page gets them under a foreign name.
fn is_asked_by_machines(request: &Request) -> bool {
    let by_page = ["sec-fetch-site", "origin", "cookie"].iter().any(|name| request.headers().contains_key(*name));
    match request.uri().path() {
        "/livez" | "/readyz" => true,
        "/metrics" => !by_page,
        _ => false,
    }
}

pub(in crate::web) async fn check_host(
    State(policy): State<Arc<HostPolicy>>,
    request: Request,
    next: Next,
) -> Response {
    if is_asked_by_machines(&request) {
        return next.run(request).await;
    }
    let host = request.headers().get(HOST).and_then(|value| value.to_str().ok());
    // A request with an absolute target names its host there.
    match request.uri().host().or(host) {
        None => Problem::bad_request("the request has no Host header").into_response(),
        Some(host) if policy.allows(host) => next.run(request).await,
        Some(_) => Problem::new(
            StatusCode::MISDIRECTED_REQUEST,
            "this listener does not answer under that name: it has to be that of http.public_url, or one of http.allowed_hosts",
        )
        .into_response(),
    }
}

/// Whether a browser says that the request comes from a page of this listener. `Sec-Fetch-Site` cannot be set by a page;
/// browsers leave it out where they do not trust the connection, and then `Origin` has to name this host.
pub(in crate::web) fn comes_from_here(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => {
            let named = origin.split_once("://").map(|(_, host)| host);
            named.is_some() && named == text(HOST.as_str())
        }
        (None, None) => false,
    }
}

/// The same, or no browser at all: a program says neither.
pub(in crate::web) fn may_come_from_here(headers: &HeaderMap) -> bool {
    let browser = headers.contains_key("sec-fetch-site") || headers.contains_key("origin");
    !browser || comes_from_here(headers)
}

pub(in crate::web) async fn limit_time(State(limit): State<Duration>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the answer took too long").into_response(),
    }
}

/// `encrypted`: browsers reach the listener over HTTPS, and are to do so for a year whatever link they follow.
pub(in crate::web) async fn set_headers(State(encrypted): State<bool>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    if encrypted {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loopback_listener_answers_under_loopback_names_only() {
        let policy = HostPolicy::new("127.0.0.1:9090".parse().unwrap(), &["noc.example.jp".to_owned()]);
        for good in ["127.0.0.1:9090", "localhost", "LOCALHOST:1", "[::1]:9090", "[::1]", "127.9.9.9", "NOC.example.jp"]
        {
            assert!(policy.allows(good), "{good}");
        }
        for bad in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1:9090", "", "[::2]"] {
            assert!(!policy.allows(bad), "{bad}");
        }
    }

    #[test]
    fn only_this_listeners_own_page_may_send_a_form() {
        let headers = |pairs: &[(&'static str, &'static str)]| -> HeaderMap {
            let named =
                pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
            named.collect()
        };
        let own = ("host", "127.0.0.1:8080");
        for (pairs, form, api) in [
            (vec![own], false, true),
            (vec![own, ("sec-fetch-site", "same-origin")], true, true),
            (vec![own, ("sec-fetch-site", "same-origin"), ("origin", "null")], true, true),
            (vec![own, ("sec-fetch-site", "cross-site"), ("origin", "http://127.0.0.1:8080")], false, false),
            (vec![own, ("sec-fetch-site", "same-site")], false, false),
            (vec![own, ("sec-fetch-site", "none")], false, false),
            (vec![own, ("origin", "http://127.0.0.1:8080")], true, true),
            (vec![own, ("origin", "http://127.0.0.1:9999")], false, false),
            (vec![own, ("origin", "http://evil.example")], false, false),
            (vec![own, ("origin", "null")], false, false),
            (vec![("origin", "http://127.0.0.1:8080")], false, false),
        ] {
            let headers = headers(&pairs);
            assert_eq!((comes_from_here(&headers), may_come_from_here(&headers)), (form, api), "{pairs:?}");
        }
    }

    #[test]
    fn elsewhere_every_name_is_answered_unless_names_are_given() {
        let open = HostPolicy::new("0.0.0.0:80".parse().unwrap(), &[]);
        assert!(open.allows("anything"));
        let named = HostPolicy::new("0.0.0.0:80".parse().unwrap(), &["noc.example.jp".to_owned()]);
        assert!(named.allows("noc.example.jp:80"));
        assert!(!named.allows("anything"));
    }
}
