//! Everything between delivery and decision, started, watched and ended as one: what `serve`, the demo and the tests run.

mod wiring;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context as _;
use arc_swap::ArcSwap;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::delivery::{Intake, Retained, Sink};
use crate::engine::detector::Engine;
use crate::engine::device::DeviceId;
use crate::engine::effect::Change;
use crate::engine::fleet::budget::Budgets;
use crate::engine::settings::Settings;
use crate::engine::snapshot::Snapshot;
use crate::engine::time::Timestamp;
use crate::engine::wire::Limits;
use crate::http::{Access, AccessSettings, Health, HttpState, Zone};
use crate::journal::{CheckpointStore, Journal, JournalConfig};
use crate::metrics::{Counters, DeviceSeries};
use crate::record::IncidentStore;
use crate::record::access::AccessStore;
use crate::record::case::{CaseStore, ContactEntry};
use crate::record::desk::CaseDesk;
use crate::record::outbox::Outbox;
use crate::store::{Location, Store, Writer, WriterConfig};

use super::checkpoint::{self, Route};
use super::decision::{Capture, DecisionTask, announce};
use super::desk::{Desk, DeskConfig, DeskTask, Statuses};
use super::doubt::Doubt;
use super::gate::{GateConfig, GateKeeper};
use super::keeper::{Keeper, KeeperParts, Order, lock, refusal_reasons};
use super::playback::Playback;
use super::recovery::{self, Opened, Recovered, Recovery};
use super::stepping::{Reached, Stepping};
use super::watch::{self as watching, Commits, LATCHES};
use wiring::{checkpointer, decision, http, spawn, spawn_watch};

/// Changes that a listener may be behind before it misses some.
const LISTENER_ROOM: usize = 4_096;

/// Longest wait at the end for the journal and for the incident record.
const FAREWELL: Duration = Duration::from_secs(10);

/// How a core is to run.
#[derive(Debug)]
pub struct CoreConfig {
    /// The detector's settings.
    pub settings: Settings,
    /// Topic root.
    pub root: String,
    /// Bounds on what is decoded.
    pub limits: Limits,
    /// What each device may send, and all newcomers together.
    pub budgets: Budgets,
    /// Engine time. If the state that is found is ahead of it, it is set forward to that.
    pub clock: Clock,
    /// The journal; its observer is replaced.
    pub journal: JournalConfig,
    /// Directory of the checkpoints.
    pub checkpoint_dir: PathBuf,
    /// Real time between checkpoints.
    pub checkpoint_interval: Duration,
    /// The incident record; the directory of a file has to be there.
    pub store: Location,
    /// Devices that should report.
    pub expected: Vec<DeviceId>,
    /// Whom to call about devices; what is on record of others stays.
    pub contacts: Vec<ContactEntry>,
    /// How incidents are worked on.
    pub desk: DeskConfig,
    /// The gates of updates; `None`: nothing is decided about updates.
    pub gate: Option<GateConfig>,
    /// Which devices have series in the metrics.
    pub device_series: DeviceSeries,
    /// Zone in which people read times.
    pub zone: Zone,
    /// Who may use the operators' listener, and for what.
    pub access: AccessSettings,
    /// The configuration as people are shown it.
    pub shown: Arc<serde_json::Value>,
    /// An engine that has been fed already. It is taken as it is, whatever state the directories hold: that is for the
    /// demo, whose directories are new.
    pub preload: Option<Engine>,
}

impl CoreConfig {
    /// The defaults, with all state in one directory, which has to be there.
    pub fn in_directory(dir: impl Into<PathBuf>, clock: Clock) -> Self {
        let dir = dir.into();
        Self {
            settings: Settings::default(),
            root: "utm".to_owned(),
            limits: Limits::default(),
            budgets: Budgets::default(),
            clock,
            journal: JournalConfig::new(dir.join("journal")),
            checkpoint_dir: dir.join("checkpoint"),
            checkpoint_interval: Duration::from_secs(60),
            store: Location::File(dir.join("fleetwatch.sqlite")),
            expected: Vec::new(),
            contacts: Vec::new(),
            desk: DeskConfig::default(),
            gate: Some(GateConfig::default()),
            device_series: DeviceSeries::default(),
            zone: Zone::default(),
            access: AccessSettings::default(),
            shown: Arc::default(),
            preload: None,
        }
    }
}

