//! From the detector's events to incidents: which one an event belongs to, and what it changes there.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::engine::device::DeviceId;
use crate::engine::effect::{Cause, Change, ChangeKind, EventState, Scope, Severity};
use crate::engine::snapshot::EventView;
use crate::engine::time::Timestamp;
use crate::incident::event::{Joining, Opening};
use crate::incident::{Action, DETECTOR, Incident, IncidentEvent};
use crate::record::incidents::DeskError;
use crate::record::{EventQuery, EventSummary, StoreError};

use super::{Batch, Inner, lock};

/// How long ago an event may have ended that is made up for, in ms.
const MADE_UP_MS: i64 = 48 * 3_600_000;

/// What an incident has to know of an event of the detector, wherever it was read.
#[derive(Clone, Debug)]
pub(super) struct Declared {
    pub event_id: String,
    pub number: String,
    pub aliases: Vec<String>,
    pub scope: Scope,
    pub impact_started_at: Timestamp,
    pub declared_at: Timestamp,
    pub streak_s: u64,
    pub cause: Option<Cause>,
    pub devices: Vec<DeviceId>,
}

impl Declared {
    /// A declared event as a change tells it; `None` for what is no major incident.
    pub fn of_change(change: &Change) -> Option<Self> {
        let number = change.incident.clone()?;
        let told = matches!(change.kind, ChangeKind::Declared | ChangeKind::Joined | ChangeKind::CauseChanged);
        (told && change.severity == Severity::Major).then(|| Self {
            event_id: change.event_id.clone(),
            number,
            aliases: change.aliases.clone(),
            scope: change.scope,
            impact_started_at: change.impact_started_at,
            declared_at: change.at,
            streak_s: change.streak_s,
            cause: change.cause.clone(),
            devices: if change.kind == ChangeKind::CauseChanged { Vec::new() } else { change.devices.clone() },
        })
    }

    /// A declared event as it stands in the snapshot.
    pub fn of_view(view: &EventView) -> Option<Self> {
        let number = view.incident.clone()?;
        (view.state == EventState::Declared).then(|| Self {
            event_id: view.event_id.clone(),
            number,
            aliases: Vec::new(),
            scope: view.scope,
            impact_started_at: view.impact_started_at,
            declared_at: view.declared_at.unwrap_or(view.impact_started_at),
            streak_s: view.streak_s,
            cause: view.cause.clone(),
            devices: view.members.clone(),
        })
    }

    /// An incident of the record, with its members of that time.
    pub fn of_record(event: &EventSummary, devices: Vec<DeviceId>) -> Option<Self> {
        Some(Self {
            event_id: event.event_id.clone(),
            number: event.number.clone()?,
            aliases: event.aliases.clone(),
            scope: event.scope,
            impact_started_at: event.impact_started_at,
            declared_at: event.declared_at?,
            streak_s: event.streak_s,
            cause: event.cause.clone(),
            devices,
        })
    }

    /// The same event, told once more: it says what holds now, of all devices that were named.
    pub fn grow(&mut self, later: Self) {
        let Self { number, mut aliases, scope, impact_started_at, declared_at, streak_s, cause, devices, .. } = later;
        let known: BTreeSet<DeviceId> = self.devices.drain(..).chain(devices).collect();
        aliases.append(&mut self.aliases);
        aliases.sort_unstable();
        aliases.dedup();
        *self = Self {
            event_id: std::mem::take(&mut self.event_id),
            number,
            aliases,
            scope,
            impact_started_at,
            declared_at: declared_at.min(self.declared_at),
            streak_s,
            cause: cause.or(self.cause.take()),
            devices: known.into_iter().collect(),
        };
    }

