//! The law of a time zone, looked up for the engine.

use jiff::Timestamp as Instant;
use jiff::tz::TimeZone;

use super::settings::Config;
use crate::engine::time::{Minute, Timestamp};
use crate::engine::zone::Zone;

/// The key of a fixed offset.
pub(super) const OFFSET: &str = "detector.utc_offset_min";

/// The years for which the table is made: from before fleetwatch to long after it.
const FROM: &str = "2000-01-01T00:00:00Z";
const TO: &str = "2100-01-01T00:00:00Z";

/// The zone of this IANA name; `None` when nobody here knows it.
pub fn law(name: &str) -> Option<Zone> {
    let zone = TimeZone::get(name).ok()?;
    let (from, to): (Instant, Instant) = (FROM.parse().ok()?, TO.parse().ok()?);
    let minute = |at: Instant| Timestamp::from_ms(at.as_millisecond()).minute();
    let first = (Minute(0), zone.to_offset(from).seconds() / 60);
    let later = zone.following(from).take_while(|change| change.timestamp() < to);
    let later = later.map(|change| (minute(change.timestamp()), change.offset().seconds() / 60));
    Some(Zone::of_changes(std::iter::once(first).chain(later).collect()))
}

/// Puts the fleet's time of day into force: that of `detector.time_zone`, else of `detector.utc_offset_min` if it was set, else
/// that of the pages. A zone that is not known here has been told of as a fault.
pub(super) fn settle(config: &mut Config, is_offset_set: bool) {
    let pages = (!is_offset_set).then_some(config.http.time_zone.as_str());
    let law = config.detector.time_zone.as_deref().or(pages).and_then(law).unwrap_or_default();
    // An offset that never changes needs no table.
    if law.is_fixed() {
        if let Some(offset_min) = law.offset_min(Minute::default()) {
            config.detector.utc_offset_min = offset_min;
        }
        config.detector.zone = Zone::default();
    } else {
        config.detector.zone = law;
    }
}

/// What to say where the fleet's time of day is fixed and the pages' zone has summer time.
pub fn warning(config: &Config) -> Option<String> {
    let is_fixed = config.detector.time_zone.is_none() && config.detector.zone.is_fixed();
    let pages = law(&config.http.time_zone)?;
    (is_fixed && !pages.is_fixed()).then(|| {
        format!(
            "detector.utc_offset_min is fixed, and {zone} has summer time: what is normal by the hour is an hour off for half of \
             the year. Set detector.time_zone = \"{zone}\" in its place",
            zone = config.http.time_zone
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::time::MINUTE_MS;

    fn minute(text: &str) -> Minute {
        Timestamp::from_ms(text.parse::<Instant>().unwrap().as_millisecond() / MINUTE_MS * MINUTE_MS).minute()
    }

    /// The offset before and from an instant on.
    fn turn(zone: &Zone, at: &str) -> (i32, i32) {
        let at = minute(at);
        (zone.offset_min(at.plus(-1)).unwrap(), zone.offset_min(at).unwrap())
    }

    #[test]
    fn the_table_follows_the_law_of_its_zone() {
        let new_york = law("America/New_York").unwrap();
        assert_eq!(turn(&new_york, "2026-03-08T07:00:00Z"), (-300, -240));
        assert_eq!(turn(&new_york, "2026-11-01T06:00:00Z"), (-240, -300));
        // The law of 2007 made summer time begin three weeks earlier.
        assert_eq!(turn(&new_york, "2006-04-02T07:00:00Z"), (-300, -240));
        assert_eq!(turn(&new_york, "2098-03-09T07:00:00Z"), (-300, -240), "long after the table of the zone ends");
        let sydney = law("Australia/Sydney").unwrap();
        assert_eq!(turn(&sydney, "2026-10-03T16:00:00Z"), (600, 660));
        let lord_howe = law("Australia/Lord_Howe").unwrap();
        assert_eq!(turn(&lord_howe, "2026-04-04T15:00:00Z"), (660, 630));
        // Samoa went over the date line: a whole day at once.
        assert_eq!(turn(&law("Pacific/Apia").unwrap(), "2011-12-30T10:00:00Z"), (-600, 840));
        assert!(law("Asia/Tokyo").unwrap().is_fixed());
        assert_eq!(law("Mars/Olympus"), None);
    }

    #[test]
    fn the_fleets_zone_is_its_own_else_its_offset_else_that_of_the_pages() {
        let mut config = Config::default();
        config.http.time_zone = "America/New_York".into();
        let july = minute("2026-07-01T00:00:00Z");
        settle(&mut config, false);
        assert_eq!((config.detector.offset_min(july), warning(&config)), (-240, None));
        config.detector.utc_offset_min = -300;
        settle(&mut config, true);
        assert_eq!(config.detector.offset_min(july), -300);
        assert!(warning(&config).is_some_and(|told| told.contains("America/New_York has summer time")));
        config.detector.time_zone = Some("Australia/Sydney".into());
        settle(&mut config, true);
        assert_eq!((config.detector.offset_min(july), warning(&config)), (600, None));
    }
}
