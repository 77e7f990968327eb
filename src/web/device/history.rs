//! A device's last hours: what was found of each minute, its delays against their limit, its false positives.

use maud::{Markup, html};

use crate::engine::detector::{ClassHistory, DeviceHistory};
use crate::engine::device::{DeviceId, TrafficClass};
use crate::engine::effect::Verdict;
use crate::engine::evidence::Counts;
use crate::engine::time::{MINUTE_MS, Timestamp};
use crate::web::ui::chart::count_ticks;
use crate::web::ui::parts::verdict_word;
use crate::web::ui::plot::{Plot, gaps, steps};
use crate::web::ui::strip;
use crate::web::ui::view::View;
use crate::words::{Both, Lang, length, number, phrase, say};

/// Minutes that are drawn as one: as many as a verdict looks at.
const BIN_MIN: usize = 5;
const BIN_MS: i64 = BIN_MIN as i64 * MINUTE_MS;

/// Minutes in a row of the table.
const ROW_MIN: usize = 30;

/// The share of samples above the limit at which the 95th percentile is at the limit itself.
const AT_LIMIT: f64 = 0.05;

const TITLE: Both<&str> = say("The last hours", "直近の推移");
const NONE: Both<&str> = say(
    "Nothing is known of this device's last hours: none of their minutes is closed yet.",
    "この装置の直近の推移は不明です。判定済みの時間帯がまだありません。",
);
const DELAY: Both<&str> = say("Share of the delays above the p95 limit", "遅延がp95の上限を超えた割合");
const DELAY_NOTE: Both<&str> = say(
    "At 5 % the 95th percentile is at its limit; above, it exceeds it.",
    "5 %でp95が上限に一致し、5 %を超えるとp95が上限を超えています。",
);
const LIMIT: Both<&str> = say("p95 at its limit", "p95の上限");
const UNLEARNT: Both<&str> = say(
    "What is normal is still being learned: delays cannot be judged yet.",
    "通常値を学習中のため、遅延はまだ判定できません。",
);
const FALSE_POSITIVES: Both<&str> = say("Share of probes flagged wrongly", "プローブの誤検知率");
const NO_PROBES: Both<&str> = say(
    "No probes in these hours: the false-positive share is not known.",
    "この時間帯にプローブはなく、誤検知率は不明です。",
);
const FP_LIMIT: Both<&str> = say("limit", "上限");
const OBSERVED: Both<&str> = say("measured, per 5 min", "実測値（5分単位）");
const NO_DATA: Both<&str> = say("no data", "データなし");
const TABLE: Both<&str> = say("As a table", "表で見る");
const TIME: Both<&str> = say("From", "時刻");
const DEGRADED_MIN: Both<&str> = say("Degraded", "品質低下");
const UNKNOWN_MIN: Both<&str> = say("Without data", "データなし");
const CLASSES: Both<&str> = say("Traffic class", "通信の種類");

phrase! {
    fn summary(lang: Lang, hours: usize, degraded: usize, healthy: usize, undecided: usize, unknown: usize) -> String match hours {
        _ =>
            "Last {hours} h: {degraded} min degraded, {healthy} min healthy, {undecided} min undecided, {unknown} min without data.",
            "直近{hours}時間: 品質低下 {degraded}分、正常 {healthy}分、判定不能 {undecided}分、データなし {unknown}分。";
    }
}

phrase! {
    fn limit_now(lang: Lang, limit: &str) -> String match limit {
        _ => "The limit is {limit} at this hour of the day.", "この時間帯の上限は{limit}です。";
    }
}

/// The part of the page. `class`: the one that was asked for.
pub(in crate::web) fn section(
    view: &View<'_>,
    device: &DeviceId,
    history: Option<&DeviceHistory>,
    class: &str,
) -> Markup {
    let known = history.filter(|history| history.verdicts.iter().any(|minute| minute.data != 0));
    html! {
        section id="history" data-live="" aria-labelledby="history-title" {
            h2 id="history-title" { (TITLE.pick(view.lang)) }
            @match known {
                None => p { (NONE.pick(view.lang)) },
                Some(history) => {
                    (verdicts(view, history))
                    @if let Some(shown) = shown(history, class) {
                        (choice(view, device, history, shown.class))
                        (delays(view, history, shown))
                        (false_positives(view, history, shown))
                        (table(view, history, shown))
                    }
                }
            }
        }
    }
}

fn plot(history: &DeviceHistory, height: f64) -> Plot {
    let from = history.from.start();
    Plot { from, to: from.plus_ms(history.verdicts.len() as i64 * MINUTE_MS), height }
}

