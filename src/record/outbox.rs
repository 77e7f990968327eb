//! What is to be said to people and programs, kept until it was: the transactional outbox.
//!
//! A row is written in the same transaction as the entry of the record that it follows from, so nothing is said that is
//! not on record, and nothing on record stays unsaid because a process died in between. Whoever delivers takes what is
//! due, tries, and writes down what came of it; every attempt stays in a log. Delivery is at least once: the key lets a receiver
//! drop a second copy.

use std::collections::BTreeSet;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::engine::time::Timestamp;
use crate::words::Both;

/// What is said, whatever the channel makes of it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Message {
    /// Closed name of what happened: `page`, `declared`, `correction`, `script`, `reopened`, ...
    pub kind: String,
    /// The incident that it belongs to, as people say it; messages of one number are one thread.
    pub incident: Option<String>,
    /// `major` or `warning`.
    pub severity: String,
    /// `fleet` or `isolated`.
    pub scope: String,
    pub subject: Both,
    /// Plain text, lines separated by `\n`.
    pub body: Both,
    /// Path of the page to act on, from the operators' root: `/incidents/INC-2026-0007`.
    pub path: String,
    /// The incident's state in one line, for the summary that is kept pinned; `None` leaves it as it is.
    pub summary: Option<Both>,
    /// When the impact began, and when it ended; programs that show alerts need both.
    pub started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
}

/// A message on its way to one receiver.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Dispatch {
    /// Order of writing.
    pub id: i64,
    /// Unique: the same for every attempt, and for a second writing of the same thing.
    pub key: String,
    /// Name of the channel in the configuration.
    pub channel: String,
    /// Who at that channel: a mail address, a chat room, `-` where the channel is the receiver.
    pub target: String,
    pub message: Message,
    pub created_at: Timestamp,
    /// Not before this instant.
    pub due_at: Timestamp,
    pub state: DispatchState,
    pub attempts: u32,
}

/// A message to be written to the outbox.
#[derive(Clone, PartialEq, Debug)]
pub struct NewDispatch {
    pub key: String,
    pub channel: String,
    pub target: String,
    pub message: Message,
    pub due_at: Timestamp,
}

/// A message that its receiver has not got for long, or that was given up.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Untold {
    pub dispatch: Dispatch,
    /// What came of the last attempt; `None` when there was none.
    pub error: Option<String>,
    /// The same message was taken at another place.
    pub told_elsewhere: bool,
}

/// [`Message::kind`] of a message about others that did not get through.
pub const UNTOLD: &str = "untold";

/// Where a dispatch stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DispatchState {
    Pending,
    Sent,
    /// Given up: refused for good, or too old. It is shown to people, never dropped in silence.
    Failed,
}

/// What came of one attempt.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Attempt {
    pub dispatch: i64,
    pub key: String,
    pub channel: String,
    pub target: String,
    pub kind: String,
    pub at: Timestamp,
    pub outcome: Outcome,
}

/// How an attempt ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// The receiver took it. `reference` is its own id of it, where it gives one (a chat's thread).
    Sent { reference: Option<String> },
    /// Not this time; it is tried again at `retry_at`.
    Retry { error: String, retry_at: Timestamp },
    /// Never: a person has to look.
    Failed { error: String },
}

impl Outcome {
    /// What was said when it was not taken.
    pub fn error(&self) -> Option<&str> {
        match self {
            Self::Sent { .. } => None,
            Self::Retry { error, .. } | Self::Failed { error } => Some(error),
        }
    }
}

/// Keeps what is to be said. Implementations are shared between tasks.
#[async_trait]
pub trait Outbox: Send + Sync + std::fmt::Debug {
    /// Adds messages, all or none; one whose key is there already is left as it is. Answers how many were new.
    ///
    /// # Errors
    /// When the outbox cannot be written; then nothing of it was.
    async fn enqueue(&self, messages: &[NewDispatch], now: Timestamp) -> Result<usize, StoreError>;

    /// Pending messages that are due at `now`, oldest first.
    ///
    /// # Errors
    /// When the outbox cannot be read.
    async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<Dispatch>, StoreError>;

    /// What may be sent at `now` over one channel, in the order of writing: of each thread (target and incident) the
    /// first message that is due. A message waits while an earlier one of its thread is pending that is due or was
    /// tried already, so that each receiver hears of an incident in order; one without an incident waits for nobody.
    ///
    /// [`first_of_threads`] says the same over everything that is pending; a database does better with one query.
    ///
    /// # Errors
    /// When the outbox cannot be read.
    async fn heads(&self, channel: &str, now: Timestamp, limit: u32) -> Result<Vec<Dispatch>, StoreError>;

    /// Writes down what came of an attempt, and moves the dispatch accordingly.
    ///
    /// # Errors
    /// When the outbox cannot be written; the attempt will be made again.
    async fn attempted(&self, dispatch: i64, at: Timestamp, outcome: &Outcome) -> Result<(), StoreError>;

    /// Every attempt for an incident, the latest first, at most `limit`; `None`: for all.
    ///
    /// # Errors
    /// When the outbox cannot be read.
    async fn attempts(&self, incident: Option<&str>, limit: u32) -> Result<Vec<Attempt>, StoreError>;

    /// The receiver's own id of the last message of this incident that was sent to it: the thread to answer in.
    ///
    /// # Errors
    /// When the outbox cannot be read.
    async fn thread(&self, channel: &str, target: &str, incident: &str) -> Result<Option<String>, StoreError>;

    /// What was written from `since` on and is given up, or was written at `before` at the latest and is due and still not
    /// taken; the oldest first.
    ///
    /// # Errors
    /// When the outbox cannot be read.
    async fn untold(&self, since: Timestamp, before: Timestamp, limit: u32) -> Result<Vec<Untold>, StoreError>;

    /// How many are pending, and since when the oldest one is due; one that was tried has been due since it was written.
    ///
    /// # Errors
    /// When the outbox cannot be read.
    async fn backlog(&self) -> Result<(u64, Option<Timestamp>), StoreError>;
}

/// [`Outbox::heads`] over everything of the channel that is pending.
pub fn first_of_threads(mut pending: Vec<Dispatch>, channel: &str, now: Timestamp, limit: u32) -> Vec<Dispatch> {
    pending.retain(|dispatch| dispatch.channel == channel);
    pending.sort_by_key(|dispatch| dispatch.id);
    let mut begun: BTreeSet<(String, String)> = BTreeSet::new();
    pending.retain(|dispatch| {
        let is_due = dispatch.due_at <= now;
        let Some(incident) = &dispatch.message.incident else { return is_due };
        if !is_due && dispatch.attempts == 0 {
            return false;
        }
        begun.insert((dispatch.target.clone(), incident.clone())) && is_due
    });
    pending.truncate(limit as usize);
    pending
}
