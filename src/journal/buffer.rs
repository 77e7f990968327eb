//! The bounded buffer between the appenders and the thread that writes.
//!
//! Appenders encode straight into it under a short lock; the thread takes all of it at once and leaves an empty one, so
//! nobody waits for the disk. What may wait is bounded in bytes and in messages, the batch that is being written
//! included.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::clock;
use crate::engine::time::Timestamp;

use super::error::AppendError;
use super::frame;
use super::settings::JournalConfig;
use crate::delivery::Entry;

/// Fraction of the commit interval after which a moment without arrivals ends a batch.
const STEPS: u32 = 10;

/// Entries that go to the disk together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) bytes: Vec<u8>,
    pub(super) messages: u64,
    pub(super) first_lsn: u64,
    pub(super) first_at: Timestamp,
    pub(super) last_at: Timestamp,
}

impl Batch {
    pub(super) fn last_lsn(&self) -> u64 {
        self.first_lsn + self.messages - 1
    }
}

/// What the thread is to do next.
#[derive(Debug)]
pub(super) enum Work {
    Commit(Batch),
    /// Nothing came for a while: time for housekeeping.
    Idle,
    Closed,
}

#[derive(Debug)]
pub(super) struct Buffer {
    inner: Mutex<Inner>,
    /// Wakes the thread.
    arrived: Condvar,
    limits: Limits,
}

#[derive(Debug)]
struct Limits {
    messages: u64,
    bytes: usize,
    commit_messages: u64,
    commit_bytes: usize,
    interval: Duration,
}

#[derive(Debug)]
struct Inner {
    pending: Batch,
    next_lsn: u64,
    /// Of the batch that is being written.
    writing_messages: u64,
    writing_bytes: usize,
    /// An empty vector with capacity, from the last batch.
    spare: Vec<u8>,
    failing: Option<&'static str>,
    /// As `failing`, but what was accepted is being written.
    held: Option<&'static str>,
    /// Something has changed that the thread should look at.
    nudged: bool,
    closed: bool,
    /// The thread sleeps until so many messages wait; the one appender that reaches the mark wakes it.
    wake_at: u64,
}

impl Buffer {
    pub(super) fn new(config: &JournalConfig, next_lsn: u64) -> Self {
        let inner = Inner {
            pending: Batch { first_lsn: next_lsn, ..Batch::default() },
            next_lsn,
            writing_messages: 0,
            writing_bytes: 0,
            spare: Vec::new(),
            failing: None,
            held: None,
            nudged: false,
            closed: false,
            wake_at: 1,
        };
        let limits = Limits {
            messages: config.max_pending_messages,
            bytes: config.max_pending_bytes,
            commit_messages: config.commit_messages,
            commit_bytes: config.max_pending_bytes / 4,
            interval: config.commit_interval,
        };
        Self { inner: Mutex::new(inner), arrived: Condvar::new(), limits }
    }

