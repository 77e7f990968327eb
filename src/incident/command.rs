//! What people may command: the one list, from which the API, its description and the policy follow. What follows from a command is in
//! [`decide`](super::decide).
//!
//! Texts are formed before anything follows from them, whichever way they came: names in their one form, because what people call a
//! workaround or an update is compared with what devices say of themselves, and sentences without what hides in them.

use serde::{Deserialize, Serialize};

use super::countermeasure::{Fix, WorkaroundPlan};
use super::ladder::{Call, Claim, ExceptionKind};
use super::milestone::Milestone;
use super::muster::Seat;
use crate::engine::device::DeviceId;
use crate::engine::label::{form, visible};
use crate::engine::time::Timestamp;

/// What it takes to give a command, the least first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Duty {
    TakePart,
    /// To call customers and claim steps.
    Work,
    Countermeasure,
    SignOff,
    Lead,
}

/// What a person commands. Who it is, and whether that person may, is for the caller to know.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Take this role, or stand by in it: `commander`, `support_lead@sapporo-03`.
    Acknowledge {
        #[cfg_attr(feature = "schema", schema(value_type = String, example = "commander"))]
        seat: Seat,
    },
    /// Join the work on the incident.
    Join,
    /// Hand the role to somebody else.
    HandOver {
        #[cfg_attr(feature = "schema", schema(value_type = String))]
        seat: Seat,
        to: String,
        reason: String,
    },
    /// Send a message to the staff (`tell`), or keep a note in the record.
    Note {
        text: String,
        #[serde(default)]
        tell: bool,
    },
    /// Correct the time of a milestone.
    CorrectTime {
        #[cfg_attr(feature = "schema", schema(value_type = String, example = "mustered"))]
        milestone: Milestone,
        #[cfg_attr(feature = "schema", schema(value_type = i64))]
        instant: Timestamp,
        reason: String,
    },
    /// Register a new version of the countermeasure: a workaround, a fix, or both.
    RegisterCountermeasure {
        #[serde(default)]
        workaround: Option<WorkaroundPlan>,
        #[serde(default)]
        fix: Option<Fix>,
        #[serde(default)]
        #[cfg_attr(feature = "schema", schema(value_type = Option<i64>))]
        fix_due_at: Option<Timestamp>,
    },
    /// Agree to this version for development: support works by it from then on.
    AgreeCountermeasure { version: u32 },
    /// Confirm that you have read this version of the script.
    AcknowledgeScript { version: u32 },
    /// Release the agreed fix for installation.
    ReleaseFix,
    /// Record a call with the device's customer.
    RecordCall {
        #[cfg_attr(feature = "schema", schema(value_type = String, pattern = "^[A-Za-z0-9_-]{1,64}$"))]
        device: DeviceId,
        call: Call,
    },
    /// Claim that a step was done; telemetry has to show it.
    Claim {
        #[cfg_attr(feature = "schema", schema(value_type = Vec<String>))]
        devices: Vec<DeviceId>,
        #[cfg_attr(feature = "schema", schema(value_type = String, pattern = "^(workaround|fix|revert)$", example = "workaround"))]
        claim: Claim,
    },
    /// Sign a device off that will not be completed.
    SignOff {
        #[cfg_attr(feature = "schema", schema(value_type = String, pattern = "^[A-Za-z0-9_-]{1,64}$"))]
        device: DeviceId,
        /// `unreachable`, `refused`, `replaced`, `decommissioned`.
        #[cfg_attr(feature = "schema", schema(value_type = String, pattern = "^(unreachable|refused|replaced|decommissioned)$"))]
        kind: ExceptionKind,
        evidence: String,
    },
    /// Withdraw a sign-off.
    LiftException {
        #[cfg_attr(feature = "schema", schema(value_type = String, pattern = "^[A-Za-z0-9_-]{1,64}$"))]
        device: DeviceId,
        reason: String,
    },
    /// Raise an isolated incident to one of the whole fleet.
    Promote { reason: String },
    /// End it as one that should not have been declared.
    Demote { reason: String },
    /// File the review.
    FileReview { text: String },
    /// Close the incident, if telemetry shows that it is over.
    Close,
}

