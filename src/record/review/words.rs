//! The names of things in the two languages, as (Japanese, English).

use crate::engine::effect::Scope;
use crate::incident::ladder::{Claim, ExceptionKind, Proof};
use crate::incident::{Action, Audience, Milestone, NoticeKind, Role, State, Step};

use super::cell;

type Pair = (String, String);

/// A name in both languages, wherever people read it: on pages, in messages, in the review.
type Names = (&'static str, &'static str);

/// A language.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tongue {
    Ja,
    En,
}

impl Tongue {
    /// The one of two texts that is in this language.
    pub fn pick<'a>(self, ja: &'a str, en: &'a str) -> &'a str {
        match self {
            Self::Ja => ja,
            Self::En => en,
        }
    }

    /// As [`Self::pick`].
    pub fn both<T: Into<String>>(self, (ja, en): (T, T)) -> String {
        match self {
            Self::Ja => ja.into(),
            Self::En => en.into(),
        }
    }

    /// A length of time to the minute.
    pub fn lasting(self, seconds: u64) -> String {
        let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
        match (self, hours) {
            (Self::Ja, 0) => format!("{minutes} 分"),
            (Self::Ja, _) => format!("{hours} 時間 {minutes} 分"),
            (Self::En, 0) => format!("{minutes} min"),
            (Self::En, _) => format!("{hours} h {minutes} min"),
        }
    }

    /// What was due when, and when it came.
    pub fn due(self, (ja, en): (&str, &str), (due, came): (&str, &str)) -> String {
        match self {
            Self::Ja => format!("{ja}: 期限 {due}、実際 {came}"),
            Self::En => format!("{en}: due {due}, came {came}"),
        }
    }
}

fn pair(ja: impl Into<String>, en: impl Into<String>) -> Pair {
    (ja.into(), en.into())
}

/// Where an incident stands.
pub const fn state(state: State) -> Names {
    match state {
        State::Declared => ("宣言", "declared"),
        State::Mustered => ("参集完了", "mustered"),
        State::WorkaroundAvailable => ("回避策あり", "workaround available"),
        State::PendingPermanentFix => ("恒久対策待ち", "pending permanent fix"),
        State::Fixing => ("恒久対策の適用中", "fixing"),
        State::Resolved => ("解決", "resolved"),
        State::Reviewed => ("振り返り済み", "reviewed"),
        State::Closed => ("終結", "closed"),
    }
}

/// Whom it concerns.
pub const fn scope(scope: Scope) -> Names {
    match scope {
        Scope::Fleet => ("全体", "fleet"),
        Scope::Isolated => ("単独", "isolated"),
    }
}

/// A part of the team.
pub const fn role(role: Role) -> Names {
    match role {
        Role::Commander => ("指揮者", "commander"),
        Role::DevelopmentLead => ("開発責任者", "development lead"),
        Role::SupportLead => ("サポート責任者", "support lead"),
        Role::CommunicationsLead => ("広報責任者", "communications lead"),
    }
}

/// The button with which somebody answers for a role; messages name it, too.
pub const ANSWER: Names = ("担当する", "Take this role");

/// The button with which somebody says to have read a script.
pub const READ: Names = ("案内文を確認した", "Confirm reading");

/// An instant of an incident.
pub const fn milestone(milestone: Milestone) -> Names {
    match milestone {
        Milestone::ImpactStarted => ("影響の開始", "impact started"),
        Milestone::Detected => ("検知", "detected"),
        Milestone::Declared => ("宣言", "declared"),
        Milestone::Mustered => ("参集完了", "mustered"),
        Milestone::WorkaroundAvailable => ("回避策の提供", "workaround available"),
        Milestone::FixAvailable => ("恒久対策の提供", "fix available"),
        Milestone::Mitigated => ("品質の回復", "mitigated"),
        Milestone::Resolved => ("解決", "resolved"),
        Milestone::Reviewed => ("振り返り", "reviewed"),
        Milestone::Closed => ("終結", "closed"),
    }
}

/// How far a device has come.
pub const fn step(step: Step) -> Names {
    match step {
        Step::Affected => ("影響あり", "affected"),
        Step::Contacted => ("連絡済み", "contacted"),
        Step::WorkaroundClaimed => ("回避策(申告)", "workaround claimed"),
        Step::WorkaroundVerified => ("回避策(確認)", "workaround verified"),
        Step::FixInstalled => ("恒久対策を適用", "fix installed"),
        Step::WorkaroundReverted => ("回避策を解除", "workaround reverted"),
        Step::QualityVerified => ("品質確認済み", "quality verified"),
        Step::Done => ("完了", "done"),
    }
}

/// What a person says of a device.
pub const fn claim(claim: Claim) -> Names {
    match claim {
        Claim::Workaround => ("回避策", "workaround"),
        Claim::Fix => ("恒久対策", "fix"),
        Claim::Revert => ("回避策の解除", "revert"),
    }
}

