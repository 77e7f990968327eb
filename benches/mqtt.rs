//! How fast messages of QoS 1 get in: through the embedded broker, and out of Debian's mosquitto through ingest.
//!
//! `cargo bench --bench mqtt`. The sink only remembers, and makes everything durable at once unless said otherwise, so
//! the figures are those of MQTT alone. The senders run in this process too and take their share of the CPU.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use common::mosquitto::Mosquitto;
use common::raw::{Hello, Raw};
use common::running::Ingest;
use common::until;
use fleetwatch::broker::{BrokerConfig, Embedded};
use fleetwatch::clock;
use fleetwatch::delivery::{Delivery, DurableSink, Outcome, Sink};
use fleetwatch::ingest::IngestConfig;
use tokio::sync::watch;
use tokio::task::JoinSet;

const BACKLOG: u64 = 400_000;

/// Counts, and says at once that everything is durable; or leaves that to whoever holds the other end.
#[derive(Default)]
struct Count {
    taken: AtomicU64,
    durable: watch::Sender<u64>,
    group_commit: bool,
}

impl Sink for Count {
    fn deliver(&self, _: Delivery<'_>) -> Outcome {
        let lsn = self.taken.fetch_add(1, Ordering::SeqCst) + 1;
        if !self.group_commit {
            self.durable.send_if_modified(|durable| std::mem::replace(durable, lsn.max(*durable)) < lsn);
        }
        Outcome::Journaled(lsn)
    }
}

fn main() {
    // `cargo test --benches` would run it too, and a measurement is no test.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        embedded(false).await;
        embedded(true).await;
        mosquitto().await;
    });
}

async fn embedded(group_commit: bool) {
    let how = if group_commit { "durable every 10 ms" } else { "durable at once" };
    for (connections, each) in [(1, 20_000_u32), (10, 5_000), (100, 1_000), (1_000, 200)] {
        let each = if group_commit { each.min(200) } else { each };
        let sink = Arc::new(Count { group_commit, ..Count::default() });
        let intake = DurableSink::new(Arc::clone(&sink) as _, sink.durable.subscribe());
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let broker = Embedded::start(BrokerConfig { listen, ..BrokerConfig::default() }, Some(intake)).await.unwrap();
        let mut connected = Vec::new();
        for n in 0..connections {
            connected.push(Raw::connect(broker.local_addr(), &Hello::new(&format!("B-{n}"))).await);
        }
        let begun = clock::monotonic();
        let mut devices = JoinSet::new();
        for (n, device) in connected.into_iter().enumerate() {
            devices.spawn(pour(device, format!("utm/v1/B-{n}/report"), each));
        }
        let journal = group_commit.then(|| tokio::spawn(commit(Arc::clone(&sink))));
        devices.join_all().await;
        let messages = connections * each;
        assert_eq!(sink.taken.load(Ordering::SeqCst), u64::from(messages));
        let rate = f64::from(messages) / begun.elapsed().as_secs_f64();
        println!("embedded broker, {how}: {connections} connections x {each} messages: {rate:.0}/s");
        if let Some(journal) = journal {
            journal.abort();
        }
        broker.shutdown().await;
    }
}

/// What a journal with group commit does, without the disk.
async fn commit(sink: Arc<Count>) {
    loop {
        tokio::time::sleep(Duration::from_millis(10)).await;
        sink.durable.send_replace(sink.taken.load(Ordering::SeqCst));
    }
}

/// Sends without waiting for each acknowledgement, at most 100 outstanding.
async fn pour(mut device: Raw, topic: String, messages: u32) {
    let mut acked = 0;
    for n in 0..messages {
        let payload = format!("{n:0>100}");
        device.publish(&topic, payload.as_bytes(), (n % 60_000) as u16 + 1, false).await.unwrap();
        if n >= acked + 100 {
            device.read().await;
            acked += 1;
        }
    }
    for _ in acked..messages {
        device.read().await;
    }
}

async fn mosquitto() {
    let Some(mosquitto) = Mosquitto::start(|text| text).await else { return };
    for connections in [1, 2] {
        let config = IngestConfig {
            host: mosquitto.address().ip().to_string(),
            port: mosquitto.address().port(),
            connections,
            client_id: format!("measure-{connections}"),
            ..IngestConfig::default()
        };
        let sink = Arc::new(Count::default());
        let start = |sink: &Arc<Count>| {
            let intake = DurableSink::new(Arc::clone(sink) as _, sink.durable.subscribe());
            Ingest::start_into(config.clone(), intake)
        };
        // Subscribe, go away, and let a backlog pile up in the broker.
        let mut ingest = start(&sink);
        ingest.up().await;
        ingest.stop().await;
        let mut senders = JoinSet::new();
        for n in 0..4 {
            let device = Raw::connect(mosquitto.address(), &Hello::new(&format!("B-{n}"))).await;
            senders.spawn(pour(device, format!("utm/v1/B-{n}/report"), (BACKLOG / 4) as u32));
        }
        senders.join_all().await;
        let (begun, cpu) = (clock::monotonic(), cpu_seconds());
        let ingest = start(&sink);
        let acked = || ingest.counters.acks.load(Ordering::Relaxed) >= BACKLOG;
        until("the backlog", Duration::from_secs(300), acked).await;
        assert_eq!(sink.taken.load(Ordering::SeqCst), BACKLOG);
        let rate = BACKLOG as f64 / begun.elapsed().as_secs_f64();
        let cpu = (cpu_seconds() - cpu) * 1e6 / BACKLOG as f64;
        let batch = BACKLOG as f64 / ingest.counters.ack_batches.load(Ordering::Relaxed) as f64;
        println!(
            "mosquitto, {connections} connection(s): {rate:.0}/s, {cpu:.2} us of CPU each, {batch:.0} acks a flush"
        );
        ingest.stop().await;
    }
}

/// CPU time of this process, from the kernel's own count in ticks of 10 ms.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit(')').next().unwrap();
    let fields: Vec<f64> = after_name.split_whitespace().filter_map(|field| field.parse().ok()).collect();
    // The state's letter is not a number; user and system time are then the 11th and 12th of the rest.
    (fields[10] + fields[11]) / 100.0
}
