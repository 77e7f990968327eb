//! How one device's rung changes by what telemetry shows, by a relapse, and when two incidents become one.

use super::ladder::{Call, CallOutcome, Direction, Proof, Rung, Stamp};
use crate::engine::time::Timestamp;

impl Rung {
    /// Its customer was called.
    pub(super) fn call(&mut self, call: &Call, stamp: &Stamp) {
        self.calls += 1;
        // That nobody could be reached is proved by our own calls.
        let unanswered = call.outcome == CallOutcome::NoAnswer && call.direction == Direction::Outgoing;
        self.unanswered = if unanswered { self.unanswered + 1 } else { 0 };
        if matches!(call.outcome, CallOutcome::Reached | CallOutcome::Refused) {
            self.contacted.get_or_insert_with(|| stamp.clone());
            self.reached_at = Some(stamp.at);
        }
        self.progress = call.progress.or(self.progress);
        // Whoever did not answer is still waiting.
        self.call_back_since = match call.outcome {
            CallOutcome::CallBack => Some(stamp.at),
            CallOutcome::NoAnswer => self.call_back_since,
            CallOutcome::Reached | CallOutcome::Refused => None,
        };
    }

    /// Keeps since when it has been done.
    pub(super) fn settle(&mut self, at: Timestamp) {
        if self.is_done() {
            self.done_at.get_or_insert(at);
        } else {
            self.done_at = None;
        }
    }

    /// Telemetry proves it from `at` on.
    pub(super) fn prove(&mut self, proof: Proof, at: Timestamp) {
        match proof {
            Proof::Workaround => {
                self.see_workaround(true, at);
                self.proofs.remove(&Proof::Revert);
            }
            Proof::Revert => self.see_workaround(false, at),
            Proof::Quality => self.affected = false,
            Proof::Fix if !self.proves(Proof::Fix) => self.change(at),
            Proof::Fix => {}
        }
        self.proofs.entry(proof).or_insert(at);
    }

    /// What was proved is so no longer.
    pub(super) fn disprove(&mut self, proof: Proof, at: Timestamp) {
        self.proofs.remove(&proof);
        match proof {
            Proof::Workaround => self.see_workaround(false, at),
            // The reverting failed: the workaround is on again.
            Proof::Revert => self.see_workaround(true, at),
            Proof::Fix => {
                // A workaround that was taken off for the fix holds nothing up any more.
                self.change(at);
                if !self.workaround_active {
                    self.proofs.remove(&Proof::Workaround);
                    self.proofs.remove(&Proof::Revert);
                }
            }
            Proof::Quality => {}
        }
    }

    /// The device says whether a workaround is active.
    pub(super) fn see_workaround(&mut self, active: bool, at: Timestamp) {
        if self.workaround_active && !active {
            self.change(at);
        }
        self.workaround_active = active;
        self.workaround_told = true;
    }

    /// A device that was changed has to show its quality anew; it is not affected for that.
    fn change(&mut self, at: Timestamp) {
        self.changed_at = Some(at);
        self.proofs.remove(&Proof::Quality);
    }

    /// The device is affected again.
    pub(super) fn relapse(&mut self, at: Timestamp) {
        self.affected = true;
        self.relapses += 1;
        self.relapsed_at = Some(at);
        self.proofs.remove(&Proof::Quality);
        // Whoever signed it off did not sign for this.
        self.exception = None;
    }

    /// Takes over what another incident knows of the same device. What speaks against its being done outweighs what speaks for
    /// it: telemetry proves again what is so, but cannot find what was thrown away.
    pub(super) fn absorb(&mut self, other: &Self) {
        let watched_since = self.watched_since().max(other.watched_since());
        let was_remedied = self.is_remedied() || other.is_remedied();
        self.affected |= other.affected;
        self.relapses += other.relapses;
        self.relapsed_at = self.relapsed_at.max(other.relapsed_at);
        self.unanswered = match self.reached_at.cmp(&other.reached_at) {
            std::cmp::Ordering::Less => other.unanswered,
            std::cmp::Ordering::Equal => self.unanswered + other.unanswered,
            std::cmp::Ordering::Greater => self.unanswered,
        };
        self.progress = if other.reached_at > self.reached_at {
            other.progress.or(self.progress)
        } else {
            self.progress.or(other.progress)
        };
        // Somebody waits in either of them.
        self.call_back_since = [self.call_back_since, other.call_back_since].into_iter().flatten().min();
        self.calls += other.calls;
        self.contacted = earlier(self.contacted.take(), other.contacted.as_ref());
        self.reached_at = self.reached_at.max(other.reached_at);
        for (claim, stamp) in &other.claims {
            let own = self.claims.remove(claim);
            self.claims.extend(earlier(own, Some(stamp)).map(|stamp| (*claim, stamp)));
        }
        for (proof, at) in &other.proofs {
            self.proofs.entry(*proof).and_modify(|own| *own = (*own).min(*at)).or_insert(*at);
        }
        self.workaround_active |= other.workaround_active;
        self.workaround_told |= other.workaround_told;
        self.changed_at = Some(watched_since);
        if self.workaround_active {
            self.proofs.remove(&Proof::Revert);
        }
        self.joined_at = self.joined_at.min(other.joined_at);
        self.branch = self.branch.take().or_else(|| other.branch.clone());
        self.customer = self.customer.take().or_else(|| other.customer.clone());
        if self.affected || self.proofs.get(&Proof::Quality).is_some_and(|proved| *proved < watched_since) {
            self.proofs.remove(&Proof::Quality);
        }
        // The fix of one of them and the quality of the other would make a remedy that nobody has seen. If it is one, telemetry
        // proves it with its next look.
        if self.is_remedied() && !was_remedied {
            self.proofs.remove(&Proof::Quality);
        }
        let signed = self.exception.take().or_else(|| other.exception.clone());
        self.exception = signed.filter(|exception| Some(exception.at) >= self.relapsed_at);
    }
}

fn earlier(one: Option<Stamp>, other: Option<&Stamp>) -> Option<Stamp> {
    match (one, other) {
        (Some(one), Some(other)) if other.at < one.at => Some(other.clone()),
        (None, other) => other.cloned(),
        (one, _) => one,
    }
}
