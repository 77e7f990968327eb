//! The one-hour clock: how long has the quality been degraded without a break that the data prove?
//!
//! An episode is a pure function of the verdicts of the last two days. There is no timer that a restart, a backlog or a
//! duplicate could upset: whoever learns something new about a past minute simply asks again.
//!
//! The rule, minute by minute:
//!
//! - *degraded*: the episode goes on; its start moves up until degraded minutes are at least [`MIN_SHARE`] of the known
//!   ones since then, so that a lone bad minute long before does not lengthen the hour;
//! - *healthy*: only if each class that was degraded in this episode is proved healthy. `recover_min` of them with no
//!   degraded minute between end the episode; gaps among them neither add nor reset;
//! - *gap* (no data, or not decided): neither. More than `max_gap_min` of them since the last degraded minute suspend the
//!   streak: the time before is not cleared, but it no longer counts; the next degraded minute starts a new count;
//! - the hour is full when it lasts `hold_min` from its start to the end of its last degraded minute, at least half of it
//!   known and three minutes of it degraded. A gap can never supply the last minute.

use bincode::{Decode, Encode};

use super::history::{History, MinuteVerdicts};
use super::settings::Settings;
use super::time::Minute;

/// Least share of degraded among the known minutes of an episode.
const MIN_SHARE: (u32, u32) = (4, 5);

/// Fewest degraded minutes that make a full hour.
const MIN_DEGRADED: u32 = 3;

/// Verdicts minute by minute, from wherever they are kept.
pub trait Verdicts {
    /// What `minute` says.
    fn at(&self, minute: Minute) -> MinuteVerdicts;
}

impl Verdicts for History {
    fn at(&self, minute: Minute) -> MinuteVerdicts {
        self.get(minute)
    }
}

/// A run of degraded minutes, bridged where the rule allows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Episode {
    /// First minute that counts.
    pub start: Minute,
    /// First degraded minute since the quality was last proved good, even if a gap has since suspended the count.
    pub onset: Minute,
    pub last_degraded: Minute,
    /// Degraded, healthy and gap minutes from `start` to `last_degraded`.
    pub degraded: u32,
    pub healthy: u32,
    pub gaps: u32,
    /// Healthy minutes since the last degraded one.
    pub healthy_after: u32,
    /// Gap minutes since the last degraded one.
    pub gaps_after: u32,
    /// Whether the gap since the last degraded minute is too long to bridge.
    pub suspended: bool,
    /// The classes that were degraded in it, bit by class number.
    pub classes: u8,
    /// The last degraded minute with which the hour was first full, and the start it then had.
    pub full: Option<(Minute, Minute)>,
}

impl Episode {
    fn begin(minute: Minute) -> Self {
        Self {
            start: minute,
            onset: minute,
            last_degraded: minute,
            degraded: 0,
            healthy: 0,
            gaps: 0,
            healthy_after: 0,
            gaps_after: 0,
            suspended: false,
            classes: 0,
            full: None,
        }
    }

    /// Continuous degraded time that is proved, in minutes.
    pub fn length_min(&self) -> u32 {
        (self.last_degraded.since(self.start) + 1).max(0) as u32
    }

    /// Whether the hour was full.
    pub fn is_full(&self) -> bool {
        self.full.is_some()
    }

    /// The start that a declaration names: the one with which the hour was first full, else the present one.
    pub fn impact_start(&self) -> Minute {
        self.full.map_or(self.start, |(_, start)| start)
    }
}

/// What the verdicts up to a minute amount to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Episodes {
    /// Episodes that were full and have ended, oldest first.
    pub ended_full: Vec<Episode>,
    /// The episode that has not ended.
    pub current: Option<Episode>,
}

/// Walks from `from` to `to` (inclusive) and returns the episodes found there.
///
/// `from` may be any minute at which no episode was going on; [`quiet_before`] finds one cheaply.
pub fn episodes(verdicts: &impl Verdicts, from: Minute, to: Minute, settings: &Settings) -> Episodes {
    let mut found = Episodes::default();
    let mut minute = from;
    while minute <= to {
        step(&mut found, verdicts, minute, verdicts.at(minute), settings);
        minute = minute.plus(1);
    }
    found
}

