use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// The definition: a set of everything, and the highest.
#[derive(Default)]
struct Naive {
    arrived: BTreeSet<u64>,
}

impl Naive {
    fn sighting(&self, seq: u64) -> Sighting {
        let highest = self.arrived.last().copied();
        match highest {
            Some(highest) if seq <= highest && highest - seq >= WINDOW => Sighting::Stale,
            _ if self.arrived.contains(&seq) => Sighting::Duplicate,
            _ => Sighting::New,
        }
    }

    fn missing(&self) -> u64 {
        let gap = |(before, after): (&u64, &u64)| after - before - 1;
        self.arrived.iter().zip(self.arrived.iter().skip(1)).map(gap).sum()
    }
}

/// Steps about a moving point: mostly small, some back over the window's edge, some far ahead.
fn step() -> impl Strategy<Value = i64> {
    let window = WINDOW as i64;
    prop_oneof![
        8 => -5i64..=8,
        3 => -200i64..=200,
        1 => (-window - 70)..=(-window + 70),
        1 => 0..=(2 * window),
    ]
}

proptest! {
    #[test]
    fn the_window_answers_as_a_set_of_everything_would(
        first in prop_oneof![Just(0u64), 0u64..200, 100_000u64..200_000],
        steps in prop::collection::vec(step(), 1..200),
    ) {
        let (mut window, mut naive) = (SequenceWindow::default(), Naive::default());
        let mut at = first;
        for step in steps {
            at = at.saturating_add_signed(step);
            let sighting = window.sighting(at);
            prop_assert_eq!(sighting, naive.sighting(at), "{}", at);
            if sighting == Sighting::New {
                window.mark(at);
                naive.arrived.insert(at);
            }
            prop_assert_eq!(window.missing(), naive.missing());
            prop_assert!(window.heap_bytes() <= MAX_WORDS * 8);
        }
    }
}

#[test]
fn the_window_is_exact_to_its_last_number() {
    let mut window = SequenceWindow::default();
    for seq in (0..2 * WINDOW).filter(|seq| seq % 3 > 0) {
        assert_eq!(window.sighting(seq), Sighting::New);
        window.mark(seq);
    }
    let highest = 2 * WINDOW - 1;
    for seq in 0..=highest {
        let wanted = match (highest - seq >= WINDOW, seq % 3) {
            (true, _) => Sighting::Stale,
            (false, 0) => Sighting::New,
            (false, _) => Sighting::Duplicate,
        };
        assert_eq!(window.sighting(seq), wanted, "{seq}");
    }
    assert_eq!(window.heap_bytes(), MAX_WORDS * 8);
}

#[test]
fn numbers_at_the_end_of_the_range_do_not_overflow() {
    let mut window = SequenceWindow::default();
    for seq in [0, u64::MAX, u64::MAX - 1] {
        assert_eq!(window.sighting(seq), Sighting::New);
        window.mark(seq);
    }
    assert_eq!(window.sighting(0), Sighting::Stale);
    assert_eq!(window.sighting(u64::MAX), Sighting::Duplicate);
    assert_eq!(window.missing(), u64::MAX - 3);
}

#[test]
fn a_forgotten_boot_refuses_what_it_cannot_tell_and_takes_what_is_new() {
    let mut window = SequenceWindow::default();
    (0..100).for_each(|seq| window.mark(seq));
    window.forget();
    assert_eq!(window.heap_bytes(), 0);
    assert_eq!(window.sighting(50), Sighting::Stale);
    assert_eq!(window.sighting(100), Sighting::New);
    window.mark(100);
    assert_eq!(window.sighting(100), Sighting::Duplicate);
    assert_eq!((window.sighting(99), window.missing()), (Sighting::Stale, 0));
}
