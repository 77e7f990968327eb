//! The latency of a device's newest minute, as it is shown.

use crate::engine::histogram::Histogram;
use crate::engine::snapshot::Quantiles;
use crate::engine::time::Minute;

/// All classes of one device and minute together, for what is shown.
#[derive(Debug, Default)]
pub struct Shown {
    pub minute: Option<Minute>,
    all: Histogram,
}

impl Shown {
    /// Adds one class; a later minute takes the place of the one before.
    pub fn add(&mut self, minute: Minute, histogram: &Histogram) {
        if self.minute != Some(minute) {
            self.all.clear();
            self.minute = Some(minute);
        }
        self.all.merge(histogram);
    }

    /// Its quantiles; `None` without samples.
    pub fn quantiles(&self) -> Option<Quantiles> {
        self.minute?;
        let [p50, p95, p99] = self.all.quantiles([0.5, 0.95, 0.99])?;
        Some(Quantiles { p50, p95, p99 })
    }
}
