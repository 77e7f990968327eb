//! Devices that are what they always were: excepted, noisy or new ones accuse no update, and are not declared night after night.
//!
//! Each story goes through the whole engine on virtual time, with what its changes mean for the gates of updates. In every night
//! the fleet takes an update; it is well after it.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use fleetwatch::engine::detector::Engine;
use fleetwatch::engine::effect::{Change, ChangeKind};
use fleetwatch::engine::fleet::Fleet;
use fleetwatch::engine::gate::{Gates, Policy};
use fleetwatch::engine::settings::Settings;
use fleetwatch::engine::time::{MINUTE_MS, Timestamp};
use fleetwatch::lab::feed;
use fleetwatch::lab::simulation::{Remedy, Scenario, Simulation, SimulationConfig};
use fleetwatch::runtime::driver::Virtual;

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
        let driver = feed::learnt(simulation, &settings(), 2);
        Self::go_on(driver, simulation, minutes)
    }

    /// As [`Self::live`], of a fleet whose devices from number `old` on are not there before the story.
    fn with_new_devices(simulation: &Simulation, old: u32, minutes: i64) -> Self {
        let mut driver = Virtual::new(Engine::new(settings(), Arc::new(Fleet::new(&settings()))));
        feed::live(&mut driver, simulation, simulation.history_of(0..old, 2), |_| ());
        Self::go_on(driver, simulation, minutes)
    }

    fn go_on(mut driver: Virtual, simulation: &Simulation, minutes: i64) -> Self {
        let messages = simulation.messages(EPOCH, minute(minutes));
        let mut changes = feed::live(&mut driver, simulation, messages, |_| ()).changes;
        changes.extend(driver.finish());
        Self { changes }
    }

    fn declared(&self) -> Vec<&Change> {
        self.changes.iter().filter(|change| change.kind == ChangeKind::Declared).collect()
    }

    /// The days of the story on which something was declared.
    fn days(&self) -> Vec<i64> {
        self.declared().iter().map(|change| change.at.since_ms(EPOCH) / MINUTE_MS / DAY_MIN).collect()
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

    /// Nothing was suspected and nothing held.
    fn accuses_nothing(&self) {
        let told: Vec<_> = self.changes.iter().map(|change| (change.at, change.kind, &change.devices)).collect();
        assert!(self.held().is_empty() && self.suspected().is_empty(), "{:?} {told:?}", self.suspected());
    }

    /// Declared on the first night and never again, and nothing held or suspected but the guilty update. `left`: devices without the fix.
    fn is_of_the_first_night(&self, simulation: &Simulation, left: usize) {
        let guilty = simulation.truth()[0].value.clone();
        assert_eq!(self.days(), [0], "{left}: {:#?}", self.declared());
        assert_eq!(
            (self.held(), self.suspected()),
            (BTreeSet::from([guilty.clone()]), BTreeSet::from([guilty])),
            "{left}"
        );
    }

    /// The device that the story is about has had nothing declared and nothing held because of it.
    fn is_quiet(&self) {
        assert!(self.declared().is_empty(), "{:#?}", self.declared());
        self.accuses_nothing();
    }
}

fn workaround() -> Remedy {
    Remedy::WorkaroundOn("WA-1".into())
}

fn update(version: &str) -> Remedy {
    Remedy::Fix { version: version.into(), reverts: true }
}

/// What happens to devices: written down in any order, done in that of time.
#[derive(Default)]
struct Deeds(Vec<(Timestamp, u32, Remedy)>);

impl Deeds {
    fn at(&mut self, at: Timestamp, device: u32, remedy: Remedy) {
        self.0.push((at, device, remedy));
    }

    /// Delays the device's traffic in these nights, from the `from`-th to the `to`-th minute of the story's clock.
    fn ill(&mut self, device: u32, nights: Range<i64>, (from, to): (i64, i64)) {
        for night in nights {
            self.at(minute(night * DAY_MIN + from), device, Remedy::Relapse);
            self.at(minute(night * DAY_MIN + to), device, workaround());
        }
    }

    /// Gives these devices a new update in each of these nights, in the 25 minutes from two o'clock on. Those in `ill` are no
    /// better with it.
    fn rollouts(&mut self, devices: impl Iterator<Item = u32>, nights: Range<i64>, ill: &[u32]) {
        for device in devices {
            for night in nights.clone() {
                let at = minute(night * DAY_MIN + 30 + i64::from(device * 7 % 25));
                self.at(at, device, update(&format!("2026.12.{:02}", night + 1)));
                if ill.contains(&device) {
                    self.at(at.plus_ms(1_000), device, Remedy::Relapse);
                }
            }
        }
    }

    fn apply(mut self, simulation: &Simulation) {
        self.0.sort_by_key(|(at, ..)| *at);
        for (at, device, remedy) in self.0 {
            simulation.remedies().apply(device, remedy, at);
        }
    }
}

