//! All open events: who is a member of which, and how they come and go.
//!
//! Each device has at most one event. A fleet event is opened for at least three affected devices whose common cause is
//! named ([`grouping`](super::grouping)); its members have no clock of their own. What no fleet event explains runs its own
//! clock. What a clock's reading means for people is in [`transitions`](super::transitions).

use std::collections::BTreeSet;

use bincode::{Decode, Encode};

use crate::engine::effect::{Change, ChangeKind, EventState, Scope};
use crate::engine::settings::Settings;
use crate::engine::suspect;
use crate::engine::time::Minute;

use super::context::TickContext;
use super::drift::FleetDrift;
use super::event::Event;
use super::known_illness::DeviceClock;
use super::recurrence;
use super::tracked::Tracked;
use super::transitions::{advance, is_over};

/// Minutes in which the background follows a rise and a fall, and the most that one minute may show of it: a defect that
/// has not been grouped yet must not count as usual.
const BACKGROUND_RISE_MIN: f64 = 120.0;
const BACKGROUND_FALL_MIN: f64 = 1_440.0;
const BACKGROUND_MOST: f64 = 0.15;

/// The open events and their numbers.
#[derive(Clone, Debug, Default, Encode, Decode)]
pub struct Events {
    pub open: Vec<Event>,
    /// Usual share of affected devices outside fleet events.
    pub(super) background: f64,
    pub(super) next_event: u32,
    next_incident: u32,
}

impl Events {
    /// Gives no event number up to `event` and no incident number up to `incident`.
    pub fn number_above(&mut self, event: u32, incident: u32) {
        self.next_event = self.next_event.max(event);
        self.next_incident = self.next_incident.max(incident);
    }

    /// Looks at all events after minute `last` has closed. Returns what changed, in a fixed order.
    pub(super) fn step(&mut self, mut context: TickContext<'_>) -> Vec<Change> {
        let (last, moved) = (context.last, context.moved);
        self.take_dirt(&mut context);
        self.settle_groups(&mut context);
        if moved {
            recurrence::forget_recurring(&mut context);
        }
        self.update_causes(&mut context);
        for number in self.groups() {
            self.update_members(number, &mut context);
        }
        self.open_groups(&mut context);
        if moved {
            self.open_cohort(&mut context);
        }
        self.merge_groups(&mut context);
        if moved {
            self.follow_background(&context);
        }
        self.open_lone(&mut context);
        if moved {
            self.note_severities(&mut context);
        }
        let drift = self.drift(&context);
        for event in &mut self.open {
            let clock = event.run_clock(&context.devices, &drift, last, context.settings);
            advance(event, clock, &mut self.next_incident, &mut context);
        }
        self.close_finished(&mut context);
        context.changes
    }

    /// What the declared events tell of their devices.
    fn note_severities(&self, context: &mut TickContext<'_>) {
        for event in self.open.iter().filter(|event| recurrence::notes_severity(event, context.last)) {
            for device in event.present() {
                if context.devices[device as usize].state.episode.is_some() {
                    context.devices[device as usize].note_severity(context.settings);
                }
            }
        }
    }

    /// The fleet's drift, where a lone device's hour hangs on it.
    fn drift(&self, context: &TickContext<'_>) -> FleetDrift {
        let is_full = |device: u32| {
            let DeviceClock { episode, past_full } = context.devices[device as usize].clock();
            past_full.is_some() || episode.is_some_and(|episode| episode.is_full())
        };
        let hangs = |event: &Event| event.declared_at.is_none() && event.lone_device().is_some_and(is_full);
        if !self.open.iter().any(hangs) {
            return FleetDrift::NONE;
        }
        let free = context.order.iter().filter(|&&device| context.is_free(device));
        let free: Vec<&Tracked> = free.map(|&device| &context.devices[device as usize]).collect();
        FleetDrift::of(&free, context.last, context.settings)
    }

    /// Numbers of the fleet events, oldest first.
    pub(super) fn groups(&self) -> Vec<u32> {
        self.open.iter().filter(|event| event.key.is_some()).map(|event| event.number).collect()
    }

    /// The event of this number.
    pub(super) fn group(&mut self, number: u32) -> Option<&mut Event> {
        self.open.iter_mut().find(|event| event.number == number)
    }

    /// Late data of members make their events pool those minutes again.
    fn take_dirt(&mut self, context: &mut TickContext<'_>) {
        for event in &mut self.open {
            for index in event.members.keys() {
                if let Some(dirty) = context.devices[*index as usize].dirty_from {
                    event.dirty_from = event.dirty_from.min(dirty);
                }
            }
        }
        for device in 0..context.devices.len() {
            if context.devices[device].dirty_from.is_some() {
                context.devices[device].dirty_from = None;
            }
        }
    }

    fn settle_groups(&self, context: &mut TickContext<'_>) {
        for event in self.open.iter().filter(|event| event.key.is_some()) {
            for device in event.present() {
                context.group_of[device as usize] = event.number;
            }
        }
    }

