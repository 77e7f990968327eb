//! What a healthy device does: who it is, how much traffic it has at each hour, and how long that takes.
//!
//! Everything is a pure function of (seed, device, instant), so any minute of any device can be had on its own.

use crate::engine::device::{DeviceId, Label, TrafficClass};
use crate::engine::time::Timestamp;

use super::random::{Stream, mix, normal_at, unit_at};
use super::series::Piece;

/// The traffic classes that the fleet uses.
pub const CLASSES: [TrafficClass; 4] = [TrafficClass::Https, TrafficClass::Http, TrafficClass::Dns, TrafficClass::Mail];

/// Flows in ten seconds of the busiest hour of a middling device, by class.
const FLOWS_PER_10_S: [f64; 4] = [180.0, 14.0, 150.0, 10.0];
/// Median added delay in microseconds of a middling model B200, by class: https is decrypted, mail is unpacked.
const MEDIAN_US: [f64; 4] = [3_200.0, 1_400.0, 500.0, 6_000.0];
/// Share of harmless probes that are flagged on an ordinary day.
pub const NATURAL_CANARY_SHARE: f64 = 0.002;
/// Share of harmless flows that are flagged outside bursts.
const FLAGGED_SHARE: f64 = 0.004;

/// Traffic by hour of the local day over that of the busiest hour; the night has 4 % of the day's.
const LOAD_BY_HOUR: [f64; 24] = [
    0.04, 0.04, 0.04, 0.04, 0.04, 0.05, 0.08, 0.20, 0.50, 0.85, 1.0, 1.0, 0.80, 0.95, 1.0, 1.0, 0.95, 0.75, 0.45, 0.30,
    0.20, 0.13, 0.08, 0.05,
];
/// Traffic of a Saturday or Sunday over a weekday's, never below the night's.
const WEEKEND_LOAD: f64 = 0.35;
const NIGHT_LOAD: f64 = 0.04;

const MODELS: [(&str, f64, f64); 3] = [("B100", 0.25, 1.30), ("B200", 0.50, 1.0), ("B300", 0.25, 0.75)];
const FIRMWARE: [(&str, f64); 3] = [("5.2.1", 0.6), ("5.2.0", 0.3), ("5.1.4", 0.1)];
const CITIES: [&str; 17] = [
    "sapporo",
    "sendai",
    "niigata",
    "saitama",
    "chiba",
    "tokyo",
    "yokohama",
    "shizuoka",
    "nagoya",
    "kyoto",
    "osaka",
    "kobe",
    "okayama",
    "hiroshima",
    "takamatsu",
    "fukuoka",
    "naha",
];

/// Length of a cell of burst noise: the interval of the pings that it was fitted to.
const BURST_CELL_MS: i64 = 240_000;
/// Share of cells in which a burst begins, and the chance that it goes on into the next.
const BURST_START: f64 = 0.004_5;
const BURST_GOES_ON: f64 = 0.25;
const HOUR_MS: i64 = 3_600_000;

/// Keys of the streams: what a random number is for.
mod purpose {
    pub(super) const PROFILE: u64 = 1;
    pub(super) const LEVEL: u64 = 2;
    pub(super) const BURST: u64 = 3;
    pub(super) const FLAGGED: u64 = 4;
    pub(super) const PEAK: u64 = 5;
    pub(super) const UPTIME: u64 = 202;
}

/// Who a device is and how it differs from the others.
#[derive(Clone, Debug)]
pub struct DeviceProfile {
    pub id: DeviceId,
    pub model: Label,
    pub branch: Label,
    pub customer: Label,
    pub firmware: Label,
    /// Median delay by class at no load, in microseconds.
    pub(crate) median_us: [f64; 4],
    /// Traffic over a middling device's.
    pub(crate) size: f64,
    /// Probes in ten seconds.
    pub(crate) canary_per_10_s: u32,
    /// A daily busy time of this height (0: none) around this local hour, this many hours wide.
    peak: Peak,
    /// Measured delays of https instead of the fitted ones; then there is no other class.
    pub(crate) measured: Option<Piece>,
    pub(crate) seed: u64,
}

