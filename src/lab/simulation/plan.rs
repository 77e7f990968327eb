//! What happens to a device: installs, impacts, cut lines, silences, reboots, wrong clocks, noise; and what of it is true.

use crate::engine::device::{Label, TrafficClass};
use crate::engine::time::Timestamp;

use super::random::normal_at;

pub(crate) const MINUTE_MS: i64 = 60_000;
pub(crate) const DAY_MS: i64 = 86_400_000;
const HOUR_MS: f64 = 3_600_000.0;
/// What has no end within the simulation.
pub(crate) const NO_END: Timestamp = Timestamp::from_ms(i64::MAX);

/// An update that a device takes.
#[derive(Clone, PartialEq, Debug)]
pub struct Install {
    pub at: Timestamp,
    pub version: Label,
}

/// Something apart from the nightly update that a device takes.
#[derive(Clone, PartialEq, Debug)]
pub struct PackageInstall {
    pub at: Timestamp,
    pub name: Label,
    pub version: Label,
}

/// An effect that comes and goes: on for so long in each period, at a phase of the device's own.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Bursts {
    pub on_ms: i64,
    pub period_ms: i64,
    pub phase_ms: i64,
}

/// How a defect shows.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Effect {
    /// The delay is multiplied by this ...
    pub ratio: f64,
    /// ... and this many microseconds are added,
    pub add_us: f64,
    /// for this share of the flows.
    pub share: f64,
    /// Only these classes; bit i stands for class number i.
    pub classes: u8,
    /// Share of harmless probes and flows that are flagged in addition.
    pub false_positives: f64,
    /// Share of flows that are flagged in addition, and rightly so: an attack. Probes are not.
    pub attacks: f64,
    /// The effect grows linearly for this long after its start.
    pub ramp_ms: i64,
    pub bursts: Option<Bursts>,
}

/// An effect on one device for a time.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Impact {
    pub start: Timestamp,
    /// Exclusive.
    pub end: Timestamp,
    pub effect: Effect,
    /// Whether a workaround or a fix takes it away: a defect of what is installed, not a slow line, an attack or a broken box.
    pub remediable: bool,
}

/// A stretch of time, end exclusive.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Span {
    pub from: Timestamp,
    pub to: Timestamp,
}

/// What happens to one device.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct DevicePlan {
    /// Ascending.
    pub installs: Vec<Install>,
    pub impacts: Vec<Impact>,
    /// The device measures, but its line is down: what it measured arrives afterwards.
    pub cuts: Vec<Span>,
    /// The device measures nothing.
    pub silences: Vec<Span>,
    pub reboots: Vec<Timestamp>,
    /// Wall clock minus true time, before any step.
    pub skew_ms: i64,
    /// The wall clock jumps by so many milliseconds at an instant. Ascending.
    pub steps: Vec<(Timestamp, i64)>,
    /// Share of reports that are delivered again.
    pub repeated_share: f64,
    /// Ascending.
    pub packages: Vec<PackageInstall>,
    /// Standard deviation of the logarithm of a noise that all delays of a report share and that goes on from report to
    /// report; 0 for none.
    pub shared_noise: f64,
    /// From this instant on the level of the delay rises by this share of itself an hour.
    pub drift: Option<(Timestamp, f64)>,
    /// Each report is accompanied by one of a version or encoding that nobody knows.
    pub wrong_versions: bool,
}

/// What was injected: the answer that a detector should find.
#[derive(Clone, PartialEq, Debug)]
pub struct Truth {
    /// First onset of the first device.
    pub start: Timestamp,
    /// End of the last impact; `None` when it outlasts the simulation.
    pub end: Option<Timestamp>,
    /// Numbers of the devices that suffer, ascending.
    pub devices: Vec<u32>,
    /// As in a suspect: `update`, `branch`, `package`, `fleet`, `update+model`, `device`.
    pub kind: &'static str,
    pub value: String,
    /// Whether the one-hour rule makes a major incident of it.
    pub declares: bool,
    /// End of the minute that fills the hour, by [`super::truth::hour_full_at`]; `None` when none does or nothing is declared.
    pub full_at: Option<Timestamp>,
    /// When that minute can be known: it has closed, and the lines of half of the devices are up.
    pub evidenced_at: Option<Timestamp>,
}

