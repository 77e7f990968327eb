//! Writes changes to the store from a task of its own, so that a slow or failing database never stops detection.
//!
//! [`Writer::submit`] never waits. Changes go into a bounded buffer; the task writes them in their order, and when the
//! database refuses it tries again, with back-off, for as long as it takes. Nothing is given up.
//!
//! When the buffer is full, a change is **not kept in memory**: [`Submitted::Overflow`] is returned, counted, and
//! shown by readiness. It is still not lost, because the journal holds the reports that it was decided from. For that,
//! whoever saves checkpoints must not save one while [`Writer::settled`] is false: a checkpoint newer than an unwritten
//! change would cut the change off from the journal. With the older checkpoint, the next start replays the journal from
//! there, comes to the same change again, and the idempotent append writes it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::engine::effect::Change;
use crate::engine::gate::Decision;
use crate::record::{Appended, Entry, EventStore, StoreError};

/// Most changes written in one transaction.
const BATCH: usize = 256;

/// Bounds of the writer.
#[derive(Clone, Copy, Debug)]
pub struct WriterConfig {
    /// Most changes waiting to be written.
    pub capacity: usize,
    /// Pause after the first failure; it doubles with each further one.
    pub first_pause: Duration,
    /// Longest pause between two attempts.
    pub longest_pause: Duration,
}

impl Default for WriterConfig {
    fn default() -> Self {
        Self { capacity: 10_000, first_pause: Duration::from_millis(100), longest_pause: Duration::from_secs(10) }
    }
}

/// What became of a submitted change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Submitted {
    /// It waits to be written.
    Queued,
    /// The buffer is full; only the journal has it.
    Overflow,
}

/// The last failure, while it lasts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// One of [`StoreError::REASONS`].
    pub reason: &'static str,
    /// [`StoreError::in_brief`].
    pub brief: &'static str,
    pub message: String,
    /// Failed attempts at the same batch.
    pub attempts: u32,
}

/// Where the writer stands; for readiness and metrics.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct WriterState {
    /// Changes taken over since the start.
    pub submitted: u64,
    /// Changes that are in the record, new or known already.
    pub settled: u64,
    /// Of those, the ones that were there already.
    pub known: u64,
    /// Failed attempts since the start.
    pub failures: u64,
    /// Changes that found the buffer full since the start.
    pub overflowed: u64,
    /// What keeps the current batch from being written.
    pub failing: Option<Failure>,
}

impl WriterState {
    /// Changes that wait in memory.
    pub fn pending(&self) -> u64 {
        self.submitted.saturating_sub(self.settled)
    }

    /// Why the record is not complete and current, in words that anybody may read; `None` when all is well.
    pub fn trouble(&self) -> Option<String> {
        if let Some(failure) = &self.failing {
            let Failure { brief, attempts, .. } = failure;
            return Some(format!("{} changes wait, attempt {attempts}: {brief}", self.pending()));
        }
        (self.overflowed > 0).then(|| {
            format!("{} changes are only in the journal; a restart writes them to the record", self.overflowed)
        })
    }
}

/// The writing task's handle.
#[derive(Debug)]
pub struct Writer {
    queue: mpsc::Sender<Entry>,
    state: watch::Sender<WriterState>,
    task: JoinHandle<()>,
}

impl Writer {
    /// Starts the task. Must be called within a tokio runtime.
    pub fn start(store: Arc<dyn EventStore>, clock: Clock, config: WriterConfig) -> Self {
        let (queue, changes) = mpsc::channel(config.capacity.max(1));
        let (state, _) = watch::channel(WriterState::default());
        let task = Task { store, clock, config, state: state.clone() };
        Self { queue, state, task: tokio::spawn(task.run(changes)) }
    }

    /// Takes over a change, or a decision about an update, without waiting.
    pub fn submit(&self, entry: impl Into<Entry>) -> Submitted {
        // Counted before it is sent, so that `settled` cannot be true while a change is on its way.
        self.state.send_modify(|state| state.submitted += 1);
        if self.queue.try_send(entry.into()).is_ok() {
            return Submitted::Queued;
        }
        self.state.send_modify(|state| {
            state.submitted -= 1;
            state.overflowed += 1;
        });
        Submitted::Overflow
    }

    /// The writer's state, now and from now on.
    pub fn state(&self) -> watch::Receiver<WriterState> {
        self.state.subscribe()
    }

    /// Whether every change submitted so far is in the record: only then may a checkpoint be saved.
    pub fn settled(&self) -> bool {
        let state = self.state.borrow();
        state.pending() == 0 && state.overflowed == 0
    }

    /// Takes no more changes, writes what waits, and ends; gives up after `deadline`.
    ///
    /// Returns how many changes were left unwritten: the journal has them.
    pub async fn close(self, deadline: Duration) -> u64 {
        let Self { queue, state, mut task } = self;
        drop(queue);
        if tokio::time::timeout(deadline, &mut task).await.is_err() {
            task.abort();
        }
        let state = state.borrow();
        state.pending() + state.overflowed
    }
}

/// Entries of one kind that follow each other: one transaction.
enum Run {
    Changes(Vec<Change>),
    Gates(Vec<Decision>),
}

/// The entries in their order, cut where their kind changes.
fn runs(entries: impl Iterator<Item = Entry>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for entry in entries {
        match (runs.last_mut(), entry) {
            (Some(Run::Changes(run)), Entry::Change(change)) => run.push(*change),
            (Some(Run::Gates(run)), Entry::Gate(decision)) => run.push(decision),
            (_, Entry::Change(change)) => runs.push(Run::Changes(vec![*change])),
            (_, Entry::Gate(decision)) => runs.push(Run::Gates(vec![decision])),
        }
    }
    runs
}

struct Task {
    store: Arc<dyn EventStore>,
    clock: Clock,
    config: WriterConfig,
    state: watch::Sender<WriterState>,
}

impl Task {
    async fn run(self, mut entries: mpsc::Receiver<Entry>) {
        let mut batch = Vec::with_capacity(BATCH);
        while entries.recv_many(&mut batch, BATCH).await > 0 {
            for run in runs(batch.drain(..)) {
                self.write(&run).await;
            }
        }
    }

    /// Writes entries of one kind, however long it takes.
    async fn write(&self, run: &Run) {
        let mut pause = self.config.first_pause;
        let mut attempts = 0;
        loop {
            let (written, length) = match run {
                Run::Changes(changes) => (self.store.append(changes, self.clock.now()).await, changes.len()),
                Run::Gates(gates) => (self.store.append_gates(gates, self.clock.now()).await, gates.len()),
            };
            match written {
                Ok(appended) => return self.succeeded(length, appended),
                Err(error) => {
                    attempts += 1;
                    self.failed(&error, attempts);
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(self.config.longest_pause);
        }
    }

    fn succeeded(&self, written: usize, appended: Appended) {
        self.state.send_modify(|state| {
            if state.failing.take().is_some() {
                tracing::info!(changes = written, "the incident record is written again");
            }
            state.settled += written as u64;
            state.known += appended.known as u64;
        });
    }

    fn failed(&self, error: &StoreError, attempts: u32) {
        // Once when it begins; the state and the counters tell that it goes on.
        if attempts == 1 {
            tracing::error!(reason = error.reason(), %error, "the incident record cannot be written; will try again");
        }
        let message = error.to_string();
        self.state.send_modify(|state| {
            state.failures += 1;
            state.failing = Some(Failure { reason: error.reason(), brief: error.in_brief(), message, attempts });
        });
    }
}
