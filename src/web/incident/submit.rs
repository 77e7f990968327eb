//! The forms of an incident: shown, filled in, done or refused.

use std::sync::Arc;

use axum::Form;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::forms::Subject;
use super::parse::{Reader, Wish};
use crate::incident::Incident;
use crate::record::access::{Action, Principal, policy};
use crate::record::incidents::{DeskError, Incidents, OpenIncidents};
use crate::web::HttpState;
use crate::web::access::{Visit, login};
use crate::web::page::work as page;
use crate::web::work::{Act, ActPath, Fault, Fields, Filled, status_of};

/// The incident of an address, and all that its forms need.
struct Place<'a> {
    act: Act,
    id: &'a str,
    incident: Option<Arc<Incident>>,
    board: Arc<OpenIncidents>,
    desk: &'a dyn Incidents,
}

/// What somebody may do who does not see the whole incident: what concerns nobody's devices.
const OF_BRANCH: [Act; 2] = [Act::Join, Act::Script];

impl<'a> Place<'a> {
    /// `None`: there is no such act, or nobody works on such an incident. An event that is none yet can only be declared.
    async fn find(state: &'a HttpState, visit: &Visit, (id, act): (&'a str, &str)) -> Option<Self> {
        let sees_all = visit.principal.as_ref().is_some_and(|who| who.may(Action::See));
        let act = Act::from_name(act).filter(|act| sees_all || OF_BRANCH.contains(act))?;
        let desk = state.desk.as_deref()?;
        let board = desk.board();
        let incident = match board.find(id) {
            Some(incident) => Some(Arc::clone(incident)),
            // One that cannot be read is told by whatever is tried with it.
            None => desk.file(id).await.ok().flatten().map(|file| file.incident),
        };
        (incident.is_some() != (act == Act::Declare)).then_some(Self { act, id, incident, board, desk })
    }

    fn show(
        &self,
        (state, visit): (&HttpState, &Visit),
        fields: Option<&Fields>,
        told: (StatusCode, &[Fault]),
    ) -> Response {
        let obstacles = self.desk.obstacles(self.id);
        let subject = Subject {
            act: self.act,
            id: self.incident.as_ref().map_or(self.id, |incident| incident.number()),
            incident: self.incident.as_deref(),
            board: &self.board,
            obstacles: obstacles.as_ref(),
        };
        page::act((state, visit), &subject, fields, told)
    }
}

/// The empty form, with what the address says of it.
pub(in crate::web) async fn form(State(state): State<HttpState>, Path((id, act)): ActPath, visit: Visit) -> Response {
    let Some(place) = Place::find(&state, &visit, (&id, &act)).await else { return page::missing(&state, &visit) };
    let said = Query::<Vec<(String, String)>>::try_from_uri(&visit.uri).map(|Query(pairs)| Fields::from(pairs));
    let said = said
        .ok()
        .filter(|fields| ["seat", "device", "devices", "version"].iter().any(|name| !fields.get(name).is_empty()));
    place.show((&state, &visit), said.as_ref(), (StatusCode::OK, &[]))
}

/// The filled form.
pub(in crate::web) async fn submit(
    State(state): State<HttpState>,
    Path((id, act)): ActPath,
    visit: Visit,
    filled: Filled,
) -> Response {
    let Some(place) = Place::find(&state, &visit, (&id, &act)).await else { return page::missing(&state, &visit) };
    let refuse =
        |status, fields: &Fields, faults: &[Fault]| place.show((&state, &visit), Some(fields), (status, faults));
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
    if !principal.is_some_and(|who| who.may(place.act.needs())) {
        return refuse(StatusCode::FORBIDDEN, &fields, &may_not());
    }
    let reader = Reader { lang, zone: &state.zone, now: state.clock.now() };
    let wish = match reader.read(place.act, place.id, &fields, place.incident.as_deref()) {
        Ok(wish) => wish,
        Err(faults) => return refuse(StatusCode::UNPROCESSABLE_ENTITY, &fields, &faults),
    };
    if !may(&place, principal, &wish) {
        return refuse(StatusCode::FORBIDDEN, &fields, &may_not());
    }
    match carry_out(&place, wish, &fields.by(principal)).await {
        Ok(incident) => {
            let sees_all = principal.is_some_and(|who| who.may(Action::See));
            // Whoever came from a caller's page goes on there.
            let back = login::inside(fields.get("back"));
            if back != "/" {
                return see_other(back);
            }
            let path = if sees_all { crate::web::incident::view::path_of(&incident) } else { "/support".to_owned() };
            see_other(&page::address(&state, &visit, &path, ""))
        }
        Err(error) => {
            log(&error);
            refuse(status_of(&error), &fields, &[Fault::of(lang, &error)])
        }
    }
}

async fn carry_out(place: &Place<'_>, wish: Wish, by: &str) -> Result<Arc<Incident>, DeskError> {
    match wish {
        // What telemetry adds to the incident meanwhile is no reason to refuse what a person wants.
        Wish::Command(command) => place.desk.wish(place.id, None, command, by).await,
        Wish::Reshape { reshape, reason } => place.desk.reshape(reshape, &reason, by).await,
    }
}

/// Whether the person may do this, with this incident.
fn may(place: &Place<'_>, principal: Option<&Principal>, wish: &Wish) -> bool {
    principal.is_some_and(|who| match (wish, &place.incident) {
        (Wish::Command(command), Some(incident)) => policy::allows(who, command, incident).is_ok(),
        (Wish::Command(_), None) => false,
        (Wish::Reshape { reshape, .. }, _) => policy::allows_reshape(who, reshape).is_ok(),
    })
}

/// What the reader is told in short stands in full in the log.
pub(in crate::web) fn log(error: &DeskError) {
    if let DeskError::Store(error) = error {
        tracing::error!(reason = error.reason(), %error, "a wish could not be recorded");
    }
}

pub(in crate::web) fn see_other(address: &str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, address.to_owned())]).into_response()
}
