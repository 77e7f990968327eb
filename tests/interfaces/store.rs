//! The record of incidents: append-only, idempotent, derived in one transaction, and never in the detector's way.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use fleetwatch::clock::Clock;
use fleetwatch::engine::effect::{Change, ChangeKind};
use fleetwatch::engine::gate::{DETECTOR, Decision, Gate};
use fleetwatch::engine::time::Timestamp;
use fleetwatch::record::{
    Appended, Incident, IncidentQuery, IncidentRecord, IncidentState, IncidentStore, RecordedGate, StoreError,
};
use fleetwatch::store::{Sqlite, Submitted, Writer, WriterConfig, change_key};
use proptest::prelude::*;
use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;

use crate::sample::{EVENT, NOW, change, history, id};

async fn open(dir: &Path) -> Sqlite {
    Sqlite::open(&dir.join("incidents.db")).await.unwrap()
}

async fn record(store: &Sqlite) -> IncidentRecord {
    store.incident(EVENT).await.unwrap().expect("the event is on record")
}

#[tokio::test]
async fn the_record_tells_the_incidents_whole_story() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let written = NOW.plus_ms(1_000);
    let changes = history();
    assert_eq!(store.append(&changes, written).await.unwrap(), Appended { written: changes.len(), known: 0 });

    let found = record(&store).await;
    assert_eq!(found.changes.iter().map(|entry| &entry.change).collect::<Vec<_>>(), changes.iter().collect::<Vec<_>>());
    assert!(found.changes.iter().all(|entry| entry.actor == "detector" && entry.recorded_at == written));
    assert_eq!(found.incident.number.as_deref(), Some("INC-0001"));
    assert_eq!(found.incident.state, IncidentState::Declared);
    assert_eq!(found.incident.declared_at, Some(changes[7].at));
    assert_eq!((found.incident.affected, found.incident.members), (330, 328));
    assert_eq!(found.devices.iter().filter(|member| member.left_at.is_some()).count(), 2);
    assert_eq!(store.incident("INC-0001").await.unwrap().unwrap(), found, "the number finds the same as the event id");
    assert_eq!(store.incident("INC-0002").await.unwrap(), None);
    assert_eq!(store.highest_number().await.unwrap(), 1);
}

#[tokio::test]
async fn a_second_delivery_changes_nothing_not_even_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    store.append(&history(), NOW).await.unwrap();
    let before = record(&store).await;
    store.close().await;

    let store = open(dir.path()).await;
    let again = store.append(&history(), NOW.plus_ms(60_000)).await.unwrap();
    assert_eq!(again, Appended { written: 0, known: history().len() });
    assert_eq!(record(&store).await, before);
}

#[test]
fn the_key_hangs_on_the_decision_and_not_on_its_confidence() {
    let one = change(ChangeKind::Joined, NOW, &[1, 2]);
    let mut surer = one.clone();
    surer.cause.as_mut().unwrap().confidence = 0.991;
    assert_eq!(change_key(&one), change_key(&surer));
    let mut other_suspect = one.clone();
    other_suspect.cause.as_mut().unwrap().suspect.value = "2026.11.20".to_owned();
    let mut others = vec![
        change(ChangeKind::Joined, NOW, &[1, 3]),
        change(ChangeKind::Left, NOW, &[1, 2]),
        change(ChangeKind::Joined, NOW.plus_ms(10_000), &[1, 2]),
        other_suspect,
    ];
    others.push(Change { event_id: "E-2".to_owned(), ..one.clone() });
    for other in others {
        assert_ne!(change_key(&one), change_key(&other));
    }
}

#[tokio::test]
async fn the_event_table_refuses_to_be_rewritten() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    store.append(&history(), NOW).await.unwrap();
    let options = SqliteConnectOptions::new().filename(dir.path().join("incidents.db"));
    let mut other = options.connect().await.unwrap();
    for forbidden in [
        "UPDATE event SET at_ms = 0",
        "DELETE FROM event",
        "DELETE FROM event WHERE seq = 1",
        "REPLACE INTO event SELECT * FROM event WHERE seq = 1",
        "INSERT OR REPLACE INTO event SELECT NULL, change_key, 'x', 'x', 0, 0, 'x', '{}' FROM event WHERE seq = 1",
    ] {
        let error = sqlx::query(forbidden).execute(&mut other).await.unwrap_err();
        assert!(error.to_string().contains("append-only"), "{forbidden}: {error}");
    }
    assert_eq!(record(&store).await.changes.len(), history().len());
}

