//! What the simulated fleet costs: generating two days of history, and, against a broker, the demo's fleet and the load.
//!
//! `cargo bench --bench simulation` generates. With `FLEETWATCH_BROKER_PORT` naming a broker on this machine (Mosquitto
//! with `set_tcp_nodelay true`, say) it also runs the demo's 1,000 devices at sixty-fold speed for half a minute, and
//! sends a million reports in each encoding. Each is one long run and not a sample of many, so criterion has no part in it.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use fleetwatch::clock::{Clock, monotonic};
use fleetwatch::engine::time::Timestamp;
use fleetwatch::lab::simulation::load::{self, LoadConfig};
use fleetwatch::lab::simulation::mqtt::{self, FleetConfig, PayloadForm, Progress, Target};
use fleetwatch::lab::simulation::{Body, Scenario, Simulation, SimulationConfig};
use tokio::sync::watch;

/// 2026-11-22 01:45 UTC.
const EPOCH: Timestamp = Timestamp::from_ms(1_795_311_900_000);

fn main() {
    history();
    if let Ok(port) = std::env::var("FLEETWATCH_BROKER_PORT") {
        let target =
            Target { host: "127.0.0.1".into(), port: port.parse().unwrap(), root: "utm".into(), credentials: None };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            for form in [PayloadForm::Binary, PayloadForm::Json] {
                a_million_reports(target.clone(), form).await;
            }
            demo_fleet(target).await;
        });
    }
}

fn history() {
    let fleet = Simulation::new(SimulationConfig::new(Scenario::Nightly, EPOCH));
    let (started, cpu) = (monotonic(), cpu_s());
    let (mut messages, mut buckets) = (0, 0);
    let mut history = fleet.history(2);
    while let Some(message) = history.next() {
        messages += 1;
        if let Body::Report(report) = message.body {
            buckets += report.buckets.len();
        }
    }
    let (wall, cpu) = (started.elapsed().as_secs_f64(), cpu_s() - cpu);
    println!("history: {messages} messages, {} buckets each, {wall:.2} s, {cpu:.2} s of CPU", buckets / messages);
}

async fn a_million_reports(target: Target, form: PayloadForm) {
    let (_stop, shutdown) = watch::channel(false);
    let config = LoadConfig { form, ..LoadConfig::new(target) };
    let cpu = cpu_s();
    let outcome = load::run(config, Clock::system(), Arc::new(Progress::default()), shutdown).await.unwrap();
    println!("load {form:?}: {outcome}, {:.2} s of CPU", cpu_s() - cpu);
}

async fn demo_fleet(target: Target) {
    let simulation = Arc::new(Simulation::new(SimulationConfig::new(Scenario::Nightly, EPOCH)));
    let (stop, shutdown) = watch::channel(false);
    let progress = Arc::new(Progress::default());
    let clock = Clock::scaled(EPOCH, 60.0);
    let task = tokio::spawn(mqtt::run(simulation, FleetConfig::new(target), clock, Arc::clone(&progress), shutdown));
    tokio::time::sleep(Duration::from_secs(10)).await;
    let (cpu, sent) = (cpu_s(), progress.sent.load(Relaxed));
    tokio::time::sleep(Duration::from_secs(30)).await;
    let (cpu, sent) = (cpu_s() - cpu, progress.sent.load(Relaxed) - sent);
    stop.send(true).unwrap();
    task.await.unwrap().unwrap();
    println!("fleet: {sent} messages in 30 s, {:.1} % of a core; {progress:?}", cpu / 0.3);
}

/// User and system time of this process in seconds: fields 14 and 15 of the line, in hundredths, the name being field 2.
fn cpu_s() -> f64 {
    let line = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<_> = line[line.rfind(')').unwrap()..].split(' ').collect();
    (fields[12].parse::<f64>().unwrap() + fields[13].parse::<f64>().unwrap()) / 100.0
}
