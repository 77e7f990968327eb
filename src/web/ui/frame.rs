//! What surrounds every page.

use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};

use super::assets::{SCRIPT_PATH, STYLE_PATH};
use super::fresh::{self, Fresh};
use super::zone::{Zone, rfc3339};
use crate::engine::device::DeviceId;
use crate::engine::effect::Certainty;
use crate::engine::time::Timestamp;
use crate::record::access::{Action, Principal, Role};
use crate::web::access::FORM_FIELD;
use crate::web::lang::{Lang, NightText, Text};
use crate::words::Both;

const HALF_A_DAY_MS: i64 = 12 * 3_600_000;

/// How a page is looked at: by whom, when, from which address.
pub(in crate::web) struct View<'a> {
    pub(in crate::web) lang: Lang,
    /// Whether the address says the language: then links keep it.
    pub(in crate::web) lang_chosen: bool,
    pub(in crate::web) refresh: bool,
    pub(in crate::web) uri: &'a Uri,
    /// Who looks; `None` where everybody may.
    pub(in crate::web) principal: Option<&'a Principal>,
    /// What every form with `method="post"` carries: see [`form_token`].
    pub(in crate::web) form_token: &'a str,
    pub(in crate::web) zone: &'a Zone,
    pub(in crate::web) now: Timestamp,
    /// When the engine last looked: the instant of its snapshot.
    pub(in crate::web) seen_at: Timestamp,
    /// Whether it answers a form, so that nobody can ask for it again.
    pub(in crate::web) posted: bool,
    /// Engine seconds a real second.
    pub(in crate::web) speed: f64,
}

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

impl View<'_> {
    pub(in crate::web) fn text(&self) -> &'static Text {
        self.lang.text()
    }

    pub(in crate::web) fn night(&self) -> &'static NightText {
        self.lang.night()
    }

    /// Whether the reader may do this; what a reader may not is not offered.
    pub(in crate::web) fn may(&self, action: Action) -> bool {
        self.principal.is_some_and(|principal| principal.may(action))
    }

    /// Whether this device is any of the reader's business.
    pub(in crate::web) fn sees(&self, device: &DeviceId) -> bool {
        self.principal.is_some_and(|principal| principal.sees(device))
    }

    /// Under which branch the reader finds a device that says it is `told`'s.
    pub(in crate::web) fn branch_of<'b>(&'b self, device: &DeviceId, told: Option<&'b str>) -> Option<&'b str> {
        self.principal.and_then(|principal| principal.branch_of(device, told))
    }

    /// Whether the branch of this name is any of the reader's business.
    pub(in crate::web) fn sees_branch(&self, branch: Option<&str>) -> bool {
        self.principal.is_some_and(|principal| principal.sees_branch(branch))
    }

    /// The address of another page, in the same language when it was chosen. `query` is encoded already.
    pub(in crate::web) fn link(&self, path: &str, query: &str) -> String {
        let lang = if self.lang_chosen { format!("lang={}", self.lang.code()) } else { String::new() };
        let parts: Vec<&str> = [query, &lang].into_iter().filter(|part| !part.is_empty()).collect();
        if parts.is_empty() { path.to_owned() } else { format!("{path}?{}", parts.join("&")) }
    }

    /// The address of this page with one parameter changed. `value` needs no encoding; `None` takes it away.
    fn this_with(&self, name: &str, value: Option<&str>) -> String {
        let prefix = format!("{name}=");
        let kept =
            self.uri.query().unwrap_or("").split('&').filter(|part| !part.is_empty() && !part.starts_with(&prefix));
        let mut query: Vec<String> = kept.map(str::to_owned).collect();
        query.extend(value.map(|value| format!("{prefix}{value}")));
        if query.is_empty() { self.uri.path().to_owned() } else { format!("{}?{}", self.uri.path(), query.join("&")) }
    }

    /// A duration in the reader's words, to the minute (to the second below two minutes).
    pub(in crate::web) fn duration(&self, seconds: u64) -> String {
        let text = self.text();
        match seconds {
            0..120 => (text.seconds)(seconds),
            120..3_600 => (text.minutes)(seconds / 60),
            _ => (text.hours)(seconds / 3_600, seconds / 60 % 60),
        }
    }

    /// A length on the one-hour clock, in minutes.
    pub(in crate::web) fn minutes(&self, seconds: u64) -> String {
        (self.text().minutes)(seconds / 60)
    }

    /// A confidence, of which nothing is ever certain.
    pub(in crate::web) fn certainty(&self, confidence: f64) -> String {
        let certainty = Certainty(confidence);
        Both { ja: certainty.in_japanese(), en: certainty.to_string() }.pick(self.lang)
    }

    /// An instant with its date.
    pub(in crate::web) fn date_time(&self, at: Timestamp) -> Markup {
        html! { time datetime=(rfc3339(at)) { (self.zone.date_time(at, self.lang)) } }
    }

    /// An instant to the second; with its date where the time of day alone could be taken for another day's.
    pub(in crate::web) fn time_s(&self, at: Timestamp) -> Markup {
        if self.now.since_ms(at).abs() > HALF_A_DAY_MS {
            return self.date_time(at);
        }
        html! { time datetime=(rfc3339(at)) { (self.zone.time_s(at)) } }
    }
}