#[tokio::test]
async fn a_batch_is_written_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    // The derived tables refuse one device in the middle of the batch: the events before it must go too.
    let options = SqliteConnectOptions::new().filename(dir.path().join("incidents.db"));
    let mut other = options.connect().await.unwrap();
    sqlx::query("CREATE TRIGGER fail BEFORE INSERT ON incident_device WHEN NEW.device = 'B-0009' BEGIN SELECT RAISE(ABORT, 'disk trouble'); END")
        .execute(&mut other)
        .await
        .unwrap();
    let error = store.append(&history(), NOW).await.unwrap_err();
    assert_eq!(error.reason(), "refused", "{error}");
    assert_eq!(store.incident(EVENT).await.unwrap(), None);
    sqlx::query("DROP TRIGGER fail").execute(&mut other).await.unwrap();
    assert_eq!(store.append(&history(), NOW).await.unwrap().written, history().len());
}

#[tokio::test]
async fn a_locked_database_is_busy_and_pages_still_read_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    store.append(&history()[..8], NOW).await.unwrap();
    let options = SqliteConnectOptions::new().filename(dir.path().join("incidents.db"));
    let mut other = options.connect().await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let late = history();
    let (refused, read) = tokio::join!(store.append(&late[8..], NOW), store.incident("INC-0001"));
    assert_eq!(refused.unwrap_err().reason(), "busy");
    assert_eq!(read.unwrap().unwrap().incident.affected, 330);
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    assert_eq!(store.append(&late[8..], NOW).await.unwrap().written, 1);
}

#[tokio::test]
async fn warnings_that_came_to_nothing_are_listed_on_request_only() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let faded = Change { event_id: "E-faded".to_owned(), ..change(ChangeKind::EarlyWarning, NOW, &[5]) };
    store.append(&history(), NOW).await.unwrap();
    store.append(&[faded], NOW).await.unwrap();
    store
        .append(
            &[change(ChangeKind::Recovered, NOW, &[]), change(ChangeKind::Resolved, NOW.plus_ms(3_600_000), &[])],
            NOW,
        )
        .await
        .unwrap();
    let ids = |list: Vec<Incident>| list.into_iter().map(|incident| incident.event_id).collect::<Vec<_>>();
    let query = IncidentQuery::default();
    assert_eq!(ids(store.incidents(query).await.unwrap()), [EVENT]);
    let all = store.incidents(IncidentQuery { with_warnings: true, ..query }).await.unwrap();
    assert_eq!(all.len(), 2);
    let open = store.incidents(IncidentQuery { with_warnings: true, open_only: true, ..query }).await.unwrap();
    assert_eq!(ids(open), ["E-faded"]);
    assert_eq!(
        store.incidents(IncidentQuery { with_warnings: true, limit: 1, offset: 1, ..query }).await.unwrap().len(),
        1
    );
}

#[tokio::test]
async fn an_incident_that_proved_to_be_another_is_told_with_that_one() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let numbered = |event: &str, number: &str, kind, minute: i64| Change {
        event_id: event.to_owned(),
        incident: Some(number.to_owned()),
        ..change(kind, NOW.plus_ms(minute * 60_000), &[3, 6])
    };
    let merges = |event: &str, number: &str, alias: &str, minute: i64| Change {
        aliases: vec![alias.to_owned()],
        ..numbered(event, number, ChangeKind::Joined, minute)
    };
    let changes = [
        numbered("E-1", "INC-0001", ChangeKind::Declared, 0),
        numbered("E-2", "INC-0002", ChangeKind::Declared, 1),
        numbered("E-3", "INC-0003", ChangeKind::Declared, 2),
        merges("E-2", "INC-0002", "INC-0003", 3),
        // The engine goes on with the younger event under the older number.
        Change {
            aliases: vec!["E-1".to_owned(), "INC-0002".to_owned(), "INC-0003".to_owned()],
            ..numbered("E-2", "INC-0001", ChangeKind::Joined, 4)
        },
        numbered("E-4", "INC-0004", ChangeKind::Declared, 5),
        merges("E-2", "INC-0001", "E-4", 6),
    ];
    store.append(&changes, NOW).await.unwrap();
    // Whichever number or id people have, they come to the incident that is left.
    let mut records = fleetwatch::record::derive::Records::default();
    changes.iter().for_each(|change| records.note(change));
    for id in ["INC-0001", "INC-0002", "INC-0003", "INC-0004", "E-1", "E-2", "E-3", "E-4"] {
        let found = store.incident(id).await.unwrap().unwrap().incident;
        assert_eq!((&*found.event_id, found.number.as_deref()), ("E-2", Some("INC-0001")), "{id}");
        assert_eq!(found.aliases, ["E-1", "E-4", "INC-0002", "INC-0003"]);
        assert_eq!(records.find(id).unwrap().incident, found, "{id}");
    }
    let listed = store.incidents(IncidentQuery { open_only: true, ..IncidentQuery::default() }).await.unwrap();
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert_eq!(store.highest_number().await.unwrap(), 4, "its number is not given again");
    let before = store.incident("INC-0003").await.unwrap();
    store.rebuild().await.unwrap();
    assert_eq!(store.incident("INC-0003").await.unwrap(), before);
}

