//! What the pages of people's work read before they are drawn.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::view;
use crate::engine::device::DeviceId;
use crate::record::access::Action;
use crate::record::incident::{ContactEntry, IncidentQuery};
use crate::record::incidents::{IncidentFile, OpenIncidents};
use crate::record::{EventRecord, StoreError};
use crate::web::HttpState;
use crate::web::access::Visit;
use crate::web::branch::view as branch;
use crate::web::device::filter::{branch_of, seen};
use crate::web::device::view as device;
use crate::web::event::view as event;
use crate::web::incident::ladder::LadderParams;
use crate::web::incident::{review, timeline as story, view as incident};
use crate::web::server::problem::{self, Params};
use crate::web::settings::view as settings;
use crate::web::ui::frame;
use crate::web::ui::fresh::Fresh;
use crate::web::work::Fields;

/// Seconds after which a page that could not be read is tried again without JavaScript.
const RETRY_S: u32 = 10;

/// Seconds after which the record reloads without JavaScript.
const REFRESH_S: u32 = 30;

/// Attempts of delivery on an incident's page.
const ATTEMPTS: u32 = 30;

/// Incidents on a device's page.
const OF_DEVICE: u32 = 10;

/// Most contacts that a branch's page reads: what is not done, and not more than people can call.
const CONTACTS: usize = 200;

/// The open incidents; none where nobody can work on them.
pub(in crate::web) fn board(state: &HttpState) -> Arc<OpenIncidents> {
    state.desk.as_ref().map(|desk| desk.board()).unwrap_or_default()
}

/// The incident with its record, if there is one of this number that people work on.
async fn file(state: &HttpState, id: &str) -> Result<Option<IncidentFile>, StoreError> {
    match &state.desk {
        Some(desk) => desk.file(id).await,
        None => Ok(None),
    }
}

/// Tells a browser that there is nothing, or that it cannot be read.
fn nothing(view: &frame::View<'_>, error: Option<&StoreError>) -> Response {
    let page = match error {
        None => return frame::respond(StatusCode::NOT_FOUND, view.lang, &frame::not_found(view)),
        Some(error) => crate::web::now::view::unreadable(view, error),
    };
    let page = frame::framed(view, view.text().blind, frame::Place::None, Fresh::Whole(Some(RETRY_S)), &page);
    frame::respond(StatusCode::SERVICE_UNAVAILABLE, view.lang, &page)
}

/// One incident, or an event that is none (yet).
pub(in crate::web) async fn incident(
    State(state): State<HttpState>,
    Path(id): Path<String>,
    params: Params<LadderParams>,
    visit: Visit,
) -> Response {
    let view = view(&state, &visit);
    let params = match problem::params(params) {
        Ok(params) => params,
        Err(problem) => return frame::refuse(&view, &problem.detail),
    };
    let file = match file(&state, &id).await {
        Ok(Some(file)) => file,
        Ok(None) => return event(&state, &view, &id).await,
        Err(error) => return nothing(&view, Some(&error)),
    };
    let event_id = file.incident.id().to_owned();
    let attempts = async {
        match state.outbox.as_ref().filter(|_| delivers(&state)) {
            Some(outbox) => Some(outbox.attempts(Some(file.incident.number()), ATTEMPTS).await),
            None => None,
        }
    };
    let (attempts, detected) = tokio::join!(attempts, state.store.event(&event_id));
    let obstacles = state.desk.as_ref().and_then(|desk| desk.obstacles(&id));
    let shown = incident::Shown {
        incident: &file.incident,
        record: &file.record,
        board: &board(&state),
        obstacles: obstacles.as_ref().filter(|_| file.incident.is_open()),
        attempts: attempts.as_ref(),
        detected: detected.as_ref().map(Option::as_ref),
        snapshot: &state.snapshot.load(),
        params: &params,
    };
    frame::respond(StatusCode::OK, view.lang, &incident::page(&view, &shown))
}

/// Whether anything delivers: a log that stays empty because nothing is set up would look like silence.
fn delivers(state: &HttpState) -> bool {
    let channels = state.settings.pointer("/notify/channel").and_then(serde_json::Value::as_array);
    channels.is_some_and(|channels| !channels.is_empty())
}

async fn event(state: &HttpState, view: &frame::View<'_>, id: &str) -> Response {
    let record = state.store.event(id).await;
    let snapshot = state.snapshot.load();
    match event::page(view, &snapshot, (id, state.desk.is_some()), record) {
        Some(markup) => frame::respond(StatusCode::OK, view.lang, &markup),
        None => nothing(view, None),
    }
}

/// Where a page of the record begins, and whose entries it has.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct RecordParams {
    before: Option<i64>,
    by: String,
}

