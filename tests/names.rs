//! Names as devices, lists and people write them, through the whole program: one name is one branch, one cause, one page.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use common::raw::{self, Hello, Raw};
use fleetwatch::clock::{self, Clock};
use fleetwatch::config::Config;
use fleetwatch::engine::label;
use fleetwatch::engine::time::Timestamp;
use fleetwatch::runtime::serve::Service;
use serde_json::{Value, json};

const T0: i64 = 1_795_305_600_000;
const SOON: Duration = Duration::from_secs(20);
/// Devices of the damaged branch, and of all.
const DAMAGED: usize = 6;
const DEVICES: usize = 24;

/// Two hours of a fleet in which the first devices become slow after 35 minutes; what each says of itself is `status`'s.
fn recording(status: impl Fn(usize) -> Value) -> String {
    let mut lines = String::new();
    let mut line = |at: i64, kind: &str, device: usize, payload: Value| {
        let topic = format!("utm/v1/B-{device}/{kind}");
        writeln!(lines, "{}", json!({ "at": at, "topic": topic, "payload": payload })).unwrap();
    };
    for device in 0..DEVICES {
        let mut said = json!({ "v": 1, "device": format!("B-{device}"), "online": true, "boot": 7, "at": T0, "model": "B200",
            "firmware": "5.2", "update": "2026.11.20", "update_installed_at": T0 - 900_000_000 });
        for (key, value) in status(device).as_object().unwrap() {
            said[key] = value.clone();
        }
        line(T0, "status", device, said);
    }
    for minute in 0..130_i64 {
        for device in 0..DEVICES {
            let us = if device < DAMAGED && minute >= 35 { 150_000 } else { 1_000 };
            let start = T0 + minute * 60_000;
            let traffic = json!({ "https": { "latency": { "counts": [[us, 500]] }, "flows": 500 } });
            let report = json!({ "v": 1, "device": format!("B-{device}"), "boot": 7, "seq": 1000 + minute,
                "uptime_ms": 100_000_000 + minute * 60_000, "start": start, "period_ms": 60_000, "traffic": traffic });
            line(start + 60_000 + device as i64, "report", device, report);
        }
    }
    lines
}

/// Causes and numbers of devices of what was declared, and what the replay has told beside it.
fn declared(recording: &str) -> (Vec<(String, String, usize)>, String) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("recording.jsonl");
    std::fs::write(&file, recording).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_fleetwatch"));
    let output = command.arg("replay").arg(file).args(["--set", "objective_p50_us=20000"]).output().unwrap();
    let notes = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{notes}");
    let changes = output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let changes = changes.map(|line| serde_json::from_slice::<Value>(line).unwrap());
    let declared = changes.filter(|change| change["event"] == "declared").map(|change| {
        let text = |field: &str| change["cause"][field].as_str().unwrap_or_default().to_owned();
        (text("kind"), text("value"), change["devices"].as_array().unwrap().len())
    });
    (declared.collect(), notes)
}

#[test]
fn a_branch_that_is_written_in_several_ways_is_one_cause() {
    let writings = [
        "ジャパン支店",
        "シ\u{3099}ャハ\u{309a}ン支店",
        "ジャパン支店 ",
        "ｼﾞｬﾊﾟﾝ支店",
        "ジャパン支店\0",
        "ジャパン\u{200b}支店",
    ];
    let branch =
        |device: usize| if device < DAMAGED { writings[device].to_owned() } else { format!("本社{}", device % 3) };
    let (declared, notes) = declared(&recording(|device| json!({ "branch": branch(device) })));
    assert_eq!(declared, [("branch".to_owned(), "ジャパン支店".to_owned(), DAMAGED)], "{notes}");
    assert!(!notes.contains("refused") && !notes.contains("left out"), "{notes}");
}

#[test]
fn a_customer_with_a_long_name_hides_no_update() {
    for (name, left_out) in [
        ("株式会社みなみ北陸総合物流サービス第二事業本部".to_owned(), 0),
        ("The National Institute for Agricultural and Food Research of Minami".to_owned(), 0),
        ("長".repeat(129), DEVICES),
    ] {
        let update = |device: usize| match device {
            0..DAMAGED => json!({ "customer": name, "update": "2026.11.21", "update_installed_at": T0 + 1_800_000 }),
            _ => json!({ "customer": name }),
        };
        let (declared, notes) = declared(&recording(update));
        assert_eq!(declared, [("update".to_owned(), "2026.11.21".to_owned(), DAMAGED)], "{name}: {notes}");
        assert!(!notes.contains("refused"), "{notes}");
        assert_eq!(notes.contains(&format!("left out: {left_out} customer")), left_out > 0, "{notes}");
    }
}

