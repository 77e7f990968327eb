//! Pieces that several pages use.

use maud::{Markup, html};

use super::view::View;
use crate::engine::effect::{Cause, Scope, Suspect, Verdict};
use crate::engine::snapshot::EventView;
use crate::engine::time::Timestamp;
use crate::engine::verdict::Test;
use crate::record::open_items::Lifecycle;
use crate::record::{EventSummary, StoreError};
use crate::words::pages::Text;
use crate::words::{Lang, names};

/// How serious something looks: a word, a shape and a colour that go together.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::web) enum Tone {
    Bad,
    Warn,
    Good,
    Unknown,
}

impl Tone {
    /// The class that gives the colour.
    pub(in crate::web) const fn class(self) -> &'static str {
        match self {
            Self::Bad => "bad",
            Self::Warn => "warn",
            Self::Good => "good",
            Self::Unknown => "unknown",
        }
    }

    /// A shape of its own, for those who do not see the colour.
    pub(in crate::web) const fn mark(self) -> &'static str {
        match self {
            Self::Bad => "\u{25a0}",
            Self::Warn => "\u{25b2}",
            Self::Good => "\u{25cf}",
            Self::Unknown => "\u{25c7}",
        }
    }
}

/// A name that a device, a list or a person gave: whichever way it is written, what stands beside it keeps its own direction.
pub(in crate::web) fn name(name: &str) -> Markup {
    html! { bdi { (name) } }
}

/// As [`name`], or the word for none.
pub(in crate::web) fn name_or(name: Option<&str>, none: &str) -> Markup {
    html! { @match name { Some(name) => bdi { (name) }, None => (none) } }
}

/// A word with its mark.
pub(in crate::web) fn badge(tone: Tone, word: &str) -> Markup {
    html! { span class=(format!("badge {}", tone.class())) { span aria-hidden="true" { (tone.mark()) } " " (word) } }
}

/// A word in large with what it means. The heading is one of `h1` (the page has no other), `h2`, `h3`.
pub(in crate::web) fn banner(tone: Tone, heading: &str, word: &str, detail: &Markup) -> Markup {
    html! {
        div class=(format!("banner {}", tone.class())) role="status" {
            span.mark aria-hidden="true" { (tone.mark()) }
            div {
                @match heading { "h1" => h1 { (word) }, "h2" => h2 { (word) }, _ => h3 { (word) } }
                (detail)
            }
        }
    }
}

pub(in crate::web) fn verdict_word(text: &Text, verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Degraded => text.verdict_degraded,
        Verdict::Healthy => text.verdict_healthy,
        Verdict::Indeterminate => text.verdict_indeterminate,
        Verdict::Unknown => text.verdict_unknown,
    }
}

pub(in crate::web) fn verdict_badge(text: &Text, verdict: Verdict) -> Markup {
    let tone = match verdict {
        Verdict::Degraded => Tone::Bad,
        Verdict::Healthy => Tone::Good,
        Verdict::Indeterminate | Verdict::Unknown => Tone::Unknown,
    };
    badge(tone, verdict_word(text, verdict))
}

/// How far something has come.
pub(in crate::web) fn lifecycle_badge(view: &View<'_>, lifecycle: Lifecycle) -> Markup {
    badge(tone_of(lifecycle), lifecycle.words().pick(view.lang))
}

/// How serious it is.
pub(in crate::web) fn tone_of(lifecycle: Lifecycle) -> Tone {
    match lifecycle {
        lifecycle if lifecycle.is_unmitigated() => Tone::Bad,
        lifecycle if lifecycle.is_active() => Tone::Warn,
        Lifecycle::Pending => Tone::Warn,
        _ => Tone::Good,
    }
}

pub(in crate::web) fn scope_word(text: &Text, scope: Scope) -> &'static str {
    match scope {
        Scope::Fleet => text.scope_fleet,
        Scope::Isolated => text.scope_isolated,
    }
}

/// `update 2026.11.21`; pairs as `update + model 2026.11.21 + B200`.
pub(in crate::web) fn suspect(lang: Lang, suspect: &Suspect) -> Markup {
    html! {
        span.kind { (names::suspect_kind(lang, &suspect.kind)) }
        @if suspect.kind != "fleet" { " " b.value { (name(&suspect.value)) } }
    }
}

/// The suspect with its confidence, and the runner-up.
pub(in crate::web) fn cause(view: &View<'_>, cause: Option<&Cause>) -> Markup {
    let text = view.text();
    let Some(cause) = cause else { return html! { (text.no_suspect) } };
    html! {
        (suspect(view.lang, &cause.suspect)) " " span.note { "(" ((text.confidence)(&view.certainty(cause.confidence))) ")" }
        @if let Some(runner_up) = &cause.runner_up {
            br;
            span.note { (text.runner_up) ": " (suspect(view.lang, &runner_up.suspect))
                " (" ((text.confidence)(&view.certainty(runner_up.confidence))) ")" }
        }
        @if cause.inseparable { br; span.note { (text.inseparable) } }
    }
}

