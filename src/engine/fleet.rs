//! The registry of devices, and the admission of their reports: identity, event time, slot.
//!
//! - A report is taken wholly or not at all. [`Refusal::Busy`] leaves nothing behind: the caller comes again after a tick
//!   (back-pressure, never loss). Every other refusal is final, counted, and closed in number.
//! - Its identity is its content, and its number in a [`run`] of the device's counters; what was taken once is a duplicate for
//!   ever after ([`sequence`]). A live stream is live whatever its counters do ([`place`]).
//! - Its minute is that of its start in event time ([`anchor`]), never of its arrival.
//! - Looking a device up clones its `Arc` and drops the map's guard at once: a guard held over another call of the map can
//!   deadlock. Nobody iterates the map; the decision task goes by index.
//! - Devices are bounded in number, whatever ids are invented: the expected ones, and a cap on others, in which who has
//!   [proved](proof) to be a device keeps its place and newcomers give theirs up ([`Fleet::crowd`]).

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use dashmap::DashMap;

use super::device::{DeviceId, Status};
use super::report::Report;
use super::settings::Settings;
use super::time::Timestamp;

mod admission;
pub mod admitted;
pub mod anchor;
pub mod budget;
pub mod coverage;
mod device;
mod image;
mod inbox;
mod ledger;
mod pace;
mod place;
pub mod proof;
mod recent;
mod rules;
mod run;
pub mod sequence;

pub use self::admission::RUNS;
pub use self::admitted::{Admitted, HORIZON_MS, LIVE_MS, Refusal};
use self::budget::{Budgets, Spent};
use self::device::Shared;
pub use self::device::{Closing, Device, MAX_COUNT_PER_REPORT};
pub use self::image::{BeforeProof, BeforeRuns, DeviceImage};
pub use self::inbox::{Inbox, LateFragment, MAX_BUCKETS, MAX_FRAGMENTS, MAX_STATUSES, StatusNote};
pub use self::ledger::{OverBudget, Refused};
pub use self::rules::RuleCounts;

/// When the fleet is full and somebody new knocks, one place in so many is made free at a time.
const LEAVING_PART: usize = 16;

/// And never more than the journal has room for in one entry.
const MOST_LEAVING: usize = 10_000;

/// The devices, shared by ingest and the decision task.
pub struct Fleet {
    devices: DashMap<DeviceId, Arc<Device>>,
    /// The same devices by index. Shrinks only when devices are forgotten, which the decision task does.
    registry: RwLock<Registry>,
    max_devices: usize,
    expected_only: bool,
    /// What all together have cost that have not proved to be devices.
    newcomers: Mutex<Spent>,
    shared: Arc<Shared>,
    refusals: [AtomicU64; Refusal::ALL.len()],
}

#[derive(Default)]
struct Registry {
    devices: Vec<Arc<Device>>,
    /// Devices that registered themselves: those that count against the cap.
    uninvited: usize,
}

