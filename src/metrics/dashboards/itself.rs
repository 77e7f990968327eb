//! fleetwatch itself: is the detector blind?

use super::build::Dashboard;
use super::palette::{BAD, GOOD};
use super::panel::Panel;
use super::words::{Say, say};
use crate::metrics::names::{
    ACKS, BUILD, BUSY, CHANGES, CHECKPOINT_AGE, CHECKPOINT_DURATION, CHECKPOINT_FAILURES, CHECKPOINT_SIZE, CLIENTS,
    CLOCK, CONNECTED, CONNECTS, DECISION_LAG, DUPLICATES, GATE_PAUSES, GATE_PUBLISHED, GATE_REFUSED, JOURNAL_BYTES,
    JOURNAL_COMMIT, JOURNAL_FAILURES, JOURNAL_FREE, JOURNAL_HEALTHY, JOURNAL_RECORDS, JOURNAL_SIZE, LAST_REPORT, LATE,
    MESSAGES, MISSING, NOTIFICATION_DURATION, NOTIFICATIONS, NOTIFICATIONS_OLDEST, NOTIFICATIONS_PENDING, PROCESS_CPU,
    PROCESS_MAX_FDS, PROCESS_MEMORY, PROCESS_OPEN_FDS, PROCESS_START, REFUSALS, REPORTS, RESUBSCRIPTIONS, SLOTS,
    SNAPSHOT_AGE, STORE_FAILURES, STORE_OVERFLOW, STORE_PENDING, STORE_WRITES, TAKEOVERS, TICK_DURATION, WALL_STEP,
};

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        name: "itself",
        title: say("fleetwatch: itself", "fleetwatch: 自身の状態"),
        question: say("Is the detector blind?", "検知器は見えているか。"),
        from: "now-6h",
        refresh: "30s",
        variables: Vec::new(),
        panels: [signals(), paths(), decisions(), resources(), vec![notifications()]].into_iter().flatten().collect(),
    }
}

fn signals() -> Vec<Panel> {
    let yes_no = |title, help, metric: String| {
        Panel::stat(title, help)
            .query(metric, "")
            .word(0.0, say("NO", "いいえ"), BAD)
            .word(1.0, say("yes", "はい"), GOOD)
            .sized(4, 5)
    };
    let age = |title, help, query: String, warning, bad| {
        Panel::stat(title, help).query(query, "").unit("s").decimals(0).limits(warning, bad).sized(4, 5)
    };
    vec![
        yes_no(
            say("Scraped", "収集"),
            say("Whether Prometheus reaches it.", "Prometheusから届くか。"),
            "up{job=\"fleetwatch\"}".into(),
        ),
        yes_no(
            say("Broker", "ブローカー"),
            say("Whether the session with the broker is up.", "ブローカーと接続しているか。"),
            CONNECTED.to_string(),
        ),
        yes_no(
            say("Journal", "ジャーナル"),
            say(
                "Whether the journal takes records; if not, nothing is acknowledged.",
                "ジャーナルに書けるか。書けなければ受領しない。",
            ),
            JOURNAL_HEALTHY.to_string(),
        ),
        age(
            say("Decision lag", "判定の遅れ"),
            say("From when a tick was due to its end.", "判定の予定時刻から完了まで。"),
            DECISION_LAG.to_string(),
            5.0,
            30.0,
        ),
        age(
            say("Last report", "最後の報告"),
            say("Since any device was last heard.", "いずれかの装置の最後の報告から。"),
            format!("{CLOCK} - {LAST_REPORT}"),
            60.0,
            180.0,
        ),
        age(
            say("Checkpoint", "チェックポイント"),
            say("Age of the last saved state.", "最後に保存した状態の古さ。"),
            CHECKPOINT_AGE.to_string(),
            300.0,
            900.0,
        ),
    ]
}

fn rate(metric: impl std::fmt::Display) -> String {
    format!("sum(rate({metric}[$__rate_interval]))")
}

