//! What people read: on Japanese dashboards Japanese, nowhere a name that only a program knows.

use std::collections::{BTreeMap, BTreeSet};

use fleetwatch::engine::device::TrafficClass;
use fleetwatch::engine::effect::ChangeKind;
use fleetwatch::engine::fleet::Refusal;
use fleetwatch::engine::verdict::Test;
use fleetwatch::engine::wire::DecodeError;
use fleetwatch::incident::{Milestone, Role, State};
use fleetwatch::journal::AppendError;
use fleetwatch::metrics::incidents::ROLE_STATUS;
use serde_json::Value;

use super::{all_dashboards, list, text};

/// Words of Latin script that Japanese engineers read as they are.
const LATIN: &[&str] = &[
    "fleetwatch",
    "Prometheus",
    "JSON",
    "CPU",
    "HTTP",
    "HTTPS",
    "DNS",
    "VPN",
    "VoIP",
    "p50",
    "p95",
    "p99",
    "update",
    "against",
];

/// Without what stands for a label's value, such as `{{branch}}` or `${__field.labels.branch}`.
fn without_labels(text: &str) -> String {
    let mut rest = text.to_owned();
    for (open, close) in [("{{", "}}"), ("${", "}")] {
        while let Some((before, after)) = rest.split_once(open) {
            let (_, behind) = after.split_once(close).unwrap();
            rest = format!("{before} {behind}");
        }
    }
    rest
}

/// Everything that people read on a dashboard, with where it stands.
fn read(dashboard: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut take = |place: &str, value: &Value, pointers: &[&str]| {
        for pointer in pointers {
            let said = text(value, pointer);
            found.extend((!said.is_empty()).then(|| (format!("{place} {pointer}"), without_labels(said))));
        }
    };
    take("dashboard", dashboard, &["/title", "/description"]);
    list(dashboard, "/links").iter().for_each(|link| take("link", link, &["/title", "/tooltip"]));
    list(dashboard, "/annotations/list")
        .iter()
        .for_each(|mark| take("mark", mark, &["/name", "/titleFormat", "/textFormat"]));
    list(dashboard, "/templating/list")
        .iter()
        .for_each(|one| take("variable", one, &["/label", "/description", "/current/text/0"]));
    for panel in list(dashboard, "/panels") {
        let title = text(panel, "/title");
        take(
            title,
            panel,
            &["/title", "/description", "/fieldConfig/defaults/noValue", "/fieldConfig/defaults/displayName"],
        );
        list(panel, "/targets").iter().for_each(|target| take(title, target, &["/legendFormat"]));
        list(panel, "/fieldConfig/defaults/links").iter().for_each(|link| take(title, link, &["/title"]));
        let properties = list(panel, "/fieldConfig/overrides").iter().flat_map(|given| list(given, "/properties"));
        for property in properties.clone().filter(|property| property["id"] == "displayName") {
            take(title, property, &["/value"]);
        }
        for property in properties.clone().filter(|property| property["id"] == "links") {
            list(property, "/value").iter().for_each(|link| take(title, link, &["/title"]));
        }
        let own = list(panel, "/fieldConfig/defaults/mappings").iter();
        let of_columns =
            properties.filter(|property| property["id"] == "mappings").flat_map(|given| list(given, "/value"));
        for mapping in own.chain(of_columns) {
            match text(mapping, "/type") {
                "value" => {
                    mapping["options"].as_object().unwrap().values().for_each(|word| take(title, word, &["/text"]))
                }
                _ => take(title, mapping, &["/options/result/text"]),
            }
        }
        for step in list(panel, "/transformations") {
            let names = step.pointer("/options/renameByName").and_then(Value::as_object);
            names.into_iter().flat_map(|names| names.values()).for_each(|name| take(title, name, &[""]));
        }
    }
    found
}

#[test]
fn japanese_dashboards_are_japanese_in_every_word() {
    let mut seen = 0;
    for (path, dashboard) in all_dashboards().iter().filter(|(path, _)| path.starts_with("ja/")) {
        for (place, said) in read(dashboard) {
            let words =
                said.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| word.chars().any(char::is_alphabetic));
            let foreign: Vec<_> = words.filter(|word| !LATIN.contains(word)).collect();
            assert!(foreign.is_empty(), "{path}, {place}: {foreign:?} in {said:?}");
            seen += 1;
        }
    }
    assert!(seen > 600, "{seen}");
}

#[test]
fn english_dashboards_are_english_and_show_no_identifiers() {
    for (path, dashboard) in all_dashboards().iter().filter(|(path, _)| path.starts_with("en/")) {
        for (place, said) in read(dashboard) {
            assert!(said.is_ascii() && !said.contains('_'), "{path}, {place}: {said:?}");
        }
    }
}

