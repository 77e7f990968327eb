//! Which affected devices are one event: opening, naming and merging fleet events.
//!
//! One event is told once. A new group joins an open event that has its cause, or in which a good part of its devices are or
//! were; two open events that one cause explains become the older of them, with the younger's number as an alias.

use std::collections::BTreeMap;

use crate::engine::effect::EventState;
use crate::engine::effect::{ChangeKind, Scope};
use crate::engine::suspect::{self, AttributeKey, Candidate, Subject};
use crate::engine::time::Minute;

use super::context::TickContext;
use super::event::{Event, Member};
use super::events::{Events, join};

/// Fewest affected devices that make a group.
const MIN_GROUP: usize = 3;
/// A better cause must lead by this much (ten to one) before the name is changed, and by a thousand to one once people
/// have been mustered: names that flicker help nobody.
const CAUSE_MARGIN: f64 = std::f64::consts::LN_10;
/// Share of the members of two events that one cause must explain for them to be one.
const MERGE_SHARE: f64 = 0.9;
/// Share of a new group's devices that have been in an open event for the group to be that event again.
const SAME_DEVICES_SHARE: f64 = 0.3;

impl Events {
    /// Names the cause of each group anew; not of one that has recovered, whose members are healthy witnesses by now.
    pub(super) fn update_causes(&mut self, context: &mut TickContext<'_>) {
        let is_over = |event: &Event| event.state == EventState::Recovered;
        for number in self.groups() {
            if self.place(number).is_none_or(|at| is_over(&self.open[at])) {
                continue;
            }
            let subjects = self.subjects(context, |group| group == 0 || group == number);
            let ranked = suspect::rank(&subjects, self.background, context.last);
            self.update_cause(number, &ranked, context);
        }
    }

    fn update_cause(&mut self, number: u32, ranked: &[Candidate], context: &mut TickContext<'_>) {
        let named = |best: &&Candidate| best.is_named() && best.exceeds_chance(0.0);
        let Some(best) = ranked.first().filter(named) else { return };
        let taken = self.open.iter().any(|other| other.number != number && other.key.as_ref() == Some(&best.key));
        let Some(event) = self.group(number) else { return };
        let current = ranked.iter().find(|candidate| Some(&candidate.key) == event.key.as_ref());
        let is_same = event.key.as_ref() == Some(&best.key);
        let leads = |current: &Candidate| {
            best.log_likelihood - current.log_likelihood > margin(event.declared_at.is_some(), best, current)
        };
        let beaten = !is_same && current.is_none_or(leads);
        if is_same || (beaten && !taken) {
            event.blame(best, suspect::name(ranked));
        } else if let Some((current, cause)) = current.zip(suspect::name_kept(ranked, event.key.as_ref())) {
            // The name stays; how sure it is, and what else it may be, are as of now.
            event.blame(current, Some(cause));
        }
        if beaten && !taken && event.is_announced() {
            event.measure_difference(&context.devices, context.order, context.last);
            let members = context.ids(event.present());
            context.changes.push(event.change(ChangeKind::CauseChanged, members, context.now));
        }
    }

    /// Opens a fleet event for each named cause among the affected devices that belong to none.
    pub(super) fn open_groups(&mut self, context: &mut TickContext<'_>) {
        while context.census().0 >= MIN_GROUP {
            let ranked = {
                let subjects = self.subjects(context, |group| group == 0);
                suspect::rank(&subjects, self.background, context.last)
            };
            let background = self.background;
            let Some(best) = ranked.first().filter(|best| worth_a_group(best, background)) else { return };
            if self.open.iter().any(|event| event.key.as_ref() == Some(&best.key)) {
                // Its members join when the causes are settled; who cannot is not explained by it.
                return;
            }
            let onset = |device: u32| {
                let tracked = &context.devices[device as usize];
                let onset = tracked.onset(context.last).filter(|_| context.is_free(device) && tracked.has(&best.key));
                onset.map(|onset| (device, onset))
            };
            let members: Vec<_> = context.order.iter().copied().filter_map(onset).collect();
            if members.is_empty() {
                return;
            }
            let number = self.seen_before(&members).unwrap_or_else(|| {
                let number = self.add_group(context.last);
                if let Some(event) = self.group(number) {
                    event.blame(best, suspect::name(&ranked));
                }
                number
            });
            self.let_in(number, members, context);
        }
    }

    /// A new fleet event of nobody yet.
    pub(super) fn add_group(&mut self, last: Minute) -> u32 {
        self.next_event += 1;
        self.open.push(Event::new(self.next_event, Scope::Fleet, last));
        self.next_event
    }

    /// The open group in which enough of these devices are or were.
    fn seen_before(&self, devices: &[(u32, Minute)]) -> Option<u32> {
        let known = |event: &&Event| {
            let shared = devices.iter().filter(|(device, _)| event.members.contains_key(device)).count();
            event.key.is_some() && shared as f64 >= SAME_DEVICES_SHARE * devices.len() as f64
        };
        self.open.iter().find(known).map(|event| event.number)
    }

    /// Lets devices in, each with its onset.
    pub(super) fn let_in(&mut self, number: u32, devices: Vec<(u32, Minute)>, context: &mut TickContext<'_>) {
        let Some(event) = self.group(number) else { return };
        for (device, onset) in devices {
            join(event, device, onset, &mut context.devices[device as usize]);
            context.group_of[device as usize] = number;
        }
        self.absorb_lone(number, context);
    }

