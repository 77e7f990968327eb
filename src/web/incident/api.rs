//! The API of an incident's life: everything that a page does, for programs.
//!
//! | path | what |
//! |---|---|
//! | `GET /api/v1/incidents?open&device&limit&offset` | incidents in short |
//! | `POST /api/v1/incidents` | declare an event that was only warned of |
//! | `GET /api/v1/incidents/{id}` | one incident as it stands |
//! | `GET /api/v1/incidents/{id}/ladder?step&branch&settled&after&limit` | its devices, a page at a time |
//! | `GET /api/v1/incidents/{id}/record?after&limit` | its record, entry by entry |
//! | `GET /api/v1/incidents/{id}/export?format` | everything on record about it, as JSON or CSV |
//! | `POST /api/v1/incidents/{id}/commands` | a person's command: acknowledge, claim, call, agree, sign off, close, ... |
//! | `POST /api/v1/incidents/{id}/merge`, `/split` | commands that concern two incidents |
//! | `GET /api/v1/incidents/stream` | what changes, as server-sent events |
//! | `GET /api/v1/contacts?q`, `GET`, `PUT /api/v1/contacts` | whom to call |
//!
//! `{id}` is the number that people say (`INC-2026-0007`), an alias, or the detector's event id. An answer with one incident has its
//! version as `ETag`; a write with `If-Match` is refused with 412 when the incident has changed since. A write with
//! `Idempotency-Key` is carried out once, see `server::idempotency`.
//!
//! | module | what it owns |
//! |---|---|
//! | `dto` | an incident as JSON |
//! | `read` | the reads |
//! | `stream` | server-sent events |
//! | `write` | the writes |

pub(in crate::web) mod dto;
pub(in crate::web) mod read;
pub(in crate::web) mod stream;
pub(in crate::web) mod write;

use std::sync::Arc;

use axum::extract::FromRef;
use axum::http::StatusCode;

use crate::incident::Incident;
use crate::record::access::Principal;
use crate::record::access::policy::sees;
use crate::record::incident::IncidentStore;
use crate::record::incidents::{IncidentError, Incidents};
use crate::record::outbox::Outbox;
use crate::web::server::problem::Problem;
use crate::web::server::state::HttpState;

/// Where people work on incidents, and what is kept beside it.
#[derive(Clone, Debug)]
pub(in crate::web) struct IncidentAccess {
    incidents: Arc<dyn Incidents>,
    store: Arc<dyn IncidentStore>,
    /// For what was told to whom.
    outbox: Arc<dyn Outbox>,
}

/// What the handlers of incidents take: the state's part, or a clear word that there is none.
#[derive(Clone)]
pub(in crate::web) struct IncidentsApi {
    access: Option<IncidentAccess>,
}

impl FromRef<HttpState> for IncidentsApi {
    fn from_ref(state: &HttpState) -> Self {
        let all = state.incidents.clone().zip(state.incident_store.clone()).zip(state.outbox.clone());
        Self { access: all.map(|((incidents, store), outbox)| IncidentAccess { incidents, store, outbox }) }
    }
}

impl IncidentsApi {
    pub(in crate::web) fn incidents(&self) -> Result<&dyn Incidents, Problem> {
        self.access.as_ref().map(|access| &*access.incidents).ok_or_else(none)
    }

    pub(in crate::web) fn store(&self) -> Result<&dyn IncidentStore, Problem> {
        self.access.as_ref().map(|access| &*access.store).ok_or_else(none)
    }

    pub(in crate::web) fn outbox(&self) -> Result<&dyn Outbox, Problem> {
        self.access.as_ref().map(|access| &*access.outbox).ok_or_else(none)
    }

    /// The incident, open or not, if it is any of the principal's business.
    pub(in crate::web) async fn seen(&self, id: &str, principal: &Principal) -> Result<Arc<Incident>, Problem> {
        let found = match self.incidents()?.board().find(id) {
            Some(incident) => Some(Arc::clone(incident)),
            None => {
                self.incidents()?.file(id).await.map_err(|error| Problem::record(&error))?.map(|file| file.incident)
            }
        };
        found.filter(|incident| sees(principal, incident)).ok_or_else(|| unknown(id))
    }
}

fn none() -> Problem {
    Problem::missing("incidents are not worked on here: this instance does not run incidents")
}

/// The same for one that is not there and one that is not the principal's to see.
fn unknown(id: &str) -> Problem {
    Problem::missing(format!("there is no incident {id:?}"))
}

/// Why a request was not carried out, as an answer.
fn problem(error: &IncidentError) -> Problem {
    let status = match error {
        IncidentError::Unknown(_) => StatusCode::NOT_FOUND,
        IncidentError::Stale { .. } => StatusCode::PRECONDITION_FAILED,
        // The request is well formed; as the incident stands it cannot be granted.
        IncidentError::Refused(_) | IncidentError::Repeated => StatusCode::CONFLICT,
        IncidentError::Store(error) => return Problem::record(error),
    };
    Problem::new(status, error.to_string())
}
