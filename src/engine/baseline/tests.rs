use super::*;
use crate::engine::device::Label;

const DAY: i64 = 1_440;
/// A Monday, 00:00 UTC.
const MONDAY: Minute = Minute(29_923_200);

fn settings() -> Settings {
    Settings { utc_offset_min: 0, ..Settings::default() }
}

fn around(us: u32) -> Histogram {
    let mut histogram = Histogram::default();
    for i in 0..20 {
        histogram.record(us * (90 + i) / 100, 1);
    }
    histogram
}

fn live(baseline: &mut Baseline, from: Minute, minutes: i64, us: impl Fn(Minute) -> u32) {
    for i in 0..minutes {
        let minute = from.plus(i);
        baseline.observe(minute, &around(us(minute)), &Counts::default(), &settings());
        baseline.learn(minute, &settings(), |_| false);
    }
}

#[test]
fn a_day_of_history_is_usable_and_follows_the_hour() {
    let mut baseline = Baseline::default();
    let by_hour = |minute: Minute| 10_000 + 1_000 * minute.hour() as u32;
    live(&mut baseline, MONDAY, DAY, by_hour);
    assert!(baseline.own(MONDAY.plus(DAY), &settings()).is_none(), "it waits a day");
    live(&mut baseline, MONDAY.plus(DAY), 12 * 60, by_hour);
    let (normal, known) = baseline.own(MONDAY.plus(DAY + 10 * 60), &settings()).unwrap();
    assert!((19_000.0..21_000.0).contains(&normal.p50_us), "{normal:?}");
    assert_eq!((known.minutes, known.days), (120, 1), "hours 9 and 10; hour 11 is not a day old yet");
}

#[test]
fn weekends_are_kept_apart_and_stand_in_while_alone() {
    let mut baseline = Baseline::default();
    let friday = MONDAY.plus(4 * DAY);
    live(&mut baseline, friday, DAY, |_| 40_000);
    live(&mut baseline, friday.plus(DAY), 2 * DAY + 60, |_| 10_000);
    let (weekend, _) = baseline.own(friday.plus(2 * DAY + 12 * 60), &settings()).unwrap();
    assert!(weekend.p50_us < 11_000.0, "{weekend:?}");
    let (weekday, _) = baseline.own(friday.plus(3 * DAY + 12 * 60), &settings()).unwrap();
    assert!(weekday.p50_us > 38_000.0, "{weekday:?}");
}

#[test]
fn the_highest_is_that_of_the_hours_beside_too_and_not_of_one_bad_day() {
    let mut baseline = Baseline::default();
    // At noon it is busy; on one day of five it is four times as busy.
    let us = |minute: Minute| match (minute.hour(), minute.since(MONDAY) / DAY) {
        (12, 2) => 80_000,
        (12, _) => 20_000,
        _ => 10_000,
    };
    live(&mut baseline, MONDAY, 6 * DAY, us);
    let at = |hour: i64| (MONDAY.plus(7 * DAY + hour * 60), MONDAY.plus(7 * DAY + hour * 60 + 30));
    let highest = |hour: i64| baseline.highest(at(hour), &settings()).unwrap().p50_us;
    assert!((9_500.0..10_500.0).contains(&highest(9)), "{}", highest(9));
    for hour in [11, 12, 13] {
        assert!((19_000.0..21_000.0).contains(&highest(hour)), "{hour}: {}", highest(hour));
    }
    assert!(Baseline::default().highest(at(9), &settings()).is_none());
}

#[test]
fn the_last_hour_is_held_against_what_is_usual_then() {
    let mut baseline = Baseline::default();
    live(&mut baseline, MONDAY, 2 * DAY, |_| 10_000);
    let now = MONDAY.plus(2 * DAY + 120);
    live(&mut baseline, MONDAY.plus(2 * DAY), 120, |_| 12_000);
    let moved = baseline.moved(now, &settings()).unwrap();
    assert!((1.17..1.23).contains(&moved), "{moved}");
    assert!(baseline.moved(now.plus(240), &settings()).is_none(), "it has said nothing for hours");
}

#[test]
fn hours_that_an_event_covered_are_not_learnt() {
    let mut baseline = Baseline::default();
    for i in 0..2 * DAY {
        let minute = MONDAY.plus(i);
        baseline.observe(minute, &around(10_000), &Counts::default(), &settings());
        baseline.learn(minute, &settings(), |_| true);
    }
    assert!(baseline.own(MONDAY.plus(2 * DAY), &settings()).is_none());
    assert!(baseline.provisional().is_some(), "what waits may still stand in");
}

#[test]
fn half_an_hour_stands_in_provisionally() {
    let mut baseline = Baseline::default();
    live(&mut baseline, MONDAY, 29, |_| 10_000);
    assert!(baseline.provisional().is_none());
    live(&mut baseline, MONDAY.plus(29), 1, |_| 10_000);
    let (stand_in, maturity) = normal(&baseline, None, MONDAY.plus(30), &settings()).unwrap();
    assert_eq!(maturity, Maturity::Provisional);
    let wide = Thresholds::of_judged(Some((stand_in, maturity)), &settings()).unwrap();
    assert!(wide.p50_us > 2 * stand_in.p50_us as u32, "what is provisional is judged with a wide margin");
    assert!((9_500.0..10_500.0).contains(&stand_in.p50_us), "{stand_in:?}");
}

