//! One event: a fleet event with its pooled clock and living membership, or a lone device's streak.

use std::collections::BTreeMap;

use bincode::{Decode, Encode};

use crate::engine::device::{DeviceId, TrafficClass};
use crate::engine::effect::EventState;
use crate::engine::effect::{Cause, Change, ChangeKind, ProofMinute, Scope, Severity, Verdict};
use crate::engine::history::{HISTORY_MIN, History};
use crate::engine::settings::Settings;
use crate::engine::streak::{self, Episode};
use crate::engine::suspect::{self, AttributeKey, Attributes, Candidate};
use crate::engine::time::{Minute, Timestamp};
use crate::engine::verdict::{Signature, Test};

use super::drift::FleetDrift;
use super::number::IncidentNumber;
use super::pool::{self, Part};
use super::tracked::Tracked;

/// Half a minute: what the rounding of two boundary minutes may add up to.
const EDGE_TOLERANCE_MIN: f64 = 0.5;
/// Shortest streak that counts as a relapse of a recovered event: a chance minute is none.
pub const RELAPSE_MIN: u32 = 5;
/// Minutes beside an edge that show what is inside, and the most that a window can have smeared.
const EDGE_SMEAR_MIN: i64 = 5;
/// Minutes outside an edge that show what is usual.
const EDGE_OUTSIDE_MIN: i64 = 10;

/// A device's part in an event.
#[derive(Clone, Debug, Encode, Decode)]
pub struct Member {
    /// Onset of its degradation when it joined first.
    pub onset: Minute,
    /// What it had then. Whoever rolls an update back afterwards was still hit by it.
    pub attributes: Attributes,
    /// When it took the attribute that the event's members share, where that is known.
    pub installed: Option<Minute>,
    /// Last minute that counts, once it has left.
    pub left: Option<Minute>,
}

impl Member {
    fn new(onset: Minute, attributes: &Attributes, key: Option<&AttributeKey>) -> Self {
        let mut member = Self { onset, attributes: Attributes::clone(attributes), installed: None, left: None };
        member.find_install(key);
        member
    }

    fn find_install(&mut self, key: Option<&AttributeKey>) {
        self.installed = key.and_then(|key| suspect::install_of(&self.attributes, key));
    }

    /// When the event reached it: what was bad before the install is somebody else's.
    fn reached(&self) -> Minute {
        self.installed.map_or(self.onset, |installed| self.onset.max(installed))
    }

    /// First minute that counts, in an event that began at `began`: good minutes of a member that fell ill later are part of
    /// the truth about the whole.
    fn counts_from(&self, began: Minute) -> Minute {
        self.installed.map_or(began, |installed| installed.max(began))
    }
}

/// An event and its clock.
#[derive(Clone, Debug, Encode, Decode)]
pub struct Event {
    /// Number of the event; stable whatever becomes of it.
    pub number: u32,
    /// Number of the incident, from the declaration on.
    pub incident: Option<IncidentNumber>,
    pub scope: Scope,
    pub state: EventState,
    /// By device index. Those who left stay, with their time.
    pub members: BTreeMap<u32, Member>,
    /// The attribute that its members share; `None` for a lone device.
    pub key: Option<AttributeKey>,
    pub cause: Option<Cause>,
    /// Chance that a device with the attribute is affected.
    pub rate: f64,
    /// Other ids under which people may have heard of it.
    pub aliases: Vec<String>,
    /// Whether it was found in its members' sums: then their sums, not each device's own tests, say who is in it.
    pub pooled: bool,
    pub signature: Signature,
    /// The pair that most members are affected by.
    pub lead: Option<(TrafficClass, Test)>,
    /// Pooled verdicts; a lone device's are its own.
    pub history: History,
    pub episode: Option<Episode>,
    /// When it reached its first member: the first minute that is looked at.
    pub began: Minute,
    /// Minutes from here on have to be pooled again.
    pub dirty_from: Minute,
    /// Last warning mark that was announced, in minutes.
    pub warned_min: u32,
    pub declared_at: Option<Timestamp>,
    /// Start of the impact, as declared.
    pub impact_start: Minute,
    pub last_degraded: Minute,
    /// Clock reading, kept after the episode ended.
    pub streak_min: u32,
}

