//! What happened in an incident, in a line: one sentence for each kind of entry of its record, in both languages.

use super::Lang;
use crate::engine::effect::Cause;
use crate::engine::time::Timestamp;
use crate::incident::{Action, Seat};

/// Shows an instant to the reader.
pub(in crate::web) type Instants<'a> = &'a dyn Fn(Timestamp) -> String;

/// The seat in the reader's words: a role, or the part of it that a branch looks after.
pub(in crate::web) fn seat(lang: Lang, seat: &Seat) -> String {
    let role = (lang.incident().role)(seat.role);
    match (&seat.branch, lang) {
        (None, _) => role.to_owned(),
        (Some(branch), Lang::En) => format!("{role} of {branch}"),
        (Some(branch), Lang::Ja) => format!("{role}({branch})"),
    }
}

/// What happened, without what people wrote about it (see [`words`]).
pub(in crate::web) fn tell(lang: Lang, action: &Action, at: Instants<'_>) -> String {
    match lang {
        Lang::En => english(action, at),
        Lang::Ja => japanese(action, at),
    }
}

/// What a person wrote with it.
pub(in crate::web) fn words(action: &Action) -> Option<&str> {
    match action {
        Action::Noted { text, .. } | Action::ReviewFiled { text } => Some(text.as_str()),
        Action::HandedOver { reason, .. }
        | Action::ExceptionLifted { reason, .. }
        | Action::Demoted { reason }
        | Action::Promoted { reason }
        | Action::Merged { reason, .. }
        | Action::Absorbed { reason, .. }
        | Action::SplitOff { reason, .. } => Some(reason.as_str()),
        Action::Timed { reason, .. } | Action::Closed { reason } => reason.as_deref(),
        Action::Called { call, .. } => Some(call.note.as_str()),
        Action::Excepted { exception, .. } => Some(exception.evidence.as_str()),
        Action::Opened(_)
        | Action::Attached { .. }
        | Action::Joined { .. }
        | Action::Relapsed { .. }
        | Action::CauseChanged { .. }
        | Action::Moved { .. }
        | Action::Paged { .. }
        | Action::Acknowledged { .. }
        | Action::Present { .. }
        | Action::Nagged { .. }
        | Action::CountermeasureRegistered(_)
        | Action::CountermeasureAgreed { .. }
        | Action::ScriptAcknowledged { .. }
        | Action::FixReleased { .. }
        | Action::Claimed { .. }
        | Action::Proved { .. }
        | Action::Disproved { .. }
        | Action::WorkaroundSeen { .. }
        | Action::PromiseForecast { .. }
        | Action::ReviewNagged { .. }
        | Action::Reopened { .. }
        | Action::Followed { .. } => None,
    }
    .filter(|text| !text.trim().is_empty())
}

fn suspect(cause: Option<&Cause>, none: &str) -> String {
    cause.map_or_else(|| none.to_owned(), |cause| format!("{} {}", cause.suspect.kind, cause.suspect.value))
}

fn count(n: usize) -> String {
    if n == 1 { "1 device".to_owned() } else { format!("{n} devices") }
}

