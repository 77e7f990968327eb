//! Measured round-trip times as the usual delay of devices: read, cleaned, resampled to minutes with their own noise.
//!
//! The format is that of W. Shao et al., RTT change detection on RIPE Atlas: `epoch;rtt;cp` with a header, a ping each
//! 240 s, in milliseconds. Resampled rather than repeated: four equal minutes in a row would be evidence that nobody measured.

use std::sync::Arc;

use thiserror::Error;

use crate::engine::time::MINUTE_MS;

use super::plan::DAY_MS;
use super::random::{Stream, mix};

/// Pings on each side of one that its local median is taken over: 20 minutes in all.
const MEDIAN_REACH: usize = 2;
/// Pings on each side of a minute whose noise may be drawn for it: two hours each way, so that a noisy night stays a
/// noisy night.
const NOISE_REACH: usize = 30;
/// Three pings in a row that were lost are a gap: the device says nothing then.
const GAP_MS: i64 = 4 * 240_000;
/// From this many milliseconds on, a ping was lost.
const LOST_MS: f64 = 999.0;

/// A line is not what the format says.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("line {line} of series {name} is not `instant;milliseconds;change`")]
pub struct SeriesError {
    /// The series' name.
    pub name: String,
    /// Line number, the header being 1.
    pub line: usize,
}

/// One answered ping with what was usual around it.
#[derive(Clone, Copy, Debug)]
struct Ping {
    at_ms: i64,
    level_us: f64,
    /// The ping over the level.
    noise: f64,
}

/// One series.
#[derive(Clone, Debug)]
pub struct Series {
    pub name: String,
    pings: Vec<Ping>,
    /// Lines that were lost pings.
    pub lost: usize,
}

/// A device's usual delay: a series, moved in time by whole days.
#[derive(Clone, Debug)]
pub struct Piece {
    pub series: Arc<Series>,
    /// What is added to the series' time, in ms.
    pub shift_ms: i64,
}

impl Series {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// When a line has another form, or no ping was answered.
    pub fn parse(name: &str, text: &str) -> Result<Self, SeriesError> {
        let (mut answered, mut lost) = (Vec::new(), 0);
        for (number, line) in text.lines().enumerate().skip(1).filter(|(_, line)| !line.trim().is_empty()) {
            let wrong = || SeriesError { name: name.to_owned(), line: number + 1 };
            let (at_ms, rtt_ms) = ping(line).ok_or_else(wrong)?;
            if rtt_ms <= 0.0 || rtt_ms >= LOST_MS {
                lost += 1;
            } else {
                answered.push((at_ms, rtt_ms));
            }
        }
        if answered.is_empty() {
            return Err(SeriesError { name: name.to_owned(), line: 1 });
        }
        answered.sort_by_key(|(at, _)| *at);
        Ok(Self { name: name.to_owned(), pings: with_levels(&answered), lost })
    }

    /// The first answered ping, in ms since the epoch.
    pub fn start_ms(&self) -> i64 {
        self.pings[0].at_ms
    }

    /// The last answered ping, in ms since the epoch.
    pub fn end_ms(&self) -> i64 {
        self.pings[self.pings.len() - 1].at_ms
    }

    /// Delays of the minute from `start_ms` on, in microseconds, in the series' own time; `false` and nothing in a gap.
    /// `below` gives a random number below its argument.
    pub fn minute(
        &self,
        start_ms: i64,
        count: usize,
        below: &mut impl FnMut(usize) -> usize,
        delays: &mut Vec<u32>,
    ) -> bool {
        delays.clear();
        let Some((after, level)) = self.level(start_ms) else { return false };
        let near = after.saturating_sub(NOISE_REACH)..(after + NOISE_REACH).min(self.pings.len());
        delays.extend((0..count).map(|_| (level * self.pings[near.start + below(near.len())].noise) as u32));
        true
    }

    /// The level of a minute in microseconds, and the first ping after its middle; `None` in a gap.
    fn level(&self, start_ms: i64) -> Option<(usize, f64)> {
        let middle = start_ms + MINUTE_MS / 2;
        let after = self.pings.partition_point(|ping| ping.at_ms <= middle);
        let (before, next) = (self.pings[after.checked_sub(1)?], self.pings.get(after)?);
        let span = next.at_ms - before.at_ms;
        if span >= GAP_MS {
            return None;
        }
        let part = (middle - before.at_ms) as f64 / span as f64;
        Some((after, before.level_us + part * (next.level_us - before.level_us)))
    }
}

impl Piece {
    /// Whether the series has data for a minute of the fleet's time.
    pub(crate) fn covers(&self, start_ms: i64) -> bool {
        self.series.level(start_ms - self.shift_ms).is_some()
    }

    /// Whether the series is over by then.
    pub(crate) fn is_over(&self, start_ms: i64) -> bool {
        start_ms - self.shift_ms > self.series.end_ms()
    }

    /// Delays of a minute of the fleet's time.
    pub(crate) fn minute(&self, start_ms: i64, count: u32, stream: &mut Stream, delays: &mut Vec<u32>) {
        let mut below = |n: usize| stream.below(n as u64) as usize;
        self.series.minute(start_ms - self.shift_ms, count as usize, &mut below, delays);
    }
}

