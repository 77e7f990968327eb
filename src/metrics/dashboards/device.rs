//! What is it with this device?

use super::build::Dashboard;
use super::palette::{BAD, GOOD, GREEN, ORANGE, PURPLE, SKY, YELLOW};
use super::panel::Panel;
use super::recorded::FLEET_FALSE_POSITIVES;
use super::variable::device;
use super::words::say;
use crate::metrics::names::{
    CLOCK, DEVICE, DEVICE_BOOTS, DEVICE_CLASS_LIMIT, DEVICE_CLASS_OVER, DEVICE_CLASS_VERDICT, DEVICE_CLOCK_OFFSET,
    DEVICE_EVENT, DEVICE_FALSE_POSITIVES, DEVICE_IN_EVENT, DEVICE_LADDER, DEVICE_LAST_REPORT, DEVICE_LATENCY,
    DEVICE_ONLINE, DEVICE_REPORTING, DEVICE_STREAK, DEVICE_VERDICT, DEVICE_WORKAROUND, EVENT_RULE,
};

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        name: "device",
        title: say("fleetwatch: device", "fleetwatch: 装置"),
        question: say("What is it with this device?", "この装置に何が起きているか。"),
        from: "now-6h",
        refresh: "30s",
        variables: vec![device()],
        panels: vec![
            identity(),
            verdict(),
            clock(),
            heard(),
            timeline(),
            ladder(),
            quantiles(),
            over(),
            limits(),
            false_positives(),
            rules(),
            state(),
        ],
    }
}

/// A metric of the device.
fn own(metric: impl std::fmt::Display) -> String {
    format!("{metric}{{device=\"$device\"}}")
}

fn identity() -> Panel {
    Panel::stat(
        say("What it is", "装置の情報"),
        say("Model, branch, firmware, update.", "機種、支店、ファームウェア、版。"),
    )
    .query(own(DEVICE), "{{model}}, {{branch}}, {{firmware}}, {{update}}")
    .names_only()
}

fn verdict() -> Panel {
    Panel::stat(say("Now", "現在"), say("Verdict of the newest minute.", "最新の1分の判定。"))
        .query(own(DEVICE_VERDICT), "")
        .verdicts()
}

fn clock() -> Panel {
    Panel::stat(
        say("Declaration clock", "宣言までの時計"),
        say("Degradation that is proved without a break.", "途切れなく続いたと証明できた低下。"),
    )
    .query(own(DEVICE_STREAK), "")
    .unit("dthms")
    .limits(900.0, 3_600.0)
}

fn heard() -> Panel {
    Panel::stat(say("Last heard", "最後の受信"), say("Since its last report.", "最後の報告からの経過時間。"))
        .query(format!("{CLOCK} - on () group_right () {}", own(DEVICE_LAST_REPORT)), "")
        .unit("s")
        .decimals(0)
        .limits(120.0, 600.0)
}

fn timeline() -> Panel {
    Panel::timeline(
        say("States", "状態の推移"),
        say("Verdicts of the device and of each traffic class.", "装置全体と通信の種類ごとの判定。"),
    )
    .query(own(DEVICE_VERDICT), "device")
    .query(own(DEVICE_CLASS_VERDICT), "{{class}}")
    .verdicts()
    .sized(24, 7)
}

fn ladder() -> Panel {
    Panel::timeline(
        say("Ladder", "対応の段階"),
        say("Where the device stands in each open incident.", "未クローズの障害で、この装置がどの段階にあるか。"),
    )
    .query(own(DEVICE_LADDER), "{{incident}}")
    .word(0.0, say("affected", "影響あり"), BAD)
    .word(1.0, say("contacted", "連絡済み"), ORANGE)
    .word(2.0, say("workaround claimed", "回避策（申告）"), YELLOW)
    .word(3.0, say("workaround verified", "回避策（確認済み）"), SKY)
    .word(4.0, say("fix installed", "恒久対策を適用"), PURPLE)
    .word(5.0, say("workaround reverted", "回避策の解除"), PURPLE)
    .word(6.0, say("quality verified", "品質確認済み"), GREEN)
    .word(7.0, say("done", "完了"), GOOD)
    .word(8.0, say("excepted", "除外"), super::palette::GREY)
    .none(say("in no open incident", "未クローズの障害なし"))
    .sized(24, 4)
}

