//! Keeps the fleet's time to the wall: never faster than wanted, and slower where the machine is, which is then said.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::clock;
use crate::engine::time::Timestamp;

/// What is behind by more than this is not made up for: a story that leaps cannot be followed.
const MADE_UP: Duration = Duration::from_secs(1);
/// The speed that is told is the mean of this long.
const OVER: Duration = Duration::from_secs(10);
/// Parts of the wanted speed below which the machine is called busy, and above which it is not any more.
const BUSY_BELOW: f64 = 0.85;
const KEEPS_UP_ABOVE: f64 = 0.95;

/// The fleet's time against the wall's.
#[derive(Debug)]
pub(super) struct Pace {
    /// Seconds of fleet time that are wanted in a real one.
    wanted: f64,
    /// Where both stood together.
    from: (Instant, Timestamp),
    seen: VecDeque<(Instant, Timestamp)>,
    is_busy: bool,
}

impl Pace {
    pub(super) fn new(wanted: f64, now: Timestamp) -> Self {
        Self { wanted, from: (clock::monotonic(), now), seen: VecDeque::new(), is_busy: false }
    }

    /// Seconds of fleet time that are wanted in a real one.
    pub(super) fn wanted(&self) -> f64 {
        self.wanted
    }

    /// Wants another speed from `now` on.
    pub(super) fn want(&mut self, wanted: f64, now: Timestamp) {
        *self = Self::new(wanted, now);
    }

    /// Waits until it is time for `next`.
    pub(super) async fn wait_for(&mut self, next: Timestamp) {
        let due = self.due(next, clock::monotonic());
        tokio::time::sleep_until(due.into()).await;
    }

    fn due(&mut self, next: Timestamp, now: Instant) -> Instant {
        let seconds = next.since_ms(self.from.1).max(0) as f64 / 1_000.0 / self.wanted;
        let due = self.from.0 + Duration::from_secs_f64(seconds);
        if now.saturating_duration_since(due) > MADE_UP {
            self.from = (now, next);
        }
        due
    }

    /// The fleet has come to `at`. A line, when the machine has begun to lag or to keep up again.
    pub(super) fn reached(&mut self, at: Timestamp) -> Option<String> {
        self.note(clock::monotonic(), at)
    }

    fn note(&mut self, now: Instant, at: Timestamp) -> Option<String> {
        self.seen.push_back((now, at));
        while self.seen.get(1).is_some_and(|(seen, _)| now.duration_since(*seen) >= OVER) {
            self.seen.pop_front();
        }
        let (first, _) = self.seen.front()?;
        if now.duration_since(*first) < OVER {
            return None;
        }
        let (real, wanted) = (self.speed(), self.wanted);
        if !self.is_busy && real < BUSY_BELOW * wanted {
            self.is_busy = true;
            return Some(format!("this machine is busy: {real:.0}x instead of {wanted}x; the story stays the same"));
        }
        if self.is_busy && real > KEEPS_UP_ABOVE * wanted {
            self.is_busy = false;
            return Some(format!("this machine keeps up again: {wanted}x"));
        }
        None
    }

    /// Seconds of fleet time in a real one, lately; as wanted until that is known.
    pub(super) fn speed(&self) -> f64 {
        let ends = self.seen.front().zip(self.seen.back());
        let mean = ends.map(|((from, first), (to, last))| {
            last.since_ms(*first) as f64 / 1_000.0 / to.duration_since(*from).as_secs_f64().max(0.001)
        });
        mean.filter(|_| self.seen.len() > 2).map_or(self.wanted, |mean| mean.min(self.wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_ms(1_795_020_600_000);

    #[test]
    fn a_step_is_due_by_the_wanted_speed_and_what_is_far_behind_is_not_made_up_for() {
        let mut pace = Pace::new(60.0, START);
        let began = pace.from.0;
        assert_eq!(pace.due(START.plus_ms(60_000), began).duration_since(began), Duration::from_secs(1));
        let late = began + Duration::from_secs(9);
        pace.due(START.plus_ms(120_000), late);
        let next = pace.due(START.plus_ms(180_000), late);
        assert_eq!(next.duration_since(late), Duration::from_secs(1), "from where it is now");
    }

    #[test]
    fn a_busy_machine_is_told_once_and_so_is_its_end() {
        let mut pace = Pace::new(60.0, START);
        let began = pace.from.0;
        let mut told = Vec::new();
        // Twenty seconds at half the speed, then as wanted.
        for second in 0..60 {
            let fleet_s = if second < 20 { 30 * second } else { 600 + 60 * (second - 20) };
            let at = (began + Duration::from_secs(second), START.plus_ms(fleet_s as i64 * 1_000));
            told.extend(pace.note(at.0, at.1));
        }
        let [busy, again] = &told[..] else { panic!("{told:?}") };
        assert!(busy.contains("30x instead of 60x") && again.contains("keeps up again"), "{told:?}");
    }
}
