//! The outbox on either database: what is to be said, and what came of saying it.

use async_trait::async_trait;

use super::statement::{Database, Row, Tx, json, values};
use crate::engine::time::Timestamp;
use crate::record::StoreError;
use crate::record::outbox::{Attempt, Dispatch, NewDispatch, Outbox, Outcome, Untold};

const INSERT: &str = "INSERT INTO outbox (dispatch_key, channel, target, incident, kind, message_json, created_at_ms, \
     due_at_ms, state, attempts) SELECT $1, $2, $3, $4, $5, $6, $7, $8, 'pending', 0 \
     WHERE NOT EXISTS (SELECT 1 FROM outbox WHERE dispatch_key = $1)";

const DUE: &str = "SELECT id, dispatch_key, channel, target, message_json, created_at_ms, due_at_ms, state, attempts \
     FROM outbox WHERE state = 'pending' AND due_at_ms <= $1 ORDER BY due_at_ms, id LIMIT $2";

/// The first due message of each thread of a channel; see [`Outbox::heads`] for what a thread is and who waits for whom.
const HEADS: &str = "SELECT id, dispatch_key, channel, target, message_json, created_at_ms, due_at_ms, state, attempts \
     FROM outbox o WHERE channel = $1 AND state = 'pending' AND due_at_ms <= $2 AND NOT EXISTS (SELECT 1 FROM outbox e \
     WHERE e.incident = o.incident AND e.channel = o.channel AND e.target = o.target AND e.state = 'pending' \
     AND e.id < o.id AND (e.due_at_ms <= $2 OR e.attempts > 0)) ORDER BY id LIMIT $3";

const ATTEMPTS: &str = "SELECT a.dispatch, o.dispatch_key, o.channel, o.target, o.kind, a.at_ms, a.outcome_json \
     FROM outbox_attempt a JOIN outbox o ON o.id = a.dispatch WHERE $1 IS NULL OR o.incident = $1 \
     ORDER BY a.id DESC LIMIT $2";

const THREAD: &str = "SELECT a.reference FROM outbox_attempt a JOIN outbox o ON o.id = a.dispatch \
     WHERE o.channel = $1 AND o.target = $2 AND o.incident = $3 AND a.reference IS NOT NULL ORDER BY a.id DESC LIMIT 1";

/// See [`Outbox::untold`]. Two halves, each with an index of its own.
const UNTOLD: &str = "SELECT o.id, o.dispatch_key, o.channel, o.target, o.message_json, o.created_at_ms, o.due_at_ms, \
     o.state, o.attempts, (SELECT a.outcome_json FROM outbox_attempt a WHERE a.dispatch = o.id ORDER BY a.id DESC LIMIT 1) \
     AS last_json, (SELECT count(*) FROM outbox s WHERE s.incident = o.incident AND s.kind = o.kind AND s.state = 'sent' \
     AND s.message_json = o.message_json) AS elsewhere FROM outbox o WHERE o.id IN (\
     SELECT id FROM outbox WHERE state = 'failed' AND created_at_ms >= $1 UNION ALL \
     SELECT id FROM outbox WHERE state = 'pending' AND created_at_ms <= $2 AND (attempts > 0 OR due_at_ms <= $2)) \
     ORDER BY o.id LIMIT $3";

#[async_trait]
impl<D: Database> Outbox for D {
    async fn enqueue(&self, messages: &[NewDispatch], now: Timestamp) -> Result<usize, StoreError> {
        let mut tx = self.write().await?;
        let new = put(&mut *tx, messages, now).await?;
        tx.commit().await?;
        Ok(new)
    }

    async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<Dispatch>, StoreError> {
        let mut tx = self.read().await?;
        let rows = tx.rows(DUE, values![now, limit]).await?;
        tx.commit().await?;
        rows.iter().map(dispatch_of).collect()
    }

    async fn heads(&self, channel: &str, now: Timestamp, limit: u32) -> Result<Vec<Dispatch>, StoreError> {
        let mut tx = self.read().await?;
        let rows = tx.rows(HEADS, values![channel, now, limit]).await?;
        tx.commit().await?;
        rows.iter().map(dispatch_of).collect()
    }

