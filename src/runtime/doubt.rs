//! Whether the server's wall clock can be believed at a start.
//!
//! One reading is no proof. A start with a clock ten years ahead would close every minute in between, end every incident by
//! silence, let every token expire, and leave an engine time that no mended clock ever reaches again. So the reading is
//! held against where the last run ended, and against the time from which this program exists.
//!
//! While it is not believed, engine time goes on from the last run and no message is taken: the broker keeps them, and the
//! hour's clock sees what it sees of any time in which nothing ran. That ends by itself
//!
//! - when the wall clock has been mended: engine time catches up with it;
//! - when a device's own clock says the same as the wall clock, within a day: then the server was off for long;
//! - when a person says so (`serve --clock-is-right`);
//! - when the wall clock stays *behind* for [`BEHIND_TIMEOUT`]: to go on from the last run harms nothing then.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::clock::{self, Clock};
use crate::engine::time::Timestamp;

/// No right clock shows an earlier time: 2026-01-01, 00:00 UTC, before this program was written.
const PROGRAM: Timestamp = Timestamp::from_ms(1_767_225_600_000);

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Longest time between two runs that is believed without a witness, in ms.
const PAUSE_MOST_MS: i64 = 30 * DAY_MS;

/// How long after [`PROGRAM`] a first start is believed without a witness, in ms.
const AGE_MOST_MS: i64 = 5 * 366 * DAY_MS;

/// By so much a wall clock may be behind the last run without being worth a word, in ms.
const BEHIND_LEAST_MS: i64 = HOUR_MS;

/// How far a device's clock may be from the wall clock to bear it out, in ms.
const AGREES_MS: i64 = DAY_MS;

/// Longest wait for a wall clock that is behind, as one is before the network has told it the time.
const BEHIND_TIMEOUT: Duration = Duration::from_secs(120);

/// What a reading of the wall clock is worth.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reading {
    /// It may be.
    Believed,
    /// So many ms after the last run, or after this program was made.
    Ahead(i64),
    /// So many ms before it.
    Behind(i64),
}

/// Holds a reading against the end of the last run; `None`: there was none.
pub fn judge(wall: Timestamp, last: Option<Timestamp>) -> Reading {
    // A run of before the program was made had no right clock itself.
    let last = last.filter(|last| *last >= PROGRAM);
    let (since, most) = last.map_or((PROGRAM, AGE_MOST_MS), |last| (last, PAUSE_MOST_MS));
    let ahead = wall.since_ms(since);
    if ahead > most {
        Reading::Ahead(ahead)
    } else if ahead < -BEHIND_LEAST_MS {
        Reading::Behind(-ahead)
    } else {
        Reading::Believed
    }
}

/// A doubt about the wall clock; none by default.
#[derive(Debug, Default)]
pub struct Doubt {
    is_held: AtomicBool,
    held: Mutex<Option<Held>>,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    /// Whether there was a run before.
    again: bool,
    began: Instant,
    /// A device's clock has borne the wall clock out.
    agreed: bool,
}

/// How a doubt stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DoubtState {
    /// There is none.
    None,
    /// No message is taken, for this reason.
    Held(String),
    /// It has just ended, in this way.
    Ended(&'static str),
}

impl Doubt {
    /// Looks at the wall clock of `clock` at a start after a run that ended at `last`. Returns the clock to go on by.
    pub fn at_start(clock: Clock, last: Option<Timestamp>) -> (Clock, Self) {
        let reading = clock.wall_in_doubt().map_or(Reading::Believed, |wall| judge(wall, last));
        let end = last.unwrap_or_default();
        if reading == Reading::Believed {
            return (clock.not_before(end), Self::default());
        }
        let again = last.is_some_and(|last| last >= PROGRAM);
        let held = Held { again, began: clock::monotonic(), agreed: false };
        let doubt = Self { is_held: AtomicBool::new(true), held: Mutex::new(Some(held)) };
        (clock.held_at(end.max(PROGRAM)), doubt)
    }

    /// Whether messages have to wait. Cheap.
    pub fn is_held(&self) -> bool {
        self.is_held.load(Ordering::Acquire)
    }

    /// A device has said what its clock shows, in ms since the epoch.
    pub fn note_device_clock(&self, clock: &Clock, device_ms: i64) {
        let agrees = |wall: Timestamp| wall.since_ms(Timestamp::from_ms(device_ms)).abs() <= AGREES_MS;
        if clock.wall_in_doubt().is_some_and(agrees)
            && let Some(held) = &mut *self.lock()
        {
            held.agreed = true;
        }
    }

