//! One device: what it is, how it is, which incidents it is and was part of, who called about it.

use maud::{Markup, html};

use super::history;
use crate::engine::detector::DeviceHistory;
use crate::engine::device::DeviceId;
use crate::engine::fleet::Refused;
use crate::engine::snapshot::DeviceView;
use crate::incident::{Action, Incident, Rung};
use crate::record::access::Action as Right;
use crate::record::incident::{ContactEntry, RecordedIncidentEvent};
use crate::record::incidents::IncidentFile;
use crate::record::{EventRecord, StoreError};
use crate::web::event::evidence;
use crate::web::incident::ladder::step_badge;
use crate::web::incident::parts::{path_of, state_badge};
use crate::web::ui::frame::{Place, framed};
use crate::web::ui::fresh::Fresh;
use crate::web::ui::parts::{self, badge, verdict_badge};
use crate::web::ui::strip;
use crate::web::ui::view::View;
use crate::words::pages::{refused_reason, story};

/// Seconds after which the page reloads where it cannot be kept live.
const REFRESH_S: u32 = 30;

/// What is known of a device.
pub(in crate::web) struct Known<'a> {
    pub(in crate::web) device: &'a DeviceId,
    pub(in crate::web) branch: Option<&'a str>,
    pub(in crate::web) seen: Option<&'a DeviceView>,
    pub(in crate::web) contact: Option<&'a ContactEntry>,
    /// Incidents that it is or was part of, the latest first.
    pub(in crate::web) files: &'a [IncidentFile],
    /// What the detector wrote about the latest of them.
    pub(in crate::web) detected: Option<&'a Result<Option<EventRecord>, StoreError>>,
    /// Its last hours; `None` where no minutes are kept, `Some(None)` where none of it are known.
    pub(in crate::web) history: Option<Option<&'a DeviceHistory>>,
    /// The traffic class of which they are drawn; empty: the worst.
    pub(in crate::web) class: &'a str,
}

/// The page of a device.
pub(in crate::web) fn page(view: &View<'_>, known: &Known<'_>) -> Markup {
    let text = view.lang.support();
    let may = view.principal.is_some_and(|who| who.may_on(Right::SeeContacts, known.device));
    let body = html! {
        div id="device" data-live="" {
            h1 { (known.device) " " @if let Some(seen) = known.seen { (verdict_badge(view.text(), seen.verdict)) } }
            @if view.may(Right::Work) {
                p.screen { a.button href=(view.link("/support", &format!("q={}", known.device))) { (text.title) } }
            }
            (facts(view, known, may))
        }
        @if let Some(known_hours) = known.history { (history::section(view, known.device, known_hours, known.class)) }
        section id="incidents" data-live="" aria-labelledby="incidents-title" {
            h2 id="incidents-title" { (text.incidents) }
            @if known.files.is_empty() { p { (text.no_incidents) } }
            @for file in known.files {
                @if let Some(rung) = file.incident.ladder.get(known.device) { (part(view, file, known.device, rung)) }
            }
        }
        div id="measured" data-live="" { @match known.detected {
            Some(Ok(Some(record))) => (measured(view, record)),
            Some(Err(error)) => p { (parts::unreadable(view, error)) },
            _ => {}
        } }
    };
    framed(view, known.device.as_str(), Place::Devices, Fresh::Parts { watch: "*", reload_s: Some(REFRESH_S) }, &body)
}

