//! What each scenario injects, device by device: installs, impacts, cut lines, silences, reboots, wrong clocks.

use std::sync::Arc;

use crate::engine::device::{Label, TrafficClass};
use crate::engine::time::Timestamp;

use super::background::DeviceProfile;
use super::random::{mix, unit_at};
use super::scenario::Scenario;

pub(crate) const MINUTE_MS: i64 = 60_000;
pub(crate) const DAY_MS: i64 = 86_400_000;
/// The nightly rollout begins at two o'clock, local time, and is through after 25 minutes.
pub(crate) const ROLLOUT_HOUR: i64 = 2;
/// Nights before the scenario's of which the installs are known.
const NIGHTS_BEFORE: i64 = 9;
/// Share of the fleet that takes the scenario's update before it is stopped.
const UPDATED_SHARE: f64 = 0.60;
/// What has no end within the simulation.
const NO_END: Timestamp = Timestamp::from_ms(i64::MAX);

mod purpose {
    pub(super) const RANK: u64 = 101;
    pub(super) const STRENGTH: u64 = 102;
    pub(super) const SKEW: u64 = 103;
    pub(super) const ONSET: u64 = 104;
}

/// An update that a device takes.
#[derive(Clone, PartialEq, Debug)]
pub struct Install {
    pub at: Timestamp,
    pub version: Label,
}

/// How a defect shows.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Effect {
    /// The delay is multiplied by this ...
    pub ratio: f64,
    /// ... and this many microseconds are added,
    pub add_us: f64,
    /// for this share of the flows.
    pub share: f64,
    /// Only these classes; bit i stands for class number i.
    pub classes: u8,
    /// Share of harmless probes and flows that are flagged in addition.
    pub false_positives: f64,
    /// The effect grows linearly for this long after its start.
    pub ramp_ms: i64,
}

/// An effect on one device for a time.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Impact {
    pub start: Timestamp,
    /// Exclusive.
    pub end: Timestamp,
    pub effect: Effect,
}

/// A stretch of time, end exclusive.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Span {
    pub from: Timestamp,
    pub to: Timestamp,
}

/// What happens to one device.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct DevicePlan {
    /// Ascending.
    pub installs: Vec<Install>,
    pub impacts: Vec<Impact>,
    /// The device measures, but its line is down: what it measured arrives afterwards.
    pub cuts: Vec<Span>,
    /// The device measures nothing.
    pub silences: Vec<Span>,
    pub reboots: Vec<Timestamp>,
    /// Wall clock minus true time.
    pub skew_ms: i64,
    /// Share of reports that are delivered again.
    pub repeated_share: f64,
}

/// What was injected: the answer that a detector should find.
#[derive(Clone, PartialEq, Debug)]
pub struct Truth {
    /// First onset of the first device.
    pub start: Timestamp,
    /// End of the last impact; `None` when it outlasts the simulation.
    pub end: Option<Timestamp>,
    /// Numbers of the devices that suffer, ascending.
    pub devices: Vec<u32>,
    /// As in a suspect: `update`, `branch`, `update+model`, `device`.
    pub kind: &'static str,
    pub value: String,
    /// Whether the one-hour rule makes a major incident of it.
    pub declares: bool,
}

/// A fleet's plans and what they amount to.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    pub(crate) plans: Vec<DevicePlan>,
    pub(crate) truth: Vec<Truth>,
}

impl Effect {
    const NONE: Self = Self { ratio: 1.0, add_us: 0.0, share: 1.0, classes: 0, false_positives: 0.0, ramp_ms: 0 };

    fn on_https(ratio: f64, false_positives: f64) -> Self {
        Self { ratio, false_positives, classes: 1 << TrafficClass::Https.index(), ..Self::NONE }
    }

    fn slow_line() -> Self {
        Self { ratio: 1.5, add_us: 12_000.0, classes: u8::MAX, ..Self::NONE }
    }
}