impl Event {
    /// An event of nobody yet, whose first minute is `from`.
    pub fn new(number: u32, scope: Scope, from: Minute) -> Self {
        Self {
            number,
            incident: None,
            scope,
            state: EventState::Pending,
            members: BTreeMap::new(),
            key: None,
            cause: None,
            rate: 0.0,
            aliases: Vec::new(),
            pooled: false,
            signature: Signature::default(),
            lead: None,
            history: History::default(),
            episode: None,
            began: from,
            dirty_from: from,
            warned_min: 0,
            declared_at: None,
            impact_start: from,
            last_degraded: from,
            streak_min: 0,
        }
    }

    /// The stable id.
    pub fn id(&self) -> String {
        format!("E-{:04}", self.number)
    }

    /// The incident's id, once declared.
    pub fn incident_id(&self) -> Option<String> {
        self.incident.map(|number| number.to_string())
    }

    /// Whether people have been told of it.
    pub fn is_announced(&self) -> bool {
        self.warned_min > 0 || self.declared_at.is_some()
    }

    /// Indices of the devices that are members now.
    pub fn present(&self) -> impl Iterator<Item = u32> {
        self.members.iter().filter(|(_, member)| member.left.is_none()).map(|(index, _)| *index)
    }

    /// Sets what explains it: the attribute that its members share, and the name, where it is certain enough for one.
    pub fn blame(&mut self, best: &Candidate, cause: Option<Cause>) {
        let difference = self.cause.as_ref().and_then(|cause| cause.evidence).and_then(|evidence| evidence.difference);
        let is_same = self.key.as_ref() == Some(&best.key);
        if !is_same {
            self.key = Some(best.key.clone());
            self.members.values_mut().for_each(|member| member.find_install(Some(&best.key)));
            self.began = self.members.values().map(Member::reached).min().unwrap_or(self.began);
            self.dirty_from = self.began;
        }
        self.rate = best.rate;
        self.cause = cause;
        if let Some(evidence) = self.cause.as_mut().and_then(|cause| cause.evidence.as_mut()).filter(|_| is_same) {
            evidence.difference = difference;
        }
    }

    /// Lets a device in, or back in. Returns the first of its minutes that counts.
    pub fn join(&mut self, index: u32, onset: Minute, attributes: &Attributes) -> Minute {
        let key = self.key.as_ref();
        let member = self.members.entry(index).or_insert_with(|| Member::new(onset, attributes, key));
        // A device that comes back counts from its first time on: its good minutes between are part of the truth.
        member.left = None;
        self.began = self.began.min(member.reached());
        let from = member.counts_from(self.began);
        self.dirty_from = self.dirty_from.min(from);
        from
    }

    /// Takes in another event that proved to be this one. Of two incidents the older number stays; what else people may
    /// have heard of becomes an alias.
    pub fn take_over(&mut self, other: &Self) {
        for (index, member) in &other.members {
            let key = self.key.as_ref();
            self.members.entry(*index).or_insert_with(|| {
                let mut member = member.clone();
                member.find_install(key);
                member
            });
        }
        self.signature.0 |= other.signature.0;
        self.began = self.began.min(other.began);
        self.dirty_from = self.dirty_from.min(self.began);
        self.warned_min = self.warned_min.max(other.warned_min);
        if other.is_announced() {
            self.aliases.push(other.id());
        }
        self.aliases.extend(other.aliases.iter().cloned());
        let elder = match (self.incident, other.incident) {
            (None, Some(_)) => true,
            (Some(own), Some(others)) => others < own,
            (_, None) => false,
        };
        let younger = if elder { self.incident_id() } else { other.incident_id() };
        self.aliases.extend(younger);
        if elder {
            self.incident = other.incident;
            self.declared_at = other.declared_at;
            self.impact_start = other.impact_start;
            if self.state != EventState::Declared {
                self.state = other.state;
            }
        }
    }

