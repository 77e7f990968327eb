//! Which incident an event belongs to, and what the event says to it.
//!
//! The detector makes events out of devices that suffer together. Where one belongs is decided here and nowhere else, by the same
//! rules whether it was heard as a change, seen in a snapshot or read from the record afterwards, so that hearing of it twice, late
//! or in part ends in the same incident:
//!
//! 1. to the open incident that has it, or an event or number that it proved to be;
//! 2. else to the open fleet incident with the same suspect;
//! 3. else to the open incident that has more than half of its devices;
//! 4. else to a new one, which follows a closed one with the same suspect or more than half of its devices.

use std::collections::BTreeSet;

use super::aggregate::Incident;
use super::event::{Action, IncidentEvent, Joining, Opening};
use crate::engine::device::DeviceId;
use crate::engine::effect::{Cause, Change, ChangeKind, EventState, Scope, Severity};
use crate::engine::snapshot::EventView;
use crate::engine::time::Timestamp;

/// What an incident has to know of a declared event, wherever it was read.
#[derive(Clone, PartialEq, Debug)]
pub struct DeclaredEvent {
    pub event_id: String,
    /// Number of the incident that the detector declared.
    pub number: String,
    /// Events and numbers that proved to be this one.
    pub aliases: Vec<String>,
    pub scope: Scope,
    pub impact_started_at: Timestamp,
    pub declared_at: Timestamp,
    /// Continuous degradation proved so far, in seconds.
    pub streak_s: u64,
    pub cause: Option<Cause>,
    /// Devices that it tells of, sorted.
    pub devices: Vec<DeviceId>,
}

impl DeclaredEvent {
    /// A declared event as a change tells of it; `None` for what is no major incident, and for changes that say nothing new to one.
    pub fn of_change(change: &Change) -> Option<Self> {
        let number = change.incident.clone()?;
        let devices = match change.kind {
            ChangeKind::Declared | ChangeKind::Joined => change.devices.clone(),
            ChangeKind::CauseChanged => Vec::new(),
            ChangeKind::EarlyWarning | ChangeKind::Left | ChangeKind::Recovered | ChangeKind::Resolved => return None,
        };
        (change.severity == Severity::Major).then(|| Self {
            event_id: change.event_id.clone(),
            number,
            aliases: change.aliases.clone(),
            scope: change.scope,
            impact_started_at: change.impact_started_at,
            declared_at: change.at,
            streak_s: change.streak_s,
            cause: change.cause.clone(),
            devices,
        })
    }

    /// A declared event as a snapshot shows it; `None` while it is on its way to the hour, and once its quality is back.
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

    /// Takes in what was heard of the same event later: what it says now holds, of all devices that were named.
    pub fn extend(&mut self, later: Self) {
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

    /// Whether it belongs to this incident, which is open (rules 1 to 3).
    pub fn belongs_to(&self, incident: &Incident) -> bool {
        let has =
            |id: &String| incident.event_ids.contains(id) || incident.aliases.contains(id) || incident.number() == id;
        let is_known = [&self.event_id, &self.number].into_iter().chain(&self.aliases).any(has);
        let both_fleet = self.scope == Scope::Fleet && incident.scope == Scope::Fleet;
        is_known || (both_fleet && self.has_suspect_of(incident)) || self.has_devices_of(incident)
    }

    /// Whether the incident that it opens follows this one, which is closed (rule 4).
    pub fn follows(&self, incident: &Incident) -> bool {
        incident.ended.is_none() && (self.has_suspect_of(incident) || self.has_devices_of(incident))
    }

    fn has_suspect_of(&self, incident: &Incident) -> bool {
        self.cause.as_ref().zip(incident.cause.as_ref()).is_some_and(|(new, known)| new.suspect == known.suspect)
    }

    fn has_devices_of(&self, incident: &Incident) -> bool {
        let common = self.devices.iter().filter(|device| incident.ladder.contains(device)).count();
        common * 2 > self.devices.len()
    }

    /// How the incident begins that it opens: `detected_at` is the first warning's instant, where one is on record, `criterion_s` the
    /// length of degradation that makes a major incident.
    pub fn opening(
        &self,
        detected_at: Option<Timestamp>,
        criterion_s: u64,
        follows: Option<&Incident>,
        devices: Vec<Joining>,
    ) -> Opening {
        Opening {
            number: self.number.clone(),
            event_id: self.event_id.clone(),
            scope: self.scope,
            impact_started_at: self.impact_started_at,
            detected_at: detected_at.unwrap_or(self.declared_at).min(self.declared_at),
            declared_at: self.declared_at,
            criterion_s,
            measured_s: self.streak_s,
            cause: self.cause.clone(),
            follows: follows.map(|closed| closed.number().to_owned()),
            devices,
        }
    }
}

impl Incident {
    /// What changes because of an event that belongs to the incident. `joining`: its devices that no other open incident has. Hearing
    /// the same again changes nothing.
    pub fn on_event(&self, event: &DeclaredEvent, joining: &[Joining], now: Timestamp) -> Vec<IncidentEvent> {
        let mut events = Vec::new();
        let mut next = self.clone();
        let mut push = |next: &mut Self, happened: IncidentEvent| {
            next.apply(&happened);
            events.push(happened);
        };
        let by_detector = |action| IncidentEvent { at: now, by: super::DETECTOR.to_owned(), action };
        let merged = event.aliases.iter().filter(|alias| alias.starts_with("E-"));
        for id in [&event.event_id].into_iter().chain(merged) {
            if !next.event_ids.contains(id) {
                let number = (event.number != next.number()).then(|| event.number.clone());
                push(&mut next, by_detector(Action::Attached { event_id: id.clone(), number }));
            }
        }
        // Only the event that opened it says what the incident is.
        if event.event_id == *next.id() {
            if event.cause.is_some() && !event.has_suspect_of(&next) {
                push(&mut next, by_detector(Action::CauseChanged { cause: event.cause.clone() }));
            }
            if event.scope == Scope::Fleet && next.scope == Scope::Isolated {
                push(&mut next, by_detector(Action::Promoted { reason: "more devices joined".to_owned() }));
            }
        }
        for happened in next.take_in(joining, now) {
            push(&mut next, happened);
        }
        events
    }
}