const fn proof(proof: Proof) -> Names {
    match proof {
        Proof::Workaround => ("回避策", "workaround"),
        Proof::Fix => ("恒久対策", "fix"),
        Proof::Revert => ("回避策の解除", "revert"),
        Proof::Quality => ("品質", "quality"),
    }
}

/// Why a device is never going to be done.
pub const fn exception(kind: ExceptionKind) -> Names {
    match kind {
        ExceptionKind::Unreachable => ("連絡不能", "unreachable"),
        ExceptionKind::Refused => ("顧客が拒否", "refused"),
        ExceptionKind::Replaced => ("交換済み", "replaced"),
        ExceptionKind::Decommissioned => ("撤去済み", "decommissioned"),
    }
}

/// Who was told.
pub fn audience(audience: &Audience) -> Pair {
    match audience {
        Audience::People(people) => pair(cell(&people.join(", ")), cell(&people.join(", "))),
        Audience::Staff => pair("関係者", "staff"),
        Audience::SupportQueue => pair("サポート", "support"),
    }
}

/// What somebody was told.
pub fn notice(kind: NoticeKind) -> Pair {
    match kind {
        NoticeKind::Declared => pair("重大障害を宣言", "major incident declared"),
        NoticeKind::Isolated => pair("単独の重大障害", "isolated major incident"),
        NoticeKind::Page => pair("呼び出し", "page"),
        NoticeKind::PageUnanswered => pair("誰も応答していません", "nobody answered"),
        NoticeKind::Moved => pair("状態の変化", "state changed"),
        NoticeKind::CauseChanged => pair("訂正: 原因の変更", "correction: another cause"),
        NoticeKind::Growing => pair("装置の追加", "more devices"),
        NoticeKind::Word => pair("続報", "message"),
        NoticeKind::Nag => pair("続報の催促", "update overdue"),
        NoticeKind::AgreementWanted => pair("対策の合意依頼", "agreement requested"),
        NoticeKind::Script => pair("手順", "script"),
        NoticeKind::ScriptChanged => pair("訂正: 手順の変更", "correction: the script has changed"),
        NoticeKind::FixReleased => pair("恒久対策の提供開始", "fix released"),
        NoticeKind::PromiseMissed => pair("期限に間に合わない見込み", "the promise will be missed"),
        NoticeKind::PromiseMet => pair("期限に間に合う見込み", "the promise will be met again"),
        NoticeKind::Reopened => pair("再開", "reopened"),
        NoticeKind::HandedOver => pair("引き継ぎ", "handed over"),
        NoticeKind::Promoted => pair("格上げ", "promoted"),
        NoticeKind::Demoted => pair("訂正: 重大障害ではない", "correction: no major incident"),
        NoticeKind::Merged => pair("統合", "merged"),
        NoticeKind::SplitOff => pair("分離", "split off"),
        NoticeKind::ReviewDue => pair("振り返りの期限", "review due"),
        NoticeKind::Closed => pair("終結", "closed"),
        NoticeKind::Followed => pair("終結後の再発", "followed by another"),
    }
}

