//! The record in SQLite.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};

use super::lazy::Lazy;
use super::migrations;
use super::statement::{Database, Dialect, Row, Transaction, Tx, Value, bind};
use crate::record::StoreError;

mod errors;
mod private;

/// How long a statement waits for another process' lock, and a task for a connection.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Connections that only read. Pages are few; each connection is a thread.
const READERS: u32 = 2;

static DIALECT: LazyLock<Dialect> =
    LazyLock::new(|| Dialect::new("json_group_array(alias ORDER BY alias)", "json_each($3)"));

/// The incident record in one SQLite file. Cheap to clone; clones share the connections.
///
/// One connection writes, a few read (write-ahead log): a page never waits for a write, nor a write for a page. Commits
/// are synced, because what is in the record may no longer be in the journal.
///
/// A file that was moved away, deleted or replaced is not written any more, though it could be: what was written to it would be
/// gone with the next start. The path is opened anew instead, and a new file is made where there is none.
#[derive(Clone, Debug)]
pub struct Sqlite {
    path: Arc<Path>,
    reads_only: bool,
    files: Arc<Lazy<Files>>,
}

/// The open file.
#[derive(Debug)]
struct Files {
    writer: SqlitePool,
    readers: SqlitePool,
    /// Device and number of the file.
    identity: Option<(u64, u64)>,
    /// Its tables are gone.
    lost: AtomicBool,
}

impl Sqlite {
    /// Opens the database file, makes it when it is not there, checks it, and brings its tables up to date.
    ///
    /// # Errors
    /// When the directory is not there or not writable, the file is damaged or no database, or a newer version made it.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let opened = Self::at(path);
        opened.files().await?;
        Ok(opened)
    }

    /// The same, but opened when it is first needed, and tried again for as long as that fails.
    pub fn at(path: &Path) -> Self {
        Self { path: path.into(), reads_only: false, files: Arc::new(Lazy::new()) }
    }

    /// Opens a database that another process may be writing, only to read from it. Nothing is made and nothing changed.
    ///
    /// # Errors
    /// When there is no such file, it is no record of this version, or it cannot be read.
    pub async fn open_to_read(path: &Path) -> Result<Self, StoreError> {
        let opened = Self { reads_only: true, ..Self::at(path) };
        opened.files().await?;
        Ok(opened)
    }

    async fn files(&self) -> Result<Arc<Files>, StoreError> {
        let open: BoxFuture<'_, _> = match self.reads_only {
            true => Box::pin(Files::open_to_read(&self.path)),
            false => Box::pin(Files::open(&self.path)),
        };
        self.files.get(|files| files.is_lost(&self.path), open).await
    }

    async fn begin(
        &self,
        pool: impl FnOnce(&Files) -> &SqlitePool,
        begin: &'static str,
    ) -> Result<Box<Tx>, StoreError> {
        let files = self.files().await?;
        let connection = pool(&files).acquire().await.map_err(|error| errors::of(&self.path, error))?;
        let mut held = Held { connection, files, path: Arc::clone(&self.path), ended: false };
        held.simple(begin).await?;
        Ok(Box::new(held))
    }
}

impl Files {
    async fn open(path: &Path) -> Result<Self, StoreError> {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !directory.is_dir() {
            return Err(StoreError::NoDirectory { path: directory.display().to_string() });
        }
        private::keep(path)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            // What is deleted is people's data: it is overwritten, not only given up.
            .pragma("secure_delete", "on")
            .busy_timeout(BUSY_TIMEOUT);
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(BUSY_TIMEOUT)
            .connect_with(options.clone())
            .await
            .map_err(|error| errors::opening(path, error))?;
        check(&writer, path).await?;
        migrations::sqlite().run(&writer).await.map_err(|error| errors::migrating(path, error))?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(BUSY_TIMEOUT)
            .connect_with(options.pragma("query_only", "on"))
            .await
            .map_err(|error| errors::opening(path, error))?;
        Ok(Self { writer, readers, identity: identity(path), lost: AtomicBool::new(false) })
    }

    async fn open_to_read(path: &Path) -> Result<Self, StoreError> {
        if !path.is_file() {
            return Err(StoreError::Io { detail: format!("there is no file {}", path.display()) });
        }
        let options = SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(BUSY_TIMEOUT);
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(BUSY_TIMEOUT)
            .connect_with(options)
            .await
            .map_err(|error| errors::opening(path, error))?;
        let tables: i64 =
            sqlx::query_scalar("SELECT count(*) FROM sqlite_schema WHERE name IN ('record_entry', 'incident_name')")
                .fetch_one(&readers)
                .await
                .map_err(|error| errors::opening(path, error))?;
        if tables != 2 {
            return Err(super::statement::other_tables(path.display()));
        }
        Ok(Self { writer: readers.clone(), readers, identity: identity(path), lost: AtomicBool::new(false) })
    }

    /// Whether the path names another file by now, or none, or a file without tables.
    fn is_lost(&self, path: &Path) -> bool {
        let lost = self.lost.load(Ordering::Relaxed) || identity(path) != self.identity;
        if lost {
            tracing::error!(
                path = %path.display(),
                "the file of the incident record was moved away, deleted, replaced or emptied; the path is opened anew"
            );
        }
        lost
    }
}

/// What tells the file at a path from any other; `None` where there is none.
fn identity(path: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

#[async_trait]
impl Database for Sqlite {
    async fn write(&self) -> Result<Box<Tx>, StoreError> {
        // At once, so that it is not refused in the middle because another process has begun to write.
        self.begin(|files| &files.writer, "BEGIN IMMEDIATE").await
    }

    async fn write_without_timeout(&self) -> Result<Box<Tx>, StoreError> {
        self.write().await
    }

    async fn read(&self) -> Result<Box<Tx>, StoreError> {
        self.begin(|files| &files.readers, "BEGIN").await
    }

    /// Also folds the write-ahead log into the file.
    async fn shut(&self) {
        if let Some(files) = self.files.close().await {
            files.readers.close().await;
            files.writer.close().await;
        }
    }
}

/// A transaction, and whose errors it has.
///
/// The connection is used again only after a transaction that ended in order. After a failure, or when whoever waited for it went away, it
/// is unknown how far SQLite and the pool have come (a disk that is full in the middle of a COMMIT has rolled back by itself, one that
/// fails at the BEGIN has begun nothing), and a connection that is thought to be in a transaction never writes again.
struct Held {
    connection: PoolConnection<sqlx::Sqlite>,
    files: Arc<Files>,
    path: Arc<Path>,
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
        done.map(drop).map_err(|error| self.error(error))
    }

    fn error(&self, error: sqlx::Error) -> StoreError {
        let error = errors::of(&self.path, error);
        if matches!(error, StoreError::OtherVersion { .. }) {
            self.files.lost.store(true, Ordering::Relaxed);
        }
        error
    }
}

#[async_trait]
impl Transaction for Held {
    async fn run(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<u64, StoreError> {
        let done = bind!(sqlx::query(sql), values).execute(&mut *self.connection).await;
        Ok(done.map_err(|error| self.error(error))?.rows_affected())
    }

    async fn rows(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<Vec<Row>, StoreError> {
        let rows = bind!(sqlx::query(sql), values).fetch_all(&mut *self.connection).await;
        Ok(rows.map_err(|error| self.error(error))?.into_iter().map(Row::Sqlite).collect())
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