fn verdicts(view: &View<'_>, history: &DeviceHistory) -> Markup {
    let all: Vec<Verdict> = history.verdicts.iter().map(|minute| minute.worst()).collect();
    let count = |verdict| all.iter().filter(|one| **one == verdict).count();
    let words = summary(
        view.lang,
        all.len() / 60,
        count(Verdict::Degraded),
        count(Verdict::Healthy),
        count(Verdict::Indeterminate),
        count(Verdict::Unknown),
    );
    let plot = plot(history, strip::HEIGHT);
    let at = |minute: usize| history.from.start().plus_ms(minute as i64 * MINUTE_MS);
    html! {
        figure.proof {
            svg.plot role="img" aria-label=(words) viewBox=(plot.view_box()) {
                @for run in strip::runs(&all) {
                    @let (from, to) = (at(run.first), at(run.first + run.minutes));
                    g {
                        title { (view.zone.time(from)) "–" (view.zone.time(to)) " " (verdict_word(view.text(), run.verdict)) }
                        (strip::bar(run.verdict, (plot.x().at_time(from), plot.x().at_time(to)), plot.y(1.0).end))
                    }
                }
                (plot.times(view))
            }
            figcaption.note { (words) }
        }
        (strip::legend(view))
    }
}

/// The class that is drawn: the one that was asked for, else the one with most degraded minutes, else the busiest.
fn shown<'a>(history: &'a DeviceHistory, asked: &str) -> Option<&'a ClassHistory> {
    let degraded =
        |class: TrafficClass| history.verdicts.iter().filter(|minute| minute.of(class) == Verdict::Degraded).count();
    let samples = |class: &ClassHistory| class.minutes.iter().map(|counts| counts.samples).sum::<u64>();
    let by_name = history.classes.iter().find(|class| class.class.as_str() == asked);
    by_name.or_else(|| history.classes.iter().max_by_key(|class| (degraded(class.class), samples(class))))
}

fn choice(view: &View<'_>, device: &DeviceId, history: &DeviceHistory, shown: TrafficClass) -> Markup {
    html! {
        nav.classes aria-label=(CLASSES.pick(view.lang)) {
            @for class in &history.classes {
                @let name = class.class.as_str();
                a href=(view.link(&format!("/devices/{device}"), &format!("class={name}"))) aria-current=[(class.class == shown).then_some("true")] { (name) }
            }
        }
    }
}

/// What a share is made of: how many there were, and how many of them counted.
type Share = fn(&Counts) -> (u64, u64);

fn over_limit(counts: &Counts) -> (u64, u64) {
    (counts.samples, counts.over_p95)
}

fn flagged(counts: &Counts) -> (u64, u64) {
    (counts.canary, counts.canary_flagged)
}

fn share(minutes: &[Counts], of: Share) -> Option<f64> {
    let sum = minutes.iter().map(of).fold((0, 0), |sum, next| (sum.0 + next.0, sum.1 + next.1));
    (sum.0 > 0).then(|| sum.1 as f64 / sum.0 as f64)
}

fn bins(history: &DeviceHistory, class: &ClassHistory, of: Share) -> Vec<(Timestamp, Option<f64>)> {
    let from = history.from.start();
    let chunks = class.minutes.chunks(BIN_MIN).enumerate();
    chunks.map(|(index, minutes)| (from.plus_ms(index as i64 * BIN_MS), share(minutes, of))).collect()
}

fn delays(view: &View<'_>, history: &DeviceHistory, class: &ClassHistory) -> Markup {
    let bins = bins(history, class, over_limit);
    html! {
        h3 { (class.class) ": " (DELAY.pick(view.lang)) }
        @match class.p95_limit_us {
            None => p { (UNLEARNT.pick(view.lang)) },
            Some(limit) => {
                p.note { (DELAY_NOTE.pick(view.lang)) " " (limit_now(view.lang, &length::micros(u64::from(limit)))) }
                (shares(view, plot(history, 100.0), &bins, DELAY.pick(view.lang), AT_LIMIT, LIMIT.pick(view.lang)))
            }
        }
    }
}

fn false_positives(view: &View<'_>, history: &DeviceHistory, class: &ClassHistory) -> Markup {
    let bins = bins(history, class, flagged);
    html! {
        h3 { (class.class) ": " (FALSE_POSITIVES.pick(view.lang)) }
        @if bins.iter().all(|(_, value)| value.is_none()) { p { (NO_PROBES.pick(view.lang)) } }
        @else {
            (shares(view, plot(history, 70.0), &bins, FALSE_POSITIVES.pick(view.lang), class.false_positive_limit, FP_LIMIT.pick(view.lang)))
        }
    }
}

