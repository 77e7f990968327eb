//! Rollouts, looked at as a whole: a defect too weak to be proved on any one device shows in the sum of those that took it.
//!
//! A delay of 1.6 times, or of one flow in seven, leaves each device's own tests undecided for an hour, while a hundred devices
//! decide in minutes. So every few minutes the devices that took the same thing within the day are summed up by class and
//! test, from their installs on, and held against the limit, against the devices that did not take it, and against themselves
//! before it. All three must be cleared by four standard errors: the pool is looked at often, and by many pairs.
//! It is the treated-against-control comparison of FUNNEL (Zhang et al., CoNEXT 2015), on counts.

use std::collections::BTreeMap;

use crate::engine::device::TrafficClass;
use crate::engine::settings::Settings;
use crate::engine::suspect::{self, AttributeKey, Candidate, Subject};
use crate::engine::time::Minute;
use crate::engine::verdict::{Signature, Test};

use super::context::TickContext;
use super::events::Events;
use super::pool::{self, MOST_OF_ONE, Sums};
use super::tracked::Tracked;

/// How often it is looked, in minutes.
const EVERY_MIN: u32 = 5;
/// Minutes that are summed up, and least time since the install.
const WINDOW_MIN: i64 = 15;
/// An install longer ago than this is no change.
const RECENT_MIN: i64 = 24 * 60;
/// Minutes before the install that a device is compared with.
const BEFORE_MIN: i64 = 60;
/// Standard errors by which each comparison must be cleared.
const CLEARED_Z: f64 = 4.0;
/// Fewest devices that make a cohort.
const MIN_COHORT: usize = 3;
/// Flagged flows are too bursty to be summed up.
const TESTS: [Test; 3] = [Test::P50, Test::P95, Test::FalsePositives];

type Pair = (TrafficClass, Test);
/// Sums of each pair, by class and by place in [`TESTS`].
type BySums = [[Sums; TESTS.len()]; TrafficClass::COUNT];
/// One device's trials, exceedances, and the greatest share of them that counts, as [`BySums`].
type Own = [[(u64, u64, f64); TESTS.len()]; TrafficClass::COUNT];

/// The devices that are looked at: those of no group, and those of a rollout's group that goes by each device's own tests.
struct Watch<'a> {
    devices: Vec<(u32, &'a Tracked)>,
    last: Minute,
    settings: &'a Settings,
}

/// A rollout that did something, and the pairs by which it shows.
#[derive(Debug)]
struct Finding {
    key: AttributeKey,
    signature: Signature,
    /// Standard errors by which it clears the nearest comparison.
    cleared: f64,
}

impl Events {
    /// Opens a fleet event for what a rollout did to those that took it; if it has one already, that goes by its sums from now
    /// on.
    pub(super) fn open_cohort(&mut self, context: &mut TickContext<'_>) {
        if !context.last.0.is_multiple_of(EVERY_MIN) {
            return;
        }
        let watch = self.watch(context);
        let Some(finding) = watch.worst() else { return };
        let ranked = watch.rank(&finding, self.background);
        let Some(best) = ranked.first().filter(|best| best.is_named() && best.key.kind.is_rolled_out()) else { return };
        let members: Vec<(u32, Minute)> = watch
            .devices
            .iter()
            .filter(|(device, tracked)| context.is_free(*device) && tracked.has(&best.key))
            .filter_map(|(device, tracked)| watch.onset(tracked, &finding).map(|onset| (*device, onset)))
            .collect();
        let known = self.open.iter().find(|event| event.key.as_ref() == Some(&best.key)).map(|event| event.number);
        if known.is_none() && members.len() < MIN_COHORT {
            return;
        }
        let number = known.unwrap_or_else(|| self.add_group(context.last));
        if let Some(event) = self.group(number) {
            event.blame(best, suspect::name(&ranked));
            event.pooled = true;
            event.signature.0 |= finding.signature.0;
        }
        self.let_in(number, members, context);
    }

    fn watch<'a>(&self, context: &'a TickContext<'_>) -> Watch<'a> {
        let by_own_tests: Vec<u32> = self
            .open
            .iter()
            .filter(|event| !event.pooled && event.declared_at.is_none())
            .filter(|event| event.key.as_ref().is_some_and(|key| key.kind.is_rolled_out()))
            .map(|event| event.number)
            .collect();
        let is_watched = |device: &u32| {
            let can_witness = || !context.devices[*device as usize].is_left_over(context.last);
            (context.is_free(*device) && can_witness()) || by_own_tests.contains(&context.group_of[*device as usize])
        };
        let devices =
            context.order.iter().copied().filter(is_watched).map(|at| (at, &context.devices[at as usize])).collect();
        Watch { devices, last: context.last, settings: context.settings }
    }
}

impl<'a> Watch<'a> {
    /// The rollout that clears its comparisons best.
    fn worst(&self) -> Option<Finding> {
        let mut cohorts: BTreeMap<&AttributeKey, Box<BySums>> = BTreeMap::new();
        let mut everybody = BySums::default();
        let window = (self.last.plus(1 - WINDOW_MIN), self.last);
        for (_, tracked) in &self.devices {
            let mut own = Own::default();
            for (pair, (class, test)) in pairs() {
                own[class][test] = self.trials(tracked, pair, window);
            }
            add(&mut everybody, &own);
            for (key, _) in tracked.attributes.iter().filter(|(key, at)| key.kind.is_rolled_out() && self.is_fresh(*at))
            {
                add(cohorts.entry(key).or_default(), &own);
            }
        }
        let findings = cohorts.iter().filter_map(|(key, sums)| self.find(key, sums, &everybody));
        // Of equals the first: the update before its pairs.
        findings.reduce(|worst, other| if other.cleared > worst.cleared { other } else { worst })
    }

