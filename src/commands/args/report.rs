//! Options of `report`.

use std::path::PathBuf;

use clap::Args;

/// Options of `report`.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
What the night amounted to: major incidents, those of one device, near misses with the reason why each was not declared, the
longest streaks, the suspects, and devices that do not report. The record does not know of silent devices: ask the running
instance with --from. The same stands on its page /report.

A time is HH:MM in the configured zone (the last one before the end), a length back from the end (24h, 90m), or RFC 3339.

Examples:
  fleetwatch report
  fleetwatch report --since 24h --json
  fleetwatch report --since 18:00 --until 08:30 --from http://127.0.0.1:8080")]
pub struct ReportArgs {
    /// From when.
    #[arg(long, default_value = "18:00", value_name = "TIME")]
    pub since: String,

    /// Up to when; now by default.
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,

    /// Address of a running instance, instead of the record that the configuration names.
    #[arg(long, value_name = "URL")]
    pub from: Option<String>,

    /// Configuration file.
    #[arg(long, short, env = "FLEETWATCH_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// One JSON object instead of text.
    #[arg(long)]
    pub json: bool,
}
