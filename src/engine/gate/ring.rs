//! The control ring: devices that the updater keeps out of the first night, so that there is something to compare with.
//!
//! Without it an update that all devices take in one night cannot be told from a bad night: nobody is left who has it not.
//!
//! A device's place is decided by a hash of its id and the seed, within its group of model and branch; the group's number
//! of places is its share, rounded up or down by a hash of the group. So the ring has no order of arrival, no memory
//! and no randomness, every model and branch has its share on the whole, and a device that comes or goes changes at most
//! one other place in its group.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::engine::device::{DeviceId, Label};
use crate::engine::snapshot::DeviceView;

/// The devices that wait, sorted by id.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Ring {
    /// Share of the fleet in percent; `None` when the devices were listed by a person.
    pub percent: Option<u32>,
    /// What the hashes begin with; `None` likewise.
    pub seed: Option<u64>,
    pub devices: Vec<DeviceId>,
}

impl Ring {
    /// A ring that a person has chosen.
    pub fn listed(mut devices: Vec<DeviceId>) -> Self {
        devices.sort();
        devices.dedup();
        Self { percent: None, seed: None, devices }
    }
}

/// Model and branch.
type Group<'a> = (Option<&'a Label>, Option<&'a Label>);

/// The ring of `percent` (0 to 100) of these devices. Cost: a hash for each device, and a sort of each group.
pub fn control_ring(devices: &[DeviceView], percent: u32, seed: u64) -> Ring {
    let percent = percent.min(100);
    let mut groups: BTreeMap<Group<'_>, Vec<(u64, &DeviceId)>> = BTreeMap::new();
    for device in devices {
        let group = groups.entry((device.model.as_ref(), device.branch.as_ref())).or_default();
        group.push((hash(seed, &["device", device.id.as_str()]), &device.id));
    }
    let mut chosen = Vec::new();
    for ((model, branch), mut members) in groups {
        let text = |label: Option<&Label>| label.map_or("", |label| label).to_owned();
        let rounding = hash(seed, &["group", &text(model), &text(branch)]) >> 32;
        // In units of 2^-32: the share of the group, and a fraction that rounds it.
        let places = ((((members.len() as u128) * u128::from(percent)) << 32) / 100 + u128::from(rounding)) >> 32;
        members.sort_unstable();
        chosen.extend(members.into_iter().take(places as usize).map(|(_, id)| id.clone()));
    }
    chosen.sort();
    Ring { percent: Some(percent), seed: Some(seed), devices: chosen }
}

/// FNV-1a over the parts, each ended by a byte that no text holds, and the finalizer of SplitMix64, which spreads what
/// ids that differ in one digit have in common. Written out here, because it must stay the same for years.
fn hash(seed: u64, parts: &[&str]) -> u64 {
    let mut sum = 0xcbf2_9ce4_8422_2325_u64 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for byte in parts.iter().flat_map(|part| part.bytes().chain([0xff])) {
        sum = (sum ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    sum = (sum ^ (sum >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    sum = (sum ^ (sum >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    sum ^ (sum >> 31)
}
