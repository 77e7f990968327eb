//! What is normal for a device and class at a time of day.
//!
//! Each hour's quantiles wait a day before they are learnt, so that a defect that took hours to be noticed does not teach
//! itself as normal; minutes that were degraded, or belong to an open event, never enter. Weekdays and the weekend are
//! kept apart, seven days in all. The baseline of an hour is the median over those days of that hour and its neighbours,
//! shrunk towards the device's model and branch while it is young: `(n b + k g) / (n + k)`, with n the known minutes
//! behind b and k = 30 (an empirical-Bayes weight; see `detection.md`'s sources for the quantile intervals).
//!
//! Before a device has learnt anything, its group and its own waiting hours stand in, provisionally, whichever is slower:
//! being blind for two days would be worse. They know nothing of the hours to come, nor of its line, so their margins are
//! wider, and what they judge is learnt whatever they say: otherwise the first morning's traffic would look degraded and
//! never become normal.

use std::collections::VecDeque;

use bincode::{Decode, Encode};

use super::evidence::Counts;
use super::histogram::{BUCKETS, Histogram, highest_of, lowest_of};
use super::settings::Settings;
use super::time::Minute;

mod group;
mod thresholds;

pub use group::GroupNormals;
pub use thresholds::Thresholds;

/// Hours that wait before they are learnt.
const WAIT_H: u32 = 24;
/// Hours that wait at most: those, the one that ends, and one more where the clock of the fleet jumps.
const MAX_WAITING: usize = WAIT_H as usize + 2;
/// Steps in which their room grows: doubling would end at twice what is needed.
const WAITING_STEPS: usize = 3;
/// Counts of the running hour in one cache line.
const LINE_OF_COUNTS: usize = 32;
/// Buckets by which the running hour's counts grow.
const GROWTH: usize = 16;
/// Known minutes that weigh as much as the group does.
const SHRINKAGE: f64 = 30.0;
/// Fewest known minutes and samples that make an hour worth learning.
const MIN_KNOWN: u8 = 10;
const MIN_SAMPLES: u64 = 20;
/// Known minutes after which the running hour may stand in provisionally.
const PROVISIONAL_MIN: u8 = 30;
/// Weight of what was learnt before, when a day is added to a rate.
const RATE_MEMORY: f32 = 0.85;
/// Variance over mean of flagged flows a minute until the device has shown its own: measured on real Suricata output.
const DISPERSION_PRIOR: f64 = 35.0;

/// Median and 95th percentile in microseconds.
#[derive(Clone, Copy, PartialEq, Debug, Encode, Decode)]
pub struct Normal {
    pub p50_us: f64,
    pub p95_us: f64,
}

impl Normal {
    /// Both quantiles `factor` times as long.
    pub fn times(self, factor: f64) -> Self {
        Self { p50_us: self.p50_us * factor, p95_us: self.p95_us * factor }
    }
}

/// What a learnt normal is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Known {
    pub minutes: u32,
    pub days: u8,
}

/// How well a normal is founded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub enum Maturity {
    /// The hours that still wait stand in.
    #[default]
    Provisional,
    /// More than a day old and not degraded, of the device or of its group; from so many days.
    Learnt { days: u8 },
}

/// One quantile pair, on a logarithmic scale of 0.03 % a step; 0 known minutes: nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode)]
struct HourQuantiles {
    p50: u16,
    p95: u16,
    known: u8,
}

const LOG_STEPS: f64 = 3_600.0;

fn to_log(us: f64) -> u16 {
    ((us.max(1.0)).ln() * LOG_STEPS).round().min(f64::from(u16::MAX)) as u16
}

fn from_log(steps: u16) -> f64 {
    (f64::from(steps) / LOG_STEPS).exp()
}

/// An hour on its way into the baseline.
#[derive(Clone, PartialEq, Debug, Encode, Decode)]
struct WaitingHour {
    /// Hours since the epoch.
    hour: u32,
    quantiles: HourQuantiles,
    rates: HourRates,
}

