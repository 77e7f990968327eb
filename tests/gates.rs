//! The gate from the detector to the updater: stories on virtual time, then real brokers, a person's word, restarts.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod common;

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use common::mosquitto::Mosquitto;
use common::raw::{self, Hello, Raw};
use common::running::Ingest;
use common::sink::TestSink;
use common::until;
use fleetwatch::broker::{self, Embedded};
use fleetwatch::clock::{self, Clock};
use fleetwatch::config::{BrokerMode, Config};
use fleetwatch::delivery::Retained;
use fleetwatch::engine::detector::Engine;
use fleetwatch::engine::device::DeviceId;
use fleetwatch::engine::effect::{Change, ChangeKind, Scope};
use fleetwatch::engine::gate::{Gate, Gates, Policy};
use fleetwatch::engine::settings::Settings;
use fleetwatch::engine::time::{MINUTE_MS, Timestamp};
use fleetwatch::ingest::IngestConfig;
use fleetwatch::lab::demo::history;
use fleetwatch::lab::feed;
use fleetwatch::lab::simulation::mqtt::{self, FleetConfig, Progress, Target};
use fleetwatch::lab::simulation::{Scenario, Simulation, SimulationConfig};
use fleetwatch::runtime::core::{Core, CoreConfig};
use fleetwatch::runtime::serve::Service;
use fleetwatch::runtime::update_gates::publish_embedded;
use fleetwatch::web;
use tokio::net::TcpListener;
use tokio::sync::watch;

const RING: &str = "utm/v1/updates/control-ring";
const SOON: Duration = Duration::from_secs(20);

/// What a story decides, on virtual time, after two days of history.
fn story(scenario: Scenario) -> (Simulation, Vec<Change>) {
    // 2026-11-17, a Tuesday, 01:30 UTC: half an hour before the rollout.
    let epoch = Timestamp::from_ms(1_794_879_000_000);
    let config = SimulationConfig {
        devices: 40,
        branches: 4,
        report_period_ms: 60_000,
        ..SimulationConfig::new(scenario, epoch)
    };
    let simulation = Simulation::new(config);
    let settings = Settings { utc_offset_min: 0, ..Settings::default() };
    let mut driver = feed::learnt(&simulation, &settings, 2);
    let messages = simulation.messages(epoch, epoch.plus_ms(330 * MINUTE_MS));
    let mut changes = feed::live(&mut driver, &simulation, messages, |_| ()).changes;
    changes.extend(driver.finish());
    (simulation, changes)
}

#[test]
fn a_defective_update_is_held_three_quarters_of_an_hour_before_it_is_declared() {
    let (simulation, changes) = story(Scenario::Nightly);
    let mut gates = Gates::new(Policy::default());
    let decided = gates.see(&changes).decisions;
    let version = &simulation.truth()[0].value;
    let told: Vec<_> = decided.iter().map(|d| (d.gate, &d.version, d.incident.as_deref())).collect();
    let declared = changes.iter().find(|change| change.kind == ChangeKind::Declared && change.scope == Scope::Fleet);
    let declared = declared.unwrap();
    assert_eq!(told, [(Gate::Hold, version, None), (Gate::Hold, version, declared.incident.as_deref())]);
    let ahead_min = declared.at.since_ms(decided[0].at) / MINUTE_MS;
    assert!((35..=50).contains(&ahead_min), "{ahead_min} minutes ahead");

    // Tick by tick, or the whole night at once, or the same night once more: the same.
    let mut by_tick = Gates::new(Policy::default());
    let ticks = changes.chunk_by(|a, b| a.at == b.at);
    assert_eq!(ticks.flat_map(|tick| by_tick.see(tick).decisions).collect::<Vec<_>>(), decided);
    assert_eq!(by_tick, gates);
    assert!(gates.see(&changes).decisions.is_empty());
}

#[test]
fn an_innocent_update_is_not_held() {
    for scenario in [Scenario::Quiet, Scenario::IspFault, Scenario::LoneDevice] {
        let (_, changes) = story(scenario);
        let decided = Gates::new(Policy::default()).see(&changes).decisions;
        assert!(decided.is_empty(), "{scenario}: {decided:?}");
    }
    let (simulation, changes) = story(Scenario::TwoUpdates);
    let mut gates = Gates::new(Policy::default());
    gates.see(&changes);
    let held: Vec<_> = gates.in_force().filter(|d| d.gate == Gate::Hold).map(|d| &d.version).collect();
    assert_eq!(held, [&simulation.truth()[0].value], "of two updates the guilty one");
}

