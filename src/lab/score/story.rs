//! One run: a story with the days before it, straight into the engine on virtual time, and what each contestant made of it.

use std::sync::Arc;

use anyhow::Context as _;

use crate::engine::detector::Engine;
use crate::engine::effect::{Change, ChangeKind, Scope};
use crate::engine::fleet::Fleet;
use crate::engine::settings::Settings;
use crate::engine::time::{MINUTE_MS, Timestamp};
use crate::engine::wire::Limits;
use crate::engine::wire::encode::{self, LatencyForm};
use crate::lab::feed::{self, Lived};
use crate::lab::simulation::series::{self, Piece, Series};
use crate::lab::simulation::{Body, Message, Messages, Scenario, Simulation, SimulationConfig};
use crate::runtime::driver::Virtual;
use crate::runtime::playback::Playback;

use super::outcome::{Alarm, Case, Outcome, judge};
use super::prometheus::Prometheus;

/// 2026-11-16, a Monday, 01:30 UTC: half an hour before the rollout. The seed chooses the day of the week.
const MONDAY_MS: i64 = 1_794_792_600_000;
const DAY_MS: i64 = 86_400_000;
const LEAD_MIN: i64 = 30;
/// A piece of a series begins and ends at least this long before and after what is told on it.
const MARGIN_MS: i64 = 3_600_000;
/// Reports of the first days of a history find no baseline of the device's own, so their alarms are counted apart.
pub const YOUNG_DAYS: i64 = 2;

/// Who is compared.
pub const CONTESTANTS: [&str; 3] = ["fleetwatch", "literal", "fair"];

/// Where the usual delays come from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Background {
    /// The simulator's, which were fitted to measured ones.
    Fitted,
    /// Measured series themselves, of https alone, with what nature put into them.
    Measured,
    /// Of those, the pieces without an hour that is unusual for its time of day.
    Filtered,
}

impl Background {
    /// The name in the output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fitted => "fitted",
            Self::Measured => "measured",
            Self::Filtered => "filtered",
        }
    }

    /// Whether a story can be told on it: a measured series is one class of one size of fleet, with its own noise.
    pub const fn tells(self, scenario: Scenario) -> bool {
        let only_fitted = matches!(
            scenario,
            Scenario::MailOnly
                | Scenario::DnsOnly
                | Scenario::Correlated
                | Scenario::CorrelatedQuiet
                | Scenario::FleetOfThousand
        );
        matches!(self, Self::Fitted) || !only_fitted
    }
}

/// What a run is made of, apart from its story.
#[derive(Clone, Debug)]
pub struct Setup {
    /// For the measured background.
    pub series: Vec<Arc<Series>>,
    /// Most devices; on the measured background there may be fewer pieces of series.
    pub devices: u32,
    /// Days of one report a minute before the story.
    pub history_days: u32,
    pub settings: Settings,
}

/// What a run took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    pub reports: u64,
    /// Minutes of a device and class that the engine judged.
    pub slots: u64,
    pub device_days: f64,
    /// A fleet for a day, whatever its size.
    pub fleet_days: f64,
}

impl Cost {
    /// Adds another cost to this one.
    pub fn add(&mut self, other: &Self) {
        self.reports += other.reports;
        self.slots += other.slots;
        self.device_days += other.device_days;
        self.fleet_days += other.fleet_days;
    }
}

/// The days before: what was learnt, and what was wrongly said meanwhile.
#[derive(Debug)]
pub struct Learnt {
    image: Vec<u8>,
    prometheus: Prometheus,
    pub quiet: Quiet,
}

/// What was said on days on which nothing is wrong.
#[derive(Clone, Copy, Debug)]
pub struct Quiet {
    pub background: Background,
    pub cost: Cost,
    /// Device-days after the first [`YOUNG_DAYS`].
    pub mature_days: f64,
    /// Alarms of fleet scope after them.
    pub false_fleet: u32,
    /// Alarms of isolated scope after them.
    pub false_isolated: u32,
    /// Alarms during them.
    pub young: u32,
}

/// A story's scores, by contestant.
#[derive(Clone, Debug)]
pub struct Told {
    pub background: Background,
    pub scenario: Scenario,
    pub seed: u64,
    /// In the order of [`CONTESTANTS`].
    pub outcomes: Vec<Outcome>,
    /// Lives of the fair contestant's group: what a tool that joins notifications by group would call incidents.
    pub groups: u32,
    pub devices: u32,
    pub cost: Cost,
    /// Messages that were refused, duplicates included.
    pub refused: u64,
    /// All that our detector said of the story.
    pub changes: Vec<Change>,
}

