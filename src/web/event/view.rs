//! One event from its first warning to its end, and the list of them.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::evidence;
use crate::engine::device::DeviceId;
use crate::engine::effect::{Cause, Change, ChangeKind};
use crate::engine::snapshot::{EventView, Snapshot};
use crate::incident::Act;
use crate::incident::IncidentSummary;
use crate::record::open_items::Lifecycle;
use crate::record::{EventRecord, EventSummary, Membership, RecordedChange, StoreError};
use crate::web::gate::view as gate;
use crate::web::ui::frame::{Place, framed};
use crate::web::ui::fresh::Fresh;
use crate::web::ui::parts::unreadable;
use crate::web::ui::parts::{self, event_name, event_table};
use crate::web::ui::strip;
use crate::web::ui::view::View;

/// Seconds after which the list, and the page of an open event, reload without JavaScript.
const REFRESH_S: u32 = 30;

/// From this delay on, the timeline tells when a line was written beside when it was decided.
const WRITTEN_LATE_MS: i64 = 120_000;

/// Most lines of the timeline, the newest; the API has all.
const TIMELINE: usize = 500;

pub(in crate::web) fn list(
    view: &View<'_>,
    listed: Result<Vec<EventSummary>, StoreError>,
    lives: &[IncidentSummary],
) -> Markup {
    let text = view.text();
    let body = html! {
        h1 { (text.nav_incidents) }
        @match &listed {
            Ok(events) if events.is_empty() => p { (text.no_incidents) },
            Ok(events) => (event_table(view, events, |event| Lifecycle::among(event, lives))),
            Err(error) => p { (unreadable(view, error)) },
        }
    };
    framed(view, text.nav_incidents, Place::Incidents, Fresh::Whole(Some(REFRESH_S)), &body)
}

/// The page of the event with this number or event id, from the record and from the last snapshot; `None` when
/// neither has it. `can_declare`: somebody may make it a major incident by hand.
pub(in crate::web) fn page(
    view: &View<'_>,
    snapshot: &Snapshot,
    (id, can_declare): (&str, bool),
    record: Result<Option<EventRecord>, StoreError>,
) -> Option<Markup> {
    let text = view.text();
    let (record, note) = match record {
        Ok(record) => (record, None),
        Err(error) => (None, Some(unreadable(view, &error))),
    };
    let event_id = record.as_ref().map_or(id, |record| &record.event.event_id);
    let is_it = |event: &&EventView| event.event_id == event_id || event.incident.as_deref() == Some(event_id);
    let live = snapshot.events.iter().find(is_it);
    if record.is_none() && live.is_none() {
        // What cannot be read may be there: that is not the same as not found.
        let note = note?;
        return Some(framed(
            view,
            id,
            Place::Incidents,
            Fresh::Whole(Some(REFRESH_S)),
            &html! { h1 { (id) } p { (note) } },
        ));
    }
    let facts = Facts::new(record.as_ref(), live)?;
    let open = facts.lifecycle != Lifecycle::Ended && !facts.is_near_miss();
    let body = html! {
        h1 { (facts.name) " " (facts.badge(view)) }
        @if let Some(note) = note { p { (note) } }
        @else if record.is_none() { p.note { (text.not_recorded) } }
        @if let Some(event) = live { (parts::clock(view, event)) }
        (summary(view, &facts))
        @if can_declare && live.is_some_and(|event| event.incident.is_none()) && view.may_do(Act::Declare) {
            p.screen { a.button href=(view.link(&format!("/incidents/{}/do/declare", parts::encode(event_id)), "")) {
                ((view.lang.act().act)(Act::Declare)) } }
        }
        (evidence::suspect(view, record.as_ref().and_then(EventRecord::blamed).or_else(|| facts.cause())))
        @if let Some(record) = &record {
            @if !facts.is_near_miss() {
                section aria-labelledby="proof" {
                    h2 id="proof" { (text.proof) }
                    (strip::proof(view, proof_of(record)))
                }
            }
            (evidence::damage(view, evidence::newest_damage(record.changes.iter().map(|entry| &entry.change))))
            (timeline(view, &record.changes))
            (gate::recorded(view, &record.gates))
            (affected(view, snapshot, &record.devices))
        } @else if let Some(event) = live {
            (affected(view, snapshot, &members_of(event)))
        }
    };
    let title = format!("{} {}", text.incident, facts.name);
    Some(framed(view, &title, Place::Incidents, Fresh::Whole(open.then_some(REFRESH_S)), &body))
}

