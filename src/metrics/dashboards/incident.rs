//! How far is this incident?

use super::build::Dashboard;
use super::palette::{BAD, GOOD, WARNING};
use super::panel::Panel;
use super::query::NOTHING;
use super::recorded::LADDER;
use super::variable;
use super::words::{Say, say};
use crate::metrics::names::{
    CLOCK, EVENT_CONFIDENCE, EVENT_DAMAGE, EVENT_DAMAGE_DEVICES, EVENT_MEMBERS, EVENT_RULE, EVENT_STARTED, INCIDENT,
    INCIDENT_DECLARED, INCIDENT_FORECAST, INCIDENT_LADDER, INCIDENT_MILESTONE, INCIDENT_PROMISE, INCIDENT_STARTED,
    MUSTER_ROLES,
};

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        name: "incident",
        title: say("fleetwatch: incident", "fleetwatch: 障害"),
        question: say("How far is this incident?", "この障害はどこまで進んだか。"),
        from: "now-3d",
        refresh: "1m",
        variables: vec![variable::incident()],
        panels: vec![
            identity(),
            lasting(),
            promise(),
            forecast(),
            burn_down(),
            milestones(),
            ladder(),
            muster(),
            members(),
            damage(),
            rules(),
        ],
    }
}

/// A metric of the incident.
fn own(metric: impl std::fmt::Display) -> String {
    format!("{metric}{{incident=\"$incident\"}}")
}

/// Series of the event behind the incident.
fn of_event(series: impl std::fmt::Display) -> String {
    format!("{series} and on (event) {}", own(INCIDENT))
}

/// Engine time, as a number.
fn now() -> String {
    format!("scalar({CLOCK})")
}

fn identity() -> Panel {
    Panel::stat(say("State", "状態"), say("State, severity, scope and suspect.", "状態、重大度、範囲、疑わしい原因。"))
        .query(own(INCIDENT), "{{state}}, {{severity}}, {{scope}}: {{cause_kind}} {{cause}}")
        .names_only()
        .none(say("choose an incident", "障害を選んでください"))
}

fn lasting() -> Panel {
    Panel::stat(
        say("Since impact and declaration", "影響開始・宣言からの経過"),
        say("Time that has passed.", "経過時間。"),
    )
    .named(format!("{} - {}", end_or_now(), own(INCIDENT_STARTED)), say("impact", "影響開始"))
    .named(format!("{} - {}", end_or_now(), own(INCIDENT_DECLARED)), say("declared", "宣言"))
    .none(say("choose an incident", "障害を選んでください"))
    .unit("dthms")
}

/// When it was closed: its clocks stand from then on.
fn closed() -> String {
    format!("max by (incident) ({INCIDENT_MILESTONE}{{incident=\"$incident\",milestone=\"closed\"}})")
}

/// As a number.
fn end_or_now() -> String {
    format!("scalar({} or on () max({CLOCK}))", closed())
}

/// `running` while the incident is open; afterwards that it is closed.
fn while_open(running: &str) -> String {
    format!("(({running}) unless on (incident) {closed}) or on () ({closed} * 0 + ({NOTHING}))", closed = closed())
}

fn promise() -> Panel {
    Panel::stat(
        say("Time left to the promise", "約束までの残り時間"),
        say(
            "The permanent fix is promised on every device three days after the declaration.",
            "宣言から3日以内に全装置へ恒久対策を行う約束。",
        ),
    )
    .query(while_open(&format!("{} - {}", own(INCIDENT_PROMISE), now())), "")
    .unit("dthms")
    .word(NOTHING, say("closed", "クローズ済み"), GOOD)
    .none(say("choose an incident", "障害を選んでください"))
    .steps(vec![(None, BAD), (Some(43_200.0), WARNING), (Some(86_400.0), GOOD)])
}

fn forecast() -> Panel {
    Panel::stat(
        say("Forecast against the promise", "約束に対する見込み"),
        say(
            "How much later than promised the last device is done at the rate so far; negative is early.",
            "現在のペースで完了する時刻と約束の差。負なら余裕がある。",
        ),
    )
    .query(while_open(&format!("{} - {}", own(INCIDENT_FORECAST), own(INCIDENT_PROMISE))), "")
    .word(NOTHING, say("closed", "クローズ済み"), GOOD)
    .unit("dthms")
    .none(say("no rate yet", "ペース未定"))
    .steps(vec![(None, GOOD), (Some(-21_600.0), WARNING), (Some(0.0), BAD)])
}

fn burn_down() -> Panel {
    let open = format!("{LADDER}{{incident=\"$incident\",step!~\"done|excepted\"}}");
    let all = format!("sum({})", own(LADDER));
    let (promise, declared) = (own(INCIDENT_PROMISE), own(INCIDENT_DECLARED));
    Panel::graph(
        say("Burn-down", "残り装置の推移"),
        say(
            "Devices that are not done, and the straight line to the promise.",
            "完了していない装置と、約束へ向かう直線。",
        ),
    )
    .query(format!("sum({open})"), "not done")
    .query(
        format!("clamp_min(scalar({all}) * ({promise} - {}) / ({promise} - {declared}), 0)", now()),
        "to the promise",
    )
    .query(format!("sum({LADDER}{{incident=\"$incident\",step=\"excepted\"}})"), "excepted")
    .range(0.0, None)
    .sized(14, 12)
}

