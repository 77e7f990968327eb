//! Telephone numbers as people write them, so that one number in two forms is found by either.
//!
//! `090-1234-5678`, `+81 90 1234 5678`, `+81 (0)90-1234-5678`, `010-81-90-1234-5678` and `９０１２３４５６７８` from a spreadsheet that
//! took it for a number are one number to whoever dials it, and to a customer who says it to the support desk. A number is
//! kept as it was written; beside it stand the forms by which it is found ([`found_by`]), and a search asks for the forms
//! that may be meant ([`patterns`]).
//!
//! No country is set anywhere: a number with a country code (E.164) and one without are the same when what follows the code
//! is what follows the zero. Two numbers with different codes are not.

use crate::engine::label::form;

/// What [`is_phone`] asks for, for people.
pub const RULE: &str = "a phone number is 3 to 64 of 0-9 + - ( ) . / and spaces, with at least 3 digits; an extension may follow \
                        (ext. 12, x12, #12, 内線12)";

/// What parts a number from its extension.
const EXTENSION: [&str; 5] = ["内線", "extension", "ext", "x", "#"];

/// What parts two numbers in one field.
const BETWEEN: [char; 5] = ['/', ',', ';', '、', '\n'];

/// Country codes of two digits (ITU-T E.164, list of assigned codes); 1 and 7 have one, all others three.
const TWO_DIGITS: [&str; 42] = [
    "20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45", "46", "47", "48", "49", "51",
    "52", "53", "54", "55", "56", "57", "58", "60", "61", "62", "63", "64", "65", "66", "81", "82", "84", "86", "90",
    "91", "92", "93", "94",
];

/// A number, taken apart.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Number {
    /// The country's code, where it was said.
    country: Option<String>,
    /// The digits behind the country's code or the zero.
    rest: String,
    /// Whether it began with neither.
    bare: bool,
}

impl Number {
    /// `text` is one number in its one form, without its extension.
    fn of(text: &str) -> Option<Self> {
        // "+81 (0)90": the zero is for who dials from within.
        let text = text.replace("(0)", "");
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        if digits.is_empty() {
            return None;
        }
        let begins_with_plus = text.trim_start_matches(['(', ' ']).starts_with('+');
        // 010 is what Japan dials before a country code, and no number within it has so many digits; 00 is the same elsewhere.
        let abroad =
            ["010", "00"].into_iter().find_map(|prefix| digits.strip_prefix(prefix).filter(|_| digits.len() > 11));
        let international = match abroad {
            _ if begins_with_plus => Some(&*digits),
            Some(rest) => Some(rest),
            // Longer than any number within a country, so the plus was lost.
            None if digits.len() > 11 && !digits.starts_with('0') => Some(&*digits),
            None => None,
        };
        Some(match international {
            Some(digits) => {
                let (country, rest) = digits.split_at(country_digits(digits).min(digits.len()));
                // Some write the zero behind the country code without parentheses. (Italy's belongs there, and is found by either.)
                Self { country: Some(country.to_owned()), rest: rest.trim_start_matches('0').to_owned(), bare: false }
            }
            None => {
                let rest = digits.strip_prefix('0');
                Self { country: None, bare: rest.is_none(), rest: rest.map_or(digits.clone(), str::to_owned) }
            }
        })
    }
}

fn country_digits(digits: &str) -> usize {
    match digits {
        digits if digits.starts_with(['1', '7']) => 1,
        digits if TWO_DIGITS.iter().chain(&["95", "98"]).any(|code| digits.starts_with(code)) => 2,
        _ => 3,
    }
}

/// The numbers in a field, each without its extension.
fn numbers(text: &str) -> Vec<Number> {
    let text = form(text).to_lowercase();
    let parts = text.split(BETWEEN);
    let without_extension = |part: &str| {
        let end = EXTENSION.iter().filter_map(|word| part.find(word)).min().unwrap_or(part.len());
        part[..end].to_owned()
    };
    parts.filter_map(|part| Number::of(&without_extension(part))).collect()
}

/// Whether somebody can dial it. `text` is in its one form, so full-width digits are digits.
pub fn is_phone(text: &str) -> bool {
    let text = text.to_lowercase();
    let mut rest = text.clone();
    for word in EXTENSION {
        rest = rest.replace(word, "");
    }
    let is_sign = |c: char| c.is_ascii_digit() || "+-()./,;、 ‐‑–—−ー".contains(c);
    let digits = rest.chars().filter(char::is_ascii_digit).count();
    text.chars().count() <= 64 && digits >= 3 && rest.chars().all(is_sign) && !numbers(&text).is_empty()
}

/// Whether a number of 9 or 10 digits begins with neither 0 nor +: what is left when a spreadsheet takes it for a quantity.
pub fn has_lost_zero(text: &str) -> bool {
    numbers(text).iter().any(|number| number.bare && (9..=10).contains(&number.rest.len()))
}