/// The engine's evidence (`https p95 delay`, `https false positives`) in the reader's words.
pub(in crate::web) fn evidence(text: &Text, evidence: &[String]) -> String {
    let words = evidence.iter().map(|item| {
        let Some((class, name)) = item.split_once(' ') else { return item.clone() };
        format!("{class} {}", test_word(text, name))
    });
    words.collect::<Vec<_>>().join(", ")
}

/// The engine's name of a test in the reader's words.
pub(in crate::web) fn test_word<'a>(text: &Text, name: &'a str) -> &'a str {
    match Test::ALL.into_iter().find(|test| test.as_str() == name) {
        Some(Test::P50) => text.test_p50,
        Some(Test::P95) => text.test_p95,
        Some(Test::FalsePositives) => text.test_false_positives,
        Some(Test::Flagged) => text.test_flagged,
        None => name,
    }
}

/// The number of a declared event, the event id of any other.
pub(in crate::web) fn event_name<'a>(number: Option<&'a str>, event_id: &'a str) -> &'a str {
    number.unwrap_or(event_id)
}

/// The one-hour clock as a bar, with its marks and its deadline in words.
pub(in crate::web) fn clock(view: &View<'_>, event: &EventView) -> Markup {
    let text = view.text();
    let hold_s = event.hold_s.max(1);
    let full = event.streak_s >= hold_s;
    let share = event.streak_s.min(hold_s) as f64 / hold_s as f64;
    let proved = view.minutes(event.streak_s);
    let words = if full { (text.clock_full)(&proved) } else { (text.clock_of)(&proved, &view.minutes(hold_s)) };
    html! {
        div.clock {
            p.clock-words { b { (text.clock) } ": " (words) }
            svg.bar role="img" aria-label=(format!("{}: {words}", text.clock)) viewBox="0 0 600 26"
                preserveAspectRatio="none" {
                rect.track x="0.5" y="0.5" width="599" height="25" {}
                rect class=(if full { "fill bad" } else if event.suspended { "fill unknown" } else { "fill warn" })
                    x="0" y="0" width=(format!("{:.1}", share * 600.0)) height="26" {}
                @for quarter in 1..4 { line.mark x1=(quarter * 150) x2=(quarter * 150) y1="0" y2="26" {} }
            }
            @if let Some(words) = due(view, event.suspended, event.declares_at) { p.note { (words) } }
        }
    }
}

/// When the clock will be full, or that a gap without data has stopped it; nothing once it is full.
pub(in crate::web) fn due(view: &View<'_>, suspended: bool, declares_at: Option<Timestamp>) -> Option<String> {
    let text = view.text();
    if suspended {
        return Some(text.suspended.to_owned());
    }
    let due = declares_at?;
    let left = u64::try_from(due.since_ms(view.now)).unwrap_or(0) / 1_000;
    Some((text.due)(&view.zone.time(due), &view.duration(left)))
}

/// Incidents as a table; on a phone each row becomes a card. `lifecycle`: how far they have come.
pub(in crate::web) fn event_table(
    view: &View<'_>,
    incidents: &[EventSummary],
    lifecycle: impl Fn(&EventSummary) -> Lifecycle,
) -> Markup {
    let text = view.text();
    html! {
        table.cards {
            thead { tr {
                th scope="col" { (text.incident) } th scope="col" { (text.state) }
                th scope="col" { (text.impact_start) } th scope="col" { (text.duration) }
                th scope="col" { (text.affected) } th scope="col" { (text.suspect) }
            } }
            tbody { @for incident in incidents {
                @let name = event_name(incident.number.as_deref(), &incident.event_id);
                tr {
                    th scope="row" { a href=(view.link(&format!("/incidents/{}", encode(name)), "")) { (name) } }
                    td data-label=(text.state) {
                        (lifecycle_badge(view, lifecycle(incident)))
                    }
                    td data-label=(text.impact_start) { (view.date_time(incident.impact_started_at)) }
                    td data-label=(text.duration) { (view.duration(incident.streak_s)) }
                    td data-label=(text.affected) { ((text.devices_count)(incident.affected)) }
                    td data-label=(text.suspect) {
                        @match &incident.cause { Some(cause) => (suspect(view.lang, &cause.suspect)), None => "-" }
                    }
                }
            } }
        }
    }
}

/// Tells the reader in short; the log tells why.
pub(in crate::web) fn unreadable(view: &View<'_>, error: &StoreError) -> Markup {
    tracing::error!(reason = error.reason(), %error, "the incident record cannot be read");
    html! { (badge(Tone::Unknown, view.text().record_unreadable)) " (" code { (error.reason()) } ")" }
}

/// Percent-encodes a text for a path segment or a query value.
pub(in crate::web) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(byte as char);
        } else {
            out.push('%');
            for digit in [byte >> 4, byte & 15] {
                out.push(char::from_digit(u32::from(digit), 16).unwrap_or('0').to_ascii_uppercase());
            }
        }
    }
    out
}
