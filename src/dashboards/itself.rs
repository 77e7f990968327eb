//! fleetwatch itself: is the detector blind?

use super::build::Dashboard;
use super::palette::{BAD, GOOD, UNKNOWN};
use super::panel::Panel;
use super::vocabulary::{CHANGES as CHANGE_NAMES, REASONS};
use crate::metrics::names::{
    ACKS, BASELINE_KNOWN, BUILD, BUSY, CHANGES, CHECKPOINT_AGE, CHECKPOINT_DURATION, CHECKPOINT_FAILURES,
    CHECKPOINT_SIZE, CLIENTS, CLOCK, CONNECTED, CONNECTS, DECISION_LAG, DUPLICATES, GATE_PAUSES, GATE_PUBLISHED,
    GATE_REFUSED, JOURNAL_BYTES, JOURNAL_COMMIT, JOURNAL_FAILURES, JOURNAL_FREE, JOURNAL_HEALTHY, JOURNAL_RECORDS,
    JOURNAL_SIZE, LAST_REPORT, LATE, MESSAGES, MISSING, NOTIFICATION_DURATION, NOTIFICATIONS, NOTIFICATIONS_OLDEST,
    NOTIFICATIONS_PENDING, PROCESS_CPU, PROCESS_MAX_FDS, PROCESS_MEMORY, PROCESS_OPEN_FDS, PROCESS_START, REFUSALS,
    REPORTS, RESUBSCRIPTIONS, SLOTS, SNAPSHOT_AGE, STORE_FAILURES, STORE_OVERFLOW, STORE_PENDING, STORE_WRITES,
    TAKEOVERS, TICK_DURATION, WALL_STEP,
};
use crate::words::{Both, say};

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        name: "itself",
        title: say("fleetwatch: itself", "fleetwatch: 自身の状態"),
        question: say("Can the detector see the fleet?", "自動検知は機能しているか。"),
        from: "now-6h",
        refresh: "30s",
        variables: Vec::new(),
        panels: [signals(), paths(), session(), decisions(), notifications(), resources()]
            .into_iter()
            .flatten()
            .collect(),
    }
}

fn signals() -> Vec<Panel> {
    let yes_no = |title, help, metric: String| {
        Panel::stat(title, help)
            .query(metric, "")
            .word(0.0, say("NO", "いいえ"), BAD)
            .word(1.0, say("yes", "はい"), GOOD)
            .sized(3, 5)
    };
    let age = |title, help, query: String, warning, bad| {
        Panel::stat(title, help).query(query, "").unit("s").decimals(0).limits(warning, bad).sized(3, 5)
    };
    vec![
        yes_no(
            say("Scraped", "収集"),
            say("Whether Prometheus can scrape fleetwatch.", "Prometheusから届くか。"),
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
                "Whether the journal accepts records. If not, nothing is acknowledged.",
                "ジャーナルに書けるか。書けなければ受領しない。",
            ),
            JOURNAL_HEALTHY.to_string(),
        ),
        age(
            say("Decision lag", "判定の遅れ"),
            say("From a tick's due time to its end.", "判定の予定時刻から完了まで。"),
            DECISION_LAG.to_string(),
            5.0,
            30.0,
        ),
        age(
            say("Last report", "最後の報告"),
            say("Since the last report of any device.", "いずれかの装置の最後の報告から。"),
            format!("{CLOCK} - {LAST_REPORT}"),
            60.0,
            180.0,
        ),
        age(
            say("Checkpoint", "チェックポイント"),
            say("Age of the last saved state.", "最後に状態を保存してからの経過時間。"),
            CHECKPOINT_AGE.to_string(),
            300.0,
            900.0,
        ),
        Panel::stat(
            say("Baseline learned", "ベースラインの学習"),
            say(
                "Devices' traffic classes with a limit, of those carried. Below 100 % it is still being learned: half an hour a class at least.",
                "装置が扱う通信の種類のうち、上限が決まったものの割合。100 %未満は学習中。種類ごとに30分以上かかる。",
            ),
        )
        .query(BASELINE_KNOWN.to_string(), "")
        .unit("percentunit")
        .decimals(0)
        .steps(vec![(None, UNKNOWN), (Some(0.99), GOOD)])
        .none(say("nothing carried yet", "通信なし"))
        .sized(6, 5),
    ]
}

fn rate(metric: impl std::fmt::Display) -> String {
    format!("sum(rate({metric}[$__rate_interval]))")
}

fn p95(metric: impl std::fmt::Display) -> String {
    format!("histogram_quantile(0.95, sum by (le) (rate({metric}_bucket[$__rate_interval])))")
}

fn increase(metric: impl std::fmt::Display) -> String {
    format!("sum(increase({metric}[$__rate_interval]))")
}

fn graph(title: Both<&'static str>, help: Both<&'static str>, unit: &'static str) -> Panel {
    Panel::graph(title, help).unit(unit).range(0.0, None).sized(8, 7)
}

