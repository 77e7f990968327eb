//! The morning report.

use maud::{Markup, html};

use super::params::{ReportError, ReportParams};
use crate::record::EventSummary;
use crate::record::report::{MorningReport, Silent};
use crate::web::ui::frame::{Place, framed};
use crate::web::ui::fresh::Fresh;
use crate::web::ui::parts::unreadable;
use crate::web::ui::parts::{self, encode, event_name, event_table};
use crate::web::ui::view::View;

/// Most silent devices that are named.
const SILENT: usize = 100;

pub(in crate::web) fn page(
    view: &View<'_>,
    params: &ReportParams,
    report: &Result<MorningReport, ReportError>,
) -> Markup {
    let text = view.night();
    let body = html! {
        h1 { (text.report) }
        form.filter method="get" action="/report" {
            @if view.lang_chosen { input type="hidden" name="lang" value=(view.lang.code()); }
            label { (text.since) input type="text" name="since" value=(params.since) placeholder="18:00" aria-describedby="hint"; }
            label { (text.until) input type="text" name="until" value=(params.until) aria-describedby="hint"; }
            button { (view.text().filter) }
        }
        p.note id="hint" { (text.moment_hint) }
        div id="report" data-live="" { @match report {
            Ok(report) => (found(view, report)),
            Err(ReportError::Moment(what)) => p { ((text.moment_wrong)(what)) },
            Err(ReportError::Backwards) => p { (text.backwards) },
            Err(ReportError::Store(error)) => p { (unreadable(view, error)) },
        } }
    };
    framed(view, text.report, Place::Report, Fresh::Parts { watch: "*", reload_s: None }, &body)
}

fn found(view: &View<'_>, report: &MorningReport) -> Markup {
    let text = view.night();
    let stamp = |at| view.zone.date_time(at, view.lang);
    html! {
        p { b { ((text.span)(&stamp(report.since), &stamp(report.until))) } }
        @if report.cut { p.note { (text.cut) } }
        dl.figures {
            (figure(text.major, report.major.len(), !report.major.is_empty()))
            (figure(text.isolated, report.isolated.len(), false))
            (figure(text.near_misses, report.near_misses.len(), false))
        }
        (events(view, "major", text.major, report, &report.major))
        (events(view, "isolated", text.isolated, report, &report.isolated))
        (near_misses(view, &report.near_misses))
        @if !report.warned.is_empty() { (events(view, "warned", text.warned, report, &report.warned)) }
        (longest(view, report))
        (suspects(view, report))
        @if let Some(silent) = &report.silent { (silent_devices(view, silent)) }
    }
}

fn figure(label: &str, count: usize, bad: bool) -> Markup {
    html! { div class=(if bad { "figure bad" } else { "figure" }) { dt { (label) } dd { b { (count) } } } }
}

fn events(view: &View<'_>, id: &str, title: &str, report: &MorningReport, events: &[EventSummary]) -> Markup {
    html! {
        section aria-labelledby=(id) {
            h2 id=(id) { (title) }
            @if events.is_empty() { p { (view.text().no_incidents) } } @else { (event_table(view, events, |event| report.lifecycle(event))) }
        }
    }
}

fn near_misses(view: &View<'_>, events: &[EventSummary]) -> Markup {
    let (text, night) = (view.text(), view.night());
    html! {
        section aria-labelledby="near" {
            h2 id="near" { (night.near_misses) }
            p.note { (night.near_misses_note) }
            @if events.is_empty() { p { (text.no_incidents) } } @else { table.cards {
                thead { tr {
                    th scope="col" { (text.incident) } th scope="col" { (text.impact_start) }
                    th scope="col" { (night.why) } th scope="col" { (text.affected) } th scope="col" { (text.suspect) }
                } }
                tbody { @for event in events { tr {
                    th scope="row" { (link(view, event_name(event.number.as_deref(), &event.event_id))) }
                    td data-label=(text.impact_start) { (view.date_time(event.impact_started_at)) }
                    td data-label=(night.why) { @match &event.near_miss {
                        Some(miss) => ((night.near_miss)(miss)), None => (night.unknown),
                    } }
                    td data-label=(text.affected) { ((text.devices_count)(event.affected)) }
                    td data-label=(text.suspect) {
                        @match &event.cause { Some(cause) => (parts::suspect(view.lang, &cause.suspect)), None => "-" }
                    }
                } } }
            } }
        }
    }
}

fn link(view: &View<'_>, name: &str) -> Markup {
    html! { a href=(view.link(&format!("/incidents/{}", encode(name)), "")) { (name) } }
}

fn longest(view: &View<'_>, report: &MorningReport) -> Markup {
    let night = view.night();
    html! {
        section aria-labelledby="longest" {
            h2 id="longest" { (night.longest) }
            @if report.longest.is_empty() { p { (view.text().no_incidents) } } @else { ol { @for streak in &report.longest { li {
                (link(view, &streak.name)) " " (view.duration(streak.streak_s))
                @if !streak.declared { " " span.note { "(" (night.not_declared) ")" } }
            } } } }
        }
    }
}

fn suspects(view: &View<'_>, report: &MorningReport) -> Markup {
    let (text, night) = (view.text(), view.night());
    html! {
        section aria-labelledby="suspects" {
            h2 id="suspects" { (night.suspects) }
            @if report.suspects.is_empty() { p { (text.no_incidents) } } @else { ul { @for count in &report.suspects { li {
                (parts::suspect(view.lang, &count.suspect)) ": " ((night.incidents)(count.incidents)) ", "
                ((text.devices_count)(count.devices)) " " span.note { "(" ((text.confidence)(&view.certainty(count.confidence))) ")" }
            } } } }
        }
    }
}

fn silent_devices(view: &View<'_>, silent: &[Silent]) -> Markup {
    let (text, night) = (view.text(), view.night());
    html! {
        section aria-labelledby="silent" {
            h2 id="silent" { (night.silent) }
            p.note { (night.silent_note) }
            @if silent.is_empty() { p { (text.no_incidents) } } @else { table.cards {
                thead { tr {
                    th scope="col" { (text.device) } th scope="col" { (text.branch) } th scope="col" { (text.last_report) }
                    th scope="col" { (text.state) }
                } }
                tbody { @for device in silent.iter().take(SILENT) { tr {
                    th scope="row" { (device.device) }
                    td data-label=(text.branch) { (parts::name_or(device.branch.as_deref(), text.no_branch)) }
                    td data-label=(text.last_report) { @match device.last_report_at {
                        Some(at) => (view.date_when(at)), None => "-",
                    } }
                    td data-label=(text.state) { (match (device.last_report_at, device.fell_silent) {
                        (None, _) => night.never_reported,
                        (_, true) => night.fell_silent,
                        (_, false) => night.silent_before,
                    }) }
                } } }
            } }
            @if silent.len() > SILENT { p { ((night.and_more)(silent.len() - SILENT)) } }
        }
    }
}