    /// Whether the open incident is about the same thing: the same event, one that it was merged with, the same suspect, or mostly
    /// the same devices.
    fn belongs_to(&self, incident: &Incident) -> bool {
        let told =
            |id: &String| incident.event_ids.contains(id) || incident.aliases.contains(id) || incident.number() == id;
        if told(&self.event_id) || told(&self.number) || self.aliases.iter().any(told) {
            return true;
        }
        let suspects = self.cause.as_ref().zip(incident.cause.as_ref());
        let both_fleet = self.scope == Scope::Fleet && incident.scope == Scope::Fleet;
        if both_fleet && suspects.is_some_and(|(new, old)| new.suspect == old.suspect) {
            return true;
        }
        let common = self.devices.iter().filter(|device| incident.ladder.contains(device)).count();
        common * 2 > self.devices.len()
    }
}

impl Inner {
    /// Brings the incidents to what a declared event says. Saying it twice changes nothing. The caller holds `writing`.
    pub(super) async fn take_in(&self, declared: &Declared) -> Result<(), StoreError> {
        let now = self.clock.now();
        let open = self.board.load_full();
        let Some(incident) = open.incidents.iter().find(|incident| declared.belongs_to(incident)) else {
            return self.open_incident(declared, now).await;
        };
        let mut events = Vec::new();
        let mut next = (**incident).clone();
        let mut push = |incident: &mut Incident, event: IncidentEvent| {
            incident.apply(&event);
            events.push(event);
        };
        let by_detector = |action| IncidentEvent { at: now, by: DETECTOR.to_owned(), action };
        let ids =
            [&declared.event_id].into_iter().chain(declared.aliases.iter().filter(|alias| alias.starts_with("E-")));
        for id in ids {
            if !next.event_ids.contains(id) {
                let number = (declared.number != next.number()).then(|| declared.number.clone());
                push(&mut next, by_detector(Action::Attached { event_id: id.clone(), number }));
            }
        }
        let suspect = |cause: &Option<Cause>| cause.as_ref().map(|cause| cause.suspect.clone());
        let named_elsewhere = declared.event_id == *next.id() && suspect(&declared.cause) != suspect(&next.cause);
        if named_elsewhere && declared.cause.is_some() {
            push(&mut next, by_detector(Action::CauseChanged { cause: declared.cause.clone() }));
        }
        if declared.scope == Scope::Fleet && next.scope == Scope::Isolated && declared.event_id == *next.id() {
            let reason = "more devices joined".to_owned();
            push(&mut next, by_detector(Action::Promoted { reason }));
        }
        let joining = self.joining(declared.devices.iter().filter(|device| self.is_free(device, incident)));
        for event in next.take_in(&joining, now) {
            push(&mut next, event);
        }
        self.commit(vec![Batch { before: Some(Arc::clone(incident)), events }]).await.map(drop)
    }

    /// Whether no other open incident has the device: what was split off stays where it is.
    fn is_free(&self, device: &DeviceId, incident: &Incident) -> bool {
        incident.ladder.contains(device) || self.board.load().of_device(device).next().is_none()
    }

    async fn open_incident(&self, declared: &Declared, now: Timestamp) -> Result<(), StoreError> {
        // It has a record already: it was closed, and what it was opened for is told once more by a replayed journal.
        if self.store.incident(&declared.event_id).await?.is_some() {
            lock(&self.over).insert(declared.event_id.clone());
            return Ok(());
        }
        let detected_at = match self.events.event(&declared.event_id).await? {
            Some(record) => record.changes.first().map(|entry| entry.change.at),
            None => None,
        };
        let follows = self.followed(&declared.devices, declared.cause.as_ref()).await;
        let opening = Opening {
            number: declared.number.clone(),
            event_id: declared.event_id.clone(),
            scope: declared.scope,
            impact_started_at: declared.impact_started_at,
            detected_at: detected_at.unwrap_or(declared.declared_at).min(declared.declared_at),
            declared_at: declared.declared_at,
            criterion_s: u64::from(self.hold_min) * 60,
            measured_s: declared.streak_s,
            cause: declared.cause.clone(),
            follows: follows.as_ref().map(|closed| closed.number().to_owned()),
            devices: self.joining(&declared.devices),
        };
        let opened = IncidentEvent { at: now, by: DETECTOR.to_owned(), action: Action::Opened(Box::new(opening)) };
        let mut batches = vec![Batch { before: None, events: vec![opened] }];
        if let Some(closed) = follows {
            let action = Action::Followed { number: declared.number.clone() };
            let event = IncidentEvent { at: now, by: DETECTOR.to_owned(), action };
            batches.push(Batch { before: Some(closed), events: vec![event] });
        }
        self.commit(batches).await.map(drop)
    }

