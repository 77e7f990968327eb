//! What PostgreSQL's errors mean to an operator.

use std::time::Duration;

use sqlx::migrate::MigrateError;

use crate::record::StoreError;

/// What an error means, by its SQLSTATE (<https://www.postgresql.org/docs/current/errcodes-appendix.html>). The server's
/// message is told as it is; it names the user and the database, never the password.
pub(super) fn of(place: &str, error: sqlx::Error) -> StoreError {
    let code = error.as_database_error().and_then(|error| error.code().map(|code| code.into_owned()));
    let detail = match error.as_database_error() {
        Some(error) => error.message().to_owned(),
        None => error.to_string(),
    };
    let place = place.to_owned();
    let Some(code) = code else { return without_code(place, detail, &error) };
    if let Some((_, parameter)) = detail.split_once("unsupported startup parameter: ") {
        // What pgbouncer says, with a code that means an away server elsewhere.
        let parameter = parameter.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default();
        let detail = format!(
            "the pooler before it refuses the parameter {parameter}; put {parameter} into ignore_startup_parameters of \
             pgbouncer.ini, or name the server itself in store.url"
        );
        return StoreError::Unsuitable { place, detail };
    }
    match code.as_str() {
        "28000" | "28P01" => StoreError::Denied { place, detail },
        "3D000" => StoreError::NoDatabase { place, detail },
        "25006" | "42501" => StoreError::ReadOnly { place, detail },
        // Cancelled by a time-out, a lock that was not to be had, a conflict, too many connections.
        "57014" | "55P03" | "40001" | "40P01" | "53300" | "25P03" => StoreError::Busy,
        "53100" => StoreError::Full,
        "57P01" | "57P02" | "57P03" | "57P05" => StoreError::Away { place, detail },
        "42P01" | "42703" => StoreError::OtherVersion { path: place, detail },
        "XX001" | "XX002" => StoreError::DamagedServer { place, detail },
        code if code.starts_with("08") => StoreError::Away { place, detail },
        // Out of memory, a failing disk, an internal error.
        code if code.starts_with("53") || code.starts_with("58") || code.starts_with("XX") => StoreError::Io { detail },
        _ => StoreError::Refused { detail },
    }
}

/// What it means that the server has not answered within `limit`.
pub(super) fn silent(place: &str, limit: Duration) -> StoreError {
    StoreError::Away { place: place.to_owned(), detail: format!("no answer within {} s", limit.as_secs()) }
}

pub(super) fn migrating(place: &str, error: MigrateError) -> StoreError {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => of(place, error),
        other => StoreError::OtherVersion { path: place.to_owned(), detail: other.to_string() },
    }
}

/// An error that the server did not send.
fn without_code(place: String, detail: String, error: &sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } | sqlx::Error::ColumnNotFound(_) => {
            StoreError::Foreign { detail }
        }
        sqlx::Error::Configuration(_) => StoreError::Unsuitable { place, detail },
        sqlx::Error::PoolTimedOut => StoreError::Busy,
        // The connection broke, could not be made or encrypted, or speaks something else: there is no server for us.
        _ => StoreError::Away { place, detail },
    }
}
