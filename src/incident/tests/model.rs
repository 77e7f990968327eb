//! No sequence of requests and telemetry resolves or closes an incident early: held against a naive model of the world.
//!
//! The world has devices that measure a minute at a time, take and lose updates, switch a workaround on and off, and fall silent;
//! people command whatever comes to mind. The model keeps the whole history as it was and, asked whether the incident may
//! be over, goes through it again. It shares nothing with the incident but the meaning of the rule.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;
use crate::incident::ladder::{Claim, ExceptionKind, Proof};

const DEVICES: usize = 3;
/// Clear period of the tests, so that histories stay short.
const CLEAR_MIN: usize = 5;
/// Longest gap that leaves a device known.
const KNOWN_MIN: usize = 10;

#[derive(Clone, Copy, PartialEq, Debug)]
enum Measured {
    Good,
    Bad,
    Silent,
}

/// What may happen next.
#[derive(Clone, Debug)]
enum Step {
    /// Minutes pass; each device measures the same all the while.
    Pass(usize, [Measured; DEVICES]),
    /// Everything is good for as long as it takes.
    Quiet,
    Update(usize, Option<&'static str>),
    UpdateAll(&'static str),
    Workaround(usize, Option<(Option<&'static str>, bool)>),
    /// The detector opens an event for the device, or ends it.
    Event(usize, bool),
    Command(Command, &'static str),
    /// As above, of the newest version.
    Agree(&'static str),
    Joins(usize),
    /// A fix is agreed, released, installed everywhere, and every workaround is off.
    Remedy,
    /// The review is filed, and the close asked for for.
    Finish,
}

/// One device of the world, as it was minute by minute.
#[derive(Clone, Default)]
struct Device {
    minutes: Vec<Measured>,
    update: Option<&'static str>,
    workaround: Option<(Option<&'static str>, bool)>,
    affected: bool,
}

/// What the model remembers of a device: plain facts, in the order in which they were seen.
#[derive(Clone, Default)]
struct Facts {
    joined: Option<usize>,
    /// Minutes at which a look showed something that starts the watch over.
    disturbed: Vec<usize>,
    had_fix: bool,
    was_on: bool,
    ever_told: bool,
    claimed_on: Option<usize>,
    claimed_off: Option<usize>,
    signed_off: bool,
    /// Recovered once, so that an event is a relapse.
    recovered: bool,
    wants_word: bool,
    last_word: Option<usize>,
    proved_at: Option<usize>,
}

struct World {
    story: Story,
    devices: Vec<Device>,
    facts: Vec<Facts>,
    /// Versions that were registered, with their fix and whether they were agreed.
    versions: Vec<(Option<&'static str>, bool)>,
    released: Option<&'static str>,
    resolved: usize,
    closed: usize,
    reopened: usize,
}

const VERSIONS: [&str; 3] = ["2026.11.21", "2026.11.22", "2026.11.23"];

impl World {
    fn new() -> Self {
        let mut story = Story::declared(DEVICES);
        story.settings = LifeSettings { clear_min: CLEAR_MIN as u32, nag_min: 30, ..LifeSettings::default() };
        let step = |person: &str| RotaStep { people: vec![person.into()], timeout_min: 3 };
        story.rota = Rota([(Seat::of(Role::Commander), vec![step("ito"), step("mori")])].into_iter().collect());
        let device = || Device {
            update: Some(VERSIONS[0]),
            affected: true,
            minutes: vec![Measured::Bad; 3],
            ..Device::default()
        };
        let facts = || Facts { joined: Some(3), ..Facts::default() };
        Self {
            story,
            devices: (0..=DEVICES).map(|_| device()).collect(),
            facts: (0..=DEVICES).map(|place| if place < DEVICES { facts() } else { Facts::default() }).collect(),
            versions: Vec::new(),
            released: None,
            resolved: 0,
            closed: 0,
            reopened: 0,
        }
    }

    /// Minutes lived.
    fn minute(&self) -> usize {
        self.devices[0].minutes.len()
    }

    /// The fix that is agreed last.
    fn fix(&self) -> Option<&'static str> {
        self.versions.iter().rev().find(|(_, agreed)| *agreed).and_then(|(fix, _)| *fix)
    }

    /// Whether `place` had the clear period's good minutes, and no bad one between them, after minute `since`.
    fn was_quiet_after(&self, place: usize, since: usize) -> bool {
        let mut good = 0;
        self.devices[place].minutes[since.min(self.minute())..].iter().any(|measured| {
            good = match measured {
                Measured::Good => good + 1,
                Measured::Bad => 0,
                Measured::Silent => good,
            };
            good >= CLEAR_MIN
        })
    }

    /// Whether the model sees any reason for the device not to count as settled.
    fn open_because(&self, place: usize) -> Option<&'static str> {
        let (device, facts) = (&self.devices[place], &self.facts[place]);
        let since = facts.disturbed.last().copied().max(facts.joined).unwrap_or_default();
        let reverted = if facts.ever_told {
            !facts.was_on
        } else {
            facts.claimed_on.is_none() || facts.claimed_off >= facts.claimed_on
        };
        if facts.joined.is_none() || facts.signed_off {
            None
        } else if self.fix().is_none() || self.released != self.fix() {
            Some("no fix is released")
        } else if !facts.had_fix {
            Some("has not shown the fix")
        } else if !reverted {
            Some("the workaround is on")
        } else if !self.was_quiet_after(place, since) {
            Some("was not quiet since it was changed")
        } else if facts.wants_word && facts.last_word < facts.proved_at {
            Some("is owed a word")
        } else if device.affected {
            Some("suffers again")
        } else if !device.minutes.iter().rev().take(KNOWN_MIN + 1).any(|measured| *measured != Measured::Silent) {
            Some("is not heard of")
        } else {
            None
        }
    }

    /// The fleet as the detector would show it.
    fn show(&mut self) {
        for (place, device) in self.devices.iter().enumerate() {
            let known = |measured: &Measured| *measured != Measured::Silent;
            let mut quiet = Vec::new();
            for (minute, measured) in device.minutes.iter().enumerate().rev() {
                match measured {
                    Measured::Good if quiet.len() < CLEAR_MIN => quiet.push(minute),
                    Measured::Silent => {}
                    _ => break,
                }
            }
            let first = quiet.last().map(|first| minute(*first as i64 - 3));
            let seen = Seen {
                streak_min: u32::from(device.minutes.last() == Some(&Measured::Bad)),
                quiet_since: None,
                gap_min: 0,
                is_known: device.minutes.iter().rev().take(KNOWN_MIN + 1).any(known),
                affected: device.affected,
                workaround: device.workaround,
                update: device.update,
                packages: vec![],
            };
            self.story.fleet.insert(id(place), seen);
            self.story.counted.insert(id(place), (quiet.len() as u32, first));
        }
    }

    /// What the model takes note of in a look.
    fn note_look(&mut self) {
        let (now, fix, released) = (self.minute(), self.fix(), self.released);
        for place in 0..=DEVICES {
            let device = self.devices[place].clone();
            let facts = &mut self.facts[place];
            if facts.joined.is_none() {
                continue;
            }
            let shows = device.update.map(|update| fix.is_some_and(|fix| update >= fix));
            let has_fix = fix.is_some() && released == fix && shows.unwrap_or(facts.had_fix);
            if has_fix != facts.had_fix {
                facts.disturbed.push(now);
            }
            facts.had_fix = has_fix;
            if let Some((_, on)) = device.workaround {
                if facts.was_on && !on {
                    facts.disturbed.push(now);
                }
                facts.ever_told |= on || facts.claimed_on.is_some();
                facts.was_on = on;
            }
            if device.affected && facts.recovered {
                facts.disturbed.push(now);
                (facts.recovered, facts.signed_off) = (false, false);
            }
        }
    }

    fn look(&mut self) {
        self.show();
        self.note_look();
        let fleet = self.story.fleet.clone();
        let events = self.story.incident.observe(&self.story.seen(&fleet), &self.story.settings, self.story.now);
        // Only what the incident itself says it has proved tells the model from when on an event is a relapse, and a word is owed.
        for event in &events {
            if let Action::Proved { devices, proof: Proof::Quality } = &event.action {
                for device in devices {
                    let place = (0..=DEVICES).find(|place| id(*place) == *device).unwrap();
                    let now = self.minute();
                    (self.facts[place].recovered, self.facts[place].proved_at) = (true, Some(now));
                }
            }
        }
        self.take(events);
        let ticked = self.story.incident.tick(&self.story.rota, &self.story.settings, self.story.now);
        self.take(ticked);
        let again = self.story.incident.tick(&self.story.rota, &self.story.settings, self.story.now);
        assert!(again.is_empty(), "due again: {again:?}");
    }

    /// Takes events in; whatever ends the incident is held against the model.
    fn take(&mut self, events: Vec<IncidentEvent>) {
        for event in &events {
            let ends = match &event.action {
                Action::Moved { to: State::Resolved, .. } => "resolved",
                Action::Closed { .. } => "closed",
                _ => continue,
            };
            for place in 0..=DEVICES {
                let open = self.open_because(place);
                assert_eq!(open, None, "{ends} at {}, but device {place} {open:?}", self.minute());
            }
        }
        let before = self.story.incident.clone();
        let names = self.story.take(events);
        self.hold_the_way(&before);
        let count = |name: &str| names.iter().filter(|other| **other == name).count();
        self.closed += count("closed");
        self.reopened += count("reopened");
        self.resolved += usize::from(names.contains(&"moved") && self.story.incident.state == State::Resolved);
    }

    fn live(&mut self, step: Step) {
        match step {
            Step::Pass(minutes, measured) => self.pass(minutes, |place| measured[place.min(DEVICES - 1)]),
            Step::Quiet => self.pass(2 * CLEAR_MIN, |_| Measured::Good),
            Step::Update(place, update) => self.devices[place].update = update,
            Step::UpdateAll(update) => self.devices.iter_mut().for_each(|device| device.update = Some(update)),
            Step::Workaround(place, workaround) => {
                // Who has once told of it goes on telling.
                let told = self.devices[place].workaround.is_some();
                if workaround.is_some() || !told {
                    self.devices[place].workaround = workaround;
                }
            }
            Step::Event(place, open) => self.devices[place].affected = open,
            Step::Command(command, by) => self.execute(&command, by),
            Step::Agree(by) => {
                let version = self.versions.len() as u32;
                self.execute(&Command::AgreeCountermeasure { version }, by);
            }
            Step::Joins(place) => self.join(place),
            Step::Remedy => self.remedy(),
            Step::Finish => {
                self.execute(&Command::FileReview { text: "it is over".into() }, "ito");
                self.execute(&Command::Close, "ito");
            }
        }
        self.look();
        self.hold_what_is_resolved();
    }

    fn remedy(&mut self) {
        let fix = Some(Fix::Update(VERSIONS[1].into()));
        self.execute(&Command::RegisterCountermeasure { workaround: None, fix, fix_due_at: None }, "mori");
        let version = self.versions.len() as u32;
        self.execute(&Command::AgreeCountermeasure { version }, "sato");
        self.execute(&Command::ReleaseFix, "sato");
        for device in &mut self.devices {
            device.update = Some(VERSIONS[1]);
            device.workaround = device.workaround.map(|(id, _)| (id, false));
        }
    }

    /// States have their times in their order, the first time stays, and lapses come one after the other.
    fn hold_the_way(&self, before: &Incident) {
        let (incident, way) = (&self.story.incident, &self.story.incident.way);
        let reached: Vec<_> = State::ALL.into_iter().filter_map(|state| way.reached(state)).collect();
        assert!(reached.is_sorted(), "{reached:?}");
        assert!(way.reached(State::Declared).is_some() && reached.last() <= Some(&self.story.now));
        for state in State::ALL {
            assert!(
                before.way.reached(state).is_none() || before.way.reached(state) == way.reached(state),
                "{state:?}"
            );
        }
        let corrected = |incident: &Incident| incident.milestones.get(Milestone::Mitigated);
        let by_hand = |event: &IncidentEvent| matches!(event.action, Action::Timed { reason: Some(_), .. });
        let corrected_by_hand = || self.story.record.iter().any(by_hand);
        if let (Some(first), Some(now)) = (corrected(before), corrected(incident)) {
            assert!(first == now || corrected_by_hand(), "mitigated at {first:?}, then at {now:?}");
        }
        let ends = way.lapses().iter().flat_map(|lapse| [Some(lapse.lost_at), lapse.back_at]).flatten();
        assert!(ends.is_sorted(), "{:?}", way.lapses());
        let lasting = way.lapses().iter().filter(|lapse| lapse.back_at.is_none()).count();
        assert!(lasting <= 1 && (lasting == 0) == (way.is_back() || way.lapses().is_empty()), "{way:?}");
    }

    /// What is resolved does not stay so once a device needs something done.
    fn hold_what_is_resolved(&self) {
        if !matches!(self.story.incident.state, State::Resolved | State::Reviewed) {
            return;
        }
        for place in 0..=DEVICES {
            let may_wait = ["is owed a word", "is not heard of", "suffers again"];
            let open = self.open_because(place).filter(|open| !may_wait.contains(open));
            assert_eq!(open, None, "{:?} at {}, but device {place} {open:?}", self.story.incident.state, self.minute());
        }
    }

    fn join(&mut self, place: usize) {
        self.devices[place].affected = true;
        let events = self.story.incident.take_in(&[joining(place)], self.story.now);
        if self.story.incident.is_open() {
            let now = self.minute();
            let facts = &mut self.facts[place];
            if facts.joined.is_none() {
                facts.joined = Some(now);
            } else if facts.recovered {
                facts.disturbed.push(now);
                (facts.recovered, facts.signed_off) = (false, false);
            }
        }
        self.take(events);
    }

    fn pass(&mut self, minutes: usize, measured: impl Fn(usize) -> Measured) {
        for _ in 0..minutes {
            for (place, device) in self.devices.iter_mut().enumerate() {
                let measured = measured(place);
                device.minutes.push(measured);
                // An event of the detector does not outlive the damage for long.
                if measured == Measured::Good && device.minutes.iter().rev().take(3).all(|last| *last == Measured::Good)
                {
                    device.affected = false;
                }
            }
            self.story.wait(1);
            self.look();
        }
    }

    fn execute(&mut self, command: &Command, by: &str) {
        self.show();
        let fleet = self.story.fleet.clone();
        let at = (&self.story.settings, self.story.now);
        let Ok(events) = self.story.incident.decide(command, by, Some(&self.story.seen(&fleet)), at) else { return };
        let now = self.minute();
        let place = |device: &DeviceId| (0..=DEVICES).find(|place| id(*place) == *device).unwrap();
        match command {
            Command::RegisterCountermeasure { fix, .. } => {
                let fix = fix.as_ref().map(|fix| VERSIONS.into_iter().find(|version| *version == fix.name()).unwrap());
                self.versions.push((fix, false));
            }
            Command::AgreeCountermeasure { .. } => self.versions.last_mut().unwrap().1 = true,
            Command::ReleaseFix => self.released = self.fix(),
            Command::Claim { devices, claim } => {
                for device in devices {
                    match claim {
                        Claim::Workaround => self.facts[place(device)].claimed_on = Some(now),
                        Claim::Revert => self.facts[place(device)].claimed_off = Some(now),
                        Claim::Fix => {}
                    }
                }
            }
            Command::SignOff { device, .. } => self.facts[place(device)].signed_off = true,
            Command::LiftException { device, .. } => self.facts[place(device)].signed_off = false,
            Command::RecordCall { device, call } => {
                let facts = &mut self.facts[place(device)];
                facts.wants_word = call.progress.map_or(facts.wants_word, |progress| progress != Progress::Unwanted);
                if matches!(call.outcome, CallOutcome::Reached | CallOutcome::Refused) {
                    facts.last_word = Some(now);
                }
            }
            _ => {}
        }
        self.take(events);
    }
}

fn device() -> impl Strategy<Value = usize> {
    0..DEVICES
}

fn measured() -> impl Strategy<Value = Measured> {
    prop_oneof![4 => Just(Measured::Good), 2 => Just(Measured::Bad), 1 => Just(Measured::Silent)]
}

fn register() -> impl Strategy<Value = Command> {
    let fix = prop_oneof![
        1 => Just(None),
        4 => Just(Some(VERSIONS[1])),
        1 => Just(Some(VERSIONS[2])),
    ];
    (prop_oneof![Just(None), Just(Some("WA-1")), Just(Some("WA-2"))], fix).prop_map(|(workaround, fix)| {
        let script = Script { ja: "設定".into(), en: String::new() };
        Command::RegisterCountermeasure {
            workaround: workaround.map(|id: &str| WorkaroundPlan { id: id.into(), script }),
            fix: fix.map(|version: &str| Fix::Update(version.into())),
            fix_due_at: None,
        }
    })
}

fn command() -> impl Strategy<Value = Command> {
    let outcome = prop::sample::select(CallOutcome::ALL.to_vec());
    let progress = prop::option::of(prop::sample::select(Progress::ALL.to_vec()));
    let reason = || "because".to_owned();
    prop_oneof![
        4 => register(),
        4 => Just(Command::ReleaseFix),
        3 => (device(), outcome, progress).prop_map(|(device, outcome, progress)| called(device, outcome, progress)),
        3 => (device(), prop::sample::select(Claim::ALL.to_vec()))
            .prop_map(|(device, claim)| Command::Claim { devices: vec![id(device)], claim }),
        2 => (device(), prop::sample::select(ExceptionKind::ALL.to_vec()))
            .prop_map(move |(device, kind)| Command::SignOff { device: id(device), kind, evidence: reason() }),
        1 => device().prop_map(move |device| Command::LiftException { device: id(device), reason: reason() }),
        3 => Just(Command::FileReview { text: "it is over".into() }),
        4 => Just(Command::Close),
        1 => Just(Command::Acknowledge { seat: Seat::of(Role::Commander) }),
        1 => Just(Command::HandOver { seat: Seat::of(Role::Commander), to: "abe".into(), reason: reason() }),
        1 => Just(Command::Note { text: reason(), tell: true }),
        1 => (prop::sample::select(Milestone::ALL.to_vec()), -100_i64..200).prop_map(move |(milestone, at)| {
            Command::CorrectTime { milestone, instant: minute(at), reason: reason() }
        }),
        1 => (1_u32..4).prop_map(|version| Command::AcknowledgeScript { version }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let update = prop::option::weighted(0.9, prop::sample::select(VERSIONS.to_vec()));
    let id = prop_oneof![Just(None), Just(Some("WA-1")), Just(Some("WA-2"))];
    let workaround = prop::option::weighted(0.9, (id, any::<bool>()));
    prop_oneof![
        3 => (1_usize..8, [measured(), measured(), measured()]).prop_map(|(minutes, measured)| Step::Pass(minutes, measured)),
        5 => Just(Step::Quiet),
        2 => (device(), update).prop_map(|(device, update)| Step::Update(device, update)),
        4 => Just(Step::UpdateAll(VERSIONS[1])),
        1 => Just(Step::UpdateAll(VERSIONS[2])),
        3 => (device(), workaround).prop_map(|(device, workaround)| Step::Workaround(device, workaround)),
        1 => (device(), any::<bool>()).prop_map(|(device, open)| Step::Event(device, open)),
        10 => (command(), prop::sample::select(vec!["ito", "mori"])).prop_map(|(command, by)| Step::Command(command, by)),
        5 => Just(Step::Agree("sato")),
        2 => Just(Step::Remedy),
        3 => Just(Step::Finish),
        1 => (0..=DEVICES).prop_map(Step::Joins),
    ]
}

#[test]
fn nothing_is_resolved_or_closed_before_its_time() {
    // Fixed seed: the same 1,000 histories everywhere.
    let mut runner = TestRunner::new_with_rng(
        Config { cases: 1_000, failure_persistence: None, ..Config::default() },
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    let ended = std::cell::Cell::new((0, 0, 0));
    let outcome = runner.run(&prop::collection::vec(step(), 1..80), |steps| {
        let mut world = World::new();
        for step in steps {
            world.live(step);
        }
        let (resolved, closed, reopened) = ended.get();
        ended.set((resolved + world.resolved, closed + world.closed, reopened + world.reopened));
        Ok(())
    });
    outcome.unwrap();
    let (resolved, closed, reopened) = ended.get();
    println!("{resolved} resolved, {closed} closed, {reopened} reopened");
    assert!(
        resolved > 300 && closed > 50 && reopened > 100,
        "{resolved} {closed} {reopened}: the histories must come to an end"
    );
}
