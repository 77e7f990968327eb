//! Whoever counts what happens on the channels.

use std::fmt;
use std::time::Duration;

use crate::engine::time::Timestamp;
use crate::record::outbox::Outcome;

/// What waits in the outbox.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Backlog {
    pub pending: u64,
    /// Since when the oldest is due.
    pub oldest_due: Option<Timestamp>,
    /// Messages that have not got through for long, or were given up.
    pub untold: usize,
}

/// Counts what happens. Called from the lanes: it must not block.
pub trait Observer: Send + Sync + fmt::Debug {
    /// An attempt ended; `took` is real time.
    fn attempted(&self, channel: &str, outcome: &Outcome, took: Duration);

    /// What waits.
    fn backlog(&self, backlog: Backlog, now: Timestamp);
}
