//! What is done about an incident: the countermeasure in its versions.

use maud::{Markup, PreEscaped, html};

use crate::incident::Act;
use crate::incident::countermeasure::CountermeasureVersion;
use crate::incident::{Incident, Script};
use crate::record::access::Action;
use crate::web::ui::form::tap;
use crate::web::ui::parts::{Tone, badge};
use crate::web::ui::view::View;
use crate::words::Lang;

/// Every version, the newest first.
pub(in crate::web) fn section(view: &View<'_>, incident: &Incident, path: &str) -> Markup {
    let text = view.lang.incident();
    let act = view.lang.act().act;
    let versions = incident.countermeasures.versions();
    html! {
        section id="remedy" data-live="" aria-labelledby="remedy-title" {
            h2 id="remedy-title" { (text.remedy) }
            @if versions.is_empty() { p { (text.no_remedy) } }
            @for (index, standing) in versions.iter().enumerate().rev().take(1) { (version(view, incident, index, standing, path)) }
            @if versions.len() > 1 {
                details {
                    summary { (text.older) " (" (versions.len() - 1) ")" }
                    @for (index, standing) in versions.iter().enumerate().rev().skip(1) {
                        (version(view, incident, index, standing, path))
                    }
                }
            }
            @if let Some(name) = &incident.released { p { (badge(Tone::Good, text.fix_released)) " " b { (crate::web::ui::parts::name(name)) } } }
            @if incident.is_open() {
                div.taps.screen {
                    @if view.may_do(Act::Countermeasure) {
                        a.button href=(view.link(&format!("{path}/do/countermeasure"), "")) { (act(Act::Countermeasure)) }
                    }
                    @if incident.released.is_none() && incident.countermeasures.fix().is_some() && view.may_do(Act::ReleaseFix) {
                        a.button href=(view.link(&format!("{path}/do/release_fix"), "")) { (act(Act::ReleaseFix)) }
                    }
                }
            }
        }
    }
}

fn version(view: &View<'_>, incident: &Incident, index: usize, standing: &CountermeasureVersion, path: &str) -> Markup {
    let text = view.lang.incident();
    let CountermeasureVersion { countermeasure, registered_by, registered_at, agreed, acknowledged } = standing;
    let at = |instant| view.zone.date_time(instant, view.lang);
    let current = incident.countermeasures.current().map(|standing| standing.countermeasure.version);
    let newest = index + 1 == incident.countermeasures.versions().len();
    html! {
        article.event {
            h3 { ((text.version)(countermeasure.version)) " "
                @if current == Some(countermeasure.version) { (badge(Tone::Good, text.in_force)) }
                @else if agreed.is_none() && newest { (badge(Tone::Warn, text.not_agreed)) }
                @else { (badge(Tone::Unknown, text.replaced)) }
            }
            p.note {
                ((text.registered)(registered_by, &at(*registered_at)))
                @if let Some((by, instant)) = agreed { "; " ((text.agreed)(by, &at(*instant))) }
                @if !acknowledged.is_empty() { "; " ((text.read_by)(acknowledged.len())) }
            }
            dl.facts {
                @if let Some(plan) = &countermeasure.workaround { dt { (text.workaround) } dd { (plan.id) } }
                @if let Some(fix) = &countermeasure.fix { dt { (text.fix) } dd { (crate::web::ui::parts::name(&fix.name())) } }
                @if let Some(due) = countermeasure.fix_due_at { dt { (text.fix_due) } dd { (view.date_when(due)) } }
            }
            @if let Some(plan) = &countermeasure.workaround { (script(view, &plan.script)) }
            @if newest && agreed.is_none() && incident.is_open() && view.may_do(Act::Agree) {
                (tap(view, &format!("{path}/do/agree"), &[("version", &countermeasure.version.to_string())],
                    (view.lang.act().act)(Act::Agree)))
            }
            @if incident.is_open() && current == Some(countermeasure.version) && countermeasure.workaround.is_some() {
                (acknowledge(view, standing, path, ""))
            }
        }
    }
}

/// The button with which somebody says to have read the script. `back`: where the person goes on; empty: at the incident.
pub(in crate::web) fn acknowledge(view: &View<'_>, standing: &CountermeasureVersion, path: &str, back: &str) -> Markup {
    let read = view.principal.and_then(|who| standing.acknowledged.get(&who.name));
    let version = standing.countermeasure.version.to_string();
    html! {
        @match read {
            Some(at) => p.note { ((view.lang.support().script_read)(&view.zone.date_time(*at, view.lang))) },
            None if view.may(Action::TakePart) => {
                (tap(view, &format!("{path}/do/script"), &[("version", &version), ("back", back)], (view.lang.act().act)(Act::Script)))
            }
            None => {}
        }
    }
}

/// What is said on the phone, in the reader's language, or in the other one where there is no such script.
pub(in crate::web) fn script(view: &View<'_>, script: &Script) -> Markup {
    let text = view.lang.incident();
    let (own, other, other_lang) = match view.lang {
        Lang::En => (&script.en, &script.ja, "ja"),
        Lang::Ja => (&script.ja, &script.en, "en"),
    };
    html! {
        @if !own.trim().is_empty() { div.script { (lines(own)) } }
        @else if !other.trim().is_empty() {
            p.note { (text.script_other) }
            div.script lang=(other_lang) { (lines(other)) }
        }
    }
}

/// A text with its line breaks.
pub(in crate::web) fn lines(text: &str) -> Markup {
    html! { @for (index, line) in text.trim().lines().enumerate() { @if index > 0 { (PreEscaped("<br>")) } (line) } }
}
