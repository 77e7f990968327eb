//! The HDR bucket layout that every latency in fleetwatch is kept in, and plain histograms over it.
//!
//! One significant digit over 1 us ..= 60 s: 368 counters, 1.5 KiB as `u32`. Two digits would be 2,560 counters and
//! 10 KiB, which four classes with four open minutes each make 160 KiB a device: over the budget of 64 KiB. A bucket is
//! at most 1/16 of its value wide (6.25 %), against thresholds that stand 30 % above the baseline.
//!
//! Values below 32 us are exact. Above, each power of two is cut into 16 equal buckets, as in HdrHistogram (Gil Tene,
//! <http://hdrhistogram.org/>), so that counts can be exchanged in its V2 format without resampling.

use std::fmt;

/// Buckets in the layout.
pub const BUCKETS: usize = 368;

/// Largest value that is kept apart, in microseconds; greater ones count as this one.
pub const MAX_US: u32 = 60_000_000;

/// log2 of the buckets per power of two, plus one.
const SUB_BITS: u32 = 5;
const HALF: u32 = 1 << (SUB_BITS - 1);

/// The bucket that counts `us`; values above [`MAX_US`] fall into its bucket.
pub const fn bucket_of(us: u32) -> usize {
    let us = if us > MAX_US { MAX_US } else { us };
    let octave = (u32::BITS - (us | ((1 << SUB_BITS) - 1)).leading_zeros()) - SUB_BITS;
    (((octave + 1) * HALF) + (us >> octave) - HALF) as usize
}

/// Smallest value that bucket `index` counts, in microseconds.
///
/// # Panics
/// In debug builds, when `index >= BUCKETS`.
pub const fn lowest_of(index: usize) -> u32 {
    debug_assert!(index < BUCKETS);
    let index = index as u32;
    if index < 2 * HALF {
        return index;
    }
    let octave = index / HALF - 1;
    (index % HALF + HALF) << octave
}

/// Largest value that bucket `index` counts, in microseconds.
pub const fn highest_of(index: usize) -> u32 {
    lowest_of(index + 1) - 1
}

/// Counts of latencies in the bucket layout: plain integers, owned by one task.
///
/// A count saturates at `u32::MAX` instead of wrapping; the total is the sum of what is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct Histogram {
    counts: [u32; BUCKETS],
    total: u64,
    /// Every occupied bucket is in `first .. end`: a minute's latencies lie close together, and most walks are short.
    first: usize,
    end: usize,
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Histogram {
    /// The occupied buckets as `lowest value: count`; 368 zeros tell nobody anything.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.buckets().map(|(index, count)| (lowest_of(index), count))).finish()
    }
}

impl Histogram {
    /// A histogram without samples.
    pub const fn new() -> Self {
        Self { counts: [0; BUCKETS], total: 0, first: BUCKETS, end: 0 }
    }

    /// Adds `count` samples of the latency `us`, in microseconds.
    pub fn record(&mut self, us: u32, count: u32) {
        self.add(bucket_of(us), count);
    }

    /// Adds `count` samples to bucket `index`; an index outside the layout counts in the last bucket.
    pub fn add(&mut self, index: usize, count: u32) {
        if count == 0 {
            return;
        }
        let index = index.min(BUCKETS - 1);
        self.first = self.first.min(index);
        self.end = self.end.max(index + 1);
        let slot = &mut self.counts[index];
        let before = *slot;
        *slot = before.saturating_add(count);
        self.total += u64::from(*slot - before);
    }

    /// Adds the counts of neighbouring buckets, the first of which is `index`; all of them have to be in the layout.
    pub fn add_run<const N: usize>(&mut self, index: usize, counts: &[u32; N]) {
        let Some(first) = counts.iter().position(|&count| count > 0) else { return };
        let end = N - counts.iter().rev().take_while(|&&count| count == 0).count();
        self.first = self.first.min(index + first);
        self.end = self.end.max(index + end);
        for (slot, &count) in self.counts[index..index + N].iter_mut().zip(counts) {
            let before = *slot;
            *slot = before.saturating_add(count);
            self.total += u64::from(*slot - before);
        }
    }

    /// Adds every sample of `other`.
    pub fn merge(&mut self, other: &Self) {
        self.first = self.first.min(other.first);
        self.end = self.end.max(other.end);
        let span = other.first.min(other.end)..other.end;
        for (slot, &count) in self.counts[span.clone()].iter_mut().zip(&other.counts[span]) {
            let before = *slot;
            *slot = before.saturating_add(count);
            self.total += u64::from(*slot - before);
        }
    }

    /// Samples held.
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// Whether there is no sample.
    pub const fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// Takes every sample out.
    pub fn clear(&mut self) {
        if self.total > 0 {
            self.counts[self.first..self.end].fill(0);
            (self.total, self.first, self.end) = (0, BUCKETS, 0);
        }
    }

    /// The counts, by bucket.
    pub const fn counts(&self) -> &[u32; BUCKETS] {
        &self.counts
    }

    /// From the first occupied bucket to behind the last one; empty without samples.
    pub fn span(&self) -> std::ops::Range<usize> {
        self.first.min(self.end)..self.end
    }

    /// The occupied buckets in ascending order, as `(index, count)`.
    pub fn buckets(&self) -> impl Iterator<Item = (usize, u32)> + '_ {
        self.span().zip(&self.counts[self.span()]).map(|(index, &count)| (index, count)).filter(|&(_, count)| count > 0)
    }

    /// The `q` quantile in microseconds, as the greatest value of the bucket that holds the sample of rank
    /// `ceil(q * total)`: what HdrHistogram answers for
    /// q > 0. `q` is clamped to 0..=1; `None` without samples.
    pub fn quantile(&self, q: f64) -> Option<u32> {
        self.quantiles([q]).map(|[value]| value)
    }

    /// As [`Self::quantile`], for several ascending `q` in one walk.
    pub fn quantiles<const N: usize>(&self, q: [f64; N]) -> Option<[u32; N]> {
        if self.total == 0 {
            return None;
        }
        let ranks = q.map(|q| ((q.clamp(0.0, 1.0) * self.total as f64).ceil() as u64).clamp(1, self.total));
        let mut values = [0; N];
        let (mut below, mut found) = (0, 0);
        for (index, count) in self.buckets() {
            below += u64::from(count);
            while found < N && below >= ranks[found] {
                values[found] = highest_of(index);
                found += 1;
            }
        }
        Some(values)
    }

    /// Samples that are surely above `us`: those in buckets wholly above it. The bucket of `us` itself does not count,
    /// so the answer errs by at most one bucket (6.25 % of the value), and to the side of health.
    pub fn count_above(&self, us: u32) -> u64 {
        let above = (bucket_of(us) + 1).max(self.first).min(self.end);
        self.counts[above..self.end].iter().map(|&count| u64::from(count)).sum()
    }
}

#[cfg(test)]
mod tests;
