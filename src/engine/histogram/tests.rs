use hdrhistogram::Histogram as Reference;
use proptest::prelude::*;

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

#[test]
fn an_empty_histogram_has_no_quantile() {
    let mut histogram = Histogram::new();
    assert_eq!(histogram.quantile(0.5), None);
    assert_eq!(histogram.count_above(0), 0);
    histogram.record(1_000, 0);
    assert!(histogram.is_empty());
    histogram.record(1_000, 2);
    histogram.clear();
    assert_eq!(histogram, Histogram::new());
}

#[test]
fn counts_saturate_and_the_total_stays_their_sum() {
    let mut histogram = Histogram::new();
    histogram.record(5, u32::MAX - 1);
    histogram.record(5, 7);
    assert_eq!(histogram.total(), u64::from(u32::MAX));
    let copy = histogram.clone();
    histogram.merge(&copy);
    assert_eq!(histogram.total(), u64::from(u32::MAX));
    assert_eq!(histogram.quantile(0.5), Some(5));
}

#[test]
fn a_foreign_bucket_index_cannot_leave_the_layout() {
    let mut histogram = Histogram::new();
    histogram.add(usize::from(u16::MAX), 3);
    assert_eq!(histogram.total(), 3);
    assert_eq!(histogram.count_above(MAX_US), 3);
}

#[test]
fn count_above_leaves_out_the_bucket_of_the_threshold() {
    let mut histogram = Histogram::new();
    for us in [99, 100, 103, 104, 200] {
        histogram.record(us, 1);
    }
    // 100..=103 share a bucket of width 4.
    assert_eq!((lowest_of(bucket_of(100)), highest_of(bucket_of(100))), (100, 103));
    assert_eq!(histogram.count_above(100), 2);
    assert_eq!(histogram.count_above(103), 2);
    assert_eq!(histogram.count_above(98), 4);
    assert_eq!(histogram.count_above(95), 5);
}

/// Values spread evenly over the powers of two, as latencies are, rather than all near the top.
fn latency() -> impl Strategy<Value = u32> {
    (0u32..=26, any::<u32>()).prop_map(|(bits, noise)| (noise & ((1 << bits) - 1)).clamp(1, MAX_US))
}

proptest! {
    #[test]
    fn counts_and_quantiles_are_those_of_hdrhistogram(
        samples in prop::collection::vec((latency(), 1u32..50), 1..200),
        q in 0.001f64..=1.0,
        threshold in latency(),
    ) {
        let mut ours = Histogram::new();
        let mut reference = Reference::<u64>::new_with_bounds(1, u64::from(MAX_US), 1).unwrap();
        for &(us, count) in &samples {
            ours.record(us, count);
            reference.record_n(u64::from(us), u64::from(count)).unwrap();
        }
        prop_assert_eq!(ours.total(), reference.len());
        for (index, &count) in ours.counts().iter().enumerate() {
            let us = u64::from(lowest_of(index).min(MAX_US));
            if bucket_of(lowest_of(index)) == index {
                prop_assert_eq!(u64::from(count), reference.count_at(us));
                prop_assert_eq!(u64::from(highest_of(index)), reference.highest_equivalent(us));
            }
        }
        for q in [q, 0.5, 0.95, 0.99, 1.0] {
            prop_assert_eq!(ours.quantile(q).map(u64::from), Some(reference.value_at_quantile(q)));
        }
        let at_or_below = reference.count_between(0, u64::from(threshold));
        prop_assert_eq!(ours.count_above(threshold), reference.len() - at_or_below);
    }

    #[test]
    fn merging_is_recording_both(
        left in prop::collection::vec((latency(), 1u32..50), 0..50),
        right in prop::collection::vec((latency(), 1u32..50), 0..50),
    ) {
        let (mut a, mut b, mut both) = (Histogram::new(), Histogram::new(), Histogram::new());
        left.iter().for_each(|&(us, count)| { a.record(us, count); both.record(us, count); });
        right.iter().for_each(|&(us, count)| { b.record(us, count); both.record(us, count); });
        a.merge(&b);
        prop_assert_eq!(&a, &both);
        prop_assert_eq!(a.total(), a.counts().iter().map(|&count| u64::from(count)).sum::<u64>());
    }
}
