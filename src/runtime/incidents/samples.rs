//! The incidents as metrics show them.

use std::collections::BTreeMap;

use crate::engine::effect::Severity;
use crate::engine::time::Timestamp;
use crate::incident::{Incident, LifeSettings, Milestone, Step};
use crate::metrics::incidents::{EXCEPTED, IncidentSample, LadderCount};

/// The incident as of `now`.
pub(super) fn sample(incident: &Incident, settings: &LifeSettings, now: Timestamp) -> IncidentSample {
    let mut ladder: BTreeMap<(Option<&str>, &'static str), u64> = BTreeMap::new();
    let mut devices = Vec::new();
    for (device, rung) in incident.ladder.iter() {
        let excepted = rung.exception.is_some() && !rung.is_done();
        let step = if excepted { EXCEPTED } else { rung.step().as_str() };
        *ladder.entry((rung.branch.as_deref(), step)).or_default() += 1;
        if rung.step() != Step::Done {
            devices.push((device.clone(), step));
        }
    }
    let counted = |((branch, step), devices): ((Option<&str>, &'static str), u64)| LadderCount {
        branch: branch.map(Into::into),
        step,
        devices,
    };
    let seats = incident.muster.posts.keys();
    IncidentSample {
        incident: incident.number().to_owned(),
        event: incident.id().to_owned(),
        severity: Severity::Major,
        scope: incident.scope,
        state: incident.state.as_str(),
        cause: incident.cause.as_ref().map(|cause| cause.suspect.clone()),
        started_at: incident.opening.impact_started_at,
        declared_at: incident.opening.declared_at,
        promise_at: Some(incident.promised_at(settings)),
        forecast_end_at: incident.burndown(settings, now).forecast.map(|forecast| forecast.ends_at),
        ladder: ladder.into_iter().map(counted).collect(),
        devices,
        milestones: incident
            .milestones
            .iter()
            .map(|(milestone, at): (Milestone, _)| (milestone.as_str(), at))
            .collect(),
        roles: seats.map(|seat| (seat.to_string(), incident.muster.status(seat).as_str())).collect(),
    }
}
