//! What a suspect rests on, and what carries the damage: tables, and the distributions of delay as a drawing.

use maud::{Markup, html};

use crate::engine::effect::{Cause, Change, Damage, Forecast};
use crate::record::distribution::{Distribution, axis};
use crate::web::ui::chart::{Scale, count_ticks};
use crate::web::ui::parts;
use crate::web::ui::view::View;
use crate::words::number::percent;
use crate::words::{Both, say};

/// Most rules that are named for a pair of class and test.
const RULES: usize = 5;

/// Columns of a drawing, their width, and its height.
const COLUMNS: usize = 70;
const WIDTH: usize = 8;
const HEIGHT: f64 = 90.0;

/// Room for labels: left of a drawing, above it, and below one of them.
const LEFT: f64 = 48.0;
const TOP: f64 = 24.0;
const LABEL: f64 = 56.0;

const SAMPLES: Both<&str> = say("% of samples", "サンプルの割合（%）");

/// The quantiles that are told.
const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99)];

/// The counts behind the suspect; nothing where none are on record.
pub(in crate::web) fn suspect(view: &View<'_>, cause: Option<&Cause>) -> Markup {
    let text = view.night();
    let Some(evidence) = cause.and_then(|cause| cause.evidence) else { return html! {} };
    let rows = [
        (text.with_it, evidence.affected_with, evidence.healthy_with),
        (text.without_it, evidence.affected_without, evidence.healthy_without),
    ];
    html! {
        section aria-labelledby="evidence" {
            h2 id="evidence" { (text.evidence) }
            p.note { (text.evidence_note) }
            table.small {
                thead { tr {
                    td {} th.number scope="col" { (text.affected) } th.number scope="col" { (text.healthy) }
                    th.number scope="col" { (text.share) }
                } }
                tbody { @for (label, affected, healthy) in rows { tr {
                    th scope="row" { (label) } td.number { (affected) } td.number { (healthy) }
                    td.number { (share(Some(f64::from(affected) / f64::from((affected + healthy).max(1))))) }
                } } }
            }
            @match evidence.difference {
                Some(difference) => p { ((text.difference)(&format!("{:+.0}", difference * 100.0))) },
                None => p { (text.difference_unknown) },
            }
        }
    }
}

/// Classes, tests and rules that carry the damage; nothing where none are on record.
pub(in crate::web) fn damage(view: &View<'_>, damage: &[Damage]) -> Markup {
    let text = view.night();
    if damage.is_empty() {
        return html! {};
    }
    html! {
        section aria-labelledby="damage" {
            h2 id="damage" { (text.damage) }
            p.note { (text.damage_note) }
            table.cards {
                thead { tr {
                    th scope="col" { (text.class) } th scope="col" { (text.test) }
                    th scope="col" { (view.text().affected) }
                    th scope="col" { (text.before) } th scope="col" { (text.during) } th scope="col" { (text.rules) }
                } }
                tbody { @for (index, pair) in damage.iter().enumerate() { tr {
                    th scope="row" { (pair.class) }
                    td data-label=(text.test) { (parts::test_word(view.text(), &pair.test)) }
                    td data-label=(view.text().affected) { ((view.text().devices_count)(u64::from(pair.devices))) }
                    td data-label=(text.before) { @match pair.share_before {
                        Some(before) => (share(Some(before))), None => (text.unknown),
                    } }
                    td data-label=(text.during) { (share(Some(pair.share_during))) }
                    // Both tests of flags of a class see the same rules.
                    @let told = index > 0 && damage[index - 1].class == pair.class && damage[index - 1].rules == pair.rules;
                    td data-label=(text.rules) { @if told { "-" } @else { (rules(view, pair)) } }
                } } }
            }
            @for pair in damage { (distributions(view, pair)) }
        }
    }
}

fn rules(view: &View<'_>, pair: &Damage) -> Markup {
    html! {
        @if pair.rules.is_empty() { "-" }
        @for rule in pair.rules.iter().take(RULES) {
            div { b { (rule.rule) } " " span.note {
                ((view.night().per_hour)(&format!("{:.1}", rule.per_hour_before), &format!("{:.1}", rule.per_hour_during)))
            } }
        }
    }
}

pub(in crate::web) fn distributions(view: &View<'_>, pair: &Damage) -> Markup {
    let text = view.night();
    let read = |text: &Option<String>| text.as_deref().and_then(Distribution::decode);
    let (before, during) = (read(&pair.latency_before), read(&pair.latency_during));
    let known: Vec<(&str, &Distribution)> = [(text.before, &before), (text.during, &during)]
        .into_iter()
        .filter_map(|(name, of)| Some((name, of.as_ref()?)))
        .collect();
    if known.is_empty() {
        return html! {};
    }
    let range = axis(&known.iter().map(|(_, of)| *of).collect::<Vec<_>>());
    html! {
        h3 { ((text.delay_of)(pair.class.as_str())) }
        table.small {
            thead { tr { td {} @for (name, _) in QUANTILES { th.number scope="col" { (name) } } } }
            tbody { @for (name, of) in &known { tr {
                th scope="row" { (name) }
                @for (_, quantile) in QUANTILES { td.number { (delay(of.quantile_us(quantile))) } }
            } } }
        }
        figure.proof {
            (drawing(&(text.delay_of)(pair.class.as_str()), before.as_ref(), during.as_ref(), range, SAMPLES.pick(view.lang)))
            ul.legend {
                li { svg viewBox="0 0 24 10" aria-hidden="true" { line.before x1="0" x2="24" y1="5" y2="5" {} } (text.before) }
                li { svg viewBox="0 0 24 10" aria-hidden="true" { rect.during width="24" height="10" {} } (text.during) }
            }
        }
    }
}

