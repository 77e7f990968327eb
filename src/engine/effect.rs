//! What the engine decided, as data. The shell acts on it: stores it, tells people, publishes it.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::device::{DeviceId, TrafficClass};
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
    /// Every kind, in the order of an event's life.
    pub const ALL: [Self; 7] = [
        Self::EarlyWarning,
        Self::Declared,
        Self::Joined,
        Self::Left,
        Self::CauseChanged,
        Self::Recovered,
        Self::Resolved,
    ];

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

/// How far an event has come: the one answer for the detector, the record, metrics and pages. An *incident* has states of its own.
///
/// ```text
/// pending -> declared <-> recovered -> resolved
///    +-> recovered or resolved: a near miss, warned of and never declared
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, Encode, Decode)]
#[serde(rename_all = "snake_case")]
pub enum EventState {
    /// On its way to the hour.
    Pending,
    /// The hour is full: a major incident.
    Declared,
    /// The quality is back; not yet quiet for long enough.
    Recovered,
    /// Quiet, with data, for the clear period. The detector forgets such an event; the record keeps it.
    Resolved,
}

impl EventState {
    /// Every state, in the order of an event's life.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Declared, Self::Recovered, Self::Resolved];

    /// The state's name, as it is stored, shown in JSON and put into metric labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Declared => "declared",
            Self::Recovered => "recovered",
            Self::Resolved => "resolved",
        }
    }

    /// The state of this name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// The state after a change of this kind.
    #[must_use]
    pub const fn after(self, change: ChangeKind) -> Self {
        match (change, self) {
            (ChangeKind::Declared, _) => Self::Declared,
            (ChangeKind::Recovered, _) => Self::Recovered,
            (ChangeKind::Resolved, _) => Self::Resolved,
            // Nobody joins a recovered event but by a relapse, which keeps its id.
            (ChangeKind::Joined, Self::Recovered) => Self::Declared,
            (ChangeKind::EarlyWarning | ChangeKind::Joined | ChangeKind::Left | ChangeKind::CauseChanged, same) => same,
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
    /// The counts that the name rests on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<CauseEvidence>,
}

/// Devices that are known to be affected or healthy, with the suspect and without it, and how much worse the ones with it
/// have become.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, Encode, Decode)]
pub struct CauseEvidence {
    pub affected_with: u32,
    pub healthy_with: u32,
    pub affected_without: u32,
    pub healthy_without: u32,
    /// Difference in differences of the exceeding share (-1..=1): devices with the suspect against those without it, the
    /// event against the hour before it. `None` where one of the four is not known.
    pub difference: Option<f64>,
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
    /// What is to be expected, with `early_warning` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forecast: Option<Forecast>,
    /// Why an event that people had been warned of was not declared, with its `recovered`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub near_miss: Option<NearMiss>,
    /// Ids of events (`E-0007`) and numbers of incidents (`INC-2026-0002`) that proved to be this one, all that there ever were. Whoever
    /// was told of one of them has been told of this.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// The classes, tests and rules that carry the damage, with `early_warning` and `declared`; worst first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub damage: Vec<Damage>,
    /// Minute-by-minute evidence: with `declared`, of the hour; with a near miss, of the streak and what came after it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub proof: Vec<ProofMinute>,
}

/// What an early warning expects.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, Encode, Decode)]
pub struct Forecast {
    /// Chance that the streak fills the hour, 0..=1.
    pub chance: f64,
    /// When it would be declared, if nothing changes; `None` while the streak is suspended.
    pub declares_at: Option<Timestamp>,
    /// Devices that have not taken the suspect yet and may still do so; 0 when the suspect is not an update or package.
    pub scheduled: u32,
    /// How many of them would be hit, by the share of those that took it.
    pub at_risk: u32,
}

/// A streak that people were warned of and that ended below the hour, in minutes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, Encode, Decode)]
pub struct NearMiss {
    /// Continuous degraded time that was proved.
    pub length_min: u32,
    /// What was asked for.
    pub hold_min: u32,
    /// What came after its last degraded minute.
    pub end: StreakEnd,
    /// Healthy minutes and gaps after it, until this was decided.
    pub healthy_after: u32,
    pub gaps_after: u32,
}

/// How a streak ended that did not fill the hour.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, Encode, Decode)]
#[serde(rename_all = "snake_case")]
pub enum StreakEnd {
    /// Proved healthy for long enough.
    Healthy,
    /// No data, or none that decides: not proved continuous.
    Unknown,
    /// The minutes are there, but they do not prove an hour: the event began or ended within its edge minutes, or a lone device
    /// stood too close to its limit.
    Unproven,
}

/// One pair of traffic class and test that carries the damage.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Damage {
    pub class: TrafficClass,
    /// `median delay`, `p95 delay`, `false positives` or `flagged flows`.
    pub test: String,
    /// Members that are affected by it.
    pub devices: u32,
    /// Share of samples (or probes, or flows) above their device's threshold, before the event and in it.
    pub share_before: Option<f64>,
    pub share_during: f64,
    /// Detection rules whose flags have grown most, worst first; for `false positives` and `flagged flows` only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RuleDamage>,
    /// Latency of the members before the event and in it, as base64 of HdrHistogram V2 (one significant digit, in
    /// microseconds); for the delay tests only, once for each class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_before: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_during: Option<String>,
}

/// A detection rule's part in the damage.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RuleDamage {
    pub rule: String,
    /// Flags an hour over all members, before the event and in it.
    pub per_hour_before: f64,
    pub per_hour_during: f64,
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
