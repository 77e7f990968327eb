//! The text format, written directly.

use std::fmt::Write;

use super::names::Metric;

/// A text being written. Its lines are of one metric at a time, as the format wants.
#[derive(Debug)]
pub(super) struct Text {
    out: String,
}

/// A label value, escaped as the format wants it.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl std::fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.0.bytes().any(|b| matches!(b, b'\\' | b'"' | b'\n')) {
            return f.write_str(self.0);
        }
        for c in self.0.chars() {
            match c {
                '\\' => f.write_str("\\\\")?,
                '"' => f.write_str("\\\"")?,
                '\n' => f.write_str("\\n")?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

impl Text {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { out: String::with_capacity(bytes.max(4096)) }
    }

    /// Begins a metric.
    pub(super) fn head(&mut self, metric: Metric) {
        for part in
            ["# HELP ", metric.name, " ", metric.help, "\n# TYPE ", metric.name, " ", metric.kind.as_str(), "\n"]
        {
            self.out.push_str(part);
        }
    }

    /// One series. `labels` are in text form without braces, with their values escaped; may be empty.
    pub(super) fn line(&mut self, metric: Metric, labels: &str, value: impl Number) {
        self.part(metric, "", labels, value);
    }

    /// One series of a histogram: `suffix` is `_bucket`, `_sum` or `_count`.
    pub(super) fn part(&mut self, metric: Metric, suffix: &str, labels: &str, value: impl Number) {
        self.out.push_str(metric.name);
        self.out.push_str(suffix);
        if !labels.is_empty() {
            self.out.push('{');
            self.out.push_str(labels);
            self.out.push('}');
        }
        self.out.push(' ');
        value.write(&mut self.out);
        self.out.push('\n');
    }

    /// A metric with one series and no labels.
    pub(super) fn single(&mut self, metric: Metric, value: impl Number) {
        self.head(metric);
        self.line(metric, "", value);
    }

    pub(super) fn len(&self) -> usize {
        self.out.len()
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.out.into_bytes()
    }
}

/// A value of a series.
pub(super) trait Number {
    fn write(self, out: &mut String);
}

impl Number for u64 {
    fn write(self, out: &mut String) {
        // Writing to a string cannot fail.
        let _ = write!(out, "{self}");
    }
}

impl Number for bool {
    fn write(self, out: &mut String) {
        out.push(if self { '1' } else { '0' });
    }
}

impl Number for f64 {
    fn write(self, out: &mut String) {
        let _ = write!(out, "{self}");
    }
}

/// A number of `1/PER` units, written exactly as a decimal: 1,234 ms are `1.234` s. Whole digits only, so it is faster than
/// a division and the shortest decimal of its result.
pub(super) struct Fraction<const PER: u64>(i64);

impl<const PER: u64> Fraction<PER> {
    pub(super) const fn new(parts: i64) -> Self {
        Self(parts)
    }
}

/// Milliseconds, written in seconds.
pub(super) type Millis = Fraction<1_000>;

/// Microseconds, written in seconds.
pub(super) type Micros = Fraction<1_000_000>;

impl<const PER: u64> Number for Fraction<PER> {
    fn write(self, out: &mut String) {
        let magnitude = self.0.unsigned_abs();
        if self.0 < 0 {
            out.push('-');
        }
        let _ = write!(out, "{}", magnitude / PER);
        let mut rest = magnitude % PER;
        if rest > 0 {
            out.push('.');
            let mut place = PER / 10;
            while rest > 0 {
                let digit = rest / place;
                out.push((b'0' + digit as u8) as char);
                rest %= place;
                place /= 10;
            }
        }
    }
}
