//! Rows to values and back, and what SQLite's errors mean to an operator.

use std::path::Path;
use std::str::FromStr;

use serde::de::DeserializeOwned;
use sqlx::migrate::MigrateError;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use crate::engine::device::DeviceId;
use crate::engine::effect::{Change, Scope, Severity};
use crate::engine::time::Timestamp;
use crate::record::{Incident, IncidentState, Membership, RecordedChange, RecordedGate, StoreError};

/// An event's changes in the order in which they were decided.
pub(super) const HISTORY: &str = "SELECT seq, actor, recorded_at_ms, change_json FROM event \
     WHERE event_id = ?1 AND kind <> 'gate' ORDER BY at_ms, seq";

/// What a row of the event table is that holds a decision about an update.
pub(super) const GATE: &str = "gate";

/// An event's decisions about updates. Of one instant, a person's comes last: that is the one that stands.
pub(super) const GATES_OF: &str = "SELECT seq, recorded_at_ms, change_json FROM event \
     WHERE event_id = ?1 AND kind = 'gate' ORDER BY at_ms, actor <> 'detector', seq";

/// All of them.
pub(super) const ALL_GATES: &str = "SELECT seq, recorded_at_ms, change_json FROM event \
     WHERE kind = 'gate' ORDER BY at_ms, actor <> 'detector', seq";

/// Writes a row unless there is one with its key.
pub(super) const INSERT: &str = "INSERT INTO event (change_key, event_id, kind, at_ms, recorded_at_ms, actor, change_json) \
     SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 WHERE NOT EXISTS (SELECT 1 FROM event WHERE change_key = ?1)";

/// SQLite's primary result codes (<https://www.sqlite.org/rescode.html>).
mod code {
    pub(super) const BUSY: i32 = 5;
    pub(super) const LOCKED: i32 = 6;
    pub(super) const READONLY: i32 = 8;
    pub(super) const IOERR: i32 = 10;
    pub(super) const CORRUPT: i32 = 11;
    pub(super) const FULL: i32 = 13;
    pub(super) const CANTOPEN: i32 = 14;
    pub(super) const NOTADB: i32 = 26;
}

/// A row of the event table that is not what was written.
pub(super) enum HistoryError {
    Sql(sqlx::Error),
    Unreadable { seq: i64, detail: String },
}

