//! For machines that watch this one.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::HttpState;
use super::health::Latch;

#[derive(Serialize)]
struct Readiness {
    ready: bool,
    latches: Vec<Latch>,
}

pub(super) async fn livez() -> &'static str {
    "alive\n"
}

/// Whoever is still known has not been forgotten.
pub(super) async fn here() -> StatusCode {
    StatusCode::NO_CONTENT
}

pub(super) async fn readyz(State(state): State<HttpState>) -> Response {
    let latches = state.health.latches();
    let ready = latches.iter().all(|latch| latch.ready);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness { ready, latches })).into_response()
}

pub(super) async fn metrics(State(state): State<HttpState>) -> Response {
    // Milliseconds of plain work: handed to a thread that may be kept busy.
    match tokio::task::spawn_blocking(move || (state.metrics)()).await {
        Ok((content_type, text)) => ([(header::CONTENT_TYPE, content_type)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the metrics could not be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
