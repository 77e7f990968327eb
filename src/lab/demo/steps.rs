//! The demo's time: one step after the other, each when everything of the one before is done.
//!
//! A step moves engine time to the next tick and waits until what follows from it is decided, told, on record and taken up by the
//! incidents. Then people do what they do at that instant, and last the devices send, over real MQTT, what they had measured by
//! then; it has all been acknowledged before the next step. So a message arrives at the instant of its step, which instant that is
//! depends on the story alone, and a busy machine makes the steps come later and nothing else.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crate::broker::BrokerCounters;
use crate::clock::{self, Hand};
use crate::engine::detector::{Engine, TICK_MS};
use crate::engine::time::Timestamp;
use crate::lab::simulation::mqtt::{Lockstep, Progress};
use crate::record::incidents::Incidents;

use super::crew::Shift;
use super::outside::Outside;
use super::pace::Pace;
use super::story_line::StoryLine;
use crate::runtime::stepping::Stepping;

/// Longest wait for the wills of devices whose line was cut: the broker may not have noticed all of them by itself.
const WILLS_TIMEOUT: Duration = Duration::from_secs(5);
/// How often it is looked whether they are there.
const POLL_INTERVAL: Duration = Duration::from_millis(1);

/// Everything that has to keep in step.
#[derive(Debug)]
pub(super) struct Steps {
    pub now: Timestamp,
    pub pace: Pace,
    /// Moves engine time.
    pub engine: Hand,
    /// Moves the devices' time.
    pub fleet: Hand,
    pub stepping: Stepping,
    pub lockstep: Arc<Lockstep>,
    pub progress: Arc<Progress>,
    pub broker: Arc<BrokerCounters>,
    pub incidents: Arc<dyn Incidents>,
    pub who: Who,
    /// Seconds of fleet time in a real one: while nothing has happened, and while an incident waits for whoever is at the pages.
    pub speeds: (f64, f64),
}

/// Who works on the incidents.
#[derive(Debug)]
pub(super) enum Who {
    /// The crew, which plays customers and updater, too.
    Crew(Shift),
    /// Whoever is at the pages; customers and updater do as they are told.
    People(Outside),
}

impl Steps {
    /// Makes the next step, when it is time for it. What people did in it.
    pub(super) async fn step(&mut self) -> Vec<StoryLine> {
        let next = self.next();
        self.pace.wait_for(next).await;
        self.engine.move_to(next);
        self.stepping.settle(next).await;
        let mut told = match &mut self.who {
            Who::Crew(shift) => shift.work(next).await,
            Who::People(outside) => outside.work(next).await,
        };
        told.extend(self.choose_speed(next));
        self.lockstep.begin(next);
        self.fleet.move_to(next);
        self.lockstep.delivered().await;
        self.hear_wills().await;
        self.now = next;
        told
    }

    /// The instant of the next step: a tick, or a real second before it where time goes so slowly that somebody would wait.
    fn next(&self) -> Timestamp {
        let second_ms = (self.pace.wanted() * 1_000.0) as i64 / 1_000 * 1_000;
        let tick = Engine::next_tick(self.now);
        self.now.plus_ms(second_ms.clamp(1_000, TICK_MS)).min(tick)
    }

    /// Time goes slowly while somebody has an incident to work on.
    fn choose_speed(&mut self, now: Timestamp) -> Option<StoryLine> {
        let (usual, working) = self.speeds;
        let is_open = matches!(self.who, Who::People(_)) && !self.incidents.board().incidents.is_empty();
        let wanted = if is_open { working } else { usual };
        if wanted == self.pace.wanted() {
            return None;
        }
        self.pace.want(wanted, now);
        self.engine.set_speed(wanted);
        self.fleet.set_speed(wanted);
        let why =
            if is_open { "an incident is open and yours to work on (--work-speed)" } else { "no incident is open" };
        Some(StoryLine { at: now, kind: "time", text: format!("runs at {wanted}x from here on: {why}") })
    }

    async fn hear_wills(&self) {
        let began = clock::monotonic();
        while self.broker.wills.load(Relaxed) < self.progress.cut.load(Relaxed) {
            if began.elapsed() > WILLS_TIMEOUT {
                tracing::debug!("the broker has not missed every device whose line was cut");
                return;
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }
}
