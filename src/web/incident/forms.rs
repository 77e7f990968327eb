//! The forms of an incident, each on a page of its own, so that a page that keeps itself fresh takes nobody's text away.

use maud::{Markup, html};

use super::followups;
use super::parts::state_badge;
use crate::incident::Act;
use crate::incident::closure::Obstacles;
use crate::incident::ladder::Claim;
use crate::incident::{ExceptionKind, Incident, Milestone, Role, Seat, State};
use crate::record::incidents::OpenIncidents;
use crate::web::ui::fields::{Fault, Fields};
use crate::web::ui::form::Form;
use crate::web::ui::frame::{Place, framed};
use crate::web::ui::fresh::Fresh;
use crate::web::ui::view::View;
use crate::words::pages::story;

/// What the form is about.
pub(in crate::web) struct Subject<'a> {
    pub(in crate::web) act: Act,
    /// The incident's number, or the event's id where it is none yet.
    pub(in crate::web) id: &'a str,
    pub(in crate::web) incident: Option<&'a Incident>,
    pub(in crate::web) board: &'a OpenIncidents,
    pub(in crate::web) obstacles: Option<&'a Obstacles>,
}

/// The page of one act, with what was typed and what was wrong with it.
pub(in crate::web) fn page(view: &View<'_>, subject: &Subject<'_>, fields: &Fields, faults: &[Fault]) -> Markup {
    let text = view.lang.act();
    let Subject { act, id, incident, .. } = *subject;
    let form = Form { view, fields, faults };
    let path = format!("/incidents/{}", crate::web::ui::parts::encode(id));
    let may = view.may(act.needs());
    let body = html! {
        h1 { ((text.act)(act)) }
        p { a href=(view.link(&path, "")) { (id) } @if let Some(incident) = incident { " " (state_badge(view, incident.state)) } }
        p { ((text.meaning)(act)) }
        (form.summary())
        @if !may { p { ((text.may_not)(view.principal.map_or("-", |who| who.role.as_str()))) } }
        @else if let Some(obstacle) = barred(view, subject) { (obstacle) }
        @else {
            form.act method="post" action=(view.link(&format!("{path}/do/{}", act.as_str()), "")) {
                (form.identity())
                (controls(&form, subject))
                p.taps { button type="submit" { ((text.act)(act)) } }
            }
        }
        p { a href=(view.link(&path, "")) { (text.cancel) } }
    };
    framed(view, (text.act)(act), Place::Incidents, Fresh::Still, &body)
}

/// What keeps the act from being possible at all, instead of a button that fails.
fn barred(view: &View<'_>, subject: &Subject<'_>) -> Option<Markup> {
    let text = view.lang.act();
    let incident = subject.incident?;
    let obstacles = subject.obstacles?;
    match subject.act {
        Act::Close if !obstacles.is_empty() => {
            Some(html! { p { (text.close_open) } (followups::obstacles(view, incident, obstacles)) })
        }
        Act::Close if incident.state != State::Reviewed => Some(html! {
            p { (text.close_review) }
            p { a.button href=(view.link(&format!("{}/review", crate::web::incident::parts::path_of(incident)), "")) { (view.lang.incident().review) } }
        }),
        Act::Merge if others(subject).next().is_none() => Some(html! { p { (text.into_none) } }),
        _ => None,
    }
}

fn others<'a>(subject: &'a Subject<'_>) -> impl Iterator<Item = &'a Incident> {
    let own = subject.incident.map(Incident::number);
    subject.board.incidents.iter().map(AsRef::as_ref).filter(move |other| Some(other.number()) != own)
}

/// Pairs of value and word for a list, after an empty first that asks to choose.
fn choices<T>(
    view: &View<'_>,
    all: impl IntoIterator<Item = T>,
    pair: impl Fn(T) -> (String, String),
) -> Vec<(String, String)> {
    let first = (String::new(), view.lang.act().choose.to_owned());
    std::iter::once(first).chain(all.into_iter().map(pair)).collect()
}

