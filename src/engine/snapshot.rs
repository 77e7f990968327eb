//! The read plane: an immutable picture of the fleet that metrics, pages and the API read while the engine goes on.

use serde::Serialize;

use super::device::{DeviceId, Label, TrafficClass};
use super::effect::{Cause, EventState, Scope, Severity, Verdict};
use super::fleet::{OverBudget, Refused};
use super::time::Timestamp;

/// Everything that is shown, as of one tick.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Snapshot {
    /// The tick that made it, in engine time.
    pub at: Timestamp,
    pub totals: Totals,
    /// Every registered or expected device, sorted by id.
    pub devices: Vec<DeviceView>,
    /// Open events, warned of or declared; oldest first. Resolved ones leave it (the store keeps them).
    pub events: Vec<EventView>,
}

/// Fleet-wide numbers.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Totals {
    /// Devices that should report: the expected list, or every registered device where there is none.
    pub expected: u64,
    /// Devices that gave evidence in the newest closed minute.
    pub reporting: u64,
    pub degraded: u64,
    pub healthy: u64,
    pub indeterminate: u64,
    pub unknown: u64,
    /// Reports recorded since the start of the engine's state.
    pub reports: u64,
    /// Reports of the same identity that were dropped.
    pub duplicates: u64,
    /// Reports that came after their minute had closed, and were recomputed.
    pub late: u64,
    /// Sequence numbers that never arrived.
    pub missing: u64,
    /// Slots closed: the unit of the engine's work.
    pub slots: u64,
}

/// One device.
#[derive(Clone, Debug, Serialize)]
pub struct DeviceView {
    pub id: DeviceId,
    pub model: Option<Label>,
    pub branch: Option<Label>,
    pub customer: Option<Label>,
    pub firmware: Option<Label>,
    pub update: Option<Label>,
    /// When that update was installed, in event time; `None` until known.
    pub update_installed_at: Option<Timestamp>,
    /// What else is installed, each as `name version`.
    pub packages: Vec<Label>,
    /// Whether the newest closed minute has data.
    pub reporting: bool,
    /// `online` of its last status; `None` when it never sent one.
    pub online: Option<bool>,
    /// Whether its last status that told of a workaround said that one is active, and the id it gave.
    pub workaround_active: Option<bool>,
    pub workaround_id: Option<Label>,
    pub verdict: Verdict,
    /// Healthy minutes with data since the last degraded one; minutes that say nothing are left out, and the count stops at the
    /// detector's clear period. While a streak is running: minutes in which every class that is degraded in it was healthy.
    pub quiet_min: u32,
    /// When the first of those minutes began; `None` where there is none, and while a streak is running.
    pub quiet_since: Option<Timestamp>,
    /// Whether it was found healthy or degraded lately: no longer ago than the longest gap that a streak bridges.
    pub is_known: bool,
    /// Continuous degraded seconds proved so far; 0 when there is no streak.
    pub streak_s: u64,
    /// Why the device is degraded, worst first, at most a few: `https p95 delay`, `https false positives`.
    pub evidence: Vec<String>,
    /// Quantiles of the newest closed minute with data, all classes together, in microseconds.
    pub latency_us: Option<Quantiles>,
    /// Each traffic class that the device has carried, in the order of the classes.
    pub classes: Vec<ClassView>,
    /// Wrongly flagged probes over probes in the last 30 minutes; `None` without probes.
    pub false_positive_ratio: Option<f64>,
    pub last_report_at: Option<Timestamp>,
    /// The open event that explains this device, if any.
    pub event_id: Option<String>,
    /// Whether the detector counts it as affected: it is a member of an open event that is more than noise, or as degraded as an
    /// event that is over has told, which is no news and belongs to no event.
    pub affected: bool,
    /// Wall clock of the device minus event time, in ms; `None` until known.
    pub clock_offset_ms: Option<i64>,
    /// Boots seen in the last ten minutes, when more than one: a reboot loop.
    pub recent_boots: u32,
    /// What was refused because the device sends more than it may, since the start of the process; `None` when nothing was.
    pub over_budget: Option<OverBudget>,
    /// What was refused of the device since the newest report that was taken; `None` when nothing was. While it lasts, the
    /// device is unseen though it sends.
    pub refused: Option<Refused>,
}

/// One traffic class of one device.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct ClassView {
    pub class: TrafficClass,
    /// Of the newest closed minute.
    pub verdict: Verdict,
    /// The 95th percentile above which the class is degraded, in microseconds; `None` before anything is known of what is
    /// normal.
    pub p95_limit_us: Option<u32>,
    /// Share of the samples of the last five minutes above that limit, which is 0.05 at the limit itself; `None` without
    /// samples.
    pub over_limit: Option<f64>,
}

/// Quantiles of a latency distribution in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Quantiles {
    pub p50: u32,
    pub p95: u32,
    pub p99: u32,
}

/// One open event: a fleet event, or a lone device's streak.
#[derive(Clone, Debug, Serialize)]
pub struct EventView {
    pub event_id: String,
    pub incident: Option<String>,
    pub state: EventState,
    pub severity: Severity,
    pub scope: Scope,
    pub impact_started_at: Timestamp,
    /// Continuous degraded seconds proved so far.
    pub streak_s: u64,
    /// The length at which it is declared, in seconds.
    pub hold_s: u64,
    /// When it was declared.
    pub declared_at: Option<Timestamp>,
    /// When the hour will be full if nothing changes; `None` once declared or while the streak is suspended.
    pub declares_at: Option<Timestamp>,
    /// Whether a gap without data has suspended the streak: unproven, neither cleared nor counted.
    pub suspended: bool,
    pub cause: Option<Cause>,
    /// Current members, sorted.
    pub members: Vec<DeviceId>,
    /// The traffic classes and tests that carry the damage: `https p95 delay`, `https false positives`.
    pub evidence: Vec<String>,
}