/// How the days before differ between stories: only where what is told of them does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Past {
    pub background: Background,
    pub seed: u64,
    pub devices: u32,
    /// A scenario of its own past; [`Scenario::Nightly`] stands for all others.
    pub scenario: Scenario,
}

impl Past {
    /// The past that a scenario needs.
    pub fn of(background: Background, scenario: Scenario, seed: u64, setup: &Setup) -> Self {
        let devices = if scenario == Scenario::FleetOfThousand { 1_000 } else { setup.devices };
        let scenario = match scenario {
            Scenario::SkewedClocks | Scenario::Correlated => scenario,
            Scenario::CorrelatedQuiet => Scenario::Correlated,
            _ => Scenario::Nightly,
        };
        Self { background, seed, devices, scenario }
    }
}

/// The pieces of series that devices of a background may be: the same for every story of a seed, so that the days before are the
/// same.
pub fn offered(background: Background, seed: u64, setup: &Setup) -> Vec<Piece> {
    if background == Background::Fitted {
        return Vec::new();
    }
    let longest = Scenario::ALL.into_iter().map(Scenario::minutes).max().unwrap_or_default();
    let from = epoch(seed).plus_ms(-i64::from(setup.history_days) * DAY_MS - MARGIN_MS).as_ms();
    let to = epoch(seed).plus_ms((LEAD_MIN + longest) * MINUTE_MS + MARGIN_MS).as_ms();
    let mut pieces = series::pieces(&setup.series, from, to);
    if background == Background::Filtered {
        pieces.retain(|piece| piece.is_usual(&(from..to)));
    }
    pieces
}

fn epoch(seed: u64) -> Timestamp {
    Timestamp::from_ms(MONDAY_MS + (seed % 7) as i64 * DAY_MS)
}

/// The fleet of a story.
pub fn simulation(scenario: Scenario, past: &Past, setup: &Setup) -> Simulation {
    let epoch = epoch(past.seed);
    let pieces = offered(past.background, past.seed, setup);
    let pieces = series::draw(&pieces, past.devices as usize, past.seed);
    let devices = if past.background == Background::Fitted { past.devices } else { pieces.len() as u32 };
    let config = SimulationConfig {
        devices,
        branches: devices.div_ceil(if devices < 100 { 10 } else { 20 }).max(3),
        seed: past.seed,
        report_period_ms: MINUTE_MS as u32,
        ..SimulationConfig::new(scenario, epoch)
    };
    match past.background {
        Background::Fitted => Simulation::new(config),
        Background::Measured | Background::Filtered => Simulation::measured(config, pieces),
    }
}

/// Lives through the days before.
pub fn learn(past: &Past, setup: &Setup) -> Learnt {
    let simulation = simulation(past.scenario, past, setup);
    let devices = simulation.config().devices;
    let mut prometheus = Prometheus::new(&setup.settings, devices as usize);
    let mut driver = Virtual::new(engine(setup, &simulation));
    let lived = feed::live(&mut driver, &simulation, simulation.history(setup.history_days), |message| {
        if let Body::Report(report) = message.body {
            prometheus.learn(message.at, message.device, report);
        }
    });
    let first = simulation.config().epoch.plus_ms(-i64::from(setup.history_days) * DAY_MS);
    let mature = first.plus_ms(YOUNG_DAYS * DAY_MS);
    let alarms = alarms(&lived.changes, &simulation, ChangeKind::Declared);
    let (young, old): (Vec<_>, Vec<_>) = alarms.into_iter().partition(|alarm| alarm.at < mature);
    let fleet = old.iter().filter(|alarm| alarm.scope == Scope::Fleet).count() as u32;
    let days = f64::from(setup.history_days);
    let quiet = Quiet {
        background: past.background,
        cost: cost(&lived, slots(driver.engine()), devices, days),
        mature_days: f64::from(devices) * (days - YOUNG_DAYS as f64).max(0.0),
        false_fleet: fleet,
        false_isolated: old.len() as u32 - fleet,
        young: young.len() as u32,
    };
    Learnt { image: driver.engine().image(), prometheus, quiet }
}

fn cost(lived: &Lived, slots: u64, devices: u32, days: f64) -> Cost {
    Cost { reports: lived.reports, slots, device_days: f64::from(devices) * days, fleet_days: days }
}

