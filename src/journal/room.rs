//! The room that the journal takes: what retention removes, what is kept free, and the way out of a full disk.
//!
//! In this order, so that each step needs no more than the one before has left:
//!
//! 1. Ahead of time: segments that no checkpoint needs are removed while the file system has less free than it should.
//! 2. A write that finds no room removes the oldest such segment and is tried again.
//! 3. If there is none, the reserve is given up: what was accepted becomes durable, and so a checkpoint can be saved
//!    (it has a reserve of its own). Nothing new is accepted.
//! 4. The checkpoint lets segments go. When the reserve has been made again, messages are accepted again.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::clock;
use crate::engine::time::Timestamp;

use super::error::{JournalState, Trouble};
use super::reserve::Reserve;
use super::settings::JournalConfig;
use super::storage::{Space, Storage};
use super::writer::{Kept, Writer};

/// Below this, in bytes, a disk counts as full at the start.
const FULL: u64 = 1 << 20;

/// What the journal knows of its room.
#[derive(Debug)]
pub(super) struct Room {
    reserve: Reserve,
    /// The reserve was given up and has not been made again.
    spent: bool,
    /// Why nothing is accepted although the disk may take what was.
    held: Option<Trouble>,
}

impl Room {
    /// Looks for the reserve that an earlier process has left, and gives it up if the disk is full: a start needs room, too.
    pub(super) fn find(config: &JournalConfig, storage: &Arc<dyn Storage>) -> Self {
        let mut reserve = Reserve::find(&config.dir, Arc::clone(storage));
        reserve.resize(config.reserve_bytes.min(config.max_bytes / 16));
        let is_full = storage.space(&config.dir).is_ok_and(|space| space.free < FULL.min(space.total / 64));
        let spent = is_full && reserve.release();
        Self { reserve, spent, held: None }
    }

    pub(super) fn is_held(&self) -> bool {
        self.held.is_some()
    }
}

/// What retention has come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Retained {
    /// There is nothing to be removed.
    Enough,
    /// More should go, and may not: a checkpoint needs it, or it is the newest.
    Blocked,
}

impl Writer {
    /// Bytes that the segments may have before something has to be done: what is on the way fits above it.
    fn most_bytes(&self) -> u64 {
        let JournalConfig { max_bytes, max_pending_bytes, .. } = self.config;
        let way = (max_pending_bytes as u64).min(max_bytes / 8);
        max_bytes.saturating_sub(self.room.reserve.held() + way)
    }

    fn bytes(&self) -> u64 {
        self.shared.bytes.load(Ordering::Relaxed)
    }

    /// Whether it is time to look round, whatever the clock says.
    pub(super) fn is_tight(&self) -> bool {
        self.room.is_held() || self.room.spent || self.bytes() > self.most_bytes()
    }

    /// Removes what should go, sees to the reserve, and decides whether messages are accepted.
    pub(super) fn poll(&mut self, newest: Timestamp) {
        let retained = self.retain(newest);
        if self.room.reserve.keep() {
            self.room.spent = false;
        }
        let since = self.room.held.as_ref().map_or_else(clock::monotonic, |held| held.since);
        let bytes = self.bytes();
        let held = if bytes > self.most_bytes() {
            Some(Trouble::limit(since, &self.config.dir, self.config.max_bytes))
        } else if self.room.spent {
            Some(Trouble::no_space(since, &self.config.dir))
        } else {
            None
        };
        let wants = (retained == Retained::Blocked && self.kept.len() > 1) || self.needed() > self.config.max_bytes / 2;
        self.shared.wants_checkpoint.store(wants, Ordering::Relaxed);
        self.hold(held);
    }

    /// Turns messages away for this reason, or lets them in again.
    fn hold(&mut self, held: Option<Trouble>) {
        if held == self.room.held {
            return;
        }
        let ended = held.is_none();
        self.buffer.hold(held.as_ref().map(|trouble| trouble.reason));
        self.room.held = held;
        self.tell_state();
        if ended {
            // Whoever waits to be let in waits for this.
            self.durable.send_modify(|_| ());
        }
    }

    /// Says how the journal stands, when its last write has gone well.
    pub(super) fn tell_state(&self) {
        let now = self.room.held.clone().map_or(JournalState::Ok, JournalState::Failing);
        self.state.send_if_modified(|state| {
            let changed = *state != now;
            *state = now;
            changed
        });
    }

    /// A write has found the disk full: gives up something, so that it may be tried again. Whether there was anything.
    pub(super) fn make_room(&mut self, since: Instant) -> bool {
        if self.may_remove(0) && self.remove_oldest() {
            return true;
        }
        self.shared.wants_checkpoint.store(self.kept.len() > 1, Ordering::Relaxed);
        let released = self.room.reserve.release();
        if released {
            self.room.spent = true;
            self.room.held = Some(Trouble::no_space(since, &self.config.dir));
            self.buffer.hold(Some("no_space"));
        }
        released
    }

    /// Removes the oldest segments while they are too old or too many or the disk has too little room, never the newest (it
    /// carries the record number on) and never one that a checkpoint needs. Age is told by arrivals: an idle journal does
    /// not shrink.
    fn retain(&mut self, newest: Timestamp) -> Retained {
        let oldest_at = newest.plus_ms(-i64::try_from(self.config.max_age.as_millis()).unwrap_or(i64::MAX));
        loop {
            // Everything in the first segment arrived before the first entry of the second one.
            let is_old = self.kept.get(1).is_some_and(|next| next.first_at < oldest_at);
            let is_urgent = self.bytes() > self.most_bytes() || self.is_short();
            if !is_old && !is_urgent {
                return Retained::Enough;
            }
            if !self.may_remove(0) {
                return if is_urgent { Retained::Blocked } else { Retained::Enough };
            }
            if !self.remove_oldest() {
                // Tried again with the next segment or the next idle moment; the size is there for all to see.
                return Retained::Enough;
            }
        }
    }

    /// Whether the segment at this place may go.
    fn may_remove(&self, at: usize) -> bool {
        let keep_from = self.shared.keep_from.load(Ordering::Acquire);
        self.kept.get(at + 1).is_some_and(|next| next.segment.first_lsn <= keep_from)
    }

    /// Bytes of the segments that a checkpoint needs.
    fn needed(&self) -> u64 {
        let free: u64 =
            (0..self.kept.len()).take_while(|&at| self.may_remove(at)).map(|at| self.kept[at].segment.bytes).sum();
        self.bytes().saturating_sub(free)
    }

    /// Whether the file system has less free than it should. One that cannot tell has enough.
    fn is_short(&self) -> bool {
        let Ok(Space { free, total }) = self.storage.space(&self.config.dir) else { return false };
        free < self.config.keep_free_bytes.min(total / 16).saturating_add(self.room.reserve.needs())
    }

    fn remove_oldest(&mut self) -> bool {
        let Some(Kept { segment, .. }) = self.kept.front() else { return false };
        if !is_gone(&*self.storage, &segment.path) {
            self.shared.failures.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        self.shared.bytes.fetch_sub(segment.bytes, Ordering::Relaxed);
        self.shared.removed_segments.fetch_add(1, Ordering::Relaxed);
        self.kept.pop_front();
        self.shared.segments.store(self.kept.len() as u64, Ordering::Relaxed);
        true
    }
}

fn is_gone(storage: &dyn Storage, path: &Path) -> bool {
    match storage.remove(path) {
        Ok(()) => true,
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}
