//! `replay --set`, `backtest` and `explain`, the program itself, over nights from the simulator.
#![cfg(feature = "shell")]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use fleetwatch::simulation::Scenario;
use serde_json::Value;

#[path = "support/night.rs"]
mod night;

use night::{Night, recording};

/// The recordings of this test, each made once.
struct Recordings {
    dir: tempfile::TempDir,
    suspect: String,
}

fn recordings() -> &'static Recordings {
    static MADE: OnceLock<Recordings> = OnceLock::new();
    MADE.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let mut suspect = String::new();
        for scenario in [Scenario::SixtyMinutes, Scenario::Rollback] {
            let night = Night::of(scenario);
            std::fs::write(dir.path().join(scenario.name()), recording(&night.state, &night.messages)).unwrap();
            suspect = night.suspect;
        }
        Recordings { dir, suspect }
    })
}

fn path(scenario: Scenario) -> PathBuf {
    recordings().dir.path().join(scenario.name())
}

struct Ended {
    out: String,
    notes: String,
    code: Option<i32>,
}

fn fleetwatch(args: &[&str], source: Option<&Path>) -> Ended {
    let output = Command::new(env!("CARGO_BIN_EXE_fleetwatch"))
        .args(args)
        .args(source)
        .env_remove("FLEETWATCH_CONFIG")
        .env("LC_ALL", "C.UTF-8")
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended { out: text(output.stdout), notes: text(output.stderr), code: output.status.code() }
}

fn well(args: &[&str], source: Option<&Path>) -> String {
    let Ended { out, notes, code } = fleetwatch(args, source);
    assert_eq!(code, Some(0), "{args:?}: {notes}");
    out
}

fn lines(out: &str) -> Vec<Value> {
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn declared(out: &str) -> Vec<Value> {
    lines(out).into_iter().filter(|change| change["event"] == "declared" && change["scope"] == "fleet").collect()
}

#[test]
fn a_shorter_hour_declares_earlier_and_a_longer_one_not_at_all() {
    let sixty = path(Scenario::SixtyMinutes);
    let at = |sets: &[&str]| declared(&well(&[&["replay"], sets].concat(), Some(&sixty)));
    let reference = at(&[]);
    assert_eq!(reference.len(), 1);
    let earlier = at(&["--set", "hold=45m"]);
    assert_eq!(earlier[0]["streak_s"], 2_700);
    let sooner_ms = reference[0]["at"].as_i64().unwrap() - earlier[0]["at"].as_i64().unwrap();
    assert!((13 * 60_000..=17 * 60_000).contains(&sooner_ms), "{sooner_ms} ms sooner");
    assert_eq!(at(&["--hold-min", "45"]), earlier, "the old name says the same");
    assert!(at(&["--set", "hold=75m"]).is_empty());
    assert!(at(&["--set", "ratio=50", "--set", "delta=10s", "--set", "false_positive_floor=0.5"]).is_empty());
}

#[test]
fn wrong_settings_are_told_all_at_once_and_are_a_wrong_command_line() {
    let args = ["replay", "--set", "hold=45", "--set", "rati=1.5", "--set", "delta=2kg", "-"];
    let Ended { out, notes, code } = fleetwatch(&args, None);
    assert_eq!((code, out.as_str()), (Some(2), ""));
    for told in [
        "--set: hold = 45: must have a unit, such as 45m; did you mean hold=45m or hold_min=45?",
        "--set: rati = 1.5: is not a setting of the detector; did you mean ratio?",
        "--set: delta = 2kg: must be a length of time, such as 5ms",
        "the options have 3 faults",
    ] {
        assert!(notes.contains(told), "{told:?} is not in {notes}");
    }
}

#[test]
fn a_grid_tells_what_each_setting_gains_and_loses() {
    let sixty = path(Scenario::SixtyMinutes);
    let args = ["backtest", "--grid", "hold=45m,60m,75m", "--json"];
    let out = well(&args, Some(&sixty));
    let [reference, shorter, same, longer] = &lines(&out)[..] else { panic!("{out}") };
    assert_eq!((&reference["reference"], &reference["fleet"]["incidents"]), (&true.into(), &1.into()));
    assert_eq!(shorter["set"]["hold"], "45m");
    let matched = &shorter["fleet"]["matched"][0];
    assert_eq!(matched["cause"]["value"], recordings().suspect.as_str());
    let delay_s = matched["delay_s"].as_i64().unwrap();
    assert!((-17 * 60..=-13 * 60).contains(&delay_s), "{delay_s} s");
    assert_eq!(
        (&same["fleet"]["matched"][0]["delay_s"], &same["learns_differently"]),
        (&0.into(), &serde_json::json!([]))
    );
    let name = &matched["reference"];
    assert_eq!((&longer["fleet"]["incidents"], &longer["fleet"]["lost"][0]["incident"]), (&0.into(), name));
    assert_eq!(longer["learns_differently"], serde_json::json!(["hold"]));
    // One thread or four, the same bytes.
    for jobs in ["1", "4"] {
        assert_eq!(well(&[&args[..], &["--jobs", jobs]].concat(), Some(&sixty)), out, "{jobs} jobs");
    }
}

#[test]
fn the_table_says_the_same_to_people() {
    let table = well(&["backtest", "--grid", "hold=45m,75m"], Some(&path(Scenario::SixtyMinutes)));
    let row = |label: &str| {
        table.lines().find(|line| line.starts_with(label)).unwrap().split_whitespace().collect::<Vec<_>>()
    };
    assert_eq!(row("hold=45m")[1..4], ["1", "0", "0"], "{table}");
    assert_eq!(row("hold=75m")[1..4], ["0", "0", "1"], "{table}");
    assert!(table.contains("15 min earlier"), "{table}");
    assert!(table.lines().any(|line| line.starts_with("  - INC-") && line.contains("  fleet ")), "{table}");
    assert!(table.contains("note: hold changes which minutes the baseline learns from"), "{table}");
    let header = table.lines().next().unwrap();
    let column = header.find("isolated").unwrap();
    assert!(table.lines().skip(1).take(3).all(|row| row.as_bytes()[column + 7].is_ascii_digit()), "{table}");
}

#[test]
fn a_grid_over_nothing_or_over_a_pipe_is_refused() {
    let missing = fleetwatch(&["backtest", "--grid", "hold=45m", "no/such/file"], None);
    assert_eq!(missing.code, Some(1));
    assert!(missing.notes.contains("no/such/file"), "{}", missing.notes);
    let pipe = fleetwatch(&["backtest", "--grid", "hold=45m", "-"], None);
    assert_eq!(pipe.code, Some(2), "{}", pipe.notes);
}