impl fmt::Debug for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fleet").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl Fleet {
    /// A fleet without devices.
    pub fn new(settings: &Settings) -> Self {
        Self {
            devices: DashMap::new(),
            registry: RwLock::default(),
            max_devices: settings.max_devices as usize,
            expected_only: settings.expected_only,
            newcomers: Mutex::default(),
            shared: Arc::default(),
            refusals: Default::default(),
        }
    }

    /// Registers a device of the expected list. The cap does not count it.
    pub fn expect(&self, id: DeviceId) -> Arc<Device> {
        let mut registry = self.registry.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(device) = self.get(id.as_str()) {
            if !device.is_expected() {
                device.set_expected(true);
                registry.uninvited = registry.uninvited.saturating_sub(1);
            }
            return device;
        }
        let device = Device::new(id, registry.devices.len(), true, Arc::clone(&self.shared));
        self.add(&mut registry, device)
    }

    /// Registers the devices of the list, and takes those that are not on it any more for devices that registered themselves.
    pub fn expect_only(&self, list: &[DeviceId]) {
        for id in list {
            self.expect(id.clone());
        }
        let list: BTreeSet<&DeviceId> = list.iter().collect();
        let mut registry = self.registry.write().unwrap_or_else(PoisonError::into_inner);
        let is_off = |device: &&Arc<Device>| device.is_expected() && !list.contains(device.id());
        let taken_off: Vec<_> = registry.devices.iter().filter(is_off).cloned().collect();
        registry.uninvited += taken_off.len();
        taken_off.iter().for_each(|device| device.set_expected(false));
    }

    /// How many devices are registered; their indices are `0..len()`.
    pub fn len(&self) -> usize {
        self.registry.read().unwrap_or_else(PoisonError::into_inner).devices.len()
    }

    /// Whether no device is registered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The device with this index.
    pub fn device(&self, index: usize) -> Option<Arc<Device>> {
        self.registry.read().unwrap_or_else(PoisonError::into_inner).devices.get(index).cloned()
    }

    /// Appends the devices that `known`, a prefix of the registry, does not have yet: how the decision task keeps its own
    /// list without a lock per device.
    pub fn extend(&self, known: &mut Vec<Arc<Device>>) {
        let registry = self.registry.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(new) = registry.devices.get(known.len()..) {
            known.extend_from_slice(new);
        }
    }

    /// Takes the indices of the devices whose inbox has begun to fill since the last call, ascending. Those of devices that
    /// have been [emptied](Device::take_inbox) meanwhile may be among them.
    pub fn take_mail(&self) -> Vec<u32> {
        let mut mail = std::mem::take(&mut *self.shared.mail.lock().unwrap_or_else(PoisonError::into_inner));
        mail.sort_unstable();
        mail.dedup();
        mail
    }

    /// The device with this id.
    pub fn get(&self, id: &str) -> Option<Arc<Device>> {
        self.devices.get(id).map(|entry| Arc::clone(entry.value()))
    }

    /// Pays for a message that arrived at `arrival`, before anything else is done with it. `device` is the topic's, or nothing
    /// where the topic names none; whoever is not known pays from the newcomers' purse. Returns the device if it is known.
    ///
    /// # Errors
    /// [`Refusal::OverBudget`] when that is more than its sender may send.
    pub fn charge(
        &self,
        device: Option<&str>,
        bytes: u64,
        budgets: &Budgets,
        arrival: Timestamp,
    ) -> Result<Option<Arc<Device>>, Refusal> {
        let newcomers = || {
            let mut spent = self.newcomers.lock().unwrap_or_else(PoisonError::into_inner);
            spent.pay(&budgets.newcomers, bytes, arrival)
        };
        let known = device.and_then(|device| self.get(device));
        let paid = match &known {
            Some(device) => device.charge(&budgets.device, bytes, arrival, newcomers),
            None if newcomers() => Ok(()),
            None => Err(Refusal::OverBudget),
        };
        paid.map(|()| known).inspect_err(|&refusal| self.count(refusal))
    }

    /// Whether a device that is not known may register, so that a message of one that may not is refused before it is kept
    /// anywhere. Nothing is registered.
    ///
    /// # Errors
    /// When it may not.
    pub fn may_register(&self) -> Result<(), Refusal> {
        let full = || {
            let registry = self.registry.read().unwrap_or_else(PoisonError::into_inner);
            registry.uninvited >= self.max_devices
        };
        let refusal = if self.expected_only {
            Refusal::UnknownDevice
        } else if full() {
            Refusal::FleetFull
        } else {
            return Ok(());
        };
        self.count(refusal);
        Err(refusal)
    }

    /// The device with this id, which is registered if it may be. Devices get their places in the order of these calls.
    ///
    /// # Errors
    /// When the device is not known and may not register.
    pub fn enrol(&self, device: &str) -> Result<Arc<Device>, Refusal> {
        self.get(device).map_or_else(|| self.register(device), Ok).inspect_err(|&refusal| self.count(refusal))
    }

    /// Takes a report that arrived at `arrival`. `device` is the topic's, which the payload's equals.
    ///
    /// # Errors
    /// Why it was not taken. Nothing is changed then, apart from the counters; only [`Refusal::Busy`] is worth another try.
    pub fn report(&self, device: &str, report: &Report, arrival: Timestamp) -> Result<Admitted, Refusal> {
        self.report_of(&*self.enrol(device)?, report, arrival)
    }

    /// As [`report`](Self::report), of a device that was looked up already.
    ///
    /// # Errors
    /// As [`report`](Self::report).
    pub fn report_of(&self, device: &Device, report: &Report, arrival: Timestamp) -> Result<Admitted, Refusal> {
        device.report(report, arrival).inspect_err(|&refusal| self.count(refusal))
    }

    /// Takes a status that arrived at `arrival`; `retained` when the broker had kept it.
    ///
    /// # Errors
    /// When the device is not known and may not register.
    pub fn status(&self, device: &str, status: Status, retained: bool, arrival: Timestamp) -> Result<(), Refusal> {
        self.status_of(&*self.enrol(device)?, status, retained, arrival);
        Ok(())
    }

    /// As [`status`](Self::status), of a device that was looked up already.
    pub fn status_of(&self, device: &Device, status: Status, retained: bool, arrival: Timestamp) {
        device.status(status, retained, arrival);
    }

    /// Counts a refusal that is none of the fleet's own.
    pub fn refuse(&self, refusal: Refusal) {
        self.count(refusal);
    }

    /// The newcomers that have been silent for so long at `now` that they are forgotten. `may_go` says of an index whether nothing
    /// hangs on it.
    pub fn silent(&self, now: Timestamp, may_go: impl Fn(u32) -> bool) -> BTreeSet<u32> {
        let registry = self.registry.read().unwrap_or_else(PoisonError::into_inner);
        let silent = |device: &&Arc<Device>| !device.is_expected() && device.proof().is_forgotten(now);
        let silent = registry.devices.iter().filter(silent).map(|device| device.index() as u32);
        silent.filter(|&index| may_go(index)).collect()
    }

    /// The newcomers that give their places up first, at most `most`: who has proved least, of those the longest silent.
    pub fn crowd(&self, most: usize, may_go: impl Fn(u32) -> bool) -> Vec<DeviceId> {
        let registry = self.registry.read().unwrap_or_else(PoisonError::into_inner);
        let newcomers = registry.devices.iter().filter(|device| !device.is_proved() && may_go(device.index() as u32));
        let mut newcomers: Vec<_> = newcomers.map(|device| (device.proof().rank(), device.id())).collect();
        newcomers.sort();
        newcomers.into_iter().take(most).map(|(_, id)| id.clone()).collect()
    }

    /// Most newcomers that give their places up at a time.
    pub fn most_leaving(&self) -> usize {
        (self.max_devices / LEAVING_PART).clamp(1, MOST_LEAVING)
    }

    /// Forgets the devices with these indices, and moves the others up. Returns the new index of each, `None` of who is gone. For
    /// the decision task, while nothing is recorded: what is recorded into a forgotten device goes with it.
    pub fn forget(&self, gone: &BTreeSet<u32>) -> Vec<Option<u32>> {
        let mut registry = self.registry.write().unwrap_or_else(PoisonError::into_inner);
        let mut moved = vec![None; registry.devices.len()];
        let mut kept: Vec<Arc<Device>> = Vec::with_capacity(registry.devices.len().saturating_sub(gone.len()));
        for device in std::mem::take(&mut registry.devices) {
            let index = device.index();
            if gone.contains(&(index as u32)) {
                self.devices.remove(device.id().as_str());
                registry.uninvited = registry.uninvited.saturating_sub(usize::from(!device.is_expected()));
            } else {
                moved[index] = Some(kept.len() as u32);
                device.set_index(kept.len());
                kept.push(device);
            }
        }
        registry.devices = kept;
        let mut mail = self.shared.mail.lock().unwrap_or_else(PoisonError::into_inner);
        *mail = mail.iter().filter_map(|index| moved.get(*index as usize).copied().flatten()).collect();
        moved
    }

    /// How often something was refused for this reason, since the start of the process.
    pub fn refused(&self, refusal: Refusal) -> u64 {
        self.refusals[refusal as usize].load(Relaxed)
    }

    /// Puts a device from a checkpoint in its place: the fleet's next index. Restored in the order of their indices, the
    /// devices keep them. A device that is registered already is left as it is, and returned.
    pub fn restore(&self, image: DeviceImage) -> Arc<Device> {
        let mut registry = self.registry.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(device) = self.get(image.id().as_str()) {
            return device;
        }
        let device = Device::restore(image, registry.devices.len(), Arc::clone(&self.shared));
        registry.uninvited += usize::from(!device.is_expected());
        self.add(&mut registry, device)
    }

    fn count(&self, refusal: Refusal) {
        self.refusals[refusal as usize].fetch_add(1, Relaxed);
    }

    /// Registers a device that nobody expects. Out of the hot path: once per device.
    #[cold]
    fn register(&self, id: &str) -> Result<Arc<Device>, Refusal> {
        if self.expected_only {
            return Err(Refusal::UnknownDevice);
        }
        let id = DeviceId::parse(id).map_err(|_| Refusal::UnknownDevice)?;
        let mut registry = self.registry.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(device) = self.get(id.as_str()) {
            return Ok(device);
        }
        if registry.uninvited >= self.max_devices {
            return Err(Refusal::FleetFull);
        }
        registry.uninvited += 1;
        let device = Device::new(id, registry.devices.len(), false, Arc::clone(&self.shared));
        Ok(self.add(&mut registry, device))
    }

    fn add(&self, registry: &mut Registry, device: Device) -> Arc<Device> {
        let device = Arc::new(device);
        registry.devices.push(Arc::clone(&device));
        self.devices.insert(device.id().clone(), Arc::clone(&device));
        device
    }
}

#[cfg(test)]
mod tests;
