//! `/metrics`: correct to the tools, bounded against the devices.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;

use arc_swap::ArcSwap;
use fleetwatch::clock::Clock;
use fleetwatch::engine::device::Label;
use fleetwatch::engine::effect::ChangeKind;
use fleetwatch::engine::snapshot::Snapshot;
use fleetwatch::metrics::{Counters, DeviceSeries, Encoding, Exporter, MessageKind, names};

use crate::sample::{self, NOW, Stage};

fn counters() -> Arc<Counters> {
    Arc::new(Counters::new(&["not_json", "too_large", "duplicate"]))
}

fn exporter(snapshot: Snapshot, series: DeviceSeries) -> (Exporter, Arc<ArcSwap<Snapshot>>) {
    let snapshot = Arc::new(ArcSwap::from_pointee(snapshot));
    let clock = Clock::scaled(NOW.plus_ms(1_500), 0.000_001);
    (Exporter::new(counters(), Arc::clone(&snapshot), clock, series), snapshot)
}

/// Every series by name and labels. Fails on a line that is no series.
fn series(text: &str) -> BTreeMap<&str, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let mut found = BTreeMap::new();
    for line in lines {
        let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no series: {line}"));
        let value = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
        assert!(found.insert(name, value).is_none(), "twice: {name}");
    }
    found
}

#[test]
fn the_figures_are_the_snapshots() {
    let text = exporter(sample::snapshot(1_000, Stage::Minute(42)), DeviceSeries::Full).0.render();
    let series = series(&text);
    let is = |name: &str, value: f64| assert_eq!(series.get(name), Some(&value), "{name}");
    is("fleetwatch_snapshot_age_seconds", 1.5);
    is("fleetwatch_fleet_expected_devices", 1_000.0);
    is("fleetwatch_fleet_devices{verdict=\"degraded\"}", 330.0);
    is("fleetwatch_update_devices{update=\"2026.11.21\",verdict=\"degraded\"}", 330.0);
    is("fleetwatch_update_devices{update=\"2026.11.20\",verdict=\"degraded\"}", 0.0);
    is("fleetwatch_open_events{scope=\"fleet\",state=\"pending\"}", 1.0);
    is("fleetwatch_worst_streak_seconds", 2_520.0);
    is("fleetwatch_worst_progress_ratio", 0.7);
    is(&format!("fleetwatch_event_streak_seconds{{event=\"{}\"}}", sample::EVENT), 2_520.0);
    is(&format!("fleetwatch_event_hold_seconds{{event=\"{}\"}}", sample::EVENT), 3_600.0);
    is(&format!("fleetwatch_event_member_devices{{event=\"{}\"}}", sample::EVENT), 330.0);
    is(
        &format!(
            "fleetwatch_event_info{{cause=\"2026.11.21\",cause_kind=\"update\",event=\"{}\",incident=\"\",\
             scope=\"fleet\",state=\"pending\"}}",
            sample::EVENT
        ),
        1.0,
    );
    // Microseconds on the wire, seconds here: device 3 has 1,800 + 111 us, nine times as much while degraded.
    is("fleetwatch_device_latency_seconds{device=\"B-0003\",quantile=\"0.5\"}", 0.017_199);
    is("fleetwatch_device_verdict{device=\"B-0003\"}", 3.0);
    is("fleetwatch_device_verdict{device=\"B-0097\"}", 0.0);
    is("fleetwatch_device_clock_offset_seconds{device=\"B-0001\"}", -0.199);
    is("fleetwatch_device_last_report_timestamp_seconds{device=\"B-0001\"}", 1_795_285_799.0);
    assert!(
        !series.contains_key("fleetwatch_device_latency_seconds{device=\"B-0097\",quantile=\"0.5\"}"),
        "no data, no figure"
    );
    assert!(series["process_resident_memory_bytes"] > 1e6);
    assert!(series["process_cpu_seconds_total"] >= 0.0);
}

#[test]
fn a_device_has_few_series_and_they_can_be_switched_off() {
    let count = |text: &str, device: &str| {
        let label = format!("device=\"{device}\"");
        series(text).keys().filter(|name| name.contains(&label)).count()
    };
    let full = exporter(sample::snapshot(1_000, Stage::Declared), DeviceSeries::Full).0.render();
    let most = (1..=1_000).map(|number| count(&full, sample::id(number).as_str())).take(12).max().unwrap();
    assert!((10..=names::SERIES_PER_DEVICE).contains(&most), "{most} series a device");
    let affected = exporter(sample::snapshot(1_000, Stage::Declared), DeviceSeries::Affected).0.render();
    assert_eq!(count(&affected, "B-0003"), count(&full, "B-0003"));
    assert_eq!(count(&affected, "B-0001"), 0);
    let off = exporter(sample::snapshot(1_000, Stage::Declared), DeviceSeries::Off).0.render();
    assert!(!off.contains("device=\""));
    assert!(series(&off).len() < 500, "{}", series(&off).len());
}

