//! `replay`: a recording or a journal through the detector on virtual time, one JSON object a line for each change.
//!
//! The clock is the input's own, so the same input prints the same bytes, on any machine and at any speed. Standard
//! output carries changes only; what was refused or damaged is told on standard error at the end.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde::Serialize;

use crate::cli::args::ReplayArgs;
use crate::clock;
use crate::config::Config;
use crate::engine::detector::Engine;
use crate::engine::device::DeviceId;
use crate::engine::effect::{Change, ChangeKind, ProofMinute, Scope, Severity, Suspect};
use crate::engine::fleet::Fleet;
use crate::engine::settings::Settings;
use crate::engine::time::Timestamp;
use crate::engine::wire::Limits;
use crate::journal::{self, ReadReport};
use crate::recording::{Line, Reader, RecordingError};

use super::playback::Playback;
use super::serve::read_expected;

/// Bytes read at once.
const CHUNK: usize = 256 * 1024;

/// Damaged lines that are told one by one.
const MAX_TOLD: usize = 20;

/// Messages between two looks at whether a progress line is due.
const PROGRESS_EVERY: u64 = 16_384;

/// One line of output: the fields of the contract, and no others.
#[derive(Serialize)]
struct Printed<'a> {
    at: Timestamp,
    event: ChangeKind,
    event_id: &'a str,
    incident: Option<&'a str>,
    severity: Severity,
    scope: Scope,
    impact_started_at: Timestamp,
    streak_s: u64,
    devices: &'a [DeviceId],
    cause: Option<PrintedCause<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proof: Option<&'a [ProofMinute]>,
}

#[derive(Serialize)]
struct PrintedCause<'a> {
    #[serde(flatten)]
    suspect: &'a Suspect,
    confidence: f64,
    runner_up: Option<PrintedRunnerUp<'a>>,
}

#[derive(Serialize)]
struct PrintedRunnerUp<'a> {
    #[serde(flatten)]
    suspect: &'a Suspect,
    confidence: f64,
}

/// Writes a change as a line. With `proof`, a declaration carries its minutes.
///
/// # Errors
/// When the output fails.
pub fn print(change: &Change, proof: bool, out: &mut impl Write) -> io::Result<()> {
    let cause = change.cause.as_ref().map(|cause| PrintedCause {
        suspect: &cause.suspect,
        confidence: cause.confidence,
        runner_up: cause
            .runner_up
            .as_ref()
            .map(|runner_up| PrintedRunnerUp { suspect: &runner_up.suspect, confidence: runner_up.confidence }),
    });
    let printed = Printed {
        at: change.at,
        event: change.kind,
        event_id: &change.event_id,
        incident: change.incident.as_deref(),
        severity: change.severity,
        scope: change.scope,
        impact_started_at: change.impact_started_at,
        streak_s: change.streak_s,
        devices: &change.devices,
        cause,
        proof: (proof && !change.proof.is_empty()).then_some(&change.proof),
    };
    serde_json::to_writer(&mut *out, &printed)?;
    out.write_all(b"\n")
}

/// Runs the command with the process' own streams.
///
/// # Errors
/// When the input cannot be read or an output fails.
pub fn run(config: &Config, args: &ReplayArgs) -> anyhow::Result<()> {
    let out = io::BufWriter::with_capacity(CHUNK, io::stdout().lock());
    let progress = io::stderr().is_terminal();
    let mut replay = Replay::new(config, args, out, progress)?;
    let outcome = replay.source(&args.source);
    let ended = replay.end(args.summary, &mut io::stderr().lock());
    outcome.and(ended)
}

/// A replay under way.
#[derive(Debug)]
pub struct Replay<W> {
    settings: Settings,
    root: String,
    limits: Limits,
    expected: Vec<DeviceId>,
    proof: bool,
    progress: bool,
    out: W,
    /// `None` until the first message: a recording may bring its own state.
    playback: Option<Playback>,
    damaged: Vec<String>,
    damaged_lines: u64,
    began: Instant,
    shown: Instant,
    changes: u64,
}

impl<W: Write> Replay<W> {
    /// A replay with the configuration's detector, topic, bounds and devices, and what the options change of them.
    ///
    /// # Errors
    /// When the list of expected devices cannot be read.
    pub fn new(config: &Config, args: &ReplayArgs, out: W, progress: bool) -> anyhow::Result<Self> {
        let mut settings = config.detector.clone();
        if let Some(hold_min) = args.hold_min {
            settings.hold_min = hold_min;
            settings.warn_group_min.retain(|mark| *mark < hold_min);
            settings.warn_device_min.retain(|mark| *mark < hold_min);
        }
        let expected = config.devices.expected.as_deref().map(read_expected).transpose()?.unwrap_or_default();
        let now = clock::monotonic();
        Ok(Self {
            settings,
            root: config.topic.root.clone(),
            limits: Limits { max_payload: config.ingest.max_payload_bytes as usize, ..Limits::default() },
            expected,
            proof: args.proof,
            progress,
            out,
            playback: None,
            damaged: Vec::new(),
            damaged_lines: 0,
            began: now,
            shown: now,
            changes: 0,
        })
    }

    /// Replays a file, a journal's directory, or standard input for `-`.
    ///
    /// # Errors
    /// When it cannot be read, or the output fails.
    pub fn source(&mut self, source: &Path) -> anyhow::Result<()> {
        if source.as_os_str() == "-" {
            self.recording(io::stdin().lock())
        } else if source.is_dir() {
            self.journal(source)
        } else {
            let file = File::open(source).with_context(|| format!("cannot open {}", source.display()))?;
            self.recording(BufReader::with_capacity(CHUNK, file))
                .with_context(|| format!("cannot replay {}", source.display()))
        }
    }

