//! Topic and bytes to a [`Report`] or [`Status`], or to a closed refusal; and back, for simulators and tests.
//!
//! | module | what it owns |
//! |---|---|
//! | [`topic`] | which device a topic names, and what kind of message it carries |
//! | [`limits`] | the bounds that every message is held to before anything is allocated for it |
//! | [`error`] | why a message was refused, with a closed list of reasons for metric labels |
//! | [`left_out`] | what an accepted message lost on its way in |
//! | [`forget`] | how the journal holds that devices were forgotten; nothing that comes over the wire |
//! | [`encode`] | the writer of both encodings |
//! | [`hdr`] | HdrHistogram V2, plain and deflate: a bounded reader into our layout, and a writer |
//!
//! The first byte of a payload names its encoding: `{` is JSON, 0x01 is bincode 2 in its standard configuration. The
//! bytes of both are written down in `fixtures/wire/README.md`, so that an agent can be made in another language.
//!
//! # What is refused, and what is left out
//!
//! A message is refused when it cannot be known whose it is, what it is or of which time: bytes that break the encoding, another
//! device, no boot, sequence number, uptime or period, or two of one of them. Everything else costs itself ([`left_out`]):
//!
//! - A text that is too long or no UTF-8, a number that its field cannot hold, a value of another type, a second one of the
//!   same name, an unknown traffic class, a histogram that is damaged. What is left out counts as absent, and is counted.
//! - `flagged` above `flows` leaves both out, and so with the canaries: nobody knows which of the two is wrong. `released` is not
//!   held against `flagged`, because a flow is released in a later period than it was flagged in; nor are `rules`, because they
//!   count distinct (rule, peer) pairs.
//! - A count above [`MAX_PER_MS`](limits::MAX_PER_MS) per millisecond of the period is left out, so that whatever is
//!   accepted for one minute cannot overflow a 32-bit counter. So are all latencies of a class when they add up to more, or when
//!   there are more of them than the limit: a part of a distribution is another distribution.
//! - A latency above 60 s counts as 60 s ([`MAX_US`](super::histogram::MAX_US)), however long it is. A count of zero says nothing.
//! - Numbers may be written as JSON writers do: `12`, `12.0`, `1.2e1`, `"12"`. A fraction is cut off a time and refused of a count.
//! - Wall clocks (`start`, `at`, installation times) are hints and may be wrong by years; they are only kept within
//!   the years that arithmetic can hold.
//! - Unknown JSON fields are skipped, whatever is in them. The binary form has no unknown fields: it changes with its version byte.
//! - Texts are taken in their [one form](super::label).
//!
//! A [`Decoder`] owns all the memory it works in and does not allocate for a report once it is warm.

pub mod encode;
pub mod error;
pub mod forget;
pub mod hdr;
pub mod left_out;
pub mod limits;
pub mod topic;
pub mod version;

mod binary;
mod build;
mod json;

#[cfg(test)]
mod tests;

pub use error::DecodeError;
pub use forget::{Forgetting, forget_topic, is_forget_topic};
pub use left_out::{Field, LeftOut};
pub use limits::Limits;
pub use topic::{Topic, TopicKind, parse_topic};
pub use version::{BINARY_VERSION, JSON_VERSION};

use super::device::Status;
use super::report::Report;
use build::Scratch;

/// How a payload is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encoding {
    Json,
    Binary,
}

impl Encoding {
    /// The encoding's name, as in metric labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Binary => "bincode",
        }
    }

    /// The encoding that the first byte of `payload` names, if it is one of ours.
    pub fn of(payload: &[u8]) -> Option<Self> {
        match payload.first() {
            Some(b'{') => Some(Self::Json),
            Some(&BINARY_VERSION) => Some(Self::Binary),
            _ => None,
        }
    }
}

/// A text without what ends it in some languages: NULs and white space.
fn without_end(payload: &[u8], encoding: Encoding) -> &[u8] {
    let is_end = |byte: &u8| *byte == 0 || byte.is_ascii_whitespace();
    match encoding {
        Encoding::Json => payload.iter().rposition(|byte| !is_end(byte)).map_or(payload, |last| &payload[..=last]),
        Encoding::Binary => payload,
    }
}

/// Decodes message after message into memory that it keeps.
#[derive(Debug)]
pub struct Decoder {
    limits: Limits,
    report: Report,
    left: LeftOut,
    scratch: Scratch,
}

impl Decoder {
    /// A decoder that holds every message to `limits`. Takes about 50 KiB, most of it the state of the inflater.
    pub fn new(limits: Limits) -> Self {
        Self { limits, report: Report::default(), left: LeftOut::default(), scratch: Scratch::new() }
    }

    /// What was left out of the message that was decoded last.
    pub fn left_out(&self) -> &LeftOut {
        &self.left
    }

    /// Decodes a report that came on the topic of `device`. The result lives until the next call.
    ///
    /// # Errors
    /// When the payload is not a report of this device within the limits; nothing of it is kept.
    pub fn report(&mut self, device: &str, payload: &[u8]) -> Result<&Report, DecodeError> {
        self.left.clear();
        let encoding = self.encoding(payload)?;
        let payload = without_end(payload, encoding);
        self.report.clear();
        let decoded = match encoding {
            Encoding::Json => self.json_report(device, payload),
            Encoding::Binary => binary::report(self.build(), device, payload),
        };
        match decoded {
            Ok(()) => Ok(&self.report),
            Err(error) => {
                self.left.clear();
                self.report.clear();
                Err(error)
            }
        }
    }

    fn json_report(&mut self, device: &str, payload: &[u8]) -> Result<(), DecodeError> {
        if json::plain_report(self.build(), device, payload).is_some() {
            return Ok(());
        }
        self.left.clear();
        self.report.clear();
        json::report(self.build(), device, payload)
    }

    fn build(&mut self) -> build::Build<'_> {
        build::Build::new(&self.limits, &mut self.report, &self.left, &mut self.scratch)
    }

    /// Decodes a status that came on the topic of `device`. A will that carries only `v`, `device`, `online` and `boot`
    /// is one too; its `at` is 0.
    ///
    /// # Errors
    /// When the payload is not a status of this device within the limits.
    pub fn status(&mut self, device: &str, payload: &[u8]) -> Result<Status, DecodeError> {
        self.left.clear();
        let context = (&self.limits, &self.left);
        let encoding = self.encoding(payload)?;
        let payload = without_end(payload, encoding);
        let decoded = match encoding {
            Encoding::Json => json::status(context, device, payload),
            Encoding::Binary => binary::status(context, device, payload),
        };
        if decoded.is_err() {
            self.left.clear();
        }
        decoded
    }

    /// The encoding of `payload`, once its size is within the limit.
    fn encoding(&self, payload: &[u8]) -> Result<Encoding, DecodeError> {
        if payload.is_empty() {
            return Err(DecodeError::Empty);
        }
        if payload.len() > self.limits.payload_bytes() {
            return Err(DecodeError::TooLarge);
        }
        Encoding::of(payload).ok_or(DecodeError::UnknownEncoding)
    }
}