    /// Brings the clock up to `last`.
    pub fn run_clock(&mut self, devices: &[Tracked], drift: &FleetDrift, last: Minute, settings: &Settings) -> Clock {
        if self.scope == Scope::Isolated && self.key.is_none() {
            return self.run_lone_clock(devices, drift, settings);
        }
        let parts = self.parts(devices);
        self.find_signature(devices);
        let mut minute = self.dirty_from.max(last.plus(1 - i64::from(HISTORY_MIN)));
        while minute <= last {
            let pooled = pool::minute(&parts, self.signature, minute, settings);
            self.history.set(minute, pooled.verdicts);
            minute = minute.plus(1);
        }
        self.dirty_from = last.plus(1);
        let oldest = self.began.max(last.plus(1 - i64::from(HISTORY_MIN)));
        let found = streak::episodes(&self.history, oldest, last, settings);
        let full = |episode: Option<Episode>| {
            let edges = self.edges(&episode?, &parts);
            edges.fills(settings.hold_min).then_some((episode?, edges))
        };
        let (ended, current) = (full(found.ended_full.last().copied()), full(found.current.filter(Episode::is_full)));
        let clock =
            Clock { ended_full: ended.map(|(episode, _)| episode), full: current.is_some(), episode: found.current };
        let over = self.episode.filter(|_| found.current.is_none()).map(|episode| self.edges(&episode, &parts));
        self.keep(&clock);
        if self.declared_at.is_none() {
            let running = || Some(self.edges(&found.current?, &parts));
            match (current.or(ended), running()) {
                (Some((_, edges)), _) => {
                    self.lead = edges.pair.or(self.lead);
                    self.impact_start = edges.first;
                    self.streak_min = edges.length_min.round() as u32;
                }
                (None, Some(edges)) => self.show(&edges, settings),
                (None, None) => {}
            }
        }
        if let Some(edges) = over {
            self.end_with(&edges);
        }
        clock
    }

    /// What is shown of a running streak is the clock by which it will be declared: from its true edge on, and not full before the
    /// parts of minutes at its ends are.
    fn show(&mut self, edges: &Edges, settings: &Settings) {
        let counted = (self.last_degraded.since(edges.first) + 1).max(0) as u32;
        self.impact_start = edges.first;
        self.streak_min = counted.min(settings.hold_min.saturating_sub(1));
    }

    /// The streak is over: what a wide window smeared past its end is taken off.
    fn end_with(&mut self, edges: &Edges) {
        self.last_degraded = self.last_degraded.min(edges.last);
        let start = if self.declared_at.is_some() { self.impact_start } else { edges.first };
        self.streak_min = (self.last_degraded.since(start) + 1).max(0) as u32;
    }

    fn run_lone_clock(&mut self, devices: &[Tracked], drift: &FleetDrift, settings: &Settings) -> Clock {
        let Some(tracked) = self.present().next().map(|index| &devices[index as usize]) else {
            return Clock::default();
        };
        let (state, own) = (&tracked.state, tracked.clock());
        self.signature = state.episode_signature;
        self.lead = self.signature.pairs().next().or(self.lead);
        let is_told = self.declared_at.is_some();
        let clear = |episode: &Episode| episode.is_full() && (is_told || state.is_clear(episode, drift, settings));
        let clock = Clock {
            ended_full: own.past_full.filter(clear),
            full: own.episode.is_some_and(|episode| clear(&episode)),
            episode: own.episode,
        };
        // An hour of the past that proves nothing is kept as what was looked at: an event without any reading would never end, and
        // the device would learn nothing while it is open.
        let looked_at = clock.ended_full.or(own.past_full.filter(|_| own.episode.is_none()));
        self.keep(&Clock { ended_full: looked_at, ..clock });
        clock
    }