fn paths() -> Vec<Panel> {
    let received = |selector: &str| rate(format!("{MESSAGES}{{{selector}}}"));
    vec![
        graph(
            say("Messages", "メッセージ"),
            say("Received, by kind and encoding.", "種類と符号化ごとの受信数。"),
            "cps",
        )
        .named(received("encoding=\"json\",kind=\"report\""), say("reports, JSON", "報告（JSON）"))
        .named(received("encoding=\"binary\",kind=\"report\""), say("reports, binary", "報告（バイナリ）"))
        .named(received("kind=\"status\""), say("status", "状態通知"))
        .named(received("kind!=\"status\",encoding!~\"json|binary\""), say("unreadable", "判読不能")),
        refusals(),
        graph(
            say("From message to record", "受信から記録まで"),
            say("Acknowledged, journalled, recorded, minutes closed.", "受領、ジャーナル、記録、締めた分の数。"),
            "cps",
        )
        .named(rate(ACKS), say("acknowledged", "受領"))
        .named(rate(JOURNAL_RECORDS), say("journalled", "ジャーナル"))
        .named(rate(REPORTS), say("recorded", "記録"))
        .named(rate(SLOTS), say("minutes closed", "締めた分")),
        graph(
            say("Out of order", "乱れ"),
            say("Duplicates, late, missing, and messages that had to wait.", "重複、遅着、欠落、待機したもの。"),
            "cps",
        )
        .named(rate(DUPLICATES), say("duplicate", "重複"))
        .named(rate(LATE), say("late", "遅着"))
        .named(format!("clamp_min(deriv({MISSING}[$__rate_interval]), 0)"), say("missing", "欠落"))
        .named(rate(BUSY), say("had to wait", "待ち")),
    ]
}

fn refusals() -> Panel {
    let refused = format!("sum by (reason) (rate({REFUSALS}[$__rate_interval]))");
    let in_range = format!("(sum by (reason) (increase({REFUSALS}[$__range] @ end())) > 0)");
    graph(
        say("Refusals by reason", "理由別の拒否"),
        say("The five reasons that were most frequent in the time range.", "期間内に多かった理由。上位5件。"),
        "cps",
    )
    .greatest(&refused, &in_range, "reason")
    .known(&REASONS[..REASONS.len() - 1])
    .none(say("no refusals seen", "拒否なし"))
}

fn session() -> Vec<Panel> {
    vec![
        graph(
            say("Session", "接続"),
            say("Connections, resubscriptions and takeovers for each point.", "接続、再購読、競合による切断の数。"),
            "short",
        )
        .named(increase(CONNECTS), say("connects", "接続"))
        .named(increase(RESUBSCRIPTIONS), say("resubscribed", "再購読"))
        .named(increase(TAKEOVERS), say("taken over", "競合による切断")),
        graph(
            say("Clients", "接続中の装置"),
            say("Connected to the embedded broker.", "内蔵ブローカーの接続数。"),
            "short",
        )
        .named(CLIENTS.to_string(), say("clients", "接続数")),
    ]
}

fn decisions() -> Vec<Panel> {
    vec![
        graph(
            say("Decisions", "判定"),
            say("Changes by kind for each point.", "種類ごとの変化の数。"),
            "short",
        )
        .query(format!("sum by (kind) (increase({CHANGES}[$__rate_interval])) > 0"), "{{kind}}")
        .each(&CHANGE_NAMES)
        .none(say("no decisions seen", "変化なし")),
        graph(
            say("Durations, 95th percentile", "所要時間 95パーセンタイル"),
            say(
                "A tick, a commit of the journal, a checkpoint; the age of what is shown.",
                "判定、書き込み、チェックポイント。表示の経過時間。",
            ),
            "s",
        )
        .named(p95(TICK_DURATION), say("tick", "判定"))
        .named(p95(JOURNAL_COMMIT), say("commit", "書き込み"))
        .named(p95(CHECKPOINT_DURATION), say("checkpoint", "チェックポイント"))
        .named(SNAPSHOT_AGE.to_string(), say("age of what is shown", "表示の経過時間")),
        graph(
            say("Failures", "失敗"),
            say(
                "Failures of the journal, checkpoints and the record, and changes dropped for lack of room. All should be 0.",
                "ジャーナル、チェックポイント、記録の失敗。正常ならすべて0。",
            ),
            "short",
        )
        .named(increase(JOURNAL_FAILURES), say("journal", "ジャーナル"))
        .named(increase(CHECKPOINT_FAILURES), say("checkpoint", "チェックポイント"))
        .named(increase(STORE_FAILURES), say("record", "記録"))
        .named(increase(STORE_OVERFLOW), say("no room", "空き容量なし")),
        graph(
            say("Gate messages", "ゲートの送信"),
            say("Published, paused, impossible versions.", "送信、休止、送れない版。"),
            "short",
        )
        .named(increase(GATE_PUBLISHED), say("published", "送信"))
        .named(increase(GATE_PAUSES), say("paused", "休止"))
        .named(increase(GATE_REFUSED), say("impossible", "送れない版")),
    ]
}

