//! A desk in memory: the engine's own decisions, kept by nobody.
#![allow(dead_code, clippy::unwrap_used)]

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use fleetwatch::engine::device::DeviceId;
use fleetwatch::engine::incident::closure::Obstacles;
use fleetwatch::engine::incident::{
    Action, Case, CaseEvent, CaseSummary, Command, LifeSettings, Observation, Refusal, Rota,
};
use fleetwatch::engine::time::Timestamp;
use fleetwatch::record::StoreError;
use fleetwatch::record::case::{
    CaseAppend, CaseQuery, CaseStore, ContactEntry, Keep, KeptAnswer, RecordedCase, RecordedCaseEvent,
};
use fleetwatch::record::desk::{CaseBoard, CaseDesk, CaseFile, CaseUpdate, DeskError, Once, Reshape, is_called};
use fleetwatch::record::outbox::{Attempt, Dispatch, NewDispatch, Outbox, Outcome, Untold};
use tokio::sync::broadcast;

/// One incident and its record.
#[derive(Clone, Debug)]
pub struct Told {
    pub case: Case,
    pub events: Vec<RecordedCaseEvent>,
}

impl Told {
    /// An incident after its first event.
    pub fn open(event: CaseEvent) -> Self {
        let case = Case::open(&event).unwrap();
        let events = vec![RecordedCaseEvent { seq: 1, recorded_at: event.at.plus_ms(20), event }];
        Self { case, events }
    }

    pub fn take(&mut self, events: Vec<CaseEvent>) {
        for event in events {
            self.case.apply(&event);
            let seq = self.events.len() as i64 + 1;
            self.events.push(RecordedCaseEvent { seq, recorded_at: event.at.plus_ms(20), event });
        }
    }

    /// What somebody, or something, does at an instant.
    pub fn act(&mut self, at: Timestamp, by: &str, action: Action) {
        self.take(vec![CaseEvent { at, by: by.to_owned(), action }]);
    }

