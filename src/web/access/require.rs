//! What a group of routes takes, and who is let through.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::caller::Caller;
use super::cookie::Jar;
use super::{Access, form};
use crate::record::access::Action;
use crate::web::server::html::refuse_request;
use crate::web::server::problem::{Problem, forbidden, unauthorized, wants_page};
use crate::web::ui::login;

/// The header with which a page asks for itself again.
const REFRESH: HeaderName = HeaderName::from_static("x-fleetwatch-refresh");

/// What a group of routes takes.
#[derive(Clone, Debug)]
pub(in crate::web) struct Needed {
    pub(in crate::web) access: Arc<Access>,
    /// `None`: somebody who is known; what is asked for decides, and the handler asks.
    pub(in crate::web) action: Option<Action>,
}

/// Lets through who may do what the group of routes takes, and no form but our own.
pub(in crate::web) async fn require(State(needed): State<Needed>, request: Request, next: Next) -> Response {
    let Needed { access, action } = needed;
    let Some(caller) = request.extensions().get::<Caller>().cloned() else {
        // Only a router that was put together wrongly comes here; nothing is let through.
        return Problem::new(StatusCode::UNAUTHORIZED, "nobody was asked who this is").into_response();
    };
    let principal = match caller.identity.as_ref() {
        Err(refusal) => return refusal.told(request.uri(), request.headers()),
        Ok(None) => return unknown(&access, &request),
        Ok(Some(principal)) => principal,
    };
    if let Some(action) = action
        && !principal.may(action)
    {
        return refuse_request(&request, &forbidden(principal, action));
    }
    match form::check(&access, &caller, request).await {
        Ok(request) => next.run(request).await,
        Err(refused) => refused,
    }
}

/// Lets programs read the metrics: from this machine, from listed networks, or with the right to.
pub(in crate::web) async fn guard_metrics(State(access): State<Arc<Access>>, request: Request, next: Next) -> Response {
    let Some(caller) = request.extensions().get::<Caller>() else {
        return Problem::new(StatusCode::UNAUTHORIZED, "nobody was asked who this is").into_response();
    };
    let from_here =
        caller.origin.as_ref().is_some_and(|origin| origin.is_local() || origin.is_from(&access.settings.metrics_from));
    match caller.identity.as_ref() {
        _ if from_here => next.run(request).await,
        Ok(Some(principal)) if principal.may(Action::Scrape) => next.run(request).await,
        Ok(Some(principal)) => forbidden(principal, Action::Scrape).into_response(),
        Ok(None) => {
            unauthorized("the metrics need a token with the scope metrics, or a network of access.metrics_from")
        }
        Err(refusal) => refusal.clone().into_response(),
    }
}

/// Sends a browser to the login and tells a program what is missing.
fn unknown(access: &Access, request: &Request) -> Response {
    let uri = request.uri();
    // A page that asks for itself again (`live.js`) is told so, and goes to the login as a whole.
    let refreshes = request.headers().contains_key(&REFRESH);
    if wants_page(request.headers()) && !refreshes && !uri.path().starts_with("/api/") {
        let there = uri.path_and_query().map_or("/", |path| path.as_str());
        let next = if request.method().is_safe() { there } else { "/" };
        // Whoever was logged in a while ago is led through the provider at once: there they mostly still are.
        let had_session = access.cookies.read(Jar::Session, request.headers()).is_some();
        let there =
            if access.oidc.is_some() && had_session { login::start_address(next) } else { login::address(next) };
        return (StatusCode::SEE_OTHER, [(header::LOCATION, there)]).into_response();
    }
    unauthorized("this needs a session, or a token: Authorization: Bearer fw_...")
}
