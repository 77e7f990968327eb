//! Puts a report together, the same way for both encodings: every rule about its content is here.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::error::DecodeError;
use super::hdr::HdrReader;
use super::left_out::{Field, LeftOut};
use super::limits::{Limits, MAX_PER_MS, MAX_PERIOD_MS, MAX_WALL_MS};
use crate::engine::device::{Label, Package, TrafficClass};
use crate::engine::histogram::bucket_of;
use crate::engine::label;
use crate::engine::report::{Bucket, ClassReport, Report, RuleCount};

/// Agents differ in whether they pad their base64; both are read.
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::STANDARD, LENIENT);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::URL_SAFE, LENIENT);
/// How a histogram in base64 begins: the first bytes of its cookie.
const BASE64_COOKIE: &[u8] = b"HIST";

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
///
/// What cannot be used of a class is left out and noted; only what leaves no report at all is an error.
pub(super) struct Build<'a> {
    pub limits: &'a Limits,
    pub report: &'a mut Report,
    pub left: &'a LeftOut,
    scratch: &'a mut Scratch,
    classes_seen: u8,
    first_bucket: u32,
    first_rule: u32,
    first_name: u32,
    /// The open class holds more latency values than there is room for.
    overflow: bool,
}

impl<'a> Build<'a> {
    pub(super) fn new(limits: &'a Limits, report: &'a mut Report, left: &'a LeftOut, scratch: &'a mut Scratch) -> Self {
        Self {
            limits,
            report,
            left,
            scratch,
            classes_seen: 0,
            first_bucket: 0,
            first_rule: 0,
            first_name: 0,
            overflow: false,
        }
    }

    /// Begins a class. Answers whether it is the first of its name: what comes again is to be [abandoned](Self::abandon_class).
    pub(super) fn open_class(&mut self, class: Option<TrafficClass>) -> bool {
        self.first_bucket = self.report.buckets.len() as u32;
        self.first_rule = self.report.rules.len() as u32;
        self.first_name = self.report.rule_names.len() as u32;
        let Some(class) = class else {
            self.left.note(Field::Class, DecodeError::UnknownClass);
            return false;
        };
        let bit = 1 << class.index();
        let is_first = self.classes_seen & bit == 0;
        if !is_first {
            self.left.note(Field::Class, DecodeError::DuplicateClass);
        }
        self.classes_seen |= bit;
        is_first
    }

    /// Ends the open class without keeping anything of it.
    pub(super) fn abandon_class(&mut self) {
        self.report.buckets.truncate(self.first_bucket as usize);
        self.report.rules.truncate(self.first_rule as usize);
        self.report.rule_names.truncate(self.first_name as usize);
        self.overflow = false;
    }

    /// Adds `count` samples of `us` microseconds to the open class.
    #[inline]
    pub(super) fn latency(&mut self, us: u32, count: u32) {
        if count == 0 {
            return;
        }
        if self.report.buckets.len() >= self.limits.max_buckets {
            self.overflow = true;
            return;
        }
        self.report.buckets.push(Bucket { index: bucket_of(us) as u16, count });
    }

    /// Adds an HdrHistogram V2 (plain or deflate, perhaps as base64) to the open class, whole or not at all.
    pub(super) fn hdr(&mut self, bytes: &[u8]) {
        if bytes.starts_with(BASE64_COOKIE) {
            // What Go's library gives as bytes is text already.
            return self.hdr_base64(str::from_utf8(bytes).unwrap_or_default());
        }
        let before = self.report.buckets.len();
        let (limits, report) = (self.limits, &mut *self.report);
        let read = self.scratch.hdr.read(bytes, limits.max_inflated, &mut |bucket| {
            if report.buckets.len() >= limits.max_buckets {
                return Err(DecodeError::TooMany("latency values"));
            }
            report.buckets.push(bucket);
            Ok(())
        });
        if self.left.keep(Field::Latency, read).is_none() {
            self.report.buckets.truncate(before);
        }
    }

    /// As [`Self::hdr`], from base64, on one line or on several.
    pub(super) fn hdr_base64(&mut self, text: &str) {
        let mut bytes = std::mem::take(&mut self.scratch.base64);
        bytes.clear();
        let mut decoded = BASE64.decode_vec(text, &mut bytes).is_ok();
        if !decoded {
            let joined: String = text.split_ascii_whitespace().collect();
            bytes.clear();
            decoded = BASE64.decode_vec(&joined, &mut bytes).is_ok();
            if !decoded {
                bytes.clear();
                decoded = BASE64_URL.decode_vec(&joined, &mut bytes).is_ok();
            }
        }
        // A histogram in base64 twice over is none.
        if decoded && !bytes.starts_with(BASE64_COOKIE) {
            self.hdr(&bytes);
        } else {
            self.left.note(Field::Latency, DecodeError::HdrBase64);
        }
        self.scratch.base64 = bytes;
    }

    /// Adds a rule's count to the open class, or leaves it out. Answers which.
    pub(super) fn rule(&mut self, name: &str, count: u32) -> bool {
        let Some(name) = self.left.keep(Field::Rules, formed("rules", name)) else { return false };
        let report = &mut *self.report;
        let rules = &report.rules[self.first_rule as usize..];
        let known = |rule: &RuleCount| report.rule_names[rule.name.start as usize..rule.name.end as usize] == *name;
        let refused = match () {
            () if name.is_empty() => Some(DecodeError::BadText("rules")),
            () if rules.len() >= self.limits.max_rules => Some(DecodeError::TooMany("rules")),
            () if rules.iter().any(known) => Some(DecodeError::DuplicateName),
            () => None,
        };
        if let Some(why) = refused {
            self.left.note(Field::Rules, why);
            return false;
        }
        let start = report.rule_names.len() as u32;
        report.rule_names.push_str(&name);
        report.rules.push(RuleCount { name: start..start + name.len() as u32, count });
        true
    }

