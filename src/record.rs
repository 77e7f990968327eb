//! The record of incidents as data, and the repository that keeps it.
//!
//! This is the meeting point of two shell modules that do not know each other: `store` implements
//! [`EventStore`], `web` reads from it. The truth is the append-only list of [`RecordedChange`]s; an [`EventSummary`]
//! is what follows from it, and can be derived from it again at any time.
//!
//! | module | what it owns |
//! |---|---|
//! | [`incident`] | an incident's life on record, the contacts of customers, and the repository of both |
//! | [`access`] | who may do what: people, sessions, tokens |
//! | [`mod@derive`] | records derived in memory from a replay's changes |
//! | [`incidents`] | where people see and work on incidents, as an interface |
//! | [`directory`] | people who can be called, and how a channel finds them |
//! | [`distribution`] | the latency distributions that a declaration carries |
//! | [`export`] | one incident as JSON, and its story as CSV |
//! | [`open_items`] | what is open, the worst first, and how far each thing has come, in one word for all |
//! | [`outbox`] | what is to be said to people and programs, until it was |
//! | [`report`] | what a night amounted to |
//! | [`review`] | an incident's review, drafted as Markdown |
//! | [`channel_health`] | how each channel fares over which people are told |
//! | [`phone`] | one telephone number in its several forms |
//! | [`sheet`] | text on its way into a spreadsheet |

pub mod access;
pub mod channel_health;
pub mod derive;
pub mod directory;
pub mod distribution;
pub mod export;
pub mod fleet;
mod gate;
pub mod incident;
pub mod incidents;
pub mod open_items;
pub mod outbox;
pub mod phone;
pub mod report;
pub mod review;
pub mod sheet;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::engine::device::DeviceId;
use crate::engine::effect::{Cause, Change, ChangeKind, EventState, NearMiss, Scope, Severity};
use crate::engine::gate::Decision;
use crate::engine::time::Timestamp;

pub use gate::{GateBoard, GateControl, GateError, RecordedGate, observation};

/// One event in short: what a list shows.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct EventSummary {
    /// Stable from the first warning on.
    pub event_id: String,
    /// Given at declaration.
    pub number: Option<String>,
    pub state: EventState,
    pub severity: Severity,
    pub scope: Scope,
    pub impact_started_at: Timestamp,
    /// First declaration.
    pub declared_at: Option<Timestamp>,
    /// Last recovery; `None` again after a relapse.
    pub recovered_at: Option<Timestamp>,
    pub resolved_at: Option<Timestamp>,
    /// Longest continuous degradation proved so far, in seconds.
    pub streak_s: u64,
    /// The suspect named last.
    pub cause: Option<Cause>,
    /// Devices that ever were members.
    pub affected: u64,
    /// Devices that are members as of the last change.
    pub members: u64,
    /// Instant of the last change.
    pub updated_at: Timestamp,
    /// Why it was not declared, when it was warned of and ended below the hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub near_miss: Option<NearMiss>,
    /// Numbers of incidents, and ids of events, that proved to be this one, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
}

impl EventSummary {
    /// What an event is after its first change. Membership is counted by whoever keeps the members.
    pub fn begun_by(change: &Change) -> Self {
        Self {
            event_id: change.event_id.clone(),
            number: None,
            state: EventState::Pending,
            severity: change.severity,
            scope: change.scope,
            impact_started_at: change.impact_started_at,
            declared_at: None,
            recovered_at: None,
            resolved_at: None,
            streak_s: 0,
            cause: None,
            affected: 0,
            members: 0,
            updated_at: change.at,
            near_miss: None,
            aliases: Vec::new(),
        }
        .after(change)
    }

    /// What the event is after one more change. Changes have to come in the order of their instants.
    #[must_use]
    pub fn after(mut self, change: &Change) -> Self {
        self.number = change.incident.clone().or(self.number);
        self.severity = change.severity;
        self.scope = change.scope;
        self.impact_started_at = change.impact_started_at;
        self.streak_s = self.streak_s.max(change.streak_s);
        self.cause = change.cause.clone().or(self.cause);
        self.updated_at = change.at;
        self.aliases.extend(change.aliases.iter().cloned());
        self.aliases.sort_unstable();
        self.aliases.dedup();
        // Whoever is warned again, or declared after all, has not ended.
        let ended = !matches!(change.kind, ChangeKind::EarlyWarning | ChangeKind::Declared);
        self.near_miss = change.near_miss.or(self.near_miss.filter(|_| ended));
        let before = self.state;
        self.state = before.after(change.kind);
        match change.kind {
            ChangeKind::Declared => self.declared_at = self.declared_at.or(Some(change.at)),
            ChangeKind::Recovered => self.recovered_at = Some(change.at),
            ChangeKind::Resolved => self.resolved_at = Some(change.at),
            ChangeKind::EarlyWarning | ChangeKind::Joined | ChangeKind::Left | ChangeKind::CauseChanged => {}
        }
        if before != self.state && self.state == EventState::Declared {
            self.recovered_at = None;
        }
        self
    }
}

