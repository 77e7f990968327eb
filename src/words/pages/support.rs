//! The words of the support desk, the branches, a device's page and the settings.

use crate::incident::ladder::Direction;
use crate::words::words;

words! {
    /// The words of one language.
    pub(crate) struct SupportText {
        title: "Support desk", "サポート窓口";
        search: "Serial, customer or phone number", "製造番号・顧客・電話番号";
        search_hint: "B-0042, C-00123, 011-123-4567", "B-0042、C-00123、011-123-4567";
        search_button: "Look up", "調べる";
        nothing_found(text: &str): "No match for {text}", "{text} に該当する装置はありません";
        nothing_found_note:
            "No device has this serial, customer, name or phone number. It may still be affected: ask for the serial on the device's label.",
            "この製造番号・顧客・氏名・電話番号の装置は登録されていません。影響がないという意味ではありません。装置のラベルの製造番号を確認してください。";
        several(n: usize): "{n} devices match. Choose one.", "{n}台が該当します。選んでください。";
        several_more: "There are more matches. Narrow the search.", "ほかにもあります。条件を詳しく入力してください。";

        affected: "Affected", "影響あり";
        not_affected: "Not affected", "影響なし";
        settled: "Was affected; done", "影響あり（対応完了）";
        suspicious: "Degraded, not part of an incident", "品質低下中（障害の対象外）";
        cannot_say: "Unknown", "判定できません";
        affected_detail(number: &str, since: &str):
            "Part of {number} since {since}.",
            "{since} から {number} の対象です。";
        not_affected_detail:
            "The device is part of no open incident, and its quality is normal in the newest minute.",
            "継続中の障害の対象ではなく、直近の品質も正常です。";
        settled_detail(number: &str, at: &str):
            "Was part of {number}; everything is done since {at}.",
            "{number} の対象でしたが、{at} に対応を終えています。";
        suspicious_detail:
            "The quality of this device is degraded right now, but not long enough for an incident, or for another reason. Write down what the customer describes.",
            "この装置の品質は現在低下していますが、障害とする長さに達していないか、個別の原因によるものです。状況を聞き取ってください。";
        cannot_say_detail:
            "The device is part of no open incident, but it has sent no data lately. Ask whether it is switched on and connected.",
            "継続中の障害の対象ではありませんが、最近のデータがありません。電源と接続を確認してもらってください。";

        setting: "Setting on the device", "装置の設定";
        setting_on: "Workaround is ON", "回避策: 有効";
        setting_off: "Workaround is OFF", "回避策: 無効";
        setting_unknown: "Not reported by the device", "装置からの通知なし";
        watch: "Watch the setting (reloads every 2 s)", "設定の変化を表示する（2秒ごとに再読み込み）";
        watch_stop: "Stop watching", "表示の更新をやめる";

        what_to_do: "What to do and say", "対応と案内";
        do_wait:
            "No workaround is agreed yet. Apologise, say that we are working on it, and ask whether and how the customer wants progress reports.",
            "合意された回避策はまだありません。お詫びし、対応中であることを伝え、経過の連絡を希望されるか、方法とともに伺ってください。";
        do_script:
            "Talk the customer through the script. Stay on the line until the setting above says ON.",
            "案内文に沿って案内してください。上の設定が「有効」になるまで電話を切らずに確認してください。";
        do_verify:
            "The customer was guided through it, but the device does not confirm it. Go through the script again and watch the setting.",
            "案内済みですが、装置では確認できていません。案内文を改めて案内し、設定の変化を確認してください。";
        do_hold:
            "The workaround is on and quality is back. Tell the customer that the permanent fix will follow.",
            "回避策が有効で、品質は回復しています。恒久対策は今後提供することを伝えてください。";
        do_fix(fix: &str):
            "The permanent fix {fix} is available. Ask the customer to install it, or arrange a time.",
            "恒久対策 {fix} を提供中です。適用をお願いするか、日時を決めてください。";
        do_revert:
            "The fix is installed, but the workaround is still on. Talk the customer through switching it off; stay on the line until the setting above says OFF.",
            "恒久対策は適用済みですが、回避策が有効のままです。解除を案内し、上の設定が「無効」になるまで電話を切らずに確認してください。";
        do_call_back:
            "Call the customer back and continue where the last call ended.",
            "かけ直しの約束があります。前回の続きから案内してください。";
        do_quiet:
            "The fix is installed and quality is being checked; no call is needed.",
            "恒久対策は適用済みで、品質を確認しています。電話での対応は必要ありません。";
        do_tell:
            "This device is done. The customer asked to be informed: say so, and record the call.",
            "この装置の対応はすべて終わりました。連絡を希望されていますので、完了を伝えて架電を記録してください。";
        do_nothing: "Nothing to do for this device.", "この装置への対応は必要ありません。";
        do_signed: "The device was signed off; nothing to do.", "例外として承認済みです。対応は必要ありません。";
        new_script(version: u32):
            "Version {version} of the script is new to you",
            "案内文 第{version}版をまだ確認していません";
        new_script_note:
            "Read it before the next call, and confirm that you have.",
            "次の電話の前に読み、確認したことを記録してください。";
        script_read(at: &str): "you read it {at}", "{at} に確認済み";

        record_call: "Record the call", "架電を記録する";
        record_call_note: "One tap records it.", "結果を押すと記録されます。";
        direction_question: "Who called?", "どちらからの電話ですか";
        direction[Direction] {
            Direction::Outgoing => "We called", "架電";
            Direction::Incoming => "The customer called", "受電";
        }
        /// What the customer wished, beside a past call.
        request: "Progress reports", "経過の連絡";
        progress_question: "Does the customer want progress reports?", "経過の連絡を希望されますか";
        progress_not_asked: "not asked", "聞いていない";
        note: "Note", "メモ";
        call_recorded: "The call is recorded.", "架電を記録しました。";
        claim_recorded:
            "Recorded as claimed. Telemetry has to confirm it.",
            "申告として記録しました。装置からの情報で確認されます。";
        call_meanwhile:
            "Another call about this device was recorded meanwhile. If yours is a different one, record it again.",
            "その間に、この装置について別の架電が記録されました。別の電話であれば、もう一度記録してください。";
        calls_so_far: "Calls so far", "これまでの架電";
        no_calls: "None.", "ありません。";
        unanswered_calls(made: u32, needed: u32):
            "{made} of {needed} unanswered calls needed to mark the device unreachable",
            "応答なし {made}回（連絡不能とするには{needed}回）";
        claim_note:
            "if it was done on the phone but the setting does not show it yet",
            "電話で実施したが、まだ設定に表れないとき";

        customer: "Customer", "顧客";
        contact: "Contact", "連絡先";
        contact_hidden:
            "visible to support, the device's branch and commanders",
            "サポート・担当支店・指揮者のみ閲覧できます";
        contact_none: "none on file", "登録なし";
        queue: "Customers to call", "架電対象の顧客";
        queue_empty: "No customer is waiting for a call.", "架電が必要な顧客はいません。";
        queue_why: "Why", "理由";
        to_call: "not reached yet", "未連絡";
        isolated: "Single devices in an incident", "単独の装置の障害";

        branches: "Branches", "支店一覧";
        branch_of(name: &str): "Branch {name}", "支店 {name}";
        no_branches: "No device has reported a branch yet.", "支店を通知した装置はまだありません。";
        own_branches: "You see your own branches.", "担当する支店のみ表示しています。";
        devices: "Devices", "装置";
        degraded: "Degraded now", "品質低下";
        not_done: "Not done", "未完了";
        branch_quiet:
            "No device of this branch is part of an open incident.",
            "継続中の障害の対象となっている装置はありません。";

        firmware: "Firmware", "ファームウェア";
        incidents: "Incidents of this device", "この装置の障害";
        incidents_open: "Open incidents", "継続中の障害";
        no_incidents: "None on record.", "記録されている障害はありません。";
        unread: "Messages are refused", "受信データを拒否しています";
        /// Why, which field, how many messages, since when, and when the last one came.
        unread_of(why: &str, field: Option<&str>, messages: u64, since: &str, last: &str) {
            (_, Some(field), ..) =>
                "{why} ({field}): {messages} messages since {since}, the last at {last}",
                "{why}（{field}）: {since} から{messages}件（最終 {last}）";
            _ =>
                "{why}: {messages} messages since {since}, the last at {last}",
                "{why}: {since} から{messages}件（最終 {last}）";
        }
        unread_detail:
            "The device is on and connected, but fleetwatch cannot use what it sends. Do not ask the customer to check on site; hand it over to development.",
            "装置は起動し接続していますが、送られてくるデータを読み取れません。お客様に現地の確認を依頼せず、開発へ引き継いでください。";
        over_budget: "Over its message budget", "送信量の超過";
        /// Messages refused, and when the last one came.
        over_budget_of(messages: u64, at: &str):
            "{messages} messages refused since the last start, the last at {at}",
            "前回の起動以降に{messages}件の受信を拒否しました（最終 {at}）";
        distribution: "Delay before and during", "遅延の分布（事象前と事象中）";
        distribution_note:
            "Of all devices of the incident together, as recorded at its declaration.",
            "障害の対象装置すべての合計です。宣言の時点で記録したものです。";
        verdicts: "Minutes of the hour", "1時間の判定";
        verdicts_note:
            "Judged over all devices of the incident together.",
            "障害の対象装置すべてをまとめて判定しています。";

        settings: "Settings", "設定";
        settings_note:
            "Settings in force since the last start. Change them in the configuration file; secrets are never shown.",
            "直近の起動以降に有効な設定です。変更は設定ファイルで行います。秘密の値は表示しません。";
        key: "Key", "項目";
        value: "Value", "値";
        not_set: "not set", "未設定";
        hidden: "set, not shown", "設定済み（非表示）";
        life: "Life of an incident", "障害対応の規則";
        rota: "Rota", "当番表";
        no_rota:
            "No rota is configured: a declaration calls nobody.",
            "当番表が設定されていません。重大障害を宣言しても、誰も招集されません。";
        rota_step(step: usize, people: &str, minutes: u32):
            "{step}. {people}; next step after {minutes} min without an answer",
            "{step}. {people}（{minutes}分応答がなければ次へ）";
        file: "Configuration", "設定ファイル";

        channels: "Channels", "連絡経路";
        no_channels:
            "No channel is configured: nobody is notified. The sample configuration shows how to add one.",
            "連絡経路が設定されていません。誰にも通知されません。設定例は見本の設定ファイルにあります。";
        channel: "Channel", "経路";
        channel_state: "State", "状態";
        last_sent: "Last delivered", "最後の配信";
        never_sent: "not since the start", "起動以降なし";
        given_up: "Given up since the start", "起動以降の送信断念件数";
        /// Of messages that nobody hears.
        not_told: "Messages are not getting through", "通知が届いていません";
        failing_since(since: &str): "failing since {since}", "{since}から失敗";
        /// Of messages that have not got through for long, and how many.
        untold(count: usize) {
            1 => "1 message has not got through", "届いていない通知が1件あります";
            _ => "{count} messages have not got through", "届いていない通知が{count}件あります";
        }
        untold_hint:
            "Reach these receivers another way. Delivery is being retried, and other channels were notified.",
            "次の宛先にはほかの手段で連絡してください。送信は再試行中で、ほかの経路にも知らせています。";
        receiver_failing_since(since: &str): "refused since {since}", "{since}から受信拒否";
        refused: "delivery of a message was given up", "送信を断念した通知があります";
        delivers: "delivers", "配信中";
        never_used: "not used since the start", "起動以降は未使用";
    }
}
