//! The command `fleetwatch`; everything is in [`fleetwatch::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    fleetwatch::cli::main(std::env::args_os())
}
