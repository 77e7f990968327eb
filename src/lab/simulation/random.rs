//! Randomness as a pure function of where it is used.
//!
//! Every number is drawn from a stream whose seed is a hash of (seed, device, what for, when), so a device's reports
//! do not depend on which other devices are generated, on the order, or on how many were skipped before. The generator
//! is SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014): eight
//! bytes of state, and its output is fixed by the paper rather than by a library's version.

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub(crate) struct Stream(u64);

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// SplitMix64's finaliser: a bijection of 64 bits that scatters neighbours.
const fn scatter(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Hash of a seed and a key.
pub(crate) const fn mix(seed: u64, key: u64) -> u64 {
    scatter(seed.wrapping_add(GOLDEN).wrapping_add(scatter(key.wrapping_add(GOLDEN))))
}

/// A number in `[0, 1)` that belongs to a key.
pub(crate) fn unit_at(seed: u64, key: u64) -> f64 {
    to_unit(mix(seed, key))
}

/// A standard normal number that belongs to a key.
pub(crate) fn normal_at(seed: u64, key: u64) -> f64 {
    normal_of(mix(seed, key))
}

fn normal_of(bits: u64) -> f64 {
    const ROOT_3: f64 = 1.732_050_807_568_877_2;
    let sum = (bits & 0xFFFF) + (bits >> 16 & 0xFFFF) + (bits >> 32 & 0xFFFF) + (bits >> 48);
    (sum as f64 / 65_536.0 - 2.0) * ROOT_3
}

fn to_unit(bits: u64) -> f64 {
    (bits >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
}

impl Stream {
    pub(crate) const fn new(seed: u64, key: u64) -> Self {
        Self(mix(seed, key))
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        scatter(self.0)
    }

    /// A number in `[0, 1)`.
    pub(crate) fn unit(&mut self) -> f64 {
        to_unit(self.bits())
    }

    /// A number in `low .. high`.
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// A whole number in `0 .. below`; 0 when `below` is 0.
    pub(crate) fn below(&mut self, below: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(below)) >> 64) as u64
    }

    /// A standard normal number: the sum of four 16-bit uniforms of one word. Bounded at 3.5 deviations; its kurtosis is
    /// short of the normal's by 0.3, which a count of samples cannot tell.
    pub(crate) fn normal(&mut self) -> f64 {
        normal_of(self.bits())
    }

    /// A Poisson number: exact by inversion up to a mean of 8, normal above.
    pub(crate) fn poisson(&mut self, mean: f64) -> u32 {
        if mean <= 0.0 {
            return 0;
        }
        if mean > 8.0 {
            // The cast floors at zero; half is added to round.
            return (mean + mean.sqrt() * self.normal() + 0.5) as u32;
        }
        let mut left = self.unit();
        let mut share = (-mean).exp();
        let mut count = 0;
        while left >= share && count < 200 {
            left -= share;
            count += 1;
            share *= mean / f64::from(count);
        }
        count
    }

    /// A binomial number: exact by inversion while the mean is below 12, normal above.
    pub(crate) fn binomial(&mut self, n: u32, p: f64) -> u32 {
        if n == 0 || p <= 0.0 {
            return 0;
        }
        if p >= 1.0 {
            return n;
        }
        if p > 0.5 {
            return n - self.binomial(n, 1.0 - p);
        }
        let mean = f64::from(n) * p;
        if mean >= 12.0 {
            let drawn = mean + (mean * (1.0 - p)).sqrt() * self.normal();
            return ((drawn + 0.5) as u32).min(n);
        }
        let odds = p / (1.0 - p);
        let mut left = self.unit();
        let mut share = (1.0 - p).powi(n as i32);
        let mut count = 0;
        while left >= share && count < n {
            left -= share;
            share *= odds * f64::from(n - count) / f64::from(count + 1);
            count += 1;
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean_and_variance(draw: impl FnMut() -> f64) -> (f64, f64) {
        let values: Vec<f64> = std::iter::repeat_with(draw).take(40_000).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        (mean, values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64)
    }

    #[test]
    fn the_generator_is_the_published_one() {
        // First outputs of SplitMix64 from state 1234567, as published with the reference implementation.
        let mut stream = Stream(1_234_567);
        assert_eq!(stream.bits(), 6_457_827_717_110_365_317);
        assert_eq!(stream.bits(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn counts_have_the_mean_and_variance_of_their_law() {
        let mut stream = Stream::new(1, 2);
        for (n, p) in [(20, 0.03), (300, 0.02), (300, 0.4), (50, 0.9)] {
            let (mean, variance) = mean_and_variance(|| f64::from(stream.binomial(n, p)));
            let (m, v) = (f64::from(n) * p, f64::from(n) * p * (1.0 - p));
            assert!((mean - m).abs() < 0.02 * m + 0.02, "{n} {p}: mean {mean}");
            assert!((variance - v).abs() < 0.06 * v + 0.02, "{n} {p}: variance {variance}");
        }
        for m in [0.5, 8.0, 90.0] {
            let (mean, variance) = mean_and_variance(|| f64::from(stream.poisson(m)));
            assert!((mean - m).abs() < 0.02 * m + 0.01 && (variance - m).abs() < 0.06 * m, "{m}: {mean} {variance}");
        }
        let (mean, variance) = mean_and_variance(|| stream.normal());
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.04);
    }
}
