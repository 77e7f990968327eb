//! The stories that the fleet can tell, and what each injects.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A story. What it injects is in [`super::plan`]; what it claims afterwards is [`super::Simulation::truth`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Scenario {
    #[default]
    Nightly,
    Quiet,
    FiftyNineMinutes,
    Flapping,
    IspFault,
    TwoUpdates,
    Backlog,
    SixtyMinutes,
    Blips,
    Silence,
    Rollback,
    Relapse,
    SkewedClocks,
    Duplicates,
    Moderate,
    Weak,
    TailOnly,
    FalsePositives,
    FewFalsePositives,
    RingOfSix,
    TwoEvents,
    Ramp,
    ModelOnly,
    LoneDevice,
    RebootLoop,
    Strong,
    SixtyOneMinutes,
    GapOfTen,
    GapOfEleven,
    SilentDevices,
    OldBacklog,
    SteppingClocks,
    UpdatedTwice,
    Correlated,
    CorrelatedQuiet,
    MailOnly,
    DnsOnly,
    FirmwareOnly,
    BadPackage,
    AttackWave,
    SlowDrift,
    BurstyFalsePositives,
    RebootDefect,
    WrongVersions,
    FleetOfThousand,
}

/// The text names no scenario.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("no such scenario; one of {}", Scenario::names())]
pub struct ScenarioError;

impl Scenario {
    /// Every scenario: first those of the demo, then those that only try the detector.
    pub const ALL: [Self; 45] = [
        Self::Nightly,
        Self::Quiet,
        Self::FiftyNineMinutes,
        Self::Flapping,
        Self::IspFault,
        Self::TwoUpdates,
        Self::Backlog,
        Self::SixtyMinutes,
        Self::Blips,
        Self::Silence,
        Self::Rollback,
        Self::Relapse,
        Self::SkewedClocks,
        Self::Duplicates,
        Self::Moderate,
        Self::Weak,
        Self::TailOnly,
        Self::FalsePositives,
        Self::FewFalsePositives,
        Self::RingOfSix,
        Self::TwoEvents,
        Self::Ramp,
        Self::ModelOnly,
        Self::LoneDevice,
        Self::RebootLoop,
        Self::Strong,
        Self::SixtyOneMinutes,
        Self::GapOfTen,
        Self::GapOfEleven,
        Self::SilentDevices,
        Self::OldBacklog,
        Self::SteppingClocks,
        Self::UpdatedTwice,
        Self::Correlated,
        Self::CorrelatedQuiet,
        Self::MailOnly,
        Self::DnsOnly,
        Self::FirmwareOnly,
        Self::BadPackage,
        Self::AttackWave,
        Self::SlowDrift,
        Self::BurstyFalsePositives,
        Self::RebootDefect,
        Self::WrongVersions,
        Self::FleetOfThousand,
    ];

    /// The demo's stories: the ones that `--help` lists.
    pub const STORIES: [Self; 7] = [
        Self::Nightly,
        Self::Quiet,
        Self::FiftyNineMinutes,
        Self::Flapping,
        Self::IspFault,
        Self::TwoUpdates,
        Self::Backlog,
    ];

