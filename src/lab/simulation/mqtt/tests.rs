use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Mutex;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::engine::wire::{Decoder, Limits};
use crate::lab::simulation::{Remedy, Scenario, SimulationConfig};

/// What a broker of a few lines has seen: it takes everything, acknowledges, and may hang up.
#[derive(Default)]
struct Seen {
    /// (device, boot, seq) -> how often.
    reports: BTreeMap<(String, u64, u64), u32>,
    births: BTreeSet<String>,
    wills: BTreeMap<String, u32>,
    connections: u32,
    /// What each device said last: its update, and whether a workaround is active.
    said: BTreeMap<String, (Option<String>, bool)>,
}

struct TinyBroker {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
}

impl TinyBroker {
    /// Hangs up on each connection after so many publishes, the last of them unacknowledged.
    async fn start(hang_up_after: Option<u32>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let shared = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared), hang_up_after));
            }
        });
        Self { address, seen }
    }

    fn target(&self) -> Target {
        Target { host: "127.0.0.1".into(), port: self.address.port(), root: "utm".into(), credentials: None }
    }
}

async fn serve(mut stream: TcpStream, seen: Arc<Mutex<Seen>>, hang_up_after: Option<u32>) {
    let mut input = bytes::BytesMut::new();
    let (mut client, mut publishes, mut left) = (String::new(), 0, false);
    'connection: while stream.read_buf(&mut input).await.is_ok_and(|read| read > 0) {
        while let Ok(packet) = rumqttc::Packet::read(&mut input, 1 << 20) {
            let answer = match packet {
                rumqttc::Packet::Connect(connect) => {
                    client = connect.client_id;
                    assert!(connect.last_will.is_some_and(|will| will.topic == format!("utm/v1/{client}/status")));
                    seen.lock().unwrap().connections += 1;
                    vec![0x20, 2, 0, 0]
                }
                rumqttc::Packet::Publish(publish) => {
                    note(&mut seen.lock().unwrap(), &client, &publish);
                    publishes += 1;
                    if hang_up_after.is_some_and(|limit| publishes > limit) {
                        break 'connection;
                    }
                    [vec![0x40, 2], publish.pkid.to_be_bytes().to_vec()].concat()
                }
                rumqttc::Packet::PingReq => vec![0xD0, 0],
                rumqttc::Packet::Disconnect => {
                    left = true;
                    break 'connection;
                }
                other => panic!("{other:?}"),
            };
            if stream.write_all(&answer).await.is_err() {
                break 'connection;
            }
        }
    }
    if !left {
        *seen.lock().unwrap().wills.entry(client).or_default() += 1;
    }
}

fn note(seen: &mut Seen, client: &str, publish: &rumqttc::Publish) {
    let mut decoder = Decoder::new(Limits::default());
    if publish.topic == format!("utm/v1/{client}/status") {
        let status = decoder.status(client, &publish.payload).unwrap();
        assert!(publish.retain && status.online);
        let active = status.workaround.is_some_and(|workaround| workaround.active);
        seen.said.insert(client.to_owned(), (status.update.map(|update| update.to_string()), active));
        seen.births.insert(client.to_owned());
    } else {
        assert_eq!(publish.topic, format!("utm/v1/{client}/report"));
        let report = decoder.report(client, &publish.payload).unwrap();
        *seen.reports.entry((client.to_owned(), report.boot, report.seq)).or_default() += 1;
    }
}

const EPOCH: Timestamp = Timestamp::from_ms(1_795_311_900_000);