/// The whole record of an incident, a page at a time.
pub(in crate::web) async fn record(
    State(state): State<HttpState>,
    Path(id): Path<String>,
    params: Params<RecordParams>,
    visit: Visit,
) -> Response {
    let view = view(&state, &visit);
    let params = params.map(|Query(params)| params).unwrap_or_default();
    match file(&state, &id).await {
        Ok(Some(file)) => {
            let path = incident::path_of(&file.incident);
            let text = view.lang.incident();
            let title = format!("{}: {}", text.record, file.incident.number());
            let body = maud::html! {
                h1 { (title) }
                p.screen { a href=(view.link(&path, "")) { (file.incident.number()) } }
                (story::page(&view, &file.record, &path, (params.before, params.by == "people")))
            };
            let page = frame::framed(&view, &title, frame::Place::Incidents, Fresh::Whole(Some(REFRESH_S)), &body);
            frame::respond(StatusCode::OK, view.lang, &page)
        }
        other => nothing(&view, other.err().as_ref()),
    }
}

/// The review of an incident.
pub(in crate::web) async fn review(State(state): State<HttpState>, Path(id): Path<String>, visit: Visit) -> Response {
    let view = view(&state, &visit);
    match file(&state, &id).await {
        Ok(Some(file)) => {
            let board = board(&state);
            let fields = review::beginning(&file.incident);
            let draft = review::draft(&view, &file, &board.settings);
            let page = review::page(&view, (&file.incident, &board.settings), draft.as_deref(), (&fields, &[]));
            frame::respond(StatusCode::OK, view.lang, &page)
        }
        other => nothing(&view, other.err().as_ref()),
    }
}

/// The same as Markdown, to file and to mail.
pub(in crate::web) async fn review_markdown(
    State(state): State<HttpState>,
    Path(id): Path<String>,
    visit: Visit,
) -> Response {
    let view = view(&state, &visit);
    match file(&state, &id).await {
        Ok(Some(file)) => {
            let name = format!("attachment; filename=\"{}.md\"", file.incident.number());
            let headers = [
                (header::CONTENT_TYPE, "text/markdown; charset=utf-8".to_owned()),
                (header::CONTENT_DISPOSITION, name),
            ];
            (headers, review::markdown(&view, &file, &board(&state).settings)).into_response()
        }
        other => nothing(&view, other.err().as_ref()),
    }
}

/// Every branch.
pub(in crate::web) async fn branches(State(state): State<HttpState>, visit: Visit) -> Response {
    let view = view(&state, &visit);
    let page = branch::list(&view, &state.snapshot.load(), &board(&state));
    frame::respond(StatusCode::OK, view.lang, &page)
}

/// One branch. Somebody else's is told like one that does not exist.
pub(in crate::web) async fn branch(
    State(state): State<HttpState>,
    Path(name): Path<String>,
    params: Params<LadderParams>,
    visit: Visit,
) -> Response {
    let view = view(&state, &visit);
    let params = params.map(|Query(params)| params).unwrap_or_default();
    let (snapshot, board) = (state.snapshot.load(), board(&state));
    let name = crate::engine::label::form(&name);
    let of = |device: &DeviceId, told: Option<&str>| view.branch_of(device, told) == Some(&*name);
    let known = snapshot.devices.iter().any(|device| of(&device.id, device.branch.as_deref()))
        || board
            .incidents
            .iter()
            .any(|incident| incident.ladder.iter().any(|(device, rung)| of(device, rung.branch.as_deref())));
    if !known || !view.sees_branch(Some(&name)) {
        return nothing(&view, None);
    }
    let contacts =
        if view.may(Action::SeeContacts) { contacts(&state, &view, &board, &name).await } else { HashMap::new() };
    let page = branch::page(&view, (&name, &snapshot, &board), &contacts, &params);
    frame::respond(StatusCode::OK, view.lang, &page)
}

/// Whom to call about the branch's devices that are not done.
async fn contacts(
    state: &HttpState,
    view: &frame::View<'_>,
    board: &OpenIncidents,
    branch: &str,
) -> HashMap<DeviceId, ContactEntry> {
    let Some(store) = &state.incidents else { return HashMap::new() };
    let open = board.incidents.iter().flat_map(|incident| incident.open_devices());
    let own = open.filter(|(device, rung)| view.branch_of(device, rung.branch.as_deref()) == Some(branch));
    let own = own.map(|(device, _)| device);
    let mut found = HashMap::new();
    for device in own.take(CONTACTS) {
        match store.contact(device).await {
            Ok(Some(entry)) => {
                found.insert(device.clone(), entry);
            }
            Ok(None) => {}
            Err(error) => {
                tracing::error!(reason = error.reason(), %error, "contacts cannot be read");
                break;
            }
        }
    }
    found
}

