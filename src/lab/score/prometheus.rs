//! The other contestants: what Prometheus and Alertmanager would have said of the same reports.
//!
//! Nothing of either is run; these of their semantics are emulated, after `rules/manager.go`, `rules/alerting.go` and
//! Alertmanager's `dispatch/dispatch.go`:
//!
//! - Reports count in the minute in which they *arrive*. The exporter keeps, by device and class, a histogram of delays and
//!   counters of probes; Prometheus scrapes and evaluates all rules once a minute. The past is never evaluated again.
//! - An instant query looks back five minutes: a series that has brought nothing for longer is stale, its alert gone.
//! - `for`: an alert is pending from the first evaluation that holds and fires at the first that comes `for` or more later,
//!   so `for: 1h` takes 61 evaluations. One evaluation that does not hold, or has no value, deletes it.
//! - The baseline is a recording rule: the quantile of each clock hour by device and class, and over it the mean of the same hour on the
//!   days before, at most seven. Ratio and least distance are the detector's own, so what differs is the clock and the grouping.
//!
//! | | literal | fair |
//! |---|---|---|
//! | latency holds when | p50 or p95 of the newest report is above its threshold | p50 or p95 over the last 5 min is |
//! | false positives | no rule | flagged share of probes over the last 10 min above max(1 %, ratio x the baseline) |
//! | `for` | 1 h | 59 min, against the fence-post |
//! | an alarm is | an alert, by device | a notification of the one Alertmanager group that brings new alerts |
//!
//! The fair one's group has `group_interval: 5m` and a `group_wait` of 30 s, which is within the minute: it tells of the alerts of
//! the first minute at once, then every five minutes of those that are new; when all are resolved the group is gone.

use crate::engine::device::TrafficClass;
use crate::engine::effect::Scope;
use crate::engine::histogram::{MAX_US, bucket_of, lowest_of};
use crate::engine::report::Report;
use crate::engine::settings::Settings;
use crate::engine::time::{MINUTE_MS, Minute, Timestamp};

use super::outcome::Alarm;

/// Buckets of the engine's layout in one of the exporter's: four an octave.
const WIDTH: usize = 4;
const CELLS: usize = bucket_of(MAX_US) / WIDTH + 1;
/// Minutes that an instant query looks back.
const LOOKBACK_MIN: i64 = 5;
/// Minutes of the fair rule's window for delays, and for probes.
const RATE_MIN: i64 = 5;
const PROBES_MIN: i64 = 10;
const RING: usize = 10;
const BASELINE_DAYS: i64 = 7;
/// Evaluations after the first that the rules wait for.
const LITERAL_FOR_MIN: i64 = 60;
const FAIR_FOR_MIN: i64 = 59;
const GROUP_INTERVAL_MIN: i64 = 5;
/// Devices that make an alarm of the whole fleet's.
const FLEET_DEVICES: usize = 3;

type Cells = [u32; CELLS];

/// Counts of a minute, or of an hour.
#[derive(Clone, Debug)]
struct Counted {
    cells: Cells,
    canary: u32,
    canary_flagged: u32,
}

impl Default for Counted {
    fn default() -> Self {
        Self { cells: [0; CELLS], canary: 0, canary_flagged: 0 }
    }
}

impl Counted {
    fn add(&mut self, other: &Self) {
        for (cell, more) in self.cells.iter_mut().zip(&other.cells) {
            *cell += more;
        }
        self.canary += other.canary;
        self.canary_flagged += other.canary_flagged;
    }

    /// The quantiles .5 and .95, interpolated within their bucket as `histogram_quantile` does.
    fn quantiles(&self) -> Option<Pair> {
        let total: u32 = self.cells.iter().sum();
        (total > 0).then(|| Pair([0.5, 0.95].map(|q| quantile(&self.cells, q * f64::from(total)) as f32)))
    }

    fn share(&self) -> Option<f32> {
        (self.canary > 0).then(|| self.canary_flagged as f32 / self.canary as f32)
    }
}

fn quantile(cells: &Cells, rank: f64) -> f64 {
    let mut below = 0.0;
    for (cell, &count) in cells.iter().enumerate().filter(|(_, count)| **count > 0) {
        let upto = below + f64::from(count);
        if upto >= rank {
            let low = f64::from(lowest_of(cell * WIDTH));
            let high = f64::from(lowest_of(((cell + 1) * WIDTH).min(bucket_of(MAX_US))));
            return low + (high - low).max(0.0) * (rank - below) / f64::from(count);
        }
        below = upto;
    }
    f64::from(MAX_US)
}

