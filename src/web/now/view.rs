//! Is anything wrong?

use maud::{Markup, html};

use super::trend;
use crate::engine::snapshot::{EventView, Snapshot};
use crate::incident::IncidentSummary;
use crate::record::channel_health::ChannelsHealth;
use crate::record::fleet::Trend;
use crate::record::incidents::OpenIncidents;
use crate::record::open_items::{self, Lifecycle, OpenItem};
use crate::record::{EventSummary, GateBoard, StoreError};
use crate::web::gate::view as gate;
use crate::web::incident::{burndown, parts as incident, people};
use crate::web::server::health::Latch;
use crate::web::settings::channels;
use crate::web::ui::frame::{Place, framed};
use crate::web::ui::fresh::{self, Fresh};
use crate::web::ui::parts::{self, Tone, banner, encode, event_name, event_table};
use crate::web::ui::view::View;
use crate::words::names;

/// Seconds after which the page reloads.
const REFRESH_S: u32 = 10;

/// Open events shown in full.
const SHOWN: usize = 20;

/// What else is open, beside the worst, that is named in its banner.
const LESSER: usize = 4;

pub(in crate::web) fn page(
    view: &View<'_>,
    snapshot: &Snapshot,
    (latches, channels): (&[Latch], &ChannelsHealth),
    (recent, board): (Result<Vec<EventSummary>, StoreError>, Option<&GateBoard>),
    (incidents, lives): (&OpenIncidents, &[IncidentSummary]),
    trend: Option<&Trend>,
) -> Markup {
    let text = view.text();
    let items = open_items::worst_first(snapshot, incidents);
    // An event that people work on is told as their incident.
    let others: Vec<&EventView> = items
        .iter()
        .filter_map(|item| snapshot.events.iter().find(|event| name_of(event) == item.name))
        .filter(|event| !incidents.incidents.iter().any(|incident| incident.event_ids.contains(&event.event_id)))
        .collect();
    let body = html! {
        div id="banners" data-live="" {
            (banners(view, snapshot, latches, &items)) (channels::trouble(view, channels)) (gate::held(view, board))
        }
        (figures(view, snapshot))
        @if let Some(trend) = trend { (trend::section(view, trend)) }
        p.screen { a href=(view.link("/wall", "")) { (text.wall) } }
        (open_incidents(view, incidents))
        section id="open" data-live="" aria-labelledby="events" {
            h2 id="events" { (text.open_events) }
            @if others.is_empty() { p { (text.no_open_events) } }
            @for event in others.iter().take(SHOWN) { (event_card(view, event)) }
            @if others.len() > SHOWN { p { ((text.more_events)(others.len() - SHOWN)) } }
        }
        section id="recent" data-live="" aria-labelledby="recent-title" {
            h2 id="recent-title" { (text.recent_incidents) }
            @match &recent {
                Ok(list) if list.is_empty() => p { (text.no_incidents) },
                Ok(list) => {
                    (event_table(view, list, |event| Lifecycle::among(event, lives)))
                    p.screen { a href=(view.link("/incidents", "")) { (text.all_incidents) } }
                }
                Err(error) => p { (parts::unreadable(view, error)) },
            }
        }
    };
    framed(view, &title(view, &items), Place::Now, Fresh::Parts { watch: "*", reload_s: Some(REFRESH_S) }, &body)
}

fn name_of(event: &EventView) -> &str {
    event_name(event.incident.as_deref(), &event.event_id)
}

/// The title of the browser's tab: the worst comes first, so that it can be read there.
pub(in crate::web) fn title(view: &View<'_>, items: &[OpenItem]) -> String {
    items.first().map_or_else(|| view.text().nav_now.to_owned(), |worst| headline(view, worst))
}

/// `Major incident INC-2026-0001: pending permanent fix`.
pub(in crate::web) fn headline(view: &View<'_>, item: &OpenItem) -> String {
    let text = view.text();
    let word = item.lifecycle.words().pick(view.lang);
    match item.lifecycle {
        Lifecycle::Incident(_) => (text.headline)(text.major, &item.name, word),
        Lifecycle::Pending => (text.headline)(text.warning, &item.name, ""),
        _ => (text.headline)(text.watched, &item.name, word),
    }
}

/// Since when, how many, and how far the clock is.
pub(in crate::web) fn scale(view: &View<'_>, item: &OpenItem) -> String {
    let text = view.text();
    let lasting = u64::try_from(view.now.since_ms(item.since)).unwrap_or(0) / 1_000;
    let since = (text.since)(&view.zone.date_time(item.since, view.lang), &view.duration(lasting));
    let many = if matches!(item.lifecycle, Lifecycle::Incident(_)) {
        (text.not_done)(item.affected, item.of)
    } else {
        (text.affected_of)(item.affected, item.of)
    };
    let clock = (item.lifecycle == Lifecycle::Pending).then(|| {
        format!(" {}: {}", text.clock, (text.clock_of)(&view.minutes(item.streak_s), &view.minutes(item.hold_s)))
    });
    format!("{since} {many}{}", clock.unwrap_or_default())
}

