//! Why a command ended badly, the exit code of each kind, and how it is told.

use std::io::Write;
use std::path::PathBuf;

use thiserror::Error;

use crate::config;
use crate::inventory;

/// Exit code of a failure at run time: something outside refused (network, disk, broker).
pub const RUNTIME: u8 = 1;
/// Exit code of a wrong command line.
pub const USAGE: u8 = 2;
/// Exit code of faults in the configuration or in a device list.
pub const INPUT: u8 = 3;
/// Exit code when everything worked and what was waited for did not happen (`demo --exit-when-declared`).
pub const NOT_SEEN: u8 = 4;

/// Why a command ended badly.
#[derive(Debug, Error)]
pub enum Failure {
    /// Faults in the configuration; never empty.
    #[error("the configuration has {}", count(.0.len()))]
    Config(Vec<config::Fault>),
    /// Faults in settings that were given as options; never empty.
    #[error("the options have {}", count(.0.len()))]
    Options(Vec<config::Fault>),
    /// Faults in a device list; never empty.
    #[error("{} has {}", .0.display(), count(.1.iter().map(|fault| fault.count).sum()))]
    Devices(PathBuf, Vec<inventory::Fault>),
    /// The options contradict each other or the situation.
    #[error("{0}")]
    Usage(String),
    /// What was waited for did not happen.
    #[error("{0}")]
    NotSeen(String),
    /// Anything else.
    #[error(transparent)]
    Runtime(#[from] anyhow::Error),
}

fn count(faults: usize) -> String {
    if faults == 1 { "1 fault".into() } else { format!("{faults} faults") }
}

impl Failure {
    /// A sink that refused. `path` is `-` for standard output.
    pub fn write(path: PathBuf, error: std::io::Error) -> Self {
        let target = if path.as_os_str() == "-" { "standard output".into() } else { path.display().to_string() };
        Self::Runtime(anyhow::Error::new(error).context(format!("cannot write to {target}")))
    }

    /// The exit code. A reader of our output that went away is not a failure: 0.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) | Self::Devices(..) => INPUT,
            Self::Options(_) | Self::Usage(_) => USAGE,
            Self::NotSeen(_) => NOT_SEEN,
            Self::Runtime(error) if is_broken_pipe(error) => 0,
            Self::Runtime(_) => RUNTIME,
        }
    }

    /// Prints the failure: every fault on a line of its own, an error with its causes once.
    ///
    /// # Errors
    /// When `out` refuses.
    pub fn print(&self, out: &mut dyn Write) -> std::io::Result<()> {
        match self {
            Self::Config(faults) | Self::Options(faults) => {
                for fault in faults {
                    writeln!(out, "{fault}")?;
                }
            }
            Self::Devices(path, faults) => {
                for fault in faults {
                    writeln!(out, "{}: {fault}", path.display())?;
                }
            }
            Self::Usage(_) | Self::NotSeen(_) | Self::Runtime(_) => {}
        }
        match self {
            Self::Runtime(error) => writeln!(out, "fleetwatch: {error:#}"),
            other => writeln!(out, "fleetwatch: {other}"),
        }
    }
}

/// Whether some cause is a pipe whose reader went away.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
    })
}
