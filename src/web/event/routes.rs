//! The list of incidents, and an event that nobody works on (yet).

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::view;
use crate::record::EventQuery;
use crate::web::access::caller::Visit;
use crate::web::server::html::respond;
use crate::web::server::page;
use crate::web::server::state::HttpState;
use crate::web::ui::view::View;

/// Incidents on their own page.
const LISTED: u32 = 200;

pub(in crate::web) async fn list(State(state): State<HttpState>, visit: Visit) -> Response {
    let query = EventQuery { limit: LISTED, with_warnings: true, ..EventQuery::default() };
    let listed = state.store.events(query).await;
    let lives = state.lives().await;
    let reader = page::view(&state, &visit);
    respond(StatusCode::OK, reader.lang, &view::list(&reader, listed, &lives))
}

/// The page of one event.
pub(in crate::web) async fn one(state: &HttpState, reader: &View<'_>, id: &str) -> Response {
    let record = state.store.event(id).await;
    let snapshot = state.snapshot.load();
    match view::page(reader, &snapshot, (id, state.incidents.is_some()), record) {
        Some(markup) => respond(StatusCode::OK, reader.lang, &markup),
        None => page::nothing(reader, None),
    }
}
