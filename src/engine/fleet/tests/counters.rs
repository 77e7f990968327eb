//! Everything that uptime, boot, sequence number and wall clock of a device can do, against a model that knows when each
//! report was measured.

use proptest::prelude::*;

use super::*;

const MINUTE: i64 = 60_000;

/// How a device counts.
#[derive(Clone, Copy, Debug)]
struct Counters {
    period_ms: i64,
    /// The uptime wraps after this many ms, and stands this far before it at first.
    wrap: Option<(i64, i64)>,
    /// The uptime is a multiple of this, in ms.
    grain_ms: i64,
    boot: Boot,
    /// Sequence numbers begin anew at a restart.
    anew: bool,
    /// Sequence numbers wrap after this many.
    seq_width: Option<u64>,
    wall: Wall,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Boot {
    Counted,
    Lost,
    Random,
    Down,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Wall {
    /// This far ahead of the truth.
    Ahead(i64),
    /// From 1970 on at each start.
    Unset,
    /// It always says this.
    Still(i64),
}

impl Wall {
    /// Whether what it says can be the time.
    fn is_right(self) -> bool {
        matches!(self, Self::Ahead(ahead) if ahead.abs() <= HORIZON_MS)
    }

    /// Whether it tells how long a machine was off or stood still.
    fn is_kept(self) -> bool {
        matches!(self, Self::Ahead(_))
    }
}

/// What happens to a device, one after the other.
#[derive(Clone, Copy, Debug)]
enum Step {
    Reports(usize),
    /// Off for so long, in ms, then on again.
    Restart(i64),
    /// The whole machine stands still, in ms; afterwards its clock is set.
    Pause(i64),
    /// The agent alone begins anew.
    Agent,
    /// Nothing is delivered during so many reports, then all of it: after what is live, or before.
    Outage {
        reports: usize,
        live_first: bool,
    },
}

/// One report: when it was measured, and how it is delivered.
#[derive(Clone, Debug)]
struct Made {
    report: Report,
    measured_ms: i64,
    arrival_ms: i64,
    /// Its minute cannot be known: the clocks all stood still with the machine.
    is_blind: bool,
}

#[derive(Debug)]
struct Device {
    counters: Counters,
    now_ms: i64,
    uptime_ms: i64,
    wall_ahead_ms: i64,
    seq: u64,
    boot: u64,
    made: Vec<Made>,
    /// Births: when, boot, wall clock.
    births: Vec<(i64, u64, i64)>,
    blind_until_ms: i64,
}

impl Device {
    fn live(counters: Counters, steps: &[Step]) -> Self {
        let uptime_ms = counters.wrap.map_or(0, |(width, before)| width - before);
        let mut device = Self {
            counters,
            now_ms: EPOCH,
            uptime_ms,
            wall_ahead_ms: 0,
            seq: 0,
            boot: 40,
            made: Vec::new(),
            births: Vec::new(),
            blind_until_ms: 0,
        };
        device.start(uptime_ms);
        steps.iter().for_each(|step| device.step(*step));
        device
    }

    fn start(&mut self, uptime_ms: i64) {
        self.uptime_ms = uptime_ms;
        self.wall_ahead_ms = match self.counters.wall {
            Wall::Ahead(ahead) => ahead,
            Wall::Unset => uptime_ms - self.now_ms,
            Wall::Still(_) => 0,
        };
        self.boot = match self.counters.boot {
            Boot::Counted => self.boot + 1,
            Boot::Lost => 1,
            Boot::Random => self.boot.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(self.made.len() as u64) >> 1,
            Boot::Down => self.boot - 1,
        };
        if self.counters.anew {
            self.seq = 0;
        }
        self.births.push((self.now_ms, self.boot, self.wall_ms()));
    }

    /// What its wall clock says.
    fn wall_ms(&self) -> i64 {
        match self.counters.wall {
            Wall::Still(wall_ms) => wall_ms,
            Wall::Ahead(_) | Wall::Unset => self.now_ms + self.wall_ahead_ms,
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Reports(reports) => (0..reports).for_each(|_| self.report(None)),
            Step::Restart(off_ms) => {
                // While a machine's stand-still is not proved yet, its uptime is taken to have gone on, and may seem to wrap.
                let is_unproved = self.now_ms < self.blind_until_ms && self.counters.wrap.is_some();
                let looks_like_a_wrap =
                    self.looks_like_a_wrap(off_ms) || (is_unproved && !self.counters.wall.is_kept());
                self.now_ms += off_ms;
                if looks_like_a_wrap {
                    self.blind_until_ms = self.now_ms + 2 * MINUTE + 2 * self.counters.period_ms;
                }
                self.start(3_000);
            }
            Step::Pause(still_ms) => {
                self.now_ms += still_ms;
                if !self.counters.wall.is_kept() {
                    self.wall_ahead_ms -= still_ms;
                    self.blind_until_ms = self.now_ms + 2 * MINUTE + 2 * self.counters.period_ms;
                }
            }
            Step::Agent => self.seq = 0,
            Step::Outage { reports, live_first } => {
                let end_ms = self.now_ms + reports as i64 * self.counters.period_ms;
                // A pace that was not proved yet has to be proved anew after the silence.
                if self.now_ms < self.blind_until_ms {
                    self.blind_until_ms = end_ms + 2 * MINUTE + 2 * self.counters.period_ms;
                }
                let from = self.made.len();
                (0..reports).for_each(|n| self.report(Some(end_ms + 500 + n as i64 * 30)));
                if live_first {
                    let shift = self.counters.period_ms + 2_000;
                    self.made[from..].iter_mut().for_each(|made| made.arrival_ms += shift);
                }
            }
        }
    }

    /// Nothing tells a restart from a wrap in the same silence when the wall clock stands still, but the pace; nor, without a clock and
    /// a boot number, a restart just after a wrap from the life that wrapped.
    fn looks_like_a_wrap(&self, off_ms: i64) -> bool {
        let Counters { boot, wrap, wall, .. } = self.counters;
        let has_wrapped = |(width, _)| self.uptime_ms >= width && self.uptime_ms % width <= 3 * self.counters.period_ms;
        if boot == Boot::Lost && !wall.is_kept() && wrap.is_some_and(has_wrapped) {
            return true;
        }
        let period_ms = self.counters.period_ms;
        let is_between =
            |(width, _)| (self.uptime_ms - period_ms) / width != (self.uptime_ms + off_ms + 2 * period_ms) / width;
        matches!(self.counters.wall, Wall::Still(_)) && self.counters.wrap.is_some_and(is_between)
    }

    fn report(&mut self, arrival_ms: Option<i64>) {
        let Counters { period_ms, wrap, grain_ms, seq_width, .. } = self.counters;
        let n = self.made.len() as u64;
        let uptime_ms = wrap.map_or(self.uptime_ms, |(width, _)| self.uptime_ms % width) / grain_ms * grain_ms;
        let report = Report {
            boot: self.boot,
            seq: seq_width.map_or(self.seq, |width| self.seq % width),
            uptime_ms: uptime_ms as u64,
            start: self.wall_ms(),
            period_ms: period_ms as u32,
            classes: vec![ClassReport { flows: n as u32, flagged: 0, ..class(TrafficClass::Https, 0..1) }],
            buckets: vec![Bucket { index: 40, count: 1 }],
            ..Report::default()
        };
        let measured_ms = self.now_ms;
        (self.now_ms, self.uptime_ms, self.seq) = (self.now_ms + period_ms, self.uptime_ms + period_ms, self.seq + 1);
        let arrival_ms = arrival_ms.unwrap_or(self.now_ms + 20 + (n as i64 * 377) % 900);
        self.made.push(Made { report, measured_ms, arrival_ms, is_blind: measured_ms < self.blind_until_ms });
    }
}

fn counters() -> impl Strategy<Value = Counters> {
    let wraps = [1i64 << 32, 1 << 31, 10 << 32];
    let wrap = prop_oneof![
        1 => Just(None),
        2 => (prop::sample::select(wraps.to_vec()), 0i64..90 * MINUTE).prop_map(|(width, before)| Some((width, before))),
    ];
    let boot = prop::sample::select(vec![Boot::Counted, Boot::Lost, Boot::Random, Boot::Down]);
    let hour = 60 * MINUTE;
    let ahead = [0, 9 * hour, -5 * hour, 3_650 * 24 * hour].map(Wall::Ahead);
    let wall =
        prop::sample::select([ahead.as_slice(), &[Wall::Unset, Wall::Still(0), Wall::Still(EPOCH - hour)]].concat());
    let seq_width = prop::sample::select(vec![None, Some(1u64 << 8), Some(1 << 16)]);
    (
        prop::sample::select(vec![10_000i64, 60_000]),
        wrap,
        prop::sample::select(vec![1i64, 10, 1_000]),
        boot,
        any::<bool>(),
        seq_width,
        wall,
    )
        .prop_map(|(period_ms, wrap, grain_ms, boot, anew, seq_width, wall)| Counters {
            period_ms,
            wrap,
            grain_ms,
            boot,
            anew,
            seq_width,
            wall,
        })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1usize..60).prop_map(Step::Reports),
        2 => (5_000i64..20 * MINUTE).prop_map(Step::Restart),
        1 => (2 * MINUTE..40 * MINUTE).prop_map(Step::Pause),
        1 => Just(Step::Agent),
        2 => (2usize..40, any::<bool>()).prop_map(|(reports, live_first)| Step::Outage { reports, live_first }),
    ]
}

