//! Recordings of MQTT traffic: JSON lines, one message each, that `record` writes and `replay` reads.
//!
//! ```text
//! {"baseline":"<base64>"}                                     first lines only, optional: learnt state, opaque here
//! {"at":1795305600123,"topic":"utm/v1/B-0042/report","payload":{...}}
//! {"at":1795305600180,"topic":"utm/v1/B-0042/report","payload_b64":"AQc..."}
//! {"at":1795305600200,"topic":"utm/v1/B-0042/status","payload":{...},"retain":true}
//! ```
//!
//! `at` is the arrival in ms since the epoch. A payload goes through byte by byte: what was recorded is what is replayed,
//! whatever the whitespace, the order of keys or the errors in it; what is not a JSON object on one line is kept as
//! base64. Blank lines are skipped and unknown keys ignored; a key that occurs twice is refused.
//!
//! The reader holds one line at a time, of bounded length, and reuses its memory. It parses a line in place: the
//! payload's extent is found by skipping over a JSON value, so that it is neither decoded nor written anew.

use std::io::{self, BufRead, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

pub mod change_line;
mod line;

pub use crate::delivery::Entry;
pub use line::FieldError;
use line::Fields;

/// Longest accepted line in bytes: twice the largest payload in base64 and then some.
pub const MAX_LINE_BYTES: usize = 256 * 1024;

/// The first bytes of a gzip file (RFC 1952), and of a text that says that it is UTF-8.
const GZIP: &[u8] = &[0x1F, 0x8B];
const BYTE_ORDER_MARK: &[u8] = &[0xEF, 0xBB, 0xBF];

/// State bytes in one baseline line; a larger state takes several.
const BASELINE_CHUNK_BYTES: usize = 96 * 1024;

/// What a line says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Line<'a> {
    /// The next piece of the state that was learnt before the recording.
    Baseline(&'a [u8]),
    Message(Entry<'a>),
}

/// The recording cannot be read; the line is counted from 1.
#[derive(Debug, Error)]
pub enum RecordingError {
    #[error("line {line}: cannot read the recording")]
    Read { line: u64, source: io::Error },
    #[error("this is gzip: unpack it first, as in `gzip -dc FILE | fleetwatch replay -`")]
    Gzip,
    #[error("line {line} is longer than {MAX_LINE_BYTES} bytes")]
    TooLong { line: u64 },
    #[error("line {line} is not a JSON object: {source}")]
    NotAnObject { line: u64, source: FieldError },
    #[error("line {line} has no `{field}`")]
    Missing { line: u64, field: &'static str },
    #[error("line {line}: `{field}` is not {wanted}")]
    Field { line: u64, field: &'static str, wanted: &'static str },
    #[error("line {line} has both `payload` and `payload_b64`")]
    TwoPayloads { line: u64 },
    #[error("line {line}: baseline state stands before the first message")]
    LateBaseline { line: u64 },
}

/// Reads a recording line by line.
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    number: u64,
    line: Vec<u8>,
    topic: String,
    bytes: Vec<u8>,
    any_message: bool,
}

impl<R: BufRead> Reader<R> {
    /// A reader of `input`.
    pub fn new(input: R) -> Self {
        Self { input, number: 0, line: Vec::new(), topic: String::new(), bytes: Vec::new(), any_message: false }
    }

    /// Number of the line that was read last, from 1.
    pub fn line(&self) -> u64 {
        self.number
    }

    /// The next line; `None` at the end.
    ///
    /// # Errors
    /// When the input fails or a line is not as the format says. Reading may go on with the line after a bad one, except
    /// after a failure of the input or a line that was too long.
    #[expect(clippy::should_implement_trait, reason = "the line borrows the reader's buffers")]
    pub fn next(&mut self) -> Result<Option<Line<'_>>, RecordingError> {
        if !self.read_line()? {
            return Ok(None);
        }
        let line = self.number;
        let fields = Fields::parse(&self.line).map_err(|source| RecordingError::NotAnObject { line, source })?;
        if let Some(state) = fields.baseline {
            if self.any_message {
                return Err(RecordingError::LateBaseline { line });
            }
            decode(line, "baseline", state, &mut self.bytes)?;
            return Ok(Some(Line::Baseline(&self.bytes)));
        }
        self.any_message = true;
        let at = fields.at.ok_or(RecordingError::Missing { line, field: "at" })?;
        let at = line::instant(at).ok_or(RecordingError::Field {
            line,
            field: "at",
            wanted: "an instant in whole milliseconds from 1970 to 9999",
        })?;
        let topic = fields.topic.ok_or(RecordingError::Missing { line, field: "topic" })?;
        let topic = line::text(topic, &mut self.topic).ok_or(RecordingError::Field {
            line,
            field: "topic",
            wanted: "a text",
        })?;
        let retain = match fields.retain {
            None | Some(b"false") => false,
            Some(b"true") => true,
            Some(_) => return Err(RecordingError::Field { line, field: "retain", wanted: "true or false" }),
        };
        let payload = match (fields.payload, fields.payload_b64) {
            (Some(payload), None) => payload,
            (None, Some(encoded)) => {
                decode(line, "payload_b64", encoded, &mut self.bytes)?;
                &self.bytes
            }
            (Some(_), Some(_)) => return Err(RecordingError::TwoPayloads { line }),
            (None, None) => return Err(RecordingError::Missing { line, field: "payload" }),
        };
        Ok(Some(Line::Message(Entry { at, topic, payload, retain })))
    }

    /// Reads the next line that is not blank; `false` at the end.
    fn read_line(&mut self) -> Result<bool, RecordingError> {
        loop {
            self.line.clear();
            self.number += 1;
            let line = self.number;
            let mut bounded = io::Read::take(&mut self.input, MAX_LINE_BYTES as u64 + 1);
            let read =
                bounded.read_until(b'\n', &mut self.line).map_err(|source| RecordingError::Read { line, source })?;
            if read > MAX_LINE_BYTES && !(line == 1 && self.line.starts_with(GZIP)) {
                return Err(RecordingError::TooLong { line });
            }
            if read == 0 {
                self.number -= 1;
                return Ok(false);
            }
            if line == 1 {
                if self.line.starts_with(GZIP) {
                    return Err(RecordingError::Gzip);
                }
                // What Windows puts at the beginning of a text.
                if self.line.starts_with(BYTE_ORDER_MARK) {
                    self.line.drain(..BYTE_ORDER_MARK.len());
                }
            }
            if !self.line.trim_ascii().is_empty() {
                return Ok(true);
            }
        }
    }
}

/// Decodes a base64 text into `bytes`.
fn decode(line: u64, field: &'static str, json: &[u8], bytes: &mut Vec<u8>) -> Result<(), RecordingError> {
    let wrong = RecordingError::Field { line, field, wanted: "base64 with padding" };
    // Base64 needs no escapes, so the text is what stands between the quotes.
    let Some(encoded) = json.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")) else { return Err(wrong) };
    bytes.clear();
    STANDARD.decode_vec(encoded, bytes).map_err(|_| wrong)
}

/// Writes a recording. Wrap slow outputs in a [`std::io::BufWriter`] and [`flush`](Self::flush) whenever the traffic
/// pauses, so that a recording that is cut off ends with what had arrived.
#[derive(Debug)]
pub struct Writer<W> {
    output: W,
    line: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// A writer to `output`.
    pub fn new(output: W) -> Self {
        Self { output, line: Vec::new() }
    }

    /// Writes learnt state; before any message, or a reader refuses it.
    ///
    /// # Errors
    /// When the output fails.
    pub fn baseline(&mut self, state: &[u8]) -> io::Result<()> {
        for piece in state.chunks(BASELINE_CHUNK_BYTES) {
            self.line.clear();
            self.line.extend_from_slice(b"{\"baseline\":\"");
            self.push_base64(piece);
            self.line.extend_from_slice(b"\"}\n");
            self.output.write_all(&self.line)?;
        }
        Ok(())
    }

    /// Writes one message, in one call of the output.
    ///
    /// # Errors
    /// When the output fails.
    pub fn message(&mut self, entry: Entry<'_>) -> io::Result<()> {
        self.line.clear();
        write!(self.line, "{{\"at\":{},\"topic\":", entry.at.as_ms())?;
        serde_json::to_writer(&mut self.line, entry.topic)?;
        if line::is_object_on_one_line(entry.payload) {
            self.line.extend_from_slice(b",\"payload\":");
            self.line.extend_from_slice(entry.payload);
        } else {
            self.line.extend_from_slice(b",\"payload_b64\":\"");
            self.push_base64(entry.payload);
            self.line.push(b'"');
        }
        self.line.extend_from_slice(if entry.retain { b",\"retain\":true}\n" } else { b"}\n" });
        self.output.write_all(&self.line)
    }

    /// Hands everything on to the output's end.
    ///
    /// # Errors
    /// When the output fails.
    pub fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }

    /// Gives the output back, not flushed.
    pub fn into_inner(self) -> W {
        self.output
    }

    fn push_base64(&mut self, bytes: &[u8]) {
        let start = self.line.len();
        let length = base64::encoded_len(bytes.len(), true).expect("a payload is far below the address space");
        self.line.resize(start + length, 0);
        let written = STANDARD.encode_slice(bytes, &mut self.line[start..]).expect("the room was computed");
        self.line.truncate(start + written);
    }
}

#[cfg(test)]
mod tests;
