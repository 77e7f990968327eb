//! Event time of a boot: where its uptime counts from.
//!
//! A report can only arrive late, so `arrival - uptime` at the report's end is never below the true start of the boot,
//! and the smallest of them is the best estimate. It falls at once. It may rise by 500 ppm of the uptime that has passed
//! since, because crystals drift apart: 50 ppm over 30 days is 130 s. An uptime that goes back or stands still begins another
//! run with an anchor of its own.

use bincode::{Decode, Encode};

use super::LIVE_MS;

/// Longest uptime that is believed, 10 years in ms.
pub const MAX_UPTIME_MS: u64 = 10 * 366 * 86_400_000;

/// One part in 2,000 = 500 ppm.
const DRIFT: i64 = 2_000;

/// Arrival time after which a supposed backlog is judged by its pace, in ms.
const JUDGED_AFTER_MS: i64 = 5_000;

/// Start of a boot in ms since the epoch (negative: before it), and what it rests on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Anchor {
    at_ms: i64,
    /// Uptime of the report that set it.
    uptime_ms: i64,
    hint: Option<Hint>,
}

/// The start of a boot by the device's wall clock, for as long as everything of the boot has come late.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
struct Hint {
    at_ms: i64,
    /// Uptime and arrival of the boot's first report.
    uptime_ms: i64,
    arrival_ms: i64,
}

impl Hint {
    /// Whether reports come at least twice as fast as they were measured: a backlog. What comes at the pace of the
    /// uptime is live, and the wall clock is wrong.
    fn is_backlog(&self, uptime_ms: i64, arrival_ms: i64) -> bool {
        let waited = arrival_ms - self.arrival_ms;
        waited < JUDGED_AFTER_MS || waited.saturating_mul(2) < uptime_ms - self.uptime_ms
    }
}

impl Anchor {
    /// The anchor of a boot whose first report ended at `uptime_ms` and arrived at `arrival_ms`.
    ///
    /// `hint_ms` is the start of the boot by the device's wall clock. It counts while it says that the boot's reports
    /// are more than a minute and less than `horizon_ms` late, and their pace agrees: a backlog that arrives in one burst
    /// would otherwise fall into the minute of the burst.
    pub fn first(uptime_ms: i64, arrival_ms: i64, hint_ms: Option<i64>, horizon_ms: i64) -> Self {
        let at_ms = arrival_ms - uptime_ms;
        let hint = hint_ms
            .filter(|&hint| (LIVE_MS..horizon_ms).contains(&at_ms.saturating_sub(hint)))
            .map(|hint| Hint { at_ms: hint, uptime_ms, arrival_ms });
        Self { at_ms, uptime_ms, hint }
    }

    /// The anchor after a report that ended at `uptime_ms` and arrived at `arrival_ms`; `None` when the report would
    /// move the boot back by more than `horizon_ms`, which no lateness explains: its uptime is not to be believed.
    pub fn after(mut self, uptime_ms: i64, arrival_ms: i64, horizon_ms: i64) -> Option<Self> {
        let seen = arrival_ms - uptime_ms;
        if seen < self.at_ms - horizon_ms {
            return None;
        }
        if seen <= self.at_ms + (uptime_ms - self.uptime_ms).max(0) / DRIFT {
            (self.at_ms, self.uptime_ms) = (seen, uptime_ms);
        }
        // The hint ends when something live has confirmed or overtaken it, or when the pace belies it.
        self.hint =
            self.hint.filter(|hint| self.at_ms - hint.at_ms >= LIVE_MS && hint.is_backlog(uptime_ms, arrival_ms));
        Some(self)
    }

    /// The anchor of an uptime that has wrapped after `ms`.
    pub fn moved(self, ms: i64) -> Self {
        let hint = self.hint.map(|hint| Hint { at_ms: hint.at_ms + ms, uptime_ms: hint.uptime_ms - ms, ..hint });
        Self { at_ms: self.at_ms + ms, uptime_ms: self.uptime_ms - ms, hint }
    }

    /// Start of the boot in ms since the epoch.
    pub fn at_ms(&self) -> i64 {
        self.hint.map_or(self.at_ms, |hint| hint.at_ms)
    }
}

#[cfg(test)]
mod tests;
