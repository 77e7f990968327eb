//! Who did it: which shared attribute best explains who is affected and who is not.
//!
//! Every candidate c is compared with "no common cause" by its likelihood over the devices that are known (`a` affected
//! and has c, `b` healthy and has c, `c'` affected without, `e` healthy without):
//!
//! ```text
//! log L = sum_a log(pi rho + eps) + sum_b log(1 - pi F) + c' log eps + e log(1 - eps)
//!         - [(a + c') log eps + (b + e) log(1 - eps)] + log prior
//! pi    = (a + 1/2) / (a + sum_b F + 1)        chance that a device with c is affected, once it would show
//! rho   = f(onset - install) / (1 / 24 h)      how well the onset fits the install, against an onset at any time
//! f     = 70 % Exp(30 min) + 30 % uniform over 24 h
//! F     = chance that the damage would already show on a healthy device, from f
//! eps                                          chance of being affected by something else: the fleet's usual share of
//!                                              affected devices outside events, at least 0.004
//! prior = share of past events of that kind, over the values of that kind in the fleet
//! ```
//!
//! An onset more than five minutes before the install cannot be explained by it. Candidates without an install time
//! (branch, model, firmware, an update of unknown age) have `rho = F = 1`. A suspect is named only from log L >= log 1000
//! on. The idea of blaming rollouts by spatial and temporal correlation is that of Gandalf (Li et al., NSDI 2020).
//!
//! **What hits those without it as hard is not its doing.** A candidate is left out when devices without it are affected
//! at more than half the rate of those with it: an attack wave that begins on the night of an update hits updated and other
//! devices alike, and its onsets would fit the installs well. It is the comparison with a control group that FUNNEL (Zhang
//! et al., CoNEXT 2015) makes. Such a wave is the `fleet`'s, once a quarter of the fleet suffers.
//!
//! **Timing** speaks at most a thousand to one: devices that fall ill after a night's rollout are one coincidence, not as many
//! as there are devices. Of what everybody has it speaks only where onsets follow installs; where all fall ill at once, while
//! they took it one after the other, it is the `fleet`'s.
//!
//! **Chance.** In a large fleet some devices are always ill, and at a bad time of day more are. So what many devices share is blamed
//! only where provably more of them are affected than that; and what everybody took some time ago, or a model, only beyond a
//! bad time of day, for nothing but the hour tells it from the fleet.
//!
//! **Pairs** (update and model, update and firmware) are candidates of their own: a defect may need both. One that covers the
//! same devices as its update says no more than the update, and is left out.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher};

use super::binomial::proves_above;
use super::effect::{Cause, CauseEvidence, RunnerUp, Suspect};
use super::time::Minute;

pub use attribute::{Attribute, AttributeKey, Attributes, Kind, has, install_of};

mod attribute;

/// Least log-likelihood ratio with which a suspect is named: a thousand to one.
pub const NAMED: f64 = 6.907_755_278_982_137;

/// Least chance of being affected by something else.
pub const LEAST_BACKGROUND: f64 = 0.004;
const ONSET_MEAN_MIN: f64 = 30.0;
const WINDOW_MIN: f64 = 1_440.0;
const PROMPT_SHARE: f64 = 0.7;
/// The most that the onsets' timing may say, a thousand to one: devices that fall ill at once after a night's rollout are one
/// coincidence, not as many as there are devices.
const MOST_BY_TIMING: f64 = NAMED;
/// Part of the variance of the installs that the delays after them may have where onsets follow installs.
const FOLLOWING: f64 = 0.5;
/// An onset this many minutes before the install still counts as "with it": slots and clocks have grains.
pub const VETO_MIN: i64 = 5;
/// Devices with the cause must be affected at this many times the rate of those without, and so many without make a rate.
const LEAST_RELATIVE_RISK: f64 = 2.0;
const LEAST_CONTROLS: f64 = 3.0;
/// Share of a fleet that is degraded at any time for reasons of its own: 0.5 to 0.9 % of 1,000 simulated devices after two days of
/// history, and with room for a fleet that is noisier.
const BY_CHANCE: f64 = 0.01;
/// Share up to which a fleet may be degraded at a bad time of day for reasons of its own: 5.2 % of 1,000 simulated devices on their
/// third morning. What nothing but this hour tells from the rest of the fleet has to exceed it.
const AT_A_BAD_TIME: f64 = 0.05;
/// How sure it has to be that more devices are affected than that.
const CHANCE_ALPHA: f64 = 0.001;
/// Part of the known devices that must be affected for the whole fleet to be a candidate.
const FLEET_SHARE: f64 = 0.25;

