//! The three days as a drawing: devices left, the promise, and where it leads.

use maud::{Markup, html};

use crate::engine::time::Timestamp;
use crate::incident::{Burndown, Incident, LifeSettings};
use crate::web::ui::chart::{Scale, count_ticks};
use crate::web::ui::parts::{Tone, badge};
use crate::web::ui::plot::Plot;
use crate::web::ui::view::View;
use crate::words::{Both, say};

const UNIT: Both<&str> = say("devices", "台");

/// The drawing's height.
const HEIGHT: f64 = 190.0;

/// By when the last device is to be done, and whether that will be missed.
pub(in crate::web) fn promise(view: &View<'_>, burndown: &Burndown) -> Markup {
    let text = view.lang.incident();
    html! {
        (text.promised) " " (view.date_when(burndown.promised_at)) " "
        @if burndown.missed { (badge(Tone::Bad, text.promise_missed)) }
    }
}

/// The promise in words and as a drawing.
pub(in crate::web) fn section(view: &View<'_>, incident: &Incident, settings: &LifeSettings) -> Markup {
    let text = view.lang.incident();
    let burndown = incident.burndown(settings, view.now);
    html! {
        section id="promise" data-live="" aria-labelledby="promise-title" {
            h2 id="promise-title" { (text.promise) }
            (words(view, &burndown))
            @if !incident.ladder.is_empty() { (drawing(view, incident.number(), &burndown)) }
        }
    }
}

fn words(view: &View<'_>, burndown: &Burndown) -> Markup {
    let text = view.lang.incident();
    html! {
        p {
            (text.promised) " " b { (view.date_when(burndown.promised_at)) } " "
            @if burndown.missed { (badge(Tone::Bad, text.promise_missed)) }
            @else if burndown.forecast.is_some() { (badge(Tone::Good, text.promise_kept)) }
            " " ((text.left)(burndown.left, burndown.devices))
        }
        p.note {
            @if burndown.left == 0 { (text.none_left) }
            @else if let Some(forecast) = &burndown.forecast {
                ((text.rate)(&rate(forecast.rate_per_h))) " "
                ((text.forecast)(&moment(view, forecast.ends_at), &moment(view, forecast.earliest), &moment(view, forecast.latest)))
            } @else { (text.no_forecast) }
        }
    }
}

fn moment(view: &View<'_>, at: Timestamp) -> String {
    view.zone.date_time(at, view.lang)
}

/// Devices an hour, with a digit below ten.
fn rate(per_h: f64) -> String {
    if per_h < 10.0 { format!("{per_h:.1}") } else { format!("{per_h:.0}") }
}

/// The instants at both ends: the declaration, and whatever of promise, forecast and now is last. A forecast of months does not
/// press the promise against the axis.
fn span(burndown: &Burndown, now: Timestamp) -> (Timestamp, Timestamp) {
    let from = burndown.points.first().map_or(now, |(at, _)| *at);
    let promised = burndown.promised_at;
    let farthest = promised.plus_ms(promised.since_ms(from));
    let latest = burndown.forecast.map_or(promised, |forecast| forecast.latest.min(farthest));
    (from, promised.max(latest).max(now).max(from.plus_ms(1)))
}

fn drawing(view: &View<'_>, number: &str, burndown: &Burndown) -> Markup {
    let text = view.lang.incident();
    let (from, to) = span(burndown, view.now);
    let ticks = count_ticks(burndown.devices);
    let most = ticks.last().copied().unwrap_or(1);
    let plot = Plot { from, to, height: HEIGHT };
    let (x, y) = (plot.x(), plot.y(f64::from(most)));
    let ticks: Vec<(f64, String)> = ticks.into_iter().map(|tick| (f64::from(tick), tick.to_string())).collect();
    let title = (text.chart_title)(number);
    html! {
        figure.proof {
            svg.plot role="img" aria-labelledby="burndown-title burndown-desc"
                viewBox=(plot.view_box()) {
                title id="burndown-title" { (title) }
                desc id="burndown-desc" { (description(view, burndown)) }
                (plot.axes(view, y, &ticks, UNIT.pick(view.lang)))
                (cone(burndown, view.now, x, y))
                polyline.left points=(line(burndown, view.now, x, y)) {}
                (mark(x, y, "promise-line", burndown.promised_at, text.chart_promise))
                (mark(x, y, "now-line", view.now, text.chart_now))
            }
            ul.legend {
                li { svg viewBox="0 0 24 10" aria-hidden="true" { line.left x1="0" x2="24" y1="5" y2="5" {} } (text.chart_left) }
                @if burndown.forecast.is_some() {
                    li { svg viewBox="0 0 24 10" aria-hidden="true" { rect.cone width="24" height="10" {} } (text.chart_forecast) }
                }
                li { svg viewBox="0 0 24 10" aria-hidden="true" { line.promise-line x1="12" x2="12" y1="0" y2="10" {} }
                    (text.chart_promise) }
            }
        }
    }
}

