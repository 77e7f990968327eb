//! What the demo tells of as a line.

use crate::engine::time::Timestamp;

/// Something that the demo shows as a line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoryLine {
    pub at: Timestamp,
    pub kind: &'static str,
    pub text: String,
}