fn english(action: &Action, at: Instants<'_>) -> String {
    let text = Lang::En.incident();
    let of = |named: &Seat| seat(Lang::En, named);
    match action {
        Action::Opened(opening) => format!("Opened with {}", count(opening.devices.len())),
        Action::Attached { event_id, number } => {
            format!("{} proved to be this incident", number.as_deref().unwrap_or(event_id))
        }
        Action::Joined { devices } => format!("{} joined", count(devices.len())),
        Action::Relapsed { devices } => format!("{} degraded again", count(devices.len())),
        Action::CauseChanged { cause } => format!("The suspect is now {}", suspect(cause.as_ref(), "none")),
        Action::Moved { from, to } => format!("{} \u{2192} {}", (text.state)(*from), (text.state)(*to)),
        Action::Timed { milestone, instant, reason: None } => {
            format!("{}: {}", (text.milestone)(*milestone), at(*instant))
        }
        Action::Timed { milestone, instant, .. } => {
            format!("{} corrected to {}", (text.milestone)(*milestone), at(*instant))
        }
        Action::Paged { seat, people, exhausted, .. } => {
            let again = if *exhausted { ", again: nobody on the rota had answered" } else { "" };
            format!("Called as {}: {}{again}", of(seat), people.join(", "))
        }
        Action::Acknowledged { seat, person } => format!("{person} acknowledged as {}", of(seat)),
        Action::Present { person } => format!("{person} joined"),
        Action::HandedOver { seat, from: Some(from), to, .. } => format!("{}: {from} hands over to {to}", of(seat)),
        Action::HandedOver { seat, to, .. } => format!("{to} took over as {}", of(seat)),
        Action::Noted { told: true, .. } => "Message to staff".to_owned(),
        Action::Noted { .. } => "Note".to_owned(),
        Action::Nagged { silent_s } => format!("Reminder: no update to staff for {} min", silent_s / 60),
        Action::CountermeasureRegistered(new) => format!("Countermeasure version {} registered", new.version),
        Action::CountermeasureAgreed { version } => format!("Development agreed to version {version}"),
        Action::ScriptAcknowledged { version, person } => format!("{person} has read version {version} of the script"),
        Action::FixReleased { name } => format!("Fix available: {name}"),
        Action::Called { device, call } => format!("Call about {device}: {}", (text.outcome)(call.outcome)),
        Action::Claimed { devices, claim } => format!("Claimed for {}: {}", count(devices.len()), (text.claim)(*claim)),
        Action::Proved { devices, proof } => format!("Verified on {}: {}", count(devices.len()), (text.proof)(*proof)),
        Action::Disproved { devices, proof } => {
            format!("No longer verified on {}: {}", count(devices.len()), (text.proof)(*proof))
        }
        Action::WorkaroundSeen { devices, active } => {
            format!("Seen on {}: a workaround is {}", count(devices.len()), if *active { "on" } else { "off" })
        }
        Action::Excepted { device, exception } => format!("{device} signed off: {}", (text.exception)(exception.kind)),
        Action::ExceptionLifted { device, .. } => format!("{device} is no longer signed off"),
        Action::PromiseForecast { missed: true, promised_at, .. } => {
            format!("The promise of {} is forecast to be missed", at(*promised_at))
        }
        Action::PromiseForecast { promised_at, .. } => {
            format!("The promise of {} is forecast to be kept", at(*promised_at))
        }
        Action::Demoted { .. } => "Withdrawn: not a major incident".to_owned(),
        Action::Promoted { .. } => "Raised to the whole fleet".to_owned(),
        Action::Merged { into, .. } => format!("Merged into {into}"),
        Action::Absorbed { number, devices, .. } => {
            format!("{} taken over from {}", count(devices.len()), number.as_deref().unwrap_or("another incident"))
        }
        Action::SplitOff { number, devices, .. } => format!("{} became {number}", count(devices.len())),
        Action::ReviewFiled { .. } => "Review filed".to_owned(),
        Action::ReviewNagged { due_at } => format!("Reminder: the review was due by {}", at(*due_at)),
        Action::Closed { .. } => "Closed".to_owned(),
        Action::Reopened { devices } => format!("Reopened by {}", count(devices.len())),
        Action::Followed { number } => format!("Followed by {number}"),
    }
}

