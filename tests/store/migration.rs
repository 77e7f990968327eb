//! Records that an earlier version wrote.

use fleetwatch::engine::effect::EventState;
use fleetwatch::incident::State;
use fleetwatch::record::incident::IncidentQuery;
use sqlx::migrate::Migrator;

use crate::place::{Client, Place, in_both};

const NUMBER: &str = "INC-2026-0001";

/// What was on record before events and incidents had tables of their names.
const BEFORE_22: &str = include_str!("../../fixtures/record/before-22.sql");

/// The tables as they were after migration `last`.
async fn tables_of(place: &Place, last: i64) -> Client {
    let folder = place.pick("src/store/migrations/sqlite", "src/store/migrations/postgres");
    let all = Migrator::new(std::path::Path::new(folder)).await.unwrap();
    let migrator = Migrator::with_migrations(all.iter().filter(|one| one.version <= last).cloned().collect());
    let mut client = place.client().await;
    match &mut client {
        Client::File(connection) => migrator.run_direct(None, connection, false).await.unwrap(),
        Client::Database(connection) => migrator.run_direct(None, connection, false).await.unwrap(),
    }
    client
}

async fn a_record_of_before_the_names_changed_is_read_and_goes_on(place: &Place) {
    let mut before = tables_of(place, 21).await;
    before.run(BEFORE_22).await.unwrap();
    let kinds = |table| format!("SELECT kind || ' ' || count(*) FROM {table} GROUP BY kind ORDER BY kind");
    let texts = async |client: &mut Client, sql: String| client.texts(sql.leak()).await;
    let told: Vec<String> =
        texts(&mut before, kinds("event")).await.iter().map(|line| line.replace("case ", "incident ")).collect();
    drop(before);

    let store = place.open().await;
    let mut after = place.client().await;
    let mut found = texts(&mut after, kinds("record_entry")).await;
    let mut told = told;
    found.sort();
    told.sort();
    assert_eq!(found, told, "every entry is there, under its new name");
    assert!(after.run("UPDATE record_entry SET at_ms = 0").await.is_err(), "and can still not be changed");
    assert!(after.run("DELETE FROM record_entry").await.is_err());

    let event = store.event(NUMBER).await.unwrap().unwrap();
    assert_eq!((event.event.event_id.as_str(), event.event.state), ("E-0001", EventState::Resolved));
    assert_eq!((event.event.affected, event.devices.len(), event.gates.len()), (24, 24, 2));
    let incident = store.incident(NUMBER).await.unwrap().unwrap();
    let folded = incident.folded().unwrap();
    assert_eq!((folded.number(), folded.state, folded.ladder.len()), (NUMBER, State::Closed, 24));
    assert_eq!(incident.events.len() as u64, folded.version);
    assert_eq!(store.incident("E-0001").await.unwrap().as_ref(), Some(&incident), "by the event's id, too");
    let listed = store.incidents(&IncidentQuery::default()).await.unwrap();
    assert_eq!(listed, [folded.summary()]);
    assert_eq!(store.highest_number().await.unwrap(), 1);

    store.rebuild().await.unwrap();
    assert_eq!(store.event(NUMBER).await.unwrap().unwrap(), event, "derived anew");
    assert_eq!(store.incidents(&IncidentQuery::default()).await.unwrap(), listed);
}

in_both!(a_record_of_before_the_names_changed_is_read_and_goes_on);
