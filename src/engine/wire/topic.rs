//! Topics: `{root}/v1/{device}/report` and `{root}/v1/{device}/status`.

use super::error::DecodeError;
use crate::engine::device::DeviceId;

/// What a topic carries.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TopicKind {
    Report,
    Status,
}

impl TopicKind {
    /// The kind's name, as in topics and in metric labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Report => "report",
            Self::Status => "status",
        }
    }
}

/// A device's topic, taken apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Topic<'a> {
    pub kind: TopicKind,
    /// A valid device id.
    pub device: &'a str,
}

/// Takes `topic` apart under the configured `root` (which may have levels of its own). Does not allocate.
///
/// # Errors
/// [`DecodeError::BadTopic`] for anything but a report's or status' topic of a valid device id.
pub fn parse_topic<'a>(root: &str, topic: &'a str) -> Result<Topic<'a>, DecodeError> {
    let parts =
        topic.strip_prefix(root).and_then(|rest| rest.strip_prefix("/v1/")).and_then(|rest| rest.split_once('/'));
    let Some((device, kind)) = parts else { return Err(DecodeError::BadTopic) };
    let kind = match kind {
        "report" => TopicKind::Report,
        "status" => TopicKind::Status,
        _ => return Err(DecodeError::BadTopic),
    };
    if DeviceId::is_valid(device) { Ok(Topic { kind, device }) } else { Err(DecodeError::BadTopic) }
}