/// A life that begins and ends with something live, and after whose every event something live comes.
fn life() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec((step(), 4usize..30), 1..8).prop_map(|steps| {
        let live = |(step, reports)| [step, Step::Reports(reports)];
        [Step::Reports(8)].into_iter().chain(steps.into_iter().flat_map(live)).collect()
    })
}

/// Everything that is delivered, in the order of arrival: which report, and whether it is a copy.
fn deliveries(device: &Device, copies: &[(usize, i64)]) -> Vec<(i64, usize, bool)> {
    let first = device.made.iter().enumerate().map(|(at, made)| (made.arrival_ms, at, false));
    let again = copies.iter().map(|&(at, after_ms)| {
        let at = at % device.made.len();
        (device.made[at].arrival_ms + after_ms, at, true)
    });
    let mut all: Vec<_> = first.chain(again).collect();
    all.sort_unstable();
    all
}

fn check(device: &Device, copies: &[(usize, i64)]) -> Result<(), TestCaseError> {
    let fleet = Fleet::new(&Settings::default());
    let mut known = BTreeMap::new();
    let mut births = device.births.iter().peekable();
    for (arrival_ms, at, is_copy) in deliveries(device, copies) {
        let now = Timestamp::from_ms(arrival_ms);
        while let Some((born_ms, boot, wall_ms)) = births.next_if(|birth| birth.0 <= arrival_ms) {
            let status = Status { online: true, boot: *boot, at: *wall_ms, ..Status::default() };
            fleet.status("B-1", status, false, Timestamp::from_ms(*born_ms)).unwrap();
        }
        if let Some(known_device) = fleet.get("B-1") {
            tally(&known_device, &mut known, now.plus_ms(-Settings::default().grace_ms).minute());
        }
        let made = &device.made[at];
        let taken = fleet.report("B-1", &made.report, now);
        if is_copy {
            prop_assert!(taken.is_err(), "a copy of {at} was taken: {taken:?} {made:?}");
            continue;
        }
        prop_assert!(taken.is_ok(), "{at} was refused: {taken:?} {made:?}");
        let off = taken.unwrap().minute.since(Timestamp::from_ms(made.measured_ms).minute());
        prop_assert!(made.is_blind || off.abs() <= 1, "{at} lies {off} minutes off: {made:?}");
    }
    let tracked = fleet.get("B-1").unwrap();
    prop_assert_eq!(tracked.reports(), device.made.len() as u64);
    prop_assert!(tracked.memory_bytes() < 28 * 1024, "{}", tracked.memory_bytes());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_live_stream_is_live_whatever_its_counters_do(
        counters in counters(),
        steps in life(),
        copies in prop::collection::vec((any::<usize>(), 1i64..90 * MINUTE), 0..30),
    ) {
        let device = Device::live(counters, &steps);
        // Without a clock that can be right, a late copy of what came soon after a start looks like another start, and copies that
        // come at the pace of the device, while it is silent, like the device.
        let most_ms = if !counters.wall.is_right() { 100 * counters.period_ms } else { i64::MAX };
        let copies: Vec<_> = copies.into_iter().map(|(at, after_ms)| (at, after_ms.min(most_ms))).collect();
        check(&device, &copies)?;
    }
}

