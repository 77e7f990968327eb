//! A believable fleet for tests, benches and the page example: 1,000 devices in 50 branches, a third of which took an
//! update that over-detects https.
#![allow(dead_code, clippy::unwrap_used)]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fleetwatch::engine::detector::{ClassHistory, DeviceHistory, Tally};
use fleetwatch::engine::device::{DeviceId, Label, TrafficClass};
use fleetwatch::engine::effect::{
    Cause, CauseEvidence, Change, ChangeKind, Damage, EventState, Forecast, NearMiss, ProofMinute, RuleDamage,
    RunnerUp, Scope, Severity, StreakEnd, Suspect, Verdict,
};
use fleetwatch::engine::evidence::Counts;
use fleetwatch::engine::history::MinuteVerdicts;
use fleetwatch::engine::snapshot::{ClassView, DeviceView, EventView, Quantiles, Snapshot, Totals};
use fleetwatch::engine::time::Timestamp;
use fleetwatch::record::fleet::{FleetHistory, Trend};

/// 2026-11-22 03:30:00 in Tokyo.
pub const NOW: Timestamp = Timestamp::from_ms(1_795_285_800_000);

/// The event of the sample.
pub const EVENT: &str = "E-0d51c2a7";

/// How far the sample's event has come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Quiet,
    Minute(u64),
    Declared,
    Recovered,
}

pub fn id(number: usize) -> DeviceId {
    DeviceId::parse(&format!("B-{number:04}")).unwrap()
}

fn label(text: impl AsRef<str>) -> Option<Label> {
    Some(Label::from(text.as_ref()))
}

/// A snapshot of `count` devices at [`NOW`].
pub fn snapshot(count: usize, stage: Stage) -> Snapshot {
    let devices: Vec<DeviceView> = (1..=count).map(|number| device(number, stage)).collect();
    let by = |verdict| devices.iter().filter(|device| device.verdict == verdict).count() as u64;
    let totals = Totals {
        expected: count as u64,
        reporting: devices.iter().filter(|device| device.reporting).count() as u64,
        degraded: by(Verdict::Degraded),
        healthy: by(Verdict::Healthy),
        indeterminate: by(Verdict::Indeterminate),
        unknown: by(Verdict::Unknown),
        reports: 8_640_000,
        duplicates: 12,
        late: 431,
        missing: 7,
        slots: 1_440_000,
    };
    let events = if stage == Stage::Quiet { Vec::new() } else { vec![event(&devices, stage), lone(stage)] };
    Snapshot { at: NOW, totals, devices, events }
}

fn is_affected(number: usize) -> bool {
    number.is_multiple_of(3)
}

fn device(number: usize, stage: Stage) -> DeviceView {
    let silent = number.is_multiple_of(97);
    let bad = is_affected(number) && !silent && matches!(stage, Stage::Minute(_) | Stage::Declared);
    let verdict = match (silent, bad) {
        (true, _) => Verdict::Unknown,
        (_, true) => Verdict::Degraded,
        _ if number.is_multiple_of(41) => Verdict::Indeterminate,
        _ => Verdict::Healthy,
    };
    let base = 1_800 + (number as u32 * 37) % 900;
    let factor = if bad { 9 } else { 1 };
    DeviceView {
        id: id(number),
        model: label(["B100", "B200", "B300"][number % 7 % 3]),
        branch: label(format!("branch-{:02}", number % 50)),
        customer: label(format!("C-{number:05}")),
        firmware: label("5.2.1"),
        update: label(if is_affected(number) { "2026.11.21" } else { "2026.11.20" }),
        packages: vec![Label::from("signatures 9.9.1")],
        update_installed_at: Some(NOW.plus_ms(if is_affected(number) { -4_200_000 } else { -90_000_000 })),
        reporting: !silent,
        online: Some(!silent),
        workaround_active: Some(false),
        workaround_id: None,
        verdict,
        quiet_min: if verdict == Verdict::Healthy { 60 } else { 0 },
        quiet_since: (verdict == Verdict::Healthy).then(|| NOW.plus_ms(-62 * 60_000)),
        is_known: matches!(verdict, Verdict::Healthy | Verdict::Degraded),
        streak_s: if bad { 2_520 } else { 0 },
        evidence: if bad { vec!["https p95 delay".to_owned(), "https false positives".to_owned()] } else { Vec::new() },
        latency_us: (!silent).then_some(Quantiles {
            p50: base * factor,
            p95: base * factor * 3,
            p99: base * factor * 5,
        }),
        classes: classes(bad, silent),
        false_positive_ratio: Some(if bad { 0.183 } else { 0.002 }),
        last_report_at: Some(NOW.plus_ms(if silent { -1_380_000 } else { -(number as i64 % 10) * 1_000 })),
        event_id: bad.then(|| EVENT.to_owned()),
        affected: bad,
        clock_offset_ms: Some(number as i64 % 400 - 200),
        recent_boots: u32::from(number.is_multiple_of(211)) * 3,
        over_budget: None,
        refused: None,
    }
}

