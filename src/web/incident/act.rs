//! What a form takes: the least right of who may fill it in.

use crate::incident::Act;
use crate::record::access::Action;

impl Act {
    /// What somebody has to be allowed for it, at the least.
    pub(in crate::web) const fn needs(self) -> Action {
        match self {
            Self::Acknowledge | Self::Join | Self::HandOver | Self::Note | Self::Script => Action::TakePart,
            Self::Countermeasure | Self::Agree | Self::ReleaseFix => Action::Countermeasure,
            Self::Claim => Action::Work,
            Self::SignOff | Self::Lift => Action::SignOff,
            Self::CorrectTime
            | Self::Promote
            | Self::Demote
            | Self::Merge
            | Self::Split
            | Self::Declare
            | Self::Review
            | Self::Close => Action::Lead,
        }
    }
}
