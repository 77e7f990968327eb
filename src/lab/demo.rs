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
mod setup;
mod stage;
mod steps;
mod story_line;
mod telling;
mod transcript;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use anyhow::Context as _;
use tokio::time::MissedTickBehavior;

use crate::clock;
use crate::engine::detector::Engine;
use crate::engine::settings::Settings;
use crate::engine::time::Timestamp;
use crate::lab::simulation::Simulation;
use crate::runtime::failure::Failure;

use super::live::{count, local_time};
use crate::runtime::stop::Stop;
use options::DemoArgs;
use outcome::{Outcome, fleet_span, summary};
use setup::{CLEAR_MIN, Demo, updates};
use stage::Stage;
use telling::Telling;
use transcript::Transcript;

/// How often the view is brought up to date.
const REFRESH: Duration = Duration::from_millis(125);

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

impl Demo<'_> {
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
            let (incidents, transcript) = (stage.core.incidents(), self.transcript.as_mut());
            telling.tell(told, &moment, &*incidents, &mut self.view, transcript, &mut outcome).await?;
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

fn told_rollout(simulation: &Simulation, at: Timestamp) -> String {
    let time = local_time(at, simulation.config().utc_offset_min);
    let names: Vec<String> = updates(simulation).iter().map(ToString::to_string).collect();
    format!("{time}  {:<9} {} begins to roll out, ring by ring", "rollout", names.join(" and "))
}

#[cfg(test)]
mod tests;
