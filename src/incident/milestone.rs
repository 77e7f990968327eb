//! The instants of an incident that are measured afterwards, and the order in which they can only have been.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::engine::time::Timestamp;

/// An instant of an incident's life. The order of the variants is that in which a page shows them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Milestone {
    ImpactStarted,
    Detected,
    Declared,
    Mustered,
    WorkaroundAvailable,
    FixAvailable,
    /// The quality came back, if only by workarounds.
    Mitigated,
    Resolved,
    Reviewed,
    Closed,
}

impl Milestone {
    /// Every milestone, in the order of a page.
    pub const ALL: [Self; 10] = [
        Self::ImpactStarted,
        Self::Detected,
        Self::Declared,
        Self::Mustered,
        Self::WorkaroundAvailable,
        Self::FixAvailable,
        Self::Mitigated,
        Self::Resolved,
        Self::Reviewed,
        Self::Closed,
    ];

    /// The name, as stored, in JSON and in metric labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ImpactStarted => "impact_started",
            Self::Detected => "detected",
            Self::Declared => "declared",
            Self::Mustered => "mustered",
            Self::WorkaroundAvailable => "workaround_available",
            Self::FixAvailable => "fix_available",
            Self::Mitigated => "mitigated",
            Self::Resolved => "resolved",
            Self::Reviewed => "reviewed",
            Self::Closed => "closed",
        }
    }

    /// The milestone of this name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|milestone| milestone.as_str() == name)
    }

    /// What cannot have been later than this.
    const fn after(self) -> &'static [Self] {
        match self {
            Self::ImpactStarted => &[],
            Self::Detected => &[Self::ImpactStarted],
            Self::Declared => &[Self::ImpactStarted, Self::Detected],
            // People may have begun before the hour was full, with a warning; the impact itself comes first in any case.
            Self::Mustered | Self::WorkaroundAvailable | Self::FixAvailable | Self::Mitigated => &[Self::ImpactStarted],
            Self::Resolved => &[Self::Declared, Self::FixAvailable, Self::Mitigated],
            Self::Reviewed => &[Self::Resolved],
            Self::Closed => &[Self::Resolved, Self::Reviewed],
        }
    }
}

/// Why an instant cannot be that of a milestone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum OrderError {
    #[error("{} cannot be before {}", .later.as_str(), .earlier.as_str())]
    Order { earlier: Milestone, later: Milestone },
    #[error("{} cannot be in the future", .0.as_str())]
    Future(Milestone),
}

/// The instants that are known so far.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Milestones(BTreeMap<Milestone, Timestamp>);

impl Milestones {
    /// The instant of `milestone`, if it was reached.
    pub fn get(&self, milestone: Milestone) -> Option<Timestamp> {
        self.0.get(&milestone).copied()
    }

    /// Those that were reached, in their order.
    pub fn iter(&self) -> impl Iterator<Item = (Milestone, Timestamp)> {
        self.0.iter().map(|(milestone, at)| (*milestone, *at))
    }

    /// The instant of `milestone` is `at`.
    pub fn set(&mut self, milestone: Milestone, at: Timestamp) {
        self.0.insert(milestone, at);
    }

    /// `milestone` was not reached after all.
    pub fn clear(&mut self, milestone: Milestone) {
        self.0.remove(&milestone);
    }

    /// Checks that `at` can be the instant of `milestone`, as of `now`.
    ///
    /// # Errors
    /// The first milestone that stands in the way.
    pub fn check(&self, milestone: Milestone, at: Timestamp, now: Timestamp) -> Result<(), OrderError> {
        if at > now {
            return Err(OrderError::Future(milestone));
        }
        let known = |other: &Milestone| self.get(*other);
        for &earlier in milestone.after() {
            if known(&earlier).is_some_and(|instant| at < instant) {
                return Err(OrderError::Order { earlier, later: milestone });
            }
        }
        for later in Milestone::ALL {
            if later.after().contains(&milestone) && known(&later).is_some_and(|instant| instant < at) {
                return Err(OrderError::Order { earlier: milestone, later });
            }
        }
        Ok(())
    }
}
