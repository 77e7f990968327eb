//! Live operation is a replay in step with the clock: whatever the threads do, the journal tells it all.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use fleetwatch::clock::Clock;
use fleetwatch::delivery::{Delivery, Outcome, Sink as _};
use fleetwatch::engine::detector::Engine;
use fleetwatch::engine::device::{DeviceId, TrafficClass};
use fleetwatch::engine::effect::Change;
use fleetwatch::engine::fleet::Fleet;
use fleetwatch::engine::fleet::budget::Budgets;
use fleetwatch::engine::histogram::bucket_of;
use fleetwatch::engine::report::{Bucket, ClassReport, Report};
use fleetwatch::engine::settings::Settings;
use fleetwatch::engine::snapshot::Snapshot;
use fleetwatch::engine::time::Timestamp;
use fleetwatch::engine::wire::Limits;
use fleetwatch::engine::wire::encode::{LatencyForm, report_binary};
use fleetwatch::journal::{Journal, JournalConfig, read_from};
use fleetwatch::metrics::Counters;
use fleetwatch::runtime::checkpoint::CaptureRequest;
use fleetwatch::runtime::decision::Decision;
use fleetwatch::runtime::intake::{Intake, IntakeParts, Order, refusal_reasons};
use fleetwatch::runtime::playback::Playback;

const START: Timestamp = Timestamp::from_ms(1_795_305_600_000);
const DEVICES: u32 = 8;
const PERIOD_MS: i64 = 200;
/// Ten engine minutes a second: six ticks in 100 ms, and reports of every age between them.
const SPEED: f64 = 600.0;

fn engine() -> Engine {
    let settings = Settings::default();
    let engine = Engine::new(settings.clone(), Arc::new(Fleet::new(&settings)));
    for index in 0..DEVICES {
        engine.fleet().expect(DeviceId::parse(&format!("B-{index}")).unwrap());
    }
    engine
}

/// A report that ended `age_ms` ago.
fn report(device: u32, now: Timestamp, age_ms: i64) -> Vec<u8> {
    // As a device counts: a report has the number of its period, so that an old one has a lower number than a new one.
    let period = (now.since_ms(START) + 86_400_000 - PERIOD_MS - age_ms).max(0) / PERIOD_MS;
    // What comes late has not come before: every other period.
    let period = if age_ms > 60_000 { period | 1 } else { period & !1 };
    let (seq, uptime_ms) = (period as u64, (period * PERIOD_MS) as u64);
    let latency = 1_000 + ((seq % 50_000) as u32 * 7_919 + device * 104_729) % 50_000;
    let mut report = Report { boot: 1, seq, uptime_ms, start: 0, period_ms: PERIOD_MS as u32, ..Report::default() };
    report.buckets.push(Bucket { index: bucket_of(latency) as u16, count: 3 });
    let none = ClassReport {
        class: TrafficClass::Https,
        buckets: 0..1,
        rules: 0..0,
        flows: 3,
        flagged: 0,
        canary: 0,
        canary_flagged: 0,
        released: 0,
    };
    report.classes.push(none);
    report_binary(&format!("B-{device}"), &report, LatencyForm::Counts)
}

/// Delivers for a device until forty minutes are over; how often.
fn send(device: u32, intake: &Intake, clock: Clock) -> u64 {
    let mut seq = 0;
    let mut payload = Vec::new();
    while clock.now().since_ms(START) < 40 * 60_000 {
        // Fresh, at the very edge of the grace, beyond it.
        let age_ms = [0, 90_300, 20_000, 91_000, 200_000, 90_300][seq as usize % 6];
        // Redelivered: the same bytes.
        if seq % 11 != 10 {
            payload = report(device, clock.now(), age_ms);
        }
        let topic = format!("utm/v1/B-{device}/report");
        let delivery = Delivery { topic: &topic, payload: &payload, retain: false };
        while intake.deliver(delivery) == Outcome::Busy {
            std::thread::yield_now();
        }
        seq += 1;
        if seq % 16 == 0 {
            std::thread::yield_now();
        }
    }
    seq
}

/// Ticks until it is over.
fn tick(decision: &Decision, clock: Clock, over: &AtomicBool) -> Vec<Change> {
    let mut changes = Vec::new();
    while !over.load(Ordering::Acquire) {
        if clock.now() >= decision.intake.next_tick() {
            changes.append(&mut decision.tick(CaptureRequest::None).changes);
        }
        std::thread::yield_now();
    }
    changes
}

#[test]
fn what_the_threads_did_is_what_the_journal_says() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::scaled(START, SPEED);
    let mut fresh = engine();
    assert!(fresh.tick(START).is_empty());
    let (journal, _) = Journal::open(JournalConfig::new(dir.path()), 0).unwrap();
    let journal = Arc::new(journal);
    let engine_shared = Arc::new(Mutex::new(fresh));
    let counters = Arc::new(Counters::new(&refusal_reasons()));
    let intake = Arc::new(Intake::new(IntakeParts {
        root: "utm".to_owned(),
        limits: Limits::default(),
        budgets: Budgets::default(),
        clock,
        engine: Arc::clone(&engine_shared),
        journal: Arc::clone(&journal),
        counters: Arc::clone(&counters),
        order: Order { lsn: 0, at: START },
        next_tick: Engine::next_tick(START),
        statuses: fleetwatch::runtime::incidents::Statuses::default(),
    }));
    let snapshot = Arc::new(ArcSwap::from_pointee(Snapshot::default()));
    let decision = Decision { intake: Arc::clone(&intake), engine: Arc::clone(&engine_shared), snapshot, counters };
    let over = AtomicBool::new(false);
    let mut lived = std::thread::scope(|threads| {
        let senders: Vec<_> = (0..DEVICES)
            .map(|device| {
                let intake = &intake;
                threads.spawn(move || send(device, intake, clock))
            })
            .collect();
        let ticker = threads.spawn(|| tick(&decision, clock, &over));
        let ended: Vec<_> = senders.into_iter().map(|sender| sender.join()).collect();
        // Before anything is unwrapped: a sender that failed must not leave the ticker at it for ever.
        over.store(true, Ordering::Release);
        let sent: u64 = ended.into_iter().map(Result::unwrap).sum();
        assert!(sent > 2_000, "only {sent} were sent");
        ticker.join().unwrap()
    });
    let end = intake.next_tick();
    let lived_image = {
        let mut engine = engine_shared.lock().unwrap();
        lived.append(&mut engine.tick(end));
        engine.image()
    };
    journal.close().unwrap();

    let mut fresh = engine();
    assert!(fresh.tick(START).is_empty());
    let mut playback = Playback::new(fresh, "utm", Limits::default());
    let mut replayed = Vec::new();
    let mut reader = read_from(dir.path(), 0).unwrap();
    let mut last = START;
    while let Some(record) = reader.next().unwrap() {
        let entry = record.entry;
        assert!(entry.at >= last, "arrivals go back in the journal");
        last = entry.at;
        replayed.append(&mut playback.play(entry.at, entry.topic, entry.payload, entry.retain));
    }
    replayed.append(&mut playback.advance(end));
    assert_eq!(lived, replayed);
    assert!(playback.refused().contains_key("duplicate"), "{:?}", playback.refused());
    let late: u64 = (0..DEVICES).map(|index| playback.engine().fleet().device(index as usize).unwrap().late()).sum();
    assert!(late > 100, "only {late} came late");
    assert!(playback.engine().image() == lived_image, "the state that was lived is not the state that is replayed");
}