/// Sums over the minutes of an hour.
#[derive(Clone, Copy, PartialEq, Debug, Default, Encode, Decode)]
struct HourRates {
    canary: f32,
    canary_flagged: f32,
    flows: f32,
    flagged: f32,
    /// Sum of the squares of the flagged counts a minute.
    flagged_square: f32,
    minutes: f32,
}

impl HourRates {
    fn decay_and_add(&mut self, other: &Self) {
        // Per hour, so that a day's 24 additions forget as much as one factor a day would.
        let keep = RATE_MEMORY.powf(1.0 / 24.0);
        self.canary = self.canary * keep + other.canary;
        self.canary_flagged = self.canary_flagged * keep + other.canary_flagged;
        self.flows = self.flows * keep + other.flows;
        self.flagged = self.flagged * keep + other.flagged;
        self.flagged_square = self.flagged_square * keep + other.flagged_square;
        self.minutes = self.minutes * keep + other.minutes;
    }
}

/// The running hour.
#[derive(Clone, PartialEq, Debug, Default, Encode, Decode)]
struct RunningHour {
    hour: u32,
    known: u8,
    /// Counts of the buckets from `first` on, as far as there ever were samples, all halved together when one would overflow.
    counts: Vec<u16>,
    first: u16,
    halvings: u8,
    rates: HourRates,
}

/// The counts of an hour that is over, as the running hour had them.
#[derive(Clone, PartialEq, Debug, Default, Encode, Decode)]
struct PastHour {
    counts: Vec<u16>,
    first: u16,
    halvings: u8,
}

/// The baseline of one device and class.
#[derive(Clone, PartialEq, Debug, Default, Encode, Decode)]
pub struct Baseline {
    running: RunningHour,
    waiting: VecDeque<WaitingHour>,
    /// The hour before the running one: what was usual just now.
    previous: PastHour,
    /// By hour of the day, then by day of the week (Monday first); empty until the first hour is learnt.
    learnt: Vec<HourQuantiles>,
    rates: HourRates,
}

impl Baseline {
    /// Adds a closed slot that was not degraded and belongs to no event. Late minutes of past hours are left out.
    pub fn observe(&mut self, minute: Minute, histogram: &Histogram, counts: &Counts, settings: &Settings) {
        let hour = local_hour(minute, settings);
        if hour < self.running.hour {
            return;
        }
        if hour > self.running.hour {
            self.turn(hour);
        }
        let running = &mut self.running;
        running.known = running.known.saturating_add(1);
        running.reach(histogram.span());
        let first = usize::from(running.first);
        for (index, count) in histogram.buckets() {
            add_scaled(&mut running.counts, &mut running.halvings, index - first, count);
        }
        let rates = &mut running.rates;
        rates.canary += counts.canary as f32;
        rates.canary_flagged += counts.canary_flagged as f32;
        rates.flows += counts.flows as f32;
        rates.flagged += counts.flagged as f32;
        rates.flagged_square += (counts.flagged as f32).powi(2);
        rates.minutes += 1.0;
    }

    /// Learns the hours that have waited a day by `minute`, but for those that `spoilt` names: an event covered them.
    pub fn learn(&mut self, minute: Minute, settings: &Settings, spoilt: impl Fn(Minute) -> bool) {
        let hour = local_hour(minute, settings);
        if hour > self.running.hour && self.running.known > 0 {
            self.turn(hour);
        }
        while self.waiting.front().is_some_and(|waiting| waiting.hour + 1 + WAIT_H <= hour) {
            let Some(waiting) = self.waiting.pop_front() else { return };
            if !spoilt(first_minute(waiting.hour, settings)) {
                self.keep(&waiting);
            }
        }
    }

    fn keep(&mut self, waiting: &WaitingHour) {
        if waiting.quantiles.known >= MIN_KNOWN {
            if self.learnt.is_empty() {
                self.learnt = vec![HourQuantiles::default(); 24 * 7];
            }
            self.learnt[place(waiting.hour)] = waiting.quantiles;
        }
        self.rates.decay_and_add(&waiting.rates);
    }

