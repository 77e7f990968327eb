//! One channel's lane: takes its messages in order, keeps its pace, tries again, gives up, and writes down what came of it.
//!
//! The loop has one writer of its state and three reasons to go round: an attempt ended, somebody wrote to the outbox, or time has
//! come. What it decides is in [`Lane::judge`]; the rest is order and waiting.
//!
//! A message whose outcome could not be written down stays taken until it can: a store that is away for a while makes no second copy.
//! After [`FAILURES_THAT_SLOW`] failures in a row, whatever the messages, the channel itself is taken to be down: then one attempt at a
//! time asks whether it is back, so that a long backlog is not tried through again and again.

use std::collections::{BTreeSet, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use rand::SeedableRng as _;
use rand::rngs::SmallRng;
use tokio::sync::watch;

use super::channel::{Channel, Receipt, Refusal};
use super::observer::Observer;
use super::pace::{Backoff, Bucket};
use crate::clock::{self, Clock};
use crate::engine::time::Timestamp;
use crate::record::StoreError;
use crate::record::channel_health::ChannelsHealth;
use crate::record::outbox::{Dispatch, Outbox, Outcome};

/// Failures in a row after which the channel is taken to be down.
pub const FAILURES_THAT_SLOW: u32 = 3;

/// Delays between attempts at a channel that is down, and between attempts at a store that is.
const PROBE: Backoff = Backoff { first_ms: 1_000, longest_ms: 60_000 };

/// Longest patience that a receiver may ask for, in ms: a day's `Retry-After` would be a loss in disguise.
const MAX_RETRY_INTERVAL_MS: i64 = 3_600_000;

/// Real time that what is on its way at the end is given.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// How a channel is used. Times are engine time unless they are a [`Duration`].
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Policy {
    /// Delay before a message is tried again, by the number of attempts before.
    pub retry: Backoff,
    /// Age, from when it was written, at which a message that is still not taken is given up.
    pub give_up_after_ms: i64,
    /// Attempts that are made whatever the age: a message may have waited for us.
    pub least_attempts: u32,
    /// Longest wait for one answer, in real time.
    pub timeout: Duration,
    /// Messages on their way at the same time.
    pub concurrency: usize,
    /// Messages a minute in the long run.
    pub per_minute: u32,
    /// Messages at once.
    pub burst: u32,
    /// How often the outbox is looked at when nobody says that there is something in it.
    pub look_every_ms: i64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            retry: Backoff { first_ms: 5_000, longest_ms: 300_000 },
            give_up_after_ms: 24 * 3_600_000,
            least_attempts: 5,
            timeout: Duration::from_secs(20),
            concurrency: 4,
            per_minute: 60,
            burst: 20,
            look_every_ms: 2_000,
        }
    }
}

/// A channel under its name in the configuration.
#[derive(Clone, Debug)]
pub struct Route {
    pub name: String,
    pub channel: Arc<dyn Channel>,
    pub policy: Policy,
}

/// What all lanes share.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) outbox: Arc<dyn Outbox>,
    pub(super) clock: Clock,
    pub(super) health: Arc<ChannelsHealth>,
    pub(super) observer: Arc<dyn Observer>,
}

/// An attempt that is over.
struct Ended {
    dispatch: Dispatch,
    result: Result<Receipt, Refusal>,
    took: Duration,
}

/// What is to be written down.
struct Unwritten {
    dispatch: i64,
    at: Timestamp,
    outcome: Outcome,
}

/// One channel at work.
pub(super) struct Lane {
    route: Route,
    shared: Shared,
    random: SmallRng,
    bucket: Bucket,
    on_their_way: FuturesUnordered<BoxFuture<'static, Ended>>,
    unwritten: VecDeque<Unwritten>,
    /// Messages that are on their way or unwritten.
    taken: BTreeSet<i64>,
    /// Failures in a row.
    failures: u32,
    /// Nothing is begun before.
    resume_at: Timestamp,
    /// The earliest retry that was written down since the last look.
    retry_at: Option<Timestamp>,
    store_failures: u32,
}

impl Lane {
    pub(super) fn new(route: Route, shared: Shared, seed: u64) -> Self {
        let now = shared.clock.now();
        Self {
            bucket: Bucket::new(route.policy.per_minute, route.policy.burst, now),
            route,
            shared,
            random: SmallRng::seed_from_u64(seed),
            on_their_way: FuturesUnordered::new(),
            unwritten: VecDeque::new(),
            taken: BTreeSet::new(),
            failures: 0,
            resume_at: now,
            retry_at: None,
            store_failures: 0,
        }
    }

