//! The words of a notice, in the two languages. Who reads them is tired, on a phone, and wants three things: what, how bad, what
//! now.

use crate::engine::effect::Scope;
use crate::incident::countermeasure::Standing;
use crate::incident::{Action, Incident, IncidentEvent, Milestone, Notice, NoticeKind, State};
use crate::record::outbox::{Message, NewDispatch};
use crate::words::number::Certainty;
use crate::words::{Both, Lang, names};

use super::Inner;

/// Longest free text that is repeated in a message, in characters.
const QUOTED: usize = 600;

/// A sentence in both languages.
fn both(ja: impl Into<String>, en: impl Into<String>) -> Both {
    Both { ja: ja.into(), en: en.into() }
}

impl Inner {
    /// The messages that follow from an event; `incident` is the incident after it.
    pub(super) fn messages(&self, incident: &Incident, event: &IncidentEvent) -> Vec<NewDispatch> {
        let mut messages = Vec::new();
        for notice in incident.notices(event) {
            let message = message(incident, event, &notice);
            for (place, address) in self.directory.of(&notice.audience).into_iter().enumerate() {
                messages.push(NewDispatch {
                    key: format!("{}/{place}", notice.key),
                    channel: address.channel,
                    target: address.target,
                    message: message.clone(),
                    due_at: event.at,
                });
            }
        }
        messages
    }
}

/// The notice as a message.
pub(super) fn message(incident: &Incident, event: &IncidentEvent, notice: &Notice) -> Message {
    let number = incident.number();
    let what = headline(incident, event, notice.kind);
    let subject = both(format!("[{number}] {}", what.ja), format!("[{number}] {}", what.en));
    let detail = detail(incident, event, notice.kind);
    let facts = facts(incident);
    let join = |first: &str, second: &str| {
        [first, second].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n")
    };
    Message {
        kind: notice.kind.as_str().to_owned(),
        incident: Some(number.to_owned()),
        severity: "major".to_owned(),
        scope: if incident.scope == Scope::Fleet { "fleet" } else { "isolated" }.to_owned(),
        subject,
        body: both(join(&detail.ja, &facts.ja), join(&detail.en, &facts.en)),
        path: format!("/incidents/{number}"),
        summary: Some(summary(incident)),
        started_at: Some(incident.opening.impact_started_at),
        ended_at: incident.milestones.get(Milestone::Resolved),
    }
}

/// What happened, in a few words.
fn headline(incident: &Incident, event: &IncidentEvent, kind: NoticeKind) -> Both {
    let devices = incident.ladder.len();
    match (kind, &event.action) {
        (NoticeKind::Declared, _) => {
            both(format!("重大障害を宣言 ({devices} 台)"), format!("major incident declared, {devices} devices"))
        }
        (NoticeKind::Isolated, _) => {
            both("単独の重大障害 (サポート対応)", "isolated major incident, for the support queue")
        }
        (NoticeKind::Page, Action::Paged { seat, .. }) => {
            let role = names::role(seat.role);
            both(format!("{} として参集してください", role.ja), format!("you are needed as {}", role.en))
        }
        (NoticeKind::PageUnanswered, Action::Paged { seat, .. }) => {
            let role = names::role(seat.role);
            both(format!("{} に誰も応答していません", role.ja), format!("no {} has answered", role.en))
        }
        (NoticeKind::Moved, Action::Moved { to, .. }) => {
            let state = names::state(*to);
            both(format!("状態: {}", state.ja), format!("now {}", state.en))
        }
        (NoticeKind::CauseChanged, _) => both("訂正: 原因の候補が変わりました", "correction: the suspect has changed"),
        (NoticeKind::Growing, Action::Joined { devices }) => {
            both(format!("{} 台が加わりました", devices.len()), format!("{} more devices", devices.len()))
        }
        (NoticeKind::Word, _) => both(format!("{} より", event.by), format!("message from {}", event.by)),
        (NoticeKind::Nag, Action::Nagged { silent_s }) => {
            let minutes = silent_s / 60;
            both(format!("{minutes} 分間、続報がありません"), format!("no update for {minutes} minutes"))
        }
        (NoticeKind::AgreementWanted, _) => {
            both("対策への合意をお願いします", "a countermeasure awaits development's agreement")
        }
        (NoticeKind::Script, _) => both("回避策の案内文が合意されました", "workaround agreed: the script"),
        (NoticeKind::ScriptChanged, _) => both("訂正: 案内文が変わりました", "correction: the script has changed"),
        (NoticeKind::FixReleased, Action::FixReleased { name }) => {
            both(format!("恒久対策 {name} が利用できます"), format!("the permanent fix {name} is available"))
        }
        (NoticeKind::PromiseMissed, _) => {
            both("約束の期限に間に合わない見込みです", "the promise is forecast to be missed")
        }
        (NoticeKind::PromiseMet, _) => {
            both("約束の期限に間に合う見込みに戻りました", "the promise is forecast to be met again")
        }
        (NoticeKind::Reopened, _) => both("再発: 対応を再開します", "reopened: devices are affected again"),
        (NoticeKind::HandedOver, Action::HandedOver { seat, to, .. }) => {
            let role = names::role(seat.role);
            both(format!("{} を {to} に引き継ぎ", role.ja), format!("{to} has taken over as {}", role.en))
        }
        (NoticeKind::Promoted, _) => both("全体の障害に格上げ", "raised to the whole fleet"),
        (NoticeKind::Demoted, _) => both("訂正: 重大障害ではありませんでした", "correction: not a major incident"),
        (NoticeKind::Merged, Action::Merged { into, .. }) => {
            both(format!("{into} に統合"), format!("merged into {into}"))
        }
        (NoticeKind::SplitOff, Action::SplitOff { number, .. }) => {
            both(format!("{number} を分離"), format!("{number} was split off"))
        }
        (NoticeKind::ReviewDue, _) => both("振り返りの期限です", "the review is due"),
        (NoticeKind::Closed, _) => both("終結", "closed"),
        (NoticeKind::Followed, Action::Followed { number }) => {
            both(format!("終結後に再発: {number}"), format!("followed by {number}"))
        }
        _ => both(kind.as_str(), kind.as_str()),
    }
}

