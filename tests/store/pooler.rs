//! PostgreSQL behind a pooler that keeps sessions.

use fleetwatch::record::EventStore;
use fleetwatch::store::{Postgres, Server, Store};
use sqlx::AssertSqlSafe;

use crate::common::pgbouncer::PgBouncer;
use crate::common::postgres::{PASSWORD, Postgres as Installed};
use crate::place::{USER, client, make};
use crate::sample::{NOW, history};

#[tokio::test]
async fn a_pooler_that_keeps_sessions_needs_nothing_and_its_sessions_have_their_limits() {
    let Some(server) = Installed::shared() else { return };
    // As it comes: it ignores no parameter of the greeting.
    let Some(pooler) = PgBouncer::before(server, "").await else { return };
    make(server, "pooled").await;
    let place = Server::new(&pooler.url(USER, "pooled"), Some(PASSWORD)).unwrap();
    let store = Postgres::open(&place).await.unwrap();
    store.append(&history(), NOW).await.unwrap();
    assert_eq!(store.highest_number().await.unwrap(), 1);

    // A statement that takes too long is ended by the server: the session has its time-out.
    let mut owner = client(server, USER, "pooled").await;
    let slow = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); RETURN NEW; END $$; \
                CREATE TRIGGER slow BEFORE UPDATE ON record_identity FOR EACH ROW EXECUTE FUNCTION slow()";
    store.probe(NOW).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(slow)).execute(&mut owner).await.unwrap();
    assert_eq!(store.probe(NOW).await.unwrap_err().reason(), "busy");
    sqlx::raw_sql(AssertSqlSafe("DROP TRIGGER slow ON record_identity")).execute(&mut owner).await.unwrap();
    store.probe(NOW).await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn what_a_pooler_refuses_is_named_with_what_to_do() {
    let Some(server) = Installed::shared() else { return };
    let Some(pooler) = PgBouncer::before(server, "").await else { return };
    make(server, "refused").await;
    // Of the operator's own choice.
    let url = format!("{}?options=-c%20geqo%3Doff", pooler.url(USER, "refused"));
    let error = Postgres::open(&Server::new(&url, Some(PASSWORD)).unwrap()).await.unwrap_err();
    let told = error.to_string();
    assert!(told.contains("parameter options") && told.contains("ignore_startup_parameters"), "{told}");
    assert!(!told.contains("check that PostgreSQL runs"), "{told}");
}
