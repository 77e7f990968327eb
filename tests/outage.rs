//! `serve` as a process behind Debian's mosquitto, with the sample configurations of both, while the broker restarts, is cut
//! off, or is killed: what devices were told is kept equals what is journalled, recorded and shown; what a killed broker
//! has lost is counted.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod common;

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use common::mosquitto::{Mosquitto, replace};
use common::proxy::Proxy;
use common::raw::{Hello, PUBACK, Raw};
use common::until;
use fleetwatch::clock::{self, Clock};
use fleetwatch::engine::detector::{Engine, EngineImage, TICK_MS};
use fleetwatch::engine::effect::{Change, ChangeKind};
use fleetwatch::engine::fleet::Fleet as EngineFleet;
use fleetwatch::engine::settings::Settings;
use fleetwatch::engine::time::{MINUTE_MS, Timestamp};
use fleetwatch::engine::wire::encode::{self, LatencyForm};
use fleetwatch::ingest::{self, IngestConfig, SessionState};
use fleetwatch::journal::read_from;
use fleetwatch::lab::simulation::{Body, Scenario, Simulation, SimulationConfig};
use fleetwatch::runtime::core::{Core, CoreConfig};
use fleetwatch::runtime::driver::Virtual;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{broadcast, oneshot, watch};
use tokio::task::JoinHandle;

const SOON: Duration = Duration::from_secs(30);
const DEVICES: u32 = 12;
/// A report of each device four times a second: they are short, so that minutes are not needed.
const PERIOD_MS: u32 = 250;

