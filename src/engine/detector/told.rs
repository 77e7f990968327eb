//! What people have been told of a device: an illness that comes again and is no worse is no news.
//!
//! A device over which an incident was closed, or one that is slow every night for reasons of its own, would otherwise be declared
//! night after night, and a few of them would accuse the update of that night. So what a declared event tells of a device is
//! remembered when the event is over: of a lone device, of those that are still ill when their fleet event has ended, and of those
//! that still have what the event was put down to. From then on a second clock runs beside the device's own, by the same rule, on
//! whether it is *worse than told*; for events only that one counts, and a device that is ill, but no worse, is no witness for or
//! against anything. It still becomes a member of a fleet event that others have proved. What is shown of the device is its own
//! clock, as ever.
//!
//! What ailed a lone device is known at the hours of the day at which it did, and for as long as it goes on from there. What is left
//! of a fleet event has its cause, and is known at any.
//!
//! How bad it was is kept by its delays and by how many times the usual they were; what is worse exceeds both, since some defects
//! add to a delay, others multiply it, and what is usual changes with the hour. Who has been well
//! for more than a day has come through the hours at which it was ill: the illness is forgotten. So is that of all who still have a
//! cause, once it has come back to a good part of them: then it is the event that comes again, not what was left of it.

use std::collections::BTreeMap;

use bincode::{Decode, Encode};

use crate::engine::baseline::{self, Standing, Thresholds};
use crate::engine::device::TrafficClass;
use crate::engine::effect::Verdict;
use crate::engine::evidence::{Counts, EVIDENCE_MIN, EvidenceRing};
use crate::engine::histogram::Histogram;
use crate::engine::history::{HISTORY_MIN, History};
use crate::engine::settings::Settings;
use crate::engine::streak::{self, Episode};
use crate::engine::suspect::{self, AttributeKey};
use crate::engine::time::Minute;
use crate::engine::verdict::{self, Rates, Test};

use super::contrast::Contrast;
use super::event::Event;
use super::events::Round;
use super::membership::onset_of;
use super::tracked::{ClassTrack, Context, Tracked, VERDICT_REACH};

/// How often an open event is asked how bad it is, in minutes.
const EVERY_MIN: u32 = 10;
const DAY_H: u32 = 24;
const EVERY_HOUR: u32 = (1 << DAY_H) - 1;
/// Delays so many times as long as was told, and shares of flags so many times as high, are worse. The level of an illness moves.
const WORSE_DELAYS: f64 = 1.3;
const WORSE_FLAGS: f64 = 1.5;
/// Minutes with data and no illness after which it is forgotten: a day, and room for one that comes some hours later than the day
/// before.
const FORGET_MIN: u32 = 30 * 60;
/// Devices that were well when their event ended, and are ill again, that make the event come again: so many, and of the event's
/// devices at least one in so many; or so many that nobody would call them what was left of it.
const COME_AGAIN_LEAST: u32 = 3;
const COME_AGAIN_ONE_IN: u32 = 5;
const COME_AGAIN_SURELY: u32 = 10;

/// The illness of a device, as people know it.
#[derive(Clone, PartialEq, Debug, Default, Encode, Decode)]
pub struct Told {
    /// From here on it is no news; `None` while the first event that tells of it is open.
    since: Option<Minute>,
    /// How bad it was, by class.
    levels: [Level; TrafficClass::COUNT],
    /// The local hours of the day at which it was ill, bit by bit.
    hours: u32,
    /// What it has not been rid of, though it was well when the event ended; `None` where the illness itself had not ended, or was
    /// its own.
    uncured: Option<Uncured>,
    /// How bad it is in the event that is open; it counts when that is over.
    telling: [Level; TrafficClass::COUNT],
    telling_hours: u32,
    /// Counts against the limits of what was told, and the verdicts that they give: degraded is worse than told.
    rings: [EvidenceRing; TrafficClass::COUNT],
    worse: History,
    last_worse: Option<Minute>,
    /// The delays of the minutes in which it was worse, while it is.
    beyond: [Option<Box<Contrast>>; TrafficClass::COUNT],
    /// Start of its running illness, if that began at a known hour.
    running: Option<Minute>,
    own: Clocked,
    /// Minutes with data since it was last ill.
    well_min: u32,
}

/// What a fleet event was put down to.
#[derive(Clone, PartialEq, Debug, Encode, Decode)]
struct Uncured {
    key: AttributeKey,
    event: u32,
    /// How many devices were in it.
    devices: u32,
}

