//! The detection benchmark's short set as a gate: on fixed seeds each event that is found has exactly one incident, the edges
//! of the one-hour rule come out right, and nothing false is declared.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

use std::path::Path;
use std::process::Command;

use fleetwatch::lab::score::story::Background;
use fleetwatch::lab::score::{self, Plan, measured, table};
use fleetwatch::lab::simulation::Scenario;

/// Development seeds. Those from 1000 on are held out and belong in no test.
const SEEDS: [u64; 3] = [1, 2, 3];

/// Stories that one learnt day is too little for, which is what the short set has: its thresholds stand 1.7 times above the
/// usual, because how much a level moves from day to day is not known yet. They are run and printed, and gate nothing; the long
/// set, with a week, finds them. The old backlog lasts into the afternoon, when a lone device's busy time is not known from a day.
const NOT_YET: [Scenario; 3] = [Scenario::Moderate, Scenario::TailOnly, Scenario::OldBacklog];

#[test]
fn the_short_set_holds() {
    holds(&Plan::short(SEEDS.to_vec()));
}

#[test]
fn the_short_set_holds_on_measured_series_without_bad_hours_of_their_own() {
    let series = measured::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data")).unwrap();
    if series.is_empty() {
        println!("skipped: no series in ../shared/data");
        return;
    }
    let mut plan = Plan::short(SEEDS[..2].to_vec());
    // With two learnt days some of its small defects are not found yet; the floor was measured with a week.
    (plan.backgrounds, plan.setup.series, plan.setup.history_days) = (vec![Background::Filtered], series, 7);
    plan.scenarios.retain(|scenario| Background::Filtered.tells(*scenario));
    holds(&plan);
}

/// Everything that is found has one incident, nothing is missed, the edges are right, and nothing is false.
fn holds(plan: &Plan) {
    let scored = score::score(plan, || ()).unwrap();
    let all: Vec<_> = scored.told.iter().collect();
    println!("{}\n{}", table::by_scenario(&all, 0), table::totals(&all));
    let gating: Vec<_> = all.iter().copied().filter(|run| !NOT_YET.contains(&run.scenario)).collect();
    let sum = table::sum(&gating, 0, None);
    assert_eq!(sum.runs, (plan.scenarios.len() - NOT_YET.len()) * plan.seeds.len());
    assert_eq!(sum.exactly_one, sum.found, "one incident for one event");
    assert_eq!(sum.found, sum.events, "nothing is missed");
    assert_eq!(sum.boundaries_right, sum.boundaries, "the edges of the rule");
    assert_eq!((sum.false_fleet, sum.false_isolated, sum.premature), (0, 0, 0), "nothing false");
    for past in &scored.quiet {
        assert_eq!(past.false_fleet, 0, "on quiet days");
    }
}

#[test]
fn unknown_versions_are_refused_and_cost_nothing() {
    let mut plan = Plan::short(vec![1]);
    plan.scenarios = vec![Scenario::Nightly, Scenario::WrongVersions];
    let scored = score::score(&plan, || ()).unwrap();
    let [clean, wrong] = scored.told.as_slice() else { panic!("two runs") };
    assert_eq!(clean.refused, 0);
    assert!(wrong.refused > 4_000, "{}", wrong.refused);
    assert_eq!(clean.outcomes[0], wrong.outcomes[0]);
}

#[test]
fn the_command_prints_the_same_for_the_same_seeds_whatever_the_threads() {
    let run = |jobs: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_fleetwatch"))
            .args(["score", "--set", "short", "--seeds", "3", "--devices", "20", "--background", "fitted", "--json"])
            .args(["--scenario", "nightly", "--scenario", "59-minutes", "--scenario", "duplicates", "--jobs", jobs])
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let one = run("1");
    assert_eq!(one, run("2"));
    let lines: Vec<serde_json::Value> = one.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3 * 3);
    assert!(lines.iter().all(|line| line["seed"] == 3 && line["background"] == "fitted"));
    let ours: Vec<_> = lines.iter().filter(|line| line["contestant"] == "fleetwatch").collect();
    assert_eq!(ours[0]["scenario"], "nightly");
    assert_eq!(ours[0]["events"][0]["kind"], "update");
}

#[test]
fn a_gate_that_does_not_hold_is_an_exit_code_of_its_own() {
    // An hour that is too short is caught.
    let output = Command::new(env!("CARGO_BIN_EXE_fleetwatch"))
        .args(["score", "--set", "short", "--gate", "--seeds", "1", "--background", "fitted"])
        .args(["--scenario", "59-minutes", "--with", "hold=50m"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("false declarations"), "{output:?}");
}
