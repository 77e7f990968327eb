//! The pooled series of a fleet event: one verdict a minute for all its members together.
//!
//! Thresholds are each device's own, so exceedances can be summed: `p = sum k / sum n` over the members, with the
//! cluster-robust variance `sum_d (k_d - p n_d)^2 / (sum n)^2 * m / (m - 1)` (Liang & Zeger 1986), never below the
//! binomial one. The hour is counted here and not on the longest-lived member: with the maximum over devices, an event of
//! 59 minutes is always declared by somebody's chance minute.

use crate::engine::device::TrafficClass;
use crate::engine::effect::Verdict;
use crate::engine::evidence::Counts;
use crate::engine::history::MinuteVerdicts;
use crate::engine::settings::Settings;
use crate::engine::time::Minute;
use crate::engine::verdict::{self, Signature, Test};

use super::tracked::Tracked;

/// Trailing windows that a pooled minute may borrow from while it does not decide.
const WIDTHS: [u32; 5] = [1, 3, 5, 10, 15];
/// Standard errors between a share and the limit for it to be degraded (1 % one-sided) or healthy (5 %).
const DEGRADED_Z: f64 = 2.33;
const HEALTHY_Z: f64 = 1.64;
/// The most that one device's share may count for the pool to be degraded, in limits: a device in a burst of its own (every
/// second sample slow) would widen the error of the whole so far that a defect on all the others could not be seen. Bounding
/// the influence of each is what robust estimates do (Huber 1964); for proving health nothing is bounded.
pub const MOST_OF_ONE: f64 = 4.0;

/// A member's part in the pool: its minutes from `from` to `to`.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    pub tracked: &'a Tracked,
    pub from: Minute,
    pub to: Option<Minute>,
}

impl Part<'_> {
    fn is_active(&self, minute: Minute) -> bool {
        minute >= self.from && self.to.is_none_or(|to| minute <= to)
    }

    fn counts(&self, class: TrafficClass, minute: Minute) -> Counts {
        match &self.tracked.state.classes[class.index()] {
            Some(track) if self.is_active(minute) => track.ring.get(minute),
            _ => Counts::default(),
        }
    }

    fn reports(&self, minute: Minute) -> bool {
        self.tracked.state.history.get(minute).data != 0
    }
}

/// Sums over the members in a window.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sums {
    members: f64,
    /// Trials.
    pub n: f64,
    /// Exceedances.
    pub k: f64,
    /// Sums over members of k^2, k n and n^2.
    kk: f64,
    kn: f64,
    nn: f64,
}

impl Sums {
    /// Adds one device's trials and exceedances; of the latter at most the share `most` counts.
    pub fn add(&mut self, n: u64, k: u64, most: f64) {
        if n == 0 {
            return;
        }
        let n = n as f64;
        let k = (k as f64).min(most * n);
        self.members += 1.0;
        self.n += n;
        self.k += k;
        self.kk += k * k;
        self.kn += k * n;
        self.nn += n * n;
    }

    /// Devices with trials.
    pub fn devices(&self) -> usize {
        self.members as usize
    }

    /// The sums of those that are in these and not in `part`.
    pub fn without(&self, part: &Self) -> Self {
        Self {
            members: self.members - part.members,
            n: self.n - part.n,
            k: self.k - part.k,
            kk: self.kk - part.kk,
            kn: self.kn - part.kn,
            nn: self.nn - part.nn,
        }
    }

    /// Share of exceedances.
    pub fn share(&self) -> f64 {
        self.k / self.n
    }

    /// Its cluster-robust standard error.
    pub fn standard_error(&self) -> f64 {
        let p = self.share();
        // With half a count added, so that a share of exactly 0 or 1 is not certain.
        let smoothed = (self.k + 0.5) / (self.n + 1.0);
        let binomial = smoothed * (1.0 - smoothed) / self.n;
        let clustered = if self.members > 1.0 {
            let residual = self.kk - 2.0 * p * self.kn + p * p * self.nn;
            residual.max(0.0) / (self.n * self.n) * self.members / (self.members - 1.0)
        } else {
            0.0
        };
        binomial.max(clustered).sqrt()
    }
}

/// What a pooled minute says, with the evidence of the pair that leads the event.
#[derive(Clone, Copy, Debug)]
pub struct PooledMinute {
    pub verdicts: MinuteVerdicts,
    pub reporting: u32,
    pub expected: u32,
}

