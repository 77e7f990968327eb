//! The command line: what can be asked for, and how an ending becomes an exit code.
//!
//! | module | what it owns |
//! |---|---|
//! | [`cli`] | the subcommands, and the options that hold for all |
//! | [`serve`], [`record`], [`simulate`] | a server; what a broker delivers, as a recording; a fleet or a load against any broker |
//! | [`replay`], [`backtest`] | a recording or a journal, printed change by change; a grid of settings over it, compared |
//! | [`explain`], [`report`] | why an incident was declared, a near miss was not, a device was judged as it was; what a night amounted to |
//! | [`incident`], [`gate`], [`devices`] | the work on incidents, the decisions about updates, the fleet: over the API of a running instance |
//! | [`user`], [`token`], [`notify`] | who may; programs that may; whether a channel works |
//! | [`check_config`], [`dashboards`], [`completions`] | every fault of a configuration; the Grafana dashboards as files; a shell's completions |
//! | [`accounts`], `password`, [`broker`], [`fetch`], [`source`] | what commands share: the record of who may, a prompt, the options of a broker, a running instance, a recording or journal fed to an engine |
//! | [`logging`] | the subscriber: format, level, colour |
//!
//! A failure is printed once, here, to standard error. Standard output carries results only (replay's changes, exported
//! lists, completions), so it can be piped; a reader that goes away ends the command without complaint.

use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use crate::config::{self, Config, LogFormat};
use crate::lab;
use crate::runtime::failure::{self, Failure};

pub mod accounts;
pub mod backtest;
pub mod broker;
pub mod check_config;
pub mod cli;
pub mod completions;
pub mod dashboards;
pub mod devices;
pub mod explain;
pub mod fetch;
pub mod gate;
pub mod incident;
pub mod logging;
pub mod notify;
mod password;
pub mod record;
pub mod replay;
pub mod report;
pub mod serve;
pub mod simulate;
pub mod source;
pub mod token;
pub mod user;

#[cfg(test)]
mod tests;

use cli::{Cli, Command};
use notify::NotifyCommand;

/// What the demo logs without its panel: warnings, without what it shows by itself.
const DEMO_LOG: &str = "warn,fleetwatch::runtime::decision=error,fleetwatch::runtime::incidents=error";

/// Parses `arguments` (the program's name first), runs the command and gives its exit code. Everything is printed
/// already when it returns.
pub fn main<I, T>(arguments: I) -> ExitCode
where
    I: IntoIterator<Item = T>,
    T: Into<OsString> + Clone,
{
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are "errors" of clap too; it knows which stream and which code each deserves.
            let code = error.exit_code();
            let _ = error.print();
            return ExitCode::from(u8::try_from(code).unwrap_or(failure::USAGE));
        }
    };
    // What is written here holds telephone numbers, password hashes, sessions: it is its owner's alone, whatever the umask that
    // was inherited. Dashboards hold none of that, and are read by Grafana, which is somebody else.
    if !matches!(cli.command, Command::Dashboards(_)) {
        rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    }
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let code = failure.exit_code();
            if code != 0 {
                let _ = failure.print(&mut std::io::stderr().lock());
            }
            ExitCode::from(code)
        }
    }
}

/// Runs one command to its end.
fn run(cli: Cli) -> Result<(), Failure> {
    let log = |default: &str| logging::init(cli.log_format, cli.log_level.as_deref().unwrap_or(default));
    let quietly_with = |path: Option<&Path>| -> Result<Config, Failure> {
        log("warn")?;
        load(path)
    };
    match cli.command {
        Command::Serve(args) => {
            let config = load(args.config.as_deref())?;
            let format = if cli.log_format == LogFormat::Auto { config.log.format } else { cli.log_format };
            logging::init(format, cli.log_level.as_deref().unwrap_or(&config.log.level))?;
            app(|| serve::run(config, args.clock_is_right))
        }
        Command::Demo(args) => {
            // The demo tells of what becomes of an incident by itself, and log lines would tear its panel.
            let panel = !args.plain && std::io::stdout().is_terminal() && std::io::stderr().is_terminal();
            log(if panel { "error" } else { DEMO_LOG })?;
            app(|| lab::demo::run(&args))
        }
        Command::Simulate(args) => {
            log("info")?;
            app(|| simulate::run(&args))
        }
        Command::Record(args) => {
            log("info")?;
            app(|| record::run(&args))
        }
        Command::Replay(args) => {
            let config = quietly_with(args.config.as_deref())?;
            app(|| replay::run(&config, &args))
        }
        Command::Backtest(args) => {
            let config = quietly_with(args.config.as_deref())?;
            app(|| backtest::run(&config, &args))
        }
        Command::Explain(args) => {
            let config = quietly_with(args.config.as_deref())?;
            app(|| explain::run(&config, &args))
        }
        Command::Report(args) => {
            let config = quietly_with(args.config.as_deref())?;
            app(|| report::run(&config, &args))
        }
        Command::Score(args) => {
            log("warn")?;
            app(|| lab::score::run(&args))
        }
        Command::Devices(command) => devices::run(&command, &mut std::io::stdout().lock()),
        Command::Gate(command) => gate::run(&command, &mut std::io::stdout().lock()),
        Command::Notify(NotifyCommand::Test(args)) => {
            let config = quietly_with(args.config.as_deref())?;
            app(|| notify::test(&config, &args))
        }
        Command::Incident(command) => incident::run(&command, &mut std::io::stdout().lock()),
        Command::User(command) => {
            let config = quietly_with(command.config())?;
            app(|| user::run(&config, &command, &mut std::io::stdout().lock()))
        }
        Command::Token(command) => {
            let config = quietly_with(command.config())?;
            let (mut out, mut aside) = (std::io::stdout().lock(), std::io::stderr());
            app(|| token::run(&config, &command, &mut out, &mut aside))
        }
        Command::CheckConfig(args) => {
            check_config::run(&args, config::process_environment(), &mut std::io::stdout().lock())
        }
        Command::Dashboards(args) => dashboards::run(&args, &mut std::io::stdout().lock()),
        Command::Completions(args) => completions::run(args.shell, Cli::command(), &mut std::io::stdout().lock()),
    }
}

/// Runs a part of the application; a [`Failure`] that it raised itself keeps its kind.
fn app(part: impl FnOnce() -> anyhow::Result<()>) -> Result<(), Failure> {
    part().map_err(|error| error.downcast::<Failure>().unwrap_or_else(Failure::Runtime))
}

/// The configuration for `path`: the file, or the defaults, and the environment over it.
fn load(path: Option<&Path>) -> Result<Config, Failure> {
    Config::load(path, config::process_environment()).map_err(Failure::Config)
}
