//! `/metrics`: correct to the tools, bounded against the devices.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;

use arc_swap::ArcSwap;
use fleetwatch::clock::Clock;
use fleetwatch::engine::device::{Label, TrafficClass};
use fleetwatch::engine::effect::{ChangeKind, Scope, Severity};
use fleetwatch::engine::histogram::bucket_of;
use fleetwatch::engine::report::{Bucket, ClassReport, Report};
use fleetwatch::engine::snapshot::Snapshot;
use fleetwatch::metrics::incidents::{IncidentSample, LadderCount};
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

/// A report of one class: samples of these latencies, 100 flows and 20 probes, of which 3 were flagged.
fn report(class: TrafficClass, latencies_us: &[u32]) -> Report {
    let buckets: Vec<_> =
        latencies_us.iter().map(|&us| Bucket { index: u16::try_from(bucket_of(us)).unwrap(), count: 1 }).collect();
    let counts = ClassReport {
        class,
        buckets: 0..buckets.len() as u32,
        rules: 0..0,
        flows: 100,
        flagged: 7,
        canary: 20,
        canary_flagged: 3,
        released: 1,
    };
    Report { classes: vec![counts], buckets, ..Report::default() }
}

/// An incident two days on, half-way down the ladder.
fn incident() -> IncidentSample {
    let at = |hours: i64| NOW.plus_ms(hours * 3_600_000);
    let count = |branch: &str, step, devices| LadderCount { branch: Some(Label::from(branch)), step, devices };
    IncidentSample {
        incident: "INC-2026-0001".to_owned(),
        event: sample::EVENT.to_owned(),
        severity: Severity::Major,
        scope: Scope::Fleet,
        state: "pending_permanent_fix",
        cause: Some(sample::cause().suspect),
        started_at: at(-49),
        declared_at: at(-48),
        promise_at: Some(at(24)),
        forecast_end_at: Some(at(30)),
        ladder: vec![
            count("branch-01", "workaround_verified", 4),
            count("branch-01", "done", 2),
            count("a branch that no device names", "affected", 1),
            count("branch-01", "no such step", 99),
        ],
        devices: vec![(sample::id(3), "contacted"), (sample::id(6), "no such step")],
        milestones: vec![("declared", at(-48)), ("workaround_available", at(-40)), ("no such milestone", at(0))],
        roles: vec![("commander".to_owned(), "joined"), ("support".to_owned(), "no such status")],
    }
}

/// An exporter to which everything has happened.
fn eventful(series: DeviceSeries) -> Exporter {
    let counters = counters();
    for number in 1..=40 {
        let id = sample::id(number);
        counters.recorded(id.as_str(), &report(TrafficClass::Https, &[1_800, 2_100]));
    }
    counters.changed(&sample::change(ChangeKind::EarlyWarning, NOW.plus_ms(-2_700_000), &[3]));
    counters.changed(&sample::change(ChangeKind::Declared, NOW.plus_ms(-300_000), &[3, 6]));
    let snapshot = Arc::new(ArcSwap::from_pointee(sample::snapshot(1_000, Stage::Minute(42))));
    let clock = Clock::scaled(NOW.plus_ms(1_500), 0.000_001);
    Exporter::new(counters, snapshot, clock, series).with_incidents(Arc::new(|| vec![incident()]))
}

