//! The command line as a whole: the subcommands and what holds for all of them. Doc comments here are what `--help` says.

use clap::{Parser, Subcommand};

use super::backtest::BacktestArgs;
use super::check_config::CheckConfigArgs;
use super::completions::CompletionsArgs;
use super::dashboards::DashboardsArgs;
use super::devices::DevicesCommand;
use super::explain::args::ExplainArgs;
use super::gate::GateCommand;
use super::incident::IncidentCommand;
use super::notify::NotifyCommand;
use super::record::RecordArgs;
use super::replay::ReplayArgs;
use super::report::ReportArgs;
use super::serve::ServeArgs;
use super::simulate::SimulateArgs;
use super::token::TokenCommand;
use super::user::UserCommand;
use crate::config::LogFormat;
use crate::lab::demo::options::DemoArgs;
use crate::lab::score::options::ScoreArgs;

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
    /// Run a grid of settings over a recording or a journal and compare what each would have declared.
    Backtest(BacktestArgs),
    /// Tell how an incident is proved, why a near miss was not declared, or how a device was judged.
    Explain(ExplainArgs),
    /// Tell what a night amounted to.
    Report(ReportArgs),
    /// Measure the detector on stories with a known truth, beside two Prometheus set-ups.
    Score(ScoreArgs),
    /// Keep the list of expected devices.
    #[command(subcommand)]
    Devices(DevicesCommand),
    /// See and decide which updates the updater may go on with.
    #[command(subcommand)]
    Gate(GateCommand),
    /// Try the channels over which people and programs are told.
    #[command(subcommand)]
    Notify(NotifyCommand),
    /// See incidents and work on them.
    #[command(subcommand)]
    Incident(IncidentCommand),
    /// Say who may log in, and as what.
    #[command(subcommand)]
    User(UserCommand),
    /// Give programs access to the API.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Tell everything that is wrong with a configuration.
    CheckConfig(CheckConfigArgs),
    /// Write the Grafana dashboards of this version's metrics.
    Dashboards(DashboardsArgs),
    /// Print a completion script for a shell.
    Completions(CompletionsArgs),
}
