//! What a device may cost: messages and bytes, paid before anything is decoded or kept.
//!
//! The [rate limit](super::coverage) counts the time that reports cover, so that no backlog is lost, and can say so only
//! once a report is decoded. This budget counts what arrives, of whatever kind (reports, statuses, broken ones, ones that a
//! broker had kept), and refuses before the cost. It is two token buckets in the form of a virtual clock (GCRA, ITU-T
//! I.371): each message puts off the instant up to which its sender has used its rate, and is refused when that lies further
//! ahead than the burst allows. What was refused costs nothing.
//!
//! # The arithmetic of the defaults
//!
//! - *Burst of a device.* The detector looks back 48 hours; older reports are refused anyway. Such a backlog of reports of
//!   ten seconds is 17,280 messages, and with 1.2 KB each (JSON, four classes) 21 MB. 20,000 messages and 32 MiB let it pass
//!   in one second, whoever paces it or does not.
//! - *Rate of a device.* 4 messages a second is what the rate limit accepts of a minute (240). 4 KiB a second is three
//!   times what a report each second of 1.2 KB comes to in its four-byte numbers, and a report of 40 KiB every ten seconds.
//! - *What one device can push out.* In the 72 hours of the journal: 32 MiB + 72 h x 4 KiB/s = 1.02 GiB of 16, a sixteenth.
//! - *Newcomers together.* Whoever is neither on the list of expected devices nor has [proved itself](super::proof) pays
//!   from one purse for all beside its own, so that ten thousand invented names buy no more than one. 1 GiB and 1,000,000
//!   messages are the ten minutes in which a whole fleet of 10,000 proves itself (10,000 x 60 x 1.2 KB = 0.7 GB), or two
//!   hours' backlog of 1,000 (0.9 GB); 16 KiB/s, 4 GiB in 72 hours, are 130 devices that are new at a time.
//!
//! The budget is no part of what the engine decides: what it refuses is in no journal, so a replay never asks it.

use crate::engine::time::Timestamp;

/// Bytes that a message costs beside its topic and payload: about what its frame in the journal takes.
const FRAME_BYTES: usize = 32;

/// A rate and a burst, in messages and in bytes. Nothing of it may be 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Allowance {
    /// Messages a second in the long run.
    pub messages_per_s: u32,
    /// Messages at once.
    pub burst_messages: u32,
    /// Bytes a second in the long run, topics included.
    pub bytes_per_s: u64,
    /// Bytes at once.
    pub burst_bytes: u64,
}

impl Allowance {
    /// The default of one device; see the module for its arithmetic.
    pub const DEVICE: Self =
        Self { messages_per_s: 4, burst_messages: 20_000, bytes_per_s: 4 << 10, burst_bytes: 32 << 20 };

    /// The default of all newcomers together.
    pub const NEWCOMERS: Self =
        Self { messages_per_s: 100, burst_messages: 1_000_000, bytes_per_s: 16 << 10, burst_bytes: 1 << 30 };

    /// Without bounds, for what is not under test.
    pub const UNBOUNDED: Self =
        Self { messages_per_s: u32::MAX, burst_messages: u32::MAX, bytes_per_s: 1 << 50, burst_bytes: 1 << 50 };
}

/// Who may cost how much.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Budgets {
    /// Each device.
    pub device: Allowance,
    /// All together that have not proved to be devices.
    pub newcomers: Allowance,
}

impl Default for Budgets {
    fn default() -> Self {
        Self { device: Allowance::DEVICE, newcomers: Allowance::NEWCOMERS }
    }
}

impl Budgets {
    /// Without bounds.
    pub const UNBOUNDED: Self = Self { device: Allowance::UNBOUNDED, newcomers: Allowance::UNBOUNDED };
}

/// What a message costs, in bytes.
pub fn cost(topic: &str, payload: &[u8]) -> u64 {
    (topic.len() + payload.len() + FRAME_BYTES) as u64
}

/// How far ahead of time somebody has used its rates: the instants, in microseconds, at which everything is paid off.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Spent {
    messages_us: i64,
    bytes_us: i64,
}

impl Spent {
    /// Pays for a message of `bytes` that arrived at `now`; `false` when the allowance is used up, and then nothing is paid.
    pub fn pay(&mut self, allowance: &Allowance, bytes: u64, now: Timestamp) -> bool {
        self.settle(allowance, now);
        self.after(allowance, bytes, now).inspect(|next| *self = *next).is_some()
    }

    /// A clock that went back must not leave anybody indebted for longer than the burst.
    pub fn settle(&mut self, allowance: &Allowance, now: Timestamp) {
        let now_us = micros(now);
        let Allowance { messages_per_s, burst_messages, bytes_per_s, burst_bytes } = *allowance;
        self.messages_us =
            self.messages_us.min(now_us.saturating_add(time(burst_messages.into(), messages_per_s.into())));
        self.bytes_us = self.bytes_us.min(now_us.saturating_add(time(burst_bytes, bytes_per_s)));
    }

    /// The state after paying, if there is enough.
    pub fn after(&self, allowance: &Allowance, bytes: u64, now: Timestamp) -> Option<Self> {
        let Allowance { messages_per_s, burst_messages, bytes_per_s, burst_bytes } = *allowance;
        let now_us = micros(now);
        let messages_us = ahead(self.messages_us, now_us, (1, messages_per_s.into(), burst_messages.into()))?;
        let bytes_us = ahead(self.bytes_us, now_us, (bytes, bytes_per_s, burst_bytes))?;
        Some(Self { messages_us, bytes_us })
    }
}

fn micros(instant: Timestamp) -> i64 {
    instant.as_ms().saturating_mul(1_000)
}

/// The time in microseconds that `units` take at `rate` a second.
fn time(units: u64, rate: u64) -> i64 {
    i64::try_from(u128::from(units) * 1_000_000 / u128::from(rate.max(1))).unwrap_or(i64::MAX)
}

/// Where `until_us` moves by `units` at `rate` a second; `None` when that is more than `burst` units ahead of `now_us`.
fn ahead(until_us: i64, now_us: i64, (units, rate, burst): (u64, u64, u64)) -> Option<i64> {
    let next = until_us.max(now_us).saturating_add(time(units, rate));
    (next <= now_us.saturating_add(time(burst, rate))).then_some(next)
}

#[cfg(test)]
mod tests;
