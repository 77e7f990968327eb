//! Options of `serve`.

use std::path::PathBuf;

use clap::Args;

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

    /// Believe the server's clock, however far it is from the last run. For one start, after the server was off for long.
    #[arg(long)]
    pub clock_is_right: bool,
}
