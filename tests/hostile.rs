//! Hostile input through the whole core, as a transport delivers it: each message is counted under a closed reason, memory
//! stays where it is, invented devices are bounded, and what is known of the real ones goes on as if nothing had been.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fleetwatch::clock::{self, Clock};
use fleetwatch::delivery::{Delivery, DurableSink, Outcome};
use fleetwatch::engine::detector::Engine;
use fleetwatch::engine::device::DeviceId;
use fleetwatch::engine::effect::{Change, ChangeKind};
use fleetwatch::engine::fleet::Fleet;
use fleetwatch::engine::fleet::budget::{self, Budgets};
use fleetwatch::engine::settings::Settings;
use fleetwatch::engine::time::{MINUTE_MS, Timestamp};
use fleetwatch::engine::wire::Limits;
use fleetwatch::engine::wire::encode::{self, LatencyForm};
use fleetwatch::lab::feed;
use fleetwatch::lab::simulation::{Body, Messages, Scenario, Simulation, SimulationConfig};
use fleetwatch::runtime::core::{Core, CoreConfig};
use fleetwatch::runtime::driver::Virtual;
use fleetwatch::runtime::intake::refusal_reasons;
use fleetwatch::runtime::playback::Playback;

#[path = "support/hostile.rs"]
#[allow(dead_code, reason = "another test uses the rest of it")]
mod hostile;

use hostile::{DEVICE, Hostile, Kind};

/// 2026-11-17, a Tuesday, 01:30 UTC: half an hour before the rollout.
const EPOCH: Timestamp = Timestamp::from_ms(1_794_879_000_000);
const MAX_DEVICES: u32 = 500;
/// How often the corpus is delivered.
const ROUNDS: usize = 6;
/// The tests of this file measure the memory of their process, so they take turns.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
const SOON: Duration = Duration::from_secs(20);

/// Delivers until there is room, as a transport has to.
fn deliver(intake: &DurableSink, topic: &str, payload: &[u8]) -> Outcome {
    let start = clock::monotonic();
    loop {
        match intake.sink.deliver(Delivery { topic, payload, retain: false }) {
            Outcome::Busy => std::thread::yield_now(),
            outcome => return outcome,
        }
        assert!(start.elapsed() < SOON, "no room for {topic}");
    }
}

/// Pages that this process holds in memory, in bytes.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4_096
}

/// The values of one metric by label, as `/metrics` shows them.
fn values(core: &Core, name: &str) -> BTreeMap<String, u64> {
    let (_, text) = (core.http_state().metrics)();
    let lines = text.lines().filter_map(|line| line.strip_prefix(name)?.rsplit_once(' '));
    lines.map(|(labels, value)| (labels.to_owned(), value.parse::<f64>().unwrap() as u64)).collect()
}

fn refused(core: &Core) -> BTreeMap<String, u64> {
    let label = |label: &str| label.trim_start_matches("{reason=\"").trim_end_matches("\"}").to_owned();
    let all = values(core, "fleetwatch_messages_refused_total");
    all.into_iter().map(|(reason, count)| (label(&reason), count)).collect()
}

async fn core(dir: &std::path::Path, expected: Vec<DeviceId>) -> Core {
    let mut config = CoreConfig::in_directory(dir, Clock::scaled(EPOCH, 60.0));
    config.settings = Settings { utc_offset_min: 0, max_devices: MAX_DEVICES, ..Settings::default() };
    config.expected = expected;
    // What is decoded is under test here, not how much of it may come.
    config.budgets = Budgets::UNBOUNDED;
    Core::start(config).await.unwrap()
}