    /// Looks at the wall clock again, and ends the doubt when there is no more reason for it.
    pub fn poll(&self, clock: &Clock) -> DoubtState {
        let mut held = self.lock();
        let (Some(Held { again, began, agreed }), Some(wall)) = (*held, clock.wall_in_doubt()) else {
            return DoubtState::None;
        };
        let reading = judge(wall, again.then(|| clock.now()));
        let ended = match reading {
            Reading::Believed => "the wall clock has been mended: engine time catches up with it",
            Reading::Ahead(_) if agreed => "a device's clock bears the wall clock out: engine time catches up with it",
            Reading::Behind(_) if began.elapsed() >= BEHIND_TIMEOUT => {
                "the wall clock stays behind: engine time goes on from the last run; a restart after it was set right mends it"
            }
            _ => return DoubtState::Held(reason(reading, wall, clock.now(), again)),
        };
        if !matches!(reading, Reading::Behind(_)) {
            clock.catch_up();
        }
        *held = None;
        self.is_held.store(false, Ordering::Release);
        DoubtState::Ended(ended)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn reason(reading: Reading, wall: Timestamp, now: Timestamp, again: bool) -> String {
    let (ms, side) = match reading {
        Reading::Ahead(ms) => (ms, "after"),
        Reading::Behind(ms) => (ms, "before"),
        Reading::Believed => (0, "at"),
    };
    let than = if again { format!("the last run ({})", utc(now)) } else { "this program was made".to_owned() };
    format!(
        "the server's clock shows {}, {} {side} {than}: no message is taken until it is set right; if it is right, start \
         once with --clock-is-right",
        utc(wall),
        length(ms)
    )
}

fn length(ms: i64) -> String {
    match ms / DAY_MS {
        0 => format!("{} hours", ms / HOUR_MS),
        days @ 1..731 => format!("{days} days"),
        days => format!("{:.1} years", days as f64 / 365.25),
    }
}

fn utc(at: Timestamp) -> String {
    jiff::Timestamp::from_second(at.as_ms().div_euclid(1_000))
        .map_or_else(|_| "a time out of range".into(), |at| at.to_string())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicI64;

    use super::*;

    /// 2026-11-30, 08:00 UTC.
    const NOW: i64 = 1_796_025_600_000;
    const YEAR_MS: i64 = 365 * DAY_MS;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    #[test]
    fn a_reading_is_held_against_the_last_run_and_the_age_of_the_program() {
        let last = Some(at(NOW));
        for (wall, expected) in [
            (NOW + 5_000, Reading::Believed),
            (NOW + 29 * DAY_MS, Reading::Believed),
            (NOW - 60_000, Reading::Believed),
            (NOW + 10 * YEAR_MS, Reading::Ahead(10 * YEAR_MS)),
            (NOW - 2 * HOUR_MS, Reading::Behind(2 * HOUR_MS)),
            (0, Reading::Behind(NOW)),
        ] {
            assert_eq!(judge(at(wall), last), expected, "{wall}");
        }
        // A first start, and one after a run whose clock was not set.
        for last in [None, Some(at(3_600_000))] {
            assert_eq!(judge(at(NOW), last), Reading::Believed);
            assert!(matches!(judge(at(NOW + 10 * YEAR_MS), last), Reading::Ahead(_)));
            assert!(matches!(judge(at(0), last), Reading::Behind(_)));
        }
        assert!(matches!(judge(at(i64::MAX), Some(at(NOW))), Reading::Ahead(_)));
    }

    #[test]
    fn a_clock_ten_years_ahead_is_not_followed_and_once_mended_caught_up_with() {
        static WALL: AtomicI64 = AtomicI64::new(NOW + 10 * YEAR_MS);
        let read = || at(WALL.load(Ordering::Relaxed));
        let (clock, doubt) = Doubt::at_start(Clock::following(read), Some(at(NOW)));
        let copy = clock;
        assert!(doubt.is_held() && clock.now().since_ms(at(NOW)) < HOUR_MS);
        let DoubtState::Held(reason) = doubt.poll(&clock) else { panic!("it is held") };
        assert!(reason.contains("2036-11-27T") && reason.contains("10.0 years after the last run"), "{reason}");
        assert!(clock.outside().since_ms(at(NOW)) < HOUR_MS, "others are not told the wrong time");
        // What devices say of another time proves nothing.
        doubt.note_device_clock(&clock, NOW);
        assert!(matches!(doubt.poll(&clock), DoubtState::Held(_)));
        WALL.store(NOW + 2 * DAY_MS, Ordering::Relaxed);
        assert!(matches!(doubt.poll(&clock), DoubtState::Ended(_)));
        assert!(!doubt.is_held() && doubt.poll(&clock) == DoubtState::None);
        let caught_up = copy.now().since_ms(at(NOW + 2 * DAY_MS));
        assert!((0..HOUR_MS).contains(&caught_up), "copies agree: {caught_up}");
    }

    #[test]
    fn a_server_that_was_off_for_long_is_borne_out_by_a_device_or_a_person() {
        let read = || at(NOW + 90 * DAY_MS);
        let (clock, doubt) = Doubt::at_start(Clock::following(read), Some(at(NOW)));
        assert!(doubt.is_held());
        doubt.note_device_clock(&clock, NOW + 90 * DAY_MS - HOUR_MS);
        assert!(matches!(doubt.poll(&clock), DoubtState::Ended(_)));
        assert!(clock.now() >= at(NOW + 90 * DAY_MS));
        let (clock, doubt) = Doubt::at_start(Clock::following(read).vouched_for(), Some(at(NOW)));
        assert!(!doubt.is_held() && clock.now() >= at(NOW + 90 * DAY_MS));
    }

    #[test]
    fn a_clock_that_is_not_set_yet_is_waited_for() {
        static WALL: AtomicI64 = AtomicI64::new(40_000);
        let read = || at(WALL.load(Ordering::Relaxed));
        for last in [None, Some(at(NOW))] {
            WALL.store(40_000, Ordering::Relaxed);
            let (clock, doubt) = Doubt::at_start(Clock::following(read), last);
            assert!(matches!(doubt.poll(&clock), DoubtState::Held(_)));
            assert!(clock.now() >= last.unwrap_or(PROGRAM), "never back");
            WALL.store(NOW + 60_000, Ordering::Relaxed);
            assert!(matches!(doubt.poll(&clock), DoubtState::Ended(_)));
            assert!(clock.now() >= at(NOW + 60_000));
        }
    }

    #[test]
    fn time_that_a_test_or_the_demo_makes_is_never_doubted() {
        let (clock, doubt) = Doubt::at_start(Clock::scaled(at(5), 60.0), Some(at(NOW)));
        assert!(!doubt.is_held() && doubt.poll(&clock) == DoubtState::None);
        assert!(clock.now() >= at(NOW));
    }
}
