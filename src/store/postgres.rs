//! The record in PostgreSQL.
//!
//! Whoever writes takes one advisory lock of the database first, so one transaction writes at a time over all processes, as in
//! SQLite, and the order of `seq` is the order in which entries became visible. Readers take no lock: they see one
//! instant (repeatable read).
//!
//! A server may be away, and worse, may be silent: the server's own time-outs end what waits there, and ours what waits
//! for the network. A connection on which anything went wrong is not used again.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor as _};
use tokio::time::timeout;

use super::lazy::Lazy;
use super::migrations;
use super::statement::{Database, Dialect, Row, Transaction, Tx, Value, bind};
use crate::record::StoreError;

mod errors;
mod suitability;

/// How long a statement may take, or wait for another transaction.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the server may take to answer at all, network included: above [`STATEMENT_TIMEOUT`], so that the server, which knows
/// more, speaks first.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(8);

/// How long a connection may take to be had.
const CONNECT: Duration = Duration::from_secs(5);

/// How long a connection may take to be had before it is asked why.
const DOUBT: Duration = Duration::from_secs(1);

/// Connections that only read. Pages are few; each connection is a process of the server.
const READERS: u32 = 4;

/// The advisory lock of whoever writes: "fleetwat" in ASCII. Advisory locks are a database's own.
const BEGIN_TO_WRITE: &str = "BEGIN; SELECT pg_advisory_xact_lock(7380385375773483380)";

const BEGIN_AT_LEISURE: &str =
    "BEGIN; SET LOCAL statement_timeout = 0; SELECT pg_advisory_xact_lock(7380385375773483380)";

const BEGIN_TO_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

static DIALECT: LazyLock<Dialect> = LazyLock::new(|| {
    Dialect::new(
        "coalesce(json_agg(alias ORDER BY alias), '[]')::text",
        "json_array_elements_text($3::json) AS elements (value)",
    )
});

/// A database on a server, and how to get in. Prints all but the password.
#[derive(Clone)]
pub struct Server {
    options: Arc<PgConnectOptions>,
    place: Arc<str>,
    /// Reads the password as it is now.
    password: Option<PasswordSource>,
}

/// Where a password is read from, whenever one is needed; `None` while it cannot be read.
type PasswordSource = Arc<dyn Fn() -> Option<String> + Send + Sync>;

impl Server {
    /// `url`: `postgres://user@host:port/database`, with `?sslmode=` and its like; the password comes apart.
    ///
    /// # Errors
    /// When the URL cannot be read; the message does not repeat it.
    pub fn new(url: &str, password: Option<&str>) -> Result<Self, StoreError> {
        let unreadable = |error: sqlx::Error| StoreError::Unsuitable {
            place: "in store.url".to_owned(),
            detail: format!("{error}; it has the form postgres://user@host:5432/database"),
        };
        let mut options = PgConnectOptions::from_str(url).map_err(unreadable)?;
        if let Some(password) = password {
            options = options.password(password);
        }
        // A pooler refuses what it does not know in the greeting, and this says only how floats are printed, of which there are none.
        options = options.extra_float_digits(None);
        if options.get_application_name().is_none() {
            options = options.application_name("fleetwatch");
        }
        let (user, host, port) = (options.get_username(), options.get_host(), options.get_port());
        let place = match (options.get_socket(), options.get_database()) {
            (Some(socket), database) => format!("{} as {user} in {}", database.unwrap_or(user), socket.display()),
            (None, database) => format!("postgres://{user}@{host}:{port}/{}", database.unwrap_or(user)),
        };
        Ok(Self { options: Arc::new(options), place: place.into(), password: None })
    }

    /// The password is read anew for each connection that is made after one was refused: whoever mends it need not start anything
    /// again.
    #[must_use]
    pub fn with_password_source(self, source: impl Fn() -> Option<String> + Send + Sync + 'static) -> Self {
        Self { password: Some(Arc::new(source)), ..self }
    }

    /// How to get in, as of now.
    fn options(&self) -> PgConnectOptions {
        let options = (*self.options).clone();
        match self.password.as_ref().and_then(|read| read()) {
            Some(password) => options.password(&password),
            None => options,
        }
    }

