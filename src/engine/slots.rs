//! The open minutes of one device and class: counters that any number of tasks add to without a lock, and that one
//! task closes under them, each sample counted exactly once.
//!
//! # The protocol
//!
//! Three cells; minute `m` lives in cell `m % 3`. No report is of a time after its arrival, and every tick that is due by
//! then has run before it is taken. So when minute `m` begins, minute `m - 3` has been over for two minutes and is closed,
//! as long as the grace is no longer than that ([`MAX_GRACE_MS`]). A cell's state is one word `(minute, phase, writers)`:
//!
//! | phase | meaning of `minute` | who may move it on |
//! |---|---|---|
//! | free | the earliest minute that may still open the cell | a writer opens it; the closer raises the minute |
//! | open | the minute counted | writers enter and leave; the closer marks it closing |
//! | closing | the minute counted | writers leave; the closer frees it once `writers == 0` |
//!
//! A writer *enters* (one compare-and-swap that raises `writers`), adds with relaxed ordering, and *leaves* (one
//! decrement with release ordering). Because entering and marking act on the same word, a writer is either counted in
//! `writers` before the mark or turned away by it. The closer that reads `writers == 0` with acquire ordering in a
//! closing cell has therefore seen every add there ever was, and owns the counters until it frees the cell: it reads and
//! zeroes them with plain loads and stores (swapping each counter instead costs 9 ms for 1,000 devices). It never waits:
//! a cell with a writer inside is left for its next call. A freed cell carries the earliest minute it may hold next, so a
//! straggler cannot reopen a minute that was handed over.
//!
//! The counters of a power of two fill one cache line, and a mask tells which lines were touched, so closing reads a few
//! lines instead of 24. The protocol is model-checked: `cargo test --no-default-features --features loom --lib loom`.

// The model's one cell of one counter makes constant what is not.
#![cfg_attr(feature = "loom", allow(clippy::modulo_one, clippy::unnecessary_min_or_max))]

use std::fmt;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use bincode::{Decode, Encode};

use self::sync::{AtomicU32, AtomicU64, CELLS, EXTRAS, LINE, LINES};
use super::histogram::Histogram;
use super::time::Minute;

#[cfg(not(feature = "loom"))]
mod sync {
    pub(super) use std::sync::atomic::{AtomicU32, AtomicU64};

    /// Minutes that can be open at once.
    pub(super) const CELLS: usize = 3;
    /// Counters of one cache line: the buckets of a power of two.
    pub(super) const LINE: usize = 16;
    /// Lines of a cell.
    pub(super) const LINES: usize = crate::engine::histogram::BUCKETS / LINE;
    /// Counts beside the latencies.
    pub(super) const EXTRAS: usize = 5;
}

/// The model has one cell of one counter and its mark: loom keeps a history of every atomic, and the protocol is the same.
#[cfg(feature = "loom")]
mod sync {
    pub(super) use loom::sync::atomic::{AtomicU32, AtomicU64};

    pub(super) const CELLS: usize = 1;
    pub(super) const LINE: usize = 1;
    pub(super) const LINES: usize = 1;
    pub(super) const EXTRAS: usize = 1;
}

/// Longest grace after the end of a minute with which its cell is free again in time, in ms.
pub const MAX_GRACE_MS: i64 = 120_000;

const FREE: u64 = 0;
const OPEN: u64 = 1;
const CLOSING: u64 = 2;

const PHASE_SHIFT: u32 = 30;
const WRITERS: u64 = (1 << PHASE_SHIFT) - 1;

/// Counts of a slot beside its latencies.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct SlotCounts {
    /// Flows of the class.
    pub flows: u64,
    /// Flows that the box flagged.
    pub flagged: u64,
    /// Known-good probes sent through the box.
    pub canary: u64,
    /// Probes that were wrongly flagged.
    pub canary_flagged: u64,
    /// Flagged flows that a person released later.
    pub released: u64,
}

