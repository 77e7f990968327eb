use super::*;
use crate::engine::effect::Scope;
use crate::engine::time::MINUTE_MS;
use crate::incident::event::{Joining, Opening};
use crate::incident::{Action, DETECTOR, DeviceObservation, IncidentEvent, LifeSettings, Observation, Refusal, Rota};

const START: Timestamp = Timestamp::from_ms(1_795_025_400_000);
const STEP_MS: i64 = 15_000;
const BAD: &str = "2026.11.18";
const FIX: &str = "2026.11.19";

/// A device that does what it is told, and says so.
struct Device {
    update: String,
    workaround: Option<(String, bool)>,
    well_since: Option<Timestamp>,
}

/// An incident and its fleet, with time to spare: no detector, no record, no clock.
struct World {
    incident: Incident,
    devices: BTreeMap<DeviceId, Device>,
    settings: LifeSettings,
    rota: Rota,
    now: Timestamp,
    crew: Crew,
    told: Vec<&'static str>,
    refused: Vec<(Command, Refusal)>,
    states: Vec<State>,
    most_debts: usize,
}

fn device(number: usize) -> DeviceId {
    DeviceId::parse(&format!("B-{number:04}")).unwrap()
}

impl World {
    /// An incident of so many devices in branches of twelve.
    fn declared(count: usize) -> Self {
        let branch = |number: usize| format!("branch-{:02}", number / 12);
        let joining = |n| Joining { device: device(n), branch: Some(branch(n)), customer: Some(format!("C-{n:05}")) };
        let opening = Opening {
            number: "INC-0001".into(),
            event_id: "E-0001".into(),
            scope: Scope::Fleet,
            impact_started_at: START.plus_ms(-3_600_000),
            detected_at: START.plus_ms(-2_700_000),
            declared_at: START,
            criterion_s: 3_600,
            measured_s: 3_600,
            cause: None,
            follows: None,
            devices: (0..count).map(joining).collect(),
        };
        let event = IncidentEvent { at: START, by: DETECTOR.into(), action: Action::Opened(Box::new(opening)) };
        let mut branches: BTreeMap<Label, Vec<DeviceId>> = BTreeMap::new();
        for number in 0..count {
            branches.entry(branch(number).as_str().into()).or_default().push(device(number));
        }
        let bad = || Device { update: BAD.into(), workaround: None, well_since: None };
        Self {
            incident: Incident::open(&event).unwrap(),
            devices: (0..count).map(|number| (device(number), bad())).collect(),
            settings: LifeSettings::default(),
            rota: rota(),
            now: START,
            crew: Crew::new(branches, FIX),
            told: Vec::new(),
            refused: Vec::new(),
            states: vec![State::Declared],
            most_debts: 0,
        }
    }

    fn take(&mut self, events: &[IncidentEvent]) {
        for event in events {
            self.incident.apply(event);
            if self.states.last() != Some(&self.incident.state) {
                self.states.push(self.incident.state);
            }
        }
    }

    fn observed<'a>(id: &'a DeviceId, device: &'a Device, now: Timestamp) -> DeviceObservation<'a> {
        // The detector counts back from now, and no further than an hour.
        let quiet_since = device.well_since.map(|since| since.max(now.plus_ms(-60 * MINUTE_MS)));
        DeviceObservation {
            device: id,
            streak_min: if device.well_since.is_some() { 0 } else { 60 },
            quiet_min: quiet_since.map_or(0, |since| minutes(since, now)) as u32,
            quiet_since,
            is_known: true,
            affected: device.well_since.is_none(),
            workaround: Some(device.workaround.as_ref().map_or((None, false), |(id, on)| (Some(id.as_str()), *on))),
            update: Some(&device.update),
            packages: &[],
        }
    }

