//! The one-hour clock that is shown is the one by which the incident is declared: it counts minute by minute, reaches the hour at
//! the declaration, and the start of the impact that was shown is the one that is declared.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test that cannot go on fails, and says what was seen")]

use fleetwatch::engine::effect::EventState;
use fleetwatch::engine::settings::Settings;
use fleetwatch::engine::snapshot::EventView;
use fleetwatch::engine::time::{MINUTE_MS, Timestamp};
use fleetwatch::lab::feed;
use fleetwatch::lab::simulation::{Scenario, Simulation, SimulationConfig};

/// 2026-11-17, a Tuesday, 01:30 UTC: half an hour before the rollout.
const EPOCH: Timestamp = Timestamp::from_ms(1_794_879_000_000);
/// The last half hour before the declaration, in which people watch the clock.
const WATCHED_MIN: usize = 30;

/// The events open at the end of each minute.
fn lived(scenario: Scenario, seed: u64, devices: u32) -> Vec<(Timestamp, Vec<EventView>)> {
    let config = SimulationConfig {
        seed,
        devices,
        branches: devices / 10,
        report_period_ms: 60_000,
        ..SimulationConfig::new(scenario, EPOCH)
    };
    let simulation = Simulation::new(config);
    let settings = Settings { utc_offset_min: 0, ..Settings::default() };
    let mut driver = feed::learnt(&simulation, &settings, 2);
    let mut seen = Vec::new();
    for minute in 0..330 {
        let (from, to) = (EPOCH.plus_ms(minute * MINUTE_MS), EPOCH.plus_ms((minute + 1) * MINUTE_MS));
        feed::live(&mut driver, &simulation, simulation.messages(from, to), |_| ());
        driver.advance(to);
        let events = driver.engine().snapshot().events;
        let declared = events.iter().any(|event| event.state == EventState::Declared);
        seen.push((to, events));
        if declared {
            break;
        }
    }
    seen
}

/// What was shown of the event that is declared, from its first minute to its declaration.
fn until_declared(seen: &[(Timestamp, Vec<EventView>)]) -> Vec<(Timestamp, EventView)> {
    let declared = |event: &&EventView| event.state == EventState::Declared;
    let (at, event) = seen
        .iter()
        .find_map(|(at, events)| Some((*at, events.iter().find(declared)?.clone())))
        .expect("something is declared");
    let before = seen.iter().take_while(|(then, _)| *then < at);
    let of_it = |(then, events): &(Timestamp, Vec<EventView>)| {
        Some((*then, events.iter().find(|other| other.event_id == event.event_id)?.clone()))
    };
    let mut shown: Vec<_> = before.filter_map(of_it).collect();
    shown.push((at, event));
    shown
}

fn counts_to_the_declaration(scenario: Scenario, seed: u64, devices: u32) {
    let shown = until_declared(&lived(scenario, seed, devices));
    let told: Vec<String> = shown
        .iter()
        .map(|(at, event)| {
            format!(
                "{:3} min: clock {:2}, since {:3}, due {:?}, suspended {}, {} members",
                at.since_ms(EPOCH) / MINUTE_MS,
                event.streak_s / 60,
                event.impact_started_at.since_ms(EPOCH) / MINUTE_MS,
                event.declares_at.map(|due| due.since_ms(EPOCH) as f64 / MINUTE_MS as f64),
                event.suspended,
                event.members.len()
            )
        })
        .collect();
    let told = format!("{scenario}, seed {seed}:\n{}", told.join("\n"));
    println!("{told}");
    let (_, declared) = shown.last().unwrap();
    assert_eq!(declared.streak_s, declared.hold_s, "it is declared when the clock is full\n{told}");
    let watched = &shown[shown.len().saturating_sub(WATCHED_MIN)..];
    for pair in watched.windows(2) {
        let ((at, before), (_, after)) = (&pair[0], &pair[1]);
        let (minute, step) = (at.since_ms(EPOCH) / MINUTE_MS, after.streak_s as i64 / 60 - before.streak_s as i64 / 60);
        assert!((0..=1).contains(&step), "{step} minutes in the one after {minute}\n{told}");
        assert!(before.state == EventState::Pending && before.streak_s < before.hold_s, "full before it is\n{told}");
        let moved = after.impact_started_at.since_ms(before.impact_started_at).abs() / MINUTE_MS;
        assert!(moved <= 1, "the impact began {moved} min elsewhere after {minute}\n{told}");
    }
    // A minute that says nothing may stop the clock, and no more than that.
    let (first, last) = (&watched[0].1, &watched[watched.len() - 1].1);
    let counted = (last.streak_s - first.streak_s) as usize / 60;
    assert!(counted + 2 >= watched.len() - 1, "it stood for {} min\n{told}", watched.len() - 1 - counted);
    let due = watched.iter().rev().nth(1).and_then(|(_, event)| event.declares_at);
    let (at, _) = shown.last().unwrap();
    let late = at.since_ms(due.expect("a running clock has an end")) as f64 / MINUTE_MS as f64;
    assert!((-0.01..=1.01).contains(&late), "declared {late} min after it was due\n{told}");
}

#[test]
fn the_nightly_story_counts_to_its_declaration_without_a_jump() {
    for (seed, devices) in [(1, 40), (2, 40), (7, 100)] {
        counts_to_the_declaration(Scenario::Nightly, seed, devices);
    }
}

#[test]
fn a_small_ring_and_a_branch_do_as_well() {
    counts_to_the_declaration(Scenario::RingOfSix, 3, 40);
    counts_to_the_declaration(Scenario::IspFault, 4, 40);
}
