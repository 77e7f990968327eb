//! A recording or a journal, fed to an engine on virtual time: what `replay`, `backtest` and `explain` have in common.

use std::cell::Cell;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};

use crate::config::Config;
use crate::engine::detector::Engine;
use crate::engine::device::DeviceId;
use crate::engine::effect::Change;
use crate::engine::fleet::Fleet;
use crate::engine::settings::Settings;
use crate::engine::time::Timestamp;
use crate::engine::wire::Limits;
use crate::journal::{self, ReadReport};
use crate::recording::{Entry, Line, Reader, RecordingError};
use crate::runtime::playback::Playback;
use crate::runtime::serve::{devices_of, read_expected};

/// Bytes read at once.
const CHUNK: usize = 256 * 1024;

/// Bytes of a journalled message beside its topic and payload.
const FRAME_HEAD: usize = 28;

/// Damaged lines that are told one by one.
const MAX_TOLD: usize = 20;

/// What an engine is made with, beside its settings.
#[derive(Clone, Debug)]
pub struct Surroundings {
    root: String,
    limits: Limits,
    expected: Vec<DeviceId>,
}

impl Surroundings {
    /// Topic, bounds and devices of the configuration.
    ///
    /// # Errors
    /// When the list of expected devices cannot be read.
    pub fn new(config: &Config) -> anyhow::Result<Self> {
        Ok(Self {
            root: config.topic.root.clone(),
            limits: Limits { max_payload: config.ingest.max_payload_bytes as usize, ..Limits::default() },
            expected: config
                .devices
                .expected
                .as_deref()
                .map(read_expected)
                .transpose()?
                .map(devices_of)
                .unwrap_or_default(),
        })
    }
}

/// Is told what a run decides and how far it has come.
pub trait Listener {
    /// The engine decided this; never empty.
    ///
    /// # Errors
    /// Whatever ends the run.
    fn decided(&mut self, changes: &[Change]) -> anyhow::Result<()>;

    /// A tick has run, in a run that is [`Run::watched`].
    fn ticked(&mut self, engine: &Engine) {
        let _ = engine;
    }

    /// A message that arrived at `at` has been played; `read` bytes of the source lie behind it.
    ///
    /// # Errors
    /// Whatever ends the run.
    fn played(&mut self, at: Timestamp, read: u64) -> anyhow::Result<()> {
        let _ = (at, read);
        Ok(())
    }
}

/// One run of an engine over one source.
#[derive(Debug)]
pub struct Run {
    settings: Settings,
    surroundings: Surroundings,
    until: Option<Timestamp>,
    watched_from: Option<Timestamp>,
    /// `None` until the first message: a recording may bring its own state.
    playback: Option<Playback>,
    /// Whether `until` has been reached.
    over: bool,
    damaged: Vec<String>,
    damaged_lines: u64,
}

impl Run {
    /// A run with `settings`; with `until` it ends there instead of at the end of the source.
    pub fn new(settings: Settings, surroundings: Surroundings, until: Option<Timestamp>) -> Self {
        let (damaged, damaged_lines) = (Vec::new(), 0);
        let (watched_from, playback, over) = (None, None, false);
        Self { settings, surroundings, until, watched_from, playback, over, damaged, damaged_lines }
    }

    /// The same run; its listener is shown the engine after each tick from `from` on.
    #[must_use]
    pub fn watched(mut self, from: Timestamp) -> Self {
        self.watched_from = Some(from);
        self
    }

    /// Plays a file, a journal's directory, or standard input for `-`, and the grace after its last message.
    ///
    /// # Errors
    /// When it cannot be read, or the listener refuses.
    pub fn source(&mut self, source: &Path, listener: &mut impl Listener) -> anyhow::Result<()> {
        let outcome = if source.as_os_str() == "-" {
            self.recording(io::stdin().lock(), listener)
        } else if source.is_dir() {
            self.journal(source, listener)
        } else {
            let file = File::open(source).with_context(|| format!("cannot open {}", source.display()))?;
            self.recording(BufReader::with_capacity(CHUNK, file), listener)
                .with_context(|| format!("cannot replay {}", source.display()))
        };
        let ended = self.end(listener);
        outcome.and(ended)
    }

    /// JSON lines.
    fn recording(&mut self, input: impl BufRead, listener: &mut impl Listener) -> anyhow::Result<()> {
        let read = Cell::new(0);
        let mut reader = Reader::new(Counted { input, read: &read });
        let mut state = Vec::new();
        while !self.over {
            match reader.next() {
                Ok(None) => break,
                Ok(Some(Line::Baseline(piece))) => state.extend_from_slice(piece),
                Ok(Some(Line::Message(entry))) => {
                    self.begin(&mut state)?;
                    self.message(entry, listener)?;
                    listener.played(entry.at, read.get())?;
                }
                Err(error @ (RecordingError::Read { .. } | RecordingError::TooLong { .. } | RecordingError::Gzip)) => {
                    return Err(error.into());
                }
                Err(error) => self.note_damage(&error),
            }
        }
        self.begin(&mut state)
    }

