//! The gate: which updates the updater may go on installing, and why.
//!
//! For each version there is at most one in_force decision, `hold` or `release`. The detector's part, as a pure function
//! of the changes and of what was decided before:
//!
//! | in_force | what is seen | decision |
//! |---|---|---|
//! | none, or released by the detector | a fleet event blames the update with confidence, and its clock has reached the mark | `hold` |
//! | held by the detector, without an incident | the event that names it is declared | `hold` again, with the incident's number |
//! | held by the detector | the event names another suspect, and no other event names this one | `release` |
//! | held by the detector for the second time in one event | the same | none: it stays held until a person looks |
//! | held by the detector | the event is resolved | `release` if [`ReleaseOn::Resolved`], else none |
//! | decided by a person | anything | none |
//!
//! An update is blamed when it is the suspect, or the first part of a pair. The confidence is that of all the candidates
//! that name it: where the runner-up is the same update on one model, both speak of it, and not being able to tell the two
//! apart is no doubt about the update. Before the declaration that is not enough: of a thousand devices some are slow at any time, and
//! in a quiet night three of them may share a version and an onset by chance. So more of the devices with the version have to be
//! affected than such devices are of a fleet (Clopper & Pearson 1934); an hour without a break needs no further proof.
//!
//! Why holding is quick and releasing slow: a rollout that waits for a person costs a night; one that goes on costs each
//! device that it reaches. For the same reason a recovery releases nothing by default: the devices may have recovered
//! because the update was taken back, and a release would give it to them again. And less confidence in the same suspect
//! lifts nothing, because that does not make it innocent.
//!
//! Everything is a level, not an edge: the same change seen again decides nothing, and one that was missed is made up for
//! by the event's next change. So a restart may bring old changes again, in the journal's order.

mod decision;
mod message;
mod ring;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::effect::{Cause, Change, ChangeKind, Scope, Severity, Suspect};
use super::label;
use super::suspect::exceeds_chance;
use super::time::Timestamp;

pub use decision::{
    DETECTOR, DecideError, Decision, Gate, MAX_NAME, MAX_REASON, MAX_VERSIONS, VersionError, check_version,
};
pub use message::{GATE_LEVEL, RING_TOPIC, ring_topic, topic};
pub use ring::{Ring, control_ring};

/// An event that has said nothing for so long names nothing any more, in ms: it has ended without a word.
const FORGET_MS: i64 = 24 * 3_600_000;

/// Who may release an update that the detector has stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReleaseOn {
    /// A person only.
    #[default]
    Person,
    /// Also the proved recovery of the event.
    Resolved,
}

/// What may be set about the gate.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Policy {
    /// Least confidence, 0 to 1, with which a suspect is held.
    pub min_confidence: f64,
    /// Minutes of proved degradation from which on an early warning holds. A declared incident always does.
    pub hold_from_min: u32,
    /// Who may release.
    pub release_on: ReleaseOn,
}

impl Default for Policy {
    /// From the first warning of a group on: then people are told too, so no update stops without a word, and each later
    /// mark would give the defect to 15 minutes' more devices.
    fn default() -> Self {
        Self { min_confidence: 0.9, hold_from_min: 15, release_on: ReleaseOn::Person }
    }
}

/// How far an event is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// Warned of, not declared.
    Warned,
    /// A major incident; also once its quality is back, until that is proved to last.
    Declared,
    /// Over without having been declared.
    CameToNothing,
    /// The recovery is proved.
    Resolved,
}

/// An event as the gate sees it: from a change, or from the record at the start.
#[derive(Clone, Copy, Debug)]
pub struct Observation<'a> {
    pub at: Timestamp,
    pub event: &'a str,
    pub incident: Option<&'a str>,
    pub stage: Stage,
    pub scope: Scope,
    pub cause: Option<&'a Cause>,
    pub streak_s: u64,
    /// Members, where they were all counted.
    pub affected: Option<u32>,
    /// Incidents that proved to be this one.
    pub aliases: &'a [String],
}

impl<'a> From<&'a Change> for Observation<'a> {
    fn from(change: &'a Change) -> Self {
        let stage = match (change.kind, change.severity) {
            (ChangeKind::Resolved, _) => Stage::Resolved,
            (ChangeKind::Recovered, Severity::Warning) => Stage::CameToNothing,
            (_, Severity::Warning) => Stage::Warned,
            (_, Severity::Major) => Stage::Declared,
        };
        let all = matches!(change.kind, ChangeKind::EarlyWarning | ChangeKind::Declared | ChangeKind::CauseChanged);
        Self {
            at: change.at,
            event: &change.event_id,
            incident: change.incident.as_deref(),
            stage,
            scope: change.scope,
            cause: change.cause.as_ref(),
            streak_s: change.streak_s,
            affected: all.then(|| u32::try_from(change.devices.len()).unwrap_or(u32::MAX)),
            aliases: &change.aliases,
        }
    }
}