    /// Closes the running hour and begins `hour`.
    fn turn(&mut self, hour: u32) {
        let running = std::mem::take(&mut self.running);
        if running.known > 0 {
            let quantiles = running.quantiles().unwrap_or_default();
            if self.waiting.len() >= MAX_WAITING {
                self.waiting.pop_front();
            }
            if self.waiting.len() == self.waiting.capacity() {
                self.waiting.reserve_exact(MAX_WAITING.div_ceil(WAITING_STEPS));
            }
            self.waiting.push_back(WaitingHour { hour: running.hour, quantiles, rates: running.rates });
        }
        let RunningHour { known, counts, first, halvings, .. } = running;
        // The room of the hour before last is used again.
        let mut room = if known > 0 {
            std::mem::replace(&mut self.previous, PastHour { counts, first, halvings }).counts
        } else {
            counts
        };
        room.clear();
        self.running = RunningHour { hour, counts: room, ..RunningHour::default() };
    }

    /// The device's own normal at the hour of `minute`, and the known minutes behind it.
    pub fn own(&self, minute: Minute, settings: &Settings) -> Option<(Normal, Known)> {
        if self.learnt.is_empty() {
            return None;
        }
        let hour = local_hour(minute, settings);
        let weekend = is_weekend(hour);
        self.median_of_days(hour, weekend).or_else(|| self.median_of_days(hour, !weekend))
    }

    fn median_of_days(&self, hour: u32, weekend: bool) -> Option<(Normal, Known)> {
        self.median_of([hour % 24 + 23, hour % 24 + 24, hour % 24 + 25], weekend)
    }

    /// The median over these hours of the day, and over the days of the week or those of the weekend.
    fn median_of<const HOURS: usize>(&self, hours: [u32; HOURS], weekend: bool) -> Option<(Normal, Known)> {
        let days = if weekend { 5..7 } else { 0..5 };
        let (mut p50, mut p95, mut known) = ([0; 15], [0; 15], 0);
        let (mut found, mut seen) = (0, 0_u8);
        for hour in hours {
            for day in days.clone() {
                let quantiles = self.learnt[(hour % 24) as usize * 7 + day];
                if quantiles.known > 0 {
                    (p50[found], p95[found]) = (quantiles.p50, quantiles.p95);
                    known += u32::from(quantiles.known);
                    found += 1;
                    seen |= 1 << day;
                }
            }
        }
        let known = Known { minutes: known, days: seen.count_ones() as u8 };
        (found > 0).then(|| (Normal { p50_us: median(&mut p50[..found]), p95_us: median(&mut p95[..found]) }, known))
    }

    /// The highest that is usual within an hour of the minutes `from ..= to`, on weekdays or at weekends: a daily busy time comes
    /// earlier on one day than on another. Each hour's is the median of its days, so that a burst in one of them counts for
    /// nothing.
    pub fn highest(&self, (from, to): (Minute, Minute), settings: &Settings) -> Option<Normal> {
        if self.learnt.is_empty() {
            return None;
        }
        let (from, to) = (local_hour(from.plus(-60), settings), local_hour(to.plus(60), settings));
        let hours = (from..=to).take(24).flat_map(|hour| [(hour, false), (hour, true)]);
        let usual = hours.filter_map(|(hour, weekend)| Some(self.median_of([hour], weekend)?.0));
        usual.reduce(|a, b| Normal { p50_us: a.p50_us.max(b.p50_us), p95_us: a.p95_us.max(b.p95_us) })
    }

    /// The median of the last hour that is over, over what is usual then; `None` where one of them is not known.
    pub fn moved(&self, minute: Minute, settings: &Settings) -> Option<f64> {
        let now = local_hour(minute, settings);
        let last = self.waiting.back().filter(|last| last.hour + 2 >= now && last.quantiles.known >= MIN_KNOWN)?;
        let (usual, _) = self.own(first_minute(last.hour, settings), settings)?;
        Some(from_log(last.quantiles.p50) / usual.p50_us)
    }

