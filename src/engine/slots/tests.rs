use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::thread;

use super::*;

fn collect(slots: &OpenSlots, bound: u32) -> Vec<(u32, u64)> {
    let mut closed = Vec::new();
    slots.close_before(Minute(bound), |due| {
        let (mut counts, mut histogram) = (SlotCounts::default(), Histogram::new());
        if slots.collect(due, Minute(bound), &mut counts, &mut histogram) {
            assert_eq!(counts.flows, histogram.total());
            closed.push((due.minute.0, histogram.total()));
        }
    });
    closed.sort_unstable();
    closed
}

fn put(slots: &OpenSlots, minute: u32, bucket: u16) -> bool {
    let Entry::Open(recorder) = slots.enter(Minute(minute)) else { return false };
    recorder.add([(bucket, 2)].into_iter());
    recorder.count([2, 0, 0, 0, 0]);
    true
}

#[test]
fn three_minutes_are_open_at_once_and_a_fourth_waits() {
    let slots = OpenSlots::new(Minute(10));
    assert!(matches!(slots.enter(Minute(9)), Entry::Late));
    for minute in 10..13 {
        assert!(put(&slots, minute, 0));
    }
    assert!(matches!(slots.enter(Minute(13)), Entry::Busy));
    assert_eq!(collect(&slots, 12), [(10, 2), (11, 2)]);
    assert!(matches!(slots.enter(Minute(11)), Entry::Late));
    assert!(put(&slots, 14, 367));
    assert_eq!(collect(&slots, 20), [(12, 2), (14, 2)]);
    assert!(matches!(slots.enter(Minute(19)), Entry::Late));
    assert!(matches!(slots.enter(Minute(20)), Entry::Open(_)));
}

#[test]
fn a_minute_with_a_writer_inside_is_left_for_the_next_call() {
    let slots = OpenSlots::new(Minute(0));
    let Entry::Open(recorder) = slots.enter(Minute(0)) else { panic!() };
    assert!(!slots.is_quiet());
    assert_eq!(collect(&slots, 1), []);
    assert!(matches!(slots.enter(Minute(0)), Entry::Late));
    assert!(matches!(slots.enter(Minute(3)), Entry::Busy));
    recorder.add([(3, 5), (3, 1)].into_iter());
    recorder.count([6, 0, 0, 0, 0]);
    drop(recorder);
    assert_eq!(collect(&slots, 1), [(0, 6)]);
    assert!(put(&slots, 3, 3));
    assert_eq!(collect(&slots, 4), [(3, 2)]);
}

#[test]
fn a_class_takes_four_and_a_half_kibibytes() {
    assert_eq!(size_of::<OpenSlots>(), 4_608);
}

/// The latest moment at which a minute may still be open, against the earliest at which its cell is wanted again.
#[test]
fn a_cell_is_free_before_its_next_minute_begins() {
    const MINUTE_MS: i64 = 60_000;
    let closed_ms = MINUTE_MS + MAX_GRACE_MS;
    assert_eq!(closed_ms % crate::engine::detector::TICK_MS, 0, "the tick comes at that very moment");
    assert!(closed_ms <= CELLS as i64 * MINUTE_MS);
}

#[test]
fn closing_from_the_last_bound_on_finds_what_closing_everything_does() {
    for step in 1..6 {
        let (all, between) = (OpenSlots::new(Minute(0)), OpenSlots::new(Minute(0)));
        let mut from = 0;
        for minute in (0..40).step_by(2) {
            assert_eq!(put(&all, minute, 1), put(&between, minute, 1));
            let bound = (minute / step * step).max(from);
            let mut seen = Vec::new();
            between.close_between(Minute(from), Minute(bound), |due| {
                assert!(between.collect(due, Minute(bound), &mut SlotCounts::default(), &mut Histogram::new()));
                seen.push((due.minute.0, 2));
            });
            seen.sort_unstable();
            assert_eq!(collect(&all, bound), seen, "from {from} to {bound}");
            for before in from..bound {
                assert!(matches!(between.enter(Minute(before)), Entry::Late));
            }
            from = bound;
        }
    }
}

/// Real threads, real reordering: three writers walk through the minutes while the closer follows them.
#[test]
fn every_sample_is_counted_once_under_stress() {
    const MINUTES: u32 = 300;
    let slots = OpenSlots::new(Minute(0));
    let (now, done, begun) = (AtomicU32::new(0), AtomicBool::new(false), AtomicU32::new(0));
    let mut closed: BTreeMap<u32, u64> = BTreeMap::new();
    let written = thread::scope(|scope| {
        let writers: Vec<_> = (0..3u16)
            .map(|writer| {
                let (slots, now, done, begun) = (&slots, &now, &done, &begun);
                scope.spawn(move || {
                    let mut written = vec![0u64; MINUTES as usize];
                    let mut turn = 0u16;
                    assert!(put(slots, 0, writer));
                    written[0] += 2;
                    begun.fetch_add(1, Relaxed);
                    while !done.load(Relaxed) {
                        turn = (turn + 1) % 400;
                        // Also a minute behind and a minute ahead: late, and early.
                        let minute = (now.load(Relaxed) + u32::from(turn % 3)).saturating_sub(1).min(MINUTES - 1);
                        if put(slots, minute, turn + writer) {
                            written[minute as usize] += 2;
                        }
                    }
                    written
                })
            })
            .collect();
        // On a busy machine the closer would be through before the first writer has begun.
        while begun.load(Relaxed) < 3 {
            thread::yield_now();
        }
        for minute in 1..=MINUTES {
            now.store(minute, Relaxed);
            for _ in 0..4 {
                thread::yield_now();
                for (at, samples) in collect(&slots, minute) {
                    assert_eq!(closed.insert(at, samples), None, "minute {at} came twice");
                }
            }
        }
        done.store(true, Relaxed);
        let mut total = vec![0; MINUTES as usize];
        for writer in writers {
            writer.join().unwrap().into_iter().zip(&mut total).for_each(|(samples, sum)| *sum += samples);
        }
        total
    });
    for (at, samples) in collect(&slots, MINUTES) {
        assert_eq!(closed.insert(at, samples), None, "minute {at} came twice");
    }
    assert!(written.iter().sum::<u64>() > 0);
    for (minute, samples) in written.into_iter().enumerate() {
        assert_eq!(closed.remove(&(minute as u32)).unwrap_or(0), samples, "minute {minute}");
    }
}
