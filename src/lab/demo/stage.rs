//! Everything of a demo that runs: core, broker, pages and fleet, opened in their order and closed in the other.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use arc_swap::ArcSwap;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;

use crate::broker::{self, Embedded};
use crate::clock::{self, Clock};
use crate::engine::detector::Engine;
use crate::engine::effect::Change;
use crate::engine::snapshot::Snapshot;
use crate::incident::LifeSettings;
use crate::lab::simulation::mqtt::{self, FleetConfig, Lockstep, Progress, Target};
use crate::record::incidents::Incidents;
use crate::runtime::descriptors::DescriptorError;
use crate::web;

use super::super::live::Moment;
use super::crew::{self, Shift};
use super::outcome::Done;
use super::outside::Outside;
use super::pace::Pace;
use super::setup::{CLEAR_MIN, Demo};
use super::steps::{Steps, Who};
use crate::runtime::core::{Core, CoreConfig};
use crate::runtime::forget::clear_embedded;
use crate::runtime::incidents::IncidentsConfig;
use crate::runtime::update_gates::publish_embedded;

/// The rate that is shown is the mean of this long.
const RATE_OVER: Duration = Duration::from_secs(3);
/// The journal of a demo is not kept for long.
const JOURNAL_BYTES: u64 = 512 << 20;
/// A step waits for the journal, so the journal waits for nobody.
const COMMIT_EVERY: Duration = Duration::from_millis(1);
/// Longest time that the pages may take to finish what they are at.
const HTTP_SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);
/// Real seconds after which an idle device pings. A machine that is too busy for a ping must not cost a device its session: the
/// story would hold a will that nobody wrote into it.
const KEEP_ALIVE_S: u16 = 600;

/// Everything that runs.
pub(super) struct Stage {
    pub(super) core: Core,
    pub(super) steps: Steps,
    pub(super) changes: broadcast::Receiver<Change>,
    broker: Embedded,
    progress: Arc<Progress>,
    fleet: JoinHandle<Result<(), DescriptorError>>,
    http: JoinHandle<io::Result<()>>,
    stop: watch::Sender<bool>,
    pub(super) pages: SocketAddr,
    pub(super) mqtt: SocketAddr,
}

