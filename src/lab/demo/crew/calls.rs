//! The phone: every branch has one agent, who calls one customer after the other.

use std::collections::BTreeMap;

use crate::engine::device::{DeviceId, Label};
use crate::engine::time::Timestamp;
use crate::incident::ladder::{Call, CallOutcome, Claim, Direction, Progress, Proof};
use crate::incident::{Command, ExceptionKind, Incident, Rung};
use crate::lab::simulation::Remedy;

use super::act::{Act, WORKAROUND, minutes, order, tell};
use super::cast;
use super::fates::Fates;

/// Time from one call of a branch to the next.
const CALL_MS: i64 = 150_000;
/// Minutes after which a customer who did not answer is called again.
const AGAIN_MIN: i64 = 10;
/// Minutes after which a claim that telemetry does not show is asked about.
const DOUBT_MIN: i64 = 30;
/// Minutes after which somebody looks at a workaround that is still on.
const DEBT_MIN: i64 = 5;
/// Calls without an answer after which a device is signed off.
const GIVEN_UP: u32 = 3;
/// Of so many customers one does not hear the first call, and one wants to be told of the progress.
const ONE_IN: u32 = 12;

/// What the agents remember.
#[derive(Debug, Default)]
pub(super) struct Phones {
    /// From when on each branch's agent is free.
    free_at: BTreeMap<String, Timestamp>,
    last_call: BTreeMap<DeviceId, Timestamp>,
    /// The script that each agent has read.
    read: BTreeMap<String, u32>,
    /// Whether it was told that calls are being made.
    told: bool,
}

/// Why a customer is called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Reason {
    Debt,
    Doubt,
    Promise,
    First,
}

/// A number that belongs to the device, below [`ONE_IN`].
fn lot(device: &DeviceId, salt: &str) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(salt.as_bytes()), device.as_str().as_bytes()) % ONE_IN
}

/// Who answers for the branch's phone, as it stands in the record.
fn agent(branch: &str) -> String {
    format!("{branch} desk")
}

impl Phones {
    /// The calls that are begun now: at most one for each branch.
    pub(super) fn ring(&mut self, incident: &Incident, fates: &Fates, now: Timestamp, acts: &mut Vec<Act>) {
        let Some(script) = incident.countermeasures.current().map(|standing| standing.countermeasure.version) else {
            return;
        };
        let mut branches: BTreeMap<&str, Vec<(&DeviceId, &Rung)>> = BTreeMap::new();
        for (device, rung) in incident.ladder.iter() {
            branches.entry(rung.branch.as_deref().unwrap_or("head office")).or_default().push((device, rung));
        }
        for (branch, devices) in branches {
            if self.free_at.get(branch).is_some_and(|at| *at > now) {
                continue;
            }
            let due =
                |(device, rung): &(&DeviceId, &Rung)| Some((self.due(device, rung, incident, now)?, (*device).clone()));
            let Some((reason, device)) = devices.iter().filter_map(due).min_by_key(|(reason, _)| *reason as u8) else {
                continue;
            };
            self.free_at.insert(branch.to_owned(), now.plus_ms(CALL_MS));
            self.last_call.insert(device.clone(), now);
            let agent = agent(branch);
            if self.read.insert(agent.clone(), script) != Some(script) {
                acts.push(order(&agent, Command::AcknowledgeScript { version: script }));
            }
            if !std::mem::replace(&mut self.told, true) {
                acts.push(tell("calls", "every branch calls its customers and talks them through the workaround"));
            }
            let made = incident.ladder.get(&device).map_or(0, |rung| rung.calls);
            call(&Outgoing { agent: &agent, script, device: &device, made, reason }, fates, acts);
        }
        self.give_up(incident, acts);
    }

    /// Why the device's customer has to be called now, if at all.
    fn due(&self, device: &DeviceId, rung: &Rung, incident: &Incident, now: Timestamp) -> Option<Reason> {
        let rested = self.last_call.get(device).is_none_or(|at| minutes(*at, now) >= AGAIN_MIN);
        if !rested {
            return None;
        }
        if rung.owes_word() {
            return Some(Reason::Promise);
        }
        if rung.is_settled() {
            return None;
        }
        if rung.debt_since().is_some_and(|since| minutes(since, now) >= DEBT_MIN) {
            return Some(Reason::Debt);
        }
        let claimed = rung.only_claims(Claim::Workaround);
        if claimed.is_some_and(|stamp| minutes(stamp.at, now) >= DOUBT_MIN) {
            return Some(Reason::Doubt);
        }
        // Once the fix is out it comes by itself: who has not been reached is not called for the workaround any more.
        let wanted = rung.contacted.is_none() && !rung.proves(Proof::Fix) && incident.released.is_none();
        wanted.then_some(Reason::First)
    }

    /// Who was called often enough without an answer is signed off, with a name to it.
    fn give_up(&self, incident: &Incident, acts: &mut Vec<Act>) {
        for (device, rung) in incident.open_devices().filter(|(_, rung)| rung.unanswered >= GIVEN_UP) {
            let evidence = format!("{} calls to every number on file, at night and by day", rung.unanswered);
            let (device, kind) = (device.clone(), ExceptionKind::Unreachable);
            acts.push(tell("sign-off", format!("{} answers for {device}: unreachable", cast::SUPPORT_LEAD)));
            acts.push(order(cast::SUPPORT_LEAD, Command::SignOff { device, kind, evidence }));
        }
    }
}

/// A call that is begun.
struct Outgoing<'a> {
    agent: &'a str,
    /// Version of the script that the agent reads from.
    script: u32,
    device: &'a DeviceId,
    /// Calls made before.
    made: u32,
    reason: Reason,
}

/// A call, what the customer does during it, and what the agent claims afterwards.
fn call(outgoing: &Outgoing<'_>, fates: &Fates, acts: &mut Vec<Act>) {
    let &Outgoing { agent, script, device, made, reason } = outgoing;
    let silent = fates.silent.as_ref() == Some(device) && reason == Reason::First;
    let missed = made == 0 && lot(device, "heard") == 0;
    let answered = !silent && !missed;
    let progress = (reason == Reason::First && answered)
        .then(|| if lot(device, "progress") == 0 { Progress::Phone } else { Progress::Unwanted });
    let outcome = if answered { CallOutcome::Reached } else { CallOutcome::NoAnswer };
    let call = Call { outcome, progress, note: String::new(), script: Some(script), direction: Direction::Outgoing };
    acts.push(order(agent, Command::RecordCall { device: device.clone(), call }));
    if !answered {
        return;
    }
    let mut claim = |remedy: Option<Remedy>, claim| {
        acts.extend(remedy.map(|remedy| Act::Work { device: device.clone(), remedy }));
        acts.push(order(agent, Command::Claim { devices: vec![device.clone()], claim }));
    };
    let on = || Remedy::WorkaroundOn(Label::from(WORKAROUND));
    match reason {
        Reason::First if fates.mistaken.as_ref() == Some(device) => claim(None, Claim::Workaround),
        Reason::First => claim(Some(on()), Claim::Workaround),
        Reason::Doubt => {
            claim(Some(on()), Claim::Workaround);
            acts.push(tell("follow-up", format!("{device} was said to have the workaround and had not: set now")));
        }
        Reason::Debt => {
            claim(Some(Remedy::WorkaroundOff), Claim::Revert);
            acts.push(tell(
                "debt",
                format!("{device} has the fix and kept {WORKAROUND}: the revert failed, done by hand"),
            ));
        }
        Reason::Promise => {}
    }
}
