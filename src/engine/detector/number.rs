//! Numbers of incidents, as people say them on the phone: `INC-2026-0007` is the seventh incident, and was declared in 2026.
//!
//! The count goes on over the years: `0007` alone names one incident whatever year anybody takes it for, an hour that fills at
//! midnight of New Year's Eve has no second reading, and whoever lost the state has to know one number only, the highest.

use std::fmt;

use bincode::{Decode, Encode};

use crate::engine::time::{MINUTE_MS, Timestamp};

/// What a year is worth in the number that is kept: more incidents than will ever be.
const YEAR: u64 = 1_000_000_000;

const DAYS_OF_400_YEARS: i64 = 146_097;

/// The number of an incident. Ordered by age.
///
/// Kept as one integer, the year before the count. A number without a year is one from before numbers had years (`INC-0007`); people
/// have heard it so, and it stays so.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Encode, Decode)]
pub struct IncidentNumber(u64);

impl IncidentNumber {
    /// The `count`th incident, declared at `declared_at` by a clock `utc_offset_min` minutes east of UTC.
    pub fn new(count: u32, declared_at: Timestamp, utc_offset_min: i32) -> Self {
        Self(year(declared_at, utc_offset_min) * YEAR + u64::from(count))
    }
}

impl fmt::Display for IncidentNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 / YEAR, self.0 % YEAR) {
            (0, count) => write!(f, "INC-{count:04}"),
            (year, count) => write!(f, "INC-{year}-{count:04}"),
        }
    }
}

/// The year of an instant, in the Gregorian calendar.
fn year(at: Timestamp, utc_offset_min: i32) -> u64 {
    let days = (at.as_ms() + i64::from(utc_offset_min) * MINUTE_MS).div_euclid(24 * 60 * MINUTE_MS);
    // Counted from 1 March of the year 0, so that the leap day is a year's last one.
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(DAYS_OF_400_YEARS), days.rem_euclid(DAYS_OF_400_YEARS));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    // January and February are the last two months of such a year.
    let is_over = day_of_year >= 306;
    (era * 400 + year + i64::from(is_over)).max(0) as u64
}

#[cfg(test)]
mod tests {
    use bincode::config::standard;

    use super::*;

    #[test]
    fn the_year_turns_by_the_fleets_own_clock() {
        // Milliseconds, minutes east of UTC, year. From a calendar.
        for (ms, offset, expected) in [
            (0, 0, 1970),
            (0, -60, 1969),
            (946_684_799_999, 0, 1999),
            (946_684_800_000, 0, 2000),
            (951_782_400_000, 0, 2000),
            (1_078_012_800_000, 0, 2004),
            (1_795_305_600_000, 540, 2026),
            (1_798_729_199_999, 540, 2026),
            (1_798_729_200_000, 540, 2027),
            (1_798_761_599_999, 0, 2026),
            (1_798_761_600_000, 0, 2027),
            (4_107_542_400_000, 0, 2100),
            (253_402_300_799_999, 0, 9999),
        ] {
            assert_eq!(year(Timestamp::from_ms(ms), offset), expected, "{ms} {offset}");
        }
        let days_of = |year: i64| if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) { 366 } else { 365 };
        let mut day = 0;
        for expected in 1970..2500 {
            let (first, last) = (day, day + days_of(expected) - 1);
            for day in [first, last] {
                assert_eq!(year(Timestamp::from_ms(day * 86_400_000), 0), expected as u64);
            }
            day = last + 1;
        }
    }

    #[test]
    fn a_number_is_said_with_its_year_and_the_older_one_is_the_lesser() {
        let at = Timestamp::from_ms(1_795_305_600_000);
        let number = |count| IncidentNumber::new(count, at, 540);
        assert_eq!(number(7).to_string(), "INC-2026-0007");
        assert_eq!(number(10_000).to_string(), "INC-2026-10000");
        assert!(number(7) < number(8) && number(8) < IncidentNumber::new(9, at.plus_ms(90 * 86_400_000), 540));
    }

    #[test]
    fn a_number_of_an_older_state_is_read_and_said_as_it_was() {
        for (count, said) in [(7, "INC-0007"), (250, "INC-0250"), (251, "INC-0251"), (70_000, "INC-70000")] {
            let bytes = bincode::encode_to_vec(Some::<u32>(count), standard()).expect("encodable");
            let (read, used): (Option<IncidentNumber>, usize) =
                bincode::decode_from_slice(&bytes, standard()).expect("readable");
            assert_eq!((read.map(|number| number.to_string()).as_deref(), used), (Some(said), bytes.len()));
            assert!(read < Some(IncidentNumber::new(1, Timestamp::default(), 0)));
        }
    }
}
