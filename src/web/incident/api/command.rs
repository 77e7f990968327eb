//! Commands as JSON, and who may which.

use serde::Deserialize;
use utoipa::ToSchema;

use crate::engine::device::DeviceId;
use crate::engine::time::Timestamp;
use crate::incident::ladder::{Call, CallOutcome, Claim, Direction, Progress};
use crate::incident::{Command, ExceptionKind, Fix, Milestone, Script, Seat, WorkaroundPlan};

/// What is wished of one incident.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub(in crate::web) enum Wish {
    /// I answer for this role: `commander`, `support_lead@sapporo-03`.
    Acknowledge {
        #[schema(value_type = String, example = "commander")]
        seat: Seat,
    },
    /// I am there.
    Join,
    /// Somebody else answers for the role from here on.
    HandOver {
        #[schema(value_type = String)]
        seat: Seat,
        to: String,
        reason: String,
    },
    /// A word to the staff (`tell`), or an entry in the record alone.
    Note {
        text: String,
        #[serde(default)]
        tell: bool,
    },
    /// The instant of a milestone was another one.
    CorrectTime {
        #[schema(value_type = String, example = "mustered")]
        milestone: Milestone,
        #[schema(value_type = i64)]
        instant: Timestamp,
        reason: String,
    },
    /// A new version of what is to be done: a workaround, a fix, or both.
    RegisterCountermeasure {
        #[serde(default)]
        workaround: Option<WorkaroundWish>,
        #[serde(default)]
        fix: Option<FixWish>,
        #[serde(default)]
        #[schema(value_type = Option<i64>)]
        fix_due_at: Option<Timestamp>,
    },
    /// Development agrees to this version.
    AgreeCountermeasure {
        version: u32,
    },
    /// I have read this version of the script.
    AcknowledgeScript {
        version: u32,
    },
    /// The agreed fix can be had.
    ReleaseFix,
    /// I called the device's customer.
    RecordCall {
        #[schema(value_type = String, pattern = "^[A-Za-z0-9_-]{1,64}$")]
        device: DeviceId,
        call: CallWish,
    },
    /// It was done, as far as I know; telemetry will show it.
    Claim {
        #[schema(value_type = Vec<String>)]
        devices: Vec<DeviceId>,
        #[schema(value_type = String, pattern = "^(workaround|fix|revert)$", example = "workaround")]
        claim: Claim,
    },
    /// This device is never going to be done; I answer for that.
    SignOff {
        #[schema(value_type = String, pattern = "^[A-Za-z0-9_-]{1,64}$")]
        device: DeviceId,
        /// `unreachable`, `refused`, `replaced`, `decommissioned`.
        #[schema(value_type = String, pattern = "^(unreachable|refused|replaced|decommissioned)$")]
        kind: ExceptionKind,
        evidence: String,
    },
    LiftException {
        #[schema(value_type = String, pattern = "^[A-Za-z0-9_-]{1,64}$")]
        device: DeviceId,
        reason: String,
    },
    /// An isolated incident concerns everybody after all.
    Promote {
        reason: String,
    },
    /// It was no major incident.
    Demote {
        reason: String,
    },
    FileReview {
        text: String,
    },
    Close,
}

/// A settings change that takes the damage away.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct WorkaroundWish {
    /// What a device's status calls it.
    #[schema(example = "WA-1")]
    id: String,
    /// What the support desk says and does.
    script: ScriptWish,
}

/// A text in at least one of the two languages.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::web) struct ScriptWish {
    ja: String,
    en: String,
}

/// What ends the incident for a device.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "kind", content = "value", rename_all = "snake_case")]
pub(in crate::web) enum FixWish {
    /// An update's version.
    Update(String),
    /// A package's version.
    Package { name: String, version: String },
    /// Something outside the devices.
    Elsewhere(String),
}

