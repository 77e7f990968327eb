//! The fleet beyond its last picture: devices that leave it as a person wants it, and its last hours.

use std::sync::Arc;

use async_trait::async_trait;
use thiserror::Error;

use super::StoreError;
use crate::engine::detector::{DeviceHistory, Tally};
use crate::engine::device::DeviceId;
use crate::engine::time::Timestamp;

/// Why no device was forgotten.
#[derive(Debug, Error)]
pub enum ForgetError {
    /// Some may not be; each with the reason.
    #[error("nothing was forgotten: {}", listed(.0))]
    Kept(Vec<(DeviceId, String)>),
    /// It could not be recorded, and what is not on record does not hold.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The journal takes nothing now.
    #[error("the journal cannot write: {0}")]
    Journal(String),
}

fn listed(kept: &[(DeviceId, String)]) -> String {
    kept.iter().map(|(device, why)| format!("{device}: {why}")).collect::<Vec<_>>().join("; ")
}

/// Where a person takes devices out of the fleet.
#[async_trait]
pub trait FleetControl: Send + Sync + std::fmt::Debug {
    /// Forgets devices, all or none: what was learnt of them, whom to call about them, and on the embedded broker their retained
    /// status. A device that reports afterwards is a new one. `by`: who, `reason`: why; both are recorded.
    ///
    /// # Errors
    /// When one of them is not known, expected, part of an open event, or part of an open incident and not excepted there; or when
    /// it cannot be recorded.
    async fn forget(&self, devices: &[DeviceId], by: &str, reason: &str) -> Result<(), ForgetError>;
}

/// The fleet's last hours.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trend {
    /// Minutes between two points.
    pub every_min: u32,
    /// The begin of a minute, and how many devices were what in it; the newest is last.
    pub points: Vec<(Timestamp, Tally)>,
}

/// Where closed minutes are looked back on. Both answers may wait for a tick of the engine.
pub trait FleetHistory: Send + Sync + std::fmt::Debug {
    /// The last hours of a device; `None` for one that is not known.
    fn device(&self, device: &DeviceId) -> Option<DeviceHistory>;

    /// The last hours of the fleet; without points before the first tick.
    fn trend(&self) -> Arc<Trend>;
}
