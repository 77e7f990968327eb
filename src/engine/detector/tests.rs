//! The whole engine on a small synthetic fleet: one class, twenty samples a minute, a day and a half of history.

use std::sync::Arc;

use super::*;
use crate::engine::device::{DeviceId, Label, Status};
use crate::engine::effect::{ChangeKind, Scope};
use crate::engine::histogram::bucket_of;
use crate::engine::report::{Bucket, ClassReport, Report};

/// 2026-11-17, a Tuesday, 00:00 UTC.
const DAY0: i64 = 1_794_873_600_000;
const HISTORY_MIN: i64 = 26 * 60;
/// Where stories begin: the second day, 02:00.
const T0: i64 = DAY0 + HISTORY_MIN * MINUTE_MS;

/// What a device measures in a minute.
#[derive(Clone, Copy, PartialEq)]
enum Said {
    Good,
    Bad,
    Silent,
}
use Said::{Bad, Good, Silent};

struct Bench {
    engine: Engine,
    now: i64,
    seq: Vec<u64>,
    updated: usize,
    changes: Vec<Change>,
}

impl Bench {
    /// A fleet of `devices`, the first `updated` of which take an update at T0.
    fn new(devices: usize, updated: usize) -> Self {
        let settings = Settings { utc_offset_min: 0, ..Settings::default() };
        let fleet = Arc::new(Fleet::new(&settings));
        let mut bench = Self {
            engine: Engine::new(settings, fleet),
            now: DAY0,
            seq: vec![0; devices],
            updated,
            changes: Vec::new(),
        };
        for device in 0..devices {
            bench.status(device, "old", None);
        }
        bench.minutes(HISTORY_MIN, |_, _| Good);
        assert!(bench.changes.is_empty(), "history is quiet: {:?}", bench.changes);
        for device in 0..updated {
            bench.status(device, "new", Some(T0));
        }
        bench
    }

    fn id(device: usize) -> String {
        format!("B-{device:03}")
    }

    fn status(&mut self, device: usize, update: &str, installed_at: Option<i64>) {
        let status = Status {
            online: true,
            boot: 1,
            model: Some(Label::from(["B100", "B200"][device % 2])),
            branch: Some(Label::from(format!("branch-{}", device % 5))),
            update: Some(update.into()),
            update_installed_at: installed_at,
            ..Status::default()
        };
        self.engine.fleet().status(&Self::id(device), status, false, Timestamp::from_ms(self.now)).unwrap();
    }

    /// Lives through `count` minutes; `say(device, minute of this call)`.
    fn minutes(&mut self, count: i64, say: impl Fn(usize, i64) -> Said) {
        for minute in 0..count {
            let end = self.now + MINUTE_MS;
            for device in 0..self.seq.len() {
                self.report(device, self.now, say(device, minute), end);
            }
            self.advance(end);
        }
    }

    fn advance(&mut self, to: i64) {
        let mut tick = Engine::next_tick(Timestamp::from_ms(self.now));
        while tick.as_ms() <= to {
            self.changes.append(&mut self.engine.tick(tick));
            tick = Engine::next_tick(tick);
        }
        self.now = to;
    }

    fn report(&mut self, device: usize, start: i64, said: Said, arrival: i64) {
        self.seq[device] += 1;
        let base = match said {
            Good => 10_000,
            Bad => 30_000,
            Silent => return,
        };
        let buckets: Vec<Bucket> =
            (0..20).map(|i| Bucket { index: bucket_of(base * (90 + i) / 100) as u16, count: 1 }).collect();
        let class = ClassReport {
            class: TrafficClass::Https,
            buckets: 0..buckets.len() as u32,
            rules: 0..0,
            flows: 100,
            flagged: 0,
            canary: 10,
            canary_flagged: 0,
            released: 0,
        };
        let report = Report {
            boot: 1,
            seq: self.seq[device],
            uptime_ms: (start - DAY0 + 3_600_000) as u64,
            start,
            period_ms: 60_000,
            classes: vec![class],
            buckets,
            ..Report::default()
        };
        self.engine.fleet().report(&Self::id(device), &report, Timestamp::from_ms(arrival)).unwrap();
    }

    fn of(&self, kind: ChangeKind) -> Vec<&Change> {
        self.changes.iter().filter(|change| change.kind == kind).collect()
    }
}

/// Plays one letter a minute for the first `who` devices: `D` bad, `H` good, `.` silent.
fn play(bench: &mut Bench, who: usize, story: &[(Said, i64)]) {
    for &(said, minutes) in story {
        bench.minutes(minutes, |device, _| if device < who { said } else { Good });
    }
}