/// A call to a customer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct CallWish {
    /// `reached`, `no_answer`, `call_back`, `refused`.
    #[schema(value_type = String, pattern = "^(reached|no_answer|call_back|refused)$")]
    outcome: CallOutcome,
    /// How the customer wants to hear of the progress: `unwanted`, `phone`, `mail`; absent: not asked.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = "^(unwanted|phone|mail)$")]
    progress: Option<Progress>,
    #[serde(default)]
    note: String,
    /// Version of the script that was used.
    #[serde(default)]
    script: Option<u32>,
    /// `outgoing`: we called, which it is where nothing is said; `incoming`: the customer did.
    #[serde(default)]
    #[schema(value_type = String, pattern = "^(outgoing|incoming)$")]
    direction: Direction,
}

impl From<FixWish> for Fix {
    fn from(wish: FixWish) -> Self {
        match wish {
            FixWish::Update(version) => Self::Update(version),
            FixWish::Package { name, version } => Self::Package { name, version },
            FixWish::Elsewhere(what) => Self::Elsewhere(what),
        }
    }
}

impl From<WorkaroundWish> for WorkaroundPlan {
    fn from(WorkaroundWish { id, script: ScriptWish { ja, en } }: WorkaroundWish) -> Self {
        Self { id, script: Script { ja, en } }
    }
}

impl From<CallWish> for Call {
    fn from(CallWish { outcome, progress, note, script, direction }: CallWish) -> Self {
        Self { outcome, progress, note, script, direction }
    }
}

impl From<Wish> for Command {
    fn from(wish: Wish) -> Self {
        match wish {
            Wish::Acknowledge { seat } => Self::Acknowledge { seat },
            Wish::Join => Self::Join,
            Wish::HandOver { seat, to, reason } => Self::HandOver { seat, to, reason },
            Wish::Note { text, tell } => Self::Note { text, tell },
            Wish::CorrectTime { milestone, instant, reason } => Self::CorrectTime { milestone, instant, reason },
            Wish::RegisterCountermeasure { workaround, fix, fix_due_at } => Self::RegisterCountermeasure {
                workaround: workaround.map(WorkaroundPlan::from),
                fix: fix.map(Fix::from),
                fix_due_at,
            },
            Wish::AgreeCountermeasure { version } => Self::AgreeCountermeasure { version },
            Wish::AcknowledgeScript { version } => Self::AcknowledgeScript { version },
            Wish::ReleaseFix => Self::ReleaseFix,
            Wish::RecordCall { device, call } => Self::RecordCall { device, call: call.into() },
            Wish::Claim { devices, claim } => Self::Claim { devices, claim },
            Wish::SignOff { device, kind, evidence } => Self::SignOff { device, kind, evidence },
            Wish::LiftException { device, reason } => Self::LiftException { device, reason },
            Wish::Promote { reason } => Self::Promote { reason },
            Wish::Demote { reason } => Self::Demote { reason },
            Wish::FileReview { text } => Self::FileReview { text },
            Wish::Close => Self::Close,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
    fn every_command_of_the_engine_can_be_wished_and_means_the_same() {
        for value in all() {
            let wished: Command = serde_json::from_value::<Wish>(value.clone()).unwrap().into();
            let meant: Command = serde_json::from_value(value.clone()).unwrap();
            assert_eq!(wished, meant, "{value}");
            assert_eq!(serde_json::to_value(&wished).unwrap(), value, "nothing is lost");
        }
    }

    #[test]
    fn a_misspelt_or_half_wish_is_none() {
        for bad in [
            json!({"command": "acknowledge", "seat": "boss"}),
            json!({"command": "note", "text": "t", "tel": true}),
            json!({"command": "record_call", "device": "B 1", "call": {"outcome": "reached"}}),
            json!({"command": "record_call", "device": "B-1", "call": {"outcome": "yes"}}),
            json!({"command": "explode"}),
            json!({}),
        ] {
            assert!(serde_json::from_value::<Wish>(bad.clone()).is_err(), "{bad}");
        }
    }
}