async fn get(address: SocketAddr, path: &str) -> String {
    let url = format!("http://{address}{path}");
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let got = tokio::task::spawn_blocking(move || agent.get(&url).call().unwrap().body_mut().read_to_string().unwrap());
    got.await.unwrap()
}

/// `fleetwatch gate ...` as a person types it; returns the exit code and what it printed.
async fn command(address: SocketAddr, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fleetwatch"));
    command.arg("gate").args(arguments).args(["--server", &format!("http://{address}/")]);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

/// Decides as a person; returns status and answer.
async fn decide(address: SocketAddr, version: &str, gate: &str, reason: &str) -> (u16, String) {
    let url = format!("http://{address}/api/v1/gates/{version}");
    let body = serde_json::json!({ "gate": gate, "by": "Sato", "reason": reason }).to_string();
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let posted = tokio::task::spawn_blocking(move || {
        let mut answer = agent.post(&url).content_type("application/json").send(body).unwrap();
        (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
    });
    posted.await.unwrap()
}

/// Stands for the updater.
struct Updater(Raw);

impl Updater {
    /// Subscribes to every gate.
    async fn connect(address: SocketAddr) -> Self {
        Self::subscribe(address, "utm/v1/updates/+/gate").await
    }

    async fn subscribe(address: SocketAddr, filter: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let id = format!("updater-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let mut raw = Raw::connect(address, &Hello::new(&id)).await;
        assert_eq!(raw.subscribe(filter, 1).await.unwrap(), 1);
        Self(raw)
    }

    /// The next message; whether the broker had kept it.
    async fn next(&mut self) -> (String, bool, serde_json::Value) {
        let packet = self.0.read().await;
        let (topic, retained, payload) = packet.message();
        let length = usize::from(u16::from_be_bytes([packet.body[0], packet.body[1]]));
        self.0.puback(u16::from_be_bytes([packet.body[2 + length], packet.body[3 + length]])).await;
        (topic, retained, serde_json::from_slice(&payload).unwrap_or_default())
    }

    /// The next message about this version.
    async fn gate(&mut self, version: &str) -> (bool, serde_json::Value) {
        loop {
            let (topic, retained, payload) = self.next().await;
            if topic == format!("utm/v1/updates/{version}/gate") {
                return (retained, payload);
            }
        }
    }
}

/// 2026-11-19 01:50 in Japan, ten minutes before the rollout.
const EPOCH: Timestamp = Timestamp::from_ms(1_795_020_600_000);

/// What the demo runs, without its view.
struct Stage {
    core: Core,
    broker: Embedded,
    http: SocketAddr,
}

impl Stage {
    async fn open(dir: &Path, clock: Clock, preload: Option<Engine>) -> Self {
        let core = Core::start(CoreConfig { preload, ..CoreConfig::in_directory(dir, clock) }).await.unwrap();
        let config = broker::BrokerConfig { listen: "127.0.0.1:0".parse().unwrap(), ..Default::default() };
        let broker = Embedded::start(config, Some(core.intake())).await.unwrap();
        tokio::spawn(publish_embedded(broker.publisher(), core.retained().unwrap(), core.counters()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let http = listener.local_addr().unwrap();
        let pages = web::serve(listener, core.http_state(), web::HttpConfig::default(), std::future::pending());
        tokio::spawn(pages);
        Self { core, broker, http }
    }

    async fn close(self) -> Timestamp {
        self.broker.shutdown().await;
        let now = self.core.clock().now();
        self.core.shutdown().await.unwrap();
        now
    }
}

/// Whoever it says it is.
async fn no_device_can_say_so(broker: &Embedded, version: &str) {
    for topic in [format!("utm/v1/updates/{version}/gate"), RING.to_owned()] {
        let denied = || broker.counters().publishes_denied.load(Ordering::Relaxed);
        let before = denied();
        let mut liar = Raw::connect(broker.local_addr(), &Hello::new("updates")).await;
        liar.publish(&topic, br#"{"v":1,"gate":"release"}"#, 1, true).await.unwrap();
        until("the publish to be denied", SOON, || denied() > before).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_updater_is_stopped_by_the_detector_and_let_on_by_a_person_over_a_restart() {
    const SPEED: f64 = 600.0;
    let config = SimulationConfig {
        devices: 60,
        branches: 3,
        report_period_ms: 60_000,
        utc_offset_min: 540,
        ..SimulationConfig::new(Scenario::Nightly, EPOCH)
    };
    let simulation = Arc::new(Simulation::new(config));
    let version = simulation.truth()[0].value.clone();
    let never = AtomicBool::new(false);
    let (engine, _) = history::learn(&simulation, Settings::default(), &never, |_| {}).unwrap();

    let dir = tempfile::tempdir().unwrap();
    let stage = Stage::open(dir.path(), Clock::scaled(EPOCH, SPEED), Some(engine)).await;
    let mqtt = stage.broker.local_addr();
    let mut updater = Updater::connect(mqtt).await;
    let (stop, stopped) = watch::channel(false);
    let target = Target { host: mqtt.ip().to_string(), port: mqtt.port(), root: "utm".into(), credentials: None };
    let settings = FleetConfig { connects_per_s: 1_000, ..FleetConfig::new(target) };
    let progress = Arc::new(Progress::default());
    let fleet = tokio::spawn(mqtt::run(Arc::clone(&simulation), settings, stage.core.clock(), progress, stopped));

    let (_, hold) = tokio::time::timeout(Duration::from_secs(90), updater.gate(&version)).await.expect("a hold");
    assert_eq!((&hold["gate"], &hold["by"], &hold["incident"]), (&"hold".into(), &"detector".into(), &().into()));
    assert!(hold["event"].as_str().unwrap().starts_with("E-"), "{hold}");
    assert!(hold["affected"].as_u64().unwrap() >= 3, "{hold}");
    let mut late = Updater::connect(mqtt).await;
    assert_eq!(late.gate(&version).await, (true, hold.clone()), "whoever comes later finds it kept");

    no_device_can_say_so(&stage.broker, &version).await;
    let mut third = Updater::connect(mqtt).await;
    assert_eq!(third.gate(&version).await.1["gate"], "hold");

    let event = hold["event"].as_str().unwrap().to_owned();
    let (status, answer) = decide(stage.http, &version, "release", "the test bed alone").await;
    assert_eq!(status, 200, "{answer}");
    let release = loop {
        let (_, message) = third.gate(&version).await;
        // It may have been declared meanwhile: then the hold came once more, with the number.
        if message["gate"] == "release" {
            break message;
        }
    };
    assert_eq!((&release["by"], &release["reason"]), (&"Sato".into(), &"the test bed alone".into()));
    let again = ["release", &version, "--by", "Sato", "--reason", "the test bed alone"];
    let (code, said) = command(stage.http, &again).await;
    assert!(code == Some(0) && said.contains("release  Sato"), "{said}");
    let (code, said) = command(stage.http, &["hold", "a/b", "--by", "Sato", "--reason", "r"]).await;
    assert!(code == Some(1) && said.contains("cannot be a level of an MQTT topic"), "{said}");
    let (code, said) = command(stage.http, &["list"]).await;
    assert!(code == Some(0) && said.lines().count() == 1 && said.contains("the test bed alone"), "{said}");
    let board = get(stage.http, "/api/v1/gates").await;
    assert!(board.contains("\"release\"") && board.contains("Sato"), "{board}");

    stop.send_replace(true);
    fleet.await.unwrap().unwrap();
    let now = stage.close().await;

    let stage = Stage::open(dir.path(), Clock::scaled(now, SPEED), None).await;
    let mut updater = Updater::connect(stage.broker.local_addr()).await;
    assert_eq!(updater.gate(&version).await.1, release, "byte by byte what it was");
    let record: serde_json::Value =
        serde_json::from_str(&get(stage.http, &format!("/api/v1/events/{event}")).await).unwrap();
    let gates = record["gates"].as_array().unwrap();
    let told: Vec<_> =
        gates.iter().map(|gate| (gate["gate"].as_str().unwrap(), gate["by"].as_str().unwrap())).collect();
    assert_eq!((told.first(), told.last()), (Some(&("hold", "detector")), Some(&("release", "Sato"))), "{told:?}");
    assert_eq!(gates.last().unwrap()["before"], "hold");
    let page = get(stage.http, &format!("/incidents/{event}?lang=ja")).await;
    assert!(page.contains("更新の停止と再開") && page.contains("the test bed alone"), "{page}");
    stage.close().await;
}

fn service_config(dir: &Path) -> Config {
    let mut config = Config::default();
    config.broker.embedded.listen = "127.0.0.1:0".parse().unwrap();
    config.http.listen = "127.0.0.1:0".parse().unwrap();
    config.journal.dir = dir.join("journal");
    config.checkpoint.dir = dir.join("checkpoint");
    config.store.path = Some(dir.join("fleetwatch.sqlite"));
    config
}

#[tokio::test(flavor = "multi_thread")]
async fn a_persons_word_reaches_mosquitto_and_reaches_it_again_when_it_comes_back_empty() {
    // Without persistence a restart forgets what was retained.
    let Some(mut mosquitto) = Mosquitto::start(|text| text.replace("persistence true", "persistence false")).await
    else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let mut config = service_config(dir.path());
    config.broker.mode = BrokerMode::External;
    config.broker.external.host = mosquitto.address().ip().to_string();
    config.broker.external.port = mosquitto.address().port();
    let service = Service::start(config.clone(), Clock::system()).await.unwrap();
    let mut updater = Updater::connect(mosquitto.address()).await;
    let (status, first) = decide(service.http_address(), "2026.11.21", "hold", "the vendor said so").await;
    assert_eq!(status, 200, "{first}");
    let (_, hold) = updater.gate("2026.11.21").await;
    assert_eq!((&hold["gate"], &hold["by"], &hold["event"]), (&"hold".into(), &"Sato".into(), &().into()));

    mosquitto.stop().await;
    // The broker is away: of two decisions the later is what it finds when it is back.
    decide(service.http_address(), "2026.11.21", "release", "not yet").await;
    decide(service.http_address(), "2026.11.21", "hold", "after all").await;
    decide(service.http_address(), "2026.11.20", "release", "known good").await;
    mosquitto.start_again().await;
    let published = || service.core().counters().gate_published.get();
    let mut updater = Updater::connect(mosquitto.address()).await;
    let (_, hold) = updater.gate("2026.11.21").await;
    assert_eq!(hold["reason"], "after all");
    until("all to be acknowledged", SOON, || published() >= 3).await;
    service.shutdown().await.unwrap();

    let service = Service::start(config, Clock::system()).await.unwrap();
    assert_eq!(updater.gate("2026.11.21").await.1, hold, "a restart says the same");
    let metrics = get(service.http_address(), "/metrics").await;
    assert!(metrics.contains("fleetwatch_update_gate_held{update=\"other\"} 1"), "{metrics}");
    service.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn mosquitto_keeps_nothing_of_a_device_that_was_forgotten() {
    let Some(mosquitto) = Mosquitto::start(|text| text).await else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut config = service_config(dir.path());
    config.broker.mode = BrokerMode::External;
    config.broker.external.host = mosquitto.address().ip().to_string();
    config.broker.external.port = mosquitto.address().port();
    let service = Service::start(config, Clock::system()).await.unwrap();
    for id in ["OLD", "STAYS"] {
        let status = format!(r#"{{"v":1,"device":"{id}","online":true,"boot":1,"at":1795305600000}}"#);
        let mut device = Raw::connect(mosquitto.address(), &Hello::new(id)).await;
        device.publish(&format!("utm/v1/{id}/status"), status.as_bytes(), 1, true).await.unwrap();
        assert_eq!(device.read().await.kind(), raw::PUBACK);
    }
    let known = || service.core().snapshot().load().devices.len();
    until("both to be known", SOON, || known() == 2).await;
    let desk = service.core().http_state().fleet.unwrap();
    desk.forget(&[DeviceId::parse("OLD").unwrap()], "Sato", "scrapped").await.unwrap();
    assert_eq!(known(), 1);
    let start = clock::monotonic();
    loop {
        let mut reader = Updater::subscribe(mosquitto.address(), "utm/v1/OLD/status").await;
        if reader.0.is_silent(Duration::from_millis(200)).await {
            break;
        }
        assert!(start.elapsed() < SOON, "the retained status stays");
    }
    let (topic, retained, _) = Updater::subscribe(mosquitto.address(), "utm/v1/+/status").await.next().await;
    assert_eq!((topic.as_str(), retained), ("utm/v1/STAYS/status", true));
    assert_eq!(service.core().counters().gate_published.get(), 0, "nothing was said to the updater");
    let metrics = get(service.http_address(), "/metrics").await;
    let empty = "fleetwatch_messages_refused_total{reason=\"empty\"} 0\n";
    assert!(metrics.contains(empty), "what cleared it comes to us too, and is nothing refused: {metrics}");
    service.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_does_not_let_us_publish_still_gives_us_the_reports() {
    let dir = tempfile::tempdir().unwrap();
    let acl = dir.path().join("acl");
    std::fs::write(&acl, "topic read utm/v1/+/report\ntopic read utm/v1/+/status\ntopic write utm/v1/B-1/report\n")
        .unwrap();
    let line = format!("\nacl_file {}\n", acl.display());
    let Some(mosquitto) = Mosquitto::start(move |text| format!("{text}{line}")).await else { return };
    let message = ("utm/v1/updates/1/gate".to_owned(), b"{}".to_vec());
    let (_wanted, retained) = watch::channel::<Retained>(Arc::new([message].into()));
    let sink = TestSink::prompt();
    let (host, port) = (mosquitto.address().ip().to_string(), mosquitto.address().port());
    let config = IngestConfig { host, port, retained: Some(retained), ..IngestConfig::default() };
    let mut ingest = Ingest::start(config, &sink);
    ingest.up().await;
    // Mosquitto acknowledges, drops the message and closes the connection.
    let seen = Arc::clone(&ingest.counters);
    until("publishing to be paused", SOON, || seen.publish_pauses.load(Ordering::Relaxed) == 1).await;
    ingest.up().await;
    let mut device = Raw::connect(mosquitto.address(), &Hello::new("B-1")).await;
    device.deliver("utm/v1/B-1/report", b"still here", 1).await;
    until("the report", SOON, || sink.distinct() == 1).await;
    assert_eq!(seen.disconnects.load(Ordering::Relaxed), 3, "and no more");
    ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_control_ring_is_published_and_is_what_the_api_says() {
    let dir = tempfile::tempdir().unwrap();
    let list = dir.path().join("ring.csv");
    std::fs::write(&list, "device\nB-0042\nB-0007\n").unwrap();
    let mut config = service_config(dir.path());
    config.gate.control_ring_file = Some(list);
    let service = Service::start(config.clone(), Clock::system()).await.unwrap();
    let mut updater = Updater::subscribe(service.broker_address().unwrap(), RING).await;
    let (topic, _, ring) = updater.next().await;
    assert_eq!(
        (topic.as_str(), &ring["devices"]),
        ("utm/v1/updates/control-ring", &serde_json::json!(["B-0007", "B-0042"]))
    );
    let told: serde_json::Value =
        serde_json::from_str(&get(service.http_address(), "/api/v1/control-ring").await).unwrap();
    assert_eq!(told, ring);
    service.shutdown().await.unwrap();

    // A share of the fleet: of the expected devices, before any has reported.
    let devices: String = (0..200).map(|n| format!("B-{n:04}\n")).collect();
    let expected = dir.path().join("devices.csv");
    std::fs::write(&expected, format!("device\n{devices}")).unwrap();
    config.devices.expected = Some(expected);
    config.gate.control_ring_file = None;
    config.gate.control_ring_percent = 10;
    let service = Service::start(config.clone(), Clock::system()).await.unwrap();
    let mut updater = Updater::subscribe(service.broker_address().unwrap(), RING).await;
    let first = loop {
        let (_, _, ring) = updater.next().await;
        if ring["count"] == 20 {
            break ring;
        }
    };
    assert_eq!((&first["percent"], &first["seed"]), (&10.into(), &1.into()));
    service.shutdown().await.unwrap();

    config.gate.enabled = false;
    let service = Service::start(config, Clock::system()).await.unwrap();
    let (status, answer) = decide(service.http_address(), "1", "hold", "r").await;
    assert_eq!(status, 404, "{answer}");
    assert!(get(service.http_address(), "/gates").await.contains("gate.enabled"));
    service.shutdown().await.unwrap();
}
