//! What can be said, to whom, and why. What is said because of an event is in [`announce`](super::announce).

use serde::{Deserialize, Serialize};

use super::muster::Role;

/// Whom a notice is for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(tag = "audience", content = "who", rename_all = "snake_case")]
pub enum Audience {
    /// These people, by name.
    People(Vec<String>),
    /// Everybody who works on the incident: the chat of the staff.
    Staff,
    /// Whoever takes the next call.
    SupportQueue,
}

/// Why somebody is told something.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    Declared,
    /// An isolated incident: one for the support queue.
    Isolated,
    Page,
    /// The whole rota was called and nobody answered; it begins again.
    PageUnanswered,
    Moved,
    CauseChanged,
    Growing,
    Word,
    /// Nothing was said for too long.
    Nag,
    AgreementWanted,
    Script,
    /// An agreed script was replaced or withdrawn: whoever acknowledged the old one has to hear of it.
    ScriptChanged,
    FixReleased,
    PromiseMissed,
    PromiseMet,
    Reopened,
    HandedOver,
    Promoted,
    Demoted,
    Merged,
    SplitOff,
    ReviewDue,
    Closed,
    Followed,
}

impl NoticeKind {
    /// Every kind.
    pub const ALL: [Self; 24] = [
        Self::Declared,
        Self::Isolated,
        Self::Page,
        Self::PageUnanswered,
        Self::Moved,
        Self::CauseChanged,
        Self::Growing,
        Self::Word,
        Self::Nag,
        Self::AgreementWanted,
        Self::Script,
        Self::ScriptChanged,
        Self::FixReleased,
        Self::PromiseMissed,
        Self::PromiseMet,
        Self::Reopened,
        Self::HandedOver,
        Self::Promoted,
        Self::Demoted,
        Self::Merged,
        Self::SplitOff,
        Self::ReviewDue,
        Self::Closed,
        Self::Followed,
    ];

    /// The name, as in messages and metric labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Declared => "declared",
            Self::Isolated => "isolated",
            Self::Page => "page",
            Self::PageUnanswered => "page_unanswered",
            Self::Moved => "moved",
            Self::CauseChanged => "cause_changed",
            Self::Growing => "growing",
            Self::Word => "word",
            Self::Nag => "nag",
            Self::AgreementWanted => "agreement_wanted",
            Self::Script => "script",
            Self::ScriptChanged => "script_changed",
            Self::FixReleased => "fix_released",
            Self::PromiseMissed => "promise_missed",
            Self::PromiseMet => "promise_met",
            Self::Reopened => "reopened",
            Self::HandedOver => "handed_over",
            Self::Promoted => "promoted",
            Self::Demoted => "demoted",
            Self::Merged => "merged",
            Self::SplitOff => "split_off",
            Self::ReviewDue => "review_due",
            Self::Closed => "closed",
            Self::Followed => "followed",
        }
    }
}

/// Something that has to be said. What it says is in the event; `key` is the same however often it is made from the record.
#[derive(Clone, PartialEq, Debug)]
pub struct Notice {
    pub key: String,
    pub kind: NoticeKind,
    pub audience: Audience,
}

/// What an event calls for, before anybody asks who is there to hear it.
#[derive(Clone, PartialEq, Debug)]
pub enum Announcement<'a> {
    /// Nothing.
    Nothing,
    /// The incident begins; with a number of an earlier one where it follows that, and with no device where all came from there.
    Opening { follows: bool, devices: usize },
    /// A word to the staff of a fleet incident, to the support queue for an isolated one.
    Staff(NoticeKind),
    /// A word to whoever holds the role; to the staff where nobody does.
    Lead(NoticeKind, Role),
    /// These people are called; the staff hear when the whole rota was.
    Page { people: &'a [String], exhausted: bool },
    /// A role went to this person, and the staff hear of it.
    HandedOver { to: &'a str },
    /// This version of the countermeasure is what support works by.
    Agreed { version: u32 },
    /// The staff and the support queue hear of the fix.
    FixReleased,
}
