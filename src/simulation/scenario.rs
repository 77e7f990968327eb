//! The stories that the fleet can tell, and what each injects.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A story. What it injects is in [`super::plan`]; what it claims afterwards is [`super::Simulation::truth`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
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
}

/// The text names no scenario.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("no such scenario; one of {}", Scenario::names())]
pub struct ScenarioError;

impl Scenario {
    /// Every scenario: first those of the demo, then those that only try the detector.
    pub const ALL: [Self; 25] = [
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
