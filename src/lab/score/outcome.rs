//! What a contestant's alarms are worth against what was injected.
//!
//! An alarm belongs to the event that most of its devices suffer from, unless it comes more than 15 minutes before that event's
//! hour is full. Alarms that belong to nothing, or to what the one-hour rule does not make an incident of, are false.

use serde::Serialize;

use crate::engine::effect::{Scope, Suspect};
use crate::engine::time::{MINUTE_MS, Timestamp};
use crate::lab::simulation::Truth;

/// An alarm that comes earlier than this before the hour is full has not counted an hour, in ms.
const PREMATURE_MS: i64 = 2 * MINUTE_MS;
/// An alarm that comes earlier than this before the hour is full is false, whoever is in it, in ms.
const TOO_EARLY_MS: i64 = 15 * MINUTE_MS;
/// The latest that an alarm about an event comes after its end: the time for which a recovered one is watched, in ms.
const AFTER_END_MS: i64 = 60 * MINUTE_MS;
/// Share of an alarm's devices that must suffer from an event for the alarm to be about it.
const BELONGS: f64 = 0.5;

/// Somebody is called: an incident, an alert, or a notification with new alerts in it.
#[derive(Clone, PartialEq, Debug)]
pub struct Alarm {
    pub at: Timestamp,
    /// Numbers of the devices that it names, ascending.
    pub devices: Vec<u32>,
    pub scope: Scope,
    pub cause: Option<Suspect>,
}

/// How one injected event was found.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct EventScore {
    /// The injected cause.
    pub kind: &'static str,
    pub value: String,
    /// Whether the one-hour rule makes an incident of it.
    pub declares: bool,
    /// Alarms that were about it.
    pub incidents: u32,
    /// The first alarm, where it is one of the event's own scope.
    pub found: Option<Found>,
    /// Minutes from the first warning to the minute that fills the hour.
    pub warned_min: Option<f64>,
}

/// The alarm that told of an event first.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Found {
    /// Minutes after the sixtieth minute of the event was evidenced.
    pub delay_min: f64,
    /// Devices in the alarm and in the truth, over devices in either.
    pub jaccard: f64,
    /// Whether kind and value of the named cause are those of the truth.
    pub suspect_exact: bool,
    /// What was named.
    pub named: Option<Suspect>,
    /// Came before there was an hour.
    pub premature: bool,
}

/// All of one contestant's score in one run.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Outcome {
    pub events: Vec<EventScore>,
    pub false_fleet: u32,
    pub false_isolated: u32,
    /// What was false, in the order of its coming.
    pub false_alarms: Vec<FalseAlarm>,
    /// For a story at an edge of the rule: whether it came out as the rule says.
    pub boundary_right: Option<bool>,
}

/// An alarm that nothing injected stands for.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct FalseAlarm {
    pub at: Timestamp,
    pub scope: Scope,
    pub devices: Vec<u32>,
    pub named: Option<Suspect>,
}

/// What is to be judged.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    pub truth: &'a [Truth],
    pub alarms: &'a [Alarm],
    /// Warnings before the hour.
    pub warnings: &'a [Alarm],
    /// Whether the contestant tells a fleet's event from a lone device's. For one that does not, every alarm counts as found.
    pub scoped: bool,
    /// Whether the story stands at an edge of the rule.
    pub boundary: bool,
}

impl Outcome {
    fn add_false(&mut self, alarm: &Alarm) {
        match alarm.scope {
            Scope::Fleet => self.false_fleet += 1,
            Scope::Isolated => self.false_isolated += 1,
        }
        let Alarm { at, devices, scope, cause } = alarm.clone();
        self.false_alarms.push(FalseAlarm { at, scope, devices, named: cause });
    }
}

