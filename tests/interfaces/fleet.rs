//! Devices are taken out of the fleet over HTTP and on the command line: by whom it may be done, and what is refused.

use std::process::Command;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use fleetwatch::engine::device::DeviceId;
use fleetwatch::record::fleet::{FleetControl, ForgetError};
use fleetwatch::web::HttpConfig;

use crate::client::{Answer, get, send};
use crate::sample::{self, Stage};
use crate::server::Server;

const PATH: &str = "/api/v1/devices/forget";
const HOST: (&str, &str) = ("Host", "localhost");
const JSON: (&str, &str) = ("Content-Type", "application/json");
const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

/// Notes what it is asked; keeps whoever is called `KEPT-*`, and cannot write of whoever is called `DISK`.
#[derive(Debug, Default)]
struct Desk(Mutex<Vec<String>>);

#[async_trait]
impl FleetControl for Desk {
    async fn forget(&self, devices: &[DeviceId], by: &str, reason: &str) -> Result<(), ForgetError> {
        let kept = devices.iter().filter(|id| id.as_str().starts_with("KEPT"));
        let kept: Vec<_> = kept.map(|id| (id.clone(), "it is part of INC-2026-0007".to_owned())).collect();
        if !kept.is_empty() {
            return Err(ForgetError::Kept(kept));
        }
        if devices.iter().any(|id| id.as_str() == "DISK") {
            return Err(ForgetError::Journal("full".to_owned()));
        }
        let ids: Vec<&str> = devices.iter().map(DeviceId::as_str).collect();
        self.0.lock().unwrap().push(format!("{} by {by}: {reason}", ids.join(" ")));
        Ok(())
    }
}

async fn server() -> (Server, Arc<Desk>) {
    let desk = Arc::new(Desk::default());
    let shared = Arc::clone(&desk);
    let snapshot = sample::snapshot(10, Stage::Declared);
    let server = Server::start_with("127.0.0.1:0", snapshot, &[], HttpConfig::default(), |state| {
        state.fleet = Some(shared);
    })
    .await;
    (server, desk)
}

fn done(desk: &Desk) -> Vec<String> {
    desk.0.lock().unwrap().clone()
}

async fn post(server: &Server, headers: &[(&str, &str)], body: &str) -> Answer {
    send(server.address, "POST", PATH, headers, body).await
}

