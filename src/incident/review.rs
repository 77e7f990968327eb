//! The review of an incident, drafted from its record: what happened, how long everything took, what was said, and what was late.
//!
//! A draft holds what the record proves and no opinion. It is made by living through the record once more, so that it is the same
//! whenever it is made, open incidents included: those are reviewed as of now.

use std::collections::BTreeMap;

use serde::Serialize;

use super::LifeSettings;
use super::aggregate::Incident;
use super::event::{Action, IncidentEvent, Joining};
use super::ladder::{CallOutcome, Claim, Exception, Proof, Rung, Step};
use super::milestone::Milestone;
use super::muster::Seat;
use super::notice::{Audience, NoticeKind};
use super::state::State;
use super::way::Lapse;
use crate::engine::device::DeviceId;
use crate::engine::effect::{Cause, Scope};
use crate::engine::time::{MINUTE_MS, Timestamp};

/// What devices show in this long, in milliseconds, is one line of the timeline.
const GATHERED_MS: i64 = 60 * MINUTE_MS;

/// The draft of a review.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Review {
    pub number: String,
    pub event_id: String,
    /// Other numbers under which people may have heard of it.
    pub aliases: Vec<String>,
    /// As of when it was drafted.
    pub at: Timestamp,
    pub state: State,
    pub scope: Scope,
    /// The rule and what was measured, in seconds of continuous degradation.
    pub criterion_s: u64,
    pub measured_s: u64,
    /// The suspect, with the evidence that it rests on.
    pub cause: Option<Cause>,
    /// What the permanent fix was, once released.
    pub fix: Option<String>,
    /// In the order of time.
    pub milestones: Vec<Lasted>,
    /// When the quality, back before, was lost again.
    pub lapses: Vec<Lapse>,
    /// Minutes in which devices were affected, added up.
    pub impact_min: u64,
    /// By device; the most affected first.
    pub devices: Vec<DeviceImpact>,
    /// By branch; the most affected first.
    pub branches: Vec<BranchImpact>,
    pub calls: Calls,
    pub timeline: Vec<Entry>,
    /// What was said to whom, pages apart.
    pub said: Vec<Said>,
    pub late: Vec<Late>,
    /// Devices that somebody has signed off without their being done.
    pub exceptions: Vec<(DeviceId, Exception)>,
    /// Devices with the fix whose workaround is still on, and since when.
    pub debts: Vec<(DeviceId, Timestamp)>,
}

/// An instant of the incident, and how long it took to get there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Lasted {
    pub milestone: Milestone,
    pub at: Timestamp,
    /// Seconds from the start of the impact.
    pub from_impact_s: u64,
    /// Seconds from the declaration; `None` for what was before it.
    pub from_declaration_s: Option<u64>,
}

/// How long a device was affected: from the start of the impact, or when it joined or relapsed later, until its quality was verified,
/// the quiet period that verifies it included.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct DeviceImpact {
    pub device: DeviceId,
    pub branch: Option<String>,
    pub customer: Option<String>,
    pub impact_min: u64,
    /// From when to when, oldest first; the last has no end while the device is affected.
    pub spans: Vec<(Timestamp, Option<Timestamp>)>,
    pub relapses: u32,
    pub step: Step,
    pub is_settled: bool,
}

/// A branch's devices together. Devices without a branch are `""`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct BranchImpact {
    pub branch: String,
    pub devices: u32,
    pub settled: u32,
    pub impact_min: u64,
}

/// Calls to customers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Calls {
    pub made: u32,
    pub reached: u32,
    /// Devices whose customer was reached at least once.
    pub devices_reached: u32,
}

/// A line of the timeline. What devices show within an hour is gathered in one.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Entry {
    #[serde(flatten)]
    pub event: IncidentEvent,
    /// The last of those that were gathered.
    pub until: Timestamp,
}

/// Something that was said.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Said {
    pub at: Timestamp,
    pub by: String,
    pub kind: NoticeKind,
    #[serde(flatten)]
    pub audience: Audience,
    /// A person's own words.
    pub text: Option<String>,
}

