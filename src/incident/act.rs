//! What a person can do to an incident with a form of its own.

/// Something that a person does with a form of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Act {
    Acknowledge,
    Join,
    HandOver,
    Note,
    CorrectTime,
    Countermeasure,
    Agree,
    Script,
    ReleaseFix,
    Claim,
    SignOff,
    Lift,
    Promote,
    Demote,
    Merge,
    Split,
    Declare,
    Review,
    Close,
}

impl Act {
    /// Every act.
    pub const ALL: [Self; 19] = [
        Self::Acknowledge,
        Self::Join,
        Self::HandOver,
        Self::Note,
        Self::CorrectTime,
        Self::Countermeasure,
        Self::Agree,
        Self::Script,
        Self::ReleaseFix,
        Self::Claim,
        Self::SignOff,
        Self::Lift,
        Self::Promote,
        Self::Demote,
        Self::Merge,
        Self::Split,
        Self::Declare,
        Self::Review,
        Self::Close,
    ];

    /// The act's name in addresses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Acknowledge => "acknowledge",
            Self::Join => "join",
            Self::HandOver => "hand_over",
            Self::Note => "note",
            Self::CorrectTime => "correct_time",
            Self::Countermeasure => "countermeasure",
            Self::Agree => "agree",
            Self::Script => "script",
            Self::ReleaseFix => "release_fix",
            Self::Claim => "claim",
            Self::SignOff => "sign_off",
            Self::Lift => "lift",
            Self::Promote => "promote",
            Self::Demote => "demote",
            Self::Merge => "merge",
            Self::Split => "split",
            Self::Declare => "declare",
            Self::Review => "review",
            Self::Close => "close",
        }
    }

    /// The act of this name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|act| act.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acts_name_leads_back_to_it() {
        for act in Act::ALL {
            assert_eq!(Act::from_name(act.as_str()), Some(act));
        }
        assert_eq!(Act::from_name("delete"), None);
    }
}
