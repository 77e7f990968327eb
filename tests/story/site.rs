//! A whole site in one process: a fleet over real MQTT, the broker, the core, the pages, on a clock that runs faster.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use fleetwatch::broker::{BrokerConfig, Embedded};
use fleetwatch::clock::{self, Clock};
use fleetwatch::engine::detector::Engine;
use fleetwatch::engine::device::DeviceId;
use fleetwatch::engine::settings::Settings;
use fleetwatch::engine::time::{MINUTE_MS, Timestamp};
use fleetwatch::incident::{Command, Incident, LifeSettings, Role, Rota, RotaStep, Seat};
use fleetwatch::lab::demo::history;
use fleetwatch::lab::feed;
use fleetwatch::lab::simulation::mqtt::{self, FleetConfig, Progress, Target};
use fleetwatch::lab::simulation::{Remedy, Scenario, Simulation, SimulationConfig};
use fleetwatch::record::incident::{Contact, ContactEntry};
use fleetwatch::record::incidents::IncidentError;
use fleetwatch::runtime::core::{Core, CoreConfig};
use fleetwatch::runtime::driver::Virtual;
use fleetwatch::runtime::incidents::IncidentsConfig;
use fleetwatch::runtime::notify::{self, Delivery};
use fleetwatch::web::{self, HttpConfig};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::channels::Channels;

/// 2026-11-19 01:50 in Japan, ten minutes before the rollout.
const EPOCH: Timestamp = Timestamp::from_ms(1_795_020_600_000);
/// Fleet seconds in a real one.
const SPEED: f64 = 60.0;
/// The rule is the company's hour. What is shortened is how long a device has to be quiet after it was changed: 10 minutes
/// instead of 60, or the test would wait for them in vain.
const CLEAR_MIN: u32 = 10;
/// From this length of the streak on the fleet is real: the hour gets full over MQTT.
const HANDED_OVER_S: u64 = 57 * 60;

/// A running site.
pub struct Site {
    pub core: Core,
    pub simulation: Arc<Simulation>,
    pub address: String,
    pub progress: Arc<Progress>,
    pub channels: Channels,
    delivery: Delivery,
    broker: Embedded,
    fleet: JoinHandle<Result<(), fleetwatch::runtime::descriptors::DescriptorError>>,
    pages: JoinHandle<std::io::Result<()>>,
    stop: watch::Sender<bool>,
    _directory: tempfile::TempDir,
}

/// The fleet's two days before, and the night until shortly before the hour is full, as fast as the machine can.
fn lived(simulation: &Simulation) -> (Engine, Timestamp) {
    let max_devices = simulation.config().devices;
    let settings = Settings { max_devices, clear_min: CLEAR_MIN, ..Settings::default() };
    let learnt = history::learn(simulation, settings, &AtomicBool::new(false), |_| {});
    let mut driver = Virtual::new(learnt.expect("nobody cancels it").0);
    let mut at = EPOCH;
    loop {
        let next = at.plus_ms(MINUTE_MS);
        feed::live(&mut driver, simulation, simulation.messages(at, next), |_| ());
        driver.advance(next);
        at = next;
        let streak_s = driver.engine().snapshot().events.iter().map(|event| event.streak_s).max();
        if streak_s.is_some_and(|streak_s| streak_s >= HANDED_OVER_S) {
            return (driver.into_engine(), at);
        }
        assert!(at.since_ms(EPOCH) < 100 * MINUTE_MS, "nothing is on the clock after 100 minutes");
    }
}

fn contacts(simulation: &Simulation) -> Vec<ContactEntry> {
    let entry = |(number, profile): (usize, &fleetwatch::lab::simulation::DeviceProfile)| ContactEntry {
        device: profile.id.clone(),
        customer: Some(profile.customer.to_string()),
        branch: Some(profile.branch.to_string()),
        contact: Contact { name: Some("Hara".to_owned()), phone: Some(phone(number)), mail: None },
    };
    simulation.profiles().iter().enumerate().map(entry).collect()
}

/// The phone number on file for the device of this number.
pub fn phone(number: usize) -> String {
    format!("000-555-{number:04}")
}

fn rota() -> Rota {
    let step = |person: &str| vec![RotaStep { people: vec![person.to_owned()], timeout_min: 30 }];
    Rota([(Seat::of(Role::Commander), step("Sato")), (Seat::of(Role::DevelopmentLead), step("Suzuki"))].into())
}

