//! Rules of good dashboards: those of Grafana's dashboard-linter, restated, and our own.
//!
//! Of the linter's rules two do not hold here, on purpose: that every query selects by `$job` and by `$instance`. The
//! names of our metrics say whose they are, and one fleetwatch watches one fleet.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{all_dashboards, list, root, text};

/// Units that Grafana has (`@grafana/data`, value formats).
const UNITS: &[&str] = &["short", "none", "s", "dthms", "percentunit", "dateTimeAsIso", "cps", "bytes", "Bps"];

/// Okabe and Ito's, and a grey.
const PALETTE: &[&str] = &["#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#999999"];

/// Applies a rule to every dashboard and fails with all findings.
fn every(rule: impl Fn(&Value, &mut Vec<String>)) {
    let mut findings = Vec::new();
    for (path, dashboard) in all_dashboards() {
        let mut found = Vec::new();
        rule(&dashboard, &mut found);
        findings.extend(found.into_iter().map(|what| format!("{path}: {what}")));
    }
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

fn panels(dashboard: &Value) -> &[Value] {
    list(dashboard, "/panels")
}

fn expressions(dashboard: &Value) -> Vec<&str> {
    let targets =
        panels(dashboard).iter().flat_map(|panel| list(panel, "/targets")).map(|target| text(target, "/expr"));
    targets.chain(list(dashboard, "/annotations/list").iter().map(|mark| text(mark, "/expr"))).collect()
}

/// Every text in `value`, with its key.
fn strings<'a>(value: &'a Value, key: &'a str, found: &mut Vec<(&'a str, &'a str)>) {
    match value {
        Value::String(text) => found.push((key, text)),
        Value::Array(items) => items.iter().for_each(|item| strings(item, key, found)),
        Value::Object(fields) => fields.iter().for_each(|(key, value)| strings(value, key, found)),
        _ => {}
    }
}

#[test]
fn the_files_are_what_the_program_makes() {
    for file in fleetwatch::dashboards::files() {
        let path = root().join("grafana/dashboards").join(&file.path);
        let there = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(there == file.json, "{} is old: fleetwatch dashboards grafana/dashboards", path.display());
    }
}

#[test]
fn dashboards_are_fixed_and_not_editable() {
    let mut uids = BTreeSet::new();
    for (path, dashboard) in all_dashboards() {
        assert_eq!(dashboard["schemaVersion"], 41, "{path}");
        assert_eq!(dashboard["editable"], false, "{path}");
        assert!(dashboard.get("id").is_none(), "{path} has an id");
        let uid = text(&dashboard, "/uid");
        assert!((1..=40).contains(&uid.len()) && uids.insert(uid.to_owned()), "{path}: uid {uid}");
        assert!(!text(&dashboard, "/title").is_empty() && !text(&dashboard, "/description").is_empty(), "{path}");
    }
    assert_eq!(uids.len(), 12);
}

#[test]
fn every_panel_says_what_it_shows_and_in_which_unit() {
    every(|dashboard, found| {
        let mut titles = BTreeSet::new();
        for panel in panels(dashboard) {
            let title = text(panel, "/title");
            if title.is_empty() || text(panel, "/description").is_empty() || !titles.insert(title) {
                found.push(format!("{title}: without a title of its own or a description"));
            }
            let mut units = vec![text(panel, "/fieldConfig/defaults/unit")];
            let overrides = list(panel, "/fieldConfig/overrides").iter().flat_map(|given| list(given, "/properties"));
            units.extend(overrides.filter(|given| given["id"] == "unit").map(|given| text(given, "/value")));
            if let Some(unit) = units.iter().find(|unit| !UNITS.contains(unit)) {
                found.push(format!("{title}: unit {unit:?}"));
            }
            if text(panel, "/fieldConfig/defaults/noValue").is_empty() {
                found.push(format!("{title}: does not say what no value means"));
            }
            let ids: BTreeSet<_> = list(panel, "/targets").iter().map(|target| text(target, "/refId")).collect();
            if ids.is_empty() || ids.len() != list(panel, "/targets").len() {
                found.push(format!("{title}: no query, or two of one name"));
            }
        }
    });
}

