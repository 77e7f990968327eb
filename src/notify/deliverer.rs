//! All lanes together: starting, ending, the size of the backlog, and messages that no channel takes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::elsewhere::relays;
use super::lane::{Lane, Route, Shared};
use super::observer::{Backlog, Observer};
use crate::clock::Clock;
use crate::engine::time::Timestamp;
use crate::record::StoreError;
use crate::record::channel_health::ChannelsHealth;
use crate::record::directory::Address;
use crate::record::outbox::{Outbox, Outcome};

/// Engine time between two looks at the backlog, in ms.
const SWEEP_EVERY_MS: i64 = 10_000;

/// Messages that a sweep looks at.
const SWEEP: u32 = 1_000;

/// Messages that one sweep tells elsewhere.
const MAX_RELAYS: usize = 50;

/// How long a message that was given up is shown as not told, in ms of engine time.
const SHOWN_MS: i64 = 3 * 86_400_000;

/// Real time before a lane that broke is started again.
const RESTART_AFTER: Duration = Duration::from_secs(1);

/// Says that there is something new in the outbox. Without it the lanes find it a moment later.
#[derive(Clone, Debug)]
pub struct Waker(Arc<watch::Sender<()>>);

impl Waker {
    /// Changes with every call of [`wake`](Self::wake).
    pub fn heard(&self) -> watch::Receiver<()> {
        self.0.subscribe()
    }

    /// To be called once what was written is committed.
    pub fn wake(&self) {
        self.0.send_replace(());
    }
}

/// Delivers what the outbox holds. See the [module](super) for what it promises.
#[derive(Debug)]
pub struct Deliverer {
    routes: Vec<Route>,
    shared: Shared,
    patience: Patience,
    seed: u64,
    wake: Waker,
}

/// What is done about messages that do not get through. Times are engine time.
#[derive(Clone, Debug)]
pub struct Patience {
    /// Age at which a message is told over every other channel, in ms.
    pub tell_elsewhere_after_ms: i64,
    /// Age at which a message is given up whose channel is not configured, in ms.
    pub give_up_after_ms: i64,
    /// Every place where something can be told.
    pub places: Vec<Address>,
}

impl Deliverer {
    /// A deliverer over these channels; their names are unique. `seed` is for the jitter.
    pub fn new(
        routes: Vec<Route>,
        outbox: Arc<dyn Outbox>,
        clock: Clock,
        observer: Arc<dyn Observer>,
        patience: Patience,
        seed: u64,
    ) -> Self {
        let health = Arc::new(ChannelsHealth::default());
        for route in &routes {
            health.open(&route.name);
        }
        let shared = Shared { outbox, clock, health, observer };
        Self { routes, shared, patience, seed, wake: Waker(Arc::new(watch::Sender::new(()))) }
    }

    /// How each channel fares, for pages.
    pub fn health(&self) -> Arc<ChannelsHealth> {
        Arc::clone(&self.shared.health)
    }

    /// For whoever writes to the outbox.
    pub fn waker(&self) -> Waker {
        self.wake.clone()
    }

    /// Delivers until `stop` holds or its sender is gone. Dropping it is what a crash would be: what was on its way is sent again.
    pub async fn run(self, stop: watch::Receiver<bool>) {
        let mut tasks = JoinSet::new();
        for (nth, route) in self.routes.iter().enumerate() {
            let seed = self.seed.wrapping_add(nth as u64);
            tasks.spawn(kept(route.clone(), self.shared.clone(), seed, self.wake.clone(), stop.clone()));
        }
        let known = self.routes.iter().map(|route| route.name.clone()).collect();
        let sweeper = Sweeper {
            known,
            told: BTreeSet::new(),
            relayed: BTreeSet::new(),
            shared: self.shared.clone(),
            patience: self.patience,
            wake: self.wake,
        };
        tasks.spawn(sweeper.run(stop));
        while tasks.join_next().await.is_some() {}
    }
}

