//! Measured latency as background, through the whole engine: at twice the usual it declares nothing by itself, and with a
//! defect put into it the same background declares once.
//!
//! Each device is a piece of a series, with its time of day and its day of the week kept; its history is the days before.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use fleetwatch::engine::detector::Engine;
use fleetwatch::engine::device::{Status, TrafficClass};
use fleetwatch::engine::effect::{Change, ChangeKind, Scope};
use fleetwatch::engine::fleet::Fleet;
use fleetwatch::engine::histogram::bucket_of;
use fleetwatch::engine::report::{Bucket, ClassReport, Report};
use fleetwatch::engine::settings::Settings;
use fleetwatch::engine::time::{MINUTE_MS, Timestamp};
use fleetwatch::lab::score::measured;
use fleetwatch::lab::simulation::series::Series;
use fleetwatch::runtime::driver::Virtual;

#[path = "support/random.rs"]
mod random;

use random::Random;

const DAY_MS: i64 = 86_400_000;
/// 2026-11-02, a Monday: where all pieces are moved to, by whole weeks.
const WEEK_MS: i64 = 7 * DAY_MS;
const BASE_MS: i64 = 1_793_577_600_000;
/// Flows of a device in a minute.
const FLOWS: usize = 20;
/// From its report's end to its arrival.
const TRANSPORT_MS: i64 = 400;

/// One device: a piece of a series.
struct Device<'a> {
    id: String,
    series: &'a Series,
    /// What is added to the series' time.
    shift_ms: i64,
    /// The minutes in which it reports, in the fleet's time.
    life: Range<i64>,
    random: Random,
    seq: u64,
}

/// A defect: on these devices, in this time, delays are this many times as long.
struct Defect {
    update: &'static str,
    devices: Vec<usize>,
    time: Range<i64>,
    factor: u32,
}

/// Every series; `None` with a message where they are not.
fn all_series() -> Option<Vec<Arc<Series>>> {
    let all = measured::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data")).unwrap();
    if all.is_empty() {
        println!("skipped: no series in ../shared/data");
        return None;
    }
    Some(all)
}

/// The series cut into pieces of at most `most` days and at least three; at most `pieces` of each.
fn pieces(all: &[Arc<Series>], most: i64, pieces: usize, seed: u64) -> Vec<Device<'_>> {
    let mut devices = Vec::new();
    for series in all {
        let end = series.end_ms();
        let starts =
            (0..pieces as i64).map(|n| series.start_ms() + n * WEEK_MS).filter(|start| end - start >= 3 * DAY_MS);
        for start in starts {
            let weeks = (BASE_MS - start).div_euclid(WEEK_MS) + 1;
            let shift_ms = weeks * WEEK_MS;
            let life = (start + shift_ms) / MINUTE_MS + 1..(end.min(start + most * DAY_MS) + shift_ms) / MINUTE_MS;
            let random = Random(seed * 1_000 + devices.len() as u64);
            devices.push(Device { id: format!("R-{:03}", devices.len()), series, shift_ms, life, random, seq: 0 });
        }
    }
    devices
}

fn status(index: usize, update: &str, installed_at: i64) -> Status {
    Status {
        online: true,
        boot: 1,
        at: installed_at,
        model: Some(["B100", "B200", "B300"][index % 3].into()),
        branch: Some(format!("branch-{}", index % 7).into()),
        firmware: Some(["5.2.0", "5.2.1"][index / 3 % 2].into()),
        update: Some(update.into()),
        update_installed_at: Some(installed_at),
        ..Status::default()
    }
}

/// The fleet's life: `minutes`, minute by minute, and what was decided.
struct Lived {
    changes: Vec<Change>,
    reports: u64,
    /// Minutes without a report of a living device.
    gaps: u64,
}

