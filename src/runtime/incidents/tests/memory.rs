//! A record in memory that can be made to refuse.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;

use crate::engine::device::DeviceId;
use crate::engine::effect::Change;
use crate::engine::gate::Decision;
use crate::engine::time::Timestamp;
use crate::incident::{Incident, IncidentSummary, State};
use crate::record::incident::{
    ContactEntry, IncidentAppend, IncidentQuery, IncidentRecord, IncidentStore, Keep, KeptAnswer, RecordedIncidentEvent,
};
use crate::record::outbox::NewDispatch;
use crate::record::{Appended, EventQuery, EventRecord, EventStore, EventSummary, RecordedGate, StoreError};

#[derive(Debug, Default)]
pub struct Memory {
    incidents: Mutex<BTreeMap<String, Vec<RecordedIncidentEvent>>>,
    outbox: Mutex<Vec<NewDispatch>>,
    refusing: AtomicBool,
}

impl Memory {
    /// Whether writes are refused from here on.
    pub fn refuse(&self, refuse: bool) {
        self.refusing.store(refuse, Ordering::Relaxed);
    }

    /// It is a new one from here on; or one of so many entries ago, of the incident.
    pub fn lose(&self, id: &str, entries: usize) {
        let mut incidents = self.incidents.lock().unwrap();
        let left = incidents.get(id).map_or(0, |events| events.len().saturating_sub(entries));
        if left == 0 {
            incidents.remove(id);
        } else if let Some(events) = incidents.get_mut(id) {
            events.truncate(left);
        }
        self.outbox.lock().unwrap().clear();
    }

    /// What waits to be said.
    pub fn outbox(&self) -> Vec<NewDispatch> {
        self.outbox.lock().unwrap().clone()
    }

    /// Where messages of this kind go, in the order of writing.
    pub fn messages(&self, kind: &str) -> Vec<String> {
        let outbox = self.outbox.lock().unwrap();
        let of_kind = outbox.iter().filter(|dispatch| dispatch.message.kind == kind);
        of_kind.map(|dispatch| format!("{} {}", dispatch.channel, dispatch.target)).collect()
    }

    fn folded(&self) -> Vec<Incident> {
        let incidents = self.incidents.lock().unwrap();
        incidents.values().filter_map(|events| Incident::of(events.iter().map(|recorded| &recorded.event))).collect()
    }
}

#[async_trait]
impl IncidentStore for Memory {
    async fn append_incidents_once(
        &self,
        appends: &[IncidentAppend<'_>],
        _: Option<Keep<'_>>,
        recorded_at: Timestamp,
    ) -> Result<(), StoreError> {
        if self.refusing.load(Ordering::Relaxed) {
            return Err(StoreError::Full);
        }
        let mut incidents = self.incidents.lock().unwrap();
        if appends.iter().any(|append| incidents.get(append.id).map_or(0, Vec::len) as u64 != append.expected) {
            return Err(StoreError::Conflict);
        }
        for append in appends {
            let events = incidents.entry(append.id.to_owned()).or_default();
            for event in append.events {
                // As a database would have it: what is written is read again.
                let event = serde_json::from_str(&serde_json::to_string(event).unwrap()).unwrap();
                events.push(RecordedIncidentEvent { seq: events.len() as i64, recorded_at, event });
            }
            self.outbox.lock().unwrap().extend(append.messages.iter().cloned());
        }
        Ok(())
    }

    async fn incident(&self, id: &str) -> Result<Option<IncidentRecord>, StoreError> {
        let named = |incident: &Incident| incident.id() == id || incident.number() == id;
        let Some(incident) = self.folded().into_iter().find(named) else { return Ok(None) };
        let events = self.incidents.lock().unwrap()[incident.id()].clone();
        Ok(Some(IncidentRecord { id: incident.id().to_owned(), events }))
    }

    async fn open_incidents(&self) -> Result<Vec<IncidentRecord>, StoreError> {
        let open: Vec<Incident> = self.folded().into_iter().filter(Incident::is_open).collect();
        let incidents = self.incidents.lock().unwrap();
        Ok(open
            .iter()
            .map(|incident| IncidentRecord { id: incident.id().to_owned(), events: incidents[incident.id()].clone() })
            .collect())
    }

    async fn incidents(&self, query: &IncidentQuery) -> Result<Vec<IncidentSummary>, StoreError> {
        let incidents = self.folded();
        let wanted = incidents.iter().filter(|incident| !query.open_only || incident.state != State::Closed);
        Ok(wanted.map(Incident::summary).collect())
    }

    async fn put_contacts(&self, _: &[ContactEntry], _: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }

    async fn import_contacts(&self, _: &[ContactEntry], _: Timestamp) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn contact(&self, _: &DeviceId) -> Result<Option<ContactEntry>, StoreError> {
        Ok(None)
    }

    async fn find_contacts(&self, _: &str, _: u32) -> Result<Vec<ContactEntry>, StoreError> {
        Ok(Vec::new())
    }

    async fn devices_of(&self, _: &[String]) -> Result<BTreeMap<DeviceId, String>, StoreError> {
        Ok(BTreeMap::new())
    }

    async fn forget_devices(&self, _: &[DeviceId], _: &str, _: &str, _: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }

    async fn keep_devices(&self, _: &[DeviceId], _: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }

    async fn drop_contacts(&self, _: &[DeviceId]) -> Result<(), StoreError> {
        Ok(())
    }

    async fn forget_contacts(&self, _: Timestamp) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn kept_answer(&self, _: &str, _: &str) -> Result<Option<KeptAnswer>, StoreError> {
        Ok(None)
    }
}

/// The detector's part of the record: empty, as while the writer is behind.
#[async_trait]
impl EventStore for Memory {
    async fn append(&self, _: &[Change], _: Timestamp) -> Result<Appended, StoreError> {
        Ok(Appended::default())
    }

    async fn append_gates(&self, _: &[Decision], _: Timestamp) -> Result<Appended, StoreError> {
        Ok(Appended::default())
    }

    async fn gates(&self) -> Result<Vec<RecordedGate>, StoreError> {
        Ok(Vec::new())
    }

    async fn events(&self, _: EventQuery) -> Result<Vec<EventSummary>, StoreError> {
        Ok(Vec::new())
    }

    async fn event(&self, _: &str) -> Result<Option<EventRecord>, StoreError> {
        Ok(None)
    }

    async fn highest_number(&self) -> Result<u64, StoreError> {
        Ok(0)
    }
}
