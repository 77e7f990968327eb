//! What happened when to the events of the last day: the marks on the dashboards.
//!
//! A change is an instant, a scrape sees states. So each kind of change leaves the instant at which it last happened to an
//! event, as a gauge; Grafana draws a mark at the value. Of a kind that happens again (a warning at 15, 30, 45 minutes)
//! Prometheus has the earlier values.

use std::collections::BTreeMap;

use super::names;
use super::text::{Escaped, Millis, Text};
use crate::engine::effect::{Cause, Change, ChangeKind, Damage, Scope};
use crate::engine::time::Timestamp;

/// Engine time for which an event that nothing happens to is told.
const KEEP_MS: i64 = 24 * 3_600_000;

/// The kinds that leave a mark. Who joins and leaves shows in the number of members.
const MARKS: [ChangeKind; 5] = [
    ChangeKind::EarlyWarning,
    ChangeKind::Declared,
    ChangeKind::CauseChanged,
    ChangeKind::Recovered,
    ChangeKind::Resolved,
];

/// The events of the last day.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    events: BTreeMap<String, Told>,
}

#[derive(Debug)]
struct Told {
    last: Timestamp,
    declared: bool,
    marks: BTreeMap<&'static str, Mark>,
    damage: Vec<Damage>,
}

/// A kind of change, as the event was then.
#[derive(Debug)]
struct Mark {
    at: Timestamp,
    incident: Option<String>,
    scope: Scope,
    cause: Option<Cause>,
}

impl Timeline {
    /// Notes a change. Changes come in the order of their instants.
    pub(super) fn note(&mut self, change: &Change) {
        let told = self.events.entry(change.event_id.clone()).or_insert_with(|| Told {
            last: change.at,
            declared: false,
            marks: BTreeMap::new(),
            damage: Vec::new(),
        });
        told.last = change.at;
        told.declared |= change.incident.is_some();
        if !change.damage.is_empty() {
            told.damage.clone_from(&change.damage);
        }
        if MARKS.contains(&change.kind) {
            let Change { at, scope, .. } = *change;
            let mark = Mark { at, incident: change.incident.clone(), scope, cause: change.cause.clone() };
            told.marks.insert(change.kind.as_str(), mark);
        }
        self.forget(change.at);
    }

    /// Forgets what is older than a day and, when there is too much, what was never declared, the oldest first.
    fn forget(&mut self, now: Timestamp) {
        self.events.retain(|_, told| now.since_ms(told.last) < KEEP_MS);
        while self.events.len() > names::EVENTS_TOLD {
            let oldest = self.events.iter().min_by_key(|(_, told)| (told.declared, told.last));
            let Some(oldest) = oldest.map(|(id, _)| id.clone()) else { return };
            self.events.remove(&oldest);
        }
    }

    pub(super) fn write(&mut self, text: &mut Text, now: Timestamp) {
        self.forget(now);
        if self.events.is_empty() {
            return;
        }
        text.head(names::EVENT_CHANGE);
        for (id, told) in &self.events {
            for (kind, mark) in &told.marks {
                text.line(names::EVENT_CHANGE, &mark.labels(id, kind), Millis::new(mark.at.as_ms()));
            }
        }
        self.damage(text);
    }

    fn damage(&self, text: &mut Text) {
        let damage = || self.events.iter().flat_map(|(id, told)| told.damage.iter().map(move |damage| (id, damage)));
        let labels = |id: &str, damage: &Damage| {
            format!("class=\"{}\",event=\"{}\",test=\"{}\"", damage.class, Escaped(id), Escaped(&damage.test))
        };
        text.head(names::EVENT_DAMAGE);
        for (id, damage) in damage() {
            let shares = [("before", damage.share_before), ("during", Some(damage.share_during))];
            for (when, share) in shares {
                if let Some(share) = share {
                    let labels = format!("{},when=\"{when}\"", labels(id, damage));
                    text.line(names::EVENT_DAMAGE, &labels, share);
                }
            }
        }
        text.head(names::EVENT_DAMAGE_DEVICES);
        for (id, damage) in damage() {
            text.line(names::EVENT_DAMAGE_DEVICES, &labels(id, damage), u64::from(damage.devices));
        }
        text.head(names::EVENT_RULE);
        for (id, damage) in damage() {
            for rule in &damage.rules {
                for (when, per_hour) in [("before", rule.per_hour_before), ("during", rule.per_hour_during)] {
                    let labels = format!("{},rule=\"{}\",when=\"{when}\"", labels(id, damage), Escaped(&rule.rule));
                    text.line(names::EVENT_RULE, &labels, per_hour / 3_600.0);
                }
            }
        }
    }
}

impl Mark {
    fn labels(&self, event: &str, kind: &str) -> String {
        let suspect = self.cause.as_ref().map(|cause| &cause.suspect);
        format!(
            "cause=\"{}\",cause_kind=\"{}\",event=\"{}\",incident=\"{}\",kind=\"{kind}\",scope=\"{}\"",
            Escaped(suspect.map_or("", |suspect| &suspect.value)),
            Escaped(suspect.map_or("", |suspect| &suspect.kind)),
            Escaped(event),
            Escaped(self.incident.as_deref().unwrap_or("")),
            super::series::scope_name(self.scope),
        )
    }
}
