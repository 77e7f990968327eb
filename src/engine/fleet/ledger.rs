//! What is kept of a device beside its data: what it has cost, whether it is one, and what was refused of it.

use serde::Serialize;

use super::budget::Spent;
use super::proof::Proof;
use crate::engine::time::Timestamp;

/// What the device has cost, and whether it is one.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub spent: Spent,
    pub proof: Proof,
    pub over: Option<OverBudget>,
    pub refused: Option<Refused>,
}

/// Messages of a device that were refused, one after the other, for the same reason.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Refused {
    /// Why, as in the metrics.
    pub reason: &'static str,
    /// The field that is at fault, where one alone is.
    pub field: Option<&'static str>,
    /// Messages, since the start of the process.
    pub messages: u64,
    /// When the first and the last one arrived.
    pub since: Timestamp,
    pub last: Timestamp,
}

/// What was refused of a device because it sends more than it may.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct OverBudget {
    /// Messages, since the start of the process.
    pub messages: u64,
    /// When the last one arrived.
    pub last: Timestamp,
}

impl Refused {
    /// The row with one more, at `at`. It begins anew with each other reason, and once a report was `taken`.
    pub(super) fn after(
        before: Option<Self>,
        (reason, field): (&'static str, Option<&'static str>),
        taken: Option<Timestamp>,
        at: Timestamp,
    ) -> Self {
        let goes_on = |known: &Self| {
            (known.reason, known.field) == (reason, field) && taken.is_none_or(|taken| taken <= known.last)
        };
        let (messages, since) = before.filter(goes_on).map_or((0, at), |known| (known.messages, known.since));
        Self { reason, field, messages: messages + 1, since, last: at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_refusals_is_of_one_reason_and_ends_with_a_report_that_is_taken() {
        let at = |minute: i64| Timestamp::from_ms(minute * 60_000);
        let why = ("out_of_range", Some("period_ms"));
        let first = Refused::after(None, why, None, at(1));
        let second = Refused::after(Some(first), why, Some(at(0)), at(2));
        assert_eq!((second.messages, second.since, second.last), (2, at(1), at(2)));
        assert_eq!(Refused::after(Some(second), ("malformed", None), None, at(3)).since, at(3));
        assert_eq!(Refused::after(Some(second), why, Some(at(3)), at(4)).messages, 1);
    }
}
