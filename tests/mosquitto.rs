//! Ingest from Debian's mosquitto, with the sample configuration of `deploy/mosquitto`.
#![cfg(feature = "shell")]

mod common;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use common::mosquitto::Mosquitto;
use common::raw::{Hello, Raw};
use common::sink::TestSink;
use common::until;
use fleetwatch::ingest::{self, IngestConfig, IngestCounters, IngestError, SessionState};
use tokio::sync::watch;
use tokio::task::JoinHandle;

const SOON: Duration = Duration::from_secs(15);

/// A running ingest and what can be seen of it.
struct Ingest {
    counters: Arc<IngestCounters>,
    state: watch::Receiver<SessionState>,
    stop: watch::Sender<bool>,
    task: JoinHandle<Result<(), IngestError>>,
}

impl Ingest {
    fn start(config: IngestConfig, sink: &Arc<TestSink>) -> Self {
        let counters = Arc::new(IngestCounters::default());
        let (state_out, state) = watch::channel(SessionState::Connecting);
        let (stop, shutdown) = watch::channel(false);
        let task = tokio::spawn(ingest::run(config, sink.intake(), Arc::clone(&counters), state_out, shutdown));
        Self { counters, state, stop, task }
    }

    async fn up(&mut self) {
        tokio::time::timeout(SOON, self.state.wait_for(|state| state.is_up())).await.expect("up in time").unwrap();
    }

    async fn stop(self) {
        self.stop.send_replace(true);
        self.task.await.unwrap().unwrap();
    }
}

fn config(address: SocketAddr) -> IngestConfig {
    IngestConfig { port: address.port(), ..IngestConfig::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_arrives_once_and_is_acknowledged() {
    let Some(mosquitto) = Mosquitto::start(|text| text).await else { return };
    let sink = TestSink::prompt();
    let mut ingest = Ingest::start(config(mosquitto.address()), &sink);
    ingest.up().await;
    let mut device = Raw::connect(mosquitto.address(), &Hello::new("B-1")).await;
    for seq in 1..=500_u16 {
        device.deliver("utm/v1/B-1/report", format!("B-1,1,{seq}").as_bytes(), seq).await;
    }
    until("500 messages", SOON, || sink.distinct() == 500).await;
    until("500 acknowledgements", SOON, || ingest.counters.acks.load(Ordering::Relaxed) == 500).await;
    assert_eq!(sink.taken(), 500);
    assert_eq!(ingest.counters.in_flight.load(Ordering::Relaxed), 0);
    ingest.stop().await;
}
