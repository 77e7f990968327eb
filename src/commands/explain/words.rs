//! Phrases that explanation and report share.

use crate::engine::effect::{Forecast, NearMiss, Scope, StreakEnd, Suspect};
use crate::record::EventSummary;
use crate::record::open_items::Lifecycle;
use crate::words::Zone;
use crate::words::number::{Certainty, counted};

/// `update 2026.11.21`; the whole fleet has no value.
pub fn suspect(suspect: &Suspect) -> String {
    if suspect.kind == "fleet" { "the whole fleet".to_owned() } else { format!("{} {}", suspect.kind, suspect.value) }
}

/// `47 minutes, then 6 healthy`.
pub fn near_miss(miss: &NearMiss) -> String {
    let length = counted(u64::from(miss.length_min), "minute");
    match miss.end {
        StreakEnd::Healthy => format!("{length}, then {} healthy", miss.healthy_after),
        StreakEnd::Unknown => format!("{length}, then {} without data that decides", miss.gaps_after),
        StreakEnd::Unproven => format!("{length}, of which too few are proved"),
    }
}

/// Why that is not the hour.
pub fn near_miss_reason(miss: &NearMiss) -> String {
    let short = miss.hold_min.saturating_sub(miss.length_min);
    let hold = miss.hold_min;
    match miss.end {
        StreakEnd::Healthy => {
            format!("{hold} without a break are asked for: {short} short when the quality was proved good")
        }
        StreakEnd::Unknown => {
            format!("{hold} without a break are asked for: {short} short, and a gap this long proves nothing")
        }
        StreakEnd::Unproven => format!(
            "{hold} without a break are asked for: too few of its minutes are known, or it began and ended within them"
        ),
    }
}

/// `chance of the hour 51 %, then declared at 04:01; 120 devices are still to take it, 72 of them at risk`.
pub fn forecast(forecast: &Forecast, zone: &Zone) -> String {
    let due = match forecast.declares_at {
        Some(at) => format!("would be declared at {}", zone.time(at)),
        None => "suspended for lack of data".to_owned(),
    };
    let mut text = format!("chance of the hour {}, {due}", Certainty(forecast.chance));
    if forecast.scheduled > 0 {
        let devices = counted(u64::from(forecast.scheduled), "device");
        text.push_str(&format!("; {devices} not yet updated, {} at risk", forecast.at_risk));
    }
    text
}

/// How far it has come, in one word for pages and terminal alike.
pub fn lifecycle(lifecycle: Lifecycle) -> &'static str {
    lifecycle.words().en
}

/// The scope in words.
pub fn scope(scope: Scope) -> &'static str {
    match scope {
        Scope::Fleet => "fleet",
        Scope::Isolated => "one device",
    }
}

/// The number, or the event id where there is none.
pub fn name(event: &EventSummary) -> &str {
    event.number.as_deref().unwrap_or(&event.event_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_miss_says_how_long_it_was_and_what_came_then() {
        let miss =
            |end, healthy_after, gaps_after| NearMiss { length_min: 47, hold_min: 60, end, healthy_after, gaps_after };
        assert_eq!(near_miss(&miss(StreakEnd::Healthy, 6, 0)), "47 minutes, then 6 healthy");
        assert_eq!(near_miss(&miss(StreakEnd::Unknown, 0, 11)), "47 minutes, then 11 without data that decides");
        assert!(near_miss_reason(&miss(StreakEnd::Healthy, 6, 0)).contains("13 short"));
    }
}