#[test]
fn a_cohort_counts_what_its_devices_report_while_they_belong_to_it() {
    let counters = counters();
    let mut snapshot = sample::snapshot(10, Stage::Quiet);
    for device in &mut snapshot.devices {
        device.branch = Some(Label::from("sapporo"));
        device.update = Some(Label::from("old"));
    }
    let shared = Arc::new(ArcSwap::from_pointee(snapshot.clone()));
    let clock = Clock::scaled(NOW, 0.000_001);
    let exporter = Exporter::new(Arc::clone(&counters), Arc::clone(&shared), clock, DeviceSeries::Off);
    let (first, second) = (sample::id(1), sample::id(2));
    counters.recorded(first.as_str(), &report(TrafficClass::Https, &[700, 1_600, 2_000_000]));
    counters.recorded(second.as_str(), &report(TrafficClass::Https, &[1_600]));
    counters.recorded(first.as_str(), &report(TrafficClass::Dns, &[300]));
    let text = exporter.render();
    let of = |class: &str, update: &str| format!("branch=\"sapporo\",class=\"{class}\",update=\"{update}\"");
    let value = |text: &str, name: &str, labels: String| series(text).get(&*format!("{name}{{{labels}}}")).copied();
    let bucket = |le: &str| {
        let name = "fleetwatch_cohort_latency_seconds_bucket";
        value(&text, name, format!("{},le=\"{le}\"", of("https", "old"))).unwrap()
    };
    let counted = ["0.000512", "0.001024", "0.001536", "0.002048", "1.048576", "+Inf"].map(bucket);
    assert_eq!(counted, [0.0, 1.0, 1.0, 3.0, 3.0, 4.0], "cumulative, by upper bound");
    let sum = value(&text, "fleetwatch_cohort_latency_seconds_sum", of("https", "old")).unwrap();
    assert!((sum - 2.0039).abs() < 2.0039 / 32.0, "within half a bucket: {sum}");
    assert_eq!(value(&text, "fleetwatch_cohort_probes_total", of("https", "old")), Some(40.0));
    assert_eq!(value(&text, "fleetwatch_cohort_flagged_probes_total", of("https", "old")), Some(6.0));
    assert_eq!(value(&text, "fleetwatch_cohort_latency_seconds_count", of("dns", "old")), Some(1.0));

    // The update of the first device leaves behind what was counted before, and nothing is counted twice.
    snapshot.devices[0].update = Some(Label::from("new"));
    snapshot.at = NOW.plus_ms(10_000);
    shared.store(Arc::new(snapshot.clone()));
    counters.recorded(first.as_str(), &report(TrafficClass::Https, &[9_000]));
    let text = exporter.render();
    let count = |update: &str| value(&text, "fleetwatch_cohort_latency_seconds_count", of("https", update));
    assert_eq!((count("old"), count("new")), (Some(4.0), Some(1.0)));

    // A cohort that nobody reports for leaves after a day.
    snapshot.at = NOW.plus_ms(86_400_000 + 5_000);
    shared.store(Arc::new(snapshot));
    let text = exporter.render();
    let count = |update: &str| value(&text, "fleetwatch_cohort_latency_seconds_count", of("https", update));
    assert_eq!((count("old"), count("new")), (None, Some(1.0)));
}

#[test]
fn cohorts_stay_bounded_whatever_devices_call_their_branch() {
    let counters = counters();
    let mut snapshot = sample::snapshot(1_000, Stage::Quiet);
    let classes = [TrafficClass::Https, TrafficClass::Dns, TrafficClass::Mail, TrafficClass::Voip];
    for (number, device) in snapshot.devices.iter_mut().enumerate() {
        device.branch = Some(Label::from(format!("branch-{}", number % 90)));
        device.update = Some(Label::from(format!("update-{}", number / 90)));
        for class in classes {
            counters.recorded(device.id.as_str(), &report(class, &[1_000]));
        }
    }
    let shared = Arc::new(ArcSwap::from_pointee(snapshot));
    let text = Exporter::new(counters, shared, Clock::scaled(NOW, 0.000_001), DeviceSeries::Off).render();
    let counts =
        series(&text).into_iter().filter(|(name, _)| name.starts_with("fleetwatch_cohort_latency_seconds_count"));
    let counts: Vec<_> = counts.collect();
    assert!(counts.len() <= names::COHORTS + classes.len() * 17, "{}", counts.len());
    assert!(counts.len() > names::COHORTS, "the bound was reached: {}", counts.len());
    assert_eq!(counts.iter().map(|(_, count)| count).sum::<f64>(), 4_000.0, "nothing is lost, the rest is `other`");
}

#[test]
fn what_the_detector_decided_leaves_a_mark_for_a_day() {
    let text = eventful(DeviceSeries::Off).render();
    let series = series(&text);
    let mark = |kind: &str, incident: &str| {
        let labels = format!(
            "cause=\"2026.11.21\",cause_kind=\"update\",event=\"{}\",incident=\"{incident}\",kind=\"{kind}\",scope=\"fleet\"",
            sample::EVENT
        );
        series.get(&*format!("fleetwatch_event_change_timestamp_seconds{{{labels}}}")).copied()
    };
    assert_eq!(mark("early_warning", ""), Some(NOW.plus_ms(-2_700_000).as_ms() as f64 / 1e3));
    assert_eq!(mark("declared", "INC-0001"), Some(NOW.plus_ms(-300_000).as_ms() as f64 / 1e3));
    let rule = series.iter().find(|(name, _)| {
        name.starts_with("fleetwatch_event_rule_flags_per_second") && name.contains("when=\"during\"")
    });
    assert_eq!(rule.map(|(_, flags)| flags * 3_600.0), Some(312.0));

    let counters = counters();
    for number in 0..500 {
        let mut lone = sample::change(ChangeKind::EarlyWarning, NOW.plus_ms(number), &[1]);
        lone.event_id = format!("E-{number}");
        counters.changed(&lone);
    }
    let mut declared = sample::change(ChangeKind::Declared, NOW, &[1]);
    declared.event_id = "E-first".to_owned();
    counters.changed(&declared);
    let snapshot = Arc::new(ArcSwap::from_pointee(Snapshot::default()));
    let exporter = |at| {
        let clock = Clock::scaled(at, 0.000_001);
        Exporter::new(Arc::clone(&counters), Arc::clone(&snapshot), clock, DeviceSeries::Off).render()
    };
    let marks = |text: &str| text.matches("\nfleetwatch_event_change_timestamp_seconds{").count();
    let text = exporter(NOW.plus_ms(1_000));
    assert_eq!(marks(&text), names::EVENTS_TOLD);
    assert!(text.contains("event=\"E-first\"") && text.contains("event=\"E-499\""), "declared and newest stay");
    assert_eq!(marks(&exporter(NOW.plus_ms(86_400_000 + 1_000))), 0);
}