/// Judges one minute of the pool by the pairs of `signature`.
pub fn minute(parts: &[Part<'_>], signature: Signature, minute: Minute, settings: &Settings) -> PooledMinute {
    let active = || parts.iter().filter(|part| part.is_active(minute));
    let expected = active().count() as u32;
    let reporting = active().filter(|part| part.reports(minute)).count() as u32;
    let mut verdicts = MinuteVerdicts::default();
    // One healthy outsider must not answer for everybody who is silent.
    if reporting > 0 && reporting * 2 >= expected {
        for class in TrafficClass::ALL {
            verdicts.set(class, of_class(parts, signature, class, minute, settings));
        }
    }
    PooledMinute { verdicts, reporting, expected }
}

fn of_class(
    parts: &[Part<'_>],
    signature: Signature,
    class: TrafficClass,
    minute: Minute,
    settings: &Settings,
) -> Verdict {
    let (mut tested, mut healthy) = (0, 0);
    for test in Test::ALL.into_iter().filter(|test| signature.contains(class, *test)) {
        match of_test(parts, class, test, minute, settings) {
            Verdict::Degraded => return Verdict::Degraded,
            Verdict::Healthy => (tested, healthy) = (tested + 1, healthy + 1),
            Verdict::Indeterminate => tested += 1,
            Verdict::Unknown => {}
        }
    }
    match (tested, healthy) {
        (0, _) => Verdict::Unknown,
        (tested, healthy) if tested == healthy => Verdict::Healthy,
        _ => Verdict::Indeterminate,
    }
}

fn of_test(parts: &[Part<'_>], class: TrafficClass, test: Test, minute: Minute, settings: &Settings) -> Verdict {
    let Some(limit) = limit(parts, class, test, settings) else { return Verdict::Unknown };
    let (own, own_bounded) = sums(parts, (class, test), limit, minute, 1);
    if own.n == 0.0 {
        return Verdict::Unknown;
    }
    for width in WIDTHS {
        let (all, bounded) =
            if width == 1 { (own, own_bounded) } else { sums(parts, (class, test), limit, minute, width) };
        let (share, error) = (bounded.share(), bounded.standard_error());
        if share - DEGRADED_Z * error > limit && own_bounded.share() * 2.0 >= share {
            return Verdict::Degraded;
        }
        if all.share() + HEALTHY_Z * all.standard_error() < good_below(test, limit) {
            return Verdict::Healthy;
        }
    }
    Verdict::Indeterminate
}

/// Share below which the pool is healthy.
fn good_below(test: Test, limit: f64) -> f64 {
    match test {
        Test::P50 => 0.75,
        Test::P95 => 1.3 * limit,
        Test::FalsePositives | Test::Flagged => (2.0 * limit).max(0.02),
    }
}

/// The limit of a test for the pool: the members' mean where each has its own.
fn limit(parts: &[Part<'_>], class: TrafficClass, test: Test, settings: &Settings) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0.0);
    for limit in parts.iter().filter_map(|part| limit_of(part.tracked, (class, test), settings)) {
        if matches!(test, Test::P50 | Test::P95) {
            return Some(limit);
        }
        sum += limit;
        count += 1.0;
    }
    (count > 0.0).then(|| sum / count)
}

/// The limit of a test for one device; `None` where it knows none.
pub fn limit_of(tracked: &Tracked, (class, test): (TrafficClass, Test), settings: &Settings) -> Option<f64> {
    let track = tracked.state.classes[class.index()].as_ref()?;
    verdict::limit(test, &track.rates(settings))
}

/// Sums over the members in the window that ends with `last`: as they are, and with each device's part bounded.
fn sums(parts: &[Part<'_>], (class, test): (TrafficClass, Test), limit: f64, last: Minute, width: u32) -> (Sums, Sums) {
    let (mut all, mut bounded) = (Sums::default(), Sums::default());
    for part in parts {
        let (mut n, mut k) = (0, 0);
        for back in 0..i64::from(width) {
            let (trials, exceeding) = test.of(&part.counts(class, last.plus(-back)));
            n += trials;
            k += exceeding;
        }
        all.add(n, k, 1.0);
        bounded.add(n, k, limit * MOST_OF_ONE);
    }
    (all, bounded)
}

/// Trials and exceedances of one pair over all members in one minute, for the continuity proof.
pub fn evidence(parts: &[Part<'_>], (class, test): (TrafficClass, Test), minute: Minute) -> (u64, u64) {
    parts
        .iter()
        .map(|part| test.of(&part.counts(class, minute)))
        .fold((0, 0), |(n, k), (trials, exceeding)| (n + trials, k + exceeding))
}

/// Fewest trials that make a share.
const LEAST_TRIALS: u64 = 20;
/// Least difference between inside and outside with which an edge can be drawn.
const LEAST_CONTRAST: f64 = 0.03;

/// Trials and exceedances of one pair on one device in the minutes of `window`.
pub fn trials(tracked: &Tracked, (class, test): (TrafficClass, Test), window: (Minute, Minute)) -> (u64, u64) {
    tracked.state.classes[class.index()].as_ref().map_or((0, 0), |track| track.trials(test, window))
}

/// Share of exceedances of one pair over all members and the minutes `from ..= to`, whether they were active or not: their
/// minutes outside the event show what is usual for them. `None` where there is too little.
pub fn mean_share(parts: &[Part<'_>], pair: (TrafficClass, Test), window: (Minute, Minute)) -> Option<f64> {
    let (n, k) = parts
        .iter()
        .map(|part| trials(part.tracked, pair, window))
        .fold((0, 0), |(n, k), (trials, exceeding)| (n + trials, k + exceeding));
    share_of((n, k))
}

/// The share that trials and exceedances make; `None` where there are too few.
pub fn share_of((trials, exceeding): (u64, u64)) -> Option<f64> {
    (trials >= LEAST_TRIALS).then(|| exceeding as f64 / trials as f64)
}

/// By how much more of a pair's trials exceed inside an event than outside it.
pub fn contrast(
    parts: &[Part<'_>],
    pair: (TrafficClass, Test),
    outside: (Minute, Minute),
    inside: (Minute, Minute),
) -> Option<f64> {
    Some(mean_share(parts, pair, inside)? - mean_share(parts, pair, outside)?)
}

/// How much of a boundary minute belongs to the event, 0..=1: its share of exceedances between that of the minutes
/// outside and that of the minutes inside. An event that begins in the middle of a minute lasts half a minute less than
/// its minutes say. 1 where the counts cannot tell.
pub fn edge_share(
    parts: &[Part<'_>],
    pair: (TrafficClass, Test),
    edge: Minute,
    (outside, inside): ((Minute, Minute), (Minute, Minute)),
) -> f64 {
    let means =
        (mean_share(parts, pair, (edge, edge)), mean_share(parts, pair, outside), mean_share(parts, pair, inside));
    let (Some(edge), Some(outside), Some(inside)) = means else { return 1.0 };
    if inside - outside < LEAST_CONTRAST { 1.0 } else { ((edge - outside) / (inside - outside)).clamp(0.0, 1.0) }
}
