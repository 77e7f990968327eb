//! The verdict of a slot: degraded or healthy only where the counts prove it.
//!
//! Three tests, each exact and each with an upper and a lower limit (see [`super::binomial`]):
//!
//! | test | counts | degraded above | healthy below |
//! |---|---|---|---|
//! | [`Test::P50`] | samples above the median's threshold | 1/2 | 3/4 |
//! | [`Test::P95`] | samples above the 95th percentile's threshold | 1/20 | 3/10 |
//! | [`Test::FalsePositives`] | wrongly flagged canary probes | max(1 %, r x its baseline) | 5 % |
//! | [`Test::Flagged`] | flagged flows, where there are no canaries | twice its baseline, widened by its dispersion | the same |
//!
//! A minute that does not decide borrows from the minutes before it, up to five. It may be called degraded only if its
//! own share is at least half of the window's, or a wide window would smear an event past its end.

use std::sync::LazyLock;

use bincode::{Decode, Encode};

use super::binomial::{self, Limits};
use super::device::TrafficClass;
use super::effect::Verdict;
use super::evidence::{Counts, EvidenceRing};
use super::settings::LEAST_HOLD_MIN;
use super::time::Minute;

/// Level at which a minute is called degraded.
pub const ALPHA_DEGRADED: f64 = 0.01;
/// Level at which a minute is called healthy.
pub const ALPHA_HEALTHY: f64 = 0.05;
/// Level at which a device is called affected, over [`MEMBERSHIP_MIN`] minutes.
const ALPHA_MEMBER: f64 = 1e-4;
/// Margin over the limit that both halves of the membership window must show, and a lone device's hour as a whole.
const MEMBER_MARGIN: f64 = 1.5;
/// Minutes that decide whether a device is affected, by latency.
pub const MEMBERSHIP_MIN: u32 = 20;
const _: () = assert!(MEMBERSHIP_MIN <= LEAST_HOLD_MIN, "who is affected is seen before anything is declared");
/// Minutes that decide whether a device is affected, by false positives.
pub const MEMBERSHIP_FP_MIN: u32 = 30;
/// Trailing windows that a minute may borrow from.
const WIDTHS: [u32; 4] = [1, 2, 3, 5];
/// Share of false positives below which a device is healthy.
pub const FALSE_POSITIVES_BAD: f64 = 0.05;

/// What is tested.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
pub enum Test {
    P50,
    P95,
    FalsePositives,
    Flagged,
}

impl Test {
    /// Every test, in the order of its bit in a [`Signature`].
    pub const ALL: [Self; 4] = [Self::P50, Self::P95, Self::FalsePositives, Self::Flagged];

    /// Trials and exceedances of this test in `counts`.
    pub fn of(self, counts: &Counts) -> (u64, u64) {
        match self {
            Self::P50 => (counts.samples, counts.over_p50),
            Self::P95 => (counts.samples, counts.over_p95),
            Self::FalsePositives => (counts.canary, counts.canary_flagged),
            Self::Flagged => (counts.flows, counts.flagged),
        }
    }

    /// The test's name, as people read it beside a traffic class.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::P50 => "median delay",
            Self::P95 => "p95 delay",
            Self::FalsePositives => "false positives",
            Self::Flagged => "flagged flows",
        }
    }
}

/// Pairs of class and test: bit `4 * class + test`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct Signature(pub u32);

impl Signature {
    /// Adds one pair.
    pub fn insert(&mut self, class: TrafficClass, test: Test) {
        self.0 |= Self::bit(class, test);
    }

    /// Adds the tests that call `class` degraded.
    pub fn add(&mut self, class: TrafficClass, tests: TestVerdicts) {
        for test in Test::ALL {
            if tests.0[test as usize] == Verdict::Degraded {
                self.insert(class, test);
            }
        }
    }

    /// Whether the pair is in it.
    pub fn contains(self, class: TrafficClass, test: Test) -> bool {
        self.0 & Self::bit(class, test) != 0
    }

    /// Its pairs, by class and then by test.
    pub fn pairs(self) -> impl Iterator<Item = (TrafficClass, Test)> {
        TrafficClass::ALL
            .into_iter()
            .flat_map(|class| Test::ALL.into_iter().map(move |test| (class, test)))
            .filter(move |(class, test)| self.contains(*class, *test))
    }