fn p95(metric: impl std::fmt::Display) -> String {
    format!("histogram_quantile(0.95, sum by (le) (rate({metric}_bucket[$__rate_interval])))")
}

fn graph(title: Say, help: Say, unit: &'static str) -> Panel {
    Panel::graph(title, help).unit(unit).range(0.0, None).sized(8, 7)
}

fn paths() -> Vec<Panel> {
    vec![
        graph(
            say("Messages", "メッセージ"),
            say("Received, by kind and encoding.", "種類と符号化ごとの受信数。"),
            "cps",
        )
        .query(format!("sum by (kind, encoding) (rate({MESSAGES}[$__rate_interval])) > 0"), "{{kind}} {{encoding}}"),
        graph(say("Refusals by reason", "理由別の拒否"), say("The eight most frequent.", "多い順に8件。"), "cps")
            .query(format!("topk(8, sum by (reason) (rate({REFUSALS}[$__rate_interval])) > 0)"), "{{reason}}")
            .none(say("nothing is refused", "拒否なし")),
        graph(
            say("From message to record", "受信から記録まで"),
            say("Acknowledged, journalled, recorded, minutes closed.", "受領、ジャーナル、記録、締めた分の数。"),
            "cps",
        )
        .query(rate(ACKS), "acknowledged")
        .query(rate(JOURNAL_RECORDS), "journalled")
        .query(rate(REPORTS), "recorded")
        .query(rate(SLOTS), "minutes closed"),
        graph(
            say("Out of order", "乱れ"),
            say("Duplicates, late, missing, and messages that had to wait.", "重複、遅着、欠落、待たされたもの。"),
            "cps",
        )
        .query(rate(DUPLICATES), "duplicate")
        .query(rate(LATE), "late")
        .query(format!("clamp_min(deriv({MISSING}[$__rate_interval]), 0)"), "missing")
        .query(rate(BUSY), "had to wait"),
    ]
}

fn decisions() -> Vec<Panel> {
    vec![
        graph(
            say("Session", "接続"),
            say(
                "Connections, subscriptions anew, takeovers in the time of a point; clients of the embedded broker.",
                "接続、再購読、乗っ取りの数と、内蔵ブローカーの接続数。",
            ),
            "short",
        )
        .query(format!("sum(increase({CONNECTS}[$__rate_interval]))"), "connects")
        .query(format!("sum(increase({RESUBSCRIPTIONS}[$__rate_interval]))"), "subscribed anew")
        .query(format!("sum(increase({TAKEOVERS}[$__rate_interval]))"), "taken over")
        .query(CLIENTS.to_string(), "clients"),
        graph(
            say("Decisions", "判定"),
            say("Changes by kind in the time of a point.", "種類ごとの変化の数。"),
            "short",
        )
        .query(format!("sum by (kind) (increase({CHANGES}[$__rate_interval])) > 0"), "{{kind}}")
        .none(say("nothing was decided", "変化なし")),
        graph(
            say("Durations, 95th percentile", "所要時間 95パーセンタイル"),
            say(
                "A tick, a commit of the journal, a checkpoint; the age of what is shown.",
                "判定、書き込み、チェックポイント。表示の古さ。",
            ),
            "s",
        )
        .query(p95(TICK_DURATION), "tick")
        .query(p95(JOURNAL_COMMIT), "commit")
        .query(p95(CHECKPOINT_DURATION), "checkpoint")
        .query(SNAPSHOT_AGE.to_string(), "snapshot age"),
        graph(
            say("Failures", "失敗"),
            say(
                "Of the journal, of checkpoints, of the record; changes that found no room. All should be 0.",
                "ジャーナル、チェックポイント、記録の失敗。すべて0であるべき。",
            ),
            "short",
        )
        .query(format!("sum(increase({JOURNAL_FAILURES}[$__rate_interval]))"), "journal")
        .query(format!("sum(increase({CHECKPOINT_FAILURES}[$__rate_interval]))"), "checkpoint")
        .query(format!("sum(increase({STORE_FAILURES}[$__rate_interval]))"), "record")
        .query(format!("sum(increase({STORE_OVERFLOW}[$__rate_interval]))"), "no room"),
        graph(
            say("Gate messages", "ゲートの送信"),
            say("Published, paused, impossible versions.", "送信、休止、送れない版。"),
            "short",
        )
        .query(format!("sum(increase({GATE_PUBLISHED}[$__rate_interval]))"), "published")
        .query(format!("sum(increase({GATE_PAUSES}[$__rate_interval]))"), "paused")
        .query(format!("sum(increase({GATE_REFUSED}[$__rate_interval]))"), "impossible"),
    ]
}

