//! A request that changes something comes from our own page, or from a program.
//!
//! A session's cookie goes along with every request to this host, so a foreign page could make a browser send one in its user's
//! name. Two things keep it out: the browser says from where a request comes (`Sec-Fetch-Site`, `Origin`), and a form carries a
//! token that is bound to the session and that no foreign page can read. A request with a bearer token needs neither: no browser adds that by
//! itself. The other content types that are taken cannot be sent across origins without asking first.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::Access;
use super::caller::Caller;
use super::settings::Mode;
use crate::record::access::Via;
use crate::web::server::guard;
use crate::web::server::html::refuse_request;
use crate::web::server::problem::Problem;
use crate::web::ui::form::FORM_FIELD;

/// Longest form. A group of routes may have a lower bound of its own.
const MAX_FORM_BYTES: usize = 4 << 20;

/// Lets a request through that changes nothing, or that comes from where it may.
pub(super) async fn check(access: &Access, caller: &Caller, request: Request) -> Result<Request, Response> {
    let by_token = matches!(&caller.identity, Ok(Some(principal)) if matches!(principal.via, Via::Token { .. }));
    if request.method().is_safe() || by_token {
        return Ok(request);
    }
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = content_type.map(|text| text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
    // The API takes no forms: what it takes, no page can send elsewhere without asking.
    let for_pages = !request.uri().path().starts_with("/api/");
    match content_type.as_deref() {
        Some("application/x-www-form-urlencoded") if for_pages => {
            if !guard::comes_from_here(request.headers()) {
                return Err(refuse_request(&request, &foreign()));
            }
            own_form(access, caller, request).await
        }
        // What a page can send elsewhere without asking.
        Some("application/x-www-form-urlencoded" | "multipart/form-data" | "text/plain") => {
            let problem = Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "send a form, JSON or CSV");
            Err(refuse_request(&request, &problem))
        }
        _ if guard::may_come_from_here(request.headers()) => Ok(request),
        _ => Err(refuse_request(&request, &foreign())),
    }
}

fn foreign() -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "the request does not come from this listener's own page")
}

/// Reads the form, and hands it on when it carries the caller's token.
async fn own_form(access: &Access, caller: &Caller, request: Request) -> Result<Request, Response> {
    let (parts, body) = request.into_parts();
    let Ok(bytes) = to_bytes(body, MAX_FORM_BYTES).await else {
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "the form is too long").into_response());
    };
    let request = Request::from_parts(parts, Body::from(bytes.clone()));
    if field(&bytes).is_some_and(|token| caller.is_form_token(&token)) {
        return Ok(request);
    }
    // A restart forgets the key of those who have no session, and a new login brings another session.
    let why = match access.settings.mode {
        Mode::Open | Mode::Proxy(_) => {
            "this page was made before fleetwatch was restarted: load it again, and send it again"
        }
        Mode::Users | Mode::Oidc(_) => "this page was made in another session: load it again, and send it again",
    };
    Err(refuse_request(&request, &Problem::new(StatusCode::FORBIDDEN, why)))
}

/// The token in a form. One that stands twice is none.
fn field(form: &[u8]) -> Option<String> {
    let prefix = format!("{FORM_FIELD}=");
    let text = std::str::from_utf8(form).ok()?;
    let mut found = text.split('&').filter_map(|pair| pair.strip_prefix(&prefix));
    // It is base64url, which needs no encoding in a form.
    match (found.next(), found.next()) {
        (Some(token), None) => Some(token.to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forms_token_stands_there_once() {
        assert_eq!(field(b"a=1&form_token=abc-_&b=2"), Some("abc-_".into()));
        for none in [&b"a=1"[..], b"", b"form_token=a&form_token=b", b"xform_token=a", b"\xff"] {
            assert_eq!(field(none), None);
        }
    }
}
