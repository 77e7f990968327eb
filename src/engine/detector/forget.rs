//! Devices that leave: scrapped ones that a person forgets, and newcomers that never proved to be devices.
//!
//! Both happen at instants that the journal gives (a tick, or an entry of its own), so a replay forgets the same devices at the
//! same time. Nobody leaves who is a member of an open event: the event's record and clock speak of it.

use std::collections::BTreeSet;

use thiserror::Error;

use super::Engine;
use crate::engine::device::DeviceId;
use crate::engine::time::Timestamp;

/// Why a device is not forgotten.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum Kept {
    /// Nobody knows it.
    #[error("no device of this name is known")]
    Unknown,
    /// It would be there again with the next start.
    #[error("it is on the list of expected devices (devices.expected): take it off the list and restart first")]
    Expected,
    /// It is part of an event that is open.
    #[error("it is part of the event {0}, which is open")]
    InEvent(String),
}

impl Engine {
    /// Whether the device may be forgotten.
    ///
    /// # Errors
    /// Why not.
    pub fn may_forget(&self, device: &str) -> Result<(), Kept> {
        let known = self.fleet.get(device).ok_or(Kept::Unknown)?;
        if known.is_expected() {
            return Err(Kept::Expected);
        }
        let index = known.index() as u32;
        match self.events.open.iter().find(|event| event.members.contains_key(&index)) {
            Some(event) => Err(Kept::InEvent(event.incident_id().unwrap_or_else(|| event.id()))),
            None => Ok(()),
        }
    }

    /// Forgets a device and everything that was learnt of it; one that may not be forgotten stays. Should it report again, it is a
    /// new one. While nothing is recorded.
    ///
    /// # Errors
    /// Why it stays.
    pub fn forget(&mut self, device: &str) -> Result<(), Kept> {
        self.may_forget(device)?;
        self.adopt_new_devices();
        let known = self.fleet.get(device).ok_or(Kept::Unknown)?;
        self.remove(&BTreeSet::from([known.index() as u32]));
        Ok(())
    }

    /// The devices that the last tick has forgotten, sorted.
    pub fn forgotten(&self) -> &[DeviceId] {
        &self.forgotten
    }

    /// Lets newcomers go whose time is over, or whose place is needed.
    pub(super) fn let_newcomers_go(&mut self, now: Timestamp, moved: bool) {
        self.forgotten.clear();
        if !moved && !self.fleet.is_crowded() {
            return;
        }
        let members: BTreeSet<u32> = self.events.open.iter().flat_map(|event| event.members.keys().copied()).collect();
        let leaving = self.fleet.crowd(now, |index| !members.contains(&index));
        if !leaving.is_empty() {
            self.adopt_new_devices();
            let ids = leaving.iter().filter_map(|&index| self.devices.get(index as usize));
            self.forgotten = ids.map(|tracked| tracked.device.id().clone()).collect();
            self.forgotten.sort();
            self.remove(&leaving);
        }
    }

    /// Takes devices out and gives the others their new places everywhere.
    fn remove(&mut self, gone: &BTreeSet<u32>) {
        let moved = self.fleet.forget(gone);
        let place = |index: u32| moved.get(index as usize).copied().flatten();
        let mut index = 0;
        self.devices.retain(|_| {
            index += 1;
            place(index - 1).is_some()
        });
        self.pending = self.pending.iter().filter_map(|&index| place(index)).collect();
        for event in &mut self.events.open {
            let members = std::mem::take(&mut event.members);
            event.members = members.into_iter().filter_map(|(index, member)| Some((place(index)?, member))).collect();
        }
        self.sort_order();
    }
}

#[cfg(test)]
mod tests;
