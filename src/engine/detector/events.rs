//! All open events: who is a member of which, what is warned of, declared, recovered and resolved.
//!
//! Each device has at most one event. A fleet event is opened for at least three affected devices whose common cause is
//! named; its members have no clock of their own. What no fleet event explains runs its own clock.

use std::collections::{BTreeMap, BTreeSet};

use bincode::{Decode, Encode};

use crate::engine::device::DeviceId;
use crate::engine::effect::{Cause, Change, ChangeKind, Scope};
use crate::engine::settings::Settings;
use crate::engine::snapshot::EventState;
use crate::engine::suspect::{self, Candidate, Subject};
use crate::engine::time::{Minute, Timestamp};

use super::event::{Clock, Event, Member, RELAPSE_MIN};
use super::tracked::{State, Tracked};

/// Fewest affected devices that make a group.
const MIN_GROUP: usize = 3;
/// A better cause must lead by this much (ten to one) before the name is changed, and by a thousand to one once people
/// have been told: names that flicker help nobody.
const CAUSE_MARGIN: f64 = std::f64::consts::LN_10;
/// Share of the members of two events that one cause must explain for them to be one.
const MERGE_SHARE: f64 = 0.9;
/// Minutes in which the background follows a rise and a fall, and the most that one minute may show of it: a defect that
/// has not been grouped yet must not count as usual.
const BACKGROUND_RISE_MIN: f64 = 120.0;
const BACKGROUND_FALL_MIN: f64 = 1_440.0;
const BACKGROUND_MOST: f64 = 0.15;
/// Longest time between an install and an onset for the member's minutes to count from the install on.
const INSTALL_REACH_MIN: i64 = 30;

/// The open events and their numbers.
#[derive(Clone, Debug, Default, Encode, Decode)]
pub struct Events {
    pub open: Vec<Event>,
    /// Usual share of affected devices outside fleet events.
    background: f64,
    next_event: u32,
    next_incident: u32,
}

/// One look at all events.
struct Round<'a> {
    devices: &'a mut [Tracked],
    /// Device indices in the order of their ids: what is printed must not depend on who reported first.
    order: &'a [u32],
    settings: &'a Settings,
    last: Minute,
    now: Timestamp,
    changes: Vec<Change>,
}

impl Events {
    /// Gives no event number up to `event` and no incident number up to `incident`.
    pub fn number_above(&mut self, event: u32, incident: u32) {
        self.next_event = self.next_event.max(event);
        self.next_incident = self.next_incident.max(incident);
    }

    /// Looks at all events after minute `last` has closed. Returns what changed, in a fixed order.
    pub fn step(
        &mut self,
        devices: &mut [Tracked],
        order: &[u32],
        settings: &Settings,
        (last, now): (Minute, Timestamp),
    ) -> Vec<Change> {
        let mut round = Round { devices, order, settings, last, now, changes: Vec::new() };
        self.take_dirt(&mut round);
        let groups: Vec<u32> = self.open.iter().filter(|event| event.key.is_some()).map(|event| event.number).collect();
        for number in groups {
            // Looked up anew each time: taking in lone events moves the others.
            if let Some(index) = self.open.iter().position(|event| event.number == number) {
                self.update_cause(index, &mut round);
                self.update_members(index, &mut round);
            }
        }
        self.open_groups(&mut round);
        self.merge_groups(&mut round);
        self.follow_background(&round);
        self.open_lone(&mut round);
        for event in &mut self.open {
            let clock = event.run_clock(round.devices, last, settings);
            let incident = &mut self.next_incident;
            advance(event, clock, incident, &mut round);
        }
        self.close_finished(&mut round);
        round.changes
    }

    /// Late data of members make their events pool those minutes again.
    fn take_dirt(&mut self, round: &mut Round<'_>) {
        for event in &mut self.open {
            for index in event.members.keys() {
                if let Some(dirty) = round.devices[*index as usize].dirty_from {
                    event.dirty_from = event.dirty_from.min(dirty);
                }
            }
        }
        for tracked in round.devices.iter_mut() {
            tracked.dirty_from = None;
        }
    }