#[test]
fn a_device_without_a_history_of_its_own_is_judged_by_its_group_with_the_wide_margins() {
    let group = Normal { p50_us: 10_000.0, p95_us: 12_000.0 };
    let mut baseline = Baseline::default();
    let (stand_in, maturity) = normal(&baseline, Some(group), MONDAY, &settings()).unwrap();
    assert_eq!((stand_in, maturity), (group, Maturity::Provisional));
    // Its line is slower than the others': what it shows counts as soon as there is enough of it.
    live(&mut baseline, MONDAY, 30, |_| 30_000);
    let (stand_in, maturity) = normal(&baseline, Some(group), MONDAY.plus(30), &settings()).unwrap();
    assert_eq!(maturity, Maturity::Provisional);
    assert!((28_500.0..31_500.0).contains(&stand_in.p50_us), "{stand_in:?}");
    // A faster line than theirs is not held to its own half an hour.
    let slower = Normal { p50_us: 50_000.0, p95_us: 60_000.0 };
    assert_eq!(normal(&baseline, Some(slower), MONDAY.plus(30), &settings()).unwrap().0, slower);
}

#[test]
fn young_devices_shrink_to_their_group() {
    let mut groups = GroupNormals::default();
    let (model, branch) = (Label::from("B200"), Label::from("sapporo-03"));
    for us in [20_000.0, 22_000.0, 24_000.0] {
        groups.add(Some(&model), Some(&branch), Normal { p50_us: us, p95_us: 2.0 * us });
    }
    groups.settle();
    let group = groups.of(Some(&model), Some(&branch)).unwrap();
    assert!((21_900.0..22_100.0).contains(&group.p50_us));
    assert_eq!(groups.of(Some(&model), Some(&Label::from("elsewhere"))), Some(group), "by model");
    assert_eq!(groups.of(None, None), Some(group), "by fleet");

    let mut baseline = Baseline::default();
    live(&mut baseline, MONDAY, DAY + 61, |_| 10_000);
    let minute = MONDAY.plus(DAY);
    let (own, known) = baseline.own(minute, &settings()).unwrap();
    assert_eq!(known.minutes, 60);
    let (mixed, _) = normal(&baseline, Some(group), minute, &settings()).unwrap();
    assert!((mixed.p50_us - (60.0 * own.p50_us + 30.0 * group.p50_us) / 90.0).abs() < 1.0);
}

#[test]
fn thresholds_are_relative_absolute_or_both() {
    let normal = Some(Normal { p50_us: 20_000.0, p95_us: 5_000.0 });
    let thresholds = Thresholds::of(normal, &Settings::default()).unwrap();
    assert_eq!(thresholds, Thresholds { p50_us: 26_000, p95_us: 8_000 });
    assert_eq!(Thresholds::of(None, &Settings::default()), None);
    let objective = Settings { objective_p95_us: Some(6_000), ..Settings::default() };
    assert_eq!(Thresholds::of(normal, &objective).unwrap().p95_us, 6_000);
    assert_eq!(Thresholds::of(None, &objective).unwrap(), Thresholds { p50_us: u32::MAX, p95_us: 6_000 });
}

#[test]
fn flagged_rates_and_their_dispersion_are_learnt() {
    let mut baseline = Baseline::default();
    assert_eq!((baseline.flagged(), baseline.false_positives()), (None, 0.0));
    for i in 0..2 * DAY {
        let minute = MONDAY.plus(i);
        // a burst of 40 every tenth minute: mean 4, variance 144
        let flagged = if i % 10 == 0 { 40 } else { 0 };
        let counts = Counts { flows: 1_000, flagged, canary: 100, canary_flagged: 1, ..Counts::default() };
        baseline.observe(minute, &around(10_000), &counts, &settings());
        baseline.learn(minute, &settings(), |_| false);
    }
    assert!((baseline.flagged().unwrap() - 0.004).abs() < 1e-4);
    assert!((baseline.false_positives() - 0.01).abs() < 1e-4);
    assert!((baseline.flagged_dispersion() - 36.0).abs() < 1.0);
}

#[test]
fn an_hour_of_heavy_traffic_keeps_its_shape() {
    let mut baseline = Baseline::default();
    let mut heavy = Histogram::default();
    heavy.record(10_000, 1_000_000);
    heavy.record(50_000, 80_000);
    for i in 0..40 {
        baseline.observe(MONDAY.plus(i), &heavy, &Counts::default(), &settings());
    }
    let stand_in = baseline.provisional().unwrap();
    assert!((9_500.0..10_800.0).contains(&stand_in.p50_us), "{stand_in:?}");
    assert!((48_000.0..53_500.0).contains(&stand_in.p95_us), "{stand_in:?}");
}
