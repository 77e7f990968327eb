//! The one form of what things and people are called.
//!
//! One name comes through many doors: a device's status, the device list, a proxy's header, a claim of an ID token, the rota, a
//! form. Each writes it in its own way: with a blank behind it, with の of two code points as a Mac writes file names, in
//! half-width katakana as an old terminal did, with a mark that turns the line around. To a person these are one name, and two
//! of them are two branches, two incidents and two gates to whatever compares bytes. So every door passes its text
//! through [`form`], and behind the doors `==` is right.
//!
//! The form is that of RFC 8266 (PRECIS, nicknames) but for the case, which serials and versions may differ in:
//!
//! - Unicode's form NFKC. NFC alone would leave the half-width `ｻｯﾎﾟﾛ` beside `サッポロ` and `Ｂ２００` beside `B200`. A second form
//!   for comparing, with the first one seen for showing, would make what is shown depend on the order of arrival, and every
//!   map and every `==` a place to forget it. A pure function of the text needs no memory. Its price is that ㈱ is shown as (株).
//! - Every kind of white space is a blank, blanks stand alone, none at either end. A tab and a line break are white space.
//! - What cannot be seen is not there: control characters (and so the closing NUL of a text from C), the marks that turn the direction
//!   of writing, zero-width characters, variation selectors, tags, the byte order mark. See [`is_hidden`].

use std::borrow::Cow;

use thiserror::Error;
use unicode_normalization::UnicodeNormalization;

/// Most characters of a name, in its one form.
pub const MAX_CHARS: usize = 128;

/// Longest text of which a name is made, in bytes, with all that is not kept of it. Bounds the work and the memory.
const MAX_BYTES: usize = 4_096;

/// A name is longer than [`MAX_CHARS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("longer than {MAX_CHARS} characters")]
pub struct TooLong;

/// The one form of `text`; empty when nothing of it can be seen. Not copied when it is plain ASCII in that form already.
pub fn form(text: &str) -> Cow<'_, str> {
    if is_plain(text) {
        return Cow::Borrowed(text);
    }
    let mut formed = String::with_capacity(text.len());
    formed.extend(characters(text));
    Cow::Owned(formed)
}

/// As [`form`], of at most [`MAX_CHARS`] characters. The work and the memory are bounded too, however long `text` is.
///
/// # Errors
/// [`TooLong`] when the form has more characters, or `text` more than 4,096 bytes.
pub fn bounded(text: &str) -> Result<Cow<'_, str>, TooLong> {
    if is_plain(text) {
        return if text.len() <= MAX_CHARS { Ok(Cow::Borrowed(text)) } else { Err(TooLong) };
    }
    if text.len() > MAX_BYTES {
        return Err(TooLong);
    }
    let mut formed = String::with_capacity(text.len().min(4 * MAX_CHARS));
    for (place, character) in characters(text).enumerate() {
        if place == MAX_CHARS {
            return Err(TooLong);
        }
        formed.push(character);
    }
    Ok(Cow::Owned(formed))
}

/// Whether two texts are one name.
pub fn same(one: &str, other: &str) -> bool {
    one == other || form(one) == form(other)
}

/// What a person wrote in sentences, as written but for what hides, parts or turns it: line breaks and tabs stay, and so do
/// the width, the joiners and the variation selectors, which belong to how a word or an emoji is drawn.
pub fn visible(text: &str) -> Cow<'_, str> {
    let draws = |c| matches!(c, '\u{180b}'..='\u{180f}' | '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}');
    let is_break = |c| matches!(c, '\r' | '\u{85}' | '\u{2028}' | '\u{2029}');
    let is_out = |c: char| is_hidden(c) && !draws(c) || c.is_control() && c != '\n' && c != '\t';
    if !text.contains(|c| is_out(c) || is_break(c)) {
        return Cow::Borrowed(text);
    }
    // A line break in another writing stays one.
    let text = text.replace("\r\n", "\n").replace(is_break, "\n");
    Cow::Owned(text.chars().filter(|c| !is_out(*c)).collect())
}

/// Whether `c` shows nothing of itself, but may hide, part or turn what stands beside it: Unicode's default ignorable
/// code points (DerivedCoreProperties.txt, which hold the marks of direction U+061C, U+200E, U+200F, U+202A..U+202E and
/// U+2066..U+2069, the zero-width characters, variation selectors and tags), the interlinear marks and the non-characters.
pub fn is_hidden(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fdd0}'..='\u{fdef}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
        || u32::from(c) & 0xfffe == 0xfffe
}

/// Printable ASCII in which blanks stand alone and at neither end: its own form.
fn is_plain(text: &str) -> bool {
    let mut before = b' ';
    let printable = text.bytes().all(|byte| {
        let doubled = byte == b' ' && before == b' ';
        before = byte;
        !doubled && matches!(byte, b' '..=b'~')
    });
    printable && (before != b' ' || text.is_empty())
}