    /// Devices that are a member of some group now.
    fn grouped(&self, except: Option<usize>) -> BTreeSet<u32> {
        self.open
            .iter()
            .enumerate()
            .filter(|(index, event)| event.key.is_some() && Some(*index) != except)
            .flat_map(|(_, event)| event.present())
            .collect()
    }

    fn update_cause(&mut self, index: usize, round: &mut Round<'_>) {
        let elsewhere = self.grouped(Some(index));
        let ranked = suspect::rank(&subjects(&self.open, round, &elsewhere), self.background, round.last);
        let Some(key) = self.open[index].key.clone() else { return };
        let Some(best) = ranked.first().filter(|best| best.is_named()) else { return };
        let current = ranked.iter().find(|candidate| candidate.key == key);
        let margin = if self.open[index].is_announced() { suspect::NAMED } else { CAUSE_MARGIN };
        let beaten =
            best.key != key && current.is_none_or(|current| best.log_likelihood - current.log_likelihood > margin);
        if beaten && !self.open.iter().any(|other| other.key.as_ref() == Some(&best.key)) {
            let event = &mut self.open[index];
            event.key = Some(best.key.clone());
            event.cause = suspect::name(&ranked).map(round_confidence);
            if event.is_announced() {
                let members = ids(round.devices, event.present());
                round.changes.push(event.change(ChangeKind::CauseChanged, members, round.now));
            }
        } else if best.key == key {
            self.open[index].cause = suspect::name(&ranked).map(round_confidence);
        }
    }

    /// Lets in who is affected and has the cause, and out who is proved good or has it not.
    fn update_members(&mut self, index: usize, round: &mut Round<'_>) {
        let elsewhere = self.grouped(Some(index));
        let event = &mut self.open[index];
        let Some(key) = event.key.clone() else { return };
        let (mut joined, mut left) = (Vec::new(), Vec::new());
        for &device in round.order {
            let state = &mut round.devices[device as usize].state;
            let is_member = event.members.get(&device).is_some_and(|member| member.left.is_none());
            if is_member {
                let Some(member) = event.members.get_mut(&device) else { continue };
                let had = member.attributes.iter().any(|(attribute, _)| *attribute == key);
                if state.is_proved_good(round.last) || !had {
                    member.left = Some(round.last);
                    state.in_event_since = None;
                    left.push(device);
                }
            } else if let Some(onset) =
                state.onset(round.last).filter(|_| state.has(&key) && !elsewhere.contains(&device))
            {
                join(event, device, onset, state);
                joined.push(device);
            }
        }
        let announced = event.is_announced();
        for (kind, who) in [(ChangeKind::Joined, joined), (ChangeKind::Left, left)] {
            // While it is recovered nobody joins aloud: should it relapse, all of them are named then.
            let silent = kind == ChangeKind::Joined && event.state == EventState::Recovered;
            if announced && !silent && !who.is_empty() {
                let who = ids(round.devices, who.into_iter());
                round.changes.push(event.change(kind, who, round.now));
            }
        }
        self.absorb_lone(index, round);
    }

    /// Members have no clock of their own: their lone events end here. One that was declared already gives the group its
    /// incident, so that nobody is told twice.
    fn absorb_lone(&mut self, index: usize, round: &mut Round<'_>) {
        let members: BTreeSet<u32> = self.open[index].present().collect();
        let mut absorbed = Vec::new();
        self.open.retain(|event| {
            let taken = event.key.is_none() && event.lone_device().is_some_and(|device| members.contains(&device));
            if taken {
                absorbed.push(event.clone());
            }
            !taken
        });
        let Some(number) = absorbed.iter().filter(|event| event.declared_at.is_some()).map(|event| event.number).min()
        else {
            return;
        };
        let Some(elder) = absorbed.into_iter().find(|event| event.number == number) else { return };
        // Indices have moved: find the group again by a member.
        let Some(group) = self
            .open
            .iter_mut()
            .find(|event| event.key.is_some() && event.present().any(|device| members.contains(&device)))
        else {
            return;
        };
        if group.declared_at.is_none() {
            group.number = elder.number;
            group.incident = elder.incident;
            group.declared_at = elder.declared_at;
            group.impact_start = elder.impact_start;
            group.state = elder.state;
            group.warned_min = group.warned_min.max(elder.warned_min);
            let members = ids(round.devices, group.present());
            round.changes.push(group.change(ChangeKind::Joined, members, round.now));
        }
    }

