//! Debian's Alertmanager: one alert for one incident, whatever is told again, resolved or silenced over there.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fleetwatch::clock::Clock;
use fleetwatch::engine::time::Timestamp;
use fleetwatch::notify::alertmanager::{Alert, Alertmanager, Teller};
use fleetwatch::notify::voice::Voice;
use fleetwatch::notify::web;
use fleetwatch::notify::{Channel as _, Refusal};
use fleetwatch::words::Both;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::receiver::Receiver;
use super::{access, dispatch, now, until};

const PROGRAM: &str = "/usr/bin/prometheus-alertmanager";

/// A running Alertmanager, which notifies a receiver. Dropping it kills it.
struct Running {
    child: Child,
    url: String,
    receiver: Receiver,
    client: reqwest::Client,
    _directory: tempfile::TempDir,
}

impl Running {
    async fn start() -> Option<Self> {
        if !Path::new(PROGRAM).exists() {
            let told = "prometheus-alertmanager is not installed (apt-get install prometheus-alertmanager)";
            assert!(std::env::var_os("CI").is_none(), "{told}");
            println!("skipped: {told}");
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        let receiver = Receiver::good().await;
        // Groups by incident, as a set-up for people would; the waits as short as they can be.
        let config = format!(
            "route:\n  receiver: hook\n  group_by: [incident]\n  group_wait: 0s\n  group_interval: 1s\n  repeat_interval: 1h\n\
             receivers:\n- name: hook\n  webhook_configs:\n  - url: {}\n    send_resolved: true\n",
            receiver.url("/")
        );
        let file = directory.path().join("am.yml");
        fs::write(&file, config).unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let child = Command::new(PROGRAM)
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.path={}", directory.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--cluster.listen-address=")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let client = web::client(&format!("http://{address}").parse().unwrap(), &access()).unwrap();
        let running = Self { child, url: format!("http://{address}"), receiver, client, _directory: directory };
        until("the Alertmanager to be ready", || async {
            let ready = running.client.get(format!("{}/-/ready", running.url)).send().await;
            ready.is_ok_and(|answer| answer.status().is_success()).then_some(())
        })
        .await;
        Some(running)
    }

    fn ours(&self, more: &[String]) -> Alertmanager {
        let voice = Voice { pages: Some("https://noc.example".into()), ..Voice::default() };
        let urls: Vec<String> = [vec![self.url.clone()], more.to_vec()].concat();
        Alertmanager::new(&urls, voice, &access()).unwrap()
    }

    /// Its open alerts.
    async fn alerts(&self) -> Vec<Value> {
        let answer = self.client.get(format!("{}/api/v2/alerts", self.url)).send().await.unwrap();
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
    }

    async fn post(&self, path: &str, body: &Value) {
        let answer = self.client.post(format!("{}{path}", self.url)).json(body).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }

    /// Waits for so many open alerts.
    async fn has(&self, count: usize) -> Vec<Value> {
        until(&format!("{count} open alerts"), || async {
            let alerts = self.alerts().await;
            (alerts.len() == count).then_some(alerts)
        })
        .await
    }