impl From<sqlx::Error> for HistoryError {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

/// Inserts or replaces an incident's row, keeping its devices.
pub(super) async fn put(tx: &mut SqliteConnection, incident: &Incident) -> Result<(), sqlx::Error> {
    let cause = incident.cause.as_ref().map(serde_json::to_string).transpose().map_err(decode_error)?;
    let near_miss = incident.near_miss.as_ref().map(serde_json::to_string).transpose().map_err(decode_error)?;
    sqlx::query(
        "INSERT INTO incident (event_id, number, state, severity, scope, impact_started_at_ms, declared_at_ms, \
         recovered_at_ms, resolved_at_ms, streak_s, cause_json, updated_at_ms, near_miss_json) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) \
         ON CONFLICT (event_id) DO UPDATE SET number = ?2, state = ?3, severity = ?4, scope = ?5, \
         impact_started_at_ms = ?6, declared_at_ms = ?7, recovered_at_ms = ?8, resolved_at_ms = ?9, streak_s = ?10, \
         cause_json = ?11, updated_at_ms = ?12, near_miss_json = ?13",
    )
    .bind(&incident.event_id)
    .bind(&incident.number)
    .bind(incident.state.as_str())
    .bind(severity_name(incident.severity))
    .bind(scope_name(incident.scope))
    .bind(incident.impact_started_at.as_ms())
    .bind(incident.declared_at.map(Timestamp::as_ms))
    .bind(incident.recovered_at.map(Timestamp::as_ms))
    .bind(incident.resolved_at.map(Timestamp::as_ms))
    .bind(i64::try_from(incident.streak_s).unwrap_or(i64::MAX))
    .bind(cause)
    .bind(incident.updated_at.as_ms())
    .bind(near_miss)
    .execute(tx)
    .await?;
    Ok(())
}

/// Notes the incidents that the change says are this one.
pub(super) async fn put_aliases(tx: &mut SqliteConnection, change: &Change) -> Result<(), sqlx::Error> {
    for alias in &change.aliases {
        sqlx::query("INSERT INTO incident_alias (alias, event_id) VALUES (?1, ?2) ON CONFLICT (alias) DO UPDATE SET event_id = ?2")
            .bind(alias)
            .bind(&change.event_id)
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

/// The change's devices as a JSON array, for `json_each`.
pub(super) fn device_list(change: &Change) -> String {
    // Device ids are of `A-Z a-z 0-9 _ -`: nothing to escape.
    let ids: Vec<_> = change.devices.iter().map(|device| format!("\"{device}\"")).collect();
    format!("[{}]", ids.join(","))
}

/// A row of `INCIDENT_COLUMNS`.
pub(super) fn incident_of(row: &SqliteRow) -> Result<Incident, sqlx::Error> {
    let state: String = row.try_get("state")?;
    let severity: String = row.try_get("severity")?;
    let scope: String = row.try_get("scope")?;
    let cause: Option<String> = row.try_get("cause_json")?;
    let near_miss: Option<String> = row.try_get("near_miss_json")?;
    let aliases: String = row.try_get("aliases")?;
    Ok(Incident {
        event_id: row.try_get("event_id")?,
        number: row.try_get("number")?,
        state: IncidentState::from_name(&state).ok_or_else(|| decode_error(format!("state {state}")))?,
        severity: named(&severity)?,
        scope: named(&scope)?,
        impact_started_at: Timestamp::from_ms(row.try_get("impact_started_at_ms")?),
        declared_at: instant(row, "declared_at_ms")?,
        recovered_at: instant(row, "recovered_at_ms")?,
        resolved_at: instant(row, "resolved_at_ms")?,
        streak_s: count(row, "streak_s")?,
        cause: cause.map(|json| serde_json::from_str(&json).map_err(decode_error)).transpose()?,
        affected: count(row, "affected")?,
        members: count(row, "members")?,
        updated_at: Timestamp::from_ms(row.try_get("updated_at_ms")?),
        near_miss: near_miss.map(|json| serde_json::from_str(&json).map_err(decode_error)).transpose()?,
        aliases: serde_json::from_str(&aliases).map_err(decode_error)?,
    })
}

/// A row of [`HISTORY`].
pub(super) fn change_of(row: &SqliteRow) -> Result<RecordedChange, HistoryError> {
    let seq: i64 = row.try_get("seq")?;
    let json: String = row.try_get("change_json")?;
    Ok(RecordedChange {
        seq,
        actor: row.try_get("actor")?,
        recorded_at: Timestamp::from_ms(row.try_get("recorded_at_ms")?),
        change: serde_json::from_str(&json)
            .map_err(|error| HistoryError::Unreadable { seq, detail: error.to_string() })?,
    })
}

/// A row of [`GATES_OF`] or [`ALL_GATES`].
pub(super) fn gate_of(row: &SqliteRow) -> Result<RecordedGate, HistoryError> {
    let seq: i64 = row.try_get("seq")?;
    let json: String = row.try_get("change_json")?;
    Ok(RecordedGate {
        seq,
        recorded_at: Timestamp::from_ms(row.try_get("recorded_at_ms")?),
        decision: serde_json::from_str(&json)
            .map_err(|error| HistoryError::Unreadable { seq, detail: error.to_string() })?,
    })
}

/// A row of `incident_device`.
pub(super) fn membership_of(row: &SqliteRow) -> Result<Membership, sqlx::Error> {
    let device: String = row.try_get("device")?;
    Ok(Membership {
        device: DeviceId::parse(&device).map_err(decode_error)?,
        joined_at: Timestamp::from_ms(row.try_get("joined_at_ms")?),
        left_at: instant(row, "left_at_ms")?,
    })
}

fn instant(row: &SqliteRow, column: &str) -> Result<Option<Timestamp>, sqlx::Error> {
    Ok(row.try_get::<Option<i64>, _>(column)?.map(Timestamp::from_ms))
}

fn count(row: &SqliteRow, column: &str) -> Result<u64, sqlx::Error> {
    Ok(u64::try_from(row.try_get::<i64, _>(column)?).unwrap_or(0))
}

/// A unit variant by its name in JSON.
fn named<T: DeserializeOwned>(name: &str) -> Result<T, sqlx::Error> {
    serde_json::from_value(serde_json::Value::String(name.to_owned())).map_err(decode_error)
}

const fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Warning => "warning",
        Severity::Major => "major",
    }
}

const fn scope_name(scope: Scope) -> &'static str {
    match scope {
        Scope::Fleet => "fleet",
        Scope::Isolated => "isolated",
    }
}

fn decode_error(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> sqlx::Error {
    sqlx::Error::Decode(error.into())
}

/// What an error of an open database means.
pub(super) fn error(path: &Path, error: sqlx::Error) -> StoreError {
    let path = path.display().to_string();
    let detail = error.to_string();
    match primary_code(&error) {
        Some(code::BUSY | code::LOCKED) => StoreError::Busy,
        Some(code::FULL) => StoreError::Full,
        Some(code::READONLY | code::CANTOPEN) => StoreError::Unwritable { path, detail },
        Some(code::CORRUPT | code::NOTADB) => StoreError::Damaged { path, detail },
        Some(code::IOERR) => StoreError::Io { detail },
        Some(_) => StoreError::Refused { detail },
        None => match error {
            sqlx::Error::PoolTimedOut => StoreError::Busy,
            sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } | sqlx::Error::ColumnNotFound(_) => {
                StoreError::Damaged { path, detail }
            }
            _ => StoreError::Io { detail },
        },
    }
}

/// What an error means while the file is being opened: then a failed read is most likely about the file's mode.
pub(super) fn open_error(path: &Path, error: sqlx::Error) -> StoreError {
    match self::error(path, error) {
        StoreError::Refused { detail } => StoreError::Unwritable { path: path.display().to_string(), detail },
        other => other,
    }
}

pub(super) fn history_error(path: &Path, error: HistoryError) -> StoreError {
    match error {
        HistoryError::Sql(error) => self::error(path, error),
        HistoryError::Unreadable { seq, detail } => StoreError::Unreadable { seq, detail },
    }
}

pub(super) fn migrate_error(path: &Path, error: MigrateError) -> StoreError {
    match error {
        MigrateError::Execute(error) => self::error(path, error),
        MigrateError::ExecuteMigration(error, _) => self::error(path, error),
        other => StoreError::OtherVersion { path: path.display().to_string(), detail: other.to_string() },
    }
}

/// The primary result code, without SQLite's extension of it.
fn primary_code(error: &sqlx::Error) -> Option<i32> {
    let code = error.as_database_error()?.code()?;
    i32::from_str(&code).ok().map(|extended| extended & 0xff)
}
