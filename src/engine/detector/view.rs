//! The snapshot that metrics, pages and the API read.

use crate::engine::device::TrafficClass;
use crate::engine::effect::{EventState, Severity, Verdict};
use crate::engine::history::HISTORY_MIN;
use crate::engine::settings::Settings;
use crate::engine::snapshot::{ClassView, DeviceView, EventView, Quantiles, Snapshot, Totals};
use crate::engine::time::{MINUTE_MS, Minute, Timestamp};
use crate::engine::verdict::{MEMBERSHIP_FP_MIN, Signature};

use super::Engine;
use super::event::Event;
use super::forget::Gone;
use super::tracked::{State, Tracked};

/// Shortest streak of a lone device that counts as more than noise, in minutes.
const LONE_STREAK_MIN: u32 = 15;

/// Most pairs of class and test that are named as evidence.
const EVIDENCE_SHOWN: usize = 4;

/// Minutes over which the share above a class' limit is shown: the widest window of a verdict.
const OVER_LIMIT_MIN: u32 = 5;

/// Draws the picture as of the engine's last tick.
pub fn snapshot(engine: &Engine) -> Snapshot {
    let last = engine.closed_before.unwrap_or_default().plus(-1);
    let mut event_of = vec![None; engine.devices.len()];
    for event in &engine.events.open {
        for device in event.present() {
            event_of[device as usize] = Some(event);
        }
    }
    let (Gone { reports, late, slots }, duplicates) = (engine.gone, engine.gone_duplicates);
    let expected = engine.devices.len() as u64;
    let mut totals = Totals { expected, reports, duplicates, late, slots, ..Totals::default() };
    let mut devices = Vec::with_capacity(engine.devices.len());
    for &index in &engine.order {
        let view = device_view(&engine.devices[index as usize], last, event_of[index as usize], engine);
        count(&mut totals, &view, &engine.devices[index as usize]);
        devices.push(view);
    }
    let events = engine.events.open.iter().map(|event| event_view(event, engine, last)).collect();
    Snapshot { at: engine.last_tick, totals, devices, events }
}

fn count(totals: &mut Totals, view: &DeviceView, tracked: &Tracked) {
    totals.reporting += u64::from(view.reporting);
    match view.verdict {
        Verdict::Degraded => totals.degraded += 1,
        Verdict::Healthy => totals.healthy += 1,
        Verdict::Indeterminate => totals.indeterminate += 1,
        Verdict::Unknown => totals.unknown += 1,
    }
    totals.reports += tracked.device.reports();
    totals.duplicates += tracked.device.duplicates();
    totals.late += tracked.device.late();
    totals.missing += tracked.device.missing();
    totals.slots += tracked.state.slots;
}

fn device_view(tracked: &Tracked, last: Minute, event: Option<&Event>, engine: &Engine) -> DeviceView {
    let state = &tracked.state;
    let facts = &state.facts;
    let verdict = state.history.get(last).worst();
    let shown = if state.affected_by.is_empty() { state.episode_signature } else { state.affected_by };
    let live = state.episode.filter(|episode| episode.healthy_after == 0);
    let Quiet { quiet_min, quiet_since, is_known } = quiet(state, last, &engine.settings);
    DeviceView {
        id: tracked.device.id().clone(),
        model: facts.model.clone(),
        branch: facts.branch.clone(),
        customer: tracked.about.customer.clone(),
        firmware: facts.firmware.clone(),
        update: facts.update.clone(),
        packages: facts.packages.iter().map(|(package, _)| package.clone()).collect(),
        update_installed_at: facts.update_installed.map(Minute::start),
        reporting: state.last_data == Some(last),
        online: facts.online.map(|online| online || tracked.device.is_back()),
        workaround_active: facts.workaround_active,
        workaround_id: tracked.about.workaround_id.clone(),
        verdict,
        quiet_min,
        quiet_since,
        is_known,
        streak_s: state.episode.map_or(0, |episode| u64::from(episode.length_min()) * 60),
        evidence: if live.is_some() || !state.affected_by.is_empty() { evidence(shown) } else { Vec::new() },
        latency_us: state.quantiles.map(|(p50, p95, p99)| Quantiles { p50, p95, p99 }),
        classes: classes(tracked, last),
        false_positive_ratio: false_positives(tracked, last),
        last_report_at: tracked.device.last_arrival(),
        event_id: event.map(Event::id),
        affected: is_affected(tracked, last, event),
        clock_offset_ms: tracked.device.clock_offset_ms(),
        recent_boots: tracked.device.recent_boots(engine.last_tick),
        over_budget: tracked.device.over_budget(),
        refused: tracked.device.refused(),
    }
}