#[tokio::test]
async fn a_near_miss_keeps_its_reason_until_it_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let [warned, ended] = &crate::sample::near_miss()[..] else { panic!("two changes") };
    store.append(&[warned.clone(), ended.clone()], NOW).await.unwrap();
    let found = store.incident("E-0031").await.unwrap().unwrap().incident;
    assert_eq!(found.near_miss.unwrap().length_min, 47);
    let query = IncidentQuery { with_warnings: true, ..IncidentQuery::default() };
    assert!(store.incidents(IncidentQuery { open_only: true, ..query }).await.unwrap().is_empty());
    // A time that it lies in, one that ended before it began, one that began after its last change.
    for (since, until, count) in [(-60, 0, 0), (-120, 0, 1), (-240, -121, 0), (-240, -120, 1)] {
        let minutes = |minutes: i64| Some(NOW.plus_ms(minutes * 60_000));
        let within = IncidentQuery { since: minutes(since), until: minutes(until), ..query };
        assert_eq!(store.incidents(within).await.unwrap().len(), count, "{since} to {until}");
    }
    let again = Change { at: NOW, ..warned.clone() };
    store.append(&[again], NOW).await.unwrap();
    assert_eq!(store.incident("E-0031").await.unwrap().unwrap().incident.near_miss, None);
}

#[tokio::test]
async fn a_record_derived_in_memory_is_the_one_of_the_tables() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let mut records = fleetwatch::record::derive::Records::default();
    for change in history().iter().chain(&crate::sample::near_miss()) {
        store.append(std::slice::from_ref(change), change.at).await.unwrap();
        records.note(change);
    }
    for id in ["INC-0001", EVENT, "E-0031"] {
        assert_eq!(records.find(id), store.incident(id).await.unwrap().as_ref(), "{id}");
    }
    assert!(records.find("INC-0009").is_none());
}

#[tokio::test]
async fn a_reader_takes_the_record_as_it_is_and_makes_none() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("incidents.db");
    assert!(Sqlite::open_to_read(&path).await.is_err());
    assert!(!path.exists());
    let store = open(dir.path()).await;
    store.append(&history(), NOW).await.unwrap();
    // Beside the writer, as `explain` runs beside `serve`.
    let reader = Sqlite::open_to_read(&path).await.unwrap();
    assert_eq!(reader.incident("INC-0001").await.unwrap(), store.incident("INC-0001").await.unwrap());
    assert!(reader.append(&[change(ChangeKind::Joined, NOW, &[9])], NOW).await.is_err());
    reader.close().await;
}

fn any_change() -> impl Strategy<Value = Change> {
    let kinds = prop::sample::select(vec![
        ChangeKind::EarlyWarning,
        ChangeKind::Declared,
        ChangeKind::Joined,
        ChangeKind::Left,
        ChangeKind::CauseChanged,
        ChangeKind::Recovered,
        ChangeKind::Resolved,
    ]);
    (kinds, 0..40i64, prop::collection::btree_set(1..12usize, 0..6)).prop_map(|(kind, tick, devices)| {
        change(kind, NOW.plus_ms(tick * 10_000), &devices.into_iter().collect::<Vec<_>>())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever the order and however often the changes come: what is read equals what the whole history in its order makes of it.
    #[test]
    fn the_tables_to_read_from_follow_from_the_event_table(
        changes in prop::collection::vec(any_change(), 1..25),
        repeats in prop::collection::vec(any::<prop::sample::Index>(), 0..10),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let store = open(dir.path()).await;
            for one in &changes {
                store.append(std::slice::from_ref(one), NOW).await.unwrap();
            }
            for index in repeats {
                let again = store.append(std::slice::from_ref(index.get(&changes)), NOW).await.unwrap();
                assert_eq!(again, Appended { written: 0, known: 1 });
            }
            let before = record(&store).await;
            store.rebuild().await.unwrap();
            assert_eq!(record(&store).await, before);
            let mut expected: Option<Incident> = None;
            for entry in &before.changes {
                expected = Some(match expected {
                    None => Incident::begun_by(&entry.change),
                    Some(incident) => incident.after(&entry.change),
                });
            }
            let members = before.devices.iter().filter(|member| member.left_at.is_none()).count() as u64;
            let expected = Incident { affected: before.devices.len() as u64, members, ..expected.unwrap() };
            assert_eq!(before.incident, expected);
        });
    }
}

