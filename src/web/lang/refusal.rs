//! Why a wish was not granted, in the reader's language.

use super::Lang;
use crate::incident::milestone::OrderError;
use crate::incident::{MAX_NAME, MAX_TEXT, Refusal, State};
use crate::record::incidents::DeskError;

/// The refusal as a sentence that says what to do.
pub(in crate::web) fn refusal(lang: Lang, refusal: &Refusal) -> String {
    match lang {
        Lang::En => english(&refusal.to_string()),
        Lang::Ja => japanese(refusal),
    }
}

/// The same for whatever else keeps a wish from being carried out.
pub(in crate::web) fn desk_error(lang: Lang, error: &DeskError) -> String {
    match (lang, error) {
        (_, DeskError::Refused(why)) => refusal(lang, why),
        // The store's own words name paths of this machine: they are for the log.
        (Lang::En, DeskError::Store(error)) => {
            format!(
                "The record cannot be written at the moment ({}), so nothing has changed. Try again.",
                error.reason()
            )
        }
        (Lang::En, error) => english(&error.to_string()),
        (Lang::Ja, DeskError::Unknown(id)) => format!("障害 {id} は見つかりません。"),
        (Lang::Ja, DeskError::Stale { .. }) => {
            "表示中に障害の内容が変わりました。最新の内容を確認してからやり直してください。".to_owned()
        }
        (Lang::Ja, DeskError::Repeated) => {
            "この操作はすでに実行されています。画面を更新して確認してください。".to_owned()
        }
        (Lang::Ja, DeskError::Store(error)) => {
            format!("記録に書き込めないため({})、何も変わっていません。もう一度お試しください。", error.reason())
        }
    }
}

/// The engine's errors are clauses.
fn english(clause: &str) -> String {
    let mut chars = clause.chars();
    let Some(first) = chars.next() else { return String::new() };
    format!("{}{}.", first.to_uppercase(), chars.as_str())
}

fn japanese(refusal: &Refusal) -> String {
    let text = Lang::Ja.incident();
    match refusal {
        Refusal::Closed => "この障害は終結しています。今後の事象は別の障害として扱います。".to_owned(),
        Refusal::State { state, .. } if state.is_active() => {
            format!("現在の状態({})では行えません。解決した後に行ってください。", (text.state)(*state))
        }
        Refusal::State { state: State::Resolved, .. } => "先に振り返りを提出してください。".to_owned(),
        Refusal::State { state, .. } => format!("現在の状態({})では行えません。", (text.state)(*state)),
        Refusal::Reason => format!("理由を1〜{MAX_TEXT}文字で入力してください。"),
        Refusal::Text => format!("本文を1〜{MAX_TEXT}文字で入力してください。"),
        Refusal::Name => format!("氏名・名称を1〜{MAX_NAME}文字で入力してください。"),
        Refusal::NotADevice(device) => format!("{device} はこの障害の対象ではありません。"),
        Refusal::NoDevice => "装置を1台以上指定してください。".to_owned(),
        Refusal::AllDevices => {
            "すべての装置を分離することはできません。1台以上残すか、重大障害を取り消してください。".to_owned()
        }
        Refusal::Held { seat, holder } => {
            format!("{}は既に {holder} が担当しています。", super::story::seat(Lang::Ja, seat))
        }
        Refusal::Empty => "回避策か恒久対策の少なくとも一方を入力してください。".to_owned(),
        Refusal::Script => "回避策には、装置が通知する識別子と、少なくとも一つの言語の案内文が必要です。".to_owned(),
        Refusal::Due => "恒久対策の予定は現在より後の日時にしてください。".to_owned(),
        Refusal::NoVersion(version) => format!("対策の第{version}版はありません。"),
        Refusal::Replaced { version, newest } => format!("第{version}版は第{newest}版に差し替えられました。"),
        Refusal::OwnWord => "登録した本人は合意できません。開発の別の担当者が合意してください。".to_owned(),
        Refusal::Agreed(version) => format!("第{version}版は合意済みです。"),
        Refusal::NotAgreed(version) => format!("第{version}版は開発の合意を待っています。"),
        Refusal::NoFix => "合意された恒久対策がありません。恒久対策を含む対策を登録してください。".to_owned(),
        Refusal::NoWorkaround => "合意された回避策がないため、適用済みとは申告できません。".to_owned(),
        Refusal::Released(name) => format!("{name} は既に提供を開始しています。"),
        Refusal::NotReleased => "恒久対策はまだ提供されていません。".to_owned(),
        Refusal::Calls { device, needed, made } => {
            format!("{device} を連絡不能とするには、応答のない架電の記録が{needed}回必要です(現在{made}回)。")
        }
        Refusal::NobodyCalled => "受電の結果に「応答なし」は選べません。結果か電話の向きを直してください。".to_owned(),
        Refusal::NoException(device) => format!("{device} は例外として承認されていません。"),
        Refusal::Order(OrderError::Future(milestone)) => {
            format!("{}を未来の時刻にはできません。", (text.milestone)(*milestone))
        }
        Refusal::Order(OrderError::Order { earlier, later }) => {
            format!("{}は{}より前にはできません。", (text.milestone)(*later), (text.milestone)(*earlier))
        }
        Refusal::Measured => "影響の開始・検知・判定は計測値のため、手では訂正できません。".to_owned(),
        Refusal::Promoted => "既に装置全体の障害です。".to_owned(),
        Refusal::Open(_) => "まだ終わっていません。下の「解決までに残るもの」を確認してください。".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_a_sentence_in_both_languages() {
        assert_eq!(refusal(Lang::En, &Refusal::Promoted), "The incident concerns the whole fleet already.");
        assert_eq!(refusal(Lang::Ja, &Refusal::Agreed(2)), "第2版は合意済みです。");
        let stale = DeskError::Stale { seen: 1, now: 2 };
        assert!(desk_error(Lang::En, &stale).starts_with("The incident has changed"));
        assert!(desk_error(Lang::Ja, &stale).contains("やり直して"));
    }

    #[test]
    fn the_stores_words_stay_in_the_log() {
        let error = || {
            DeskError::Store(crate::record::StoreError::Unwritable { path: "/srv/x.db".into(), detail: "mode".into() })
        };
        for lang in [Lang::En, Lang::Ja] {
            let told = desk_error(lang, &error());
            assert!(told.contains("unwritable") && !told.contains("/srv"), "{told}");
        }
    }
}
