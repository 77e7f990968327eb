//! Who did it: which shared attribute best explains who is affected and who is not.
//!
//! Every candidate c is compared with "no common cause" by its likelihood over the devices that are known (`a` affected
//! and has c, `b` healthy and has c, `c'` affected without, `e` healthy without):
//!
//! ```text
//! log L = sum_a log(pi rho + eps) + sum_b log(1 - pi F) + c' log eps + e log(1 - eps)
//!         - [(a + c') log eps + (b + e) log(1 - eps)] + log prior
//! pi  = (a + 1/2) / (a + sum_b F + 1)          chance that a device with c is affected, once it would show
//! rho = f(onset - install) / (1 / 24 h)        how well the onset fits the install, against an onset at any time
//! f   = 70 % Exp(30 min) + 30 % uniform over 24 h
//! F   = chance that the damage would already show on a healthy device, from f
//! eps                                          chance of being affected by something else: the fleet's usual share of
//!                                              affected devices outside events, at least 0.004
//! ```
//!
//! An onset more than five minutes before the install cannot be explained by it. Candidates without an install time
//! (branch, model, firmware, an update of unknown age) have `rho = F = 1`. A suspect is named only from log L >= log 1000
//! on. The idea of blaming rollouts by spatial and temporal correlation is that of Gandalf (Li et al., NSDI 2020).

use std::collections::BTreeMap;

use bincode::{Decode, Encode};

use super::device::Label;
use super::effect::{Cause, RunnerUp, Suspect};
use super::time::Minute;

/// Least log-likelihood ratio with which a suspect is named: a thousand to one.
pub const NAMED: f64 = 6.907_755_278_982_137;

/// Least chance of being affected by something else.
pub const LEAST_BACKGROUND: f64 = 0.004;
const ONSET_MEAN_MIN: f64 = 30.0;
const WINDOW_MIN: f64 = 1_440.0;
const PROMPT_SHARE: f64 = 0.7;
/// An onset this many minutes before the install still counts as "with it": slots and clocks have grains.
const VETO_MIN: i64 = 5;

/// What is known of one device when suspects are ranked.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Onset of its degradation; `None`: known to be healthy.
    pub onset: Option<Minute>,
    pub attributes: Attributes,
}

/// Attributes of a device, and when each came to it, where that is known.
pub type Attributes = Vec<(AttributeKey, Option<Minute>)>;

/// Kind and value of an attribute. Kinds are ordered as below, so that a tie goes to what changes most often.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
pub struct AttributeKey {
    pub kind: Kind,
    pub value: Label,
}

/// Kinds of suspects.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
pub enum Kind {
    Update,
    Package,
    Branch,
    Firmware,
    Model,
    Fleet,
}

impl Kind {
    /// The kind's name in the output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Update => "update",
            Self::Package => "package",
            Self::Branch => "branch",
            Self::Firmware => "firmware",
            Self::Model => "model",
            Self::Fleet => "fleet",
        }
    }

    /// The kind of this name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Update, Self::Package, Self::Branch, Self::Firmware, Self::Model, Self::Fleet]
            .into_iter()
            .find(|kind| kind.as_str() == name)
    }

    /// Share of past events that one expects of this kind. The nightly update changes every day, a model hardly ever.
    fn prior(self) -> f64 {
        match self {
            Self::Update => 0.40,
            Self::Package => 0.15,
            Self::Branch => 0.20,
            Self::Firmware | Self::Model => 0.10,
            Self::Fleet => 0.05,
        }
    }
}

/// One candidate with its evidence.
#[derive(Clone, Debug)]
pub struct Candidate {
    pub key: AttributeKey,
    /// Natural logarithm of its likelihood over that of "no common cause", prior included.
    pub log_likelihood: f64,
    /// Share of the posterior among all candidates and "no common cause".
    pub confidence: f64,
    /// Affected and healthy devices that have it.
    pub affected_with: u32,
    pub healthy_with: u32,
    /// Affected and healthy devices that have it not.
    pub affected_without: u32,
    pub healthy_without: u32,
}

impl Candidate {
    /// Whether it explains enough to be named.
    pub fn is_named(&self) -> bool {
        self.log_likelihood >= NAMED
    }

    /// The suspect as people read it.
    pub fn suspect(&self) -> Suspect {
        Suspect { kind: self.key.kind.as_str().to_owned(), value: self.key.value.to_string() }
    }
}

#[derive(Default)]
struct Tally {
    affected: Vec<f64>,
    healthy: Vec<f64>,
}

