//! The content of the newest reports: what comes again word for word is a copy, whatever its counters say.

use bincode::{Decode, Encode};

use crate::engine::report::Report;

/// Digests of one half.
const HALF: usize = 128;

/// Digests of the newest 128 to 256 reports, at most 2 KiB: in two halves, so that the older half goes in one piece.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub(super) struct Recent {
    older: Vec<u64>,
    newer: Vec<u64>,
    /// Arrival of the last report of each half, in ms.
    older_until_ms: i64,
    newer_until_ms: i64,
    /// Arrival of the last report that was given up; `None` while all are there.
    gone_until_ms: Option<i64>,
}

impl Recent {
    /// Nothing is known of what arrived up to then.
    pub fn after(gone_until_ms: Option<i64>) -> Self {
        Self { gone_until_ms, ..Self::default() }
    }

    /// Whether this very report is among them.
    pub fn has(&self, digest: u64) -> bool {
        self.newer.contains(&digest) || self.older.contains(&digest)
    }

    /// Whether a report that was over at `end_ms`, and so cannot have arrived before, would be among them if it had been taken.
    pub fn covers(&self, end_ms: i64) -> bool {
        self.gone_until_ms.is_none_or(|gone| end_ms > gone)
    }

    /// Adds a report that arrived at `arrival_ms`.
    pub fn add(&mut self, digest: u64, arrival_ms: i64) {
        if self.newer.len() >= HALF {
            if !self.older.is_empty() {
                self.gone_until_ms = self.gone_until_ms.max(Some(self.older_until_ms));
            }
            self.older = std::mem::take(&mut self.newer);
            self.older_until_ms = self.newer_until_ms;
        }
        self.newer_until_ms = self.newer_until_ms.max(arrival_ms);
        self.newer.push(digest);
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        (self.older.capacity() + self.newer.capacity()) * size_of::<u64>()
    }
}

/// 64 bits of everything a report says. Two reports that differ have one digest by chance once in 10^19.
pub(super) fn digest(report: &Report) -> u64 {
    let Report { boot, seq, uptime_ms, start, period_ms, classes, .. } = report;
    let mut sum = Sum(0);
    [*boot, *seq, *uptime_ms, *start as u64, u64::from(*period_ms)].into_iter().for_each(|word| sum.add(word));
    for class in classes {
        sum.add(class.class.index() as u64);
        let counts = [class.flows, class.flagged, class.canary, class.canary_flagged, class.released];
        counts.into_iter().for_each(|count| sum.add(u64::from(count)));
        for bucket in report.buckets_of(class) {
            sum.add(u64::from(bucket.index) << 32 | u64::from(bucket.count));
        }
        for (name, count) in report.rules_of(class) {
            name.bytes().for_each(|byte| sum.add(u64::from(byte)));
            sum.add(1 << 40 | u64::from(count));
        }
    }
    sum.0
}

/// One word after the other through the finalizer of `SplitMix64` (Steele, Lea & Flood 2014).
struct Sum(u64);

impl Sum {
    fn add(&mut self, word: u64) {
        let mut z = (self.0 ^ word).wrapping_add(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        self.0 = z ^ (z >> 31);
    }
}
