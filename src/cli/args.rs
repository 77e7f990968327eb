//! The subcommands and their options. Doc comments here are what `--help` says.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use crate::config::LogFormat;
use crate::simulation::Scenario;

const EXAMPLES: &str = "\
First steps:
  fleetwatch demo                                    watch an update go wrong, nothing to install
  fleetwatch check-config /etc/fleetwatch/fleetwatch.toml
  fleetwatch serve --config /etc/fleetwatch/fleetwatch.toml

Exit codes:
  0  done, or ended on request (Ctrl-C, SIGTERM)
  1  failed while running: network, disk, broker
  2  wrong command line
  3  faults in the configuration or in a device list; every one is printed
  4  what was waited for did not happen (demo --exit-when-declared)

Logs go to standard error, results to standard output. Every setting has an environment variable too:
FLEETWATCH__SECTION__KEY, for example FLEETWATCH__DETECTOR__HOLD_MIN=45.";

/// Watches a fleet of UTM appliances over MQTT and declares a major incident when quality has been degraded for one
/// hour without a break.
#[derive(Debug, Parser)]
#[command(name = "fleetwatch", version, after_long_help = EXAMPLES, arg_required_else_help = true)]
#[command(propagate_version = true, max_term_width = 110)]
pub struct Cli {
    /// Form of the log lines on standard error; auto: text on a terminal, JSON elsewhere.
    #[arg(long, global = true, value_enum, default_value = "auto", value_name = "FORMAT")]
    pub log_format: LogFormat,

    /// Level of the log: off, error, warn, info, debug, trace; with parts: info,rmqtt=warn.
    #[arg(long, global = true, value_name = "LEVEL")]
    pub log_level: Option<String>,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Watch a fleet: collect reports, decide, keep the record, show pages.
    Serve(ServeArgs),
    /// Show the main job with a simulated fleet in this one process.
    Demo(DemoArgs),
    /// Play a fleet, or put load, on a broker.
    #[command(subcommand)]
    Simulate(SimulateArgs),
    /// Write what a broker delivers to a recording.
    Record(RecordArgs),
    /// Run a recording or a journal through the detector on virtual time.
    Replay(ReplayArgs),
    /// Keep the list of expected devices.
    #[command(subcommand)]
    Devices(DevicesCommand),
    /// Tell everything that is wrong with a configuration.
    CheckConfig(CheckConfigArgs),
    /// Print a completion script for a shell.
    Completions(CompletionsArgs),
}

/// Options of `serve`.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Without --config the defaults hold: an embedded broker on 127.0.0.1:1883, pages on http://127.0.0.1:8080/, state in
/var/lib/fleetwatch. deploy/fleetwatch.toml is the commented sample, deploy/fleetwatch.service the systemd unit.

Examples:
  fleetwatch serve --config /etc/fleetwatch/fleetwatch.toml
  FLEETWATCH__BROKER__MODE=external FLEETWATCH__BROKER__EXTERNAL__PORT=1884 fleetwatch serve

SIGTERM and Ctrl-C end it cleanly: what was acknowledged is on disk. After a crash the hour goes on where it was.")]
pub struct ServeArgs {
    /// Configuration file (TOML).
    #[arg(long, short, env = "FLEETWATCH_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Options of `demo`.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
Scenarios:
  nightly      an update over-detects https traffic and delays it: one major incident (the default)
  quiet        nothing happens
  59-minutes   the same as nightly, but over after 59 minutes: no incident
  flapping     20 minutes bad, 10 minutes good, again and again: no incident
  isp-fault    a branch's line degrades, which no update explains
  two-updates  two updates roll out, one of them is at fault
  backlog      devices are cut off during the hour and deliver it later

The story begins at 01:50, Japanese time, ten minutes before the nightly rollout; nightly is declared after some 75 s.
First the two days before are worked through: the hours of the story whole, eleven minutes of each other hour.

Each device reports every 10 s of its time. Where that would make more than 6,500 reports a second (1,000 devices at
60 times the speed make 6,000), the period is longer, up to 60 s. A device takes two file descriptors here; the soft
limit is raised as far as the hard one allows (see `ulimit -Hn`).

Examples:
  fleetwatch demo
  fleetwatch demo --scenario 59-minutes --speed 120
  fleetwatch demo --http-port 8080 --mqtt-port 1883     fixed ports, for looking at it with other tools
  fleetwatch demo --exit-when-declared --for 5m --plain  for scripts: exit code 0 once declared, 4 if not")]
pub struct DemoArgs {
    /// The story to tell.
    #[arg(long, short, default_value_t = Scenario::Nightly, value_name = "NAME")]
    pub scenario: Scenario,

    /// Seconds of fleet time in one real second; 60: an hour a minute.
    #[arg(long, default_value_t = 60.0, value_parser = speed, value_name = "FACTOR")]
    pub speed: f64,

    /// Size of the fleet; 20 devices in a branch.
    #[arg(long, short, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000), value_name = "N")]
    pub devices: u32,

    /// Seed of everything that is random; the same seed tells the same story.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,

    /// End by itself after this real time, such as 90s or 5m, counted from when the fleet begins to connect.
    #[arg(long = "for", value_parser = duration, value_name = "DURATION")]
    pub run_for: Option<Duration>,

