//! What has to be done before a clock that is moved in steps may be moved again.

use tokio::sync::{mpsc, oneshot, watch};

use crate::engine::detector::TICK_MS;
use crate::engine::time::Timestamp;
use crate::store::WriterState;

/// How far the decisions have come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Reached {
    /// The last tick that is in the snapshot.
    pub shown: Timestamp,
    /// The last tick whose changes were handed on.
    pub told: Timestamp,
}

/// Everything that a core does because of a tick. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Stepping {
    pub(super) reached: watch::Receiver<Reached>,
    pub(super) record: watch::Receiver<WriterState>,
    /// Asks the incidents to poll the fleet.
    pub(super) looks: mpsc::Sender<oneshot::Sender<()>>,
}

impl Stepping {
    /// Waits until everything is done that follows from the ticks up to `at`: decided, told, on record, and the incidents
    /// looked at. For as long as the record cannot be written, that is not so.
    pub async fn settle(&mut self, at: Timestamp) {
        let tick = Timestamp::from_ms(at.as_ms() / TICK_MS * TICK_MS);
        // What has ended is waited for by nobody; the core's own `failed` tells of it.
        let _ = self.reached.wait_for(|reached| reached.shown >= tick && reached.told >= tick).await;
        let _ = self.record.wait_for(|record| record.pending() == 0).await;
        self.poll().await;
    }

    /// Has the incidents looked at, and waits for it.
    pub async fn poll(&self) {
        let (done, looked) = oneshot::channel();
        if self.looks.send(done).await.is_ok() {
            let _ = looked.await;
        }
    }
}