/// What observations came to.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Observed {
    /// In force already; to be recorded and published in this order.
    pub decisions: Vec<Decision>,
    /// Updates newly blamed whose versions can have no gate.
    pub unfit: Vec<(String, VersionError)>,
}

/// All in_force decisions, and what the open events name.
#[derive(Clone, PartialEq, Debug)]
pub struct Gates {
    policy: Policy,
    in_force: BTreeMap<String, DecisionInForce>,
    /// By event id.
    named: BTreeMap<String, Named>,
}

#[derive(Clone, PartialEq, Debug)]
struct DecisionInForce {
    decision: Decision,
    /// The event that the detector held it for last, and how often it did.
    blamed: Option<(String, u32)>,
}

/// What an event names, and as of when.
#[derive(Clone, PartialEq, Debug)]
struct Named {
    at: Timestamp,
    stage: Stage,
    incident: Option<String>,
    /// The suspect; kept when the event names none any more, for what was blamed is not innocent for that.
    suspect: Option<Suspect>,
    /// The suspect's update, where it names one.
    update: Option<String>,
    /// The update that the data cannot tell from the suspect.
    doubtful: Option<String>,
    affected: u32,
    aliases: Vec<String>,
}

impl Named {
    /// Nothing follows: it is remembered so that a replay cannot end it again.
    fn is_over(&self) -> bool {
        matches!(self.stage, Stage::CameToNothing | Stage::Resolved)
    }

    fn names(&self, version: &str) -> bool {
        !self.is_over() && self.update.as_deref() == Some(version)
    }
}

impl Gates {
    /// No decision yet.
    pub fn new(policy: Policy) -> Self {
        Self { policy, in_force: BTreeMap::new(), named: BTreeMap::new() }
    }

    /// The in_force decisions, by version.
    pub fn in_force(&self) -> impl Iterator<Item = &Decision> {
        self.in_force.values().map(|in_force| &in_force.decision)
    }

    /// The in_force decision about `version`.
    pub fn of(&self, version: &str) -> Option<&Decision> {
        self.in_force.get(version).map(|in_force| &in_force.decision)
    }

    /// Sees the changes of one tick or of many, in their order. Of several changes of an event in one tick the last counts:
    /// an event that names two suspects in one tick has not made up its mind before its end.
    pub fn see(&mut self, changes: &[Change]) -> Observed {
        let mut all = Observed::default();
        for tick in changes.chunk_by(|a, b| a.at == b.at) {
            let mut observations: Vec<Observation<'_>> = Vec::new();
            for change in tick {
                let mut seen = Observation::from(change);
                match observations.iter_mut().find(|earlier| earlier.event == seen.event) {
                    Some(earlier) => {
                        seen.affected = seen.affected.or(earlier.affected);
                        seen.aliases = if seen.aliases.is_empty() { earlier.aliases } else { seen.aliases };
                        *earlier = seen;
                    }
                    None => observations.push(seen),
                }
            }
            let mut observed = self.observe(&observations);
            all.decisions.append(&mut observed.decisions);
            all.unfit.append(&mut observed.unfit);
        }
        all
    }

