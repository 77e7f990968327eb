//! How far is this incident?

use super::build::Dashboard;
use super::palette::{BAD, BLUE, GOOD, GREY, UNKNOWN, VERMILLION, WARNING};
use super::panel::Panel;
use super::query::NOTHING;
use super::recorded::LADDER;
use super::variable;
use super::vocabulary::{
    CAUSE_KINDS, CLASSES, ROLE_STATUS, SCOPES, SEVERITIES, TESTS, milestones as milestone_names, roles, states, steps,
};
use crate::metrics::names::{
    CLOCK, EVENT_CONFIDENCE, EVENT_DAMAGE, EVENT_DAMAGE_DEVICES, EVENT_MEMBERS, EVENT_RULE, INCIDENT,
    INCIDENT_DECLARED, INCIDENT_FORECAST, INCIDENT_LADDER, INCIDENT_MILESTONE, INCIDENT_PROMISE, INCIDENT_STARTED,
    MUSTER_ROLES,
};
use crate::words::{Both, say};

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
            confidence(),
            damage(),
            rules(),
        ],
    }
}

/// Nothing is chosen, because there is nothing to choose.
const NO_INCIDENT: Both<&'static str> = say("no incident to show", "表示する障害なし");

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
    Panel::facts(say("State", "状態"), say("State, severity, scope and suspect.", "状態、重大度、範囲、原因の候補。"))
        .query(own(INCIDENT), "")
        .column("state", say("State", "状態"), "none")
        .all_called(&states())
        .column("severity", say("Severity", "重大度"), "none")
        .all_called(&SEVERITIES)
        .column("scope", say("Scope", "範囲"), "none")
        .all_called(&SCOPES)
        .column("cause_kind", say("Kind of suspect", "候補の種類"), "none")
        .all_called(&CAUSE_KINDS)
        .column("cause", say("Suspect", "原因の候補"), "none")
        .none(NO_INCIDENT)
        .sized(10, 5)
}

fn lasting() -> Panel {
    Panel::stat(say("Since impact and declaration", "影響開始・宣言からの経過"), say("Elapsed time.", "経過時間。"))
        .named(format!("{} - {}", end_or_now(), own(INCIDENT_STARTED)), say("impact", "影響開始"))
        .named(format!("{} - {}", end_or_now(), own(INCIDENT_DECLARED)), say("declared", "宣言"))
        .with_names()
        .none(NO_INCIDENT)
        .unit("dthms")
        .sized(6, 5)
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
    .word(NOTHING, say("closed", "終結済み"), GOOD)
    .none(NO_INCIDENT)
    .steps(vec![(None, BAD), (Some(43_200.0), WARNING), (Some(86_400.0), GOOD)])
    .sized(4, 5)
}

fn forecast() -> Panel {
    Panel::stat(
        say("Forecast against the promise", "約束に対する見込み"),
        say(
            "How much later than promised the last device is done at the rate so far; negative is early.",
            "現在のペースで完了する時刻と約束の差。負の値は期限より早い。",
        ),
    )
    .query(while_open(&format!("{} - {}", own(INCIDENT_FORECAST), own(INCIDENT_PROMISE))), "")
    .word(NOTHING, say("closed", "終結済み"), GOOD)
    .unit("dthms")
    .none(say("no rate yet", "ペース未定"))
    .steps(vec![(None, GOOD), (Some(-21_600.0), WARNING), (Some(0.0), BAD)])
    .sized(4, 5)
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
    .named(format!("sum({open})"), say("not done", "未完了"))
    .coloured(VERMILLION)
    .named(
        format!("clamp_min(scalar({all}) * ({promise} - {}) / ({promise} - {declared}), 0)", now()),
        say("to the promise", "約束への直線"),
    )
    .coloured(BLUE)
    .dashed()
    .named(format!("sum({LADDER}{{incident=\"$incident\",step=\"excepted\"}})"), say("signed off", "例外"))
    .coloured(GREY)
    .range(0.0, None)
    .none(NO_INCIDENT)
    .sized(14, 12)
}

fn milestones() -> Panel {
    Panel::table(say("Timeline", "経過"), say("Milestones reached, newest first.", "到達した時刻。新しい順。"))
        .query(format!("sort_desc({} * 1000)", own(INCIDENT_MILESTONE)), "")
        .column("milestone", say("Milestone", "項目"), "none")
        .all_called(&milestone_names())
        .column("Value", say("At", "時刻"), "dateTimeAsIso")
        .greatest_first(say("At", "時刻"))
        .none(NO_INCIDENT)
        .sized(10, 12)
}

/// The fields that the ladder's queries give, in their order: not done, all, each step.
const FIELDS: [&str; 11] = [
    "Value #A", "Value #B", "Value #C", "Value #D", "Value #E", "Value #F", "Value #G", "Value #H", "Value #I",
    "Value #J", "Value #K",
];

