//! A device in a checkpoint.

use bincode::config::standard;
use bincode::error::DecodeError;
use bincode::{Decode, Encode};

use super::admission::Admission;
use super::proof::Proof;
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
    pub(super) proof: Proof,
}

/// As before proofs were counted.
#[derive(Decode)]
struct Unproved {
    id: DeviceId,
    expected: bool,
    admission: Admission,
    slots: Vec<SlotImage>,
}

impl DeviceImage {
    /// The device's id.
    pub fn id(&self) -> &DeviceId {
        &self.id
    }

    /// Decodes an image that knows nothing of proofs: the reports that were taken are one.
    ///
    /// # Errors
    /// When the bytes are no such image. Returns how many were read otherwise.
    pub fn decode_unproved(bytes: &[u8]) -> Result<(Self, usize), DecodeError> {
        let (Unproved { id, expected, admission, slots }, used) =
            bincode::decode_from_slice(bytes, standard().with_limit::<{ 64 << 20 }>())?;
        let proof = Proof::of_history(admission.reports, admission.last_arrival.unwrap_or_default());
        Ok((Self { id, expected, admission, slots, proof }, used))
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
