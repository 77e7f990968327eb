//! The words of the forms with which people act on an incident.

use crate::incident::Act;
use crate::words::words;

words! {
    /// The words of one language.
    pub(crate) struct ActText {
        /// The act as a button or link.
        act[Act] {
            Act::Acknowledge => "Take this role", "担当する";
            Act::Join => "Join", "参加する";
            Act::HandOver => "Hand over", "引き継ぐ";
            Act::Note => "Message or note", "連絡・メモ";
            Act::CorrectTime => "Correct a time", "時刻を訂正する";
            Act::Countermeasure => "Register a countermeasure", "対策を登録する";
            Act::Agree => "Agree for development", "開発として合意する";
            Act::Script => "Confirm reading", "案内文を確認した";
            Act::ReleaseFix => "Release the fix", "恒久対策の提供を開始する";
            Act::Claim => "Claim a step", "実施を申告する";
            Act::SignOff => "Sign off a device", "例外として承認する";
            Act::Lift => "Withdraw a sign-off", "例外を取り消す";
            Act::Promote => "Raise to the whole fleet", "装置全体の障害にする";
            Act::Demote => "Not a major incident", "重大障害を取り消す";
            Act::Merge => "Merge into another incident", "別の障害に統合する";
            Act::Split => "Split devices off", "装置を分離する";
            Act::Declare => "Declare now", "今すぐ重大障害とする";
            Act::Review => "File the review", "振り返りを提出する";
            Act::Close => "Close", "終結する";
        }
        /// What it means, above its form.
        meaning[Act] {
            Act::Acknowledge =>
                "The first to acknowledge takes the role. Others may acknowledge too and appear on the board.",
                "最初に応答した人が担当者になります。ほかの人も応答でき、一覧に表示されます。";
            Act::Join => "You appear on the board as joined.", "参加者として一覧に表示されます。";
            Act::HandOver =>
                "Hands the role to another person and notifies the staff.",
                "役割を別の担当者に引き継ぎ、関係者に知らせます。";
            Act::Note =>
                "A message to staff goes out on every channel and into the record; a note goes into the record only.",
                "「関係者に連絡」は各経路に送信し、記録にも残ります。メモは記録だけに残ります。";
            Act::CorrectTime =>
                "Corrects the time of a milestone that people reached. The old time stays in the record.",
                "担当者の対応による時刻を訂正します。元の時刻も記録に残ります。";
            Act::Countermeasure =>
                "A new version of the countermeasure. Support follows it once development has agreed.",
                "対策の新しい版です。開発が合意すると、サポートがこの版で対応します。";
            Act::Agree =>
                "Support follows this version from now on. Everyone who read an older script is notified.",
                "サポートは今後この版で対応します。以前の版を確認した人には改めて知らせます。";
            Act::Script =>
                "Confirms that you have read this version of the script and follow it.",
                "この版の案内文を読み、これに従って対応します。";
            Act::ReleaseFix =>
                "Makes the agreed fix available for installation. The incident moves to fixing.",
                "合意された恒久対策を適用できるようになります。障害は「恒久対策の適用中」になります。";
            Act::Claim =>
                "Records that it was done. If telemetry does not confirm it, it becomes a follow-up.",
                "実施したことを申告します。装置からの情報で確認できない場合は、再確認の対象になります。";
            Act::SignOff =>
                "Accepts, under your name, that this device will not be completed.",
                "この装置の対応を完了しないことを、記名で承認します。";
            Act::Lift => "Puts the device back on the open list.", "装置は再び対応の対象になります。";
            Act::Promote =>
                "Musters the staff for an incident that seemed to affect one device only.",
                "単独の装置の障害を装置全体の障害に切り替え、担当者を招集します。";
            Act::Demote =>
                "Ends the incident at once. Only for one that should never have been declared; nothing is deleted.",
                "障害を直ちに終了します。重大障害ではなかった場合にだけ使います。記録は残ります。";
            Act::Merge =>
                "Moves all devices, with everything done so far, to the other incident; this number redirects there.",
                "すべての装置が、これまでの対応とともに別の障害に移ります。この番号からも参照できます。";
            Act::Split =>
                "Moves these devices, with everything done so far, to a new incident.",
                "指定した装置を、これまでの対応とともに新しい障害に移します。";
            Act::Declare =>
                "Declares a major incident now, regardless of the declaration clock, and musters the staff.",
                "宣言までの時計にかかわらず、今すぐ重大障害とします。担当者を招集します。";
            Act::Review => "What happened, why, and what will change.", "何が、なぜ起きたか。今後どう改善するか。";
            Act::Close =>
                "Later degradation opens a new incident. Closing is possible once telemetry shows that this one is over.",
                "今後の品質低下は別の障害になります。装置からの情報で解決が確認されると終結できます。";
        }
        actions: "Actions", "操作";
        cancel: "Cancel", "キャンセル";
        not_done: "Not carried out", "実行されませんでした";
        nothing_changed:
            "Nothing has changed. Your input is kept below.",
            "何も変わっていません。入力した内容は下に残っています。";
        your_name: "Your name", "氏名";
        may_not(role: &str): "Your role ({role}) may not do this.", "この操作は権限（{role}）では行えません。";
        no_incident: "The device is no longer part of this incident.", "この装置は、現在この障害の対象ではありません。";

        reason: "Reason", "理由";
        text: "Text", "本文";
        tell: "Audience", "伝える相手";
        tell_yes: "Message to staff", "関係者に連絡";
        tell_no: "Note only", "メモのみ";
        seat: "Role", "役割";
        to: "Hand over to", "引き継ぐ相手";
        milestone: "Milestone", "項目";
        instant: "Correct time", "正しい時刻";
        instant_hint: "18:00 (most recent), 2026-11-22 18:00", "18:00（直近）、2026-11-22 18:00";
        workaround_id: "Workaround", "回避策";
        workaround_id_hint: "the id in the devices' status, e.g. WA-1", "装置が通知する識別子。例: WA-1";
        script_ja: "Script, Japanese", "案内文（日本語）";
        script_en: "Script, English", "案内文（英語）";
        fix_kind: "Permanent fix", "恒久対策";
        fix_none: "not known yet", "未定";
        fix_update: "an update", "更新版";
        fix_package: "a package", "パッケージ";
        fix_elsewhere: "a change outside the devices", "装置以外での対策";
        fix_value: "Which one", "内容";
        fix_value_hint:
            "2026.11.23, or signatures 9.9.2, or what was repaired",
            "2026.11.23、signatures 9.9.2、修理した箇所など";
        fix_due: "Fix expected by", "恒久対策の予定";
        optional: "optional", "任意";
        version: "Version", "版";
        devices: "Devices", "装置";
        devices_hint: "serials, separated by spaces, commas or lines", "製造番号（空白・カンマ・改行区切り）";
        of_branch: "or all devices of a branch", "または支店の全装置";
        device: "Device", "装置";
        claim: "What was done", "実施した内容";
        kind: "Why", "区分";
        evidence: "Evidence", "根拠";
        evidence_hint: "what was tried and when, or how it is known", "いつ何を試みたか、またはどのように確認したか";
        into: "Merge into", "統合先の障害";
        into_none: "No other incident is open.", "ほかに継続中の障害はありません。";
        choose: "choose", "選択してください";

        wrong_seat: "Choose a role from the list.", "一覧から役割を選んでください。";
        wrong_choice: "Choose one from the list.", "一覧から選んでください。";
        wrong_instant:
            "Not a valid time. Enter 18:00 or 2026-11-22 18:00.",
            "時刻として解釈できません。18:00、2026-11-22 18:00 のように入力してください。";
        wrong_due: "Enter date and time: 2026-11-25 18:00.", "日付と時刻を入力してください。例: 2026-11-25 18:00";
        wrong_version: "Unknown version.", "この版はありません。";
        wrong_device(text: &str):
            "{text} is not a serial: use letters, digits, - and _.",
            "{text} は製造番号ではありません。英数字と - _ で入力してください。";
        wrong_package:
            "Enter a package as name and version: signatures 9.9.2",
            "パッケージは名称と版で入力してください。例: signatures 9.9.2";
        close_open:
            "It cannot be closed yet. What is left, computed from telemetry:",
            "まだ終結できません。装置からの情報によると、次のものが残っています。";
        close_review:
            "Every device is settled. File the review first.",
            "すべての装置の対応が終わりました。先に振り返りを提出してください。";
        review_early:
            "The review is filed after the resolution. What is known so far is below.",
            "振り返りは解決の後に提出します。これまでの内容は下で確認できます。";
        review_markdown: "As Markdown", "Markdown形式";
        review_filed(by: &str, at: &str): "Filed by {by}, {at}", "提出 {by}、{at}";
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::{Lang, names};

    #[test]
    fn the_buttons_are_called_as_messages_call_them() {
        for lang in Lang::ALL {
            let act = ActText::of(lang).act;
            let buttons = (act(Act::Acknowledge), act(Act::Script));
            assert_eq!(buttons, (names::ANSWER.pick(lang), names::READ.pick(lang)));
        }
    }
}
