//! Whether a report is taken, and which minute it belongs to: identity, event time, rate.
//!
//! One short critical section per report guards this state. A device's reports come over one connection, so nobody
//! waits for it but the decision task, now and then; the histograms are recorded outside it.
//!
//! Where a report belongs is judged in [`place`](super::place).

use bincode::{Decode, Encode};

use super::coverage::{Coverage, Room};
use super::inbox::{Inbox, StatusNote};
use super::pace::Pace;
use super::place::{Place, Placed};
use super::recent::Recent;
use super::rules::RuleTally;
use super::run::{Facts, Run};
use super::sequence::MAX_WORDS;
use super::{HORIZON_MS, LIVE_MS, Refusal};
use crate::engine::device::Status;
use crate::engine::report::Report;
use crate::engine::time::{Minute, Timestamp};

/// Runs of a device that are kept apart: two days of a device whose numbers have 8 bits, at one report a minute.
pub const RUNS: usize = 32;

/// Starts of a device within ten minutes are counted up to this.
const MOST_BOOTS: usize = 8;

/// Words of all runs' sequence windows together, before the newest grows: of what has been silent longest, the numbers are
/// given up beyond it.
const KEPT_WORDS: usize = 4 * MAX_WORDS;

/// Boots that reported within this time count as recent, in ms.
const RECENT_MS: i64 = 600_000;

/// What a device's admission knows. All of it is in a checkpoint.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub(super) struct Admission {
    /// In the order in which they began.
    pub(super) runs: Vec<Run>,
    pub(super) recent: Recent,
    /// Reports since the last live one, none of which looked live.
    pub(super) pace: Option<Pace>,
    /// Arrival of the last live report.
    pub(super) live_ms: Option<i64>,
    /// Until when the device has been there for certain: the end of the newest live report's period, in event time.
    pub(super) there_ms: Option<i64>,
    /// When its last word was that it is gone, by arrival.
    pub(super) gone_ms: Option<i64>,
    pub(super) coverage: Coverage,
    /// Boot and wall clock offset of the newest status that came live: for a boot that has not reported.
    pub(super) status_offset: Option<(u64, i64)>,
    /// Missing numbers of runs that are no longer kept.
    pub(super) missing_before: u64,
    pub(super) reports: u64,
    pub(super) late: u64,
    /// Reports timed by their arrival, because of an uptime beyond belief.
    pub(super) untimed: u64,
    pub(super) last_arrival: Option<Timestamp>,
    /// Minutes before this one are closed.
    pub(super) closed_before: Minute,
    pub(super) inbox: Inbox,
    pub(super) rules: RuleTally,
}

/// What taking a report will change: nothing has been changed yet.
#[derive(Debug)]
pub(super) struct Plan {
    facts: Facts,
    placed: Placed,
    pub(super) minute: Minute,
    room: Room,
}

impl Admission {
    pub(super) fn new(closed_before: Minute) -> Self {
        Self { closed_before, ..Self::default() }
    }

    /// Judges a report without changing anything.
    pub(super) fn plan(&self, report: &Report, arrival: Timestamp) -> Result<Plan, Refusal> {
        let facts = Facts::of(report, arrival.as_ms());
        let placed = self.place(report, &facts)?;
        if arrival.as_ms() - placed.event_ms > HORIZON_MS {
            return Err(Refusal::TooOld);
        }
        let minute = Timestamp::from_ms(placed.event_ms).minute();
        let room = self.coverage.room(minute, report.period_ms).ok_or(Refusal::RateLimited)?;
        Ok(Plan { facts, placed, minute, room })
    }

    /// Notes that the report was taken.
    pub(super) fn commit(&mut self, plan: Plan, report: &Report, arrival: Timestamp, late: bool) {
        let Plan { facts, placed, minute, room } = plan;
        let at = match placed.place {
            Place::Known(at) => at,
            Place::New { life } => self.add_run(Run::begin(&facts, life, placed.anchor)),
        };
        self.runs[at].take(&facts, placed.anchor, placed.event_ms, placed.digest);
        self.recent.add(placed.digest, arrival.as_ms());
        if placed.is_live {
            (self.pace, self.live_ms) = (None, self.live_ms.max(Some(arrival.as_ms())));
            self.there_ms = self.there_ms.max(Some(placed.event_ms.saturating_add(facts.period_ms)));
        } else {
            self.pace = Some(Pace::with(self.pace, &facts));
        }
        self.untimed += u64::from(placed.anchor.is_none());
        for class in &report.classes {
            for (name, count) in report.rules_of(class) {
                self.rules.note(class.class, name, minute, count);
            }
        }
        self.coverage.take(room);
        self.reports += 1;
        self.late += u64::from(late);
        self.last_arrival = self.last_arrival.max(Some(arrival));
    }

    /// Notes that a report was refused as one of long ago: if such keep coming, they are not. The content that was taken
    /// before says nothing, however often it comes.
    pub(super) fn refuse(&mut self, report: &Report, refusal: Refusal, arrival: Timestamp) {
        let is_old = matches!(refusal, Refusal::Duplicate | Refusal::StaleSequence | Refusal::TooOld);
        if is_old && !self.recent.has(super::recent::digest(report)) {
            self.pace = Some(Pace::with(self.pace, &Facts::of(report, arrival.as_ms())));
        }
    }

