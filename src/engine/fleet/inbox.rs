//! What a device has for the decision task beside its open minutes: data of closed minutes, and statuses.

use bincode::{Decode, Encode};

use crate::engine::device::{Status, TrafficClass};
use crate::engine::slots::SlotCounts;
use crate::engine::time::{Minute, Timestamp};

/// Fragments that wait at most: two hours of four classes.
pub const MAX_FRAGMENTS: usize = 512;

/// Buckets that wait at most, over all fragments: 128 KiB.
pub const MAX_BUCKETS: usize = 16_384;

/// Statuses that wait at most; the newest stay.
pub const MAX_STATUSES: usize = 4;

/// How far back a fragment of the same minute and class is looked for. A backlog comes in order, class by class.
const MERGE_REACH: usize = 16;

/// Data of a minute that could not go to its open slot, to be added to what is known of the minute.
///
/// Mostly the minute is closed. It may also be open still, when a device's reports overtake each other by minutes.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct LateFragment {
    /// The minute of event time.
    pub minute: Minute,
    /// The traffic class.
    pub class: TrafficClass,
    /// Samples as `(bucket, count)`, ascending by bucket, each bucket once.
    pub buckets: Vec<(u16, u32)>,
    /// The counts beside the latencies.
    pub counts: SlotCounts,
}

impl LateFragment {
    /// Adds `count` samples to `bucket`, saturating.
    pub(super) fn add(&mut self, bucket: u16, count: u32) {
        match self.buckets.binary_search_by_key(&bucket, |&(index, _)| index) {
            Ok(at) => self.buckets[at].1 = self.buckets[at].1.saturating_add(count),
            Err(at) => self.buckets.insert(at, (bucket, count)),
        }
    }
}

/// A status as it arrived.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct StatusNote {
    /// What the device says.
    pub status: Status,
    /// Whether the broker kept it: then its arrival says nothing about when it was sent.
    pub retained: bool,
    /// When it arrived.
    pub arrival: Timestamp,
}

/// Everything that waits for the decision task, oldest first.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct Inbox {
    /// Data of closed minutes. A minute and class may come in more than one fragment.
    pub late: Vec<LateFragment>,
    /// Statuses, at most one of each boot.
    pub statuses: Vec<StatusNote>,
}

impl Inbox {
    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.late.is_empty() && self.statuses.is_empty()
    }

    /// Whether `fragments` more with `buckets` buckets in all have room.
    pub(super) fn has_room(&self, fragments: usize, buckets: usize) -> bool {
        let held: usize = self.late.iter().map(|fragment| fragment.buckets.len()).sum();
        self.late.is_empty() || (self.late.len() + fragments <= MAX_FRAGMENTS && held + buckets <= MAX_BUCKETS)
    }

    /// The fragment of `minute` and `class` to add to.
    pub(super) fn fragment(&mut self, minute: Minute, class: TrafficClass) -> &mut LateFragment {
        let near = self.late.len().saturating_sub(MERGE_REACH);
        let found = self.late[near..].iter().position(|fragment| fragment.minute == minute && fragment.class == class);
        let at = match found {
            Some(offset) => near + offset,
            None => {
                self.late.push(LateFragment { minute, class, buckets: Vec::new(), counts: SlotCounts::default() });
                self.late.len() - 1
            }
        };
        &mut self.late[at]
    }

    /// Adds a status. It completes what waits of its boot: a will says that the device is gone, not what it is. When there are
    /// too many the oldest gives way, and what it said that the next one leaves out is kept with that.
    pub(super) fn note(&mut self, mut note: StatusNote) {
        if let Some(at) = self.statuses.iter().position(|held| held.status.boot == note.status.boot) {
            let held = self.statuses.remove(at);
            // What a broker had kept does not say that the device is there, but what has been heard live does.
            if note.retained && note.status.online && !held.retained {
                (note.retained, note.status.online) = (false, held.status.online);
            }
            note.status.complete(&held.status);
        }
        self.statuses.push(note);
        if self.statuses.len() > MAX_STATUSES {
            let oldest = self.statuses.remove(0);
            if let Some(next) = self.statuses.first_mut() {
                next.status.complete(&oldest.status);
            }
        }
    }
}

#[cfg(test)]
mod tests;
