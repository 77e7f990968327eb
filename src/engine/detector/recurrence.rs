//! What people have been told of a device: an illness that comes again and is no worse is no news.
//!
//! A device over which an incident was closed, or one that is slow every night for reasons of its own, would otherwise be declared
//! night after night, and a few of them would accuse the update of that night. So what a declared event tells of a device is
//! remembered when the event is over: of a lone device, of those that are still ill when their fleet event has ended, and of those
//! that still have what the event was put down to. From then on a second clock runs beside the device's own, by the same rule, on
//! whether it is *worse than told*; for events only that one counts, and a device that is ill, but no worse, is no witness for or
//! against anything. It still becomes a member of a fleet event that others have proved. What is shown of the device is its own
//! clock, as ever.
//!
//! What ailed a lone device is known at the hours of the day at which it did, and for as long as it goes on from there. What is left
//! of a fleet event has its cause, and is known at any.
//!
//! How bad it was is kept by its delays and by how many times the usual they were; what is worse exceeds both, since some defects
//! add to a delay, others multiply it, and what is usual changes with the hour. Who has been well
//! for more than a day has come through the hours at which it was ill: the illness is forgotten. So is that of all who still have a
//! cause, once it has come back to a good part of them: then it is the event that comes again, not what was left of it.

use std::collections::BTreeMap;

use crate::engine::baseline;
use crate::engine::settings::Settings;
use crate::engine::suspect;
use crate::engine::time::Minute;

use super::context::TickContext;
use super::event::Event;
use super::known_illness::{DAY_H, DeviceClock, KnownIllness, Level, Uncured};
use super::membership::onset_of;
use super::tracked::{StepContext, Tracked};

/// How often an open event is asked how bad it is, in minutes.
const EVERY_MIN: u32 = 10;
const EVERY_HOUR: u32 = (1 << DAY_H) - 1;
/// Minutes with data and no illness after which it is forgotten: a day, and room for one that comes some hours later than the day
/// before.
const FORGET_MIN: u32 = 30 * 60;
/// Devices that were well when their event ended, and are ill again, that make the event come again: so many, and of the event's
/// devices at least one in so many; or so many that nobody would call them what was left of it.
const COME_AGAIN_LEAST: u32 = 3;
const COME_AGAIN_ONE_IN: u32 = 5;
const COME_AGAIN_SURELY: u32 = 10;

impl Tracked {
    /// What people were told of the device, once that is no news.
    fn known_illness(&self) -> Option<&KnownIllness> {
        self.known_illness.as_deref().filter(|told| told.is_in_force())
    }

    /// The clock that counts for events: the device's own, or how long it has been worse than told.
    pub(super) fn clock(&self) -> DeviceClock {
        let own = || DeviceClock { episode: self.state.episode, past_full: self.state.past_full };
        self.known_illness().map_or_else(own, |told| told.own)
    }

    /// Onset of what is news of the device at `last`; `None` when it is not affected, or not yet, or no worse than told.
    pub(super) fn onset(&self, last: Minute) -> Option<Minute> {
        match self.known_illness() {
            Some(told) => onset_of(told.own.episode, told.own.past_full, last),
            None => self.state.onset(last),
        }
    }

    /// Whether the device is ill, but no worse than people were told: no witness.
    pub(super) fn is_left_over(&self, last: Minute) -> bool {
        let is_ill = || self.state.episode.is_some() || !self.state.affected_by.is_empty();
        self.known_illness().is_some() && is_ill() && self.onset(last).is_none()
    }

    /// Whether the device can be asked who did it: it is affected, or known to be good.
    pub(super) fn is_witness(&self, last: Minute) -> bool {
        self.onset(last).is_some() || (self.state.is_known(last) && !self.is_left_over(last))
    }

    /// The declared event that the device is in tells how bad it is.
    pub(super) fn note_severity(&mut self, settings: &Settings) {
        let Some(episode) = self.state.episode else { return };
        let mut told = self.known_illness.take().unwrap_or_default();
        for (class, track) in self.state.classes.iter().enumerate() {
            let Some(track) = track else { continue };
            let mut level = Level::of(track, &episode, track.contrast.as_deref(), settings);
            if let Some(worse) = told.own.episode {
                // The whole of its illness may not show what has come to it.
                level = level.worst(Level::of(track, &worse, told.beyond[class].as_deref(), settings));
            }
            told.open_levels[class] = told.open_levels[class].worst(level);
        }
        let (from, to) = (episode.start, episode.last_degraded);
        for hour in baseline::local_hour(from, settings)..=baseline::local_hour(to, settings) {
            told.open_hours |= 1 << (hour % DAY_H);
        }
        self.known_illness = Some(told);
    }