/// The characters of the form, one by one.
fn characters(text: &str) -> impl Iterator<Item = char> + '_ {
    // What is hidden goes first: what it kept apart may compose. White space is made blank first too, as NFKC knows only some of it.
    let seen = text.chars().filter_map(|c| match c {
        // The empty cell of Braille shows as a blank.
        c if c.is_whitespace() || c == '\u{2800}' => Some(' '),
        c if c.is_control() || is_hidden(c) => None,
        c => Some(c),
    });
    let (mut any, mut blank) = (false, false);
    seen.nfkc()
        .flat_map(move |c| {
            if c == ' ' {
                blank = any;
                return [None, None];
            }
            let before = std::mem::take(&mut blank).then_some(' ');
            any = true;
            [before, Some(c)]
        })
        .flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_normalization::UnicodeNormalization as _;

    use super::*;

    #[test]
    fn every_writing_of_a_name_is_one_name() {
        for (written, name) in [
            ("札幌 ", "札幌"),
            ("\u{3000}札幌\u{a0}", "札幌"),
            ("札幌\0", "札幌"),
            ("\u{feff}札幌\r\n", "札幌"),
            ("札\u{200b}幌", "札幌"),
            ("札幌\u{e0100}", "札幌"),
            ("シ\u{3099}ャハ\u{309a}ン支店", "ジャパン支店"),
            ("ｼﾞｬﾊﾟﾝ支店", "ジャパン支店"),
            ("Ｂ２００", "B200"),
            ("東京  第一\t支店", "東京 第一 支店"),
            ("㈱丸の内", "(株)丸の内"),
            ("e\u{200d}\u{301}", "é"),
            ("sapporo\u{202e}10-", "sapporo10-"),
            ("\u{2067}sapporo\u{2069}-01\u{200e}", "sapporo-01"),
            ("a\u{2028}b", "a b"),
            ("\u{1b}[31mred", "[31mred"),
            ("\u{200b}\u{3000}\0", ""),
            ("", ""),
        ] {
            assert_eq!(form(written), name, "{written:?}");
            assert!(same(written, name), "{written:?}");
        }
        // What is another name to a person stays another.
        for (one, other) in
            [("sapporo-01", "sapporo-10"), ("B200", "b200"), ("札幌東", "札幌 東"), ("サッポロ", "さっぽろ")]
        {
            assert!(!same(one, other), "{one} {other}");
        }
    }

    #[test]
    fn the_limit_is_in_characters_of_the_form() {
        assert_eq!(bounded(&"札".repeat(MAX_CHARS)).as_deref(), Ok(&*"札".repeat(MAX_CHARS)));
        assert_eq!(bounded(&"札".repeat(MAX_CHARS + 1)), Err(TooLong));
        assert_eq!(bounded(&"b".repeat(MAX_CHARS)).as_deref(), Ok(&*"b".repeat(MAX_CHARS)));
        assert_eq!(bounded(&"b".repeat(MAX_CHARS + 1)), Err(TooLong));
        // Half-width marks of voicing and blanks around a name do not count.
        // Marks without end on one letter are work without end.
        assert_eq!(bounded(&format!("e{}", "\u{301}".repeat(30_000))), Err(TooLong));
        assert_eq!(bounded(&format!("  {}  ", "ｶﾞ".repeat(MAX_CHARS))).as_deref(), Ok(&*"ガ".repeat(MAX_CHARS)));
    }

    #[test]
    fn sentences_keep_their_lines_and_lose_what_is_hidden() {
        assert_eq!(visible("一行目。\r\n\tＢ２００ "), "一行目。\n\tＢ２００ ");
        assert_eq!(visible("evil\u{202e}txt.\0\u{2028}next"), "eviltxt.\nnext");
        assert!(matches!(visible("一行目。\n二行目"), Cow::Borrowed(_)));
    }

    /// Texts in which what matters comes often.
    fn texts() -> impl Strategy<Value = String> {
        let character = prop_oneof![
            any::<char>(),
            prop::sample::select(
                " \0\t\n\u{a0}\u{3000}\u{200b}\u{202e}\u{2066}\u{feff}\u{fe0f}\u{301}\u{3099}\u{309a}\u{308}\u{a8}\u{1100}\u{1161}\
                 \u{11a8}\u{ffa0}\u{3164}\u{fdfa}カｶﾞﾟＡaé札㈱①"
                    .chars()
                    .collect::<Vec<_>>()
            ),
        ];
        prop::collection::vec(character, 0..40).prop_map(|characters| characters.into_iter().collect())
    }

    proptest! {
        #[test]
        fn a_form_is_its_own_form(text in texts()) {
            let formed = form(&text).into_owned();
            prop_assert_eq!(&form(&formed), &formed);
            prop_assert!(!formed.contains(is_hidden) && !formed.contains(char::is_control));
            prop_assert_eq!(formed.trim(), &formed);
            prop_assert!(!formed.contains("  "));
            match bounded(&text) {
                Ok(bounded) => prop_assert_eq!(&*bounded, &formed),
                Err(TooLong) => prop_assert!(formed.chars().count() > MAX_CHARS),
            }
        }

        #[test]
        fn the_four_forms_of_unicode_and_what_is_hidden_make_no_other_name(text in texts(), at in any::<prop::sample::Index>()) {
            let formed = form(&text);
            let written: [String; 4] = [text.nfc().collect(), text.nfd().collect(), text.nfkc().collect(), text.nfkd().collect()];
            for written in written {
                prop_assert_eq!(&form(&written), &formed);
                let mut characters: Vec<char> = written.chars().collect();
                characters.insert(at.index(characters.len() + 1), '\u{2060}');
                let hiding: String = characters.into_iter().collect();
                prop_assert_eq!(&form(&hiding), &formed);
            }
            let padded = format!("\u{3000}\0{text}\u{85}\t");
            prop_assert_eq!(&form(&padded), &formed);
        }
    }
}