/// A device that is switched on for the first time, with a right clock.
const USUAL: Counters = Counters {
    period_ms: 10_000,
    wrap: None,
    grain_ms: 1,
    boot: Boot::Counted,
    anew: false,
    seq_width: None,
    wall: Wall::Ahead(0),
};

/// Found by chance once.
#[test]
fn a_start_right_after_a_wrap_is_no_part_of_the_run_before() {
    let counters =
        Counters { wrap: Some((1 << 32, 61_001)), grain_ms: 1_000, boot: Boot::Lost, wall: Wall::Unset, ..USUAL };
    let device = Device::live(counters, &[Step::Reports(8), Step::Restart(50_000), Step::Reports(6)]);
    check(&device, &[]).unwrap();
}

/// Found by chance once.
#[test]
fn a_number_of_an_agent_that_began_anew_is_not_that_of_the_machine_s_first_hours() {
    let counters = Counters { boot: Boot::Lost, wall: Wall::Still(0), ..USUAL };
    let steps = [Step::Reports(228), Step::Restart(5_000), Step::Reports(29), Step::Agent, Step::Reports(4)];
    check(&Device::live(counters, &steps), &[]).unwrap();
}

/// Found by chance once.
#[test]
fn a_copy_of_the_last_report_before_a_wrap_is_a_copy_after_a_restart_too() {
    let counters = Counters { wrap: Some((1 << 32, 790_001)), ..USUAL };
    let steps = [Step::Reports(107), Step::Agent, Step::Reports(15), Step::Restart(5_000), Step::Reports(136)];
    let device = Device::live(counters, &steps);
    check(&device, &[(79, 1_775_130)]).unwrap();
}

/// Found by chance once.
#[test]
fn a_copy_of_the_last_report_before_a_restart_is_a_copy_in_a_later_silence_too() {
    for boot in [Boot::Counted, Boot::Lost] {
        let counters = Counters { boot, ..USUAL };
        let device = Device::live(counters, &[Step::Reports(79), Step::Restart(5_000), Step::Reports(178)]);
        check(&device, &[(78, 2_559_606)]).unwrap();
    }
}

/// Found by chance once.
#[test]
fn a_number_that_wraps_in_a_silence_as_long_as_the_uptime_is_no_restart_where_boots_are_counted() {
    let counters = Counters { seq_width: Some(256), wall: Wall::Unset, ..USUAL };
    let silence = Step::Outage { reports: 35, live_first: false };
    let steps =
        [Step::Reports(8), Step::Restart(5_000), Step::Reports(213), Step::Restart(5_000), Step::Reports(8), silence];
    let device = Device::live(counters, &[steps.as_slice(), &[Step::Reports(4)]].concat());
    check(&device, &[]).unwrap();
}
