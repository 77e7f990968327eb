//! One device's way from affected to done.
//!
//! A step is *claimed* by a person or *verified* by telemetry. A claim says that somebody is sure; only what the device itself
//! shows counts towards the close. Steps may be skipped (a device that takes the fix before anybody called is spared the
//! workaround), and one can be lost again: a workaround that is switched off, an update that is rolled back, a device that
//! degrades once more.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::engine::device::DeviceId;
use crate::engine::time::Timestamp;

/// How far a device has come.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    Affected,
    Contacted,
    WorkaroundClaimed,
    WorkaroundVerified,
    FixInstalled,
    WorkaroundReverted,
    QualityVerified,
    Done,
}

impl Step {
    /// Every step, from the bottom up.
    pub const ALL: [Self; 8] = [
        Self::Affected,
        Self::Contacted,
        Self::WorkaroundClaimed,
        Self::WorkaroundVerified,
        Self::FixInstalled,
        Self::WorkaroundReverted,
        Self::QualityVerified,
        Self::Done,
    ];

    /// The step's name, as stored, in JSON and in metric labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Affected => "affected",
            Self::Contacted => "contacted",
            Self::WorkaroundClaimed => "workaround_claimed",
            Self::WorkaroundVerified => "workaround_verified",
            Self::FixInstalled => "fix_installed",
            Self::WorkaroundReverted => "workaround_reverted",
            Self::QualityVerified => "quality_verified",
            Self::Done => "done",
        }
    }

    /// The step of this name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.as_str() == name)
    }
}

/// What a person can claim of a device.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Claim {
    Workaround,
    Fix,
    Revert,
}

impl Claim {
    /// Every claim.
    pub const ALL: [Self; 3] = [Self::Workaround, Self::Fix, Self::Revert];

    /// The claim's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Workaround => "workaround",
            Self::Fix => "fix",
            Self::Revert => "revert",
        }
    }
}

/// What telemetry proves of a device, or ceases to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// Its status says that the workaround is active.
    Workaround,
    /// Its status says that it has the fix.
    Fix,
    /// Its status says that the workaround, which was active, is not any more.
    Revert,
    /// Healthy, with data, for the clear period.
    Quality,
}

impl Proof {
    /// Every proof.
    pub const ALL: [Self; 4] = [Self::Workaround, Self::Fix, Self::Revert, Self::Quality];
}

/// Why a device is never going to be done.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExceptionKind {
    /// Nobody answers; needs as many recorded calls as the settings ask for.
    Unreachable,
    /// The customer does not want it.
    Refused,
    /// Another device stands in its place.
    Replaced,
    /// Taken out of service.
    Decommissioned,
}

impl ExceptionKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Unreachable, Self::Refused, Self::Replaced, Self::Decommissioned];

    /// The kind's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Refused => "refused",
            Self::Replaced => "replaced",
            Self::Decommissioned => "decommissioned",
        }
    }
}

/// A device that somebody has signed off without it being done.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Exception {
    pub kind: ExceptionKind,
    /// What was tried, or how it is known.
    pub evidence: String,
    /// Who answers for it.
    pub signed_by: String,
    pub at: Timestamp,
}

/// What came of a call.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallOutcome {
    Reached,
    NoAnswer,
    CallBack,
    Refused,
}

impl CallOutcome {
    /// Every outcome.
    pub const ALL: [Self; 4] = [Self::Reached, Self::NoAnswer, Self::CallBack, Self::Refused];

    /// The outcome's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reached => "reached",
            Self::NoAnswer => "no_answer",
            Self::CallBack => "call_back",
            Self::Refused => "refused",
        }
    }
}

/// How a customer wants to hear of the progress.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    Unwanted,
    Phone,
    Mail,
}

impl Progress {
    /// Every way.
    pub const ALL: [Self; 3] = [Self::Unwanted, Self::Phone, Self::Mail];

    /// The way's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unwanted => "unwanted",
            Self::Phone => "phone",
            Self::Mail => "mail",
        }
    }
}

/// Who called whom.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// We called the customer.
    #[default]
    Outgoing,
    /// The customer called us.
    Incoming,
}

impl Direction {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Outgoing, Self::Incoming];

    /// The direction's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Outgoing => "outgoing",
            Self::Incoming => "incoming",
        }
    }
}

