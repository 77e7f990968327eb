//! Readiness and gauges, once a second.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus::IntCounter;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::journal::{Commit, CommitObserver, Journal, JournalState};
use crate::metrics::Counters;
use crate::store::WriterState;
use crate::web::Health;

use super::doubt::DoubtState;
use crate::runtime::intake::Intake;

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
    pub intake: Arc<Intake>,
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
            self.poll(&mut seen);
        }
    }

    fn poll(&self, seen: &mut Seen) {
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
        match self.intake.doubt().poll(&self.clock) {
            DoubtState::None => self.health.open(CLOCK),
            DoubtState::Held(reason) => {
                if !std::mem::replace(&mut seen.in_doubt, true) {
                    tracing::error!("{reason}");
                }
                self.health.close(CLOCK, reason);
            }
            DoubtState::Ended(how) => {
                tracing::warn!("{how}");
                self.health.open(CLOCK);
            }
        }
    }

    fn look_at_time(&self, seen: &mut Seen) {
        let late_ms = self.clock.now().since_ms(self.intake.next_tick()).max(0) as f64;
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