fn classes(bad: bool, silent: bool) -> Vec<ClassView> {
    let view = |class, bad: bool| ClassView {
        class,
        verdict: match (silent, bad) {
            (true, _) => Verdict::Unknown,
            (_, true) => Verdict::Degraded,
            _ => Verdict::Healthy,
        },
        p95_limit_us: Some(7_800),
        over_limit: (!silent).then_some(if bad { 0.71 } else { 0.004 }),
    };
    let classes = [TrafficClass::Https, TrafficClass::Dns, TrafficClass::Mail, TrafficClass::Voip];
    classes.into_iter().map(|class| view(class, bad && class == TrafficClass::Https)).collect()
}

pub fn cause() -> Cause {
    Cause {
        suspect: Suspect { kind: "update".to_owned(), value: "2026.11.21".to_owned() },
        confidence: 0.983,
        runner_up: Some(RunnerUp {
            suspect: Suspect { kind: "update+model".to_owned(), value: "2026.11.21+B200".to_owned() },
            confidence: 0.011,
        }),
        inseparable: false,
        evidence: Some(CauseEvidence {
            affected_with: 330,
            healthy_with: 3,
            affected_without: 2,
            healthy_without: 655,
            difference: Some(0.634),
        }),
    }
}

fn event(devices: &[DeviceView], stage: Stage) -> EventView {
    let (state, streak_s) = match stage {
        Stage::Quiet | Stage::Declared => (EventState::Declared, 3_900),
        Stage::Minute(minute) => (EventState::Pending, minute * 60),
        Stage::Recovered => (EventState::Recovered, 6_000),
    };
    let declared = state != EventState::Pending;
    EventView {
        event_id: EVENT.to_owned(),
        incident: declared.then(|| "INC-0001".to_owned()),
        state,
        severity: if declared { Severity::Major } else { Severity::Warning },
        scope: Scope::Fleet,
        impact_started_at: NOW.plus_ms(-(streak_s as i64) * 1_000),
        streak_s,
        hold_s: 3_600,
        declared_at: declared.then(|| NOW.plus_ms(-300_000)),
        declares_at: (!declared).then(|| NOW.plus_ms((3_600 - streak_s as i64) * 1_000)),
        suspended: false,
        cause: Some(cause()),
        members: devices.iter().filter(|device| device.event_id.is_some()).map(|device| device.id.clone()).collect(),
        evidence: vec!["https p95 delay".to_owned(), "https false positives".to_owned()],
    }
}

/// A single device with a gap in its data.
fn lone(stage: Stage) -> EventView {
    EventView {
        event_id: "E-77aa0f10".to_owned(),
        incident: None,
        state: EventState::Pending,
        severity: Severity::Warning,
        scope: Scope::Isolated,
        impact_started_at: NOW.plus_ms(-2_400_000),
        streak_s: 1_860,
        hold_s: 3_600,
        declared_at: None,
        declares_at: None,
        suspended: stage != Stage::Quiet,
        cause: None,
        members: vec![id(97)],
        evidence: vec!["voip p50".to_owned()],
    }
}

