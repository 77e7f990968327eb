//! Collectors of the `prometheus` crate, made and registered in one step.

use prometheus::core::Collector;
use prometheus::{
    Gauge, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry, exponential_buckets,
};

use super::names::Named;

/// Makes and registers.
pub(super) struct Maker(pub(super) Registry);

impl Maker {
    fn register<C: Collector + Clone + 'static>(&self, made: prometheus::Result<C>) -> C {
        let collector = made.expect("the names are metric names and each is used once");
        self.0.register(Box::new(collector.clone())).expect("the names are metric names and each is used once");
        collector
    }

    pub(super) fn counter(&self, Named { name, help }: Named) -> IntCounter {
        self.register(IntCounter::new(name, help))
    }

    pub(super) fn counters(&self, Named { name, help }: Named, labels: &[&str]) -> IntCounterVec {
        self.register(IntCounterVec::new(Opts::new(name, help), labels))
    }

    pub(super) fn gauge(&self, Named { name, help }: Named) -> Gauge {
        self.register(Gauge::new(name, help))
    }

    pub(super) fn int_gauge(&self, Named { name, help }: Named) -> IntGauge {
        self.register(IntGauge::new(name, help))
    }

    /// A histogram of seconds whose bounds double `count` times from `from`.
    pub(super) fn durations(&self, Named { name, help }: Named, from: f64, count: usize) -> Histogram {
        let bounds = exponential_buckets(from, 2.0, count).expect("the bounds are positive and grow");
        self.register(Histogram::with_opts(HistogramOpts::new(name, help).buckets(bounds)))
    }
}
