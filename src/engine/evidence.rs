//! What is kept of a closed slot: how many samples there were, and how many stood above the thresholds.
//!
//! Twelve bytes a minute and class for eight hours: late data are added to them, every verdict is made from them, and,
//! because the thresholds are each device's own, they can be summed over devices.

use bincode::{Decode, Encode};

use super::time::Minute;

/// Minutes of evidence that are kept: 8 h. Later data than that cannot change a verdict.
pub const EVIDENCE_MIN: u32 = 8 * 60;

/// Counts of one slot. Where a count would not fit, all counts of its family are scaled down together, which keeps their
/// ratio; at such numbers the decision no longer depends on the last digit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct Evidence {
    samples: u16,
    over_p50: u16,
    over_p95: u16,
    flows: u16,
    flagged: u16,
    canary: u8,
    canary_flagged: u8,
}

/// Plain counts of a slot, a window or a group, before they are packed and after they are summed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Latency samples.
    pub samples: u64,
    /// Of them, above the threshold of the median.
    pub over_p50: u64,
    /// Of them, above the threshold of the 95th percentile.
    pub over_p95: u64,
    pub flows: u64,
    /// Flows that were flagged.
    pub flagged: u64,
    /// Known-good probes.
    pub canary: u64,
    /// Of them, wrongly flagged.
    pub canary_flagged: u64,
}

impl Counts {
    /// Adds another count to this one.
    pub fn add(&mut self, other: Self) {
        self.samples += other.samples;
        self.over_p50 += other.over_p50;
        self.over_p95 += other.over_p95;
        self.flows += other.flows;
        self.flagged += other.flagged;
        self.canary += other.canary;
        self.canary_flagged += other.canary_flagged;
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.samples == 0 && self.canary == 0 && self.flows == 0
    }
}

impl From<Evidence> for Counts {
    fn from(packed: Evidence) -> Self {
        Self {
            samples: packed.samples.into(),
            over_p50: packed.over_p50.into(),
            over_p95: packed.over_p95.into(),
            flows: packed.flows.into(),
            flagged: packed.flagged.into(),
            canary: packed.canary.into(),
            canary_flagged: packed.canary_flagged.into(),
        }
    }
}

impl From<Counts> for Evidence {
    fn from(counts: Counts) -> Self {
        let [samples, over_p50, over_p95] = fit([counts.samples, counts.over_p50, counts.over_p95], u16::MAX.into());
        let [flows, flagged] = fit([counts.flows, counts.flagged], u16::MAX.into());
        let [canary, canary_flagged] = fit([counts.canary, counts.canary_flagged], u8::MAX.into());
        Self {
            samples: samples as u16,
            over_p50: over_p50 as u16,
            over_p95: over_p95 as u16,
            flows: flows as u16,
            flagged: flagged as u16,
            canary: canary as u8,
            canary_flagged: canary_flagged as u8,
        }
    }
}

/// Scales a family of counts, the whole first, so that the greatest fits below `limit`.
fn fit<const N: usize>(counts: [u64; N], limit: u64) -> [u64; N] {
    let greatest = counts.iter().copied().max().unwrap_or(0);
    if greatest <= limit {
        return counts;
    }
    counts.map(|count| (u128::from(count) * u128::from(limit) / u128::from(greatest)) as u64)
}

/// The last [`EVIDENCE_MIN`] minutes of one device and class.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct EvidenceRing {
    newest: Minute,
    /// Empty until the first write.
    minutes: Vec<Evidence>,
}

impl EvidenceRing {
    /// The counts of `minute`; empty where there are none.
    pub fn get(&self, minute: Minute) -> Counts {
        if self.minutes.is_empty() || !self.covers(minute) {
            return Counts::default();
        }
        self.minutes[(minute.0 % EVIDENCE_MIN) as usize].into()
    }

    /// Sum over the `width` minutes that end with `last`.
    pub fn window(&self, last: Minute, width: u32) -> Counts {
        let mut sum = Counts::default();
        if self.minutes.is_empty() {
            return sum;
        }
        let oldest = self.newest.plus(1 - i64::from(EVIDENCE_MIN));
        let (first, end) = (last.plus(1 - i64::from(width)).max(oldest), last.min(self.newest).plus(1));
        let minutes = end.since(first).clamp(0, i64::from(EVIDENCE_MIN)) as usize;
        // In the ring's order: to its end, and on from its begin.
        let (begun, wrapped) = self.minutes.split_at((first.0 % EVIDENCE_MIN) as usize);
        let (tail, head) = (&wrapped[..minutes.min(wrapped.len())], &begun[..minutes.saturating_sub(wrapped.len())]);
        tail.iter().chain(head).for_each(|&packed| sum.add(packed.into()));
        sum
    }

    /// Adds counts to `minute`. Returns false, and keeps nothing, when the minute is older than the ring.
    pub fn add(&mut self, minute: Minute, counts: Counts) -> bool {
        if self.minutes.is_empty() {
            self.minutes = vec![Evidence::default(); EVIDENCE_MIN as usize];
            self.newest = minute;
        }
        let steps = minute.since(self.newest).clamp(0, i64::from(EVIDENCE_MIN));
        for step in 0..steps {
            self.minutes[(minute.plus(-step).0 % EVIDENCE_MIN) as usize] = Evidence::default();
        }
        self.newest = self.newest.max(minute);
        if !self.covers(minute) {
            return false;
        }
        let place = &mut self.minutes[(minute.0 % EVIDENCE_MIN) as usize];
        let mut sum = Counts::from(*place);
        sum.add(counts);
        *place = sum.into();
        true
    }

    /// Brings into the cache what judging `minute` will read; the answer means nothing.
    pub fn warm(&self, minute: Minute) -> u32 {
        let at = |minute: Minute| self.minutes.get((minute.0 % EVIDENCE_MIN) as usize).map_or(0, |slot| slot.flows);
        u32::from(at(minute) ^ at(minute.plus(-4)))
    }

    fn covers(&self, minute: Minute) -> bool {
        minute <= self.newest && self.newest.since(minute) < i64::from(EVIDENCE_MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_counts_keep_their_ratio() {
        let counts = Counts { samples: 10_000_000, over_p50: 5_000_000, over_p95: 100_000, ..Counts::default() };
        let packed = Counts::from(Evidence::from(counts));
        assert_eq!(packed.samples, 65_535);
        assert_eq!(packed.over_p50, 32_767);
        assert_eq!(packed.over_p95, 655);
        assert_eq!(size_of::<Evidence>(), 12);
    }

    #[test]
    fn late_counts_are_added_and_too_late_ones_are_refused() {
        let mut ring = EvidenceRing::default();
        let now = Minute(1_000_000);
        let one = Counts { samples: 1, over_p95: 1, ..Counts::default() };
        assert!(ring.add(now, one));
        assert!(ring.add(now.plus(-479), one));
        assert!(!ring.add(now.plus(-480), one));
        assert!(ring.add(now, one));
        assert_eq!(ring.get(now).samples, 2);
        assert_eq!(ring.window(now, 480).samples, 3);
        assert!(ring.add(now.plus(1), one));
        assert_eq!(ring.get(now.plus(-479)), Counts::default(), "fell out of the ring");
        assert!(ring.get(now.plus(2)).is_empty());
    }
}