fn japanese(action: &Action, at: Instants<'_>) -> String {
    let text = Lang::Ja.incident();
    let of = |named: &Seat| seat(Lang::Ja, named);
    match action {
        Action::Opened(opening) => format!("対象{}台で開始", opening.devices.len()),
        Action::Attached { event_id, number } => {
            format!("{} は本障害と同一と判明", number.as_deref().unwrap_or(event_id))
        }
        Action::Joined { devices } => format!("{}台を追加", devices.len()),
        Action::Relapsed { devices } => format!("{}台が再び品質低下", devices.len()),
        Action::CauseChanged { cause } => format!("原因の候補を変更: {}", suspect(cause.as_ref(), "なし")),
        Action::Moved { from, to } => format!("{} \u{2192} {}", (text.state)(*from), (text.state)(*to)),
        Action::Timed { milestone, instant, reason: None } => {
            format!("{}: {}", (text.milestone)(*milestone), at(*instant))
        }
        Action::Timed { milestone, instant, .. } => {
            format!("{}を {} に訂正", (text.milestone)(*milestone), at(*instant))
        }
        Action::Paged { seat, people, exhausted, .. } => {
            let again = if *exhausted { "(全員応答なしのため最初から再招集)" } else { "" };
            format!("{}として招集: {}{again}", of(seat), people.join("、"))
        }
        Action::Acknowledged { seat, person } => format!("{person} が{}として応答", of(seat)),
        Action::Present { person } => format!("{person} が参加"),
        Action::HandedOver { seat, from: Some(from), to, .. } => format!("{}を {from} から {to} へ引き継ぎ", of(seat)),
        Action::HandedOver { seat, to, .. } => format!("{} を{}に指名", to, of(seat)),
        Action::Noted { told: true, .. } => "関係者への連絡".to_owned(),
        Action::Noted { .. } => "メモ".to_owned(),
        Action::Nagged { silent_s } => format!("催促: 関係者への連絡が{}分ありません", silent_s / 60),
        Action::CountermeasureRegistered(new) => format!("対策 第{}版を登録", new.version),
        Action::CountermeasureAgreed { version } => format!("開発が第{version}版に合意"),
        Action::ScriptAcknowledged { version, person } => format!("{person} が案内文 第{version}版を確認"),
        Action::FixReleased { name } => format!("恒久対策の提供を開始: {name}"),
        Action::Called { device, call } => format!("{device} の顧客に架電: {}", (text.outcome)(call.outcome)),
        Action::Claimed { devices, claim } => format!("{}台について申告: {}", devices.len(), (text.claim)(*claim)),
        Action::Proved { devices, proof } => format!("{}台で確認: {}", devices.len(), (text.proof)(*proof)),
        Action::Disproved { devices, proof } => {
            format!("{}台で確認が取り消し: {}", devices.len(), (text.proof)(*proof))
        }
        Action::WorkaroundSeen { devices, active } => {
            format!("{}台の回避策が{}になったとの通知", devices.len(), if *active { "有効" } else { "無効" })
        }
        Action::Excepted { device, exception } => {
            format!("{device} を例外として承認: {}", (text.exception)(exception.kind))
        }
        Action::ExceptionLifted { device, .. } => format!("{device} の例外を取り消し"),
        Action::PromiseForecast { missed: true, promised_at, .. } => {
            format!("{} の期限に間に合わない見込み", at(*promised_at))
        }
        Action::PromiseForecast { promised_at, .. } => format!("{} の期限に間に合う見込み", at(*promised_at)),
        Action::Demoted { .. } => "重大障害の取り消し".to_owned(),
        Action::Promoted { .. } => "装置全体の障害に変更".to_owned(),
        Action::Merged { into, .. } => format!("{into} に統合"),
        Action::Absorbed { number, devices, .. } => {
            format!("{} から{}台を引き継ぎ", number.as_deref().unwrap_or("別の障害"), devices.len())
        }
        Action::SplitOff { number, devices, .. } => format!("{}台を {number} に分離", devices.len()),
        Action::ReviewFiled { .. } => "振り返りを提出".to_owned(),
        Action::ReviewNagged { due_at } => format!("催促: 振り返りの期限は {} でした", at(*due_at)),
        Action::Closed { .. } => "終結".to_owned(),
        Action::Reopened { devices } => format!("{}台により再開", devices.len()),
        Action::Followed { number } => format!("{number} が続いて発生"),
    }
}
