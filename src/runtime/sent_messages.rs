//! What was told, kept in mind beside the record: should the record be lost, nobody is told again.
//!
//! [`RememberingOutbox`] is the outbox as the lanes use it. It also tells the outbox of a record that was made anew from the one before: both
//! count their messages from 1, and what became of a message of the old one must not be written down for one of the new one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use crate::engine::time::Timestamp;
use crate::record::StoreError;
use crate::record::outbox::{Attempt, Dispatch, NewDispatch, Outbox, Outcome, Untold};

use super::mutex::lock;

/// Messages that one record may count before its numbers would run into those of the next.
const ROOM: i64 = 1 << 40;

/// Keys of messages that need not be sent again: they were taken, or refused for good. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct SentMessages(Arc<Mutex<BTreeSet<String>>>);

impl SentMessages {
    /// These attempts were made.
    pub fn note(&self, attempts: &[Attempt]) {
        let over = attempts.iter().filter(|attempt| is_over(&attempt.outcome));
        lock(&self.0).extend(over.map(|attempt| attempt.key.clone()));
    }

    /// Leaves what was not told yet.
    pub fn retain_unsent(&self, messages: &mut Vec<NewDispatch>) {
        let sent = lock(&self.0);
        messages.retain(|message| !sent.contains(&message.key));
    }
}

fn is_over(outcome: &Outcome) -> bool {
    !matches!(outcome, Outcome::Retry { .. })
}

/// The outbox, and what came of its messages kept in mind.
#[derive(Debug)]
pub struct RememberingOutbox {
    outbox: Arc<dyn Outbox>,
    sent: SentMessages,
    /// Keys of messages that were handed out and are not over.
    keys: Mutex<BTreeMap<i64, String>>,
    /// How many records there were before this one.
    record: AtomicI64,
}

impl RememberingOutbox {
    pub fn new(outbox: Arc<dyn Outbox>, sent: SentMessages) -> Self {
        Self { outbox, sent, keys: Mutex::default(), record: AtomicI64::new(0) }
    }

    /// The record is another one from here on.
    pub fn begin_anew(&self) {
        self.record.fetch_add(1, Ordering::SeqCst);
    }

    fn base(&self) -> i64 {
        self.record.load(Ordering::SeqCst).saturating_mul(ROOM)
    }

    /// The messages under numbers that no message of an earlier record had.
    fn handed_out(&self, mut dispatches: Vec<Dispatch>, base: i64) -> Vec<Dispatch> {
        let mut keys = lock(&self.keys);
        for dispatch in &mut dispatches {
            dispatch.id += base;
            keys.insert(dispatch.id, dispatch.key.clone());
        }
        dispatches
    }
}

#[async_trait]
impl Outbox for RememberingOutbox {
    async fn enqueue(&self, messages: &[NewDispatch], now: Timestamp) -> Result<usize, StoreError> {
        self.outbox.enqueue(messages, now).await
    }

    async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<Dispatch>, StoreError> {
        let base = self.base();
        Ok(self.handed_out(self.outbox.due(now, limit).await?, base))
    }

    async fn heads(&self, channel: &str, now: Timestamp, limit: u32) -> Result<Vec<Dispatch>, StoreError> {
        let base = self.base();
        Ok(self.handed_out(self.outbox.heads(channel, now, limit).await?, base))
    }

    async fn attempted(&self, dispatch: i64, at: Timestamp, outcome: &Outcome) -> Result<(), StoreError> {
        let key = lock(&self.keys).get(&dispatch).cloned();
        if let Some(key) = key.filter(|_| is_over(outcome)) {
            // Before it is written: should the record be lost at this moment, it was said all the same.
            lock(&self.sent.0).insert(key);
        }
        let base = self.base();
        // A message of a record that is no more has no row to write to.
        if dispatch >= base {
            self.outbox.attempted(dispatch - base, at, outcome).await?;
        }
        if is_over(outcome) {
            lock(&self.keys).remove(&dispatch);
        }
        Ok(())
    }

    async fn attempts(&self, incident: Option<&str>, limit: u32) -> Result<Vec<Attempt>, StoreError> {
        let base = self.base();
        let mut attempts = self.outbox.attempts(incident, limit).await?;
        attempts.iter_mut().for_each(|attempt| attempt.dispatch += base);
        Ok(attempts)
    }

    async fn untold(&self, since: Timestamp, before: Timestamp, limit: u32) -> Result<Vec<Untold>, StoreError> {
        let base = self.base();
        let mut untold = self.outbox.untold(since, before, limit).await?;
        untold.iter_mut().for_each(|untold| untold.dispatch.id += base);
        Ok(untold)
    }

    async fn thread(&self, channel: &str, target: &str, incident: &str) -> Result<Option<String>, StoreError> {
        self.outbox.thread(channel, target, incident).await
    }

    async fn backlog(&self) -> Result<(u64, Option<Timestamp>), StoreError> {
        self.outbox.backlog().await
    }
}
