//! Everything between delivery and decision, started, watched and ended as one: what `serve`, the demo and the tests run.

mod config;
mod start;
mod wiring;

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context as _;
use arc_swap::ArcSwap;
use tokio::sync::{broadcast, oneshot, watch};
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::delivery::{DurableSink, Retained, Sink, Topics};
use crate::engine::detector::Engine;
use crate::engine::effect::Change;
use crate::engine::snapshot::Snapshot;
use crate::engine::time::Timestamp;
use crate::journal::{CheckpointStore, Journal};
use crate::metrics::Counters;
use crate::record::EventStore;
use crate::record::access::AccessStore;
use crate::record::incident::IncidentStore;
use crate::record::incidents::Incidents;
use crate::record::outbox::Outbox;
use crate::store::{Store, Writer};
use crate::web::{Access, Health, HttpState};

use super::checkpoint::{self, Capture, Route};
use super::doubt::Doubt;
use super::marker::missing_mounts;
use super::mutex::lock;
use super::playback::Playback;
use super::private;
use super::recovery::{self, Opened, Recovered, Recovery};
use super::registrar;
use super::sent_messages::{RememberingOutbox, SentMessages};
use super::stepping::Stepping;
use super::watch::Commits;
use crate::runtime::incidents::{IncidentsConfig, LiveIncidents, Statuses};
use crate::runtime::intake::{Intake, Order, refusal_reasons};
use crate::runtime::update_gates::UpdateGates;
pub use config::CoreConfig;
use start::Parts;

/// Longest wait at the end for the journal and for the incident record.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);