    /// An hour that is over has been decided about.
    pub(super) fn settle_past(&mut self) {
        self.state.past_full = None;
        if let Some(told) = &mut self.known_illness {
            told.own.past_full = None;
        }
    }

    /// The device leaves a fleet event, or that is over: see [`State::leave_event`](super::State::leave_event).
    pub(super) fn leave_event(&mut self, last: Minute) {
        self.state.leave_event(last);
        if let Some(told) = &mut self.known_illness {
            told.own = DeviceClock::default();
        }
    }

    /// The event is over: what it told is no news from here on, of a lone device, of one that is not proved good, and of one that
    /// was not rid of the cause. Of the others nothing is left to be known.
    pub(super) fn remember_illness(&mut self, event: &Event, is_good: bool, last: Minute) {
        let cause = event.key.as_ref().filter(|key| key.kind.is_rolled_out() && self.has(key)).cloned();
        let Some(told) = self.known_illness.as_deref_mut().filter(|_| event.declared_at.is_some()) else { return };
        let was_known = told.is_in_force() && told.uncured.is_none();
        let devices = event.members.len() as u32;
        let uncured = cause.filter(|_| is_good && !was_known).map(|key| Uncured { key, event: event.number, devices });
        let hours = match (event.lone_device(), &uncured) {
            (Some(_), _) => told.hours | told.open_hours,
            (None, None) if is_good && was_known => told.hours,
            (None, None) if is_good => {
                self.known_illness = None;
                return;
            }
            (None, _) => EVERY_HOUR,
        };
        told.settle(hours, uncured, last);
    }

    /// Brings the second clock up to the newest closed minute.
    pub(super) fn settle_known_illness(&mut self, context: &StepContext<'_>) {
        let Some(told) = self.known_illness.as_deref_mut().filter(|told| told.is_in_force()) else { return };
        let last = context.before.plus(-1);
        let state = &mut self.state;
        state.past_full = None;
        told.running =
            state.episode.map(|episode| episode.start).filter(|start| told.is_hour(*start, context.settings));
        let is_ill = onset_of(state.episode, None, last).is_some();
        let from = state.settled_through.max(told.since.unwrap_or_default()).plus(1);
        told.run_clock((from, last), state.declared_through, context.settings);
        if !context.moved {
            return;
        }
        if is_ill {
            told.well_min = 0;
        } else if state.last_data == Some(last) {
            told.well_min += 1;
        }
        let is_cured = told.uncured.as_ref().is_some_and(|uncured| !suspect::has(&self.attributes, &uncured.key));
        if is_cured && state.episode.is_some() {
            // It was not that: the illness goes on without it.
            told.uncured = None;
        } else if is_cured || told.well_min >= FORGET_MIN {
            state.declared_through = state.declared_through.max(last);
            self.known_illness = None;
        }
    }
}

/// Forgets what was told of all who were not rid of a cause that has come back to many of them.
pub(super) fn forget_recurring(context: &mut TickContext<'_>) {
    let uncured = |tracked: &Tracked| {
        let uncured = tracked.known_illness()?.uncured.as_ref()?;
        Some((uncured.event, uncured.devices))
    };
    let mut ill: BTreeMap<u32, (u32, u32)> = BTreeMap::new();
    for tracked in context.devices.iter() {
        let Some((event, devices)) = uncured(tracked) else { continue };
        let (count, of) = ill.entry(event).or_default();
        *count += u32::from(tracked.is_left_over(context.last) && tracked.state.onset(context.last).is_some());
        *of = devices;
    }
    ill.retain(|_, (count, of)| {
        *count >= COME_AGAIN_SURELY || (*count >= COME_AGAIN_LEAST && *count * COME_AGAIN_ONE_IN >= *of)
    });
    for device in 0..context.devices.len() {
        if uncured(&context.devices[device]).is_some_and(|(event, _)| ill.contains_key(&event)) {
            context.devices[device].known_illness = None;
        }
    }
}

/// Whether an open event is asked at `last` how bad it is.
pub(super) fn notes_severity(event: &Event, last: Minute) -> bool {
    event.declared_at.is_some() && last.0.is_multiple_of(EVERY_MIN)
}
