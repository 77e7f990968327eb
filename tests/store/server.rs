//! What is PostgreSQL's own: the server that is away, closed, silent, strange, or killed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use fleetwatch::clock::Clock;
use fleetwatch::engine::effect::Change;
use fleetwatch::incident::Incident;
use fleetwatch::record::incident::{IncidentAppend, IncidentStore};
use fleetwatch::record::outbox::Outbox;
use fleetwatch::record::{EventStore, StoreError};
use fleetwatch::store::{Location, Postgres, Server, Store, Submitted, Writer};
use sqlx::AssertSqlSafe;
use tokio::net::TcpListener;

use crate::common::postgres::{PASSWORD, Postgres as Installed, SOON};
use crate::incidents::{noted, opened};
use crate::outbox::message;
use crate::place::{Place, USER, client, make, reach};
use crate::record::record;
use crate::sample::{EVENT, NOW, history};
use crate::writer::{quick, reach as until};

async fn refusal(server: Server) -> StoreError {
    let error = Postgres::open(&server).await.expect_err("it is refused");
    let told = format!("{error} {server} {server:?} {:?}", Location::Server(server.clone()));
    assert!(!told.contains(PASSWORD) && !told.contains("hunter2"), "{told}");
    error
}

#[tokio::test]
async fn what_is_wrong_with_the_server_is_said_in_words() {
    let Some(server) = Installed::shared() else { return };
    make(server, "words").await;
    let url = server.url(USER, "words");
    let error = refusal(Server::new(&url, Some("hunter2")).unwrap()).await;
    assert_eq!(error.reason(), "denied");
    assert!(error.to_string().contains("store.password_file") && error.to_string().contains(USER), "{error}");

    let error = refusal(reach(server, "nowhere")).await;
    assert_eq!(error.reason(), "no_database");
    assert!(error.to_string().contains("createdb"), "{error}");

    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = refusal(Server::new(&format!("postgres://f@{nobody}/f"), Some(PASSWORD)).unwrap()).await;
    assert_eq!(error.reason(), "away");
    assert!(error.to_string().contains(&nobody.to_string()) && error.to_string().contains("store.url"), "{error}");

    let error = Server::new("postgres://f:hunter2@h:port/f", None).unwrap_err();
    assert_eq!(error.reason(), "unsuitable");
    assert!(!error.to_string().contains("hunter2"), "{error}");

    let mut admin = client(server, "postgres", "postgres").await;
    sqlx::raw_sql(
        "CREATE DATABASE latin OWNER fleetwatch ENCODING 'LATIN1' LOCALE 'C' LOCALE_PROVIDER 'libc' TEMPLATE template0",
    )
    .execute(&mut admin)
    .await
    .unwrap();
    let error = refusal(reach(server, "latin")).await;
    assert_eq!(error.reason(), "unsuitable");
    assert!(error.to_string().contains("--encoding UTF8"), "{error}");
}

