//! The HDR bucket layout that every latency in fleetwatch is kept in, and plain histograms over it.
//!
//! One significant digit over 1 us ..= 60 s: 368 counters, 1.5 KiB as `u32`. Two digits would be 2,560 counters and
//! 10 KiB, which four classes with four open minutes each make 160 KiB a device: over the budget of 64 KiB. A bucket is
//! at most 1/16 of its value wide (6.25 %), against thresholds that stand 30 % above the baseline.
//!
//! Values below 32 us are exact. Above, each power of two is cut into 16 equal buckets, as in HdrHistogram (Gil Tene,
//! <http://hdrhistogram.org/>), so that counts can be exchanged in its V2 format without resampling.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_tile_the_range_without_gap_or_overlap() {
        assert_eq!(lowest_of(0), 0);
        for index in 1..=bucket_of(MAX_US) {
            assert_eq!(highest_of(index - 1) + 1, lowest_of(index));
            assert_eq!(bucket_of(lowest_of(index)), index);
            assert_eq!(bucket_of(highest_of(index - 1)), index - 1);
        }
        assert_eq!(bucket_of(u32::MAX), bucket_of(MAX_US));
        assert!(bucket_of(MAX_US) < BUCKETS);
    }
}