/// What is known of one device when suspects are ranked.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Onset of its degradation; `None`: known to be healthy.
    pub onset: Option<Minute>,
    pub attributes: &'a [Attribute],
}

/// One candidate with its evidence.
#[derive(Clone, Debug)]
pub struct Candidate {
    pub key: AttributeKey,
    /// Natural logarithm of its likelihood over that of "no common cause", prior included.
    pub log_likelihood: f64,
    /// Share of the posterior among all candidates and "no common cause".
    pub confidence: f64,
    /// Chance that a device which has it is affected.
    pub rate: f64,
    /// Affected and healthy devices that have it.
    pub affected_with: u32,
    pub healthy_with: u32,
    /// Affected and healthy devices that have it not.
    pub affected_without: u32,
    pub healthy_without: u32,
    /// Whether something tells it from the fleet at this hour: enough devices did not take it, or the onsets follow the installs.
    is_told_apart: bool,
    /// Fingerprint of the known devices that have it: equal for the same devices.
    devices: u64,
}

impl Candidate {
    /// Whether it explains enough to be named.
    pub fn is_named(&self) -> bool {
        self.log_likelihood >= NAMED
    }

    /// Whether it explains more than chance does, where it is what many devices share; `usual` as in [`exceeds_chance`].
    pub fn exceeds_chance(&self, usual: f64) -> bool {
        let least = match self.key.kind {
            Kind::Branch | Kind::Fleet => return true,
            kind if kind.is_rolled_out() && self.is_told_apart => BY_CHANCE,
            _ => AT_A_BAD_TIME,
        };
        exceeds_chance(self.affected_with, self.healthy_with, usual.max(least))
    }

    /// The suspect as people read it.
    pub fn suspect(&self) -> Suspect {
        Suspect { kind: self.key.kind.as_str().to_owned(), value: self.key.value.to_string() }
    }

    fn evidence(&self) -> CauseEvidence {
        CauseEvidence {
            affected_with: self.affected_with,
            healthy_with: self.healthy_with,
            affected_without: self.affected_without,
            healthy_without: self.healthy_without,
            difference: None,
        }
    }

    /// Whether exactly the same known devices have it.
    pub fn covers_the_same(&self, other: &Self) -> bool {
        self.devices == other.devices
    }
}

/// Whether more of the devices with a suspect are affected than are by chance; `usual` is the share that usually is. Who is affected
/// now fell ill a short while ago, whatever it was, so in a night in which everybody takes an update some always fell ill after
/// it: timing alone accuses every update of a large fleet.
pub fn exceeds_chance(affected: u32, healthy: u32, usual: f64) -> bool {
    proves_above(affected.saturating_add(healthy), affected, usual.max(BY_CHANCE), CHANCE_ALPHA)
}

/// What the devices with one attribute look like.
#[derive(Debug)]
struct Tally<'a> {
    key: &'a AttributeKey,
    /// How well each affected device's onset fits.
    affected: Vec<f64>,
    /// Of the affected ones whose install is known: installs, and delays from install to onset.
    installs: Spread,
    delays: Spread,
    /// Healthy devices on which it would surely show by now ...
    ripe: u32,
    /// ... and the chance of that for each of the others.
    unripe: Vec<f64>,
    devices: u64,
}

impl<'a> Tally<'a> {
    fn of(key: &'a AttributeKey) -> Self {
        let (installs, delays) = Default::default();
        Self { key, affected: Vec::new(), installs, delays, ripe: 0, unripe: Vec::new(), devices: 0 }
    }

    fn add_affected(&mut self, onset: Minute, installed: Option<Minute>) {
        self.affected.push(onset_fit(onset, installed));
        if let Some(installed) = installed {
            self.installs.add(f64::from(installed.0));
            self.delays.add(onset.since(installed) as f64);
        }
    }

    fn size(&self) -> usize {
        self.affected.len() + self.ripe as usize + self.unripe.len()
    }

    /// Whether the devices fell ill one after the other, as they took it. Where all fall ill at once the delays vary as much as
    /// the installs do, and something else has set it off.
    fn onsets_follow_installs(&self) -> bool {
        self.delays.variance() < FOLLOWING * self.installs.variance()
    }
}

/// Mean and variance as they go (Welford 1962).
#[derive(Clone, Copy, Debug, Default)]
struct Spread {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Spread {
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        let before = value - self.mean;
        self.mean += before / self.count;
        self.squares += before * (value - self.mean);
    }

    fn variance(&self) -> f64 {
        self.squares / self.count.max(1.0)
    }
}