/// The median and the 95th percentile, in microseconds.
#[derive(Clone, Copy, Debug)]
struct Pair([f32; 2]);

/// What was recorded of an hour.
#[derive(Clone, Copy, Debug)]
struct Recorded {
    /// Hours since the epoch.
    hour: i64,
    quantiles: Option<Pair>,
    share: Option<f32>,
}

/// One series: a device and class.
#[derive(Clone, Debug, Default)]
struct Series {
    /// The last minutes, by minute modulo its length.
    ring: Vec<Counted>,
    newest: Counted,
    /// When the newest report came; `None` before the first.
    newest_at: Option<i64>,
    hour: i64,
    this_hour: Counted,
    recorded: Vec<Recorded>,
    /// Thresholds of the hour: median, 95th percentile, share of flagged probes.
    limits: [Option<f32>; 3],
}

/// Since when an alert is pending, and whether it fires.
#[derive(Clone, Copy, Debug, Default)]
struct Alert {
    since: Option<i64>,
    fires: bool,
}

impl Alert {
    /// One evaluation; returns whether it begins to fire.
    fn evaluate(&mut self, holds: bool, minute: i64, wait_min: i64) -> bool {
        if !holds {
            *self = Self::default();
            return false;
        }
        let since = *self.since.get_or_insert(minute);
        let before = self.fires;
        self.fires = minute - since >= wait_min;
        self.fires && !before
    }
}

/// The one Alertmanager group.
#[derive(Clone, Debug, Default)]
struct Group {
    /// Minute of the next flush; `None` while there is no group.
    next: Option<i64>,
    fresh: bool,
    groups: u32,
}

/// Both contestants over a fleet.
#[derive(Clone, Debug)]
pub struct Prometheus {
    ratio: f32,
    delta_us: f32,
    floor: f32,
    series: Vec<[Series; TrafficClass::COUNT]>,
    literal: Vec<Alert>,
    fair: Vec<[Alert; 2]>,
    group: Group,
    minute: Option<i64>,
    literal_alarms: Vec<Alarm>,
    fair_alarms: Vec<Alarm>,
}

impl Prometheus {
    /// Rules with the detector's margins, for so many devices.
    pub fn new(settings: &Settings, devices: usize) -> Self {
        Self {
            ratio: settings.ratio as f32,
            delta_us: settings.delta_us as f32,
            floor: settings.false_positive_floor as f32,
            series: vec![std::array::from_fn(|_| Series::default()); devices],
            literal: vec![Alert::default(); devices],
            fair: vec![[Alert::default(); 2]; devices],
            group: Group::default(),
            minute: None,
            literal_alarms: Vec::new(),
            fair_alarms: Vec::new(),
        }
    }

    /// Takes a report of the days before: the baseline is learnt, no rule is evaluated.
    pub fn learn(&mut self, at: Timestamp, device: u32, report: &Report) {
        self.record(minute_of(at), device, report, false);
    }

    /// Takes a report; first the evaluations up to its arrival are run.
    pub fn report(&mut self, at: Timestamp, device: u32, report: &Report) {
        self.advance(at);
        self.record(minute_of(at), device, report, true);
    }

    /// Runs the evaluations up to an instant.
    pub fn advance(&mut self, at: Timestamp) {
        let now = minute_of(at);
        let mut minute = self.minute.unwrap_or(now);
        while minute < now {
            self.evaluate(minute);
            minute += 1;
        }
        self.minute = Some(minute);
    }

    /// The alarms of the literal and of the fair rule, and how many groups the fair one's came in.
    pub fn into_alarms(self) -> (Vec<Alarm>, Vec<Alarm>, u32) {
        (self.literal_alarms, self.fair_alarms, self.group.groups)
    }

    fn record(&mut self, minute: i64, device: u32, report: &Report, live: bool) {
        for class in &report.classes {
            let series = &mut self.series[device as usize][class.class.index()];
            series.turn_hour(minute / 60);
            let mut counted =
                Counted { canary: class.canary, canary_flagged: class.canary_flagged, ..Counted::default() };
            for bucket in report.buckets_of(class) {
                counted.cells[(usize::from(bucket.index) / WIDTH).min(CELLS - 1)] += bucket.count;
            }
            series.this_hour.add(&counted);
            if live {
                series.ring.resize_with(RING, Counted::default);
                series.ring[minute as usize % RING].add(&counted);
                series.newest = counted;
                series.newest_at = Some(minute);
            }
        }
    }