/// One device. Somebody else's is told like one that does not exist.
pub(in crate::web) async fn device(State(state): State<HttpState>, Path(id): Path<String>, visit: Visit) -> Response {
    let view = view(&state, &visit);
    let Ok(id) = DeviceId::parse(&id) else { return nothing(&view, None) };
    let snapshot = state.snapshot.load();
    let seen = seen(&snapshot, &id);
    let files = files(&state, &id).await;
    let rung = || files.iter().find_map(|file| file.incident.ladder.get(&id));
    let branch = branch_of(&snapshot, &id).or_else(|| rung().and_then(|rung| rung.branch.as_deref()));
    if (seen.is_none() && files.is_empty()) || !view.sees(&id) {
        return nothing(&view, None);
    }
    let branch = view.branch_of(&id, branch);
    let may = visit.principal.as_ref().is_some_and(|who| who.may_on(Action::SeeContacts, &id));
    let contact = match state.incidents.as_ref().filter(|_| may) {
        Some(incidents) => incidents.contact(&id).await.ok().flatten(),
        None => None,
    };
    let detected = detected(&state, &files).await;
    let known = device::Known {
        device: &id,
        branch,
        seen,
        contact: contact.as_ref(),
        files: &files,
        detected: detected.as_ref(),
    };
    frame::respond(StatusCode::OK, view.lang, &device::page(&view, &known))
}

/// What the detector wrote about the latest incident of a device.
async fn detected(state: &HttpState, files: &[IncidentFile]) -> Option<Result<Option<EventRecord>, StoreError>> {
    Some(state.store.event(files.first()?.incident.id()).await)
}

/// The device's incidents, the latest first. One that cannot be read is left out and told in the log.
async fn files(state: &HttpState, device: &DeviceId) -> Vec<IncidentFile> {
    let mut numbers: Vec<String> =
        board(state).of_device(device).map(|incident| incident.number().to_owned()).collect();
    if let Some(incidents) = &state.incidents {
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
        match file(state, &number).await {
            Ok(found) => files.extend(found),
            Err(error) => tracing::error!(reason = error.reason(), %error, %number, "an incident cannot be read"),
        }
    }
    files.sort_by_key(|file| std::cmp::Reverse(file.incident.opening.declared_at));
    files
}

/// What is in force.
pub(in crate::web) async fn settings(State(state): State<HttpState>, visit: Visit) -> Response {
    let view = view(&state, &visit);
    let board = board(&state);
    let life = state.desk.as_ref().map(|_| (&*board.settings, &*board.rota));
    frame::respond(StatusCode::OK, view.lang, &settings::page(&view, &state.settings, life, &state.channels))
}

/// The page of an act, with what was typed and what was wrong with it.
pub(in crate::web) fn act(
    (state, visit): (&HttpState, &Visit),
    subject: &crate::web::incident::forms::Subject<'_>,
    filled: Option<&Fields>,
    (status, faults): (StatusCode, &[crate::web::work::Fault]),
) -> Response {
    let view = view(state, visit);
    let beginning;
    let fields = match filled {
        Some(fields) => fields,
        None => {
            beginning = crate::web::incident::forms::beginning(subject.act, subject.incident, &view);
            &beginning
        }
    };
    // The review has a page of its own, with its form.
    let page = match (subject.act, subject.incident) {
        (crate::web::work::Act::Review, Some(incident)) => {
            review::page(&view, (incident, &subject.board.settings), None, (fields, faults))
        }
        _ => crate::web::incident::forms::page(&view, subject, fields, faults),
    };
    frame::respond(status, view.lang, &page)
}

/// The page of the support desk.
pub(in crate::web) fn support(
    (state, visit): (&HttpState, &Visit),
    desk: &crate::web::support::view::Desk<'_>,
    fields: &Fields,
    (status, faults): (StatusCode, &[crate::web::work::Fault]),
) -> Response {
    let view = view(state, visit);
    frame::respond(status, view.lang, &crate::web::support::view::page(&view, desk, fields, faults))
}

/// There is nothing at this address.
pub(in crate::web) fn missing(state: &HttpState, visit: &Visit) -> Response {
    nothing(&view(state, visit), None)
}

/// The reader's language.
pub(in crate::web) fn lang(state: &HttpState, visit: &Visit) -> crate::web::lang::Lang {
    view(state, visit).lang
}

/// The address of another page, in the language that was chosen.
pub(in crate::web) fn address(state: &HttpState, visit: &Visit, path: &str, query: &str) -> String {
    view(state, visit).link(path, query)
}
