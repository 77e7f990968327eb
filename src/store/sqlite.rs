//! The record in SQLite.

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Row, SqliteConnection};

use self::rows::{change_of, gate_of, incident_of, membership_of};
use crate::engine::effect::{Change, ChangeKind};
use crate::engine::gate::Decision;
use crate::engine::time::Timestamp;
use crate::record::{Appended, Incident, IncidentQuery, IncidentRecord, IncidentStore, RecordedGate, StoreError};

mod rows;

/// How long a statement waits for another process' lock, and a task for a connection.
const PATIENCE: Duration = Duration::from_secs(5);

/// Connections that only read. Pages are few; each connection is a thread.
const READERS: u32 = 2;

/// Most incidents in a row that each proved to be the next.
const MOST_ALIASES: u32 = 16;

/// Who decides what the engine returns.
const DETECTOR: &str = "detector";

/// Columns of [`Incident`], with the counts of its members.
const INCIDENT_COLUMNS: &str = "SELECT event_id, number, state, severity, scope, impact_started_at_ms, declared_at_ms, \
     recovered_at_ms, resolved_at_ms, streak_s, cause_json, updated_at_ms, near_miss_json, \
     (SELECT json_group_array(alias ORDER BY alias) FROM incident_alias a WHERE a.event_id = i.event_id) AS aliases, \
     (SELECT count(*) FROM incident_device d WHERE d.event_id = i.event_id) AS affected, \
     (SELECT count(*) FROM incident_device d WHERE d.event_id = i.event_id AND d.left_at_ms IS NULL) AS members \
     FROM incident i ";

/// Whether the event proved to be another one, under its own id or its number.
const MERGED: &str = "EXISTS (SELECT 1 FROM incident_alias a WHERE a.alias IN (i.event_id, i.number) \
     AND a.event_id <> i.event_id)";

/// The incident record in one SQLite file. Cheap to clone; clones share the connections.
///
/// One connection writes, a few read (write-ahead log): a page never waits for a write, nor a write for a page. Commits
/// are synced, because what is in the record may no longer be in the journal.
#[derive(Clone, Debug)]
pub struct Sqlite {
    path: PathBuf,
    writer: SqlitePool,
    readers: SqlitePool,
}