/// What a device's clock says to the events.
#[derive(Clone, Copy, PartialEq, Debug, Default, Encode, Decode)]
pub struct Clocked {
    pub episode: Option<Episode>,
    /// A full hour that ended before anybody could see it.
    pub past_full: Option<Episode>,
}

/// How bad a class was. All zero where it was well.
#[derive(Clone, Copy, PartialEq, Debug, Default, Encode, Decode)]
struct Level {
    p50: Delay,
    p95: Delay,
    /// Share of the probes that were wrongly flagged, and of the flows that were flagged.
    false_positives: f64,
    flagged: f64,
}

/// A quantile of the delays: in microseconds, and in multiples of the usual one.
#[derive(Clone, Copy, PartialEq, Debug, Default, Encode, Decode)]
struct Delay {
    us: f64,
    times: f64,
}

impl Delay {
    fn of(us: u32, usual: f64) -> Self {
        Self { us: f64::from(us), times: f64::from(us) / usual.max(1.0) }
    }

    fn worst(self, other: Self) -> Self {
        Self { us: self.us.max(other.us), times: self.times.max(other.times) }
    }

    fn worsened(self) -> Self {
        Self { us: self.us * WORSE_DELAYS, times: self.times * WORSE_DELAYS }
    }

    /// The greatest delay in microseconds that is no worse, where `usual` is and `threshold` would be too long.
    fn most(self, threshold: u32, usual: f64) -> u32 {
        f64::from(threshold).max(self.us).max(self.times * usual).min(f64::from(u32::MAX)) as u32
    }
}

impl Level {
    /// Of one class in an episode with these delays.
    fn of(track: &ClassTrack, episode: &Episode, delays: Option<&Contrast>, settings: &Settings) -> Self {
        let to = episode.last_degraded;
        let window = (episode.start.max(to.plus(1 - i64::from(EVIDENCE_MIN))), to);
        let share = |test: Test| {
            let (trials, exceeding) = track.trials(test, window);
            exceeding as f64 / trials.max(1) as f64
        };
        let delays = delays.and_then(Contrast::during_quantiles).zip(track.thresholds);
        let (p50, p95) = delays.map_or_else(Default::default, |((p50, p95), thresholds)| {
            let usual = thresholds.normal(track.standing, settings);
            (Delay::of(p50, usual.p50_us), Delay::of(p95, usual.p95_us))
        });
        Self { p50, p95, false_positives: share(Test::FalsePositives), flagged: share(Test::Flagged) }
    }

    fn worst(self, other: Self) -> Self {
        Self {
            p50: self.p50.worst(other.p50),
            p95: self.p95.worst(other.p95),
            false_positives: self.false_positives.max(other.false_positives),
            flagged: self.flagged.max(other.flagged),
        }
    }

    /// What is worse than this at the least.
    fn worsened(self) -> Self {
        let share = |share: f64| (share * WORSE_FLAGS).min(1.0);
        Self {
            p50: self.p50.worsened(),
            p95: self.p95.worsened(),
            false_positives: share(self.false_positives),
            flagged: share(self.flagged),
        }
    }

    /// Thresholds above which delays are worse than this.
    fn raised(self, usual: Thresholds, standing: Standing, settings: &Settings) -> Thresholds {
        let (Self { p50, p95, .. }, normal) = (self.worsened(), usual.normal(standing, settings));
        Thresholds { p50_us: p50.most(usual.p50_us, normal.p50_us), p95_us: p95.most(usual.p95_us, normal.p95_us) }
    }

    /// Rates above which flags are worse than this.
    fn rates(self, usual: &Rates) -> Rates {
        let Self { false_positives, flagged, .. } = self.worsened();
        Rates {
            false_positives: usual.false_positives.max(false_positives),
            flagged: usual.flagged.map(|usual| usual.max(flagged)),
            flagged_dispersion: usual.flagged_dispersion,
        }
    }
}

impl Told {
    fn is_in_force(&self) -> bool {
        self.since.is_some()
    }

    /// Whether it is known at that hour of the day, or at one beside it.
    fn is_hour(&self, minute: Minute, settings: &Settings) -> bool {
        let hour = baseline::local_hour(minute, settings) % DAY_H;
        [DAY_H - 1, 0, 1].into_iter().any(|beside| self.hours & (1 << ((hour + beside) % DAY_H)) != 0)
    }