#[test]
fn a_fleet_event_of_sixty_minutes_is_one_incident_and_one_of_fifty_nine_none() {
    for (minutes, declared) in [(59, 0), (60, 1), (61, 1)] {
        let mut bench = Bench::new(20, 10);
        play(&mut bench, 10, &[(Good, 3), (Bad, minutes), (Good, 20)]);
        let found = bench.of(ChangeKind::Declared);
        assert_eq!(found.len(), declared, "{minutes} minutes: {:?}", bench.changes);
        if let Some(change) = found.first() {
            assert_eq!(change.scope, Scope::Fleet);
            assert_eq!(change.devices.len(), 10);
            assert_eq!(change.cause.as_ref().unwrap().suspect.value, "new");
            assert_eq!(change.impact_started_at.as_ms(), T0 + 3 * MINUTE_MS);
            assert_eq!(change.streak_s, 3_600);
            assert_eq!(change.at.as_ms(), T0 + 63 * MINUTE_MS + 90_000, "the tick that closes the 60th minute");
            assert_eq!(change.proof.len(), 60);
        }
    }
}

#[test]
fn a_member_does_not_declare_its_own_hour_after_the_group_has_not() {
    let mut bench = Bench::new(20, 10);
    // One device is bad for three minutes longer: 62 for itself, 59 for the group.
    bench.minutes(3, |_, _| Good);
    bench.minutes(62, |device, minute| if device < 9 && minute < 59 || device == 9 { Bad } else { Good });
    bench.minutes(20, |_, _| Good);
    // A late report makes everything before it be looked at again.
    bench.seq[9] += 1;
    let (device, start, now) = (9, T0 + MINUTE_MS, bench.now);
    bench.report(device, start, Good, now);
    bench.minutes(40, |_, _| Good);
    assert_eq!(bench.engine.devices[9].state.past_full, None);
    assert!(bench.engine.events.open.is_empty(), "{:?}", bench.engine.events.open);
    assert!(bench.of(ChangeKind::Declared).is_empty(), "{:#?}", bench.changes);
}

#[test]
fn the_rule_holds_for_a_fleet_with_gaps_and_flapping() {
    for (story, declared, why) in [
        (vec![(Bad, 59), (Silent, 120), (Good, 10)], 0, "59 and silence"),
        (vec![(Bad, 30), (Silent, 10), (Bad, 20), (Good, 10)], 1, "30 + 10 gap + 20"),
        (vec![(Bad, 30), (Silent, 11), (Bad, 30), (Good, 10)], 0, "30 + 11 gap + 30"),
        ([[(Bad, 20), (Good, 10)]; 5].concat(), 0, "20 on 10 off"),
        ([[(Bad, 15), (Good, 2)]; 5].concat(), 1, "15 on 2 off"),
    ] {
        let mut bench = Bench::new(20, 10);
        play(&mut bench, 10, &[(Good, 3)]);
        play(&mut bench, 10, &story);
        assert_eq!(bench.of(ChangeKind::Declared).len(), declared, "{why}: {:#?}", bench.changes);
    }
}

#[test]
fn the_rule_holds_for_a_lone_device() {
    for (story, declared, why) in [
        (vec![(Bad, 59), (Good, 20)], 0, "59"),
        (vec![(Bad, 60), (Good, 20)], 1, "60"),
        (vec![(Bad, 59), (Silent, 120)], 0, "59 and silence"),
        (vec![(Bad, 30), (Silent, 10), (Bad, 20), (Good, 10)], 1, "30 + 10 gap + 20"),
        (vec![(Bad, 30), (Silent, 11), (Bad, 30), (Good, 10)], 0, "30 + 11 gap + 30"),
        ([[(Bad, 20), (Good, 10)]; 5].concat(), 0, "20 on 10 off"),
        ([[(Bad, 15), (Good, 2)]; 5].concat(), 1, "15 on 2 off"),
    ] {
        let mut bench = Bench::new(20, 0);
        play(&mut bench, 1, &story);
        let found = bench.of(ChangeKind::Declared);
        assert_eq!(found.len(), declared, "{why}: {:#?}", bench.changes);
        assert!(found.iter().all(|change| change.scope == Scope::Isolated && change.cause.is_none()));
    }
}

#[test]
fn warnings_come_at_their_marks_and_an_incident_is_resolved_when_it_was_quiet_for_an_hour() {
    let mut bench = Bench::new(20, 10);
    play(&mut bench, 10, &[(Good, 3), (Bad, 90), (Good, 90)]);
    let marks: Vec<u64> = bench.of(ChangeKind::EarlyWarning).iter().map(|change| change.streak_s / 60).collect();
    assert_eq!(marks, [15, 30, 45, 55]);
    let recovered = bench.of(ChangeKind::Recovered);
    assert_eq!(recovered.len(), 1);
    assert_eq!(recovered[0].devices.len(), 10);
    assert_eq!(recovered[0].at.as_ms(), T0 + 98 * MINUTE_MS + 90_000, "five healthy minutes");
    let resolved = bench.of(ChangeKind::Resolved);
    assert_eq!(resolved.len(), 1);
    assert_eq!(resolved[0].at.as_ms(), T0 + 153 * MINUTE_MS + 90_000, "sixty quiet minutes");
    let ids: std::collections::BTreeSet<_> = bench.changes.iter().map(|change| &change.event_id).collect();
    assert_eq!(ids.len(), 1);
}

