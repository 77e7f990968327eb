//! `replay`, the program itself: the same recording prints the same bytes, duplicated messages change no byte, shuffled
//! arrivals tell the same incident, damaged lines are told and passed over, and every line of output is what is promised.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use fleetwatch::engine::time::MINUTE_MS;
use fleetwatch::lab::simulation::Scenario;
use serde_json::{Map, Value};

#[path = "support/night.rs"]
mod night;
#[path = "support/random.rs"]
mod random;

use night::{Message, Night, recording};
use random::Random;

/// A report of 60 s that began at the end of its minute has 30 s for its way before the minute closes; its usual way
/// takes less than 5.
const LATENESS_MS: usize = 25_000;

/// The night of a defective update, made once.
fn night() -> &'static Night {
    static NIGHT: OnceLock<Night> = OnceLock::new();
    NIGHT.get_or_init(|| Night::of(Scenario::Nightly))
}

struct Replayed {
    out: String,
    notes: String,
    code: Option<i32>,
}

/// Replays through standard input.
fn replay(recording: &[u8]) -> Replayed {
    let mut child = Command::new(env!("CARGO_BIN_EXE_fleetwatch"))
        .args(["replay", "-", "--summary"])
        .env_remove("FLEETWATCH_CONFIG")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        // Output and input at the same time, or a full pipe would hold both up.
        // A program that has ended reads no more; its exit code tells.
        scope.spawn(move || drop(input.write_all(recording)));
        child.wait_with_output().unwrap()
    });
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Replayed { out: text(output.stdout), notes: text(output.stderr), code: output.status.code() }
}

fn replay_well(recording: &[u8]) -> String {
    let Replayed { out, notes, code } = replay(recording);
    assert_eq!(code, Some(0), "{notes}");
    out
}

/// The recording as it was, replayed once for all tests.
fn reference() -> &'static str {
    static OUT: OnceLock<String> = OnceLock::new();
    OUT.get_or_init(|| replay_well(&recording(&night().state, &night().messages)))
}

/// What a line of output must be, key by key: nothing missing, nothing more.
fn parse(line: &str) -> Map<String, Value> {
    let Ok(Value::Object(change)) = serde_json::from_str(line) else { panic!("no object: {line}") };
    let keys = [
        "at",
        "event",
        "event_id",
        "incident",
        "severity",
        "scope",
        "impact_started_at",
        "streak_s",
        "devices",
        "cause",
    ];
    assert_keys(&change, &keys, line);
    // A key that stands twice is one in the map, and two in the text.
    for key in keys {
        let top_level = line.matches(&format!("\"{key}\":")).count();
        assert_eq!(top_level, 1, "{key}: {line}");
    }
    let is_one_of = |key: &str, values: &[&str]| {
        assert!(change[key].as_str().is_some_and(|value| values.contains(&value)), "{key}: {line}");
    };
    let events = ["early_warning", "declared", "joined", "left", "cause_changed", "recovered", "resolved"];
    is_one_of("event", &events);
    is_one_of("severity", &["warning", "major"]);
    is_one_of("scope", &["fleet", "isolated"]);
    for key in ["at", "impact_started_at", "streak_s"] {
        assert!(change[key].is_u64(), "{key}: {line}");
    }
    assert!(change["impact_started_at"].as_u64() < change["at"].as_u64(), "{line}");
    assert!(change["event_id"].as_str().is_some_and(|id| !id.is_empty()), "{line}");
    match &change["incident"] {
        Value::Null => assert!(!["declared", "recovered", "resolved"].contains(&text(&change, "event")), "{line}"),
        Value::String(id) => {
            // Of the year by the fleet's clock, which these stories do not come near the end of.
            let number = id.strip_prefix("INC-2026-").unwrap_or_else(|| panic!("{line}"));
            assert!(number.len() >= 4 && number.bytes().all(|byte| byte.is_ascii_digit()), "{line}");
            assert_eq!(change["severity"], "major", "{line}");
        }
        _ => panic!("incident: {line}"),
    }
    let devices: Vec<&str> = change["devices"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
    assert!(!devices.is_empty() && devices.is_sorted(), "{line}");
    match &change["cause"] {
        Value::Null => {}
        Value::Object(cause) => parse_cause(cause, true, line),
        _ => panic!("cause: {line}"),
    }
    change
}

fn parse_cause(cause: &Map<String, Value>, leader: bool, line: &str) {
    let keys: &[&str] =
        if leader { &["kind", "value", "confidence", "runner_up"] } else { &["kind", "value", "confidence"] };
    assert_keys(cause, keys, line);
    let kinds = ["update", "package", "firmware", "model", "branch", "fleet"];
    assert!(text(cause, "kind").split('+').all(|kind| kinds.contains(&kind)), "{line}");
    assert!(cause["value"].is_string(), "{line}");
    assert!(cause["confidence"].as_f64().is_some_and(|share| (0.0..=1.0).contains(&share)), "{line}");
    match cause.get("runner_up") {
        None | Some(Value::Null) => {}
        Some(Value::Object(runner_up)) => parse_cause(runner_up, false, line),
        Some(_) => panic!("runner_up: {line}"),
    }
}

fn assert_keys(map: &Map<String, Value>, wanted: &[&str], line: &str) {
    let mut keys: Vec<&str> = map.keys().map(String::as_str).collect();
    let mut wanted = wanted.to_vec();
    keys.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(keys, wanted, "{line}");
}

fn text<'a>(map: &'a Map<String, Value>, key: &str) -> &'a str {
    map[key].as_str().unwrap()
}

