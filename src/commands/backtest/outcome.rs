//! What one run declared and warned of, in as much as two runs are compared by it.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::device::DeviceId;
use crate::engine::effect::{Change, ChangeKind, Scope};
use crate::engine::time::Timestamp;
use crate::record::EventSummary;

/// The events of one run.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// By event id.
    events: BTreeMap<String, Found>,
    /// Warnings that were given.
    pub early_warnings: u64,
    /// What of the source could not be used, in words; the same for every run.
    pub faults: String,
}

/// One event of a run.
#[derive(Clone, Debug)]
pub struct Found {
    pub event: EventSummary,
    /// Everyone who ever was a member.
    pub devices: BTreeSet<DeviceId>,
}

impl Found {
    /// From the start of the impact to its recovery, or to the last that is known of it.
    pub fn span(&self) -> (Timestamp, Timestamp) {
        let proved = self.event.impact_started_at.plus_ms(self.event.streak_s as i64 * 1_000);
        let end = self.event.recovered_at.unwrap_or(self.event.updated_at);
        (self.event.impact_started_at, end.max(proved))
    }

    /// The number, or the event id before there is one.
    pub fn name(&self) -> &str {
        self.event.number.as_deref().unwrap_or(&self.event.event_id)
    }
}

impl Outcome {
    /// Takes in the next change.
    pub fn note(&mut self, change: &Change) {
        self.early_warnings += u64::from(change.kind == ChangeKind::EarlyWarning);
        match self.events.get_mut(&change.event_id) {
            Some(found) => found.event = found.event.clone().after(change),
            None => {
                let event = EventSummary::begun_by(change);
                let found = Found { event, devices: BTreeSet::new() };
                self.events.insert(change.event_id.clone(), found);
            }
        }
        if let Some(found) = self.events.get_mut(&change.event_id) {
            found.devices.extend(change.devices.iter().cloned());
        }
    }

    /// The end of the run.
    pub fn settle(&mut self, faults: &str) {
        self.faults = faults.to_owned();
        // What proved to be another event is told with that one.
        let aliases: BTreeSet<String> =
            self.events.values().flat_map(|found| found.event.aliases.iter().cloned()).collect();
        self.events.retain(|event_id, _| !aliases.contains(event_id));
    }

    /// Declared incidents, by their start.
    pub fn incidents(&self) -> Vec<&Found> {
        let declared = self.events.values().filter(|found| found.event.declared_at.is_some());
        let mut found: Vec<&Found> = declared.collect();
        found.sort_by_key(|found| (found.event.impact_started_at, found.name()));
        found
    }

    /// How many incidents of this scope were declared.
    pub fn count(&self, scope: Scope) -> usize {
        self.incidents().into_iter().filter(|found| found.event.scope == scope).count()
    }

    /// Events that were warned of, never declared, and ended.
    pub fn near_misses(&self) -> usize {
        self.events.values().filter(|found| found.event.near_miss.is_some()).count()
    }
}
