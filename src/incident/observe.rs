//! What telemetry proves: the detector's changes and the fleet's picture, turned into events of an incident.

use std::collections::BTreeMap;

use super::aggregate::Incident;
use super::countermeasure::{Fix, includes};
use super::event::{Action, IncidentEvent, Joining};
use super::ladder::{Claim, Proof, Rung};
use super::log::Log;
use super::{LifeSettings, TELEMETRY};
use crate::engine::device::{DeviceId, Label};
use crate::engine::label;
use crate::engine::time::Timestamp;

/// What is seen of one device as of a tick.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct DeviceObservation<'a> {
    pub device: &'a DeviceId,
    /// Minutes that its running streak lasts; 0 when there is none.
    pub streak_min: u32,
    /// Healthy minutes with data since its last degraded one, those without knowledge left out; stops counting at the
    /// clear period.
    pub quiet_min: u32,
    /// When the first of those minutes began; `None` when there is none.
    pub quiet_since: Option<Timestamp>,
    /// Whether it was judged in the last minutes (the detector's longest bridged gap).
    pub is_known: bool,
    /// Whether the detector counts it as affected.
    pub affected: bool,
    /// Its status' workaround: `None` when it never said.
    pub workaround: Option<(Option<&'a str>, bool)>,
    pub update: Option<&'a str>,
    /// What else is installed, each as `name version`.
    pub packages: &'a [Label],
}

/// What is seen of an incident's devices at once. Devices that are not seen are unknown.
#[derive(Clone, Debug, Default)]
pub struct Observation<'a> {
    pub devices: BTreeMap<&'a DeviceId, DeviceObservation<'a>>,
}

impl<'a> FromIterator<DeviceObservation<'a>> for Observation<'a> {
    fn from_iter<I: IntoIterator<Item = DeviceObservation<'a>>>(devices: I) -> Self {
        Self { devices: devices.into_iter().map(|seen| (seen.device, seen)).collect() }
    }
}

/// Devices by what is newly known of them.
#[derive(Default)]
struct News {
    proved: BTreeMap<Proof, Vec<DeviceId>>,
    disproved: BTreeMap<Proof, Vec<DeviceId>>,
    seen: BTreeMap<bool, Vec<DeviceId>>,
    relapsed: Vec<DeviceId>,
}

impl Incident {
    /// What telemetry shows of the incident's devices as of `now`, and what follows from it for the incident. Empty for a closed one.
    ///
    /// Nothing that is missing proves anything: a device that is not seen keeps what it has proved, and gains nothing.
    pub fn observe(&self, seen: &Observation<'_>, settings: &LifeSettings, now: Timestamp) -> Vec<IncidentEvent> {
        if self.ended.is_some() || !self.is_open() {
            return Vec::new();
        }
        let mut news = News::default();
        for (device, rung) in self.ladder.iter() {
            if let Some(seen) = seen.devices.get(device) {
                self.look(device, rung, seen, settings, &mut news);
            }
        }
        let mut log = Log::new(self, TELEMETRY, now);
        log.relapse(&news.relapsed);
        for (active, devices) in news.seen {
            log.push(Action::WorkaroundSeen { devices, active });
        }
        for (proof, devices) in news.disproved {
            log.push(Action::Disproved { devices, proof });
        }
        for (proof, devices) in news.proved {
            log.push(Action::Proved { devices, proof });
        }
        log.follow(Some(seen));
        log.events
    }

    /// Devices of the detector's event, of which some may be part of the incident already: those join, these relapse if they had
    /// recovered.
    pub fn take_in(&self, devices: &[Joining], now: Timestamp) -> Vec<IncidentEvent> {
        if !self.is_open() {
            return Vec::new();
        }
        let is_new = |joining: &&Joining| !self.ladder.contains(&joining.device);
        let joining: Vec<Joining> = devices.iter().filter(is_new).cloned().collect();
        let known = devices.iter().filter_map(|joining| Some((&joining.device, self.ladder.get(&joining.device)?)));
        let relapsed: Vec<DeviceId> =
            known.filter(|(_, rung)| !rung.affected).map(|(device, _)| device.clone()).collect();
        let mut log = Log::new(self, super::DETECTOR, now);
        if !joining.is_empty() {
            log.push(Action::Joined { devices: joining });
        }
        log.relapse(&relapsed);
        log.follow(None);
        log.events
    }

