//! `simulate`: the fleet alone, or a load, against any broker.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::clock::{self, Clock};
use crate::commands::args::{BrokerArgs, Encoding, LatencyForm, SimulateArgs, SimulateFleetArgs, SimulateLoadArgs};
use crate::config::Credentials;
use crate::engine::settings::Settings;
use crate::engine::time::Timestamp;
use crate::engine::wire::encode;
use crate::lab::simulation::load::{self, LoadConfig};
use crate::lab::simulation::mqtt::{self, FleetConfig, PayloadForm, Progress, Target};
use crate::lab::simulation::{Scenario, Simulation, SimulationConfig};
use crate::runtime::failure::Failure;

use crate::lab::live::local_time;
use crate::runtime::stop::Stop;

/// Devices in a branch.
const DEVICES_PER_BRANCH: u32 = 20;
/// Real time between two lines of progress.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// Runs the fleet or the load until it is done, its time is over, or the end is asked for.
///
/// # Errors
/// When the options do not fit, too few files may be open, or a load that was to be whole was not acknowledged whole.
pub fn run(args: &SimulateArgs) -> anyhow::Result<()> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the threads")?;
    runtime.block_on(async {
        let mut stop = Stop::listen()?;
        match args {
            SimulateArgs::Fleet(args) => fleet(args, &mut stop).await,
            SimulateArgs::Load(args) => load(args, &mut stop).await,
        }
    })
}

async fn fleet(args: &SimulateFleetArgs, stop: &mut Stop) -> anyhow::Result<()> {
    let epoch = args.epoch.map(Timestamp::from_ms);
    let clock = match epoch {
        None if (args.speed - 1.0).abs() < f64::EPSILON => Clock::system(),
        None => Clock::scaled(Clock::system().now(), args.speed),
        Some(epoch) => Clock::scaled(epoch, args.speed),
    };
    let start = epoch.unwrap_or(clock.now());
    let simulation = Arc::new(Simulation::new(SimulationConfig {
        devices: args.devices,
        branches: args.devices.div_ceil(DEVICES_PER_BRANCH).max(3),
        seed: args.seed,
        utc_offset_min: Settings::default().utc_offset_min,
        rollout: args.rollout_in.map(|wait| next_minute(start, wait)),
        ..SimulationConfig::new(args.scenario, start)
    }));
    writeln!(io::stderr().lock(), "{}", announcement(&simulation))?;
    let config = FleetConfig {
        form: form(args.encoding),
        latency: latency(args.latency),
        ..FleetConfig::new(target(&args.broker)?)
    };
    let progress = Arc::new(Progress::default());
    let (quit, quitting) = watch::channel(false);
    let running = mqtt::run(simulation, config, clock, Arc::clone(&progress), quitting);
    guard(running, &quit, &progress, args.run_for, stop).await?.context("cannot run the fleet")?;
    tell(&progress, "ended")?;
    Ok(())
}

/// The first minute that begins so long after an instant; what is years away is as good as ten.
fn next_minute(start: Timestamp, wait: Duration) -> Timestamp {
    const TEN_YEARS_MS: i64 = 3_652 * 86_400_000;
    let wait_ms = i64::try_from(wait.as_millis()).unwrap_or(TEN_YEARS_MS).min(TEN_YEARS_MS);
    start.plus_ms(wait_ms + 59_999).minute().start()
}

/// Fleet time from the rollout's begin to the first early warnings, and to the declaration, in minutes: about.
const WARNED_MIN: i64 = 25;
const DECLARED_MIN: i64 = 70;

/// When there will be something to see.
fn announcement(simulation: &Simulation) -> String {
    let config = simulation.config();
    let minutes = |count: i64| count * 60_000;
    let left = simulation.rollout().since_ms(config.epoch) / minutes(1);
    let rollout = format!(
        "update {} rolls out in {left} min of the fleet's time, at {} there (UTC+{} min)",
        simulation.version_built_after(0),
        local_time(simulation.rollout(), config.utc_offset_min),
        config.utc_offset_min
    );
    match config.scenario {
        Scenario::Quiet => "nothing will happen".to_owned(),
        Scenario::Nightly => format!(
            "{rollout}; look in about {} min for early warnings, in about {} min for the major incident",
            left + WARNED_MIN,
            left + DECLARED_MIN
        ),
        _ => format!("{rollout}; the story begins then"),
    }
}

