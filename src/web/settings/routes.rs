//! The page of the settings.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::view;
use crate::web::access::caller::Visit;
use crate::web::server::html::respond;
use crate::web::server::page;
use crate::web::server::state::HttpState;

/// What is in force.
pub(in crate::web) async fn show(State(state): State<HttpState>, visit: Visit) -> Response {
    let reader = page::view(&state, &visit);
    let board = state.board();
    let life = state.incidents.as_ref().map(|_| (&*board.settings, &*board.rota));
    respond(StatusCode::OK, reader.lang, &view::page(&reader, &state.settings, life, &state.channels))
}
