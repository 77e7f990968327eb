//! Whether an id that nobody expects has proved to be a device.
//!
//! Anybody who may publish can invent a name and register it with one message. A device goes on: it has proved itself once
//! its reports were taken in ten different minutes of *arrival*, which a burst in one minute cannot buy. Until then it is a
//! newcomer, who pays from the newcomers' [budget](super::budget), gives its place to others when the fleet is full, and
//! is forgotten after a day of silence. A device that has proved itself, or is expected, is never pushed out.

use bincode::{Decode, Encode};

use crate::engine::time::{Minute, Timestamp};

/// Minutes of arrival with reports that prove a device.
pub const PROOF_MIN: u8 = 10;

/// Silence after which a newcomer is forgotten, in ms.
pub const FORGET_AFTER_MS: i64 = 24 * 3_600_000;

/// How far the proof has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct Proof {
    /// Minutes in which reports arrived and were taken; counts to [`PROOF_MIN`].
    minutes: u8,
    /// The newest of them.
    newest: Minute,
    /// When anything was last heard.
    heard: Timestamp,
}

impl Proof {
    /// Of a device that was there before proofs were counted: so many reports are a history.
    pub fn of_history(reports: u64, heard: Timestamp) -> Self {
        let minutes = u8::try_from(reports).unwrap_or(PROOF_MIN).min(PROOF_MIN);
        Self { minutes, newest: heard.minute(), heard }
    }

    /// Something was taken from the device at `arrival`.
    pub fn hear(&mut self, arrival: Timestamp) {
        self.heard = self.heard.max(arrival);
    }

    /// A report was taken at `arrival`.
    pub fn note(&mut self, arrival: Timestamp) {
        self.hear(arrival);
        let minute = arrival.minute();
        if self.minutes == 0 || minute > self.newest {
            self.minutes = self.minutes.saturating_add(1).min(PROOF_MIN);
            self.newest = minute;
        }
    }

    /// Whether this is a device.
    pub fn is_proved(&self) -> bool {
        self.minutes >= PROOF_MIN
    }

    /// Who leaves first when places are short: who has proved least, and of those the longest silent.
    pub fn rank(&self) -> (u8, Timestamp) {
        (self.minutes, self.heard)
    }

    /// Whether the newcomer has been silent for so long at `now` that it is forgotten.
    pub fn is_forgotten(&self, now: Timestamp) -> bool {
        !self.is_proved() && now.since_ms(self.heard) > FORGET_AFTER_MS
    }
}
