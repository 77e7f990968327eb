//! `notify test`: one message over one channel, as `serve` would send it.

use std::io::{self, Write as _};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};

use crate::config::Config;
use crate::runtime::notify::deliver_test;

/// What is to be done about the channels to people and programs.
#[derive(Clone, Debug, Subcommand)]
pub enum NotifyCommand {
    /// Send a test message over one channel and tell what came of it.
    Test(NotifyTestArgs),
}

/// Options of `notify test`.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
The message says that it is a test. It goes straight to the channel, once, whatever waits for it in a running instance;
exit code 1 when it was not taken. An Alertmanager shows it as FleetwatchTest for four minutes.

Examples:
  fleetwatch notify test --config /etc/fleetwatch/fleetwatch.toml --channel chat
  fleetwatch notify test --channel mail --to sato@example.jp")]
pub struct NotifyTestArgs {
    /// Name of the channel in the configuration.
    #[arg(long, value_name = "NAME")]
    pub channel: String,

    /// Who at that channel: a mail address, a room or a person of the chat; without it, whoever hears what is for all.
    #[arg(long, value_name = "TARGET")]
    pub to: Option<String>,

    /// Configuration file (TOML).
    #[arg(long, short, env = "FLEETWATCH_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Runs `notify test` with the process' own streams.
///
/// # Errors
/// When there is no such channel, it cannot be made, or the message was not taken.
pub fn test(config: &Config, args: &NotifyTestArgs) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let told = runtime.block_on(deliver_test(config, &args.channel, args.to.as_deref()))?;
    writeln!(io::stdout().lock(), "{told}").context("cannot write to standard output")
}