    /// Opens a fleet event for each named cause among the affected devices that belong to none.
    fn open_groups(&mut self, round: &mut Round<'_>) {
        loop {
            let grouped = self.grouped(None);
            if census(round, &grouped).0 < MIN_GROUP {
                return;
            }
            let subjects = subjects(&self.open, round, &grouped);
            let ranked = suspect::rank(&subjects, self.background, round.last);
            let Some(best) = ranked.first().filter(|best| worth_a_group(best)) else { return };
            if self.open.iter().any(|event| event.key.as_ref() == Some(&best.key)) {
                return;
            }
            let from = round.last;
            self.next_event += 1;
            let mut event = Event::new(self.next_event, Scope::Fleet, from);
            event.key = Some(best.key.clone());
            event.cause = suspect::name(&ranked).map(round_confidence);
            for &device in round.order {
                let state = &mut round.devices[device as usize].state;
                let free = state.has(&best.key) && !grouped.contains(&device);
                if let Some(onset) = state.onset(round.last).filter(|_| free) {
                    join(&mut event, device, onset, state);
                }
            }
            self.open.push(event);
            self.absorb_lone(self.open.len() - 1, round);
        }
    }

    /// Makes one event of two that prove to be one: together, one of their causes explains nearly all members of both.
    fn merge_groups(&mut self, round: &mut Round<'_>) {
        let groups: Vec<u32> = self.open.iter().filter(|event| event.key.is_some()).map(|event| event.number).collect();
        for (i, older) in groups.iter().enumerate() {
            for younger in &groups[i + 1..] {
                let at = |number: u32| self.open.iter().position(|event| event.number == number);
                if let (Some(older), Some(younger)) = (at(*older), at(*younger)) {
                    self.merge_if_one(older.min(younger), older.max(younger), round);
                }
            }
        }
    }

    fn merge_if_one(&mut self, older: usize, younger: usize, round: &mut Round<'_>) {
        let both: BTreeSet<u32> = self.open[older].present().chain(self.open[younger].present()).collect();
        let elsewhere: BTreeSet<u32> = self.grouped(None).difference(&both).copied().collect();
        let ranked = suspect::rank(&subjects(&self.open, round, &elsewhere), self.background, round.last);
        let Some(best) = ranked.first().filter(|best| best.is_named()) else { return };
        let is_one_of_them = [older, younger].iter().any(|index| self.open[*index].key.as_ref() == Some(&best.key));
        let explains_both = f64::from(best.affected_with) >= MERGE_SHARE * both.len() as f64;
        if !is_one_of_them || !explains_both {
            return;
        }
        let cause_changed = self.open[older].key.as_ref() != Some(&best.key);
        let taken = self.open.remove(younger);
        let event = &mut self.open[older];
        event.key = Some(best.key.clone());
        event.cause = suspect::name(&ranked).map(round_confidence);
        event.take_over(&taken);
        if event.is_announced() {
            let (now, members) = (round.now, ids(round.devices, event.present()));
            let newcomers = ids(round.devices, taken.present());
            if cause_changed {
                round.changes.push(event.change(ChangeKind::CauseChanged, members, now));
            }
            round.changes.push(event.change(ChangeKind::Joined, newcomers, now));
        }
    }

    /// Follows the share of affected devices that no fleet event explains.
    fn follow_background(&mut self, round: &Round<'_>) {
        let (affected, known) = census(round, &self.grouped(None));
        if known == 0 {
            return;
        }
        let share = (affected as f64 / known as f64).min(BACKGROUND_MOST);
        let within = if share > self.background { BACKGROUND_RISE_MIN } else { BACKGROUND_FALL_MIN };
        self.background += (share - self.background) / within;
    }

