//! The words of an incident's life: states, steps, people, and the page of an incident.

use crate::incident::ladder::{CallOutcome, Claim, Progress, Proof};
use crate::incident::muster::PostStatus;
use crate::incident::{ExceptionKind, Milestone, State, Step};
use crate::words::{names, words};

words! {
    /// The words of one language.
    pub(crate) struct IncidentText {
        state[State] = names::state;
        state_meaning[State] {
            State::Declared =>
                "The degradation has reached the duration of a major incident. The staff are being called.",
                "重大障害の基準時間に達しました。担当者を招集しています。";
            State::Mustered =>
                "Every role is filled. There is no agreed workaround yet.",
                "すべての役割の担当者が決まりました。合意済みの回避策はまだありません。";
            State::WorkaroundAvailable =>
                "Support can talk customers through the agreed workaround.",
                "合意済みの回避策を、サポートが顧客に案内できます。";
            State::PendingPermanentFix =>
                "Workarounds have restored quality. The incident stays open until the permanent fix is installed.",
                "回避策により品質は回復しました。恒久対策の適用が完了するまで、障害対応は継続します。";
            State::Fixing =>
                "The permanent fix is being installed, and the workarounds are being reverted.",
                "恒久対策を適用し、回避策を解除しています。";
            State::Resolved =>
                "Every device is done or signed off, and stable. The review is outstanding.",
                "すべての装置が完了または承認済みで、安定しています。振り返りが残っています。";
            State::Reviewed =>
                "The review is filed. The incident can be closed.",
                "振り返りが提出されました。終結できます。";
            State::Closed =>
                "Closed. Later degradation opens a new incident.",
                "終結しました。今後の品質低下は別の障害として扱います。";
        }
        step[Step] = names::step;
        milestone[Milestone] = names::milestone;
        post[PostStatus] {
            PostStatus::Uncalled => "not called", "未招集";
            PostStatus::Paged => "called, no answer yet", "招集中（応答なし）";
            PostStatus::Acknowledged => "acknowledged", "応答済み";
            PostStatus::Joined => "joined", "参加中";
        }
        outcome[CallOutcome] {
            CallOutcome::Reached => "reached", "通話できた";
            CallOutcome::NoAnswer => "no answer", "応答なし";
            CallOutcome::CallBack => "call back", "かけ直し";
            CallOutcome::Refused => "refused", "拒否";
        }
        progress[Progress] {
            Progress::Unwanted => "no", "不要";
            Progress::Phone => "by phone", "電話で";
            Progress::Mail => "by mail", "メールで";
        }
        claim[Claim] {
            Claim::Workaround => "workaround on", "回避策を適用";
            Claim::Fix => "fix installed", "恒久対策を適用";
            Claim::Revert => "workaround reverted", "回避策を解除";
        }
        proof[Proof] {
            Proof::Workaround => "the workaround is on", "回避策が有効";
            Proof::Fix => "the fix is installed", "恒久対策が適用済み";
            Proof::Revert => "the workaround is reverted", "回避策が解除済み";
            Proof::Quality => "quality has recovered", "品質が回復";
        }
        exception[ExceptionKind] = names::exception;

        next: "Next", "次の対応";
        /// Above the acts that cannot be taken back.
        grave: "Changes to the incident itself", "障害そのものの変更";
        /// From when to when, and how long.
        impact_lasted(from: &str, to: &str, lasting: &str):
            "Impact from {from} to {to} ({lasting}).",
            "影響は {from} から {to} まで（{lasting}）。";
        /// In how many branches, and the worst of them.
        in_branches(count: usize, worst: &str) {
            (1, _) => "1 branch: {worst}.", "{worst} の1支店。";
            _ => "{count} branches, most in {worst}.", "{count}支店。多い順に {worst}。";
        }
        states: "State of the incident", "障害の状態";
        state_done: "done", "済み";
        state_now: "now", "現在";
        state_ahead: "to come", "これから";
        demoted(reason: &str): "Not a major incident: {reason}", "重大障害ではありませんでした: {reason}";
        merged_into: "Merged into", "統合先";
        follows: "Follows", "前の障害";
        followed_by: "Followed by", "次の障害";
        criterion(rule: &str, measured: &str): "rule {rule}, measured {measured}", "基準 {rule}、実測 {measured}";
        milestones: "Milestones", "主な時刻";
        milestones_note:
            "Impact, detection and declaration are measured. The others can be corrected, with a reason.",
            "影響の開始・検知・宣言は計測値です。ほかの時刻は、理由を添えて訂正できます。";
        after_declaration(length: &str): "{length} after the declaration", "宣言の{length}後";
        before_declaration(length: &str): "{length} before the declaration", "宣言の{length}前";
        /// From when to when the quality was lost again.
        lapsed(lost: &str, back: &str):
            "degraded again at {lost}, recovered at {back}",
            "{lost} に再び低下、{back} に回復";
        lapses(lost: &str): "degraded again at {lost}, not recovered yet", "{lost} に再び低下、未回復";

        people: "People", "体制";
        seat: "Role", "役割";
        holder: "Held by", "担当者";
        called: "Called", "招集先";
        answered: "Acknowledged", "応答";
        nobody: "nobody yet", "未定";
        unanswered(n: u32) {
            1 => "whole rota unanswered 1 time", "全員応答なし 1回";
            _ => "whole rota unanswered {n} times", "全員応答なし {n}回";
        }
        present: "Present", "参加者";
        nobody_present: "Nobody has joined yet.", "なし";
        no_muster:
            "An isolated incident musters nobody: it goes to the support queue.",
            "単独の装置の障害では招集せず、サポートの対応待ちに入ります。";
        wanted: "Needed", "担当者が必要";
        last_word(at: &str): "Last message to staff: {at}", "関係者への最後の連絡: {at}";

        promise: "The promise", "約束の期限";
        promised: "Promised by", "期限";
        promise_missed: "will be missed", "間に合わない見込み";
        promise_kept: "will be kept", "間に合う見込み";
        left(left: u32, all: u32): "{left} of {all} devices left", "{all}台中 残り{left}台";
        forecast(ends: &str, earliest: &str, latest: &str):
            "At the rate of the last day the last device is done on {ends} (80 % chance: between {earliest} and {latest}).",
            "直近1日のペースでは、最後の装置の完了は {ends}（80%の確率で {earliest} から {latest} の間）。";
        rate(rate: &str): "{rate} devices an hour.", "1時間あたり{rate}台。";
        no_forecast:
            "Too few devices are done for a forecast.",
            "完了した装置が少ないため、見込みを算出できません。";
        none_left: "No device is left.", "残りはありません。";
        chart_title(number: &str): "Devices left of {number}", "{number} の残り台数";
        chart_left: "devices left", "残り台数";
        chart_promise: "promise", "期限";
        chart_forecast: "forecast (80 %)", "見込み（80%）";
        chart_now: "now", "現在";

        ladder: "Device progress", "装置ごとの対応状況";
        ladder_note:
            "A step is claimed by a person or verified by telemetry. Only verified steps count towards the resolution.",
            "各段階には、担当者の申告と、装置からの情報による確認があります。解決の条件になるのは確認された段階だけです。";
        step_word: "Step", "段階";
        devices_word: "Devices", "台数";
        excepted: "signed off", "承認済みの例外";
        by_branch: "By branch", "支店別";
        all: "all", "全体";
        open: "not done", "未完了";
        search: "Serial or customer", "製造番号または顧客";
        calls: "Calls", "架電";
        last_reached: "Last reached", "最後の通話";
        wants_progress: "Progress reports", "経過の連絡";
        setting_on: "workaround is on", "回避策が有効";
        relapsed(n: u32) {
            1 => "degraded again", "再発1回";
            _ => "degraded again {n} times", "再発{n}回";
        }
        shown_of(shown: usize, total: usize): "{shown} of {total} devices", "{total}台中 {shown}台";

        remedy: "Countermeasure", "対策";
        no_remedy: "None registered yet.", "まだ登録されていません。";
        version(n: u32): "Version {n}", "第{n}版";
        in_force: "in force", "使用中";
        replaced: "replaced", "差し替え済み";
        not_agreed: "awaiting development's agreement", "開発の合意待ち";
        registered(by: &str, at: &str): "registered by {by}, {at}", "登録 {by}、{at}";
        agreed(by: &str, at: &str): "agreed by {by}, {at}", "合意 {by}、{at}";
        workaround: "Workaround", "回避策";
        fix: "Permanent fix", "恒久対策";
        fix_due: "Fix due by", "恒久対策の予定";
        fix_released: "available", "提供中";
        script: "Script", "案内文";
        script_other:
            "There is no English script; this is the Japanese one.",
            "日本語の案内文はありません。英語のものを表示しています。";
        read_by(n: usize) {
            1 => "read by 1 person", "1人が確認";
            _ => "read by {n} people", "{n}人が確認";
        }

        owed: "Outstanding", "残っている対応";
        owed_none: "Nothing is outstanding.", "ありません。";
        follow_ups: "Follow-ups", "再確認";
        follow_ups_note: "claimed, not confirmed by telemetry", "申告されたが、装置からの情報で確認できないもの";
        debts: "Workarounds to revert", "解除が必要な回避策";
        debts_note: "fix installed, workaround still on", "恒久対策の適用後も回避策が有効なもの";
        words_owed: "Customers to inform", "報告が必要な顧客";
        call_backs: "Call-backs", "かけ直し";
        exceptions: "Signed off", "承認済みの例外";
        signed_by: "Signed by", "承認者";
        claimed(what: &str): "claimed: {what}", "申告: {what}";
        claimed_by(who: &str): "claimed by {who}", "申告 {who}";
        since: "Since", "起点";
        and_more(n: usize): "and {n} more", "ほか{n}台";

        obstacles: "What is left before it can be resolved", "解決までに残るもの";
        obstacles_none:
            "Nothing: every device is done or signed off, and known to be healthy.",
            "ありません。すべての装置が完了または承認済みで、品質に問題がないことを確認しています。";
        obstacles_note:
            "Computed from telemetry. The incident resolves by itself once this list is empty.",
            "装置からの情報で判定しています。すべてなくなると、自動で「解決」になります。";
        obstacle_unseen:
            "The fleet cannot be seen right now, so nothing can be proved.",
            "装置の状況を把握できていないため、何も確認できません。";
        obstacle_open(n: u32) {
            1 => "1 device is neither done nor signed off", "完了も承認もされていない装置 1台";
            _ => "{n} devices are neither done nor signed off", "完了も承認もされていない装置 {n}台";
        }
        obstacle_degraded(n: u32) {
            1 => "1 device is affected again", "再び影響を受けている装置 1台";
            _ => "{n} devices are affected again", "再び影響を受けている装置 {n}台";
        }
        obstacle_unknown(n: u32) {
            1 => "1 device is without data", "データのない装置 1台";
            _ => "{n} devices are without data", "データのない装置 {n}台";
        }
        obstacle_unquiet(n: u32) {
            1 => "1 device is not yet stable", "まだ安定していない装置 1台";
            _ => "{n} devices are not yet stable", "まだ安定していない装置 {n}台";
        }
        obstacle_review: "The review is not filed.", "振り返りが提出されていません。";
        review: "Review", "振り返り";
        review_due(at: &str): "The review is due by {at}.", "振り返りの期限は {at} です。";

        record: "Record", "記録";
        record_all: "everything", "すべて";
        record_people: "people only", "人の操作のみ";
        record_whole: "The whole record", "記録の全体";
        older: "Older", "以前の記録";
        newest: "Newest", "最新の記録";
        detector_record: "Detector decisions", "自動検知の記録";
        delivery: "Messages sent", "送信の記録";
        delivery_none: "Nothing was sent yet.", "まだ送信していません。";
        delivery_off:
            "No channel is configured: nobody is notified outside these pages.",
            "連絡経路が設定されていません。この画面以外には通知されません。";
        channel: "Channel", "経路";
        receiver: "Receiver", "宛先";
        about: "About", "内容";
        when: "When", "日時";
        result: "Result", "結果";
        undelivered: "not delivered yet", "未達（再送する）";
        sent: "sent", "送信済み";
        given_up: "given up", "断念";
        retry_at(at: &str): "next attempt at {at}", "再送 {at}";
        export: "Export", "書き出し";
        who_telemetry: "telemetry", "装置の情報";
        who_clock: "clock", "時間経過";
        live_on: "Live: changes appear by themselves.", "変更は自動で反映されます。";
        live_off:
            "The live connection is lost; what is shown may be old. Reconnecting.",
            "接続が切れたため、表示が古い可能性があります。再接続しています。";
    }
}
