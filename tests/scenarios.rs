//! The stories of the simulated fleet through the whole engine on virtual time, held against what was injected.
//!
//! Two days of history go before each, so the baseline is a day old. What a story claims (`Truth::declares`) is what
//! was put in, not what the detector calls degraded.

use fleetwatch::engine::effect::{Change, ChangeKind, Scope};
use fleetwatch::engine::settings::Settings;
use fleetwatch::engine::time::{MINUTE_MS, Timestamp};
use fleetwatch::lab::feed;
use fleetwatch::lab::simulation::{Scenario, Simulation, SimulationConfig, Truth};

/// 2026-11-17, a Tuesday, 01:30 UTC: half an hour before the rollout.
const EPOCH_MS: i64 = 1_794_879_000_000;
const DEVICES: u32 = 40;
/// An onset may be late by this much, for the slowest stories: the rollout takes 25 minutes.
const ONSET_SLACK_MIN: i64 = 12;

/// Lives through history and story; returns the changes of the story alone.
fn live(scenario: Scenario) -> (Simulation, Vec<Change>) {
    live_with(scenario, DEVICES, 4)
}

fn live_with(scenario: Scenario, devices: u32, branches: u32) -> (Simulation, Vec<Change>) {
    let epoch = Timestamp::from_ms(EPOCH_MS);
    let config =
        SimulationConfig { devices, branches, report_period_ms: 60_000, ..SimulationConfig::new(scenario, epoch) };
    let simulation = Simulation::new(config);
    let settings = Settings { utc_offset_min: 0, ..Settings::default() };
    let mut driver = feed::learnt(&simulation, &settings, 2);
    let messages = simulation.messages(epoch, epoch.plus_ms(330 * MINUTE_MS));
    let mut story = feed::live(&mut driver, &simulation, messages, |_| ()).changes;
    story.extend(driver.finish());
    assert_eq!(driver.stuck(), 0, "a backlog always finds room");
    (simulation, story)
}

fn fleet_declarations(changes: &[Change]) -> Vec<&Change> {
    changes.iter().filter(|change| change.kind == ChangeKind::Declared && change.scope == Scope::Fleet).collect()
}

/// Exactly one major incident, of the right cause, at the right time, with the right devices.
fn declares_once(scenario: Scenario) {
    let (simulation, changes) = live(scenario);
    let [truth] = simulation.truth() else { panic!("{scenario} has one truth") };
    assert!(truth.declares);
    let declared = fleet_declarations(&changes);
    assert_eq!(declared.len(), 1, "{scenario}: {changes:#?}");
    let change = declared[0];
    assert_eq!(change.incident.as_deref(), changes.iter().rev().find_map(|c| c.incident.as_deref()));
    let cause = change.cause.as_ref().expect("a named cause");
    assert_eq!((cause.suspect.kind.as_str(), &cause.suspect.value), (truth.kind, &truth.value), "{scenario}");
    let late = change.impact_started_at.since_ms(truth.start) / MINUTE_MS;
    assert!((-1..=ONSET_SLACK_MIN).contains(&late), "{scenario}: onset {late} min after the truth");
    assert!(jaccard(change, truth, &simulation) >= 0.8, "{scenario}: {:?}", change.devices);
    assert_eq!(change.proof.first().map(|minute| minute.at), Some(change.impact_started_at));
    assert!(!changes.iter().any(|c| c.kind == ChangeKind::Declared && c.scope == Scope::Isolated), "{scenario}");
}

fn jaccard(change: &Change, truth: &Truth, simulation: &Simulation) -> f64 {
    let true_ids: Vec<&str> =
        truth.devices.iter().map(|device| simulation.profiles()[*device as usize].id.as_str()).collect();
    let both = change.devices.iter().filter(|id| true_ids.contains(&id.as_str())).count();
    both as f64 / (true_ids.len() + change.devices.len() - both) as f64
}

fn declares_nothing(scenario: Scenario) {
    let (_, changes) = live(scenario);
    let declared: Vec<_> = changes.iter().filter(|change| change.kind == ChangeKind::Declared).collect();
    assert!(declared.is_empty(), "{scenario}: {declared:#?}");
}

macro_rules! stories {
    ($check:ident: $($name:ident = $scenario:ident),+ $(,)?) => {
        $(#[test] fn $name() { $check(Scenario::$scenario); })+
    };
}

stories! { declares_once:
    a_defective_nightly_update_is_one_incident = Nightly,
    sixty_minutes_are_an_incident = SixtyMinutes,
    a_branch_fault_is_not_blamed_on_an_innocent_update = IspFault,
    of_two_updates_the_guilty_one_is_named = TwoUpdates,
    a_backlog_fills_the_minutes_it_belongs_to = Backlog,
    two_minute_blips_do_not_hide_an_hour = Blips,
    duplicates_change_nothing = Duplicates,
    skewed_clocks_change_nothing = SkewedClocks,
    six_devices_are_a_group = RingOfSix,
}

stories! { declares_nothing:
    a_quiet_night_with_an_innocent_update_is_quiet = Quiet,
    fifty_nine_minutes_are_none = FiftyNineMinutes,
    flapping_is_none = Flapping,
    thirty_bad_minutes_and_silence_are_none = Silence,
    a_rollback_after_forty_five_minutes_comes_in_time = Rollback,
}

#[test]
fn a_relapse_keeps_the_incident() {
    let (_, changes) = live(Scenario::Relapse);
    assert_eq!(fleet_declarations(&changes).len(), 1, "{changes:#?}");
}

#[test]
fn a_branch_fault_during_a_defect_is_an_incident_of_its_own() {
    let (simulation, changes) = live_with(Scenario::TwoEvents, 100, 5);
    let mut named: Vec<_> = fleet_declarations(&changes)
        .iter()
        .map(|change| change.cause.as_ref().expect("named").suspect.value.clone())
        .collect();
    named.sort();
    let mut expected: Vec<_> = simulation.truth().iter().map(|truth| truth.value.clone()).collect();
    expected.sort();
    assert_eq!(named, expected);
}

#[test]
fn a_lone_device_is_an_isolated_incident() {
    let (_, changes) = live(Scenario::LoneDevice);
    let declared: Vec<_> = changes.iter().filter(|change| change.kind == ChangeKind::Declared).collect();
    assert_eq!(declared.len(), 1, "{changes:#?}");
    assert_eq!((declared[0].scope, declared[0].devices.len()), (Scope::Isolated, 1));
}
