//! Axes of drawings: pure arithmetic from values to places, and which values get a label.

use crate::engine::time::Timestamp;
use crate::words::zone::Zone;

const HOUR_MS: i64 = 3_600_000;

/// Hours between two labels of a time axis; beyond the last, whole days.
const HOURS: [i64; 7] = [1, 2, 3, 6, 12, 24, 48];

/// A straight axis from values to places.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(in crate::web) struct Scale {
    /// The values at both ends.
    pub(in crate::web) from: f64,
    pub(in crate::web) to: f64,
    /// Their places.
    pub(in crate::web) start: f64,
    pub(in crate::web) end: f64,
}

impl Scale {
    /// The place of a value; what lies outside goes to the end.
    pub(in crate::web) fn at(&self, value: f64) -> f64 {
        let along = (value - self.from) / (self.to - self.from).max(f64::MIN_POSITIVE);
        self.start + along.clamp(0.0, 1.0) * (self.end - self.start)
    }

    /// The place of an instant.
    pub(in crate::web) fn at_time(&self, at: Timestamp) -> f64 {
        self.at(at.as_ms() as f64)
    }
}

/// Values from 0 to at least `most`, in steps of 1, 2 or 5 times a power of ten, at most six of them.
pub(in crate::web) fn count_ticks(most: u32) -> Vec<u32> {
    let most = most.max(1);
    let mut power = 1_u32;
    loop {
        for step in [1, 2, 5].map(|step: u32| step.saturating_mul(power)) {
            let steps = most.div_ceil(step);
            if steps <= 5 {
                return (0..=steps).map(|index| index.saturating_mul(step)).collect();
            }
        }
        power = power.saturating_mul(10);
    }
}

/// Whole hours of local time between two instants, at most `most` of them, evenly spaced.
pub(in crate::web) fn time_ticks(zone: &Zone, from: Timestamp, to: Timestamp, most: usize) -> Vec<Timestamp> {
    let span_h = (to.since_ms(from) / HOUR_MS).max(1);
    let most = most.max(1) as i64;
    let step_h = HOURS.into_iter().find(|step| span_h / step <= most);
    let step_ms = step_h.unwrap_or_else(|| (span_h / 24).div_euclid(most).max(1) * 24 + 24) * HOUR_MS;
    // Counted from local midnight, or a day's label would stand at nine in the morning.
    let ahead_ms = zone.ahead_ms(from);
    let local = from.as_ms() + ahead_ms;
    let first = local + (step_ms - local.rem_euclid(step_ms)) % step_ms;
    let ticks = (0..).map(|index: i64| Timestamp::from_ms(first - ahead_ms + index * step_ms));
    ticks.take_while(|tick| *tick <= to).take(most as usize + 1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_keeps_within_its_ends() {
        let down = Scale { from: 0.0, to: 100.0, start: 200.0, end: 0.0 };
        assert_eq!((down.at(0.0), down.at(25.0), down.at(100.0)), (200.0, 150.0, 0.0));
        assert_eq!((down.at(-5.0), down.at(1e9)), (200.0, 0.0));
        let point = Scale { from: 5.0, to: 5.0, start: 0.0, end: 10.0 };
        assert!(point.at(5.0).is_finite());
    }

    #[test]
    fn counts_are_labelled_in_round_steps_that_reach_the_top() {
        assert_eq!(count_ticks(0), [0, 1]);
        assert_eq!(count_ticks(3), [0, 1, 2, 3]);
        assert_eq!(count_ticks(330), [0, 100, 200, 300, 400]);
        assert_eq!(count_ticks(1_000), [0, 200, 400, 600, 800, 1_000]);
        for most in [1, 7, 49, 501, 99_999, u32::MAX] {
            let ticks = count_ticks(most);
            assert!(ticks.len() <= 6 && *ticks.last().unwrap() >= most, "{most}: {ticks:?}");
        }
    }

    #[test]
    fn instants_are_labelled_at_round_local_hours() {
        let zone = Zone::default();
        // 22 Nov 2026 03:25 in Tokyo.
        let from = Timestamp::from_ms(1_795_285_500_000);
        let labels = |hours: i64, most| -> Vec<String> {
            time_ticks(&zone, from, from.plus_ms(hours * HOUR_MS), most).into_iter().map(|at| zone.stamp(at)).collect()
        };
        assert_eq!(labels(3, 6), ["2026-11-22 04:00", "2026-11-22 05:00", "2026-11-22 06:00"]);
        assert_eq!(labels(72, 4), ["2026-11-23 00:00", "2026-11-24 00:00", "2026-11-25 00:00"]);
        for hours in [0, 1, 30, 200, 2_000] {
            assert!(labels(hours, 6).len() <= 7, "{hours}");
        }
    }
}
