//! Ingest from Debian's mosquitto, with the sample configuration of `deploy/mosquitto`: restarts, cuts, kills, rivals.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod common;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use common::mosquitto::Mosquitto;
use common::proxy::Proxy;
use common::raw::{Hello, PUBACK, Raw};
use common::running::Ingest;
use common::sink::TestSink;
use common::until;
use fleetwatch::clock;
use fleetwatch::ingest::{IngestConfig, ReconnectPolicy, SessionState};
use tokio::sync::watch;
use tokio::task::JoinHandle;

const SOON: Duration = Duration::from_secs(20);
const TOPIC: &str = "utm/v1/B-1/report";

fn config(address: SocketAddr) -> IngestConfig {
    IngestConfig { host: address.ip().to_string(), port: address.port(), ..IngestConfig::default() }
}

fn value(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// Identity of a report, as the tests write it into the payload.
fn report(seq: u64) -> Vec<u8> {
    format!("B-1,1,{seq}").into_bytes()
}

/// Sequence numbers that the sink has.
fn sequence(sink: &TestSink) -> BTreeSet<u64> {
    let number = |payload: Vec<u8>| String::from_utf8(payload).unwrap().rsplit(',').next().unwrap().parse().unwrap();
    sink.payloads(TOPIC).into_iter().map(number).collect()
}

/// A device that sends report after report, keeps each until it is acknowledged, and connects again when it must.
struct Device {
    stop: watch::Sender<bool>,
    sent: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Device {
    fn start(address: SocketAddr) -> Self {
        let (stop, stopped) = watch::channel(false);
        let sent = Arc::new(AtomicU64::new(0));
        let acked = Arc::clone(&sent);
        let task = tokio::spawn(async move {
            while !*stopped.borrow() {
                // Down, or it broke while we spoke: try again with the report that is not acknowledged.
                let _ = send_on(address, &acked, &stopped).await;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        Self { stop, sent, task }
    }

    /// Ends it and returns the number of the last acknowledged report.
    async fn stop(self) -> u64 {
        self.stop.send_replace(true);
        self.task.await.unwrap();
        value(&self.sent)
    }
}

async fn send_on(address: SocketAddr, acked: &AtomicU64, stopped: &watch::Receiver<bool>) -> std::io::Result<()> {
    let (mut raw, _, _) = Raw::try_connect(address, &Hello::new("B-1")).await?;
    while !*stopped.borrow() {
        let seq = value(acked) + 1;
        raw.publish(TOPIC, &report(seq), (seq % 60_000) as u16 + 1, false).await?;
        while raw.try_read().await?.kind() != PUBACK {}
        acked.store(seq, Ordering::Relaxed);
    }
    Ok(())
}

/// Sends reports `range` over one connection and waits for the acknowledgement of each.
async fn send(address: SocketAddr, range: std::ops::RangeInclusive<u64>) {
    let mut device = Raw::connect(address, &Hello::new("B-1")).await;
    for seq in range {
        device.deliver(TOPIC, &report(seq), (seq % 60_000) as u16 + 1).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_arrives_once_and_is_acknowledged() {
    let Some(mosquitto) = Mosquitto::start(|text| text).await else { return };
    let sink = TestSink::prompt();
    let mut ingest = Ingest::start(config(mosquitto.address()), &sink);
    ingest.up().await;
    send(mosquitto.address(), 1..=500).await;
    until("500 messages", SOON, || sink.distinct() == 500).await;
    until("500 acknowledgements", SOON, || value(&ingest.counters.acks) == 500).await;
    assert_eq!(sink.taken(), 500);
    assert_eq!(value(&ingest.counters.in_flight), 0);
    ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_the_broker_in_the_middle_of_a_stream_loses_nothing() {
    let Some(mut mosquitto) = Mosquitto::start(|text| text).await else { return };
    let sink = TestSink::prompt();
    let mut ingest = Ingest::start(config(mosquitto.address()), &sink);
    ingest.up().await;
    let device = Device::start(mosquitto.address());
    for round in 1..=5 {
        let before = value(&device.sent);
        until("the stream to flow", SOON, || value(&device.sent) > before + 100).await;
        let failures = value(&ingest.counters.connect_failures);
        mosquitto.stop().await;
        // A restart takes a moment; without one, three in a row look like a rival.
        until("the broker to be missed", SOON, || value(&ingest.counters.connect_failures) > failures).await;
        mosquitto.start_again().await;
        let back = clock::monotonic();
        until("the session to be back", SOON, || value(&ingest.counters.connects) > round && ingest.is_up()).await;
        assert!(back.elapsed() <= Duration::from_secs(5), "back only after {:?}", back.elapsed());
    }
    let sent = device.stop().await;
    until("all that was sent", SOON, || sequence(&sink).range(..=sent).count() as u64 == sent).await;
    assert!(matches!(*ingest.state.borrow(), SessionState::Up { session_present: true }));
    assert_eq!(value(&ingest.counters.takeovers), 0);
    println!("{sent} sent over 5 restarts, {} received more than once", sink.taken() - sink.distinct() as u64);
    ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_network_loses_nothing_however_much_piles_up() {
    let Some(mosquitto) = Mosquitto::start(|text| text).await else { return };
    let proxy = Proxy::start(mosquitto.address()).await;
    let sink = TestSink::prompt();
    let mut ingest = Ingest::start(config(proxy.address()), &sink);
    ingest.up().await;
    send(mosquitto.address(), 1..=100).await;
    for cut in 1..=3_u64 {
        proxy.cut();
        until("the cut to be seen", SOON, || !ingest.is_up()).await;
        // More than the 1,000 that Mosquitto would keep by default.
        send(mosquitto.address(), cut * 3_000..=cut * 3_000 + 2_999).await;
        proxy.mend();
        ingest.up().await;
    }
    until("all of it", SOON, || sequence(&sink).len() == 9_100).await;
    ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_broker_loses_is_exactly_the_gap_in_the_sequence() {
    // Nothing is saved but at a clean stop.
    let never = |text: String| common::mosquitto::replace(&text, "autosave_interval", "autosave_interval 0");
    let Some(mut mosquitto) = Mosquitto::start(never).await else { return };
    let proxy = Proxy::start(mosquitto.address()).await;
    let sink = TestSink::prompt();
    let mut ingest = Ingest::start(config(proxy.address()), &sink);
    ingest.up().await;
    send(mosquitto.address(), 1..=100).await;
    until("the first hundred", SOON, || sequence(&sink).len() == 100).await;
    proxy.cut();
    until("the cut to be seen", SOON, || !ingest.is_up()).await;
    send(mosquitto.address(), 101..=189).await;
    mosquitto.kill();
    mosquitto.start_again().await;
    proxy.mend();
    let back = clock::monotonic();
    ingest.up().await;
    assert!(back.elapsed() <= Duration::from_secs(5), "back only after {:?}", back.elapsed());
    let state = *ingest.state.borrow();
    assert!(
        matches!(state, SessionState::Up { session_present: false }),
        "not subscribed anew: {state:?} {:?}",
        ingest.counters
    );
    send(mosquitto.address(), 190..=200).await;
    until("the stream to go on", SOON, || sequence(&sink).contains(&200)).await;
    let missing: Vec<u64> = (1..=200).filter(|seq| !sequence(&sink).contains(seq)).collect();
    assert_eq!(missing, (101..=189).collect::<Vec<_>>(), "what was lost is what the sequence lacks");
    ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_killed_before_it_acknowledged_gets_it_all_again() {
    let Some(mosquitto) = Mosquitto::start(|text| text).await else { return };
    let sink = TestSink::held();
    let mut ingest = Ingest::start(config(mosquitto.address()), &sink);
    ingest.up().await;
    send(mosquitto.address(), 1..=300).await;
    until("300 taken", SOON, || sink.taken() == 300).await;
    assert_eq!(value(&ingest.counters.acks), 0, "nothing is durable, so nothing is acknowledged");
    ingest.kill().await;

    let later = TestSink::prompt();
    let mut ingest = Ingest::start(config(mosquitto.address()), &later);
    until("300 again", SOON, || later.distinct() == 300).await;
    until("300 acknowledged", SOON, || value(&ingest.counters.acks) == 300).await;
    assert_eq!(value(&ingest.counters.redeliveries), 300);
    ingest.up().await;
    ingest.stop().await;

    // Now that they were acknowledged, they do not come a third time.
    let last = TestSink::prompt();
    let mut ingest = Ingest::start(config(mosquitto.address()), &last);
    ingest.up().await;
    send(mosquitto.address(), 301..=301).await;
    until("the next one", SOON, || last.taken() > 0).await;
    assert_eq!(sequence(&last), BTreeSet::from([301]));
    ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn at_shutdown_what_becomes_durable_soon_is_still_acknowledged() {
    let Some(mosquitto) = Mosquitto::start(|text| text).await else { return };
    let sink = TestSink::held();
    let mut ingest = Ingest::start(config(mosquitto.address()), &sink);
    ingest.up().await;
    send(mosquitto.address(), 1..=50).await;
    until("50 taken", SOON, || sink.taken() == 50).await;
    let counters = Arc::clone(&ingest.counters);
    let stopping = tokio::spawn(ingest.stop());
    tokio::time::sleep(Duration::from_millis(100)).await;
    sink.release();
    stopping.await.unwrap();
    assert_eq!(value(&counters.acks), 50);
    assert_eq!(value(&counters.in_flight), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_journal_keeps_the_session_bounds_what_is_in_flight_and_loses_nothing() {
    let Some(mosquitto) = Mosquitto::start(|text| text).await else { return };
    let sink = TestSink::held();
    // The broker gives up on a client that it has not heard of for 1.5 s.
    let keep_alive = Duration::from_secs(1);
    let config = IngestConfig { window: 10, keep_alive, ..config(mosquitto.address()) };
    let mut ingest = Ingest::start(config, &sink);
    ingest.up().await;
    send(mosquitto.address(), 1..=100).await;
    until("a full window", SOON, || sink.taken() == 10).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!((sink.taken(), value(&ingest.counters.acks)), (10, 0));
    assert_eq!(value(&ingest.counters.in_flight), 10);

    // The disk is back, and the next to fail is the memory behind it.
    sink.release_for_ever();
    until("the backlog", SOON, || sink.distinct() == 100).await;
    sink.set_busy(Some("report"));
    send(mosquitto.address(), 101..=200).await;
    until("the sink to be asked", SOON, || value(&ingest.counters.busy_waits) > 0).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(sink.distinct(), 100);
    sink.set_busy(None);
    until("the rest", SOON, || sink.distinct() == 200).await;
    until("all acknowledged", SOON, || value(&ingest.counters.acks) == 200).await;
    // Reading has gone on, so the pings' answers have been seen, and the connection is the first one still.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!((value(&ingest.counters.connects), value(&ingest.counters.disconnects)), (1, 0));
    assert_eq!(sink.taken(), 200);
    ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_collectors_with_one_id_notice_and_do_not_fight_for_ever() {
    let Some(mosquitto) = Mosquitto::start(|text| text).await else { return };
    let reconnect = ReconnectPolicy {
        takeover_first: Duration::from_secs(1),
        takeover_longest: Duration::from_secs(2),
        ..ReconnectPolicy::default()
    };
    let config = IngestConfig { reconnect, ..config(mosquitto.address()) };
    let sink = TestSink::prompt();
    let mut one = Ingest::start(config.clone(), &sink);
    one.up().await;
    let mut two = Ingest::start(config, &sink);
    let device = Device::start(mosquitto.address());
    let fight = clock::monotonic();
    until("both to notice", SOON, || value(&one.counters.takeovers) > 0 && value(&two.counters.takeovers) > 0).await;
    let before = value(&one.counters.connects) + value(&two.counters.connects);
    tokio::time::sleep(Duration::from_secs(6)).await;
    let after = value(&one.counters.connects) + value(&two.counters.connects);
    // Each comes back every 0.75 s at the earliest, and every 1.5 s from its second time on.
    assert!(after - before <= 12, "{} connections in six seconds", after - before);
    println!("{before} connections until noticed, {} in the next 6 s", after - before);
    one.stop().await;
    until("the other to be alone", SOON, || two.is_up()).await;
    two.up().await;
    let sent = device.stop().await;
    until("all that was sent", SOON, || sequence(&sink).range(..=sent).count() as u64 == sent).await;
    println!("{sent} sent in {:?}, {} received twice", fight.elapsed(), sink.taken() - sink.distinct() as u64);
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_connections_share_the_reports_and_one_has_the_statuses() {
    let Some(mosquitto) = Mosquitto::start(|text| text).await else { return };
    let mut device = Raw::connect(mosquitto.address(), &Hello::new("B-1")).await;
    device.publish("utm/v1/B-1/status", b"born", 1, true).await.unwrap();
    assert_eq!(device.read().await.id(), 1);
    let sink = TestSink::prompt();
    let config = IngestConfig { connections: 3, ..config(mosquitto.address()) };
    let mut ingest = Ingest::start(config.clone(), &sink);
    ingest.up().await;
    until("three connections", SOON, || value(&ingest.counters.connects) == 3).await;
    until("the retained status", SOON, || sink.times("utm/v1/B-1/status", b"born") == 1).await;
    send(mosquitto.address(), 1..=3_000).await;
    until("all reports", SOON, || sequence(&sink).len() == 3_000).await;
    assert_eq!(sink.taken(), 3_001, "each once");
    until("all acknowledged", SOON, || value(&ingest.counters.acks) == 3_001).await;
    ingest.stop().await;

    // Nobody is there, and the broker keeps what comes.
    send(mosquitto.address(), 3_001..=6_000).await;
    let mut ingest = Ingest::start(config, &sink);
    ingest.up().await;
    until("what came meanwhile", SOON, || sequence(&sink).len() == 6_000).await;
    ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn retained_and_live_messages_are_told_apart_and_big_ones_end_at_the_broker() {
    let Some(mosquitto) = Mosquitto::start(|text| text).await else { return };
    let sink = TestSink::prompt();
    let mut ingest = Ingest::start(config(mosquitto.address()), &sink);
    ingest.up().await;
    let mut device = Raw::connect(mosquitto.address(), &Hello::new("B-1")).await;
    device.publish("utm/v1/B-1/status", b"live", 1, true).await.unwrap();
    assert_eq!(device.read().await.id(), 1);
    until("the live one", SOON, || sink.times("utm/v1/B-1/status", b"live") == 1).await;
    assert_eq!(sink.retained(), 0);
    // 20 MB: Mosquitto closes that client, and the collector never hears of it.
    let _ = device.publish("utm/v1/B-1/status", &vec![b'x'; 20 << 20], 2, true).await;
    device.closed().await;
    ingest.stop().await;

    let mut fresh = config(mosquitto.address());
    fresh.client_id = "another".to_owned();
    let mut ingest = Ingest::start(fresh, &sink);
    ingest.up().await;
    until("the retained one", SOON, || sink.times("utm/v1/B-1/status", b"live") == 2).await;
    assert_eq!(sink.retained(), 1);
    assert_eq!(value(&ingest.counters.disconnects), 0);
    ingest.stop().await;
}