    /// Whether no pair is in it.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    fn bit(class: TrafficClass, test: Test) -> u32 {
        1 << (4 * class.index() + test as usize)
    }
}

/// Natural rates of a device and class, against which counts are judged.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Rates {
    /// Highest share of wrongly flagged probes that is normal: max(floor, r x baseline).
    pub false_positives: f64,
    /// Highest share of flagged flows that is normal; `None` until it has been learnt.
    pub flagged: Option<f64>,
    /// Variance over mean of the flagged counts a minute: alerts come in bursts, not as a Poisson stream.
    pub flagged_dispersion: f64,
}

static P50: LazyLock<Limits> = LazyLock::new(|| Limits::new((0.5, ALPHA_DEGRADED), (0.75, ALPHA_HEALTHY)));
static P95: LazyLock<Limits> = LazyLock::new(|| Limits::new((0.05, ALPHA_DEGRADED), (0.30, ALPHA_HEALTHY)));
/// For the usual case that a device's own rate of false positives is below half of what is bad.
static FALSE_POSITIVES: LazyLock<Limits> =
    LazyLock::new(|| Limits::new((FALSE_POSITIVES_BAD, ALPHA_DEGRADED), (FALSE_POSITIVES_BAD, ALPHA_HEALTHY)));

/// The limit above which a test's share is degraded.
pub fn limit(test: Test, rates: &Rates) -> Option<f64> {
    match test {
        Test::P50 => Some(0.5),
        Test::P95 => Some(0.05),
        Test::FalsePositives => Some(rates.false_positives),
        Test::Flagged => rates.flagged,
    }
}

/// The verdict of one class in `minute`, and the tests that call it degraded.
pub fn of_class(ring: &EvidenceRing, minute: Minute, rates: &Rates) -> (Verdict, TestVerdicts) {
    let own = ring.get(minute);
    if own.is_empty() {
        return (Verdict::Unknown, TestVerdicts::default());
    }
    let mut said = [Verdict::Unknown; 4];
    for test in Test::ALL {
        // Flagged flows are bursty; canary probes are clean trials and go before them.
        if test != Test::Flagged || own.canary == 0 {
            said[test as usize] = of_test(ring, minute, &own, test, rates);
        }
    }
    (combine(&said, &own, rates), TestVerdicts(said))
}

/// In how many of the minutes `from ..= to` the test calls the class degraded.
pub fn degraded_minutes(ring: &EvidenceRing, test: Test, (from, to): (Minute, Minute), rates: &Rates) -> u32 {
    let minutes = (0..=to.since(from)).map(|ago| of_class(ring, from.plus(ago), rates).1);
    minutes.filter(|said| said.0[test as usize] == Verdict::Degraded).count() as u32
}

/// What each test said of a minute, by test.
#[derive(Clone, Copy, Debug, Default)]
pub struct TestVerdicts(pub [Verdict; 4]);

fn combine(said: &[Verdict; 4], own: &Counts, rates: &Rates) -> Verdict {
    if said.contains(&Verdict::Degraded) {
        return Verdict::Degraded;
    }
    let latency_healthy = said[0] == Verdict::Healthy && said[1] == Verdict::Healthy;
    let latency_silent = said[0] == Verdict::Unknown;
    let probes_healthy = said[2] == Verdict::Healthy;
    // Few probes cannot prove health by themselves; they veto it only when they point the other way.
    let probes_object = said[2] == Verdict::Indeterminate
        && own.canary_flagged as f64 > own.canary as f64 * rates.false_positives
        && own.canary_flagged > 1;
    if (latency_healthy && !probes_object) || (latency_silent && probes_healthy) {
        Verdict::Healthy
    } else {
        Verdict::Indeterminate
    }
}

fn of_test(ring: &EvidenceRing, minute: Minute, own: &Counts, test: Test, rates: &Rates) -> Verdict {
    let (own_trials, own_exceeding) = test.of(own);
    if own_trials == 0 || limit(test, rates).is_none() {
        return Verdict::Unknown;
    }
    let mut window = *own;
    let mut width = 1;
    for wanted in WIDTHS {
        while width < wanted {
            window.add(ring.get(minute.plus(-i64::from(width))));
            width += 1;
        }
        let (trials, exceeding) = test.of(&window);
        let share_holds = own_exceeding * trials * 2 >= exceeding * own_trials;
        if share_holds && is_above(test, (trials, exceeding), rates) {
            return Verdict::Degraded;
        }
        if is_below(test, trials, exceeding, rates) {
            return Verdict::Healthy;
        }
    }
    Verdict::Indeterminate
}

