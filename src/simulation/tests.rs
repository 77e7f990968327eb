use std::collections::HashMap;

use super::*;
use crate::engine::device::TrafficClass;
use crate::engine::histogram::lowest_of;

/// 2026-11-22 01:45 UTC.
const EPOCH: Timestamp = Timestamp::from_ms(1_795_311_900_000);
const MINUTE: i64 = 60_000;

fn simulation(scenario: Scenario, devices: u32) -> Simulation {
    Simulation::new(SimulationConfig { devices, branches: 10, ..SimulationConfig::new(scenario, EPOCH) })
}

fn each(mut messages: Messages<'_>, mut see: impl FnMut(Message<'_>)) {
    while let Some(message) = messages.next() {
        see(message);
    }
}

fn text(message: &Message<'_>) -> String {
    format!("{message:?}")
}

fn collect(messages: Messages<'_>) -> Vec<String> {
    let mut all = Vec::new();
    each(messages, |message| all.push(text(&message)));
    all
}

#[test]
fn the_same_seed_gives_the_same_messages_and_another_seed_others() {
    let minutes = |seed| {
        let config = SimulationConfig { devices: 10, seed, ..SimulationConfig::new(Scenario::Nightly, EPOCH) };
        collect(Simulation::new(config).messages(EPOCH, EPOCH.plus_ms(20 * MINUTE)))
    };
    assert_eq!(minutes(5), minutes(5));
    assert_ne!(minutes(5), minutes(6));
}

#[test]
fn a_part_is_the_same_as_in_the_whole_whatever_it_starts_in() {
    for scenario in
        [Scenario::Nightly, Scenario::Backlog, Scenario::Silence, Scenario::Duplicates, Scenario::RebootLoop]
    {
        let fleet = simulation(scenario, 20);
        let end = EPOCH.plus_ms(150 * MINUTE);
        let mut whole = Vec::new();
        each(fleet.messages(EPOCH, end), |message| whole.push((message.at, text(&message))));
        for start in [1, 16, 47, 61, 95, 121, 122] {
            let from = EPOCH.plus_ms(start * MINUTE + 1_234);
            let tail: Vec<_> = whole.iter().filter(|(at, _)| *at >= from).map(|(_, text)| text.clone()).collect();
            // A redelivery just behind the boundary may lose its original: compare from the first original on.
            let part = collect(fleet.messages(from, end));
            if scenario == Scenario::Duplicates {
                assert!(tail.ends_with(&part[40..]), "{scenario} {start}");
            } else {
                assert_eq!(part, tail, "{scenario} {start}");
            }
        }
    }
}

#[test]
fn messages_arrive_in_order_and_never_before_they_were_measured() {
    for scenario in Scenario::ALL {
        let fleet = simulation(scenario, 15);
        let mut before = Timestamp::default();
        let mut reports = 0;
        each(fleet.messages(EPOCH, EPOCH.plus_ms(200 * MINUTE)), |message| {
            assert!(message.at >= before, "{scenario}");
            before = message.at;
            if let Body::Report(report) = message.body {
                reports += 1;
                let skew = fleet.plans()[message.device as usize].skew_ms;
                let end = report.start - skew + i64::from(report.period_ms);
                assert!(report.start == 0 || message.at.as_ms() >= end + 20, "{scenario}");
            }
        });
        assert!(reports > 8_000, "{scenario}: {reports}");
    }
}

#[test]
fn history_and_live_join_without_a_gap_in_the_sequence() {
    let fleet = simulation(Scenario::Quiet, 25);
    let mut last: HashMap<u32, (u64, u64, u64)> = HashMap::new();
    let mut see = |message: Message<'_>| {
        if let Body::Report(report) = message.body {
            let next = (report.boot, report.seq, report.uptime_ms);
            if let Some((boot, seq, uptime)) = last.insert(message.device, next) {
                assert_eq!((report.boot, report.seq), (boot, seq + 1));
                assert!(report.uptime_ms > uptime);
            }
        }
    };
    let mut newest = Timestamp::default();
    each(fleet.history(2), |message| {
        newest = message.at;
        see(message);
    });
    assert!(newest < EPOCH && newest > EPOCH.plus_ms(-20_000));
    each(fleet.messages(EPOCH, EPOCH.plus_ms(5 * MINUTE)), &mut see);
    assert_eq!(last.len(), 25);
}

#[test]
fn history_has_a_report_a_minute_and_a_status_a_night() {
    let fleet = simulation(Scenario::Nightly, 10);
    let (mut reports, mut statuses) = (0, 0);
    each(fleet.history(2), |message| match message.body {
        Body::Report(report) => {
            reports += 1;
            assert_eq!(report.period_ms, 60_000);
        }
        Body::Status(status) => {
            statuses += 1;
            assert!(status.online && status.update.is_some());
        }
    });
    assert!((10 * 2 * 1_440 - 10..=10 * 2 * 1_440).contains(&reports), "{reports}");
    assert!((20..=30).contains(&statuses), "{statuses}");
}