/// Ranks the candidates, best first; ties by kind and value. Cost: one look at each attribute of each subject, a few
/// hundred nanoseconds a device.
///
/// `background` is the usual share of affected devices (eps above). Were it fixed, a noisy afternoon in which a tenth of
/// the fleet is slow would be blamed on whatever most devices share.
pub fn rank(subjects: &[Subject<'_>], background: f64, now: Minute) -> Vec<Candidate> {
    let total_affected = subjects.iter().filter(|subject| subject.onset.is_some()).count() as u32;
    let total = Totals {
        affected: f64::from(total_affected),
        healthy: f64::from(subjects.len() as u32 - total_affected),
        eps: background.max(LEAST_BACKGROUND),
    };
    let (tallies, values) = tally(subjects, now);
    let mut candidates: Vec<Candidate> = tallies
        .iter()
        .filter(|tally| !tally.affected.is_empty())
        .filter(|tally| tally.key.kind != Kind::Fleet || total.affected >= FLEET_SHARE * subjects.len() as f64)
        .filter_map(|tally| {
            let mut candidate = judge(tally, total, values[tally.key.kind as usize])?;
            let controls = subjects.len() - took(tally, &tallies);
            candidate.is_told_apart = controls as f64 >= LEAST_CONTROLS || tally.onsets_follow_installs();
            Some(candidate)
        })
        .collect();
    leave_out_idle_pairs(&mut candidates);
    settle_confidence(&mut candidates);
    candidates
}

/// How many of the known devices took it; of a pair, its update: those of another model say nothing of that.
fn took(tally: &Tally<'_>, tallies: &[Tally<'_>]) -> usize {
    let is_pair = matches!(tally.key.kind, Kind::UpdateModel | Kind::UpdateFirmware);
    let update = tallies.iter().find(|other| is_pair && is_pair_of(tally.key, other.key));
    update.unwrap_or(tally).size()
}

/// Whether `pair` is of that update and something else.
fn is_pair_of(pair: &AttributeKey, update: &AttributeKey) -> bool {
    let rest = pair.value.strip_prefix(&*update.value);
    update.kind == Kind::Update && rest.is_some_and(|rest| rest.starts_with('+'))
}

#[derive(Clone, Copy, Debug)]
struct Totals {
    affected: f64,
    healthy: f64,
    eps: f64,
}

/// One tally for each attribute, in the order of first sight, and the number of values of each kind.
fn tally<'a>(subjects: &[Subject<'a>], now: Minute) -> (Vec<Tally<'a>>, [u32; Kind::ALL.len()]) {
    // Seeded by nothing: the engine knows no randomness, and nothing here depends on the map's order.
    let mut places: HashMap<&AttributeKey, usize, BuildHasherDefault<DefaultHasher>> = HashMap::default();
    let mut tallies: Vec<Tally<'a>> = Vec::new();
    let mut values = [0; Kind::ALL.len()];
    for (number, subject) in subjects.iter().enumerate() {
        let mark = mix(number as u64);
        for (key, installed) in subject.attributes {
            let place = *places.entry(key).or_insert_with(|| {
                values[key.kind as usize] += 1;
                tallies.push(Tally::of(key));
                tallies.len() - 1
            });
            let tally = &mut tallies[place];
            tally.devices = tally.devices.wrapping_add(mark);
            match (subject.onset, installed) {
                (Some(onset), installed) => tally.add_affected(onset, *installed),
                (None, None) => tally.ripe += 1,
                (None, Some(installed)) => match would_show(*installed, now) {
                    1.0.. => tally.ripe += 1,
                    chance => tally.unripe.push(chance),
                },
            }
        }
    }
    (tallies, values)
}

