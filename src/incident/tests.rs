//! The life of an incident, told as stories: an incident, a fleet as it is seen, people, and time that passes when it is told to.

mod assignment;
mod ladder;
mod life;
mod model;
mod muster;
mod notices;
mod order;
mod promise;
mod remedy;
mod reshape;
mod review;

use std::collections::{BTreeMap, BTreeSet};

use super::countermeasure::{Fix, Script, WorkaroundPlan};
use super::event::{Action, IncidentEvent, Joining, Opening};
use super::ladder::{Call, CallOutcome, Direction, Progress};
use super::*;
use crate::engine::device::{DeviceId, Label};
use crate::engine::effect::{Cause, Scope, Suspect};
use crate::engine::time::{MINUTE_MS, Timestamp};

/// 2026-11-22 00:00 UTC: the declaration of every story.
const T0: i64 = 1_795_305_600_000;

fn minute(minute: i64) -> Timestamp {
    Timestamp::from_ms(T0 + minute * MINUTE_MS)
}

fn id(number: usize) -> DeviceId {
    DeviceId::parse(&format!("B-{number:04}")).unwrap()
}

/// What is seen of a device; the defaults are those of one that suffers.
#[derive(Clone, Debug)]
struct Seen {
    streak_min: u32,
    /// Since when it has been quiet, with data but for `gap_min` lately.
    quiet_since: Option<Timestamp>,
    gap_min: i64,
    is_known: bool,
    affected: bool,
    workaround: Option<(Option<&'static str>, bool)>,
    update: Option<&'static str>,
    packages: Vec<Label>,
}

impl Seen {
    fn suffering() -> Self {
        Self {
            streak_min: 60,
            quiet_since: None,
            gap_min: 0,
            is_known: true,
            affected: true,
            workaround: None,
            update: Some("2026.11.21"),
            packages: Vec::new(),
        }
    }

    /// Quiet with data from `since` on.
    fn quiet(&mut self, since: Timestamp) {
        (self.streak_min, self.quiet_since, self.affected) = (0, Some(since), false);
    }

    /// The quiet minutes as the detector counts them: the last hour of them, and when the first of these began.
    fn quiet_minutes(&self, now: Timestamp) -> (u32, Option<Timestamp>) {
        let Some(since) = self.quiet_since else { return (0, None) };
        let minutes = (now.since_ms(since) / MINUTE_MS - self.gap_min).clamp(0, 60);
        let first = now.plus_ms(-(minutes + self.gap_min) * MINUTE_MS);
        (minutes as u32, (minutes > 0).then_some(first))
    }
}

struct Story {
    incident: Incident,
    record: Vec<IncidentEvent>,
    notices: Vec<Notice>,
    settings: LifeSettings,
    rota: Rota,
    now: Timestamp,
    fleet: BTreeMap<DeviceId, Seen>,
    /// Quiet minutes of devices, where a story counts them itself.
    counted: BTreeMap<DeviceId, (u32, Option<Timestamp>)>,
}

fn joining(device: usize) -> Joining {
    Joining { device: id(device), branch: Some(format!("branch-{}", device % 2)), customer: None }
}

fn cause(value: &str) -> Cause {
    let suspect = Suspect { kind: "update".into(), value: value.into() };
    Cause { suspect, confidence: 0.973, runner_up: None, inseparable: false, evidence: None }
}

fn opening(number: &str, event_id: &str, devices: Vec<Joining>) -> Opening {
    Opening {
        number: number.into(),
        event_id: event_id.into(),
        scope: if devices.len() == 1 { Scope::Isolated } else { Scope::Fleet },
        impact_started_at: minute(-61),
        detected_at: minute(-46),
        declared_at: minute(0),
        criterion_s: 3_600,
        measured_s: 3_600,
        cause: Some(cause("2026.11.21")),
        follows: None,
        devices,
    }
}

impl Story {
    /// Devices 0 to `devices` are declared to suffer; one alone is an isolated incident.
    fn declared(devices: usize) -> Self {
        let action = Action::Opened(Box::new(opening("INC-2026-0007", "E-0012", (0..devices).map(joining).collect())));
        let opened = IncidentEvent { at: minute(0), by: DETECTOR.into(), action };
        let incident = Incident::open(&opened).unwrap();
        let notices = incident.notices(&opened);
        Self {
            incident,
            record: vec![opened],
            notices,
            settings: LifeSettings::default(),
            rota: Rota::default(),
            now: minute(0),
            fleet: (0..devices).map(|device| (id(device), Seen::suffering())).collect(),
            counted: BTreeMap::new(),
        }
    }

    fn wait(&mut self, minutes: i64) -> &mut Self {
        self.now = self.now.plus_ms(minutes * MINUTE_MS);
        self
    }

    fn see(&mut self, device: usize) -> &mut Seen {
        self.fleet.get_mut(&id(device)).unwrap()
    }

