//! The file on a disk that fails: whatever fails, wherever, what was acknowledged is there, and the next write goes through.

use std::path::Path;
use std::pin::pin;

use fleetwatch::engine::effect::{Change, ChangeKind};
use fleetwatch::record::incident::{IncidentAppend, IncidentStore, Keep, KeptAnswer};
use fleetwatch::record::{EventStore, StoreError};
use fleetwatch::store::{Sqlite, Store};

use crate::common::disk::{Disk, Fault};
use crate::incidents::{noted, opened};
use crate::sample::{EVENT, NOW, change};

/// The n-th change: each is another one, and each makes the event a few devices larger.
fn nth(n: usize) -> Change {
    change(ChangeKind::Joined, NOW.plus_ms(n as i64 * 1_000), &[n % 900 + 1, (n + 7) % 900 + 1])
}

async fn append(store: &Sqlite, n: usize) -> Result<(), StoreError> {
    store.append(&[nth(n)], NOW).await.map(drop)
}

/// Changes on record.
async fn kept(store: &Sqlite) -> Vec<Change> {
    let record = store.event(EVENT).await.unwrap();
    record.map_or_else(Vec::new, |record| record.changes.into_iter().map(|entry| entry.change).collect())
}

/// Everything acknowledged is there, once, also for whoever opens the file anew.
async fn assert_kept(store: &Sqlite, acknowledged: &[usize], path: &Path) {
    let again = Sqlite::open(path).await.unwrap();
    for seen in [kept(store).await, kept(&again).await] {
        for n in acknowledged {
            assert_eq!(seen.iter().filter(|change| **change == nth(*n)).count(), 1, "change {n}");
        }
    }
    again.close().await;
}

fn all_kinds(n: u64, path: &str) -> Vec<Fault> {
    let mut faults = Vec::new();
    for errno in [Fault::NO_SPACE, Fault::IO] {
        for torn in [false, true] {
            faults.push(Fault { errno, torn, ..Fault::nth(n, path) });
        }
    }
    faults
}

#[tokio::test]
async fn any_one_failure_costs_one_write_at_most() {
    let Some(disk) = Disk::here("disk::any_one_failure_costs_one_write_at_most") else { return };
    let dir = tempfile::tempdir().unwrap();
    let (path, text) = (dir.path().join("incidents.db"), dir.path().display().to_string());
    let store = Sqlite::open(&path).await.unwrap();
    let (mut n, mut acknowledged, mut refused) = (0, Vec::new(), 0);
    for operation in 1.. {
        let mut reached = false;
        for fault in all_kinds(operation, &text) {
            n += 1;
            disk.fail(&fault);
            let written = append(&store, n).await;
            reached |= disk.failed() > 0;
            if let Err(error) = written {
                refused += 1;
                assert!(["full", "io", "unwritable"].contains(&error.reason()), "{fault:?}: {error}");
            } else {
                acknowledged.push(n);
            }
            if disk.failed() > 0 {
                // Not mended, but the one failure is over.
                n += 1;
                append(&store, n).await.unwrap_or_else(|error| panic!("right after {fault:?}: {error}"));
                acknowledged.push(n);
            }
            disk.mend();
            n += 1;
            append(&store, n).await.unwrap_or_else(|error| panic!("after {fault:?}: {error}"));
            acknowledged.push(n);
        }
        if !reached {
            break;
        }
    }
    println!("{n} changes, {refused} refused");
    assert!(refused >= 10, "the disk did fail: {refused}");
    assert_kept(&store, &acknowledged, &path).await;
}

#[tokio::test]
async fn a_record_that_could_not_be_opened_is_opened_once_it_can_be() {
    let Some(disk) = Disk::here("disk::a_record_that_could_not_be_opened_is_opened_once_it_can_be") else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut failed = 0;
    // Some hundred operations make the tables; each seventh is a sample of all kinds.
    for operation in (1..).step_by(7) {
        let path = dir.path().join(format!("{operation}.db"));
        disk.fail(&Fault::nth(operation, path.display().to_string()));
        let opened = Sqlite::open(&path).await;
        let reached = disk.failed() > 0;
        failed += u32::from(opened.is_err());
        disk.mend();
        let store = match opened {
            Ok(store) => store,
            Err(_) => Sqlite::open(&path).await.unwrap_or_else(|error| panic!("operation {operation}: {error}")),
        };
        append(&store, 1).await.unwrap();
        assert_kept(&store, &[1], &path).await;
        store.close().await;
        if !reached {
            break;
        }
    }
    assert!(failed >= 5, "{failed}");
}

