//! Where the record of incidents is kept: SQLite, in one file beside the journal, or PostgreSQL, on a server.
//!
//! - The `record_entry` table is the truth and only grows; triggers refuse anything else. `event`, `incident` and what goes with them
//!   follow from it and are written in the same transaction, so a reader never sees one without the other.
//! - Appending is idempotent. A change carries its identity in itself ([`change_key`]), so that a restart which
//!   replays the tail of the journal may hand in the same changes again, and nothing is doubled.
//! - The detector does not wait for the database. [`Writer`] takes changes into a bounded buffer and writes them from
//!   a task of its own; what happens when the database is down for long is said there.
//! - What is written and read is one code for both databases, over the few things in which they differ ([`statement`]).
//!   Which of the two it is says [`Location`].
//!
//! | module | what it owns |
//! |---|---|
//! | [`statement`] | values, rows and transactions of either database |
//! | [`events`] | the detector's events: appending, deriving, reading |
//! | [`incidents`] | the lives of incidents: appending to them, finding them |
//! | [`contacts`] | whom to call about a device |
//! | [`access`] | people, sessions, tokens |
//! | [`answers`] | answers to repeated writes |
//! | [`outbox`] | what is to be said, and what came of it |
//! | [`lazy`] | opened when first needed, and anew once lost |
//! | [`migrations`] | the tables of either database, version by version |
//! | [`rows`] | rows to values and back |
//! | [`sqlite`] | the file: opening it, its errors |
//! | [`postgres`] | the server: reaching it, its errors |
//! | [`writer`] | the task that writes what the detector decides |

mod access;
mod answers;
mod contacts;
mod events;
mod incidents;
mod lazy;
mod migrations;
mod outbox;
mod postgres;
mod rows;
mod sqlite;
mod statement;
mod writer;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;

pub use postgres::{Postgres, Server};
pub use sqlite::Sqlite;
pub use writer::{Failure, Submitted, Writer, WriterConfig, WriterState};

use crate::engine::effect::Change;
use crate::engine::gate::Decision;
use crate::engine::time::Timestamp;
use crate::record::access::AccessStore;
use crate::record::incident::IncidentStore;
use crate::record::outbox::Outbox;
use crate::record::{EventStore, StoreError};

/// What a probe found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Probed {
    /// Identity of the record.
    pub id: String,
    /// The probe before; `None` for the first one of all: the record is new.
    pub before: Option<Timestamp>,
}

/// Everything that is kept in one database.
#[async_trait]
pub trait Store: EventStore + IncidentStore + Outbox + AccessStore {
    /// Derives the tables to read from anew, from the entries alone.
    ///
    /// # Errors
    /// When the record cannot be read or written; then the tables are as before.
    async fn rebuild(&self) -> Result<(), StoreError>;

    /// Writes a little, durably, and answers which record it is: an identity that a record has from its first probe to its end, and
    /// the instant of the probe before.
    ///
    /// # Errors
    /// Why nothing can be written now.
    async fn probe(&self, now: Timestamp) -> Result<Probed, StoreError>;

    /// Waits for the connections to close. Nothing can be read or written afterwards.
    async fn close(&self);
}

/// Which database it is.
#[derive(Clone, Debug)]
pub enum Location {
    /// A file of SQLite; its directory has to be there.
    File(PathBuf),
    /// A database on a server of PostgreSQL.
    Server(Server),
}

impl Location {
    /// Opens the database, checks it, and brings its tables up to date.
    ///
    /// # Errors
    /// When it cannot be had or used; the message says what to do.
    pub async fn open(&self) -> Result<Arc<dyn Store>, StoreError> {
        Ok(match self {
            Self::File(path) => Arc::new(Sqlite::open(path).await?),
            Self::Server(server) => Arc::new(Postgres::open(server).await?),
        })
    }

    /// The database, opened when it is first needed, and tried again for as long as that fails: a record that is late or away is
    /// no reason not to start.
    pub fn keep(&self) -> Arc<dyn Store> {
        match self {
            Self::File(path) => Arc::new(Sqlite::at(path)),
            Self::Server(server) => Arc::new(Postgres::at(server)),
        }
    }

    /// The directory of the file; `None` on a server.
    pub fn directory(&self) -> Option<PathBuf> {
        match self {
            Self::File(path) => {
                let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
                Some(parent.unwrap_or(Path::new(".")).to_owned())
            }
            Self::Server(_) => None,
        }
    }

    /// Opens the database only to read from it, beside the process that writes. Nothing is made and nothing changed.
    ///
    /// # Errors
    /// When it is not there, is no record of this version, or cannot be read.
    pub async fn open_to_read(&self) -> Result<Arc<dyn Store>, StoreError> {
        Ok(match self {
            Self::File(path) => Arc::new(Sqlite::open_to_read(path).await?),
            Self::Server(server) => Arc::new(Postgres::open_to_read(server).await?),
        })
    }
}

/// The path, or the address without the password.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Server(server) => server.fmt(f),
        }
    }
}

/// The identity of a change: the same for every delivery of the same decision, different for different decisions.
///
/// It is made of what was decided (event, kind, instant, length, devices, suspect, aliases) and not of how sure the detector was, so
/// that it does not hang on the last digit of a confidence.
pub fn change_key(change: &Change) -> String {
    let mut sum = 0;
    for device in &change.devices {
        sum = crc32c::crc32c_append(sum, device.as_str().as_bytes());
        sum = crc32c::crc32c_append(sum, b"\n");
    }
    if let Some(cause) = &change.cause {
        sum = crc32c::crc32c_append(sum, cause.suspect.kind.as_bytes());
        sum = crc32c::crc32c_append(sum, b"=");
        sum = crc32c::crc32c_append(sum, cause.suspect.value.as_bytes());
    }
    for alias in &change.aliases {
        sum = crc32c::crc32c_append(sum, b"+");
        sum = crc32c::crc32c_append(sum, alias.as_bytes());
    }
    let Change { kind, at, streak_s, event_id, .. } = change;
    format!("{}/{}/{streak_s}/{sum:08x}/{event_id}", at.as_ms(), kind.as_str())
}

/// The identity of a decision about an update: who decided what about which version, when and because of which event.
pub fn gate_key(decision: &Decision) -> String {
    let Decision { at, gate, version, by, event, .. } = decision;
    format!("{}/gate/{}/{version}/{by}/{}", at.as_ms(), gate.as_str(), event.as_deref().unwrap_or("-"))
}
