//! An event's record, derived from its changes in memory: what a store does with tables, for those who have a replay.

use std::collections::BTreeMap;

use super::{EventRecord, EventSummary, Membership, RecordedChange};
use crate::engine::device::DeviceId;
use crate::engine::effect::{Change, ChangeKind};

/// Who decides what the engine returns.
const DETECTOR: &str = "detector";

/// Records that grow change by change, one for each event.
#[derive(Clone, Debug, Default)]
pub struct Records {
    /// By event id.
    records: BTreeMap<String, EventRecord>,
    written: i64,
}

impl Records {
    /// Takes in the next change, as written at the instant at which it was decided.
    pub fn note(&mut self, change: &Change) {
        self.written += 1;
        let entry = RecordedChange {
            seq: self.written,
            actor: DETECTOR.to_owned(),
            recorded_at: change.at,
            change: change.clone(),
        };
        match self.records.get_mut(&change.event_id) {
            Some(record) => {
                record.event = record.event.clone().after(change);
                record.take(entry);
            }
            None => {
                let event = EventSummary::begun_by(change);
                let mut record = EventRecord { event, devices: Vec::new(), changes: Vec::new(), gates: Vec::new() };
                record.take(entry);
                self.records.insert(change.event_id.clone(), record);
            }
        }
    }

    /// The event with this incident number or event id; where it proved to be another one, that one.
    pub fn find(&self, id: &str) -> Option<&EventRecord> {
        let has = |record: &&EventRecord| record.event.number.as_deref() == Some(id);
        let mut found = self.became(id).or_else(|| self.records.get(id)).or_else(|| self.records.values().find(has))?;
        // What became another may have become a third, each younger than the one before.
        for _ in 0..self.records.len() {
            let EventSummary { event_id, number, .. } = &found.event;
            let next = [Some(event_id), number.as_ref()].into_iter().flatten().filter_map(|id| self.became(id));
            match next.into_iter().find(|next| next.event.event_id != *event_id) {
                Some(next) => found = next,
                None => break,
            }
        }
        Some(found)
    }

    /// The event that has this id among its aliases.
    fn became(&self, id: &str) -> Option<&EventRecord> {
        self.records.values().find(|record| record.event.aliases.iter().any(|alias| alias == id))
    }

    /// Every event, by its id.
    pub fn iter(&self) -> impl Iterator<Item = &EventRecord> {
        self.records.values()
    }
}

impl EventRecord {
    /// Adds a change, and what it says of the members.
    fn take(&mut self, entry: RecordedChange) {
        let change = &entry.change;
        let mut devices: BTreeMap<DeviceId, Membership> =
            std::mem::take(&mut self.devices).into_iter().map(|member| (member.device.clone(), member)).collect();
        let named = |device: &DeviceId| change.devices.binary_search(device).is_ok();
        if matches!(change.kind, ChangeKind::EarlyWarning | ChangeKind::Joined | ChangeKind::Declared) {
            for device in &change.devices {
                let member = || Membership { device: device.clone(), joined_at: change.at, left_at: None };
                devices.entry(device.clone()).or_insert_with(member).left_at = None;
            }
        }
        for member in devices.values_mut().filter(|member| member.left_at.is_none()) {
            let gone = match change.kind {
                ChangeKind::Left => named(&member.device),
                ChangeKind::Declared => !named(&member.device),
                _ => false,
            };
            if gone {
                member.left_at = Some(change.at);
            }
        }
        self.devices = devices.into_values().collect();
        self.event.affected = self.devices.len() as u64;
        self.event.members = self.devices.iter().filter(|member| member.left_at.is_none()).count() as u64;
        self.changes.push(entry);
    }
}
