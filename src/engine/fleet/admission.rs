//! Whether a report is taken, and which minute it belongs to: identity, event time, rate.
//!
//! One short critical section per report guards this state. A device's reports come over one connection, so nobody
//! waits for it but the decision task, now and then; the histograms are recorded outside it.

use bincode::{Decode, Encode};

use super::Refusal;
use super::anchor::{Anchor, MAX_UPTIME_MS};
use super::coverage::{Coverage, Room};
use super::inbox::{Inbox, StatusNote};
use super::rules::RuleTally;
use super::sequence::{SequenceWindow, Sighting};
use crate::engine::device::Status;
use crate::engine::report::Report;
use crate::engine::time::{Minute, Timestamp};

/// Boots of a device that are kept apart.
pub const BOOTS: usize = 8;

/// Reports of an event time longer ago than this are refused, in ms: the verdicts reach back 48 h.
pub const HORIZON_MS: i64 = 48 * 3_600_000;

/// Boots that reported within this time count as recent, in ms.
const RECENT_MS: i64 = 600_000;

/// One start of a device.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
struct Boot {
    number: u64,
    /// `None` until a report had an uptime that can be believed.
    anchor: Option<Anchor>,
    window: SequenceWindow,
    /// Event time minus wall clock, of the newest report.
    wall_offset_ms: i64,
    /// Wall clock of the newest report.
    start: i64,
    /// Event time of the newest report.
    event_ms: i64,
    arrival_ms: i64,
}

/// What a device's admission knows. All of it is in a checkpoint.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub(super) struct Admission {
    /// In the order in which they were first seen.
    boots: Vec<Boot>,
    coverage: Coverage,
    /// Boot and wall clock offset of the newest status that came live: for a boot that has not reported.
    status_offset: Option<(u64, i64)>,
    /// Missing numbers of boots that are no longer kept.
    missing_before: u64,
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
    /// Place of the boot; `None` for a new one.
    boot: Option<usize>,
    /// `None`: the uptime is not believed, and the boot's anchor stays.
    anchor: Option<Anchor>,
    event_ms: i64,
    pub(super) minute: Minute,
    room: Room,
}

impl Admission {
    pub(super) fn new(closed_before: Minute) -> Self {
        Self { closed_before, ..Self::default() }
    }

    /// Judges a report without changing anything.
    pub(super) fn plan(&self, report: &Report, arrival: Timestamp) -> Result<Plan, Refusal> {
        let boot = self.boots.iter().rposition(|boot| boot.number == report.boot);
        match boot.map(|at| self.boots[at].window.sighting(report.seq)) {
            Some(Sighting::Duplicate) => return Err(Refusal::Duplicate),
            Some(Sighting::Stale) => return Err(Refusal::StaleSequence),
            Some(Sighting::New) | None => {}
        }
        let (anchor, event_ms) = self.event_time(boot, report, arrival.as_ms());
        if arrival.as_ms() - event_ms > HORIZON_MS {
            return Err(Refusal::TooOld);
        }
        let minute = Timestamp::from_ms(event_ms).minute();
        let room = self.coverage.room(minute, report.period_ms).ok_or(Refusal::RateLimited)?;
        Ok(Plan { boot, anchor, event_ms, minute, room })
    }

    /// Notes that the report was taken.
    pub(super) fn commit(&mut self, plan: Plan, report: &Report, arrival: Timestamp, late: bool) {
        let at = plan.boot.unwrap_or_else(|| self.add_boot(report.boot, arrival));
        let boot = &mut self.boots[at];
        boot.window.mark(report.seq);
        match plan.anchor {
            Some(anchor) => boot.anchor = Some(anchor),
            None => self.untimed += 1,
        }
        if plan.boot.is_none() || plan.event_ms >= boot.event_ms {
            boot.event_ms = plan.event_ms;
            boot.start = report.start;
            boot.wall_offset_ms = plan.event_ms.saturating_sub(report.start);
        }
        boot.arrival_ms = boot.arrival_ms.max(arrival.as_ms());
        for class in &report.classes {
            for (name, count) in report.rules_of(class) {
                self.rules.note(class.class, name, plan.minute, count);
            }
        }
        self.coverage.take(plan.room);
        self.reports += 1;
        self.late += u64::from(late);
        self.last_arrival = self.last_arrival.max(Some(arrival));
    }

