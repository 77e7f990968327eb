//! One device of the fleet: its admission, its open minutes, its inbox.

use std::fmt;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::admission::Admission;
use super::budget::Allowance;
use super::image::{DeviceImage, SlotImage};
use super::inbox::Inbox;
use super::ledger::{Ledger, OverBudget, Refused};
use super::proof::Proof;
use super::rules::RuleCounts;
use super::{Admitted, Refusal};
use crate::engine::device::{DeviceId, Label, Status, TrafficClass};
use crate::engine::histogram::Histogram;
use crate::engine::report::{ClassReport, Report};
use crate::engine::slots::{Due, Entry, OpenSlots, Recorder, SlotCounts};
use crate::engine::time::{Minute, Timestamp};

/// Most samples, flows or flags of one class in one report. With the 240 reports a minute that the rate limit lets
/// through, a counter of 32 bits cannot wrap.
pub const MAX_COUNT_PER_REPORT: u64 = 1 << 24;

const CLASSES: usize = TrafficClass::COUNT;

/// What closing slots works in, kept from device to device: no memory is taken for each.
#[derive(Debug, Default)]
pub struct Closing {
    due: Vec<(Due, usize)>,
    histogram: Histogram,
}

/// One device: shared by ingest, which records into it, and the decision task, which closes its minutes.
pub struct Device {
    id: DeviceId,
    index: AtomicU32,
    expected: AtomicBool,
    admission: Mutex<Admission>,
    /// Taken for a moment, under the lock of the admission or without.
    ledger: Mutex<Ledger>,
    /// Open minutes by class; a class takes memory from its first report on.
    classes: [OnceLock<Box<OpenSlots>>; CLASSES],
    /// Minutes before this one are closed, as in `admission`: to see without the lock that there is nothing to do.
    closed_before: AtomicU32,
    /// A closed minute could not be collected yet, because a writer was inside.
    deferred: AtomicBool,
    /// The inbox may hold something.
    has_mail: AtomicBool,
    duplicates: AtomicU64,
    shared: Arc<Shared>,
}

/// What the devices of a fleet share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// The latest bound of the fleet, where the devices that come later begin.
    pub(super) floor: AtomicU32,
    /// Indices of the devices whose inbox has begun to fill.
    pub(super) mail: Mutex<Vec<u32>>,
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Device").field("id", &self.id).field("index", &self.index()).finish_non_exhaustive()
    }
}

impl Device {
    pub(super) fn new(id: DeviceId, index: usize, expected: bool, shared: Arc<Shared>) -> Self {
        let floor = Minute(shared.floor.load(Relaxed));
        Self::with_admission(id, (index, expected), Admission::new(floor), Proof::default(), shared)
    }

    fn with_admission(
        id: DeviceId,
        (index, expected): (usize, bool),
        admission: Admission,
        proof: Proof,
        shared: Arc<Shared>,
    ) -> Self {
        Self {
            id,
            index: AtomicU32::new(index as u32),
            expected: AtomicBool::new(expected),
            closed_before: AtomicU32::new(admission.closed_before.0),
            has_mail: AtomicBool::new(!admission.inbox.is_empty()),
            admission: Mutex::new(admission),
            ledger: Mutex::new(Ledger { proof, ..Ledger::default() }),
            classes: [const { OnceLock::new() }; CLASSES],
            deferred: AtomicBool::new(false),
            duplicates: AtomicU64::new(0),
            shared,
        }
    }

    /// The device's id.
    pub fn id(&self) -> &DeviceId {
        &self.id
    }

    /// The device's number in the fleet: dense, from 0, in the order of registration. It changes when a device before it is
    /// [forgotten](super::Fleet::forget).
    pub fn index(&self) -> usize {
        self.index.load(Relaxed) as usize
    }

    pub(super) fn set_index(&self, index: usize) {
        self.index.store(index as u32, Relaxed);
    }

    /// Whether the device is on the list of expected ones.
    pub fn is_expected(&self) -> bool {
        self.expected.load(Relaxed)
    }

    pub(super) fn set_expected(&self, expected: bool) {
        self.expected.store(expected, Relaxed);
    }

    /// A panic while the lock was held leaves consistent state: judging changes nothing, and `commit` cannot panic.
    fn lock(&self) -> MutexGuard<'_, Admission> {
        self.admission.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the device is expected or has [proved itself](super::proof).
    pub fn is_proved(&self) -> bool {
        self.is_expected() || self.ledger().proof.is_proved()
    }

    /// How far the device has proved to be one.
    pub fn proof(&self) -> Proof {
        self.ledger().proof
    }

