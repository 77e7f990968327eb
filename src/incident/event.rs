//! The vocabulary of an incident's record. What is written is never changed, so variants are added and never altered.

use serde::{Deserialize, Serialize};

use super::countermeasure::Countermeasure;
use super::ladder::{Call, Claim, Exception, Proof, Rung};
use super::milestone::Milestone;
use super::muster::{Role, Seat};
use super::notice::{Announcement, NoticeKind};
use super::state::State;
use crate::engine::device::DeviceId;
use crate::engine::effect::{Cause, Scope};
use crate::engine::time::Timestamp;

/// One entry of an incident's record: what happened, when, by whom.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct IncidentEvent {
    pub at: Timestamp,
    /// A person's name, or one of [`super::DETECTOR`], [`super::TELEMETRY`], [`super::CLOCK`].
    pub by: String,
    #[serde(flatten)]
    pub action: Action,
}

/// A device as it joins.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Joining {
    pub device: DeviceId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
}

/// How an incident came to be.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Opening {
    /// As people say it on the phone.
    pub number: String,
    /// The detector's event that it was opened for; for one that was split off, that of the incident it was split from.
    pub event_id: String,
    pub scope: Scope,
    pub impact_started_at: Timestamp,
    pub detected_at: Timestamp,
    pub declared_at: Timestamp,
    /// The rule, in seconds of continuous degradation, and what was measured when it was declared.
    pub criterion_s: u64,
    pub measured_s: u64,
    pub cause: Option<Cause>,
    /// The closed incident that this one follows, or the open one that it was split from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follows: Option<String>,
    pub devices: Vec<Joining>,
}

/// What happened.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    Opened(Box<Opening>),
    /// Another event of the detector proved to be of this incident; its number, if it had one, is an alias.
    Attached {
        event_id: String,
        number: Option<String>,
    },
    Joined {
        devices: Vec<Joining>,
    },
    /// They were part of it already, and are affected again.
    Relapsed {
        devices: Vec<DeviceId>,
    },
    CauseChanged {
        cause: Option<Cause>,
    },
    /// The incident moved. Written beside what moved it, so that the record reads without the rules.
    Moved {
        from: State,
        to: State,
    },
    /// A milestone was reached, or a person corrected its instant.
    Timed {
        milestone: Milestone,
        instant: Timestamp,
        reason: Option<String>,
    },

    /// People were called.
    Paged {
        seat: Seat,
        step: u32,
        people: Vec<String>,
        exhausted: bool,
    },
    Acknowledged {
        seat: Seat,
        person: String,
    },
    /// Somebody is there and works on it.
    Present {
        person: String,
    },
    HandedOver {
        seat: Seat,
        from: Option<String>,
        to: String,
        reason: String,
    },
    /// A word to the staff, or an entry in the log that tells nobody.
    Noted {
        text: String,
        told: bool,
    },
    /// Nothing was said for longer than promised.
    Nagged {
        silent_s: u64,
    },

    CountermeasureRegistered(Box<Countermeasure>),
    CountermeasureAgreed {
        version: u32,
    },
    ScriptAcknowledged {
        version: u32,
        person: String,
    },
    /// The agreed fix can be had.
    FixReleased {
        name: String,
    },

    Called {
        device: DeviceId,
        call: Call,
    },
    Claimed {
        devices: Vec<DeviceId>,
        claim: Claim,
    },
    Proved {
        devices: Vec<DeviceId>,
        proof: Proof,
    },
    /// What was proved is so no longer.
    Disproved {
        devices: Vec<DeviceId>,
        proof: Proof,
    },
    /// What the devices say of a workaround changed without proving anything yet.
    WorkaroundSeen {
        devices: Vec<DeviceId>,
        active: bool,
    },
    Excepted {
        device: DeviceId,
        exception: Exception,
    },
    ExceptionLifted {
        device: DeviceId,
        reason: String,
    },

    /// The forecast misses the promise, or meets it again.
    PromiseForecast {
        ends_at: Option<Timestamp>,
        promised_at: Timestamp,
        missed: bool,
    },
    Demoted {
        reason: String,
    },
    Promoted {
        reason: String,
    },
    Merged {
        into: String,
        reason: String,
    },
    /// The devices of another incident, with their whole way so far; the number is an alias where all of it was taken.
    Absorbed {
        number: Option<String>,
        event_ids: Vec<String>,
        devices: Vec<(DeviceId, Rung)>,
        reason: String,
    },
    SplitOff {
        number: String,
        devices: Vec<DeviceId>,
        reason: String,
    },
    ReviewFiled {
        text: String,
    },
    /// The review is due, or overdue.
    ReviewNagged {
        due_at: Timestamp,
    },
    Closed {
        reason: Option<String>,
    },
    Reopened {
        devices: Vec<DeviceId>,
    },
    /// After the close: what degraded since is another incident.
    Followed {
        number: String,
    },
}

