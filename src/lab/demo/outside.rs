//! Who has no page: customers, who do what the support desk tells them on the phone, and the updater, which installs the fix. They
//! react to what is on an incident's record, whoever put it there, so that somebody alone at the pages can carry it to its close.
//!
//! | on record | what follows |
//! |---|---|
//! | a customer was reached, or a workaround is claimed | some minutes later the setting is on; one customer has to be called twice |
//! | the same of a device that has the fix and kept the workaround, or a revert is claimed | the setting is off |
//! | a countermeasure is registered, and nobody has agreed | development agrees: who is alone at the pages cannot do both |
//! | the fix is released, and its gate does not say `hold` | the fix is installed branch by branch; one device keeps its workaround |
//! | the fix is something outside the devices, and is released | nothing is delayed any more |

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use crate::engine::device::{DeviceId, Label};
use crate::engine::gate::Gate;
use crate::engine::time::{MINUTE_MS, Timestamp};
use crate::incident::ladder::{CallOutcome, Claim, Proof};
use crate::incident::{Action, Command, Fix, Incident};
use crate::lab::simulation::{Remedies, Remedy, Simulation};
use crate::record::GateControl;
use crate::record::incident::RecordedIncidentEvent;
use crate::record::incidents::Incidents;

use super::crew::{AGREED_MIN, DEVELOPMENT, Fates};
use super::story_line::StoryLine;

/// Minutes from the call until the customer has done what was asked for: the least, and by how much they differ.
const CUSTOMER_MIN: i64 = 1;
const CUSTOMERS_DIFFER: u32 = 3;
/// Minutes from the release to the first branch, and in which all branches follow.
const UPDATER_AFTER_MIN: i64 = 5;
const UPDATER_MIN: i64 = 30;

/// Customers and updater.
pub(super) struct Outside {
    incidents: Arc<dyn Incidents>,
    gates: Option<Arc<dyn GateControl>>,
    remedies: Remedies,
    /// Number of each device in the simulation.
    numbers: BTreeMap<DeviceId, u32>,
    branches: BTreeMap<Label, Vec<DeviceId>>,
    /// What is known of each incident.
    files: BTreeMap<String, File>,
    /// What is being installed, by the fix's name.
    rollouts: BTreeMap<String, Rollout>,
}

/// An incident as they have heard of it.
#[derive(Debug, Default)]
struct File {
    version: u64,
    /// Entries of the record that were read.
    read: usize,
    /// Who has been asked to do something, and when it is done.
    asked: BTreeMap<DeviceId, (Timestamp, Asked)>,
    /// Devices whose customers have done it once, rightly or not.
    tried: BTreeSet<DeviceId>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Asked {
    /// Whatever the device needs by then.
    ByPhone,
    Revert,
}

/// The updater at work on one fix.
#[derive(Debug)]
struct Rollout {
    /// Since when it may install; `None` while it may not.
    since: Option<Timestamp>,
    done: BTreeSet<Label>,
    waits: bool,
}

impl fmt::Debug for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outside").field("files", &self.files).field("rollouts", &self.rollouts).finish_non_exhaustive()
    }
}

impl Outside {
    /// The customers and the updater of `simulation`, who hear of what is decided at `incidents` and `gates`.
    pub(super) fn new(
        incidents: Arc<dyn Incidents>,
        gates: Option<Arc<dyn GateControl>>,
        simulation: &Simulation,
    ) -> Self {
        let numbers = (0..).zip(simulation.profiles()).map(|(n, p)| (p.id.clone(), n)).collect();
        let mut branches: BTreeMap<Label, Vec<DeviceId>> = BTreeMap::new();
        for profile in simulation.profiles() {
            branches.entry(Label::clone(&profile.branch)).or_default().push(profile.id.clone());
        }
        let remedies = simulation.remedies().clone();
        Self { incidents, gates, remedies, numbers, branches, files: BTreeMap::new(), rollouts: BTreeMap::new() }
    }

    /// Does what is to be done at `now`. Returns what is worth telling.
    pub(super) async fn work(&mut self, now: Timestamp) -> Vec<StoryLine> {
        let mut told = Vec::new();
        for incident in self.incidents.board().incidents.iter().filter(|incident| incident.ended.is_none()) {
            self.read_up(incident).await;
            told.extend(self.agree(incident, now).await);
            self.customers(incident, now, &mut told);
            if let Some(fix) = incident.released_fix() {
                self.install(incident, fix, now, &mut told);
            }
        }
        told
    }

    /// Development agrees to what somebody else has worked out.
    async fn agree(&self, incident: &Incident, now: Timestamp) -> Option<StoryLine> {
        let newest = incident.countermeasures.newest().filter(|newest| newest.agreed.is_none())?;
        if now.since_ms(newest.registered_at) < AGREED_MIN * MINUTE_MS {
            return None;
        }
        let version = newest.countermeasure.version;
        // What is refused, such as a development that was gone before, is refused again; whoever is at the pages sees why.
        self.incidents
            .execute(incident.number(), None, Command::AgreeCountermeasure { version }, DEVELOPMENT)
            .await
            .ok()?;
        let text = format!("{DEVELOPMENT} agrees to version {version} for development");
        Some(StoryLine { at: now, kind: "remedy", text })
    }

