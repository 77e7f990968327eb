//! One device, and the list of them.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::filter::{DeviceParams, branch_of, seen};
use super::{list, view};
use crate::engine::detector::DeviceHistory;
use crate::engine::device::DeviceId;
use crate::record::access::Action;
use crate::record::incident::IncidentQuery;
use crate::record::incidents::IncidentFile;
use crate::record::{EventRecord, StoreError};
use crate::web::access::caller::Visit;
use crate::web::server::html::{refuse, respond};
use crate::web::server::page;
use crate::web::server::problem::{self, Params};
use crate::web::server::state::HttpState;

/// Incidents on a device's page.
const OF_DEVICE: u32 = 10;

pub(in crate::web) async fn list(
    State(state): State<HttpState>,
    params: Params<DeviceParams>,
    visit: Visit,
) -> Response {
    let snapshot = state.snapshot.load();
    let reader = page::view(&state, &visit);
    let params = problem::params(params).map_err(|problem| problem.detail);
    match params.and_then(|params| list::page(&reader, &snapshot, &params)) {
        Ok(markup) => respond(StatusCode::OK, reader.lang, &markup),
        Err(why) => refuse(&reader, &why),
    }
}

/// Of which class the last hours are drawn; empty: of the worst.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct HistoryParams {
    class: String,
}

/// One device. Somebody else's is told like one that does not exist.
pub(in crate::web) async fn one(
    State(state): State<HttpState>,
    Path(id): Path<String>,
    params: Params<HistoryParams>,
    visit: Visit,
) -> Response {
    let reader = page::view(&state, &visit);
    let params = params.map(|Query(params)| params).unwrap_or_default();
    let Ok(id) = DeviceId::parse(&id) else { return page::nothing(&reader, None) };
    let snapshot = state.snapshot.load();
    let seen = seen(&snapshot, &id);
    let files = files(&state, &id).await;
    let rung = || files.iter().find_map(|file| file.incident.ladder.get(&id));
    let branch = branch_of(&snapshot, &id).or_else(|| rung().and_then(|rung| rung.branch.as_deref()));
    if (seen.is_none() && files.is_empty()) || !reader.sees(&id) {
        return page::nothing(&reader, None);
    }
    let branch = reader.branch_of(&id, branch);
    let may = visit.principal.as_ref().is_some_and(|who| who.may_on(Action::SeeContacts, &id));
    let contact = match state.incident_store.as_ref().filter(|_| may) {
        Some(incidents) => incidents.contact(&id).await.ok().flatten(),
        None => None,
    };
    let detected = detected(&state, &files).await;
    let history = history(&state, &id).await;
    let known = view::Known {
        device: &id,
        branch,
        seen,
        contact: contact.as_ref(),
        files: &files,
        detected: detected.as_ref(),
        history: history.as_ref().map(Option::as_ref),
        class: &params.class,
    };
    respond(StatusCode::OK, reader.lang, &view::page(&reader, &known))
}

/// The device's last hours, where minutes are kept; `Some(None)` where none of it are known. The engine may be in a tick: the wait is
/// another thread's.
async fn history(state: &HttpState, device: &DeviceId) -> Option<Option<DeviceHistory>> {
    let (history, device) = (Arc::clone(state.history.as_ref()?), device.clone());
    tokio::task::spawn_blocking(move || history.device(&device)).await.ok()
}

/// What the detector wrote about the latest incident of a device.
async fn detected(state: &HttpState, files: &[IncidentFile]) -> Option<Result<Option<EventRecord>, StoreError>> {
    Some(state.store.event(files.first()?.incident.id()).await)
}

/// The device's incidents, the latest first. One that cannot be read is left out and told in the log.
async fn files(state: &HttpState, device: &DeviceId) -> Vec<IncidentFile> {
    let mut numbers: Vec<String> =
        state.board().of_device(device).map(|incident| incident.number().to_owned()).collect();
    if let Some(incidents) = &state.incident_store {
        let query = IncidentQuery { device: Some(device.clone()), limit: OF_DEVICE, ..IncidentQuery::default() };
        match incidents.incidents(&query).await {
            Ok(found) => numbers.extend(found.into_iter().map(|summary| summary.number)),
            Err(error) => tracing::error!(reason = error.reason(), %error, "a device's incidents cannot be read"),
        }
    }
    let mut files: Vec<IncidentFile> = Vec::new();
    for number in numbers {
        if files.iter().any(|file| file.incident.number() == number) {
            continue;
        }
        match state.file(&number).await {
            Ok(found) => files.extend(found),
            Err(error) => tracing::error!(reason = error.reason(), %error, %number, "an incident cannot be read"),
        }
    }
    files.sort_by_key(|file| std::cmp::Reverse(file.incident.opening.declared_at));
    files
}