/// Up to `most` different pieces that hold all of `from_ms .. to_ms`, with the time of day kept; which ones says the seed.
pub fn pieces(all: &[Arc<Series>], from_ms: i64, to_ms: i64, most: usize, seed: u64) -> Vec<Piece> {
    let mut found = Vec::new();
    for series in all {
        // The least shift by whole days with which the series begins before the stretch does, and further ones.
        let latest = (from_ms - series.start_ms()).div_euclid(DAY_MS);
        let mut days = latest;
        while series.end_ms() + days * DAY_MS >= to_ms {
            found.push(Piece { series: Arc::clone(series), shift_ms: days * DAY_MS });
            days -= 1;
        }
    }
    let mut order: Vec<usize> = (0..found.len()).collect();
    order.sort_by_key(|&index| mix(seed, index as u64));
    order.truncate(most);
    order.into_iter().map(|index| found[index].clone()).collect()
}

fn ping(line: &str) -> Option<(i64, f64)> {
    let mut fields = line.split(';');
    let (when, rtt) = (fields.next()?, fields.next()?);
    Some((instant_ms(when)?, rtt.trim().parse().ok().filter(|ms: &f64| ms.is_finite())?))
}

fn with_levels(answered: &[(i64, f64)]) -> Vec<Ping> {
    let mut near = Vec::new();
    let mut pings = Vec::with_capacity(answered.len());
    for (index, &(at_ms, rtt_ms)) in answered.iter().enumerate() {
        near.clear();
        let reach = index.saturating_sub(MEDIAN_REACH)..(index + MEDIAN_REACH + 1).min(answered.len());
        near.extend(answered[reach].iter().map(|(_, rtt)| *rtt));
        near.sort_by(f64::total_cmp);
        let median = near[near.len() / 2];
        pings.push(Ping { at_ms, level_us: median * 1_000.0, noise: rtt_ms / median });
    }
    pings
}

/// `YYYY-MM-DD HH:MM:SS` or `DD/MM/YYYY HH:MM`, UTC, in ms since the epoch.
fn instant_ms(text: &str) -> Option<i64> {
    let format = if text.contains('/') { "%d/%m/%Y %H:%M" } else { "%Y-%m-%d %H:%M:%S" };
    let civil = jiff::civil::DateTime::strptime(format, text.trim()).ok()?;
    Some(civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten days of pings, each at its own hour's level, with an hour's gap on the third day.
    fn series() -> Arc<Series> {
        let mut text = "epoch;rtt;cp\n".to_owned();
        for n in 0..3_600_i64 {
            let at = jiff::Timestamp::from_millisecond(1_479_081_600_000 + n * 240_000).unwrap();
            let rtt = if (730..745).contains(&n) { 1_000.0 } else { 20.0 + (n / 15 % 24) as f64 };
            text += &format!("{};{rtt};0\n", at.strftime("%Y-%m-%d %H:%M:%S"));
        }
        Arc::new(Series::parse("ten", &text).unwrap())
    }

    #[test]
    fn both_forms_of_date_are_the_same_instant() {
        assert_eq!(instant_ms("2016-11-14 11:09:37"), Some(1_479_121_777_000));
        assert_eq!(instant_ms("14/11/2016 11:09"), Some(1_479_121_740_000));
        assert_eq!(instant_ms("2016-02-29 00:00:00"), instant_ms("29/02/2016 00:00"));
        assert_eq!(instant_ms("14.11.2016 11:09"), None);
    }

    #[test]
    fn a_wrong_line_is_told_by_its_number() {
        let error = Series::parse("x", "epoch;rtt;cp\n2016-11-14 11:09:37;20;0\nnonsense\n").unwrap_err();
        assert_eq!(error.line, 3);
        assert!(Series::parse("x", "epoch;rtt;cp\n").is_err());
    }

    #[test]
    fn lost_pings_are_no_latencies_and_many_in_a_row_are_a_gap() {
        let series = series();
        assert_eq!(series.lost, 15);
        let at = |n: i64| series.start_ms() + n * 240_000;
        let (mut first, mut delays) = (|_: usize| 0, Vec::new());
        assert!(series.minute(at(700), 9, &mut first, &mut delays));
        assert_eq!(delays.len(), 9);
        assert!(!series.minute(at(737), 9, &mut first, &mut delays) && delays.is_empty());
        assert!(!series.minute(series.end_ms(), 9, &mut first, &mut delays));
    }

    #[test]
    fn pieces_keep_the_time_of_day_and_hold_the_whole_stretch() {
        let all = [series()];
        let (from, to) = (1_794_792_600_000, 1_794_792_600_000 + 3 * DAY_MS);
        let found = pieces(&all, from, to, 100, 1);
        assert_eq!(found.len(), 7);
        for piece in &found {
            assert_eq!(piece.shift_ms % DAY_MS, 0);
            assert!(all[0].start_ms() + piece.shift_ms <= from && all[0].end_ms() + piece.shift_ms >= to);
        }
        assert_eq!(pieces(&all, from, to, 3, 1).len(), 3);
    }
}
