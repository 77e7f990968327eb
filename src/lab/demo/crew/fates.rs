//! Devices and people with a fate of their own, so that the story has what real ones have.

use crate::engine::device::DeviceId;
use crate::incident::Incident;

/// Minutes from a workaround to development's word.
pub(in crate::lab::demo) const AGREED_MIN: i64 = 4;

/// Devices with a fate, so that the story has what real ones have. By their place in the incident's list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(in crate::lab::demo) struct Fates {
    /// Nobody ever answers.
    pub(super) silent: Option<DeviceId>,
    /// The customer believes to have saved the setting.
    pub(in crate::lab::demo) mistaken: Option<DeviceId>,
    /// The fix leaves the workaround on.
    pub(in crate::lab::demo) stubborn: Option<DeviceId>,
}

impl Fates {
    /// Fates for a few of so many devices: none for a handful.
    pub(in crate::lab::demo) fn of(incident: &Incident) -> Self {
        let count = incident.ladder.len();
        let nth = |quarter: usize| {
            let place = (count >= 8).then_some(count * quarter / 4);
            place.and_then(|place| incident.ladder.iter().nth(place)).map(|(device, _)| device.clone())
        };
        Self { silent: nth(1), mistaken: nth(2), stubborn: nth(3) }
    }
}
