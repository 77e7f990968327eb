use proptest::prelude::*;

use super::*;

const HORIZON: i64 = 48 * 3_600_000;
const T: i64 = 1_795_305_600_000;

fn after(anchor: Anchor, uptime_ms: i64, arrival_ms: i64) -> Anchor {
    anchor.after(uptime_ms, arrival_ms, HORIZON).unwrap()
}

#[test]
fn the_least_late_report_sets_the_anchor() {
    let anchor = Anchor::first(10_000, T + 10_500, None, HORIZON);
    assert_eq!(anchor.at_ms(), T + 500);
    let anchor = after(anchor, 20_000, T + 20_020);
    assert_eq!(anchor.at_ms(), T + 20);
    // An hour late: nothing learnt.
    let anchor = after(anchor, 30_000, T + 3_630_000);
    assert_eq!(anchor.at_ms(), T + 20);
}

#[test]
fn the_anchor_rises_with_a_slow_crystal_and_no_faster() {
    // 400 ppm slow, live all the time, with up to 60 ms on the way: followed.
    let mut anchor = Anchor::first(0, T, None, HORIZON);
    for n in 1..=30 * 8_640i64 {
        let uptime_ms = n * 10_000;
        let arrival_ms = T + uptime_ms + uptime_ms / 2_500 + n % 7 * 10;
        anchor = after(anchor, uptime_ms, arrival_ms);
        let truth = T + uptime_ms / 2_500;
        assert!((anchor.at_ms() - truth).abs() < 500, "{n}: {}", anchor.at_ms() - truth);
    }
    // 1,000 ppm is no crystal: half of it is followed.
    let mut anchor = Anchor::first(0, T, None, HORIZON);
    for n in 1..=8_640i64 {
        anchor = after(anchor, n * 10_000, T + n * 10_010);
    }
    assert_eq!(anchor.at_ms(), T);
}

#[test]
fn an_uptime_that_would_move_the_boot_by_days_is_not_believed() {
    let anchor = Anchor::first(10_000, T + 10_000, None, HORIZON);
    assert_eq!(anchor.after(10_000 + HORIZON + 1, T + 10_000, HORIZON), None);
}

#[test]
fn a_backlog_of_an_unknown_boot_is_timed_by_its_wall_clock_until_something_is_live() {
    // The boot began at T; an hour of it arrives within three seconds.
    let now = T + 3_600_000;
    let mut anchor = Anchor::first(60_000, now, Some(T), HORIZON);
    for n in 1..60i64 {
        assert_eq!(anchor.at_ms(), T);
        anchor = after(anchor, (n + 1) * 60_000, now + n * 50);
    }
    anchor = after(anchor, 3_604_000, T + 3_604_100);
    assert!((anchor.at_ms() - T).abs() <= 3_000);
    assert_eq!(anchor.hint, None);
}

#[test]
fn a_wall_clock_that_is_an_hour_behind_is_found_out_by_the_pace() {
    let mut anchor = Anchor::first(10_000, T + 10_000, Some(T - 3_600_000), HORIZON);
    assert_eq!(anchor.at_ms(), T - 3_600_000);
    for n in 2..5 {
        anchor = after(anchor, n * 10_000, T + n * 10_000);
        assert_eq!(anchor.at_ms(), T);
    }
}

#[test]
fn a_wall_clock_of_another_age_is_no_hint() {
    for hint in [i64::MIN, 0, T - HORIZON, T - 30_000, T + 30_000, i64::MAX] {
        assert_eq!(Anchor::first(10_000, T + 10_000, Some(hint), HORIZON).at_ms(), T);
    }
}

proptest! {
    #[test]
    fn no_report_is_measured_after_it_arrived(
        reports in prop::collection::vec((0i64..400_000_000, 1i64..=60_000, 0i64..200_000_000), 1..60),
        hint in prop::option::of(T - 200_000_000..T + 200_000_000),
    ) {
        let mut anchor = None;
        for (uptime_ms, period_ms, lateness_ms) in reports {
            let arrival_ms = T + uptime_ms + period_ms + lateness_ms;
            let end_ms = uptime_ms + period_ms;
            let next = match anchor {
                None => Some(Anchor::first(end_ms, arrival_ms, hint, HORIZON)),
                Some(known) => Anchor::after(known, end_ms, arrival_ms, HORIZON),
            };
            if let Some(next) = next {
                prop_assert!(next.at_ms() + end_ms <= arrival_ms);
                anchor = Some(next);
            }
        }
    }
}