/// A device's normal at an instant, by class.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usual {
    /// Median delay in microseconds, without any defect.
    pub(crate) median_us: [f64; 4],
    /// Mean flows of a report.
    pub(crate) mean_flows: [f64; 4],
    /// Share of harmless flows that are flagged.
    pub(crate) flagged_share: f64,
}

#[derive(Clone, Copy, Debug)]
struct Peak {
    height: f64,
    hour: f64,
    width: f64,
}

impl DeviceProfile {
    /// Device number `index` (from 0) of a fleet in so many branches.
    pub(crate) fn new(seed: u64, index: u32, branches: u32) -> Self {
        let seed = mix(seed, u64::from(index));
        let mut stream = Stream::new(seed, purpose::PROFILE);
        let (model, _, slowness) = *pick(&MODELS, |m| m.1, stream.unit());
        let (firmware, _) = *pick(&FIRMWARE, |f| f.1, stream.unit());
        let own = (0.2 * stream.normal()).exp() * slowness;
        let median_us = MEDIAN_US.map(|us| us * own * (0.1 * stream.normal()).exp());
        let size = (0.5 * stream.normal()).exp().clamp(0.3, 3.0);
        let has_peak = stream.unit() < 0.30;
        let height = if has_peak { stream.between(0.8, 2.5) } else { 0.0 };
        let peak = Peak { height, hour: stream.between(10.0, 20.0), width: stream.between(4.0, 8.0) };
        let canary_per_10_s = 2 + stream.below(3) as u32;
        Self {
            id: DeviceId::parse(&format!("B-{:04}", index + 1)).expect("a letter, a dash and digits are a device id"),
            model: model.into(),
            branch: branch_name(index % branches.max(1)).into(),
            customer: format!("C-{:05}", index / 10 * 9 + (index % 10).min(8) + 1).into(),
            firmware: firmware.into(),
            median_us,
            size,
            canary_per_10_s,
            peak,
            measured: None,
            seed,
        }
    }

    /// What is usual at a local instant, for a report of this period.
    pub(crate) fn usual(&self, local: Timestamp, period_ms: u32) -> Usual {
        let load = load(local);
        // All classes share load, the daily busy time, slow drift, and now and then a burst.
        let level = (1.0 + 0.15 * load) * self.peak_at(local) * self.drift(local) * self.burst(local);
        let flows = self.size * load * f64::from(period_ms) / 10_000.0;
        Usual {
            median_us: self.median_us.map(|us| us * level),
            mean_flows: FLOWS_PER_10_S.map(|per_10_s| per_10_s * flows),
            flagged_share: self.flagged_share(local),
        }
    }

    /// Uptime that passes in a unit of true time: quartz is wrong by some 20 ppm.
    pub(crate) fn uptime_rate(&self) -> f64 {
        1.0 + 20e-6 * normal_at(self.seed, purpose::UPTIME).clamp(-2.0, 2.0)
    }

    fn peak_at(&self, local: Timestamp) -> f64 {
        if self.peak.height == 0.0 {
            return 1.0;
        }
        let hour = local.as_ms().rem_euclid(24 * HOUR_MS) as f64 / HOUR_MS as f64;
        let day = local.as_ms().div_euclid(24 * HOUR_MS) as u64;
        let seed = mix(self.seed, purpose::PEAK);
        let distance = (hour - self.peak.hour - 0.3 * normal_at(seed, 2 * day)).abs();
        if distance * 2.0 >= self.peak.width {
            return 1.0;
        }
        let bump = f64::midpoint(1.0, (std::f64::consts::TAU * distance / self.peak.width).cos());
        1.0 + self.peak.height * bump * (0.1 * normal_at(seed, 2 * day + 1)).exp()
    }

    fn drift(&self, local: Timestamp) -> f64 {
        let hour = local.as_ms() / HOUR_MS;
        let within = (local.as_ms() - hour * HOUR_MS) as f64 / HOUR_MS as f64;
        let seed = mix(self.seed, purpose::LEVEL);
        let (here, next) = (normal_at(seed, hour as u64), normal_at(seed, hour as u64 + 1));
        1.0 + 0.03 * (here + (next - here) * within)
    }

