//! Section `ingest`: how large messages may be, and how much each sender may cost.

use serde::{Deserialize, Serialize};

use crate::engine::fleet::budget::Allowance;

/// Section `ingest`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IngestConfig {
    /// Longest payload that is decoded, in bytes. A longer one is refused, counted and acknowledged.
    pub max_payload_bytes: u32,
    /// Largest MQTT packet taken from an external broker, in bytes; above `max_payload_bytes`, or one big retained
    /// message would make a reconnect loop.
    pub max_packet_bytes: u32,
    /// Most messages of one connection that wait for the journal before the broker is made to wait.
    pub max_unacked: u32,
    /// Section `ingest.device`: what each device may send.
    pub device: AllowanceConfig,
    /// Section `ingest.newcomers`: what all may send together that are neither expected nor have proved to be devices.
    pub newcomers: AllowanceConfig,
}

/// Sections `ingest.device` and `ingest.newcomers`: a rate and a burst. The arithmetic of the defaults stands with
/// [`Allowance`].
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllowanceConfig {
    /// Messages a second in the long run.
    pub messages_per_s: u32,
    /// Messages at once.
    pub burst_messages: u32,
    /// KiB a second in the long run, topics included.
    pub kib_per_s: u32,
    /// MiB at once.
    pub burst_mib: u32,
}

impl Default for IngestConfig {
    fn default() -> Self {
        Self {
            max_payload_bytes: 64 * 1024,
            max_packet_bytes: 1024 * 1024,
            max_unacked: 4_096,
            device: Allowance::DEVICE.into(),
            newcomers: Allowance::NEWCOMERS.into(),
        }
    }
}

impl From<Allowance> for AllowanceConfig {
    fn from(allowance: Allowance) -> Self {
        Self {
            messages_per_s: allowance.messages_per_s,
            burst_messages: allowance.burst_messages,
            kib_per_s: (allowance.bytes_per_s >> 10) as u32,
            burst_mib: (allowance.burst_bytes >> 20) as u32,
        }
    }
}
