//! Statements as both databases understand them: values, rows, transactions.
//!
//! What is written and read is the same for both and stands in `incidents` and its neighbours, once. A database differs
//! in how it is opened, how a transaction begins, what its errors mean, and in the few statements of its [`Dialect`].
//! Parameters are `$1`, `$2`, ...; statements are `'static`, so no text from outside can become part of one.

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Decode, Postgres, Row as _, Sqlite, Type};

use crate::engine::time::Timestamp;
use crate::record::StoreError;

/// A value for a parameter.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    Text(&'a str),
    MaybeText(Option<&'a str>),
    Int(i64),
    MaybeInt(Option<i64>),
    Flag(bool),
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(text: Option<&'a str>) -> Self {
        Self::MaybeText(text)
    }
}

impl<'a> From<&'a Option<String>> for Value<'a> {
    fn from(text: &'a Option<String>) -> Self {
        Self::MaybeText(text.as_deref())
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<u32> for Value<'_> {
    fn from(number: u32) -> Self {
        Self::Int(number.into())
    }
}

/// Both databases count to 2^63; what is above that is written as that.
impl From<u64> for Value<'_> {
    fn from(number: u64) -> Self {
        Self::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<bool> for Value<'_> {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<Timestamp> for Value<'_> {
    fn from(at: Timestamp) -> Self {
        Self::Int(at.as_ms())
    }
}

impl From<Option<Timestamp>> for Value<'_> {
    fn from(at: Option<Timestamp>) -> Self {
        Self::MaybeInt(at.map(Timestamp::as_ms))
    }
}

/// The values of a statement, in the order of its parameters.
macro_rules! values {
    ($($value:expr),* $(,)?) => { &[$($crate::store::statement::Value::from($value)),*] };
}
pub(super) use values;

/// Binds the values to a query of either database.
macro_rules! bind {
    ($query:expr, $values:expr) => {{
        let mut query = $query;
        for value in $values {
            query = match *value {
                $crate::store::statement::Value::Text(text) => query.bind(text),
                $crate::store::statement::Value::MaybeText(text) => query.bind(text),
                $crate::store::statement::Value::Int(number) => query.bind(number),
                $crate::store::statement::Value::MaybeInt(number) => query.bind(number),
                $crate::store::statement::Value::Flag(flag) => query.bind(flag),
            };
        }
        query
    }};
}
pub(super) use bind;

/// A row of either database.
#[derive(Debug)]
pub enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl Row {
    fn get<T>(&self, column: &str) -> Result<T, StoreError>
    where
        T: for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres>,
    {
        let value = match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => row.try_get(column),
        };
        value.map_err(|error| foreign(column, error))
    }

    pub(super) fn text(&self, column: &str) -> Result<String, StoreError> {
        self.get(column)
    }

    pub(super) fn maybe_text(&self, column: &str) -> Result<Option<String>, StoreError> {
        self.get(column)
    }

    pub(super) fn int(&self, column: &str) -> Result<i64, StoreError> {
        self.get(column)
    }

    /// A number that is never below 0.
    pub(super) fn count(&self, column: &str) -> Result<u64, StoreError> {
        Ok(u64::try_from(self.int(column)?).unwrap_or(0))
    }

    pub(super) fn at(&self, column: &str) -> Result<Timestamp, StoreError> {
        self.int(column).map(Timestamp::from_ms)
    }

    pub(super) fn maybe_at(&self, column: &str) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.get::<Option<i64>>(column)?.map(Timestamp::from_ms))
    }

    /// A value that was written as JSON text.
    pub(super) fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T, StoreError> {
        serde_json::from_str(&self.text(column)?).map_err(|error| foreign(column, error))
    }

    pub(super) fn maybe_json<T: DeserializeOwned>(&self, column: &str) -> Result<Option<T>, StoreError> {
        let json = self.maybe_text(column)?;
        json.map(|json| serde_json::from_str(&json).map_err(|error| foreign(column, error))).transpose()
    }

    /// A unit variant that was written by its name.
    pub(super) fn named<T: DeserializeOwned>(&self, column: &str) -> Result<T, StoreError> {
        let name = self.text(column)?;
        serde_json::from_value(serde_json::Value::String(name)).map_err(|error| foreign(column, error))
    }
}

/// What a column holds is not what is written there.
pub(super) fn foreign(column: &str, error: impl std::fmt::Display) -> StoreError {
    StoreError::Foreign { detail: format!("{column}: {error}") }
}

/// A value as JSON text for a column.
pub(super) fn json<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Refused { detail: error.to_string() })
}

