//! Options of `replay`.

use std::path::PathBuf;

use clap::{ArgAction, Args};

/// Options of `replay`.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
The clock is the recording's own, so a night passes in seconds, and the same recording prints the same bytes.
Standard output carries one JSON object a line for each change, and nothing else.

--set takes every key of the detector section, with its unit (hold_min=45) or with one in the value (hold=45m, delta=5ms,
grace=90s, warn_group=15m,30m). Early warnings that were not set and would come after the hour are left out. State that a
recording brings was learnt under the settings of its time; `fleetwatch backtest --help` says what that means.

Examples:
  fleetwatch replay night.jsonl
  fleetwatch replay /var/lib/fleetwatch/journal      what was lived, again
  fleetwatch replay night.jsonl --set hold=45m --set ratio=1.5     what would these settings have done?
  zcat night.jsonl.gz | fleetwatch replay -")]
pub struct ReplayArgs {
    /// Recording (JSON lines), directory of a journal, or - for standard input.
    #[arg(value_name = "FILE|DIR|-")]
    pub source: PathBuf,

    /// Configuration file; its detector, topic and devices sections are used.
    #[arg(long, short, env = "FLEETWATCH_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Another setting of the detector; may be given again for each.
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,

    /// The same as --set hold_min=MINUTES.
    #[arg(long, value_parser = clap::value_parser!(u32).range(5..=420), value_name = "MINUTES")]
    pub hold_min: Option<u32>,

    /// Add the minutes that prove the hour to each declaration.
    #[arg(long, action = ArgAction::SetTrue)]
    pub proof: bool,

    /// Print counts (messages, refusals, speed) to standard error at the end.
    #[arg(long, action = ArgAction::SetTrue)]
    pub summary: bool,
}