    /// Lets in who is affected and has the cause, and out who is proved good or has it not.
    fn update_members(&mut self, number: u32, context: &mut TickContext<'_>) {
        let Some(event) = self.group(number) else { return };
        let Some(key) = event.key.clone() else { return };
        let (mut joined, mut left) = (Vec::new(), Vec::new());
        for &device in context.order {
            // Written to only where it changes: each that is has to be kept for a cut first.
            let tracked = &context.devices[device as usize];
            if context.group_of[device as usize] == number {
                let Some(member) = event.members.get_mut(&device) else { continue };
                let had = suspect::has(&member.attributes, &key);
                let still = event.pooled && tracked.state.exceeds(event.signature, context.last, context.settings);
                if !had || (tracked.state.is_proved_good(context.last) && !still) {
                    member.left = Some(context.last);
                    context.devices[device as usize].leave_event(context.last);
                    context.group_of[device as usize] = 0;
                    left.push(device);
                }
            } else if context.group_of[device as usize] == 0
                && tracked.has(&key)
                && let Some(onset) = onset_in(event, tracked, context.last, context.settings)
            {
                join(event, device, onset, &mut context.devices[device as usize]);
                context.group_of[device as usize] = number;
                joined.push(device);
            }
        }
        let announced = event.is_announced();
        for (kind, who) in [(ChangeKind::Joined, joined), (ChangeKind::Left, left)] {
            // While it is recovered nobody joins aloud: should it relapse, all of them are named then.
            let silent = kind == ChangeKind::Joined && event.state == EventState::Recovered;
            if announced && !silent && !who.is_empty() {
                context.changes.push(event.change(kind, context.ids(who), context.now));
            }
        }
        self.absorb_lone(number, context);
    }

    /// Members have no clock of their own: their lone events end here. What people were told of one of them, they have been
    /// told of the group: it takes over the number and names what it took in.
    pub(super) fn absorb_lone(&mut self, number: u32, context: &mut TickContext<'_>) {
        let is_absorbed = |event: &Event| {
            event.lone_device().is_some_and(|device| event.key.is_none() && context.group_of[device as usize] == number)
        };
        let absorbed: Vec<Event> = self.open.extract_if(.., |event| is_absorbed(event)).collect();
        if absorbed.is_empty() {
            return;
        }
        let Some(group) = self.group(number) else { return };
        absorbed.iter().for_each(|event| group.take_over(event));
        if absorbed.iter().any(Event::is_announced) {
            let members = context.ids(group.present());
            context.changes.push(group.change(ChangeKind::Joined, members, context.now));
        }
    }

    /// Follows the share of affected devices that no fleet event explains.
    fn follow_background(&mut self, context: &TickContext<'_>) {
        let (affected, known) = context.census();
        if known == 0 {
            return;
        }
        let share = (affected as f64 / known as f64).min(BACKGROUND_MOST);
        let within = if share > self.background { BACKGROUND_RISE_MIN } else { BACKGROUND_FALL_MIN };
        self.background += (share - self.background) / within;
    }

    /// Opens an event for each device whose own clock has reached its first mark and that no group explains.
    fn open_lone(&mut self, context: &mut TickContext<'_>) {
        let busy: BTreeSet<u32> = self.open.iter().filter_map(Event::lone_device).collect();
        let first_mark = context.settings.warn_device_min.first().copied().unwrap_or(context.settings.hold_min);
        for &device in context.order {
            let DeviceClock { episode, past_full } = context.devices[device as usize].clock();
            let ripe = episode.filter(|e| e.full.is_some() || e.length_min() >= first_mark).or(past_full);
            let is_busy = context.group_of[device as usize] != 0 || busy.contains(&device);
            let (Some(episode), false) = (ripe, is_busy) else { continue };
            self.next_event += 1;
            let mut event = Event::new(self.next_event, Scope::Isolated, episode.start);
            join(&mut event, device, episode.start, &mut context.devices[device as usize]);
            self.open.push(event);
        }
    }

    /// Removes events that are over: never declared and recovered, or resolved.
    fn close_finished(&mut self, context: &mut TickContext<'_>) {
        let over: Vec<Event> = self
            .open
            .extract_if(.., |event| is_over(event, &context.devices, (context.last, context.settings)))
            .collect();
        for event in over {
            if event.state == EventState::Recovered {
                let everybody = context.ids(event.members.keys().copied());
                context.changes.push(event.change(ChangeKind::Resolved, everybody, context.now));
            }
            for &device in event.members.keys() {
                let tracked = &mut context.devices[device as usize];
                let is_good = tracked.state.is_proved_good(context.last);
                if event.key.is_some() {
                    tracked.leave_event(context.last);
                } else {
                    // What was looked at and found no hour is not looked at again, unless more of it comes in.
                    tracked.settle_past();
                    tracked.state.declared_through = tracked.state.declared_through.max(event.last_degraded);
                }
                tracked.state.in_event_since = None;
                tracked.remember_illness(&event, is_good, context.last);
            }
        }
    }
}

/// When the event reached a device that is not in it; `None` if it did not.
fn onset_in(event: &Event, tracked: &Tracked, last: Minute, settings: &Settings) -> Option<Minute> {
    if tracked.is_left_over(last) {
        // It was ill before; it is one of those devices if it fell ill again as they did.
        let reached =
            event.key.as_ref().and_then(|key| suspect::install_of(&tracked.attributes, key)).unwrap_or(event.began);
        return tracked.state.onset(last).filter(|onset| onset.since(reached) >= -suspect::VETO_MIN);
    }
    let by_sums = || (event.pooled && tracked.state.exceeds(event.signature, last, settings)).then_some(last);
    tracked.onset(last).or_else(by_sums)
}

/// Lets a device in; nothing is learnt of it from the first minute that counts on.
pub(super) fn join(event: &mut Event, device: u32, onset: Minute, tracked: &mut Tracked) {
    let from = event.join(device, onset, &tracked.attributes);
    let state = &mut tracked.state;
    state.in_event_since = Some(state.in_event_since.map_or(from, |since| since.min(from)));
}
