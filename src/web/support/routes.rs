//! The support desk: look-ups, calls, claims.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Form;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::view::{self, Candidate, Desk, Found, Looked, Past};
use crate::engine::device::DeviceId;
use crate::engine::snapshot::Snapshot;
use crate::incident::ladder::{Call, CallOutcome, Claim, Direction, Progress};
use crate::incident::{Action as Happened, Command, Incident, Rung};
use crate::record::access::{Action, Principal, policy};
use crate::record::incident::ContactEntry;
use crate::record::incidents::OpenIncidents;
use crate::web::access::caller::Visit;
use crate::web::device::filter::{searched, seen};
use crate::web::incident::parse::named;
use crate::web::server::html::respond;
use crate::web::server::page;
use crate::web::server::refused::{Filled, fault_of, log, see_other, status_of};
use crate::web::server::state::HttpState;
use crate::web::ui::fields::{Fault, Fields};
use crate::words::Lang;

/// Most devices that a look-up lists.
const LISTED: usize = 20;

/// Contacts that are read for a look-up: those of other branches are then left out.
const READ: u32 = 200;

/// What the page is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct SupportParams {
    q: String,
    watch: String,
    done: String,
}

/// The page, empty or with what was looked up.
pub(in crate::web) async fn page(
    State(state): State<HttpState>,
    params: Result<Query<SupportParams>, QueryRejection>,
    visit: Visit,
) -> Response {
    let params = params.map(|Query(params)| params).unwrap_or_default();
    show(&state, &visit, &params, &Fields::default(), (StatusCode::OK, &[])).await
}

async fn show(
    state: &HttpState,
    visit: &Visit,
    params: &SupportParams,
    fields: &Fields,
    told: (StatusCode, &[Fault]),
) -> Response {
    let snapshot = state.snapshot.load();
    let board = state.board();
    let q = params.q.trim();
    let found = match &visit.principal {
        Some(principal) if !q.is_empty() => look(state, &snapshot, &board, principal, q).await,
        _ => Found::Unasked,
    };
    let desk = Desk { q, watched: params.watch == "on", done: &params.done, board: &board, found };
    let reader = page::view(state, visit);
    respond(told.0, reader.lang, &view::page(&reader, &desk, fields, told.1))
}

/// Who and where a device is, from whatever knows it: the fleet, an open incident, the contacts.
fn candidate(
    snapshot: &Snapshot,
    board: &OpenIncidents,
    device: &DeviceId,
    contact: Option<&ContactEntry>,
) -> Candidate {
    let rung = board.of_device(device).find_map(|incident| incident.ladder.get(device));
    let branch = seen(snapshot, device).and_then(|view| view.branch.as_deref().map(str::to_owned));
    let branch = branch.or_else(|| rung.and_then(|rung| rung.branch.clone()));
    let customer = contact.and_then(|entry| entry.customer.clone());
    Candidate {
        device: device.clone(),
        customer: customer.or_else(|| rung.and_then(|rung| rung.customer.clone())),
        branch: branch.or_else(|| contact.and_then(|entry| entry.branch.clone())),
    }
}

