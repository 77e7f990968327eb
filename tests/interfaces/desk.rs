//! A desk in memory: the engine's own decisions, kept by nobody.
#![allow(dead_code, clippy::unwrap_used)]

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use fleetwatch::engine::device::DeviceId;
use fleetwatch::engine::time::Timestamp;
use fleetwatch::incident::closure::Obstacles;
use fleetwatch::incident::{
    Action, Command, Incident, IncidentEvent, IncidentSummary, LifeSettings, Observation, Refusal, Rota,
};
use fleetwatch::record::StoreError;
use fleetwatch::record::incident::{
    ContactEntry, IncidentAppend, IncidentQuery, IncidentRecord, IncidentStore, Keep, KeptAnswer, RecordedIncidentEvent,
};
use fleetwatch::record::incidents::{
    IncidentError, IncidentFile, IncidentUpdate, Incidents, Once, OpenIncidents, Reshape, VersionedCommand, is_called,
};
use fleetwatch::record::outbox::{Attempt, Dispatch, NewDispatch, Outbox, Outcome, Untold};
use tokio::sync::broadcast;

/// One incident and its record.
#[derive(Clone, Debug)]
pub struct Told {
    pub incident: Incident,
    pub events: Vec<RecordedIncidentEvent>,
}

impl Told {
    /// An incident after its first event.
    pub fn open(event: IncidentEvent) -> Self {
        let incident = Incident::open(&event).unwrap();
        let events = vec![RecordedIncidentEvent { seq: 1, recorded_at: event.at.plus_ms(20), event }];
        Self { incident, events }
    }

    pub fn take(&mut self, events: Vec<IncidentEvent>) {
        for event in events {
            self.incident.apply(&event);
            let seq = self.events.len() as i64 + 1;
            self.events.push(RecordedIncidentEvent { seq, recorded_at: event.at.plus_ms(20), event });
        }
    }

    /// What somebody, or something, does at an instant.
    pub fn act(&mut self, at: Timestamp, by: &str, action: Action) {
        self.take(vec![IncidentEvent { at, by: by.to_owned(), action }]);
    }

    /// A person's request that is granted.
    pub fn execute(&mut self, at: Timestamp, by: &str, command: Command) {
        let settings = LifeSettings::default();
        let events = self
            .incident
            .decide(&command, by, None, (&settings, at))
            .unwrap_or_else(|why| panic!("{command:?}: {why}"));
        self.take(events);
    }
}

/// What it is that the desk sees of the fleet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Sight {
    #[default]
    Nothing,
    /// Every device of every incident is quiet.
    Quiet,
}

#[derive(Debug)]
pub struct Desk {
    told: Mutex<Vec<Told>>,
    contacts: Mutex<Vec<ContactEntry>>,
    attempts: Vec<Attempt>,
    updates: broadcast::Sender<IncidentUpdate>,
    pub settings: LifeSettings,
    pub rota: Rota,
    pub now: Mutex<Timestamp>,
    pub sight: Mutex<Sight>,
    /// The record cannot be written.
    pub broken: Mutex<bool>,
}

impl Desk {
    pub fn new(
        told: Vec<Told>,
        contacts: Vec<ContactEntry>,
        (rota, attempts): (Rota, Vec<Attempt>),
        now: Timestamp,
    ) -> Self {
        Self {
            told: Mutex::new(told),
            contacts: Mutex::new(contacts),
            attempts,
            updates: broadcast::Sender::new(16),
            settings: LifeSettings::default(),
            rota,
            now: Mutex::new(now),
            sight: Mutex::default(),
            broken: Mutex::new(false),
        }
    }

    pub fn incident(&self, id: &str) -> Incident {
        self.told.lock().unwrap().iter().find(|told| is_called(&told.incident, id)).unwrap().incident.clone()
    }

    /// Something happens of itself, and whoever listens hears of it.
    pub fn happen(&self, id: &str, by: &str, action: Action) {
        let mut told = self.told.lock().unwrap();
        let one = told.iter_mut().find(|told| is_called(&told.incident, id)).unwrap();
        one.act(*self.now.lock().unwrap(), by, action);
        self.say(&one.incident, vec![one.events.last().unwrap().event.action.as_str()]);
    }

