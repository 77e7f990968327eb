//! The latencies of one device and class before an episode and in it: what a declaration shows side by side.

use bincode::{Decode, Encode};

use crate::engine::histogram::{BUCKETS, Histogram, bucket_of, highest_of};
use crate::engine::time::Minute;

/// Two distributions, kept by occupied bucket: a few hundred bytes, and only while an episode or an event lasts.
#[derive(Clone, PartialEq, Debug, Encode, Decode)]
pub struct LatencyContrast {
    /// First minute of the second.
    since: Minute,
    before: Vec<(u16, u32)>,
    during: Vec<(u16, u32)>,
}

impl LatencyContrast {
    /// Begins with minute `since`; `before` is what was usual.
    pub fn new(since: Minute, before: Histogram) -> Self {
        let before = before.buckets().map(|(index, count)| (index as u16, count)).collect();
        Self { since, before, during: Vec::new() }
    }

    /// Adds the samples of `minute`, if it belongs to the episode.
    pub fn add(&mut self, minute: Minute, histogram: &Histogram) {
        if minute < self.since {
            return;
        }
        for (index, count) in histogram.buckets() {
            let index = index as u16;
            match self.during.binary_search_by_key(&index, |&(index, _)| index) {
                Ok(at) => self.during[at].1 = self.during[at].1.saturating_add(count),
                Err(at) => self.during.insert(at, (index, count)),
            }
        }
    }

    /// How many samples the episode has, and how many of them lie above `us` microseconds.
    pub fn during_above(&self, us: u32) -> (u64, u64) {
        let highest_within = bucket_of(us) as u16;
        let sum = |from: usize| self.during[from..].iter().map(|&(_, count)| u64::from(count)).sum();
        (sum(0), sum(self.during.partition_point(|&(index, _)| index <= highest_within)))
    }

    /// Median and 95th percentile of the episode in microseconds, as the upper ends of their buckets; `None` without samples.
    pub fn during_quantiles(&self) -> Option<(u32, u32)> {
        let total: u64 = self.during.iter().map(|&(_, count)| u64::from(count)).sum();
        let at = |share: f64| {
            let mut left = (share * total as f64).ceil() as u64;
            let reached = self.during.iter().find(|&&(_, count)| {
                left = left.saturating_sub(u64::from(count));
                left == 0
            });
            reached.map(|&(index, _)| highest_of(usize::from(index)))
        };
        (total > 0).then(|| at(0.5).zip(at(0.95))).flatten()
    }

    /// Adds both distributions to sums over devices.
    pub fn sum_into(&self, before: &mut [u64; BUCKETS], during: &mut [u64; BUCKETS]) {
        for (sum, counts) in [(before, &self.before), (during, &self.during)] {
            for &(index, count) in counts {
                sum[usize::from(index).min(BUCKETS - 1)] += u64::from(count);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_before_stays_apart_from_what_came_after() {
        let of = |us: u32, count: u32| {
            let mut histogram = Histogram::new();
            histogram.record(us, count);
            histogram
        };
        let mut contrast = LatencyContrast::new(Minute(100), of(1_000, 7));
        contrast.add(Minute(99), &of(9_000, 1));
        contrast.add(Minute(100), &of(9_000, 2));
        contrast.add(Minute(101), &of(9_000, 3));
        contrast.add(Minute(101), &of(4_000, 1));
        let (mut before, mut during) = ([0; BUCKETS], [0; BUCKETS]);
        contrast.sum_into(&mut before, &mut during);
        assert_eq!((before.iter().sum::<u64>(), before[bucket_of(1_000)]), (7, 7));
        assert_eq!((during.iter().sum::<u64>(), during[bucket_of(9_000)], during[bucket_of(4_000)]), (6, 5, 1));
        assert_eq!([100, 4_000, 9_000].map(|us| contrast.during_above(us)), [(6, 6), (6, 5), (6, 0)]);
        let nine = highest_of(bucket_of(9_000));
        assert_eq!(contrast.during_quantiles(), Some((nine, nine)));
        assert_eq!(LatencyContrast::new(Minute(100), of(1_000, 7)).during_quantiles(), None);
    }
}