    /// Delivers until `stop` holds; what is on its way then is waited for a moment.
    pub(super) async fn run(mut self, mut wake: watch::Receiver<()>, mut stop: watch::Receiver<bool>) {
        let clock = self.shared.clock;
        while !*stop.borrow_and_update() {
            let next = match self.poll().await {
                Ok(next) => {
                    self.store_works();
                    next
                }
                Err(error) => self.store_fails(&error),
            };
            tokio::select! {
                Some(ended) = self.on_their_way.next() => self.judge(ended),
                changed = stop.changed() => if changed.is_err() { break },
                // The sender outlives every lane.
                _ = wake.changed() => {}
                () = clock.sleep_until(next) => {}
            }
        }
        // An attempt that is cut off here is made again after the start.
        let _ = tokio::time::timeout(SHUTDOWN_TIMEOUT, self.finish()).await;
    }

    async fn finish(&mut self) {
        while let Some(ended) = self.on_their_way.next().await {
            self.judge(ended);
        }
        while let Err(error) = self.write_down().await {
            let next = self.store_fails(&error);
            self.shared.clock.sleep_until(next).await;
        }
    }

    /// Writes down what has ended and begins what may be begun; answers when to look again.
    async fn poll(&mut self) -> Result<Timestamp, StoreError> {
        self.write_down().await?;
        let now = self.shared.clock.now();
        if now < self.resume_at {
            return Ok(self.resume_at);
        }
        let most = if self.failures >= FAILURES_THAT_SLOW { 1 } else { self.route.policy.concurrency.max(1) };
        let mut room = most.saturating_sub(self.on_their_way.len());
        let look_again = now.plus_ms(self.route.policy.look_every_ms);
        let next = self.retry_at.take().map_or(look_again, |retry_at| retry_at.min(look_again));
        if room == 0 {
            return Ok(next);
        }
        let limit = u32::try_from(room + self.taken.len()).unwrap_or(u32::MAX);
        for dispatch in self.shared.outbox.heads(&self.route.name, now, limit).await? {
            if room == 0 {
                break;
            }
            if self.taken.contains(&dispatch.id) {
                continue;
            }
            let thread = match &dispatch.message.incident {
                Some(incident) => self.shared.outbox.thread(&self.route.name, &dispatch.target, incident).await?,
                None => None,
            };
            if let Err(token_at) = self.bucket.take(now) {
                return Ok(token_at);
            }
            self.begin(dispatch, thread);
            room -= 1;
        }
        Ok(next)
    }

    fn begin(&mut self, dispatch: Dispatch, thread: Option<String>) {
        self.taken.insert(dispatch.id);
        let channel = Arc::clone(&self.route.channel);
        let timeout = self.route.policy.timeout;
        let now = self.shared.clock.outside();
        self.on_their_way.push(Box::pin(attempt(channel, dispatch, thread, now, timeout)));
    }

    /// What came of an attempt, and what follows for the message and for the channel.
    fn judge(&mut self, ended: Ended) {
        let now = self.shared.clock.now();
        let Ended { dispatch, result, took } = ended;
        let mut whole_channel = false;
        let outcome = match result {
            Ok(Receipt { reference }) => {
                self.failures = 0;
                Outcome::Sent { reference }
            }
            Err(Refusal::Never { error }) => {
                // It answered: the channel is not down.
                self.failures = 0;
                Outcome::Failed { error }
            }
            Err(Refusal::Receiver { error }) => {
                self.failures = 0;
                self.again(&dispatch, error, None, now)
            }
            Err(Refusal::Later { error, after }) => {
                self.channel_fails(now);
                whole_channel = true;
                self.again(&dispatch, error, after, now)
            }
        };
        self.tell(&dispatch, &outcome);
        self.shared.observer.attempted(&self.route.name, &outcome, took);
        let target = (!whole_channel).then_some(dispatch.target.as_str());
        self.shared.health.note(&self.route.name, target, now, &outcome);
        self.unwritten.push_back(Unwritten { dispatch: dispatch.id, at: now, outcome });
    }

    /// The channel took nothing; from the third time in a row on it is taken to be down.
    fn channel_fails(&mut self, now: Timestamp) {
        self.failures = self.failures.saturating_add(1);
        if let Some(over) = self.failures.checked_sub(FAILURES_THAT_SLOW) {
            let probe_at = now.plus_ms(PROBE.delay_ms(over, &mut self.random));
            self.resume_at = self.resume_at.max(probe_at);
        }
    }