/// The guilty update's night: an hour after its declaration all but `left` of those who suffer are on the workaround, and all but
/// those get the fix in the hour after. Returns who is left.
fn remedied(simulation: &Simulation, left: usize, deeds: &mut Deeds) -> Vec<u32> {
    let suffering = &simulation.truth()[0].devices;
    let remaining: Vec<u32> = suffering.iter().copied().step_by(suffering.len() / left).take(left).collect();
    for (nth, &device) in suffering.iter().enumerate().filter(|(_, device)| !remaining.contains(device)) {
        deeds.at(minute(180 + nth as i64 % 20), device, workaround());
    }
    for device in (0..simulation.config().devices).filter(|device| !remaining.contains(device)) {
        deeds.at(minute(260 + i64::from(device) % 30), device, update(FIX));
    }
    remaining
}

#[test]
fn devices_that_the_fix_does_not_help_do_not_accuse_it() {
    for left in [1, 3, 6] {
        let simulation = simulation(Scenario::Nightly, 100);
        let mut deeds = Deeds::default();
        for device in remedied(&simulation, left, &mut deeds) {
            let at = minute(260 + i64::from(device) % 30);
            deeds.at(at, device, update(FIX));
            // Within the second: what ailed it goes on.
            deeds.at(at.plus_ms(1_000), device, Remedy::Relapse);
        }
        deeds.apply(&simulation);
        let guilty = simulation.truth()[0].value.clone();
        let story = Story::live(&simulation, 10 * HOUR_MIN);
        assert_eq!(story.days(), [0], "{left}: {:#?}", story.declared());
        assert_eq!(story.suspected(), BTreeSet::from([guilty.clone()]), "{left}");
        assert_eq!(story.held(), BTreeSet::from([guilty]), "{left}");
    }
}

#[test]
fn excepted_devices_that_are_ill_every_night_are_not_declared_again() {
    for left in [1, 3] {
        let simulation = simulation(Scenario::Nightly, 60);
        let mut deeds = Deeds::default();
        let remaining = remedied(&simulation, left, &mut deeds);
        for &device in &remaining {
            // By day it does not show.
            deeds.at(minute(330), device, workaround());
            deeds.ill(device, 1..4, (30, 330));
        }
        deeds.rollouts((0..60).filter(|device| !remaining.contains(device)), 1..4, &[]);
        deeds.apply(&simulation);
        Story::live(&simulation, 4 * DAY_MIN).is_of_the_first_night(&simulation, left);
    }
}

#[test]
fn excepted_devices_that_never_get_well_are_not_declared_again_and_accuse_no_update_that_they_take() {
    for left in [1, 3] {
        let simulation = simulation(Scenario::Nightly, 100);
        let mut deeds = Deeds::default();
        let remaining = remedied(&simulation, left, &mut deeds);
        deeds.rollouts(0..100, 1..3, &remaining);
        deeds.apply(&simulation);
        Story::live(&simulation, 3 * DAY_MIN).is_of_the_first_night(&simulation, left);
    }
}

#[test]
fn a_device_that_was_always_noisy_is_neither_declared_nor_does_it_accuse_an_update() {
    let simulation = simulation(Scenario::Quiet, 24);
    let mut deeds = Deeds::default();
    deeds.ill(7, -2..5, (60, 180));
    deeds.rollouts(0..24, 1..5, &[]);
    deeds.apply(&simulation);
    Story::live(&simulation, 5 * DAY_MIN).is_quiet();
}

#[test]
fn what_begins_is_declared_once_and_what_was_well_for_a_night_is_declared_anew() {
    let simulation = simulation(Scenario::Quiet, 24);
    let mut deeds = Deeds::default();
    // Two nights, a good one, and another bad one.
    deeds.ill(7, 0..2, (60, 300));
    deeds.ill(7, 3..4, (60, 300));
    deeds.rollouts(0..24, 1..4, &[]);
    deeds.apply(&simulation);
    let story = Story::live(&simulation, 4 * DAY_MIN);
    assert_eq!(story.days(), [0, 3], "{:#?}", story.declared());
    story.accuses_nothing();
}

#[test]
fn new_devices_with_slower_lines_than_the_others_accuse_nothing() {
    for new in [1, 4] {
        let simulation = simulation(Scenario::Quiet, 40);
        let slow: Vec<u32> = (40 - new..40).collect();
        let mut deeds = Deeds::default();
        for &device in &slow {
            // As they came, so they stay.
            deeds.at(minute(-1), device, Remedy::Relapse);
        }
        deeds.rollouts(0..40, 1..3, &slow);
        deeds.apply(&simulation);
        Story::with_new_devices(&simulation, 40 - new, 3 * DAY_MIN).is_quiet();
    }
}

#[test]
fn the_same_defect_a_night_later_is_an_incident_of_its_own() {
    let simulation = simulation(Scenario::Nightly, 60);
    let suffering = simulation.truth()[0].devices.clone();
    for &device in &suffering {
        simulation.remedies().apply(device, workaround(), minute(180));
        simulation.remedies().apply(device, update(FIX), minute(260));
        // The next night's update brings the defect back.
        let night = minute(DAY_MIN + 40 + i64::from(device) % 20);
        simulation.remedies().apply(device, update("2026.12.01"), night);
        simulation.remedies().apply(device, Remedy::Relapse, night.plus_ms(60_000));
    }
    let story = Story::live(&simulation, DAY_MIN + 5 * HOUR_MIN);
    assert_eq!(story.declared().len(), 2, "{:#?}", story.declared());
    assert!(story.held().contains("2026.12.01"), "{:?}", story.held());
}