    fn see_all(&mut self, change: impl Fn(&mut Seen)) -> &mut Self {
        self.fleet.values_mut().for_each(change);
        self
    }

    /// Takes events in, and holds them to what every event has to keep: it comes back from JSON, and the record makes the incident.
    fn take(&mut self, events: Vec<IncidentEvent>) -> Vec<&'static str> {
        let names = events.iter().map(|event| event.action.as_str()).collect();
        for event in events {
            let json = serde_json::to_string(&event).unwrap();
            assert_eq!(serde_json::from_str::<IncidentEvent>(&json).unwrap(), event, "{json}");
            self.incident.apply(&event);
            self.notices.extend(self.incident.notices(&event));
            self.record.push(event);
        }
        assert_eq!(Incident::of(&self.record).as_ref(), Some(&self.incident), "the record makes the incident");
        names
    }

    /// The fleet is looked at. Answers what happened.
    fn look(&mut self) -> Vec<&'static str> {
        let fleet = self.fleet.clone();
        let events = self.incident.observe(&self.seen(&fleet), &self.settings, self.now);
        let names = self.take(events);
        let again = self.incident.observe(&self.seen(&fleet), &self.settings, self.now);
        assert!(again.is_empty(), "a second look finds nothing new: {again:?}");
        names
    }

    /// Time has passed. Answers what was due.
    fn tick(&mut self) -> Vec<&'static str> {
        let events = self.incident.tick(&self.rota, &self.settings, self.now);
        let names = self.take(events);
        let again = self.incident.tick(&self.rota, &self.settings, self.now);
        assert!(again.is_empty(), "what was done is not due again: {again:?}");
        names
    }

    fn execute(&mut self, command: Command, by: &str) -> Result<Vec<&'static str>, Refusal> {
        let fleet = self.fleet.clone();
        let events = self.incident.decide(&command, by, Some(&self.seen(&fleet)), (&self.settings, self.now))?;
        Ok(self.take(events))
    }

    /// `fleet` as it is seen now.
    fn seen<'a>(&self, fleet: &'a BTreeMap<DeviceId, Seen>) -> Observation<'a> {
        let mut seen = observation(fleet, self.now);
        for (device, (quiet_min, quiet_since)) in &self.counted {
            if let Some(observed) = seen.devices.get_mut(device) {
                (observed.quiet_min, observed.quiet_since) = (*quiet_min, *quiet_since);
            }
        }
        seen
    }

    fn rung(&self, device: usize) -> &Rung {
        self.incident.ladder.get(&id(device)).unwrap()
    }

    fn step(&self, device: usize) -> Step {
        self.rung(device).step()
    }

    /// Who was told what since the last call.
    fn told(&mut self) -> Vec<(NoticeKind, Audience)> {
        std::mem::take(&mut self.notices).into_iter().map(|notice| (notice.kind, notice.audience)).collect()
    }

    /// A countermeasure is registered by mori and agreed by sato.
    fn agree(&mut self, workaround: Option<&str>, fix: Option<Fix>) {
        let script = Script { ja: "設定を変えてください".into(), en: "Please change the setting".into() };
        let workaround = workaround.map(|id| WorkaroundPlan { id: id.into(), script });
        self.execute(Command::RegisterCountermeasure { workaround, fix, fix_due_at: None }, "mori").unwrap();
        let version = self.incident.countermeasures.newest().unwrap().countermeasure.version;
        self.execute(Command::AgreeCountermeasure { version }, "sato").unwrap();
    }

    fn agree_and_release(&mut self) {
        self.agree(Some("WA-1"), Some(Fix::Update("2026.11.22".into())));
        self.execute(Command::ReleaseFix, "sato").unwrap();
    }

    /// Every device takes the fix and is quiet from then on, until an hour later.
    fn fix_all(&mut self) {
        let now = self.now;
        self.see_all(|seen| {
            seen.update = Some("2026.11.22");
            seen.quiet(now);
        });
        self.look();
        self.wait(61);
        self.look();
    }
}

fn observation(fleet: &BTreeMap<DeviceId, Seen>, now: Timestamp) -> Observation<'_> {
    let mut observed = Vec::with_capacity(fleet.len());
    for (device, seen) in fleet {
        let (quiet_min, quiet_since) = seen.quiet_minutes(now);
        let Seen { streak_min, is_known, affected, workaround, update, .. } = *seen;
        let packages = &seen.packages;
        observed.push(DeviceObservation {
            device,
            streak_min,
            quiet_min,
            quiet_since,
            is_known,
            affected,
            workaround,
            update,
            packages,
        });
    }
    observed.into_iter().collect()
}

fn call(outcome: CallOutcome) -> Call {
    Call { outcome, progress: None, note: String::new(), script: None, direction: Direction::Outgoing }
}

fn called(device: usize, outcome: CallOutcome, progress: Option<Progress>) -> Command {
    Command::RecordCall { device: id(device), call: Call { progress, ..call(outcome) } }
}