/// One change of the sample's event.
pub fn change(kind: ChangeKind, at: Timestamp, devices: &[usize]) -> Change {
    let declared = !matches!(kind, ChangeKind::EarlyWarning);
    Change {
        at,
        kind,
        event_id: EVENT.to_owned(),
        incident: declared.then(|| "INC-0001".to_owned()),
        severity: if declared { Severity::Major } else { Severity::Warning },
        scope: Scope::Fleet,
        impact_started_at: NOW.plus_ms(-3_900_000),
        streak_s: (at.since_ms(NOW.plus_ms(-3_900_000)) / 1_000).max(0) as u64,
        devices: devices.iter().copied().map(id).collect(),
        cause: Some(cause()),
        forecast: (kind == ChangeKind::EarlyWarning).then_some(Forecast {
            chance: 0.51,
            declares_at: Some(NOW.plus_ms(-210_000)),
            scheduled: 120,
            at_risk: 72,
        }),
        near_miss: None,
        aliases: Vec::new(),
        damage: if kind == ChangeKind::Declared { damage() } else { Vec::new() },
        proof: if kind == ChangeKind::Declared { proof() } else { Vec::new() },
    }
}

/// Delay and false positives of https.
pub fn damage() -> Vec<Damage> {
    let pair = |test: &str, before, during| Damage {
        class: TrafficClass::Https,
        test: test.to_owned(),
        devices: 330,
        share_before: before,
        share_during: during,
        rules: Vec::new(),
        latency_before: None,
        latency_during: None,
    };
    vec![
        Damage {
            latency_before: Some(latency(1_800)),
            latency_during: Some(latency(16_200)),
            ..pair("p95 delay", Some(0.041), 0.71)
        },
        Damage {
            rules: vec![RuleDamage { rule: "2100498".to_owned(), per_hour_before: 0.5, per_hour_during: 312.0 }],
            ..pair("false positives", None, 0.183)
        },
    ]
}

/// A distribution around `median_us`, as a declaration carries it.
fn latency(median_us: u64) -> String {
    use hdrhistogram::serialization::{Serializer, V2Serializer};
    let mut histogram = hdrhistogram::Histogram::<u64>::new_with_bounds(1, 60_000_000, 1).unwrap();
    for i in 1..=1_000 {
        histogram.record(median_us * (200 + i * 2) / 1_200).unwrap();
    }
    let mut bytes = Vec::new();
    V2Serializer::new().serialize(&histogram, &mut bytes).unwrap();
    STANDARD.encode(bytes)
}

/// An event that was warned of and ended 13 minutes short of the hour.
pub fn near_miss() -> Vec<Change> {
    let at = |minutes: i64| NOW.plus_ms((minutes - 120) * 60_000);
    let of = |kind, minutes: i64, streak_min: u64| Change {
        event_id: "E-0031".to_owned(),
        incident: None,
        severity: Severity::Warning,
        impact_started_at: at(0),
        streak_s: streak_min * 60,
        ..change(kind, at(minutes), &[10, 20, 30])
    };
    let miss = NearMiss { length_min: 47, hold_min: 60, end: StreakEnd::Healthy, healthy_after: 6, gaps_after: 0 };
    vec![of(ChangeKind::EarlyWarning, 15, 15), Change { near_miss: Some(miss), ..of(ChangeKind::Recovered, 54, 47) }]
}

/// 60 degraded minutes with a bridged gap of four and one undecided minute between them.
pub fn proof() -> Vec<ProofMinute> {
    (0..65)
        .map(|minute| {
            let verdict = match minute {
                23..27 => Verdict::Unknown,
                40 => Verdict::Indeterminate,
                51 => Verdict::Healthy,
                _ => Verdict::Degraded,
            };
            let known = verdict != Verdict::Unknown;
            ProofMinute {
                at: NOW.plus_ms((minute - 65) * 60_000),
                verdict,
                samples: if known { 18_400 + minute as u64 * 13 } else { 0 },
                exceeding: match verdict {
                    Verdict::Degraded => 12_100,
                    Verdict::Indeterminate => 900,
                    Verdict::Healthy => 400,
                    Verdict::Unknown => 0,
                },
                reporting: if known { 329 } else { 0 },
                expected: 330,
            }
        })
        .collect()
}