    /// It was not taken this time: again, unless it is too old.
    fn again(&mut self, dispatch: &Dispatch, error: String, after: Option<Duration>, now: Timestamp) -> Outcome {
        let policy = &self.route.policy;
        let mut retry_at = now.plus_ms(policy.retry.delay_ms(dispatch.attempts, &mut self.random));
        if let Some(after) = after {
            // The receiver counts in real time.
            let asked_ms = (after.as_secs_f64() * 1_000.0 * self.shared.clock.speed()).ceil();
            let patient = now.plus_ms((asked_ms as i64).min(MAX_RETRY_INTERVAL_MS));
            self.resume_at = self.resume_at.max(patient);
            retry_at = retry_at.max(patient);
        }
        let attempts = dispatch.attempts.saturating_add(1);
        let age_ms = now.since_ms(dispatch.created_at);
        if age_ms >= policy.give_up_after_ms && attempts >= policy.least_attempts {
            let error = format!("given up after {attempts} attempts in {} minutes: {error}", age_ms / 60_000);
            return Outcome::Failed { error };
        }
        self.retry_at = Some(self.retry_at.map_or(retry_at, |earlier| earlier.min(retry_at)));
        Outcome::Retry { error, retry_at }
    }

    /// Logs a first failure and each end; the attempts in between are in the outbox's log.
    fn tell(&self, dispatch: &Dispatch, outcome: &Outcome) {
        let Dispatch { key, target, attempts, message, .. } = dispatch;
        let (channel, kind) = (&self.route.name, &message.kind);
        match outcome {
            Outcome::Sent { .. } => tracing::info!(channel, target, kind, key, attempts = attempts + 1, "delivered"),
            Outcome::Retry { error, .. } if *attempts == 0 => {
                tracing::warn!(channel, target, kind, key, error, "not delivered; it is tried again");
            }
            Outcome::Retry { error, .. } => {
                tracing::debug!(channel, target, kind, key, error, attempts, "still not delivered")
            }
            Outcome::Failed { error } => {
                tracing::error!(
                    channel,
                    target,
                    kind,
                    key,
                    error,
                    "NOT delivered and given up; other channels are told of it"
                );
            }
        }
    }

    async fn write_down(&mut self) -> Result<(), StoreError> {
        while let Some(Unwritten { dispatch, at, outcome }) = self.unwritten.front() {
            match self.shared.outbox.attempted(*dispatch, *at, outcome).await {
                Ok(()) => drop(self.taken.remove(dispatch)),
                // Not a matter of time. It stays taken, so that this process does not send it again and again.
                Err(StoreError::Refused { detail }) => {
                    let channel = &self.route.name;
                    tracing::error!(channel, dispatch, detail, "what came of a message cannot be written down");
                }
                Err(error) => return Err(error),
            }
            self.unwritten.pop_front();
        }
        Ok(())
    }

    fn store_fails(&mut self, error: &StoreError) -> Timestamp {
        if self.store_failures == 0 {
            let channel = &self.route.name;
            tracing::error!(
                channel,
                reason = error.reason(),
                "the outbox cannot be used, nothing is delivered: {error}"
            );
        }
        let delay_ms = PROBE.delay_ms(self.store_failures, &mut self.random);
        self.store_failures = self.store_failures.saturating_add(1);
        self.shared.clock.now().plus_ms(delay_ms)
    }

    fn store_works(&mut self) {
        if std::mem::take(&mut self.store_failures) > 0 {
            tracing::info!(channel = self.route.name, "the outbox can be used again");
        }
    }
}

/// Makes one attempt. A channel that panics has not delivered, and takes nobody with it.
async fn attempt(
    channel: Arc<dyn Channel>,
    dispatch: Dispatch,
    thread: Option<String>,
    now: Timestamp,
    timeout: Duration,
) -> Ended {
    let begun: Instant = clock::monotonic();
    let delivery = AssertUnwindSafe(channel.deliver(&dispatch, thread.as_deref(), now)).catch_unwind();
    let result = match tokio::time::timeout(timeout, delivery).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(Refusal::later("the channel failed inside; this is a fault of fleetwatch")),
        Err(_) => Err(Refusal::later(format!("no answer within {} s", timeout.as_secs_f64()))),
    };
    Ended { dispatch, result, took: begun.elapsed() }
}