    /// Sees events as they stand together, each once, and decides. What is older than what was seen of the same event is
    /// passed over.
    pub fn observe(&mut self, seen: &[Observation<'_>]) -> Observed {
        let mut observed = Observed::default();
        let Some(now) = seen.iter().map(|seen| seen.at).max() else { return observed };
        let mut fresh = Vec::new();
        for seen in seen {
            let before = self.named.get(seen.event);
            if before.is_none_or(|before| !before.is_over() && seen.at >= before.at) {
                let old = before.and_then(|before| before.update.clone());
                self.note(seen);
                fresh.push((seen, old));
            }
        }
        self.named.retain(|_, named| now.since_ms(named.at) < FORGET_MS);
        self.lift(now, &mut observed.decisions);
        for (seen, old) in fresh {
            let Some(named) = self.named.get(seen.event).cloned() else { continue };
            let (Some(version), Some(cause)) = (&named.update, seen.cause) else { continue };
            match check_version(version) {
                _ if named.is_over() => {}
                Ok(()) => observed.decisions.extend(self.hold(version, seen, cause, named.affected)),
                Err(fault) if old.as_ref() != Some(version) => observed.unfit.push((version.clone(), fault)),
                Err(_) => {}
            }
        }
        observed
    }

    /// Takes down what an event names now.
    fn note(&mut self, seen: &Observation<'_>) {
        let is_alias = |named: &Named| named.incident.as_ref().is_some_and(|number| seen.aliases.contains(number));
        self.named.retain(|event, named| event == seen.event || !is_alias(named));
        let before = self.named.remove(seen.event);
        let mut aliases = seen.aliases.to_vec();
        aliases.extend(before.iter().flat_map(|before| before.aliases.iter().cloned()));
        aliases.sort();
        aliases.dedup();
        let affected = seen.affected.or(before.as_ref().map(|before| before.affected)).unwrap_or(0);
        let suspect = match seen.cause {
            Some(cause) => Some(cause.suspect.clone()),
            None => before.and_then(|before| before.suspect),
        };
        let second = seen.cause.filter(|cause| cause.inseparable).and_then(|cause| cause.runner_up.as_ref());
        let named = Named {
            at: seen.at,
            stage: seen.stage,
            incident: seen.incident.map(Into::into),
            update: suspect.as_ref().and_then(update_of).map(str::to_owned),
            doubtful: second.and_then(|second| update_of(&second.suspect)).map(str::to_owned),
            suspect,
            affected,
            aliases,
        };
        self.named.insert(seen.event.to_owned(), named);
    }

    /// Releases what nobody blames any more.
    fn lift(&mut self, now: Timestamp, decisions: &mut Vec<Decision>) {
        let held = self.in_force.values().filter(|s| s.decision.gate == Gate::Hold && !s.decision.is_by_person());
        // What is as old as the in_force decision has had its part in it.
        let due = held.filter(|in_force| now > in_force.decision.at);
        let innocent: Vec<Decision> = due.filter_map(|in_force| self.lifted(in_force, now)).collect();
        for decision in innocent {
            self.apply(decision.clone());
            decisions.push(decision);
        }
    }

    /// The release of what the detector holds, if there is a reason for it.
    fn lifted(&self, held: &DecisionInForce, now: Timestamp) -> Option<Decision> {
        let version = &held.decision.version;
        let is_its = |(event, named): &(&String, &Named)| {
            held.decision.event.as_ref() == Some(*event)
                || held.decision.incident.as_ref().is_some_and(|number| named.aliases.contains(number))
        };
        let (event, named) = self.named.iter().find(is_its)?;
        if self.named.values().any(|named| named.names(version)) {
            return None;
        }
        let reason = match (named.stage, &named.suspect) {
            (Stage::Resolved, _) if self.policy.release_on == ReleaseOn::Resolved => {
                let name = named.incident.as_ref().unwrap_or(event);
                format!("the recovery of {name} is proved, and gate.release_on says that it releases")
            }
            (Stage::Warned | Stage::Declared, Some(Suspect { kind, value })) => {
                let again = held.blamed.as_ref().is_some_and(|(by, times)| by == event && *times > 1);
                if again || named.doubtful.as_ref() == Some(version) {
                    return None;
                }
                format!("the suspect is {kind} {value} now, and no longer this update")
            }
            _ => return None,
        };
        Some(Decision {
            version: version.clone(),
            gate: Gate::Release,
            before: Some(Gate::Hold),
            by: DETECTOR.to_owned(),
            reason,
            incident: named.incident.clone(),
            event: Some(event.clone()),
            affected: held.decision.affected,
            at: now,
        })
    }

    fn hold(&mut self, version: &str, seen: &Observation<'_>, cause: &Cause, affected: u32) -> Option<Decision> {
        let before = self.of(version);
        let reason = match before {
            Some(before) if before.is_by_person() => return None,
            Some(before) if before.gate == Gate::Hold => {
                let news = seen.incident.filter(|_| before.incident.is_none() && seen.at >= before.at)?;
                format!("{news} is declared a major incident; {}", told(seen, cause, affected))
            }
            Some(before) if seen.at <= before.at => return None,
            _ if self.is_blamed(version, seen, cause) => told(seen, cause, affected),
            _ => return None,
        };
        let decision = Decision {
            version: version.to_owned(),
            gate: Gate::Hold,
            before: before.map(|before| before.gate),
            by: DETECTOR.to_owned(),
            reason,
            incident: seen.incident.map(Into::into),
            event: Some(seen.event.to_owned()),
            affected,
            at: seen.at,
        };
        self.apply(decision.clone());
        Some(decision)
    }

    fn is_blamed(&self, version: &str, seen: &Observation<'_>, cause: &Cause) -> bool {
        let ripe = seen.stage == Stage::Declared || seen.streak_s >= u64::from(self.policy.hold_from_min) * 60;
        let runner_up = cause.runner_up.as_ref().filter(|second| update_of(&second.suspect) == Some(version));
        let confidence = cause.confidence + runner_up.map_or(0.0, |second| second.confidence);
        let separate = !cause.inseparable || runner_up.is_some();
        seen.scope == Scope::Fleet
            && ripe
            && separate
            && (seen.stage == Stage::Declared || is_no_chance(cause))
            // A tenth of a percent is what confidences are rounded to; two of them may add up to less than their sum.
            && confidence >= self.policy.min_confidence - 0.000_5
    }

    /// What a person decides about `version`. It is not in force before it is [applied](Self::apply): that it is recorded
    /// comes first. The same decision again is the one that stands.
    ///
    /// # Errors
    /// When the version can have no gate, name or reason are missing or too long, or too many versions have one.
    pub fn decide(
        &self,
        version: &str,
        gate: Gate,
        (by, reason): (&str, &str),
        at: Timestamp,
    ) -> Result<Decision, DecideError> {
        // In the form in which devices say it, or the gate would be another version's.
        let (version, by, reason) = (&*label::form(version), &*label::form(by), &*label::visible(reason.trim()));
        check_version(version)?;
        let is_text = |text: &str, most| (1..=most).contains(&text.chars().count()) && !text.contains(char::is_control);
        if !is_text(by, MAX_NAME) || by.eq_ignore_ascii_case(DETECTOR) {
            return Err(DecideError::Name);
        }
        if !is_text(reason, MAX_REASON) {
            return Err(DecideError::Reason);
        }
        let before = self.of(version);
        if let Some(same) = before.filter(|b| b.gate == gate && b.by == by && b.reason == reason) {
            return Ok(same.clone());
        }
        if before.is_none() && self.in_force().filter(|d| d.is_by_person()).count() >= MAX_VERSIONS {
            return Err(DecideError::Full);
        }
        let open = self.named.iter().rev().find(|(_, named)| named.names(version));
        let of_standing = before.and_then(|b| Some((b.event.clone()?, b.incident.clone(), b.affected)));
        let of_open = open.map(|(event, named)| (event.clone(), named.incident.clone(), named.affected));
        let (event, incident, affected) = match of_open.or(of_standing) {
            Some((event, incident, affected)) => (Some(event), incident, affected),
            None => (None, None, 0),
        };
        Ok(Decision {
            version: version.to_owned(),
            gate,
            before: before.map(|before| before.gate),
            by: by.to_owned(),
            reason: reason.to_owned(),
            incident,
            event,
            affected,
            at: before.map_or(at, |before| at.max(before.at)),
        })
    }

    /// Puts a decision in force: a person's, or, at the start, each one on record in its order.
    pub fn apply(&mut self, decision: Decision) {
        let before = self.in_force.remove(&decision.version);
        let was_held = before.as_ref().is_some_and(|b| b.decision.gate == Gate::Hold && !b.decision.is_by_person());
        let mut blamed = before.and_then(|before| before.blamed);
        if decision.gate == Gate::Hold && !decision.is_by_person() && !was_held {
            blamed = decision.event.clone().map(|event| match blamed {
                Some((by, times)) if by == event => (event, times.saturating_add(1)),
                _ => (event, 1),
            });
        }
        self.in_force.insert(decision.version.clone(), DecisionInForce { decision, blamed });
        if self.in_force.len() > MAX_VERSIONS {
            // The oldest release of the detector, or else its oldest hold; a person's word is never forgotten.
            let by_detector = self.in_force().filter(|d| !d.is_by_person());
            let oldest = by_detector.min_by_key(|d| (d.gate == Gate::Hold, d.at)).map(|d| d.version.clone());
            if let Some(oldest) = oldest {
                self.in_force.remove(&oldest);
            }
        }
    }
}

/// Whether more of the devices with the suspect are affected than are by chance. A cause of a recording without counts is taken at
/// its word.
fn is_no_chance(cause: &Cause) -> bool {
    cause.evidence.is_none_or(|counts| exceeds_chance(counts.affected_with, counts.healthy_with, 0.0))
}

/// The update that a suspect names: itself, or the first part of a pair. A value that does not have as many parts as its kind
/// is taken whole, which is then no topic level.
fn update_of(suspect: &Suspect) -> Option<&str> {
    let Suspect { kind, value } = suspect;
    if kind == "update" {
        return Some(value);
    }
    kind.starts_with("update+").then(|| {
        let fits = kind.split('+').count() == value.split('+').count();
        value.split('+').next().filter(|_| fits).unwrap_or(value)
    })
}

/// A confidence to a tenth of a per cent; nothing is ever certain.
fn tenths(confidence: f64) -> String {
    match confidence * 100.0 {
        percent if percent >= 99.95 => "over 99.9 %".to_owned(),
        percent if percent >= 0.05 => format!("{percent:.1} %"),
        _ => "under 0.1 %".to_owned(),
    }
}

fn told(seen: &Observation<'_>, cause: &Cause, affected: u32) -> String {
    let Suspect { kind, value } = &cause.suspect;
    let (minutes, confidence) = (seen.streak_s / 60, tenths(cause.confidence));
    let devices = if affected == 1 { "device" } else { "devices" };
    format!(
        "suspect {kind} {value}, confidence {confidence}: quality degraded for {minutes} min on {affected} {devices}"
    )
}

#[cfg(test)]
mod tests;
