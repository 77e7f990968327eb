//! What becomes of the incidents after their declaration, as lines: each new state, and now and then how far the devices are.

use std::collections::BTreeMap;

use crate::engine::time::{MINUTE_MS, Timestamp};
use crate::incident::ladder::Proof;
use crate::incident::{Incident, Milestone, State};
use crate::record::incidents::Incidents;

use super::story_line::StoryLine;

/// Fleet time between two lines about the devices of an incident.
const EVERY_MS: i64 = 10 * MINUTE_MS;

/// What was told of each incident.
#[derive(Debug, Default)]
pub struct Follower {
    told: BTreeMap<String, Last>,
}

#[derive(Debug)]
struct Last {
    state: State,
    counts: Counts,
    counted_at: Timestamp,
}

/// How many devices have come how far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Counts {
    workaround: usize,
    fix: usize,
    owing: usize,
    settled: usize,
}

impl Counts {
    fn of(incident: &Incident) -> Self {
        let proved = |proof| incident.ladder.iter().filter(|(_, rung)| rung.proves(proof)).count();
        Self {
            workaround: proved(Proof::Workaround),
            fix: proved(Proof::Fix),
            owing: incident.debts().count(),
            settled: incident.ladder.iter().filter(|(_, rung)| rung.is_settled()).count(),
        }
    }
}

impl Follower {
    /// What is to be said of the incidents as they stand now. Whatever happens between two polls is told in its order.
    pub async fn poll(&mut self, incidents: &dyn Incidents) -> Vec<StoryLine> {
        let board = incidents.board();
        let mut told = Vec::new();
        for incident in &board.incidents {
            told.append(&mut self.changes(incident, incident.updated_at));
        }
        let is_gone = |(number, last): (&String, &Last)| {
            (last.state != State::Closed && board.find(number).is_none()).then(|| number.clone())
        };
        for number in self.told.iter().filter_map(is_gone).collect::<Vec<_>>() {
            // Closed: only the record has it.
            match incidents.file(&number).await {
                Ok(Some(file)) => {
                    told.append(&mut self.changes(&file.incident, file.incident.updated_at));
                    self.leave(&number, file.incident.ended.is_some());
                }
                Ok(None) => self.leave(&number, true),
                Err(error) => tracing::warn!(%error, number, "the record of an incident cannot be read"),
            }
        }
        told
    }

    /// One that has become part of another is followed there.
    fn leave(&mut self, number: &str, is_merged: bool) {
        if is_merged {
            self.told.remove(number);
        }
    }

    /// Numbers of the incidents that were closed.
    pub fn closed(&self) -> impl Iterator<Item = &String> {
        self.told.iter().filter(|(_, last)| last.state == State::Closed).map(|(number, _)| number)
    }

    fn changes(&mut self, incident: &Incident, at: Timestamp) -> Vec<StoryLine> {
        let (state, counts) = (incident.state, Counts::of(incident));
        let first = Last { state: State::Declared, counts: Counts::default(), counted_at: at };
        let last = self.told.entry(incident.number().to_owned()).or_insert(first);
        let mut told = Vec::new();
        let due = at.since_ms(last.counted_at) >= EVERY_MS || state != last.state;
        if due && counts != last.counts {
            told.push(StoryLine { at, kind: "ladder", text: ladder(incident, counts) });
            (last.counts, last.counted_at) = (counts, at);
        }
        let mut tell =
            |text: String| told.push(StoryLine { at, kind: "state", text: format!("{} {text}", incident.number()) });
        if state < last.state {
            tell(fell_back(incident));
        }
        // Two changes may be so close that the incident is seen after both.
        let passed = |one: &State| *one == state || incident.way.reached(*one).is_some();
        for one in State::ALL.into_iter().filter(|one| last.state < *one && *one <= state).filter(passed) {
            tell(moved(incident, one, counts));
        }
        last.state = state;
        told
    }
}

fn ladder(incident: &Incident, counts: Counts) -> String {
    let Counts { workaround, fix, owing, settled } = counts;
    let total = incident.ladder.len();
    if incident.released.is_none() {
        return format!("{workaround} of {total} devices show the workaround");
    }
    let owing = if owing > 0 { format!(", {owing} kept the workaround") } else { String::new() };
    format!("{fix} of {total} devices show the fix{owing}, {settled} are done or signed off")
}

fn moved(incident: &Incident, state: State, counts: Counts) -> String {
    let name = state.as_str().replace('_', " ");
    let what = match state {
        State::Declared => String::new(),
        State::Mustered => "every role that was called has somebody".to_owned(),
        State::WorkaroundAvailable => "support may talk customers through the agreed workaround".to_owned(),
        State::PendingPermanentFix => "the quality is back by workarounds alone, so nothing is over".to_owned(),
        State::Fixing => "the permanent fix is available".to_owned(),
        State::Resolved => {
            format!("{} of {} devices are done or signed off, and quiet", counts.settled, incident.ladder.len())
        }
        State::Reviewed => "what happened is written down".to_owned(),
        State::Closed => {
            let closed = incident.milestones.get(Milestone::Closed).unwrap_or(incident.updated_at);
            let minutes = closed.since_ms(incident.opening.declared_at) / MINUTE_MS;
            format!("{} h {} min after its declaration, proved by telemetry", minutes / 60, minutes % 60)
        }
    };
    format!("is {name}: {what}")
}

fn fell_back(incident: &Incident) -> String {
    let relapsed = incident.ladder.iter().filter(|(_, rung)| rung.affected && rung.relapses > 0).count();
    format!("is open again, {}: {relapsed} devices degraded once more", incident.state.as_str().replace('_', " "))
}