/// The values of labels that come from a closed list of the program's own.
fn closed() -> BTreeMap<&'static str, Vec<Vec<&'static str>>> {
    let states = State::ALL.map(State::as_str).to_vec();
    let refusals = Refusal::ALL.map(Refusal::reason);
    let reasons: BTreeSet<_> =
        DecodeError::REASONS.iter().chain(&refusals).chain(AppendError::REASONS).copied().chain(["other"]).collect();
    BTreeMap::from([
        // Of an incident, or of what the detector sees.
        ("state", vec![states, vec!["pending", "declared", "recovered"]]),
        ("milestone", vec![Milestone::ALL.map(Milestone::as_str).to_vec()]),
        ("role", vec![Role::ALL.map(Role::as_str).to_vec()]),
        ("status", vec![ROLE_STATUS.to_vec()]),
        ("scope", vec![vec!["fleet", "isolated"]]),
        ("severity", vec![vec!["warning", "major"]]),
        ("cause_kind", vec![vec!["update", "package", "firmware", "model", "branch", "fleet"]]),
        ("class", vec![TrafficClass::ALL.map(TrafficClass::as_str).to_vec()]),
        ("test", vec![Test::ALL.map(Test::as_str).to_vec()]),
        ("kind", vec![ChangeKind::ALL.map(ChangeKind::as_str).to_vec()]),
        ("reason", vec![reasons.into_iter().collect()]),
    ])
}

/// Labels whose values people have chosen: names.
const CHOSEN: &[&str] = &[
    "branch", "model", "firmware", "update", "version", "device", "incident", "event", "channel", "rule", "cause",
    "le", "en", "ja",
];

/// Whether the panel has a word for the value in a legend.
fn is_named(panel: &Value, value: &str) -> bool {
    list(panel, "/fieldConfig/overrides").iter().any(|given| {
        text(given, "/matcher/options") == value
            && list(given, "/properties").iter().any(|property| property["id"] == "displayName")
    })
}

/// The values that a column with this heading has words for; of a role, what its values begin with.
fn words_of<'a>(panel: &'a Value, heading: &str) -> BTreeSet<&'a str> {
    let given = list(panel, "/fieldConfig/overrides").iter().find(|given| text(given, "/matcher/options") == heading);
    let properties = given.map_or(&[][..], |given| list(given, "/properties"));
    let mappings =
        properties.iter().filter(|property| property["id"] == "mappings").flat_map(|given| list(given, "/value"));
    let mut found = BTreeSet::new();
    for mapping in mappings {
        match mapping["options"].as_object() {
            Some(options) if mapping["type"] == "value" => found.extend(options.keys().map(String::as_str)),
            _ => {
                let pattern = text(mapping, "/options/pattern");
                found.extend(pattern.strip_prefix("/^").and_then(|rest| rest.strip_suffix("@?(.*)$/")));
            }
        }
    }
    found
}

#[test]
fn every_value_of_a_closed_list_has_a_word() {
    let closed = closed();
    let mut checked = 0;
    for (path, dashboard) in all_dashboards() {
        for panel in list(&dashboard, "/panels") {
            let name = format!("{path}, {}", text(panel, "/title"));
            for target in list(panel, "/targets") {
                let labels = text(target, "/legendFormat").split("{{").skip(1).filter_map(|rest| rest.split_once("}}"));
                for (label, _) in labels.filter(|(label, _)| !CHOSEN.contains(label)) {
                    let values = closed.get(label).unwrap_or_else(|| panic!("{name}: whose list is {label}?"));
                    for value in values.iter().flatten() {
                        assert!(is_named(panel, value), "{name}: {label} {value} has no word");
                        checked += 1;
                    }
                }
            }
            let renamed = list(panel, "/transformations")
                .iter()
                .filter_map(|step| step.pointer("/options/renameByName")?.as_object());
            for (field, heading) in renamed.flatten().filter(|(field, _)| !field.starts_with("Value")) {
                let words = words_of(panel, heading.as_str().unwrap());
                match closed.get(field.as_str()) {
                    None => assert!(CHOSEN.contains(&field.as_str()), "{name}: whose list is {field}?"),
                    Some(lists) => {
                        let is_complete = lists.iter().any(|values| values.iter().all(|value| words.contains(value)));
                        assert!(is_complete, "{name}: {field} has words for {words:?} only");
                        checked += words.len();
                    }
                }
            }
        }
    }
    assert!(checked > 250, "{checked}");
}

/// The choice of a traffic class is read, too.
#[test]
fn the_choice_of_a_class_is_in_the_language() {
    for (path, dashboard) in all_dashboards().iter().filter(|(path, _)| path.ends_with("/update.json")) {
        let variable = list(dashboard, "/templating/list").iter().find(|one| text(one, "/name") == "class").unwrap();
        let query = text(variable, "/query/query");
        for class in TrafficClass::ALL {
            assert!(query.contains(&format!("\"class\", \"{}\")", class.as_str())), "{path}: {query}");
        }
        assert_eq!(text(variable, "/regex").contains("ja=\"(?<text>"), path.starts_with("ja/"), "{path}");
    }
}
