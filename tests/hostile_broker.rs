//! A broker that lies, stalls and talks nonsense: the collector stays alive, says what is wrong, and tries again
//! without haste.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use common::raw::{packet, publish};
use common::running::Ingest;
use common::sink::TestSink;
use common::until;
use fleetwatch::delivery::DurableSink;
use fleetwatch::ingest::{self, DownReason, IngestConfig, IngestCounters, IngestError, ReconnectPolicy, SessionState};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

const SOON: Duration = Duration::from_secs(20);
const CONNACK: [u8; 4] = [0x20, 2, 0, 0];

/// Answers CONNECT and SUBSCRIBE like a broker and then says `script(n)` on the n-th connection, which it closes when
/// `close` says so.
async fn liar(script: impl Fn(u64) -> Vec<u8> + Send + Sync + 'static, suback: [u8; 2], close: bool) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let script = Arc::new(script);
    tokio::spawn(async move {
        let count = AtomicU64::new(0);
        while let Ok((mut stream, _)) = listener.accept().await {
            let said = script(count.fetch_add(1, Ordering::Relaxed));
            tokio::spawn(async move {
                // Whoever is lied to may leave at any point.
                let _ = speak(&mut stream, suback, &said).await;
                if !close {
                    let mut rest = [0; 4_096];
                    while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {}
                }
            });
        }
    });
    address
}

async fn speak(stream: &mut TcpStream, suback: [u8; 2], said: &[u8]) -> std::io::Result<()> {
    assert_eq!(read_packet(stream).await?.0 >> 4, 1, "CONNECT");
    stream.write_all(&CONNACK).await?;
    let (first, body) = read_packet(stream).await?;
    assert_eq!(first >> 4, 8, "SUBSCRIBE");
    stream.write_all(&packet(0x90, &[body[0], body[1], suback[0], suback[1]])).await?;
    stream.write_all(said).await
}

