//! The engine as the shell sees it: ticks in, changes out, a snapshot to read.
//!
//! One task owns it. Ingest tasks record into the shared [`Fleet`] meanwhile; at each tick the engine closes the slots
//! that are due, turns them into verdicts, moves the clocks and the events, and returns what changed. Everything it does
//! depends on the reports and on the instants it is given, on nothing else: the same journal gives the same changes.
//!
//! | module | what it owns |
//! |---|---|
//! | `attributes` | what may be suspected of a device, from its facts |
//! | `class_track` | one traffic class of one device: evidence, what is usual, the delays of the running episode |
//! | `cohort` | a rollout as a whole: a defect too weak to be proved on one device shows in the sum |
//! | `context` | what a tick's look at the events works on |
//! | `contrast` | the delays of an episode beside those before it |
//! | `cut` | a state that is taken in slices while ticks go on |
//! | `damage` | what an event does to its devices, for people to read |
//! | `drift` | how far the whole fleet has moved from what is usual |
//! | `event` | one event: members, pooled evidence, clock |
//! | `events` | all open events: who is a member of which |
//! | `explain` | the minutes of one device, for `explain` |
//! | `facts` | what a device said of itself |
//! | `forget` | devices that are gone |
//! | `grouping` | which affected devices are one event: opening, naming, merging |
//! | `groups` | what is usual for each model and branch, hour by hour |
//! | `image` | the engine's state as bytes |
//! | `install` | when something was installed, as far as the time can be one |
//! | `known_illness`, `recurrence` | what people know of a device's illness, and what is news beyond it |
//! | `lookback` | closed minutes, looked back on: of one device, of the fleet |
//! | `membership` | whether a device is affected, proved good, or neither |
//! | `number` | the numbers of incidents |
//! | `pool` | the pooled series of a fleet event: one verdict a minute for all its members |
//! | `roster` | the one way to each device while a cut is being taken |
//! | `shown` | the delays of a device's newest minute, as they are shown |
//! | `tracked` | one device: takes its reports in, judges its minutes, moves its clock |
//! | `transitions` | what a clock's reading means: warned, declared, recovered, resolved |
//! | `view` | the snapshot |

mod attributes;
mod class_track;
mod cohort;
mod context;
mod contrast;
mod cut;
mod damage;
mod drift;
mod event;
mod events;
mod explain;
mod facts;
mod forget;
mod grouping;
mod groups;
mod image;
mod install;
mod known_illness;
mod lookback;
mod membership;
mod number;
mod pool;
mod recurrence;
mod roster;
mod shown;
mod tracked;
mod transitions;
mod view;

use std::sync::Arc;

pub use cut::Slice;
pub use explain::ClassMinute;
use forget::Gone;
pub use forget::Kept;
pub use image::{EngineImage, RestoreError, Restoring};
pub use lookback::{ClassHistory, DeviceHistory, Tally};
pub use tracked::{State, Tracked};

use super::device::DeviceId;
use super::effect::Change;
use super::fleet::Fleet;
use super::settings::Settings;
use super::snapshot::Snapshot;
use super::time::{Minute, Timestamp};
use context::TickContext;
use events::Events;
use groups::Groups;
use roster::{Cut, Mark, Roster};
use tracked::{Scratch, StepContext};

/// Ticks are at multiples of this, in engine time.
pub const TICK_MS: i64 = 10_000;

/// Devices that are brought into the cache together.
const BATCH: usize = 16;
/// Fewest devices that are worth two threads: to start one costs as much as to step some fifty.
const LEAST_SHARED: usize = 512;

/// Runs two pieces of work to their end, in any order or side by side. The engine starts no thread; its caller may.
pub type Join = fn(&mut (dyn FnMut() + Send), &mut (dyn FnMut() + Send));

