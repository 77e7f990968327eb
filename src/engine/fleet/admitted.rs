//! What becomes of a report: taken, or refused and why; and how old it may be.

use thiserror::Error;

use crate::engine::time::Minute;

/// Reports of an event time longer ago than this are refused, in ms: the verdicts reach back 48 h.
pub const HORIZON_MS: i64 = 48 * 3_600_000;

/// A report that is not later than this is live, in ms.
pub const LIVE_MS: i64 = 60_000;

/// What became of a report that was taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Admitted {
    /// The minute of event time that it belongs to.
    pub minute: Minute,
    /// Whether that minute had closed, so that it has to be recomputed.
    pub late: bool,
}

/// Why a report or a status was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Error)]
#[repr(u8)]
pub enum Refusal {
    /// The same report has been taken before.
    #[error("the report was taken before")]
    Duplicate,
    /// Its sequence number is too far behind the boot's newest to tell whether it was taken before.
    #[error("the sequence number is more than 48 h of reports behind")]
    StaleSequence,
    /// Its event time is more than 48 h ago.
    #[error("the report is of more than 48 h ago")]
    TooOld,
    /// Only expected devices are accepted, and this is not one.
    #[error("the device is not on the list of expected devices")]
    UnknownDevice,
    /// As many devices as may register themselves have done so.
    #[error("no more devices may register themselves")]
    FleetFull,
    /// The device has reported more than twice the time there is.
    #[error("the device reports more time than has passed")]
    RateLimited,
    /// Its sender has used up its [budget](super::budget) of messages or bytes.
    #[error("the device sends more than it may")]
    OverBudget,
    /// A report that a broker had kept: nobody knows of when it is.
    #[error("the broker had kept the report, so it says nothing of now")]
    Retained,
    /// A count is beyond what any device can see in a minute.
    #[error("a count of the report is beyond belief")]
    Excessive,
    /// A slot or the inbox has no room until the decision task's next tick. Not final: nothing was taken, try again.
    #[error("no room before the next tick")]
    Busy,
}

impl Refusal {
    /// Every refusal.
    pub const ALL: [Self; 10] = [
        Self::Duplicate,
        Self::StaleSequence,
        Self::TooOld,
        Self::UnknownDevice,
        Self::FleetFull,
        Self::RateLimited,
        Self::OverBudget,
        Self::Retained,
        Self::Excessive,
        Self::Busy,
    ];

    /// The field of the report that is at fault, where one alone is.
    pub const fn field(self) -> Option<&'static str> {
        match self {
            Self::StaleSequence => Some("seq"),
            Self::TooOld => Some("uptime_ms"),
            Self::RateLimited => Some("period_ms"),
            Self::Excessive => Some("traffic"),
            _ => None,
        }
    }

    /// The refusal's name, as a metric label.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Duplicate => "duplicate",
            Self::StaleSequence => "stale_sequence",
            Self::TooOld => "too_old",
            Self::UnknownDevice => "unknown_device",
            Self::FleetFull => "fleet_full",
            Self::RateLimited => "rate_limited",
            Self::OverBudget => "over_budget",
            Self::Retained => "retained",
            Self::Excessive => "excessive",
            Self::Busy => "busy",
        }
    }
}
