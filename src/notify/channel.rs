//! What a channel is asked, and how it answers.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use thiserror::Error;

use crate::engine::time::Timestamp;
use crate::record::outbox::Dispatch;

/// A way to reach people or programs. Shared between tasks; several messages may be on their way at once, but only one of a
/// thread (target and incident).
#[async_trait]
pub trait Channel: Send + Sync + fmt::Debug {
    /// Hands a message over, once. `now` is the time as other machines have it, because it goes to them. `thread` is what this channel gave as reference for the last message of the same incident to the
    /// same target, where there was one. Dropping the future gives the attempt up: the receiver may have got it.
    ///
    /// # Errors
    /// When it was not taken, and whether trying again makes sense.
    async fn deliver(&self, dispatch: &Dispatch, thread: Option<&str>, now: Timestamp) -> Result<Receipt, Refusal>;
}

/// The receiver took it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Receipt {
    /// What the next message of the thread is to be given.
    pub reference: Option<String>,
}

/// The receiver did not take it. The text is shown to people and stored: one line, without secrets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The channel takes nothing now: the way there is broken, or what people have configured, here or there. Either is mended
    /// while the message is still wanted, so it is tried again. `after`: the receiver asked for this much patience, in real time.
    Later { error: String, after: Option<Duration> },
    /// The channel works, but not for this receiver: an address that is refused, a room that is archived. It is mended like
    /// anything else, so it is tried again, and holds nobody else up meanwhile.
    Receiver { error: String },
    /// The message itself cannot be taken, however often it comes.
    Never { error: String },
}

impl Refusal {
    /// Not this time.
    pub fn later(error: impl fmt::Display) -> Self {
        Self::Later { error: one_line(&error.to_string()), after: None }
    }

    /// Not for this receiver as things are.
    pub fn receiver(error: impl fmt::Display) -> Self {
        Self::Receiver { error: one_line(&error.to_string()) }
    }

    /// Never.
    pub fn never(error: impl fmt::Display) -> Self {
        Self::Never { error: one_line(&error.to_string()) }
    }

    /// What is shown.
    pub fn error(&self) -> &str {
        match self {
            Self::Later { error, .. } | Self::Receiver { error } | Self::Never { error } => error,
        }
    }
}

/// Longest error text that is kept, in characters.
const MAX_ERROR: usize = 300;

/// A text from outside as it is logged and stored: one line, bounded, without control characters.
pub fn one_line(text: &str) -> String {
    let mut out: String = text.trim().chars().take(MAX_ERROR).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.trim().chars().count() > MAX_ERROR {
        out.push('\u{2026}');
    }
    out
}

/// Why a channel cannot be made from its settings.
#[derive(Debug, Error)]
pub enum SetupError {
    /// A file that the settings name cannot be used.
    #[error("the {what} in {} cannot be used: {detail}", path.display())]
    File { what: &'static str, path: PathBuf, detail: String },
    /// A setting cannot be used. The value is not repeated where it may be a secret.
    #[error("{what} cannot be used: {detail}")]
    Setting { what: &'static str, detail: String },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_receiver_says_stays_on_one_short_line() {
        assert_eq!(Refusal::later("a\r\nb\u{1b}[31m").error(), "a  b [31m");
        assert_eq!(Refusal::never("x".repeat(1_000)).error().chars().count(), MAX_ERROR + 1);
    }
}
