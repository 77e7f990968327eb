//! Open events as text.

use std::collections::BTreeMap;

use super::names::{self, Metric};
use super::series::scope_name;
use super::text::{Escaped, Millis, Number, Text};
use crate::engine::effect::{EventState, Scope};
use crate::engine::snapshot::{EventView, Snapshot};

/// Totals of all open events, and the worst of them one by one.
pub(super) fn write(text: &mut Text, snapshot: &Snapshot) {
    let mut open: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for state in [EventState::Pending, EventState::Declared, EventState::Recovered] {
        for scope in [Scope::Fleet, Scope::Isolated] {
            open.insert((state.as_str(), scope_name(scope)), 0);
        }
    }
    for event in &snapshot.events {
        *open.entry((event.state.as_str(), scope_name(event.scope))).or_default() += 1;
    }
    text.head(names::EVENTS_OPEN);
    for ((state, scope), count) in open {
        text.line(names::EVENTS_OPEN, &format!("scope=\"{scope}\",state=\"{state}\""), count);
    }
    text.single(names::WORST_STREAK, snapshot.events.iter().map(|event| event.streak_s).max().unwrap_or(0));
    text.single(names::WORST_PROGRESS, snapshot.events.iter().map(progress).fold(0.0, f64::max));
    text.head(names::WORST_DUE);
    if let Some(due) = snapshot.events.iter().filter_map(|event| event.declares_at).min() {
        text.line(names::WORST_DUE, "", Millis::new(due.as_ms()));
    }
    let mut shown: Vec<&EventView> = snapshot.events.iter().collect();
    shown.sort_by_key(|event| std::cmp::Reverse((event.state != EventState::Pending, event.streak_s)));
    shown.truncate(names::EVENTS_WITH_SERIES);
    each_event(text, &shown);
}

fn each_event(text: &mut Text, shown: &[&EventView]) {
    text.head(names::EVENT);
    for event in shown {
        let (kind, value) =
            event.cause.as_ref().map_or(("", ""), |cause| (&*cause.suspect.kind, &*cause.suspect.value));
        let labels = format!(
            "cause=\"{}\",cause_kind=\"{}\",event=\"{}\",incident=\"{}\",scope=\"{}\",state=\"{}\"",
            Escaped(value),
            Escaped(kind),
            Escaped(&event.event_id),
            Escaped(event.incident.as_deref().unwrap_or("")),
            scope_name(event.scope),
            event.state.as_str(),
        );
        text.line(names::EVENT, &labels, true);
    }
    column(text, shown, names::EVENT_STREAK, |event| Some(event.streak_s));
    column(text, shown, names::EVENT_HOLD, |event| Some(event.hold_s));
    column(text, shown, names::EVENT_MEMBERS, |event| Some(event.members.len() as u64));
    column(text, shown, names::EVENT_STARTED, |event| Some(Millis::new(event.impact_started_at.as_ms())));
    column(text, shown, names::EVENT_DUE, |event| Some(Millis::new(event.declares_at?.as_ms())));
    column(text, shown, names::EVENT_DECLARED, |event| Some(event.state != EventState::Pending));
    column(text, shown, names::EVENT_SUSPENDED, |event| Some(event.suspended));
    column(text, shown, names::EVENT_CONFIDENCE, |event| Some(event.cause.as_ref()?.confidence));
}

fn column<N: Number>(text: &mut Text, shown: &[&EventView], metric: Metric, value: impl Fn(&EventView) -> Option<N>) {
    text.head(metric);
    for event in shown {
        if let Some(value) = value(event) {
            text.line(metric, &format!("event=\"{}\"", Escaped(&event.event_id)), value);
        }
    }
}

/// How far an event is on its way: 0 to 1.
fn progress(event: &EventView) -> f64 {
    if event.state != EventState::Pending || event.hold_s == 0 {
        return 1.0;
    }
    (event.streak_s as f64 / event.hold_s as f64).min(1.0)
}
