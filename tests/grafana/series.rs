//! What is drawn, as Grafana 12 draws it: which series can be told apart, what is cut, what is chosen.

use serde_json::Value;

use super::{all_dashboards, list, text};

/// Applies a check to every panel, with its path and title.
fn every(check: impl Fn(&str, &Value)) {
    for (path, dashboard) in all_dashboards() {
        for panel in list(&dashboard, "/panels") {
            check(&format!("{path}, {}", text(panel, "/title")), panel);
        }
    }
}

fn is(panel: &Value, kind: &str) -> bool {
    text(panel, "/type") == kind
}

/// A property that the panel's overrides set where the matcher says `id` and `options`.
fn overridden<'a>(panel: &'a Value, (id, options): (&str, &str), property: &str) -> Option<&'a Value> {
    let matching = |given: &&Value| text(given, "/matcher/id") == id && text(given, "/matcher/options") == options;
    let mut properties =
        list(panel, "/fieldConfig/overrides").iter().filter(matching).flat_map(|given| list(given, "/properties"));
    properties.find(|given| text(given, "/id") == property).map(|given| &given["value"])
}

/// What makes a line: its colour, and whether it is dashed or wide.
#[derive(PartialEq, Debug)]
struct Line {
    of: String,
    color: String,
    dashed: bool,
    wide: bool,
}

fn line(panel: &Value, matcher: (&str, &str)) -> Option<Line> {
    let color = overridden(panel, matcher, "color")?;
    assert_eq!(text(color, "/mode"), "fixed");
    Some(Line {
        of: matcher.1.to_owned(),
        color: text(color, "/fixedColor").to_owned(),
        dashed: overridden(panel, matcher, "custom.lineStyle").is_some(),
        wide: overridden(panel, matcher, "custom.lineWidth").is_some(),
    })
}

/// Labels whose values are a closed list: each value has a colour of its own.
const LISTED: [(&str, usize); 2] = [("{{class}}", 8), ("{{kind}}", 7)];

/// Every line that a graph can show.
fn lines(name: &str, panel: &Value) -> Vec<Line> {
    let mut found = Vec::new();
    for target in list(panel, "/targets") {
        let (legend, expr) = (text(target, "/legendFormat"), text(target, "/expr"));
        if let Some((_, count)) = LISTED.iter().find(|(label, _)| *label == legend) {
            let named =
                list(panel, "/fieldConfig/overrides").iter().filter(|given| text(given, "/matcher/id") == "byName");
            let of_names: Vec<_> =
                named.filter_map(|given| line(panel, ("byName", text(given, "/matcher/options")))).collect();
            assert_eq!(of_names.len(), *count, "{name}: {legend}");
            found.extend(of_names);
        } else {
            assert!(
                !legend.contains("{{") || expr.contains("topk("),
                "{name}: any number of series of one colour: {expr}"
            );
            found.push(
                line(panel, ("byFrameRefID", text(target, "/refId"))).unwrap_or_else(|| panic!("{name}: {expr}")),
            );
        }
    }
    found
}

/// How people see colours (Machado, Oliveira and Fernandes 2009, at full severity, on linear RGB): in the usual way, without red, green or
/// blue cones.
const SIGHTS: [[[f64; 3]; 3]; 4] = [
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
    [[0.152_286, 1.052_583, -0.204_868], [0.114_503, 0.786_281, 0.099_216], [-0.003_882, -0.048_116, 1.051_998]],
    [[0.367_322, 0.860_646, -0.227_968], [0.280_085, 0.672_501, 0.047_413], [-0.011_820, 0.042_940, 0.968_881]],
    [[1.255_528, -0.076_749, -0.178_779], [-0.078_411, 0.930_809, 0.147_602], [0.004_733, 0.691_367, 0.303_900]],
];

fn times(rows: [[f64; 3]; 3], [x, y, z]: [f64; 3]) -> [f64; 3] {
    rows.map(|[a, b, c]| a * x + b * y + c * z)
}

