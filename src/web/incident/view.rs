//! An incident as people work on it: where it stands, who does what, what is left.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use maud::{Markup, html};

use super::ladder::{self, LadderParams};
use super::parts::{path_of, state_badge};
use super::{act, burndown, countermeasure, followups, next, people, timeline};
use crate::engine::snapshot::Snapshot;
use crate::engine::time::Timestamp;
use crate::incident::Act;
use crate::incident::aggregate::Ended;
use crate::incident::closure::Obstacles;
use crate::incident::{Incident, Milestone, State};
use crate::record::incident::IncidentRecord;
use crate::record::incidents::OpenIncidents;
use crate::record::outbox::Attempt;
use crate::record::{EventRecord, StoreError};
use crate::web::event::{evidence, view as event};
use crate::web::gate::view as gate;
use crate::web::ui::frame::{Place, framed};
use crate::web::ui::fresh::Fresh;
use crate::web::ui::parts::{self, Tone, badge, encode};
use crate::web::ui::strip;
use crate::web::ui::view::View;

/// Seconds after which the page reloads where it cannot be kept live.
const REFRESH_S: u32 = 30;

/// Everything that the page shows.
pub(in crate::web) struct Shown<'a> {
    pub(in crate::web) incident: &'a Incident,
    pub(in crate::web) record: &'a IncidentRecord,
    pub(in crate::web) board: &'a OpenIncidents,
    /// `None` once it is over.
    pub(in crate::web) obstacles: Option<&'a Obstacles>,
    /// `None` where nothing is sent.
    pub(in crate::web) attempts: Option<&'a Result<Vec<Attempt>, StoreError>>,
    /// What the detector wrote about it.
    pub(in crate::web) detected: Result<Option<&'a EventRecord>, &'a StoreError>,
    pub(in crate::web) snapshot: &'a Snapshot,
    pub(in crate::web) params: &'a LadderParams,
}

/// The page of an incident.
pub(in crate::web) fn page(view: &View<'_>, shown: &Shown<'_>) -> Markup {
    let Shown { incident, board, snapshot, .. } = *shown;
    let path = path_of(incident);
    let live = snapshot.events.iter().find(|event| incident.event_ids.contains(&event.event_id));
    let body = html! {
        (head(view, incident, board))
        div id="clock" data-live="" { @if let Some(event) = live.filter(|_| incident.is_open()) { (parts::clock(view, event)) } }
        (standing(view, shown, &path))
        (people::section(view, incident, Some(&board.rota), &path))
        (burndown::section(view, incident, &board.settings))
        (ladder::section(view, incident, &path))
        (followups::section(view, incident, &board.settings, &path))
        (countermeasure::section(view, incident, &path))
        (milestones(view, incident, &path))
        (timeline::section(view, shown.record, &path))
        (timeline::delivery(view, shown.attempts))
        (ladder::devices(view, incident, (&path, shown.params), false))
        div id="detected" data-live="" { (detected(view, shown)) }
        (exports(view, incident))
    };
    let title = format!("{} {}", incident.number(), (view.lang.incident().state)(incident.state));
    let refresh = incident.is_open().then_some(REFRESH_S);
    framed(view, &title, Place::Incidents, Fresh::Parts { watch: incident.number(), reload_s: refresh }, &body)
}

fn head(view: &View<'_>, incident: &Incident, board: &OpenIncidents) -> Markup {
    let text = view.lang.incident();
    let link = |number: &str| html! { a href=(view.link(&format!("/incidents/{}", encode(number)), "")) { (number) } };
    html! {
        div id="head" data-live="" {
            h1 { (incident.number()) " " (state_badge(view, incident.state)) }
            p { (parts::scope_word(view.text(), incident.scope)) ", " (parts::cause(view, incident.cause.as_ref())) }
            p.impact { b { (impact(view, incident)) } }
            (next::line(view, incident, &board.settings))
            @match &incident.ended {
                Some(Ended::Demoted { reason }) => p { (badge(Tone::Unknown, &(text.demoted)(reason))) },
                Some(Ended::Merged { into }) => p { (badge(Tone::Unknown, text.merged_into)) " " (link(into)) },
                None => {}
            }
            @if !incident.aliases.is_empty() {
                p.note { (view.night().aliases) ": " (incident.aliases.iter().cloned().collect::<Vec<_>>().join(", ")) }
            }
            @if let Some(before) = &incident.opening.follows { p.note { (text.follows) " " (link(before)) } }
            @for after in &incident.followed_by { p { (text.followed_by) " " (link(after)) } }
            (states(view, incident))
        }
    }
}

