//! The parts of a core, put together one by one.

use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use tokio::sync::{broadcast, oneshot, watch};
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::delivery::Topics;
use crate::engine::detector::Engine;
use crate::engine::snapshot::Snapshot;
use crate::journal::{CheckpointStore, Journal};
use crate::metrics::{self, Counters, Exporter};
use crate::record::GateControl;
use crate::record::incident::IncidentStore;
use crate::record::outbox::Outbox;
use crate::store::{Store, Writer, WriterState};
use crate::web::{Access, Health, HttpState, Shared};

use super::super::checkpoint::{Checkpointer, Route};
use super::super::decision::{Decision, DecisionTask};
use super::super::forget::Forgetter;
use super::super::watch::Watch;
use super::config::CoreConfig;
use crate::runtime::incidents::LiveIncidents;
use crate::runtime::intake::Intake;
use crate::runtime::update_gates::UpdateGates;

/// Saves the state of this engine.
pub(super) fn checkpointer(
    (engine, intake): (&Arc<Mutex<Engine>>, &Arc<Intake>),
    (store, journal): (&Arc<CheckpointStore>, &Arc<Journal>),
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
    (intake, engine): (&Arc<Intake>, &Arc<Mutex<Engine>>),
    (snapshot, counters): (&Arc<ArcSwap<Snapshot>>, &Arc<Counters>),
) -> Decision {
    let (intake, engine) = (Arc::clone(intake), Arc::clone(engine));
    let (snapshot, counters) = (Arc::clone(snapshot), Arc::clone(counters));
    let decision = Decision { intake, engine, snapshot, counters };
    decision.show();
    decision
}

pub(super) fn spawn_watch(
    clock: Clock,
    (intake, journal, counters, health): (&Arc<Intake>, &Arc<Journal>, &Arc<Counters>, &Arc<Health>),
    (record, trouble): (watch::Receiver<WriterState>, watch::Receiver<Option<String>>),
) -> JoinHandle<()> {
    let (intake, journal) = (Arc::clone(intake), Arc::clone(journal));
    let (counters, health) = (Arc::clone(counters), Arc::clone(health));
    tokio::spawn(Watch { clock, intake, journal, record, trouble, counters, health }.run())
}

pub(super) fn http(
    counters: &Arc<Counters>,
    (snapshot, health, store): (Arc<ArcSwap<Snapshot>>, Arc<Health>, Arc<dyn Store>),
    (gates, access, incidents): (&Option<UpdateGates>, Arc<Access>, &LiveIncidents),
    (clock, config): (Clock, &CoreConfig),
) -> HttpState {
    let gates = gates.clone().map(|gates| Arc::new(gates) as Arc<dyn GateControl>);
    let exporter = Exporter::new(Arc::clone(counters), Arc::clone(&snapshot), clock, config.device_series);
    let exporter = exporter.with_gates(gates.clone()).with_incidents(incidents.samples());
    let metrics = Arc::new(move || (metrics::CONTENT_TYPE, exporter.render()));
    HttpState {
        snapshot,
        health,
        metrics,
        desk: Some(Arc::new(incidents.clone())),
        incidents: Some(Arc::clone(&store) as Arc<dyn IncidentStore>),
        outbox: Some(Arc::clone(&store) as Arc<dyn Outbox>),
        store,
        access,
        gates,
        fleet: None,
        history: None,
        channels: Arc::default(),
        settings: Arc::clone(&config.shown),
        shared: Shared::default(),
        clock,
        zone: config.zone.clone(),
    }
}

pub(super) fn forgetter(
    decision: Decision,
    (journal, store, incidents): (&Arc<Journal>, &Arc<dyn Store>, &LiveIncidents),
    (clock, config): (Clock, &CoreConfig),
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
