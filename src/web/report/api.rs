//! What a night amounted to, for programs.
// The macro that describes a handler writes paths in full.
#![allow(unused_qualifications)]

use axum::Json;
use axum::extract::State;

use super::params::{ReportError, ReportParams};
use crate::record::report::MorningReport;
use crate::web::server::problem::{self, Params, Problem};
use crate::web::server::schema::{AnyObject, ProblemBody};
use crate::web::server::state::HttpState;

/// What a night amounted to.
#[utoipa::path(get, path = "/api/v1/report", tag = "fleet", params(ReportParams), responses(
    (status = 200, body = AnyObject),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    (status = 503, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(in crate::web) async fn report(
    State(state): State<HttpState>,
    params: Params<ReportParams>,
) -> Result<Json<MorningReport>, Problem> {
    let params = problem::params(params)?;
    let report = params.report(&state).await.map_err(|error| match error {
        ReportError::Moment(what) => {
            Problem::bad_request(format!("{what:?} is no time: write 18:00, 24h, or RFC 3339"))
        }
        ReportError::Backwards => Problem::bad_request("since must be before until"),
        ReportError::Store(error) => Problem::record(&error),
    })?;
    Ok(Json(report))
}
