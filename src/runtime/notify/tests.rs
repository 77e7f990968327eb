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
        subject: Both::default(),
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
    let delivery = Delivery::start(&config, shared, &listed, updates, clock, Arc::clone(&counters)).unwrap();
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
    assert_eq!(delivery.health.by_channel().into_keys().collect::<Vec<_>>(), ["alerts", "hook"]);
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

/// What happens to a bot's token in real life: it is not there yet, it has expired, it is replaced.
#[tokio::test]
async fn a_token_that_is_replaced_is_used_without_a_restart() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let taken: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = Arc::clone(&taken);
    let app = Router::new().fallback(async move |headers: axum::http::HeaderMap| {
        let token = headers["authorization"].to_str().unwrap().to_owned();
        let good = token == "Bearer xoxb-new";
        seen.lock().unwrap().push(token);
        let said =
            if good { r#"{"ok":true,"channel":"C1","ts":"1"}"# } else { r#"{"ok":false,"error":"token_expired"}"# };
        ([("content-type", "application/json")], said)
    });
    tokio::spawn(async move { axum::serve(listener, app).await });
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    let settings = ChannelConfig {
        name: "chat".into(),
        kind: ChannelKind::Slack,
        purposes: vec![Purpose::Staff],
        url: Some(format!("http://{address}")),
        room: Some("C1".into()),
        secret_file: Some(file.clone()),
        ..ChannelConfig::default()
    };
    let mut config = Config::default();
    config.notify.channel = vec![settings];
    let channels = Channels::from_config(&config).unwrap();
    assert!(channels.faults[0].1.contains("cannot read"), "{:?}", channels.faults);
    let now = Clock::system().now();
    let deliver = async || channels.routes[0].channel.deliver(&test_dispatch("chat", NOBODY, now), None, now).await;
    let why = async || deliver().await.unwrap_err().error().to_owned();
    assert!(why().await.contains("cannot be used"));
    std::fs::write(&file, "xoxb-expired\n").unwrap();
    assert!(why().await.contains("token_expired"));
    std::fs::write(&file, "two\nlines\n").unwrap();
    assert!(why().await.contains("token_expired"), "the one that worked goes on");
    std::fs::write(&file, "xoxb-new\n").unwrap();
    deliver().await.unwrap();
    assert_eq!(taken.lock().unwrap().last().unwrap(), "Bearer xoxb-new");
}

#[test]
fn each_receiver_of_mail_is_a_place_of_its_own() {
    let mut config = Config::default();
    config.notify.channel = vec![
        ChannelConfig {
            name: "mail".into(),
            kind: ChannelKind::Mail,
            purposes: vec![Purpose::Staff],
            to: vec!["noc@example.jp".into(), "old@example.jp".into()],
            ..ChannelConfig::default()
        },
        ChannelConfig { name: "hook".into(), purposes: vec![Purpose::Staff], ..ChannelConfig::default() },
    ];
    let staff = directory(&config).staff;
    let targets: Vec<_> = staff.iter().map(|place| (place.channel.as_str(), place.target.as_str())).collect();
    assert_eq!(targets, [("mail", "noc@example.jp"), ("mail", "old@example.jp"), ("hook", NOBODY)]);
}
