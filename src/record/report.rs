//! The morning report: what a night amounted to, from the record and the last picture of the fleet.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::open_items::Lifecycle;
use super::{EventQuery, EventStore, EventSummary, StoreError};
use crate::engine::device::{DeviceId, Label};
use crate::engine::effect::{EventState, Scope, Suspect};
use crate::engine::snapshot::Snapshot;
use crate::engine::time::Timestamp;
use crate::incident::IncidentSummary;

/// Most events that a report looks at, the latest impact first.
const MOST: u32 = 2_000;

/// Streaks that are named as the longest.
const LONGEST: usize = 5;

/// What happened between two instants.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct MorningReport {
    pub since: Timestamp,
    pub until: Timestamp,
    /// Declared incidents of fleet scope, by their start.
    pub major: Vec<EventSummary>,
    /// Declared incidents of one device, by their start.
    pub isolated: Vec<EventSummary>,
    /// Events that were warned of and ended below the hour, by their start; each with the reason.
    pub near_misses: Vec<EventSummary>,
    /// Events that were warned of, and of which no end is on record.
    pub warned: Vec<EventSummary>,
    /// The longest continuous degradations of all of these, longest first.
    pub longest: Vec<Streak>,
    /// Suspects of the declared incidents, those with the most devices first.
    pub suspects: Vec<SuspectCount>,
    /// Devices that do not report, the longest silence first; `None` where only the record is at hand, which does not
    /// know of them.
    pub silent: Option<Vec<Silent>>,
    /// How far each of these has come, by event id: see [`Lifecycle`].
    #[serde(default)]
    pub lifecycles: BTreeMap<String, Lifecycle>,
    /// Whether there were more events than a report looks at.
    pub cut: bool,
}

/// A continuous degradation.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Streak {
    /// Incident number, or event id where there is none.
    pub name: String,
    pub streak_s: u64,
    pub declared: bool,
}

/// What was suspected, and how often.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct SuspectCount {
    #[serde(flatten)]
    pub suspect: Suspect,
    pub incidents: u64,
    /// Devices that were affected in them.
    pub devices: u64,
    /// The highest confidence with which it was named, 0..=1.
    pub confidence: f64,
}

/// A device that does not report.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Silent {
    pub device: DeviceId,
    pub branch: Option<Label>,
    /// `None` when it never reported.
    pub last_report_at: Option<Timestamp>,
    /// Whether its last report was in the time of the report: it fell silent in this night.
    pub fell_silent: bool,
}

impl MorningReport {
    /// How far an event of the report has come.
    pub fn lifecycle(&self, event: &EventSummary) -> Lifecycle {
        self.lifecycles.get(&event.event_id).copied().unwrap_or_else(|| Lifecycle::of_record(event, None))
    }

    /// The report of `since ..= until` from the record; `lives` are the incidents that people work or worked on, `snapshot` tells
    /// who is silent.
    ///
    /// # Errors
    /// When the record cannot be read.
    pub async fn read(
        (store, lives): (&dyn EventStore, &[IncidentSummary]),
        snapshot: Option<&Snapshot>,
        (since, until): (Timestamp, Timestamp),
    ) -> Result<Self, StoreError> {
        let query = EventQuery {
            with_warnings: true,
            since: Some(since),
            until: Some(until),
            limit: MOST,
            ..EventQuery::default()
        };
        Ok(Self::of((store.events(query).await?, lives), snapshot, (since, until)))
    }

    /// The report of these incidents, in any order.
    pub fn of(
        (mut events, lives): (Vec<EventSummary>, &[IncidentSummary]),
        snapshot: Option<&Snapshot>,
        (since, until): (Timestamp, Timestamp),
    ) -> Self {
        let cut = events.len() >= MOST as usize;
        events.sort_by(|a, b| (a.impact_started_at, &a.event_id).cmp(&(b.impact_started_at, &b.event_id)));
        let (longest, suspects) = (longest(&events), suspects(&events));
        let mut report = Self {
            since,
            until,
            major: Vec::new(),
            isolated: Vec::new(),
            near_misses: Vec::new(),
            warned: Vec::new(),
            longest,
            suspects,
            silent: snapshot.map(|snapshot| silent(snapshot, since, until)),
            lifecycles: events.iter().map(|event| (event.event_id.clone(), Lifecycle::among(event, lives))).collect(),
            cut,
        };
        for event in events {
            let list = match (event.declared_at, event.scope) {
                (Some(_), Scope::Fleet) => &mut report.major,
                (Some(_), Scope::Isolated) => &mut report.isolated,
                (None, _) if event.state == EventState::Pending => &mut report.warned,
                (None, _) => &mut report.near_misses,
            };
            list.push(event);
        }
        report
    }
}

fn longest(events: &[EventSummary]) -> Vec<Streak> {
    let mut streaks: Vec<Streak> = events
        .iter()
        .map(|event| Streak {
            name: event.number.clone().unwrap_or_else(|| event.event_id.clone()),
            streak_s: event.streak_s,
            declared: event.declared_at.is_some(),
        })
        .collect();
    streaks.sort_by(|a, b| b.streak_s.cmp(&a.streak_s).then_with(|| a.name.cmp(&b.name)));
    streaks.truncate(LONGEST);
    streaks
}

fn suspects(events: &[EventSummary]) -> Vec<SuspectCount> {
    let mut counts: BTreeMap<&Suspect, SuspectCount> = BTreeMap::new();
    for event in events.iter().filter(|event| event.declared_at.is_some()) {
        let Some(cause) = &event.cause else { continue };
        let count = counts.entry(&cause.suspect).or_insert_with(|| SuspectCount {
            suspect: cause.suspect.clone(),
            incidents: 0,
            devices: 0,
            confidence: 0.0,
        });
        count.incidents += 1;
        count.devices += event.affected;
        count.confidence = count.confidence.max(cause.confidence);
    }
    let mut counts: Vec<SuspectCount> = counts.into_values().collect();
    counts.sort_by_key(|count| std::cmp::Reverse(count.devices));
    counts
}

fn silent(snapshot: &Snapshot, since: Timestamp, until: Timestamp) -> Vec<Silent> {
    let within = |at: Timestamp| (since..=until).contains(&at);
    let mut silent: Vec<Silent> = snapshot
        .devices
        .iter()
        .filter(|device| !device.reporting)
        .map(|device| Silent {
            device: device.id.clone(),
            branch: device.branch.clone(),
            last_report_at: device.last_report_at,
            fell_silent: device.last_report_at.is_some_and(within),
        })
        .collect();
    // Those that never reported come last: they are a matter of the list, not of the night.
    silent.sort_by_key(|silent| (silent.last_report_at.is_none(), silent.last_report_at));
    silent
}