/// How long, how many, and where: what everybody asks first.
fn impact(view: &View<'_>, incident: &Incident) -> String {
    let text = view.lang.incident();
    let at = |instant| view.zone.date_time(instant, view.lang);
    let start = incident.opening.impact_started_at;
    let lasting = |end: Timestamp| view.duration(u64::try_from(end.since_ms(start)).unwrap_or(0) / 1_000);
    let when = match incident.milestones.get(Milestone::Mitigated).filter(|_| incident.way.is_back()) {
        Some(end) => (text.impact_lasted)(&at(start), &at(end), &lasting(end)),
        None => (view.text().since)(&at(start), &lasting(view.now)),
    };
    let mut branches: BTreeMap<&str, u32> = BTreeMap::new();
    for (_, rung) in incident.ladder.iter() {
        *branches.entry(rung.branch.as_deref().unwrap_or("-")).or_default() += 1;
    }
    let mut worst: Vec<_> = branches.iter().collect();
    worst.sort_by_key(|(name, count)| (Reverse(**count), **name));
    let named: Vec<String> = worst.iter().take(3).map(|(name, count)| format!("{name} ({count})")).collect();
    let devices = (view.text().not_done)(incident.open_devices().count() as u64, incident.ladder.len() as u64);
    format!("{when} {devices} {}", (text.in_branches)(branches.len(), &named.join(", ")))
}

/// The eight states in their order: which are behind, which is now, which are to come. Steps may be skipped.
fn states(view: &View<'_>, incident: &Incident) -> Markup {
    let text = view.lang.incident();
    html! {
        ol.states aria-label=(text.states) { @for state in State::ALL {
            @let (class, mark, word) = match state.cmp(&incident.state) {
                std::cmp::Ordering::Less => ("behind", "\u{2713}", text.state_done),
                std::cmp::Ordering::Equal => ("here", "\u{25cf}", text.state_now),
                std::cmp::Ordering::Greater => ("ahead", "\u{25cb}", text.state_ahead),
            };
            @let reached = incident.way.reached(state).filter(|_| class != "ahead");
            @let mark = if class == "behind" && reached.is_none() { "\u{2013}" } else { mark };
            li class=(class) aria-current=[(class == "here").then_some("step")] {
                span.mark aria-hidden="true" { (mark) } span.hidden { (word) ": " }
                b { ((text.state)(state)) }
                @if let Some(at) = reached { span.note { (view.time_s(at)) } }
            }
        } }
        p { ((text.state_meaning)(incident.state)) }
    }
}

/// What is in the way, and what can be done.
fn standing(view: &View<'_>, shown: &Shown<'_>, path: &str) -> Markup {
    let text = view.lang.incident();
    let incident = shown.incident;
    let due = incident.review_due_at(&shown.board.settings).filter(|_| incident.state == State::Resolved);
    html! {
        section id="standing" data-live="" aria-labelledby="standing-title" {
            @if let Some(obstacles) = shown.obstacles {
                h2 id="standing-title" { (text.obstacles) }
                (followups::obstacles(view, incident, obstacles))
                @if let Some(due) = due { p { ((text.review_due)(&view.date_relative(due))) } }
            } @else { h2 id="standing-title" { (text.review) } }
            (actions(view, incident, path))
        }
    }
}

