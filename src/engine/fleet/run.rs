//! Runs: stretches of a device's stream in which its counters tell one story.
//!
//! Within a run the boot number stays, sequence number and uptime grow together, and the uptime counts from one instant
//! (the [`anchor`](super::anchor)). Whatever breaks that relation ends the run and begins another: a restart, whether it is
//! counted or not, an uptime or a sequence number that wraps at any width or begins anew, a machine that stood still, an
//! image that was put back. So nothing has to be known of what a device's counters can do, and what one run has taken is
//! never mistaken for what another brings.

use bincode::{Decode, Encode};

use super::anchor::{Anchor, MAX_UPTIME_MS};
use super::sequence::{SequenceWindow, Sighting};
use super::{HORIZON_MS, LIVE_MS};
use crate::engine::report::Report;

/// How far uptimes may disagree with the order of sequence numbers, in ms: agents read the two one after the other.
const SLOP_MS: i64 = 5_000;

/// Arrival time after which the pace of a run's reports tells whether they come as they are measured, in ms.
const PACED_AFTER_MS: i64 = 5_000;

/// Readings of the device's wall clock that a run remembers: before and after a clock is set, and once more.
const CLOCKS: usize = 3;

/// Reports at the beginning of a run whose content is remembered for good. Only what was measured soon after a start can
/// be taken for a start.
const OPENERS: usize = 8;

/// What the admission goes by in a report.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Facts {
    pub boot: u64,
    pub seq: u64,
    /// Uptime at the start and at the end of the period; beyond [`MAX_UPTIME_MS`] they time nothing.
    pub uptime_ms: i64,
    pub end_ms: i64,
    pub period_ms: i64,
    /// The device's wall clock at the start of the period.
    pub wall_ms: i64,
    pub arrival_ms: i64,
}

impl Facts {
    pub fn of(report: &Report, arrival_ms: i64) -> Self {
        let uptime_ms = report.uptime_ms.min(MAX_UPTIME_MS + 1) as i64;
        let period_ms = i64::from(report.period_ms);
        Self {
            boot: report.boot,
            seq: report.seq,
            uptime_ms,
            end_ms: uptime_ms + period_ms,
            period_ms,
            wall_ms: report.start,
            arrival_ms,
        }
    }

    /// Whether the uptime can be believed.
    pub fn is_timed(&self) -> bool {
        self.uptime_ms <= MAX_UPTIME_MS as i64
    }

    /// The part of the period that no other report of the same start covers, whatever arrivals and uptimes vary by.
    pub fn own_ms(&self) -> i64 {
        self.period_ms - SLOP_MS.min(self.period_ms / 2)
    }

    /// How late the report is by the device's wall clock, which is `offset_ms` behind event time.
    pub fn late_by_wall(&self, offset_ms: i64) -> i64 {
        self.live_event_ms().saturating_sub(self.wall_ms.saturating_add(offset_ms))
    }

    /// Event time of the report if it has come straight away.
    pub fn live_event_ms(&self) -> i64 {
        self.arrival_ms - self.period_ms
    }
}

/// One run.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub(super) struct Run {
    pub boot: u64,
    /// Number of the start of the device that the run belongs to, as far as its counters tell.
    pub life: u32,
    /// `None` while no uptime could be believed.
    pub anchor: Option<Anchor>,
    pub window: SequenceWindow,
    /// Lowest and highest uptime at the start of a period.
    pub uptime_ms: (i64, i64),
    /// Event time minus wall clock, newest first: of the newest report, and before the clock was set.
    pub offsets_ms: [Option<i64>; CLOCKS],
    /// Wall clock of the newest report.
    pub wall_ms: i64,
    /// Event time of the newest report, and the end of its period.
    pub event_ms: i64,
    pub end_ms: i64,
    pub arrival_ms: i64,
    /// Uptime and arrival of the report from which the pace is measured.
    pub paced_from: (i64, i64),
    /// Whether reports have come at the pace at which they were measured: then the anchor is that of live reports.
    pub is_paced: bool,
    /// Digests of the run's first reports.
    pub openers: Vec<u64>,
}

/// How a report would stand in a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fit {
    /// Place of the run.
    pub run: usize,
    pub sighting: Sighting,
    /// How late the report is by the run's anchor; negative when it is not over yet.
    pub late_ms: i64,
    /// Whether the device's wall clock agrees.
    pub agrees: bool,
}

impl Fit {
    /// Whether the run would put the report further into the future than any report is late.
    pub fn is_far_ahead(&self) -> bool {
        self.late_ms < -HORIZON_MS
    }
}

impl Run {
    /// A run that begins with this report.
    pub fn begin(facts: &Facts, life: u32, anchor: Option<Anchor>) -> Self {
        Self {
            boot: facts.boot,
            life,
            anchor,
            window: SequenceWindow::default(),
            uptime_ms: (facts.uptime_ms, facts.uptime_ms),
            offsets_ms: [None; CLOCKS],
            wall_ms: facts.wall_ms,
            event_ms: i64::MIN,
            end_ms: i64::MIN,
            arrival_ms: facts.arrival_ms,
            paced_from: (facts.end_ms, facts.arrival_ms),
            is_paced: false,
            openers: Vec::new(),
        }
    }

