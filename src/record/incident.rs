//! An incident's life on record, the contacts of customers beside it, and the repository of both.
//!
//! The events of an incident stand in the same append-only table as the detector's changes and the decisions about updates (kind
//! `incident`), under the id of the detector's event that the incident was opened for. What a list shows is derived and written in the same
//! transaction; so are the messages that have to be sent.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::StoreError;
use super::outbox::NewDispatch;
use crate::engine::device::DeviceId;
use crate::engine::time::Timestamp;
use crate::incident::{Incident, IncidentEvent, IncidentSummary};

/// An event of an incident as it was written down.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RecordedIncidentEvent {
    /// Order of writing, over everything in the record.
    pub seq: i64,
    pub recorded_at: Timestamp,
    #[serde(flatten)]
    pub event: IncidentEvent,
}

/// What is to be added to one incident.
#[derive(Clone, Debug)]
pub struct IncidentAppend<'a> {
    /// Id of the detector's event that the incident was opened for.
    pub id: &'a str,
    /// How many events the incident has on record: [`crate::incident::Incident::version`] before `events`, 0 for a new one.
    pub expected: u64,
    pub events: &'a [IncidentEvent],
    /// The incident after them.
    pub after: &'a IncidentSummary,
    /// What has to be said because of them.
    pub messages: &'a [NewDispatch],
}

/// The whole record of one incident.
#[derive(Clone, PartialEq, Debug)]
pub struct IncidentRecord {
    pub id: String,
    /// In the order of writing.
    pub events: Vec<RecordedIncidentEvent>,
}

impl IncidentRecord {
    /// What happened, without when it was written.
    pub fn happened(&self) -> impl Iterator<Item = &IncidentEvent> {
        self.events.iter().map(|recorded| &recorded.event)
    }

    /// The incident that the record makes; `None` when it does not begin with an opening.
    pub fn folded(&self) -> Option<Incident> {
        Incident::of(self.happened())
    }
}

/// Which incidents to list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct IncidentQuery {
    /// Only what is not closed.
    pub open_only: bool,
    /// Only incidents that this device is or was part of.
    pub device: Option<DeviceId>,
    /// At most this many, the latest declaration first; 0: all.
    pub limit: u32,
    pub offset: u32,
}

/// Whom to call about a device. Kept apart from telemetry, and deleted a set time after the last incident was closed.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Contact {
    pub name: Option<String>,
    pub phone: Option<String>,
    pub mail: Option<String>,
}

/// A device with its customer and whom to call.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ContactEntry {
    pub device: DeviceId,
    pub customer: Option<String>,
    pub branch: Option<String>,
    #[serde(flatten)]
    pub contact: Contact,
}

/// The answer to a write that carried an idempotency key, so that the same write twice is answered alike.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeptAnswer {
    /// SHA-256 of method, path and body: another request under the same key is a mistake.
    pub request: [u8; 32],
    pub status: u16,
    pub body: String,
}

/// An answer on its way to the record, with whose key it is.
#[derive(Clone, Copy, Debug)]
pub struct Keep<'a> {
    pub who: &'a str,
    pub key: &'a str,
    pub answer: &'a KeptAnswer,
}

/// Keeps incidents and contacts. Implementations are shared between tasks.
#[async_trait]
pub trait IncidentStore: Send + Sync + std::fmt::Debug {
    /// Adds events to incidents with the messages that follow from them, all or none.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when an incident has another number of events than expected; whatever else keeps the record from
    /// being written. Then nothing was.
    async fn append_incidents(&self, appends: &[IncidentAppend<'_>], recorded_at: Timestamp) -> Result<(), StoreError> {
        self.append_incidents_once(appends, None, recorded_at).await
    }

    /// The same, and in the same transaction the answer to whoever asked for it. Answers older than a day are dropped.
    ///
    /// # Errors
    /// Also [`StoreError::Repeated`] when an answer is kept under that key; then nothing was written.
    async fn append_incidents_once(
        &self,
        appends: &[IncidentAppend<'_>],
        keep: Option<Keep<'_>>,
        recorded_at: Timestamp,
    ) -> Result<(), StoreError>;

    /// The incident of this incident number, event id or alias, as it was written; a number that was merged into another
    /// incident is answered with its own record.
    ///
    /// # Errors
    /// When the record cannot be read.
    async fn incident(&self, id: &str) -> Result<Option<IncidentRecord>, StoreError>;

    /// Every incident that is not closed, the earliest declaration first.
    ///
    /// # Errors
    /// When the record cannot be read.
    async fn open_incidents(&self) -> Result<Vec<IncidentRecord>, StoreError>;

    /// IncidentsApi in short.
    ///
    /// # Errors
    /// When the record cannot be read.
    async fn incidents(&self, query: &IncidentQuery) -> Result<Vec<IncidentSummary>, StoreError>;

    /// Takes over contacts: those of the given devices are replaced, others left as they are.
    ///
    /// # Errors
    /// When they cannot be written; then none was.
    async fn put_contacts(&self, contacts: &[ContactEntry], now: Timestamp) -> Result<(), StoreError>;

    /// Takes over a whole list of contacts, as of a file, unless it is the one that was taken over last: what was forgotten since
    /// would be back. Answers whether it was taken over.
    ///
    /// # Errors
    /// When they cannot be written; then none was.
    async fn import_contacts(&self, contacts: &[ContactEntry], now: Timestamp) -> Result<bool, StoreError>;

    /// The contact of a device.
    ///
    /// # Errors
    /// When it cannot be read.
    async fn contact(&self, device: &DeviceId) -> Result<Option<ContactEntry>, StoreError>;

    /// Devices whose serial, customer, name or phone number contains `text` (phone numbers without regard to `-`, spaces and
    /// brackets), sorted by device, at most `limit`.
    ///
    /// # Errors
    /// When they cannot be read.
    async fn find_contacts(&self, text: &str, limit: u32) -> Result<Vec<ContactEntry>, StoreError>;

    /// Every device that the list has under one of these branches, with its branch.
    ///
    /// # Errors
    /// When they cannot be read.
    async fn devices_of(&self, branches: &[String]) -> Result<BTreeMap<DeviceId, String>, StoreError>;

    /// Forgets names, phone numbers and mail addresses of devices all of whose incidents were closed before `closed_before`; those
    /// of devices in an open incident, or in none since they were given, stay. Answers how many were forgotten.
    ///
    /// # Errors
    /// When they cannot be deleted.
    async fn forget_contacts(&self, closed_before: Timestamp) -> Result<u64, StoreError>;

    /// Notes that devices are taken out of the fleet at `now`, by whom and why.
    ///
    /// # Errors
    /// When it cannot be written; then nothing was.
    async fn forget_devices(
        &self,
        devices: &[DeviceId],
        by: &str,
        reason: &str,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Takes back what was noted of these devices for `at`: they stay after all.
    ///
    /// # Errors
    /// When it cannot be written.
    async fn keep_devices(&self, devices: &[DeviceId], at: Timestamp) -> Result<(), StoreError>;

    /// Forgets whom to call about these devices.
    ///
    /// # Errors
    /// When it cannot be written; then nothing was.
    async fn drop_contacts(&self, devices: &[DeviceId]) -> Result<(), StoreError>;

    /// The answer that was kept under this key for this person.
    ///
    /// # Errors
    /// When it cannot be read.
    async fn kept_answer(&self, who: &str, key: &str) -> Result<Option<KeptAnswer>, StoreError>;
}