#[tokio::test]
async fn what_is_wrong_with_the_file_is_said_in_words() {
    let dir = tempfile::tempdir().unwrap();
    let error = Sqlite::open(&dir.path().join("nowhere/incidents.db")).await.unwrap_err();
    assert_eq!(error.reason(), "no_directory");
    assert!(error.to_string().contains("nowhere"), "{error}");

    let garbage = dir.path().join("garbage.db");
    std::fs::write(&garbage, vec![0x5a; 8192]).unwrap();
    let error = Sqlite::open(&garbage).await.unwrap_err();
    assert_eq!(error.reason(), "damaged", "{error}");
    assert!(error.to_string().contains("move it away"), "{error}");

    let a_directory = dir.path().join("incidents.db");
    std::fs::create_dir(&a_directory).unwrap();
    let error = Sqlite::open(&a_directory).await.unwrap_err();
    assert_eq!(error.reason(), "unwritable", "{error}");
}

#[tokio::test]
async fn a_page_damaged_in_the_middle_is_found_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    for minute in 0..40 {
        let at = NOW.plus_ms(minute * 60_000);
        store.append(&[change(ChangeKind::Joined, at, &(1..900).collect::<Vec<_>>())], NOW).await.unwrap();
    }
    store.close().await;
    let path = dir.path().join("incidents.db");
    let mut bytes = std::fs::read(&path).unwrap();
    // The head of every page from the fourth on: the first three hold the schema.
    for page in (3..bytes.len() / 4096).step_by(2) {
        bytes[page * 4096..page * 4096 + 64].fill(0xa5);
    }
    std::fs::write(&path, &bytes).unwrap();
    let error = Sqlite::open(&path).await.unwrap_err();
    assert_eq!(error.reason(), "damaged", "{error}");
}

#[tokio::test]
async fn an_unwritable_directory_is_said_in_words() {
    let dir = tempfile::tempdir().unwrap();
    let mut locked = dir.path().join("locked");
    std::fs::create_dir(&locked).unwrap();
    std::fs::set_permissions(&locked, std::fs::Permissions::from_mode(0o555)).unwrap();
    if std::fs::write(locked.join("probe"), "x").is_ok() {
        // The superuser may write into any directory but this one.
        locked = "/proc".into();
    }
    let error = Sqlite::open(&locked.join("incidents.db")).await.unwrap_err();
    assert_eq!(error.reason(), "unwritable", "{error}");
    assert!(error.to_string().contains("owner"), "{error}");
}

#[tokio::test]
async fn a_newer_programs_database_is_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).await.close().await;
    let options = SqliteConnectOptions::new().filename(dir.path().join("incidents.db"));
    let mut other = options.connect().await.unwrap();
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'from the future', 1, x'00', 0)",
    )
    .execute(&mut other)
    .await
    .unwrap();
    let error = Sqlite::open(&dir.path().join("incidents.db")).await.unwrap_err();
    assert_eq!(error.reason(), "other_version", "{error}");
}

/// A store that fails until told otherwise, and remembers what it was given.
#[derive(Debug)]
struct Moody {
    inner: Sqlite,
    failing: AtomicBool,
    attempts: AtomicUsize,
}

#[async_trait]
impl IncidentStore for Moody {
    async fn append(&self, changes: &[Change], recorded_at: Timestamp) -> Result<Appended, StoreError> {
        self.attempts.fetch_add(1, Ordering::SeqCst);
        if self.failing.load(Ordering::SeqCst) {
            return Err(StoreError::Full);
        }
        self.inner.append(changes, recorded_at).await
    }

