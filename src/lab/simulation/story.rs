//! What each scenario injects, device by device, and the truth of it.

use std::sync::Arc;

use crate::engine::device::{Label, TrafficClass};
use crate::engine::time::Timestamp;

use super::background::DeviceProfile;
use super::plan::{
    Bursts, DAY_MS, DevicePlan, Effect, Impact, Install, MINUTE_MS, NO_END, PackageInstall, Span, Story, Truth,
};
use super::random::{mix, unit_at};
use super::scenario::Scenario;
use super::truth::{evidenced_at, hour_full_at};

/// The nightly rollout begins at two o'clock, local time, and is through after 25 minutes.
pub(crate) const ROLLOUT_HOUR: i64 = 2;
/// Nights before the scenario's of which the installs are known.
const NIGHTS_BEFORE: i64 = 9;
/// Share of the fleet that takes the scenario's update before it is stopped.
const UPDATED_SHARE: f64 = 0.60;
/// Share of the fleet that an attack reaches.
const ATTACKED_SHARE: f64 = 0.90;
/// Devices that make an event a fleet's.
const FLEET_SCOPE: usize = 3;

mod purpose {
    pub(super) const RANK: u64 = 101;
    pub(super) const STRENGTH: u64 = 102;
    pub(super) const SKEW: u64 = 103;
    pub(super) const ONSET: u64 = 104;
    pub(super) const STEP: u64 = 106;
    pub(super) const PACKAGE: u64 = 107;
    pub(super) const ATTACK: u64 = 108;
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
            plan.steps = self.steps(index);
            plan.repeated_share = if self.scenario == Scenario::Duplicates { 0.1 } else { 0.0 };
            plan.wrong_versions = self.scenario == Scenario::WrongVersions && index % 3 == 0;
            if matches!(self.scenario, Scenario::Correlated | Scenario::CorrelatedQuiet) {
                plan.shared_noise = 0.2;
            }
            if self.scenario == Scenario::SlowDrift {
                plan.drift = Some((self.rollout, 0.01));
            }
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
        version_of(self.rollout.plus_ms(self.utc_offset_ms), nights)
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

