//! The fleet as a whole, as text.

use std::collections::BTreeMap;

use super::dictionary::{Dictionaries, Dictionary, NONE, OTHER};
use super::names::{self, Metric};
use super::text::{Escaped, Millis, Text};
use crate::engine::device::Label;
use crate::engine::effect::Verdict;
use crate::engine::gate::{Decision, Gate};
use crate::engine::snapshot::{DeviceView, Snapshot};
use crate::engine::time::Timestamp;

const VERDICTS: [Verdict; 4] = [Verdict::Unknown, Verdict::Indeterminate, Verdict::Healthy, Verdict::Degraded];

pub(super) fn write(text: &mut Text, snapshot: &Snapshot, now: Timestamp, dictionaries: &Dictionaries) {
    text.head(names::BUILD);
    text.line(names::BUILD, concat!("version=\"", env!("CARGO_PKG_VERSION"), "\""), true);
    text.single(names::CLOCK, Millis::new(now.as_ms()));
    // Before the first tick there is nothing that could be old.
    if snapshot.at != Timestamp::default() {
        text.single(names::SNAPSHOT_AGE, Millis::new(now.since_ms(snapshot.at)));
    }
    totals(text, snapshot);
    groups(text, snapshot, dictionaries);
    rollouts(text, snapshot, dictionaries);
}

fn totals(text: &mut Text, snapshot: &Snapshot) {
    let totals = &snapshot.totals;
    text.single(names::FLEET_EXPECTED, totals.expected);
    text.single(names::FLEET_REPORTING, totals.reporting);
    text.head(names::FLEET_DEVICES);
    for (verdict, devices) in [
        (Verdict::Degraded, totals.degraded),
        (Verdict::Healthy, totals.healthy),
        (Verdict::Indeterminate, totals.indeterminate),
        (Verdict::Unknown, totals.unknown),
    ] {
        text.line(names::FLEET_DEVICES, &format!("verdict=\"{}\"", verdict.as_str()), devices);
    }
    let classes = || snapshot.devices.iter().flat_map(|device| &device.classes);
    let known = classes().filter(|view| view.p95_limit_us.is_some()).count();
    text.head(names::BASELINE_KNOWN);
    if let carried @ 1.. = classes().count() {
        text.line(names::BASELINE_KNOWN, "", known as f64 / carried as f64);
    }
    text.single(names::REPORTS, totals.reports);
    text.single(names::DUPLICATES, totals.duplicates);
    text.single(names::LATE, totals.late);
    text.single(names::MISSING, totals.missing);
    text.single(names::SLOTS, totals.slots);
    text.head(names::LAST_REPORT);
    if let Some(last) = snapshot.devices.iter().filter_map(|device| device.last_report_at).max() {
        text.line(names::LAST_REPORT, "", Millis::new(last.as_ms()));
    }
}

/// Devices by what they share and by verdict.
fn groups(text: &mut Text, snapshot: &Snapshot, dictionaries: &Dictionaries) {
    type Field = fn(&DeviceView) -> Option<&Label>;
    let kinds: [(Metric, &str, &Dictionary, Field); 3] = [
        (names::FLEET_BY_UPDATE, "update", &dictionaries.update, |device| device.update.as_ref()),
        (names::FLEET_BY_BRANCH, "branch", &dictionaries.branch, |device| device.branch.as_ref()),
        (names::FLEET_BY_MODEL, "model", &dictionaries.model, |device| device.model.as_ref()),
    ];
    for (metric, label, dictionary, field) in kinds {
        // Values without a device keep their series at 0, so that a graph falls instead of ending.
        let mut counts: BTreeMap<&str, [u64; 4]> =
            dictionary.labels().chain([OTHER, NONE]).map(|value| (value, [0; 4])).collect();
        for device in &snapshot.devices {
            counts.entry(dictionary.label(field(device))).or_default()[device.verdict as usize] += 1;
        }
        text.head(metric);
        for (value, by_verdict) in counts {
            for verdict in VERDICTS {
                let labels = format!("{label}=\"{}\",verdict=\"{}\"", Escaped(value), verdict.as_str());
                text.line(metric, &labels, by_verdict[verdict as usize]);
            }
        }
    }
}

/// Devices that have to have installed an update for its rollout to have begun.
const ROLLOUT_QUORUM: usize = 3;

/// When each update began to spread, as far as the devices that have it know when they installed it.
fn rollouts(text: &mut Text, snapshot: &Snapshot, dictionaries: &Dictionaries) {
    let mut installed: BTreeMap<&str, Vec<Timestamp>> = BTreeMap::new();
    for device in &snapshot.devices {
        let label = dictionaries.update.label(device.update.as_ref());
        if let Some(at) = device.update_installed_at.filter(|_| ![OTHER, NONE].contains(&label)) {
            installed.entry(label).or_default().push(at);
        }
    }
    text.head(names::UPDATE_ROLLOUT);
    for (update, mut instants) in installed {
        if instants.len() >= ROLLOUT_QUORUM {
            let (_, begun, _) = instants.select_nth_unstable(ROLLOUT_QUORUM - 1);
            let labels = format!("update=\"{}\"", Escaped(update));
            text.line(names::UPDATE_ROLLOUT, &labels, Millis::new(begun.as_ms()));
        }
    }
}

/// Updates on hold. A version comes from devices, so it goes through the dictionary too.
pub(super) fn gates(text: &mut Text, decisions: &[Decision], dictionaries: &Dictionaries) {
    let known = dictionaries.update.labels().chain([OTHER]);
    let mut held: BTreeMap<String, u64> = known.map(|label| (label.to_owned(), 0)).collect();
    for decision in decisions {
        let version = Label::from(&*decision.version);
        let label = dictionaries.update.label(Some(&version));
        *held.entry(label.to_owned()).or_default() += u64::from(decision.gate == Gate::Hold);
    }
    text.head(names::UPDATE_HELD);
    for (label, count) in held {
        text.line(names::UPDATE_HELD, &format!("update=\"{}\"", Escaped(&label)), count);
    }
}
