//! A desk and its record in memory: the engine's rules, nothing written anywhere.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use fleetwatch::engine::device::DeviceId;
use fleetwatch::engine::effect::Scope;
use fleetwatch::engine::time::Timestamp;
use fleetwatch::incident::aggregate::IncidentSummary;
use fleetwatch::incident::closure::Obstacles;
use fleetwatch::incident::event::{Joining, Opening};
use fleetwatch::incident::{Action, Incident, IncidentEvent, LifeSettings, Refusal};
use fleetwatch::record::StoreError;
use fleetwatch::record::incident::{
    Contact, ContactEntry, IncidentAppend, IncidentQuery, IncidentRecord, IncidentStore, Keep, KeptAnswer,
    RecordedIncidentEvent,
};
use fleetwatch::record::incidents::{
    IncidentError, IncidentFile, IncidentUpdate, Incidents, Once, OpenIncidents, Reshape, VersionedCommand,
};
use tokio::sync::broadcast;

use crate::sample::NOW;

pub const NUMBER: &str = "INC-2026-0007";

#[derive(Debug)]
pub struct Desk {
    events: Mutex<Vec<IncidentEvent>>,
    contacts: Mutex<Vec<ContactEntry>>,
    answers: Mutex<HashMap<(String, String), KeptAnswer>>,
    updates: broadcast::Sender<IncidentUpdate>,
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
            IncidentEvent { at: NOW.plus_ms(-1_000), by: "detector".into(), action: Action::Opened(Box::new(opening)) };
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

    fn incident(&self) -> Incident {
        Incident::of(self.events.lock().unwrap().iter()).unwrap()
    }
}

#[async_trait]
impl Incidents for Desk {
    fn board(&self) -> Arc<OpenIncidents> {
        Arc::new(OpenIncidents { incidents: vec![Arc::new(self.incident())], ..OpenIncidents::default() })
    }

    fn updates(&self) -> broadcast::Receiver<IncidentUpdate> {
        self.updates.subscribe()
    }

    fn obstacles(&self, id: &str) -> Option<Obstacles> {
        (id == NUMBER).then(|| self.incident().obstacles(None))
    }

    async fn file(&self, id: &str) -> Result<Option<IncidentFile>, StoreError> {
        let record = IncidentStore::incident(self, id).await?;
        Ok(record.map(|record| IncidentFile { incident: Arc::new(self.incident()), record }))
    }

    async fn execute_once(
        &self,
        id: &str,
        request: VersionedCommand,
        by: &str,
        once: Option<Once>,
    ) -> Result<Arc<Incident>, IncidentError> {
        let mut incident = self.incident();
        // As the record does it: the key and the request in one step.
        let mut answers = self.answers.lock().unwrap();
        if once.as_ref().is_some_and(|once| answers.contains_key(&(once.who.clone(), once.key.clone()))) {
            return Err(IncidentError::Repeated);
        }
        if id != NUMBER {
            return Err(IncidentError::Unknown(id.into()));
        }
        if let Some(seen) = request.seen.filter(|seen| *seen != incident.version) {
            return Err(IncidentError::Stale { seen, now: incident.version });
        }
        let events = incident.decide(&request.command, by, None, (&LifeSettings::default(), NOW))?;
        let actions = events.iter().map(|event| event.action.as_str()).collect();
        for event in &events {
            incident.apply(event);
        }
        self.events.lock().unwrap().extend(events);
        if let Some(Once { who, key, answer }) = once {
            answers.insert((who, key), answer(&incident, Some(incident.obstacles(None))));
        }
        let devices = request.command.devices().to_vec();
        let _ = self.updates.send(IncidentUpdate {
            number: NUMBER.into(),
            version: incident.version,
            at: NOW,
            actions,
            devices,
        });
        Ok(Arc::new(incident))
    }

    async fn reshape_once(
        &self,
        _: Reshape,
        _: &str,
        _: &str,
        _: Option<Once>,
    ) -> Result<Arc<Incident>, IncidentError> {
        Err(Refusal::Promoted.into())
    }
}

#[async_trait]
impl IncidentStore for Desk {
    async fn append_incidents_once(
        &self,
        _: &[IncidentAppend<'_>],
        _: Option<Keep<'_>>,
        _: Timestamp,
    ) -> Result<(), StoreError> {
        Err(StoreError::Full)
    }

    async fn incident(&self, id: &str) -> Result<Option<IncidentRecord>, StoreError> {
        let events = self.events.lock().unwrap();
        let recorded = |(seq, event): (usize, &IncidentEvent)| RecordedIncidentEvent {
            seq: seq as i64 + 1,
            recorded_at: event.at,
            event: event.clone(),
        };
        let events = events.iter().enumerate().map(recorded).collect();
        Ok((id == NUMBER).then(|| IncidentRecord { id: "ev-1".into(), events }))
    }

    async fn open_incidents(&self) -> Result<Vec<IncidentRecord>, StoreError> {
        Ok(IncidentStore::incident(self, NUMBER).await?.into_iter().collect())
    }

    async fn incidents(&self, query: &IncidentQuery) -> Result<Vec<IncidentSummary>, StoreError> {
        let incident = self.incident();
        let wanted = query.device.as_ref().is_none_or(|device| incident.ladder.contains(device));
        Ok(if wanted { vec![incident.summary()] } else { Vec::new() })
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

    async fn kept_answer(&self, who: &str, key: &str) -> Result<Option<KeptAnswer>, StoreError> {
        Ok(self.answers.lock().unwrap().get(&(who.to_owned(), key.to_owned())).cloned())
    }
}
