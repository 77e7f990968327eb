//! What is found in a directory: what may be gone on with, and what is gone.

use std::path::PathBuf;

/// What was found in the directory at the start.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Recovery {
    /// Number that the next entry gets.
    pub next_lsn: u64,
    /// Oldest entry that is kept; `next_lsn` when there is none.
    pub oldest_lsn: u64,
    /// Segments found.
    pub segments: usize,
    /// Their size.
    pub bytes: u64,
    /// Bytes of a torn write behind the last whole entry. They were never acknowledged.
    pub torn_bytes: u64,
    /// Damage in the last segment. Earlier ones are verified when they are read.
    pub damaged: Vec<Damage>,
    /// Unfinished segments that were removed; nothing in them was acknowledged that is not elsewhere.
    pub removed_temporary: usize,
}

/// A place where entries are gone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Damage {
    /// The segment.
    pub path: PathBuf,
    /// Where in it the unreadable part begins, in bytes.
    pub offset: u64,
    /// The closed word for what is wrong: `header`, `short`, `length`, `checksum`, `record number`, `content`,
    /// `missing` (the segment ends early) or `removed`.
    pub why: &'static str,
    /// Entries that cannot be read because of it, at least.
    pub lost: u64,
}
