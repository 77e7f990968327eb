//! A look at the database before it is used.

use sqlx::PgConnection;

use super::errors;
use crate::record::StoreError;

/// Oldest version that is still cared for by its makers, as the server counts (<https://www.postgresql.org/support/versioning/>).
const OLDEST: i32 = 140_000;

/// What the look is about, in one row.
const FACTS: &str = "SELECT current_setting('server_version_num')::int4, current_setting('server_version'), \
     current_setting('server_encoding'), pg_is_in_recovery(), current_setting('synchronous_commit'), \
     current_setting('fsync')";

/// Whether the record can be kept here. Answers what our connections have to set.
pub(super) async fn usable(connection: &mut PgConnection, place: &str) -> Result<&'static str, StoreError> {
    let (number, version, encoding, standby, commit, fsync): (i32, String, String, bool, String, String) =
        sqlx::query_as(FACTS).fetch_one(connection).await.map_err(|error| errors::of(place, error))?;
    let unsuitable = |detail: String| StoreError::Unsuitable { place: place.to_owned(), detail };
    if number < OLDEST {
        return Err(unsuitable(format!("the server is PostgreSQL {version}; 14 is the oldest that will do")));
    }
    if encoding != "UTF8" {
        return Err(unsuitable(format!(
            "its encoding is {encoding}; make it with: createdb --template template0 --encoding UTF8"
        )));
    }
    if standby {
        let detail = "the server is a standby".to_owned();
        return Err(StoreError::ReadOnly { place: place.to_owned(), detail });
    }
    if fsync == "off" {
        tracing::warn!(%place, "the database server runs with fsync = off: a power cut may take the incident record");
    }
    // What is in the record may no longer be in the journal, so a commit that is only promised will not do. Any other
    // value is at least as strict, and the server's own matter.
    Ok(if commit == "off" { "SET synchronous_commit = on;" } else { "" })
}

/// Whether a record of this version is here.
pub(super) async fn readable(connection: &mut PgConnection, place: &str) -> Result<(), StoreError> {
    let there: bool = sqlx::query_scalar(
        "SELECT to_regclass('record_entry') IS NOT NULL AND to_regclass('incident_name') IS NOT NULL",
    )
    .fetch_one(connection)
    .await
    .map_err(|error| errors::of(place, error))?;
    if there { Ok(()) } else { Err(crate::store::statement::other_tables(place)) }
}
