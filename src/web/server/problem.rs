//! Errors as problem details (RFC 9457), or as a page for a browser.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::record::access::{Action, Principal};

/// What stands in a query string, or why it cannot be read.
pub(in crate::web) type Params<T> = Result<Query<T>, QueryRejection>;

/// A query string that cannot be read is the client's mistake, and told as one.
pub(in crate::web) fn params<T>(params: Params<T>) -> Result<T, Problem> {
    params.map(|Query(params)| params).map_err(|rejection| Problem::bad_request(rejection.body_text()))
}

/// What went wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::web) struct Problem {
    pub(in crate::web) status: StatusCode,
    pub(in crate::web) detail: String,
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: &'static str,
    title: &'a str,
    status: u16,
    detail: &'a str,
}

impl Problem {
    pub(in crate::web) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into() }
    }

    pub(in crate::web) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    pub(in crate::web) fn missing(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// The record cannot be read. Its message names paths of this machine: it goes to the log, not to the client.
    pub(in crate::web) fn record(error: &crate::record::StoreError) -> Self {
        tracing::error!(reason = error.reason(), %error, "the incident record cannot be read");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, format!("the incident record cannot be read: {}", error.reason()))
    }
}

impl Problem {
    /// The problem details.
    pub(in crate::web) fn json(&self) -> String {
        let title = self.status.canonical_reason().unwrap_or("Error");
        let body = Body { r#type: "about:blank", title, status: self.status.as_u16(), detail: &self.detail };
        serde_json::to_string(&body).unwrap_or_default()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let json = self.json();
        (self.status, [(header::CONTENT_TYPE, "application/problem+json")], json).into_response()
    }
}

/// Gives the plain-text errors of the layers below (a path that is no UTF-8, a body that is too large) the form of all others.
pub(in crate::web) async fn translate(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    let plain =
        response.headers().get(header::CONTENT_TYPE).is_none_or(|value| value.as_bytes().starts_with(b"text/plain"));
    if !is_error || !plain {
        return response;
    }
    let detail = status.canonical_reason().unwrap_or("the request failed").to_lowercase();
    Problem::new(status, detail).into_response()
}

pub(in crate::web) async fn method_not_allowed(method: Method) -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, format!("{method} is not allowed here"))
}

/// What is said to somebody who may not.
pub(in crate::web) fn forbidden(principal: &Principal, action: Action) -> Problem {
    let Principal { name, role, .. } = principal;
    let detail = format!("{name} ({}) may not {}", role.as_str(), action.as_phrase());
    Problem::new(StatusCode::FORBIDDEN, detail)
}

/// 401, with the way to do better.
pub(in crate::web) fn unauthorized(detail: &str) -> Response {
    let problem = Problem::new(StatusCode::UNAUTHORIZED, detail);
    ([(header::WWW_AUTHENTICATE, "Bearer realm=\"fleetwatch\"")], problem).into_response()
}

pub(in crate::web) fn wants_page(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).is_some_and(|accept| accept.contains("text/html"))
}
