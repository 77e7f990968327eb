//! A device in a checkpoint.

use bincode::{Decode, Encode};

use super::admission::Admission;
use crate::engine::device::{DeviceId, TrafficClass};
use crate::engine::slots::SlotCounts;
use crate::engine::time::Minute;

/// A device as of one instant: what was taken, where it stands, what waits. Equal states have equal images.
///
/// Duplicates are not in it: how often something was sent again is no part of what was said.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct DeviceImage {
    pub(super) id: DeviceId,
    pub(super) expected: bool,
    pub(super) admission: Admission,
    pub(super) slots: Vec<SlotImage>,
}

impl DeviceImage {
    /// The device's id.
    pub fn id(&self) -> &DeviceId {
        &self.id
    }
}

/// An open minute of one class.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub(super) struct SlotImage {
    pub(super) class: TrafficClass,
    pub(super) minute: Minute,
    pub(super) counts: SlotCounts,
    /// Samples as `(bucket, count)`, ascending.
    pub(super) buckets: Vec<(u16, u32)>,
}
