//! What follows from a command, and why it is refused.

use super::aggregate::Incident;
use super::command::Command;
use super::countermeasure::{Countermeasure, CountermeasureVersion, Fix, WorkaroundPlan};
use super::event::{Action, IncidentEvent};
use super::ladder::{Call, CallOutcome, Claim, Direction, Exception, ExceptionKind};
use super::log::Log;
use super::milestone::Milestone;
use super::muster::Seat;
use super::observe::Observation;
use super::refusal::Refusal;
use super::state::{State, Trigger};
use super::{LifeSettings, MAX_NAME, MAX_REVIEW, MAX_TEXT};
use crate::engine::device::DeviceId;
use crate::engine::effect::Scope;
use crate::engine::label;
use crate::engine::time::Timestamp;

/// A text of the allowed length.
pub(super) fn text(text: &str, refusal: Refusal) -> Result<(), Refusal> {
    let length = text.trim().chars().count();
    if (1..=MAX_TEXT).contains(&length) { Ok(()) } else { Err(refusal) }
}

fn name(name: &str) -> Result<(), Refusal> {
    if (1..=MAX_NAME).contains(&name.chars().count()) { Ok(()) } else { Err(Refusal::Name) }
}

/// Whether a version of the countermeasure can be worked by.
fn check_countermeasure(
    workaround: Option<&WorkaroundPlan>,
    fix: Option<&Fix>,
    fix_due_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<(), Refusal> {
    if workaround.is_none() && fix.is_none() {
        return Err(Refusal::Empty);
    }
    let fits = |plan: &WorkaroundPlan| {
        let texts = [&plan.script.ja, &plan.script.en];
        let lengths = || texts.iter().map(|text| text.trim().chars().count());
        (1..=label::MAX_CHARS).contains(&plan.id.chars().count())
            && lengths().any(|length| length > 0)
            && lengths().all(|length| length <= MAX_TEXT)
    };
    if !workaround.is_none_or(fits) {
        return Err(Refusal::Script);
    }
    match fix {
        Some(Fix::Package { name: package, version }) => name(package).and_then(|()| name(version))?,
        Some(Fix::Update(text) | Fix::Elsewhere(text)) => name(text)?,
        None => {}
    }
    if fix_due_at.is_some_and(|due| due < now) {
        return Err(Refusal::Due);
    }
    Ok(())
}

fn check_call(call: &Call) -> Result<(), Refusal> {
    if call.note.chars().count() > MAX_TEXT {
        return Err(Refusal::Text);
    }
    if call.direction == Direction::Incoming && call.outcome == CallOutcome::NoAnswer {
        return Err(Refusal::NobodyCalled);
    }
    Ok(())
}

impl Incident {
    /// What follows from a person's command. `seen` is the fleet as it is seen now, which a close needs.
    ///
    /// # Errors
    /// Why nothing follows.
    pub fn decide(
        &self,
        command: &Command,
        by: &str,
        seen: Option<&Observation<'_>>,
        (settings, now): (&LifeSettings, Timestamp),
    ) -> Result<Vec<IncidentEvent>, Refusal> {
        let (command, by) = (&command.clone().formed(), &*label::form(by));
        name(by)?;
        if !self.is_open() {
            return Err(Refusal::Closed);
        }
        if let Some(device) = command.devices().iter().find(|device| !self.ladder.contains(device)) {
            return Err(Refusal::NotADevice(device.clone()));
        }
        let mut log = Log::new(self, by, now);
        match command {
            Command::Acknowledge { seat } => {
                log.push(Action::Acknowledged { seat: seat.clone(), person: by.to_owned() });
            }
            Command::Join => log.push(Action::Present { person: by.to_owned() }),
            Command::HandOver { seat, to, reason } => self.hand_over(seat, to, reason, &mut log)?,
            Command::Note { text: note, tell } => {
                text(note, Refusal::Text)?;
                log.push(Action::Noted { text: note.clone(), told: *tell });
            }
            Command::CorrectTime { milestone, instant, reason } => {
                self.correct_time(*milestone, *instant, reason, now, &mut log)?;
            }
            Command::RegisterCountermeasure { workaround, fix, fix_due_at } => {
                check_countermeasure(workaround.as_ref(), fix.as_ref(), *fix_due_at, now)?;
                let version = 1 + self.countermeasures.newest().map_or(0, |newest| newest.countermeasure.version);
                let (workaround, fix, fix_due_at) = (workaround.clone(), fix.clone(), *fix_due_at);
                let new = Countermeasure { version, workaround, fix, fix_due_at };
                log.push(Action::CountermeasureRegistered(Box::new(new)));
            }
            Command::AgreeCountermeasure { version } => self.agree(*version, by, &mut log)?,
            Command::AcknowledgeScript { version } => {
                self.current_version(*version)?;
                log.push(Action::ScriptAcknowledged { version: *version, person: by.to_owned() });
            }
            Command::ReleaseFix => self.release_fix(&mut log)?,
            Command::RecordCall { device, call } => {
                check_call(call)?;
                log.push(Action::Called { device: device.clone(), call: call.clone() });
            }
            Command::Claim { devices, claim } => {
                self.check_claim(devices, *claim)?;
                log.push(Action::Claimed { devices: devices.clone(), claim: *claim });
            }
            Command::SignOff { device, kind, evidence } => {
                self.check_sign_off(device, *kind, evidence, settings)?;
                let (kind, evidence, signed_by) = (*kind, evidence.clone(), by.to_owned());
                let exception = Exception { kind, evidence, signed_by, at: now };
                log.push(Action::Excepted { device: device.clone(), exception });
            }
            Command::LiftException { device, reason } => self.lift(device, reason, &mut log)?,
            Command::Promote { reason } => self.promote(reason, &mut log)?,
            Command::Demote { reason } => {
                text(reason, Refusal::Reason)?;
                log.push(Action::Demoted { reason: reason.clone() });
                log.trigger(Trigger::Ended);
            }
            Command::FileReview { text: review } => self.file_review(review, &mut log)?,
            Command::Close => self.close(seen, &mut log)?,
        }
        log.follow(None);
        Ok(log.events)
    }

    fn hand_over(&self, seat: &Seat, to: &str, reason: &str, log: &mut Log<'_>) -> Result<(), Refusal> {
        name(to)?;
        text(reason, Refusal::Reason)?;
        let from = self.muster.posts.get(seat).and_then(|post| post.holder.clone());
        if from.as_deref() == Some(to) {
            return Err(Refusal::Held { seat: seat.clone(), holder: to.to_owned() });
        }
        log.push(Action::HandedOver { seat: seat.clone(), from, to: to.to_owned(), reason: reason.to_owned() });
        Ok(())
    }

    fn correct_time(
        &self,
        milestone: Milestone,
        instant: Timestamp,
        reason: &str,
        now: Timestamp,
        log: &mut Log<'_>,
    ) -> Result<(), Refusal> {
        text(reason, Refusal::Reason)?;
        if milestone <= Milestone::Declared {
            return Err(Refusal::Measured);
        }
        if self.milestones.get(milestone).is_none() {
            return Err(Refusal::State { state: self.state, what: "that milestone has not been reached" });
        }
        self.milestones.check(milestone, instant, now)?;
        log.push(Action::Timed { milestone, instant, reason: Some(reason.to_owned()) });
        Ok(())
    }

    fn agree(&self, version: u32, by: &str, log: &mut Log<'_>) -> Result<(), Refusal> {
        let standing = self.version_of(version)?;
        if standing.agreed.is_some() {
            return Err(Refusal::Agreed(version));
        }
        if standing.registered_by == by {
            return Err(Refusal::OwnWord);
        }
        let has_workaround = standing.countermeasure.workaround.is_some();
        log.push(Action::CountermeasureAgreed { version });
        if has_workaround {
            log.trigger(Trigger::WorkaroundAvailable);
        }
        Ok(())
    }

    fn release_fix(&self, log: &mut Log<'_>) -> Result<(), Refusal> {
        let fix = self.countermeasures.fix().ok_or(Refusal::NoFix)?;
        if self.released_fix().is_some() {
            return Err(Refusal::Released(fix.name()));
        }
        log.push(Action::FixReleased { name: fix.name() });
        log.trigger(Trigger::FixAvailable);
        Ok(())
    }

    /// The newest version, if that is the wanted one: words about an older one come too late.
    fn version_of(&self, version: u32) -> Result<&CountermeasureVersion, Refusal> {
        let newest = self.countermeasures.newest().ok_or(Refusal::NoVersion(version))?;
        match newest.countermeasure.version {
            newest_version if newest_version == version => Ok(newest),
            newest if version < newest && version > 0 => Err(Refusal::Replaced { version, newest }),
            _ => Err(Refusal::NoVersion(version)),
        }
    }

    /// Refuses every version but the one that support works by, whatever has been registered since.
    fn current_version(&self, version: u32) -> Result<(), Refusal> {
        let current = self.countermeasures.current().map(|standing| standing.countermeasure.version);
        match current {
            Some(current) if version == current => Ok(()),
            Some(newest) if (1..newest).contains(&version) => Err(Refusal::Replaced { version, newest }),
            _ => {
                let newest = self.countermeasures.newest().map_or(0, |newest| newest.countermeasure.version);
                let is_known = (1..=newest).contains(&version);
                Err(if is_known { Refusal::NotAgreed(version) } else { Refusal::NoVersion(version) })
            }
        }
    }

    fn check_claim(&self, devices: &[DeviceId], claim: Claim) -> Result<(), Refusal> {
        if devices.is_empty() {
            return Err(Refusal::NoDevice);
        }
        match claim {
            Claim::Workaround if self.countermeasures.workaround().is_none() => Err(Refusal::NoWorkaround),
            Claim::Fix if self.released_fix().is_none() => Err(Refusal::NotReleased),
            Claim::Workaround | Claim::Fix | Claim::Revert => Ok(()),
        }
    }

    fn check_sign_off(
        &self,
        device: &DeviceId,
        kind: ExceptionKind,
        evidence: &str,
        settings: &LifeSettings,
    ) -> Result<(), Refusal> {
        text(evidence, Refusal::Reason)?;
        let made = self.ladder.get(device).map_or(0, |rung| rung.unanswered);
        if kind == ExceptionKind::Unreachable && made < settings.unreachable_calls {
            let (device, needed) = (device.clone(), settings.unreachable_calls);
            return Err(Refusal::Calls { device, needed, made });
        }
        Ok(())
    }

    fn lift(&self, device: &DeviceId, reason: &str, log: &mut Log<'_>) -> Result<(), Refusal> {
        text(reason, Refusal::Reason)?;
        if self.ladder.get(device).is_none_or(|rung| rung.exception.is_none()) {
            return Err(Refusal::NoException(device.clone()));
        }
        log.push(Action::ExceptionLifted { device: device.clone(), reason: reason.to_owned() });
        Ok(())
    }

    fn promote(&self, reason: &str, log: &mut Log<'_>) -> Result<(), Refusal> {
        text(reason, Refusal::Reason)?;
        if self.scope == Scope::Fleet {
            return Err(Refusal::Promoted);
        }
        log.push(Action::Promoted { reason: reason.to_owned() });
        Ok(())
    }

    fn file_review(&self, review: &str, log: &mut Log<'_>) -> Result<(), Refusal> {
        if !(1..=MAX_REVIEW).contains(&review.trim().chars().count()) {
            return Err(Refusal::Review);
        }
        if self.state.is_active() {
            return Err(Refusal::State { state: self.state, what: "the review comes after the resolution" });
        }
        log.push(Action::ReviewFiled { text: review.to_owned() });
        log.trigger(Trigger::Reviewed);
        Ok(())
    }

    /// Closes, if telemetry allows it at this very moment.
    fn close(&self, seen: Option<&Observation<'_>>, log: &mut Log<'_>) -> Result<(), Refusal> {
        let obstacles = self.obstacles(seen);
        if !obstacles.is_empty() {
            return Err(Refusal::Open(obstacles.to_string()));
        }
        if self.state != State::Reviewed {
            return Err(Refusal::State { state: self.state, what: "file the review first" });
        }
        log.push(Action::Closed { reason: None });
        log.trigger(Trigger::Closed);
        Ok(())
    }
}