/// Scores a run.
pub fn judge(case: &Case<'_>) -> Outcome {
    let mut outcome = Outcome::default();
    let mut about: Vec<Vec<&Alarm>> = vec![Vec::new(); case.truth.len()];
    for alarm in case.alarms {
        let due = |truth: &Truth| truth.full_at.is_some_and(|full| alarm.at.plus_ms(TOO_EARLY_MS) >= full);
        match belongs_to(case.truth, alarm).filter(|&index| due(&case.truth[index])) {
            Some(index) => about[index].push(alarm),
            None => outcome.add_false(alarm),
        }
    }
    for (index, (truth, alarms)) in case.truth.iter().zip(&about).enumerate() {
        let lone = truth.kind == "device";
        let counts = |alarm: &&&Alarm| !case.scoped || lone || alarm.scope == Scope::Fleet;
        let first = alarms.iter().filter(counts).min_by_key(|alarm| alarm.at);
        let warning = case.warnings.iter().filter(|warning| belongs_to(case.truth, warning) == Some(index));
        let warned = warning.map(|warning| warning.at).min();
        outcome.events.push(EventScore {
            kind: truth.kind,
            value: truth.value.clone(),
            declares: truth.declares,
            incidents: alarms.len() as u32,
            found: first.and_then(|alarm| found(truth, alarm)),
            warned_min: warned.zip(truth.full_at).map(|(at, full)| minutes(full.since_ms(at))),
        });
    }
    outcome.boundary_right = case.boundary.then(|| {
        let right = |event: &EventScore| {
            if event.declares {
                event.incidents == 1 && event.found.as_ref().is_some_and(|f| !f.premature)
            } else {
                true
            }
        };
        outcome.false_fleet + outcome.false_isolated == 0 && outcome.events.iter().all(right)
    });
    outcome
}

fn found(truth: &Truth, alarm: &Alarm) -> Option<Found> {
    let (full, evidenced) = truth.full_at.zip(truth.evidenced_at)?;
    let both = shared(&truth.devices, &alarm.devices);
    let either = truth.devices.len() + alarm.devices.len() - both;
    let exact = |cause: &Suspect| cause.kind == truth.kind && cause.value == truth.value;
    Some(Found {
        delay_min: minutes(alarm.at.since_ms(evidenced)),
        jaccard: both as f64 / either.max(1) as f64,
        // A lone device's incident names the device by being about it.
        suspect_exact: alarm.cause.as_ref().map_or(truth.kind == "device" && either == 1, exact),
        named: alarm.cause.clone(),
        premature: alarm.at.plus_ms(PREMATURE_MS) < full,
    })
}

fn belongs_to(truth: &[Truth], alarm: &Alarm) -> Option<usize> {
    let share = |truth: &Truth| shared(&truth.devices, &alarm.devices) as f64 / alarm.devices.len().max(1) as f64;
    let in_time = |truth: &Truth| {
        let end = truth.end.map_or(alarm.at, |end| end.plus_ms(AFTER_END_MS));
        (truth.start..=end).contains(&alarm.at)
    };
    let candidates = truth.iter().enumerate().filter(|(_, truth)| in_time(truth) && share(truth) >= BELONGS);
    candidates.max_by(|(_, a), (_, b)| share(a).total_cmp(&share(b))).map(|(index, _)| index)
}

/// How many numbers two ascending lists share.
fn shared(a: &[u32], b: &[u32]) -> usize {
    a.iter().filter(|device| b.binary_search(device).is_ok()).count()
}

