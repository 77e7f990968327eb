//! Options of `explain`.

use std::path::PathBuf;

use clap::Args;

/// Options of `explain`.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
Of an incident or a near miss (INC-2026-0012, or E-0034 as warnings name it) it is told how the hour is proved, minute by minute,
who is suspected and on which counts, what carries the damage, and who was hit when; of one that was not declared, why not.
Of a device, how each of its last minutes was judged and why.

Incidents come from the record that the configuration names, or with --from from a running instance, or from a replay of a
recording or a journal, whose numbers may differ from those that were lived. A device always takes a replay: of the
configured journal, unless --from names another source.

Examples:
  fleetwatch explain INC-2026-0012
  fleetwatch explain E-0034 --from http://127.0.0.1:8080        why was it not declared?
  fleetwatch explain INC-2026-0001 --from night.jsonl --minutes
  fleetwatch explain B-0042 --at 03:30                          from the journal
  fleetwatch explain B-0042 --at 2026-11-22T03:30:00+09:00 --from night.jsonl")]
pub struct ExplainArgs {
    /// Incident number, event id, or device id.
    #[arg(value_name = "INCIDENT|DEVICE")]
    pub what: String,

    /// For a device: up to when (RFC 3339, or HH:MM in the configured zone, the last one before the source's end).
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,

    /// For a device: so many hours before that.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=8), value_name = "N")]
    pub hours: u16,

    /// Recording, directory of a journal, or address of a running instance.
    #[arg(long, value_name = "FILE|DIR|URL")]
    pub from: Option<String>,

    /// Configuration file.
    #[arg(long, short, env = "FLEETWATCH_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Add the counts of every minute as a table.
    #[arg(long)]
    pub minutes: bool,

    /// Draw with ASCII alone; the default where the locale is not UTF-8.
    #[arg(long)]
    pub ascii: bool,
}