    /// Opens an event for each device whose own clock has reached its first mark and that no group explains.
    fn open_lone(&mut self, round: &mut Round<'_>) {
        let busy: BTreeSet<u32> = self.open.iter().flat_map(Event::present).collect();
        let first_mark = round.settings.warn_device_min.first().copied().unwrap_or(round.settings.hold_min);
        for &device in round.order {
            let state = &mut round.devices[device as usize].state;
            let ripe = state.episode.filter(|e| e.full.is_some() || e.length_min() >= first_mark).or(state.past_full);
            let (Some(episode), false) = (ripe, busy.contains(&device)) else { continue };
            self.next_event += 1;
            let mut event = Event::new(self.next_event, Scope::Isolated, episode.start);
            join(&mut event, device, episode.start, state);
            self.open.push(event);
        }
    }

    /// Removes events that are over: never declared and recovered, or resolved.
    fn close_finished(&mut self, round: &mut Round<'_>) {
        let (mut freed, mut grouped) = (Vec::new(), Vec::new());
        self.open.retain(|event| {
            let over = match event.state {
                EventState::Pending => {
                    event.episode.is_none() && event.streak_min > 0 || event.present().next().is_none()
                }
                EventState::Declared => false,
                EventState::Recovered => event.quiet_min(round.devices, round.last) >= round.settings.clear_min,
            };
            if over {
                if event.state == EventState::Recovered {
                    let everybody = ids(round.devices, event.members.keys().copied());
                    round.changes.push(event.change(ChangeKind::Resolved, everybody, round.now));
                }
                freed.extend(event.members.keys().copied());
                if event.key.is_some() {
                    grouped.extend(event.members.keys().copied());
                }
            }
            !over
        });
        for device in grouped {
            // The group's clock has decided about this time; a member's own never may, not even afterwards.
            let state = &mut round.devices[device as usize].state;
            state.past_full = None;
            state.declared_through = state.declared_through.max(round.last);
        }
        for device in freed {
            let state = &mut round.devices[device as usize].state;
            state.in_event_since = None;
        }
    }
}

fn worth_a_group(best: &Candidate) -> bool {
    best.is_named() && best.affected_with as usize >= MIN_GROUP
}

/// Lets a device in. Its minutes count from the install of the cause on, where that is known and was shortly before the
/// onset: bad minutes before the install are somebody else's, and good ones after it belong to the truth.
fn join(event: &mut Event, device: u32, onset: Minute, state: &mut State) {
    let attributes = state.attributes();
    let installed = attributes.iter().find(|(key, _)| Some(key) == event.key.as_ref()).and_then(|(_, at)| *at);
    let from = installed.filter(|installed| onset.since(*installed) <= INSTALL_REACH_MIN).unwrap_or(onset);
    event.join(device, onset, from, attributes);
    state.in_event_since = Some(state.in_event_since.map_or(from, |since| since.min(from)));
}

/// Moves an event along its states by what its clock says.
fn advance(event: &mut Event, clock: Clock, next_incident: &mut u32, round: &mut Round<'_>) {
    warn(event, &clock, round);
    let ended = clock.ended_full.filter(|_| clock.episode.is_none());
    if event.declared_at.is_none() && (clock.full || ended.is_some()) {
        declare(event, next_incident, round);
    }
    if let Some(device) = event.lone_device() {
        note_declared(&mut round.devices[device as usize], event, ended.is_some());
    }
    let back = clock.episode.is_some_and(|episode| episode.length_min() >= RELAPSE_MIN);
    match (event.state, clock.episode.is_some()) {
        (EventState::Declared, false) => recover(event, EventState::Recovered, round),
        (EventState::Pending, false) if event.warned_min > 0 => recover(event, EventState::Pending, round),
        (EventState::Recovered, true) if back => relapse(event, round),
        _ => {}
    }
    if event.state != EventState::Pending {
        for index in event.members.keys() {
            round.devices[*index as usize].state.past_full = None;
        }
    }
}

fn note_declared(tracked: &mut Tracked, event: &Event, ended: bool) {
    if event.declared_at.is_some() || ended {
        let state = &mut tracked.state;
        state.declared_through = state.declared_through.max(event.last_degraded);
    }
}

