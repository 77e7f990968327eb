//! What is done to devices while the fleet lives: workarounds, fixes, reverts that fail, devices that degrade again.
//!
//! A plan is written before the story begins; what people do about it cannot be. So each simulation keeps, beside the plans, what was
//! done to its devices and when, and whoever has the handle may add to it. What a device sends from then on is still a pure
//! function of seed, device, instant and that list: the same deeds at the same instants give the same messages, byte for byte.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::engine::device::{Label, TrafficClass, Workaround};
use crate::engine::time::Timestamp;

use super::plan::{DevicePlan, Effect, Impact, NO_END};

/// Something that is done to a device, or happens to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Remedy {
    /// The setting of this name is switched on: the defect is not felt while it is.
    WorkaroundOn(Label),
    WorkaroundOff,
    /// An update without the defect is installed.
    Fix {
        version: Label,
        /// Whether it switches the workaround off, as it should. Where it does not, the device keeps a debt.
        reverts: bool,
    },
    /// A package without the defect is installed.
    FixPackage {
        name: Label,
        version: Label,
        reverts: bool,
    },
    /// What made the defect felt, outside the device, is mended.
    FixElsewhere,
    /// The defect is felt again whatever was done before, until something else is done.
    Relapse,
}

/// A remedy, and from when on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Applied {
    pub at: Timestamp,
    pub remedy: Remedy,
}

/// What was done to the devices of a simulation. Cheap to clone; clones are the same list.
#[derive(Clone, Debug)]
pub struct Remedies(Arc<[Cell]>);

#[derive(Debug, Default)]
struct Cell {
    /// Ascending.
    applied: Mutex<Vec<Applied>>,
    news: Notify,
}

/// What holds of a device at an instant because of what was done to it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Condition {
    /// The setting that was switched on last, and whether it still is.
    workaround: Option<(Label, bool)>,
    /// The fix, and when it was installed.
    pub(crate) fix: Option<(Label, Timestamp)>,
    /// Name and version of the package that fixes it, and when it was installed.
    pub(crate) package: Option<(Label, Label, Timestamp)>,
    /// Whether it was mended outside the device.
    mended: bool,
    relapsed_at: Option<Timestamp>,
}

/// Delay of https with the workaround over that without: the setting sends it through the older, slower inspection. Far below
/// what anybody would call degraded.
const SIDE_EFFECT: f64 = 1.03;

impl Remedies {
    pub(crate) fn new(devices: u32) -> Self {
        Self((0..devices).map(|_| Cell::default()).collect())
    }

    /// Does something to device number `device`. Its next status follows at once, and reports that begin from then on show the
    /// effect. What is done later is never earlier: an instant before the device's last remedy counts as that one's.
    ///
    /// # Panics
    /// When the simulation has no such device.
    pub fn apply(&self, device: u32, remedy: Remedy, at: Timestamp) {
        let cell = &self.0[device as usize];
        let mut applied = cell.lock();
        let at = applied.last().map_or(at, |last| last.at.max(at));
        applied.push(Applied { at, remedy });
        drop(applied);
        cell.news.notify_one();
    }

    /// What was done to device number `device` so far, beyond the first `known` deeds. Ascending.
    ///
    /// # Panics
    /// When the simulation has no such device.
    pub fn since(&self, device: u32, known: usize) -> Vec<Applied> {
        self.0[device as usize].lock().get(known..).unwrap_or_default().to_vec()
    }

    /// Waits until something was done to the device since this was last waited for. For one listener a device.
    pub(crate) async fn news(&self, device: u32) {
        self.0[device as usize].news.notified().await;
    }
}

impl Cell {
    fn lock(&self) -> MutexGuard<'_, Vec<Applied>> {
        // A list that is only pushed to is whole even where a thread died with it.
        self.applied.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Condition {
    /// What holds at `at`, after what was done until then.
    pub(crate) fn of(applied: &[Applied], at: Timestamp) -> Self {
        let mut now = Self::default();
        for Applied { at, remedy } in applied.iter().take_while(|applied| applied.at <= at) {
            now.take(remedy, *at);
        }
        now
    }

    fn take(&mut self, remedy: &Remedy, at: Timestamp) {
        match remedy {
            Remedy::WorkaroundOn(id) => {
                self.workaround = Some((Label::clone(id), true));
                self.relapsed_at = None;
            }
            Remedy::WorkaroundOff => self.switch_off(),
            Remedy::Fix { version, reverts } => {
                self.fix = Some((Label::clone(version), at));
                self.relapsed_at = None;
                if *reverts {
                    self.switch_off();
                }
            }
            Remedy::FixPackage { name, version, reverts } => {
                self.package = Some((Label::clone(name), Label::clone(version), at));
                self.relapsed_at = None;
                if *reverts {
                    self.switch_off();
                }
            }
            Remedy::FixElsewhere => {
                self.mended = true;
                self.relapsed_at = None;
            }
            Remedy::Relapse => self.relapsed_at = Some(at),
        }
    }

    fn switch_off(&mut self) {
        if let Some((_, active)) = &mut self.workaround {
            *active = false;
        }
    }

    fn is_worked_around(&self) -> bool {
        self.workaround.as_ref().is_some_and(|(_, active)| *active)
    }

    /// As the device's status tells it.
    pub(crate) fn workaround(&self) -> Workaround {
        let id = self.workaround.as_ref().map(|(id, _)| Label::clone(id));
        Workaround { id, active: self.is_worked_around() }
    }

    /// What a class of the device's traffic suffers at an instant: what its plan says, as far as nothing was done about it.
    pub(crate) fn effect(&self, plan: &DevicePlan, class: TrafficClass, at: Timestamp) -> Option<Effect> {
        let relieved = self.is_worked_around() || self.fix.is_some() || self.package.is_some() || self.mended;
        let relapse = self.relapsed_at.map(|from| relapse(plan, from)).filter(|impact| impact.covers(class, at));
        let planned = || plan.impacts.iter().find(|i| i.covers(class, at) && !(relieved && i.remediable)).copied();
        let felt = relapse.or_else(planned).map(|impact| impact.at(at));
        let side =
            (self.is_worked_around() && class == TrafficClass::Https).then(|| Effect::on_https(SIDE_EFFECT, 0.0));
        felt.or(side)
    }
}

/// The device's own defect once more; one that had none gets what is usual.
fn relapse(plan: &DevicePlan, start: Timestamp) -> Impact {
    let own = plan.impacts.iter().find(|impact| impact.remediable).map(|impact| impact.effect);
    Impact { start, end: NO_END, effect: own.unwrap_or(Effect::on_https(2.25, 0.05)), remediable: true }
}

#[cfg(test)]
mod tests;
