//! `demo`: the embedded broker, the core, the pages and a simulated fleet over real MQTT, all in one process and on one
//! clock, which runs faster than the real one.
//!
//! The story is always told on the same night: it begins at 01:50 on Thursday 2026-11-19, Japanese time, ten minutes
//! before the nightly rollout, so that the same seed tells the same story. First the two days before are run through the
//! engine ([`history`]); what it decides on those days is not announced. What is declared in `nightly` is then worked on by
//! simulated people (`crew`), and what becomes of it is told (`follow`).

mod crew;
mod follow;
pub mod history;
mod outcome;
mod place;

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use crate::broker::{self, Embedded};
use crate::cli::Failure;
use crate::cli::args::DemoArgs;
use crate::clock::{self, Clock};
use crate::engine::detector::Engine;
use crate::engine::device::Label;
use crate::engine::effect::Change;
use crate::engine::incident::LifeSettings;
use crate::engine::settings::Settings;
use crate::engine::time::Timestamp;
use crate::http;
use crate::record::desk::CaseUpdate;
use crate::simulation::descriptors::{self, DescriptorError};
use crate::simulation::mqtt::{self, FleetConfig, Progress, Target};
use crate::simulation::{Scenario, Simulation, SimulationConfig};

use super::core::{Core, CoreConfig};
use super::desk::DeskConfig;
use super::gate::publish_embedded;
use super::live::{Moment, Scene, View, count, local_time};
use super::stop::Stop;
use crew::{Shift, Told};
use follow::Follower;
use outcome::{Done, Outcome, fleet_span, note, summary};
use place::Place;

/// When the story begins: 2026-11-19 01:50 in Japan.
const EPOCH: Timestamp = Timestamp::from_ms(1_795_020_600_000);
/// Devices in a branch: 1,000 devices are looked after by 50.
const DEVICES_PER_BRANCH: u32 = 20;
/// Reports a second that the fleet keeps below, if its devices may still report once a minute then.
const REPORTS_PER_S: f64 = 6_500.0;
/// Report periods that are chosen from, in seconds of fleet time.
const PERIODS_S: [u32; 5] = [10, 15, 20, 30, 60];
/// Descriptors beside the two of each device, which has both ends of its connection in this process.
const OTHER_DESCRIPTORS: u64 = 256;
/// How often the view is brought up to date.
const REFRESH: Duration = Duration::from_millis(125);
/// The rate that is shown is the mean of this long.
const RATE_OVER: Duration = Duration::from_secs(3);
/// The journal of a demo is not kept for long.
const JOURNAL_BYTES: u64 = 512 << 20;
/// Longest time that the pages may take to finish what they are at.
const HTTP_FAREWELL: Duration = Duration::from_secs(1);
/// Quiet minutes that verify a device. An hour is the rule; of 600 devices the last one has it some hours later, because a
/// healthy device has a degraded minute now and then, and nobody wants to look at a demo for so long.
const CLEAR_MIN: u32 = 20;
/// Lines of the crew that may wait to be shown.
const LINES: usize = 64;

/// Runs the demo to its end.
///
/// # Errors
/// When a port is taken, files cannot be written, or too few files may be open; with `--exit-when-declared`, a
/// [`Failure::NotSeen`] when nothing was declared.
pub fn run(args: &DemoArgs) -> anyhow::Result<()> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the threads")?;
    runtime.block_on(Demo::new(args)?.run())
}

/// A demo before it runs.
struct Demo<'a> {
    args: &'a DemoArgs,
    simulation: Arc<Simulation>,
    pages: TcpListener,
    place: Place,
    view: View,
}

impl<'a> Demo<'a> {
    fn new(args: &'a DemoArgs) -> anyhow::Result<Self> {
        // What can fail at once fails before anybody has waited.
        let pages = bind(args.http_port, "the pages", "--http-port")?;
        if args.mqtt_port != 0 {
            drop(bind(args.mqtt_port, "the broker", "--mqtt-port")?);
        }
        descriptors::ensure(2 * u64::from(args.devices) + OTHER_DESCRIPTORS)
            .map_err(|error: DescriptorError| anyhow::Error::new(error))?;
        let place = Place::new(args.data_dir.as_deref())?;
        let config = SimulationConfig {
            devices: args.devices,
            branches: args.devices.div_ceil(DEVICES_PER_BRANCH).max(3),
            seed: args.seed,
            report_period_ms: period_s(args.devices, args.speed) * 1_000,
            utc_offset_min: Settings::default().utc_offset_min,
            ..SimulationConfig::new(args.scenario, EPOCH)
        };
        let simulation = Arc::new(Simulation::new(config));
        let address = pages.local_addr().context("the pages' listener has no address")?;
        let view = View::new(scene(&simulation, address, args.speed), args.plain);
        Ok(Self { args, simulation, pages, place, view })
    }