/// A running core. [`shutdown`](Core::shutdown) ends it in order; dropping it ends it as a crash would, but for what the journal
/// still writes.
pub struct Core {
    clock: Clock,
    keeper: Arc<Keeper>,
    engine: Arc<Mutex<Engine>>,
    journal: Arc<Journal>,
    checkpoints: Arc<CheckpointStore>,
    snapshot: Arc<ArcSwap<Snapshot>>,
    counters: Arc<Counters>,
    health: Arc<Health>,
    store: Arc<dyn Store>,
    listeners: broadcast::Sender<Change>,
    http: HttpState,
    gates: Option<GateKeeper>,
    desk: Desk,
    working: JoinHandle<()>,
    stepping: Stepping,
    stop: watch::Sender<bool>,
    decided: oneshot::Receiver<Writer>,
    watch: JoinHandle<()>,
    ring: Option<JoinHandle<()>>,
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core").field("clock", &self.clock).finish_non_exhaustive()
    }
}

impl Core {
    /// Opens what is on the disk, takes the state up, makes up for the time in which nothing ran, and starts deciding.
    /// Messages may be delivered to [`intake`](Self::intake) as soon as this returns.
    ///
    /// # Errors
    /// When a directory or file cannot be used, or another process has the journal.
    pub async fn start(config: CoreConfig) -> anyhow::Result<Self> {
        // On the heap: whoever awaits it would carry all of it.
        Box::pin(Self::open(config)).await
    }

    async fn open(mut config: CoreConfig) -> anyhow::Result<Self> {
        let counters = Arc::new(Counters::new(&refusal_reasons()));
        config.journal.observer = Some(Arc::new(Commits(Arc::clone(&counters))));
        let store = config.store.open().await.context("cannot open the incident record")?;
        let highest_number = store.highest_number().await.context("cannot read the incident record")?;
        let (opened, recovered, (config, doubt)) = tokio::task::spawn_blocking(move || restore(config, highest_number))
            .await
            .context("restoring has ended abnormally")??;
        let Recovered { playback, changes, order } = recovered;
        let Opened { journal, checkpoints, .. } = opened;
        let clock = config.clock;
        let gates = match config.gate.clone() {
            Some(gate) => {
                let shared = (Arc::clone(&store) as Arc<dyn IncidentStore>, Arc::clone(&counters));
                let opened = GateKeeper::open(gate, &config.root, clock, shared).await;
                Some(opened.context("cannot read the decisions about updates")?)
            }
            None => None,
        };
        let (snapshot, statuses) = (Arc::new(ArcSwap::from_pointee(Snapshot::default())), Statuses::default());
        if !config.contacts.is_empty() {
            store.import_contacts(&config.contacts, clock.now()).await.context("cannot take over the contacts")?;
        }
        let stores = (Arc::clone(&store) as Arc<dyn CaseStore>, Arc::clone(&store) as Arc<dyn IncidentStore>);
        let seen = (Arc::clone(&snapshot), statuses.clone());
        let settings = DeskConfig { hold_min: config.settings.hold_min, ..config.desk.clone() };
        let desk = Desk::open(settings, clock, stores, seen).await.context("cannot read the open incidents")?;
        let access = Access::new(Arc::clone(&store) as Arc<dyn AccessStore>, config.access.clone(), clock);
        let access = Arc::new(access.context("access to the operators' listener cannot be guarded")?);
        let parts = Parts {
            config: &config,
            clock,
            counters,
            store,
            journal,
            checkpoints,
            order,
            gates,
            snapshot,
            statuses,
            desk,
            doubt,
        };
        Ok(parts.start((playback, changes), access))
    }

    /// Where messages are delivered to.
    pub fn intake(&self) -> Intake {
        Intake::new(Arc::clone(&self.keeper) as Arc<dyn Sink>, self.journal.durable())
    }

    /// The picture of the fleet as of the last tick.
    pub fn snapshot(&self) -> Arc<ArcSwap<Snapshot>> {
        Arc::clone(&self.snapshot)
    }