/// Runs a fleet until it has had `acked` acknowledgements, with a deadline that only a fault reaches.
async fn run_fleet(
    broker: &TinyBroker,
    scenario: Scenario,
    speed: f64,
    acked: u64,
) -> (Arc<Simulation>, Arc<Progress>) {
    let config = SimulationConfig { devices: 12, branches: 10, ..SimulationConfig::new(scenario, EPOCH) };
    let simulation = Arc::new(Simulation::new(config));
    let (stop, shutdown) = watch::channel(false);
    let progress = Arc::new(Progress::default());
    let fleet = FleetConfig { form: PayloadForm::Mixed, ..FleetConfig::new(broker.target()) };
    let clock = Clock::scaled(EPOCH, speed);
    let task = tokio::spawn(run(Arc::clone(&simulation), fleet, clock, Arc::clone(&progress), shutdown));
    let deadline = clock::monotonic() + Duration::from_secs(60);
    while progress.acked.load(Relaxed) < acked {
        assert!(clock::monotonic() < deadline, "{progress:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    stop.send(true).unwrap();
    task.await.unwrap().unwrap();
    (simulation, progress)
}

/// The reports of each boot are consecutive: none is missing.
fn assert_complete(seen: &Seen) {
    let mut numbers: BTreeMap<(&str, u64), Vec<u64>> = BTreeMap::new();
    for (device, boot, seq) in seen.reports.keys() {
        numbers.entry((device, *boot)).or_default().push(*seq);
    }
    assert!(numbers.len() >= 12);
    for ((device, _), numbers) in numbers {
        assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{device}: {numbers:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_device_has_its_own_connection_says_its_birth_and_leaves_politely() {
    let broker = TinyBroker::start(None).await;
    let (_, progress) = run_fleet(&broker, Scenario::Quiet, 600.0, 600).await;
    let seen = broker.seen.lock().unwrap();
    assert_eq!((seen.connections, seen.births.len(), seen.wills.len()), (12, 12, 0));
    assert!(seen.reports.values().all(|&times| times == 1));
    assert_complete(&seen);
    assert_eq!((progress.connected.load(Relaxed), progress.failures.load(Relaxed)), (0, 0));
    assert_eq!(progress.sent.load(Relaxed), progress.acked.load(Relaxed), "the fleet waits for what it sent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_broken_connection_left_unacknowledged_is_sent_again_and_nothing_is_lost() {
    let broker = TinyBroker::start(Some(25)).await;
    let (_, progress) = run_fleet(&broker, Scenario::Quiet, 600.0, 900).await;
    let seen = broker.seen.lock().unwrap();
    assert!(seen.connections > 24, "{}", seen.connections);
    assert!(progress.resent.load(Relaxed) > 0 && seen.reports.values().any(|&times| times > 1));
    assert_complete(&seen);
    assert_eq!(progress.dropped.load(Relaxed), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_line_is_a_lost_connection_and_its_backlog_comes_complete() {
    let broker = TinyBroker::start(None).await;
    // 15 minutes to the rollout, 105 to the end of the cut: 20 more make every device's backlog arrive.
    let (simulation, _) = run_fleet(&broker, Scenario::Backlog, 3_600.0, 12 * 140 * 6).await;
    let cut: BTreeSet<String> = simulation
        .profiles()
        .iter()
        .zip(simulation.plans())
        .filter(|(_, plan)| !plan.cuts.is_empty())
        .map(|(profile, _)| profile.id.to_string())
        .collect();
    let seen = broker.seen.lock().unwrap();
    assert!(!cut.is_empty() && cut.len() < 12);
    assert_eq!(seen.wills.keys().cloned().collect::<BTreeSet<_>>(), cut);
    assert_complete(&seen);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_not_there_is_waited_for() {
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let config = SimulationConfig { devices: 3, ..SimulationConfig::new(Scenario::Quiet, EPOCH) };
    let target = Target { host: "127.0.0.1".into(), port: address.port(), root: "utm".into(), credentials: None };
    let (stop, shutdown) = watch::channel(false);
    let progress = Arc::new(Progress::default());
    let clock = Clock::scaled(EPOCH, 600.0);
    let simulation = Arc::new(Simulation::new(config));
    let task = tokio::spawn(run(simulation, FleetConfig::new(target), clock, Arc::clone(&progress), shutdown));
    let deadline = clock::monotonic() + Duration::from_secs(30);
    while progress.failures.load(Relaxed) < 6 {
        assert!(clock::monotonic() < deadline);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    stop.send(true).unwrap();
    task.await.unwrap().unwrap();
    assert_eq!((progress.sent.load(Relaxed), progress.connected.load(Relaxed)), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_done_to_a_running_device_is_told_at_once_and_no_other_device_tells_it() {
    let broker = TinyBroker::start(None).await;
    // In real time, a report in ten seconds: what is told within two was not waiting for one.
    let config = SimulationConfig { devices: 12, branches: 10, ..SimulationConfig::new(Scenario::Quiet, EPOCH) };
    let simulation = Arc::new(Simulation::new(config));
    let (stop, shutdown) = watch::channel(false);
    let clock = Clock::scaled(EPOCH, 1.0);
    let fleet = FleetConfig::new(broker.target());
    let progress = Arc::new(Progress::default());
    let task = tokio::spawn(run(Arc::clone(&simulation), fleet, clock, progress, shutdown));
    let id = simulation.profiles()[4].id.to_string();
    let until = async |limit_s: u64, holds: &dyn Fn(&Seen) -> bool| {
        let deadline = clock::monotonic() + Duration::from_secs(limit_s);
        while !holds(&broker.seen.lock().unwrap()) {
            assert!(clock::monotonic() < deadline, "{:?}", broker.seen.lock().unwrap().said);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    until(30, &|seen| seen.births.len() == 12).await;
    let active = |seen: &Seen| seen.said.get(&id).is_some_and(|(_, active)| *active);
    simulation.remedies().apply(4, Remedy::WorkaroundOn("WA-1".into()), clock.now());
    until(2, &|seen| active(seen)).await;
    let fix = Remedy::Fix { version: "2026.11.22".into(), reverts: true };
    simulation.remedies().apply(4, fix, clock.now());
    until(2, &|seen| !active(seen)).await;
    let said = broker.seen.lock().unwrap().said.clone();
    let fixed: Vec<_> = said.iter().filter(|(_, (update, _))| update.as_deref() == Some("2026.11.22")).collect();
    assert_eq!(fixed, [(&id, &(Some("2026.11.22".to_owned()), false))]);
    stop.send(true).unwrap();
    task.await.unwrap().unwrap();
}
