//! The illness of a device, as people know it: how bad it was, at which hours, and the clock of what is worse. What becomes of it as
//! events come and go is in [`recurrence`](super::recurrence).

use bincode::{Decode, Encode};

use crate::engine::baseline::{self, Maturity, Thresholds};
use crate::engine::device::TrafficClass;
use crate::engine::effect::Verdict;
use crate::engine::evidence::{Counts, EVIDENCE_MIN, EvidenceRing};
use crate::engine::histogram::Histogram;
use crate::engine::history::{HISTORY_MIN, History};
use crate::engine::settings::Settings;
use crate::engine::streak::{self, Episode};
use crate::engine::suspect::AttributeKey;
use crate::engine::time::Minute;
use crate::engine::verdict::{self, Rates, Test};

use super::class_track::{ClassTrack, VERDICT_REACH};
use super::contrast::LatencyContrast;

pub(super) const DAY_H: u32 = 24;
/// Delays so many times as long as was told, and shares of flags so many times as high, are worse. The level of an illness moves.
const WORSE_DELAYS: f64 = 1.3;
const WORSE_FLAGS: f64 = 1.5;

/// The illness of a device, as people know it.
#[derive(Clone, PartialEq, Debug, Default, Encode, Decode)]
pub struct KnownIllness {
    /// From here on it is no news; `None` while the first event that tells of it is open.
    pub(super) since: Option<Minute>,
    /// How bad it was, by class.
    pub(super) levels: [Level; TrafficClass::COUNT],
    /// The local hours of the day at which it was ill, bit by bit.
    pub(super) hours: u32,
    /// What it has not been rid of, though it was well when the event ended; `None` where the illness itself had not ended, or was
    /// its own.
    pub(super) uncured: Option<Uncured>,
    /// How bad it is in the event that is open; it counts when that is over.
    pub(super) open_levels: [Level; TrafficClass::COUNT],
    pub(super) open_hours: u32,
    /// Counts against the limits of what was told, and the verdicts that they give: degraded is worse than told.
    pub(super) rings: [EvidenceRing; TrafficClass::COUNT],
    pub(super) worse: History,
    pub(super) last_worse: Option<Minute>,
    /// The delays of the minutes in which it was worse, while it is.
    pub(super) beyond: [Option<Box<LatencyContrast>>; TrafficClass::COUNT],
    /// Start of its running illness, if that began at a known hour.
    pub(super) running: Option<Minute>,
    pub(super) own: DeviceClock,
    /// Minutes with data since it was last ill.
    pub(super) well_min: u32,
}

/// What a fleet event was put down to.
#[derive(Clone, PartialEq, Debug, Encode, Decode)]
pub(super) struct Uncured {
    pub(super) key: AttributeKey,
    pub(super) event: u32,
    /// How many devices were in it.
    pub(super) devices: u32,
}

/// What a device's clock says to the events.
#[derive(Clone, Copy, PartialEq, Debug, Default, Encode, Decode)]
pub struct DeviceClock {
    pub episode: Option<Episode>,
    /// A full hour that ended before anybody could see it.
    pub past_full: Option<Episode>,
}

/// How bad a class was. All zero where it was well.
#[derive(Clone, Copy, PartialEq, Debug, Default, Encode, Decode)]
pub(super) struct Level {
    p50: Delay,
    p95: Delay,
    /// Share of the probes that were wrongly flagged, and of the flows that were flagged.
    false_positives: f64,
    flagged: f64,
}

/// A quantile of the delays: in microseconds, and in multiples of the usual one.
#[derive(Clone, Copy, PartialEq, Debug, Default, Encode, Decode)]
struct Delay {
    us: f64,
    times: f64,
}

impl Delay {
    fn of(us: u32, usual: f64) -> Self {
        Self { us: f64::from(us), times: f64::from(us) / usual.max(1.0) }
    }

    fn worst(self, other: Self) -> Self {
        Self { us: self.us.max(other.us), times: self.times.max(other.times) }
    }

    fn worsened(self) -> Self {
        Self { us: self.us * WORSE_DELAYS, times: self.times * WORSE_DELAYS }
    }

    /// The greatest delay in microseconds that is no worse, where `usual` is and `threshold` would be too long.
    fn most(self, threshold: u32, usual: f64) -> u32 {
        f64::from(threshold).max(self.us).max(self.times * usual).min(f64::from(u32::MAX)) as u32
    }
}

impl Level {
    /// Of one class in an episode with these delays.
    pub(super) fn of(
        track: &ClassTrack,
        episode: &Episode,
        delays: Option<&LatencyContrast>,
        settings: &Settings,
    ) -> Self {
        let to = episode.last_degraded;
        let window = (episode.start.max(to.plus(1 - i64::from(EVIDENCE_MIN))), to);
        let share = |test: Test| {
            let (trials, exceeding) = track.trials(test, window);
            exceeding as f64 / trials.max(1) as f64
        };
        let delays = delays.and_then(LatencyContrast::during_quantiles).zip(track.thresholds);
        let (p50, p95) = delays.map_or_else(Default::default, |((p50, p95), thresholds)| {
            let usual = thresholds.normal(track.maturity, settings);
            (Delay::of(p50, usual.p50_us), Delay::of(p95, usual.p95_us))
        });
        Self { p50, p95, false_positives: share(Test::FalsePositives), flagged: share(Test::Flagged) }
    }

