//! How far the delays of the whole fleet have moved from what is usual: what happens to everybody is not one device's own.
//!
//! On a day on which every device is a quarter slower, a device that is half slower has come only a fifth away from the others.
//! The rule is held against the day for fleet events, whose members are compared with each other anyway; a lone device is held
//! against the fleet as it is now. It is the comparison with a control group of FUNNEL (Zhang et al., CoNEXT 2015) again.

use crate::engine::device::TrafficClass;
use crate::engine::settings::Settings;
use crate::engine::time::Minute;

use super::tracked::Tracked;

/// Devices that are asked: enough for a median, few enough for any tick.
const ASKED: usize = 256;
/// Fewest devices whose median speaks for the fleet.
const LEAST_ASKED: usize = 8;

/// By class, the last hour's median delay over the usual one, of the device in the middle. At least 1, and at most the ratio from
/// which on a delay is degraded: beyond it the fleet has an event.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct FleetDrift([f64; TrafficClass::COUNT]);

impl FleetDrift {
    /// Nothing has moved.
    pub const NONE: Self = Self([1.0; TrafficClass::COUNT]);

    /// As the devices of no event show it in the hour before `last`; `free` are those, in the order of their ids.
    pub fn of(free: &[&Tracked], last: Minute, settings: &Settings) -> Self {
        let step = free.len().div_ceil(ASKED).max(1);
        let asked = || free.iter().step_by(step);
        Self(TrafficClass::ALL.map(|class| {
            let moved = |tracked: &&Tracked| tracked.state.classes[class.index()].as_ref()?.moved(last, settings);
            let mut moved: Vec<f64> = asked().filter_map(moved).collect();
            if moved.len() < LEAST_ASKED {
                return 1.0;
            }
            let middle = moved.len() / 2;
            let (_, median, _) = moved.select_nth_unstable_by(middle, f64::total_cmp);
            median.clamp(1.0, settings.ratio.max(1.0))
        }))
    }

    /// What the usual delays of this class are to be multiplied by.
    pub fn of_class(&self, class: TrafficClass) -> f64 {
        self.0[class.index()]
    }
}
