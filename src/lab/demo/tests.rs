use super::outcome::Done;
use super::setup::{EPOCH, period_s};
use super::*;
use crate::engine::device::Label;
use crate::lab::simulation::Scenario;
use crate::lab::simulation::SimulationConfig;

fn simulation(devices: u32) -> Simulation {
    let config = SimulationConfig {
        devices,
        branches: 3,
        utc_offset_min: 540,
        report_period_ms: 30_000,
        ..SimulationConfig::new(Scenario::Nightly, EPOCH)
    };
    Simulation::new(config)
}

#[test]
fn the_story_begins_ten_minutes_before_the_rollout_on_a_working_night() {
    let simulation = simulation(10);
    assert_eq!(simulation.rollout().since_ms(EPOCH), 600_000);
    assert_eq!(local_time(EPOCH, 540), "01:50:00");
    // Both days before are working days, too: Tuesday and Wednesday.
    let first = history::spans(EPOCH)[0].start;
    assert!(!first.plus_ms(540 * 60_000).minute().is_weekend());
    assert_eq!(EPOCH.plus_ms(540 * 60_000).minute().day() % 7, 0, "1970-01-01 was a Thursday");
    assert_eq!(updates(&simulation), [Label::from("2026.11.18")]);
}

#[test]
fn the_stretches_that_are_learnt_are_apart_and_end_at_the_epoch() {
    let spans = history::spans(EPOCH);
    assert!(spans.iter().all(|span| span.start < span.end));
    assert!(spans.windows(2).all(|pair| pair[0].end < pair[1].start));
    assert_eq!(spans.last().unwrap().end, EPOCH);
    let minutes: i64 = spans.iter().map(|span| span.end.since_ms(span.start) / 60_000).sum();
    assert!((1_100..1_300).contains(&minutes), "{minutes}");
}

#[test]
fn the_days_before_teach_every_device_and_nothing_of_them_is_refused_or_missing() {
    let simulation = simulation(24);
    let mut parts = Vec::new();
    let cancelled = AtomicBool::new(false);
    let learn = |parts: &mut Vec<f64>| {
        history::learn(&simulation, Settings::default(), &cancelled, |part| parts.push(part)).unwrap()
    };
    let (engine, outcome) = learn(&mut parts);
    assert!(parts.is_sorted() && *parts.last().unwrap() == 1.0);
    assert_eq!(outcome.refused, 0);
    let totals = engine.snapshot().totals;
    assert_eq!((totals.expected, totals.reporting, totals.unknown), (24, 24, 0), "{totals:?}");
    assert_eq!((totals.reports, totals.missing, totals.duplicates), (outcome.reports, 0, 0), "{totals:?}");
    // However its threads were scheduled.
    let (again, second) = learn(&mut Vec::new());
    assert_eq!((again.image(), second), (engine.image(), outcome));
}

#[test]
fn learning_can_be_given_up() {
    let cancelled = AtomicBool::new(true);
    let given_up = history::learn(&simulation(3), Settings::default(), &cancelled, |_| {});
    assert_eq!(given_up.err(), Some(history::Cancelled));
}

#[test]
fn the_report_period_keeps_the_rate_within_reason() {
    assert_eq!(period_s(1_000, 60.0), 10);
    assert_eq!(period_s(60, 600.0), 10);
    assert_eq!(period_s(1_000, 120.0), 20);
    assert_eq!(period_s(100_000, 600.0), 60, "the longest, where none is enough");
}

#[test]
fn the_summary_tells_what_became_of_the_messages() {
    let ran = Duration::from_secs(92);
    let outcome = Outcome { ran, fleet_ms: 5_520_000, asked: true, ..Outcome::default() };
    let done = Done { acked: 184_000, journaled: 184_001, dropped: 0 };
    assert_eq!(
        summary(&outcome, done),
        [
            "Ended on request after 92 s, 1 h 32 min of the fleet's time: no major incident.",
            "184,000 messages acknowledged, 184,001 journaled."
        ]
    );
}
