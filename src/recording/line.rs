//! Where the values of a recorded line stand, found without decoding them.

use serde::de::IgnoredAny;
use thiserror::Error;

use crate::engine::time::Timestamp;

/// The JSON texts of a line's values.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fields<'a> {
    pub(super) at: Option<&'a [u8]>,
    pub(super) topic: Option<&'a [u8]>,
    pub(super) payload: Option<&'a [u8]>,
    pub(super) payload_b64: Option<&'a [u8]>,
    pub(super) retain: Option<&'a [u8]>,
    pub(super) baseline: Option<&'a [u8]>,
}

/// The line is not one JSON object.
#[derive(Debug, Error)]
pub enum FieldError {
    #[error("expected {expected} at byte {at}")]
    Expected { expected: &'static str, at: usize },
    #[error("bad value at byte {at}: {source}")]
    Value { at: usize, source: serde_json::Error },
    #[error("`{key}` occurs twice")]
    Twice { key: String },
}

/// A place in a line.
struct Cursor<'a> {
    line: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    /// Finds the values of the keys that a recording knows.
    pub(super) fn parse(line: &'a [u8]) -> Result<Self, FieldError> {
        let mut fields = Self::default();
        let mut cursor = Cursor { line, at: 0 };
        cursor.expect(b'{', "`{`")?;
        let mut first = true;
        while !cursor.skip(b'}') {
            if !first {
                cursor.expect(b',', "`,` or `}`")?;
            }
            first = false;
            let key = cursor.value()?;
            let quoted = key.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
            let Some(key) = quoted else {
                return Err(FieldError::Expected { expected: "a key", at: cursor.at - key.len() });
            };
            cursor.expect(b':', "`:`")?;
            let value = cursor.value()?;
            let field = match key {
                b"at" => &mut fields.at,
                b"topic" => &mut fields.topic,
                b"payload" => &mut fields.payload,
                b"payload_b64" => &mut fields.payload_b64,
                b"retain" => &mut fields.retain,
                b"baseline" => &mut fields.baseline,
                _ => continue,
            };
            if field.replace(value).is_some() {
                return Err(FieldError::Twice { key: String::from_utf8_lossy(key).into_owned() });
            }
        }
        cursor.blank();
        if cursor.at < line.len() {
            return Err(FieldError::Expected { expected: "the end of the line", at: cursor.at });
        }
        Ok(fields)
    }
}

impl<'a> Cursor<'a> {
    fn blank(&mut self) {
        while self.line.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
    }

    fn skip(&mut self, byte: u8) -> bool {
        self.blank();
        let found = self.line.get(self.at) == Some(&byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8, expected: &'static str) -> Result<(), FieldError> {
        if self.skip(byte) { Ok(()) } else { Err(FieldError::Expected { expected, at: self.at }) }
    }

    /// The text of the value that begins here.
    fn value(&mut self) -> Result<&'a [u8], FieldError> {
        self.blank();
        let start = self.at;
        let rest = &self.line[start..];
        let mut values = serde_json::Deserializer::from_slice(rest).into_iter::<IgnoredAny>();
        match values.next() {
            Some(Ok(IgnoredAny)) => {
                let length = values.byte_offset();
                self.at += length;
                Ok(&rest[..length])
            }
            Some(Err(source)) => Err(FieldError::Value { at: start, source }),
            None => Err(FieldError::Expected { expected: "a value", at: start }),
        }
    }
}

/// The instant that a JSON number names, if it is a whole one in the engine's range.
pub(super) fn instant(json: &[u8]) -> Option<Timestamp> {
    let ms: i64 = serde_json::from_slice(json).ok()?;
    let instant = Timestamp::from_ms(ms);
    (instant.as_ms() == ms).then_some(instant)
}

/// The text that a JSON string stands for: in place where it has no escapes, else in `owned`.
pub(super) fn text<'a>(json: &'a [u8], owned: &'a mut String) -> Option<&'a str> {
    if let Ok(plain) = serde_json::from_slice::<&str>(json) {
        return Some(plain);
    }
    *owned = serde_json::from_slice(json).ok()?;
    Some(owned)
}

/// Whether a payload can stand in a line as it is: one JSON object, no line feed, nothing around it.
pub(super) fn is_object_on_one_line(payload: &[u8]) -> bool {
    payload.starts_with(b"{")
        && payload.ends_with(b"}")
        && !payload.iter().any(|&byte| byte == b'\n' || byte == b'\r')
        && std::str::from_utf8(payload).is_ok()
        && serde_json::from_slice::<IgnoredAny>(payload).is_ok()
}