    /// A person's wish that is granted.
    pub fn wish(&mut self, at: Timestamp, by: &str, command: Command) {
        let settings = LifeSettings::default();
        let events =
            self.case.decide(&command, by, None, (&settings, at)).unwrap_or_else(|why| panic!("{command:?}: {why}"));
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
    updates: broadcast::Sender<CaseUpdate>,
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

    pub fn case(&self, id: &str) -> Case {
        self.told.lock().unwrap().iter().find(|told| is_called(&told.case, id)).unwrap().case.clone()
    }

    /// Something happens of itself, and whoever listens hears of it.
    pub fn happen(&self, id: &str, by: &str, action: Action) {
        let mut told = self.told.lock().unwrap();
        let one = told.iter_mut().find(|told| is_called(&told.case, id)).unwrap();
        one.act(*self.now.lock().unwrap(), by, action);
        self.say(&one.case, vec![one.events.last().unwrap().event.action.as_str()]);
    }

    fn say(&self, case: &Case, actions: Vec<&'static str>) {
        let devices = case.ladder.iter().map(|(device, _)| device.clone()).take(300).collect();
        let (number, version, at) = (case.number().to_owned(), case.version, case.updated_at);
        let _ = self.updates.send(CaseUpdate { number, version, at, actions, devices });
    }

    fn observe<T>(&self, case: &Case, look: impl FnOnce(Option<&Observation<'_>>) -> T) -> T {
        use fleetwatch::engine::incident::Sighting;
        if *self.sight.lock().unwrap() == Sight::Nothing {
            return look(None);
        }
        let seen: Observation<'_> = case
            .ladder
            .iter()
            .map(|(device, _)| Sighting {
                device,
                streak_min: 0,
                quiet_min: 60,
                quiet_since: Some(Timestamp::from_ms(0)),
                is_known: true,
                in_event: false,
                workaround: None,
                update: None,
                packages: &[],
            })
            .collect();
        look(Some(&seen))
    }
}

#[async_trait]
impl CaseDesk for Desk {
    fn board(&self) -> Arc<CaseBoard> {
        let told = self.told.lock().unwrap();
        let cases = told.iter().filter(|told| told.case.is_open()).map(|told| Arc::new(told.case.clone())).collect();
        Arc::new(CaseBoard { cases, settings: Arc::new(self.settings.clone()), rota: Arc::new(self.rota.clone()) })
    }

    fn updates(&self) -> broadcast::Receiver<CaseUpdate> {
        self.updates.subscribe()
    }

    fn obstacles(&self, id: &str) -> Option<Obstacles> {
        let told = self.told.lock().unwrap();
        let case = &told.iter().find(|told| told.case.is_open() && is_called(&told.case, id))?.case;
        Some(self.observe(case, |seen| case.obstacles(seen)))
    }

    async fn file(&self, id: &str) -> Result<Option<CaseFile>, StoreError> {
        let told = self.told.lock().unwrap();
        let found = told.iter().find(|told| is_called(&told.case, id));
        Ok(found.map(|told| CaseFile {
            case: Arc::new(told.case.clone()),
            record: RecordedCase { id: told.case.id().to_owned(), events: told.events.clone() },
        }))
    }

    async fn wish_once(
        &self,
        id: &str,
        (_, command): (Option<u64>, Command),
        by: &str,
        _: Option<Once>,
    ) -> Result<Arc<Case>, DeskError> {
        if *self.broken.lock().unwrap() {
            return Err(DeskError::Store(StoreError::Full));
        }
        let now = *self.now.lock().unwrap();
        let mut told = self.told.lock().unwrap();
        let one =
            told.iter_mut().find(|told| is_called(&told.case, id)).ok_or_else(|| DeskError::Unknown(id.to_owned()))?;
        let events = self.observe(&one.case, |seen| one.case.decide(&command, by, seen, (&self.settings, now)))?;
        let actions = events.iter().map(|event| event.action.as_str()).collect();
        one.take(events);
        self.say(&one.case, actions);
        Ok(Arc::new(one.case.clone()))
    }

    async fn reshape_once(
        &self,
        reshape: Reshape,
        reason: &str,
        by: &str,
        _: Option<Once>,
    ) -> Result<Arc<Case>, DeskError> {
        let now = *self.now.lock().unwrap();
        let mut told = self.told.lock().unwrap();
        let find = |told: &[Told], id: &str| {
            told.iter().position(|told| is_called(&told.case, id)).ok_or_else(|| DeskError::Unknown(id.to_owned()))
        };
        match reshape {
            Reshape::Merge { from, into } => {
                let (from, into) = (find(&told, &from)?, find(&told, &into)?);
                let taken = told[into].case.absorb_from(&told[from].case, reason, by, now)?;
                let number = told[into].case.number().to_owned();
                let gone = told[from].case.merge_into(&number, reason, by, now)?;
                told[from].take(gone);
                told[into].take(taken);
                Ok(Arc::new(told[into].case.clone()))
            }
            Reshape::Split { from, devices } => {
                let at = find(&told, &from)?;
                let number = format!("INC-2026-{:04}", 100 + told.len());
                let (left, opened) = told[at].case.split(&devices, (&number, "E-split"), (reason, by), now)?;
                told[at].take(left);
                let mut opened = opened.into_iter();
                let mut new = Told::open(opened.next().unwrap());
                new.take(opened.collect());
                told.push(new.clone());
                Ok(Arc::new(new.case))
            }
            Reshape::Declare { .. } if reason.is_empty() => Err(Refusal::Reason.into()),
            Reshape::Declare { event_id } => {
                let mut opening = told[0].case.opening.clone();
                (opening.number, opening.event_id) = ("INC-2026-0999".to_owned(), event_id);
                let new =
                    Told::open(CaseEvent { at: now, by: by.to_owned(), action: Action::Opened(Box::new(opening)) });
                told.push(new.clone());
                Ok(Arc::new(new.case))
            }
        }
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
        unimplemented()
    }

    async fn case(&self, id: &str) -> Result<Option<RecordedCase>, StoreError> {
        Ok(self.file(id).await?.map(|file| file.record))
    }

    async fn open_cases(&self) -> Result<Vec<RecordedCase>, StoreError> {
        unimplemented()
    }

    async fn cases(&self, query: &CaseQuery) -> Result<Vec<CaseSummary>, StoreError> {
        let told = self.told.lock().unwrap();
        let of = |told: &&Told| query.device.as_ref().is_none_or(|device| told.case.ladder.contains(device));
        Ok(told.iter().filter(of).map(|told| told.case.summary()).collect())
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