/// Works a scenario out for a fleet.
pub(crate) struct Author<'a> {
    pub(crate) scenario: Scenario,
    pub(crate) seed: u64,
    pub(crate) profiles: &'a [DeviceProfile],
    /// Start of the scenario's rollout.
    pub(crate) rollout: Timestamp,
    /// Local time minus UTC.
    pub(crate) utc_offset_ms: i64,
}

impl Author<'_> {
    pub(crate) fn story(&self) -> Story {
        let ranks = self.ranks();
        let mut story = Story { plans: vec![DevicePlan::default(); self.profiles.len()], truth: Vec::new() };
        self.nights_before(&ranks, &mut story);
        for (index, plan) in story.plans.iter_mut().enumerate() {
            plan.skew_ms = self.skew_ms(index);
            plan.repeated_share = if self.scenario == Scenario::Duplicates { 0.1 } else { 0.0 };
        }
        self.this_night(&ranks, &mut story);
        story
    }

    /// Place of each device in the order of the rollout, which is unrelated to branch and model.
    fn ranks(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.profiles.len()).collect();
        order.sort_by_key(|&index| mix(self.seed ^ purpose::RANK, index as u64));
        let mut ranks = vec![0; order.len()];
        for (rank, index) in order.into_iter().enumerate() {
            ranks[index] = rank;
        }
        ranks
    }

    /// Name of the update that is rolled out so many nights after the scenario's: the day on which it was built.
    fn version(&self, nights: i64) -> String {
        let local_ms = self.rollout.as_ms() + self.utc_offset_ms + (nights - 1) * DAY_MS;
        let built = jiff::Timestamp::from_millisecond(local_ms).expect("engine time is within jiff's range");
        built.strftime("%Y.%m.%d").to_string()
    }

    fn nights_before(&self, ranks: &[usize], story: &mut Story) {
        for night in -NIGHTS_BEFORE..0 {
            let version: Label = self.version(night).into();
            for (index, plan) in story.plans.iter_mut().enumerate() {
                let at = self.rollout.plus_ms(night * DAY_MS + install_offset_ms(ranks[index], ranks.len()));
                plan.installs.push(Install { at, version: Arc::clone(&version) });
            }
        }
    }

    /// A device's wall clock is right within seconds for most, hours off for a few.
    fn skew_ms(&self, index: usize) -> i64 {
        let draw = unit_at(self.seed ^ purpose::SKEW, index as u64);
        let size = unit_at(self.seed ^ purpose::SKEW, index as u64 | 1 << 40) - 0.5;
        let skewed = if self.scenario == Scenario::SkewedClocks { 0.5 } else { 0.05 };
        if draw >= skewed {
            return (size * 4_000.0) as i64;
        }
        match (self.scenario, index % 3) {
            (Scenario::SkewedClocks, 0) => (size * 20.0 * 365.0) as i64 * DAY_MS,
            (_, 1) => 9 * 3_600_000,
            _ => (size * 7_200_000.0) as i64,
        }
    }

    fn this_night(&self, ranks: &[usize], story: &mut Story) {
        let updated = match self.scenario {
            Scenario::RingOfSix => ranks.len().min(6),
            Scenario::LoneDevice | Scenario::RebootLoop => 0,
            _ => (ranks.len() as f64 * UPDATED_SHARE).round() as usize,
        };
        let version: Label = self.version(0).into();
        let other: Label = format!("{version}-ext").into();
        let mut guilty = Vec::new();
        for (index, plan) in story.plans.iter_mut().enumerate() {
            let rank = ranks[index];
            if rank >= updated {
                continue;
            }
            let at = self.rollout.plus_ms(install_offset_ms(rank, ranks.len()));
            let second = self.scenario == Scenario::TwoUpdates && rank % 2 == 1;
            plan.installs.push(Install { at, version: Arc::clone(if second { &other } else { &version }) });
            let spared = self.scenario == Scenario::ModelOnly && &*self.profiles[index].model != "B300";
            if !second && !spared {
                guilty.push(index);
            }
        }
        self.inflict(&guilty, &version, story);
    }

    /// Gives the guilty update's devices their impacts, and the others theirs where the story has others.
    fn inflict(&self, guilty: &[usize], version: &str, story: &mut Story) {
        let suffers = !matches!(
            self.scenario,
            Scenario::Quiet | Scenario::IspFault | Scenario::LoneDevice | Scenario::RebootLoop
        );
        if suffers {
            for &index in guilty {
                let installed = story.plans[index].installs.last().map_or(self.rollout, |install| install.at);
                story.plans[index].impacts = self.impacts(index, installed);
            }
            let (kind, value) = if self.scenario == Scenario::ModelOnly {
                ("update+model", format!("{version}+B300"))
            } else {
                ("update", version.to_owned())
            };
            self.record(guilty, kind, value, story);
        }
        match self.scenario {
            Scenario::IspFault => self.slow_branch(0, 20, 110, story),
            Scenario::TwoEvents => self.slow_branch(3, 40, 160, story),
            Scenario::LoneDevice => self.lone(story),
            Scenario::RebootLoop => self.reboot_loop(story),
            Scenario::Backlog => self.cut_branches(story),
            Scenario::Silence => self.fall_silent(guilty, story),
            Scenario::Rollback => self.roll_back(guilty, story),
            _ => {}
        }
    }

    fn record(&self, devices: &[usize], kind: &'static str, value: String, story: &mut Story) {
        let impacts = || devices.iter().flat_map(|&index| &story.plans[index].impacts);
        let Some(start) = impacts().map(|impact| impact.start).min() else { return };
        let end = impacts().map(|impact| impact.end).max().filter(|&end| end < NO_END);
        let devices = devices.iter().map(|&index| index as u32).collect();
        story.truth.push(Truth { start, end, devices, kind, value, declares: self.scenario.declares() });
    }

    /// When the effects begin and end, by scenario: from the install on, or for all at once at an activation.
    fn impacts(&self, index: usize, installed: Timestamp) -> Vec<Impact> {
        let effect = self.effect(index);
        let onset = installed.plus_ms((unit_at(self.seed ^ purpose::ONSET, index as u64) * 90_000.0) as i64);
        self.windows(onset).into_iter().map(|span| Impact { start: span.from, end: span.to, effect }).collect()
    }

    fn windows(&self, onset: Timestamp) -> Vec<Span> {
        // An hour after the rollout began every device has what it will get; activations are on the minute.
        let hour = |from: i64, to: i64| Span { from: self.minute(60 + from), to: self.minute(60 + to) };
        match self.scenario {
            Scenario::FiftyNineMinutes => vec![hour(0, 59)],
            Scenario::SixtyMinutes => vec![hour(0, 60)],
            Scenario::Flapping => (0..8).map(|round| hour(30 * round, 30 * round + 20)).collect(),
            Scenario::Blips => (0..8).map(|round| hour(20 * round, (20 * round + 18).min(150))).collect(),
            Scenario::Silence => vec![hour(0, 30)],
            Scenario::Rollback => vec![hour(0, 45)],
            Scenario::Relapse => vec![hour(0, 75), hour(105, 145)],
            _ => vec![Span { from: onset, to: NO_END }],
        }
    }

    fn effect(&self, index: usize) -> Effect {
        let draw = |key: u64| unit_at(self.seed ^ purpose::STRENGTH, index as u64 | key << 40);
        match self.scenario {
            Scenario::Moderate => Effect::on_https(1.6, 0.0),
            Scenario::Weak => Effect::on_https(1.12, 0.0),
            Scenario::TailOnly => Effect { share: 0.15, ..Effect::on_https(4.0, 0.0) },
            Scenario::FalsePositives => Effect::on_https(1.0, 0.03),
            Scenario::FewFalsePositives => Effect::on_https(1.0, 0.005),
            Scenario::Ramp => Effect { ramp_ms: 90 * MINUTE_MS, ..Effect::on_https(3.0, 0.0) },
            _ => Effect::on_https(2.0 + 0.5 * draw(0), 0.03 + 0.05 * draw(1)),
        }
    }

    /// The instant so many minutes after the rollout's begin.
    fn minute(&self, minutes: i64) -> Timestamp {
        self.rollout.plus_ms(minutes * MINUTE_MS)
    }

    fn slow_branch(&self, nth: usize, from: i64, to: i64, story: &mut Story) {
        let mut branches: Vec<&str> = self.profiles.iter().map(|device| &*device.branch).collect();
        branches.sort_unstable();
        branches.dedup();
        let Some(&branch) = branches.get(nth % branches.len().max(1)) else { return };
        let already = |index: usize| !story.plans[index].impacts.is_empty();
        let hit: Vec<usize> =
            (0..self.profiles.len()).filter(|&i| &*self.profiles[i].branch == branch && !already(i)).collect();
        for &index in &hit {
            let (start, end) = (self.minute(from), self.minute(to));
            story.plans[index].impacts.push(Impact { start, end, effect: Effect::slow_line() });
        }
        self.record(&hit, "branch", branch.to_owned(), story);
    }

    fn lone(&self, story: &mut Story) {
        let Some(device) = self.profiles.first() else { return };
        let effect = Effect { classes: u8::MAX, ..Effect::on_https(3.0, 0.0) };
        story.plans[0].impacts.push(Impact { start: self.minute(30), end: self.minute(150), effect });
        self.record(&[0], "device", device.id.to_string(), story);
    }

    fn reboot_loop(&self, story: &mut Story) {
        for plan in story.plans.iter_mut().take(12) {
            plan.reboots = (0..90).map(|round| self.minute(30).plus_ms(round * 20_000)).collect();
        }
    }

    /// Five branches lose their line 20 minutes after the last install, for an hour.
    fn cut_branches(&self, story: &mut Story) {
        let mut branches: Vec<&str> = self.profiles.iter().map(|device| &*device.branch).collect();
        branches.sort_unstable();
        branches.dedup();
        branches.truncate(5);
        for (plan, device) in story.plans.iter_mut().zip(self.profiles) {
            if branches.contains(&&*device.branch) {
                plan.cuts.push(Span { from: self.minute(45), to: self.minute(105) });
            }
        }
    }

    fn fall_silent(&self, guilty: &[usize], story: &mut Story) {
        for &index in guilty {
            story.plans[index].silences.push(Span { from: self.minute(90), to: NO_END });
        }
    }

    fn roll_back(&self, guilty: &[usize], story: &mut Story) {
        for &index in guilty {
            let installs = &mut story.plans[index].installs;
            if let Some(before) = installs.iter().rev().nth(1).map(|install| Arc::clone(&install.version)) {
                installs.push(Install { at: self.minute(105), version: before });
            }
        }
    }
}

/// When the device of this rank installs, after the rollout's begin: a first ring of 2 % within a minute, a second up
/// to 20 % from minute 4 to 8, the rest from minute 10 to 25.
fn install_offset_ms(rank: usize, devices: usize) -> i64 {
    let place = rank as f64 / devices.max(1) as f64;
    let minutes = match place {
        p if p < 0.02 => p / 0.02,
        p if p < 0.20 => 4.0 + 4.0 * (p - 0.02) / 0.18,
        // The scenario's update reaches 60 %: its last ring takes up the minutes that are left.
        p => (10.0 + 15.0 * (p - 0.20) / 0.40).min(10.0 + 15.0 * 0.8 / 0.40),
    };
    (minutes * MINUTE_MS as f64) as i64
}
