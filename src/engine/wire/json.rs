//! The JSON form, read by serde straight into the reused report: no tree, no allocation for what is accepted.
//!
//! serde's errors are texts, and a refusal needs a closed reason. So a field that refuses leaves its reason in [`Guard`]
//! and lets serde unwind; what serde itself finds wrong is sorted by its category.
//!
//! serde costs twice as much as the text of a usual report is worth, so [`plain`] is tried before it.

mod plain;
mod report;
mod status;
mod value;

use std::borrow::Cow;
use std::cell::Cell;

use serde::de;
use serde_json::error::Category;

pub(super) use plain::report as plain_report;
pub(super) use report::report;
pub(super) use status::status;

use super::error::DecodeError;
use super::left_out::{Field, LeftOut};

/// The payload as text: checked once as a whole, which takes a quarter off the time of checking each string.
///
/// A text in another encoding (Shift_JIS, say) costs itself: where its bytes are no UTF-8 there is a replacement character, for
/// which the text is left out.
fn text(payload: &[u8]) -> Result<Cow<'_, str>, DecodeError> {
    match str::from_utf8(payload) {
        Ok(text) => Ok(Cow::Borrowed(text)),
        Err(error) if error.error_len().is_none() => Err(DecodeError::Truncated),
        Err(_) => Ok(String::from_utf8_lossy(payload)),
    }
}

/// What every part of one message shares: what is left out of it, and the reason of its refusal.
struct Guard<'l> {
    refusal: Cell<Option<DecodeError>>,
    left: &'l LeftOut,
}

impl<'l> Guard<'l> {
    fn new(left: &'l LeftOut) -> Self {
        Self { refusal: Cell::new(None), left }
    }

    /// The value of `result`, or nothing, which is noted.
    #[inline]
    fn or_left_out<T>(&self, field: Field, result: Result<T, DecodeError>) -> Option<T> {
        self.left.keep(field, result)
    }

    /// Leaves the reason, and gives serde something to unwind with.
    #[cold]
    fn refuse<E: de::Error>(&self, error: DecodeError) -> E {
        self.refusal.set(Some(error));
        E::custom("refused")
    }

    /// The value of `result`, or its reason left behind.
    #[inline]
    fn keep<T, E: de::Error>(&self, result: Result<T, DecodeError>) -> Result<T, E> {
        result.map_err(|error| self.refuse(error))
    }

    /// The closed reason of what serde reported.
    #[cold]
    fn reason(&self, error: &serde_json::Error) -> DecodeError {
        if let Some(refusal) = self.refusal.get() {
            return refusal;
        }
        match error.classify() {
            Category::Eof => DecodeError::Truncated,
            Category::Data => DecodeError::WrongType,
            Category::Io => DecodeError::Malformed,
            // Numbers beyond every type (a mantissa of 400 digits, 1e400) are syntax errors to serde_json.
            Category::Syntax if error.to_string().starts_with("number out of range") => {
                DecodeError::OutOfRange("number")
            }
            Category::Syntax => DecodeError::Malformed,
        }
    }
}

/// The fields of an object that have come, as a set of bits.
#[derive(Clone, Copy, Default)]
struct Seen(u16);

impl Seen {
    /// Notes field number `bit`. Answers whether it has not come before.
    #[inline]
    fn is_new(&mut self, bit: u16) -> bool {
        let is_new = !self.has(bit);
        self.0 |= 1 << bit;
        is_new
    }

    /// As [`Self::is_new`].
    ///
    /// # Errors
    /// When it has come before: for a field that there must not be two of.
    #[inline]
    fn once(&mut self, bit: u16, name: &'static str) -> Result<(), DecodeError> {
        if self.is_new(bit) { Ok(()) } else { Err(DecodeError::DuplicateField(name)) }
    }

    fn has(self, bit: u16) -> bool {
        self.0 & 1 << bit != 0
    }
}
