//! The reads.
// The macro that describes a handler writes paths in full.
#![allow(unused_qualifications)]

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::dto::{IncidentLine, IncidentView, RungView};
use super::{IncidentsApi, unknown};
use crate::engine::device::DeviceId;
use crate::incident::{Incident, Step};
use crate::record::access::policy::sees;
use crate::record::access::{Principal, Role};
use crate::record::export::Export;
use crate::record::incident::{IncidentQuery, RecordedIncidentEvent};
use crate::web::server::problem::{Params, Problem, params};
use crate::web::server::schema::{AnyObject, ProblemBody};
use crate::web::server::state::HttpState;

/// Most incidents, devices and entries in one answer.
const MAX_INCIDENTS: u32 = 500;
const MAX_RUNGS: usize = 1_000;
const MAX_ENTRIES: usize = 1_000;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::web) struct IncidentParams {
    /// Only what is not closed.
    open: bool,
    /// Only incidents that this device is or was part of.
    #[param(pattern = "^[A-Za-z0-9_-]{1,64}$")]
    device: Option<String>,
    /// 1 to 500.
    #[param(minimum = 1, maximum = 500)]
    limit: u32,
    #[param(maximum = 4294967295_u32)]
    offset: u32,
}

impl Default for IncidentParams {
    fn default() -> Self {
        Self { open: false, device: None, limit: 50, offset: 0 }
    }
}

/// A list of incidents.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::web) struct IncidentList {
    incidents: Vec<IncidentLine>,
}

fn device(text: &str) -> Result<DeviceId, Problem> {
    DeviceId::parse(text).map_err(|error| Problem::bad_request(error.to_string()))
}

/// Incidents in short, the latest declaration first.
#[utoipa::path(get, path = "/api/v1/incidents", tag = "incidents", params(IncidentParams), responses(
    (status = 200, body = IncidentList),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    (status = 503, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(in crate::web) async fn list(
    State(incidents): State<IncidentsApi>,
    principal: Principal,
    query: Params<IncidentParams>,
) -> Result<Json<IncidentList>, Problem> {
    let IncidentParams { open, device: wanted, limit, offset } = params(query)?;
    if !(1..=MAX_INCIDENTS).contains(&limit) {
        return Err(Problem::bad_request(format!("limit is 1 to {MAX_INCIDENTS}")));
    }
    let device = wanted.as_deref().map(device).transpose()?;
    if principal.role == Role::Branch {
        // A branch has what is open and its own; what was is in each incident's own record.
        let board = incidents.incidents()?.board();
        let own = board.incidents.iter().filter(|incident| sees(&principal, incident));
        let own = own.filter(|incident| device.as_ref().is_none_or(|device| incident.ladder.contains(device)));
        let page = own.rev().skip(offset as usize).take(limit as usize);
        return Ok(Json(IncidentList { incidents: page.map(|incident| incident.summary().into()).collect() }));
    }
    let query = IncidentQuery { open_only: open, device, limit, offset };
    let found = incidents.store()?.incidents(&query).await.map_err(|error| Problem::record(&error))?;
    Ok(Json(IncidentList { incidents: found.into_iter().map(IncidentLine::from).collect() }))
}

/// One incident as JSON with its version as `ETag`.
pub(in crate::web) fn shown(
    state: &HttpState,
    incidents: &IncidentsApi,
    incident: &Incident,
    principal: &Principal,
) -> Result<IncidentView, Problem> {
    let incidents = incidents.incidents()?;
    let settings = Arc::clone(&incidents.board().settings);
    let obstacles = incidents.obstacles(incident.number());
    Ok(IncidentView::new(incident, obstacles, principal, (&settings, state.clock.now())))
}

/// One incident as it stands.
#[utoipa::path(get, path = "/api/v1/incidents/{id}", tag = "incidents",
    params(("id" = String, Path, description = "Number, alias, or event id")), responses(
    (status = 200, body = IncidentView, headers(("ETag" = String, description = "The incident's version"))),
    (status = 304, description = "As you have it, by If-None-Match"),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    (status = 503, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(in crate::web) async fn one(
    State(state): State<HttpState>,
    State(incidents): State<IncidentsApi>,
    principal: Principal,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let incident = incidents.seen(&id, &principal).await?;
    let etag = format!("\"{}\"", incident.version);
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    if known.is_some_and(|known| known.split(',').any(|tag| tag.trim() == etag)) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response());
    }
    let view = shown(&state, &incidents, &incident, &principal)?;
    Ok(([(header::ETAG, etag)], Json(view)).into_response())
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::web) struct LadderParams {
    /// Only devices on this step.
    #[param(
        pattern = "^(affected|contacted|workaround_claimed|workaround_verified|fix_installed|workaround_reverted|quality_verified|done)$"
    )]
    step: Option<String>,
    branch: Option<String>,
    /// Only devices that are (`true`) or are not (`false`) done or signed off.
    settled: Option<bool>,
    /// Id of the last device of the page before.
    after: Option<String>,
    /// 1 to 1000; 100 by default.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// A page of the ladder.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::web) struct LadderPage {
    /// How many match, on all pages.
    total: usize,
    devices: Vec<RungView>,
    /// The `after` of the next page; `null` on the last.
    next: Option<String>,
}

