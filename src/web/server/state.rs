//! What the pages show, and where they get it from.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::extract::FromRef;

use super::health::Health;
use super::idempotency::InFlight;
use super::streams::Streams;
use crate::clock::Clock;
use crate::engine::snapshot::Snapshot;
use crate::incident::IncidentSummary;
use crate::record::channel_health::ChannelsHealth;
use crate::record::fleet::{FleetControl, FleetHistory};
use crate::record::incident::{IncidentQuery, IncidentStore};
use crate::record::incidents::{IncidentFile, Incidents, OpenIncidents};
use crate::record::outbox::Outbox;
use crate::record::{EventStore, GateControl, StoreError};
use crate::web::access::Access;
use crate::words::Zone;

/// Incidents whose state a list of events shows.
const LIVES: u32 = 200;

/// Makes the text of `/metrics`, with its content type.
pub type Exposition = Arc<dyn Fn() -> (&'static str, String) + Send + Sync>;

/// What the pages show and where they get it from. Cheap to clone.
#[derive(Clone)]
pub struct HttpState {
    pub snapshot: Arc<ArcSwap<Snapshot>>,
    pub health: Arc<Health>,
    pub metrics: Exposition,
    pub store: Arc<dyn EventStore>,
    /// Who may what.
    pub access: Arc<Access>,
    /// What is decided about updates; `None` when nothing is.
    pub gates: Option<Arc<dyn GateControl>>,
    /// Where devices are taken out of the fleet; `None` where nobody can.
    pub fleet: Option<Arc<dyn FleetControl>>,
    /// Where closed minutes are looked back on; `None` where nothing keeps them.
    pub history: Option<Arc<dyn FleetHistory>>,
    /// Where incidents are worked on; `None` where nobody can.
    pub incidents: Option<Arc<dyn Incidents>>,
    /// Incidents in short, open or not, and the contacts of customers.
    pub incident_store: Option<Arc<dyn IncidentStore>>,
    /// What was sent; `None` where nothing is.
    pub outbox: Option<Arc<dyn Outbox>>,
    /// How the channels fare over which people are told; without any, nobody is.
    pub channels: Arc<ChannelsHealth>,
    /// The configuration in force, as it is shown to people.
    pub settings: Arc<serde_json::Value>,
    /// Shared by all requests; a default will do.
    pub shared: Shared,
    pub clock: Clock,
    /// Zone in which people read times.
    pub zone: Zone,
}

/// What requests share that nobody else needs.
#[derive(Clone, Debug, Default)]
pub struct Shared {
    pub(in crate::web) in_flight: InFlight,
    pub(in crate::web) streams: Streams,
}

impl FromRef<HttpState> for Streams {
    fn from_ref(state: &HttpState) -> Self {
        state.shared.streams.clone()
    }
}

impl fmt::Debug for HttpState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpState").field("zone", &self.zone).finish_non_exhaustive()
    }
}

impl HttpState {
    /// The open incidents; none where nobody can work on them.
    pub(in crate::web) fn board(&self) -> Arc<OpenIncidents> {
        self.incidents.as_ref().map(|incidents| incidents.board()).unwrap_or_default()
    }

    /// The incident with its record, if there is one of this number that people work on.
    pub(in crate::web) async fn file(&self, id: &str) -> Result<Option<IncidentFile>, StoreError> {
        match &self.incidents {
            Some(incidents) => incidents.file(id).await,
            None => Ok(None),
        }
    }

    /// Incidents as people work on them, in short: where they have one, their state is what a list shows.
    pub(in crate::web) async fn lives(&self) -> Vec<IncidentSummary> {
        let query = IncidentQuery { limit: LIVES, ..IncidentQuery::default() };
        match &self.incident_store {
            Some(store) => store.incidents(&query).await.unwrap_or_default(),
            None => Vec::new(),
        }
    }
}
