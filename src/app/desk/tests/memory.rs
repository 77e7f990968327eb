//! A record in memory that can be made to refuse.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;

use crate::engine::device::DeviceId;
use crate::engine::effect::Change;
use crate::engine::gate::Decision;
use crate::engine::incident::{Case, CaseSummary, State};
use crate::engine::time::Timestamp;
use crate::record::case::{
    CaseAppend, CaseQuery, CaseStore, ContactEntry, Keep, KeptAnswer, RecordedCase, RecordedCaseEvent,
};
use crate::record::outbox::NewDispatch;
use crate::record::{Appended, EventQuery, EventRecord, EventStore, EventSummary, RecordedGate, StoreError};

#[derive(Debug, Default)]
pub struct Memory {
    cases: Mutex<BTreeMap<String, Vec<RecordedCaseEvent>>>,
    outbox: Mutex<Vec<NewDispatch>>,
    refusing: AtomicBool,
}

impl Memory {
    /// Whether writes are refused from here on.
    pub fn refuse(&self, refuse: bool) {
        self.refusing.store(refuse, Ordering::Relaxed);
    }

    /// It is a new one from here on; or one of so many entries ago, of the case.
    pub fn lose(&self, id: &str, entries: usize) {
        let mut cases = self.cases.lock().unwrap();
        let left = cases.get(id).map_or(0, |events| events.len().saturating_sub(entries));
        if left == 0 {
            cases.remove(id);
        } else if let Some(events) = cases.get_mut(id) {
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

    fn folded(&self) -> Vec<Case> {
        let cases = self.cases.lock().unwrap();
        cases.values().filter_map(|events| Case::of(events.iter().map(|recorded| &recorded.event))).collect()
    }
}

#[async_trait]
impl CaseStore for Memory {
    async fn append_cases_once(
        &self,
        appends: &[CaseAppend<'_>],
        _: Option<Keep<'_>>,
        recorded_at: Timestamp,
    ) -> Result<(), StoreError> {
        if self.refusing.load(Ordering::Relaxed) {
            return Err(StoreError::Full);
        }
        let mut cases = self.cases.lock().unwrap();
        if appends.iter().any(|append| cases.get(append.id).map_or(0, Vec::len) as u64 != append.expected) {
            return Err(StoreError::Conflict);
        }
        for append in appends {
            let events = cases.entry(append.id.to_owned()).or_default();
            for event in append.events {
                // As a database would have it: what is written is read again.
                let event = serde_json::from_str(&serde_json::to_string(event).unwrap()).unwrap();
                events.push(RecordedCaseEvent { seq: events.len() as i64, recorded_at, event });
            }
            self.outbox.lock().unwrap().extend(append.messages.iter().cloned());
        }
        Ok(())
    }

    async fn case(&self, id: &str) -> Result<Option<RecordedCase>, StoreError> {
        let named = |case: &Case| case.id() == id || case.number() == id;
        let Some(case) = self.folded().into_iter().find(named) else { return Ok(None) };
        let events = self.cases.lock().unwrap()[case.id()].clone();
        Ok(Some(RecordedCase { id: case.id().to_owned(), events }))
    }

    async fn open_cases(&self) -> Result<Vec<RecordedCase>, StoreError> {
        let open: Vec<Case> = self.folded().into_iter().filter(Case::is_open).collect();
        let cases = self.cases.lock().unwrap();
        Ok(open
            .iter()
            .map(|case| RecordedCase { id: case.id().to_owned(), events: cases[case.id()].clone() })
            .collect())
    }

    async fn cases(&self, query: &CaseQuery) -> Result<Vec<CaseSummary>, StoreError> {
        let cases = self.folded();
        let wanted = cases.iter().filter(|case| !query.open_only || case.state != State::Closed);
        Ok(wanted.map(Case::summary).collect())
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

    async fn forget_devices(&self, _: &[DeviceId], _: (&str, &str), _: Timestamp) -> Result<(), StoreError> {
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