async fn get(address: SocketAddr, path: &str) -> String {
    let url = format!("http://{address}{path}");
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    tokio::task::spawn_blocking(move || agent.get(&url).call().unwrap().body_mut().read_to_string().unwrap())
        .await
        .unwrap()
}

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

async fn birth(service: &Service, device: &str, status: Value) {
    let mut said = json!({ "v": 1, "device": device, "online": true, "boot": 7 });
    for (key, value) in status.as_object().unwrap() {
        said[key] = value.clone();
    }
    let mut raw = Raw::connect(service.broker_address().unwrap(), &Hello::new(device)).await;
    raw.publish(&format!("utm/v1/{device}/status"), said.to_string().as_bytes(), 1, false).await.unwrap();
    assert_eq!(raw.read().await.kind(), raw::PUBACK);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_name_on_a_page_reads_as_another_and_one_left_out_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config::default();
    config.journal.dir = dir.path().join("journal");
    config.checkpoint.dir = dir.path().join("checkpoint");
    config.store.path = Some(dir.path().join("record/fleetwatch.sqlite"));
    config.broker.embedded.listen.set_port(0);
    config.http.listen.set_port(0);
    let list = dir.path().join("list.csv");
    let text = "device,branch,model,customer,contact,phone\nB-1,sapporo-01,b,C\u{202e}1,佐\u{200b}藤,090-1234-5678\n\
                B-2,sapporo-01,b,C2,阿部,9087654321\nB-3,sapporo-01,b,C3,森,+81 3 1111 2222\nEVIL-9,,,,,\n";
    std::fs::write(&list, text).unwrap();
    config.devices.expected = Some(list);
    let service = Service::start(config, Clock::scaled(Timestamp::from_ms(T0), 60.0)).await.unwrap();
    birth(&service, "B-1", json!({ "branch": "ｓapporo-01 ", "customer": "ACME\u{2066}" })).await;
    let evil = json!({ "branch": "sapporo\u{202e}10-", "model": "\u{2068}B200\u{200f}", "customer": "長".repeat(200),
        "firmware": "<b>\u{2028}5.2", "update": "א-2026.11.21" });
    birth(&service, "EVIL-9", evil).await;
    let http = service.http_address();
    let branches = get_until(http, "/branches", "sapporo10-").await;
    assert!(branches.contains("sapporo-01"), "{branches}");
    for path in [
        "/",
        "/branches",
        "/branches/sapporo-01",
        "/branches/sapporo10-",
        "/devices",
        "/devices/EVIL-9",
        "/devices/B-1",
        "/support?q=EVIL-9",
        "/support?q=B-1",
        "/gates",
        "/report",
        "/incidents",
        "/api/v1/devices",
        "/api/v1/contacts?q=B-1",
    ] {
        let page = get(http, path).await;
        let hidden = page.chars().find(|c| label::is_hidden(*c) || matches!(c, '\u{2028}' | '\u{2029}'));
        assert_eq!(hidden, None, "{path}: {page}");
    }
    for (path, name) in [
        ("/branches", "sapporo10-"),
        ("/devices", "sapporo10-"),
        ("/devices", "א-2026.11.21"),
        ("/devices/EVIL-9", "sapporo10-"),
        ("/devices/EVIL-9", "א-2026.11.21"),
        ("/support?q=EVIL-9", "sapporo10-"),
    ] {
        let page = get(http, path).await;
        assert!(page.contains(&format!("<bdi>{name}</bdi>")), "{path}: {page}");
    }
    let metrics = get(http, "/metrics").await;
    assert!(metrics.contains("fleetwatch_fields_left_out_total{field=\"customer\"} 1"), "{metrics}");
    // A number is the same with its country's code and with its zero, whichever of them a list has.
    for (asked, device) in [
        ("09012345678", "B-1"),
        ("%2B819012345678", "B-1"),
        ("%2B81%20(0)90%201234%205678", "B-1"),
        ("%EF%BC%90%EF%BC%99%EF%BC%90%EF%BC%8D1234-5678", "B-1"),
        ("09087654321", "B-2"),
        ("%2B819087654321", "B-2"),
        ("0311112222", "B-3"),
        ("03-1111-2222", "B-3"),
        ("%E4%BD%90%E8%97%A4", "B-1"),
    ] {
        let page = get(http, &format!("/support?q={asked}")).await;
        let found: Vec<&str> =
            ["B-1", "B-2", "B-3"].into_iter().filter(|id| page.contains(&format!("/devices/{id}"))).collect();
        assert_eq!(found, [device], "{asked}");
    }
    service.shutdown().await.unwrap();
}
