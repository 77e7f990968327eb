//! The same write twice is one: `Idempotency-Key`.
//!
//! A program that got no answer does not know whether its write was carried out. When it sends the write once more under the same key,
//! it gets the answer of the first time, and nothing is done again. Keys are the caller's own: those of different people and programs
//! do not meet. An answer is kept for a day, and only one that will not change: what failed for now (5xx, 412, 429) may be tried
//! again under the same key. Between carrying out and keeping lies an instant in which a crash loses the answer.

use std::collections::HashSet;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use ring::digest::{Context, SHA256};

use super::Cases;
use crate::engine::time::Timestamp;
use crate::http::problem::Problem;
use crate::record::access::Principal;
use crate::record::case::KeptAnswer;

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Longest key.
const MAX_KEY: usize = 128;

/// Keys whose first write is still being carried out, with their owners.
#[derive(Clone, Debug, Default)]
pub(in crate::http) struct InFlight(Arc<Mutex<HashSet<(String, String)>>>);

/// Gives the key back, however the write ends.
struct Held<'a>(&'a InFlight, (String, String));

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
    }
}

impl InFlight {
    fn hold(&self, who: &str, key: &str) -> Option<Held<'_>> {
        let pair = (who.to_owned(), key.to_owned());
        let new = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(pair.clone());
        new.then_some(Held(self, pair))
    }
}

/// An answer in one piece.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: String,
    pub(super) etag: Option<u64>,
}

impl From<Problem> for Answer {
    fn from(problem: Problem) -> Self {
        Self { status: problem.status, body: problem.json(), etag: None }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let failed = self.status.is_client_error() || self.status.is_server_error();
        let kind = if failed { "application/problem+json" } else { "application/json" };
        let etag = self.etag.map(|version| [(header::ETAG, format!("\"{version}\""))]);
        (self.status, [(header::CONTENT_TYPE, kind)], etag, self.body).into_response()
    }
}

/// What identifies a write.
pub(super) struct Request<'a> {
    pub(super) method: &'a Method,
    pub(super) uri: &'a Uri,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a Bytes,
}

impl Request<'_> {
    fn fingerprint(&self) -> [u8; 32] {
        let mut context = Context::new(&SHA256);
        for part in [self.method.as_str().as_bytes(), self.uri.to_string().as_bytes(), self.body.as_ref()] {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(context.finish().as_ref());
        hash
    }

    fn key(&self) -> Result<Option<&str>, Problem> {
        let Some(value) = self.headers.get(KEY) else { return Ok(None) };
        let key = value.to_str().ok().filter(|key| (1..=MAX_KEY).contains(&key.len()));
        key.map(Some).ok_or_else(|| Problem::bad_request(format!("Idempotency-Key is 1 to {MAX_KEY} ASCII characters")))
    }
}

/// Carries out `write` once per key.
pub(super) async fn once(
    cases: &Cases,
    in_flight: &InFlight,
    (principal, request, now): (&Principal, Request<'_>, Timestamp),
    write: impl Future<Output = Answer>,
) -> Response {
    let key = match request.key() {
        Ok(Some(key)) => key,
        Ok(None) => return write.await.into_response(),
        Err(problem) => return problem.into_response(),
    };
    let store = match cases.store() {
        Ok(store) => store,
        Err(problem) => return problem.into_response(),
    };
    let who = owner(principal);
    let Some(_held) = in_flight.hold(&who, key) else {
        return Problem::new(StatusCode::CONFLICT, "a write with this Idempotency-Key is being carried out")
            .into_response();
    };
    let fingerprint = request.fingerprint();
    match store.kept_answer(&who, key).await {
        Err(error) => return Problem::record(&error).into_response(),
        Ok(Some(kept)) if kept.request != fingerprint => {
            let detail = "this Idempotency-Key was used for another request: take a new one for each";
            return Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail).into_response();
        }
        Ok(Some(kept)) => {
            let status = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::OK);
            let answer = Answer { status, body: kept.body, etag: None };
            return ([(REPLAYED, "true")], answer).into_response();
        }
        Ok(None) => {}
    }
    let answer = write.await;
    if is_final(answer.status) {
        let kept = KeptAnswer { request: fingerprint, status: answer.status.as_u16(), body: answer.body.clone() };
        // What was carried out is not undone by this: the answer says so, and the log that a repetition would not be known.
        if let Err(error) = store.keep_answer(&who, key, &kept, now).await {
            tracing::error!(reason = error.reason(), "an answer could not be kept under its idempotency key");
        }
    }
    answer.into_response()
}

/// Whose key it is. A token's name may be a person's too.
fn owner(principal: &Principal) -> String {
    match &principal.via {
        crate::record::access::Via::Token { id, .. } => format!("token {id}"),
        _ => format!("person {}", principal.name),
    }
}

fn is_final(status: StatusCode) -> bool {
    let for_now = [StatusCode::PRECONDITION_FAILED, StatusCode::TOO_MANY_REQUESTS, StatusCode::FORBIDDEN];
    !status.is_server_error() && !for_now.contains(&status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_known_by_all_of_it() {
        let (uri, other) = (Uri::from_static("/a"), Uri::from_static("/a?b"));
        let headers = HeaderMap::new();
        let print = |method: &Method, uri: &Uri, body: &'static str| {
            Request { method, uri, headers: &headers, body: &Bytes::from_static(body.as_bytes()) }.fingerprint()
        };
        let first = print(&Method::POST, &uri, "x");
        assert_eq!(first, print(&Method::POST, &uri, "x"));
        for different in
            [print(&Method::PUT, &uri, "x"), print(&Method::POST, &other, "x"), print(&Method::POST, &uri, "")]
        {
            assert_ne!(first, different);
        }
    }

    #[test]
    fn a_key_is_held_once_and_given_back() {
        let flight = InFlight::default();
        let held = flight.hold("Sato", "1").unwrap();
        assert!(flight.hold("Sato", "1").is_none() && flight.hold("Ito", "1").is_some());
        drop(held);
        assert!(flight.hold("Sato", "1").is_some());
    }
}