impl Site {
    /// The night of the guilty update, shortly before the hour is full.
    pub async fn before_the_hour(devices: u32) -> Self {
        let simulation = Arc::new(Simulation::new(SimulationConfig {
            devices,
            branches: devices / 20,
            report_period_ms: 60_000,
            utc_offset_min: Settings::default().utc_offset_min,
            ..SimulationConfig::new(Scenario::Nightly, EPOCH)
        }));
        let (engine, at) = {
            let simulation = Arc::clone(&simulation);
            tokio::task::spawn_blocking(move || lived(&simulation)).await.unwrap()
        };
        let directory = tempfile::tempdir().unwrap();
        let mut config = CoreConfig::in_directory(directory.path(), Clock::scaled(at, SPEED));
        config.settings = engine.settings().clone();
        config.preload = Some(engine);
        config.contacts = contacts(&simulation);
        let settings = LifeSettings { clear_min: CLEAR_MIN, ..LifeSettings::default() };
        let channels = Channels::open(directory.path()).await;
        let people = notify::directory(&channels.config);
        config.incidents = IncidentsConfig { settings, rota: rota(), directory: people, ..IncidentsConfig::default() };
        let core = Core::start(config).await.unwrap();
        let delivery = channels.deliver(&core);
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let broker =
            Embedded::start(BrokerConfig { listen, ..BrokerConfig::default() }, Some(core.intake())).await.unwrap();
        core.health().open("broker");
        let (stop, stopped) = watch::channel(false);
        let listener = tokio::net::TcpListener::bind(listen).await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let mut ending = stopped.clone();
        let ended = async move { drop(ending.wait_for(|stop| *stop).await) };
        let pages = tokio::spawn(web::serve(listener, core.http_state(), HttpConfig::default(), ended));
        let mqtt = broker.local_addr();
        let target = Target { host: mqtt.ip().to_string(), port: mqtt.port(), root: "utm".into(), credentials: None };
        let settings = FleetConfig { connects_per_s: 1_000, from: Some(at), ..FleetConfig::new(target) };
        let progress = Arc::new(Progress::default());
        let running = mqtt::run(Arc::clone(&simulation), settings, core.clock(), Arc::clone(&progress), stopped);
        let fleet = tokio::spawn(running);
        Self {
            core,
            simulation,
            address,
            progress,
            channels,
            delivery,
            broker,
            fleet,
            pages,
            stop,
            _directory: directory,
        }
    }

    /// Waits until the one incident is so, at most `limit` of real time.
    pub async fn incident(&self, what: &str, limit: Duration, is_so: impl Fn(&Incident) -> bool) -> Arc<Incident> {
        let (start, incidents) = (clock::monotonic(), self.core.incidents());
        loop {
            let board = incidents.board();
            if let Some(incident) = board.incidents.first().filter(|incident| is_so(incident)) {
                return Arc::clone(incident);
            }
            if start.elapsed() > limit {
                let seen: Vec<_> =
                    board.incidents.iter().map(|incident| (incident.summary(), incident.ladder.counts())).collect();
                panic!("not within {limit:?}: {what}; {} acknowledged; {seen:?}", self.progress.acked.load(Relaxed));
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    /// What the person requests.
    pub async fn execute(&self, number: &str, by: &str, command: Command) -> Result<Arc<Incident>, IncidentError> {
        self.core.incidents().execute(number, None, command, by).await
    }

    /// The number of a device in the simulation.
    pub fn number_of(&self, device: &DeviceId) -> usize {
        self.simulation.profiles().iter().position(|profile| profile.id == *device).unwrap()
    }

    /// Does something to a device, as its customer or the updater would.
    pub fn work(&self, device: &DeviceId, remedy: Remedy) {
        self.simulation.remedies().apply(self.number_of(device) as u32, remedy, self.core.clock().now());
    }

    /// Ends in order.
    pub async fn close(self) {
        self.stop.send_replace(true);
        self.fleet.await.unwrap().unwrap();
        self.broker.shutdown().await;
        // A browser may hold a stream open; it is not waited for.
        self.pages.abort();
        self.delivery.shutdown().await;
        self.core.shutdown().await.unwrap();
    }
}
