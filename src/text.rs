//! Text as people's programs write it into files: byte order marks, UTF-16, Shift_JIS, line ends; and the one reader of files
//! with secrets.
//!
//! An editor of Windows puts a byte order mark before a password, and a spreadsheet in Japanese writes neither UTF-8 nor a word
//! about it. What can be read is read; what cannot is told by name.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::engine::label::is_hidden;

/// Longest line of a file with secrets, in bytes.
pub const MAX_SECRET: usize = 4_096;

const MARK: char = '\u{feff}';

/// How a text was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encoding {
    Utf8,
    Utf16,
    /// Shift_JIS with the characters of Windows (CP932).
    ShiftJis,
}

/// The bytes are text in no encoding that is read here.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum TextError {
    #[error("is UTF-16 (\"Unicode text\"), which is not read here: save it as UTF-8")]
    Utf16,
    #[error("is not UTF-8 (line {line}): save it as UTF-8")]
    NotUtf8 { line: u64 },
    #[error("is neither UTF-8 nor Shift_JIS (line {line}): save it as UTF-8")]
    Unknown { line: u64 },
}

/// The text of `bytes`, which are UTF-8, with or without a byte order mark, and nothing else.
///
/// # Errors
/// When they are not.
pub fn utf8(bytes: &[u8]) -> Result<&str, TextError> {
    if utf16_order(bytes).is_some() {
        return Err(TextError::Utf16);
    }
    let text =
        str::from_utf8(bytes).map_err(|error| TextError::NotUtf8 { line: line_of(bytes, error.valid_up_to()) })?;
    Ok(text.trim_start_matches(MARK))
}

/// The text of `bytes` in whichever encoding a spreadsheet may have written them, without a byte order mark.
///
/// # Errors
/// When it is none of [`Encoding`].
pub fn decoded(bytes: &[u8]) -> Result<(Cow<'_, str>, Encoding), TextError> {
    if let Some(order) = utf16_order(bytes) {
        let unit = |pair: &[u8]| order(pair.try_into().unwrap_or_default());
        let units: Vec<u16> = bytes.chunks_exact(2).map(unit).collect();
        let text = String::from_utf16(&units).map_err(|_| TextError::Utf16)?;
        return Ok((Cow::Owned(text.trim_start_matches(MARK).to_owned()), Encoding::Utf16));
    }
    match str::from_utf8(bytes) {
        Ok(text) => Ok((Cow::Borrowed(text.trim_start_matches(MARK)), Encoding::Utf8)),
        Err(error) => {
            let text = encoding_rs::SHIFT_JIS.decode_without_bom_handling_and_without_replacement(bytes);
            // Characters that every maker may define for itself show that it is another encoding.
            let is_private = |c| ('\u{e000}'..='\u{f8ff}').contains(&c);
            let text = text.filter(|text| !text.contains(is_private));
            let line = line_of(bytes, error.valid_up_to());
            text.map(|text| (text, Encoding::ShiftJis)).ok_or(TextError::Unknown { line })
        }
    }
}

/// How the units of UTF-16 are put together, if `bytes` are UTF-16: by their mark, or because they begin with an ASCII character.
fn utf16_order(bytes: &[u8]) -> Option<fn([u8; 2]) -> u16> {
    match bytes {
        [0xff, 0xfe, ..] | [1..=0x7f, 0, ..] => Some(u16::from_le_bytes),
        [0xfe, 0xff, ..] | [0, 1..=0x7f, ..] => Some(u16::from_be_bytes),
        _ => None,
    }
}

fn line_of(bytes: &[u8], at: usize) -> u64 {
    1 + bytes[..at].iter().filter(|byte| **byte == b'\n').count() as u64
}