/// What keeps the detector from seeing is said always; then the worst that is open, with its number, since when and how many; then
/// what else is open. It does not say that all is well while it is blind, nor while an incident has devices that are not done.
fn banners(view: &View<'_>, snapshot: &Snapshot, latches: &[Latch], items: &[OpenItem]) -> Markup {
    let text = view.text();
    let blind = blindness(view, snapshot, latches);
    let path = |item: &OpenItem| view.link(&format!("/incidents/{}", encode(&item.name)), "");
    html! {
        @if let Some(worst) = items.first() {
            (banner(parts::tone_of(worst.lifecycle), "h1", &headline(view, worst), &html! {
                p { b { (scale(view, worst)) } }
                @if worst.lifecycle.is_active() && !worst.lifecycle.is_unmitigated() { p { (text.not_over) } }
                @else if worst.lifecycle == Lifecycle::Pending { p { (text.warning_detail) } }
                p.screen { a href=(path(worst)) { (worst.name) } }
                @if items.len() > 1 {
                    ul { @for item in items.iter().skip(1).take(LESSER) {
                        li { a href=(path(item)) { (headline(view, item)) } " " (scale(view, item)) }
                    } }
                    @if items.len() > LESSER + 1 { p { ((text.more_events)(items.len() - LESSER - 1)) } }
                }
            }))
        }
        @if snapshot.at.as_ms() == 0 {
            (banner(Tone::Unknown, heading(items), text.starting, &html! { p { (text.starting_detail) } }))
        } @else if let Some(why) = &blind {
            (banner(Tone::Unknown, heading(items), text.blind, why))
        } @else if items.is_empty() {
            (banner(Tone::Good, "h1", text.all_well, &html! { p { (text.all_well_detail) } }))
        }
    }
}

/// The page has one `h1`.
pub(in crate::web) const fn heading(items: &[OpenItem]) -> &'static str {
    if items.is_empty() { "h1" } else { "h2" }
}

/// What keeps the detector from seeing the fleet; `None` when it sees.
pub(in crate::web) fn blindness(view: &View<'_>, snapshot: &Snapshot, latches: &[Latch]) -> Option<Markup> {
    let text = view.text();
    let stale = fresh::stale_s(view);
    let totals = &snapshot.totals;
    let silent = totals.reporting * 2 < totals.expected || totals.expected == 0;
    let closed: Vec<&Latch> = latches.iter().filter(|latch| !latch.ready).collect();
    if stale.is_none() && !silent && closed.is_empty() {
        return None;
    }
    Some(html! {
        @if let Some(age_s) = stale { p { ((text.stale_detail)(&view.duration(age_s))) } }
        @if silent { p { ((text.silent_detail)(totals.reporting, totals.expected)) } }
        @if !closed.is_empty() {
            p { (text.not_ready_detail) }
            ul { @for latch in closed { li { code { (latch.name) } ": " span lang="en" { (latch.reason) } } } }
        }
    })
}

fn figures(view: &View<'_>, snapshot: &Snapshot) -> Markup {
    let text = view.text();
    let totals = &snapshot.totals;
    html! {
        section id="figures" data-live="" aria-labelledby="fleet" {
            h2 id="fleet" { (text.fleet) }
            dl.figures {
                (figure(text.reporting, totals.reporting, &(text.of_expected)(totals.expected), None))
                (figure(text.degraded_now, totals.degraded, "", (totals.degraded > 0).then_some(Tone::Bad)))
                (figure(text.healthy_now, totals.healthy, "", None))
                (figure(text.not_known, totals.unknown + totals.indeterminate, text.not_known_note, None))
            }
        }
    }
}

fn figure(label: &str, value: u64, note: &str, tone: Option<Tone>) -> Markup {
    html! {
        div class=(tone.map_or("figure", |_| "figure bad")) {
            dt { @if let Some(tone) = tone { span aria-hidden="true" { (tone.mark()) } " " } (label) }
            dd { b { (value) } @if !note.is_empty() { " " span.note { (note) } } }
        }
    }
}

/// Incidents that are not closed: where they stand, and who is wanted for them.
fn open_incidents(view: &View<'_>, board: &OpenIncidents) -> Markup {
    let text = view.lang.incident();
    html! {
        div id="incidents" data-live="" {
            @if !board.incidents.is_empty() { h2 { (view.lang.support().incidents_open) } }
            @for incident in &board.incidents {
                @let burndown = incident.burndown(&board.settings, view.now);
                article.event {
                    h3 { a href=(view.link(&incident::path_of(incident), "")) { (incident.number()) } " " (incident::state_badge(view, incident.state)) }
                    p { (parts::scope_word(view.text(), incident.scope)) ", " (parts::cause(view, incident.cause.as_ref())) }
                    p { ((text.left)(burndown.left, burndown.devices)) ". "
                        (burndown::promise(view, &burndown)) }
                    @for (seat, post) in people::wanted(incident) {
                        p { (parts::badge(Tone::Bad, text.wanted)) " " b { (names::seat(view.lang, seat)) }
                            " (" (post.paged.join(", ")) @if let Some(at) = post.paged_at { ", " (view.when(at)) } ")" }
                    }
                }
            }
        }
    }
}

fn event_card(view: &View<'_>, event: &EventView) -> Markup {
    let text = view.text();
    let name = event_name(event.incident.as_deref(), &event.event_id);
    html! {
        article.event {
            h3 {
                a href=(view.link(&format!("/incidents/{}", encode(name)), "")) { (name) } " "
                (parts::lifecycle_badge(view, Lifecycle::of_event(event.state, None)))
            }
            (parts::clock(view, event))
            dl.facts {
                dt { (text.suspect) } dd { (parts::cause(view, event.cause.as_ref())) }
                dt { (text.affected) } dd { ((text.devices_count)(event.members.len() as u64)) }
                dt { (text.scope) } dd { (parts::scope_word(text, event.scope)) }
                dt { (text.impact_start) } dd { (view.date_when(event.impact_started_at)) }
                @if let Some(at) = event.declared_at { dt { (text.declared_at) } dd { (view.date_when(at)) } }
                @if !event.evidence.is_empty() {
                    dt { (text.evidence) } dd { (parts::evidence(text, &event.evidence)) }
                }
            }
        }
    }
}
