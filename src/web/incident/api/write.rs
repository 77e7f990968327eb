//! The writes.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use super::dto::IncidentView;
use super::read::shown;
use super::{IncidentsApi, problem};
use crate::engine::device::DeviceId;
use crate::incident::closure::Obstacles;
use crate::incident::{Command, Incident};
use crate::record::access::Principal;
use crate::record::access::policy::{self, Denied};
use crate::record::incidents::{IncidentError, Reshape, VersionedCommand};
use crate::web::server::idempotency::{Answer, Done, Key, Request, Written, once};
use crate::web::server::problem::Problem;
use crate::web::server::problem::forbidden;
use crate::web::server::schema::ProblemBody;
use crate::web::server::state::HttpState;

/// A write as it came.
#[derive(Clone)]
pub(in crate::web) struct Sent {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

impl axum::extract::FromRequest<HttpState> for Sent {
    type Rejection = Problem;

    async fn from_request(request: axum::extract::Request, state: &HttpState) -> Result<Self, Problem> {
        let (method, uri, headers) = (request.method().clone(), request.uri().clone(), request.headers().clone());
        let body = Bytes::from_request(request, state).await;
        let body = body.map_err(|rejection| Problem::new(rejection.status(), rejection.body_text()))?;
        Ok(Self { method, uri, headers, body })
    }
}

impl Sent {
    fn request(&self) -> Request<'_> {
        Request { method: &self.method, uri: &self.uri, headers: &self.headers, body: &self.body }
    }

    /// The body as JSON.
    pub(in crate::web) fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let kind = self.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if kind.split(';').next().map(str::trim) != Some("application/json") {
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "send application/json"));
        }
        serde_json::from_slice(&self.body).map_err(|error| {
            let status = if error.is_data() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::BAD_REQUEST };
            Problem::new(status, error.to_string())
        })
    }

    /// The version that the sender has looked at, by `If-Match`.
    fn seen(&self) -> Result<Option<u64>, Problem> {
        let Some(value) = self.headers.get(header::IF_MATCH) else { return Ok(None) };
        let text = value.to_str().unwrap_or_default().trim();
        if text == "*" {
            return Ok(None);
        }
        let version = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).and_then(|text| text.parse().ok());
        version.map(Some).ok_or_else(|| Problem::bad_request("If-Match is the ETag that you got, such as \"12\""))
    }
}

/// How the caller sees incidents, wherever the answer is made.
fn viewing(
    state: &HttpState,
    incidents: &IncidentsApi,
    principal: &Principal,
) -> Result<impl Fn(&Incident, Option<Obstacles>) -> IncidentView + Send + Sync + 'static, Problem> {
    let (settings, clock) = (Arc::clone(&incidents.incidents()?.board().settings), state.clock);
    let principal = principal.clone();
    Ok(move |incident: &Incident, obstacles: Option<Obstacles>| {
        IncidentView::new(incident, obstacles, &principal, (&settings, clock.now()))
    })
}

/// The answer as it was kept with the request; without a key as it stands now.
fn answer(
    status: StatusCode,
    incident: &Incident,
    kept: &Written,
    view: impl FnOnce() -> Result<IncidentView, Problem>,
) -> Result<Answer, Problem> {
    let body = match kept.body() {
        Some(body) => body,
        None => serde_json::to_string(&view()?).unwrap_or_default(),
    };
    Ok(Answer { status, body, etag: Some(incident.version) })
}

/// What came of it, for [`once`].
fn done(outcome: Result<Option<Answer>, Problem>) -> Done {
    match outcome {
        Ok(Some(answer)) => Done::Answer(answer),
        Ok(None) => Done::Before,
        Err(problem) => Done::Answer(Answer::from(problem)),
    }
}

