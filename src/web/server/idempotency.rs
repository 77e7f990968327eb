//! The same write twice is one: `Idempotency-Key`.
//!
//! A program that got no answer does not know whether its write was carried out. When it sends the write once more under the same key,
//! it gets the answer of the first time, and nothing is done again. Keys are the caller's own: those of different people and programs
//! do not meet.
//!
//! The key and the answer are written in the transaction of what was asked for, so there is no instant at which one is without the
//! other: neither a caller that goes away nor a crash makes two of one. What is carried out under a key is a task of its own; whoever
//! comes with the key while it runs is told so (409), as in <https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/>.
//! Only what was carried out is kept, for a day: a refusal has changed nothing, and the next time it may be none.

use std::collections::HashSet;
use std::future::Future;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use ring::digest::{Context, SHA256};
use serde::Serialize;

use super::problem::Problem;
use crate::incident::Incident;
use crate::incident::closure::Obstacles;
use crate::record::access::Principal;
use crate::record::incident::{IncidentStore, KeptAnswer};
use crate::record::incidents::Once;

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Longest key.
const MAX_KEY: usize = 128;

/// Keys whose first write is still being carried out, with their owners.
#[derive(Clone, Debug, Default)]
pub(in crate::web) struct InFlight(Arc<Mutex<HashSet<(String, String)>>>);

/// Gives the key back, however the write ends.
struct Held(InFlight, (String, String));

impl Drop for Held {
    fn drop(&mut self) {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
    }
}

impl InFlight {
    fn hold(&self, who: &str, key: &str) -> Option<Held> {
        let pair = (who.to_owned(), key.to_owned());
        let new = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(pair.clone());
        new.then(|| Held(self.clone(), pair))
    }
}

/// An answer in one piece.
#[derive(Clone, Debug)]
pub(in crate::web) struct Answer {
    pub(in crate::web) status: StatusCode,
    pub(in crate::web) body: String,
    pub(in crate::web) etag: Option<u64>,
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
pub(in crate::web) struct Request<'a> {
    pub(in crate::web) method: &'a Method,
    pub(in crate::web) uri: &'a Uri,
    pub(in crate::web) headers: &'a HeaderMap,
    pub(in crate::web) body: &'a Bytes,
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

/// Whose key a write has, and what was asked under it.
#[derive(Clone, Debug)]
pub(in crate::web) struct Key {
    who: String,
    key: String,
    request: [u8; 32],
}

/// The answer that was written with the request: it is also the first one that is given.
#[derive(Clone, Debug, Default)]
pub(in crate::web) struct Written(Arc<OnceLock<String>>);

impl Key {
    /// What the desk is to keep: the incident as `view` shows it, answered with `status`.
    pub(in crate::web) fn once<V: Serialize>(
        self,
        status: StatusCode,
        written: &Written,
        view: impl Fn(&Incident, Option<Obstacles>) -> V + Send + Sync + 'static,
    ) -> Once {
        let Self { who, key, request } = self;
        let written = written.clone();
        let answer = move |incident: &Incident, obstacles: Option<Obstacles>| {
            let body = serde_json::to_string(&view(incident, obstacles)).unwrap_or_default();
            let body = written.0.get_or_init(|| body).clone();
            KeptAnswer { request, status: status.as_u16(), body }
        };
        Once { who, key, answer: Arc::new(answer) }
    }
}

impl Written {
    /// What was kept; `None` without a key.
    pub(in crate::web) fn body(&self) -> Option<String> {
        self.0.get().cloned()
    }
}

/// What came of a write.
pub(in crate::web) enum Done {
    Answer(Answer),
    /// It was carried out before; the answer is kept.
    Before,
}

/// Carries out `write` once per key.
pub(in crate::web) async fn once<F>(
    store: &dyn IncidentStore,
    in_flight: &InFlight,
    (principal, request): (&Principal, Request<'_>),
    write: impl FnOnce(Option<Key>) -> F,
) -> Response
where
    F: Future<Output = Done> + Send + 'static,
{
    let key = match request.key() {
        Ok(Some(key)) => key.to_owned(),
        Ok(None) => {
            return match write(None).await {
                Done::Answer(answer) => answer.into_response(),
                Done::Before => lost().into_response(),
            };
        }
        Err(problem) => return problem.into_response(),
    };
    let key = Key { who: owner(principal), key, request: request.fingerprint() };
    let Some(held) = in_flight.hold(&key.who, &key.key) else {
        return Problem::new(StatusCode::CONFLICT, "a write with this Idempotency-Key is being carried out")
            .into_response();
    };
    if let Some(answer) = before(store, &key).await {
        return answer;
    }
    let writing = write(Some(key.clone()));
    // A task of its own: whoever asked may go away, and comes again with the same key.
    let written = tokio::spawn(async move {
        let done = writing.await;
        drop(held);
        done
    });
    match written.await {
        Ok(Done::Answer(answer)) => answer.into_response(),
        Ok(Done::Before) => before(store, &key).await.unwrap_or_else(|| lost().into_response()),
        Err(error) => {
            tracing::error!(%error, "a write under an idempotency key ended abnormally");
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the write ended abnormally; look at the incident")
                .into_response()
        }
    }
}

/// The answer of the first time; what is wrong with asking for it; `None` when there was none.
async fn before(store: &dyn IncidentStore, key: &Key) -> Option<Response> {
    match store.kept_answer(&key.who, &key.key).await {
        Err(error) => Some(Problem::record(&error).into_response()),
        Ok(Some(kept)) if kept.request != key.request => {
            let detail = "this Idempotency-Key was used for another request: take a new one for each";
            Some(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail).into_response())
        }
        Ok(Some(kept)) => {
            let status = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::OK);
            let answer = Answer { status, body: kept.body, etag: None };
            Some(([(REPLAYED, "true")], answer).into_response())
        }
        Ok(None) => None,
    }
}

/// An answer that was kept a moment ago is not there any more.
fn lost() -> Problem {
    Problem::new(StatusCode::CONFLICT, "this was carried out before, and its answer is not kept any more")
}

/// Whose key it is. A token's name may be a person's too.
fn owner(principal: &Principal) -> String {
    match &principal.via {
        crate::record::access::Via::Token { id, .. } => format!("token {id}"),
        _ => format!("person {}", principal.name),
    }
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