    /// What stands in while nothing has been learnt: the hours that still wait, and the running one once it is long enough.
    pub fn provisional(&self) -> Option<Normal> {
        let running = (self.running.known >= PROVISIONAL_MIN).then(|| self.running.quantiles()).flatten();
        let hours =
            self.waiting.iter().map(|waiting| waiting.quantiles).chain(running).filter(|q| q.known >= MIN_KNOWN);
        let (mut p50, mut p95, mut found) = ([0; MAX_WAITING + 1], [0; MAX_WAITING + 1], 0);
        for (q, (p50, p95)) in hours.zip(p50.iter_mut().zip(&mut p95)) {
            (*p50, *p95) = (q.p50, q.p95);
            found += 1;
        }
        (found > 0).then(|| Normal { p50_us: median(&mut p50[..found]), p95_us: median(&mut p95[..found]) })
    }

    /// Brings into the cache what [`Self::observe`] will touch; the answer means nothing. The second step needs the first.
    pub fn warm(&self, deep: bool) -> u32 {
        if deep {
            let counts = self.running.counts.iter().step_by(LINE_OF_COUNTS);
            counts.fold(0, |sum, &count| sum ^ u32::from(count))
        } else {
            self.running.counts.len() as u32 ^ self.rates.minutes.to_bits() ^ self.running.rates.minutes.to_bits()
        }
    }

    /// The latencies of this hour and the one before, as far as they may be learnt.
    pub fn recent(&self) -> Histogram {
        let mut recent = Histogram::new();
        let scaled = |count: u16, halvings: u8| u32::from(count) << halvings.min(16);
        for (hour, first, halvings) in [
            (&self.previous.counts, self.previous.first, self.previous.halvings),
            (&self.running.counts, self.running.first, self.running.halvings),
        ] {
            for (index, &count) in (usize::from(first)..).zip(hour) {
                recent.add(index, scaled(count, halvings));
            }
        }
        recent
    }

    /// The usual share of wrongly flagged probes; 0 until known.
    pub fn false_positives(&self) -> f64 {
        ratio(self.rates.canary_flagged, self.rates.canary).unwrap_or(0.0)
    }

    /// The usual share of flagged flows; `None` until a day has been learnt.
    pub fn flagged(&self) -> Option<f64> {
        if self.rates.minutes < 60.0 { None } else { ratio(self.rates.flagged, self.rates.flows) }
    }

    /// Variance over mean of the flagged flows a minute, at least 1; the prior until a day has been learnt.
    pub fn flagged_dispersion(&self) -> f64 {
        let rates = &self.rates;
        if rates.minutes < 60.0 || rates.flagged <= 0.0 {
            return DISPERSION_PRIOR;
        }
        let mean = f64::from(rates.flagged / rates.minutes);
        let variance = f64::from(rates.flagged_square / rates.minutes) - mean * mean;
        (variance / mean).max(1.0)
    }
}

impl RunningHour {
    /// Lets the counts reach over the buckets of `span`.
    fn reach(&mut self, span: std::ops::Range<usize>) {
        if span.is_empty() {
            return;
        }
        let (from, to) = (span.start / GROWTH * GROWTH, span.end.next_multiple_of(GROWTH).min(BUCKETS));
        if self.counts.is_empty() {
            self.first = from as u16;
        }
        let first = usize::from(self.first);
        if from < first {
            self.counts.splice(..0, std::iter::repeat_n(0, first - from));
            self.first = from as u16;
        }
        let first = usize::from(self.first);
        if first + self.counts.len() < to {
            self.counts.reserve_exact(to - first - self.counts.len());
            self.counts.resize(to - first, 0);
        }
    }

    fn quantiles(&self) -> Option<HourQuantiles> {
        let total: u64 = self.counts.iter().map(|count| u64::from(*count)).sum();
        if total << self.halvings.min(20) < MIN_SAMPLES || total == 0 {
            return None;
        }
        let [p50, p95] = quantiles(&self.counts, self.first.into(), [0.5, 0.95].map(|q| q * total as f64)).map(to_log);
        Some(HourQuantiles { p50, p95, known: self.known })
    }
}