/// A share over time, with its limit.
fn shares(
    view: &View<'_>,
    plot: Plot,
    bins: &[(Timestamp, Option<f64>)],
    title: &str,
    limit: f64,
    word: &str,
) -> Markup {
    let highest = bins.iter().filter_map(|(_, value)| *value).fold(limit, f64::max);
    // In tenths of a per cent where there is little to see.
    let (unit, digits) = if highest < 0.02 { (1_000.0, 1) } else { (100.0, 0) };
    let ticks = count_ticks((highest * 1.05 * unit).ceil() as u32);
    let (x, y) = (plot.x(), plot.y(f64::from(ticks.last().copied().unwrap_or(1)) / unit));
    let label = |tick: u32| format!("{:.digits$}", f64::from(tick) / unit * 100.0);
    let ticks: Vec<(f64, String)> = ticks.into_iter().map(|tick| (f64::from(tick) / unit, label(tick))).collect();
    let at = format!("{:.1}", y.at(limit));
    html! {
        figure.proof {
            svg.plot role="img" aria-label=(described(view, title, bins)) viewBox=(plot.view_box()) {
                (plot.axes(view, y, &ticks, "%"))
                @for (from, to) in gaps(bins, BIN_MS) { (plot.gap(from, to)) }
                path.observed d=(steps(x, y, bins, BIN_MS, false)) {}
                line.limit-line x1=(x.start) x2=(x.end) y1=(at) y2=(at) {}
            }
            ul.legend {
                li { svg viewBox="0 0 24 10" aria-hidden="true" { line.observed x1="0" x2="24" y1="5" y2="5" {} } (OBSERVED.pick(view.lang)) }
                li { svg viewBox="0 0 24 10" aria-hidden="true" { line.limit-line x1="0" x2="24" y1="5" y2="5" {} }
                    (word) " " (number::share(limit)) }
                @if bins.iter().any(|(_, value)| value.is_none()) {
                    li { svg viewBox="0 0 24 10" aria-hidden="true" { rect.gap width="24" height="10" {} } (NO_DATA.pick(view.lang)) }
                }
            }
        }
    }
}

phrase! {
    fn newest(lang: Lang, title: &str, now: &str, most: &str) -> String match title {
        _ => "{title}: {now} in the newest 5 min, at most {most}.", "{title}: 直近5分 {now}、最大 {most}。";
    }
}

/// The drawing for whoever does not see it.
fn described(view: &View<'_>, title: &str, bins: &[(Timestamp, Option<f64>)]) -> String {
    let told = |value: Option<f64>| value.map_or_else(|| NO_DATA.pick(view.lang).to_owned(), number::share);
    let most = bins.iter().filter_map(|(_, value)| *value).max_by(f64::total_cmp);
    newest(view.lang, title, &told(bins.last().and_then(|(_, value)| *value)), &told(most))
}

fn table(view: &View<'_>, history: &DeviceHistory, class: &ClassHistory) -> Markup {
    let rows = history.verdicts.chunks(ROW_MIN).zip(class.minutes.chunks(ROW_MIN)).enumerate();
    let told = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), number::share);
    html! {
        details {
            summary { (TABLE.pick(view.lang)) }
            table.small {
                thead { tr {
                    th scope="col" { (TIME.pick(view.lang)) } th.number scope="col" { (DEGRADED_MIN.pick(view.lang)) }
                    th.number scope="col" { (UNKNOWN_MIN.pick(view.lang)) }
                    th.number scope="col" { (class.class) ": " (DELAY.pick(view.lang)) }
                    th.number scope="col" { (class.class) ": " (FALSE_POSITIVES.pick(view.lang)) }
                } }
                tbody { @for (index, (verdicts, counts)) in rows {
                    @let count = |verdict| verdicts.iter().filter(|minute| minute.worst() == verdict).count() as u64 * 60;
                    tr {
                        th scope="row" { (view.zone.time(history.from.plus((index * ROW_MIN) as i64).start())) }
                        td.number { (view.minutes(count(Verdict::Degraded))) }
                        td.number { (view.minutes(count(Verdict::Unknown))) }
                        td.number { (told(share(counts, over_limit))) }
                        td.number { (told(share(counts, flagged))) }
                    }
                } }
            }
        }
    }
}
