//! An incident as JSON: what programs may rely on. What the engine keeps may change; this does not, within `/api/v1`.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::engine::device::DeviceId;
use crate::engine::effect::{Cause, Scope};
use crate::engine::time::Timestamp;
use crate::incident::aggregate::{Ended, IncidentSummary};
use crate::incident::closure::Obstacles;
use crate::incident::countermeasure::CountermeasureVersion;
use crate::incident::ladder::Progress;
use crate::incident::muster::PostStatus;
use crate::incident::way::Lapse;
use crate::incident::{Burndown, Exception, Fix, Incident, LifeSettings, Rung, State, Step};
use crate::record::access::Principal;

/// An incident in short.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::web) struct IncidentLine {
    /// As people say it.
    #[schema(example = "INC-2026-0007")]
    number: String,
    /// Id of the detector's event that it was opened for.
    event_id: String,
    /// `declared mustered workaround_available pending_permanent_fix fixing resolved reviewed closed`.
    #[schema(value_type = String)]
    state: State,
    /// `fleet` or `isolated`.
    #[schema(value_type = String)]
    scope: Scope,
    /// The suspect, its confidence and the runner-up.
    #[schema(value_type = Option<Object>)]
    cause: Option<Cause>,
    /// Instants are milliseconds since the epoch.
    #[schema(value_type = i64)]
    impact_started_at: Timestamp,
    #[schema(value_type = i64)]
    declared_at: Timestamp,
    #[schema(value_type = Option<i64>)]
    closed_at: Option<Timestamp>,
    /// Who commands it.
    commander: Option<String>,
    devices: u32,
    /// Done or signed off.
    settled: u32,
    version: u64,
    #[schema(value_type = i64)]
    updated_at: Timestamp,
    /// Other numbers of it.
    aliases: Vec<String>,
}

impl From<IncidentSummary> for IncidentLine {
    fn from(summary: IncidentSummary) -> Self {
        let IncidentSummary { number, event_id, aliases, state, scope, cause, impact_started_at, declared_at, .. } =
            summary;
        let IncidentSummary { closed_at, commander, devices, settled, version, updated_at, .. } = summary;
        Self {
            number,
            event_id,
            state,
            scope,
            cause,
            impact_started_at,
            declared_at,
            closed_at,
            commander,
            devices,
            settled,
            version,
            updated_at,
            aliases,
        }
    }
}

/// A role in the incident.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::web) struct SeatView {
    /// `commander`, `development_lead`, `support_lead`, `communications_lead`, or one of them `@` a branch.
    seat: String,
    #[schema(value_type = String)]
    status: PostStatus,
    /// Who answers for it.
    holder: Option<String>,
    /// Who was called so far.
    paged: Vec<String>,
    #[schema(value_type = Option<i64>)]
    paged_at: Option<Timestamp>,
    /// Who has acknowledged, and when.
    #[schema(value_type = BTreeMap<String, i64>)]
    acknowledged: BTreeMap<String, Timestamp>,
}

/// A version of what is to be done.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::web) struct CountermeasureView {
    version: u32,
    /// What devices call the workaround.
    workaround: Option<String>,
    /// What support says and does.
    script_ja: Option<String>,
    script_en: Option<String>,
    #[schema(value_type = Option<Object>)]
    fix: Option<Fix>,
    #[schema(value_type = Option<i64>)]
    fix_due_at: Option<Timestamp>,
    registered_by: String,
    #[schema(value_type = i64)]
    registered_at: Timestamp,
    /// Development's word.
    agreed_by: Option<String>,
    #[schema(value_type = Option<i64>)]
    agreed_at: Option<Timestamp>,
    /// Who has read the script, and when.
    #[schema(value_type = BTreeMap<String, i64>)]
    acknowledged: BTreeMap<String, Timestamp>,
}

