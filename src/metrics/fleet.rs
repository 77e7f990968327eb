//! The snapshot as text: fleet, events, devices.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::DeviceSeries;
use super::dictionary::{Dictionaries, Dictionary, NONE, OTHER};
use super::names::{self, Metric};
use super::text::{Escaped, Micros, Millis, Number, Text};
use crate::engine::device::Label;
use crate::engine::effect::{Scope, Verdict};
use crate::engine::gate::{Decision, Gate};
use crate::engine::snapshot::{DeviceView, EventState, EventView, Snapshot};
use crate::engine::time::Timestamp;

const VERDICTS: [Verdict; 4] = [Verdict::Unknown, Verdict::Indeterminate, Verdict::Healthy, Verdict::Degraded];

pub(super) fn write(
    text: &mut Text,
    snapshot: &Snapshot,
    now: Timestamp,
    series: DeviceSeries,
    dictionaries: &Dictionaries,
) {
    text.head(names::BUILD);
    text.line(names::BUILD, concat!("version=\"", env!("CARGO_PKG_VERSION"), "\""), true);
    // Before the first tick there is nothing that could be old.
    if snapshot.at != Timestamp::default() {
        text.single(names::SNAPSHOT_AGE, Millis::new(now.since_ms(snapshot.at)));
    }
    totals(text, snapshot);
    groups(text, snapshot, dictionaries);
    events(text, snapshot);
    let chosen: Vec<&DeviceView> = match series {
        DeviceSeries::Off => Vec::new(),
        DeviceSeries::Full => snapshot.devices.iter().collect(),
        DeviceSeries::Affected => snapshot.devices.iter().filter(|device| is_affected(device)).collect(),
    };
    devices(text, &chosen, dictionaries);
}

