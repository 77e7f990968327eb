//! A simulated fleet: devices with a believable life, a story of what goes wrong, and the truth of what was injected.
//!
//! Deterministic: the same [`SimulationConfig`] gives the same messages, byte for byte, whatever part of them is asked
//! for and in whatever order, because every number is a pure function of (seed, device, instant) ([`random`]). It reads
//! no clock and does no IO, so that the detector can be tried on it in virtual time; the `mqtt` runner sends
//! the same messages over real connections.
//!
//! # Where the figures come from
//!
//! The background is fitted to public series of round-trip times: RIPE Atlas pings (W. Shao et al., 23 series of 5 to
//! 33 days, one ping in 240 s) and delays between personal devices in Seattle (R. Zhu, B. Liu, D. Niu, Z. Li, H. V. Zhao,
//! IEEE/ACM ToN 25(2), 2017; 58,694 fresh entries). Only figures were taken. "Excess" is what stands above the least
//! value of six hours: the queueing part, which is what an appliance's added delay resembles.
//!
//! | figure | RIPE excess over its 6 h median | Seattle over its local median | here |
//! |---|---|---|---|
//! | within a minute, 5 % / 25 % | 0.19 / 0.71 | 0.33 / 0.77 | 0.25 / 0.74 |
//! | within a minute, 75 % / 90 % / 95 % | 1.30 / 1.80 / 2.45 | 1.61 / 2.93 / 4.18 | 1.45 / 2.3 / 3.2 |
//! | within a minute, 99 % / 99.9 % | 23 / 177 (level shifts within the six hours) | 10.5 / 41 | 9.5 / 35 |
//! | level, a day later, quartiles | -1.5 % / +1.6 % | | drift of 3 % an hour, interpolated |
//! | daily busy time (busiest hours' 90 % over the quietest's above 1.8) | 5 of 23 series, 1.8 to 6.1 times, 4 to 9 hours | | 30 % of the devices (the prototype's share), 1.8 to 3.5 times, 4 to 8 hours |
//! | burst noise: share of pings 5 % above their half hour | 0.60 %, the next one too in 9 to 54 % (median 0.25) | | 0.6 % of 4-minute cells, goes on with 0.25 |
//! | size of bursts | Pareto, exponent 1.04 (Hill) | | Pareto 1.04, 1.15 to 6 times |
//!
//! Night traffic of 4 % of the day's is the prototype's figure. Median delays by class (0.5 ms dns, 1.4 ms http, 3.2 ms
//! https, 6 ms mail on model B200) are set, not measured: no public series of an appliance's added delay is known.

pub mod device;
pub mod load;
pub mod mqtt;
pub mod plan;
pub mod remedy;
pub mod scenario;
pub mod series;

mod background;
mod random;
mod shape;
mod statuses;
mod story;
mod truth;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::ops::Range;

use crate::engine::time::Timestamp;

pub use background::{CLASSES, DeviceProfile};
pub use device::{Body, DeviceSim, Message};
pub use plan::{DevicePlan, Truth};
pub use remedy::{Remedies, Remedy};
pub use scenario::Scenario;

use device::Segment;
use plan::{DAY_MS, Story};
use random::{Stream, mix};
use series::Piece;
use shape::Shape;
use story::{Author, ROLLOUT_HOUR};

/// What to simulate.
#[derive(Clone, Debug)]
pub struct SimulationConfig {
    pub scenario: Scenario,
    /// Number of devices.
    pub devices: u32,
    /// Number of branches that look after them.
    pub branches: u32,
    pub seed: u64,
    /// Where the live part begins.
    pub epoch: Timestamp,
    /// When the scenario's rollout starts, on a whole minute; `None`: at the first 02:00 (local) at or after the epoch.
    pub rollout: Option<Timestamp>,
    /// Period of live reports, 1..=60000 ms.
    pub report_period_ms: u32,
    /// The fleet's local time minus UTC: the daily cycle and the nightly update follow it.
    pub utc_offset_min: i32,
}