async fn load(args: &SimulateLoadArgs, stop: &mut Stop) -> anyhow::Result<()> {
    let config = LoadConfig {
        form: form(args.encoding),
        connections: args.connections,
        devices: args.devices,
        rate: args.rate.map(|rate| rate as f64),
        count: args.messages.unwrap_or(u64::MAX),
        seed: args.seed,
        ..LoadConfig::new(target(&args.broker)?)
    };
    let progress = Arc::new(Progress::default());
    let (quit, quitting) = watch::channel(false);
    let running = load::run(config, Clock::system(), Arc::clone(&progress), quitting);
    let outcome = match guard(running, &quit, &progress, args.run_for, stop).await? {
        Ok(outcome) => outcome,
        Err(error @ load::LoadError::Descriptors(_)) => return Err(error.into()),
        Err(error) => return Err(Failure::Usage(error.to_string()).into()),
    };
    writeln!(io::stdout().lock(), "{outcome}")?;
    match args.messages {
        Some(wanted) if outcome.acked < wanted && args.run_for.is_none() && !*quit.borrow() => {
            anyhow::bail!("{} of {wanted} reports were acknowledged", outcome.acked)
        }
        _ => Ok(()),
    }
}

/// Lets `running` run, tells how it goes, and ends it when its time is over or the end is asked for.
async fn guard<T>(
    running: impl Future<Output = T>,
    quit: &watch::Sender<bool>,
    progress: &Progress,
    run_for: Option<Duration>,
    stop: &mut Stop,
) -> io::Result<T> {
    tokio::pin!(running);
    let over = tokio::time::sleep(run_for.unwrap_or(Duration::MAX));
    tokio::pin!(over);
    let mut telling = tokio::time::interval_at((clock::monotonic() + TELL_EVERY).into(), TELL_EVERY);
    telling.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let ending = *quit.borrow();
        tokio::select! {
            done = &mut running => return Ok(done),
            () = stop.asked(), if !ending => drop(quit.send_replace(true)),
            () = &mut over, if !ending => drop(quit.send_replace(true)),
            _ = telling.tick() => tell(progress, "running")?,
        }
    }
}

/// One line of progress, on standard error.
fn tell(progress: &Progress, state: &str) -> io::Result<()> {
    let read = |counter: &std::sync::atomic::AtomicU64| counter.load(Relaxed);
    writeln!(
        io::stderr().lock(),
        "{state}: {} connected, {} sent, {} acknowledged, {} sent again, {} given up, {} connection failures",
        read(&progress.connected),
        read(&progress.sent),
        read(&progress.acked),
        read(&progress.resent),
        read(&progress.dropped),
        read(&progress.failures)
    )
}

fn target(args: &BrokerArgs) -> anyhow::Result<Target> {
    if args.ca_file.is_some() {
        let told = "simulate speaks plain MQTT only; give it a listener without TLS on the broker's own machine";
        return Err(Failure::Usage(told.into()).into());
    }
    let credentials = match &args.credentials_file {
        Some(path) => {
            let read = Credentials::read(path).with_context(|| format!("cannot use {}", path.display()))?;
            Some((read.username.clone(), read.password.clone()))
        }
        None => None,
    };
    Ok(Target { host: args.broker.host.clone(), port: args.broker.port, root: args.root.clone(), credentials })
}

fn form(encoding: Encoding) -> PayloadForm {
    match encoding {
        Encoding::Json => PayloadForm::Json,
        Encoding::Binary => PayloadForm::Binary,
    }
}

fn latency(form: LatencyForm) -> encode::LatencyForm {
    match form {
        LatencyForm::Samples => encode::LatencyForm::Samples,
        LatencyForm::Counts => encode::LatencyForm::Counts,
        LatencyForm::Hdr => encode::LatencyForm::Hdr,
        LatencyForm::HdrDeflate => encode::LatencyForm::HdrDeflate,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_look_at_when_is_said() {
        let epoch = Timestamp::from_ms(1_795_020_600_000);
        let said = |scenario, rollout| {
            let config = SimulationConfig {
                devices: 10,
                utc_offset_min: 540,
                rollout,
                ..SimulationConfig::new(scenario, epoch)
            };
            announcement(&Simulation::new(config))
        };
        let nightly = said(Scenario::Nightly, None);
        assert!(nightly.contains("rolls out in 10 min") && nightly.contains("02:00:00"), "{nightly}");
        assert!(nightly.contains("in about 35 min") && nightly.contains("in about 80 min"), "{nightly}");
        let soon = said(Scenario::Nightly, Some(epoch.plus_ms(45 * 60_000)));
        assert!(soon.contains("rolls out in 45 min") && soon.contains("02:35:00"), "{soon}");
        assert_eq!(said(Scenario::Quiet, None), "nothing will happen");
        assert_eq!(next_minute(epoch, Duration::from_secs(61)), epoch.plus_ms(120_000));
        assert!(next_minute(epoch, Duration::MAX) > epoch);
    }
}
