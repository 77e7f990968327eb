//! How often a login may be tried.
//!
//! Each failure fills a bucket of the address it came from and one of the account it was for; a full bucket refuses until it
//! has leaked. The account's bucket would let anybody lock a commander out in the middle of an incident, so it does not
//! hold for an address from which that account has logged in before.
//!
//! Behind a proxy that is not listed, or that does not say for whom it asks, everybody has the proxy's address. A full bucket there would lock
//! everybody out, so neither bucket refuses: the fuller the account's is, the longer each attempt takes.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::engine::time::Timestamp;
use crate::web::server::listener::subscriber as network;

/// Failures that a bucket takes, and the time in which one leaks out.
#[derive(Clone, Copy, Debug)]
struct Size {
    room: f64,
    leak_ms: f64,
}

/// Failures of an account at a shared address that cost nothing yet, and the longest that an attempt is made to take.
const FREE: f64 = 5.0;
const LONGEST_DELAY_MS: f64 = 4_000.0;

const OF_ADDRESS: Size = Size { room: 10.0, leak_ms: 30_000.0 };
const OF_ACCOUNT: Size = Size { room: 20.0, leak_ms: 60_000.0 };

/// Most buckets of a kind. Beyond it the emptiest go: whoever attacks from so many addresses meets the account's bucket.
const MAX_BUCKETS: usize = 10_000;

#[derive(Clone, Copy, Debug)]
struct Bucket {
    level: f64,
    at: Timestamp,
}

impl Bucket {
    fn level(&self, size: Size, now: Timestamp) -> f64 {
        (self.level - now.since_ms(self.at).max(0) as f64 / size.leak_ms).max(0.0)
    }
}

#[derive(Debug)]
struct Buckets<K> {
    size: Size,
    map: HashMap<K, Bucket>,
}

impl<K: Hash + Eq + Clone> Buckets<K> {
    fn new(size: Size) -> Self {
        Self { size, map: HashMap::new() }
    }

    /// How long until one more fits; zero when it does.
    fn wait_ms(&self, key: &K, now: Timestamp) -> u64 {
        let level = self.map.get(key).map_or(0.0, |bucket| bucket.level(self.size, now));
        ((level + 1.0 - self.size.room).max(0.0) * self.size.leak_ms).ceil() as u64
    }

    fn add(&mut self, key: &K, amount: f64, now: Timestamp) {
        if self.map.len() >= MAX_BUCKETS && !self.map.contains_key(key) {
            self.shrink(now);
        }
        let size = self.size;
        let bucket = self.map.entry(key.clone()).or_insert(Bucket { level: 0.0, at: now });
        *bucket = Bucket { level: (bucket.level(size, now) + amount).max(0.0), at: now };
    }

    /// Drops the empty ones, and the emptier half when that is not enough.
    fn shrink(&mut self, now: Timestamp) {
        let size = self.size;
        self.map.retain(|_, bucket| bucket.level(size, now) > 0.0);
        if self.map.len() >= MAX_BUCKETS {
            let mut levels: Vec<f64> = self.map.values().map(|bucket| bucket.level(size, now)).collect();
            levels.sort_by(f64::total_cmp);
            let median = levels[levels.len() / 2];
            self.map.retain(|_, bucket| bucket.level(size, now) > median);
        }
    }
}

#[derive(Debug)]
struct State {
    addresses: Buckets<IpAddr>,
    accounts: Buckets<String>,
    /// Last successful login of an account from an address.
    seen: HashMap<(String, IpAddr), Timestamp>,
}

/// Counts failed logins. In memory: a restart forgives.
#[derive(Debug)]
pub(super) struct Throttle(Mutex<State>);

impl Default for Throttle {
    fn default() -> Self {
        Self(Mutex::new(State {
            addresses: Buckets::new(OF_ADDRESS),
            accounts: Buckets::new(OF_ACCOUNT),
            seen: HashMap::new(),
        }))
    }
}

impl Throttle {
    /// Counts an attempt at an address that many share as failed before it is made: how long to wait before the password is looked at.
    pub(super) fn attempt_shared(&self, account: &str, now: Timestamp) -> Duration {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let account = account.to_owned();
        let level = state.accounts.map.get(&account).map_or(0.0, |bucket| bucket.level(OF_ACCOUNT, now));
        // Beyond the room it would only take longer to leak.
        if level < OF_ACCOUNT.room {
            state.accounts.add(&account, 1.0, now);
        }
        let delay_ms = if level < FREE { 0.0 } else { (250.0 * (level - FREE).exp2()).min(LONGEST_DELAY_MS) };
        Duration::from_millis(delay_ms as u64)
    }

