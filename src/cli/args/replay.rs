//! Options of `replay`.

use std::path::PathBuf;

use clap::{ArgAction, Args};

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
