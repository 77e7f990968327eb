//! Carries the crew's acts out, on the incidents and on the simulated devices, and tells of them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::engine::device::{DeviceId, Label};
use crate::engine::effect::Scope;
use crate::engine::time::Timestamp;
use crate::incident::Command;
use crate::lab::simulation::Simulation;
use crate::record::incidents::{IncidentError, Incidents};

use super::Crew;
use super::act::Act;
use crate::lab::demo::story_line::StoryLine;

/// The crew at work.
pub struct Shift {
    incidents: Arc<dyn Incidents>,
    simulation: Arc<Simulation>,
    /// Number of each device in the simulation.
    numbers: BTreeMap<DeviceId, u32>,
    /// Who works on which incident.
    crews: BTreeMap<String, Crew>,
}

impl fmt::Debug for Shift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shift").field("crews", &self.crews).finish_non_exhaustive()
    }
}

impl Shift {
    /// People who work on `incidents` of `simulation`.
    pub fn new(incidents: Arc<dyn Incidents>, simulation: Arc<Simulation>) -> Self {
        let numbers = (0..).zip(simulation.profiles()).map(|(n, p)| (p.id.clone(), n)).collect();
        Self { incidents, simulation, numbers, crews: BTreeMap::new() }
    }

    /// Does what there is to do at `now` for every incident of the fleet; those of lone devices wait for whoever is at the pages.
    /// Returns what is worth telling.
    pub async fn work(&mut self, now: Timestamp) -> Vec<StoryLine> {
        let mut told = Vec::new();
        for incident in self.incidents.board().incidents.iter().filter(|incident| incident.scope == Scope::Fleet) {
            let mut crew = self.crews.remove(incident.number()).unwrap_or_else(|| self.crew());
            for act in crew.acts(incident, now) {
                told.extend(self.carry_out(incident.number(), act, now).await);
            }
            self.crews.insert(incident.number().to_owned(), crew);
        }
        told
    }

    fn crew(&self) -> Crew {
        let mut branches: BTreeMap<Label, Vec<DeviceId>> = BTreeMap::new();
        for profile in self.simulation.profiles() {
            branches.entry(Label::clone(&profile.branch)).or_default().push(profile.id.clone());
        }
        Crew::new(branches, &self.simulation.version_built_after(1))
    }

    async fn carry_out(&self, incident: &str, act: Act, now: Timestamp) -> Option<StoryLine> {
        match act {
            Act::Work { device, remedy } => {
                if let Some(number) = self.numbers.get(&device) {
                    self.simulation.remedies().apply(*number, remedy, now);
                }
                None
            }
            Act::Tell { kind, text } => Some(StoryLine { at: now, kind, text }),
            Act::Execute { by, command } => {
                let closing = command == Command::Close;
                match self.incidents.execute(incident, None, command.clone(), &by).await {
                    Err(IncidentError::Refused(refusal)) if closing => {
                        Some(StoryLine { at: now, kind: "refused", text: format!("{incident} stays open: {refusal}") })
                    }
                    Err(error) => {
                        tracing::warn!(incident, command = command.as_str(), %error, "a request of the demo's crew failed");
                        None
                    }
                    Ok(_) => None,
                }
            }
        }
    }
}
