//! A clock that is moved by hand: it shows what it was last set to, however long that took.
//!
//! With it, a story waits for its work. Who moves it waits until everything that belongs to an instant has been done before
//! showing the next one, so that a busy machine makes the story slower and never different.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use tokio::sync::watch;

use crate::engine::time::Timestamp;

/// Moves a clock. Cheap to copy; copies move the same clock.
#[derive(Clone, Copy, Debug)]
pub struct Hand(&'static Face);

#[derive(Debug)]
struct Face {
    /// What it shows, in ms since the epoch.
    now: AtomicI64,
    /// Bits of the engine seconds that are meant to pass in a real one.
    speed: AtomicU64,
    moved: watch::Sender<Timestamp>,
}

impl Hand {
    pub(super) fn new(epoch: Timestamp, speed: f64) -> Self {
        let (moved, _) = watch::channel(epoch);
        let face = Face { now: AtomicI64::new(epoch.as_ms()), speed: AtomicU64::new(speed.to_bits()), moved };
        // Never freed, so that a clock stays something to copy: a process has one or two of them.
        Self(Box::leak(Box::new(face)))
    }

    /// Sets the clock to `instant`, unless it is past that.
    pub fn move_to(&self, instant: Timestamp) {
        if self.0.now.fetch_max(instant.as_ms(), Ordering::AcqRel) < instant.as_ms() {
            self.0.moved.send_replace(instant);
        }
    }

    /// How fast it is meant to be moved from now on, in engine seconds per real second.
    ///
    /// # Panics
    /// When `speed` is not finite and positive.
    pub fn set_speed(&self, speed: f64) {
        assert!(speed.is_finite() && speed > 0.0, "the speed of a clock is positive");
        self.0.speed.store(speed.to_bits(), Ordering::Relaxed);
    }

    pub(super) fn speed(&self) -> f64 {
        f64::from_bits(self.0.speed.load(Ordering::Relaxed))
    }

    pub(super) fn now(&self) -> Timestamp {
        Timestamp::from_ms(self.0.now.load(Ordering::Acquire))
    }

    /// Waits until the clock shows `instant` or later. Cancel-safe.
    pub(super) async fn reached(&self, instant: Timestamp) {
        // The sender is never dropped.
        let _ = self.0.moved.subscribe().wait_for(|now| *now >= instant).await;
    }
}