    /// A journal, of a stopped or a running instance, from its oldest entry.
    fn journal(&mut self, dir: &Path, listener: &mut impl Listener) -> anyhow::Result<()> {
        let reading = || format!("cannot read the journal in {}", dir.display());
        let mut reader = journal::read_from(dir, 0).with_context(reading)?;
        self.begin(&mut Vec::new())?;
        let mut read = 0;
        while !self.over
            && let Some(record) = reader.next().with_context(reading)?
        {
            let Entry { at, topic, payload, retain } = record.entry;
            read += (FRAME_HEAD + topic.len() + payload.len()) as u64;
            self.message(Entry { at, topic, payload, retain }, listener)?;
            listener.played(at, read)?;
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
        for device in &self.surroundings.expected {
            engine.fleet().expect(device.clone());
        }
        self.playback = Some(Playback::new(engine, &self.surroundings.root, self.surroundings.limits.clone()));
        Ok(())
    }

    fn message(&mut self, entry: Entry<'_>, listener: &mut impl Listener) -> anyhow::Result<()> {
        self.watch(self.until.map_or(entry.at, |until| until.min(entry.at)), listener)?;
        let playback = self.playback.as_mut().expect("`begin` runs before the first message");
        let changes = match self.until {
            Some(until) if entry.at > until => {
                self.over = true;
                playback.advance(until)
            }
            _ => playback.play(entry.at, entry.topic, entry.payload, entry.retain),
        };
        if changes.is_empty() { Ok(()) } else { listener.decided(&changes) }
    }

    /// Runs the ticks up to `to` one by one, where somebody watches.
    fn watch(&mut self, to: Timestamp, listener: &mut impl Listener) -> anyhow::Result<()> {
        let (Some(from), Some(playback)) = (self.watched_from, self.playback.as_mut()) else { return Ok(()) };
        let mut tick = Engine::next_tick(playback.engine().last_tick().max(from));
        while tick <= to {
            let changes = playback.advance(tick);
            if !changes.is_empty() {
                listener.decided(&changes)?;
            }
            listener.ticked(playback.engine());
            tick = Engine::next_tick(tick);
        }
        Ok(())
    }

    /// The end of the input: the grace after the last message, unless the run has ended before.
    fn end(&mut self, listener: &mut impl Listener) -> anyhow::Result<()> {
        if let Some(until) = self.until.filter(|_| !self.over) {
            self.watch(until, listener)?;
        }
        let Some(playback) = self.playback.as_mut().filter(|_| !self.over) else { return Ok(()) };
        let changes = match self.until {
            Some(until) => playback.advance(until),
            None => playback.finish(),
        };
        if changes.is_empty() { Ok(()) } else { listener.decided(&changes) }
    }

    fn note_damage(&mut self, error: &RecordingError) {
        self.damaged_lines += 1;
        if self.damaged.len() < MAX_TOLD {
            self.damaged.push(error.to_string());
        }
    }

    /// What was played; `None` when the source could not be opened.
    pub fn playback(&self) -> Option<&Playback> {
        self.playback.as_ref()
    }

    /// Tells what of the source was not as it should be.
    ///
    /// # Errors
    /// When `notes` refuses.
    pub fn tell_faults(&self, notes: &mut impl Write) -> io::Result<()> {
        for line in &self.damaged {
            writeln!(notes, "{line}")?;
        }
        if self.damaged_lines > 0 {
            writeln!(notes, "damaged: {}", self.damaged_lines)?;
        }
        for (reason, count) in self.playback.iter().flat_map(Playback::refused) {
            writeln!(notes, "refused: {count} {reason}")?;
        }
        for (field, count) in self.playback.iter().flat_map(Playback::left_out) {
            writeln!(notes, "left out: {count} {field}")?;
        }
        Ok(())
    }
}

/// Arrival of the last message of a file or a journal; `None` when it has none. Reads all of it, and decodes nothing.
///
/// # Errors
/// When it cannot be read.
pub fn end(source: &Path) -> anyhow::Result<Option<Timestamp>> {
    let reading = || format!("cannot read {}", source.display());
    let mut last: Option<Timestamp> = None;
    if source.is_dir() {
        let mut reader = journal::read_from(source, 0).with_context(reading)?;
        while let Some(record) = reader.next().with_context(reading)? {
            last = last.max(Some(record.entry.at));
        }
        return Ok(last);
    }
    let file = File::open(source).with_context(reading)?;
    let mut reader = Reader::new(BufReader::with_capacity(CHUNK, file));
    loop {
        match reader.next() {
            Ok(None) => return Ok(last),
            Ok(Some(Line::Message(entry))) => last = last.max(Some(entry.at)),
            Ok(Some(Line::Baseline(_))) => {}
            Err(error @ (RecordingError::Read { .. } | RecordingError::TooLong { .. } | RecordingError::Gzip)) => {
                return Err(error.into());
            }
            // The replay tells of damaged lines.
            Err(_) => {}
        }
    }
}

/// Bytes of a source, to tell how far a run has come; 0 where nobody can know.
pub fn size(source: &Path) -> u64 {
    let length = |path: &Path| fs::metadata(path).map_or(0, |meta| if meta.is_file() { meta.len() } else { 0 });
    match fs::read_dir(source) {
        Ok(items) => items.flatten().map(|item| length(&item.path())).sum(),
        Err(_) => length(source),
    }
}

/// Counts what is read through it.
struct Counted<'a, R> {
    input: R,
    read: &'a Cell<u64>,
}

impl<R: BufRead> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.read.set(self.read.get() + read as u64);
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Counted<'_, R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.input.fill_buf()
    }

    fn consume(&mut self, bytes: usize) {
        self.read.set(self.read.get() + bytes as u64);
        self.input.consume(bytes);
    }
}
