use std::collections::HashMap;
use std::sync::Mutex;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::engine::fleet::Fleet;
use crate::engine::settings::Settings;
use crate::engine::wire::{Decoder, Limits};

type Seen = Arc<Mutex<HashMap<(String, u64, u64), u32>>>;

/// Takes reports of any device, acknowledges them, and hangs up after so many, the last one unacknowledged.
async fn broker(hang_up_after: u32) -> (u16, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Seen::default();
    let shared = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, Arc::clone(&shared), hang_up_after));
        }
    });
    (port, seen)
}

async fn serve(mut stream: TcpStream, seen: Seen, hang_up_after: u32) {
    let (mut input, mut decoder, mut publishes) = (bytes::BytesMut::new(), Decoder::new(Limits::default()), 0);
    while stream.read_buf(&mut input).await.is_ok_and(|read| read > 0) {
        while let Ok(packet) = rumqttc::Packet::read(&mut input, 1 << 20) {
            let answer = match packet {
                rumqttc::Packet::Connect(_) => vec![0x20, 2, 0, 0],
                rumqttc::Packet::Publish(publish) => {
                    let device = publish.topic.split('/').nth(2).unwrap();
                    if publish.topic.ends_with("/report") {
                        let report = decoder.report(device, &publish.payload).unwrap();
                        *seen.lock().unwrap().entry((device.to_owned(), report.boot, report.seq)).or_default() += 1;
                    }
                    publishes += 1;
                    if publishes > hang_up_after {
                        return;
                    }
                    [vec![0x40, 2], publish.pkid.to_be_bytes().to_vec()].concat()
                }
                _ => return,
            };
            if stream.write_all(&answer).await.is_err() {
                return;
            }
        }
    }
}

fn config(port: u16) -> LoadConfig {
    let target = Target { host: "127.0.0.1".into(), port, root: "utm".into(), credentials: None };
    LoadConfig {
        connections: 3,
        devices: 40,
        count: 5_001,
        form: PayloadForm::Mixed,
        window: 100,
        ..LoadConfig::new(target)
    }
}

async fn load(config: LoadConfig) -> LoadOutcome {
    let (_stop, shutdown) = watch::channel(false);
    let loading = run(config, Clock::system(), Arc::new(Progress::default()), shutdown);
    tokio::time::timeout(Duration::from_secs(60), loading).await.expect("the load ends").unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_report_is_valid_and_arrives_once() {
    let (port, seen) = broker(u32::MAX).await;
    let outcome = load(config(port)).await;
    assert_eq!((outcome.sent, outcome.acked, outcome.resent, outcome.failures), (5_001, 5_001, 0, 0));
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 5_001);
    assert!(seen.values().all(|&times| times == 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_connections_cost_repetitions_and_no_report() {
    let (port, seen) = broker(700).await;
    let outcome = load(config(port)).await;
    assert_eq!((outcome.sent, outcome.acked), (5_001, 5_001));
    assert!(outcome.failures > 0 && outcome.resent > 0, "{outcome}");
    assert_eq!(seen.lock().unwrap().len(), 5_001);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rate_is_kept() {
    let (port, _) = broker(u32::MAX).await;
    let outcome = load(LoadConfig { rate: Some(2_000.0), count: 1_000, ..config(port) }).await;
    assert_eq!(outcome.acked, 1_000);
    assert!(outcome.elapsed >= Duration::from_millis(490), "never faster: {outcome}");
}

#[tokio::test]
async fn a_load_without_a_shape_is_refused() {
    let refused = async |config| {
        let (_stop, shutdown) = watch::channel(false);
        run(config, Clock::system(), Arc::default(), shutdown).await.unwrap_err().to_string()
    };
    let good = config(1);
    assert!(refused(LoadConfig { connections: 0, ..good.clone() }).await.contains("at least one connection"));
    assert!(refused(LoadConfig { connections: 41, ..good.clone() }).await.contains("no more connections than devices"));
    assert!(refused(LoadConfig { rate: Some(f64::NAN), ..good.clone() }).await.contains("positive rate"));
    assert!(refused(LoadConfig { rate: Some(50_000.0), ..good }).await.contains("at least 50 devices"));
}

/// The server takes a boot whose wall clock makes it look late for a backlog, and its reports into minutes that are closed.
#[test]
fn a_report_of_the_load_belongs_to_the_minute_in_which_it_is_sent() {
    let config = config(0);
    let epoch = Timestamp::from_ms(1_795_305_600_000);
    let scenario = SimulationConfig::new(Scenario::Quiet, epoch);
    let simulation = Simulation::new(SimulationConfig { devices: config.devices, ..scenario });
    let fleet = Fleet::new(&Settings::default());
    let mut decoder = Decoder::new(Limits::default());
    for index in 0..config.devices {
        let mut loaded = Loaded::new(&config, &simulation, index, 7);
        let now = epoch.plus_ms(i64::from(index) * 7_000);
        let birth = decoder.status(&loaded.id, &loaded.birth(now)).unwrap();
        fleet.status(&loaded.id, birth, false, now).unwrap();
        let identity = loaded.claim(LEAST + 5_000, now).unwrap();
        let report = decoder.report(&loaded.id, loaded.template.patched(identity)).unwrap();
        let admitted = fleet.report(&loaded.id, report, now.plus_ms(3)).unwrap();
        assert!(
            now.plus_ms(3).since_ms(admitted.minute.start()) < 60_000 + 4,
            "{} in {:?}",
            loaded.id,
            admitted.minute
        );
    }
}
