//! Scores added up and printed: a line a scenario for our detector, then the totals of all contestants side by side.
//!
//! Shares count what they say: "found" of the events that the rule makes an incident of, "exactly one" and "suspect" of those
//! that were found. Delays are from when the sixtieth minute was evidenced.

use std::fmt::Write as _;

use crate::engine::effect::Suspect;
use crate::lab::simulation::Scenario;

use super::outcome::{EventScore, Found, Outcome};
use super::story::{CONTESTANTS, Quiet, Told, YOUNG_DAYS};

/// A detection later than this after the hour is not "in time", in minutes.
const IN_TIME_MIN: f64 = 15.0;
/// A set of devices that shares less than this with the true one is told.
const ENOUGH_SHARED: f64 = 0.8;
/// Normal deviate of a two-sided interval of 95 %.
const DEVIATE: f64 = 1.96;

/// What some runs of one contestant add up to.
#[derive(Clone, Debug, Default)]
pub struct Sum {
    pub runs: usize,
    /// Events that the rule makes an incident of.
    pub events: usize,
    pub found: usize,
    pub in_time: usize,
    pub exactly_one: usize,
    pub incidents: u32,
    pub suspect_exact: usize,
    pub premature: usize,
    pub false_fleet: u32,
    pub false_isolated: u32,
    pub boundaries: usize,
    pub boundaries_right: usize,
    pub device_days: f64,
    delays: Vec<f64>,
    jaccards: Vec<f64>,
    warned: Vec<f64>,
}

impl Sum {
    /// Adds one run.
    pub fn add(&mut self, outcome: &Outcome, device_days: f64) {
        self.runs += 1;
        self.device_days += device_days;
        self.false_fleet += outcome.false_fleet;
        self.false_isolated += outcome.false_isolated;
        if let Some(right) = outcome.boundary_right {
            self.boundaries += 1;
            self.boundaries_right += usize::from(right);
        }
        for event in outcome.events.iter().filter(|event| event.declares) {
            self.add_event(event);
        }
    }

    fn add_event(&mut self, event: &EventScore) {
        self.events += 1;
        self.warned.extend(event.warned_min);
        self.incidents += event.incidents;
        let Some(found) = &event.found else { return };
        let Found { delay_min, jaccard, suspect_exact, premature, .. } = found;
        self.found += 1;
        self.in_time += usize::from(*delay_min <= IN_TIME_MIN);
        self.exactly_one += usize::from(event.incidents == 1);
        self.suspect_exact += usize::from(*suspect_exact);
        self.premature += usize::from(*premature);
        self.delays.push(*delay_min);
        self.jaccards.push(*jaccard);
    }

    /// Isolated false alarms in a thousand device-days.
    pub fn isolated_per_1000(&self) -> f64 {
        f64::from(self.false_isolated) * 1_000.0 / self.device_days.max(f64::MIN_POSITIVE)
    }

    /// Median and worst delay in minutes.
    pub fn delay(&self) -> Option<(f64, f64)> {
        let worst = self.delays.iter().copied().reduce(f64::max)?;
        Some((median(&self.delays)?, worst))
    }

    /// Whether everything holds that a short set must.
    pub fn holds(&self) -> bool {
        self.exactly_one == self.found
            && self.boundaries_right == self.boundaries
            && self.false_fleet == 0
            && self.premature == 0
    }
}

/// Wilson's interval of 95 % for `n` of `m` (Wilson 1927): where the share would be found again.
fn wilson(n: f64, m: f64) -> (f64, f64) {
    let (p, z2) = (n / m, DEVIATE * DEVIATE);
    let middle = (p + z2 / (2.0 * m)) / (1.0 + z2 / m);
    let half = DEVIATE * (p * (1.0 - p) / m + z2 / (4.0 * m * m)).sqrt() / (1.0 + z2 / m);
    ((middle - half).max(0.0), (middle + half).min(1.0))
}

fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        n if n % 2 == 1 => Some(sorted[middle]),
        _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
    }
}

/// The runs of one scenario and contestant, or of all scenarios.
pub fn sum(told: &[&Told], contestant: usize, scenario: Option<Scenario>) -> Sum {
    let mut sum = Sum::default();
    for run in told.iter().filter(|run| scenario.is_none_or(|scenario| run.scenario == scenario)) {
        sum.add(&run.outcomes[contestant], run.cost.device_days);
    }
    sum
}

/// The table of scenarios, for one contestant.
pub fn by_scenario(told: &[&Told], contestant: usize) -> String {
    let mut out = format!(
        "{:<24}{:>5}{:>9}{:>9}{:>9}{:>7}{:>13}{:>8}{:>9}{:>6}{:>6}{:>9}\n",
        CONTESTANTS[contestant],
        "runs",
        "found",
        "<=15min",
        "one",
        "per ev",
        "delay md/max",
        "jaccard",
        "suspect",
        "f.flt",
        "f.iso",
        "boundary"
    );
    for scenario in Scenario::ALL {
        let sum = sum(told, contestant, Some(scenario));
        if sum.runs > 0 {
            let _ = writeln!(out, "{}", line(scenario.name(), &sum));
        }
    }
    let _ = writeln!(out, "{}", line("all", &sum(told, contestant, None)));
    out
}