    /// What was refused because it was too much; `None` when nothing was.
    pub fn over_budget(&self) -> Option<OverBudget> {
        self.ledger().over
    }

    /// Notes that a message of the device was refused. A row of refusals begins anew with each other reason, and once a report
    /// has been taken.
    pub fn note_refused(&self, reason: &'static str, field: Option<&'static str>, at: Timestamp) {
        let taken = self.last_arrival();
        let mut ledger = self.ledger();
        ledger.refused = Some(Refused::after(ledger.refused, (reason, field), taken, at));
    }

    /// What was refused since the newest report that was taken; `None` when nothing was.
    pub fn refused(&self) -> Option<Refused> {
        let taken = self.last_arrival();
        self.ledger().refused.filter(|known| taken.is_none_or(|taken| taken <= known.last))
    }

    /// Pays for a message of `bytes`, a newcomer from `newcomers` as well. Nothing is paid when either is used up.
    pub(super) fn charge(
        &self,
        allowance: &Allowance,
        bytes: u64,
        now: Timestamp,
        newcomers: impl FnOnce() -> bool,
    ) -> Result<(), Refusal> {
        let mut ledger = self.ledger();
        let is_newcomer = !self.is_expected() && !ledger.proof.is_proved();
        ledger.spent.settle(allowance, now);
        match ledger.spent.after(allowance, bytes, now) {
            Some(spent) if !is_newcomer || newcomers() => ledger.spent = spent,
            _ => {
                let messages = ledger.over.map_or(0, |over| over.messages);
                ledger.over = Some(OverBudget { messages: messages + 1, last: now });
                return Err(Refusal::OverBudget);
            }
        }
        Ok(())
    }

    /// Takes a report: all of it, or nothing.
    pub(super) fn report(&self, report: &Report, arrival: Timestamp) -> Result<Admitted, Refusal> {
        if report.classes.iter().any(|class| !is_countable(report, class)) {
            return Err(Refusal::Excessive);
        }
        let mut entered = [const { None }; CLASSES];
        let mut late = 0;
        let (minute, is_late);
        {
            let mut admission = self.lock();
            let plan = match admission.plan(report, arrival) {
                Ok(plan) => plan,
                Err(refusal) => {
                    admission.refuse(report, refusal, arrival);
                    self.duplicates.fetch_add(u64::from(refusal == Refusal::Duplicate), Relaxed);
                    return Err(refusal);
                }
            };
            minute = plan.minute;
            for (at, class) in report.classes.iter().enumerate().take(CLASSES) {
                match self.slots(class.class, admission.closed_before).enter(minute) {
                    Entry::Open(recorder) => entered[at] = Some(recorder),
                    Entry::Late => late |= 1 << at,
                    Entry::Busy => return Err(Refusal::Busy),
                }
            }
            if late != 0 {
                self.put_late(&mut admission.inbox, report, minute, late)?;
            }
            // A report without classes has no cell to ask.
            is_late = late != 0 || minute < admission.closed_before;
            admission.commit(plan, report, arrival, is_late);
            self.ledger().proof.note(arrival);
        }
        for (recorder, class) in entered.iter().zip(&report.classes) {
            if let Some(recorder) = recorder {
                record(recorder, report, class);
            }
        }
        Ok(Admitted { minute, late: is_late })
    }

    /// The open minutes of a class. Called with the admission lock held, so `floor` is current.
    fn slots(&self, class: TrafficClass, floor: Minute) -> &OpenSlots {
        self.classes[class.index()].get_or_init(|| Box::new(OpenSlots::new(floor)))
    }

    /// Puts the classes of the set `late` into the inbox, if all of them have room.
    fn put_late(&self, inbox: &mut Inbox, report: &Report, minute: Minute, late: u32) -> Result<(), Refusal> {
        let classes =
            || report.classes.iter().enumerate().filter(|(at, _)| late & (1 << at) != 0).map(|(_, class)| class);
        let buckets = classes().map(|class| class.buckets.len()).sum();
        if !inbox.has_room(late.count_ones() as usize, buckets) {
            return Err(Refusal::Busy);
        }
        for class in classes() {
            let fragment = inbox.fragment(minute, class.class);
            for bucket in report.buckets_of(class) {
                fragment.add(bucket.index, bucket.count);
            }
            fragment.counts.merge(&counts_of(class));
        }
        self.tell_of_mail();
        Ok(())
    }

    /// Called with the admission lock held, as [`Self::take_inbox`] takes it.
    fn tell_of_mail(&self) {
        if !self.has_mail.swap(true, Release) {
            self.shared.mail.lock().unwrap_or_else(PoisonError::into_inner).push(self.index.load(Relaxed));
        }
    }