/// Links to the forms. Who may not is not shown them.
fn actions(view: &View<'_>, incident: &Incident, path: &str) -> Markup {
    let text = view.lang.act();
    let button = |act: Act| {
        html! {
            a.button href=(view.link(&format!("{path}/do/{}", act.as_str()), "")) { ((text.act)(act)) }
        }
    };
    let offered = |acts| act::offered(view, incident, acts);
    let grave = offered(&act::GRAVE);
    html! {
        nav.taps.screen aria-label=(text.actions) {
            @for act in offered(&act::COMMON) { (button(act)) }
            a.button href=(view.link(&format!("{path}/review"), "")) { (view.lang.incident().review) }
        }
        @if !grave.is_empty() {
            details.grave.screen {
                summary { (view.lang.incident().grave) }
                div.taps { @for act in grave { (button(act)) } }
            }
        }
    }
}

fn milestones(view: &View<'_>, incident: &Incident, path: &str) -> Markup {
    let text = view.lang.incident();
    let declared = incident.opening.declared_at;
    let hours = |seconds: u64| view.duration(seconds);
    html! {
        section id="milestones" data-live="" aria-labelledby="milestones-title" {
            h2 id="milestones-title" { (text.milestones) }
            dl.facts { @for milestone in in_order(incident) {
                dt { ((text.milestone)(milestone)) }
                dd { @match incident.milestones.get(milestone) {
                    None => span.note { (view.text().not_yet) },
                    Some(at) => {
                        (view.date_time(at)) " "
                        @let apart = at.since_ms(declared) / 1_000;
                        @if milestone == Milestone::Declared {
                            span.note { ((text.criterion)(&hours(incident.opening.criterion_s), &hours(incident.opening.measured_s))) }
                        } @else if apart > 0 { span.note { ((text.after_declaration)(&hours(apart.unsigned_abs()))) } }
                        @else { span.note { ((text.before_declaration)(&hours(apart.unsigned_abs()))) } }
                        @if milestone == Milestone::Mitigated { (lapses(view, incident)) }
                    }
                } }
            } }
            p.note { (text.milestones_note)
                @if incident.is_open() && view.may_do(Act::CorrectTime) {
                    " " a.screen href=(view.link(&format!("{path}/do/correct_time"), "")) { ((view.lang.act().act)(Act::CorrectTime)) }
                }
            }
        }
    }
}

/// The milestones as they came, then those that are ahead.
fn in_order(incident: &Incident) -> Vec<Milestone> {
    let mut milestones = Milestone::ALL.to_vec();
    milestones.sort_by_key(|milestone| incident.milestones.get(*milestone).map_or(i64::MAX, |at| at.as_ms()));
    milestones
}

/// When the quality was lost again, beside the first time that it was back.
fn lapses(view: &View<'_>, incident: &Incident) -> Markup {
    let text = view.lang.incident();
    let at = |instant| view.zone.date_time(instant, view.lang);
    html! { @for lapse in incident.way.lapses() { p.note { (match lapse.back_at {
        Some(back) => (text.lapsed)(&at(lapse.lost_at), &at(back)),
        None => (text.lapses)(&at(lapse.lost_at)),
    }) } } }
}

/// What the detector wrote: evidence, proof, damage, its decisions, those about updates.
fn detected(view: &View<'_>, shown: &Shown<'_>) -> Markup {
    let text = view.lang.incident();
    let record = match shown.detected {
        Ok(Some(record)) => record,
        Ok(None) => return html! {},
        Err(error) => return html! { p { (parts::unreadable(view, error)) } },
    };
    html! {
        (evidence::suspect(view, record.blamed()))
        section aria-labelledby="proof" {
            h2 id="proof" { (view.text().proof) }
            (strip::proof(view, event::proof_of(record)))
        }
        (evidence::damage(view, evidence::newest_damage(record.changes.iter().map(|entry| &entry.change))))
        (gate::recorded(view, &record.gates))
        details {
            summary { (text.detector_record) " (" (record.changes.len()) ")" }
            (event::timeline(view, &record.changes))
        }
    }
}

/// Where programs read the same.
fn exports(view: &View<'_>, incident: &Incident) -> Markup {
    let path = format!("/api/v1/incidents/{}/export", encode(incident.number()));
    html! {
        p.screen { (view.lang.incident().export) ": "
            a href=(format!("{path}?format=json")) { "JSON" } ", "
            a href=(format!("{path}?format=csv")) { "CSV" }
        }
    }
}
