//! What an event did: which classes, tests and rules carry it, how the latencies moved, and how much worse the devices with the
//! suspect have become than those without it.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::engine::device::TrafficClass;
use crate::engine::effect::{Damage, RuleDamage};
use crate::engine::fleet::RuleCounts;
use crate::engine::histogram::BUCKETS;
use crate::engine::suspect;
use crate::engine::time::Minute;
use crate::engine::verdict::{Signature, Test};
use crate::engine::wire::hdr::write_v2;

use super::event::Event;
use super::pool;
use super::tracked::Tracked;

/// Minutes before the event that show what was usual.
const BEFORE_MIN: i64 = 60;
/// Most rules that are named for one class.
const RULES_NAMED: usize = 5;
/// A pair carries the damage if it affects one member in so many, or if its share has grown by so much.
const CARRIES_PART: u32 = 10;
const CARRIES_GROWTH: f64 = 1.2;

impl Event {
    /// Which pairs of class and test carry the damage as of `last`, those that most members are affected by first.
    pub fn damage(&self, devices: &[Tracked], last: Minute) -> Vec<Damage> {
        let parts = self.parts(devices);
        let (before, during) = self.windows(last);
        let mut drawn = BTreeSet::new();
        let mut damage: Vec<_> = self
            .signature
            .pairs()
            .filter_map(|pair| {
                let (class, test) = pair;
                let is_delay = matches!(test, Test::P50 | Test::P95);
                let latency = is_delay && drawn.insert(class);
                let (latency_before, latency_during) =
                    if latency { self.latencies(class, devices) } else { Default::default() };
                Some(Damage {
                    class,
                    test: test.as_str().to_owned(),
                    devices: self.affected_by(pair, devices),
                    share_before: pool::mean_share(&parts, pair, before).map(round),
                    share_during: round(pool::mean_share(&parts, pair, during)?),
                    rules: if is_delay { Vec::new() } else { self.rules(class, devices, during.0) },
                    latency_before,
                    latency_during,
                })
            })
            .collect();
        // A pair that a few of the first members brought along, and that has not grown, carries nothing.
        let members = self.members.len() as u32;
        let has_grown =
            |damage: &Damage| damage.share_before.is_none_or(|before| damage.share_during > before * CARRIES_GROWTH);
        damage.retain(|damage| damage.devices * CARRIES_PART >= members || has_grown(damage));
        damage.sort_by_key(|damage| std::cmp::Reverse(damage.devices));
        damage
    }

    /// The hour before the event, and the event up to its last degraded minute.
    fn windows(&self, last: Minute) -> ((Minute, Minute), (Minute, Minute)) {
        let start = self.impact_start;
        ((start.plus(-BEFORE_MIN), start.plus(-1)), (start, self.last_degraded.min(last).max(start)))
    }

    fn affected_by(&self, (class, test): (TrafficClass, Test), devices: &[Tracked]) -> u32 {
        let by = |index: &u32| {
            let state = &devices[*index as usize].state;
            Signature(state.affected_by.0 | state.episode_signature.0).contains(class, test)
        };
        self.members.keys().filter(|index| by(index)).count() as u32
    }

    /// The members' latencies of one class before and in their episodes, as base64 of V2; nothing where there are none.
    fn latencies(&self, class: TrafficClass, devices: &[Tracked]) -> (Option<String>, Option<String>) {
        let (mut before, mut during) = ([0; BUCKETS], [0; BUCKETS]);
        for index in self.members.keys() {
            let track = devices[*index as usize].state.classes[class.index()].as_ref();
            if let Some(contrast) = track.and_then(|track| track.contrast.as_ref()) {
                contrast.sum_into(&mut before, &mut during);
            }
        }
        let encode = |counts: &[u64; BUCKETS]| {
            counts.iter().any(|count| *count > 0).then(|| {
                let mut bytes = Vec::new();
                write_v2(counts, &mut bytes);
                STANDARD.encode(bytes)
            })
        };
        (encode(&before), encode(&during))
    }

    /// The rules whose flags have grown most over all members.
    fn rules(&self, class: TrafficClass, devices: &[Tracked], start: Minute) -> Vec<RuleDamage> {
        let mut sums: BTreeMap<_, RuleCounts> = BTreeMap::new();
        for index in self.members.keys() {
            devices[*index as usize].device.rules(class, start, self.last_degraded, |rule, counts| {
                sums.entry(rule.clone()).or_default().add(counts);
            });
        }
        let mut rules: Vec<RuleDamage> = sums
            .into_iter()
            .map(|(rule, counts)| {
                let (per_hour_before, per_hour_during) = counts.per_hour();
                RuleDamage {
                    rule: rule.to_string(),
                    per_hour_before: round(per_hour_before),
                    per_hour_during: round(per_hour_during),
                }
            })
            .filter(|rule| rule.per_hour_during > rule.per_hour_before)
            .collect();
        let growth = |rule: &RuleDamage| rule.per_hour_during - rule.per_hour_before;
        rules.sort_by(|a, b| growth(b).total_cmp(&growth(a)).then_with(|| a.rule.cmp(&b.rule)));
        rules.truncate(RULES_NAMED);
        rules
    }

    /// Measures the difference in differences of the pair that leads the event, and keeps it with the cause.
    pub fn measure_difference(&mut self, devices: &[Tracked], order: &[u32], last: Minute) {
        let (Some(key), Some(pair)) = (self.key.clone(), self.lead) else { return };
        let (before, during) = self.windows(last);
        // With and without, before and during: trials and exceedances.
        let mut sums = [[(0, 0); 2]; 2];
        for &index in order {
            let tracked = &devices[index as usize];
            let member = self.members.get(&index);
            let has = member.map_or_else(|| tracked.has(&key), |m| suspect::has(&m.attributes, &key));
            let told = [before, during].map(|window| pool::trials(tracked, pair, window));
            // Only who was there before can have become worse: a newcomer would shift the one and not the other.
            if told.iter().all(|(trials, _)| *trials > 0) {
                for (sum, (trials, exceeding)) in sums[usize::from(has)].iter_mut().zip(told) {
                    *sum = (sum.0 + trials, sum.1 + exceeding);
                }
            }
        }
        let change = |sums: [(u64, u64); 2]| {
            let [before, during] = sums.map(pool::share_of);
            Some(during? - before?)
        };
        let difference = change(sums[1]).zip(change(sums[0])).map(|(with, without)| round(with - without));
        if let Some(evidence) = self.cause.as_mut().and_then(|cause| cause.evidence.as_mut()) {
            evidence.difference = difference;
        }
    }
}

/// To a tenth of a percent, or of a flag.
fn round(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}
