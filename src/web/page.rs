//! The pages. Server-rendered, and whole without JavaScript; a state is always told by a word and a shape, never by colour alone.

pub(super) mod work;

use std::net::IpAddr;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::HttpState;
use super::access::view::{self as access, Notice, Way};
use super::access::{Foreign, Visit};
use super::device::list as devices;
use super::event::view as event;
use super::gate::view as gate;
use super::lang::Lang;
use super::now::{view as now, wall};
use super::report::view as report;
use super::ui::frame;
use crate::incident::IncidentSummary;
use crate::record::EventQuery;
use crate::record::access::{Principal, Role, Session};
use crate::record::incident::IncidentQuery;
use crate::web::device::filter::DeviceParams;
use crate::web::report::params::{ReportError, ReportParams};
use crate::web::server::problem::{self, Params, Problem};
use crate::web::ui::frame::View;
pub(super) use crate::web::ui::parts::encode;

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
fn view<'a>(state: &'a HttpState, visit: &'a Visit) -> View<'a> {
    let params = Query::<PageParams>::try_from_uri(&visit.uri).map(|Query(params)| params).unwrap_or_default();
    let chosen = Lang::from_code(&params.lang);
    View {
        lang: chosen.unwrap_or_else(|| Lang::accepted(&visit.headers)),
        lang_chosen: chosen.is_some(),
        refresh: params.refresh != "off",
        uri: &visit.uri,
        principal: visit.principal.as_ref(),
        form_token: &visit.form_token,
        zone: &state.zone,
        now: state.clock.now(),
        seen_at: state.snapshot.load().at,
        posted: visit.posted,
        speed: state.clock.speed(),
    }
}

pub(super) async fn now(State(state): State<HttpState>, visit: Visit) -> Response {
    // A branch has what is its own, not the fleet.
    if visit.principal.as_ref().is_some_and(|principal| principal.role == Role::Branch) {
        return (StatusCode::SEE_OTHER, [(header::LOCATION, "/branches")]).into_response();
    }
    let recent = state.store.events(EventQuery { limit: RECENT, ..EventQuery::default() }).await;
    let lives = lives(&state).await;
    let snapshot = state.snapshot.load();
    let view = view(&state, &visit);
    let board = state.gates.as_ref().map(|gates| gates.board());
    let incidents = work::board(&state);
    let page = now::page(
        &view,
        &snapshot,
        (&state.health.latches(), &state.channels),
        (recent, board.as_deref()),
        (&incidents, &lives),
    );
    frame::respond(StatusCode::OK, view.lang, &page)
}

/// What a screen on the wall shows.
pub(super) async fn wall(State(state): State<HttpState>, visit: Visit) -> Response {
    let snapshot = state.snapshot.load();
    let view = view(&state, &visit);
    let page = wall::page(&view, &snapshot, &state.health.latches(), &work::board(&state));
    frame::respond(StatusCode::OK, view.lang, &page)
}

/// Incidents as people work on them, in short: where they have one, their state is what a list shows.
pub(super) async fn lives(state: &HttpState) -> Vec<IncidentSummary> {
    match &state.incidents {
        Some(incidents) => {
            incidents.incidents(&IncidentQuery { limit: LISTED, ..IncidentQuery::default() }).await.unwrap_or_default()
        }
        None => Vec::new(),
    }
}

pub(super) async fn incidents(State(state): State<HttpState>, visit: Visit) -> Response {
    let query = EventQuery { limit: LISTED, with_warnings: true, ..EventQuery::default() };
    let listed = state.store.events(query).await;
    let lives = lives(&state).await;
    let view = view(&state, &visit);
    frame::respond(StatusCode::OK, view.lang, &event::list(&view, listed, &lives))
}

pub(super) async fn devices(State(state): State<HttpState>, params: Params<DeviceParams>, visit: Visit) -> Response {
    let snapshot = state.snapshot.load();
    let view = view(&state, &visit);
    let params = problem::params(params).map_err(|problem| problem.detail);
    match params.and_then(|params| devices::page(&view, &snapshot, &params)) {
        Ok(markup) => frame::respond(StatusCode::OK, view.lang, &markup),
        Err(why) => frame::refuse(&view, &why),
    }
}

pub(super) async fn gates(State(state): State<HttpState>, visit: Visit) -> Response {
    let view = view(&state, &visit);
    let board = state.gates.as_ref().map(|gates| gates.board());
    frame::respond(StatusCode::OK, view.lang, &gate::page(&view, board.as_deref(), None))
}

/// The page of the gates with why a decision was not taken.
pub(super) fn gates_refused(state: &HttpState, visit: &Visit, problem: &Problem) -> Response {
    let view = view(state, visit);
    let board = state.gates.as_ref().map(|gates| gates.board());
    frame::respond(problem.status, view.lang, &gate::page(&view, board.as_deref(), Some(&problem.detail)))
}

pub(super) async fn report(State(state): State<HttpState>, params: Params<ReportParams>, visit: Visit) -> Response {
    let view = view(&state, &visit);
    let params = match problem::params(params) {
        Ok(params) => params,
        Err(problem) => return frame::refuse(&view, &problem.detail),
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
    frame::respond(StatusCode::NOT_FOUND, lang, &frame::plain(lang, uri, frame::not_found)).into_response()
}

/// For a browser whose request was refused.
pub(super) fn refused(uri: &Uri, headers: &HeaderMap, problem: &Problem) -> Response {
    let lang = Lang::accepted(headers);
    let page = frame::plain(lang, uri, |view| access::refused(view, &problem.detail));
    frame::respond(problem.status, lang, &page)
}

/// For a browser elsewhere, where only this machine is answered.
pub(super) fn only_here(uri: &Uri, headers: &HeaderMap, sign: &Foreign) -> Response {
    let lang = Lang::accepted(headers);
    let page = frame::plain(lang, uri, |view| access::only_here(view, sign));
    frame::respond(StatusCode::FORBIDDEN, lang, &page)
}

/// The login page.
pub(super) fn login(state: &HttpState, visit: &Visit, way: Way, next: &str, notice: Option<Notice>) -> Response {
    let view = view(state, visit);
    let status = if notice.is_some() { StatusCode::UNAUTHORIZED } else { StatusCode::OK };
    frame::respond(status, view.lang, &access::login(&view, way, next, notice))
}

/// The own account.
pub(super) fn account(
    state: &HttpState,
    visit: &Visit,
    principal: &Principal,
    (here, sessions): ((IpAddr, bool), &[Session]),
) -> Response {
    let view = view(state, visit);
    frame::respond(StatusCode::OK, view.lang, &access::account(&view, principal, (here, sessions)))
}