/// The life of the sample's incident so far.
pub fn history() -> Vec<Change> {
    let members: Vec<usize> = (1..=1_000).filter(|&number| is_affected(number) && !number.is_multiple_of(97)).collect();
    let at = |minutes: i64| NOW.plus_ms((minutes - 65) * 60_000);
    vec![
        change(ChangeKind::EarlyWarning, at(15), &members[..120]),
        change(ChangeKind::EarlyWarning, at(30), &members[..200]),
        change(ChangeKind::Joined, at(34), &members[200..204]),
        change(ChangeKind::Joined, at(41), &members[204..]),
        change(ChangeKind::EarlyWarning, at(45), &members),
        change(ChangeKind::CauseChanged, at(47), &[]),
        change(ChangeKind::EarlyWarning, at(55), &members),
        change(ChangeKind::Declared, at(60), &members),
        change(ChangeKind::Left, at(63), &members[..2]),
    ]
}

/// The last hours of the sample: an hour of degradation that goes on, half an hour in which nobody listened, and hits by number.
#[derive(Debug)]
pub struct Hours;

/// Minutes before [`NOW`] in which nothing was received.
const UNHEARD: std::ops::Range<i64> = 200..230;

impl FleetHistory for Hours {
    fn device(&self, device: &DeviceId) -> Option<DeviceHistory> {
        let number: usize =
            device.as_str().strip_prefix("B-")?.parse().ok().filter(|number| (1..=1_000).contains(number))?;
        let last = NOW.minute().plus(-1);
        let back = || (0..480).rev().map(i64::from);
        let is_bad = |back: i64| is_affected(number) && back < 65;
        let verdicts = back().map(|back| {
            let mut said = MinuteVerdicts::default();
            if !UNHEARD.contains(&back) {
                let https = if is_bad(back) { Verdict::Degraded } else { Verdict::Healthy };
                said.set(TrafficClass::Https, https);
                said.set(TrafficClass::Dns, Verdict::Healthy);
            }
            said
        });
        let counts = |class: TrafficClass| {
            move |back: i64| {
                let bad = class == TrafficClass::Https && is_bad(back);
                let (over, flagged) =
                    if bad { (62, 18) } else { (1 + (back as u64 * 7) % 4, u64::from(back % 9 == 0)) };
                let full = Counts {
                    samples: 90,
                    over_p50: 40,
                    over_p95: over,
                    flows: 300,
                    flagged,
                    canary: 60,
                    canary_flagged: flagged,
                };
                if UNHEARD.contains(&back) { Counts::default() } else { full }
            }
        };
        let of = |class| ClassHistory {
            class,
            p95_limit_us: Some(7_800),
            false_positive_limit: 0.02,
            minutes: back().map(counts(class)).collect(),
        };
        let classes = vec![of(TrafficClass::Https), of(TrafficClass::Dns)];
        Some(DeviceHistory { from: last.plus(-479), verdicts: verdicts.collect(), classes })
    }

    fn trend(&self) -> std::sync::Arc<Trend> {
        let last = NOW.minute().plus(-1);
        let point = |back: i64| {
            let tally = match back * 5 {
                minutes if UNHEARD.contains(&minutes) => Tally { degraded: 0, silent: 1_000, reporting: 0 },
                minutes if minutes < 65 => Tally { degraded: 330 - (minutes as u32) * 5, silent: 10, reporting: 990 },
                minutes => Tally { degraded: (minutes % 3) as u32, silent: 10, reporting: 990 },
            };
            (last.plus(-back * 5).start(), tally)
        };
        std::sync::Arc::new(Trend { every_min: 5, points: (0..73).rev().map(point).collect() })
    }
}