/// The event as the record tells it, and fresher where it is still open.
struct Facts<'a> {
    name: &'a str,
    lifecycle: Lifecycle,
    live: Option<&'a EventView>,
    event: Option<&'a EventSummary>,
}

impl<'a> Facts<'a> {
    /// `None` when neither the record nor the snapshot has the event.
    fn new(record: Option<&'a EventRecord>, live: Option<&'a EventView>) -> Option<Self> {
        let event = record.map(|record| &record.event);
        let number = live.and_then(|event| event.incident.as_deref());
        let number = number.or_else(|| event.and_then(|event| event.number.as_deref()));
        let event_id = live.map(|event| &*event.event_id).or_else(|| event.map(|event| &*event.event_id))?;
        let open = live.map(|event| Lifecycle::of_event(event.state, None));
        let lifecycle = open.or_else(|| event.map(|event| Lifecycle::of_record(event, None)))?;
        Some(Self { name: event_name(number, event_id), lifecycle, live, event })
    }

    /// The suspect, as of the last tick where the event is open.
    fn cause(&self) -> Option<&'a Cause> {
        let live = self.live.and_then(|event| event.cause.as_ref());
        live.or(self.event.and_then(|event| event.cause.as_ref()))
    }

    /// Whether it ended below the hour, and is not open again.
    fn is_near_miss(&self) -> bool {
        self.live.is_none() && self.event.is_some_and(|event| event.near_miss.is_some())
    }

    fn badge(&self, view: &View<'_>) -> Markup {
        parts::lifecycle_badge(view, self.lifecycle)
    }
}

fn summary(view: &View<'_>, facts: &Facts<'_>) -> Markup {
    let text = view.text();
    let Facts { live, event, .. } = *facts;
    let scope = live.map(|event| event.scope).or(event.map(|event| event.scope));
    let impact = live.map(|event| event.impact_started_at).or(event.map(|event| event.impact_started_at));
    let declared = event.and_then(|event| event.declared_at).or(live.and_then(|event| event.declared_at));
    let live_streak_s = live.map_or(0, |event| event.streak_s);
    let streak_s = live_streak_s.max(event.map_or(0, |event| event.streak_s));
    html! {
        dl.facts {
            dt { (text.suspect) } dd { (parts::cause(view, facts.cause())) }
            @if let Some(scope) = scope { dt { (text.scope) } dd { (parts::scope_word(text, scope)) } }
            @if let Some(at) = impact { dt { (text.impact_start) } dd { (view.date_time(at)) } }
            dt { (text.declared_at) }
            dd { @match declared {
                Some(at) => (view.date_time(at)),
                None if facts.is_near_miss() => (view.night().not_declared),
                None => (text.not_yet),
            } }
            @if let Some(at) = event.and_then(|i| i.recovered_at) {
                dt { (text.recovered_at) } dd { (view.date_time(at)) }
            }
            @if let Some(at) = event.and_then(|i| i.resolved_at) {
                dt { (text.resolved_at) } dd { (view.date_time(at)) }
            }
            dt { (text.duration) } dd { (view.duration(streak_s)) }
            @if let Some(miss) = event.and_then(|event| event.near_miss.as_ref()) {
                dt { (view.night().why) } dd { ((view.night().near_miss)(miss)) }
            }
            @if let Some(aliases) = event.map(|event| &event.aliases).filter(|aliases| !aliases.is_empty()) {
                dt { (view.night().aliases) } dd { (aliases.join(", ")) }
            }
            @if let Some(event) = live && !event.evidence.is_empty() {
                dt { (text.evidence) } dd { (parts::evidence(text, &event.evidence)) }
            }
        }
    }
}

/// The minutes of the newest declaration.
pub(in crate::web) fn proof_of(record: &EventRecord) -> &[crate::engine::effect::ProofMinute] {
    record.changes.iter().rev().map(|entry| &*entry.change.proof).find(|proof| !proof.is_empty()).unwrap_or_default()
}

/// The members of an event that is not in the record yet.
fn members_of(event: &EventView) -> Vec<Membership> {
    let joined_at = event.impact_started_at;
    event.members.iter().map(|device| Membership { device: device.clone(), joined_at, left_at: None }).collect()
}