    /// How the report would stand in this run, the `run`th; `None` when its counters belong to another.
    pub fn fit(&self, run: usize, facts: &Facts) -> Option<Fit> {
        if self.boot != facts.boot || facts.is_timed() != self.anchor.is_some() || !self.relates(facts) {
            return None;
        }
        let event_ms = self.anchor.map(|anchor| anchor.at_ms() + facts.uptime_ms);
        Some(Fit {
            run,
            sighting: self.window.sighting(facts.seq),
            late_ms: event_ms.map_or(0, |event_ms| facts.live_event_ms() - event_ms),
            agrees: self.agrees(facts, event_ms.unwrap_or_else(|| facts.live_event_ms())),
        })
    }

    /// Whether sequence number and uptime are in the same order as those of the run.
    fn relates(&self, facts: &Facts) -> bool {
        let Some((first, last)) = self.window.span() else { return true };
        let (lowest, highest) = self.uptime_ms;
        match facts.seq {
            seq if seq > last => self.goes_on(facts.uptime_ms),
            seq if seq < first => facts.uptime_ms + facts.own_ms() <= lowest,
            // The number of the first report, or of the last, at another uptime is that of another stretch.
            seq if seq == first && first < last => (lowest - SLOP_MS..=lowest + SLOP_MS).contains(&facts.uptime_ms),
            seq if seq == last && first < last => (highest - SLOP_MS..=highest + SLOP_MS).contains(&facts.uptime_ms),
            _ => (lowest - SLOP_MS..=highest + SLOP_MS).contains(&facts.uptime_ms),
        }
    }

    /// Event time of the run's oldest report; `None` when its uptimes are not believed.
    pub fn begin_ms(&self) -> Option<i64> {
        self.anchor.map(|anchor| anchor.at_ms() + self.uptime_ms.0)
    }

    /// Whether an uptime is not below the highest of the run.
    pub fn goes_on(&self, uptime_ms: i64) -> bool {
        uptime_ms >= self.uptime_ms.1 - SLOP_MS
    }

    /// Whether the number is above all of the run while the uptime is below its highest, if by no more than agents' slop.
    pub fn goes_back(&self, facts: &Facts) -> bool {
        self.window.span().is_some_and(|(_, last)| facts.seq > last) && facts.uptime_ms < self.uptime_ms.1
    }

    /// Whether the device's wall clock, as the run knows it, puts the report at `event_ms`. One that stands still puts it nowhere.
    pub fn agrees(&self, facts: &Facts, event_ms: i64) -> bool {
        let near = |offset: &i64| facts.wall_ms.saturating_add(*offset).abs_diff(event_ms) <= LIVE_MS.unsigned_abs();
        facts.wall_ms != self.wall_ms && self.offsets_ms.iter().flatten().any(near)
    }

    /// Whether every counter and the wall clock read as in the run's newest report.
    pub fn ends_with(&self, facts: &Facts) -> bool {
        let is_last = self.window.span().is_some_and(|(_, last)| facts.seq == last);
        is_last && facts.uptime_ms == self.uptime_ms.1 && facts.wall_ms == self.wall_ms
    }

    /// Event time minus wall clock of the newest report.
    pub fn offset_ms(&self) -> i64 {
        self.offsets_ms[0].unwrap_or(0)
    }

    /// Whether the wall clock is one that goes on, also through restarts. One that begins anew at each start shows a time long
    /// past, and one that stands still says the same as in the report before.
    pub fn has_clock(&self, facts: &Facts) -> bool {
        facts.wall_ms != self.wall_ms
            && self.offset_ms() <= HORIZON_MS
            && facts.late_by_wall(self.offset_ms()) <= HORIZON_MS
    }

    /// Whether the wall clock can be right.
    pub fn has_right_clock(&self) -> bool {
        self.offset_ms().unsigned_abs() <= HORIZON_MS.unsigned_abs()
    }

    /// Takes a report in.
    pub fn take(&mut self, facts: &Facts, anchor: Option<Anchor>, event_ms: i64, digest: u64) {
        self.window.mark(facts.seq);
        self.uptime_ms = (self.uptime_ms.0.min(facts.uptime_ms), self.uptime_ms.1.max(facts.uptime_ms));
        if let (Some(before), Some(after)) = (self.anchor, anchor) {
            self.measure_pace(facts, after.at_ms() < before.at_ms() - LIVE_MS);
        }
        self.anchor = anchor.or(self.anchor);
        if event_ms >= self.event_ms {
            (self.event_ms, self.end_ms) = (event_ms, event_ms + facts.period_ms);
            self.wall_ms = facts.wall_ms;
            self.set_clock(event_ms.saturating_sub(facts.wall_ms));
        }
        self.arrival_ms = self.arrival_ms.max(facts.arrival_ms);
        if self.openers.len() < OPENERS {
            self.openers.push(digest);
        }
    }

    fn measure_pace(&mut self, facts: &Facts, has_fallen: bool) {
        if has_fallen {
            (self.paced_from, self.is_paced) = ((facts.end_ms, facts.arrival_ms), false);
        }
        let waited = facts.arrival_ms - self.paced_from.1;
        self.is_paced |= waited >= PACED_AFTER_MS && waited.saturating_mul(2) >= facts.end_ms - self.paced_from.0;
    }

    fn set_clock(&mut self, offset_ms: i64) {
        if self.offsets_ms[0].is_some_and(|known| known.abs_diff(offset_ms) > LIVE_MS.unsigned_abs()) {
            self.offsets_ms.rotate_right(1);
        }
        self.offsets_ms[0] = Some(offset_ms);
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.window.heap_bytes() + self.openers.capacity() * size_of::<u64>()
    }
}
