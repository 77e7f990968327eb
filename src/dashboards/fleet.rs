//! Where is it?

use super::build::Dashboard;
use super::palette::{BAD, GOOD, WARNING};
use super::panel::{Panel, VERDICTS};
use super::query::greatest;
use super::recorded::{BRANCH_FALSE_POSITIVES, BRANCH_P95, FLEET_BUCKETS, MODEL_P95};
use super::variable::{branches, models, updates};
use crate::metrics::names::{
    DEVICE, DEVICE_FALSE_POSITIVES, DEVICE_LATENCY, DEVICE_STREAK, DEVICE_VERDICT, FLEET_BY_BRANCH, FLEET_BY_MODEL,
    FLEET_BY_UPDATE,
};
use crate::words::{Both, say};

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        name: "fleet",
        title: say("fleetwatch: fleet", "fleetwatch: 全装置"),
        question: say("Where does it happen?", "どこで起きているか。"),
        from: "now-6h",
        refresh: "30s",
        variables: vec![branches(), models(), updates()],
        panels: vec![
            degraded("branch", say("Degraded by branch", "支店別の品質低下"), &FLEET_BY_BRANCH),
            degraded("model", say("Degraded by model", "機種別の品質低下"), &FLEET_BY_MODEL),
            degraded("update", say("Degraded by update", "更新版別の品質低下"), &FLEET_BY_UPDATE),
            delay_by_branch(),
            delay(),
            false_positives(),
            delay_by_model(),
            worst_devices(),
        ],
    }
}

fn degraded(label: &'static str, title: Both<&'static str>, metric: &dyn std::fmt::Display) -> Panel {
    let chosen = format!("{metric}{{{label}!=\"\",{label}=~\"${label}\"}}");
    Panel::bars(
        title,
        say("Share of the devices that are degraded; the worst ten.", "低下している装置の割合。上位10件。"),
        label,
    )
    .query(
        format!(
            "topk(10, sum by ({label}) ({metric}{{{label}!=\"\",{label}=~\"${label}\",verdict=\"degraded\"}}) \
                 / (sum by ({label}) ({chosen}) > 0))"
        ),
        format!("{{{{{label}}}}}"),
    )
    .unit("percentunit")
    .range(0.0, Some(1.0))
    .steps(vec![(None, GOOD), (Some(0.02), WARNING), (Some(0.1), BAD)])
    .link("fleet", label, say("Only this one", "これだけを見る"))
    .none(say("no device is known", "装置なし"))
}

/// What stands in the place of delays where there are none.
const UNREPORTED: Both<&'static str> = say("no reports in the time range", "期間内の報告なし");

/// High enough for the names of sixty branches: Grafana leaves out every other one where a row has less than ten pixels.
fn delay_by_branch() -> Panel {
    Panel::heatmap(
        say("Delay by branch", "支店別の遅延"),
        say(
            "95th percentile of the delay that the branch's devices add.",
            "支店の装置が加える遅延の95パーセンタイル。",
        ),
    )
    .query(format!("{BRANCH_P95}{{branch=~\"$branch\"}}"), "{{branch}}")
    .unit("s")
    .none(UNREPORTED)
    .sized(24, 20)
}

fn delay() -> Panel {
    Panel::heatmap(
        say("Delay, distribution", "遅延の分布"),
        say("Samples a second by delay, of the chosen branches.", "選んだ支店の、遅延ごとの毎秒のサンプル数。"),
    )
    .query(format!("sum by (le) ({FLEET_BUCKETS}{{branch=~\"$branch\"}})"), "{{le}}")
    .unit("cps")
    .none(UNREPORTED)
    .sized(12, 10)
}

fn false_positives() -> Panel {
    let series = format!("{BRANCH_FALSE_POSITIVES}{{branch=~\"$branch\"}}");
    Panel::graph(
        say("False positives by branch", "支店別の誤検知"),
        say(
            "Known-good probes wrongly flagged in half an hour; the five branches with the highest share in the time range.",
            "30分間に誤って検知された試験通信の割合。期間内に最も高かった5支店。",
        ),
    )
    .greatest(&series, &greatest(&series, "branch"), "branch")
    .unit("percentunit")
    .range(0.0, None)
    .none(say("no known-good probes seen in these branches", "これらの支店の試験通信なし"))
    .sized(12, 10)
}

fn delay_by_model() -> Panel {
    let series = format!("{MODEL_P95}{{model=~\"$model\"}}");
    Panel::graph(
        say("Delay by model", "機種別の遅延"),
        say(
            "Median of the devices' 95th percentiles; the five models that were slowest in the time range.",
            "装置の95パーセンタイルの中央値。期間内に最も遅かった5機種。",
        ),
    )
    .greatest(&series, &greatest(&series, "model"), "model")
    .unit("s")
    .range(0.0, None)
    .none(say("no device of these models has reported", "これらの機種の報告なし"))
    .sized(24, 8)
}

fn worst_devices() -> Panel {
    let chosen = format!("{DEVICE}{{branch=~\"$branch\",model=~\"$model\",update=~\"$update\"}}");
    let worst = format!("topk(20, max by (device) ({DEVICE_STREAK} > 0) and on (device) {chosen})");
    let of = |value: String| format!("max by (device) ({value}) and on (device) ({worst})");
    let panel = Panel::table(
        say("Worst devices", "最も悪い装置"),
        say("The twenty longest declaration clocks, with their devices' verdicts.", "宣言までの時計が進んだ順に20台。"),
    )
    .query(worst.clone(), "")
    .query(of(DEVICE_VERDICT.to_string()), "")
    .query(of(format!("{DEVICE_LATENCY}{{quantile=\"0.95\"}}")), "")
    .query(of(DEVICE_FALSE_POSITIVES.to_string()), "")
    .query(format!("{chosen} and on (device) ({worst})"), "")
    .column("device", say("Device", "装置"), "none")
    .column("branch", say("Branch", "支店"), "none")
    .column("model", say("Model", "機種"), "none")
    .column("update", say("Update", "更新版"), "none")
    .column("Value #A", say("Clock", "時計"), "dthms")
    .column("Value #B", say("Verdict", "判定"), "none");
    VERDICTS
        .iter()
        .fold(panel, |panel, (value, word, color)| panel.called(&value.to_string(), *word, color))
        .column("Value #C", say("Delay p95", "遅延 p95"), "s")
        .column("Value #D", say("False positives", "誤検知"), "percentunit")
        .link("device", "device", say("The device", "この装置"))
        .greatest_first(say("Clock", "時計"))
        .none(say("no device seen with a clock", "時計が進んでいる装置なし"))
        .sized(24, 12)
}