/// The incident's devices, a page at a time.
#[utoipa::path(get, path = "/api/v1/incidents/{id}/ladder", tag = "incidents",
    params(("id" = String, Path, description = "Number, alias, or event id"), LadderParams), responses(
    (status = 200, body = LadderPage),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    (status = 503, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(in crate::web) async fn ladder(
    State(incidents): State<IncidentsApi>,
    principal: Principal,
    Path(id): Path<String>,
    query: Params<LadderParams>,
) -> Result<Json<LadderPage>, Problem> {
    let query = params(query)?;
    let limit = query.limit.unwrap_or(100);
    if !(1..=MAX_RUNGS).contains(&limit) {
        return Err(Problem::bad_request(format!("limit is 1 to {MAX_RUNGS}")));
    }
    let step = match &query.step {
        None => None,
        Some(name) => Some(Step::from_name(name).ok_or_else(|| {
            let names: Vec<&str> = Step::ALL.iter().map(|step| step.as_str()).collect();
            Problem::bad_request(format!("step is one of {}", names.join(", ")))
        })?),
    };
    let incident = incidents.seen(&id, &principal).await?;
    let mut matching = incident.ladder.iter().filter(|(device, rung)| {
        principal.sees(device)
            && step.is_none_or(|step| rung.step() == step)
            && query.branch.is_none_or_is(rung.branch.as_deref())
            && query.settled.is_none_or(|settled| rung.is_settled() == settled)
    });
    let (mut total, mut devices, mut more) = (0, Vec::new(), false);
    let after = query.after.as_deref().unwrap_or_default();
    for (device, rung) in matching.by_ref() {
        total += 1;
        if device.as_str() <= after {
            continue;
        }
        if devices.len() < limit {
            devices.push((device, rung));
        } else {
            more = true;
        }
    }
    let next = devices.last().filter(|_| more).map(|(device, _)| device.to_string());
    let devices = devices.into_iter().map(|(device, rung)| RungView::new(device, rung)).collect();
    Ok(Json(LadderPage { total, devices, next }))
}

/// Whether an optional filter lets a value through.
trait Filter {
    fn is_none_or_is(&self, value: Option<&str>) -> bool;
}

impl Filter for Option<String> {
    fn is_none_or_is(&self, value: Option<&str>) -> bool {
        self.as_deref().is_none_or(|wanted| value == Some(wanted))
    }
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::web) struct RecordParams {
    /// `seq` of the last entry that you have.
    after: i64,
    /// 1 to 1000; 1000 by default.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// One entry of an incident's record.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::web) struct Entry {
    /// Order of writing.
    seq: i64,
    /// When it happened, and when it was written down.
    at: i64,
    recorded_at: i64,
    /// A person's name, or `detector`, `telemetry`, `clock`.
    by: String,
    /// What happened: `opened`, `paged`, `acknowledged`, `called`, `proved`, ...
    action: String,
    /// What belongs to it, by kind of action.
    #[schema(value_type = Object)]
    detail: serde_json::Value,
}

/// Entries in the order of writing.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::web) struct Entries {
    entries: Vec<Entry>,
    /// The `after` of the next page; `null` on the last.
    next: Option<i64>,
}

impl From<&RecordedIncidentEvent> for Entry {
    fn from(recorded: &RecordedIncidentEvent) -> Self {
        let event = &recorded.event;
        let mut detail = serde_json::to_value(&event.action).unwrap_or_default();
        if let Some(detail) = detail.as_object_mut() {
            detail.remove("action");
        }
        Self {
            seq: recorded.seq,
            at: event.at.as_ms(),
            recorded_at: recorded.recorded_at.as_ms(),
            by: event.by.clone(),
            action: event.action.as_str().to_owned(),
            detail,
        }
    }
}

/// The incident's record, entry by entry. Not for a branch: it names devices of all branches.
#[utoipa::path(get, path = "/api/v1/incidents/{id}/record", tag = "incidents",
    params(("id" = String, Path, description = "Number, alias, or event id"), RecordParams), responses(
    (status = 200, body = Entries),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    (status = 503, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(in crate::web) async fn record(
    State(incidents): State<IncidentsApi>,
    Path(id): Path<String>,
    query: Params<RecordParams>,
) -> Result<Json<Entries>, Problem> {
    let query = params(query)?;
    let limit = query.limit.unwrap_or(MAX_ENTRIES);
    if !(1..=MAX_ENTRIES).contains(&limit) {
        return Err(Problem::bad_request(format!("limit is 1 to {MAX_ENTRIES}")));
    }
    let file = incidents.incidents()?.file(&id).await.map_err(|error| Problem::record(&error))?;
    let record = file.ok_or_else(|| unknown(&id))?.record;
    let mut later = record.events.iter().filter(|recorded| recorded.seq > query.after);
    let entries: Vec<Entry> = later.by_ref().take(limit).map(Entry::from).collect();
    let next = later.next().and(entries.last()).map(|entry| entry.seq);
    Ok(Json(Entries { entries, next }))
}

/// How an incident is handed on.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::web) enum Format {
    /// The whole of it.
    #[default]
    Json,
    /// Its story, a line an entry; formulas defused.
    Csv,
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::web) struct ExportParams {
    #[param(inline)]
    format: Format,
}

/// Everything that is on record about an incident or an event, to be handed on. Contacts are not part of it.
#[utoipa::path(get, path = "/api/v1/incidents/{id}/export", tag = "incidents",
    params(("id" = String, Path, description = "Number, alias, or event id"), ExportParams), responses(
    (status = 200, description = "JSON, or CSV with the columns at, recorded_at, who, what, detail", content(
        (AnyObject = "application/json"), (String = "text/csv"))),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    (status = 503, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(in crate::web) async fn export(
    State(state): State<HttpState>,
    State(incidents): State<IncidentsApi>,
    Path(id): Path<String>,
    query: Params<ExportParams>,
) -> Result<Response, Problem> {
    let ExportParams { format } = params(query)?;
    let stores = (&*state.store, incidents.store()?, incidents.outbox()?);
    let found = Export::read(stores, &id, state.clock.now()).await.map_err(|error| Problem::record(&error))?;
    let export = found.ok_or_else(|| unknown(&id))?;
    let failed = |error: &dyn std::fmt::Display| {
        tracing::error!(%error, "an export could not be made");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the export could not be made")
    };
    let (kind, ending, body) = match format {
        Format::Json => ("application/json", "json", serde_json::to_vec(&export).map_err(|error| failed(&error))?),
        Format::Csv => {
            let mut csv = Vec::new();
            export.write_csv(&mut csv).map_err(|error| failed(&error))?;
            ("text/csv; charset=utf-8", "csv", csv)
        }
    };
    // A name of our own making: what was asked for may hold anything.
    let disposition = format!("attachment; filename=\"incident.{ending}\"");
    Ok(([(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, disposition)], body).into_response())
}
