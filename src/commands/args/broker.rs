//! Options of the commands that talk to any broker: `simulate` and `record`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use crate::lab::simulation::Scenario;

use crate::clock::parse::{duration, speed};

/// `simulate fleet` and `simulate load`.
#[derive(Clone, Debug, Subcommand)]
pub enum SimulateArgs {
    /// Play a fleet: each device with its own connection, birth and will message.
    Fleet(SimulateFleetArgs),
    /// Publish as many reports as asked for and say how many were acknowledged.
    Load(SimulateLoadArgs),
}

/// Which broker, and how to get in.
#[derive(Clone, Debug, Args)]
pub struct BrokerArgs {
    /// Address of the broker.
    #[arg(long, short, default_value = "127.0.0.1:1883", value_parser = host_and_port, value_name = "HOST:PORT")]
    pub broker: HostPort,

    /// First level of every topic.
    #[arg(long, default_value = "utm", value_name = "NAME")]
    pub root: String,

    /// Encrypt, and trust the authorities in this PEM file.
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,

    /// Client certificate (PEM).
    #[arg(long, requires = "key_file", requires = "ca_file", value_name = "FILE")]
    pub cert_file: Option<PathBuf>,

    /// Private key of the client certificate (PEM).
    #[arg(long, requires = "cert_file", value_name = "FILE")]
    pub key_file: Option<PathBuf>,

    /// File with two lines: user name, password.
    #[arg(long, value_name = "FILE")]
    pub credentials_file: Option<PathBuf>,
}

/// A host and a port.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostPort {
    /// Name or address, an IPv6 address without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
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

/// Options of `record`.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
Each line is {\"at\":MS,\"topic\":\"...\",\"payload\":{...}}, or \"payload_b64\" where the payload is not JSON.

Examples:
  fleetwatch record --broker 127.0.0.1:1883 --output night.jsonl --for 8h
  fleetwatch record --output - | fleetwatch replay -")]
pub struct RecordArgs {
    /// Where to subscribe.
    #[command(flatten)]
    pub broker: BrokerArgs,

    /// Where to write; - is standard output.
    #[arg(long, short, default_value = "-", value_name = "FILE")]
    pub output: PathBuf,

    /// Client id; it must differ from that of `serve`.
    #[arg(long, default_value = "fleetwatch-record", value_name = "ID")]
    pub client_id: String,

    /// End after this time.
    #[arg(long = "for", value_parser = duration, value_name = "DURATION")]
    pub run_for: Option<Duration>,

    /// End after this many messages.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub messages: Option<u64>,

    /// Fleet time at the start, in ms since 1970: for recording a simulated fleet that was given the same.
    #[arg(long, hide = true, env = "FLEETWATCH_EPOCH_MS", value_name = "MS")]
    pub epoch: Option<i64>,

    /// Seconds of fleet time in one real second, with --epoch.
    #[arg(long, hide = true, env = "FLEETWATCH_SPEED", value_parser = speed, value_name = "FACTOR")]
    pub speed: Option<f64>,
}

/// `host:port`, `[::1]:port`, or a host alone with the usual port.
fn host_and_port(text: &str) -> Result<HostPort, String> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.starts_with('[') => {
            (host, port.parse::<u16>().ok().filter(|port| *port > 0).ok_or("the port must be 1 to 65535")?)
        }
        _ => (text, 1_883),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() || host.chars().any(|c| c.is_whitespace() || c.is_control() || c == '/') {
        return Err("write it like broker.example:1883".into());
    }
    Ok(HostPort { host: host.into(), port })
}
