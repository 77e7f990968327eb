//! A declaration reaches people, whatever the record does at that moment: it gets on record and is told, once by key, without a
//! restart, as soon as the record can be had again.

use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use fleetwatch::clock::{self, Clock};
use fleetwatch::engine::detector::{Engine, TICK_MS};
use fleetwatch::engine::effect::ChangeKind;
use fleetwatch::engine::fleet::Fleet;
use fleetwatch::engine::settings::Settings;
use fleetwatch::engine::time::{MINUTE_MS, Timestamp};
use fleetwatch::incident::{Action, Command, IncidentEvent};
use fleetwatch::lab::demo::history;
use fleetwatch::lab::feed;
use fleetwatch::lab::simulation::{Scenario, Simulation, SimulationConfig};
use fleetwatch::record::EventQuery;
use fleetwatch::record::incident::KeptAnswer;
use fleetwatch::record::incidents::{IncidentError, Once, VersionedCommand};
use fleetwatch::runtime::core::{Core, CoreConfig};
use fleetwatch::runtime::driver::Virtual;
use fleetwatch::runtime::incidents::IncidentsConfig;
use fleetwatch::runtime::notify::{self, Delivery};
use fleetwatch::store::{Location, Server};
use sqlx::AssertSqlSafe;

use crate::channels::Channels;
use crate::common::disk::{Disk, Fault};
use crate::common::postgres::{PASSWORD, Postgres as Installed};
use crate::place::{USER, client, make, reach};

/// 2026-11-19 01:50 in Japan, ten minutes before the rollout.
const EPOCH: Timestamp = Timestamp::from_ms(1_795_020_600_000);
const DEVICES: u32 = 12;
/// A tick every half second.
const SPEED: f64 = 20.0;
const SOON: Duration = Duration::from_secs(60);

/// The fleet's state with all that was reported, one tick before the hour is found to be full; and that tick.
fn eve() -> &'static (Vec<u8>, Timestamp) {
    static EVE: OnceLock<(Vec<u8>, Timestamp)> = OnceLock::new();
    EVE.get_or_init(|| {
        let simulation = Simulation::new(SimulationConfig {
            devices: DEVICES,
            branches: 3,
            report_period_ms: 60_000,
            utc_offset_min: Settings::default().utc_offset_min,
            ..SimulationConfig::new(Scenario::Nightly, EPOCH)
        });
        let learnt = history::learn(&simulation, settings(), &AtomicBool::new(false), |_| {});
        let mut driver = Virtual::new(learnt.expect("nobody cancels it").0);
        let (mut at, mut step) = (EPOCH, MINUTE_MS);
        loop {
            let next = at.plus_ms(step);
            feed::live(&mut driver, &simulation, simulation.messages(at, next), |_| ());
            let before = (step < MINUTE_MS).then(|| driver.engine().image());
            let changes = driver.advance(next);
            if changes.iter().any(|change| change.kind == ChangeKind::Declared) {
                return (before.expect("the hour is not full before its time"), next);
            }
            at = next;
            let streak_s = driver.engine().snapshot().events.iter().map(|event| event.streak_s).max();
            if streak_s.is_some_and(|streak_s| streak_s >= 57 * 60) {
                step = TICK_MS;
            }
            assert!(at.since_ms(EPOCH) < 120 * MINUTE_MS, "nothing is declared within two hours");
        }
    })
}

fn settings() -> Settings {
    Settings { max_devices: DEVICES, ..Settings::default() }
}

/// A core that is about to declare, and who is told.
struct Night {
    core: Core,
    channels: Channels,
    delivery: Delivery,
}

