//! The words of a notice, in the two languages. Who reads them is tired, on a phone, and wants three things: what, how bad, what
//! now.

use crate::engine::effect::{Cause, Scope};
use crate::incident::countermeasure::{CountermeasureVersion, Script, WorkaroundPlan};
use crate::incident::{Action, Incident, IncidentEvent, Milestone, Notice, NoticeKind, State};
use crate::record::outbox::{Message, NewDispatch};
use crate::words::number::Certainty;
use crate::words::{Both, Lang, names, phrase};

use super::Inner;

/// Longest free text that is repeated in a message, in characters.
const QUOTED: usize = 600;

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
    Message {
        kind: notice.kind.as_str().to_owned(),
        incident: Some(number.to_owned()),
        severity: "major".to_owned(),
        scope: if incident.scope == Scope::Fleet { "fleet" } else { "isolated" }.to_owned(),
        subject: Both::of(|lang| format!("[{number}] {}", headline(lang, incident, event, notice.kind))),
        body: Both::of(|lang| {
            let parts = [detail(lang, incident, event, notice.kind), facts(lang, incident)];
            parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n")
        }),
        path: format!("/incidents/{number}"),
        summary: Some(summary(incident)),
        started_at: Some(incident.opening.impact_started_at),
        ended_at: incident.milestones.get(Milestone::Resolved),
    }
}

phrase! {
    /// What happened, in a few words.
    fn headline(lang: Lang, incident: &Incident, event: &IncidentEvent, kind: NoticeKind) -> String match (kind, &event.action) {
        (NoticeKind::Declared, _) =>
            "major incident declared, {devices} devices",
            "重大障害を宣言（{devices}台）",
            devices = incident.ladder.len();
        (NoticeKind::Isolated, _) =>
            "isolated major incident, for the support queue", "単独の重大障害（サポート対応）";
        (NoticeKind::Page, Action::Paged { seat, .. }) =>
            "you are needed as {role}", "{role} として参集してください", role = names::role(seat.role).pick(lang);
        (NoticeKind::PageUnanswered, Action::Paged { seat, .. }) =>
            "no {role} has answered", "{role} に誰も応答していません", role = names::role(seat.role).pick(lang);
        (NoticeKind::Moved, Action::Moved { to, .. }) =>
            "now {state}", "状態: {state}", state = names::state(*to).pick(lang);
        (NoticeKind::CauseChanged, _) =>
            "correction: the suspect has changed", "訂正: 原因の候補が変わりました";
        (NoticeKind::Growing, Action::Joined { devices }) =>
            "{devices} more devices", "{devices}台が加わりました", devices = devices.len();
        (NoticeKind::Word, _) => "message from {person}", "{person} からの連絡", person = event.by;
        (NoticeKind::Nag, Action::Nagged { silent_s }) =>
            "no update for {minutes} minutes", "{minutes}分間、続報がありません", minutes = silent_s / 60;
        (NoticeKind::AgreementWanted, _) =>
            "a countermeasure awaits development's agreement", "対策への合意をお願いします";
        (NoticeKind::Script, _) => "workaround agreed: script for calls", "回避策の案内文が合意されました";
        (NoticeKind::ScriptChanged, _) => "correction: the script has changed", "訂正: 案内文が変わりました";
        (NoticeKind::FixReleased, Action::FixReleased { name }) =>
            "the permanent fix {name} is available", "恒久対策 {name} が利用できます";
        (NoticeKind::PromiseMissed, _) =>
            "the deadline will probably be missed", "約束の期限に間に合わない見込みです";
        (NoticeKind::PromiseMet, _) =>
            "the deadline will probably be met after all", "約束の期限に間に合う見込みに戻りました";
        (NoticeKind::Reopened, _) => "reopened: devices are affected again", "再発: 対応を再開します";
        (NoticeKind::HandedOver, Action::HandedOver { seat, to, .. }) =>
            "{to} has taken over as {role}", "{role} を {to} に引き継ぎ", role = names::role(seat.role).pick(lang);
        (NoticeKind::Promoted, _) => "raised to the whole fleet", "装置全体の障害に変更";
        (NoticeKind::Demoted, _) => "correction: not a major incident", "訂正: 重大障害ではありませんでした";
        (NoticeKind::Merged, Action::Merged { into, .. }) => "merged into {into}", "{into} に統合";
        (NoticeKind::SplitOff, Action::SplitOff { number, .. }) => "{number} was split off", "{number} を分離";
        (NoticeKind::ReviewDue, _) => "the review is due", "振り返りの期限です";
        (NoticeKind::Closed, _) => "closed", "終結";
        (NoticeKind::Followed, Action::Followed { number }) => "followed by {number}", "終結後に再発: {number}";
        _ => "{notice}", "{notice}", notice = names::notice(kind).pick(lang);
    }
}

