//! How long to wait for a broker: when to try again, when to give up on one that reads nothing, and how to tell that another
//! client uses our id.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};

/// How reconnecting is paced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReconnectPolicy {
    /// Delay after the first failure; it doubles from there. Short, because whether the broker is gone at once after a
    /// loss is what tells its restart from a rival.
    pub first: Duration,
    /// Longest delay while the broker is merely away. A broker that is back is found within this time.
    pub longest: Duration,
    /// A connection that lasted this long was sound: the delays start anew.
    pub stable: Duration,
    /// Three losses of young connections within this time mean a second client with our id.
    pub takeover_window: Duration,
    /// First delay once another client was noticed; it doubles from there.
    pub takeover_first: Duration,
    /// Longest delay once another client was noticed.
    pub takeover_longest: Duration,
}

impl Default for ReconnectPolicy {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(10),
            longest: Duration::from_secs(5),
            stable: Duration::from_secs(5),
            takeover_window: Duration::from_secs(10),
            takeover_first: Duration::from_secs(5),
            takeover_longest: Duration::from_secs(60),
        }
    }
}

/// Shortest time that a broker is given to read what we write.
const SHORTEST_WRITE_LIMIT: Duration = Duration::from_secs(10);

/// How long a broker may read nothing before it is taken for dead: as long as it may say nothing, two keep-alive intervals.
///
/// Mosquitto writes its backlog to disk in the thread that serves its connections. After a flood that is a pause of ten seconds and
/// more, and to give the connection up in it costs the session: everything that is on its way is sent again, into the same overload.
pub(super) fn write_limit(keep_alive: Duration) -> Duration {
    (2 * keep_alive).max(SHORTEST_WRITE_LIMIT)
}

/// Losses within the window that make a takeover.
const TAKEOVER_LOSSES: usize = 3;

/// Paces one connection's attempts.
#[derive(Debug)]
pub(super) struct Backoff {
    policy: ReconnectPolicy,
    random: SmallRng,
    failures: u32,
    losses: VecDeque<Instant>,
    takeovers: u32,
}

/// What to do next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Retry {
    pub(super) delay: Duration,
    /// Another client with our id has just been noticed.
    pub(super) taken_over: bool,
}

impl Backoff {
    pub(super) fn new(policy: ReconnectPolicy, seed: u64) -> Self {
        Self { policy, random: SmallRng::seed_from_u64(seed), failures: 0, losses: VecDeque::new(), takeovers: 0 }
    }

    /// The broker was not reached, or did not let us in.
    pub(super) fn not_connected(&mut self) -> Retry {
        // A broker that is away was not lost to a rival: rivals leave it up.
        self.losses.clear();
        self.plain()
    }

    /// A connection was lost after `lived`; `by_peer` when the other side closed it without a word, as a broker does
    /// with the older of two clients of one id.
    pub(super) fn lost(&mut self, now: Instant, lived: Duration, by_peer: bool) -> Retry {
        if lived >= self.policy.stable {
            self.failures = 0;
            self.losses.clear();
        }
        if lived >= self.policy.takeover_longest * 2 {
            self.takeovers = 0;
        }
        if !by_peer {
            return self.plain();
        }
        if self.takeovers > 0 {
            return self.taken_over();
        }
        if lived < self.policy.stable {
            self.losses.push_back(now);
            while self.losses.front().is_some_and(|first| now.duration_since(*first) > self.policy.takeover_window) {
                self.losses.pop_front();
            }
            if self.losses.len() >= TAKEOVER_LOSSES {
                return self.taken_over();
            }
        }
        self.plain()
    }

    fn plain(&mut self) -> Retry {
        let delay = doubled(self.policy.first, self.failures).min(self.policy.longest);
        self.failures = self.failures.saturating_add(1);
        // Half to whole: a fleet of collectors does not come back in step, and never later than promised.
        Retry { delay: delay.mul_f64(self.random.random_range(0.5..=1.0)), taken_over: false }
    }

    fn taken_over(&mut self) -> Retry {
        self.losses.clear();
        let delay = doubled(self.policy.takeover_first, self.takeovers).min(self.policy.takeover_longest);
        self.takeovers = self.takeovers.saturating_add(1);
        Retry { delay: delay.mul_f64(self.random.random_range(0.75..=1.25)), taken_over: true }
    }
}

fn doubled(first: Duration, times: u32) -> Duration {
    first.saturating_mul(1_u32.checked_shl(times.min(20)).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn a_broker_may_read_nothing_for_as_long_as_it_may_say_nothing() {
        assert_eq!(write_limit(Duration::from_secs(30)), Duration::from_secs(60));
        assert_eq!(write_limit(Duration::from_secs(1)), SHORTEST_WRITE_LIMIT);
    }

    #[test]
    fn a_broker_that_is_away_is_tried_at_least_every_five_seconds() {
        let mut backoff = Backoff::new(ReconnectPolicy::default(), 1);
        let delays: Vec<Duration> = (0..100).map(|_| backoff.not_connected().delay).collect();
        assert!(delays[0] <= Duration::from_millis(10));
        assert!(delays.iter().all(|delay| *delay <= Duration::from_secs(5)));
        assert!(delays[90..].iter().all(|delay| *delay >= Duration::from_millis(2_500)));
        assert!(delays[90..].windows(2).any(|pair| pair[0] != pair[1]), "no jitter");
    }

    #[test]
    fn three_young_losses_in_a_row_are_a_takeover_and_back_off_far() {
        let start = clock::monotonic();
        let mut backoff = Backoff::new(ReconnectPolicy::default(), 1);
        let young = Duration::from_millis(300);
        assert!(!backoff.lost(start, young, true).taken_over);
        assert!(!backoff.lost(start + Duration::from_secs(1), young, true).taken_over);
        let third = backoff.lost(start + Duration::from_secs(2), young, true);
        assert!(third.taken_over && third.delay >= Duration::from_millis(3_750));
        let later = (0..10).map(|_| backoff.lost(start, Duration::from_secs(50), true)).last().unwrap();
        assert!(later.taken_over && later.delay >= Duration::from_secs(45));
    }

    #[test]
    fn restarts_of_the_broker_are_no_takeover() {
        let start = clock::monotonic();
        let mut backoff = Backoff::new(ReconnectPolicy::default(), 1);
        for n in 0..20 {
            let retry = backoff.lost(start + Duration::from_millis(n * 100), Duration::from_millis(50), true);
            assert!(!retry.taken_over);
            backoff.not_connected();
        }
        // Nor is one loss every few seconds.
        let mut backoff = Backoff::new(ReconnectPolicy::default(), 1);
        for n in 0..20 {
            assert!(!backoff.lost(start + Duration::from_secs(n * 6), Duration::from_secs(4), true).taken_over);
        }
    }

    #[test]
    fn a_long_life_forgives() {
        let start = clock::monotonic();
        let mut backoff = Backoff::new(ReconnectPolicy::default(), 1);
        for n in 0..5 {
            backoff.lost(start + Duration::from_millis(n), Duration::ZERO, true);
        }
        let retry = backoff.lost(start + Duration::from_secs(999), Duration::from_secs(999), true);
        assert!(!retry.taken_over && retry.delay <= Duration::from_millis(10));
    }
}
