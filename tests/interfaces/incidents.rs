//! Work on incidents over the API, with the engine's own rules behind it and a record in memory.

mod memory;

use std::sync::Arc;

use fleetwatch::engine::time::Timestamp;
use fleetwatch::record::access::{AccessStore, ApiToken, Deed, Role, Scope};
use fleetwatch::record::incidents::Incidents;
use fleetwatch::store::Sqlite;
use fleetwatch::web::access::{Mode, secret};
use fleetwatch::web::{Access, AccessSettings, HttpConfig};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use self::memory::{Desk, NUMBER};
use crate::client::{Answer, ask, send};
use crate::sample::{self, NOW, Stage};
use crate::server::Server;

const HOST: (&str, &str) = ("Host", "localhost");
const JSON: (&str, &str) = ("Content-Type", "application/json");

pub struct Site {
    pub server: Server,
    desk: Arc<Desk>,
    _dir: tempfile::TempDir,
}

/// A server with one open incident of six devices, three of each of two branches.
async fn site() -> Site {
    let desk = Arc::new(Desk::with_incident());
    let work = desk.clone();
    let dir = tempfile::tempdir().unwrap();
    let outbox = Arc::new(Sqlite::open(&dir.path().join("outbox.db")).await.unwrap());
    let snapshot = sample::snapshot(10, Stage::Quiet);
    let server = Server::start_with("127.0.0.1:0", snapshot, &[], HttpConfig::default(), |state| {
        let store = state.access.store();
        let settings = AccessSettings { mode: Mode::Users, ..AccessSettings::default() };
        state.access = Arc::new(Access::new(store, settings, state.clock).unwrap());
        (state.incidents, state.incident_store, state.outbox) =
            (Some(work.clone() as _), Some(work as _), Some(outbox as _));
    })
    .await;
    Site { server, desk, _dir: dir }
}

impl Site {
    pub async fn new() -> Self {
        site().await
    }

    /// The Authorization header of a program with this role and every scope.
    pub async fn program(&self, name: &str, role: Role) -> String {
        let (text, id) = secret::new_token().unwrap();
        let token = ApiToken {
            id,
            fingerprint: secret::fingerprint(&text),
            name: name.into(),
            role,
            branches: vec!["sapporo".into()],
            scopes: Scope::ALL.to_vec(),
            made_by: "x".into(),
            made_at: NOW,
            expires_at: Timestamp::from_ms(i64::MAX),
            revoked_at: None,
            used_at: None,
        };
        let deed = Deed { at: NOW, by: "x".into(), what: "token_made".into(), about: "x".into(), detail: "".into() };
        self.server.store.add_token(&token, &deed).await.unwrap();
        format!("Bearer {text}")
    }

    async fn get(&self, path: &str, token: &str) -> Answer {
        ask(self.server.address, "GET", path, &[HOST, ("Authorization", token)]).await
    }

    async fn execute(&self, token: &str, more: &[(&str, &str)], request: &Value) -> Answer {
        let headers = [&[HOST, JSON, ("Authorization", token)], more].concat();
        let path = format!("/api/v1/incidents/{NUMBER}/commands");
        send(self.server.address, "POST", &path, &headers, &request.to_string()).await
    }
}

