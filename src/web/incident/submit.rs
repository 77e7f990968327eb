//! The forms of an incident: shown, filled in, done or refused.

use std::sync::Arc;

use axum::Form;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::controls::Subject;
use super::forms;
use super::parse::{Reader, Request};
use super::parts::path_of;
use super::review;
use crate::incident::{Act, Incident};
use crate::record::access::{Action, Principal, policy};
use crate::record::incidents::{IncidentError, Incidents, OpenIncidents};
use crate::web::access::caller::Visit;
use crate::web::server::html::respond;
use crate::web::server::page;
use crate::web::server::refused::{Filled, fault_of, log, see_other, status_of};
use crate::web::server::state::HttpState;
use crate::web::ui::fields::{Fault, Fields};
use crate::web::ui::login;

/// The incident of an address, and all that its forms need.
struct Place<'a> {
    act: Act,
    id: &'a str,
    incident: Option<Arc<Incident>>,
    board: Arc<OpenIncidents>,
    incidents: &'a dyn Incidents,
}

/// The incident and the act of an address.
type ActPath = Path<(String, String)>;

/// What somebody may do who does not see the whole incident: what concerns nobody's devices.
const OF_BRANCH: [Act; 2] = [Act::Join, Act::Script];

impl<'a> Place<'a> {
    /// `None`: there is no such act, or nobody works on such an incident. An event that is none yet can only be declared.
    async fn find(state: &'a HttpState, visit: &Visit, id: &'a str, act: &str) -> Option<Self> {
        let sees_all = visit.principal.as_ref().is_some_and(|who| who.may(Action::See));
        let act = Act::from_name(act).filter(|act| sees_all || OF_BRANCH.contains(act))?;
        let incidents = state.incidents.as_deref()?;
        let board = incidents.board();
        let incident = match board.find(id) {
            Some(incident) => Some(Arc::clone(incident)),
            // One that cannot be read is told by whatever is tried with it.
            None => incidents.file(id).await.ok().flatten().map(|file| file.incident),
        };
        (incident.is_some() != (act == Act::Declare)).then_some(Self { act, id, incident, board, incidents })
    }

    fn show(
        &self,
        state: &HttpState,
        visit: &Visit,
        fields: Option<&Fields>,
        told: (StatusCode, &[Fault]),
    ) -> Response {
        let obstacles = self.incidents.obstacles(self.id);
        let subject = Subject {
            act: self.act,
            id: self.incident.as_ref().map_or(self.id, |incident| incident.number()),
            incident: self.incident.as_deref(),
            board: &self.board,
            obstacles: obstacles.as_ref(),
        };
        draw(state, visit, &subject, fields, told.0, told.1)
    }
}

/// The page of an act, with what was typed and what was wrong with it.
fn draw(
    state: &HttpState,
    visit: &Visit,
    subject: &Subject<'_>,
    filled: Option<&Fields>,
    status: StatusCode,
    faults: &[Fault],
) -> Response {
    let view = page::view(state, visit);
    let beginning;
    let fields = match filled {
        Some(fields) => fields,
        None => {
            beginning = forms::beginning(subject.act, subject.incident, &view);
            &beginning
        }
    };
    // The review has a page of its own, with its form.
    let page = match (subject.act, subject.incident) {
        (Act::Review, Some(incident)) => {
            review::page(&view, (incident, &subject.board.settings), None, (fields, faults))
        }
        _ => forms::page(&view, subject, fields, faults),
    };
    respond(status, view.lang, &page)
}

/// The empty form, with what the address says of it.
pub(in crate::web) async fn form(State(state): State<HttpState>, Path((id, act)): ActPath, visit: Visit) -> Response {
    let Some(place) = Place::find(&state, &visit, &id, &act).await else { return page::missing(&state, &visit) };
    let said = Query::<Vec<(String, String)>>::try_from_uri(&visit.uri).map(|Query(pairs)| Fields::from(pairs));
    let said = said
        .ok()
        .filter(|fields| ["seat", "device", "devices", "version"].iter().any(|name| !fields.get(name).is_empty()));
    place.show(&state, &visit, said.as_ref(), (StatusCode::OK, &[]))
}

/// The filled form.
pub(in crate::web) async fn submit(
    State(state): State<HttpState>,
    Path((id, act)): ActPath,
    visit: Visit,
    filled: Filled,
) -> Response {
    let Some(place) = Place::find(&state, &visit, &id, &act).await else { return page::missing(&state, &visit) };
    let refuse = |status, fields: &Fields, faults: &[Fault]| place.show(&state, &visit, Some(fields), (status, faults));
    let fields = match filled {
        Ok(Form(pairs)) => Fields::from(pairs),
        Err(rejection) => {
            let fault = Fault::new("", rejection.body_text());
            return refuse(rejection.status(), &Fields::default(), &[fault]);
        }
    };
    let lang = page::lang(&state, &visit);
    let principal = visit.principal.as_ref();
    let may_not = || [Fault::new("", (lang.act().may_not)(principal.map_or("-", |who| who.role.as_str())))];
    if !principal.is_some_and(|who| who.may(policy::right(place.act.duty()))) {
        return refuse(StatusCode::FORBIDDEN, &fields, &may_not());
    }
    let reader = Reader { lang, zone: &state.zone, now: state.clock.now() };
    let request = match reader.read(place.act, place.id, &fields, place.incident.as_deref()) {
        Ok(request) => request,
        Err(faults) => return refuse(StatusCode::UNPROCESSABLE_ENTITY, &fields, &faults),
    };
    if !may(&place, principal, &request) {
        return refuse(StatusCode::FORBIDDEN, &fields, &may_not());
    }
    match carry_out(&place, request, &fields.by(principal)).await {
        Ok(incident) => {
            let sees_all = principal.is_some_and(|who| who.may(Action::See));
            // Whoever came from a caller's page goes on there.
            let back = login::inside(fields.get("back"));
            if back != "/" {
                return see_other(back);
            }
            let path = if sees_all { path_of(&incident) } else { "/support".to_owned() };
            see_other(&page::address(&state, &visit, &path, ""))
        }
        Err(error) => {
            log(&error);
            refuse(status_of(&error), &fields, &[fault_of(lang, &error)])
        }
    }
}

async fn carry_out(place: &Place<'_>, request: Request, by: &str) -> Result<Arc<Incident>, IncidentError> {
    match request {
        // What telemetry adds to the incident meanwhile is no reason to refuse what a person wants.
        Request::Command(command) => place.incidents.execute(place.id, None, command, by).await,
        Request::Reshape { reshape, reason } => place.incidents.reshape(reshape, &reason, by).await,
    }
}

/// Whether the person may do this, with this incident.
fn may(place: &Place<'_>, principal: Option<&Principal>, request: &Request) -> bool {
    principal.is_some_and(|who| match (request, &place.incident) {
        (Request::Command(command), Some(incident)) => policy::allows(who, command, incident).is_ok(),
        (Request::Command(_), None) => false,
        (Request::Reshape { reshape, .. }, _) => policy::allows_reshape(who, reshape).is_ok(),
    })
}
