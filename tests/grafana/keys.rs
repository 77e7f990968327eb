//! The keys and kinds of value that Grafana's own types know (`fixtures/grafana/keys.json`, made from `@grafana/schema` by
//! `keys.mjs` beside it), and those that its types leave open, restated here.

use std::collections::BTreeMap;

use serde_json::Value;

/// A type is a list of what a value may be: `string number boolean object null any`, `=literal`, `[type]`, or the name of a record.
type Records = BTreeMap<String, BTreeMap<String, Vec<String>>>;

/// What the types leave to plugins: the Prometheus data source's queries and marks, the options of transformations.
const OPEN: &[(&str, &[&str])] = &[
    ("PrometheusQuery", &["datasource", "editorMode", "expr", "format", "instant", "legendFormat", "range", "refId"]),
    ("PrometheusMark", &["expr", "step", "tagKeys", "textFormat", "titleFormat", "useValueForTime"]),
    ("joinByField", &["byField", "mode"]),
    ("filterFieldsByName", &["include"]),
    ("organize", &["excludeByName", "indexByName", "renameByName"]),
];

pub struct Keys(Records);

impl Keys {
    pub fn read() -> Self {
        Self(serde_json::from_str(&super::read("fixtures/grafana/keys.json")).unwrap())
    }

    /// Everything in `dashboard` that Grafana does not know, as `path: what`.
    pub fn unknown(&self, dashboard: &Value) -> Vec<String> {
        let mut found = Vec::new();
        self.check(dashboard, &["Dashboard".to_owned()], "", &mut found);
        for (number, panel) in super::list(dashboard, "/panels").iter().enumerate() {
            self.panel(panel, &format!("/panels/{number}"), &mut found);
        }
        for (number, mark) in super::list(dashboard, "/annotations/list").iter().enumerate() {
            let own = keys_of(mark).filter(|key| !self.0["AnnotationQuery"].contains_key(*key));
            outside(own, "PrometheusMark", &format!("/annotations/list/{number}"), &mut found);
        }
        found
    }

    fn panel(&self, panel: &Value, path: &str, found: &mut Vec<String>) {
        let kind = super::text(panel, "/type").replace('-', "");
        for (pointer, record) in [("/options", "Options"), ("/fieldConfig/defaults/custom", "FieldConfig")] {
            let value = panel.pointer(pointer).unwrap_or(&Value::Null);
            let name = format!("{kind}.{record}");
            if self.0.contains_key(&name) {
                self.check(value, &[name], &format!("{path}{pointer}"), found);
            } else if value.as_object().is_some_and(|fields| !fields.is_empty()) {
                found.push(format!("{path}{pointer}: {kind} has none"));
            }
        }
        for (number, target) in super::list(panel, "/targets").iter().enumerate() {
            outside(keys_of(target), "PrometheusQuery", &format!("{path}/targets/{number}"), found);
        }
        for (number, step) in super::list(panel, "/transformations").iter().enumerate() {
            let options = step.get("options").unwrap_or(&Value::Null);
            outside(keys_of(options), super::text(step, "/id"), &format!("{path}/transformations/{number}"), found);
        }
    }

    fn check(&self, value: &Value, types: &[String], path: &str, found: &mut Vec<String>) {
        if types.iter().any(|name| fits(value, name)) {
            return;
        }
        if let Value::Array(items) = value {
            let inner: Vec<String> =
                types.iter().filter_map(|name| Some(name.strip_prefix('[')?.strip_suffix(']')?.to_owned())).collect();
            if inner.is_empty() {
                found.push(format!("{path}: a list, expected {types:?}"));
            }
            for (number, item) in items.iter().enumerate() {
                self.check(item, &inner, &format!("{path}/{number}"), found);
            }
            return;
        }
        let records: Vec<_> = types.iter().filter_map(|name| self.0.get(name)).collect();
        let (Value::Object(fields), false) = (value, records.is_empty()) else {
            found.push(format!("{path}: {value}, expected {types:?}"));
            return;
        };
        // Of several records the one that explains the value best is meant.
        let is_open = types.iter().any(|name| name == "AnnotationQuery");
        let best = records.into_iter().map(|record| self.against(fields, record, is_open, path)).min_by_key(Vec::len);
        found.extend(best.unwrap());
    }

