//! What still stands between an incident and its end. Computed, never claimed.

use serde::Serialize;

use super::LifeSettings;
use super::case::Case;
use super::ladder::Step;
use super::observe::Observation;
use crate::engine::device::DeviceId;
use crate::engine::effect::Verdict;

/// Most devices that are named for one obstacle.
const NAMED: usize = 20;

/// Why an incident is not resolved. Devices are named up to a limit; counts are whole.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Obstacles {
    /// Neither done nor signed off, with how far they have come.
    pub open: u32,
    pub open_devices: Vec<(DeviceId, Step)>,
    /// Done, and degraded or in an event of the detector once more.
    pub degraded: u32,
    pub degraded_devices: Vec<DeviceId>,
    /// Done, and nothing is known of them lately.
    pub unknown: u32,
    pub unknown_devices: Vec<DeviceId>,
    /// Done, and not quiet with data for the clear period.
    pub unquiet: u32,
    /// The fleet has not been looked at: nothing can be said.
    pub unseen: bool,
}

impl Obstacles {
    /// What stands in the way of `case`; without an observation, nothing can be known and that itself is in the way.
    pub fn of(case: &Case, seen: Option<&Observation<'_>>, settings: &LifeSettings) -> Self {
        let mut found = Self { unseen: seen.is_none(), ..Self::default() };
        for (device, rung) in case.ladder.iter() {
            if !rung.is_settled() {
                found.open += 1;
                name(&mut found.open_devices, (device.clone(), rung.step()));
                continue;
            }
            // Signed off: whatever it sends or does not send was answered for by a person. If it degrades in an event again,
            // the exception falls and the device is open once more.
            if !rung.is_done() {
                continue;
            }
            let Some(seen) = seen else { continue };
            match seen.sightings.get(device) {
                Some(sighting) if sighting.verdict == Verdict::Degraded || sighting.in_event => {
                    found.degraded += 1;
                    name(&mut found.degraded_devices, device.clone());
                }
                Some(sighting) if sighting.is_known => {
                    found.unquiet += u32::from(sighting.quiet_min < settings.clear_min)
                }
                _ => {
                    found.unknown += 1;
                    name(&mut found.unknown_devices, device.clone());
                }
            }
        }
        found
    }

    /// Whether nothing is in the way.
    pub fn is_empty(&self) -> bool {
        !self.unseen && self.open == 0 && self.degraded == 0 && self.unknown == 0 && self.unquiet == 0
    }
}

fn name<T>(list: &mut Vec<T>, item: T) {
    if list.len() < NAMED {
        list.push(item);
    }
}

impl Case {
    /// What stands between this incident and its end.
    pub fn obstacles(&self, seen: Option<&Observation<'_>>, settings: &LifeSettings) -> Obstacles {
        Obstacles::of(self, seen, settings)
    }
}

impl std::fmt::Display for Obstacles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.unseen {
            return f.write_str("the fleet cannot be seen right now");
        }
        let parts = [
            (self.open, "neither done nor signed off"),
            (self.degraded, "degraded again"),
            (self.unknown, "without data"),
            (self.unquiet, "not quiet for the clear period yet"),
        ];
        let mut first = true;
        for (count, what) in parts.into_iter().filter(|(count, _)| *count > 0) {
            let separator = if std::mem::take(&mut first) { "" } else { ", " };
            write!(f, "{separator}{count} {} {what}", if count == 1 { "device" } else { "devices" })?;
        }
        Ok(())
    }
}