#[tokio::test]
async fn an_incident_is_read_and_worked_on() {
    let site = site().await;
    let sato = site.program("Sato", Role::Commander).await;
    let listed = site.get("/api/v1/incidents?open=true", &sato).await.json();
    assert_eq!((&listed["incidents"][0]["number"], &listed["incidents"][0]["devices"]), (&NUMBER.into(), &6.into()));

    let before = site.get(&format!("/api/v1/incidents/{NUMBER}"), &sato).await;
    let version = before.json()["version"].as_u64().unwrap();
    assert_eq!(before.header("etag"), format!("\"{version}\""));
    let headers = [HOST, ("Authorization", &*sato), ("If-None-Match", before.header("etag"))];
    let same = ask(site.server.address, "GET", &format!("/api/v1/incidents/{NUMBER}"), &headers).await;
    assert_eq!((same.status, &*same.body), (304, ""));

    let done = site.execute(&sato, &[], &json!({"command": "acknowledge", "seat": "commander"})).await;
    assert_eq!(done.status, 200, "{}", done.body);
    let after = done.json();
    assert_eq!((&after["commander"], &after["muster"][0]["seat"]), (&"Sato".into(), &"commander".into()));
    assert!(after["version"].as_u64().unwrap() > version && done.header("etag") != before.header("etag"));
    let record = site.get(&format!("/api/v1/incidents/{NUMBER}/record"), &sato).await.json();
    let entries = record["entries"].as_array().unwrap();
    let entry = entries.iter().find(|entry| entry["action"] == "acknowledged").unwrap();
    assert_eq!(
        (&entry["by"], &entry["detail"]["seat"]),
        (&"Sato".into(), &"commander".into()),
        "who did it is on record"
    );
    let page = site.get(&format!("/api/v1/incidents/{NUMBER}/record?limit=1"), &sato).await.json();
    assert_eq!((page["entries"].as_array().unwrap().len(), &page["next"]), (1, &page["entries"][0]["seq"]));

    let ladder = site.get(&format!("/api/v1/incidents/{NUMBER}/ladder?limit=4"), &sato).await.json();
    assert_eq!((&ladder["total"], &ladder["next"]), (&6.into(), &"B-0004".into()));
    let rest = site.get(&format!("/api/v1/incidents/{NUMBER}/ladder?after=B-0004&step=affected"), &sato).await.json();
    assert_eq!((rest["devices"].as_array().unwrap().len(), &rest["next"]), (2, &Value::Null));
    site.server.stop().await;
}

