//! Instants and minutes. The engine never reads a clock: every instant it knows was given to it.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// Milliseconds in a minute.
pub const MINUTE_MS: i64 = 60_000;

/// Latest instant the engine accepts, year 9999: far above any real clock, far below overflow.
const MAX_MS: i64 = 253_402_300_799_999;

/// An instant in milliseconds since the Unix epoch (UTC, no leap seconds).
///
/// Values are clamped to `0 ..= 9999-12-31`, so that arithmetic on hostile input cannot overflow.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize, Encode, Decode)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The instant `ms` milliseconds after the epoch, clamped to the accepted range.
    pub const fn from_ms(ms: i64) -> Self {
        Self(if ms < 0 {
            0
        } else if ms > MAX_MS {
            MAX_MS
        } else {
            ms
        })
    }

    /// Milliseconds since the epoch.
    pub const fn as_ms(self) -> i64 {
        self.0
    }

    /// The minute that contains this instant.
    pub const fn minute(self) -> Minute {
        Minute((self.0 / MINUTE_MS) as u32)
    }

    /// This instant moved by `ms` (negative: earlier), clamped.
    pub const fn plus_ms(self, ms: i64) -> Self {
        Self::from_ms(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to this instant; negative when it is later.
    pub const fn since_ms(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }
}

/// A minute of event time: minutes since the Unix epoch. A slot is one `Minute` of one device and class.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize, Encode, Decode)]
#[serde(transparent)]
pub struct Minute(pub u32);

impl Minute {
    /// The instant at which the minute begins.
    pub const fn start(self) -> Timestamp {
        Timestamp::from_ms(self.0 as i64 * MINUTE_MS)
    }

    /// The instant at which the minute ends (exclusive).
    pub const fn end(self) -> Timestamp {
        Timestamp::from_ms((self.0 as i64 + 1) * MINUTE_MS)
    }

    /// This minute moved by `n` minutes, clamped to the representable range.
    pub const fn plus(self, n: i64) -> Self {
        let moved = self.0 as i64 + n;
        Self(if moved < 0 {
            0
        } else if moved > u32::MAX as i64 {
            u32::MAX
        } else {
            moved as u32
        })
    }

    /// Whole minutes from `earlier` to this minute; negative when it is later.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0 as i64 - earlier.0 as i64
    }

    /// Hour of the day, 0..=23, UTC.
    pub const fn hour(self) -> usize {
        (self.0 / 60 % 24) as usize
    }

    /// Day since the epoch.
    pub const fn day(self) -> u32 {
        self.0 / 1440
    }

    /// Whether the day is a Saturday or a Sunday (UTC). 1970-01-01 was a Thursday.
    pub const fn is_weekend(self) -> bool {
        matches!((self.day() + 4) % 7, 0 | 6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_clamped_so_that_hostile_numbers_cannot_overflow() {
        assert_eq!(Timestamp::from_ms(i64::MIN).as_ms(), 0);
        assert_eq!(Timestamp::from_ms(i64::MAX).plus_ms(i64::MAX).as_ms(), MAX_MS);
        assert!(Timestamp::from_ms(i64::MAX).minute().0 < u32::MAX);
        assert_eq!(Minute(3).plus(-10), Minute(0));
        assert_eq!(Minute(u32::MAX).plus(10), Minute(u32::MAX));
    }

    #[test]
    fn a_minute_holds_its_start_and_not_its_end() {
        let minute = Minute(29_921_760);
        assert_eq!(minute.start().minute(), minute);
        assert_eq!(minute.end().minute(), minute.plus(1));
        assert_eq!(minute.end().plus_ms(-1).minute(), minute);
    }

    #[test]
    fn weekends_follow_the_calendar() {
        // 2026-11-22 is a Sunday, 2026-11-23 a Monday, 2026-11-21 a Saturday.
        let sunday = Timestamp::from_ms(1_795_305_600_000).minute();
        assert!(sunday.is_weekend());
        assert!(sunday.plus(-1440).is_weekend());
        assert!(!sunday.plus(1440).is_weekend());
        assert_eq!(sunday.hour(), 0);
    }
}