impl SimulationConfig {
    /// A fleet of 1,000 in 50 branches that reports every ten seconds and lives by UTC.
    pub fn new(scenario: Scenario, epoch: Timestamp) -> Self {
        Self {
            scenario,
            devices: 1_000,
            branches: 50,
            seed: 1,
            epoch,
            rollout: None,
            report_period_ms: 10_000,
            utc_offset_min: 0,
        }
    }
}

/// A fleet with its story. Cheap to share by reference; every stream of messages is independent.
#[derive(Clone, Debug)]
pub struct Simulation {
    config: SimulationConfig,
    profiles: Vec<DeviceProfile>,
    story: Story,
    remedies: Remedies,
    shape: Shape,
    rollout: Timestamp,
}

/// Period of the reports of the history.
const HISTORY_PERIOD_MS: u32 = 60_000;

impl Simulation {
    /// Makes the fleet and works the story out.
    pub fn new(config: SimulationConfig) -> Self {
        let seed = mix(config.seed, 0);
        let profiles: Vec<_> =
            (0..config.devices).map(|index| DeviceProfile::new(seed, index, config.branches)).collect();
        let utc_offset_ms = i64::from(config.utc_offset_min) * 60_000;
        let rollout = config.rollout.unwrap_or_else(|| next_rollout(config.epoch, utc_offset_ms));
        let author = Author { scenario: config.scenario, seed, profiles: &profiles, rollout, utc_offset_ms };
        let story = author.story();
        let remedies = Remedies::new(config.devices);
        Self { config, profiles, story, remedies, shape: Shape::new(), rollout }
    }

    /// As [`Self::new`], with measured delays: device number i has those of piece number i, which must hold the whole time
    /// that is asked for. Its https flows are at most 60 in a minute, and it has no other traffic.
    ///
    /// # Panics
    /// When there are fewer pieces than devices.
    pub fn measured(config: SimulationConfig, pieces: Vec<Piece>) -> Self {
        assert!(pieces.len() >= config.devices as usize, "a piece for each device");
        let mut simulation = Self::new(config);
        for (profile, piece) in simulation.profiles.iter_mut().zip(pieces) {
            profile.measured = Some(piece);
        }
        simulation
    }

    /// What was asked for.
    pub fn config(&self) -> &SimulationConfig {
        &self.config
    }

    /// The devices, by number.
    pub fn profiles(&self) -> &[DeviceProfile] {
        &self.profiles
    }

    /// What happens to each device, by number.
    pub fn plans(&self) -> &[DevicePlan] {
        &self.story.plans
    }

    /// When the scenario's rollout begins.
    pub fn rollout(&self) -> Timestamp {
        self.rollout
    }

    /// Name of the update that would be rolled out so many nights after the scenario's.
    pub fn version_built_after(&self, nights: i64) -> String {
        let utc_offset_ms = i64::from(self.config.utc_offset_min) * 60_000;
        story::version_of(self.rollout.plus_ms(utc_offset_ms), nights)
    }

    /// By what devices are worked on while the fleet lives. The same for every stream of messages, and for clones of this.
    pub fn remedies(&self) -> &Remedies {
        &self.remedies
    }

    /// What was injected, in the order of the story.
    pub fn truth(&self) -> &[Truth] {
        &self.story.truth
    }

