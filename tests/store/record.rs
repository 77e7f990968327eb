//! The record of incidents: append-only, idempotent, derived in one transaction.

use fleetwatch::engine::effect::{Change, ChangeKind, EventState};
use fleetwatch::engine::gate::{DETECTOR, Decision, Gate};
use fleetwatch::record::{Appended, EventQuery, EventRecord, EventSummary};
use fleetwatch::store::{Store, change_key};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::place::{Place, in_both};
use crate::sample::{EVENT, NOW, change, history};

in_both!(
    the_record_tells_the_incidents_whole_story,
    a_second_delivery_changes_nothing_not_even_after_a_restart,
    the_event_table_refuses_to_be_rewritten,
    a_batch_is_written_whole_or_not_at_all,
    a_locked_database_is_busy_and_pages_still_read_it,
    warnings_that_came_to_nothing_are_listed_on_request_only,
    an_incident_that_proved_to_be_another_is_told_with_that_one,
    a_near_miss_keeps_its_reason_until_it_comes_back,
    a_record_derived_in_memory_is_the_one_of_the_tables,
    a_reader_takes_the_record_as_it_is_and_makes_none,
    decisions_about_updates_stand_beside_the_changes_and_change_none_of_them,
    the_tables_to_read_from_follow_from_the_event_table,
    a_newer_programs_database_is_not_touched,
    two_processes_write_one_record,
);

pub async fn record(store: &dyn Store) -> EventRecord {
    store.event(EVENT).await.unwrap().expect("the event is on record")
}

async fn the_record_tells_the_incidents_whole_story(place: &Place) {
    let store = place.open().await;
    let written = NOW.plus_ms(1_000);
    let changes = history();
    assert_eq!(store.append(&changes, written).await.unwrap(), Appended { written: changes.len(), known: 0 });

    let found = record(&*store).await;
    assert_eq!(found.changes.iter().map(|entry| &entry.change).collect::<Vec<_>>(), changes.iter().collect::<Vec<_>>());
    assert!(found.changes.iter().all(|entry| entry.actor == "detector" && entry.recorded_at == written));
    assert_eq!(found.event.number.as_deref(), Some("INC-0001"));
    assert_eq!(found.event.state, EventState::Declared);
    assert_eq!(found.event.declared_at, Some(changes[7].at));
    assert_eq!((found.event.affected, found.event.members), (330, 328));
    assert_eq!(found.devices.iter().filter(|member| member.left_at.is_some()).count(), 2);
    assert_eq!(store.event("INC-0001").await.unwrap().unwrap(), found, "the number finds the same as the event id");
    assert_eq!(store.event("INC-0002").await.unwrap(), None);
    assert_eq!(store.highest_number().await.unwrap(), 1);
}