impl Sqlite {
    /// Opens the database file, makes it when it is not there, checks it, and brings its tables up to date.
    ///
    /// # Errors
    /// When the directory is not there or not writable, the file is damaged or no database, or a newer version made it.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !directory.is_dir() {
            return Err(StoreError::NoDirectory { path: directory.display().to_string() });
        }
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(PATIENCE);
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(PATIENCE)
            .connect_with(options.clone())
            .await
            .map_err(|error| rows::open_error(path, error))?;
        check(&writer, path).await?;
        sqlx::migrate!("src/store/migrations/sqlite")
            .run(&writer)
            .await
            .map_err(|error| rows::migrate_error(path, error))?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(PATIENCE)
            .connect_with(options.pragma("query_only", "on"))
            .await
            .map_err(|error| rows::open_error(path, error))?;
        Ok(Self { path: path.to_owned(), writer, readers })
    }

    /// Opens a database that another process may be writing, only to read from it. Nothing is made and nothing changed.
    ///
    /// # Errors
    /// When there is no such file, it is no record of this version, or it cannot be read.
    pub async fn open_to_read(path: &Path) -> Result<Self, StoreError> {
        if !path.is_file() {
            return Err(StoreError::Io { detail: format!("there is no file {}", path.display()) });
        }
        let options = SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(PATIENCE);
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(PATIENCE)
            .connect_with(options)
            .await
            .map_err(|error| rows::open_error(path, error))?;
        let tables: i64 =
            sqlx::query_scalar("SELECT count(*) FROM sqlite_schema WHERE name IN ('incident', 'incident_alias')")
                .fetch_one(&readers)
                .await
                .map_err(|error| rows::open_error(path, error))?;
        if tables != 2 {
            let detail = "its tables are not those of this version; `serve` brings them up to date".to_owned();
            return Err(StoreError::OtherVersion { path: path.display().to_string(), detail });
        }
        Ok(Self { path: path.to_owned(), writer: readers.clone(), readers })
    }

    /// Derives the tables to read from anew, from the event table alone.
    ///
    /// # Errors
    /// When the record cannot be read or written; then the tables are as before.
    pub async fn rebuild(&self) -> Result<(), StoreError> {
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(|e| self.error(e))?;
        let ids: Vec<String> = sqlx::query_scalar("SELECT DISTINCT event_id FROM event WHERE kind <> 'gate'")
            .fetch_all(&mut *tx)
            .await
            .map_err(|e| self.error(e))?;
        sqlx::query("DELETE FROM incident").execute(&mut *tx).await.map_err(|e| self.error(e))?;
        for id in ids {
            self.derive_again(&mut tx, &id).await?;
        }
        tx.commit().await.map_err(|e| self.error(e))
    }

    /// Waits for the connections to close and the write-ahead log to be folded into the file.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    fn error(&self, error: sqlx::Error) -> StoreError {
        rows::error(&self.path, error)
    }

    /// Writes one change; `false` when it was in the record already.
    async fn write(
        &self,
        tx: &mut SqliteConnection,
        change: &Change,
        recorded_at: Timestamp,
    ) -> Result<bool, StoreError> {
        let json = serde_json::to_string(change).map_err(|e| StoreError::Refused { detail: e.to_string() })?;
        let inserted = sqlx::query(rows::INSERT)
            .bind(super::change_key(change))
            .bind(&change.event_id)
            .bind(change.kind.as_str())
            .bind(change.at.as_ms())
            .bind(recorded_at.as_ms())
            .bind(DETECTOR)
            .bind(json)
            .execute(&mut *tx)
            .await
            .map_err(|e| self.error(e))?;
        if inserted.rows_affected() == 0 {
            return Ok(false);
        }
        let before = self.current(tx, &change.event_id).await?;
        match before {
            // It was held back until later ones were written: only the whole history in its order gives the right state.
            Some(before) if change.at < before.updated_at => self.derive_again(tx, &change.event_id).await?,
            before => self.derive(tx, before, change).await?,
        }
        Ok(true)
    }

    async fn current(&self, tx: &mut SqliteConnection, event_id: &str) -> Result<Option<Incident>, StoreError> {
        let sql = format!("{INCIDENT_COLUMNS} WHERE event_id = ?1");
        let row =
            sqlx::query(sqlx::AssertSqlSafe(sql)).bind(event_id).fetch_optional(tx).await.map_err(|e| self.error(e))?;
        row.as_ref().map(incident_of).transpose().map_err(|e| self.error(e))
    }

    /// The event with this number or id; where it proved to be another one, that one.
    async fn resolve(&self, tx: &mut SqliteConnection, id: &str) -> Result<Option<Incident>, StoreError> {
        let sql = format!(
            "{INCIDENT_COLUMNS} WHERE event_id = (SELECT a.event_id FROM incident_alias a WHERE a.alias = ?1) \
             OR (NOT EXISTS (SELECT 1 FROM incident_alias a WHERE a.alias = ?1) AND (number = ?1 OR event_id = ?1)) \
             ORDER BY {MERGED}, declared_at_ms IS NULL, declared_at_ms DESC LIMIT 1"
        );
        let mut wanted = id.to_owned();
        let mut found = None;
        // What became another may have become a third; a record that says so in a circle ends here.
        for _ in 0..MOST_ALIASES {
            let row = sqlx::query(sqlx::AssertSqlSafe(sql.clone()))
                .bind(&wanted)
                .fetch_optional(&mut *tx)
                .await
                .map_err(|e| self.error(e))?;
            let Some(row) = row else { break };
            let incident = incident_of(&row).map_err(|e| self.error(e))?;
            let next: Option<String> = sqlx::query_scalar(
                "SELECT alias FROM incident_alias WHERE alias IN (?1, ?2) AND event_id <> ?1 LIMIT 1",
            )
            .bind(&incident.event_id)
            .bind(&incident.number)
            .fetch_optional(&mut *tx)
            .await
            .map_err(|e| self.error(e))?;
            found = Some(incident);
            match next {
                Some(next) => wanted = next,
                None => break,
            }
        }
        Ok(found)
    }

    /// Applies one change to the tables to read from.
    async fn derive(
        &self,
        tx: &mut SqliteConnection,
        before: Option<Incident>,
        change: &Change,
    ) -> Result<(), StoreError> {
        let incident = match before {
            Some(before) => before.after(change),
            None => Incident::begun_by(change),
        };
        rows::put(tx, &incident).await.map_err(|e| self.error(e))?;
        rows::put_aliases(tx, change).await.map_err(|e| self.error(e))?;
        match change.kind {
            ChangeKind::EarlyWarning | ChangeKind::Joined => self.enter(tx, change).await,
            ChangeKind::Declared => {
                self.enter(tx, change).await?;
                self.leave(tx, change, false).await
            }
            ChangeKind::Left => self.leave(tx, change, true).await,
            ChangeKind::CauseChanged | ChangeKind::Recovered | ChangeKind::Resolved => Ok(()),
        }
    }

    /// The change's devices are members.
    async fn enter(&self, tx: &mut SqliteConnection, change: &Change) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO incident_device (event_id, device, joined_at_ms) \
             SELECT ?1, value, ?2 FROM json_each(?3) WHERE true \
             ON CONFLICT (event_id, device) DO UPDATE SET left_at_ms = NULL",
        )
        .bind(&change.event_id)
        .bind(change.at.as_ms())
        .bind(rows::device_list(change))
        .execute(tx)
        .await
        .map_err(|e| self.error(e))?;
        Ok(())
    }

    /// The change's devices have left, or (`named` = false) everyone who is not among them.
    async fn leave(&self, tx: &mut SqliteConnection, change: &Change, named: bool) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE incident_device SET left_at_ms = ?2 WHERE event_id = ?1 AND left_at_ms IS NULL \
             AND (device IN (SELECT value FROM json_each(?3))) = ?4",
        )
        .bind(&change.event_id)
        .bind(change.at.as_ms())
        .bind(rows::device_list(change))
        .bind(named)
        .execute(tx)
        .await
        .map_err(|e| self.error(e))?;
        Ok(())
    }

    /// Derives one event's rows from its whole history.
    async fn derive_again(&self, tx: &mut SqliteConnection, event_id: &str) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM incident WHERE event_id = ?1")
            .bind(event_id)
            .execute(&mut *tx)
            .await
            .map_err(|e| self.error(e))?;
        let history = sqlx::query(rows::HISTORY).bind(event_id).fetch_all(&mut *tx).await.map_err(|e| self.error(e))?;
        for row in &history {
            let change = change_of(row).map_err(|e| rows::history_error(&self.path, e))?.change;
            let before = self.current(tx, event_id).await?;
            self.derive(tx, before, &change).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl IncidentStore for Sqlite {
    async fn append(&self, changes: &[Change], recorded_at: Timestamp) -> Result<Appended, StoreError> {
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(|e| self.error(e))?;
        let mut appended = Appended::default();
        for change in changes {
            if self.write(&mut tx, change, recorded_at).await? {
                appended.written += 1;
            } else {
                appended.known += 1;
            }
        }
        tx.commit().await.map_err(|e| self.error(e))?;
        Ok(appended)
    }

    async fn append_gates(&self, decisions: &[Decision], recorded_at: Timestamp) -> Result<Appended, StoreError> {
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(|e| self.error(e))?;
        let mut appended = Appended::default();
        for decision in decisions {
            let json = serde_json::to_string(decision).map_err(|e| StoreError::Refused { detail: e.to_string() })?;
            let event_id = decision.event.clone().unwrap_or_else(|| format!("gate/{}", decision.version));
            let inserted = sqlx::query(rows::INSERT)
                .bind(super::gate_key(decision))
                .bind(event_id)
                .bind(rows::GATE)
                .bind(decision.at.as_ms())
                .bind(recorded_at.as_ms())
                .bind(&decision.by)
                .bind(json)
                .execute(&mut *tx)
                .await
                .map_err(|e| self.error(e))?;
            let written = inserted.rows_affected() as usize;
            appended.written += written;
            appended.known += 1 - written.min(1);
        }
        tx.commit().await.map_err(|e| self.error(e))?;
        Ok(appended)
    }

    async fn gates(&self) -> Result<Vec<RecordedGate>, StoreError> {
        let rows = sqlx::query(rows::ALL_GATES).fetch_all(&self.readers).await.map_err(|e| self.error(e))?;
        rows.iter().map(gate_of).collect::<Result<_, _>>().map_err(|e| rows::history_error(&self.path, e))
    }

    async fn incidents(&self, query: IncidentQuery) -> Result<Vec<Incident>, StoreError> {
        let sql = format!(
            "{INCIDENT_COLUMNS} WHERE (?1 OR number IS NOT NULL) \
             AND (NOT ?2 OR (state <> 'resolved' AND near_miss_json IS NULL)) \
             AND (?5 IS NULL OR updated_at_ms >= ?5 OR (number IS NOT NULL AND state <> 'resolved')) \
             AND (?6 IS NULL OR impact_started_at_ms <= ?6) \
             AND NOT {MERGED} \
             ORDER BY impact_started_at_ms DESC, event_id LIMIT ?3 OFFSET ?4"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(query.with_warnings)
            .bind(query.open_only)
            .bind(query.limit)
            .bind(query.offset)
            .bind(query.since.map(Timestamp::as_ms))
            .bind(query.until.map(Timestamp::as_ms))
            .fetch_all(&self.readers)
            .await
            .map_err(|e| self.error(e))?;
        rows.iter().map(incident_of).collect::<Result<_, _>>().map_err(|e| self.error(e))
    }

    async fn incident(&self, id: &str) -> Result<Option<IncidentRecord>, StoreError> {
        // One transaction, so that the three parts are of one instant.
        let mut tx = self.readers.begin().await.map_err(|e| self.error(e))?;
        let Some(incident) = self.resolve(&mut tx, id).await? else { return Ok(None) };
        let devices = sqlx::query(
            "SELECT device, joined_at_ms, left_at_ms FROM incident_device WHERE event_id = ?1 ORDER BY device",
        )
        .bind(&incident.event_id)
        .fetch_all(&mut *tx)
        .await
        .map_err(|e| self.error(e))?;
        let history =
            sqlx::query(rows::HISTORY).bind(&incident.event_id).fetch_all(&mut *tx).await.map_err(|e| self.error(e))?;
        let gates = sqlx::query(rows::GATES_OF)
            .bind(&incident.event_id)
            .fetch_all(&mut *tx)
            .await
            .map_err(|e| self.error(e))?;
        Ok(Some(IncidentRecord {
            gates: gates
                .iter()
                .map(gate_of)
                .collect::<Result<_, _>>()
                .map_err(|e| rows::history_error(&self.path, e))?,
            devices: devices.iter().map(membership_of).collect::<Result<_, _>>().map_err(|e| self.error(e))?,
            changes: history
                .iter()
                .map(change_of)
                .collect::<Result<_, _>>()
                .map_err(|e| rows::history_error(&self.path, e))?,
            incident,
        }))
    }

    async fn highest_number(&self) -> Result<u64, StoreError> {
        let row = sqlx::query(
            "SELECT coalesce(max(CAST(substr(number, instr(number, '-') + 1) AS INTEGER)), 0) AS highest \
             FROM incident WHERE number IS NOT NULL",
        )
        .fetch_one(&self.readers)
        .await
        .map_err(|e| self.error(e))?;
        let highest: i64 = row.try_get("highest").map_err(|e| self.error(e))?;
        Ok(u64::try_from(highest).unwrap_or(0))
    }
}

/// Reads every page once: a damaged file is found at the start, with a message, and not in the middle of an incident.
async fn check(pool: &SqlitePool, path: &Path) -> Result<(), StoreError> {
    let found: String = sqlx::query_scalar("PRAGMA quick_check(1)")
        .fetch_one(pool)
        .await
        .map_err(|error| rows::open_error(path, error))?;
    if found == "ok" { Ok(()) } else { Err(StoreError::Damaged { path: path.display().to_string(), detail: found }) }
}
