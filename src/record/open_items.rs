//! What is open, the worst first; and the one name for how far each thing has come.
//!
//! The detector's event and the incident that people work on are two records of one number. Whoever shows that number says where the
//! incident stands; only where nobody works on it is the detector's own word the answer. Terminal, pages, report, command line and
//! API all ask here.

use serde::{Deserialize, Serialize};

use super::EventSummary;
use super::incidents::OpenIncidents;
use crate::engine::device::DeviceId;
use crate::engine::effect::{Cause, EventState, Scope};
use crate::engine::snapshot::{EventView, Snapshot};
use crate::engine::time::Timestamp;
use crate::incident::{Incident, IncidentSummary, State};
use crate::words::{Both, names, say};

/// How far something has come. The order of the variants is that of a life.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Lifecycle {
    /// On its way to the hour.
    Pending,
    /// An incident, as it stands.
    Incident(State),
    /// Declared, worked on by nobody, and the quality is back; it is watched.
    QualityBack,
    /// The same, and the watch is over.
    Ended,
    /// Warned of, and it ended below the hour.
    NearMiss,
}

impl Lifecycle {
    /// Of an event, and the state of its incident where there is one.
    pub const fn of_event(event: EventState, incident: Option<State>) -> Self {
        match (incident, event) {
            (Some(state), _) => Self::Incident(state),
            (None, EventState::Pending) => Self::Pending,
            (None, EventState::Declared) => Self::Incident(State::Declared),
            (None, EventState::Recovered) => Self::QualityBack,
            (None, EventState::Resolved) => Self::Ended,
        }
    }

    /// Of an event on record, and the state of its incident where there is one.
    pub const fn of_record(event: &EventSummary, incident: Option<State>) -> Self {
        if event.near_miss.is_some() { Self::NearMiss } else { Self::of_event(event.state, incident) }
    }

    /// The same, looking the incident up among `lives`.
    pub fn among(event: &EventSummary, lives: &[IncidentSummary]) -> Self {
        let life = lives.iter().find(|life| life.event_ids.contains(&event.event_id));
        Self::of_record(event, life.map(|life| life.state))
    }

    /// The name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Incident(state) => state.as_str(),
            Self::QualityBack => "quality_back",
            Self::Ended => "ended",
            Self::NearMiss => "near_miss",
        }
    }

    /// What people read.
    pub const fn words(self) -> Both<&'static str> {
        match self {
            Self::Incident(state) => names::state(state),
            Self::Pending => say("early warning", "早期警告"),
            Self::QualityBack => say("quality recovered, under observation", "品質回復、監視中"),
            Self::Ended => say("observation ended", "監視終了"),
            Self::NearMiss => say("near miss", "重大障害に至らず"),
        }
    }

    /// Whether it is a major incident with devices that suffer, or may.
    pub fn is_unmitigated(self) -> bool {
        matches!(self, Self::Incident(state) if state < State::PendingPermanentFix)
    }

    /// Whether it is a major incident with devices that are not done.
    pub fn is_active(self) -> bool {
        matches!(self, Self::Incident(state) if state.is_active())
    }
}

impl Lifecycle {
    /// The lifecycle of this name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        let own = [Self::Pending, Self::QualityBack, Self::Ended, Self::NearMiss];
        let states = State::ALL.into_iter().map(Self::Incident);
        own.into_iter().chain(states).find(|lifecycle| lifecycle.as_str() == name)
    }
}

impl<'de> Deserialize<'de> for Lifecycle {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::from_name(&name).ok_or_else(|| serde::de::Error::custom(format!("{name:?} is no stage of a lifecycle")))
    }
}