fn add_scaled(counts: &mut [u16], halvings: &mut u8, index: usize, count: u32) {
    loop {
        let sum = u32::from(counts[index]) + (count >> (*halvings).min(31));
        if let Ok(sum) = u16::try_from(sum) {
            counts[index] = sum;
            return;
        }
        counts.iter_mut().for_each(|count| *count /= 2);
        *halvings += 1;
    }
}

/// The quantiles of ascending `ranks`, each interpolated within its bucket; the first of `counts` is that of bucket `first`.
fn quantiles<const N: usize>(counts: &[u16], first: usize, ranks: [f64; N]) -> [f64; N] {
    let mut found = [f64::from(super::histogram::MAX_US); N];
    let (mut below, mut at) = (0_u64, 0);
    for (index, &count) in (first..).zip(counts) {
        let reached = below + u64::from(count);
        while count > 0 && at < N && reached as f64 >= ranks[at] {
            let (low, high) = (f64::from(lowest_of(index)), f64::from(highest_of(index)) + 1.0);
            found[at] = low + (high - low) * ((ranks[at] - below as f64) / f64::from(count)).clamp(0.0, 1.0);
            at += 1;
        }
        if at == N {
            break;
        }
        below = reached;
    }
    found
}

fn median(values: &mut [u16]) -> f64 {
    values.sort_unstable();
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { from_log(values[middle]) } else { from_log(values[middle - 1].midpoint(values[middle])) }
}

fn ratio(part: f32, whole: f32) -> Option<f64> {
    (whole > 0.0).then(|| f64::from(part / whole))
}

fn local_minute(minute: Minute, settings: &Settings) -> u32 {
    minute.plus(i64::from(settings.offset_min(minute))).0
}

/// Hours since the epoch in the fleet's time of day.
pub fn local_hour(minute: Minute, settings: &Settings) -> u32 {
    local_minute(minute, settings) / 60
}

fn first_minute(local_hour: u32, settings: &Settings) -> Minute {
    let local = Minute(local_hour * 60);
    // The offset is that of an instant, which is only known with it: the second step is right but for the hour of a change.
    let about = local.plus(-i64::from(settings.offset_min(local)));
    local.plus(-i64::from(settings.offset_min(about)))
}

/// Day of the week of an hour since the epoch, Monday = 0. 1970-01-01 was a Thursday.
fn weekday(hour: u32) -> u32 {
    (hour / 24 + 3) % 7
}

fn is_weekend(hour: u32) -> bool {
    weekday(hour) >= 5
}

fn place(hour: u32) -> usize {
    ((hour % 24) * 7 + weekday(hour)) as usize
}

/// The device's own normal, shrunk towards its group's; where it has none its group's or what it shows so far, provisionally.
pub fn normal(
    baseline: &Baseline,
    group: Option<Normal>,
    minute: Minute,
    settings: &Settings,
) -> Option<(Normal, Maturity)> {
    match (baseline.own(minute, settings), group) {
        (Some((own, known)), Some(group)) => {
            let n = f64::from(known.minutes);
            let mix = |own: f64, group: f64| (n * own + SHRINKAGE * group) / (n + SHRINKAGE);
            let mixed = Normal { p50_us: mix(own.p50_us, group.p50_us), p95_us: mix(own.p95_us, group.p95_us) };
            Some((mixed, Maturity::Learnt { days: known.days }))
        }
        (Some((own, known)), None) => Some((own, Maturity::Learnt { days: known.days })),
        // It has never been looked at: what it is like, its group can only guess. A line that is slower than the others' is not a
        // defect, so what it shows by itself is waited for, with the wider margins.
        (None, Some(group)) => {
            let own = baseline.provisional().unwrap_or(group);
            let highest = Normal { p50_us: own.p50_us.max(group.p50_us), p95_us: own.p95_us.max(group.p95_us) };
            Some((highest, Maturity::Provisional))
        }
        (None, None) => baseline.provisional().map(|normal| (normal, Maturity::Provisional)),
    }
}

#[cfg(test)]
mod tests;
