//! The reader's language, and every word of the pages in both.

mod access;
mod act;
mod fresh;
mod gate;
mod incident;
mod night;
pub(super) mod refusal;
mod refused;
pub(super) mod story;
mod support;
mod text;

use axum::http::{HeaderMap, header};

pub(super) use self::access::AccessText;
pub(super) use self::act::ActText;
pub(super) use self::fresh::FreshText;
pub(super) use self::gate::GateText;
pub(super) use self::incident::IncidentText;
pub(super) use self::night::NightText;
pub(super) use self::refused::refused_reason;
pub(super) use self::support::SupportText;
pub(super) use self::text::Text;
pub(super) use crate::words::Lang;

impl Lang {
    /// Every word in this language.
    pub(super) const fn text(self) -> &'static Text {
        Text::of(self)
    }

    /// The words about logging in, in this language.
    pub(super) const fn access(self) -> &'static AccessText {
        AccessText::of(self)
    }

    /// The words about a page's age, in this language.
    pub(super) const fn fresh(self) -> &'static FreshText {
        FreshText::of(self)
    }

    /// The words about the gates of updates, in this language.
    pub(super) const fn gate(self) -> &'static GateText {
        GateText::of(self)
    }

    /// The words of report and evidence in this language.
    pub(super) const fn night(self) -> &'static NightText {
        NightText::of(self)
    }

    /// The words of an incident's life in this language.
    pub(super) const fn incident(self) -> &'static IncidentText {
        IncidentText::of(self)
    }

    /// The words of the forms in this language.
    pub(super) const fn act(self) -> &'static ActText {
        ActText::of(self)
    }

    /// The words of the support desk, branches and devices in this language.
    pub(super) const fn support(self) -> &'static SupportText {
        SupportText::of(self)
    }

    /// What the browser prefers by its `Accept-Language`; English where it says nothing that the pages have.
    pub(super) fn accepted(headers: &HeaderMap) -> Self {
        let accept = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or("");
        let mut best: Option<(f32, Self)> = None;
        for range in accept.split(',') {
            let (tag, parameters) = range.split_once(';').unwrap_or((range, ""));
            let weight = match parameters.trim().strip_prefix("q=") {
                Some(q) => q.trim().parse().unwrap_or(0.0),
                None => 1.0,
            };
            let primary = tag.trim().split('-').next().unwrap_or("").to_ascii_lowercase();
            // The first of equal weight wins.
            if let Some(lang) = Self::from_code(&primary)
                && weight > best.map_or(0.0, |(best, _)| best)
            {
                best = Some((weight, lang));
            }
        }
        best.map_or(Self::En, |(_, lang)| lang)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(value: &str) -> Lang {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_LANGUAGE, value.parse().unwrap());
        Lang::accepted(&headers)
    }

    #[test]
    fn the_preferred_language_that_there_is_wins() {
        assert_eq!(accepted("ja"), Lang::Ja);
        assert_eq!(accepted("ja-JP,ja;q=0.9,en;q=0.8"), Lang::Ja);
        assert_eq!(accepted("fr, en;q=0.3, ja;q=0.7"), Lang::Ja);
        assert_eq!(accepted("en-GB, ja"), Lang::En);
        assert_eq!(accepted("ja;q=0, de"), Lang::En);
        assert_eq!(accepted(";;q=x,,"), Lang::En);
        assert_eq!(Lang::accepted(&HeaderMap::new()), Lang::En);
    }
}
