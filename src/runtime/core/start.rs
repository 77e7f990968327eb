//! From restored parts to a core at work.

use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use tokio::sync::{broadcast, mpsc, watch};

use super::Core;
use super::config::CoreConfig;
use super::wiring::{checkpointer, decision, forgetter, spawn, spawn_watch};
use crate::clock::Clock;
use crate::engine::detector::Engine;
use crate::engine::effect::Change;
use crate::engine::snapshot::Snapshot;
use crate::journal::{CheckpointStore, Journal};
use crate::metrics::{self, Counters, Exporter};
use crate::record::incident::IncidentStore;
use crate::record::outbox::Outbox;
use crate::record::{EventStore, GateControl};
use crate::runtime::decision::{DecisionTask, announce};
use crate::runtime::doubt::Doubt;
use crate::runtime::incidents::{IncidentTask, LiveIncidents, Statuses};
use crate::runtime::intake::{Intake, IntakeParts, Order};
use crate::runtime::lookback::Lookback;
use crate::runtime::marker::Marker;
use crate::runtime::mutex::lock;
use crate::runtime::playback::Playback;
use crate::runtime::registrar::Registrar;
use crate::runtime::sent_messages::{RememberingOutbox, SentMessages};
use crate::runtime::stepping::{Reached, Stepping};
use crate::runtime::update_gates::UpdateGates;
use crate::runtime::watch::{self as watching, LATCHES};
use crate::store::{Probed, Store, Writer, WriterConfig};
use crate::web::{Access, Health, HttpState, Shared};

/// Changes that a listener may be behind before it misses some.
const LISTENER_ROOM: usize = 4_096;

/// What a core is made of, once the state is there.
pub(super) struct Parts<'a> {
    pub(super) config: &'a CoreConfig,
    pub(super) clock: Clock,
    pub(super) counters: Arc<Counters>,
    pub(super) store: Arc<dyn Store>,
    pub(super) journal: Arc<Journal>,
    pub(super) checkpoints: Arc<CheckpointStore>,
    pub(super) order: Order,
    pub(super) gates: Option<UpdateGates>,
    pub(super) snapshot: Arc<ArcSwap<Snapshot>>,
    pub(super) statuses: Statuses,
    pub(super) incidents: LiveIncidents,
    pub(super) sent: SentMessages,
    pub(super) doubt: Doubt,
}

impl Parts<'_> {
    pub(super) async fn start(
        self,
        playback: Playback,
        changes: Vec<Change>,
        access: Arc<Access>,
        first: Option<Probed>,
    ) -> Core {
        let engine = Arc::new(Mutex::new(playback.into_engine()));
        let intake = self.intake(&engine);
        let listeners = broadcast::Sender::new(LISTENER_ROOM);
        let (registrar, outbox, trouble) = self.registrar(&engine, &listeners);
        let health = Arc::new(Health::new(&LATCHES));
        let http = self.http(access, &health);
        let Self { config, clock, counters, store, journal, checkpoints, gates, snapshot, incidents, doubt, .. } = self;
        let intake = Arc::new(Intake::new(intake).with_doubt(doubt));
        let decision = decision(&intake, &engine, &snapshot, &counters);
        let cleared = broadcast::Sender::new(LISTENER_ROOM);
        let forgetter = forgetter(config, clock, decision.clone(), &journal, &store, &incidents, &cleared);
        health.open(watching::RESTORE);
        let mind = registrar.begin(first).await;
        let writer = Writer::start(Arc::clone(&store) as Arc<dyn EventStore>, clock, WriterConfig::default());
        let (looks, asked) = mpsc::channel(1);
        let work = IncidentTask { incidents: incidents.clone(), changes: listeners.subscribe(), asked };
        announce(changes, &writer, gates.as_ref(), &counters, &listeners);
        let record = writer.state();
        let at = lock(&engine).last_tick();
        let (reached_out, reached) = watch::channel(Reached { shown: at, told: at });
        let task = DecisionTask {
            decision,
            clock,
            journal: Arc::clone(&journal),
            writer,
            listeners: listeners.clone(),
            gates: gates.clone(),
            checkpointer: checkpointer(&engine, &intake, &checkpoints, &journal, &counters),
            checkpoint_interval: config.checkpoint_interval,
            reached: reached_out,
        };
        let (stop, stopped) = watch::channel(false);
        let working = tokio::spawn(work.run(stopped.clone()));
        let http = HttpState { fleet: Some(Arc::new(forgetter)), history: Some(Lookback::shared(&engine)), ..http };
        let ring = gates.clone().map(|gates| tokio::spawn(gates.keep_ring(Arc::clone(&snapshot))));
        let decided = spawn(task, stopped);
        let registering = tokio::spawn(registrar.run(mind));
        let watch = spawn_watch(clock, &intake, &journal, record.clone(), trouble, &counters, &health);
        Core {
            clock,
            intake,
            engine,
            journal,
            checkpoints,
            snapshot,
            counters,
            health,
            store,
            listeners,
            http,
            gates,
            incidents,
            working,
            stepping: Stepping { reached, record, looks },
            stop,
            decided,
            registering,
            outbox,
            watch,
            ring,
            cleared,
        }
    }
}

