//! When something was installed, as far as the time can be one.
//!
//! A device that was installed without a clock says 0, or some day of 1970, 1980 or 2000; one whose clock was wrong says a day to
//! come. That is no knowledge: taken as such, it would clear the update that did the damage, for an onset years after an
//! install, or before it, is none of its doing. Its age is unknown then, as if the time had been left out.

use crate::engine::time::{Minute, Timestamp};

/// Oldest install that is believed, 400 days in minutes. What is older by the device's word has not been replaced for a year, or
/// more likely never had a clock; a suspect of that age is judged like one of unknown age in any case.
const OLDEST_MIN: i64 = 400 * 1_440;

/// How far an install may lie after the status that tells of it, in ms: the two clocks are read one after the other.
const SLACK_MS: i64 = 300_000;

/// The minute of an install at `wall`, by a device's wall clock that showed `said_at` when it said so (0: unknown); `None` when
/// that cannot be, or when `event`, the event time of an instant of that clock, is not known.
pub fn minute(wall: i64, said_at: i64, now: Minute, event: impl Fn(i64) -> Option<Timestamp>) -> Option<Minute> {
    let is_after_the_word = said_at != 0 && wall > said_at.saturating_add(SLACK_MS);
    if wall == 0 || is_after_the_word {
        return None;
    }
    let at = event(wall)?.minute();
    let age = now.since(at);
    // The newest closed minute is a little behind.
    (-SLACK_MS / 60_000..=OLDEST_MIN).contains(&age).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_305_600_000;
    const DAY: i64 = 86_400_000;

    fn installed(wall: i64, said_at: i64, offset_ms: i64) -> Option<i64> {
        let now = Timestamp::from_ms(NOW).minute();
        minute(wall, said_at, now, |wall| Some(Timestamp::from_ms(wall + offset_ms))).map(|at| at.start().as_ms())
    }

    #[test]
    fn a_time_that_can_be_is_known() {
        for ago in [0, DAY, 399 * DAY] {
            assert_eq!(installed(NOW - ago, NOW, 0), Some(NOW - ago));
        }
        // A clock that began at 1970 with the boot: by the same clock five minutes ago.
        assert_eq!(installed(300_000, 600_000, NOW - 600_000), Some(NOW - 300_000));
        assert_eq!(installed(NOW - DAY, 0, 0), Some(NOW - DAY), "a status without a time");
    }

    #[test]
    fn a_time_that_cannot_be_is_no_knowledge() {
        for wall in [0, 1, 300_000, 315_532_800_000, 946_684_800_000, NOW - 401 * DAY, NOW + 600_000, NOW + 3_650 * DAY]
        {
            assert_eq!(installed(wall, NOW, 0), None, "{wall}");
            assert_eq!(installed(wall, 0, 0), None, "{wall}, without the time of the status");
        }
        assert_eq!(installed(NOW - DAY, NOW - 2 * DAY, 0), None, "after the status that tells of it");
    }
}