    /// What a warned event becomes a major incident by, by a person's word.
    pub(super) async fn declare_by_hand(
        &self,
        event_id: &str,
        (reason, by): (&str, &str),
        now: Timestamp,
    ) -> Result<Vec<Batch>, DeskError> {
        let unknown = || DeskError::Unknown(event_id.to_owned());
        let snapshot = self.snapshot.load_full();
        let view = snapshot.events.iter().find(|view| view.event_id == event_id).ok_or_else(unknown)?;
        if self.find(event_id).is_some() || self.store.incident(event_id).await?.is_some() {
            return Err(DeskError::Unknown(format!("{event_id} that is not declared already")));
        }
        let opening = Opening {
            // The detector's counter is not touched: the number says that a person declared it, and which event.
            number: format!("INC-{}", view.event_id),
            event_id: view.event_id.clone(),
            scope: view.scope,
            impact_started_at: view.impact_started_at,
            detected_at: now.min(view.declared_at.unwrap_or(now)),
            declared_at: now,
            criterion_s: u64::from(self.hold_min) * 60,
            measured_s: view.streak_s,
            cause: view.cause.clone(),
            follows: None,
            devices: self.joining(&view.members),
        };
        let event = |action| IncidentEvent { at: now, by: by.to_owned(), action };
        let opened = event(Action::Opened(Box::new(opening)));
        let noted = event(Action::Noted { text: reason.to_owned(), told: true });
        Ok(vec![Batch { before: None, events: vec![opened, noted] }])
    }

    /// What is known of the devices, as they join.
    fn joining<'a>(&self, devices: impl IntoIterator<Item = &'a DeviceId>) -> Vec<Joining> {
        let snapshot = self.snapshot.load_full();
        let joining = |device: &DeviceId| {
            let place = snapshot.devices.binary_search_by(|view| view.id.cmp(device)).ok();
            let view = place.map(|place| &snapshot.devices[place]);
            let text = |label: Option<&crate::engine::device::Label>| label.map(|label| label.to_string());
            Joining {
                device: device.clone(),
                branch: text(view.and_then(|view| view.branch.as_ref())),
                customer: text(view.and_then(|view| view.customer.as_ref())),
            }
        };
        devices.into_iter().map(joining).collect()
    }

    /// What was declared according to the record and has no incident: while nothing ran, or while a listener was too slow. Also what
    /// is over by now: people were to be told of it.
    pub(super) async fn make_up(&self) -> Result<(), StoreError> {
        let since = self.clock.now().plus_ms(-MADE_UP_MS);
        let query = EventQuery { since: Some(since), limit: 500, ..EventQuery::default() };
        let known: BTreeSet<String> =
            self.board.load().incidents.iter().flat_map(|incident| incident.event_ids.iter().cloned()).collect();
        for event in self.events.events(query).await? {
            if known.contains(&event.event_id) || event.declared_at.is_none() {
                continue;
            }
            let Some(record) = self.events.event(&event.event_id).await? else { continue };
            let devices = record.devices.into_iter().map(|member| member.device).collect();
            if let Some(declared) = Declared::of_record(&event, devices) {
                self.take_in(&declared).await?;
            }
        }
        Ok(())
    }
}
