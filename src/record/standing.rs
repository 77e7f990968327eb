//! How each channel fares over which people are told: the lanes of `notify` keep it, the pages show it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use super::outbox::Outcome;
use crate::engine::time::Timestamp;

/// How a channel fares.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Standing {
    /// When it last took a message.
    pub last_sent_at: Option<Timestamp>,
    /// Since when it has taken none although asked; `None` while it works.
    pub failing_since: Option<Timestamp>,
    /// What it said last when it did not take one, and when.
    pub last_error: Option<(Timestamp, String)>,
    /// Messages given up since the start.
    pub given_up: u64,
}

/// The standing of every channel.
#[derive(Debug, Default)]
pub struct Board(Mutex<BTreeMap<String, Standing>>);

impl Board {
    /// As of now, by the channels' names.
    pub fn standings(&self) -> BTreeMap<String, Standing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes a channel known before anything has happened.
    pub fn open(&self, channel: &str) {
        self.change(channel, |_| {});
    }

    /// Takes in what came of an attempt.
    pub fn note(&self, channel: &str, at: Timestamp, outcome: &Outcome) {
        self.change(channel, |standing| match outcome {
            Outcome::Sent { .. } => {
                standing.last_sent_at = Some(at);
                standing.failing_since = None;
            }
            Outcome::Retry { error, .. } => {
                standing.failing_since.get_or_insert(at);
                standing.last_error = Some((at, error.clone()));
            }
            Outcome::Failed { error } => {
                standing.given_up += 1;
                standing.last_error = Some((at, error.clone()));
            }
        });
    }

    fn change(&self, channel: &str, change: impl FnOnce(&mut Standing)) {
        let mut standings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(standings.entry(channel.to_owned()).or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_fails_from_its_first_error_until_it_takes_one() {
        let board = Board::default();
        let at = Timestamp::from_ms;
        board.open("chat");
        assert_eq!(board.standings()["chat"], Standing::default());
        let retry = |n| Outcome::Retry { error: format!("e{n}"), retry_at: at(9) };
        board.note("chat", at(1), &retry(1));
        board.note("chat", at(2), &retry(2));
        let standing = board.standings().remove("chat").unwrap();
        assert_eq!((standing.failing_since, standing.last_error), (Some(at(1)), Some((at(2), "e2".into()))));
        board.note("chat", at(3), &Outcome::Sent { reference: None });
        board.note("chat", at(4), &Outcome::Failed { error: "no".into() });
        let standing = board.standings().remove("chat").unwrap();
        assert_eq!((standing.failing_since, standing.last_sent_at, standing.given_up), (None, Some(at(3)), 1));
    }
}
