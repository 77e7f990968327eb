//! The rate limit: how much event time a device has reported for each minute and hour.
//!
//! It counts the time that reports *cover*, never how fast they arrive, so an hour's backlog in one second passes and a
//! device that sends every second twice does not.

use bincode::{Decode, Encode};

use crate::engine::time::Minute;

/// Reports of one minute that are accepted.
pub const MAX_REPORTS_PER_MINUTE: u32 = 240;

/// Event time of one minute that is accepted, in ms: twice what there is, for a device that was replaced or restarted.
pub const MAX_COVER_MS_PER_MINUTE: u32 = 2 * 60_000;

const MINUTES: usize = 16;
const HOURS: usize = 64;

/// What was reported for one minute or hour.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode)]
struct Use {
    /// Number of the minute or hour.
    unit: u32,
    cover_ms: u32,
    reports: u32,
}

impl Use {
    /// The use of `unit` if this entry is of it, nothing if the entry is of an older one, `None` if of a newer one.
    fn of(self, unit: u32) -> Option<Self> {
        match self.unit.cmp(&unit) {
            std::cmp::Ordering::Less => Some(Self { unit, cover_ms: 0, reports: 0 }),
            std::cmp::Ordering::Equal => Some(self),
            std::cmp::Ordering::Greater => None,
        }
    }

    /// This and one report more, unless that is above the limit of `minutes` minutes.
    fn plus(self, period_ms: u32, minutes: u32) -> Option<Self> {
        let next =
            Self { unit: self.unit, cover_ms: self.cover_ms.saturating_add(period_ms), reports: self.reports + 1 };
        let within =
            next.cover_ms <= MAX_COVER_MS_PER_MINUTE * minutes && next.reports <= MAX_REPORTS_PER_MINUTE * minutes;
        within.then_some(next)
    }
}

/// Event time reported by a device: exact for the newest 16 minutes, by the hour for the 64 hours before.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Coverage {
    minutes: [Use; MINUTES],
    hours: [Use; HOURS],
}

impl Default for Coverage {
    fn default() -> Self {
        Self { minutes: [Use::default(); MINUTES], hours: [Use::default(); HOURS] }
    }
}

/// The room for one report, found by [`Coverage::room`] and taken by [`Coverage::take`].
#[derive(Clone, Copy, Debug)]
pub struct Room {
    minute: Option<Use>,
    hour: Use,
}

impl Coverage {
    /// Room for a report of `period_ms` in `minute`; `None` when the device has used it up.
    pub fn room(&self, minute: Minute, period_ms: u32) -> Option<Room> {
        let hour = minute.0 / 60;
        let hour = self.hours[hour as usize % HOURS].of(hour)?.plus(period_ms, 60)?;
        let minute = match self.minutes[minute.0 as usize % MINUTES].of(minute.0) {
            Some(used) => Some(used.plus(period_ms, 1)?),
            // Older than the ring: the hour alone limits it.
            None => None,
        };
        Some(Room { minute, hour })
    }

    /// Takes the room, straight after it was found.
    pub fn take(&mut self, room: Room) {
        self.hours[room.hour.unit as usize % HOURS] = room.hour;
        if let Some(minute) = room.minute {
            self.minutes[minute.unit as usize % MINUTES] = minute;
        }
    }
}

#[cfg(test)]
mod tests;
