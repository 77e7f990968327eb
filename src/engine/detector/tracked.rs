//! What the decision task knows of one device: its facts, its evidence, its verdicts and its own clock.

use std::sync::Arc;

use bincode::{Decode, Encode};

use crate::engine::baseline::{self, GroupNormals, Maturity, Thresholds};
use crate::engine::device::{Label, Package, Status, TrafficClass};
use crate::engine::effect::Verdict;
use crate::engine::evidence::{Counts, EVIDENCE_MIN};
use crate::engine::fleet::{Closing, Device, LateFragment};
use crate::engine::histogram::Histogram;
use crate::engine::history::{HISTORY_MIN, History};
use crate::engine::settings::Settings;
use crate::engine::slots::SlotCounts;
use crate::engine::streak::{self, Episode};
use crate::engine::suspect::{self, AttributeKey, Attributes};
use crate::engine::time::{Minute, Timestamp};
use crate::engine::verdict::{self, MEMBERSHIP_FP_MIN, Signature, TestVerdicts};

use super::attributes;
use super::class_track::{ClassTrack, VERDICT_REACH};
use super::facts::{About, Facts};
use super::install;
use super::known_illness::KnownIllness;
use super::shown::Shown;

/// How often a device without a baseline of its own looks for a provisional one, in minutes.
const RETRY_MIN: u32 = 10;

/// Everything about one device.
#[derive(Debug)]
pub struct Tracked {
    pub device: Arc<Device>,
    pub state: State,
    pub about: About,
    /// What may be suspected of it, as its facts say.
    pub attributes: Attributes,
    /// Oldest minute whose verdict changed since the events were last looked at.
    pub dirty_from: Option<Minute>,
    /// No tick up to this one takes its mail: ticks that had run before it came into the checkpoint it was restored from.
    pub seen_through: Timestamp,
    /// Number of the last [cut](super::cut) that it is in.
    pub cut: u32,
    /// What people have been told of its illness.
    pub known_illness: Option<Box<KnownIllness>>,
}

/// The part of [`Tracked`] that a checkpoint keeps.
#[derive(Debug, Default, Encode, Decode)]
pub struct State {
    pub facts: Facts,
    pub classes: [Option<Box<ClassTrack>>; TrafficClass::COUNT],
    pub history: History,
    pub episode: Option<Episode>,
    /// Full hours that ended before anybody could see them (a backlog), not yet declared.
    pub past_full: Option<Episode>,
    /// No episode that ended at or before this minute is declared again.
    pub declared_through: Minute,
    pub last_degraded: Option<Minute>,
    pub last_known: Option<Minute>,
    pub last_data: Option<Minute>,
    /// Classes and tests that were degraded in the current episode.
    pub episode_signature: Signature,
    /// Classes and tests by which the device is affected now.
    pub affected_by: Signature,
    pub quantiles: Option<(u32, u32, u32)>,
    /// The end of the last fleet event that it was in: what was bad before is that event's.
    pub settled_through: Minute,
    /// Since when the device belongs to an open event; nothing is learnt from then on.
    pub in_event_since: Option<Minute>,
    pub too_late: u64,
    pub slots: u64,
}

/// What stepping a device needs to know of the rest.
#[derive(Debug)]
pub struct StepContext<'a> {
    pub settings: &'a Settings,
    pub groups: &'a [GroupNormals; TrafficClass::COUNT],
    /// Slots of minutes before this one are closed.
    pub before: Minute,
    /// Whether this tick closed a minute.
    pub moved: bool,
    /// Mail that came into a checkpoint after this tick waits.
    pub(super) ripe: Timestamp,
}

impl Tracked {
    /// A device nothing is known of.
    pub fn new(device: Arc<Device>) -> Self {
        Self::with_state(device, State::default(), About::default(), None)
    }

    /// A device of which this is known.
    pub fn with_state(device: Arc<Device>, state: State, about: About, dirty_from: Option<Minute>) -> Self {
        let attributes = attributes::of(&state.facts);
        Self {
            device,
            state,
            about,
            attributes,
            dirty_from,
            seen_through: Timestamp::default(),
            cut: 0,
            known_illness: None,
        }
    }

    /// Whether the device has this attribute.
    pub fn has(&self, key: &AttributeKey) -> bool {
        suspect::has(&self.attributes, key)
    }

