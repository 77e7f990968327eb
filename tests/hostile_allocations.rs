//! Ten thousand hostile payloads: each has a stable reason, and none makes the decoder allocate more than 64 KiB and four
//! times its own size, not even for a moment.
//!
//! The allocator of this test binary counts the bytes that the measuring thread holds.
#![allow(unsafe_code)] // a global allocator cannot be written without it

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeMap;

use fleetwatch::engine::wire::{DecodeError, Decoder, Limits};

#[path = "support/hostile.rs"]
mod hostile;

use hostile::{DEVICE, Hostile, Kind};

struct Counting;

thread_local! {
    /// Bytes held by this thread since the measurement began (less than zero once it frees older memory), their peak,
    /// and the number of allocations.
    static HELD: Cell<(isize, isize, u32)> = const { Cell::new((0, 0, 0)) };
}

/// Counts a change of `size` bytes. A thread that is ending has no counter left, and nothing to measure.
fn count(size: isize) {
    let _ = HELD.try_with(|held| {
        let (now, peak, calls) = held.get();
        held.set((now + size, peak.max(now + size), calls + u32::from(size > 0)));
    });
}

// SAFETY: every call is passed on unchanged to the system's allocator, which upholds the contract; the counting beside it
// touches only a thread-local cell that is made without allocating.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's layout, as it came.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller's pointer and layout, as they came.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // Old and new may exist side by side while the bytes are copied: both count.
        count(new_size as isize);
        count(-(layout.size() as isize));
        // SAFETY: the caller's pointer, layout and size, as they came.
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The peak in bytes above what was held before, the number of allocations, and what `work` returned.
fn measured<T>(work: impl FnOnce() -> T) -> (usize, u32, T) {
    HELD.with(|held| held.set((0, 0, 0)));
    let result = work();
    let (_, peak, calls) = HELD.with(Cell::get);
    (peak.max(0) as usize, calls, result)
}

fn decode(decoder: &mut Decoder, hostile: &Hostile) -> Result<(), DecodeError> {
    match hostile.kind {
        Kind::Report => decoder.report(DEVICE, &hostile.payload).map(drop),
        Kind::Status => decoder.status(DEVICE, &hostile.payload).map(drop),
    }
}

fn excerpt(payload: &[u8]) -> String {
    String::from_utf8_lossy(&payload[..payload.len().min(300)]).into_owned()
}

#[test]
fn each_hostile_payload_has_a_stable_reason_and_stays_small() {
    let mut kept = Decoder::new(Limits::default());
    let mut reasons: BTreeMap<&str, u32> = BTreeMap::new();
    let mut refused = 0;
    let count = hostile::each(&mut |hostile| {
        let length = hostile.payload.len();
        let mut fresh = Decoder::new(Limits::default());
        for decoder in [&mut fresh, &mut kept] {
            let (peak, _, result) = measured(|| decode(decoder, &hostile));
            assert!(peak <= 64 * 1024 + 4 * length, "{peak} bytes for {length}: {}", excerpt(&hostile.payload));
            let reason = result.err().map(|error| error.reason());
            if let Some(expected) = hostile.reason {
                let expected = Some(expected).filter(|reason| !reason.is_empty());
                assert_eq!(reason, expected, "{}", excerpt(&hostile.payload));
            }
            assert!(reason.is_none_or(|reason| DecodeError::REASONS.contains(&reason)));
        }
        let (first, second) = (decode(&mut fresh, &hostile), decode(&mut kept, &hostile));
        assert_eq!(first, second, "{}", excerpt(&hostile.payload));
        let left_out = kept.left_out().first().map(|(_, why)| why.reason());
        assert!(left_out.is_none_or(|why| DecodeError::LEFT_OUT_REASONS.contains(&why)), "{left_out:?}");
        if let Some(reason) = first.err().map(|error| error.reason()).or(left_out) {
            refused += 1;
            *reasons.entry(reason).or_insert(0) += 1;
        }
    });
    println!("{count} payloads, {refused} refused or not used whole: {reasons:?}");
    assert!(refused >= 10_000, "only {refused} of {count} were not used whole");
    assert!(reasons.len() >= 20, "{reasons:?}");
}

#[test]
fn forty_bytes_that_promise_gigabytes_cost_next_to_nothing() {
    let mut decoder = Decoder::new(Limits::default());
    for length in [0, u32::MAX] {
        let mut payload = b"\x01\x06B-0042\x07\x07\x07\x02\x0a\x01\x00\x01\x02\x28".to_vec();
        payload.extend(0x1C84_9313_u32.to_be_bytes());
        payload.extend(length.to_be_bytes());
        payload
            .extend([0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 1, 0x3F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]);
        payload.extend(1.0_f64.to_be_bytes());
        payload.extend([0; 6]);
        let (peak, _, result) = measured(|| decoder.report(DEVICE, &payload).map(drop));
        assert!(peak <= 1024, "{peak} bytes");
        assert_eq!((result.is_ok(), decoder.left_out().is_empty()), (true, length == 0), "{result:?}");
    }
}

#[test]
fn a_warm_decoder_does_not_allocate_for_reports() {
    let mut decoder = Decoder::new(Limits::default());
    hostile::each_valid_report(&mut |payload| {
        decoder.report(DEVICE, payload).unwrap();
        let (_, calls, _) = measured(|| decoder.report(DEVICE, payload).map(drop).unwrap());
        assert_eq!(calls, 0, "{}", excerpt(payload));
    });
}
