//! A decoded report: one period of one device, all latency forms already turned into buckets.
//!
//! The decoder owns one and fills it again and again, so that decoding a message does not allocate once it is warm.

use super::device::TrafficClass;

/// `count` samples in bucket `index` of the layout in [`super::histogram`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bucket {
    pub index: u16,
    pub count: u32,
}

/// One report of one device. Every number has been range-checked.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// Grows at each start of the device.
    pub boot: u64,
    /// Grows with each report of a boot; `(device, boot, seq)` is the identity of a report.
    pub seq: u64,
    /// Monotonic milliseconds since the boot at the start of the period.
    pub uptime_ms: u64,
    /// The device's wall clock at the start of the period, ms since the epoch: a hint.
    pub start: i64,
    /// Length of the period, 1..=60000 ms.
    pub period_ms: u32,
    /// At most one entry per class, in the order of the message.
    pub classes: Vec<ClassReport>,
    /// Buckets of all classes one after the other; each class owns a range. An index may repeat.
    pub buckets: Vec<Bucket>,
    /// Rules of all classes one after the other; each class owns a range.
    pub rules: Vec<RuleCount>,
    /// Texts of the rules one after the other.
    pub rule_names: String,
}

/// What a report says of one traffic class. Counts are of this period alone, not running totals.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClassReport {
    pub class: TrafficClass,
    /// Range in [`Report::buckets`].
    pub buckets: std::ops::Range<u32>,
    /// Range in [`Report::rules`].
    pub rules: std::ops::Range<u32>,
    pub flows: u32,
    pub flagged: u32,
    pub canary: u32,
    pub canary_flagged: u32,
    pub released: u32,
}

/// Flagged count of one detection rule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RuleCount {
    /// Range in [`Report::rule_names`].
    pub name: std::ops::Range<u32>,
    pub count: u32,
}

impl Report {
    /// Empties the report and keeps its memory.
    pub fn clear(&mut self) {
        self.classes.clear();
        self.buckets.clear();
        self.rules.clear();
        self.rule_names.clear();
        (self.boot, self.seq, self.uptime_ms, self.start, self.period_ms) = (0, 0, 0, 0, 0);
    }

    /// The buckets of one class of this report.
    pub fn buckets_of(&self, class: &ClassReport) -> &[Bucket] {
        &self.buckets[class.buckets.start as usize..class.buckets.end as usize]
    }

    /// The rules of one class of this report, by name.
    pub fn rules_of(&self, class: &ClassReport) -> impl Iterator<Item = (&str, u32)> {
        self.rules[class.rules.start as usize..class.rules.end as usize]
            .iter()
            .map(|rule| (&self.rule_names[rule.name.start as usize..rule.name.end as usize], rule.count))
    }
}