    /// Takes in statuses and late data, closes the slots that are due, and moves the clock. Returns whether anything changed.
    pub fn step(&mut self, context: &StepContext<'_>, scratch: &mut Scratch) -> bool {
        let mut touched = false;
        let inbox = self.device.take_inbox();
        for note in inbox.statuses {
            self.take_status(note.status, note.retained);
            touched = true;
        }
        if self.convert_install_times(context.before) || touched {
            self.attributes = attributes::of(&self.state.facts);
        }
        self.close_slots(context, scratch);
        for fragment in &inbox.late {
            self.take_late(fragment, context);
        }
        touched |= self.settle(context);
        self.settle_known_illness(context);
        touched
    }

    /// Whether the device has to be looked at in the next tick, even if that closes no minute and nothing arrives.
    pub fn is_pending(&self) -> bool {
        self.state.facts.unconverted.is_some() || self.device.has_deferred()
    }

    /// Brings into the cache what closing `minute` will touch; the answer means nothing. Depth by depth, see [`warm`](super).
    pub fn warm(&self, minute: Minute, depth: u8) -> u32 {
        let state = &self.state;
        let tracks = state.classes.iter().flatten();
        let own = match depth {
            0 => state.slots as u32 ^ u32::from(state.episode.is_some()) ^ u32::from(state.facts.unconverted.is_some()),
            1 => tracks.fold(0, |sum, track| sum ^ track.hour ^ track.ring.warm(minute) ^ track.baseline.warm(false)),
            _ => tracks.fold(state.history.warm(minute), |sum, track| sum ^ track.baseline.warm(true)),
        };
        own ^ self.device.warm(minute, depth)
    }

    /// What a broker had kept says what the device is, and that it is gone; that it is there only a live message says: the one
    /// who wrote it may be dead for weeks.
    fn take_status(&mut self, status: Status, retained: bool) {
        let facts = &mut self.state.facts;
        if !(retained && status.online) {
            facts.online = Some(status.online);
        }
        for (place, said) in [
            (&mut facts.model, &status.model),
            (&mut facts.branch, &status.branch),
            (&mut facts.firmware, &status.firmware),
            (&mut self.about.customer, &status.customer),
        ] {
            if let Some(said) = said {
                *place = Some(Arc::clone(said));
            }
        }
        if let Some(workaround) = &status.workaround {
            facts.workaround_active = Some(workaround.active);
            self.about.workaround_id.clone_from(&workaround.id);
        }
        if status.update.is_some() || !status.packages.is_empty() {
            facts.unconverted = Some(status);
        }
    }

    /// Install times are the device's wall clock; they are converted by the offset that the same boot's reports show.
    /// Until then the age of what is installed is unknown, and it stays so where the time [cannot be](install::minute).
    /// Returns whether there was anything to convert.
    fn convert_install_times(&mut self, now: Minute) -> bool {
        let Some(status) = self.state.facts.unconverted.take() else { return false };
        let has_times = status.update_installed_at.is_some()
            || status.packages.iter().any(|package| package.installed_at.is_some());
        let is_convertible = self.device.event_time_of_wall(status.boot, 0).is_some();
        let convert = |wall: Option<i64>| {
            let event = |wall: i64| self.device.event_time_of_wall(status.boot, wall);
            wall.and_then(|wall| install::minute(wall, status.at, now, event))
        };
        let facts = &mut self.state.facts;
        if status.update.is_some() {
            facts.update.clone_from(&status.update);
            facts.update_installed = convert(status.update_installed_at);
        }
        if !status.packages.is_empty() {
            let named = |package: &Package| Label::from(format!("{} {}", package.name, package.version));
            facts.packages =
                status.packages.iter().map(|package| (named(package), convert(package.installed_at))).collect();
        }
        if has_times && !is_convertible {
            facts.unconverted = Some(status);
        }
        true
    }

    fn close_slots(&mut self, context: &StepContext<'_>, scratch: &mut Scratch) {
        let Scratch { closing, shown } = scratch;
        shown.minute = None;
        let device = Arc::clone(&self.device);
        device.close_before(context.before, closing, |class, minute, counts, histogram| {
            self.close_slot(class, minute, counts, histogram, context);
            shown.add(minute, histogram);
        });
        if let Some(quantiles) = shown.quantiles() {
            self.state.quantiles = Some((quantiles.p50, quantiles.p95, quantiles.p99));
        }
    }

