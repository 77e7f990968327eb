//! Queries of panels.

use super::words::Say;

/// What a panel asks.
pub(super) struct Query {
    pub(super) expr: String,
    pub(super) legend: Legend,
}

/// The name of a query's series: of its labels, or a word of the language.
pub(super) enum Legend {
    Labels(String),
    Word(Say),
}

/// Stands for "nothing of the kind is there" in a query that returns something all the same: what is calm, or only over, is told
/// apart from what is not seen by it. No duration, count or instant comes near it.
pub(super) const NOTHING: f64 = -1e9;
/// The same for another kind of nothing.
pub(super) const NOTHING_ELSE: f64 = -2e9;

impl Query {
    /// Whether its rows are the buckets of a histogram.
    pub(super) fn is_buckets(&self) -> bool {
        matches!(&self.legend, Legend::Labels(labels) if labels == "{{le}}")
    }
}
