//! What becomes of messages to people and programs.

use prometheus::{Gauge, Histogram, IntCounterVec, IntGauge};

use super::maker::Maker;
use super::names;
use crate::engine::time::Timestamp;
use crate::record::outbox::Outcome;

/// How an attempt can end, as label values.
const OUTCOMES: [&str; 3] = ["sent", "retry", "failed"];

/// Counters of the deliverer. Channels are those of the configuration, so their number is bounded.
#[derive(Debug)]
pub struct Notifications {
    attempts: IntCounterVec,
    /// Observe seconds of real time.
    duration: Histogram,
    pending: IntGauge,
    oldest_age: Gauge,
    untold: IntGauge,
}

impl Notifications {
    pub(super) fn new(make: &Maker) -> Self {
        Self {
            attempts: make.counters(names::NOTIFICATIONS, &["channel", "outcome"]),
            duration: make.durations(names::NOTIFICATION_DURATION, 0.005, 14),
            pending: make.int_gauge(names::NOTIFICATIONS_PENDING),
            oldest_age: make.gauge(names::NOTIFICATIONS_OLDEST),
            untold: make.int_gauge(names::NOTIFICATIONS_UNTOLD),
        }
    }

    /// Makes the series of a channel, so that its first failure is a rise and not a beginning.
    pub fn open(&self, channel: &str) {
        for outcome in OUTCOMES {
            self.attempts.with_label_values(&[channel, outcome]);
        }
    }

    /// Counts an attempt that took so many seconds.
    pub fn attempted(&self, channel: &str, outcome: &Outcome, seconds: f64) {
        let outcome = match outcome {
            Outcome::Sent { .. } => OUTCOMES[0],
            Outcome::Retry { .. } => OUTCOMES[1],
            Outcome::Failed { .. } => OUTCOMES[2],
        };
        self.attempts.with_label_values(&[channel, outcome]).inc();
        self.duration.observe(seconds);
    }

    /// Sets what waits, and since when the oldest is due.
    pub fn backlog(&self, pending: u64, oldest_due: Option<Timestamp>, now: Timestamp) {
        self.pending.set(i64::try_from(pending).unwrap_or(i64::MAX));
        let age_ms = oldest_due.map_or(0, |due| now.since_ms(due).max(0));
        self.oldest_age.set(age_ms as f64 / 1_000.0);
    }

    /// Sets how many have not got through for long, or were given up.
    pub fn untold(&self, messages: usize) {
        self.untold.set(i64::try_from(messages).unwrap_or(i64::MAX));
    }
}
