use super::*;
use crate::engine::device::Status;
use crate::lab::simulation::tests::{each, sums};
use crate::lab::simulation::{Body, Message, Messages, Scenario, Simulation, SimulationConfig};

/// 2026-11-22 01:45 UTC, 15 minutes before the rollout.
const EPOCH: Timestamp = Timestamp::from_ms(1_795_311_900_000);
const MINUTE: i64 = 60_000;
const FIX: &str = "2026.11.22";

fn simulation(scenario: Scenario) -> Simulation {
    Simulation::new(SimulationConfig { devices: 100, branches: 10, ..SimulationConfig::new(scenario, EPOCH) })
}

fn minute(minute: i64) -> Timestamp {
    EPOCH.plus_ms(minute * MINUTE)
}

fn on() -> Remedy {
    Remedy::WorkaroundOn("WA-1".into())
}

fn fix(reverts: bool) -> Remedy {
    Remedy::Fix { version: FIX.into(), reverts }
}

fn text(messages: Messages<'_>) -> Vec<String> {
    let mut all = Vec::new();
    each(messages, |message| all.push(format!("{message:?}")));
    all
}

/// Mean delay of https of the devices over that in a quiet night, and share of the probes that are flagged.
fn felt(fleet: &Simulation, devices: &[u32], from: i64, to: i64) -> (f64, f64) {
    // What began before is judged by what held then.
    let of = |message: &Message<'_>| message.at >= minute(from).plus_ms(11_000) && devices.contains(&message.device);
    let sums = |fleet: &Simulation| sums(fleet.messages(minute(from), minute(to)), TrafficClass::Https, of);
    let ((now, share), (quiet, _)) = (sums(fleet), sums(&simulation(Scenario::Quiet)));
    ((now - quiet).exp(), share)
}

fn assert_suffers((ratio, share): (f64, f64)) {
    assert!((2.1..2.4).contains(&ratio) && share > 0.04, "{ratio} {share}");
}

fn assert_well((ratio, share): (f64, f64)) {
    assert!((0.97..1.06).contains(&ratio) && share < 0.006, "{ratio} {share}");
}

/// The devices that suffer, all of them treated alike at these minutes.
fn treated(scenario: Scenario, deeds: &[(i64, Remedy)]) -> (Simulation, Vec<u32>) {
    let fleet = simulation(scenario);
    let devices = fleet.truth()[0].devices.clone();
    for (at, remedy) in deeds {
        devices.iter().for_each(|&device| fleet.remedies().apply(device, remedy.clone(), minute(*at)));
    }
    (fleet, devices)
}

/// The statuses of a device, each with its arrival, from the 50th minute on.
fn statuses(fleet: &Simulation, device: u32) -> Vec<(Timestamp, Status)> {
    let mut said = Vec::new();
    each(fleet.messages_of(device..device + 1, minute(50), minute(400)), |message| {
        if let Body::Status(status) = message.body {
            said.push((message.at, status.clone()));
        }
    });
    said
}

#[test]
fn a_workaround_takes_the_effect_away_while_it_is_on() {
    let (fleet, devices) = treated(Scenario::Nightly, &[(100, on()), (160, Remedy::WorkaroundOff)]);
    assert_suffers(felt(&fleet, &devices, 60, 100));
    assert_well(felt(&fleet, &devices, 100, 160));
    assert_suffers(felt(&fleet, &devices, 160, 200));
}

#[test]
fn a_fix_takes_it_away_for_good_whether_or_not_the_revert_worked() {
    for reverts in [true, false] {
        let deeds = [(100, on()), (160, fix(reverts)), (220, Remedy::WorkaroundOff)];
        let (fleet, devices) = treated(Scenario::Nightly, &deeds);
        assert_well(felt(&fleet, &devices, 160, 220));
        assert_well(felt(&fleet, &devices, 220, 280));
    }
}

#[test]
fn a_relapse_is_felt_whatever_was_done_before_and_until_something_is_done() {
    let (fleet, devices) = treated(Scenario::Nightly, &[(60, fix(true)), (120, Remedy::Relapse), (180, on())]);
    assert_well(felt(&fleet, &devices, 60, 120));
    assert_suffers(felt(&fleet, &devices, 120, 180));
    assert_well(felt(&fleet, &devices, 180, 220));
    // A device that never suffered can begin to.
    let fleet = simulation(Scenario::Quiet);
    let all: Vec<u32> = (0..100).collect();
    all.iter().for_each(|&device| fleet.remedies().apply(device, Remedy::Relapse, minute(60)));
    assert_suffers(felt(&fleet, &all, 60, 100));
}