#[test]
fn everything_asks_the_data_source_that_is_chosen() {
    every(|dashboard, found| {
        let first = &list(dashboard, "/templating/list")[0];
        if (text(first, "/name"), text(first, "/type"), text(first, "/query"))
            != ("datasource", "datasource", "prometheus")
        {
            found.push("no data source to choose".to_owned());
        }
        let mut check = |value: &Value, what: &str| {
            if text(value, "/datasource/uid") != "${datasource}" || text(value, "/datasource/type") != "prometheus" {
                found.push(format!("{what}: another data source"));
            }
        };
        for panel in panels(dashboard) {
            check(panel, text(panel, "/title"));
            list(panel, "/targets").iter().for_each(|target| check(target, text(panel, "/title")));
        }
        list(dashboard, "/templating/list").iter().skip(1).for_each(|one| check(one, text(one, "/name")));
        list(dashboard, "/annotations/list").iter().for_each(|one| check(one, text(one, "/name")));
    });
    let provisioned = super::read("grafana/provisioning/datasources/fleetwatch.yml");
    for (path, dashboard) in all_dashboards() {
        let uid = text(&dashboard, "/templating/list/0/current/value");
        assert!(provisioned.contains(&format!("uid: {uid}\n")), "{path}: {uid} is not provisioned");
    }
}

/// Of many all are chosen at first. Of one Grafana chooses the first, so the list is ordered by what matters now and not by name.
#[test]
fn variables_follow_the_time_range_and_begin_with_what_matters() {
    every(|dashboard, found| {
        for variable in list(dashboard, "/templating/list").iter().skip(1) {
            let (name, query) = (text(variable, "/name"), text(variable, "/query/query"));
            let is_good = if variable["multi"] == true {
                query.starts_with("label_values(") && query.ends_with(')') && query.contains(", ")
            } else {
                let takes_a_label = text(variable, "/regex").contains("=\"(?<value>[^\"]+)\"");
                let begins_anywhere = variable.get("current").is_none();
                query.starts_with("query_result(sort_desc(")
                    && query.ends_with("))")
                    && variable["sort"] == 0
                    && takes_a_label
                    && begins_anywhere
            };
            let is_said = !text(variable, "/label").is_empty() && !text(variable, "/description").is_empty();
            if variable["refresh"] != 2 || !is_good || !is_said {
                found.push(format!("variable {name}: {query}"));
            }
            if variable["multi"] == true && text(variable, "/allValue") != ".*" {
                found.push(format!("variable {name}: all is not everything"));
            }
        }
    });
}

/// A counter alone says how long the process has run, and a fixed window fits one step only.
#[test]
fn counters_are_read_as_rates_over_the_interval_of_the_step() {
    every(|dashboard, found| {
        for expr in expressions(dashboard) {
            let counters = expr.match_indices("_total").chain(expr.match_indices("_seconds_bucket"));
            for (at, _) in counters {
                let before = &expr[..at];
                let recorded = before.rsplit(|c: char| !(c.is_alphanumeric() || "_:".contains(c))).next().unwrap();
                let call = before[..before.len() - recorded.len()].trim_end_matches('(');
                if !recorded.contains(':') && !["rate", "increase"].iter().any(|function| call.ends_with(function)) {
                    found.push(format!("a bare counter: {expr}"));
                }
            }
            for function in ["rate(", "increase(", "deriv("] {
                for (at, _) in expr.match_indices(function) {
                    let window =
                        expr[at..].split_once('[').and_then(|(_, rest)| rest.split_once(']')).map(|(window, _)| window);
                    if !matches!(window, Some("$__rate_interval" | "$__range")) {
                        found.push(format!("a window that is not the step's: {expr}"));
                    }
                }
            }
        }
    });
}

#[test]
fn nobody_draws_a_thousand_rows() {
    every(|dashboard, found| {
        for panel in panels(dashboard) {
            for target in list(panel, "/targets") {
                let expr = text(target, "/expr");
                let of_devices = expr.contains("fleetwatch_device_") && !expr.contains(":fleetwatch_device_");
                let is_few = ["device=\"$device\"", "topk("].iter().any(|few| expr.contains(few))
                    || ["avg(", "sum("].iter().any(|one| expr.starts_with(one));
                if of_devices && !is_few {
                    found.push(format!("{}: {expr}", text(panel, "/title")));
                }
            }
        }
    });
}

#[test]
fn colours_are_those_that_the_colour_blind_can_tell_apart() {
    every(|dashboard, found| {
        let mut all = Vec::new();
        strings(dashboard, "", &mut all);
        for (key, value) in all {
            let is_color = ["color", "fixedColor", "iconColor", "fill"].contains(&key) || value.starts_with('#');
            if is_color && !PALETTE.contains(&value) {
                found.push(format!("{key}: {value}"));
            }
            if key == "mode" && value.starts_with("palette") {
                found.push(format!("{key}: {value}"));
            }
        }
    });
}