/// `fleetwatch devices forget ...` as a person types it; the exit code and what it printed.
async fn typed(server: &Server, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fleetwatch"));
    command.args(["devices", "forget"]).args(arguments).args(["--server", &format!("http://{}", server.address)]);
    command.env_remove("FLEETWATCH_CONFIG").env_remove("FLEETWATCH_TOKEN_FILE");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

#[tokio::test]
async fn a_program_takes_devices_out_and_is_told_why_some_stay() {
    let (server, desk) = server().await;
    let request = r#"{"devices":["B-0001","B-0002"],"by":"Sato","reason":" scrapped "}"#;
    let answer = post(&server, &[HOST, JSON], request).await;
    assert_eq!((answer.status, answer.json()), (200, serde_json::json!({"forgotten": ["B-0001", "B-0002"]})));
    assert_eq!(done(&desk), ["B-0001 B-0002 by Sato: scrapped"]);

    let kept = post(&server, &[HOST, JSON], r#"{"devices":["B-1","KEPT-1"],"by":"Sato","reason":"r"}"#).await;
    assert_eq!(kept.status, 409, "{}", kept.body);
    let detail = kept.json()["detail"].as_str().unwrap().to_owned();
    assert_eq!(detail, "nothing was forgotten: KEPT-1: it is part of INC-2026-0007");
    let disk = post(&server, &[HOST, JSON], r#"{"devices":["DISK"],"by":"Sato","reason":"r"}"#).await;
    assert_eq!((disk.status, disk.json()["detail"].as_str()), (503, Some("the journal cannot write: full")));

    let many = format!(r#"{{"devices":[{}"B"],"by":"Sato","reason":"r"}}"#, "\"B\",".repeat(1_000));
    let long = format!(r#"{{"devices":["B"],"by":"Sato","reason":"{}"}}"#, "r".repeat(1_001));
    for (headers, body, status) in [
        (&[HOST, JSON][..], r#"{"devices":[],"by":"Sato","reason":"r"}"#, 400),
        (&[HOST, JSON], many.as_str(), 400),
        (&[HOST, JSON], long.as_str(), 400),
        (&[HOST, JSON], r#"{"devices":["B"],"by":"Sato","reason":" "}"#, 400),
        (&[HOST, JSON], r#"{"devices":["B"],"by":"Sato","reason":"a\nb"}"#, 400),
        (&[HOST, JSON], r#"{"devices":["B"],"by":"","reason":"r"}"#, 400),
        (&[HOST, JSON], r#"{"devices":["B"],"by":"detector","reason":"r"}"#, 400),
        (&[HOST, JSON], r#"{"devices":["a/b"],"by":"Sato","reason":"r"}"#, 422),
        (&[HOST, JSON], r#"{"devices":"B","by":"Sato","reason":"r"}"#, 422),
        (&[HOST, JSON], r#"{"devices":["B"],"by":"Sato"}"#, 422),
        (&[HOST, JSON], r#"{"devices":["B"],"by":"Sato","reason":"r","x":1}"#, 422),
        (&[HOST, JSON], "{", 400),
        (&[HOST], request, 415),
        (&[HOST, FORM], "devices=B&by=Sato&reason=r", 415),
        (&[HOST, JSON, ("Sec-Fetch-Site", "cross-site")], request, 403),
        (&[HOST, JSON, ("Origin", "http://evil.example")], request, 403),
        (&[("Host", "evil.example"), JSON], request, 421),
    ] {
        let answer = post(&server, headers, body).await;
        let said: String = body.chars().take(80).collect();
        assert_eq!(answer.status, status, "{headers:?} {said}: {}", answer.body);
        assert_eq!(answer.header("content-type"), "application/problem+json", "{said}");
    }
    assert_eq!(get(server.address, PATH).await.status, 405);
    assert_eq!(done(&desk).len(), 1, "nothing of that had an effect");
    server.stop().await;
}

#[tokio::test]
async fn where_no_fleet_is_watched_nobody_can_be_forgotten() {
    let server = Server::start(sample::snapshot(10, Stage::Declared), &[]).await;
    let answer = post(&server, &[HOST, JSON], r#"{"devices":["B"],"by":"Sato","reason":"r"}"#).await;
    assert_eq!(answer.status, 404, "{}", answer.body);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_forgets_devices_on_the_command_line_and_reads_why_not() {
    let (server, desk) = server().await;
    let (code, said) = typed(&server, &["B-0042", "B-0043", "--by", "佐藤", "--reason", "廃棄"]).await;
    assert_eq!((code, said.as_str()), (Some(0), "B-0042 is forgotten\nB-0043 is forgotten\n"));
    assert_eq!(done(&desk), ["B-0042 B-0043 by 佐藤: 廃棄"]);

    let (code, said) = typed(&server, &["B-1", "KEPT-1", "--by", "Sato", "--reason", "r"]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("the devices stay") && said.contains("KEPT-1: it is part of INC-2026-0007"), "{said}");
    let (code, said) = typed(&server, &["B/1", "--by", "Sato", "--reason", "r"]).await;
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("\"B/1\" is no device id"), "{said}");
    for missing in [&["--by", "Sato", "--reason", "r"][..], &["B-1", "--by", "Sato"]] {
        let (code, said) = typed(&server, missing).await;
        assert!(code == Some(2) && said.contains("required"), "{said}");
    }
    let (_, help) = typed(&server, &["--help"]).await;
    for word in ["All of them are forgotten, or none", "devices.expected", "mosquitto_pub", "--reason"] {
        assert!(help.contains(word), "{word}: {help}");
    }
    assert_eq!(done(&desk).len(), 1, "nothing of that had an effect");
    server.stop().await;
}
