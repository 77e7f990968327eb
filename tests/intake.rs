//! What one sender may cost, through the whole core as a transport delivers it: a flood of whatever kind is cut before it is
//! decoded or journalled, and everybody else is as if nothing had been. And what a broker had kept is not taken as live.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::time::Duration;

use fleetwatch::clock::{self, Clock};
use fleetwatch::delivery::{Delivery, DurableSink, Outcome};
use fleetwatch::engine::detector::Engine;
use fleetwatch::engine::device::{DeviceId, Status, TrafficClass};
use fleetwatch::engine::fleet::Fleet;
use fleetwatch::engine::fleet::budget::{Allowance, Budgets};
use fleetwatch::engine::report::{Bucket, ClassReport, Report};
use fleetwatch::engine::settings::Settings;
use fleetwatch::engine::snapshot::DeviceView;
use fleetwatch::engine::time::Timestamp;
use fleetwatch::engine::wire::Limits;
use fleetwatch::engine::wire::encode::{self, LatencyForm};
use fleetwatch::runtime::core::{Core, CoreConfig};
use fleetwatch::runtime::driver::Virtual;
use fleetwatch::runtime::playback::Playback;

const EPOCH: Timestamp = Timestamp::from_ms(1_794_879_000_000);
const SOON: Duration = Duration::from_secs(30);
const HONEST: usize = 999;
const ROUNDS: u64 = 2;
/// Messages of the flood for each message of somebody else.
const FLOOD: u64 = 2;
/// Small, so that a small flood shows it.
const BUDGETS: Budgets = Budgets {
    device: Allowance { messages_per_s: 4, burst_messages: 200, bytes_per_s: 4 << 10, burst_bytes: 1 << 20 },
    newcomers: Allowance { messages_per_s: 4, burst_messages: 400, bytes_per_s: 4 << 10, burst_bytes: 2 << 20 },
};

fn report(seq: u64) -> Report {
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
        uptime_ms: 86_400_000 + seq * 300,
        start: EPOCH.as_ms(),
        period_ms: 300,
        classes: vec![class],
        buckets: vec![Bucket { index: 100, count: 20 }],
        ..Report::default()
    }
}

/// Delivers until there is room, as a transport has to.
fn deliver(intake: &DurableSink, topic: &str, payload: &[u8], retain: bool) -> Outcome {
    let start = clock::monotonic();
    loop {
        match intake.sink.deliver(Delivery { topic, payload, retain }) {
            Outcome::Busy => std::thread::yield_now(),
            outcome => return outcome,
        }
        assert!(start.elapsed() < SOON, "no room for {topic}");
    }
}

async fn start(dir: &std::path::Path, expected: Vec<DeviceId>, speed: f64) -> Core {
    let mut config = CoreConfig::in_directory(dir, Clock::scaled(EPOCH, speed));
    config.settings = Settings { utc_offset_min: 0, ..Settings::default() };
    config.expected = expected;
    config.budgets = BUDGETS;
    Core::start(config).await.unwrap()
}

fn refused(core: &Core) -> BTreeMap<String, u64> {
    let (_, text) = (core.http_state().metrics)();
    let lines = text
        .lines()
        .filter_map(|line| line.strip_prefix("fleetwatch_messages_refused_total{reason=\"")?.split_once("\"} "));
    let all = lines.map(|(reason, count)| (reason.to_owned(), count.parse::<f64>().unwrap() as u64));
    all.filter(|(_, count)| *count > 0).collect()
}

