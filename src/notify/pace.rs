//! How fast, and when again: a token bucket and delays that double. Time is an argument.
//!
//! The bucket is our own: it has to run on engine time and to say *when* the next token is there, which is less code than
//! giving a limiter crate another clock.

use rand::Rng as _;
use rand::rngs::SmallRng;

use crate::engine::time::Timestamp;

/// What a token costs. Each passing millisecond brings as much as there are tokens a minute, so all of it is whole numbers.
const TOKEN: i64 = 60_000;

/// Lets `burst` through at once and `per_minute` in the long run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bucket {
    per_minute: i64,
    most: i64,
    saved: i64,
    at: Timestamp,
}

impl Bucket {
    /// A full bucket. Both figures are at least 1.
    pub fn new(per_minute: u32, burst: u32, now: Timestamp) -> Self {
        let most = i64::from(burst.max(1)) * TOKEN;
        Self { per_minute: i64::from(per_minute.max(1)), most, saved: most, at: now }
    }

    /// Takes a token, if there is one.
    ///
    /// # Errors
    /// With the instant at which there will be one.
    pub fn take(&mut self, now: Timestamp) -> Result<(), Timestamp> {
        let passed_ms = now.since_ms(self.at).max(0);
        self.saved = self.saved.saturating_add(passed_ms.saturating_mul(self.per_minute)).min(self.most);
        self.at = self.at.max(now);
        match self.saved - TOKEN {
            rest @ 0.. => {
                self.saved = rest;
                Ok(())
            }
            // Rounded up: a waiter that comes back then finds it.
            missing => Err(self.at.plus_ms((-missing + self.per_minute - 1) / self.per_minute)),
        }
    }
}

/// Delays that double from `first_ms` to `longest_ms`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Backoff {
    pub first_ms: i64,
    pub longest_ms: i64,
}

impl Backoff {
    /// The delay after so many failures before this one, in ms: between half and the whole of the doubled delay, so that what
    /// failed together does not come back together, and never later than promised.
    pub fn delay_ms(&self, failures: u32, random: &mut SmallRng) -> i64 {
        let doubled = self.first_ms.saturating_mul(1_i64 << failures.min(30)).min(self.longest_ms);
        (doubled as f64 * random.random_range(0.5..=1.0)) as i64
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn a_bucket_lets_a_burst_through_and_then_its_rate() {
        let start = Timestamp::from_ms(1_000_000);
        let mut bucket = Bucket::new(60, 3, start);
        assert!((0..3).all(|_| bucket.take(start).is_ok()));
        assert_eq!(bucket.take(start), Err(start.plus_ms(1_000)));
        assert_eq!(bucket.take(start.plus_ms(999)), Err(start.plus_ms(1_000)));
        assert_eq!(bucket.take(start.plus_ms(1_000)), Ok(()));
        // An hour later it holds its burst again and no more.
        let later = start.plus_ms(3_600_000);
        assert_eq!((0..10).filter(|_| bucket.take(later).is_ok()).count(), 3);
        // A clock that steps back gives nothing.
        assert!(bucket.take(start).is_err());
    }

    #[test]
    fn delays_double_up_to_the_longest_and_differ() {
        let backoff = Backoff { first_ms: 1_000, longest_ms: 60_000 };
        let mut random = SmallRng::seed_from_u64(1);
        for failures in 0..100_u32 {
            let whole = 1_000_i64.saturating_mul(1 << failures.min(20)).min(60_000);
            let delay = backoff.delay_ms(failures, &mut random);
            assert!((whole / 2..=whole).contains(&delay), "{failures}: {delay}");
        }
        let delays: Vec<i64> = (0..9).map(|_| backoff.delay_ms(9, &mut random)).collect();
        assert!(delays.windows(2).any(|pair| pair[0] != pair[1]), "no jitter");
    }
}