async fn a_second_delivery_changes_nothing_not_even_after_a_restart(place: &Place) {
    let store = place.open().await;
    store.append(&history(), NOW).await.unwrap();
    let before = record(&*store).await;
    store.close().await;
    assert!(store.event(EVENT).await.is_err(), "it is closed");

    let store = place.open().await;
    let again = store.append(&history(), NOW.plus_ms(60_000)).await.unwrap();
    assert_eq!(again, Appended { written: 0, known: history().len() });
    assert_eq!(record(&*store).await, before);
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

async fn the_event_table_refuses_to_be_rewritten(place: &Place) {
    let store = place.open().await;
    store.append(&history(), NOW).await.unwrap();
    let mut other = place.client().await;
    let everywhere =
        ["UPDATE record_entry SET at_ms = 0", "DELETE FROM record_entry", "DELETE FROM record_entry WHERE seq = 1"];
    let own = place.pick(
        &[
            "REPLACE INTO record_entry SELECT * FROM record_entry WHERE seq = 1",
            "INSERT OR REPLACE INTO record_entry SELECT NULL, change_key, 'x', 'x', 0, 0, 'x', '{}' FROM record_entry WHERE seq = 1",
        ],
        &[
            "TRUNCATE record_entry",
            "INSERT INTO record_entry (change_key, event_id, kind, at_ms, recorded_at_ms, actor, change_json) \
             SELECT change_key, 'x', 'x', 0, 0, 'x', '{}' FROM record_entry WHERE seq = 1 \
             ON CONFLICT (change_key) DO UPDATE SET event_id = 'x'",
        ],
    );
    for forbidden in everywhere.iter().chain(own) {
        let error = other.run(forbidden).await.unwrap_err();
        assert!(error.to_string().contains("append-only"), "{forbidden}: {error}");
    }
    assert_eq!(record(&*store).await.changes.len(), history().len());
}

async fn a_batch_is_written_whole_or_not_at_all(place: &Place) {
    let store = place.open().await;
    // The derived tables refuse one device in the middle of the batch: the events before it must go too.
    let mut other = place.client().await;
    other
        .run(place.pick(
            "CREATE TRIGGER fail BEFORE INSERT ON event_device WHEN NEW.device = 'B-0009' \
             BEGIN SELECT RAISE(ABORT, 'disk trouble'); END",
            "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'disk trouble'; END $$; \
             CREATE TRIGGER fail BEFORE INSERT ON event_device FOR EACH ROW WHEN (NEW.device = 'B-0009') \
             EXECUTE FUNCTION fail()",
        ))
        .await
        .unwrap();
    let error = store.append(&history(), NOW).await.unwrap_err();
    assert_eq!(error.reason(), "refused", "{error}");
    assert_eq!(store.event(EVENT).await.unwrap(), None);
    other.run(place.pick("DROP TRIGGER fail", "DROP TRIGGER fail ON event_device")).await.unwrap();
    assert_eq!(store.append(&history(), NOW).await.unwrap().written, history().len());
}

async fn a_locked_database_is_busy_and_pages_still_read_it(place: &Place) {
    let store = place.open().await;
    store.append(&history()[..8], NOW).await.unwrap();
    let mut other = place.client().await;
    other.run(place.pick("BEGIN IMMEDIATE", "BEGIN; LOCK TABLE record_entry IN EXCLUSIVE MODE")).await.unwrap();
    let late = history();
    let (refused, read) = tokio::join!(store.append(&late[8..], NOW), store.event("INC-0001"));
    assert_eq!(refused.unwrap_err().reason(), "busy");
    assert_eq!(read.unwrap().unwrap().event.affected, 330);
    other.run("ROLLBACK").await.unwrap();
    assert_eq!(store.append(&late[8..], NOW).await.unwrap().written, 1);
}

async fn warnings_that_came_to_nothing_are_listed_on_request_only(place: &Place) {
    let store = place.open().await;
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
    let ids = |list: Vec<EventSummary>| list.into_iter().map(|event| event.event_id).collect::<Vec<_>>();
    let query = EventQuery::default();
    assert_eq!(ids(store.events(query).await.unwrap()), [EVENT]);
    let all = store.events(EventQuery { with_warnings: true, ..query }).await.unwrap();
    assert_eq!(all.len(), 2);
    let open = store.events(EventQuery { with_warnings: true, open_only: true, ..query }).await.unwrap();
    assert_eq!(ids(open), ["E-faded"]);
    assert_eq!(store.events(EventQuery { with_warnings: true, limit: 1, offset: 1, ..query }).await.unwrap().len(), 1);
}

async fn an_incident_that_proved_to_be_another_is_told_with_that_one(place: &Place) {
    let store = place.open().await;
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
        let found = store.event(id).await.unwrap().unwrap().event;
        assert_eq!((&*found.event_id, found.number.as_deref()), ("E-2", Some("INC-0001")), "{id}");
        assert_eq!(found.aliases, ["E-1", "E-4", "INC-0002", "INC-0003"]);
        assert_eq!(records.find(id).unwrap().event, found, "{id}");
    }
    let listed = store.events(EventQuery { open_only: true, ..EventQuery::default() }).await.unwrap();
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert_eq!(store.highest_number().await.unwrap(), 4, "its number is not given again");
    let before = store.event("INC-0003").await.unwrap();
    store.rebuild().await.unwrap();
    assert_eq!(store.event("INC-0003").await.unwrap(), before);
}

async fn a_near_miss_keeps_its_reason_until_it_comes_back(place: &Place) {
    let store = place.open().await;
    let [warned, ended] = &crate::sample::near_miss()[..] else { panic!("two changes") };
    store.append(&[warned.clone(), ended.clone()], NOW).await.unwrap();
    let found = store.event("E-0031").await.unwrap().unwrap().event;
    assert_eq!(found.near_miss.unwrap().length_min, 47);
    let query = EventQuery { with_warnings: true, ..EventQuery::default() };
    assert!(store.events(EventQuery { open_only: true, ..query }).await.unwrap().is_empty());
    // A time that it lies in, one that ended before it began, one that began after its last change.
    for (since, until, count) in [(-60, 0, 0), (-120, 0, 1), (-240, -121, 0), (-240, -120, 1)] {
        let minutes = |minutes: i64| Some(NOW.plus_ms(minutes * 60_000));
        let within = EventQuery { since: minutes(since), until: minutes(until), ..query };
        assert_eq!(store.events(within).await.unwrap().len(), count, "{since} to {until}");
    }
    let again = Change { at: NOW, ..warned.clone() };
    store.append(&[again], NOW).await.unwrap();
    assert_eq!(store.event("E-0031").await.unwrap().unwrap().event.near_miss, None);
}

async fn a_record_derived_in_memory_is_the_one_of_the_tables(place: &Place) {
    let store = place.open().await;
    let mut records = fleetwatch::record::derive::Records::default();
    for change in history().iter().chain(&crate::sample::near_miss()) {
        store.append(std::slice::from_ref(change), change.at).await.unwrap();
        records.note(change);
    }
    for id in ["INC-0001", EVENT, "E-0031"] {
        assert_eq!(records.find(id), store.event(id).await.unwrap().as_ref(), "{id}");
    }
    assert!(records.find("INC-0009").is_none());
}