/// Ranks the candidates, best first; ties by kind and value. Cost: one look at each attribute of each subject.
///
/// `background` is the usual share of affected devices (eps above). Were it fixed, a noisy afternoon in which a tenth of
/// the fleet is slow would be blamed on whatever most devices share.
pub fn rank(subjects: &[Subject], background: f64, now: Minute) -> Vec<Candidate> {
    let eps = background.max(LEAST_BACKGROUND);
    let total_affected = subjects.iter().filter(|subject| subject.onset.is_some()).count() as u32;
    let total_healthy = subjects.len() as u32 - total_affected;
    let mut tallies: BTreeMap<&AttributeKey, Tally> = BTreeMap::new();
    for subject in subjects.iter().filter(|subject| subject.onset.is_some()) {
        for (key, installed) in &subject.attributes {
            tallies.entry(key).or_default().affected.push(onset_fit(subject.onset, *installed));
        }
    }
    // Only what some affected device has can be a suspect: the healthy ones are looked up, never inserted.
    for subject in subjects.iter().filter(|subject| subject.onset.is_none()) {
        for (key, installed) in &subject.attributes {
            if let Some(tally) = tallies.get_mut(key) {
                tally.healthy.push(would_show(*installed, now));
            }
        }
    }
    let majority = total_affected * 2 >= subjects.len() as u32;
    let mut candidates: Vec<Candidate> = tallies
        .into_iter()
        .filter(|(key, _)| key.kind != Kind::Fleet || majority)
        .map(|(key, tally)| judge(key, &tally, (total_affected, total_healthy), eps))
        .collect();
    settle_confidence(&mut candidates);
    candidates
}

fn judge(key: &AttributeKey, tally: &Tally, (total_affected, total_healthy): (u32, u32), eps: f64) -> Candidate {
    let (a, b) = (tally.affected.len() as f64, tally.healthy.len() as f64);
    let (affected_without, healthy_without) = (f64::from(total_affected) - a, f64::from(total_healthy) - b);
    let shown: f64 = tally.healthy.iter().sum();
    let pi = (a + 0.5) / (a + shown + 1.0);
    let with: f64 = tally.affected.iter().map(|rho| (pi * rho + eps).ln()).sum::<f64>()
        + tally.healthy.iter().map(|f| (-(pi * f)).ln_1p()).sum::<f64>();
    let without = affected_without * eps.ln() + healthy_without * (-eps).ln_1p();
    let no_cause = f64::from(total_affected) * eps.ln() + f64::from(total_healthy) * (-eps).ln_1p();
    Candidate {
        key: key.clone(),
        log_likelihood: with + without - no_cause + key.kind.prior().ln(),
        confidence: 0.0,
        affected_with: a as u32,
        healthy_with: b as u32,
        affected_without: affected_without as u32,
        healthy_without: healthy_without as u32,
    }
}

/// Softmax over the candidates and "no common cause" (log L = 0), then best first.
fn settle_confidence(candidates: &mut [Candidate]) {
    let greatest = candidates.iter().map(|c| c.log_likelihood).fold(0.0, f64::max);
    let sum: f64 = (-greatest).exp() + candidates.iter().map(|c| (c.log_likelihood - greatest).exp()).sum::<f64>();
    for candidate in candidates.iter_mut() {
        candidate.confidence = (candidate.log_likelihood - greatest).exp() / sum;
    }
    candidates.sort_by(|x, y| y.log_likelihood.total_cmp(&x.log_likelihood).then_with(|| x.key.cmp(&y.key)));
}

/// How much better than an onset at any time of the day the onset fits the install.
fn onset_fit(onset: Option<Minute>, installed: Option<Minute>) -> f64 {
    let (Some(onset), Some(installed)) = (onset, installed) else { return 1.0 };
    let delay = onset.since(installed);
    if delay < -VETO_MIN {
        return 0.0;
    }
    let delay = delay.max(0) as f64;
    let prompt = PROMPT_SHARE * (-delay / ONSET_MEAN_MIN).exp() / ONSET_MEAN_MIN;
    let fit = (prompt + (1.0 - PROMPT_SHARE) / WINDOW_MIN) * WINDOW_MIN;
    // Within the day an onset may be late for reasons of its own (traffic that comes with the morning, a rule that is
    // switched on later): that says nothing against the install.
    if delay < WINDOW_MIN { fit.max(1.0) } else { 1.0 - PROMPT_SHARE }
}

/// Chance that the damage would already show on a device that has had the candidate since `installed`.
fn would_show(installed: Option<Minute>, now: Minute) -> f64 {
    let Some(installed) = installed else { return 1.0 };
    let age = now.since(installed).max(0) as f64;
    PROMPT_SHARE * (1.0 - (-age / ONSET_MEAN_MIN).exp()) + (1.0 - PROMPT_SHARE) * (age / WINDOW_MIN).min(1.0)
}

