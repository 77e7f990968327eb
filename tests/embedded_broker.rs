//! The embedded broker, over real sockets.
#![cfg(feature = "shell")]

mod common;

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use common::raw::{self, Hello, Raw};
use common::sink::TestSink;
use common::until;
use fleetwatch::broker::{BrokerConfig, Embedded};

const SOON: Duration = Duration::from_secs(10);

fn config() -> BrokerConfig {
    BrokerConfig { listen: SocketAddr::from(([127, 0, 0, 1], 0)), ..BrokerConfig::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_acknowledged_only_once_it_is_durable() {
    let sink = TestSink::held();
    let broker = Embedded::start(config(), Some(sink.intake())).await.unwrap();
    let mut device = Raw::connect(broker.local_addr(), &Hello::new("B-1")).await;
    device.publish("utm/v1/B-1/report", b"one", 1, false).await.unwrap();
    until("the sink to have it", SOON, || sink.taken() == 1).await;

    // A whole exchange of another client goes by meanwhile: the broker had every chance to answer.
    let mut other = Raw::connect(broker.local_addr(), &Hello::new("B-2")).await;
    other.ping().await;
    assert_eq!(other.read().await.kind(), raw::PINGRESP);
    assert!(device.is_silent(Duration::from_millis(300)).await, "acknowledged before it was durable");

    sink.release();
    let ack = device.read().await;
    assert_eq!((ack.kind(), ack.id()), (raw::PUBACK, 1));
    assert_eq!(broker.counters().messages.load(Ordering::Relaxed), 1);
    broker.shutdown().await;
}
