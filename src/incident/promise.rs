//! The three days: how many devices are left, how fast they are done, and whether the promise holds.

use serde::{Deserialize, Serialize};

use super::LifeSettings;
use super::aggregate::Incident;
use crate::engine::time::Timestamp;

/// Milliseconds of an hour.
const HOUR_MS: i64 = 3_600_000;

/// How far back the rate is measured, in hours. Shorter than a day, nights would be taken for standstill and mornings for a
/// rush; longer, a fix that has just come would be held back by the days without one.
const RATE_H: i64 = 24;

/// Fewest devices that make a rate.
const RATE_LEAST: usize = 3;

/// Two-sided 80 % of the standard normal distribution.
const Z_80: f64 = 1.2816;

/// When the last device will be done, if it goes on as in the last day.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Forecast {
    /// Devices an hour.
    pub rate_per_h: f64,
    pub ends_at: Timestamp,
    /// Eight of ten times it ends between these two.
    pub earliest: Timestamp,
    pub latest: Timestamp,
}

/// The promise, and how it stands.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Burndown {
    pub promised_at: Timestamp,
    /// Devices in all, and those left.
    pub devices: u32,
    pub left: u32,
    /// Devices left after each instant at which that changed, ascending; the first is the declaration.
    pub points: Vec<(Timestamp, u32)>,
    /// `None` until enough devices are done, and once none is left.
    pub forecast: Option<Forecast>,
    /// Whether the promise is missed: by the forecast, or because its time has passed with devices left. Stays so when the last one
    /// is done too late.
    pub missed: bool,
}

impl Incident {
    /// When the last device is to be done.
    pub fn promised_at(&self, settings: &LifeSettings) -> Timestamp {
        self.opening.declared_at.plus_ms(i64::from(settings.promise_h) * HOUR_MS)
    }

    /// How the promise stands at `now`. The devices count as of now: one that is done and affected again is left again.
    pub fn burndown(&self, settings: &LifeSettings, now: Timestamp) -> Burndown {
        let promised_at = self.promised_at(settings);
        let settled = |rung: &super::Rung| {
            let signed = rung.exception.as_ref().map(|exception| exception.at);
            rung.done_at.or(signed).filter(|_| rung.is_settled())
        };
        // What was absorbed from an older incident may have been done before this one was declared.
        let since = |at: Timestamp| at.max(self.opening.declared_at);
        let mut done: Vec<Timestamp> = self.ladder.iter().filter_map(|(_, rung)| settled(rung).map(since)).collect();
        done.sort_unstable();
        let devices = self.ladder.len() as u32;
        let left = devices - done.len() as u32;
        let forecast = forecast(&done, left, self.opening.declared_at, now);
        let mut points = vec![(self.opening.declared_at, devices)];
        for (count, at) in done.iter().enumerate() {
            let left = devices - count as u32 - 1;
            match points.last_mut() {
                Some(last) if last.0 == *at => last.1 = left,
                _ => points.push((*at, left)),
            }
        }
        let late = if left > 0 { now > promised_at } else { done.last().is_some_and(|last| *last > promised_at) };
        let missed = late || forecast.is_some_and(|forecast| forecast.ends_at > promised_at);
        Burndown { promised_at, devices, left, points, forecast, missed }
    }
}

/// When `left` devices will be done, from the instants at which others were.
///
/// Devices are taken to be done as a Poisson process: the rate is known to a relative error of `1/sqrt(n)` from the `n` that
/// were done after the first one, the time for `m` more spreads by `1/sqrt(m)` about its mean, and the logarithm of their product is near enough
/// to normal (as for a ratio of two gamma variables).
fn forecast(done: &[Timestamp], left: u32, declared_at: Timestamp, now: Timestamp) -> Option<Forecast> {
    let from = now.plus_ms(-RATE_H * HOUR_MS).max(declared_at);
    let recent: Vec<Timestamp> = done.iter().copied().filter(|at| *at >= from).collect();
    if left == 0 || recent.len() < RATE_LEAST {
        return None;
    }
    // Since the first of them, not since the declaration: before there is a fix nothing can be done.
    let hours = (now.since_ms(recent[0]) as f64 / HOUR_MS as f64).max(0.25);
    let (n, m) = ((recent.len() - 1) as f64, f64::from(left));
    let rate_per_h = n / hours;
    let mean_ms = m / rate_per_h * HOUR_MS as f64;
    let spread = (Z_80 * (1.0 / n + 1.0 / m).sqrt()).exp();
    let after = |ms: f64| now.plus_ms(ms.min(1e13) as i64);
    Some(Forecast {
        rate_per_h,
        ends_at: after(mean_ms),
        earliest: after(mean_ms / spread),
        latest: after(mean_ms * spread),
    })
}
