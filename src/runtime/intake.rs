//! Takes messages over: decodes, journals, records, counts.
//!
//! The order is *charge, decode, admit the device, journal, register, record*. What is beyond its sender's
//! [budget], cannot be decoded, or comes from a device that may not be, is counted and refused,
//! and never journalled; so is a report that a broker had kept, which says nothing of now. What is journalled is then offered
//! to the fleet, whose answer is final: a duplicate stays a duplicate in every replay. A message that the fleet has refused
//! *after* it was journalled is still answered with its log sequence number, so that a redelivery is not acknowledged before
//! the first copy is durable.
//!
//! A device is registered with its first message, in the order of the journal, so that it has the same place in every replay;
//! a message that was put off or refused registers nobody.
//!
//! # Busy, and why nothing is journalled twice
//!
//! [`Outcome::Busy`] is only ever answered before the append: while a tick runs or is due, or when the journal takes
//! nothing. When the *fleet* has no room (a backlog has filled a device's inbox), the intake makes room at once, through
//! the engine and exactly as [`Virtual`](crate::runtime::driver::Virtual) does in a replay, and records the same decoded report. So
//! an appended message is never offered again, and a replay sees the same steps.
//!
//! # Locks, in the order in which they are taken
//!
//! | lock | held for | waited for by |
//! |---|---|---|
//! | gate (shared) | one delivery | a tick |
//! | stripe of the device | append and record | other deliveries of the same device, of which there are none with one connection per device |
//! | order | reading the clock and the append into memory | all deliveries, some 0.2 us each |
//! | engine | making room | deliveries that find none |

use std::fmt;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockWriteGuard, TryLockError};

use thiserror::Error;

use crate::clock::Clock;
use crate::delivery::{Delivery, Outcome, Sink};
use crate::engine::detector::{Engine, Kept};
use crate::engine::device::{DeviceId, Status};
use crate::engine::fleet::budget::{self, Budgets};
use crate::engine::fleet::{Device, Fleet, Refusal};
use crate::engine::report::Report;
use crate::engine::time::Timestamp;
use crate::engine::wire::{self, Decoder, Forgetting, Limits, TopicKind};
use crate::incident::DETECTOR;
use crate::journal::{AppendError, Entry, Journal};
use crate::metrics::{Counters, Encoding, MessageKind, Why};

use super::doubt::Doubt;
use super::mutex::lock;
use super::throttled::ThrottledWarnings;
use crate::runtime::incidents::Statuses;

/// Locks that keep the deliveries of one device in order. Two devices that share one only wait for each other's append.
const STRIPES: usize = 64;

/// Every reason for which a message can be refused, for the counters' labels.
pub fn refusal_reasons() -> Vec<&'static str> {
    let fleet = Refusal::ALL.into_iter().map(Refusal::reason);
    wire::DecodeError::REASONS.iter().copied().chain(fleet).chain(AppendError::REASONS.iter().copied()).collect()
}

/// Stands between the transports on one side, journal and fleet on the other. Shared by all deliveries.
pub struct Intake {
    root: String,
    limits: Limits,
    budgets: Budgets,
    clock: Clock,
    fleet: Arc<Fleet>,
    engine: Arc<Mutex<Engine>>,
    journal: Arc<Journal>,
    counters: Arc<Counters>,
    warnings: ThrottledWarnings,
    statuses: Statuses,
    /// The next tick. Held exclusively while a tick runs, shared while a message is taken.
    gate: RwLock<Timestamp>,
    stripes: [Mutex<()>; STRIPES],
    order: Mutex<Order>,
    /// Decoders that nobody uses at the moment: as many as there were ever deliveries at a time.
    decoders: Mutex<Vec<Decoder>>,
    closed: AtomicBool,
    doubt: Doubt,
    /// Messages that were refused because the fleet was full, as of the last tick.
    turned_away: AtomicU64,
}

/// Why devices were not forgotten.
#[derive(Debug, Error)]
pub enum ForgetFault {
    /// Some may not be.
    #[error("some of the devices may not be forgotten")]
    Kept(Vec<(DeviceId, Kept)>),
    /// The journal takes nothing now, and what is not in it would be undone by the next start.
    #[error("the journal cannot write: {0}")]
    Journal(&'static str),
}

/// The end of the journal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Order {
    /// Number of the last entry that was accepted.
    pub lsn: u64,
    /// Its arrival; no later entry has an earlier one.
    pub at: Timestamp,
}

