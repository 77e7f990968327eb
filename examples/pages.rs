//! Serves the pages with a made-up fleet, to look at them while working on them:
//!
//!     cargo run --example pages -- 127.0.0.1:8090 declared
//!
//! `life` shows an incident on its second day, with its people, its ladder and a support desk.

#[path = "../tests/interfaces/desk.rs"]
mod desk;
#[path = "../tests/interfaces/life.rs"]
mod life;
#[path = "../tests/interfaces/sample.rs"]
mod sample;
#[path = "../tests/interfaces/server.rs"]
mod server;

use fleetwatch::web::HttpConfig;
use sample::Stage;

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8090".to_owned());
    let wanted = arguments.next();
    let stage = match wanted.as_deref() {
        None | Some("declared" | "life") => Stage::Declared,
        Some("quiet") => Stage::Quiet,
        Some("recovered") => Stage::Recovered,
        Some(minute) => Stage::Minute(minute.parse().unwrap_or(42)),
    };
    let is_life = wanted.as_deref() == Some("life");
    let changes = match stage {
        Stage::Declared | Stage::Recovered => [sample::near_miss(), sample::history()].concat(),
        Stage::Quiet | Stage::Minute(_) => Vec::new(),
    };
    let server = if is_life {
        let mut told = vec![life::later(life::NUMBER, &life::hit(1_000))];
        told.push(life::mustered("INC-2026-0008", &[100, 200, 400, 500]));
        told.push(life::mustered("INC-2026-0009", &[700]));
        let desk = life::desk(told, life::LATER);
        let snapshot = life::snapshot(1_000, life::LATER);
        let behind = |state: &mut fleetwatch::web::HttpState| life::behind(&desk, state);
        server::Server::start_with(&address, snapshot, &changes, HttpConfig::default(), behind).await
    } else {
        server::Server::start_on(&address, sample::snapshot(1_000, stage), &changes, HttpConfig::default()).await
    };
    if arguments.next().as_deref() == Some("blind") {
        server.health.close("broker", "connection refused (os error 111)");
    }
    let _ = tokio::signal::ctrl_c().await;
    server.stop().await;
}