#[test]
fn silence_never_recovers_an_incident_and_a_relapse_keeps_its_id() {
    let mut bench = Bench::new(20, 10);
    play(&mut bench, 10, &[(Good, 3), (Bad, 70), (Silent, 300)]);
    assert!(bench.of(ChangeKind::Recovered).is_empty() && bench.of(ChangeKind::Left).is_empty());
    play(&mut bench, 10, &[(Good, 30), (Bad, 70), (Good, 70)]);
    assert_eq!(bench.of(ChangeKind::Declared).len(), 1, "{:#?}", bench.changes);
    assert_eq!(bench.of(ChangeKind::Recovered).len(), 2);
    let back =
        bench.of(ChangeKind::Joined).into_iter().filter(|change| change.at > bench.of(ChangeKind::Recovered)[0].at);
    assert_eq!(back.map(|change| change.devices.len()).collect::<Vec<_>>(), [10], "a relapse names who is back, once");
    assert_eq!(bench.of(ChangeKind::Resolved).len(), 1);
}

#[test]
fn an_hours_backlog_that_arrives_at_once_is_declared_once() {
    let mut bench = Bench::new(20, 10);
    play(&mut bench, 10, &[(Good, 3)]);
    let began = bench.now;
    play(&mut bench, 10, &[(Silent, 70)]);
    assert!(bench.changes.is_empty(), "silence alone says nothing: {:?}", bench.changes);
    // The devices kept their reports while they were cut off, and send them in the order they were made.
    for device in 0..10 {
        bench.seq[device] -= 70;
        for minute in 0..70 {
            let said = if minute < 65 { Bad } else { Good };
            let now = bench.now;
            bench.report(device, began + minute * MINUTE_MS, said, now);
        }
    }
    play(&mut bench, 10, &[(Good, 5)]);
    assert_eq!(bench.of(ChangeKind::Declared).len(), 1, "{:#?}", bench.changes);
    let declared = bench.of(ChangeKind::Declared)[0];
    assert_eq!((declared.scope, declared.devices.len()), (Scope::Fleet, 10));
    assert_eq!(declared.impact_started_at.as_ms(), began);
    assert_eq!(bench.of(ChangeKind::Recovered).len(), 1, "over before anybody could see it");
}

#[test]
fn a_restart_from_an_image_changes_nothing() {
    let story = |bench: &mut Bench| play(bench, 10, &[(Bad, 25), (Good, 10)]);
    let mut whole = Bench::new(20, 10);
    play(&mut whole, 10, &[(Good, 3), (Bad, 40)]);
    let image = whole.engine.image();
    let settings = whole.engine.settings().clone();
    let mut engine = Engine::new(settings.clone(), Arc::new(Fleet::new(&settings)));
    engine.restore(&image).unwrap();
    let mut restarted =
        Bench { engine, now: whole.now, seq: whole.seq.clone(), updated: 10, changes: whole.changes.clone() };
    assert_eq!(restarted.engine.image(), image, "nothing is lost on the way");
    story(&mut whole);
    story(&mut restarted);
    assert_eq!(restarted.changes, whole.changes);
    assert_eq!(whole.of(ChangeKind::Declared).len(), 1);
    assert_eq!(whole.updated, restarted.updated);
    assert!(restarted.engine.restore(&image).is_err(), "only into a new engine");
    let mut other = image.clone();
    other[0] = 99;
    let mut fresh = Engine::new(settings.clone(), Arc::new(Fleet::new(&settings)));
    assert!(matches!(fresh.restore(&other), Err(RestoreError::Version { .. })));
}

#[test]
fn a_device_id_orders_what_is_printed() {
    let mut bench = Bench::new(6, 4);
    play(&mut bench, 4, &[(Good, 3), (Bad, 65)]);
    let declared = bench.of(ChangeKind::Declared)[0];
    let mut sorted: Vec<DeviceId> = declared.devices.clone();
    sorted.sort();
    assert_eq!(declared.devices, sorted);
    let snapshot = bench.engine.snapshot();
    assert_eq!(snapshot.devices.len(), 6);
    assert_eq!(snapshot.totals.degraded, 4);
    assert_eq!(snapshot.events.len(), 1);
}

#[test]
fn memory_of_a_device_stays_within_its_budget() {
    let bytes = size_of::<State>()
        + 4 * (size_of::<tracked::ClassTrack>() + 480 * 12 + 368 * 2 + 24 * 7 * 6 + 26 * 40)
        + 2_880 * 2;
    assert!(bytes < 42 * 1_024, "{bytes} bytes beside the 24 KiB of the open slots");
}
