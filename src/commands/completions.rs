//! `completions`: a completion script for a shell.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Command};

use crate::runtime::failure::Failure;

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

/// Writes the script for `command`.
///
/// # Errors
/// When `out` refuses.
pub fn run(shell: clap_complete::Shell, mut command: Command, out: &mut dyn Write) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "fleetwatch", &mut script);
    out.write_all(&script).map_err(|error| Failure::write(PathBuf::from("-"), error))
}