fn resources() -> Vec<Panel> {
    let process = |metric| format!("{metric}{{job=\"fleetwatch\"}}");
    vec![
        graph(
            say("Memory and disk", "メモリとディスク"),
            say(
                "Resident memory; journal, what its disk has left; last checkpoint.",
                "メモリ、ジャーナル、ディスクの空き、チェックポイント。",
            ),
            "bytes",
        )
        .query(process(PROCESS_MEMORY.name), "memory")
        .query(JOURNAL_SIZE.to_string(), "journal")
        .query(JOURNAL_FREE.to_string(), "disk left")
        .query(CHECKPOINT_SIZE.to_string(), "checkpoint"),
        graph(
            say("Disk writes", "書き込み"),
            say("Bytes a second to the journal.", "ジャーナルへの毎秒の書き込み。"),
            "Bps",
        )
        .query(rate(JOURNAL_BYTES), "journal"),
        graph(
            say("Record", "記録"),
            say("Changes written a second, and waiting.", "毎秒の書き込みと、待ち。"),
            "short",
        )
        .query(rate(STORE_WRITES), "written")
        .query(STORE_PENDING.to_string(), "waiting"),
        graph(say("CPU", "CPU"), say("Cores in use.", "使用中のコア数。"), "short")
            .query(rate(process(PROCESS_CPU.name)), "cores"),
        graph(
            say("Descriptors", "ファイル記述子"),
            say("Open, of those allowed.", "上限に対する使用割合。"),
            "percentunit",
        )
        .query(format!("{} / {}", process(PROCESS_OPEN_FDS.name), process(PROCESS_MAX_FDS.name)), "open"),
        graph(
            say("Scrape", "収集時間"),
            say("Time to answer Prometheus; step of the wall clock.", "Prometheusへの応答時間と、時計の飛び。"),
            "s",
        )
        .query("scrape_duration_seconds{job=\"fleetwatch\"}", "scrape")
        .query(WALL_STEP.to_string(), "clock step"),
        Panel::stat(say("Running since", "稼働開始"), say("When the process was started.", "プロセスの開始時刻。"))
            .query(format!("{} * 1000", process(PROCESS_START.name)), "")
            .unit("dateTimeAsIso")
            .sized(12, 4),
        Panel::stat(say("Version", "版"), say("Of the program.", "プログラムの版。"))
            .query(BUILD.to_string(), "{{version}}")
            .names_only()
            .sized(12, 4),
    ]
}

fn notifications() -> Panel {
    graph(
            say("Messages to people", "通知"),
            say(
                "Waiting, seconds since the oldest was due, seconds of an attempt, and attempts a second that were not taken.",
                "送信待ちの数、最も古いものの遅れ（秒）、送信の所要時間（秒）、受け取られなかった毎秒の試行。",
            ),
            "short",
        )
        .query(NOTIFICATIONS_PENDING.to_string(), "waiting")
        .query(NOTIFICATIONS_OLDEST.to_string(), "oldest, s")
        .query(p95(NOTIFICATION_DURATION), "attempt, s")
        .query(
            format!("sum by (channel) (rate({NOTIFICATIONS}{{outcome!=\"sent\"}}[$__rate_interval])) > 0"),
            "not taken: {{channel}}",
        )
}
