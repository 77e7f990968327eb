//! `simulate`: the fleet alone, or a load, against any broker.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use super::broker::BrokerArgs;
use crate::clock::parse::{duration, speed};
use crate::clock::{self, Clock};
use crate::config::Credentials;
use crate::engine::settings::Settings;
use crate::engine::time::Timestamp;
use crate::engine::wire::encode;
use crate::lab::live::local_time;
use crate::lab::simulation::load::{self, LoadConfig};
use crate::lab::simulation::mqtt::{self, FleetConfig, PayloadForm, Progress, Target};
use crate::lab::simulation::{Scenario, Simulation, SimulationConfig};
use crate::runtime::failure::Failure;
use crate::runtime::stop::Stop;

/// `simulate fleet` and `simulate load`.
#[derive(Clone, Debug, Subcommand)]
pub enum SimulateArgs {
    /// Play a fleet: each device with its own connection, birth and will message.
    Fleet(SimulateFleetArgs),
    /// Publish as many reports as asked for and say how many were acknowledged.
    Load(SimulateLoadArgs),
}

/// Encoding of reports and statuses on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Encoding {
    /// JSON.
    Json,
    /// bincode 2, first byte 0x01.
    Binary,
}

/// Form of the latency distribution in a report.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum LatencyForm {
    /// Every value.
    Samples,
    /// Pairs of value and count: the fast one.
    Counts,
    /// HdrHistogram V2.
    Hdr,
    /// HdrHistogram V2, deflated.
    HdrDeflate,
}

/// Options of `simulate fleet`.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
Each device is a TCP connection, so 1,000 devices need a little over 1,000 file descriptors; the soft limit is raised
as far as the hard one allows (see `ulimit -Hn`).

A speed-up only makes sense for a receiver that runs at the same speed from the same epoch, such as the demo. Against
`serve` use --speed 1. There the update rolls out at 02:00, local time, and until then nothing happens; for a look at the
dashboards bring it forward with --rollout-in. What to look at when is said at the start.

Examples:
  fleetwatch simulate fleet --broker 127.0.0.1:1883 --devices 100
  fleetwatch simulate fleet --rollout-in 45m
  fleetwatch simulate fleet --scenario quiet --encoding binary --for 10m")]
pub struct SimulateFleetArgs {
    /// Where to publish.
    #[command(flatten)]
    pub broker: BrokerArgs,

    /// The story to tell; `fleetwatch demo --help` lists them.
    #[arg(long, short, default_value_t = Scenario::Nightly, value_name = "NAME")]
    pub scenario: Scenario,

    /// Size of the fleet.
    #[arg(long, short, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000), value_name = "N")]
    pub devices: u32,

    /// Seed of everything that is random.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,

    /// Seconds of fleet time in one real second.
    #[arg(long, default_value_t = 1.0, value_parser = speed, value_name = "FACTOR")]
    pub speed: f64,

    /// Fleet time at the start, in ms since 1970; the current time by default.
    #[arg(long, value_name = "MS")]
    pub epoch: Option<i64>,

    /// Roll the update out after this fleet time instead of at the next 02:00. A `serve` that has just begun needs half an hour
    /// to learn what is normal.
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    pub rollout_in: Option<Duration>,

    /// Encoding of the messages.
    #[arg(long, value_enum, default_value = "json")]
    pub encoding: Encoding,

    /// Form of the latency distribution.
    #[arg(long, value_enum, default_value = "counts")]
    pub latency: LatencyForm,

    /// End by itself after this real time.
    #[arg(long = "for", value_parser = duration, value_name = "DURATION")]
    pub run_for: Option<Duration>,
}

/// Options of `simulate load`.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
Examples:
  fleetwatch simulate load --messages 1000000                as fast as the broker takes them
  fleetwatch simulate load --rate 20000 --connections 8 --for 1m --encoding binary")]
pub struct SimulateLoadArgs {
    /// Where to publish.
    #[command(flatten)]
    pub broker: BrokerArgs,

    /// Reports to publish in all; without it, until --for is over.
    #[arg(long, value_name = "N", required_unless_present = "run_for")]
    pub messages: Option<u64>,

    /// Reports a second over all connections; without it, as fast as the broker takes them.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub rate: Option<u64>,

    /// TCP connections.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=10_000), value_name = "N")]
    pub connections: u32,

    /// Devices that the reports are said to come from.
    #[arg(long, short, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000), value_name = "N")]
    pub devices: u32,

    /// Seed of everything that is random.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,

    /// Encoding of the messages.
    #[arg(long, value_enum, default_value = "binary")]
    pub encoding: Encoding,

    /// End after this time.
    #[arg(long = "for", value_parser = duration, value_name = "DURATION")]
    pub run_for: Option<Duration>,
}

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
