//! The parts of a core, put together one by one.

use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use tokio::sync::{broadcast, oneshot, watch};

use crate::clock::Clock;
use crate::delivery::Topics;
use crate::engine::detector::Engine;
use crate::engine::snapshot::Snapshot;
use crate::journal::{CheckpointStore, Journal};
use crate::metrics::Counters;
use crate::record::incident::IncidentStore;
use crate::store::{Store, Writer, WriterState};
use crate::web::Health;

use super::super::checkpoint::{Checkpointer, Route};
use super::super::decision::{Decision, DecisionTask};
use super::super::forget::Forgetter;
use super::config::CoreConfig;
use crate::runtime::incidents::LiveIncidents;
use crate::runtime::intake::Intake;
use crate::runtime::watch::Watch;
use tokio::task::JoinHandle;

/// Saves the state of this engine.
pub(super) fn checkpointer(
    engine: &Arc<Mutex<Engine>>,
    intake: &Arc<Intake>,
    store: &Arc<CheckpointStore>,
    journal: &Arc<Journal>,
    counters: &Arc<Counters>,
) -> Checkpointer {
    Checkpointer::new(Route {
        engine: Arc::clone(engine),
        intake: Arc::clone(intake),
        store: Arc::clone(store),
        journal: Arc::clone(journal),
        counters: Arc::clone(counters),
    })
}

/// The engine's ticks, with a first picture drawn.
pub(super) fn decision(
    intake: &Arc<Intake>,
    engine: &Arc<Mutex<Engine>>,
    snapshot: &Arc<ArcSwap<Snapshot>>,
    counters: &Arc<Counters>,
) -> Decision {
    let (intake, engine) = (Arc::clone(intake), Arc::clone(engine));
    let (snapshot, counters) = (Arc::clone(snapshot), Arc::clone(counters));
    let decision = Decision { intake, engine, snapshot, counters };
    decision.show();
    decision
}

/// Runs readiness and gauges.
pub(super) fn spawn_watch(
    clock: Clock,
    intake: &Arc<Intake>,
    journal: &Arc<Journal>,
    record: watch::Receiver<WriterState>,
    trouble: watch::Receiver<Option<String>>,
    counters: &Arc<Counters>,
    health: &Arc<Health>,
) -> JoinHandle<()> {
    let (intake, journal) = (Arc::clone(intake), Arc::clone(journal));
    let (counters, health) = (Arc::clone(counters), Arc::clone(health));
    tokio::spawn(Watch { clock, intake, journal, record, trouble, counters, health }.run())
}

pub(super) fn forgetter(
    config: &CoreConfig,
    clock: Clock,
    decision: Decision,
    journal: &Arc<Journal>,
    store: &Arc<dyn Store>,
    incidents: &LiveIncidents,
    cleared: &broadcast::Sender<Topics>,
) -> Forgetter {
    Forgetter {
        root: config.root.clone(),
        clock,
        decision,
        journal: Arc::clone(journal),
        incidents: Arc::new(incidents.clone()),
        store: Arc::clone(store) as Arc<dyn IncidentStore>,
        cleared: cleared.clone(),
    }
}

/// Runs the decision task on a thread of its own, so that no busy transport can keep it from its tick.
pub(super) fn spawn(task: DecisionTask, stop: watch::Receiver<bool>) -> oneshot::Receiver<Writer> {
    let (done, decided) = oneshot::channel();
    let runtime = tokio::runtime::Handle::current();
    let run = move || {
        match runtime.block_on(task.run(stop)) {
            // Whoever started it may have gone away.
            Ok(writer) => drop(done.send(writer)),
            Err(error) => tracing::error!(%error, "handing on changes has ended abnormally"),
        }
    };
    // The process has just started several threads; if there is none for this one, `decided` says so.
    if let Err(error) = std::thread::Builder::new().name("decision".into()).spawn(run) {
        tracing::error!(%error, "the decision thread could not be started");
    }
    decided
}