/// Finds devices by serial, by customer and, for who may see contacts, by name and phone number.
async fn look<'a>(
    state: &HttpState,
    snapshot: &'a Snapshot,
    board: &OpenIncidents,
    principal: &Principal,
    q: &str,
) -> Found<'a> {
    let contacts = match state.incident_store.as_ref().filter(|_| principal.may(Action::SeeContacts)) {
        Some(incidents) => incidents.find_contacts(q, READ).await.unwrap_or_else(|error| {
            tracing::error!(reason = error.reason(), %error, "contacts cannot be searched");
            Vec::new()
        }),
        None => Vec::new(),
    };
    let wanted = searched(q);
    let holds = |text: &str| searched(text).contains(&wanted);
    let mut ids: Vec<DeviceId> = contacts.iter().map(|entry| entry.device.clone()).collect();
    ids.extend(snapshot.devices.iter().filter(|device| holds(device.id.as_str())).map(|device| device.id.clone()));
    let rungs = board.incidents.iter().flat_map(|incident| incident.ladder.iter());
    let known = rungs.filter(|(device, rung)| holds(device.as_str()) || rung.customer.as_deref().is_some_and(&holds));
    ids.extend(known.map(|(device, _)| device.clone()));
    ids.sort_unstable();
    ids.dedup();
    let contact = |device: &DeviceId| contacts.iter().find(|entry| entry.device == *device);
    let mut found: Vec<Candidate> = ids
        .iter()
        .map(|device| candidate(snapshot, board, device, contact(device)))
        .filter(|found| principal.sees(&found.device))
        .collect();
    // A whole serial means that device, though others begin with it.
    if let Some(exact) = found.iter().position(|found| searched(found.device.as_str()) == wanted) {
        found = vec![found.swap_remove(exact)];
    }
    let more = found.len() > LISTED;
    found.truncate(LISTED);
    match (found.pop(), found.is_empty()) {
        (None, _) => Found::Nobody,
        (Some(one), true) => Found::One(Box::new(looked(state, snapshot, principal, one).await)),
        (Some(last), false) => {
            found.push(last);
            Found::Several(found, more)
        }
    }
}

async fn looked<'a>(state: &HttpState, snapshot: &'a Snapshot, principal: &Principal, one: Candidate) -> Looked<'a> {
    let may = principal.may_on(Action::SeeContacts, &one.device);
    let branch = principal.branch_of(&one.device, one.branch.as_deref()).map(str::to_owned);
    let contact = match state.incident_store.as_ref().filter(|_| may) {
        Some(incidents) => incidents.contact(&one.device).await.ok().flatten(),
        None => None,
    };
    let calls = past(state, principal, &one).await;
    Looked { seen: seen(snapshot, &one.device), device: one.device, branch, customer: one.customer, contact, calls }
}

/// Calls about the device, and about the other devices of its customer, in open incidents. A record that cannot be read is told in
/// the log; the counts stand in the incident.
async fn past(state: &HttpState, principal: &Principal, one: &Candidate) -> Vec<Past> {
    let Some(incidents) = &state.incidents else { return Vec::new() };
    let mut calls = Vec::new();
    for incident in &incidents.board().incidents {
        let is_own = |device: &DeviceId, rung: &Rung| {
            let same = one.customer.is_some() && rung.customer == one.customer;
            *device == one.device || (same && principal.may_on(Action::SeeContacts, device))
        };
        let own: BTreeSet<&DeviceId> = incident
            .ladder
            .iter()
            .filter(|(device, rung)| rung.calls > 0 && is_own(device, rung))
            .map(|(device, _)| device)
            .collect();
        if own.is_empty() {
            continue;
        }
        let record = match incidents.file(incident.number()).await {
            Ok(Some(file)) => file.record,
            Ok(None) => continue,
            Err(error) => {
                tracing::error!(reason = error.reason(), %error, "the calls about a device cannot be read");
                continue;
            }
        };
        calls.extend(record.happened().filter_map(|event| match &event.action {
            Happened::Called { device, call } if own.contains(device) => Some(Past {
                incident: incident.number().to_owned(),
                device: device.clone(),
                at: event.at,
                by: event.by.clone(),
                call: call.clone(),
            }),
            _ => None,
        }));
    }
    calls.sort_by_key(|past| past.at);
    calls
}

/// A device and an incident that it is part of, as a form names them.
struct Target {
    device: DeviceId,
    incident: Arc<Incident>,
    /// Calls about the device so far, and who made the last of them is in the record.
    calls: u32,
}

/// Reads the target of a form.
fn target(state: &HttpState, lang: Lang, fields: &Fields) -> Result<Target, (StatusCode, Fault)> {
    let text = lang.act();
    let unreadable = |why: String| (StatusCode::UNPROCESSABLE_ENTITY, Fault::new("", why));
    let typed = fields.get("device");
    let device = DeviceId::parse(typed).map_err(|_| unreadable((text.wrong_device)(typed)))?;
    let board = state.board();
    let incident = board.find(fields.get("incident")).ok_or_else(|| unreadable(text.no_incident.to_owned()))?;
    let rung = incident.ladder.get(&device).ok_or_else(|| unreadable(text.no_incident.to_owned()))?;
    Ok(Target { device, calls: rung.calls, incident: Arc::clone(incident) })
}