/// A running core. [`shutdown`](Core::shutdown) ends it in order; dropping it ends it as a crash would, but for what the journal
/// still writes.
pub struct Core {
    clock: Clock,
    intake: Arc<Intake>,
    engine: Arc<Mutex<Engine>>,
    journal: Arc<Journal>,
    checkpoints: Arc<CheckpointStore>,
    snapshot: Arc<ArcSwap<Snapshot>>,
    counters: Arc<Counters>,
    health: Arc<Health>,
    store: Arc<dyn Store>,
    listeners: broadcast::Sender<Change>,
    http: HttpState,
    gates: Option<UpdateGates>,
    incidents: LiveIncidents,
    working: JoinHandle<()>,
    stepping: Stepping,
    stop: watch::Sender<bool>,
    decided: oneshot::Receiver<Writer>,
    registering: JoinHandle<()>,
    outbox: Arc<RememberingOutbox>,
    watch: JoinHandle<()>,
    ring: Option<JoinHandle<()>>,
    cleared: broadcast::Sender<Topics>,
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
        warn_of_missing_mounts(&config);
        private::close(&config.journal.dir);
        private::close(&config.checkpoint_dir);
        let store = config.store.keep();
        let first = registrar::first_look(&*store, config.clock.now()).await?;
        let highest_number = match &first {
            // Should it fail at this moment, what holds is what holds without the record.
            Some(_) => store.highest_number().await.ok(),
            None => None,
        };
        let found = Found { used_before: first.as_ref().is_some_and(|first| first.before.is_some()), highest_number };
        let (opened, recovered, (config, doubt)) = tokio::task::spawn_blocking(move || restore(config, found))
            .await
            .context("restoring has ended abnormally")??;
        let Recovered { playback, changes, order } = recovered;
        let Opened { journal, checkpoints, .. } = opened;
        let clock = config.clock;
        let gates = config.gate.clone().map(|gate| {
            let events = Arc::clone(&store) as Arc<dyn EventStore>;
            UpdateGates::new(gate, &config.root, clock, events, Arc::clone(&counters))
        });
        let (snapshot, statuses) = (Arc::new(ArcSwap::from_pointee(Snapshot::default())), Statuses::default());
        let lives = Arc::clone(&store) as Arc<dyn IncidentStore>;
        let events = Arc::clone(&store) as Arc<dyn EventStore>;
        let settings = IncidentsConfig { hold_min: config.settings.hold_min, ..config.incidents.clone() };
        let sent = SentMessages::default();
        let incidents =
            LiveIncidents::new(settings, clock, lives, events, Arc::clone(&snapshot), statuses.clone(), sent.clone());
        let access = Access::new(Arc::clone(&store) as Arc<dyn AccessStore>, config.access.clone(), clock);
        let access = Arc::new(access.context("access to the operators' listener cannot be guarded")?);
        let parts = Parts {
            config: &config,
            clock,
            counters,
            store,
            journal: Arc::new(journal),
            checkpoints: Arc::new(checkpoints),
            order,
            gates,
            snapshot,
            statuses,
            incidents,
            sent,
            doubt,
        };
        Ok(parts.start(playback, changes, access, first).await)
    }

    /// Where messages are delivered to.
    pub fn intake(&self) -> DurableSink {
        DurableSink::new(Arc::clone(&self.intake) as Arc<dyn Sink>, self.journal.durable())
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
        self.gates.as_ref().map(UpdateGates::retained)
    }

    /// Where topics come whose retained message is to go.
    pub fn cleared(&self) -> broadcast::Sender<Topics> {
        self.cleared.clone()
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
    pub fn store(&self) -> Arc<dyn EventStore> {
        Arc::clone(&self.store) as Arc<dyn EventStore>
    }

    /// What is to be said to people and programs.
    pub fn outbox(&self) -> Arc<dyn Outbox> {
        Arc::clone(&self.outbox) as Arc<dyn Outbox>
    }

    /// The open incidents, and where people work on them.
    pub fn incidents(&self) -> Arc<dyn Incidents> {
        Arc::new(self.incidents.clone())
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
        let Self { intake, engine, journal, checkpoints, counters, store, stop, decided, .. } = self;
        let Self { registering, watch, ring, working, .. } = self;
        intake.close();
        stop.send_replace(true);
        let writer = decided.await.context("the decision task has ended abnormally")?;
        // What a person has just asked for is written before the database is closed.
        let _ = working.await;
        registering.abort();
        watch.abort();
        ring.inspect(JoinHandle::abort);
        let last = {
            // Whoever was being served has been once the gate is ours.
            let _gate = intake.hold();
            intake.last()
        };
        let mut durable = journal.durable();
        let flushed = tokio::time::timeout(SHUTDOWN_TIMEOUT, durable.wait_for(|durable| *durable >= last.lsn)).await;
        let flushed = matches!(flushed, Ok(Ok(_)));
        let unwritten = writer.close(SHUTDOWN_TIMEOUT).await;
        if flushed && unwritten == 0 {
            let at = {
                let mut engine = lock(&engine);
                engine.begin_cut(true);
                engine.last_tick()
            };
            let (store, journal) = (checkpoints, Arc::clone(&journal));
            checkpoint::save(Route { engine, intake, store, journal, counters }, Capture { at, from: last.lsn }, None)
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

/// What the record says of the state.
struct Found {
    highest_number: Option<u64>,
    used_before: bool,
}

/// A disk that is not mounted looks like a first start, and what is written meanwhile is hidden once it is.
fn warn_of_missing_mounts(config: &CoreConfig) {
    let record = config.store.directory();
    for directory in
        [Some(config.journal.dir.clone()), Some(config.checkpoint_dir.clone()), record].into_iter().flatten()
    {
        for mount in missing_mounts(&directory) {
            tracing::error!(
                directory = %directory.display(), mount = %mount.display(),
                "a disk that /etc/fstab names is not mounted: what is found here is not the state of before, and what is written \
                 here is hidden once it is mounted. Stop fleetwatch, mount it, start again"
            );
        }
    }
}

/// Blocks: opens the files, takes the state up, and runs the ticks of the time in which nothing ran.
fn restore(mut config: CoreConfig, found: Found) -> anyhow::Result<(Opened, Recovered, (CoreConfig, Doubt))> {
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
            let Found { highest_number, used_before } = found;
            Recovery { settings, root, limits, expected, highest_number, used_before, now }.run(&mut opened)?
        }
    };
    let last = recovered.order.at.max(recovered.playback.engine().last_tick());
    let (clock, doubt) = Doubt::at_start(config.clock, (last > Timestamp::default()).then_some(last));
    config.clock = clock;
    recovered.changes.append(&mut recovered.playback.advance(config.clock.now()));
    Ok((opened, recovered, (config, doubt)))
}