/// The candidate that a tally makes; `None` when devices without it are affected as often.
fn judge(tally: &Tally<'_>, total: Totals, values: u32) -> Option<Candidate> {
    let Totals { affected: total_affected, healthy: total_healthy, eps } = total;
    let (a, b) = (tally.affected.len() as f64, f64::from(tally.ripe) + tally.unripe.len() as f64);
    let (affected_without, healthy_without) = (total_affected - a, total_healthy - b);
    let controls = affected_without + healthy_without;
    // Without devices to compare with, installs are heard only where the onsets follow them.
    let timed = controls >= LEAST_CONTROLS || tally.onsets_follow_installs();
    let would_show = |f: f64| if timed { f } else { 1.0 };
    let shown = f64::from(tally.ripe) + tally.unripe.iter().map(|f| would_show(*f)).sum::<f64>();
    let pi = (a + 0.5) / (a + shown + 1.0);
    let rate_without = (affected_without + 0.5) / (controls + 1.0);
    if controls >= LEAST_CONTROLS && affected_without >= 1.0 && rate_without * LEAST_RELATIVE_RISK > pi {
        return None;
    }
    let with: f64 = tally.affected.iter().map(|rho| (pi * rho.min(1.0) + eps).ln()).sum::<f64>()
        + if timed { timing(&tally.affected, pi, eps) } else { 0.0 }
        + tally.unripe.iter().map(|f| (-(pi * would_show(*f))).ln_1p()).sum::<f64>()
        + f64::from(tally.ripe) * (-pi).ln_1p();
    let without = affected_without * eps.ln() + healthy_without * (-eps).ln_1p();
    let no_cause = total_affected * eps.ln() + total_healthy * (-eps).ln_1p();
    let prior = prior(tally.key.kind, controls) / f64::from(values.max(1));
    Some(Candidate {
        key: tally.key.clone(),
        log_likelihood: with + without - no_cause + prior.ln(),
        confidence: 0.0,
        rate: pi,
        affected_with: a as u32,
        healthy_with: b as u32,
        affected_without: affected_without as u32,
        healthy_without: healthy_without as u32,
        is_told_apart: true,
        devices: tally.devices,
    })
}

/// Spreads a number over all bits (the finalizer of `SplitMix64`, Steele, Lea & Flood 2014), so that sums of different sets
/// differ.
const fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// What everybody has cannot be told from the fleet by who is affected: then only the timing may speak for it.
fn prior(kind: Kind, controls: f64) -> f64 {
    if kind != Kind::Fleet && controls < LEAST_CONTROLS {
        kind.prior().min(Kind::Fleet.prior() / 2.0)
    } else {
        kind.prior()
    }
}

/// What onsets that fit the installs better than chance speak for the candidate, up to [`MOST_BY_TIMING`].
fn timing(fits: &[f64], pi: f64, eps: f64) -> f64 {
    let of = |rho: f64| ((pi * rho + eps) / (pi + eps)).ln();
    fits.iter().filter(|rho| **rho > 1.0).map(|rho| of(*rho)).sum::<f64>().min(MOST_BY_TIMING)
}

/// A pair on the same devices as its update tells nothing that the update does not.
fn leave_out_idle_pairs(candidates: &mut Vec<Candidate>) {
    let updates: Vec<Candidate> = candidates.iter().filter(|c| c.key.kind == Kind::Update).cloned().collect();
    candidates.retain(|pair| {
        let is_pair = matches!(pair.key.kind, Kind::UpdateModel | Kind::UpdateFirmware);
        !is_pair || !updates.iter().any(|update| is_pair_of(&pair.key, &update.key) && update.covers_the_same(pair))
    });
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
fn onset_fit(onset: Minute, installed: Option<Minute>) -> f64 {
    let Some(installed) = installed else { return 1.0 };
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
fn would_show(installed: Minute, now: Minute) -> f64 {
    let age = now.since(installed).max(0) as f64;
    if age >= WINDOW_MIN {
        return 1.0;
    }
    PROMPT_SHARE * (1.0 - (-age / ONSET_MEAN_MIN).exp()) + (1.0 - PROMPT_SHARE) * age / WINDOW_MIN
}

/// The best candidate as a named cause with its evidence and its runner-up; `None` when nothing explains enough.
pub fn name(candidates: &[Candidate]) -> Option<Cause> {
    name_kept(candidates, candidates.first().map(|best| &best.key))
}

/// The candidate that has been named before and keeps its name, as it stands now: the best of the others is its runner-up, and
/// may be ahead of it. `None` when it does not explain enough any more.
pub fn name_kept(candidates: &[Candidate], key: Option<&AttributeKey>) -> Option<Cause> {
    let named = candidates.iter().find(|candidate| Some(&candidate.key) == key).filter(|named| named.is_named())?;
    let second = candidates.iter().find(|candidate| candidate.key != named.key);
    // Confidence to a tenth of a percent: further digits would only tell in which order the sums were made.
    let round = |confidence: f64| (confidence * 1_000.0).round() / 1_000.0;
    let cannot_separate = |second: &Candidate| {
        second.covers_the_same(named) && (named.log_likelihood - second.log_likelihood).abs() < NAMED
    };
    Some(Cause {
        suspect: named.suspect(),
        confidence: round(named.confidence),
        runner_up: second.map(|c| RunnerUp { suspect: c.suspect(), confidence: round(c.confidence) }),
        inseparable: second.is_some_and(cannot_separate),
        evidence: Some(named.evidence()),
    })
}

#[cfg(test)]
mod tests;
