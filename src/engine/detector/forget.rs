//! Devices that leave: scrapped ones that a person forgets, and newcomers that never proved to be devices.
//!
//! All of it happens at instants that the journal gives (a tick, or an entry of its own), so a replay forgets the same devices at
//! the same time. Nobody leaves who is a member of an open event: the event's record and clock speak of it.

use std::collections::BTreeSet;

use bincode::{Decode, Encode};
use thiserror::Error;

use super::Engine;
use super::tracked::Tracked;
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
    #[error("it is part of {0}, which is open")]
    InEvent(String),
}

/// Sums of devices that are gone. Duplicates are counted beside it: how often something was sent again is no part of a state.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct Gone {
    pub reports: u64,
    pub late: u64,
    pub slots: u64,
}

impl Gone {
    fn add(&mut self, tracked: &Tracked) {
        self.reports += tracked.device.reports();
        self.late += tracked.device.late();
        self.slots += tracked.state.slots;
    }
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

    /// Forgets devices and everything that was learnt of them; those that may not be forgotten stay, and are returned with the
    /// reason. Should one report again, it is a new one. While nothing is recorded.
    pub fn forget(&mut self, devices: &[DeviceId]) -> Vec<(DeviceId, Kept)> {
        self.adopt_new_devices();
        let (mut gone, mut kept) = (BTreeSet::new(), Vec::new());
        for device in devices {
            match (self.may_forget(device.as_str()), self.fleet.get(device.as_str())) {
                (Ok(()), Some(known)) => drop(gone.insert(known.index() as u32)),
                (Ok(()), None) => kept.push((device.clone(), Kept::Unknown)),
                (Err(why), _) => kept.push((device.clone(), why)),
            }
        }
        if !gone.is_empty() {
            self.remove(&gone);
        }
        kept
    }

    /// Newcomers that may leave to make places, at most `most`, who has proved least first.
    pub fn crowd(&self, most: usize) -> Vec<DeviceId> {
        let members = self.members();
        self.fleet.crowd(most, |index| !members.contains(&index))
    }

    /// Whether a state is being taken, which would be lost if somebody were forgotten now.
    pub fn is_cutting(&self) -> bool {
        self.cut.is_some()
    }

    /// The devices that have been forgotten since the last tick began.
    pub fn forgotten(&self) -> &[DeviceId] {
        &self.forgotten
    }

    /// Forgets newcomers that have been silent for too long.
    pub(super) fn let_silent_go(&mut self, now: Timestamp) {
        let members = self.members();
        let silent = self.fleet.silent(now, |index| !members.contains(&index));
        if !silent.is_empty() {
            self.adopt_new_devices();
            self.remove(&silent);
        }
    }

    /// Members of open events, those who left among them.
    fn members(&self) -> BTreeSet<u32> {
        self.events.open.iter().flat_map(|event| event.members.keys().copied()).collect()
    }

    /// Takes devices out and gives the others their new places everywhere. A cut that is being taken knows the old places, so it is
    /// given up.
    fn remove(&mut self, gone: &BTreeSet<u32>) {
        self.end_cut();
        for tracked in gone.iter().filter_map(|&index| self.devices.get(index as usize)) {
            self.forgotten.push(tracked.device.id().clone());
            self.gone.add(tracked);
            self.gone_duplicates += tracked.device.duplicates();
        }
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
