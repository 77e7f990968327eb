//! Rows of the record: the events of an incident as another version, a damaged disk or a person may have left them. They are folded
//! into the incident, and everything that is said about it is said.

use std::sync::OnceLock;

use fleetwatch::incident::{Incident, IncidentEvent};

use crate::{edit, life};

/// The rows of an incident on its second day.
fn rows() -> &'static [u8] {
    static ROWS: OnceLock<Vec<u8>> = OnceLock::new();
    ROWS.get_or_init(|| {
        let told = life::later(life::NUMBER, &[3, 6, 9, 12, 15, 18]);
        let row = |event: &IncidentEvent| serde_json::to_string(event).expect("it is JSON");
        told.events.iter().map(|one| row(&one.event)).collect::<Vec<_>>().join("\n").into_bytes()
    })
}

/// Once, with these bytes.
pub fn run(data: &[u8]) {
    let rows = edit::edited(rows(), data);
    let events: Vec<IncidentEvent> =
        rows.split(|byte| *byte == b'\n').filter_map(|row| serde_json::from_slice(row).ok()).collect();
    let Some(incident) = Incident::of(&events) else { return };
    let _ = (incident.summary(), incident.by_branch(), incident.is_mitigated(), incident.remedied());
    for event in &events {
        let _ = incident.notices(event);
    }
}