fn milestones() -> Panel {
    Panel::table(
        say("Timeline", "経過"),
        say("The milestones that are reached, the last first.", "到達した節目。新しい順。"),
    )
    .query(format!("sort_desc({} * 1000)", own(INCIDENT_MILESTONE)), "")
    .column("milestone", say("Milestone", "節目"), "none")
    .column("Value", say("At", "時刻"), "dateTimeAsIso")
    .greatest_first(say("At", "時刻"))
    .sized(10, 12)
}

const STEPS: [(&str, &str, Say); 9] = [
    ("affected", "Value #A", say("affected", "影響あり")),
    ("contacted", "Value #B", say("contacted", "連絡済み")),
    ("workaround_claimed", "Value #C", say("workaround claimed", "回避策（申告）")),
    ("workaround_verified", "Value #D", say("workaround verified", "回避策（確認済み）")),
    ("fix_installed", "Value #E", say("fix installed", "恒久対策を適用")),
    ("workaround_reverted", "Value #F", say("workaround reverted", "回避策の解除")),
    ("quality_verified", "Value #G", say("quality verified", "品質確認済み")),
    ("done", "Value #H", say("done", "完了")),
    ("excepted", "Value #I", say("excepted", "除外")),
];

fn ladder() -> Panel {
    let at = |steps: &str| format!("sum by (branch) ({INCIDENT_LADDER}{{incident=\"$incident\",{steps}}})");
    let worst = format!("topk(20, {})", at("step!~\"done|excepted\""));
    let panel = Panel::table(
        say("Ladder by branch", "支店別の対応段階"),
        say("The twenty branches with the most devices that are not done.", "未完了の装置が多い順に20支店。"),
    )
    .column("branch", say("Branch", "支店"), "none");
    STEPS
        .iter()
        .fold(panel, |panel, (step, value, heading)| {
            let query = format!("{} and on (branch) {worst}", at(&format!("step=\"{step}\"")));
            panel.query(query, "").column(value, *heading, "none")
        })
        .sized(16, 10)
}

fn muster() -> Panel {
    Panel::table(
        say("Muster", "招集"),
        say("Who was paged, has acknowledged, has joined.", "呼び出し、応答、参加の状況。"),
    )
    .query(own(MUSTER_ROLES), "")
    .column("role", say("Role", "役割"), "none")
    .column("status", say("Status", "状況"), "none")
    .sized(8, 10)
}

fn members() -> Panel {
    Panel::graph(
        say("Affected devices", "影響を受けている装置"),
        say(
            "Members of the event behind the incident, its confidence in the suspect in percent, and hours since it began.",
            "障害のもとになった事象の対象装置数、原因の確からしさ（%）、開始からの時間。",
        ),
    )
    .query(of_event(EVENT_MEMBERS), "devices")
    .query(of_event(format!("({EVENT_CONFIDENCE} * 100)")), "confidence, %")
    .query(of_event(format!("(({} - {EVENT_STARTED}) / 3600)", now())), "hours")
    .range(0.0, None)
}

fn damage() -> Panel {
    let damage = |share: String| format!("max by (what) ({})", of_event(share));
    Panel::table(
        say("Damage", "被害"),
        say(
            "Which traffic and which test carry it, as of the declaration.",
            "どの通信のどの指標に出ているか（宣言時点）。",
        ),
    )
    .query(damage(format!("label_join({EVENT_DAMAGE}{{when=\"during\"}}, \"what\", \" \", \"class\", \"test\")")), "")
    .query(damage(format!("label_join({EVENT_DAMAGE_DEVICES}, \"what\", \" \", \"class\", \"test\")")), "")
    .column("what", say("Damage", "被害"), "none")
    .column("Value #A", say("Share during", "発生中の割合"), "percentunit")
    .column("Value #B", say("Devices", "装置数"), "none")
    .sized(12, 8)
}

fn rules() -> Panel {
    Panel::table(
        say("Detection rules", "検知ルール"),
        say(
            "Flags an hour over all members, as of the declaration; the worst ten.",
            "全対象装置での1時間あたりの検知数。上位10件。",
        ),
    )
    .query(
        format!("topk(10, max by (rule, class) ({}) * 3600)", of_event(format!("{EVENT_RULE}{{when=\"during\"}}"))),
        "",
    )
    .column("rule", say("Rule", "ルール"), "none")
    .column("class", say("Traffic class", "通信の種類"), "none")
    .column("Value", say("Flags an hour", "1時間あたりの検知"), "short")
    .sized(12, 8)
}