/// The detector's state.
#[derive(Debug)]
pub struct Engine {
    settings: Settings,
    fleet: Arc<Fleet>,
    devices: Vec<Tracked>,
    /// Device indices in the order of their ids.
    order: Vec<u32>,
    events: Events,
    groups: Box<Groups>,
    /// Devices that have to be looked at in the next tick, whatever it closes.
    pending: Vec<u32>,
    /// Slots of minutes before this one are closed; `None` before the first tick.
    closed_before: Option<Minute>,
    last_tick: Timestamp,
    /// Whether something has changed that the events have not been told of.
    touched: bool,
    /// Whether the last tick has closed a minute.
    just_closed: bool,
    /// A state that is being taken, and how many there were.
    cut: Option<Cut>,
    cuts: u32,
    /// Devices that the last tick has forgotten.
    forgotten: Vec<DeviceId>,
    /// What devices that are gone had counted: sums that only grow must not fall when somebody leaves.
    gone: Gone,
    gone_duplicates: u64,
    /// One for each half of the devices.
    workers: [Worker; 2],
    join: Join,
}

impl Engine {
    /// An engine that knows nothing yet, over the devices of `fleet`.
    pub fn new(settings: Settings, fleet: Arc<Fleet>) -> Self {
        Self {
            settings,
            fleet,
            devices: Vec::new(),
            order: Vec::new(),
            events: Events::default(),
            groups: Box::default(),
            pending: Vec::new(),
            closed_before: None,
            last_tick: Timestamp::default(),
            touched: false,
            just_closed: false,
            cut: None,
            cuts: 0,
            forgotten: Vec::new(),
            gone: Gone::default(),
            gone_duplicates: 0,
            workers: Default::default(),
            join: |first, second| {
                first();
                second();
            },
        }
    }

    /// Lets `join` run the two halves of the work on the devices in a tick that closes a minute; one after the other until told
    /// otherwise. It changes how long a tick takes and nothing else.
    #[must_use]
    pub fn with_join(mut self, join: Join) -> Self {
        self.join = join;
        self
    }

    /// The first tick after `instant`.
    pub fn next_tick(instant: Timestamp) -> Timestamp {
        Timestamp::from_ms((instant.as_ms() / TICK_MS + 1) * TICK_MS)
    }

    /// The instant of the last tick; the epoch before the first.
    pub fn last_tick(&self) -> Timestamp {
        self.last_tick
    }

    /// The fleet that is recorded into.
    pub fn fleet(&self) -> &Arc<Fleet> {
        &self.fleet
    }

    /// The settings in force.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Goes on above numbers that were given before the state was lost: no two events share an id, no two incidents a number.
    pub fn number_above(&mut self, event: u32, incident: u32) {
        self.events.number_above(event, incident);
    }

    /// Closes what is due at `now` and decides. Ticks that go back in time do nothing.
    ///
    /// Cost: a few microseconds a device in the tick that closes a minute, next to nothing in the others.
    pub fn tick(&mut self, now: Timestamp) -> Vec<Change> {
        if now <= self.last_tick {
            return Vec::new();
        }
        let tick_before = std::mem::replace(&mut self.last_tick, now);
        self.forgotten.clear();
        self.adopt_new_devices();
        let due = Timestamp::from_ms(now.as_ms() - self.settings.grace_ms).minute();
        let before = self.closed_before.map_or(due, |closed| closed.max(due));
        let moved = self.closed_before != Some(before);
        self.closed_before = Some(before);
        self.just_closed = moved;
        let last = before.plus(-1);
        if moved {
            self.leave_cut();
            self.groups.turn(last, &self.devices, &self.settings);
        }
        self.step_devices(before, moved, tick_before);
        let touched = std::mem::take(&mut self.touched);
        let changes = if moved || touched {
            let roster = Roster::new(&mut self.devices, self.cut.as_mut());
            let (order, settings) = (&*self.order, &self.settings);
            let group_of = vec![0; roster.len()];
            let changes = Vec::new();
            self.events.step(TickContext { devices: roster, order, settings, last, now, moved, changes, group_of })
        } else {
            Vec::new()
        };
        self.move_cut();
        if moved {
            self.let_silent_go(now);
        }
        changes
    }

    /// Takes in late data without deciding anything: makes room between two ticks when a backlog has filled an inbox.
    pub fn make_room(&mut self) {
        self.adopt_new_devices();
        if let Some(before) = self.closed_before {
            self.step_devices(before, false, self.last_tick);
        }
    }

