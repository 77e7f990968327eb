//! The states of an incident, and what every trigger does in every one of them.

use serde::{Deserialize, Serialize};

use super::milestone::Milestone;

/// Where an incident stands. The order of the variants is that of its life.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The hour is full; people are being called.
    Declared,
    /// Whoever was called has answered for every role.
    Mustered,
    /// An agreed workaround can be talked through.
    WorkaroundAvailable,
    /// The quality is back by workarounds alone: nothing is over.
    PendingPermanentFix,
    /// The permanent fix is being installed.
    Fixing,
    /// Every device is done or signed off, and quiet.
    Resolved,
    /// The review is written.
    Reviewed,
    /// Over. What degrades from here on is another incident, linked to this one.
    Closed,
}

/// What can move an incident.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// Every role that was called has somebody.
    Mustered,
    /// A countermeasure with a workaround was agreed.
    WorkaroundAvailable,
    /// Every open device has its quality back by a verified workaround.
    Mitigated,
    /// The permanent fix can be installed.
    FixAvailable,
    /// Nothing stands in the way any more.
    Resolved,
    /// The review was filed.
    Reviewed,
    /// A person closed it.
    Closed,
    /// A device is affected again.
    Reopened,
    /// It was no major incident, or is part of another one.
    Ended,
}

impl State {
    /// Every state, in the order of an incident's life.
    pub const ALL: [Self; 8] = [
        Self::Declared,
        Self::Mustered,
        Self::WorkaroundAvailable,
        Self::PendingPermanentFix,
        Self::Fixing,
        Self::Resolved,
        Self::Reviewed,
        Self::Closed,
    ];

    /// The state's name, as stored, in JSON and in metric labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Declared => "declared",
            Self::Mustered => "mustered",
            Self::WorkaroundAvailable => "workaround_available",
            Self::PendingPermanentFix => "pending_permanent_fix",
            Self::Fixing => "fixing",
            Self::Resolved => "resolved",
            Self::Reviewed => "reviewed",
            Self::Closed => "closed",
        }
    }

    /// The state of this name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// Whether devices are still on their way to done.
    pub fn is_active(self) -> bool {
        self < Self::Resolved
    }

    /// What `trigger` makes of the state; `Some(self)` when it says nothing new, `None` when it cannot happen here.
    ///
    /// The way is forward: who has a fix before anybody answered the phone is fixing, and answers that come later do
    /// not lead back. The one way back is a device that is affected again, and where it leads ([`State::Fixing`] and what
    /// comes before it) is decided by what remedies there are: `remedied` is the furthest state that they allow.
    pub fn after(self, trigger: Trigger, remedied: Self) -> Option<Self> {
        use State::{Closed, Fixing, PendingPermanentFix, Resolved, Reviewed, WorkaroundAvailable};
        match (self, trigger) {
            (Closed, _) => None,
            (_, Trigger::Ended) => Some(Closed),
            (Resolved | Reviewed, Trigger::Reopened) => Some(remedied.min(Fixing)),
            // What was mitigated by workarounds is so no longer.
            (PendingPermanentFix, Trigger::Reopened) => Some(remedied.min(WorkaroundAvailable)),
            (active, Trigger::Reopened) => Some(active),
            (Resolved, Trigger::Reviewed) => Some(Reviewed),
            (Reviewed, Trigger::Reviewed) => Some(Reviewed),
            (_, Trigger::Reviewed) => None,
            (Reviewed, Trigger::Closed) => Some(Closed),
            (_, Trigger::Closed) => None,
            (Resolved | Reviewed, _) => Some(self),
            (active, Trigger::Mustered) => Some(active.max(Self::Mustered)),
            (active, Trigger::WorkaroundAvailable) => Some(active.max(WorkaroundAvailable)),
            (active, Trigger::Mitigated) => Some(active.max(PendingPermanentFix)),
            (active, Trigger::FixAvailable) => Some(active.max(Fixing)),
            (_, Trigger::Resolved) => Some(Resolved),
        }
    }
}

impl Trigger {
    /// Every trigger.
    pub const ALL: [Self; 9] = [
        Self::Mustered,
        Self::WorkaroundAvailable,
        Self::Mitigated,
        Self::FixAvailable,
        Self::Resolved,
        Self::Reviewed,
        Self::Closed,
        Self::Reopened,
        Self::Ended,
    ];

    /// The instant that is written when it happens for the first time.
    pub const fn milestone(self) -> Option<Milestone> {
        match self {
            Self::Mustered => Some(Milestone::Mustered),
            Self::WorkaroundAvailable => Some(Milestone::WorkaroundAvailable),
            Self::Mitigated => Some(Milestone::Mitigated),
            Self::FixAvailable => Some(Milestone::FixAvailable),
            Self::Resolved => Some(Milestone::Resolved),
            Self::Reviewed => Some(Milestone::Reviewed),
            Self::Closed | Self::Ended => Some(Milestone::Closed),
            Self::Reopened => None,
        }
    }
}
