//! The page of the gates, and its form.

use axum::Form;
use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::api::{control, problem, who};
use super::view;
use crate::engine::gate::{Decision, Gate};
use crate::record::access::Principal;
use crate::web::access::caller::Visit;
use crate::web::server::html::respond;
use crate::web::server::page;
use crate::web::server::problem::Problem;
use crate::web::server::state::HttpState;

/// The form of the page.
#[derive(Debug, Deserialize)]
pub(in crate::web) struct Filled {
    version: String,
    gate: Gate,
    by: Option<String>,
    reason: String,
}

pub(in crate::web) async fn show(State(state): State<HttpState>, visit: Visit) -> Response {
    let reader = page::view(&state, &visit);
    let board = state.gates.as_ref().map(|gates| gates.board());
    respond(StatusCode::OK, reader.lang, &view::page(&reader, board.as_deref(), None))
}

pub(in crate::web) async fn submit(
    State(state): State<HttpState>,
    principal: Principal,
    visit: Visit,
    filled: Result<Form<Filled>, FormRejection>,
) -> Response {
    match decide_filled(&state, &principal, filled).await {
        // The language of the page, when it was chosen, is in the query.
        Ok(_) => {
            let query = visit.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
            (StatusCode::SEE_OTHER, [(header::LOCATION, format!("/gates{query}"))]).into_response()
        }
        Err(problem) => refused(&state, &visit, &problem),
    }
}

async fn decide_filled(
    state: &HttpState,
    principal: &Principal,
    filled: Result<Form<Filled>, FormRejection>,
) -> Result<Decision, Problem> {
    let gates = control(state)?;
    let Form(filled) = filled.map_err(|rejection| Problem::new(rejection.status(), rejection.body_text()))?;
    let Filled { version, gate, by, reason } = filled;
    let by = who(principal, by)?;
    gates.decide(&version, gate, &by, &reason).await.map_err(|error| problem(&error))
}

/// The page of the gates with why a decision was not taken.
fn refused(state: &HttpState, visit: &Visit, problem: &Problem) -> Response {
    let reader = page::view(state, visit);
    let board = state.gates.as_ref().map(|gates| gates.board());
    respond(problem.status, reader.lang, &view::page(&reader, board.as_deref(), Some(&problem.detail)))
}
