//! What is chosen at the top of a dashboard, and what is chosen at first.
//!
//! Of many all are chosen at first. Of one, Grafana chooses the first of the list; so the list is ordered by what matters now, by a
//! query: `sort_desc` of a score for each value. A name says nothing of that.

use serde_json::{Value, json};

use super::build::source;
use super::recorded::UPDATE_P95;
use super::vocabulary::CLASSES;
use crate::metrics::names::{
    COHORT_FLOWS, DEVICE_LADDER, DEVICE_LATENCY, DEVICE_STREAK, EVENT, EVENT_CHANGE, EVENT_DAMAGE,
    EVENT_DAMAGE_DEVICES, FLEET_BY_BRANCH, FLEET_BY_MODEL, FLEET_BY_UPDATE, INCIDENT, INCIDENT_DECLARED,
    INCIDENT_LADDER, UPDATE_ROLLOUT,
};
use crate::words::{Both, Lang, say};

/// A choice at the top of a dashboard: the values of a label.
pub(super) struct Variable {
    name: &'static str,
    /// Whose values are chosen.
    of: &'static str,
    label: Both<&'static str>,
    help: Both<&'static str>,
    choice: Choice,
}

enum Choice {
    /// Any number of the values of the label in these series; all at first.
    Many(String),
    /// One; at first the one whose score is greatest.
    First { score: String, is_named: bool },
}

impl Variable {
    fn many(name: &'static str, label: Both<&'static str>, metric: impl std::fmt::Display) -> Self {
        let help = say("All at first.", "最初はすべて。");
        Self { name, of: name, label, help, choice: Choice::Many(format!("label_values({metric}, {name})")) }
    }

    fn first(name: &'static str, label: Both<&'static str>, help: Both<&'static str>, score: String) -> Self {
        Self { name, of: name, label, help, choice: Choice::First { score, is_named: false } }
    }

