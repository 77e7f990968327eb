//! Totals that the transports keep, on their way into the counters.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::watch::Mirror;
use crate::broker::BrokerCounters;
use crate::ingest::IngestCounters;
use crate::metrics::Counters;

/// Totals that the transports keep, on their way into the counters.
#[derive(Debug, Default)]
pub struct Mirrors {
    acks: Mirror,
    connects: Mirror,
    refused: [Mirror; 6],
    takeovers: Mirror,
    published: Mirror,
    publish_pauses: Mirror,
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

impl Mirrors {
    /// Of the embedded broker.
    pub fn embedded(&self, counters: &Counters, seen: &BrokerCounters) {
        self.acks.raise(&counters.acks, read(&seen.messages) + read(&seen.messages_refused));
        self.connects.raise(&counters.broker_connects, read(&seen.connects));
        counters.broker_clients.set(i64::try_from(read(&seen.clients)).unwrap_or(i64::MAX));
        let refused = [
            &seen.connects_refused,
            &seen.wills_refused,
            &seen.publishes_denied,
            &seen.subscribes_denied,
            &*seen.retained_refused,
            &seen.holds_expired,
        ];
        for ((mirror, counter), total) in self.refused.iter().zip(&counters.broker_refused).zip(refused) {
            mirror.raise(counter, read(total));
        }
    }

    /// Of the sessions with an external broker.
    pub fn external(&self, counters: &Counters, seen: &IngestCounters) {
        self.acks.raise(&counters.acks, read(&seen.acks));
        self.connects.raise(&counters.broker_connects, read(&seen.connects));
        self.takeovers.raise(&counters.broker_takeovers, read(&seen.takeovers));
        self.published.raise(&counters.gate_published, read(&seen.published));
        self.publish_pauses.raise(&counters.gate_publish_pauses, read(&seen.publish_pauses));
        counters.gates_untold.set(i64::try_from(read(&seen.untold)).unwrap_or(i64::MAX));
    }
}

/// Looks each second until it is dropped.
pub async fn each_second(mut look: impl FnMut(&mut Mirrors)) {
    let mut mirrors = Mirrors::default();
    let mut every = tokio::time::interval(Duration::from_secs(1));
    loop {
        every.tick().await;
        look(&mut mirrors);
    }
}
