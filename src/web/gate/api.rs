//! What is decided about updates: read by programs, decided by people through the API or the form of the page.
//!
//! Who decides is who is logged in. Only where nobody is asked (`access.mode = "none"`) the name is what the request says.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::engine::gate::{Decision, Gate};
use crate::record::access::Principal;
use crate::record::{GateControl, GateError};
use crate::web::server::problem::Problem;
use crate::web::server::schema::{AnyObject, ProblemBody};
use crate::web::server::state::HttpState;

/// What the updater is told.
#[derive(Serialize, ToSchema)]
pub(in crate::web) struct Gates {
    #[schema(value_type = Vec<Object>)]
    gates: Vec<Decision>,
    /// Messages to the updater that the broker does not hold yet: the updater is not told of the latest decisions.
    untold: u64,
}

/// What a person sends to the API. Other fields are refused: a misspelt one would be a decision without it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = GateRequest)]
pub(in crate::web) struct Request {
    /// `hold` or `release`.
    #[schema(value_type = String, pattern = "^(hold|release)$")]
    gate: Gate,
    /// Needed only where nobody is asked who this is.
    by: Option<String>,
    reason: String,
}

pub(in crate::web) fn control(state: &HttpState) -> Result<&dyn GateControl, Problem> {
    state.gates.as_deref().ok_or_else(|| Problem::missing("nothing is decided about updates: gate.enabled is false"))
}

/// Why a decision was not taken.
pub(in crate::web) fn problem(error: &GateError) -> Problem {
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

/// What the updater is told about each version.
#[utoipa::path(get, path = "/api/v1/gates", tag = "gates", responses(
    (status = 200, body = Gates),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(in crate::web) async fn gates(State(state): State<HttpState>) -> Result<Json<Gates>, Problem> {
    let board = control(&state)?.board();
    Ok(Json(Gates { gates: board.decisions.clone(), untold: board.untold }))
}

/// The devices that are kept out of the first night of an update.
#[utoipa::path(get, path = "/api/v1/control-ring", tag = "gates", responses(
    (status = 200, body = AnyObject),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(in crate::web) async fn control_ring(State(state): State<HttpState>) -> Result<Response, Problem> {
    let ring = control(&state)?.board().ring.message();
    Ok(([(header::CONTENT_TYPE, "application/json")], Bytes::from(ring)).into_response())
}

/// A person holds or releases an update.
#[utoipa::path(post, path = "/api/v1/gates/{version}", tag = "gates", request_body = Request,
    params(("version" = String, Path, description = "The update's version, as devices send it")), responses(
    (status = 200, body = AnyObject),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    (status = 503, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(in crate::web) async fn decide(
    State(state): State<HttpState>,
    Path(version): Path<String>,
    principal: Principal,
    request: Result<Json<Request>, JsonRejection>,
) -> Result<Json<Decision>, Problem> {
    let Json(request) = request.map_err(|rejection| Problem::new(rejection.status(), rejection.body_text()))?;
    let by = who(&principal, request.by)?;
    let decided = control(&state)?.decide(&version, request.gate, &by, &request.reason).await;
    decided.map(Json).map_err(|error| problem(&error))
}

/// Whose decision it is. Nobody decides in another's name.
pub(in crate::web) fn who(principal: &Principal, said: Option<String>) -> Result<String, Problem> {
    match said {
        None => Ok(principal.name.clone()),
        Some(said) if !principal.is_proved() || said == principal.name => Ok(said),
        Some(_) => Err(Problem::bad_request(format!("leave out \"by\": this is decided by {}", principal.name))),
    }
}
