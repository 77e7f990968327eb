//! The engine's ticks at their instants, and what follows from each, in the order *persist, tell, show*.
//!
//! One task owns the ticking. It never skips a tick: after a stall or a suspended machine, every missed one is run in its
//! turn, each seeing exactly what had arrived before its instant.

use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinError;

use crate::clock::{self, Clock};
use crate::engine::detector::Engine;
use crate::engine::effect::{Change, ChangeKind};
use crate::engine::snapshot::Snapshot;
use crate::engine::time::Timestamp;
use crate::journal::Journal;
use crate::metrics::{Counters, Why};
use crate::store::{Submitted, Writer};

use super::checkpoint::{Capture, CaptureRequest, Checkpointer};
use super::mutex::lock;
use super::stepping::Reached;
use crate::runtime::intake::{Intake, Order};
use crate::runtime::update_gates::UpdateGates;

/// Ticks that may have left something to be done before the next one waits.
const MAX_WAITING_OUTPUTS: usize = 1_024;

/// Devices whose state is surely taken before the next tick.
const LARGE_FLEET: usize = 5_000;

/// Longest wait of a decision for the journal, before it is made known anyway.
const DURABLE_TIMEOUT: Duration = Duration::from_secs(5);

/// Runs the engine.
#[derive(Clone, Debug)]
pub struct Decision {
    /// Takes the messages, and is held off during a tick.
    pub intake: Arc<Intake>,
    /// The engine; the intake makes room in it now and then.
    pub engine: Arc<Mutex<Engine>>,
    /// What is read by pages and metrics.
    pub snapshot: Arc<ArcSwap<Snapshot>>,
    /// Where ticks and decisions are counted.
    pub counters: Arc<Counters>,
}

/// What a tick came to.
#[derive(Debug)]
pub struct Ticked {
    /// The tick's instant.
    pub at: Timestamp,
    /// What was decided, in order.
    pub changes: Vec<Change>,
    /// The state after the tick, if one is to be saved: it is taken in slices.
    pub capture: Option<Capture>,
}

impl Decision {
    /// Runs the next tick; whoever calls knows that it is due. With `request` it also begins to take the engine's state, if this
    /// is a moment for it. Deliveries wait for the tick only.
    pub fn tick(&self, request: CaptureRequest) -> Ticked {
        let began = clock::monotonic();
        let mut gate = self.intake.hold();
        let mut engine = lock(&self.engine);
        let at = *gate;
        let changes = engine.tick(at);
        self.counters.forgotten(Why::Silent, engine.forgotten().len());
        self.intake.make_places(&mut engine, at);
        self.counters.forget(engine.forgotten());
        *gate = Engine::next_tick(at);
        let Order { lsn: from, .. } = self.intake.last();
        drop(gate);
        self.counters.tick_duration.observe(began.elapsed().as_secs_f64());
        // A large fleet takes longer than it is to the next tick: there it has to be the start of a minute.
        let has_time = engine.has_just_closed() || engine.fleet().len() < LARGE_FLEET;
        let capture = (request != CaptureRequest::None && has_time).then(|| {
            engine.begin_cut(request == CaptureRequest::Forced);
            Capture { at, from }
        });
        Ticked { at, changes, capture }
    }

    /// Draws the picture that pages and metrics read.
    pub fn show(&self) {
        let engine = lock(&self.engine);
        // Under the lock: a picture never takes the place of a newer one.
        self.snapshot.store(Arc::new(engine.snapshot()));
    }
}

/// Hands changes on, then what follows from them for the gates of updates.
pub fn announce(
    changes: Vec<Change>,
    writer: &Writer,
    gates: Option<&UpdateGates>,
    counters: &Counters,
    listeners: &broadcast::Sender<Change>,
) {
    let observed = gates.map(|gates| (gates, gates.on_changes(&changes)));
    for change in changes {
        publish(change, writer, counters, listeners);
    }
    if let Some((gates, observed)) = observed {
        gates.announce(observed, writer);
    }
}

/// Hands a change on: to the record, to the log, to whoever listens.
fn publish(change: Change, writer: &Writer, counters: &Counters, listeners: &broadcast::Sender<Change>) {
    counters.changed(&change);
    log(&change);
    if writer.submit(change.clone()) == Submitted::Overflow {
        counters.store_overflow.inc();
        tracing::error!(event_id = %change.event_id, "the incident record is too far behind: a change stays in the journal alone");
    }
    // Nobody has to listen.
    let _ = listeners.send(change);
}

/// One line for each transition.
fn log(change: &Change) {
    let Change { kind, event_id, streak_s, .. } = change;
    let incident = change.incident.as_deref().unwrap_or("-");
    let cause = change
        .cause
        .as_ref()
        .map_or_else(|| "-".to_owned(), |cause| format!("{} {}", cause.suspect.kind, cause.suspect.value));
    let (at, devices, kind) = (change.at.as_ms(), change.devices.len(), kind.as_str());
    match change.kind {
        ChangeKind::Declared => {
            tracing::warn!(at, kind, event_id, incident, streak_s, devices, cause, "major incident declared");
        }
        ChangeKind::Joined | ChangeKind::Left => {
            tracing::debug!(at, kind, event_id, incident, streak_s, devices, cause, "membership changed");
        }
        _ => tracing::info!(at, kind, event_id, incident, streak_s, devices, cause, "event changed"),
    }
}

