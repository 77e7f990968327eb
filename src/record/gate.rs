//! The gate's decisions on record, and the interface through which a person sees and makes them.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{EventSummary, StoreError};
use crate::engine::effect::EventState;
use crate::engine::gate::{DecideError, Decision, Gate, Observation, Ring, Stage};
use crate::engine::time::Timestamp;

/// A decision as it was written down. Who decided, when, why, and what held before is in the decision.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RecordedGate {
    /// Order of writing, over all events.
    pub seq: i64,
    /// When it was written.
    pub recorded_at: Timestamp,
    #[serde(flatten)]
    pub decision: Decision,
}

/// What stands now. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct GateBoard {
    /// By version.
    pub decisions: Vec<Decision>,
    /// The devices that are kept out of the first night of an update.
    pub ring: Arc<Ring>,
    /// Messages to the updater that the broker does not hold yet: it is not told what was decided.
    pub untold: u64,
}

/// Why a person's decision is not in force.
#[derive(Debug, Error)]
pub enum GateError {
    /// It is not one.
    #[error(transparent)]
    Refused(#[from] DecideError),
    /// It could not be recorded, and what is not on record does not hold.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Where a person sees the gates and decides about them.
#[async_trait]
pub trait GateControl: Send + Sync + std::fmt::Debug {
    /// What stands now.
    fn board(&self) -> Arc<GateBoard>;

    /// Records a person's decision, puts it in force and publishes it. `by`: who, `reason`: why.
    ///
    /// # Errors
    /// When version, name or reason will not do, or the record cannot be written; then nothing has changed.
    async fn decide(&self, version: &str, gate: Gate, by: &str, reason: &str) -> Result<Decision, GateError>;
}

/// A recorded event as the gate sees it.
pub fn observation(event: &EventSummary) -> Observation<'_> {
    let stage = match (event.state, event.declared_at) {
        (EventState::Resolved, _) => Stage::Resolved,
        (EventState::Recovered, None) => Stage::CameToNothing,
        (EventState::Pending, _) => Stage::Warned,
        (EventState::Declared | EventState::Recovered, _) => Stage::Declared,
    };
    Observation {
        at: event.updated_at,
        event: &event.event_id,
        incident: event.number.as_deref(),
        stage,
        scope: event.scope,
        cause: event.cause.as_ref(),
        streak_s: event.streak_s,
        affected: u32::try_from(event.members).ok(),
        aliases: &[],
    }
}
