//! How long people wait for the pages of incidents: ten open ones of 1,000 devices each, on record in SQLite, asked for by several at a time.
//!
//! `cargo bench --bench pages`, or `... -- 500 8` for 500 requests of each page by 8 at a time.
//!
//! The desk is the real one: each page of an incident reads its whole record and folds it. Not criterion's: what counts is the slowest
//! of a crowd.
#![allow(clippy::print_stdout, reason = "a measurement")]
#![allow(clippy::disallowed_methods, reason = "a measurement reads the clock")]
#![allow(clippy::unwrap_used)]

#[path = "../tests/interfaces/desk.rs"]
mod desk;
#[path = "../tests/interfaces/life.rs"]
mod life;
#[path = "../tests/interfaces/sample.rs"]
mod sample;
#[path = "../tests/interfaces/server.rs"]
mod server;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use fleetwatch::clock::Clock;
use fleetwatch::record::EventStore;
use fleetwatch::record::incident::{IncidentAppend, IncidentStore};
use fleetwatch::runtime::incidents::{IncidentsConfig, LiveIncidents, Statuses};
use fleetwatch::runtime::sent_messages::SentMessages;
use fleetwatch::store::Sqlite;
use fleetwatch::web::{HttpConfig, HttpState};
use life::LATER;

const INCIDENTS: usize = 10;
const DEVICES: usize = 1_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --benches` would run it too, and a measurement is no test.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return;
    }
    let mut numbers = arguments.iter().filter_map(|argument| argument.parse::<usize>().ok());
    let (requests, crowd) = (numbers.next().unwrap_or(400), numbers.next().unwrap_or(4));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (server, events) = runtime.block_on(serve(dir.path()));
    println!(
        "{INCIDENTS} incidents of {DEVICES} devices, {events} entries of record; {requests} requests, {crowd} at a time\n"
    );
    println!("| page | KiB | p50 ms | p95 ms | p99 ms | max ms |");
    println!("|---|---|---|---|---|---|");
    let numbered = |rest: &str| (0..INCIDENTS).map(|n| format!("/incidents/{}{rest}", number(n))).collect::<Vec<_>>();
    for (name, paths) in [
        ("now", vec!["/".to_owned()]),
        ("incident", numbered("")),
        ("incident, devices of a step", numbered("?step=workaround_verified")),
        ("record", numbered("/record")),
        ("support, queue", vec!["/support".to_owned()]),
        ("support, one device", (1..=50).map(|n| format!("/support?q=B-{n:04}")).collect()),
        ("branch", (0..50).map(|n| format!("/branches/branch-{n:02}")).collect()),
        ("device", (1..=50).map(|n| format!("/devices/B-{n:04}")).collect()),
    ] {
        measure(server.address, name, &paths, (requests, crowd));
    }
    runtime.block_on(server.stop());
}

fn number(index: usize) -> String {
    format!("INC-2026-{:04}", index + 7)
}

/// The pages over a record with ten incidents on their second day.
async fn serve(dir: &std::path::Path) -> (server::Server, usize) {
    let store = Arc::new(Sqlite::open(&dir.join("cases.db")).await.unwrap());
    let devices: Vec<usize> = (1..=DEVICES).collect();
    let mut events = 0;
    for index in 0..INCIDENTS {
        let told = life::later(&number(index), &devices);
        let written: Vec<_> = told.events.iter().map(|recorded| recorded.event.clone()).collect();
        events += written.len();
        let after = told.incident.summary();
        let append =
            IncidentAppend { id: told.incident.id(), expected: 0, events: &written, after: &after, messages: &[] };
        store.append_incidents(&[append], life::at(LATER)).await.unwrap();
    }
    store.put_contacts(&life::contacts(DEVICES), life::at(0)).await.unwrap();
    let snapshot = life::snapshot(DEVICES, LATER);
    let clock = Clock::scaled(snapshot.at, 0.000_001);
    let shown = Arc::new(ArcSwap::from_pointee(snapshot.clone()));
    let lives = Arc::clone(&store) as Arc<dyn IncidentStore>;
    let record = Arc::clone(&store) as Arc<dyn EventStore>;
    let (config, statuses, told) = (IncidentsConfig::default(), Statuses::default(), SentMessages::default());
    let desk = LiveIncidents::new(config, clock, lives, record, shown, statuses, told);
    desk.take_up().await.unwrap();
    let behind = move |state: &mut HttpState| {
        state.incidents = Some(Arc::new(desk));
        state.incident_store = Some(Arc::clone(&store) as Arc<dyn IncidentStore>);
        state.outbox = Some(store);
    };
    let config = HttpConfig::default();
    (server::Server::start_with("127.0.0.1:0", snapshot, &sample::history(), config, behind).await, events)
}

fn measure(address: SocketAddr, name: &str, paths: &[String], (requests, crowd): (usize, usize)) {
    let each = |reader: usize| {
        let own = (reader..requests).step_by(crowd);
        own.map(|request| ask(address, &paths[request % paths.len()])).collect::<Vec<(Duration, usize)>>()
    };
    ask(address, &paths[0]);
    let each = &each;
    let mut taken: Vec<(Duration, usize)> = std::thread::scope(|scope| {
        let readers: Vec<_> = (0..crowd).map(|reader| scope.spawn(move || each(reader))).collect();
        readers.into_iter().flat_map(|reader| reader.join().unwrap()).collect()
    });
    taken.sort_unstable();
    let bytes = taken.iter().map(|(_, bytes)| *bytes).max().unwrap_or(0);
    let at = |share: f64| taken[((taken.len() - 1) as f64 * share).round() as usize].0.as_secs_f64() * 1e3;
    let size = bytes as f64 / 1_024.0;
    println!("| {name} | {size:.0} | {:.1} | {:.1} | {:.1} | {:.1} |", at(0.5), at(0.95), at(0.99), at(1.0));
}

/// From the connection to the last byte.
fn ask(address: SocketAddr, path: &str) -> (Duration, usize) {
    let begun = Instant::now();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert!(
        answer.starts_with(b"HTTP/1.1 200"),
        "{path}: {}",
        String::from_utf8_lossy(&answer[..answer.len().min(300)])
    );
    (begun.elapsed(), answer.len())
}
