//! What is it with this device?

use super::build::Dashboard;
use super::palette::{BAD, GOOD, GREEN, GREY, ORANGE, PURPLE, SKY, UNKNOWN, YELLOW};
use super::panel::{Panel, otherwise};
use super::query::{NOTHING, NOTHING_ELSE};
use super::recorded::FLEET_FALSE_POSITIVES;
use super::variable::device;
use super::vocabulary::{CLASSES, DASH, steps};
use crate::metrics::names::{
    CLOCK, DEVICE, DEVICE_BOOTS, DEVICE_CLASS_LIMIT, DEVICE_CLASS_OVER, DEVICE_CLASS_VERDICT, DEVICE_CLOCK_OFFSET,
    DEVICE_EVENT, DEVICE_FALSE_POSITIVES, DEVICE_IN_EVENT, DEVICE_LADDER, DEVICE_LAST_REPORT, DEVICE_LATENCY,
    DEVICE_ONLINE, DEVICE_REPORTING, DEVICE_STREAK, DEVICE_VERDICT, DEVICE_WORKAROUND, EVENT_RULE,
};
use crate::words::{Both, say};

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        name: "device",
        title: say("fleetwatch: device", "fleetwatch: 装置"),
        question: say("What is the state of this device?", "この装置に何が起きているか。"),
        from: "now-6h",
        refresh: "30s",
        variables: vec![device()],
        panels: vec![
            identity(),
            verdict(),
            clock(),
            heard(),
            learnt(),
            timeline(),
            ladder(),
            signals(),
            quantiles(),
            over(),
            limits(),
            false_positives(),
            rules(),
            boots(),
            clock_offset(),
        ],
    }
}

/// Where Prometheus has nothing of the device: it never reported, or the series of devices are switched off.
const UNHEARD: Both<&'static str> = say("nothing is known of this device", "この装置の情報なし");

/// A metric of the device.
fn own(metric: impl std::fmt::Display) -> String {
    format!("{metric}{{device=\"$device\"}}")
}

fn identity() -> Panel {
    Panel::facts(
        say("Identity", "装置の情報"),
        say("Model, branch, firmware, update.", "機種、支店、ファームウェア、版。"),
    )
    .query(own(DEVICE), "")
    .column("model", say("Model", "機種"), "none")
    .column("branch", say("Branch", "支店"), "none")
    .column("firmware", say("Firmware", "ファームウェア"), "none")
    .column("update", say("Update", "更新版"), "none")
    .none(UNHEARD)
    .sized(10, 5)
}

fn verdict() -> Panel {
    Panel::stat(say("Now", "現在"), say("Verdict of the newest minute.", "最新の1分の判定。"))
        .query(own(DEVICE_VERDICT), "")
        .verdicts()
        .none(UNHEARD)
        .sized(3, 5)
}

fn clock() -> Panel {
    Panel::stat(
        say("Declaration clock", "宣言までの時計"),
        say("Continuous degradation that is proved.", "途切れなく続いたと証明できた低下。"),
    )
    .query(own(DEVICE_STREAK), "")
    .unit("dthms")
    .limits(900.0, 3_600.0)
    .none(UNHEARD)
    .sized(4, 5)
}

fn heard() -> Panel {
    Panel::stat(say("Last heard", "最後の受信"), say("Since its last report.", "最後の報告からの経過時間。"))
        .query(format!("{CLOCK} - on () group_right () {}", own(DEVICE_LAST_REPORT)), "")
        .unit("s")
        .decimals(0)
        .limits(120.0, 600.0)
        .none(say("never heard", "受信なし"))
        .sized(3, 5)
}

/// A class has a limit once half an hour of it is known.
fn learnt() -> Panel {
    let limits = format!("count({})", own(DEVICE_CLASS_LIMIT));
    Panel::stat(
        say("Baseline", "ベースライン"),
        say(
            "Traffic classes with a limit, of those that the device carries. Below 100 % the baseline is still being learned: it takes \
             half an hour of a class at least.",
            "装置が扱う通信の種類のうち、上限が決まったものの割合。100 %未満は学習中。種類ごとに30分以上かかる。",
        ),
    )
    .query(format!("({limits} or vector(0)) / count({})", own(DEVICE_CLASS_VERDICT)), "")
    .unit("percentunit")
    .decimals(0)
    .steps(vec![(None, UNKNOWN), (Some(1.0), GOOD)])
    .none(say("nothing carried lately", "最近の通信なし"))
    .sized(4, 5)
}

fn timeline() -> Panel {
    Panel::timeline(
        say("States", "状態の推移"),
        say("Verdicts of the device and of each traffic class.", "装置全体と通信の種類ごとの判定。"),
    )
    .named(otherwise(&format!("max({})", own(DEVICE_VERDICT)), NOTHING_ELSE), say("device", "装置"))
    .query(own(DEVICE_CLASS_VERDICT), "{{class}}")
    .known(&CLASSES)
    .verdicts()
    .word(NOTHING_ELSE, UNHEARD, UNKNOWN)
    .none(UNHEARD)
    .sized(24, 7)
}

/// In the order of the steps.
const STEP_COLORS: [&str; 9] = [BAD, ORANGE, YELLOW, SKY, PURPLE, PURPLE, GREEN, GOOD, GREY];