    fn keep(&mut self, clock: &Clock) {
        self.episode = clock.episode;
        let counts = |episode: &Episode| self.state != EventState::Recovered || episode.length_min() >= RELAPSE_MIN;
        // An hour that was full and is over, and has not been told, comes before whatever has begun since.
        let untold = clock.ended_full.filter(|_| self.declared_at.is_none());
        if let Some(episode) = untold.or(clock.episode).or(clock.ended_full).filter(counts) {
            self.streak_min = episode.length_min();
            self.last_degraded = episode.last_degraded;
            if self.declared_at.is_none() {
                self.impact_start = episode.impact_start();
            }
        }
    }

    /// When the hour will be full if nothing changes; `None` once declared, while the streak is suspended or over, and where a lone
    /// device's hour is full without being told apart from what is usual for it.
    pub fn declares_at(&self, settings: &Settings, last: Minute) -> Option<Timestamp> {
        let running = self.episode.filter(|episode| !episode.suspended && self.declared_at.is_none())?;
        if self.lone_device().is_some() && running.is_full() {
            // The hour is full and proves nothing yet: nobody can say when it will.
            return None;
        }
        let full = self.impact_start.plus(i64::from(settings.hold_min) - 1).max(last.plus(1));
        Some(full.end().plus_ms(settings.grace_ms))
    }

    /// What its clock read at `minute`: the pool's verdict, or a lone device's own.
    pub fn verdict_at(&self, devices: &[Tracked], minute: Minute) -> Verdict {
        let history = self.lone_device().map_or(&self.history, |index| &devices[index as usize].state.history);
        history.get(minute).worst()
    }

    /// The pairs by which at least a third of the members are affected; once in, a pair stays.
    fn find_signature(&mut self, devices: &[Tracked]) {
        let mut counts: BTreeMap<(TrafficClass, Test), u32> = BTreeMap::new();
        let mut present = 0;
        for index in self.present() {
            let state = &devices[index as usize].state;
            present += 1;
            for pair in Signature(state.affected_by.0 | state.episode_signature.0).pairs() {
                *counts.entry(pair).or_default() += 1;
            }
        }
        let before = self.signature;
        for ((class, test), count) in &counts {
            if *count * 3 >= present {
                self.signature.insert(*class, *test);
            }
        }
        self.lead = counts
            .iter()
            .max_by_key(|(pair, count)| (**count, std::cmp::Reverse(**pair)))
            .map(|(pair, _)| *pair)
            .or(self.lead);
        if self.signature != before {
            self.dirty_from = self.began;
        }
    }