impl From<&CountermeasureVersion> for CountermeasureView {
    fn from(standing: &CountermeasureVersion) -> Self {
        let CountermeasureVersion { countermeasure, registered_by, registered_at, agreed, acknowledged } = standing;
        let plan = countermeasure.workaround.as_ref();
        Self {
            version: countermeasure.version,
            workaround: plan.map(|plan| plan.id.clone()),
            script_ja: plan.map(|plan| plan.script.ja.clone()),
            script_en: plan.map(|plan| plan.script.en.clone()),
            fix: countermeasure.fix.clone(),
            fix_due_at: countermeasure.fix_due_at,
            registered_by: registered_by.clone(),
            registered_at: *registered_at,
            agreed_by: agreed.as_ref().map(|(by, _)| by.clone()),
            agreed_at: agreed.as_ref().map(|(_, at)| *at),
            acknowledged: acknowledged.clone(),
        }
    }
}

/// An incident as it stands.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::web) struct IncidentView {
    #[serde(flatten)]
    line: IncidentLine,
    /// Why it is over without having been resolved: `{"demoted": ...}` or `{"merged": ...}`.
    #[schema(value_type = Option<Object>)]
    ended: Option<Ended>,
    /// The rule, in seconds of continuous degradation, and what was measured at the declaration.
    criterion_s: u64,
    measured_s: u64,
    /// The incident that this one follows or was split from, and those that follow it.
    follows: Option<String>,
    followed_by: Vec<String>,
    /// Milestone to instant.
    milestones: BTreeMap<&'static str, i64>,
    /// State to the instant at which the incident first came to it; one that was skipped has none.
    reached: BTreeMap<&'static str, i64>,
    /// When the quality, back before, was lost again, and when it came back.
    #[schema(value_type = Vec<Object>)]
    lapses: Vec<Lapse>,
    /// How many of the devices that you may see stand on each step of the ladder.
    steps: BTreeMap<&'static str, u32>,
    /// Signed off and not done; not among `steps`.
    excepted: u32,
    muster: Vec<SeatView>,
    /// Who is there, and since when.
    #[schema(value_type = BTreeMap<String, i64>)]
    present: BTreeMap<String, Timestamp>,
    /// Every version, the oldest first.
    countermeasures: Vec<CountermeasureView>,
    /// The version that support works by.
    current_countermeasure: Option<u32>,
    /// Name of the fix that can be had.
    released: Option<String>,
    /// The promise with its burn-down and forecast: `promised_at devices left points forecast missed`.
    #[schema(value_type = Object)]
    promise: Burndown,
    /// What stands between the incident and its end; `null` when it is closed.
    #[schema(value_type = Option<Object>)]
    obstacles: Option<Obstacles>,
    /// Devices with the fix whose workaround is still on.
    debts: Vec<String>,
    /// Devices with a claim that telemetry has not shown in time.
    follow_ups: Vec<String>,
    /// The review's text, once it is filed.
    review: Option<String>,
    /// When the staff heard of it last.
    #[schema(value_type = i64)]
    told_at: Timestamp,
}

