//! The daemon as a whole: real MQTT in; pages, metrics and files out; signals, kills and refusals to start.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::time::Duration;

use common::raw::{self, Hello, Raw};
use fleetwatch::clock::{self, Clock};
use fleetwatch::config::Config;
use fleetwatch::engine::time::Timestamp;
use fleetwatch::journal::read_from;
use fleetwatch::runtime::serve::Service;
use rustix::process::{Pid, Signal, kill_process};

const SOON: Duration = Duration::from_secs(20);

fn report(device: &str, seq: u64) -> String {
    let uptime = 86_400_000 + seq * 100;
    format!(
        r#"{{"v":1,"device":"{device}","boot":1,"seq":{seq},"uptime_ms":{uptime},"start":1795305600000,"period_ms":100,"traffic":{{"https":{{"latency":{{"counts":[[1200,3]]}},"flows":10}}}}}}"#
    )
}

fn config(dir: &Path) -> Config {
    let mut config = Config::default();
    config.journal.dir = dir.join("journal");
    config.checkpoint.dir = dir.join("checkpoint");
    config.store.path = Some(dir.join("record/fleetwatch.sqlite"));
    config.broker.embedded.listen.set_port(0);
    config.http.listen.set_port(0);
    config
}

/// Payloads in the journal of `dir`, as a reader beside the running daemon sees them.
fn journalled(dir: &Path) -> Vec<String> {
    let mut reader = read_from(&dir.join("journal"), 0).unwrap();
    let mut payloads = Vec::new();
    while let Some(record) = reader.next().unwrap() {
        payloads.push(String::from_utf8_lossy(record.entry.payload).into_owned());
    }
    payloads
}

async fn get(address: SocketAddr, path: &str) -> String {
    let url = format!("http://{address}{path}");
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    tokio::task::spawn_blocking(move || agent.get(&url).call().unwrap().body_mut().read_to_string().unwrap())
        .await
        .unwrap()
}

