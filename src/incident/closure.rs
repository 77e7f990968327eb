//! What still stands between an incident and its end. Computed, never claimed.
//!
//! Every device has to be done or signed off. One is done when it has the fix, no workaround left, and was quiet with data for the
//! whole clear period after the last thing that was done to it; that is proved once, device by device, and lost by a relapse. At the
//! moment of the end itself, each device that is done has to be known and not to suffer. It need not have been quiet for
//! the hour before: of the devices of a healthy fleet 13 % have had some degraded minute in the last hour, so that of a
//! thousand some always have (simulated fleet on the fitted background, 1,200 looks: 4 found a streak of 5 minutes, none one of 15).
//!
//! A device that was signed off is not asked for anything, not even while the detector counts it as affected: somebody has
//! answered for that by name, and what is taken out of service may leave its event open for good. Any other device that comes to
//! be affected reopens the incident.

use serde::Serialize;

use super::aggregate::Incident;
use super::ladder::Step;
use super::observe::Observation;
use crate::engine::device::DeviceId;

/// Shortest streak that is taken to be more than chance, in minutes.
const STREAK_MIN: u32 = 15;

/// Most devices that are named for one obstacle.
const NAMED: usize = 20;

/// Why an incident is not resolved. Devices are named up to a limit; counts are whole.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Obstacles {
    /// Neither done nor signed off, with how far they have come.
    pub open: u32,
    pub open_devices: Vec<(DeviceId, Step)>,
    /// Done, and affected by an event of the detector once more.
    pub degraded: u32,
    pub degraded_devices: Vec<DeviceId>,
    /// Done, and nothing is known of them lately.
    pub unknown: u32,
    pub unknown_devices: Vec<DeviceId>,
    /// Done, and in a streak that is too long for chance and no event yet.
    pub unquiet: u32,
    /// The fleet has not been looked at: nothing can be said.
    pub unseen: bool,
}

impl Obstacles {
    /// What stands in the way of `incident`; without an observation, nothing can be known and that itself is in the way.
    pub fn of(incident: &Incident, seen: Option<&Observation<'_>>) -> Self {
        let mut found = Self { unseen: seen.is_none(), ..Self::default() };
        for (device, rung) in incident.ladder.iter().filter(|(_, rung)| rung.exception.is_none()) {
            if !rung.is_done() {
                found.open += 1;
                name(&mut found.open_devices, (device.clone(), rung.step()));
                continue;
            }
            let Some(seen) = seen else { continue };
            match seen.devices.get(device) {
                Some(seen) if seen.affected => {
                    found.degraded += 1;
                    name(&mut found.degraded_devices, device.clone());
                }
                Some(seen) if seen.is_known => found.unquiet += u32::from(seen.streak_min >= STREAK_MIN),
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

impl Incident {
    /// What stands between this incident and its end.
    pub fn obstacles(&self, seen: Option<&Observation<'_>>) -> Obstacles {
        Obstacles::of(self, seen)
    }
}

impl std::fmt::Display for Obstacles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.unseen {
            return f.write_str("the fleet cannot be seen right now");
        }
        let parts = [
            (self.open, "neither done nor signed off"),
            (self.degraded, "affected again"),
            (self.unknown, "without data"),
            (self.unquiet, "degraded for a while"),
        ];
        let mut first = true;
        for (count, what) in parts.into_iter().filter(|(count, _)| *count > 0) {
            let separator = if std::mem::take(&mut first) { "" } else { ", " };
            write!(f, "{separator}{count} {} {what}", if count == 1 { "device" } else { "devices" })?;
        }
        Ok(())
    }
}