    fn look(
        &self,
        device: &DeviceId,
        rung: &Rung,
        seen: &DeviceObservation<'_>,
        settings: &LifeSettings,
        news: &mut News,
    ) {
        let note =
            |list: &mut BTreeMap<Proof, Vec<DeviceId>>, proof| list.entry(proof).or_default().push(device.clone());
        // Whoever the detector counts as affected again has lost its quality, whatever was proved before.
        let relapsed = !rung.affected && seen.affected;
        if relapsed {
            news.relapsed.push(device.clone());
        }
        let has_fix = self.has_fix(seen).unwrap_or(rung.proves(Proof::Fix));
        match (has_fix, rung.proves(Proof::Fix)) {
            (true, false) => note(&mut news.proved, Proof::Fix),
            (false, true) => note(&mut news.disproved, Proof::Fix),
            _ => {}
        }
        if let Some((id, active)) = seen.workaround {
            let ours =
                self.countermeasures.workaround().is_some_and(|plan| id.is_none_or(|id| label::same(id, &plan.id)));
            match (active, rung.proves(Proof::Workaround), rung.workaround_active) {
                (true, false, _) if ours => note(&mut news.proved, Proof::Workaround),
                (true, true, false) => note(&mut news.disproved, Proof::Revert),
                (true, false, false) => news.seen.entry(true).or_default().push(device.clone()),
                // With the fix there, switching the workaround off is what was wanted; without it, it is a step back.
                (false, true, true) if has_fix => note(&mut news.proved, Proof::Revert),
                (false, true, true) => note(&mut news.disproved, Proof::Workaround),
                (false, false, true) => news.seen.entry(false).or_default().push(device.clone()),
                // Somebody claims that it is on, and the device says that it is not: from here on its own word counts.
                (false, false, false) if !rung.workaround_told && rung.claims.contains_key(&Claim::Workaround) => {
                    news.seen.entry(false).or_default().push(device.clone());
                }
                _ => {}
            }
        }
        // What is taken off, put on or rolled back in this very look has to be watched from here on.
        let changed = (has_fix && !rung.proves(Proof::Fix)) || (rung.workaround_active && !is_active(seen));
        let may_prove = seen.is_known && !seen.affected && !relapsed && !changed;
        if may_prove && !rung.proves(Proof::Quality) && is_quiet(rung, seen, settings) {
            note(&mut news.proved, Proof::Quality);
        }
    }

    /// Whether the device shows the fix that is agreed and released; `None` when nothing is to be seen of it. What was proved of
    /// another fix, or of one that was withdrawn, is void; and who tries one before it is released proves nothing.
    fn has_fix(&self, seen: &DeviceObservation<'_>) -> Option<bool> {
        let Some(fix) = self.released_fix() else { return Some(false) };
        match fix {
            Fix::Update(version) => seen.update.map(|update| includes(update, version)),
            Fix::Package { name, version } => {
                let of = |package: &'_ Label| {
                    package.strip_prefix(name.as_str())?.strip_prefix(' ').map(|v| includes(v, version))
                };
                seen.packages.iter().find_map(of)
            }
            Fix::Elsewhere(_) => Some(true),
        }
    }

    /// Whether the incident can still change by telemetry.
    pub fn is_open(&self) -> bool {
        self.state != super::State::Closed && self.ended.is_none()
    }
}

/// Whether the device says that a workaround is active, or leaves what it said before as it was.
fn is_active(seen: &DeviceObservation<'_>) -> bool {
    seen.workaround.is_none_or(|(_, active)| active)
}

/// Whether the device was quiet, with data, for the whole clear period after whatever was done to it last.
fn is_quiet(rung: &Rung, seen: &DeviceObservation<'_>, settings: &LifeSettings) -> bool {
    let enough = seen.quiet_min >= settings.clear_min;
    enough && (settings.clear_min == 0 || seen.quiet_since >= Some(rung.watched_since()))
}
