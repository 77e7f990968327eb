//! What is SQLite's own: the file, its directory, its locks.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use fleetwatch::engine::effect::ChangeKind;
use fleetwatch::record::EventStore;
use fleetwatch::store::{Sqlite, Store};

use crate::sample::{NOW, change};

async fn open(dir: &Path) -> Sqlite {
    Sqlite::open(&dir.join("incidents.db")).await.unwrap()
}

#[tokio::test]
async fn what_is_wrong_with_the_file_is_said_in_words() {
    let dir = tempfile::tempdir().unwrap();
    let error = Sqlite::open(&dir.path().join("nowhere/incidents.db")).await.unwrap_err();
    assert_eq!(error.reason(), "no_directory");
    assert!(error.to_string().contains("nowhere"), "{error}");

    let garbage = dir.path().join("garbage.db");
    std::fs::write(&garbage, vec![0x5a; 8192]).unwrap();
    let error = Sqlite::open(&garbage).await.unwrap_err();
    assert_eq!(error.reason(), "damaged", "{error}");
    assert!(error.to_string().contains("move it away"), "{error}");

    let a_directory = dir.path().join("incidents.db");
    std::fs::create_dir(&a_directory).unwrap();
    let error = Sqlite::open(&a_directory).await.unwrap_err();
    assert_eq!(error.reason(), "unwritable", "{error}");
}

#[tokio::test]
async fn a_page_damaged_in_the_middle_is_found_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    for minute in 0..40 {
        let at = NOW.plus_ms(minute * 60_000);
        store.append(&[change(ChangeKind::Joined, at, &(1..900).collect::<Vec<_>>())], NOW).await.unwrap();
    }
    store.close().await;
    let path = dir.path().join("incidents.db");
    let mut bytes = std::fs::read(&path).unwrap();
    // The head of every page from the fourth on: the first three hold the schema.
    for page in (3..bytes.len() / 4096).step_by(2) {
        bytes[page * 4096..page * 4096 + 64].fill(0xa5);
    }
    std::fs::write(&path, &bytes).unwrap();
    let error = Sqlite::open(&path).await.unwrap_err();
    assert_eq!(error.reason(), "damaged", "{error}");
}

#[tokio::test]
async fn an_unwritable_directory_is_said_in_words() {
    let dir = tempfile::tempdir().unwrap();
    let mut locked = dir.path().join("locked");
    std::fs::create_dir(&locked).unwrap();
    std::fs::set_permissions(&locked, std::fs::Permissions::from_mode(0o555)).unwrap();
    if std::fs::write(locked.join("probe"), "x").is_ok() {
        // The superuser may write into any directory but this one.
        locked = "/proc".into();
    }
    let error = Sqlite::open(&locked.join("incidents.db")).await.unwrap_err();
    assert_eq!(error.reason(), "unwritable", "{error}");
    assert!(error.to_string().contains("owner"), "{error}");
}