    fn against(
        &self,
        fields: &serde_json::Map<String, Value>,
        record: &BTreeMap<String, Vec<String>>,
        is_open: bool,
        path: &str,
    ) -> Vec<String> {
        let mut found = Vec::new();
        for (key, value) in fields {
            match record.get(key) {
                Some(types) => self.check(value, types, &format!("{path}/{key}"), &mut found),
                None if is_open => {}
                None => found.push(format!("{path}: unknown key {key}")),
            }
        }
        found
    }
}

fn fits(value: &Value, name: &str) -> bool {
    match name {
        "any" => true,
        "string" => value.is_string(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        _ => match (name.strip_prefix('='), value) {
            (Some(literal), Value::String(text)) => text == literal,
            (Some(literal), Value::Number(number)) => number.to_string() == literal,
            _ => false,
        },
    }
}

fn keys_of(value: &Value) -> impl Iterator<Item = &str> {
    value.as_object().into_iter().flat_map(|fields| fields.keys().map(String::as_str))
}

fn outside<'a>(keys: impl Iterator<Item = &'a str>, record: &str, path: &str, found: &mut Vec<String>) {
    let known = OPEN.iter().find(|(name, _)| *name == record).map_or(&[][..], |(_, keys)| keys);
    found.extend(keys.filter(|key| !known.contains(key)).map(|key| format!("{path}: unknown key {key} of {record}")));
}

#[test]
fn grafana_knows_every_key_of_the_dashboards() {
    let keys = Keys::read();
    let mut found = Vec::new();
    for (path, dashboard) in super::all_dashboards() {
        found.extend(keys.unknown(&dashboard).into_iter().map(|what| format!("{path}{what}")));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_key_or_value_that_grafana_does_not_know_is_found() {
    let keys = Keys::read();
    let (_, good) = super::all_dashboards().into_iter().find(|(path, _)| path == "en/fleet.json").unwrap();
    let panel = |kind: &str| {
        let panels = super::list(&good, "/panels");
        panels.iter().position(|panel| super::text(panel, "/type") == kind).unwrap()
    };
    let (heatmap, table, graph) = (panel("heatmap"), panel("table"), panel("timeseries"));
    let cases = [
        ("/colour".to_owned(), Value::from("x")),
        ("/panels/0/descripton".to_owned(), Value::from("x")),
        ("/panels/0/gridPos/width".to_owned(), Value::from(3)),
        ("/editable".to_owned(), Value::from("false")),
        (format!("/panels/{heatmap}/options/color/palette"), Value::from("x")),
        (format!("/panels/{heatmap}/options/color/scale"), Value::from("cubic")),
        (format!("/panels/{graph}/fieldConfig/defaults/custom/lineStile"), Value::from("x")),
        (format!("/panels/{graph}/fieldConfig/defaults/color/mode"), Value::from("rainbow")),
        (format!("/panels/{graph}/targets/0/query"), Value::from("up")),
        (format!("/panels/{table}/transformations/0/options/by"), Value::from("x")),
        ("/annotations/list/0/format".to_owned(), Value::from("x")),
        ("/templating/list/0/value".to_owned(), Value::from("x")),
    ];
    for (pointer, value) in cases {
        let mut bad = good.clone();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let parent = if parent.is_empty() { &mut bad } else { bad.pointer_mut(parent).unwrap() };
        parent[key] = value;
        assert_eq!(keys.unknown(&bad).len(), 1, "{pointer}: {:?}", keys.unknown(&bad));
    }
}
