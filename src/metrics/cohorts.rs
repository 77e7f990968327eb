//! Distributions and counts by cohort: traffic class x update x branch.
//!
//! A report adds to what its device has *pending*, under a lock that nobody else wants (deliveries of one device come one
//! after the other). A scrape moves what is pending into the cohort to which the device belongs by then. So the path of a
//! report knows nothing of updates, branches and dictionaries, the sums only ever grow, and a device that changes its
//! update leaves behind what it counted before. The labels go through the same dictionaries as everything that devices
//! say of themselves.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dashmap::DashMap;

use super::dictionary::{Dictionaries, OTHER};
use super::names::{self, Metric};
use super::text::{Escaped, Micros, Text};
use crate::engine::device::{DeviceId, Label, TrafficClass};
use crate::engine::histogram;
use crate::engine::report::{ClassReport, Report};
use crate::engine::snapshot::{DeviceView, Snapshot};
use crate::engine::time::Timestamp;

/// Upper bounds of the buckets in microseconds: powers of two and the steps half-way between, where medians and 95th
/// percentiles of healthy devices lie; coarser above. All of them are edges of [`histogram`]'s layout, so that no count is
/// split by a guess. Latencies are whole microseconds, rounded down: the bucket below an edge ends at it.
const BOUNDS_US: [u32; 16] = [
    512, 1_024, 1_536, 2_048, 3_072, 4_096, 6_144, 8_192, 12_288, 16_384, 24_576, 32_768, 65_536, 131_072, 262_144,
    1_048_576,
];

const BUCKETS: usize = BOUNDS_US.len() + 1;

/// The place in [`BOUNDS_US`] of each bucket of the layout; one past the end above the last bound.
static PLACES: [u8; histogram::BUCKETS] = places();

const fn places() -> [u8; histogram::BUCKETS] {
    let mut places = [0; histogram::BUCKETS];
    let mut index = 0;
    while index < histogram::BUCKETS {
        let mut place = 0;
        while place < BOUNDS_US.len() && histogram::lowest_of(index) >= BOUNDS_US[place] {
            place += 1;
        }
        places[index] = place as u8;
        index += 1;
    }
    places
}

/// Engine time for which a cohort that nothing is added to keeps its series.
const KEEP_MS: i64 = 24 * 3_600_000;

/// Sums of one traffic class.
#[derive(Clone, Debug, Default)]
struct Sums {
    /// Not cumulative.
    buckets: [u64; BUCKETS],
    sum_us: u64,
    flows: u64,
    flagged: u64,
    released: u64,
    probes: u64,
    flagged_probes: u64,
}

impl Sums {
    fn count(&mut self, report: &Report, class: &ClassReport) {
        for bucket in report.buckets_of(class) {
            let index = usize::from(bucket.index).min(histogram::BUCKETS - 1);
            let count = u64::from(bucket.count);
            self.buckets[usize::from(PLACES[index])] += count;
            let middle = (u64::from(histogram::lowest_of(index)) + u64::from(histogram::highest_of(index))) / 2;
            self.sum_us += middle * count;
        }
        self.flows += u64::from(class.flows);
        self.flagged += u64::from(class.flagged);
        self.released += u64::from(class.released);
        self.probes += u64::from(class.canary);
        self.flagged_probes += u64::from(class.canary_flagged);
    }

    fn add(&mut self, other: &Self) {
        for (mine, more) in self.buckets.iter_mut().zip(other.buckets) {
            *mine += more;
        }
        self.sum_us += other.sum_us;
        self.flows += other.flows;
        self.flagged += other.flagged;
        self.released += other.released;
        self.probes += other.probes;
        self.flagged_probes += other.flagged_probes;
    }
}

/// What a device has reported since the last scrape, by class.
type Pending = [Option<Box<Sums>>; TrafficClass::COUNT];

/// What every device has reported since the last scrape. Shared by the path of the reports and the exporter.
#[derive(Debug, Default)]
pub(super) struct Cohorts {
    pending: DashMap<DeviceId, Arc<Mutex<Pending>>>,
}