    async fn append_gates(&self, decisions: &[Decision], recorded_at: Timestamp) -> Result<Appended, StoreError> {
        self.attempts.fetch_add(1, Ordering::SeqCst);
        if self.failing.load(Ordering::SeqCst) {
            return Err(StoreError::Full);
        }
        self.inner.append_gates(decisions, recorded_at).await
    }

    async fn gates(&self) -> Result<Vec<RecordedGate>, StoreError> {
        self.inner.gates().await
    }

    async fn incidents(&self, query: IncidentQuery) -> Result<Vec<Incident>, StoreError> {
        self.inner.incidents(query).await
    }

    async fn incident(&self, id: &str) -> Result<Option<IncidentRecord>, StoreError> {
        self.inner.incident(id).await
    }

    async fn highest_number(&self) -> Result<u64, StoreError> {
        self.inner.highest_number().await
    }
}

async fn moody(dir: &Path, failing: bool) -> Arc<Moody> {
    let inner = open(dir).await;
    Arc::new(Moody { inner, failing: AtomicBool::new(failing), attempts: AtomicUsize::new(0) })
}

fn quick(capacity: usize) -> WriterConfig {
    WriterConfig { capacity, first_pause: Duration::from_millis(1), longest_pause: Duration::from_millis(5) }
}

async fn reach(writer: &Writer, what: &str, condition: impl Fn(&fleetwatch::store::WriterState) -> bool) {
    let mut state = writer.state();
    let reached = tokio::time::timeout(Duration::from_secs(20), state.wait_for(|state| condition(state))).await;
    assert!(reached.is_ok(), "{what}: {:?}", writer.state().borrow());
}

#[tokio::test]
async fn a_failing_database_delays_the_record_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = moody(dir.path(), true).await;
    let writer = Writer::start(Arc::clone(&store) as Arc<dyn IncidentStore>, Clock::scaled(NOW, 1.0), quick(100));
    assert!(writer.settled());
    for change in history() {
        assert_eq!(writer.submit(change), Submitted::Queued);
    }
    assert!(!writer.settled(), "a checkpoint would cut the changes off from the journal");
    reach(&writer, "several attempts", |state| state.failures >= 3).await;
    let trouble = writer.state().borrow().trouble().unwrap();
    assert!(trouble.contains("disk") && trouble.contains("9 changes"), "{trouble}");

    store.failing.store(false, Ordering::SeqCst);
    reach(&writer, "all written", |state| state.pending() == 0).await;
    assert!(writer.settled());
    assert_eq!(writer.state().borrow().trouble(), None);
    let kept: Vec<Change> = record(&store.inner).await.changes.into_iter().map(|entry| entry.change).collect();
    assert_eq!(kept, history());
    assert_eq!(writer.close(Duration::from_secs(5)).await, 0);
}

#[tokio::test]
async fn a_full_buffer_is_said_and_the_next_life_fills_the_gap() {
    let dir = tempfile::tempdir().unwrap();
    let store = moody(dir.path(), true).await;
    let writer = Writer::start(Arc::clone(&store) as Arc<dyn IncidentStore>, Clock::scaled(NOW, 1.0), quick(2));
    let mut outcomes = Vec::new();
    for change in history() {
        outcomes.push(writer.submit(change));
    }
    let overflowed = outcomes.iter().filter(|&&outcome| outcome == Submitted::Overflow).count();
    assert!(overflowed > 0 && overflowed < history().len(), "{outcomes:?}");
    store.failing.store(false, Ordering::SeqCst);
    reach(&writer, "the rest written", |state| state.pending() == 0).await;
    assert!(!writer.settled(), "changes are missing: no checkpoint may be saved in this life");
    assert!(writer.state().borrow().trouble().unwrap().contains("journal"));
    assert_eq!(writer.close(Duration::from_secs(5)).await, overflowed as u64);
    assert!(record(&store.inner).await.changes.len() < history().len());

    // The next start replays the journal from the last checkpoint, and so brings every change again.
    let writer = Writer::start(Arc::clone(&store) as Arc<dyn IncidentStore>, Clock::scaled(NOW, 1.0), quick(100));
    for change in history() {
        assert_eq!(writer.submit(change), Submitted::Queued);
    }
    assert_eq!(writer.close(Duration::from_secs(20)).await, 0);
    let found = record(&store.inner).await;
    let kept: Vec<Change> = found.changes.iter().map(|entry| entry.change.clone()).collect();
    assert_eq!(kept, history(), "none missing, none twice, in the order of their instants");
    assert_eq!((found.incident.affected, found.incident.members), (330, 328));
    assert!(found.devices.iter().any(|member| member.device == id(3) && member.left_at.is_some()));
}