fn quantiles() -> Panel {
    let of = |quantile: &str| format!("{DEVICE_LATENCY}{{device=\"$device\",quantile=\"{quantile}\"}}");
    Panel::graph(
        say("Delay", "遅延"),
        say(
            "Quantiles of each minute, and the 95th percentile of the day before at the same time.",
            "各分の分位点と、前日同時刻の95パーセンタイル。",
        ),
    )
    .query(of("0.5"), "p50")
    .query(of("0.95"), "p95")
    .query(of("0.99"), "p99")
    .query(format!("avg_over_time({}[1h] offset 1d)", of("0.95")), "p95, day before")
    .unit("s")
    .range(0.0, None)
}

fn over() -> Panel {
    Panel::graph(
        say("Above the limit", "上限を超えた割合"),
        say(
            "Share of each class' samples above the limit of its 95th percentile: beyond 5 % the class is slower than it may be.",
            "通信の種類ごとに、95パーセンタイルの上限を超えた標本の割合。5 %を超えると遅い。",
        ),
    )
    .query(own(DEVICE_CLASS_OVER), "{{class}}")
    .unit("percentunit")
    .range(0.0, Some(1.0))
}

fn limits() -> Panel {
    Panel::graph(
        say("Limits from the baseline", "ベースラインによる上限"),
        say(
            "The 95th percentile above which a class is degraded at this time of day.",
            "この時刻に低下とみなす95パーセンタイルの上限。",
        ),
    )
    .query(own(DEVICE_CLASS_LIMIT), "{{class}}")
    .unit("s")
    .range(0.0, None)
}

fn false_positives() -> Panel {
    Panel::graph(
        say("False positives", "誤検知"),
        say("Known-good probes wrongly flagged in half an hour.", "30分間に誤って検知された試験通信の割合。"),
    )
    .query(own(DEVICE_FALSE_POSITIVES), "device")
    .query(FLEET_FALSE_POSITIVES, "fleet")
    .unit("percentunit")
    .range(0.0, None)
}

fn rules() -> Panel {
    let event = format!("max by (event) ({})", own(DEVICE_EVENT));
    Panel::table(
        say("Detection rules of its event", "この装置の事象で増えた検知ルール"),
        say(
            "Flags an hour over all members, as of the last warning.",
            "全対象装置での1時間あたりの検知数（最後の警告時点）。",
        ),
    )
    .query(format!("max by (rule, class) ({EVENT_RULE}{{when=\"during\"}} and on (event) {event}) * 3600"), "")
    .column("rule", say("Rule", "ルール"), "none")
    .column("class", say("Traffic class", "通信の種類"), "none")
    .column("Value", say("Flags an hour", "1時間あたりの検知"), "short")
    .none(say("in no event", "事象なし"))
    .sized(12, 8)
}

fn state() -> Panel {
    Panel::graph(
        say("Other signals", "その他の状態"),
        say(
            "Reporting, online, member of an event, workaround active (1: yes); boots in ten minutes; clock offset in seconds.",
            "報告中、オンライン、事象の対象、回避策の適用（1: はい）。10分間の再起動数。時計のずれ（秒）。",
        ),
    )
    .query(own(DEVICE_REPORTING), "reporting")
    .query(own(DEVICE_ONLINE), "online")
    .query(own(DEVICE_IN_EVENT), "in an event")
    .query(own(DEVICE_WORKAROUND), "workaround")
    .query(own(DEVICE_BOOTS), "boots")
    .query(own(DEVICE_CLOCK_OFFSET), "clock offset")
}
