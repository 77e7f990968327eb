//! The gates as they run: sees what the engine decides, records and publishes what follows, and takes a person's word.
//!
//! The record of incidents is what makes decisions last, and not the journal: a person's decision is none of the devices'
//! messages, it has to outlive the journal's few days, and it belongs to the incident's record anyway. So a start reads all of them, then
//! what the events on record named last, and what a replayed journal tail brings once more decides nothing new. A person's
//! decision is in force once it is on record, not before; the detector's does not wait for the database, because what it
//! was decided from is kept until it is written.
//!
//! What the broker is to hold is one map, topic to payload, whose latest state the transports bring the broker to. It
//! cannot grow with the time a broker is away.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use tokio::sync::watch;

use crate::broker::{BrokerError, Publisher};
use crate::clock::{self, Clock};
use crate::delivery::Retained;
use crate::engine::device::DeviceId;
use crate::engine::effect::Change;
use crate::engine::gate::{self, Decision, Gate, Gates, Observed, Policy, Ring};
use crate::engine::snapshot::Snapshot;
use crate::metrics::Counters;
use crate::record::{EventQuery, EventStore, EventSummary, GateBoard, GateControl, GateError, StoreError, observation};
use crate::store::{Submitted, Writer};

use super::mutex::lock;

/// Events that are looked at when a start makes up for what was not decided: more are not open at a time.
const EVENTS: u32 = 500;

/// What the events of longer ago named says nothing any more, in ms.
const RECENT_MS: i64 = 24 * 3_600_000;

/// Largest payload of the control ring in bytes: below the size that the sample of Mosquitto lets pass.
const RING_MOST: usize = 60_000;

/// How often the ring is drawn again, and how often it is looked whether devices have come or gone.
const RING_EVERY: Duration = Duration::from_secs(60);
const RING_POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Pause before the embedded broker is asked again to keep a message.
const RETRY: Duration = Duration::from_secs(1);

/// Which devices wait in the first night of an update.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum RingSource {
    /// None.
    #[default]
    Nobody,
    /// A share of the fleet.
    Share { percent: u32, seed: u64 },
    /// Those that a person has listed; `path` is where.
    Listed { devices: Vec<DeviceId>, path: PathBuf },
}

/// How the gates are to run.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct GateConfig {
    pub policy: Policy,
    pub ring: RingSource,
}

/// The gates. Cheap to clone.
#[derive(Clone, Debug)]
pub struct UpdateGates(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    root: String,
    ring: RingSource,
    clock: Clock,
    store: Arc<dyn EventStore>,
    counters: Arc<Counters>,
    policy: Policy,
    gates: Mutex<Gates>,
    /// What was decided before the record could be read; `None` once it was. Without what is on record nothing is decided: a person
    /// may have released what the detector would hold.
    unseen: Mutex<Option<Vec<Change>>>,
    /// One person at a time: what one decides is recorded before the next one sees it.
    deciding: tokio::sync::Mutex<()>,
    board: ArcSwap<GateBoard>,
    retained: watch::Sender<Retained>,
}

impl UpdateGates {
    /// Gates that decide nothing until [`take_up`](Self::take_up) has read what is on record.
    pub fn new(
        config: GateConfig,
        root: &str,
        clock: Clock,
        store: Arc<dyn EventStore>,
        counters: Arc<Counters>,
    ) -> Self {
        let inner = Inner {
            root: root.to_owned(),
            ring: config.ring,
            clock,
            store,
            counters,
            gates: Mutex::new(Gates::new(config.policy)),
            policy: config.policy,
            unseen: Mutex::new(Some(Vec::new())),
            deciding: tokio::sync::Mutex::new(()),
            board: ArcSwap::default(),
            retained: watch::Sender::default(),
        };
        let ring = match &inner.ring {
            RingSource::Listed { devices, path } => {
                tracing::info!(devices = devices.len(), path = %path.display(), "the control ring is as listed");
                Arc::new(Ring::listed(devices.clone()))
            }
            _ => Arc::default(),
        };
        inner.show(ring);
        Self(Arc::new(inner))
    }

