//! A person takes devices out of the fleet: checked against the open incidents, recorded, written to the journal, carried out.
//!
//! Who wants it and why is on record first, as with every request of a person; then it is in the journal, so that a restart does not
//! bring the device back; then the engine carries it out. Deliveries wait meanwhile, some microseconds a device. Whom to call is
//! forgotten last, once nothing can keep the device any more.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::broadcast;

use super::decision::Decision;
use super::mutex::lock;
use crate::broker::Publisher;
use crate::clock::Clock;
use crate::delivery::Topics;
use crate::engine::detector::Engine;
use crate::engine::device::DeviceId;
use crate::journal::Journal;
use crate::metrics::Why;
use crate::record::fleet::{FleetControl, ForgetError};
use crate::record::incident::IncidentStore;
use crate::record::incidents::Incidents;
use crate::runtime::intake::ForgetFault;

/// Longest wait for the journal to have it on the disk.
const DURABLE_MOST: Duration = Duration::from_secs(5);

/// Carries the requests out.
#[derive(Clone, Debug)]
pub struct Forgetter {
    pub root: String,
    pub clock: Clock,
    pub decision: Decision,
    pub journal: Arc<Journal>,
    pub incidents: Arc<dyn Incidents>,
    pub store: Arc<dyn IncidentStore>,
    /// Topics whose retained message goes.
    pub cleared: broadcast::Sender<Topics>,
}

impl Forgetter {
    /// Why devices stay, of those that do.
    fn kept(&self, engine: &Engine, devices: &[DeviceId]) -> Vec<(DeviceId, String)> {
        let board = self.incidents.board();
        let why = |device: &DeviceId| {
            let open = board
                .incidents
                .iter()
                .find(|incident| incident.ladder.get(device).is_some_and(|rung| rung.exception.is_none()));
            match open {
                Some(incident) => {
                    let number = incident.number();
                    Some(format!(
                        "it is part of {number}, which is not closed: except it there, or close {number} first"
                    ))
                }
                None => engine.may_forget(device.as_str()).err().map(|kept| kept.to_string()),
            }
        };
        devices.iter().filter_map(|device| Some((device.clone(), why(device)?))).collect()
    }

    /// Journals and forgets; the last number of the journal.
    fn carry_out(&self, devices: &[DeviceId], by: &str) -> Result<u64, ForgetError> {
        let Decision { intake, engine, snapshot, counters } = &self.decision;
        let gate = intake.hold();
        let mut engine = lock(engine);
        let kept = self.kept(&engine, devices);
        if !kept.is_empty() {
            return Err(ForgetError::Kept(kept));
        }
        let at = intake.instant_before(*gate);
        let entry = intake.forget(&mut engine, devices, by, at).map_err(|fault| match fault {
            ForgetFault::Kept(kept) => {
                ForgetError::Kept(kept.into_iter().map(|(device, why)| (device, why.to_string())).collect())
            }
            ForgetFault::Journal(reason) => ForgetError::Journal(reason.to_owned()),
        })?;
        counters.forgotten(Why::Asked, devices.len());
        counters.forget(devices);
        // Whoever asked looks next, and before the next tick.
        snapshot.store(Arc::new(engine.snapshot()));
        Ok(entry)
    }

    async fn run(self, mut devices: Vec<DeviceId>, by: String, reason: String) -> Result<(), ForgetError> {
        devices.sort();
        devices.dedup();
        // Most of what cannot be is known before anything is written.
        let kept = self.kept(&lock(&self.decision.engine), &devices);
        if !kept.is_empty() {
            return Err(ForgetError::Kept(kept));
        }
        let said_at = self.clock.now();
        self.store.forget_devices(&devices, &by, &reason, said_at).await?;
        let entry = match self.carry_out(&devices, &by) {
            Ok(entry) => entry,
            Err(error) => {
                self.store.keep_devices(&devices, said_at).await?;
                return Err(error);
            }
        };
        let mut durable = self.journal.durable();
        let written = durable.wait_for(|durable| *durable >= entry);
        if !matches!(tokio::time::timeout(DURABLE_MOST, written).await, Ok(Ok(_))) {
            tracing::error!(
                "devices were forgotten, and the journal has not written it yet: a crash now would bring them back"
            );
        }
        for device in &devices {
            tracing::warn!(%device, by = %by.escape_debug(), reason = %reason.escape_debug(), "a device was forgotten");
        }
        // Without a broker nobody listens.
        let _ = self.cleared.send(devices.iter().map(|device| format!("{}/v1/{device}/status", self.root)).collect());
        Ok(self.store.drop_contacts(&devices).await?)
    }
}

#[async_trait]
impl FleetControl for Forgetter {
    async fn forget(&self, devices: &[DeviceId], by: &str, reason: &str) -> Result<(), ForgetError> {
        // A task of its own: whoever asked may go away between the record and what follows from it.
        let run = self.clone().run(devices.to_vec(), by.to_owned(), reason.to_owned());
        tokio::spawn(run).await.unwrap_or_else(|error| Err(ForgetError::Journal(error.to_string())))
    }
}

/// Clears the retained messages of the embedded broker under the topics that come, until it or the core ends.
pub async fn clear_embedded(publisher: Publisher, mut cleared: broadcast::Receiver<Topics>) {
    loop {
        match cleared.recv().await {
            Ok(topics) => {
                for topic in topics.iter() {
                    if let Err(error) = publisher.publish_retained(topic, b"").await {
                        tracing::warn!(topic, %error, "the retained message of a forgotten device could not be cleared");
                    }
                }
            }
            Err(broadcast::error::RecvError::Lagged(missed)) => {
                tracing::warn!(missed, "retained messages of forgotten devices stay");
            }
            Err(broadcast::error::RecvError::Closed) => return,
        }
    }
}
