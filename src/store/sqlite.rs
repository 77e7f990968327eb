//! The record in SQLite.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};

use super::statement::{Database, Dialect, Row, Transaction, Tx, Value, bind};
use crate::record::StoreError;

mod errors;

/// How long a statement waits for another process' lock, and a task for a connection.
const PATIENCE: Duration = Duration::from_secs(5);

/// Connections that only read. Pages are few; each connection is a thread.
const READERS: u32 = 2;

static DIALECT: LazyLock<Dialect> =
    LazyLock::new(|| Dialect::new("json_group_array(alias ORDER BY alias)", "json_each($3)"));

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
            // What is deleted is people's data: it is overwritten, not only given up.
            .pragma("secure_delete", "on")
            .busy_timeout(PATIENCE);
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(PATIENCE)
            .connect_with(options.clone())
            .await
            .map_err(|error| errors::opening(path, error))?;
        check(&writer, path).await?;
        sqlx::migrate!("src/store/migrations/sqlite")
            .run(&writer)
            .await
            .map_err(|error| errors::migrating(path, error))?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(PATIENCE)
            .connect_with(options.pragma("query_only", "on"))
            .await
            .map_err(|error| errors::opening(path, error))?;
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
            .map_err(|error| errors::opening(path, error))?;
        let tables: i64 =
            sqlx::query_scalar("SELECT count(*) FROM sqlite_schema WHERE name IN ('incident_alias', 'incident_case')")
                .fetch_one(&readers)
                .await
                .map_err(|error| errors::opening(path, error))?;
        if tables != 2 {
            return Err(super::other_tables(path.display()));
        }
        Ok(Self { path: path.to_owned(), writer: readers.clone(), readers })
    }

    fn error(&self, error: sqlx::Error) -> StoreError {
        errors::of(&self.path, error)
    }

    async fn begin(&self, pool: &SqlitePool, begin: &'static str) -> Result<Box<Tx>, StoreError> {
        let connection = pool.acquire().await.map_err(|error| self.error(error))?;
        let mut held = Held { connection, path: self.path.clone(), ended: false };
        held.simple(begin).await?;
        Ok(Box::new(held))
    }
}

#[async_trait]
impl Database for Sqlite {
    async fn write(&self) -> Result<Box<Tx>, StoreError> {
        // At once, so that it is not refused in the middle because another process has begun to write.
        self.begin(&self.writer, "BEGIN IMMEDIATE").await
    }

    async fn write_at_leisure(&self) -> Result<Box<Tx>, StoreError> {
        self.write().await
    }

    async fn read(&self) -> Result<Box<Tx>, StoreError> {
        self.begin(&self.readers, "BEGIN").await
    }

    /// Also folds the write-ahead log into the file.
    async fn shut(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// A transaction, and whose errors it has.
///
/// The connection is used again only after a transaction that ended in order. After a failure, or when whoever waited for it went away, it
/// is unknown how far SQLite and the pool have come (a disk that is full in the middle of a COMMIT has rolled back by itself, one that
/// fails at the BEGIN has begun nothing), and a connection that is thought to be in a transaction never writes again.
struct Held {
    connection: PoolConnection<sqlx::Sqlite>,
    path: PathBuf,
    /// Whether it ended in order.
    ended: bool,
}

impl Drop for Held {
    fn drop(&mut self) {
        if !self.ended {
            self.connection.close_on_drop();
        }
    }
}

impl Held {
    /// A statement without parameters and without an answer.
    async fn simple(&mut self, sql: &'static str) -> Result<(), StoreError> {
        let done = sqlx::raw_sql(sql).execute(&mut *self.connection).await;
        done.map(drop).map_err(|error| errors::of(&self.path, error))
    }
}

#[async_trait]
impl Transaction for Held {
    async fn run(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<u64, StoreError> {
        let done = bind!(sqlx::query(sql), values).execute(&mut *self.connection).await;
        Ok(done.map_err(|error| errors::of(&self.path, error))?.rows_affected())
    }

    async fn rows(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<Vec<Row>, StoreError> {
        let rows = bind!(sqlx::query(sql), values).fetch_all(&mut *self.connection).await;
        Ok(rows.map_err(|error| errors::of(&self.path, error))?.into_iter().map(Row::Sqlite).collect())
    }

    async fn commit(mut self: Box<Self>) -> Result<(), StoreError> {
        self.simple("COMMIT").await?;
        self.ended = true;
        Ok(())
    }

    fn dialect(&self) -> &'static Dialect {
        &DIALECT
    }
}

/// Reads every page once: a damaged file is found at the start, with a message, and not in the middle of an incident.
async fn check(pool: &SqlitePool, path: &Path) -> Result<(), StoreError> {
    let found: String = sqlx::query_scalar("PRAGMA quick_check(1)")
        .fetch_one(pool)
        .await
        .map_err(|error| errors::opening(path, error))?;
    if found == "ok" { Ok(()) } else { Err(StoreError::Damaged { path: path.display().to_string(), detail: found }) }
}
