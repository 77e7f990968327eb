//! Two days of verdicts, one pair of class sets a minute: which classes were degraded, which were proved healthy.

use bincode::{Decode, Encode};

use super::device::TrafficClass;
use super::effect::Verdict;
use super::time::Minute;

/// Minutes that are remembered: 48 h.
pub const HISTORY_MIN: u32 = 48 * 60;

/// The classes' verdicts of one minute. A class that is in neither set is a gap: unknown, or not decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MinuteVerdicts {
    /// Bit i: class i is degraded.
    pub degraded: u8,
    /// Bit i: class i is proved healthy.
    pub healthy: u8,
    /// Bit i: class i has data.
    pub data: u8,
}

impl MinuteVerdicts {
    /// Sets what one class says.
    pub fn set(&mut self, class: TrafficClass, verdict: Verdict) {
        let bit = 1 << class.index();
        self.degraded &= !bit;
        self.healthy &= !bit;
        self.data |= bit;
        match verdict {
            Verdict::Degraded => self.degraded |= bit,
            Verdict::Healthy => self.healthy |= bit,
            Verdict::Indeterminate => {}
            Verdict::Unknown => self.data &= !bit,
        }
    }

    /// What one class says.
    pub fn of(self, class: TrafficClass) -> Verdict {
        let bit = 1 << class.index();
        match (self.degraded & bit != 0, self.healthy & bit != 0, self.data & bit != 0) {
            (true, ..) => Verdict::Degraded,
            (_, true, _) => Verdict::Healthy,
            (_, _, true) => Verdict::Indeterminate,
            _ => Verdict::Unknown,
        }
    }

    /// Two bits a class; both set means data that did not decide.
    const fn pack(self) -> u16 {
        let undecided = self.data & !self.degraded & !self.healthy;
        u16::from_le_bytes([self.degraded | undecided, self.healthy | undecided])
    }

    const fn unpack(packed: u16) -> Self {
        let [low, high] = packed.to_le_bytes();
        Self { degraded: low & !high, healthy: high & !low, data: low | high }
    }

    /// The verdict of the minute as a whole: of its worst class.
    pub fn worst(self) -> Verdict {
        if self.degraded != 0 {
            Verdict::Degraded
        } else if self.healthy != 0 {
            Verdict::Healthy
        } else if self.data != 0 {
            Verdict::Indeterminate
        } else {
            Verdict::Unknown
        }
    }
}

/// A ring of [`HISTORY_MIN`] minutes that ends at the newest minute written. What is older, newer or never written is a gap.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct History {
    newest: Minute,
    /// Packed verdicts; empty until the first write, then [`HISTORY_MIN`] long.
    minutes: Vec<u16>,
}

impl History {
    /// What `minute` says.
    pub fn get(&self, minute: Minute) -> MinuteVerdicts {
        if self.minutes.is_empty() || !self.covers(minute) {
            return MinuteVerdicts::default();
        }
        MinuteVerdicts::unpack(self.minutes[(minute.0 % HISTORY_MIN) as usize])
    }

    /// Writes what `minute` says; a minute older than the ring is ignored, a newer one moves the ring.
    pub fn set(&mut self, minute: Minute, verdicts: MinuteVerdicts) {
        if self.minutes.is_empty() {
            if verdicts == MinuteVerdicts::default() {
                return;
            }
            self.minutes = vec![0; HISTORY_MIN as usize];
            self.newest = minute;
        }
        self.advance(minute);
        if self.covers(minute) {
            self.minutes[(minute.0 % HISTORY_MIN) as usize] = verdicts.pack();
        }
    }

    /// The oldest minute that is remembered.
    pub fn oldest(&self) -> Minute {
        self.newest.plus(1 - i64::from(HISTORY_MIN))
    }

    /// Brings `minute` into the cache; the answer means nothing.
    pub fn warm(&self, minute: Minute) -> u32 {
        self.minutes.get((minute.0 % HISTORY_MIN) as usize).copied().unwrap_or(0).into()
    }

    fn covers(&self, minute: Minute) -> bool {
        minute <= self.newest && self.newest.since(minute) < i64::from(HISTORY_MIN)
    }

    fn advance(&mut self, to: Minute) {
        let steps = to.since(self.newest).clamp(0, i64::from(HISTORY_MIN));
        for step in 0..steps {
            self.minutes[(to.plus(-step).0 % HISTORY_MIN) as usize] = 0;
        }
        self.newest = self.newest.max(to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn degraded() -> MinuteVerdicts {
        let mut verdicts = MinuteVerdicts::default();
        verdicts.set(TrafficClass::Https, Verdict::Degraded);
        verdicts
    }

    #[test]
    fn minutes_that_were_skipped_or_fell_out_are_gaps() {
        let mut history = History::default();
        let first = Minute(1_000_000);
        history.set(first, degraded());
        history.set(first.plus(5), degraded());
        assert_eq!(history.get(first), degraded());
        assert_eq!(history.get(first.plus(3)).worst(), Verdict::Unknown);
        assert_eq!(history.get(first.plus(6)).worst(), Verdict::Unknown);
        history.set(first.plus(i64::from(HISTORY_MIN)), degraded());
        assert_eq!(history.get(first).worst(), Verdict::Unknown, "its place belongs to a newer minute");
        assert_eq!(history.get(first.plus(5)), degraded());
        history.set(first.plus(-1), degraded());
        assert_eq!(history.get(first.plus(-1)).worst(), Verdict::Unknown, "older than the ring");
        history.set(first.plus(10 * i64::from(HISTORY_MIN)), degraded());
        assert_eq!(history.get(first.plus(5)).worst(), Verdict::Unknown);
    }

    #[test]
    fn packing_keeps_every_combination() {
        for (class, verdict) in TrafficClass::ALL.into_iter().zip([
            Verdict::Degraded,
            Verdict::Healthy,
            Verdict::Indeterminate,
            Verdict::Unknown,
            Verdict::Degraded,
            Verdict::Indeterminate,
        ]) {
            let mut minute = degraded();
            minute.set(class, verdict);
            assert_eq!(MinuteVerdicts::unpack(minute.pack()), minute);
        }
    }

    #[test]
    fn the_worst_class_speaks_for_the_minute() {
        let mut minute = MinuteVerdicts::default();
        assert_eq!(minute.worst(), Verdict::Unknown);
        minute.set(TrafficClass::Dns, Verdict::Indeterminate);
        assert_eq!(minute.worst(), Verdict::Indeterminate);
        minute.set(TrafficClass::Http, Verdict::Healthy);
        assert_eq!(minute.worst(), Verdict::Healthy);
        minute.set(TrafficClass::Https, Verdict::Degraded);
        assert_eq!(minute.worst(), Verdict::Degraded);
        minute.set(TrafficClass::Https, Verdict::Unknown);
        assert_eq!(minute.worst(), Verdict::Healthy);
    }
}
