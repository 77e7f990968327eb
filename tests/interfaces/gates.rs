//! What a person may decide over HTTP, and which pages may not do it in a person's name.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use fleetwatch::engine::gate::{Decision, Gate, Gates, Policy};
use fleetwatch::record::{GateBoard, GateControl, GateError};
use fleetwatch::web::HttpConfig;

use crate::client::{Answer, form_token, get, send};
use crate::pages::without_own_script;
use crate::sample::{self, NOW, Stage};
use crate::server::Server;

/// Decides in memory.
#[derive(Debug)]
struct Desk(Mutex<Gates>);

#[async_trait]
impl GateControl for Desk {
    fn board(&self) -> Arc<GateBoard> {
        let decisions = self.0.lock().unwrap().in_force().cloned().collect();
        Arc::new(GateBoard { decisions, ..GateBoard::default() })
    }

    async fn decide(&self, version: &str, gate: Gate, by: &str, reason: &str) -> Result<Decision, GateError> {
        let mut gates = self.0.lock().unwrap();
        let decision = gates.decide(version, gate, (by, reason), NOW)?;
        gates.apply(decision.clone());
        Ok(decision)
    }
}

/// The sample's story, with a gate that has seen it.
async fn server() -> (Server, Arc<Desk>) {
    let mut gates = Gates::new(Policy::default());
    assert_eq!(gates.see(&sample::history()).decisions.len(), 2);
    let desk = Arc::new(Desk(Mutex::new(gates)));
    let shared = Arc::clone(&desk);
    let snapshot = sample::snapshot(1_000, Stage::Declared);
    let server = Server::start_with("127.0.0.1:0", snapshot, &sample::history(), HttpConfig::default(), |state| {
        state.gates = Some(shared);
    })
    .await;
    (server, desk)
}

const JSON: (&str, &str) = ("Content-Type", "application/json");
const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");
const HOST: (&str, &str) = ("Host", "localhost");
const HERE: (&str, &str) = ("Sec-Fetch-Site", "same-origin");

fn in_force(desk: &Desk) -> (Gate, String) {
    let board = desk.board();
    (board.decisions[0].gate, board.decisions[0].by.clone())
}

async fn post(server: &Server, version: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    send(server.address, "POST", &format!("/api/v1/gates/{version}"), headers, body).await
}

