//! What surrounds every page.

use axum::http::Uri;
use maud::{DOCTYPE, Markup, html};

use super::assets::{SCRIPT_PATH, STYLE_PATH};
use super::fresh::{self, Fresh, Main};
use super::view::View;
use crate::engine::time::Timestamp;
use crate::record::access::{Action, Role};
use crate::words::Lang;
use crate::words::zone::Zone;

/// Which entry of the navigation a page is under.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::web) enum Place {
    Now,
    Incidents,
    Devices,
    Support,
    Branches,
    Gates,
    Report,
    Settings,
    None,
}

/// A whole page.
pub(in crate::web) fn framed(view: &View<'_>, title: &str, place: Place, fresh: Fresh<'_>, body: &Markup) -> Markup {
    let fresh = fresh.of(view);
    // The first page tells in its own banner what cannot be seen.
    let main = match fresh::content(view, fresh, place != Place::Now, body) {
        Main::Whole(main) => main,
        Main::Changed(main) => return changed(view, title, &main),
    };
    html! {
        (DOCTYPE)
        html lang=(view.lang.code()) {
            (head(view, title, fresh))
            body {
                a.skip href="#content" { (view.text().skip) }
                (top(view, place))
                (main)
                (foot(view, fresh))
            }
        }
    }
}

/// A whole page without a menu, for a screen that nobody touches; its one link leads back.
pub(in crate::web) fn bare(view: &View<'_>, title: &str, fresh: Fresh<'_>, body: &Markup) -> Markup {
    let fresh = fresh.of(view);
    let main = match fresh::content(view, fresh, false, body) {
        Main::Whole(main) => main,
        Main::Changed(main) => return changed(view, title, &main),
    };
    html! {
        (DOCTYPE)
        html.bare lang=(view.lang.code()) {
            (head(view, title, fresh))
            body {
                (main)
                footer { a.brand href=(view.link("/", "")) { "fleetwatch" } " " span id="live" role="status"
                    data-on=(view.lang.incident().live_on) data-off=(view.lang.incident().live_off) {} }
            }
        }
    }
}

/// What is sent to a page that is there already: its title, and what of it has changed.
fn changed(view: &View<'_>, title: &str, main: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang=(view.lang.code()) { head { meta charset="utf-8"; (titled(title)) } body { (main) } }
    }
}

fn titled(title: &str) -> Markup {
    html! { title { (title) " - fleetwatch" } }
}

fn top(view: &View<'_>, place: Place) -> Markup {
    let text = view.text();
    let other = view.lang.other();
    let own = view.principal.is_some_and(|principal| principal.role == Role::Branch);
    let support = view.lang.support();
    // What somebody with branches of the own may not see is not offered.
    let entries = [
        (!own, "/", text.nav_now, Place::Now),
        (!own, "/incidents", text.nav_incidents, Place::Incidents),
        (view.may(Action::Work), "/support", support.title, Place::Support),
        (true, "/branches", support.branches, Place::Branches),
        (true, "/devices", text.nav_devices, Place::Devices),
        (!own, "/gates", view.lang.gate().title, Place::Gates),
        (!own, "/report", view.night().report, Place::Report),
        (!own, "/settings", support.settings, Place::Settings),
    ];
    html! {
        header.top {
            a.brand href=(view.link("/", "")) { "fleetwatch" }
            nav aria-label=(text.nav_label) {
                @for (_, path, label, own) in entries.into_iter().filter(|(shown, ..)| *shown) {
                    (entry(view, path, label, place == own))
                }
            }
            @if let Some(principal) = view.principal {
                a.account dir="auto" href=(view.link("/account", "")) { (principal.name) }
            }
            a.language href=(view.this_with("lang", Some(other.code()))) lang=(other.code())
                hreflang=(other.code()) { (other.text().language_name) }
        }
    }
}

fn foot(view: &View<'_>, fresh: Fresh<'_>) -> Markup {
    let text = view.text();
    let words = view.lang.incident();
    html! {
        footer {
            p { ((text.zone)(view.zone.name())) " fleetwatch " (env!("CARGO_PKG_VERSION")) }
            @if fresh.watch().is_some() {
                p.screen id="live" role="status" data-on=(words.live_on) data-off=(words.live_off) {}
            }
            @if let Some(seconds) = fresh.reload_s() {
                noscript {
                    @if view.refresh {
                        p.screen { ((text.refreshes)(seconds)) " "
                            a href=(view.this_with("refresh", Some("off"))) { (text.refresh_stop) } }
                    } @else {
                        p.screen { a href=(view.this_with("refresh", None)) { (text.refresh_start) } }
                    }
                }
            }
        }
    }
}

fn head(view: &View<'_>, title: &str, fresh: Fresh<'_>) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            @if let Some(seconds) = fresh.reload_s().filter(|_| view.refresh) {
                noscript { meta http-equiv="refresh" content=(seconds); }
            }
            (titled(title))
            link rel="stylesheet" href=(*STYLE_PATH);
            link rel="icon" href="/assets/icon.svg" type="image/svg+xml";
            @if fresh.has_script() { script src=(*SCRIPT_PATH) defer {} }
        }
    }
}

fn entry(view: &View<'_>, path: &str, label: &str, current: bool) -> Markup {
    html! { a href=(view.link(path, "")) aria-current=[current.then_some("page")] { (label) } }
}

pub(in crate::web) fn not_found(view: &View<'_>) -> Markup {
    let text = view.text();
    let body = html! {
        h1 { (text.not_found) }
        p { (text.not_found_detail) }
        p { a href=(view.link("/", "")) { (text.back) } }
    };
    framed(view, text.not_found, Place::None, Fresh::Never, &body)
}

/// A page where no state is at hand.
pub(in crate::web) fn plain(lang: Lang, uri: &Uri, page: impl FnOnce(&View<'_>) -> Markup) -> Markup {
    let (zone, now) = (Zone::default(), Timestamp::default());
    let view = View {
        lang,
        lang_chosen: false,
        refresh: false,
        uri,
        principal: None,
        form_token: "",
        zone: &zone,
        now,
        seen_at: now,
        have: None,
        posted: false,
        speed: 1.0,
    };
    page(&view)
}

pub(in crate::web) fn bad_request(view: &View<'_>, why: &str) -> Markup {
    let text = view.text();
    let body = html! {
        h1 { (text.bad_request) }
        p lang="en" { (why) }
        p { a href=(view.link("/", "")) { (text.back) } }
    };
    framed(view, text.bad_request, Place::None, Fresh::Never, &body)
}
