//! Rows to values and back, the same for both databases.

use super::statement::{Row, Tx, foreign, json, values};
use crate::engine::device::DeviceId;
use crate::engine::effect::{Change, EventState, Scope, Severity};
use crate::record::{EventSummary, Membership, RecordedChange, RecordedGate, StoreError};

/// An event's changes in the order in which they were decided.
pub(super) const HISTORY: &str = "SELECT seq, actor, recorded_at_ms, change_json FROM record_entry \
     WHERE event_id = $1 AND kind NOT IN ('gate', 'incident') ORDER BY at_ms, seq";

/// What a row of the event table is that holds a decision about an update.
pub(super) const GATE: &str = "gate";

/// An event's decisions about updates. Of one instant, a person's comes last: that is the one that stands.
pub(super) const GATES_OF: &str = "SELECT seq, recorded_at_ms, change_json FROM record_entry \
     WHERE event_id = $1 AND kind = 'gate' ORDER BY at_ms, actor <> 'detector', seq";

/// All of them.
pub(super) const ALL_GATES: &str = "SELECT seq, recorded_at_ms, change_json FROM record_entry \
     WHERE kind = 'gate' ORDER BY at_ms, actor <> 'detector', seq";

/// An event's devices.
pub(super) const DEVICES: &str =
    "SELECT device, joined_at_ms, left_at_ms FROM event_device WHERE event_id = $1 ORDER BY device";

/// Writes a row unless there is one with its key.
pub(super) const INSERT: &str = "INSERT INTO record_entry (change_key, event_id, kind, at_ms, recorded_at_ms, actor, change_json) \
     SELECT $1, $2, $3, $4, $5, $6, $7 WHERE NOT EXISTS (SELECT 1 FROM record_entry WHERE change_key = $1)";

/// Inserts or replaces an incident's row, keeping its devices.
pub(super) async fn put(tx: &mut Tx, event: &EventSummary) -> Result<(), StoreError> {
    let cause = event.cause.as_ref().map(json).transpose()?;
    let near_miss = event.near_miss.as_ref().map(json).transpose()?;
    tx.run(
        "INSERT INTO event (event_id, number, state, severity, scope, impact_started_at_ms, declared_at_ms, \
         recovered_at_ms, resolved_at_ms, streak_s, cause_json, updated_at_ms, near_miss_json) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) \
         ON CONFLICT (event_id) DO UPDATE SET number = $2, state = $3, severity = $4, scope = $5, \
         impact_started_at_ms = $6, declared_at_ms = $7, recovered_at_ms = $8, resolved_at_ms = $9, streak_s = $10, \
         cause_json = $11, updated_at_ms = $12, near_miss_json = $13",
        values![
            &event.event_id,
            &event.number,
            event.state.as_str(),
            severity_name(event.severity),
            scope_name(event.scope),
            event.impact_started_at,
            event.declared_at,
            event.recovered_at,
            event.resolved_at,
            event.streak_s,
            &cause,
            event.updated_at,
            &near_miss,
        ],
    )
    .await?;
    Ok(())
}

/// Notes the incidents that the change says are this one.
pub(super) async fn put_aliases(tx: &mut Tx, change: &Change) -> Result<(), StoreError> {
    for alias in &change.aliases {
        tx.run(
            "INSERT INTO event_alias (alias, event_id) VALUES ($1, $2) \
             ON CONFLICT (alias) DO UPDATE SET event_id = $2",
            values![alias, &change.event_id],
        )
        .await?;
    }
    Ok(())
}

/// The change's devices as a JSON array.
pub(super) fn device_list(change: &Change) -> String {
    // Device ids are of `A-Z a-z 0-9 _ -`: nothing to escape.
    let ids: Vec<_> = change.devices.iter().map(|device| format!("\"{device}\"")).collect();
    format!("[{}]", ids.join(","))
}

/// A row of [`super::statement::Dialect::current`] and its like.
pub(super) fn event_of(row: &Row) -> Result<EventSummary, StoreError> {
    let state = row.text("state")?;
    Ok(EventSummary {
        event_id: row.text("event_id")?,
        number: row.maybe_text("number")?,
        state: EventState::from_name(&state).ok_or_else(|| foreign("state", &state))?,
        severity: row.named("severity")?,
        scope: row.named("scope")?,
        impact_started_at: row.at("impact_started_at_ms")?,
        declared_at: row.maybe_at("declared_at_ms")?,
        recovered_at: row.maybe_at("recovered_at_ms")?,
        resolved_at: row.maybe_at("resolved_at_ms")?,
        streak_s: row.count("streak_s")?,
        cause: row.maybe_json("cause_json")?,
        affected: row.count("affected")?,
        members: row.count("members")?,
        updated_at: row.at("updated_at_ms")?,
        near_miss: row.maybe_json("near_miss_json")?,
        aliases: row.json("aliases")?,
    })
}

/// A row of [`HISTORY`].
pub(super) fn change_of(row: &Row) -> Result<RecordedChange, StoreError> {
    let seq = row.int("seq")?;
    Ok(RecordedChange {
        seq,
        actor: row.text("actor")?,
        recorded_at: row.at("recorded_at_ms")?,
        change: row.json("change_json").map_err(|error| unreadable(seq, error))?,
    })
}

/// A row of [`GATES_OF`] or [`ALL_GATES`].
pub(super) fn gate_of(row: &Row) -> Result<RecordedGate, StoreError> {
    let seq = row.int("seq")?;
    Ok(RecordedGate {
        seq,
        recorded_at: row.at("recorded_at_ms")?,
        decision: row.json("change_json").map_err(|error| unreadable(seq, error))?,
    })
}

/// A row of [`DEVICES`].
pub(super) fn membership_of(row: &Row) -> Result<Membership, StoreError> {
    Ok(Membership {
        device: DeviceId::parse(&row.text("device")?).map_err(|error| foreign("device", error))?,
        joined_at: row.at("joined_at_ms")?,
        left_at: row.maybe_at("left_at_ms")?,
    })
}

/// Which entry of the record it is that cannot be read.
pub(super) fn unreadable(seq: i64, error: StoreError) -> StoreError {
    match error {
        StoreError::Foreign { detail } => StoreError::Unreadable { seq, detail },
        other => other,
    }
}

const fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Warning => "warning",
        Severity::Major => "major",
    }
}

const fn scope_name(scope: Scope) -> &'static str {
    match scope {
        Scope::Fleet => "fleet",
        Scope::Isolated => "isolated",
    }
}