    /// The evaluation at the end of a minute.
    fn evaluate(&mut self, minute: i64) {
        let mut firing = Vec::new();
        let mut fresh = false;
        for device in 0..self.series.len() {
            let (mut newest, mut over_window, mut probes) = (false, false, false);
            for series in &mut self.series[device] {
                if series.ring.is_empty() {
                    continue;
                }
                if minute % 60 == 0 || series.limits.iter().all(Option::is_none) {
                    series.limits = series.limits_of(minute / 60, self.ratio, self.delta_us, self.floor);
                }
                if series.newest_at.is_some_and(|at| minute - at < LOOKBACK_MIN) {
                    newest |= series.is_slow(&series.newest);
                    over_window |= series.is_slow(&series.window(minute, RATE_MIN));
                    probes |= series.window(minute, PROBES_MIN).share() > series.limits[2].or(Some(1.0));
                }
                // The place is the next minute's, ten minutes on.
                series.ring[(minute + 1) as usize % RING] = Counted::default();
            }
            if self.literal[device].evaluate(newest, minute, LITERAL_FOR_MIN) {
                self.literal_alarms.push(alarm(minute, vec![device as u32], Scope::Isolated));
            }
            let rules = &mut self.fair[device];
            fresh |= rules[0].evaluate(over_window, minute, FAIR_FOR_MIN);
            fresh |= rules[1].evaluate(probes, minute, FAIR_FOR_MIN);
            if rules.iter().any(|rule| rule.fires) {
                firing.push(device as u32);
            }
        }
        if let Some(devices) = self.group.flush(minute, fresh, firing) {
            let scope = if devices.len() >= FLEET_DEVICES { Scope::Fleet } else { Scope::Isolated };
            self.fair_alarms.push(alarm(minute, devices, scope));
        }
    }
}

impl Group {
    /// What is told at the end of this minute: everybody who fires, if somebody is new.
    fn flush(&mut self, minute: i64, fresh: bool, firing: Vec<u32>) -> Option<Vec<u32>> {
        self.fresh |= fresh;
        match self.next {
            None if fresh => self.groups += 1,
            Some(next) if minute >= next => {}
            _ => return None,
        }
        self.next = (!firing.is_empty()).then_some(minute + GROUP_INTERVAL_MIN);
        (std::mem::take(&mut self.fresh) && !firing.is_empty()).then_some(firing)
    }
}

impl Series {
    fn turn_hour(&mut self, hour: i64) {
        if hour > self.hour {
            let done = std::mem::take(&mut self.this_hour);
            let (quantiles, share) = (done.quantiles(), done.share());
            if quantiles.is_some() || share.is_some() {
                self.recorded.push(Recorded { hour: self.hour, quantiles, share });
            }
            self.hour = hour;
        }
    }

    fn limits_of(&self, hour: i64, ratio: f32, delta_us: f32, floor: f32) -> [Option<f32>; 3] {
        let same = |recorded: &&Recorded| {
            let back = hour - recorded.hour;
            back > 0 && back % 24 == 0 && back / 24 <= BASELINE_DAYS
        };
        let mean = |value: &dyn Fn(&Recorded) -> Option<f32>| {
            let values: Vec<f32> = self.recorded.iter().filter(same).filter_map(value).collect();
            (!values.is_empty()).then(|| values.iter().sum::<f32>() / values.len() as f32)
        };
        let above = |base: f32| (ratio * base).max(base + delta_us);
        let quantile = |which: usize| mean(&|recorded| recorded.quantiles.map(|pair| pair.0[which])).map(above);
        [quantile(0), quantile(1), mean(&|recorded| recorded.share).map(|share| (ratio * share).max(floor))]
    }

    fn is_slow(&self, counted: &Counted) -> bool {
        let Some(Pair(quantiles)) = counted.quantiles() else { return false };
        quantiles.iter().zip(&self.limits).any(|(quantile, limit)| limit.is_some_and(|limit| *quantile > limit))
    }

    /// The last minutes up to this one.
    fn window(&self, minute: i64, length_min: i64) -> Counted {
        let mut sum = Counted::default();
        for back in 0..length_min {
            sum.add(&self.ring[(minute - back) as usize % RING]);
        }
        sum
    }
}

fn alarm(minute: i64, devices: Vec<u32>, scope: Scope) -> Alarm {
    let at = Timestamp::from_ms((minute + 1) * MINUTE_MS);
    Alarm { at, devices, scope, cause: None }
}