    /// During the event the wall clocks of half of the devices jump, twice: by minutes up to hours, to and fro.
    fn steps(&self, index: usize) -> Vec<(Timestamp, i64)> {
        let draw = |key: u64| unit_at(self.seed ^ purpose::STEP, index as u64 | key << 40);
        if self.scenario != Scenario::SteppingClocks || draw(0) >= 0.5 {
            return Vec::new();
        }
        let step = |key: u64, from: f64| {
            let size = (draw(key) - 0.5) * 2.0;
            let by_ms = size * if draw(key + 1) < 0.5 { 300_000.0 } else { 5.0 * 3_600_000.0 };
            (self.rollout.plus_ms(((from + 30.0 * draw(key + 2)) * MINUTE_MS as f64) as i64), by_ms as i64)
        };
        vec![step(1, 2.0), step(4, 45.0)]
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
            let profile = &self.profiles[index];
            let spared = match self.scenario {
                Scenario::ModelOnly => &*profile.model != "B300",
                Scenario::FirmwareOnly => &*profile.firmware != "5.2.0",
                _ => false,
            };
            if !second && !spared {
                guilty.push(index);
            }
        }
        self.inflict(&guilty, &version, story);
    }

    /// Gives the guilty update's devices their impacts, and the others theirs where the story has others.
    fn inflict(&self, guilty: &[usize], version: &str, story: &mut Story) {
        if self.scenario.update_is_guilty() {
            for &index in guilty {
                let installed = story.plans[index].installs.last().map_or(self.rollout, |install| install.at);
                story.plans[index].impacts = self.impacts(index, installed);
            }
            // Silences and cut lines are part of what the rule judges.
            self.silence(guilty, story);
            self.cut_branches(story);
            let (kind, value) = match self.scenario {
                Scenario::ModelOnly => ("update+model", format!("{version}+B300")),
                Scenario::FirmwareOnly => ("update+firmware", format!("{version}+5.2.0")),
                _ => ("update", version.to_owned()),
            };
            self.record(guilty, kind, value, story);
        }
        match self.scenario {
            Scenario::IspFault => self.slow_branch(0, 20, 110, story),
            Scenario::TwoEvents => self.slow_branch(3, 40, 160, story),
            Scenario::LoneDevice => self.lone(story),
            Scenario::RebootLoop => self.reboot_loop(story),
            Scenario::OldBacklog => self.cut_for_hours(guilty, story),
            Scenario::Rollback => self.roll_back(guilty, story),
            Scenario::UpdatedTwice => self.update_again(guilty, story),
            Scenario::RebootDefect => self.reboot_guilty(guilty, story),
            Scenario::SilentDevices => self.silence(guilty, story),
            Scenario::BadPackage => self.bad_package(story),
            Scenario::AttackWave => self.attack(story),
            _ => {}
        }
    }

    fn record(&self, devices: &[usize], kind: &'static str, value: String, story: &mut Story) {
        let impacts = || devices.iter().flat_map(|&index| &story.plans[index].impacts);
        let Some(start) = impacts().map(|impact| impact.start).min() else { return };
        let end = impacts().map(|impact| impact.end).max().filter(|&end| end < NO_END);
        let declares = self.scenario.declares();
        let last = self.rollout.plus_ms(self.scenario.minutes() * MINUTE_MS);
        let suffering: Vec<&DevicePlan> = devices.iter().map(|&index| &story.plans[index]).collect();
        let full_at = if declares { hour_full_at(&suffering, start, last) } else { None };
        let evidenced_at = full_at.map(|full| evidenced_at(&suffering, full));
        let devices = devices.iter().map(|&index| index as u32).collect();
        story.truth.push(Truth { start, end, devices, kind, value, declares, full_at, evidenced_at });
    }

    /// When the effects begin and end, by scenario: from the install on, or for all at once at an activation.
    fn impacts(&self, index: usize, installed: Timestamp) -> Vec<Impact> {
        let effect = self.effect(index);
        let onset = installed.plus_ms((unit_at(self.seed ^ purpose::ONSET, index as u64) * 90_000.0) as i64);
        self.windows(onset)
            .into_iter()
            .map(|span| Impact { start: span.from, end: span.to, effect, remediable: true })
            .collect()
    }

    fn windows(&self, onset: Timestamp) -> Vec<Span> {
        // An hour after the rollout began every device has what it will get; activations are on the minute.
        let hour = |from: i64, to: i64| Span { from: self.minute(60 + from), to: self.minute(60 + to) };
        match self.scenario {
            Scenario::FiftyNineMinutes => vec![hour(0, 59)],
            Scenario::SixtyMinutes => vec![hour(0, 60)],
            Scenario::SixtyOneMinutes => vec![hour(0, 61)],
            Scenario::GapOfTen => vec![hour(0, 70)],
            Scenario::GapOfEleven => vec![hour(0, 71)],
            Scenario::OldBacklog => vec![hour(0, 70)],
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
            Scenario::Strong => Effect::on_https(2.0, 0.0),
            Scenario::MailOnly => Effect::on(TrafficClass::Mail, 2.5, 0.0),
            // A lookup takes half a millisecond: a ratio would not be felt, a timeout of a resolver is.
            Scenario::DnsOnly => Effect { add_us: 8_000.0, ..Effect::on(TrafficClass::Dns, 1.0, 0.0) },
            Scenario::BurstyFalsePositives => {
                Effect { bursts: Some(self.bursts(draw(2))), ..Effect::on_https(1.0, 0.15) }
            }
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

    /// The line of a branch is slow, on its devices that do not suffer already: of the `nth`, or of the first after it where that
    /// leaves enough of them to be a fleet's event.
    fn slow_branch(&self, nth: usize, from: i64, to: i64, story: &mut Story) {
        let mut branches: Vec<&str> = self.profiles.iter().map(|device| &*device.branch).collect();
        branches.sort_unstable();
        branches.dedup();
        let count = branches.len();
        branches.rotate_left(nth % count.max(1));
        let spared = |branch: &&str| -> Vec<usize> {
            let is_spared = |index: &usize| story.plans[*index].impacts.is_empty();
            (0..self.profiles.len()).filter(|&i| *self.profiles[i].branch == **branch).filter(is_spared).collect()
        };
        let found =
            branches.iter().map(|branch| (*branch, spared(branch))).find(|(_, spared)| spared.len() >= FLEET_SCOPE);
        let Some((branch, hit)) = found else { return };
        for &index in &hit {
            let (start, end) = (self.minute(from), self.minute(to));
            story.plans[index].impacts.push(Impact { start, end, effect: Effect::slow_line(), remediable: false });
        }
        self.record(&hit, "branch", branch.to_owned(), story);
    }

    fn lone(&self, story: &mut Story) {
        let Some(device) = self.profiles.first() else { return };
        let effect = Effect { classes: u8::MAX, ..Effect::on_https(3.0, 0.0) };
        story.plans[0].impacts.push(Impact {
            start: self.minute(30),
            end: self.minute(150),
            effect,
            remediable: false,
        });
        self.record(&[0], "device", device.id.to_string(), story);
    }

    fn reboot_loop(&self, story: &mut Story) {
        for plan in story.plans.iter_mut().take(12) {
            plan.reboots = (0..90).map(|round| self.minute(30).plus_ms(round * 20_000)).collect();
        }
    }

    /// Five branches, or half of them all, lose their line 20 minutes after the last install, for an hour.
    fn cut_branches(&self, story: &mut Story) {
        if self.scenario != Scenario::Backlog {
            return;
        }
        let mut branches: Vec<&str> = self.profiles.iter().map(|device| &*device.branch).collect();
        branches.sort_unstable();
        branches.dedup();
        branches.truncate(5.min(branches.len() / 2));
        for (plan, device) in story.plans.iter_mut().zip(self.profiles) {
            if branches.contains(&&*device.branch) {
                plan.cuts.push(Span { from: self.minute(45), to: self.minute(105) });
            }
        }
    }

    /// The guilty devices measure nothing for a while, or from then on.
    fn silence(&self, devices: &[usize], story: &mut Story) {
        let span = match self.scenario {
            Scenario::Silence => Span { from: self.minute(90), to: NO_END },
            Scenario::GapOfTen => Span { from: self.minute(90), to: self.minute(100) },
            Scenario::GapOfEleven => Span { from: self.minute(90), to: self.minute(101) },
            Scenario::SilentDevices => Span { from: self.minute(40), to: self.minute(160) },
            _ => return,
        };
        for &index in devices {
            story.plans[index].silences.push(span);
        }
    }

    /// Four of ten minutes, each device at a time of its own.
    fn bursts(&self, draw: f64) -> Bursts {
        let period_ms = 10 * MINUTE_MS;
        Bursts { on_ms: 4 * MINUTE_MS, period_ms, phase_ms: (draw * period_ms as f64) as i64 }
    }

    /// The lines of the guilty devices are down from before their hour until ten hours after it.
    fn cut_for_hours(&self, guilty: &[usize], story: &mut Story) {
        for &index in guilty {
            story.plans[index].cuts.push(Span { from: self.minute(45), to: self.minute(730) });
        }
    }

    /// Half of the guilty devices take another update in the middle of it, which neither mends nor harms.
    fn update_again(&self, guilty: &[usize], story: &mut Story) {
        let version: Label = format!("{}-2", self.version(0)).into();
        for (place, &index) in guilty.iter().enumerate().filter(|(place, _)| place % 2 == 0) {
            let at = self.minute(40).plus_ms(10 * MINUTE_MS * place as i64 / guilty.len() as i64);
            story.plans[index].installs.push(Install { at, version: Arc::clone(&version) });
        }
    }

    /// Every third guilty device starts again every 20 seconds for half an hour.
    fn reboot_guilty(&self, guilty: &[usize], story: &mut Story) {
        for &index in guilty.iter().step_by(3) {
            story.plans[index].reboots = (0..90).map(|round| self.minute(40).plus_ms(round * 20_000)).collect();
        }
    }

    /// An engine package reaches half of the fleet from minute 30 to 50, whoever took the harmless update, and slows it down.
    fn bad_package(&self, story: &mut Story) {
        let draw = |index: usize, key: u64| unit_at(self.seed ^ purpose::PACKAGE, index as u64 | key << 40);
        let hit: Vec<usize> = (0..self.profiles.len()).filter(|&index| draw(index, 0) < 0.5).collect();
        let (name, version): (Label, Label) = ("engine".into(), "4.2.0".into());
        for &index in &hit {
            let at = self.minute(30).plus_ms((20.0 * draw(index, 1) * MINUTE_MS as f64) as i64);
            let plan = &mut story.plans[index];
            plan.packages.push(PackageInstall { at, name: Arc::clone(&name), version: Arc::clone(&version) });
            plan.impacts = self.impacts(index, at);
        }
        self.record(&hit, "package", format!("{name} {version}"), story);
    }

    /// A wave of attacks reaches nearly everybody within a minute, updated or not, and lasts for 100 minutes: https is slow
    /// under it, and many flows are flagged, rightly.
    fn attack(&self, story: &mut Story) {
        let draw = |index: usize, key: u64| unit_at(self.seed ^ purpose::ATTACK, index as u64 | key << 40);
        let hit: Vec<usize> = (0..self.profiles.len()).filter(|&index| draw(index, 0) < ATTACKED_SHARE).collect();
        for &index in &hit {
            let start = self.minute(50).plus_ms((60_000.0 * draw(index, 1)) as i64);
            let effect = Effect { attacks: 0.10, ..Effect::on_https(2.0 + 0.5 * draw(index, 2), 0.0) };
            story.plans[index].impacts.push(Impact { start, end: self.minute(150), effect, remediable: false });
        }
        self.record(&hit, "fleet", "all".to_owned(), story);
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

/// Name of the update that is rolled out so many nights after the one of `rollout`, a local instant.
pub(crate) fn version_of(rollout: Timestamp, nights: i64) -> String {
    let built = jiff::Timestamp::from_millisecond(rollout.plus_ms((nights - 1) * DAY_MS).as_ms());
    built.expect("engine time is within jiff's range").strftime("%Y.%m.%d").to_string()
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
