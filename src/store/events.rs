//! The record of incidents on either database: appending, deriving, reading.

use async_trait::async_trait;

use super::rows::{self, change_of, event_of, gate_of, membership_of};
use super::statement::{Database, Tx, json, values};
use super::{Probed, Store, change_key, gate_key, incidents};
use crate::engine::effect::{Change, ChangeKind};
use crate::engine::gate::Decision;
use crate::engine::time::Timestamp;
use crate::record::{Appended, EventQuery, EventRecord, EventStore, EventSummary, RecordedGate, StoreError};

/// Most incidents in a row that each proved to be the next.
const MOST_ALIASES: u32 = 16;

/// Who decides what the engine returns.
const DETECTOR: &str = "detector";

#[async_trait]
impl<D: Database> Store for D {
    async fn rebuild(&self) -> Result<(), StoreError> {
        let mut tx = self.write_without_timeout().await?;
        let ids =
            tx.rows("SELECT DISTINCT event_id FROM record_entry WHERE kind NOT IN ('gate', 'incident')", &[]).await?;
        tx.run("DELETE FROM event", &[]).await?;
        for row in ids {
            derive_again(&mut *tx, &row.text("event_id")?).await?;
        }
        incidents::rebuild(&mut *tx).await?;
        tx.commit().await
    }

    async fn probe(&self, now: Timestamp) -> Result<Probed, StoreError> {
        let mut tx = self.write().await?;
        let sql = "SELECT identity, probed_at_ms FROM record_identity";
        let found = tx.row(sql, &[]).await?;
        let (id, before) = match found {
            Some(row) => (row.text("identity")?, Some(row.at("probed_at_ms")?)),
            None => (format!("{:032x}", rand::random::<u128>()), None),
        };
        tx.run(
            "INSERT INTO record_identity (id, identity, made_at_ms, probed_at_ms) VALUES (1, $1, $2, $2) \
             ON CONFLICT (id) DO UPDATE SET probed_at_ms = $2",
            values![&id, now],
        )
        .await?;
        tx.commit().await?;
        Ok(Probed { id, before })
    }

    async fn close(&self) {
        self.shut().await;
    }
}

#[async_trait]
impl<D: Database> EventStore for D {
    async fn append(&self, changes: &[Change], recorded_at: Timestamp) -> Result<Appended, StoreError> {
        let mut tx = self.write().await?;
        let mut appended = Appended::default();
        for change in changes {
            if write(&mut *tx, change, recorded_at).await? {
                appended.written += 1;
            } else {
                appended.known += 1;
            }
        }
        tx.commit().await?;
        Ok(appended)
    }

    async fn append_gates(&self, decisions: &[Decision], recorded_at: Timestamp) -> Result<Appended, StoreError> {
        let mut tx = self.write().await?;
        let mut appended = Appended::default();
        for decision in decisions {
            let json = json(decision)?;
            let event_id = decision.event.clone().unwrap_or_else(|| format!("gate/{}", decision.version));
            let key = gate_key(decision);
            let entry = values![&key, &event_id, rows::GATE, decision.at, recorded_at, &decision.by, &json];
            if tx.run(rows::INSERT, entry).await? > 0 {
                appended.written += 1;
            } else {
                appended.known += 1;
            }
        }
        tx.commit().await?;
        Ok(appended)
    }

    async fn gates(&self) -> Result<Vec<RecordedGate>, StoreError> {
        let mut tx = self.read().await?;
        let rows = tx.rows(rows::ALL_GATES, &[]).await?;
        tx.commit().await?;
        rows.iter().map(gate_of).collect()
    }

    async fn events(&self, query: EventQuery) -> Result<Vec<EventSummary>, StoreError> {
        let mut tx = self.read().await?;
        let EventQuery { with_warnings, open_only, since, until, limit, offset } = query;
        let list = &tx.dialect().list;
        let rows = tx.rows(list, values![with_warnings, open_only, limit, offset, since, until]).await?;
        tx.commit().await?;
        rows.iter().map(event_of).collect()
    }

    async fn event(&self, id: &str) -> Result<Option<EventRecord>, StoreError> {
        // One transaction, so that the parts are of one instant.
        let mut tx = self.read().await?;
        let Some(event) = resolve(&mut *tx, id).await? else {
            tx.commit().await?;
            return Ok(None);
        };
        let devices = tx.rows(rows::DEVICES, values![&event.event_id]).await?;
        let changes = tx.rows(rows::HISTORY, values![&event.event_id]).await?;
        let gates = tx.rows(rows::GATES_OF, values![&event.event_id]).await?;
        tx.commit().await?;
        Ok(Some(EventRecord {
            devices: devices.iter().map(membership_of).collect::<Result<_, _>>()?,
            changes: changes.iter().map(change_of).collect::<Result<_, _>>()?,
            gates: gates.iter().map(gate_of).collect::<Result<_, _>>()?,
            event,
        }))
    }

