//! What changed? An update against the one before, against those that do not have it.

use super::build::Dashboard;
use super::palette::{BAD, GOOD, WARNING};
use super::panel::Panel;
use super::recorded::{
    CLASS_P95, SECOND_OPINION, UPDATE_BUCKETS, UPDATE_FALSE_POSITIVES, UPDATE_FLAGGED, UPDATE_P50, UPDATE_P95,
    UPDATE_P99,
};
use super::variable::{against, class, update};
use super::words::{Say, say};
use crate::metrics::names::{FLEET_BY_UPDATE, GATE_DECISIONS, UPDATE_HELD, UPDATE_ROLLOUT};

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        name: "update",
        title: say("fleetwatch: update", "fleetwatch: 更新版"),
        question: say("What changed?", "何が変わったか。"),
        from: "now-24h",
        refresh: "1m",
        variables: vec![update(), against(), class()],
        panels: vec![
            gate(),
            rollout(),
            share(),
            decisions(),
            quantile(say("Delay, median", "遅延 中央値"), "0.5", UPDATE_P50),
            quantile(say("Delay, 95th percentile", "遅延 95パーセンタイル"), "0.95", UPDATE_P95),
            quantile(say("Delay, 99th percentile", "遅延 99パーセンタイル"), "0.99", UPDATE_P99),
            compared(
                say("False positives", "誤検知"),
                say("Known-good probes wrongly flagged in half an hour.", "30分間に誤って検知された試験通信の割合。"),
                UPDATE_FALSE_POSITIVES,
            ),
            compared(
                say("Flagged flows", "検知された通信"),
                say("Share of all flows that were flagged.", "検知された通信の割合。"),
                UPDATE_FLAGGED,
            ),
            adoption(),
            classes(),
            opinion(),
        ],
    }
}

/// This update, the one it is compared with, and all that do not have it.
fn quantile(title: Say, quantile: &str, recorded: &str) -> Panel {
    let others = format!("sum by (le) ({UPDATE_BUCKETS}{{class=\"$class\",update!=\"$update\"}})");
    Panel::graph(
        title,
        say(
            "Of the chosen traffic class: with the update, with the one it is compared with, and without it.",
            "選んだ通信の種類について。この版、比較する版、この版でない装置。",
        ),
    )
    .query(format!("{recorded}{{class=\"$class\",update=\"$update\"}}"), "$update")
    .query(format!("{recorded}{{class=\"$class\",update=\"$against\"}}"), "$against")
    .query(format!("histogram_quantile({quantile}, {others})"), "without $update")
    .unit("s")
    .range(0.0, None)
}

fn compared(title: Say, help: Say, recorded: &str) -> Panel {
    Panel::graph(title, help)
        .query(format!("{recorded}{{class=\"$class\",update=\"$update\"}}"), "$update")
        .query(format!("{recorded}{{class=\"$class\",update=\"$against\"}}"), "$against")
        .query(format!("avg({recorded}{{class=\"$class\",update!=\"$update\"}})"), "without $update")
        .unit("percentunit")
        .range(0.0, None)
}

fn gate() -> Panel {
    Panel::stat(
        say("Gate", "配信ゲート"),
        say("What the updater is told about this update.", "配信サーバーに伝えている、この版の扱い。"),
    )
    .query(format!("{UPDATE_HELD}{{update=\"$update\"}}"), "")
    .word(0.0, say("not held", "保留なし"), GOOD)
    .word(1.0, say("ON HOLD", "保留中"), BAD)
}

fn rollout() -> Panel {
    Panel::stat(
        say("Rollout began", "配信の開始"),
        say("When the third device installed it.", "3台目の装置が導入した時刻。"),
    )
    .query(format!("{UPDATE_ROLLOUT}{{update=\"$update\"}} * 1000"), "")
    .unit("dateTimeAsIso")
    .none(say("not known", "不明"))
}

fn share() -> Panel {
    Panel::stat(
        say("Degraded with it", "この版での低下"),
        say("Share of the devices with this update that are degraded.", "この版の装置のうち、低下している割合。"),
    )
    .query(
        format!(
            "sum({FLEET_BY_UPDATE}{{update=\"$update\",verdict=\"degraded\"}}) / (sum({FLEET_BY_UPDATE}{{update=\"$update\"}}) > 0)"
        ),
        "",
    )
    .unit("percentunit")
    .decimals(1)
    .none(say("no device has it", "導入した装置なし"))
    .steps(vec![(None, GOOD), (Some(0.02), WARNING), (Some(0.1), BAD)])
}

fn decisions() -> Panel {
    Panel::stat(
        say("Gate decisions", "ゲートの判断"),
        say(
            "In the time range, about any update, by the detector and by people.",
            "期間内の判断の数。検知器によるものと人によるもの。",
        ),
    )
    .query(format!("sum by (by, gate) (increase({GATE_DECISIONS}[$__range]))"), "{{by}}: {{gate}}")
    .decimals(0)
}

fn adoption() -> Panel {
    Panel::graph(say("Adoption", "導入状況"), say("Devices by the update that they have.", "装置が導入している版。"))
        .query(format!("sum by (update) ({FLEET_BY_UPDATE}) > 0"), "{{update}}")
        .range(0.0, None)
        .stacked()
}

fn classes() -> Panel {
    Panel::graph(
        say("Delay of each class, whole fleet", "通信の種類別の遅延（全装置）"),
        say("95th percentile: which traffic carries it?", "95パーセンタイル。どの通信に出ているか。"),
    )
    .query(CLASS_P95, "{{class}}")
    .unit("s")
    .range(0.0, None)
}

fn opinion() -> Panel {
    Panel::graph(
        say("Second opinion", "別の目による判定"),
        say(
            "Classes and updates that a rule apart from the detector finds slower than the day before: 1 while it does.",
            "検知器とは別の規則が、前日より遅いと判定したもの。その間は1。",
        ),
    )
    .query(SECOND_OPINION, "{{class}} {{update}}")
    .range(0.0, Some(1.0))
    .none(say("nothing is slower than the day before", "前日より遅いものはない"))
}