/// The drawing for whoever does not see it.
fn description(view: &View<'_>, burndown: &Burndown) -> String {
    let text = view.lang.incident();
    let mut words = format!(
        "{}. {} {}.",
        (text.left)(burndown.left, burndown.devices),
        text.promised,
        moment(view, burndown.promised_at)
    );
    if let Some(forecast) = &burndown.forecast {
        let at = |instant| moment(view, instant);
        words.push(' ');
        words.push_str(&(text.forecast)(&at(forecast.ends_at), &at(forecast.earliest), &at(forecast.latest)));
    }
    words
}

/// Devices left as stairs, up to now.
fn line(burndown: &Burndown, now: Timestamp, x: Scale, y: Scale) -> String {
    let mut points = String::new();
    let mut before = burndown.devices;
    for (at, left) in &burndown.points {
        let place = x.at_time(*at);
        let (from, to) = (y.at(f64::from(before)), y.at(f64::from(*left)));
        points.push_str(&format!("{place:.1},{from:.1} {place:.1},{to:.1} "));
        before = *left;
    }
    points.push_str(&format!("{:.1},{:.1}", x.at_time(now), y.at(f64::from(before))));
    points
}

/// From now to where the last device will be done, with its error.
fn cone(burndown: &Burndown, now: Timestamp, x: Scale, y: Scale) -> Markup {
    let Some(forecast) = &burndown.forecast else { return html! {} };
    let (here, height) = (x.at_time(now), y.at(f64::from(burndown.left)));
    // The line to an end beyond the drawing leaves it on its way down, not at its corner.
    let end = |at: Timestamp| {
        let (whole, shown) = (at.since_ms(now).max(1) as f64, x.to - now.as_ms() as f64);
        let part = (shown / whole).clamp(0.0, 1.0);
        (x.at_time(at), y.at(f64::from(burndown.left) * (1.0 - part)))
    };
    let ((early_x, early_y), (late_x, late_y), (mean_x, mean_y)) =
        (end(forecast.earliest), end(forecast.latest), end(forecast.ends_at));
    let corner = if late_y < y.start { format!("{late_x:.1},{:.1} ", y.start) } else { String::new() };
    html! {
        polygon.cone points=(format!("{here:.1},{height:.1} {late_x:.1},{late_y:.1} {corner}{early_x:.1},{early_y:.1}")) {}
        line.mean x1=(format!("{here:.1}")) y1=(format!("{height:.1}")) x2=(format!("{mean_x:.1}")) y2=(format!("{mean_y:.1}")) {}
    }
}

fn mark(x: Scale, y: Scale, class: &str, at: Timestamp, word: &str) -> Markup {
    let place = x.at_time(at);
    // A label near the right end stands left of its line.
    let side = if place > (x.start + x.end) / 2.0 { ("tick end", place - 4.0) } else { ("tick", place + 4.0) };
    html! {
        line class=(class) x1=(format!("{place:.1}")) x2=(format!("{place:.1}")) y1=(y.end - 8.0) y2=(y.start) {}
        text class=(side.0) x=(format!("{:.1}", side.1)) y=(y.end - 11.0) { (word) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incident::Forecast;

    const HOUR: i64 = 3_600_000;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_ms(1_795_285_800_000 + hours * HOUR)
    }

    fn burndown(forecast: Option<Forecast>) -> Burndown {
        Burndown {
            promised_at: at(72),
            devices: 10,
            left: 6,
            points: vec![(at(0), 10), (at(5), 8), (at(9), 6)],
            forecast,
            missed: false,
        }
    }

    #[test]
    fn the_line_goes_down_in_stairs_and_on_to_now() {
        let x = Scale { from: at(0).as_ms() as f64, to: at(100).as_ms() as f64, start: 0.0, end: 100.0 };
        let y = Scale { from: 0.0, to: 10.0, start: 100.0, end: 0.0 };
        let points = line(&burndown(None), at(20), x, y);
        assert_eq!(points, "0.0,0.0 0.0,0.0 5.0,0.0 5.0,20.0 9.0,20.0 9.0,40.0 20.0,40.0");
    }

    #[test]
    fn a_forecast_of_months_does_not_squeeze_the_promise() {
        assert_eq!(span(&burndown(None), at(20)), (at(0), at(72)));
        assert_eq!(span(&burndown(None), at(90)), (at(0), at(90)), "late, and still drawn");
        let far = Forecast { rate_per_h: 0.01, ends_at: at(2_000), earliest: at(1_000), latest: at(4_000) };
        assert_eq!(span(&burndown(Some(far)), at(20)), (at(0), at(144)));
        let near = Forecast { latest: at(100), ..far };
        assert_eq!(span(&burndown(Some(near)), at(20)), (at(0), at(100)));
    }

    #[test]
    fn a_rate_has_the_digits_that_matter() {
        assert_eq!((rate(0.25), rate(9.94), rate(41.7)), ("0.2".into(), "9.9".into(), "42".into()));
    }
}