#[test]
fn the_life_of_an_incident_is_told_in_closed_words() {
    let text = eventful(DeviceSeries::Off).render();
    let series = series(&text);
    let is = |name: &str, value: f64| assert_eq!(series.get(name), Some(&value), "{name}");
    let ladder = |branch: &str, step: &str| {
        format!("fleetwatch_incident_ladder_devices{{branch=\"{branch}\",incident=\"INC-2026-0001\",step=\"{step}\"}}")
    };
    is(&ladder("branch-01", "done"), 2.0);
    is(&ladder("branch-01", "fix_installed"), 0.0);
    is(&ladder("other", "affected"), 1.0);
    is(
        "fleetwatch_incident_promise_timestamp_seconds{incident=\"INC-2026-0001\"}",
        NOW.plus_ms(24 * 3_600_000).as_ms() as f64 / 1e3,
    );
    is("fleetwatch_muster_roles{incident=\"INC-2026-0001\",role=\"commander\",status=\"joined\"}", 1.0);
    assert!(!text.contains("no such"), "a word that is not on its list makes no series");
}

#[test]
fn a_silent_devices_last_figures_leave_and_the_device_stays() {
    let (exporter, _) = exporter(sample::snapshot(1_000, Stage::Quiet), DeviceSeries::Full);
    let text = exporter.render();
    let series = series(&text);
    let has = |name: &str| series.keys().any(|key| key.starts_with(name) && key.contains("device=\"B-0097\""));
    assert!(has("fleetwatch_device_info") && has("fleetwatch_device_reporting"));
    assert!(has("fleetwatch_device_last_report_timestamp_seconds"));
    assert!(!has("fleetwatch_device_false_positive_ratio") && !has("fleetwatch_device_class_verdict"));
}

#[test]
fn a_rollout_begins_with_the_third_device() {
    let mut snapshot = sample::snapshot(10, Stage::Quiet);
    for (number, device) in snapshot.devices.iter_mut().enumerate() {
        device.update = Some(Label::from(if number < 8 { "new" } else { "rare" }));
        // The first one's clock lies.
        device.update_installed_at =
            Some(NOW.plus_ms(if number == 0 { -1_000_000_000_000 } else { number as i64 * 1_000 }));
    }
    let text = exporter(snapshot, DeviceSeries::Off).0.render();
    let series = series(&text);
    let begun = series["fleetwatch_update_rollout_timestamp_seconds{update=\"new\"}"];
    assert_eq!(begun, NOW.plus_ms(2_000).as_ms() as f64 / 1e3);
    assert!(!series.contains_key("fleetwatch_update_rollout_timestamp_seconds{update=\"rare\"}"));
}

#[test]
fn the_baseline_is_known_as_far_as_classes_have_limits() {
    let known = |snapshot: Snapshot| {
        let text = exporter(snapshot, DeviceSeries::Off).0.render();
        series(&text).get("fleetwatch_baseline_known_ratio").copied()
    };
    let mut snapshot = sample::snapshot(10, Stage::Quiet);
    assert_eq!(known(snapshot.clone()), Some(1.0));
    snapshot.devices[3].classes.iter_mut().for_each(|view| view.p95_limit_us = None);
    assert_eq!(known(snapshot.clone()), Some(0.9));
    snapshot.devices.iter_mut().for_each(|device| device.classes.clear());
    assert_eq!(known(snapshot), None, "nothing is carried, so nothing can be known of it");
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
    counters.changed(&sample::change(ChangeKind::Declared, NOW, &[3, 6]));
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
    let text = eventful(DeviceSeries::Full).render();
    let lists =
        [names::FROM_SNAPSHOT, names::FROM_REPORTS, names::FROM_CHANGES, names::FROM_INCIDENTS, names::FROM_PROCESS];
    let series = series(&text);
    for metric in lists.into_iter().flatten() {
        let head = format!("# TYPE {} {}\n", metric.name, metric.kind.as_str());
        assert!(text.contains(&head), "{}", metric.name);
        let written = series.keys().filter_map(|name| name.split('{').next());
        let written = written.map(|name| name.strip_suffix("_count").unwrap_or(name));
        assert!(written.into_iter().any(|name| name == metric.name), "{} has no series", metric.name);
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
    let render = |stage| exporter(sample::snapshot(1_000, stage), DeviceSeries::Full).0.render();
    let quiet = [Stage::Quiet, Stage::Minute(42), Stage::Declared].map(render);
    for text in quiet.into_iter().chain([eventful(DeviceSeries::Full).render()]) {
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
