//! Options of `backtest`.

use std::path::PathBuf;

use clap::Args;

/// Options of `backtest`.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
The product of all --grid axes is run over the source, each point a whole replay on virtual time, in parallel. For each
it is told what would have been declared, against the settings in force (the configuration's, and --set over it): gained
and lost incidents, early warnings, near misses, and how much earlier or later each was declared. Two incidents are the same
when their times overlap and they share three in ten devices. Keys and values are those of `replay --set`; alternatives of
a list are kept apart by ;.

What the baseline has learnt from the source depends on settings that judge minutes (ratio, delta, objectives,
false_positive_floor) and, after a day, on those that decide what an incident is: each point learns its own. State that
a recording brings was learnt under the settings of its time.

Examples:
  fleetwatch backtest night.jsonl --grid hold=45m,60m,75m --grid ratio=1.3,1.5,2.0
  fleetwatch backtest /var/lib/fleetwatch/journal --grid recover=3m,5m,10m --json
  fleetwatch backtest night.jsonl --set ratio=1.5 --grid 'warn_group=15m,30m;30m,45m'")]
pub struct BacktestArgs {
    /// Recording (JSON lines) or directory of a journal.
    #[arg(value_name = "FILE|DIR")]
    pub source: PathBuf,

    /// An axis of the grid; may be given again for each.
    #[arg(long, required = true, value_name = "KEY=VALUE,VALUE...")]
    pub grid: Vec<String>,

    /// A setting of all points and of the reference.
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,

    /// Configuration file; its detector, topic and devices sections are used.
    #[arg(long, short, env = "FLEETWATCH_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Replays at a time; as many as there are processors by default. Each takes the memory of a whole fleet.
    #[arg(long, short, value_parser = clap::value_parser!(u16).range(1..=256), value_name = "N")]
    pub jobs: Option<u16>,

    /// One JSON object a line for each point, the reference first, instead of the table.
    #[arg(long)]
    pub json: bool,
}
