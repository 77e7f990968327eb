//! What stands between the groups, and the branches, that somebody else says of a person.

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

/// A group as it is compared: without the blanks around it, and with each character composed as Unicode has it (NFC). Nothing else is
/// evened out, as it is in names that people read (`engine::label`): whoever may call a group "ａｄｍｉｎ" elsewhere has not made
/// it "admin".
pub fn exact(group: &str) -> String {
    group.trim().nfc().collect()
}

/// What stands between several texts in one. Nothing else separates: a group may have blanks and commas in its name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Separator {
    /// It is one text.
    None,
    Space,
    Comma,
    Semicolon,
    /// `|`
    Bar,
}

impl Separator {
    /// The texts in one, each [`exact`]; empty ones are none.
    pub fn parts(self, text: &str) -> Vec<String> {
        let sign = match self {
            Self::None => None,
            Self::Space => Some(' '),
            Self::Comma => Some(','),
            Self::Semicolon => Some(';'),
            Self::Bar => Some('|'),
        };
        let parts: Vec<&str> = sign.map_or_else(|| vec![text], |sign| text.split(sign).collect());
        parts.into_iter().map(exact).filter(|part| !part.is_empty()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_sign_separates() {
        let text = " a b, c;d | e,, ";
        for (separator, expected) in [
            (Separator::None, vec!["a b, c;d | e,,"]),
            (Separator::Space, vec!["a", "b,", "c;d", "|", "e,,"]),
            (Separator::Comma, vec!["a b", "c;d | e"]),
            (Separator::Semicolon, vec!["a b, c", "d | e,,"]),
            (Separator::Bar, vec!["a b, c;d", "e,,"]),
        ] {
            assert_eq!(separator.parts(text), expected, "{separator:?}");
            assert!(separator.parts("  ").is_empty(), "{separator:?}");
        }
    }

    #[test]
    fn a_group_is_one_however_it_is_composed_and_nothing_that_only_looks_like_it() {
        assert_eq!(exact(" \u{30b5}\u{30db}\u{309a} "), exact("\u{30b5}\u{30dd}"));
        for other in ["ａｄｍｉｎ", "Admin", "ad\u{200b}min", "\u{430}dmin", "admin\0", "admin  "] {
            assert_eq!(exact(other) == "admin", other.trim() == "admin", "{other:?}");
        }
    }
}
