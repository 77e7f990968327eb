//! Only what has changed: a page that asks for itself again says which of its parts it has, and is sent the others.
//!
//! Every living page carries the fingerprints of its parts (`data-parts`). The script sends them back in the header
//! [`HAVE`]; where the page still has the same parts, what comes is the instant that it is of, the parts that differ, and an empty
//! element for each that does not. Where it has become another page, it comes whole.

use std::fmt::Write as _;
use std::ops::Range;

use maud::{Markup, PreEscaped, html};

/// The header with the parts that a page has: `id=fingerprint`, separated by blanks.
pub(in crate::web) const HAVE: &str = "x-fleetwatch-have";

/// Longest list that is looked at.
const MAX_HAVE: usize = 8 * 1_024;

/// A part of a page that is living.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Part<'a> {
    id: &'a str,
    /// The whole element.
    element: &'a str,
    fingerprint: u32,
}

/// The outermost parts of a page that are marked `data-live`. Only for what maud has written: no `<` or `>` stands in its texts and
/// attributes, and every element is closed.
fn parts(html: &str) -> Vec<Part<'_>> {
    const MARK: &str = " data-live=\"\"";
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(mark) = html[at..].find(MARK).map(|place| at + place) {
        at = mark + MARK.len();
        let Some(part) = html[..mark].rfind('<').and_then(|begin| part(html, begin)) else { continue };
        at = part.1.end;
        found.push(part.0);
    }
    found
}

fn part(html: &str, begin: usize) -> Option<(Part<'_>, Range<usize>)> {
    let head = &html[begin..begin + html[begin..].find('>')? + 1];
    let name = head[1..].split([' ', '>']).next()?;
    let id = head.split_once(" id=\"")?.1.split('"').next()?;
    let (open, close) = (format!("<{name}"), format!("</{name}>"));
    let (mut depth, mut at) = (1, begin + head.len());
    while depth > 0 {
        let next = at + html[at..].find(&close)?;
        let opened = html[at..next]
            .match_indices(&open)
            .filter(|(place, _)| matches!(html.as_bytes().get(at + place + open.len()), Some(b' ' | b'>')));
        depth += opened.count();
        depth -= 1;
        at = next + close.len();
    }
    let element = &html[begin..at];
    Some((Part { id, element, fingerprint: crc32c::crc32c(element.as_bytes()) }, begin..at))
}

/// The parts of a page, as its `data-parts` says them.
pub(in crate::web) fn fingerprints(page: &Markup) -> String {
    let mut list = String::new();
    for Part { id, fingerprint, .. } in parts(&page.0) {
        let _ = write!(list, "{}{id}={fingerprint:08x}", if list.is_empty() { "" } else { " " });
    }
    list
}

/// What `page` has beyond the parts that are there already; `None` when it does not consist of the same parts.
pub(in crate::web) fn changed(page: &Markup, have: &str) -> Option<Markup> {
    let parts = parts(&page.0);
    if have.len() > MAX_HAVE || parts.is_empty() {
        return None;
    }
    let have: Vec<(&str, &str)> = have.split(' ').filter_map(|part| part.rsplit_once('=')).collect();
    let same_parts = have.len() == parts.len() && have.iter().zip(&parts).all(|((id, _), part)| *id == part.id);
    same_parts.then(|| html! {
        @for ((_, had), part) in have.iter().zip(&parts) {
            @if u32::from_str_radix(had, 16) == Ok(part.fingerprint) { div id=(part.id) data-live="" data-same="" {} }
            @else { (PreEscaped(part.element)) }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(number: u32) -> Markup {
        html! {
            h1 { "a < b" }
            section #a data-live="" { div { "one" section { (number) } } p title="x > y" {} }
            form { input name="q"; }
            div #b data-live="" { div #c data-live="" { "inner" } }
        }
    }

    #[test]
    fn the_outermost_parts_are_found_whole() {
        let page = page(1);
        let found = parts(&page.0);
        assert_eq!(found.iter().map(|part| part.id).collect::<Vec<_>>(), ["a", "b"]);
        assert!(found[0].element.starts_with("<section id=\"a\"") && found[0].element.ends_with("</p></section>"));
        assert!(found[1].element.ends_with("inner</div></div>"), "{}", found[1].element);
    }

    #[test]
    fn only_what_differs_is_sent_and_another_page_whole() {
        let have = fingerprints(&page(1));
        let same = changed(&page(1), &have).unwrap().0;
        assert_eq!(same.matches("data-same").count(), 2, "{same}");
        let other = changed(&page(2), &have).unwrap().0;
        assert!(other.contains("<section>2</section>") && other.matches("data-same").count() == 1, "{other}");
        // A part that the page has not taken over is sent again.
        let held = format!("{have}-");
        assert!(changed(&page(1), &held).unwrap().0.contains("inner"));
        assert_eq!(changed(&page(1), "a=0").map(|page| page.0), None);
        assert_eq!(changed(&page(1), &"x".repeat(MAX_HAVE + 1)).map(|page| page.0), None);
        assert_eq!(changed(&html! { p { "no parts" } }, "").map(|page| page.0), None);
    }
}
