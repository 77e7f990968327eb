//! What colour a value gets, as Grafana computes it: "nothing" never looks like health, calm never like alarm, and a timeline shows
//! its states. There is no Grafana here, so its rules are restated: a value mapping's colour counts first, then an override of the
//! query, then the colour mode; without a value there is no number, and the lowest limit's colour counts.

use serde_json::Value;

use super::{all_dashboards, list, text};

const GOOD: &str = "#0072B2";
const WARNING: &str = "#E69F00";
const BAD: &str = "#D55E00";
const UNKNOWN: &str = "#999999";

/// Text and colour; an empty text is the formatted number.
#[derive(PartialEq, Eq, Debug)]
struct Shown<'a> {
    text: &'a str,
    color: &'a str,
}

/// What a panel makes of a value of one query; `None`: there is no value.
fn shown<'a>(panel: &'a Value, query: &str, value: Option<f64>) -> Shown<'a> {
    let defaults = &panel["fieldConfig"]["defaults"];
    for mapping in list(defaults, "/mappings") {
        let result = match (text(mapping, "/type"), value) {
            ("value", Some(value)) => mapping["options"].get(value.to_string()),
            ("special", None) if text(mapping, "/options/match") == "null+nan" => mapping.pointer("/options/result"),
            _ => None,
        };
        if let Some(result) = result {
            return Shown { text: text(result, "/text"), color: text(result, "/color") };
        }
    }
    let none = if value.is_none() { text(defaults, "/noValue") } else { "" };
    let fixed = list(panel, "/fieldConfig/overrides").iter().find_map(|given| {
        let is_it = text(given, "/matcher/id") == "byFrameRefID" && text(given, "/matcher/options") == query;
        let color = list(given, "/properties").iter().find(|property| property["id"] == "color")?;
        is_it.then(|| text(color, "/value/fixedColor"))
    });
    let color = match (fixed, text(defaults, "/color/mode")) {
        (Some(fixed), _) => fixed,
        (None, "fixed") => text(defaults, "/color/fixedColor"),
        (None, "thresholds") => {
            let value = value.unwrap_or(f64::NEG_INFINITY);
            let mut steps = list(defaults, "/thresholds/steps").iter().rev();
            let reached = steps.find(|step| step["value"].as_f64().is_none_or(|from| value >= from));
            reached.map_or("", |step| text(step, "/color"))
        }
        (None, scheme) => scheme,
    };
    Shown { text: none, color }
}

fn every(check: impl Fn(&str, &Value)) {
    for (path, dashboard) in all_dashboards() {
        for panel in list(&dashboard, "/panels") {
            check(&format!("{path}, {}", text(panel, "/title")), panel);
        }
    }
}

fn is(panel: &Value, kinds: &[&str]) -> bool {
    kinds.contains(&text(panel, "/type"))
}

#[test]
fn no_value_is_grey_and_said_on_every_tile() {
    every(|name, panel| {
        if !is(panel, &["stat", "bargauge", "state-timeline"]) {
            return;
        }
        for target in list(panel, "/targets") {
            let shown = shown(panel, text(target, "/refId"), None);
            assert_eq!(shown.color, UNKNOWN, "{name}: nothing is known, and it looks like something");
            assert!(!shown.text.is_empty(), "{name}: says nothing of it");
        }
    });
}

#[test]
fn a_timeline_shows_its_states_in_their_own_colours() {
    let mut timelines = 0;
    every(|name, panel| {
        if !is(panel, &["state-timeline"]) {
            return;
        }
        assert_ne!(text(panel, "/fieldConfig/defaults/color/mode"), "thresholds", "{name}: merged by limits");
        let words = list(panel, "/fieldConfig/defaults/mappings").iter().find(|mapping| mapping["type"] == "value");
        let words = words.unwrap_or_else(|| panic!("{name}: no words"))["options"].as_object().unwrap();
        assert!(words.len() >= 4, "{name}");
        for value in words.keys().map(|value| value.parse::<f64>().unwrap()) {
            let shown = shown(panel, "A", Some(value));
            assert!(!shown.text.is_empty() && shown.color.starts_with('#'), "{name}: {value} is {shown:?}");
        }
        // A value that nobody has named is not healthy either.
        assert_eq!(shown(panel, "A", Some(99.0)).color, UNKNOWN, "{name}");
    });
    for (_, dashboard) in all_dashboards() {
        timelines += list(&dashboard, "/panels").iter().filter(|panel| is(panel, &["state-timeline"])).count();
    }
    assert_eq!(timelines, 8, "four, in two languages");
}

const NOTHING: f64 = -1e9;
const DECLARED: f64 = -2e9;

