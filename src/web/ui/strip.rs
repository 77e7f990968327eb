//! The continuity proof as a drawing and as a table: the same minutes twice, for eyes and for readers.

use maud::{Markup, html};

use super::parts::{verdict_badge, verdict_word};
use super::view::View;
use crate::engine::effect::{ProofMinute, Verdict};
use crate::engine::time::MINUTE_MS;
use crate::words::number::percent;
use crate::words::zone::rfc3339;

/// Minutes in a row of the drawing.
const ROW: usize = 60;

/// Most minutes drawn; an hour with its bridged gaps is far below it.
const MOST: usize = 480;

const CELL: f64 = 10.0;
pub(in crate::web) const HEIGHT: f64 = 34.0;
const ROW_HEIGHT: f64 = 58.0;
const LEFT: f64 = 2.0;

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

/// Minutes in a row of one verdict.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::web) struct Run {
    pub(in crate::web) verdict: Verdict,
    /// Place of the first of them.
    pub(in crate::web) first: usize,
    pub(in crate::web) minutes: usize,
}

/// Runs of equal verdicts: drawn as one, so that a drawing is no comb.
pub(in crate::web) fn runs(verdicts: &[Verdict]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (place, verdict) in verdicts.iter().enumerate() {
        match runs.last_mut() {
            Some(run) if run.verdict == *verdict => run.minutes += 1,
            _ => runs.push(Run { verdict: *verdict, first: place, minutes: 1 }),
        }
    }
    runs
}

/// A height and a pattern for each verdict, so that the drawing reads without colour too.
pub(in crate::web) fn bar(verdict: Verdict, (from, to): (f64, f64), top: f64) -> Markup {
    let (class, drop) = match verdict {
        Verdict::Degraded => ("cell bad", 0.0),
        Verdict::Healthy => ("cell good", HEIGHT * 2.0 / 3.0),
        Verdict::Indeterminate => ("cell undecided", HEIGHT / 3.0),
        Verdict::Unknown => ("cell unknown", 0.0),
    };
    html! {
        rect class=(class) x=(format!("{from:.1}")) y=(format!("{:.1}", top + drop)) width=(format!("{:.1}", to - from))
            height=(format!("{:.1}", HEIGHT - drop)) {}
    }
}

fn strip(view: &View<'_>, minutes: &[ProofMinute], summary: &str) -> Markup {
    let text = view.text();
    let rows = minutes.chunks(ROW).count();
    let x = |place: usize| LEFT + place as f64 * CELL;
    html! {
        svg.strip role="img" aria-label=(summary) viewBox=(format!("0 0 {} {}", LEFT + (ROW as f64 + 1.0) * CELL, rows as f64 * ROW_HEIGHT)) {
            @for (row, chunk) in minutes.chunks(ROW).enumerate() {
                @let top = row as f64 * ROW_HEIGHT;
                @let verdicts: Vec<Verdict> = chunk.iter().map(|minute| minute.verdict).collect();
                @for run in runs(&verdicts) {
                    @let last = chunk[run.first + run.minutes - 1].at.plus_ms(MINUTE_MS);
                    g {
                        title { (view.zone.time(chunk[run.first].at)) "–" (view.zone.time(last)) " " (verdict_word(text, run.verdict)) }
                        (bar(run.verdict, (x(run.first), x(run.first + run.minutes)), top))
                    }
                }
                line.axis x1=(x(0)) x2=(x(chunk.len())) y1=(top + HEIGHT) y2=(top + HEIGHT) {}
                @for (place, minute) in chunk.iter().enumerate().step_by(15).filter(|(place, _)| chunk.len() - place > 7) {
                    line.axis x1=(x(place)) x2=(x(place)) y1=(top + HEIGHT) y2=(top + HEIGHT + 4.0) {}
                    text.tick x=(x(place)) y=(top + HEIGHT + 17.0) { (view.zone.time(minute.at)) }
                }
                // The end of the row.
                @if let Some(last) = chunk.last() {
                    text.tick.end x=(x(chunk.len())) y=(top + HEIGHT + 17.0) { (view.zone.time(last.at.plus_ms(MINUTE_MS))) }
                }
            }
        }
    }
}

pub(in crate::web) fn legend(view: &View<'_>) -> Markup {
    let text = view.text();
    html! {
        ul.legend {
            @for verdict in [Verdict::Degraded, Verdict::Healthy, Verdict::Indeterminate, Verdict::Unknown] {
                li {
                    svg viewBox=(format!("0 0 {CELL} {HEIGHT}")) aria-hidden="true" { (bar(verdict, (1.0, CELL - 1.0), 0.0)) }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_of_one_verdict_are_one_run() {
        use Verdict::{Degraded, Healthy};
        let run = |verdict, first, minutes| Run { verdict, first, minutes };
        let all = [Healthy, Healthy, Degraded, Healthy];
        assert_eq!(runs(&all), [run(Healthy, 0, 2), run(Degraded, 2, 1), run(Healthy, 3, 1)]);
        assert_eq!(runs(&[]), []);
    }
}