phrase! {
    /// What to know or do about it.
    fn detail(lang: Lang, incident: &Incident, event: &IncidentEvent, kind: NoticeKind) -> String match (kind, &event.action) {
        (NoticeKind::Page, _) =>
            "Open the page and press \"{button}\"; without an answer the next person on the rota is called.",
            "ページを開いて「{button}」を押してください。応答がなければ次の担当者を招集します。",
            button = names::ANSWER.pick(lang);
        (NoticeKind::Nag, _) =>
            "Tell the staff what is known; one sentence is enough.",
            "分かっていることを一言で構いません。関係者に伝えてください。";
        (NoticeKind::Word, Action::Noted { text, .. }) => "{text}", "{text}", text = quoted(text);
        (NoticeKind::Script | NoticeKind::ScriptChanged, Action::CountermeasureAgreed { version }) =>
            "{script}", "{script}", script = script(lang, *version, workaround(incident, *version));
        (NoticeKind::HandedOver, Action::HandedOver { reason, .. })
        | (NoticeKind::Promoted, Action::Promoted { reason })
        | (NoticeKind::Demoted, Action::Demoted { reason })
        | (NoticeKind::Merged, Action::Merged { reason, .. })
        | (NoticeKind::SplitOff, Action::SplitOff { reason, .. }) => "{reason}", "{reason}", reason = quoted(reason);
        (NoticeKind::Moved, Action::Moved { to: State::PendingPermanentFix, .. }) =>
            "Workarounds have restored quality. The incident stays open until the permanent fix.",
            "回避策により品質は回復しました。障害対応は恒久対策の適用が完了するまで継続します。";
        (NoticeKind::Declared | NoticeKind::Isolated, Action::Opened(opening)) if opening.follows.is_some() =>
            "Follows {earlier}.",
            "以前の障害 {earlier} に続くものです。",
            earlier = opening.follows.as_deref().unwrap_or_default();
        _ => "", "";
    }
}

/// The workaround of this version of the countermeasure.
fn workaround(incident: &Incident, version: u32) -> Option<&WorkaroundPlan> {
    let of = |standing: &&CountermeasureVersion| standing.countermeasure.version == version;
    incident.countermeasures.versions().iter().find(of)?.countermeasure.workaround.as_ref()
}

phrase! {
    /// What whoever takes calls has to say from now on.
    fn script(lang: Lang, version: u32, workaround: Option<&WorkaroundPlan>) -> String match workaround {
        Some(plan) =>
            "Version {version} ({id}). Once you have read it, press \"{button}\" on the page.\n{script}",
            "第{version}版（{id}）。読んだらページで「{button}」を押してください。\n{script}",
            id = plan.id,
            button = names::READ.pick(lang),
            script = quoted(worded(lang, &plan.script));
        None =>
            "Version {version} has no workaround: stop using the earlier script.",
            "第{version}版では回避策はありません。以前の案内文は使わないでください。";
    }
}

/// The script in this language, or in the other one where there is none.
fn worded(lang: Lang, script: &Script) -> &str {
    let (own, other) = match lang {
        Lang::En => (&script.en, &script.ja),
        Lang::Ja => (&script.ja, &script.en),
    };
    if own.trim().is_empty() { other } else { own }
}

phrase! {
    /// What is known, as of now.
    fn facts(lang: Lang, incident: &Incident) -> String =
        "Affected: {devices} devices, {settled} done; {minutes} minutes of continuous impact at the declaration\nSuspect: {suspect}",
        "影響: {devices}台（完了{settled}台）、宣言時点で継続{minutes}分\n原因の候補: {suspect}",
        devices = incident.ladder.len(),
        settled = settled(incident),
        minutes = incident.opening.measured_s / 60,
        suspect = suspect(lang, incident.cause.as_ref());
}

phrase! {
    fn suspect(lang: Lang, cause: Option<&Cause>) -> String match cause {
        Some(Cause { suspect, confidence, .. }) =>
            "{suspect} ({certainty})",
            "{suspect}（{certainty}）",
            suspect = names::suspect(lang, suspect),
            certainty = Certainty(*confidence).text(lang);
        None => "none identified", "特定されていません";
    }
}

/// The incident in one line.
pub(in crate::runtime) fn summary(incident: &Incident) -> Both {
    Both::of(|lang| in_one_line(lang, incident))
}

phrase! {
    fn in_one_line(lang: Lang, incident: &Incident) -> String =
        "{number}: {state}, {settled} of {devices} devices done",
        "{number}: {state}、{settled}/{devices}台完了",
        number = incident.number(),
        state = names::state(incident.state).pick(lang),
        settled = settled(incident),
        devices = incident.ladder.len();
}

fn settled(incident: &Incident) -> usize {
    incident.ladder.iter().filter(|(_, rung)| rung.is_settled()).count()
}

fn quoted(text: &str) -> String {
    let mut quoted: String = text.chars().take(QUOTED).collect();
    if quoted.len() < text.len() {
        quoted.push('…');
    }
    quoted
}
