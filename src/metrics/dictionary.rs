//! Keeps the label values that devices choose within bounds.
//!
//! A device says itself which update, branch and model it is. Each such value would be a new series, and a hostile or
//! broken device could make a new one every minute. So a value becomes a label only through a dictionary of fixed size;
//! everything else is `other`. A value keeps its place until no device has had it for a day. When a dictionary is full, a value
//! that several devices share may take the place of one that a single device has, so that a few liars cannot
//! keep tonight's update out.

use std::collections::BTreeMap;
use std::fmt;

use crate::engine::device::Label;
use crate::engine::snapshot::{DeviceView, Snapshot};
use crate::engine::time::Timestamp;

/// What is shown for a value that has no place.
pub(super) const OTHER: &str = "other";

/// What is shown for a value that the device did not send.
pub(super) const NONE: &str = "";

/// Engine time for which a value that nobody has any more keeps its place.
const KEEP_MS: i64 = 24 * 3_600_000;

/// Devices that have to share a value for it to take another's place.
const QUORUM: u32 = 3;

/// A bounded set of label values.
#[derive(Debug)]
pub(super) struct Dictionary {
    capacity: usize,
    entries: BTreeMap<Label, Entry>,
}

#[derive(Debug)]
struct Entry {
    devices: u32,
    last_seen: Timestamp,
}

impl Dictionary {
    fn new(capacity: usize) -> Self {
        Self { capacity, entries: BTreeMap::new() }
    }

    /// The label for a device's value.
    pub(super) fn label<'a>(&self, value: Option<&'a Label>) -> &'a str {
        match value {
            None => NONE,
            Some(value) if self.entries.contains_key(value) => value,
            Some(_) => OTHER,
        }
    }

    /// The values that have a place, in order.
    pub(super) fn labels(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(|label| &**label)
    }

    /// Brings the dictionary up to date with the values of all devices.
    fn learn<'a>(&mut self, at: Timestamp, values: impl Iterator<Item = &'a Label>) {
        let mut seen: BTreeMap<&Label, u32> = BTreeMap::new();
        for value in values {
            *seen.entry(value).or_default() += 1;
        }
        for (label, entry) in &mut self.entries {
            entry.devices = seen.remove(label).unwrap_or(0);
            if entry.devices > 0 {
                entry.last_seen = at;
            }
        }
        self.entries.retain(|_, entry| at.since_ms(entry.last_seen) < KEEP_MS);
        // The most common first; among equals the order of the names, so that two scrapes agree.
        let mut newcomers: Vec<_> = seen.into_iter().collect();
        newcomers.sort_by_key(|&(_, devices)| std::cmp::Reverse(devices));
        for (label, devices) in newcomers {
            if self.entries.len() >= self.capacity && !(devices >= QUORUM && self.evict()) {
                break;
            }
            self.entries.insert(label.clone(), Entry { devices, last_seen: at });
        }
    }

    /// Frees the place of a value that at most one device has; the one unused for longest first.
    fn evict(&mut self) -> bool {
        let victim = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.devices <= 1)
            .min_by_key(|(_, entry)| (entry.devices, entry.last_seen))
            .map(|(label, _)| label.clone());
        victim.is_some_and(|label| self.entries.remove(&label).is_some())
    }
}

/// The dictionaries of everything that a device says about itself.
pub(super) struct Dictionaries {
    pub(super) update: Dictionary,
    pub(super) branch: Dictionary,
    pub(super) model: Dictionary,
    pub(super) firmware: Dictionary,
    learnt: Option<Timestamp>,
}

impl Default for Dictionaries {
    fn default() -> Self {
        Self {
            update: Dictionary::new(16),
            branch: Dictionary::new(100),
            model: Dictionary::new(16),
            firmware: Dictionary::new(16),
            learnt: None,
        }
    }
}

impl fmt::Debug for Dictionaries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dictionaries").field("learnt", &self.learnt).finish_non_exhaustive()
    }
}

impl Dictionaries {
    /// Brings all of them up to date; once for each snapshot.
    pub(super) fn learn(&mut self, snapshot: &Snapshot) {
        if self.learnt == Some(snapshot.at) {
            return;
        }
        self.learnt = Some(snapshot.at);
        let (at, devices) = (snapshot.at, &snapshot.devices);
        self.update.learn(at, devices.iter().filter_map(|device| device.update.as_ref()));
        self.branch.learn(at, devices.iter().filter_map(|device| device.branch.as_ref()));
        self.model.learn(at, devices.iter().filter_map(|device| device.model.as_ref()));
        self.firmware.learn(at, devices.iter().filter_map(|device: &DeviceView| device.firmware.as_ref()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(values: &[&str]) -> Vec<Label> {
        values.iter().map(|&value| value.into()).collect()
    }

    #[test]
    fn a_flood_of_values_stays_within_the_bound_and_the_rest_is_other() {
        let mut dictionary = Dictionary::new(4);
        for round in 0..100 {
            let flood: Vec<Label> = (0..50).map(|n| format!("evil-{round}-{n}").into()).collect();
            dictionary.learn(Timestamp::from_ms(round * 10_000), flood.iter());
            assert_eq!(dictionary.labels().count(), 4);
        }
        // Within the day the first four keep their places: a flood makes no new series.
        assert!(dictionary.labels().all(|label| label.starts_with("evil-0-")));
        assert_eq!(dictionary.label(Some(&"evil-99-1".into())), OTHER);
        assert_eq!(dictionary.label(None), NONE);
    }

    #[test]
    fn tonights_update_takes_the_place_of_a_liars() {
        let mut dictionary = Dictionary::new(2);
        dictionary.learn(Timestamp::from_ms(0), labels(&["evil-1", "evil-2"]).iter());
        dictionary.learn(Timestamp::from_ms(10_000), labels(&["evil-1", "evil-2", "good", "good"]).iter());
        assert_eq!(dictionary.label(Some(&"good".into())), OTHER, "two devices are no quorum");
        dictionary.learn(Timestamp::from_ms(20_000), labels(&["evil-1", "evil-2", "good", "good", "good"]).iter());
        assert_eq!(dictionary.label(Some(&"good".into())), "good");
        assert_eq!(dictionary.labels().count(), 2);
    }

    #[test]
    fn a_value_that_nobody_has_any_more_goes_after_a_day() {
        let mut dictionary = Dictionary::new(1);
        dictionary.learn(Timestamp::from_ms(0), labels(&["old", "old", "old"]).iter());
        dictionary.learn(Timestamp::from_ms(KEEP_MS - 1), labels(&["new"]).iter());
        assert_eq!(dictionary.labels().collect::<Vec<_>>(), ["old"]);
        dictionary.learn(Timestamp::from_ms(KEEP_MS), labels(&["new"]).iter());
        assert_eq!(dictionary.labels().collect::<Vec<_>>(), ["new"]);
    }
}
