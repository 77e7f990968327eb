//! `replay`: a recording or a journal through the detector on virtual time, one JSON object a line for each change.
//!
//! The clock is the input's own, so the same input prints the same bytes, on any machine and at any speed. Standard
//! output carries changes only; what was refused or damaged is told on standard error at the end.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::{ArgAction, Args};

use crate::clock;
use crate::config::{Config, overrides};
use crate::engine::effect::Change;
use crate::engine::time::Timestamp;
use crate::recording::change_line;
use crate::runtime::failure::Failure;

use super::source::{Listener, Run, Surroundings};

/// Options of `replay`.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
The clock is the recording's own, so a night passes in seconds, and the same recording prints the same bytes.
Standard output carries one JSON object a line for each change, and nothing else.

--set takes every key of the detector section, with its unit (hold_min=45) or with one in the value (hold=45m, delta=5ms,
grace=90s, warn_group=15m,30m). Early warnings that were not set and would come after the hour are left out. State that a
recording brings was learnt under the settings of its time; `fleetwatch backtest --help` says what that means.

Examples:
  fleetwatch replay night.jsonl
  fleetwatch replay /var/lib/fleetwatch/journal      what was lived, again
  fleetwatch replay night.jsonl --set hold=45m --set ratio=1.5     what would these settings have done?
  zcat night.jsonl.gz | fleetwatch replay -")]
pub struct ReplayArgs {
    /// Recording (JSON lines), directory of a journal, or - for standard input.
    #[arg(value_name = "FILE|DIR|-")]
    pub source: PathBuf,

    /// Configuration file; its detector, topic and devices sections are used.
    #[arg(long, short, env = "FLEETWATCH_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Another setting of the detector; may be given again for each.
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,

    /// The same as --set hold_min=MINUTES.
    #[arg(long, value_parser = clap::value_parser!(u32).range(5..=420), value_name = "MINUTES")]
    pub hold_min: Option<u32>,

    /// Add the minutes that prove the hour to each declaration.
    #[arg(long, action = ArgAction::SetTrue)]
    pub proof: bool,

    /// Print counts (messages, refusals, speed) to standard error at the end.
    #[arg(long, action = ArgAction::SetTrue)]
    pub summary: bool,
}

/// Bytes written at once.
const CHUNK: usize = 256 * 1024;

/// Messages between two looks at whether a progress line is due.
const PROGRESS_EVERY: u64 = 16_384;

/// Runs the command with the process' own streams.
///
/// # Errors
/// With all faults of the settings that were asked for; when the input cannot be read or an output fails.
pub fn run(config: &Config, args: &ReplayArgs) -> anyhow::Result<()> {
    let mut sets = args.set.clone();
    sets.extend(args.hold_min.map(|minutes| format!("hold_min={minutes}")));
    let settings = overrides::apply(config, &sets).map_err(Failure::Options)?;
    let mut run = Run::new(settings, Surroundings::new(config)?, None);
    let now = clock::monotonic();
    let mut printer = Printer {
        proof: args.proof,
        progress: io::stderr().is_terminal(),
        out: io::BufWriter::with_capacity(CHUNK, io::stdout().lock()),
        began: now,
        shown: now,
        messages: 0,
        changes: 0,
    };
    let outcome = run.source(&args.source, &mut printer);
    let told = printer.end(&run, args.summary, &mut io::stderr().lock());
    outcome.and(told.map_err(Into::into))
}

/// Prints what a run decides.
#[derive(Debug)]
struct Printer<W> {
    proof: bool,
    progress: bool,
    out: W,
    began: Instant,
    shown: Instant,
    messages: u64,
    changes: u64,
}

impl<W: Write> Listener for Printer<W> {
    fn decided(&mut self, changes: &[Change]) -> anyhow::Result<()> {
        let writing = || "cannot write to standard output";
        for change in changes {
            change_line::write(change, self.proof, &mut self.out).with_context(writing)?;
        }
        self.changes += changes.len() as u64;
        // Changes are rare, and a reader behind a pipe wants each when it comes.
        self.out.flush().with_context(writing)
    }

    fn played(&mut self, at: Timestamp, _read: u64) -> anyhow::Result<()> {
        self.messages += 1;
        if self.progress && self.messages.is_multiple_of(PROGRESS_EVERY) {
            self.show_progress(at);
        }
        Ok(())
    }
}

impl<W: Write> Printer<W> {
    fn show_progress(&mut self, at: Timestamp) {
        let now = clock::monotonic();
        if now.duration_since(self.shown) < Duration::from_millis(500) {
            return;
        }
        self.shown = now;
        let (messages, rate) = (self.messages, self.messages as f64 / self.began.elapsed().as_secs_f64());
        // Progress is a courtesy: a terminal that is gone is no reason to stop.
        let _ = write!(io::stderr(), "\r{messages} messages, {rate:.0}/s, at {} ms \x1b[K", at.as_ms());
    }

    /// Tells what was not as it should be, and with `summary` the counts.
    fn end(&self, run: &Run, summary: bool, notes: &mut impl Write) -> io::Result<()> {
        if self.progress {
            write!(notes, "\r\x1b[K")?;
        }
        run.tell_faults(notes)?;
        if let (true, Some(playback)) = (summary, run.playback()) {
            let took = self.began.elapsed().as_secs_f64();
            let (messages, devices) = (playback.messages(), playback.engine().fleet().len());
            let rate = messages as f64 / took;
            let changes = self.changes;
            writeln!(
                notes,
                "{messages} messages of {devices} devices in {took:.2} s ({rate:.0}/s), {changes} changes"
            )?;
        }
        Ok(())
    }
}