fn warn(event: &mut Event, clock: &Clock, round: &mut Round<'_>) {
    let Some(episode) = clock.episode.filter(|_| event.declared_at.is_none() && !clock.full) else { return };
    let marks = if event.key.is_some() { &round.settings.warn_group_min } else { &round.settings.warn_device_min };
    let passed = marks.iter().copied().filter(|mark| episode.length_min() >= *mark).max().unwrap_or(0);
    if passed > event.warned_min && !episode.suspended {
        event.warned_min = passed;
        let members = ids(round.devices, event.present());
        round.changes.push(event.change(ChangeKind::EarlyWarning, members, round.now));
    }
}

fn declare(event: &mut Event, next_incident: &mut u32, round: &mut Round<'_>) {
    *next_incident += 1;
    event.incident = Some(*next_incident);
    event.declared_at = Some(round.now);
    event.state = EventState::Declared;
    for index in event.members.keys() {
        let state = &mut round.devices[*index as usize].state;
        state.declared_through = state.declared_through.max(round.last);
    }
    let members = ids(round.devices, event.present());
    let mut change = event.change(ChangeKind::Declared, members, round.now);
    change.proof = event.proof(round.devices, round.settings);
    round.changes.push(change);
}

fn recover(event: &mut Event, next: EventState, round: &mut Round<'_>) {
    event.state = next;
    let members = ids(round.devices, event.members.keys().copied());
    round.changes.push(event.change(ChangeKind::Recovered, members, round.now));
}

/// Degraded again before it was resolved: the same incident, and whoever is in it is told to be back.
fn relapse(event: &mut Event, round: &mut Round<'_>) {
    event.state = EventState::Declared;
    let members = ids(round.devices, event.present());
    round.changes.push(event.change(ChangeKind::Joined, members, round.now));
}

/// How many devices outside `grouped` are affected, and how many are affected or known to be good.
fn census(round: &Round<'_>, grouped: &BTreeSet<u32>) -> (usize, usize) {
    let (mut affected, mut known) = (0, 0);
    for device in round.order.iter().filter(|device| !grouped.contains(device)) {
        let state = &round.devices[*device as usize].state;
        let is_affected = state.onset(round.last).is_some();
        affected += usize::from(is_affected);
        known += usize::from(is_affected || state.is_known(round.last));
    }
    (affected, known)
}

/// Every device that is known and belongs to no group of `elsewhere`, in the order of the ids. Those who are or were in
/// an open group are taken as they were when they joined.
fn subjects(open: &[Event], round: &Round<'_>, elsewhere: &BTreeSet<u32>) -> Vec<Subject> {
    let members: BTreeMap<u32, &Member> = open
        .iter()
        .filter(|event| event.key.is_some())
        .flat_map(|event| &event.members)
        .map(|(i, m)| (*i, m))
        .collect();
    let known = round.order.iter().filter(|device| !elsewhere.contains(device));
    known
        .filter_map(|device| {
            let state = &round.devices[*device as usize].state;
            let onset = state.onset(round.last);
            let member = members.get(device).filter(|member| onset.is_some() || member.left.is_none());
            if let Some(member) = member {
                return Some(Subject { onset: Some(member.onset), attributes: member.attributes.clone() });
            }
            (onset.is_some() || state.is_known(round.last)).then(|| Subject { onset, attributes: state.attributes() })
        })
        .collect()
}

fn ids(devices: &[Tracked], members: impl Iterator<Item = u32>) -> Vec<DeviceId> {
    members.map(|index| devices[index as usize].device.id().clone()).collect()
}

/// Confidence to a tenth of a percent: further digits would only tell which order the sums were made in.
fn round_confidence(mut cause: Cause) -> Cause {
    let round = |confidence: f64| (confidence * 1_000.0).round() / 1_000.0;
    cause.confidence = round(cause.confidence);
    if let Some(runner_up) = &mut cause.runner_up {
        runner_up.confidence = round(runner_up.confidence);
    }
    cause
}
