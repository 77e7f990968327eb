//! The writer: never in the detector's way, and nothing is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use fleetwatch::clock::Clock;
use fleetwatch::engine::effect::Change;
use fleetwatch::engine::gate::{Decision, Gate};
use fleetwatch::engine::time::Timestamp;
use fleetwatch::record::{Appended, EventQuery, EventRecord, EventStore, EventSummary, RecordedGate, StoreError};
use fleetwatch::store::{Store, Submitted, Writer, WriterConfig};

use crate::place::{Place, in_both};
use crate::record::{decided, record};
use crate::sample::{EVENT, NOW, history, id};

in_both!(
    a_failing_database_delays_the_record_and_loses_nothing,
    a_full_buffer_is_said_and_the_next_life_fills_the_gap,
    closing_gives_up_on_a_dead_database_and_says_what_is_left,
    the_writer_keeps_changes_and_decisions_in_their_order,
);

/// A store that fails until told otherwise, and remembers what it was given.
#[derive(Debug)]
struct Moody {
    inner: Arc<dyn Store>,
    failing: AtomicBool,
    attempts: AtomicUsize,
}

#[async_trait]
impl EventStore for Moody {
    async fn append(&self, changes: &[Change], recorded_at: Timestamp) -> Result<Appended, StoreError> {
        self.attempts.fetch_add(1, Ordering::SeqCst);
        if self.failing.load(Ordering::SeqCst) {
            return Err(StoreError::Full);
        }
        self.inner.append(changes, recorded_at).await
    }

    async fn append_gates(&self, decisions: &[Decision], recorded_at: Timestamp) -> Result<Appended, StoreError> {
        self.attempts.fetch_add(1, Ordering::SeqCst);
        if self.failing.load(Ordering::SeqCst) {
            return Err(StoreError::Full);
        }
        self.inner.append_gates(decisions, recorded_at).await
    }

    async fn gates(&self) -> Result<Vec<RecordedGate>, StoreError> {
        self.inner.gates().await
    }

    async fn events(&self, query: EventQuery) -> Result<Vec<EventSummary>, StoreError> {
        self.inner.events(query).await
    }

    async fn event(&self, id: &str) -> Result<Option<EventRecord>, StoreError> {
        self.inner.event(id).await
    }

    async fn highest_number(&self) -> Result<u64, StoreError> {
        self.inner.highest_number().await
    }
}

async fn moody(place: &Place, failing: bool) -> Arc<Moody> {
    let inner = place.open().await;
    Arc::new(Moody { inner, failing: AtomicBool::new(failing), attempts: AtomicUsize::new(0) })
}

pub fn quick(capacity: usize) -> WriterConfig {
    WriterConfig { capacity, first_pause: Duration::from_millis(1), longest_pause: Duration::from_millis(5) }
}

pub async fn reach(writer: &Writer, what: &str, condition: impl Fn(&fleetwatch::store::WriterState) -> bool) {
    let mut state = writer.state();
    let reached = tokio::time::timeout(Duration::from_secs(20), state.wait_for(|state| condition(state))).await;
    assert!(reached.is_ok(), "{what}: {:?}", writer.state().borrow());
}

async fn a_failing_database_delays_the_record_and_loses_nothing(place: &Place) {
    let store = moody(place, true).await;
    let writer = Writer::start(Arc::clone(&store) as Arc<dyn EventStore>, Clock::scaled(NOW, 1.0), quick(100));
    assert!(writer.settled());
    for change in history() {
        assert_eq!(writer.submit(change), Submitted::Queued);
    }
    assert!(!writer.settled(), "a checkpoint would cut the changes off from the journal");
    reach(&writer, "several attempts", |state| state.failures >= 3).await;
    let trouble = writer.state().borrow().trouble().unwrap();
    assert!(trouble.contains("disk") && trouble.contains("9 changes"), "{trouble}");

    store.failing.store(false, Ordering::SeqCst);
    reach(&writer, "all written", |state| state.pending() == 0).await;
    assert!(writer.settled());
    assert_eq!(writer.state().borrow().trouble(), None);
    let kept: Vec<Change> = record(&*store.inner).await.changes.into_iter().map(|entry| entry.change).collect();
    assert_eq!(kept, history());
    assert_eq!(writer.close(Duration::from_secs(5)).await, 0);
}

