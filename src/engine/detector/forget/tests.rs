use std::sync::Arc;

use super::*;
use crate::engine::detector::TICK_MS;
use crate::engine::device::{Status, TrafficClass};
use crate::engine::fleet::{Admitted, Fleet, Refusal};
use crate::engine::report::{Bucket, ClassReport, Report};
use crate::engine::settings::Settings;

const T0: Timestamp = Timestamp::from_ms(1_795_305_600_000);

fn report(minute: u64) -> Report {
    let class = ClassReport {
        class: TrafficClass::Https,
        buckets: 0..1,
        rules: 0..0,
        flows: 20,
        flagged: 0,
        canary: 0,
        canary_flagged: 0,
        released: 0,
    };
    Report {
        boot: 1,
        seq: minute,
        uptime_ms: minute * 60_000,
        start: T0.as_ms(),
        period_ms: 10_000,
        classes: vec![class],
        buckets: vec![Bucket { index: 100, count: 20 }],
        ..Report::default()
    }
}

fn id(text: &str) -> DeviceId {
    DeviceId::parse(text).expect("an id")
}

/// An engine with the instant that it has come to.
struct Drive(Engine, Timestamp);

impl Drive {
    fn advance(&mut self, at: Timestamp) {
        let mut tick = Engine::next_tick(self.1.max(at.plus_ms(-3 * 86_400_000)));
        while tick <= at {
            self.0.tick(tick);
            tick = tick.plus_ms(TICK_MS);
        }
        self.1 = at;
    }

    fn report(&self, id: &str, report: &Report) -> Result<Admitted, Refusal> {
        self.0.fleet().report(id, report, self.1)
    }
}

fn driver(max_devices: u32) -> Drive {
    let settings = Settings { max_devices, ..Settings::default() };
    Drive(Engine::new(settings.clone(), Arc::new(Fleet::new(&settings))), T0)
}

fn after(minutes: i64) -> Timestamp {
    T0.plus_ms(minutes * 60_000 + 15_000)
}

fn names(driver: &Drive) -> Vec<String> {
    driver.0.snapshot().devices.iter().map(|view| view.id.to_string()).collect()
}

#[test]
fn a_name_that_never_proved_to_be_a_device_leaves_after_a_day_and_a_device_never() {
    let mut driver = driver(10);
    for minute in 0..12 {
        driver.advance(after(minute as i64));
        driver.report("B-1", &report(minute)).expect("taken");
        if minute < 3 {
            driver.report("FAKE", &report(minute)).expect("taken");
        }
    }
    driver.0.fleet().status("SAID", Status::default(), true, driver.1).expect("taken");
    driver.advance(after(24 * 60));
    assert_eq!(names(&driver), ["B-1", "FAKE", "SAID"]);
    driver.advance(after(24 * 60 + 5));
    assert_eq!(names(&driver), ["B-1", "SAID"]);
    driver.advance(after(24 * 60 + 20));
    assert_eq!(names(&driver), ["B-1"]);
    driver.advance(after(2 * 24 * 60));
    assert_eq!(names(&driver), ["B-1"], "silent for days, and a device");
    // It comes again as somebody new.
    driver.report("FAKE", &report(0)).expect("taken");
    driver.advance(after(2 * 24 * 60 + 2));
    assert_eq!(names(&driver), ["B-1", "FAKE"]);
}

#[test]
fn places_are_made_by_those_who_have_proved_least_and_are_silent_longest() {
    let mut driver = driver(4);
    for minute in 0..12 {
        driver.advance(after(minute as i64));
        driver.report("B-1", &report(minute)).expect("taken");
        if minute > 8 {
            driver.report("YOUNG", &report(minute)).expect("taken");
        }
        if minute == 9 || minute == 10 {
            let id = format!("FAKE-{minute}");
            driver.report(&id, &report(minute)).expect("taken");
        }
    }
    assert_eq!(driver.report("LATE", &report(0)), Err(Refusal::FleetFull));
    let ids = |most| driver.0.crowd(most).iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(ids(1), ["FAKE-9"]);
    assert_eq!(ids(9), ["FAKE-9", "FAKE-10", "YOUNG"]);
    assert_eq!(driver.0.forget(&[id("FAKE-9")]), []);
    driver.report("LATE", &report(0)).expect("there is a place now");
    driver.advance(after(14));
    assert_eq!(names(&driver), ["B-1", "FAKE-10", "LATE", "YOUNG"]);
}

#[test]
fn who_is_forgotten_leaves_no_trace_and_the_others_keep_all_of_theirs() {
    let mut with = driver(10);
    let mut without = driver(10);
    for minute in 0..30 {
        for driver in [&mut with, &mut without] {
            driver.advance(after(minute as i64));
        }
        for id in ["A", "B", "C", "D"] {
            with.report(id, &report(minute)).expect("taken");
            if id != "B" {
                without.report(id, &report(minute)).expect("taken");
            }
        }
    }
    assert_eq!(with.report("B", &report(29)), Err(Refusal::Duplicate));
    assert_eq!(with.0.forget(&[id("B")]), []);
    assert_eq!(with.0.forget(&[id("B")]), [(id("B"), Kept::Unknown)]);
    assert_eq!(with.0.forgotten().len(), 1);
    let totals = with.0.snapshot().totals;
    assert_eq!((totals.reports, totals.duplicates), (120, 1), "what was counted stays counted");
    let mut again = Engine::new(Settings::default(), Arc::new(Fleet::new(&Settings::default())));
    again.restore(&with.0.image()).expect("restored");
    assert_eq!(again.gone, with.0.gone);
    with.0.gone = Gone::default();
    assert_eq!(with.0.image(), without.0.image());
    // And go on together.
    for driver in [&mut with, &mut without] {
        for minute in 30..40 {
            driver.advance(after(minute as i64));
            for id in ["A", "C", "D"] {
                driver.report(id, &report(minute)).expect("taken");
            }
        }
    }
    assert_eq!(with.0.image(), without.0.image());
}

#[test]
fn an_expected_device_is_not_forgotten() {
    let settings = Settings::default();
    let fleet = Arc::new(Fleet::new(&settings));
    fleet.expect(DeviceId::parse("B-1").expect("an id"));
    let mut engine = Engine::new(settings, fleet);
    engine.tick(T0);
    let kept = engine.forget(&[id("B-1"), id("B-2")]);
    assert_eq!(kept, [(id("B-1"), Kept::Expected), (id("B-2"), Kept::Unknown)]);
    // Off the list it is one like others, and one that never said anything.
    engine.fleet().expect_only(&[]);
    assert_eq!(engine.forget(&[id("B-1")]), []);
    assert!(engine.fleet().is_empty());
}
