//! What is normal for each model and branch, hour by hour.
//!
//! Once an hour every device would have to be asked for its own normal in the very tick that also turns its baseline. So
//! the groups of the next hour are made in the minutes before it, one class a minute. A device learns at the begin of its hour,
//! so what it says of the next one is settled by then; what late data teach it meanwhile counts an hour later.

use bincode::{Decode, Encode};

use crate::engine::baseline::GroupNormals;
use crate::engine::device::TrafficClass;
use crate::engine::settings::Settings;
use crate::engine::time::Minute;

use super::tracked::Tracked;

const HOUR_MIN: u32 = 60;

/// The normals of one hour, by class, as far as they have been made.
type Hour = [Option<GroupNormals>; TrafficClass::COUNT];

/// The groups of the running hour, and those of the next one on their way.
///
/// They stand in the state: made anew after a restart, they would know what the devices have learnt since the hour began.
#[derive(Clone, Debug, Default, Encode, Decode)]
pub struct Groups {
    hour: u32,
    now: [GroupNormals; TrafficClass::COUNT],
    /// For the hour after `hour`.
    next: Hour,
}

impl Groups {
    /// The groups of the hour of the newest minute.
    pub fn now(&self) -> &[GroupNormals; TrafficClass::COUNT] {
        &self.now
    }

    /// Follows the time to `minute`, the newest one that is closed.
    pub fn turn(&mut self, minute: Minute, devices: &[Tracked], settings: &Settings) {
        let hour = minute.0 / HOUR_MIN;
        if hour != self.hour {
            let follows = self.hour.checked_add(1) == Some(hour);
            let mut next = std::mem::take(&mut self.next);
            self.now = TrafficClass::ALL.map(|class| {
                let ready = next[class.index()].take().filter(|_| follows);
                ready.unwrap_or_else(|| made(class, minute, devices, settings))
            });
            self.hour = hour;
        }
        let left = HOUR_MIN - minute.0 % HOUR_MIN;
        if let Some(&class) = TrafficClass::ALL.get(left as usize - 1) {
            self.next[class.index()] = Some(made(class, minute.plus(left.into()), devices, settings));
        }
    }
}

/// The groups of `class` at `minute`, from what the devices have learnt.
fn made(class: TrafficClass, minute: Minute, devices: &[Tracked], settings: &Settings) -> GroupNormals {
    let mut groups = GroupNormals::default();
    for tracked in devices {
        let state = &tracked.state;
        let own = state.classes[class.index()].as_ref().and_then(|track| track.own_normal(minute, settings));
        if let Some(normal) = own {
            groups.add(state.facts.model.as_ref(), state.facts.branch.as_ref(), normal);
        }
    }
    groups.settle();
    groups
}