    fn say(&self, incident: &Incident, actions: Vec<&'static str>) {
        let devices = incident.ladder.iter().map(|(device, _)| device.clone()).take(300).collect();
        let (number, version, at) = (incident.number().to_owned(), incident.version, incident.updated_at);
        let _ = self.updates.send(IncidentUpdate { number, version, at, actions, devices });
    }

    fn observe<T>(&self, incident: &Incident, look: impl FnOnce(Option<&Observation<'_>>) -> T) -> T {
        use fleetwatch::incident::DeviceObservation;
        if *self.sight.lock().unwrap() == Sight::Nothing {
            return look(None);
        }
        let seen: Observation<'_> = incident
            .ladder
            .iter()
            .map(|(device, _)| DeviceObservation {
                device,
                streak_min: 0,
                quiet_min: 60,
                quiet_since: Some(Timestamp::from_ms(0)),
                is_known: true,
                affected: false,
                workaround: None,
                update: None,
                packages: &[],
            })
            .collect();
        look(Some(&seen))
    }
}

#[async_trait]
impl Incidents for Desk {
    fn board(&self) -> Arc<OpenIncidents> {
        let told = self.told.lock().unwrap();
        let incidents =
            told.iter().filter(|told| told.incident.is_open()).map(|told| Arc::new(told.incident.clone())).collect();
        Arc::new(OpenIncidents {
            incidents,
            settings: Arc::new(self.settings.clone()),
            rota: Arc::new(self.rota.clone()),
        })
    }

    fn updates(&self) -> broadcast::Receiver<IncidentUpdate> {
        self.updates.subscribe()
    }

    fn obstacles(&self, id: &str) -> Option<Obstacles> {
        let told = self.told.lock().unwrap();
        let incident = &told.iter().find(|told| told.incident.is_open() && is_called(&told.incident, id))?.incident;
        Some(self.observe(incident, |seen| incident.obstacles(seen)))
    }

    async fn file(&self, id: &str) -> Result<Option<IncidentFile>, StoreError> {
        let told = self.told.lock().unwrap();
        let found = told.iter().find(|told| is_called(&told.incident, id));
        Ok(found.map(|told| IncidentFile {
            incident: Arc::new(told.incident.clone()),
            record: IncidentRecord { id: told.incident.id().to_owned(), events: told.events.clone() },
        }))
    }

    async fn execute_once(
        &self,
        id: &str,
        VersionedCommand { command, .. }: VersionedCommand,
        by: &str,
        _: Option<Once>,
    ) -> Result<Arc<Incident>, IncidentError> {
        if *self.broken.lock().unwrap() {
            return Err(IncidentError::Store(StoreError::Full));
        }
        let now = *self.now.lock().unwrap();
        let mut told = self.told.lock().unwrap();
        let one = told
            .iter_mut()
            .find(|told| is_called(&told.incident, id))
            .ok_or_else(|| IncidentError::Unknown(id.to_owned()))?;
        let events =
            self.observe(&one.incident, |seen| one.incident.decide(&command, by, seen, (&self.settings, now)))?;
        let actions = events.iter().map(|event| event.action.as_str()).collect();
        one.take(events);
        self.say(&one.incident, actions);
        Ok(Arc::new(one.incident.clone()))
    }

    async fn reshape_once(
        &self,
        reshape: Reshape,
        reason: &str,
        by: &str,
        _: Option<Once>,
    ) -> Result<Arc<Incident>, IncidentError> {
        let now = *self.now.lock().unwrap();
        let mut told = self.told.lock().unwrap();
        let find = |told: &[Told], id: &str| {
            told.iter()
                .position(|told| is_called(&told.incident, id))
                .ok_or_else(|| IncidentError::Unknown(id.to_owned()))
        };
        match reshape {
            Reshape::Merge { from, into } => {
                let (from, into) = (find(&told, &from)?, find(&told, &into)?);
                let taken = told[into].incident.absorb_from(&told[from].incident, reason, by, now)?;
                let number = told[into].incident.number().to_owned();
                let gone = told[from].incident.merge_into(&number, reason, by, now)?;
                told[from].take(gone);
                told[into].take(taken);
                Ok(Arc::new(told[into].incident.clone()))
            }
            Reshape::Split { from, devices } => {
                let at = find(&told, &from)?;
                let number = format!("INC-2026-{:04}", 100 + told.len());
                let (left, opened) = told[at].incident.split(&devices, (&number, "E-split"), (reason, by), now)?;
                told[at].take(left);
                let mut opened = opened.into_iter();
                let mut new = Told::open(opened.next().unwrap());
                new.take(opened.collect());
                told.push(new.clone());
                Ok(Arc::new(new.incident))
            }
            Reshape::Declare { .. } if reason.is_empty() => Err(Refusal::Reason.into()),
            Reshape::Declare { event_id } => {
                let mut opening = told[0].incident.opening.clone();
                (opening.number, opening.event_id) = ("INC-2026-0999".to_owned(), event_id);
                let new =
                    Told::open(IncidentEvent { at: now, by: by.to_owned(), action: Action::Opened(Box::new(opening)) });
                told.push(new.clone());
                Ok(Arc::new(new.incident))
            }
        }
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
        unimplemented()
    }