/// CIE 1976 L*a*b* of what one sees of an sRGB colour.
fn seen(color: &str, sight: [[f64; 3]; 3]) -> [f64; 3] {
    let channel = |at: usize| f64::from(u8::from_str_radix(&color[at..at + 2], 16).unwrap()) / 255.0;
    let linear =
        [1, 3, 5].map(channel).map(|c| if c <= 0.040_45 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) });
    let rgb = times(sight, linear).map(|c| c.clamp(0.0, 1.0));
    let xyz = times([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]], rgb);
    let f = |t: f64| if t > 0.008_856 { t.cbrt() } else { 7.787 * t + 16.0 / 116.0 };
    let [x, y, z] = [f(xyz[0] / 0.950_47), f(xyz[1]), f(xyz[2] / 1.088_83)];
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

/// How far two colours are apart for those who tell them apart worst. 2 is just noticeable side by side.
fn distance(a: &str, b: &str) -> f64 {
    let of = |sight| {
        let (a, b) = (seen(a, sight), seen(b, sight));
        (0..3).map(|at| (a[at] - b[at]).powi(2)).sum::<f64>().sqrt()
    };
    SIGHTS.into_iter().map(of).fold(f64::INFINITY, f64::min)
}

/// Of two lines that cross.
const APART: f64 = 15.0;

#[test]
fn lines_of_one_graph_are_told_apart_by_everybody() {
    assert!(distance("#E69F00", "#0072B2") > 50.0 && distance("#CC79A7", "#999999") < APART);
    let mut pairs = 0;
    every(|name, panel| {
        if !is(panel, "timeseries") {
            return;
        }
        let lines = lines(name, panel);
        for (place, one) in lines.iter().enumerate() {
            for other in &lines[..place] {
                let is_apart = distance(&one.color, &other.color) >= APART;
                assert!(is_apart || one.dashed != other.dashed || one.wide != other.wide, "{name}: {one:?}, {other:?}");
            }
        }
    });
    for (_, dashboard) in all_dashboards() {
        pairs += list(&dashboard, "/panels").iter().filter(|panel| is(panel, "timeseries")).count();
    }
    assert!(pairs >= 60, "{pairs} graphs");
}

/// A colour says how bad a number is, or which state it is. What something is called and when it began is neither.
#[test]
fn neutral_facts_have_no_colour() {
    let mut neutral = 0;
    every(|name, panel| {
        let mode = text(panel, "/fieldConfig/defaults/color/mode");
        assert!(["fixed", "thresholds"].contains(&mode), "{name}: {mode} is a colour for its own sake");
        if is(panel, "stat") {
            let is_judged = list(panel, "/fieldConfig/defaults/thresholds/steps").len() > 1
                || list(panel, "/fieldConfig/defaults/mappings").iter().any(|mapping| mapping["type"] == "value");
            let drawn = text(panel, "/options/colorMode");
            assert_eq!(drawn, if is_judged { "background" } else { "none" }, "{name}");
        }
    });
    for (_, dashboard) in all_dashboards() {
        neutral +=
            list(&dashboard, "/panels").iter().filter(|panel| text(panel, "/options/colorMode") == "none").count();
    }
    assert!(neutral >= 14, "{neutral}");
}

/// What stands between the parenthesis at the start of `rest` and the one that closes it.
fn inside(rest: &str) -> &str {
    let mut depth = 0;
    for (at, c) in rest.char_indices() {
        match c {
            '(' => depth += 1,
            ')' if depth == 1 => return &rest[1..at],
            ')' => depth -= 1,
            _ => {}
        }
    }
    panic!("not closed: {rest}");
}

#[test]
fn the_few_of_a_range_are_chosen_once() {
    let mut chosen = 0;
    for (path, dashboard) in all_dashboards() {
        for panel in list(&dashboard, "/panels") {
            for target in list(panel, "/targets").iter().filter(|target| target["range"] == true) {
                let expr = text(target, "/expr");
                for (at, _) in expr.match_indices("topk(") {
                    let argument = inside(&expr[at + "topk".len()..]);
                    assert!(argument.contains("[$__range] @ end()"), "{path}: {expr}: others at each point");
                    chosen += 1;
                }
            }
        }
    }
    assert!(chosen >= 2 * 4 * 9, "{chosen}");
}