impl Stage {
    pub(super) async fn open(demo: &Demo<'_>, engine: Engine) -> anyhow::Result<Self> {
        let epoch = demo.simulation.config().epoch;
        let (clock, engine_hand) = Clock::stepped(epoch, demo.args.speed);
        let (fleet_clock, fleet_hand) = Clock::stepped(epoch, demo.args.speed);
        let mut config = CoreConfig::in_directory(demo.place.path(), clock);
        config.settings = engine.settings().clone();
        config.journal.max_bytes = JOURNAL_BYTES;
        config.journal.commit_interval = COMMIT_EVERY;
        config.preload = Some(engine);
        config.contacts = crew::contacts(&demo.simulation);
        let life = LifeSettings { clear_min: CLEAR_MIN, ..LifeSettings::default() };
        config.incidents = IncidentsConfig { settings: life, rota: crew::rota(), ..IncidentsConfig::default() };
        let core = Core::start(config).await?;
        let changes = core.changes();
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, demo.args.mqtt_port));
        let settings = broker::BrokerConfig { listen, ..broker::BrokerConfig::default() };
        let broker = Embedded::start(settings, Some(core.intake())).await.context("cannot start the broker")?;
        core.health().open("broker");
        core.counters().broker_connected.set(1);
        if let Some(retained) = core.retained() {
            tokio::spawn(publish_embedded(broker.publisher(), retained, core.counters()));
        }
        tokio::spawn(clear_embedded(broker.publisher(), core.cleared().subscribe()));
        let (stop, stopped) = watch::channel(false);
        let pages = demo.pages.local_addr()?;
        let http = {
            demo.pages.set_nonblocking(true)?;
            let listener = tokio::net::TcpListener::from_std(demo.pages.try_clone()?)?;
            let mut stopped = stopped.clone();
            let ended = async move { drop(stopped.wait_for(|&stop| stop).await) };
            tokio::spawn(web::serve(listener, core.http_state(), web::HttpConfig::default(), ended))
        };
        let mqtt = broker.local_addr();
        let target = Target { host: mqtt.ip().to_string(), port: mqtt.port(), root: "utm".into(), credentials: None };
        let (progress, lockstep) = (Arc::new(Progress::default()), Arc::new(Lockstep::new(demo.args.devices)));
        let fleet = {
            let settings = FleetConfig {
                connects_per_s: 1_000,
                keep_alive_s: KEEP_ALIVE_S,
                lockstep: Some(Arc::clone(&lockstep)),
                ..FleetConfig::new(target)
            };
            let (simulation, progress) = (Arc::clone(&demo.simulation), Arc::clone(&progress));
            tokio::spawn(mqtt::run(simulation, settings, fleet_clock, progress, stopped))
        };
        let steps = Steps {
            now: epoch,
            pace: Pace::new(demo.args.speed, epoch),
            engine: engine_hand,
            fleet: fleet_hand,
            stepping: core.stepping(),
            lockstep,
            progress: Arc::clone(&progress),
            broker: Arc::clone(broker.counters()),
            incidents: core.incidents(),
            who: if demo.has_crew() {
                Who::Crew(Shift::new(core.incidents(), Arc::clone(&demo.simulation)))
            } else {
                Who::People(Outside::new(core.incidents(), core.http_state().gates, &demo.simulation))
            },
            speeds: (demo.args.speed, demo.work_speed()),
        };
        Ok(Self { core, steps, changes, broker, progress, fleet, http, stop, pages, mqtt })
    }

    /// What is shown of it while it runs.
    pub(super) fn window(&self) -> Window {
        let (clock, snapshot, incidents) = (self.core.clock(), self.core.snapshot(), self.core.incidents());
        Window { clock, snapshot, incidents, progress: Arc::clone(&self.progress), meter: Meter::default() }
    }

    /// Ends everything, those who give before those who take.
    pub(super) async fn close(self) -> anyhow::Result<Done> {
        self.stop.send_replace(true);
        self.fleet.await.context("the fleet ended abnormally")??;
        self.broker.shutdown().await;
        if tokio::time::timeout(HTTP_SHUTDOWN_TIMEOUT, self.http).await.is_err() {
            tracing::debug!("somebody was still reading a page");
        }
        let counters = self.core.counters();
        self.core.shutdown().await?;
        Ok(Done {
            acked: self.progress.acked.load(Relaxed),
            journaled: counters.journal_records.get(),
            dropped: self.progress.dropped.load(Relaxed),
        })
    }
}

/// Looks at a stage without holding it.
#[derive(Debug)]
pub(super) struct Window {
    clock: Clock,
    snapshot: Arc<ArcSwap<Snapshot>>,
    incidents: Arc<dyn Incidents>,
    progress: Arc<Progress>,
    meter: Meter,
}

impl Window {
    /// What is to be seen now; `speed` is what the fleet's time runs at.
    pub(super) fn moment(&mut self, speed: f64) -> Moment {
        let acked = self.progress.acked.load(Relaxed);
        let (now, snapshot) = (self.clock.now(), self.snapshot.load_full());
        Moment { now, snapshot, board: self.incidents.board(), rate: self.meter.rate(acked), acked, speed }
    }
}

/// Measures the rate of a counter over the last seconds.
#[derive(Debug, Default)]
struct Meter {
    seen: VecDeque<(Instant, u64)>,
}

impl Meter {
    fn rate(&mut self, total: u64) -> f64 {
        let now = clock::monotonic();
        self.seen.push_back((now, total));
        while self.seen.len() > 2 && self.seen.get(1).is_some_and(|(at, _)| now.duration_since(*at) > RATE_OVER) {
            self.seen.pop_front();
        }
        let Some(&(at, before)) = self.seen.front() else { return 0.0 };
        let seconds = now.duration_since(at).as_secs_f64();
        if seconds > 0.0 { total.saturating_sub(before) as f64 / seconds } else { 0.0 }
    }
}
