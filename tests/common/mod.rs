//! Helpers of the integration tests: a sink that remembers, a bare MQTT client, Debian's mosquitto, PostgreSQL and pgbouncer on
//! free ports, and a
//! disk that fails.
#![allow(dead_code, reason = "each test binary uses its own part of the helpers")]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests are tests")]

pub mod disk;
pub mod mosquitto;
pub mod pgbouncer;
pub mod postgres;
pub mod proxy;
pub mod raw;
pub mod running;
pub mod sink;

use std::time::Duration;

use fleetwatch::clock;

/// Waits until `condition` holds, at most `limit`; says `what` was missing otherwise.
pub async fn until(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) {
    let start = clock::monotonic();
    while !condition() {
        assert!(start.elapsed() < limit, "not within {limit:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