/// Whether the test proves the share of these trials to be above what is normal, at the level of a minute.
pub fn is_above(test: Test, (trials, exceeding): (u64, u64), rates: &Rates) -> bool {
    let (n, k) = (clamp(trials), clamp(exceeding));
    match test {
        Test::P50 => P50.is_above(n, k),
        Test::P95 => P95.is_above(n, k),
        Test::FalsePositives => binomial::proves_above(n, k, rates.false_positives, ALPHA_DEGRADED),
        Test::Flagged => flagged_bounds(trials, exceeding, rates).is_some_and(|(low, _, limit)| low > limit),
    }
}

fn is_below(test: Test, trials: u64, exceeding: u64, rates: &Rates) -> bool {
    let (n, k) = (clamp(trials), clamp(exceeding));
    match test {
        Test::P50 => P50.is_below(n, k),
        Test::P95 => P95.is_below(n, k),
        Test::FalsePositives => {
            let bad = 2.0 * rates.false_positives;
            if bad <= FALSE_POSITIVES_BAD {
                FALSE_POSITIVES.is_below(n, k)
            } else {
                binomial::proves_below(n, k, bad, ALPHA_HEALTHY)
            }
        }
        Test::Flagged => flagged_bounds(trials, exceeding, rates).is_some_and(|(_, high, limit)| high < limit),
    }
}

/// Lower and upper bound of the flagged share, widened by the device's own dispersion, and the limit it is held against.
fn flagged_bounds(trials: u64, exceeding: u64, rates: &Rates) -> Option<(f64, f64, f64)> {
    let limit = rates.flagged?;
    let (n, k) = (trials as f64, exceeding as f64);
    // Quasi-Poisson: the variance of a count is its mean times the dispersion (McCullagh & Nelder 1989, 6.2.3). Bursts
    // outlast a minute, so neighbouring minutes do not average out: twice the dispersion, and a stricter level.
    let deviation = (2.0 * (k + 1.0) * rates.flagged_dispersion.max(1.0)).sqrt() / n;
    Some((k / n - 3.09 * deviation, k / n + 1.64 * deviation, limit))
}

fn clamp(count: u64) -> u32 {
    count.min(1 << 30) as u32
}

/// Whether a share lies above its limit.
pub fn exceeds(limit: f64, (trials, exceeding): (u64, u64)) -> bool {
    exceeding as f64 > limit * trials as f64
}

/// Whether a share stands clear of its limit: [`MEMBER_MARGIN`] times above it. A median cannot stand 1.5 times above one half,
/// so half-way to certainty is asked for there.
pub fn stands_clear(limit: f64, (trials, exceeding): (u64, u64)) -> bool {
    let margin = (limit * MEMBER_MARGIN).min((1.0 + limit) / 2.0);
    trials > 0 && exceeds(margin, (trials, exceeding))
}