#[test]
fn links_lead_somewhere_and_carry_the_time() {
    let all = all_dashboards();
    let variables: BTreeMap<String, Vec<String>> = all
        .iter()
        .map(|(_, dashboard)| {
            let names = list(dashboard, "/templating/list").iter().map(|one| text(one, "/name").to_owned());
            (text(dashboard, "/uid").to_owned(), names.collect())
        })
        .collect();
    let mut seen = 0;
    for (path, dashboard) in &all {
        let mut strings_found = Vec::new();
        strings(dashboard, "", &mut strings_found);
        for (_, url) in strings_found.iter().filter(|(key, url)| *key == "url" && !url.is_empty()) {
            let uid = url.strip_prefix("/d/").and_then(|rest| rest.split('?').next()).unwrap();
            let known = variables.get(uid).unwrap_or_else(|| panic!("{path}: {url} leads nowhere"));
            assert!(url.contains("?${__url_time_range}&"), "{path}: {url} forgets the time");
            let variable = url.split("&var-").nth(1).and_then(|rest| rest.split('=').next()).unwrap();
            assert!(known.iter().any(|name| name == variable), "{path}: {url} sets nothing");
            assert_eq!(uid.ends_with("-ja"), path.starts_with("ja/"), "{path}: {url} changes the language");
            seen += 1;
        }
        let links = list(dashboard, "/links");
        assert!(links.iter().all(|link| link["keepTime"] == true && link["includeVars"] == true));
        assert!(links.len() == 1 && links[0]["asDropdown"] == true, "{path}: links in more than one place");
    }
    assert!(seen >= 10, "{seen} links");
}

#[test]
fn panels_do_not_overlap() {
    every(|dashboard, found| {
        let mut taken = BTreeSet::new();
        for panel in panels(dashboard) {
            let at = |key: &str| panel["gridPos"][key].as_u64().unwrap();
            if at("x") + at("w") > 24 {
                found.push(format!("{} is too wide", text(panel, "/title")));
            }
            for y in at("y")..at("y") + at("h") {
                for x in at("x")..at("x") + at("w") {
                    if !taken.insert((x, y)) {
                        found.push(format!("{} lies over another", text(panel, "/title")));
                        return;
                    }
                }
            }
        }
    });
}

#[test]
fn both_languages_show_the_same_in_other_words() {
    let all: BTreeMap<_, _> = all_dashboards().into_iter().collect();
    let english: Vec<_> = all.iter().filter(|(path, _)| path.starts_with("en/")).collect();
    assert_eq!(english.len() * 2, all.len());
    for (path, dashboard) in english {
        let japanese = &all[&path.replace("en/", "ja/")];
        assert_eq!(expressions(dashboard), expressions(japanese), "{path}");
        for (ours, theirs) in panels(dashboard).iter().zip(panels(japanese)) {
            let (title, description) = (text(theirs, "/title"), text(theirs, "/description"));
            assert!(!description.is_ascii(), "{path}: {title} is not described in Japanese");
            assert!(text(ours, "/description").is_ascii(), "{path}: {}", text(ours, "/title"));
        }
    }
}

/// What may happen to a fleet, as a mark says it in each language.
const HAPPENINGS: [(&str, &str); 6] = [
    ("update rollout", "更新版の配信"),
    ("early warning", "早期警告"),
    ("declared", "重大障害の宣言"),
    ("workaround available", "回避策の提供"),
    ("fix available", "恒久対策の提供"),
    ("closed", "終結"),
];

/// A mark's value is an instant in milliseconds; one switch shows or hides all, and each says what it is in its language.
#[test]
fn every_dashboard_marks_what_happened() {
    for (path, dashboard) in all_dashboards() {
        let marks = list(&dashboard, "/annotations/list");
        assert_eq!(marks.len(), 1, "{path}: more than one switch");
        let (mark, expr) = (&marks[0], text(&marks[0], "/expr"));
        assert!(mark["useValueForTime"] == true && expr.ends_with(" * 1000"), "{path}: {expr}");
        assert_eq!(expr.matches("_timestamp_seconds").count(), HAPPENINGS.len(), "{path}: {expr}");
        for (en, ja) in HAPPENINGS {
            let said = format!("\"en\", \"{en}\", \"\", \"\"), \"ja\", \"{ja}\"");
            assert!(expr.contains(&said), "{path}: no mark for {en}");
        }
        let language = path.split('/').next().unwrap();
        // Grafana writes the name of a label that a mark does not have: every mark has these two.
        assert_eq!(text(mark, "/titleFormat"), format!("{{{{{language}}}}}: {{{{of}}}}"), "{path}");
        assert_eq!(text(mark, "/textFormat"), "", "{path}");
        assert_eq!(expr.matches("\"of\", \" \", ").count(), HAPPENINGS.len(), "{path}: {expr}");
    }
}