fn resources() -> Vec<Panel> {
    let process = |metric| format!("{metric}{{job=\"fleetwatch\"}}");
    let mut panels = disk();
    panels.extend([
        graph(say("Record, written", "記録の書き込み"), say("Changes written a second.", "毎秒の書き込み。"), "cps")
            .named(rate(STORE_WRITES), say("written", "書き込み")),
        graph(
            say("Record, waiting", "記録の待ち"),
            say("Changes waiting to be written.", "書き込みを待つ変化の数。"),
            "short",
        )
        .named(STORE_PENDING.to_string(), say("waiting", "待ち")),
        graph(say("Memory", "メモリ"), say("Resident memory.", "常駐メモリ。"), "bytes")
            .named(process(PROCESS_MEMORY.name), say("memory", "メモリ")),
        graph(say("CPU", "CPU"), say("Cores in use.", "使用中のコア数。"), "short")
            .named(rate(process(PROCESS_CPU.name)), say("cores", "コア数")),
        graph(
            say("Descriptors", "ファイル記述子"),
            say("Open, of those allowed.", "上限に対する使用割合。"),
            "percentunit",
        )
        .named(
            format!("{} / {}", process(PROCESS_OPEN_FDS.name), process(PROCESS_MAX_FDS.name)),
            say("open", "使用割合"),
        ),
        graph(
            say("Scrape", "収集時間"),
            say("Time to answer Prometheus; step of the wall clock.", "Prometheusへの応答時間と、時刻の補正。"),
            "s",
        )
        .named("scrape_duration_seconds{job=\"fleetwatch\"}", say("scrape", "収集"))
        .named(WALL_STEP.to_string(), say("clock step", "時刻の補正")),
        Panel::stat(say("Running since", "稼働開始"), say("When the process was started.", "プロセスの開始時刻。"))
            .query(format!("{} * 1000", process(PROCESS_START.name)), "")
            .unit("dateTimeAsIso")
            .sized(8, 4),
        Panel::facts(say("Version", "版"), say("Of the program.", "プログラムの版。"))
            .query(BUILD.to_string(), "")
            .column("version", say("fleetwatch", "fleetwatch"), "none")
            .sized(8, 4),
    ]);
    panels
}

fn disk() -> Vec<Panel> {
    vec![
        graph(
            say("Journal and checkpoint", "ジャーナルとチェックポイント"),
            say("Bytes on disk; the last checkpoint.", "ディスク上の大きさ。最後のチェックポイント。"),
            "bytes",
        )
        .named(JOURNAL_SIZE.to_string(), say("journal", "ジャーナル"))
        .named(CHECKPOINT_SIZE.to_string(), say("checkpoint", "チェックポイント")),
        graph(
            say("Free disk space", "ディスクの空き"),
            say("Free space on the journal's disk.", "ジャーナルのディスクの空き容量。"),
            "bytes",
        )
        .named(JOURNAL_FREE.to_string(), say("free space", "空き容量")),
        graph(
            say("Disk writes", "書き込み"),
            say("Bytes a second to the journal.", "ジャーナルへの毎秒の書き込み。"),
            "Bps",
        )
        .named(rate(JOURNAL_BYTES), say("journal", "ジャーナル")),
    ]
}

fn notifications() -> Vec<Panel> {
    let refused = format!("sum by (channel) (rate({NOTIFICATIONS}{{outcome!=\"sent\"}}[$__rate_interval]))");
    let in_range = format!("(sum by (channel) (increase({NOTIFICATIONS}{{outcome!=\"sent\"}}[$__range] @ end())) > 0)");
    vec![
        graph(say("Notifications", "通知"), say("Waiting to be sent.", "送信待ちの数。"), "short")
            .named(NOTIFICATIONS_PENDING.to_string(), say("waiting", "送信待ち")),
        graph(
            say("Notifications, delay", "通知の遅れ"),
            say("Since the oldest was due, and the time of an attempt.", "最も古いものの遅れと、送信の所要時間。"),
            "s",
        )
        .named(NOTIFICATIONS_OLDEST.to_string(), say("oldest", "最も古いもの"))
        .named(p95(NOTIFICATION_DURATION), say("attempt", "送信")),
        graph(
            say("Rejected messages", "受け取られなかった通知"),
            say(
                "Rejected attempts a second, for the five channels with the most in the time range.",
                "受け取られなかった毎秒の試行。期間内に多かった5つの通知先。",
            ),
            "cps",
        )
        .greatest(&refused, &in_range, "channel")
        .none(say("no rejected messages seen", "受け取られなかった通知なし")),
    ]
}
