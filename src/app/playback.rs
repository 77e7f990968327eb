//! Journalled or recorded messages through the engine on virtual time: what a restart, a replay and the tests have in
//! common.

use std::collections::BTreeMap;

use crate::driver::Virtual;
use crate::engine::detector::Engine;
use crate::engine::effect::Change;
use crate::engine::time::Timestamp;
use crate::engine::wire::{self, Decoder, Limits, TopicKind};

/// Feeds an engine, message by message.
#[derive(Debug)]
pub struct Playback {
    root: String,
    driver: Virtual,
    decoder: Decoder,
    messages: u64,
    refused: BTreeMap<&'static str, u64>,
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
        }
    }

    /// Plays one message that arrived at `at`: first the ticks up to then, then the message. Returns what the ticks decided.
    pub fn play(&mut self, at: Timestamp, topic: &str, payload: &[u8], retain: bool) -> Vec<Change> {
        let changes = self.driver.advance(at);
        self.messages += 1;
        if let Err(reason) = self.apply(topic, payload, retain) {
            *self.refused.entry(reason).or_default() += 1;
        }
        changes
    }

    fn apply(&mut self, topic: &str, payload: &[u8], retain: bool) -> Result<(), &'static str> {
        let topic = wire::parse_topic(&self.root, topic).map_err(|error| error.reason())?;
        match topic.kind {
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

    /// The engine.
    pub fn engine(&self) -> &Engine {
        self.driver.engine()
    }

    /// Gives the engine back.
    pub fn into_engine(self) -> Engine {
        self.driver.into_engine()
    }
}
