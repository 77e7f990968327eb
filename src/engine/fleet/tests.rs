use super::*;
use crate::engine::device::TrafficClass;
use crate::engine::histogram::{Histogram, bucket_of};
use crate::engine::report::{Bucket, ClassReport};
use crate::engine::slots::SlotCounts;

/// 2026-11-22T00:00:00Z.
const EPOCH: i64 = 1_795_305_600_000;

/// A report of 10 s of https with `samples` samples of 1 ms, measured at `at_ms` after the epoch by a device that started a
/// day before.
fn report(boot: u64, seq: u64, at_ms: i64, samples: u32) -> Report {
    Report {
        boot,
        seq,
        uptime_ms: (86_400_000 + at_ms) as u64,
        start: EPOCH + at_ms,
        period_ms: 10_000,
        classes: vec![class(TrafficClass::Https, 0..1)],
        buckets: vec![Bucket { index: bucket_of(1_000) as u16, count: samples }],
        ..Report::default()
    }
}

fn class(class: TrafficClass, buckets: std::ops::Range<u32>) -> ClassReport {
    ClassReport { class, buckets, rules: 0..0, flows: 7, flagged: 2, canary: 5, canary_flagged: 1, released: 1 }
}

/// When a report of `at_ms` arrives: at its end.
fn arrival(at_ms: i64) -> Timestamp {
    Timestamp::from_ms(EPOCH + at_ms + 10_000)
}

fn minute(n: i64) -> Minute {
    Timestamp::from_ms(EPOCH).minute().plus(n)
}

type Closed = Vec<(TrafficClass, Minute, SlotCounts, Histogram)>;

fn close(device: &Device, bound: Minute) -> Closed {
    let mut closed = Vec::new();
    device.close_before(bound, |class, minute, counts, histogram| {
        closed.push((class, minute, *counts, histogram.clone()));
    });
    closed
}

#[test]
fn a_report_counts_in_the_minute_of_its_start_and_is_handed_over_once() {
    let fleet = Fleet::new(&Settings::default());
    for seq in 0..12 {
        let at_ms = seq as i64 * 10_000;
        let admitted = fleet.report("B-1", &report(1, seq, at_ms, 3), arrival(at_ms)).unwrap();
        assert_eq!(admitted, Admitted { minute: minute(seq as i64 / 6), late: false });
    }
    let device = fleet.get("B-1").unwrap();
    assert!(close(&device, minute(0)).is_empty());
    let closed = close(&device, minute(2));
    assert_eq!(closed.len(), 2);
    for (n, (class, at, counts, histogram)) in closed.into_iter().enumerate() {
        assert_eq!((class, at), (TrafficClass::Https, minute(n as i64)));
        assert_eq!(histogram.total(), 18);
        assert_eq!(counts, SlotCounts { flows: 42, flagged: 12, canary: 30, canary_flagged: 6, released: 6 });
    }
    assert!(close(&device, minute(2)).is_empty());
    assert!(device.take_inbox().is_empty());
}

#[test]
fn a_report_of_a_closed_minute_waits_in_the_inbox() {
    let fleet = Fleet::new(&Settings::default());
    fleet.report("B-1", &report(1, 0, 0, 3), arrival(0)).unwrap();
    let device = fleet.get("B-1").unwrap();
    assert_eq!(close(&device, minute(1)).len(), 1);
    for seq in [1, 2] {
        let at_ms = seq as i64 * 10_000;
        assert!(fleet.report("B-1", &report(1, seq, at_ms, 3), arrival(200_000)).unwrap().late);
    }
    let inbox = device.take_inbox();
    let counts = SlotCounts { flows: 14, flagged: 4, canary: 10, canary_flagged: 2, released: 2 };
    let buckets = vec![(bucket_of(1_000) as u16, 6)];
    assert_eq!(inbox.late, [LateFragment { minute: minute(0), class: TrafficClass::Https, buckets, counts }]);
    assert!(device.take_inbox().is_empty());
    assert_eq!((device.reports(), device.late(), device.missing()), (3, 2, 0));
}

#[test]
fn what_was_taken_is_not_taken_again() {
    let fleet = Fleet::new(&Settings::default());
    fleet.report("B-1", &report(1, 0, 0, 3), arrival(0)).unwrap();
    assert_eq!(fleet.report("B-1", &report(1, 0, 0, 3), arrival(5_000)), Err(Refusal::Duplicate));
    // Another boot, another report.
    fleet.report("B-1", &report(2, 0, 0, 3), arrival(0)).unwrap();
    let device = fleet.get("B-1").unwrap();
    assert_eq!(close(&device, minute(1))[0].3.total(), 6);
    assert_eq!((device.duplicates(), fleet.refused(Refusal::Duplicate)), (1, 1));
}
