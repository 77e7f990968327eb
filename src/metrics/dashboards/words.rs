//! One text in both languages.

/// A language in which dashboards are made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Lang {
    En,
    Ja,
}

impl Lang {
    pub(super) const ALL: [Self; 2] = [Self::En, Self::Ja];

    /// Its directory, and the end of its dashboards' tag.
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Ja => "ja",
        }
    }
}

/// A text in English and Japanese.
#[derive(Clone, Copy, Debug)]
pub(super) struct Say {
    en: &'static str,
    ja: &'static str,
}

/// A text in English and Japanese.
pub(super) const fn say(en: &'static str, ja: &'static str) -> Say {
    Say { en, ja }
}

/// A name as the record has it: Japanese, English. What people read on a wall is what they read on pages.
pub(super) const fn recorded((ja, en): (&'static str, &'static str)) -> Say {
    Say { en, ja }
}

impl Say {
    pub(super) const fn in_lang(self, lang: Lang) -> &'static str {
        match lang {
            Lang::En => self.en,
            Lang::Ja => self.ja,
        }
    }
}
