//! Saves the engine's state beside the running decision: neither ticks nor deliveries wait for the checkpoint's disk.
//!
//! A state is saved once two things hold: every entry it may know of is durable in the journal, and every change decided
//! before it is in the incident record. Otherwise a power cut would leave a state that knows more than the journal, or
//! a change that no replay comes to again.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::clock;
use crate::journal::{CheckpointStore, Journal};
use crate::metrics::Counters;
use crate::store::WriterState;

use super::decision::Capture;

/// Longest wait for journal and record before a state is given up; the next one is newer anyway.
const PATIENCE: Duration = Duration::from_secs(120);

/// Saves one state at a time.
#[derive(Debug)]
pub struct Checkpointer {
    store: Arc<CheckpointStore>,
    journal: Arc<Journal>,
    counters: Arc<Counters>,
    running: Option<JoinHandle<()>>,
}

impl Checkpointer {
    /// Saves into `store` what `journal` can be cut off from.
    pub fn new(store: Arc<CheckpointStore>, journal: Arc<Journal>, counters: Arc<Counters>) -> Self {
        Self { store, journal, counters, running: None }
    }

    /// Saves a state in the background; `token` is dropped when that is over, well or not. `record` is the writer of the
    /// incident record, to which every change decided up to the state has been given.
    pub fn save(&mut self, capture: Capture, record: watch::Receiver<WriterState>, token: Arc<()>) {
        let (store, journal, counters) =
            (Arc::clone(&self.store), Arc::clone(&self.journal), Arc::clone(&self.counters));
        self.running = Some(tokio::spawn(async move {
            let _token = token;
            match tokio::time::timeout(PATIENCE, vouched_for(&journal, record, capture.through)).await {
                Ok(Ok(())) => save(store, journal, counters, capture).await,
                Ok(Err(why)) => {
                    counters.checkpoint_failures.inc();
                    tracing::warn!(why, "no checkpoint: the older one is kept, and with it the journal from there on");
                }
                Err(_) => {
                    counters.checkpoint_failures.inc();
                    tracing::warn!("no checkpoint: the journal or the incident record is behind");
                }
            }
        }));
    }

    /// Waits for the state that is being saved.
    pub async fn finish(&mut self) {
        if let Some(running) = self.running.take() {
            // A panic in there has been reported by its hook.
            let _ = running.await;
        }
    }
}

/// Returns once the journal holds everything up to `through`, and the record every change submitted so far.
async fn vouched_for(
    journal: &Journal,
    mut record: watch::Receiver<WriterState>,
    through: u64,
) -> Result<(), &'static str> {
    let submitted = record.borrow().submitted;
    let settled =
        record.wait_for(|state| state.settled >= submitted || state.overflowed > 0).await.map(|state| state.overflowed);
    match settled {
        Ok(0) => {}
        Ok(_) => return Err("changes are only in the journal, because the incident record is too far behind"),
        Err(_) => return Err("the incident record has been closed"),
    }
    let mut durable = journal.durable();
    durable.wait_for(|durable| *durable >= through).await.map(drop).map_err(|_| "the journal has been closed")
}

/// Saves a state whose entries are durable and whose changes are recorded, and lets the journal's retention go on.
pub async fn save(store: Arc<CheckpointStore>, journal: Arc<Journal>, counters: Arc<Counters>, capture: Capture) {
    let began = clock::monotonic();
    let Capture { image, at, from, .. } = capture;
    let bytes = image.len() as u64;
    let saved = tokio::task::spawn_blocking(move || store.save(&image, from)).await;
    match saved {
        Ok(Ok(saved)) => {
            journal.release(saved.oldest_lsn);
            counters.checkpoint_saved(at, bytes, began.elapsed().as_secs_f64());
            tracing::debug!(generation = saved.generation, lsn = from, bytes, "checkpoint saved");
        }
        Ok(Err(error)) => {
            counters.checkpoint_failures.inc();
            tracing::error!(reason = error.reason(), %error, "the checkpoint could not be saved; the older one is kept");
        }
        Err(error) => {
            counters.checkpoint_failures.inc();
            tracing::error!(%error, "saving the checkpoint ended abnormally; the older one is kept");
        }
    }
}
