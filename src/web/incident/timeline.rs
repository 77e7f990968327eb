//! The record of an incident as people read it, and what was sent because of it.

use maud::{Markup, html};

use super::countermeasure::lines;
use crate::engine::device::DeviceId;
use crate::incident::{Action, CLOCK, DETECTOR, TELEMETRY};
use crate::record::StoreError;
use crate::record::incident::{IncidentRecord, RecordedIncidentEvent};
use crate::record::outbox::{Attempt, Outcome};
use crate::web::ui::parts::{Tone, badge};
use crate::web::ui::view::View;
use crate::words::pages::story::tell;

/// Lines on the incident's page, and on a page of the record.
const NEWEST: usize = 30;
const PAGE: usize = 200;

/// From this delay on, a line tells when it was written beside when it happened.
const WRITTEN_LATE_MS: i64 = 120_000;

/// Whether a person did it.
fn is_by_person(by: &str) -> bool {
    ![DETECTOR, TELEMETRY, CLOCK].contains(&by)
}

/// The newest lines, with a way to all of them.
pub(in crate::web) fn section(view: &View<'_>, record: &IncidentRecord, path: &str) -> Markup {
    let text = view.lang.incident();
    html! {
        section id="record" data-live="" aria-labelledby="record-title" {
            h2 id="record-title" { (text.record) }
            (list(view, record.events.iter().rev().take(NEWEST)))
            p.screen { a href=(view.link(&format!("{path}/record"), "")) { (text.record_whole) } " (" (record.events.len()) ")" }
        }
    }
}

/// A page of the record, the newest first, from before the entry of this number on. `people`: without what machines wrote.
pub(in crate::web) fn page(
    view: &View<'_>,
    record: &IncidentRecord,
    path: &str,
    (before, people): (Option<i64>, bool),
) -> Markup {
    let text = view.lang.incident();
    let wanted = |entry: &&RecordedIncidentEvent| {
        before.is_none_or(|before| entry.seq < before) && (!people || is_by_person(&entry.event.by))
    };
    let mut shown: Vec<&RecordedIncidentEvent> = record.events.iter().rev().filter(wanted).take(PAGE + 1).collect();
    let more = shown.len() > PAGE;
    shown.truncate(PAGE);
    let own = format!("{path}/record");
    let query = |before: Option<i64>, people: bool| {
        let parts = [before.map(|before| format!("before={before}")), people.then(|| "by=people".to_owned())];
        parts.into_iter().flatten().collect::<Vec<_>>().join("&")
    };
    html! {
        p.screen {
            a href=(view.link(&own, &query(None, false))) aria-current=[(!people).then_some("true")] { (text.record_all) } " | "
            a href=(view.link(&own, &query(None, true))) aria-current=[people.then_some("true")] { (text.record_people) }
        }
        (list(view, shown.iter().copied()))
        p.paging {
            @if before.is_some() { a href=(view.link(&own, &query(None, people))) { (text.newest) } }
            @if let Some(last) = shown.last().filter(|_| more) {
                a rel="next" href=(view.link(&own, &query(Some(last.seq), people))) { (text.older) }
            }
        }
    }
}

fn list<'a>(view: &View<'_>, entries: impl Iterator<Item = &'a RecordedIncidentEvent>) -> Markup {
    let at = |instant| view.zone.date_time(instant, view.lang);
    html! {
        ol.timeline { @for entry in entries { li {
            div.when { (view.date_time(entry.event.at)) }
            div.what {
                p { b { (tell(view.lang, &entry.event.action, &at)) } " " span.note { (who(view, entry)) } }
                @if let Some(text) = entry.event.action.text() { p.said { (lines(text)) } }
                (devices(view, named(&entry.event.action)))
            }
        } } }
    }
}

fn who(view: &View<'_>, entry: &RecordedIncidentEvent) -> String {
    let text = view.lang.incident();
    let by = match &*entry.event.by {
        DETECTOR => view.text().who_detector,
        TELEMETRY => text.who_telemetry,
        CLOCK => text.who_clock,
        person => person,
    };
    if entry.recorded_at.since_ms(entry.event.at) < WRITTEN_LATE_MS {
        return by.to_owned();
    }
    format!("{by}, {}", (view.text().written_at)(&view.zone.date_time(entry.recorded_at, view.lang)))
}

/// The devices that an entry is about, where its sentence tells only how many.
fn named(action: &Action) -> Vec<&DeviceId> {
    let says_which = matches!(
        action,
        Action::Opened(_)
            | Action::Absorbed { .. }
            | Action::Called { .. }
            | Action::Excepted { .. }
            | Action::ExceptionLifted { .. }
    );
    if says_which { Vec::new() } else { action.devices() }
}

fn devices(view: &View<'_>, devices: Vec<&DeviceId>) -> Markup {
    let names = || devices.iter().map(|device| device.as_str()).collect::<Vec<_>>().join(", ");
    html! {
        @if (1..=8).contains(&devices.len()) { p.note { (names()) } }
        @else if devices.len() > 8 { details { summary { (view.text().show_devices) } p.note { (names()) } } }
    }
}

/// What was sent, the latest first. `None`: there is nothing that sends.
pub(in crate::web) fn delivery(view: &View<'_>, attempts: Option<&Result<Vec<Attempt>, StoreError>>) -> Markup {
    let text = view.lang.incident();
    html! {
        section id="delivery" data-live="" aria-labelledby="delivery-title" {
            h2 id="delivery-title" { (text.delivery) }
            @match attempts {
                None => p { (badge(Tone::Unknown, text.delivery_off)) },
                Some(Err(error)) => p { (crate::web::ui::parts::unreadable(view, error)) },
                Some(Ok(attempts)) if attempts.is_empty() => p { (text.delivery_none) },
                Some(Ok(attempts)) => { (log(view, attempts)) }
            }
        }
    }
}

fn log(view: &View<'_>, attempts: &[Attempt]) -> Markup {
    let text = view.lang.incident();
    html! {
        table.cards {
            thead { tr {
                th scope="col" { (text.when) } th scope="col" { (text.about) } th scope="col" { (text.channel) }
                th scope="col" { (text.receiver) } th scope="col" { (text.result) }
            } }
            tbody { @for attempt in attempts { tr {
                th scope="row" { (view.time_s(attempt.at)) }
                td data-label=(text.about) { code { (attempt.kind) } }
                td data-label=(text.channel) { (attempt.channel) }
                td data-label=(text.receiver) { (attempt.target) }
                td data-label=(text.result) { (outcome(view, &attempt.outcome)) }
            } } }
        }
    }
}

fn outcome(view: &View<'_>, outcome: &Outcome) -> Markup {
    let text = view.lang.incident();
    match outcome {
        Outcome::Sent { .. } => badge(Tone::Good, text.sent),
        Outcome::Retry { error, retry_at } => html! {
            (badge(Tone::Warn, text.undelivered)) " "
            span.note { span lang="en" { (error) } "; " ((text.retry_at)(&view.zone.time_s(*retry_at))) }
        },
        Outcome::Failed { error } => html! {
            (badge(Tone::Bad, text.given_up)) " " span.note lang="en" { (error) }
        },
    }
}
