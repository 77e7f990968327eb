//! What happened in an incident, in a line: one sentence for each kind of entry of its record, in both languages.

use crate::engine::time::Timestamp;
use crate::incident::Action;
use crate::words::number::devices as counted;
use crate::words::{Both, Lang, names, phrase};

/// Shows an instant to the reader.
pub(crate) type Instants<'a> = &'a dyn Fn(Timestamp) -> String;

phrase! {
    /// What happened, without what people wrote about it (see [`Action::text`]).
    pub(crate) fn tell(lang: Lang, action: &Action, at: Instants<'_>) -> String match action {
        Action::Opened(opening) =>
            "Opened with {devices}", "対象{devices}で開始", devices = counted(lang, opening.devices.len());
        Action::Attached { event_id, number } =>
            "{number} proved to be this incident",
            "{number} は本障害と同一と判明",
            number = number.as_deref().unwrap_or(event_id);
        Action::Joined { devices } => "{devices} joined", "{devices}を追加", devices = counted(lang, devices.len());
        Action::Relapsed { devices } =>
            "{devices} degraded again", "{devices}が再び品質低下", devices = counted(lang, devices.len());
        Action::CauseChanged { cause: Some(cause) } =>
            "The suspect is now {suspect}",
            "原因の候補を変更: {suspect}",
            suspect = names::suspect(lang, &cause.suspect);
        Action::CauseChanged { cause: None } => "The suspect is now none", "原因の候補を変更: なし";
        Action::Moved { from, to } =>
            "{from} \u{2192} {to}",
            "{from} \u{2192} {to}",
            from = names::state(*from).pick(lang),
            to = names::state(*to).pick(lang);
        Action::Timed { milestone, instant, reason: None } =>
            "{milestone}: {instant}",
            "{milestone}: {instant}",
            milestone = names::milestone(*milestone).pick(lang),
            instant = at(*instant);
        Action::Timed { milestone, instant, .. } =>
            "{milestone} corrected to {instant}",
            "{milestone}を {instant} に訂正",
            milestone = names::milestone(*milestone).pick(lang),
            instant = at(*instant);
        Action::Paged { seat: called, people, exhausted: true, .. } =>
            "Called as {seat}: {people}, again: nobody on the rota had answered",
            "{seat}として招集: {people}（全員応答なしのため最初から再招集）",
            seat = names::seat(lang, called),
            people = list(lang, people);
        Action::Paged { seat: called, people, .. } =>
            "Called as {seat}: {people}",
            "{seat}として招集: {people}",
            seat = names::seat(lang, called),
            people = list(lang, people);
        Action::Acknowledged { seat: own, person } =>
            "{person} acknowledged as {seat}", "{person} が{seat}として応答", seat = names::seat(lang, own);
        Action::Present { person } => "{person} joined", "{person} が参加";
        Action::HandedOver { seat: own, from: Some(from), to, .. } =>
            "{seat}: {from} hands over to {to}", "{seat}を {from} から {to} へ引き継ぎ", seat = names::seat(lang, own);
        Action::HandedOver { seat: own, to, .. } =>
            "{to} took over as {seat}", "{to} を{seat}に指名", seat = names::seat(lang, own);
        Action::Noted { told: true, .. } => "Message to staff", "関係者への連絡";
        Action::Noted { .. } => "Note", "メモ";
        Action::Nagged { silent_s } =>
            "Reminder: no update to staff for {minutes} min",
            "催促: 関係者への連絡が{minutes}分ありません",
            minutes = silent_s / 60;
        Action::CountermeasureRegistered(new) =>
            "Countermeasure version {version} registered", "対策 第{version}版を登録", version = new.version;
        Action::CountermeasureAgreed { version } =>
            "Development agreed to version {version}", "開発が第{version}版に合意";
        Action::ScriptAcknowledged { version, person } =>
            "{person} has read version {version} of the script", "{person} が案内文 第{version}版を確認";
        Action::FixReleased { name } => "Fix available: {name}", "恒久対策の提供を開始: {name}";
        Action::Called { device, call } =>
            "Call about {device}: {outcome}",
            "{device} の顧客に架電: {outcome}",
            outcome = (lang.incident().outcome)(call.outcome);
        Action::Claimed { devices, claim } =>
            "Claimed for {devices}: {claim}",
            "{devices}について申告: {claim}",
            devices = counted(lang, devices.len()),
            claim = (lang.incident().claim)(*claim);
        Action::Proved { devices, proof } =>
            "Verified on {devices}: {proof}",
            "{devices}で確認: {proof}",
            devices = counted(lang, devices.len()),
            proof = (lang.incident().proof)(*proof);
        Action::Disproved { devices, proof } =>
            "No longer verified on {devices}: {proof}",
            "{devices}で確認が取り消し: {proof}",
            devices = counted(lang, devices.len()),
            proof = (lang.incident().proof)(*proof);
        Action::WorkaroundSeen { devices, active: true } =>
            "Seen on {devices}: a workaround is on",
            "{devices}の回避策が有効になったとの通知",
            devices = counted(lang, devices.len());
        Action::WorkaroundSeen { devices, .. } =>
            "Seen on {devices}: a workaround is off",
            "{devices}の回避策が無効になったとの通知",
            devices = counted(lang, devices.len());
        Action::Excepted { device, exception } =>
            "{device} signed off: {why}",
            "{device} を例外として承認: {why}",
            why = names::exception(exception.kind).pick(lang);
        Action::ExceptionLifted { device, .. } => "{device} is no longer signed off", "{device} の例外を取り消し";
        Action::PromiseForecast { missed: true, promised_at, .. } =>
            "The promise of {at} is forecast to be missed", "{at} の期限に間に合わない見込み", at = at(*promised_at);
        Action::PromiseForecast { promised_at, .. } =>
            "The promise of {at} is forecast to be kept", "{at} の期限に間に合う見込み", at = at(*promised_at);
        Action::Demoted { .. } => "Withdrawn: not a major incident", "重大障害の取り消し";
        Action::Promoted { .. } => "Raised to the whole fleet", "装置全体の障害に変更";
        Action::Merged { into, .. } => "Merged into {into}", "{into} に統合";
        Action::Absorbed { number: Some(number), devices, .. } =>
            "{devices} taken over from {number}",
            "{number} から{devices}を引き継ぎ",
            devices = counted(lang, devices.len());
        Action::Absorbed { devices, .. } =>
            "{devices} taken over from another incident",
            "別の障害 から{devices}を引き継ぎ",
            devices = counted(lang, devices.len());
        Action::SplitOff { number, devices, .. } =>
            "{devices} became {number}", "{devices}を {number} に分離", devices = counted(lang, devices.len());
        Action::ReviewFiled { .. } => "Review filed", "振り返りを提出";
        Action::ReviewNagged { due_at } =>
            "Reminder: the review was due by {at}", "催促: 振り返りの期限は {at} でした", at = at(*due_at);
        Action::Closed { .. } => "Closed", "終結";
        Action::Reopened { devices } =>
            "Reopened by {devices}", "{devices}により再開", devices = counted(lang, devices.len());
        Action::Followed { number } => "Followed by {number}", "{number} が続いて発生";
    }
}

fn list(lang: Lang, people: &[String]) -> String {
    people.join(Both { ja: "、", en: ", " }.pick(lang))
}