/// Mean delay of one class over an hour of many devices, with and without the impact: (ratio, flagged share of probes).
fn measured(scenario: Scenario, class: TrafficClass, from_min: i64, to_min: i64, hit: bool) -> (f64, f64) {
    let fleet = simulation(scenario, 200);
    let calm = simulation(Scenario::Quiet, 200);
    let devices = &fleet.truth()[0].devices;
    let (from, to) = (fleet.rollout().plus_ms(from_min * MINUTE), fleet.rollout().plus_ms(to_min * MINUTE));
    let sums = |fleet: &Simulation| {
        let (mut log_sum, mut n, mut canary, mut flagged) = (0.0, 0.0, 0.0, 0.0);
        each(fleet.messages(from, to), |message| {
            let Body::Report(report) = message.body else { return };
            if devices.contains(&message.device) != hit {
                return;
            }
            for part in report.classes.iter().filter(|part| part.class == class) {
                for bucket in report.buckets_of(part) {
                    n += f64::from(bucket.count);
                    log_sum += f64::from(bucket.count) * f64::from(lowest_of(bucket.index.into())).ln();
                }
                canary += f64::from(part.canary);
                flagged += f64::from(part.canary_flagged);
            }
        });
        (log_sum / n, flagged / canary)
    };
    let ((bad, share), (good, _)) = (sums(&fleet), sums(&calm));
    ((bad - good).exp(), share)
}

#[test]
fn what_is_measured_is_what_was_injected() {
    let (ratio, share) = measured(Scenario::Nightly, TrafficClass::Https, 60, 120, true);
    assert!((2.15..2.35).contains(&ratio), "{ratio}");
    assert!((0.048..0.066).contains(&share), "{share}");
    let (ratio, share) = measured(Scenario::Nightly, TrafficClass::Https, 60, 120, false);
    assert!((0.97..1.03).contains(&ratio), "{ratio}");
    assert!(share < 0.004, "{share}");
    let (ratio, _) = measured(Scenario::Nightly, TrafficClass::Dns, 60, 120, true);
    assert!((0.97..1.03).contains(&ratio), "{ratio}");
    let (ratio, share) = measured(Scenario::Moderate, TrafficClass::Https, 60, 120, true);
    assert!((1.54..1.66).contains(&ratio) && share < 0.004, "{ratio} {share}");
    let (ratio, share) = measured(Scenario::FiftyNineMinutes, TrafficClass::Https, 125, 180, true);
    assert!((0.97..1.03).contains(&ratio) && share < 0.004, "after its end: {ratio} {share}");
}

#[test]
fn the_nightly_rollout_reaches_sixty_percent_within_25_minutes_in_rings() {
    let fleet = simulation(Scenario::Nightly, 1_000);
    assert_eq!(fleet.rollout(), EPOCH.plus_ms(15 * MINUTE));
    let [truth] = fleet.truth() else { panic!("one cause") };
    assert_eq!((truth.kind, truth.value.as_str(), truth.end), ("update", "2026.11.21", None));
    assert_eq!(truth.devices.len(), 600);
    let mut installs: Vec<i64> = fleet
        .plans()
        .iter()
        .filter_map(|plan| plan.installs.last())
        .filter(|install| &*install.version == "2026.11.21")
        .map(|install| install.at.since_ms(fleet.rollout()))
        .collect();
    installs.sort_unstable();
    assert_eq!(installs.len(), 600);
    assert!(installs[19] < MINUTE && installs[20] >= 4 * MINUTE && installs[199] <= 8 * MINUTE);
    assert!(installs[200] >= 10 * MINUTE && installs[599] > 24 * MINUTE && installs[599] <= 25 * MINUTE);
    for &device in &truth.devices {
        let plan = &fleet.plans()[device as usize];
        let onset = plan.impacts[0].start.since_ms(plan.installs.last().unwrap().at);
        assert!((0..=90_000).contains(&onset));
    }
}