    /// Takes the attempt at a shared address back: it was no failure.
    pub(super) fn succeeded_shared(&self, account: &str, now: Timestamp) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.accounts.add(&account.to_owned(), -1.0, now);
    }

    /// Counts an attempt as failed before it is made, so that many at the same time are not let through.
    ///
    /// # Errors
    /// How long to wait, when there have been too many.
    pub(super) fn attempt(&self, address: IpAddr, account: &str, now: Timestamp) -> Result<(), Duration> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let address = network(address);
        let known = state.seen.contains_key(&(account.to_owned(), address));
        let for_account = if known { 0 } else { state.accounts.wait_ms(&account.to_owned(), now) };
        let wait = state.addresses.wait_ms(&address, now).max(for_account);
        if wait > 0 {
            return Err(Duration::from_millis(wait));
        }
        state.addresses.add(&address, 1.0, now);
        state.accounts.add(&account.to_owned(), 1.0, now);
        Ok(())
    }

    /// Takes the attempt back: it was no failure.
    pub(super) fn succeeded(&self, address: IpAddr, account: &str, now: Timestamp) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let address = network(address);
        state.addresses.add(&address, -1.0, now);
        state.accounts.add(&account.to_owned(), -1.0, now);
        if state.seen.len() >= MAX_BUCKETS {
            state.seen.clear();
        }
        state.seen.insert((account.to_owned(), address), now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn at(s: i64) -> Timestamp {
        Timestamp::from_ms(1_000_000 + s * 1_000)
    }

    #[test]
    fn an_address_has_ten_failures_and_then_one_each_half_minute() {
        let throttle = Throttle::default();
        for n in 0..10 {
            assert_eq!(throttle.attempt(ip(1), &format!("user{n}"), at(0)), Ok(()), "{n}");
        }
        assert_eq!(throttle.attempt(ip(1), "user", at(0)), Err(Duration::from_secs(30)));
        assert_eq!(throttle.attempt(ip(2), "user", at(0)), Ok(()), "another address is another one");
        assert_eq!(throttle.attempt(ip(1), "user", at(29)), Err(Duration::from_secs(1)));
        assert_eq!(throttle.attempt(ip(1), "user", at(30)), Ok(()));
        assert!(throttle.attempt(ip(1), "user", at(30)).is_err());
    }

    #[test]
    fn an_account_is_guarded_against_many_addresses_but_not_locked_where_it_is_known() {
        let throttle = Throttle::default();
        assert_eq!(throttle.attempt(ip(250), "Sato", at(0)), Ok(()));
        throttle.succeeded(ip(250), "Sato", at(0));
        for n in 0..20 {
            assert_eq!(throttle.attempt(ip(n), "Sato", at(0)), Ok(()), "{n}");
        }
        assert_eq!(throttle.attempt(ip(100), "Sato", at(0)), Err(Duration::from_secs(60)));
        assert_eq!(throttle.attempt(ip(250), "Sato", at(0)), Ok(()), "where Sato has logged in before");
        assert_eq!(throttle.attempt(ip(100), "Ito", at(0)), Ok(()), "another account is another one");
        // Five an hour and a half later: the buckets have leaked.
        assert_eq!(throttle.attempt(ip(100), "Sato", at(5_400)), Ok(()));
    }

    #[test]
    fn at_a_shared_address_nobody_is_locked_out_and_guessing_gets_slow() {
        let throttle = Throttle::default();
        for n in 0..1_000 {
            assert_eq!(throttle.attempt_shared(&format!("nobody{n}"), at(0)), Duration::ZERO);
        }
        let delays: Vec<u128> = (0..30).map(|_| throttle.attempt_shared("Sato", at(0)).as_millis()).collect();
        assert_eq!(delays[..10], [0, 0, 0, 0, 0, 250, 500, 1_000, 2_000, 4_000]);
        assert!(delays[10..].iter().all(|ms| *ms == 4_000));
        assert_eq!(throttle.attempt_shared("Ito", at(0)), Duration::ZERO, "another account is another one");
        throttle.succeeded_shared("Ito", at(0));
        assert_eq!(throttle.attempt_shared("Sato", at(20 * 60)), Duration::ZERO, "the bucket has leaked");
    }

    #[test]
    fn logins_that_succeed_fill_nothing() {
        let throttle = Throttle::default();
        for n in 0..1_000 {
            assert_eq!(throttle.attempt(ip(1), "Sato", at(0)), Ok(()), "{n}");
            throttle.succeeded(ip(1), "Sato", at(0));
        }
    }

    #[test]
    fn a_subscribers_ipv6_addresses_are_one() {
        let throttle = Throttle::default();
        for n in 0..10_u16 {
            let address = IpAddr::from([0x2001, 0xdb8, 0, 1, n, n, n, n]);
            assert_eq!(throttle.attempt(address, &format!("u{n}"), at(0)), Ok(()));
        }
        assert!(throttle.attempt(IpAddr::from([0x2001, 0xdb8, 0, 1, 9, 9, 9, 9]), "x", at(0)).is_err());
        assert!(throttle.attempt(IpAddr::from([0x2001, 0xdb8, 0, 2, 9, 9, 9, 9]), "x", at(0)).is_ok());
        assert_eq!(network("::ffff:192.0.2.1".parse().unwrap()), ip(1));
    }

    #[test]
    fn memory_is_bounded_and_the_fullest_are_kept() {
        let throttle = Throttle::default();
        for _ in 0..10 {
            assert_eq!(throttle.attempt(ip(1), "Sato", at(0)), Ok(()));
        }
        for n in 0..30_000_u32 {
            let address = IpAddr::from((0x0a00_0000 + n).to_be_bytes());
            let _ = throttle.attempt(address, &format!("user{n}"), at(0));
        }
        let state = throttle.0.lock().unwrap();
        assert!(state.addresses.map.len() <= MAX_BUCKETS && state.accounts.map.len() <= MAX_BUCKETS);
        drop(state);
        assert!(throttle.attempt(ip(1), "x", at(0)).is_err(), "the full bucket is still there");
    }
}
