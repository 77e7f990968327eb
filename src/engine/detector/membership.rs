//! Whether a device belongs in an event: affected, and since when; proved good; clear of its limit on its own.

use crate::engine::device::TrafficClass;
use crate::engine::evidence::EVIDENCE_MIN;
use crate::engine::settings::Settings;
use crate::engine::streak::Episode;
use crate::engine::time::Minute;
use crate::engine::verdict::{self, MEMBERSHIP_MIN, Signature, Test};

use super::drift::FleetDrift;
use super::tracked::State;

/// Fewest degraded minutes, and shortest streak, by which a device counts as affected before its membership window is full.
const AFFECTED_DEGRADED: u32 = 6;
const AFFECTED_LENGTH: u32 = 8;
/// A test has made a lone device's hour if it calls at least one minute in so many of the degraded ones degraded: one in three, so
/// that an hour of which several tests and classes each made a part is still told.
const LEAST_PART: u32 = 3;

/// Onset of an hour that is over and has not been told, or of a streak that is long enough and goes on at `last`.
pub fn onset_of(running: Option<Episode>, past_full: Option<Episode>, last: Minute) -> Option<Minute> {
    let counts = |episode: &Episode| {
        episode.degraded >= AFFECTED_DEGRADED
            && episode.length_min() >= AFFECTED_LENGTH
            && last.since(episode.last_degraded) < i64::from(MEMBERSHIP_MIN)
    };
    let of_running = || running.filter(counts).map(|episode| episode.start);
    past_full.map(|past| past.impact_start()).or_else(of_running)
}

impl State {
    /// Onset of the device's degradation when it is affected at `last`; `None` when it is not, or not yet.
    pub fn onset(&self, last: Minute) -> Option<Minute> {
        // The membership window must not reach back into an event that is over.
        let by_window = !self.affected_by.is_empty() && last.since(self.settled_through) >= i64::from(MEMBERSHIP_MIN);
        let reached_back = last.plus(-i64::from(MEMBERSHIP_MIN));
        let of_window = || by_window.then(|| self.episode.map_or(reached_back, |episode| episode.start));
        onset_of(self.episode, self.past_full, last).or_else(of_window)
    }

    /// Whether the device has been judged lately, so that it can stand as a witness.
    pub fn is_known(&self, last: Minute) -> bool {
        self.last_known.is_some_and(|known| last.since(known) < i64::from(MEMBERSHIP_MIN))
    }

    /// The device leaves a fleet event, or the event is over. The event's clock has decided about the time up to `last`; the
    /// device's own never may, not even when late data make it be looked at again.
    pub fn leave_event(&mut self, last: Minute) {
        self.in_event_since = None;
        (self.past_full, self.episode) = (None, None);
        self.declared_through = self.declared_through.max(last);
        self.settled_through = last;
    }

    /// Whether more of its trials exceed than is normal, by one of the pairs, over the membership window. It proves nothing of one
    /// device; it says on which side of the limit its own sums lie.
    pub fn exceeds(&self, pairs: Signature, last: Minute, settings: &Settings) -> bool {
        pairs.pairs().any(|(class, test)| {
            let Some(track) = &self.classes[class.index()] else { return false };
            let told = test.of(&track.ring.window(last, MEMBERSHIP_MIN));
            verdict::limit(test, &track.rates(settings)).is_some_and(|limit| verdict::exceeds(limit, told))
        })
    }

    /// Whether the counts of an episode as a whole stand clear of the limit, by a class and test that called much of it degraded.
    ///
    /// A lone device has nobody to be compared with, and its level moves from day to day: an hour in which its median lies a hair
    /// above the threshold is its own noise, and so is a busy time that comes earlier than on most days. On real context-trip times
    /// an hour of 1.3 times happens on 23 of 1,000 days of a device, of 1.5 times on 4. So its delays are also held against the
    /// highest that is usual within an hour of that time of day, as far as the fleet's `drift` has carried it.
    ///
    /// Only what made the hour may prove it. Flagged flows come in bursts, and one of them in an hour of slightly long delays
    /// says nothing of the delays; asked beside them, it would clear one such hour in a few.
    pub fn is_clear(&self, episode: &Episode, drift: &FleetDrift, settings: &Settings) -> bool {
        let window = (episode.impact_start(), episode.last_degraded);
        let kept = (window.0.max(window.1.plus(1 - i64::from(EVIDENCE_MIN))), window.1);
        let degraded = self.degraded_minutes(kept, episode.classes);
        let classes = TrafficClass::ALL.into_iter().filter(|class| episode.classes & (1 << class.index()) != 0);
        classes.filter_map(|class| Some((class, self.classes[class.index()].as_ref()?))).any(|(class, track)| {
            let (rates, drift) = (track.rates(settings), drift.of_class(class));
            Test::ALL.into_iter().any(|test| {
                let Some(limit) = verdict::limit(test, &rates) else { return false };
                let told = track.trials(test, window);
                let lone = track.lone_trials(test, window, drift, settings);
                // Of a median it is enough to lie above the higher threshold: to stand clear of it most delays would have to.
                let is_above = if test == Test::P50 { verdict::exceeds } else { verdict::stands_clear };
                verdict::is_above(test, told, &rates)
                    && verdict::stands_clear(limit, told)
                    && is_above(limit, lone)
                    && verdict::degraded_minutes(&track.ring, test, kept, &rates) * LEAST_PART >= degraded
            })
        })
    }

    /// In how many of the minutes `from ..= to` one of these classes was degraded.
    fn degraded_minutes(&self, (from, to): (Minute, Minute), classes: u8) -> u32 {
        (0..=to.since(from)).filter(|&ago| self.history.get(from.plus(ago)).degraded & classes != 0).count() as u32
    }

    /// Whether the device is proved good: no episode, no membership test, and judged healthy lately.
    pub fn is_proved_good(&self, last: Minute) -> bool {
        self.episode.is_none() && self.affected_by.is_empty() && self.past_full.is_none() && self.is_known(last)
    }
}