    /// Takes up what is on record, once, and makes up for what was on record of the events and not yet decided.
    ///
    /// # Errors
    /// When the record cannot be read or written.
    pub async fn take_up(&self) -> Result<(), StoreError> {
        let _one_at_a_time = self.0.deciding.lock().await;
        self.0.take_up().await
    }

    /// The decisions that stand are written to a record that may lack them.
    ///
    /// # Errors
    /// When the record cannot be written.
    pub async fn restore(&self) -> Result<(), StoreError> {
        let _one_at_a_time = self.0.deciding.lock().await;
        let in_force: Vec<Decision> = lock(&self.0.gates).in_force().cloned().collect();
        self.0.store.append_gates(&in_force, self.0.clock.now()).await.map(drop)
    }

    /// What follows from changes, in force already; to be [announced](Self::announce) once the changes are on their way to
    /// the record.
    pub fn on_changes(&self, changes: &[Change]) -> Observed {
        // Held until the gates have seen them, so that taking up passes none over.
        let mut unseen = lock(&self.0.unseen);
        if let Some(unseen) = unseen.as_mut() {
            unseen.extend_from_slice(changes);
            return Observed::default();
        }
        lock(&self.0.gates).see(changes)
    }

    /// Records and publishes what followed.
    pub fn announce(&self, observed: Observed, writer: &Writer) {
        self.0.count(&observed);
        if observed.decisions.is_empty() {
            return;
        }
        for decision in observed.decisions {
            if writer.submit(decision) == Submitted::Overflow {
                self.0.counters.store_overflow.inc();
            }
        }
        self.0.show(Arc::clone(&self.0.board.load().ring));
    }

    /// What the broker is to hold, now and from now on.
    pub fn retained(&self) -> watch::Receiver<Retained> {
        self.0.retained.subscribe()
    }

    /// Draws the ring anew when the fleet has changed, until it is dropped.
    pub async fn keep_ring(self, snapshot: Arc<ArcSwap<Snapshot>>) {
        let RingSource::Share { percent, seed } = self.0.ring else { return };
        let mut drawn = None;
        let mut look = tokio::time::interval(RING_POLL_INTERVAL);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            look.tick().await;
            let snapshot = snapshot.load_full();
            let (count, now) = (snapshot.devices.len(), clock::monotonic());
            if drawn.is_some_and(|(at, before)| before == count && now.duration_since(at) < RING_EVERY) {
                continue;
            }
            drawn = Some((now, count));
            let ring = gate::control_ring(&snapshot.devices, percent, seed);
            if *self.0.board.load().ring != ring {
                self.0.show(Arc::new(ring));
            }
        }
    }
}

impl Inner {
    /// The caller holds `deciding`.
    async fn take_up(&self) -> Result<(), StoreError> {
        if lock(&self.unseen).is_none() {
            return Ok(());
        }
        let mut gates = Gates::new(self.policy);
        for recorded in self.store.gates().await? {
            gates.apply(recorded.decision);
        }
        let query = EventQuery { with_warnings: true, limit: EVENTS, ..EventQuery::default() };
        let now = self.clock.now();
        let mut events: Vec<EventSummary> = self.store.events(query).await?;
        events.retain(|event| now.since_ms(event.updated_at) < RECENT_MS);
        events.sort_by(|a, b| (a.updated_at, &a.event_id).cmp(&(b.updated_at, &b.event_id)));
        let seen: Vec<_> = events.iter().map(observation).collect();
        let mut observed = gates.observe(&seen);
        let mut passed = 0;
        loop {
            self.store.append_gates(&observed.decisions, now).await?;
            self.count(&observed);
            let mut unseen = lock(&self.unseen);
            let more = unseen.as_ref().map_or(&[][..], |changes| &changes[passed..]);
            if more.is_empty() {
                *lock(&self.gates) = gates;
                *unseen = None;
                break;
            }
            passed += more.len();
            observed = gates.see(more);
        }
        self.show(Arc::clone(&self.board.load().ring));
        Ok(())
    }

    fn count(&self, observed: &Observed) {
        for decision in &observed.decisions {
            self.decided(decision);
        }
        for (version, fault) in &observed.unfit {
            self.counters.gate_versions_refused.inc();
            let version = version.escape_debug();
            tracing::error!(%version, %fault, "the suspect update can have no gate: the updater is not told");
        }
    }

