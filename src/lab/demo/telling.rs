//! Tells what a step has brought: always in the same order, so that the story reads the same however fast it is told.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::TryRecvError;

use crate::engine::effect::Change;
use crate::engine::gate::Decision;
use crate::record::GateControl;
use crate::record::incidents::Incidents;

use super::super::live::{Moment, View};
use super::follow::Follower;
use super::outcome::{Outcome, note};
use super::stage::Stage;
use super::story_line::StoryLine;
use super::transcript::Transcript;

/// What was told so far.
pub(super) struct Telling {
    changes: broadcast::Receiver<Change>,
    gates: Option<Arc<dyn GateControl>>,
    /// The decision about each update that was told last.
    decided: BTreeMap<String, Decision>,
    follower: Follower,
}

impl Telling {
    pub(super) fn new(stage: &Stage) -> Self {
        let (changes, gates) = (stage.changes.resubscribe(), stage.core.http_state().gates);
        Self { changes, gates, decided: BTreeMap::new(), follower: Follower::default() }
    }

    /// Tells what the detector decided in the step, what that means for updates, what people did, and what has become of the
    /// incidents.
    pub(super) async fn tell(
        &mut self,
        done: Vec<StoryLine>,
        moment: &Moment,
        incidents: &dyn Incidents,
        view: &mut View,
        mut transcript: Option<&mut Transcript>,
        outcome: &mut Outcome,
    ) -> anyhow::Result<()> {
        loop {
            let change = match self.changes.try_recv() {
                Ok(change) => change,
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Lagged(missed)) => {
                    view.line(&format!("{missed} changes came too fast to be shown; the pages have them all"))?;
                    continue;
                }
                Err(TryRecvError::Closed) => anyhow::bail!("the decision task has ended"),
            };
            if let Some(transcript) = &mut transcript {
                transcript.change(&change)?;
            }
            view.change(&change, moment)?;
            note(&mut outcome.incidents, change);
        }
        for decision in self.decisions() {
            if let Some(transcript) = &mut transcript {
                transcript.gate(&decision)?;
            }
            let Decision { at, version, gate, by, reason, .. } = &decision;
            view.told(*at, "gate", &format!("{} for update {version} by {by}: {reason}", gate.as_str()))?;
        }
        let became = self.follower.poll(incidents).await;
        for told in done.into_iter().chain(became) {
            if let Some(transcript) = &mut transcript {
                transcript.told(&told)?;
            }
            view.told(told.at, told.kind, &told.text)?;
        }
        outcome.closed.extend(self.follower.closed().cloned());
        Ok(())
    }

    /// What was decided about updates since the last look.
    fn decisions(&mut self) -> Vec<Decision> {
        let Some(gates) = &self.gates else { return Vec::new() };
        let board = gates.board();
        let news = board.decisions.iter().filter(|decision| self.decided.get(&decision.version) != Some(*decision));
        let news: Vec<Decision> = news.cloned().collect();
        self.decided.extend(news.iter().map(|decision| (decision.version.clone(), decision.clone())));
        news
    }
}
