//! The fleet's time of day: how far it is ahead of UTC, from when on.
//!
//! The engine reads no time zone data. Whoever makes its settings puts in what the zone's law says, as a table.

use bincode::{Decode, Encode};

use super::time::Minute;

/// Offsets from UTC in minutes, by the minute from which each holds. Empty: not known.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct Zone {
    /// Ascending; the first holds before, too.
    changes: Vec<(Minute, i32)>,
}

impl Zone {
    /// The zone of this table, whose first offset holds from the beginning on. The order of the entries does not matter.
    pub fn of_changes(mut changes: Vec<(Minute, i32)>) -> Self {
        changes.sort_unstable_by_key(|(from, _)| *from);
        changes.dedup_by_key(|(_, offset_min)| *offset_min);
        Self { changes }
    }

    /// Minutes east of UTC at `minute`; `None` when the zone is not known.
    pub fn offset_min(&self, minute: Minute) -> Option<i32> {
        let after = self.changes.partition_point(|(from, _)| *from <= minute);
        self.changes.get(after.saturating_sub(1)).map(|(_, offset_min)| *offset_min)
    }

    /// Whether the offset changes at all.
    pub fn is_fixed(&self) -> bool {
        self.changes.len() <= 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_holds_from_its_minute_on_and_the_first_one_before_it() {
        let zone = Zone::of_changes(vec![(Minute(200), -240), (Minute(100), -300), (Minute(300), -300)]);
        let offsets = [0, 99, 100, 199, 200, 299, 300, u32::MAX].map(|at| zone.offset_min(Minute(at)).unwrap());
        assert_eq!(offsets, [-300, -300, -300, -300, -240, -240, -300, -300]);
        assert!(!zone.is_fixed());
        assert_eq!(Zone::default().offset_min(Minute(5)), None);
        assert!(Zone::of_changes(vec![(Minute(0), 540), (Minute(9), 540)]).is_fixed());
    }
}