impl Command {
    /// The command's name, for logs, permissions and metric labels.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Acknowledge { .. } => "acknowledge",
            Self::Join => "join",
            Self::HandOver { .. } => "hand_over",
            Self::Note { .. } => "note",
            Self::CorrectTime { .. } => "correct_time",
            Self::RegisterCountermeasure { .. } => "register_countermeasure",
            Self::AgreeCountermeasure { .. } => "agree_countermeasure",
            Self::AcknowledgeScript { .. } => "acknowledge_script",
            Self::ReleaseFix => "release_fix",
            Self::RecordCall { .. } => "record_call",
            Self::Claim { .. } => "claim",
            Self::SignOff { .. } => "sign_off",
            Self::LiftException { .. } => "lift_exception",
            Self::Promote { .. } => "promote",
            Self::Demote { .. } => "demote",
            Self::FileReview { .. } => "file_review",
            Self::Close => "close",
        }
    }

    /// The seat that it is about.
    pub const fn seat(&self) -> Option<&Seat> {
        match self {
            Self::Acknowledge { seat } | Self::HandOver { seat, .. } => Some(seat),
            Self::Join
            | Self::Note { .. }
            | Self::CorrectTime { .. }
            | Self::RegisterCountermeasure { .. }
            | Self::AgreeCountermeasure { .. }
            | Self::AcknowledgeScript { .. }
            | Self::ReleaseFix
            | Self::RecordCall { .. }
            | Self::Claim { .. }
            | Self::SignOff { .. }
            | Self::LiftException { .. }
            | Self::Promote { .. }
            | Self::Demote { .. }
            | Self::FileReview { .. }
            | Self::Close => None,
        }
    }

    /// Whether it changes a device of the ladder, and which.
    pub fn devices(&self) -> &[DeviceId] {
        match self {
            Self::RecordCall { device, .. } | Self::SignOff { device, .. } | Self::LiftException { device, .. } => {
                std::slice::from_ref(device)
            }
            Self::Claim { devices, .. } => devices,
            Self::Acknowledge { .. }
            | Self::Join
            | Self::HandOver { .. }
            | Self::Note { .. }
            | Self::CorrectTime { .. }
            | Self::RegisterCountermeasure { .. }
            | Self::AgreeCountermeasure { .. }
            | Self::AcknowledgeScript { .. }
            | Self::ReleaseFix
            | Self::Promote { .. }
            | Self::Demote { .. }
            | Self::FileReview { .. }
            | Self::Close => &[],
        }
    }

    /// What it takes to give it. A role that somebody holds is handed over by its holder, or by whoever leads.
    pub const fn duty(&self) -> Duty {
        match self {
            Self::Acknowledge { .. } | Self::Join | Self::Note { .. } | Self::AcknowledgeScript { .. } => {
                Duty::TakePart
            }
            Self::RegisterCountermeasure { .. } | Self::AgreeCountermeasure { .. } | Self::ReleaseFix => {
                Duty::Countermeasure
            }
            Self::RecordCall { .. } | Self::Claim { .. } => Duty::Work,
            Self::SignOff { .. } | Self::LiftException { .. } => Duty::SignOff,
            Self::HandOver { .. }
            | Self::CorrectTime { .. }
            | Self::Promote { .. }
            | Self::Demote { .. }
            | Self::FileReview { .. }
            | Self::Close => Duty::Lead,
        }
    }

    /// The request with its texts as they are kept.
    pub(super) fn formed(mut self) -> Self {
        match &mut self {
            Self::Acknowledge { seat } => seat.branch.iter_mut().for_each(formed),
            Self::HandOver { seat, to, reason } => {
                seat.branch.iter_mut().for_each(formed);
                formed(to);
                readable(reason);
            }
            Self::RegisterCountermeasure { workaround, fix, .. } => {
                if let Some(WorkaroundPlan { id, script }) = workaround {
                    formed(id);
                    [&mut script.ja, &mut script.en].into_iter().for_each(readable);
                }
                match fix {
                    Some(Fix::Update(name) | Fix::Elsewhere(name)) => formed(name),
                    Some(Fix::Package { name, version }) => [name, version].into_iter().for_each(formed),
                    None => {}
                }
            }
            Self::RecordCall { call, .. } => readable(&mut call.note),
            Self::Note { text, .. }
            | Self::FileReview { text }
            | Self::SignOff { evidence: text, .. }
            | Self::CorrectTime { reason: text, .. }
            | Self::LiftException { reason: text, .. }
            | Self::Promote { reason: text }
            | Self::Demote { reason: text } => readable(text),
            Self::Join
            | Self::AgreeCountermeasure { .. }
            | Self::AcknowledgeScript { .. }
            | Self::ReleaseFix
            | Self::Claim { .. }
            | Self::Close => {}
        }
        self
    }
}

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

    /// What it takes, at the least: of the command that the form sends, or to merge, split or declare.
    pub const fn duty(self) -> Duty {
        match self {
            Self::Acknowledge | Self::Join | Self::HandOver | Self::Note | Self::Script => Duty::TakePart,
            Self::Countermeasure | Self::Agree | Self::ReleaseFix => Duty::Countermeasure,
            Self::Claim => Duty::Work,
            Self::SignOff | Self::Lift => Duty::SignOff,
            Self::CorrectTime
            | Self::Promote
            | Self::Demote
            | Self::Merge
            | Self::Split
            | Self::Declare
            | Self::Review
            | Self::Close => Duty::Lead,
        }
    }
}