/// The daemon, as somebody would start it.
struct Daemon {
    child: Child,
    http: SocketAddr,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Daemon {
    /// With the sample configuration, but for what has to be this test's own.
    async fn start(dir: &Path, broker: SocketAddr) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_fleetwatch"))
            .args(["serve", "--config", concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/fleetwatch.toml")])
            .env("FLEETWATCH__BROKER__MODE", "external")
            .env("FLEETWATCH__BROKER__EXTERNAL__HOST", broker.ip().to_string())
            .env("FLEETWATCH__BROKER__EXTERNAL__PORT", broker.port().to_string())
            .env("FLEETWATCH__JOURNAL__DIR", dir.join("journal"))
            .env("FLEETWATCH__CHECKPOINT__DIR", dir.join("checkpoint"))
            .env("FLEETWATCH__STORE__PATH", dir.join("fleetwatch.sqlite"))
            .env("FLEETWATCH__HTTP__LISTEN", "127.0.0.1:0")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let (told, http) = oneshot::channel();
        // To its end, or a full pipe would hold the daemon up.
        std::thread::spawn(move || {
            let mut told = Some(told);
            for line in log.lines().map_while(Result::ok) {
                let line: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
                if let Some(pages) = line["pages"].as_str()
                    && let Some(told) = told.take()
                {
                    let address = pages.trim_start_matches("http://").trim_end_matches('/');
                    told.send(address.parse().unwrap()).unwrap();
                }
            }
        });
        let daemon = Self { child, http: http.await.expect("it starts") };
        daemon.ready(true).await;
        daemon
    }

    /// Waits until readiness says so.
    async fn ready(&self, wanted: bool) {
        let start = clock::monotonic();
        loop {
            let answer = get(self.http, "/readyz").await.unwrap_or_default();
            let ready = answer.starts_with("HTTP/1.1 200");
            if ready == wanted && !answer.is_empty() {
                // Its own words name the part.
                assert!(ready || answer.contains("broker"), "{answer}");
                return;
            }
            assert!(start.elapsed() < SOON, "readiness is not {wanted}: {answer}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// A metric without labels, or the sum over them.
    async fn metric(&self, name: &str) -> u64 {
        let text = get(self.http, "/metrics").await.unwrap();
        let values = text.lines().filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            (series.split('{').next() == Some(name)).then(|| value.parse::<f64>().unwrap() as u64)
        });
        values.sum()
    }

    /// Waits until a metric has this value; says what it was instead.
    async fn shows(&self, name: &str, wanted: u64) {
        let start = clock::monotonic();
        loop {
            let value = self.metric(name).await;
            if value == wanted {
                return;
            }
            assert!(start.elapsed() < SOON, "{name} is {value}, not {wanted}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn end(mut self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        let status = tokio::task::spawn_blocking(move || self.child.wait().unwrap()).await.unwrap();
        assert_eq!(status.code(), Some(0));
    }
}

async fn get(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

/// What the devices have been told is kept.
#[derive(Default)]
struct Acknowledged {
    reports: AtomicU64,
    statuses: AtomicU64,
}

impl Acknowledged {
    fn reports(&self) -> u64 {
        self.reports.load(Ordering::SeqCst)
    }

    fn statuses(&self) -> u64 {
        self.statuses.load(Ordering::SeqCst)
    }
}

/// A simulated fleet. Each device has its own connection, and keeps a message until it is acknowledged.
struct Fleet {
    acknowledged: Arc<Acknowledged>,
    stop: watch::Sender<bool>,
    devices: Vec<JoinHandle<()>>,
}

impl Fleet {
    fn start(broker: SocketAddr) -> Self {
        let clock = Clock::system();
        let config = SimulationConfig {
            devices: DEVICES,
            branches: 3,
            report_period_ms: PERIOD_MS,
            ..SimulationConfig::new(Scenario::Quiet, clock.now())
        };
        Self::of(&Arc::new(Simulation::new(config)), clock, broker)
    }

    fn of(simulation: &Arc<Simulation>, clock: Clock, broker: SocketAddr) -> Self {
        let acknowledged = Arc::<Acknowledged>::default();
        let (stop, stopped) = watch::channel(false);
        let device = |index| {
            let (simulation, acknowledged, stopped) =
                (Arc::clone(simulation), Arc::clone(&acknowledged), stopped.clone());
            tokio::spawn(async move { live(&simulation, index, clock, broker, &acknowledged, &stopped).await })
        };
        let devices = (0..DEVICES).map(device).collect();
        Self { acknowledged, stop, devices }
    }

    /// Waits until so many more reports have been acknowledged.
    async fn flows(&self, more: u64) {
        let before = self.acknowledged.reports();
        until("the stream to flow", SOON, || self.acknowledged.reports() >= before + more).await;
    }

    /// Ends it; each device has then been told of its last message.
    async fn end(self) -> Arc<Acknowledged> {
        self.stop.send_replace(true);
        for device in self.devices {
            device.await.unwrap();
        }
        self.acknowledged
    }
}

/// Fleet time runs so fast that the hour takes fifteen seconds.
const SPEED: f64 = 240.0;
/// 2026-11-17, a Tuesday, 01:30 in Japan: half an hour before the rollout.
const EVENING_MS: i64 = 1_794_846_600_000;
/// From the evening on, until the hour of the defect is full and some more.
const NIGHT_MS: i64 = 150 * MINUTE_MS;

/// A fleet's night with a defective update, and an engine that has learnt two days before it.
fn night() -> (Arc<Simulation>, EngineImage) {
    let settings = Settings::default();
    let simulation = Simulation::new(SimulationConfig {
        devices: DEVICES,
        branches: 3,
        report_period_ms: 60_000,
        utc_offset_min: settings.utc_offset_min,
        ..SimulationConfig::new(Scenario::Nightly, Timestamp::from_ms(EVENING_MS))
    });
    let mut driver = Virtual::new(engine(None));
    let mut history = simulation.history(2);
    while let Some(message) = history.next() {
        driver.advance(message.at);
        let id = simulation.profiles()[message.device as usize].id.as_str();
        match message.body {
            Body::Report(report) => drop(driver.report(id, report)),
            Body::Status(status) => driver.status(id, status.clone(), false).unwrap(),
        }
    }
    (Arc::new(simulation), driver.engine().image())
}

fn engine(image: Option<&[u8]>) -> Engine {
    let settings = Settings::default();
    let mut engine = Engine::new(settings.clone(), Arc::new(EngineFleet::new(&settings)));
    if let Some(image) = image {
        engine.restore(image).unwrap();
    }
    engine
}

/// What would be declared if every message came on its way and in its time.
fn undisturbed(simulation: &Simulation, image: &[u8]) -> Change {
    let mut driver = Virtual::new(engine(Some(image)));
    let epoch = Timestamp::from_ms(EVENING_MS);
    let mut stream = simulation.messages(epoch, epoch.plus_ms(NIGHT_MS));
    let mut changes = Vec::new();
    while let Some(message) = stream.next() {
        changes.append(&mut driver.advance(message.at));
        let id = simulation.profiles()[message.device as usize].id.as_str();
        match message.body {
            Body::Report(report) => drop(driver.report(id, report).unwrap()),
            Body::Status(status) => driver.status(id, status.clone(), false).unwrap(),
        }
    }
    let mut declared = changes.into_iter().filter(|change| change.kind == ChangeKind::Declared);
    let one = declared.next().expect("the night has an incident");
    assert!(declared.next().is_none());
    one
}

/// The next change that is wanted.
async fn next_of(changes: &mut broadcast::Receiver<Change>, wanted: impl Fn(&Change) -> bool) -> Change {
    let found = async {
        loop {
            let change = changes.recv().await.unwrap();
            if wanted(&change) {
                return change;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(90), found).await.expect("the change comes")
}

async fn live(
    simulation: &Simulation,
    index: u32,
    clock: Clock,
    broker: SocketAddr,
    acknowledged: &Acknowledged,
    stopped: &watch::Receiver<bool>,
) {
    let id = simulation.profiles()[index as usize].id.as_str();
    let mut stream = simulation.device(index);
    let (mut link, mut packet) = (None, 0_u16);
    while !*stopped.borrow() {
        let Some(message) = stream.next() else { return };
        let (at, retain) = (message.at, message.retain);
        let (kind, payload, counter) = match message.body {
            Body::Report(report) if index.is_multiple_of(2) => {
                ("report", encode::report_json(id, report, LatencyForm::Counts), &acknowledged.reports)
            }
            Body::Report(report) => {
                ("report", encode::report_binary(id, report, LatencyForm::Counts), &acknowledged.reports)
            }
            Body::Status(status) => ("status", encode::status_json(id, status), &acknowledged.statuses),
        };
        clock.sleep_until(at).await;
        packet = packet % 60_000 + 1;
        let topic = format!("utm/v1/{id}/{kind}");
        // Until it is acknowledged, over as many connections as it takes.
        while send(&mut link, broker, id, &topic, &payload, packet, retain).await.is_err() {
            link = None;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        counter.fetch_add(1, Ordering::SeqCst);
    }
}

async fn send(
    link: &mut Option<Raw>,
    broker: SocketAddr,
    id: &str,
    topic: &str,
    payload: &[u8],
    packet: u16,
    retain: bool,
) -> std::io::Result<()> {
    if link.is_none() {
        *link = Some(Raw::try_connect(broker, &Hello::new(id)).await?.0);
    }
    let raw = link.as_mut().unwrap();
    raw.publish(topic, payload, packet, retain).await?;
    while raw.try_read().await?.kind() != PUBACK {}
    Ok(())
}

/// Different reports and statuses in the journal.
fn journalled(dir: &Path) -> (u64, u64) {
    let mut reader = read_from(&dir.join("journal"), 0).unwrap();
    let (mut reports, mut statuses) = (std::collections::HashSet::new(), 0);
    while let Some(record) = reader.next().unwrap() {
        let entry = record.entry;
        if entry.topic.ends_with("/report") {
            reports.insert((entry.topic.to_owned(), entry.payload.to_vec()));
        } else {
            statuses += 1;
        }
    }
    assert!(reader.report().damaged.is_empty());
    (reports.len() as u64, statuses)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_the_broker_and_of_the_daemon_loses_nothing() {
    let Some(mut mosquitto) = Mosquitto::start(|text| text).await else { return };
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(dir.path(), mosquitto.address()).await;
    let fleet = Fleet::start(mosquitto.address());
    fleet.flows(100).await;
    mosquitto.stop().await;
    daemon.ready(false).await;
    mosquitto.start_again().await;
    daemon.ready(true).await;
    fleet.flows(100).await;
    // And the other side: the broker keeps what comes while the daemon is away.
    daemon.end().await;
    fleet.flows(100).await;
    let daemon = Daemon::start(dir.path(), mosquitto.address()).await;
    fleet.flows(50).await;
    let told = fleet.end().await;
    daemon.shows("fleetwatch_reports_total", told.reports()).await;
    assert_eq!(daemon.metric("fleetwatch_reports_missing").await, 0);
    let journal = journalled(dir.path());
    assert_eq!(journal.0, told.reports());
    assert!(journal.1 >= told.statuses(), "{} of {}", journal.1, told.statuses());
    println!("{} reports and {} statuses, none lost", told.reports(), told.statuses());
    daemon.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_network_is_told_and_loses_nothing() {
    let Some(mosquitto) = Mosquitto::start(|text| text).await else { return };
    let proxy = Proxy::start(mosquitto.address()).await;
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(dir.path(), proxy.address()).await;
    let fleet = Fleet::start(mosquitto.address());
    fleet.flows(50).await;
    for _ in 0..2 {
        proxy.cut();
        daemon.ready(false).await;
        // The devices do not notice: the broker takes what they send.
        fleet.flows(150).await;
        proxy.mend();
        daemon.ready(true).await;
        fleet.flows(50).await;
    }
    let told = fleet.end().await;
    daemon.shows("fleetwatch_reports_total", told.reports()).await;
    assert_eq!(daemon.metric("fleetwatch_reports_missing").await, 0);
    assert_eq!(journalled(dir.path()).0, told.reports());
    assert!(daemon.metric("fleetwatch_broker_connects_total").await >= 3);
    println!("{} reports over two cuts, none lost", told.reports());
    daemon.end().await;
}

/// Ten minutes of fleet time without the network between broker and daemon, in the middle of the hour.
#[tokio::test(flavor = "multi_thread")]
async fn a_cut_of_ten_minutes_in_the_hour_changes_no_incident() {
    let Some(mosquitto) = Mosquitto::start(|text| text).await else { return };
    let proxy = Proxy::start(mosquitto.address()).await;
    let dir = tempfile::tempdir().unwrap();
    let (simulation, image) = night();
    let wanted = undisturbed(&simulation, &image);
    let clock = Clock::scaled(Timestamp::from_ms(EVENING_MS), SPEED);
    let config = CoreConfig { preload: Some(engine(Some(&image))), ..CoreConfig::in_directory(dir.path(), clock) };
    let core = Core::start(config).await.unwrap();
    let mut changes = core.changes();
    let (stop, stopped) = watch::channel(false);
    let collector = {
        let (host, port) = (proxy.address().ip().to_string(), proxy.address().port());
        let config = IngestConfig { host, port, ..IngestConfig::default() };
        let (state, mut session) = watch::channel(SessionState::Connecting);
        let collector = tokio::spawn(ingest::run(config, core.intake(), Arc::default(), state, stopped));
        // A broker keeps nothing for somebody who has not subscribed yet.
        session.wait_for(|state| matches!(state, SessionState::Up { .. })).await.unwrap();
        collector
    };
    let fleet = Fleet::of(&simulation, clock, mosquitto.address());
    let warned =
        next_of(&mut changes, |change| change.kind == ChangeKind::EarlyWarning && change.streak_s >= 1_800).await;
    proxy.cut();
    let from = clock.now();
    clock.sleep_until(from.plus_ms(10 * MINUTE_MS)).await;
    assert!(core.snapshot().load().totals.reporting == 0, "nobody is heard");
    proxy.mend();
    let declared = next_of(&mut changes, |change| change.kind == ChangeKind::Declared).await;
    let told_ms = clock.now().since_ms(declared.at) as f64 / SPEED;
    println!("the declaration was told {told_ms:.0} ms of real time after its tick was due");
    assert!(told_ms < 1_000.0);
    println!(
        "warned at {}, cut for {} s of fleet time, declared at {} (undisturbed: {})",
        warned.at.as_ms(),
        clock.now().since_ms(from) / 1_000,
        declared.at.as_ms(),
        wanted.at.as_ms()
    );
    assert_eq!(declared.impact_started_at, wanted.impact_started_at);
    assert_eq!(declared.cause.map(|cause| cause.suspect), wanted.cause.map(|cause| cause.suspect));
    assert_eq!(declared.devices, wanted.devices);
    // Nothing is lost, so the last minute is evidenced when it would have been; the way of a message takes seconds of fleet time.
    assert!(declared.at.since_ms(wanted.at).abs() <= 2 * MINUTE_MS);
    let told = fleet.end().await;
    // What was on its way when the network was cut comes again, and is journalled twice.
    until("everything to be journalled", SOON, || journalled(dir.path()).0 >= told.reports()).await;
    clock.sleep_until(Engine::next_tick(clock.now()).plus_ms(TICK_MS)).await;
    assert_eq!(core.snapshot().load().totals.missing, 0);
    while let Ok(change) = changes.try_recv() {
        assert_ne!(change.kind, ChangeKind::Declared, "declared once");
    }
    stop.send_replace(true);
    collector.await.unwrap().unwrap();
    core.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_broker_loses_is_counted_to_the_last_report() {
    // Nothing is saved but at a clean stop: whatever waits for the daemon is lost.
    let never = |text: String| replace(&text, "autosave_interval", "autosave_interval 0");
    let Some(mut mosquitto) = Mosquitto::start(never).await else { return };
    let proxy = Proxy::start(mosquitto.address()).await;
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(dir.path(), proxy.address()).await;
    let fleet = Fleet::start(mosquitto.address());
    fleet.flows(100).await;
    proxy.cut();
    daemon.ready(false).await;
    fleet.flows(150).await;
    mosquitto.kill();
    mosquitto.start_again().await;
    proxy.mend();
    daemon.ready(true).await;
    // Every device has to be heard again, or nobody could know what is missing of it.
    fleet.flows(u64::from(DEVICES) * 10).await;
    let told = fleet.end().await;
    let kept = {
        // All that is still with the broker comes within a moment; then the figures stand still.
        let mut before = (0, 0);
        let start = clock::monotonic();
        loop {
            let now = (daemon.metric("fleetwatch_reports_total").await, journalled(dir.path()).0);
            if now.0 == now.1 && now == before {
                break now.0;
            }
            before = now;
            assert!(start.elapsed() < SOON, "{now:?}");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    let missing = daemon.metric("fleetwatch_reports_missing").await;
    println!("{} reports told, {kept} kept, {missing} counted as missing", told.reports());
    assert!(missing >= 100, "the broker was killed with a hundred in it, and {missing} are missing");
    assert_eq!(kept + missing, told.reports());
    daemon.end().await;
}