    /// Takes in what a class had in a minute, on time or late: `count` counts it against thresholds, of which `usual` are the
    /// device's own then.
    pub fn see(
        &mut self,
        (class, minute): (TrafficClass, Minute),
        histogram: &Histogram,
        (track, usual): (&ClassTrack, Option<Thresholds>),
        settings: &Settings,
        count: impl FnOnce(Option<Thresholds>) -> Counts,
    ) {
        if !self.is_in_force() {
            return;
        }
        let is_known = self.is_hour(minute, settings) || self.running.is_some_and(|start| minute >= start);
        let level = if is_known { self.levels[class.index()] } else { Level::default() };
        let counts = count(usual.map(|usual| level.raised(usual, track.standing, settings)));
        let rates = level.rates(&track.rates(settings));
        let ring = &mut self.rings[class.index()];
        if !ring.add(minute, counts) {
            return;
        }
        for at in (0..=VERDICT_REACH).map(|later| minute.plus(later)) {
            let (verdict, _) = verdict::of_class(ring, at, &rates);
            if verdict == Verdict::Unknown {
                continue;
            }
            let mut said = self.worse.get(at);
            said.set(class, verdict);
            self.worse.set(at, said);
            if verdict == Verdict::Degraded {
                self.last_worse = self.last_worse.max(Some(at));
                let beyond = &mut self.beyond[class.index()];
                let beyond = beyond.get_or_insert_with(|| Box::new(Contrast::new(minute, Histogram::new())));
                if at == minute {
                    beyond.add(at, histogram);
                }
            }
        }
    }

    /// Brings the second clock up to `last`; nothing up to `through` is declared again.
    fn run_clock(&mut self, (from, last): (Minute, Minute), through: Minute, settings: &Settings) {
        let oldest = last.plus(1 - i64::from(HISTORY_MIN));
        self.last_worse = self.last_worse.filter(|worse| *worse >= oldest);
        if self.last_worse.is_none() {
            self.own = Clocked::default();
            return;
        }
        let found = streak::episodes(&self.worse, oldest.max(from), last, settings);
        self.own.episode = found.current;
        if found.current.is_none() {
            self.beyond = Default::default();
        }
        let news = found.ended_full.iter().rev().find(|ended| ended.last_degraded > through);
        self.own.past_full = news.copied().or(self.own.past_full);
    }

    /// The event is over: what it told counts from `last` on, at these hours, and the clock begins anew.
    fn settle(&mut self, hours: u32, uncured: Option<Uncured>, last: Minute) {
        for (level, telling) in self.levels.iter_mut().zip(std::mem::take(&mut self.telling)) {
            *level = level.worst(telling);
        }
        let Self { levels, since, .. } = std::mem::take(self);
        *self = Self { levels, hours, uncured, since: since.or(Some(last)), ..Self::default() };
    }
}

impl Tracked {
    /// What people were told of the device, once that is no news.
    fn told(&self) -> Option<&Told> {
        self.told.as_deref().filter(|told| told.is_in_force())
    }

    /// The clock that counts for events: the device's own, or how long it has been worse than told.
    pub(super) fn clock(&self) -> Clocked {
        let own = || Clocked { episode: self.state.episode, past_full: self.state.past_full };
        self.told().map_or_else(own, |told| told.own)
    }

    /// Onset of what is news of the device at `last`; `None` when it is not affected, or not yet, or no worse than told.
    pub(super) fn onset(&self, last: Minute) -> Option<Minute> {
        match self.told() {
            Some(told) => onset_of(told.own.episode, told.own.past_full, last),
            None => self.state.onset(last),
        }
    }

    /// Whether the device is ill, but no worse than people were told: no witness.
    pub(super) fn is_left_over(&self, last: Minute) -> bool {
        let is_ill = || self.state.episode.is_some() || !self.state.affected_by.is_empty();
        self.told().is_some() && is_ill() && self.onset(last).is_none()
    }

    /// Whether the device can be asked who did it: it is affected, or known to be good.
    pub(super) fn is_witness(&self, last: Minute) -> bool {
        self.onset(last).is_some() || (self.state.is_known(last) && !self.is_left_over(last))
    }

    /// The declared event that the device is in tells how bad it is.
    pub(super) fn tell(&mut self, settings: &Settings) {
        let Some(episode) = self.state.episode else { return };
        let mut told = self.told.take().unwrap_or_default();
        for (class, track) in self.state.classes.iter().enumerate() {
            let Some(track) = track else { continue };
            let mut level = Level::of(track, &episode, track.contrast.as_deref(), settings);
            if let Some(worse) = told.own.episode {
                // The whole of its illness may not show what has come to it.
                level = level.worst(Level::of(track, &worse, told.beyond[class].as_deref(), settings));
            }
            told.telling[class] = told.telling[class].worst(level);
        }
        let (from, to) = (episode.start, episode.last_degraded);
        for hour in baseline::local_hour(from, settings)..=baseline::local_hour(to, settings) {
            told.telling_hours |= 1 << (hour % DAY_H);
        }
        self.told = Some(told);
    }

