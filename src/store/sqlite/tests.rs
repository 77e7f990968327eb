//! What can only be brought about from inside: a database that may not grow.

use super::*;
use crate::engine::device::DeviceId;
use crate::engine::effect::{Scope, Severity};

fn joined(at_ms: i64) -> Change {
    let id = |number| DeviceId::parse(&format!("B-{number:04}")).unwrap();
    Change {
        at: Timestamp::from_ms(at_ms),
        kind: ChangeKind::Joined,
        event_id: "E-1".to_owned(),
        incident: None,
        severity: Severity::Warning,
        scope: Scope::Fleet,
        impact_started_at: Timestamp::from_ms(0),
        streak_s: 0,
        devices: (0..1_000).map(id).collect(),
        cause: None,
        proof: Vec::new(),
    }
}

#[tokio::test]
async fn a_full_disk_is_said_and_the_record_goes_on_when_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let store = Sqlite::open(&dir.path().join("incidents.db")).await.unwrap();
    store.append(&[joined(1)], Timestamp::from_ms(1)).await.unwrap();
    sqlx::query("PRAGMA max_page_count = 1").execute(&store.writer).await.unwrap();
    let more: Vec<Change> = (2..20).map(joined).collect();
    let error = store.append(&more, Timestamp::from_ms(20)).await.unwrap_err();
    assert_eq!(error.reason(), "full", "{error}");
    assert_eq!(store.incident("E-1").await.unwrap().unwrap().changes.len(), 1, "nothing of the batch is there");

    sqlx::query("PRAGMA max_page_count = 1000000").execute(&store.writer).await.unwrap();
    assert_eq!(store.append(&more, Timestamp::from_ms(21)).await.unwrap().written, more.len());
    assert_eq!(store.incident("E-1").await.unwrap().unwrap().changes.len(), 19);
}
