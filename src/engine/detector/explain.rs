//! How one minute of a device was judged, class by class: for whoever asks why.

use crate::engine::device::{DeviceId, TrafficClass};
use crate::engine::effect::Verdict;
use crate::engine::evidence::Counts;
use crate::engine::time::Minute;

use super::Engine;

/// One class in one minute: what was counted, against what, and what followed.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ClassMinute {
    pub class: TrafficClass,
    pub verdict: Verdict,
    pub counts: Counts,
    /// Thresholds of the median and the 95th percentile as they stand, in microseconds; `None` while nothing is known of the
    /// device's normal.
    pub thresholds_us: Option<(u32, u32)>,
    /// Share of wrongly flagged probes above which the class is degraded.
    pub false_positive_limit: f64,
}

impl Engine {
    /// The classes of a device that have data in `minute`. Counts reach back eight hours; thresholds are those of the newest
    /// closed minute, so that an exact answer is one that is asked for as soon as the minute has closed.
    pub fn explain(&self, device: &DeviceId, minute: Minute) -> Vec<ClassMinute> {
        let id_of = |index: &u32| self.devices[*index as usize].device.id();
        let Ok(place) = self.order.binary_search_by(|index| id_of(index).cmp(device)) else { return Vec::new() };
        let state = &self.devices[self.order[place] as usize].state;
        let said = state.history.get(minute);
        let of = |class: TrafficClass| {
            let track = state.classes[class.index()].as_ref()?;
            let verdict = said.of(class);
            (verdict != Verdict::Unknown).then(|| ClassMinute {
                class,
                verdict,
                counts: track.ring.get(minute),
                thresholds_us: track.thresholds_us(),
                false_positive_limit: track.rates(&self.settings).false_positives,
            })
        };
        TrafficClass::ALL.into_iter().filter_map(of).collect()
    }
}
