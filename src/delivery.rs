//! How a message gets from MQTT to whoever keeps it, and when it may be acknowledged.
//!
//! The embedded [`broker`](crate::broker) and the [`ingest`](crate::ingest) client both hand messages over as
//! [`Delivery`] and both owe the same promise: *nothing is acknowledged that is not kept*. The intake answers with a log
//! sequence number and publishes, on a watch channel, the highest number that is on stable storage. Neither side knows
//! the other's journal, engine or metrics; `app` wires them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use tokio::sync::watch;

use crate::engine::time::Timestamp;

/// One message, borrowed from the network buffer.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    /// Full topic, not yet checked against the topic scheme.
    pub topic: &'a str,
    /// Untrusted bytes, at most as long as the transport's packet limit.
    pub payload: &'a [u8],
    /// An old copy that a broker had kept and sends because of a new subscription: its arrival says nothing about when
    /// it was written. A live message is never `retain`, even where its sender asked for it to be kept.
    pub retain: bool,
}

/// A message with its arrival: what the journal keeps, and a recording.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry<'a> {
    /// Arrival in engine time.
    pub at: Timestamp,
    /// The topic it was published to.
    pub topic: &'a str,
    /// Its bytes, unchanged.
    pub payload: &'a [u8],
    /// As in [`Delivery::retain`].
    pub retain: bool,
}

/// What the intake did with a [`Delivery`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Appended under this log sequence number. Acknowledge once that number is durable, not before.
    Journaled(u64),
    /// Not wanted (undecodable, unknown device ...) and already counted: acknowledge it, so that it never comes back.
    Refused,
    /// Refused as well, because its sender sends more than it may: whoever can make the sender slower should.
    OverBudget,
    /// No room now. Nothing was recorded; offer the same message again later and take no further one meanwhile.
    Busy,
}

/// Takes messages over. Called from many tasks at once; must not block for longer than an append takes.
pub trait Sink: Send + Sync {
    /// Offers one message.
    fn deliver(&self, delivery: Delivery<'_>) -> Outcome;
}

/// A sink together with the highest log sequence number that it has made durable.
///
/// Numbers start above the channel's first value: a message journaled under `n` may be acknowledged when the channel
/// holds `n` or more.
#[derive(Clone)]
pub struct DurableSink {
    /// Takes the messages.
    pub sink: Arc<dyn Sink>,
    /// Highest durable number. Closing the channel means that nothing will become durable any more.
    pub durable: watch::Receiver<u64>,
}

impl DurableSink {
    /// Pairs a sink with its progress.
    pub fn new(sink: Arc<dyn Sink>, durable: watch::Receiver<u64>) -> Self {
        Self { sink, durable }
    }
}

impl fmt::Debug for DurableSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DurableSink").field("durable", &*self.durable.borrow()).finish_non_exhaustive()
    }
}

/// The retained messages that are ours: what the broker is to hold under each topic. Whoever publishes them brings the
/// broker to this state, and brings it there again after it has been away, so only the latest payload of a topic counts.
pub type Retained = Arc<BTreeMap<String, Vec<u8>>>;

/// Topics whose retained message the broker is to drop, once.
pub type Topics = Arc<[String]>;
