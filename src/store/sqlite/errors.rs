//! What SQLite's errors mean to an operator.

use std::path::Path;
use std::str::FromStr;

use sqlx::migrate::MigrateError;

use crate::record::StoreError;

/// SQLite's primary result codes (<https://www.sqlite.org/rescode.html>).
mod code {
    pub(super) const ERROR: i32 = 1;
    pub(super) const BUSY: i32 = 5;
    pub(super) const LOCKED: i32 = 6;
    pub(super) const READONLY: i32 = 8;
    pub(super) const IOERR: i32 = 10;
    pub(super) const CORRUPT: i32 = 11;
    pub(super) const FULL: i32 = 13;
    pub(super) const CANTOPEN: i32 = 14;
    pub(super) const NOTADB: i32 = 26;
}

/// What an error of an open database means.
pub(super) fn of(path: &Path, error: sqlx::Error) -> StoreError {
    let path = path.display().to_string();
    let detail = error.to_string();
    match primary_code(&error) {
        Some(code::BUSY | code::LOCKED) => StoreError::Busy,
        Some(code::FULL) => StoreError::Full,
        Some(code::READONLY | code::CANTOPEN) => StoreError::Unwritable { path, detail },
        Some(code::CORRUPT | code::NOTADB) => StoreError::Damaged { path, detail },
        Some(code::IOERR) => StoreError::Io { detail },
        Some(code::ERROR) if detail.contains("no such table") => StoreError::OtherVersion { path, detail },
        Some(_) => StoreError::Refused { detail },
        None => match error {
            sqlx::Error::PoolTimedOut => StoreError::Busy,
            sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } | sqlx::Error::ColumnNotFound(_) => {
                StoreError::Foreign { detail }
            }
            _ => StoreError::Io { detail },
        },
    }
}

/// What an error means while the file is being opened: then a failed read is most likely about the file's mode.
pub(super) fn opening(path: &Path, error: sqlx::Error) -> StoreError {
    match of(path, error) {
        StoreError::Refused { detail } => StoreError::Unwritable { path: path.display().to_string(), detail },
        other => other,
    }
}

pub(super) fn migrating(path: &Path, error: MigrateError) -> StoreError {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => of(path, error),
        other => StoreError::OtherVersion { path: path.display().to_string(), detail: other.to_string() },
    }
}

/// The primary result code, without SQLite's extension of it.
fn primary_code(error: &sqlx::Error) -> Option<i32> {
    let code = error.as_database_error()?.code()?;
    i32::from_str(&code).ok().map(|extended| extended & 0xff)
}
