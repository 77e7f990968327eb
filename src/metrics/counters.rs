//! What the shell counts while it works.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use prometheus::{Gauge, Histogram, IntCounter, IntGauge, Registry};

use super::cohorts::Cohorts;
use super::maker::Maker;
use super::names;
use super::notifications::Notifications;
use super::text::Text;
use super::timeline::Timeline;
use crate::engine::device::DeviceId;
use crate::engine::effect::{Change, ChangeKind};
use crate::engine::gate::Gate;
use crate::engine::report::Report;
use crate::engine::time::Timestamp;
use crate::engine::wire::{Field, LeftOut};

/// Kind of a received message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MessageKind {
    Report,
    Status,
    /// A topic that is neither.
    Other,
}

/// Encoding of a received message, by its first byte.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encoding {
    Json,
    Binary,
    /// Neither of the two.
    Unknown,
}

/// Why devices left the fleet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
    /// A person forgot them.
    Asked,
    /// They had not proved to be devices, and were silent for a day.
    Silent,
    /// They had not proved to be devices, and the fleet was full.
    FleetFull,
}

const WHY: [&str; 3] = ["asked", "silent", "fleet_full"];
const KINDS: [&str; 3] = ["report", "status", "other"];
const DECIDERS: [&str; 2] = ["detector", "person"];
/// What the embedded broker can refuse.
pub const BROKER_REFUSED: [&str; 6] = ["connect", "will", "publish", "subscribe", "retained", "not_durable"];
const ENCODINGS: [&str; 3] = ["json", "binary", "unknown"];

/// The label for a refusal whose reason is not in the closed list.
const OTHER: &str = "other";

