//! Checkpoint and journal back to a running engine, through the code that a replay uses.
//!
//! In this order: the newest good checkpoint, or else an older one, or else the whole journal, or else nothing; then the
//! journal from there; then the ticks of the time in which nothing ran, one by one: they close empty minutes, which
//! count as unknown. Each step down is said in the log.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;

use crate::clock;
use crate::engine::detector::{Engine, Restoring};
use crate::engine::device::DeviceId;
use crate::engine::effect::Change;
use crate::engine::fleet::Fleet;
use crate::engine::settings::Settings;
use crate::engine::time::Timestamp;
use crate::engine::wire::Limits;
use crate::journal::{Checkpoint, CheckpointStore, Journal, JournalConfig, Loaded, read_from};

use super::playback::Playback;
use crate::runtime::intake::Order;

/// The journal, opened for writing, and the state to start from.
#[derive(Debug)]
pub struct Opened {
    /// The journal; this process has it alone.
    pub journal: Journal,
    /// Where states are saved.
    pub checkpoints: CheckpointStore,
    /// The newest good state and what was wrong with newer ones.
    pub loaded: Loaded,
    /// Number of the next entry.
    pub next_lsn: u64,
    /// Oldest entry that is kept.
    pub oldest_lsn: u64,
}

/// Opens journal and checkpoints. Blocks for the disk.
///
/// # Errors
/// When another process has the journal, or a directory cannot be used.
pub fn open(config: JournalConfig, checkpoint_dir: &Path) -> anyhow::Result<Opened> {
    // First of all the journal, because its lock guards the checkpoints too.
    let (journal, found) = Journal::open(config.clone(), 0).context("cannot open the journal")?;
    let checkpoints = CheckpointStore::open(checkpoint_dir).context("cannot open the checkpoints")?;
    let loaded = checkpoints.load().context("cannot load the checkpoint")?;
    for damaged in &loaded.damaged {
        tracing::error!(path = %damaged.path.display(), why = damaged.why, "a checkpoint is damaged; an older state is used");
    }
    let seen = loaded.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.lsn);
    let (journal, found) = if seen >= found.next_lsn {
        tracing::error!(
            checkpoint = seen,
            journal = found.next_lsn - 1,
            "the journal ends before the checkpoint: entries are gone, the state is not"
        );
        journal.close().context("cannot close the journal")?;
        Journal::open(config, seen).context("cannot open the journal")?
    } else {
        (journal, found)
    };
    if found.torn_bytes > 0 {
        tracing::warn!(
            bytes = found.torn_bytes,
            "a write was cut off at the journal's end; it had not been acknowledged"
        );
    }
    for damage in &found.damaged {
        let (path, lost) = (damage.path.display(), damage.lost);
        tracing::error!(%path, offset = damage.offset, why = damage.why, lost, "the journal is damaged");
    }
    if loaded.checkpoint.is_some() {
        // What the run before could have removed may go now: a journal that has filled its disk must not wait for the next
        // checkpoint, which may need that room, and the record is to be opened yet.
        journal.release(loaded.oldest_lsn);
    }
    let (next_lsn, oldest_lsn) = (found.next_lsn, found.oldest_lsn);
    Ok(Opened { journal, checkpoints, loaded, next_lsn, oldest_lsn })
}

/// What a state is restored for.
#[derive(Clone, Debug)]
pub struct Recovery<'a> {
    /// The detector's settings.
    pub settings: &'a Settings,
    /// Topic root.
    pub root: &'a str,
    /// Bounds on what is decoded.
    pub limits: &'a Limits,
    /// Devices that should report.
    pub expected: &'a [DeviceId],
    /// Highest incident number on record; `None` while the record cannot be read.
    pub highest_number: Option<u64>,
    /// Whether the record was used before: then neither is this the first start.
    pub used_before: bool,
    /// Engine time.
    pub now: Timestamp,
}

/// An engine that has seen the whole journal.
#[derive(Debug)]
pub struct Recovered {
    /// The engine and its clock.
    pub playback: Playback,
    /// What the tail decided; known to the record already, unless the last process ended before it was written.
    pub changes: Vec<Change>,
    /// Where the journal ends.
    pub order: Order,
}