impl SlotCounts {
    /// Adds `other`, saturating.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in [
            (&mut self.flows, other.flows),
            (&mut self.flagged, other.flagged),
            (&mut self.canary, other.canary),
            (&mut self.canary_flagged, other.canary_flagged),
            (&mut self.released, other.released),
        ] {
            *mine = mine.saturating_add(theirs);
        }
    }

    /// Whether every count is zero.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A cell's state word, taken apart.
#[derive(Clone, Copy)]
struct State(u64);

impl State {
    const fn new(minute: Minute, phase: u64, writers: u64) -> Self {
        Self((minute.0 as u64) << 32 | phase << PHASE_SHIFT | writers)
    }

    const fn minute(self) -> Minute {
        Minute((self.0 >> 32) as u32)
    }

    const fn phase(self) -> u64 {
        (self.0 >> PHASE_SHIFT) & 3
    }

    const fn writers(self) -> u64 {
        self.0 & WRITERS
    }
}

/// Counters of one cache line.
#[repr(align(64))]
struct Line([AtomicU32; LINE]);

/// One open minute.
#[repr(align(64))]
struct Cell {
    state: AtomicU64,
    /// Bit `l`: line `l` may hold counts.
    touched: AtomicU32,
    extras: [AtomicU32; EXTRAS],
    lines: [Line; LINES],
}

impl Cell {
    fn new(floor: Minute) -> Self {
        Self {
            state: AtomicU64::new(State::new(floor, FREE, 0).0),
            touched: AtomicU32::new(0),
            extras: std::array::from_fn(|_| AtomicU32::new(0)),
            lines: std::array::from_fn(|_| Line(std::array::from_fn(|_| AtomicU32::new(0)))),
        }
    }

    /// Moves the counts out into `counts` and `histogram` and leaves zeros.
    ///
    /// Only for whoever owns the counters: the closer of a closing cell without writers.
    fn take(&self, counts: &mut SlotCounts, histogram: &mut Histogram) {
        self.read(counts, histogram);
        for line in self.touched_lines() {
            self.lines[line].0.iter().for_each(|counter| counter.store(0, Relaxed));
        }
        self.extras.iter().for_each(|counter| counter.store(0, Relaxed));
        self.touched.store(0, Relaxed);
    }

    /// Adds the counts to `counts` and `histogram`; exact only while no writer is inside.
    fn read(&self, counts: &mut SlotCounts, histogram: &mut Histogram) {
        for line in self.touched_lines() {
            let line_counts: [u32; LINE] = std::array::from_fn(|offset| self.lines[line].0[offset].load(Relaxed));
            histogram.add_run(line * LINE, &line_counts);
        }
        let [flows, flagged, canary, canary_flagged, released] =
            std::array::from_fn(|index| self.extras.get(index).map_or(0, |counter| u64::from(counter.load(Relaxed))));
        counts.merge(&SlotCounts { flows, flagged, canary, canary_flagged, released });
    }

    /// The lines that may hold counts, ascending.
    fn touched_lines(&self) -> impl Iterator<Item = usize> {
        let mut touched = self.touched.load(Relaxed);
        std::iter::from_fn(move || {
            let line = touched.trailing_zeros() as usize;
            touched &= touched.wrapping_sub(1);
            (line < LINES).then_some(line)
        })
    }
}

/// The open minutes of one device and class. 4.5 KiB.
pub struct OpenSlots {
    cells: [Cell; CELLS],
}

impl fmt::Debug for OpenSlots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let states = self.cells.iter().map(|cell| {
            let state = State(cell.state.load(Relaxed));
            (state.minute(), ["free", "open", "closing", "?"][state.phase() as usize], state.writers())
        });
        f.debug_list().entries(states).finish()
    }
}