/// The declarations of an output that must be of fleet scope.
fn declared(out: &str) -> Vec<Map<String, Value>> {
    let changes: Vec<_> = out.lines().map(parse).collect();
    let declared: Vec<_> = changes.into_iter().filter(|change| change["event"] == "declared").collect();
    assert!(declared.iter().all(|change| change["scope"] == "fleet"), "{declared:?}");
    declared
}

/// Each message delayed by up to `most_ms`, in the order in which they then arrive.
fn shuffled(messages: &[Message], most_ms: usize, random: &mut Random) -> Vec<Message> {
    let mut late: Vec<_> = messages
        .iter()
        .map(|message| Message { at: message.at + random.below(most_ms + 1) as i64, ..message.clone() })
        .collect();
    late.sort_by_key(|message| message.at);
    late
}

#[test]
fn the_same_recording_prints_the_same_bytes_and_one_incident_of_the_right_cause() {
    let night = night();
    assert!(night.messages.len() > 12_000);
    assert!(night.messages.iter().any(|message| message.payload[0] == b'{'));
    assert!(night.messages.iter().any(|message| message.payload[0] == 1));
    assert_eq!(reference(), replay_well(&recording(&night.state, &night.messages)));
    let declared = declared(reference());
    assert_eq!(declared.len(), 1, "{}", reference());
    let cause = declared[0]["cause"].as_object().unwrap();
    assert_eq!((text(cause, "kind"), text(cause, "value")), ("update", night.suspect.as_str()));
    assert_eq!(declared[0]["streak_s"], 3_600);
}

#[test]
fn every_line_of_output_is_what_is_promised_over_the_whole_life_of_an_incident() {
    let over = Night::of(Scenario::SixtyMinutes);
    let out = replay_well(&recording(&over.state, &over.messages));
    assert_eq!(declared(&out).len(), 1, "{out}");
    let mut kinds: BTreeMap<String, u32> = BTreeMap::new();
    for change in reference().lines().chain(out.lines()).map(parse) {
        *kinds.entry(text(&change, "event").to_owned()).or_default() += 1;
    }
    println!("{} and {} messages: {kinds:?}", night().messages.len(), over.messages.len());
    for kind in ["early_warning", "declared", "joined", "recovered", "resolved"] {
        assert!(kinds.contains_key(kind), "no {kind}: {kinds:?}");
    }
}

#[test]
fn arrivals_shuffled_within_the_allowed_lateness_tell_the_same_incident() {
    let night = night();
    let mut originals = declared(reference());
    let original = originals.remove(0);
    for seed in 1..=5 {
        let late = shuffled(&night.messages, LATENESS_MS, &mut Random(seed));
        let moved = late.iter().zip(&night.messages).filter(|(late, was)| late.payload != was.payload).count();
        assert!(moved > late.len() / 2, "only {moved} have changed places");
        let out = replay_well(&recording(&night.state, &late));
        let declared = declared(&out);
        assert_eq!(declared.len(), 1, "seed {seed}: {out}");
        for key in ["incident", "scope", "severity", "devices"] {
            assert_eq!(declared[0][key], original[key], "seed {seed}");
        }
        for key in ["kind", "value"] {
            assert_eq!(declared[0]["cause"][key], original["cause"][key], "seed {seed}");
        }
        for key in ["impact_started_at", "at"] {
            let apart = declared[0][key].as_i64().unwrap() - original[key].as_i64().unwrap();
            assert!(apart.abs() <= MINUTE_MS, "seed {seed}: {key} {apart} ms apart");
        }
    }
}