/// Something that took longer than it should have.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "late", rename_all = "snake_case")]
pub enum Late {
    /// Nobody answered a page in time, and the next step was called.
    Unanswered { seat: Seat, at: Timestamp, exhausted: bool },
    /// Nothing was said to the staff for so many seconds.
    Silence { at: Timestamp, silent_s: u64 },
    /// The fix came after it was to be there, or is still not there.
    Fix { due_at: Timestamp, released_at: Option<Timestamp> },
    /// A claim that telemetry verified late, or not at all.
    Claim { device: DeviceId, claim: Claim, claimed_at: Timestamp, verified_at: Option<Timestamp> },
    /// The last device was done after the promised time, or is still not done.
    Promise { promised_at: Timestamp, done_at: Option<Timestamp>, left: u32 },
    /// The review came after its day, or is still not there.
    Review { due_at: Timestamp, filed_at: Option<Timestamp> },
}

/// What is gathered while living through the record.
struct Draft<'a> {
    settings: &'a LifeSettings,
    spans: BTreeMap<DeviceId, Vec<(Timestamp, Option<Timestamp>)>>,
    calls: Calls,
    timeline: Vec<Entry>,
    said: Vec<Said>,
    late: Vec<Late>,
    /// Claims that wait for telemetry.
    claimed: BTreeMap<(DeviceId, Claim), Timestamp>,
}

impl Review {
    /// The review as of `now`; `None` when the record is empty or does not begin with an opening.
    pub fn draft<'a>(
        record: impl IntoIterator<Item = &'a IncidentEvent>,
        settings: &LifeSettings,
        now: Timestamp,
    ) -> Option<Self> {
        let mut draft = Draft {
            settings,
            spans: BTreeMap::new(),
            calls: Calls::default(),
            timeline: Vec::new(),
            said: Vec::new(),
            late: Vec::new(),
            claimed: BTreeMap::new(),
        };
        let mut record = record.into_iter();
        let first = record.next()?;
        let mut incident = Incident::open(first)?;
        draft.follow(&incident, first);
        for event in record {
            incident.apply(event);
            draft.follow(&incident, event);
        }
        draft.look_back(&incident, now);
        Some(draft.finish(&incident, now))
    }
}