    /// Reads what has been added to the record.
    async fn read_up(&mut self, incident: &Incident) {
        let file = self.files.entry(incident.number().to_owned()).or_default();
        if file.version == incident.version {
            return;
        }
        match self.incidents.file(incident.number()).await {
            Ok(Some(found)) => {
                found.record.events.iter().skip(file.read).for_each(|entry| file.on_event(entry));
                (file.version, file.read) = (incident.version, found.record.events.len());
            }
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(%error, number = incident.number(), "the record of an incident cannot be read; will try again");
            }
        }
    }

    /// Customers do what they were asked for.
    fn customers(&mut self, incident: &Incident, now: Timestamp, told: &mut Vec<StoryLine>) {
        let Some(file) = self.files.get_mut(incident.number()) else { return };
        let fates = Fates::of(incident);
        let due: Vec<_> = file.asked.extract_if(.., |_, (at, _)| *at <= now).collect();
        let mut count = 0;
        for (device, (_, asked)) in due {
            let Some(rung) = incident.ladder.get(&device) else { continue };
            let has_fix = rung.proves(Proof::Fix);
            let remedy = if asked == Asked::Revert || (has_fix && rung.workaround_active) {
                Some(Remedy::WorkaroundOff)
            } else {
                let plan = incident.countermeasures.workaround().filter(|_| !has_fix && !rung.workaround_active);
                plan.map(|plan| Remedy::WorkaroundOn(Label::from(plan.id.as_str())))
            };
            let Some(remedy) = remedy else { continue };
            // One believes to have saved the setting, until somebody calls again.
            if file.tried.insert(device.clone()) && fates.mistaken.as_ref() == Some(&device) {
                continue;
            }
            if let Some(number) = self.numbers.get(&device) {
                self.remedies.apply(*number, remedy, now);
                count += 1;
            }
        }
        if count > 0 {
            let text = format!("{count} of the customers who were called have changed the setting");
            told.push(StoryLine { at: now, kind: "customers", text });
        }
    }

    /// The updater goes on with the fix, branch by branch, for as long as its gate lets it.
    fn install(&mut self, incident: &Incident, fix: &Fix, now: Timestamp, told: &mut Vec<StoryLine>) {
        let mut tell = |text: String| told.push(StoryLine { at: now, kind: "updater", text });
        let name = fix.name();
        let is_held = self.gates.as_ref().is_some_and(|gates| {
            matches!(fix, Fix::Update(_))
                && gates.board().decisions.iter().any(|held| held.version == name && held.gate == Gate::Hold)
        });
        let known = self.rollouts.entry(name.clone());
        let rollout = known.or_insert(Rollout { since: None, done: BTreeSet::new(), waits: false });
        if rollout.done.len() == self.branches.len() {
            return;
        }
        if is_held {
            if !std::mem::replace(&mut rollout.waits, true) {
                tell(format!("update {name} is on hold: nothing is installed before its gate is released"));
            }
            rollout.since = None;
            return;
        }
        rollout.waits = false;
        let is_new = rollout.since.is_none() && rollout.done.is_empty();
        let since = *rollout.since.get_or_insert(now);
        if is_new {
            tell(match fix {
                Fix::Elsewhere(_) => format!("{name} is released: it reaches every branch within {UPDATER_MIN} min"),
                _ => format!("{name} is released: the updater begins in {UPDATER_AFTER_MIN} min, branch by branch"),
            });
        }
        let passed = now.since_ms(since.plus_ms(UPDATER_AFTER_MIN * MINUTE_MS));
        let due = if passed < 0 { 0 } else { 1 + passed * self.branches.len() as i64 / (UPDATER_MIN * MINUTE_MS) };
        let stubborn = Fates::of(incident).stubborn;
        for (branch, devices) in self.branches.iter().take(due as usize) {
            if !rollout.done.insert(Label::clone(branch)) {
                continue;
            }
            for device in devices {
                let Some(number) = self.numbers.get(device) else { continue };
                let remedy = remedy_of(fix, stubborn.as_ref() != Some(device));
                self.remedies.apply(*number, remedy, now);
            }
        }
        if rollout.done.len() == self.branches.len() {
            tell(format!("{name} has come to every branch"));
        }
    }
}

impl File {
    fn on_event(&mut self, entry: &RecordedIncidentEvent) {
        let at = entry.event.at;
        if let Action::Called { device, call } = &entry.event.action
            && call.outcome == CallOutcome::Reached
        {
            self.ask(device, at, Asked::ByPhone);
        }
        if let Action::Claimed { devices, claim } = &entry.event.action
            && *claim != Claim::Fix
        {
            let asked = if *claim == Claim::Revert { Asked::Revert } else { Asked::ByPhone };
            devices.iter().for_each(|device| self.ask(device, at, asked));
        }
    }

    fn ask(&mut self, device: &DeviceId, at: Timestamp, asked: Asked) {
        let differs = i64::from(crc32c::crc32c(device.as_str().as_bytes()) % CUSTOMERS_DIFFER);
        let due = at.plus_ms((CUSTOMER_MIN + differs) * MINUTE_MS);
        let known = self.asked.entry(device.clone()).or_insert((due, asked));
        if asked == Asked::Revert {
            known.1 = asked;
        }
    }
}

fn remedy_of(fix: &Fix, reverts: bool) -> Remedy {
    match fix {
        Fix::Update(version) => Remedy::Fix { version: version.as_str().into(), reverts },
        Fix::Package { name, version } => {
            Remedy::FixPackage { name: name.as_str().into(), version: version.as_str().into(), reverts }
        }
        Fix::Elsewhere(_) => Remedy::FixElsewhere,
    }
}
