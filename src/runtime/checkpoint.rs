//! Saves the engine's state beside the running decision: neither ticks nor deliveries wait for the checkpoint's disk.
//!
//! The state is taken in slices of a few milliseconds under the engine's lock and written as it comes, so that nobody waits
//! for the whole of it and it is never in memory as a whole.
//!
//! A state gets its name once two things hold: every entry it may know of is durable in the journal, and every change decided
//! before it is in the incident record. Otherwise a power cut would leave a state that knows more than the journal, or
//! a change that no replay comes to again.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::clock;
use crate::engine::detector::{Engine, Slice};
use crate::engine::time::Timestamp;
use crate::journal::{CheckpointStore, Journal, JournalError, Saved};
use crate::metrics::Counters;
use crate::store::WriterState;

use super::mutex::lock;
use crate::runtime::intake::Intake;

/// Longest wait for journal and record before a state is given up; the next one is newer anyway.
const DURABLE_TIMEOUT: Duration = Duration::from_secs(120);

/// Time for which a slice should hold the engine's lock.
const SLICE_TIME: Duration = Duration::from_millis(5);

/// Time between two slices, for whoever waits for the lock.
const SLICE_INTERVAL: Duration = Duration::from_millis(1);

/// Devices of the first slice; the next ones follow from how long it took.
const FIRST_SLICE: usize = 32;

/// States in a row that ticks have overtaken before one is taken to its end.
const LOST_MOST: u32 = 2;

/// A state that is being taken, and where the journal stood.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Capture {
    /// The tick as of which it is taken.
    pub at: Timestamp,
    /// Every entry up to this number is in the state: replay goes on after it.
    pub from: u64,
}

/// Whether the state is to be taken after a tick.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CaptureRequest {
    None,
    Capture,
    /// As [`Capture`](Self::Capture), and to its end, even if a tick has to wait.
    Forced,
}

/// States in a row that were lost to ticks. Copies share it.
#[derive(Clone, Debug, Default)]
pub struct Losses(Arc<AtomicU32>);

impl Losses {
    /// How the next state is to be taken.
    pub fn request(&self) -> CaptureRequest {
        if self.0.load(Ordering::Relaxed) < LOST_MOST { CaptureRequest::Capture } else { CaptureRequest::Forced }
    }
}

/// Where a state comes from, and where it goes.
#[derive(Clone, Debug)]
pub struct Route {
    /// The engine, in which a cut has begun.
    pub engine: Arc<Mutex<Engine>>,
    /// Knows which entries the engine may have seen.
    pub intake: Arc<Intake>,
    /// Where states are saved.
    pub store: Arc<CheckpointStore>,
    /// What is released.
    pub journal: Arc<Journal>,
    /// Where it is counted.
    pub counters: Arc<Counters>,
}

