use std::os::unix::fs::PermissionsExt as _;
use std::sync::Mutex;

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Bytes;

use super::*;
use crate::config::Config;
use crate::engine::snapshot::Snapshot;
use crate::metrics::{DeviceSeries, Exporter};
use crate::notify::tests::memory::Memory;
use crate::notify::tests::message;
use crate::record::outbox::NewDispatch;

/// A configuration with one webhook and one Alertmanager at `address`, and what it needs on disk.
fn config(address: std::net::SocketAddr) -> (tempfile::TempDir, Config) {
    let dir = tempfile::tempdir().unwrap();
    let secret = dir.path().join("secret");
    std::fs::write(&secret, "correct horse battery staple\n").unwrap();
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    let text = format!(
        "[notify]\npage_url = \"https://noc.example/\"\n[[notify.channel]]\nname = \"hook\"\nkind = \"webhook\"\n\
         for = [\"staff\"]\nurl = \"http://{address}/hook\"\nsecret_file = {secret:?}\n[[notify.channel]]\n\
         name = \"alerts\"\nkind = \"alertmanager\"\nurls = [\"http://{address}\"]\n"
    );
    let path = dir.path().join("c.toml");
    std::fs::write(&path, text).unwrap();
    let config = Config::load(Some(&path), Vec::new()).unwrap();
    (dir, config)
}

fn alert(at: Timestamp) -> Alert {
    Alert {
        incident: "INC-1".into(),
        severity: "major".into(),
        scope: "fleet".into(),
        subject: Bilingual::default(),
        summary: None,
        suspect: None,
        path: "/incidents/INC-1".into(),
        started_at: at,
        ended_at: None,
    }
}

#[tokio::test]
async fn what_is_configured_is_delivered_told_every_minute_and_counted() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let got: Arc<Mutex<Vec<(String, Bytes)>>> = Arc::default();
    let seen = Arc::clone(&got);
    let app = Router::new().fallback(async move |uri: axum::http::Uri, body: Bytes| {
        seen.lock().unwrap().push((uri.path().to_owned(), body));
    });
    tokio::spawn(async move { axum::serve(listener, app).await });

    let (_dir, config) = config(address);
    let clock = Clock::scaled(Timestamp::from_ms(1_795_305_600_000), 600.0);
    let (outbox, counters) = (Arc::new(Memory::default()), Arc::new(Counters::new(&[])));
    let listed: Listed = Arc::new(move || vec![alert(clock.now())]);
    let shared = Arc::clone(&outbox) as Arc<dyn Outbox>;
    let (_news, updates) = broadcast::channel(8);
    let delivery = Delivery::start(&config, shared, (&listed, updates), clock, Arc::clone(&counters)).unwrap();
    let message = message(Some("INC-1"));
    let new = NewDispatch { key: "k".into(), channel: "hook".into(), target: "-".into(), message, due_at: clock.now() };
    outbox.enqueue(&[new], clock.now()).await.unwrap();
    delivery.waker.wake();
    let alerts = || got.lock().unwrap().iter().filter(|(path, _)| path == "/api/v2/alerts").count();
    let start = clock::monotonic();
    while outbox.pending() > 0 || alerts() < 3 {
        assert!(start.elapsed() < Duration::from_secs(20), "{} alerts", alerts());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(delivery.board.standings().into_keys().collect::<Vec<_>>(), ["alerts", "hook"]);
    delivery.shutdown().await;

    let hooked: Vec<Bytes> =
        got.lock().unwrap().iter().filter(|(path, _)| path == "/hook").map(|(_, body)| body.clone()).collect();
    assert_eq!(hooked.len(), 1);
    let body: serde_json::Value = serde_json::from_slice(&hooked[0]).unwrap();
    assert_eq!(body["page"], "https://noc.example/incidents/INC-1");
    let snapshot = Arc::new(ArcSwap::from_pointee(Snapshot::default()));
    let text = Exporter::new(counters, snapshot, clock, DeviceSeries::Off).render();
    for line in [
        "fleetwatch_notification_attempts_total{channel=\"hook\",outcome=\"sent\"} 1",
        "fleetwatch_notification_attempts_total{channel=\"hook\",outcome=\"failed\"} 0",
        "fleetwatch_notifications_pending ",
    ] {
        assert!(text.lines().any(|shown| shown.starts_with(line)), "{line}");
    }
}
