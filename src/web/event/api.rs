//! What the detector sees and has on record, for programs.
// The macro that describes a handler writes paths in full.
#![allow(unused_qualifications)]

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::engine::snapshot::EventView;
use crate::engine::time::Timestamp;
use crate::record::open_items::{self, Lifecycle, OpenItem};
use crate::record::{EventQuery, EventRecord, EventSummary};
use crate::web::server::problem::{self, Params, Problem};
use crate::web::server::schema::{AnyObject, ProblemBody};
use crate::web::server::state::HttpState;

/// Most incidents in one answer.
const MAX_EVENTS: u32 = 500;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(in crate::web) struct EventParams {
    open: bool,
    warnings: bool,
    /// 1 to 500.
    #[param(minimum = 1, maximum = 500)]
    limit: u32,
    #[param(maximum = 4294967295_u32)]
    offset: u32,
}

impl Default for EventParams {
    fn default() -> Self {
        Self { open: false, warnings: false, limit: 50, offset: 0 }
    }
}

/// Events on record.
#[derive(Serialize, ToSchema)]
pub(in crate::web) struct EventList {
    #[schema(value_type = Vec<Object>)]
    events: Vec<EventSummary>,
    /// How far each has come, by event id, as pages and terminal say it: the state of the incident, or `pending`, `quality_back`,
    /// `ended`, `near_miss` where nobody works on one. `state` is the detector's own.
    #[schema(value_type = BTreeMap<String, String>)]
    lifecycles: BTreeMap<String, Lifecycle>,
}

/// What is open now, the worst first.
#[derive(Serialize, ToSchema)]
pub(in crate::web) struct Open {
    /// The tick that it is of.
    #[schema(value_type = i64)]
    at: Timestamp,
    #[schema(value_type = Vec<Object>)]
    open: Vec<OpenItem>,
}

#[derive(Serialize)]
pub(in crate::web) struct OneEvent {
    /// As of the last tick, while the event is open.
    live: Option<EventView>,
    /// How far it has come, as pages and terminal say it.
    lifecycle: Lifecycle,
    #[serde(flatten)]
    record: EventRecord,
}

/// What the detector warned of and declared, the latest impact first.
#[utoipa::path(get, path = "/api/v1/events", tag = "fleet", params(EventParams), responses(
    (status = 200, body = EventList),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    (status = 503, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(in crate::web) async fn events(
    State(state): State<HttpState>,
    params: Params<EventParams>,
) -> Result<Json<EventList>, Problem> {
    let params = problem::params(params)?;
    if !(1..=MAX_EVENTS).contains(&params.limit) {
        return Err(Problem::bad_request(format!("limit is 1 to {MAX_EVENTS}")));
    }
    let query = EventQuery {
        with_warnings: params.warnings,
        open_only: params.open,
        limit: params.limit,
        offset: params.offset,
        ..EventQuery::default()
    };
    let events = state.store.events(query).await.map_err(|error| Problem::record(&error))?;
    let lives = state.lives().await;
    let lifecycle = |event: &EventSummary| (event.event_id.clone(), Lifecycle::among(event, &lives));
    let lifecycles = events.iter().map(lifecycle).collect();
    Ok(Json(EventList { events, lifecycles }))
}

/// What is open now, the worst first: major incidents, then early warnings, then what is only watched.
#[utoipa::path(get, path = "/api/v1/open", tag = "fleet", responses(
    (status = 200, body = Open),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(in crate::web) async fn open(State(state): State<HttpState>) -> Json<Open> {
    let snapshot = state.snapshot.load();
    Json(Open { at: snapshot.at, open: open_items::worst_first(&snapshot, &state.board()) })
}

/// One event of the detector with its whole history.
#[utoipa::path(get, path = "/api/v1/events/{id}", tag = "fleet",
    params(("id" = String, Path, description = "Incident number or event id")), responses(
    (status = 200, body = AnyObject),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    (status = 503, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(in crate::web) async fn event(
    State(state): State<HttpState>,
    Path(id): Path<String>,
) -> Result<Json<OneEvent>, Problem> {
    let record = state.store.event(&id).await.map_err(|error| Problem::record(&error))?;
    let record = record.ok_or_else(|| Problem::missing("no event has this id or incident number"))?;
    let snapshot = state.snapshot.load();
    let live = snapshot.events.iter().find(|event| event.event_id == record.event.event_id).cloned();
    let lives = state.lives().await;
    Ok(Json(OneEvent { live, lifecycle: Lifecycle::among(&record.event, &lives), record }))
}
