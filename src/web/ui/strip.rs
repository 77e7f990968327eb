//! The continuity proof as a drawing and as a table: the same minutes twice, for eyes and for readers.

use maud::{Markup, html};

use super::parts::{verdict_badge, verdict_word};
use super::view::View;
use crate::engine::effect::{ProofMinute, Verdict};
use crate::words::number::percent;
use crate::words::zone::rfc3339;

/// Minutes in a row of the drawing.
const ROW: usize = 60;

/// Most minutes drawn; an hour with its bridged gaps is far below it.
const MOST: usize = 480;

const CELL: usize = 10;
const HEIGHT: usize = 34;
const ROW_HEIGHT: usize = 58;

/// Drawing, summary and table.
pub(in crate::web) fn proof(view: &View<'_>, minutes: &[ProofMinute]) -> Markup {
    let text = view.text();
    if minutes.is_empty() {
        return html! { p { (text.proof_none) } };
    }
    let count = |verdict| minutes.iter().filter(|minute| minute.verdict == verdict).count();
    let gaps = count(Verdict::Unknown) + count(Verdict::Indeterminate);
    let summary = (text.proof_summary)(minutes.len(), count(Verdict::Degraded), count(Verdict::Healthy), gaps);
    html! {
        p { (text.proof_note) }
        figure.proof {
            (strip(view, &minutes[..minutes.len().min(MOST)], &summary))
            figcaption { (summary) }
        }
        (legend(view))
        details { summary { (text.proof_table) } (table(view, minutes)) }
    }
}

/// A height and a pattern for each verdict, so that the drawing reads without colour too.
fn cell(verdict: Verdict, x: usize, y: usize) -> Markup {
    let (class, drop) = match verdict {
        Verdict::Degraded => ("cell bad", 0),
        Verdict::Healthy => ("cell good", HEIGHT * 2 / 3),
        Verdict::Indeterminate => ("cell undecided", HEIGHT / 3),
        Verdict::Unknown => ("cell unknown", 0),
    };
    html! { rect class=(class) x=(x + 1) y=(y + drop) width=(CELL - 2) height=(HEIGHT - drop) {} }
}

fn strip(view: &View<'_>, minutes: &[ProofMinute], summary: &str) -> Markup {
    let text = view.text();
    let rows = minutes.chunks(ROW).count();
    html! {
        svg.strip role="img" aria-label=(summary) viewBox=(format!("0 0 {} {}", ROW * CELL, rows * ROW_HEIGHT)) {
            @for (row, chunk) in minutes.chunks(ROW).enumerate() {
                @let top = row * ROW_HEIGHT;
                @for (column, minute) in chunk.iter().enumerate() {
                    g {
                        title { (view.zone.time(minute.at)) " " (verdict_word(text, minute.verdict)) }
                        (cell(minute.verdict, column * CELL, top))
                    }
                    @if column % 15 == 0 {
                        text.tick x=(column * CELL) y=(top + HEIGHT + 16) { (view.zone.time(minute.at)) }
                    }
                }
            }
        }
    }
}

fn legend(view: &View<'_>) -> Markup {
    let text = view.text();
    html! {
        ul.legend {
            @for verdict in [Verdict::Degraded, Verdict::Healthy, Verdict::Indeterminate, Verdict::Unknown] {
                li {
                    svg viewBox=(format!("0 0 {CELL} {HEIGHT}")) aria-hidden="true" { (cell(verdict, 0, 0)) }
                    (verdict_word(text, verdict))
                }
            }
        }
    }
}

fn table(view: &View<'_>, minutes: &[ProofMinute]) -> Markup {
    let text = view.text();
    html! {
        table {
            thead { tr {
                th scope="col" { (text.minute) } th scope="col" { (text.verdict) }
                th.number scope="col" { (text.exceeding) } th.number scope="col" { (text.samples) }
                th.number scope="col" { (text.members_reporting) } th scope="col" { (text.treatment) }
            } }
            tbody { @for (index, minute) in minutes.iter().enumerate() { tr {
                th scope="row" { time datetime=(rfc3339(minute.at)) { (view.zone.time(minute.at)) } }
                td { (verdict_badge(text, minute.verdict)) }
                td.number { (share(minute)) }
                td.number { (minute.samples) }
                td.number { (minute.reporting) " / " (minute.expected) }
                td { (treatment(view, minutes, index)) }
            } } }
        }
    }
}

fn share(minute: &ProofMinute) -> String {
    if minute.samples == 0 {
        return "-".to_owned();
    }
    format!("{} %", percent(minute.exceeding as f64 / minute.samples as f64))
}

/// How the minute went into the hour.
fn treatment(view: &View<'_>, minutes: &[ProofMinute], index: usize) -> String {
    let text = view.text();
    let is_gap = |minute: &ProofMinute| matches!(minute.verdict, Verdict::Unknown | Verdict::Indeterminate);
    match minutes[index].verdict {
        Verdict::Degraded => text.counts.to_owned(),
        Verdict::Healthy => text.does_not_count.to_owned(),
        Verdict::Unknown | Verdict::Indeterminate => {
            let before = minutes[..index].iter().rev().take_while(|minute| is_gap(minute)).count();
            let from_here = minutes[index..].iter().take_while(|minute| is_gap(minute)).count();
            (text.bridged)(before + from_here)
        }
    }
}
