//! The one-hour rule on what was injected, not on what anybody measured.
//!
//! It is written apart from the engine on purpose: the engine is judged by it. It looks at whole minutes, and at the devices of
//! the event together: a minute is bad when one of them suffers and measures it, without knowledge when none of them
//! measures, and good otherwise. Five good minutes in a row end the hour, and so does a gap in knowledge of more than ten.

use crate::engine::time::{Minute, Timestamp};

use super::plan::DevicePlan;

const HOUR_MIN: i64 = 60;
const GOOD_THAT_END: i64 = 5;
const GAP_THAT_ENDS: i64 = 10;
/// A slot closes this long after its minute, for the reports that are on their way.
const SLOT_CLOSES_MS: i64 = 90_000;

/// End of the minute that fills the hour, if one does, between an event's first onset and `last`.
pub(crate) fn hour_full_at(devices: &[&DevicePlan], onset: Timestamp, last: Timestamp) -> Option<Timestamp> {
    let mut start = None;
    let (mut good, mut gap) = (0, 0);
    let mut minute = onset.minute();
    while minute.start() < last {
        if devices.iter().all(|plan| is_silent(plan, minute)) {
            gap += 1;
        } else if devices.iter().any(|plan| suffers(plan, minute)) {
            if gap > GAP_THAT_ENDS {
                start = None;
            }
            (good, gap) = (0, 0);
            let since = *start.get_or_insert(minute);
            if minute.plus(1).since(since) >= HOUR_MIN {
                return Some(minute.end());
            }
        } else {
            good += 1;
            if good >= GOOD_THAT_END {
                start = None;
            }
        }
        minute = minute.plus(1);
    }
    None
}

/// When a minute that ended at `full` can be known: its slot has closed, and half of the devices have delivered it.
pub(crate) fn evidenced_at(devices: &[&DevicePlan], full: Timestamp) -> Timestamp {
    let closes = full.plus_ms(SLOT_CLOSES_MS);
    let mut delivered: Vec<Timestamp> = devices
        .iter()
        .map(|plan| plan.cuts.iter().find(|cut| cut.from <= closes && full <= cut.to).map_or(closes, |cut| cut.to))
        .collect();
    delivered.sort_unstable();
    delivered.get(delivered.len().saturating_sub(1) / 2).copied().unwrap_or(closes).max(closes)
}

fn is_silent(plan: &DevicePlan, minute: Minute) -> bool {
    plan.silences.iter().any(|span| span.from <= minute.start() && minute.end() <= span.to)
}

fn suffers(plan: &DevicePlan, minute: Minute) -> bool {
    !is_silent(plan, minute)
        && plan.impacts.iter().any(|impact| {
            impact.start < minute.end() && impact.end > minute.start() && impact.effect.is_on(minute.start())
        })
}

#[cfg(test)]
mod tests {
    use super::super::plan::{Effect, Impact, Span};
    use super::*;

    const START: Timestamp = Timestamp::from_ms(1_794_880_800_000);

    fn minute(n: i64) -> Timestamp {
        START.plus_ms(n * 60_000)
    }

    /// Bad and silent stretches, in minutes; the minute that fills the hour.
    fn full(bad: &[(i64, i64)], silent: &[(i64, i64)]) -> Option<i64> {
        let effect = Effect::on_https(2.0, 0.0);
        let plan = DevicePlan {
            impacts: bad
                .iter()
                .map(|&(a, b)| Impact { start: minute(a), end: minute(b), effect, remediable: true })
                .collect(),
            silences: silent.iter().map(|&(a, b)| Span { from: minute(a), to: minute(b) }).collect(),
            ..DevicePlan::default()
        };
        hour_full_at(&[&plan], START, minute(400)).map(|at| at.since_ms(START) / 60_000)
    }

    #[test]
    fn the_rule_holds_at_its_boundaries() {
        assert_eq!(full(&[(0, 59)], &[]), None);
        assert_eq!(full(&[(0, 60)], &[]), Some(60));
        assert_eq!(full(&[(0, 59)], &[(59, 400)]), None);
        assert_eq!(full(&[(0, 70)], &[(30, 40)]), Some(60));
        assert_eq!(full(&[(0, 71)], &[(30, 41)]), None);
        assert_eq!(full(&[(0, 30), (34, 64)], &[]), Some(60));
        assert_eq!(full(&[(0, 30), (35, 70)], &[]), None);
        let flapping: Vec<_> = (0..8).map(|n| (30 * n, 30 * n + 20)).collect();
        assert_eq!(full(&flapping, &[]), None);
        let blips: Vec<_> = (0..8).map(|n| (17 * n, 17 * n + 15)).collect();
        assert_eq!(full(&blips, &[]), Some(60));
    }
}
