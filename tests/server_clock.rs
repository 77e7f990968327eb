//! A whole core whose server's clock is wrong at one start: nothing that was decided or learnt is touched by it, and what
//! comes after is as if that start had not been.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use common::until;
use fleetwatch::clock::Clock;
use fleetwatch::delivery::{Delivery, Outcome};
use fleetwatch::engine::time::Timestamp;
use fleetwatch::runtime::core::{Core, CoreConfig};

const SOON: Duration = Duration::from_secs(30);
/// 2026-11-30, 08:00 UTC.
const NOW: i64 = 1_796_025_600_000;
const MINUTE: i64 = 60_000;
const YEARS: i64 = 10 * 365 * 24 * 60 * MINUTE;

/// What the server's clock shows.
static WALL: AtomicI64 = AtomicI64::new(NOW);

fn wall() -> Timestamp {
    Timestamp::from_ms(WALL.load(Ordering::Relaxed))
}

async fn start(dir: &Path, shows: i64) -> Core {
    WALL.store(shows, Ordering::Relaxed);
    Core::start(CoreConfig::in_directory(dir, Clock::following(wall))).await.unwrap()
}

/// A report of a device whose own clock is right.
fn deliver(core: &Core, seq: i64, start: i64) -> Outcome {
    let payload = format!(
        r#"{{"v":1,"device":"B-1","boot":1,"seq":{seq},"uptime_ms":{},"start":{start},"period_ms":10000,
            "traffic":{{"https":{{"latency":{{"counts":[[1200,3]]}},"flows":10}}}}}}"#,
        start - NOW + 3_600_000
    );
    let delivery = Delivery { topic: "utm/v1/B-1/report", payload: payload.as_bytes(), retain: false };
    core.intake().sink.deliver(delivery)
}

/// What readiness says against the clock, once it has been looked at.
fn doubt(core: &Core) -> Option<String> {
    let latch = core.health().latches().into_iter().find(|latch| latch.name == "clock").unwrap();
    (!latch.ready && latch.reason.contains("clock")).then_some(latch.reason)
}

fn is_near(core: &Core, ms: i64) -> bool {
    core.clock().now().since_ms(Timestamp::from_ms(ms)).abs() < 10 * MINUTE
}

#[tokio::test(flavor = "multi_thread")]
async fn one_start_with_a_clock_ten_years_ahead_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let core = start(dir.path(), NOW).await;
    until("the first report", SOON, || matches!(deliver(&core, 1, NOW), Outcome::Journaled(1))).await;
    core.shutdown().await.unwrap();

    let core = start(dir.path(), NOW + YEARS).await;
    until("a word about the clock", SOON, || doubt(&core).is_some()).await;
    let told = doubt(&core).unwrap();
    assert!(told.contains("2036") && told.contains("10.0 years after the last run"), "{told}");
    // The broker keeps it; that the device's clock is right changes nothing.
    assert_eq!(deliver(&core, 2, NOW + MINUTE), Outcome::Busy);
    assert!(is_near(&core, NOW), "{:?}", core.clock().now());
    core.shutdown().await.unwrap();

    // The same once more, and the clock is mended while it runs.
    let core = start(dir.path(), NOW + YEARS).await;
    until("a word about the clock", SOON, || doubt(&core).is_some()).await;
    WALL.store(NOW + 20 * MINUTE, Ordering::Relaxed);
    until("the mended clock", SOON, || matches!(deliver(&core, 2, NOW + 20 * MINUTE), Outcome::Journaled(2))).await;
    assert!(is_near(&core, NOW + 20 * MINUTE) && doubt(&core).is_none(), "{:?}", core.clock().now());
    core.shutdown().await.unwrap();

    let core = start(dir.path(), NOW + 40 * MINUTE).await;
    until("the next report", SOON, || matches!(deliver(&core, 3, NOW + 40 * MINUTE), Outcome::Journaled(3))).await;
    assert!(is_near(&core, NOW + 40 * MINUTE) && doubt(&core).is_none());
    core.shutdown().await.unwrap();
}
