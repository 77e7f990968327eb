//! The one place that reads a clock.
//!
//! Engine time runs on the monotonic clock from an anchor taken once, so a server whose wall clock is stepped keeps
//! counting its hours right; the step is reported ([`Clock::wall_step_ms`]), never obeyed. A speed other than 1 makes
//! an hour of engine time pass in less: the demo, the simulator and whoever records them must then share the same
//! epoch and speed, because real arrivals with a sixty-fold uptime would make nonsense of event time.
//!
//! A story that is to be the same on every machine has a [`stepped`] clock, which only whoever tells it moves.
#![allow(clippy::disallowed_methods)]

pub mod parse;
mod stepped;

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub use stepped::Hand;

use crate::engine::time::Timestamp;

/// Engine time, as a function of the monotonic clock. Cheap to copy; copies agree.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
    epoch: Timestamp,
    speed: f64,
    /// The wall clock that the epoch was read from, so that its steps can be told.
    wall: Option<Wall>,
    /// Whose hand moves it, instead of the monotonic clock.
    hand: Option<Hand>,
}

impl Clock {
    /// Real time: starts at the wall clock and goes on by the monotonic one.
    pub fn system() -> Self {
        Self::following(wall_now)
    }

    /// As [`system`](Self::system), with another wall clock: for tests of clocks that are wrong.
    pub fn following(read: fn() -> Timestamp) -> Self {
        // Never freed, so that a clock stays something to copy: a process has one or two of them.
        let wall = Wall { read, is_right: false, forward_ms: Box::leak(Box::default()) };
        Self { origin: Instant::now(), epoch: read(), speed: 1.0, wall: Some(wall), hand: None }
    }

    /// A person has said that the wall clock is right, however far it is from anything else.
    #[must_use]
    pub fn vouched_for(mut self) -> Self {
        self.wall = self.wall.map(|wall| Wall { is_right: true, ..wall });
        self
    }

    /// What the wall clock shows, unless a person has vouched for it or there is none: then there is nothing to doubt.
    pub fn wall_in_doubt(&self) -> Option<Timestamp> {
        self.wall.filter(|wall| !wall.is_right).map(|wall| (wall.read)())
    }

    /// This clock, set back to `instant`: the wall clock that it was started from is not believed.
    #[must_use]
    pub fn held_at(mut self, instant: Timestamp) -> Self {
        self.epoch = self.epoch.plus_ms(instant.since_ms(self.now()));
        self
    }

    /// Sets this clock and all its copies forward to what the wall clock shows. Time that has passed in between has passed for
    /// the engine as if nothing had run.
    pub fn catch_up(&self) {
        if let Some(wall) = self.wall {
            wall.forward_ms.fetch_add((wall.read)().since_ms(self.now()).max(0), Ordering::AcqRel);
        }
    }

    /// Starts at `epoch` and runs `speed` times as fast as real time.
    ///
    /// # Panics
    /// When `speed` is not finite and positive.
    pub fn scaled(epoch: Timestamp, speed: f64) -> Self {
        assert!(speed.is_finite() && speed > 0.0, "the speed of a clock is positive");
        Self { origin: Instant::now(), epoch, speed, wall: None, hand: None }
    }

    /// Starts at `epoch` and stands still until the hand is moved; `speed` is what the hand intends.
    ///
    /// # Panics
    /// When `speed` is not finite and positive.
    pub fn stepped(epoch: Timestamp, speed: f64) -> (Self, Hand) {
        let hand = Hand::new(epoch, speed);
        (Self { hand: Some(hand), ..Self::scaled(epoch, speed) }, hand)
    }

    /// Whether engine time passes only when somebody moves it: what follows from it is then done when that one asks.
    pub fn is_stepped(&self) -> bool {
        self.hand.is_some()
    }

    /// This clock, set forward so that it shows `instant` or later: engine time never goes back over a restart, whatever
    /// has happened to the wall clock.
    #[must_use]
    pub fn not_before(mut self, instant: Timestamp) -> Self {
        if let Some(hand) = self.hand {
            hand.move_to(instant);
            return self;
        }
        let behind_ms = instant.since_ms(self.now());
        if behind_ms > 0 {
            // One more, because the present instant was rounded down.
            self.epoch = self.epoch.plus_ms(behind_ms + 1);
        }
        self
    }

    /// The current instant of engine time.
    pub fn now(&self) -> Timestamp {
        if let Some(hand) = self.hand {
            return hand.now();
        }
        let elapsed_ms = self.origin.elapsed().as_secs_f64() * 1_000.0;
        let forward_ms = self.wall.map_or(0, |wall| wall.forward_ms.load(Ordering::Acquire));
        self.epoch.plus_ms((elapsed_ms * self.speed) as i64).plus_ms(forward_ms)
    }

    /// The current instant as other machines see it: engine time, moved by what the wall clock was stepped since. For what
    /// they compare with their own clocks, and for nothing else. A step of a day or more is a wrong clock, and not passed on.
    pub fn outside(&self) -> Timestamp {
        let step_ms = self.wall_step_ms();
        if step_ms.abs() < DAY_MS { self.now().plus_ms(step_ms) } else { self.now() }
    }

    /// Engine seconds per real second.
    pub fn speed(&self) -> f64 {
        self.hand.map_or(self.speed, |hand| hand.speed())
    }

    /// Real time until engine time reaches `instant`; zero when it has.
    pub fn until(&self, instant: Timestamp) -> Duration {
        let ms = instant.since_ms(self.now()).max(0) as f64 / self.speed();
        Duration::from_secs_f64(ms / 1_000.0)
    }

    /// Waits until engine time reaches `instant`. Cancel-safe.
    pub async fn sleep_until(&self, instant: Timestamp) {
        if let Some(hand) = self.hand {
            return hand.reached(instant).await;
        }
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
        self.wall.map_or(0, |wall| (wall.read)().since_ms(self.now()))
    }
}

/// A wall clock, and what this process has made of it.
#[derive(Clone, Copy, Debug)]
struct Wall {
    read: fn() -> Timestamp,
    is_right: bool,
    /// By how much engine time was set forward since the start.
    forward_ms: &'static AtomicI64,
}

const DAY_MS: i64 = 24 * 3_600_000;

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

    #[tokio::test]
    async fn a_stepped_clock_stands_until_its_hand_is_moved_and_never_goes_back() {
        let (clock, hand) = Clock::stepped(Timestamp::from_ms(1_000_000), 60.0);
        let copy = clock;
        let waiting = tokio::spawn(async move { copy.sleep_until(Timestamp::from_ms(1_030_000)).await });
        assert_eq!(clock.until(Timestamp::from_ms(1_060_000)), Duration::from_secs(1));
        hand.move_to(Timestamp::from_ms(1_020_000));
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished() && clock.now() == Timestamp::from_ms(1_020_000));
        hand.move_to(Timestamp::from_ms(1_030_000));
        hand.move_to(Timestamp::from_ms(5));
        waiting.await.unwrap();
        assert_eq!(clock.not_before(Timestamp::from_ms(7)).now(), Timestamp::from_ms(1_030_000));
        assert_eq!(clock.not_before(Timestamp::from_ms(1_040_000)).now(), Timestamp::from_ms(1_040_000));
    }

    #[test]
    fn an_instant_that_has_passed_is_not_waited_for() {
        let clock = Clock::system();
        assert!(clock.until(clock.now().plus_ms(-5)).is_zero());
    }
}