/// What to know or do about it.
fn detail(incident: &Incident, event: &IncidentEvent, kind: NoticeKind) -> Both {
    match (kind, &event.action) {
        (NoticeKind::Page, _) => both(
            format!("ページを開いて「{}」を押してください。応答がなければ次の担当者を呼び出します。", names::ANSWER.ja),
            format!(
                "Open the page and press \"{}\"; without an answer the next person on the rota is called.",
                names::ANSWER.en
            ),
        ),
        (NoticeKind::Nag, _) => both(
            "分かっていることを一言で構いません。関係者に伝えてください。",
            "Tell the staff what is known; one sentence is enough.",
        ),
        (NoticeKind::Word, Action::Noted { text, .. }) => both(quoted(text), quoted(text)),
        (NoticeKind::Script | NoticeKind::ScriptChanged, Action::CountermeasureAgreed { version }) => {
            let of = |standing: &&Standing| standing.countermeasure.version == *version;
            let standing = incident.countermeasures.versions().iter().find(of);
            match standing.and_then(|standing| standing.countermeasure.workaround.as_ref()) {
                Some(plan) => {
                    let script = |own: &str, other: &str| quoted(if own.trim().is_empty() { other } else { own });
                    let (ja, en) = (&plan.script.ja, &plan.script.en);
                    both(
                        format!(
                            "第 {version} 版 ({})。読んだらページで「{}」を押してください。\n{}",
                            plan.id,
                            names::READ.ja,
                            script(ja, en)
                        ),
                        format!(
                            "Version {version} ({}). Once you have read it, press \"{}\" on the page.\n{}",
                            plan.id,
                            names::READ.en,
                            script(en, ja)
                        ),
                    )
                }
                None => both(
                    format!("第 {version} 版では回避策はありません。以前の案内文は使わないでください。"),
                    format!("Version {version} has no workaround: stop using the earlier script."),
                ),
            }
        }
        (NoticeKind::HandedOver, Action::HandedOver { reason, .. })
        | (NoticeKind::Promoted, Action::Promoted { reason })
        | (NoticeKind::Demoted, Action::Demoted { reason })
        | (NoticeKind::Merged, Action::Merged { reason, .. })
        | (NoticeKind::SplitOff, Action::SplitOff { reason, .. }) => both(quoted(reason), quoted(reason)),
        (NoticeKind::Moved, Action::Moved { to: State::PendingPermanentFix, .. }) => both(
            "回避策で品質は戻りましたが、恒久対策まで終わりではありません。",
            "Workarounds have restored quality. The incident stays open until the permanent fix.",
        ),
        (NoticeKind::Declared | NoticeKind::Isolated, Action::Opened(opening)) if opening.follows.is_some() => {
            let earlier = opening.follows.clone().unwrap_or_default();
            both(format!("以前の障害 {earlier} に続くものです。"), format!("Follows {earlier}."))
        }
        _ => Both::default(),
    }
}

/// What is known, as of now.
fn facts(incident: &Incident) -> Both {
    let devices = incident.ladder.len();
    let settled = incident.ladder.iter().filter(|(_, rung)| rung.is_settled()).count();
    let minutes = incident.opening.measured_s / 60;
    let suspect = incident.cause.as_ref().map(|cause| {
        let (named, certainty) =
            (format!("{} {}", cause.suspect.kind, cause.suspect.value), Certainty(cause.confidence));
        (format!("{named} ({})", certainty.text(Lang::Ja)), format!("{named} ({certainty})"))
    });
    let (ja, en) = match suspect {
        Some(suspect) => suspect,
        None => ("特定されていません".to_owned(), "none named".to_owned()),
    };
    both(
        format!("影響: {devices} 台 (完了 {settled} 台)、宣言時点で継続 {minutes} 分\n原因の候補: {ja}"),
        format!(
            "Affected: {devices} devices, {settled} done; {minutes} minutes without a break when it was declared\nSuspect: {en}"
        ),
    )
}

/// The incident in one line.
pub(in crate::runtime) fn summary(incident: &Incident) -> Both {
    let settled = incident.ladder.iter().filter(|(_, rung)| rung.is_settled()).count();
    let (number, devices, state) = (incident.number(), incident.ladder.len(), names::state(incident.state));
    both(
        format!("{number}: {}、{settled}/{devices} 台完了", state.ja),
        format!("{number}: {}, {settled} of {devices} devices done", state.en),
    )
}

fn quoted(text: &str) -> String {
    let mut quoted: String = text.chars().take(QUOTED).collect();
    if quoted.len() < text.len() {
        quoted.push('…');
    }
    quoted
}
