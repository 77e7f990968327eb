//! Readiness and gauges, once a second; and complaints about refused messages, not more often than is useful.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use prometheus::IntCounter;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::engine::time::Timestamp;
use crate::journal::{Commit, CommitObserver, Journal, JournalState};
use crate::metrics::Counters;
use crate::store::WriterState;
use crate::web::Health;

use super::doubt::Standing;
use super::keeper::{Keeper, lock};

/// The latches of readiness, in the order in which they are shown.
pub const LATCHES: [&str; 6] = [RESTORE, BROKER, JOURNAL, DECISION, STORE, CLOCK];
/// Checkpoint and journal have been taken up.
pub const RESTORE: &str = "restore";
/// The broker's session, or the embedded broker's listener.
pub const BROKER: &str = "broker";
/// The journal can write.
pub const JOURNAL: &str = "journal";
/// Ticks run when they are due.
pub const DECISION: &str = "decision";
/// The incident record can be written at this moment, and is complete and current.
pub const STORE: &str = "store";

/// The server's clock can be believed.
pub const CLOCK: &str = "clock";

/// Real time by which a tick may be late before readiness says so.
const LAG_MOST: Duration = Duration::from_secs(15);

/// A wall clock that is as far off as this is wrong, in ms.
const WRONG_LEAST_MS: i64 = 3_600_000;

/// Wall clock steps below this are ordinary discipline, in ms.
const STEP_LEAST_MS: i64 = 2_000;

/// Engine time between two log lines about the same reason, in ms.
const COMPLAIN_EVERY_MS: i64 = 60_000;

/// Logs refused messages: at once the first of a reason, then once a minute with the number that was left out.
#[derive(Debug, Default)]
pub struct Complaints {
    reasons: Mutex<HashMap<&'static str, (Timestamp, u64)>>,
}

impl Complaints {
    /// Notes a refusal; `reason` is of a closed list, so the memory is bounded.
    /// `field` is the one that cannot be used, where one alone is at fault.
    pub fn note(&self, reason: &'static str, field: Option<&'static str>, topic: &str, now: Timestamp) {
        if let Some((topic, left_out)) = self.due(reason, topic, now) {
            tracing::warn!(
                reason,
                field,
                topic,
                left_out,
                "messages are refused; the next line on this reason is a minute away"
            );
        }
    }

    /// Notes a field that was left out of a message; `field` is of a closed list too.
    pub fn left_out(&self, field: &'static str, reason: &str, topic: &str, now: Timestamp) {
        if let Some((topic, left_out)) = self.due(field, topic, now) {
            let told =
                "a field cannot be used, the rest of the message is; the next line on this field is a minute away";
            tracing::warn!(field, reason, topic, left_out, "{told}");
        }
    }

    /// Whether it is time for a line on `about`: then the topic as it may be written, and how many lines were left out.
    fn due(&self, about: &'static str, topic: &str, now: Timestamp) -> Option<(String, u64)> {
        let mut reasons = lock(&self.reasons);
        let left_out = match reasons.get_mut(about) {
            Some((last, left_out)) if now.since_ms(*last) < COMPLAIN_EVERY_MS => {
                *left_out += 1;
                return None;
            }
            Some((_, left_out)) => *left_out,
            None => 0,
        };
        reasons.insert(about, (now, 0));
        drop(reasons);
        // The topic is the sender's choice: bounded and escaped.
        Some((topic.chars().take(100).flat_map(char::escape_debug).collect(), left_out))
    }
}

/// Counts commits of the journal.
#[derive(Debug)]
pub(super) struct Commits(pub(super) Arc<Counters>);

impl CommitObserver for Commits {
    fn committed(&self, commit: Commit) {
        self.0.journal_records.inc_by(commit.messages);
        self.0.journal_bytes.inc_by(commit.bytes);
        self.0.journal_commit.observe(commit.took.as_secs_f64());
    }
}

/// Raises a counter to a total that is kept elsewhere.
#[derive(Debug, Default)]
pub struct Mirror(AtomicU64);

impl Mirror {
    /// Raises `counter` by what `total` has grown since the last call.
    pub fn raise(&self, counter: &IntCounter, total: u64) {
        let before = self.0.swap(total, Ordering::Relaxed);
        counter.inc_by(total.saturating_sub(before));
    }
}

