//! What the updater reads: topics and payloads, as `fixtures/wire/README.md` describes them.

use serde::Serialize;

use super::{Decision, Gate, Ring};
use crate::engine::device::DeviceId;
use crate::engine::time::Timestamp;

/// Last level of a gate's topic.
pub const GATE_LEVEL: &str = "gate";

/// The control ring's topic below the root.
pub const RING_TOPIC: &str = "v1/updates/control-ring";

/// Version of the payloads.
const VERSION: u8 = 1;

/// The topic of a version's gate. The version has passed [`super::check_version`].
pub fn topic(root: &str, version: &str) -> String {
    format!("{root}/v1/updates/{version}/{GATE_LEVEL}")
}

/// The topic of the control ring.
pub fn ring_topic(root: &str) -> String {
    format!("{root}/{RING_TOPIC}")
}

#[derive(Serialize)]
struct GateMessage<'a> {
    v: u8,
    version: &'a str,
    gate: Gate,
    incident: Option<&'a str>,
    event: Option<&'a str>,
    reason: &'a str,
    by: &'a str,
    at: Timestamp,
    affected: u32,
}

#[derive(Serialize)]
struct RingMessage<'a> {
    v: u8,
    percent: Option<u32>,
    seed: Option<u64>,
    count: usize,
    devices: &'a [DeviceId],
}

impl Decision {
    /// The payload of the gate's topic: the same bytes for the same decision.
    pub fn message(&self) -> Vec<u8> {
        let Self { version, gate, by, reason, incident, event, affected, at, .. } = self;
        let (incident, event) = (incident.as_deref(), event.as_deref());
        json(&GateMessage {
            v: VERSION,
            version,
            gate: *gate,
            incident,
            event,
            reason,
            by,
            at: *at,
            affected: *affected,
        })
    }
}

impl Ring {
    /// The payload of the ring's topic: the same bytes for the same ring.
    pub fn message(&self) -> Vec<u8> {
        let Self { percent, seed, devices } = self;
        json(&RingMessage { v: VERSION, percent: *percent, seed: *seed, count: devices.len(), devices })
    }
}

fn json(message: &impl Serialize) -> Vec<u8> {
    // Writing into memory fails only for types that these messages do not hold.
    serde_json::to_vec(message).unwrap_or_default()
}