    /// Waits for the next notification that it sends, and gives its status.
    async fn notified(&self) -> String {
        until("a notification", || async {
            self.receiver.got().first().map(|got| got.json()["status"].as_str().unwrap().to_owned())
        })
        .await
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn alert(started_at: Timestamp) -> Alert {
    Alert {
        incident: "INC-2026-0007".into(),
        severity: "major".into(),
        scope: "fleet".into(),
        subject: Both { ja: "重大インシデント".into(), en: "Major incident".into() },
        summary: Some(Both { ja: "330台".into(), en: "330 devices".into() }),
        suspect: None,
        path: "/incidents/INC-2026-0007".into(),
        started_at,
        ended_at: None,
    }
}

fn instant(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.as_ms()).unwrap().to_string()
}

fn ends_at(alert: &Value) -> jiff::Timestamp {
    alert["endsAt"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn an_incident_is_one_alert_from_its_declaration_to_its_end() {
    let Some(running) = Running::start().await else { return };
    // The other one of the cluster is down.
    let to = running.ours(&["http://127.0.0.1:9".into()]);
    let started_at = now().plus_ms(-3_600_000);
    to.deliver(&dispatch(1), None, now()).await.unwrap();
    let first = running.has(1).await.remove(0);
    assert_eq!(running.notified().await, "firing");
    let expected = json!({ "alertname": "FleetwatchMajorIncident", "incident": "INC-2026-0007", "severity": "major",
        "scope": "fleet", "service": "fleetwatch" });
    assert_eq!(first["labels"], expected);
    assert_eq!(first["annotations"]["subject_ja"], "重大インシデント INC-2026-0007");
    assert_eq!(first["generatorURL"], "https://noc.example/incidents/INC-2026-0007");

    // Told again with all that can change changed: the same alert, which lasts longer.
    let grown = Alert { suspect: Some("update 2026.11.21".into()), scope: "isolated".into(), ..alert(started_at) };
    to.tell(&[grown], now().plus_ms(60_000)).await.unwrap();
    let again = until("the alert to be brought up to date", || async {
        running.alerts().await.into_iter().find(|alert| alert["annotations"]["suspect"] == "update 2026.11.21")
    })
    .await;
    assert_eq!((running.alerts().await.len(), &again["labels"]), (1, &expected));
    assert!(ends_at(&again) > ends_at(&first), "{again}");

    // The end, several times.
    let ended = Alert { ended_at: Some(now()), ..alert(started_at) };
    for _ in 0..3 {
        to.tell(std::slice::from_ref(&ended), now()).await.unwrap();
    }
    running.has(0).await;
    assert_eq!(running.notified().await, "resolved");
}

#[tokio::test]
async fn what_others_do_over_there_never_ends_our_alert() {
    let Some(running) = Running::start().await else { return };
    let to = running.ours(&[]);
    let started_at = now().plus_ms(-60_000);
    to.tell(&[alert(started_at)], now()).await.unwrap();
    let labels = running.has(1).await.remove(0)["labels"].clone();
    // Somebody resolves it by hand.
    let past = instant(now());
    running.post("/api/v2/alerts", &json!([{ "labels": labels, "endsAt": past }])).await;
    running.has(0).await;
    to.tell(&[alert(started_at)], now()).await.unwrap();
    running.has(1).await;
    // Somebody silences it.
    let soon = instant(now().plus_ms(3_600_000));
    let matchers = json!([{ "name": "incident", "value": "INC-2026-0007", "isRegex": false, "isEqual": true }]);
    running
        .post(
            "/api/v2/silences",
            &json!({ "matchers": matchers, "startsAt": past, "endsAt": soon, "createdBy": "x", "comment": "x" }),
        )
        .await;
    to.tell(&[alert(started_at)], now()).await.unwrap();
    running.has(1).await;
}

#[tokio::test]
async fn the_teller_tells_what_is_open_at_once_and_ends_when_asked() {
    let Some(running) = Running::start().await else { return };
    let started_at = now().plus_ms(-60_000);
    let to = Arc::new(running.ours(&[]));
    let (stop, stopped) = watch::channel(false);
    let (news, heard) = watch::channel(());
    let open = Arc::new(AtomicBool::new(true));
    let shown = Arc::clone(&open);
    let listed = Arc::new(move || if shown.load(Ordering::SeqCst) { vec![alert(started_at)] } else { Vec::new() });
    let task = tokio::spawn(Teller::new(to, listed).run(Clock::system(), heard, stopped));
    running.has(1).await;
    // It does not wait for the minute when something has changed.
    open.store(false, Ordering::SeqCst);
    news.send_replace(());
    running.has(0).await;
    stop.send_replace(true);
    task.await.unwrap();
}

#[tokio::test]
async fn when_no_alertmanager_is_there_or_the_address_is_wrong_it_is_tried_again() {
    let nowhere = Alertmanager::new(&["http://127.0.0.1:9".into()], Voice::default(), &access()).unwrap();
    assert!(matches!(nowhere.deliver(&dispatch(1), None, now()).await, Err(Refusal::Later { .. })));
    let Some(running) = Running::start().await else { return };
    let wrong = Alertmanager::new(&[format!("{}/wrong", running.url)], Voice::default(), &access()).unwrap();
    let refusal = wrong.deliver(&dispatch(1), None, now()).await.unwrap_err();
    assert!(matches!(refusal, Refusal::Later { .. }), "{refusal:?}");
}
