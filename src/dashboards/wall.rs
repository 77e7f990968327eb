//! Is anything wrong? Legible from three metres.

use super::build::Dashboard;
use super::palette::{BAD, GOOD, GREY, UNKNOWN, WARNING};
use super::panel::Panel;
use super::query::{NOTHING, NOTHING_ELSE};
use super::vocabulary::{EVENT_STATES, SCOPES, states};
use crate::metrics::names::{
    CLOCK, EVENT, EVENT_MEMBERS, EVENT_STREAK, EVENTS_OPEN, FLEET_DEVICES, FLEET_EXPECTED, FLEET_REPORTING, INCIDENT,
    INCIDENT_DECLARED, INCIDENT_LADDER, INCIDENT_PROMISE, LAST_REPORT, SNAPSHOT_AGE, WORST_DUE, WORST_STREAK,
};
use crate::words::say;

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        name: "wall",
        title: say("fleetwatch: wall", "fleetwatch: 大画面表示"),
        question: say("Is anything wrong?", "異常はあるか。"),
        from: "now-6h",
        refresh: "10s",
        variables: Vec::new(),
        panels: vec![
            open_incidents(),
            clock(),
            left(),
            reporting(),
            degraded(),
            warnings(),
            freshness(),
            deadline(),
            verdicts(),
            open_majors(),
            incidents(),
        ],
    }
}

/// Incidents with devices that are not done.
fn active() -> String {
    format!("{INCIDENT}{{state!~\"resolved|reviewed|closed\"}}")
}

/// A series of `value` as long as fleetwatch is seen: what it is compared with then is known to be nothing.
fn seen(value: f64) -> String {
    format!("max({CLOCK}) * 0 + ({value})")
}

fn open_incidents() -> Panel {
    let left = format!("sum by (incident) ({INCIDENT_LADDER}{{step!~\"done|excepted\"}})");
    let open = format!("{left} and on (incident) {INCIDENT}{{state!=\"closed\"}}");
    Panel::stat(
        say("Incidents that are not closed", "未終結の障害"),
        say(
            "Devices neither done nor signed off, for each incident. The table below shows its state.",
            "障害ごとの、完了も承認もされていない装置の数。状態は下の表を参照。",
        ),
    )
    .query(open.clone(), "{{incident}}")
    .named(format!("({}) unless on () ({open})", seen(NOTHING)), say("open", "継続中"))
    .with_names()
    .steps(vec![(None, WARNING), (Some(1.0), BAD)])
    .word(NOTHING, say("none", "なし"), GOOD)
    .sized(12, 6)
}

fn reporting() -> Panel {
    Panel::stat(
        say("Reporting", "報告中の装置"),
        say("Devices that report, of those that should.", "報告すべき装置のうち、報告している割合。"),
    )
    .query(format!("{FLEET_REPORTING} / {FLEET_EXPECTED}"), "")
    .unit("percentunit")
    .decimals(1)
    .steps(vec![(None, BAD), (Some(0.9), WARNING), (Some(0.98), GOOD)])
    .sized(5, 5)
}

fn degraded() -> Panel {
    Panel::stat(
        say("Degraded now", "品質低下中の装置"),
        say("Devices whose newest minute is degraded.", "最新の1分が低下と判定された装置の数。"),
    )
    .query(format!("{FLEET_DEVICES}{{verdict=\"degraded\"}}"), "")
    .limits(1.0, 3.0)
    .sized(5, 5)
}

fn clock() -> Panel {
    let declared = format!("topk(1, (scalar({CLOCK}) - {INCIDENT_DECLARED}) and on (incident) {})", active());
    Panel::stat(
        say("Clock of the worst", "最も重い事象の時計"),
        say(
            "Of an incident with devices that are not done: since its declaration. Otherwise the longest degradation on its way to a declaration.",
            "未完了の装置がある障害は宣言からの経過時間。なければ、宣言に向かう品質低下の最長時間。",
        ),
    )
    .query(declared, "{{incident}}")
    .coloured(BAD)
    .named(format!("{WORST_STREAK} unless on () {}", active()), say("towards a declaration", "宣言まで"))
    .with_names()
    .unit("dthms")
    .limits(900.0, 3_600.0)
    .sized(6, 6)
}

fn left() -> Panel {
    Panel::stat(
        say("Time left", "残り時間"),
        say(
            "Until the worst event becomes a major incident, if nothing changes.",
            "最も進んだ事象が重大障害になるまで。",
        ),
    )
    .query(until(&format!("{WORST_DUE} - {CLOCK}")), "")
    .unit("dthms")
    .word(NOTHING, say("no clock runs", "進行中の時計なし"), GOOD)
    .word(NOTHING_ELSE, say("declared", "宣言済み"), BAD)
    .steps(vec![(None, BAD), (Some(900.0), WARNING)])
    .sized(6, 6)
}

/// What a running clock says; that there is an incident already, which comes before any clock; or that none runs.
fn until(running: &str) -> String {
    let declared = format!("({}) and on () {}", seen(NOTHING_ELSE), active());
    format!("({declared}) or on () ({running}) or on () ({})", seen(NOTHING))
}