#[tokio::test]
async fn closing_gives_up_on_a_dead_database_and_says_what_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let store = moody(dir.path(), true).await;
    let writer = Writer::start(Arc::clone(&store) as Arc<dyn IncidentStore>, Clock::scaled(NOW, 1.0), quick(100));
    let _ = writer.submit(history().remove(0));
    reach(&writer, "an attempt", |state| state.failures >= 1).await;
    assert_eq!(writer.close(Duration::from_millis(20)).await, 1);
    assert!(store.attempts.load(Ordering::SeqCst) >= 1);
}

fn decided(minute: i64, gate: Gate, by: &str, event: Option<&str>) -> Decision {
    Decision {
        version: "2026.11.21".to_owned(),
        gate,
        before: (by != DETECTOR).then_some(Gate::Hold),
        by: by.to_owned(),
        reason: "because".to_owned(),
        incident: None,
        event: event.map(str::to_owned),
        affected: 330,
        at: NOW.plus_ms(minute * 60_000),
    }
}

#[tokio::test]
async fn decisions_about_updates_stand_beside_the_changes_and_change_none_of_them() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    store.append(&history(), NOW).await.unwrap();
    let before = record(&store).await;
    let hold = decided(-50, Gate::Hold, DETECTOR, Some(EVENT));
    let release = decided(5, Gate::Release, "Sato", Some(EVENT));
    let alone = decided(6, Gate::Hold, "Sato", None);
    // A person's came to be written first; of one instant, it is the one that stands.
    let (same, persons) = (decided(5, Gate::Hold, DETECTOR, Some(EVENT)), release.clone());
    store.append_gates(&[alone.clone(), persons], NOW).await.unwrap();
    assert_eq!(
        store.append_gates(&[hold.clone(), same.clone()], NOW).await.unwrap(),
        Appended { written: 2, known: 0 }
    );
    let again = store.append_gates(&[hold.clone(), alone.clone()], NOW.plus_ms(9)).await.unwrap();
    assert_eq!(again, Appended { written: 0, known: 2 });

    let all: Vec<Decision> = store.gates().await.unwrap().into_iter().map(|recorded| recorded.decision).collect();
    assert_eq!(all, [hold.clone(), same.clone(), release.clone(), alone]);
    let found = record(&store).await;
    let its: Vec<&Decision> = found.gates.iter().map(|recorded| &recorded.decision).collect();
    assert_eq!(its, [&hold, &same, &release]);
    assert!(found.gates.iter().all(|recorded| recorded.recorded_at == NOW));
    assert_eq!((&found.incident, &found.devices, &found.changes), (&before.incident, &before.devices, &before.changes));
    store.rebuild().await.unwrap();
    assert_eq!(record(&store).await, found, "derived anew");

    let options = SqliteConnectOptions::new().filename(dir.path().join("incidents.db"));
    let mut other = options.connect().await.unwrap();
    let actors: Vec<String> = sqlx::query_scalar("SELECT actor FROM event WHERE kind = 'gate' ORDER BY seq")
        .fetch_all(&mut other)
        .await
        .unwrap();
    assert_eq!(actors, ["Sato", "Sato", "detector", "detector"]);
}

#[tokio::test]
async fn the_writer_keeps_changes_and_decisions_in_their_order() {
    let dir = tempfile::tempdir().unwrap();
    let store = moody(dir.path(), true).await;
    let writer = Writer::start(Arc::clone(&store) as Arc<dyn IncidentStore>, Clock::scaled(NOW, 1.0), quick(100));
    let changes = history();
    for change in &changes {
        assert_eq!(writer.submit(change.clone()), Submitted::Queued);
        assert_eq!(
            writer.submit(decided(0, Gate::Hold, &format!("n{}", change.at.as_ms()), Some(EVENT))),
            Submitted::Queued
        );
    }
    reach(&writer, "an attempt", |state| state.failures >= 1).await;
    store.failing.store(false, Ordering::SeqCst);
    reach(&writer, "all written", |state| state.pending() == 0).await;
    let found = store.incident(EVENT).await.unwrap().unwrap();
    assert_eq!((found.changes.len(), found.gates.len()), (changes.len(), changes.len()));
    for (change, gate) in found.changes.iter().zip(&found.gates) {
        assert_eq!(gate.seq, change.seq + 1, "each right after its change");
    }
}
