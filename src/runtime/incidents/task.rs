//! The task that keeps the incidents going: it takes the detector's changes as they come, and polls the fleet after every tick and
//! every status.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, oneshot, watch};

use crate::engine::effect::Change;
use crate::engine::time::Timestamp;
use crate::incident::{DeclaredEvent, Incident};
use crate::record::StoreError;

use super::{Batch, Inner, LiveIncidents, lock};

/// How often the fleet is looked at when nothing calls for it. Bounds the wait of an agent on the phone, too.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// How often contacts that are not needed any more are looked for, in engine time.
const FORGET_INTERVAL_MS: i64 = 3_600_000;

/// Milliseconds of a day.
const DAY_MS: i64 = 24 * 3_600_000;

/// Shortest pause between two looks, however much devices have to say.
const MIN_POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Keeps the open incidents going.
#[derive(Debug)]
pub struct IncidentTask {
    pub incidents: LiveIncidents,
    /// What the detector decides.
    pub changes: broadcast::Receiver<Change>,
    /// Asks for a look at the fleet, to be answered when it is over. With a clock that is moved in steps, these are the only looks:
    /// when else it is looked would be up to the machine.
    pub asked: mpsc::Receiver<oneshot::Sender<()>>,
}

impl IncidentTask {
    /// Works until `stop` holds true.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let Self { incidents: LiveIncidents(inner), mut changes, mut asked } = self;
        let by_itself = !inner.clock.is_stepped();
        let mut look = tokio::time::interval(POLL_INTERVAL);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        // What was declared while nothing ran.
        let mut behind = true;
        let mut failing = false;
        let mut forgotten = None::<Timestamp>;
        loop {
            let outcome = tokio::select! {
                biased;
                () = async { drop(stop.wait_for(|stop| *stop).await) } => return,
                change = changes.recv() => match change {
                    Ok(change) => inner.on_change(&change).await,
                    Err(broadcast::error::RecvError::Lagged(_)) => {
                        behind = true;
                        Ok(())
                    }
                    Err(broadcast::error::RecvError::Closed) => return,
                },
                Some(done) = asked.recv() => {
                    let looked = inner.poll(&mut behind).await;
                    // Whoever asked may have gone away.
                    let _ = done.send(());
                    looked
                }
                _ = look.tick(), if by_itself => inner.poll(&mut behind).await,
                () = inner.statuses.news(), if by_itself => {
                    tokio::time::sleep(MIN_POLL_INTERVAL).await;
                    inner.poll(&mut behind).await
                }
            };
            let now = inner.clock.now();
            if forgotten.is_none_or(|last| now.since_ms(last) >= FORGET_INTERVAL_MS) {
                forgotten = Some(now);
                inner.forget_contacts(now).await;
            }
            if outcome.is_err() {
                behind = true;
            }
            failing = log_failure(outcome, failing);
        }
    }
}

/// Logs the first failure of a row, and its end. Answers whether it fails.
fn log_failure(outcome: Result<(), StoreError>, failing: bool) -> bool {
    match outcome {
        Err(error) => {
            if !failing {
                tracing::error!(reason = error.reason(), %error, "the incidents cannot be written; will try again");
            }
            true
        }
        Ok(()) => {
            if failing {
                tracing::info!("the incidents are written again");
            }
            false
        }
    }
}

impl Inner {
    /// A change of the detector.
    pub(super) async fn on_change(&self, change: &Change) -> Result<(), StoreError> {
        let Some(declared) = DeclaredEvent::of_change(change) else { return Ok(()) };
        self.note(declared);
        let _one_at_a_time = self.writing.lock().await;
        self.take_up().await?;
        self.catch_up().await
    }

    /// What the fleet shows now, and what time has brought.
    pub(super) async fn poll(&self, behind: &mut bool) -> Result<(), StoreError> {
        let _one_at_a_time = self.writing.lock().await;
        self.take_up().await?;
        self.catch_up().await?;
        let snapshot = self.snapshot.load_full();
        if *behind {
            self.make_up().await?;
            *behind = false;
        }
        lock(&self.over).retain(|id| snapshot.events.iter().any(|event| event.event_id == *id));
        for declared in snapshot.events.iter().filter_map(DeclaredEvent::of_view) {
            if self.is_news(&declared) {
                self.take_in(&declared).await?;
            }
        }
        let now = self.clock.now();
        for incident in &self.board.load_full().incidents {
            self.advance(incident, now).await?;
        }
        self.statuses.forget_before(snapshot.at);
        Ok(())
    }

    /// Contacts are kept for incidents only.
    async fn forget_contacts(&self, now: Timestamp) {
        let kept_ms = i64::from(self.settings.contact_days) * DAY_MS;
        match self.store.forget_contacts(now.plus_ms(-kept_ms)).await {
            Ok(0) => {}
            Ok(contacts) => tracing::info!(contacts, "contacts of incidents closed long ago were forgotten"),
            Err(error) => {
                tracing::warn!(reason = error.reason(), %error, "contacts could not be forgotten; will try again")
            }
        }
    }

    /// Whether the event says something that its incident does not know yet.
    fn is_news(&self, declared: &DeclaredEvent) -> bool {
        let board = self.board.load();
        let Some(incident) = board.incidents.iter().find(|incident| incident.event_ids.contains(&declared.event_id))
        else {
            return !lock(&self.over).contains(&declared.event_id);
        };
        declared.devices.iter().any(|device| board.of_device(device).next().is_none())
            || declared.devices.iter().any(|device| incident.ladder.get(device).is_some_and(|rung| !rung.affected))
    }

    /// Telemetry and time, for one incident.
    async fn advance(&self, incident: &Arc<Incident>, now: Timestamp) -> Result<(), StoreError> {
        let seen = self.seen(incident);
        let mut events = incident.observe(&seen.observation(), &self.settings, now);
        let mut next = None;
        if !events.is_empty() {
            let mut after = (**incident).clone();
            events.iter().for_each(|event| after.apply(event));
            next = Some(after);
        }
        events.extend(next.as_ref().unwrap_or(incident).tick(&self.rota, &self.settings, now));
        if events.is_empty() {
            return Ok(());
        }
        self.commit(vec![Batch { before: Some(Arc::clone(incident)), events }]).await.map(drop)
    }
}
