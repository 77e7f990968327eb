//! The page of the report.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::params::{ReportError, ReportParams};
use super::view;
use crate::web::access::caller::Visit;
use crate::web::server::html::{refuse, respond};
use crate::web::server::page;
use crate::web::server::problem::{self, Params};
use crate::web::server::state::HttpState;

pub(in crate::web) async fn show(
    State(state): State<HttpState>,
    params: Params<ReportParams>,
    visit: Visit,
) -> Response {
    let reader = page::view(&state, &visit);
    let params = match problem::params(params) {
        Ok(params) => params,
        Err(problem) => return refuse(&reader, &problem.detail),
    };
    let report = params.report(&state).await;
    let status = match &report {
        Err(ReportError::Moment(_) | ReportError::Backwards) => StatusCode::BAD_REQUEST,
        Ok(_) | Err(ReportError::Store(_)) => StatusCode::OK,
    };
    respond(status, reader.lang, &view::page(&reader, &params, &report))
}
