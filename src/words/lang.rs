//! The languages that people read, and a text in both of them.

use serde::{Deserialize, Serialize};

/// A language of pages, messages and dashboards.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lang {
    En,
    Ja,
}

impl Lang {
    pub const ALL: [Self; 2] = [Self::En, Self::Ja];

    /// The language's code, as in `<html lang>`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Ja => "ja",
        }
    }

    /// The language of this code, if there is one.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|lang| lang.code() == code)
    }

    /// The other one, to switch to.
    pub const fn other(self) -> Self {
        match self {
            Self::En => Self::Ja,
            Self::Ja => Self::En,
        }
    }
}

/// The languages in which a receiver reads messages.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Languages {
    Ja,
    En,
    /// One below the other: for rooms with mixed readers.
    #[default]
    Both,
}

/// A text in both languages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Both<T = String> {
    pub ja: T,
    pub en: T,
}

/// A text in English and Japanese.
pub const fn say(en: &'static str, ja: &'static str) -> Both<&'static str> {
    Both { ja, en }
}

impl<T> Both<T> {
    /// What `of` says in each language.
    pub fn of(of: impl Fn(Lang) -> T) -> Self {
        Self { ja: of(Lang::Ja), en: of(Lang::En) }
    }

    /// The text in this language.
    pub fn pick(self, lang: Lang) -> T {
        match lang {
            Lang::En => self.en,
            Lang::Ja => self.ja,
        }
    }
}

impl From<Both<&str>> for Both {
    fn from(Both { ja, en }: Both<&str>) -> Self {
        Self { ja: ja.to_owned(), en: en.to_owned() }
    }
}

impl Both<String> {
    /// The text in this language.
    pub fn in_lang(&self, lang: Lang) -> &str {
        match lang {
            Lang::En => &self.en,
            Lang::Ja => &self.ja,
        }
    }

    /// As this receiver reads it; where it is both languages, `between` stands between them.
    pub fn read(&self, languages: Languages, between: &str) -> String {
        let Self { ja, en } = self;
        match languages {
            Languages::Ja => ja.clone(),
            Languages::En => en.clone(),
            Languages::Both if ja == en || en.is_empty() => ja.clone(),
            Languages::Both if ja.is_empty() => en.clone(),
            Languages::Both => format!("{ja}{between}{en}"),
        }
    }
}