fn ladder() -> Panel {
    let not_in_any = format!("label_replace({CLOCK} * 0 + ({NOTHING}), \"incident\", \"{DASH}\", \"\", \"\")");
    let panel = Panel::timeline(
        say("Ladder", "対応の段階"),
        say("The device's step in each open incident.", "未終結の障害で、この装置がどの段階にあるか。"),
    )
    .query(otherwise(&format!("{} or on () {not_in_any}", own(DEVICE_LADDER)), NOTHING_ELSE), "{{incident}}");
    let steps = steps().into_iter().zip(STEP_COLORS).enumerate();
    steps
        .fold(panel, |panel, (place, ((_, word), color))| panel.word(place as f64, word, color))
        .word(NOTHING, say("in no incident", "対象の障害なし"), GOOD)
        .word(NOTHING_ELSE, say("no answer from fleetwatch", "fleetwatchの応答なし"), UNKNOWN)
        .sized(24, 4)
}

/// A yes is good of one signal and bad of another, so each has values of its own.
fn signals() -> Panel {
    let apart = |metric, by: u32| format!("{} + {by}", own(metric));
    Panel::timeline(
        say("Signals", "装置の信号"),
        say(
            "Whether the device reports, is online, is part of an event and has a workaround on.",
            "報告中、オンライン、事象の対象、回避策の適用。",
        ),
    )
    .named(otherwise(&format!("max({})", own(DEVICE_REPORTING)), NOTHING_ELSE), say("reports", "報告中"))
    .named(own(DEVICE_ONLINE), say("online", "オンライン"))
    .named(apart(DEVICE_IN_EVENT, 10), say("in an event", "事象の対象"))
    .named(apart(DEVICE_WORKAROUND, 20), say("workaround", "回避策"))
    .word(0.0, say("no", "いいえ"), BAD)
    .word(1.0, say("yes", "はい"), GOOD)
    .word(10.0, say("no", "いいえ"), GOOD)
    .word(11.0, say("yes", "はい"), BAD)
    .word(20.0, say("no", "いいえ"), GOOD)
    .word(21.0, say("yes", "はい"), SKY)
    .word(NOTHING_ELSE, UNHEARD, UNKNOWN)
    .none(UNHEARD)
    .sized(24, 5)
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
    .named(format!("avg_over_time({}[1h] offset 1d)", of("0.95")), say("p95, day before", "p95（前日）"))
    .coloured(GREY)
    .dashed()
    .unit("s")
    .range(0.0, None)
    .none(say("nothing measured in the time range", "期間内の測定なし"))
}

/// What stands in the place of limits that are not there yet.
const LEARNING: Both<&'static str> = say(
    "no limits yet: the baseline is still being learned; the tile Baseline says how far",
    "上限は未定。ベースラインを学習中（進み具合は「ベースライン」を参照）",
);

fn over() -> Panel {
    Panel::graph(
        say("Above the limit", "上限を超えた割合"),
        say(
            "Share of each class' samples above the limit of its 95th percentile: beyond 5 % the class is slower than it may be.",
            "通信の種類ごとに、95パーセンタイルの上限を超えたサンプルの割合。5 %を超えると遅い。",
        ),
    )
    .query(own(DEVICE_CLASS_OVER), "{{class}}")
    .classes()
    .unit("percentunit")
    .range(0.0, Some(1.0))
    .none(LEARNING)
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
    .classes()
    .unit("s")
    .range(0.0, None)
    .none(LEARNING)
}

fn false_positives() -> Panel {
    Panel::graph(
        say("False positives", "誤検知"),
        say("Known-good probes wrongly flagged in half an hour.", "30分間に誤って検知された試験通信の割合。"),
    )
    .named(FLEET_FALSE_POSITIVES, say("fleet", "装置全体"))
    .coloured(GREY)
    .wide()
    .named(own(DEVICE_FALSE_POSITIVES), say("this device", "この装置"))
    .unit("percentunit")
    .range(0.0, None)
    .none(say("no known-good probes seen", "試験通信なし"))
}

fn rules() -> Panel {
    let event = format!("max by (event) ({})", own(DEVICE_EVENT));
    Panel::table(
        say("Detection rules of this event", "この装置の事象で増えた検知ルール"),
        say(
            "Flags an hour over all members, as of the last warning.",
            "全対象装置での1時間あたりの検知数（最後の警告時点）。",
        ),
    )
    .query(format!("max by (rule, class) ({EVENT_RULE}{{when=\"during\"}} and on (event) {event}) * 3600"), "")
    .column("rule", say("Rule", "ルール"), "none")
    .column("class", say("Traffic class", "通信の種類"), "none")
    .all_called(&CLASSES)
    .column("Value", say("Flags an hour", "1時間あたりの検知"), "short")
    .none(say("in no event whose rules have grown", "検知ルールの増えた事象なし"))
    .sized(12, 8)
}

fn boots() -> Panel {
    Panel::graph(
        say("Boots", "再起動"),
        say("In ten minutes, when more than one.", "10分間の再起動の数（2回以上のとき）。"),
    )
    .named(own(DEVICE_BOOTS), say("boots", "再起動"))
    .range(0.0, None)
    .none(UNHEARD)
}

fn clock_offset() -> Panel {
    Panel::graph(
        say("Clock offset", "時計のずれ"),
        say("Wall clock of the device minus event time.", "装置の時計とイベント時刻の差。"),
    )
    .named(own(DEVICE_CLOCK_OFFSET), say("clock offset", "時計のずれ"))
    .unit("s")
    .none(UNHEARD)
}
