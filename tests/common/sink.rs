//! A sink that remembers what it was given and makes durable what it is told to.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use fleetwatch::delivery::{Delivery, DurableSink, Outcome, Sink};
use tokio::sync::watch;

/// Remembers every message under (topic, payload) with the number of times it came.
pub struct TestSink {
    seen: Mutex<HashMap<(String, Vec<u8>), u64>>,
    next: AtomicU64,
    retained: AtomicU64,
    durable: watch::Sender<u64>,
    /// Makes everything durable at once.
    prompt: AtomicBool,
    /// Topics that contain this text find the sink busy.
    busy: Mutex<Option<String>>,
    /// Payloads that start with this are refused.
    refuse: &'static [u8],
}

impl TestSink {
    /// A sink that makes everything durable at once.
    pub fn prompt() -> Arc<Self> {
        let sink = Self::held();
        sink.prompt.store(true, Ordering::Relaxed);
        sink
    }

    /// A sink that makes nothing durable until [`release`](Self::release).
    pub fn held() -> Arc<Self> {
        Arc::new(Self {
            seen: Mutex::default(),
            next: AtomicU64::new(0),
            retained: AtomicU64::new(0),
            durable: watch::Sender::new(0),
            prompt: AtomicBool::new(false),
            busy: Mutex::default(),
            refuse: b"refuse",
        })
    }

    pub fn intake(self: &Arc<Self>) -> DurableSink {
        DurableSink::new(Arc::clone(self) as Arc<dyn Sink>, self.durable.subscribe())
    }

    /// Makes all that was taken so far durable.
    pub fn release(&self) {
        self.durable.send_replace(self.next.load(Ordering::SeqCst));
    }

    /// From now on everything is durable at once.
    pub fn release_for_ever(&self) {
        self.prompt.store(true, Ordering::SeqCst);
        self.release();
    }

    /// Whoever sends on a topic with this text in it finds the sink busy; `None` lets all in.
    pub fn set_busy(&self, text: Option<&str>) {
        *self.busy.lock().unwrap() = text.map(str::to_owned);
    }

    /// Messages taken, repetitions counted.
    pub fn taken(&self) -> u64 {
        self.next.load(Ordering::SeqCst)
    }

    /// Messages that came as retained copies.
    pub fn retained(&self) -> u64 {
        self.retained.load(Ordering::SeqCst)
    }

    /// Different messages taken.
    pub fn distinct(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    /// How often this message was taken.
    pub fn times(&self, topic: &str, payload: &[u8]) -> u64 {
        self.seen.lock().unwrap().get(&(topic.to_owned(), payload.to_vec())).copied().unwrap_or(0)
    }

    /// Whether any message of this topic was taken.
    pub fn has_topic(&self, topic: &str) -> bool {
        self.seen.lock().unwrap().keys().any(|(seen, _)| seen == topic)
    }

    /// Payloads taken from this topic.
    pub fn payloads(&self, topic: &str) -> Vec<Vec<u8>> {
        self.seen.lock().unwrap().keys().filter(|(seen, _)| seen == topic).map(|(_, payload)| payload.clone()).collect()
    }
}

impl Sink for TestSink {
    fn deliver(&self, delivery: Delivery<'_>) -> Outcome {
        if self.busy.lock().unwrap().as_deref().is_some_and(|text| delivery.topic.contains(text)) {
            return Outcome::Busy;
        }
        if delivery.payload.starts_with(self.refuse) {
            return Outcome::Refused;
        }
        let key = (delivery.topic.to_owned(), delivery.payload.to_vec());
        *self.seen.lock().unwrap().entry(key).or_default() += 1;
        self.retained.fetch_add(u64::from(delivery.retain), Ordering::SeqCst);
        let lsn = self.next.fetch_add(1, Ordering::SeqCst) + 1;
        if self.prompt.load(Ordering::SeqCst) {
            self.durable.send_if_modified(|durable| {
                let grown = lsn > *durable;
                *durable = lsn.max(*durable);
                grown
            });
        }
        Outcome::Journaled(lsn)
    }
}
