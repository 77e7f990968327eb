//! The distribution of a delay around its minute's median, and how counts are drawn from it.
//!
//! The simulated agent keeps its delays in a histogram of four buckets an octave (each four buckets of the engine's
//! layout wide), so that a report carries 8 to 20 of them. Flows come as a Poisson process, so the counts of the buckets
//! are independent Poisson numbers: few samples are drawn one by one, many bucket by bucket, which costs about the same
//! for a thousand samples as for fifty.

use std::ops::Range;

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
/// Up to this mean, samples are drawn one by one.
const FEW: f64 = 40.0;
/// Where buckets are drawn whole, about this many samples at either end are still drawn one by one.
const AT_THE_ENDS: f64 = 10.0;

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
    /// Lower edge of each of the agent's buckets, and its log2; the last bucket has no upper edge.
    edges: Vec<(f64, f64)>,
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
        let edges = (0..CELLS).map(|cell| f64::from(lowest_of(cell * WIDTH))).map(|us| (us, us.log2())).collect();
        Self { cdf, quantiles, edges }
    }

    /// P(ratio <= 2^`octave`).
    fn cdf(&self, octave: f64) -> f64 {
        let place = (octave - LOWEST_OCTAVE) * STEPS_PER_OCTAVE;
        let step = place as usize;
        if place <= 0.0 || step + 1 >= CDF_STEPS {
            return if place <= 0.0 { 0.0 } else { 1.0 };
        }
        let (low, high) = (f64::from(self.cdf[step]), f64::from(self.cdf[step + 1]));
        low + (high - low) * (place - step as f64)
    }

    fn cell_of(&self, delay: Delay, quantile: usize) -> usize {
        let us = delay.median_us * f64::from(self.quantiles[quantile.min(QUANTILES - 1)]) + delay.add_us;
        bucket_of(us.min(f64::from(MAX_US)) as u32) / WIDTH
    }

    /// P(delay < lower edge of `cell`), the median's logarithm being `octave`.
    fn below(&self, delay: Delay, octave: f64, cell: usize) -> f64 {
        let (us, log2) = self.edges[cell];
        if delay.add_us == 0.0 {
            self.cdf(log2 - octave)
        } else if us <= delay.add_us {
            0.0
        } else {
            self.cdf((us - delay.add_us).log2() - octave)
        }
    }

    /// Draws a Poisson number of delays, `mean` on average, into `counts`; returns how many.
    pub(crate) fn draw(&self, counts: &mut Counts, stream: &mut Stream, mean: f64, delay: Delay) -> u32 {
        if mean <= FEW {
            return self.draw_singly(counts, stream, mean, delay, 0.0..1.0);
        }
        let octave = delay.median_us.log2();
        let margin = (QUANTILES as f64 * AT_THE_ENDS / mean) as usize;
        let first = self.cell_of(delay, margin);
        let last = self.cell_of(delay, QUANTILES - 1 - margin);
        let mut below = self.below(delay, octave, first);
        let mut total = self.draw_singly(counts, stream, mean * below, delay, 0.0..below);
        for cell in first..last {
            let upto = self.below(delay, octave, cell + 1);
            let count = stream.poisson(mean * (upto - below));
            if count > 0 {
                counts.add(cell, count);
                total += count;
            }
            below = upto;
        }
        total + self.draw_singly(counts, stream, mean * (1.0 - below), delay, below..1.0)
    }

    /// As [`Self::draw`], from the part of the distribution between two probabilities.
    fn draw_singly(
        &self,
        counts: &mut Counts,
        stream: &mut Stream,
        mean: f64,
        delay: Delay,
        between: Range<f64>,
    ) -> u32 {
        let total = stream.poisson(mean);
        let Range { start: low, end: high } = between;
        let (first, width) = ((low * QUANTILES as f64) as u64, ((high - low) * QUANTILES as f64) as u64);
        let mut bits = 0;
        for drawn in 0..total {
            // One word serves four samples: 16 bits are plenty to choose among 4,096 quantiles.
            bits = if drawn % 4 == 0 { stream.bits() } else { bits >> 16 };
            let quantile = first + (((bits & 0xFFFF) * width.max(1)) >> 16);
            counts.add(self.cell_of(delay, quantile as usize), 1);
        }
        total
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_of_any_size_follow_the_knots() {
        let shape = Shape::new();
        let delay = Delay { median_us: 3_000.0, add_us: 0.0 };
        for n in [0.5, 12.0, 41.0, 1_200.0] {
            let mut stream = Stream::new(9, n as u64);
            let mut counts = Counts::default();
            let mut buckets = Vec::new();
            let mut total = 0;
            while total < 400_000 {
                total += shape.draw(&mut counts, &mut stream, n, delay);
                counts.drain_into(&mut buckets);
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
        shape.draw(&mut counts, &mut stream, 5_000.0, Delay { median_us: 500.0, add_us: 16_000.0 });
        counts.drain_into(&mut buckets);
        assert!(buckets.iter().all(|b| usize::from(b.index) >= bucket_of(15_900) / WIDTH * WIDTH));
    }
}
