//! The forms of an incident, each on a page of its own, so that a page that keeps itself fresh takes nobody's text away.

use maud::{Markup, html};

use super::act::controls;
use super::controls::{Subject, others};
use super::followups;
use super::parts::state_badge;
use crate::incident::Act;
use crate::incident::{Incident, State};
use crate::web::ui::fields::{Fault, Fields};
use crate::web::ui::form::Form;
use crate::web::ui::frame::{Place, framed};
use crate::web::ui::fresh::Fresh;
use crate::web::ui::view::View;

/// The page of one act, with what was typed and what was wrong with it.
pub(in crate::web) fn page(view: &View<'_>, subject: &Subject<'_>, fields: &Fields, faults: &[Fault]) -> Markup {
    let text = view.lang.act();
    let Subject { act, id, incident, .. } = *subject;
    let form = Form { view, fields, faults };
    let path = format!("/incidents/{}", crate::web::ui::parts::encode(id));
    let may = view.may_do(act);
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