/// What is looked at once a second.
#[derive(Debug)]
pub struct Watch {
    pub clock: Clock,
    pub keeper: Arc<Keeper>,
    pub journal: Arc<Journal>,
    pub record: watch::Receiver<WriterState>,
    /// Why nothing could be written to the record just now.
    pub trouble: watch::Receiver<Option<String>>,
    pub counters: Arc<Counters>,
    pub health: Arc<Health>,
}

#[derive(Default)]
struct Seen {
    journal_failures: Mirror,
    store_writes: Mirror,
    store_failures: Mirror,
    step_ms: i64,
    journal_failing: bool,
    in_doubt: bool,
}

impl Watch {
    /// Looks once a second until it is dropped.
    pub async fn run(self) {
        let mut seen = Seen::default();
        let mut every = tokio::time::interval(Duration::from_secs(1));
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            every.tick().await;
            self.look(&mut seen);
        }
    }

    fn look(&self, seen: &mut Seen) {
        self.look_at_journal(seen);
        self.look_at_record(seen);
        self.look_at_time(seen);
        self.look_at_doubt(seen);
    }

    fn look_at_journal(&self, seen: &mut Seen) {
        let stats = self.journal.stats();
        self.counters.journal_size_bytes.set(i64::try_from(stats.bytes).unwrap_or(i64::MAX));
        // A disk that cannot tell keeps its last figure; that it fails is told by the journal itself.
        if let Ok(free) = fs4::available_space(self.journal.dir()) {
            self.counters.journal_free_bytes.set(i64::try_from(free).unwrap_or(i64::MAX));
        }
        seen.journal_failures.raise(&self.counters.journal_failures, stats.failures);
        let state = self.journal.state();
        let state = state.borrow();
        self.counters.journal_healthy.set(i64::from(state.is_ok()));
        match &*state {
            JournalState::Ok => self.health.open(JOURNAL),
            JournalState::Failing(trouble) => self.health.close(JOURNAL, trouble.to_string()),
        }
        if seen.journal_failing == state.is_ok() {
            seen.journal_failing = !state.is_ok();
            match &*state {
                JournalState::Ok => tracing::info!("the journal can write again"),
                JournalState::Failing(trouble) => tracing::error!(reason = trouble.reason, "{trouble}"),
            }
        }
    }

    fn look_at_record(&self, seen: &mut Seen) {
        let state = self.record.borrow().clone();
        seen.store_writes.raise(&self.counters.store_writes, state.settled);
        seen.store_failures.raise(&self.counters.store_failures, state.failures);
        self.counters.store_pending.set(i64::try_from(state.pending()).unwrap_or(i64::MAX));
        let trouble = self.trouble.borrow().clone();
        match trouble.or_else(|| state.trouble()) {
            None => self.health.open(STORE),
            Some(trouble) => self.health.close(STORE, trouble),
        }
    }

    fn look_at_doubt(&self, seen: &mut Seen) {
        match self.keeper.doubt().look(&self.clock) {
            Standing::None => self.health.open(CLOCK),
            Standing::Held(reason) => {
                if !std::mem::replace(&mut seen.in_doubt, true) {
                    tracing::error!("{reason}");
                }
                self.health.close(CLOCK, reason);
            }
            Standing::Ended(how) => {
                tracing::warn!("{how}");
                self.health.open(CLOCK);
            }
        }
    }

    fn look_at_time(&self, seen: &mut Seen) {
        let late_ms = self.clock.now().since_ms(self.keeper.next_tick()).max(0) as f64;
        let late = Duration::from_secs_f64(late_ms / 1_000.0 / self.clock.speed());
        if late > LAG_MOST {
            self.counters.decision_lag.set(late_ms / 1_000.0);
            self.health.close(DECISION, format!("a tick is due since {:.0} s", late.as_secs_f64()));
        } else {
            self.health.open(DECISION);
        }
        let step_ms = self.clock.wall_step_ms();
        self.counters.wall_clock_step.set(step_ms as f64 / 1_000.0);
        if (step_ms - seen.step_ms).abs() >= STEP_LEAST_MS {
            if step_ms.abs() >= WRONG_LEAST_MS {
                tracing::error!(
                    step_ms,
                    "the wall clock is far from engine time; detection goes on by the monotonic clock"
                );
            } else {
                tracing::warn!(step_ms, "the wall clock has been stepped; detection goes on by the monotonic clock");
            }
            seen.step_ms = step_ms;
        }
    }
}