    async fn attempted(&self, dispatch: i64, at: Timestamp, outcome: &Outcome) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        write(&mut *tx, dispatch, at, outcome).await?;
        tx.commit().await
    }

    async fn attempts(&self, incident: Option<&str>, limit: u32) -> Result<Vec<Attempt>, StoreError> {
        let mut tx = self.read().await?;
        let rows = tx.rows(ATTEMPTS, values![incident, limit]).await?;
        tx.commit().await?;
        rows.iter().map(attempt_of).collect()
    }

    async fn thread(&self, channel: &str, target: &str, incident: &str) -> Result<Option<String>, StoreError> {
        let mut tx = self.read().await?;
        let row = tx.row(THREAD, values![channel, target, incident]).await?;
        tx.commit().await?;
        row.map(|row| row.text("reference")).transpose()
    }

    async fn untold(&self, since: Timestamp, before: Timestamp, limit: u32) -> Result<Vec<Untold>, StoreError> {
        let mut tx = self.read().await?;
        let rows = tx.rows(UNTOLD, values![since, before, limit]).await?;
        tx.commit().await?;
        rows.iter().map(untold_of).collect()
    }

    async fn backlog(&self) -> Result<(u64, Option<Timestamp>), StoreError> {
        let mut tx = self.read().await?;
        // A retry is planned ahead; the message has been due since it was written all the same.
        let sql = "SELECT count(*) AS pending, min(CASE WHEN attempts > 0 THEN created_at_ms ELSE due_at_ms END) \
                   AS oldest_ms FROM outbox WHERE state = 'pending'";
        let row = tx.row(sql, &[]).await?;
        tx.commit().await?;
        row.map_or(Ok((0, None)), |row| Ok((row.count("pending")?, row.maybe_at("oldest_ms")?)))
    }
}

/// Adds messages in a transaction that may write more. Answers how many were new.
pub(super) async fn put(tx: &mut Tx, messages: &[NewDispatch], now: Timestamp) -> Result<usize, StoreError> {
    let mut new = 0;
    for NewDispatch { key, channel, target, message, due_at } in messages {
        let json = json(message)?;
        let row = values![key, channel, target, &message.incident, &message.kind, &json, now, *due_at];
        new += usize::from(tx.run(INSERT, row).await? > 0);
    }
    Ok(new)
}

async fn write(tx: &mut Tx, dispatch: i64, at: Timestamp, outcome: &Outcome) -> Result<(), StoreError> {
    let (name, reference) = match outcome {
        Outcome::Sent { reference } => ("sent", reference.as_deref()),
        Outcome::Retry { .. } => ("retry", None),
        Outcome::Failed { .. } => ("failed", None),
    };
    let json = json(outcome)?;
    let written = tx
        .run(
            "INSERT INTO outbox_attempt (dispatch, at_ms, outcome, reference, outcome_json) \
             SELECT id, $2, $3, $4, $5 FROM outbox WHERE id = $1 \
             AND NOT EXISTS (SELECT 1 FROM outbox_attempt WHERE dispatch = $1 AND at_ms = $2 AND outcome = $3)",
            values![dispatch, at, name, reference, &json],
        )
        .await?;
    if written == 0 {
        let known = tx.row("SELECT id FROM outbox WHERE id = $1", values![dispatch]).await?.is_some();
        // Whoever could not hear that it was written writes it again.
        let unknown = || StoreError::Refused { detail: format!("there is no dispatch {dispatch} in the outbox") };
        return if known { Ok(()) } else { Err(unknown()) };
    }
    tx.run("UPDATE outbox SET attempts = attempts + 1 WHERE id = $1", values![dispatch]).await?;
    match outcome {
        // What was sent is sent, whatever another attempt says before or after it.
        Outcome::Sent { .. } => tx.run("UPDATE outbox SET state = 'sent' WHERE id = $1", values![dispatch]).await?,
        Outcome::Retry { retry_at, .. } => {
            let sql = "UPDATE outbox SET due_at_ms = $2 WHERE id = $1 AND state = 'pending'";
            tx.run(sql, values![dispatch, *retry_at]).await?
        }
        Outcome::Failed { .. } => {
            tx.run("UPDATE outbox SET state = 'failed' WHERE id = $1 AND state = 'pending'", values![dispatch]).await?
        }
    };
    Ok(())
}

fn dispatch_of(row: &Row) -> Result<Dispatch, StoreError> {
    Ok(Dispatch {
        id: row.int("id")?,
        key: row.text("dispatch_key")?,
        channel: row.text("channel")?,
        target: row.text("target")?,
        message: row.json("message_json")?,
        created_at: row.at("created_at_ms")?,
        due_at: row.at("due_at_ms")?,
        state: row.named("state")?,
        attempts: u32::try_from(row.count("attempts")?).unwrap_or(u32::MAX),
    })
}

fn untold_of(row: &Row) -> Result<Untold, StoreError> {
    let last: Option<Outcome> = row.maybe_json("last_json")?;
    Ok(Untold {
        dispatch: dispatch_of(row)?,
        error: last.as_ref().and_then(Outcome::error).map(str::to_owned),
        told_elsewhere: row.count("elsewhere")? > 0,
    })
}

fn attempt_of(row: &Row) -> Result<Attempt, StoreError> {
    Ok(Attempt {
        dispatch: row.int("dispatch")?,
        key: row.text("dispatch_key")?,
        channel: row.text("channel")?,
        target: row.text("target")?,
        kind: row.text("kind")?,
        at: row.at("at_ms")?,
        outcome: row.json("outcome_json")?,
    })
}