    pub(super) fn worst(self, other: Self) -> Self {
        Self {
            p50: self.p50.worst(other.p50),
            p95: self.p95.worst(other.p95),
            false_positives: self.false_positives.max(other.false_positives),
            flagged: self.flagged.max(other.flagged),
        }
    }

    /// What is worse than this at the least.
    fn worsened(self) -> Self {
        let share = |share: f64| (share * WORSE_FLAGS).min(1.0);
        Self {
            p50: self.p50.worsened(),
            p95: self.p95.worsened(),
            false_positives: share(self.false_positives),
            flagged: share(self.flagged),
        }
    }

    /// Thresholds above which delays are worse than this.
    fn raised(self, usual: Thresholds, maturity: Maturity, settings: &Settings) -> Thresholds {
        let (Self { p50, p95, .. }, normal) = (self.worsened(), usual.normal(maturity, settings));
        Thresholds { p50_us: p50.most(usual.p50_us, normal.p50_us), p95_us: p95.most(usual.p95_us, normal.p95_us) }
    }

    /// Rates above which flags are worse than this.
    fn rates(self, usual: &Rates) -> Rates {
        let Self { false_positives, flagged, .. } = self.worsened();
        Rates {
            false_positives: usual.false_positives.max(false_positives),
            flagged: usual.flagged.map(|usual| usual.max(flagged)),
            flagged_dispersion: usual.flagged_dispersion,
        }
    }
}

impl KnownIllness {
    pub(super) fn is_in_force(&self) -> bool {
        self.since.is_some()
    }

    /// Whether it is known at that hour of the day, or at one beside it.
    pub(super) fn is_hour(&self, minute: Minute, settings: &Settings) -> bool {
        let hour = baseline::local_hour(minute, settings) % DAY_H;
        [DAY_H - 1, 0, 1].into_iter().any(|beside| self.hours & (1 << ((hour + beside) % DAY_H)) != 0)
    }

    /// Takes in what a class had in a minute, on time or late: `count` counts it against thresholds, of which `usual` are the
    /// device's own then.
    pub fn see(
        &mut self,
        (class, minute): (TrafficClass, Minute),
        histogram: &Histogram,
        (track, usual): (&ClassTrack, Option<Thresholds>),
        settings: &Settings,
        count: impl FnOnce(Option<Thresholds>) -> Counts,
    ) {
        if !self.is_in_force() {
            return;
        }
        let is_known = self.is_hour(minute, settings) || self.running.is_some_and(|start| minute >= start);
        let level = if is_known { self.levels[class.index()] } else { Level::default() };
        let counts = count(usual.map(|usual| level.raised(usual, track.maturity, settings)));
        let rates = level.rates(&track.rates(settings));
        let ring = &mut self.rings[class.index()];
        if !ring.add(minute, counts) {
            return;
        }
        for at in (0..=VERDICT_REACH).map(|later| minute.plus(later)) {
            let (verdict, _) = verdict::of_class(ring, at, &rates);
            if verdict == Verdict::Unknown {
                continue;
            }
            let mut said = self.worse.get(at);
            said.set(class, verdict);
            self.worse.set(at, said);
            if verdict == Verdict::Degraded {
                self.last_worse = self.last_worse.max(Some(at));
                let beyond = &mut self.beyond[class.index()];
                let beyond = beyond.get_or_insert_with(|| Box::new(LatencyContrast::new(minute, Histogram::new())));
                if at == minute {
                    beyond.add(at, histogram);
                }
            }
        }
    }

    /// Brings the second clock up to `last`; nothing up to `through` is declared again.
    pub(super) fn run_clock(&mut self, (from, last): (Minute, Minute), through: Minute, settings: &Settings) {
        let oldest = last.plus(1 - i64::from(HISTORY_MIN));
        self.last_worse = self.last_worse.filter(|worse| *worse >= oldest);
        if self.last_worse.is_none() {
            self.own = DeviceClock::default();
            return;
        }
        let found = streak::episodes(&self.worse, oldest.max(from), last, settings);
        self.own.episode = found.current;
        if found.current.is_none() {
            self.beyond = Default::default();
        }
        let news = found.ended_full.iter().rev().find(|ended| ended.last_degraded > through);
        self.own.past_full = news.copied().or(self.own.past_full);
    }

    /// The event is over: what it told counts from `last` on, at these hours, and the clock begins anew.
    pub(super) fn settle(&mut self, hours: u32, uncured: Option<Uncured>, last: Minute) {
        for (level, open_levels) in self.levels.iter_mut().zip(std::mem::take(&mut self.open_levels)) {
            *level = level.worst(open_levels);
        }
        let Self { levels, since, .. } = std::mem::take(self);
        *self = Self { levels, hours, uncured, since: since.or(Some(last)), ..Self::default() };
    }
}