/// Whether the device counts as affected. A streak of a device that is alone, or that an event which is over has told, may be noise
/// for a while.
fn is_affected(tracked: &Tracked, last: Minute, event: Option<&Event>) -> bool {
    let in_event = event.is_some_and(|event| match event.state {
        EventState::Declared => true,
        EventState::Pending => event.present().nth(1).is_some() || event.streak_min >= LONE_STREAK_MIN,
        EventState::Recovered | EventState::Resolved => false,
    });
    let streak_min = tracked.state.episode.map_or(0, |episode| episode.length_min());
    in_event || (streak_min >= LONE_STREAK_MIN && tracked.is_left_over(last))
}

/// See the fields of these names of [`DeviceView`].
#[derive(Default)]
struct Quiet {
    quiet_min: u32,
    quiet_since: Option<Timestamp>,
    is_known: bool,
}

/// How long the device has been quiet, and whether it was judged lately.
fn quiet(state: &State, last: Minute, settings: &Settings) -> Quiet {
    // Late data may have taken the knowledge of this very minute back; what is known is no later than this, though.
    let Some(latest) = state.last_known.map(|known| known.min(last)) else { return Quiet::default() };
    let (mut quiet_min, mut since, mut known) = (0, None, None);
    for back in 0..i64::from(HISTORY_MIN) {
        let minute = latest.plus(-back);
        let verdict = state.history.get(minute).worst();
        if !matches!(verdict, Verdict::Healthy | Verdict::Degraded) {
            continue;
        }
        known = known.or(Some(minute));
        if verdict == Verdict::Degraded || state.episode.is_some() {
            break;
        }
        quiet_min += 1;
        since = Some(minute.start());
        if quiet_min >= settings.clear_min {
            break;
        }
    }
    let is_known = known.is_some_and(|known| last.since(known) <= i64::from(settings.max_gap_min));
    match state.episode {
        // Minutes in which other classes were healthy say nothing of those that suffer.
        Some(episode) => {
            Quiet { quiet_min: episode.healthy_after.min(settings.clear_min), quiet_since: None, is_known }
        }
        None => Quiet { quiet_min, quiet_since: since, is_known },
    }
}

fn classes(tracked: &Tracked, last: Minute) -> Vec<ClassView> {
    let verdicts = tracked.state.history.get(last);
    let view = |class: TrafficClass| {
        let track = tracked.state.classes[class.index()].as_ref()?;
        let window = track.ring.window(last, OVER_LIMIT_MIN);
        let limits = track.thresholds_us();
        Some(ClassView {
            class,
            verdict: verdicts.of(class),
            p95_limit_us: limits.map(|(_, p95)| p95),
            over_limit: (limits.is_some() && window.samples > 0)
                .then(|| window.over_p95 as f64 / window.samples as f64),
        })
    };
    TrafficClass::ALL.into_iter().filter_map(view).collect()
}

fn false_positives(tracked: &Tracked, last: Minute) -> Option<f64> {
    let (mut canary, mut flagged) = (0, 0);
    for track in tracked.state.classes.iter().flatten() {
        let window = track.ring.window(last, MEMBERSHIP_FP_MIN);
        canary += window.canary;
        flagged += window.canary_flagged;
    }
    (canary > 0).then(|| flagged as f64 / canary as f64)
}

/// The pairs of a signature in words, by class.
pub fn evidence(signature: Signature) -> Vec<String> {
    let name = |(class, test): (TrafficClass, crate::engine::verdict::Test)| format!("{class} {}", test.as_str());
    signature.pairs().take(EVIDENCE_SHOWN).map(name).collect()
}

fn event_view(event: &Event, engine: &Engine, last: Minute) -> EventView {
    let hold_s = u64::from(engine.settings.hold_min) * 60;
    let suspended = event.episode.is_some_and(|episode| episode.suspended);
    let mut members: Vec<_> =
        event.present().map(|device| engine.devices[device as usize].device.id().clone()).collect();
    members.sort();
    EventView {
        event_id: event.id(),
        incident: event.incident_id(),
        state: event.state,
        severity: if event.state == EventState::Pending { Severity::Warning } else { Severity::Major },
        scope: event.scope,
        impact_started_at: event.impact_start.start(),
        streak_s: u64::from(event.streak_min) * MINUTE_MS as u64 / 1_000,
        hold_s,
        declared_at: event.declared_at,
        declares_at: event.declares_at(&engine.settings, last),
        suspended,
        cause: event.cause.clone(),
        members,
        evidence: evidence(event.signature),
    }
}
