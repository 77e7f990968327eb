//! Is anything wrong?

use maud::{Markup, html};

use super::frame::{Place, View, framed};
use super::fresh::{self, Fresh};
use super::parts::{self, Tone, banner, encode, event_name, incident_table, state_badge};
use super::{case, channels, gate, people};
use crate::engine::incident::{Case, CaseSummary};
use crate::engine::snapshot::{EventState, EventView, Snapshot};
use crate::http::health::Latch;
use crate::http::lang::story;
use crate::record::desk::CaseBoard;
use crate::record::standing::Board;
use crate::record::{GateBoard, Incident, StoreError};

/// Seconds after which the page reloads.
const REFRESH_S: u32 = 10;

/// Open events shown in full.
const SHOWN: usize = 20;

pub(super) fn page(
    view: &View<'_>,
    snapshot: &Snapshot,
    (latches, channels): (&[Latch], &Board),
    (recent, board): (Result<Vec<Incident>, StoreError>, Option<&GateBoard>),
    (cases, lives): (&CaseBoard, &[CaseSummary]),
) -> Markup {
    let text = view.text();
    let mut events: Vec<&EventView> = snapshot.events.iter().collect();
    events.sort_by_key(|event| std::cmp::Reverse((rank(event.state), event.streak_s, event.members.len())));
    // An event that people work on is told as their incident.
    let worked_on = |event: &&&EventView| cases.cases.iter().any(|case| case.event_ids.contains(&event.event_id));
    let others: Vec<&EventView> = events.iter().filter(|event| !worked_on(event)).copied().collect();
    let body = html! {
        div id="banners" data-live="" {
            (banners(view, (snapshot, latches), &events, cases)) (channels::trouble(view, channels)) (gate::held(view, board))
        }
        (figures(view, snapshot))
        (open_cases(view, cases))
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
                    (incident_table(view, list, lives))
                    p.screen { a href=(view.link("/incidents", "")) { (text.all_incidents) } }
                }
                Err(error) => p { (unreadable(view, error)) },
            }
        }
    };
    framed(
        view,
        &title(view, &events, cases),
        Place::Now,
        Fresh::Parts { watch: "*", reload_s: Some(REFRESH_S) },
        &body,
    )
}

/// Tells the reader in short; the log tells why.
pub(super) fn unreadable(view: &View<'_>, error: &StoreError) -> Markup {
    tracing::error!(reason = error.reason(), %error, "the incident record cannot be read");
    html! { (parts::badge(Tone::Unknown, view.text().record_unreadable)) " (" code { (error.reason()) } ")" }
}

const fn rank(state: EventState) -> u8 {
    match state {
        EventState::Declared => 2,
        EventState::Pending => 1,
        EventState::Recovered => 0,
    }
}

/// The title of the browser's tab: the worst comes first, so that it can be read there.
fn title(view: &View<'_>, events: &[&EventView], cases: &CaseBoard) -> String {
    let text = view.text();
    match (events.first(), pending(cases).next()) {
        (Some(event), case) if event.state != EventState::Recovered || case.is_none() => {
            let (_, word, _) = standing(view, event.state, 1);
            format!("{word} {}", event_name(event.incident.as_deref(), &event.event_id))
        }
        (_, Some(case)) => format!("{} {}", (view.lang.case().state)(case.state), case.number()),
        _ => text.nav_now.to_owned(),
    }
}

/// Incidents with devices that are not done: however quiet the fleet is, they are not over.
fn pending(cases: &CaseBoard) -> impl Iterator<Item = &Case> {
    cases.cases.iter().map(AsRef::as_ref).filter(|case| case.state.is_active())
}

fn standing(view: &View<'_>, state: EventState, count: usize) -> (Tone, &'static str, String) {
    let text = view.text();
    match state {
        EventState::Declared => (Tone::Bad, text.major, (text.major_detail)(count)),
        EventState::Pending => (Tone::Warn, text.warning, (text.warning_detail)(count)),
        EventState::Recovered => (Tone::Good, text.recovering, text.recovering_detail.to_owned()),
    }
}

/// First what keeps the detector from seeing, then the worst that it sees. It does not say that all is well while it is blind, nor
/// while an incident has devices that are not done.
fn banners(
    view: &View<'_>,
    (snapshot, latches): (&Snapshot, &[Latch]),
    events: &[&EventView],
    cases: &CaseBoard,
) -> Markup {
    let text = view.text();
    let blind = blindness(view, snapshot, latches);
    let left: u64 = pending(cases).map(|case| case.open_devices().count() as u64).sum();
    let worst = events.first().filter(|event| event.state != EventState::Recovered || left == 0);
    html! {
        @if snapshot.at.as_ms() == 0 {
            (banner(Tone::Unknown, "h1", text.starting, &html! { p { (text.starting_detail) } }))
        } @else if let Some(why) = &blind {
            (banner(Tone::Unknown, "h1", text.blind, why))
        }
        @if let Some(worst) = worst {
            @let count = events.iter().filter(|event| event.state == worst.state).count();
            @let (tone, word, detail) = standing(view, worst.state, count);
            (banner(tone, "h1", word, &html! { p { (detail) } }))
        } @else if left > 0 {
            (banner(Tone::Warn, "h1", text.not_over, &html! { p { ((text.not_over_detail)(left)) } }))
        } @else if blind.is_none() && snapshot.at.as_ms() != 0 {
            (banner(Tone::Good, "h1", text.all_well, &html! { p { (text.all_well_detail) } }))
        }
    }
}

/// What keeps the detector from seeing the fleet; `None` when it sees.
fn blindness(view: &View<'_>, snapshot: &Snapshot, latches: &[Latch]) -> Option<Markup> {
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
fn open_cases(view: &View<'_>, board: &CaseBoard) -> Markup {
    let text = view.lang.case();
    html! {
        div id="cases" data-live="" {
            @if !board.cases.is_empty() { h2 { (view.lang.support().incidents_open) } }
            @for case in &board.cases {
                @let burndown = case.burndown(&board.settings, view.now);
                article.event {
                    h3 { a href=(view.link(&case::path_of(case), "")) { (case.number()) } " " (case::state_badge(view, case.state)) }
                    p { (parts::scope_word(view.text(), case.scope)) ", " (parts::cause(view, case.cause.as_ref())) }
                    p { ((text.left)(burndown.left, burndown.devices)) ". "
                        (text.promised) " " (view.date_time(burndown.promised_at)) " "
                        @if burndown.missed { (parts::badge(Tone::Bad, text.promise_missed)) } }
                    @for (seat, post) in people::wanted(case) {
                        p { (parts::badge(Tone::Bad, text.wanted)) " " b { (story::seat(view.lang, seat)) }
                            " (" (post.paged.join(", ")) @if let Some(at) = post.paged_at { ", " (view.time_s(at)) } ")" }
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
                (state_badge(text, parts::recorded_state(event.state)))
            }
            (parts::clock(view, event))
            dl.facts {
                dt { (text.suspect) } dd { (parts::cause(view, event.cause.as_ref())) }
                dt { (text.affected) } dd { ((text.devices_count)(event.members.len() as u64)) }
                dt { (text.scope) } dd { (parts::scope_word(text, event.scope)) }
                dt { (text.impact_start) } dd { (view.date_time(event.impact_started_at)) }
                @if let Some(at) = event.declared_at { dt { (text.declared_at) } dd { (view.date_time(at)) } }
                @if !event.evidence.is_empty() {
                    dt { (text.evidence) } dd { (parts::evidence(text, &event.evidence)) }
                }
            }
        }
    }
}
