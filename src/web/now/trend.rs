//! The fleet's last hours: how many devices were degraded, and how many silent.

use maud::{Markup, html};

use crate::engine::detector::Tally;
use crate::engine::time::{MINUTE_MS, Timestamp};
use crate::record::fleet::Trend;
use crate::web::ui::chart::count_ticks;
use crate::web::ui::plot::{Plot, gaps, steps};
use crate::web::ui::view::View;
use crate::words::{Both, Lang, phrase, say};

const TITLE: Both<&str> = say("The last hours", "直近の推移");
const UNIT: Both<&str> = say("devices", "台");
const DEGRADED: Both<&str> = say("degraded", "品質低下");
const SILENT: Both<&str> = say("silent", "受信なし");
const NOTHING: Both<&str> = say("nothing known", "データなし");
const NONE: Both<&str> = say("No closed minute is known yet.", "判定済みの時間帯はまだありません。");

phrase! {
    fn summary(lang: Lang, from: &str, to: &str, degraded: u32, peak: u32, peak_at: &str, silent: u32) -> String match peak {
        0 => "{from} to {to}: no device degraded. Silent now: {silent}.", "{from}から{to}まで: 品質低下の装置なし。現在の受信なし: {silent}台。";
        _ =>
            "{from} to {to}: degraded now: {degraded}, at most {peak} at {peak_at}. Silent now: {silent}.",
            "{from}から{to}まで: 現在の品質低下: {degraded}台、最大{peak}台（{peak_at}）。現在の受信なし: {silent}台。";
    }
}

/// The drawing, with what it says in words.
pub(in crate::web) fn section(view: &View<'_>, trend: &Trend) -> Markup {
    html! {
        section id="trend" data-live="" aria-labelledby="trend-title" {
            h2 id="trend-title" { (TITLE.pick(view.lang)) }
            @match trend.points.first().zip(trend.points.last()) {
                Some(((from, _), (to, newest))) => (drawing(view, trend, *from, *to, newest)),
                None => p { (NONE.pick(view.lang)) },
            }
        }
    }
}

fn drawing(view: &View<'_>, trend: &Trend, from: Timestamp, last: Timestamp, newest: &Tally) -> Markup {
    let width_ms = i64::from(trend.every_min) * MINUTE_MS;
    // Each minute stands for those before it that were not counted.
    let begin = |at: Timestamp| at.plus_ms(MINUTE_MS - width_ms);
    let plot = Plot { from: begin(from), to: last.plus_ms(MINUTE_MS), height: 110.0 };
    let bins = |of: fn(&Tally) -> u32| -> Vec<(Timestamp, Option<f64>)> {
        // Where no device has data, nothing was seen: the fleet was not silent, nobody listened.
        let known = |tally: &Tally| (tally.reporting > 0).then(|| f64::from(of(tally)));
        trend.points.iter().map(|(at, tally)| (begin(*at), known(tally))).collect()
    };
    let (degraded, silent) = (bins(|tally| tally.degraded), bins(|tally| tally.silent));
    let highest = |bins: &[(Timestamp, Option<f64>)]| bins.iter().filter_map(|(_, value)| *value).fold(0.0, f64::max);
    let ticks = count_ticks(highest(&degraded).max(highest(&silent)) as u32);
    let (x, y) = (plot.x(), plot.y(f64::from(ticks.last().copied().unwrap_or(1))));
    let ticks: Vec<(f64, String)> = ticks.into_iter().map(|tick| (f64::from(tick), tick.to_string())).collect();
    let peak = trend.points.iter().max_by_key(|(at, tally)| (tally.degraded, at.as_ms()));
    let (peak_at, peak) = peak.map_or((last, 0), |(at, tally)| (*at, tally.degraded));
    let time = |at| view.zone.time(at);
    let words = summary(view.lang, &time(from), &time(last), newest.degraded, peak, &time(peak_at), newest.silent);
    html! {
        figure.proof {
            svg.plot role="img" aria-label=(words) viewBox=(plot.view_box()) {
                (plot.axes(view, y, &ticks, UNIT.pick(view.lang)))
                @for (from, to) in gaps(&degraded, width_ms) { (plot.gap(from, to)) }
                path.degraded-area d=(steps(x, y, &degraded, width_ms, true)) {}
                path.silent-line d=(steps(x, y, &silent, width_ms, false)) {}
            }
            figcaption.note { (words) }
            ul.legend {
                li { svg viewBox="0 0 24 10" aria-hidden="true" { rect.degraded-area width="24" height="10" {} } (DEGRADED.pick(view.lang)) }
                li { svg viewBox="0 0 24 10" aria-hidden="true" { line.silent-line x1="0" x2="24" y1="5" y2="5" {} } (SILENT.pick(view.lang)) }
                @if degraded.iter().any(|(_, value)| value.is_none()) {
                    li { svg viewBox="0 0 24 10" aria-hidden="true" { rect.gap width="24" height="10" {} } (NOTHING.pick(view.lang)) }
                }
            }
        }
    }
}