#[tokio::test]
async fn what_cannot_be_is_said_clearly() {
    let site = site().await;
    let sato = site.program("Sato", Role::Admin).await;
    let stale = ("If-Match", "\"1\"");
    site.execute(&sato, &[], &json!({"command": "join"})).await;
    for (more, request, status, told) in [
        (&[][..], json!({"command": "close"}), 409, "still open"),
        (&[], json!({"command": "agree_countermeasure", "version": 1}), 409, "no version 1"),
        (&[], json!({"command": "claim", "devices": ["B-9999"], "claim": "fix"}), 409, "not part of this incident"),
        (&[stale], json!({"command": "join"}), 412, "look again"),
        (&[("If-Match", "1")], json!({"command": "join"}), 400, "If-Match"),
        (&[], json!({"command": "explode"}), 422, "explode"),
        (&[], json!({"command": "note", "text": "t", "more": 1}), 422, "more"),
    ] {
        let answer = site.execute(&sato, more, &request).await;
        assert_eq!(answer.status, status, "{request}: {}", answer.body);
        assert!(answer.json()["detail"].as_str().unwrap().contains(told), "{request}: {}", answer.body);
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
    let headers = [HOST, ("Authorization", &*sato)];
    let path = format!("/api/v1/incidents/{NUMBER}/commands");
    for (kind, body, status) in [(JSON, "{", 400), (("Content-Type", "text/csv"), "{}", 415)] {
        let answer = send(site.server.address, "POST", &path, &[&headers[..], &[kind]].concat(), body).await;
        assert_eq!(answer.status, status, "{}", answer.body);
    }
    for (path, status) in [
        ("/api/v1/incidents/INC-1999-0001".to_owned(), 404),
        ("/api/v1/incidents?limit=0".to_owned(), 400),
        ("/api/v1/incidents?limit=501".to_owned(), 400),
        ("/api/v1/incidents?device=a%20b".to_owned(), 400),
        ("/api/v1/incidents?opn=true".to_owned(), 400),
        (format!("/api/v1/incidents/{NUMBER}/ladder?step=up"), 400),
        (format!("/api/v1/incidents/{NUMBER}/ladder?limit=1001"), 400),
        (format!("/api/v1/incidents/{NUMBER}/record?limit=0"), 400),
    ] {
        assert_eq!(site.get(&path, &sato).await.status, status, "{path}");
    }
    site.server.stop().await;
}

#[tokio::test]
async fn each_wish_takes_its_right() {
    let site = site().await;
    let incident = &site.desk.board().incidents[0].clone();
    assert_eq!(incident.number(), NUMBER);
    let mut tokens = Vec::new();
    for role in Role::ALL {
        tokens.push((role, site.program(role.as_str(), role).await));
    }
    for (request, roles) in [
        (json!({"command": "join"}), "noc support branch commander admin"),
        (json!({"command": "note", "text": "t"}), "noc support branch commander admin"),
        (json!({"command": "acknowledge", "seat": "commander"}), "noc support commander admin"),
        (json!({"command": "acknowledge", "seat": "support_lead@sapporo"}), "noc support branch commander admin"),
        (json!({"command": "acknowledge", "seat": "support_lead@naha"}), "noc support commander admin"),
        (json!({"command": "hand_over", "seat": "support_lead", "to": "x", "reason": "r"}), "commander admin"),
        (json!({"command": "register_countermeasure", "fix": {"kind": "update", "value": "2"}}), "noc commander admin"),
        (
            json!({"command": "record_call", "device": "B-0001", "call": {"outcome": "no_answer"}}),
            "support branch commander admin",
        ),
        (
            json!({"command": "record_call", "device": "B-0002", "call": {"outcome": "no_answer"}}),
            "support commander admin",
        ),
        (json!({"command": "claim", "devices": ["B-0001", "B-0002"], "claim": "revert"}), "support commander admin"),
        (json!({"command": "sign_off", "device": "B-0001", "kind": "replaced", "evidence": "e"}), "commander admin"),
        (json!({"command": "promote", "reason": "r"}), "commander admin"),
        (json!({"command": "close"}), "commander admin"),
    ] {
        for (role, token) in &tokens {
            let answer = site.execute(token, &[], &request).await;
            let expected = roles.split(' ').any(|name| name == role.as_str());
            assert_eq!(answer.status != 403, expected, "{request} {role:?}: {} {}", answer.status, answer.body);
            // 409: allowed, and the incident refuses.
            assert!([200, 403, 409].contains(&answer.status), "{request} {role:?}: {} {}", answer.status, answer.body);
        }
    }
    site.server.stop().await;
}

#[tokio::test]
async fn a_branch_sees_its_part_of_an_incident() {
    let site = site().await;
    let branch = site.program("Abe", Role::Branch).await;
    let view = site.get(&format!("/api/v1/incidents/{NUMBER}"), &branch).await.json();
    assert_eq!(view["steps"]["affected"], 3, "its own devices");
    let ladder = site.get(&format!("/api/v1/incidents/{NUMBER}/ladder"), &branch).await;
    assert!(ladder.json()["total"] == 3 && !ladder.body.contains("naha"), "{}", ladder.body);
    assert_eq!(site.get(&format!("/api/v1/incidents/{NUMBER}/record"), &branch).await.status, 403);
    assert_eq!(site.get("/api/v1/incidents", &branch).await.json()["incidents"].as_array().unwrap().len(), 1);
    let found = site.get("/api/v1/contacts?q=0120", &branch).await.json();
    assert_eq!(found["contacts"].as_array().unwrap().len(), 1, "{found}");
    assert_eq!(site.get("/api/v1/contacts/B-0001", &branch).await.json()["phone"], "0120-000-001");
    assert_eq!(site.get("/api/v1/contacts/B-0002", &branch).await.status, 404);
    site.server.stop().await;
}

#[tokio::test]
async fn contacts_are_for_who_talks_with_customers() {
    let site = site().await;
    let (support, noc) = (site.program("s", Role::Support).await, site.program("n", Role::Noc).await);
    assert_eq!(site.get("/api/v1/contacts?q=B-0001", &noc).await.status, 403);
    let found = site.get("/api/v1/contacts?q=B-0001", &support).await.json();
    assert_eq!(
        (&found["contacts"][0]["phone"], &found["contacts"][0]["incidents"][0]),
        (&"0120-000-001".into(), &NUMBER.into())
    );
    for bad in ["", "?q=", "?q=a", "?x=ab"] {
        assert_eq!(site.get(&format!("/api/v1/contacts{bad}"), &support).await.status, 400, "{bad}");
    }
    let put = async |token: &str, body: &str| {
        send(site.server.address, "PUT", "/api/v1/contacts", &[HOST, JSON, ("Authorization", token)], body).await
    };
    let taken = put(&support, r#"{"contacts":[{"device":"B-0005","name":"山田","phone":"090-1"}]}"#).await;
    assert_eq!((taken.status, &taken.json()["taken"]), (200, &1.into()), "{}", taken.body);
    assert_eq!(site.get("/api/v1/contacts/B-0005", &support).await.json()["name"], "山田");
    assert_eq!(put(&noc, r#"{"contacts":[]}"#).await.status, 403);
    for (bad, status) in
        [(r#"{"contacts":[{"device":"B 1"}]}"#, 400), (r#"{"contacts":[{"device":"B-1","fax":"1"}]}"#, 422)]
    {
        assert_eq!(put(&support, bad).await.status, status, "{bad}");
    }
    // Too long as it is sent, as it is kept (one sign that stands for four), and both.
    for long in [["x".repeat(150), "\u{200b}".repeat(100)].concat(), "\u{337f}".repeat(60), "x".repeat(300)] {
        let long = json!({"contacts": [{"device": "B-1", "name": long}]}).to_string();
        assert_eq!(put(&support, &long).await.status, 400, "a name has an end: {long}");
    }
    let broken = r#"{"contacts":[{"device":"B-1","name":" a\n\u202eb\u0000"}]}"#;
    assert_eq!(put(&support, broken).await.status, 200, "a name has one form");
    assert_eq!(site.get("/api/v1/contacts/B-1", &support).await.json()["name"], "a b");
    site.server.stop().await;
}

#[tokio::test]
async fn the_same_write_twice_is_one() {
    let site = site().await;
    let (sato, ito) = (site.program("Sato", Role::Support).await, site.program("Ito", Role::Support).await);
    let call = json!({"command": "record_call", "device": "B-0001", "call": {"outcome": "no_answer"}});
    let calls = async || {
        site.get(&format!("/api/v1/incidents/{NUMBER}/ladder"), &sato).await.json()["devices"][0]["calls"].clone()
    };
    let key = ("Idempotency-Key", "a1");
    let (first, second) = (site.execute(&sato, &[key], &call).await, site.execute(&sato, &[key], &call).await);
    assert_eq!((first.status, second.status), (200, 200));
    assert_eq!(first.body, second.body);
    assert_eq!((first.header("idempotency-replayed"), second.header("idempotency-replayed")), ("", "true"));
    assert_eq!(calls().await, 1);
    let other = json!({"command": "record_call", "device": "B-0001", "call": {"outcome": "reached"}});
    let reused = site.execute(&sato, &[key], &other).await;
    assert!(reused.status == 422 && reused.body.contains("another request"), "{}", reused.body);
    assert_eq!(site.execute(&ito, &[key], &call).await.header("idempotency-replayed"), "", "keys are one's own");
    assert_eq!(calls().await, 2);
    site.execute(&sato, &[], &call).await;
    assert_eq!(calls().await, 3, "without a key each is its own");

    // A refusal has changed nothing and is not kept: under the same key it is asked again, and may be another.
    let refused = json!({"command": "claim", "devices": ["B-9999"], "claim": "fix"});
    for _ in 0..2 {
        let answer = site.execute(&sato, &[("Idempotency-Key", "a2")], &refused).await;
        assert_eq!((answer.status, answer.header("idempotency-replayed")), (409, ""));
    }
    assert_eq!(site.execute(&sato, &[("Idempotency-Key", "a2")], &call).await.status, 200, "the key is free");
    let stale = [("Idempotency-Key", "a3"), ("If-Match", "\"1\"")];
    assert_eq!(site.execute(&sato, &stale, &call).await.status, 412);
    assert_eq!(site.execute(&sato, &[("Idempotency-Key", "a3")], &call).await.status, 200);
    assert_eq!(site.execute(&sato, &[("Idempotency-Key", "")], &call).await.status, 400);
    site.server.stop().await;
}

#[tokio::test]
async fn whoever_listens_hears_of_a_change_at_once() {
    let site = site().await;
    let sato = site.program("Sato", Role::Support).await;
    let stream = tokio::net::TcpStream::connect(site.server.address).await.unwrap();
    let mut stream = BufReader::new(stream);
    let request = format!("GET /api/v1/incidents/stream HTTP/1.1\r\nHost: localhost\r\nAuthorization: {sato}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut seen = String::new();
    let mut until = async |wanted: &str| {
        while !seen.contains(wanted) {
            assert_ne!(stream.read_line(&mut seen).await.unwrap(), 0, "the stream ended: {seen}");
        }
        seen.clone()
    };
    let head = until("event: hello").await;
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("text/event-stream"), "{head}");
    site.execute(&sato, &[], &json!({"command": "record_call", "device": "B-0002", "call": {"outcome": "reached"}}))
        .await;
    let event = until("\"devices\"").await;
    assert!(event.contains("event: incident") && event.contains(NUMBER) && event.contains("B-0002"), "{event}");
    site.server.stop().await;
}

/// What `fleetwatch incident ...` prints, as somebody with the token in this file.
async fn command_line(site: &Site, token_file: &std::path::Path, line: &str) -> Result<String, String> {
    use clap::Parser as _;
    let server = format!("http://{}", site.server.address);
    let arguments = line.split(' ').chain(["--server", &server, "--token-file", token_file.to_str().unwrap()]);
    let cli = fleetwatch::commands::cli::Cli::try_parse_from(arguments).unwrap();
    let fleetwatch::commands::cli::Command::Incident(command) = cli.command else { panic!("{line}") };
    let run = move || {
        let mut out = Vec::new();
        let done = fleetwatch::commands::incident::run(&command, &mut out);
        let mut told = Vec::new();
        match done {
            Ok(()) => Ok(String::from_utf8(out).unwrap()),
            Err(failure) => {
                failure.print(&mut told).unwrap();
                Err(String::from_utf8(told).unwrap())
            }
        }
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

#[tokio::test]
async fn the_command_line_works_on_incidents() {
    let site = site().await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    let token = site.program("Sato", Role::Commander).await;
    std::fs::write(&file, format!("{}\n", token.strip_prefix("Bearer ").unwrap())).unwrap();
    std::fs::write(dir.path().join("ja.txt"), "手順1").unwrap();
    let script = dir.path().join("ja.txt");
    let run = async |line: &str| command_line(&site, &file, &line.replace("NR", NUMBER)).await;
    let listed = run("fleetwatch incident ls").await.unwrap();
    assert!(listed.starts_with("INC-2026-0007  declared  isolated  0/6  -  2026-"), "{listed}");
    assert!(run("fleetwatch incident ack NR commander").await.unwrap().contains("  Sato  "));
    let propose = format!("fleetwatch incident propose NR --workaround WA-1 --script-ja {}", script.display());
    for line in [
        "fleetwatch incident join NR",
        "fleetwatch incident note NR seen --tell",
        "fleetwatch incident call NR B-0001 reached --incoming --progress mail --note n",
        "fleetwatch incident hand-over NR commander Ito --reason r",
        &propose,
        "fleetwatch incident promote NR --reason r",
    ] {
        run(line).await.unwrap_or_else(|told| panic!("{line}: {told}"));
    }
    let shown = run("fleetwatch incident show NR").await.unwrap();
    for part in
        ["  commander: acknowledged Ito", "  affected: 5", "  contacted: 1", "promised by 2026-", "in the way: 6 open"]
    {
        assert!(shown.contains(part), "{part:?} in {shown}");
    }
    let logged = run("fleetwatch incident log NR").await.unwrap();
    assert!(logged.contains(r#""direction":"incoming""#), "{logged}");
    assert!(logged.contains("  Sato  noted  {") && logged.lines().count() >= 8, "{logged}");
    let ladder = run("fleetwatch incident ladder NR --open --branch sapporo").await.unwrap();
    assert!(ladder.lines().count() == 3 && ladder.starts_with("B-0001  contacted  sapporo  -  1 calls\n"), "{ladder}");
    let csv = run("fleetwatch incident export NR --csv").await.unwrap();
    assert!(csv.starts_with("\u{feff}at,recorded_at,who,what,detail\r\n") && csv.contains(",Sato,noted,"), "{csv}");
    let export: Value = serde_json::from_str(&run("fleetwatch incident export NR").await.unwrap()).unwrap();
    assert_eq!(export["incident"]["summary"]["number"], NUMBER);
    let json = run("fleetwatch incident ladder NR --json").await.unwrap();
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap()["devices"].as_array().unwrap().len(), 6);
    for (line, told) in [
        ("fleetwatch incident close NR", "not carried out: still open"),
        ("fleetwatch incident call NR B-0001 no_answer --incoming", "whoever called us was reached"),
        ("fleetwatch incident agree NR 1", "whoever registered"),
        ("fleetwatch incident show INC-1999-0001", "there is no incident"),
        ("fleetwatch incident ack NR boss", "is no role"),
    ] {
        let refused = run(line).await.unwrap_err();
        assert!(refused.contains(told) && !refused.contains("fw_"), "{line}: {refused}");
    }
    std::fs::write(&file, "fw_wrong").unwrap();
    let refused = run("fleetwatch incident ls").await.unwrap_err();
    assert!(refused.contains("no such token") && refused.contains("fleetwatch token create"), "{refused}");
    site.server.stop().await;
}

#[tokio::test]
async fn without_a_desk_there_is_nothing_to_work_on() {
    let server = Server::start(sample::snapshot(10, Stage::Quiet), &[]).await;
    for path in [
        "/api/v1/incidents",
        "/api/v1/incidents/x",
        "/api/v1/incidents/x/ladder",
        "/api/v1/incidents/stream",
        "/api/v1/contacts?q=ab",
    ] {
        let answer = ask(server.address, "GET", path, &[HOST]).await;
        assert!(
            answer.status == 404 && answer.body.contains("does not run incidents"),
            "{path}: {} {}",
            answer.status,
            answer.body
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn the_description_is_served_and_its_copy_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/openapi.json");
    let made = fleetwatch::web::openapi::description();
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(path, &made).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        kept == made,
        "deploy/openapi.json is not current: UPDATE_OPENAPI=1 cargo test --test interfaces description"
    );
    let server = Server::start(sample::snapshot(10, Stage::Quiet), &[]).await;
    let served = ask(server.address, "GET", "/api/v1/openapi.json", &[HOST]).await.json();
    assert_eq!(served, serde_json::from_str::<Value>(&made).unwrap());
    // Every route of the API is described, and every description is a route.
    let paths = served["paths"].as_object().unwrap();
    for (path, methods) in paths {
        for method in methods.as_object().unwrap().keys() {
            let concrete = path.replace("{id}", "x").replace("{device}", "B-1").replace("{version}", "1");
            let answer = ask(server.address, &method.to_uppercase(), &concrete, &[HOST, JSON]).await;
            assert_ne!(answer.status, 405, "{method} {path}");
            assert!(answer.status != 404 || !answer.body.contains("nothing at this path"), "{method} {path}");
        }
    }
    server.stop().await;
}