#[test]
fn labels_that_devices_invent_stay_bounded_and_are_escaped() {
    let mut snapshot = sample::snapshot(1_000, Stage::Quiet);
    let (exporter, shared) = exporter(snapshot.clone(), DeviceSeries::Full);
    let mut seen = BTreeSet::new();
    let mut length = 0;
    for round in 0..20 {
        for (number, device) in snapshot.devices.iter_mut().enumerate() {
            let evil = format!("\"}} 1\n#\\{round}-{number}\"");
            device.update = Some(Label::from(evil.clone()));
            device.branch = Some(Label::from(evil.clone()));
            device.model = Some(Label::from(evil));
        }
        snapshot.at = NOW.plus_ms(round * 10_000);
        shared.store(Arc::new(snapshot.clone()));
        let text = exporter.render();
        length = text.len();
        seen.extend(series(&text).into_keys().map(str::to_owned));
    }
    let once = series(&exporter.render()).len();
    // Only the devices' own info lines can still differ, and they may only say `other` or one of the first values.
    assert!(seen.len() <= once + 1_000 + 200, "{} series over time, {once} at once", seen.len());
    assert!(length < 3_000_000);
    assert!(seen.iter().any(|name| name.contains("update=\"other\"")));
}

#[test]
fn many_lone_events_do_not_make_the_scrape_grow() {
    let mut snapshot = sample::snapshot(1_000, Stage::Minute(42));
    let lone = snapshot.events[1].clone();
    for number in 0..5_000u64 {
        let mut event = lone.clone();
        event.event_id = format!("E-{number}");
        event.streak_s = number % 1_800;
        snapshot.events.push(event);
    }
    let text = exporter(snapshot, DeviceSeries::Off).0.render();
    let series = series(&text);
    assert_eq!(series["fleetwatch_open_events{scope=\"isolated\",state=\"pending\"}"], 5_001.0);
    let streaks: Vec<_> = series.keys().filter(|name| name.starts_with("fleetwatch_event_streak_seconds")).collect();
    assert_eq!(streaks.len(), names::EVENTS_WITH_SERIES);
    assert!(streaks.iter().any(|name| name.contains(sample::EVENT)), "the longest are shown");
}

#[test]
fn counters_count_under_their_closed_labels() {
    let counters = counters();
    counters.received(MessageKind::Report, Encoding::Binary);
    counters.received(MessageKind::Report, Encoding::Binary);
    counters.refused("not_json");
    counters.refused("a reason nobody declared");
    counters.changed(ChangeKind::Declared);
    counters.checkpoint_saved(NOW, 3_000_000, 0.012);
    let snapshot = Arc::new(ArcSwap::from_pointee(Snapshot::default()));
    let clock = Clock::scaled(NOW.plus_ms(60_000), 0.000_001);
    let text = Exporter::new(counters, snapshot, clock, DeviceSeries::Full).render();
    let series = series(&text);
    assert_eq!(series["fleetwatch_messages_received_total{encoding=\"binary\",kind=\"report\"}"], 2.0);
    assert_eq!(series["fleetwatch_messages_received_total{encoding=\"json\",kind=\"status\"}"], 0.0);
    assert_eq!(series["fleetwatch_messages_refused_total{reason=\"not_json\"}"], 1.0);
    assert_eq!(series["fleetwatch_messages_refused_total{reason=\"other\"}"], 1.0);
    assert_eq!(series["fleetwatch_changes_total{kind=\"declared\"}"], 1.0);
    assert_eq!(series["fleetwatch_checkpoint_age_seconds"], 60.0);
    assert_eq!(series["fleetwatch_checkpoint_duration_seconds_count"], 1.0);
    assert!(!series.contains_key("fleetwatch_snapshot_age_seconds"), "before the first tick nothing is old");
}

#[test]
fn every_declared_metric_is_written() {
    let text = exporter(sample::snapshot(1_000, Stage::Minute(42)), DeviceSeries::Full).0.render();
    for metric in names::FROM_SNAPSHOT {
        let head = format!("# TYPE {} {}\n", metric.name, metric.kind.as_str());
        assert!(text.contains(&head), "{}", metric.name);
        let written = series(&text).keys().any(|name| name.split('{').next() == Some(metric.name));
        assert!(written, "{} has no series", metric.name);
    }
}

/// Debian's `promtool` (package `prometheus`) reads and lints the whole text.
#[test]
fn promtool_has_nothing_to_say() {
    if Command::new("promtool").arg("--version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "promtool is not installed (Debian: package prometheus)");
        eprintln!("skipped: promtool is not installed (Debian: package prometheus)");
        return;
    }
    for stage in [Stage::Quiet, Stage::Minute(42), Stage::Declared] {
        let text = exporter(sample::snapshot(1_000, stage), DeviceSeries::Full).0.render();
        let mut promtool = Command::new("promtool")
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = promtool.wait_with_output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success() && said.is_empty(), "{}", String::from_utf8_lossy(&said));
    }
}
