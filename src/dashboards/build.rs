//! Dashboards, their variables and marks: from a description to Grafana's JSON.

use serde_json::{Value, json};

use super::marks::mark;
use super::panel::Panel;
use super::variable::Variable;
use crate::words::{Both, Lang, say};

/// The data source that the provisioning makes. Panels refer to it by a variable, so that another one can be chosen.
const DATA_SOURCE: &str = "fleetwatch-prometheus";

/// Grafana's version of the classic form.
const SCHEMA: u32 = 41;

/// A dashboard: one question.
pub(super) struct Dashboard {
    /// Of the file and the uid.
    pub(super) name: &'static str,
    pub(super) title: Both<&'static str>,
    pub(super) question: Both<&'static str>,
    /// How far back it looks at first.
    pub(super) from: &'static str,
    pub(super) refresh: &'static str,
    pub(super) variables: Vec<Variable>,
    /// Placed from left to right, and below when a line of 24 columns is full.
    pub(super) panels: Vec<Panel>,
}

/// The uid of a dashboard: fixed, so that links stay.
pub(super) fn uid(name: &str, lang: Lang) -> String {
    match lang {
        Lang::En => format!("fleetwatch-{name}"),
        Lang::Ja => format!("fleetwatch-{name}-ja"),
    }
}

impl Dashboard {
    pub(super) fn json(&self, lang: Lang) -> Value {
        let mut variables = vec![data_source(lang)];
        variables.extend(self.variables.iter().map(|variable| variable.json(lang)));
        json!({
            "annotations": { "list": [mark(lang)] },
            "description": self.question.pick(lang),
            "editable": false,
            "graphTooltip": 1,
            "links": links(lang),
            "panels": placed(&self.panels, lang),
            "refresh": self.refresh,
            "schemaVersion": SCHEMA,
            "tags": ["fleetwatch", tag(lang)],
            "templating": { "list": variables },
            "time": { "from": self.from, "to": "now" },
            "timezone": "browser",
            "title": self.title.pick(lang),
            "uid": uid(self.name, lang),
            "version": 1,
        })
    }
}

fn tag(lang: Lang) -> String {
    format!("fleetwatch-{}", lang.code())
}

/// The way to the other dashboards of the language, with the time range and the variables.
fn links(lang: Lang) -> Value {
    json!([{
        // Five links beside the variables would take a line of their own, four on a telephone.
        "asDropdown": true,
        "icon": "external link",
        "includeVars": true,
        "keepTime": true,
        "tags": [tag(lang)],
        "targetBlank": false,
        "title": say("Dashboards", "ダッシュボード").pick(lang),
        "tooltip": say("The other dashboards", "ほかのダッシュボード").pick(lang),
        "type": "dashboards",
        "url": "",
    }])
}

/// Gives each panel its place and number.
fn placed(panels: &[Panel], lang: Lang) -> Vec<Value> {
    let (mut x, mut y, mut line) = (0, 0, 0);
    let mut values = Vec::new();
    for (number, panel) in panels.iter().enumerate() {
        let (w, h) = panel.size();
        if x + w > 24 {
            (x, y, line) = (0, y + line, 0);
        }
        let mut value = panel.json(lang);
        value["id"] = json!(number + 1);
        value["gridPos"] = json!({ "h": h, "w": w, "x": x, "y": y });
        values.push(value);
        (x, line) = (x + w, line.max(h));
    }
    values
}

/// The reference to the data source in panels, variables and marks.
pub(super) fn source() -> Value {
    json!({ "type": "prometheus", "uid": "${datasource}" })
}

fn data_source(lang: Lang) -> Value {
    json!({
        "current": { "selected": false, "text": "fleetwatch", "value": DATA_SOURCE },
        "hide": 0,
        "includeAll": false,
        "label": say("Data source", "データソース").pick(lang),
        "multi": false,
        "name": "datasource",
        "options": [],
        "query": "prometheus",
        "refresh": 1,
        "regex": "",
        "type": "datasource",
    })
}