    fn has_crew(&self) -> bool {
        self.args.scenario == Scenario::Nightly && !self.args.no_crew
    }

    async fn run(mut self) -> anyhow::Result<()> {
        let mut stop = Stop::listen()?;
        self.introduce()?;
        let Some((engine, learnt)) = self.learn(&mut stop).await? else {
            self.view.end();
            self.view.line("Ended on request, before the story began.")?;
            return Ok(());
        };
        let took = clock::monotonic();
        let mut stage = Stage::open(&self, engine).await?;
        tracing::debug!(took_ms = took.elapsed().as_millis(), "the stage is open");
        self.opened(&stage, learnt)?;
        let outcome = self.watch(&mut stage, &mut stop).await;
        self.view.end();
        if outcome.is_ok() {
            self.view.line(&self.view.paint().dim("Closing down ..."))?;
        }
        let done = stage.close().await?;
        let outcome = outcome?;
        for line in summary(&outcome, done) {
            self.view.line(&line)?;
        }
        if self.args.exit_when_declared && outcome.incidents.is_empty() && !outcome.asked {
            let told = format!("no major incident was declared in {}", fleet_span(outcome.fleet_ms));
            return Err(Failure::NotSeen(told).into());
        }
        if self.args.exit_when_closed && outcome.closed.is_empty() && !outcome.asked {
            let told = format!("no incident was closed in {}", fleet_span(outcome.fleet_ms));
            return Err(Failure::NotSeen(told).into());
        }
        Ok(())
    }

    fn introduce(&self) -> io::Result<()> {
        let (view, config) = (&self.view, self.simulation.config());
        let paint = view.paint();
        view.line(&format!("{}  {}", paint.bold("fleetwatch demo"), paint.name(config.scenario)))?;
        view.line(config.scenario.description())?;
        view.line(&format!(
            "{} devices in {} branches, a report every {} s; their time runs at {}x",
            count(u64::from(config.devices)),
            config.branches,
            config.report_period_ms / 1_000,
            self.args.speed
        ))
    }

    /// Runs the days before through a new engine. `None` when the end was asked for meanwhile.
    async fn learn(&self, stop: &mut Stop) -> anyhow::Result<Option<(Engine, history::Outcome)>> {
        let cancelled = Arc::new(AtomicBool::new(false));
        let done = Arc::new(AtomicU64::new(0));
        let max_devices = self.args.devices.max(1);
        let settings = Settings { max_devices, clear_min: CLEAR_MIN, ..Settings::default() };
        let learning = {
            let (simulation, cancelled, done) =
                (Arc::clone(&self.simulation), Arc::clone(&cancelled), Arc::clone(&done));
            move || history::learn(&simulation, settings, &cancelled, |part| done.store(part.to_bits(), Relaxed))
        };
        let mut learning = tokio::task::spawn_blocking(learning);
        let mut refresh = tokio::time::interval(REFRESH);
        loop {
            tokio::select! {
                learnt = &mut learning => return Ok(learnt.context("learning from the past ended abnormally")?.ok()),
                () = stop.asked() => cancelled.store(true, Relaxed),
                _ = refresh.tick() => self.view.learning(f64::from_bits(done.load(Relaxed))),
            }
        }
    }

    fn opened(&mut self, stage: &Stage, learnt: history::Outcome) -> io::Result<()> {
        self.view.begin();
        let (view, paint) = (&self.view, self.view.paint());
        view.line(&format!("learnt from {} reports of the two days before", count(learnt.reports)))?;
        let row =
            |name: &str, text: String| view.line(&format!("  {}{}", paint.dim(format!("{name:<9}")), paint.name(text)));
        row("pages", format!("http://{}/", stage.pages))?;
        row("metrics", format!("http://{}/metrics", stage.pages))?;
        row("mqtt", format!("mqtt://{}  utm/v1/+/report, utm/v1/+/status", stage.mqtt))?;
        view.line(&paint.dim("Ctrl-C ends it."))
    }

