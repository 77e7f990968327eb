//! Why a person's command is not granted.

use thiserror::Error;

use super::milestone::OrderError;
use super::muster::Seat;
use super::state::State;
use super::{MAX_NAME, MAX_REVIEW, MAX_TEXT};
use crate::engine::device::DeviceId;

/// Why a request is not granted. Nothing has changed then.
#[derive(Clone, PartialEq, Debug, Error)]
pub enum Refusal {
    #[error("the incident is closed; what happens from here on belongs to another one")]
    Closed,
    #[error("the incident is {}: {what}", .state.as_str())]
    State { state: State, what: &'static str },
    #[error("say why: a text of 1 to {MAX_TEXT} characters")]
    Reason,
    #[error("the text has to have 1 to {MAX_TEXT} characters")]
    Text,
    #[error("the review has to have 1 to {MAX_REVIEW} characters")]
    Review,
    #[error("a name has to have 1 to {MAX_NAME} characters")]
    Name,
    #[error("{0} is not part of this incident")]
    NotADevice(DeviceId),
    #[error("name at least one device")]
    NoDevice,
    #[error("those are all of its devices; leave at least one, or demote the incident")]
    AllDevices,
    #[error("{seat} is held by {holder} already")]
    Held { seat: Seat, holder: String },
    #[error("a countermeasure has a workaround, a fix, or both")]
    Empty,
    #[error("the workaround needs an id as the devices' status tells it, and a script in at least one language")]
    Script,
    #[error("the fix cannot be due before now")]
    Due,
    #[error("there is no version {0} of the countermeasure")]
    NoVersion(u32),
    #[error("version {version} was replaced by version {newest}")]
    Replaced { version: u32, newest: u32 },
    #[error("whoever registered a countermeasure cannot agree to it as well: development has to")]
    OwnWord,
    #[error("version {0} is agreed already")]
    Agreed(u32),
    #[error("version {0} is not agreed by development yet")]
    NotAgreed(u32),
    #[error("no fix has been agreed; register a countermeasure with one")]
    NoFix,
    #[error("no workaround has been agreed: there is nothing that can have been switched on")]
    NoWorkaround,
    #[error("the fix has not been released")]
    NotReleased,
    #[error("{0} has been released already")]
    Released(String),
    #[error("{device} counts as unreachable after {needed} recorded calls without an answer; there are {made}")]
    Calls { device: DeviceId, needed: u32, made: u32 },
    #[error("whoever called us was reached: choose another outcome, or the other direction")]
    NobodyCalled,
    #[error("{0} is not signed off")]
    NoException(DeviceId),
    #[error(transparent)]
    Order(#[from] OrderError),
    #[error(
        "the incident's own instants (impact, detection, declaration) come from telemetry and are not corrected by hand"
    )]
    Measured,
    #[error("the incident concerns the whole fleet already")]
    Promoted,
    #[error("still open: {0}")]
    Open(String),
}

impl Refusal {
    /// A closed name of the refusal.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::State { .. } => "state",
            Self::Reason
            | Self::Text
            | Self::Review
            | Self::Name
            | Self::Empty
            | Self::Script
            | Self::Due
            | Self::NobodyCalled => "invalid",
            Self::NotADevice(_) | Self::NoDevice | Self::AllDevices => "device",
            Self::Held { .. } => "held",
            Self::NoVersion(_) | Self::Replaced { .. } => "version",
            Self::OwnWord => "own_word",
            Self::Agreed(_) | Self::NotAgreed(_) => "agreement",
            Self::NoFix | Self::NoWorkaround | Self::NotReleased | Self::Released(_) => "remedy",
            Self::Calls { .. } => "calls",
            Self::NoException(_) => "exception",
            Self::Order(_) | Self::Measured => "order",
            Self::Promoted => "scope",
            Self::Open(_) => "open",
        }
    }
}
