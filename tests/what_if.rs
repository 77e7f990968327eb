//! `replay --set`, `backtest` and `explain`, the program itself, over nights from the simulator.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use fleetwatch::engine::time::Timestamp;
use fleetwatch::journal::{Entry, Journal, JournalConfig};
use fleetwatch::lab::simulation::Scenario;
use serde_json::Value;

#[path = "support/night.rs"]
mod night;

use night::{Message, Night, recording};

/// The recordings of this test, each made once.
struct Recordings {
    dir: PathBuf,
    suspect: String,
}

fn recordings() -> &'static Recordings {
    static MADE: OnceLock<Recordings> = OnceLock::new();
    MADE.get_or_init(|| {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("what_if");
        std::fs::create_dir_all(&dir).unwrap();
        let mut suspect = String::new();
        for scenario in [Scenario::SixtyMinutes, Scenario::Rollback] {
            let night = Night::of(scenario);
            std::fs::write(dir.join(scenario.name()), recording(&night.state, &night.messages)).unwrap();
            suspect = night.suspect;
            if scenario == Scenario::SixtyMinutes {
                journalled(&dir, &night.messages);
            }
        }
        Recordings { dir, suspect }
    })
}

/// The same messages as a journal, and as a recording without what was learnt before, since a journal has none.
fn journalled(dir: &Path, messages: &[Message]) {
    std::fs::write(dir.join("unlearnt"), recording(&[], messages)).unwrap();
    let path = dir.join("journal");
    if path.exists() {
        std::fs::remove_dir_all(&path).unwrap();
    }
    let (journal, _) = Journal::open(JournalConfig::new(&path), 0).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for Message { at, topic, payload, retain } in messages {
            let at = Timestamp::from_ms(*at);
            journal.append(&Entry { at, topic, payload, retain: *retain }).await.unwrap();
        }
    });
    journal.close().unwrap();
}

