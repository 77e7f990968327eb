//! Devices that are what they always were: new ones accuse no update, and what comes again for another reason is told again.
//!
//! Each story goes through the whole engine on virtual time, with what its changes mean for the gates of updates.
#![cfg(feature = "shell")]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::sync::Arc;

use fleetwatch::app::playback;
use fleetwatch::driver::Virtual;
use fleetwatch::engine::detector::Engine;
use fleetwatch::engine::effect::{Change, ChangeKind};
use fleetwatch::engine::fleet::Fleet;
use fleetwatch::engine::gate::{Gates, Policy};
use fleetwatch::engine::settings::Settings;
use fleetwatch::engine::time::{MINUTE_MS, Timestamp};
use fleetwatch::simulation::{Remedy, Scenario, Simulation, SimulationConfig};

/// 2026-11-17, a Tuesday, 01:30 UTC: half an hour before the rollout.
const EPOCH: Timestamp = Timestamp::from_ms(1_794_879_000_000);
const HOUR_MIN: i64 = 60;
const DAY_MIN: i64 = 24 * HOUR_MIN;
/// What takes the defect away for good.
const FIX: &str = "2026.11.30";

/// What the engine of a fleet decided.
struct Story {
    changes: Vec<Change>,
}

fn simulation(scenario: Scenario, devices: u32) -> Simulation {
    let config =
        SimulationConfig { devices, branches: 5, report_period_ms: 60_000, ..SimulationConfig::new(scenario, EPOCH) };
    Simulation::new(config)
}

/// So many minutes after the story has begun; before it, where negative.
fn minute(minute: i64) -> Timestamp {
    EPOCH.plus_ms(minute * MINUTE_MS)
}

fn settings() -> Settings {
    Settings { utc_offset_min: 0, ..Settings::default() }
}

impl Story {
    /// After two days of history, so many minutes.
    fn live(simulation: &Simulation, minutes: i64) -> Self {
        let driver = playback::learnt(simulation, &settings(), 2);
        Self::go_on(driver, simulation, minutes)
    }

    /// As [`Self::live`], of a fleet whose devices from number `old` on are not there before the story.
    fn with_new_devices(simulation: &Simulation, old: u32, minutes: i64) -> Self {
        let mut driver = Virtual::new(Engine::new(settings(), Arc::new(Fleet::new(&settings()))));
        playback::live(&mut driver, simulation, simulation.history_of(0..old, 2), |_| ());
        Self::go_on(driver, simulation, minutes)
    }

    fn go_on(mut driver: Virtual, simulation: &Simulation, minutes: i64) -> Self {
        let messages = simulation.messages(EPOCH, minute(minutes));
        let mut changes = playback::live(&mut driver, simulation, messages, |_| ()).changes;
        changes.extend(driver.finish());
        Self { changes }
    }

    fn declared(&self) -> Vec<&Change> {
        self.changes.iter().filter(|change| change.kind == ChangeKind::Declared).collect()
    }

    /// Versions that were ever put on hold.
    fn held(&self) -> BTreeSet<String> {
        let mut gates = Gates::new(Policy::default());
        let decided = gates.see(&self.changes).decisions;
        decided.into_iter().map(|decision| decision.version).collect()
    }

    /// Everything that was ever suspected, by warnings and incidents alike.
    fn suspected(&self) -> BTreeSet<String> {
        let causes = self.changes.iter().filter_map(|change| change.cause.as_ref());
        causes.map(|cause| cause.suspect.value.clone()).collect()
    }

    /// The device that the story is about has had nothing declared and nothing held because of it.
    fn is_quiet(&self) {
        let told: Vec<_> = self.changes.iter().map(|change| (change.at, change.kind, &change.devices)).collect();
        assert!(self.declared().is_empty(), "{told:?}");
        assert!(self.held().is_empty() && self.suspected().is_empty(), "{:?} {told:?}", self.suspected());
    }
}

fn workaround() -> Remedy {
    Remedy::WorkaroundOn("WA-1".into())
}

fn fix() -> Remedy {
    Remedy::Fix { version: FIX.into(), reverts: true }
}

#[test]
fn new_devices_with_slower_lines_than_the_others_accuse_nothing() {
    for new in [1, 4] {
        let simulation = simulation(Scenario::Quiet, 40);
        for device in 40 - new..40 {
            // As they came, so they stay.
            simulation.remedies().apply(device, Remedy::Relapse, minute(-1));
        }
        let story = Story::with_new_devices(&simulation, 40 - new, 2 * DAY_MIN);
        story.is_quiet();
    }
}

#[test]
fn the_same_defect_a_night_later_is_an_incident_of_its_own() {
    let simulation = simulation(Scenario::Nightly, 60);
    let suffering = simulation.truth()[0].devices.clone();
    for &device in &suffering {
        simulation.remedies().apply(device, workaround(), minute(180));
        simulation.remedies().apply(device, fix(), minute(260));
        // The next night's update brings the defect back.
        let again = Remedy::Fix { version: "2026.12.01".into(), reverts: true };
        let night = minute(DAY_MIN + 40 + i64::from(device) % 20);
        simulation.remedies().apply(device, again, night);
        simulation.remedies().apply(device, Remedy::Relapse, night.plus_ms(60_000));
    }
    let story = Story::live(&simulation, DAY_MIN + 5 * HOUR_MIN);
    assert_eq!(story.declared().len(), 2, "{:#?}", story.declared());
    assert!(story.held().contains("2026.12.01"), "{:?}", story.held());
}