    /// Live messages that arrive in `from .. to`, in order of arrival. The first report of a device starts within one
    /// period before the epoch and arrives after it; births come first.
    pub fn messages(&self, from: Timestamp, to: Timestamp) -> Messages<'_> {
        self.messages_of(0..self.config.devices, from, to)
    }

    /// As [`Self::messages`], for some of the devices: streams of different devices may be generated in parallel.
    pub fn messages_of(&self, devices: Range<u32>, from: Timestamp, to: Timestamp) -> Messages<'_> {
        let sims = devices.map(|index| {
            let mut sim = self.device(index);
            sim.skip_to(from);
            sim
        });
        Messages::new(sims.collect(), to)
    }

    /// The days before the epoch at one report a minute: what the baseline is learnt from. Ends before the epoch, in the
    /// same boot and with the sequence numbers before those of the live part, so that the two join without a gap.
    pub fn history(&self, days: u32) -> Messages<'_> {
        self.history_of(0..self.config.devices, days)
    }

    /// As [`Self::history`], for some of the devices.
    pub fn history_of(&self, devices: Range<u32>, days: u32) -> Messages<'_> {
        let sims = devices.map(|index| {
            let segments = vec![self.history_segment(index, days)];
            self.sim(index, segments)
        });
        Messages::new(sims.collect(), self.config.epoch)
    }

    /// As [`Self::history_of`], but only what is measured within `spans`, which are ascending and apart: a sketch of the
    /// days before at a fraction of their cost. Sequence numbers go on from span to span, so that none counts as missing.
    pub fn sketch_of(&self, devices: Range<u32>, spans: &[Range<Timestamp>]) -> Messages<'_> {
        let sims = devices.map(|index| self.sim(index, self.sketch_segments(index, spans)));
        Messages::new(sims.collect(), self.config.epoch)
    }

    /// The live messages of one device.
    pub fn device(&self, index: u32) -> DeviceSim<'_> {
        let mut segments = vec![self.live_segment(index)];
        for (number, &reboot) in self.story.plans[index as usize].reboots.iter().enumerate() {
            let origin = reboot.plus_ms(i64::from(self.config.report_period_ms.min(8_000)));
            let before = segments.last_mut().expect("the live segment is there");
            before.end = reboot;
            let (boot, end) = (before.boot + 1, Timestamp::from_ms(i64::MAX));
            let period_ms = if number + 1 < self.story.plans[index as usize].reboots.len() {
                self.config.report_period_ms.min(5_000)
            } else {
                self.config.report_period_ms
            };
            segments.push(Segment { boot, origin, uptime_ms: 3_000, seq: 0, period_ms, end, latest_arrival: None });
        }
        self.sim(index, segments)
    }

    fn sim(&self, index: u32, segments: Vec<Segment>) -> DeviceSim<'_> {
        let at = index as usize;
        let offset_ms = i64::from(self.config.utc_offset_min) * 60_000;
        let (plan, remedies) = (&self.story.plans[at], self.remedies.clone());
        DeviceSim::new(index, &self.profiles[at], plan, remedies, &self.shape, offset_ms, segments)
    }

    fn live_segment(&self, index: u32) -> Segment {
        let mut stream = Stream::new(self.profiles[index as usize].seed, 301);
        let period = i64::from(self.config.report_period_ms);
        // The phase keeps clear of the period's end, so that the history's last report is over before the epoch.
        let phase = (stream.unit() * 0.95 * period as f64) as i64;
        let up_days = stream.between(9.0, 40.0);
        Segment {
            boot: 3 + stream.below(60),
            origin: self.config.epoch.plus_ms(phase - period),
            uptime_ms: (up_days * DAY_MS as f64) as i64,
            seq: (up_days * DAY_MS as f64) as i64 / i64::from(HISTORY_PERIOD_MS),
            period_ms: self.config.report_period_ms,
            end: Timestamp::from_ms(i64::MAX),
            latest_arrival: None,
        }
    }

    fn sketch_segments(&self, index: u32, spans: &[Range<Timestamp>]) -> Vec<Segment> {
        let live = self.live_segment(index);
        let period = i64::from(HISTORY_PERIOD_MS);
        let mut seq = live.seq;
        let mut segments: Vec<_> = spans
            .iter()
            .rev()
            .filter_map(|span| {
                let end = span.end.min(live.origin);
                let before_live = live.origin.since_ms(span.start).div_euclid(period);
                let origin = live.origin.plus_ms(-before_live * period);
                let reports = end.since_ms(origin).div_euclid(period);
                let uptime_ms = live.uptime_ms - self.uptime_of(index, before_live * period);
                // A boot is at least nine days old; what would be before it is left out.
                if reports <= 0 || reports >= seq || uptime_ms < 0 {
                    return None;
                }
                seq -= reports;
                let latest_arrival = Some(self.config.epoch.plus_ms(-1));
                Some(Segment {
                    boot: live.boot,
                    origin,
                    uptime_ms,
                    seq,
                    period_ms: HISTORY_PERIOD_MS,
                    end,
                    latest_arrival,
                })
            })
            .collect();
        segments.reverse();
        segments
    }

    /// What the uptime of a device grows by in so much true time.
    fn uptime_of(&self, index: u32, ms: i64) -> i64 {
        (ms as f64 * self.profiles[index as usize].uptime_rate()) as i64
    }

    fn history_segment(&self, index: u32, days: u32) -> Segment {
        let live = self.live_segment(index);
        // A boot is at least nine days old; a longer history is cut short rather than given a negative uptime.
        let reports = (i64::from(days) * DAY_MS / i64::from(HISTORY_PERIOD_MS)).min(live.seq - 1);
        let length_ms = reports * i64::from(HISTORY_PERIOD_MS);
        Segment {
            boot: live.boot,
            origin: live.origin.plus_ms(-length_ms),
            uptime_ms: live.uptime_ms - self.uptime_of(index, length_ms),
            seq: live.seq - reports,
            period_ms: HISTORY_PERIOD_MS,
            end: live.origin,
            latest_arrival: Some(self.config.epoch.plus_ms(-1)),
        }
    }
}