fn warnings() -> Panel {
    Panel::stat(
        say("On the way", "進行中の事象"),
        say("Open events that are not declared.", "まだ宣言していない事象の数。"),
    )
    .query(format!("sum({EVENTS_OPEN}{{state=\"pending\"}})"), "")
    .limits(1.0, 1_000.0)
    .sized(4, 5)
}

fn freshness() -> Panel {
    Panel::stat(
        say("Age of the data", "データの経過時間"),
        say(
            "Since the last report of any device, and since the detector's last tick. Old data says nothing about the present.",
            "最後の報告と、自動検知の最後の判定からの経過時間。データが古い場合、現在の状況は判断できない。",
        ),
    )
    .named(format!("{CLOCK} - {LAST_REPORT}"), say("reports", "報告"))
    .named(SNAPSHOT_AGE.to_string(), say("detector", "自動検知"))
    .unit("s")
    .decimals(0)
    .limits(60.0, 180.0)
    .sized(5, 5)
}

fn deadline() -> Panel {
    Panel::stat(
        say("Deadline", "期限"),
        say("When the worst event becomes a major incident.", "最も進んだ事象が重大障害になる時刻。"),
    )
    .query(until(&format!("{WORST_DUE} * 1000")), "")
    .unit("dateTimeAsIso")
    .word(NOTHING, say("no clock runs", "進行中の時計なし"), GOOD)
    .word(NOTHING_ELSE, say("declared", "宣言済み"), BAD)
    .steps(vec![(None, WARNING)])
    .sized(5, 5)
}

fn verdicts() -> Panel {
    Panel::graph(
        say("Degraded and unknown devices", "低下・不明の装置"),
        say("Unknown means no data. It does not mean healthy.", "不明は正常ではない。データがないことを示す。"),
    )
    .named(format!("{FLEET_DEVICES}{{verdict=\"unknown\"}}"), say("unknown", "不明"))
    .coloured(UNKNOWN)
    .named(format!("{FLEET_DEVICES}{{verdict=\"degraded\"}}"), say("degraded", "品質低下"))
    .coloured(BAD)
    .range(0.0, None)
    .sized(24, 7)
}

/// The value of a row's first column that says that there is no row.
const NONE: &str = "none";

/// A row that says so, as long as fleetwatch is seen.
fn none_of(label: &str) -> String {
    format!("label_replace({}, \"{label}\", \"{NONE}\", \"\", \"\")", seen(0.0))
}

fn open_majors() -> Panel {
    let open = format!("{EVENT}{{state!=\"pending\"}}");
    let shown = format!("topk(10, max by (event) ({EVENT_STREAK}) and on (event) {open})");
    Panel::table(
        say("Open majors, as the detector sees them", "継続中の重大障害（自動検知）"),
        say("At most ten, the longest first.", "長い順に10件まで。"),
    )
    .query(format!("({open} and on (event) {shown}) or on () {}", none_of("event")), "")
    .query(shown.clone(), "")
    .query(format!("max by (event) ({EVENT_MEMBERS}) and on (event) {shown}"), "")
    .column("event", say("Event", "事象"), "none")
    .called(NONE, say("none", "なし"), GOOD)
    .column("incident", say("Incident", "障害番号"), "none")
    .column("state", say("State", "状態"), "none")
    .all_called(&EVENT_STATES)
    .column("scope", say("Scope", "範囲"), "none")
    .all_called(&SCOPES)
    .column("cause", say("Suspect", "原因の候補"), "none")
    .column("Value #B", say("Degraded for", "低下の継続"), "dthms")
    .column("Value #C", say("Devices", "装置数"), "none")
    .greatest_first(say("Degraded for", "低下の継続"))
    .none(say("not seen: fleetwatch does not answer", "確認できません（fleetwatchの応答なし）"))
    .sized(12, 7)
}

fn incidents() -> Panel {
    let open = format!("{INCIDENT}{{state!=\"closed\"}}");
    let shown = format!("topk(10, max by (incident) ({INCIDENT_PROMISE} and on (incident) {open}))");
    Panel::table(
        say("Incidents and their promise", "障害と約束の期限"),
        say(
            "Not closed: their state, and when the permanent fix is promised.",
            "未終結の障害の状態と、恒久対策を約束した期限。",
        ),
    )
    .query(format!("{open} or on () {}", none_of("incident")), "")
    .query(format!("({shown}) * 1000"), "")
    .column("incident", say("Incident", "障害番号"), "none")
    .called(NONE, say("none", "なし"), GOOD)
    .column("state", say("State", "状態"), "none")
    .all_called(&states())
    .column("scope", say("Scope", "範囲"), "none")
    .all_called(&SCOPES)
    .column("cause", say("Suspect", "原因の候補"), "none")
    .column("Value #B", say("Promised for", "約束の期限"), "dateTimeAsIso")
    .link("incident", "incident", say("The incident", "この障害"))
    .steps(vec![(None, GREY)])
    .none(say("not seen: fleetwatch does not answer", "確認できません（fleetwatchの応答なし）"))
    .sized(12, 7)
}