fn path(scenario: Scenario) -> PathBuf {
    recordings().dir.join(scenario.name())
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
    assert!(table.lines().any(|line| line.starts_with("  - INC-") && line.contains(" fleet ")), "{table}");
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

/// The name under which a replay knows the night's fleet incident.
fn incident_of(scenario: Scenario) -> String {
    let [declared] = &declared(&well(&["replay"], Some(&path(scenario))))[..] else { panic!("one incident") };
    declared["incident"].as_str().unwrap().to_owned()
}

#[test]
fn an_incident_is_explained_minute_by_minute() {
    let source = path(Scenario::SixtyMinutes);
    let name = incident_of(Scenario::SixtyMinutes);
    let text = well(&["explain", &name, "--minutes", "--from"], Some(&source));
    for told in [
        &format!("{name}  observation ended, fleet"),
        " minutes of degradation proved",
        &format!("update {}, confidence", recordings().suspect),
        "with it",
        "difference in differences: +",
        "60 minutes: 60 degraded, 0 healthy, 0 not known",
        "What carries the damage",
        "https  p95 delay",
        "rule ",
        "early warning after 45 minutes",
        "chance of the hour",
        "declared a major incident with",
    ] {
        assert!(text.contains(told), "{told:?} is not in {text}");
    }
    let strip = text.lines().find(|line| line.contains(&"\u{2588}".repeat(60)));
    assert!(strip.is_some_and(|line| line.starts_with("  03:0") || line.starts_with("  02:5")), "{text}");
    assert_eq!(
        text.lines().filter(|line| line.contains("\u{2588} degraded ") && line.contains(" of ")).count(),
        60,
        "{text}"
    );
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(!text.contains('\u{1b}'), "colour is for terminals");
    let ascii = well(&["explain", &name, "--ascii", "--from"], Some(&source));
    assert!(ascii.is_ascii() && ascii.contains(&"#".repeat(60)), "{ascii}");
}

#[test]
fn a_near_miss_says_why_it_was_not_declared() {
    let source = path(Scenario::Rollback);
    let changes = lines(&well(&["replay"], Some(&source)));
    assert!(changes.iter().all(|change| change["event"] != "declared" || change["scope"] != "fleet"));
    let warned =
        changes.iter().rfind(|change| change["event"] == "early_warning" && change["scope"] == "fleet").unwrap();
    let event = warned["event_id"].as_str().unwrap();
    let ended = changes.iter().find(|change| change["event_id"] == event && change["event"] == "recovered").unwrap();
    let minutes = ended["streak_s"].as_u64().unwrap() / 60;
    assert!((43..=52).contains(&minutes), "rolled back after 45 minutes, device by device: {minutes}");
    let text = well(&["explain", event, "--from"], Some(&source));
    for told in [
        "near miss, fleet",
        &format!("not declared: {minutes} minutes, then "),
        " healthy",
        &format!("60 without a break are asked for: {} short", 60 - minutes),
    ] {
        assert!(text.contains(told), "{told:?} is not in {text}");
    }
    let missing = fleetwatch(&["explain", "INC-9999", "--from"], Some(&source));
    assert_eq!(missing.code, Some(1));
    assert!(missing.notes.contains("brings up no INC-9999, but") && missing.notes.contains(event), "{}", missing.notes);
}

#[test]
fn a_device_is_explained_as_of_a_time() {
    let source = path(Scenario::SixtyMinutes);
    let incident = &declared(&well(&["replay"], Some(&source)))[0];
    let device = incident["devices"][0].as_str().unwrap();
    let text = well(&["explain", device, "--at", "03:50", "--hours", "2", "--minutes", "--from"], Some(&source));
    for told in [
        &format!("{device}  "),
        "as of 2026-11-17 03:50, by a replay of ",
        &format!("update    {}", recordings().suspect),
        "event     E-",
        "Its own streaks\n  about 03:",
        " minutes: ",
        "below: 95th percentile of the added delay",
    ] {
        assert!(text.contains(told), "{told:?} is not in {text}");
    }
    // The minutes up to the one that had closed by then, each once, in the strip and in the table.
    let rows: Vec<&str> = text.lines().filter(|line| line.contains(" min ") && line.starts_with("  0")).collect();
    assert!(rows.len() >= 110 && rows.iter().any(|row| row.contains("\u{2588} degraded")), "{text}");
    assert!(rows.last().unwrap().starts_with("  03:47"), "{text}");
    let mut minutes: Vec<&str> = rows.iter().map(|row| &row[2..7]).collect();
    minutes.dedup();
    assert_eq!(minutes.len(), rows.len());
    // Whoever is not in the incident was healthy all the time.
    let others: Vec<String> = (1..=night::DEVICES).map(|number| format!("B-{number:04}")).collect();
    let outside =
        others.iter().find(|id| !incident["devices"].as_array().unwrap().iter().any(|d| d == id.as_str())).unwrap();
    let text = well(&["explain", outside, "--at", "03:50", "--from"], Some(&source));
    assert!(text.contains(&format!("{outside}  ")) && text.contains(" 0 degraded"), "{text}");
    assert!(text.lines().all(|line| line.starts_with("  as of") || line.chars().count() <= 80), "{text}");

    for (args, code, told) in [
        (&["explain", "B-9999", "--at", "03:50", "--from"][..], 1, "meets no device B-9999"),
        (&["explain", outside, "--at", "soon", "--from"], 2, "is no time"),
        (&["explain", "no device", "--from"], 2, "neither an incident, an event nor a device"),
    ] {
        let ended = fleetwatch(args, Some(&source));
        assert_eq!((ended.code, ended.notes.contains(told)), (Some(code), true), "{args:?}: {}", ended.notes);
    }
}

#[test]
fn a_journal_tells_the_same_as_a_recording_of_the_same_messages() {
    let dir = &recordings().dir;
    let (journal, unlearnt) = (dir.join("journal"), dir.join("unlearnt"));
    for args in [
        &["replay", "--set", "hold=45m"][..],
        &["backtest", "--json", "--grid", "hold=45m,60m"],
        &["explain", "B-0003", "--at", "03:50", "--minutes", "--from"],
    ] {
        let (one, other) = (well(args, Some(&journal)), well(args, Some(&unlearnt)));
        let without_source =
            |text: &str| text.lines().filter(|line| !line.contains("by a replay of")).collect::<Vec<_>>().join("\n");
        assert!(!one.is_empty());
        assert_eq!(without_source(&one), without_source(&other), "{args:?}");
    }
}