/// What happened.
#[expect(clippy::too_many_lines, reason = "a flat match: one arm for each event")]
pub fn action(action: &Action) -> Pair {
    let count =
        |devices: usize, (ja, en): Pair| pair(format!("{devices} 台: {ja}"), format!("{devices} devices: {en}"));
    match action {
        Action::Opened(opening) => {
            let devices = opening.devices.len();
            pair(format!("重大障害を宣言 ({devices} 台)"), format!("major incident declared, {devices} devices"))
        }
        Action::Attached { event_id, .. } => {
            pair(format!("{event_id} も同じ障害と判明"), format!("{event_id} joined: same incident"))
        }
        Action::CauseChanged { cause } => match cause {
            Some(cause) => {
                let suspect = format!("{} {}", cause.suspect.kind, cell(&cause.suspect.value));
                pair(format!("原因の候補: {suspect}"), format!("suspect: {suspect}"))
            }
            None => pair("原因の候補なし", "no suspect"),
        },
        Action::Moved { to, .. } => {
            let (ja, en) = state(*to);
            pair(format!("状態: {ja}"), format!("state: {en}"))
        }
        Action::Timed { milestone: which, reason, .. } => {
            let (ja, en) = milestone(*which);
            let reason = reason.as_deref().map(cell).unwrap_or_default();
            pair(format!("{ja}の時刻を訂正: {reason}"), format!("instant corrected of {en}: {reason}"))
        }
        Action::PromiseForecast { missed: true, .. } => notice(NoticeKind::PromiseMissed),
        Action::PromiseForecast { .. } => notice(NoticeKind::PromiseMet),
        Action::Demoted { reason } => {
            pair(format!("重大障害ではない: {}", cell(reason)), format!("no major incident: {}", cell(reason)))
        }
        Action::Promoted { reason } => pair(format!("格上げ: {}", cell(reason)), format!("promoted: {}", cell(reason))),
        Action::Merged { into, reason } => {
            let reason = cell(reason);
            pair(format!("{into} に統合: {reason}"), format!("merged into {into}: {reason}"))
        }
        Action::ReviewFiled { .. } => pair("振り返りを提出", "review filed"),
        Action::ReviewNagged { .. } => notice(NoticeKind::ReviewDue),
        Action::Closed { .. } => pair("終結", "closed"),
        Action::Followed { number } => pair(format!("終結後の再発: {number}"), format!("followed by {number}")),
        Action::Paged { seat, people, exhausted, .. } => {
            let (people, again) = (cell(&people.join(", ")), if *exhausted { " (2)" } else { "" });
            pair(format!("{seat} を呼び出し: {people}{again}"), format!("called {people} as {seat}{again}"))
        }
        Action::Acknowledged { seat, person } => {
            let person = cell(person);
            pair(format!("{person} が {seat} として応答"), format!("{person} acknowledged as {seat}"))
        }
        Action::Present { person } => pair(format!("{} が参加", cell(person)), format!("{} joined", cell(person))),
        Action::HandedOver { seat, to, reason, .. } => {
            let (to, reason) = (cell(to), cell(reason));
            pair(format!("{seat} を {to} に引き継ぎ: {reason}"), format!("{seat} handed over to {to}: {reason}"))
        }
        Action::Noted { text, .. } => pair(cell(text), cell(text)),
        Action::Nagged { silent_s } => {
            let minutes = silent_s / 60;
            pair(format!("{minutes} 分間続報なし"), format!("no update for {minutes} min"))
        }
        Action::CountermeasureRegistered(new) => {
            let workaround = new.workaround.as_ref().map_or_else(|| "-".to_owned(), |plan| cell(&plan.id));
            let fix = new.fix.as_ref().map_or_else(|| "-".to_owned(), |fix| cell(&fix.name()));
            let version = new.version;
            pair(
                format!("対策 第 {version} 版を登録 (回避策 {workaround}、恒久対策 {fix})"),
                format!("countermeasure, version {version}: workaround {workaround}, fix {fix}"),
            )
        }
        Action::CountermeasureAgreed { version } => {
            pair(format!("対策 第 {version} 版に合意"), format!("countermeasure, version {version}, agreed"))
        }
        Action::ScriptAcknowledged { version, person } => {
            let person = cell(person);
            pair(format!("{person} が手順 第 {version} 版を確認"), format!("{person} has read script {version}"))
        }
        Action::FixReleased { name } => {
            pair(format!("恒久対策 {} の提供開始", cell(name)), format!("fix {} released", cell(name)))
        }
        Action::Joined { devices } => count(devices.len(), pair("追加", "joined")),
        Action::Relapsed { devices } => count(devices.len(), pair("再発", "affected again")),
        Action::Claimed { devices, claim: what } => {
            let (ja, en) = claim(*what);
            count(devices.len(), (format!("{ja} (申告)"), format!("{en} claimed")))
        }
        Action::Proved { devices, proof: what } => {
            let (ja, en) = proof(*what);
            count(devices.len(), (format!("{ja}を確認"), format!("{en} verified")))
        }
        Action::Disproved { devices, proof: what } => {
            let (ja, en) = proof(*what);
            count(devices.len(), (format!("{ja}が失われた"), format!("{en} lost")))
        }
        Action::WorkaroundSeen { devices, active } => count(
            devices.len(),
            if *active {
                pair("回避策が有効", "workaround on")
            } else {
                pair("回避策が無効", "workaround off")
            },
        ),
        Action::Called { device, .. } => pair(format!("{device} に電話"), format!("called about {device}")),
        Action::Excepted { device, exception: signed } => {
            let (ja, en) = exception(signed.kind);
            pair(format!("{device} を例外として承認: {ja}"), format!("{device} signed off: {en}"))
        }
        Action::ExceptionLifted { device, reason } => {
            let reason = cell(reason);
            pair(format!("{device} の例外を取り消し: {reason}"), format!("{device} no longer signed off: {reason}"))
        }
        Action::SplitOff { number, devices, reason } => {
            let reason = cell(reason);
            count(devices.len(), pair(format!("{number} に分離: {reason}"), format!("split off as {number}: {reason}")))
        }
        Action::Absorbed { number, devices, reason, .. } => {
            let (number, reason) = (number.as_deref().unwrap_or("-"), cell(reason));
            count(
                devices.len(),
                pair(format!("{number} から移管: {reason}"), format!("taken over from {number}: {reason}")),
            )
        }
        Action::Reopened { devices } => count(devices.len(), pair("再開", "reopened")),
    }
}