/// All counters of the shell, shared as one `Arc`. Counting is one relaxed atomic add: labelled ones are looked up
/// when this is made, not when they are counted.
///
/// The names and what they mean are in [`super::names`].
#[derive(Debug)]
pub struct Counters {
    registry: Registry,
    messages: [[IntCounter; 3]; 3],
    refusals: Vec<(&'static str, IntCounter)>,
    left_out: [IntCounter; Field::COUNT],
    forgotten: [IntCounter; WHY.len()],
    changes: [IntCounter; 7],
    timeline: Mutex<Timeline>,
    cohorts: Cohorts,
    checkpoint_at: AtomicI64,
    checkpoint_age: Gauge,
    pub acks: IntCounter,
    pub busy: IntCounter,
    pub broker_connected: IntGauge,
    pub broker_connects: IntCounter,
    pub broker_resubscriptions: IntCounter,
    pub broker_takeovers: IntCounter,
    pub broker_clients: IntGauge,
    /// In the order of [`BROKER_REFUSED`].
    pub broker_refused: [IntCounter; BROKER_REFUSED.len()],
    pub journal_records: IntCounter,
    pub journal_bytes: IntCounter,
    pub journal_size_bytes: IntGauge,
    pub journal_free_bytes: IntGauge,
    /// Observe seconds.
    pub journal_commit: Histogram,
    pub journal_failures: IntCounter,
    pub journal_healthy: IntGauge,
    pub checkpoints: IntCounter,
    pub checkpoint_failures: IntCounter,
    pub checkpoint_size_bytes: IntGauge,
    /// Observe seconds.
    pub checkpoint_duration: Histogram,
    /// Observe seconds.
    pub checkpoint_hold: Histogram,
    /// Observe seconds of real time.
    pub tick_duration: Histogram,
    /// Set seconds of engine time.
    pub decision_lag: Gauge,
    pub store_writes: IntCounter,
    pub store_failures: IntCounter,
    pub store_pending: IntGauge,
    pub store_overflow: IntCounter,
    /// Set seconds.
    pub wall_clock_step: Gauge,
    gate_decisions: [[IntCounter; 2]; 2],
    pub gate_versions_refused: IntCounter,
    pub gate_published: IntCounter,
    pub gate_publish_pauses: IntCounter,
    pub gates_untold: IntGauge,
    pub notifications: Notifications,
}

impl Counters {
    /// Counters at zero. `reasons` is every reason for which a message can be refused; any other is counted as `other`.
    ///
    /// # Panics
    /// When a name of [`super::names`] is used twice or is no metric name: a mistake in this program.
    pub fn new(reasons: &[&'static str]) -> Self {
        let make = Maker(Registry::new());
        let messages = make.counters(names::MESSAGES, &["kind", "encoding"]);
        let refusals = make.counters(names::REFUSALS, &["reason"]);
        let left_out = make.counters(names::LEFT_OUT, &["field"]);
        let forgotten = make.counters(names::FORGOTTEN, &["why"]);
        let changes = make.counters(names::CHANGES, &["kind"]);
        let gates = make.counters(names::GATE_DECISIONS, &["by", "gate"]);
        let broker_refused = make.counters(names::BROKER_REFUSALS, &["what"]);
        let mut reasons: Vec<_> = reasons.iter().copied().chain([OTHER]).collect();
        reasons.sort_unstable();
        reasons.dedup();
        Self {
            messages: KINDS.map(|kind| ENCODINGS.map(|encoding| messages.with_label_values(&[kind, encoding]))),
            refusals: reasons.into_iter().map(|reason| (reason, refusals.with_label_values(&[reason]))).collect(),
            left_out: Field::ALL.map(|field| left_out.with_label_values(&[field.as_str()])),
            forgotten: WHY.map(|why| forgotten.with_label_values(&[why])),
            changes: ChangeKind::ALL.map(|kind| changes.with_label_values(&[kind.as_str()])),
            timeline: Mutex::default(),
            cohorts: Cohorts::default(),
            checkpoint_at: AtomicI64::new(0),
            checkpoint_age: make.gauge(names::CHECKPOINT_AGE),
            acks: make.counter(names::ACKS),
            busy: make.counter(names::BUSY),
            broker_connected: make.int_gauge(names::CONNECTED),
            broker_connects: make.counter(names::CONNECTS),
            broker_resubscriptions: make.counter(names::RESUBSCRIPTIONS),
            broker_takeovers: make.counter(names::TAKEOVERS),
            broker_clients: make.int_gauge(names::CLIENTS),
            broker_refused: BROKER_REFUSED.map(|what| broker_refused.with_label_values(&[what])),
            journal_records: make.counter(names::JOURNAL_RECORDS),
            journal_bytes: make.counter(names::JOURNAL_BYTES),
            journal_size_bytes: make.int_gauge(names::JOURNAL_SIZE),
            journal_free_bytes: make.int_gauge(names::JOURNAL_FREE),
            journal_commit: make.durations(names::JOURNAL_COMMIT, 0.000_25, 16),
            journal_failures: make.counter(names::JOURNAL_FAILURES),
            journal_healthy: make.int_gauge(names::JOURNAL_HEALTHY),
            checkpoints: make.counter(names::CHECKPOINTS),
            checkpoint_failures: make.counter(names::CHECKPOINT_FAILURES),
            checkpoint_size_bytes: make.int_gauge(names::CHECKPOINT_SIZE),
            checkpoint_duration: make.durations(names::CHECKPOINT_DURATION, 0.001, 14),
            checkpoint_hold: make.durations(names::CHECKPOINT_HOLD, 0.001, 10),
            tick_duration: make.durations(names::TICK_DURATION, 0.000_25, 14),
            decision_lag: make.gauge(names::DECISION_LAG),
            store_writes: make.counter(names::STORE_WRITES),
            store_failures: make.counter(names::STORE_FAILURES),
            store_pending: make.int_gauge(names::STORE_PENDING),
            store_overflow: make.counter(names::STORE_OVERFLOW),
            wall_clock_step: make.gauge(names::WALL_STEP),
            gate_decisions: [Gate::Hold, Gate::Release]
                .map(|gate| DECIDERS.map(|by| gates.with_label_values(&[by, gate.as_str()]))),
            gate_versions_refused: make.counter(names::GATE_REFUSED),
            gate_published: make.counter(names::GATE_PUBLISHED),
            gate_publish_pauses: make.counter(names::GATE_PAUSES),
            gates_untold: make.int_gauge(names::GATES_UNTOLD),
            notifications: Notifications::new(&make),
            registry: make.0,
        }
    }

    /// Counts a received message.
    pub fn received(&self, kind: MessageKind, encoding: Encoding) {
        self.messages[kind as usize][encoding as usize].inc();
    }

    /// Counts a refused message.
    pub fn refused(&self, reason: &str) {
        let found = self.refusals.binary_search_by_key(&reason, |&(known, _)| known);
        let found = found.or_else(|_| self.refusals.binary_search_by_key(&OTHER, |&(known, _)| known));
        if let Ok(index) = found {
            self.refusals[index].1.inc();
        }
    }

    /// Counts what was left out of a message that was taken.
    pub fn left_out(&self, left: &LeftOut) {
        for (field, count) in left.iter() {
            self.left_out[field as usize].inc_by(count.into());
        }
    }

    /// Counts what a report says, for its device's cohorts. `device` is an id that was admitted; the report has been
    /// recorded, so it is neither refused nor a duplicate.
    pub fn recorded(&self, device: &str, report: &Report) {
        self.cohorts.count(device, report);
    }

    /// Counts devices that left the fleet.
    pub fn forgotten(&self, why: Why, devices: usize) {
        self.forgotten[why as usize].inc_by(devices as u64);
    }

    /// Drops what devices that are gone have reported since the last scrape.
    pub fn forget(&self, devices: &[DeviceId]) {
        devices.iter().for_each(|device| self.cohorts.forget(device));
    }

    pub(super) fn cohorts(&self) -> &Cohorts {
        &self.cohorts
    }

    /// Counts a decision of the detector, and remembers when it was made.
    pub fn changed(&self, change: &Change) {
        if let Some(index) = ChangeKind::ALL.iter().position(|&known| known == change.kind) {
            self.changes[index].inc();
        }
        self.told().note(change);
    }

    /// Writes when the detector decided what.
    pub(super) fn timeline(&self, text: &mut Text, now: Timestamp) {
        self.told().write(text, now);
    }

    /// Nothing in a timeline can be left half done in a way that matters.
    fn told(&self) -> MutexGuard<'_, Timeline> {
        self.timeline.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a decision about an update.
    pub fn gate_decided(&self, gate: Gate, by_person: bool) {
        self.gate_decisions[gate as usize][usize::from(by_person)].inc();
    }

    /// Counts a saved checkpoint. `at` is the engine time it was captured at: its age is told from it.
    pub fn checkpoint_saved(&self, at: Timestamp, bytes: u64, seconds: f64) {
        self.checkpoints.inc();
        self.checkpoint_size_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        self.checkpoint_duration.observe(seconds);
        self.checkpoint_at.store(at.as_ms(), Ordering::Relaxed);
    }

    /// Sets what depends on the instant of the scrape.
    pub(super) fn refresh(&self, now: Timestamp) {
        let at = self.checkpoint_at.load(Ordering::Relaxed);
        let age = if at == 0 { f64::NAN } else { now.since_ms(Timestamp::from_ms(at)) as f64 / 1_000.0 };
        self.checkpoint_age.set(age);
    }

    pub(super) fn registry(&self) -> &Registry {
        &self.registry
    }
}
