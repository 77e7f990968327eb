//! `demo`: the embedded broker, the core, the pages and a simulated fleet over real MQTT, all in one process and on one
//! clock, which runs faster than the real one.
//!
//! The story is always told on the same night: it begins at 01:50 on Thursday 2026-11-19, Japanese time, ten minutes
//! before the nightly rollout, so that the same seed tells the same story. First the two days before are run through the
//! engine ([`history`]); what it decides on those days is not announced. Then time goes in `steps`, each of which waits for
//! everything that belongs to it, so that the story is the same however busy the machine is. What is declared in `nightly` is
//! worked on by simulated people (`crew`), and what becomes of it is told (`follow`).

mod crew;
mod follow;
pub mod history;
pub mod options;
mod outcome;
mod outside;
mod pace;
mod place;
mod stage;
mod steps;
mod telling;
mod transcript;

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use anyhow::Context as _;
use tokio::time::MissedTickBehavior;

use crate::clock;
use crate::engine::detector::Engine;
use crate::engine::device::Label;
use crate::engine::settings::Settings;
use crate::engine::time::Timestamp;
use crate::lab::simulation::{Scenario, Simulation, SimulationConfig};
use crate::runtime::descriptors::{self, DescriptorError};
use crate::runtime::failure::Failure;

use super::live::{Scene, View, count, local_time};
use crate::runtime::stop::Stop;
use options::{DemoArgs, Epoch};
use outcome::{Outcome, fleet_span, summary};
use place::Place;
use stage::Stage;
use telling::Telling;
use transcript::Transcript;

/// When the story begins unless it is said: 2026-11-19 01:50 in Japan.
const EPOCH: Timestamp = Timestamp::from_ms(1_795_020_600_000);
/// From the begin of a story whose begin is said to the rollout, as from 01:50 to 02:00.
const LEAD_MS: i64 = 10 * 60_000;
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
/// Seconds of fleet time in a real one while somebody works on an incident: the rota's five minutes are fifty seconds then, and
/// the half hour of a rollout is five minutes.
const WORK_SPEED: f64 = 6.0;
/// Quiet minutes that verify a device. An hour is the rule; of 600 devices the last one has it some hours later, because a
/// healthy device has a degraded minute now and then, and nobody wants to look at a demo for so long.
const CLEAR_MIN: u32 = 20;

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
    transcript: Option<Transcript>,
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
        let transcript = args.transcript.as_deref().map(|path| {
            Transcript::create(path).with_context(|| format!("cannot write the transcript {}", path.display()))
        });
        let transcript = transcript.transpose()?;
        let place = Place::new(args.data_dir.as_deref())?;
        let epoch = args.epoch.map(|epoch| match epoch {
            Epoch::Now => clock::Clock::system().now().minute().start(),
            Epoch::At(ms) => Timestamp::from_ms(ms).minute().start(),
        });
        let config = SimulationConfig {
            rollout: epoch.map(|epoch| epoch.plus_ms(LEAD_MS)),
            devices: args.devices,
            branches: args.devices.div_ceil(DEVICES_PER_BRANCH).max(3),
            seed: args.seed,
            report_period_ms: period_s(args.devices, args.speed) * 1_000,
            utc_offset_min: Settings::default().utc_offset_min,
            ..SimulationConfig::new(args.scenario, epoch.unwrap_or(EPOCH))
        };
        let simulation = Arc::new(Simulation::new(config));
        let address = pages.local_addr().context("the pages' listener has no address")?;
        let view = View::new(scene(&simulation, address, args.speed), args.plain);
        Ok(Self { args, simulation, pages, place, view, transcript })
    }

    fn has_crew(&self) -> bool {
        self.args.scenario == Scenario::Nightly && !self.args.no_crew
    }

    /// Seconds of fleet time in a real one while an incident is open: only who asked to work on it needs the time for it.
    fn work_speed(&self) -> f64 {
        let work_speed = self.args.work_speed.unwrap_or(WORK_SPEED).min(self.args.speed);
        if self.args.no_crew { work_speed } else { self.args.speed }
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
        self.transcript.take().map(Transcript::finish).transpose().context("cannot write the transcript")?;
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

    /// Lets time go on and shows what happens, until the end is asked for, is due, or has been waited for.
    async fn watch(&mut self, stage: &mut Stage, stop: &mut Stop) -> anyhow::Result<Outcome> {
        let began = clock::monotonic();
        let mut window = stage.window();
        let mut telling = Telling::new(stage);
        let mut refresh = tokio::time::interval(REFRESH);
        refresh.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let over = tokio::time::sleep(self.args.run_for.unwrap_or(Duration::MAX));
        tokio::pin!(over);
        let mut rollout = Some(self.simulation.rollout());
        let mut outcome = Outcome::default();
        'story: loop {
            let speed = stage.steps.pace.speed();
            let told = {
                let step = stage.steps.step();
                tokio::pin!(step);
                loop {
                    tokio::select! {
                        biased;
                        () = stop.asked() => { outcome.asked = true; break 'story }
                        () = &mut over => break 'story,
                        told = &mut step => break told,
                        _ = refresh.tick() => self.view.refresh(&window.moment(speed))?,
                    }
                }
            };
            let moment = window.moment(stage.steps.pace.speed());
            if let Some(line) = stage.steps.pace.reached(moment.now) {
                self.view.line(&self.view.paint().dim(line))?;
            }
            if let Some(at) = rollout.filter(|&at| moment.now >= at) {
                rollout = None;
                self.view.event(&told_rollout(&self.simulation, at))?;
            }
            let shown = (&mut self.view, self.transcript.as_mut());
            telling.tell(told, (&moment, &*stage.core.desk()), shown, &mut outcome).await?;
            let declared = self.args.exit_when_declared && !outcome.incidents.is_empty();
            if declared || (self.args.exit_when_closed && !outcome.closed.is_empty()) {
                break;
            }
        }
        outcome.ran = clock::monotonic().duration_since(began);
        outcome.fleet_ms = stage.core.clock().now().since_ms(self.simulation.config().epoch);
        Ok(outcome)
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