/// What a tick has decided, and what follows from it outside the engine.
#[derive(Debug)]
struct TickOutput {
    /// The tick's instant.
    at: Timestamp,
    changes: Vec<Change>,
    /// Greatest entry that the changes can have been decided from.
    through: u64,
    /// The state to be saved, and the token that tells when that is over.
    capture: Option<(Capture, Arc<()>)>,
}

/// Carries out what ticks have decided, in their order, so that no tick waits for a disk.
#[derive(Debug)]
struct EffectsTask {
    journal: Arc<Journal>,
    counters: Arc<Counters>,
    writer: Writer,
    listeners: broadcast::Sender<Change>,
    gates: Option<UpdateGates>,
    checkpointer: Checkpointer,
    reached: watch::Sender<Reached>,
}

impl EffectsTask {
    /// Works until there are no more ticks; then gives the writer back, which may still be writing.
    async fn run(mut self, mut outputs: mpsc::Receiver<TickOutput>) -> Writer {
        while let Some(TickOutput { at, changes, through, capture }) = outputs.recv().await {
            if !changes.is_empty() {
                // A decision from entries that a power cut would take away could be decided otherwise after it. The wait is
                // one commit, some 10 ms; a disk that is slower than this limit must not keep an incident from people.
                let mut durable = self.journal.durable();
                let _ = tokio::time::timeout(DURABLE_TIMEOUT, durable.wait_for(|durable| *durable >= through)).await;
            }
            announce(changes, &self.writer, self.gates.as_ref(), &self.counters, &self.listeners);
            self.reached.send_modify(|reached| reached.told = at);
            if let Some((capture, token)) = capture {
                self.checkpointer.save(capture, self.writer.state(), token);
            }
        }
        self.checkpointer.finish().await;
        self.writer
    }
}

/// The decision task.
#[derive(Debug)]
pub struct DecisionTask {
    pub decision: Decision,
    pub clock: Clock,
    pub journal: Arc<Journal>,
    pub writer: Writer,
    pub listeners: broadcast::Sender<Change>,
    /// Decides about updates.
    pub gates: Option<UpdateGates>,
    pub checkpointer: Checkpointer,
    /// Real time between two checkpoints.
    pub checkpoint_interval: Duration,
    /// Where it is told how far everything has come.
    pub reached: watch::Sender<Reached>,
}

impl DecisionTask {
    /// Ticks until `stop` holds true; then gives the writer back, which may still be writing.
    ///
    /// # Errors
    /// When the part that hands changes on has ended abnormally.
    pub async fn run(self, mut stop: watch::Receiver<bool>) -> Result<Writer, JoinError> {
        let Self { decision, clock, journal, writer, listeners, gates, checkpointer, checkpoint_interval, reached } =
            self;
        let counters = Arc::clone(&decision.counters);
        let (pressed, losses) = (Arc::clone(&journal), checkpointer.losses());
        let (outputs, waiting) = mpsc::channel(MAX_WAITING_OUTPUTS);
        let told = reached.clone();
        let effects = EffectsTask { journal, counters, writer, listeners, gates, checkpointer, reached: told };
        let effects = tokio::spawn(effects.run(waiting));
        // At the first tick: what was replayed or preloaded need not be so again.
        let mut saved = None::<Instant>;
        let mut saving = Weak::<()>::new();
        loop {
            let due = decision.intake.next_tick();
            tokio::select! {
                biased;
                // An error means that nobody can ask for more.
                _ = stop.wait_for(|stop| *stop) => break,
                () = clock.sleep_until(due) => {}
            }
            let is_due = saved.is_none_or(|saved| saved.elapsed() >= checkpoint_interval) || pressed.wants_checkpoint();
            let request = if is_due && saving.strong_count() == 0 { losses.request() } else { CaptureRequest::None };
            let ticked = decision.tick(request);
            let capture = ticked.capture.map(|capture| {
                saved = Some(clock::monotonic());
                let token = Arc::new(());
                saving = Arc::downgrade(&token);
                (capture, token)
            });
            let through = decision.intake.last().lsn;
            let output = TickOutput { at: ticked.at, changes: ticked.changes, through, capture };
            if outputs.send(output).await.is_err() {
                break;
            }
            // While ticks are made up for, the picture in between would be seen by nobody.
            if decision.intake.next_tick() > clock.now() {
                decision.show();
                reached.send_modify(|reached| reached.shown = ticked.at);
            }
            decision.counters.decision_lag.set(clock.now().since_ms(ticked.at) as f64 / 1_000.0);
        }
        drop(outputs);
        effects.await
    }
}
