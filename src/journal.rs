//! The journal: every accepted message, on the disk before it is acknowledged; and the checkpoints beside it.
//!
//! One mechanism for durability, replay and evidence. A restart is the newest good [`Checkpoint`] plus the journal from
//! there ([`read_from`]); a replay of a whole journal is the oracle of what should have been decided.
//!
//! # Layout on the disk
//!
//! A directory holds `journal.lock` and segments named `{first record number, 20 digits}.journal`. All numbers are little
//! endian, all checksums CRC32C (Castagnoli).
//!
//! Segment header, 32 bytes, the same in every version:
//!
//! | at | size | what |
//! |---|---|---|
//! | 0 | 8 | magic `FWJRNL\r\n` |
//! | 8 | 2 | version of the layout, 1 |
//! | 10 | 6 | zero |
//! | 16 | 8 | record number (LSN) of the first frame, as in the name |
//! | 24 | 4 | zero |
//! | 28 | 4 | checksum of bytes 0..28 |
//!
//! Then frames without gaps, whose record numbers rise by one:
//!
//! | at | size | what |
//! |---|---|---|
//! | 0 | 4 | n: bytes of the frame that follow the checksum, 20 ..= 1,048,568 |
//! | 4 | 4 | checksum of bytes 0..4 and 8..8+n |
//! | 8 | 8 | record number, from 1 |
//! | 16 | 8 | arrival, ms since the Unix epoch, signed |
//! | 24 | 1 | flags: bit 0 = the message was retained; the others zero |
//! | 25 | 1 | zero |
//! | 26 | 2 | t: bytes of the topic |
//! | 28 | t | topic, UTF-8 |
//! | 28+t | n-20-t | payload, as received |
//!
//! # What holds
//!
//! - A segment gets its name only when it is whole and synced (temporary name, sync, rename, sync of the directory). A
//!   process never appends to a segment of an earlier one.
//! - A segment ends where the next one begins: entries in it with the next one's numbers or above are superseded. That
//!   is how entries survive a failed sync: the file is given up and shortened to its durable length, and the same
//!   entries go to a new segment under the same numbers. A sync is never tried again on the same file.
//! - Behind the last whole frame of the *last* segment is a torn write, never acknowledged: it is cut off (by the rule
//!   above, not by changing the file) and counted. If whole frames stand behind a bad one, it is damage.
//! - A bad frame elsewhere ends its segment for the reader, which goes on with the next one. The numbers tell how many
//!   entries that cost, and [`ReadReport`] says so. Reading on behind the bad frame is not safe: a payload may hold the
//!   bytes of a frame.
//! - While the disk refuses, nothing is accepted and nothing becomes durable; [`JournalState`] says why and what to do.
//!   It is tried again with growing pauses, and what had been accepted is written first.
//! - A full disk gives way by itself (module `room`): the oldest segments that no checkpoint needs are removed, whatever
//!   their age; if there are none, the reserve is, so that what was accepted becomes durable and a checkpoint can be
//!   saved, which lets segments go. Nothing is accepted until the reserve has been made again.
//! - The directory stays below [`JournalConfig::max_bytes`]. When every segment is still needed, a checkpoint is asked for
//!   ([`Journal::wants_checkpoint`]); at the limit nothing is accepted until one has been saved.
//! - What waits for the disk is bounded ([`JournalConfig::max_pending_messages`], `max_pending_bytes`).
//! - At the start the last segment is synced, dropped from the page cache and read back, because the kernel may show a
//!   new process pages that a failed sync of an earlier one has left unwritten. If it cannot be synced, its entries are
//!   written to a new file. Only then does anybody see them.

mod buffer;
mod checkpoint;
mod error;
mod found;
mod frame;
mod layout;
mod reader;
mod reserve;
mod room;
mod segments;
mod settings;
pub mod storage;
#[cfg(test)]
mod tests;
mod writer;

use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::watch;

