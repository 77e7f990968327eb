//! Puts a report together, the same way for both encodings: every rule about its content is here.

use std::fmt;

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::error::DecodeError;
use super::hdr::HdrReader;
use super::limits::{Limits, MAX_PER_MS, MAX_PERIOD_MS, MAX_WALL_MS};
use crate::engine::device::{Label, MAX_LABEL_BYTES, TrafficClass};
use crate::engine::histogram::bucket_of;
use crate::engine::report::{Bucket, ClassReport, Report, RuleCount};

/// Agents differ in whether they pad their base64; both are read.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Memory beside the report that a decoder keeps from message to message.
pub(super) struct Scratch {
    hdr: HdrReader,
    base64: Vec<u8>,
}

impl Scratch {
    pub(super) fn new() -> Self {
        Self { hdr: HdrReader::new(), base64: Vec::new() }
    }
}

impl fmt::Debug for Scratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scratch").field("base64", &self.base64.capacity()).finish_non_exhaustive()
    }
}

/// The counts of a class beside its latency; what a message leaves out is 0.
#[derive(Clone, Copy, Default)]
pub(super) struct Counts {
    pub flows: u32,
    pub flagged: u32,
    pub canary: u32,
    pub canary_flagged: u32,
    pub released: u32,
}

/// A report under construction. [`Self::open_class`], then its latency and rules, then [`Self::close_class`].
pub(super) struct Build<'a> {
    pub limits: &'a Limits,
    pub report: &'a mut Report,
    scratch: &'a mut Scratch,
    classes_seen: u8,
    first_bucket: u32,
    first_rule: u32,
}

impl<'a> Build<'a> {
    pub(super) fn new(limits: &'a Limits, report: &'a mut Report, scratch: &'a mut Scratch) -> Self {
        Self { limits, report, scratch, classes_seen: 0, first_bucket: 0, first_rule: 0 }
    }

    /// Begins a class.
    pub(super) fn open_class(&mut self, class: TrafficClass) -> Result<(), DecodeError> {
        let bit = 1 << class.index();
        if self.classes_seen & bit != 0 {
            return Err(DecodeError::DuplicateClass);
        }
        self.classes_seen |= bit;
        self.first_bucket = self.report.buckets.len() as u32;
        self.first_rule = self.report.rules.len() as u32;
        Ok(())
    }

    /// Adds `count` samples of `us` microseconds to the open class.
    #[inline]
    pub(super) fn latency(&mut self, us: u32, count: u32) -> Result<(), DecodeError> {
        if count == 0 {
            return Ok(());
        }
        self.bucket(bucket_of(us) as u16, count)
    }

    #[inline]
    fn bucket(&mut self, index: u16, count: u32) -> Result<(), DecodeError> {
        if self.report.buckets.len() >= self.limits.max_buckets {
            return Err(DecodeError::TooMany("latency values"));
        }
        self.report.buckets.push(Bucket { index, count });
        Ok(())
    }

    /// Adds an HdrHistogram V2 (plain or deflate) to the open class.
    pub(super) fn hdr(&mut self, bytes: &[u8]) -> Result<(), DecodeError> {
        let (limits, report) = (self.limits, &mut *self.report);
        self.scratch.hdr.read(bytes, limits.max_inflated, &mut |bucket| {
            if report.buckets.len() >= limits.max_buckets {
                return Err(DecodeError::TooMany("latency values"));
            }
            report.buckets.push(bucket);
            Ok(())
        })
    }

    /// As [`Self::hdr`], from base64.
    pub(super) fn hdr_base64(&mut self, text: &str) -> Result<(), DecodeError> {
        let mut bytes = std::mem::take(&mut self.scratch.base64);
        bytes.clear();
        let result = match BASE64.decode_vec(text, &mut bytes) {
            Ok(()) => self.hdr(&bytes),
            Err(_) => Err(DecodeError::HdrBase64),
        };
        self.scratch.base64 = bytes;
        result
    }

