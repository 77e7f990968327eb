//! The incident: what is known of one incident, made from its events alone.

use std::collections::{BTreeMap, BTreeSet};
use std::slice::from_ref;

use serde::{Deserialize, Serialize};

use super::countermeasure::{Countermeasures, Fix};
use super::event::{Action, IncidentEvent, Joining, Opening};
use super::ladder::{Claim, Ladder, Rung, Stamp, Step};
use super::milestone::{Milestone, Milestones};
use super::muster::Muster;
use super::state::State;
use super::way::Way;
use crate::engine::device::DeviceId;
use crate::engine::effect::{Cause, Scope};
use crate::engine::time::Timestamp;

/// Why an incident is over without having been resolved.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// It was no major incident.
    Demoted { reason: String },
    /// It is part of the incident of this number.
    Merged { into: String },
}

/// One incident. Made by [`Incident::open`] from its first event, and changed by [`Incident::apply`].
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Incident {
    /// How it began.
    pub opening: Opening,
    /// Events applied so far: the version that an append has to expect.
    pub version: u64,
    pub state: State,
    pub ended: Option<Ended>,
    /// Isolated, or of the whole fleet; a person may have promoted it.
    pub scope: Scope,
    pub cause: Option<Cause>,
    /// The detector's events that are this incident, its first one included.
    pub event_ids: BTreeSet<String>,
    /// Other numbers under which people may have heard of it.
    pub aliases: BTreeSet<String>,
    pub milestones: Milestones,
    pub way: Way,
    pub muster: Muster,
    pub countermeasures: Countermeasures,
    /// Name of the fix that can be had.
    pub released: Option<String>,
    pub ladder: Ladder,
    /// When the staff heard of it last.
    pub told_at: Timestamp,
    pub nagged_at: Option<Timestamp>,
    /// Whether the forecast missed the promise when it was last told.
    pub promise_missed: bool,
    pub review: Option<(String, Stamp)>,
    pub review_nagged_at: Option<Timestamp>,
    /// The incident that came after the close.
    pub followed_by: Vec<String>,
    pub updated_at: Timestamp,
}

/// An incident in short: what a list shows.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct IncidentSummary {
    pub number: String,
    pub event_id: String,
    pub event_ids: Vec<String>,
    pub aliases: Vec<String>,
    pub state: State,
    pub scope: Scope,
    pub cause: Option<Cause>,
    pub impact_started_at: Timestamp,
    pub declared_at: Timestamp,
    pub closed_at: Option<Timestamp>,
    pub commander: Option<String>,
    pub devices: u32,
    /// Done or signed off.
    pub settled: u32,
    pub version: u64,
    pub updated_at: Timestamp,
}

impl Incident {
    /// The incident after its first event; `None` when that is no opening.
    pub fn open(event: &IncidentEvent) -> Option<Self> {
        let Action::Opened(opening) = &event.action else { return None };
        let mut milestones = Milestones::default();
        milestones.set(Milestone::ImpactStarted, opening.impact_started_at);
        milestones.set(Milestone::Detected, opening.detected_at);
        milestones.set(Milestone::Declared, opening.declared_at);
        let mut way = Way::default();
        way.reach(State::Declared, opening.declared_at);
        let mut incident = Self {
            version: 1,
            state: State::Declared,
            ended: None,
            scope: opening.scope,
            cause: opening.cause.clone(),
            event_ids: BTreeSet::from([opening.event_id.clone()]),
            aliases: BTreeSet::new(),
            milestones,
            way,
            muster: Muster::default(),
            countermeasures: Countermeasures::default(),
            released: None,
            ladder: Ladder::default(),
            told_at: event.at,
            nagged_at: None,
            promise_missed: false,
            review: None,
            review_nagged_at: None,
            followed_by: Vec::new(),
            updated_at: event.at,
            opening: (**opening).clone(),
        };
        incident.join(&opening.devices, event.at);
        Some(incident)
    }

