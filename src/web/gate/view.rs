//! What the updater is told, and the form with which a person decides.

use maud::{Markup, html};

use crate::engine::gate::{Decision, Gate, MAX_NAME, MAX_REASON};
use crate::record::access::Principal;
use crate::record::{GateBoard, RecordedGate};
use crate::web::ui::form::form_token;
use crate::web::ui::frame::{Place, framed};
use crate::web::ui::fresh::Fresh;
use crate::web::ui::parts::{Tone, badge, encode};
use crate::web::ui::view::View;

/// The page. `problem`: why a decision was not taken, in English.
pub(in crate::web) fn page(view: &View<'_>, board: Option<&GateBoard>, problem: Option<&str>) -> Markup {
    let text = view.lang.gate();
    let body = html! {
        h1 { (text.title) }
        @if let Some(problem) = problem {
            div.banner.bad role="alert" { div { h2 { (text.refused) } p lang="en" { (problem) } } }
        }
        @if let Some(board) = board {
            p { (text.intro) }
            div id="untold" data-live="" { @if board.untold > 0 {
                div.banner.bad role="status" { div { h2 { (text.untold) } p { ((text.untold_detail)(board.untold)) } } }
            } }
            div id="none" data-live="" { @if board.decisions.is_empty() { p { (text.none) } } }
            @for decision in newest_first(&board.decisions) { (card(view, decision)) }
            section aria-labelledby="other" {
                h2 id="other" { (text.other) }
                (form(view, None))
            }
            div id="ring" data-live="" { @if !board.ring.devices.is_empty() {
                section aria-labelledby="ring-title" {
                    h2 id="ring-title" { (text.ring) }
                    p { ((text.ring_detail)(board.ring.devices.len())) }
                }
            } }
        } @else { p { (text.off) } }
    };
    framed(view, text.title, Place::Gates, Fresh::Parts { watch: "*", reload_s: None }, &body)
}

fn newest_first(decisions: &[Decision]) -> Vec<&Decision> {
    let mut sorted: Vec<&Decision> = decisions.iter().collect();
    sorted.sort_by_key(|decision| std::cmp::Reverse((decision.gate == Gate::Hold, decision.at)));
    sorted
}

fn card(view: &View<'_>, decision: &Decision) -> Markup {
    html! {
        article.event id=(decision.version) data-live="" {
            h3 { (decision.version) " " (word(view, decision.gate)) }
            p { (told(view, decision)) }
            (form(view, Some(decision)))
        }
    }
}

fn word(view: &View<'_>, gate: Gate) -> Markup {
    match gate {
        Gate::Hold => badge(Tone::Warn, view.lang.gate().hold),
        Gate::Release => badge(Tone::Good, view.lang.gate().release),
    }
}

/// Who decided, when, because of which event, and why.
fn told(view: &View<'_>, decision: &Decision) -> Markup {
    let text = view.text();
    let by = if decision.is_by_person() { &decision.by } else { text.who_detector };
    let event = decision.incident.as_deref().or(decision.event.as_deref());
    html! {
        span.note { (crate::web::ui::parts::name(by)) ", " (view.date_when(decision.at))
            @if let Some(event) = event { ", " a href=(view.link(&format!("/incidents/{}", encode(event)), "")) { (event) } }
        }
        br;
        // The detector's reasons are English.
        span lang=[(!decision.is_by_person()).then_some("en")] { (decision.reason) }
    }
}

/// The form: the other decision about a version, or any about one that is written in.
fn form(view: &View<'_>, decision: Option<&Decision>) -> Markup {
    let (words, text) = (view.text(), view.lang.gate());
    html! {
        form.filter.screen method="post" action=(view.link("/gates", "")) {
            (form_token(view))
            @match decision {
                Some(decision) => input type="hidden" name="version" value=(decision.version);,
                None => label { (words.update) input name="version" required maxlength=(MAX_NAME) autocomplete="off"; },
            }
            // Who is logged in is not asked again.
            @if !view.principal.is_some_and(Principal::is_proved) {
                label { (text.by) input name="by" required maxlength=(MAX_NAME) autocomplete="name"; }
            }
            label { (text.reason) input name="reason" required maxlength=(MAX_REASON) autocomplete="off"; }
            @if decision.is_none_or(|decision| decision.gate == Gate::Release || !decision.is_by_person()) {
                button name="gate" value="hold" { (text.do_hold) }
            }
            @if decision.is_none_or(|decision| decision.gate == Gate::Hold || !decision.is_by_person()) {
                button name="gate" value="release" { (text.do_release) }
            }
        }
    }
}

/// One line for other pages: what the updater is told to hold.
pub(in crate::web) fn held(view: &View<'_>, board: Option<&GateBoard>) -> Markup {
    let held: Vec<&Decision> =
        board.map_or(Vec::new(), |board| board.decisions.iter().filter(|d| d.gate == Gate::Hold).collect());
    html! {
        @if !held.is_empty() {
            p { (badge(Tone::Warn, view.lang.gate().held)) " "
                @for (index, decision) in held.iter().enumerate() {
                    @if index > 0 { ", " }
                    a href=(view.link("/gates", "")) { (decision.version) }
                }
            }
        }
    }
}

/// What was decided because of one event, as it is on record.
pub(in crate::web) fn recorded(view: &View<'_>, gates: &[RecordedGate]) -> Markup {
    let text = view.lang.gate();
    html! {
        @if !gates.is_empty() {
            section aria-labelledby="gates" {
                h2 id="gates" { (text.title) }
                ol.timeline { @for RecordedGate { decision, .. } in gates { li {
                    div.when { (view.date_time(decision.at)) }
                    div.what { p { b { (decision.version) } " " (word(view, decision.gate)) } p { (told(view, decision)) } }
                } } }
                p.screen { a href=(view.link("/gates", "")) { (text.decide) } }
            }
        }
    }
}