    pub(super) fn json(&self, lang: Lang) -> Value {
        let is_many = matches!(self.choice, Choice::Many(_));
        let (query, regex, sort) = match &self.choice {
            Choice::Many(query) => (query.clone(), String::new(), 7),
            Choice::First { score, is_named } => {
                let shown = if *is_named && lang == Lang::Ja { r#".*ja="(?<text>[^"]+)""# } else { "" };
                let regex = format!(r#"/{}="(?<value>[^"]+)"{shown}/"#, self.of);
                (format!("query_result(sort_desc({score}))"), regex, 0)
            }
        };
        let mut value = json!({
            "datasource": source(),
            "description": self.help.pick(lang),
            "hide": 0,
            "includeAll": is_many,
            "label": self.label.pick(lang),
            "multi": is_many,
            "name": self.name,
            "options": [],
            "query": { "query": query, "refId": "Variable" },
            // At each change of the range: what a night's rollout brings has to be there.
            "refresh": 2,
            "regex": regex,
            "sort": sort,
            "type": "query",
        });
        if is_many {
            value["allValue"] = json!(".*");
            let all = say("All", "すべて").pick(lang);
            value["current"] = json!({ "selected": true, "text": [all], "value": ["$__all"] });
        }
        value
    }
}

pub(super) fn branches() -> Variable {
    Variable::many("branch", say("Branch", "支店"), FLEET_BY_BRANCH)
}

pub(super) fn models() -> Variable {
    Variable::many("model", say("Model", "機種"), FLEET_BY_MODEL)
}

pub(super) fn updates() -> Variable {
    Variable::many("update", say("Update", "更新版"), FLEET_BY_UPDATE)
}

/// When each update's rollout began, as far as the range knows it: devices that have moved on do not tell any more.
fn rollouts(selector: &str) -> String {
    format!("max by (update) (last_over_time({UPDATE_ROLLOUT}{selector}[$__range]))")
}

/// Updates that devices have.
fn installed() -> String {
    format!("(sum by (update) ({FLEET_BY_UPDATE}{{update!~\"other|\"}}) > 0)")
}

/// The suspect of what is open, else the newest that devices have.
pub(super) fn update() -> Variable {
    let open =
        format!("{INCIDENT}{{cause_kind=~\"update.*\",state!=\"closed\"}} or {EVENT}{{cause_kind=~\"update.*\"}}");
    // A pair such as `update+model` names its update first.
    let suspects = format!("max by (update) (label_replace({open}, \"update\", \"$1\", \"cause\", \"([^+]+).*\"))");
    let rollouts = rollouts("");
    let score = format!(
        "{suspects} * 1e10 + on (update) {rollouts} or {suspects} * 1e10 \
         or ({rollouts} and on (update) {installed}) or {installed} * 0 or {rollouts} - 1e10",
        installed = installed(),
    );
    let help = say("First the suspect, then the newest.", "原因の候補、次に新しい順。");
    Variable::first("update", say("Update", "更新版"), help, score)
}

/// The one before the chosen update, then what was before that.
pub(super) fn against() -> Variable {
    let own = rollouts("{update=\"$update\"}");
    let others = rollouts("{update!=\"$update\"}");
    let rest = format!("({} unless on (update) {own})", installed());
    let score = format!("({others} < scalar({own})) or {others} - 1e10 or {rest} * 0 - 2e10");
    let help = say("First the one before the chosen update.", "選んだ版の一つ前の版から順。");
    Variable { name: "against", ..Variable::first("update", say("Against", "比較する版"), help, score) }
}

/// The class that the chosen update has harmed most: of an event that it is the suspect of, else the one that it slows most.
pub(super) fn class() -> Variable {
    let harm = format!("{EVENT_DAMAGE_DEVICES} * on (event, class, test) {EVENT_DAMAGE}{{when=\"during\"}}");
    let of_update = format!("max by (event) ({EVENT_CHANGE}{{cause=~\"$update([+].*)?\"}})");
    let p95 = |update: &str| format!("max by (class) ({UPDATE_P95}{{update=\"{update}\"}})");
    let score = format!(
        "max by (class) (({harm}) and on (event) {of_update}) or {} / {} * 1e-6 or count by (class) ({COHORT_FLOWS}) * 0",
        p95("$update"),
        p95("$against"),
    );
    let named = CLASSES.iter().fold(score, |score, (class, name)| {
        format!("label_replace({score}, \"ja\", \"{}\", \"class\", \"{class}\")", name.pick(Lang::Ja))
    });
    let help = say("First the class with the most damage.", "影響の大きい順。");
    let variable = Variable::first("class", say("Traffic class", "通信の種類"), help, String::new());
    Variable { choice: Choice::First { score: named, is_named: true }, ..variable }
}

/// The longest clock, then what an incident waits for, then the slowest.
pub(super) fn device() -> Variable {
    let clock = format!("max by (device) ({DEVICE_STREAK})");
    let or_0 = |expr: String| format!("on (device) ({expr} or {clock} * 0)");
    let waited_for = or_0(format!("max by (device) ({DEVICE_LADDER} < bool 7) * 100"));
    let delay = or_0(format!("max by (device) ({DEVICE_LATENCY}{{quantile=\"0.95\"}})"));
    let help = say("First the worst.", "状態の悪い順。");
    let score = format!("{clock} * 1000 + {waited_for} + {delay}");
    Variable::first("device", say("Device", "装置"), help, score)
}

/// What is open comes first, then what has the most devices that are not done, then the newest.
pub(super) fn incident() -> Variable {
    let all = format!("max by (incident) ({INCIDENT})");
    let open = format!("(max by (incident) ({INCIDENT}{{state!=\"closed\"}}) * 1e6 or {all} * 0)");
    let left = format!("(sum by (incident) ({INCIDENT_LADDER}{{step!~\"done|excepted\"}}) or {all} * 0)");
    let declared = format!("max by (incident) ({INCIDENT_DECLARED})");
    let help = say(
        "Open incidents first, those with the most unfinished devices at the top.",
        "未終結で、未完了の装置が多い順。",
    );
    let score = format!("{open} + on (incident) {left} + on (incident) {declared} / 1e10");
    Variable::first("incident", say("Incident", "障害番号"), help, score)
}
