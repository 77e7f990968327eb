//! The distribution of a delay around its minute's median, and how counts are drawn from it.
//!
//! The simulated agent keeps its delays in a histogram of four buckets an octave (each four buckets of the engine's
//! layout wide), so that a report carries 8 to 20 of them; few samples are drawn one by one, many as one multinomial
//! draw over the buckets, which costs the same for a thousand samples as for fifty.

use crate::engine::histogram::{MAX_US, bucket_of, lowest_of};
use crate::engine::report::Bucket;

use super::random::Stream;

/// (probability, delay over its median): the geometric mean of the two fits in the table of [`super`]'s header.
const KNOTS: [(f64, f64); 13] = [
    (0.000_1, 0.02),
    (0.01, 0.08),
    (0.05, 0.25),
    (0.10, 0.42),
    (0.25, 0.74),
    (0.50, 1.0),
    (0.75, 1.45),
    (0.90, 2.3),
    (0.95, 3.2),
    (0.98, 5.6),
    (0.99, 9.5),
    (0.999, 35.0),
    (0.999_9, 120.0),
];

/// Buckets of the engine's layout in one of the agent's.
const WIDTH: usize = 4;
const CELLS: usize = bucket_of(MAX_US) / WIDTH + 1;
const STEPS_PER_OCTAVE: f64 = 64.0;
/// log2 of the smallest ratio of the table of the distribution function.
const LOWEST_OCTAVE: f64 = -8.0;
const CDF_STEPS: usize = 1_024;
const QUANTILES: usize = 4_096;
/// Up to this many samples are drawn one by one.
const FEW: u32 = 40;

/// How a draw is changed against the class' level.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Delay {
    /// The median in microseconds.
    pub(crate) median_us: f64,
    /// Added to each delay, in microseconds.
    pub(crate) add_us: f64,
}

/// The fitted distribution, tabulated.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    /// P(ratio <= 2^(LOWEST_OCTAVE + i / STEPS_PER_OCTAVE)).
    cdf: Vec<f32>,
    /// Ratio at probability (i + 1/2) / QUANTILES.
    quantiles: Vec<f32>,
    /// log2 of the lower edge of each of the agent's buckets; the last one has no upper edge.
    edges_us: Vec<f64>,
}

/// Counts by bucket of one draw; reused.
#[derive(Clone, Debug)]
pub(crate) struct Counts {
    cells: [u32; CELLS],
    low: usize,
    high: usize,
}

impl Default for Counts {
    fn default() -> Self {
        Self { cells: [0; CELLS], low: CELLS, high: 0 }
    }
}

impl Counts {
    fn add(&mut self, cell: usize, count: u32) {
        self.cells[cell] += count;
        self.low = self.low.min(cell);
        self.high = self.high.max(cell);
    }

    /// Moves the counts to `buckets` in ascending order and empties itself.
    pub(crate) fn drain_into(&mut self, buckets: &mut Vec<Bucket>) {
        for cell in self.low..=self.high.min(CELLS - 1) {
            let count = std::mem::take(&mut self.cells[cell]);
            if count > 0 {
                buckets.push(Bucket { index: (cell * WIDTH + WIDTH / 2) as u16, count });
            }
        }
        (self.low, self.high) = (CELLS, 0);
    }
}

impl Shape {
    pub(crate) fn new() -> Self {
        let cdf: Vec<f32> =
            (0..CDF_STEPS).map(|step| probability_of(LOWEST_OCTAVE + step as f64 / STEPS_PER_OCTAVE) as f32).collect();
        let mut step = 0;
        let quantiles = (0..QUANTILES)
            .map(|index| {
                let wanted = ((index as f64 + 0.5) / QUANTILES as f64) as f32;
                while step + 2 < CDF_STEPS && cdf[step + 1] < wanted {
                    step += 1;
                }
                let within = (wanted - cdf[step]) / (cdf[step + 1] - cdf[step]).max(f32::MIN_POSITIVE);
                let octave = LOWEST_OCTAVE + (step as f64 + f64::from(within.clamp(0.0, 1.0))) / STEPS_PER_OCTAVE;
                octave.exp2() as f32
            })
            .collect();
        let edges_us = (0..CELLS).map(|cell| f64::from(lowest_of(cell * WIDTH))).collect();
        Self { cdf, quantiles, edges_us }
    }

    /// P(ratio <= `ratio`).
    pub(crate) fn cdf(&self, ratio: f64) -> f64 {
        if ratio <= 0.0 {
            return 0.0;
        }
        let place = (fast_log2(ratio) - LOWEST_OCTAVE) * STEPS_PER_OCTAVE;
        if place <= 0.0 {
            return 0.0;
        }
        let step = place as usize;
        if step + 1 >= CDF_STEPS {
            return 1.0;
        }
        let (low, high) = (f64::from(self.cdf[step]), f64::from(self.cdf[step + 1]));
        low + (high - low) * (place - step as f64)
    }

    fn sample(&self, delay: Delay, at: f64) -> usize {
        let index = (at * QUANTILES as f64) as usize;
        let us = delay.median_us * f64::from(self.quantiles[index.min(QUANTILES - 1)]) + delay.add_us;
        bucket_of(us.min(f64::from(MAX_US)) as u32) / WIDTH
    }