    /// The shell's counters.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// Every change from here on. Whoever is too slow misses some; the record has them all.
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.listeners.subscribe()
    }

    /// What the broker is to hold of ours; `None` without gates.
    pub fn retained(&self) -> Option<watch::Receiver<Retained>> {
        self.gates.as_ref().map(GateKeeper::retained)
    }

    /// What the HTTP listener needs.
    pub fn http_state(&self) -> HttpState {
        self.http.clone()
    }

    /// The latches of readiness. The `broker` one is for whoever runs the transport.
    pub fn health(&self) -> Arc<Health> {
        Arc::clone(&self.health)
    }

    /// Engine time as it runs: that of the configuration, or ahead of it.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// The record of incidents.
    pub fn store(&self) -> Arc<dyn IncidentStore> {
        Arc::clone(&self.store) as Arc<dyn IncidentStore>
    }

    /// What is to be said to people and programs.
    pub fn outbox(&self) -> Arc<dyn Outbox> {
        Arc::clone(&self.store) as Arc<dyn Outbox>
    }

    /// The open incidents, and where people work on them.
    pub fn desk(&self) -> Arc<dyn CaseDesk> {
        Arc::new(self.desk.clone())
    }

    /// The journal.
    pub fn journal(&self) -> Arc<Journal> {
        Arc::clone(&self.journal)
    }

    /// What to wait for when the clock is moved in steps.
    pub fn stepping(&self) -> Stepping {
        self.stepping.clone()
    }

    /// Returns when the decision task has ended by itself, which it never should: nothing is decided any more then, and
    /// nothing acknowledged. A restart goes on from checkpoint and journal.
    pub async fn failed(&mut self) -> anyhow::Error {
        let _ = (&mut self.decided).await;
        anyhow::anyhow!("the decision task has ended abnormally")
    }

    /// Ends in order: takes no more messages, writes what was taken, saves the state, closes the files. No tick is forced.
    /// Stop the transports first, so that what they have been given is acknowledged.
    ///
    /// # Errors
    /// When something could not be written. It was never acknowledged, or the journal has it.
    pub async fn shutdown(self) -> anyhow::Result<()> {
        let Self { keeper, engine, journal, checkpoints, counters, store, stop, decided, watch, ring, working, .. } =
            self;
        keeper.close();
        stop.send_replace(true);
        let writer = decided.await.context("the decision task has ended abnormally")?;
        // What a person has just wished is written before the database is closed.
        let _ = working.await;
        watch.abort();
        ring.inspect(JoinHandle::abort);
        let last = {
            // Whoever was being served has been once the gate is ours.
            let _gate = keeper.hold();
            keeper.last()
        };
        let mut durable = journal.durable();
        let flushed = tokio::time::timeout(FAREWELL, durable.wait_for(|durable| *durable >= last.lsn)).await;
        let flushed = matches!(flushed, Ok(Ok(_)));
        let unwritten = writer.close(FAREWELL).await;
        if flushed && unwritten == 0 {
            let at = {
                let mut engine = lock(&engine);
                engine.begin_cut(true);
                engine.last_tick()
            };
            let (store, journal) = (checkpoints, Arc::clone(&journal));
            checkpoint::save(Route { engine, keeper, store, journal, counters }, Capture { at, from: last.lsn }, None)
                .await;
        } else {
            tracing::error!(flushed, unwritten, "no last checkpoint: the next start replays more of the journal");
        }
        store.close().await;
        tokio::task::spawn_blocking(move || journal.close())
            .await
            .context("closing the journal ended abnormally")?
            .context("the journal could not be closed")?;
        tracing::info!(lsn = last.lsn, "ended");
        Ok(())
    }
}

