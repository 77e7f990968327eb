//! The incidents' life as metrics: what `runtime` reads from the record, written as text.

use std::sync::Arc;

use super::dictionary::{Dictionaries, NONE};
use super::names::{self, Metric};
use super::series::{DeviceSeries, scope_name};
use super::text::{Escaped, Millis, Text};
use crate::engine::device::{DeviceId, Label};
use crate::engine::effect::{Scope, Severity, Suspect};
use crate::engine::time::Timestamp;
use crate::incident::{Milestone, Step};

/// The step under which a device is counted that was signed off.
pub const EXCEPTED: &str = "excepted";

/// The steps of the ladder, in their order; [`EXCEPTED`] stands beside it.
pub const STEPS: [&str; Step::ALL.len() + 1] = {
    let mut names = [EXCEPTED; Step::ALL.len() + 1];
    let mut step = 0;
    while step < Step::ALL.len() {
        names[step] = Step::ALL[step].as_str();
        step += 1;
    }
    names
};

/// The milestones, in their order.
pub const MILESTONES: [&str; Milestone::ALL.len()] = {
    let mut names = [""; Milestone::ALL.len()];
    let mut milestone = 0;
    while milestone < names.len() {
        names[milestone] = Milestone::ALL[milestone].as_str();
        milestone += 1;
    }
    names
};

/// How far a role of the team can have come.
pub const ROLE_STATUS: [&str; 3] = ["paged", "acknowledged", "joined"];

/// One incident as it stands. The words are those of [`STEPS`], [`MILESTONES`] and [`ROLE_STATUS`]; what is not among them
/// is left out, so that the number of series stays bounded.
#[derive(Clone, PartialEq, Debug)]
pub struct IncidentSample {
    /// The number that people say: `INC-2026-0007`.
    pub incident: String,
    /// Id of the detector's event.
    pub event: String,
    pub severity: Severity,
    pub scope: Scope,
    /// The state's name, of the record's closed list.
    pub state: &'static str,
    pub cause: Option<Suspect>,
    pub started_at: Timestamp,
    pub declared_at: Timestamp,
    /// The three-day promise.
    pub promise_at: Option<Timestamp>,
    /// When every device is done at the rate so far.
    pub forecast_end_at: Option<Timestamp>,
    /// Devices that stand on a step, by branch. A device stands on one step.
    pub ladder: Vec<LadderCount>,
    /// Each device and the step on which it stands, but for those that are done.
    pub devices: Vec<(DeviceId, &'static str)>,
    /// Milestones reached, and when.
    pub milestones: Vec<(&'static str, Timestamp)>,
    /// Roles of the team, and how far each has come.
    pub roles: Vec<(String, &'static str)>,
}

/// Answers with the incidents as they stand, whenever somebody scrapes.
pub type IncidentSource = Arc<dyn Fn() -> Vec<IncidentSample> + Send + Sync>;

/// Devices of one branch on one step of the ladder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LadderCount {
    pub branch: Option<Label>,
    pub step: &'static str,
    pub devices: u64,
}

/// Most roles of one incident that are shown.
const ROLES: usize = 16;

/// Branches beyond the dictionary's bound are counted together.
pub(super) fn write(text: &mut Text, samples: &[IncidentSample], series: DeviceSeries, dictionaries: &Dictionaries) {
    let samples = &samples[..samples.len().min(names::INCIDENTS_WITH_SERIES)];
    if samples.is_empty() {
        return;
    }
    text.head(names::INCIDENT);
    for sample in samples {
        text.line(names::INCIDENT, &info(sample), true);
    }
    instant(text, samples, names::INCIDENT_STARTED, |sample| Some(sample.started_at));
    instant(text, samples, names::INCIDENT_DECLARED, |sample| Some(sample.declared_at));
    instant(text, samples, names::INCIDENT_PROMISE, |sample| sample.promise_at);
    instant(text, samples, names::INCIDENT_FORECAST, |sample| sample.forecast_end_at);
    ladder(text, samples, dictionaries);
    text.head(names::INCIDENT_MILESTONE);
    for sample in samples {
        for (milestone, at) in sample.milestones.iter().filter(|(name, _)| MILESTONES.contains(name)) {
            let labels = format!("incident=\"{}\",milestone=\"{milestone}\"", Escaped(&sample.incident));
            text.line(names::INCIDENT_MILESTONE, &labels, Millis::new(at.as_ms()));
        }
    }
    text.head(names::MUSTER_ROLES);
    for sample in samples {
        for (role, status) in sample.roles.iter().filter(|(_, status)| ROLE_STATUS.contains(status)).take(ROLES) {
            let (incident, role) = (Escaped(&sample.incident), Escaped(role));
            let labels = format!("incident=\"{incident}\",role=\"{role}\",status=\"{status}\"");
            text.line(names::MUSTER_ROLES, &labels, true);
        }
    }
    if series != DeviceSeries::Off {
        devices(text, samples);
    }
}

fn devices(text: &mut Text, samples: &[IncidentSample]) {
    text.head(names::DEVICE_LADDER);
    for sample in samples {
        for (device, step) in &sample.devices {
            if let Some(step) = STEPS.iter().position(|known| known == step) {
                let labels = format!("device=\"{device}\",incident=\"{}\"", Escaped(&sample.incident));
                text.line(names::DEVICE_LADDER, &labels, step as u64);
            }
        }
    }
}

fn info(sample: &IncidentSample) -> String {
    let (kind, value) = sample.cause.as_ref().map_or(("", ""), |cause| (&*cause.kind, &*cause.value));
    format!(
        "cause=\"{}\",cause_kind=\"{}\",event=\"{}\",incident=\"{}\",scope=\"{}\",severity=\"{}\",state=\"{}\"",
        Escaped(value),
        Escaped(kind),
        Escaped(&sample.event),
        Escaped(&sample.incident),
        scope_name(sample.scope),
        match sample.severity {
            Severity::Warning => "warning",
            Severity::Major => "major",
        },
        Escaped(sample.state),
    )
}

fn instant(
    text: &mut Text,
    samples: &[IncidentSample],
    metric: Metric,
    at: impl Fn(&IncidentSample) -> Option<Timestamp>,
) {
    text.head(metric);
    for sample in samples {
        if let Some(at) = at(sample) {
            text.line(metric, &format!("incident=\"{}\"", Escaped(&sample.incident)), Millis::new(at.as_ms()));
        }
    }
}

/// Every step of every branch that has members, also those where nobody stands: a burn-down falls to 0 instead of ending.
fn ladder(text: &mut Text, samples: &[IncidentSample], dictionaries: &Dictionaries) {
    text.head(names::INCIDENT_LADDER);
    for sample in samples {
        let mut counts = std::collections::BTreeMap::<&str, [u64; STEPS.len()]>::new();
        for count in &sample.ladder {
            let branch = count.branch.as_ref().map_or(NONE, |branch| dictionaries.branch.label(Some(branch)));
            if let Some(step) = STEPS.iter().position(|step| *step == count.step) {
                counts.entry(branch).or_default()[step] += count.devices;
            }
        }
        for (branch, by_step) in counts {
            for (step, devices) in STEPS.iter().zip(by_step) {
                let (branch, incident) = (Escaped(branch), Escaped(&sample.incident));
                let labels = format!("branch=\"{branch}\",incident=\"{incident}\",step=\"{step}\"");
                text.line(names::INCIDENT_LADDER, &labels, devices);
            }
        }
    }
}