/// A lane, and the next one should it break.
async fn kept(route: Route, shared: Shared, seed: u64, wake: Waker, stop: watch::Receiver<bool>) {
    let mut lanes = JoinSet::new();
    loop {
        let lane = Lane::new(route.clone(), shared.clone(), seed);
        lanes.spawn(lane.run(wake.heard(), stop.clone()));
        match lanes.join_next().await {
            Some(Err(error)) if error.is_panic() => {
                tracing::error!(channel = route.name, "the delivery of a channel broke and is started again");
                tokio::time::sleep(RESTART_AFTER).await;
            }
            _ => return,
        }
    }
}

/// Looks after what no lane does.
struct Sweeper {
    known: BTreeSet<String>,
    /// Channels that were complained of.
    told: BTreeSet<String>,
    /// Keys of what was told elsewhere. The outbox knows them too; this saves asking it every time.
    relayed: BTreeSet<String>,
    shared: Shared,
    patience: Patience,
    wake: Waker,
}

impl Sweeper {
    async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let clock = self.shared.clock;
        while !*stop.borrow_and_update() {
            // A store that fails is told of by the lanes.
            let _ = self.sweep(clock.now()).await;
            tokio::select! {
                changed = stop.changed() => if changed.is_err() { return },
                () = clock.sleep_until(clock.now().plus_ms(SWEEP_EVERY_MS)) => {}
            }
        }
    }

    async fn sweep(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let (pending, oldest) = self.shared.outbox.backlog().await?;
        let untold = self.tell_elsewhere(now).await?;
        self.shared.observer.backlog(Backlog { pending, oldest_due: oldest, untold }, now);
        for dispatch in self.shared.outbox.due(now, SWEEP).await? {
            let channel = &dispatch.channel;
            if self.known.contains(channel) {
                continue;
            }
            if self.told.insert(channel.clone()) {
                let what = "messages wait for a channel that is not configured: add it, or they are given up";
                tracing::error!(channel, "{what}");
            }
            if now.since_ms(dispatch.created_at) < self.patience.give_up_after_ms {
                continue;
            }
            let outcome = Outcome::Failed { error: format!("there is no channel {channel} in the configuration") };
            self.shared.outbox.attempted(dispatch.id, now, &outcome).await?;
            self.shared.observer.attempted(channel, &outcome, Duration::ZERO);
            self.shared.health.note(channel, None, now, &outcome);
        }
        Ok(())
    }

    /// Shows what has not got through for long and sees to it that it is told over every other channel. Answers how many there are.
    async fn tell_elsewhere(&mut self, now: Timestamp) -> Result<usize, StoreError> {
        let Patience { tell_elsewhere_after_ms, give_up_after_ms, ref places } = self.patience;
        let since = now.plus_ms(-give_up_after_ms - SHOWN_MS);
        let untold = self.shared.outbox.untold(since, now.plus_ms(-tell_elsewhere_after_ms), SWEEP).await?;
        let mut relays = relays(&untold, places, now);
        // What is not asked for any more has got through, or is no longer shown.
        let wanted: BTreeSet<&str> = relays.iter().map(|relay| relay.key.as_str()).collect();
        self.relayed.retain(|key| wanted.contains(key.as_str()));
        relays.retain(|relay| !self.relayed.contains(&relay.key));
        // The oldest first, the others with the next sweeps: an outage of a day is not to bury the channels that work.
        relays.truncate(MAX_RELAYS);
        if !relays.is_empty() {
            let new = self.shared.outbox.enqueue(&relays, now).await?;
            self.relayed.extend(relays.into_iter().map(|relay| relay.key));
            if new > 0 {
                tracing::error!(
                    messages = untold.len(),
                    "messages do not get through; other channels are told of them"
                );
                self.wake.wake();
            }
        }
        let count = untold.len();
        self.shared.health.set_untold(untold);
        Ok(count)
    }
}
