//! The migrations of either database, built into the program.
//!
//! The lists name the files because sqlx's `migrate!` costs too much: its macros build the drivers of both databases
//! and SQLite's C a second time, for the compiler. A test holds each list against its folder.

use std::borrow::Cow;

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// The files of one folder: (name, text).
macro_rules! files {
    ($folder:literal, $($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("migrations/", $folder, "/", $name, ".sql")))),+]
    };
}

const SQLITE: &[(&str, &str)] = files!(
    "sqlite",
    "0001_incident_record",
    "0002_gate_decisions",
    "0003_near_misses_and_aliases",
    "0004_outbox",
    "0005_cases",
    "0010_access",
    "0011_contact_import",
    "0012_record_identity",
    "0020_untold",
    "0021_forgotten_device",
    "0022_events_and_incidents",
    "0023_event_is_pending",
);

const POSTGRES: &[(&str, &str)] = files!(
    "postgres",
    "0001_incident_record",
    "0002_outbox",
    "0003_cases",
    "0010_access",
    "0011_contact_import",
    "0012_record_identity",
    "0020_untold",
    "0021_forgotten_device",
    "0022_events_and_incidents",
    "0023_event_is_pending",
);

pub(super) fn sqlite() -> Migrator {
    migrator(SQLITE)
}

pub(super) fn postgres() -> Migrator {
    migrator(POSTGRES)
}

fn migrator(files: &'static [(&'static str, &'static str)]) -> Migrator {
    Migrator::with_migrations(files.iter().map(|(name, text)| migration(name, text)).collect())
}

/// What sqlx makes of a file of this name: the version, then the description.
fn migration(name: &'static str, text: &'static str) -> Migration {
    let (version, description) = name.split_once('_').unwrap_or((name, ""));
    let version = version.parse().unwrap_or_default();
    let description = Cow::Owned(description.replace('_', " "));
    let outside_a_transaction = text.starts_with("-- no-transaction");
    Migration::new(version, description, MigrationType::Simple, text.into_sql_str(), outside_a_transaction)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    async fn assert_complete(built_in: Migrator, folder: &str) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/migrations").join(folder);
        let found = Migrator::new(folder).await.unwrap();
        let parts = |migrator: Migrator| -> Vec<_> {
            let part = |one: &Migration| {
                let text = one.sql.as_str().to_string();
                (one.version, one.description.to_string(), one.migration_type, text, one.checksum.to_vec(), one.no_tx)
            };
            migrator.iter().map(part).collect()
        };
        assert_eq!(parts(built_in), parts(found));
    }

    #[tokio::test]
    async fn the_lists_name_every_file_as_sqlx_reads_it() {
        assert_complete(sqlite(), "sqlite").await;
        assert_complete(postgres(), "postgres").await;
    }
}
