//! What things are called wherever people read of them: on pages, in messages, in the review, on dashboards.

use super::{Both, Lang, phrase, say};
use crate::engine::effect::{Scope, Suspect};
use crate::incident::ladder::{Claim, ExceptionKind, Proof};
use crate::incident::{Milestone, NoticeKind, Role, Seat, State, Step};

/// The button with which people accept a role; messages name it, too.
pub const ANSWER: Both<&'static str> = say("Take this role", "担当する");

/// The button with which people confirm that they have read a script.
pub const READ: Both<&'static str> = say("Confirm reading", "案内文を確認した");

phrase! {
    /// Where an incident stands.
    pub const fn state(state: State) -> Both<&'static str> match state {
        State::Declared => "declared", "宣言";
        State::Mustered => "mustered", "参集完了";
        State::WorkaroundAvailable => "workaround available", "回避策あり";
        State::PendingPermanentFix => "pending permanent fix", "恒久対策待ち";
        State::Fixing => "fixing", "恒久対策の適用中";
        State::Resolved => "resolved", "解決";
        State::Reviewed => "reviewed", "振り返り済み";
        State::Closed => "closed", "終結";
    }
}

phrase! {
    /// Whom it concerns.
    pub const fn scope(scope: Scope) -> Both<&'static str> match scope {
        Scope::Fleet => "fleet", "全体";
        Scope::Isolated => "isolated", "単独";
    }
}

phrase! {
    /// A part of the team.
    pub const fn role(role: Role) -> Both<&'static str> match role {
        Role::Commander => "commander", "指揮者";
        Role::DevelopmentLead => "development lead", "開発責任者";
        Role::SupportLead => "support lead", "サポート責任者";
        Role::CommunicationsLead => "communications lead", "広報責任者";
    }
}

phrase! {
    /// An instant of an incident.
    pub const fn milestone(milestone: Milestone) -> Both<&'static str> match milestone {
        Milestone::ImpactStarted => "impact started", "影響の開始";
        Milestone::Detected => "detected", "検知";
        Milestone::Declared => "declared", "宣言";
        Milestone::Mustered => "mustered", "参集完了";
        Milestone::WorkaroundAvailable => "workaround available", "回避策の提供";
        Milestone::FixAvailable => "fix available", "恒久対策の提供";
        Milestone::Mitigated => "mitigated", "品質の回復";
        Milestone::Resolved => "resolved", "解決";
        Milestone::Reviewed => "reviewed", "振り返り";
        Milestone::Closed => "closed", "終結";
    }
}

phrase! {
    /// How far a device has come.
    pub const fn step(step: Step) -> Both<&'static str> match step {
        Step::Affected => "affected", "影響あり";
        Step::Contacted => "contacted", "連絡済み";
        Step::WorkaroundClaimed => "workaround claimed", "回避策（申告）";
        Step::WorkaroundVerified => "workaround verified", "回避策（確認）";
        Step::FixInstalled => "fix installed", "恒久対策を適用";
        Step::WorkaroundReverted => "workaround reverted", "回避策を解除";
        Step::QualityVerified => "quality verified", "品質確認済み";
        Step::Done => "done", "完了";
    }
}

phrase! {
    /// What a person says of a device.
    pub const fn claim(claim: Claim) -> Both<&'static str> match claim {
        Claim::Workaround => "workaround", "回避策";
        Claim::Fix => "fix", "恒久対策";
        Claim::Revert => "revert", "回避策の解除";
    }
}

phrase! {
    /// What telemetry says of a device.
    pub const fn proof(proof: Proof) -> Both<&'static str> match proof {
        Proof::Workaround => "workaround", "回避策";
        Proof::Fix => "fix", "恒久対策";
        Proof::Revert => "revert", "回避策の解除";
        Proof::Quality => "quality", "品質";
    }
}

phrase! {
    /// Why a device is never going to be done.
    pub const fn exception(kind: ExceptionKind) -> Both<&'static str> match kind {
        ExceptionKind::Unreachable => "unreachable", "連絡不能";
        ExceptionKind::Refused => "refused", "顧客が拒否";
        ExceptionKind::Replaced => "replaced", "交換済み";
        ExceptionKind::Decommissioned => "decommissioned", "撤去済み";
    }
}

