//! Events being added to an incident, and what follows from each of them.

use super::aggregate::Incident;
use super::closure::Obstacles;
use super::event::{Action, IncidentEvent};
use super::ladder::Rung;
use super::milestone::Milestone;
use super::observe::Observation;
use super::state::{State, Trigger};
use crate::engine::device::DeviceId;
use crate::engine::time::Timestamp;

/// Events being added to an incident, each applied so that the next sees it.
pub(super) struct Log<'a> {
    before: &'a Incident,
    /// `None` until something happens: most looks at a fleet find nothing new, and an incident of a thousand devices is not copied for
    /// that.
    changed: Option<Incident>,
    by: String,
    now: Timestamp,
    pub events: Vec<IncidentEvent>,
}

impl<'a> Log<'a> {
    pub fn new(incident: &'a Incident, by: &str, now: Timestamp) -> Self {
        Self { before: incident, changed: None, by: by.to_owned(), now, events: Vec::new() }
    }

    /// The incident after the events so far.
    pub fn incident(&self) -> &Incident {
        self.changed.as_ref().unwrap_or(self.before)
    }

    pub fn push(&mut self, action: Action) {
        let event = IncidentEvent { at: self.now, by: self.by.clone(), action };
        self.changed.get_or_insert_with(|| self.before.clone()).apply(&event);
        self.events.push(event);
    }

    /// Moves the incident, if the trigger does, and writes the milestone that goes with it. Says nothing twice.
    pub fn trigger(&mut self, trigger: Trigger) {
        let (from, remedied) = (self.incident().state, self.incident().remedied());
        let Some(to) = from.after(trigger, remedied) else { return };
        // After the resolution, what belongs to the way there is no milestone of it any more.
        let is_timely = |milestone| from.is_active() || milestone > Milestone::Resolved;
        if let Some(milestone) = trigger.milestone().filter(|milestone| is_timely(*milestone))
            && (self.incident().milestones.get(milestone).is_none() || is_again(self.incident(), milestone))
        {
            self.push(Action::Timed { milestone, instant: self.now, reason: None });
        }
        if to != from {
            self.push(Action::Moved { from, to });
        }
    }

    pub fn relapse(&mut self, devices: &[DeviceId]) {
        if !devices.is_empty() {
            self.push(Action::Relapsed { devices: devices.to_vec() });
        }
    }

    /// What follows from the facts, whoever brought them: reopened, mustered, mitigated, resolved. `seen` is needed for the last.
    pub fn follow(&mut self, seen: Option<&Observation<'_>>) {
        self.reopen();
        if !self.incident().state.is_active() {
            return;
        }
        if self.incident().milestones.get(Milestone::Mustered).is_none() && self.incident().muster.is_complete() {
            self.trigger(Trigger::Mustered);
        }
        if self.incident().is_mitigated() {
            self.trigger(Trigger::Mitigated);
        }
        if let Some(seen) = seen
            && !self.incident().ladder.is_empty()
            && Obstacles::of(self.incident(), Some(seen)).is_empty()
        {
            self.trigger(Trigger::Resolved);
        }
    }

    /// What is resolved and has devices that need something done is not resolved; what was mitigated and has affected devices is
    /// not mitigated. A customer who is only owed a word keeps the incident from its close, but does not reopen it.
    pub fn reopen(&mut self) {
        let incident = self.incident();
        let back = match incident.state {
            State::Resolved | State::Reviewed => incident.needy(|rung| !rung.is_remedied()),
            State::PendingPermanentFix => incident.needy(|rung| rung.affected),
            _ => return,
        };
        if back.is_empty() {
            return;
        }
        if !incident.state.is_active() {
            self.push(Action::Reopened { devices: back });
        }
        self.trigger(Trigger::Reopened);
    }
}

/// Whether the milestone, reached before and lost, is reached again: only the quality comes and goes within one life.
fn is_again(incident: &Incident, milestone: Milestone) -> bool {
    milestone == Milestone::Mitigated && !incident.way.is_back()
}

impl Incident {
    /// Devices that nobody has signed off and of which `is` holds.
    fn needy(&self, is: impl Fn(&Rung) -> bool) -> Vec<DeviceId> {
        let needy = self.ladder.iter().filter(|(_, rung)| rung.exception.is_none() && is(rung));
        needy.map(|(device, _)| device.clone()).collect()
    }
}