#[test]
fn each_scenarios_truth_is_what_its_name_says() {
    let truth = |scenario| simulation(scenario, 200).truth().to_vec();
    let length = |scenario| {
        let truth = &truth(scenario)[0];
        truth.end.unwrap().since_ms(truth.start) / MINUTE
    };
    assert!(truth(Scenario::Quiet).is_empty());
    assert_eq!(length(Scenario::FiftyNineMinutes), 59);
    assert_eq!(length(Scenario::SixtyMinutes), 60);
    assert_eq!(length(Scenario::Rollback), 45);
    assert_eq!(length(Scenario::IspFault), 90);
    assert_eq!(length(Scenario::Relapse), 145);
    assert_eq!(truth(Scenario::IspFault)[0].kind, "branch");
    assert_eq!(truth(Scenario::IspFault)[0].devices.len(), 20);
    assert_eq!(truth(Scenario::RingOfSix)[0].devices.len(), 6);
    assert_eq!(truth(Scenario::TwoEvents).len(), 2);
    assert_eq!(truth(Scenario::ModelOnly)[0].kind, "update+model");
    let two = simulation(Scenario::TwoUpdates, 200);
    assert_eq!(two.truth()[0].devices.len(), 60);
    let newest =
        |version: &str| two.plans().iter().filter(|plan| &*plan.installs.last().unwrap().version == version).count();
    assert_eq!((newest("2026.11.21"), newest("2026.11.21-ext")), (60, 60));
}

#[test]
fn a_cut_branch_measures_on_and_delivers_its_hour_afterwards_in_order() {
    let fleet = simulation(Scenario::Backlog, 40);
    let device = (0..40).find(|&index| !fleet.plans()[index as usize].cuts.is_empty()).unwrap();
    let cut = fleet.plans()[device as usize].cuts[0];
    let (mut within, mut expected_seq, mut offline) = (0, None, false);
    each(fleet.messages_of(device..device + 1, EPOCH, EPOCH.plus_ms(180 * MINUTE)), |message| match message.body {
        Body::Report(report) => {
            assert!(message.at < cut.from || message.at >= cut.to);
            assert!(expected_seq.is_none_or(|seq| seq == report.seq));
            expected_seq = Some(report.seq + 1);
            within += u32::from(message.at >= cut.to && message.at < cut.to.plus_ms(20_000));
        }
        Body::Status(status) => offline |= !status.online && message.at >= cut.from && message.at < cut.to,
    });
    assert!((360..=364).contains(&within), "{within}");
    assert!(offline, "the broker tells of the lost device");
}

#[test]
fn silent_devices_stop_and_looping_devices_count_their_boots() {
    let fleet = simulation(Scenario::Silence, 40);
    let device = fleet.truth()[0].devices[0];
    let mut last = Timestamp::default();
    each(fleet.messages_of(device..device + 1, EPOCH, EPOCH.plus_ms(300 * MINUTE)), |message| {
        if let Body::Report(_) = message.body {
            last = message.at;
        }
    });
    assert!(last.since_ms(fleet.rollout()) < 91 * MINUTE && last.since_ms(fleet.rollout()) > 89 * MINUTE);

    let fleet = simulation(Scenario::RebootLoop, 40);
    let mut boots: Vec<u64> = Vec::new();
    each(fleet.messages_of(0..1, EPOCH, EPOCH.plus_ms(90 * MINUTE)), |message| {
        if let Body::Report(report) = message.body {
            boots.push(report.boot);
        }
    });
    boots.dedup();
    assert_eq!(boots.len(), 91);
    assert!(boots.windows(2).all(|pair| pair[1] == pair[0] + 1));
}

#[test]
fn repeated_reports_are_equal_to_their_originals() {
    let fleet = simulation(Scenario::Duplicates, 40);
    let (mut seen, mut repeated, mut total) = (HashMap::new(), 0, 0);
    each(fleet.messages(EPOCH, EPOCH.plus_ms(60 * MINUTE)), |message| {
        if let Body::Report(report) = message.body {
            total += 1;
            if let Some(original) = seen.insert((message.device, report.boot, report.seq), report.clone()) {
                repeated += 1;
                assert_eq!(&original, report);
            }
        }
    });
    let share = f64::from(repeated) / f64::from(total - repeated);
    assert!((0.13..0.17).contains(&share), "one in ten, half of them twice: {share}");
}

#[test]
fn a_report_is_of_believable_size() {
    let fleet = simulation(Scenario::Quiet, 100);
    let noon = EPOCH.plus_ms(34 * 3_600_000);
    let (mut buckets, mut https) = (0, 0);
    each(fleet.messages(noon, noon.plus_ms(MINUTE)), |message| {
        if let Body::Report(report) = message.body {
            assert_eq!(report.classes.len(), 4);
            buckets += report.buckets_of(&report.classes[0]).len();
            https += 1;
            for part in &report.classes {
                let counted: u32 = report.buckets_of(part).iter().map(|bucket| bucket.count).sum();
                assert_eq!(counted, part.flows);
                assert!(part.canary_flagged <= part.canary && part.flagged <= part.flows);
                assert_eq!(report.rules_of(part).map(|(_, count)| count).sum::<u32>(), part.flagged);
            }
        }
    });
    assert!((8..=24).contains(&(buckets / https)), "{}", buckets / https);
}