/// The pairs of class and test by which a device is affected at `last`: the same tests over 20 minutes (30 for false
/// positives), at a stricter level, with both halves of the window well above the limit.
///
/// It decides who is a member of an event, never the clock.
pub fn affected_by(ring: &EvidenceRing, class: TrafficClass, last: Minute, rates: &Rates) -> Signature {
    let mut signature = Signature::default();
    let halves = |width: u32| (ring.window(last, width / 2), ring.window(last.plus(-i64::from(width / 2)), width / 2));
    let (latency, rest) = (halves(MEMBERSHIP_MIN), halves(MEMBERSHIP_FP_MIN));
    for test in Test::ALL {
        let (recent, before) = if matches!(test, Test::P50 | Test::P95) { latency } else { rest };
        let Some(limit) = limit(test, rates) else { continue };
        let ((n1, k1), (n2, k2)) = (test.of(&recent), test.of(&before));
        let stands_clear = stands_clear(limit, (n1, k1)) && stands_clear(limit, (n2, k2));
        if stands_clear && binomial::proves_above(clamp(n1 + n2), clamp(k1 + k2), limit, ALPHA_MEMBER) {
            signature.insert(class, test);
        }
    }
    signature
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATES: Rates = Rates { false_positives: 0.01, flagged: None, flagged_dispersion: 1.0 };
    const T0: Minute = Minute(29_921_760);

    fn ring(minutes: &[(u64, u64, u64)]) -> EvidenceRing {
        let mut ring = EvidenceRing::default();
        for (i, &(samples, over_p50, over_p95)) in minutes.iter().enumerate() {
            ring.add(T0.plus(i as i64), Counts { samples, over_p50, over_p95, ..Counts::default() });
        }
        ring
    }

    fn last(minutes: &[(u64, u64, u64)]) -> Verdict {
        of_class(&ring(minutes), T0.plus(minutes.len() as i64 - 1), &RATES).0
    }

    #[test]
    fn a_minute_decides_by_itself_where_it_can() {
        assert_eq!(last(&[(60, 2, 1)]), Verdict::Healthy);
        assert_eq!(last(&[(60, 55, 20)]), Verdict::Degraded);
        assert_eq!(last(&[(60, 10, 12)]), Verdict::Degraded, "the tail alone");
        assert_eq!(last(&[(3, 3, 3)]), Verdict::Degraded);
        assert_eq!(last(&[(3, 0, 0)]), Verdict::Indeterminate, "too few to prove health");
        assert_eq!(last(&[]), Verdict::Unknown);
    }

    #[test]
    fn a_thin_minute_borrows_from_those_before_it() {
        assert_eq!(last(&[(4, 0, 0), (4, 0, 0), (4, 0, 0)]), Verdict::Healthy);
        assert_eq!(last(&[(1, 1, 1), (1, 1, 1)]), Verdict::Degraded);
        assert_eq!(last(&[(4, 0, 0), (0, 0, 0)]), Verdict::Unknown, "an empty minute never borrows");
    }

    #[test]
    fn a_wide_window_does_not_smear_an_event_past_its_end() {
        let mut minutes = vec![(4, 4, 4); 10];
        minutes.extend([(4, 0, 0); 5]);
        for after in 11..=15 {
            assert_ne!(last(&minutes[..after]), Verdict::Degraded, "{} good minutes", after - 10);
        }
    }

    #[test]
    fn probes_decide_without_latency_and_do_not_cry_wolf() {
        let probes = |minutes: &[(u64, u64)]| {
            let mut ring = EvidenceRing::default();
            for (i, &(canary, canary_flagged)) in minutes.iter().enumerate() {
                ring.add(T0.plus(i as i64), Counts { canary, canary_flagged, ..Counts::default() });
            }
            of_class(&ring, T0.plus(minutes.len() as i64 - 1), &RATES).0
        };
        assert_eq!(probes(&[(20, 4)]), Verdict::Degraded);
        assert_eq!(probes(&[(20, 1)]), Verdict::Indeterminate);
        assert_eq!(probes(&[(20, 0), (20, 0), (20, 1)]), Verdict::Indeterminate);
        assert_eq!(probes(&[(20, 0), (20, 0), (20, 0)]), Verdict::Healthy);
    }

    #[test]
    fn flagged_flows_are_judged_only_against_what_was_learnt() {
        let mut ring = EvidenceRing::default();
        ring.add(T0, Counts { flows: 1_000, flagged: 900, ..Counts::default() });
        assert_eq!(of_class(&ring, T0, &RATES).0, Verdict::Indeterminate);
        let learnt = Rates { flagged: Some(0.02), flagged_dispersion: 35.0, ..RATES };
        assert_eq!(of_class(&ring, T0, &learnt).0, Verdict::Degraded);
        let mut calm = EvidenceRing::default();
        calm.add(T0, Counts { flows: 1_000, flagged: 40, ..Counts::default() });
        assert_ne!(of_class(&calm, T0, &learnt).0, Verdict::Degraded, "a burst of the usual size");
    }

    #[test]
    fn membership_needs_both_halves_of_its_window() {
        let all = vec![(20, 18, 10); 20];
        let https = TrafficClass::Https;
        let of =
            |minutes: &[(u64, u64, u64)]| affected_by(&ring(minutes), https, T0.plus(minutes.len() as i64 - 1), &RATES);
        assert!(of(&all).contains(https, Test::P50) && of(&all).contains(https, Test::P95));
        let mut half = vec![(20, 1, 0); 10];
        half.extend([(20, 18, 10); 10]);
        assert!(of(&half).is_empty());
        assert_eq!(of(&all).pairs().count(), 2);
    }
}
