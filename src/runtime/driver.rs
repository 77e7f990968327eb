//! Drives the engine through time: ticks at their instants, reports between them.
//!
//! [`Virtual`] is replay's and the tests' driver: its clock is the running maximum of the arrivals it is shown, ticks up
//! to an arrival run before it, and nothing depends on how fast the machine is.

use crate::engine::detector::{Engine, Kept, TICK_MS};
use crate::engine::device::{DeviceId, Status};
use crate::engine::effect::Change;
use crate::engine::fleet::{Admitted, Refusal};
use crate::engine::report::Report;
use crate::engine::time::Timestamp;

/// After so long without a message the clock leaps to the next one, in ms. Nothing is remembered for longer than 48 hours, so
/// the ticks in between would find nothing; and one line with a wrong year does not keep a replay busy for days.
const LEAP_MS: i64 = 8 * 24 * 3_600_000;

/// Virtual time over an engine.
#[derive(Debug)]
pub struct Virtual {
    engine: Engine,
    /// Running maximum of the arrivals; `None` before the first.
    now: Option<Timestamp>,
    /// Reports that were refused for lack of room even after making some: never, or the engine is at fault.
    stuck: u64,
}

impl Virtual {
    /// Drives `engine`, which may be new or restored.
    pub fn new(engine: Engine) -> Self {
        let now = (engine.last_tick() > Timestamp::default()).then(|| engine.last_tick());
        Self { engine, now, stuck: 0 }
    }

    /// Moves the clock to `at`, if that is later, and runs every tick up to it. Returns what changed, in order.
    pub fn advance(&mut self, at: Timestamp) -> Vec<Change> {
        let mut changes = Vec::new();
        let from = match self.now {
            Some(now) if at <= now => return changes,
            Some(now) => now,
            None => {
                self.now = Some(at);
                return self.engine.tick(Engine::next_tick(at).plus_ms(-TICK_MS));
            }
        };
        let mut tick = Engine::next_tick(from.max(self.engine.last_tick()));
        let leap = tick.plus_ms(LEAP_MS);
        while tick <= at {
            changes.append(&mut self.engine.tick(tick));
            let mut next = Engine::next_tick(tick);
            if next > leap {
                // The last one up to `at`: the engine closes everything before it at once.
                next = next.max(Engine::next_tick(at).plus_ms(-TICK_MS));
            }
            if next <= tick {
                // The end of representable time: there is no later tick.
                break;
            }
            tick = next;
        }
        self.now = Some(at);
        changes
    }

    /// Records a report that arrived at the clock's present instant.
    ///
    /// # Errors
    /// What [`crate::engine::fleet::Fleet::report`] refuses.
    pub fn report(&mut self, device: &str, report: &Report) -> Result<Admitted, Refusal> {
        let now = self.now.unwrap_or_default();
        match self.engine.fleet().report(device, report, now) {
            Err(Refusal::Busy) => {
                self.engine.make_room();
                let again = self.engine.fleet().report(device, report, now);
                self.stuck += u64::from(again == Err(Refusal::Busy));
                again
            }
            outcome => outcome,
        }
    }

    /// Notes a status that arrived at the clock's present instant.
    ///
    /// # Errors
    /// What [`crate::engine::fleet::Fleet::status`] refuses.
    pub fn status(&mut self, device: &str, status: Status, retained: bool) -> Result<(), Refusal> {
        self.engine.fleet().status(device, status, retained, self.now.unwrap_or_default())
    }

    /// Forgets devices at the clock's present instant. Returns those that stay, with the reason.
    pub fn forget(&mut self, devices: &[DeviceId]) -> Vec<(DeviceId, Kept)> {
        self.engine.forget(devices)
    }

    /// The end of the input: the clock goes on by the grace only, so that what has arrived is judged and nothing else.
    pub fn finish(&mut self) -> Vec<Change> {
        let Some(now) = self.now else { return Vec::new() };
        self.advance(now.plus_ms(self.engine.settings().grace_ms))
    }

    /// The clock's instant; `None` before the first arrival.
    pub fn now(&self) -> Option<Timestamp> {
        self.now
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Gives the engine back.
    pub fn into_engine(self) -> Engine {
        self.engine
    }

    /// Reports that found no room.
    pub fn stuck(&self) -> u64 {
        self.stuck
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::fleet::Fleet;
    use crate::engine::settings::Settings;

    #[test]
    fn a_message_from_another_century_is_reached_at_once() {
        let settings = Settings::default();
        let mut driver = Virtual::new(Engine::new(settings.clone(), Arc::new(Fleet::new(&settings))));
        driver.advance(Timestamp::from_ms(1_795_305_600_000));
        let far = Timestamp::from_ms(i64::MAX);
        driver.advance(far);
        assert_eq!(driver.now(), Some(far));
        assert!(far.since_ms(driver.engine().last_tick()) < TICK_MS);
    }
}