    fn close_slot(
        &mut self,
        class: TrafficClass,
        minute: Minute,
        slot: &SlotCounts,
        histogram: &Histogram,
        context: &StepContext<'_>,
    ) {
        let settings = context.settings;
        let state = &mut self.state;
        state.slots += 1;
        let spoilt_from = state.in_event_since;
        let group = || context.groups[class.index()].of(state.facts.model.as_ref(), state.facts.branch.as_ref());
        let track = state.classes[class.index()].get_or_insert_with(Box::default);
        let hour = baseline::local_hour(minute, settings);
        let is_young = track.thresholds.is_none() || track.maturity == Maturity::Provisional;
        if hour != track.hour || (is_young && minute.0.is_multiple_of(RETRY_MIN)) {
            track.baseline.learn(minute, settings, |first| spoilt_from.is_some_and(|since| first.plus(60) > since));
            let normal = baseline::normal(&track.baseline, group(), minute, settings);
            track.thresholds = Thresholds::of_judged(normal, settings);
            track.maturity = normal.map_or(Maturity::Provisional, |(_, maturity)| maturity);
            track.hour = hour;
        }
        let counts = counts_of(slot, histogram, track.thresholds);
        track.ring.add(minute, counts);
        let (verdict, tests) = judge(track, minute, settings);
        track.follow(minute, histogram, verdict);
        if let Some(known) = self.known_illness.as_deref_mut() {
            let counts = |limits| counts_of(slot, histogram, limits);
            known.see((class, minute), histogram, (&**track, track.thresholds), settings, counts);
        }
        let judged_well = track.maturity != Maturity::Provisional;
        if !judged_well || (verdict != Verdict::Degraded && spoilt_from.is_none()) {
            track.baseline.observe(minute, histogram, &counts, settings);
        }
        state.note(class, minute, verdict, tests);
        self.mark_dirty(minute);
    }

    /// Adds what arrived after its minute had closed, and judges again every minute that it can change.
    fn take_late(&mut self, fragment: &LateFragment, context: &StepContext<'_>) {
        let settings = context.settings;
        let state = &mut self.state;
        let class = fragment.class;
        let track = state.classes[class.index()].get_or_insert_with(Box::default);
        let mut histogram = Histogram::new();
        for &(index, count) in &fragment.buckets {
            histogram.add(usize::from(index), count);
        }
        // A device that was cut off has not closed a slot since: what waited meanwhile is learnt before it judges.
        let spoilt_from = state.in_event_since;
        track.baseline.learn(context.before, settings, |first| spoilt_from.is_some_and(|since| first.plus(60) > since));
        let thresholds = if baseline::local_hour(fragment.minute, settings) == track.hour {
            track.thresholds
        } else {
            let group = context.groups[class.index()].of(state.facts.model.as_ref(), state.facts.branch.as_ref());
            Thresholds::of_judged(baseline::normal(&track.baseline, group, fragment.minute, settings), settings)
        };
        // Memory is counted from the fleet's time: how old an hour may be must not depend on what else a device has sent.
        let forgotten = context.before.since(fragment.minute) > i64::from(EVIDENCE_MIN);
        if forgotten || !track.ring.add(fragment.minute, counts_of(&fragment.counts, &histogram, thresholds)) {
            state.too_late += 1;
            return;
        }
        if let Some(known) = self.known_illness.as_deref_mut() {
            let counts = |limits| counts_of(&fragment.counts, &histogram, limits);
            known.see((class, fragment.minute), &histogram, (&**track, thresholds), settings, counts);
        }
        for later in 0..=VERDICT_REACH {
            let minute = fragment.minute.plus(later);
            if minute >= context.before {
                break;
            }
            let Some(track) = &mut state.classes[class.index()] else { break };
            if later == 0 || !track.ring.get(minute).is_empty() {
                let (verdict, tests) = judge(track, minute, settings);
                if later == 0 {
                    track.follow(minute, &histogram, verdict);
                }
                state.note(class, minute, verdict, tests);
            }
        }
        self.mark_dirty(fragment.minute);
    }