    fn observation(&self) -> Observation<'_> {
        let observed = |(id, device)| Self::observed(id, device, self.now);
        self.devices.iter().map(observed).collect()
    }

    fn work(&mut self, id: &DeviceId, remedy: Remedy) {
        let device = self.devices.get_mut(id).unwrap();
        match remedy {
            Remedy::WorkaroundOn(name) => device.workaround = Some((name.to_string(), true)),
            Remedy::WorkaroundOff => device.workaround.iter_mut().for_each(|(_, active)| *active = false),
            Remedy::Fix { version, reverts } => {
                device.update = version.to_string();
                device.workaround.iter_mut().for_each(|(_, active)| *active &= !reverts);
            }
            other => panic!("the crew does not do this: {other:?}"),
        }
        let well = device.update == FIX || device.workaround.as_ref().is_some_and(|(_, active)| *active);
        device.well_since = if well { device.well_since.or(Some(self.now)) } else { None };
    }

    /// A quarter of a minute of everybody's life.
    fn step(&mut self) {
        self.now = self.now.plus_ms(STEP_MS);
        let acts = {
            let incident = self.incident.clone();
            self.crew.acts(&incident, self.now)
        };
        for act in acts {
            match act {
                Act::Tell { kind, .. } => self.told.push(kind),
                Act::Work { device, remedy } => self.work(&device, remedy),
                Act::Execute { by, command } => {
                    let seen = self.observation();
                    match self.incident.decide(&command, &by, Some(&seen), (&self.settings, self.now)) {
                        Ok(events) => self.take(&events),
                        Err(refusal) => self.refused.push((command, refusal)),
                    }
                }
            }
        }
        let events = self.incident.observe(&self.observation(), &self.settings, self.now);
        self.take(&events);
        let events = self.incident.tick(&self.rota, &self.settings, self.now);
        self.take(&events);
        self.most_debts = self.most_debts.max(self.incident.debts().count());
    }

    fn live(count: usize) -> Self {
        let mut world = Self::declared(count);
        while world.incident.state != State::Closed {
            assert!(minutes(START, world.now) < 8 * 60, "still {:?} after eight hours", world.incident.state);
            world.step();
        }
        world
    }

    fn tells(&self, kind: &str) -> usize {
        self.told.iter().filter(|told| **told == kind).count()
    }
}

#[test]
fn the_crew_leads_an_incident_to_a_close_that_telemetry_has_proved() {
    let world = World::live(240);
    let ladder = &world.incident.ladder;
    assert_eq!(world.states, State::ALL, "every state, once, in its order");
    assert!(ladder.iter().all(|(_, rung)| rung.is_settled()));
    // Too early a close is the only thing that anybody is refused.
    let [(Command::Close, Refusal::Open(why))] = &world.refused[..] else { panic!("{:?}", world.refused) };
    assert!(why.contains("neither done nor signed off"), "{why}");
    assert!((120..300).contains(&minutes(START, world.now)), "{} min", minutes(START, world.now));
}

#[test]
fn what_goes_wrong_on_the_way_is_found() {
    let world = World::live(240);
    assert_eq!((world.most_debts, world.incident.debts().count()), (1, 0), "one revert failed, and was made good");
    for (kind, times) in [("debt", 1), ("follow-up", 1), ("sign-off", 1), ("muster", 4), ("close", 1)] {
        assert_eq!(world.tells(kind), times, "{kind}: {:?}", world.told);
    }
    let signed_off: Vec<_> = world.incident.ladder.iter().filter(|(_, rung)| rung.exception.is_some()).collect();
    let [(silent, rung)] = signed_off[..] else { panic!("{signed_off:?}") };
    assert_eq!((rung.unanswered, rung.contacted.is_none()), (3, true), "{silent}");
    let holders: Vec<_> = world.incident.muster.posts.values().map(|post| post.holder.as_deref().unwrap()).collect();
    assert!(holders.contains(&"Ito") && !holders.contains(&cast::ASLEEP), "{holders:?}");
}

#[test]
fn who_wanted_to_hear_of_it_has_heard_and_who_talks_has_read_the_newest_script() {
    let world = World::live(240);
    let wanted: Vec<_> = world
        .incident
        .ladder
        .iter()
        .filter(|(_, rung)| rung.progress == Some(crate::incident::ladder::Progress::Phone))
        .collect();
    assert!(wanted.len() > 5 && wanted.iter().all(|(_, rung)| !rung.owes_word()), "{}", wanted.len());
    let [first, second] = world.incident.countermeasures.versions() else { panic!("two versions of the script") };
    assert!(first.acknowledged.len() == 20 && second.acknowledged.len() == 20, "{second:?}");
}

#[test]
fn a_handful_of_devices_has_no_story_and_is_closed_all_the_same() {
    let world = World::live(4);
    assert_eq!(world.states, State::ALL);
    assert_eq!((world.most_debts, world.tells("debt")), (0, 0));
}