async fn device(core: &Core, id: &str, what: &str, wanted: impl Fn(&DeviceView) -> bool) -> DeviceView {
    let start = clock::monotonic();
    loop {
        let snapshot = core.snapshot().load_full();
        if let Some(view) = snapshot.devices.iter().find(|view| view.id.as_str() == id).filter(|view| wanted(view)) {
            return view.clone();
        }
        assert!(start.elapsed() < SOON, "{id}: not {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn padded_status(id: &str) -> Vec<u8> {
    let mut status = encode::status_json(id, &Status { online: true, ..Status::default() });
    status.resize(60_000, b' ');
    status
}

/// The `number`th message of a flood of each kind.
type Flood = fn(u64) -> (String, Vec<u8>, bool);

const FLOODS: [(&str, Flood); 7] = [
    ("statuses", |_| ("utm/v1/B-0000/status".to_owned(), padded_status("B-0000"), false)),
    ("reports", |n| {
        let payload = encode::report_json("B-0000", &report(n), LatencyForm::Counts);
        ("utm/v1/B-0000/report".to_owned(), payload, false)
    }),
    ("one report again and again", |_| {
        let payload = encode::report_json("B-0000", &report(1), LatencyForm::Counts);
        ("utm/v1/B-0000/report".to_owned(), payload, false)
    }),
    ("garbage", |n| ("utm/v1/B-0000/report".to_owned(), vec![(n % 251) as u8; 60_000], false)),
    ("retained statuses", |_| ("utm/v1/B-0000/status".to_owned(), padded_status("B-0000"), true)),
    ("other topics", |n| (format!("utm/v1/B-0000/other/{n}"), vec![b'{'; 60_000], false)),
    ("invented devices", |n| {
        let id = format!("FAKE-{n:06}");
        (format!("utm/v1/{id}/status"), padded_status(&id), n % 2 == 0)
    }),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_any_kind_from_one_device_costs_nobody_else_a_message_and_the_journal_little() {
    for (kind, flood) in FLOODS {
        let dir = tempfile::tempdir().unwrap();
        let ids: Vec<DeviceId> = (0..=HONEST).map(|n| DeviceId::parse(&format!("B-{n:04}")).unwrap()).collect();
        let core = start(dir.path(), ids.clone(), 1.0).await;
        let intake = core.intake();
        let began = clock::monotonic();
        let (mut number, mut cut, mut honest_bytes) = (0, 0, 0);
        for seq in 1..=ROUNDS {
            for id in &ids[1..] {
                let topic = format!("utm/v1/{id}/report");
                let payload = encode::report_json(id.as_str(), &report(seq), LatencyForm::Counts);
                honest_bytes += (topic.len() + payload.len() + 64) as u64;
                let outcome = deliver(&intake, &topic, &payload, false);
                assert!(matches!(outcome, Outcome::Journaled(_)), "{kind}: {id} in the flood: {outcome:?}");
                for _ in 0..FLOOD {
                    number += 1;
                    let (topic, payload, retain) = flood(number);
                    cut += u64::from(deliver(&intake, &topic, &payload, retain) == Outcome::OverBudget);
                }
            }
        }
        let took_s = began.elapsed().as_secs() + 1;
        let sent = HONEST as u64 * ROUNDS * FLOOD;
        // What passes of any kind: the newcomers' burst at most, and the rate since.
        assert!(cut >= sent - 400 - 4 * took_s, "{kind}: {cut} of {sent} cut");
        assert_eq!(refused(&core)["over_budget"], cut, "{kind}");
        if !matches!(kind, "other topics" | "invented devices") {
            let own = device(&core, "B-0000", "shown as a flood", |view| view.over_budget.is_some()).await;
            assert!(own.over_budget.unwrap().messages <= cut, "{kind}");
        }
        let bytes = core.journal().stats().bytes;
        let most = honest_bytes + (2 << 20) + took_s * (4 << 10);
        assert!(bytes <= most, "{kind}: {bytes} bytes in the journal, {most} at most");
        device(&core, "B-0999", "shown", |view| view.last_report_at.is_some()).await;
        let fleet = core.snapshot().load_full();
        let honest = fleet.devices.iter().filter(|view| ids[1..].contains(&view.id));
        assert!(honest.filter(|view| view.last_report_at.is_some()).count() == HONEST, "{kind}: all others are heard");
        core.shutdown().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_broker_had_kept_says_what_a_device_is_and_never_that_it_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let core = start(dir.path(), Vec::new(), 600.0).await;
    let intake = core.intake();
    let kept = encode::report_json("DEAD", &report(900), LatencyForm::Counts);
    assert_eq!(deliver(&intake, "utm/v1/DEAD/report", &kept, true), Outcome::Refused);
    let birth = Status { online: true, boot: 1, at: EPOCH.as_ms(), model: Some("B200".into()), ..Status::default() };
    let birth = |id| encode::status_json(id, &birth);
    for id in ["DEAD", "LIVE"] {
        assert!(matches!(deliver(&intake, &format!("utm/v1/{id}/status"), &birth(id), true), Outcome::Journaled(_)));
    }
    let live = encode::report_json("LIVE", &report(900), LatencyForm::Counts);
    assert!(matches!(deliver(&intake, "utm/v1/LIVE/report", &live, false), Outcome::Journaled(_)));
    assert!(matches!(deliver(&intake, "utm/v1/LIVE/status", &birth("LIVE"), false), Outcome::Journaled(_)));
    // A minute has closed: the one that has reported is judged, the other is a name with a model.
    let seen = device(&core, "LIVE", "there", |view| view.online == Some(true) && view.latency_us.is_some()).await;
    assert!(seen.last_report_at.is_some());
    let dead = device(&core, "DEAD", "known", |view| view.model.is_some()).await;
    assert_eq!((dead.online, dead.last_report_at, dead.reporting, dead.latency_us), (None, None, false, None));
    assert_eq!(refused(&core)["retained"], 1);
    core.shutdown().await.unwrap();
}

#[test]
fn a_replay_takes_a_kept_report_as_the_living_system_does() {
    let settings = Settings::default();
    let mut playback = Playback::new(
        Engine::new(settings.clone(), std::sync::Arc::new(Fleet::new(&settings))),
        "utm",
        Limits::default(),
    );
    let payload = encode::report_json("B-1", &report(1), LatencyForm::Counts);
    playback.play(EPOCH, "utm/v1/B-1/report", &payload, true);
    assert_eq!(playback.refused().get("retained"), Some(&1));
    assert_eq!(playback.engine().fleet().len(), 0, "it registers nobody");
    playback.play(EPOCH, "utm/v1/B-1/report", &payload, false);
    assert_eq!(playback.engine().fleet().len(), 1);
}

#[test]
fn a_gone_device_is_gone_though_its_will_was_kept() {
    let settings = Settings::default();
    let mut driver = Virtual::new(Engine::new(settings.clone(), std::sync::Arc::new(Fleet::new(&settings))));
    driver.advance(EPOCH);
    let said = |online| Status { online, boot: 1, at: EPOCH.as_ms(), ..Status::default() };
    driver.status("B-1", said(true), false).unwrap();
    driver.advance(EPOCH.plus_ms(60_000));
    assert_eq!(driver.engine().snapshot().devices[0].online, Some(true));
    driver.status("B-1", said(false), true).unwrap();
    driver.advance(EPOCH.plus_ms(120_000));
    assert_eq!(driver.engine().snapshot().devices[0].online, Some(false));
    driver.status("B-1", said(true), true).unwrap();
    driver.advance(EPOCH.plus_ms(180_000));
    assert_eq!(driver.engine().snapshot().devices[0].online, Some(false), "a kept birth brings nobody back");
}

async fn forget(core: &Core, ids: &[&str]) -> Result<(), String> {
    let ids: Vec<DeviceId> = ids.iter().map(|id| DeviceId::parse(id).unwrap()).collect();
    let desk = core.http_state().fleet.unwrap();
    desk.forget(&ids, "Sato", "scrapped").await.map_err(|error| error.to_string())
}

fn shown(core: &Core) -> Vec<String> {
    core.snapshot().load().devices.iter().map(|view| view.id.to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_device_is_gone_for_good_and_comes_back_as_a_new_one() {
    let dir = tempfile::tempdir().unwrap();
    let expected = vec![DeviceId::parse("B-0001").unwrap()];
    let core = start(dir.path(), expected.clone(), 60.0).await;
    let intake = core.intake();
    for id in ["B-0001", "OLD", "STAYS"] {
        let payload = encode::report_json(id, &report(1), LatencyForm::Counts);
        assert!(matches!(deliver(&intake, &format!("utm/v1/{id}/report"), &payload, false), Outcome::Journaled(_)));
    }
    device(&core, "OLD", "there", |_| true).await;
    let told = forget(&core, &["OLD", "B-0001", "NEVER"]).await.unwrap_err();
    assert!(told.contains("B-0001: it is on the list") && told.contains("NEVER: no device"), "{told}");
    forget(&core, &["OLD"]).await.unwrap();
    assert_eq!(shown(&core), ["B-0001", "STAYS"], "at once");
    core.shutdown().await.unwrap();
    let core = start(dir.path(), expected, 60.0).await;
    assert_eq!(shown(&core), ["B-0001", "STAYS"]);
    let payload = encode::report_json("OLD", &report(1), LatencyForm::Counts);
    let outcome = deliver(&core.intake(), "utm/v1/OLD/report", &payload, false);
    assert!(matches!(outcome, Outcome::Journaled(_)));
    device(&core, "OLD", "new", |view| view.last_report_at.is_some()).await;
    assert_eq!(refused(&core).get("duplicate"), None, "nothing is remembered of it");
    core.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_fleet_lets_a_device_in_that_goes_on_and_loses_names_that_do_not() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = CoreConfig::in_directory(dir.path(), Clock::scaled(EPOCH, 60.0));
    config.settings = Settings { max_devices: 64, ..Settings::default() };
    config.budgets = Budgets::UNBOUNDED;
    let core = Core::start(config).await.unwrap();
    let intake = core.intake();
    let say = |id: &str| {
        let payload = encode::status_json(id, &Status { online: true, ..Status::default() });
        deliver(&intake, &format!("utm/v1/{id}/status"), &payload, false)
    };
    for n in 0..64 {
        assert!(matches!(say(&format!("FAKE-{n:03}")), Outcome::Journaled(_)));
    }
    let began = clock::monotonic();
    let (mut seq, mut n, mut taken) = (0, 64, 0);
    while !core.snapshot().load().devices.iter().any(|view| view.id.as_str() == "REAL" && view.latency_us.is_some()) {
        assert!(began.elapsed() < SOON, "never let in: {:?}", shown(&core));
        seq += 1;
        n += 1;
        say(&format!("FAKE-{n:03}"));
        let payload = encode::report_json("REAL", &report(seq), LatencyForm::Counts);
        taken += u64::from(matches!(deliver(&intake, "utm/v1/REAL/report", &payload, false), Outcome::Journaled(_)));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(taken > 0 && shown(&core).len() <= 64);
    core.shutdown().await.unwrap();
}