#[tokio::test]
async fn a_full_disk_refuses_writes_and_answers_reads_until_there_is_room() {
    let Some(disk) = Disk::here("disk::a_full_disk_refuses_writes_and_answers_reads_until_there_is_room") else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let (path, text) = (dir.path().join("incidents.db"), dir.path().display().to_string());
    let store = Sqlite::open(&path).await.unwrap();
    append(&store, 0).await.unwrap();
    for round in 1..4 {
        disk.fail(&Fault::full(&text));
        for n in 0..5 {
            let error = append(&store, round * 100 + n).await.unwrap_err();
            assert!(["full", "unwritable", "io"].contains(&error.reason()), "{error}");
            assert!(!kept(&store).await.is_empty(), "what was written is read");
        }
        assert!(disk.failed() >= 5);
        disk.mend();
        append(&store, round).await.unwrap();
    }
    assert_kept(&store, &[0, 1, 2, 3], &path).await;
}

/// Whoever waits for a write may go away at any point of it.
#[tokio::test]
async fn a_write_that_nobody_waits_for_any_more_hinders_none() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("incidents.db");
    let store = Sqlite::open(&path).await.unwrap();
    let mut ended_early = 0;
    for polls in 0..60 {
        let n = polls * 2;
        {
            let mut write = pin!(append(&store, n));
            let mut left = polls;
            let done = std::future::poll_fn(|context| {
                if left == 0 {
                    return std::task::Poll::Ready(None);
                }
                left -= 1;
                match write.as_mut().poll(context) {
                    std::task::Poll::Ready(done) => std::task::Poll::Ready(Some(done)),
                    std::task::Poll::Pending => std::task::Poll::Pending,
                }
            });
            match done.await {
                None => ended_early += 1,
                Some(done) => done.unwrap(),
            }
        }
        append(&store, n + 1).await.unwrap_or_else(|error| panic!("after {polls} polls: {error}"));
    }
    assert!(ended_early >= 5, "{ended_early}");
    assert_kept(&store, &(0..60).map(|polls| polls * 2 + 1).collect::<Vec<_>>(), &path).await;
}

/// Refusals of our own are no failures of the disk.
#[tokio::test]
async fn a_conflict_hinders_no_later_write() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("incidents.db");
    let store = Sqlite::open(&path).await.unwrap();
    let event = opened(EVENT, "INC-2026-0001", 60, &[1]);
    let after = fleetwatch::incident::Incident::open(&event).unwrap().summary();
    let append = IncidentAppend { id: EVENT, expected: 7, events: &[event], after: &after, messages: &[] };
    for _ in 0..3 {
        assert!(matches!(store.append_incidents(std::slice::from_ref(&append), NOW).await, Err(StoreError::Conflict)));
    }
    let first = IncidentAppend { expected: 0, ..append };
    store.append_incidents(&[first], NOW).await.unwrap();
}

/// Whatever fails in between, and however the process ends after it: there is no request without its answer, and no answer without its request.
#[tokio::test]
async fn a_wish_and_its_answer_are_both_on_the_disk_or_neither() {
    let Some(disk) = Disk::here("disk::a_wish_and_its_answer_are_both_on_the_disk_or_neither") else { return };
    let dir = tempfile::tempdir().unwrap();
    let (path, text) = (dir.path().join("incidents.db"), dir.path().display().to_string());
    let store = Sqlite::open(&path).await.unwrap();
    let opening = opened(EVENT, "INC-2026-0001", 60, &[1]);
    let after = fleetwatch::incident::Incident::open(&opening).unwrap().summary();
    let first = IncidentAppend { id: EVENT, expected: 0, events: &[opening], after: &after, messages: &[] };
    store.append_incidents(&[first], NOW).await.unwrap();
    let answer = KeptAnswer { request: [1; 32], status: 200, body: "{}".to_owned() };
    let (mut version, mut refused) = (1, 0);
    for operation in 1.. {
        let key = format!("k{operation}");
        let events = [noted(61, &key)];
        let request = IncidentAppend { id: EVENT, expected: version, events: &events, after: &after, messages: &[] };
        let keep = Some(Keep { who: "佐藤", key: &key, answer: &answer });
        disk.fail(&Fault::nth(operation, &text));
        let done = store.append_incidents_once(std::slice::from_ref(&request), keep, NOW).await;
        let reached = disk.failed() > 0;
        disk.mend();
        // As whoever reads the file after a crash at this moment would see it.
        let beside = Sqlite::open_to_read(&path).await.unwrap();
        let is_there = beside.incident(EVENT).await.unwrap().unwrap().events.len() as u64 > version;
        assert_eq!(beside.kept_answer("佐藤", &key).await.unwrap().is_some(), is_there, "operation {operation}");
        assert!(done.is_err() || is_there, "acknowledged and not there");
        refused += u32::from(done.is_err());
        if !is_there {
            store.append_incidents_once(std::slice::from_ref(&request), keep, NOW).await.unwrap();
        }
        version += 1;
        if !reached {
            break;
        }
    }
    assert!(refused >= 3, "{refused}");
}