    fn burst(&self, local: Timestamp) -> f64 {
        let seed = mix(self.seed, purpose::BURST);
        let cell = (local.as_ms() / BURST_CELL_MS) as u64;
        // A burst is at most four cells long here; a longer one has a chance of 0.4 %.
        for back in 0..4 {
            let start = cell.wrapping_sub(back);
            let draw = unit_at(seed, start);
            if draw < BURST_START {
                // The size is Pareto with the fitted exponent, cut at six.
                return (1.15 * (draw / BURST_START).max(1e-3).powf(-1.0 / 1.04)).min(6.0);
            }
            if unit_at(seed, start ^ (1 << 62)) >= BURST_GOES_ON {
                break;
            }
        }
        1.0
    }

    /// Share of harmless flows that are flagged: bursty, since a rule that misfires does so for minutes on end.
    fn flagged_share(&self, local: Timestamp) -> f64 {
        let seed = mix(self.seed, purpose::FLAGGED);
        let draw = unit_at(seed, (local.as_ms() / 600_000) as u64);
        if draw < 0.03 { FLAGGED_SHARE * (3.0 + 27.0 * draw / 0.03) } else { FLAGGED_SHARE }
    }
}

/// Traffic at a local instant over that of the busiest hour of a weekday.
pub(crate) fn load(local: Timestamp) -> f64 {
    let minute = local.minute();
    let within = f64::from(minute.0 % 60) / 60.0;
    let (here, next) = (LOAD_BY_HOUR[minute.hour()], LOAD_BY_HOUR[(minute.hour() + 1) % 24]);
    let weekday = here + (next - here) * within;
    if minute.is_weekend() { (weekday * WEEKEND_LOAD).max(NIGHT_LOAD) } else { weekday }
}

/// Name of branch number `index`: its city and its number there.
pub(crate) fn branch_name(index: u32) -> String {
    let cities = CITIES.len() as u32;
    format!("{}-{:02}", CITIES[(index % cities) as usize], index / cities + 1)
}

fn pick<T>(choices: &[T], weight: impl Fn(&T) -> f64, mut at: f64) -> &T {
    for choice in choices {
        at -= weight(choice);
        if at < 0.0 {
            return choice;
        }
    }
    &choices[choices.len() - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fleet() -> Vec<DeviceProfile> {
        (0..1_000).map(|index| DeviceProfile::new(7, index, 50)).collect()
    }

    #[test]
    fn fifty_branches_have_fifty_names() {
        let mut names: Vec<_> = fleet().iter().map(|device| device.branch.clone()).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 50);
    }

    #[test]
    fn the_night_has_four_percent_of_the_days_traffic() {
        let monday = 1_795_392_000_000; // 2026-11-23 00:00
        let (day, night) = (load(Timestamp::from_ms(monday + 10 * HOUR_MS)), load(Timestamp::from_ms(monday)));
        assert!((night / day - 0.04).abs() < 1e-9);
    }

    #[test]
    fn three_devices_in_ten_have_a_daily_busy_time_and_levels_are_steady_otherwise() {
        let fleet = fleet();
        let monday = 1_795_392_000_000;
        let busiest = |device: &DeviceProfile| {
            let levels = (0..24).map(|hour| device.peak_at(Timestamp::from_ms(monday + hour * HOUR_MS)));
            levels.fold(0.0, f64::max)
        };
        let peaks = fleet.iter().filter(|device| busiest(device) > 1.5).count();
        assert!((240..=360).contains(&peaks), "{peaks}");
    }

    #[test]
    fn bursts_are_as_frequent_and_as_short_as_the_fitted_ones() {
        let (mut cells, mut burst, mut followed) = (0, 0, 0);
        for device in fleet() {
            let mut before = false;
            for cell in 0..360 {
                let now = device.burst(Timestamp::from_ms(1_795_392_000_000 + cell * BURST_CELL_MS)) > 1.0;
                cells += 1;
                burst += u32::from(now);
                followed += u32::from(now && before);
                before = now;
            }
        }
        let share = f64::from(burst) / f64::from(cells);
        let goes_on = f64::from(followed) / f64::from(burst);
        assert!((0.005..0.007).contains(&share), "{share}");
        assert!((0.2..0.32).contains(&goes_on), "{goes_on}");
    }
}
