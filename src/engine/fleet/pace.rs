//! The pace of reports that do not look live: what comes no faster than it was measured, and nothing else comes, is live
//! after all.

use bincode::{Decode, Encode};

use super::LIVE_MS;
use super::run::Facts;

/// Reports that make a stream.
const STREAM: u32 = 3;

/// Reports one after the other, none of which was taken as live.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub(super) struct Pace {
    boot: u64,
    /// Uptime at the end, and arrival, of the first.
    from: (i64, i64),
    /// The same of the last.
    to: (i64, i64),
    reports: u32,
}

impl Pace {
    /// The stream that goes on, or begins, with this report.
    pub fn with(before: Option<Self>, facts: &Facts) -> Self {
        let here = (facts.end_ms, facts.arrival_ms);
        let goes_on = |known: &Self| {
            known.boot == facts.boot
                && facts.end_ms >= known.to.0
                // After a silence it may be a backlog that begins.
                && facts.arrival_ms - known.to.1 <= facts.end_ms - known.to.0 + LIVE_MS
                // What has just caught up proves nothing of the time before.
                && (facts.arrival_ms - known.to.1).saturating_mul(2) >= facts.end_ms - known.to.0
        };
        match before.filter(goes_on) {
            Some(known) => Self { to: here, reports: known.reports.saturating_add(1), ..known },
            None => Self { boot: facts.boot, from: here, to: here, reports: 1 },
        }
    }

    /// Whether it has come for `after_ms` and has caught up with nothing: an eighth may be chance.
    pub fn is_live(&self, after_ms: i64) -> bool {
        let (measured, waited) = (self.to.0 - self.from.0, self.to.1 - self.from.1);
        self.reports >= STREAM && waited >= after_ms && waited.saturating_mul(8) >= measured.saturating_mul(7)
    }
}
