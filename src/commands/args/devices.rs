//! Options of `devices`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::gate::GateServer;

/// `devices import`, `devices export` and `devices forget`.
#[derive(Clone, Debug, Subcommand)]
pub enum DevicesCommand {
    /// Check a list, and put it in place sorted and in one form.
    Import(ImportArgs),
    /// Write the list of a file or of a running instance as CSV.
    Export(ExportArgs),
    /// Take devices out of the fleet of a running instance: scrapped ones, and names that never were a device.
    Forget(ForgetArgs),
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

/// Options of `devices forget`.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
All of them are forgotten, or none: what was learnt of them, and whom to call about them. The record keeps who forgot them,
when and why; incidents that are closed keep what they say. A device that reports again is a new one.

A device stays while it is on devices.expected (take it off the list and restart first), is part of an event that is open, or of
an incident that is not closed (except it there, or close the incident). Where people log in, an administrator's token with the
scope admin is needed: FLEETWATCH_TOKEN_FILE names its file.

The broker is told to drop the device's last status, which it would deliver again after a new subscription. One that does not
let fleetwatch write there keeps it; clear it by hand:
  mosquitto_pub -r -n -q 1 -t utm/v1/B-0042/status

Examples:
  fleetwatch devices forget B-0042 --by Sato --reason scrapped
  fleetwatch devices forget B-0042 B-0043 --by Sato --reason moved --server https://noc.example.jp")]
pub struct ForgetArgs {
    /// The devices, by their ids.
    #[arg(value_name = "ID", required = true, num_args = 1..)]
    pub devices: Vec<String>,

    /// Who forgets them, where nobody is asked to log in (access.mode = "none"); elsewhere it is the token's name.
    #[arg(long, value_name = "NAME")]
    pub by: Option<String>,

    /// Why; it stands in the record.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,

    /// Where to say it.
    #[command(flatten)]
    pub server: GateServer,
}
