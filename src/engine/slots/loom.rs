//! The protocol under every interleaving and every value that relaxed loads may see. The model has one cell, so that the
//! minute after the one that is closed opens the same cell again.
#![allow(clippy::unwrap_used)]

use ::loom::sync::{Arc, Mutex};
use ::loom::thread;

use super::*;

/// What one writer put into minute `minute`, or that it was turned away.
fn write(slots: &OpenSlots, minute: u32) -> Option<u32> {
    match slots.enter(Minute(minute)) {
        Entry::Open(recorder) => {
            recorder.add([(0, 1)].into_iter());
            Some(minute)
        }
        Entry::Late | Entry::Busy => None,
    }
}

/// One call of a closer: `(minute, samples)` of each slot that it could collect.
fn close(slots: &OpenSlots, bound: u32) -> Vec<(u32, u64)> {
    let mut closed = Vec::new();
    slots.close_before(Minute(bound), |due| {
        let (mut counts, mut histogram) = (SlotCounts::default(), Histogram::new());
        if slots.collect(due, Minute(bound), &mut counts, &mut histogram) {
            closed.push((due.minute.0, histogram.total()));
        }
    });
    closed
}

/// Every sample that a writer was let in with is in exactly one collected slot, that of its minute, and no minute is
/// collected twice.
fn assert_exact(written: &[Option<u32>], closed: &[(u32, u64)]) {
    for minute in 0..2 {
        let wanted = written.iter().filter(|&&entered| entered == Some(minute)).count() as u64;
        let mut slots = closed.iter().filter(|slot| slot.0 == minute);
        assert_eq!(slots.next().map_or(0, |slot| slot.1), wanted, "minute {minute}");
        assert!(slots.next().is_none(), "minute {minute} came twice");
    }
}

/// Runs two writers against a closer, then collects what is left. `preemptions` bounds how often a thread is interrupted
/// in one run; without it every interleaving is tried.
fn race(minutes: [u32; 2], bounds: &'static [u32], preemptions: Option<usize>) {
    let mut model = ::loom::model::Builder::new();
    model.preemption_bound = preemptions;
    model.check(move || {
        let slots = Arc::new(OpenSlots::new(Minute(0)));
        let writers = [0, 1].map(|at| {
            let slots = Arc::clone(&slots);
            thread::spawn(move || write(&slots, minutes[at]))
        });
        let mut closed: Vec<_> = bounds.iter().flat_map(|&bound| close(&slots, bound)).collect();
        let written = writers.map(|writer| writer.join().unwrap());
        closed.extend(close(&slots, 2));
        assert_exact(&written, &closed);
    });
}

#[test]
fn one_writer_and_a_closer_that_comes_twice() {
    let mut model = ::loom::model::Builder::new();
    model.preemption_bound = None;
    model.check(|| {
        let slots = Arc::new(OpenSlots::new(Minute(0)));
        let writer = {
            let slots = Arc::clone(&slots);
            thread::spawn(move || [write(&slots, 0), write(&slots, 0), write(&slots, 1)])
        };
        let mut closed = close(&slots, 1);
        closed.extend(close(&slots, 1));
        let written = writer.join().unwrap();
        closed.extend(close(&slots, 2));
        assert_exact(&written, &closed);
    });
}

#[test]
fn two_writers_of_a_minute_that_is_closed_under_them() {
    race([0, 0], &[1], Some(5));
}

#[test]
fn a_cell_is_opened_again_for_the_next_minute() {
    race([0, 1], &[1], None);
}

#[test]
fn a_cell_is_closed_twice_while_it_is_opened_again() {
    race([0, 1], &[1, 2], Some(5));
}

/// The checkpoint's way: nobody enters while the lock is held, and who is inside is waited for.
#[test]
fn a_capture_sees_a_report_wholly_or_not_at_all() {
    ::loom::model(|| {
        let slots = Arc::new(OpenSlots::new(Minute(0)));
        let marked = Arc::new(Mutex::new(0));
        let writer = {
            let (slots, marked) = (Arc::clone(&slots), Arc::clone(&marked));
            thread::spawn(move || {
                let mut admission = marked.lock().unwrap();
                let Entry::Open(recorder) = slots.enter(Minute(0)) else { panic!("nobody closes") };
                *admission += 1;
                drop(admission);
                recorder.add([(0, 1)].into_iter());
            })
        };
        let admission = marked.lock().unwrap();
        while !slots.is_quiet() {
            thread::yield_now();
        }
        let mut samples = 0;
        slots.peek(|_, _, histogram| samples += histogram.total());
        assert_eq!(samples, *admission);
        drop(admission);
        writer.join().unwrap();
    });
}