impl Serialize for Lifecycle {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Something open: an incident, or an event that is none yet.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct OpenItem {
    /// Number of the incident, or id of the event.
    pub name: String,
    pub lifecycle: Lifecycle,
    pub scope: Scope,
    /// Start of the impact.
    pub since: Timestamp,
    pub declared_at: Option<Timestamp>,
    /// Devices of the incident that are not done, or devices that are affected where it is none.
    pub affected: u64,
    /// Of so many: of the incident's devices, or of the fleet's.
    pub of: u64,
    /// The one-hour clock while it is warned of: seconds proved, seconds asked for, when it will be full.
    pub streak_s: u64,
    pub hold_s: u64,
    pub declares_at: Option<Timestamp>,
    /// Whether a gap without data has stopped the clock.
    pub suspended: bool,
    pub cause: Option<Cause>,
    /// The device, where it is one alone.
    pub only: Option<DeviceId>,
}

/// Everything open, the worst first: a major incident before a warning, the fleet's before one device's, one that is not mitigated
/// before one that is; then whoever has most devices, then the longest.
pub fn worst_first(snapshot: &Snapshot, board: &OpenIncidents) -> Vec<OpenItem> {
    let worked_on =
        |event: &&EventView| !board.incidents.iter().any(|incident| incident.event_ids.contains(&event.event_id));
    let mut items: Vec<OpenItem> = board.incidents.iter().map(|incident| of_incident(incident, snapshot)).collect();
    items.extend(snapshot.events.iter().filter(worked_on).map(|event| of_event(event, snapshot)));
    items.sort_by(|a, b| {
        let key = |item: &OpenItem| (rank(item), std::cmp::Reverse(item.affected), item.since);
        key(a).cmp(&key(b)).then_with(|| a.name.cmp(&b.name))
    });
    items
}

/// The worst first.
fn rank(item: &OpenItem) -> (u8, bool, bool) {
    let isolated = item.scope == Scope::Isolated;
    let kind = match item.lifecycle {
        lifecycle if lifecycle.is_active() => 0,
        Lifecycle::Pending => 1,
        _ => 2,
    };
    (kind, isolated, !item.lifecycle.is_unmitigated())
}

fn of_incident(incident: &Incident, snapshot: &Snapshot) -> OpenItem {
    let event = snapshot.events.iter().find(|event| incident.event_ids.contains(&event.event_id));
    OpenItem {
        name: incident.number().to_owned(),
        lifecycle: Lifecycle::Incident(incident.state),
        scope: incident.scope,
        since: incident.opening.impact_started_at,
        declared_at: Some(incident.opening.declared_at),
        affected: incident.open_devices().count() as u64,
        of: incident.ladder.len() as u64,
        streak_s: event.map_or(incident.opening.measured_s, |event| event.streak_s),
        hold_s: incident.opening.criterion_s,
        declares_at: None,
        suspended: event.is_some_and(|event| event.suspended),
        cause: incident.cause.clone(),
        only: incident.ladder.iter().next().filter(|_| incident.ladder.len() == 1).map(|(device, _)| device.clone()),
    }
}

fn of_event(event: &EventView, snapshot: &Snapshot) -> OpenItem {
    OpenItem {
        name: event.incident.as_ref().unwrap_or(&event.event_id).clone(),
        lifecycle: Lifecycle::of_event(event.state, None),
        scope: event.scope,
        since: event.impact_started_at,
        declared_at: event.declared_at,
        affected: event.members.len() as u64,
        of: snapshot.totals.expected,
        streak_s: event.streak_s,
        hold_s: event.hold_s,
        declares_at: event.declares_at,
        suspended: event.suspended,
        cause: event.cause.clone(),
        only: event.members.first().filter(|_| event.members.len() == 1).cloned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::effect::Severity;

    fn event(id: &str, state: EventState, scope: Scope, members: usize, since: i64) -> EventView {
        let device = |number| DeviceId::parse(&format!("B-{number}")).unwrap();
        EventView {
            event_id: id.to_owned(),
            incident: (state != EventState::Pending).then(|| format!("INC-{id}")),
            state,
            severity: Severity::Major,
            scope,
            impact_started_at: Timestamp::from_ms(since),
            streak_s: 0,
            hold_s: 3_600,
            declared_at: None,
            declares_at: None,
            suspended: false,
            cause: None,
            members: (0..members).map(device).collect(),
            evidence: Vec::new(),
        }
    }

    #[test]
    fn the_worst_is_the_same_whatever_order_it_came_in() {
        use EventState::{Declared, Pending, Recovered};
        use Scope::{Fleet, Isolated};
        let ordered = [
            event("1", Declared, Fleet, 9, 50),
            event("2", Declared, Fleet, 3, 10),
            event("3", Declared, Fleet, 3, 20),
            event("4", Declared, Isolated, 1, 1),
            event("5", Pending, Fleet, 3, 1),
            event("6", Pending, Isolated, 1, 1),
            event("7", Recovered, Fleet, 9, 1),
        ];
        for turn in 0..ordered.len() {
            let mut events = ordered.to_vec();
            events.rotate_left(turn);
            events.reverse();
            let snapshot = Snapshot { events, ..Snapshot::default() };
            let names: Vec<String> =
                worst_first(&snapshot, &OpenIncidents::default()).into_iter().map(|item| item.name).collect();
            assert_eq!(names, ["INC-1", "INC-2", "INC-3", "INC-4", "5", "6", "INC-7"], "turned by {turn}");
        }
    }

    #[test]
    fn the_incidents_state_is_the_answer_wherever_there_is_an_incident() {
        for state in State::ALL {
            for event in EventState::ALL {
                assert_eq!(Lifecycle::of_event(event, Some(state)).as_str(), state.as_str());
                assert_eq!(Lifecycle::of_event(event, Some(state)).words(), names::state(state));
            }
        }
        let states = State::ALL.into_iter().map(Lifecycle::Incident);
        for lifecycle in
            states.chain([Lifecycle::Pending, Lifecycle::QualityBack, Lifecycle::Ended, Lifecycle::NearMiss])
        {
            assert_eq!(Lifecycle::from_name(lifecycle.as_str()), Some(lifecycle));
        }
        // The detector's own words are none of the incident's states.
        for own in [Lifecycle::Pending, Lifecycle::QualityBack, Lifecycle::Ended, Lifecycle::NearMiss] {
            assert!(State::ALL.into_iter().all(|state| state.as_str() != own.as_str()));
            assert!(State::ALL.into_iter().all(|state| names::state(state) != own.words()));
        }
    }
}