impl Draft<'_> {
    /// Takes an event in; `incident` is the incident after it.
    fn follow(&mut self, incident: &Incident, event: &IncidentEvent) {
        self.measure(incident, event);
        self.listen(incident, event);
        self.tell(event);
    }

    /// How long devices are affected, and what takes longer than it should. Each sum asks for the events that it counts.
    fn measure(&mut self, incident: &Incident, event: &IncidentEvent) {
        let (action, at) = (&event.action, event.at);
        self.measure_impact(incident, action, at);
        if let Action::Proved { devices, .. } | Action::WorkaroundSeen { devices, .. } = action {
            self.verify(incident, devices, at);
        }
        if let Action::Paged { seat, step, exhausted, .. } = action
            && (*step > 0 || *exhausted)
        {
            self.late.push(Late::Unanswered { seat: seat.clone(), at, exhausted: *exhausted });
        }
        if let Action::Nagged { silent_s } = action {
            self.late.push(Late::Silence { at, silent_s: *silent_s });
        }
        if let Action::Called { call, .. } = action {
            self.calls.made += 1;
            self.calls.reached += u32::from(matches!(call.outcome, CallOutcome::Reached | CallOutcome::Refused));
        }
        if let Action::Claimed { devices, claim } = action {
            for device in devices {
                if incident.ladder.get(device).is_some_and(|rung| rung.only_claims(*claim).is_some()) {
                    self.claimed.entry((device.clone(), *claim)).or_insert(at);
                }
            }
        }
    }

    /// Where the time of devices that are affected begins and ends.
    fn measure_impact(&mut self, incident: &Incident, action: &Action, at: Timestamp) {
        if let Action::Opened(opening) = action {
            self.begin(names(&opening.devices), opening.impact_started_at);
        }
        if let Action::Joined { devices } = action {
            self.begin(names(devices), at);
        }
        if let Action::Relapsed { devices } = action {
            self.begin(devices, at);
        }
        if let Action::SplitOff { devices, .. } | Action::Proved { devices, proof: Proof::Quality } = action {
            self.end(devices, at);
        }
        if let Action::Absorbed { devices, .. } = action {
            for (device, rung) in devices {
                let from = rung.relapsed_at.unwrap_or(rung.joined_at);
                self.begin([device], from);
                if incident.ladder.get(device).is_some_and(|rung| !rung.affected) {
                    self.end([device], rung.proofs.get(&Proof::Quality).copied().unwrap_or(at).max(from));
                }
            }
        }
    }

    fn begin<'a>(&mut self, devices: impl IntoIterator<Item = &'a DeviceId>, at: Timestamp) {
        for device in devices {
            let spans = self.spans.entry(device.clone()).or_default();
            if spans.last().is_none_or(|(_, end)| end.is_some()) {
                spans.push((at, None));
            }
        }
    }

    fn end<'a>(&mut self, devices: impl IntoIterator<Item = &'a DeviceId>, at: Timestamp) {
        for device in devices {
            if let Some((_, end @ None)) = self.spans.get_mut(device).and_then(|spans| spans.last_mut()) {
                *end = Some(at);
            }
        }
    }

    /// What is said, and to whom.
    fn listen(&mut self, incident: &Incident, event: &IncidentEvent) {
        let text = if let Action::Noted { text, .. } = &event.action { Some(text.clone()) } else { None };
        for notice in incident.notices(event).into_iter().filter(|notice| notice.kind != NoticeKind::Page) {
            let (at, by, text) = (event.at, event.by.clone(), text.clone());
            self.said.push(Said { at, by, kind: notice.kind, audience: notice.audience, text });
        }
    }

    /// Claims of the devices that are verified by now.
    fn verify(&mut self, incident: &Incident, devices: &[DeviceId], at: Timestamp) {
        for (device, rung) in devices.iter().filter_map(|device| Some((device, incident.ladder.get(device)?))) {
            for claim in Claim::ALL {
                if rung.only_claims(claim).is_none()
                    && let Some(claimed_at) = self.claimed.remove(&(device.clone(), claim))
                    && at.since_ms(claimed_at) >= i64::from(self.settings.claim_min) * MINUTE_MS
                {
                    self.late.push(Late::Claim { device: device.clone(), claim, claimed_at, verified_at: Some(at) });
                }
            }
        }
    }

    /// The timeline. Calls and acknowledged scripts are too many for it, and an instant is told by what it is the instant of.
    fn tell(&mut self, event: &IncidentEvent) {
        use Action::{Called, ScriptAcknowledged, Timed, WorkaroundSeen};
        let action = &event.action;
        let is_timed = matches!(action, Timed { reason: None, .. });
        let too_many = matches!(action, Called { .. } | ScriptAcknowledged { .. } | WorkaroundSeen { .. });
        if !is_timed && !too_many && !self.is_gathered(&event.action, event.at) {
            self.timeline.push(Entry { event: event.clone(), until: event.at });
        }
    }

    /// Adds devices to a line of the same kind that is not an hour old.
    fn is_gathered(&mut self, action: &Action, at: Timestamp) -> bool {
        let recent = self.timeline.iter_mut().rev().take_while(|entry| at.since_ms(entry.event.at) < GATHERED_MS);
        for entry in recent {
            let into = match (&mut entry.event.action, action) {
                (Action::Proved { devices: into, proof }, Action::Proved { devices, proof: same }) if proof == same => {
                    Some((into, devices))
                }
                (Action::Disproved { devices: into, proof }, Action::Disproved { devices, proof: same })
                    if proof == same =>
                {
                    Some((into, devices))
                }
                (Action::Relapsed { devices: into }, Action::Relapsed { devices }) => Some((into, devices)),
                (Action::Claimed { devices: into, claim }, Action::Claimed { devices, claim: same })
                    if claim == same =>
                {
                    Some((into, devices))
                }
                _ => None,
            };
            if let Some((into, devices)) = into {
                into.extend(devices.iter().cloned());
                entry.until = at;
                return true;
            }
        }
        false
    }

    /// What turns out late only at the end.
    fn look_back(&mut self, incident: &Incident, now: Timestamp) {
        let old = |claimed_at: Timestamp| now.since_ms(claimed_at) >= i64::from(self.settings.claim_min) * MINUTE_MS;
        for ((device, claim), claimed_at) in std::mem::take(&mut self.claimed) {
            let waits = incident.ladder.get(&device).is_some_and(|rung| rung.only_claims(claim).is_some());
            if waits && old(claimed_at) {
                self.late.push(Late::Claim { device, claim, claimed_at, verified_at: None });
            }
        }
        let end = incident.milestones.get(Milestone::Closed).unwrap_or(now);
        let due = incident.countermeasures.current().and_then(|standing| standing.countermeasure.fix_due_at);
        let released_at = incident.milestones.get(Milestone::FixAvailable).filter(|_| incident.released.is_some());
        if let Some(due_at) = due.filter(|due| released_at.unwrap_or(end) > *due) {
            self.late.push(Late::Fix { due_at, released_at });
        }
        let burndown = incident.burndown(self.settings, end);
        let done_at = burndown.points.last().map(|(at, _)| *at).filter(|_| burndown.left == 0);
        let promised_at = burndown.promised_at;
        if done_at.unwrap_or(end) > promised_at && incident.ended.is_none() {
            self.late.push(Late::Promise { promised_at, done_at, left: burndown.left });
        }
        let filed_at = incident.review.as_ref().map(|(_, stamp)| stamp.at);
        if let Some(due_at) = incident.review_due_at(self.settings)
            && filed_at.unwrap_or(end) > due_at
        {
            self.late.push(Late::Review { due_at, filed_at });
        }
    }

    fn finish(mut self, incident: &Incident, now: Timestamp) -> Review {
        let end = incident.milestones.get(Milestone::Closed).unwrap_or(now);
        let devices = self.devices(incident, end);
        self.calls.devices_reached = incident.ladder.iter().filter(|(_, rung)| rung.contacted.is_some()).count() as u32;
        let exceptions =
            incident.ladder.iter().filter_map(|(device, rung)| Some((device.clone(), rung.exception.clone()?)));
        Review {
            number: incident.number().to_owned(),
            event_id: incident.id().to_owned(),
            aliases: incident.aliases.iter().cloned().collect(),
            at: now,
            state: incident.state,
            scope: incident.scope,
            criterion_s: incident.opening.criterion_s,
            measured_s: incident.opening.measured_s,
            cause: incident.cause.clone(),
            fix: incident.released.clone(),
            milestones: lasted(incident),
            lapses: incident.way.lapses().to_vec(),
            impact_min: devices.iter().map(|device| device.impact_min).sum(),
            branches: branches(&devices),
            devices,
            calls: self.calls,
            timeline: self.timeline,
            said: self.said,
            late: self.late,
            exceptions: exceptions.collect(),
            debts: incident.debts().map(|(device, since)| (device.clone(), since)).collect(),
        }
    }

    fn devices(&mut self, incident: &Incident, end: Timestamp) -> Vec<DeviceImpact> {
        let impact = |(device, rung): (&DeviceId, &Rung)| {
            let spans = self.spans.remove(device).unwrap_or_default();
            let length = |(from, to): &(Timestamp, Option<Timestamp>)| to.unwrap_or(end).since_ms(*from).max(0);
            DeviceImpact {
                device: device.clone(),
                branch: rung.branch.clone(),
                customer: rung.customer.clone(),
                impact_min: (spans.iter().map(length).sum::<i64>() / MINUTE_MS) as u64,
                spans,
                relapses: rung.relapses,
                step: rung.step(),
                is_settled: rung.is_settled(),
            }
        };
        let mut devices: Vec<DeviceImpact> = incident.ladder.iter().map(impact).collect();
        devices.sort_by(|a, b| b.impact_min.cmp(&a.impact_min).then_with(|| a.device.cmp(&b.device)));
        devices
    }
}