    /// The name on the command line.
    pub const fn name(self) -> &'static str {
        self.texts().0
    }

    /// What happens, in one line.
    pub const fn description(self) -> &'static str {
        self.texts().1
    }

    /// Whether the one-hour rule makes a major incident of what happens.
    pub const fn declares(self) -> bool {
        !matches!(
            self,
            Self::Quiet
                | Self::FiftyNineMinutes
                | Self::Flapping
                | Self::Silence
                | Self::Rollback
                | Self::Weak
                | Self::FewFalsePositives
                | Self::RebootLoop
                | Self::GapOfEleven
                | Self::SilentDevices
                | Self::OldBacklog
                | Self::CorrelatedQuiet
                | Self::SlowDrift
        )
    }

    /// Whether the devices that took the scenario's update suffer from it.
    pub(crate) const fn update_is_guilty(self) -> bool {
        !matches!(
            self,
            Self::Quiet
                | Self::IspFault
                | Self::LoneDevice
                | Self::RebootLoop
                | Self::SilentDevices
                | Self::CorrelatedQuiet
                | Self::BadPackage
                | Self::AttackWave
                | Self::SlowDrift
        )
    }

    /// How long the story takes from its rollout on, in minutes.
    pub const fn minutes(self) -> i64 {
        match self {
            Self::OldBacklog => 810,
            Self::SlowDrift => 25 * 60,
            _ => 300,
        }
    }

    /// Whether the story stands at an edge of the one-hour rule, which must come out right every time.
    pub const fn is_boundary(self) -> bool {
        matches!(
            self,
            Self::FiftyNineMinutes
                | Self::SixtyMinutes
                | Self::SixtyOneMinutes
                | Self::GapOfTen
                | Self::GapOfEleven
                | Self::Flapping
                | Self::Blips
                | Self::Silence
                | Self::Rollback
        )
    }

    const fn texts(self) -> (&'static str, &'static str) {
        match self {
            Self::Nightly => {
                ("nightly", "a nightly update over-detects normal https and delays it, on 60 % of the fleet")
            }
            Self::Quiet => ("quiet", "a harmless nightly update rolls out, and nothing happens"),
            Self::FiftyNineMinutes => {
                ("59-minutes", "the updated devices suffer for 59 minutes: one short of the hour")
            }
            Self::Flapping => ("flapping", "the updated devices suffer 20 minutes, recover for 10, again and again"),
            Self::IspFault => {
                ("isp-fault", "one branch's line is slow for 90 minutes, on the night of a harmless update")
            }
            Self::TwoUpdates => {
                ("two-updates", "two updates roll out the same night to different devices; one is guilty")
            }
            Self::Backlog => {
                ("backlog", "five branches are cut off in the middle of it, and their hour arrives at once")
            }
            Self::SixtyMinutes => ("sixty-minutes", "the updated devices suffer for exactly 60 minutes"),
            Self::Blips => ("blips", "150 minutes of suffering, with two good minutes in every twenty"),
            Self::Silence => ("silence", "the updated devices suffer for 30 minutes and then fall silent"),
            Self::Rollback => ("rollback", "the guilty update is rolled back after 45 minutes"),
            Self::Relapse => ("relapse", "75 minutes of suffering, 30 good minutes, 40 more bad ones"),
            Self::SkewedClocks => {
                ("skewed-clocks", "as nightly, with half of the devices' wall clocks wrong by up to years")
            }
            Self::Duplicates => ("duplicates", "as nightly, with one report in ten delivered twice or thrice"),
            Self::Moderate => ("moderate", "as nightly, but only a delay of 1.6 times and no false positives"),
            Self::Weak => ("weak", "a delay of 1.12 times: below what counts as degraded"),
            Self::TailOnly => ("tail-only", "15 % of the flows are delayed fourfold, the others not at all"),
            Self::FalsePositives => ("false-positives", "3 % of harmless probes are flagged; nothing is delayed"),
            Self::FewFalsePositives => ("few-false-positives", "0.5 % of harmless probes are flagged: tolerated"),
            Self::RingOfSix => ("ring-of-six", "the update stopped at its first ring of six devices, which all suffer"),
            Self::TwoEvents => ("two-events", "a guilty update and, on other devices, a slow line: two events at once"),
            Self::Ramp => ("ramp", "the delay grows over 90 minutes instead of jumping"),
            Self::ModelOnly => ("model-only", "the update hurts model B300 alone"),
            Self::LoneDevice => ("lone-device", "one device suffers for two hours for reasons of its own"),
            Self::RebootLoop => ("reboot-loop", "twelve devices start again every 20 seconds for half an hour"),
            Self::Strong => ("strong", "as nightly, but only a delay of twice the usual and no false positives"),
            Self::SixtyOneMinutes => ("61-minutes", "the updated devices suffer for 61 minutes"),
            Self::GapOfTen => ("gap-of-10", "30 minutes of suffering, 10 without reports, 30 more bad ones"),
            Self::GapOfEleven => ("gap-of-11", "as gap-of-10, with one minute more without reports: not proved"),
            Self::SilentDevices => ("silent-devices", "the updated devices say nothing for two hours"),
            Self::OldBacklog => ("old-backlog", "the hour of devices that were cut off is delivered ten hours later"),
            Self::SteppingClocks => ("stepping-clocks", "as nightly, and half of the wall clocks jump in the middle"),
            Self::UpdatedTwice => ("updated-twice", "half of the suffering devices take another update, in vain"),
            Self::Correlated => ("correlated", "as nightly, with noise that the samples of minutes on end share"),
            Self::CorrelatedQuiet => ("correlated-quiet", "the noise of correlated with a harmless update"),
            Self::MailOnly => ("mail-only", "the update delays mail alone, of which there is little"),
            Self::DnsOnly => ("dns-only", "the update delays dns alone, by 8 ms"),
            Self::FirmwareOnly => ("firmware-only", "the update hurts firmware 5.2.0 alone"),
            Self::BadPackage => ("bad-package", "a package hurts, on the night of a harmless update"),
            Self::AttackWave => ("attack-wave", "an attack on nearly everybody, updated or not, for 100 minutes"),
            Self::SlowDrift => ("slow-drift", "all delays rise by 1 % an hour for a day: no event"),
            Self::BurstyFalsePositives => {
                ("bursty-false-positives", "15 % of harmless probes are flagged, in four of ten minutes")
            }
            Self::RebootDefect => ("reboot-defect", "as nightly, and a third of the devices reboot again and again"),
            Self::WrongVersions => ("wrong-versions", "as nightly, among reports in versions that nobody knows"),
            Self::FleetOfThousand => ("fleet-of-1000", "as nightly, with 1,000 devices in 50 branches"),
        }
    }

    fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Scenario {
    type Err = ScenarioError;

    fn from_str(text: &str) -> Result<Self, ScenarioError> {
        Self::ALL.into_iter().find(|scenario| scenario.name() == text).ok_or(ScenarioError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_read_back() {
        for scenario in Scenario::ALL {
            assert_eq!(scenario.name().parse(), Ok(scenario));
        }
        assert!("nightlyy".parse::<Scenario>().is_err());
    }
}
