//! The two places in which a record can be kept, for tests that hold in both.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use fleetwatch::store::{Location, Server, Store};
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, PgConnection, SqliteConnection};

use crate::common::postgres::{PASSWORD, Postgres};

/// The user that owns the databases of tests; no administrator.
pub const USER: &str = "fleetwatch";

/// A place of a test's own.
pub enum Place {
    File(tempfile::TempDir),
    Database { server: &'static Postgres, name: String },
}

/// Another client of the same place.
pub enum Client {
    File(SqliteConnection),
    Database(PgConnection),
}

impl Place {
    pub fn file() -> Self {
        Self::File(tempfile::tempdir().unwrap())
    }

    /// A new database on the shared server; `None` where PostgreSQL is not installed.
    pub async fn database() -> Option<Self> {
        let server = Postgres::shared()?;
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        make(server, &name).await;
        Some(Self::Database { server, name })
    }

    pub fn location(&self) -> Location {
        match self {
            Self::File(dir) => Location::File(path(dir)),
            Self::Database { server, name } => Location::Server(reach(server, name)),
        }
    }

    pub async fn open(&self) -> Arc<dyn Store> {
        self.location().open().await.unwrap()
    }

    pub async fn client(&self) -> Client {
        match self {
            Self::File(dir) => Client::File(
                SqliteConnectOptions::new().filename(path(dir)).create_if_missing(true).connect().await.unwrap(),
            ),
            Self::Database { server, name } => Client::Database(client(server, USER, name).await),
        }
    }

    /// Whether nothing was made here.
    pub async fn is_untouched(&self) -> bool {
        match self {
            Self::File(dir) => !path(dir).exists(),
            Self::Database { .. } => {
                let tables = "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'";
                self.client().await.texts(tables).await.is_empty()
            }
        }
    }

    /// What is to be run here: statements differ between the databases.
    pub fn pick<T>(&self, file: T, database: T) -> T {
        match self {
            Self::File(_) => file,
            Self::Database { .. } => database,
        }
    }
}

impl Client {
    pub async fn run(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        match self {
            Self::File(connection) => sqlx::raw_sql(sql).execute(connection).await.map(drop),
            Self::Database(connection) => sqlx::raw_sql(sql).execute(connection).await.map(drop),
        }
    }

    /// The texts of a query's one column.
    pub async fn texts(&mut self, sql: &'static str) -> Vec<String> {
        match self {
            Self::File(connection) => sqlx::query_scalar(sql).fetch_all(connection).await.unwrap(),
            Self::Database(connection) => sqlx::query_scalar(sql).fetch_all(connection).await.unwrap(),
        }
    }
}

fn path(dir: &tempfile::TempDir) -> PathBuf {
    dir.path().join("incidents.db")
}

/// How to get into a database of [`USER`].
pub fn reach(server: &Postgres, database: &str) -> Server {
    Server::new(&server.url(USER, database), Some(PASSWORD)).unwrap()
}

/// A bare connection.
pub async fn client(server: &Postgres, user: &str, database: &str) -> PgConnection {
    let options: PgConnectOptions = server.url(user, database).parse().unwrap();
    options.password(PASSWORD).connect().await.unwrap()
}

/// Makes a database of [`USER`].
pub async fn make(server: &Postgres, database: &str) {
    let mut admin = client(server, "postgres", "postgres").await;
    let user = format!(
        "DO $$ BEGIN CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'; \
         EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(user)).execute(&mut admin).await.unwrap();
    let made = format!("CREATE DATABASE {database} OWNER {USER} TEMPLATE template0");
    sqlx::raw_sql(sqlx::AssertSqlSafe(made)).execute(&mut admin).await.unwrap();
}

/// Makes a test for each place out of a function of it.
macro_rules! in_both {
    ($($name:ident),* $(,)?) => {
        mod in_sqlite {
            $(#[tokio::test]
            async fn $name() {
                super::$name(&crate::place::Place::file()).await;
            })*
        }
        mod in_postgres {
            $(#[tokio::test]
            async fn $name() {
                if let Some(place) = crate::place::Place::database().await {
                    super::$name(&place).await;
                }
            })*
        }
    };
}
pub(crate) use in_both;