/// The first 02:00, local time, at or after an instant.
fn next_rollout(epoch: Timestamp, utc_offset_ms: i64) -> Timestamp {
    let local = epoch.as_ms() + utc_offset_ms;
    let today = local.div_euclid(DAY_MS) * DAY_MS + ROLLOUT_HOUR * 3_600_000;
    let rollout = if today >= local { today } else { today + DAY_MS };
    Timestamp::from_ms(rollout - utc_offset_ms)
}

/// Messages of many devices, merged in order of arrival; devices that tie come in the order of their numbers.
#[derive(Clone, Debug)]
pub struct Messages<'a> {
    sims: Vec<DeviceSim<'a>>,
    order: BinaryHeap<Reverse<(Timestamp, usize)>>,
    to: Timestamp,
}

impl<'a> Messages<'a> {
    fn new(sims: Vec<DeviceSim<'a>>, to: Timestamp) -> Self {
        let order =
            sims.iter().enumerate().filter_map(|(at, sim)| sim.peek().map(|next| Reverse((next, at)))).collect();
        Self { sims, order, to }
    }

    /// Learns what was done to the devices since this was last called, or the messages were asked for.
    pub fn take_up(&mut self) {
        let any = self.sims.iter_mut().fold(false, |any, sim| sim.take_up() | any);
        if any {
            *self = Self::new(std::mem::take(&mut self.sims), self.to);
        }
    }

    /// When the next message arrives; `None` when there is none before the end.
    pub fn peek(&self) -> Option<Timestamp> {
        self.order.peek().map(|&Reverse((at, _))| at).filter(|&at| at < self.to)
    }

    /// The next message. It borrows the device's buffers until the next call, so that nothing is allocated for it.
    #[expect(clippy::should_implement_trait, reason = "the message borrows the device's buffers")]
    pub fn next(&mut self) -> Option<Message<'_>> {
        self.peek()?;
        let mut top = self.order.peek_mut()?;
        let Reverse((_, index)) = *top;
        let made = self.sims[index].make()?;
        match self.sims[index].peek() {
            Some(following) => *top = Reverse((following, index)),
            None => drop(PeekMut::pop(top)),
        }
        Some(self.sims[index].message(made))
    }
}

#[cfg(test)]
mod tests;
