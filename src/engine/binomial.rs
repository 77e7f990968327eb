//! Exact binomial decisions: is a share of exceedances proved above, or proved below, a limit?
//!
//! `P(Bin(n, p) >= k) <= alpha` is the same statement as "the one-sided Clopper-Pearson lower bound of k/n is above p"
//! (Clopper & Pearson 1934), and, for counts above a threshold, as "the order-statistic lower confidence bound of the
//! quantile is above the threshold".

/// Whether `k` successes of `n` prove, at level `alpha`, that the chance of one is above `p`.
pub fn proves_above(n: u32, k: u32, p: f64, alpha: f64) -> bool {
    if n == 0 || f64::from(k) <= f64::from(n) * p {
        return false;
    }
    upper_tail(n, k, p, alpha) <= alpha
}

/// Whether `k` successes of `n` prove, at level `alpha`, that the chance of one is below `p`.
pub fn proves_below(n: u32, k: u32, p: f64, alpha: f64) -> bool {
    if n == 0 || f64::from(k) >= f64::from(n) * p {
        return false;
    }
    // P(Bin(n, p) <= k) = P(Bin(n, 1 - p) >= n - k)
    upper_tail(n, n - k, 1.0 - p, alpha) <= alpha
}

/// `P(Bin(n, p) >= k)` for `k > np`; the sum stops as soon as it exceeds `enough`.
///
/// Above the mean the terms fall at least geometrically, so that a few dozen decide at any n.
fn upper_tail(n: u32, k: u32, p: f64, enough: f64) -> f64 {
    let odds = p / (1.0 - p);
    let mut term = log_pmf(n, k, p).exp();
    let mut sum = term;
    let mut i = k;
    while i < n && sum <= enough && term > sum * 1e-9 {
        term *= f64::from(n - i) / f64::from(i + 1) * odds;
        sum += term;
        i += 1;
    }
    sum
}

fn log_pmf(n: u32, k: u32, p: f64) -> f64 {
    let (n_f, k_f) = (f64::from(n), f64::from(k));
    log_factorial(n) - log_factorial(k) - log_factorial(n - k) + k_f * p.ln() + (n_f - k_f) * (-p).ln_1p()
}

/// `ln n!`, by Stirling's series; its error is below 1e-10 from the first value that uses it.
fn log_factorial(n: u32) -> f64 {
    const SMALL: [f64; 9] = [1.0, 1.0, 2.0, 6.0, 24.0, 120.0, 720.0, 5_040.0, 40_320.0];
    if let Some(factorial) = SMALL.get(n as usize) {
        return factorial.ln();
    }
    let x = f64::from(n) + 1.0;
    let inverse = 1.0 / x;
    let square = inverse * inverse;
    let series = inverse * (1.0 / 12.0 - square * (1.0 / 360.0 - square * (1.0 / 1_260.0 - square / 1_680.0)));
    (x - 0.5) * x.ln() - x + 0.5 * (2.0 * std::f64::consts::PI).ln() + series
}

/// The two decisions for one pair of limits, as integer look-ups for the numbers of samples a minute usually has.
///
/// `fewest_above[n]` is the least k that proves the share above the limit, `most_below[n]` the greatest k that proves it
/// below (-1: none does). Larger n are decided by the sums.
#[derive(Debug)]
pub struct Limits {
    above: f64,
    above_alpha: f64,
    below: f64,
    below_alpha: f64,
    fewest_above: Vec<u16>,
    most_below: Vec<i16>,
}

/// Largest n with a table entry.
const TABLE: u32 = 1_024;