    /// Takes in what has arrived and closes what is due: of all devices when a minute closes, else of those that something
    /// waits for.
    fn step_devices(&mut self, before: Minute, moved: bool, ripe: Timestamp) {
        let mut waiting = std::mem::take(&mut self.pending);
        waiting.append(&mut self.fleet.take_mail());
        let cut = self.cut_mark();
        let context = StepContext { settings: &self.settings, groups: self.groups.now(), before, moved, ripe };
        if moved {
            let half = if self.devices.len() < LEAST_SHARED { self.devices.len() } else { self.devices.len() / 2 };
            let (left, right) = self.devices.split_at_mut(half);
            let [first, second] = &mut self.workers;
            (self.join)(&mut || first.step_all(left, &context, cut), &mut || second.step_all(right, &context, cut));
        } else {
            waiting.sort_unstable();
            waiting.dedup();
            for &index in &waiting {
                if let Some(tracked) = self.devices.get_mut(index as usize) {
                    self.workers[0].step(tracked, &context, cut);
                }
            }
        }
        for worker in &mut self.workers {
            let kept = std::mem::take(&mut worker.kept);
            if let Some(cut) = &mut self.cut {
                cut.take(&mut worker.written, kept);
            }
            self.pending.append(&mut worker.pending);
            self.touched |= std::mem::take(&mut worker.touched);
        }
        // Of devices that have registered since the tick began.
        self.pending.extend(waiting.into_iter().filter(|&index| index as usize >= self.devices.len()));
    }

    /// The picture of the fleet as of the last tick.
    pub fn snapshot(&self) -> Snapshot {
        view::snapshot(self)
    }

    fn adopt_new_devices(&mut self) {
        let known = self.devices.len();
        while let Some(device) = self.fleet.device(self.devices.len()) {
            self.pending.push(self.devices.len() as u32);
            self.devices.push(Tracked::new(device));
        }
        if self.devices.len() > known {
            self.sort_order();
        }
    }

    fn sort_order(&mut self) {
        self.order = (0..self.devices.len() as u32).collect();
        self.order.sort_by(|a, b| self.devices[*a as usize].device.id().cmp(self.devices[*b as usize].device.id()));
    }
}

/// Steps devices, one after the other. Devices know nothing of each other here, so that it does not matter who steps which.
#[derive(Debug, Default)]
struct Worker {
    scratch: Box<Scratch>,
    /// Those that have to be looked at in the next tick, whatever it closes.
    pending: Vec<u32>,
    /// Whether something has changed that the events have to be told of.
    touched: bool,
    /// Devices that were written down for a cut before they were stepped.
    written: Vec<u8>,
    kept: u32,
}

impl Worker {
    fn step_all(&mut self, devices: &mut [Tracked], context: &StepContext<'_>, cut: Option<Mark>) {
        for batch in devices.chunks_mut(BATCH) {
            warm(batch, context.before.plus(-1));
            batch.iter_mut().for_each(|tracked| self.step(tracked, context, cut));
        }
    }

    fn step(&mut self, tracked: &mut Tracked, context: &StepContext<'_>, cut: Option<Mark>) {
        if tracked.seen_through > context.ripe && !context.moved {
            self.pending.push(tracked.device.index() as u32);
            return;
        }
        if let Some(mark) = cut {
            self.kept += u32::from(mark.keep(tracked, &mut self.written));
        }
        self.touched |= tracked.step(context, &mut self.scratch);
        if tracked.is_pending() {
            self.pending.push(tracked.device.index() as u32);
        }
    }
}

/// Brings into the cache what closing `minute` of these devices will touch. Stepping a device follows pointers and waits for
/// memory at each; here the waits of a batch overlap, which in a fleet that no cache holds is most of a tick.
fn warm(batch: &[Tracked], minute: Minute) {
    for depth in 0..3 {
        std::hint::black_box(batch.iter().fold(0, |sum, tracked| sum ^ tracked.warm(minute, depth)));
    }
}

#[cfg(test)]
mod tests;
