//! How each channel fares over which people are told: the lanes of `notify` keep it, the pages show it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use super::outbox::{Outcome, Untold};
use crate::engine::time::Timestamp;

/// Receivers of a channel that are remembered as failing.
const MAX_RECEIVERS: usize = 200;

/// How a channel fares.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct ChannelHealth {
    /// When it last took a message.
    pub last_sent_at: Option<Timestamp>,
    /// Since when it has taken none although asked; `None` while it works.
    pub failing_since: Option<Timestamp>,
    /// What it said last when it did not take one, and when.
    pub last_error: Option<(Timestamp, String)>,
    /// Messages given up since the start.
    pub given_up: u64,
    /// Receivers that take nothing although the channel works, by their address there.
    pub receivers: BTreeMap<String, Failing>,
}

/// A receiver that takes nothing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Failing {
    pub since: Timestamp,
    /// What was said last.
    pub error: String,
}

/// The health of every channel, and which messages have not got through.
#[derive(Debug, Default)]
pub struct ChannelsHealth {
    channels: Mutex<BTreeMap<String, ChannelHealth>>,
    untold: Mutex<Arc<Vec<Untold>>>,
}

impl ChannelsHealth {
    /// As of now, by the channels' names.
    pub fn by_channel(&self) -> BTreeMap<String, ChannelHealth> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What has not got through for long, the oldest first.
    pub fn untold(&self) -> Arc<Vec<Untold>> {
        Arc::clone(&self.untold.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces what has not got through.
    pub fn set_untold(&self, untold: Vec<Untold>) {
        *self.untold.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(untold);
    }

    /// Makes a channel known before anything has happened.
    pub fn open(&self, channel: &str) {
        self.change(channel, |_| {});
    }

    /// Takes in what came of an attempt. `receiver`: who at the channel it was about; `None` when it was about all of them.
    pub fn note(&self, channel: &str, receiver: Option<&str>, at: Timestamp, outcome: &Outcome) {
        self.change(channel, |health| match outcome {
            Outcome::Sent { .. } => {
                health.last_sent_at = Some(at);
                health.failing_since = None;
                receiver.map(|receiver| health.receivers.remove(receiver));
            }
            Outcome::Retry { error, .. } => {
                match receiver {
                    Some(receiver) => health.receiver_fails(receiver, at, error),
                    None => drop(health.failing_since.get_or_insert(at)),
                }
                health.last_error = Some((at, error.clone()));
            }
            Outcome::Failed { error } => {
                health.given_up += 1;
                health.last_error = Some((at, error.clone()));
            }
        });
    }

    fn change(&self, channel: &str, change: impl FnOnce(&mut ChannelHealth)) {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        change(channels.entry(channel.to_owned()).or_default());
    }
}

impl ChannelHealth {
    fn receiver_fails(&mut self, receiver: &str, at: Timestamp, error: &str) {
        if let Some(known) = self.receivers.get_mut(receiver) {
            error.clone_into(&mut known.error);
        } else if self.receivers.len() < MAX_RECEIVERS {
            self.receivers.insert(receiver.to_owned(), Failing { since: at, error: error.to_owned() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_fails_from_its_first_error_until_it_takes_one() {
        let board = ChannelsHealth::default();
        let at = Timestamp::from_ms;
        board.open("chat");
        assert_eq!(board.by_channel()["chat"], ChannelHealth::default());
        let retry = |n| Outcome::Retry { error: format!("e{n}"), retry_at: at(9) };
        board.note("chat", None, at(1), &retry(1));
        board.note("chat", None, at(2), &retry(2));
        let health = board.by_channel().remove("chat").unwrap();
        assert_eq!((health.failing_since, health.last_error), (Some(at(1)), Some((at(2), "e2".into()))));
        board.note("chat", None, at(3), &Outcome::Sent { reference: None });
        board.note("chat", None, at(4), &Outcome::Failed { error: "no".into() });
        let health = board.by_channel().remove("chat").unwrap();
        assert_eq!((health.failing_since, health.last_sent_at, health.given_up), (None, Some(at(3)), 1));
    }

    #[test]
    fn a_receiver_that_fails_is_no_failure_of_the_channel() {
        let board = ChannelsHealth::default();
        let at = Timestamp::from_ms;
        let retry = |n| Outcome::Retry { error: format!("e{n}"), retry_at: at(9) };
        board.note("mail", Some("old@"), at(1), &retry(1));
        board.note("mail", Some("old@"), at(2), &retry(2));
        board.note("mail", Some("noc@"), at(3), &Outcome::Sent { reference: None });
        let health = board.by_channel().remove("mail").unwrap();
        assert_eq!(health.failing_since, None);
        assert_eq!(health.receivers, [("old@".into(), Failing { since: at(1), error: "e2".into() })].into());
        board.note("mail", Some("old@"), at(4), &Outcome::Sent { reference: None });
        assert!(board.by_channel()["mail"].receivers.is_empty());
    }
}
