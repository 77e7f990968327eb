//! A device that people were told of: what comes again is no news, what is worse is, and who was well for long enough begins anew.

use super::*;

const HOUR: i64 = 60;
const DAY: i64 = 24 * HOUR;

/// The first device is ill by so many percent of the usual for so many minutes, then well until a day has passed.
fn day(bench: &mut Bench, percent: u32, minutes: i64) {
    play(bench, 1, &[(Percent(percent), minutes), (Good, DAY - minutes)]);
}

/// When something was declared, in days from T0 on.
fn declared(bench: &Bench) -> Vec<i64> {
    bench.of(ChangeKind::Declared).iter().map(|change| (change.at.as_ms() - T0) / MINUTE_MS / DAY).collect()
}

#[test]
fn what_comes_every_night_is_declared_once_whatever_the_night_and_told_again_once_it_had_gone() {
    let mut bench = Bench::new(20, 0);
    for minutes in [90, 120, 300, 61] {
        day(&mut bench, 300, minutes);
    }
    assert_eq!(declared(&bench), [0], "{:#?}", bench.changes);
    assert_eq!(
        bench.of(ChangeKind::EarlyWarning).iter().filter(|change| change.at.as_ms() > T0 + DAY * MINUTE_MS).count(),
        0
    );
    // A night without, and another with it.
    day(&mut bench, 100, 0);
    day(&mut bench, 300, 90);
    assert_eq!(declared(&bench), [0, 5], "{:#?}", bench.changes);
}

#[test]
fn what_comes_at_another_time_of_day_is_told_and_what_goes_on_into_another_is_not() {
    let mut bench = Bench::new(20, 0);
    day(&mut bench, 300, 90);
    day(&mut bench, 300, 9 * HOUR);
    assert_eq!(declared(&bench), [0], "{:#?}", bench.changes);
    play(&mut bench, 1, &[(Good, 14 * HOUR), (Bad, 90), (Good, DAY - 14 * HOUR - 90)]);
    assert_eq!(declared(&bench), [0, 2], "{:#?}", bench.changes);
}

#[test]
fn what_does_not_end_is_one_incident_and_what_it_leaves_is_known() {
    let mut bench = Bench::new(20, 0);
    play(&mut bench, 1, &[(Bad, 30 * HOUR), (Good, 2 * HOUR), (Bad, 20 * HOUR), (Good, 3 * HOUR), (Bad, 2 * HOUR)]);
    assert_eq!(declared(&bench), [0], "{:#?}", bench.changes);
}

#[test]
fn a_known_device_that_gets_worse_is_declared_by_an_hour_of_that_and_not_again_for_the_same() {
    for (minutes, expected) in [(55, vec![0]), (66, vec![0, 1])] {
        let mut bench = Bench::new(20, 0);
        day(&mut bench, 300, 90);
        // The known illness, and in the midst of it what is new.
        play(&mut bench, 1, &[(Bad, 90), (Percent(600), minutes), (Bad, 60), (Good, DAY - 150 - minutes)]);
        assert_eq!(declared(&bench), expected, "{minutes} min: {:#?}", bench.changes);
        if let [_, worse] = bench.of(ChangeKind::Declared)[..] {
            let began = (worse.impact_started_at.as_ms() - T0) / MINUTE_MS - DAY;
            assert!((90..93).contains(&began), "the new hour begins with what is new: {began}");
            assert_eq!(worse.scope, Scope::Isolated);
        }
        let before = declared(&bench).len();
        day(&mut bench, 600, 90);
        let again = usize::from(before == 1);
        assert_eq!(declared(&bench).len(), before + again, "{minutes} min: {:#?}", bench.changes);
    }
}

#[test]
fn another_symptom_of_a_known_device_is_news() {
    let mut bench = Bench::new(20, 0);
    day(&mut bench, 300, 90);
    play(&mut bench, 1, &[(Flagged, 3 * HOUR), (Good, HOUR)]);
    assert_eq!(declared(&bench), [0, 1], "{:#?}", bench.changes);
}