    /// Connections that serve requests, at most so many, each set up with [`limits`].
    fn pool(&self, most: u32, settings: &str) -> PgPool {
        let set: Arc<str> = settings.into();
        PgPoolOptions::new()
            .max_connections(most)
            .acquire_timeout(CONNECT)
            .after_connect(move |connection, _| {
                let set = Arc::clone(&set);
                Box::pin(async move { connection.execute(AssertSqlSafe(set.to_string())).await.map(drop) })
            })
            .connect_lazy_with(self.options())
    }

    /// One connection, apart from any pool: it answers with the reason when there is none to be had.
    async fn connect(&self, limit: Duration) -> Result<PgConnection, StoreError> {
        match timeout(limit, self.options().connect()).await {
            Ok(connected) => connected.map_err(|error| errors::of(&self.place, error)),
            Err(_) => Err(errors::silent(&self.place, limit)),
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("place", &self.place).finish_non_exhaustive()
    }
}

/// The incident record in a database of a server. Cheap to clone; clones share the connections.
///
/// A database that was made anew is empty: once a statement finds no table, the tables are brought up to date by whoever needs
/// them next.
#[derive(Clone)]
pub struct Postgres {
    server: Server,
    reads_only: bool,
    pools: Arc<Lazy<Pools>>,
}

/// The connections to a database that was looked at.
#[derive(Debug)]
struct Pools {
    writer: PgPool,
    readers: PgPool,
    /// Its tables are gone.
    lost: AtomicBool,
    /// It let us in and does so no more: with another password, perhaps.
    shut_out: AtomicBool,
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres").field("server", &self.server).finish_non_exhaustive()
    }
}

impl Postgres {
    /// Connects, checks that the database can be used, and brings its tables up to date.
    ///
    /// # Errors
    /// When the server is away, does not let us in, has no such database, or one that is read-only, not in UTF-8, or of
    /// a newer version.
    pub async fn open(server: &Server) -> Result<Self, StoreError> {
        let opened = Self::at(server);
        opened.pools().await?;
        Ok(opened)
    }

    /// The same, but opened when it is first needed, and tried again for as long as that fails.
    pub fn at(server: &Server) -> Self {
        Self { server: server.clone(), reads_only: false, pools: Arc::new(Lazy::new()) }
    }

    /// Connects to a database that another process may be writing, only to read from it. Nothing is made and nothing changed.
    ///
    /// # Errors
    /// When it cannot be reached, or is no record of this version.
    pub async fn open_to_read(server: &Server) -> Result<Self, StoreError> {
        let opened = Self { reads_only: true, ..Self::at(server) };
        opened.pools().await?;
        Ok(opened)
    }

    async fn pools(&self) -> Result<Arc<Pools>, StoreError> {
        let open = Box::pin(Pools::open(&self.server, self.reads_only));
        self.pools.get(|pools| pools.is_lost(&self.server), open).await
    }

    async fn begin(
        &self,
        pool: impl FnOnce(&Pools) -> &PgPool,
        begin: &'static str,
        limit: Option<Duration>,
    ) -> Result<Box<Tx>, StoreError> {
        let pools = self.pools().await?;
        let pooled = pool(&pools);
        let connection = match timeout(DOUBT, pooled.acquire()).await {
            Ok(acquired) => acquired,
            // The pool tries again for as long as it may, and then knows no more than that; a connection of our own says why.
            Err(_) => {
                let connection = self.server.connect(CONNECT).await.map_err(|error| pools.noted(error))?;
                let _ = connection.close().await;
                // The server is there: others have the connections.
                pooled.acquire().await
            }
        };
        let connection = connection.map_err(|error| pools.noted(errors::of(&self.server.place, error)))?;
        let place = Arc::clone(&self.server.place);
        let mut held = Held { connection, pools, place, limit, ended: false };
        held.simple(begin).await?;
        Ok(Box::new(held))
    }
}