/// What a intake stands between.
#[derive(Debug)]
pub struct IntakeParts {
    /// Topic root.
    pub root: String,
    /// Bounds on what is decoded.
    pub limits: Limits,
    /// What each device may send, and all newcomers together.
    pub budgets: Budgets,
    /// Stamps deliveries.
    pub clock: Clock,
    /// The engine, which the decision task ticks.
    pub engine: Arc<Mutex<Engine>>,
    /// Where messages are kept.
    pub journal: Arc<Journal>,
    /// Where messages are counted.
    pub counters: Arc<Counters>,
    /// Where the journal ends.
    pub order: Order,
    /// The first tick that has not run.
    pub next_tick: Timestamp,
    /// Where devices' words about themselves are seen at once, and not with the next tick only.
    pub statuses: Statuses,
}

impl fmt::Debug for Intake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Intake").field("root", &self.root).finish_non_exhaustive()
    }
}

/// A message that was paid for.
struct Message<'a> {
    topic: wire::Topic<'a>,
    /// The device, unless it is new.
    known: Option<Arc<Device>>,
}

/// A decoded message whose sender has room for it.
struct Accepted<'a> {
    id: &'a str,
    /// The device, unless it is new.
    known: Option<Arc<Device>>,
    kind: MessageKind,
    entry: Entry<'a>,
    content: Content<'a>,
}

/// What a message says.
enum Content<'a> {
    Report(&'a Report),
    Status(Status),
}

impl Intake {
    /// A intake between these.
    pub fn new(parts: IntakeParts) -> Self {
        let IntakeParts { root, limits, budgets, clock, engine, journal, counters, order, next_tick, statuses } = parts;
        let fleet = Arc::clone(lock(&engine).fleet());
        Self {
            root,
            limits,
            budgets,
            clock,
            fleet,
            engine,
            journal,
            counters,
            warnings: ThrottledWarnings::default(),
            statuses,
            gate: RwLock::new(next_tick),
            stripes: [const { Mutex::new(()) }; STRIPES],
            order: Mutex::new(order),
            decoders: Mutex::default(),
            closed: AtomicBool::new(false),
            doubt: Doubt::default(),
            turned_away: AtomicU64::new(0),
        }
    }

    /// This intake, which takes nothing while the server's clock is in doubt.
    #[must_use]
    pub fn with_doubt(mut self, doubt: Doubt) -> Self {
        self.doubt = doubt;
        self
    }

    /// The doubt about the server's clock.
    pub fn doubt(&self) -> &Doubt {
        &self.doubt
    }

    /// Takes one message that arrives at `now`, which is read once the message's place in the journal is certain.
    pub fn take(&self, delivery: Delivery<'_>, now: impl Fn() -> Timestamp) -> Outcome {
        let outcome = self.try_take(delivery, now);
        if outcome == Outcome::Busy {
            self.counters.busy.inc();
        }
        outcome
    }

    fn try_take(&self, delivery: Delivery<'_>, now: impl Fn() -> Timestamp) -> Outcome {
        let next_tick = match self.gate.try_read() {
            Ok(gate) => gate,
            Err(TryLockError::Poisoned(gate)) => gate.into_inner(),
            Err(TryLockError::WouldBlock) => return Outcome::Busy,
        };
        let arrival = now();
        if self.closed.load(Ordering::Acquire) || arrival >= *next_tick {
            return Outcome::Busy;
        }
        if self.doubt.is_held() {
            self.ask(delivery);
            return Outcome::Busy;
        }
        let message = match self.charge(delivery, arrival) {
            Ok(message) => message,
            Err(outcome) => return outcome,
        };
        let Delivery { topic, payload, retain } = delivery;
        let (kind, device) = (kind_of(message.topic.kind), message.topic.device);
        if retain && message.topic.kind == TopicKind::Report {
            self.fleet.refuse(Refusal::Retained);
            return self.refuse(kind, payload, Refusal::Retained.reason(), topic);
        }
        if payload.is_empty() && message.topic.kind == TopicKind::Status {
            // How MQTT clears a retained message, ours of forgotten devices among them: it says nothing.
            self.counters.received(kind, Encoding::Unknown);
            return Outcome::Refused;
        }
        let mut decoder = lock(&self.decoders).pop().unwrap_or_else(|| Decoder::new(self.limits.clone()));
        let decoded = match message.topic.kind {
            TopicKind::Report => decoder.report(device, payload).map(Content::Report),
            TopicKind::Status => decoder.status(device, payload).map(Content::Status),
        };
        let outcome = match decoded {
            Err(error) => {
                if let Some(known) = &message.known {
                    known.note_refused(error.reason(), error.field(), arrival);
                }
                self.refuse_field(kind, payload, error.reason(), error.field(), topic)
            }
            Ok(content) => {
                match message.known.map_or_else(|| self.fleet.may_register().map(|()| None), |it| Ok(Some(it))) {
                    Err(refusal) => self.refuse(kind, payload, refusal.reason(), topic),
                    Ok(known) => {
                        let entry = Entry { at: Timestamp::default(), topic, payload, retain };
                        let message = Accepted { id: device, known, kind, entry, content };
                        self.keep(message, *next_tick, now)
                    }
                }
            }
        };
        if matches!(outcome, Outcome::Journaled(_)) && !decoder.left_out().is_empty() {
            self.counters.left_out(decoder.left_out());
            if let Some((field, why)) = decoder.left_out().first() {
                self.warnings.left_out(field.as_str(), why.reason(), topic, self.clock.now());
            }
        }
        lock(&self.decoders).push(decoder);
        outcome
    }

