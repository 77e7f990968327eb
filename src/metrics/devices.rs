//! Each device as text.

use std::fmt::Write;

use super::dictionary::Dictionaries;
use super::names::{self, Metric};
use super::series::DeviceSeries;
use super::text::{Escaped, Micros, Millis, Number, Text};
use crate::engine::effect::Verdict;
use crate::engine::snapshot::{ClassView, DeviceView, Snapshot};
use crate::engine::time::Timestamp;

/// Engine time after which what a silent device last said of its quality is not shown any more: it would look like news.
const STALE_MS: i64 = 10 * 60_000;

/// The devices that the setting chooses.
pub(super) fn write(text: &mut Text, snapshot: &Snapshot, series: DeviceSeries, dictionaries: &Dictionaries) {
    let chosen: Vec<&DeviceView> = match series {
        DeviceSeries::Off => return,
        DeviceSeries::Full => snapshot.devices.iter().collect(),
        DeviceSeries::Affected => snapshot.devices.iter().filter(|device| is_affected(device)).collect(),
    };
    devices(text, &chosen, snapshot.at, dictionaries);
}

fn is_affected(device: &DeviceView) -> bool {
    device.verdict == Verdict::Degraded || device.streak_s > 0 || device.event_id.is_some()
}

fn devices(text: &mut Text, chosen: &[&DeviceView], at: Timestamp, dictionaries: &Dictionaries) {
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
    let mut table = Table { text, chosen, labels: &labels, at };
    table.column(names::DEVICE_REPORTING, |device| Some(device.reporting));
    table.column(names::DEVICE_ONLINE, |device| device.online);
    table.column(names::DEVICE_VERDICT, |device| Some(device.verdict as u64));
    table.column(names::DEVICE_STREAK, |device| Some(device.streak_s));
    table.latency();
    table.class_column(names::DEVICE_CLASS_VERDICT, |view| Some(view.verdict as u64));
    table.class_column(names::DEVICE_CLASS_LIMIT, |view| Some(Micros::new(i64::from(view.p95_limit_us?))));
    table.class_column(names::DEVICE_CLASS_OVER, |view| view.over_limit);
    table.column(names::DEVICE_FALSE_POSITIVES, |device| device.false_positive_ratio.filter(|_| is_fresh(device, at)));
    table.column(names::DEVICE_LAST_REPORT, |device| Some(Millis::new(device.last_report_at?.as_ms())));
    table.column(names::DEVICE_IN_EVENT, |device| Some(device.event_id.is_some()));
    table.events();
    table.column(names::DEVICE_WORKAROUND, |device| device.workaround_active);
    table.column(names::DEVICE_CLOCK_OFFSET, |device| Some(Millis::new(device.clock_offset_ms?)));
    table.column(names::DEVICE_BOOTS, |device| Some(u64::from(device.recent_boots)));
}

/// Whether the device was heard of late.
fn is_fresh(device: &DeviceView, at: Timestamp) -> bool {
    device.last_report_at.is_some_and(|last| at.since_ms(last) < STALE_MS)
}

struct Table<'a> {
    text: &'a mut Text,
    chosen: &'a [&'a DeviceView],
    labels: &'a [String],
    at: Timestamp,
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
            let Some(latency) = device.latency_us.filter(|_| is_fresh(device, self.at)) else { continue };
            for (quantile, us) in [("0.5", latency.p50), ("0.95", latency.p95), ("0.99", latency.p99)] {
                line.clear();
                let _ = write!(line, "{labels},quantile=\"{quantile}\"");
                self.text.line(metric, &line, Micros::new(i64::from(us)));
            }
        }
    }

    fn events(&mut self) {
        self.text.head(names::DEVICE_EVENT);
        for (device, labels) in self.chosen.iter().zip(self.labels) {
            if let Some(event) = &device.event_id {
                self.text.line(names::DEVICE_EVENT, &format!("{labels},event=\"{}\"", Escaped(event)), true);
            }
        }
    }

    fn class_column<N: Number>(&mut self, metric: Metric, value: impl Fn(&ClassView) -> Option<N>) {
        self.text.head(metric);
        let mut line = String::new();
        for (device, labels) in self.chosen.iter().zip(self.labels).filter(|(device, _)| is_fresh(device, self.at)) {
            for view in worst_first(&device.classes).take(names::CLASSES_PER_DEVICE) {
                if let Some(value) = value(view) {
                    line.clear();
                    let _ = write!(line, "class=\"{}\",{labels}", view.class);
                    self.text.line(metric, &line, value);
                }
            }
        }
    }
}

fn worst_first(classes: &[ClassView]) -> impl Iterator<Item = &ClassView> {
    let is_degraded = |view: &&ClassView| view.verdict == Verdict::Degraded;
    classes.iter().filter(is_degraded).chain(classes.iter().filter(move |view| !is_degraded(view)))
}