#[tokio::test]
async fn a_database_that_may_not_be_written_is_unwritable_and_can_be_read() {
    let Some(server) = Installed::shared() else { return };
    make(server, "strict").await;
    let store = Postgres::open(&reach(server, "strict")).await.unwrap();
    store.append(&history(), NOW).await.unwrap();
    store.close().await;
    let mut admin = client(server, "postgres", "postgres").await;
    sqlx::raw_sql("ALTER DATABASE strict SET default_transaction_read_only = on").execute(&mut admin).await.unwrap();
    let error = refusal(reach(server, "strict")).await;
    assert_eq!(error.reason(), "unwritable");
    assert!(error.to_string().contains("primary"), "{error}");
    let reader = Postgres::open_to_read(&reach(server, "strict")).await.unwrap();
    assert_eq!(record(&reader).await.changes.len(), history().len());

    // Another's database: nothing may be made in it.
    sqlx::raw_sql("CREATE DATABASE others TEMPLATE template0").execute(&mut admin).await.unwrap();
    let error = refusal(reach(server, "others")).await;
    assert_eq!(error.reason(), "unwritable");
    assert!(error.to_string().contains("owner"), "{error}");
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_away_and_keeps_nobody() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgres://f@{}/f", silent.local_addr().unwrap());
    let error = refusal(Server::new(&url, Some(PASSWORD)).unwrap()).await;
    assert_eq!(error.reason(), "away");
    assert!(error.to_string().contains("no answer"), "{error}");
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_ended_by_the_server() {
    let Some(place) = Place::database().await else { return };
    let store = place.open().await;
    let mut other = place.client().await;
    other
        .run(
            "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); RETURN NEW; END $$; \
             CREATE TRIGGER slow BEFORE INSERT ON event FOR EACH ROW EXECUTE FUNCTION slow()",
        )
        .await
        .unwrap();
    assert_eq!(store.append(&history()[..1], NOW).await.unwrap_err().reason(), "busy");
    other.run("DROP TRIGGER slow ON event").await.unwrap();
    assert_eq!(store.append(&history(), NOW).await.unwrap().written, history().len(), "nothing of it was left");
}

#[tokio::test]
async fn a_full_disk_is_full_and_a_failed_commit_writes_nothing() {
    let Some(place) = Place::database().await else { return };
    let store = place.open().await;
    let mut other = place.client().await;
    // As the server says it, at the latest moment at which it can: with the commit.
    other
        .run(
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$; \
             CREATE CONSTRAINT TRIGGER full_disk AFTER INSERT ON event DEFERRABLE INITIALLY DEFERRED \
             FOR EACH ROW EXECUTE FUNCTION full_disk()",
        )
        .await
        .unwrap();
    assert_eq!(store.append(&history(), NOW).await.unwrap_err().reason(), "full");
    assert_eq!(store.event(EVENT).await.unwrap(), None);
    other.run("DROP TRIGGER full_disk ON event").await.unwrap();
    assert_eq!(store.append(&history(), NOW).await.unwrap().written, history().len());
}

/// Every change of a night of many events.
fn night() -> Vec<Change> {
    let events = (0..40).map(|number| format!("E-{number:02}"));
    events
        .flat_map(|event_id| history().into_iter().map(move |change| Change { event_id: event_id.clone(), ..change }))
        .collect()
}

async fn assert_whole(store: &dyn Store, changes: &[Change]) {
    let mut expected = fleetwatch::record::derive::Records::default();
    changes.iter().for_each(|change| expected.note(change));
    for expected in expected.iter() {
        let found = store.event(&expected.event.event_id).await.unwrap().expect("it is on record");
        assert_eq!(found.event, expected.event);
        assert_eq!(found.devices, expected.devices);
        let kept: Vec<&Change> = found.changes.iter().map(|entry| &entry.change).collect();
        assert_eq!(
            kept,
            expected.changes.iter().map(|entry| &entry.change).collect::<Vec<_>>(),
            "none missing, none twice"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_while_it_is_written_to_loses_nothing_and_doubles_nothing() {
    let Some(mut server) = Installed::own() else { return };
    make(&server, "crash").await;
    let store = Arc::new(Postgres::open(&reach(&server, "crash")).await.unwrap());
    let writer = Writer::start(Arc::clone(&store) as Arc<dyn EventStore>, Clock::scaled(NOW, 1.0), quick(10_000));
    let changes = night();
    // Each time it is killed in the middle of what is on its way, and started again.
    for part in changes.chunks(changes.len().div_ceil(4)) {
        let settled = writer.state().borrow().settled;
        for change in part {
            assert_eq!(writer.submit(change.clone()), Submitted::Queued);
        }
        until(&writer, "some are written", |state| state.settled > settled).await;
        server.kill();
        until(&writer, "it is noticed", |state| state.failing.is_some() || state.pending() == 0).await;
        server.start_again();
    }
    until(&writer, "all are written", |state| state.pending() == 0).await;
    assert!(writer.state().borrow().failures > 0, "the kills were felt");
    assert_eq!(writer.close(SOON).await, 0);
    assert_whole(&*store, &changes).await;
    let before = store.event("E-07").await.unwrap();
    store.rebuild().await.unwrap();
    assert_eq!(store.event("E-07").await.unwrap(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_process_that_serves_us_is_killed_and_the_record_goes_on() {
    let Some(server) = Installed::own() else { return };
    make(&server, "crash").await;
    let store = Arc::new(Postgres::open(&reach(&server, "crash")).await.unwrap());
    let writer = Writer::start(Arc::clone(&store) as Arc<dyn EventStore>, Clock::scaled(NOW, 1.0), quick(10_000));
    let changes = night();
    // A kill may fall between two writes, and is not felt then: once more, and what is on record already is known.
    let mut kills = 0;
    while writer.state().borrow().failures == 0 {
        assert!(kills < 20, "no kill was felt");
        kills += 1;
        let settled = writer.state().borrow().settled;
        for change in &changes {
            assert_eq!(writer.submit(change.clone()), Submitted::Queued);
        }
        until(&writer, "some are written", |state| state.settled > settled).await;
        // The server then throws out everybody, and recovers from its log.
        let backends = server.backends();
        assert!(!backends.is_empty());
        for pid in backends {
            let pid = rustix::process::Pid::from_raw(pid).unwrap();
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
        until(&writer, "all are written", |state| state.pending() == 0).await;
    }
    assert_eq!(writer.close(SOON).await, 0);
    assert_whole(&*store, &changes).await;
}

#[tokio::test]
async fn a_server_that_is_restarted_is_away_meanwhile_and_then_simply_there_again() {
    let Some(mut server) = Installed::own() else { return };
    make(&server, "restart").await;
    let store = Postgres::open(&reach(&server, "restart")).await.unwrap();
    store.append(&history(), NOW).await.unwrap();
    server.stop();
    let started = fleetwatch::clock::monotonic();
    let changes = history();
    let (written, read) = tokio::join!(store.append(&changes, NOW), store.event(EVENT));
    for error in [written.unwrap_err(), read.unwrap_err()] {
        assert_eq!(error.reason(), "away", "{error}");
    }
    assert!(started.elapsed() < Duration::from_secs(20), "a page does not wait for ever");
    server.start_again();
    assert_eq!(record(&store).await.changes.len(), history().len());
    assert_eq!(store.append(&history(), NOW).await.unwrap().known, history().len());
}

#[tokio::test]
async fn a_connection_whose_transaction_was_given_up_is_not_used_again() {
    let Some(place) = Place::database().await else { return };
    let store = place.open().await;
    // A future that is dropped in the middle, as by a request that is cut off.
    for _ in 0..20 {
        let changes = history();
        let cut = tokio::time::timeout(Duration::from_millis(3), store.append(&changes, NOW)).await;
        if cut.is_ok() {
            break;
        }
    }
    assert!(store.append(&history(), NOW).await.is_ok());
    assert_eq!(record(&*store).await.changes.len(), history().len());
    let Place::Database { server, name } = &place else { unreachable!() };
    let mut admin = client(server, "postgres", "postgres").await;
    let open =
        format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}' AND state LIKE 'idle in transaction%'");
    let open: i64 = sqlx::query_scalar(AssertSqlSafe(open)).fetch_one(&mut admin).await.unwrap();
    assert_eq!(open, 0);
}

/// Of each entry and its message: both, or none, and once, however often the server dies while they are written.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_there_if_and_only_if_what_it_follows_from_is() {
    let Some(mut server) = Installed::own() else { return };
    make(&server, "life").await;
    let store = Arc::new(Postgres::open(&reach(&server, "life")).await.unwrap());
    let written = Arc::new(AtomicU64::new(0));
    let enough = Arc::new(AtomicBool::new(false));
    let failures = Arc::new(AtomicU64::new(0));
    let (writing, count, stop) = (Arc::clone(&store), Arc::clone(&written), Arc::clone(&enough));
    let felt = Arc::clone(&failures);
    let life = tokio::spawn(async move {
        let mut events = vec![opened(EVENT, "INC-0001", 0, &[3])];
        // It writes all the time, so that no kill falls into a pause.
        while !stop.load(Ordering::Acquire) {
            let expected = events.len() as u64 - 1;
            let after = Incident::of(&events).unwrap().summary();
            let messages = [message(&format!("m-{expected}"), Some("INC-0001"), 0)];
            let newest = &events[expected as usize..];
            let append = IncidentAppend { id: EVENT, expected, events: newest, after: &after, messages: &messages };
            // As the desk does it: what could not be written is written again.
            while let Err(error) = writing.append_incidents(std::slice::from_ref(&append), NOW).await {
                assert_ne!(error.reason(), "conflict", "nobody else writes");
                felt.fetch_add(1, Ordering::Release);
            }
            count.fetch_add(1, Ordering::Release);
            events.push(noted(events.len() as i64, "a word"));
        }
        events
    });
    let mut kills = 0;
    while kills < 4 || failures.load(Ordering::Acquire) == 0 {
        assert!(kills < 40, "no kill was felt");
        kills += 1;
        let before = written.load(Ordering::Acquire);
        let more = || written.load(Ordering::Acquire) >= before + 80;
        crate::common::until("more is written", SOON, more).await;
        server.kill();
        server.start_again();
    }
    enough.store(true, Ordering::Release);
    let mut events = life.await.unwrap();
    events.pop();
    let read = store.incident(EVENT).await.unwrap().unwrap();
    let read: Vec<_> = read.events.into_iter().map(|recorded| recorded.event).collect();
    assert_eq!(read, events, "none missing, none twice");
    let mut keys: Vec<String> =
        store.due(NOW, 100_000).await.unwrap().into_iter().map(|dispatch| dispatch.key).collect();
    let mut expected: Vec<String> = (0..events.len()).map(|number| format!("m-{number}")).collect();
    keys.sort_unstable();
    expected.sort_unstable();
    assert_eq!(keys, expected);
}