pub use crate::delivery::Entry;
pub use checkpoint::{Checkpoint, CheckpointStore, Damaged, Loaded, Saved, Saving};
pub use error::{AppendError, JournalError, JournalState, Trouble};
pub use found::{Damage, Recovery};
pub use frame::Record;
pub use layout::{Head as CheckpointHead, ScanError, Unreadable, scan as scan_checkpoint};
pub use reader::{ReadReport, Reader, read_from, scan_segment};
pub use settings::{Commit, CommitObserver, JournalConfig};

use buffer::Buffer;
use room::Room;
use storage::{Disk, Storage};
use writer::{Shared, Writer};

/// Numbers about a running journal.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct JournalStats {
    /// Segments on the disk.
    pub segments: u64,
    /// Their size in bytes.
    pub bytes: u64,
    /// Commits since the start.
    pub commits: u64,
    /// Attempts to write, sync or remove that failed since the start.
    pub failures: u64,
    /// Segments that retention removed since the start.
    pub removed_segments: u64,
    /// Messages accepted and not durable yet.
    pub pending_messages: u64,
    /// Bytes accepted and not durable yet.
    pub pending_bytes: u64,
}

/// A journal that is being written. Shared by reference; any number of tasks and threads may append.
///
/// Dropping it writes what was accepted; [`close`](Self::close) also says whether that worked.
#[derive(Debug)]
pub struct Journal {
    dir: PathBuf,
    buffer: Arc<Buffer>,
    shared: Arc<Shared>,
    durable: watch::Receiver<u64>,
    state: watch::Receiver<JournalState>,
    /// The thread, and the lock that is held as long as it may write. The operating system releases the lock when the
    /// process dies.
    running: Mutex<Option<(JoinHandle<u64>, fs::File)>>,
}

impl Journal {
    /// Opens the journal for writing, alone.
    ///
    /// `checkpoint_lsn` is the number that the state one starts from has seen (0: none). New entries are numbered above
    /// it even if the journal ends earlier, as it does when its directory was emptied or its last entries were damaged.
    ///
    /// # Errors
    /// When another process has it, the directory cannot be made or written, or the newest segment is of a newer version.
    pub fn open(config: JournalConfig, checkpoint_lsn: u64) -> Result<(Self, Recovery), JournalError> {
        Self::open_on(config, checkpoint_lsn, Arc::new(Disk))
    }