/// The answer to a writer that wants to enter a minute.
#[derive(Debug)]
pub enum Entry<'a> {
    /// The minute is open, and stays so until the guard is dropped.
    Open(Recorder<'a>),
    /// The minute was closed, or a later one has taken its cell.
    Late,
    /// The cell still holds an earlier minute that has not been collected.
    Busy,
}

/// A cell that a closer marked or found closing: to be collected in the order of its minute.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Due {
    /// The minute that the cell counts.
    pub minute: Minute,
    cell: u8,
}

impl OpenSlots {
    /// Cells that take minutes from `floor` on.
    pub fn new(floor: Minute) -> Self {
        Self { cells: std::array::from_fn(|cell| Cell::new(earliest(cell, floor))) }
    }

    /// Enters `minute` for recording. Lock-free; does not allocate.
    pub fn enter(&self, minute: Minute) -> Entry<'_> {
        let cell = &self.cells[minute.0 as usize % CELLS];
        let mut word = cell.state.load(Relaxed);
        loop {
            let state = State(word);
            let next = match state.phase() {
                FREE if minute >= state.minute() => State::new(minute, OPEN, 1).0,
                OPEN if minute == state.minute() => word + 1,
                OPEN | CLOSING if minute > state.minute() => return Entry::Busy,
                _ => return Entry::Late,
            };
            // Acquire: the counters of a freed cell were zeroed before it was freed.
            match cell.state.compare_exchange_weak(word, next, Acquire, Relaxed) {
                Ok(_) => return Entry::Open(Recorder { cell }),
                Err(seen) => word = seen,
            }
        }
    }

    /// Closes every minute before `bound` and names the cells to collect, in no order. One closer at a time.
    ///
    /// After it no writer can enter a minute before `bound`.
    pub fn close_before(&self, bound: Minute, mut due: impl FnMut(Due)) {
        (0..CELLS).for_each(|index| self.close_cell(index, bound, &mut due));
    }

    /// As [`Self::close_before`], where an earlier closing with the bound `from` has left nothing to collect: looks at the
    /// cells of the minutes between only.
    pub fn close_between(&self, from: Minute, bound: Minute, mut due: impl FnMut(Due)) {
        let minutes = bound.since(from).clamp(0, CELLS as i64) as usize;
        (0..minutes).for_each(|ahead| self.close_cell((from.0 as usize + ahead) % CELLS, bound, &mut due));
    }

    fn close_cell(&self, index: usize, bound: Minute, due: &mut impl FnMut(Due)) {
        let cell = &self.cells[index];
        let mut word = cell.state.load(Relaxed);
        loop {
            let state = State(word);
            let next = match state.phase() {
                _ if state.minute() >= bound => return,
                FREE => State::new(earliest(index, bound), FREE, 0),
                OPEN => State::new(state.minute(), CLOSING, state.writers()),
                _ => return due(Due { minute: state.minute(), cell: index as u8 }),
            };
            // The order of the adds is settled in `collect`, which looks at `writers` again.
            match cell.state.compare_exchange_weak(word, next.0, AcqRel, Relaxed) {
                Ok(_) => word = next.0,
                Err(seen) => word = seen,
            }
        }
    }

    /// Moves the counts of a closing cell out and frees it; `false`, and nothing is touched, while a writer is inside.
    ///
    /// `bound` is the bound of the closing: the freed cell takes no minute before it.
    pub fn collect(&self, due: Due, bound: Minute, counts: &mut SlotCounts, histogram: &mut Histogram) -> bool {
        let cell = &self.cells[usize::from(due.cell)];
        // Acquire: pairs with the release of every writer that left (their decrements form one release sequence).
        let state = State(cell.state.load(Acquire));
        if state.phase() != CLOSING || state.minute() != due.minute || state.writers() > 0 {
            return false;
        }
        cell.take(counts, histogram);
        let floor = earliest(usize::from(due.cell), bound.max(due.minute.plus(1)));
        // Release: whoever opens the cell again finds zeros.
        cell.state.store(State::new(floor, FREE, 0).0, Release);
        true
    }

    /// Brings the counters of `minute` into the cache; the answer means nothing. In two steps, because the second has to
    /// know what the first has brought: see [`warm`](crate::engine::detector).
    pub fn warm(&self, minute: Minute, deep: bool) -> u32 {
        let cell = &self.cells[minute.0 as usize % CELLS];
        if deep {
            cell.touched_lines().fold(0, |sum, line| sum ^ cell.lines[line].0[0].load(Relaxed))
        } else {
            cell.touched.load(Relaxed)
        }
    }

    /// Whether no writer is inside any cell. With acquire ordering: then every add so far is visible.
    pub fn is_quiet(&self) -> bool {
        self.cells.iter().all(|cell| State(cell.state.load(Acquire)).writers() == 0)
    }

    /// Reads the minutes that are open or not yet collected, in no order. Exact only while [`Self::is_quiet`] holds and
    /// nobody enters or closes.
    pub fn peek(&self, mut slot: impl FnMut(Minute, &SlotCounts, &Histogram)) {
        for cell in &self.cells {
            let state = State(cell.state.load(Acquire));
            if state.phase() != FREE {
                let (mut counts, mut histogram) = (SlotCounts::default(), Histogram::new());
                cell.read(&mut counts, &mut histogram);
                slot(state.minute(), &counts, &histogram);
            }
        }
    }

    /// Makes `minute` open whatever its floor says, for a slot that is restored from an image, and enters it.
    ///
    /// `None` when the cell is taken by another minute: an image that no capture made.
    pub fn reopen(&mut self, minute: Minute) -> Option<Recorder<'_>> {
        let cell = &self.cells[minute.0 as usize % CELLS];
        let state = State(cell.state.load(Relaxed));
        if state.phase() != FREE && state.minute() != minute {
            return None;
        }
        cell.state.store(State::new(minute, OPEN, 1).0, Relaxed);
        Some(Recorder { cell })
    }
}

