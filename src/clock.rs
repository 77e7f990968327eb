//! The one place that reads a clock.
//!
//! Engine time runs on the monotonic clock from an anchor taken once, so a server whose wall clock is stepped keeps
//! counting its hours right; the step is reported ([`Clock::wall_step_ms`]), never obeyed. A speed other than 1 makes
//! an hour of engine time pass in less: the demo, the simulator and whoever records them must then share the same
//! epoch and speed, because real arrivals with a sixty-fold uptime would make nonsense of event time.
#![allow(clippy::disallowed_methods)]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::engine::time::Timestamp;

/// Engine time, as a function of the monotonic clock. Cheap to copy; copies agree.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
    epoch: Timestamp,
    speed: f64,
    /// Whether the epoch was the wall clock's, so that steps of the wall clock can be told.
    follows_wall: bool,
}

impl Clock {
    /// Real time: starts at the wall clock and goes on by the monotonic one.
    pub fn system() -> Self {
        Self { origin: Instant::now(), epoch: wall_now(), speed: 1.0, follows_wall: true }
    }

    /// Starts at `epoch` and runs `speed` times as fast as real time.
    ///
    /// # Panics
    /// When `speed` is not finite and positive.
    pub fn scaled(epoch: Timestamp, speed: f64) -> Self {
        assert!(speed.is_finite() && speed > 0.0, "the speed of a clock is positive");
        Self { origin: Instant::now(), epoch, speed, follows_wall: false }
    }

    /// This clock, set forward so that it shows `instant` or later: engine time never goes back over a restart, whatever
    /// has happened to the wall clock.
    #[must_use]
    pub fn not_before(mut self, instant: Timestamp) -> Self {
        let behind_ms = instant.since_ms(self.now());
        if behind_ms > 0 {
            // One more, because the present instant was rounded down.
            self.epoch = self.epoch.plus_ms(behind_ms + 1);
        }
        self
    }

    /// The current instant of engine time.
    pub fn now(&self) -> Timestamp {
        let elapsed_ms = self.origin.elapsed().as_secs_f64() * 1_000.0;
        self.epoch.plus_ms((elapsed_ms * self.speed) as i64)
    }

    /// The current instant as other machines see it: engine time, moved by what the wall clock was stepped since. For what
    /// they compare with their own clocks, and for nothing else.
    pub fn outside(&self) -> Timestamp {
        self.now().plus_ms(self.wall_step_ms())
    }

    /// Engine seconds per real second.
    pub fn speed(&self) -> f64 {
        self.speed
    }

    /// Real time until engine time reaches `instant`; zero when it has.
    pub fn until(&self, instant: Timestamp) -> Duration {
        let ms = instant.since_ms(self.now()).max(0) as f64 / self.speed;
        Duration::from_secs_f64(ms / 1_000.0)
    }

    /// Waits until engine time reaches `instant`. Cancel-safe.
    pub async fn sleep_until(&self, instant: Timestamp) {
        loop {
            let wait = self.until(instant);
            if wait.is_zero() {
                return;
            }
            // tokio's timer has millisecond grain: an early wake-up goes round again.
            tokio::time::sleep(wait.max(Duration::from_millis(1))).await;
        }
    }

    /// How far the wall clock has been stepped since this clock was made, in ms (positive: forward). 0 for a scaled clock.
    pub fn wall_step_ms(&self) -> i64 {
        if self.follows_wall { wall_now().since_ms(self.now()) } else { 0 }
    }
}

/// The wall clock.
fn wall_now() -> Timestamp {
    let ms = match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        Err(_) => 0,
    };
    Timestamp::from_ms(ms)
}

/// A monotonic reading for measuring how long real work took.
pub fn monotonic() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scaled_clock_runs_at_its_speed_and_its_copies_agree() {
        let clock = Clock::scaled(Timestamp::from_ms(1_000_000), 3_600_000.0);
        let copy = clock;
        let before = clock.now();
        let wait = clock.until(before.plus_ms(3_600_000_000));
        assert!(wait <= Duration::from_secs(1));
        assert!(copy.now() >= before);
        assert_eq!(clock.wall_step_ms(), 0);
    }

    #[test]
    fn a_clock_that_is_set_forward_goes_on_from_there_and_never_back() {
        let clock = Clock::scaled(Timestamp::from_ms(1_000_000), 1.0);
        let ahead = clock.not_before(Timestamp::from_ms(9_000_000));
        assert!(ahead.now() >= Timestamp::from_ms(9_000_000));
        assert!(ahead.now() < Timestamp::from_ms(9_060_000));
        let same = clock.not_before(Timestamp::from_ms(5));
        assert!(same.now() < Timestamp::from_ms(1_060_000));
    }

    #[test]
    fn an_instant_that_has_passed_is_not_waited_for() {
        let clock = Clock::system();
        assert!(clock.until(clock.now().plus_ms(-5)).is_zero());
    }
}