async fn a_full_buffer_is_said_and_the_next_life_fills_the_gap(place: &Place) {
    let store = moody(place, true).await;
    let writer = Writer::start(Arc::clone(&store) as Arc<dyn EventStore>, Clock::scaled(NOW, 1.0), quick(2));
    let mut outcomes = Vec::new();
    for change in history() {
        outcomes.push(writer.submit(change));
    }
    let overflowed = outcomes.iter().filter(|&&outcome| outcome == Submitted::Overflow).count();
    assert!(overflowed > 0 && overflowed < history().len(), "{outcomes:?}");
    store.failing.store(false, Ordering::SeqCst);
    reach(&writer, "the rest written", |state| state.pending() == 0).await;
    assert!(!writer.settled(), "changes are missing: no checkpoint may be saved in this life");
    assert!(writer.state().borrow().trouble().unwrap().contains("journal"));
    assert_eq!(writer.close(Duration::from_secs(5)).await, overflowed as u64);
    assert!(record(&*store.inner).await.changes.len() < history().len());

    // The next start replays the journal from the last checkpoint, and so brings every change again.
    let writer = Writer::start(Arc::clone(&store) as Arc<dyn EventStore>, Clock::scaled(NOW, 1.0), quick(100));
    for change in history() {
        assert_eq!(writer.submit(change), Submitted::Queued);
    }
    assert_eq!(writer.close(Duration::from_secs(20)).await, 0);
    let found = record(&*store.inner).await;
    let kept: Vec<Change> = found.changes.iter().map(|entry| entry.change.clone()).collect();
    assert_eq!(kept, history(), "none missing, none twice, in the order of their instants");
    assert_eq!((found.event.affected, found.event.members), (330, 328));
    assert!(found.devices.iter().any(|member| member.device == id(3) && member.left_at.is_some()));
}

async fn closing_gives_up_on_a_dead_database_and_says_what_is_left(place: &Place) {
    let store = moody(place, true).await;
    let writer = Writer::start(Arc::clone(&store) as Arc<dyn EventStore>, Clock::scaled(NOW, 1.0), quick(100));
    let _ = writer.submit(history().remove(0));
    reach(&writer, "an attempt", |state| state.failures >= 1).await;
    assert_eq!(writer.close(Duration::from_millis(20)).await, 1);
    assert!(store.attempts.load(Ordering::SeqCst) >= 1);
}

async fn the_writer_keeps_changes_and_decisions_in_their_order(place: &Place) {
    let store = moody(place, true).await;
    let writer = Writer::start(Arc::clone(&store) as Arc<dyn EventStore>, Clock::scaled(NOW, 1.0), quick(100));
    let changes = history();
    for change in &changes {
        assert_eq!(writer.submit(change.clone()), Submitted::Queued);
        assert_eq!(
            writer.submit(decided(0, Gate::Hold, &format!("n{}", change.at.as_ms()), Some(EVENT))),
            Submitted::Queued
        );
    }
    reach(&writer, "an attempt", |state| state.failures >= 1).await;
    store.failing.store(false, Ordering::SeqCst);
    reach(&writer, "all written", |state| state.pending() == 0).await;
    let found = store.event(EVENT).await.unwrap().unwrap();
    assert_eq!((found.changes.len(), found.gates.len()), (changes.len(), changes.len()));
    for (change, gate) in found.changes.iter().zip(&found.gates) {
        assert_eq!(gate.seq, change.seq + 1, "each right after its change");
    }
}
