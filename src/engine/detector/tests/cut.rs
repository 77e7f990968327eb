//! States that are taken in slices while reports come and ticks go on: whoever starts from one lives on as if nothing had
//! happened.

use std::sync::OnceLock;

use proptest::prelude::*;

use super::*;

const DEVICES: usize = 12;
const MINUTES: i64 = 40;

/// What arrives.
#[derive(Clone, Copy, Debug)]
enum Act {
    Report { device: usize, minute: i64, seq: u64 },
    Status { device: usize },
}

/// A day of history, as an image.
fn history() -> &'static (Vec<u8>, i64, Vec<u64>) {
    static HISTORY: OnceLock<(Vec<u8>, i64, Vec<u64>)> = OnceLock::new();
    HISTORY.get_or_init(|| {
        let bench = Bench::new(DEVICES, 6);
        (bench.engine.image(), bench.now, bench.seq)
    })
}

fn bench_from(image: &[u8], now: i64) -> Bench {
    let settings = Settings { utc_offset_min: 0, ..Settings::default() };
    let mut engine = Engine::new(settings.clone(), Arc::new(Fleet::new(&settings)));
    engine.restore(image).unwrap();
    Bench { engine, now, seq: history().2.clone(), updated: 6, changes: Vec::new() }
}

/// Forty minutes in which half of the fleet goes bad: reports come late, twice, after their minute, and statuses between them.
fn script(seed: u64) -> Vec<(i64, Act)> {
    let mut noise = seed | 1;
    let mut random = move |below: u64| {
        noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (noise >> 33) % below
    };
    let (_, now, seqs) = history();
    let mut acts = Vec::new();
    for minute in 0..MINUTES {
        let end = now + (minute + 1) * MINUTE_MS;
        for (device, seq) in seqs.iter().enumerate() {
            let late = if random(8) == 0 { random(240_000) } else { random(25_000) } as i64;
            let act = Act::Report { device, minute, seq: seq + minute as u64 + 1 };
            acts.push((end + late, act));
            if random(4) == 0 {
                acts.push((end + late + random(40_000) as i64, act));
            }
        }
        if random(2) == 0 {
            acts.push((end + random(60_000) as i64, Act::Status { device: random(DEVICES as u64) as usize }));
        }
    }
    acts.sort_by_key(|(at, _)| *at);
    acts
}

impl Bench {
    /// Lives through what arrives from `first` on; `after` sees the engine after each arrival.
    fn live(&mut self, script: &[(i64, Act)], first: usize, mut after: impl FnMut(usize, &mut Engine)) {
        let start = history().1;
        for (index, &(at, act)) in script.iter().enumerate().skip(first) {
            self.advance(at);
            match act {
                Act::Report { device, minute, seq } => {
                    self.seq[device] = seq;
                    let said = if device < 6 && minute >= 3 { Bad } else { Good };
                    let taken = self.offer(device, start + minute * MINUTE_MS, said, at);
                    assert!(matches!(taken, Ok(()) | Err(Refusal::Duplicate)), "{taken:?}");
                }
                Act::Status { device } => self.status(device, "new", Some(start)),
            }
            after(index, &mut self.engine);
        }
        self.advance(self.now + 2 * MINUTE_MS);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn whoever_starts_from_a_state_that_was_taken_in_slices_lives_on_the_same(
        seed in any::<u64>(),
        begin in 0..500_usize,
        // After how many arrivals each, and how many devices.
        slices in prop::collection::vec((0..12_usize, 0..3_usize), 1..20),
    ) {
        let (history, now, _) = history();
        let script = script(seed);
        let mut straight = bench_from(history, *now);
        straight.live(&script, 0, |_, _| ());

        let mut cut = bench_from(history, *now);
        let (mut image, mut left) = (Vec::new(), 1);
        let (mut due, mut slices) = (begin, slices.into_iter());
        let (mut resume_at, mut ticks) = (Timestamp::default(), Vec::new());
        cut.live(&script, 0, |index, engine| {
            if index == begin {
                engine.begin_cut(true);
                resume_at = engine.last_tick();
            }
            while index >= due && left > 0 {
                let (wait, most) = slices.next().unwrap_or((0, DEVICES));
                due += wait;
                let Slice::Part { bytes, left: now_left } = engine.cut_slice(most) else { panic!("nothing is lost") };
                image.extend_from_slice(&bytes);
                left = now_left;
                ticks.push(engine.last_tick());
            }
        });
        prop_assert_eq!(left, 0);
        prop_assert!(cut.changes == straight.changes, "taking a state decides nothing");
        prop_assert!(cut.engine.image() == straight.engine.image());

        let mut restarted = bench_from(&image, resume_at.as_ms());
        let first = script.iter().position(|(at, _)| *at >= resume_at.as_ms()).unwrap_or(script.len());
        restarted.live(&script, first, |_, _| ());
        let later: Vec<_> = straight.changes.iter().filter(|change| change.at > resume_at).cloned().collect();
        prop_assert_eq!(restarted.changes, later);
        prop_assert!(restarted.engine.image() == straight.engine.image(), "slices at {:?}", ticks);
    }
}

#[test]
fn a_state_that_ticks_have_overtaken_is_given_up_unless_it_is_wanted_at_any_cost() {
    let settings = Settings::default();
    let mut engine = Engine::new(settings.clone(), Arc::new(Fleet::new(&settings)));
    for device in 0..1_200 {
        engine.fleet().expect(DeviceId::parse(&Bench::id(device)).unwrap());
    }
    let mut tick = Engine::next_tick(Timestamp::from_ms(T0));
    engine.tick(tick);
    for (forced, expected) in [(false, None), (true, Some(0))] {
        engine.begin_cut(forced);
        assert!(matches!(engine.cut_slice(100), Slice::Part { left: 1_100, .. }));
        // A minute and more goes by.
        for _ in 0..7 {
            tick = Engine::next_tick(tick);
            engine.tick(tick);
        }
        let left = match engine.cut_slice(10) {
            Slice::Part { left, .. } => Some(left),
            Slice::Lost => None,
        };
        assert_eq!(left, expected);
    }
}
