//! The lives of incidents on either database: appending to them, and finding them.

use std::collections::BTreeMap;

use std::collections::BTreeSet;

use async_trait::async_trait;

use super::rows::{self, unreadable};
use super::statement::{Database, Row, Tx, json, values};
use super::{answers, contacts, outbox};
use crate::engine::device::DeviceId;
use crate::engine::time::Timestamp;
use crate::incident::{Action, Incident, IncidentEvent, IncidentSummary};
use crate::record::StoreError;
use crate::record::incident::{
    ContactEntry, IncidentAppend, IncidentQuery, IncidentRecord, IncidentStore, Keep, KeptAnswer, RecordedIncidentEvent,
};

/// What a row of the event table is that belongs to an incident.
pub(super) const CASE: &str = "incident";

/// An incident's events in the order of writing.
const EVENTS: &str =
    "SELECT seq, recorded_at_ms, change_json FROM record_entry WHERE event_id = $1 AND kind = 'incident' ORDER BY seq";

/// Whose incident it is that goes by a name: whose own name it is; else the one that took its bearer in, an open one first.
const NAMED: &str = "SELECT c.event_id FROM incident_name n JOIN incident c ON c.event_id = n.event_id \
     WHERE n.name IN ($1, $2) ORDER BY n.own DESC, c.state = 'closed', c.declared_at_ms DESC, c.event_id LIMIT 1";

const OPEN: &str = "SELECT event_id FROM incident WHERE state <> 'closed' ORDER BY declared_at_ms, event_id";

const LIST: &str = "SELECT summary_json FROM incident c WHERE (NOT $1 OR state <> 'closed') \
     AND ($2 IS NULL OR EXISTS (SELECT 1 FROM incident_device d WHERE d.event_id = c.event_id AND d.device = $2)) \
     ORDER BY declared_at_ms DESC, event_id LIMIT $3 OFFSET $4";

const PUT: &str = "INSERT INTO incident (event_id, number, state, declared_at_ms, closed_at_ms, summary_json) \
     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (event_id) DO UPDATE SET number = $2, state = $3, \
     declared_at_ms = $4, closed_at_ms = $5, summary_json = $6";

#[async_trait]
impl<D: Database> IncidentStore for D {
    async fn append_incidents_once(
        &self,
        appends: &[IncidentAppend<'_>],
        keep: Option<Keep<'_>>,
        recorded_at: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        if let Some(keep) = keep {
            answers::put(&mut *tx, keep, recorded_at).await?;
        }
        for append in appends {
            write(&mut *tx, append, recorded_at).await?;
        }
        tx.commit().await
    }

    async fn incident(&self, id: &str) -> Result<Option<IncidentRecord>, StoreError> {
        let mut tx = self.read().await?;
        let found = tx.row(NAMED, values![id, &id.to_ascii_uppercase()]).await?;
        let incident = match found {
            Some(row) => Some(recorded(&mut *tx, row.text("event_id")?).await?),
            None => None,
        };
        tx.commit().await?;
        Ok(incident)
    }

    async fn open_incidents(&self) -> Result<Vec<IncidentRecord>, StoreError> {
        let mut tx = self.read().await?;
        let mut incidents = Vec::new();
        for row in tx.rows(OPEN, &[]).await? {
            incidents.push(recorded(&mut *tx, row.text("event_id")?).await?);
        }
        tx.commit().await?;
        Ok(incidents)
    }

    async fn incidents(&self, query: &IncidentQuery) -> Result<Vec<IncidentSummary>, StoreError> {
        let IncidentQuery { open_only, device, limit, offset } = query;
        let limit = if *limit == 0 { i64::MAX } else { i64::from(*limit) };
        let device = device.as_ref().map(DeviceId::as_str);
        let mut tx = self.read().await?;
        let rows = tx.rows(LIST, values![*open_only, device, limit, *offset]).await?;
        tx.commit().await?;
        rows.iter().map(|row| row.json("summary_json")).collect()
    }

    async fn put_contacts(&self, contacts: &[ContactEntry], now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        for contact in contacts {
            contacts::put(&mut *tx, contact, now).await?;
        }
        tx.commit().await
    }

    async fn import_contacts(&self, contacts: &[ContactEntry], now: Timestamp) -> Result<bool, StoreError> {
        let mut tx = self.write().await?;
        let is_new = contacts::import(&mut *tx, contacts, now).await?;
        tx.commit().await?;
        Ok(is_new)
    }

    async fn contact(&self, device: &DeviceId) -> Result<Option<ContactEntry>, StoreError> {
        let mut tx = self.read().await?;
        let contact = contacts::of(&mut *tx, device).await?;
        tx.commit().await?;
        Ok(contact)
    }

    async fn find_contacts(&self, text: &str, limit: u32) -> Result<Vec<ContactEntry>, StoreError> {
        let mut tx = self.read().await?;
        let found = contacts::find(&mut *tx, text, limit).await?;
        tx.commit().await?;
        Ok(found)
    }

    async fn devices_of(&self, branches: &[String]) -> Result<BTreeMap<DeviceId, String>, StoreError> {
        let (mut tx, mut found) = (self.read().await?, BTreeMap::new());
        for branch in branches {
            contacts::of_branch(&mut *tx, branch, &mut found).await?;
        }
        tx.commit().await?;
        Ok(found)
    }

    async fn forget_contacts(&self, closed_before: Timestamp) -> Result<u64, StoreError> {
        let mut tx = self.write().await?;
        let forgotten = contacts::forget(&mut *tx, closed_before).await?;
        tx.commit().await?;
        Ok(forgotten)
    }

    async fn forget_devices(
        &self,
        devices: &[DeviceId],
        by: &str,
        reason: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        for device in devices {
            contacts::note_forgotten(&mut *tx, device, by, reason, now).await?;
        }
        tx.commit().await
    }

    async fn keep_devices(&self, devices: &[DeviceId], at: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        for device in devices {
            contacts::not_forgotten(&mut *tx, device, at).await?;
        }
        tx.commit().await
    }

    async fn drop_contacts(&self, devices: &[DeviceId]) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        for device in devices {
            contacts::drop(&mut *tx, device).await?;
        }
        tx.commit().await
    }

