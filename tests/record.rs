//! `record` and `replay` as commands, and that what is recorded replays to what was lived.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use common::mosquitto::Mosquitto;
use common::raw::{Hello, Raw};
use common::until;
use fleetwatch::clock::Clock;
use fleetwatch::engine::detector::Engine;
use fleetwatch::engine::effect::{Change, ChangeKind};
use fleetwatch::engine::settings::Settings;
use fleetwatch::engine::time::Timestamp;
use fleetwatch::engine::wire::encode::{LatencyForm, report_json, status_json};
use fleetwatch::ingest::{self, IngestConfig, IngestCounters, SessionState};
use fleetwatch::lab::feed;
use fleetwatch::lab::simulation::{Body, Scenario, Simulation, SimulationConfig};
use fleetwatch::recording::{Entry, Line, Reader, Writer};
use fleetwatch::runtime::core::{Core, CoreConfig};
use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::watch;

/// 2026-11-17, a Tuesday, 01:45 UTC: a quarter of an hour before the nightly update.
const EPOCH: Timestamp = Timestamp::from_ms(1_794_879_900_000);

fn fleetwatch() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fleetwatch"));
    command.stdin(Stdio::null()).env("FLEETWATCH__DETECTOR__UTC_OFFSET_MIN", "0");
    command
}

fn replayed(arguments: &[&str]) -> Output {
    fleetwatch().arg("replay").args(arguments).output().unwrap()
}

/// A night with an update that goes wrong: the state before it, and its messages as `(at, topic, payload)`.
struct Night {
    engine: Engine,
    messages: Vec<(Timestamp, String, Vec<u8>)>,
}

fn night(devices: u32, hours: i64) -> Night {
    let config = SimulationConfig {
        devices,
        branches: 3,
        report_period_ms: 30_000,
        ..SimulationConfig::new(Scenario::Nightly, EPOCH)
    };
    let simulation = Simulation::new(config);
    let settings = Settings { utc_offset_min: 0, ..Settings::default() };
    let driver = feed::learnt(&simulation, &settings, 1);
    let mut messages = Vec::new();
    let mut live = simulation.messages(EPOCH, EPOCH.plus_ms(hours * 3_600_000));
    while let Some(message) = live.next() {
        let id = simulation.profiles()[message.device as usize].id.as_str();
        let (kind, payload) = match message.body {
            Body::Report(report) => ("report", report_json(id, report, LatencyForm::Counts)),
            Body::Status(status) => ("status", status_json(id, status)),
        };
        messages.push((message.at, format!("utm/v1/{id}/{kind}"), payload));
    }
    Night { engine: driver.into_engine(), messages }
}

/// The recording of a night, with the state before it.
fn recording(night: &Night) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    writer.baseline(&night.engine.image()).unwrap();
    for (at, topic, payload) in &night.messages {
        writer.message(Entry { at: *at, topic, payload, retain: false }).unwrap();
    }
    writer.into_inner()
}

#[test]
fn a_recording_replays_to_the_same_bytes_in_the_form_of_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("night.jsonl");
    let night = night(30, 4);
    let mut text = recording(&night);
    fs::write(&file, &text).unwrap();
    let path = file.to_str().unwrap();
    let first = replayed(&[path]);
    assert!(first.status.success() && first.stderr.is_empty(), "{first:?}");
    assert_eq!(first.stdout, replayed(&[path]).stdout);
    let lines: Vec<serde_json::Value> =
        first.stdout.lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
    let declared: Vec<_> = lines.iter().filter(|line| line["event"] == "declared").collect();
    assert_eq!(declared.len(), 1, "{lines:#?}");
    assert_eq!(declared[0]["cause"]["kind"], "update");
    assert_eq!(declared[0]["incident"], "INC-2026-0001");
    let keys = [
        "at",
        "cause",
        "devices",
        "event",
        "event_id",
        "impact_started_at",
        "incident",
        "scope",
        "severity",
        "streak_s",
    ];
    for line in &lines {
        let mut found: Vec<&str> = line.as_object().unwrap().keys().map(String::as_str).collect();
        found.sort_unstable();
        assert_eq!(found, keys);
    }
    assert!(lines[0]["incident"].is_null(), "a warning has no number: {}", lines[0]);

    // A 45-minute rule declares when the 60-minute one warned of 45; and it proves each of its minutes.
    let earlier = replayed(&[path, "--hold-min", "45", "--proof"]);
    let printed = String::from_utf8(earlier.stdout).unwrap();
    let early = printed.lines().find(|line| line.contains("\"declared\"")).expect("a declaration");
    let early: serde_json::Value = serde_json::from_str(early).unwrap();
    let warned = lines.iter().find(|line| line["streak_s"] == 45 * 60).expect("a warning at 45 minutes");
    assert_eq!((&early["at"], &early["streak_s"]), (&warned["at"], &warned["streak_s"]));
    assert!(early["proof"].as_array().unwrap().len() >= 45, "{early}");

    // A damaged line and a foreign topic are told, and change nothing.
    let last = night.messages.last().unwrap().0.as_ms();
    writeln!(text, "not a line\n{{\"at\":{last},\"topic\":\"other\",\"payload\":{{}}}}").unwrap();
    fs::write(&file, &text).unwrap();
    let damaged = replayed(&[path]);
    assert_eq!(damaged.stdout, first.stdout);
    let notes = String::from_utf8_lossy(&damaged.stderr);
    for note in ["not a JSON object", "damaged: 1", "refused: 1 bad_topic"] {
        assert!(notes.contains(note), "{notes}");
    }
}