    /// Sets the count of the rule that was added last, or takes the rule out again.
    pub(super) fn set_rule_count(&mut self, count: Result<u32, DecodeError>) {
        let count = self.left.keep(Field::Rules, count);
        match (self.report.rules.last_mut(), count) {
            (Some(rule), Some(count)) => rule.count = count,
            (Some(rule), None) => {
                self.report.rule_names.truncate(rule.name.start as usize);
                self.report.rules.pop();
            }
            (None, _) => {}
        }
    }

    /// Ends the open class.
    pub(super) fn close_class(&mut self, class: TrafficClass, mut counts: Counts) {
        if std::mem::take(&mut self.overflow) {
            self.left.note(Field::Latency, DecodeError::TooMany("latency values"));
            self.report.buckets.truncate(self.first_bucket as usize);
        }
        // Of a part that is larger than its whole nobody knows which of the two is wrong.
        if counts.flagged > counts.flows {
            self.left.note(Field::Flagged, DecodeError::Inconsistent("flagged"));
            (counts.flows, counts.flagged) = (0, 0);
        }
        if counts.canary_flagged > counts.canary {
            self.left.note(Field::CanaryFlagged, DecodeError::Inconsistent("canary_flagged"));
            (counts.canary, counts.canary_flagged) = (0, 0);
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
    }

    /// Checks what can only be checked once the whole message is known.
    pub(super) fn finish(self) -> Result<(), DecodeError> {
        let Self { report, left, .. } = self;
        if !(1..=MAX_PERIOD_MS).contains(&report.period_ms) {
            return Err(DecodeError::OutOfRange("period_ms"));
        }
        let most = u64::from(report.period_ms) * MAX_PER_MS;
        let exceeds = |field, count: u32| {
            let exceeds = u64::from(count) > most;
            if exceeds {
                left.note(field, DecodeError::OutOfRange("counts for the period"));
            }
            exceeds
        };
        let Report { classes, buckets, rules, .. } = report;
        for class in classes {
            let held = &buckets[class.buckets.start as usize..class.buckets.end as usize];
            let samples: u64 = held.iter().map(|bucket| u64::from(bucket.count)).sum();
            if samples > most {
                left.note(Field::Latency, DecodeError::OutOfRange("counts for the period"));
                class.buckets.end = class.buckets.start;
            }
            if exceeds(Field::Flows, class.flows) {
                (class.flows, class.flagged) = (0, 0);
            }
            if exceeds(Field::Canary, class.canary) {
                (class.canary, class.canary_flagged) = (0, 0);
            }
            if exceeds(Field::Released, class.released) {
                class.released = 0;
            }
            for rule in &mut rules[class.rules.start as usize..class.rules.end as usize] {
                if exceeds(Field::Rules, rule.count) {
                    rule.count = 0;
                }
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

/// A count of 32 bits.
pub(super) fn check_count(field: &'static str, count: u64) -> Result<u32, DecodeError> {
    u32::try_from(count).map_err(|_| DecodeError::OutOfRange(field))
}

/// The one form of a text, which may be empty.
fn formed<'t>(field: &'static str, text: &'t str) -> Result<Cow<'t, str>, DecodeError> {
    // A replacement character stands where the bytes were no UTF-8: what was meant is unknown.
    let is_whole = !text.contains(char::REPLACEMENT_CHARACTER);
    label::bounded(text).ok().filter(|_| is_whole).ok_or(DecodeError::BadText(field))
}

/// A text, or nothing when it is empty or cannot be used.
pub(super) fn name(left: &LeftOut, field: Field, text: &str) -> Option<Label> {
    let formed = left.keep(field, formed(field.as_str(), text))?;
    (!formed.is_empty()).then(|| formed.into())
}

/// A text that has to be there.
pub(super) fn full_name(field: &'static str, text: &str) -> Result<Label, DecodeError> {
    let formed = formed(field, text)?;
    if formed.is_empty() { Err(DecodeError::BadText(field)) } else { Ok(formed.into()) }
}

/// Collects the packages of a status.
pub(super) struct Packages<'a> {
    left: &'a LeftOut,
    most: usize,
    list: Vec<Package>,
}

impl<'a> Packages<'a> {
    pub(super) fn new(left: &'a LeftOut, limits: &Limits) -> Self {
        Self { left, most: limits.max_packages, list: Vec::new() }
    }

    /// Adds one, unless it cannot be used or its name has come before.
    pub(super) fn add(&mut self, name: &str, version: Result<Label, DecodeError>, installed_at: Option<i64>) {
        let added = full_name("packages", name).and_then(|name| Ok(Package { name, version: version?, installed_at }));
        let added = added.and_then(|package| match () {
            () if self.list.len() >= self.most => Err(DecodeError::TooMany("packages")),
            () if self.list.iter().any(|held| held.name == package.name) => Err(DecodeError::DuplicateName),
            () => Ok(package),
        });
        self.list.extend(self.left.keep(Field::Packages, added));
    }

    pub(super) fn finish(self) -> Vec<Package> {
        self.list
    }
}