fn line(name: &str, sum: &Sum) -> String {
    let of = |n: usize, m: usize| if m == 0 { "-".to_owned() } else { format!("{n}/{m}") };
    let delay = sum.delay().map_or("-".to_owned(), |(median, worst)| format!("{median:.0}/{worst:.0}"));
    let jaccard = median(&sum.jaccards).map_or("-".to_owned(), |jaccard| format!("{jaccard:.2}"));
    let per_event =
        if sum.events == 0 { "-".to_owned() } else { format!("{:.2}", f64::from(sum.incidents) / sum.events as f64) };
    format!(
        "{name:<24}{:>5}{:>9}{:>9}{:>9}{per_event:>7}{delay:>13}{jaccard:>8}{:>9}{:>6}{:>6}{:>9}",
        sum.runs,
        of(sum.found, sum.events),
        of(sum.in_time, sum.events),
        of(sum.exactly_one, sum.found),
        of(sum.suspect_exact, sum.found),
        sum.false_fleet,
        sum.false_isolated,
        of(sum.boundaries_right, sum.boundaries),
    )
}

/// The totals of all contestants side by side; in brackets an interval of 95 %.
pub fn totals(told: &[&Told]) -> String {
    let sums: Vec<Sum> = (0..CONTESTANTS.len()).map(|contestant| sum(told, contestant, None)).collect();
    let share = |n: usize, m: usize| match m {
        0 => "-".to_owned(),
        _ => {
            let (low, high) = wilson(n as f64, m as f64);
            format!("{n}/{m} {:.1} % ({:.0}-{:.0})", 100.0 * n as f64 / m as f64, 100.0 * low, 100.0 * high)
        }
    };
    let minutes = |delay: Option<f64>| delay.map_or("-".to_owned(), |minutes| format!("{minutes:.1} min"));
    type Row<'a> = (&'a str, Box<dyn Fn(&Sum) -> String + 'a>);
    let rows: Vec<Row<'_>> = vec![
        ("events found", Box::new(move |s| share(s.found, s.events))),
        ("within 15 min of the hour", Box::new(move |s| share(s.in_time, s.events))),
        ("exactly one incident", Box::new(move |s| share(s.exactly_one, s.found))),
        ("incidents per event", Box::new(|s| format!("{:.2}", f64::from(s.incidents) / s.events.max(1) as f64))),
        ("delay, median", Box::new(move |s| minutes(s.delay().map(|d| d.0)))),
        ("delay, worst", Box::new(move |s| minutes(s.delay().map(|d| d.1)))),
        ("affected set, median Jaccard", Box::new(|s| median(&s.jaccards).map_or("-".into(), |j| format!("{j:.3}")))),
        ("suspect exact", Box::new(move |s| share(s.suspect_exact, s.found))),
        ("false, fleet", Box::new(|s| s.false_fleet.to_string())),
        ("false, isolated", Box::new(|s| s.false_isolated.to_string())),
        ("  per 1,000 device-days", Box::new(|s| format!("{:.1}", s.isolated_per_1000()))),
        ("before the hour", Box::new(|s| s.premature.to_string())),
        ("boundary cases right", Box::new(move |s| share(s.boundaries_right, s.boundaries))),
        ("warned before, median", Box::new(move |s| minutes(median(&s.warned)))),
    ];
    let mut out =
        format!("{:<32}{:>26}{:>26}{:>26}\n", "all scenarios", CONTESTANTS[0], CONTESTANTS[1], CONTESTANTS[2]);
    let groups: u32 = told.iter().map(|run| run.groups).sum();
    for (name, row) in &rows {
        let _ = writeln!(out, "{name:<32}{:>26}{:>26}{:>26}", row(&sums[0]), row(&sums[1]), row(&sums[2]));
    }
    let _ = writeln!(out, "{:<84}{groups:>26}", "notification groups in all");
    out
}

/// Every run of our detector that was not as it should be, and why.
pub fn not_right(told: &[&Told]) -> String {
    let mut out = String::new();
    for run in told {
        let outcome = &run.outcomes[0];
        let mut faults: Vec<String> = outcome.events.iter().filter(|event| event.declares).flat_map(faults).collect();
        for alarm in &outcome.false_alarms {
            faults.push(format!("false, {} devices, {}", alarm.devices.len(), called(alarm.named.as_ref())));
        }
        if !faults.is_empty() {
            let _ = writeln!(out, "  {} {}: {}", run.scenario, run.seed, faults.join("; "));
        }
    }
    if out.is_empty() { "every run was as it should be\n".to_owned() } else { format!("not as it should be:\n{out}") }
}

