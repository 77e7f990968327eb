//! The embedded broker, over real sockets: who may do what, when it acknowledges, and what it survives.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod common;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use common::raw::{self, Hello, Raw};
use common::sink::TestSink;
use common::until;
use fleetwatch::broker::{BrokerConfig, BrokerError, Embedded, RetainedLimits, Users};
use fleetwatch::clock;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

const SOON: Duration = Duration::from_secs(15);

fn config() -> BrokerConfig {
    BrokerConfig { listen: SocketAddr::from(([127, 0, 0, 1], 0)), ..BrokerConfig::default() }
}

async fn start(sink: &Arc<TestSink>) -> Embedded {
    Embedded::start(config(), Some(sink.intake())).await.unwrap()
}

fn monitor(broker: &Embedded) -> Hello {
    Hello::new("monitor").login(broker.monitor().user, &broker.monitor().secret)
}

fn value(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// One whole exchange with a client that has nothing to do with the test's subject: the broker had its chance to act.
async fn exchange(address: SocketAddr) {
    let mut other = Raw::connect(address, &Hello::new("bystander")).await;
    other.ping().await;
    assert_eq!(other.read().await.kind(), raw::PINGRESP);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_acknowledged_only_once_it_is_durable() {
    let sink = TestSink::held();
    let broker = start(&sink).await;
    let mut device = Raw::connect(broker.local_addr(), &Hello::new("B-1")).await;
    device.publish("utm/v1/B-1/report", b"one", 1, false).await.unwrap();
    until("the sink to have it", SOON, || sink.taken() == 1).await;
    exchange(broker.local_addr()).await;
    assert!(device.is_silent(Duration::from_millis(300)).await, "acknowledged before it was durable");

    sink.release();
    let ack = device.read().await;
    assert_eq!((ack.kind(), ack.id()), (raw::PUBACK, 1));
    assert_eq!(value(&broker.counters().messages), 1);
    broker.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_does_not_become_durable_in_time_is_not_acknowledged_but_sent_again() {
    let sink = TestSink::held();
    let config = BrokerConfig { hold: Duration::from_millis(300), ..config() };
    let broker = Embedded::start(config, Some(sink.intake())).await.unwrap();
    let mut device = Raw::connect(broker.local_addr(), &Hello::new("B-1").persistent()).await;
    device.publish("utm/v1/B-1/report", b"one", 1, false).await.unwrap();
    // It ends without an acknowledgement: what it held back is not durable, and nothing else was sent.
    assert!(device.try_read().await.is_err_and(|error| error.kind() != std::io::ErrorKind::TimedOut));
    assert_eq!(value(&broker.counters().holds_expired), 1);

    sink.release_for_ever();
    let mut device = Raw::connect(broker.local_addr(), &Hello::new("B-1").persistent()).await;
    device.deliver("utm/v1/B-1/report", b"one", 1).await;
    assert_eq!(sink.times("utm/v1/B-1/report", b"one"), 2, "at least once");
    broker.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_sink_stops_the_one_connection_and_no_other() {
    let sink = TestSink::prompt();
    let broker = start(&sink).await;
    sink.set_busy(Some("B-1"));
    let mut slow = Raw::connect(broker.local_addr(), &Hello::new("B-1")).await;
    slow.publish("utm/v1/B-1/report", b"first", 1, false).await.unwrap();
    slow.publish("utm/v1/B-1/report", b"second", 2, false).await.unwrap();
    until("the sink to be asked again", SOON, || value(&broker.counters().busy_waits) > 3).await;

    let mut quick = Raw::connect(broker.local_addr(), &Hello::new("B-2")).await;
    for id in 1..=100 {
        quick.deliver("utm/v1/B-2/report", &[id as u8], id).await;
    }
    assert!(slow.is_silent(Duration::ZERO).await);
    assert!(!sink.has_topic("utm/v1/B-1/report"));

    sink.set_busy(None);
    assert_eq!(slow.read().await.id(), 1);
    assert_eq!(slow.read().await.id(), 2);
    assert_eq!(sink.payloads("utm/v1/B-1/report").len(), 2);
    broker.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_cannot_write_in_the_name_of_another() {
    let sink = TestSink::prompt();
    let broker = start(&sink).await;
    let mut reader = Raw::connect(broker.local_addr(), &monitor(&broker)).await;
    assert_eq!(reader.subscribe("#", 1).await.unwrap(), 1);
    let mut liar = Raw::connect(broker.local_addr(), &Hello::new("B-1")).await;
    let topics = ["utm/v1/B-2/report", "utm/v1/updates/1/gate", "utm/v1/B-1/report/x", "else/where"];
    for (id, topic) in (1..).zip(topics) {
        // Acknowledged and dropped, as MQTT 3.1.1 knows no refusal; another answer would bring it back for ever.
        liar.publish(topic, b"lie", id, true).await.unwrap();
        assert_eq!(liar.read().await.id(), id);
    }
    liar.deliver("utm/v1/B-1/report", b"truth", 9).await;
    assert_eq!(reader.read().await.message(), ("utm/v1/B-1/report".to_owned(), false, b"truth".to_vec()));
    assert_eq!(sink.taken(), 1);
    assert_eq!(value(&broker.counters().publishes_denied), 4);

    for filter in ["#", "utm/v1/+/report", "utm/v1/B-2/status"] {
        assert_eq!(liar.subscribe(filter, 3).await.unwrap(), 0x80, "{filter}");
    }
    for filter in ["utm/v1/B-1/#", "utm/v1/updates/+/gate"] {
        assert_eq!(liar.subscribe(filter, 4).await.unwrap(), 1, "{filter}");
    }
    assert_eq!(value(&broker.counters().subscribes_denied), 3);
    broker.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_will_may_speak_for_its_own_device_only() {
    let sink = TestSink::prompt();
    let broker = start(&sink).await;
    for topic in ["utm/v1/B-2/status", "utm/v1/B-1/report", "utm/v1/updates/1/gate", "#"] {
        let hello = Hello::new("B-1").will(topic, b"x", true);
        let (_, code, _) = Raw::try_connect(broker.local_addr(), &hello).await.unwrap();
        assert_eq!(code, 5, "{topic}");
    }
    assert_eq!(value(&broker.counters().wills_refused), 4);

    let hello = Hello::new("B-1").will("utm/v1/B-1/status", b"offline", true);
    let device = Raw::connect(broker.local_addr(), &hello).await;
    drop(device);
    until("the will", SOON, || sink.times("utm/v1/B-1/status", b"offline") == 1).await;
    assert!(!sink.has_topic("utm/v1/B-2/status"));
    // It is retained too, for whoever asks later.
    let mut reader = Raw::connect(broker.local_addr(), &monitor(&broker)).await;
    reader.subscribe("utm/v1/+/status", 1).await.unwrap();
    assert_eq!(reader.read().await.message(), ("utm/v1/B-1/status".to_owned(), true, b"offline".to_vec()));
    broker.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_birth_is_retained_replaced_and_never_overtaken_by_the_old_connections_will() {
    let sink = TestSink::prompt();
    let broker = start(&sink).await;
    let hello = Hello::new("B-1").will("utm/v1/B-1/status", b"offline", true);
    for round in 0..20_u16 {
        // The device comes back before its old connection was noticed to be dead.
        let mut old = Raw::connect(broker.local_addr(), &hello).await;
        old.publish("utm/v1/B-1/status", format!("old {round}").as_bytes(), 1, true).await.unwrap();
        assert_eq!(old.read().await.id(), 1);
        let mut new = Raw::connect(broker.local_addr(), &hello).await;
        let birth = format!("new {round}");
        new.publish("utm/v1/B-1/status", birth.as_bytes(), 1, true).await.unwrap();
        assert_eq!(new.read().await.id(), 1);
        old.closed().await;
        let mut reader = Raw::connect(broker.local_addr(), &monitor(&broker)).await;
        reader.subscribe("utm/v1/B-1/status", 1).await.unwrap();
        assert_eq!(reader.read().await.message(), ("utm/v1/B-1/status".to_owned(), true, birth.into_bytes()));
        // A clean good-bye leaves no will.
        new.send(&[0xE0, 0]).await.unwrap();
    }
    // An empty payload clears it.
    let mut device = Raw::connect(broker.local_addr(), &Hello::new("B-1")).await;
    device.publish("utm/v1/B-1/status", b"", 1, true).await.unwrap();
    assert_eq!(device.read().await.id(), 1);
    let mut reader = Raw::connect(broker.local_addr(), &monitor(&broker)).await;
    reader.subscribe("utm/v1/B-1/status", 1).await.unwrap();
    exchange(broker.local_addr()).await;
    assert!(reader.is_silent(Duration::from_millis(100)).await);
    broker.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_will_of_a_connection_that_was_stuck_and_replaced_is_not_heard() {
    let sink = TestSink::prompt();
    // Longer than the five seconds that the newcomer waits for the stuck connection to make way.
    let config = BrokerConfig { hold: Duration::from_millis(5_500), ..config() };
    let broker = Embedded::start(config, Some(sink.intake())).await.unwrap();
    sink.set_busy(Some("report"));
    let hello = Hello::new("B-1").will("utm/v1/B-1/status", b"offline", true);
    let mut stuck = Raw::connect(broker.local_addr(), &hello).await;
    stuck.publish("utm/v1/B-1/report", b"x", 1, false).await.unwrap();
    until("it to be stuck", SOON, || value(&broker.counters().busy_waits) > 0).await;
    let mut new = Raw::connect(broker.local_addr(), &hello).await;
    new.publish("utm/v1/B-1/status", b"online", 1, true).await.unwrap();
    assert_eq!(new.read().await.id(), 1);
    stuck.closed().await;
    exchange(broker.local_addr()).await;
    assert_eq!(value(&broker.counters().holds_expired), 1);
    assert_eq!(sink.payloads("utm/v1/B-1/status"), [b"online".to_vec()]);
    let mut reader = Raw::connect(broker.local_addr(), &monitor(&broker)).await;
    reader.subscribe("utm/v1/B-1/status", 1).await.unwrap();
    assert_eq!(reader.read().await.message().2, b"online");
    broker.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gates_of_updates_reach_devices_that_come_later() {
    let broker = Embedded::start(config(), None).await.unwrap();
    broker.publish_retained("utm/v1/updates/2026.11.21/gate", b"hold").await.unwrap();
    assert!(matches!(broker.publish_retained("utm/v1/updates/+/gate", b"x").await, Err(BrokerError::Topic(_))));
    let mut device = Raw::connect(broker.local_addr(), &Hello::new("B-1")).await;
    device.subscribe("utm/v1/updates/+/gate", 1).await.unwrap();
    let gate = "utm/v1/updates/2026.11.21/gate".to_owned();
    assert_eq!(device.read().await.message(), (gate.clone(), true, b"hold".to_vec()));
    broker.publish_retained(&gate, b"release").await.unwrap();
    assert_eq!(device.read().await.message(), (gate, false, b"release".to_vec()));
    broker.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_finds_room_though_devices_have_filled_all_of_theirs() {
    let retained = RetainedLimits { messages: 2, bytes: 1_000 };
    let broker = Embedded::start(BrokerConfig { retained, ..config() }, None).await.unwrap();
    for id in ["B-1", "B-2", "B-3"] {
        let mut device = Raw::connect(broker.local_addr(), &Hello::new(id)).await;
        device.publish(&format!("utm/v1/{id}/status"), b"online", 1, true).await.unwrap();
        assert_eq!(device.read().await.kind(), raw::PUBACK);
    }
    assert_eq!(value(&broker.counters().retained_refused), 1);
    let gate = "utm/v1/updates/2026.11.21/gate".to_owned();
    for word in [&b"hold"[..], b"release", b"hold"] {
        broker.publish_retained(&gate, word).await.unwrap();
    }
    assert_eq!(value(&broker.counters().retained_refused), 1, "ours is not refused");
    let mut device = Raw::connect(broker.local_addr(), &Hello::new("B-1")).await;
    device.subscribe("utm/v1/updates/+/gate", 1).await.unwrap();
    assert_eq!(device.read().await.message(), (gate, true, b"hold".to_vec()));
    broker.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_are_counted_and_no_more_are_let_in_than_there_is_room_for() {
    let broker = Embedded::start(BrokerConfig { max_connections: 3, ..config() }, None).await.unwrap();
    let mut devices = Vec::new();
    for n in 0..3 {
        devices.push(Raw::connect(broker.local_addr(), &Hello::new(&format!("B-{n}"))).await);
    }
    until("three clients", SOON, || value(&broker.counters().clients) == 3).await;
    let (_, code, _) = Raw::try_connect(broker.local_addr(), &Hello::new("B-9")).await.unwrap();
    assert_ne!(code, 0);
    assert_eq!(value(&broker.counters().connects_refused), 1);
    drop(devices);
    until("nobody", SOON, || value(&broker.counters().clients) == 0).await;
    Raw::connect(broker.local_addr(), &Hello::new("B-9")).await;
    broker.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn packets_above_the_limit_close_their_connection_and_cost_no_memory() {
    let sink = TestSink::prompt();
    let config = BrokerConfig { max_packet: 4_096, ..config() };
    let broker = Embedded::start(config, Some(sink.intake())).await.unwrap();
    let mut device = Raw::connect(broker.local_addr(), &Hello::new("B-1")).await;
    device.deliver("utm/v1/B-1/report", &[b'x'; 4_000], 1).await;
    device.publish("utm/v1/B-1/report", &[b'x'; 5_000], 2, false).await.unwrap();
    device.closed().await;
    // Lengths that are only claimed: 256 MiB in a PUBLISH, a CONNECT, and before any CONNECT.
    for _ in 0..20 {
        let mut device = Raw::connect(broker.local_addr(), &Hello::new("B-1")).await;
        device.send(&[0x32, 0xFF, 0xFF, 0xFF, 0x7F, 0, 17]).await.unwrap();
        device.closed().await;
        let mut stranger = TcpStream::connect(broker.local_addr()).await.unwrap();
        stranger.write_all(&[0x10, 0xFF, 0xFF, 0xFF, 0x7F, 0, 4, b'M', b'Q', b'T', b'T', 4, 2]).await.unwrap();
        let mut rest = Vec::new();
        // Refused with a code or simply closed; either way it ends.
        let _ = tokio::time::timeout(SOON, stranger.read_to_end(&mut rest)).await.expect("closed in time");
    }
    let mut device = Raw::connect(broker.local_addr(), &Hello::new("B-1")).await;
    device.deliver("utm/v1/B-1/report", b"fine", 3).await;
    assert_eq!(sink.taken(), 2);
    broker.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_payloads_are_acknowledged_counted_and_passed_to_nobody() {
    let sink = TestSink::prompt();
    let broker = start(&sink).await;
    let mut reader = Raw::connect(broker.local_addr(), &monitor(&broker)).await;
    reader.subscribe("utm/#", 1).await.unwrap();
    let mut device = Raw::connect(broker.local_addr(), &Hello::new("B-1")).await;
    device.publish("utm/v1/B-1/status", b"refuse this", 1, true).await.unwrap();
    assert_eq!(device.read().await.id(), 1);
    assert_eq!(value(&broker.counters().messages_refused), 1);
    device.deliver("utm/v1/B-1/status", b"fine", 2).await;
    assert_eq!(reader.read().await.message().2, b"fine");
    broker.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_loopback_it_does_not_start_without_passwords() {
    let open = SocketAddr::from(([0, 0, 0, 0], 0));
    let refused = Embedded::start(BrokerConfig { listen: open, ..config() }, None).await;
    assert!(matches!(refused, Err(BrokerError::Exposed(_))));
    let allowed = BrokerConfig { listen: open, allow_anonymous_network: true, ..config() };
    Embedded::start(allowed, None).await.unwrap().shutdown().await;
    let root = BrokerConfig { root: "u+m".to_owned(), ..config() };
    assert!(matches!(Embedded::start(root, None).await, Err(BrokerError::Root(_))));

    let taken = Embedded::start(config(), None).await.unwrap();
    let twice = BrokerConfig { listen: taken.local_addr(), ..config() };
    let Err(error @ BrokerError::Bind { .. }) = Embedded::start(twice, None).await else { panic!("bound twice") };
    assert!(error.to_string().contains(&taken.local_addr().to_string()), "{error}");
    taken.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_password_file_a_device_is_who_its_password_says() {
    // From `mosquitto_passwd -b`: B-0001 with the password "correct".
    let users = Users::parse(
        "B-0001:$7$101$yZWNEj7fqYezdgzc$Tejp2HCOuBEbj4cnUWr0NfAgYGtPvgEBs24Zk3Ky14K2fflBILycNkqRrtEGsSAcxFv6+w4tgrO5x0eousofmA==",
    );
    let config = BrokerConfig { listen: SocketAddr::from(([0, 0, 0, 0], 0)), users: users.unwrap(), ..config() };
    let broker = Embedded::start(config, None).await.unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], broker.local_addr().port()));
    let right = Hello::new("B-0001").login("B-0001", "correct");
    for bad in [
        Hello::new("B-0001"),
        Hello::new("B-0001").login("B-0001", "wrong"),
        Hello::new("B-0001").login("B-0002", "correct"),
        Hello::new("B-0002").login("B-0001", "correct"),
        Hello::new("m").login(broker.monitor().user, "guess"),
    ] {
        let (_, code, _) = Raw::try_connect(address, &bad).await.unwrap();
        assert!(code == 4 || code == 5, "{} got {code}", bad.id);
    }
    assert_eq!(value(&broker.counters().connects_refused), 5);
    Raw::connect(address, &right).await.deliver("utm/v1/B-0001/report", b"x", 1).await;
    broker.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn client_ids_are_device_ids() {
    let broker = Embedded::start(config(), None).await.unwrap();
    for bad in ["B 1", "B/1", "B+", "é", &"x".repeat(65)] {
        let (_, code, _) = Raw::try_connect(broker.local_addr(), &Hello::new(bad)).await.unwrap();
        assert_ne!(code, 0, "{bad}");
    }
    Raw::connect(broker.local_addr(), &Hello::new(&"x".repeat(64))).await;
    broker.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_persist_and_hold_messages() {
    let broker = Embedded::start(config(), None).await.unwrap();
    let hello = Hello::new("B-1").persistent();
    let mut device = Raw::connect(broker.local_addr(), &hello).await;
    device.subscribe("utm/v1/updates/+/gate", 1).await.unwrap();
    drop(device);
    for n in 0..100 {
        broker.publish_retained(&format!("utm/v1/updates/{n}/gate"), b"hold").await.unwrap();
    }
    let (mut device, code, present) = Raw::try_connect(broker.local_addr(), &hello).await.unwrap();
    assert_eq!((code, present), (0, true));
    let mut topics = std::collections::BTreeSet::new();
    while topics.len() < 100 {
        topics.insert(device.read().await.message().0);
    }
    broker.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mqtt_5_devices_are_served_too() {
    let sink = TestSink::held();
    let broker = start(&sink).await;
    let mut stream = TcpStream::connect(broker.local_addr()).await.unwrap();
    // CONNECT: level 5, clean start, keep-alive 60, no properties, client id B-5.
    let connect = raw::packet(0x10, b"\0\x04MQTT\x05\x02\0\x3C\0\0\x03B-5");
    stream.write_all(&connect).await.unwrap();
    let mut head = [0; 2];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(head[0], 0x20);
    let mut connack = vec![0; usize::from(head[1])];
    stream.read_exact(&mut connack).await.unwrap();
    assert_eq!(connack[1], 0, "{connack:?}");
    // PUBLISH at QoS 1, packet id 7, no properties.
    stream.write_all(&raw::packet(0x32, b"\0\x11utm/v1/B-5/report\0\x07\0five")).await.unwrap();
    until("the sink to have it", SOON, || sink.times("utm/v1/B-5/report", b"five") == 1).await;
    exchange(broker.local_addr()).await;
    let mut byte = [0];
    let early = tokio::time::timeout(Duration::from_millis(200), stream.peek(&mut byte)).await;
    assert!(early.is_err(), "acknowledged before it was durable");
    sink.release();
    let mut puback = [0; 4];
    stream.read_exact(&mut puback).await.unwrap();
    assert_eq!((puback[0], &puback[2..]), (0x40, &[0, 7][..]));
    broker.shutdown().await;
}

/// A small generator with a fixed seed, so that a failure can be had again.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn bytes(&mut self, most: u64) -> Vec<u8> {
        (0..self.next() % most).map(|_| self.next() as u8).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_silence_and_haste_do_not_stop_it() {
    let sink = TestSink::prompt();
    let broker = start(&sink).await;
    let address = broker.local_addr();
    let mut device = Raw::connect(address, &Hello::new("B-1")).await;
    device.deliver("utm/v1/B-1/report", b"before", 1).await;

    // Peers that connect and say nothing, or half of a CONNECT.
    let mut silent = Vec::new();
    for n in 0..200 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        if n % 2 == 0 {
            stream.write_all(b"\x10\x20\0\x04MQ").await.unwrap();
        }
        silent.push(stream);
    }
    let mut noise = Noise(0x5EED);
    for n in 0..1_000 {
        // Pure noise; noise after a good start; a good client's packets with bytes flipped.
        let mut stream = TcpStream::connect(address).await.unwrap();
        let mut bytes = match n % 3 {
            0 => noise.bytes(300),
            1 => raw::packet(0x10, b"\0\x04MQTT\x04\x02\0\x3C\0\x03B-9"),
            _ => raw::packet(0x10, b"\0\x04MQTT\x05\x02\0\x3C\0\0\x03B-9"),
        };
        if n % 3 > 0 {
            let kind = (noise.next() % 16) as u8;
            let body = noise.bytes(80);
            bytes.extend(raw::packet(kind << 4 | (noise.next() % 16) as u8, &body));
            bytes.extend(raw::publish("utm/v1/B-9/report", &noise.bytes(60), 1, false));
            for _ in 0..noise.next() % 3 {
                let place = (noise.next() % bytes.len() as u64) as usize;
                bytes[place] = noise.next() as u8;
            }
        }
        // It may be closed while we still speak.
        let _ = stream.write_all(&bytes).await;
        let _ = stream.shutdown().await;
    }
    for n in 0..300 {
        drop(Raw::connect(address, &Hello::new(&format!("hasty-{n}"))).await);
    }
    device.deliver("utm/v1/B-1/report", b"after", 2).await;
    let mut fresh = Raw::connect(address, &Hello::new("B-2")).await;
    fresh.deliver("utm/v1/B-2/report", b"new", 1).await;
    drop(silent);
    broker.shutdown().await;
}

/// Room for both ends of a thousand connections; the soft limit is often 1,024.
fn raise_descriptors() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_devices_connect_at_once_and_are_all_heard() {
    raise_descriptors();
    let sink = TestSink::prompt();
    let broker = start(&sink).await;
    let address = broker.local_addr();
    let begun = clock::monotonic();
    let mut devices = JoinSet::new();
    for n in 0..1_000 {
        devices.spawn(async move {
            let id = format!("B-{n:04}");
            let hello = Hello::new(&id).persistent().will(&format!("utm/v1/{id}/status"), b"offline", true);
            let mut device = Raw::connect(address, &hello).await;
            for seq in 1..=3 {
                device.deliver(&format!("utm/v1/{id}/report"), format!("{seq}").as_bytes(), seq).await;
            }
            device
        });
    }
    let connected = devices.join_all().await;
    assert_eq!((connected.len(), sink.distinct(), sink.taken()), (1_000, 3_000, 3_000));
    println!("1,000 connections and 3,000 reports took {:?}", begun.elapsed());
    // All gone at once: a thousand wills.
    drop(connected);
    until("a thousand wills", SOON, || value(&broker.counters().wills) == 1_000).await;
    assert_eq!(sink.distinct(), 4_000);
    broker.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_shutdown_nothing_is_delivered_and_the_port_is_free() {
    let sink = TestSink::prompt();
    let broker = start(&sink).await;
    let address = broker.local_addr();
    let mut device = Raw::connect(address, &Hello::new("B-1")).await;
    device.deliver("utm/v1/B-1/report", b"one", 1).await;
    broker.shutdown().await;
    // The write may still find room in a buffer; an answer never comes.
    let _ = device.publish("utm/v1/B-1/report", b"two", 2, false).await;
    device.closed().await;
    assert_eq!(sink.taken(), 1);
    let again = BrokerConfig { listen: address, ..config() };
    let broker = Embedded::start(again, Some(sink.intake())).await.unwrap();
    let mut device = Raw::connect(address, &Hello::new("B-1")).await;
    device.deliver("utm/v1/B-1/report", b"two", 2).await;
    broker.shutdown().await;
}
