//! Commands and contacts as JSON, as a program may send them to the API.

use crate::{edit, life, site};

const SOUND: &[(&str, &str)] = &[
    (
        "PUT /api/v1/contacts",
        r#"{"contacts":[{"device":"B-0003","contact":"佐藤","phone":"011-222-3333","mail":"a@example.jp"}]}"#,
    ),
    ("COMMANDS", r#"{"command":"note","text":"a word","tell":true}"#),
    ("COMMANDS", r#"{"command":"record_call","device":"B-0003","call":{"outcome":"no_answer","note":"x","script":1}}"#),
    ("COMMANDS", r#"{"command":"claim","devices":["B-0003","B-0006"],"claim":"workaround"}"#),
    ("COMMANDS", r#"{"command":"correct_time","milestone":"mustered","instant":1795305600000,"reason":"x"}"#),
    (
        "COMMANDS",
        r#"{"command":"register_countermeasure","workaround":{"id":"WA-1","script_ja":"x","script_en":"y"},"fix_due_at":1795905600000}"#,
    ),
    ("COMMANDS", r#"{"command":"sign_off","device":"B-0003","kind":"unreachable","evidence":"x"}"#),
];

/// Once, with these bytes.
pub fn run(data: &[u8]) {
    let Some((kind, data)) = data.split_first() else { return };
    let (line, sound) = SOUND[usize::from(*kind) / 2 % SOUND.len()];
    let body = if kind % 2 == 0 { edit::edited(sound.as_bytes(), data) } else { data.to_vec() };
    let commands = format!("POST /api/v1/incidents/{}/commands", life::NUMBER);
    let line = if line == "COMMANDS" { commands.as_str() } else { line };
    site::site().check(&format!("{line} HTTP/1.1"), &[("Content-Type", "application/json")], &body);
}
