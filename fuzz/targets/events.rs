//! Rows of the record: the events of an incident as another version, a damaged disk or a person may have left them. They are folded
//! into the incident, and everything that is said about it is said.

use std::sync::OnceLock;

use fleetwatch::engine::incident::{Case, CaseEvent};

use crate::{edit, life};

/// The rows of an incident on its second day.
fn rows() -> &'static [u8] {
    static ROWS: OnceLock<Vec<u8>> = OnceLock::new();
    ROWS.get_or_init(|| {
        let told = life::later(life::NUMBER, &[3, 6, 9, 12, 15, 18]);
        let row = |event: &CaseEvent| serde_json::to_string(event).expect("it is JSON");
        told.events.iter().map(|one| row(&one.event)).collect::<Vec<_>>().join("\n").into_bytes()
    })
}

/// Once, with these bytes.
pub fn run(data: &[u8]) {
    let rows = edit::edited(rows(), data);
    let events: Vec<CaseEvent> =
        rows.split(|byte| *byte == b'\n').filter_map(|row| serde_json::from_slice(row).ok()).collect();
    let Some(case) = Case::of(&events) else { return };
    let _ = (case.summary(), case.by_branch(), case.is_mitigated(), case.remedied());
    for event in &events {
        let _ = case.notices(event);
    }
}