/// Blocks: opens the files, takes the state up, and runs the ticks of the time in which nothing ran.
fn restore(mut config: CoreConfig, highest_number: u64) -> anyhow::Result<(Opened, Recovered, (CoreConfig, Doubt))> {
    let mut opened = recovery::open(config.journal.clone(), &config.checkpoint_dir)?;
    let mut recovered = match config.preload.take() {
        Some(engine) => {
            for device in &config.expected {
                engine.fleet().expect(device.clone());
            }
            let order = Order { lsn: opened.next_lsn - 1, at: engine.last_tick() };
            let playback = Playback::new(engine, &config.root, config.limits.clone());
            Recovered { playback, changes: Vec::new(), order }
        }
        None => {
            let CoreConfig { settings, root, limits, expected, clock, .. } = &config;
            let now = clock.now();
            Recovery { settings, root, limits, expected, highest_number, now }.run(&mut opened)?
        }
    };
    let last = recovered.order.at.max(recovered.playback.engine().last_tick());
    let (clock, doubt) = Doubt::at_start(config.clock, (last > Timestamp::default()).then_some(last));
    config.clock = clock;
    recovered.changes.append(&mut recovered.playback.advance(config.clock.now()));
    Ok((opened, recovered, (config, doubt)))
}

/// What a core is made of, once the state is there.
struct Parts<'a> {
    config: &'a CoreConfig,
    clock: Clock,
    counters: Arc<Counters>,
    store: Arc<dyn Store>,
    journal: Journal,
    checkpoints: CheckpointStore,
    order: Order,
    gates: Option<GateKeeper>,
    snapshot: Arc<ArcSwap<Snapshot>>,
    statuses: Statuses,
    desk: Desk,
    doubt: Doubt,
}

impl Parts<'_> {
    fn start(self, (playback, changes): (Playback, Vec<Change>), access: Arc<Access>) -> Core {
        let Self { config, clock, counters, store, journal, checkpoints, order, gates, .. } = self;
        let Self { snapshot, statuses, desk, doubt, .. } = self;
        let (journal, checkpoints) = (Arc::new(journal), Arc::new(checkpoints));
        let engine = playback.into_engine();
        // From the last tick, not from the clock: it may have passed another one since.
        let next_tick = Engine::next_tick(engine.last_tick());
        let engine = Arc::new(Mutex::new(engine));
        let keeper = KeeperParts {
            root: config.root.clone(),
            limits: config.limits.clone(),
            budgets: config.budgets,
            clock,
            engine: Arc::clone(&engine),
            journal: Arc::clone(&journal),
            counters: Arc::clone(&counters),
            order,
            next_tick,
            statuses,
        };
        let keeper = Arc::new(Keeper::new(keeper).with_doubt(doubt));
        let decision = decision((&keeper, &engine), (&snapshot, &counters));
        let health = Arc::new(Health::new(&LATCHES));
        health.open(watching::RESTORE);
        let listeners = broadcast::Sender::new(LISTENER_ROOM);
        let writer = Writer::start(Arc::clone(&store) as Arc<dyn IncidentStore>, clock, WriterConfig::default());
        let (looks, asked) = mpsc::channel(1);
        let work = DeskTask { desk: desk.clone(), changes: listeners.subscribe(), asked };
        announce(changes, (&writer, gates.as_ref()), &counters, &listeners);
        let record = writer.state();
        let at = lock(&engine).last_tick();
        let (reached_out, reached) = watch::channel(Reached { shown: at, told: at });
        let checkpointer = checkpointer((&engine, &keeper), (&checkpoints, &journal), &counters);
        let task = DecisionTask {
            decision,
            clock,
            journal: Arc::clone(&journal),
            writer,
            listeners: listeners.clone(),
            gates: gates.clone(),
            checkpointer,
            checkpoint_interval: config.checkpoint_interval,
            reached: reached_out,
        };
        let (stop, stopped) = watch::channel(false);
        let working = tokio::spawn(work.run(stopped.clone()));
        let shown = (Arc::clone(&snapshot), Arc::clone(&health), Arc::clone(&store));
        let http = http(&counters, shown, (&gates, access, &desk), (clock, config));
        let ring = gates.clone().map(|gates| tokio::spawn(gates.keep_ring(Arc::clone(&snapshot))));
        let decided = spawn(task, stopped);
        let watch = spawn_watch(clock, (&keeper, &journal, &counters, &health), record.clone());
        Core {
            clock,
            keeper,
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
            desk,
            working,
            stepping: Stepping { reached, record, looks },
            stop,
            decided,
            watch,
            ring,
        }
    }
}