impl Action {
    /// The devices that it is about.
    pub fn devices(&self) -> Vec<&DeviceId> {
        match self {
            Self::Opened(opening) => opening.devices.iter().map(|joining| &joining.device).collect(),
            Self::Joined { devices } => devices.iter().map(|joining| &joining.device).collect(),
            Self::Absorbed { devices, .. } => devices.iter().map(|(device, _)| device).collect(),
            Self::Relapsed { devices }
            | Self::Claimed { devices, .. }
            | Self::Proved { devices, .. }
            | Self::Disproved { devices, .. }
            | Self::WorkaroundSeen { devices, .. }
            | Self::SplitOff { devices, .. }
            | Self::Reopened { devices } => devices.iter().collect(),
            Self::Called { device, .. } | Self::Excepted { device, .. } | Self::ExceptionLifted { device, .. } => {
                vec![device]
            }
            Self::Attached { .. }
            | Self::CauseChanged { .. }
            | Self::Moved { .. }
            | Self::Timed { .. }
            | Self::Paged { .. }
            | Self::Acknowledged { .. }
            | Self::Present { .. }
            | Self::HandedOver { .. }
            | Self::Noted { .. }
            | Self::Nagged { .. }
            | Self::CountermeasureRegistered(_)
            | Self::CountermeasureAgreed { .. }
            | Self::ScriptAcknowledged { .. }
            | Self::FixReleased { .. }
            | Self::PromiseForecast { .. }
            | Self::Demoted { .. }
            | Self::Promoted { .. }
            | Self::Merged { .. }
            | Self::ReviewFiled { .. }
            | Self::ReviewNagged { .. }
            | Self::Closed { .. }
            | Self::Followed { .. } => Vec::new(),
        }
    }