/// The tiles with colours by value: dashboard, place, query, and the value of a quiet night; then of a bad one and its colour.
#[rustfmt::skip]
const TILES: &[(&str, &str, &str, f64, f64, &str)] = &[
    ("wall", "Incidents that are not closed", "B", NOTHING, 599.0, BAD),
    ("wall", "Clock of the worst", "B", 0.0, 1_800.0, WARNING),
    ("wall", "Time left", "A", NOTHING, DECLARED, BAD),
    ("wall", "Reporting", "A", 1.0, 0.5, BAD),
    ("wall", "Degraded now", "A", 0.0, 500.0, BAD),
    ("wall", "On the way", "A", 0.0, 1.0, WARNING),
    ("wall", "Age of the data", "A", 5.0, 600.0, BAD),
    ("wall", "Age of the data", "B", 5.0, 600.0, BAD),
    ("wall", "Deadline", "A", NOTHING, DECLARED, BAD),
    ("fleet", "Degraded by branch", "A", 0.0, 0.9, BAD),
    ("fleet", "Degraded by model", "A", 0.0, 0.9, BAD),
    ("fleet", "Degraded by update", "A", 0.0, 0.9, BAD),
    ("device", "Now", "A", 2.0, 3.0, BAD),
    ("device", "Declaration clock", "A", 0.0, 3_600.0, BAD),
    ("device", "Last heard", "A", 5.0, 3_600.0, BAD),
    ("device", "Baseline", "A", 1.0, 0.5, UNKNOWN),
    ("incident", "Time left to the promise", "A", NOTHING, -60.0, BAD),
    ("incident", "Forecast against the promise", "A", NOTHING, 60.0, BAD),
    ("update", "Gate", "A", 0.0, 1.0, BAD),
    ("update", "Degraded with it", "A", 0.0, 0.9, BAD),
    ("itself", "Scraped", "A", 1.0, 0.0, BAD),
    ("itself", "Broker", "A", 1.0, 0.0, BAD),
    ("itself", "Journal", "A", 1.0, 0.0, BAD),
    ("itself", "Decision lag", "A", 1.0, 60.0, BAD),
    ("itself", "Last report", "A", 1.0, 600.0, BAD),
    ("itself", "Checkpoint", "A", 1.0, 6_000.0, BAD),
    ("itself", "Baseline learned", "A", 1.0, 0.5, UNKNOWN),
];

#[test]
fn a_quiet_night_is_calm_and_a_bad_one_is_not() {
    let all = all_dashboards();
    let of = |name: &str| &all.iter().find(|(path, _)| *path == format!("en/{name}.json")).unwrap().1;
    for (dashboard, title, query, calm, bad, color) in TILES {
        let panel = list(of(dashboard), "/panels").iter().find(|panel| text(panel, "/title") == *title);
        let panel = panel.unwrap_or_else(|| panic!("{dashboard} has no {title}"));
        assert_eq!(shown(panel, query, Some(*calm)).color, GOOD, "{dashboard}, {title}: calm at {calm}");
        assert_eq!(shown(panel, query, Some(*bad)).color, *color, "{dashboard}, {title}: at {bad}");
    }
    // No tile that goes by values is forgotten.
    for (path, dashboard) in all.iter().filter(|(path, _)| path.starts_with("en/")) {
        for panel in list(dashboard, "/panels").iter().filter(|panel| is(panel, &["stat", "bargauge"])) {
            let by_value = text(panel, "/fieldConfig/defaults/color/mode") == "thresholds";
            let title = text(panel, "/title");
            assert!(!by_value || TILES.iter().any(|tile| tile.1 == title), "{path}: what is calm on {title}?");
        }
    }
}

#[test]
fn what_is_not_closed_is_the_first_thing_on_the_wall() {
    for (path, dashboard) in all_dashboards().iter().filter(|(path, _)| path.ends_with("/wall.json")) {
        let first = &list(dashboard, "/panels")[0];
        let at = |key: &str| first["gridPos"][key].as_u64().unwrap();
        assert_eq!((at("x"), at("y")), (0, 0), "{path}");
        let open = text(&list(first, "/targets")[0], "/expr");
        assert!(
            open.contains("fleetwatch_incident_info{state!=\"closed\"}") && open.contains("ladder"),
            "{path}: {open}"
        );
        assert_eq!(shown(first, "A", Some(599.0)).color, BAD);
        assert_eq!(shown(first, "A", Some(0.0)).color, WARNING, "done, and not closed");
        let clock = &list(dashboard, "/panels")[1];
        for since in [0.0, 60.0, 4_380.0] {
            assert_eq!(shown(clock, "A", Some(since)).color, BAD, "{path}: declared {since} s ago");
        }
    }
}

#[test]
fn a_table_of_incidents_tells_none_from_not_seen() {
    let mut tables = 0;
    for (path, dashboard) in all_dashboards().iter().filter(|(path, _)| path.ends_with("/wall.json")) {
        for panel in list(dashboard, "/panels").iter().filter(|panel| is(panel, &["table"])) {
            let title = text(panel, "/title");
            let expr = text(&list(panel, "/targets")[0], "/expr");
            assert!(
                expr.contains("\"none\"") && expr.contains("fleetwatch_clock_timestamp_seconds"),
                "{path}, {title}"
            );
            let none = text(panel, "/fieldConfig/defaults/noValue");
            assert!(!["none", "なし"].contains(&none), "{path}, {title}: without any data it says {none}");
            let named = list(panel, "/fieldConfig/overrides").iter().flat_map(|given| list(given, "/properties"));
            let mut words = named.filter(|property| property["id"] == "mappings");
            let word = words.next().and_then(|word| word.pointer("/value/0/options/none/text")).and_then(Value::as_str);
            assert_eq!(word, Some(if path.starts_with("ja") { "なし" } else { "none" }), "{path}, {title}");
            tables += 1;
        }
    }
    assert_eq!(tables, 4);
}
