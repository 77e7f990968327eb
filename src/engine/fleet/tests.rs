use std::collections::BTreeMap;

use super::*;
use crate::engine::device::TrafficClass;
use crate::engine::histogram::{Histogram, bucket_of};
use crate::engine::report::{Bucket, ClassReport};
use crate::engine::slots::SlotCounts;
use crate::engine::time::Minute;

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
    device.close_before(bound, &mut Closing::default(), |class, minute, counts, histogram| {
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

/// What a device has taken, wherever it stands: samples by minute.
fn tally(device: &Device, known: &mut BTreeMap<Minute, u64>, bound: Minute) {
    for (_, at, _, histogram) in close(device, bound) {
        *known.entry(at).or_default() += histogram.total();
    }
    for fragment in device.take_inbox().late {
        *known.entry(fragment.minute).or_default() += fragment.buckets.iter().map(|&(_, n)| u64::from(n)).sum::<u64>();
    }
}

/// An hour's outage: `at_ms` of every report, in the order of sending.
fn hour() -> impl Iterator<Item = (u64, i64)> {
    (0..360).map(|seq| (seq, seq as i64 * 10_000))
}

#[test]
fn an_hour_that_arrives_at_once_fills_the_minutes_it_was_measured_in() {
    for known_boot in [true, false] {
        let fleet = Fleet::new(&Settings::default());
        if known_boot {
            fleet.report("B-1", &report(1, 1_000, -60_000, 1), arrival(-60_000)).unwrap();
        }
        let device = fleet.expect(DeviceId::parse("B-1").unwrap());
        let mut known = BTreeMap::new();
        tally(&device, &mut known, minute(58));
        for (seq, at_ms) in hour() {
            let came = Timestamp::from_ms(EPOCH + 3_600_000 + seq as i64);
            fleet.report("B-1", &report(1, 2_000 + seq, at_ms, 1), came).unwrap();
        }
        tally(&device, &mut known, minute(60));
        for n in 0..60 {
            assert_eq!(known.get(&minute(n)), Some(&6), "known: {known_boot}, minute {n}");
        }
    }
}

#[test]
fn a_device_that_sends_a_hundredfold_is_held_to_the_time_there_is() {
    let fleet = Fleet::new(&Settings::default());
    let taken = (0..1_200).filter(|&seq| fleet.report("B-1", &report(1, seq, 0, 1), arrival(0)).is_ok()).count();
    assert_eq!(taken, 12);
    assert_eq!(fleet.refused(Refusal::RateLimited), 1_188);
    fleet.report("B-2", &report(1, 0, 0, 1), arrival(0)).unwrap();
}

#[test]
fn a_report_that_finds_no_room_leaves_nothing_and_is_taken_after_the_tick() {
    let fleet = Fleet::new(&Settings::default());
    for n in 0..3 {
        fleet.report("B-1", &report(1, n, n as i64 * 60_000, 1), arrival(n as i64 * 60_000)).unwrap();
    }
    let device = fleet.get("B-1").unwrap();
    let before = device.capture();
    let fourth = report(1, 3, 180_000, 1);
    assert_eq!(fleet.report("B-1", &fourth, arrival(180_000)), Err(Refusal::Busy));
    assert_eq!(device.capture(), before);
    assert_eq!(close(&device, minute(1)).len(), 1);
    assert!(!fleet.report("B-1", &fourth, arrival(180_000)).unwrap().late);
}

#[test]
fn a_full_inbox_pushes_back_until_it_is_taken() {
    let fleet = Fleet::new(&Settings::default());
    fleet.report("B-1", &report(1, 100_000, 0, 1), arrival(0)).unwrap();
    let device = fleet.get("B-1").unwrap();
    close(&device, minute(2));
    let mut known = BTreeMap::new();
    for n in 1..=2 * MAX_FRAGMENTS as i64 {
        let late = report(1, 100_000 - n as u64, -60_000 * n, 1);
        if fleet.report("B-1", &late, arrival(20_000)) == Err(Refusal::Busy) {
            tally(&device, &mut known, minute(2));
            fleet.report("B-1", &late, arrival(20_000)).unwrap();
        }
    }
    tally(&device, &mut known, minute(2));
    assert_eq!(known.len(), 2 * MAX_FRAGMENTS);
    assert_eq!(fleet.refused(Refusal::Busy), 1);
    assert_eq!(device.missing(), 0);
}

#[test]
fn invented_devices_are_bounded_and_expected_ones_are_not_kept_out() {
    let fleet = Fleet::new(&Settings { max_devices: 3, ..Settings::default() });
    for n in 0..1_000 {
        let _ = fleet.report(&format!("X-{n}"), &report(1, 0, 0, 1), arrival(0));
    }
    assert_eq!((fleet.len(), fleet.refused(Refusal::FleetFull)), (3, 997));
    fleet.expect(DeviceId::parse("B-1").unwrap());
    fleet.report("B-1", &report(1, 0, 0, 1), arrival(0)).unwrap();
    // One of the three turns out to be expected: its place is free again.
    assert!(fleet.expect(DeviceId::parse("X-0").unwrap()).is_expected());
    fleet.report("Y-1", &report(1, 0, 0, 1), arrival(0)).unwrap();

    let closed = Fleet::new(&Settings { expected_only: true, ..Settings::default() });
    assert_eq!(closed.status("B-1", Status::default(), true, arrival(0)), Err(Refusal::UnknownDevice));
    assert!(closed.is_empty());
}

#[test]
fn indices_are_dense_and_keep_their_device() {
    let fleet = Fleet::new(&Settings::default());
    let mut known = Vec::new();
    for n in 0..10 {
        assert_eq!(fleet.expect(DeviceId::parse(&format!("B-{n}")).unwrap()).index(), n);
        if n % 3 == 0 {
            fleet.extend(&mut known);
        }
    }
    fleet.extend(&mut known);
    assert!(known.iter().enumerate().all(|(n, device)| device.index() == n));
    assert_eq!((known.len(), fleet.device(10).is_none()), (10, true));
    assert_eq!(fleet.device(4).unwrap().id().as_str(), "B-4");
}

#[test]
fn boots_stand_beside_each_other_and_the_newest_are_kept() {
    let fleet = Fleet::new(&Settings::default());
    // A reboot every 20 s, the numbers from 0 again, and one number lost in each boot.
    for boot in 0..60u64 {
        for seq in [0, 2] {
            let at_ms = boot as i64 * 20_000 + seq as i64 * 5_000;
            let mut report = report(boot, seq, at_ms, 1);
            (report.uptime_ms, report.period_ms) = (seq * 5_000, 5_000);
            fleet.report("B-1", &report, Timestamp::from_ms(EPOCH + at_ms + 5_000)).unwrap();
        }
        let device = fleet.get("B-1").unwrap();
        close(&device, minute(boot as i64 / 3));
    }
    let device = fleet.get("B-1").unwrap();
    let now = Timestamp::from_ms(EPOCH + 1_200_000);
    assert_eq!((device.recent_boots(now), device.missing(), device.reports()), (8, 60, 120));
    assert_eq!(device.recent_boots(now.plus_ms(600_001)), 0);
    // A replaced device counts its boots from 1 again.
    let at_ms = 1_210_000;
    assert!(fleet.report("B-1", &report(1, 0, at_ms, 1), arrival(at_ms)).is_ok());
    assert!(device.memory_bytes() < 20 * 1024, "{}", device.memory_bytes());
}

#[test]
fn a_late_report_closes_the_gap_in_the_numbers() {
    let fleet = Fleet::new(&Settings::default());
    for seq in [0, 1, 5] {
        fleet.report("B-1", &report(1, seq, seq as i64 * 10_000, 1), arrival(seq as i64 * 10_000)).unwrap();
    }
    let device = fleet.get("B-1").unwrap();
    assert_eq!(device.missing(), 3);
    fleet.report("B-1", &report(1, 3, 30_000, 1), arrival(70_000)).unwrap();
    assert_eq!(device.missing(), 2);
}

#[test]
fn wall_times_of_a_device_are_converted_by_its_own_offset() {
    let fleet = Fleet::new(&Settings::default());
    let mut skewed = report(3, 0, 0, 1);
    skewed.start += 3_600_000;
    fleet.report("B-1", &skewed, arrival(0)).unwrap();
    let device = fleet.get("B-1").unwrap();
    assert_eq!(device.clock_offset_ms(), Some(3_600_000));
    assert_eq!(device.event_time_of_wall(3, skewed.start - 5_000), Some(Timestamp::from_ms(EPOCH - 5_000)));
    assert_eq!(device.event_time_of_wall(4, skewed.start), None);
}

#[test]
fn numbers_at_the_ends_of_their_ranges_never_panic() {
    let fleet = Fleet::new(&Settings::default());
    let ends = [i64::MIN, -1, 0, 1, EPOCH, i64::MAX];
    let mut device = 0;
    for start in ends {
        for uptime_ms in [0, 1, 86_400_000, 10 * 366 * 86_400_000, u64::MAX] {
            for came in ends {
                device += 1;
                let id = format!("B-{device}");
                for (boot, seq) in [(0, 0), (u64::MAX, u64::MAX), (0, u64::MAX)] {
                    let hostile = Report { boot, seq, uptime_ms, start, ..report(0, 0, 0, 1) };
                    let _ = fleet.report(&id, &hostile, Timestamp::from_ms(came));
                    let status = Status { online: true, boot, at: start, ..Status::default() };
                    fleet.status(&id, status, false, Timestamp::from_ms(came)).unwrap();
                }
                let device = fleet.get(&id).unwrap();
                device.clock_offset_ms();
                device.recent_boots(Timestamp::from_ms(came));
                for wall in ends {
                    device.event_time_of_wall(0, wall);
                }
                close(&device, Minute(u32::MAX));
            }
        }
    }
}

#[test]
fn counts_beyond_belief_are_refused_before_a_counter_can_wrap() {
    let fleet = Fleet::new(&Settings::default());
    let huge = report(1, 0, 0, MAX_COUNT_PER_REPORT as u32);
    assert_eq!(fleet.report("B-1", &huge, arrival(0)), Err(Refusal::Excessive));
    let most = MAX_COUNT_PER_REPORT - 1;
    for seq in 0..u64::from(coverage::MAX_REPORTS_PER_MINUTE) {
        let large = Report { period_ms: 1, ..report(1, seq, 0, most as u32) };
        fleet.report("B-1", &large, Timestamp::from_ms(EPOCH + 1)).unwrap();
    }
    let device = fleet.get("B-1").unwrap();
    assert_eq!(close(&device, minute(1))[0].3.total(), most * u64::from(coverage::MAX_REPORTS_PER_MINUTE));
}

#[test]
fn the_newest_status_of_a_boot_is_the_one_that_counts() {
    let fleet = Fleet::new(&Settings::default());
    for n in 0..20 {
        let status = Status { boot: n / 2, at: n as i64, ..Status::default() };
        fleet.status("B-1", status, true, arrival(0)).unwrap();
    }
    let statuses = fleet.get("B-1").unwrap().take_inbox().statuses;
    assert_eq!(statuses.iter().map(|note| note.status.at).collect::<Vec<_>>(), [13, 15, 17, 19]);
}

#[test]
fn a_device_with_four_classes_takes_less_than_26_kibibytes() {
    let fleet = Fleet::new(&Settings::default());
    for seq in 0..sequence::WINDOW + 100 {
        let at_ms = seq as i64 * 10_000;
        let mut full = report(1, seq, at_ms, 1);
        full.classes = TrafficClass::ALL[..4].iter().map(|&one| class(one, 0..1)).collect();
        fleet.report("B-1", &full, arrival(at_ms)).unwrap();
        if seq % 6 == 0 {
            close(&fleet.get("B-1").unwrap(), minute(at_ms / 60_000));
        }
    }
    let bytes = fleet.get("B-1").unwrap().memory_bytes();
    assert!((18 * 1024..26 * 1024).contains(&bytes), "{bytes}");
}

mod counters;
mod property;
