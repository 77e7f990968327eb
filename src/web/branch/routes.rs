//! A branch, and the list of them.

use std::collections::HashMap;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::view;
use crate::engine::device::DeviceId;
use crate::engine::label;
use crate::record::access::Action;
use crate::record::incident::ContactEntry;
use crate::record::incidents::OpenIncidents;
use crate::web::access::caller::Visit;
use crate::web::incident::ladder::LadderParams;
use crate::web::server::html::respond;
use crate::web::server::page;
use crate::web::server::problem::Params;
use crate::web::server::state::HttpState;
use crate::web::ui::view::View;

/// Most contacts that a branch's page reads: what is not done, and not more than people can call.
const CONTACTS: usize = 200;

/// Every branch.
pub(in crate::web) async fn list(State(state): State<HttpState>, visit: Visit) -> Response {
    let reader = page::view(&state, &visit);
    let page = view::list(&reader, &state.snapshot.load(), &state.board());
    respond(StatusCode::OK, reader.lang, &page)
}

/// One branch. Somebody else's is told like one that does not exist.
pub(in crate::web) async fn one(
    State(state): State<HttpState>,
    Path(name): Path<String>,
    params: Params<LadderParams>,
    visit: Visit,
) -> Response {
    let reader = page::view(&state, &visit);
    let params = params.map(|Query(params)| params).unwrap_or_default();
    let (snapshot, board) = (state.snapshot.load(), state.board());
    let name = label::form(&name);
    let of = |device: &DeviceId, told: Option<&str>| reader.branch_of(device, told) == Some(&*name);
    let known = snapshot.devices.iter().any(|device| of(&device.id, device.branch.as_deref()))
        || board
            .incidents
            .iter()
            .any(|incident| incident.ladder.iter().any(|(device, rung)| of(device, rung.branch.as_deref())));
    if !known || !reader.sees_branch(Some(&name)) {
        return page::nothing(&reader, None);
    }
    let contacts =
        if reader.may(Action::SeeContacts) { contacts(&state, &reader, &board, &name).await } else { HashMap::new() };
    let page = view::page(&reader, (&name, &snapshot, &board), &contacts, &params);
    respond(StatusCode::OK, reader.lang, &page)
}

/// Whom to call about the branch's devices that are not done.
async fn contacts(
    state: &HttpState,
    reader: &View<'_>,
    board: &OpenIncidents,
    branch: &str,
) -> HashMap<DeviceId, ContactEntry> {
    let Some(store) = &state.incident_store else { return HashMap::new() };
    let open = board.incidents.iter().flat_map(|incident| incident.open_devices());
    let own = open.filter(|(device, rung)| reader.branch_of(device, rung.branch.as_deref()) == Some(branch));
    let own = own.map(|(device, _)| device);
    let mut found = HashMap::new();
    for device in own.take(CONTACTS) {
        match store.contact(device).await {
            Ok(Some(entry)) => {
                found.insert(device.clone(), entry);
            }
            Ok(None) => {}
            Err(error) => {
                tracing::error!(reason = error.reason(), %error, "contacts cannot be read");
                break;
            }
        }
    }
    found
}
