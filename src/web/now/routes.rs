//! The first page, and the wall.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::{view, wall};
use crate::record::EventQuery;
use crate::record::access::Role;
use crate::record::fleet::Trend;
use crate::web::access::caller::Visit;
use crate::web::server::html::respond;
use crate::web::server::page;
use crate::web::server::state::HttpState;

/// Incidents on the page of now.
const RECENT: u32 = 10;

pub(in crate::web) async fn now(State(state): State<HttpState>, visit: Visit) -> Response {
    // A branch has what is its own, not the fleet.
    if visit.principal.as_ref().is_some_and(|principal| principal.role == Role::Branch) {
        return (StatusCode::SEE_OTHER, [(header::LOCATION, "/branches")]).into_response();
    }
    let recent = state.store.events(EventQuery { limit: RECENT, ..EventQuery::default() }).await;
    let lives = state.lives().await;
    let trend = trend(&state).await;
    let snapshot = state.snapshot.load();
    let reader = page::view(&state, &visit);
    let board = state.gates.as_ref().map(|gates| gates.board());
    let incidents = state.board();
    let page = view::page(
        &reader,
        &snapshot,
        (&state.health.latches(), &state.channels),
        (recent, board.as_deref()),
        (&incidents, &lives),
        trend.as_deref(),
    );
    respond(StatusCode::OK, reader.lang, &page)
}

/// What a screen on the wall shows.
pub(in crate::web) async fn wall(State(state): State<HttpState>, visit: Visit) -> Response {
    let snapshot = state.snapshot.load();
    let reader = page::view(&state, &visit);
    let page = wall::page(&reader, &snapshot, &state.health.latches(), &state.board());
    respond(StatusCode::OK, reader.lang, &page)
}

/// The fleet's last hours. The engine may be in a tick: the wait is another thread's.
async fn trend(state: &HttpState) -> Option<Arc<Trend>> {
    let history = Arc::clone(state.history.as_ref()?);
    tokio::task::spawn_blocking(move || history.trend()).await.ok()
}