fn minutes(ms: i64) -> f64 {
    ms as f64 / MINUTE_MS as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_ms(1_794_880_800_000);

    fn at(minute: i64) -> Timestamp {
        START.plus_ms(minute * MINUTE_MS)
    }

    fn event(devices: std::ops::Range<u32>, kind: &'static str, value: &str, full: Option<i64>) -> Truth {
        Truth {
            start: START,
            end: None,
            devices: devices.collect(),
            kind,
            value: value.to_owned(),
            declares: full.is_some(),
            full_at: full.map(at),
            evidenced_at: full.map(|full| at(full).plus_ms(90_000)),
        }
    }

    fn alarm(minute: i64, devices: std::ops::Range<u32>, scope: Scope, cause: Option<(&str, &str)>) -> Alarm {
        let cause = cause.map(|(kind, value)| Suspect { kind: kind.to_owned(), value: value.to_owned() });
        Alarm { at: at(minute), devices: devices.collect(), scope, cause }
    }

    fn judged(truth: &[Truth], alarms: &[Alarm]) -> Outcome {
        judge(&Case { truth, alarms, warnings: &[], scoped: true, boundary: true })
    }

    #[test]
    fn one_incident_of_the_right_devices_and_cause_scores_full() {
        let truth = [event(0..10, "update", "u", Some(60))];
        let outcome = judged(&truth, &[alarm(62, 0..10, Scope::Fleet, Some(("update", "u")))]);
        let found = outcome.events[0].found.as_ref().unwrap();
        assert_eq!((found.delay_min, found.jaccard, found.suspect_exact, found.premature), (0.5, 1.0, true, false));
        assert_eq!((outcome.events[0].incidents, outcome.boundary_right), (1, Some(true)));
        assert_eq!((outcome.false_fleet, outcome.false_isolated), (0, 0));
    }

    #[test]
    fn a_second_incident_a_wrong_cause_and_wrong_devices_cost_what_they_should() {
        let truth = [event(0..10, "update", "u", Some(60))];
        let late = alarm(80, 0..4, Scope::Isolated, None);
        let outcome = judged(&truth, &[alarm(62, 5..15, Scope::Fleet, Some(("update", "v"))), late]);
        let event = &outcome.events[0];
        assert_eq!(event.incidents, 2);
        let found = event.found.as_ref().unwrap();
        assert_eq!((found.jaccard, found.suspect_exact), (5.0 / 15.0, false));
        assert_eq!(outcome.boundary_right, Some(false));
    }

    #[test]
    fn of_a_fleets_event_a_lone_device_is_no_finding_unless_the_contestant_knows_no_scopes() {
        let truth = [event(0..10, "update", "u", Some(60))];
        let alarms = [alarm(62, 3..4, Scope::Isolated, None)];
        let outcome = judged(&truth, &alarms);
        assert_eq!((outcome.events[0].incidents, &outcome.events[0].found), (1, &None));
        let unscoped = judge(&Case { truth: &truth, alarms: &alarms, warnings: &[], scoped: false, boundary: false });
        assert!(unscoped.events[0].found.is_some());
        let lone = [event(3..4, "device", "B-0004", Some(60))];
        assert!(judged(&lone, &alarms).events[0].found.as_ref().unwrap().suspect_exact);
    }

    #[test]
    fn alarms_about_nothing_about_too_little_or_much_too_early_are_false() {
        let short = [event(0..10, "update", "u", None)];
        let outcome = judged(&short, &[alarm(61, 0..10, Scope::Fleet, None)]);
        assert_eq!((outcome.false_fleet, outcome.boundary_right), (1, Some(false)));
        let truth = [event(0..10, "update", "u", Some(60))];
        let strangers = alarm(61, 20..30, Scope::Fleet, None);
        let stranger = alarm(61, 20..21, Scope::Isolated, None);
        let hasty = alarm(44, 0..10, Scope::Fleet, None);
        let outcome = judged(&truth, &[strangers, stranger, hasty]);
        assert_eq!((outcome.false_fleet, outcome.false_isolated, outcome.events[0].incidents), (2, 1, 0));
        let early = judged(&truth, &[alarm(50, 0..10, Scope::Fleet, None)]);
        assert!(early.events[0].found.as_ref().unwrap().premature);
        assert_eq!(early.boundary_right, Some(false));
    }

    #[test]
    fn nothing_said_is_right_of_no_event_and_wrong_of_one() {
        assert_eq!(judged(&[event(0..10, "update", "u", None)], &[]).boundary_right, Some(true));
        let missed = judged(&[event(0..10, "update", "u", Some(60))], &[]);
        assert_eq!((missed.boundary_right, missed.events[0].incidents), (Some(false), 0));
    }

    #[test]
    fn of_two_events_each_has_its_own_alarm_and_its_own_warning() {
        let truth = [event(0..10, "update", "u", Some(60)), event(10..20, "branch", "b", Some(90))];
        let alarms = [
            alarm(62, 0..12, Scope::Fleet, Some(("update", "u"))),
            alarm(95, 12..20, Scope::Fleet, Some(("branch", "b"))),
        ];
        let warnings = [alarm(30, 10..20, Scope::Fleet, None), alarm(15, 0..10, Scope::Fleet, None)];
        let outcome =
            judge(&Case { truth: &truth, alarms: &alarms, warnings: &warnings, scoped: true, boundary: false });
        let scores: Vec<_> = outcome.events.iter().map(|event| (event.incidents, event.warned_min)).collect();
        assert_eq!(scores, [(1, Some(45.0)), (1, Some(60.0))]);
        assert!(outcome.events.iter().all(|event| event.found.as_ref().unwrap().suspect_exact));
        assert_eq!(outcome.boundary_right, None);
    }
}