    /// Hears what the sender's clock shows; the message has to come again.
    fn ask(&self, Delivery { topic, payload, retain }: Delivery<'_>) {
        let Ok(parts) = wire::parse_topic(&self.root, topic) else { return };
        let mut decoder = lock(&self.decoders).pop().unwrap_or_else(|| Decoder::new(self.limits.clone()));
        if parts.kind == TopicKind::Report
            && !retain
            && let Ok(report) = decoder.report(parts.device, payload)
        {
            self.doubt.note_device_clock(&self.clock, report.start);
        }
        lock(&self.decoders).push(decoder);
    }

    /// Lets the sender pay, by the device that the topic names. Whoever writes elsewhere pays as a newcomer.
    fn charge<'a>(&self, delivery: Delivery<'a>, arrival: Timestamp) -> Result<Message<'a>, Outcome> {
        let Delivery { topic, payload, .. } = delivery;
        let parsed = wire::parse_topic(&self.root, topic);
        let device = parsed.as_ref().ok().map(|parts| parts.device);
        let charged = self.fleet.charge(device, budget::cost(topic, payload), &self.budgets, arrival);
        let kind = parsed.as_ref().map_or(MessageKind::Other, |parts| kind_of(parts.kind));
        match (parsed, charged) {
            (_, Err(refusal)) => {
                self.refuse(kind, payload, refusal.reason(), topic);
                Err(Outcome::OverBudget)
            }
            (Err(error), Ok(_)) => Err(self.refuse(kind, payload, error.reason(), topic)),
            (Ok(topic), Ok(known)) => Ok(Message { topic, known }),
        }
    }

    /// Journals, registers a device that is new, and records, all under the device's stripe.
    fn keep(
        &self,
        Accepted { id, known, kind, entry, content }: Accepted<'_>,
        next_tick: Timestamp,
        now: impl Fn() -> Timestamp,
    ) -> Outcome {
        let _stripe = lock(&self.stripes[stripe_of(id)]);
        let (device, Order { lsn, at }) = {
            let mut order = lock(&self.order);
            let at = now().max(order.at);
            if at >= next_tick {
                return Outcome::Busy;
            }
            match self.journal.try_append(&Entry { at, ..entry }) {
                Ok(lsn) => *order = Order { lsn, at },
                Err(refusal) if refusal.is_temporary() || refusal == AppendError::Closed => return Outcome::Busy,
                Err(refusal) => return self.refuse(kind, entry.payload, refusal.reason(), entry.topic),
            }
            // Under this lock, so that devices have their places in the order of the journal.
            (known.map_or_else(|| self.fleet.enrol(id), Ok), *order)
        };
        self.counters.received(kind, encoding_of(entry.payload));
        let recorded = device.as_deref().map_err(|refusal| *refusal).and_then(|device| match content {
            Content::Status(status) => {
                self.on_status(device, status, entry.retain, at);
                Ok(())
            }
            Content::Report(report) => self.record(device, report, at),
        });
        if let Err(refusal) = recorded {
            self.counters.refused(refusal.reason());
            // Redelivery is the transport's ordinary business.
            if refusal != Refusal::Duplicate {
                if let Ok(device) = &device {
                    device.note_refused(refusal.reason(), refusal.field(), at);
                }
                self.warnings.note(refusal.reason(), refusal.field(), entry.topic, self.clock.now());
            }
        }
        Outcome::Journaled(lsn)
    }

    /// Records a status that is journalled already, and shows it to whoever waits for the device's word: a live one, for what a
    /// broker had kept may be older than what is known.
    fn on_status(&self, device: &Device, status: Status, retained: bool, at: Timestamp) {
        if !retained {
            self.statuses.note(device.id(), &status, at);
        }
        self.fleet.status_of(device, status, retained, at);
    }

    /// Records a report that is journalled already.
    fn record(&self, device: &Device, report: &Report, at: Timestamp) -> Result<(), Refusal> {
        let recorded = match self.fleet.report_of(device, report, at) {
            Err(Refusal::Busy) => {
                lock(&self.engine).make_room();
                self.fleet.report_of(device, report, at)
            }
            outcome => outcome,
        };
        recorded.map(|_| self.counters.recorded(device.id().as_str(), report))
    }

    fn refuse(&self, kind: MessageKind, payload: &[u8], reason: &'static str, topic: &str) -> Outcome {
        self.refuse_field(kind, payload, reason, None, topic)
    }

    fn refuse_field(
        &self,
        kind: MessageKind,
        payload: &[u8],
        reason: &'static str,
        field: Option<&'static str>,
        topic: &str,
    ) -> Outcome {
        self.counters.received(kind, encoding_of(payload));
        self.counters.refused(reason);
        self.warnings.note(reason, field, topic, self.clock.now());
        Outcome::Refused
    }

    /// Forgets devices at `at`, all or none, in the journal first, so that every replay forgets them at the same place. The caller
    /// holds deliveries off. `by` is who forgets them. Returns the number of the entry.
    ///
    /// # Errors
    /// Why nothing was changed.
    pub fn forget(
        &self,
        engine: &mut Engine,
        devices: &[DeviceId],
        by: &str,
        at: Timestamp,
    ) -> Result<u64, ForgetFault> {
        let why = |id: &DeviceId| Some((id.clone(), engine.may_forget(id.as_str()).err()?));
        let kept: Vec<_> = devices.iter().filter_map(why).collect();
        if !kept.is_empty() {
            return Err(ForgetFault::Kept(kept));
        }
        let forgetting = Forgetting { devices: devices.to_vec(), by: by.to_owned() };
        let payload = serde_json::to_vec(&forgetting).map_err(|_| ForgetFault::Journal("json"))?;
        let mut order = lock(&self.order);
        let at = at.max(order.at);
        let entry = Entry { at, topic: &wire::forget_topic(&self.root), payload: &payload, retain: false };
        let lsn = self.journal.try_append(&entry).map_err(|refusal| ForgetFault::Journal(refusal.reason()))?;
        *order = Order { lsn, at };
        drop(order);
        // Nobody stays: it was asked above, and deliveries and ticks are held off.
        engine.forget(devices);
        Ok(lsn)
    }

    /// Where the fleet was full and somebody new knocked since the last tick, newcomers that have proved least give their places
    /// up. `at` is the tick that has just run; deliveries are held off.
    pub fn make_places(&self, engine: &mut Engine, at: Timestamp) {
        // Whoever knocks can wait for the checkpoint.
        if engine.is_cutting() {
            return;
        }
        let turned_away = self.fleet.refused(Refusal::FleetFull);
        let knocked = turned_away.saturating_sub(self.turned_away.swap(turned_away, Ordering::Relaxed));
        if knocked == 0 {
            return;
        }
        let most = usize::try_from(knocked).unwrap_or(usize::MAX).min(self.fleet.most_leaving());
        let leaving = engine.crowd(most);
        if leaving.is_empty() {
            return;
        }
        let left = leaving.len();
        match self.forget(engine, &leaving, DETECTOR, at) {
            Ok(_) => {
                self.counters.forgotten(Why::FleetFull, left);
                tracing::warn!(left, knocked, "the fleet is full: ids that have not proved to be devices leave");
            }
            Err(fault) => tracing::warn!(knocked, %fault, "the fleet is full, and no place could be made"),
        }
    }

    /// The instant at which a person's command is carried out: now, and before the next tick, whose place in the journal is after it.
    pub fn instant_before(&self, next_tick: Timestamp) -> Timestamp {
        self.clock.now().min(next_tick.plus_ms(-1))
    }

    /// Holds deliveries off. Every entry up to [`last`](Self::last) is in the fleet as long as this is held. What it
    /// holds is the next tick.
    pub fn hold(&self) -> RwLockWriteGuard<'_, Timestamp> {
        self.gate.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next tick.
    pub fn next_tick(&self) -> Timestamp {
        *self.gate.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The end of the journal.
    pub fn last(&self) -> Order {
        *lock(&self.order)
    }

    /// From now on nothing is taken: every delivery is put off, and so never acknowledged.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }
}

impl Sink for Intake {
    fn deliver(&self, delivery: Delivery<'_>) -> Outcome {
        self.take(delivery, || self.clock.now())
    }
}

fn stripe_of(device: &str) -> usize {
    let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(device);
    (hash % STRIPES as u64) as usize
}

fn kind_of(kind: TopicKind) -> MessageKind {
    match kind {
        TopicKind::Report => MessageKind::Report,
        TopicKind::Status => MessageKind::Status,
    }
}

fn encoding_of(payload: &[u8]) -> Encoding {
    match wire::Encoding::of(payload) {
        Some(wire::Encoding::Json) => Encoding::Json,
        Some(wire::Encoding::Binary) => Encoding::Binary,
        None => Encoding::Unknown,
    }
}
