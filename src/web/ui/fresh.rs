//! How old a page is, and how it stays fresh.
//!
//! Every page says of when it is. With JavaScript it counts its age, asks for itself again, and turns to "cannot be seen" by itself
//! when it cannot be refreshed (`live.js`); without it, pages on which nothing is typed reload.

use maud::{Markup, html};

use super::form::form_token;
use super::fragment;
use super::parts::{Tone, banner};
use super::view::View;
use crate::web::ui::login;

/// Engine time after which a snapshot is stale: three ticks.
const STALE_MS: i64 = 30_000;

/// A snapshot is not called stale before this much real time, however fast engine time runs.
const STALE_REAL_S: f64 = 5.0;

/// How a page stays fresh.
#[derive(Clone, Copy)]
pub(in crate::web) enum Fresh<'a> {
    /// It shows nothing of anybody's: the login, an error.
    Never,
    /// It shows what was so when it was opened, for somebody to type in; it asks whether it could be refreshed.
    Still,
    /// All of it is living. Without JavaScript it reloads after so many seconds.
    Whole(Option<u32>),
    /// Its parts marked `data-live` are living, and its forms stay. `watch`: the incident whose changes are shown at once (`*`: of
    /// any, and of the fleet).
    Parts { watch: &'a str, reload_s: Option<u32> },
}

impl<'a> Fresh<'a> {
    /// The same for the answer to a form, which cannot be asked for again.
    pub(in crate::web) fn of(self, view: &View<'_>) -> Self {
        if view.posted && !matches!(self, Self::Never) { Self::Still } else { self }
    }

    pub(in crate::web) const fn reload_s(self) -> Option<u32> {
        match self {
            Self::Never | Self::Still => None,
            Self::Whole(reload_s) | Self::Parts { reload_s, .. } => reload_s,
        }
    }

    pub(in crate::web) const fn watch(self) -> Option<&'a str> {
        match self {
            Self::Never | Self::Still => None,
            Self::Whole(_) => Some("*"),
            Self::Parts { watch, .. } => Some(watch),
        }
    }

    pub(in crate::web) const fn has_script(self) -> bool {
        !matches!(self, Self::Never)
    }
}

/// The main part of a page, with the line that says of when it is; of a page that is asked for again only what has changed, see
/// [`Main::Changed`].
pub(in crate::web) fn content(view: &View<'_>, fresh: Fresh<'_>, blind_here: bool, body: &Markup) -> Main {
    let kind = match fresh {
        Fresh::Never => return Main::Whole(html! { main id="content" { (body) } }),
        Fresh::Still => "still",
        Fresh::Whole(_) | Fresh::Parts { .. } => "living",
    };
    // A posted page has no address that could be asked for; here it is only asked whether somebody is there.
    let ask = view.posted.then_some("/here");
    let is_living = kind == "living";
    let stale = stale_s(view).filter(|_| blind_here && is_living);
    let page = html! {
        div id="stale" data-live="" { @if let Some(age_s) = stale { (unseen(view, age_s)) } }
        @if matches!(fresh, Fresh::Whole(_)) { div id="whole" data-live="" { (body) } } @else { (body) }
    };
    let parts = is_living.then(|| fragment::fingerprints(&page));
    if let Some(changed) = view.have.filter(|_| is_living).and_then(|have| fragment::changed(&page, have)) {
        return Main::Changed(html! {
            main id="content" data-parts=[parts] { (as_of(view, true)) div id="page" { (changed) (form_token(view)) } }
        });
    }
    Main::Whole(html! {
        main id="content" data-fresh=(kind) data-watch=[fresh.watch()] data-ask=[ask] data-parts=[parts] {
            (lost(view))
            (as_of(view, is_living))
            div id="page" { (page) }
        }
    })
}

/// The main part of a page.
pub(in crate::web) enum Main {
    Whole(Markup),
    /// For a page that is there already and has the same parts: those that differ. Nothing else of the page is sent.
    Changed(Markup),
}

/// How old the engine's last picture of the fleet is, in engine seconds, when that is too old; `None` while it is fresh, and
/// before the first one.
pub(in crate::web) fn stale_s(view: &View<'_>) -> Option<u64> {
    let age_ms = view.now.since_ms(view.seen_at);
    let stale = age_ms > STALE_MS && age_ms as f64 > STALE_REAL_S * 1_000.0 * view.speed;
    (stale && view.seen_at.as_ms() != 0).then(|| (age_ms / 1_000).unsigned_abs())
}

fn unseen(view: &View<'_>, age_s: u64) -> Markup {
    let text = view.text();
    banner(Tone::Unknown, "h2", text.blind, &html! { p { ((text.stale_detail)(&view.duration(age_s))) } })
}

/// "As of 02:09:50"; the script adds the age, which without it would not be true for long.
fn as_of(view: &View<'_>, living: bool) -> Markup {
    let at = if living && view.seen_at.as_ms() != 0 { view.seen_at } else { view.now };
    let age_ms = view.now.since_ms(at).max(0);
    let (before, after) = view.lang.fresh().as_of.split_once('#').unwrap_or_default();
    html! {
        p.note.as-of id="as-of" data-age=(age_ms) data-speed=(view.speed) {
            (before) (view.time_s(at)) (after) " " span id="age" {}
        }
    }
}

/// What the script shows when the page can no longer be refreshed. Its words stand in attributes until then: a reader that knows
/// neither scripts nor style sheets shows what stands in an element, hidden or not.
fn lost(view: &View<'_>) -> Markup {
    let text = view.lang.fresh();
    let there = view.uri.path_and_query().filter(|_| !view.posted).map_or("/", |there| there.as_str());
    html! {
        div.banner.unknown id="lost" hidden data-mark=(Tone::Unknown.mark()) data-word=(text.lost) data-since=(text.lost_since)
            data-counted=(text.lost_counted) data-title=(text.lost_title) data-ago=(text.ago) data-seconds=(text.seconds)
            data-minutes=(text.minutes) data-hours=(text.hours) data-hold=(text.held) data-out=(text.logged_out)
            data-login=(text.log_in) data-address=(login::address(there)) {}
    }
}
