//! What a tick's look at the events works on.

use crate::engine::device::DeviceId;
use crate::engine::effect::Change;
use crate::engine::settings::Settings;
use crate::engine::time::{Minute, Timestamp};

use super::roster::Roster;

/// One look at all events: what they need to know of the fleet and of the time, and what has changed so far.
#[derive(Debug)]
pub(super) struct TickContext<'a> {
    pub(super) devices: Roster<'a>,
    /// Device indices in the order of their ids: what is printed must not depend on who reported first.
    pub(super) order: &'a [u32],
    pub(super) settings: &'a Settings,
    /// The newest minute that has closed.
    pub(super) last: Minute,
    pub(super) now: Timestamp,
    /// Whether that minute has closed in this tick; otherwise there is late data of minutes before.
    pub(super) moved: bool,
    pub(super) changes: Vec<Change>,
    /// Number of the group that each device is a member of now; 0: of none.
    pub(super) group_of: Vec<u32>,
}

impl TickContext<'_> {
    pub(super) fn ids(&self, members: impl IntoIterator<Item = u32>) -> Vec<DeviceId> {
        members.into_iter().map(|index| self.devices[index as usize].device.id().clone()).collect()
    }

    pub(super) fn is_free(&self, device: u32) -> bool {
        self.group_of[device as usize] == 0
    }

    /// How many devices outside groups are affected, and how many are affected or known to be good.
    pub(super) fn census(&self) -> (usize, usize) {
        let (mut affected, mut known) = (0, 0);
        for &device in self.order.iter().filter(|&&device| self.is_free(device)) {
            let tracked = &self.devices[device as usize];
            affected += usize::from(tracked.onset(self.last).is_some());
            known += usize::from(tracked.is_witness(self.last));
        }
        (affected, known)
    }
}
