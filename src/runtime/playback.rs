//! Journalled or recorded messages through the engine on virtual time: what a restart, a replay and the tests have in
//! common.

use std::collections::BTreeMap;

use crate::engine::detector::Engine;
use crate::engine::effect::Change;
use crate::engine::fleet::Refusal;
use crate::engine::time::Timestamp;
use crate::engine::wire::{self, Decoder, Forgetting, Limits, TopicKind};
use crate::runtime::driver::Virtual;

/// Counts entries that would have forgotten devices, of which not all were: they come from another fleet, or were lived by other
/// settings.
const NOT_FORGOTTEN: &str = "not_forgotten";

/// Feeds an engine, message by message.
#[derive(Debug)]
pub struct Playback {
    root: String,
    driver: Virtual,
    decoder: Decoder,
    messages: u64,
    refused: BTreeMap<&'static str, u64>,
    left_out: BTreeMap<&'static str, u64>,
}

impl Playback {
    /// Feeds `engine`, which may be new or restored, with messages under the topic `root`.
    pub fn new(engine: Engine, root: &str, limits: Limits) -> Self {
        Self {
            root: root.to_owned(),
            driver: Virtual::new(engine),
            decoder: Decoder::new(limits),
            messages: 0,
            refused: BTreeMap::new(),
            left_out: BTreeMap::new(),
        }
    }

    /// Plays one message that arrived at `at`: first the ticks up to then, then the message. Returns what the ticks decided.
    pub fn play(&mut self, at: Timestamp, topic: &str, payload: &[u8], retain: bool) -> Vec<Change> {
        let changes = self.driver.advance(at);
        self.messages += 1;
        match self.apply(topic, payload, retain) {
            Ok(()) => {
                for (field, count) in self.decoder.left_out().iter() {
                    *self.left_out.entry(field.as_str()).or_default() += u64::from(count);
                }
            }
            Err(reason) => *self.refused.entry(reason).or_default() += 1,
        }
        changes
    }

    fn apply(&mut self, topic: &str, payload: &[u8], retain: bool) -> Result<(), &'static str> {
        if wire::is_forget_topic(&self.root, topic) {
            let Forgetting { devices, .. } = serde_json::from_slice(payload).map_err(|_| NOT_FORGOTTEN)?;
            return if self.driver.forget(&devices).is_empty() { Ok(()) } else { Err(NOT_FORGOTTEN) };
        }
        let topic = wire::parse_topic(&self.root, topic).map_err(|error| error.reason())?;
        match topic.kind {
            // A broker had kept it, so its arrival says nothing of when it was written.
            TopicKind::Report if retain => Err(Refusal::Retained),
            TopicKind::Report => {
                let report = self.decoder.report(topic.device, payload).map_err(|error| error.reason())?;
                self.driver.report(topic.device, report).map(drop)
            }
            TopicKind::Status => {
                let status = self.decoder.status(topic.device, payload).map_err(|error| error.reason())?;
                self.driver.status(topic.device, status, retain)
            }
        }
        .map_err(|refusal| refusal.reason())
    }

    /// Runs the ticks up to `at`.
    pub fn advance(&mut self, at: Timestamp) -> Vec<Change> {
        self.driver.advance(at)
    }

    /// The end of the input: time goes on by the grace only.
    pub fn finish(&mut self) -> Vec<Change> {
        self.driver.finish()
    }

    /// Messages played.
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// Messages that were not taken, by reason.
    pub fn refused(&self) -> &BTreeMap<&'static str, u64> {
        &self.refused
    }

    /// Fields that were left out of messages that were taken.
    pub fn left_out(&self) -> &BTreeMap<&'static str, u64> {
        &self.left_out
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        self.driver.engine()
    }

    /// Gives the engine back.
    pub fn into_engine(self) -> Engine {
        self.driver.into_engine()
    }
}