    /// Makes one event of two that prove to be one: together, one of their causes explains nearly all members of both.
    pub(super) fn merge_groups(&mut self, context: &mut TickContext<'_>) {
        let groups = self.groups();
        for (i, &older) in groups.iter().enumerate() {
            for &younger in &groups[i + 1..] {
                if self.may_be_one(older, younger) {
                    self.merge_if_one(older, younger, context);
                }
            }
        }
    }

    /// Whether one of the two causes is that of nearly all members of both: what can be seen without ranking the fleet.
    fn may_be_one(&self, older: u32, younger: u32) -> bool {
        let causes = [older, younger].map(|number| self.place(number).and_then(|at| self.open[at].key.as_ref()));
        causes.into_iter().flatten().any(|key| self.is_cause_of(key, [older, younger]))
    }

    /// Whether `key` is what nearly all members of two events have, and most of those of each: also of the members that have
    /// left, or an event that is nearly over would be anybody's.
    fn is_cause_of(&self, key: &AttributeKey, events: [u32; 2]) -> bool {
        let counts = events.map(|number| {
            let members = || self.place(number).into_iter().flat_map(|at| self.open[at].members.values());
            let with = members().filter(|member| suspect::has(&member.attributes, key)).count();
            (with, members().count())
        });
        let [with, all] = [counts[0].0 + counts[1].0, counts[0].1 + counts[1].1];
        counts.iter().all(|(with, all)| *with * 2 >= *all) && with as f64 >= MERGE_SHARE * all as f64
    }

    fn merge_if_one(&mut self, older: u32, younger: u32, context: &mut TickContext<'_>) {
        let ranked = {
            let subjects = self.subjects(context, |group| [0, older, younger].contains(&group));
            suspect::rank(&subjects, self.background, context.last)
        };
        let Some(best) = ranked.first().filter(|best| best.is_named()) else { return };
        let (Some(at), Some(from)) = (self.place(older), self.place(younger)) else { return };
        let both = self.open[at].present().chain(self.open[from].present()).count();
        // Also what cannot be told from one of them: the fleet, and a package that the whole fleet has.
        let keys = [at, from].map(|index| self.open[index].key.as_ref());
        let is_one_of_them =
            ranked.iter().any(|candidate| keys.contains(&Some(&candidate.key)) && candidate.covers_the_same(best));
        let is_cause = is_one_of_them && self.is_cause_of(&best.key, [older, younger]);
        if !is_cause || f64::from(best.affected_with) < MERGE_SHARE * both as f64 {
            return;
        }
        let taken = self.open.remove(from);
        let Some(event) = self.group(older) else { return };
        let cause_changed = event.key.as_ref() != Some(&best.key);
        event.blame(best, suspect::name(&ranked));
        event.take_over(&taken);
        for device in taken.present() {
            context.group_of[device as usize] = older;
        }
        if event.is_announced() {
            let (members, newcomers) = (context.ids(event.present()), context.ids(taken.present()));
            if cause_changed {
                event.measure_difference(&context.devices, context.order, context.last);
                context.changes.push(event.change(ChangeKind::CauseChanged, members, context.now));
            }
            context.changes.push(event.change(ChangeKind::Joined, newcomers, context.now));
        }
    }

    fn place(&self, number: u32) -> Option<usize> {
        self.open.iter().position(|event| event.number == number)
    }

    /// Every device that is known and in one of `groups` (0: in none), in the order of the ids. Those who are or were in
    /// an open group are taken as they were when they joined.
    fn subjects<'a>(&'a self, context: &'a TickContext<'_>, groups: impl Fn(u32) -> bool) -> Vec<Subject<'a>> {
        let members: BTreeMap<u32, &Member> = self
            .open
            .iter()
            .filter(|event| event.key.is_some())
            .flat_map(|event| &event.members)
            .map(|(index, member)| (*index, member))
            .collect();
        let known = context.order.iter().filter(|&&device| groups(context.group_of[device as usize]));
        known
            .filter_map(|device| {
                let tracked = &context.devices[*device as usize];
                let onset = tracked.onset(context.last);
                let member = members.get(device).filter(|member| onset.is_some() || member.left.is_none());
                if let Some(member) = member {
                    return Some(Subject { onset: Some(member.onset), attributes: &member.attributes });
                }
                tracked.is_witness(context.last).then_some(Subject { onset, attributes: &tracked.attributes })
            })
            .collect()
    }
}

/// By how much a better cause must lead before it is named instead. Two that cover the same devices are told apart by what is
/// usual and by timing alone, and the first name may date from when too few devices were affected for the other to be a
/// candidate: there, until people are mustered, the better one is simply taken.
fn margin(is_declared: bool, best: &Candidate, current: &Candidate) -> f64 {
    match (is_declared, best.covers_the_same(current)) {
        (true, _) => suspect::NAMED,
        (false, true) => 0.0,
        (false, false) => CAUSE_MARGIN,
    }
}

fn worth_a_group(best: &Candidate, background: f64) -> bool {
    best.is_named() && best.affected_with as usize >= MIN_GROUP && best.exceeds_chance(background)
}
