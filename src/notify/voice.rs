//! How a message is put into words for one receiver: the language, the link to the page, the length.

use std::collections::BTreeMap;

use crate::record::outbox::Message;
use crate::words::Languages;

/// Speaks for one channel.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Voice {
    /// Where the operators' pages are reached, without a slash at the end; without it a message names the path alone.
    pub pages: Option<String>,
    /// The language of receivers that are not listed.
    pub language: Languages,
    /// The language of single receivers, by target.
    pub languages: BTreeMap<String, Languages>,
}

/// A message in words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Spoken {
    /// One line.
    pub subject: String,
    /// Lines separated by `\n`.
    pub body: String,
    /// The page to act on: a whole address, or a path.
    pub link: String,
    /// The incident's state in one line, where the message brings a new one.
    pub summary: Option<String>,
}

impl Voice {
    /// The message as this receiver is to read it.
    pub fn speak(&self, message: &Message, target: &str) -> Spoken {
        let language = self.languages.get(target).copied().unwrap_or(self.language);
        Spoken {
            subject: flat(&message.subject.read(language, " / ")),
            body: clean(&message.body.read(language, "\n\n----\n\n")),
            link: self.link(&message.path),
            summary: message.summary.as_ref().map(|summary| flat(&summary.read(language, " / "))),
        }
    }

    /// The address of a page.
    pub fn link(&self, path: &str) -> String {
        flat(&format!("{}{path}", self.pages.as_deref().unwrap_or_default()))
    }
}

/// Whether a character changes how others are shown: a name with a right-to-left override would make a line lie.
fn is_trick(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// One line, without control characters.
pub fn flat(text: &str) -> String {
    text.chars()
        .filter(|c| !is_trick(*c))
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect::<String>()
        .trim()
        .to_owned()
}

/// Lines, without other control characters.
fn clean(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    text.chars().filter(|c| *c == '\n' || !(c.is_control() || is_trick(*c))).collect()
}

/// At most so many characters; what is cut off is said.
pub fn clipped(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}\u{2026}", text[..at].trim_end()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Both;

    fn message() -> Message {
        Message {
            kind: "declared".into(),
            incident: Some("INC-2026-0007".into()),
            severity: "major".into(),
            scope: "fleet".into(),
            subject: Both { ja: "重大\nインシデント".into(), en: "Major \u{202e}incident".into() },
            body: Both { ja: "一行目\r\n二行目".into(), en: "first\nsecond\u{7}".into() },
            path: "/incidents/INC-2026-0007".into(),
            summary: None,
            started_at: None,
            ended_at: None,
        }
    }

    #[test]
    fn everybody_reads_their_own_language_and_rooms_read_both() {
        let languages = [("sato".to_owned(), Languages::Ja), ("smith".to_owned(), Languages::En)].into();
        let voice = Voice { pages: Some("https://noc.example".into()), language: Languages::Both, languages };
        let of = |target| voice.speak(&message(), target);
        assert_eq!((of("sato").subject, of("sato").body), ("重大 インシデント".into(), "一行目\n二行目".into()));
        assert_eq!((of("smith").subject, of("smith").body), ("Major incident".into(), "first\nsecond".into()));
        assert_eq!(of("-").subject, "重大 インシデント / Major incident");
        assert_eq!(of("-").body, "一行目\n二行目\n\n----\n\nfirst\nsecond");
        assert_eq!(of("-").link, "https://noc.example/incidents/INC-2026-0007");
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(clipped("日本語", 3), "日本語");
        assert_eq!(clipped("日本語", 2), "日本…");
    }
}