/// Width of a text in pixels: at 14 px a letter is about half as wide as a character of Japanese.
fn width_of(text: &str) -> u64 {
    text.chars().map(|c| if c.is_ascii() { 8 } else { 15 }).sum()
}

/// Pixels of a panel on a screen of 1920: height of its content, width.
fn pixels(panel: &Value) -> (u64, u64) {
    let of = |key: &str| panel["gridPos"][key].as_u64().unwrap();
    (of("h") * 38 - 8 - 40 - 16, of("w") * 1_880 / 24 - 16)
}

#[test]
fn tables_show_every_head_and_column() {
    let mut columns = 0;
    for (path, dashboard) in all_dashboards() {
        for panel in list(&dashboard, "/panels").iter().filter(|panel| is(panel, "table")) {
            let name = format!("{path}, {}", text(panel, "/title"));
            let steps = list(panel, "/transformations");
            let heads = steps.last().unwrap().pointer("/options/renameByName").and_then(Value::as_object).unwrap();
            let mut all = 0;
            for head in heads.values().filter_map(Value::as_str) {
                let width = overridden(panel, ("byName", head), "custom.minWidth").and_then(Value::as_u64);
                let width = width.unwrap_or_else(|| panic!("{name}: {head} has Grafana's width of 150"));
                assert!(width >= width_of(head) + 30, "{name}: the head {head} is cut at {width}");
                let mappings = overridden(panel, ("byName", head), "mappings").and_then(Value::as_array);
                for mapping in mappings.into_iter().flatten().filter(|mapping| mapping["type"] == "value") {
                    for word in mapping["options"].as_object().unwrap().values() {
                        assert!(width >= width_of(text(word, "/text")) + 16, "{name}: {word} is cut at {width}");
                    }
                }
                all += width;
                columns += 1;
            }
            assert!(all <= pixels(panel).1, "{name}: {all} of {} pixels", pixels(panel).1);
        }
    }
    assert!(columns >= 60, "{columns}");
}

#[test]
fn bars_and_rows_have_room_for_every_name() {
    every(|name, panel| {
        let height = pixels(panel).0;
        if is(panel, "bargauge") {
            // A single bar has a name only where the panel gives one; beside a bar there is room for a few letters.
            assert!(text(panel, "/fieldConfig/defaults/displayName").starts_with("${__field.labels."), "{name}");
            assert_eq!(text(panel, "/options/namePlacement"), "top", "{name}");
            assert_eq!(text(panel, "/options/sizing"), "manual", "{name}");
            let bar = panel["options"]["minVizHeight"].as_u64().unwrap();
            assert!(bar >= 34 && 10 * bar + 9 * 10 <= height, "{name}: ten bars in {height} pixels");
        }
        if is(panel, "heatmap") && text(panel, "/targets/0/format") == "time_series" {
            // Below ten pixels a row Grafana names every other one.
            assert!((height - 40 - 15) / 10 >= 60, "{name}: fifty branches and more in {height} pixels");
        }
    });
}

/// A line, a row or one of several figures without a name could be anything.
#[test]
fn everything_that_is_drawn_has_a_name() {
    every(|name, panel| {
        let is_alone = list(panel, "/targets").len() == 1;
        for target in list(panel, "/targets") {
            let may_be_nameless = is(panel, "table") || target["format"] == "table" || (is(panel, "stat") && is_alone);
            assert!(may_be_nameless || !text(target, "/legendFormat").is_empty(), "{name}: {target}");
        }
        if is(panel, "stat") && text(panel, "/targets/0/format") == "table" {
            assert_eq!(text(panel, "/options/textMode"), "value_and_name", "{name}");
        }
    });
}