    /// Draws `n` delays into `counts`.
    pub(crate) fn draw(&self, counts: &mut Counts, stream: &mut Stream, n: u32, delay: Delay) {
        let mut left = n;
        let mut below = 0.0;
        if n > FEW {
            let mut cell = self.sample(delay, 0.000_5);
            while left > FEW / 2 && cell + 1 < CELLS {
                let upto = self.cdf((self.edges_us[cell + 1] - delay.add_us) / delay.median_us);
                if upto > below {
                    let drawn = stream.binomial(left, (upto - below) / (1.0 - below));
                    if drawn > 0 {
                        counts.add(cell, drawn);
                        left -= drawn;
                    }
                    below = upto;
                }
                cell += 1;
            }
        }
        for _ in 0..left {
            counts.add(self.sample(delay, below + (1.0 - below) * stream.unit()), 1);
        }
    }
}

/// P(ratio <= 2^octave): the knots joined by straight lines between log ratio and normal deviate, and beyond them the
/// last line carried on, so that the body is nearly log-normal and the upper tail heavier.
fn probability_of(octave: f64) -> f64 {
    let upper = KNOTS.iter().position(|&(_, ratio)| ratio.log2() >= octave).unwrap_or(KNOTS.len() - 1).max(1);
    let (low, high) = (KNOTS[upper - 1], KNOTS[upper]);
    let (z_low, z_high) = (deviate_of(low.0), deviate_of(high.0));
    let slope = (z_high - z_low) / (high.1.log2() - low.1.log2());
    normal_cdf(z_low + slope * (octave - low.1.log2()))
}

/// Standard normal distribution function; Abramowitz and Stegun 26.2.17, absolute error below 7.5e-8.
fn normal_cdf(z: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * z.abs());
    let tail = (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt()
        * t
        * (0.319_381_530 + t * (-0.356_563_782 + t * (1.781_477_937 + t * (-1.821_255_978 + t * 1.330_274_429))));
    if z > 0.0 { 1.0 - tail } else { tail }
}

/// The normal deviate of a probability, by bisection: run for a few knots at start only.
fn deviate_of(probability: f64) -> f64 {
    let (mut low, mut high) = (-8.0, 8.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if normal_cdf(middle) < probability { low = middle } else { high = middle }
    }
    low
}

/// log2 from the exponent and a quadratic in the mantissa (error below 0.01 octave, against steps of 1/64): five times
/// as fast as the library's, and it is called for every bucket.
fn fast_log2(x: f64) -> f64 {
    let bits = x.to_bits();
    let exponent = ((bits >> 52) & 0x7FF) as f64 - 1_023.0;
    let mantissa = f64::from_bits((bits & 0x000F_FFFF_FFFF_FFFF) | 0x3FF0_0000_0000_0000) - 1.0;
    exponent + mantissa * (1.0 + 0.344_0 * (1.0 - mantissa))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fast_logarithm_is_near_the_true_one() {
        for step in 1..4_000 {
            let x = f64::from(step) * 0.013;
            assert!((fast_log2(x) - x.log2()).abs() < 0.01, "{x}");
        }
    }

    #[test]
    fn draws_of_any_size_follow_the_knots() {
        let shape = Shape::new();
        let delay = Delay { median_us: 3_000.0, add_us: 0.0 };
        for n in [12, 41, 1_200] {
            let mut stream = Stream::new(9, u64::from(n));
            let mut counts = Counts::default();
            let mut buckets = Vec::new();
            let mut total = 0;
            while total < 400_000 {
                shape.draw(&mut counts, &mut stream, n, delay);
                counts.drain_into(&mut buckets);
                total += n;
            }
            assert_eq!(buckets.iter().map(|b| b.count).sum::<u32>(), total, "every sample is counted once");
            for (probability, ratio) in [(0.25, 0.74), (0.5, 1.0), (0.75, 1.45), (0.95, 3.2), (0.99, 9.5)] {
                // Judged at the edge of the agent's bucket below the knot and above it: the knot lies between.
                let cell = bucket_of((3_000.0 * ratio) as u32) / WIDTH;
                let share = |upto: usize| {
                    let within = buckets.iter().filter(|b| usize::from(b.index) / WIDTH < upto).map(|b| b.count);
                    f64::from(within.sum::<u32>()) / f64::from(total)
                };
                let slack = 0.006;
                assert!(
                    share(cell) <= probability + slack && share(cell + 1) >= probability - slack,
                    "n {n} p {probability}: {} {}",
                    share(cell),
                    share(cell + 1)
                );
            }
        }
    }

    #[test]
    fn a_shift_moves_every_delay() {
        let shape = Shape::new();
        let (mut counts, mut buckets) = (Counts::default(), Vec::new());
        let mut stream = Stream::new(5, 5);
        shape.draw(&mut counts, &mut stream, 5_000, Delay { median_us: 500.0, add_us: 16_000.0 });
        counts.drain_into(&mut buckets);
        assert!(buckets.iter().all(|b| usize::from(b.index) >= bucket_of(15_900) / WIDTH * WIDTH));
    }
}