/// The corpus, once; adds what had to be refused for a reason known beforehand to `known`. Returns how many payloads there
/// were, and how many were refused at once.
fn corpus(intake: &DurableSink, known: &mut BTreeMap<&'static str, u64>) -> (usize, u64) {
    let mut rejected = 0;
    let count = hostile::each(&mut |Hostile { kind, payload, reason }| {
        let topic = match kind {
            Kind::Report => format!("utm/v1/{DEVICE}/report"),
            Kind::Status => format!("utm/v1/{DEVICE}/status"),
        };
        let outcome = deliver(intake, &topic, &payload);
        rejected += u64::from(outcome == Outcome::Refused);
        if let Some(reason) = reason.filter(|reason| !reason.is_empty()) {
            assert_eq!(outcome, Outcome::Refused, "{reason}");
            *known.entry(reason).or_default() += 1;
        }
    });
    (count, rejected)
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_hostile_payloads_are_counted_by_reason_and_leave_the_memory_where_it_was() {
    let _turn = TURN.lock().await;
    let dir = tempfile::tempdir().unwrap();
    let core = Arc::new(core(dir.path(), Vec::new()).await);
    let intake = core.intake();
    let topics =
        ["", "/", "utm", "utm/v1//report", "utm/v1/B 1/report", "utm/v2/B-1/report", "utm/v1/B-1/report/x", "x\0"];
    let closed = refusal_reasons();
    let shared = intake.clone();
    // One thread for all, so that what the allocator keeps for a thread does not look like growth. The first rounds warm
    // everything up: decoders, allocator, one device with its minutes.
    let rounds = move || {
        let (mut rejected, mut known, mut sizes) = (0, BTreeMap::new(), Vec::new());
        for _ in 0..ROUNDS {
            let (count, refused) = corpus(&shared, &mut known);
            assert!(count > 10_000 && refused > 10_000, "{refused} of {count}");
            for topic in topics {
                assert_eq!(deliver(&shared, topic, b"{}"), Outcome::Refused, "{topic:?}");
            }
            rejected += refused + topics.len() as u64;
            sizes.push(resident());
        }
        (rejected, known, sizes)
    };
    let (rejected, known, sizes) = tokio::task::spawn_blocking(rounds).await.unwrap();
    let by_reason = refused(&core);
    println!("resident {sizes:?}; {by_reason:?}");
    // Payloads of 20 MB come and go, so a single reading says little. A kilobyte kept of each would be 40 MB more.
    let most = |sizes: &[u64]| sizes.iter().copied().max().unwrap();
    let growth = most(&sizes[ROUNDS / 2..]).saturating_sub(most(&sizes[..ROUNDS / 2]));
    assert!(growth < 24 << 20, "grown by {growth} bytes: {sizes:?}");
    for (reason, count) in &by_reason {
        assert!(*count == 0 || closed.contains(&reason.as_str()), "{reason} is not of the closed list");
    }
    assert_eq!(by_reason["other"], 0);
    assert_eq!(by_reason["bad_topic"], (ROUNDS * topics.len()) as u64);
    for (reason, least) in known {
        assert!(by_reason[reason] >= least, "{reason}: {} of {least}", by_reason[reason]);
    }
    // What was refused beyond that was decoded, kept, and refused by the fleet.
    let fleet: u64 = ["duplicate", "stale_sequence", "too_old", "rate_limited", "excessive"]
        .iter()
        .map(|reason| by_reason[*reason])
        .sum();
    assert_eq!(by_reason.values().sum::<u64>(), rejected + fleet);
    // Still there: the next good report is taken.
    let good = encode::report_json("B-0001", &good_report(1), LatencyForm::Counts);
    assert!(matches!(deliver(&intake, "utm/v1/B-0001/report", &good), Outcome::Journaled(_)));
    Arc::into_inner(core).unwrap().shutdown().await.unwrap();
}

fn good_report(seq: u64) -> fleetwatch::engine::report::Report {
    use fleetwatch::engine::device::TrafficClass;
    use fleetwatch::engine::report::{Bucket, ClassReport, Report};
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
        seq,
        uptime_ms: 86_400_000 + seq * 100,
        start: EPOCH.as_ms(),
        period_ms: 100,
        classes: vec![class],
        buckets: vec![Bucket { index: 100, count: 20 }],
        ..Report::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_invented_ids_are_bounded_in_number_memory_and_metrics() {
    let _turn = TURN.lock().await;
    let dir = tempfile::tempdir().unwrap();
    let expected: Vec<DeviceId> = (0..20).map(|n| DeviceId::parse(&format!("B-{n:04}")).unwrap()).collect();
    let core = Arc::new(core(dir.path(), expected.clone()).await);
    let intake = core.intake();
    let flood = |range: std::ops::Range<u32>| {
        let intake = intake.clone();
        tokio::task::spawn_blocking(move || {
            let mut taken = 0_u64;
            for n in range {
                let id = format!("FAKE-{n:06}");
                let (kind, payload) = match n % 3 {
                    0 => ("status", encode::status_json(&id, &Default::default())),
                    1 => ("report", encode::report_json(&id, &good_report(1), LatencyForm::Counts)),
                    _ => ("report", encode::report_binary(&id, &good_report(1), LatencyForm::Counts)),
                };
                taken += u64::from(deliver(&intake, &format!("utm/v1/{id}/{kind}"), &payload) != Outcome::Refused);
            }
            taken
        })
    };
    // The cap is reached, and one tick has shown it.
    let mut taken = flood(0..2_000).await.unwrap();
    assert!(taken >= u64::from(MAX_DEVICES), "{taken}");
    let everybody = u64::from(MAX_DEVICES) + expected.len() as u64;
    until_shown(&core, everybody).await;
    // Lines of one device each, and all others.
    let lines = |scrape: &str| {
        let of_devices = scrape.lines().filter(|line| line.contains("device=\"")).count();
        (of_devices, scrape.lines().count() - of_devices)
    };
    let ((_, before), memory) = (lines(&scrape(&core)), resident());

    let flooding = flood(2_000..100_000);
    let mut sent = 0;
    while !flooding.is_finished() {
        sent += 1;
        for id in &expected {
            let payload = encode::report_json(id.as_str(), &good_report(sent), LatencyForm::Counts);
            let outcome = deliver(&intake, &format!("utm/v1/{id}/report"), &payload);
            assert!(matches!(outcome, Outcome::Journaled(_)), "{id} in the flood: {outcome:?}");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Names that have not proved to be devices take each other's places, and nobody else's.
    taken += flooding.await.unwrap();
    assert!(sent > 5, "{sent}");
    let refusals = refused(&core);
    assert_eq!(refusals["fleet_full"], 100_000 - taken);
    assert_eq!(refusals.values().sum::<u64>(), refusals["fleet_full"], "{refusals:?}");
    // Every report of a known device, and of the invented ones no more than were let in.
    let known = sent * expected.len() as u64;
    let start = clock::monotonic();
    while !(known..=known + taken).contains(&values(&core, "fleetwatch_reports_total")[""]) {
        assert!(start.elapsed() < SOON, "{:?} of {known}", values(&core, "fleetwatch_reports_total"));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    until_shown(&core, everybody).await;
    let after = scrape(&core);
    let grown = resident().saturating_sub(memory);
    println!("{sent} rounds; scrape of {} bytes; {grown} bytes more in memory", after.len());
    // Whoever has a place shows what a device shows, and what is not of one device has one more line at most for each class that
    // has been seen meanwhile.
    let (of_devices, others) = lines(&after);
    assert!(of_devices as u64 <= 30 * everybody, "{of_devices} of {everybody}");
    assert!(others <= before + 20, "{before} -> {others}");
    assert!(grown < 16 << 20, "grown by {grown} bytes");
    let known = after.lines().filter(|line| line.starts_with("fleetwatch_device_info{")).count();
    assert!(known as u64 <= everybody, "{known}");
    Arc::into_inner(core).unwrap().shutdown().await.unwrap();
}

fn scrape(core: &Core) -> String {
    (core.http_state().metrics)().1
}

async fn until_shown(core: &Core, devices: u64) {
    let start = clock::monotonic();
    // A few places are free for whoever knocks next.
    let near = devices - devices / 8..=devices;
    while !near.contains(&(core.snapshot().load().devices.len() as u64)) {
        assert!(start.elapsed() < SOON, "{} of {devices}", core.snapshot().load().devices.len());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Lives a night of a defective update on virtual time; between any two messages come `fakes` of invented devices and as
/// many broken ones in the names of real ones.
fn night(simulation: &Simulation, image: &[u8], settings: &Settings, fakes: u32) -> (Vec<Change>, usize, u64) {
    let mut engine = Engine::new(settings.clone(), Arc::new(Fleet::new(settings)));
    engine.restore(image).unwrap();
    let mut playback = Playback::new(engine, "utm", Limits::default());
    let mut stream: Messages<'_> = simulation.messages(EPOCH, EPOCH.plus_ms(150 * MINUTE_MS));
    let (mut changes, mut number) = (Vec::new(), 0_u32);
    let mut fake = encode::report_binary("FAKE-000000", &good_report(1), LatencyForm::Counts);
    while let Some(message) = stream.next() {
        let id = simulation.profiles()[message.device as usize].id.as_str();
        let (kind, payload) = match message.body {
            Body::Report(report) => ("report", encode::report_binary(id, report, LatencyForm::Counts)),
            Body::Status(status) => ("status", encode::status_binary(id, status)),
        };
        changes.append(&mut playback.play(message.at, &format!("utm/v1/{id}/{kind}"), &payload, false));
        for _ in 0..fakes {
            number += 1;
            let invented = format!("FAKE-{number:06}");
            // Its name stands behind the first byte and a length.
            fake[2..13].copy_from_slice(invented.as_bytes());
            playback.play(message.at, &format!("utm/v1/{invented}/report"), &fake, false);
            playback.play(message.at, &format!("utm/v1/{id}/report"), &payload[..payload.len() / 2], false);
            playback.play(message.at, &format!("utm/v1/{id}/report"), &fake, false);
        }
    }
    changes.append(&mut playback.finish());
    let registered = playback.engine().fleet().len();
    (changes, registered, playback.refused().values().sum())
}

#[test]
fn a_flood_of_invented_ids_changes_nothing_of_what_is_decided_on_the_known_devices() {
    let _turn = TURN.blocking_lock();
    let config = SimulationConfig {
        devices: 40,
        branches: 4,
        report_period_ms: 60_000,
        ..SimulationConfig::new(Scenario::Nightly, EPOCH)
    };
    let simulation = Simulation::new(config);
    let settings = Settings { utc_offset_min: 0, max_devices: 60, ..Settings::default() };
    let mut engine = Engine::new(settings.clone(), Arc::new(Fleet::new(&settings)));
    // The known ones are known: strangers cannot use their places up.
    for profile in simulation.profiles() {
        engine.fleet().expect(profile.id.clone());
    }
    let mut driver = Virtual::new(engine);
    feed::live(&mut driver, &simulation, simulation.history(2), |_| ());
    engine = driver.into_engine();
    let image = engine.image();
    let (calm, registered, refused) = night(&simulation, &image, &settings, 0);
    assert_eq!((registered, refused), (40, 0));
    let (flooded, registered, refused) = night(&simulation, &image, &settings, 17);
    assert_eq!(registered, 40 + 60, "the cap");
    assert!(refused > 300_000, "{refused}");
    let declared = |changes: &[Change]| changes.iter().filter(|change| change.kind == ChangeKind::Declared).count();
    assert_eq!(declared(&calm), 1, "{calm:#?}");
    assert_eq!(flooded, calm);
}

/// Lives the same night while one device more sends `flood` statuses and as many reports and broken messages with each message
/// of the others; what is paid for passes, as in the intake.
fn flooded_night(simulation: &Simulation, image: &[u8], settings: &Settings, flood: u64) -> (Vec<Change>, u64, u64) {
    let mut engine = Engine::new(settings.clone(), Arc::new(Fleet::new(settings)));
    engine.restore(image).unwrap();
    let mut playback = Playback::new(engine, "utm", Limits::default());
    let mut stream: Messages<'_> = simulation.messages(EPOCH, EPOCH.plus_ms(150 * MINUTE_MS));
    let (mut changes, mut seq, mut passed, mut cut) = (Vec::new(), 0, 0, 0);
    let budgets = Budgets::default();
    let offer = |playback: &mut Playback, at, topic: &str, payload: &[u8]| {
        let device = topic.split('/').nth(2);
        let paid = playback.engine().fleet().charge(device, budget::cost(topic, payload), &budgets, at).is_ok();
        if paid { (playback.play(at, topic, payload, false), true) } else { (playback.advance(at), false) }
    };
    while let Some(message) = stream.next() {
        let id = simulation.profiles()[message.device as usize].id.as_str();
        let (kind, payload) = match message.body {
            Body::Report(report) => ("report", encode::report_binary(id, report, LatencyForm::Counts)),
            Body::Status(status) => ("status", encode::status_binary(id, status)),
        };
        let (mut decided, paid) = offer(&mut playback, message.at, &format!("utm/v1/{id}/{kind}"), &payload);
        assert!(paid, "nobody else is cut");
        changes.append(&mut decided);
        for _ in 0..flood {
            seq += 1;
            let report = encode::report_binary("FLOOD", &good_report(seq), LatencyForm::Counts);
            let mut status = encode::status_json("FLOOD", &Default::default());
            status.resize(60_000, b' ');
            for (kind, payload) in [("report", &report), ("status", &status), ("report", &status)] {
                let (mut decided, paid) = offer(&mut playback, message.at, &format!("utm/v1/FLOOD/{kind}"), payload);
                changes.append(&mut decided);
                if paid { passed += payload.len() as u64 } else { cut += payload.len() as u64 }
            }
        }
    }
    changes.append(&mut playback.finish());
    (changes, passed, cut)
}

#[test]
fn one_device_that_floods_changes_nothing_of_what_is_decided_on_the_others_and_writes_little() {
    let _turn = TURN.blocking_lock();
    let config = SimulationConfig {
        devices: 40,
        branches: 4,
        report_period_ms: 60_000,
        ..SimulationConfig::new(Scenario::Nightly, EPOCH)
    };
    let simulation = Simulation::new(config);
    let settings = Settings { utc_offset_min: 0, max_devices: 60, ..Settings::default() };
    let engine = Engine::new(settings.clone(), Arc::new(Fleet::new(&settings)));
    engine.fleet().expect(DeviceId::parse("FLOOD").unwrap());
    for profile in simulation.profiles() {
        engine.fleet().expect(profile.id.clone());
    }
    let mut driver = Virtual::new(engine);
    feed::live(&mut driver, &simulation, simulation.history(2), |_| ());
    let image = driver.into_engine().image();
    // Whatever arrives makes the events be looked at with the next tick, so a device may be seen to join some seconds sooner.
    let told = |changes: &[Change]| -> Vec<_> {
        let aloud = |change: &Change| !matches!(change.kind, ChangeKind::Joined | ChangeKind::Left);
        changes.iter().map(|change| (change.kind, aloud(change).then_some(change.at), change.devices.clone())).collect()
    };
    let (calm, ..) = flooded_night(&simulation, &image, &settings, 0);
    let (flooded, passed, cut) = flooded_night(&simulation, &image, &settings, 2);
    assert_eq!(calm.iter().filter(|change| change.kind == ChangeKind::Declared).count(), 1, "{calm:#?}");
    assert_eq!(told(&flooded), told(&calm));
    // The burst and 150 minutes of the rate.
    assert!(passed <= (32 << 20) + 150 * 60 * (4 << 10), "{passed} bytes");
    assert!(cut > 10 * passed, "{cut} bytes of the flood cut, {passed} passed");
}
