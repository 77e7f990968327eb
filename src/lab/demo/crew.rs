//! The people of the demo: they are called, answer, work out a workaround, talk customers through it, ship the fix, find what
//! went wrong on the way, and close the incident once it may be closed.
//!
//! What they do follows from the incident as it stands and from the time alone ([`Crew::acts`]), so that their whole night can be
//! lived in a test without a clock. They use the interface that everybody uses, and are refused as anybody would be; the only
//! thing that is theirs is the hand on the simulated devices, which stands for customers and the updater.
//!
//! | module | what it owns |
//! |---|---|
//! | `act`, `fates` | what one of them does; devices with a fate of their own |
//! | `calls` | the phone: whom a branch calls next, and what comes of it |
//! | `cast` | names, rota, contacts and scripts |
//! | `shift` | carries their acts out and tells of them |

mod act;
mod calls;
mod cast;
mod fates;
mod shift;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::device::{DeviceId, Label};
use crate::engine::time::{MINUTE_MS, Timestamp};
use crate::incident::countermeasure::{Fix, WorkaroundPlan};
use crate::incident::ladder::Proof;
use crate::incident::{Command, Incident, Milestone, State};
use crate::lab::simulation::Remedy;

use act::{Act, WORKAROUND, minutes, order, tell};
use calls::Phones;
pub(super) use cast::DEVELOPER as DEVELOPMENT;
pub use cast::{contacts, rota};
pub(super) use fates::{AGREED_MIN, Fates};
pub use shift::Shift;

/// Minutes from a call to the answer of whoever is awake, by place in the alphabet of roles.
const ANSWERS_MIN: [i64; 4] = [1, 2, 3, 2];
/// Minutes from the muster to a workaround, and from it to the better script.
const WORKED_OUT_MIN: i64 = 5;
const BETTER_SCRIPT_MIN: i64 = 12;
/// Minutes after the declaration by which development promises the fix.
const FIX_DUE_MIN: i64 = 150;
/// Longest that the fix waits for every device to be quiet by its workaround.
const FIX_AT_LAST_MIN: i64 = 180;
/// Minutes from the release to the first branch, and in which all branches follow.
const ROLLOUT_AFTER_MIN: i64 = 5;
const ROLLOUT_MIN: i64 = 30;
/// Minutes without news after which the commander speaks.
const WORD_MIN: i64 = 40;
/// Minutes for which a review is written, and then read.
const REVIEW_MIN: i64 = 3;

/// Them, and what they remember of one incident.
#[derive(Debug)]
pub struct Crew {
    /// Every device of the fleet, by the branch that looks after it.
    branches: BTreeMap<Label, Vec<DeviceId>>,
    /// The update without the defect.
    fix: String,
    phones: Phones,
    /// Branches whose devices have been given the fix.
    updated: BTreeSet<Label>,
    tried_to_close: bool,
    asked_at: Option<Timestamp>,
}

impl Crew {
    /// Those who look after the branches' devices; `fix` is the update that they will ship.
    pub fn new(branches: BTreeMap<Label, Vec<DeviceId>>, fix: &str) -> Self {
        let phones = Phones::default();
        Self { branches, fix: fix.to_owned(), phones, updated: BTreeSet::new(), tried_to_close: false, asked_at: None }
    }

    /// What they do now, looking at the incident as it stands. Asked again and again as time goes on.
    pub fn acts(&mut self, incident: &Incident, now: Timestamp) -> Vec<Act> {
        let mut acts = answer(incident, now);
        if incident.milestones.get(Milestone::Mustered).is_none() {
            return acts;
        }
        self.find_a_remedy(incident, now, &mut acts);
        if incident.countermeasures.workaround().is_some() {
            self.phones.ring(incident, &Fates::of(incident), now, &mut acts);
            self.release(incident, now, &mut acts);
            self.roll_out(incident, now, &mut acts);
            self.speak(incident, now, &mut acts);
            self.finish(incident, now, &mut acts);
        }
        acts
    }

    /// Workaround, development's word, and a script that is better than the first.
    fn find_a_remedy(&self, incident: &Incident, now: Timestamp, acts: &mut Vec<Act>) {
        let since = |at: Option<Timestamp>| at.map_or(0, |at| minutes(at, now));
        match incident.countermeasures.versions() {
            [] if since(incident.milestones.get(Milestone::Mustered)) >= WORKED_OUT_MIN => {
                acts.push(self.register(incident, cast::first_script()));
                acts.push(tell("remedy", format!("{} has found a workaround: {WORKAROUND}", cast::ANALYST)));
            }
            [first] if first.agreed.is_some() && since(Some(first.registered_at)) >= BETTER_SCRIPT_MIN => {
                acts.push(self.register(incident, cast::better_script()));
                acts.push(tell("remedy", "customers miss a step: the script for the phone becomes version 2"));
            }
            [.., newest] if newest.agreed.is_none() && since(Some(newest.registered_at)) >= AGREED_MIN => {
                let version = newest.countermeasure.version;
                acts.push(order(cast::DEVELOPER, Command::AgreeCountermeasure { version }));
                acts.push(tell("remedy", format!("{} agrees to version {version} for development", cast::DEVELOPER)));
            }
            _ => {}
        }
    }

