//! What is normal for the devices of one model and branch, of one model, and of all together.

use std::collections::BTreeMap;

use bincode::{Decode, Encode};

use super::{Normal, median, to_log};
use crate::engine::device::Label;

/// The group's normal, towards which young devices are shrunk: by model and branch, by model, and of the whole fleet.
#[derive(Clone, Debug, Default, Encode, Decode)]
pub struct GroupNormals {
    branches: BTreeMap<(Option<Label>, Label), Group>,
    models: BTreeMap<Option<Label>, Group>,
    fleet: Group,
}

/// Normals of the devices added so far, and what they come to.
#[derive(Clone, Debug, Default, Encode, Decode)]
struct Group {
    p50: Vec<u16>,
    p95: Vec<u16>,
    normal: Option<Normal>,
}

impl Group {
    fn add(&mut self, normal: Normal) {
        self.p50.push(to_log(normal.p50_us));
        self.p95.push(to_log(normal.p95_us));
    }

    fn settle(&mut self) {
        let (mut p50, mut p95) = (std::mem::take(&mut self.p50), std::mem::take(&mut self.p95));
        if p50.len() >= GroupNormals::MIN_DEVICES {
            self.normal = Some(Normal { p50_us: median(&mut p50), p95_us: median(&mut p95) });
        }
    }
}

impl GroupNormals {
    /// Fewest devices whose median speaks for a group.
    const MIN_DEVICES: usize = 3;

    /// Adds one device's own normal to its model and branch, to its model, and to the fleet.
    pub fn add(&mut self, model: Option<&Label>, branch: Option<&Label>, normal: Normal) {
        if let Some(branch) = branch {
            self.branches.entry((model.cloned(), Label::clone(branch))).or_default().add(normal);
        }
        self.models.entry(model.cloned()).or_default().add(normal);
        self.fleet.add(normal);
    }

    /// Turns what was added into medians.
    pub fn settle(&mut self) {
        self.branches.values_mut().chain(self.models.values_mut()).chain([&mut self.fleet]).for_each(Group::settle);
    }

    /// The nearest group's normal: model and branch, else model, else fleet.
    pub fn of(&self, model: Option<&Label>, branch: Option<&Label>) -> Option<Normal> {
        // Every device is in the fleet's: without that there is no other.
        let fleet = self.fleet.normal?;
        let of_branch = || self.branches.get(&(model.cloned(), Label::clone(branch?)))?.normal;
        let of_model = || self.models.get(&model.cloned())?.normal;
        of_branch().or_else(of_model).or(Some(fleet))
    }
}