    /// Shows what happens until the end is asked for, is due, or has been waited for.
    async fn watch(&mut self, stage: &mut Stage, stop: &mut Stop) -> anyhow::Result<Outcome> {
        let began = clock::monotonic();
        let mut changes = stage.changes.resubscribe();
        let (mut updates, mut follower) = (stage.core.desk().updates(), Follower::default());
        let mut refresh = tokio::time::interval(REFRESH);
        refresh.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let over = tokio::time::sleep(self.args.run_for.unwrap_or(Duration::MAX));
        tokio::pin!(over);
        let mut meter = Meter::default();
        let mut rollout = Some(self.simulation.rollout());
        let mut outcome = Outcome::default();
        loop {
            let seen = tokio::select! {
                biased;
                () = stop.asked() => { outcome.asked = true; break }
                () = &mut over => break,
                change = changes.recv() => Seen::Change(change),
                update = updates.recv() => Seen::Update(update),
                Some(told) = stage.lines.recv() => Seen::Told(told),
                _ = refresh.tick() => Seen::Time,
            };
            let moment = stage.moment(&mut meter);
            if let Some(at) = rollout.filter(|&at| moment.now >= at) {
                rollout = None;
                self.view.event(&told_rollout(&self.simulation, at))?;
            }
            match seen {
                Seen::Time => self.view.refresh(&moment)?,
                Seen::Told(told) => self.view.told(told.at, told.kind, &told.text)?,
                Seen::Update(update) => {
                    // Who was too slow for some sees the state with the next one.
                    let Ok(update) = update else { continue };
                    if self.follow(&update, (&mut follower, stage), &mut outcome).await? {
                        break;
                    }
                }
                Seen::Change(Ok(change)) => {
                    self.view.change(&change, &moment)?;
                    note(&mut outcome.incidents, change);
                    if self.args.exit_when_declared && !outcome.incidents.is_empty() {
                        break;
                    }
                }
                Seen::Change(Err(RecvError::Lagged(missed))) => {
                    self.view.line(&format!("{missed} changes came too fast to be shown; the pages have them all"))?;
                }
                Seen::Change(Err(RecvError::Closed)) => anyhow::bail!("the decision task has ended"),
            }
        }
        outcome.ran = clock::monotonic().duration_since(began);
        outcome.fleet_ms = stage.core.clock().now().since_ms(EPOCH);
        Ok(outcome)
    }

    /// Tells what an update of an incident means; whether that was what was waited for.
    async fn follow(
        &self,
        update: &CaseUpdate,
        (follower, stage): (&mut Follower, &Stage),
        outcome: &mut Outcome,
    ) -> anyhow::Result<bool> {
        for told in follower.follow(update, &*stage.core.desk()).await {
            self.view.told(told.at, told.kind, &told.text)?;
        }
        let closed = update.actions.contains(&"closed");
        if closed {
            outcome.closed.insert(update.number.clone());
        }
        Ok(closed && self.args.exit_when_closed)
    }
}

/// What the demo woke up for.
#[expect(clippy::large_enum_variant, reason = "there is one at a time, on the stack")]
enum Seen {
    Time,
    Change(Result<Change, RecvError>),
    Update(Result<CaseUpdate, RecvError>),
    Told(Told),
}

/// Everything that runs.
struct Stage {
    core: Core,
    broker: Embedded,
    progress: Arc<Progress>,
    changes: broadcast::Receiver<Change>,
    fleet: JoinHandle<Result<(), DescriptorError>>,
    http: JoinHandle<io::Result<()>>,
    /// The crew, if there is one, and what it has to say.
    shift: Option<JoinHandle<()>>,
    lines: mpsc::Receiver<Told>,
    stop: watch::Sender<bool>,
    pages: SocketAddr,
    mqtt: SocketAddr,
}