impl Parts<'_> {
    /// What pages, API and metrics are made from; nobody can take devices out of the fleet yet.
    fn http(&self, access: Arc<Access>, health: &Arc<Health>) -> HttpState {
        let gates = self.gates.clone().map(|gates| Arc::new(gates) as Arc<dyn GateControl>);
        let (counters, snapshot) = (Arc::clone(&self.counters), Arc::clone(&self.snapshot));
        let exporter = Exporter::new(counters, snapshot, self.clock, self.config.device_series);
        let exporter = exporter.with_gates(gates.clone()).with_incidents(self.incidents.samples());
        let metrics = Arc::new(move || (metrics::CONTENT_TYPE, exporter.render()));
        HttpState {
            snapshot: Arc::clone(&self.snapshot),
            health: Arc::clone(health),
            metrics,
            incidents: Some(Arc::new(self.incidents.clone())),
            incident_store: Some(Arc::clone(&self.store) as Arc<dyn IncidentStore>),
            outbox: Some(Arc::clone(&self.store) as Arc<dyn Outbox>),
            store: Arc::clone(&self.store) as Arc<dyn EventStore>,
            access,
            gates,
            fleet: None,
            history: None,
            channels: Arc::default(),
            settings: Arc::clone(&self.config.shown),
            shared: Shared::default(),
            clock: self.clock,
            zone: self.config.zone.clone(),
        }
    }

    /// Who takes messages over.
    fn intake(&self, engine: &Arc<Mutex<Engine>>) -> IntakeParts {
        IntakeParts {
            root: self.config.root.clone(),
            limits: self.config.limits.clone(),
            budgets: self.config.budgets,
            clock: self.clock,
            engine: Arc::clone(engine),
            journal: Arc::clone(&self.journal),
            counters: Arc::clone(&self.counters),
            order: self.order,
            // From the last tick, not from the clock: it may have passed another one since.
            next_tick: Engine::next_tick(lock(engine).last_tick()),
            statuses: self.statuses.clone(),
        }
    }

    /// Who sees to the record, the outbox that minds what was told, and why nothing can be written now.
    fn registrar(&self, engine: &Arc<Mutex<Engine>>, listeners: &broadcast::Sender<Change>) -> Registering {
        let outbox = Arc::new(RememberingOutbox::new(Arc::clone(&self.store) as Arc<dyn Outbox>, self.sent.clone()));
        let (trouble_out, trouble) = watch::channel(None);
        let registrar = Registrar {
            store: Arc::clone(&self.store),
            clock: self.clock,
            incidents: self.incidents.clone(),
            gates: self.gates.clone(),
            engine: Arc::clone(engine),
            snapshot: Arc::clone(&self.snapshot),
            contacts: self.config.contacts.clone(),
            sent: self.sent.clone(),
            outbox: Arc::clone(&outbox),
            marker: Marker::in_directory(&self.config.checkpoint_dir),
            directory: self.config.store.directory(),
            changes: listeners.subscribe(),
            trouble: trouble_out,
        };
        (registrar, outbox, trouble)
    }
}

type Registering = (Registrar, Arc<RememberingOutbox>, watch::Receiver<Option<String>>);
