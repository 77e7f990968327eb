//! What telemetry proves: the detector's changes and the fleet's picture, turned into events of a case.

use std::collections::BTreeMap;

use super::case::Case;
use super::closure::Obstacles;
use super::countermeasure::{Fix, includes};
use super::event::{Action, CaseEvent, Joining};
use super::ladder::{Proof, Rung, Step};
use super::state::Trigger;
use super::{LifeSettings, TELEMETRY};
use crate::engine::device::{DeviceId, Label};
use crate::engine::effect::Verdict;
use crate::engine::time::{MINUTE_MS, Timestamp};

/// What is seen of one device as of a tick.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Sighting<'a> {
    pub device: &'a DeviceId,
    /// Whether it is degraded, healthy or unknown, in the newest closed minute.
    pub verdict: Verdict,
    /// Healthy minutes with data since its last degraded one, those without knowledge left out; stops counting at the
    /// clear period.
    pub quiet_min: u32,
    /// Whether it was judged in the last minutes (the detector's longest bridged gap).
    pub is_known: bool,
    /// Whether it is a member of an open event of the detector.
    pub in_event: bool,
    /// Its status' workaround: `None` when it never said.
    pub workaround: Option<(Option<&'a str>, bool)>,
    pub update: Option<&'a str>,
    /// What else is installed, each as `name version`.
    pub packages: &'a [Label],
}

/// What is seen of a case's devices at once. Devices that are not seen are unknown.
#[derive(Clone, Debug, Default)]
pub struct Observation<'a> {
    pub sightings: BTreeMap<&'a DeviceId, Sighting<'a>>,
}

impl<'a> FromIterator<Sighting<'a>> for Observation<'a> {
    fn from_iter<I: IntoIterator<Item = Sighting<'a>>>(sightings: I) -> Self {
        Self { sightings: sightings.into_iter().map(|sighting| (sighting.device, sighting)).collect() }
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

impl Case {
    /// What telemetry shows of the case's devices as of `now`, and what follows from it for the case. Empty for a closed one.
    ///
    /// Nothing that is missing proves anything: a device that is not seen keeps what it has proved, and gains nothing.
    pub fn observe(&self, seen: &Observation<'_>, settings: &LifeSettings, now: Timestamp) -> Vec<CaseEvent> {
        if self.ended.is_some() || !self.is_open() {
            return Vec::new();
        }
        let mut news = News::default();
        for (device, rung) in self.ladder.iter() {
            if let Some(sighting) = seen.sightings.get(device) {
                self.look(device, rung, sighting, (settings, now), &mut news);
            }
        }
        let mut log = Log::new(self, TELEMETRY, now);
        log.relapse(news.relapsed);
        for (active, devices) in news.seen {
            log.push(Action::WorkaroundSeen { devices, active });
        }
        for (proof, devices) in news.disproved {
            log.push(Action::Disproved { devices, proof });
        }
        for (proof, devices) in news.proved {
            log.push(Action::Proved { devices, proof });
        }
        log.follow(Some(seen), settings);
        log.events
    }

