//! What a clock's reading means for people: warning, declaration, recovery, relapse, end.

use crate::engine::effect::EventState;
use crate::engine::effect::{ChangeKind, Forecast, NearMiss, StreakEnd, Verdict};
use crate::engine::settings::Settings;
use crate::engine::time::Minute;

use super::attributes;
use super::context::TickContext;
use super::event::{Clock, Event, RELAPSE_MIN};
use super::number::IncidentNumber;
use super::tracked::Tracked;

/// Chance that a streak of so many minutes fills the hour. Up to 45 min it was measured by the method's prototype on
/// episodes of real context-trip times (RIPE Atlas); at 55 min 14 of 14 did, which the rule of succession makes 0.94.
const CHANCE_OF_THE_HOUR: [(f64, f64); 7] =
    [(0.0, 0.0), (8.0, 0.26), (16.0, 0.51), (30.0, 0.76), (45.0, 0.86), (55.0, 0.94), (60.0, 1.0)];

/// Moves an event along its states by what its clock says.
pub(super) fn advance(event: &mut Event, clock: Clock, next_incident: &mut u32, context: &mut TickContext<'_>) {
    warn(event, &clock, context);
    let ended = clock.ended_full;
    if event.declared_at.is_none() && (clock.full || ended.is_some()) {
        declare(event, next_incident, context);
    }
    if let Some(device) = event.lone_device() {
        note_declared(&mut context.devices[device as usize], event, ended.is_some());
    }
    let back = clock.episode.is_some_and(|episode| episode.length_min() >= RELAPSE_MIN);
    match (event.state, clock.episode.is_some()) {
        (EventState::Declared, false) => recover(event, EventState::Recovered, context),
        (EventState::Pending, false) if event.warned_min > 0 => recover(event, EventState::Pending, context),
        (EventState::Recovered, true) if back => relapse(event, context),
        _ => {}
    }
    if event.state != EventState::Pending {
        for &index in event.members.keys() {
            if context.devices[index as usize].clock().past_full.is_some() {
                context.devices[index as usize].settle_past();
            }
        }
    }
}

/// Whether nothing more can come of the event: it recovered undeclared, or was quiet for the clear period.
pub(super) fn is_over(event: &Event, devices: &[Tracked], (last, settings): (Minute, &Settings)) -> bool {
    match event.state {
        EventState::Pending => event.episode.is_none() && event.streak_min > 0 || event.present().next().is_none(),
        EventState::Declared => false,
        EventState::Recovered => event.quiet_min(devices, last) >= settings.clear_min,
        EventState::Resolved => true,
    }
}

fn note_declared(tracked: &mut Tracked, event: &Event, ended: bool) {
    if event.declared_at.is_some() || ended {
        let state = &mut tracked.state;
        state.declared_through = state.declared_through.max(event.last_degraded);
    }
}

fn warn(event: &mut Event, clock: &Clock, context: &mut TickContext<'_>) {
    let Some(episode) = clock.episode.filter(|_| event.declared_at.is_none() && !clock.full) else { return };
    let marks = if event.key.is_some() { &context.settings.warn_group_min } else { &context.settings.warn_device_min };
    let passed = marks.iter().copied().filter(|mark| event.streak_min >= *mark).max().unwrap_or(0);
    if passed > event.warned_min && !episode.suspended {
        event.warned_min = passed;
        let members = context.ids(event.present());
        let mut change = event.change(ChangeKind::EarlyWarning, members, context.now);
        change.forecast = Some(forecast(event, context));
        change.damage = event.damage(&context.devices, context.last);
        context.changes.push(change);
    }
}

fn forecast(event: &Event, context: &TickContext<'_>) -> Forecast {
    let key = event.key.as_ref().filter(|key| key.kind.is_rolled_out());
    let scheduled = key.map_or(0, |key| {
        let may_come = |tracked: &&Tracked| !tracked.has(key) && attributes::may_still_get(&tracked.state.facts, key);
        context.devices.iter().filter(may_come).count() as u32
    });
    Forecast {
        chance: chance_of_the_hour(event.streak_min, context.settings.hold_min),
        declares_at: event.declares_at(context.settings, context.last),
        scheduled,
        at_risk: (f64::from(scheduled) * event.rate).round() as u32,
    }
}