    /// An hour that is over has been decided about.
    pub(super) fn settle_past(&mut self) {
        self.state.past_full = None;
        if let Some(told) = &mut self.told {
            told.own.past_full = None;
        }
    }

    /// The device leaves a fleet event, or that is over: see [`State::leave_event`](super::State::leave_event).
    pub(super) fn leave_event(&mut self, last: Minute) {
        self.state.leave_event(last);
        if let Some(told) = &mut self.told {
            told.own = Clocked::default();
        }
    }

    /// The event is over: what it told is no news from here on, of a lone device, of one that is not proved good, and of one that
    /// was not rid of the cause. Of the others nothing is left to be known.
    pub(super) fn keep_told(&mut self, event: &Event, is_good: bool, last: Minute) {
        let cause = event.key.as_ref().filter(|key| key.kind.is_rolled_out() && self.has(key)).cloned();
        let Some(told) = self.told.as_deref_mut().filter(|_| event.declared_at.is_some()) else { return };
        let was_known = told.is_in_force() && told.uncured.is_none();
        let devices = event.members.len() as u32;
        let uncured = cause.filter(|_| is_good && !was_known).map(|key| Uncured { key, event: event.number, devices });
        let hours = match (event.lone_device(), &uncured) {
            (Some(_), _) => told.hours | told.telling_hours,
            (None, None) if is_good && was_known => told.hours,
            (None, None) if is_good => {
                self.told = None;
                return;
            }
            (None, _) => EVERY_HOUR,
        };
        told.settle(hours, uncured, last);
    }

    /// Brings the second clock up to the newest closed minute.
    pub(super) fn settle_told(&mut self, context: &Context<'_>) {
        let Some(told) = self.told.as_deref_mut().filter(|told| told.is_in_force()) else { return };
        let last = context.before.plus(-1);
        let state = &mut self.state;
        state.past_full = None;
        told.running =
            state.episode.map(|episode| episode.start).filter(|start| told.is_hour(*start, context.settings));
        let is_ill = onset_of(state.episode, None, last).is_some();
        let from = state.settled_through.max(told.since.unwrap_or_default()).plus(1);
        told.run_clock((from, last), state.declared_through, context.settings);
        if !context.moved {
            return;
        }
        if is_ill {
            told.well_min = 0;
        } else if state.last_data == Some(last) {
            told.well_min += 1;
        }
        let is_cured = told.uncured.as_ref().is_some_and(|uncured| !suspect::has(&self.attributes, &uncured.key));
        if is_cured && state.episode.is_some() {
            // It was not that: the illness goes on without it.
            told.uncured = None;
        } else if is_cured || told.well_min >= FORGET_MIN {
            state.declared_through = state.declared_through.max(last);
            self.told = None;
        }
    }
}

/// Forgets what was told of all who were not rid of a cause that has come back to many of them.
pub(super) fn forget_what_comes_again(round: &mut Round<'_>) {
    let uncured = |tracked: &Tracked| {
        let uncured = tracked.told()?.uncured.as_ref()?;
        Some((uncured.event, uncured.devices))
    };
    let mut ill: BTreeMap<u32, (u32, u32)> = BTreeMap::new();
    for tracked in round.devices.iter() {
        let Some((event, devices)) = uncured(tracked) else { continue };
        let (count, of) = ill.entry(event).or_default();
        *count += u32::from(tracked.is_left_over(round.last) && tracked.state.onset(round.last).is_some());
        *of = devices;
    }
    ill.retain(|_, (count, of)| {
        *count >= COME_AGAIN_SURELY || (*count >= COME_AGAIN_LEAST && *count * COME_AGAIN_ONE_IN >= *of)
    });
    for device in 0..round.devices.len() {
        if uncured(&round.devices[device]).is_some_and(|(event, _)| ill.contains_key(&event)) {
            round.devices[device].told = None;
        }
    }
}

/// Whether an open event is asked at `last` how bad it is.
pub(super) fn is_asked(event: &Event, last: Minute) -> bool {
    event.declared_at.is_some() && last.0.is_multiple_of(EVERY_MIN)
}
