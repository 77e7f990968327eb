//! Options of `devices`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

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