/// Tells a story after what was learnt.
///
/// # Errors
/// When the state that was learnt cannot be taken up.
pub fn tell(scenario: Scenario, past: &Past, learnt: &Learnt, setup: &Setup) -> anyhow::Result<Told> {
    let simulation = simulation(scenario, past, setup);
    let mut engine = Engine::new(setup.settings.clone(), Arc::new(Fleet::new(&setup.settings)));
    engine.restore(&learnt.image).context("what was learnt cannot be taken up")?;
    let before = slots(&engine);
    let mut prometheus = learnt.prometheus.clone();
    let epoch = simulation.config().epoch;
    let end = epoch.plus_ms((LEAD_MIN + scenario.minutes()) * MINUTE_MS);
    let messages = simulation.messages(epoch, end);
    let mut observe = |message: &Message<'_>| match message.body {
        Body::Report(report) => prometheus.report(message.at, message.device, report),
        Body::Status(_) => {}
    };
    let (lived, engine) = if scenario == Scenario::WrongVersions {
        over_the_wire(engine, &simulation, messages, &mut observe)
    } else {
        let mut driver = Virtual::new(engine);
        let mut lived = feed::live(&mut driver, &simulation, messages, observe);
        lived.changes.append(&mut driver.finish());
        (lived, driver.into_engine())
    };
    prometheus.advance(end.plus_ms(MINUTE_MS));
    let (literal, fair, groups) = prometheus.into_alarms();
    let ours = alarms(&lived.changes, &simulation, ChangeKind::Declared);
    let warnings = alarms(&lived.changes, &simulation, ChangeKind::EarlyWarning);
    let truth = simulation.truth();
    let boundary = scenario.is_boundary();
    let case = |alarms, scoped| Case { truth, alarms, warnings: &[], scoped, boundary };
    let outcomes = vec![
        judge(&Case { warnings: &warnings, ..case(&ours, true) }),
        judge(&case(&literal, false)),
        judge(&case(&fair, false)),
    ];
    Ok(Told {
        scenario,
        seed: past.seed,
        outcomes,
        groups,
        background: past.background,
        devices: simulation.config().devices,
        cost: cost(
            &lived,
            slots(&engine) - before,
            simulation.config().devices,
            (LEAD_MIN + scenario.minutes()) as f64 / 1_440.0,
        ),
        refused: lived.refused,
        changes: lived.changes,
    })
}

fn engine(setup: &Setup, simulation: &Simulation) -> Engine {
    let engine = Engine::new(setup.settings.clone(), Arc::new(Fleet::new(&setup.settings)));
    for profile in simulation.profiles() {
        engine.fleet().expect(profile.id.clone());
    }
    engine
}

/// As [`feed::live`], with every message as bytes; devices of which the story says so send beside each report one in
/// a version or an encoding that nobody knows.
fn over_the_wire(
    engine: Engine,
    simulation: &Simulation,
    mut messages: Messages<'_>,
    observe: &mut impl FnMut(&Message<'_>),
) -> (Lived, Engine) {
    let mut playback = Playback::new(engine, "utm", Limits::default());
    let mut lived = Lived::default();
    while let Some(message) = messages.next() {
        observe(&message);
        let id = simulation.profiles()[message.device as usize].id.as_str();
        let (kind, payload) = match message.body {
            Body::Report(report) => ("report", encode::report_json(id, report, LatencyForm::Counts)),
            Body::Status(status) => ("status", encode::status_json(id, status)),
        };
        let topic = format!("utm/v1/{id}/{kind}");
        if simulation.plans()[message.device as usize].wrong_versions {
            lived.changes.append(&mut playback.play(message.at, &topic, &wrong(&payload, lived.reports), false));
        }
        lived.changes.append(&mut playback.play(message.at, &topic, &payload, false));
        lived.reports += u64::from(kind == "report");
    }
    lived.changes.append(&mut playback.finish());
    lived.refused = playback.refused().values().sum();
    (lived, playback.into_engine())
}

/// A payload of another version, of an unknown encoding, or cut short.
fn wrong(payload: &[u8], number: u64) -> Vec<u8> {
    let mut bytes = payload.to_vec();
    match number % 3 {
        0 => {
            let text = String::from_utf8_lossy(payload).replacen("\"v\":1", "\"v\":2", 1);
            bytes = text.into_bytes();
        }
        1 => bytes[0] = 0x02,
        _ => bytes.truncate(payload.len() / 2),
    }
    bytes
}

/// The changes of one kind as alarms.
fn alarms(changes: &[Change], simulation: &Simulation, kind: ChangeKind) -> Vec<Alarm> {
    let number = |id: &str| simulation.profiles().iter().position(|profile| profile.id.as_str() == id);
    let chosen = changes.iter().filter(|change| change.kind == kind);
    chosen
        .map(|change| {
            let mut devices: Vec<u32> =
                change.devices.iter().filter_map(|id| number(id.as_str())).map(|index| index as u32).collect();
            devices.sort_unstable();
            let cause = change.cause.as_ref().map(|cause| cause.suspect.clone());
            Alarm { at: change.at, devices, scope: change.scope, cause }
        })
        .collect()
}

/// Slots that the engine has judged.
fn slots(engine: &Engine) -> u64 {
    engine.snapshot().totals.slots
}
