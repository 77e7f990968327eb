//! The latency distributions that a declaration carries, read back from their interchange form.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;

/// Longest text that is decoded: far above a histogram of one digit, far below what could be a burden.
const MAX_TEXT: usize = 256 * 1024;

/// Bytes of an HdrHistogram V2 header.
const HEADER: usize = 40;

/// Most significant digits, and the highest value in microseconds (about nineteen hours), that are decoded.
const MOST_DIGITS: u32 = 3;
const MOST_US: u64 = 1 << 36;

/// Values in microseconds with their counts.
#[derive(Clone, Debug)]
pub struct Distribution {
    histogram: Histogram<u64>,
}

impl Distribution {
    /// Reads base64 of HdrHistogram V2. `None` when it is none, or of a size that no declaration has: the crate's decoder
    /// believes its header, so that is looked at before.
    pub fn decode(text: &str) -> Option<Self> {
        if text.len() > MAX_TEXT {
            return None;
        }
        let bytes = STANDARD.decode(text).ok()?;
        let word = |at: usize| bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_be_bytes);
        let long = |at: usize| bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map(u64::from_be_bytes);
        let (payload, digits, highest) = (word(4)? as usize, word(12)?, long(24)?);
        if payload > bytes.len().checked_sub(HEADER)? || !(1..=MOST_DIGITS).contains(&digits) || highest > MOST_US {
            return None;
        }
        let histogram: Histogram<u64> = Deserializer::new().deserialize(&mut &bytes[..]).ok()?;
        (!histogram.is_empty()).then_some(Self { histogram })
    }

    /// The value in microseconds below which this share of the values lie, 0..=1.
    pub fn quantile_us(&self, share: f64) -> u64 {
        self.histogram.value_at_quantile(share)
    }

    /// How many values there are.
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// Shares of the values in `columns` columns of equal width on a logarithmic axis from `from_us` to `to_us`; what lies
    /// outside goes to the ends.
    pub fn columns(&self, (from_us, to_us): (u64, u64), columns: usize) -> Vec<f64> {
        let (from, to) = ((from_us.max(1) as f64).ln(), (to_us.max(2) as f64).ln());
        let mut shares = vec![0.0; columns];
        let Some(last) = columns.checked_sub(1) else { return shares };
        let total = self.histogram.len() as f64;
        let place = |us: u64| {
            let along = ((us.max(1) as f64).ln() - from) / (to - from).max(f64::MIN_POSITIVE);
            (along * columns as f64).clamp(0.0, columns as f64)
        };
        for bucket in self.histogram.iter_recorded() {
            let value = bucket.value_iterated_to();
            // Buckets and columns are of different widths: each column has its part of a bucket, or the drawing would be a comb.
            let begin = place(self.histogram.lowest_equivalent(value));
            let end = place(self.histogram.highest_equivalent(value) + 1);
            let share = bucket.count_at_value() as f64 / total;
            let (first, until) = ((begin as usize).min(last), (end as usize).min(last));
            if (end - begin).abs() < f64::EPSILON {
                shares[first] += share;
                continue;
            }
            for (column, sum) in shares.iter_mut().enumerate().take(until + 1).skip(first) {
                let part = end.min(column as f64 + 1.0) - begin.max(column as f64);
                *sum += share * part.max(0.0) / (end - begin);
            }
        }
        shares
    }
}

/// An axis in microseconds that shows the bulk of all of them.
pub fn axis(distributions: &[&Distribution]) -> (u64, u64) {
    let from = distributions.iter().map(|of| of.quantile_us(0.001)).min().unwrap_or(1);
    let to = distributions.iter().map(|of| of.quantile_us(0.999)).max().unwrap_or(2);
    (from.max(1), to.max(from * 2).max(2))
}

#[cfg(test)]
mod tests {
    use hdrhistogram::serialization::{Serializer, V2Serializer};

    use super::*;

    fn encoded(digits: u8, values: impl IntoIterator<Item = u64>) -> String {
        let mut histogram = Histogram::<u64>::new_with_bounds(1, 60_000_000, digits).unwrap();
        for value in values {
            histogram.record(value).unwrap();
        }
        let mut bytes = Vec::new();
        V2Serializer::new().serialize(&histogram, &mut bytes).unwrap();
        STANDARD.encode(bytes)
    }

    #[test]
    fn quantiles_and_columns_come_back() {
        let read = Distribution::decode(&encoded(2, (1..=1_000).map(|i| i * 10))).unwrap();
        assert_eq!(read.count(), 1_000);
        assert!((4_950..=5_100).contains(&read.quantile_us(0.5)), "{}", read.quantile_us(0.5));
        let columns = read.columns((10, 10_000), 3);
        assert!((columns.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        assert!(columns[0] < 0.02 && (0.08..0.1).contains(&columns[1]) && columns[2] > 0.88, "{columns:?}");
        let fine = Distribution::decode(&encoded(1, [1_000; 9])).unwrap().columns((500, 2_000), 400);
        assert!(fine.iter().filter(|share| **share > 0.0).count() > 5, "one bucket, many columns");
        assert_eq!(axis(&[&read]), (10, read.quantile_us(0.999)));
    }

    #[test]
    fn what_is_no_histogram_or_would_be_a_burden_is_none() {
        let good = STANDARD.decode(encoded(1, [5, 7])).unwrap();
        let with = |at: usize, bytes: &[u8]| {
            let mut changed = good.clone();
            changed[at..at + bytes.len()].copy_from_slice(bytes);
            Distribution::decode(&STANDARD.encode(changed))
        };
        assert!(Distribution::decode(&STANDARD.encode(&good)).is_some());
        assert!(with(4, &u32::MAX.to_be_bytes()).is_none(), "a payload longer than the bytes");
        assert!(with(12, &5_u32.to_be_bytes()).is_none(), "digits that take megabytes");
        assert!(with(24, &u64::MAX.to_be_bytes()).is_none(), "a range that takes megabytes");
        for text in ["", "%%%", "AAAA", &"A".repeat(MAX_TEXT + 4)] {
            assert!(Distribution::decode(text).is_none());
        }
        assert!(Distribution::decode(&encoded(1, [])).is_none(), "nothing was counted");
    }
}