#[test]
fn what_no_setting_can_mend_is_not_mended() {
    let (fleet, devices) = treated(Scenario::IspFault, &[(50, on()), (70, fix(true))]);
    let (ratio, _) = felt(&fleet, &devices, 75, 120);
    assert!(ratio > 3.0, "a slow line stays slow: {ratio}");
}

#[test]
fn the_device_says_at_once_what_was_changed_on_it() {
    let (fleet, devices) = treated(Scenario::Nightly, &[(100, on()), (160, fix(false)), (200, Remedy::WorkaroundOff)]);
    let device = devices[7];
    let said = statuses(&fleet, device);
    let told: Vec<_> = said
        .iter()
        .map(|(at, status)| {
            let workaround = status.workaround.clone().unwrap();
            (at.since_ms(EPOCH), status.update.as_deref().unwrap(), workaround.id, workaround.active)
        })
        .collect();
    let id = || Some(Label::from("WA-1"));
    assert_eq!(
        told,
        [
            (100 * MINUTE + 150, "2026.11.21", id(), true),
            (160 * MINUTE + 150, FIX, id(), true),
            (200 * MINUTE + 150, FIX, id(), false),
        ]
    );
    let skew_ms = fleet.plans()[device as usize].skew_ms;
    let installed: Vec<_> = said.iter().map(|(_, status)| status.update_installed_at.unwrap() - skew_ms).collect();
    let bad = fleet.plans()[device as usize].installs.last().unwrap().at;
    assert_eq!(installed, [bad.as_ms(), minute(160).as_ms(), minute(160).as_ms()]);
    // A revert that works is told with the fix.
    let (fleet, devices) = treated(Scenario::Nightly, &[(100, on()), (160, fix(true))]);
    let (_, status) = statuses(&fleet, devices[7]).pop().unwrap();
    assert_eq!((status.update.as_deref(), status.workaround.map(|w| w.active)), (Some(FIX), Some(false)));
}

#[test]
fn a_device_that_is_cut_off_tells_it_when_its_line_is_back() {
    let fleet = simulation(Scenario::Backlog);
    let index = fleet.plans().iter().position(|plan| !plan.cuts.is_empty()).unwrap();
    let cut = fleet.plans()[index].cuts[0];
    fleet.remedies().apply(index as u32, on(), cut.from.plus_ms(MINUTE));
    let said = statuses(&fleet, index as u32);
    let active: Vec<_> = said
        .iter()
        .map(|(at, status)| (at.since_ms(cut.to), status.online, status.workaround.as_ref().unwrap().active))
        .collect();
    assert_eq!(active, [(cut.from.since_ms(cut.to) + 45_000, false, false), (500, true, true)]);
}

#[test]
fn the_same_deeds_give_the_same_messages_whenever_they_are_done() {
    let fleet = || simulation(Scenario::Nightly);
    let deeds = [(3, on(), 100), (3, fix(false), 130), (7, on(), 115), (3, Remedy::WorkaroundOff, 150)];
    let before = fleet();
    for (device, remedy, at) in &deeds {
        before.remedies().apply(*device, remedy.clone(), minute(*at));
    }
    let whole = text(before.messages(EPOCH, minute(170)));
    // Done one by one, while the messages are being asked for.
    let during = fleet();
    let mut messages = during.messages(EPOCH, minute(170));
    let mut all = Vec::new();
    for (device, remedy, at) in [&deeds[0], &deeds[2], &deeds[1], &deeds[3]] {
        while messages.peek().is_some_and(|next| next < minute(*at)) {
            all.push(format!("{:?}", messages.next().unwrap()));
        }
        during.remedies().apply(*device, remedy.clone(), minute(*at));
        messages.take_up();
    }
    while let Some(message) = messages.next() {
        all.push(format!("{message:?}"));
    }
    assert!(all == whole, "done beforehand and done meanwhile differ");
    let start = minute(120).plus_ms(1_234);
    let part = text(before.messages(start, minute(170)));
    assert!(whole.ends_with(&part) && !part.is_empty());
    assert!(whole != text(fleet().messages(EPOCH, minute(170))));
}

#[test]
fn what_is_done_later_is_never_earlier() {
    let remedies = Remedies::new(2);
    remedies.apply(1, on(), minute(10));
    remedies.apply(1, Remedy::WorkaroundOff, minute(5));
    let at: Vec<_> = remedies.clone().since(1, 0).into_iter().map(|applied| applied.at).collect();
    assert_eq!(at, [minute(10), minute(10)]);
    assert!(remedies.since(0, 0).is_empty() && remedies.since(1, 2).is_empty());
}