/// The value of a row's first column that stands for all branches.
const TOTAL: &str = "*";

/// Every branch, and above them all together: a table may be longer than its place.
fn ladder() -> Panel {
    let at = |selector: &str| {
        let of = format!("{INCIDENT_LADDER}{{incident=\"$incident\"{selector}}}");
        format!("sum by (branch) ({of}) or label_replace(sum({of}), \"branch\", \"{TOTAL}\", \"\", \"\")")
    };
    let not_done = say("not done", "未完了");
    let panel = Panel::table(
        say("Ladder by branch", "支店別の対応段階"),
        say("The branches with the most devices that are not done come first.", "未完了の装置が多い支店から順。"),
    )
    .query(at(",step!~\"done|excepted\""), "")
    .query(at(""), "")
    .column("branch", say("Branch", "支店"), "none")
    .called(TOTAL, say("all branches", "全支店"), UNKNOWN)
    .column(FIELDS[0], not_done, "none")
    .column(FIELDS[1], say("all", "合計"), "none");
    let steps = steps().into_iter().zip(&FIELDS[2..]);
    steps
        .fold(panel, |panel, ((step, heading), field)| {
            panel.query(at(&format!(",step=\"{step}\"")), "").column(field, heading, "none")
        })
        .greatest_first(not_done)
        .none(NO_INCIDENT)
        .sized(24, 20)
}

fn muster() -> Panel {
    Panel::table(say("Muster", "招集"), say("Who was paged, has acknowledged, has joined.", "招集、応答、参加の状況。"))
        .query(own(MUSTER_ROLES), "")
        .column("role", say("Role", "役割"), "none")
        .seats(roles())
        .column("status", say("Status", "状況"), "none")
        .all_called(&ROLE_STATUS)
        .none(say("no calls to show", "招集なし"))
        .sized(8, 9)
}

/// The detector's event is over when the quality is back; the incident goes on until every device is done.
fn members() -> Panel {
    let closed = closed();
    let while_open = |devices: String| format!("sum({devices}) unless on () {closed}");
    let members = format!("{} or on () {} * 0", of_event(EVENT_MEMBERS), own(INCIDENT));
    Panel::graph(
        say("Affected devices", "影響を受けている装置"),
        say(
            "Of the incident, until it is closed: all, those that are not done, and those that the detector sees affected now.",
            "終結までの、障害の対象装置の総数、未完了の数、自動検知が現在影響ありと判定した数。",
        ),
    )
    .named(while_open(own(LADDER)), say("all of the incident", "対象の総数"))
    .named(
        while_open(format!("{LADDER}{{incident=\"$incident\",step!~\"done|excepted\"}}")),
        say("not done", "未完了"),
    )
    .named(while_open(members), say("affected now", "現在影響あり"))
    .range(0.0, None)
    .none(NO_INCIDENT)
    .sized(8, 9)
}

fn confidence() -> Panel {
    Panel::graph(
        say("Confidence in the suspect", "原因の候補の確信度"),
        say(
            "The detector's confidence in the suspect while the event lasted.",
            "事象が続いていた間の、自動検知による候補の確信度。",
        ),
    )
    .named(of_event(EVENT_CONFIDENCE), say("confidence", "確信度"))
    .unit("percentunit")
    .range(0.0, Some(1.0))
    .none(say("no suspect in the time range", "期間内の原因の候補なし"))
    .sized(8, 9)
}

fn damage() -> Panel {
    let named = |series: String| format!("label_join({series}, \"what\", \" \", \"class\", \"test\")");
    let share = of_event(named(format!("{EVENT_DAMAGE}{{when=\"during\"}}")));
    let devices = of_event(named(EVENT_DAMAGE_DEVICES.to_string()));
    Panel::table(
        say("Damage", "影響の内訳"),
        say(
            "Traffic classes and tests with the damage, as of the declaration.",
            "どの通信のどの指標に影響が出ているか（宣言時点）。",
        ),
    )
    .query(format!("max by (what, class, test) ({share})"), "")
    .query(format!("max by (what) ({devices})"), "")
    .joined_by("what")
    .column("class", say("Traffic class", "通信の種類"), "none")
    .all_called(&CLASSES)
    .column("test", say("Measure", "指標"), "none")
    .all_called(&TESTS)
    .column("Value #A", say("Share during", "発生中の割合"), "percentunit")
    .column("Value #B", say("Devices", "装置数"), "none")
    .greatest_first(say("Devices", "装置数"))
    .none(say("kept for a day after the event", "事象の終了から1日で消えます"))
    .sized(12, 9)
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
    .all_called(&CLASSES)
    .column("Value", say("Flags an hour", "1時間あたりの検知"), "short")
    .greatest_first(say("Flags an hour", "1時間あたりの検知"))
    .none(say("no rule has grown, or a day has passed", "増えたルールなし、または1日経過"))
    .sized(12, 9)
}
