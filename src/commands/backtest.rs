//! `backtest`: a grid of settings over one recording or journal; what each would have declared, against the settings in force.
//!
//! Each setting is a whole replay, and the replays run in parallel. Every one reads the source itself: one path for
//! `replay` and `backtest`, and at any time as many engines live as there are threads, however long the recording and
//! however large the grid. Decoding once for all would save the decoding, at the price of holding either all messages or
//! all engines. What is printed does not depend on the number of threads.
//!
//! | module | what it owns |
//! |---|---|
//! | [`outcome`] | what one run declared and warned of |
//! | [`compare`] | which incidents of two runs are the same; gained, lost, earlier, later |
//! | [`mod@print`] | the table for people, the lines for programs |

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::{Context as _, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::source::{self, Listener, Run, Surroundings};
use crate::config::Config;
use crate::config::overrides::{self, Point};
use crate::engine::effect::Change;
use crate::engine::settings::Settings;
use crate::engine::time::Timestamp;
use crate::runtime::failure::Failure;
use crate::words::Zone;

pub mod compare;
pub mod outcome;
pub mod print;

use outcome::Outcome;

/// Options of `backtest`.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
The product of all --grid axes is run over the source, each point a whole replay on virtual time, in parallel. For each
it is told what would have been declared, against the settings in force (the configuration's, and --set over it): gained
and lost incidents, early warnings, near misses, and how much earlier or later each was declared. Two incidents are the same
when their times overlap and they share three in ten devices. Keys and values are those of `replay --set`; alternatives of
a list are kept apart by ;.

What the baseline has learnt from the source depends on settings that judge minutes (ratio, delta, objectives,
false_positive_floor) and, after a day, on those that decide what an incident is: each point learns its own. State that
a recording brings was learnt under the settings of its time.

Examples:
  fleetwatch backtest night.jsonl --grid hold=45m,60m,75m --grid ratio=1.3,1.5,2.0
  fleetwatch backtest /var/lib/fleetwatch/journal --grid recover=3m,5m,10m --json
  fleetwatch backtest night.jsonl --set ratio=1.5 --grid 'warn_group=15m,30m;30m,45m'")]
pub struct BacktestArgs {
    /// Recording (JSON lines) or directory of a journal.
    #[arg(value_name = "FILE|DIR")]
    pub source: PathBuf,

    /// An axis of the grid; may be given again for each.
    #[arg(long, required = true, value_name = "KEY=VALUE,VALUE...")]
    pub grid: Vec<String>,

    /// A setting of all points and of the reference.
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,

    /// Configuration file; its detector, topic and devices sections are used.
    #[arg(long, short, env = "FLEETWATCH_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Replays at a time; as many as there are processors by default. Each takes the memory of a whole fleet.
    #[arg(long, short, value_parser = clap::value_parser!(u16).range(1..=256), value_name = "N")]
    pub jobs: Option<u16>,

    /// One JSON object a line for each point, the reference first, instead of the table.
    #[arg(long)]
    pub json: bool,
}

/// Messages between two looks at the progress bar and at whether another run has failed.
const LOOK_EVERY: u64 = 4_096;

/// Runs the command with the process' own streams.
///
/// # Errors
/// With all faults of the grid; when the source cannot be read, or an output fails.
pub fn run(config: &Config, args: &BacktestArgs) -> anyhow::Result<()> {
    let base = Config { detector: overrides::apply(config, &args.set).map_err(Failure::Options)?, ..config.clone() };
    let points = overrides::grid(&base, &args.grid).map_err(Failure::Options)?;
    if args.source.as_os_str() == "-" {
        bail!(Failure::Usage(
            "each setting reads the source anew, and standard input can be read only once: name a file".into()
        ));
    }
    let zone = Zone::named(&base.http.time_zone)?;
    let jobs = args.jobs.map_or_else(|| thread::available_parallelism().map_or(1, usize::from), |jobs| jobs as usize);
    let bench = Bench { surroundings: Surroundings::new(&base)?, source: &args.source };
    let reference = Point { set: Vec::new(), settings: base.detector.clone() };
    let all: Vec<&Point> = std::iter::once(&reference).chain(&points).collect();
    let outcomes = bench.outcomes(&all, jobs)?;
    let report = print::Report::new(&base.detector, &points, &outcomes, &zone);
    let mut out = io::BufWriter::new(io::stdout().lock());
    let written = if args.json { report.json(&mut out) } else { report.table(&mut out) };
    written.and_then(|()| out.flush()).context("cannot write to standard output")?;
    let mut notes = io::stderr().lock();
    if !args.json {
        return Ok(());
    }
    for note in report.notes() {
        writeln!(notes, "{note}")?;
    }
    Ok(())
}

/// Where every run reads from.
struct Bench<'a> {
    surroundings: Surroundings,
    source: &'a Path,
}

impl Bench<'_> {
    /// The outcome of each point, in their order. Points with the same settings are run once.
    fn outcomes(&self, points: &[&Point], jobs: usize) -> anyhow::Result<Vec<Outcome>> {
        let mut distinct: Vec<&Settings> = Vec::new();
        let place: Vec<usize> = points
            .iter()
            .map(|point| {
                let known = distinct.iter().position(|settings| **settings == point.settings);
                known.unwrap_or_else(|| {
                    distinct.push(&point.settings);
                    distinct.len() - 1
                })
            })
            .collect();
        let bar = bar(source::size(self.source) * distinct.len() as u64);
        let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
        let done: Mutex<BTreeMap<usize, anyhow::Result<Outcome>>> = Mutex::default();
        thread::scope(|scope| {
            for _ in 0..jobs.clamp(1, distinct.len()) {
                scope.spawn(|| {
                    while let Some(settings) = distinct.get(next.fetch_add(1, Relaxed)) {
                        let index = distinct.iter().position(|other| std::ptr::eq(*other, *settings)).unwrap_or(0);
                        let outcome = self.outcome(settings, &bar, &failed);
                        failed.fetch_or(outcome.is_err(), Relaxed);
                        done.lock().unwrap_or_else(PoisonError::into_inner).insert(index, outcome);
                    }
                });
            }
        });
        bar.finish_and_clear();
        let mut outcomes = Vec::with_capacity(distinct.len());
        let mut stopped = None;
        for (_, outcome) in done.into_inner().unwrap_or_else(PoisonError::into_inner) {
            match outcome {
                Ok(outcome) => outcomes.push(outcome),
                // The runs that were stopped because of another's failure have nothing to tell.
                Err(error) if error.is::<Stopped>() => stopped = Some(error),
                Err(error) => return Err(error),
            }
        }
        if let Some(error) = stopped {
            return Err(error);
        }
        Ok(place.into_iter().map(|index| outcomes[index].clone()).collect())
    }

    fn outcome(&self, settings: &Settings, bar: &ProgressBar, failed: &AtomicBool) -> anyhow::Result<Outcome> {
        let mut watch = Watch { outcome: Outcome::default(), bar, failed, messages: 0, shown: 0 };
        let mut run = Run::new(settings.clone(), self.surroundings.clone(), None);
        run.source(self.source, &mut watch)?;
        let Watch { mut outcome, .. } = watch;
        let mut faults = Vec::new();
        run.tell_faults(&mut faults)?;
        outcome.settle(&String::from_utf8_lossy(&faults));
        Ok(outcome)
    }
}

/// Another run has failed, so this one was not finished.
#[derive(Debug, thiserror::Error)]
#[error("another run failed")]
struct Stopped;

struct Watch<'a> {
    outcome: Outcome,
    bar: &'a ProgressBar,
    failed: &'a AtomicBool,
    messages: u64,
    /// Bytes that the bar knows of.
    shown: u64,
}

impl Listener for Watch<'_> {
    fn decided(&mut self, changes: &[Change]) -> anyhow::Result<()> {
        for change in changes {
            self.outcome.note(change);
        }
        Ok(())
    }

    fn played(&mut self, _at: Timestamp, read: u64) -> anyhow::Result<()> {
        self.messages += 1;
        if self.messages.is_multiple_of(LOOK_EVERY) {
            self.bar.inc(read.saturating_sub(self.shown));
            self.shown = read;
            if self.failed.load(Relaxed) {
                bail!(Stopped);
            }
        }
        Ok(())
    }
}

/// A bar on standard error; nothing where that is no terminal.
fn bar(bytes: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(bytes), ProgressDrawTarget::stderr_with_hz(4));
    let style = ProgressStyle::with_template("{wide_bar} {percent:>3} %, {eta} left");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
