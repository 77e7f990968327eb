//! Measured round-trip times as the usual delay of devices: read, cleaned, resampled to minutes with their own noise.
//!
//! Source: W. Shao et al., RTT change detection on RIPE Atlas; a ping each 240 s. The files are read where they are.
#![allow(dead_code, reason = "each test binary uses its own part of the helpers")]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a fixture that does not hold is a failed test")]

use std::path::{Path, PathBuf};

use fleetwatch::engine::time::{MINUTE_MS, Timestamp};

use super::random::Random;

pub const DAY_MS: i64 = 86_400_000;

/// Pings on each side of one that its local median is taken over: 20 minutes in all.
const MEDIAN_REACH: usize = 2;
/// Pings on each side of a minute whose noise may be drawn for it: two hours each way, so that a noisy night stays a
/// noisy night.
const NOISE_REACH: usize = 30;
/// Three pings in a row that were lost are a gap: the device says nothing then.
const GAP_MS: i64 = 4 * 240_000;

/// One answered ping with what was usual around it.
#[derive(Clone, Copy, Debug)]
struct Ping {
    at_ms: i64,
    level_us: f64,
    /// The ping over the level.
    noise: f64,
}

/// One series.
pub struct Series {
    pub name: String,
    pings: Vec<Ping>,
    /// Lines that were lost pings.
    pub lost: usize,
}

/// Every series, by name; `None` with a message where they are not.
pub fn all() -> Option<Vec<Series>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/ripe_atlas_rtt");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("skipped: no series in ../shared/data");
        return None;
    };
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "csv"))
        .collect();
    files.sort();
    Some(files.iter().map(|file| Series::read(file)).collect())
}

impl Series {
    fn read(file: &Path) -> Self {
        let text = std::fs::read_to_string(file).unwrap();
        let (mut answered, mut lost) = (Vec::new(), 0);
        for line in text.lines().skip(1).filter(|line| !line.trim().is_empty()) {
            let mut fields = line.split(';');
            let (when, rtt) = (fields.next().unwrap(), fields.next().unwrap());
            let rtt_ms: f64 = rtt.trim().parse().unwrap();
            if rtt_ms <= 0.0 || rtt_ms >= 999.0 {
                lost += 1;
            } else {
                answered.push((instant_ms(when).unwrap_or_else(|| panic!("{}: {when}", file.display())), rtt_ms));
            }
        }
        answered.sort_by_key(|(at, _)| *at);
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        Self { name, pings: with_levels(&answered), lost }
    }

    pub fn start_ms(&self) -> i64 {
        self.pings[0].at_ms
    }

    pub fn end_ms(&self) -> i64 {
        self.pings[self.pings.len() - 1].at_ms
    }

    /// Delays of one minute in microseconds, in the series' own time; `false` and nothing in a gap.
    pub fn minute(&self, start_ms: i64, count: usize, random: &mut Random, delays: &mut Vec<u32>) -> bool {
        delays.clear();
        let middle = start_ms + MINUTE_MS / 2;
        let after = self.pings.partition_point(|ping| ping.at_ms <= middle);
        let (Some(before), Some(next)) = (after.checked_sub(1).map(|i| self.pings[i]), self.pings.get(after)) else {
            return false;
        };
        let span = next.at_ms - before.at_ms;
        if span >= GAP_MS {
            return false;
        }
        let part = (middle - before.at_ms) as f64 / span as f64;
        let level = before.level_us + part * (next.level_us - before.level_us);
        let near = after.saturating_sub(NOISE_REACH)..(after + NOISE_REACH).min(self.pings.len());
        for _ in 0..count {
            let ping = &self.pings[near.start + random.below(near.len())];
            delays.push((level * ping.noise) as u32);
        }
        true
    }
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
pub fn instant_ms(text: &str) -> Option<i64> {
    let (date, time) = text.trim().split_once(' ')?;
    let [year, month, day] = if date.contains('/') {
        let [day, month, year] = numbers(date, '/')?;
        [year, month, day]
    } else {
        numbers(date, '-')?
    };
    let mut parts = time.split(':').map(str::parse::<i64>);
    let (hour, minute) = (parts.next()?.ok()?, parts.next()?.ok()?);
    let second = parts.next().map_or(Ok(0), |second| second).ok()?;
    let seconds = ((days_from_civil(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
    Some(Timestamp::from_ms(seconds * 1_000).as_ms())
}

fn numbers(text: &str, separator: char) -> Option<[i64; 3]> {
    let mut parts = text.split(separator).map(str::parse::<i64>);
    let three = [parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?];
    parts.next().is_none().then_some(three)
}

/// Days since 1970-01-01 of a date of the Gregorian calendar (Howard Hinnant's `days_from_civil`).
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}
