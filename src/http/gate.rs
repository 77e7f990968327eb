//! What is decided about updates: read by programs, decided by people through the API or the form of the page.
//!
//! These are the only requests that change something. A page of another origin in a browser that reaches this listener must not
//! make them, so the form answers to a browser that says that it comes from here, and the API to a body of JSON, which
//! no foreign page can send without asking first.

use axum::body::Bytes;
use axum::extract::rejection::{FormRejection, JsonRejection};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::{Form, Json};
use serde::{Deserialize, Serialize};

use super::problem::Problem;
use super::{HttpState, guard, page};
use crate::engine::gate::{Decision, Gate};
use crate::record::{GateDesk, GateError};

#[derive(Serialize)]
pub(super) struct Gates {
    gates: Vec<Decision>,
}

/// What a person sends to the API. Other fields are refused: a misspelt one would be a decision without it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wish {
    gate: Gate,
    by: String,
    reason: String,
}

/// The form of the page.
#[derive(Debug, Deserialize)]
pub(super) struct Filled {
    version: String,
    gate: Gate,
    by: String,
    reason: String,
}

fn desk(state: &HttpState) -> Result<&dyn GateDesk, Problem> {
    state.gates.as_deref().ok_or_else(|| Problem::missing("nothing is decided about updates: gate.enabled is false"))
}

/// Why a decision was not taken.
fn problem(error: &GateError) -> Problem {
    match error {
        GateError::Refused(refused) => Problem::bad_request(refused.to_string()),
        GateError::Store(error) => {
            tracing::error!(reason = error.reason(), %error, "a decision could not be recorded");
            Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                format!("the decision could not be recorded and is not in force: {}", error.reason()),
            )
        }
    }
}

pub(super) async fn gates(State(state): State<HttpState>) -> Result<Json<Gates>, Problem> {
    Ok(Json(Gates { gates: desk(&state)?.board().decisions.clone() }))
}

pub(super) async fn control_ring(State(state): State<HttpState>) -> Result<Response, Problem> {
    let ring = desk(&state)?.board().ring.message();
    Ok(([(header::CONTENT_TYPE, "application/json")], Bytes::from(ring)).into_response())
}

pub(super) async fn decide(
    State(state): State<HttpState>,
    Path(version): Path<String>,
    headers: HeaderMap,
    wish: Result<Json<Wish>, JsonRejection>,
) -> Result<Json<Decision>, Problem> {
    if !guard::may_come_from_here(&headers) {
        return Err(foreign());
    }
    let Json(wish) = wish.map_err(|rejection| Problem::new(rejection.status(), rejection.body_text()))?;
    let decided = desk(&state)?.decide(&version, wish.gate, &wish.by, &wish.reason).await;
    decided.map(Json).map_err(|error| problem(&error))
}

pub(super) async fn submit(
    State(state): State<HttpState>,
    uri: Uri,
    headers: HeaderMap,
    filled: Result<Form<Filled>, FormRejection>,
) -> Response {
    if !guard::comes_from_here(&headers) {
        return page::gates_refused(&state, &uri, &headers, &foreign());
    }
    let decided = match (desk(&state), filled) {
        (Err(problem), _) => Err(problem),
        (_, Err(rejection)) => Err(Problem::new(rejection.status(), rejection.body_text())),
        (Ok(desk), Ok(Form(Filled { version, gate, by, reason }))) => {
            desk.decide(&version, gate, &by, &reason).await.map_err(|error| problem(&error))
        }
    };
    match decided {
        // The language of the page, when it was chosen, is in the query.
        Ok(_) => {
            let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
            (StatusCode::SEE_OTHER, [(header::LOCATION, format!("/gates{query}"))]).into_response()
        }
        Err(problem) => page::gates_refused(&state, &uri, &headers, &problem),
    }
}

fn foreign() -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "the request does not come from this listener's own page")
}
