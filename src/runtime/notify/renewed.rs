//! A channel that is made anew when a file that it was made from has changed: a token that was replaced, a secret that is there at
//! last. Neither stops the start, and neither needs a restart: what waits in the outbox goes with the next attempt.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;

use crate::engine::time::Timestamp;
use crate::notify::{Channel, Receipt, Refusal};
use crate::record::outbox::Dispatch;

/// How a channel is made from its settings and files.
type Make = Box<dyn Fn() -> anyhow::Result<Arc<dyn Channel>> + Send + Sync>;

/// What tells one content of a file from another; `None` while there is no file.
type Stamp = Option<(SystemTime, u64)>;

/// A channel, and the files that it depends on.
pub(super) struct Renewed {
    name: String,
    files: Vec<PathBuf>,
    make: Make,
    made: Mutex<Made>,
}

struct Made {
    from: Vec<Stamp>,
    channel: Option<Arc<dyn Channel>>,
    /// Why the files as they are now make none.
    fault: Option<String>,
}

impl fmt::Debug for Renewed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Renewed").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Renewed {
    /// The channel as its files are now; one that cannot be made yet refuses every message until it can.
    pub(super) fn new(name: &str, files: Vec<PathBuf>, make: Make) -> Self {
        let from = stamps(&files);
        let (channel, fault) = split(make());
        let made = Mutex::new(Made { from, channel, fault });
        Self { name: name.to_owned(), files, make, made }
    }

    /// Why the channel cannot be used, or not with what its files hold now.
    pub(super) fn fault(&self) -> Option<String> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).fault.clone()
    }

    /// The channel, made anew when a file has changed. One that worked goes on while the new files make none.
    fn current(&self) -> Result<Arc<dyn Channel>, Refusal> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let now = stamps(&self.files);
        if made.from != now {
            made.from = now;
            let (channel, fault) = split((self.make)());
            match &fault {
                None => tracing::info!(channel = self.name, "made anew, as a file that it uses has changed"),
                Some(fault) => {
                    tracing::error!(channel = self.name, fault, "a file that it uses has changed and is of no use")
                }
            }
            made.fault = fault;
            made.channel = channel.or(made.channel.take());
        }
        let fault = made.fault.as_deref().unwrap_or_default();
        made.channel.clone().ok_or_else(|| Refusal::later(format!("the channel cannot be used: {fault}")))
    }
}

#[async_trait]
impl Channel for Renewed {
    async fn deliver(&self, dispatch: &Dispatch, thread: Option<&str>, now: Timestamp) -> Result<Receipt, Refusal> {
        self.current()?.deliver(dispatch, thread, now).await
    }
}

fn split(made: anyhow::Result<Arc<dyn Channel>>) -> (Option<Arc<dyn Channel>>, Option<String>) {
    match made {
        Ok(channel) => (Some(channel), None),
        Err(error) => (None, Some(format!("{error:#}"))),
    }
}

fn stamps(files: &[PathBuf]) -> Vec<Stamp> {
    let stamp = |file: &PathBuf| {
        let metadata = std::fs::metadata(file).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    files.iter().map(stamp).collect()
}