/// A call with a customer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// `reached`, `no_answer`, `call_back`, `refused`.
    #[cfg_attr(feature = "schema", schema(value_type = String, pattern = "^(reached|no_answer|call_back|refused)$"))]
    pub outcome: CallOutcome,
    /// How the customer wants to hear of the progress: `unwanted`, `phone`, `mail`; absent: not asked, what was said before holds.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, pattern = "^(unwanted|phone|mail)$"))]
    pub progress: Option<Progress>,
    #[serde(default)]
    pub note: String,
    /// Version of the script that was used, if there was one.
    #[serde(default)]
    pub script: Option<u32>,
    /// `outgoing`: we called, which it is where nothing is said; `incoming`: the customer did.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(value_type = String, pattern = "^(outgoing|incoming)$"))]
    pub direction: Direction,
}

/// When something was so, and who says it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Stamp {
    pub at: Timestamp,
    pub by: String,
}

/// One device on the ladder.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Rung {
    pub joined_at: Timestamp,
    pub branch: Option<String>,
    pub customer: Option<String>,
    /// How often it degraded again.
    pub relapses: u32,
    pub relapsed_at: Option<Timestamp>,
    /// Whether it is affected now, as far as is known: it joined, and its quality has not been verified since.
    pub affected: bool,
    pub calls: u32,
    /// Calls without an answer since the last one that was answered.
    pub unanswered: u32,
    /// The first call that was answered.
    pub contacted: Option<Stamp>,
    /// The last call that was answered.
    pub reached_at: Option<Timestamp>,
    pub progress: Option<Progress>,
    /// Since when the customer waits to be called again; `None` when the last call left nothing open.
    #[serde(default)]
    pub call_back_since: Option<Timestamp>,
    pub claims: BTreeMap<Claim, Stamp>,
    pub proofs: BTreeMap<Proof, Timestamp>,
    /// Whether a workaround is active, as the device said last.
    pub workaround_active: bool,
    /// Whether the device's status has ever told of a workaround. One that never does can prove neither that it is on nor
    /// that it is off.
    pub workaround_told: bool,
    /// When it was last changed in a way that its quality has to show anew: the fix taken or lost, a workaround switched off.
    pub changed_at: Option<Timestamp>,
    pub exception: Option<Exception>,
    /// Since when it has been done.
    pub done_at: Option<Timestamp>,
}

impl Rung {
    /// A device that has just joined.
    pub fn joined(at: Timestamp, branch: Option<String>, customer: Option<String>) -> Self {
        Self {
            joined_at: at,
            branch,
            customer,
            relapses: 0,
            relapsed_at: None,
            affected: true,
            calls: 0,
            unanswered: 0,
            contacted: None,
            reached_at: None,
            progress: None,
            call_back_since: None,
            claims: BTreeMap::new(),
            proofs: BTreeMap::new(),
            workaround_active: false,
            workaround_told: false,
            changed_at: None,
            exception: None,
            done_at: None,
        }
    }

    /// Whether telemetry proves it.
    pub fn proves(&self, proof: Proof) -> bool {
        self.proofs.contains_key(&proof)
    }

    /// Whether a person claims it and telemetry does not show it.
    pub fn only_claims(&self, claim: Claim) -> Option<&Stamp> {
        let proved = match claim {
            Claim::Workaround => self.proves(Proof::Workaround) || self.proves(Proof::Fix),
            Claim::Fix => self.proves(Proof::Fix),
            Claim::Revert => self.is_reverted(),
        };
        self.claims.get(&claim).filter(|_| !proved)
    }

    /// The workaround is still on although the fix is there: a debt, and since when.
    pub fn debt_since(&self) -> Option<Timestamp> {
        self.proofs.get(&Proof::Fix).copied().filter(|_| !self.is_reverted())
    }

    /// Whether no workaround is left on it, as far as can be known. Of a device whose status tells of workarounds only that
    /// counts. For one that is silent about them a person's word has to do: nothing was claimed, or the revert was claimed after it.
    pub fn is_reverted(&self) -> bool {
        if self.workaround_told {
            return !self.workaround_active;
        }
        let at = |claim| self.claims.get(&claim).map(|stamp: &Stamp| stamp.at);
        at(Claim::Workaround).is_none_or(|on| at(Claim::Revert).is_some_and(|off| off >= on))
    }