/// A fleet's plans and what they amount to.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    pub(crate) plans: Vec<DevicePlan>,
    pub(crate) truth: Vec<Truth>,
}

impl Effect {
    const NONE: Self = Self {
        ratio: 1.0,
        add_us: 0.0,
        share: 1.0,
        classes: 0,
        false_positives: 0.0,
        attacks: 0.0,
        ramp_ms: 0,
        bursts: None,
    };

    pub(crate) fn on(class: TrafficClass, ratio: f64, false_positives: f64) -> Self {
        Self { ratio, false_positives, classes: 1 << class.index(), ..Self::NONE }
    }

    pub(crate) fn on_https(ratio: f64, false_positives: f64) -> Self {
        Self::on(TrafficClass::Https, ratio, false_positives)
    }

    pub(crate) fn slow_line() -> Self {
        Self { ratio: 1.5, add_us: 12_000.0, classes: u8::MAX, ..Self::NONE }
    }

    /// Whether the effect is on, an effect in bursts being off between them.
    pub(crate) fn is_on(&self, now: Timestamp) -> bool {
        self.bursts.is_none_or(|bursts| (now.as_ms() - bursts.phase_ms).rem_euclid(bursts.period_ms) < bursts.on_ms)
    }
}

impl Impact {
    /// Whether traffic of the class suffers from it at an instant.
    pub(crate) fn covers(&self, class: TrafficClass, at: Timestamp) -> bool {
        self.effect.classes >> class.index() & 1 == 1 && at >= self.start && at < self.end && self.effect.is_on(at)
    }

    /// The effect as of an instant, grown so far as its ramp says.
    pub(crate) fn at(&self, now: Timestamp) -> Effect {
        let mut effect = self.effect;
        if effect.ramp_ms > 0 {
            let grown = (now.since_ms(self.start) as f64 / effect.ramp_ms as f64).min(1.0);
            effect.ratio = 1.0 + (effect.ratio - 1.0) * grown;
            effect.add_us *= grown;
            effect.false_positives *= grown;
            effect.attacks *= grown;
        }
        effect
    }
}

impl DevicePlan {
    /// Wall clock minus true time at an instant.
    pub(crate) fn skew_at(&self, at: Timestamp) -> i64 {
        let stepped: i64 = self.steps.iter().filter(|(when, _)| *when <= at).map(|(_, by_ms)| by_ms).sum();
        self.skew_ms + stepped
    }

    /// Whether the device's line is down.
    pub(crate) fn is_cut(&self, at: Timestamp) -> bool {
        self.cuts.iter().any(|span| at >= span.from && at < span.to)
    }

    /// What the usual level of the delay is multiplied by, apart from any defect.
    pub(crate) fn level(&self, seed: u64, at: Timestamp) -> f64 {
        let drift =
            self.drift.map_or(1.0, |(from, per_hour)| (1.0 + per_hour).powf(at.since_ms(from).max(0) as f64 / HOUR_MS));
        if self.shared_noise == 0.0 { drift } else { drift * (self.shared_noise * shared(seed, at)).exp() }
    }
}

/// Noise of unit variance that is correlated over 10 s (the samples of a report), over minutes and over a quarter of an hour.
fn shared(seed: u64, at: Timestamp) -> f64 {
    const SCALES: [(i64, f64); 3] = [(10_000, 0.6), (150_000, 0.6), (900_000, 0.53)];
    let parts = SCALES.iter().map(|&(cell_ms, weight)| {
        let cell = at.as_ms().div_euclid(cell_ms);
        let within = at.as_ms().rem_euclid(cell_ms) as f64 / cell_ms as f64;
        let seed = seed ^ (105 << 48) ^ cell_ms as u64;
        let (here, next) = (normal_at(seed, cell as u64), normal_at(seed, cell as u64 + 1));
        // Between two independent numbers the variance would sink; this keeps it.
        let (a, b) = ((1.0 - within), within);
        weight * (a * here + b * next) / a.hypot(b)
    });
    parts.sum()
}
