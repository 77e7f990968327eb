//! How a page is looked at: by whom, when, in which language; and how instants and lengths read there.

use axum::http::Uri;
use maud::{Markup, html};

use crate::engine::device::DeviceId;
use crate::engine::time::Timestamp;
use crate::incident::Act;
use crate::record::access::{Action, Principal, policy};
use crate::words::Lang;
use crate::words::length;
use crate::words::number::Certainty;
use crate::words::pages::{NightText, Text};
use crate::words::zone::{Zone, rfc3339};

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
    /// What every form with `method="post"` carries: see [`form_token`](crate::web::ui::form::form_token).
    pub(in crate::web) form_token: &'a str,
    pub(in crate::web) zone: &'a Zone,
    pub(in crate::web) now: Timestamp,
    /// When the engine last looked: the instant of its snapshot.
    pub(in crate::web) seen_at: Timestamp,
    /// Which parts of the page are there already: see `fragment`.
    pub(in crate::web) have: Option<&'a str>,
    /// Whether it answers a form, so that nobody can ask for it again.
    pub(in crate::web) posted: bool,
    /// Engine seconds a real second.
    pub(in crate::web) speed: f64,
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

    /// Whether the reader may do `act` at all.
    pub(in crate::web) fn may_do(&self, act: Act) -> bool {
        self.may(policy::right(act.duty()))
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
    pub(in crate::web) fn this_with(&self, name: &str, value: Option<&str>) -> String {
        let prefix = format!("{name}=");
        let kept =
            self.uri.query().unwrap_or("").split('&').filter(|part| !part.is_empty() && !part.starts_with(&prefix));
        let mut query: Vec<String> = kept.map(str::to_owned).collect();
        query.extend(value.map(|value| format!("{prefix}{value}")));
        if query.is_empty() { self.uri.path().to_owned() } else { format!("{}?{}", self.uri.path(), query.join("&")) }
    }

    /// A duration in the reader's words, to the minute (to the second below two minutes).
    pub(in crate::web) fn duration(&self, seconds: u64) -> String {
        length::lasting(self.lang, seconds)
    }

    /// A length on the one-hour clock, in minutes.
    pub(in crate::web) fn minutes(&self, seconds: u64) -> String {
        length::minutes(self.lang, seconds)
    }

    /// A confidence, of which nothing is ever certain.
    pub(in crate::web) fn certainty(&self, confidence: f64) -> String {
        Certainty(confidence).text(self.lang)
    }

    /// An instant with its date.
    pub(in crate::web) fn date_time(&self, at: Timestamp) -> Markup {
        html! { time datetime=(rfc3339(at)) { (self.zone.date_time(at, self.lang)) } }
    }

    /// An instant with how long ago it was, or how soon it will be: what an operator asks of "last seen" and "due".
    pub(in crate::web) fn when(&self, at: Timestamp) -> Markup {
        html! { (self.time_s(at)) " " (self.apart(at)) }
    }

    /// As [`Self::when`], with the date.
    pub(in crate::web) fn date_when(&self, at: Timestamp) -> Markup {
        html! { (self.date_time(at)) " " (self.apart(at)) }
    }

    /// `(12 min ago)`, `(in 3 h 20 min)`.
    fn apart(&self, at: Timestamp) -> Markup {
        html! { span.note { (self.relative(at)) } }
    }

    /// As [`Self::when`], as a text within a sentence.
    pub(in crate::web) fn date_relative(&self, at: Timestamp) -> String {
        format!("{} {}", self.zone.date_time(at, self.lang), self.relative(at))
    }

    fn relative(&self, at: Timestamp) -> String {
        let ms = self.now.since_ms(at);
        let lasting = self.duration(ms.unsigned_abs() / 1_000);
        length::relative(self.lang, ms >= 0, &lasting)
    }

    /// An instant to the second; with its date where the time of day alone could be taken for another day's.
    pub(in crate::web) fn time_s(&self, at: Timestamp) -> Markup {
        if self.now.since_ms(at).abs() > HALF_A_DAY_MS {
            return self.date_time(at);
        }
        html! { time datetime=(rfc3339(at)) { (self.zone.time_s(at)) } }
    }
}