    /// Whether the device itself shows that nothing is left to be done: fixed, nothing to revert, and quiet since.
    pub fn is_remedied(&self) -> bool {
        self.proves(Proof::Fix) && self.is_reverted() && self.proves(Proof::Quality)
    }

    /// Whether the customer asked to hear of the progress and has not heard that the device is remedied.
    pub fn owes_word(&self) -> bool {
        let wanted = matches!(self.progress, Some(Progress::Phone | Progress::Mail));
        wanted && self.is_remedied() && self.reached_at < self.proofs.get(&Proof::Quality).copied()
    }

    /// Whether nothing is left to be done, and whoever wanted to hear of it has.
    pub fn is_done(&self) -> bool {
        self.is_remedied() && !self.owes_word()
    }

    /// Since when the device's quality has to be watched anew: whatever was changed on it last, or its last relapse.
    pub fn watched_since(&self) -> Timestamp {
        [self.changed_at, self.relapsed_at].into_iter().flatten().fold(self.joined_at, Timestamp::max)
    }

    /// Whether nobody has to do anything about it any more.
    pub fn is_settled(&self) -> bool {
        self.is_done() || self.exception.is_some()
    }

    /// Whether its quality is back, by whatever means.
    pub fn is_mitigated(&self) -> bool {
        self.is_settled() || (!self.affected && (self.proves(Proof::Workaround) || self.proves(Proof::Fix)))
    }

    /// How far it has come: the furthest step that holds now.
    pub fn step(&self) -> Step {
        if self.is_done() {
            return Step::Done;
        }
        if self.is_remedied() {
            return Step::QualityVerified;
        }
        if self.proves(Proof::Fix) {
            let had_one = self.proves(Proof::Revert) || self.claims.contains_key(&Claim::Revert);
            return if had_one && self.is_reverted() { Step::WorkaroundReverted } else { Step::FixInstalled };
        }
        if self.proves(Proof::Workaround) {
            Step::WorkaroundVerified
        } else if self.claims.contains_key(&Claim::Workaround) {
            Step::WorkaroundClaimed
        } else if self.contacted.is_some() {
            Step::Contacted
        } else {
            Step::Affected
        }
    }
}

/// Every device of an incident.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ladder(BTreeMap<DeviceId, Rung>);

impl Ladder {
    /// The device's rung, if it is part of the incident.
    pub fn get(&self, device: &DeviceId) -> Option<&Rung> {
        self.0.get(device)
    }

    /// Every device, by id.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&DeviceId, &Rung)> {
        self.0.iter()
    }

    /// A ladder of those devices alone, all of them under `branch`.
    pub fn of_branch(&self, branch: &str, keep: impl Fn(&DeviceId, &Rung) -> bool) -> Self {
        let kept = self.0.iter().filter(|(device, rung)| keep(device, rung));
        Self(
            kept.map(|(device, rung)| (device.clone(), Rung { branch: Some(branch.into()), ..rung.clone() })).collect(),
        )
    }

    /// How many devices there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the device is part of the incident.
    pub fn contains(&self, device: &DeviceId) -> bool {
        self.0.contains_key(device)
    }

    /// How many stand on each step; those that were signed off are counted apart.
    pub fn counts(&self) -> (BTreeMap<Step, u32>, u32) {
        let mut steps: BTreeMap<Step, u32> = Step::ALL.into_iter().map(|step| (step, 0)).collect();
        let mut excepted = 0;
        for rung in self.0.values() {
            match rung.exception {
                Some(_) if !rung.is_done() => excepted += 1,
                _ => *steps.entry(rung.step()).or_default() += 1,
            }
        }
        (steps, excepted)
    }

    pub(super) fn get_mut(&mut self, device: &DeviceId) -> Option<&mut Rung> {
        self.0.get_mut(device)
    }

    pub(super) fn insert(&mut self, device: DeviceId, rung: Rung) {
        self.0.insert(device, rung);
    }

    pub(super) fn remove(&mut self, device: &DeviceId) -> Option<Rung> {
        self.0.remove(device)
    }
}
