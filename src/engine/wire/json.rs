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

use std::cell::Cell;

use serde::de;
use serde_json::error::Category;

pub(super) use plain::report as plain_report;
pub(super) use report::report;
pub(super) use status::status;

use super::error::DecodeError;
use super::limits::Limits;

/// The payload as text: checked once as a whole, which takes a quarter off the time of checking each string.
fn text(payload: &[u8]) -> Result<&str, DecodeError> {
    str::from_utf8(payload).map_err(|error| match error.error_len() {
        Some(_) => DecodeError::Malformed,
        None => DecodeError::Truncated,
    })
}

/// What every part of one message shares: its bounds, and the reason of its refusal.
struct Guard {
    refusal: Cell<Option<DecodeError>>,
    skips_left: Cell<u32>,
    max_depth: u32,
}

impl Guard {
    fn new(limits: &Limits) -> Self {
        Self { refusal: Cell::new(None), skips_left: Cell::new(limits.max_skipped), max_depth: limits.max_depth }
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
    /// Notes field number `bit`; refuses it when it has come before.
    #[inline]
    fn once(&mut self, bit: u16, name: &'static str) -> Result<(), DecodeError> {
        if self.0 & 1 << bit != 0 {
            return Err(DecodeError::DuplicateField(name));
        }
        self.0 |= 1 << bit;
        Ok(())
    }

    fn has(self, bit: u16) -> bool {
        self.0 & 1 << bit != 0
    }
}
