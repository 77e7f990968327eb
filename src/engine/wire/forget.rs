//! How the journal holds that devices were forgotten: `{root}/v1/forget`, which is no device's topic, so that no message of a broker
//! is taken under it. The content is JSON.

use serde::{Deserialize, Serialize};

use crate::engine::device::DeviceId;

/// Devices that were forgotten together.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Forgetting {
    /// Who is gone.
    pub devices: Vec<DeviceId>,
    /// Who forgot them.
    pub by: String,
}

/// The topic of such an entry.
pub fn forget_topic(root: &str) -> String {
    format!("{root}/v1/forget")
}

/// Whether this is the topic of such an entry.
pub fn is_forget_topic(root: &str, topic: &str) -> bool {
    topic.strip_prefix(root) == Some("/v1/forget")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::wire::parse_topic;

    #[test]
    fn no_device_can_write_what_the_journal_holds_of_those_forgotten() {
        assert!(is_forget_topic("a/b", &forget_topic("a/b")));
        assert!(parse_topic("utm", &forget_topic("utm")).is_err());
        for topic in
            ["utm/v1/B-1/forget", "utm/v1/forget/report", "utm/v1/forget/status", "utm/v1/forget/", "utm2/v1/forget"]
        {
            assert!(!is_forget_topic("utm", topic), "{topic}");
        }
    }
}
