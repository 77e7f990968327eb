//! A demo before it runs: its options, its fleet, its ports, its directory.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;

use anyhow::Context as _;

use super::options::{DemoArgs, Epoch};
use super::place::Place;
use super::transcript::Transcript;
use crate::clock;
use crate::engine::device::Label;
use crate::engine::settings::Settings;
use crate::engine::time::Timestamp;
use crate::lab::live::{Scene, View};
use crate::lab::simulation::{Scenario, Simulation, SimulationConfig};
use crate::runtime::descriptors::{self, DescriptorError};

/// When the story begins unless it is said: 2026-11-19 01:50 in Japan.
pub(super) const EPOCH: Timestamp = Timestamp::from_ms(1_795_020_600_000);
/// From the begin of a story whose begin is said to the rollout, as from 01:50 to 02:00.
const LEAD_MS: i64 = 10 * 60_000;
/// Devices in a branch: 1,000 devices are looked after by 50.
const DEVICES_PER_BRANCH: u32 = 20;
/// Reports a second that the fleet keeps below, if its devices may still report once a minute then.
const REPORTS_PER_S: f64 = 6_500.0;
/// Report periods that are chosen from, in seconds of fleet time.
const PERIODS_S: [u32; 5] = [10, 15, 20, 30, 60];
/// Descriptors beside the two of each device, which has both ends of its connection in this process.
const OTHER_DESCRIPTORS: u64 = 256;
/// Seconds of fleet time in a real one while somebody works on an incident: the rota's five minutes are fifty seconds then, and
/// the half hour of a rollout is five minutes.
const WORK_SPEED: f64 = 6.0;
/// Quiet minutes that verify a device. An hour is the rule; of 600 devices the last one has it some hours later, because a
/// healthy device has a degraded minute now and then, and nobody wants to look at a demo for so long.
pub(super) const CLEAR_MIN: u32 = 20;

/// A demo before it runs.
pub(super) struct Demo<'a> {
    pub(super) args: &'a DemoArgs,
    pub(super) simulation: Arc<Simulation>,
    pub(super) pages: TcpListener,
    pub(super) place: Place,
    pub(super) view: View,
    pub(super) transcript: Option<Transcript>,
}

impl<'a> Demo<'a> {
    pub(super) fn new(args: &'a DemoArgs) -> anyhow::Result<Self> {
        // What can fail at once fails before anybody has waited.
        let pages = bind(args.http_port, "the pages", "--http-port")?;
        if args.mqtt_port != 0 {
            drop(bind(args.mqtt_port, "the broker", "--mqtt-port")?);
        }
        descriptors::ensure(2 * u64::from(args.devices) + OTHER_DESCRIPTORS)
            .map_err(|error: DescriptorError| anyhow::Error::new(error))?;
        let transcript = args.transcript.as_deref().map(|path| {
            Transcript::create(path).with_context(|| format!("cannot write the transcript {}", path.display()))
        });
        let transcript = transcript.transpose()?;
        let place = Place::new(args.data_dir.as_deref())?;
        let epoch = args.epoch.map(|epoch| match epoch {
            Epoch::Now => clock::Clock::system().now().minute().start(),
            Epoch::At(ms) => Timestamp::from_ms(ms).minute().start(),
        });
        let config = SimulationConfig {
            rollout: epoch.map(|epoch| epoch.plus_ms(LEAD_MS)),
            devices: args.devices,
            branches: args.devices.div_ceil(DEVICES_PER_BRANCH).max(3),
            seed: args.seed,
            report_period_ms: period_s(args.devices, args.speed) * 1_000,
            utc_offset_min: Settings::default().utc_offset_min,
            ..SimulationConfig::new(args.scenario, epoch.unwrap_or(EPOCH))
        };
        let simulation = Arc::new(Simulation::new(config));
        let address = pages.local_addr().context("the pages' listener has no address")?;
        let view = View::new(scene(&simulation, address, args.speed), args.plain);
        Ok(Self { args, simulation, pages, place, view, transcript })
    }

    /// Whether simulated people work on the incidents.
    pub(super) fn has_crew(&self) -> bool {
        self.args.scenario == Scenario::Nightly && !self.args.no_crew
    }

    /// Seconds of fleet time in a real one while an incident is open: only who asked to work on it needs the time for it.
    pub(super) fn work_speed(&self) -> f64 {
        let work_speed = self.args.work_speed.unwrap_or(WORK_SPEED).min(self.args.speed);
        if self.args.no_crew { work_speed } else { self.args.speed }
    }
}

/// A listener on this machine alone.
fn bind(port: u16, what: &str, option: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).with_context(|| {
        format!("cannot listen on 127.0.0.1:{port} for {what}; {option} names another port, 0 takes a free one")
    })
}

/// The shortest period at which the fleet stays below [`REPORTS_PER_S`]; the longest if none does.
pub(super) fn period_s(devices: u32, speed: f64) -> u32 {
    let fits = |period: u32| f64::from(devices) * speed / f64::from(period) <= REPORTS_PER_S;
    PERIODS_S.into_iter().find(|&period| fits(period)).unwrap_or(PERIODS_S[PERIODS_S.len() - 1])
}

fn scene(simulation: &Simulation, pages: SocketAddr, speed: f64) -> Scene {
    let branches =
        simulation.profiles().iter().map(|device| (device.id.clone(), Label::clone(&device.branch))).collect();
    Scene {
        utc_offset_min: simulation.config().utc_offset_min,
        branches,
        updates: updates(simulation),
        pages: format!("http://{pages}"),
        speed,
    }
}

/// The updates that the story rolls out.
pub(super) fn updates(simulation: &Simulation) -> Vec<Label> {
    let installs = simulation.plans().iter().flat_map(|plan| &plan.installs);
    let tonight = installs.filter(|install| install.at >= simulation.rollout());
    tonight.map(|install| Label::clone(&install.version)).collect::<BTreeSet<_>>().into_iter().collect()
}