#[tokio::test]
async fn a_program_decides_with_a_body_of_json() {
    let (server, desk) = server().await;
    let listed = get(server.address, "/api/v1/gates").await.json();
    assert_eq!((&listed["gates"][0]["version"], &listed["gates"][0]["gate"]), (&"2026.11.21".into(), &"hold".into()));
    let request = r#"{"gate":"release","by":"Sato","reason":"the line's fault"}"#;
    let answer = post(&server, "2026.11.21", &[HOST, JSON], request).await;
    assert_eq!((answer.status, &answer.json()["before"]), (200, &"hold".into()), "{}", answer.body);
    assert_eq!(in_force(&desk), (Gate::Release, "Sato".to_owned()));
    for (version, headers, body, status) in [
        ("2026.11.21", &[HOST, JSON][..], r#"{"gate":"hold","by":"","reason":"r"}"#, 400),
        ("2026.11.21", &[HOST, JSON], r#"{"gate":"hold","by":"detector","reason":"r"}"#, 400),
        ("2026.11.21", &[HOST, JSON], r#"{"gate":"hold","by":"Sato","reason":""}"#, 400),
        ("a%2Fb", &[HOST, JSON], r#"{"gate":"hold","by":"Sato","reason":"r"}"#, 400),
        ("%23", &[HOST, JSON], r#"{"gate":"hold","by":"Sato","reason":"r"}"#, 400),
        ("%00", &[HOST, JSON], r#"{"gate":"hold","by":"Sato","reason":"r"}"#, 400),
        ("2026.11.21", &[HOST, JSON], r#"{"gate":"stop","by":"Sato","reason":"r"}"#, 422),
        ("2026.11.21", &[HOST, JSON], r#"{"gate":"hold","by":"Sato"}"#, 422),
        ("2026.11.21", &[HOST, JSON], r#"{"gate":"hold","by":"Sato","reason":"r","x":1}"#, 422),
        ("2026.11.21", &[HOST, JSON], "{", 400),
        ("2026.11.21", &[HOST], request, 415),
        ("2026.11.21", &[HOST, ("Content-Type", "text/plain")], request, 415),
        ("2026.11.21", &[HOST, FORM], "gate=hold&by=Sato&reason=r", 415),
        ("2026.11.21", &[HOST, JSON, ("Sec-Fetch-Site", "cross-site")], request, 403),
        ("2026.11.21", &[HOST, JSON, ("Origin", "http://evil.example")], request, 403),
        ("2026.11.21", &[("Host", "evil.example"), JSON], request, 421),
    ] {
        let answer = post(&server, version, headers, body).await;
        assert_eq!(answer.status, status, "{version} {headers:?} {body}: {}", answer.body);
        assert_eq!(answer.header("content-type"), "application/problem+json", "{body}");
    }
    assert_eq!(in_force(&desk), (Gate::Release, "Sato".to_owned()), "nothing of that had an effect");
    server.stop().await;
}

#[tokio::test]
async fn a_person_decides_with_the_form_and_no_foreign_page_can() {
    let (server, desk) = server().await;
    let page = get(server.address, "/gates?lang=ja").await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("更新の停止と再開") && page.body.contains("停止中"));
    assert!(!without_own_script(&page.body).contains("<script"));
    assert!(page.body.contains("method=\"post\"") && page.body.contains("action=\"/gates?lang=ja\""), "{}", page.body);
    let token = form_token(&page.body);
    let filled = "version=2026.11.21&gate=release&by=%E4%BD%90%E8%97%A4&reason=the+line%27s+fault";
    let submit = async |headers: &[(&str, &str)], body: &str| {
        send(server.address, "POST", "/gates?lang=ja", headers, &format!("{body}&form_token={token}")).await
    };
    for foreign in [
        &[HOST, FORM][..],
        &[HOST, FORM, ("Sec-Fetch-Site", "cross-site")],
        &[HOST, FORM, ("Sec-Fetch-Site", "same-site")],
        &[HOST, FORM, ("Origin", "http://evil.example")],
        &[HOST, FORM, ("Origin", "null")],
    ] {
        assert_eq!(submit(foreign, filled).await.status, 403, "{foreign:?}");
    }
    for untold in [filled.to_owned(), format!("{filled}&form_token="), format!("{filled}&form_token=x{token}")] {
        let answer = send(server.address, "POST", "/gates", &[HOST, FORM, HERE], &untold).await;
        assert_eq!(answer.status, 403, "{untold}");
    }
    assert_eq!(in_force(&desk).0, Gate::Hold, "nothing of that had an effect");

    let answer = submit(&[HOST, FORM, HERE], filled).await;
    assert_eq!((answer.status, answer.header("location")), (303, "/gates?lang=ja"));
    assert_eq!(in_force(&desk), (Gate::Release, "佐藤".to_owned()));
    let answer = submit(&[HOST, FORM, ("Origin", "http://localhost")], "version=9&gate=hold&by=S&reason=r").await;
    assert_eq!(answer.status, 303);
    let answer = submit(&[HOST, FORM, HERE], "version=&gate=hold&by=S&reason=r").await;
    assert_eq!(answer.status, 400);
    assert!(
        answer.body.contains("a version cannot be empty") && answer.header("content-type").starts_with("text/html")
    );
    assert_eq!(submit(&[HOST, FORM, HERE], "version=1").await.status, 422);

    let page = get(server.address, "/?lang=en").await.body;
    assert!(page.contains("Updates on hold") && page.contains("href=\"/gates?lang=en\">9</a>"), "{page}");
    server.stop().await;
}

#[tokio::test]
async fn what_people_write_is_text_and_no_markup() {
    let (server, _desk) = server().await;
    let request = r#"{"gate":"hold","by":"<b>x</b>","reason":"<script>alert(1)</script>\" onload=x"}"#;
    let version = "%22%3E%3Cscript%3E";
    assert_eq!(post(&server, version, &[HOST, JSON], request).await.status, 200);
    for path in ["/gates", "/"] {
        let page = get(server.address, path).await.body;
        // The page has one script of its own, from a file.
        assert!(!page.contains("<script>") && !page.contains("alert(1)</script") && !page.contains("<b>x"), "{page}");
    }
    server.stop().await;
}

#[tokio::test]
async fn without_gates_there_is_nothing_to_decide() {
    let server = Server::start(sample::snapshot(10, Stage::Quiet), &[]).await;
    for path in ["/api/v1/gates", "/api/v1/control-ring"] {
        assert_eq!(get(server.address, path).await.status, 404, "{path}");
    }
    let request = r#"{"gate":"hold","by":"Sato","reason":"r"}"#;
    assert_eq!(post(&server, "1", &[HOST, JSON], request).await.status, 404);
    let page = get(server.address, "/gates").await;
    assert!(page.status == 200 && page.body.contains("gate.enabled"));
    server.stop().await;
}