/// A whole page.
pub(in crate::web) fn framed(view: &View<'_>, title: &str, place: Place, fresh: Fresh<'_>, body: &Markup) -> Markup {
    let fresh = fresh.of(view);
    html! {
        (DOCTYPE)
        html lang=(view.lang.code()) {
            (head(view, title, fresh))
            body {
                a.skip href="#content" { (view.text().skip) }
                (top(view, place))
                // The first page tells in its own banner what cannot be seen.
                (fresh::content(view, fresh, place != Place::Now, body))
                (foot(view, fresh))
            }
        }
    }
}

/// A whole page without a menu, for a screen that nobody touches; its one link leads back.
pub(in crate::web) fn bare(view: &View<'_>, title: &str, fresh: Fresh<'_>, body: &Markup) -> Markup {
    let fresh = fresh.of(view);
    html! {
        (DOCTYPE)
        html.bare lang=(view.lang.code()) {
            (head(view, title, fresh))
            body {
                (fresh::content(view, fresh, false, body))
                footer { a.brand href=(view.link("/", "")) { "fleetwatch" } " " span id="live" role="status"
                    data-on=(view.lang.incident().live_on) data-off=(view.lang.incident().live_off) {} }
            }
        }
    }
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
        (!own, "/gates", text.gate.title, Place::Gates),
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
            title { (title) " - fleetwatch" }
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
        posted: false,
        speed: 1.0,
    };
    page(&view)
}

/// The hidden field without which a form is refused.
pub(in crate::web) fn form_token(view: &View<'_>) -> Markup {
    html! { input type="hidden" name=(FORM_FIELD) value=(view.form_token); }
}

/// Answers that the request cannot be understood, and why.
pub(in crate::web) fn refuse(view: &View<'_>, why: &str) -> Response {
    respond(StatusCode::BAD_REQUEST, view.lang, &bad_request(view, why))
}

fn bad_request(view: &View<'_>, why: &str) -> Markup {
    let text = view.text();
    let body = html! {
        h1 { (text.bad_request) }
        p lang="en" { (why) }
        p { a href=(view.link("/", "")) { (text.back) } }
    };
    framed(view, text.bad_request, Place::None, Fresh::Never, &body)
}

pub(in crate::web) fn respond(status: StatusCode, lang: Lang, markup: &Markup) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_LANGUAGE, lang.code()),
        (header::VARY, "Accept-Language"),
    ];
    (status, headers, markup.0.clone()).into_response()
}
