//! Recording: a value, and a whole report, against a bare atomic add.
//!
//!     cargo bench --no-default-features --bench record
#![allow(clippy::unwrap_used, missing_docs)]

use std::hint::black_box;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use fleetwatch::engine::device::{DeviceId, TrafficClass};
use fleetwatch::engine::fleet::{Closing, Fleet};
use fleetwatch::engine::report::{Bucket, ClassReport, Report};
use fleetwatch::engine::settings::Settings;
use fleetwatch::engine::slots::{Entry, OpenSlots};
use fleetwatch::engine::time::{Minute, Timestamp};

/// 2026-11-22T00:00:00Z.
const EPOCH: i64 = 1_795_305_600_000;

/// A report of one class whose samples fall into 20 buckets of three octaves, as a device's 10 s do.
fn report() -> Report {
    Report {
        boot: 1,
        period_ms: 10_000,
        classes: vec![ClassReport {
            class: TrafficClass::Https,
            buckets: 0..20,
            rules: 0..0,
            flows: 1_840,
            flagged: 12,
            canary: 20,
            canary_flagged: 1,
            released: 0,
        }],
        buckets: (0..20).map(|n| Bucket { index: 110 + n * 2, count: 3 }).collect(),
        ..Report::default()
    }
}

/// Runs `work(thread, n)` `iterations` times on each of two threads, and gives the time until both were done.
#[allow(clippy::disallowed_methods)]
fn on_two_threads(iterations: u64, work: impl Fn(usize, u64) + Sync) -> Duration {
    let (start, number) = (Barrier::new(3), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let threads = [(), ()].map(|()| {
            scope.spawn(|| {
                let thread = number.fetch_add(1, Relaxed);
                start.wait();
                (0..iterations).for_each(|n| work(thread, n));
            })
        });
        let began = std::time::Instant::now();
        start.wait();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        began.elapsed()
    })
}

fn one_value(c: &mut Criterion) {
    let mut group = c.benchmark_group("record");
    let bare: Vec<AtomicU32> = (0..368).map(|_| AtomicU32::new(0)).collect();
    let mut at = 0usize;
    group.bench_function("bare_add", |b| {
        b.iter(|| {
            at = (at + 7) & 255;
            black_box(&bare)[black_box(at)].fetch_add(1, Relaxed)
        });
    });
    let slots = [OpenSlots::new(Minute(0)), OpenSlots::new(Minute(0))];
    let enter = |device: usize| match slots[device].enter(Minute(0)) {
        Entry::Open(recorder) => recorder,
        Entry::Late | Entry::Busy => unreachable!("nobody closes the minute"),
    };
    let recorder = enter(0);
    group.bench_function("value", |b| {
        b.iter(|| {
            at = (at + 7) & 255;
            black_box(&recorder).add(std::iter::once((black_box(at) as u16, 1)));
        });
    });
    drop(recorder);
    group.bench_function("bare_add_2_threads_contended", |b| {
        b.iter_custom(|iterations| {
            on_two_threads(iterations, |_, n| {
                black_box(&bare)[((n * 7) & 255) as usize].fetch_add(1, Relaxed);
            })
        });
    });
    for (name, of) in [("value_2_threads_same_device", [0, 0]), ("value_2_threads_2_devices", [0, 1])] {
        group.bench_function(name, |b| {
            b.iter_custom(|iterations| {
                let recorders = of.map(enter);
                on_two_threads(iterations, |thread, n| {
                    recorders[thread].add(std::iter::once((((n * 7) & 255) as u16, 1)));
                })
            });
        });
    }
    group.finish();
}

/// Sends the device's report `seq`, ten seconds after the one before, and closes the minutes that are due.
fn send(fleet: &Fleet, device: &str, (report, closing): (&mut Report, &mut Closing), seq: u64) {
    let at_ms = seq * 10_000;
    (report.seq, report.uptime_ms, report.start) = (seq, at_ms, EPOCH + at_ms as i64);
    let arrival = Timestamp::from_ms(EPOCH + at_ms as i64 + 10_000);
    if seq.is_multiple_of(6) {
        fleet.get(device).unwrap().close_before(arrival.minute().plus(-2), closing, |_, _, _, histogram| {
            black_box(histogram.total());
        });
    }
    fleet.report(black_box(device), report, arrival).unwrap();
}

fn whole_report(c: &mut Criterion) {
    let mut group = c.benchmark_group("report_of_20_buckets");
    let new_fleet = || {
        let fleet = Fleet::new(&Settings::default());
        (0..1_000).for_each(|n| drop(fleet.expect(DeviceId::parse(&format!("B-{n:04}")).unwrap())));
        fleet
    };
    let (mut report, mut closing) = (report(), Closing::default());
    let (fleet, mut seq) = (new_fleet(), 0);
    group.bench_function("one_device_and_closing", |b| {
        b.iter(|| {
            send(&fleet, "B-0042", (&mut report, &mut closing), seq);
            seq += 1;
        });
    });
    let ids: Vec<String> = (0..1_000).map(|n| format!("B-{n:04}")).collect();
    let (fleet, mut n) = (new_fleet(), 0);
    group.bench_function("1000_devices_in_turn_and_closing", |b| {
        b.iter(|| {
            send(&fleet, &ids[(n % 1_000) as usize], (&mut report, &mut closing), n / 1_000);
            n += 1;
        });
    });
    group.bench_function("2_threads_2_devices_and_closing", |b| {
        b.iter_custom(|iterations| {
            let fleet = new_fleet();
            on_two_threads(iterations, |thread, n| {
                OWN.with_borrow_mut(|(report, closing)| {
                    send(&fleet, ["B-0001", "B-0002"][thread], (report, closing), n);
                });
            })
        });
    });
    group.finish();
}

thread_local! {
    static OWN: std::cell::RefCell<(Report, Closing)> = std::cell::RefCell::new((report(), Closing::default()));
}

criterion_group!(benches, one_value, whole_report);
criterion_main!(benches);
