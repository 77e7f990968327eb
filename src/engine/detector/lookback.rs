//! Closed minutes, looked back on: those of one device, and of the whole fleet.

use std::ops::Range;

use crate::engine::device::{DeviceId, TrafficClass};
use crate::engine::effect::Verdict;
use crate::engine::evidence::{Counts, EVIDENCE_MIN};
use crate::engine::history::MinuteVerdicts;
use crate::engine::time::Minute;

use super::Engine;

/// The last hours of one device, as far as evidence reaches back. Both lists begin with the same minute.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceHistory {
    /// The first minute.
    pub from: Minute,
    pub verdicts: Vec<MinuteVerdicts>,
    /// Classes that the device has carried, in their order.
    pub classes: Vec<ClassHistory>,
}

/// One class of it.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassHistory {
    pub class: TrafficClass,
    /// The limits as they stand, see [`super::ClassMinute`]; those of the past are not kept.
    pub p95_limit_us: Option<u32>,
    pub false_positive_limit: f64,
    /// What was counted in each minute; empty counts where nothing was, or before anything was known of what is normal.
    pub minutes: Vec<Counts>,
}

/// How many devices were what in one minute.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    pub degraded: u32,
    /// Without data, of those that had any before.
    pub silent: u32,
    /// With data.
    pub reporting: u32,
}

impl Engine {
    /// The newest closed minute; `None` before the first tick.
    pub fn newest_closed(&self) -> Option<Minute> {
        self.closed_before.map(|before| before.plus(-1))
    }

    /// How many devices there are.
    pub fn device_count(&self) -> usize {
        self.devices.len()
    }

    /// The last eight hours of a device up to the newest closed minute; `None` for one that is not known, or before the first tick.
    pub fn history(&self, device: &DeviceId) -> Option<DeviceHistory> {
        let last = self.newest_closed()?;
        let id_of = |index: &u32| self.devices[*index as usize].device.id();
        let place = self.order.binary_search_by(|index| id_of(index).cmp(device)).ok()?;
        let state = &self.devices[self.order[place] as usize].state;
        let from = last.plus(1 - i64::from(EVIDENCE_MIN));
        let minutes = || (0..i64::from(EVIDENCE_MIN)).map(|offset| from.plus(offset));
        let classes = TrafficClass::ALL.into_iter().filter_map(|class| {
            let track = state.classes[class.index()].as_ref()?;
            Some(ClassHistory {
                class,
                p95_limit_us: track.thresholds_us().map(|(_, p95)| p95),
                false_positive_limit: track.rates(&self.settings).false_positives,
                minutes: minutes().map(|minute| track.ring.get(minute)).collect(),
            })
        });
        let verdicts = minutes().map(|minute| state.history.get(minute)).collect();
        Some(DeviceHistory { from, verdicts, classes: classes.collect() })
    }

    /// Adds the devices at these places to what is counted of `minutes`, which ascend. A part of the fleet at a time, so that nobody
    /// has to hold ticks off for all of it.
    pub fn tally(&self, places: Range<usize>, minutes: &[Minute], into: &mut [Tally]) {
        let places = places.start.min(self.devices.len())..places.end.min(self.devices.len());
        for tracked in &self.devices[places] {
            let state = &tracked.state;
            // One that has not been heard of since before the first of them is silent in all.
            let mut was_heard = state.last_data.is_some_and(|last| minutes.first().is_some_and(|first| last < *first));
            for (minute, tally) in minutes.iter().zip(&mut *into) {
                match state.history.get(*minute).worst() {
                    Verdict::Unknown => {
                        tally.silent += u32::from(was_heard);
                        continue;
                    }
                    Verdict::Degraded => tally.degraded += 1,
                    Verdict::Healthy | Verdict::Indeterminate => {}
                }
                tally.reporting += 1;
                was_heard = true;
            }
        }
    }
}
