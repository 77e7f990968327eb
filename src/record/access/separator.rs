//! What stands between the groups, and the branches, that somebody else says of a person.

use serde::{Deserialize, Serialize};

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
    /// The texts in one, without the blanks around each; empty ones are none.
    pub fn parts(self, text: &str) -> Vec<String> {
        let sign = match self {
            Self::None => None,
            Self::Space => Some(' '),
            Self::Comma => Some(','),
            Self::Semicolon => Some(';'),
            Self::Bar => Some('|'),
        };
        let parts: Vec<&str> = sign.map_or_else(|| vec![text], |sign| text.split(sign).collect());
        parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
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
}
