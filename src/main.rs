//! The command `fleetwatch`; everything is in [`fleetwatch::commands`].

use std::process::ExitCode;

fn main() -> ExitCode {
    fleetwatch::commands::main(std::env::args_os())
}