    pub(super) fn status(&self, status: Status, retained: bool, arrival: Timestamp) {
        let mut admission = self.lock();
        admission.note(status, retained, arrival);
        self.ledger().proof.hear(arrival);
        self.tell_of_mail();
    }

    /// Closes the minutes before `bound` and hands each class and minute that has data to `slot`, in ascending order of
    /// minute, then class. For the decision task alone; cheap when nothing is due.
    ///
    /// Each class and minute comes at most once, ever; what arrives after it comes as a [`LateFragment`]. A minute in which a
    /// recording is going on this very moment is left for the next call, so it can come after a later minute.
    ///
    /// [`LateFragment`]: super::LateFragment
    pub fn close_before(
        &self,
        bound: Minute,
        closing: &mut Closing,
        mut slot: impl FnMut(TrafficClass, Minute, &SlotCounts, &Histogram),
    ) {
        let closed = Minute(self.closed_before.load(Relaxed));
        let deferred = self.deferred.load(Relaxed);
        if bound <= closed && !deferred {
            return;
        }
        let bound = bound.max(closed);
        // Under the lock, so that a class which is touched for the first time begins with this bound.
        self.lock().closed_before = bound;
        self.closed_before.store(bound.0, Relaxed);
        if self.shared.floor.load(Relaxed) < bound.0 {
            self.shared.floor.fetch_max(bound.0, Relaxed);
        }
        let Closing { due, histogram } = closing;
        due.clear();
        for (index, slots) in self.opened() {
            let note = |cell| due.push((cell, index));
            if deferred {
                slots.close_before(bound, note);
            } else {
                slots.close_between(closed, bound, note);
            }
        }
        due.sort_unstable_by_key(|&(cell, index)| (cell.minute, index));
        let mut left = false;
        for &(cell, index) in &*due {
            let (Some(slots), Some(class)) = (self.classes[index].get(), TrafficClass::from_index(index)) else {
                continue;
            };
            let mut counts = SlotCounts::default();
            histogram.clear();
            if !slots.collect(cell, bound, &mut counts, histogram) {
                left = true;
            } else if !(counts.is_empty() && histogram.is_empty()) {
                slot(class, cell.minute, &counts, histogram);
            }
        }
        self.deferred.store(left, Relaxed);
    }

    /// Whether the last closing has left a minute, because a recording was going on in it.
    pub fn has_deferred(&self) -> bool {
        self.deferred.load(Relaxed)
    }

    /// Brings into the cache what closing `minute` will read; the answer means nothing. Depth by depth, from 0 to 2: each needs
    /// to have the one before.
    pub fn warm(&self, minute: Minute, depth: u8) -> u32 {
        if depth == 0 {
            return u32::from(self.admission.is_poisoned()) ^ self.closed_before.load(Relaxed);
        }
        self.opened().fold(0, |sum, (_, slots)| sum ^ slots.warm(minute, depth > 1))
    }

    fn opened(&self) -> impl Iterator<Item = (usize, &OpenSlots)> {
        self.classes.iter().enumerate().filter_map(|(index, slots)| slots.get().map(|slots| (index, &**slots)))
    }

    /// Takes what waits for the decision task. One atomic load when nothing does.
    pub fn take_inbox(&self) -> Inbox {
        if !self.has_mail.load(Acquire) {
            return Inbox::default();
        }
        let mut admission = self.lock();
        self.has_mail.store(false, Relaxed);
        std::mem::take(&mut admission.inbox)
    }

    /// Event time of an instant of the device's wall clock during `boot`; `None` for a boot that has not reported.
    ///
    /// Exact as long as the wall clock was not stepped between that instant and the boot's newest report.
    pub fn event_time_of_wall(&self, boot: u64, wall_ms: i64) -> Option<Timestamp> {
        self.lock().event_time_of_wall(boot, wall_ms)
    }

    /// When the newest report that was taken arrived.
    pub fn last_arrival(&self) -> Option<Timestamp> {
        self.lock().last_arrival
    }

    /// Whether live reports have come since the device's will.
    pub fn is_back(&self) -> bool {
        self.lock().is_back()
    }

    /// Sequence numbers between the lowest and the highest of each boot that have not arrived. Falls when they do.
    pub fn missing(&self) -> u64 {
        self.lock().missing()
    }

    /// Reports dropped because they had been taken before, since the start of the process.
    pub fn duplicates(&self) -> u64 {
        self.duplicates.load(Relaxed)
    }

    /// Reports taken after their minute had closed.
    pub fn late(&self) -> u64 {
        self.lock().late
    }

    /// Reports taken.
    pub fn reports(&self) -> u64 {
        self.lock().reports
    }