    fn find(&self, key: &AttributeKey, sums: &BySums, everybody: &BySums) -> Option<Finding> {
        let mut finding = Finding { key: key.clone(), signature: Signature::default(), cleared: 0.0 };
        for (pair, (class, test)) in pairs() {
            if let Some(cleared) = self.cleared(key, pair, (&sums[class][test], &everybody[class][test])) {
                finding.signature.insert(pair.0, pair.1);
                finding.cleared = finding.cleared.max(cleared);
            }
        }
        (finding.cleared > 0.0).then_some(finding)
    }

    /// By how many standard errors the cohort clears the nearest of the three comparisons, if it clears all of them.
    fn cleared(&self, key: &AttributeKey, pair: Pair, (own, all): (&Sums, &Sums)) -> Option<f64> {
        if own.devices() < MIN_COHORT || own.n == 0.0 {
            return None;
        }
        let (share, error) = (own.share(), own.standard_error());
        let clears = |other: f64, its_error: f64| {
            let z = (share - other) / error.hypot(its_error);
            (z >= CLEARED_Z).then_some(z)
        };
        let of_limit = clears(self.limit(key, pair)?, 0.0)?;
        let (mut least, mut compared) = (of_limit, false);
        for control in [all.without(own), self.before(key, pair)] {
            if control.devices() >= MIN_COHORT && control.n > 0.0 {
                least = least.min(clears(control.share(), control.standard_error())?);
                compared = true;
            }
        }
        compared.then_some(least)
    }

    /// A device's trials and exceedances in a window, and the greatest share of them that counts.
    fn trials(&self, tracked: &Tracked, pair: Pair, window: (Minute, Minute)) -> (u64, u64, f64) {
        let (trials, exceeding) = pool::trials(tracked, pair, window);
        let limit = pool::limit_of(tracked, pair, self.settings).unwrap_or(1.0);
        (trials, exceeding, limit * MOST_OF_ONE)
    }

    fn is_fresh(&self, installed: Option<Minute>) -> bool {
        installed.is_some_and(|installed| (WINDOW_MIN..RECENT_MIN).contains(&self.last.since(installed)))
    }

    /// The members of a cohort with their installs.
    fn cohort<'b>(&'b self, key: &'b AttributeKey) -> impl Iterator<Item = (&'a Tracked, Minute)> + 'b {
        self.devices.iter().filter_map(move |(_, tracked)| {
            let installed =
                suspect::install_of(&tracked.attributes, key).filter(|installed| self.is_fresh(Some(*installed)))?;
            Some((*tracked, installed))
        })
    }

    /// The cohort's mean limit of one pair.
    fn limit(&self, key: &AttributeKey, pair: Pair) -> Option<f64> {
        let limits = self.cohort(key).filter_map(|(tracked, _)| pool::limit_of(tracked, pair, self.settings));
        let (sum, count) = limits.fold((0.0, 0.0), |(sum, count), limit| (sum + limit, count + 1.0));
        (count > 0.0).then(|| sum / count)
    }

    /// The cohort's sums in the hour before each install.
    fn before(&self, key: &AttributeKey, pair: Pair) -> Sums {
        let mut sums = Sums::default();
        for (tracked, installed) in self.cohort(key) {
            let (trials, exceeding, most) =
                self.trials(tracked, pair, (installed.plus(-BEFORE_MIN), installed.plus(-1)));
            sums.add(trials, exceeding, most);
        }
        sums
    }

    /// Ranks the suspects, each device being affected whose sums lie above the limit.
    fn rank(&self, finding: &Finding, background: f64) -> Vec<Candidate> {
        let known = self.devices.iter().filter(|(_, tracked)| tracked.state.is_known(self.last));
        let subjects: Vec<Subject<'_>> = known
            .map(|(_, tracked)| Subject { onset: self.onset(tracked, finding), attributes: &tracked.attributes })
            .collect();
        // One device's sums lie above by chance, too: as often as those of the devices without it do.
        let without = || subjects.iter().filter(|subject| !suspect::has(subject.attributes, &finding.key));
        let by_chance =
            without().filter(|subject| subject.onset.is_some()).count() as f64 / without().count().max(1) as f64;
        suspect::rank(&subjects, by_chance.max(background), self.last)
    }

    /// When it began on a device: with the install, where its sums lie above the limit; its own onset, where its tests prove one.
    fn onset(&self, tracked: &Tracked, finding: &Finding) -> Option<Minute> {
        let exceeds = || tracked.state.exceeds(finding.signature, self.last, self.settings);
        let began = || suspect::install_of(&tracked.attributes, &finding.key).unwrap_or(self.last.plus(1 - WINDOW_MIN));
        tracked.onset(self.last).or_else(|| exceeds().then(began))
    }
}

/// Every pair that is summed up, with its place.
fn pairs() -> impl Iterator<Item = (Pair, (usize, usize))> {
    TrafficClass::ALL.into_iter().flat_map(|class| {
        TESTS.into_iter().enumerate().map(move |(place, test)| ((class, test), (class.index(), place)))
    })
}

fn add(sums: &mut BySums, own: &Own) {
    for (sum, (trials, exceeding, most)) in sums.iter_mut().flatten().zip(own.iter().flatten()) {
        sum.add(*trials, *exceeding, *most);
    }
}
