//! Where people see and work on incidents: the interface that pages, API and metrics use, and the application implements.

use std::sync::Arc;

use async_trait::async_trait;
use serde::Serialize;
use thiserror::Error;
use tokio::sync::broadcast;

use super::StoreError;
use super::incident::{IncidentRecord, KeptAnswer};
use crate::engine::device::DeviceId;
use crate::engine::time::Timestamp;
use crate::incident::closure::Obstacles;
use crate::incident::{Command, Incident, LifeSettings, Refusal, Rota};

/// The open incidents as they stand. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct OpenIncidents {
    /// The earliest declaration first.
    pub incidents: Vec<Arc<Incident>>,
    pub settings: Arc<LifeSettings>,
    pub rota: Arc<Rota>,
}

impl OpenIncidents {
    /// The open incident of this number, event id or alias.
    pub fn find(&self, id: &str) -> Option<&Arc<Incident>> {
        self.incidents.iter().find(|incident| is_called(incident, id))
    }

    /// The open incidents that the device is part of.
    pub fn of_device<'a>(&'a self, device: &'a DeviceId) -> impl Iterator<Item = &'a Arc<Incident>> {
        self.incidents.iter().filter(move |incident| incident.ladder.contains(device))
    }
}

/// Whether the incident answers to this number, event id or alias.
pub fn is_called(incident: &Incident, id: &str) -> bool {
    incident.number().eq_ignore_ascii_case(id) || incident.event_ids.contains(id) || incident.aliases.contains(id)
}

/// An incident with its whole record.
#[derive(Clone, Debug)]
pub struct IncidentFile {
    pub incident: Arc<Incident>,
    pub record: IncidentRecord,
}

/// An incident has changed; whoever shows it shows it anew.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct IncidentUpdate {
    pub number: String,
    pub version: u64,
    pub at: Timestamp,
    /// What happened, by [`crate::incident::Action::as_str`].
    pub actions: Vec<&'static str>,
    /// Devices whose rung changed; the first few hundred.
    pub devices: Vec<DeviceId>,
}

/// Why a request was not carried out. Nothing has changed then.
#[derive(Debug, Error)]
pub enum IncidentError {
    #[error("there is no incident {0}")]
    Unknown(String),
    /// The request was made looking at an older version.
    #[error("the incident has changed since you looked (version {now}, you saw {seen}); look again and repeat")]
    Stale { seen: u64, now: u64 },
    /// It was carried out before under the same key; the answer is kept.
    #[error("this was carried out before, under the same key")]
    Repeated,
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Store(StoreError),
}

impl From<StoreError> for IncidentError {
    fn from(error: StoreError) -> Self {
        if matches!(error, StoreError::Repeated) { Self::Repeated } else { Self::Store(error) }
    }
}

/// What is answered for an incident as it stands after a request, with what then stands between it and its end.
pub type Answering = Arc<dyn Fn(&Incident, Option<Obstacles>) -> KeptAnswer + Send + Sync>;

/// A request under a key: it is carried out once. The answer is written with the request itself, so that neither is without the other.
#[derive(Clone)]
pub struct Once {
    /// Whose key it is.
    pub who: String,
    pub key: String,
    pub answer: Answering,
}

impl std::fmt::Debug for Once {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Once").field("who", &self.who).field("key", &self.key).finish_non_exhaustive()
    }
}

/// What a person wants of more than one incident, or of an event that is none yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reshape {
    /// `from` becomes part of `into`.
    Merge { from: String, into: String },
    /// The devices get an incident of their own.
    Split { from: String, devices: Vec<DeviceId> },
    /// An event that was only warned of is a major incident, whatever the clock says.
    Declare { event_id: String },
}

/// A person's command, and the version of the incident that the person looked at; `None` means whatever holds now.
#[derive(Clone, Debug)]
pub struct VersionedCommand {
    pub seen: Option<u64>,
    pub command: Command,
}

/// Where people see incidents and work on them.
#[async_trait]
pub trait Incidents: Send + Sync + std::fmt::Debug {
    /// The open incidents.
    fn board(&self) -> Arc<OpenIncidents>;

    /// Changes of any incident from here on. Whoever is too slow misses some.
    fn updates(&self) -> broadcast::Receiver<IncidentUpdate>;

    /// What stands between an open incident and its end, as of now; `None` for one that is not open.
    fn obstacles(&self, id: &str) -> Option<Obstacles>;

    /// The incident of this number, event id or alias, open or not, with its record.
    ///
    /// # Errors
    /// When the record cannot be read.
    async fn file(&self, id: &str) -> Result<Option<IncidentFile>, StoreError>;

    /// Carries out a person's command: on record first, then in force. `seen` is the version that the person looked at; `None`
    /// means whatever stands now. Answers the incident as it stands afterwards.
    ///
    /// # Errors
    /// Why it was not carried out.
    async fn execute(
        &self,
        id: &str,
        seen: Option<u64>,
        command: Command,
        by: &str,
    ) -> Result<Arc<Incident>, IncidentError> {
        self.execute_once(id, VersionedCommand { seen, command }, by, None).await
    }

    /// The same, under a key.
    ///
    /// # Errors
    /// Also [`IncidentError::Repeated`].
    async fn execute_once(
        &self,
        id: &str,
        request: VersionedCommand,
        by: &str,
        once: Option<Once>,
    ) -> Result<Arc<Incident>, IncidentError>;

    /// Carries out a request that concerns more than one incident. Answers the incident that goes on: the one that was merged
    /// into, the new one, the declared one.
    ///
    /// # Errors
    /// Why it was not carried out.
    async fn reshape(&self, reshape: Reshape, reason: &str, by: &str) -> Result<Arc<Incident>, IncidentError> {
        self.reshape_once(reshape, reason, by, None).await
    }

    /// The same, under a key.
    ///
    /// # Errors
    /// Also [`IncidentError::Repeated`].
    async fn reshape_once(
        &self,
        reshape: Reshape,
        reason: &str,
        by: &str,
        once: Option<Once>,
    ) -> Result<Arc<Incident>, IncidentError>;
}
