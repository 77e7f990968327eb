//! The days before the demo's story, run through the engine as fast as the machine can: what the baseline is learnt from.
//!
//! The fleet is recorded into without a lock by any number of threads, so each thread makes and records the reports of
//! its own devices. Time goes in steps: a step ends with the tick that closes a minute, and nobody records past it
//! before the engine has ticked. So the outcome does not depend on how many threads there are or on how they are scheduled.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use crate::engine::detector::{Engine, TICK_MS};
use crate::engine::fleet::Fleet;
use crate::engine::settings::Settings;
use crate::engine::time::Timestamp;
use crate::lab::simulation::{Body, Simulation};

use crate::runtime::recovery::side_by_side;

/// Days before the epoch.
const DAYS: i64 = 2;
/// Hours that the story will be told in, from the epoch's full hour on, to the close of its incident: they are learnt whole.
const STORY_HOURS: i64 = 6;
/// Minutes of each half of the other hours: together just above what makes an hour worth learning. From both halves, because in
/// the morning the delay of the first minutes is not that of the hour.
const SAMPLE_MIN: i64 = 6;
const HALF_MIN: i64 = 30;
const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

/// What the history amounted to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Outcome {
    /// Reports that were recorded.
    pub reports: u64,
    /// Reports that the fleet refused; 0 unless simulator and engine disagree about what a fleet may send.
    pub refused: u64,
    /// Decisions of the engine on those days. They are not announced.
    pub changes: u64,
}

impl Outcome {
    fn add(&mut self, other: Self) {
        self.reports += other.reports;
        self.refused += other.refused;
        self.changes += other.changes;
    }
}

/// The history was given up because `cancelled` became true.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cancelled;

/// The stretches of the two days before `epoch` that are run: all of the hours that the story is told in, a few minutes of
/// each half of the other hours, and the hour before the epoch. That is two fifths of the time, and of the computing.
pub fn spans(epoch: Timestamp) -> Vec<Range<Timestamp>> {
    let first_hour = Timestamp::from_ms(epoch.as_ms() / HOUR_MS * HOUR_MS - DAYS * 24 * HOUR_MS);
    let halves = (0..DAYS * 48).map(|half| {
        let start = first_hour.plus_ms(half * HALF_MIN * MINUTE_MS);
        let whole = half / 2 % 24 < STORY_HOURS || half / 2 == DAYS * 24 - 1;
        start..start.plus_ms(if whole { HALF_MIN } else { SAMPLE_MIN } * MINUTE_MS)
    });
    let mut spans: Vec<Range<Timestamp>> = halves.collect();
    spans.push(first_hour.plus_ms(DAYS * 24 * HOUR_MS)..epoch);
    // Touching spans are one.
    spans.dedup_by(|next, before| {
        let touch = before.end == next.start;
        if touch {
            before.end = next.end;
        }
        touch
    });
    spans
}

/// Feeds the two days before the epoch ([`spans`]) to a new engine, whose fleet expects exactly the simulation's devices.
/// `progress` is told the part that is done, 0 to 1, after each step.
///
/// # Errors
/// When `cancelled` became true.
///
/// # Panics
/// When a thread that records does.
pub fn learn(
    simulation: &Simulation,
    settings: Settings,
    cancelled: &AtomicBool,
    mut progress: impl FnMut(f64),
) -> Result<(Engine, Outcome), Cancelled> {
    let spans = &spans(simulation.config().epoch);
    let fleet = Arc::new(Fleet::new(&settings));
    for profile in simulation.profiles() {
        fleet.expect(profile.id.clone());
    }
    let grace_ms = settings.grace_ms;
    let mut engine = Engine::new(settings, Arc::clone(&fleet)).with_join(side_by_side);
    let whole_ms: i64 = spans.iter().map(length_ms).sum();
    let mut total = Outcome::default();
    let finished = thread::scope(|scope| {
        let workers: Vec<_> = shares(simulation.config().devices)
            .into_iter()
            .map(|devices| {
                // One step under way each: the channels never hold more.
                let (steps, orders) = sync_channel(1);
                let (done, outcomes) = sync_channel(1);
                let fleet = Arc::clone(&fleet);
                scope.spawn(move || record(simulation, devices, spans, &fleet, &orders, &done));
                (steps, outcomes)
            })
            .collect();
        let mut done_ms = 0;
        for end in steps(spans, grace_ms) {
            // A channel that is closed is a thread that panicked; the scope passes its panic on.
            for (steps, _) in &workers {
                steps.send(end).ok()?;
            }
            for (_, outcomes) in &workers {
                total.add(outcomes.recv().ok()?);
            }
            if cancelled.load(Relaxed) {
                return None;
            }
            total.changes += engine.tick(end).len() as u64;
            done_ms += MINUTE_MS;
            progress((done_ms as f64 / whole_ms.max(1) as f64).min(1.0));
        }
        Some(())
    });
    finished.map(|()| (engine, total)).ok_or(Cancelled)
}

/// The ticks that close the minutes of the spans, and the last instant.
fn steps(spans: &[Range<Timestamp>], grace_ms: i64) -> Vec<Timestamp> {
    let last = spans.last().map_or(Timestamp::default(), |span| span.end);
    let mut steps = Vec::new();
    for span in spans {
        let mut end = span.start;
        while end < span.end.plus_ms(grace_ms + MINUTE_MS).min(last) {
            end = closing_tick(end, grace_ms).min(last);
            steps.push(end);
        }
    }
    steps
}

fn length_ms(span: &Range<Timestamp>) -> i64 {
    span.end.since_ms(span.start)
}

/// The first tick after `instant` that closes a minute.
fn closing_tick(instant: Timestamp, grace_ms: i64) -> Timestamp {
    let minute = instant.plus_ms(-grace_ms).minute();
    let closes = minute.end().plus_ms(grace_ms).as_ms();
    Timestamp::from_ms((closes + TICK_MS - 1) / TICK_MS * TICK_MS)
}

/// The devices in as many ranges as there are threads that can run.
fn shares(devices: u32) -> Vec<Range<u32>> {
    let threads = thread::available_parallelism().map_or(2, usize::from).clamp(1, 8) as u32;
    let size = devices.div_ceil(threads).max(1);
    (0..devices).step_by(size as usize).map(|from| from..(from + size).min(devices)).collect()
}

/// Makes and records the reports of some devices, a step at a time, until nobody orders one any more.
fn record(
    simulation: &Simulation,
    devices: Range<u32>,
    spans: &[Range<Timestamp>],
    fleet: &Fleet,
    orders: &Receiver<Timestamp>,
    done: &SyncSender<Outcome>,
) {
    let mut messages = simulation.sketch_of(devices, spans);
    while let Ok(end) = orders.recv() {
        let mut outcome = Outcome::default();
        while messages.peek().is_some_and(|at| at <= end) {
            let Some(message) = messages.next() else { break };
            let id = simulation.profiles()[message.device as usize].id.as_str();
            let taken = match message.body {
                Body::Report(report) => {
                    outcome.reports += 1;
                    fleet.report(id, report, message.at).map(drop)
                }
                Body::Status(status) => fleet.status(id, status.clone(), false, message.at),
            };
            outcome.refused += u64::from(taken.is_err());
        }
        if done.send(outcome).is_err() {
            return;
        }
    }
}
