//! For machines that watch this one.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Serialize;

use super::health::Latch;
use crate::web::access::caller::Caller;
use crate::web::server::state::HttpState;

#[derive(Serialize)]
struct Readiness {
    ready: bool,
    latches: Vec<Latch>,
}

/// Why a latch is closed, as strangers may read it. The reason itself names paths, hosts and accounts of this machine: it is for whoever is
/// known here, for this machine, and for the log.
fn in_short(name: &str) -> &'static str {
    match name {
        "restore" => "the state is being taken up",
        "broker" => "there is no session with the broker",
        "journal" => "the journal cannot be written",
        "decision" => "the detector is late",
        "store" => "the record cannot be written",
        _ => "it does not work; the log says why",
    }
}

pub(in crate::web) async fn livez() -> &'static str {
    "alive\n"
}

/// Whoever is still known has not been forgotten.
pub(in crate::web) async fn here() -> StatusCode {
    StatusCode::NO_CONTENT
}

pub(in crate::web) async fn readyz(State(state): State<HttpState>, caller: Extension<Caller>) -> Response {
    let mut latches = state.health.latches();
    if !caller.is_local() && !matches!(caller.identity, Ok(Some(_))) {
        for latch in latches.iter_mut().filter(|latch| !latch.ready) {
            latch.reason = in_short(latch.name).to_owned();
        }
    }
    let ready = latches.iter().all(|latch| latch.ready);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness { ready, latches })).into_response()
}

pub(in crate::web) async fn metrics(State(state): State<HttpState>) -> Response {
    // Milliseconds of plain work: handed to a thread that may be kept busy.
    match tokio::task::spawn_blocking(move || (state.metrics)()).await {
        Ok((content_type, text)) => ([(header::CONTENT_TYPE, content_type)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the metrics could not be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
