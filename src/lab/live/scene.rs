//! What is looked at: what stays while the demo runs, and what holds at a moment.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::device::{DeviceId, Label};
use crate::engine::snapshot::Snapshot;
use crate::engine::time::Timestamp;
use crate::record::incidents::OpenIncidents;

/// What does not change while the demo runs.
#[derive(Clone, Debug)]
pub struct Scene {
    /// Minutes east of UTC of the fleet's local time, in which every instant is shown.
    pub utc_offset_min: i32,
    /// Branch of each device.
    pub branches: BTreeMap<DeviceId, Label>,
    /// Updates that the story rolls out.
    pub updates: Vec<Label>,
    /// Where the pages are, `http://127.0.0.1:8080`.
    pub pages: String,
    /// Seconds of fleet time that are wanted in a real second.
    pub speed: f64,
}

/// What holds at this moment.
#[derive(Clone, Debug)]
pub struct Moment {
    /// Fleet time.
    pub now: Timestamp,
    pub snapshot: Arc<Snapshot>,
    /// The incidents that people work on.
    pub board: Arc<OpenIncidents>,
    /// Reports a second that the broker has acknowledged lately, in real time.
    pub rate: f64,
    /// Messages that it has acknowledged so far.
    pub acked: u64,
    /// Seconds of fleet time in a real second, lately.
    pub speed: f64,
}