    /// Adds a rule's count to the open class.
    pub(super) fn rule(&mut self, name: &str, count: u32) -> Result<(), DecodeError> {
        check_text("rules", name)?;
        let report = &mut *self.report;
        let rules = &report.rules[self.first_rule as usize..];
        if rules.len() >= self.limits.max_rules {
            return Err(DecodeError::TooMany("rules"));
        }
        let known = |rule: &RuleCount| &report.rule_names[rule.name.start as usize..rule.name.end as usize] == name;
        if rules.iter().any(known) {
            return Err(DecodeError::DuplicateName);
        }
        let start = report.rule_names.len() as u32;
        report.rule_names.push_str(name);
        report.rules.push(RuleCount { name: start..start + name.len() as u32, count });
        Ok(())
    }

    /// Sets the count of the rule that was added last.
    pub(super) fn set_rule_count(&mut self, count: u32) {
        if let Some(rule) = self.report.rules.last_mut() {
            rule.count = count;
        }
    }

    /// Ends the open class.
    pub(super) fn close_class(&mut self, class: TrafficClass, counts: Counts) -> Result<(), DecodeError> {
        if counts.flagged > counts.flows {
            return Err(DecodeError::Inconsistent("flagged"));
        }
        if counts.canary_flagged > counts.canary {
            return Err(DecodeError::Inconsistent("canary_flagged"));
        }
        self.report.classes.push(ClassReport {
            class,
            buckets: self.first_bucket..self.report.buckets.len() as u32,
            rules: self.first_rule..self.report.rules.len() as u32,
            flows: counts.flows,
            flagged: counts.flagged,
            canary: counts.canary,
            canary_flagged: counts.canary_flagged,
            released: counts.released,
        });
        Ok(())
    }

    /// Checks what can only be checked once the whole message is known.
    pub(super) fn finish(self) -> Result<(), DecodeError> {
        let report = self.report;
        if !(1..=MAX_PERIOD_MS).contains(&report.period_ms) {
            return Err(DecodeError::OutOfRange("period_ms"));
        }
        let most = u64::from(report.period_ms) * MAX_PER_MS;
        for class in &report.classes {
            let samples: u64 = report.buckets_of(class).iter().map(|bucket| u64::from(bucket.count)).sum();
            let largest = class.flows.max(class.canary).max(class.released);
            if samples.max(u64::from(largest)) > most {
                return Err(DecodeError::OutOfRange("counts for the period"));
            }
            if report.rules_of(class).any(|(_, count)| u64::from(count) > most) {
                return Err(DecodeError::OutOfRange("rules"));
            }
        }
        Ok(())
    }
}

/// A device's wall clock: any instant that arithmetic can hold.
pub(super) fn check_wall(field: &'static str, ms: i64) -> Result<i64, DecodeError> {
    if (-MAX_WALL_MS..=MAX_WALL_MS).contains(&ms) { Ok(ms) } else { Err(DecodeError::OutOfRange(field)) }
}

/// Time since the boot: not longer than the years that arithmetic can hold.
pub(super) fn check_uptime(ms: u64) -> Result<u64, DecodeError> {
    if ms <= MAX_WALL_MS as u64 { Ok(ms) } else { Err(DecodeError::OutOfRange("uptime_ms")) }
}

/// A text that has to be there: 1 to 64 bytes, no control characters.
pub(super) fn check_text(field: &'static str, text: &str) -> Result<(), DecodeError> {
    let fits = (1..=MAX_LABEL_BYTES).contains(&text.len()) && !text.chars().any(char::is_control);
    if fits { Ok(()) } else { Err(DecodeError::BadText(field)) }
}

/// A text that has to be there, kept.
pub(super) fn label(field: &'static str, text: &str) -> Result<Label, DecodeError> {
    check_text(field, text)?;
    Ok(text.into())
}

/// A text that may be absent; an empty one is absent.
pub(super) fn optional_label(field: &'static str, text: &str) -> Result<Option<Label>, DecodeError> {
    if text.is_empty() { Ok(None) } else { label(field, text).map(Some) }
}