fn minute_of(at: Timestamp) -> i64 {
    let Minute(minute) = at.minute();
    i64::from(minute)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::report::{Bucket, ClassReport};

    /// 2026-11-17 02:00 UTC.
    const NIGHT: i64 = 1_794_880_800_000 / MINUTE_MS;

    fn report(us: u32, canary_flagged: u32) -> Report {
        let mut report = Report::default();
        report.buckets.push(Bucket { index: bucket_of(us) as u16, count: 100 });
        let class = TrafficClass::Https;
        let (buckets, rules) = (0..1, 0..0);
        report.classes.push(ClassReport {
            class,
            buckets,
            rules,
            flows: 100,
            flagged: 0,
            canary: 100,
            canary_flagged,
            released: 0,
        });
        report
    }

    /// Both rules after a day of 10 ms, told each minute's delay in ms, or that nothing came.
    fn alarms(devices: u32, minutes: &[Option<u32>]) -> (Vec<Alarm>, Vec<Alarm>, u32) {
        let mut both = Prometheus::new(&Settings::default(), devices as usize);
        for minute in NIGHT - 1_440..NIGHT {
            for device in 0..devices {
                both.learn(Timestamp::from_ms(minute * MINUTE_MS), device, &report(10_000, 0));
            }
        }
        for (minute, ms) in (NIGHT..).zip(minutes) {
            let at = Timestamp::from_ms(minute * MINUTE_MS + 30_000);
            both.advance(at);
            for device in 0..devices {
                if let Some(ms) = ms {
                    both.report(at, device, &report(ms * 1_000, 0));
                }
            }
        }
        both.advance(Timestamp::from_ms((NIGHT + minutes.len() as i64) * MINUTE_MS));
        both.into_alarms()
    }

    fn bad(minutes: usize) -> Vec<Option<u32>> {
        vec![Some(30); minutes]
    }

    #[test]
    fn an_hour_takes_the_literal_rule_sixty_one_evaluations() {
        assert!(alarms(1, &bad(60)).0.is_empty());
        let (literal, ..) = alarms(1, &bad(61));
        assert_eq!(literal.len(), 1);
        assert_eq!(literal[0].at.as_ms(), (NIGHT + 61) * MINUTE_MS);
    }

    #[test]
    fn one_good_evaluation_or_five_missing_ones_start_the_wait_anew() {
        let blip = [bad(40), vec![Some(10)], bad(60)].concat();
        assert!(alarms(1, &blip).0.is_empty());
        let bridged = [bad(40), vec![None; 4], bad(17)].concat();
        assert_eq!(alarms(1, &bridged).0.len(), 1, "an instant query looks back five minutes");
        let stale = [bad(40), vec![None; 5], bad(59)].concat();
        assert!(alarms(1, &stale).0.is_empty());
    }

    #[test]
    fn an_alert_that_goes_and_comes_back_is_a_second_alarm() {
        let twice = [bad(61), vec![Some(10); 20], bad(61)].concat();
        assert_eq!(alarms(1, &twice).0.len(), 2);
        assert_eq!(alarms(1, &[bad(61), bad(200)].concat()).0.len(), 1);
    }

    #[test]
    fn the_fair_rule_tells_of_all_at_once_and_is_smeared_by_its_window() {
        let (_, fair, groups) = alarms(4, &bad(60));
        assert_eq!((fair.len(), groups), (1, 1));
        assert_eq!((fair[0].devices.len(), fair[0].scope), (4, Scope::Fleet));
        // 57 bad minutes and the window's memory of them are an hour to it.
        let (_, fair, _) = alarms(4, &[bad(57), vec![Some(10); 10]].concat());
        assert_eq!(fair.len(), 1);
    }

    #[test]
    fn false_positives_have_a_rule_of_their_own_in_the_fair_set_up_alone() {
        let mut both = Prometheus::new(&Settings::default(), 1);
        for minute in NIGHT - 1_440..NIGHT + 61 {
            let at = Timestamp::from_ms(minute * MINUTE_MS);
            if minute < NIGHT { both.learn(at, 0, &report(10_000, 0)) } else { both.report(at, 0, &report(10_000, 3)) }
        }
        both.advance(Timestamp::from_ms((NIGHT + 61) * MINUTE_MS));
        let (literal, fair, _) = both.into_alarms();
        assert_eq!((literal.len(), fair.len()), (0, 1));
    }

    #[test]
    fn a_group_tells_of_newcomers_every_five_minutes_and_begins_anew_when_it_was_empty() {
        let mut group = Group::default();
        let told: Vec<i64> = [
            (0, true, vec![1]),
            (1, true, vec![1, 2]),
            (5, false, vec![1, 2]),
            (10, false, vec![1, 2]),
            (15, false, vec![]),
            (20, true, vec![3]),
        ]
        .into_iter()
        .filter_map(|(minute, fresh, firing)| group.flush(minute, fresh, firing).map(|_| minute))
        .collect();
        assert_eq!((told, group.groups), (vec![0, 5, 20], 2));
    }
}
