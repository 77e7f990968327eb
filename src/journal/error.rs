//! Errors and the state of the journal, in words that say what to do.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Why an entry was not accepted. Nothing of it was kept, so it must not be acknowledged.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AppendError {
    /// As much is waiting for the disk as may wait: back-pressure. There is room once `durable` moves.
    #[error("the journal's buffer is full: the disk is slower than the messages come")]
    Full,
    /// The disk refuses; [`JournalState`] says why. It goes on by itself, and then `durable` moves.
    #[error("the journal cannot write ({reason}); nothing is accepted until it can")]
    Failing {
        /// The closed reason, see [`Trouble::reason`].
        reason: &'static str,
    },
    /// No frame holds this much; it would never be accepted.
    #[error("an entry of {bytes} bytes is longer than the journal keeps")]
    TooLarge {
        /// Bytes of topic and payload.
        bytes: usize,
    },
    /// The journal has been closed.
    #[error("the journal is closed")]
    Closed,
}

impl AppendError {
    /// Every value of [`reason`](Self::reason).
    pub const REASONS: &[&str] = &["full", "failing", "too_large", "closed"];

    /// A closed word, for a metric's label.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Failing { .. } => "failing",
            Self::TooLarge { .. } => "too_large",
            Self::Closed => "closed",
        }
    }

    /// Whether the same entry may be accepted later.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Full | Self::Failing { .. })
    }
}

/// Why a journal or a checkpoint could not be opened, read, written or closed.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Another process has the directory.
    #[error("{} is in use by another fleetwatch: stop it, or give this one its own directory", dir.display())]
    Locked {
        /// The directory.
        dir: PathBuf,
    },
    /// A step of work on the disk failed.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// The step, as in "cannot {what} the file".
        what: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file was written by a newer version of fleetwatch.
    #[error(
        "{} has format version {version}, this fleetwatch reads up to {known}: run the newer fleetwatch, or move the \
         file away to start without it",
        path.display()
    )]
    NewerVersion {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u16,
        /// The newest version that is understood.
        known: u16,
    },
    /// A setting that cannot work.
    #[error("journal settings: {0}")]
    Settings(&'static str),
    /// The journal was closed while the disk refused; these entries were accepted but never reported durable.
    #[error("{entries} entries could not be written before the journal was closed; none of them was acknowledged")]
    Unwritten {
        /// How many.
        entries: u64,
    },
}

impl JournalError {
    /// Every value of [`reason`](Self::reason).
    pub const REASONS: &[&str] = &["locked", "io", "newer_version", "settings", "unwritten"];

    /// A closed word, for a metric's label.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Locked { .. } => "locked",
            Self::Io { .. } => "io",
            Self::NewerVersion { .. } => "newer_version",
            Self::Settings(_) => "settings",
            Self::Unwritten { .. } => "unwritten",
        }
    }

    /// Wraps what the operating system said with the step and the file; for `map_err`.
    pub(super) fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { what, path: path.into(), source }
    }
}

/// Whether the journal can write.
#[derive(Clone, PartialEq, Debug)]
pub enum JournalState {
    /// It can.
    Ok,
    /// It cannot: nothing is accepted, nothing becomes durable, and it is tried again and again.
    Failing(Trouble),
}

impl JournalState {
    /// Whether the journal can write.
    pub fn is_ok(&self) -> bool {
        matches!(self, Self::Ok)
    }
}

/// What stops the journal.
#[derive(Clone, PartialEq, Debug)]
pub struct Trouble {
    /// When it began, on the monotonic clock.
    pub since: Instant,
    /// The closed kind: `no_space`, `limit` (it has reached its own size limit), `read_only`, `permission`, `io` or
    /// `other`.
    pub reason: &'static str,
    /// The step, the file and what the operating system said.
    pub what: String,
}

impl Trouble {
    /// Every value of [`reason`](Self::reason).
    pub const REASONS: &[&str] = &["no_space", "limit", "read_only", "permission", "io", "other"];

    pub(super) fn new(since: Instant, error: &JournalError) -> Self {
        Self { since, reason: kind(error), what: error.to_string() }
    }

    /// The reserve has been spent on a full disk.
    pub(super) fn no_space(since: Instant, dir: &Path) -> Self {
        Self { since, reason: "no_space", what: format!("the file system of {} is full", dir.display()) }
    }

    /// Every segment is still needed, and together they have the size that is allowed.
    pub(super) fn limit(since: Instant, dir: &Path, bytes: u64) -> Self {
        let (dir, mib) = (dir.display(), bytes >> 20);
        Self {
            since,
            reason: "limit",
            what: format!("{dir} has reached its size limit ({mib} MiB) and may remove nothing"),
        }
    }

    /// What a person should do about it.
    pub fn advice(&self) -> &'static str {
        match self.reason {
            "no_space" => "free space on its file system, or lower journal.max_size_mib",
            "limit" => "a checkpoint is needed (the log says why there is none), or a higher journal.max_size_mib",
            "read_only" => "the file system is read-only: look for disk errors, then mount it writable again",
            "permission" => "let the service's user write to the directory",
            "io" => "the disk reports errors: check it, and move the journal to another one",
            _ => "check the directory and its file system",
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; nothing is acknowledged until it can be written; {}", self.what, self.advice())
    }
}

/// Whether a step failed because the file system, or our share of it, is full: what removing files helps against.
pub(super) fn is_no_space(error: &JournalError) -> bool {
    let JournalError::Io { source, .. } = error else { return false };
    matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn kind(error: &JournalError) -> &'static str {
    let JournalError::Io { source, .. } = error else { return "other" };
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => "no_space",
        io::ErrorKind::ReadOnlyFilesystem => "read_only",
        io::ErrorKind::PermissionDenied => "permission",
        _ if source.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => "io",
        _ => "other",
    }
}
