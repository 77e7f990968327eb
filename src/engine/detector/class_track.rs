//! What is known of one traffic class of one device: its evidence, what is usual for it, and the delays of its running episode.

use bincode::{Decode, Encode};

use crate::engine::baseline::{self, Baseline, Maturity, Thresholds};
use crate::engine::effect::Verdict;
use crate::engine::evidence::{EVIDENCE_MIN, EvidenceRing};
use crate::engine::histogram::Histogram;
use crate::engine::settings::Settings;
use crate::engine::time::Minute;
use crate::engine::verdict::{Rates, Test};

use super::contrast::LatencyContrast;

/// A share of flagged flows is suspicious only from this multiple of the usual one on: alerts are bursty.
const FLAGGED_RATIO: f64 = 2.0;
/// A minute's verdict depends on the four before it: late data are judged again that far.
pub const VERDICT_REACH: i64 = 4;

/// One class of one device.
#[derive(Debug, Default, Encode, Decode)]
pub struct ClassTrack {
    pub ring: EvidenceRing,
    pub(super) baseline: Baseline,
    pub thresholds: Option<Thresholds>,
    pub maturity: Maturity,
    /// Local hour the thresholds are for, in hours since the epoch.
    pub(super) hour: u32,
    /// Latency before and in the episode in which this class is degraded.
    pub contrast: Option<Box<LatencyContrast>>,
}

impl ClassTrack {
    /// The natural rates that its counts are judged against.
    pub fn rates(&self, settings: &Settings) -> Rates {
        Rates {
            false_positives: settings.false_positive_floor.max(settings.ratio * self.baseline.false_positives()),
            flagged: self
                .baseline
                .flagged()
                .map(|usual| settings.false_positive_floor.max(FLAGGED_RATIO.max(settings.ratio) * usual)),
            flagged_dispersion: self.baseline.flagged_dispersion(),
        }
    }

    /// The device's own normal at `minute`, for its group.
    pub fn own_normal(&self, minute: Minute, settings: &Settings) -> Option<baseline::Normal> {
        self.baseline.own(minute, settings).map(|(normal, _)| normal)
    }

    /// The thresholds in force for the median and the 95th percentile, in microseconds.
    pub fn thresholds_us(&self) -> Option<(u32, u32)> {
        self.thresholds.map(|thresholds| (thresholds.p50_us, thresholds.p95_us))
    }

    /// Trials and exceedances of a test in the minutes `from ..= to`.
    pub fn trials(&self, test: Test, (from, to): (Minute, Minute)) -> (u64, u64) {
        let width = (to.since(from) + 1).clamp(0, i64::from(EVIDENCE_MIN)) as u32;
        test.of(&self.ring.window(to, width))
    }

    /// Its last hour over what is usual then, in medians.
    pub fn moved(&self, last: Minute, settings: &Settings) -> Option<f64> {
        self.baseline.moved(last, settings)
    }

    /// As [`Self::trials`], for a device that has nobody to be compared with: delays of the running episode exceed where they lie
    /// by the same margins above the highest that is usual within an hour of that time of day, moved by the `drift` of the fleet.
    pub fn lone_trials(&self, test: Test, window: (Minute, Minute), drift: f64, settings: &Settings) -> (u64, u64) {
        let highest = self.baseline.highest(window, settings).map(|highest| (highest.times(drift), self.maturity));
        let thresholds = Thresholds::of_judged(highest, settings).filter(|_| highest.is_some());
        match (thresholds.zip(self.contrast.as_ref()), test) {
            (Some((thresholds, contrast)), Test::P50) => contrast.during_above(thresholds.p50_us),
            (Some((thresholds, contrast)), Test::P95) => contrast.during_above(thresholds.p95_us),
            _ => self.trials(test, window),
        }
    }

    /// Keeps the latencies of an episode, from its first degraded minute on.
    pub(super) fn follow(&mut self, minute: Minute, histogram: &Histogram, verdict: Verdict) {
        if verdict == Verdict::Degraded && self.contrast.is_none() {
            self.contrast = Some(Box::new(LatencyContrast::new(minute, self.baseline.recent())));
        }
        if let Some(contrast) = &mut self.contrast {
            contrast.add(minute, histogram);
        }
    }
}
