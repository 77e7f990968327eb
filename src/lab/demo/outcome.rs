//! How a demo ended, in words.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::engine::effect::{Change, ChangeKind};

use super::super::live::count;

/// How a demo ended.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Real time since the fleet began to connect.
    pub(super) ran: Duration,
    /// Fleet time that passed.
    pub(super) fleet_ms: i64,
    pub(super) incidents: BTreeMap<String, Change>,
    /// Numbers of the incidents that were closed.
    pub(super) closed: BTreeSet<String>,
    pub(super) asked: bool,
}

/// Messages at the end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Done {
    pub(super) acked: u64,
    pub(super) journaled: u64,
    pub(super) dropped: u64,
}

/// Keeps the last word on each declared incident.
pub(super) fn note(incidents: &mut BTreeMap<String, Change>, change: Change) {
    let Some(number) = change.incident.clone() else { return };
    match change.kind {
        ChangeKind::Declared => drop(incidents.insert(number, change)),
        ChangeKind::CauseChanged => {
            if let Some(incident) = incidents.get_mut(&number) {
                incident.cause = change.cause;
            }
        }
        _ => {}
    }
}

pub(super) fn summary(outcome: &Outcome, done: Done) -> Vec<String> {
    let asked = if outcome.asked { " on request" } else { "" };
    let incidents = match outcome.incidents.len() {
        0 => "no major incident".to_owned(),
        1 => "1 major incident".to_owned(),
        many => format!("{many} major incidents"),
    };
    let given_up = if done.dropped > 0 { format!(", {} given up", count(done.dropped)) } else { String::new() };
    let mut lines = vec![
        format!(
            "Ended{asked} after {:.0} s, {}: {incidents}.",
            outcome.ran.as_secs_f64(),
            fleet_span(outcome.fleet_ms)
        ),
        format!("{} messages acknowledged, {} journaled{given_up}.", count(done.acked), count(done.journaled)),
    ];
    lines.extend(outcome.incidents.iter().map(|(number, incident)| {
        let end = if outcome.closed.contains(number) { ", closed" } else { "" };
        let blame = match &incident.cause {
            Some(cause) => format!("{} {}", cause.suspect.kind, cause.suspect.value),
            None => "no common cause".to_owned(),
        };
        let affected = incident.devices.len() as u64;
        format!("{number}: {blame}, {} device{}{end}", count(affected), if affected == 1 { "" } else { "s" })
    }));
    lines
}

/// `1 h 32 min of the fleet's time`.
pub(super) fn fleet_span(ms: i64) -> String {
    let minutes = ms / 60_000;
    if minutes < 60 {
        format!("{minutes} min of the fleet's time")
    } else {
        format!("{} h {} min of the fleet's time", minutes / 60, minutes % 60)
    }
}
