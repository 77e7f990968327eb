//! Answers to writes that carried a key, kept for a day.

use super::statement::{Tx, foreign, values};
use crate::engine::time::Timestamp;
use crate::record::StoreError;
use crate::record::incident::{Keep, KeptAnswer};

/// How long an answer is kept.
const KEPT_MS: i64 = 24 * 60 * 60 * 1_000;

pub(super) async fn of(tx: &mut Tx, who: &str, key: &str) -> Result<Option<KeptAnswer>, StoreError> {
    let sql = "SELECT request, status, body FROM kept_answer WHERE who = $1 AND answer_key = $2";
    let Some(row) = tx.row(sql, values![who, key]).await? else { return Ok(None) };
    let request = row.text("request")?;
    Ok(Some(KeptAnswer {
        request: from_hex(&request).ok_or_else(|| foreign("request", &request))?,
        status: u16::try_from(row.int("status")?).map_err(|error| foreign("status", error))?,
        body: row.text("body")?,
    }))
}

/// Keeps the answer of what the transaction does. Under a key that has one already nothing is done again.
pub(super) async fn put(tx: &mut Tx, keep: Keep<'_>, now: Timestamp) -> Result<(), StoreError> {
    let Keep { who, key, answer } = keep;
    tx.run("DELETE FROM kept_answer WHERE at_ms < $1", values![now.plus_ms(-KEPT_MS)]).await?;
    let new = tx
        .run(
            "INSERT INTO kept_answer (who, answer_key, request, status, body, at_ms) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (who, answer_key) DO NOTHING",
            values![who, key, &to_hex(&answer.request), i64::from(answer.status), &answer.body, now],
        )
        .await?;
    if new > 0 { Ok(()) } else { Err(StoreError::Repeated) }
}

pub(super) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).ok()?;
    }
    Some(bytes)
}
