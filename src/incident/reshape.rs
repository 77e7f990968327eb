//! One incident out of two, and two out of one. Each takes one act of a person, and a reason.

use std::collections::BTreeSet;

use super::aggregate::{Ended, Incident};
use super::decide::text;
use super::event::{Action, IncidentEvent};
use super::ladder::{Proof, Rung};
use super::log::Log;
use super::refusal::Refusal;
use super::state::Trigger;
use crate::engine::device::DeviceId;
use crate::engine::time::Timestamp;

impl Incident {
    /// The devices move into the incident of number `into`; this one ends. The other takes them by [`Incident::absorb_from`].
    ///
    /// # Errors
    /// When this one is closed, or no reason is given.
    pub fn merge_into(
        &self,
        into: &str,
        reason: &str,
        by: &str,
        now: Timestamp,
    ) -> Result<Vec<IncidentEvent>, Refusal> {
        text(reason, Refusal::Reason)?;
        if !self.is_open() {
            return Err(Refusal::Closed);
        }
        let mut log = Log::new(self, by, now);
        log.push(Action::Merged { into: into.to_owned(), reason: reason.to_owned() });
        log.trigger(Trigger::Ended);
        Ok(log.events)
    }

    /// Takes over the devices of `other`, with their whole way so far.
    ///
    /// # Errors
    /// When this one is closed, or no reason is given.
    pub fn absorb_from(
        &self,
        other: &Incident,
        reason: &str,
        by: &str,
        now: Timestamp,
    ) -> Result<Vec<IncidentEvent>, Refusal> {
        text(reason, Refusal::Reason)?;
        if !self.is_open() {
            return Err(Refusal::Closed);
        }
        // A fix that is not this incident's proves nothing here; telemetry judges anew.
        let same_fix = self.released_fix().is_some() && self.released_fix() == other.released_fix();
        let taken = |(device, rung): (&DeviceId, &Rung)| {
            let mut rung = rung.clone();
            if !same_fix && rung.proves(Proof::Fix) {
                rung.disprove(Proof::Fix, now);
            }
            (device.clone(), rung)
        };
        let devices = other.ladder.iter().map(taken).collect();
        let mut log = Log::new(self, by, now);
        log.push(Action::Absorbed {
            number: Some(other.number().to_owned()),
            event_ids: other.event_ids.iter().cloned().collect(),
            devices,
            reason: reason.to_owned(),
        });
        log.reopen();
        Ok(log.events)
    }

    /// Takes devices out into an incident of their own, whose opening is the second answer.
    ///
    /// # Errors
    /// When this one is closed, none or all of the devices are named, one is not part of it, or no reason is given.
    pub fn split(
        &self,
        devices: &[DeviceId],
        (number, event_id): (&str, &str),
        (reason, by): (&str, &str),
        now: Timestamp,
    ) -> Result<(Vec<IncidentEvent>, Vec<IncidentEvent>), Refusal> {
        text(reason, Refusal::Reason)?;
        if !self.is_open() {
            return Err(Refusal::Closed);
        }
        let devices: BTreeSet<&DeviceId> = devices.iter().collect();
        let mut rungs: Vec<(DeviceId, Rung)> = Vec::with_capacity(devices.len());
        for device in devices {
            let rung = self.ladder.get(device).ok_or_else(|| Refusal::NotADevice(device.clone()))?;
            rungs.push((device.clone(), rung.clone()));
        }
        if rungs.is_empty() {
            return Err(Refusal::NoDevice);
        }
        if rungs.len() == self.ladder.len() {
            return Err(Refusal::AllDevices);
        }
        let mut log = Log::new(self, by, now);
        let devices = rungs.iter().map(|(device, _)| device.clone()).collect();
        log.push(Action::SplitOff { number: number.to_owned(), devices, reason: reason.to_owned() });
        let mut opening = self.opening.clone();
        (opening.number, opening.event_id) = (number.to_owned(), event_id.to_owned());
        opening.follows = Some(self.number().to_owned());
        opening.scope = self.scope;
        opening.devices = Vec::new();
        let opened = IncidentEvent { at: now, by: by.to_owned(), action: Action::Opened(Box::new(opening)) };
        let taken = IncidentEvent {
            at: now,
            by: by.to_owned(),
            action: Action::Absorbed { number: None, event_ids: Vec::new(), devices: rungs, reason: reason.to_owned() },
        };
        Ok((log.events, vec![opened, taken]))
    }

    /// The number under which this incident goes on, when it is part of another one.
    pub fn merged_into(&self) -> Option<&str> {
        match &self.ended {
            Some(Ended::Merged { into }) => Some(into),
            _ => None,
        }
    }
}
