use std::sync::Arc;

use console::measure_text_width;

use super::*;
use crate::engine::device::DeviceId;
use crate::engine::effect::{Cause, EventState, ProofMinute, RunnerUp, Scope, Severity, Suspect, Verdict};
use crate::engine::snapshot::EventView;
use crate::engine::snapshot::Snapshot;
use crate::words::number::Certainty;

const START: Timestamp = Timestamp::from_ms(1_795_021_200_000);

fn ids(number: usize) -> Vec<DeviceId> {
    (1..=number).map(|n| DeviceId::parse(&format!("B-{n:04}")).unwrap()).collect()
}

fn scene() -> Scene {
    let branches = ids(60).into_iter().enumerate().map(|(n, id)| (id, format!("tokyo-{:02}", n % 3).into())).collect();
    let (updates, pages) = (vec!["2026.11.18".into()], "http://127.0.0.1:8080".to_owned());
    Scene { utc_offset_min: 540, branches, updates, pages, speed: 60.0 }
}

fn cause() -> Cause {
    let suspect = |kind: &str, value: &str| Suspect { kind: kind.into(), value: value.into() };
    Cause {
        suspect: suspect("update", "2026.11.18"),
        confidence: 0.998,
        runner_up: Some(RunnerUp { suspect: suspect("firmware", "5.2.1"), confidence: 0.002 }),
        inseparable: false,
        evidence: None,
    }
}

fn declared() -> Change {
    let minute = |n: i64| ProofMinute {
        at: START.plus_ms(n * 60_000),
        verdict: if n == 7 { Verdict::Unknown } else { Verdict::Degraded },
        samples: 1_000,
        exceeding: 900,
        reporting: 36,
        expected: 36,
    };
    Change {
        at: START.plus_ms(3_750_000),
        kind: ChangeKind::Declared,
        event_id: "E-0001".into(),
        incident: Some("INC-0001".into()),
        severity: Severity::Major,
        scope: Scope::Fleet,
        impact_started_at: START,
        streak_s: 3_600,
        devices: ids(36),
        cause: Some(cause()),
        forecast: None,
        near_miss: None,
        aliases: Vec::new(),
        damage: Vec::new(),
        proof: (0..60).map(minute).collect(),
    }
}

fn moment(state: EventState) -> Moment {
    let event = EventView {
        event_id: "E-0001".into(),
        incident: (state != EventState::Pending).then(|| "INC-0001".into()),
        state,
        severity: Severity::Major,
        scope: Scope::Fleet,
        impact_started_at: START,
        streak_s: 2_300,
        hold_s: 3_600,
        declared_at: None,
        declares_at: Some(START.plus_ms(3_600_000)),
        suspended: false,
        cause: Some(cause()),
        members: ids(36),
        evidence: vec!["https p95 delay".into()],
    };
    let snapshot = Arc::new(Snapshot { events: vec![event], ..Snapshot::default() });
    Moment { now: START.plus_ms(2_400_000), snapshot, board: Arc::default(), rate: 1_234.4, acked: 56_789, speed: 60.0 }
}

#[test]
fn a_declared_incident_is_one_line_that_says_it_all() {
    let line = event::line(&declared(), &moment(EventState::Declared), &scene(), Paint::new(false));
    assert_eq!(
        line,
        "03:02:30  declared  INC-0001 major incident, fleet: 36 devices since 02:00, suspect update 2026.11.18 (over \
         99 %), 60 minutes: 59 degraded, 0 healthy, 1 without knowledge"
    );
}

#[test]
fn the_block_of_an_incident_fits_every_width_and_shows_the_whole_hour() {
    for width in [MIN_WIDTH, 80, MAX_WIDTH] {
        let lines = event::block(&declared(), &moment(EventState::Declared), &scene(), Paint::new(true), width);
        assert!(lines.iter().all(|line| measure_text_width(line) <= width), "{width}: {lines:#?}");
    }
    let lines = event::block(&declared(), &moment(EventState::Declared), &scene(), Paint::new(false), 80).join("\n");
    let strip = format!("{}·{}", "█".repeat(7), "█".repeat(52));
    for wanted in [
        "36 of 60 devices in 3 branches",
        "02:00, declared 03:02:30",
        "update 2026.11.18, confidence over 99 %",
        "firmware 5.2.1 (under 1 %)",
        "https p95 delay",
        "B-0001, B-0002",
        "tokyo-00 12",
        "54,000 of 60,000 samples",
        "http://127.0.0.1:8080/incidents/INC-0001",
        &strip,
    ] {
        assert!(lines.contains(wanted), "{wanted} in\n{lines}");
    }
    assert!(!lines.contains('\u{1b}'));
}

#[test]
fn lists_say_how_much_they_leave_out() {
    let lines = event::block(&declared(), &moment(EventState::Declared), &scene(), Paint::new(false), 60).join("\n");
    let devices = lines.lines().find(|line| line.trim_start().starts_with("devices")).unwrap();
    let (shown, left) = devices.split_once(", and ").unwrap();
    let left: usize = left.strip_suffix(" more").unwrap().parse().unwrap();
    assert_eq!(shown.matches("B-").count() + left, 36, "{devices}");
}

#[test]
fn long_lines_break_at_spaces_and_lose_nothing() {
    let text = "02:09:30  warning   17 of 60 min proved: 3 devices, suspect update 2026.11.18 (over 99 %)";
    let lines = text::wrap(text, 60, 20);
    assert_eq!(
        lines,
        [
            "02:09:30  warning   17 of 60 min proved: 3 devices, suspect",
            "                    update 2026.11.18 (over 99 %)",
        ]
    );
    assert_eq!(text::wrap("short", 60, 20), ["short"]);
    let unbreakable = "x".repeat(90);
    assert_eq!(text::wrap(&unbreakable, 60, 20), std::slice::from_ref(&unbreakable), "a word is never cut");
}

#[test]
fn the_status_line_tells_the_clock() {
    let line = event::status(&moment(EventState::Pending), &scene());
    assert!(line.starts_with("02:40:00  status ") && line.contains("38:20 of 60:00 on the clock"), "{line}");
    assert!(event::status(&moment(EventState::Declared), &scene()).contains("INC-0001"));
}

#[test]
fn numbers_and_times_read_as_people_write_them() {
    assert_eq!(
        ["0", "999", "1,000", "1,234,567"],
        [0, 999, 1_000, 1_234_567].map(count).each_ref().map(String::as_str)
    );
    assert_eq!(local_time(START, 540), "02:00:00");
    assert_eq!(text::local_weekday(START, 540), "Thu");
    assert_eq!(text::local_weekday(START, 0), "Wed");
    assert_eq!([1.0, 0.0, 0.956].map(|share| Certainty(share).to_string()), ["over 99 %", "under 1 %", "96 %"]);
}

#[test]
fn the_first_to_look_at_is_the_declared_one() {
    let mut moment = moment(EventState::Pending);
    let mut snapshot = Snapshot::clone(&moment.snapshot);
    let mut declared = snapshot.events[0].clone();
    (declared.event_id, declared.state, declared.streak_s) = ("E-0002".into(), EventState::Declared, 10);
    snapshot.events.push(declared);
    moment.snapshot = Arc::new(snapshot);
    assert_eq!(event::worst(&moment).unwrap().name, "E-0002");
    assert!(event::status(&moment, &scene()).contains("E-0002 is declared"));
    moment.snapshot = Arc::default();
    assert!(event::worst(&moment).is_none());
}
