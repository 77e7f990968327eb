//! Words, numbers and colours.

use std::fmt::Display;

use console::{measure_text_width, style};

use crate::engine::effect::Cause;
use crate::engine::time::Timestamp;
use crate::words::number::Certainty;

/// Colours, or none: on a terminal that can show them, and unless `NO_COLOR` is set.
#[derive(Clone, Copy, Debug)]
pub struct Paint(bool);

impl Paint {
    /// Colours if `on`.
    pub const fn new(on: bool) -> Self {
        Self(on)
    }

    pub(super) const fn is_on(self) -> bool {
        self.0
    }

    pub fn bold(self, text: impl Display) -> String {
        style(text).bold().force_styling(self.0).to_string()
    }

    pub fn dim(self, text: impl Display) -> String {
        style(text).dim().force_styling(self.0).to_string()
    }

    pub fn good(self, text: impl Display) -> String {
        style(text).green().force_styling(self.0).to_string()
    }

    pub fn warn(self, text: impl Display) -> String {
        style(text).yellow().bold().force_styling(self.0).to_string()
    }

    pub fn bad(self, text: impl Display) -> String {
        style(text).red().bold().force_styling(self.0).to_string()
    }

    pub fn name(self, text: impl Display) -> String {
        style(text).cyan().bold().force_styling(self.0).to_string()
    }
}

/// A number with its thousands apart: `1,234,567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 device`, `2 devices`.
pub(super) fn devices(number: usize) -> String {
    format!("{} device{}", count(number as u64), if number == 1 { "" } else { "s" })
}

/// `hh:mm:ss` of the fleet's local day.
pub fn local_time(at: Timestamp, utc_offset_min: i32) -> String {
    let seconds = (at.as_ms() / 1_000 + i64::from(utc_offset_min) * 60).rem_euclid(86_400);
    format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

/// `hh:mm` of the fleet's local day.
pub(super) fn local_minute(at: Timestamp, utc_offset_min: i32) -> String {
    let mut text = local_time(at, utc_offset_min);
    text.truncate(5);
    text
}

/// Day of the week, in three letters.
pub(super) fn local_weekday(at: Timestamp, utc_offset_min: i32) -> &'static str {
    // 1970-01-01 was a Thursday.
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    let day = (at.as_ms() / 60_000 + i64::from(utc_offset_min)).div_euclid(1_440);
    DAYS[day.rem_euclid(7) as usize]
}

/// `text` in lines of at most `width`, broken at spaces; all but the first are set in by `indent`.
pub(super) fn wrap(text: &str, width: usize, indent: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let room = width.saturating_sub(measure_text_width(&line) + 1);
        if measure_text_width(word) > room && measure_text_width(&line) > indent {
            lines.push(std::mem::replace(&mut line, " ".repeat(indent)));
        } else if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

/// `update 2026.11.18`.
pub(super) fn suspect(cause: &Cause) -> String {
    format!("{} {}", cause.suspect.kind, cause.suspect.value)
}

/// `firmware 5.2.1 (under 1 %)`; `None` when nothing else comes into question.
pub(super) fn runner_up(cause: &Cause) -> Option<String> {
    let second = cause.runner_up.as_ref()?;
    let apart = if cause.inseparable { ", on the same devices" } else { "" };
    Some(format!("{} {} ({}{apart})", second.suspect.kind, second.suspect.value, Certainty(second.confidence)))
}
