//! Options of `check-config`, `dashboards` and `completions`.

use std::path::PathBuf;

use clap::Args;

/// Options of `check-config`.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
Every fault is told with its place, key, value and rule; exit code 3 when there is any. Environment variables are
checked with the file, as `serve` would read them.

Examples:
  fleetwatch check-config deploy/fleetwatch.toml
  fleetwatch check-config --print            the defaults, as TOML")]
pub struct CheckConfigArgs {
    /// Configuration file; without it the defaults and the environment are checked.
    #[arg(env = "FLEETWATCH_CONFIG", value_name = "FILE")]
    pub file: Option<PathBuf>,

    /// Print the whole configuration as it holds, file and environment over the defaults.
    #[arg(long)]
    pub print: bool,
}

/// Options of `dashboards`.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
The dashboards are those of this program's metrics; after an upgrade they are to be written again. Grafana reads them by
the provisioning files in grafana/provisioning.

Examples:
  fleetwatch dashboards /var/lib/grafana/dashboards/fleetwatch
  fleetwatch dashboards --check grafana/dashboards      exit code 1 when a file differs")]
pub struct DashboardsArgs {
    /// Directory of the dashboards: en/ and ja/ are made in it.
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,

    /// Write nothing; tell which files differ from what this program would write.
    #[arg(long)]
    pub check: bool,
}

/// Options of `completions`.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
Examples:
  fleetwatch completions bash > /etc/bash_completion.d/fleetwatch
  fleetwatch completions fish > ~/.config/fish/completions/fleetwatch.fish")]
pub struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}
