//! Which detection rules flag a device's traffic: counts by rule and quarter of an hour, for the hours that an explanation
//! looks back on.
//!
//! A device may name any rule, so the number is bounded: a new rule takes the place of the one that flagged least lately.
//! That is the replacement of Space-Saving (Metwally, Agrawal & El Abbadi 2005) without its inherited count: an estimate that
//! is too low cannot accuse a rule.

use bincode::{Decode, Encode};

use crate::engine::device::{Label, TrafficClass};
use crate::engine::time::Minute;

/// Rules that are kept of one device.
const RULES: usize = 8;
/// Minutes of a bin, and bins: eight hours, as long as the evidence.
const BIN_MIN: u32 = 15;
const BINS: usize = 32;

/// The rules of one device.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct RuleTally {
    rules: Vec<Rule>,
}

#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
struct Rule {
    class: TrafficClass,
    name: Label,
    /// The newest bin, in bins since the epoch.
    newest: u32,
    flags: [u16; BINS],
}

/// Flags of one rule and the minutes that they were counted in, before an event and in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RuleCounts {
    before: u64,
    during: u64,
    before_min: u64,
    during_min: u64,
}

impl RuleCounts {
    /// Adds another device's: flags add up, the time is the same.
    pub fn add(&mut self, other: Self) {
        self.before += other.before;
        self.during += other.during;
        self.before_min = self.before_min.max(other.before_min);
        self.during_min = self.during_min.max(other.during_min);
    }

    /// Flags an hour, before the event and in it.
    pub fn per_hour(&self) -> (f64, f64) {
        let rate = |flags: u64, minutes: u64| flags as f64 * 60.0 / minutes.max(1) as f64;
        (rate(self.before, self.before_min), rate(self.during, self.during_min))
    }
}

impl Rule {
    fn add(&mut self, bin: u32, count: u32) {
        let steps = bin.saturating_sub(self.newest).min(BINS as u32);
        for step in 0..steps {
            self.flags[(bin - step) as usize % BINS] = 0;
        }
        self.newest = self.newest.max(bin);
        if self.newest - bin < BINS as u32 {
            let place = &mut self.flags[bin as usize % BINS];
            *place = place.saturating_add(count.min(u32::from(u16::MAX)) as u16);
        }
    }

    /// Flags of the bins `from ..= to` that are still kept.
    fn sum(&self, from: u32, to: u32) -> u64 {
        let oldest = (self.newest + 1).saturating_sub(BINS as u32);
        (from.max(oldest)..=to.min(self.newest)).map(|bin| u64::from(self.flags[bin as usize % BINS])).sum()
    }
}

impl RuleTally {
    /// Counts what a rule flagged in `minute`.
    pub fn note(&mut self, class: TrafficClass, name: &str, minute: Minute, count: u32) {
        let bin = minute.0 / BIN_MIN;
        if let Some(rule) = self.rules.iter_mut().find(|rule| rule.class == class && &*rule.name == name) {
            rule.add(bin, count);
            return;
        }
        if self.rules.len() >= RULES {
            let recent = |rule: &Rule| rule.sum(bin.saturating_sub(BINS as u32 - 1), bin);
            let Some(least) = (0..self.rules.len()).min_by_key(|&at| recent(&self.rules[at])) else { return };
            if recent(&self.rules[least]) > u64::from(count) {
                return;
            }
            self.rules.remove(least);
        }
        let mut rule = Rule { class, name: name.into(), newest: bin, flags: [0; BINS] };
        rule.add(bin, count);
        self.rules.push(rule);
    }

    /// Each rule of a class with its flags before an event that lasted from `start` to `end`, and in it. The quarter of an hour
    /// in which it began counts as neither.
    pub fn of(&self, class: TrafficClass, start: Minute, end: Minute, mut each: impl FnMut(&Label, RuleCounts)) {
        let (first, last) = (start.0 / BIN_MIN, end.0 / BIN_MIN);
        let oldest = (last + 1).saturating_sub(BINS as u32);
        for rule in self.rules.iter().filter(|rule| rule.class == class) {
            let before_bins = first.saturating_sub(oldest);
            let during_bins = (last - first.min(last)).max(1);
            let counts = RuleCounts {
                before: if before_bins == 0 { 0 } else { rule.sum(oldest, first - 1) },
                during: rule.sum(if last > first { first + 1 } else { first }, last),
                before_min: u64::from(before_bins * BIN_MIN),
                during_min: u64::from(during_bins * BIN_MIN),
            };
            each(&rule.name, counts);
        }
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.rules.capacity() * size_of::<Rule>() + self.rules.iter().map(|rule| rule.name.len()).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HTTPS: TrafficClass = TrafficClass::Https;
    const T0: Minute = Minute(29_921_760);

    fn rates(tally: &RuleTally, start: Minute, end: Minute) -> Vec<(String, (f64, f64))> {
        let mut found = Vec::new();
        tally.of(HTTPS, start, end, |name, counts| found.push((name.to_string(), counts.per_hour())));
        found
    }

    #[test]
    fn a_rule_that_misfires_from_a_minute_on_shows_both_its_rates() {
        let mut tally = RuleTally::default();
        for minute in 0..240 {
            tally.note(HTTPS, "2100498", T0.plus(minute), if minute < 120 { 1 } else { 10 });
            tally.note(TrafficClass::Dns, "2100498", T0.plus(minute), 99);
        }
        let found = rates(&tally, T0.plus(120), T0.plus(239));
        assert_eq!(found.len(), 1);
        let (name, (before, during)) = &found[0];
        assert_eq!((name.as_str(), *during), ("2100498", 600.0));
        assert!((10.0..=60.0).contains(before), "two of the hours before: {before}");
    }

    #[test]
    fn invented_rules_do_not_grow_memory_nor_drive_the_busy_ones_out() {
        let mut tally = RuleTally::default();
        for minute in 0..60 {
            tally.note(HTTPS, "busy", T0.plus(minute), 20);
            for n in 0..50 {
                tally.note(HTTPS, &format!("invented-{minute}-{n}"), T0.plus(minute), 1);
            }
        }
        assert_eq!(tally.rules.len(), RULES);
        assert!(tally.rules.iter().any(|rule| &*rule.name == "busy"));
        assert!(tally.heap_bytes() < 2_048);
    }

    #[test]
    fn late_flags_go_into_the_bin_they_belong_to_and_ancient_ones_nowhere() {
        let mut tally = RuleTally::default();
        tally.note(HTTPS, "r", T0.plus(600), 5);
        tally.note(HTTPS, "r", T0.plus(300), 7);
        tally.note(HTTPS, "r", T0, 9);
        let found = rates(&tally, T0.plus(570), T0.plus(600));
        assert!(found[0].1.1 > 0.0 && found[0].1.0 > 0.0, "{found:?}");
        assert_eq!(tally.rules[0].sum(0, u32::MAX / 16), 12, "nine hours ago is out of reach");
    }
}