impl IncidentView {
    /// The incident as the principal may see it.
    pub(in crate::web) fn new(
        incident: &Incident,
        obstacles: Option<Obstacles>,
        principal: &Principal,
        (settings, now): (&LifeSettings, Timestamp),
    ) -> Self {
        let sees = |device: &DeviceId| incident.ladder.contains(device) && principal.sees(device);
        let own = |device: &DeviceId| sees(device).then(|| device.to_string());
        let mut steps: BTreeMap<&'static str, u32> = Step::ALL.into_iter().map(|step| (step.as_str(), 0)).collect();
        let mut excepted = 0;
        for (_, rung) in incident.ladder.iter().filter(|(device, _)| sees(device)) {
            match rung.exception {
                Some(_) if !rung.is_done() => excepted += 1,
                _ => *steps.entry(rung.step().as_str()).or_default() += 1,
            }
        }
        let mut follow_ups: Vec<String> =
            incident.follow_ups(settings.claim_min, now).into_iter().filter_map(|(device, ..)| own(device)).collect();
        follow_ups.dedup();
        let obstacles = obstacles.map(|mut obstacles| {
            obstacles.open_devices.retain(|(device, _)| sees(device));
            obstacles.degraded_devices.retain(&sees);
            obstacles.unknown_devices.retain(&sees);
            obstacles
        });
        Self {
            line: incident.summary().into(),
            ended: incident.ended.clone(),
            criterion_s: incident.opening.criterion_s,
            measured_s: incident.opening.measured_s,
            follows: incident.opening.follows.clone(),
            followed_by: incident.followed_by.clone(),
            reached: State::ALL
                .into_iter()
                .filter_map(|state| Some((state.as_str(), incident.way.reached(state)?.as_ms())))
                .collect(),
            lapses: incident.way.lapses().to_vec(),
            milestones: incident.milestones.iter().map(|(milestone, at)| (milestone.as_str(), at.as_ms())).collect(),
            steps,
            excepted,
            muster: seats(incident),
            present: incident.muster.present.clone(),
            countermeasures: incident.countermeasures.versions().iter().map(CountermeasureView::from).collect(),
            current_countermeasure: incident.countermeasures.current().map(|standing| standing.countermeasure.version),
            released: incident.released.clone(),
            promise: incident.burndown(settings, now),
            obstacles,
            debts: incident.debts().filter_map(|(device, _)| own(device)).collect(),
            follow_ups,
            review: incident.review.as_ref().map(|(text, _)| text.clone()),
            told_at: incident.told_at,
        }
    }
}

fn seats(incident: &Incident) -> Vec<SeatView> {
    let view = |(seat, post): (&crate::incident::Seat, &crate::incident::muster::Post)| SeatView {
        seat: seat.to_string(),
        status: incident.muster.status(seat),
        holder: post.holder.clone(),
        paged: post.paged.clone(),
        paged_at: post.paged_at,
        acknowledged: post.acknowledged.clone(),
    };
    incident.muster.posts.iter().map(view).collect()
}

/// One device on the ladder.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::web) struct RungView {
    device: String,
    branch: Option<String>,
    customer: Option<String>,
    /// `affected contacted workaround_claimed workaround_verified fix_installed workaround_reverted quality_verified done`.
    #[schema(value_type = String)]
    step: Step,
    /// Whether it is affected now, as far as is known.
    affected: bool,
    /// As the device said last.
    workaround_active: bool,
    #[schema(value_type = i64)]
    joined_at: Timestamp,
    relapses: u32,
    calls: u32,
    /// Calls without an answer since the last one that was answered.
    unanswered: u32,
    #[schema(value_type = Option<i64>)]
    reached_at: Option<Timestamp>,
    /// How the customer wants to hear of the progress: `unwanted`, `phone`, `mail`.
    #[schema(value_type = Option<String>)]
    progress: Option<Progress>,
    /// What people claim: step to who and when.
    #[schema(value_type = Object)]
    claims: serde_json::Value,
    /// What telemetry has proved: step to instant.
    #[schema(value_type = Object)]
    proofs: serde_json::Value,
    /// Why it is never going to be done, and who answers for that.
    #[schema(value_type = Option<Object>)]
    exception: Option<Exception>,
    #[schema(value_type = Option<i64>)]
    done_at: Option<Timestamp>,
}

impl RungView {
    pub(in crate::web) fn new(device: &DeviceId, rung: &Rung) -> Self {
        Self {
            device: device.to_string(),
            branch: rung.branch.clone(),
            customer: rung.customer.clone(),
            step: rung.step(),
            affected: rung.affected,
            workaround_active: rung.workaround_active,
            joined_at: rung.joined_at,
            relapses: rung.relapses,
            calls: rung.calls,
            unanswered: rung.unanswered,
            reached_at: rung.reached_at,
            progress: rung.progress,
            claims: serde_json::to_value(&rung.claims).unwrap_or_default(),
            proofs: serde_json::to_value(&rung.proofs).unwrap_or_default(),
            exception: rung.exception.clone(),
            done_at: rung.done_at,
        }
    }
}
