//! The fleet as the incidents see it: the last snapshot, and what devices have said of themselves since.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use crate::engine::device::{DeviceId, Label, Status};
use crate::engine::snapshot::{DeviceView, Snapshot};
use crate::engine::time::Timestamp;
use crate::incident::{DeviceObservation, Incident, Observation};

use super::lock;

/// Most devices whose words are kept between two snapshots; what comes beyond is seen with the next one.
const KEPT: usize = 20_000;

/// What a device says of its settings and versions.
#[derive(Clone, Debug, Default)]
struct Facts {
    workaround: Option<(Option<Label>, bool)>,
    update: Option<Label>,
    packages: Vec<Label>,
}

impl Facts {
    /// These, and of `earlier` what these leave open: a status need not tell everything.
    fn over(self, earlier: Self) -> Self {
        Self {
            workaround: self.workaround.or(earlier.workaround),
            update: self.update.or(earlier.update),
            packages: if self.packages.is_empty() { earlier.packages } else { self.packages },
        }
    }
}

/// Statuses since the snapshot, so that a support agent sees the setting flip during the call. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Statuses(Arc<Kept>);

#[derive(Debug, Default)]
struct Kept {
    devices: Mutex<BTreeMap<DeviceId, (Timestamp, Facts)>>,
    news: Notify,
}

impl Statuses {
    /// Takes over what a device has just said.
    pub fn note(&self, device: &DeviceId, status: &Status, at: Timestamp) {
        let workaround = status.workaround.as_ref().map(|workaround| (workaround.id.clone(), workaround.active));
        let packages = status
            .packages
            .iter()
            .map(|package| Label::from(format!("{} {}", package.name, package.version)))
            .collect();
        let facts = Facts { workaround, update: status.update.clone(), packages };
        let mut devices = lock(&self.0.devices);
        if devices.len() < KEPT || devices.contains_key(device) {
            devices.insert(device.clone(), (at, facts));
            self.0.news.notify_one();
        }
    }

    /// Waits until a device has said something.
    pub async fn news(&self) {
        self.0.news.notified().await;
    }

    /// Drops what a snapshot of `at` knows by itself.
    pub fn forget_before(&self, at: Timestamp) {
        lock(&self.0.devices).retain(|_, (said, _)| *said >= at);
    }
}

/// What was seen of an incident's devices, owned.
pub struct SeenFleet {
    snapshot: Arc<Snapshot>,
    /// Places in the snapshot's devices, with what they have said since.
    devices: Vec<Seen>,
}

struct Seen {
    place: usize,
    workaround: Option<(Option<Label>, bool)>,
    update: Option<Label>,
    packages: Vec<Label>,
}

impl SeenFleet {
    /// What is seen of the devices of `incident`.
    pub fn of(incident: &Incident, snapshot: &Arc<Snapshot>, statuses: &Statuses) -> Self {
        let said = lock(&statuses.0.devices);
        let mut devices = Vec::with_capacity(incident.ladder.len());
        for (device, _) in incident.ladder.iter() {
            let Ok(place) = snapshot.devices.binary_search_by(|view| view.id.cmp(device)) else { continue };
            let view = &snapshot.devices[place];
            let facts = match said.get(device) {
                Some((at, said)) if *at >= snapshot.at => said.clone().over(facts_of(view)),
                _ => facts_of(view),
            };
            let Facts { workaround, update, packages } = facts;
            devices.push(Seen { place, workaround, update, packages });
        }
        Self { snapshot: Arc::clone(snapshot), devices }
    }

    /// The devices, which borrow from this.
    pub fn observation(&self) -> Observation<'_> {
        self.devices
            .iter()
            .map(|seen| {
                let view = &self.snapshot.devices[seen.place];
                DeviceObservation {
                    device: &view.id,
                    streak_min: (view.streak_s / 60) as u32,
                    quiet_min: view.quiet_min,
                    quiet_since: view.quiet_since,
                    is_known: view.is_known,
                    affected: view.affected,
                    workaround: seen.workaround.as_ref().map(|(id, active)| (id.as_deref(), *active)),
                    update: seen.update.as_deref(),
                    packages: &seen.packages,
                }
            })
            .collect()
    }
}

fn facts_of(view: &DeviceView) -> Facts {
    let workaround = view.workaround_active.map(|active| (view.workaround_id.clone(), active));
    Facts { workaround, update: view.update.clone(), packages: view.packages.clone() }
}