fn names(joining: &[Joining]) -> impl Iterator<Item = &DeviceId> {
    joining.iter().map(|joining| &joining.device)
}

fn lasted(incident: &Incident) -> Vec<Lasted> {
    let (impact, declared) = (incident.opening.impact_started_at, incident.opening.declared_at);
    let lasted = |(milestone, at): (Milestone, Timestamp)| Lasted {
        milestone,
        at,
        from_impact_s: (at.since_ms(impact) / 1_000).max(0) as u64,
        from_declaration_s: u64::try_from(at.since_ms(declared) / 1_000).ok().filter(|_| at >= declared),
    };
    let mut found: Vec<Lasted> = incident.milestones.iter().map(lasted).collect();
    found.sort_by_key(|lasted| lasted.at);
    found
}

fn branches(devices: &[DeviceImpact]) -> Vec<BranchImpact> {
    let mut branches: BTreeMap<&str, BranchImpact> = BTreeMap::new();
    for device in devices {
        let name = device.branch.as_deref().unwrap_or_default();
        let branch = branches.entry(name).or_default();
        branch.devices += 1;
        branch.settled += u32::from(device.is_settled);
        branch.impact_min += device.impact_min;
    }
    let named = |(name, branch): (&str, BranchImpact)| BranchImpact { branch: name.to_owned(), ..branch };
    let mut branches: Vec<BranchImpact> = branches.into_iter().map(named).collect();
    branches.sort_by(|a, b| b.impact_min.cmp(&a.impact_min).then_with(|| a.branch.cmp(&b.branch)));
    branches
}
