//! A desk and its record in memory: the engine's rules, nothing written anywhere.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use fleetwatch::engine::device::DeviceId;
use fleetwatch::engine::effect::Scope;
use fleetwatch::engine::incident::case::CaseSummary;
use fleetwatch::engine::incident::closure::Obstacles;
use fleetwatch::engine::incident::event::{Joining, Opening};
use fleetwatch::engine::incident::{Action, Case, CaseEvent, Command, LifeSettings, Refusal};
use fleetwatch::engine::time::Timestamp;
use fleetwatch::record::StoreError;
use fleetwatch::record::case::{
    CaseAppend, CaseQuery, CaseStore, Contact, ContactEntry, Keep, KeptAnswer, RecordedCase, RecordedCaseEvent,
};
use fleetwatch::record::desk::{CaseBoard, CaseDesk, CaseFile, CaseUpdate, DeskError, Once, Reshape};
use tokio::sync::broadcast;

use crate::sample::NOW;

pub const NUMBER: &str = "INC-2026-0007";

#[derive(Debug)]
pub struct Desk {
    events: Mutex<Vec<CaseEvent>>,
    contacts: Mutex<Vec<ContactEntry>>,
    answers: Mutex<HashMap<(String, String), KeptAnswer>>,
    updates: broadcast::Sender<CaseUpdate>,
}

fn device(number: u32) -> DeviceId {
    DeviceId::parse(&format!("B-{number:04}")).unwrap()
}

fn branch(number: u32) -> String {
    if number % 2 == 1 { "sapporo" } else { "naha" }.to_owned()
}

impl Desk {
    pub fn with_incident() -> Self {
        let joining = |number| Joining { device: device(number), branch: Some(branch(number)), customer: None };
        let opening = Opening {
            number: NUMBER.into(),
            event_id: "ev-1".into(),
            scope: Scope::Isolated,
            impact_started_at: NOW.plus_ms(-3_600_000),
            detected_at: NOW.plus_ms(-2_700_000),
            declared_at: NOW.plus_ms(-1_000),
            criterion_s: 3_600,
            measured_s: 3_600,
            cause: None,
            follows: None,
            devices: (1..=6).map(joining).collect(),
        };
        let opened =
            CaseEvent { at: NOW.plus_ms(-1_000), by: "detector".into(), action: Action::Opened(Box::new(opening)) };
        let contact = |number: u32| ContactEntry {
            device: device(number),
            customer: Some(format!("C-{number}")),
            branch: Some(branch(number)),
            contact: Contact { phone: Some(format!("0120-000-{number:03}")), ..Contact::default() },
        };
        let listed = |number| ContactEntry { contact: Contact::default(), ..contact(number) };
        Self {
            events: Mutex::new(vec![opened]),
            // Of the others the list knows the branch alone.
            contacts: Mutex::new(
                (1..=6).map(|number| if number < 3 { contact(number) } else { listed(number) }).collect(),
            ),
            answers: Mutex::default(),
            updates: broadcast::Sender::new(16),
        }
    }

    fn case(&self) -> Case {
        Case::of(self.events.lock().unwrap().iter()).unwrap()
    }
}

#[async_trait]
impl CaseDesk for Desk {
    fn board(&self) -> Arc<CaseBoard> {
        Arc::new(CaseBoard { cases: vec![Arc::new(self.case())], ..CaseBoard::default() })
    }

    fn updates(&self) -> broadcast::Receiver<CaseUpdate> {
        self.updates.subscribe()
    }

    fn obstacles(&self, id: &str) -> Option<Obstacles> {
        (id == NUMBER).then(|| self.case().obstacles(None))
    }

    async fn file(&self, id: &str) -> Result<Option<CaseFile>, StoreError> {
        let record = CaseStore::case(self, id).await?;
        Ok(record.map(|record| CaseFile { case: Arc::new(self.case()), record }))
    }

