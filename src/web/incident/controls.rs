//! Controls that several forms of an incident share.

use std::collections::BTreeSet;

use maud::{Markup, html};

use crate::incident::closure::Obstacles;
use crate::incident::{Act, Incident, Role, Seat};
use crate::record::incidents::OpenIncidents;
use crate::web::ui::form::Form;
use crate::web::ui::view::View;
use crate::words::names;

/// What the form is about.
pub(in crate::web) struct Subject<'a> {
    pub(in crate::web) act: Act,
    /// The incident's number, or the event's id where it is none yet.
    pub(in crate::web) id: &'a str,
    pub(in crate::web) incident: Option<&'a Incident>,
    pub(in crate::web) board: &'a OpenIncidents,
    pub(in crate::web) obstacles: Option<&'a Obstacles>,
}

/// The other open incidents.
pub(super) fn others<'a>(subject: &'a Subject<'_>) -> impl Iterator<Item = &'a Incident> {
    let own = subject.incident.map(Incident::number);
    subject.board.incidents.iter().map(AsRef::as_ref).filter(move |other| Some(other.number()) != own)
}

/// Pairs of value and word for a list, after an empty first that asks to choose.
pub(super) fn choices<T>(
    view: &View<'_>,
    all: impl IntoIterator<Item = T>,
    pair: impl Fn(T) -> (String, String),
) -> Vec<(String, String)> {
    let first = (String::new(), view.lang.act().choose.to_owned());
    std::iter::once(first).chain(all.into_iter().map(pair)).collect()
}

/// Another incident in a list: its number, its suspect, its size.
pub(super) fn other(view: &View<'_>, incident: &Incident) -> String {
    let suspect = incident.cause.as_ref().map(|cause| format!(", {}", names::suspect(view.lang, &cause.suspect)));
    format!(
        "{}{} ({})",
        incident.number(),
        suspect.unwrap_or_default(),
        (view.text().devices_count)(incident.ladder.len() as u64)
    )
}

/// A role, of those that are called.
pub(super) fn seat(form: &Form<'_>, subject: &Subject<'_>) -> Markup {
    let called = subject.incident.into_iter().flat_map(|incident| incident.muster.posts.keys().cloned());
    let mut seats: Vec<Seat> = Role::ALL.into_iter().map(Seat::of).chain(called).collect();
    // One that stands in the address may be of a branch that was not called yet.
    seats.extend(Seat::try_from(form.fields.get("seat").to_owned()).ok());
    seats.sort_unstable();
    seats.dedup();
    let lang = form.view.lang;
    let pairs = choices(form.view, seats, |seat| (seat.to_string(), names::seat(lang, &seat)));
    form.select("seat", form.view.lang.act().seat, &pairs)
}

/// Devices by their serials, or all of a branch.
pub(super) fn devices(form: &Form<'_>, subject: &Subject<'_>) -> Markup {
    let text = form.view.lang.act();
    let branches: BTreeSet<&str> = subject
        .incident
        .into_iter()
        .flat_map(|incident| incident.ladder.iter().filter_map(|(_, rung)| rung.branch.as_deref()))
        .collect();
    let pairs = choices(form.view, branches, |branch| (branch.to_owned(), branch.to_owned()));
    html! {
        (form.area("devices", text.devices, text.devices_hint, 3, false))
        (form.select("branch", text.of_branch, &pairs))
    }
}

/// A version of the countermeasure.
pub(super) fn countermeasure(form: &Form<'_>) -> Markup {
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
        (form.area("script_ja", text.script_ja, "", 8, false))
        (form.area("script_en", text.script_en, "", 8, false))
        (form.select("fix_kind", text.fix_kind, &kinds))
        (form.line("fix_value", text.fix_value, text.fix_value_hint, false))
        (form.line("fix_due", text.fix_due, "2026-11-25 18:00", false))
    }
}