/// The earliest minute from `floor` on that lives in cell `cell`.
fn earliest(cell: usize, floor: Minute) -> Minute {
    let ahead = (cell + CELLS - floor.0 as usize % CELLS) % CELLS;
    floor.plus(ahead as i64)
}

/// The right to add to one open minute. Leaving is dropping it.
pub struct Recorder<'a> {
    cell: &'a Cell,
}

impl fmt::Debug for Recorder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Recorder").field(&State(self.cell.state.load(Relaxed)).minute()).finish()
    }
}

impl Recorder<'_> {
    /// Adds samples as `(bucket, count)`; a bucket outside the layout counts in the last one.
    pub fn add(&self, buckets: impl Iterator<Item = (u16, u32)>) {
        let mut touched = 0;
        for (index, count) in buckets {
            let index = usize::from(index).min(LINES * LINE - 1);
            self.cell.lines[index / LINE].0[index % LINE].fetch_add(count, Relaxed);
            touched |= 1 << (index / LINE);
        }
        // Read before write: after a minute's first report the lines are marked, and the word stays shared.
        if self.cell.touched.load(Relaxed) & touched != touched {
            self.cell.touched.fetch_or(touched, Relaxed);
        }
    }

    /// Adds the counts beside the latencies, in the order of [`SlotCounts`]: flows, flagged, canary, canary flagged,
    /// released.
    pub fn count(&self, extras: [u32; 5]) {
        for (counter, count) in self.cell.extras.iter().zip(extras) {
            if count > 0 {
                counter.fetch_add(count, Relaxed);
            }
        }
    }
}

impl Drop for Recorder<'_> {
    fn drop(&mut self) {
        // Release: the closer that sees this decrement sees the adds before it.
        self.cell.state.fetch_sub(1, Release);
    }
}

#[cfg(all(test, not(feature = "loom")))]
mod tests;

#[cfg(all(test, feature = "loom"))]
mod loom;