/// The chance that a streak of `length_min` lasts `hold_min`: of its share of the hour, whatever the hour is set to.
fn chance_of_the_hour(length_min: u32, hold_min: u32) -> f64 {
    let at = 60.0 * f64::from(length_min.min(hold_min)) / f64::from(hold_min.max(1));
    let next = CHANCE_OF_THE_HOUR.iter().position(|(minutes, _)| *minutes >= at).unwrap_or(0).max(1);
    let ((x0, y0), (x1, y1)) = (CHANCE_OF_THE_HOUR[next - 1], CHANCE_OF_THE_HOUR[next]);
    ((y0 + (y1 - y0) * (at - x0) / (x1 - x0)) * 100.0).round() / 100.0
}

fn declare(event: &mut Event, next_incident: &mut u32, context: &mut TickContext<'_>) {
    *next_incident += 1;
    event.incident =
        Some(IncidentNumber::new(*next_incident, context.now, context.settings.offset_min(context.now.minute())));
    event.declared_at = Some(context.now);
    event.state = EventState::Declared;
    for index in event.members.keys() {
        let tracked = &mut context.devices[*index as usize];
        tracked.state.declared_through = tracked.state.declared_through.max(context.last);
        tracked.note_severity(context.settings);
    }
    event.measure_difference(&context.devices, context.order, context.last);
    let members = context.ids(event.present());
    let mut change = event.change(ChangeKind::Declared, members, context.now);
    change.proof = event.proof(&context.devices, event.last_degraded, context.settings);
    change.damage = event.damage(&context.devices, context.last);
    context.changes.push(change);
}

fn recover(event: &mut Event, next: EventState, context: &mut TickContext<'_>) {
    let undeclared = next == EventState::Pending;
    event.state = next;
    let members = context.ids(event.members.keys().copied());
    let mut change = event.change(ChangeKind::Recovered, members, context.now);
    if undeclared {
        change.near_miss = Some(near_miss(event, context));
        change.proof = event.proof(&context.devices, context.last, context.settings);
    }
    context.changes.push(change);
}

/// Why a streak that people had been warned of did not fill the hour.
fn near_miss(event: &Event, context: &TickContext<'_>) -> NearMiss {
    let (mut healthy_after, mut gaps_after, mut longest_gap) = (0, 0, 0);
    let mut minute = event.last_degraded.plus(1);
    let mut gap = 0;
    while minute <= context.last {
        let healthy = event.verdict_at(&context.devices, minute) == Verdict::Healthy;
        healthy_after += u32::from(healthy);
        gaps_after += u32::from(!healthy);
        gap = if healthy { 0 } else { gap + 1 };
        longest_gap = longest_gap.max(gap);
        minute = minute.plus(1);
    }
    let hold_min = context.settings.hold_min;
    let end = if event.streak_min >= hold_min {
        StreakEnd::Unproven
    } else if longest_gap > context.settings.max_gap_min {
        StreakEnd::Unknown
    } else {
        StreakEnd::Healthy
    };
    NearMiss { length_min: event.streak_min, hold_min, end, healthy_after, gaps_after }
}

/// Degraded again before it was resolved: the same incident, and whoever is in it is told to be back.
fn relapse(event: &mut Event, context: &mut TickContext<'_>) {
    event.state = EventState::Declared;
    let members = context.ids(event.present());
    context.changes.push(event.change(ChangeKind::Joined, members, context.now));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chance_grows_with_the_streak_and_follows_what_was_measured() {
        for (minutes, chance) in [(0, 0.0), (8, 0.26), (16, 0.51), (30, 0.76), (45, 0.86), (55, 0.94), (60, 1.0)] {
            assert_eq!(chance_of_the_hour(minutes, 60), chance, "{minutes}");
        }
        assert!((1..=60).all(|minutes| chance_of_the_hour(minutes, 60) >= chance_of_the_hour(minutes - 1, 60)));
        assert_eq!(chance_of_the_hour(45, 90), chance_of_the_hour(30, 60), "half of whatever the hour is");
        assert_eq!(chance_of_the_hour(99, 60), 1.0);
    }
}
