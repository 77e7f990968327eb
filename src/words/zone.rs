//! Instants as people read them, in their time zone.

use jiff::civil::{DateTime, Time};
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp as Instant};
use thiserror::Error;

use super::Lang;
use crate::engine::time::Timestamp;

/// The zone of the operators. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Zone {
    name: String,
    zone: TimeZone,
}

/// There is no such time zone here.
#[derive(Debug, Error)]
#[error("there is no time zone {name:?} on this machine (is the tzdata package installed?)")]
pub struct ZoneError {
    name: String,
}

/// The text names no instant.
#[derive(Debug, Error)]
#[error("{text:?} is no time: write 18:00, 24h, 2026-11-22 18:00 or 2026-11-22T18:00:00+09:00")]
pub struct MomentError {
    text: String,
}

impl Zone {
    /// Where nothing else is configured: the company is Japanese.
    pub const DEFAULT: &'static str = "Asia/Tokyo";

    /// The zone of this IANA name. `Asia/Tokyo` and `UTC` need no time zone data.
    ///
    /// # Errors
    /// When the machine's time zone data does not have it.
    pub fn named(name: &str) -> Result<Self, ZoneError> {
        let zone = match (TimeZone::get(name), name) {
            (Ok(zone), _) => zone,
            // Nine hours ahead, without summer time, since 1951.
            (Err(_), Self::DEFAULT) => TimeZone::fixed(Offset::constant(9)),
            (Err(_), "UTC") => TimeZone::UTC,
            (Err(_), _) => return Err(ZoneError { name: name.to_owned() }),
        };
        Ok(Self { name: name.to_owned(), zone })
    }

    /// The zone's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Date and minute in the order that sorts, for lines of text: `2026-11-22 09:00`.
    pub fn stamp(&self, at: Timestamp) -> String {
        self.format(at, "%Y-%m-%d %H:%M")
    }

    /// Date and minute, for people.
    pub(crate) fn date_time(&self, at: Timestamp, lang: Lang) -> String {
        self.format(at, lang.text().date_time_format)
    }

    /// Time of day to the minute, for people.
    pub fn time(&self, at: Timestamp) -> String {
        self.format(at, "%H:%M")
    }

    /// Day of the month, for the axis of a chart.
    pub(crate) fn day(&self, at: Timestamp, lang: Lang) -> String {
        self.format(at, if lang == Lang::Ja { "%-m/%-d" } else { "%-d %b" })
    }

    /// How far local time is ahead of UTC at this instant, in milliseconds.
    pub(crate) fn ahead_ms(&self, at: Timestamp) -> i64 {
        let instant = Instant::from_millisecond(at.as_ms());
        instant.map_or(0, |instant| i64::from(self.zone.to_offset(instant).seconds()) * 1_000)
    }

    /// Time of day to the second, for people.
    pub(crate) fn time_s(&self, at: Timestamp) -> String {
        self.format(at, "%H:%M:%S")
    }

    /// The instant that somebody means by `text`, looking back from `now`: RFC 3339, `2026-11-22 18:00`, `18:00` (the last
    /// one), or a length of time before `now` such as `24h`.
    ///
    /// # Errors
    /// How it can be written, when it is none of these.
    pub fn moment(&self, text: &str, now: Timestamp) -> Result<Timestamp, MomentError> {
        let error = || MomentError { text: text.chars().take(40).collect() };
        let text = text.trim();
        if let Ok(instant) = text.parse::<Instant>() {
            return Ok(Timestamp::from_ms(instant.as_millisecond()));
        }
        if let Ok(time) = Time::strptime("%H:%M", text) {
            let here = Instant::from_millisecond(now.as_ms()).map_err(|_| error())?.to_zoned(self.zone.clone());
            let today = here.date().to_datetime(time).to_zoned(self.zone.clone()).map_err(|_| error())?;
            let last = if today.timestamp() <= here.timestamp() {
                today
            } else {
                let before = here.date().yesterday().map_err(|_| error())?;
                before.to_datetime(time).to_zoned(self.zone.clone()).map_err(|_| error())?
            };
            return Ok(Timestamp::from_ms(last.timestamp().as_millisecond()));
        }
        if let Ok(local) = text.parse::<DateTime>() {
            let zoned = local.to_zoned(self.zone.clone()).map_err(|_| error())?;
            return Ok(Timestamp::from_ms(zoned.timestamp().as_millisecond()));
        }
        match text.parse::<SignedDuration>() {
            Ok(length) if length.is_positive() => i64::try_from(length.as_millis())
                .map(|length_ms| now.plus_ms(length_ms.saturating_neg()))
                .map_err(|_| error()),
            _ => Err(error()),
        }
    }

    fn format(&self, at: Timestamp, format: &str) -> String {
        match Instant::from_millisecond(at.as_ms()) {
            Ok(instant) => instant.to_zoned(self.zone.clone()).strftime(format).to_string(),
            Err(_) => String::new(),
        }
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self::named(Self::DEFAULT).expect("Asia/Tokyo needs no time zone data")
    }
}

/// The instant for machines: RFC 3339 in UTC, as in `<time datetime>`.
pub(crate) fn rfc3339(at: Timestamp) -> String {
    Instant::from_millisecond(at.as_ms()).map(|instant| instant.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_shown_in_the_zone_and_given_to_machines_in_utc() {
        let zone = Zone::default();
        let at = Timestamp::from_ms(1_795_305_600_000);
        assert_eq!(zone.date_time(at, Lang::En), "22 Nov 2026 09:00");
        assert_eq!(zone.date_time(at, Lang::Ja), "2026年11月22日 09:00");
        assert_eq!(zone.time_s(at.plus_ms(61_000)), "09:01:01");
        assert_eq!(rfc3339(at), "2026-11-22T00:00:00Z");
    }

    #[test]
    fn a_time_is_looked_for_backwards() {
        let zone = Zone::default();
        // 22 Nov 2026 09:00 in Tokyo.
        let now = Timestamp::from_ms(1_795_305_600_000);
        for (text, stamp) in [
            ("08:59", "2026-11-22 08:59"),
            ("09:00", "2026-11-22 09:00"),
            ("18:00", "2026-11-21 18:00"),
            ("24h", "2026-11-21 09:00"),
            ("1h30m", "2026-11-22 07:30"),
            ("2026-11-20 18:30", "2026-11-20 18:30"),
            ("2026-11-20T18:30:00Z", "2026-11-21 03:30"),
        ] {
            assert_eq!(zone.moment(text, now).map(|at| zone.stamp(at)).unwrap(), stamp, "{text}");
        }
        for text in ["", "yesterday", "25:00", "-3h", "0s", "18", &"9".repeat(500)] {
            assert!(zone.moment(text, now).unwrap_err().to_string().contains("write 18:00"), "{text}");
        }
    }

    #[test]
    fn the_ends_of_engine_time_can_be_shown_and_a_wrong_zone_is_named() {
        let zone = Zone::default();
        for end in [i64::MIN, i64::MAX] {
            let _ = zone.date_time(Timestamp::from_ms(end), Lang::Ja);
        }
        assert!(Zone::named("Mars/Olympus").unwrap_err().to_string().contains("Mars/Olympus"));
    }
}
