//! When a device says what it is: its births, its wills, and what was changed on it.

use crate::engine::time::Timestamp;

use super::device::Segment;
use super::plan::DevicePlan;

/// A device says at once what was changed on it.
pub(super) const STATUS_AFTER_MS: i64 = 150;
/// The will is delivered when the broker has missed the device for one and a half keep-alives of 30 s.
const WILL_AFTER_MS: i64 = 45_000;

/// A status that is to be sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct PlannedStatus {
    pub(super) at: Timestamp,
    pub(super) online: bool,
    pub(super) boot: u64,
}

/// The boot that the device is in at an instant.
pub(super) fn boot_at(segments: &[Segment], at: Timestamp) -> u64 {
    let latest = segments.iter().rev().find(|segment| segment.origin <= at).or(segments.first());
    latest.map_or(0, |segment| segment.boot)
}

/// Birth at the start of each boot and after each cut, a new status at each install, the will in a cut and in silence.
pub(super) fn planned_statuses(plan: &DevicePlan, segments: &[Segment]) -> Vec<PlannedStatus> {
    let (Some(first), Some(last)) = (segments.first(), segments.last()) else { return Vec::new() };
    let mut statuses = Vec::new();
    let mut say = |at: Timestamp, online| statuses.push(PlannedStatus { at, online, boot: boot_at(segments, at) });
    for segment in segments {
        say(segment.origin.plus_ms(i64::from(segment.period_ms)), true);
    }
    let installs = plan.installs.iter().map(|install| install.at).chain(plan.packages.iter().map(|package| package.at));
    for at in installs.filter(|at| *at > first.origin && *at < last.end) {
        if !plan.is_cut(at) {
            say(at.plus_ms(STATUS_AFTER_MS), true);
        }
    }
    for span in &plan.cuts {
        say(span.from.plus_ms(WILL_AFTER_MS), false);
        say(span.to.plus_ms(500), true);
    }
    for span in &plan.silences {
        say(span.from.plus_ms(WILL_AFTER_MS), false);
        if span.to < last.end {
            say(span.to.plus_ms(500), true);
        }
    }
    statuses.sort_by_key(|status| status.at);
    statuses
}