/// Everyone who was a member, by branch: the branch is who looks after the device.
fn affected(view: &View<'_>, snapshot: &Snapshot, devices: &[Membership]) -> Markup {
    let text = view.text();
    let branch_of = |id: &DeviceId| {
        let index = snapshot.devices.binary_search_by(|device| device.id.cmp(id)).ok()?;
        snapshot.devices[index].branch.as_deref()
    };
    let mut by_branch: BTreeMap<Option<&str>, Vec<&Membership>> = BTreeMap::new();
    for membership in devices {
        by_branch.entry(branch_of(&membership.device)).or_default().push(membership);
    }
    let still = devices.iter().filter(|membership| membership.left_at.is_none()).count() as u64;
    // A handful is shown at once; hundreds are folded by branch.
    let unfolded = devices.len() <= 40;
    html! {
        section aria-labelledby="affected" {
            h2 id="affected" { (text.affected) }
            p { b { ((text.devices_count)(devices.len() as u64)) } " (" ((text.now_members)(still)) ")" }
            div.branches { @for (branch, members) in &by_branch {
                details.branch open[unfolded] {
                    summary { (parts::name_or(*branch, text.no_branch)) " "
                        span.note { ((text.devices_count)(members.len() as u64)) } }
                    ul.chips { @for membership in members { (chip(view, membership)) } }
                }
            } }
        }
    }
}

fn chip(view: &View<'_>, membership: &Membership) -> Markup {
    html! {
        li class=[membership.left_at.map(|_| "left")] {
            (membership.device)
            @if let Some(at) = membership.left_at { " " span.note { (view.text().left_note) " " (view.time_s(at)) } }
        }
    }
}

pub(in crate::web) fn timeline(view: &View<'_>, changes: &[RecordedChange]) -> Markup {
    let text = view.text();
    let newest = &changes[changes.len().saturating_sub(TIMELINE)..];
    html! {
        section aria-labelledby="timeline" {
            h2 id="timeline" { (text.timeline) }
            ol.timeline { @for entry in newest { li {
                div.when { (view.date_time(entry.change.at)) }
                div.what {
                    p { b { (what(view, &entry.change)) } " " span.note { (who(view, entry)) } }
                    @if matches!(entry.change.kind, ChangeKind::CauseChanged | ChangeKind::Declared) {
                        p { (parts::cause(view, entry.change.cause.as_ref())) }
                    }
                    @if let Some(forecast) = &entry.change.forecast { (evidence::forecast(view, forecast)) }
                    @if let Some(miss) = &entry.change.near_miss { p.note { ((view.night().near_miss)(miss)) } }
                    @if !entry.change.aliases.is_empty() {
                        p { ((view.night().change_aliases)(&entry.change.aliases.join(", "))) }
                    }
                    @if matches!(entry.change.kind, ChangeKind::Joined | ChangeKind::Left) {
                        (named(view, &entry.change.devices))
                    }
                }
            } } }
        }
    }
}

/// Who decided, and when it was written down if that was much later: after an outage of the database or of the detector.
fn who(view: &View<'_>, entry: &RecordedChange) -> String {
    let text = view.text();
    let actor = if entry.actor == "detector" { text.who_detector } else { &entry.actor };
    if entry.recorded_at.since_ms(entry.change.at) < WRITTEN_LATE_MS {
        return actor.to_owned();
    }
    format!("{actor}, {}", (text.written_at)(&view.zone.date_time(entry.recorded_at, view.lang)))
}

fn what(view: &View<'_>, change: &Change) -> String {
    let text = view.text();
    let devices = change.devices.len() as u64;
    match change.kind {
        ChangeKind::EarlyWarning => (text.change_early_warning)(&view.minutes(change.streak_s)),
        ChangeKind::Declared => (text.change_declared)(devices),
        ChangeKind::Joined => (text.change_joined)(devices),
        ChangeKind::Left => (text.change_left)(devices),
        ChangeKind::CauseChanged => text.change_cause.to_owned(),
        ChangeKind::Recovered if change.near_miss.is_some() => view.night().change_near_miss.to_owned(),
        ChangeKind::Recovered => text.change_recovered.to_owned(),
        ChangeKind::Resolved => text.change_resolved.to_owned(),
    }
}

/// The devices of a change: a few in the line, many folded.
fn named(view: &View<'_>, devices: &[DeviceId]) -> Markup {
    let names = devices.iter().map(DeviceId::as_str).collect::<Vec<_>>().join(", ");
    html! {
        @if devices.len() <= 8 { p.note { (names) } }
        @else { details { summary { (view.text().show_devices) } p.note { (names) } } }
    }
}