#[test]
fn a_known_device_is_counted_where_others_prove_an_event_and_accuses_nothing_by_itself() {
    let mut bench = Bench::new(20, 0);
    bench.minutes(DAY, |device, minute| if device < 4 && minute < 80 { Bad } else { Good });
    let alone = bench.of(ChangeKind::Declared).into_iter().filter(|change| change.scope == Scope::Isolated).count();
    assert_eq!((alone, declared(&bench).len()), (4, 4), "nothing tells who did it: {:#?}", bench.changes);
    bench.changes.clear();
    // In the night in which everybody takes an update those four are as they were the night before.
    let installed = bench.now;
    for device in 0..20 {
        bench.status(device, "new", Some(installed));
    }
    bench.minutes(150, |device, minute| if device < 4 && minute > 3 { Bad } else { Good });
    assert!(bench.changes.is_empty(), "{:#?}", bench.changes);
    bench.minutes(DAY - 150, |_, _| Good);
    // In the next, six more are with them.
    let installed = bench.now;
    for device in 0..10 {
        bench.status(device, "newer", Some(installed));
    }
    bench.minutes(150, |device, minute| if device < 10 && minute > 3 { Bad } else { Good });
    let found = bench.of(ChangeKind::Declared);
    assert_eq!(found.len(), 1, "{:#?}", bench.changes);
    assert_eq!(found[0].cause.as_ref().unwrap().suspect.value, "newer");
    assert_eq!(found[0].devices.len(), 10, "the known ones are among them");
}

#[test]
fn who_still_has_the_cause_is_known_until_it_comes_back_to_many() {
    for (back, expected) in [(1, vec![0]), (8, vec![0, 1])] {
        let mut bench = Bench::new(40, 20);
        let night = |bench: &mut Bench, ill: usize| {
            bench.minutes(90, |device, minute| if device < ill && minute > 3 { Bad } else { Good });
            bench.minutes(DAY - 90, |_, _| Good);
        };
        night(&mut bench, 20);
        assert_eq!(declared(&bench), [0]);
        // The cause is taken from most; it strikes where it still is.
        let now = bench.now;
        for device in back..20 {
            bench.status(device, "fixed", Some(now));
        }
        night(&mut bench, back);
        assert_eq!(declared(&bench), expected, "{back}: {:#?}", bench.changes);
    }
}

#[test]
fn a_device_that_was_cured_and_is_ill_again_is_news() {
    let mut bench = Bench::new(40, 20);
    bench.minutes(90, |device, minute| if device < 20 && minute > 3 { Bad } else { Good });
    let now = bench.now;
    for device in 0..20 {
        bench.status(device, "fixed", Some(now));
    }
    bench.minutes(DAY - 90, |_, _| Good);
    bench.minutes(90, |device, _| if device == 3 { Bad } else { Good });
    assert_eq!(declared(&bench), [0, 1], "{:#?}", bench.changes);
}

#[test]
fn a_restart_forgets_nothing_that_was_told() {
    let mut bench = Bench::new(20, 0);
    day(&mut bench, 300, 90);
    play(&mut bench, 1, &[(Bad, 30), (Percent(600), 30)]);
    let image = bench.engine.image();
    let settings = Settings { utc_offset_min: 0, ..Settings::default() };
    let mut engine = Engine::new(settings.clone(), Arc::new(Fleet::new(&settings)));
    engine.restore(&image).unwrap();
    assert_eq!(engine.image(), image);
    let changes = bench.changes.clone();
    let mut restarted = Bench { engine, now: bench.now, seq: bench.seq.clone(), updated: 0, changes };
    for bench in [&mut bench, &mut restarted] {
        play(bench, 1, &[(Percent(600), 40), (Good, DAY - 100), (Percent(600), 90), (Good, 60)]);
        assert_eq!(declared(bench), [0, 1], "{:#?}", bench.changes);
    }
    assert_eq!(decided(&bench.changes), decided(&restarted.changes));
}