phrase! {
    /// What a message is about.
    pub const fn notice(kind: NoticeKind) -> Both<&'static str> match kind {
        NoticeKind::Declared => "major incident declared", "重大障害を宣言";
        NoticeKind::Isolated => "isolated major incident", "単独の重大障害";
        NoticeKind::Page => "page", "招集";
        NoticeKind::PageUnanswered => "nobody answered", "誰も応答していません";
        NoticeKind::Moved => "state changed", "状態の変化";
        NoticeKind::CauseChanged => "correction: another cause", "訂正: 原因の変更";
        NoticeKind::Growing => "more devices", "装置の追加";
        NoticeKind::Word => "message", "続報";
        NoticeKind::Nag => "update overdue", "続報の催促";
        NoticeKind::AgreementWanted => "agreement requested", "対策の合意依頼";
        NoticeKind::Script => "script", "案内文";
        NoticeKind::ScriptChanged => "correction: the script has changed", "訂正: 案内文の変更";
        NoticeKind::FixReleased => "fix released", "恒久対策の提供開始";
        NoticeKind::PromiseMissed => "the promise will be missed", "期限に間に合わない見込み";
        NoticeKind::PromiseMet => "the promise will be met again", "期限に間に合う見込み";
        NoticeKind::Reopened => "reopened", "再開";
        NoticeKind::HandedOver => "handed over", "引き継ぎ";
        NoticeKind::Promoted => "promoted", "装置全体の障害への変更";
        NoticeKind::Demoted => "correction: no major incident", "訂正: 重大障害ではない";
        NoticeKind::Merged => "merged", "統合";
        NoticeKind::SplitOff => "split off", "分離";
        NoticeKind::ReviewDue => "review due", "振り返りの期限";
        NoticeKind::Closed => "closed", "終結";
        NoticeKind::Followed => "followed by another", "終結後の再発";
    }
}

/// What a suspect can be.
pub const SUSPECT_KINDS: [(&str, Both<&'static str>); 6] = [
    ("update", say("update", "更新版")),
    ("package", say("package", "パッケージ")),
    ("firmware", say("firmware", "ファームウェア")),
    ("model", say("model", "機種")),
    ("branch", say("branch", "支店")),
    ("fleet", say("the whole fleet", "装置全体")),
];

/// `update`; pairs as `update + model`.
pub fn suspect_kind(lang: Lang, kind: &str) -> String {
    let known =
        |kind: &str| SUSPECT_KINDS.into_iter().find(|(name, _)| *name == kind).map(|(_, words)| words.pick(lang));
    let kinds: Vec<&str> = kind.split('+').map(|kind| known(kind).unwrap_or(kind)).collect();
    kinds.join(" + ")
}

/// `update 2026.11.21`; the whole fleet has no value.
pub fn suspect(lang: Lang, suspect: &Suspect) -> String {
    let kind = suspect_kind(lang, &suspect.kind);
    if suspect.kind == "fleet" { kind } else { format!("{kind} {}", suspect.value) }
}

phrase! {
    /// A role, or the part of it that a branch looks after.
    pub fn seat(lang: Lang, seat: &Seat) -> String match seat {
        Seat { role: own, branch: None } => "{role}", "{role}", role = role(*own).pick(lang);
        Seat { role: own, branch: Some(branch) } =>
            "{role} of {branch}", "{role}（{branch}）", role = role(*own).pick(lang);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suspect_is_named_in_the_readers_words() {
        let read = |kind: &str, value: &str| {
            let of = Suspect { kind: kind.into(), value: value.into() };
            Lang::ALL.map(|lang| suspect(lang, &of))
        };
        assert_eq!(read("update+model", "1+B200"), ["update + model 1+B200", "更新版 + 機種 1+B200"]);
        assert_eq!(read("fleet", ""), ["the whole fleet", "装置全体"]);
    }
}
