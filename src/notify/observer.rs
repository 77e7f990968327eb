//! Whoever counts what happens on the channels.

use std::fmt;
use std::time::Duration;

use crate::engine::time::Timestamp;
use crate::record::outbox::Outcome;

/// Counts what happens. Called from the lanes: it must not block.
pub trait Observer: Send + Sync + fmt::Debug {
    /// An attempt ended; `took` is real time.
    fn attempted(&self, channel: &str, outcome: &Outcome, took: Duration);

    /// What waits: how many messages, and since when the oldest is due.
    fn backlog(&self, pending: u64, oldest_due: Option<Timestamp>, now: Timestamp);
}