#[test]
fn arrivals_shuffled_within_the_lateness_are_the_same_incident() {
    let mut night = night(30, 4);
    let incident = |text: &[u8]| {
        let mut child =
            fleetwatch().args(["replay", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let text = text.to_vec();
        let feeder = std::thread::spawn(move || stdin.write_all(&text).unwrap());
        let output = child.wait_with_output().unwrap();
        feeder.join().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let line = text.lines().find(|line| line.contains("\"declared\"")).expect("a declaration").to_owned();
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        ["at", "incident", "impact_started_at", "devices", "streak_s"].map(|key| line[key].clone())
    };
    let straight = incident(&recording(&night));
    // Every third report is up to 40 s late: the grace has 90 s for the period of 30 s and the way.
    for (index, message) in night.messages.iter_mut().enumerate().filter(|(index, _)| index % 3 == 0) {
        message.0 = message.0.plus_ms((index as i64 * 7_919) % 40_000);
    }
    night.messages.sort_by_key(|message| message.0);
    assert_eq!(incident(&recording(&night)), straight);
}

/// `record` as a process, subscribed.
fn record(mosquitto: &Mosquitto, output: &Path, options: &[&str]) -> Child {
    let broker = mosquitto.address().to_string();
    let mut child = fleetwatch()
        .args(["--log-format", "json", "record", "--broker", &broker, "--output"])
        .arg(output)
        .args(options)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains("\"recording\"") {
        assert!(log.read_line(&mut said).unwrap() > 0, "it ended: {said}");
    }
    // Whatever else it says must find a reader.
    std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
    child
}

fn messages(file: &Path) -> Vec<(i64, String, Vec<u8>, bool)> {
    let mut reader = Reader::new(BufReader::new(fs::File::open(file).unwrap()));
    let mut found = Vec::new();
    while let Some(line) = reader.next().unwrap() {
        if let Line::Message(entry) = line {
            found.push((entry.at.as_ms(), entry.topic.to_owned(), entry.payload.to_vec(), entry.retain));
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn record_writes_every_message_as_it_came_and_leaves_no_session_behind() {
    let Some(mosquitto) = Mosquitto::start(|text| text).await else { return };
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("first.jsonl");
    let mut device = Raw::connect(mosquitto.address(), &Hello::new("B-1")).await;
    device.publish("utm/v1/B-1/status", b"{\"kept\":true}", 1, true).await.unwrap();
    device.read().await;
    let mut child = record(&mosquitto, &file, &[]);
    let sent: Vec<Vec<u8>> = (0..50_u8)
        .map(|number| if number % 5 == 0 { vec![1, 0xff, number] } else { format!("{{\"n\":{number}}}").into_bytes() })
        .collect();
    for (number, payload) in sent.iter().enumerate() {
        device.deliver("utm/v1/B-1/report", payload, number as u16 + 1).await;
    }
    until("all to be written", Duration::from_secs(10), || messages(&file).len() == sent.len() + 1).await;
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert!(child.wait().unwrap().success());
    let written = messages(&file);
    assert_eq!(written[0].2, b"{\"kept\":true}");
    assert!(written[0].3, "the kept status came because of the subscription");
    assert!(written.is_sorted_by_key(|message| message.0));
    let payloads: Vec<&Vec<u8>> = written[1..].iter().map(|message| &message.2).collect();
    assert_eq!(payloads, sent.iter().collect::<Vec<_>>());
    assert!(written[1..].iter().all(|message| !message.3));

    // What is sent between two recordings is in neither.
    device.deliver("utm/v1/B-1/report", b"{\"between\":1}", 90).await;
    let second = dir.path().join("second.jsonl");
    let mut child = record(&mosquitto, &second, &["--messages", "2"]);
    device.deliver("utm/v1/B-1/report", b"{\"after\":1}", 91).await;
    assert!(child.wait().unwrap().success());
    let payloads: Vec<Vec<u8>> = messages(&second).into_iter().map(|message| message.2).collect();
    assert_eq!(payloads, [b"{\"kept\":true}".to_vec(), b"{\"after\":1}".to_vec()]);
}

/// Kind, minute, incident, cause and devices: what people are told.
fn told(changes: &[Change]) -> String {
    let mut text = String::new();
    for change in changes.iter().filter(|change| change.kind == ChangeKind::Declared) {
        let devices: Vec<&str> = change.devices.iter().map(|device| device.as_str()).collect();
        let cause = change.cause.as_ref().map(|cause| &cause.suspect);
        writeln!(
            text,
            "{:?} {:?} since {} streak {} {cause:?} {devices:?}",
            change.kind,
            change.incident,
            change.impact_started_at.as_ms(),
            change.streak_s,
        )
        .unwrap();
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_night_recorded_from_mosquitto_replays_to_the_incident_that_was_lived() {
    const SPEED: f64 = 600.0;
    let Some(mosquitto) = Mosquitto::start(|text| text).await else { return };
    let dir = tempfile::tempdir().unwrap();
    let night = night(20, 3);
    let mut file = Writer::new(Vec::new());
    file.baseline(&night.engine.image()).unwrap();
    let baseline = file.into_inner();

    // Everybody's clock begins at the epoch, give or take what a process needs to start.
    let recorded = dir.path().join("night.jsonl");
    let epoch = EPOCH.as_ms().to_string();
    let options = ["--epoch", &epoch, "--speed", "600"];
    let mut recorder = record(&mosquitto, &recorded, &options);
    let clock = Clock::scaled(EPOCH, SPEED);
    let settings = Settings { utc_offset_min: 0, ..Settings::default() };
    let config = CoreConfig { settings, preload: Some(night.engine), ..CoreConfig::in_directory(dir.path(), clock) };
    let core = Core::start(config).await.unwrap();
    let mut lived = core.changes();
    let (stop, stopped) = watch::channel(false);
    let (state, mut session) = watch::channel(SessionState::Connecting);
    let (host, port) = (mosquitto.address().ip().to_string(), mosquitto.address().port());
    let ingest = IngestConfig { host, port, ..IngestConfig::default() };
    let collector =
        tokio::spawn(ingest::run(ingest, core.intake(), Arc::new(IngestCounters::default()), state, stopped));
    session.wait_for(|state| state.is_up()).await.unwrap();

    let mut publisher = Raw::connect(mosquitto.address(), &Hello::new("fleet")).await;
    for (number, (at, topic, payload)) in night.messages.iter().enumerate() {
        clock.sleep_until(*at).await;
        publisher.deliver(topic, payload, number as u16 % 60_000 + 1).await;
    }
    let end = night.messages.last().unwrap().0.plus_ms(200_000);
    clock.sleep_until(end).await;
    stop.send_replace(true);
    collector.await.unwrap().unwrap();
    core.shutdown().await.unwrap();
    let mut changes = Vec::new();
    while let Ok(change) = lived.try_recv() {
        changes.push(change);
    }
    kill_process(Pid::from_child(&recorder), Signal::INT).unwrap();
    assert!(recorder.wait().unwrap().success());

    let mut text = baseline;
    text.extend(fs::read(&recorded).unwrap());
    let whole = dir.path().join("whole.jsonl");
    fs::write(&whole, text).unwrap();
    let output = replayed(&[whole.to_str().unwrap()]);
    let replayed: Vec<Change> =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(told(&changes).contains("INC-2026-0001"), "{}", told(&changes));
    assert_eq!(told(&replayed), told(&changes));
}
