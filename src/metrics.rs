//! What Prometheus scrapes: names, counters, and the text made from a snapshot.
//!
//! Where the figures come from:
//!
//! | source | what |
//! |---|---|
//! | [`Counters`] | atomics of the `prometheus` crate that the shell counts up as it works, registered once |
//! | the engine's snapshot | the fleet, open events, devices |
//! | [`Counters::recorded`] | distributions and counts by traffic class, update and branch, from each report |
//! | the changes that [`Counters`] are told of | what happened when to the events of the last day |
//! | [`incidents::IncidentSample`]s | the incidents' life, as `runtime` reads it from the record |
//!
//! All but the first are written straight into the text format at the moment of the scrape (`benches/scrape.rs` has the
//! comparison with a `Collector` that builds the crate's `MetricFamily` values first).
//!
//! Promises: every name, help text and unit stands in [`names`]; at most [`names::SERIES_PER_DEVICE`] series a device;
//! no label value that a device can choose freely ([`dictionary`]); the number of series is bounded by the number of
//! registered devices, whatever the devices send.

mod cohorts;
mod counters;
mod devices;
mod dictionary;
mod events;
mod fleet;
pub mod incidents;
mod maker;
pub mod names;
mod notifications;
mod process;
mod series;
mod text;
mod timeline;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use prometheus::{Encoder, TextEncoder};

pub use counters::{Counters, Encoding, MessageKind, Why};
pub use notifications::Notifications;
pub use series::DeviceSeries;

use self::cohorts::Ledger;
use self::dictionary::Dictionaries;
use self::incidents::IncidentSource;
use self::text::Text;
use crate::clock::Clock;
use crate::engine::snapshot::Snapshot;
use crate::record::GateControl;

/// Content type of the text format.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Makes the text that is scraped.
pub struct Exporter {
    counters: Arc<Counters>,
    snapshot: Arc<ArcSwap<Snapshot>>,
    clock: Clock,
    series: DeviceSeries,
    gates: Option<Arc<dyn GateControl>>,
    incidents: IncidentSource,
    memory: Mutex<Memory>,
}

/// What one scrape leaves for the next.
#[derive(Debug, Default)]
struct Memory {
    dictionaries: Dictionaries,
    cohorts: Ledger,
    /// Length of the last text: the next one is about as long.
    length: usize,
}

impl Exporter {
    /// An exporter of these counters and of whatever snapshot is current when it is asked.
    pub fn new(counters: Arc<Counters>, snapshot: Arc<ArcSwap<Snapshot>>, clock: Clock, series: DeviceSeries) -> Self {
        Self { counters, snapshot, clock, series, gates: None, incidents: Arc::new(Vec::new), memory: Mutex::default() }
    }

    /// Also shows the incidents' life: whatever is current when it is asked, the most urgent first.
    #[must_use]
    pub fn with_incidents(self, incidents: IncidentSource) -> Self {
        Self { incidents, ..self }
    }

    /// Also shows what is decided about updates.
    #[must_use]
    pub fn with_gates(self, gates: Option<Arc<dyn GateControl>>) -> Self {
        Self { gates, ..self }
    }

    /// The whole text. Takes milliseconds for 1,000 devices; concurrent scrapes take turns.
    pub fn render(&self) -> String {
        let snapshot = self.snapshot.load_full();
        let now = self.clock.now();
        // Nothing in here can be left half done in a way that matters, so a poisoned lock is as good as a clean one.
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let Memory { dictionaries, cohorts, length } = &mut *memory;
        dictionaries.learn(&snapshot);
        cohorts.settle(self.counters.cohorts(), &snapshot, dictionaries);
        let mut text = Text::with_capacity(*length + *length / 8);
        fleet::write(&mut text, &snapshot, now, dictionaries);
        cohorts.write(&mut text);
        events::write(&mut text, &snapshot);
        self.counters.timeline(&mut text, now);
        incidents::write(&mut text, &(self.incidents)(), self.series, dictionaries);
        devices::write(&mut text, &snapshot, self.series, dictionaries);
        let board = self.gates.as_ref().map(|gates| gates.board()).unwrap_or_default();
        fleet::gates(&mut text, &board.decisions, dictionaries);
        process::write(&mut text);
        *length = text.len();
        drop(memory);
        self.counters.refresh(now);
        let mut bytes = text.into_bytes();
        if let Err(error) = TextEncoder::new().encode(&self.counters.registry().gather(), &mut bytes) {
            tracing::error!(%error, "the counters cannot be written as text");
        }
        String::from_utf8(bytes).unwrap_or_default()
    }
}

impl fmt::Debug for Exporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exporter").field("series", &self.series).finish_non_exhaustive()
    }
}