/// A lock whose data cannot be left half done in a way that matters.
fn lock(pending: &Mutex<Pending>) -> MutexGuard<'_, Pending> {
    pending.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Cohorts {
    /// Counts a report that has been recorded: neither a duplicate nor refused. `device` is an id that was admitted.
    pub(super) fn count(&self, device: &str, report: &Report) {
        let known = self.pending.get(device).map(|entry| Arc::clone(&entry));
        let pending = match known {
            Some(pending) => pending,
            None => {
                let Ok(id) = DeviceId::parse(device) else { return };
                Arc::clone(&self.pending.entry(id).or_default())
            }
        };
        let mut pending = lock(&pending);
        for class in &report.classes {
            pending[class.class.index()].get_or_insert_default().count(report, class);
        }
    }

    /// Drops what a device has reported that is gone.
    pub(super) fn forget(&self, device: &DeviceId) {
        self.pending.remove(device);
    }

    /// Takes what a device has reported.
    fn take(&self, device: &DeviceId) -> Pending {
        let known = self.pending.get(device).map(|entry| Arc::clone(&entry));
        known.map(|pending| std::mem::take(&mut *lock(&pending))).unwrap_or_default()
    }
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Key {
    class: TrafficClass,
    update: Label,
    branch: Label,
}

#[derive(Debug, Default)]
struct Cohort {
    sums: Sums,
    last: Timestamp,
}

/// The cohorts' sums, as the exporter keeps them.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    cohorts: BTreeMap<Key, Cohort>,
}

impl Ledger {
    /// Moves what is pending into the cohorts, and forgets those that had nothing for a day.
    pub(super) fn settle(&mut self, pending: &Cohorts, snapshot: &Snapshot, dictionaries: &Dictionaries) {
        for device in &snapshot.devices {
            for (class, sums) in TrafficClass::ALL.into_iter().zip(pending.take(&device.id)) {
                if let Some(sums) = sums {
                    let key = self.key(class, device, dictionaries);
                    let cohort = self.cohorts.entry(key).or_default();
                    cohort.sums.add(&sums);
                    cohort.last = snapshot.at;
                }
            }
        }
        self.cohorts.retain(|_, cohort| snapshot.at.since_ms(cohort.last) < KEEP_MS);
    }

    /// The cohort of a device. When there are too many, a new one is that of all branches together.
    fn key(&self, class: TrafficClass, device: &DeviceView, dictionaries: &Dictionaries) -> Key {
        let update = dictionaries.update.label(device.update.as_ref()).into();
        let branch = dictionaries.branch.label(device.branch.as_ref()).into();
        let key = Key { class, update, branch };
        if self.cohorts.len() < names::COHORTS || self.cohorts.contains_key(&key) {
            return key;
        }
        Key { branch: OTHER.into(), ..key }
    }

    pub(super) fn write(&self, text: &mut Text) {
        if self.cohorts.is_empty() {
            return;
        }
        let labels: Vec<String> = self.cohorts.keys().map(labels).collect();
        self.histogram(text, &labels);
        self.counter(text, &labels, names::COHORT_FLOWS, |sums| sums.flows);
        self.counter(text, &labels, names::COHORT_FLAGGED, |sums| sums.flagged);
        self.counter(text, &labels, names::COHORT_RELEASED, |sums| sums.released);
        self.counter(text, &labels, names::COHORT_PROBES, |sums| sums.probes);
        self.counter(text, &labels, names::COHORT_FLAGGED_PROBES, |sums| sums.flagged_probes);
    }

    fn counter(&self, text: &mut Text, labels: &[String], metric: Metric, value: impl Fn(&Sums) -> u64) {
        text.head(metric);
        for (cohort, labels) in self.cohorts.values().zip(labels) {
            text.line(metric, labels, value(&cohort.sums));
        }
    }

    fn histogram(&self, text: &mut Text, labels: &[String]) {
        let metric = names::COHORT_LATENCY;
        text.head(metric);
        let bounds: Vec<String> = BOUNDS_US.iter().map(|&us| format!("{}", f64::from(us) / 1e6)).collect();
        let mut line = String::new();
        for (Cohort { sums, .. }, labels) in self.cohorts.values().zip(labels) {
            let mut below = 0;
            for (count, bound) in sums.buckets.iter().zip(bounds.iter().map(String::as_str).chain(["+Inf"])) {
                below += count;
                line.clear();
                // Writing to a string cannot fail.
                let _ = write!(line, "{labels},le=\"{bound}\"");
                text.part(metric, "_bucket", &line, below);
            }
            text.part(metric, "_sum", labels, Micros::new(i64::try_from(sums.sum_us).unwrap_or(i64::MAX)));
            text.part(metric, "_count", labels, below);
        }
    }
}

fn labels(key: &Key) -> String {
    let Key { class, update, branch } = key;
    format!("branch=\"{}\",class=\"{class}\",update=\"{}\"", Escaped(branch), Escaped(update))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bound_is_an_edge_of_the_layout() {
        for us in BOUNDS_US {
            assert_eq!(histogram::lowest_of(histogram::bucket_of(us)), us);
        }
        for us in [1, 511, 512, 1_535, 1_536, 900_000, 60_000_000] {
            let place = usize::from(PLACES[histogram::bucket_of(us)]);
            assert!(place == BOUNDS_US.len() || us < BOUNDS_US[place], "{us}");
            assert!(place == 0 || us >= BOUNDS_US[place - 1], "{us}");
        }
    }
}
