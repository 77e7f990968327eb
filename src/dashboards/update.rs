//! What changed? An update against the one before, against those that do not have it.

use super::build::Dashboard;
use super::palette::{BAD, BLUE, GOOD, GREY, UNKNOWN, VERMILLION, WARNING};
use super::panel::{Panel, otherwise};
use super::query::{NOTHING, NOTHING_ELSE};
use super::recorded::{
    CLASS_P95, DAY_BEFORE, SECOND_OPINION, UPDATE_BUCKETS, UPDATE_FALSE_POSITIVES, UPDATE_FLAGGED, UPDATE_P50,
    UPDATE_P95, UPDATE_P99,
};
use super::variable::{against, class, update};
use super::vocabulary::{CLASSES, DASH};
use crate::metrics::names::{CLOCK, FLEET_BY_UPDATE, GATE_DECISIONS, UPDATE_HELD, UPDATE_ROLLOUT};
use crate::words::{Both, say};

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
            )
            .none(say("no known-good probes seen in this class", "この種類の試験通信なし")),
            compared(
                say("Flagged flows", "検知された通信"),
                say("Share of all flows that were flagged.", "検知された通信の割合。"),
                UPDATE_FLAGGED,
            )
            .none(say("no traffic of this class in the time range", "期間内にこの種類の通信なし")),
            adoption(),
            classes(),
            opinion(),
        ],
    }
}

/// Those without the update lie wide below the one that it is compared with: where all others have that one, both are the same.
fn three(panel: Panel, recorded: &str, without: String) -> Panel {
    panel
        .named(without, say("without $update", "$update 以外"))
        .coloured(GREY)
        .wide()
        .query(format!("{recorded}{{class=\"$class\",update=\"$against\"}}"), "$against")
        .coloured(BLUE)
        .query(format!("{recorded}{{class=\"$class\",update=\"$update\"}}"), "$update")
        .coloured(VERMILLION)
        .range(0.0, None)
}

fn quantile(title: Both<&'static str>, quantile: &str, recorded: &str) -> Panel {
    let others = format!("sum by (le) ({UPDATE_BUCKETS}{{class=\"$class\",update!=\"$update\"}})");
    let panel = Panel::graph(
        title,
        say(
            "Of the chosen traffic class: with the update, with the one it is compared with, and without it.",
            "選んだ通信の種類について。この版、比較する版、この版でない装置。",
        ),
    );
    three(panel, recorded, format!("histogram_quantile({quantile}, {others})"))
        .unit("s")
        .none(say("no traffic of this class in the time range", "期間内にこの種類の通信なし"))
}

fn compared(title: Both<&'static str>, help: Both<&'static str>, recorded: &str) -> Panel {
    let without = format!("avg({recorded}{{class=\"$class\",update!=\"$update\"}})");
    three(Panel::graph(title, help), recorded, without).unit("percentunit")
}

fn gate() -> Panel {
    Panel::stat(
        say("Gate", "配信ゲート"),
        say("The instruction to the updater about this update.", "この版についての、更新システムへの指示。"),
    )
    .query(format!("{UPDATE_HELD}{{update=\"$update\"}}"), "")
    .word(0.0, say("not held", "停止なし"), GOOD)
    .word(1.0, say("ON HOLD", "停止中"), BAD)
    .none(say("no device seen with it", "この版の装置なし"))
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
    .none(say("no device seen with it", "この版の装置なし"))
    .steps(vec![(None, GOOD), (Some(0.02), WARNING), (Some(0.1), BAD)])
}

fn decisions() -> Panel {
    let by = |by: &str, gate: &str| format!("sum(increase({GATE_DECISIONS}{{by=\"{by}\",gate=\"{gate}\"}}[$__range]))");
    Panel::stat(
        say("Gate decisions", "ゲートの判断"),
        say(
            "In the time range, about any update, by the detector and by people.",
            "期間内の判断の数。自動検知によるものと担当者によるもの。",
        ),
    )
    .named(by("detector", "hold"), say("held by the detector", "停止（自動検知）"))
    .named(by("person", "hold"), say("held by people", "停止（担当者）"))
    .named(by("detector", "release"), say("released by the detector", "再開（自動検知）"))
    .named(by("person", "release"), say("released by people", "再開（担当者）"))
    .decimals(0)
}

fn adoption() -> Panel {
    let of = |selector: &str| format!("sum({FLEET_BY_UPDATE}{{{selector}}})");
    Panel::graph(say("Adoption", "導入状況"), say("Devices by the update that they have.", "装置が導入している版。"))
        .named(of("update!=\"$update\",update!=\"$against\""), say("other updates", "その他の版"))
        .coloured(GREY)
        .query(of("update=\"$against\""), "$against")
        .coloured(BLUE)
        .query(of("update=\"$update\""), "$update")
        .coloured(VERMILLION)
        .range(0.0, None)
        .stacked()
}

fn classes() -> Panel {
    Panel::graph(
        say("Delay of each class, whole fleet", "通信の種類別の遅延（全装置）"),
        say("95th percentile: which traffic is affected?", "95パーセンタイル。どの通信に出ているか。"),
    )
    .query(CLASS_P95, "{{class}}")
    .classes()
    .unit("s")
    .range(0.0, None)
    .none(say("no reports in the time range", "期間内の報告なし"))
}

/// There is no day before to compare with.
const NO_DAY: f64 = 2.0;

fn opinion() -> Panel {
    let of = |recorded: &str| format!("{recorded}{{update=\"$update\"}}");
    let carried = of(UPDATE_P95);
    let judged = format!(
        "{} or ({carried} >= 0) * 0 and on (class) {DAY_BEFORE} or ({carried} >= 0) * 0 + {NO_DAY} \
         or on () label_replace(max({CLOCK}) * 0 + ({NOTHING}), \"class\", \"{DASH}\", \"\", \"\")",
        of(SECOND_OPINION)
    );
    Panel::timeline(
        say("Second opinion", "補助判定"),
        say(
            "Whether a rule independent of the detector finds the update's traffic slower than the day before.",
            "自動検知とは別の規則が、この版の通信の種類を前日より遅いと判定したか。",
        ),
    )
    .query(otherwise(&judged, NOTHING_ELSE), "{{class}}")
    .known(&CLASSES)
    .word(0.0, say("not slower", "低下なし"), GOOD)
    .word(1.0, say("slower, or false positives", "低下、または誤検知"), BAD)
    .word(NO_DAY, say("no day before to compare with", "比較できる前日なし"), UNKNOWN)
    .word(NOTHING, say("no traffic with this update", "この版の通信なし"), UNKNOWN)
    .word(NOTHING_ELSE, say("no answer from fleetwatch", "fleetwatchの応答なし"), UNKNOWN)
    .sized(24, 9)
}
