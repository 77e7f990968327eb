//! What happened in an incident, in a line of its review.

use super::cell;
use crate::engine::effect::Cause;
use crate::incident::countermeasure::Countermeasure;
use crate::incident::{Action, Audience, NoticeKind};
use crate::words::{Lang, names, phrase};

phrase! {
    /// Who was told.
    pub fn audience(lang: Lang, audience: &Audience) -> String match audience {
        Audience::People(people) => "{people}", "{people}", people = cell(&people.join(", "));
        Audience::Staff => "staff", "関係者";
        Audience::SupportQueue => "support", "サポート";
    }
}

fn notice(lang: Lang, kind: NoticeKind) -> &'static str {
    names::notice(kind).pick(lang)
}

fn suspect(cause: &Cause) -> String {
    format!("{} {}", cause.suspect.kind, cell(&cause.suspect.value))
}

/// The names of workaround and fix.
fn remedies(new: &Countermeasure) -> (String, String) {
    let workaround = new.workaround.as_ref().map_or_else(|| "-".to_owned(), |plan| cell(&plan.id));
    (workaround, new.fix.as_ref().map_or_else(|| "-".to_owned(), |fix| cell(&fix.name())))
}

phrase! {
    /// What happened.
    #[expect(clippy::too_many_lines, reason = "a flat match: one arm for each event")]
    pub fn action(lang: Lang, action: &Action) -> String match action {
        Action::Opened(opening) =>
            "major incident declared, {devices} devices",
            "重大障害を宣言 ({devices} 台)",
            devices = opening.devices.len();
        Action::Attached { event_id, .. } => "{event_id} joined: same incident", "{event_id} も同じ障害と判明";
        Action::CauseChanged { cause: Some(cause) } =>
            "suspect: {suspect}", "原因の候補: {suspect}", suspect = suspect(cause);
        Action::CauseChanged { cause: None } => "no suspect", "原因の候補なし";
        Action::Moved { to, .. } => "state: {to}", "状態: {to}", to = names::state(*to).pick(lang);
        Action::Timed { milestone, reason, .. } =>
            "instant corrected of {milestone}: {reason}",
            "{milestone}の時刻を訂正: {reason}",
            milestone = names::milestone(*milestone).pick(lang),
            reason = reason.as_deref().map(cell).unwrap_or_default();
        Action::PromiseForecast { missed: true, .. } =>
            "{notice}", "{notice}", notice = notice(lang, NoticeKind::PromiseMissed);
        Action::PromiseForecast { .. } => "{notice}", "{notice}", notice = notice(lang, NoticeKind::PromiseMet);
        Action::Demoted { reason } =>
            "no major incident: {reason}", "重大障害ではない: {reason}", reason = cell(reason);
        Action::Promoted { reason } => "promoted: {reason}", "格上げ: {reason}", reason = cell(reason);
        Action::Merged { into, reason } =>
            "merged into {into}: {reason}", "{into} に統合: {reason}", reason = cell(reason);
        Action::ReviewFiled { .. } => "review filed", "振り返りを提出";
        Action::ReviewNagged { .. } => "{notice}", "{notice}", notice = notice(lang, NoticeKind::ReviewDue);
        Action::Closed { .. } => "closed", "終結";
        Action::Followed { number } => "followed by {number}", "終結後の再発: {number}";
        Action::Paged { seat, people, exhausted: true, .. } =>
            "called {people} as {seat} (2)", "{seat} を呼び出し: {people} (2)", people = cell(&people.join(", "));
        Action::Paged { seat, people, .. } =>
            "called {people} as {seat}", "{seat} を呼び出し: {people}", people = cell(&people.join(", "));
        Action::Acknowledged { seat, person } =>
            "{person} acknowledged as {seat}", "{person} が {seat} として応答", person = cell(person);
        Action::Present { person } => "{person} joined", "{person} が参加", person = cell(person);
        Action::HandedOver { seat, to, reason, .. } =>
            "{seat} handed over to {to}: {reason}",
            "{seat} を {to} に引き継ぎ: {reason}",
            to = cell(to),
            reason = cell(reason);
        Action::Noted { text, .. } => "{text}", "{text}", text = cell(text);
        Action::Nagged { silent_s } =>
            "no update for {minutes} min", "{minutes} 分間続報なし", minutes = silent_s / 60;
        Action::CountermeasureRegistered(new) =>
            "countermeasure, version {version}: workaround {workaround}, fix {fix}",
            "対策 第 {version} 版を登録 (回避策 {workaround}、恒久対策 {fix})",
            version = new.version,
            workaround = remedies(new).0,
            fix = remedies(new).1;
        Action::CountermeasureAgreed { version } =>
            "countermeasure, version {version}, agreed", "対策 第 {version} 版に合意";
        Action::ScriptAcknowledged { version, person } =>
            "{person} has read script {version}", "{person} が手順 第 {version} 版を確認", person = cell(person);
        Action::FixReleased { name } =>
            "fix {name} released", "恒久対策 {name} の提供開始", name = cell(name);
        Action::Joined { devices } =>
            "{devices} devices: joined", "{devices} 台: 追加", devices = devices.len();
        Action::Relapsed { devices } =>
            "{devices} devices: affected again", "{devices} 台: 再発", devices = devices.len();
        Action::Claimed { devices, claim } =>
            "{devices} devices: {claim} claimed",
            "{devices} 台: {claim} (申告)",
            devices = devices.len(),
            claim = names::claim(*claim).pick(lang);
        Action::Proved { devices, proof } =>
            "{devices} devices: {proof} verified",
            "{devices} 台: {proof}を確認",
            devices = devices.len(),
            proof = names::proof(*proof).pick(lang);
        Action::Disproved { devices, proof } =>
            "{devices} devices: {proof} lost",
            "{devices} 台: {proof}が失われた",
            devices = devices.len(),
            proof = names::proof(*proof).pick(lang);
        Action::WorkaroundSeen { devices, active: true } =>
            "{devices} devices: workaround on", "{devices} 台: 回避策が有効", devices = devices.len();
        Action::WorkaroundSeen { devices, .. } =>
            "{devices} devices: workaround off", "{devices} 台: 回避策が無効", devices = devices.len();
        Action::Called { device, .. } => "called about {device}", "{device} に電話";
        Action::Excepted { device, exception } =>
            "{device} signed off: {why}",
            "{device} を例外として承認: {why}",
            why = names::exception(exception.kind).pick(lang);
        Action::ExceptionLifted { device, reason } =>
            "{device} no longer signed off: {reason}", "{device} の例外を取り消し: {reason}", reason = cell(reason);
        Action::SplitOff { number, devices, reason } =>
            "{devices} devices: split off as {number}: {reason}",
            "{devices} 台: {number} に分離: {reason}",
            devices = devices.len(),
            reason = cell(reason);
        Action::Absorbed { number, devices, reason, .. } =>
            "{devices} devices: taken over from {number}: {reason}",
            "{devices} 台: {number} から移管: {reason}",
            devices = devices.len(),
            number = number.as_deref().unwrap_or("-"),
            reason = cell(reason);
        Action::Reopened { devices } =>
            "{devices} devices: reopened", "{devices} 台: 再開", devices = devices.len();
    }
}