fn controls(form: &Form<'_>, subject: &Subject<'_>) -> Markup {
    let view = form.view;
    let text = view.lang.act();
    let words = view.lang.incident();
    let reason = || form.area("reason", text.reason, "", (3, true));
    match subject.act {
        Act::Acknowledge => seat(form, subject),
        Act::HandOver => html! { (seat(form, subject)) (form.line("to", text.to, "", true)) (reason()) },
        Act::Note => html! {
            (form.radios("tell", text.tell, &[("yes", text.tell_yes), ("no", text.tell_no)]))
            (form.area("text", text.text, "", (5, true)))
        },
        Act::CorrectTime => {
            let movable = Milestone::ALL.into_iter().filter(|milestone| {
                *milestone > Milestone::Declared
                    && subject.incident.is_some_and(|incident| incident.milestones.get(*milestone).is_some())
            });
            let pairs = choices(view, movable, |m| (m.as_str().to_owned(), (words.milestone)(m).to_owned()));
            html! {
                (form.select("milestone", text.milestone, &pairs))
                (form.line("instant", text.instant, text.instant_hint, true)) (reason())
            }
        }
        Act::Countermeasure => countermeasure(form),
        Act::Agree | Act::Script => form.line("version", text.version, "", true),
        Act::Claim => {
            let pairs = choices(view, Claim::ALL, |c| (c.as_str().to_owned(), (words.claim)(c).to_owned()));
            html! { (devices(form, subject)) (form.select("claim", text.claim, &pairs)) }
        }
        Act::SignOff => {
            let pairs = choices(view, ExceptionKind::ALL, |k| (k.as_str().to_owned(), (words.exception)(k).to_owned()));
            html! {
                (form.line("device", text.device, "", true)) (form.select("kind", text.kind, &pairs))
                (form.area("reason", text.evidence, text.evidence_hint, (3, true)))
            }
        }
        Act::Lift => html! { (form.line("device", text.device, "", true)) (reason()) },
        Act::Merge => {
            let pairs = choices(view, others(subject), |c| (c.number().to_owned(), other(view, c)));
            html! { (form.select("into", text.into, &pairs)) (reason()) }
        }
        Act::Split => html! { (devices(form, subject)) (reason()) },
        Act::Promote | Act::Demote | Act::Declare => reason(),
        Act::Review => form.area("text", text.text, "", (20, true)),
        Act::Join | Act::ReleaseFix | Act::Close => html! {},
    }
}

/// Another incident in a list: its number, its suspect, its size.
fn other(view: &View<'_>, incident: &Incident) -> String {
    let suspect = incident.cause.as_ref().map(|cause| format!(", {} {}", cause.suspect.kind, cause.suspect.value));
    format!(
        "{}{} ({})",
        incident.number(),
        suspect.unwrap_or_default(),
        (view.text().devices_count)(incident.ladder.len() as u64)
    )
}

fn seat(form: &Form<'_>, subject: &Subject<'_>) -> Markup {
    let called = subject.incident.into_iter().flat_map(|incident| incident.muster.posts.keys().cloned());
    let mut seats: Vec<Seat> = Role::ALL.into_iter().map(Seat::of).chain(called).collect();
    // One that stands in the address may be of a branch that was not called yet.
    seats.extend(Seat::try_from(form.fields.get("seat").to_owned()).ok());
    seats.sort_unstable();
    seats.dedup();
    let lang = form.view.lang;
    let pairs = choices(form.view, seats, |seat| (seat.to_string(), story::seat(lang, &seat)));
    form.select("seat", form.view.lang.act().seat, &pairs)
}

fn devices(form: &Form<'_>, subject: &Subject<'_>) -> Markup {
    let text = form.view.lang.act();
    let branches: std::collections::BTreeSet<&str> = subject
        .incident
        .into_iter()
        .flat_map(|incident| incident.ladder.iter().filter_map(|(_, rung)| rung.branch.as_deref()))
        .collect();
    let pairs = choices(form.view, branches, |branch| (branch.to_owned(), branch.to_owned()));
    html! {
        (form.area("devices", text.devices, text.devices_hint, (3, false)))
        (form.select("branch", text.of_branch, &pairs))
    }
}

fn countermeasure(form: &Form<'_>) -> Markup {
    let text = form.view.lang.act();
    let kinds = [
        ("none", text.fix_none),
        ("update", text.fix_update),
        ("package", text.fix_package),
        ("elsewhere", text.fix_elsewhere),
    ];
    let kinds: Vec<(String, String)> = kinds.map(|(kind, word)| (kind.to_owned(), word.to_owned())).into();
    html! {
        (form.line("workaround", text.workaround_id, text.workaround_id_hint, false))
        (form.area("script_ja", text.script_ja, "", (8, false)))
        (form.area("script_en", text.script_en, "", (8, false)))
        (form.select("fix_kind", text.fix_kind, &kinds))
        (form.line("fix_value", text.fix_value, text.fix_value_hint, false))
        (form.line("fix_due", text.fix_due, "2026-11-25 18:00", false))
    }
}

/// What a form begins with before anybody typed: the newest countermeasure, which a new version usually changes a little.
pub(in crate::web) fn beginning(act: Act, incident: Option<&Incident>, view: &View<'_>) -> Fields {
    let newest = incident.and_then(|incident| incident.countermeasures.newest()).filter(|_| act == Act::Countermeasure);
    let mut fields = Fields::default();
    let Some(newest) = newest.map(|standing| &standing.countermeasure) else { return fields };
    if let Some(plan) = &newest.workaround {
        fields =
            fields.with("workaround", &plan.id).with("script_ja", &plan.script.ja).with("script_en", &plan.script.en);
    }
    if let Some(fix) = &newest.fix {
        use crate::incident::Fix;
        let kind = match fix {
            Fix::Update(_) => "update",
            Fix::Package { .. } => "package",
            Fix::Elsewhere(_) => "elsewhere",
        };
        fields = fields.with("fix_kind", kind).with("fix_value", &fix.name());
    }
    match newest.fix_due_at.filter(|due| *due > view.now) {
        Some(due) => fields.with("fix_due", &view.zone.stamp(due)),
        None => fields,
    }
}
