//! Lengths of time and speeds as people type them.

use std::time::Duration;

/// `90s`, `5m`, `1h 30m`; at least a millisecond.
///
/// # Errors
/// How to write it.
pub fn duration(text: &str) -> Result<Duration, String> {
    let parsed: jiff::SignedDuration = text.parse().map_err(|_| "write it like 90s, 5m or 1h30m".to_string())?;
    match Duration::try_from(parsed) {
        Ok(duration) if duration.as_millis() > 0 => Ok(duration),
        _ => Err("must be longer than nothing".into()),
    }
}

/// A speed-up that the clock can keep.
///
/// # Errors
/// The range.
pub fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(factor) if (0.1..=3_600.0).contains(&factor) => Ok(factor),
        _ => Err("must be a number from 0.1 to 3600".into()),
    }
}