    async fn kept_answer(&self, who: &str, key: &str) -> Result<Option<KeptAnswer>, StoreError> {
        let mut tx = self.read().await?;
        let answer = answers::of(&mut *tx, who, key).await?;
        tx.commit().await?;
        Ok(answer)
    }
}

/// The identity of an incident's event: which one of which incident. Two writers that both take it for the next one cannot both be
/// right, and the database knows it.
fn key(id: &str, number: u64) -> String {
    format!("incident/{id}/{number}")
}

/// Adds events to one incident, with what follows from them.
async fn write(tx: &mut Tx, append: &IncidentAppend<'_>, recorded_at: Timestamp) -> Result<(), StoreError> {
    let IncidentAppend { id, expected, events, after, messages } = append;
    let sql = "SELECT count(*) AS version FROM record_entry WHERE event_id = $1 AND kind = 'incident'";
    let version = tx.row(sql, values![*id]).await?.map_or(Ok(0), |row| row.count("version"))?;
    if version != *expected {
        // Whoever could not hear that it was written writes it again: the same events at the same place are no conflict.
        return if is_written(tx, append).await? { Ok(()) } else { Err(StoreError::Conflict) };
    }
    for (number, event) in (*expected + 1..).zip(*events) {
        let (key, json) = (key(id, number), json(event)?);
        tx.run(rows::INSERT, values![&key, *id, CASE, event.at, recorded_at, &event.by, &json]).await?;
    }
    derive(tx, id, events, after).await?;
    outbox::put(tx, messages, recorded_at).await?;
    Ok(())
}

/// Whether exactly these events stand where they are to be written.
async fn is_written(tx: &mut Tx, append: &IncidentAppend<'_>) -> Result<bool, StoreError> {
    for (number, event) in (append.expected + 1..).zip(append.events) {
        let sql = "SELECT seq FROM record_entry WHERE change_key = $1 AND change_json = $2";
        if tx.row(sql, values![&key(append.id, number), &json(event)?]).await?.is_none() {
            return Ok(false);
        }
    }
    Ok(!append.events.is_empty())
}

/// Writes what lists and searches read: the incident in short, its names, its devices.
async fn derive(tx: &mut Tx, id: &str, events: &[IncidentEvent], after: &IncidentSummary) -> Result<(), StoreError> {
    let IncidentSummary { number, state, declared_at, closed_at, .. } = after;
    let json = json(after)?;
    tx.run(PUT, values![id, number, state.as_str(), *declared_at, *closed_at, &json]).await?;
    let own = [id.to_owned(), number.clone(), number.to_ascii_uppercase()];
    let others = after.event_ids.iter().chain(&after.aliases).filter(|name| !own.contains(name));
    for (name, is_own) in own.iter().map(|name| (name, 1_i64)).chain(others.map(|name| (name, 0))) {
        let sql = "INSERT INTO incident_name (name, event_id, own) VALUES ($1, $2, $3) ON CONFLICT (name, event_id) DO NOTHING";
        tx.run(sql, values![name, id, is_own]).await?;
    }
    for device in events.iter().flat_map(|event| joined(&event.action)) {
        let sql =
            "INSERT INTO incident_device (device, event_id) VALUES ($1, $2) ON CONFLICT (device, event_id) DO NOTHING";
        tx.run(sql, values![device.as_str(), id]).await?;
    }
    Ok(())
}

/// Devices that an action makes part of the incident.
fn joined(action: &Action) -> BTreeSet<&DeviceId> {
    let joins = matches!(action, Action::Opened(_) | Action::Joined { .. } | Action::Absorbed { .. });
    if joins { action.devices().into_iter().collect() } else { BTreeSet::new() }
}

/// Derives what lists and searches read from every incident's events.
pub(super) async fn rebuild(tx: &mut Tx) -> Result<(), StoreError> {
    tx.run("DELETE FROM incident", &[]).await?;
    for row in tx.rows("SELECT DISTINCT event_id FROM record_entry WHERE kind = 'incident'", &[]).await? {
        let incident = recorded(tx, row.text("event_id")?).await?;
        let events: Vec<IncidentEvent> = incident.events.into_iter().map(|recorded| recorded.event).collect();
        // An incident that does not begin with its opening was not written by this program, and nothing can be said of it.
        if let Some(after) = Incident::of(&events) {
            derive(tx, &incident.id, &events, &after.summary()).await?;
        }
    }
    Ok(())
}

async fn recorded(tx: &mut Tx, id: String) -> Result<IncidentRecord, StoreError> {
    let rows = tx.rows(EVENTS, values![&id]).await?;
    Ok(IncidentRecord { events: rows.iter().map(event_of).collect::<Result<_, _>>()?, id })
}

fn event_of(row: &Row) -> Result<RecordedIncidentEvent, StoreError> {
    let seq = row.int("seq")?;
    Ok(RecordedIncidentEvent {
        seq,
        recorded_at: row.at("recorded_at_ms")?,
        event: row.json("change_json").map_err(|error| unreadable(seq, error))?,
    })
}