/// Why a file with secrets could not be used. It never repeats what is in the file.
#[derive(Debug, Error)]
pub enum SecretError {
    #[error("cannot read {0}")]
    Read(PathBuf, #[source] std::io::Error),
    #[error("{0} {1}")]
    Text(PathBuf, TextError),
    #[error("{path} must hold {expected}, at most {MAX_SECRET} bytes each, and nothing else")]
    Lines { path: PathBuf, expected: &'static str },
    #[error("line {line} of {path} holds U+{character:04X}, which cannot be seen: write the line anew")]
    Hidden { path: PathBuf, line: usize, character: u32 },
}

/// The lines of the file at `path`, of which there are `N`. A byte order mark, line ends of either kind and empty lines at the
/// end are no part of them; blanks are. `expected` says what they are.
///
/// # Errors
/// See [`SecretError`].
pub fn secret_lines<const N: usize>(path: &Path, expected: &'static str) -> Result<[String; N], SecretError> {
    let bytes = std::fs::read(path).map_err(|error| SecretError::Read(path.into(), error))?;
    secrets_of(&bytes, path, expected)
}

/// The one line of the file at `path`, a token or an address, without the blanks around it.
///
/// # Errors
/// See [`SecretError`].
pub fn secret_word(path: &Path) -> Result<String, SecretError> {
    let expected = "one line of UTF-8: the secret";
    let [line] = secret_lines(path, expected)?;
    let word = line.trim();
    if word.is_empty() { Err(SecretError::Lines { path: path.into(), expected }) } else { Ok(word.to_owned()) }
}

fn secrets_of<const N: usize>(bytes: &[u8], path: &Path, expected: &'static str) -> Result<[String; N], SecretError> {
    let text = utf8(bytes).map_err(|error| SecretError::Text(path.into(), error))?;
    let text = text.trim_end_matches(['\r', '\n']);
    let lines: Vec<&str> = text.lines().collect();
    let wrong = || SecretError::Lines { path: path.into(), expected };
    for (nth, line) in lines.iter().take(N).enumerate() {
        let hidden = line.chars().find(|c| is_hidden(*c) || c.is_control());
        if let Some(character) = hidden {
            return Err(SecretError::Hidden { path: path.into(), line: nth + 1, character: character.into() });
        }
        if line.is_empty() || line.len() > MAX_SECRET {
            return Err(wrong());
        }
    }
    let lines: [&str; N] = lines.try_into().map_err(|_| wrong())?;
    Ok(lines.map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one(bytes: &[u8]) -> Result<String, String> {
        secrets_of::<1>(bytes, Path::new("f"), "one line").map(|[line]| line).map_err(|error| error.to_string())
    }

    #[test]
    fn what_editors_put_around_a_secret_is_no_part_of_it() {
        for written in
            ["s3cret", "s3cret\n", "s3cret\r\n", "\u{feff}s3cret", "\u{feff}s3cret\r\n\r\n", "\u{feff}\u{feff}s3cret"]
        {
            assert_eq!(one(written.as_bytes()), Ok("s3cret".into()), "{written:?}");
        }
        assert_eq!(one("パス ワード \n".as_bytes()), Ok("パス ワード ".into()), "blanks may be part of a password");
    }

    #[test]
    fn what_cannot_be_a_secret_is_told_without_repeating_it() {
        for (written, told) in [
            (&b"\xff\xfes\0e\0c\0"[..], "UTF-16"),
            (b"s\0e\0c\0r\0", "UTF-16"),
            (b"\xfe\xff\0s\0e", "UTF-16"),
            (b"s3cr\xffet", "not UTF-8"),
            ("s3cr\u{200b}et".as_bytes(), "U+200B"),
            ("s3cret\u{202c}".as_bytes(), "U+202C"),
            (b"s3c\0ret", "U+0000"),
            (b"", "one line"),
            (b"\n\n", "one line"),
            (b"s3cret\nmore", "one line"),
            (&[b'x'; MAX_SECRET + 1], "one line"),
        ] {
            let error = one(written).unwrap_err();
            assert!(error.contains(told) && !error.contains("s3c"), "{error}");
        }
        let two = secrets_of::<2>("\u{feff}user\r\npass\r\n".as_bytes(), Path::new("f"), "two lines").unwrap();
        assert_eq!(two, ["user", "pass"]);
    }

    #[test]
    fn each_encoding_of_a_spreadsheet_is_read() {
        let text = "device,branch\r\nB-1,札幌ｶﾞ①\r\n";
        let (shift_jis, ..) = encoding_rs::SHIFT_JIS.encode(text);
        assert_eq!(decoded(&shift_jis), Ok((text.into(), Encoding::ShiftJis)));
        for mark in ["", "\u{feff}"] {
            let marked = format!("{mark}{text}");
            assert_eq!(decoded(marked.as_bytes()), Ok((text.into(), Encoding::Utf8)));
            for order in [u16::to_le_bytes, u16::to_be_bytes] {
                let bytes: Vec<u8> = marked.encode_utf16().flat_map(order).collect();
                assert_eq!(decoded(&bytes), Ok((text.into(), Encoding::Utf16)), "{mark:?}");
            }
        }
        assert_eq!(decoded(b"device\nGen\xe8 ve"), Err(TextError::Unknown { line: 2 }));
        assert_eq!(decoded(b"\xff\xfe\x00\xd8"), Err(TextError::Utf16), "half a pair");
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = (decoded(&bytes), utf8(&bytes), one(&bytes));
        }
    }
}