fn live(devices: &mut [Device<'_>], settings: &Settings, minutes: Range<i64>, defect: Option<&Defect>) -> Lived {
    let mut driver = Virtual::new(Engine::new(settings.clone(), Arc::new(Fleet::new(settings))));
    let mut lived = Lived { changes: Vec::new(), reports: 0, gaps: 0 };
    let (mut report, mut delays) = (Report::default(), Vec::new());
    for minute in minutes {
        for (index, device) in devices.iter_mut().enumerate() {
            if minute < device.life.start || minute >= device.life.end {
                continue;
            }
            // Devices report one after the other within the minute, each at its own second.
            let start = minute * MINUTE_MS + index as i64 * 500;
            let arrival = Timestamp::from_ms(start + MINUTE_MS + TRANSPORT_MS);
            lived.changes.append(&mut driver.advance(arrival));
            let suffers = defect.filter(|defect| defect.devices.contains(&index));
            if minute == device.life.start {
                driver.status(&device.id, status(index, "2026.11.01", start - DAY_MS), false).unwrap();
            }
            if suffers.is_some_and(|defect| minute == defect.time.start) {
                let update = suffers.unwrap().update;
                driver.status(&device.id, status(index, update, start - 2 * MINUTE_MS), false).unwrap();
            }
            let mut below = |n| device.random.below(n);
            let there = device.series.minute(minute * MINUTE_MS - device.shift_ms, FLOWS, &mut below, &mut delays);
            if !there {
                lived.gaps += 1;
                continue;
            }
            let factor = suffers.filter(|defect| defect.time.contains(&minute)).map_or(1, |defect| defect.factor);
            fill(&mut report, device.seq, start, minute - device.life.start, &delays, factor);
            device.seq += 1;
            driver.report(&device.id, &report).unwrap();
            lived.reports += 1;
        }
    }
    lived.changes.append(&mut driver.finish());
    assert_eq!(driver.stuck(), 0);
    lived
}

fn fill(report: &mut Report, seq: u64, start: i64, up_min: i64, delays: &[u32], factor: u32) {
    report.clear();
    report.boot = 1;
    report.seq = seq;
    report.uptime_ms = (DAY_MS + up_min * MINUTE_MS) as u64;
    report.start = start;
    report.period_ms = MINUTE_MS as u32;
    report.buckets.extend(delays.iter().map(|us| Bucket { index: bucket_of(us * factor) as u16, count: 1 }));
    report.classes.push(ClassReport {
        class: TrafficClass::Https,
        buckets: 0..delays.len() as u32,
        rules: 0..0,
        flows: delays.len() as u32,
        flagged: 0,
        canary: 0,
        canary_flagged: 0,
        released: 0,
    });
}

fn settings(ratio: f64) -> Settings {
    Settings { ratio, utc_offset_min: 0, ..Settings::default() }
}

fn declared(changes: &[Change]) -> Vec<&Change> {
    changes.iter().filter(|change| change.kind == ChangeKind::Declared).collect()
}

/// A declaration in words: who, which series, when, and what the minutes held.
fn told(change: &Change, devices: &[Device<'_>]) -> String {
    let who = change.devices.iter().map(|id| {
        let device = devices.iter().find(|device| device.id == id.as_str()).unwrap();
        let minute = change.impact_started_at.as_ms() - device.shift_ms;
        format!(
            "{id} (series {}, there {} min after its start)",
            device.series.name,
            (minute - device.series.start_ms()) / MINUTE_MS
        )
    });
    let minutes: Vec<_> = change
        .proof
        .iter()
        .map(|minute| format!("{:?} {}/{}", minute.verdict, minute.exceeding, minute.samples))
        .collect();
    format!(
        "{:?} at {:?} by {:?}: {}; {}",
        change.scope,
        change.at,
        change.cause,
        who.collect::<Vec<_>>().join(", "),
        minutes.join(", ")
    )
}

#[test]
fn real_background_declares_nothing_by_itself_at_twice_the_usual() {
    let Some(all) = all_series() else { return };
    assert_eq!(all.len(), 23);
    let mut devices = pieces(&all, 7, 5, 1);
    assert!(devices.len() >= 60, "{}", devices.len());
    let minutes =
        devices.iter().map(|d| d.life.start).min().unwrap()..devices.iter().map(|d| d.life.end).max().unwrap();
    let lived = live(&mut devices, &settings(2.0), minutes, None);
    let mut kinds: BTreeMap<&str, u32> = BTreeMap::new();
    for change in &lived.changes {
        *kinds.entry(change.kind.as_str()).or_default() += 1;
    }
    println!(
        "{} devices, {} device-days, {} minutes of them gaps: {kinds:?}",
        devices.len(),
        lived.reports / 1_440,
        lived.gaps
    );
    assert!(lived.reports > 300 * 1_440, "{}", lived.reports);
    for change in &lived.changes {
        println!("{} {}", change.kind.as_str(), told(change, &devices));
    }
    assert!(declared(&lived.changes).is_empty());
}

#[test]
fn the_same_background_with_a_defect_of_an_hour_declares_once_and_one_of_fifty_nine_minutes_does_not() {
    let Some(all) = all_series() else { return };
    for (length, declares) in [(66, true), (59, false)] {
        // All lives begin within one week; eight days after the first, everybody has been there for at least one.
        let mut devices = pieces(&all, 12, 1, 2);
        let start = BASE_MS / MINUTE_MS + 9 * 1_440 + 600;
        let old: Vec<usize> = (0..devices.len())
            .filter(|&index| devices[index].life.start + 2 * 1_440 <= start && devices[index].life.end > start + 300)
            .collect();
        assert!(old.len() >= 15, "{old:?}");
        let updated: Vec<usize> = old.iter().copied().step_by(2).collect();
        let defect = Defect { update: "2026.11.10", devices: updated.clone(), time: start..start + length, factor: 3 };
        for device in &mut devices {
            // Two and a half days before the defect are enough of a history.
            device.life.start = device.life.start.max(start - 3_600);
        }
        let lived = live(&mut devices, &settings(2.0), start - 3_600..start + 240, Some(&defect));
        let declared = declared(&lived.changes);
        let told: Vec<_> = declared.iter().map(|change| told(change, &devices)).collect();
        assert_eq!(declared.len(), usize::from(declares), "{length} min: {told:#?}");
        let Some(change) = declared.first() else { continue };
        assert_eq!(change.scope, Scope::Fleet);
        let cause = &change.cause.as_ref().unwrap().suspect;
        assert_eq!((cause.kind.as_str(), cause.value.as_str()), ("update", "2026.11.10"), "{told:?}");
        let mut expected: Vec<_> = updated.iter().map(|&index| devices[index].id.clone()).collect();
        expected.sort();
        let found: Vec<_> = change.devices.iter().map(|id| id.as_str().to_owned()).collect();
        assert_eq!(found, expected);
        let onset = change.impact_started_at.as_ms() / MINUTE_MS - start;
        assert!((-1..=1).contains(&onset), "{onset}");
        let last = change.at.as_ms() / MINUTE_MS - start;
        assert!((60..=64).contains(&last), "declared {last} min after the onset");
    }
}