    /// Takes a status into the inbox.
    pub(super) fn note(&mut self, status: Status, retained: bool, arrival: Timestamp) {
        // A will carries the time at which the connection was made, and a kept message that of nobody knows when.
        if status.online && !retained {
            self.status_offset = Some((status.boot, arrival.as_ms().saturating_sub(status.at)));
        }
        self.inbox.note(StatusNote { status, retained, arrival });
    }

    /// The anchor after the report and the report's event time; no anchor, and the arrival's time, for an uptime that
    /// cannot be believed.
    fn event_time(&self, boot: Option<usize>, report: &Report, arrival_ms: i64) -> (Option<Anchor>, i64) {
        let known = boot.and_then(|at| self.boots[at].anchor);
        let anchor = (report.uptime_ms <= MAX_UPTIME_MS).then_some(report.uptime_ms as i64).and_then(|uptime_ms| {
            let end_ms = uptime_ms + i64::from(report.period_ms);
            match known {
                Some(anchor) => anchor.after(end_ms, arrival_ms, HORIZON_MS),
                None => {
                    let wall = report.start.saturating_add(self.wall_offset(report)).saturating_sub(uptime_ms);
                    Some(Anchor::first(end_ms, arrival_ms, Some(wall), HORIZON_MS))
                }
            }
        });
        match anchor {
            Some(anchor) => (Some(anchor), anchor.at_ms() + report.uptime_ms as i64),
            None => (None, arrival_ms - i64::from(report.period_ms)),
        }
    }

    /// The wall clock offset to expect of a boot that has not reported: its own live status, or else the boot before, if the
    /// clock has gone on since, or else none.
    fn wall_offset(&self, report: &Report) -> i64 {
        match self.status_offset {
            Some((boot, offset)) if boot == report.boot => offset,
            _ => self.newest().filter(|boot| boot.start <= report.start).map_or(0, |boot| boot.wall_offset_ms),
        }
    }

    /// Adds a boot and gives up the one that has been silent longest, if there are too many.
    fn add_boot(&mut self, number: u64, arrival: Timestamp) -> usize {
        // What is this long ago cannot be taken any more, so its numbers need not be told apart.
        let gone = arrival.as_ms() - HORIZON_MS;
        self.boots.iter_mut().filter(|boot| boot.arrival_ms < gone).for_each(|boot| boot.window.forget());
        if self.boots.len() >= BOOTS {
            let oldest = (0..self.boots.len()).min_by_key(|&at| self.boots[at].arrival_ms).unwrap_or(0);
            let gone = self.boots.remove(oldest);
            self.missing_before = self.missing_before.saturating_add(gone.window.missing());
        }
        self.boots.push(Boot {
            number,
            anchor: None,
            window: SequenceWindow::default(),
            wall_offset_ms: 0,
            start: 0,
            event_ms: i64::MIN,
            arrival_ms: arrival.as_ms(),
        });
        self.boots.len() - 1
    }

    /// The boot whose reports are newest by event time.
    fn newest(&self) -> Option<&Boot> {
        self.boots.iter().max_by_key(|boot| boot.event_ms)
    }

    /// Sequence numbers that have not arrived, over all boots.
    pub(super) fn missing(&self) -> u64 {
        self.boots.iter().fold(self.missing_before, |sum, boot| sum.saturating_add(boot.window.missing()))
    }

    /// Boots with reports from the ten minutes before `now`, at most [`BOOTS`].
    pub(super) fn recent_boots(&self, now: Timestamp) -> u32 {
        self.boots.iter().filter(|boot| now.as_ms() - boot.event_ms <= RECENT_MS).count() as u32
    }

    /// Wall clock minus event time of the newest boot, in ms.
    pub(super) fn clock_offset_ms(&self) -> Option<i64> {
        self.newest().map(|boot| boot.wall_offset_ms.saturating_neg())
    }

    /// Event time of an instant of the device's wall clock during `boot`.
    pub(super) fn event_time_of_wall(&self, boot: u64, wall_ms: i64) -> Option<Timestamp> {
        let boot = self.boots.iter().rfind(|known| known.number == boot)?;
        Some(Timestamp::from_ms(wall_ms.saturating_add(boot.wall_offset_ms)))
    }

    /// Bytes on the heap, of what grows.
    pub(super) fn heap_bytes(&self) -> usize {
        let windows: usize = self.boots.iter().map(|boot| boot.window.heap_bytes()).sum();
        windows + self.boots.capacity() * size_of::<Boot>() + self.rules.heap_bytes()
    }
}
