//! The thread that owns the disk: commits batches and begins segments. What it removes and keeps free is in
//! [`room`](super::room).

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use tokio::sync::watch;

use crate::clock;
use crate::engine::time::Timestamp;

use super::buffer::{Batch, Buffer, Work};
use super::error::{self, JournalError, JournalState, Trouble};
use super::frame;
use super::room::Room;
use super::segments::{self, Segment};
use super::settings::{Commit, JournalConfig};
use super::storage::{Output, Storage};

/// Numbers that other threads may read at any time.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// Oldest record number that a kept checkpoint still needs; everything from here on stays.
    pub(super) keep_from: AtomicU64,
    pub(super) segments: AtomicU64,
    pub(super) bytes: AtomicU64,
    pub(super) commits: AtomicU64,
    pub(super) failures: AtomicU64,
    pub(super) removed_segments: AtomicU64,
    /// Segments that are still needed take more room than they should: a newer checkpoint would let them go.
    pub(super) wants_checkpoint: AtomicBool,
}

#[derive(Debug)]
pub(super) struct Writer {
    pub(super) config: JournalConfig,
    pub(super) storage: Arc<dyn Storage>,
    pub(super) buffer: Arc<Buffer>,
    pub(super) shared: Arc<Shared>,
    pub(super) durable: watch::Sender<u64>,
    pub(super) state: watch::Sender<JournalState>,
    /// Every segment, the current one last.
    pub(super) kept: VecDeque<Kept>,
    /// The segment that is being written; none after the start and after an error.
    pub(super) current: Option<Box<dyn Output>>,
    /// Makes temporary names unique.
    pub(super) attempt: u64,
    /// The last commit began a segment: the moment to look at the old ones.
    pub(super) begun: bool,
    pub(super) room: Room,
}

/// A segment, as retention sees it.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) segment: Segment,
    pub(super) first_at: Timestamp,
}

impl Drop for Writer {
    /// However the thread ends, nobody waits for it in vain.
    fn drop(&mut self) {
        self.buffer.close();
    }
}

impl Writer {
    /// Runs until the journal is closed; how many accepted entries could not be written.
    pub(super) fn run(mut self) -> u64 {
        let mut last_commit = None;
        let mut newest = Timestamp::default();
        let mut looked = clock::monotonic();
        self.poll(newest);
        loop {
            let idle = if self.room.is_held() { self.config.retry_most } else { self.config.housekeeping_interval };
            let due = match self.buffer.next(last_commit, idle.min(self.config.housekeeping_interval)) {
                Work::Commit(batch) => {
                    last_commit = Some(clock::monotonic());
                    newest = newest.max(batch.last_at);
                    if let Err(unwritten) = self.commit(batch) {
                        return unwritten;
                    }
                    std::mem::take(&mut self.begun) || self.is_tight()
                }
                Work::Idle => true,
                Work::Closed => return 0,
            };
            if due || looked.elapsed() >= self.config.housekeeping_interval {
                self.poll(newest);
                looked = clock::monotonic();
            }
        }
    }

    /// Makes the batch durable, however long that takes; gives up only when the journal is closed meanwhile.
    fn commit(&mut self, batch: Batch) -> Result<(), u64> {
        let begun = clock::monotonic();
        let mut pause = self.config.retry_first;
        let mut since = None;
        let mut made_room = false;
        while let Err(error) = self.write(&batch) {
            self.shared.failures.fetch_add(1, Ordering::Relaxed);
            let trouble = Trouble::new(*since.get_or_insert(begun), &error);
            self.buffer.refuse(trouble.reason);
            self.state.send_replace(JournalState::Failing(trouble));
            // Room is made for one attempt at once. If it has gone to somebody else, the next piece waits for the pause.
            made_room = !made_room && error::is_no_space(&error) && self.make_room(begun);
            if made_room {
                continue;
            }
            if self.buffer.closed_within(pause) {
                // One last attempt, for a disk that has just come back.
                return self.write(&batch).map_or(Err(self.buffer.pending().0), |()| {
                    self.succeed(batch, begun);
                    Ok(())
                });
            }
            pause = (pause * 2).min(self.config.retry_most);
        }
        self.succeed(batch, begun);
        Ok(())
    }

    /// Room first, then the news: who is woken by `durable` finds the room.
    fn succeed(&mut self, batch: Batch, begun: Instant) {
        let commit =
            Commit { messages: batch.messages, bytes: batch.bytes.len() as u64, took: clock::monotonic() - begun };
        let last = batch.last_lsn();
        self.buffer.written(batch);
        self.shared.commits.fetch_add(1, Ordering::Relaxed);
        self.tell_state();
        self.durable.send_replace(last);
        if let Some(observer) = &self.config.observer {
            observer.committed(commit);
        }
    }

    /// Writes and syncs the batch. After an error the current segment is given up: what a failed sync has left in the
    /// page cache may look written and never be, so the same entries go to a new file, under the same numbers.
    fn write(&mut self, batch: &Batch) -> Result<(), JournalError> {
        let full = self.kept.back().is_none_or(|last| last.segment.bytes >= self.config.segment_bytes);
        if full {
            self.current = None;
        }
        let (Some(file), Some(last)) = (&mut self.current, self.kept.back_mut()) else {
            return self.begin_segment(batch);
        };
        let path = &last.segment.path;
        let done = file
            .append(&batch.bytes)
            .map_err(JournalError::io("write", path))
            .and_then(|()| file.sync().map_err(JournalError::io("sync", path)));
        if let Err(error) = done {
            // Takes the doubtful bytes out of the page cache, so that a later process does not read what the disk
            // does not have. If even that fails, the next segment's number says where this one ends.
            let _ = file.truncate(last.segment.bytes);
            self.current = None;
            return Err(error);
        }
        last.segment.bytes += batch.bytes.len() as u64;
        self.shared.bytes.fetch_add(batch.bytes.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    /// Begins a segment with the batch in it. It gets its name only when it is whole and synced.
    fn begin_segment(&mut self, batch: &Batch) -> Result<(), JournalError> {
        let first_lsn = batch.first_lsn;
        self.attempt += 1;
        let temporary = segments::temporary_path(&self.config.dir, first_lsn, self.attempt);
        let path = segments::path_of(&self.config.dir, first_lsn);
        let header = frame::segment_header(first_lsn);
        let file = segments::publish(&temporary, &path, &[&header, &batch.bytes], &*self.storage)?;
        let bytes = (header.len() + batch.bytes.len()) as u64;
        self.current = Some(file);
        self.begun = true;
        // A segment that was found without a single readable entry has the same number, and has just been replaced.
        if let Some(replaced) = self.kept.pop_back_if(|last| last.segment.first_lsn == first_lsn) {
            self.shared.bytes.fetch_sub(replaced.segment.bytes, Ordering::Relaxed);
        }
        self.kept.push_back(Kept { segment: Segment { path, first_lsn, bytes }, first_at: batch.first_at });
        self.shared.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.shared.segments.store(self.kept.len() as u64, Ordering::Relaxed);
        Ok(())
    }
}

/// The segments that were found at the start, with what retention needs to know of them.
pub(super) fn kept(found: Vec<Segment>) -> VecDeque<Kept> {
    found
        .into_iter()
        .map(|segment| {
            // An unreadable one is not taken for old.
            let first_at = segments::first_at(&segment.path).unwrap_or(Timestamp::from_ms(i64::MAX));
            Kept { segment, first_at }
        })
        .collect()
}

/// Where a path of the journal's lock is.
pub(super) fn lock_path(config: &JournalConfig) -> PathBuf {
    config.dir.join("journal.lock")
}