fn is_affected(device: &DeviceView) -> bool {
    device.verdict == Verdict::Degraded || device.streak_s > 0 || device.event_id.is_some()
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
    text.single(names::REPORTS, totals.reports);
    text.single(names::DUPLICATES, totals.duplicates);
    text.single(names::LATE, totals.late);
    text.single(names::MISSING, totals.missing);
    text.single(names::SLOTS, totals.slots);
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

fn events(text: &mut Text, snapshot: &Snapshot) {
    let mut open: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for state in [EventState::Pending, EventState::Declared, EventState::Recovered] {
        for scope in [Scope::Fleet, Scope::Isolated] {
            open.insert((state_name(state), scope_name(scope)), 0);
        }
    }
    for event in &snapshot.events {
        *open.entry((state_name(event.state), scope_name(event.scope))).or_default() += 1;
    }
    text.head(names::EVENTS_OPEN);
    for ((state, scope), count) in open {
        text.line(names::EVENTS_OPEN, &format!("scope=\"{scope}\",state=\"{state}\""), count);
    }
    text.single(names::WORST_STREAK, snapshot.events.iter().map(|event| event.streak_s).max().unwrap_or(0));
    text.single(names::WORST_PROGRESS, snapshot.events.iter().map(progress).fold(0.0, f64::max));
    let mut shown: Vec<&EventView> = snapshot.events.iter().collect();
    shown.sort_by_key(|event| std::cmp::Reverse((event.state != EventState::Pending, event.streak_s)));
    shown.truncate(names::EVENTS_WITH_SERIES);
    each_event(text, &shown);
}

fn each_event(text: &mut Text, shown: &[&EventView]) {
    text.head(names::EVENT);
    for event in shown {
        let (kind, value) =
            event.cause.as_ref().map_or(("", ""), |cause| (&*cause.suspect.kind, &*cause.suspect.value));
        let labels = format!(
            "cause=\"{}\",cause_kind=\"{}\",event=\"{}\",incident=\"{}\",scope=\"{}\",state=\"{}\"",
            Escaped(value),
            Escaped(kind),
            Escaped(&event.event_id),
            Escaped(event.incident.as_deref().unwrap_or("")),
            scope_name(event.scope),
            state_name(event.state),
        );
        text.line(names::EVENT, &labels, true);
    }
    column(text, shown, names::EVENT_STREAK, |event| Some(event.streak_s));
    column(text, shown, names::EVENT_HOLD, |event| Some(event.hold_s));
    column(text, shown, names::EVENT_MEMBERS, |event| Some(event.members.len() as u64));
    column(text, shown, names::EVENT_STARTED, |event| Some(Millis::new(event.impact_started_at.as_ms())));
    column(text, shown, names::EVENT_DUE, |event| Some(Millis::new(event.declares_at?.as_ms())));
    column(text, shown, names::EVENT_DECLARED, |event| Some(event.state != EventState::Pending));
    column(text, shown, names::EVENT_SUSPENDED, |event| Some(event.suspended));
    column(text, shown, names::EVENT_CONFIDENCE, |event| Some(event.cause.as_ref()?.confidence));
}

fn column<N: Number>(text: &mut Text, shown: &[&EventView], metric: Metric, value: impl Fn(&EventView) -> Option<N>) {
    text.head(metric);
    for event in shown {
        if let Some(value) = value(event) {
            text.line(metric, &format!("event=\"{}\"", Escaped(&event.event_id)), value);
        }
    }
}

/// How far an event is on its way: 0 to 1.
fn progress(event: &EventView) -> f64 {
    if event.state != EventState::Pending || event.hold_s == 0 {
        return 1.0;
    }
    (event.streak_s as f64 / event.hold_s as f64).min(1.0)
}

fn devices(text: &mut Text, chosen: &[&DeviceView], dictionaries: &Dictionaries) {
    // The label is written once a device and used for each of its series.
    let labels: Vec<String> = chosen.iter().map(|device| format!("device=\"{}\"", device.id)).collect();
    text.head(names::DEVICE);
    let mut line = String::new();
    for device in chosen {
        line.clear();
        // Writing to a string cannot fail.
        let _ = write!(
            line,
            "branch=\"{}\",device=\"{}\",firmware=\"{}\",model=\"{}\",update=\"{}\"",
            Escaped(dictionaries.branch.label(device.branch.as_ref())),
            device.id,
            Escaped(dictionaries.firmware.label(device.firmware.as_ref())),
            Escaped(dictionaries.model.label(device.model.as_ref())),
            Escaped(dictionaries.update.label(device.update.as_ref())),
        );
        text.line(names::DEVICE, &line, true);
    }
    let mut table = Table { text, chosen, labels: &labels };
    table.column(names::DEVICE_REPORTING, |device| Some(device.reporting));
    table.column(names::DEVICE_ONLINE, |device| device.online);
    table.column(names::DEVICE_VERDICT, |device| Some(device.verdict as u64));
    table.column(names::DEVICE_STREAK, |device| Some(device.streak_s));
    table.latency();
    table.column(names::DEVICE_FALSE_POSITIVES, |device| device.false_positive_ratio);
    table.column(names::DEVICE_LAST_REPORT, |device| Some(Millis::new(device.last_report_at?.as_ms())));
    table.column(names::DEVICE_IN_EVENT, |device| Some(device.event_id.is_some()));
    table.column(names::DEVICE_WORKAROUND, |device| device.workaround_active);
    table.column(names::DEVICE_CLOCK_OFFSET, |device| Some(Millis::new(device.clock_offset_ms?)));
    table.column(names::DEVICE_BOOTS, |device| Some(u64::from(device.recent_boots)));
}

struct Table<'a> {
    text: &'a mut Text,
    chosen: &'a [&'a DeviceView],
    labels: &'a [String],
}

impl Table<'_> {
    fn column<N: Number>(&mut self, metric: Metric, value: impl Fn(&DeviceView) -> Option<N>) {
        self.text.head(metric);
        for (device, labels) in self.chosen.iter().zip(self.labels) {
            if let Some(value) = value(device) {
                self.text.line(metric, labels, value);
            }
        }
    }

    fn latency(&mut self) {
        let metric = names::DEVICE_LATENCY;
        self.text.head(metric);
        let mut line = String::new();
        for (device, labels) in self.chosen.iter().zip(self.labels) {
            let Some(latency) = device.latency_us else { continue };
            for (quantile, us) in [("0.5", latency.p50), ("0.95", latency.p95), ("0.99", latency.p99)] {
                line.clear();
                let _ = write!(line, "{labels},quantile=\"{quantile}\"");
                self.text.line(metric, &line, Micros::new(i64::from(us)));
            }
        }
    }
}

const fn state_name(state: EventState) -> &'static str {
    match state {
        EventState::Pending => "pending",
        EventState::Declared => "declared",
        EventState::Recovered => "recovered",
    }
}

const fn scope_name(scope: Scope) -> &'static str {
    match scope {
        Scope::Fleet => "fleet",
        Scope::Isolated => "isolated",
    }
}