    fn decided(&self, decision: &Decision) {
        self.counters.gate_decided(decision.gate, decision.is_by_person());
        let Decision { version, gate, by, reason, incident, event, affected, .. } = decision;
        let (gate, by) = (gate.as_str(), by.escape_debug());
        tracing::warn!(%version, gate, %by, %reason, incident, event, affected, "an update's gate was set");
    }

    /// Draws what pages, metrics and the broker see.
    fn show(&self, ring: Arc<Ring>) {
        // Under the lock, so that of two that draw at a time the later state is seen last.
        let gates = lock(&self.gates);
        let decisions: Vec<Decision> = gates.in_force().cloned().collect();
        let mut retained: BTreeMap<String, Vec<u8>> =
            decisions.iter().map(|decision| (gate::topic(&self.root, &decision.version), decision.message())).collect();
        // Without a ring nothing is said, not even that there is none: whoever wants none need not let us write there.
        if self.ring != RingSource::Nobody {
            let message = ring.message();
            if message.len() <= RING_MOST {
                retained.insert(gate::ring_topic(&self.root), message);
            } else {
                tracing::warn!(devices = ring.devices.len(), "the control ring is too long to be published");
            }
        }
        self.board.store(Arc::new(GateBoard { decisions, ring, untold: 0 }));
        self.retained.send_if_modified(|before| {
            let changed = **before != retained;
            if changed {
                *before = Arc::new(retained);
            }
            changed
        });
    }

    async fn decide(&self, version: &str, gate: Gate, who: (&str, &str)) -> Result<Decision, GateError> {
        let _one_at_a_time = self.deciding.lock().await;
        self.take_up().await?;
        let now = self.clock.now();
        let decision = lock(&self.gates).decide(version, gate, who, now)?;
        let known = lock(&self.gates).of(version) == Some(&decision);
        if known {
            return Ok(decision);
        }
        self.store.append_gates(std::slice::from_ref(&decision), now).await?;
        lock(&self.gates).apply(decision.clone());
        self.decided(&decision);
        self.show(Arc::clone(&self.board.load().ring));
        Ok(decision)
    }
}

#[async_trait]
impl GateControl for UpdateGates {
    fn board(&self) -> Arc<GateBoard> {
        let board = self.0.board.load_full();
        let untold = u64::try_from(self.0.counters.gates_untold.get()).unwrap_or_default();
        if untold == board.untold { board } else { Arc::new(GateBoard { untold, ..(*board).clone() }) }
    }

    async fn decide(&self, version: &str, gate: Gate, by: &str, reason: &str) -> Result<Decision, GateError> {
        let inner = Arc::clone(&self.0);
        let (version, by, reason) = (version.to_owned(), by.to_owned(), reason.to_owned());
        // A task of its own: whoever asked may go away between the record and what follows from it.
        let deciding = tokio::spawn(async move { inner.decide(&version, gate, (&by, &reason)).await });
        deciding.await.unwrap_or_else(|error| Err(StoreError::Io { detail: error.to_string() }.into()))
    }
}

/// Brings the embedded broker to the wanted state, and keeps it there until it ends.
pub async fn publish_embedded(publisher: Publisher, mut wanted: watch::Receiver<Retained>, counters: Arc<Counters>) {
    let mut held: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    loop {
        let next = Arc::clone(&wanted.borrow_and_update());
        let mut unkept = false;
        let owed = next.iter().filter(|(topic, payload)| held.get(*topic) != Some(payload)).count();
        counters.gates_untold.set(i64::try_from(owed).unwrap_or(i64::MAX));
        for (topic, payload) in next.iter() {
            if held.get(topic) == Some(payload) {
                continue;
            }
            match publisher.publish_retained(topic, payload).await {
                Ok(()) => {
                    counters.gate_published.inc();
                    counters.gates_untold.dec();
                    held.insert(topic.clone(), payload.clone());
                }
                Err(BrokerError::Stopped) => return,
                Err(error) => {
                    tracing::error!(%error, "a gate could not be published; will try again");
                    unkept = true;
                }
            }
        }
        tokio::select! {
            changed = wanted.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(RETRY), if unkept => {}
        }
    }
}