fn facts(view: &View<'_>, known: &Known<'_>, may: bool) -> Markup {
    let text = view.lang.support();
    let words = view.text();
    let seen = known.seen;
    let label = |of: fn(&DeviceView) -> Option<&str>| parts::name_or(seen.and_then(of), "-");
    html! {
        dl.facts {
            dt { (words.branch) } dd { @match known.branch {
                Some(branch) => a href=(view.link(&format!("/branches/{}", parts::encode(branch)), "")) { (parts::name(branch)) },
                None => (words.no_branch),
            } }
            dt { (text.contact) } dd { (crate::web::support::contact::line(view, known.contact, may)) }
            dt { (words.model) } dd { (label(|d| d.model.as_deref())) }
            dt { (text.firmware) } dd { (label(|d| d.firmware.as_deref())) }
            dt { (words.update) } dd { (label(|d| d.update.as_deref())) }
            @if let Some(device) = seen {
                dt { (text.setting) } dd { (match device.workaround_active {
                    Some(true) => text.setting_on, Some(false) => text.setting_off, None => text.setting_unknown,
                }) }
                dt { (words.latency) } dd { @match device.latency_us {
                    Some(q) => { (evidence::delay(u64::from(q.p50))) " / " (evidence::delay(u64::from(q.p95))) } None => "-" } }
                dt { (words.false_positives) } dd { @match device.false_positive_ratio {
                    Some(ratio) => (format!("{:.1} %", ratio * 100.0)), None => "-" } }
                dt { (words.streak) } dd { @if device.streak_s > 0 { (view.duration(device.streak_s)) } @else { "-" } }
                @if !device.evidence.is_empty() { dt { (words.evidence) } dd { (parts::evidence(words, &device.evidence)) } }
                dt { (words.last_report) } dd { @match device.last_report_at { Some(at) => (view.when(at)), None => "-" } }
                @if let Some(refused) = &device.refused {
                    dt { (text.unread) } dd { (badge(parts::Tone::Bad, &refusals(view, refused))) }
                }
                @if let Some(over) = device.over_budget {
                    dt { (text.over_budget) } dd { (badge(parts::Tone::Bad, &(text.over_budget_of)(over.messages, &view.zone.date_time(over.last, view.lang)))) }
                }
            }
        }
    }
}

/// Which messages are refused, why, and since when.
pub(in crate::web) fn refusals(view: &View<'_>, refused: &Refused) -> String {
    let at = |instant| view.zone.date_time(instant, view.lang);
    let why = &refused_reason(view.lang, refused.reason);
    (view.lang.support().unread_of)(why, refused.field, refused.messages, &at(refused.since), &at(refused.last))
}

/// The device's way in one incident, and the calls about it.
fn part(view: &View<'_>, file: &IncidentFile, device: &DeviceId, rung: &Rung) -> Markup {
    let incident: &Incident = &file.incident;
    let own = |entry: &&RecordedIncidentEvent| entry.event.action.devices().contains(&device);
    let at = |instant| view.zone.date_time(instant, view.lang);
    html! {
        article.event {
            h3 { @if view.may(Right::See) { a href=(view.link(&path_of(incident), "")) { (incident.number()) } } @else { (incident.number()) }
                " " (state_badge(view, incident.state)) " " (step_badge(view, rung))
                @if rung.relapses > 0 { " " (badge(parts::Tone::Bad, &(view.lang.incident().relapsed)(rung.relapses))) }
            }
            ol.timeline {
                li { div.when { (view.date_time(rung.joined_at)) } div.what { p { b { (view.lang.support().affected) } } } }
                @for entry in file.record.events.iter().filter(own) { li {
                    div.when { (view.date_time(entry.event.at)) }
                    div.what {
                        p { b { (sentence(view, &entry.event.action, &at)) } " " span.note { (parts::name(&entry.event.by)) } }
                        @if let Some(text) = entry.event.action.text() { p.said { (crate::web::incident::countermeasure::lines(text)) } }
                    }
                } }
            }
        }
    }
}

/// What an entry says of this one device: not of how many it spoke.
fn sentence(view: &View<'_>, action: &Action, at: story::Instants<'_>) -> String {
    let text = view.lang.incident();
    match action {
        Action::Claimed { claim, .. } => (text.claimed)((text.claim)(*claim)),
        Action::Proved { proof, .. } => (text.proof)(*proof).to_owned(),
        action => story::tell(view.lang, action, at),
    }
}

/// Delay before and during, and the minutes of the hour, as the incident's record has them.
fn measured(view: &View<'_>, record: &EventRecord) -> Markup {
    let text = view.lang.support();
    let damage = evidence::newest_damage(record.changes.iter().map(|entry| &entry.change));
    html! {
        @if damage.iter().any(|pair| pair.latency_during.is_some()) {
            section aria-labelledby="distribution" {
                h2 id="distribution" { (text.distribution) }
                p.note { (text.distribution_note) }
                @for pair in damage { (evidence::distributions(view, pair)) }
            }
        }
        section aria-labelledby="verdicts" {
            h2 id="verdicts" { (text.verdicts) }
            p.note { (text.verdicts_note) }
            (strip::proof(view, crate::web::event::view::proof_of(record)))
        }
    }
}