    async fn incident(&self, id: &str) -> Result<Option<IncidentRecord>, StoreError> {
        Ok(self.file(id).await?.map(|file| file.record))
    }

    async fn open_incidents(&self) -> Result<Vec<IncidentRecord>, StoreError> {
        unimplemented()
    }

    async fn incidents(&self, query: &IncidentQuery) -> Result<Vec<IncidentSummary>, StoreError> {
        let told = self.told.lock().unwrap();
        let of = |told: &&Told| query.device.as_ref().is_none_or(|device| told.incident.ladder.contains(device));
        Ok(told.iter().filter(of).map(|told| told.incident.summary()).collect())
    }

    async fn put_contacts(&self, _: &[ContactEntry], _: Timestamp) -> Result<(), StoreError> {
        unimplemented()
    }

    async fn import_contacts(&self, _: &[ContactEntry], _: Timestamp) -> Result<bool, StoreError> {
        unimplemented()
    }

    async fn contact(&self, device: &DeviceId) -> Result<Option<ContactEntry>, StoreError> {
        Ok(self.contacts.lock().unwrap().iter().find(|entry| entry.device == *device).cloned())
    }

    async fn find_contacts(&self, text: &str, limit: u32) -> Result<Vec<ContactEntry>, StoreError> {
        let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
        let matches = |entry: &&ContactEntry| {
            let phone = entry
                .contact
                .phone
                .as_deref()
                .is_some_and(|phone| digits(text).len() > 5 && digits(phone).contains(&digits(text)));
            let name = entry.contact.name.as_deref().is_some_and(|name| name.contains(text));
            phone
                || name
                || entry.device.as_str() == text
                || entry.customer.as_deref().is_some_and(|c| c.contains(text))
        };
        Ok(self.contacts.lock().unwrap().iter().filter(matches).take(limit as usize).cloned().collect())
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
        unimplemented()
    }

    async fn kept_answer(&self, _: &str, _: &str) -> Result<Option<KeptAnswer>, StoreError> {
        unimplemented()
    }
}

#[async_trait]
impl Outbox for Desk {
    async fn enqueue(&self, _: &[NewDispatch], _: Timestamp) -> Result<usize, StoreError> {
        unimplemented()
    }

    async fn due(&self, _: Timestamp, _: u32) -> Result<Vec<Dispatch>, StoreError> {
        unimplemented()
    }

    async fn heads(&self, _: &str, _: Timestamp, _: u32) -> Result<Vec<Dispatch>, StoreError> {
        unimplemented()
    }

    async fn attempted(&self, _: i64, _: Timestamp, _: &Outcome) -> Result<(), StoreError> {
        unimplemented()
    }

    async fn thread(&self, _: &str, _: &str, _: &str) -> Result<Option<String>, StoreError> {
        unimplemented()
    }

    async fn untold(&self, _: Timestamp, _: Timestamp, _: u32) -> Result<Vec<Untold>, StoreError> {
        unimplemented()
    }

    async fn backlog(&self) -> Result<(u64, Option<Timestamp>), StoreError> {
        unimplemented()
    }

    async fn attempts(&self, _: Option<&str>, limit: u32) -> Result<Vec<Attempt>, StoreError> {
        Ok(self.attempts.iter().take(limit as usize).cloned().collect())
    }
}

/// The pages ask for none of this.
fn unimplemented<T>() -> Result<T, StoreError> {
    Err(StoreError::Refused { detail: "no page asks for this".to_owned() })
}
