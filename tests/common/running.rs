//! A running ingest and what can be seen of it.

use std::sync::Arc;
use std::time::Duration;

use fleetwatch::delivery::DurableSink;
use fleetwatch::ingest::{self, IngestConfig, IngestCounters, IngestError, SessionState};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::sink::TestSink;

const SOON: Duration = Duration::from_secs(20);

pub struct Ingest {
    pub counters: Arc<IngestCounters>,
    pub state: watch::Receiver<SessionState>,
    stop: watch::Sender<bool>,
    task: JoinHandle<Result<(), IngestError>>,
}

impl Ingest {
    pub fn start(config: IngestConfig, sink: &Arc<TestSink>) -> Self {
        Self::start_into(config, sink.intake())
    }

    pub fn start_into(config: IngestConfig, intake: DurableSink) -> Self {
        let counters = Arc::new(IngestCounters::default());
        let (state_out, state) = watch::channel(SessionState::Connecting);
        let (stop, shutdown) = watch::channel(false);
        let task = tokio::spawn(ingest::run(config, intake, Arc::clone(&counters), state_out, shutdown));
        Self { counters, state, stop, task }
    }

    pub fn is_up(&self) -> bool {
        self.state.borrow().is_up()
    }

    pub async fn up(&mut self) {
        self.state_is("up", |state| state.is_up()).await;
    }

    pub async fn state_is(&mut self, what: &str, wanted: impl FnMut(&SessionState) -> bool) {
        let seen = tokio::time::timeout(SOON, self.state.wait_for(wanted)).await.map(|seen| seen.map(|seen| *seen));
        assert!(matches!(seen, Ok(Ok(_))), "not {what} in time but {:?}", *self.state.borrow());
    }

    /// Asks it to end, as at shutdown.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        self.task.await.unwrap().unwrap();
    }

    /// Ends it in the middle of whatever it does, as `kill -9` would.
    pub async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }

    /// Waits for it to end by itself.
    pub async fn ended(self) -> Result<(), IngestError> {
        tokio::time::timeout(SOON, self.task).await.expect("it ends").unwrap()
    }
}