    /// End with code 0 as soon as a major incident is declared; with --for and none declared, with code 4.
    #[arg(long)]
    pub exit_when_declared: bool,

    /// Port of the pages and metrics on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 0, value_name = "PORT")]
    pub http_port: u16,

    /// Port of the embedded broker on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 0, value_name = "PORT")]
    pub mqtt_port: u16,

    /// Keep journal, checkpoint and record here instead of in a temporary directory that is removed at the end.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// Plain lines instead of the live view; the default where standard output is not a terminal.
    #[arg(long)]
    pub plain: bool,
}

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
`serve` use --speed 1.

Examples:
  fleetwatch simulate fleet --broker 127.0.0.1:1883 --devices 100
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

/// Options of `replay`.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
The clock is the recording's own, so a night passes in seconds, and the same recording prints the same bytes.
Standard output carries one JSON object a line for each change, and nothing else.

Examples:
  fleetwatch replay night.jsonl
  fleetwatch replay /var/lib/fleetwatch/journal      what was lived, again
  fleetwatch replay night.jsonl --hold-min 45         what would a 45-minute rule have done?
  zcat night.jsonl.gz | fleetwatch replay -")]
pub struct ReplayArgs {
    /// Recording (JSON lines), directory of a journal, or - for standard input.
    #[arg(value_name = "FILE|DIR|-")]
    pub source: PathBuf,

    /// Configuration file; its detector, topic and devices sections are used.
    #[arg(long, short, env = "FLEETWATCH_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Another length of the hour, in minutes; early warnings that come after it are left out.
    #[arg(long, value_parser = clap::value_parser!(u32).range(5..=420), value_name = "MINUTES")]
    pub hold_min: Option<u32>,

    /// Add the minutes that prove the hour to each declaration.
    #[arg(long, action = ArgAction::SetTrue)]
    pub proof: bool,

    /// Print counts (messages, refusals, speed) to standard error at the end.
    #[arg(long, action = ArgAction::SetTrue)]
    pub summary: bool,
}

/// `devices import` and `devices export`.
#[derive(Clone, Debug, Subcommand)]
pub enum DevicesCommand {
    /// Check a list, and put it in place sorted and in one form.
    Import(ImportArgs),
    /// Write the list of a file or of a running instance as CSV.
    Export(ExportArgs),
}

/// Options of `devices import`.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
The first line names the columns, in any order: device (needed), branch, model, customer. UTF-8; a byte order mark and
Windows line ends are fine. All faults are told at once, and a list with a fault is not put in place.

Examples:
  fleetwatch devices import fleet.csv --dry-run
  fleetwatch devices import fleet.csv --to /etc/fleetwatch/devices.csv")]
pub struct ImportArgs {
    /// CSV file, or - for standard input.
    #[arg(value_name = "FILE|-")]
    pub file: PathBuf,

    /// Where the list goes: the file that `devices.expected` names. It is replaced whole or not at all.
    #[arg(long, value_name = "FILE", required_unless_present = "dry_run")]
    pub to: Option<PathBuf>,

    /// Only check.
    #[arg(long, conflicts_with = "to")]
    pub dry_run: bool,
}

/// Options of `devices export`.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
A field that a spreadsheet would run as a formula (it begins with = + - @ or their full-width forms) gets one
apostrophe before it; `devices import` takes exactly that one away again.

Examples:
  fleetwatch devices export > fleet.csv                         those that a running instance knows
  fleetwatch devices export --from /etc/fleetwatch/devices.csv --output checked.csv")]
pub struct ExportArgs {
    /// Address of a running instance, or a CSV file.
    #[arg(long, default_value = "http://127.0.0.1:8080", value_name = "URL|FILE")]
    pub from: String,

    /// Where to write; standard output by default.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Options of `check-config`.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
Every fault is told with its place, key, value and rule; exit code 3 when there is any. Environment variables are
checked with the file, as `serve` would read them.

Examples:
  fleetwatch check-config deploy/fleetwatch.toml
  fleetwatch check-config --print            the defaults, as TOML")]
pub struct CheckConfigArgs {
    /// Configuration file; without it the defaults and the environment are checked.
    #[arg(env = "FLEETWATCH_CONFIG", value_name = "FILE")]
    pub file: Option<PathBuf>,

    /// Print the whole configuration as it holds, file and environment over the defaults.
    #[arg(long)]
    pub print: bool,
}

/// Options of `completions`.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
Examples:
  fleetwatch completions bash > /etc/bash_completion.d/fleetwatch
  fleetwatch completions fish > ~/.config/fish/completions/fleetwatch.fish")]
pub struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// `90s`, `5m`, `1h 30m`; at least a millisecond.
fn duration(text: &str) -> Result<Duration, String> {
    let parsed: jiff::SignedDuration = text.parse().map_err(|_| "write it like 90s, 5m or 1h30m".to_string())?;
    match Duration::try_from(parsed) {
        Ok(duration) if duration.as_millis() > 0 => Ok(duration),
        _ => Err("must be longer than nothing".into()),
    }
}

/// A speed-up that the clock can keep.
fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(factor) if (0.1..=3_600.0).contains(&factor) => Ok(factor),
        _ => Err("must be a number from 0.1 to 3600".into()),
    }
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