    async fn highest_number(&self) -> Result<u64, StoreError> {
        let mut tx = self.read().await?;
        // What was split off by a person has a number that no event of the detector has.
        let sql = "SELECT number FROM event WHERE number IS NOT NULL UNION SELECT number FROM incident";
        let rows = tx.rows(sql, &[]).await?;
        tx.commit().await?;
        let numbers = rows.iter().map(|row| row.text("number").map(|number| counted(&number)));
        numbers.collect::<Result<Vec<u64>, _>>().map(|numbers| numbers.into_iter().max().unwrap_or(0))
    }
}

/// The count in an incident's number: 12 of `INC-2026-0012` and of `INC-0012`, as it was before; 0 where there is none.
fn counted(number: &str) -> u64 {
    let (_, count) = number.rsplit_once('-').unwrap_or_default();
    let digits = count.len() - count.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    count[..digits].parse().unwrap_or(0)
}

/// Writes one change; `false` when it was in the record already.
async fn write(tx: &mut Tx, change: &Change, recorded_at: Timestamp) -> Result<bool, StoreError> {
    let (key, json) = (change_key(change), json(change)?);
    let entry = values![&key, &change.event_id, change.kind.as_str(), change.at, recorded_at, DETECTOR, &json];
    if tx.run(rows::INSERT, entry).await? == 0 {
        return Ok(false);
    }
    match current(tx, &change.event_id).await? {
        // It was held back until later ones were written: only the whole history in its order gives the right state.
        Some(before) if change.at < before.updated_at => derive_again(tx, &change.event_id).await?,
        before => derive(tx, before, change).await?,
    }
    Ok(true)
}

async fn current(tx: &mut Tx, event_id: &str) -> Result<Option<EventSummary>, StoreError> {
    let row = tx.row(&tx.dialect().current, values![event_id]).await?;
    row.as_ref().map(event_of).transpose()
}

/// The event with this number or id; where it proved to be another one, that one.
async fn resolve(tx: &mut Tx, id: &str) -> Result<Option<EventSummary>, StoreError> {
    let mut wanted = id.to_owned();
    let mut found = None;
    // What became another may have become a third; a record that says so in a circle ends here.
    for _ in 0..MOST_ALIASES {
        let Some(row) = tx.row(&tx.dialect().resolve, values![&wanted]).await? else { break };
        let event = event_of(&row)?;
        let next = tx
            .row(
                "SELECT alias FROM event_alias WHERE alias IN ($1, $2) AND event_id <> $1 LIMIT 1",
                values![&event.event_id, &event.number],
            )
            .await?;
        found = Some(event);
        match next {
            Some(next) => wanted = next.text("alias")?,
            None => break,
        }
    }
    Ok(found)
}

/// Applies one change to the tables to read from.
async fn derive(tx: &mut Tx, before: Option<EventSummary>, change: &Change) -> Result<(), StoreError> {
    let event = match before {
        Some(before) => before.after(change),
        None => EventSummary::begun_by(change),
    };
    rows::put(tx, &event).await?;
    rows::put_aliases(tx, change).await?;
    match change.kind {
        ChangeKind::EarlyWarning | ChangeKind::Joined => enter(tx, change).await,
        ChangeKind::Declared => {
            enter(tx, change).await?;
            leave(tx, change, false).await
        }
        ChangeKind::Left => leave(tx, change, true).await,
        ChangeKind::CauseChanged | ChangeKind::Recovered | ChangeKind::Resolved => Ok(()),
    }
}

/// The change's devices are members.
async fn enter(tx: &mut Tx, change: &Change) -> Result<(), StoreError> {
    let devices = rows::device_list(change);
    tx.run(&tx.dialect().enter, values![&change.event_id, change.at, &devices]).await?;
    Ok(())
}

/// The change's devices have left, or (`named` = false) everyone who is not among them.
async fn leave(tx: &mut Tx, change: &Change, named: bool) -> Result<(), StoreError> {
    let devices = rows::device_list(change);
    tx.run(&tx.dialect().leave, values![&change.event_id, change.at, &devices, named]).await?;
    Ok(())
}

/// Derives one event's rows from its whole history.
async fn derive_again(tx: &mut Tx, event_id: &str) -> Result<(), StoreError> {
    tx.run("DELETE FROM event WHERE event_id = $1", values![event_id]).await?;
    for row in tx.rows(rows::HISTORY, values![event_id]).await? {
        let change = change_of(&row)?.change;
        let before = current(tx, event_id).await?;
        derive(tx, before, &change).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn the_count_of_a_number_is_what_stands_behind_its_dash() {
        for (number, count) in [
            ("INC-0012", 12),
            ("INC-10000", 10_000),
            ("INC-", 0),
            ("0012", 0),
            ("", 0),
            ("INC-99x", 99),
            ("INC-2026-0007", 7),
        ] {
            assert_eq!(counted(number), count, "{number:?}");
        }
    }
}