#[test]
fn messages_that_come_twice_or_five_times_change_no_byte() {
    let night = night();
    let end = night.messages.last().unwrap().at;
    for seed in 11..=14 {
        let mut random = Random(seed);
        let mut repeated = Vec::new();
        for message in &night.messages {
            repeated.push(message.clone());
            for _ in 0..random.below(5) {
                // At once, as after a lost acknowledgement, or when the connection is back. A report's sequence number
                // tells; a status has none, but nothing of the same device comes between it and its copy.
                let later = if message.topic.ends_with("/report") { random.below(LATENESS_MS) as i64 } else { 0 };
                let at = if random.below(2) == 0 { message.at } else { (message.at + later).min(end) };
                repeated.push(Message { at, ..message.clone() });
            }
        }
        repeated.sort_by_key(|message| message.at);
        assert!(repeated.len() > night.messages.len() * 2);
        let replayed = replay(&recording(&night.state, &repeated));
        assert_eq!(replayed.code, Some(0));
        assert!(replayed.notes.contains(" duplicate"), "{}", replayed.notes);
        assert!(replayed.out == reference(), "seed {seed}:\n{}\ninstead of\n{}", replayed.out, reference());
    }
}

#[test]
fn damaged_lines_are_told_by_number_and_passed_over() {
    let night = night();
    let clean = recording(&night.state, &night.messages);
    let garbage: [(&[u8], &str); 7] = [
        (b"this is no recording", "is not a JSON object"),
        (b"{\"at\":1,\"topic\":\"utm/v1/B-1/report\"", "is not a JSON object"),
        (b"{\"topic\":\"utm/v1/B-1/report\",\"payload\":{}}", "has no `at`"),
        (b"{\"at\":-5,\"topic\":\"utm/v1/B-1/report\",\"payload\":{}}", "`at` is not"),
        (b"{\"at\":1,\"topic\":7,\"payload\":{}}", "`topic` is not"),
        (b"{\"at\":1,\"topic\":\"utm/v1/B-1/report\",\"payload_b64\":\"%%\"}", "`payload_b64` is not"),
        (b"\xFF\xFE\x00", "is not a JSON object"),
    ];
    let (mut damaged, mut told, mut number) = (Vec::new(), Vec::new(), 0_u64);
    let first_message = clean.split(|&byte| byte == b'\n').position(|line| line.starts_with(b"{\"at\"")).unwrap();
    for (index, line) in clean.split_inclusive(|&byte| byte == b'\n').enumerate() {
        // Not among the lines of learnt state, then every 1,500 lines.
        if index >= first_message && (index - first_message) % 1_500 == 7 && told.len() < garbage.len() {
            let (bytes, why) = garbage[told.len()];
            damaged.extend_from_slice(bytes);
            damaged.push(b'\n');
            number += 1;
            told.push(format!("line {number}{}{why}", if why.starts_with('`') { ": " } else { " " }));
        }
        damaged.extend_from_slice(line);
        number += 1;
    }
    assert_eq!(told.len(), garbage.len());
    let replayed = replay(&damaged);
    // The lines are told; what could be replayed was, so the command has done what it was asked to.
    assert_eq!(replayed.code, Some(0), "{}", replayed.notes);
    assert!(replayed.out == reference(), "{}", replayed.out);
    for line in &told {
        assert!(replayed.notes.lines().any(|note| note.starts_with(line)), "{line} is not in {}", replayed.notes);
    }
    assert!(replayed.notes.contains("damaged: 7\n"), "{}", replayed.notes);
}

#[test]
fn a_recording_that_is_no_recording_at_all_or_is_not_there_is_no_silent_success() {
    let missing = Command::new(env!("CARGO_BIN_EXE_fleetwatch")).args(["replay", "no/such/file"]).output().unwrap();
    assert_eq!(missing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("no/such/file"));
    assert!(missing.stdout.is_empty());
    let endless = replay(&vec![b'x'; 1 << 20]);
    assert_eq!((endless.code, endless.out.as_str()), (Some(1), ""), "{}", endless.notes);
    assert!(endless.notes.contains("line 1 is longer"), "{}", endless.notes);
}