async fn a_reader_takes_the_record_as_it_is_and_makes_none(place: &Place) {
    assert!(place.location().open_to_read().await.is_err());
    assert!(place.is_untouched().await);
    let store = place.open().await;
    store.append(&history(), NOW).await.unwrap();
    // Beside the writer, as `explain` runs beside `serve`.
    let reader = place.location().open_to_read().await.unwrap();
    assert_eq!(reader.event("INC-0001").await.unwrap(), store.event("INC-0001").await.unwrap());
    let refused = reader.append(&[change(ChangeKind::Joined, NOW, &[9])], NOW).await.unwrap_err();
    assert_eq!(refused.reason(), "unwritable", "{refused}");
    assert_eq!(record(&*store).await.changes.len(), history().len());
    reader.close().await;
}

async fn decisions_about_updates_stand_beside_the_changes_and_change_none_of_them(place: &Place) {
    let store = place.open().await;
    store.append(&history(), NOW).await.unwrap();
    let before = record(&*store).await;
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
    let found = record(&*store).await;
    let its: Vec<&Decision> = found.gates.iter().map(|recorded| &recorded.decision).collect();
    assert_eq!(its, [&hold, &same, &release]);
    assert!(found.gates.iter().all(|recorded| recorded.recorded_at == NOW));
    assert_eq!((&found.event, &found.devices, &found.changes), (&before.event, &before.devices, &before.changes));
    store.rebuild().await.unwrap();
    assert_eq!(record(&*store).await, found, "derived anew");

    let actors = place.client().await.texts("SELECT actor FROM record_entry WHERE kind = 'gate' ORDER BY seq").await;
    assert_eq!(actors, ["Sato", "Sato", "detector", "detector"]);
}

pub fn decided(minute: i64, gate: Gate, by: &str, event: Option<&str>) -> Decision {
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

fn any_change() -> impl Strategy<Value = Change> {
    let kinds = prop::sample::select(&ChangeKind::ALL);
    (kinds, 0..40i64, prop::collection::btree_set(1..12usize, 0..6)).prop_map(|(kind, tick, devices)| {
        change(kind, NOW.plus_ms(tick * 10_000), &devices.into_iter().collect::<Vec<_>>())
    })
}

/// Whatever the order and however often the changes come: what is read equals what the whole history in its order makes of it.
async fn the_tables_to_read_from_follow_from_the_event_table(place: &Place) {
    let store = place.open().await;
    let lives =
        (prop::collection::vec(any_change(), 1..25), prop::collection::vec(any::<prop::sample::Index>(), 0..10));
    let mut runner = TestRunner::default();
    for incident in 0..24 {
        let (mut changes, repeats) = lives.new_tree(&mut runner).unwrap().current();
        let event_id = format!("E-{incident}");
        changes.iter_mut().for_each(|change| change.event_id.clone_from(&event_id));
        for one in &changes {
            store.append(std::slice::from_ref(one), NOW).await.unwrap();
        }
        for index in repeats {
            let again = store.append(std::slice::from_ref(index.get(&changes)), NOW).await.unwrap();
            assert_eq!(again, Appended { written: 0, known: 1 });
        }
        let before = store.event(&event_id).await.unwrap().unwrap();
        store.rebuild().await.unwrap();
        assert_eq!(store.event(&event_id).await.unwrap().unwrap(), before, "{changes:#?}");
        let mut expected: Option<EventSummary> = None;
        for entry in &before.changes {
            expected = Some(match expected {
                None => EventSummary::begun_by(&entry.change),
                Some(event) => event.after(&entry.change),
            });
        }
        let members = before.devices.iter().filter(|member| member.left_at.is_none()).count() as u64;
        let expected = EventSummary { affected: before.devices.len() as u64, members, ..expected.unwrap() };
        assert_eq!(before.event, expected, "{changes:#?}");
    }
}

async fn a_newer_programs_database_is_not_touched(place: &Place) {
    place.open().await.close().await;
    let mut other = place.client().await;
    let newer = place.pick(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'from the future', 1, x'00', 0)",
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'from the future', true, '\\x00', 0)",
    );
    other.run(newer).await.unwrap();
    let error = place.location().open().await.unwrap_err();
    assert_eq!(error.reason(), "other_version", "{error}");
}

/// Two processes that were started on one record, by mistake or for a moment: each change is there once, and the derived
/// tables are those of all of them.
async fn two_processes_write_one_record(place: &Place) {
    let (one, other) = (place.open().await, place.open().await);
    let changes = history();
    let write = async |store: &dyn Store, order: Vec<usize>| {
        let mut written = 0;
        for index in order {
            written += store.append(&changes[index..=index], NOW).await.unwrap().written;
        }
        written
    };
    let forward: Vec<usize> = (0..changes.len()).collect();
    let backward: Vec<usize> = forward.iter().rev().copied().collect();
    let (first, second) = tokio::join!(write(&*one, forward), write(&*other, backward));
    assert_eq!(first + second, changes.len());
    let found = record(&*one).await;
    assert_eq!(found.changes.iter().map(|entry| &entry.change).collect::<Vec<_>>(), changes.iter().collect::<Vec<_>>());
    one.rebuild().await.unwrap();
    assert_eq!(record(&*other).await, found);
    assert_eq!((found.event.affected, found.event.members), (330, 328));
}
