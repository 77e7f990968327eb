//! What happened, as vertical lines in every graph: one switch for all of it.

use serde_json::{Value, json};

use super::build::source;
use super::palette::PURPLE;
use crate::metrics::names::{EVENT_CHANGE, INCIDENT_MILESTONE, UPDATE_ROLLOUT};
use crate::words::{Both, Lang, say};

/// What leaves a mark: its name, and series whose values are seconds since the epoch, with a label that says of what. Grafana writes
/// the name of a label that a mark does not have, so all have this one.
fn kinds() -> [(Both<&'static str>, String); 6] {
    let of = |series: String, labels: &str| format!("label_join({series}, \"of\", \" \", {labels})");
    let change = |kind| of(format!("{EVENT_CHANGE}{{kind=\"{kind}\"}}"), "\"event\", \"incident\", \"cause\"");
    let milestone = |milestone| of(format!("{INCIDENT_MILESTONE}{{milestone=\"{milestone}\"}}"), "\"incident\"");
    [
        (say("update rollout", "更新版の配信"), of(UPDATE_ROLLOUT.to_string(), "\"update\"")),
        (say("early warning", "早期警告"), change("early_warning")),
        (say("declared", "重大障害の宣言"), change("declared")),
        (say("workaround available", "回避策の提供"), milestone("workaround_available")),
        (say("fix available", "恒久対策の提供"), milestone("fix_available")),
        (say("closed", "終結"), milestone("closed")),
    ]
}

/// A mark for each instant. What it is stands in a label of each language: Grafana has no words for the values of a mark's labels.
pub(super) fn mark(lang: Lang) -> Value {
    let named = kinds().map(|(name, instants)| {
        let in_english = format!("label_replace({instants}, \"en\", \"{}\", \"\", \"\")", name.pick(Lang::En));
        format!("label_replace({in_english}, \"ja\", \"{}\", \"\", \"\")", name.pick(Lang::Ja))
    });
    json!({
        "datasource": source(),
        "enable": true,
        // Grafana takes the values as milliseconds.
        "expr": format!("({}) * 1000", named.join(" or ")),
        "hide": false,
        "iconColor": PURPLE,
        "name": say("What happened", "出来事").pick(lang),
        "step": "60s",
        "tagKeys": "",
        "textFormat": "",
        "titleFormat": format!("{{{{{}}}}}: {{{{of}}}}", lang.code()),
        "useValueForTime": true,
    })
}
