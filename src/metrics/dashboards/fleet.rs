//! Where is it?

use super::build::Dashboard;
use super::palette::{BAD, GOOD, WARNING};
use super::panel::Panel;
use super::recorded::{BRANCH_FALSE_POSITIVES, BRANCH_P95, FLEET_BUCKETS, MODEL_P95};
use super::variable::{branches, models, updates};
use super::words::{Say, say};
use crate::metrics::names::{
    DEVICE, DEVICE_FALSE_POSITIVES, DEVICE_LATENCY, DEVICE_STREAK, DEVICE_VERDICT, FLEET_BY_BRANCH, FLEET_BY_MODEL,
    FLEET_BY_UPDATE,
};

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        name: "fleet",
        title: say("fleetwatch: fleet", "fleetwatch: 全装置"),
        question: say("Where is it?", "どこで起きているか。"),
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

fn degraded(label: &'static str, title: Say, metric: &dyn std::fmt::Display) -> Panel {
    Panel::bars(
        title,
        say("Share of the devices that are degraded; the worst ten.", "低下している装置の割合。上位10件。"),
    )
    .query(
        format!(
            "topk(10, sum by ({label}) ({metric}{{{label}=~\"${label}\",verdict=\"degraded\"}}) \
                 / (sum by ({label}) ({metric}{{{label}=~\"${label}\"}}) > 0))"
        ),
        format!("{{{{{label}}}}}"),
    )
    .unit("percentunit")
    .range(0.0, Some(1.0))
    .steps(vec![(None, GOOD), (Some(0.02), WARNING), (Some(0.1), BAD)])
    .link("fleet", label, say("Only this one", "これだけを見る"))
}

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
    .sized(12, 12)
}

fn delay() -> Panel {
    Panel::heatmap(
        say("Delay, distribution", "遅延の分布"),
        say("Samples a second by delay, of the chosen branches.", "選んだ支店の、遅延ごとの毎秒の標本数。"),
    )
    .query(format!("sum by (le) ({FLEET_BUCKETS}{{branch=~\"$branch\"}})"), "{{le}}")
    .unit("cps")
    .sized(12, 12)
}

fn false_positives() -> Panel {
    Panel::graph(
        say("False positives by branch", "支店別の誤検知"),
        say(
            "Known-good probes wrongly flagged in half an hour; the worst five.",
            "30分間に誤って検知された試験通信の割合。上位5件。",
        ),
    )
    .query(format!("topk(5, {BRANCH_FALSE_POSITIVES}{{branch=~\"$branch\"}})"), "{{branch}}")
    .unit("percentunit")
    .range(0.0, None)
}

fn delay_by_model() -> Panel {
    Panel::graph(
        say("Delay by model", "機種別の遅延"),
        say("Median of the devices' 95th percentiles.", "装置の95パーセンタイルの中央値。"),
    )
    .query(format!("{MODEL_P95}{{model=~\"$model\"}}"), "{{model}}")
    .unit("s")
    .range(0.0, None)
}

fn worst_devices() -> Panel {
    let chosen = format!("{DEVICE}{{branch=~\"$branch\",model=~\"$model\",update=~\"$update\"}}");
    let worst = format!("topk(20, max by (device) ({DEVICE_STREAK} > 0) and on (device) {chosen})");
    let of = |value: String| format!("max by (device) ({value}) and on (device) ({worst})");
    Panel::table(
        say("Worst devices", "最も悪い装置"),
        say("The twenty longest declaration clocks, with where the devices stand.", "宣言までの時計が進んだ順に20台。"),
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
    .column("Value #B", say("Verdict (3: degraded)", "判定（3: 低下）"), "none")
    .column("Value #C", say("Delay p95", "遅延 p95"), "s")
    .column("Value #D", say("False positives", "誤検知"), "percentunit")
    .link("device", "device", say("The device", "この装置"))
    .greatest_first(say("Clock", "時計"))
    .none(say("no device has a clock", "時計が進んでいる装置なし"))
}