async fn read_packet(stream: &mut TcpStream) -> std::io::Result<(u8, Vec<u8>)> {
    let first = stream.read_u8().await?;
    // What the collector sends here is short enough for one byte, or two.
    let mut length = usize::from(stream.read_u8().await?);
    if length >= 128 {
        length = length - 128 + 128 * usize::from(stream.read_u8().await?);
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok((first, body))
}

fn config(address: SocketAddr) -> IngestConfig {
    IngestConfig { host: address.ip().to_string(), port: address.port(), ..IngestConfig::default() }
}

fn value(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

#[tokio::test(flavor = "multi_thread")]
async fn lengths_that_lie_and_packets_that_are_too_long_are_named_and_not_read() {
    let good = publish("utm/v1/B-1/report", b"good", 1, false);
    let claimed = [&good[..], &[0x32, 0xFF, 0xFF, 0xFF, 0x7F]].concat();
    let real = publish("utm/v1/B-1/report", &vec![b'x'; 20 << 20], 2, false);
    for said in [claimed, [good, real].concat()] {
        let address = liar(move |_| said.clone(), [1, 1], false).await;
        let sink = TestSink::prompt();
        let mut ingest = Ingest::start(config(address), &sink);
        let too_large =
            |state: &SessionState| matches!(state, SessionState::Down { reason: DownReason::PacketTooLarge, .. });
        ingest.state_is("down for a packet's size", too_large).await;
        // What came before it was taken all the same, each time it came.
        until("five attempts", SOON, || value(&ingest.counters.connects) >= 5).await;
        assert_eq!(sink.distinct(), 1);
        // The delays double, so the attempts of the next seconds are few.
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(value(&ingest.counters.connects) < 20, "{}", value(&ingest.counters.connects));
        assert_eq!(value(&ingest.counters.takeovers), 0, "we closed it ourselves");
        ingest.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_ends_a_connection_and_a_broker_that_recovers_is_served() {
    let mut state = 0x5EED_u64;
    let mut noise = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut lines: Vec<Vec<u8>> = (0..8).map(|_| (0..200).map(|_| noise() as u8).collect()).collect();
    // Acknowledgements nobody asked for, and a PUBLISH whose topic is longer than the packet.
    lines.extend([vec![0x40, 2, 0, 9], vec![0x32, 4, 0xFF, 0xFF, 0, 1], vec![0x62, 2, 0, 9], vec![0x20, 2, 0, 0]]);
    let attempts = lines.len() as u64;
    let good = publish("utm/v1/B-1/report", b"at last", 1, false);
    let script = move |n: u64| lines.get(n as usize).cloned().unwrap_or_else(|| good.clone());
    let address = liar(script, [1, 1], false).await;
    let sink = TestSink::prompt();
    // Noise may also look like the start of something long: the answer to a ping is missed then.
    let reconnect = ReconnectPolicy { longest: Duration::from_millis(100), ..ReconnectPolicy::default() };
    let config = IngestConfig { keep_alive: Duration::from_secs(1), reconnect, ..config(address) };
    let mut ingest = Ingest::start(config, &sink);
    until("the good one", Duration::from_secs(60), || sink.distinct() == 1).await;
    assert!(value(&ingest.counters.connects) > attempts);
    ingest.state_is("up", |state| state.is_up()).await;
    ingest.stop().await;
}

/// Its answer to a ping would stand behind all that it has queued for us: it sends messages, and never comes to the answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_too_busy_to_answer_pings_keeps_its_session_as_long_as_it_sends_messages() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let pings = Arc::new(AtomicU64::new(0));
    let (seen, silent) = (Arc::clone(&pings), Arc::new(AtomicU64::new(0)));
    let is_silent = Arc::clone(&silent);
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        speak(&mut stream, [1, 1], &[]).await.unwrap();
        let (mut read, mut write) = stream.into_split();
        tokio::spawn(async move {
            let mut bytes = [0; 512];
            while let Ok(count @ 1..) = read.read(&mut bytes).await {
                // PINGREQ is C0 00; acknowledgements are 40 02 and a small number.
                seen.fetch_add(bytes[..count].iter().filter(|byte| **byte == 0xC0).count() as u64, Ordering::Relaxed);
            }
        });
        let mut every = tokio::time::interval(Duration::from_millis(100));
        for id in 1..=150_u16 {
            every.tick().await;
            if is_silent.load(Ordering::Relaxed) == 0 {
                write.write_all(&publish("utm/v1/B-1/report", &id.to_be_bytes(), id, false)).await.unwrap();
            }
        }
    });
    let sink = TestSink::prompt();
    let mut ingest = Ingest::start(IngestConfig { keep_alive: Duration::from_secs(1), ..config(address) }, &sink);
    until("four pings without an answer", SOON, || value(&pings) >= 4).await;
    assert_eq!(value(&ingest.counters.disconnects), 0, "what it sends is a sign of life");
    // One that sends nothing at all has gone.
    silent.store(1, Ordering::Relaxed);
    let gone = |state: &SessionState| matches!(state, SessionState::Down { reason: DownReason::PingTimeout, .. });
    ingest.state_is("down for want of an answer", gone).await;
    ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_subscriptions_are_seen() {
    for suback in [[1, 0x80], [1, 0], [0x80, 0x80]] {
        let address = liar(|_| Vec::new(), suback, false).await;
        let mut ingest = Ingest::start(config(address), &TestSink::prompt());
        let refused =
            |state: &SessionState| matches!(state, SessionState::Down { reason: DownReason::SubscriptionRefused, .. });
        ingest.state_is("down for its subscription", refused).await;
        assert!(value(&ingest.counters.subscriptions_refused) > 0);
        ingest.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_hangs_up_at_once_is_taken_for_a_rival_and_left_alone() {
    let address = liar(|_| Vec::new(), [1, 1], true).await;
    let mut ingest = Ingest::start(config(address), &TestSink::prompt());
    ingest.state_is("taken over", |state| matches!(state, SessionState::TakenOver { .. })).await;
    let before = value(&ingest.counters.connects);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(value(&ingest.counters.connects), before, "the first pause is 3.75 s at least");
    ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_nobody_answers_on_is_named() {
    // Bound and not accepting: the connection is made by the kernel, and nothing answers.
    let silent = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let mut ingest = Ingest::start(config(silent.local_addr().unwrap()), &TestSink::prompt());
    let timeout = |state: &SessionState| matches!(state, SessionState::Down { reason: DownReason::Timeout, .. });
    ingest.state_is("down for the time", timeout).await;
    ingest.stop().await;

    let free = TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap();
    let mut ingest = Ingest::start(config(free), &TestSink::prompt());
    let unreachable =
        |state: &SessionState| matches!(state, SessionState::Down { reason: DownReason::Unreachable, .. });
    ingest.state_is("unreachable", unreachable).await;
    ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_journal_has_ended_ingest_ends_too() {
    let good = publish("utm/v1/B-1/report", b"good", 1, false);
    let address = liar(move |_| good.clone(), [1, 1], false).await;
    let sink = TestSink::held();
    let (durable, watched) = watch::channel(0);
    let counters = Arc::new(IngestCounters::default());
    let (state, _state) = watch::channel(SessionState::Connecting);
    let (_stop, stopped) = watch::channel(false);
    let intake = DurableSink::new(Arc::clone(&sink) as _, watched);
    let running = tokio::spawn(ingest::run(config(address), intake, counters, state, stopped));
    until("the message", SOON, || sink.taken() == 1).await;
    drop(durable);
    let ended = tokio::time::timeout(SOON, running).await.expect("it ends").unwrap();
    assert!(matches!(ended, Err(IngestError::JournalEnded)));
}

#[tokio::test]
async fn settings_out_of_range_are_refused_before_anything_is_tried() {
    let bad = [
        IngestConfig { host: String::new(), ..IngestConfig::default() },
        IngestConfig { client_id: String::new(), ..IngestConfig::default() },
        IngestConfig { connections: 0, ..IngestConfig::default() },
        IngestConfig { connections: 17, ..IngestConfig::default() },
        IngestConfig { window: 0, ..IngestConfig::default() },
        IngestConfig { keep_alive: Duration::from_millis(500), ..IngestConfig::default() },
        IngestConfig { root: "utm/#".to_owned(), ..IngestConfig::default() },
        IngestConfig { max_packet: 0, ..IngestConfig::default() },
    ];
    for config in bad {
        let ended = Ingest::start(config, &TestSink::prompt()).ended().await;
        assert!(matches!(ended, Err(IngestError::Config(_))));
    }
}
