//! `serve`: the daemon, under the signals and the service manager of the system.
//!
//! SIGTERM and Ctrl-C end it in order: no more messages, what was taken is written, the state is saved, the files are closed.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};

use crate::clock::Clock;
use crate::config::Config;
use crate::runtime::serve::Service;
use crate::runtime::watch::DECISION;
use crate::web::Health;

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

/// Runs the daemon until it is asked to end. With `clock_is_right` a person vouches for the server's clock.
///
/// # Errors
/// When something it needs cannot be had at the start, or is lost for good later.
pub fn run(config: Config, clock_is_right: bool) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("fleetwatch")
        .build()
        .context("cannot start the threads")?;
    runtime.block_on(async {
        // Before anything is opened, so that a signal during a long start is not lost.
        let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
        let asked = async {
            tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            }
        };
        tokio::pin!(asked);
        let clock = if clock_is_right { Clock::system().vouched_for() } else { Clock::system() };
        let mut service = tokio::select! {
            started = Service::start(config, clock) => started?,
            // Nothing has been taken yet, so there is nothing to write.
            _ = &mut asked => return Ok(()),
        };
        tell(&[NotifyState::Ready]);
        let watchdog = tokio::spawn(feed_watchdog(service.core().health()));
        let ended = tokio::select! {
            signal = &mut asked => {
                tracing::info!(signal, "ending");
                Ok(())
            }
            failed = service.failed() => Err(failed),
        };
        tell(&[NotifyState::Stopping]);
        watchdog.abort();
        let stopped = service.shutdown().await;
        ended.and(stopped)
    })
}

/// Tells the service manager, if there is one.
fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(false, state) {
        tracing::warn!(%error, "the service manager could not be told");
    }
}

/// Tells the service manager that ticks run when they are due, as often as it wants to hear it.
async fn feed_watchdog(health: Arc<Health>) {
    let mut limit_us = 0;
    if !sd_notify::watchdog_enabled(false, &mut limit_us) {
        return;
    }
    let mut every = tokio::time::interval(Duration::from_micros(limit_us / 3).max(Duration::from_millis(100)));
    loop {
        every.tick().await;
        // The latch says "starting" until the first look, a second after the start.
        let late =
            health.latches().iter().any(|latch| latch.name == DECISION && !latch.ready && latch.reason != "starting");
        if !late {
            tell(&[NotifyState::Watchdog]);
        }
    }
}
