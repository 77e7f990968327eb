//! What the engine decided, as data. The shell acts on it: stores it, tells people, publishes it.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::device::DeviceId;
use super::time::Timestamp;

/// What happened to a fleet event or to a lone device's streak.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, Encode, Decode)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// The one-hour clock passed a warning mark (15, 30, 45, 55 minutes).
    EarlyWarning,
    /// The hour is full and proved: a major incident.
    Declared,
    /// Devices became members; after a recovery: the event has relapsed, and these are in it.
    Joined,
    /// Members ceased to be affected, with data that shows it.
    Left,
    /// Another suspect explains the members better, or the confidence crossed the naming limit.
    CauseChanged,
    /// The quality is back, after the healthy minutes that end a streak.
    Recovered,
    /// Recovered and quiet, with data, for the clear period.
    Resolved,
}

impl ChangeKind {
    /// The kind's name, as in recordings' output and in metric labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EarlyWarning => "early_warning",
            Self::Declared => "declared",
            Self::Joined => "joined",
            Self::Left => "left",
            Self::CauseChanged => "cause_changed",
            Self::Recovered => "recovered",
            Self::Resolved => "resolved",
        }
    }
}

/// How serious: a streak of an hour or more is a major incident; before that it is a warning.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, Encode, Decode)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Warning,
    Major,
}

/// Who is mustered: everybody for `fleet`, the support queue for `isolated`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, Encode, Decode)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    Fleet,
    Isolated,
}

/// A candidate cause: the kind of thing that changed or is shared, and which one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, Encode, Decode)]
pub struct Suspect {
    /// `update package firmware model branch fleet`, or a pair such as `update+model`.
    pub kind: String,
    /// The version, name or pair of them.
    pub value: String,
}

/// The named suspect of an event, with its standing among the candidates.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, Encode, Decode)]
pub struct Cause {
    #[serde(flatten)]
    pub suspect: Suspect,
    /// 0..=1: the candidate's share of the posterior, "no common cause" included.
    pub confidence: f64,
    pub runner_up: Option<RunnerUp>,
    /// Whether the runner-up covers the same devices, so that the data cannot tell the two apart.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub inseparable: bool,
}

/// The next best candidate.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, Encode, Decode)]
pub struct RunnerUp {
    #[serde(flatten)]
    pub suspect: Suspect,
    pub confidence: f64,
}

/// One line of the engine's story, and the unit that is stored, replayed and compared.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Change {
    /// When the engine decided it: the instant of the tick.
    pub at: Timestamp,
    #[serde(rename = "event")]
    pub kind: ChangeKind,
    /// Stable from the first warning on, whatever the event becomes.
    pub event_id: String,
    /// Given at declaration; `None` before it.
    pub incident: Option<String>,
    pub severity: Severity,
    pub scope: Scope,
    pub impact_started_at: Timestamp,
    /// Seconds of continuous degradation that are proved so far.
    pub streak_s: u64,
    /// All members for `declared` and `recovered`; the ones that changed for `joined` and `left`; sorted.
    pub devices: Vec<DeviceId>,
    pub cause: Option<Cause>,
    /// Minute-by-minute evidence, with `declared` only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub proof: Vec<ProofMinute>,
}

/// One minute of a continuity proof.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, Encode, Decode)]
pub struct ProofMinute {
    /// Start of the minute.
    pub at: Timestamp,
    pub verdict: Verdict,
    /// Samples (or probes) that decided, over all reporting members.
    pub samples: u64,
    /// How many of them were above their device's threshold.
    pub exceeding: u64,
    /// Members that reported, of those that should have.
    pub reporting: u32,
    pub expected: u32,
}

/// What a slot says. Only `Degraded` and `Healthy` are knowledge; the other two count as a gap.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize, Encode, Decode)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Verdict {
    /// No data.
    #[default]
    Unknown = 0,
    /// Some data, not enough to decide.
    Indeterminate = 1,
    Healthy = 2,
    Degraded = 3,
}

impl Verdict {
    /// The verdict's name, as in metric labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Indeterminate => "indeterminate",
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
        }
    }
}
