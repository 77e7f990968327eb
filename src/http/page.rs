//! The pages. Server-rendered, no JavaScript; a state is always told by a word and a shape, never by colour alone.

mod devices;
mod evidence;
mod frame;
mod gate;
mod incident;
mod now;
mod parts;
mod report;
mod strip;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use self::frame::View;
use super::HttpState;
use super::filter::DeviceParams;
use super::lang::Lang;
use super::problem::Problem;
use super::report::{ReportError, ReportParams};
use crate::record::IncidentQuery;

/// Incidents on the page of now.
const RECENT: u32 = 10;

/// Incidents on their own page.
const LISTED: u32 = 200;

/// Parameters that every page takes.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PageParams {
    lang: String,
    /// `off`: the page does not reload by itself.
    refresh: String,
}

/// The common parameters, read from the query string; what cannot be read is as if absent.
fn view<'a>(state: &'a HttpState, uri: &'a Uri, headers: &HeaderMap) -> View<'a> {
    let params = Query::<PageParams>::try_from_uri(uri).map(|Query(params)| params).unwrap_or_default();
    let chosen = Lang::from_code(&params.lang);
    View {
        lang: chosen.unwrap_or_else(|| Lang::accepted(headers)),
        lang_chosen: chosen.is_some(),
        refresh: params.refresh != "off",
        uri,
        zone: &state.zone,
        now: state.clock.now(),
        speed: state.clock.speed(),
    }
}

pub(super) async fn now(State(state): State<HttpState>, uri: Uri, headers: HeaderMap) -> Response {
    let recent = state.store.incidents(IncidentQuery { limit: RECENT, ..IncidentQuery::default() }).await;
    let snapshot = state.snapshot.load();
    let view = view(&state, &uri, &headers);
    let board = state.gates.as_ref().map(|gates| gates.board());
    let page = now::page(&view, &snapshot, &state.health.latches(), (recent, board.as_deref()));
    frame::respond(StatusCode::OK, view.lang, &page)
}

pub(super) async fn incidents(State(state): State<HttpState>, uri: Uri, headers: HeaderMap) -> Response {
    let query = IncidentQuery { limit: LISTED, with_warnings: true, ..IncidentQuery::default() };
    let listed = state.store.incidents(query).await;
    let view = view(&state, &uri, &headers);
    frame::respond(StatusCode::OK, view.lang, &incident::list(&view, listed))
}

pub(super) async fn incident(
    State(state): State<HttpState>,
    Path(id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let record = state.store.incident(&id).await;
    let snapshot = state.snapshot.load();
    let view = view(&state, &uri, &headers);
    match incident::page(&view, &snapshot, &id, record) {
        Some(markup) => frame::respond(StatusCode::OK, view.lang, &markup),
        None => frame::respond(StatusCode::NOT_FOUND, view.lang, &frame::not_found(&view)),
    }
}

pub(super) async fn devices(
    State(state): State<HttpState>,
    params: Result<Query<DeviceParams>, QueryRejection>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let snapshot = state.snapshot.load();
    let view = view(&state, &uri, &headers);
    let page = match params {
        Ok(Query(params)) => devices::page(&view, &snapshot, &params),
        Err(rejection) => Err(rejection.body_text()),
    };
    match page {
        Ok(markup) => frame::respond(StatusCode::OK, view.lang, &markup),
        Err(why) => frame::respond(StatusCode::BAD_REQUEST, view.lang, &frame::bad_request(&view, &why)),
    }
}

pub(super) async fn gates(State(state): State<HttpState>, uri: Uri, headers: HeaderMap) -> Response {
    let view = view(&state, &uri, &headers);
    let board = state.gates.as_ref().map(|gates| gates.board());
    frame::respond(StatusCode::OK, view.lang, &gate::page(&view, board.as_deref(), None))
}

/// The page of the gates with why a decision was not taken.
pub(super) fn gates_refused(state: &HttpState, uri: &Uri, headers: &HeaderMap, problem: &Problem) -> Response {
    let view = view(state, uri, headers);
    let board = state.gates.as_ref().map(|gates| gates.board());
    frame::respond(problem.status, view.lang, &gate::page(&view, board.as_deref(), Some(&problem.detail)))
}

pub(super) async fn report(
    State(state): State<HttpState>,
    params: Result<Query<ReportParams>, QueryRejection>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let view = view(&state, &uri, &headers);
    let params = match params {
        Ok(Query(params)) => params,
        Err(rejection) => {
            let page = frame::bad_request(&view, &rejection.body_text());
            return frame::respond(StatusCode::BAD_REQUEST, view.lang, &page);
        }
    };
    let report = params.report(&state).await;
    let status = match &report {
        Err(ReportError::Moment(_) | ReportError::Backwards) => StatusCode::BAD_REQUEST,
        Ok(_) | Err(ReportError::Store(_)) => StatusCode::OK,
    };
    frame::respond(status, view.lang, &report::page(&view, &params, &report))
}

/// For a browser that asked for a path that is not there.
pub(super) fn not_found(uri: &Uri, headers: &HeaderMap) -> Response {
    let lang = Lang::accepted(headers);
    frame::respond(StatusCode::NOT_FOUND, lang, &frame::plain_not_found(lang, uri)).into_response()
}