impl Recovery<'_> {
    /// Restores the state in `opened` and replays the journal's tail. Blocks.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn run(&self, opened: &mut Opened) -> anyhow::Result<Recovered> {
        let began = clock::monotonic();
        let (engine, seen) = self.engine(opened);
        engine.fleet().expect_only(self.expected);
        let mut order = Order { lsn: opened.next_lsn - 1, at: engine.last_tick() };
        let mut playback = Playback::new(engine, self.root, self.limits.clone());
        let mut changes = Vec::new();
        let mut reader = read_from(opened.journal.dir(), seen + 1).context("cannot read the journal")?;
        while let Some(record) = reader.next().context("cannot read the journal")? {
            let entry = record.entry;
            changes.append(&mut playback.play(entry.at, entry.topic, entry.payload, entry.retain));
            order.at = order.at.max(entry.at);
        }
        for damage in &reader.report().damaged {
            let (path, lost) = (damage.path.display(), damage.lost);
            tracing::error!(%path, offset = damage.offset, why = damage.why, lost, "entries of the journal are gone");
        }
        let (replayed, devices) = (playback.messages(), playback.engine().fleet().len());
        let took_ms = began.elapsed().as_millis() as u64;
        tracing::info!(replayed, devices, changes = changes.len(), took_ms, "the state is restored");
        Ok(Recovered { playback, changes, order })
    }

    /// The engine of the checkpoint and the last entry it has seen; an empty one where there is none.
    fn engine(&self, opened: &mut Opened) -> (Engine, u64) {
        let new = || Engine::new(self.settings.clone(), Arc::new(Fleet::new(self.settings))).with_join(side_by_side);
        if let Some(checkpoint) = opened.loaded.checkpoint.take() {
            let mut engine = new();
            match take_up(&checkpoint, &mut engine) {
                Ok(()) => return (engine, checkpoint.lsn),
                Err(error) => {
                    tracing::error!(generation = checkpoint.generation, %error, "the checkpoint is of no use");
                }
            }
        }
        let mut engine = new();
        let (first, none) = (opened.oldest_lsn <= 1, opened.next_lsn <= 1);
        if none || !first {
            // What is decided from here on are other events than those on record, so they must not share their numbers. No
            // fleet has an event a minute, so the minute is above every event number given before.
            let highest = self.highest_number.map(|highest| u32::try_from(highest).unwrap_or(u32::MAX));
            if highest != Some(0) {
                engine.number_above(self.now.minute().0, highest.unwrap_or(0));
            }
        }
        match (none, first) {
            (true, _) if self.highest_number == Some(0) && !self.used_before && !opened.loaded.state_lost() => {
                tracing::info!("neither record, checkpoint nor journal: a first start");
            }
            (true, _) if self.highest_number.is_none() && !opened.loaded.state_lost() => tracing::warn!(
                "neither checkpoint nor journal: a first start, or the directories are not those of before; the incident \
                 record, which would know, cannot be read yet"
            ),
            (true, _) => tracing::error!(
                "neither checkpoint nor journal is there or can be used, though the incident record was used before: the \
                 directories were emptied or moved, or their disk is not mounted. What was learnt is lost: for a day nothing \
                 is known of what is normal, and hours that were running begin anew"
            ),
            (false, true) => tracing::warn!("no checkpoint can be used: starting from the whole journal"),
            (false, false) => tracing::error!(
                oldest = opened.oldest_lsn,
                "no checkpoint can be used: starting from what the journal still holds; what was learnt before is lost"
            ),
        }
        (engine, 0)
    }
}

/// Restores a state piece by piece, so that it is never in memory twice.
fn take_up(checkpoint: &Checkpoint, engine: &mut Engine) -> anyhow::Result<()> {
    let (mut restoring, mut outcome) = (Restoring::default(), Ok(()));
    checkpoint.read(|piece| {
        if outcome.is_ok() {
            outcome = restoring.feed(piece, engine);
        }
    })?;
    outcome?;
    Ok(restoring.finish(engine)?)
}

/// Runs both on two threads.
pub(crate) fn side_by_side(first: &mut (dyn FnMut() + Send), second: &mut (dyn FnMut() + Send)) {
    std::thread::scope(|scope| {
        scope.spawn(second);
        first();
    });
}