/// An open transaction. Dropping it rolls it back.
#[async_trait]
pub trait Transaction: Send {
    /// Runs a statement; answers how many rows it wrote.
    async fn run(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<u64, StoreError>;

    /// Runs a query; answers its rows.
    async fn rows(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<Vec<Row>, StoreError>;

    /// Makes durable what was written, or ends the reading.
    async fn commit(self: Box<Self>) -> Result<(), StoreError>;

    /// The statements that are this database's own.
    fn dialect(&self) -> &'static Dialect;
}

/// A transaction as it is handed around.
pub type Tx = dyn Transaction;

impl dyn Transaction {
    /// The first row of a query, if there is one.
    pub(super) async fn row(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<Option<Row>, StoreError> {
        Ok(self.rows(sql, values).await?.into_iter().next())
    }
}

/// A database that keeps the record.
#[async_trait]
pub trait Database: Send + Sync + std::fmt::Debug {
    /// Begins to write. One transaction writes at a time, over all processes.
    async fn write(&self) -> Result<Box<Tx>, StoreError>;

    /// Begins to write without a limit of time: for what an operator asked for.
    async fn write_without_timeout(&self) -> Result<Box<Tx>, StoreError>;

    /// Begins to read. Everything that is read is of one instant.
    async fn read(&self) -> Result<Box<Tx>, StoreError>;

    /// Waits for the connections to close.
    async fn shut(&self);
}

/// Statements that the databases spell differently.
#[derive(Debug)]
pub struct Dialect {
    /// An incident by its event id.
    pub(super) current: String,
    /// An incident by number, event id or alias.
    pub(super) resolve: String,
    /// Incidents by [`crate::record::EventQuery`].
    pub(super) list: String,
    /// Devices of a JSON array become members.
    pub(super) enter: String,
    /// Members that are in a JSON array, or that are not, leave.
    pub(super) leave: String,
}

/// Whether the event proved to be another one, under its own id or its number.
const MERGED: &str = "EXISTS (SELECT 1 FROM event_alias a WHERE a.alias IN (e.event_id, e.number) \
     AND a.event_id <> e.event_id)";

impl Dialect {
    /// `aliases`: a function over rows that answers a sorted JSON array of `alias`. `elements`: a table with a column
    /// `value`, of the elements of the JSON array in `$3`.
    pub(super) fn new(aliases: &str, elements: &str) -> Self {
        let columns = format!(
            "SELECT event_id, number, state, severity, scope, impact_started_at_ms, declared_at_ms, recovered_at_ms, \
             resolved_at_ms, streak_s, cause_json, updated_at_ms, near_miss_json, \
             (SELECT {aliases} FROM event_alias a WHERE a.event_id = e.event_id) AS aliases, \
             (SELECT count(*) FROM event_device d WHERE d.event_id = e.event_id) AS affected, \
             (SELECT count(*) FROM event_device d WHERE d.event_id = e.event_id AND d.left_at_ms IS NULL) \
             AS members FROM event e "
        );
        Self {
            current: format!("{columns} WHERE event_id = $1"),
            resolve: format!(
                "{columns} WHERE event_id = (SELECT a.event_id FROM event_alias a WHERE a.alias = $1) \
                 OR (NOT EXISTS (SELECT 1 FROM event_alias a WHERE a.alias = $1) \
                 AND (number = $1 OR event_id = $1)) \
                 ORDER BY {MERGED}, declared_at_ms IS NULL, declared_at_ms DESC LIMIT 1"
            ),
            list: format!(
                "{columns} WHERE ($1 OR number IS NOT NULL) \
                 AND (NOT $2 OR (state <> 'resolved' AND near_miss_json IS NULL)) \
                 AND ($5 IS NULL OR updated_at_ms >= $5 OR (number IS NOT NULL AND state <> 'resolved')) \
                 AND ($6 IS NULL OR impact_started_at_ms <= $6) AND NOT {MERGED} \
                 ORDER BY impact_started_at_ms DESC, event_id LIMIT $3 OFFSET $4"
            ),
            enter: format!(
                "INSERT INTO event_device (event_id, device, joined_at_ms) \
                 SELECT $1, value, $2 FROM {elements} WHERE true \
                 ON CONFLICT (event_id, device) DO UPDATE SET left_at_ms = NULL"
            ),
            leave: format!(
                "UPDATE event_device SET left_at_ms = $2 WHERE event_id = $1 AND left_at_ms IS NULL \
                 AND (device IN (SELECT value FROM {elements})) = $4"
            ),
        }
    }
}

/// A database that can be read, but not by this version.
pub(super) fn other_tables(place: impl std::fmt::Display) -> StoreError {
    let detail = "its tables are not those of this version; `serve` brings them up to date".to_owned();
    StoreError::OtherVersion { path: place.to_string(), detail }
}
