//! Why a command was not carried out, in the reader's language. The errors themselves are for programs and logs: clauses in English.

use crate::incident::milestone::OrderError;
use crate::incident::{MAX_NAME, MAX_REVIEW, MAX_TEXT, Refusal, State};
use crate::words::{Lang, names, phrase};

/// The refusal as a sentence that says what to do.
pub(crate) fn refusal(lang: Lang, refusal: &Refusal) -> String {
    sentence(&why(lang, refusal))
}

/// Begins with a capital letter; names of roles and milestones do not.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let Some(first) = chars.next() else { return String::new() };
    format!("{}{}", first.to_uppercase(), chars.as_str())
}

phrase! {
    fn why(lang: Lang, refusal: &Refusal) -> String match refusal {
        Refusal::Closed =>
            "The incident is closed; later degradation belongs to another incident.",
            "この障害は終結しています。今後の事象は別の障害として扱います。";
        Refusal::State { state, .. } if state.is_active() =>
            "Not possible in the present state ({state}). Wait for the resolution.",
            "現在の状態（{state}）では行えません。解決した後に行ってください。",
            state = names::state(*state).pick(lang);
        Refusal::State { state: State::Resolved, .. } => "File the review first.", "先に振り返りを提出してください。";
        Refusal::State { state, .. } =>
            "Not possible in the present state ({state}).",
            "現在の状態（{state}）では行えません。",
            state = names::state(*state).pick(lang);
        Refusal::Reason =>
            "Enter a reason of 1 to {most} characters.", "理由を1〜{most}文字で入力してください。", most = MAX_TEXT;
        Refusal::Text =>
            "Enter a text of 1 to {most} characters.", "本文を1〜{most}文字で入力してください。", most = MAX_TEXT;
        Refusal::Review =>
            "Enter a review of 1 to {most} characters.", "振り返りを1〜{most}文字で入力してください。", most = MAX_REVIEW;
        Refusal::Name =>
            "Enter a name of 1 to {most} characters.", "氏名・名称を1〜{most}文字で入力してください。", most = MAX_NAME;
        Refusal::NotADevice(device) =>
            "{device} is not part of this incident.",
            "{device} はこの障害の対象ではありません。";
        Refusal::NoDevice => "Name at least one device.", "装置を1台以上指定してください。";
        Refusal::AllDevices =>
            "These are all devices in the incident. Leave at least one, or withdraw the incident.",
            "すべての装置を分離することはできません。1台以上残すか、重大障害を取り消してください。";
        Refusal::Held { seat: held, holder } =>
            "{seat} is held by {holder} already.",
            "{seat}は既に {holder} が担当しています。",
            seat = names::seat(lang, held);
        Refusal::Empty =>
            "Enter a workaround, a permanent fix, or both.", "回避策か恒久対策の少なくとも一方を入力してください。";
        Refusal::Script =>
            "The workaround needs the id that devices report, and a script in at least one language.",
            "回避策には、装置が通知する識別子と、少なくとも一つの言語の案内文が必要です。";
        Refusal::Due => "The fix cannot be due before now.", "恒久対策の予定は現在より後の日時にしてください。";
        Refusal::NoVersion(version) =>
            "There is no version {version} of the countermeasure.", "対策の第{version}版はありません。";
        Refusal::Replaced { version, newest } =>
            "Version {version} was replaced by version {newest}.", "第{version}版は第{newest}版に差し替えられました。";
        Refusal::OwnWord =>
            "The person who registered a countermeasure cannot agree to it. Another developer has to.",
            "登録した本人は合意できません。開発の別の担当者が合意してください。";
        Refusal::Agreed(version) => "Version {version} is agreed already.", "第{version}版は合意済みです。";
        Refusal::NotAgreed(version) =>
            "Version {version} awaits development's agreement.", "第{version}版は開発の合意を待っています。";
        Refusal::NoFix =>
            "No permanent fix is agreed. Register a countermeasure with one.",
            "合意された恒久対策がありません。恒久対策を含む対策を登録してください。";
        Refusal::NoWorkaround =>
            "No workaround is agreed, so none can be claimed.",
            "合意された回避策がないため、適用済みとは申告できません。";
        Refusal::Released(name) => "{name} has been released already.", "{name} は既に提供を開始しています。";
        Refusal::NotReleased => "The fix has not been released.", "恒久対策はまだ提供されていません。";
        Refusal::Calls { device, needed, made } =>
            "{device} counts as unreachable after {needed} recorded calls without an answer; {made} recorded so far.",
            "{device} を連絡不能とするには、応答のない架電の記録が{needed}回必要です（現在{made}回）。";
        Refusal::NobodyCalled =>
            "An incoming call cannot be unanswered. Choose another outcome or the other direction.",
            "受電の結果に「応答なし」は選べません。結果か電話の向きを直してください。";
        Refusal::NoException(device) => "{device} is not signed off.", "{device} は例外として承認されていません。";
        Refusal::Order(OrderError::Future(milestone)) =>
            "The time of \"{milestone}\" cannot be in the future.",
            "{milestone}を未来の時刻にはできません。",
            milestone = names::milestone(*milestone).pick(lang);
        Refusal::Order(OrderError::Order { earlier, later }) =>
            "The time of \"{later}\" cannot be before \"{earlier}\".",
            "{later}は{earlier}より前にはできません。",
            later = names::milestone(*later).pick(lang),
            earlier = names::milestone(*earlier).pick(lang);
        Refusal::Measured =>
            "Impact, detection and declaration are measured and cannot be corrected by hand.",
            "影響の開始・検知・宣言は計測値のため、手では訂正できません。";
        Refusal::Promoted => "The incident concerns the whole fleet already.", "既に装置全体の障害です。";
        Refusal::Open(_) =>
            "Not everything is done. See \"What is left before it can be resolved\" below.",
            "まだ終わっていません。下の「解決までに残るもの」を確認してください。";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_a_sentence_in_both_languages() {
        assert_eq!(refusal(Lang::En, &Refusal::Promoted), "The incident concerns the whole fleet already.");
        assert_eq!(refusal(Lang::Ja, &Refusal::Agreed(2)), "第2版は合意済みです。");
    }
}
