//! Every scenario of the simulated fleet through the whole engine on virtual time, held against what was injected.

use std::collections::BTreeSet;
use std::sync::Arc;

use fleetwatch::driver::Virtual;
use fleetwatch::engine::detector::Engine;
use fleetwatch::engine::effect::{Change, ChangeKind, Scope};
use fleetwatch::engine::fleet::Fleet;
use fleetwatch::engine::settings::Settings;
use fleetwatch::engine::time::Timestamp;
use fleetwatch::simulation::{Body, Messages, Scenario, Simulation, SimulationConfig};

/// 2026-11-17, a Tuesday, 00:30 UTC.
const EPOCH_MS: i64 = 1_794_875_400_000;

fn feed(driver: &mut Virtual, simulation: &Simulation, mut messages: Messages<'_>, changes: &mut Vec<Change>) {
    while let Some(message) = messages.next() {
        changes.append(&mut driver.advance(message.at));
        let id = simulation.profiles()[message.device as usize].id.as_str();
        match message.body {
            Body::Report(report) => drop(driver.report(id, report)),
            Body::Status(status) => driver.status(id, status.clone(), message.retain).expect("a known device"),
        }
    }
}

fn live(scenario: Scenario, devices: u32, seed: u64, hours: i64) -> (Simulation, Vec<Change>) {
    let config = SimulationConfig {
        devices,
        branches: devices.div_ceil(20).max(3),
        seed,
        report_period_ms: 30_000,
        ..SimulationConfig::new(scenario, Timestamp::from_ms(EPOCH_MS))
    };
    let simulation = Simulation::new(config);
    let settings = Settings { utc_offset_min: 0, ..Settings::default() };
    let mut driver = Virtual::new(Engine::new(settings.clone(), Arc::new(Fleet::new(&settings))));
    let mut changes = Vec::new();
    feed(&mut driver, &simulation, simulation.history(2), &mut changes);
    let epoch = Timestamp::from_ms(EPOCH_MS);
    feed(&mut driver, &simulation, simulation.messages(epoch, epoch.plus_ms(hours * 3_600_000)), &mut changes);
    changes.extend(driver.finish());
    (simulation, changes)
}

#[test]
fn survey() {
    let only = std::env::var("SCENARIO").ok();
    let devices = std::env::var("DEVICES").map_or(100, |n| n.parse().unwrap());
    let seed = std::env::var("SEED").map_or(1, |n| n.parse().unwrap());
    for scenario in Scenario::ALL {
        if only.as_ref().is_some_and(|only| *only != scenario.to_string()) {
            continue;
        }
        let began = std::time::Instant::now();
        let (simulation, changes) = live(scenario, devices, seed, 7);
        println!("== {scenario} {:?}", began.elapsed());
        for truth in simulation.truth() {
            println!(
                "   truth {} .. {:?} {} devices {} {} declares={}",
                clock(truth.start),
                truth.end.map(clock),
                truth.devices.len(),
                truth.kind,
                truth.value,
                truth.declares
            );
        }
        for change in &changes {
            if matches!(change.kind, ChangeKind::Joined | ChangeKind::Left) && only.is_none() {
                continue;
            }
            println!(
                "   {} {:?} {} {:?} {:?} since {} streak {} devices {} cause {:?}",
                clock(change.at),
                change.kind,
                change.event_id,
                change.incident,
                change.scope,
                clock(change.impact_started_at),
                change.streak_s / 60,
                change.devices.len(),
                change.cause.as_ref().map(|c| (
                    &c.suspect.kind,
                    &c.suspect.value,
                    c.confidence,
                    c.runner_up.as_ref().map(|r| (&r.suspect.kind, r.confidence)),
                    c.inseparable
                ))
            );
        }
    }
}

fn clock(at: Timestamp) -> String {
    let minutes = (at.as_ms() - EPOCH_MS) / 60_000 + 30;
    format!("{:02}:{:02}", minutes.div_euclid(60), minutes.rem_euclid(60))
}