impl Pools {
    async fn open(server: &Server, reads_only: bool) -> Result<Self, StoreError> {
        let mut connection = server.connect(CONNECT).await?;
        let looked = async {
            if reads_only {
                suitability::readable(&mut connection, &server.place).await?;
                return Ok(limits("SET default_transaction_read_only = on;"));
            }
            let settings = suitability::usable(&mut connection, &server.place).await?;
            Ok(limits(settings))
        };
        let settings = match timeout(ANSWER_TIMEOUT, looked).await {
            Ok(looked) => looked?,
            Err(_) => return Err(errors::silent(&server.place, ANSWER_TIMEOUT)),
        };
        if !reads_only {
            migrations::postgres()
                .run_direct(None, &mut connection, false)
                .await
                .map_err(|error| errors::migrating(&server.place, error))?;
        }
        let _ = connection.close().await;
        let (writer, readers) = (server.pool(1, &settings), server.pool(READERS, &settings));
        Ok(Self { writer, readers, lost: AtomicBool::new(false), shut_out: AtomicBool::new(false) })
    }

    /// The error. One that only a new look at the database can end is remembered.
    fn noted(&self, error: StoreError) -> StoreError {
        match error {
            StoreError::OtherVersion { .. } => self.lost.store(true, Ordering::Relaxed),
            StoreError::Denied { .. } => self.shut_out.store(true, Ordering::Relaxed),
            _ => {}
        }
        error
    }

    fn is_lost(&self, server: &Server) -> bool {
        let lost = self.lost.load(Ordering::Relaxed);
        if lost {
            tracing::error!(
                place = %server,
                "the tables of the incident record are gone, as of a database that was made anew; they are made again"
            );
        }
        lost || self.shut_out.load(Ordering::Relaxed)
    }
}

/// What a session is set to after it was made. In the greeting a pooler would refuse it, or leave it out without a word.
fn limits(more: &str) -> String {
    let patience = STATEMENT_TIMEOUT.as_millis();
    let limits = ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"];
    let set = limits.map(|name| format!("SET {name} = {patience};"));
    format!("{} {more}", set.concat())
}

#[async_trait]
impl Database for Postgres {
    async fn write(&self) -> Result<Box<Tx>, StoreError> {
        self.begin(|pools| &pools.writer, BEGIN_TO_WRITE, Some(ANSWER_TIMEOUT)).await
    }

    async fn write_without_timeout(&self) -> Result<Box<Tx>, StoreError> {
        self.begin(|pools| &pools.writer, BEGIN_AT_LEISURE, None).await
    }

    async fn read(&self) -> Result<Box<Tx>, StoreError> {
        self.begin(|pools| &pools.readers, BEGIN_TO_READ, Some(ANSWER_TIMEOUT)).await
    }

    async fn shut(&self) {
        let Some(pools) = self.pools.close().await else { return };
        // A server that is silent does not keep the process from ending.
        let closing = async { tokio::join!(pools.readers.close(), pools.writer.close()) };
        let _ = timeout(ANSWER_TIMEOUT, closing).await;
    }
}

/// A transaction, and whose errors it has.
struct Held {
    connection: PoolConnection<sqlx::Postgres>,
    pools: Arc<Pools>,
    place: Arc<str>,
    /// How long the server may be silent.
    limit: Option<Duration>,
    /// Whether it ended in order; only then may the connection be used again.
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
    /// A statement without parameters and without an answer, or several.
    async fn simple(&mut self, sql: &'static str) -> Result<(), StoreError> {
        let work = sqlx::raw_sql(sql).execute(&mut *self.connection);
        let answer = answered(work, self.limit, &self.place).await;
        answer.map(drop).map_err(|error| self.pools.noted(error))
    }
}

/// What the server answered, if it did in time.
async fn answered<T>(
    work: impl Future<Output = Result<T, sqlx::Error>>,
    limit: Option<Duration>,
    place: &str,
) -> Result<T, StoreError> {
    let answer = match limit {
        Some(limit) => timeout(limit, work).await.map_err(|_| errors::silent(place, limit))?,
        None => work.await,
    };
    answer.map_err(|error| errors::of(place, error))
}

#[async_trait]
impl Transaction for Held {
    async fn run(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<u64, StoreError> {
        let work = bind!(sqlx::query(sql), values).execute(&mut *self.connection);
        let answer = answered(work, self.limit, &self.place).await;
        Ok(answer.map_err(|error| self.pools.noted(error))?.rows_affected())
    }

    async fn rows(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<Vec<Row>, StoreError> {
        let work = bind!(sqlx::query(sql), values).fetch_all(&mut *self.connection);
        let answer = answered(work, self.limit, &self.place).await;
        let rows = answer.map_err(|error| self.pools.noted(error))?;
        Ok(rows.into_iter().map(Row::Postgres).collect())
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
