//! The review of an incident: written once it is over, read ever after.

use maud::{Markup, html};

use super::parts::{path_of, state_badge};
use crate::engine::time::MINUTE_MS;
use crate::incident::Act;
use crate::incident::review::Review;
use crate::incident::{Incident, LifeSettings};
use crate::record::incidents::IncidentFile;
use crate::record::review;
use crate::web::ui::fields::{Fault, Fields};
use crate::web::ui::form::Form;
use crate::web::ui::frame::{Place, framed};
use crate::web::ui::fresh::Fresh;
use crate::web::ui::markdown;
use crate::web::ui::parts::{Tone, badge};
use crate::web::ui::view::View;
use crate::words::Lang;
use crate::words::{Both, say};

const DRAFT: Both<&str> = say("The draft from the record", "記録から作成した下書き");
const HINT: Both<&str> = say(
    "It begins with what the record says. Fill in what is marked, change what is needed; Markdown.",
    "記録から作成した下書きです。「記入してください」の箇所を書き、必要に応じて直してください（Markdown形式）。",
);

/// The page. `draft`: what is known from the record, as Markdown, for people to read and to add to.
pub(in crate::web) fn page(
    view: &View<'_>,
    (incident, settings): (&Incident, &LifeSettings),
    draft: Option<&str>,
    (fields, faults): (&Fields, &[Fault]),
) -> Markup {
    let text = view.lang.act();
    let words = view.lang.incident();
    let path = path_of(incident);
    let form = Form { view, fields, faults };
    let title = format!("{}: {}", words.review, incident.number());
    let body = html! {
        div id="head" data-live="" { h1 { (title) " " (state_badge(view, incident.state)) } }
        p.screen { a href=(view.link(&path, "")) { (text.cancel) } " | "
            a href=(view.link(&format!("{path}/review.md"), "")) { (text.review_markdown) } }
        (form.summary())
        div id="filed" data-live="" { @if let Some((review, stamp)) = &incident.review {
            p.note { ((text.review_filed)(&stamp.by, &view.zone.date_time(stamp.at, view.lang))) }
            (markdown::render(review))
        } }
        div id="file" data-live="" { (file(view, incident, settings, &form)) }
        (crate::web::incident::burndown::section(view, incident, settings))
        div id="draft" data-live="" { @if let Some(draft) = draft {
            // Once somebody has filed a review, it is only what that was made from.
            @if incident.review.is_some() { details { summary { (DRAFT.pick(view.lang)) } (markdown::render(draft)) } }
            @else { (markdown::render(draft)) }
        } }
    };
    framed(view, &title, Place::Incidents, Fresh::Parts { watch: incident.number(), reload_s: None }, &body)
}

/// The form, once the incident is resolved.
fn file(view: &View<'_>, incident: &Incident, settings: &LifeSettings, form: &Form<'_>) -> Markup {
    let text = view.lang.act();
    let words = view.lang.incident();
    let path = path_of(incident);
    html! {
        @if incident.state.is_active() { p { (badge(Tone::Unknown, text.review_early)) } }
        @else if incident.is_open() {
            @if let Some(due) = incident.review_due_at(settings) {
                p { ((words.review_due)(&view.date_relative(due))) }
            }
            @if view.may_do(Act::Review) {
                form.act.screen method="post" action=(view.link(&format!("{path}/do/review"), "")) {
                    (form.identity())
                    (form.area("text", text.text, HINT.pick(view.lang), 30, true))
                    p.taps { button type="submit" { ((text.act)(Act::Review)) } }
                }
            }
        }
    }
}

/// What the record says, drafted in the language of the page; `None` for a record that cannot be read.
pub(in crate::web) fn draft(view: &View<'_>, file: &IncidentFile, settings: &LifeSettings) -> Option<String> {
    let review = Review::draft(file.record.happened(), settings, view.now)?;
    let ahead_min = i32::try_from(view.zone.ahead_ms(view.now) / MINUTE_MS).unwrap_or_default();
    let Both { ja, en } = review::markdown(&review, ahead_min);
    Some(if view.lang == Lang::Ja { ja } else { en })
}

/// The same as a text that can be mailed and filed. A review that was edited from the draft stands alone; any other one follows what
/// the record says.
pub(in crate::web) fn markdown(view: &View<'_>, file: &IncidentFile, settings: &LifeSettings) -> String {
    let draft = || draft(view, file, settings).unwrap_or_default();
    let Some((review, stamp)) = &file.incident.review else { return draft() };
    let filed = (view.lang.act().review_filed)(&stamp.by, &view.zone.date_time(stamp.at, view.lang));
    let before = if review.trim_start().starts_with("# ") { String::new() } else { format!("{}\n", draft()) };
    format!("{before}{}\n\n{filed}\n", review.trim())
}

/// What the form begins with: what was filed before, or the draft, to be changed.
pub(in crate::web) fn beginning(view: &View<'_>, incident: &Incident, draft: Option<&str>) -> Fields {
    let text = match (&incident.review, draft) {
        (Some((filed, _)), _) => filed.clone(),
        (None, Some(draft)) => review::beginning(draft, view.lang),
        (None, None) => String::new(),
    };
    Fields::default().with("text", &text)
}
