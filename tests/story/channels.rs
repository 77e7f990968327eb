//! What the site tells the world: a webhook for the staff and an Alertmanager, both of which only write down what they are told.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::Uri;
use fleetwatch::clock;
use fleetwatch::config::Config;
use fleetwatch::runtime::core::Core;
use fleetwatch::runtime::notify::Delivery;
use fleetwatch::runtime::serve;
use serde_json::Value;

const PAGES: &str = "https://noc.example/";

/// A path and a body.
type Told = (String, Value);

/// The receivers, and what they were told so far.
pub struct Channels {
    pub config: Config,
    told: Arc<Mutex<Vec<Told>>>,
}

impl Channels {
    /// Receivers on a free port, and a configuration that knows them. The secret is kept below `directory`.
    pub async fn open(directory: &Path) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let told: Arc<Mutex<Vec<Told>>> = Arc::default();
        let seen = Arc::clone(&told);
        let app = Router::new().fallback(async move |uri: Uri, body: Bytes| {
            seen.lock().unwrap().push((uri.path().to_owned(), serde_json::from_slice(&body).unwrap()));
        });
        tokio::spawn(async move { axum::serve(listener, app).await });
        let secret = directory.join("secret");
        std::fs::write(&secret, "correct horse battery staple\n").unwrap();
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
        let text = format!(
            "[notify]\npage_url = {PAGES:?}\n[[notify.channel]]\nname = \"hook\"\nkind = \"webhook\"\nfor = [\"staff\"]\n\
             url = \"http://{address}/hook\"\nsecret_file = {secret:?}\n[[notify.channel]]\nname = \"alerts\"\n\
             kind = \"alertmanager\"\nurls = [\"http://{address}\"]\n"
        );
        let path = directory.join("channels.toml");
        std::fs::write(&path, text).unwrap();
        Self { config: Config::load(Some(&path), Vec::new()).unwrap(), told }
    }

    /// Delivers what this core decides.
    pub fn deliver(&self, core: &Core) -> Delivery {
        serve::delivery(&self.config, core).unwrap()
    }

    /// What was told at this path, in order.
    pub fn told(&self, path: &str) -> Vec<Value> {
        let told = self.told.lock().unwrap();
        told.iter().filter(|(at, _)| at == path).map(|(_, body)| body.clone()).collect()
    }

    /// The alerts in the order in which they were told.
    fn alerts(&self) -> Vec<Value> {
        let bodies = self.told("/api/v2/alerts");
        bodies.into_iter().flat_map(|body| body.as_array().unwrap().clone()).collect()
    }

    /// Waits until the staff were told that it is closed, and judges all that was said by then.
    pub async fn judge(&self, number: &str) {
        let start = clock::monotonic();
        while !self.told("/hook").iter().any(|said| said["kind"] == "closed") {
            assert!(start.elapsed() < Duration::from_secs(20), "nobody was told: {:#?}", self.told("/hook"));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let said = self.told("/hook");
        for message in &said {
            assert_eq!(message["incident"], number);
            assert_eq!(message["page"], format!("{PAGES}incidents/{number}"));
        }
        let times = |kind: &str| said.iter().filter(|message| message["kind"] == kind).count();
        assert_eq!(times("declared"), 1, "one incident is declared once: {said:#?}");
        let keys: std::collections::BTreeSet<_> = said.iter().map(|message| message["key"].to_string()).collect();
        assert_eq!(keys.len(), said.len(), "nothing is said twice");
        // One alert in the whole night, told again and again while it was open, and ended when the incident was resolved.
        let alerts = self.alerts();
        assert!(alerts.len() > 10, "{}", alerts.len());
        assert!(
            alerts.iter().all(|alert| alert["labels"] == alerts[0]["labels"]),
            "labels that change make another alert"
        );
        assert_eq!(alerts[0]["labels"]["incident"], number);
        let ends = |alert: &Value| alert["endsAt"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
        let last = ends(alerts.last().unwrap());
        let ahead = alerts.iter().map(ends).max().unwrap();
        assert!(last < ahead, "the last that is told is the end: {last}, {ahead}");
    }
}