/// Records a call.
pub(in crate::web) async fn call(State(state): State<HttpState>, visit: Visit, filled: Filled) -> Response {
    let read = |lang: Lang, fields: &Fields, target: &Target| {
        let text = lang.act();
        let outcome = named(CallOutcome::ALL, fields.get("outcome"), CallOutcome::as_str);
        let outcome = outcome.ok_or_else(|| Fault::new("outcome", text.wrong_choice))?;
        let progress = match fields.get("progress") {
            "" => None,
            name => {
                Some(named(Progress::ALL, name, Progress::as_str).ok_or(Fault::new("progress", text.wrong_choice))?)
            }
        };
        let direction = match fields.get("direction") {
            "" => Direction::Outgoing,
            name => named(Direction::ALL, name, Direction::as_str).ok_or(Fault::new("direction", text.wrong_choice))?,
        };
        // Two taps, or two people at once: the second is asked whether it really was another call.
        if fields.get("calls").parse() != Ok(target.calls) {
            return Err(Fault::new("", lang.support().call_meanwhile));
        }
        let call = Call {
            outcome,
            progress,
            note: fields.get("note").to_owned(),
            script: fields.get("script").parse().ok(),
            direction,
        };
        Ok(Command::RecordCall { device: target.device.clone(), call })
    };
    act(&state, &visit, filled, "call", read).await
}

/// Claims a step of one device.
pub(in crate::web) async fn claim(State(state): State<HttpState>, visit: Visit, filled: Filled) -> Response {
    let read = |lang: Lang, fields: &Fields, target: &Target| {
        let claim = named(Claim::ALL, fields.get("claim"), Claim::as_str);
        let claim = claim.ok_or_else(|| Fault::new("", lang.act().wrong_choice))?;
        Ok(Command::Claim { devices: vec![target.device.clone()], claim })
    };
    act(&state, &visit, filled, "claim", read).await
}

async fn act(
    state: &HttpState,
    visit: &Visit,
    filled: Filled,
    done: &str,
    read: impl Fn(Lang, &Fields, &Target) -> Result<Command, Fault>,
) -> Response {
    let lang = page::lang(state, visit);
    let fields = match filled {
        Ok(Form(pairs)) => Fields::from(pairs),
        Err(rejection) => {
            let fault = Fault::new("", rejection.body_text());
            return show(state, visit, &SupportParams::default(), &Fields::default(), (rejection.status(), &[fault]))
                .await;
        }
    };
    let params = SupportParams { q: fields.get("device").to_owned(), ..SupportParams::default() };
    let refuse = |status, fault: Fault| {
        let (params, fields) = (&params, &fields);
        async move { show(state, visit, params, fields, (status, &[fault])).await }
    };
    let target = match target(state, lang, &fields) {
        Ok(target) => target,
        Err((status, fault)) => return refuse(status, fault).await,
    };
    let command = match read(lang, &fields, &target) {
        Ok(command) => command,
        Err(fault) => return refuse(StatusCode::UNPROCESSABLE_ENTITY, fault).await,
    };
    let who = visit.principal.as_ref();
    if who.is_none_or(|who| policy::allows(who, &command, &target.incident).is_err()) {
        let role = who.map_or("-", |who| who.role.as_str());
        return refuse(StatusCode::FORBIDDEN, Fault::new("", (lang.act().may_not)(role))).await;
    }
    let by = fields.by(who);
    let Some(incidents) = &state.incidents else { return page::missing(state, visit) };
    match incidents.execute(target.incident.number(), None, command, &by).await {
        Ok(_) => {
            let query = format!("q={}&done={done}", target.device);
            see_other(&page::address(state, visit, "/support", &query))
        }
        Err(error) => {
            log(&error);
            refuse(status_of(&error), fault_of(lang, &error)).await
        }
    }
}
