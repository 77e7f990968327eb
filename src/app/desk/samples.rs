//! The incidents as metrics show them.

use std::collections::BTreeMap;

use crate::engine::effect::Severity;
use crate::engine::incident::{Case, LifeSettings, Milestone, Step};
use crate::engine::time::Timestamp;
use crate::metrics::incidents::{EXCEPTED, IncidentSample, LadderCount};

/// The case as of `now`.
pub(super) fn sample(case: &Case, settings: &LifeSettings, now: Timestamp) -> IncidentSample {
    let mut ladder: BTreeMap<(Option<&str>, &'static str), u64> = BTreeMap::new();
    let mut devices = Vec::new();
    for (device, rung) in case.ladder.iter() {
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
    let seats = case.muster.posts.keys();
    IncidentSample {
        incident: case.number().to_owned(),
        event: case.id().to_owned(),
        severity: Severity::Major,
        scope: case.scope,
        state: case.state.as_str(),
        cause: case.cause.as_ref().map(|cause| cause.suspect.clone()),
        started_at: case.opening.impact_started_at,
        declared_at: case.opening.declared_at,
        promise_at: Some(case.promised_at(settings)),
        forecast_end_at: case.burndown(settings, now).forecast.map(|forecast| forecast.ends_at),
        ladder: ladder.into_iter().map(counted).collect(),
        devices,
        milestones: case.milestones.iter().map(|(milestone, at): (Milestone, _)| (milestone.as_str(), at)).collect(),
        roles: seats.map(|seat| (seat.to_string(), case.muster.status(seat).as_str())).collect(),
    }
}
