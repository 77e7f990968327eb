//! Serves the pages with a made-up fleet, to look at them while working on them:
//!
//!     cargo run --example pages -- 127.0.0.1:8090 declared

#[path = "../tests/interfaces/sample.rs"]
mod sample;
#[path = "../tests/interfaces/server.rs"]
mod server;

use fleetwatch::http::HttpConfig;
use sample::Stage;

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8090".to_owned());
    let stage = match arguments.next().as_deref() {
        None | Some("declared") => Stage::Declared,
        Some("quiet") => Stage::Quiet,
        Some("recovered") => Stage::Recovered,
        Some(minute) => Stage::Minute(minute.parse().unwrap_or(42)),
    };
    let changes = match stage {
        Stage::Declared | Stage::Recovered => [sample::near_miss(), sample::history()].concat(),
        Stage::Quiet | Stage::Minute(_) => Vec::new(),
    };
    let snapshot = sample::snapshot(1_000, stage);
    let server = server::Server::start_on(&address, snapshot, &changes, HttpConfig::default()).await;
    if arguments.next().as_deref() == Some("blind") {
        server.health.close("broker", "connection refused (os error 111)");
    }
    let _ = tokio::signal::ctrl_c().await;
    server.stop().await;
}
