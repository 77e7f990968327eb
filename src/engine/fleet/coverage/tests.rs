use super::*;

fn offer(coverage: &mut Coverage, minute: u32, period_ms: u32) -> bool {
    let room = coverage.room(Minute(minute), period_ms);
    if let Some(room) = room {
        coverage.take(room);
    }
    room.is_some()
}

#[test]
fn a_minute_takes_twice_the_time_there_is() {
    let mut coverage = Coverage::default();
    let taken = (0..100).filter(|_| offer(&mut coverage, 10_000, 10_000)).count();
    assert_eq!(taken, 12);
    assert!(offer(&mut coverage, 10_001, 10_000));
}

#[test]
fn short_periods_are_limited_by_their_number() {
    let mut coverage = Coverage::default();
    let taken = (0..1_000).filter(|_| offer(&mut coverage, 10_000, 1)).count();
    assert_eq!(taken, MAX_REPORTS_PER_MINUTE as usize);
}

#[test]
fn two_days_of_backlog_pass_in_any_order_beside_live_traffic() {
    let mut coverage = Coverage::default();
    let live = 30_000_000;
    for n in 0..2_880 {
        // Six reports of each minute: the backlog from the newest minute to the oldest.
        for _ in 0..6 {
            assert!(offer(&mut coverage, live - 1 - n, 10_000), "backlog {n}");
        }
        assert!(offer(&mut coverage, live + n / 6, 10_000), "live {n}");
    }
}

#[test]
fn hopping_between_old_minutes_evades_no_limit() {
    let mut coverage = Coverage::default();
    assert!(offer(&mut coverage, 30_000_000, 60_000));
    let taken = (0..100_000).filter(|n| offer(&mut coverage, 30_000_000 - 1_440 + n % 1_200, 60_000)).count();
    // 20 hours, each twice over.
    assert!(taken <= 21 * 120, "{taken}");
}