    fn register(&self, incident: &Incident, script: crate::incident::Script) -> Act {
        let command = Command::RegisterCountermeasure {
            workaround: Some(WorkaroundPlan { id: WORKAROUND.to_owned(), script }),
            fix: Some(Fix::Update(self.fix.clone())),
            fix_due_at: Some(incident.opening.declared_at.plus_ms(FIX_DUE_MIN * MINUTE_MS)),
        };
        order(cast::ANALYST, command)
    }

    /// The fix can be had once the workarounds hold; or when that takes too long.
    fn release(&self, incident: &Incident, now: Timestamp, acts: &mut Vec<Act>) {
        let late = minutes(incident.opening.declared_at, now) >= FIX_AT_LAST_MIN;
        let agreed = incident.countermeasures.newest().is_some_and(|newest| newest.agreed.is_some());
        let ready = incident.state == State::PendingPermanentFix || late;
        if incident.released.is_none() && agreed && ready && incident.state.is_active() {
            acts.push(order(cast::DEVELOPER, Command::ReleaseFix));
            let text = format!("update {} is released: it ends the defect and reverts {WORKAROUND}", self.fix);
            acts.push(tell("fix", text));
        }
    }

    /// The updater gives the fix to one branch after the other, affected or not.
    fn roll_out(&mut self, incident: &Incident, now: Timestamp, acts: &mut Vec<Act>) {
        let Some(released) = incident.milestones.get(Milestone::FixAvailable).filter(|_| incident.released.is_some())
        else {
            return;
        };
        let passed = now.since_ms(released.plus_ms(ROLLOUT_AFTER_MIN * MINUTE_MS));
        let count = self.branches.len().max(1) as i64;
        let due = if passed < 0 { 0 } else { 1 + passed * count / (ROLLOUT_MIN * MINUTE_MS) };
        let before = self.updated.len();
        let stubborn = Fates::of(incident).stubborn;
        for (branch, devices) in self.branches.iter().take(due as usize) {
            if !self.updated.insert(Label::clone(branch)) {
                continue;
            }
            for device in devices {
                let reverts = stubborn.as_ref() != Some(device);
                let remedy = Remedy::Fix { version: self.fix.as_str().into(), reverts };
                acts.push(Act::Work { device: device.clone(), remedy });
            }
        }
        if before == 0 && !self.updated.is_empty() {
            let text = format!("update {} is installed, branch by branch, for {ROLLOUT_MIN} min", self.fix);
            acts.push(tell("fix", text));
        }
    }

    fn is_rolled_out(&self) -> bool {
        self.updated.len() == self.branches.len()
    }

    /// The commander tells the staff how it stands, before anybody has to ask.
    fn speak(&self, incident: &Incident, now: Timestamp, acts: &mut Vec<Act>) {
        let Some(commander) = incident.muster.holder(crate::incident::Role::Commander) else { return };
        if !incident.state.is_active() || minutes(incident.told_at, now) < WORD_MIN {
            return;
        }
        let proved = |proof| incident.ladder.iter().filter(|(_, rung)| rung.proves(proof)).count();
        let settled = incident.ladder.iter().filter(|(_, rung)| rung.is_settled()).count();
        let text = format!(
            "Of {} devices, {} have shown the workaround, {} the fix; {settled} are done. Next word within {WORD_MIN} minutes.",
            incident.ladder.len(),
            proved(Proof::Workaround),
            proved(Proof::Fix),
        );
        acts.push(order(commander, Command::Note { text, tell: true }));
    }

    /// One who wants to go home too early; then the review, and the end.
    fn finish(&mut self, incident: &Incident, now: Timestamp, acts: &mut Vec<Act>) {
        let Some(commander) = incident.muster.holder(crate::incident::Role::Commander) else { return };
        if self.is_rolled_out() && !self.tried_to_close && incident.state.is_active() {
            self.tried_to_close = true;
            acts.push(tell("close", format!("{commander} would like to close: every device has had the fix")));
            acts.push(order(commander, Command::Close));
        }
        let resolved = incident.milestones.get(Milestone::Resolved).map_or(0, |at| minutes(at, now));
        // Once a while: what is refused now may be granted later.
        let again = self.asked_at.is_none_or(|at| minutes(at, now) >= 1);
        if incident.state == State::Resolved && resolved >= REVIEW_MIN && again {
            self.asked_at = Some(now);
            acts.push(order(commander, Command::FileReview { text: cast::review(incident) }));
        } else if incident.state == State::Reviewed && again {
            self.asked_at = Some(now);
            acts.push(order(commander, Command::Close));
        }
    }
}

/// Whoever is called and awake answers for the role, and comes.
fn answer(incident: &Incident, now: Timestamp) -> Vec<Act> {
    let mut acts = Vec::new();
    for ((seat, post), delay_min) in incident.muster.posts.iter().zip(ANSWERS_MIN.into_iter().cycle()) {
        let (None, Some(paged_at)) = (&post.holder, post.paged_at) else { continue };
        let awake = post.paged.iter().find(|person| *person != cast::ASLEEP);
        let Some(person) = awake.filter(|_| minutes(paged_at, now) >= delay_min) else { continue };
        acts.push(order(person, Command::Acknowledge { seat: seat.clone() }));
        acts.push(order(person, Command::Join));
        let late = if post.step.unwrap_or(0) > 0 { ", as the one called before does not answer" } else { "" };
        acts.push(tell("muster", format!("{person} acknowledges as {}{late}", seat.to_string().replace('_', " "))));
    }
    acts
}