/// Why a state was not saved.
#[derive(Debug, thiserror::Error)]
enum Unsaved {
    #[error(transparent)]
    Disk(#[from] JournalError),
    #[error("ticks came faster than the state could be taken")]
    Overtaken,
    #[error("{0}")]
    NotVouchedFor(&'static str),
}

/// Saves one state at a time.
#[derive(Debug)]
pub struct Checkpointer {
    route: Route,
    losses: Losses,
    running: Option<JoinHandle<()>>,
}

impl Checkpointer {
    /// Saves along `route`.
    pub fn new(route: Route) -> Self {
        Self { route, losses: Losses::default(), running: None }
    }

    /// States that were lost to ticks.
    pub fn losses(&self) -> Losses {
        self.losses.clone()
    }

    /// Saves a state in the background; `token` is dropped when that is over, well or not. `record` is the writer of the
    /// incident record, to which every change decided up to the state has been given.
    pub fn save(&mut self, capture: Capture, record: watch::Receiver<WriterState>, token: Arc<()>) {
        let (route, losses) = (self.route.clone(), self.losses.clone());
        self.running = Some(tokio::spawn(async move {
            let _token = token;
            let overtaken = save(route, capture, Some(record)).await;
            losses.0.store(if overtaken { losses.0.load(Ordering::Relaxed) + 1 } else { 0 }, Ordering::Relaxed);
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

/// Returns once the journal holds everything up to `through`, and the record `submitted` changes.
async fn vouched_for(
    journal: &Journal,
    record: Option<(watch::Receiver<WriterState>, u64)>,
    through: u64,
) -> Result<(), &'static str> {
    if let Some((mut record, submitted)) = record {
        let settled = record.wait_for(|state| state.settled >= submitted || state.overflowed > 0);
        match settled.await.map(|state| state.overflowed) {
            Ok(0) => {}
            Ok(_) => return Err("changes are only in the journal, because the incident record is too far behind"),
            Err(_) => return Err("the incident record has been closed"),
        }
    }
    let mut durable = journal.durable();
    durable.wait_for(|durable| *durable >= through).await.map(drop).map_err(|_| "the journal has been closed")
}

/// Takes the state whose cut has begun, saves it, and lets the journal's retention go on. Without `record` every change has
/// been recorded. Whether ticks came faster than the state could be taken.
pub async fn save(route: Route, capture: Capture, record: Option<watch::Receiver<WriterState>>) -> bool {
    let began = clock::monotonic();
    // What is submitted from now on was decided after the state.
    let record = record.map(|record| {
        let submitted = record.borrow().submitted;
        (record, submitted)
    });
    let (journal, counters) = (Arc::clone(&route.journal), Arc::clone(&route.counters));
    let runtime = Handle::current();
    let saved = tokio::task::spawn_blocking(move || {
        let saved = take(&route, capture, record, &runtime);
        if saved.is_err() {
            lock(&route.engine).end_cut();
        }
        saved
    });
    let Capture { at, from } = capture;
    match saved.await {
        Ok(Ok(Saved { generation, oldest_lsn, bytes })) => {
            journal.release(oldest_lsn);
            counters.checkpoint_saved(at, bytes, began.elapsed().as_secs_f64());
            tracing::debug!(generation, lsn = from, bytes, "checkpoint saved");
            return false;
        }
        Ok(Err(Unsaved::Disk(error))) => {
            tracing::error!(reason = error.reason(), %error, "the checkpoint could not be saved; the older one is kept");
        }
        Ok(Err(why)) => {
            tracing::warn!(%why, "no checkpoint: the older one is kept, and with it the journal from there on");
            counters.checkpoint_failures.inc();
            return matches!(why, Unsaved::Overtaken);
        }
        Err(error) => {
            tracing::error!(%error, "saving the checkpoint ended abnormally; the older one is kept");
        }
    }
    counters.checkpoint_failures.inc();
    false
}

/// Blocks: takes the state slice by slice and writes it.
fn take(
    route: &Route,
    capture: Capture,
    record: Option<(watch::Receiver<WriterState>, u64)>,
    runtime: &Handle,
) -> Result<Saved, Unsaved> {
    let mut saving = route.store.begin(capture.from)?;
    let mut most = FIRST_SLICE;
    loop {
        let (slice, held) = {
            let mut engine = lock(&route.engine);
            let began = clock::monotonic();
            (engine.cut_slice(most), began.elapsed())
        };
        route.counters.checkpoint_hold.observe(held.as_secs_f64());
        let Slice::Part { bytes, left } = slice else { return Err(Unsaved::Overtaken) };
        saving.write(&bytes)?;
        if left == 0 {
            break;
        }
        let fits = most as f64 * SLICE_TIME.as_secs_f64() / held.as_secs_f64().max(1e-6);
        most = (fits as usize).clamp(1, most * 2);
        runtime.block_on(tokio::time::sleep(SLICE_INTERVAL));
    }
    let through = route.intake.last().lsn;
    let vouched = runtime.block_on(tokio::time::timeout(DURABLE_TIMEOUT, vouched_for(&route.journal, record, through)));
    vouched.unwrap_or(Err("the journal or the incident record is behind")).map_err(Unsaved::NotVouchedFor)?;
    Ok(saving.finish()?)
}
