//! Whom to call. Names, numbers and addresses are for those who talk with customers, and stay out of logs and of the record.
// The macro that describes a handler writes paths in full.
#![allow(unused_qualifications)]

use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::engine::device::DeviceId;
use crate::engine::label;
use crate::record::access::Principal;
use crate::record::incident::{Contact, ContactEntry};
use crate::web::incident::api::IncidentsApi;
use crate::web::server::problem::{Params, Problem, params};
use crate::web::server::schema::ProblemBody;
use crate::web::server::state::HttpState;

/// Most contacts in one answer, and taken over at a time.
const MAX_FOUND: u32 = 50;
const MAX_TAKEN: usize = 5_000;

/// Longest text of a field in characters.
const MAX_FIELD: usize = 200;

/// A device with its customer and whom to call.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::web) struct ContactView {
    device: String,
    customer: Option<String>,
    branch: Option<String>,
    /// Whom to call.
    name: Option<String>,
    phone: Option<String>,
    mail: Option<String>,
    /// Numbers of the open incidents that the device is part of.
    incidents: Vec<String>,
}

/// Contacts that were found.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::web) struct Contacts {
    contacts: Vec<ContactView>,
}

/// Whom to call about a device from now on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct ContactRequest {
    #[schema(pattern = "^[A-Za-z0-9_-]{1,64}$")]
    device: String,
    #[serde(default)]
    #[schema(max_length = 200)]
    customer: Option<String>,
    #[serde(default)]
    #[schema(max_length = 200)]
    branch: Option<String>,
    #[serde(default)]
    #[schema(max_length = 200)]
    name: Option<String>,
    #[serde(default)]
    #[schema(max_length = 200)]
    phone: Option<String>,
    #[serde(default)]
    #[schema(max_length = 200)]
    mail: Option<String>,
}

/// Contacts to take over.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct ContactsRequest {
    contacts: Vec<ContactRequest>,
}

/// What was taken over.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::web) struct Taken {
    taken: usize,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::web) struct Search {
    /// Part of a serial, customer, name or telephone number; at least two characters.
    #[param(min_length = 2, max_length = 128)]
    q: String,
}

fn view(incidents: &IncidentsApi, entry: ContactEntry) -> Result<ContactView, Problem> {
    let ContactEntry { device, customer, branch, contact: Contact { name, phone, mail } } = entry;
    let board = incidents.incidents()?.board();
    let incidents = board.of_device(&device).map(|incident| incident.number().to_owned()).collect();
    Ok(ContactView { device: device.to_string(), customer, branch, name, phone, mail, incidents })
}

/// Finds whom to call by what a caller says.
#[utoipa::path(get, path = "/api/v1/contacts", tag = "contacts", params(Search), responses(
    (status = 200, body = Contacts, description = "At most 50, sorted by device"),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    (status = 503, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(in crate::web) async fn find(
    State(incidents): State<IncidentsApi>,
    principal: Principal,
    query: Params<Search>,
) -> Result<Json<Contacts>, Problem> {
    let Search { q } = params(query)?;
    let text = q.trim();
    if text.chars().count() < 2 || q.chars().count() > 128 {
        return Err(Problem::bad_request("q has 2 to 128 characters"));
    }
    // One of a branch might find only others' among the first: those are asked for in larger number, and left out.
    let limit = if principal.branches.is_empty() { MAX_FOUND } else { MAX_TAKEN as u32 };
    let found = incidents.store()?.find_contacts(text, limit).await.map_err(|error| Problem::record(&error))?;
    let own = found.into_iter().filter(|entry| principal.sees(&entry.device));
    let contacts = own.take(MAX_FOUND as usize).map(|entry| view(&incidents, entry)).collect::<Result<_, _>>()?;
    Ok(Json(Contacts { contacts }))
}

/// Whom to call about one device.
#[utoipa::path(get, path = "/api/v1/contacts/{device}", tag = "contacts",
    params(("device" = String, Path, description = "Serial of the device", pattern = "^[A-Za-z0-9_-]{1,64}$")), responses(
    (status = 200, body = ContactView),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    (status = 503, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(in crate::web) async fn one(
    State(incidents): State<IncidentsApi>,
    principal: Principal,
    Path(device): Path<String>,
) -> Result<Json<ContactView>, Problem> {
    let device = DeviceId::parse(&device).map_err(|error| Problem::bad_request(error.to_string()))?;
    let found = incidents.store()?.contact(&device).await.map_err(|error| Problem::record(&error))?;
    let own = found.filter(|entry| principal.sees(&entry.device));
    let entry = own.ok_or_else(|| Problem::missing(format!("there is no contact for {device}")))?;
    view(&incidents, entry).map(Json)
}

/// Takes over contacts: those of the given devices are replaced, others left as they are.
#[utoipa::path(put, path = "/api/v1/contacts", tag = "contacts", request_body = ContactsRequest, responses(
    (status = 200, body = Taken),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    (status = 503, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(in crate::web) async fn import(
    State(state): State<HttpState>,
    State(incidents): State<IncidentsApi>,
    principal: Principal,
    sent: crate::web::incident::api::write::Sent,
) -> Result<Json<Taken>, Problem> {
    let ContactsRequest { contacts } = sent.json()?;
    if contacts.len() > MAX_TAKEN {
        return Err(Problem::bad_request(format!("at most {MAX_TAKEN} contacts at a time")));
    }
    let entries: Vec<ContactEntry> = contacts.into_iter().map(entry).collect::<Result<_, _>>()?;
    incidents.store()?.put_contacts(&entries, state.clock.now()).await.map_err(|error| Problem::record(&error))?;
    // How many, and by whom; never which.
    tracing::info!(by = %principal.name, contacts = entries.len(), "contacts were taken over");
    Ok(Json(Taken { taken: entries.len() }))
}

fn entry(request: ContactRequest) -> Result<ContactEntry, Problem> {
    let ContactRequest { device, customer, branch, name, phone, mail } = request;
    let id = DeviceId::parse(&device).map_err(|error| Problem::bad_request(format!("{device:?}: {error}")))?;
    let formed = |field: Option<String>| -> Result<Option<String>, Problem> {
        let Some(sent) = field else { return Ok(None) };
        let field = label::form(&sent).into_owned();
        // As it is sent, which is what the description bounds, and as it is kept: a sign may stand for several.
        if sent.chars().count().max(field.chars().count()) > MAX_FIELD {
            return Err(Problem::bad_request(format!("{device}: a field has at most {MAX_FIELD} characters")));
        }
        Ok((!field.is_empty()).then_some(field))
    };
    let (customer, branch) = (formed(customer)?, formed(branch)?);
    let (name, phone, mail) = (formed(name)?, formed(phone)?, formed(mail)?);
    Ok(ContactEntry { device: id, customer, branch, contact: Contact { name, phone, mail } })
}