    /// The incident of a whole record; `None` when it is empty or does not begin with an opening.
    pub fn of<'a>(events: impl IntoIterator<Item = &'a IncidentEvent>) -> Option<Self> {
        let mut events = events.into_iter();
        let mut incident = Self::open(events.next()?)?;
        for event in events {
            incident.apply(event);
        }
        Some(incident)
    }

    /// As people say it on the phone.
    pub fn number(&self) -> &str {
        &self.opening.number
    }

    /// The id of the detector's event that it was opened for: the key of its record.
    pub fn id(&self) -> &str {
        &self.opening.event_id
    }

    /// The incident in short.
    pub fn summary(&self) -> IncidentSummary {
        IncidentSummary {
            number: self.number().to_owned(),
            event_id: self.id().to_owned(),
            event_ids: self.event_ids.iter().cloned().collect(),
            aliases: self.aliases.iter().cloned().collect(),
            state: self.state,
            scope: self.scope,
            cause: self.cause.clone(),
            impact_started_at: self.opening.impact_started_at,
            declared_at: self.opening.declared_at,
            closed_at: self.milestones.get(Milestone::Closed),
            commander: self.muster.holder(super::Role::Commander).map(str::to_owned),
            devices: self.ladder.len() as u32,
            settled: self.ladder.iter().filter(|(_, rung)| rung.is_settled()).count() as u32,
            version: self.version,
            updated_at: self.updated_at,
        }
    }

    /// Takes in what happened. Events have to come in the order of the record.
    pub fn apply(&mut self, event: &IncidentEvent) {
        let IncidentEvent { at, by, action } = event;
        (self.version, self.updated_at) = (self.version + 1, *at);
        let stamp = || Stamp { at: *at, by: by.clone() };
        match action {
            Action::Opened(_) | Action::Closed { .. } | Action::Noted { told: false, .. } => {}
            Action::Paged { seat, step, people, exhausted } => self.muster.page(seat, (*step, *exhausted), people, *at),
            Action::Acknowledged { seat, person } => self.muster.acknowledge(seat, person, *at),
            Action::Present { person } => self.muster.join(person, *at),
            Action::HandedOver { seat, to, .. } => self.muster.hand_over(seat, to),
            Action::Attached { event_id, number } => {
                self.event_ids.insert(event_id.clone());
                self.aliases.extend(number.clone());
            }
            Action::Joined { devices } => self.join(devices, *at),
            Action::Relapsed { devices } => {
                self.each(devices, *at, |rung| rung.relapse(*at));
                self.way.lose(*at);
            }
            Action::CauseChanged { cause } => self.cause.clone_from(cause),
            Action::Moved { to, .. } => self.moved(*to, *at),
            // That the quality is back once more is told by the way: the first time stays.
            Action::Timed { milestone: Milestone::Mitigated, reason: None, .. } => {
                self.way.come_back(*at);
                if self.milestones.get(Milestone::Mitigated).is_none() {
                    self.milestones.set(Milestone::Mitigated, *at);
                }
            }
            Action::Timed { milestone, instant, .. } => self.milestones.set(*milestone, *instant),
            Action::Noted { told: true, .. } => self.told_at = *at,
            Action::Nagged { .. } => self.nagged_at = Some(*at),
            Action::CountermeasureRegistered(new) => self.countermeasures.register((**new).clone(), by, *at),
            Action::CountermeasureAgreed { version } => self.countermeasures.agree(*version, by, *at),
            Action::ScriptAcknowledged { version, person } => self.countermeasures.acknowledge(*version, person, *at),
            Action::FixReleased { name } => self.released = Some(name.clone()),
            Action::PromiseForecast { missed, .. } => self.promise_missed = *missed,
            Action::ReviewFiled { text } => self.review = Some((text.clone(), stamp())),
            Action::ReviewNagged { .. } => self.review_nagged_at = Some(*at),
            // Whoever hears that hears of the incident: silence counts from here.
            Action::Reopened { .. } => self.told_at = *at,
            Action::Followed { number } => self.followed_by.push(number.clone()),
            Action::Demoted { reason } => self.ended = Some(Ended::Demoted { reason: reason.clone() }),
            Action::Promoted { .. } => {
                self.scope = Scope::Fleet;
                self.told_at = *at;
            }
            Action::Merged { into, .. } => self.ended = Some(Ended::Merged { into: into.clone() }),
            Action::Absorbed { number, event_ids, devices, .. } => {
                self.aliases.extend(number.clone());
                self.event_ids.extend(event_ids.iter().cloned());
                self.absorb(devices, *at);
            }
            Action::SplitOff { devices, .. } => {
                for device in devices {
                    self.ladder.remove(device);
                }
            }
            Action::Called { device, call } => self.each(from_ref(device), *at, |rung| rung.call(call, &stamp())),
            Action::Claimed { devices, claim } => {
                self.each(devices, *at, |rung| drop(rung.claims.insert(*claim, stamp())));
            }
            Action::Proved { devices, proof } => self.each(devices, *at, |rung| rung.prove(*proof, *at)),
            Action::Disproved { devices, proof } => self.each(devices, *at, |rung| rung.disprove(*proof, *at)),
            Action::WorkaroundSeen { devices, active } => {
                self.each(devices, *at, |rung| rung.see_workaround(*active, *at));
            }
            Action::Excepted { device, exception } => {
                self.each(from_ref(device), *at, |rung| rung.exception = Some(exception.clone()));
            }
            Action::ExceptionLifted { device, .. } => self.each(from_ref(device), *at, |rung| rung.exception = None),
        }
    }

    /// Changes the rungs of devices, and keeps since when each has been done.
    fn each(&mut self, devices: &[DeviceId], at: Timestamp, mut change: impl FnMut(&mut Rung)) {
        for device in devices {
            if let Some(rung) = self.ladder.get_mut(device) {
                change(rung);
                rung.settle(at);
            }
        }
    }

    fn join(&mut self, devices: &[Joining], at: Timestamp) {
        for Joining { device, branch, customer } in devices {
            match self.ladder.get_mut(device) {
                Some(rung) => rung.affected = true,
                None => self.ladder.insert(device.clone(), Rung::joined(at, branch.clone(), customer.clone())),
            }
        }
        self.way.lose(at);
    }

    fn absorb(&mut self, devices: &[(DeviceId, Rung)], at: Timestamp) {
        for (device, rung) in devices {
            match self.ladder.get_mut(device) {
                Some(known) => known.absorb(rung),
                None => self.ladder.insert(device.clone(), rung.clone()),
            }
            self.each(from_ref(device), at, |_| ());
        }
        if !self.is_mitigated() {
            self.way.lose(at);
        }
    }

    /// What goes with a new state.
    fn moved(&mut self, to: State, at: Timestamp) {
        let back = to < self.state;
        self.way.reach(to, at);
        self.state = to;
        if back {
            self.milestones.clear(Milestone::Resolved);
            self.milestones.clear(Milestone::Reviewed);
        }
    }

    /// Devices that have not been done or signed off.
    pub fn open_devices(&self) -> impl Iterator<Item = (&DeviceId, &Rung)> {
        self.ladder.iter().filter(|(_, rung)| !rung.is_settled())
    }

    /// Whether every device has its quality back, by whatever means.
    pub fn is_mitigated(&self) -> bool {
        !self.ladder.is_empty() && self.ladder.iter().all(|(_, rung)| rung.is_mitigated())
    }

    /// The fix that was agreed, once that very one has been released: another than the one that was released before has to be
    /// released itself.
    pub fn released_fix(&self) -> Option<&Fix> {
        self.countermeasures.fix().filter(|fix| self.released.as_deref() == Some(fix.name().as_str()))
    }

    /// Claims that telemetry has not verified for `claim_min` minutes: whom to call again.
    pub fn follow_ups(&self, claim_min: u32, now: Timestamp) -> Vec<(&DeviceId, Claim, &Stamp)> {
        let old = |stamp: &Stamp| now.since_ms(stamp.at) >= i64::from(claim_min) * crate::engine::time::MINUTE_MS;
        let mut found = Vec::new();
        for (device, rung) in self.open_devices() {
            let unproved = Claim::ALL.into_iter().filter_map(|claim| Some((claim, rung.only_claims(claim)?)));
            found.extend(unproved.filter(|(_, stamp)| old(stamp)).map(|(claim, stamp)| (device, claim, stamp)));
        }
        found
    }

    /// Devices with the fix whose workaround is still on, and since when that has been owed.
    pub fn debts(&self) -> impl Iterator<Item = (&DeviceId, Timestamp)> {
        self.ladder.iter().filter_map(|(device, rung)| Some((device, rung.debt_since()?)))
    }

    /// How many devices of each branch stand on each step; those signed off are not among them. Devices without a branch are `""`.
    pub fn by_branch(&self) -> BTreeMap<&str, BTreeMap<Step, u32>> {
        let mut branches = BTreeMap::new();
        for (_, rung) in self.ladder.iter().filter(|(_, rung)| rung.exception.is_none() || rung.is_done()) {
            let steps: &mut BTreeMap<Step, u32> =
                branches.entry(rung.branch.as_deref().unwrap_or_default()).or_default();
            *steps.entry(rung.step()).or_default() += 1;
        }
        branches
    }

    /// The furthest state that the remedies there are allow.
    pub fn remedied(&self) -> State {
        if self.released_fix().is_some() {
            State::Fixing
        } else if self.countermeasures.workaround().is_some() {
            State::WorkaroundAvailable
        } else if self.milestones.get(Milestone::Mustered).is_some() {
            State::Mustered
        } else {
            State::Declared
        }
    }
}
