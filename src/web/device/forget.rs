//! Taking devices out of the fleet, for who administers it.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::engine::device::DeviceId;
use crate::engine::label;
use crate::record::access::{Principal, check_name};
use crate::record::fleet::ForgetError;
use crate::web::gate::api::who;
use crate::web::server::problem::Problem;
use crate::web::server::schema::ProblemBody;
use crate::web::server::state::HttpState;

/// Most devices of one request, and longest reason in characters.
const MAX_DEVICES: usize = 1_000;
const MAX_REASON: usize = 1_000;

/// Which devices are to be forgotten. Other fields are refused.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ForgetRequest)]
pub(in crate::web) struct Request {
    /// 1 to 1,000 of them; all are forgotten, or none.
    #[schema(value_type = Vec<String>, min_items = 1, max_items = 1_000)]
    devices: Vec<DeviceId>,
    /// Needed only where nobody is asked who this is.
    by: Option<String>,
    /// Stands in the record.
    #[schema(min_length = 1, max_length = 1_000)]
    reason: String,
}

/// What was forgotten.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::web) struct Forgotten {
    #[schema(value_type = Vec<String>)]
    forgotten: Vec<DeviceId>,
}

/// Takes devices out of the fleet: what was learnt of them and whom to call about them. One that reports again is a new one.
#[utoipa::path(post, path = "/api/v1/devices/forget", tag = "fleet", request_body = Request, responses(
    (status = 200, body = Forgotten),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    (status = 503, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(in crate::web) async fn forget(
    State(state): State<HttpState>,
    principal: Principal,
    request: Result<Json<Request>, JsonRejection>,
) -> Result<Json<Forgotten>, Problem> {
    let Json(Request { devices, by, reason }) =
        request.map_err(|rejection| Problem::new(rejection.status(), rejection.body_text()))?;
    if devices.is_empty() || devices.len() > MAX_DEVICES {
        return Err(Problem::bad_request(format!("name 1 to {MAX_DEVICES} devices")));
    }
    let reason = label::visible(reason.trim());
    let length = reason.chars().count();
    if length == 0 || length > MAX_REASON || reason.contains(char::is_control) {
        return Err(Problem::bad_request(format!("say why, in 1 to {MAX_REASON} characters on one line")));
    }
    let by = label::form(&who(&principal, by)?).into_owned();
    check_name(&by).map_err(|error| Problem::bad_request(error.to_string()))?;
    let fleet = state.fleet.as_deref().ok_or_else(|| Problem::missing("no fleet is watched here"))?;
    match fleet.forget(&devices, &by, &reason).await {
        Ok(()) => Ok(Json(Forgotten { forgotten: devices })),
        Err(error @ ForgetError::Kept(_)) => Err(Problem::new(StatusCode::CONFLICT, error.to_string())),
        Err(error) => {
            tracing::error!(%error, "devices could not be forgotten");
            let detail = match error {
                ForgetError::Store(error) => {
                    format!("it could not be recorded, so nothing was forgotten: {}", error.reason())
                }
                error => error.to_string(),
            };
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail))
        }
    }
}
