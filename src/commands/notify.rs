//! `notify test`: one message over one channel, as `serve` would send it.

use std::io::{self, Write as _};

use anyhow::Context as _;

use super::args::NotifyTestArgs;
use crate::config::Config;
use crate::runtime::notify::deliver_test;

/// Runs `notify test` with the process' own streams.
///
/// # Errors
/// When there is no such channel, it cannot be made, or the message was not taken.
pub fn test(config: &Config, args: &NotifyTestArgs) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let told = runtime.block_on(deliver_test(config, &args.channel, args.to.as_deref()))?;
    writeln!(io::stdout().lock(), "{told}").context("cannot write to standard output")
}