/// The forms by which the numbers of a field are found, one number a line: `09012345678`, and with a country code
/// `+819012345678~09012345678`.
pub fn found_by(text: &str) -> String {
    let forms = numbers(text).into_iter().map(|Number { country, rest, bare }| match country {
        Some(country) => format!("+{country}{rest}~0{rest}"),
        // A short one, such as 110, has no zero to lose.
        None if bare && rest.len() < 9 => rest,
        None => format!("0{rest}"),
    });
    forms.collect::<Vec<_>>().join("\n")
}

/// What a search looks for in [`found_by`], as patterns of `LIKE`; none when the text is no number. A part of a number is enough.
pub fn patterns(text: &str) -> Vec<String> {
    let text = form(text).to_lowercase();
    if text.chars().any(|c| c.is_alphabetic() && !['x', 'ー'].contains(&c))
        && !EXTENSION.iter().any(|word| text.contains(word))
    {
        return Vec::new();
    }
    let Some(Number { country, rest, bare }) = numbers(&text).into_iter().next() else { return Vec::new() };
    match country {
        Some(country) if rest.is_empty() => vec![format!("%+{country}%")],
        // With its own code, or without any; never with another.
        Some(country) => vec![format!("%+{country}{rest}%"), format!("0{rest}%"), format!("%\n0{rest}%")],
        None if bare => vec![format!("%{rest}%")],
        None => vec![format!("%0{rest}%")],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `LIKE` makes of it.
    fn is_found(stored: &str, asked: &str) -> bool {
        let held = found_by(stored);
        patterns(asked).iter().any(|pattern| match (pattern.strip_prefix('%'), pattern.strip_suffix('%')) {
            (Some(_), Some(_)) => held.contains(&pattern[1..pattern.len() - 1]),
            (None, Some(start)) => held.starts_with(start),
            _ => held == *pattern,
        })
    }

    #[test]
    fn one_number_is_found_however_it_is_written_and_asked_for() {
        let mobile = [
            "09012345678",
            "090-1234-5678",
            "090 1234 5678",
            "(090)1234-5678",
            "０９０－１２３４－５６７８",
            "090ー1234ー5678",
            "090−1234−5678",
            "+819012345678",
            "+81 90-1234-5678",
            "+81 (0)90-1234-5678",
            "+81-090-1234-5678",
            "＋８１ ９０ １２３４ ５６７８",
            "010-81-90-1234-5678",
            "0081 90 1234 5678",
            "819012345678",
            "9012345678",
            "090-1234-5678 内線 12",
            "+81 90 1234 5678 ext. 7",
            "03-1111-2222 / 090-1234-5678",
        ];
        for stored in mobile {
            assert!(is_phone(&form(stored)), "{stored}");
            for asked in &mobile[..16] {
                assert!(is_found(stored, asked), "{stored} by {asked}: {} {:?}", found_by(stored), patterns(asked));
            }
            assert!(
                is_found(stored, "5678") && is_found(stored, "1234-5678") && is_found(stored, "090-12"),
                "{stored}"
            );
            for other in ["09087654321", "+819087654321", "+1 9012345678", "0312345678", "+82 90 1234 5678"] {
                let foreign = other.starts_with("+1") || other.starts_with("+82");
                let has_code = found_by(stored).contains("+81");
                assert_eq!(is_found(stored, other), foreign && !has_code, "{stored} by {other}");
            }
        }
        assert!(is_found("+81 3 1111 2222", "0311112222") && is_found("0120-000-111", "0120000111"));
        assert!(is_found("+1 (212) 555-0100", "+1 212 555 0100") && is_found("+353 1 234 5678", "+35312345678"));
        assert!(is_found("110", "110"));
    }

    #[test]
    fn words_are_no_numbers() {
        for asked in ["C-00123", "B-0042", "佐藤", "box 12", "", "-", "x12"] {
            assert_eq!(patterns(asked), Vec::<String>::new(), "{asked}");
        }
        for text in ["12", "call me", "090-1234-5678 after six", "", "+-()"] {
            assert!(!is_phone(text), "{text}");
        }
    }

    #[test]
    fn a_dropped_zero_is_seen() {
        for (text, lost) in [
            ("9087654321", true),
            ("311112222", true),
            ("90-8765-4321", true),
            ("09087654321", false),
            ("+819087654321", false),
            ("110", false),
            ("819087654321", false),
        ] {
            assert_eq!(has_lost_zero(text), lost, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_answered(stored in "[0-9+() \\-/x#０-９内線a]{0,30}", asked in proptest::prelude::any::<String>()) {
            let _ = (is_phone(&stored), has_lost_zero(&stored), found_by(&stored), patterns(&asked), patterns(&stored));
        }
    }
}