/// One line of an event's history: what changed, when it was decided, by whom, and when it was written down.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RecordedChange {
    /// Order of writing, over all events.
    pub seq: i64,
    /// Who decided: `detector`, or later a person.
    pub actor: String,
    /// When it was written; later than the change's own `at` by the delay of the store.
    pub recorded_at: Timestamp,
    #[serde(flatten)]
    pub change: Change,
}

/// A device's part in an event.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Membership {
    pub device: DeviceId,
    pub joined_at: Timestamp,
    /// `None` while it is a member.
    pub left_at: Option<Timestamp>,
}

/// Everything that is kept about one event.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct EventRecord {
    #[serde(flatten)]
    pub event: EventSummary,
    /// Everyone who ever was a member, sorted by id.
    pub devices: Vec<Membership>,
    /// By instant, then by order of writing.
    pub changes: Vec<RecordedChange>,
    /// Decisions about updates because of this event, the detector's and people's, in the same order.
    #[serde(default)]
    pub gates: Vec<RecordedGate>,
}

/// What is written to the record.
#[derive(Clone, PartialEq, Debug)]
pub enum Entry {
    /// A change of an event.
    Change(Box<Change>),
    /// A decision about an update.
    Gate(Decision),
}

impl From<Change> for Entry {
    fn from(change: Change) -> Self {
        Self::Change(Box::new(change))
    }
}

impl From<Decision> for Entry {
    fn from(decision: Decision) -> Self {
        Self::Gate(decision)
    }
}

impl EventRecord {
    /// The suspect as of when the event was warned of, declared, or last blamed on another: once it recovers, its members
    /// are healthy witnesses again, and counts would speak of after the event.
    pub fn blamed(&self) -> Option<&Cause> {
        let blames = |kind| matches!(kind, ChangeKind::EarlyWarning | ChangeKind::Declared | ChangeKind::CauseChanged);
        let blaming = self.changes.iter().rev().find(|entry| blames(entry.change.kind));
        blaming.and_then(|entry| entry.change.cause.as_ref()).or(self.event.cause.as_ref())
    }
}

/// Which events to list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EventQuery {
    /// Also events that were warned of and never declared.
    pub with_warnings: bool,
    /// Only what is not resolved, and not a near miss.
    pub open_only: bool,
    /// Only what was still open then, or has changed since.
    pub since: Option<Timestamp>,
    /// Only what had begun by then.
    pub until: Option<Timestamp>,
    /// At most this many, the latest impact first.
    pub limit: u32,
    /// Leave out this many first.
    pub offset: u32,
}

impl Default for EventQuery {
    fn default() -> Self {
        Self { with_warnings: false, open_only: false, since: None, until: None, limit: 50, offset: 0 }
    }
}

/// What an append did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Appended {
    /// Changes that were new, and are now in the record.
    pub written: usize,
    /// Changes that were in the record already: a restart had them from the journal a second time.
    pub known: usize,
}

/// Why the record could not be read or written. [`StoreError::reason`] is closed, for metric labels.
#[derive(Clone, Debug, Error)]
pub enum StoreError {
    #[error("the directory {path} of the incident database is not there; make it, or name another one")]
    NoDirectory { path: String },
    #[error("the incident database {path} cannot be written: {detail}; check the owner and the mode of the directory")]
    Unwritable { path: String, detail: String },
    #[error(
        "the incident database {path} is damaged: {detail}; move it away, with its -wal and -shm: a new one is made, and what \
         is known of open events and incidents is written to it; ended ones and users are in a backup only"
    )]
    Damaged { path: String, detail: String },
    #[error("the incident database {path} was made by another version of fleetwatch: {detail}")]
    OtherVersion { path: String, detail: String },
    #[error("the disk of the incident database is full")]
    Full,
    #[error("the incident database is locked by another process, or too slow")]
    Busy,
    #[error("reading or writing the incident database failed: {detail}")]
    Io { detail: String },
    #[error("the incident database refused: {detail}")]
    Refused { detail: String },
    #[error("somebody else changed the incident at the same time; look at it again and repeat")]
    Conflict,
    #[error("this was carried out before, under the same key")]
    Repeated,
    #[error("entry {seq} of the incident record cannot be read: {detail}")]
    Unreadable { seq: i64, detail: String },
    #[error("a row of the incident database is not as fleetwatch writes it: {detail}; restore it from a backup")]
    Foreign { detail: String },
    #[error(
        "the incident database {place} is away: {detail}; check that PostgreSQL runs there, and the address in store.url"
    )]
    Away { place: String, detail: String },
    #[error(
        "the incident database {place} does not let us in: {detail}; check the user in store.url, the password in \
         store.password_file, and the server's pg_hba.conf"
    )]
    Denied { place: String, detail: String },
    #[error(
        "the incident database {place} is not there: {detail}; make it on the server with: createdb --owner USER DATABASE"
    )]
    NoDatabase { place: String, detail: String },
    #[error(
        "the incident database {place} cannot be written: {detail}; name the primary in store.url, and make its user \
         the owner of the database"
    )]
    ReadOnly { place: String, detail: String },
    #[error(
        "the incident database {place} is damaged: {detail}; restore it from a backup, or make it anew: what is known of open \
         events and incidents is written to it; ended ones and users are in a backup only"
    )]
    DamagedServer { place: String, detail: String },
    #[error("the incident database {place} cannot be used: {detail}")]
    Unsuitable { place: String, detail: String },
}

