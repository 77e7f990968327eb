//! `gate list`, `gate hold` and `gate release`.

use clap::{Args, Subcommand};

/// What is to be done about the gates of updates.
#[derive(Clone, Debug, Subcommand)]
pub enum GateCommand {
    /// Print what the updater is told about each version.
    List(GateListArgs),
    /// Stop an update: the updater installs it on no further device.
    Hold(GateSetArgs),
    /// Let the updater go on with an update.
    Release(GateSetArgs),
}

/// Which running instance.
#[derive(Clone, Debug, Args)]
pub struct GateServer {
    /// Address of a running instance.
    #[arg(long, env = "FLEETWATCH_SERVER", default_value = "http://127.0.0.1:8080", value_name = "URL")]
    pub server: String,
}

/// Options of `gate list`.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
One line a version: version, hold or release, who decided, when (UTC), incident or event, and why.

Examples:
  fleetwatch gate list
  fleetwatch gate list --json")]
pub struct GateListArgs {
    /// Where to ask.
    #[command(flatten)]
    pub server: GateServer,

    /// Print the API's JSON.
    #[arg(long)]
    pub json: bool,
}

/// Options of `gate hold` and `gate release`.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
The decision is recorded with name and reason, and stands until a person changes it: the detector no longer decides about
this version. Where people log in, a token with the scope gate is needed: FLEETWATCH_TOKEN_FILE names its file.

Examples:
  fleetwatch gate hold 2026.11.21 --by Sato --reason withdrawn
  fleetwatch gate release 2026.11.21 --by Sato --reason see-INC-2026-0001")]
pub struct GateSetArgs {
    /// The update's version, as devices send it.
    #[arg(value_name = "VERSION")]
    pub update: String,

    /// Who decides, where nobody is asked to log in (access.mode = "none"); elsewhere it is the token's name.
    #[arg(long, value_name = "NAME")]
    pub by: Option<String>,

    /// Why; people read it in the incident's record.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,

    /// Where to say it.
    #[command(flatten)]
    pub server: GateServer,
}
