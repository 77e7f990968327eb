//! What one of the crew does, and when.

use crate::engine::device::DeviceId;
use crate::engine::time::{MINUTE_MS, Timestamp};
use crate::incident::Command;
use crate::lab::simulation::Remedy;

/// The setting that keeps the defect from being felt.
pub(super) const WORKAROUND: &str = "WA-1";

/// Something that one of them does.
#[derive(Clone, PartialEq, Debug)]
pub enum Act {
    /// Gives a command.
    Execute { by: String, command: Command },
    /// Something happens to a device.
    Work { device: DeviceId, remedy: Remedy },
    /// Says something that is worth a line.
    Tell { kind: &'static str, text: String },
}

pub(super) fn minutes(since: Timestamp, now: Timestamp) -> i64 {
    now.since_ms(since) / MINUTE_MS
}

pub(super) fn order(by: &str, command: Command) -> Act {
    Act::Execute { by: by.to_owned(), command }
}

pub(super) fn tell(kind: &'static str, text: impl Into<String>) -> Act {
    Act::Tell { kind, text: text.into() }
}
