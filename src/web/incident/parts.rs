//! An incident in a word, and where its pages are.

use maud::Markup;

use crate::incident::{Incident, State};
use crate::web::ui::parts::{Tone, badge, encode};
use crate::web::ui::view::View;

/// Where the incident's pages are.
pub(in crate::web) fn path_of(incident: &Incident) -> String {
    format!("/incidents/{}", encode(incident.number()))
}

/// The state of an incident as a badge.
pub(in crate::web) fn state_badge(view: &View<'_>, state: State) -> Markup {
    let tone = match state {
        State::Declared | State::Mustered => Tone::Bad,
        State::WorkaroundAvailable | State::PendingPermanentFix | State::Fixing => Tone::Warn,
        State::Resolved | State::Reviewed | State::Closed => Tone::Good,
    };
    badge(tone, (view.lang.incident().state)(state))
}
