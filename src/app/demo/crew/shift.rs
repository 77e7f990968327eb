//! The task that carries the crew's acts out, through the desk and on the simulated devices, and tells of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use crate::clock::Clock;
use crate::engine::device::{DeviceId, Label};
use crate::engine::effect::Scope;
use crate::engine::incident::Command;
use crate::engine::time::Timestamp;
use crate::record::desk::{CaseDesk, DeskError};
use crate::simulation::Simulation;

use super::{Act, Crew};

/// How often they look, in fleet time.
const LOOK_MS: i64 = 15_000;

/// Something that the demo shows as a line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Told {
    pub at: Timestamp,
    pub kind: &'static str,
    pub text: String,
}

/// The crew at work.
#[derive(Debug)]
pub struct Shift {
    pub desk: Arc<dyn CaseDesk>,
    pub simulation: Arc<Simulation>,
    pub clock: Clock,
    /// What is worth telling.
    pub lines: mpsc::Sender<Told>,
}

impl Shift {
    /// Works on every incident of the fleet until `stop` holds true. Those of lone devices wait for whoever is at the pages.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let numbers: BTreeMap<DeviceId, u32> =
            (0..).zip(self.simulation.profiles()).map(|(n, p)| (p.id.clone(), n)).collect();
        let mut crews: BTreeMap<String, Crew> = BTreeMap::new();
        let mut next = self.clock.now();
        loop {
            tokio::select! {
                biased;
                () = async { drop(stop.wait_for(|stop| *stop).await) } => return,
                () = self.clock.sleep_until(next) => {}
            }
            let now = self.clock.now();
            next = now.plus_ms(LOOK_MS);
            for case in self.desk.board().cases.iter().filter(|case| case.scope == Scope::Fleet) {
                let crew = crews.entry(case.number().to_owned()).or_insert_with(|| self.crew());
                for act in crew.acts(case, now) {
                    self.carry_out(case.number(), act, &numbers).await;
                    if *stop.borrow() {
                        return;
                    }
                }
            }
        }
    }

    fn crew(&self) -> Crew {
        let mut branches: BTreeMap<Label, Vec<DeviceId>> = BTreeMap::new();
        for profile in self.simulation.profiles() {
            branches.entry(Label::clone(&profile.branch)).or_default().push(profile.id.clone());
        }
        Crew::new(branches, &self.simulation.version_built_after(1))
    }

    async fn carry_out(&self, incident: &str, act: Act, numbers: &BTreeMap<DeviceId, u32>) {
        match act {
            Act::Work { device, remedy } => {
                if let Some(number) = numbers.get(&device) {
                    self.simulation.remedies().apply(*number, remedy, self.clock.now());
                }
            }
            Act::Tell { kind, text } => self.tell(kind, text).await,
            Act::Wish { by, command } => {
                let closing = command == Command::Close;
                match self.desk.wish(incident, None, command.clone(), &by).await {
                    Err(DeskError::Refused(refusal)) if closing => {
                        self.tell("refused", format!("{incident} stays open: {refusal}")).await;
                    }
                    Err(error) => {
                        tracing::warn!(incident, command = command.as_str(), %error, "a wish of the demo's crew failed");
                    }
                    Ok(_) => {}
                }
            }
        }
    }

    async fn tell(&self, kind: &'static str, text: String) {
        // Nobody listens any more at the end.
        let _ = self.lines.send(Told { at: self.clock.now(), kind, text }).await;
    }
}
