//! The wall: what is open, to be read from three metres at 1920x1080. No menu, nothing to press, its own age.

use maud::{Markup, html};

use super::view::{blindness, heading, headline, scale, title};
use crate::engine::snapshot::Snapshot;
use crate::record::incidents::OpenIncidents;
use crate::record::open_items::{self, Lifecycle, OpenItem};
use crate::web::incident::{burndown, people};
use crate::web::server::health::Latch;
use crate::web::ui::frame::bare;
use crate::web::ui::fresh::Fresh;
use crate::web::ui::parts::{self, Tone};
use crate::web::ui::view::View;
use crate::words::names;

/// Seconds after which the page reloads where there is no JavaScript.
const REFRESH_S: u32 = 10;

/// What is open beside the worst and has a line of its own; more would not fit.
const LINES: usize = 4;

pub(in crate::web) fn page(view: &View<'_>, snapshot: &Snapshot, latches: &[Latch], board: &OpenIncidents) -> Markup {
    let text = view.text();
    let items = open_items::worst_first(snapshot, board);
    let starting = snapshot.at.as_ms() == 0;
    let blind = blindness(view, snapshot, latches).filter(|_| !starting);
    let body = html! {
        div.wall id="wall" data-live="" {
            p.wall-time { (view.time_s(view.now)) }
            @if starting { (panel(Tone::Unknown, heading(&items), text.starting, &html! { p { (text.starting_detail) } })) }
            @if let Some(why) = &blind { (panel(Tone::Unknown, heading(&items), text.blind, why)) }
            @match items.split_first() {
                Some((worst, others)) => {
                    (panel(parts::tone_of(worst.lifecycle), "h1", &headline(view, worst), &detail(view, worst, board)))
                    @if !others.is_empty() { ul.wall-others {
                        @for item in others.iter().take(LINES) { (line(view, item)) }
                        @if others.len() > LINES { li { ((text.more_events)(others.len() - LINES)) } }
                    } }
                }
                None if blind.is_none() && !starting => (panel(Tone::Good, "h1", text.all_well, &html! { p { (text.all_well_detail) } })),
                None => {}
            }
            (figures(view, snapshot))
        }
    };
    bare(view, &title(view, &items), Fresh::Parts { watch: "*", reload_s: Some(REFRESH_S) }, &body)
}

/// `level`: `h1` or `h2`; a page has one `h1`.
fn panel(tone: Tone, level: &str, word: &str, detail: &Markup) -> Markup {
    let title = html! { span aria-hidden="true" { (tone.mark()) } " " (word) };
    html! {
        section class=(format!("wall-panel {}", tone.class())) {
            @if level == "h1" { h1 { (title) } } @else { h2 { (title) } }
            (detail)
        }
    }
}

/// What decides the next hours: the clock of what is not declared, the devices and the promise of what is.
fn detail(view: &View<'_>, worst: &OpenItem, board: &OpenIncidents) -> Markup {
    let (text, words) = (view.text(), view.lang.incident());
    let incident = board.find(&worst.name);
    html! {
        p.wall-scale { (scale(view, worst)) }
        p { (parts::scope_word(text, worst.scope)) " / " (text.suspect) ": " (parts::cause(view, worst.cause.as_ref())) }
        @if let Some(words) = parts::due(view, worst.suspended, worst.declares_at).filter(|_| worst.lifecycle == Lifecycle::Pending) {
            p { (words) }
        }
        @if let Some(incident) = incident { p { (burndown::promise(view, &incident.burndown(&board.settings, view.now))) } }
        @let wanted = incident.map(|incident| people::wanted(incident)).unwrap_or_default();
        @if !wanted.is_empty() {
            p { (parts::badge(Tone::Bad, words.wanted)) " "
                (wanted.iter().map(|(seat, _)| names::seat(view.lang, seat)).collect::<Vec<_>>().join(", ")) }
        }
    }
}

fn line(view: &View<'_>, item: &OpenItem) -> Markup {
    let tone = parts::tone_of(item.lifecycle);
    html! { li class=(tone.class()) { span aria-hidden="true" { (tone.mark()) } " " b { (headline(view, item)) } " " span.wall-note { (scale(view, item)) } } }
}

fn figures(view: &View<'_>, snapshot: &Snapshot) -> Markup {
    let (text, totals) = (view.text(), &snapshot.totals);
    let unknown = totals.unknown + totals.indeterminate;
    let missing = totals.reporting < totals.expected;
    html! {
        dl.wall-figures {
            (figure(text.degraded_now, &totals.degraded.to_string(), (totals.degraded > 0).then_some(Tone::Bad)))
            (figure(text.healthy_now, &totals.healthy.to_string(), None))
            (figure(text.not_known, &unknown.to_string(), (unknown > 0).then_some(Tone::Unknown)))
            (figure(text.reporting, &format!("{} / {}", totals.reporting, totals.expected), missing.then_some(Tone::Unknown)))
        }
    }
}

fn figure(label: &str, value: &str, tone: Option<Tone>) -> Markup {
    html! {
        div class=[tone.map(Tone::class)] {
            dt { @if let Some(tone) = tone { span aria-hidden="true" { (tone.mark()) } " " } (label) }
            dd { (value) }
        }
    }
}