    async fn wish_once(
        &self,
        id: &str,
        (seen, command): (Option<u64>, Command),
        by: &str,
        once: Option<Once>,
    ) -> Result<Arc<Case>, DeskError> {
        let mut case = self.case();
        // As the record does it: the key and the wish in one step.
        let mut answers = self.answers.lock().unwrap();
        if once.as_ref().is_some_and(|once| answers.contains_key(&(once.who.clone(), once.key.clone()))) {
            return Err(DeskError::Repeated);
        }
        if id != NUMBER {
            return Err(DeskError::Unknown(id.into()));
        }
        if let Some(seen) = seen.filter(|seen| *seen != case.version) {
            return Err(DeskError::Stale { seen, now: case.version });
        }
        let events = case.decide(&command, by, None, (&LifeSettings::default(), NOW))?;
        let actions = events.iter().map(|event| event.action.as_str()).collect();
        for event in &events {
            case.apply(event);
        }
        self.events.lock().unwrap().extend(events);
        if let Some(Once { who, key, answer }) = once {
            answers.insert((who, key), answer(&case, Some(case.obstacles(None))));
        }
        let devices = command.devices().to_vec();
        let _ =
            self.updates.send(CaseUpdate { number: NUMBER.into(), version: case.version, at: NOW, actions, devices });
        Ok(Arc::new(case))
    }

    async fn reshape_once(&self, _: Reshape, _: &str, _: &str, _: Option<Once>) -> Result<Arc<Case>, DeskError> {
        Err(Refusal::Promoted.into())
    }
}

#[async_trait]
impl CaseStore for Desk {
    async fn append_cases_once(
        &self,
        _: &[CaseAppend<'_>],
        _: Option<Keep<'_>>,
        _: Timestamp,
    ) -> Result<(), StoreError> {
        Err(StoreError::Full)
    }

    async fn case(&self, id: &str) -> Result<Option<RecordedCase>, StoreError> {
        let events = self.events.lock().unwrap();
        let recorded = |(seq, event): (usize, &CaseEvent)| RecordedCaseEvent {
            seq: seq as i64 + 1,
            recorded_at: event.at,
            event: event.clone(),
        };
        let events = events.iter().enumerate().map(recorded).collect();
        Ok((id == NUMBER).then(|| RecordedCase { id: "ev-1".into(), events }))
    }

    async fn open_cases(&self) -> Result<Vec<RecordedCase>, StoreError> {
        Ok(CaseStore::case(self, NUMBER).await?.into_iter().collect())
    }

    async fn cases(&self, query: &CaseQuery) -> Result<Vec<CaseSummary>, StoreError> {
        let case = self.case();
        let wanted = query.device.as_ref().is_none_or(|device| case.ladder.contains(device));
        Ok(if wanted { vec![case.summary()] } else { Vec::new() })
    }

    async fn put_contacts(&self, contacts: &[ContactEntry], _: Timestamp) -> Result<(), StoreError> {
        let mut kept = self.contacts.lock().unwrap();
        kept.retain(|entry| contacts.iter().all(|new| new.device != entry.device));
        kept.extend(contacts.iter().cloned());
        Ok(())
    }

    async fn import_contacts(&self, contacts: &[ContactEntry], now: Timestamp) -> Result<bool, StoreError> {
        self.put_contacts(contacts, now).await.map(|()| true)
    }

    async fn contact(&self, device: &DeviceId) -> Result<Option<ContactEntry>, StoreError> {
        Ok(self.contacts.lock().unwrap().iter().find(|entry| entry.device == *device).cloned())
    }

    async fn find_contacts(&self, text: &str, limit: u32) -> Result<Vec<ContactEntry>, StoreError> {
        let contacts = self.contacts.lock().unwrap();
        let said = |entry: &&ContactEntry| {
            entry.device.as_str().contains(text)
                || entry.contact.phone.as_ref().is_some_and(|phone| phone.contains(text))
        };
        Ok(contacts.iter().filter(said).take(limit as usize).cloned().collect())
    }

    async fn devices_of(
        &self,
        branches: &[String],
    ) -> Result<std::collections::BTreeMap<DeviceId, String>, StoreError> {
        let contacts = self.contacts.lock().unwrap();
        let own = contacts.iter().filter_map(|entry| Some((entry.device.clone(), entry.branch.clone()?)));
        Ok(own.filter(|(_, branch)| branches.contains(branch)).collect())
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

    async fn kept_answer(&self, who: &str, key: &str) -> Result<Option<KeptAnswer>, StoreError> {
        Ok(self.answers.lock().unwrap().get(&(who.to_owned(), key.to_owned())).cloned())
    }
}