impl Night {
    /// State and record below `directory`, or the record where `store` says.
    async fn start(directory: &Path, store: Option<Location>, channels: Channels) -> Self {
        let (image, at) = eve();
        let mut engine = Engine::new(settings(), std::sync::Arc::new(Fleet::new(&settings())));
        engine.restore(image).unwrap();
        let mut config = CoreConfig::in_directory(directory, Clock::scaled(at.plus_ms(-TICK_MS), SPEED));
        config.settings = engine.settings().clone();
        config.preload = Some(engine);
        config.store = store.unwrap_or(config.store);
        config.incidents =
            IncidentsConfig { directory: notify::directory(&channels.config), ..IncidentsConfig::default() };
        let core = Core::start(config).await.unwrap();
        core.health().open("broker");
        let delivery = channels.deliver(&core);
        Self { core, channels, delivery }
    }

    /// How often the staff were told of the declaration.
    fn told(&self) -> usize {
        self.channels.told("/hook").iter().filter(|said| said["kind"] == "declared").count()
    }

    /// Waits until the hour is full: the decision is made, wherever it may be written.
    async fn declared(&self) {
        self.until("the hour is full", || {
            self.core.snapshot().load().events.iter().any(|event| event.declared_at.is_some())
        })
        .await;
    }

    async fn until(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        let start = clock::monotonic();
        while !is_so() {
            let latches = self.core.health().latches();
            assert!(
                start.elapsed() < SOON,
                "not within {SOON:?}: {what}; {latches:?}; {:#?}",
                self.channels.told("/hook")
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Why readiness says no about the record.
    fn trouble(&self) -> Option<String> {
        let latch = self.core.health().latches().into_iter().find(|latch| latch.name == "store").unwrap();
        (!latch.ready).then_some(latch.reason)
    }

    /// Waits until it is on record and told, and judges that it is so once.
    async fn is_told_once(&self) {
        self.until("the staff are told", || self.told() > 0).await;
        self.until("it is ready", || self.core.health().is_ready()).await;
        assert_eq!(self.told(), 1);
        let said = self.channels.told("/hook");
        let keys: std::collections::BTreeSet<_> = said.iter().map(|message| message["key"].to_string()).collect();
        assert_eq!(keys.len(), said.len(), "nothing is said twice: {said:#?}");
        self.is_on_record().await;
    }

    /// What the detector decided and what people work on are written one after the other.
    async fn is_on_record(&self) {
        let start = clock::monotonic();
        loop {
            let listed = self.core.store().events(EventQuery::default()).await.unwrap();
            assert!(listed.len() <= 1, "{listed:?}");
            let number = listed.first().and_then(|event| event.declared_at.and(event.number.clone()));
            let file = match number {
                Some(number) => self.core.incidents().file(&number).await.unwrap(),
                None => None,
            };
            if file.is_some_and(|file| file.incident.is_open()) {
                return;
            }
            assert!(start.elapsed() < SOON, "it is not on record: {listed:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn end(self) {
        self.delivery.shutdown().await;
        self.core.shutdown().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_operation_on_the_record_fails_the_declaration_is_told_once() {
    let Some(disk) = Disk::here("told::whatever_operation_on_the_record_fails_the_declaration_is_told_once") else {
        return;
    };
    let (mut failed, mut runs) = (0, 0);
    // A first start and a declaration take some hundred operations; the sample has all of the first and ever fewer of the later ones.
    let mut operation = 1;
    loop {
        let dir = tempfile::tempdir().unwrap();
        let channels = Channels::open(dir.path()).await;
        let record = dir.path().join("fleetwatch.sqlite");
        disk.fail(&Fault::nth(operation, record.display().to_string()));
        let night = Night::start(dir.path(), None, channels).await;
        night.is_told_once().await;
        runs += 1;
        let reached = disk.failed() > 0;
        failed += u32::from(reached);
        disk.mend();
        night.end().await;
        if !reached {
            break;
        }
        operation += 1 + operation / 4;
    }
    println!("{runs} runs, in {failed} of which an operation failed; the last one was number {operation}");
    assert!(failed >= 10, "{failed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_told_of_and_the_declaration_once_there_is_room() {
    let Some(disk) = Disk::here("told::a_full_disk_is_told_of_and_the_declaration_once_there_is_room") else { return };
    for everything in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let channels = Channels::open(dir.path()).await;
        let full = if everything { dir.path().to_owned() } else { dir.path().join("fleetwatch.sqlite") };
        let night = Night::start(dir.path(), None, channels).await;
        disk.fail(&Fault::full(full.display().to_string()));
        night.declared().await;
        night.until("readiness says so", || night.trouble().is_some_and(|why| why.contains("full"))).await;
        assert_eq!(night.told(), 0, "nothing is said that is not on record");
        assert!(!night.trouble().unwrap().contains('/'), "no path is told to strangers");
        disk.mend();
        night.is_told_once().await;
        night.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_at_the_start_is_no_reason_not_to_start() {
    let Some(disk) = Disk::here("told::a_disk_that_is_full_at_the_start_is_no_reason_not_to_start") else { return };
    let dir = tempfile::tempdir().unwrap();
    let channels = Channels::open(dir.path()).await;
    disk.fail(&Fault::full(dir.path().join("fleetwatch.sqlite").display().to_string()));
    let night = Night::start(dir.path(), None, channels).await;
    night.declared().await;
    assert!(night.trouble().is_some());
    disk.mend();
    night.is_told_once().await;
    night.end().await;
}

/// Deleted, or moved away with its neighbours.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_taken_away_is_written_anew_and_nobody_is_told_twice() {
    let dir = tempfile::tempdir().unwrap();
    let channels = Channels::open(dir.path()).await;
    let night = Night::start(dir.path(), None, channels).await;
    night.is_told_once().await;
    for ending in ["", "-wal", "-shm"] {
        let path = dir.path().join(format!("fleetwatch.sqlite{ending}"));
        std::fs::rename(&path, path.with_extension("away")).unwrap();
    }
    night.until("it is ready", || night.core.health().is_ready()).await;
    night.is_told_once().await;
    night.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_record_is_not_ready_and_goes_on_when_it_is_free() {
    let dir = tempfile::tempdir().unwrap();
    let channels = Channels::open(dir.path()).await;
    let night = Night::start(dir.path(), None, channels).await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(dir.path().join("fleetwatch.sqlite"));
    let mut other = sqlx::ConnectOptions::connect(&options).await.unwrap();
    sqlx::raw_sql("BEGIN EXCLUSIVE").execute(&mut other).await.unwrap();
    night.until("readiness says so", || night.trouble().is_some_and(|why| why.contains("locked"))).await;
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    night.is_told_once().await;
    night.end().await;
}

fn on(server: &Installed, database: &str) -> Option<Location> {
    let url = server.url(USER, database);
    Some(Location::Server(Server::new(&url, Some(PASSWORD)).unwrap()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_late_or_away_is_waited_for() {
    let Some(mut server) = Installed::own() else { return };
    make(&server, "late").await;
    server.stop();
    let dir = tempfile::tempdir().unwrap();
    let channels = Channels::open(dir.path()).await;
    let night = Night::start(dir.path(), on(&server, "late"), channels).await;
    assert!(night.trouble().is_some());
    night.declared().await;
    assert_eq!(night.told(), 0);
    server.start_again();
    night.is_told_once().await;
    // And away once more.
    server.kill();
    night.until("readiness says so", || night.trouble().is_some_and(|why| why.contains("away"))).await;
    let why = night.trouble().unwrap();
    assert!(!why.contains(USER) && !why.contains("127."), "{why}");
    server.start_again();
    night.is_told_once().await;
    night.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_comes_back_empty_is_filled_again_and_nobody_is_told_twice() {
    let Some(server) = Installed::shared() else { return };
    make(server, "emptied").await;
    let dir = tempfile::tempdir().unwrap();
    let channels = Channels::open(dir.path()).await;
    let night = Night::start(dir.path(), on(server, "emptied"), channels).await;
    night.is_told_once().await;
    let mut admin = client(server, "postgres", "postgres").await;
    sqlx::raw_sql(AssertSqlSafe("DROP DATABASE emptied WITH (FORCE)")).execute(&mut admin).await.unwrap();
    night.until("readiness says so", || night.trouble().is_some()).await;
    make(server, "emptied").await;
    night.until("it is ready", || night.core.health().is_ready()).await;
    night.is_told_once().await;
    // Whoever looks from outside sees the incident too.
    let beside = fleetwatch::store::Postgres::open_to_read(&reach(server, "emptied")).await.unwrap();
    let listed = fleetwatch::record::EventStore::events(&beside, EventQuery::default()).await.unwrap();
    assert_eq!(listed.len(), 1);
    night.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_not_let_in_or_may_not_write_is_not_ready_until_it_may() {
    let Some(server) = Installed::own() else { return };
    make(&server, "closed").await;
    let dir = tempfile::tempdir().unwrap();
    let channels = Channels::open(dir.path()).await;
    let night = Night::start(dir.path(), on(&server, "closed"), channels).await;
    night.is_told_once().await;
    let mut admin = client(&server, "postgres", "postgres").await;
    let end = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{USER}'");
    for (close, open, why) in [
        (format!("ALTER ROLE {USER} NOLOGIN"), format!("ALTER ROLE {USER} LOGIN"), "let us in"),
        (
            "ALTER DATABASE closed SET default_transaction_read_only = on".to_owned(),
            "ALTER DATABASE closed RESET default_transaction_read_only".to_owned(),
            "cannot be written",
        ),
    ] {
        for sql in [&close, &end] {
            sqlx::raw_sql(AssertSqlSafe(sql.clone())).execute(&mut admin).await.unwrap();
        }
        night.until(why, || night.trouble().is_some_and(|trouble| trouble.contains(why))).await;
        for sql in [&open, &end] {
            sqlx::raw_sql(AssertSqlSafe(sql.clone())).execute(&mut admin).await.unwrap();
        }
        night.is_told_once().await;
    }
    night.end().await;
}

/// The same request at the same time, as programs send it that got no answer.
#[tokio::test(flavor = "multi_thread")]
async fn of_wishes_under_one_key_one_is_carried_out() {
    let dir = tempfile::tempdir().unwrap();
    let channels = Channels::open(dir.path()).await;
    let night = Night::start(dir.path(), None, channels).await;
    night.is_told_once().await;
    let incidents = night.core.incidents();
    let number = incidents.board().incidents[0].number().to_owned();
    for round in 0..5_u64 {
        let once = Once {
            who: "program".to_owned(),
            key: format!("key {round}"),
            answer: std::sync::Arc::new(|incident, _| KeptAnswer {
                request: [3; 32],
                status: 200,
                body: incident.version.to_string(),
            }),
        };
        let requests = (0..8).map(|nth| {
            let (incidents, number, once) = (night.core.incidents(), number.clone(), once.clone());
            let task = tokio::spawn(async move {
                let note = Command::Note { text: "once".to_owned(), tell: false };
                incidents
                    .execute_once(&number, VersionedCommand { seen: None, command: note }, "Sato", Some(once))
                    .await
            });
            // Half of those who ask go away at once.
            if nth % 2 == 1 {
                task.abort();
            }
            task
        });
        let requests: Vec<_> = requests.collect();
        let mut done = 0;
        for request in requests {
            match request.await {
                Ok(Ok(_)) => done += 1,
                Ok(Err(IncidentError::Repeated)) | Err(_) => {}
                Ok(Err(error)) => panic!("{error}"),
            }
        }
        assert!(done <= 1, "{done} were told that theirs was carried out");
        let record = incidents.file(&number).await.unwrap().unwrap().record;
        let is_one = |event: &&IncidentEvent| matches!(&event.action, Action::Noted { text, .. } if text == "once");
        assert_eq!(record.happened().filter(is_one).count() as u64, round + 1, "once a round");
    }
    night.end().await;
}
