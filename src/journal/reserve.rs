//! Room that is kept for the way out of a full disk.
//!
//! What makes room on a disk that is full needs some itself: an older segment may go only once a newer checkpoint is
//! saved, and that has to be written first. So a file with real blocks lies beside the segments and one beside the
//! checkpoints. It is removed when the disk refuses for lack of room, and made again when there is enough.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::storage::Storage;

/// Its name in the directory.
const NAME: &str = "reserve";

/// Bytes that must be free beside the reserve before it is made, so that making it does not fill the disk.
const SLACK: u64 = 1 << 20;

/// A file whose only content is its size.
#[derive(Debug)]
pub(super) struct Reserve {
    path: PathBuf,
    storage: Arc<dyn Storage>,
    /// Bytes that it should have; 0: none is kept.
    want: u64,
    /// Bytes that it has.
    held: u64,
}

impl Reserve {
    /// The reserve of `dir` as an earlier process has left it.
    pub(super) fn find(dir: &Path, storage: Arc<dyn Storage>) -> Self {
        let path = dir.join(NAME);
        // A file that was cut off while it was made has a length, but not the blocks.
        let held = fs::metadata(&path).map_or(0, |data| data.len().min(data.blocks().saturating_mul(512)));
        Self { path, storage, want: 0, held }
    }

    /// Sets its size: `bytes`, but no more than a sixteenth of the file system.
    pub(super) fn resize(&mut self, bytes: u64) {
        let total = self.dir().map_or(u64::MAX, |dir| self.storage.space(dir).map_or(u64::MAX, |space| space.total));
        self.want = bytes.min(total / 16);
    }

    fn dir(&self) -> Option<&Path> {
        self.path.parent()
    }

    /// Bytes on the disk.
    pub(super) fn held(&self) -> u64 {
        self.held
    }

    /// Bytes that are to be free before it can be made.
    pub(super) fn needs(&self) -> u64 {
        if self.is_kept() { 0 } else { self.want + SLACK.min(self.want) }
    }

    /// Whether it is there, in its size or above.
    pub(super) fn is_kept(&self) -> bool {
        self.held >= self.want
    }

    /// Makes it, or makes it larger, if there is room. Whether it is there now.
    pub(super) fn keep(&mut self) -> bool {
        if self.is_kept() {
            return true;
        }
        // A system that cannot tell is asked for the room itself.
        let free = self.dir().map_or(u64::MAX, |dir| self.storage.space(dir).map_or(u64::MAX, |space| space.free));
        if free.saturating_add(self.held) < self.needs() || !self.remove() {
            return false;
        }
        match self.storage.allocate(&self.path, self.want) {
            Ok(()) => self.held = self.want,
            Err(_) => drop(self.remove()),
        }
        self.is_kept()
    }

    /// Gives the room to whoever writes next. Whether there was any.
    pub(super) fn release(&mut self) -> bool {
        self.held > 0 && self.remove()
    }

    fn remove(&mut self) -> bool {
        let gone = match self.storage.remove(&self.path) {
            Ok(()) => true,
            Err(error) => error.kind() == std::io::ErrorKind::NotFound,
        };
        if gone {
            self.held = 0;
        }
        gone
    }
}
