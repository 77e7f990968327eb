//! How a journal behaves, and who hears of its commits.

use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::error::JournalError;
use super::frame;

/// The pauses between attempts to write while the disk refuses.
pub(super) const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Where the journal is and how it behaves.
#[derive(Clone, Debug)]
pub struct JournalConfig {
    /// Its directory; made if it is missing.
    pub dir: PathBuf,
    /// Size at which a segment is followed by the next one. Retention removes whole segments.
    pub segment_bytes: u64,
    /// Entries older than this, counted back from the newest, may be removed.
    pub max_age: Duration,
    /// The size in bytes that the journal keeps below, with the segment that is being written and its reserve: the oldest
    /// segments are removed for it, and when none may go nothing is accepted.
    pub max_bytes: u64,
    /// Room that is taken from the disk beforehand, for what is on its way to it when it is full; in bytes, at most a
    /// sixteenth of `max_bytes` and of the file system. 0: none.
    pub reserve_bytes: u64,
    /// Bytes that are kept free on the file system, at most a sixteenth of it, by removing the oldest segments that no
    /// checkpoint needs.
    pub keep_free_bytes: u64,
    /// Longest time between two commits while messages wait. The first message after a pause does not wait.
    pub commit_interval: Duration,
    /// Messages that are committed without waiting for the interval.
    pub commit_messages: u64,
    /// Messages that may be accepted and not durable yet.
    pub max_pending_messages: u64,
    /// Bytes that may be accepted and not durable yet; at least 1 MiB. The buffers take at most twice as much memory.
    pub max_pending_bytes: usize,
    /// Pause before the first new attempt when the disk refuses; it doubles up to `retry_most`.
    pub retry_first: Duration,
    /// Longest pause between two attempts.
    pub retry_most: Duration,
    /// How often an idle journal looks for segments to remove.
    pub housekeeping_interval: Duration,
    /// Told of each commit, on the journal's thread: for metrics. Must be quick.
    pub observer: Option<Arc<dyn CommitObserver>>,
}

impl JournalConfig {
    /// The defaults: 64 MiB segments, 7 days, 8 GiB, 64 MiB of the file system kept free beside a reserve of 16 MiB, a
    /// commit every 10 ms or 1,000 messages, 65,536 messages or 16 MiB on the way to the disk.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            segment_bytes: 64 << 20,
            max_age: Duration::from_secs(7 * 24 * 3600),
            max_bytes: 8 << 30,
            reserve_bytes: (16 << 20) + (64 << 10),
            keep_free_bytes: 64 << 20,
            commit_interval: Duration::from_millis(10),
            commit_messages: 1_000,
            max_pending_messages: 65_536,
            max_pending_bytes: 16 << 20,
            retry_first: RETRY.0,
            retry_most: RETRY.1,
            housekeeping_interval: Duration::from_secs(10),
            observer: None,
        }
    }

    pub(super) fn check(&self) -> Result<(), JournalError> {
        let rule = if self.max_pending_bytes < frame::MAX_FRAME {
            "max_pending_bytes must be at least 1 MiB, or the longest entry would never fit"
        } else if self.max_pending_messages == 0 || self.commit_messages == 0 {
            "max_pending_messages and commit_messages must be at least 1"
        } else if self.segment_bytes == 0 || self.retry_first.is_zero() {
            "segment_bytes and retry_first must be above 0"
        } else {
            return Ok(());
        };
        Err(JournalError::Settings(rule))
    }
}

/// Hears of each commit.
pub trait CommitObserver: Debug + Send + Sync {
    /// A batch has become durable.
    fn committed(&self, commit: Commit);
}

/// A batch that has become durable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Commit {
    /// Messages in it.
    pub messages: u64,
    /// Bytes of their frames.
    pub bytes: u64,
    /// From the begin of the write to the end of the sync, attempts that failed included.
    pub took: Duration,
}
