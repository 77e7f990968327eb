//! The whole engine on a small synthetic fleet: one class, twenty samples a minute, a day and a half of history.

mod chronic;
mod cut;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::engine::device::{DeviceId, Label, Package, Status, TrafficClass, Workaround};
use crate::engine::effect::{ChangeKind, Scope, StreakEnd, Verdict};
use crate::engine::fleet::Refusal;
use crate::engine::histogram::bucket_of;
use crate::engine::report::{Bucket, ClassReport, Report};
use crate::engine::time::MINUTE_MS;

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
    /// Seven samples in ten lie just above the median's threshold.
    Hair,
    /// The same, and five flows in a hundred are flagged, while the probes pass.
    HairAndFlagged,
    /// Delays are as usual, half of many flows is flagged, and nothing is probed.
    Flagged,
    /// All delays are so many percent of the usual.
    Percent(u32),
    /// Bad enough for a baseline that is only provisional.
    Worse,
    Silent,
}
use Said::{Bad, Flagged, Good, Hair, HairAndFlagged, Percent, Silent, Worse};

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
        Self::with_history(devices, updated, HISTORY_MIN)
    }

    fn with_history(devices: usize, updated: usize, history_min: i64) -> Self {
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
        bench.minutes(history_min, |_, _| Good);
        assert!(bench.changes.is_empty(), "history is quiet: {:?}", bench.changes);
        for device in 0..updated {
            bench.status(device, "new", Some(DAY0 + history_min * MINUTE_MS));
        }
        bench
    }

    fn id(device: usize) -> String {
        format!("B-{device:03}")
    }

    fn status(&mut self, device: usize, update: &str, installed_at: Option<i64>) {
        self.status_with(device, update, installed_at, Vec::new());
    }

    /// As [`Self::status`], said at a time of the device's wall clock.
    fn status_at(&mut self, device: usize, update: &str, update_installed_at: Option<i64>, at: i64) {
        let update = Some(update.into());
        let status = Status { online: true, boot: 1, at, update, update_installed_at, ..Status::default() };
        self.engine.fleet().status(&Self::id(device), status, false, Timestamp::from_ms(self.now)).unwrap();
    }

    /// As [`Self::status`], with packages.
    fn status_with(&mut self, device: usize, update: &str, installed_at: Option<i64>, packages: Vec<Package>) {
        let status = Status {
            packages,
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

    /// As [`Self::minutes`]; with a seed each report comes up to 25 s late, up to three times, and the devices in any order.
    fn disturbed_minutes(&mut self, count: i64, seed: Option<u64>, say: impl Fn(usize, i64) -> Said) {
        let mut noise = seed.unwrap_or(0) | 1;
        let mut random = move |below: u64| {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (noise >> 33) % below
        };
        for minute in 0..count {
            let (start, end) = (self.now, self.now + MINUTE_MS);
            let mut arrivals: Vec<(i64, usize)> = Vec::new();
            for device in 0..self.seq.len() {
                self.seq[device] += 1;
                let copies = seed.map_or(1, |_| 1 + random(3));
                arrivals.extend((0..copies).map(|_| (end + seed.map_or(0, |_| random(25_000) as i64), device)));
            }
            arrivals.sort_unstable();
            for (arrival, device) in arrivals {
                self.advance(arrival);
                let taken = self.offer(device, start, say(device, minute), arrival);
                assert!(matches!(taken, Ok(()) | Err(Refusal::Duplicate)), "{taken:?}");
            }
            // The next minute's reports begin to arrive at its end; this one's may still be on their way.
            self.now = end.max(self.now);
            self.advance(end + 30_000);
            self.now = end;
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
        self.offer(device, start, said, arrival).unwrap();
    }

    /// Sends the device's newest report, perhaps again.
    fn offer(&mut self, device: usize, start: i64, said: Said, arrival: i64) -> Result<(), Refusal> {
        let base = match said {
            Good | Hair | HairAndFlagged | Flagged => 10_000,
            Bad => 30_000,
            Worse => 90_000,
            Percent(percent) => 100 * percent,
            Silent => return Ok(()),
        };
        let hair = matches!(said, Hair | HairAndFlagged);
        let us = |i: u32| if hair && i < 14 { 18_500 } else { base * (90 + i) / 100 };
        let buckets: Vec<Bucket> = (0..20).map(|i| Bucket { index: bucket_of(us(i)) as u16, count: 1 }).collect();
        let (flows, flagged, canary) = match said {
            HairAndFlagged => (100, 5, 10),
            Flagged => (1_000, 500, 0),
            _ => (100, 0, 10),
        };
        let class = ClassReport {
            class: TrafficClass::Https,
            buckets: 0..buckets.len() as u32,
            rules: 0..0,
            flows,
            flagged,
            canary,
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
        self.engine.fleet().report(&Self::id(device), &report, Timestamp::from_ms(arrival)).map(drop)
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
        + 4 * (size_of::<class_track::ClassTrack>() + 480 * 12 + 368 * 2 + 24 * 7 * 6 + 27 * 36)
        + 2_880 * 2;
    assert!(bytes < 42 * 1_024, "{bytes} bytes beside the 18 KiB of the open slots");
}

#[test]
fn a_near_miss_says_why_it_was_not_declared() {
    let near_miss = |story: &[(Said, i64)]| {
        let mut bench = Bench::new(20, 10);
        play(&mut bench, 10, &[(Good, 3)]);
        play(&mut bench, 10, story);
        assert!(bench.of(ChangeKind::Declared).is_empty());
        let recovered = bench.of(ChangeKind::Recovered);
        assert_eq!(recovered.len(), 1, "{:#?}", bench.changes);
        let near_miss = recovered[0].near_miss.expect("it was warned of");
        let shown = (near_miss.length_min + near_miss.healthy_after + near_miss.gaps_after) as usize;
        assert_eq!(recovered[0].proof.len(), shown, "the streak and what came after it");
        near_miss
    };
    let healthy = near_miss(&[(Bad, 47), (Good, 10)]);
    assert_eq!((healthy.length_min, healthy.hold_min, healthy.end), (47, 60, StreakEnd::Healthy));
    assert_eq!((healthy.healthy_after, healthy.gaps_after), (5, 0), "five healthy minutes end it");
    let unknown = near_miss(&[(Bad, 20), (Silent, 30), (Good, 10)]);
    assert_eq!((unknown.length_min, unknown.end, unknown.gaps_after), (20, StreakEnd::Unknown, 30));
}

#[test]
fn a_warning_says_how_likely_the_hour_is_and_who_may_still_be_hit() {
    let mut bench = Bench::new(20, 10);
    play(&mut bench, 10, &[(Good, 3), (Bad, 58), (Good, 10)]);
    let forecasts: Vec<_> = bench.of(ChangeKind::EarlyWarning).iter().filter_map(|change| change.forecast).collect();
    assert_eq!(forecasts.len(), 4);
    assert!(forecasts.windows(2).all(|pair| pair[0].chance < pair[1].chance), "{forecasts:?}");
    // The other ten still have the old update, and all that took the new one are hit.
    assert!(forecasts.iter().all(|forecast| (forecast.scheduled, forecast.at_risk) == (10, 10)), "{forecasts:?}");
    let declares_at = Timestamp::from_ms(T0 + 63 * MINUTE_MS + 90_000);
    assert!(forecasts.iter().all(|forecast| forecast.declares_at == Some(declares_at)), "{forecasts:?}");
}

#[test]
fn a_declaration_shows_what_the_event_did_and_to_whom() {
    let mut bench = Bench::new(20, 10);
    play(&mut bench, 10, &[(Good, 3), (Bad, 65)]);
    let declared = bench.of(ChangeKind::Declared)[0];
    let evidence = declared.cause.as_ref().and_then(|cause| cause.evidence).expect("a cause with its counts");
    assert_eq!((evidence.affected_with, evidence.healthy_with), (10, 0));
    assert_eq!((evidence.affected_without, evidence.healthy_without), (0, 10));
    assert!(evidence.difference.is_some_and(|difference| difference > 0.9), "{evidence:?}");
    let damage = &declared.damage[0];
    assert_eq!((damage.class, damage.devices), (TrafficClass::Https, 10));
    assert_eq!((damage.share_before, damage.share_during), (Some(0.0), 1.0));
    let p50 = |text: &Option<String>| {
        let mut histogram = crate::engine::histogram::Histogram::new();
        let bytes = STANDARD.decode(text.as_ref().expect("drawn once for each class")).unwrap();
        read_hdr(&bytes, &mut histogram);
        histogram.quantile(0.5).unwrap()
    };
    let (before, during) = (p50(&damage.latency_before), p50(&damage.latency_during));
    assert!((9_000..12_000).contains(&before) && (27_000..34_000).contains(&during), "{before} {during}");
}

/// Reads plain V2 with the reference implementation.
fn read_hdr(bytes: &[u8], into: &mut crate::engine::histogram::Histogram) {
    let read: hdrhistogram::Histogram<u64> =
        hdrhistogram::serialization::Deserializer::new().deserialize(&mut &*bytes).expect("V2");
    for value in read.iter_recorded() {
        into.record(value.value_iterated_to() as u32, value.count_at_value() as u32);
    }
}

#[test]
fn a_device_that_was_told_of_gives_its_number_to_the_group_it_proves_to_be_of() {
    let mut bench = Bench::new(20, 10);
    play(&mut bench, 1, &[(Bad, 65)]);
    assert_eq!(bench.of(ChangeKind::Declared).len(), 1);
    play(&mut bench, 10, &[(Bad, 70)]);
    let declared = bench.of(ChangeKind::Declared);
    assert_eq!(declared.len(), 1, "nobody is told twice: {:#?}", bench.changes);
    let joined = bench.of(ChangeKind::Joined);
    let taken = joined.iter().find(|change| !change.aliases.is_empty()).expect("the group names what it took in");
    assert_eq!((taken.scope, taken.incident.as_deref()), (Scope::Fleet, Some("INC-2026-0001")));
    assert_eq!(taken.aliases, [declared[0].event_id.clone()]);
    assert_ne!(taken.event_id, declared[0].event_id);
}

#[test]
fn of_two_majors_that_prove_to_be_one_the_older_number_stays_and_the_other_is_its_alias() {
    let event = |number: u32, incident: Option<u32>| {
        let mut event = event::Event::new(number, Scope::Fleet, Minute(1_000 + number));
        let at = Timestamp::from_ms(T0);
        event.incident = incident.map(|count| number::IncidentNumber::new(count, at, 0));
        event.declared_at = incident.map(|_| Timestamp::from_ms(5_000));
        event.warned_min = 15;
        event
    };
    let merged = |mut into: event::Event, other: event::Event| {
        into.take_over(&other);
        (into.incident_id(), into.aliases)
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        merged(event(3, Some(1)), event(5, Some(2))),
        (some("INC-2026-0001"), vec!["E-0005".into(), "INC-2026-0002".into()])
    );
    assert_eq!(
        merged(event(3, Some(2)), event(5, Some(1))),
        (some("INC-2026-0001"), vec!["E-0005".into(), "INC-2026-0002".into()])
    );
    assert_eq!(merged(event(3, None), event(5, Some(1))), (some("INC-2026-0001"), vec!["E-0005".into()]));
    assert_eq!(merged(event(3, Some(1)), event(5, None)), (some("INC-2026-0001"), vec!["E-0005".into()]));
    // What the other had taken in before comes along.
    let mut other = event(5, Some(2));
    other.take_over(&event(6, Some(4)));
    assert_eq!(merged(event(3, Some(1)), other).1, ["E-0005", "E-0006", "INC-2026-0004", "INC-2026-0002"]);
}

/// What was decided, apart from the numbers of events.
fn decided(changes: &[Change]) -> Vec<(ChangeKind, i64, Vec<DeviceId>, Option<String>)> {
    let of = |c: &Change| {
        (c.kind, c.at.as_ms(), c.devices.clone(), c.cause.as_ref().map(|cause| cause.suspect.value.clone()))
    };
    changes.iter().map(of).collect()
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 48, ..Default::default() })]

    #[test]
    fn order_duplication_and_delay_within_the_grace_change_nothing(
        story in proptest::collection::vec((proptest::bool::weighted(0.7), 1_i64..30), 3..9),
        seed in 0_u64..u64::MAX,
    ) {
        let play = |disturbed: bool| {
            let mut bench = Bench::with_history(8, 5, 120);
            for &(bad, minutes) in &story {
                let say = |device, _| if bad && device < 5 { Worse } else { Good };
                bench.disturbed_minutes(minutes, disturbed.then_some(seed), say);
            }
            decided(&bench.changes)
        };
        let straight = play(false);
        // Half an hour of it is warned of, whatever else the story holds.
        let is_long = story.iter().any(|(bad, minutes)| *bad && *minutes > 25);
        proptest::prop_assert!(!is_long || !straight.is_empty());
        proptest::prop_assert_eq!(straight, play(true));
    }
}

#[test]
fn a_minute_is_explained_by_its_counts_and_thresholds() {
    let mut bench = Bench::new(6, 4);
    play(&mut bench, 4, &[(Good, 3), (Bad, 10)]);
    let device = DeviceId::parse("B-000").unwrap();
    let minute = bench.engine.closed_before.unwrap().plus(-1);
    let explained = bench.engine.explain(&device, minute);
    assert_eq!(explained.len(), 1);
    let https = explained[0];
    assert_eq!((https.class, https.verdict), (TrafficClass::Https, Verdict::Degraded));
    assert_eq!((https.counts.samples, https.counts.over_p50), (20, 20));
    let (p50, p95) = https.thresholds_us.expect("a day was learnt");
    assert!(p50 > 12_000 && p95 >= p50, "{p50} {p95}");
    let before = bench.engine.explain(&device, minute.plus(-10));
    assert_eq!(before[0].verdict, Verdict::Healthy);
    assert!(bench.engine.explain(&DeviceId::parse("nobody").unwrap(), minute).is_empty());
}

#[test]
fn closed_minutes_can_be_looked_back_on() {
    let mut bench = Bench::new(6, 4);
    assert_eq!(bench.engine.device_count(), 6);
    bench.minutes(20, |device, minute| match (device, minute) {
        (0..=3, 10..) => Bad,
        (5, 5..) => Silent,
        _ => Good,
    });
    let last = bench.engine.newest_closed().unwrap();
    let at = |minute: i64| Timestamp::from_ms(T0 + minute * MINUTE_MS).minute();
    let minutes = [at(3), at(8), last];
    let mut tallies = [Tally::default(); 3];
    // A part of the fleet at a time comes to the same.
    bench.engine.tally(0..2, &minutes, &mut tallies);
    bench.engine.tally(2..100, &minutes, &mut tallies);
    let tally = |degraded, silent, reporting| Tally { degraded, silent, reporting };
    assert_eq!(tallies, [tally(0, 0, 6), tally(0, 1, 5), tally(4, 1, 5)]);

    let history = |id: &str| bench.engine.history(&DeviceId::parse(id).unwrap());
    let bad = history("B-000").unwrap();
    assert_eq!((bad.verdicts.len(), bad.from.plus(479)), (480, last));
    assert_eq!(bad.verdicts[479].of(TrafficClass::Https), Verdict::Degraded);
    let [https] = &bad.classes[..] else { panic!("{:?}", bad.classes) };
    assert_eq!((https.minutes.len(), https.minutes[479].samples, https.minutes[479].over_p95), (480, 20, 20));
    assert!(https.p95_limit_us.is_some() && https.minutes[470 - 20].over_p95 < 20);
    let silent = history("B-005").unwrap();
    assert_eq!(silent.verdicts[479].worst(), Verdict::Unknown);
    assert!(silent.classes[0].minutes[479].is_empty());
    assert!(history("nobody").is_none());
}

#[test]
fn a_lone_device_a_hair_above_its_usual_level_is_a_near_miss_and_no_incident() {
    let mut bench = Bench::new(20, 0);
    play(&mut bench, 1, &[(Good, 3), (Hair, 80), (Good, 20)]);
    assert!(bench.of(ChangeKind::Declared).is_empty(), "{:#?}", bench.changes);
    let recovered = bench.of(ChangeKind::Recovered);
    assert_eq!(recovered.len(), 1);
    let near_miss = recovered[0].near_miss.expect("it was warned of");
    assert_eq!(near_miss.end, StreakEnd::Unproven);
    assert!(near_miss.length_min >= 60, "{near_miss:?}");
    assert!(bench.engine.events.open.is_empty());
}

#[test]
fn flagged_flows_do_not_prove_an_hour_of_slightly_long_delays() {
    let declared = |story: &[(Said, i64)]| {
        let mut bench = Bench::new(20, 0);
        play(&mut bench, 1, story);
        bench.of(ChangeKind::Declared).len()
    };
    assert_eq!(
        declared(&[(Good, 3), (Hair, 30), (HairAndFlagged, 40), (Good, 20)]),
        0,
        "where probes pass they say nothing"
    );
    assert_eq!(
        declared(&[(Good, 3), (Hair, 60), (Flagged, 12), (Good, 20)]),
        0,
        "a burst made a small part of the hour"
    );
    assert_eq!(declared(&[(Good, 3), (Hair, 30), (Bad, 40), (Good, 20)]), 1, "long delays made it");
    assert_eq!(declared(&[(Good, 3), (Flagged, 70), (Good, 20)]), 1, "flagged flows made it");
    assert_eq!(declared(&[(Good, 3), (Bad, 30), (Flagged, 40), (Good, 20)]), 1, "each made a part of it");
}

#[test]
fn an_hour_of_the_past_that_proves_nothing_is_looked_at_and_done_with() {
    let mut bench = Bench::new(20, 0);
    let began = bench.now;
    play(&mut bench, 1, &[(Silent, 90)]);
    bench.seq[0] -= 90;
    for minute in 0..90 {
        let (said, now) = (if (5..75).contains(&minute) { Hair } else { Good }, bench.now);
        bench.report(0, began + minute * MINUTE_MS, said, now);
    }
    play(&mut bench, 1, &[(Good, 10)]);
    assert!(bench.of(ChangeKind::Declared).is_empty(), "{:#?}", bench.changes);
    assert!(bench.engine.events.open.is_empty(), "{:#?}", bench.engine.events.open);
    assert_eq!(bench.engine.devices[0].state.in_event_since, None, "it learns again");
}

#[test]
fn a_lone_device_is_held_against_the_fleet_as_it_is_now() {
    // One learnt day asks for 1.69 times the usual. Everybody has been a quarter slower for hours: 1.9 times is then no device's
    // own, 2.5 times is.
    for (percent, declared) in [(190, 0), (250, 1)] {
        let mut bench = Bench::new(20, 0);
        bench.minutes(180, |_, _| Percent(125));
        bench.minutes(80, |device, _| if device == 0 { Percent(percent) } else { Percent(125) });
        assert_eq!(bench.of(ChangeKind::Declared).len(), declared, "{percent} %: {:#?}", bench.changes);
    }
    // On a day like the others 1.9 times is.
    let mut bench = Bench::new(20, 0);
    bench.minutes(180, |_, _| Good);
    bench.minutes(80, |device, _| if device == 0 { Percent(190) } else { Good });
    assert_eq!(bench.of(ChangeKind::Declared).len(), 1, "{:#?}", bench.changes);
}

#[test]
fn a_wave_over_the_fleet_is_not_left_with_the_package_that_its_first_devices_were_blamed_on() {
    let mut bench = Bench::new(40, 0);
    for device in 0..40 {
        let signatures = Package {
            name: "signatures".into(),
            version: "9.7.73".into(),
            installed_at: Some(T0 - 30 * MINUTE_MS + device as i64 * 1_000),
        };
        bench.status_with(device, "old", None, vec![signatures]);
    }
    let named = |bench: &Bench| {
        let event = bench.engine.events.open.iter().find(|event| event.key.is_some());
        event.and_then(|event| event.cause.clone()).map(|cause| cause.suspect.kind)
    };
    bench.minutes(12, |device, _| if device < 8 { Bad } else { Good });
    assert_eq!(named(&bench).as_deref(), Some("package"), "too few for the fleet: {:#?}", bench.changes);
    bench.minutes(70, |_, _| Bad);
    let declared = bench.of(ChangeKind::Declared);
    assert_eq!(declared.len(), 1, "{:#?}", bench.changes);
    let cause = declared[0].cause.clone().expect("a name");
    assert_eq!(cause.suspect.kind, "fleet");
    assert!(cause.inseparable, "who is affected does not tell it from what everybody has: {cause:?}");
}

#[test]
fn two_threads_decide_what_one_does() {
    let life = |join: Option<Join>| {
        let mut bench = Bench::with_history(LEAST_SHARED + 7, 20, 90);
        bench.engine = match join {
            Some(join) => bench.engine.with_join(join),
            None => bench.engine,
        };
        play(&mut bench, 20, &[(Good, 3), (Worse, 65), (Good, 10)]);
        (bench.engine.image(), decided(&bench.changes))
    };
    let one = life(None);
    assert!(one.1.iter().any(|(kind, ..)| *kind == ChangeKind::Declared), "{:?}", one.1);
    let side_by_side: Join = |first, second| {
        std::thread::scope(|scope| {
            scope.spawn(second);
            first();
        });
    };
    let backwards: Join = |first, second| {
        second();
        first();
    };
    assert!(one == life(Some(side_by_side)) && one == life(Some(backwards)));
}

#[test]
fn quiet_minutes_count_from_the_last_degraded_one_and_silence_adds_none() {
    let mut bench = Bench::new(4, 2);
    let seen = |bench: &Bench| {
        let device = &bench.engine.snapshot().devices[0];
        (device.quiet_min, device.is_known)
    };
    // A minute is closed 90 s after its end: the newest is not in the picture yet.
    play(&mut bench, 2, &[(Good, 3)]);
    assert_eq!(seen(&bench), (60, true), "counting stops at the clear period");
    play(&mut bench, 2, &[(Worse, 20)]);
    assert_eq!(seen(&bench), (0, true));
    play(&mut bench, 2, &[(Good, 10)]);
    let (quiet, known) = seen(&bench);
    assert!(known && (1..=9).contains(&quiet), "{quiet}");
    play(&mut bench, 2, &[(Silent, 30)]);
    let (after, known) = seen(&bench);
    assert!(!known && (quiet..=10).contains(&after), "{quiet} {after}");
    play(&mut bench, 2, &[(Good, 30)]);
    let (back, known) = seen(&bench);
    assert!(known && (after + 28..after + 31).contains(&back), "{after} {back}");
    play(&mut bench, 2, &[(Good, 60)]);
    assert_eq!(seen(&bench), (60, true));
}

#[test]
fn a_snapshot_tells_what_a_device_said_of_itself_and_an_image_keeps_it() {
    let mut bench = Bench::new(2, 0);
    let label = |text: &str| Some(Label::from(text));
    let status = |id: Option<Label>, active| Status {
        online: true,
        boot: 1,
        customer: label("C-00123"),
        packages: vec![Package { name: "signatures".into(), version: "9.9.1".into(), installed_at: None }],
        workaround: Some(Workaround { id, active }),
        ..Status::default()
    };
    let tell = |bench: &mut Bench, status: Status| {
        bench.engine.fleet().status("B-000", status, false, Timestamp::from_ms(bench.now)).unwrap();
        bench.advance(bench.now + TICK_MS);
    };
    tell(&mut bench, status(label("WA-1"), true));
    let said = |engine: &Engine| {
        let device = engine.snapshot().devices[0].clone();
        (device.customer, device.packages, device.workaround_id, device.workaround_active)
    };
    let expected = (label("C-00123"), vec![Label::from("signatures 9.9.1")], label("WA-1"), Some(true));
    assert_eq!(said(&bench.engine), expected);
    let settings = bench.engine.settings().clone();
    let mut restored = Engine::new(settings.clone(), Arc::new(Fleet::new(&settings)));
    restored.restore(&bench.engine.image()).unwrap();
    assert_eq!(said(&restored), expected);
    tell(&mut bench, status(None, false));
    assert_eq!(said(&bench.engine).2, None, "an id that is left out is not an older one");
    assert_eq!(said(&bench.engine).3, Some(false));
}

/// The cause of the first declaration, and its confidence in tenths of a per cent, of a fleet that says so of its installs.
fn named(installed_at: Option<i64>) -> Option<(String, i64)> {
    let mut bench = Bench::new(10, 0);
    let at = bench.now;
    for device in 0..4 {
        bench.status_at(device, "new", installed_at, at);
    }
    bench.minutes(75, |device, minute| if device < 4 && minute >= 5 { Bad } else { Good });
    let declared = bench.changes.iter().find(|change| change.kind == ChangeKind::Declared)?;
    let cause = declared.cause.as_ref()?;
    Some((cause.suspect.value.clone(), (cause.confidence * 1_000.0) as i64))
}

#[test]
fn an_install_time_that_cannot_be_clears_nobody() {
    let unknown = named(None);
    assert_eq!(unknown.as_ref().map(|(value, confidence)| (value.as_str(), *confidence >= 990)), Some(("new", true)));
    let day = 86_400_000;
    for wrong in [0, 1, 300_000, 315_532_800_000, 946_684_800_000, DAY0 - 500 * day, DAY0 + 30 * day, i64::MAX] {
        assert_eq!(named(Some(wrong)), unknown, "{wrong}");
    }
}

#[test]
fn a_device_is_there_again_with_the_first_report_after_its_will() {
    let mut bench = Bench::new(1, 0);
    let online = |bench: &Bench| bench.engine.snapshot().devices[0].online;
    assert_eq!(online(&bench), Some(true));
    let will = Status { online: false, boot: 1, ..Status::default() };
    bench.engine.fleet().status("B-000", will, false, Timestamp::from_ms(bench.now)).unwrap();
    bench.advance(bench.now + TICK_MS);
    assert_eq!(online(&bench), Some(false));
    let device = &bench.engine.snapshot().devices[0];
    assert_eq!(
        (device.model.as_deref(), device.update.as_deref()),
        (Some("B100"), Some("old")),
        "a will takes nothing back"
    );
    bench.minutes(2, |_, _| Good);
    assert_eq!(online(&bench), Some(true));
}