impl Limits {
    /// Tables for "above `above` at level `above_alpha`" and "below `below` at level `below_alpha`".
    pub fn new((above, above_alpha): (f64, f64), (below, below_alpha): (f64, f64)) -> Self {
        let mut fewest_above = Vec::with_capacity(TABLE as usize + 1);
        let mut most_below = Vec::with_capacity(TABLE as usize + 1);
        // Both bounds are monotone in n, so each search goes on where the previous one ended.
        let (mut least, mut most) = (0, -1_i32);
        for n in 0..=TABLE {
            while least <= n && !proves_above(n, least, above, above_alpha) {
                least += 1;
            }
            while most < n as i32 && proves_below(n, (most + 1) as u32, below, below_alpha) {
                most += 1;
            }
            fewest_above.push(least as u16);
            most_below.push(most as i16);
        }
        Self { above, above_alpha, below, below_alpha, fewest_above, most_below }
    }

    /// Whether `k` of `n` prove the share above the upper limit.
    pub fn is_above(&self, n: u32, k: u32) -> bool {
        match self.fewest_above.get(n as usize) {
            Some(&least) => k >= u32::from(least) && n > 0,
            None => proves_above(n, k, self.above, self.above_alpha),
        }
    }

    /// Whether `k` of `n` prove the share below the lower limit.
    pub fn is_below(&self, n: u32, k: u32) -> bool {
        match self.most_below.get(n as usize) {
            Some(&most) => i32::from(most) >= k as i32,
            None => proves_below(n, k, self.below, self.below_alpha),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, summed naively from the small end.
    fn naive_upper(n: u32, k: u32, p: f64) -> f64 {
        let mut pmf = (1.0 - p).powi(n as i32);
        let mut below = 0.0;
        for i in 0..k {
            below += pmf;
            pmf *= f64::from(n - i) / f64::from(i + 1) * p / (1.0 - p);
        }
        1.0 - below
    }

    #[test]
    fn the_documented_cases_decide() {
        // 3 of 3 samples above T95 decide; the median needs 7 of 7
        assert!(proves_above(3, 3, 0.05, 0.01));
        assert!(proves_above(2, 2, 0.05, 0.01));
        assert!(!proves_above(1, 1, 0.05, 0.01));
        assert!(proves_above(7, 7, 0.5, 0.01));
        assert!(!proves_above(6, 6, 0.5, 0.01));
        // healthy with no exceedance at all needs nine samples at p95
        assert!(proves_below(9, 0, 0.30, 0.05));
        assert!(!proves_below(8, 0, 0.30, 0.05));
        assert!(!proves_above(0, 0, 0.05, 0.01) && !proves_below(0, 0, 0.3, 0.05));
    }

    #[test]
    fn decisions_agree_with_the_naive_sum() {
        for n in [1, 2, 5, 10, 30, 100, 300] {
            for k in 0..=n {
                for p in [0.01, 0.05, 0.3, 0.5, 0.75] {
                    let exact = naive_upper(n, k, p);
                    if f64::from(k) > f64::from(n) * p && (exact - 0.01).abs() > 1e-9 {
                        assert_eq!(proves_above(n, k, p, 0.01), exact <= 0.01, "n={n} k={k} p={p} {exact}");
                    }
                }
            }
        }
    }

    #[test]
    fn tables_agree_with_the_sums_and_go_on_beyond_their_end() {
        let limits = Limits::new((0.05, 0.01), (0.30, 0.05));
        for n in [0, 1, 3, 9, 60, 500, 1_024, 1_025, 5_000, 60_000] {
            for k in [0, 1, 2, 3, n / 30, n / 19, n / 10, n / 4, n / 3, n].into_iter().filter(|k| *k <= n) {
                assert_eq!(limits.is_above(n, k), proves_above(n, k, 0.05, 0.01), "n={n} k={k}");
                assert_eq!(limits.is_below(n, k), proves_below(n, k, 0.30, 0.05), "n={n} k={k}");
            }
        }
    }

    #[test]
    fn log_factorial_is_continuous_where_the_series_begins() {
        let mut exact = 0.0;
        for n in 1..60_u32 {
            exact += f64::from(n).ln();
            assert!((log_factorial(n) - exact).abs() < 1e-9, "{n}");
        }
    }
}