fn formed(name: &mut String) {
    if let std::borrow::Cow::Owned(form) = form(name) {
        *name = form;
    }
}

fn readable(text: &mut String) {
    if let std::borrow::Cow::Owned(visible) = visible(text) {
        *text = visible;
    }
}

impl Seat {
    /// The seat with its branch in its one form.
    pub fn formed(mut self) -> Self {
        self.branch.iter_mut().for_each(formed);
        self
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::countermeasure::Script;
    use super::*;

    #[test]
    fn names_take_their_form_and_sentences_keep_theirs() {
        let script = Script { ja: "Ｂ を開き\u{202e}ます。\r\n次へ".into(), en: String::new() };
        let request = Command::RegisterCountermeasure {
            workaround: Some(WorkaroundPlan { id: " ＷＡ－１\u{200b}".into(), script }),
            fix: Some(Fix::Package { name: "engine ".into(), version: "４.2".into() }),
            fix_due_at: None,
        };
        let Command::RegisterCountermeasure { workaround: Some(plan), fix, .. } = request.formed() else { panic!() };
        assert_eq!((&*plan.id, &*plan.script.ja), ("WA-1", "Ｂ を開きます。\n次へ"));
        assert_eq!(fix, Some(Fix::Package { name: "engine".into(), version: "4.2".into() }));
        let seat = Seat::try_from("support_lead@札幌 ".to_owned()).unwrap();
        assert_eq!(seat.formed().branch.as_deref(), Some("札幌"));
    }

    #[test]
    fn an_acts_name_leads_back_to_it() {
        for act in Act::ALL {
            assert_eq!(Act::from_name(act.as_str()), Some(act));
        }
        assert_eq!(Act::from_name("delete"), None);
    }

    /// Every command once, as JSON.
    fn all() -> Vec<serde_json::Value> {
        vec![
            json!({"command": "acknowledge", "seat": "support_lead@sapporo-03"}),
            json!({"command": "join"}),
            json!({"command": "hand_over", "seat": "commander", "to": "Ito", "reason": "r"}),
            json!({"command": "note", "text": "t", "tell": true}),
            json!({"command": "correct_time", "milestone": "mustered", "instant": 5, "reason": "r"}),
            json!({"command": "register_countermeasure", "workaround": {"id": "WA-1", "script": {"ja": "手順", "en": ""}},
                   "fix": {"kind": "package", "value": {"name": "signatures", "version": "9"}}, "fix_due_at": 7}),
            json!({"command": "agree_countermeasure", "version": 1}),
            json!({"command": "acknowledge_script", "version": 1}),
            json!({"command": "release_fix"}),
            json!({"command": "record_call", "device": "B-1",
                   "call": {"outcome": "reached", "progress": "mail", "note": "n", "script": 2,
                            "direction": "incoming"}}),
            json!({"command": "claim", "devices": ["B-1"], "claim": "revert"}),
            json!({"command": "sign_off", "device": "B-1", "kind": "replaced", "evidence": "e"}),
            json!({"command": "lift_exception", "device": "B-1", "reason": "r"}),
            json!({"command": "promote", "reason": "r"}),
            json!({"command": "demote", "reason": "r"}),
            json!({"command": "file_review", "text": "t"}),
            json!({"command": "close"}),
        ]
    }

    #[test]
    fn every_command_is_read_from_json_and_loses_nothing() {
        for value in all() {
            let command: Command = serde_json::from_value(value.clone()).unwrap();
            assert_eq!(serde_json::to_value(&command).unwrap(), value, "nothing is lost");
        }
    }

    #[test]
    fn a_misspelt_or_half_command_is_none() {
        for bad in [
            json!({"command": "acknowledge", "seat": "boss"}),
            json!({"command": "note", "text": "t", "tel": true}),
            json!({"command": "record_call", "device": "B 1", "call": {"outcome": "reached"}}),
            json!({"command": "record_call", "device": "B-1", "call": {"outcome": "yes"}}),
            json!({"command": "explode"}),
            json!({}),
        ] {
            assert!(serde_json::from_value::<Command>(bad.clone()).is_err(), "{bad}");
        }
    }
}
