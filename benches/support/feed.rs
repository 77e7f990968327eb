//! A fleet's reports straight into an engine: four classes, noisy, quick to make.

use std::sync::Arc;

use fleetwatch::engine::detector::Engine;
use fleetwatch::engine::device::{Label, Status, TrafficClass};
use fleetwatch::engine::effect::Change;
use fleetwatch::engine::fleet::Fleet;
use fleetwatch::engine::histogram::bucket_of;
use fleetwatch::engine::report::{Bucket, ClassReport, Report};
use fleetwatch::engine::settings::Settings;
use fleetwatch::engine::time::Timestamp;

/// 2026-11-17, a Tuesday, 00:00 UTC.
pub const START: i64 = 1_794_873_600_000;
pub const MINUTE: i64 = 60_000;
const CLASSES: [TrafficClass; 4] = [TrafficClass::Https, TrafficClass::Http, TrafficClass::Dns, TrafficClass::Mail];
/// Different contents; which one a report has looks random.
const VARIANTS: usize = 256;

/// Devices and what they say.
pub struct Feed {
    pub ids: Vec<String>,
    good: Vec<Report>,
    bad: Vec<Report>,
    period_ms: u32,
    seq: u64,
}

impl Feed {
    /// `classes` (at most 4) with `buckets` each in every report of `period_ms`.
    pub fn new(devices: usize, classes: usize, buckets: usize, period_ms: u32) -> Self {
        let mut noise = 1;
        let mut make = |base: u32| (0..VARIANTS).map(|_| report(classes, buckets, base, &mut noise)).collect();
        let ids = (0..devices).map(|device| format!("B-{device:06}")).collect();
        Self { ids, good: make(10_000), bad: make(150_000), period_ms, seq: 0 }
    }

    /// From here on reports are of this length.
    #[allow(dead_code, reason = "not every bench changes it")]
    pub fn every(&mut self, period_ms: u32) {
        self.period_ms = period_ms;
    }

    /// The next round of reports, one of each device, all of the period from `start` on.
    pub fn round(&mut self, start: i64, bad: impl Fn(usize) -> bool, mut each: impl FnMut(&str, &Report)) {
        self.seq += 1;
        for (device, id) in self.ids.iter().enumerate() {
            let variant = (device as u64).wrapping_mul(0x9E37_79B9).wrapping_add(self.seq * 97) as usize % VARIANTS;
            let report = if bad(device) { &mut self.bad[variant] } else { &mut self.good[variant] };
            (report.boot, report.seq, report.start, report.period_ms) = (1, self.seq, start, self.period_ms);
            report.uptime_ms = (start - START + 3_600_000) as u64;
            each(id, report);
        }
    }
}

fn report(classes: usize, buckets: usize, base: u32, noise: &mut u32) -> Report {
    let mut random = move |below: u32| {
        *noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (*noise >> 8) % below
    };
    let mut report = Report::default();
    for class in CLASSES.into_iter().take(classes) {
        let first = bucket_of(base + random(base / 4)) as u16;
        let from = report.buckets.len() as u32;
        for n in 0..buckets as u16 {
            report.buckets.push(Bucket { index: first + n, count: 1 + random(9) });
        }
        report.classes.push(ClassReport {
            class,
            buckets: from..report.buckets.len() as u32,
            rules: 0..0,
            flows: 500 + random(100),
            flagged: random(3),
            canary: 4,
            canary_flagged: 0,
            released: 0,
        });
    }
    report
}

/// An engine that lives from [`START`] on.
pub struct Life {
    pub engine: Engine,
    pub feed: Feed,
    pub now: i64,
}

impl Life {
    /// Devices in 50 branches with 4 models, the first third of which has another update than the rest.
    pub fn new(feed: Feed) -> Self {
        let settings = Settings { max_devices: 1_000_000, ..Settings::default() };
        let engine = Engine::new(settings.clone(), Arc::new(Fleet::new(&settings))).with_join(side_by_side);
        for (device, id) in feed.ids.iter().enumerate() {
            let status = Status {
                online: true,
                boot: 1,
                at: START,
                model: Some(Label::from(format!("B{}00", device % 4))),
                branch: Some(Label::from(format!("branch-{:02}", device % 50))),
                update: Some(Label::from(if device % 3 == 0 { "2026.11.21" } else { "2026.11.14" })),
                ..Status::default()
            };
            engine.fleet().status(id, status, false, Timestamp::from_ms(START)).expect("there is room");
        }
        Self { engine, feed, now: START }
    }

    /// The next minute's reports, all arriving at its end.
    pub fn reports(&mut self, bad: impl Fn(usize) -> bool) {
        let end = self.now + MINUTE;
        let fleet = Arc::clone(self.engine.fleet());
        self.feed.round(self.now, bad, |id, report| {
            fleet.report(id, report, Timestamp::from_ms(end)).expect("a good report is taken");
        });
        self.now = end;
    }

    /// The six ticks after [`Self::reports`]; `each` is told the engine, to run it.
    pub fn ticks(&mut self, mut each: impl FnMut(&mut Engine, Timestamp) -> Vec<Change>) -> Vec<Change> {
        // The last one, at the full minute, comes before the next minute's reports.
        (1..=6).flat_map(|n| each(&mut self.engine, Timestamp::from_ms(self.now + n * 10_000))).collect()
    }

    /// Lives through quiet minutes.
    pub fn minutes(&mut self, count: i64) {
        for _ in 0..count {
            self.reports(|_| false);
            let changes = self.ticks(Engine::tick);
            assert!(changes.is_empty(), "a quiet life: {changes:?}");
        }
    }
}

/// As `serve` runs the halves of a tick.
fn side_by_side(first: &mut (dyn FnMut() + Send), second: &mut (dyn FnMut() + Send)) {
    std::thread::scope(|scope| {
        scope.spawn(second);
        first();
    });
}
