//! A simulated fleet's messages, straight into an engine on virtual time.

use std::sync::Arc;

use crate::engine::detector::Engine;
use crate::engine::effect::Change;
use crate::engine::fleet::Fleet;
use crate::engine::settings::Settings;
use crate::lab::simulation::{Body, Message, Messages, Simulation};
use crate::runtime::driver::Virtual;

/// What living through simulated messages came to.
#[derive(Clone, Debug, Default)]
pub struct Lived {
    /// What the engine decided, in order.
    pub changes: Vec<Change>,
    /// Reports that were delivered, duplicates included.
    pub reports: u64,
    /// Messages that were refused; of a simulation these are duplicates.
    pub refused: u64,
}

/// A new engine after the days before a simulation's story.
pub fn learnt(simulation: &Simulation, settings: &Settings, days: u32) -> Virtual {
    let mut driver = Virtual::new(Engine::new(settings.clone(), Arc::new(Fleet::new(settings))));
    live(&mut driver, simulation, simulation.history(days), |_| ());
    driver
}

/// Feeds simulated messages to an engine in the order of their arrival. `observe` is shown each one when it arrives.
///
/// The clock ends with the last message; [`Virtual::finish`] lets the grace pass.
pub fn live(
    driver: &mut Virtual,
    simulation: &Simulation,
    mut messages: Messages<'_>,
    mut observe: impl FnMut(&Message<'_>),
) -> Lived {
    let mut lived = Lived::default();
    while let Some(message) = messages.next() {
        lived.changes.append(&mut driver.advance(message.at));
        observe(&message);
        let id = simulation.profiles()[message.device as usize].id.as_str();
        let taken = match message.body {
            Body::Report(report) => {
                lived.reports += 1;
                driver.report(id, report).map(drop)
            }
            // Whoever is subscribed already gets it as it comes, not as a retained one.
            Body::Status(status) => driver.status(id, status.clone(), false),
        };
        lived.refused += u64::from(taken.is_err());
    }
    lived
}