/// Why the principal may not, as an answer.
pub(in crate::web) fn denied(why: Denied, principal: &Principal) -> Problem {
    match why {
        Denied::Role(action) => forbidden(principal, action),
        Denied::Branch => {
            let Principal { name, branches, .. } = principal;
            let detail = format!("{name} may do this for the own branches only: {}", branches.join(", "));
            Problem::new(StatusCode::FORBIDDEN, detail)
        }
    }
}

/// Does to one incident what is asked for: acknowledge, join, claim, call, agree, sign off, close, ...
///
/// `If-Match` refuses with 412 when the incident has changed since; `Idempotency-Key` carries the request out once.
#[utoipa::path(post, path = "/api/v1/incidents/{id}/commands", tag = "incidents", request_body = Command,
    params(("id" = String, Path, description = "Number, alias, or event id"),
           ("If-Match" = Option<String>, Header, description = "The ETag that you looked at"),
           ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 128,
            description = "Of your choice, new for each request")), responses(
    (status = 200, body = IncidentView, description = "The incident as it stands afterwards"),
    (status = 409, body = ProblemBody, content_type = "application/problem+json", description = "As it stands, it cannot be"),
    (status = 412, body = ProblemBody, content_type = "application/problem+json", description = "It has changed since"),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    (status = 503, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(in crate::web) async fn command(
    State(state): State<HttpState>,
    State(incidents): State<IncidentsApi>,
    principal: Principal,
    Path(id): Path<String>,
    sent: Sent,
) -> Response {
    let write = |key| {
        let (state, incidents, principal, sent) = (state.clone(), incidents.clone(), principal.clone(), sent.clone());
        async move { done(grant(&state, &incidents, &principal, &id, &sent, key).await) }
    };
    match incidents.store() {
        Ok(store) => once(store, &state.shared.in_flight, (&principal, sent.request()), write).await,
        Err(problem) => problem.into_response(),
    }
}

/// `None`: it was carried out before.
async fn grant(
    state: &HttpState,
    incidents: &IncidentsApi,
    principal: &Principal,
    id: &str,
    sent: &Sent,
    key: Option<Key>,
) -> Result<Option<Answer>, Problem> {
    let command = sent.json::<Command>()?;
    let seen = sent.seen()?;
    let incident = incidents.seen(id, principal).await?;
    policy::allows(principal, &command, &incident).map_err(|why| denied(why, principal))?;
    let (written, view) = (Written::default(), viewing(state, incidents, principal)?);
    let key = key.map(|key| key.once(StatusCode::OK, &written, view));
    let incident = match incidents
        .incidents()?
        .execute_once(incident.number(), VersionedCommand { seen, command }, &principal.name, key)
        .await
    {
        Ok(incident) => incident,
        Err(IncidentError::Repeated) => return Ok(None),
        Err(error) => return Err(problem(&error)),
    };
    answer(StatusCode::OK, &incident, &written, || shown(state, incidents, &incident, principal)).map(Some)
}

/// Joins an incident into another one.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct MergeRequest {
    /// Number of the incident that goes on.
    into: String,
    reason: String,
}

/// Gives devices an incident of their own.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct SplitRequest {
    #[schema(value_type = Vec<String>, min_items = 1)]
    devices: Vec<DeviceId>,
    reason: String,
}

/// Declares an event that was only warned of.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct DeclareRequest {
    /// The detector's id of the event.
    event_id: String,
    reason: String,
}

/// The incident of an address; empty where the address has none.
pub(in crate::web) struct Id(String);

impl<S: Send + Sync> axum::extract::FromRequestParts<S> for Id {
    type Rejection = PathRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, PathRejection> {
        let id = Option::<Path<String>>::from_request_parts(parts, state).await?;
        Ok(Self(id.map(|Path(id)| id).unwrap_or_default()))
    }
}

/// A write that concerns two incidents, or makes one.
trait Reshaping: DeserializeOwned {
    const STATUS: StatusCode;

    /// What is asked for, and why. `id`: the incident of the address, where it has one.
    fn read(self, id: String) -> (Reshape, String);
}