impl Stage {
    async fn open(demo: &Demo<'_>, engine: Engine) -> anyhow::Result<Self> {
        let clock = Clock::scaled(EPOCH, demo.args.speed);
        let mut config = CoreConfig::in_directory(demo.place.path(), clock);
        config.settings = engine.settings().clone();
        config.journal.max_bytes = JOURNAL_BYTES;
        config.preload = Some(engine);
        config.contacts = crew::contacts(&demo.simulation);
        let life = LifeSettings { clear_min: CLEAR_MIN, ..LifeSettings::default() };
        config.desk = DeskConfig { settings: life, rota: crew::rota(), ..DeskConfig::default() };
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
        let (stop, stopped) = watch::channel(false);
        let pages = demo.pages.local_addr()?;
        let http = {
            demo.pages.set_nonblocking(true)?;
            let listener = tokio::net::TcpListener::from_std(demo.pages.try_clone()?)?;
            let mut stopped = stopped.clone();
            let ended = async move { drop(stopped.wait_for(|&stop| stop).await) };
            tokio::spawn(http::serve(listener, core.http_state(), http::HttpConfig::default(), ended))
        };
        let mqtt = broker.local_addr();
        let target = Target { host: mqtt.ip().to_string(), port: mqtt.port(), root: "utm".into(), credentials: None };
        let progress = Arc::new(Progress::default());
        let fleet = {
            let settings = FleetConfig { connects_per_s: 1_000, ..FleetConfig::new(target) };
            let (simulation, progress) = (Arc::clone(&demo.simulation), Arc::clone(&progress));
            tokio::spawn(mqtt::run(simulation, settings, core.clock(), progress, stopped.clone()))
        };
        let (sender, lines) = mpsc::channel(LINES);
        let shift = demo.has_crew().then(|| {
            let (desk, simulation, clock) = (core.desk(), Arc::clone(&demo.simulation), core.clock());
            tokio::spawn(Shift { desk, simulation, clock, lines: sender }.run(stopped))
        });
        Ok(Self { core, broker, progress, changes, fleet, http, shift, lines, stop, pages, mqtt })
    }

    fn moment(&self, meter: &mut Meter) -> Moment {
        let acked = self.progress.acked.load(Relaxed);
        let snapshot = self.core.snapshot().load_full();
        Moment { now: self.core.clock().now(), snapshot, rate: meter.rate(acked), acked }
    }

    /// Ends everything, those who give before those who take.
    async fn close(self) -> anyhow::Result<Done> {
        self.stop.send_replace(true);
        // Its lines are not shown any more, and it must not wait for that.
        drop(self.lines);
        if let Some(shift) = self.shift {
            shift.await.context("the crew ended abnormally")?;
        }
        self.fleet.await.context("the fleet ended abnormally")??;
        self.broker.shutdown().await;
        if tokio::time::timeout(HTTP_FAREWELL, self.http).await.is_err() {
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

/// A listener on this machine alone.
fn bind(port: u16, what: &str, option: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).with_context(|| {
        format!("cannot listen on 127.0.0.1:{port} for {what}; {option} names another port, 0 takes a free one")
    })
}

/// The shortest period at which the fleet stays below [`REPORTS_PER_S`]; the longest if none does.
fn period_s(devices: u32, speed: f64) -> u32 {
    let fits = |period: u32| f64::from(devices) * speed / f64::from(period) <= REPORTS_PER_S;
    PERIODS_S.into_iter().find(|&period| fits(period)).unwrap_or(PERIODS_S[PERIODS_S.len() - 1])
}

fn scene(simulation: &Simulation, pages: SocketAddr, speed: f64) -> Scene {
    let branches =
        simulation.profiles().iter().map(|device| (device.id.clone(), Label::clone(&device.branch))).collect();
    Scene {
        utc_offset_min: simulation.config().utc_offset_min,
        branches,
        updates: updates(simulation),
        pages: format!("http://{pages}"),
        speed,
    }
}

/// The updates that the story rolls out.
fn updates(simulation: &Simulation) -> Vec<Label> {
    let installs = simulation.plans().iter().flat_map(|plan| &plan.installs);
    let tonight = installs.filter(|install| install.at >= simulation.rollout());
    tonight.map(|install| Label::clone(&install.version)).collect::<BTreeSet<_>>().into_iter().collect()
}

fn told_rollout(simulation: &Simulation, at: Timestamp) -> String {
    let time = local_time(at, simulation.config().utc_offset_min);
    let names: Vec<String> = updates(simulation).iter().map(ToString::to_string).collect();
    format!("{time}  {:<9} {} begins to roll out, ring by ring", "rollout", names.join(" and "))
}

#[cfg(test)]
mod tests;
