//! How far above normal is too far.

use bincode::{Decode, Encode};

use super::{Maturity, Normal};
use crate::engine::settings::Settings;

/// Thresholds above which a sample counts as an exceedance, in microseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Thresholds {
    pub p50_us: u32,
    pub p95_us: u32,
}

/// Margin of a provisional baseline: one that has seen only a night does not know the day.
const PROVISIONAL_RATIO: f64 = 4.0;
/// Part of the ratio that is added to it for a baseline of one day, half of it for two, and so on: how much a level moves
/// from day to day is not known from one.
const YOUNG_MARGIN: f64 = 0.3;
const PROVISIONAL_DELTA: u32 = 3;

impl Thresholds {
    /// As [`Self::of`], with the wider margins of a normal that is only provisional or young.
    pub fn of_judged(normal: Option<(Normal, Maturity)>, settings: &Settings) -> Option<Self> {
        let margins =
            normal.map_or((settings.ratio, settings.delta_us), |(_, maturity)| margins_of(maturity, settings));
        Self::with_margins(normal.map(|(normal, _)| normal), margins, settings)
    }

    /// The normal that [`Self::of_judged`] made these of; a lower one where an objective lowered them.
    pub fn normal(self, maturity: Maturity, settings: &Settings) -> Normal {
        let (ratio, delta_us) = margins_of(maturity, settings);
        let of = |us: u32| (f64::from(us) / ratio).min(f64::from(us) - f64::from(delta_us)).max(1.0);
        Normal { p50_us: of(self.p50_us), p95_us: of(self.p95_us) }
    }

    /// `max(r b, b + delta)` of each quantile, lowered to the absolute objective where one is set.
    pub fn of(normal: Option<Normal>, settings: &Settings) -> Option<Self> {
        Self::with_margins(normal, (settings.ratio, settings.delta_us), settings)
    }

    fn with_margins(normal: Option<Normal>, (ratio, delta_us): (f64, u32), settings: &Settings) -> Option<Self> {
        let raise = |us: f64, objective: Option<u32>| {
            let raised = (us * ratio).max(us + f64::from(delta_us)).min(f64::from(u32::MAX)) as u32;
            objective.map_or(raised, |objective| raised.min(objective))
        };
        match (normal, settings.objective_p50_us, settings.objective_p95_us) {
            (Some(normal), p50, p95) => {
                Some(Self { p50_us: raise(normal.p50_us, p50), p95_us: raise(normal.p95_us, p95) })
            }
            (None, None, None) => None,
            (None, p50, p95) => Some(Self { p50_us: p50.unwrap_or(u32::MAX), p95_us: p95.unwrap_or(u32::MAX) }),
        }
    }
}

/// Ratio and least difference in microseconds by which a quantile has to exceed its normal.
fn margins_of(maturity: Maturity, settings: &Settings) -> (f64, u32) {
    match maturity {
        Maturity::Provisional => {
            (settings.ratio.max(PROVISIONAL_RATIO), settings.delta_us.saturating_mul(PROVISIONAL_DELTA))
        }
        Maturity::Learnt { days } => {
            (settings.ratio * (1.0 + YOUNG_MARGIN / f64::from(days.max(1))), settings.delta_us)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_normal_is_found_again_in_its_thresholds() {
        let settings = Settings::default();
        for maturity in [Maturity::Provisional, Maturity::Learnt { days: 1 }, Maturity::Learnt { days: 7 }] {
            for (p50_us, p95_us) in [(900.0, 4_000.0), (10_000.0, 60_000.0)] {
                let normal = Normal { p50_us, p95_us };
                let found =
                    Thresholds::of_judged(Some((normal, maturity)), &settings).unwrap().normal(maturity, &settings);
                let is_near = |found: f64, was: f64| (found - was).abs() <= 1.0;
                assert!(
                    is_near(found.p50_us, p50_us) && is_near(found.p95_us, p95_us),
                    "{maturity:?} {normal:?} {found:?}"
                );
            }
        }
    }
}