impl Reshaping for MergeRequest {
    const STATUS: StatusCode = StatusCode::OK;

    fn read(self, from: String) -> (Reshape, String) {
        (Reshape::Merge { from, into: self.into }, self.reason)
    }
}

impl Reshaping for SplitRequest {
    const STATUS: StatusCode = StatusCode::CREATED;

    fn read(self, from: String) -> (Reshape, String) {
        (Reshape::Split { from, devices: self.devices }, self.reason)
    }
}

impl Reshaping for DeclareRequest {
    const STATUS: StatusCode = StatusCode::CREATED;

    fn read(self, _: String) -> (Reshape, String) {
        (Reshape::Declare { event_id: self.event_id }, self.reason)
    }
}

/// One handler, described to OpenAPI under each of its addresses.
macro_rules! reshaping {
    ($($(#[$doc:meta])* $name:ident($request:ident) $path:tt $(($id:tt))?, $status:tt $answer:tt;)*) => { $(
        $(#[$doc])*
        #[utoipa::path(post, path = $path, tag = "incidents", request_body = $request,
            params($(("id" = String, Path, description = $id),)?
                   ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 128,
                    description = "Of your choice, new for each request")), responses(
            (status = $status, body = IncidentView, description = $answer),
            (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
            (status = 503, body = ProblemBody, content_type = "application/problem+json"),
        ))]
        pub(in crate::web) async fn $name(
            State(state): State<HttpState>,
            State(incidents): State<IncidentsApi>,
            principal: Principal,
            id: Id,
            sent: Sent,
        ) -> Response {
            reshape::<$request>(&state, &incidents, &principal, id.0, &sent).await
        }
    )* };
}

reshaping! {
    /// Merges the incident into another one, which goes on and takes over its devices.
    merge(MergeRequest) "/api/v1/incidents/{id}/merge" ("The incident that ends"), 200 "The incident that goes on";
    /// Splits devices off into an incident of their own.
    split(SplitRequest) "/api/v1/incidents/{id}/split" ("Number, alias, or event id"), 201 "The new incident";
    /// Declares a major incident before the clock does.
    declare(DeclareRequest) "/api/v1/incidents", 201 "The new incident";
}

/// Whoever may lead incidents may do it to two of them. `id`: the incident of the address.
async fn reshape<W: Reshaping>(
    state: &HttpState,
    incidents: &IncidentsApi,
    principal: &Principal,
    id: String,
    sent: &Sent,
) -> Response {
    let request = sent.json::<W>().map(|request| request.read(id));
    let write = |key| {
        let (state, incidents, principal) = (state.clone(), incidents.clone(), principal.clone());
        async move {
            done(match request {
                Ok((request, reason)) => {
                    reshaped(&state, &incidents, &principal, request, &reason, W::STATUS, key).await
                }
                Err(problem) => Err(problem),
            })
        }
    };
    match incidents.store() {
        Ok(store) => once(store, &state.shared.in_flight, (principal, sent.request()), write).await,
        Err(problem) => problem.into_response(),
    }
}

/// `None`: it was carried out before.
async fn reshaped(
    state: &HttpState,
    incidents: &IncidentsApi,
    principal: &Principal,
    request: Reshape,
    reason: &str,
    status: StatusCode,
    key: Option<Key>,
) -> Result<Option<Answer>, Problem> {
    policy::allows_reshape(principal, &request).map_err(|why| denied(why, principal))?;
    let (written, view) = (Written::default(), viewing(state, incidents, principal)?);
    let key = key.map(|key| key.once(status, &written, view));
    let incident = match incidents.incidents()?.reshape_once(request, reason, &principal.name, key).await {
        Ok(incident) => incident,
        Err(IncidentError::Repeated) => return Ok(None),
        Err(error) => return Err(problem(&error)),
    };
    answer(status, &incident, &written, || shown(state, incidents, &incident, principal)).map(Some)
}