/// The latest minute at or after `oldest` from which a walk to `to` gives the same current episode as one from `oldest`.
///
/// It is where the quality was last proved good in *all* classes with data, which ends any episode.
pub fn quiet_before(verdicts: &impl Verdicts, oldest: Minute, to: Minute, settings: &Settings) -> Minute {
    let mut healthy = 0;
    let mut minute = to;
    while minute > oldest {
        let said = verdicts.at(minute);
        if said.degraded != 0 {
            healthy = 0;
        } else if said.healthy != 0 && said.healthy == said.data {
            healthy += 1;
        }
        // One more than the rule asks for: the run may have begun inside an episode that needed it whole.
        if healthy > settings.recover_min {
            return minute;
        }
        minute = minute.plus(-1);
    }
    oldest
}

fn step(found: &mut Episodes, verdicts: &impl Verdicts, minute: Minute, said: MinuteVerdicts, settings: &Settings) {
    if said.degraded != 0 {
        let mut episode = found.current.take().unwrap_or_else(|| Episode::begin(minute));
        extend(&mut episode, minute, said);
        trim(&mut episode, verdicts);
        note_full(&mut episode, settings);
        found.current = Some(episode);
        return;
    }
    let Some(episode) = &mut found.current else { return };
    if said.healthy & episode.classes == episode.classes {
        episode.healthy_after += 1;
        if episode.healthy_after >= settings.recover_min {
            let ended = *episode;
            found.current = None;
            if ended.full.is_some() {
                found.ended_full.push(ended);
            }
        }
    } else {
        episode.gaps_after += 1;
        episode.suspended = episode.gaps_after > settings.max_gap_min;
    }
}

fn extend(episode: &mut Episode, minute: Minute, said: MinuteVerdicts) {
    if episode.suspended {
        // Not proved continuous. What was full stays full; the count begins anew.
        episode.start = minute;
        (episode.degraded, episode.healthy, episode.gaps) = (0, 0, 0);
    } else {
        episode.healthy += episode.healthy_after;
        episode.gaps += episode.gaps_after;
    }
    episode.degraded += 1;
    (episode.healthy_after, episode.gaps_after) = (0, 0);
    episode.suspended = false;
    episode.last_degraded = minute;
    episode.classes |= said.degraded;
}

/// Moves the start up to the first degraded minute from which the degraded share suffices.
fn trim(episode: &mut Episode, verdicts: &impl Verdicts) {
    if suffices(episode) {
        return;
    }
    // More classes may be implicated now than when the minutes were counted, so they are counted again.
    (episode.degraded, episode.healthy, episode.gaps) = (0, 0, 0);
    let mut minute = episode.start;
    while minute <= episode.last_degraded {
        *count_of(episode, verdicts.at(minute)) += 1;
        minute = minute.plus(1);
    }
    while !suffices(episode) && episode.start < episode.last_degraded {
        loop {
            *count_of(episode, verdicts.at(episode.start)) -= 1;
            episode.start = episode.start.plus(1);
            if verdicts.at(episode.start).degraded != 0 {
                break;
            }
        }
    }
}

fn suffices(episode: &Episode) -> bool {
    let (numerator, denominator) = MIN_SHARE;
    episode.degraded * denominator >= (episode.degraded + episode.healthy) * numerator
}

/// The count of the episode that a minute belongs to.
fn count_of(episode: &mut Episode, said: MinuteVerdicts) -> &mut u32 {
    if said.degraded != 0 {
        &mut episode.degraded
    } else if said.healthy & episode.classes == episode.classes {
        &mut episode.healthy
    } else {
        &mut episode.gaps
    }
}

fn note_full(episode: &mut Episode, settings: &Settings) {
    let length = episode.length_min();
    let known = episode.degraded + episode.healthy;
    if episode.full.is_none() && length >= settings.hold_min && known * 2 >= length && episode.degraded >= MIN_DEGRADED
    {
        episode.full = Some((episode.last_degraded, episode.start));
    }
}

#[cfg(test)]
mod tests;
