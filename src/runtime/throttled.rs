//! Log lines about refused messages, not more often than is useful.

use std::collections::HashMap;
use std::sync::Mutex;

use super::mutex::lock;
use crate::engine::time::Timestamp;

/// Engine time between two log lines about the same reason, in ms.
const WARN_INTERVAL_MS: i64 = 60_000;

/// Logs refused messages: at once the first of a reason, then once a minute with the number that was left out.
#[derive(Debug, Default)]
pub struct ThrottledWarnings {
    reasons: Mutex<HashMap<&'static str, (Timestamp, u64)>>,
}

impl ThrottledWarnings {
    /// Notes a refusal; `reason` is of a closed list, so the memory is bounded.
    /// `field` is the one that cannot be used, where one alone is at fault.
    pub fn note(&self, reason: &'static str, field: Option<&'static str>, topic: &str, now: Timestamp) {
        if let Some((topic, left_out)) = self.due(reason, topic, now) {
            tracing::warn!(
                reason,
                field,
                topic,
                left_out,
                "messages are refused; the next line on this reason is a minute away"
            );
        }
    }

    /// Notes a field that was left out of a message; `field` is of a closed list too.
    pub fn left_out(&self, field: &'static str, reason: &str, topic: &str, now: Timestamp) {
        if let Some((topic, left_out)) = self.due(field, topic, now) {
            let told =
                "a field cannot be used, the rest of the message is; the next line on this field is a minute away";
            tracing::warn!(field, reason, topic, left_out, "{told}");
        }
    }

    /// Whether it is time for a line on `about`: then the topic as it may be written, and how many lines were left out.
    fn due(&self, about: &'static str, topic: &str, now: Timestamp) -> Option<(String, u64)> {
        let mut reasons = lock(&self.reasons);
        let left_out = match reasons.get_mut(about) {
            Some((last, left_out)) if now.since_ms(*last) < WARN_INTERVAL_MS => {
                *left_out += 1;
                return None;
            }
            Some((_, left_out)) => *left_out,
            None => 0,
        };
        reasons.insert(about, (now, 0));
        drop(reasons);
        // The topic is the sender's choice: bounded and escaped.
        Some((topic.chars().take(100).flat_map(char::escape_debug).collect(), left_out))
    }
}
