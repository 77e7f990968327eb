//! The listener with a sample behind it.
#![allow(dead_code, clippy::unwrap_used)]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use fleetwatch::clock::Clock;
use fleetwatch::engine::effect::Change;
use fleetwatch::engine::snapshot::Snapshot;
use fleetwatch::metrics::{self, Counters, DeviceSeries, Exporter};
use fleetwatch::record::EventStore;
use fleetwatch::record::access::AccessStore;
use fleetwatch::store::Sqlite;
use fleetwatch::web::{self, Access, AccessSettings, Health, HttpConfig, HttpState, Shared};
use fleetwatch::words::Zone;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

const RECORD: &str = "incidents.db";

pub struct Server {
    pub address: SocketAddr,
    pub health: Arc<Health>,
    pub snapshot: Arc<ArcSwap<Snapshot>>,
    pub store: Arc<Sqlite>,
    /// Its file.
    pub record: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    task: tokio::task::JoinHandle<()>,
    _dir: tempfile::TempDir,
}

impl Server {
    /// Serves the snapshot and the record of `changes`, at the instant of the snapshot.
    pub async fn start(snapshot: Snapshot, changes: &[Change]) -> Self {
        Self::start_on("127.0.0.1:0", snapshot, changes, HttpConfig::default()).await
    }

    pub async fn start_on(bind: &str, snapshot: Snapshot, changes: &[Change], config: HttpConfig) -> Self {
        Self::start_with(bind, snapshot, changes, config, |_| {}).await
    }

    /// The same, with something about the state changed.
    pub async fn start_with(
        bind: &str,
        snapshot: Snapshot,
        changes: &[Change],
        config: HttpConfig,
        change: impl FnOnce(&mut HttpState),
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(open(dir.path(), changes).await);
        let record = dir.path().join(RECORD);
        // Nearly standing still: what is shown of ages is then the same in every run.
        let clock = Clock::scaled(snapshot.at.plus_ms(4_000), 0.000_001);
        let snapshot = Arc::new(ArcSwap::from_pointee(snapshot));
        let health = Arc::new(Health::new(&["broker", "journal", "decision"]));
        for latch in ["broker", "journal", "decision"] {
            health.open(latch);
        }
        let counters = Arc::new(Counters::new(&["not_json", "duplicate"]));
        let exporter = Exporter::new(counters, Arc::clone(&snapshot), clock, DeviceSeries::Full);
        let access = Access::new(Arc::clone(&store) as Arc<dyn AccessStore>, AccessSettings::default(), clock).unwrap();
        let mut state = HttpState {
            snapshot: Arc::clone(&snapshot),
            health: Arc::clone(&health),
            metrics: Arc::new(move || (metrics::CONTENT_TYPE, exporter.render())),
            store: Arc::clone(&store) as Arc<dyn EventStore>,
            access: Arc::new(access),
            gates: None,
            fleet: None,
            history: Some(Arc::new(crate::sample::Hours)),
            incidents: None,
            incident_store: None,
            shared: Shared::default(),
            outbox: None,
            channels: Arc::default(),
            settings: Arc::default(),
            clock,
            zone: Zone::default(),
        };
        change(&mut state);
        let listener = TcpListener::bind(bind).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            let stopped = async move {
                let _ = stopped.await;
            };
            web::serve(listener, state, config, stopped).await.unwrap();
        });
        Self { address, health, snapshot, store, record, stop: Some(stop), task, _dir: dir }
    }

    /// Stops gracefully; hangs when a connection keeps it from ending.
    pub async fn stop(mut self) {
        drop(self.stop.take());
        self.task.await.unwrap();
    }
}

async fn open(dir: &Path, changes: &[Change]) -> Sqlite {
    let store = Sqlite::open(&dir.join(RECORD)).await.unwrap();
    for change in changes {
        store.append(std::slice::from_ref(change), change.at.plus_ms(250)).await.unwrap();
    }
    store
}