    /// Reports timed by their arrival, because their uptime was beyond belief.
    pub fn untimed(&self) -> u64 {
        self.lock().untimed
    }

    /// Boots with reports from the ten minutes before `now`; counts to 8.
    pub fn recent_boots(&self, now: Timestamp) -> u32 {
        self.lock().recent_boots(now)
    }

    /// Wall clock minus event time at the newest report, in ms; positive when the wall clock is ahead.
    pub fn clock_offset_ms(&self) -> Option<i64> {
        self.lock().clock_offset_ms()
    }

    /// The detection rules that flagged traffic of `class`, with their flags before an event that lasted from `start` to `end` and
    /// in it.
    pub fn rules(&self, class: TrafficClass, start: Minute, end: Minute, each: impl FnMut(&Label, RuleCounts)) {
        self.lock().rules.of(class, start, end, each);
    }

    /// Bytes that the device takes, apart from what waits in its inbox.
    pub fn memory_bytes(&self) -> usize {
        let slots = self.opened().count() * size_of::<OpenSlots>();
        size_of::<Self>() + self.id.as_str().len() + slots + self.lock().heap_bytes()
    }

    /// The device as of one instant: a report is wholly in it, its sequence number marked, or not at all.
    ///
    /// Ingest goes on elsewhere; this device's waits for the copying. For the decision task, which alone closes minutes.
    pub fn capture(&self) -> DeviceImage {
        let admission = self.lock();
        // Nobody enters while the lock is held, and who is inside leaves within a report's adds.
        while self.opened().any(|(_, slots)| !slots.is_quiet()) {
            std::thread::yield_now();
        }
        let mut slots = Vec::new();
        for (index, open) in self.opened() {
            let Some(class) = TrafficClass::from_index(index) else { continue };
            open.peek(|minute, counts, histogram| {
                if !(counts.is_empty() && histogram.is_empty()) {
                    let buckets = histogram.buckets().map(|(index, count)| (index as u16, count)).collect();
                    slots.push(SlotImage { class, minute, counts: *counts, buckets });
                }
            });
        }
        slots.sort_by_key(|slot| (slot.class, slot.minute));
        let proof = self.proof();
        DeviceImage { id: self.id.clone(), expected: self.is_expected(), admission: admission.clone(), slots, proof }
    }

    /// The device that [`Self::capture`] saw, at `index` of a fleet. Never panics, whatever the image holds.
    pub(super) fn restore(image: DeviceImage, index: usize, shared: Arc<Shared>) -> Self {
        let floor = image.admission.closed_before;
        shared.floor.fetch_max(floor.0, Relaxed);
        let device = Self::with_admission(image.id, (index, image.expected), image.admission, image.proof, shared);
        let mut opened: [Option<Box<OpenSlots>>; CLASSES] = [const { None }; CLASSES];
        for slot in image.slots {
            let open = opened[slot.class.index()].get_or_insert_with(|| Box::new(OpenSlots::new(floor)));
            if let Some(recorder) = open.reopen(slot.minute) {
                recorder.add(slot.buckets.iter().copied());
                let SlotCounts { flows, flagged, canary, canary_flagged, released } = slot.counts;
                recorder.count(
                    [flows, flagged, canary, canary_flagged, released].map(|n| u32::try_from(n).unwrap_or(u32::MAX)),
                );
            }
            if slot.minute < floor {
                device.deferred.store(true, Relaxed);
            }
        }
        for (place, open) in device.classes.iter().zip(opened) {
            if let Some(open) = open {
                // A fresh device: every place is empty.
                let _ = place.set(open);
            }
        }
        device
    }
}

/// Whether the counters have room for what the report says of a class.
fn is_countable(report: &Report, class: &ClassReport) -> bool {
    let samples: u64 = report.buckets_of(class).iter().map(|bucket| u64::from(bucket.count)).sum();
    let extras = [class.flows, class.flagged, class.canary, class.canary_flagged, class.released];
    samples < MAX_COUNT_PER_REPORT && extras.iter().all(|&count| u64::from(count) < MAX_COUNT_PER_REPORT)
}

fn record(recorder: &Recorder<'_>, report: &Report, class: &ClassReport) {
    recorder.add(report.buckets_of(class).iter().map(|bucket| (bucket.index, bucket.count)));
    recorder.count([class.flows, class.flagged, class.canary, class.canary_flagged, class.released]);
}

fn counts_of(class: &ClassReport) -> SlotCounts {
    SlotCounts {
        flows: class.flows.into(),
        flagged: class.flagged.into(),
        canary: class.canary.into(),
        canary_flagged: class.canary_flagged.into(),
        released: class.released.into(),
    }
}