    fn mark_dirty(&mut self, minute: Minute) {
        self.dirty_from = Some(self.dirty_from.map_or(minute, |dirty| dirty.min(minute)));
    }

    /// Brings the clock up to the newest closed minute. Returns whether there was anything new.
    fn settle(&mut self, context: &StepContext<'_>) -> bool {
        if !context.moved && self.dirty_from.is_none() {
            return false;
        }
        let last = context.before.plus(-1);
        let Some(last_degraded) = self.state.last_degraded else { return self.dirty_from.is_some() };
        let oldest = last.plus(1 - i64::from(HISTORY_MIN));
        if last_degraded < oldest {
            self.state.episode = None;
            return self.dirty_from.is_some();
        }
        let state = &mut self.state;
        let mut from = streak::quiet_before(&state.history, oldest, last, context.settings);
        if let Some(dirty) = self.dirty_from.filter(|dirty| *dirty < last.plus(-VERDICT_REACH)) {
            // Late data may have completed an hour that is over: look at what was around it, too.
            from = from.min(streak::quiet_before(&state.history, oldest, dirty, context.settings));
        }
        // The time up to the end of a group that it was in has been decided by the group's clock.
        from = from.max(state.settled_through.plus(1));
        let found = streak::episodes(&state.history, from, last, context.settings);
        if let Some(ended) = found.ended_full.iter().rev().find(|ended| ended.last_degraded > state.declared_through) {
            state.past_full = Some(*ended);
        }
        if found.current.is_none() {
            state.episode_signature = Signature::default();
            if state.in_event_since.is_none() {
                state.classes.iter_mut().flatten().for_each(|track| track.contrast = None);
            }
        }
        state.episode = found.current;
        state.find_affected(last, context.settings);
        self.dirty_from.is_some()
    }
}

impl State {
    fn note(&mut self, class: TrafficClass, minute: Minute, verdict: Verdict, tests: TestVerdicts) {
        let mut said = self.history.get(minute);
        said.set(class, verdict);
        self.history.set(minute, said);
        self.last_data = self.last_data.max(Some(minute));
        match verdict {
            Verdict::Degraded => {
                self.last_degraded = self.last_degraded.max(Some(minute));
                self.last_known = self.last_known.max(Some(minute));
                self.episode_signature.add(class, tests);
            }
            Verdict::Healthy => self.last_known = self.last_known.max(Some(minute)),
            Verdict::Indeterminate | Verdict::Unknown => {}
        }
    }

    fn find_affected(&mut self, last: Minute, settings: &Settings) {
        let mut affected = Signature::default();
        let recent = last.plus(1 - i64::from(MEMBERSHIP_FP_MIN));
        if self.last_degraded.is_some_and(|degraded| degraded >= recent) {
            for (class, track) in TrafficClass::ALL.into_iter().zip(&self.classes) {
                if let Some(track) = track {
                    affected.0 |= verdict::affected_by(&track.ring, class, last, &track.rates(settings)).0;
                }
            }
        }
        self.affected_by = affected;
    }
}

fn judge(track: &ClassTrack, minute: Minute, settings: &Settings) -> (Verdict, TestVerdicts) {
    let (verdict, tests) = verdict::of_class(&track.ring, minute, &track.rates(settings));
    // A slot that was closed had data: without a baseline they do not decide, but they are not silence.
    (if verdict == Verdict::Unknown { Verdict::Indeterminate } else { verdict }, tests)
}

/// Counts of a slot against thresholds; without any, its latency samples cannot be judged and are left out.
fn counts_of(slot: &SlotCounts, histogram: &Histogram, thresholds: Option<Thresholds>) -> Counts {
    let latency = thresholds.map(|thresholds| {
        (histogram.total(), histogram.count_above(thresholds.p50_us), histogram.count_above(thresholds.p95_us))
    });
    let (samples, over_p50, over_p95) = latency.unwrap_or_default();
    Counts {
        samples,
        over_p50,
        over_p95,
        flows: slot.flows,
        flagged: slot.flagged,
        canary: slot.canary,
        canary_flagged: slot.canary_flagged,
    }
}

/// What stepping works in, kept from device to device.
#[derive(Debug, Default)]
pub struct Scratch {
    closing: Closing,
    shown: Shown,
}