/// Before as a dashed outline, during as an area: told apart without colour. The axis of delays is logarithmic.
fn drawing(
    title: &str,
    before: Option<&Distribution>,
    during: Option<&Distribution>,
    range: (u64, u64),
    unit: &str,
) -> Markup {
    let columns = |of: Option<&Distribution>| of.map(|of| of.columns(range, COLUMNS)).unwrap_or_default();
    let (before, during) = (columns(before), columns(during));
    let most = before.iter().chain(&during).copied().fold(f64::MIN_POSITIVE, f64::max);
    let ticks = count_ticks((most * 100.0).ceil() as u32);
    let y =
        Scale { from: 0.0, to: f64::from(ticks.last().copied().unwrap_or(1)) / 100.0, start: TOP + HEIGHT, end: TOP };
    let x = Scale {
        from: (range.0 as f64).ln(),
        to: (range.1 as f64).ln(),
        start: LEFT,
        end: LEFT + (COLUMNS * WIDTH) as f64,
    };
    let points = |shares: &[f64]| {
        let mut points = String::new();
        for (column, share) in shares.iter().enumerate() {
            let (from, to) = (x.start + (column * WIDTH) as f64, x.start + ((column + 1) * WIDTH) as f64);
            points.push_str(&format!("{from},{0:.1} {to},{0:.1} ", y.at(*share)));
        }
        points
    };
    let base = y.start;
    html! {
        svg.histogram role="img" aria-label=(title) viewBox=(format!("0 0 {} {}", x.end + 8.0, base + 24.0)) {
            text.tick x="0" y="12" { (unit) }
            @for tick in ticks {
                @let place = format!("{:.1}", y.at(f64::from(tick) / 100.0));
                line.grid x1=(x.start) x2=(x.end) y1=(place) y2=(place) {}
                text.tick.end x=(x.start - 6.0) y=(place) dy="4" { (tick) }
            }
            @if !during.is_empty() {
                polygon.during points=(format!("{},{base} {}{},{base}", x.start, points(&during), x.end)) {}
            }
            @if !before.is_empty() { polyline.before points=(points(&before)) {} }
            line.axis x1=(x.start) x2=(x.end) y1=(base) y2=(base) {}
            @for us in decades(range.0, range.1) {
                @let place = x.at((us as f64).ln());
                line.axis x1=(format!("{place:.1}")) x2=(format!("{place:.1}")) y1=(base) y2=(base + 5.0) {}
                // The ends have labels of their own.
                @if place - x.start > LABEL && x.end - place > LABEL { text.tick.middle x=(format!("{place:.1}")) y=(base + 19.0) { (delay(us)) } }
            }
            text.tick x=(x.start) y=(base + 19.0) { (delay(range.0)) }
            text.tick.end x=(x.end) y=(base + 19.0) { (delay(range.1)) }
        }
    }
}

/// Powers of ten between two delays.
fn decades(from: u64, to: u64) -> impl Iterator<Item = u64> {
    (0..12).map(|power| 10_u64.pow(power)).filter(move |us| (from..=to).contains(us))
}

/// The newest damage that is on record.
pub(in crate::web) fn newest_damage<'a>(changes: impl DoubleEndedIterator<Item = &'a Change>) -> &'a [Damage] {
    changes.rev().map(|change| &*change.damage).find(|damage| !damage.is_empty()).unwrap_or_default()
}

/// What an early warning expects.
pub(in crate::web) fn forecast(view: &View<'_>, forecast: &Forecast) -> Markup {
    let text = view.night();
    html! {
        p.note {
            ((text.forecast)(&view.certainty(forecast.chance)))
            @if let Some(at) = forecast.declares_at { " " ((text.forecast_due)(&view.zone.time(at))) }
            @if forecast.scheduled > 0 { " " ((text.forecast_risk)(forecast.scheduled, forecast.at_risk)) }
        }
    }
}

/// A share with the digits that matter.
fn share(ratio: Option<f64>) -> String {
    match ratio {
        Some(ratio) if ratio < 0.1 => format!("{:.1} %", ratio * 100.0),
        Some(ratio) => format!("{} %", percent(ratio)),
        None => "-".to_owned(),
    }
}

/// Microseconds in the unit that reads best.
pub(in crate::web) fn delay(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..10_000 => format!("{:.1} ms", us as f64 / 1e3),
        10_000..1_000_000 => format!("{:.0} ms", us as f64 / 1e3),
        _ => format!("{:.2} s", us as f64 / 1e6),
    }
}
