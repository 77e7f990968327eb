//! `replay`: a recording or a journal through the detector on virtual time, one JSON object a line for each change.
//!
//! The clock is the input's own, so the same input prints the same bytes, on any machine and at any speed. Standard
//! output carries changes only; what was refused or damaged is told on standard error at the end.
//!
//! | module | what it owns |
//! |---|---|
//! | [`source`] | a recording or a journal, fed to an engine: also what `backtest` and `explain` begin with |

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::clock;
use crate::commands::args::ReplayArgs;
use crate::config::{Config, overrides};
use crate::engine::effect::Change;
use crate::engine::time::Timestamp;
use crate::recording::change_line;
use crate::runtime::failure::Failure;

pub mod source;

use source::{Listener, Run, Surroundings};

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