    /// Whether the device has reported since its will: the will was an older connection's.
    pub(super) fn is_back(&self) -> bool {
        self.there_ms.is_some_and(|there| self.gone_ms.is_none_or(|gone| there > gone))
    }

    /// Takes a status into the inbox.
    pub(super) fn note(&mut self, status: Status, retained: bool, arrival: Timestamp) {
        if !status.online {
            self.gone_ms = self.gone_ms.max(Some(arrival.as_ms()));
        }
        // A will carries the time at which the connection was made, and a kept message that of nobody knows when.
        if status.online && !retained {
            self.status_offset = Some((status.boot, arrival.as_ms().saturating_sub(status.at)));
        }
        self.inbox.note(StatusNote { status, retained, arrival });
    }

    /// The wall clock offset to expect of a boot that has not reported: its own live status, or else the run before, if the
    /// clock has gone on since, or else none.
    pub(super) fn wall_offset(&self, facts: &Facts) -> i64 {
        match self.status_offset {
            Some((boot, offset)) if boot == facts.boot => offset,
            _ => self.newest().filter(|run| run.wall_ms <= facts.wall_ms).map_or(0, Run::offset_ms),
        }
    }

    /// Adds a run and gives up the one that has been silent longest, if there are too many.
    fn add_run(&mut self, run: Run) -> usize {
        // What is this long ago cannot be taken any more, so its numbers need not be told apart.
        let gone = run.arrival_ms - HORIZON_MS;
        self.runs.iter_mut().filter(|run| run.arrival_ms < gone).for_each(|run| run.window.forget());
        while self.runs.iter().map(|run| run.window.words()).sum::<usize>() > KEPT_WORDS {
            let holding = self.runs.iter_mut().filter(|run| run.window.words() > 0);
            let Some(oldest) = holding.min_by_key(|run| run.arrival_ms) else { break };
            oldest.window.forget();
        }
        if self.runs.len() >= RUNS {
            let oldest = (0..self.runs.len()).min_by_key(|&at| self.runs[at].arrival_ms).unwrap_or(0);
            let gone = self.runs.remove(oldest);
            self.missing_before = self.missing_before.saturating_add(gone.window.missing());
        }
        self.runs.reserve_exact(1);
        self.runs.push(run);
        self.runs.len() - 1
    }

    /// The run whose reports are newest by event time.
    pub(super) fn newest(&self) -> Option<&Run> {
        self.runs.iter().max_by_key(|run| run.event_ms)
    }

    /// Whether several starts of the device have had this boot number.
    pub(super) fn reuses(&self, boot: u64) -> bool {
        let mut lives = self.runs.iter().filter(|run| run.boot == boot).map(|run| run.life);
        let first = lives.next();
        lives.any(|life| Some(life) != first)
    }

    /// Whether the device's boot numbers tell its starts apart: there was another, and each has had one start.
    pub(super) fn counts_boots(&self, boot: u64) -> bool {
        self.runs.iter().any(|run| run.boot != boot) && !self.runs.iter().any(|run| self.reuses(run.boot))
    }

    /// Whether the wall clock of `run` is known to have gone on after it: the newest report reads as many ms later as it is later.
    pub(super) fn clock_went_on(&self, run: &Run) -> bool {
        let newest = self.newest().filter(|newest| newest.event_ms - run.event_ms > 2 * LIVE_MS);
        newest.is_some_and(|newest| newest.offset_ms().abs_diff(run.offset_ms()) <= LIVE_MS.unsigned_abs())
    }

    /// The number of the device's next start.
    pub(super) fn next_life(&self) -> u32 {
        self.runs.iter().map(|run| run.life).max().map_or(0, |life| life.saturating_add(1))
    }

    /// Sequence numbers that have not arrived, over all runs.
    pub(super) fn missing(&self) -> u64 {
        self.runs.iter().fold(self.missing_before, |sum, run| sum.saturating_add(run.window.missing()))
    }

    /// Starts of the device with reports from the ten minutes before `now`, at most 8.
    pub(super) fn recent_boots(&self, now: Timestamp) -> u32 {
        let mut lives: Vec<u32> =
            self.runs.iter().filter(|run| now.as_ms() - run.event_ms <= RECENT_MS).map(|run| run.life).collect();
        lives.sort_unstable();
        lives.dedup();
        lives.len().min(MOST_BOOTS) as u32
    }

    /// Wall clock minus event time of the newest run, in ms.
    pub(super) fn clock_offset_ms(&self) -> Option<i64> {
        self.newest().map(|run| run.offset_ms().saturating_neg())
    }

    /// Event time of an instant of the device's wall clock during `boot`.
    pub(super) fn event_time_of_wall(&self, boot: u64, wall_ms: i64) -> Option<Timestamp> {
        let run = self.runs.iter().filter(|run| run.boot == boot).max_by_key(|run| run.event_ms)?;
        Some(Timestamp::from_ms(wall_ms.saturating_add(run.offset_ms())))
    }

    /// Bytes on the heap, of what grows.
    pub(super) fn heap_bytes(&self) -> usize {
        let runs: usize = self.runs.iter().map(Run::heap_bytes).sum();
        runs + self.runs.capacity() * size_of::<Run>() + self.recent.heap_bytes() + self.rules.heap_bytes()
    }
}
