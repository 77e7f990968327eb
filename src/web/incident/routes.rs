//! The pages of an incident, to read.

use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::ladder::LadderParams;
use super::parts::path_of;
use super::{review, timeline, view};
use crate::web::access::caller::Visit;
use crate::web::event;
use crate::web::server::html::{refuse, respond};
use crate::web::server::page;
use crate::web::server::problem::{self, Params};
use crate::web::server::state::HttpState;
use crate::web::ui::frame::{Place, framed};
use crate::web::ui::fresh::Fresh;

/// Seconds after which the record reloads without JavaScript.
const REFRESH_S: u32 = 30;

/// Attempts of delivery on an incident's page.
const ATTEMPTS: u32 = 30;

/// One incident, or an event that is none (yet).
pub(in crate::web) async fn one(
    State(state): State<HttpState>,
    Path(id): Path<String>,
    params: Params<LadderParams>,
    visit: Visit,
) -> Response {
    let reader = page::view(&state, &visit);
    let params = match problem::params(params) {
        Ok(params) => params,
        Err(problem) => return refuse(&reader, &problem.detail),
    };
    let file = match state.file(&id).await {
        Ok(Some(file)) => file,
        Ok(None) => return event::routes::one(&state, &reader, &id).await,
        Err(error) => return page::nothing(&reader, Some(&error)),
    };
    let event_id = file.incident.id().to_owned();
    let attempts = async {
        match state.outbox.as_ref().filter(|_| delivers(&state)) {
            Some(outbox) => Some(outbox.attempts(Some(file.incident.number()), ATTEMPTS).await),
            None => None,
        }
    };
    let (attempts, detected) = tokio::join!(attempts, state.store.event(&event_id));
    let obstacles = state.incidents.as_ref().and_then(|incidents| incidents.obstacles(&id));
    let shown = view::Shown {
        incident: &file.incident,
        record: &file.record,
        board: &state.board(),
        obstacles: obstacles.as_ref().filter(|_| file.incident.is_open()),
        attempts: attempts.as_ref(),
        detected: detected.as_ref().map(Option::as_ref),
        snapshot: &state.snapshot.load(),
        params: &params,
    };
    respond(StatusCode::OK, reader.lang, &view::page(&reader, &shown))
}

/// Whether anything delivers: a log that stays empty because nothing is set up would look like silence.
fn delivers(state: &HttpState) -> bool {
    let channels = state.settings.pointer("/notify/channel").and_then(serde_json::Value::as_array);
    channels.is_some_and(|channels| !channels.is_empty())
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
    let reader = page::view(&state, &visit);
    let params = params.map(|Query(params)| params).unwrap_or_default();
    match state.file(&id).await {
        Ok(Some(file)) => {
            let path = path_of(&file.incident);
            let text = reader.lang.incident();
            let title = format!("{}: {}", text.record, file.incident.number());
            let body = maud::html! {
                h1 { (title) }
                p.screen { a href=(reader.link(&path, "")) { (file.incident.number()) } }
                (timeline::page(&reader, &file.record, &path, (params.before, params.by == "people")))
            };
            let page = framed(&reader, &title, Place::Incidents, Fresh::Whole(Some(REFRESH_S)), &body);
            respond(StatusCode::OK, reader.lang, &page)
        }
        other => page::nothing(&reader, other.err().as_ref()),
    }
}

/// The review of an incident.
pub(in crate::web) async fn review(State(state): State<HttpState>, Path(id): Path<String>, visit: Visit) -> Response {
    let reader = page::view(&state, &visit);
    match state.file(&id).await {
        Ok(Some(file)) => {
            let board = state.board();
            let draft = review::draft(&reader, &file, &board.settings);
            let fields = review::beginning(&reader, &file.incident, draft.as_deref());
            let page = review::page(&reader, (&file.incident, &board.settings), draft.as_deref(), (&fields, &[]));
            respond(StatusCode::OK, reader.lang, &page)
        }
        other => page::nothing(&reader, other.err().as_ref()),
    }
}

/// The same as Markdown, to file and to mail.
pub(in crate::web) async fn review_markdown(
    State(state): State<HttpState>,
    Path(id): Path<String>,
    visit: Visit,
) -> Response {
    let reader = page::view(&state, &visit);
    match state.file(&id).await {
        Ok(Some(file)) => {
            let name = format!("attachment; filename=\"{}.md\"", file.incident.number());
            let headers = [
                (header::CONTENT_TYPE, "text/markdown; charset=utf-8".to_owned()),
                (header::CONTENT_DISPOSITION, name),
            ];
            (headers, review::markdown(&reader, &file, &state.board().settings)).into_response()
        }
        other => page::nothing(&reader, other.err().as_ref()),
    }
}
