//! Options of `demo`; what they say is what `--help` teaches.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::lab::simulation::Scenario;

use crate::clock::parse::{duration, speed};

/// When a simulated story begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Epoch {
    Now,
    /// ms since 1970.
    At(i64),
}

fn epoch(text: &str) -> Result<Epoch, String> {
    match (text, text.parse()) {
        ("now", _) => Ok(Epoch::Now),
        (_, Ok(ms)) if (0..=4_102_444_800_000).contains(&ms) => Ok(Epoch::At(ms)),
        _ => Err("must be `now`, or ms since 1970".into()),
    }
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

In nightly, simulated people work on the incident from its declaration to its close, some 5 minutes in all: they answer,
agree on a workaround, call the customers, ship the fix, find a revert that failed, and are refused a close that comes
too early. A device is verified after 20 quiet minutes there, instead of the hour that is the rule.

--no-crew leaves all of that to you, on the pages. Time slows down once an incident is declared (--work-speed). Development agrees to the countermeasure that you register. A customer whom
you record as reached changes the setting some minutes later; the updater installs the fix once you have released it, unless its
gate says hold.

The same options tell the same story on every machine: where it is too slow for the speed, time goes more slowly, and the terminal
says so.

The story begins at 01:50, Japanese time, ten minutes before the nightly rollout; nightly is declared after some 75 s.
--epoch now begins it now, and rolls out ten minutes later, so that a Prometheus that scrapes it has graphs and instants of one
date: with --speed 1 side by side; faster, the instants run ahead of the graphs.
First the two days before are worked through: the hours of the story whole, eleven minutes of each other hour.

Each device reports every 10 s of its time. Where that would make more than 6,500 reports a second (1,000 devices at
60 times the speed make 6,000), the period is longer, up to 60 s. A device takes two file descriptors here; the soft
limit is raised as far as the hard one allows (see `ulimit -Hn`).

Examples:
  fleetwatch demo
  fleetwatch demo --scenario 59-minutes --speed 120
  fleetwatch demo --http-port 8080 --mqtt-port 1883     fixed ports, for looking at it with other tools
  fleetwatch demo --no-crew                             work on the incident yourself
  fleetwatch demo --exit-when-declared --for 5m --plain  for scripts: exit code 0 once declared, 4 if not
  fleetwatch demo --exit-when-closed --speed 120         the whole life of the incident, and no longer")]
pub struct DemoArgs {
    /// The story to tell.
    #[arg(long, short, default_value_t = Scenario::Nightly, value_name = "NAME")]
    pub scenario: Scenario,

    /// Seconds of fleet time in one real second; 60: an hour a minute.
    #[arg(long, default_value_t = 60.0, value_parser = speed, value_name = "FACTOR")]
    pub speed: f64,

    /// When the story begins: `now`, or ms since 1970. A night of November 2026 unless given.
    #[arg(long, value_parser = epoch, value_name = "now|MS")]
    pub epoch: Option<Epoch>,

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

    /// End with code 0 as soon as an incident is closed; with --for and none closed, with code 4.
    #[arg(long, conflicts_with = "exit_when_declared")]
    pub exit_when_closed: bool,

    /// Let nobody work on the incidents but you. Only `nightly` has a crew. Customers and the updater do what is decided on the
    /// pages.
    #[arg(long)]
    pub no_crew: bool,

    /// With --no-crew, seconds of fleet time in one real second while an incident is open; at most --speed. 6 unless given.
    #[arg(long, value_parser = speed, value_name = "FACTOR", requires = "no_crew")]
    pub work_speed: Option<f64>,

    /// Port of the pages and metrics on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 0, value_name = "PORT")]
    pub http_port: u16,

    /// Port of the embedded broker on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 0, value_name = "PORT")]
    pub mqtt_port: u16,

    /// Keep journal, checkpoint and record here instead of in a temporary directory that is removed at the end.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// Write the story to this file as JSON lines: what was decided, done and told, and nothing of the machine. The same
    /// options give the same file.
    #[arg(long, value_name = "FILE")]
    pub transcript: Option<PathBuf>,

    /// Plain lines instead of the live view; the default where standard output is not a terminal.
    #[arg(long)]
    pub plain: bool,
}
