//! Measured round-trip times as the usual delay of devices: read, cleaned, resampled to minutes with their own noise.
//!
//! The format is that of W. Shao et al., RTT change detection on RIPE Atlas: `epoch;rtt;cp` with a header, a ping each
//! 240 s, in milliseconds. Resampled rather than repeated: four equal minutes in a row would be evidence that nobody measured.
//!
//! Some series have bad hours of their own. Whoever tells stories in which nothing happens must know of them, and not from the
//! detector that the stories judge: [`Series::unusual`] tells them by a rule of thumb.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

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

/// An hour is unusual from this multiple of its usual level on. Half of the detector's margin is left, so that neither the
/// hours that it may just call degraded nor those that it may just not are among the usual ones.
const UNUSUAL_RATIO: f64 = 1.2;
/// Shortest unusual stretch, for the same reason shorter than an hour.
const UNUSUAL_MS: i64 = 45 * MINUTE_MS;
/// How often it is looked.
const LOOK_MS: i64 = 10 * MINUTE_MS;
/// What is usual at a time of day: the pings so long before it and after it, on so many days before.
const USUAL_REACH_MS: i64 = 90 * MINUTE_MS;
const USUAL_DAYS: i64 = 7;
/// Fewest pings that make a day's level.
const USUAL_PINGS: usize = 5;

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
    unusual: OnceLock<Vec<Range<i64>>>,
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
        Ok(Self { name: name.to_owned(), pings: with_levels(&answered), lost, unusual: OnceLock::new() })
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

    /// The series' own bad hours, in its own time, ascending: stretches of at least [`UNUSUAL_MS`] whose level is at least
    /// [`UNUSUAL_RATIO`] times the median of what it was at that time of day on the days before, up to [`USUAL_DAYS`] of them.
    /// Gaps neither add nor end, and the first day has nothing to be held against.
    ///
    /// It is told from the pings alone, and from levels, not from tails: no threshold, minimum of samples or test of the
    /// detector is in it.
    pub fn unusual(&self) -> &[Range<i64>] {
        self.unusual.get_or_init(|| {
            let mut found: Vec<Range<i64>> = Vec::new();
            let mut began = None;
            let mut at = self.start_ms() + DAY_MS;
            while at < self.end_ms() {
                if let Some(is_unusual) = self.is_unusual(at) {
                    if is_unusual {
                        let began = *began.get_or_insert(at);
                        let is_known = found.last().is_some_and(|last| last.start == began);
                        if is_known {
                            found.pop();
                        }
                        found.push(began..at + LOOK_MS);
                    } else {
                        began = None;
                    }
                }
                at += LOOK_MS;
            }
            found.retain(|stretch| stretch.end - stretch.start >= UNUSUAL_MS);
            found
        })
    }

    /// Whether the level at an instant is unusual for its time of day; `None` in a gap, or without days before.
    fn is_unusual(&self, at_ms: i64) -> Option<bool> {
        let (_, level_us) = self.level(at_ms - MINUTE_MS / 2)?;
        let mut usual: Vec<f64> =
            (1..=USUAL_DAYS).filter_map(|days| self.level_around(at_ms - days * DAY_MS)).collect();
        usual.sort_by(f64::total_cmp);
        Some(level_us >= UNUSUAL_RATIO * usual.get(usual.len() / 2)?)
    }

    /// The level in the middle of those around an instant.
    fn level_around(&self, at_ms: i64) -> Option<f64> {
        let place = |at: i64| self.pings.partition_point(|ping| ping.at_ms < at);
        let near = &self.pings[place(at_ms - USUAL_REACH_MS)..place(at_ms + USUAL_REACH_MS)];
        let mut levels: Vec<f64> = near.iter().map(|ping| ping.level_us).collect();
        levels.sort_by(f64::total_cmp);
        levels.get(levels.len() / 2).copied().filter(|_| levels.len() >= USUAL_PINGS)
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

    /// Whether nothing unusual happens in these milliseconds of the fleet's time, as far as the series can tell.
    pub fn is_usual(&self, time: &Range<i64>) -> bool {
        let own = time.start - self.shift_ms..time.end - self.shift_ms;
        self.series.unusual().iter().all(|stretch| stretch.end <= own.start || own.end <= stretch.start)
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

/// Every piece that holds all of `from_ms .. to_ms`, with the time of day kept.
pub fn pieces(all: &[Arc<Series>], from_ms: i64, to_ms: i64) -> Vec<Piece> {
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
    found
}

/// Up to `most` of these pieces; which ones says the seed.
pub fn draw(found: &[Piece], most: usize, seed: u64) -> Vec<Piece> {
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
        let found = pieces(&all, from, to);
        assert_eq!(found.len(), 7);
        for piece in &found {
            assert_eq!(piece.shift_ms % DAY_MS, 0);
            assert!(all[0].start_ms() + piece.shift_ms <= from && all[0].end_ms() + piece.shift_ms >= to);
        }
        let drawn = draw(&found, 3, 1);
        assert_eq!(drawn.len(), 3);
        assert_ne!(drawn.iter().map(|piece| piece.shift_ms).collect::<Vec<_>>(), draw_shifts(&found, 2));
    }

    fn draw_shifts(found: &[Piece], seed: u64) -> Vec<i64> {
        draw(found, 3, seed).iter().map(|piece| piece.shift_ms).collect()
    }

    /// Ten days of pings that follow the time of day, times `factor` of the minute since the start.
    fn daily(factor: impl Fn(i64) -> f64) -> Arc<Series> {
        let mut text = "epoch;rtt;cp\n".to_owned();
        for n in 0..3_600_i64 {
            let at = jiff::Timestamp::from_millisecond(1_479_081_600_000 + n * 240_000).unwrap();
            let rtt = (20.0 + 10.0 * ((n / 15 % 24) as f64 / 24.0 * std::f64::consts::TAU).sin()) * factor(n * 4);
            text += &format!("{};{rtt};0\n", at.strftime("%Y-%m-%d %H:%M:%S"));
        }
        Arc::new(Series::parse("daily", &text).unwrap())
    }

    #[test]
    fn a_bad_hour_is_unusual_and_a_daily_rise_a_short_one_and_a_slight_one_are_not() {
        let day = 1_440;
        let from = 5 * day + 600;
        let told = |factor: f64, minutes: i64| {
            let series = daily(|minute| if (from..from + minutes).contains(&minute) { factor } else { 1.0 });
            let start = series.start_ms();
            series
                .unusual()
                .iter()
                .map(|s| ((s.start - start) / MINUTE_MS, (s.end - start) / MINUTE_MS))
                .collect::<Vec<_>>()
        };
        assert!(told(1.0, 0).is_empty(), "a daily rise is usual");
        assert!(told(1.1, 300).is_empty(), "slight");
        assert!(told(2.0, 30).is_empty(), "short");
        let [(start, end)] = told(1.4, 120)[..] else { panic!("one stretch: {:?}", told(1.4, 120)) };
        assert!((start - from).abs() <= 20 && (end - from - 120).abs() <= 20, "{start} {end}");
    }

    #[test]
    fn a_piece_with_a_bad_hour_is_not_usual_and_its_other_days_are() {
        let day = 1_440;
        let all = [daily(|minute| if (5 * day..5 * day + 120).contains(&minute) { 1.5 } else { 1.0 })];
        let length = 3 * DAY_MS;
        let from = 1_794_792_600_000;
        let found = pieces(&all, from, from + length);
        let usual: Vec<_> = found.iter().filter(|piece| piece.is_usual(&(from..from + length))).collect();
        assert!(usual.len() > 1 && usual.len() < found.len(), "{} of {}", usual.len(), found.len());
        let bad = |piece: &Piece| all[0].start_ms() + 5 * DAY_MS + piece.shift_ms;
        assert!(usual.iter().all(|piece| bad(piece) >= from + length || bad(piece) + 120 * MINUTE_MS <= from));
    }
}