/// Asks until the answer contains `wanted`.
async fn get_until(address: SocketAddr, path: &str, wanted: &str) -> String {
    let start = clock::monotonic();
    loop {
        let body = get(address, path).await;
        if body.contains(wanted) {
            return body;
        }
        assert!(start.elapsed() < SOON, "{path} does not show {wanted:?}: {body}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn publish(device: &mut Raw, id: &str, payload: &str, packet: u16) {
    device.publish(&format!("utm/v1/{id}/report"), payload.as_bytes(), packet, false).await.unwrap();
    let ack = device.read().await;
    assert_eq!((ack.kind(), ack.id()), (raw::PUBACK, packet));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_on_the_disk_when_it_is_acknowledged_and_then_on_every_page() {
    let dir = tempfile::tempdir().unwrap();
    let fast = Clock::scaled(Timestamp::from_ms(1_795_305_600_000), 60.0);
    let service = Service::start(config(dir.path()), fast).await.unwrap();
    let mut device = Raw::connect(service.broker_address().unwrap(), &Hello::new("B-1")).await;
    for seq in 1..=3 {
        publish(&mut device, "B-1", &report("B-1", seq), seq as u16).await;
        assert_eq!(journalled(dir.path()).len() as u64, seq, "acknowledged and not on the disk");
    }
    // The same again, garbage, and a report in another device's name: acknowledged, counted, and not on the pages.
    publish(&mut device, "B-1", &report("B-1", 3), 4).await;
    publish(&mut device, "B-1", "{\"v\":1", 5).await;
    publish(&mut device, "B-1", &report("B-2", 9), 6).await;
    assert_eq!(journalled(dir.path()).len(), 4, "what cannot be decoded is not kept");

    let http = service.http_address();
    let devices = get_until(http, "/api/v1/devices", "\"B-1\"").await;
    assert!(devices.contains("\"total\":1"), "{devices}");
    let metrics = get_until(http, "/metrics", "fleetwatch_reports_total 3").await;
    for line in [
        "fleetwatch_messages_refused_total{reason=\"duplicate\"} 1",
        "fleetwatch_messages_refused_total{reason=\"truncated\"} 1",
        "fleetwatch_messages_refused_total{reason=\"device_mismatch\"} 1",
        "fleetwatch_messages_received_total{encoding=\"json\",kind=\"report\"} 6",
        "fleetwatch_journal_records_total 4",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    get_until(http, "/readyz", "\"ready\":true").await;
    service.shutdown().await.unwrap();
    assert_eq!(journalled(dir.path()).len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_expected_devices_lets_nobody_else_in_and_shows_who_is_silent() {
    let dir = tempfile::tempdir().unwrap();
    let list = dir.path().join("devices.csv");
    std::fs::write(&list, "device,branch\nB-1,sapporo\nB-7,osaka\n").unwrap();
    let mut config = config(dir.path());
    config.devices.expected = Some(list);
    config.detector.expected_only = true;
    let fast = Clock::scaled(Timestamp::from_ms(1_795_305_600_000), 60.0);
    let service = Service::start(config, fast).await.unwrap();
    let mut known = Raw::connect(service.broker_address().unwrap(), &Hello::new("B-1")).await;
    publish(&mut known, "B-1", &report("B-1", 1), 1).await;
    let mut stranger = Raw::connect(service.broker_address().unwrap(), &Hello::new("X-1")).await;
    publish(&mut stranger, "X-1", &report("X-1", 1), 1).await;
    assert_eq!(journalled(dir.path()).len(), 1, "a stranger's message is not kept");
    let devices = get_until(service.http_address(), "/api/v1/devices", "\"B-7\"").await;
    assert!(devices.contains("\"total\":2"), "{devices}");
    get_until(service.http_address(), "/metrics", "fleetwatch_messages_refused_total{reason=\"unknown_device\"} 1")
        .await;
    service.shutdown().await.unwrap();
}

/// A process that does not outlive the test.
struct Owned(Child);

impl Drop for Owned {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The daemon as a process.
struct Daemon {
    child: Owned,
    log: BufReader<ChildStderr>,
    broker: SocketAddr,
    http: SocketAddr,
}

fn command(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fleetwatch"));
    let file = dir.join("fleetwatch.toml");
    let text = format!(
        "[broker.embedded]\nlisten = \"127.0.0.1:0\"\n[http]\nlisten = \"127.0.0.1:0\"\n[journal]\ndir = {:?}\n\
         [checkpoint]\ndir = {:?}\n[store]\npath = {:?}\n",
        dir.join("journal"),
        dir.join("checkpoint"),
        dir.join("record/fleetwatch.sqlite"),
    );
    std::fs::write(&file, text).unwrap();
    command.args(["--log-format", "json", "serve", "--config"]).arg(file);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

impl Daemon {
    fn start(dir: &Path) -> Self {
        let mut child = Owned(command(dir).spawn().unwrap());
        let mut log = BufReader::new(child.0.stderr.take().unwrap());
        let mut said = String::new();
        loop {
            let mut line = String::new();
            assert!(log.read_line(&mut line).unwrap() > 0, "it ended: {said}");
            said.push_str(&line);
            let line: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
            if line["message"] == "watching" {
                let pages = line["pages"].as_str().unwrap().trim_start_matches("http://").trim_end_matches('/');
                let (http, broker) = (pages.parse().unwrap(), line["broker"].as_str().unwrap().parse().unwrap());
                return Self { child, log, broker, http };
            }
        }
    }

    fn end(mut self, signal: Signal) -> (ExitStatus, String) {
        kill_process(Pid::from_child(&self.child.0), signal).unwrap();
        let status = self.child.0.wait().unwrap();
        let mut rest = String::new();
        self.log.read_to_string(&mut rest).unwrap();
        (status, rest)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_ends_it_with_code_0_and_a_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(dir.path());
    let mut device = Raw::connect(daemon.broker, &Hello::new("B-1")).await;
    publish(&mut device, "B-1", &report("B-1", 1), 1).await;
    let (status, log) = tokio::task::spawn_blocking(|| daemon.end(Signal::TERM)).await.unwrap();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("\"ended\""), "{log}");
    assert!(std::fs::read_dir(dir.path().join("checkpoint")).unwrap().count() >= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_killed_again_and_again_keeps_what_it_acknowledged_and_counts_it_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged: Vec<String> = Vec::new();
    for round in 0..4_u64 {
        let daemon = Daemon::start(dir.path());
        let mut device = Raw::connect(daemon.broker, &Hello::new("B-1")).await;
        if let Some(last) = acknowledged.last().cloned() {
            // Its acknowledgement did not get through, for all the device knows.
            publish(&mut device, "B-1", &last, 1).await;
        }
        for seq in round * 50..round * 50 + 50 {
            let payload = report("B-1", seq);
            publish(&mut device, "B-1", &payload, 2 + (seq % 1_000) as u16).await;
            acknowledged.push(payload);
        }
        // One more is on its way when the process dies.
        device.publish("utm/v1/B-1/report", report("B-1", 900 + round).as_bytes(), 7, false).await.unwrap();
        tokio::task::spawn_blocking(|| daemon.end(Signal::KILL)).await.unwrap();
        let kept = journalled(dir.path());
        let missing: Vec<&String> = acknowledged.iter().filter(|sent| !kept.contains(sent)).collect();
        assert!(missing.is_empty(), "acknowledged and lost: {missing:?}");
    }
    let daemon = Daemon::start(dir.path());
    let kept = journalled(dir.path());
    let distinct = kept.iter().collect::<std::collections::HashSet<_>>().len();
    get_until(daemon.http, "/metrics", &format!("fleetwatch_reports_total {distinct}\n")).await;
    tokio::task::spawn_blocking(|| daemon.end(Signal::TERM)).await.unwrap();
}

/// `fleetwatch devices forget ...` as a person types it.
async fn forget(http: SocketAddr, ids: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fleetwatch"));
    command.args(["devices", "forget", "--by", "Sato", "--reason", "scrapped", "--server", &format!("http://{http}")]);
    command.args(ids);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_device_is_gone_at_once_and_stays_gone_though_the_process_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(dir.path());
    let status = |id: &str| format!(r#"{{"v":1,"device":"{id}","online":true,"boot":1,"at":1795305600000}}"#);
    for id in ["STAYS", "OLD"] {
        let mut device = Raw::connect(daemon.broker, &Hello::new(id)).await;
        publish(&mut device, id, &report(id, 1), 1).await;
        device.publish(&format!("utm/v1/{id}/status"), status(id).as_bytes(), 2, true).await.unwrap();
        assert_eq!(device.read().await.kind(), raw::PUBACK);
    }
    get_until(daemon.http, "/api/v1/devices", "\"total\":2").await;
    let (done, said) = forget(daemon.http, &["OLD", "NEVER"]).await;
    assert!(!done && said.contains("NEVER: no device of this name is known"), "{said}");
    let (done, said) = forget(daemon.http, &["OLD"]).await;
    assert!(done && said == "OLD is forgotten\n", "{said}");
    let devices = get(daemon.http, "/api/v1/devices").await;
    assert!(devices.contains("\"total\":1") && devices.contains("STAYS"), "before the next tick: {devices}");
    let metrics = get(daemon.http, "/metrics").await;
    assert!(metrics.contains("fleetwatch_devices_forgotten_total{why=\"asked\"} 1\n"), "{metrics}");
    // The broker keeps nothing of it; a session of its own may read its own status.
    let start = clock::monotonic();
    loop {
        let mut device = Raw::connect(daemon.broker, &Hello::new("OLD")).await;
        assert_eq!(device.subscribe("utm/v1/OLD/status", 1).await.unwrap(), 1);
        if device.is_silent(Duration::from_millis(200)).await {
            break;
        }
        assert!(start.elapsed() < SOON, "the retained status stays");
    }
    tokio::task::spawn_blocking(|| daemon.end(Signal::KILL)).await.unwrap();

    let daemon = Daemon::start(dir.path());
    let devices = get_until(daemon.http, "/api/v1/devices", "STAYS").await;
    assert!(devices.contains("\"total\":1"), "{devices}");
    // Should it come back, it is a new one.
    let mut device = Raw::connect(daemon.broker, &Hello::new("OLD")).await;
    publish(&mut device, "OLD", &report("OLD", 1), 1).await;
    get_until(daemon.http, "/api/v1/devices", "\"total\":2").await;
    let metrics = get(daemon.http, "/metrics").await;
    assert!(metrics.contains("fleetwatch_messages_refused_total{reason=\"duplicate\"} 0\n"), "{metrics}");
    tokio::task::spawn_blocking(|| daemon.end(Signal::TERM)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_taken_off_the_list_can_be_forgotten_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let list = dir.path().join("devices.csv");
    let mut config = config(dir.path());
    config.devices.expected = Some(list.clone());
    std::fs::write(&list, "device\nB-1\nB-2\n").unwrap();
    let service = Service::start(config.clone(), Clock::system()).await.unwrap();
    get_until(service.http_address(), "/api/v1/devices", "\"total\":2").await;
    let (done, said) = forget(service.http_address(), &["B-2"]).await;
    assert!(!done && said.contains("B-2: it is on the list of expected devices"), "{said}");
    service.shutdown().await.unwrap();
    std::fs::write(&list, "device\nB-1\n").unwrap();
    let service = Service::start(config, Clock::system()).await.unwrap();
    // One that never said anything has proved nothing, and goes by itself with the next minute; or now.
    let devices = get_until(service.http_address(), "/api/v1/devices", "B-1").await;
    if devices.contains("B-2") {
        let (done, said) = forget(service.http_address(), &["B-2"]).await;
        assert!(done || said.contains("no device of this name is known"), "{said}");
    }
    get_until(service.http_address(), "/api/v1/devices", "\"total\":1").await;
    service.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_it_from_starting_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(dir.path());
    let refused = |command: &mut Command, code: i32, words: &[&str]| {
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{said}");
        for word in words {
            assert!(said.contains(word), "{word:?} is not in: {said}");
        }
    };
    let journal = dir.path().join("journal").display().to_string();
    refused(&mut command(dir.path()), 1, &["in use by another fleetwatch", &journal]);
    let other = tempfile::tempdir().unwrap();
    let address = daemon.http.to_string();
    refused(command(other.path()).env("FLEETWATCH__HTTP__LISTEN", &address), 1, &["http.listen", &address]);
    let address = daemon.broker.to_string();
    refused(
        command(other.path()).env("FLEETWATCH__BROKER__EMBEDDED__LISTEN", &address),
        1,
        &["cannot listen", &address],
    );
    // A file where a directory has to be: as unwritable as it gets, for root too.
    let file = other.path().join("file");
    std::fs::write(&file, "").unwrap();
    let below = file.join("journal");
    refused(
        command(other.path()).env("FLEETWATCH__JOURNAL__DIR", &below),
        1,
        &["cannot open the journal", "file/journal"],
    );
    let below = file.join("record.sqlite");
    refused(command(other.path()).env("FLEETWATCH__STORE__PATH", &below), 1, &["incident record"]);
    tokio::task::spawn_blocking(|| daemon.end(Signal::TERM)).await.unwrap();
}