/// The best candidate as a named cause with its runner-up; `None` when nothing explains enough.
pub fn name(candidates: &[Candidate]) -> Option<Cause> {
    let best = candidates.first().filter(|best| best.is_named())?;
    let second = candidates.get(1);
    let covers_the_same = |second: &Candidate| {
        second.affected_with == best.affected_with
            && second.healthy_with == best.healthy_with
            && best.log_likelihood - second.log_likelihood < NAMED
    };
    Some(Cause {
        suspect: best.suspect(),
        confidence: best.confidence,
        runner_up: second.map(|c| RunnerUp { suspect: c.suspect(), confidence: c.confidence }),
        inseparable: second.is_some_and(covers_the_same),
        evidence: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Minute = Minute(29_921_760);

    fn key(kind: Kind, value: &str) -> AttributeKey {
        AttributeKey { kind, value: value.into() }
    }

    /// A device of branch i % 10 and model i % 3; `updated`: minutes since it took the update.
    fn subject(i: usize, updated: Option<i64>, onset_ago: Option<i64>) -> Subject {
        let mut attributes = vec![
            (key(Kind::Branch, &format!("branch-{}", i % 10)), None),
            (key(Kind::Model, &format!("model-{}", i % 3)), None),
            (key(Kind::Fleet, "all"), None),
        ];
        attributes.push(match updated {
            Some(ago) => (key(Kind::Update, "new"), Some(NOW.plus(-ago))),
            None => (key(Kind::Update, "old"), None),
        });
        Subject { onset: onset_ago.map(|ago| NOW.plus(-ago)), attributes }
    }

    #[test]
    fn an_update_that_hit_most_of_its_devices_is_named() {
        let subjects: Vec<_> = (0..200)
            .map(|i| if i < 100 { subject(i, Some(60), (i % 10 != 0).then_some(50)) } else { subject(i, None, None) })
            .collect();
        let ranked = rank(&subjects, 0.0, NOW);
        let cause = name(&ranked).expect("named");
        assert_eq!(cause.suspect.value, "new");
        assert!(cause.confidence > 0.99 && !cause.inseparable);
        assert_eq!((ranked[0].affected_with, ranked[0].healthy_with, ranked[0].affected_without), (90, 10, 0));
    }

    #[test]
    fn a_branch_fault_on_the_night_of_an_innocent_update_is_the_branchs() {
        let subjects: Vec<_> =
            (0..200).map(|i| subject(i, (i < 120).then_some(60), (i % 10 == 3).then_some(50))).collect();
        assert_eq!(name(&rank(&subjects, 0.0, NOW)).expect("named").suspect.value, "branch-3");
    }

    #[test]
    fn three_devices_right_after_their_install_suffice_and_two_do_not() {
        let with = |affected: usize| {
            let subjects: Vec<_> =
                (0..200).map(|i| subject(i, (i < 40).then_some(12), (i < affected).then_some(8))).collect();
            name(&rank(&subjects, 0.0, NOW))
        };
        assert_eq!(with(3).expect("named").suspect.value, "new");
        assert!(with(1).is_none());
    }

    #[test]
    fn lone_faults_of_long_ago_name_nobody() {
        let subjects: Vec<_> = (0..1_000).map(|i| subject(i, Some(600), (i % 250 == 0).then_some(10))).collect();
        assert!(name(&rank(&subjects, 0.0, NOW)).is_none());
    }

    #[test]
    fn a_noisy_afternoon_is_not_blamed_on_what_most_devices_share() {
        let subjects: Vec<_> =
            (0..100).map(|i| subject(i, (i < 85).then_some(900), (i % 12 == 0).then_some(30))).collect();
        assert!(name(&rank(&subjects, 0.08, NOW)).is_none());
        assert!(name(&rank(&subjects, 0.0, NOW)).is_some(), "which a fixed chance of 0.4 % would do");
    }

    #[test]
    fn an_onset_before_the_install_is_not_blamed_on_it() {
        let subjects: Vec<_> = (0..200).map(|i| subject(i, (i < 100).then_some(30), (i < 50).then_some(90))).collect();
        let ranked = rank(&subjects, 0.0, NOW);
        let update = ranked.iter().find(|c| &*c.key.value == "new").unwrap();
        assert!(!update.is_named(), "{update:?}");
    }

    #[test]
    fn two_candidates_with_the_same_devices_cannot_be_separated() {
        let mut subjects: Vec<_> =
            (0..200).map(|i| if i < 100 { subject(i, Some(60), Some(50)) } else { subject(i, None, None) }).collect();
        for subject in subjects.iter_mut().take(100) {
            subject.attributes.push((key(Kind::Package, "signatures 9.9.1"), Some(NOW.plus(-60))));
        }
        let cause = name(&rank(&subjects, 0.0, NOW)).expect("named");
        assert!(cause.inseparable);
        assert_eq!(cause.runner_up.expect("both").suspect.kind, "package");
    }

    #[test]
    fn the_ranking_does_not_depend_on_the_order_of_the_devices() {
        let mut subjects: Vec<_> =
            (0..300).map(|i| subject(i, (i % 2 == 0).then_some(40), (i % 6 == 0).then_some(20))).collect();
        let order = |subjects: &[Subject]| rank(subjects, 0.0, NOW).into_iter().map(|c| c.key).collect::<Vec<_>>();
        let forward = order(&subjects);
        subjects.reverse();
        assert_eq!(forward, order(&subjects));
    }
}
