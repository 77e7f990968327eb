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
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection};
use tokio::time::timeout;

use super::statement::{Database, Dialect, Row, Transaction, Tx, Value, bind};
use crate::record::StoreError;

mod errors;
mod look;

/// How long a statement may take, or wait for another transaction.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long the server may take to answer at all, network included: above [`PATIENCE`], so that the server, which knows
/// more, speaks first.
const SILENCE: Duration = Duration::from_secs(8);

/// How long a connection may take to be had.
const CONNECT: Duration = Duration::from_secs(5);

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
}

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
        if options.get_application_name().is_none() {
            options = options.application_name("fleetwatch");
        }
        let (user, host, port) = (options.get_username(), options.get_host(), options.get_port());
        let place = match (options.get_socket(), options.get_database()) {
            (Some(socket), database) => format!("{} as {user} in {}", database.unwrap_or(user), socket.display()),
            (None, database) => format!("postgres://{user}@{host}:{port}/{}", database.unwrap_or(user)),
        };
        Ok(Self { options: Arc::new(options), place: place.into() })
    }

    /// The options of connections that serve requests.
    fn limited(&self, more: &[(&'static str, &'static str)]) -> PgConnectOptions {
        let patience = PATIENCE.as_millis().to_string();
        let limits = ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"];
        (*self.options).clone().options(limits.map(|name| (name, patience.as_str()))).options(more.iter().copied())
    }

    /// One connection, apart from any pool: it answers with the reason when there is none to be had.
    async fn connect(&self, limit: Duration) -> Result<PgConnection, StoreError> {
        match timeout(limit, self.options.connect()).await {
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
#[derive(Clone)]
pub struct Postgres {
    server: Server,
    writer: PgPool,
    readers: PgPool,
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
        let mut connection = server.connect(CONNECT).await?;
        let settings = look::usable(&mut connection, &server.place).await?;
        sqlx::migrate!("src/store/migrations/postgres")
            .run(&mut connection)
            .await
            .map_err(|error| errors::migrating(&server.place, error))?;
        let _ = connection.close().await;
        Ok(Self::on(server, 1, &settings))
    }

    /// Connects to a database that another process may be writing, only to read from it. Nothing is made and nothing changed.
    ///
    /// # Errors
    /// When it cannot be reached, or is no record of this version.
    pub async fn open_to_read(server: &Server) -> Result<Self, StoreError> {
        let mut connection = server.connect(CONNECT).await?;
        look::readable(&mut connection, &server.place).await?;
        let _ = connection.close().await;
        Ok(Self::on(server, 1, &[("default_transaction_read_only", "on")]))
    }

    fn on(server: &Server, writers: u32, settings: &[(&'static str, &'static str)]) -> Self {
        let pool = |most| {
            PgPoolOptions::new()
                .max_connections(most)
                .acquire_timeout(CONNECT)
                .connect_lazy_with(server.limited(settings))
        };
        Self { server: server.clone(), writer: pool(writers), readers: pool(READERS) }
    }

    async fn begin(&self, pool: &PgPool, begin: &'static str, limit: Option<Duration>) -> Result<Box<Tx>, StoreError> {
        let connection = match pool.acquire().await {
            Ok(connection) => connection,
            // The pool tries again for as long as it may, and then knows no more than that; a connection of our own does.
            Err(sqlx::Error::PoolTimedOut) => {
                let connection = self.server.connect(CONNECT).await?;
                let _ = connection.close().await;
                return Err(StoreError::Busy);
            }
            Err(error) => return Err(errors::of(&self.server.place, error)),
        };
        let mut held = Held { connection, place: Arc::clone(&self.server.place), limit, ended: false };
        held.simple(begin).await?;
        Ok(Box::new(held))
    }
}

#[async_trait]
impl Database for Postgres {
    async fn write(&self) -> Result<Box<Tx>, StoreError> {
        self.begin(&self.writer, BEGIN_TO_WRITE, Some(SILENCE)).await
    }

    async fn write_at_leisure(&self) -> Result<Box<Tx>, StoreError> {
        self.begin(&self.writer, BEGIN_AT_LEISURE, None).await
    }

    async fn read(&self) -> Result<Box<Tx>, StoreError> {
        self.begin(&self.readers, BEGIN_TO_READ, Some(SILENCE)).await
    }

    async fn shut(&self) {
        // A server that is silent does not keep the process from ending.
        let closing = async { tokio::join!(self.readers.close(), self.writer.close()) };
        let _ = timeout(SILENCE, closing).await;
    }
}

/// A transaction, and whose errors it has.
struct Held {
    connection: PoolConnection<sqlx::Postgres>,
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
        answered(work, self.limit, &self.place).await?;
        Ok(())
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
        Ok(answered(work, self.limit, &self.place).await?.rows_affected())
    }

    async fn rows(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<Vec<Row>, StoreError> {
        let work = bind!(sqlx::query(sql), values).fetch_all(&mut *self.connection);
        Ok(answered(work, self.limit, &self.place).await?.into_iter().map(Row::Postgres).collect())
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