    /// Replays JSON lines.
    ///
    /// # Errors
    /// When the input or the output fails, or a line is too long to be skipped.
    pub fn recording(&mut self, input: impl BufRead) -> anyhow::Result<()> {
        let mut reader = Reader::new(input);
        let mut state = Vec::new();
        loop {
            match reader.next() {
                Ok(None) => break,
                Ok(Some(Line::Baseline(piece))) => state.extend_from_slice(piece),
                Ok(Some(Line::Message(entry))) => {
                    self.begin(&mut state)?;
                    self.message(entry.at, entry.topic, entry.payload, entry.retain)?;
                }
                Err(error @ (RecordingError::Read { .. } | RecordingError::TooLong { .. })) => return Err(error.into()),
                Err(error) => self.note_damage(&error),
            }
        }
        self.begin(&mut state)
    }

    /// Replays a journal, of a stopped or a running instance, from its oldest entry.
    ///
    /// # Errors
    /// When it cannot be read, or the output fails.
    pub fn journal(&mut self, dir: &Path) -> anyhow::Result<()> {
        let reading = || format!("cannot read the journal in {}", dir.display());
        let mut reader = journal::read_from(dir, 0).with_context(reading)?;
        self.begin(&mut Vec::new())?;
        while let Some(record) = reader.next().with_context(reading)? {
            let entry = record.entry;
            self.message(entry.at, entry.topic, entry.payload, entry.retain)?;
        }
        let ReadReport { entries, damaged, .. } = reader.report();
        if *entries == 0 && damaged.is_empty() {
            bail!("there is no journal in {}", dir.display());
        }
        for damage in damaged {
            let (path, offset, why, lost) = (damage.path.display(), damage.offset, damage.why, damage.lost);
            self.damaged_lines += lost;
            self.damaged.push(format!("{path} at {offset}: {why}, {lost} entries lost"));
        }
        Ok(())
    }

    /// Makes the engine: from the state that the recording brought, if it did.
    fn begin(&mut self, state: &mut Vec<u8>) -> anyhow::Result<()> {
        if self.playback.is_some() {
            return Ok(());
        }
        let mut engine = Engine::new(self.settings.clone(), Arc::new(Fleet::new(&self.settings)));
        if !state.is_empty() {
            engine.restore(state).context("the recording's state cannot be taken up")?;
            *state = Vec::new();
        }
        for device in &self.expected {
            engine.fleet().expect(device.clone());
        }
        self.playback = Some(Playback::new(engine, &self.root, self.limits.clone()));
        Ok(())
    }

    fn message(&mut self, at: Timestamp, topic: &str, payload: &[u8], retain: bool) -> anyhow::Result<()> {
        let playback = self.playback.as_mut().expect("`begin` runs before the first message");
        let changes = playback.play(at, topic, payload, retain);
        let messages = playback.messages();
        if !changes.is_empty() {
            self.write(&changes)?;
        }
        if self.progress && messages.is_multiple_of(PROGRESS_EVERY) {
            self.show_progress(messages, at);
        }
        Ok(())
    }

    fn write(&mut self, changes: &[Change]) -> anyhow::Result<()> {
        let writing = || "cannot write to standard output";
        for change in changes {
            print(change, self.proof, &mut self.out).with_context(writing)?;
        }
        self.changes += changes.len() as u64;
        // Changes are rare, and a reader behind a pipe wants each when it comes.
        self.out.flush().with_context(writing)
    }

    fn note_damage(&mut self, error: &RecordingError) {
        self.damaged_lines += 1;
        if self.damaged.len() < MAX_TOLD {
            self.damaged.push(error.to_string());
        }
    }

    fn show_progress(&mut self, messages: u64, at: Timestamp) {
        let now = clock::monotonic();
        if now.duration_since(self.shown) < Duration::from_millis(500) {
            return;
        }
        self.shown = now;
        let rate = messages as f64 / self.began.elapsed().as_secs_f64();
        // Progress is a courtesy: a terminal that is gone is no reason to stop.
        let _ = write!(io::stderr(), "\r{messages} messages, {rate:.0}/s, at {} ms \x1b[K", at.as_ms());
    }

    /// Ends the replay: the grace after the last message, then what was not as it should be.
    ///
    /// # Errors
    /// When an output fails.
    pub fn end(&mut self, summary: bool, notes: &mut impl Write) -> anyhow::Result<()> {
        let changes = self.playback.as_mut().map(Playback::finish).unwrap_or_default();
        self.write(&changes)?;
        if self.progress {
            write!(notes, "\r\x1b[K")?;
        }
        for line in &self.damaged {
            writeln!(notes, "{line}")?;
        }
        if self.damaged_lines > 0 {
            writeln!(notes, "damaged: {}", self.damaged_lines)?;
        }
        let Some(playback) = &self.playback else { return Ok(()) };
        for (reason, count) in playback.refused() {
            writeln!(notes, "refused: {count} {reason}")?;
        }
        if summary {
            let took = self.began.elapsed().as_secs_f64();
            let (messages, devices) = (playback.messages(), playback.engine().fleet().len());
            let rate = messages as f64 / took;
            writeln!(
                notes,
                "{messages} messages of {devices} devices in {took:.2} s ({rate:.0}/s), {} changes",
                self.changes
            )?;
        }
        Ok(())
    }
}