    /// Devices of the detector's event, of which some may be part of the case already: those join, these relapse if they had
    /// recovered.
    pub fn take_in(&self, devices: &[Joining], settings: &LifeSettings, now: Timestamp) -> Vec<CaseEvent> {
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
            let names: Vec<DeviceId> = joining.iter().map(|joining| joining.device.clone()).collect();
            log.push(Action::Joined { devices: joining });
            log.reopen(&names);
        }
        log.relapse(relapsed);
        log.follow(None, settings);
        log.events
    }

    fn look(
        &self,
        device: &DeviceId,
        rung: &Rung,
        sighting: &Sighting<'_>,
        (settings, now): (&LifeSettings, Timestamp),
        news: &mut News,
    ) {
        let note =
            |list: &mut BTreeMap<Proof, Vec<DeviceId>>, proof| list.entry(proof).or_default().push(device.clone());
        // Whoever the detector counts as affected again has lost its quality, whatever was proved before.
        let relapsed = !rung.affected && sighting.in_event;
        if relapsed {
            news.relapsed.push(device.clone());
        }
        match self.has_fix(sighting) {
            Some(true) if !rung.proves(Proof::Fix) => note(&mut news.proved, Proof::Fix),
            Some(false) if rung.proves(Proof::Fix) => note(&mut news.disproved, Proof::Fix),
            _ => {}
        }
        if let Some((id, active)) = sighting.workaround {
            let ours = self.countermeasures.workaround().is_some_and(|plan| id.is_none_or(|id| id == plan.id));
            match (active, rung.proves(Proof::Workaround), rung.workaround_active) {
                (true, false, _) if ours => note(&mut news.proved, Proof::Workaround),
                (true, true, false) => note(&mut news.disproved, Proof::Revert),
                (true, false, false) => news.seen.entry(true).or_default().push(device.clone()),
                // With the fix there, switching the workaround off is what was wanted; without it, it is a step back.
                (false, true, true) if rung.proves(Proof::Fix) || self.has_fix(sighting) == Some(true) => {
                    note(&mut news.proved, Proof::Revert);
                }
                (false, true, true) => note(&mut news.disproved, Proof::Workaround),
                (false, false, true) => news.seen.entry(false).or_default().push(device.clone()),
                _ => {}
            }
        }
        let watched_ms = i64::from(settings.clear_min) * MINUTE_MS;
        let quiet = sighting.quiet_min >= settings.clear_min && now.since_ms(rung.watched_since()) >= watched_ms;
        if quiet && sighting.is_known && !sighting.in_event && !relapsed && !rung.proves(Proof::Quality) {
            note(&mut news.proved, Proof::Quality);
        }
    }

    /// Whether the device shows the released fix; `None` when nothing is to be seen of it.
    fn has_fix(&self, sighting: &Sighting<'_>) -> Option<bool> {
        self.released.as_ref()?;
        match self.countermeasures.fix()? {
            Fix::Update(version) => sighting.update.map(|update| includes(update, version)),
            Fix::Package { name, version } => {
                let of = |package: &'_ Label| {
                    package.strip_prefix(name.as_str())?.strip_prefix(' ').map(|v| includes(v, version))
                };
                sighting.packages.iter().find_map(of)
            }
            Fix::Elsewhere(_) => Some(true),
        }
    }

    /// Whether the case can still change by telemetry.
    pub fn is_open(&self) -> bool {
        self.state != super::State::Closed && self.ended.is_none()
    }
}

/// Events being added to a case, each applied so that the next sees it.
pub(super) struct Log {
    pub case: Case,
    by: String,
    now: Timestamp,
    pub events: Vec<CaseEvent>,
}

impl Log {
    pub fn new(case: &Case, by: &str, now: Timestamp) -> Self {
        Self { case: case.clone(), by: by.to_owned(), now, events: Vec::new() }
    }

    pub fn push(&mut self, action: Action) {
        let event = CaseEvent { at: self.now, by: self.by.clone(), action };
        self.case.apply(&event);
        self.events.push(event);
    }

    /// Moves the case, if the trigger does, and writes the milestone that goes with it.
    pub fn trigger(&mut self, trigger: Trigger) {
        let (from, remedied) = (self.case.state, self.case.remedied());
        let Some(to) = from.after(trigger, remedied) else { return };
        if let Some(milestone) = trigger.milestone()
            && self.case.milestones.get(milestone).is_none()
        {
            self.push(Action::Timed { milestone, instant: self.now, reason: None });
        }
        if to != from {
            self.push(Action::Moved { from, to });
        }
    }

    pub fn relapse(&mut self, devices: Vec<DeviceId>) {
        if devices.is_empty() {
            return;
        }
        self.push(Action::Relapsed { devices: devices.clone() });
        self.reopen(&devices);
    }

    /// Devices are affected that were not: what was resolved is not any more.
    pub fn reopen(&mut self, devices: &[DeviceId]) {
        let from = self.case.state;
        if from.after(Trigger::Reopened, self.case.remedied()).is_some_and(|to| to != from) {
            if !from.is_active() {
                self.push(Action::Reopened { devices: devices.to_vec() });
            }
            self.trigger(Trigger::Reopened);
        }
    }

    /// What follows from the facts, whoever brought them: mustered, mitigated, resolved. `seen` is needed for the last.
    pub fn follow(&mut self, seen: Option<&Observation<'_>>, settings: &LifeSettings) {
        if !self.case.state.is_active() {
            return;
        }
        if self.case.muster.is_complete() {
            self.once(Trigger::Mustered);
        }
        let ladder = &self.case.ladder;
        if !ladder.is_empty() && ladder.iter().all(|(_, rung)| rung.is_mitigated()) {
            self.once(Trigger::Mitigated);
        }
        if let Some(seen) = seen
            && Obstacles::of(&self.case, Some(seen), settings).is_empty()
        {
            self.trigger(Trigger::Resolved);
        }
    }

    fn once(&mut self, trigger: Trigger) {
        if trigger.milestone().is_some_and(|milestone| self.case.milestones.get(milestone).is_none()) {
            self.trigger(trigger);
        }
    }
}

impl Rung {
    /// Whether the device has come to `step` or beyond, at any time since it joined.
    pub fn is_at_least(&self, step: Step) -> bool {
        self.step() >= step
    }
}
