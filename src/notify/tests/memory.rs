//! An outbox in memory that outlives the deliverer, and can fail.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;

use crate::engine::time::Timestamp;
use crate::record::StoreError;
use crate::record::outbox::{Attempt, Dispatch, DispatchState, NewDispatch, Outbox, Outcome, Untold, first_of_threads};

#[derive(Debug, Default)]
pub(crate) struct Memory {
    rows: Mutex<Vec<Dispatch>>,
    log: Mutex<Vec<Attempt>>,
    away: AtomicBool,
    hold: AtomicBool,
    refused: AtomicUsize,
    looks: AtomicUsize,
}

impl Memory {
    pub(super) fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    /// Attempts are never written down, as if the process died in between.
    pub(super) fn hold_attempts(&self, hold: bool) {
        self.hold.store(hold, Ordering::SeqCst);
    }

    pub(super) fn refused(&self) -> usize {
        self.refused.load(Ordering::SeqCst)
    }

    pub(super) fn looks(&self) -> usize {
        self.looks.load(Ordering::SeqCst)
    }

    pub(crate) fn pending(&self) -> usize {
        self.rows.lock().unwrap().iter().filter(|row| row.state == DispatchState::Pending).count()
    }

    pub(super) fn states(&self) -> BTreeMap<String, DispatchState> {
        self.rows.lock().unwrap().iter().map(|row| (row.key.clone(), row.state)).collect()
    }

    fn here(&self) -> Result<(), StoreError> {
        if self.away.load(Ordering::SeqCst) {
            self.refused.fetch_add(1, Ordering::SeqCst);
            return Err(StoreError::Busy);
        }
        Ok(())
    }
}

#[async_trait]
impl Outbox for Memory {
    async fn enqueue(&self, messages: &[NewDispatch], now: Timestamp) -> Result<usize, StoreError> {
        self.here()?;
        let mut rows = self.rows.lock().unwrap();
        let before = rows.len();
        for message in messages {
            if rows.iter().any(|row| row.key == message.key) {
                continue;
            }
            let NewDispatch { key, channel, target, message, due_at } = message.clone();
            let id = rows.len() as i64 + 1;
            let state = DispatchState::Pending;
            rows.push(Dispatch { id, key, channel, target, message, created_at: now, due_at, state, attempts: 0 });
        }
        Ok(rows.len() - before)
    }

    async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<Dispatch>, StoreError> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        self.here()?;
        let rows = self.rows.lock().unwrap();
        let due = rows.iter().filter(|row| row.state == DispatchState::Pending && row.due_at <= now);
        let mut due: Vec<&Dispatch> = due.collect();
        due.sort_by_key(|row| (row.due_at, row.id));
        Ok(due.into_iter().take(limit as usize).cloned().collect())
    }

    async fn heads(&self, channel: &str, now: Timestamp, limit: u32) -> Result<Vec<Dispatch>, StoreError> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        self.here()?;
        let rows = self.rows.lock().unwrap();
        let pending = rows.iter().filter(|row| row.state == DispatchState::Pending && row.channel == channel);
        Ok(first_of_threads(pending.cloned().collect(), channel, now, limit))
    }

    async fn attempted(&self, dispatch: i64, at: Timestamp, outcome: &Outcome) -> Result<(), StoreError> {
        self.here()?;
        if self.hold.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        let mut rows = self.rows.lock().unwrap();
        let row = rows.iter_mut().find(|row| row.id == dispatch).expect("it is there");
        assert_eq!(row.state, DispatchState::Pending, "decided twice");
        row.attempts += 1;
        match outcome {
            Outcome::Sent { .. } => row.state = DispatchState::Sent,
            Outcome::Retry { retry_at, .. } => row.due_at = *retry_at,
            Outcome::Failed { .. } => row.state = DispatchState::Failed,
        }
        let Dispatch { id, key, channel, target, message, .. } = row.clone();
        let outcome = outcome.clone();
        self.log.lock().unwrap().push(Attempt { dispatch: id, key, channel, target, kind: message.kind, at, outcome });
        Ok(())
    }

    async fn attempts(&self, incident: Option<&str>, limit: u32) -> Result<Vec<Attempt>, StoreError> {
        self.here()?;
        let rows = self.rows.lock().unwrap();
        let of = |attempt: &&Attempt| {
            incident.is_none() || rows[attempt.dispatch as usize - 1].message.incident.as_deref() == incident
        };
        Ok(self.log.lock().unwrap().iter().rev().filter(of).take(limit as usize).cloned().collect())
    }

    async fn thread(&self, channel: &str, target: &str, incident: &str) -> Result<Option<String>, StoreError> {
        self.here()?;
        let rows = self.rows.lock().unwrap();
        let log = self.log.lock().unwrap();
        let found = log.iter().rev().find_map(|attempt| match &attempt.outcome {
            Outcome::Sent { reference: Some(reference) }
                if attempt.channel == channel
                    && attempt.target == target
                    && rows[attempt.dispatch as usize - 1].message.incident.as_deref() == Some(incident) =>
            {
                Some(reference.clone())
            }
            _ => None,
        });
        Ok(found)
    }

    async fn untold(&self, since: Timestamp, before: Timestamp, limit: u32) -> Result<Vec<Untold>, StoreError> {
        self.here()?;
        let (rows, log) = (self.rows.lock().unwrap(), self.log.lock().unwrap());
        let sent: Vec<&Dispatch> = rows.iter().filter(|row| row.state == DispatchState::Sent).collect();
        let is_untold = |row: &&Dispatch| match row.state {
            DispatchState::Sent => false,
            DispatchState::Failed => row.created_at >= since,
            DispatchState::Pending => row.created_at <= before && (row.attempts > 0 || row.due_at <= before),
        };
        let untold = |row: &Dispatch| Untold {
            dispatch: row.clone(),
            error: log
                .iter()
                .rev()
                .find(|one| one.dispatch == row.id)
                .and_then(|one| Some(one.outcome.error()?.into())),
            told_elsewhere: row.message.incident.is_some() && sent.iter().any(|other| other.message == row.message),
        };
        Ok(rows.iter().filter(is_untold).take(limit as usize).map(untold).collect())
    }

    async fn backlog(&self) -> Result<(u64, Option<Timestamp>), StoreError> {
        self.here()?;
        let rows = self.rows.lock().unwrap();
        let pending = rows.iter().filter(|row| row.state == DispatchState::Pending);
        Ok((
            pending.clone().count() as u64,
            pending.map(|row| if row.attempts > 0 { row.created_at } else { row.due_at }).min(),
        ))
    }
}
