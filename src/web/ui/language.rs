//! Which language a reader asks for.

use axum::http::{HeaderMap, header};

use crate::words::Lang;

/// What the browser prefers by its `Accept-Language`; English where it says nothing that the pages have.
pub(in crate::web) fn accepted(headers: &HeaderMap) -> Lang {
    let accept = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let mut best: Option<(f32, Lang)> = None;
    for range in accept.split(',') {
        let (tag, parameters) = range.split_once(';').unwrap_or((range, ""));
        let weight = match parameters.trim().strip_prefix("q=") {
            Some(q) => q.trim().parse().unwrap_or(0.0),
            None => 1.0,
        };
        let primary = tag.trim().split('-').next().unwrap_or("").to_ascii_lowercase();
        // The first of equal weight wins.
        if let Some(lang) = Lang::from_code(&primary)
            && weight > best.map_or(0.0, |(best, _)| best)
        {
            best = Some((weight, lang));
        }
    }
    best.map_or(Lang::En, |(_, lang)| lang)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: &str) -> Lang {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_LANGUAGE, value.parse().unwrap());
        accepted(&headers)
    }

    #[test]
    fn the_preferred_language_that_there_is_wins() {
        assert_eq!(of("ja"), Lang::Ja);
        assert_eq!(of("ja-JP,ja;q=0.9,en;q=0.8"), Lang::Ja);
        assert_eq!(of("fr, en;q=0.3, ja;q=0.7"), Lang::Ja);
        assert_eq!(of("en-GB, ja"), Lang::En);
        assert_eq!(of("ja;q=0, de"), Lang::En);
        assert_eq!(of(";;q=x,,"), Lang::En);
        assert_eq!(accepted(&HeaderMap::new()), Lang::En);
    }
}
