//! What follows from the passing of time alone: calls, reminders, the forecast of the promise, the review's due date.

use super::aggregate::Incident;
use super::event::{Action, IncidentEvent};
use super::log::Log;
use super::milestone::Milestone;
use super::muster::Rota;
use super::state::State;
use super::{CLOCK, LifeSettings};
use crate::engine::effect::Scope;
use crate::engine::time::{MINUTE_MS, Timestamp};

/// Milliseconds of a day.
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

impl Incident {
    /// What is due at `now`. Asked as often as one likes: what was done is not due again.
    pub fn tick(&self, rota: &Rota, settings: &LifeSettings, now: Timestamp) -> Vec<IncidentEvent> {
        if !self.is_open() {
            return Vec::new();
        }
        let mut log = Log::new(self, CLOCK, now);
        if self.state.is_active() {
            // An isolated incident musters nobody: it goes to the support queue.
            if self.scope == Scope::Fleet {
                for page in self.muster.due(rota, |branch| self.concerns(branch), now) {
                    log.push(page);
                }
                self.nag(settings, now, &mut log);
            }
            self.forecast(settings, now, &mut log);
        } else {
            self.review(settings, now, &mut log);
        }
        log.events
    }

    /// Whether the branch has devices that are not settled.
    fn concerns(&self, branch: &str) -> bool {
        self.open_devices().any(|(_, rung)| rung.branch.as_deref() == Some(branch))
    }

    fn nag(&self, settings: &LifeSettings, now: Timestamp, log: &mut Log<'_>) {
        let last = self.nagged_at.map_or(self.told_at, |nagged| nagged.max(self.told_at));
        if settings.nag_min > 0 && now.since_ms(last) >= i64::from(settings.nag_min) * MINUTE_MS {
            log.push(Action::Nagged { silent_s: (now.since_ms(self.told_at) / 1_000).max(0) as u64 });
        }
    }

    fn forecast(&self, settings: &LifeSettings, now: Timestamp, log: &mut Log<'_>) {
        let burndown = self.burndown(settings, now);
        let ends_at = burndown.forecast.map(|forecast| forecast.ends_at);
        // Back below the promise only with room to spare, or the word would change with every device.
        let room = burndown.promised_at.since_ms(now) / 10;
        let met = burndown.left == 0 || ends_at.is_some_and(|ends| burndown.promised_at.since_ms(ends) > room);
        let missed = if self.promise_missed { burndown.missed || !met } else { burndown.missed };
        if missed != self.promise_missed {
            log.push(Action::PromiseForecast { ends_at, promised_at: burndown.promised_at, missed });
        }
    }

    fn review(&self, settings: &LifeSettings, now: Timestamp, log: &mut Log<'_>) {
        let Some(due_at) = self.review_due_at(settings) else { return };
        let nagged = self.review_nagged_at.is_some_and(|nagged| now.since_ms(nagged) < DAY_MS);
        if self.state == State::Resolved && now >= due_at && !nagged {
            log.push(Action::ReviewNagged { due_at });
        }
    }

    /// When the review has to be there; `None` before the resolution.
    pub fn review_due_at(&self, settings: &LifeSettings) -> Option<Timestamp> {
        let resolved = self.milestones.get(Milestone::Resolved)?;
        Some(resolved.plus_ms(i64::from(settings.review_days) * DAY_MS))
    }
}