    /// The name of what happened, as stored.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Opened(_) => "opened",
            Self::Attached { .. } => "attached",
            Self::Joined { .. } => "joined",
            Self::Relapsed { .. } => "relapsed",
            Self::CauseChanged { .. } => "cause_changed",
            Self::Moved { .. } => "moved",
            Self::Timed { .. } => "timed",
            Self::Paged { .. } => "paged",
            Self::Acknowledged { .. } => "acknowledged",
            Self::Present { .. } => "present",
            Self::HandedOver { .. } => "handed_over",
            Self::Noted { .. } => "noted",
            Self::Nagged { .. } => "nagged",
            Self::CountermeasureRegistered(_) => "countermeasure_registered",
            Self::CountermeasureAgreed { .. } => "countermeasure_agreed",
            Self::ScriptAcknowledged { .. } => "script_acknowledged",
            Self::FixReleased { .. } => "fix_released",
            Self::Called { .. } => "called",
            Self::Claimed { .. } => "claimed",
            Self::Proved { .. } => "proved",
            Self::Disproved { .. } => "disproved",
            Self::WorkaroundSeen { .. } => "workaround_seen",
            Self::Excepted { .. } => "excepted",
            Self::ExceptionLifted { .. } => "exception_lifted",
            Self::PromiseForecast { .. } => "promise_forecast",
            Self::Demoted { .. } => "demoted",
            Self::Promoted { .. } => "promoted",
            Self::Merged { .. } => "merged",
            Self::Absorbed { .. } => "absorbed",
            Self::SplitOff { .. } => "split_off",
            Self::ReviewFiled { .. } => "review_filed",
            Self::ReviewNagged { .. } => "review_nagged",
            Self::Closed { .. } => "closed",
            Self::Reopened { .. } => "reopened",
            Self::Followed { .. } => "followed",
        }
    }

    /// What has to be said because of it.
    pub fn announcement(&self) -> Announcement<'_> {
        use Announcement::{Lead, Nothing, Staff};
        use NoticeKind as Kind;
        match self {
            Self::Opened(opening) => {
                Announcement::Opening { follows: opening.follows.is_some(), devices: opening.devices.len() }
            }
            Self::Joined { .. } => Staff(Kind::Growing),
            Self::CauseChanged { .. } => Staff(Kind::CauseChanged),
            Self::Moved { to: State::Mustered | State::PendingPermanentFix | State::Resolved, .. } => {
                Staff(Kind::Moved)
            }
            Self::Paged { people, exhausted, .. } => Announcement::Page { people, exhausted: *exhausted },
            Self::HandedOver { to, .. } => Announcement::HandedOver { to },
            Self::Noted { told: true, .. } => Staff(Kind::Word),
            Self::Nagged { .. } => Lead(Kind::Nag, Role::Commander),
            Self::CountermeasureRegistered(_) => Lead(Kind::AgreementWanted, Role::DevelopmentLead),
            Self::CountermeasureAgreed { version } => Announcement::Agreed { version: *version },
            Self::FixReleased { .. } => Announcement::FixReleased,
            Self::PromiseForecast { missed: true, .. } => Staff(Kind::PromiseMissed),
            Self::PromiseForecast { missed: false, .. } => Staff(Kind::PromiseMet),
            Self::Reopened { .. } => Staff(Kind::Reopened),
            Self::Promoted { .. } => Staff(Kind::Promoted),
            Self::Demoted { .. } => Staff(Kind::Demoted),
            Self::Merged { .. } => Staff(Kind::Merged),
            Self::SplitOff { .. } => Staff(Kind::SplitOff),
            Self::ReviewNagged { .. } => Lead(Kind::ReviewDue, Role::Commander),
            Self::Closed { .. } => Staff(Kind::Closed),
            Self::Followed { .. } => Staff(Kind::Followed),
            Self::Attached { .. }
            | Self::Relapsed { .. }
            | Self::Moved { .. }
            | Self::Timed { .. }
            | Self::Acknowledged { .. }
            | Self::Present { .. }
            | Self::Noted { .. }
            | Self::ScriptAcknowledged { .. }
            | Self::Called { .. }
            | Self::Claimed { .. }
            | Self::Proved { .. }
            | Self::Disproved { .. }
            | Self::WorkaroundSeen { .. }
            | Self::Excepted { .. }
            | Self::ExceptionLifted { .. }
            | Self::Absorbed { .. }
            | Self::ReviewFiled { .. } => Nothing,
        }
    }

    /// What a person wrote with it; `None` where there is nothing to read.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Noted { text, .. } | Self::ReviewFiled { text } => Some(text.as_str()),
            Self::HandedOver { reason, .. }
            | Self::ExceptionLifted { reason, .. }
            | Self::Demoted { reason }
            | Self::Promoted { reason }
            | Self::Merged { reason, .. }
            | Self::Absorbed { reason, .. }
            | Self::SplitOff { reason, .. } => Some(reason.as_str()),
            Self::Timed { reason, .. } | Self::Closed { reason } => reason.as_deref(),
            Self::Called { call, .. } => Some(call.note.as_str()),
            Self::Excepted { exception, .. } => Some(exception.evidence.as_str()),
            Self::Opened(_)
            | Self::Attached { .. }
            | Self::Joined { .. }
            | Self::Relapsed { .. }
            | Self::CauseChanged { .. }
            | Self::Moved { .. }
            | Self::Paged { .. }
            | Self::Acknowledged { .. }
            | Self::Present { .. }
            | Self::Nagged { .. }
            | Self::CountermeasureRegistered(_)
            | Self::CountermeasureAgreed { .. }
            | Self::ScriptAcknowledged { .. }
            | Self::FixReleased { .. }
            | Self::Claimed { .. }
            | Self::Proved { .. }
            | Self::Disproved { .. }
            | Self::WorkaroundSeen { .. }
            | Self::PromiseForecast { .. }
            | Self::ReviewNagged { .. }
            | Self::Reopened { .. }
            | Self::Followed { .. } => None,
        }
        .filter(|text| !text.trim().is_empty())
    }
}
