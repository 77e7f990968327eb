//! Reads a directory of wire vectors (see `fixtures/wire/README.md`) and checks the decoder against each of them.
#![allow(clippy::unwrap_used)] // a fixture that does not hold is a failed test

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use fleetwatch::engine::device::Status;
use fleetwatch::engine::histogram::lowest_of;
use fleetwatch::engine::report::{ClassReport, Report};
use fleetwatch::engine::wire::{Decoder, Limits};
use serde_json::{Value, json};

/// Checks every payload that has an `.expected.json` beside it; returns how many payloads there were.
pub fn check_accepted(directory: &Path) -> usize {
    let mut checked = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let Some(name) = path.file_name().unwrap().to_str().unwrap().strip_suffix(".expected.json") else { continue };
        let expected: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        for extension in ["bin", "json"] {
            let file = directory.join(format!("{name}.{extension}"));
            let payload = std::fs::read(&file).unwrap();
            assert_eq!(decoded(&expected, &payload), expected, "{}", file.display());
            checked += 1;
        }
    }
    checked
}

/// What the decoder makes of a payload, in the form of the expected file.
fn decoded(expected: &Value, payload: &[u8]) -> Value {
    let mut decoder = Decoder::new(Limits::default());
    let device = expected["device"].as_str().unwrap();
    match expected["kind"].as_str().unwrap() {
        "report" => report_value(device, decoder.report(device, payload).unwrap()),
        "status" => status_value(device, &decoder.status(device, payload).unwrap()),
        other => panic!("no such kind: {other}"),
    }
}

fn report_value(device: &str, report: &Report) -> Value {
    let classes: Vec<_> = report.classes.iter().map(|class| class_value(report, class)).collect();
    json!({
        "kind": "report", "device": device, "boot": report.boot, "seq": report.seq, "uptime_ms": report.uptime_ms,
        "start": report.start, "period_ms": report.period_ms, "classes": classes,
    })
}

fn class_value(report: &Report, class: &ClassReport) -> Value {
    let mut buckets = BTreeMap::new();
    for bucket in report.buckets_of(class) {
        *buckets.entry(lowest_of(usize::from(bucket.index))).or_insert(0) += bucket.count;
    }
    json!({
        "class": class.class.as_str(), "buckets": buckets.into_iter().collect::<Vec<_>>(), "flows": class.flows,
        "flagged": class.flagged, "canary": class.canary, "canary_flagged": class.canary_flagged,
        "released": class.released, "rules": report.rules_of(class).collect::<Vec<_>>(),
    })
}

fn status_value(device: &str, status: &Status) -> Value {
    let packages: Vec<_> = status
        .packages
        .iter()
        .map(|p| json!({ "name": &*p.name, "version": &*p.version, "installed_at": p.installed_at }))
        .collect();
    json!({
        "kind": "status", "device": device, "online": status.online, "boot": status.boot, "at": status.at,
        "model": status.model.as_deref(), "branch": status.branch.as_deref(), "customer": status.customer.as_deref(),
        "firmware": status.firmware.as_deref(), "update": status.update.as_deref(),
        "update_installed_at": status.update_installed_at, "packages": packages,
        "workaround": status.workaround.as_ref().map(|w| json!({ "id": w.id.as_deref(), "active": w.active })),
    })
}

/// Checks every line of `refused.jsonl`; returns the reasons that were met.
pub fn check_refused(directory: &Path) -> Vec<String> {
    let mut decoder = Decoder::new(Limits::default());
    let lines = std::fs::read_to_string(directory.join("refused.jsonl")).unwrap();
    let mut reasons = Vec::new();
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| line[key].as_str().unwrap();
        let payload = base64::engine::general_purpose::STANDARD.decode(text("payload_b64")).unwrap();
        let refusal = match text("kind") {
            "report" => decoder.report(text("device"), &payload).map(drop).unwrap_err(),
            _ => decoder.status(text("device"), &payload).map(drop).unwrap_err(),
        };
        assert_eq!(refusal.reason(), text("reason"), "{}: {refusal}", text("name"));
        reasons.push(refusal.reason().to_owned());
    }
    reasons
}

/// Checks every line of `left-out.jsonl`; returns the reasons that were met.
pub fn check_left_out(directory: &Path) -> Vec<String> {
    let mut decoder = Decoder::new(Limits::default());
    let lines = std::fs::read_to_string(directory.join("left-out.jsonl")).unwrap();
    let mut reasons = Vec::new();
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| line[key].as_str().unwrap();
        let payload = base64::engine::general_purpose::STANDARD.decode(text("payload_b64")).unwrap();
        let device = text("device");
        let decoded = match text("kind") {
            "report" => report_value(device, decoder.report(device, &payload).unwrap()),
            _ => status_value(device, &decoder.status(device, &payload).unwrap()),
        };
        assert_eq!(decoded, line["expected"], "{}", text("name"));
        let fields: serde_json::Map<String, Value> =
            decoder.left_out().iter().map(|(field, count)| (field.as_str().to_owned(), count.into())).collect();
        assert_eq!(Value::Object(fields), line["fields"], "{}", text("name"));
        let (_, why) = decoder.left_out().first().unwrap();
        assert_eq!(why.reason(), text("reason"), "{}: {why}", text("name"));
        reasons.push(why.reason().to_owned());
    }
    reasons
}
