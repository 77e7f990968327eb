//! Queries of panels.

use crate::words::{Both, Lang};

/// What a panel asks.
pub(super) struct Query {
    pub(super) expr: String,
    pub(super) legend: Legend,
    pub(super) look: Look,
}

/// The name of a query's series: of its labels, or a word of the language with or without them.
pub(super) enum Legend {
    Labels(String),
    Word(Both<&'static str>),
}

/// How the series of a query are drawn; without a colour the panel gives one by the query's place.
#[derive(Clone, Copy, Default)]
pub(super) struct Look {
    pub(super) color: Option<&'static str>,
    pub(super) dashed: bool,
    /// Wide and below the others, so that what lies on it is seen.
    pub(super) wide: bool,
}

/// Stands for "nothing of the kind is there" in a query that returns something all the same: what is calm, or only over, is told
/// apart from what is not seen by it. No duration, count or instant comes near it.
pub(super) const NOTHING: f64 = -1e9;
/// The same for another kind of nothing.
pub(super) const NOTHING_ELSE: f64 = -2e9;

impl Query {
    pub(super) fn new(expr: impl Into<String>, legend: Legend) -> Self {
        Self { expr: expr.into(), legend, look: Look::default() }
    }

    /// Whether its rows are the buckets of a histogram.
    pub(super) fn is_buckets(&self) -> bool {
        matches!(&self.legend, Legend::Labels(labels) if labels == "{{le}}")
    }

    pub(super) fn legend_in(&self, lang: Lang) -> &str {
        match &self.legend {
            Legend::Labels(labels) => labels,
            Legend::Word(word) => word.pick(lang),
        }
    }
}

/// `series`, of those that have one of the `k` greatest values of `order` only the `k`-th. `order` has one value a `label` in the whole
/// range (`@ end()`): chosen at each point, the few would be others at each point, and the legend a list of dashes.
pub(super) fn ranked(series: &str, order: &str, label: &str, k: usize) -> String {
    let chosen = match k {
        1 => format!("topk(1, {order})"),
        _ => format!("(topk({k}, {order}) unless on ({label}) topk({}, {order}))", k - 1),
    };
    format!("({series}) and on ({label}) {chosen}")
}

/// The greatest value of the series of `selector` in the range, by `label`.
pub(super) fn greatest(selector: &str, label: &str) -> String {
    format!("max by ({label}) (max_over_time({selector}[$__range] @ end()))")
}
