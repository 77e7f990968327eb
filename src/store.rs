//! Where the record of incidents is kept: SQLite, in one file beside the journal.
//!
//! - The `event` table is the truth and only grows; triggers refuse anything else. `incident` and `incident_device`
//!   follow from it and are written in the same transaction, so a reader never sees one without the other.
//! - Appending is idempotent. A change carries its identity in itself ([`change_key`]), so that a restart which
//!   replays the tail of the journal may hand in the same changes again, and nothing is doubled.
//! - The detector does not wait for the database. [`Writer`] takes changes into a bounded buffer and writes them from
//!   a task of its own; what happens when the database is down for long is said there.
//! - [`crate::record::IncidentStore`] is the repository's contract. Another database implements it beside [`Sqlite`].

mod sqlite;
mod writer;

pub use sqlite::Sqlite;
pub use writer::{Failure, Submitted, Writer, WriterConfig, WriterState};

use crate::engine::effect::Change;
use crate::engine::gate::Decision;

/// The identity of a change: the same for every delivery of the same decision, different for different decisions.
///
/// It is made of what was decided (event, kind, instant, length, devices, suspect, aliases) and not of how sure the detector was, so
/// that it does not hang on the last digit of a confidence.
pub fn change_key(change: &Change) -> String {
    let mut sum = 0;
    for device in &change.devices {
        sum = crc32c::crc32c_append(sum, device.as_str().as_bytes());
        sum = crc32c::crc32c_append(sum, b"\n");
    }
    if let Some(cause) = &change.cause {
        sum = crc32c::crc32c_append(sum, cause.suspect.kind.as_bytes());
        sum = crc32c::crc32c_append(sum, b"=");
        sum = crc32c::crc32c_append(sum, cause.suspect.value.as_bytes());
    }
    for alias in &change.aliases {
        sum = crc32c::crc32c_append(sum, b"+");
        sum = crc32c::crc32c_append(sum, alias.as_bytes());
    }
    let Change { kind, at, streak_s, event_id, .. } = change;
    format!("{}/{}/{streak_s}/{sum:08x}/{event_id}", at.as_ms(), kind.as_str())
}

/// The identity of a decision about an update: who decided what about which version, when and because of which event.
pub fn gate_key(decision: &Decision) -> String {
    let Decision { at, gate, version, by, event, .. } = decision;
    format!("{}/gate/{}/{version}/{by}/{}", at.as_ms(), gate.as_str(), event.as_deref().unwrap_or("-"))
}