fn faults(event: &EventScore) -> Vec<String> {
    let truth = format!("{} {}", event.kind, event.value);
    let mut faults = Vec::new();
    if event.incidents > 1 {
        faults.push(format!("{} incidents of {truth}", event.incidents));
    }
    let Some(found) = &event.found else {
        faults.push(format!("{truth} missed"));
        return faults;
    };
    if found.premature {
        faults.push(format!("{truth} {:.0} min before the hour", -found.delay_min));
    }
    if found.delay_min > IN_TIME_MIN {
        faults.push(format!("{truth} {:.0} min late", found.delay_min));
    }
    if !found.suspect_exact {
        faults.push(format!("{} for {truth}", called(found.named.as_ref())));
    }
    if found.jaccard < ENOUGH_SHARED {
        faults.push(format!("Jaccard {:.2} of {truth}", found.jaccard));
    }
    faults
}

fn called(named: Option<&Suspect>) -> String {
    named.map_or("no name".to_owned(), |suspect| format!("named {} {}", suspect.kind, suspect.value))
}

/// What was said on the days before the stories, on which nothing is wrong.
pub fn quiet_days(pasts: &[&Quiet]) -> String {
    let count = |part: fn(&Quiet) -> u32| pasts.iter().map(|past| part(past)).sum::<u32>();
    let days: f64 = pasts.iter().map(|past| past.mature_days).sum();
    let (fleet, isolated) = (count(|past| past.false_fleet), count(|past| past.false_isolated));
    let mut out = format!("quiet days before the stories, from day {} on: ", YOUNG_DAYS + 1);
    if days > 0.0 {
        let rate = f64::from(isolated) * 1_000.0 / days;
        let _ = write!(
            out,
            "{fleet} false of fleet scope, {isolated} isolated in {days:.0} device-days ({rate:.1} in 1,000)"
        );
    } else {
        out += "none";
    }
    let _ = writeln!(out, "; before that {}", count(|past| past.young));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(incidents: u32, delay_min: Option<f64>, exact: bool) -> EventScore {
        EventScore {
            kind: "update",
            value: "u".to_owned(),
            declares: true,
            incidents,
            found: delay_min.map(|delay_min| Found {
                delay_min,
                jaccard: 0.5,
                suspect_exact: exact,
                named: None,
                premature: delay_min < -2.0,
            }),
            warned_min: Some(40.0),
        }
    }

    fn summed(outcomes: &[Outcome]) -> Sum {
        let mut sum = Sum::default();
        outcomes.iter().for_each(|outcome| sum.add(outcome, 10.0));
        sum
    }

    fn with(events: Vec<EventScore>) -> Outcome {
        Outcome { events, ..Outcome::default() }
    }

    #[test]
    fn counts_are_over_what_they_are_said_to_be_over() {
        let missed = with(vec![event(0, None, false)]);
        let late = with(vec![event(2, Some(15.5), true)]);
        let good = with(vec![event(1, Some(1.0), true), event(1, Some(2.0), false)]);
        let sum = summed(&[missed, late, good]);
        assert_eq!((sum.runs, sum.events, sum.found, sum.in_time), (3, 4, 3, 2));
        assert_eq!((sum.exactly_one, sum.incidents, sum.suspect_exact), (2, 4, 2));
        assert_eq!(sum.delay(), Some((2.0, 15.5)));
        assert_eq!(sum.device_days, 30.0);
    }

    #[test]
    fn what_must_hold_fails_for_each_reason_alone() {
        let good = || with(vec![event(1, Some(1.0), true)]);
        assert!(summed(&[good()]).holds());
        // A missed event is for recall to tell: the gate is about what was said.
        assert!(summed(&[good(), with(vec![event(0, None, false)])]).holds());
        for bad in [
            with(vec![event(2, Some(1.0), true)]),
            with(vec![event(1, Some(-5.0), true)]),
            Outcome { false_fleet: 1, ..good() },
            Outcome { boundary_right: Some(false), ..good() },
        ] {
            assert!(!summed(&[good(), bad.clone()]).holds(), "{bad:?}");
        }
        let isolated = summed(&[Outcome { false_isolated: 1, ..good() }]);
        assert!(isolated.holds());
        assert_eq!(isolated.isolated_per_1000(), 100.0);
    }

    #[test]
    fn each_fault_of_an_event_is_told() {
        assert!(faults(&event(1, Some(1.0), true)).iter().all(|fault| fault.starts_with("Jaccard 0.50")));
        let told = faults(&event(2, Some(40.0), false)).join("; ");
        for wanted in ["2 incidents of update u", "40 min late", "no name for update u"] {
            assert!(told.contains(wanted), "{told}");
        }
        assert_eq!(faults(&event(0, None, false)), ["update u missed"]);
    }

    #[test]
    fn an_interval_is_wide_for_few_and_narrow_for_many() {
        let (low, high) = wilson(29.0, 32.0);
        assert!((low - 0.758).abs() < 0.002 && (high - 0.968).abs() < 0.002, "{low} {high}");
        assert!(wilson(48.0, 48.0).0 > 0.92 && wilson(4.0, 4.0).0 < 0.52);
    }
}
