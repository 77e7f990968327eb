//! What may be set about the detector. The defaults are the company's rule and the measured floor of the method.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::time::Minute;
use super::zone::Zone;

/// Shortest continuous degradation that may be set to make a major incident, in minutes: the window by which it is seen who is
/// affected. With less, devices would be declared one by one before it can be seen that they have something in common: of 60
/// devices, the settings from 9 to 12 min did so, those from 15 min on never.
pub const LEAST_HOLD_MIN: u32 = 20;

/// Settings of the detector. Minutes where nothing else is said.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, Encode, Decode)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Continuous degradation that makes a major incident, in minutes.
    pub hold_min: u32,
    /// After its end a minute stays open this long for reports on their way, in milliseconds.
    pub grace_ms: i64,
    /// A degraded quantile is at least this many times its baseline ...
    pub ratio: f64,
    /// ... and at least this much above it, in microseconds.
    pub delta_us: u32,
    /// Minutes east of UTC of the fleet's time of day, for a baseline by hour and weekday, where there is no summer time; Japan by
    /// default. A time zone goes before it.
    pub utc_offset_min: i32,
    /// IANA name of the fleet's time zone; none by default.
    pub time_zone: Option<String>,
    /// The law of that zone, which whoever reads the settings looks up; without it the offset holds.
    #[serde(skip)]
    pub zone: Zone,
    /// Absolute objective for the median in microseconds, beside the baseline; none by default.
    pub objective_p50_us: Option<u32>,
    /// Absolute objective for the 95th percentile in microseconds, beside the baseline; none by default.
    pub objective_p95_us: Option<u32>,
    /// False-positive ratio that is tolerated whatever the baseline says.
    pub false_positive_floor: f64,
    /// Consecutive healthy minutes that end a streak.
    pub recover_min: u32,
    /// Longest gap without knowledge that a streak bridges.
    pub max_gap_min: u32,
    /// Quiet minutes with data after which a recovered incident is resolved.
    pub clear_min: u32,
    /// Devices that make an event of fleet scope without a shared cause.
    pub fleet_scope_min_devices: u32,
    /// Marks of the one-hour clock at which a group is warned of.
    pub warn_group_min: Vec<u32>,
    /// Marks of the one-hour clock at which a lone device is warned of.
    pub warn_device_min: Vec<u32>,
    /// Most devices that may register themselves when there is no list of expected ones.
    pub max_devices: u32,
    /// Whether only devices of the expected list are accepted.
    pub expected_only: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            hold_min: 60,
            grace_ms: 90_000,
            ratio: 1.3,
            delta_us: 3_000,
            utc_offset_min: 540,
            time_zone: None,
            zone: Zone::default(),
            objective_p50_us: None,
            objective_p95_us: None,
            false_positive_floor: 0.01,
            recover_min: 5,
            max_gap_min: 10,
            clear_min: 60,
            fleet_scope_min_devices: 3,
            warn_group_min: vec![15, 30, 45, 55],
            warn_device_min: vec![30, 45, 55],
            max_devices: 10_000,
            expected_only: false,
        }
    }
}

impl Settings {
    /// Minutes east of UTC of the fleet's time of day at `minute`.
    pub fn offset_min(&self, minute: Minute) -> i32 {
        self.zone.offset_min(minute).unwrap_or(self.utc_offset_min)
    }
}