impl StoreError {
    /// Every value of [`StoreError::reason`].
    pub const REASONS: &'static [&'static str] = &[
        "no_directory",
        "unwritable",
        "damaged",
        "other_version",
        "full",
        "busy",
        "io",
        "refused",
        "conflict",
        "unreadable",
        "away",
        "denied",
        "no_database",
        "unsuitable",
    ];

    /// What it is in a few words that anybody may read: no path, no address, no name.
    pub const fn in_brief(&self) -> &'static str {
        match self {
            Self::NoDirectory { .. } => "the directory of the incident database is not there",
            Self::Unwritable { .. } | Self::ReadOnly { .. } => "the incident database cannot be written",
            Self::Damaged { .. } | Self::DamagedServer { .. } | Self::Foreign { .. } | Self::Unreadable { .. } => {
                "the incident database is damaged"
            }
            Self::OtherVersion { .. } => {
                "the incident database was made by another version of fleetwatch, or has no tables"
            }
            Self::Full => "the disk of the incident database is full",
            Self::Busy => "the incident database is locked by another process, or too slow",
            Self::Io { .. } => "reading or writing the incident database failed",
            Self::Refused { .. } => "the incident database refused",
            Self::Conflict | Self::Repeated => "somebody else writes the same incident",
            Self::Away { .. } => "the incident database is away",
            Self::Denied { .. } => "the incident database does not let us in",
            Self::NoDatabase { .. } => "there is no such incident database",
            Self::Unsuitable { .. } => "the incident database cannot be used",
        }
    }

    /// Whether it is about what was to be written or read, and not about the record: others may fare better.
    pub const fn is_of_one_entry(&self) -> bool {
        matches!(
            self,
            Self::Refused { .. } | Self::Conflict | Self::Repeated | Self::Unreadable { .. } | Self::Foreign { .. }
        )
    }

    /// Whether only a person can end it, with another configuration or another program; whatever else it is may pass.
    pub const fn is_for_good(&self) -> bool {
        matches!(self, Self::OtherVersion { .. } | Self::Unsuitable { .. })
    }

    /// A closed name of the failure.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NoDirectory { .. } => "no_directory",
            Self::Unwritable { .. } | Self::ReadOnly { .. } => "unwritable",
            Self::Damaged { .. } | Self::DamagedServer { .. } | Self::Foreign { .. } => "damaged",
            Self::OtherVersion { .. } => "other_version",
            Self::Full => "full",
            Self::Busy => "busy",
            Self::Io { .. } => "io",
            Self::Refused { .. } => "refused",
            Self::Conflict | Self::Repeated => "conflict",
            Self::Unreadable { .. } => "unreadable",
            Self::Away { .. } => "away",
            Self::Denied { .. } => "denied",
            Self::NoDatabase { .. } => "no_database",
            Self::Unsuitable { .. } => "unsuitable",
        }
    }
}

/// Keeps the record of incidents. Implementations are shared between tasks.
#[async_trait]
pub trait EventStore: Send + Sync + std::fmt::Debug {
    /// Adds changes to the record, all or none. A change that is in the record already is left as it is, so that a
    /// restart may bring the same changes again. `recorded_at` is the instant of writing.
    ///
    /// # Errors
    /// When the record cannot be written; then nothing of `changes` was.
    async fn append(&self, changes: &[Change], recorded_at: Timestamp) -> Result<Appended, StoreError>;

    /// Adds decisions about updates, all or none; one that is in the record already is left as it is.
    ///
    /// # Errors
    /// When the record cannot be written; then nothing of `decisions` was.
    async fn append_gates(&self, decisions: &[Decision], recorded_at: Timestamp) -> Result<Appended, StoreError>;

    /// Every decision about updates, in the order in which they were made.
    ///
    /// # Errors
    /// When the record cannot be read.
    async fn gates(&self) -> Result<Vec<RecordedGate>, StoreError>;

    /// Events in short, the latest impact first. An incident that proved to be another one is told with that one.
    ///
    /// # Errors
    /// When the record cannot be read.
    async fn events(&self, query: EventQuery) -> Result<Vec<EventSummary>, StoreError>;

    /// Everything about the event with this incident number or event id; for one that proved to be another, everything
    /// about that one.
    ///
    /// # Errors
    /// When the record cannot be read.
    async fn event(&self, id: &str) -> Result<Option<EventRecord>, StoreError>;

    /// The highest incident number given so far (12 of `INC-2026-0012`), 0 when there is none: an engine that lost its
    /// state goes on above it.
    ///
    /// # Errors
    /// When the record cannot be read.
    async fn highest_number(&self) -> Result<u64, StoreError>;
}