    /// As [`open`](Self::open), on another [`Storage`]: for tests that make the disk fail.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_on(
        config: JournalConfig,
        checkpoint_lsn: u64,
        storage: Arc<dyn Storage>,
    ) -> Result<(Self, Recovery), JournalError> {
        config.check()?;
        let dir = config.dir.clone();
        fs::create_dir_all(&dir).map_err(JournalError::io("make the directory", &dir))?;
        let lock = lock(&config)?;
        let room = Room::find(&config, &storage);
        let recovered = segments::recover(&dir, checkpoint_lsn.saturating_add(1), &*storage)?;
        let next_lsn = recovered.report.next_lsn;
        let buffer = Arc::new(Buffer::new(&config, next_lsn));
        let shared = Arc::new(Shared::default());
        shared.segments.store(recovered.segments.len() as u64, Ordering::Relaxed);
        shared.bytes.store(recovered.report.bytes, Ordering::Relaxed);
        let (durable_sender, durable) = watch::channel(next_lsn - 1);
        let (state_sender, state) = watch::channel(JournalState::Ok);
        let writer = Writer {
            config,
            storage,
            buffer: Arc::clone(&buffer),
            shared: Arc::clone(&shared),
            durable: durable_sender,
            state: state_sender,
            kept: writer::kept(recovered.segments),
            current: None,
            attempt: 0,
            begun: false,
            room,
        };
        let thread = std::thread::Builder::new()
            .name("journal".into())
            .spawn(move || writer.run())
            .map_err(JournalError::io("start the thread for", &dir))?;
        let running = Mutex::new(Some((thread, lock)));
        Ok((Self { dir, buffer, shared, durable, state, running }, recovered.report))
    }

    /// Accepts an entry, or says at once why not. It is durable when [`durable`](Self::durable) has reached the
    /// number returned; only then may it be acknowledged. Never waits for the disk.
    ///
    /// # Errors
    /// See [`AppendError`]; nothing was kept.
    pub fn try_append(&self, entry: &Entry<'_>) -> Result<u64, AppendError> {
        self.buffer.append(entry)
    }

    /// As [`try_append`](Self::try_append), but waits while the buffer is full or the disk refuses: the back-pressure
    /// for a task that may simply stop reading. Cancel-safe: if it is dropped, nothing was accepted.
    ///
    /// # Errors
    /// [`AppendError::TooLarge`] and [`AppendError::Closed`].
    pub async fn append(&self, entry: &Entry<'_>) -> Result<u64, AppendError> {
        match self.try_append(entry) {
            Err(refusal) if refusal.is_temporary() => {}
            done => return done,
        }
        let mut durable = self.durable.clone();
        loop {
            // Seen before the attempt, so that room made in between is not missed.
            durable.borrow_and_update();
            match self.try_append(entry) {
                Err(refusal) if refusal.is_temporary() => {
                    durable.changed().await.map_err(|_| AppendError::Closed)?;
                }
                done => return done,
            }
        }
    }

    /// The greatest number that is durable, all below it included. After [`AppendError::Full`] or
    /// [`AppendError::Failing`] it is worth trying again when this has changed.
    pub fn durable(&self) -> watch::Receiver<u64> {
        self.durable.clone()
    }

    /// Whether the journal can write, and why not.
    pub fn state(&self) -> watch::Receiver<JournalState> {
        self.state.clone()
    }

    /// Numbers for metrics.
    pub fn stats(&self) -> JournalStats {
        let (pending_messages, pending_bytes) = self.buffer.pending();
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        JournalStats {
            segments: read(&self.shared.segments),
            bytes: read(&self.shared.bytes),
            commits: read(&self.shared.commits),
            failures: read(&self.shared.failures),
            removed_segments: read(&self.shared.removed_segments),
            pending_messages,
            pending_bytes: pending_bytes as u64,
        }
    }

    /// Lets retention remove entries that the oldest kept checkpoint has seen: `lsn` is that checkpoint's. Until the
    /// first call nothing is removed. Never goes back.
    pub fn release(&self, lsn: u64) {
        self.shared.keep_from.fetch_max(lsn.saturating_add(1), Ordering::AcqRel);
        self.buffer.nudge();
    }

    /// Whether segments that only wait for a newer checkpoint take too much room: on the way to the size limit, or on a
    /// disk that is full. Two checkpoints after each other let them go, since the older of the two that are kept counts.
    pub fn wants_checkpoint(&self) -> bool {
        self.shared.wants_checkpoint.load(Ordering::Relaxed)
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Accepts no more, writes what was accepted, ends the thread and gives the directory free. Blocks for the disk. A second call does nothing.
    ///
    /// # Errors
    /// [`JournalError::Unwritten`] when the disk refuses to the end; nothing of that was ever reported durable.
    pub fn close(&self) -> Result<(), JournalError> {
        self.buffer.close();
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((thread, _lock)) = running else { return Ok(()) };
        // If the thread has panicked, its accepted entries are those that are still pending.
        match thread.join().unwrap_or_else(|_| self.buffer.pending().0) {
            0 => Ok(()),
            entries => Err(JournalError::Unwritten { entries }),
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        // Whoever cares about the result calls `close`; here the accepted entries are written if the disk lets us.
        let _ = self.close();
    }
}

fn lock(config: &JournalConfig) -> Result<fs::File, JournalError> {
    let path = writer::lock_path(config);
    let file = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .map_err(JournalError::io("open the lock file", &path))?;
    match fs4::fs_std::FileExt::try_lock_exclusive(&file) {
        Ok(true) => Ok(file),
        Ok(false) => Err(JournalError::Locked { dir: config.dir.clone() }),
        Err(source) => Err(JournalError::io("lock", path)(source)),
    }
}