/// What an expression measures: of the first metric that it is made of, by the end of the metric's name.
fn measure(expr: &str) -> &'static str {
    const FLAGS: [&str; 6] = [
        "_device_reporting",
        "_device_online",
        "_in_event",
        "_workaround_active",
        "_event_declared",
        "_event_suspended",
    ];
    let is_rate = expr.contains("rate(") || expr.contains("deriv(");
    if FLAGS.iter().any(|flag| expr.contains(flag)) {
        return "flag";
    }
    let quotient = expr.split(" / ").count() == 2 && !expr.contains("_timestamp_seconds");
    if quotient || expr.contains("_ratio") {
        return "share";
    }
    if expr.contains("_written_bytes_total") {
        return "bytes a second";
    }
    if expr.contains("_bytes") {
        return if expr.contains("free_bytes") { "bytes left" } else { "bytes" };
    }
    let is_time = expr.contains("_seconds") && !expr.contains("_timestamp_seconds") && !expr.contains("process_cpu");
    match (is_time, is_rate) {
        (true, _) => "time",
        (false, true) if expr.contains("process_cpu") => "count",
        (false, true) => "count a second",
        (false, false) => "count",
    }
}

#[test]
fn a_graph_has_one_unit() {
    let units = [
        ("count", "short"),
        ("count a second", "cps"),
        ("share", "percentunit"),
        ("time", "s"),
        ("bytes", "bytes"),
        ("bytes left", "bytes"),
        ("bytes a second", "Bps"),
    ];
    every(|name, panel| {
        if !is(panel, "timeseries") {
            return;
        }
        let measures: Vec<_> = list(panel, "/targets").iter().map(|target| measure(text(target, "/expr"))).collect();
        assert!(measures.windows(2).all(|two| two[0] == two[1]), "{name}: {measures:?}");
        let unit = text(panel, "/fieldConfig/defaults/unit");
        assert!(units.contains(&(measures[0], unit)), "{name}: {} in {unit}", measures[0]);
    });
}

/// Grafana says of a timeline without any series that the data has no time field.
#[test]
fn a_timeline_always_has_something_to_show() {
    every(|name, panel| {
        if !is(panel, "state-timeline") {
            return;
        }
        let expr = text(panel, "/targets/0/expr");
        let value = expr.rsplit_once(" or on () vector(").and_then(|(_, rest)| rest.strip_suffix(')'));
        let value = value.unwrap_or_else(|| panic!("{name}: {expr}"));
        let words = list(panel, "/fieldConfig/defaults/mappings").iter().find(|mapping| mapping["type"] == "value");
        assert!(words.is_some_and(|words| words["options"].get(value).is_some()), "{name}: {value} has no word");
    });
}

/// That there is no data is what one sees. What it means is what is to be said.
#[test]
fn no_panel_says_that_there_is_no_data() {
    every(|name, panel| {
        let none = text(panel, "/fieldConfig/defaults/noValue");
        assert!(!["no data", "データなし", "none", "なし"].contains(&none), "{name}: {none}");
    });
    for (language, word) in [("en", "still being learned"), ("ja", "学習中")] {
        let all = all_dashboards();
        let device = &all.iter().find(|(path, _)| *path == format!("{language}/device.json")).unwrap().1;
        let learning =
            list(device, "/panels").iter().filter(|panel| text(panel, "/fieldConfig/defaults/noValue").contains(word));
        assert_eq!(learning.count(), 2, "{language}: limits that are not there yet");
    }
}

/// The detector's event ends with the quality's return, the incident with its last device.
#[test]
fn affected_devices_go_on_until_the_incident_is_closed() {
    for (path, dashboard) in all_dashboards().iter().filter(|(path, _)| path.ends_with("/incident.json")) {
        let titles = ["Affected devices", "影響を受けている装置"];
        let panel = list(dashboard, "/panels").iter().find(|panel| titles.contains(&text(panel, "/title"))).unwrap();
        for target in list(panel, "/targets") {
            let expr = text(target, "/expr");
            let goes_on = expr.contains("ladder_devices") || expr.contains("or on () fleetwatch_incident_info");
            assert!(goes_on && expr.contains("milestone=\"closed\""), "{path}: {expr}");
        }
        let ladder = list(dashboard, "/panels")
            .iter()
            .find(|panel| text(panel, "/type") == "table" && text(panel, "/targets/10/refId") == "K");
        let total = ladder.unwrap_or_else(|| panic!("{path}: no ladder"));
        assert!(
            list(total, "/targets").iter().all(|target| text(target, "/expr").contains("\"branch\", \"*\"")),
            "{path}"
        );
        assert!(list(total, "/targets").iter().all(|target| !text(target, "/expr").contains("topk(")), "{path}");
    }
}