    /// Nothing panics while the lock is held, so a poisoned lock still holds whole frames.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn append(&self, entry: &Entry<'_>) -> Result<u64, AppendError> {
        let len = frame::frame_len(entry)
            .ok_or(AppendError::TooLarge { bytes: entry.topic.len().saturating_add(entry.payload.len()) })?;
        let mut guard = self.lock();
        let inner = &mut *guard;
        if inner.closed {
            return Err(AppendError::Closed);
        }
        if let Some(reason) = inner.failing.or(inner.held) {
            return Err(AppendError::Failing { reason });
        }
        let pending = &mut inner.pending;
        if pending.messages + inner.writing_messages >= self.limits.messages
            || pending.bytes.len() + inner.writing_bytes + len > self.limits.bytes
        {
            return Err(AppendError::Full);
        }
        let lsn = inner.next_lsn;
        inner.next_lsn += 1;
        if pending.messages == 0 {
            pending.first_lsn = lsn;
            pending.first_at = entry.at;
        }
        frame::encode(&mut pending.bytes, lsn, entry, len);
        pending.messages += 1;
        pending.last_at = entry.at;
        if pending.messages == inner.wake_at
            || (pending.bytes.len() >= self.limits.commit_bytes && pending.bytes.len() - len < self.limits.commit_bytes)
        {
            drop(guard);
            self.arrived.notify_one();
        }
        Ok(lsn)
    }

    /// Messages and bytes that are accepted and not durable.
    pub(super) fn pending(&self) -> (u64, usize) {
        let inner = self.lock();
        (inner.pending.messages + inner.writing_messages, inner.pending.bytes.len() + inner.writing_bytes)
    }

    /// Waits until a commit is worth its while. `last_commit` is when the last one began.
    ///
    /// The rule: after a pause of at least the interval the first message is committed at once, so that an idle
    /// journal costs one sync of latency. Otherwise the batch ends when the interval since the last commit is over,
    /// when enough messages wait, or when a tenth of the interval passes without an arrival: then everybody who could
    /// send waits for this commit, and waiting for more would only slow a sender with a small window.
    ///
    /// While nothing comes it returns for housekeeping: after `idle`, or at once when [`nudge`](Self::nudge) was called.
    pub(super) fn next(&self, last_commit: Option<Instant>, idle: Duration) -> Work {
        let limits = &self.limits;
        let mut inner = self.lock();
        loop {
            let waiting = inner.pending.messages;
            if waiting == 0 {
                if inner.closed {
                    return Work::Closed;
                }
                if std::mem::take(&mut inner.nudged) {
                    return Work::Idle;
                }
                inner.wake_at = 1;
                let (again, timeout) = self.arrived.wait_timeout(inner, idle).unwrap_or_else(PoisonError::into_inner);
                inner = again;
                if timeout.timed_out() && inner.pending.messages == 0 {
                    return Work::Idle;
                }
                continue;
            }
            let since = last_commit.map_or(limits.interval, |begun| clock::monotonic() - begun);
            let due = inner.closed
                || waiting >= limits.commit_messages
                || inner.pending.bytes.len() >= limits.commit_bytes
                || since >= limits.interval;
            if due {
                return Work::Commit(inner.take());
            }
            inner.wake_at = limits.commit_messages;
            let step = (limits.interval / STEPS).min(limits.interval - since);
            inner = self.arrived.wait_timeout(inner, step).unwrap_or_else(PoisonError::into_inner).0;
            if inner.pending.messages == waiting {
                return Work::Commit(inner.take());
            }
        }
    }

    /// The batch is durable: makes room, and lets the appenders in again. Whatever `batch` held is gone.
    pub(super) fn written(&self, mut batch: Batch) {
        batch.bytes.clear();
        // A rare giant batch does not keep its memory.
        batch.bytes.shrink_to(self.limits.commit_bytes * 2);
        let mut inner = self.lock();
        inner.writing_messages = 0;
        inner.writing_bytes = 0;
        inner.failing = None;
        inner.spare = batch.bytes;
    }

    /// Turns appenders away, with this reason, until the next [`written`](Self::written).
    pub(super) fn refuse(&self, reason: &'static str) {
        self.lock().failing = Some(reason);
    }

    /// Turns appenders away with this reason, while what was accepted is still written; `None` lets them in again.
    pub(super) fn hold(&self, reason: Option<&'static str>) {
        self.lock().held = reason;
    }

    /// Lets the thread look round, wherever it waits.
    pub(super) fn nudge(&self) {
        self.lock().nudged = true;
        self.arrived.notify_all();
    }

    /// No more entries. What was accepted is still written.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_all();
    }

    /// Sleeps for `pause`, or until the journal is closed or nudged. Whether it was closed.
    pub(super) fn closed_within(&self, pause: Duration) -> bool {
        let guard = self.lock();
        let (mut guard, _) = self
            .arrived
            .wait_timeout_while(guard, pause, |inner| !inner.closed && !inner.nudged)
            .unwrap_or_else(PoisonError::into_inner);
        guard.nudged = false;
        guard.closed
    }
}

impl Inner {
    fn take(&mut self) -> Batch {
        let empty = Batch { bytes: std::mem::take(&mut self.spare), first_lsn: self.next_lsn, ..Batch::default() };
        let batch = std::mem::replace(&mut self.pending, empty);
        self.writing_messages = batch.messages;
        self.writing_bytes = batch.bytes.len();
        batch
    }
}