    /// The edges of an episode, once what a wide window smeared over them is taken off, as the pair draws them that tells inside
    /// from outside best.
    fn edges(&self, episode: &Episode, parts: &[Part<'_>]) -> Edges {
        let start = episode.impact_start();
        let outside = (start.plus(-EDGE_OUTSIDE_MIN), start.plus(-1));
        let inside = (start, episode.last_degraded);
        let contrast = |pair| pool::contrast(parts, pair, outside, inside).unwrap_or_default();
        let pair = self.signature.pairs().max_by(|a, b| contrast(*a).total_cmp(&contrast(*b)));
        let whole = |minute: Minute| (minute, 1.0);
        let first = pair.map_or(whole(start), |pair| edge(parts, pair, outside, start, 1));
        let last =
            pair.map_or(whole(episode.last_degraded), |pair| edge(parts, pair, outside, episode.last_degraded, -1));
        let length_min = last.0.since(first.0) as f64 - 1.0 + first.1 + last.1;
        Edges { first: first.0, last: last.0, length_min, pair }
    }

    /// Minutes since the last degraded one in which at least half of all who ever were members were proved good.
    ///
    /// Those who left count, too: an event is quiet when its devices are, not when there is nobody left to ask.
    pub fn quiet_min(&self, devices: &[Tracked], last: Minute) -> u32 {
        let mut quiet = 0;
        let mut minute = self.last_degraded.plus(1);
        while minute <= last {
            let healthy = self
                .members
                .keys()
                .filter(|index| devices[**index as usize].state.history.get(minute).worst() == Verdict::Healthy)
                .count();
            quiet += u32::from(healthy * 2 >= self.members.len());
            minute = minute.plus(1);
        }
        quiet
    }

    /// What each member, present or not, contributes to the pool.
    pub(super) fn parts<'a>(&self, devices: &'a [Tracked]) -> Vec<Part<'a>> {
        let part = |(index, member): (&u32, &Member)| Part {
            tracked: &devices[*index as usize],
            from: member.counts_from(self.began),
            to: member.left,
        };
        self.members.iter().map(part).collect()
    }

    /// The device of a lone event.
    pub fn lone_device(&self) -> Option<u32> {
        if self.key.is_none() { self.members.keys().next().copied() } else { None }
    }

    /// The change that tells what happened to this event at `now`.
    pub fn change(&self, kind: ChangeKind, mut devices: Vec<DeviceId>, now: Timestamp) -> Change {
        devices.sort();
        Change {
            at: now,
            kind,
            event_id: self.id(),
            incident: self.incident_id(),
            severity: if self.declared_at.is_some() { Severity::Major } else { Severity::Warning },
            scope: self.scope,
            impact_started_at: self.impact_start.start(),
            streak_s: u64::from(self.streak_min) * 60,
            devices,
            cause: self.cause.clone(),
            forecast: None,
            near_miss: None,
            aliases: self.aliases.clone(),
            damage: Vec::new(),
            proof: Vec::new(),
        }
    }

    /// Minute by minute, what the streak consists of, from its start to minute `to`.
    pub fn proof(&self, devices: &[Tracked], to: Minute, settings: &Settings) -> Vec<ProofMinute> {
        let parts = self.parts(devices);
        let mut proof = Vec::new();
        let mut minute = self.impact_start;
        while minute <= to && proof.len() < HISTORY_MIN as usize {
            let (samples, exceeding) = self.lead.map_or((0, 0), |lead| pool::evidence(&parts, lead, minute));
            let pooled = pool::minute(&parts, self.signature, minute, settings);
            let verdict = match self.lone_device() {
                Some(index) => devices[index as usize].state.history.get(minute).worst(),
                None => pooled.verdicts.worst(),
            };
            let (reporting, expected) = (pooled.reporting, pooled.expected);
            proof.push(ProofMinute { at: minute.start(), verdict, samples, exceeding, reporting, expected });
            minute = minute.plus(1);
        }
        proof
    }
}

/// Where an episode began and ended.
#[derive(Clone, Copy, Debug)]
struct Edges {
    first: Minute,
    last: Minute,
    /// Parts of minutes included.
    length_min: f64,
    /// The pair that draws them.
    pair: Option<(TrafficClass, Test)>,
}

impl Edges {
    /// Whether the hour is full, to the half minute.
    fn fills(&self, hold_min: u32) -> bool {
        self.length_min >= f64::from(hold_min) - EDGE_TOLERANCE_MIN
    }
}

/// The true edge of an event from a verdict's edge inwards, and how much of that minute belongs to it. A minute with less
/// than half of what its neighbours inside show is outside: it was called degraded for what is beside it.
fn edge(
    parts: &[Part<'_>],
    lead: (TrafficClass, Test),
    outside: (Minute, Minute),
    from: Minute,
    inwards: i64,
) -> (Minute, f64) {
    let mut at = from;
    for _ in 0..EDGE_SMEAR_MIN {
        let (near, far) = (at.plus(inwards), at.plus(inwards * EDGE_SMEAR_MIN));
        let share = pool::edge_share(parts, lead, at, (outside, (near.min(far), near.max(far))));
        if share >= 0.5 {
            return (at, share);
        }
        at = near;
    }
    (at, 1.0)
}

/// What a clock says at a tick.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    /// An hour that was full and is over.
    pub ended_full: Option<Episode>,
    /// Whether the running episode has filled the hour.
    pub full: bool,
    pub episode: Option<Episode>,
}
