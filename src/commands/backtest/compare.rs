//! Which incidents of two runs are the same.
//!
//! Two are the same when their times overlap and they share at least three in ten devices of the smaller one, as the
//! detector itself joins events. Pairs are made one to one, the one with the most shared devices first.

use crate::engine::effect::Scope;

use super::outcome::{Found, Outcome};

/// Least share of the smaller incident's devices that both have.
const SHARED: (usize, usize) = (3, 10);

/// What became of the reference's incidents under other settings.
#[derive(Debug, Default)]
pub struct Comparison<'a> {
    /// The reference's and the tried run's, by the reference's start.
    pub matched: Vec<(&'a Found, &'a Found)>,
    /// Only under the tried settings.
    pub gained: Vec<&'a Found>,
    /// Only in the reference.
    pub lost: Vec<&'a Found>,
}

impl Comparison<'_> {
    /// How many of this scope were gained, and how many lost.
    pub fn moved(&self, scope: Scope) -> (usize, usize) {
        let of = |found: &[&Found]| found.iter().filter(|found| found.event.scope == scope).count();
        (of(&self.gained), of(&self.lost))
    }
}

/// Seconds from the reference's declaration to the tried one; negative when it was declared earlier.
pub fn delay_s(reference: &Found, tried: &Found) -> i64 {
    match (reference.event.declared_at, tried.event.declared_at) {
        (Some(reference), Some(tried)) => tried.since_ms(reference) / 1_000,
        _ => 0,
    }
}

/// Matches the declared incidents of two runs.
pub fn compare<'a>(reference: &'a Outcome, tried: &'a Outcome) -> Comparison<'a> {
    let (ours, theirs) = (reference.incidents(), tried.incidents());
    let mut pairs = Vec::new();
    for (i, our) in ours.iter().enumerate() {
        for (j, their) in theirs.iter().enumerate() {
            if let Some((shared, overlap)) = likeness(our, their) {
                pairs.push((std::cmp::Reverse((shared, overlap)), i, j));
            }
        }
    }
    pairs.sort_unstable();
    let (mut partner, mut taken) = (vec![None; ours.len()], vec![false; theirs.len()]);
    for (_, i, j) in pairs {
        if partner[i].is_none() && !taken[j] {
            (partner[i], taken[j]) = (Some(j), true);
        }
    }
    let mut comparison = Comparison::default();
    for (our, partner) in ours.iter().zip(&partner) {
        match partner {
            Some(j) => comparison.matched.push((our, theirs[*j])),
            None => comparison.lost.push(our),
        }
    }
    comparison.gained = theirs.into_iter().zip(taken).filter(|(_, taken)| !taken).map(|(found, _)| found).collect();
    comparison
}

/// Devices in common and milliseconds of overlap, when the two may be the same.
fn likeness(a: &Found, b: &Found) -> Option<(usize, i64)> {
    let ((a_from, a_to), (b_from, b_to)) = (a.span(), b.span());
    let overlap = a_to.min(b_to).since_ms(a_from.max(b_from));
    let shared = a.devices.intersection(&b.devices).count();
    let least = a.devices.len().min(b.devices.len());
    (overlap > 0 && shared > 0 && shared * SHARED.1 >= least * SHARED.0).then_some((shared, overlap))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::device::DeviceId;
    use crate::engine::effect::{Change, ChangeKind, Severity};
    use crate::engine::time::Timestamp;

    const HOUR_MS: i64 = 3_600_000;

    /// Declares `event` at `declared` minutes, an hour after its start, for the devices of the range.
    fn declare(outcome: &mut Outcome, event: u32, declared_min: i64, devices: std::ops::Range<u32>, scope: Scope) {
        let at = Timestamp::from_ms(1_795_305_600_000 + declared_min * 60_000);
        let change: Change = serde_json::from_value(serde_json::json!({
            "at": at, "event": ChangeKind::Declared, "event_id": format!("E-{event:04}"),
            "incident": format!("INC-{event:04}"), "severity": Severity::Major, "scope": scope,
            "impact_started_at": at.plus_ms(-HOUR_MS), "streak_s": 3_600,
            "devices": devices.map(|n| DeviceId::parse(&format!("B-{n:04}")).unwrap()).collect::<Vec<_>>(),
            "cause": null,
        }))
        .unwrap();
        outcome.note(&change);
    }

    fn names(found: &[&Found]) -> Vec<String> {
        found.iter().map(|found| found.name().to_owned()).collect()
    }

    #[test]
    fn the_same_devices_at_the_same_time_are_the_same_incident_under_any_number() {
        let (mut reference, mut tried) = (Outcome::default(), Outcome::default());
        declare(&mut reference, 1, 60, 0..40, Scope::Fleet);
        declare(&mut tried, 7, 45, 5..60, Scope::Fleet);
        let comparison = compare(&reference, &tried);
        let [(our, their)] = comparison.matched[..] else { panic!("{comparison:?}") };
        assert_eq!((our.name(), their.name(), delay_s(our, their)), ("INC-0001", "INC-0007", -900));
        assert!(comparison.gained.is_empty() && comparison.lost.is_empty());
    }

    #[test]
    fn other_devices_or_another_time_are_gained_and_lost() {
        let (mut reference, mut tried) = (Outcome::default(), Outcome::default());
        declare(&mut reference, 1, 60, 0..40, Scope::Fleet);
        declare(&mut reference, 2, 60, 90..91, Scope::Isolated);
        declare(&mut tried, 1, 60, 40..80, Scope::Fleet);
        declare(&mut tried, 2, 200, 0..40, Scope::Fleet);
        let comparison = compare(&reference, &tried);
        assert!(comparison.matched.is_empty());
        assert_eq!(names(&comparison.gained), ["INC-0001", "INC-0002"]);
        assert_eq!(names(&comparison.lost), ["INC-0001", "INC-0002"]);
        assert_eq!((comparison.moved(Scope::Fleet), comparison.moved(Scope::Isolated)), ((2, 1), (0, 1)));
    }

    #[test]
    fn an_incident_that_fell_apart_keeps_its_larger_part_and_gains_the_other() {
        let (mut reference, mut tried) = (Outcome::default(), Outcome::default());
        declare(&mut reference, 1, 60, 0..40, Scope::Fleet);
        declare(&mut tried, 1, 60, 0..10, Scope::Fleet);
        declare(&mut tried, 2, 60, 10..40, Scope::Fleet);
        let comparison = compare(&reference, &tried);
        assert_eq!(comparison.matched[0].1.name(), "INC-0002");
        assert_eq!(names(&comparison.gained), ["INC-0001"]);
    }

    #[test]
    fn a_neighbour_that_shares_a_few_devices_is_another_incident() {
        let (mut reference, mut tried) = (Outcome::default(), Outcome::default());
        declare(&mut reference, 1, 60, 0..40, Scope::Fleet);
        declare(&mut tried, 1, 60, 29..70, Scope::Fleet);
        assert_eq!(compare(&reference, &tried).lost.len(), 1, "11 of 40 are less than 3 in 10");
        declare(&mut tried, 1, 60, 28..29, Scope::Fleet);
        assert_eq!(compare(&reference, &tried).matched.len(), 1, "12 of 40 are not");
    }
}
