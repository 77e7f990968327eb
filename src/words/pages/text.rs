//! Every word of the pages, in both languages. A field without a value does not compile, so no translation can be missing.

use crate::words::words;

words! {
    /// The words of one language. Functions where a language puts its numbers elsewhere.
    pub(crate) struct Text {
        language_name: "English", "日本語";
        date_time_format: "%-d %b %Y %H:%M", "%Y年%-m月%-d日 %H:%M";
        skip: "Skip to the content", "本文へ移動";
        nav_now: "Now", "現在の状況";
        nav_incidents: "Incidents", "障害一覧";
        nav_devices: "Devices", "装置一覧";
        nav_label: "Pages", "ページ";

        all_well: "Nothing is wrong", "異常はありません";
        all_well_detail:
            "No degradation is long enough for an early warning.",
            "早期警告の対象となる品質低下はありません。";
        /// Of an incident whose quality is back and whose devices are not done.
        not_over:
            "Quality has recovered for now; the incident is not over.",
            "品質は現在回復していますが、障害は終わっていません。";
        /// What it is, its number, and where it stands; that may be empty.
        headline(what: &str, name: &str, state: &str) {
            (_, _, "") => "{what} {name}", "{what} {name}";
            _ => "{what} {name}: {state}", "{what} {name}: {state}";
        }
        since(at: &str, lasting: &str): "Since {at} ({lasting}).", "{at} から（{lasting}）。";
        not_done(open: u64, all: u64):
            "{open} of {all} devices are neither done nor signed off.",
            "{all}台中 {open}台が未完了。";
        affected_of(affected: u64, all: u64): "{affected} of {all} devices affected.", "{all}台中 {affected}台に影響。";
        major: "Major incident", "重大障害";
        warning: "Early warning", "早期警告";
        warning_detail: "Not yet a major incident.", "まだ重大障害ではありません。";
        /// Of what is declared and worked on by nobody.
        watched: "Under observation", "監視中";
        blind: "The fleet cannot be seen", "装置の状況を把握できていません";
        starting: "Starting", "起動中";
        starting_detail: "No minute has been judged yet.", "判定済みのデータがまだありません。";
        stale_detail(age: &str):
            "The figures below are {age} old. Later changes are not visible.",
            "以下の数値は{age}前のものです。その後の状況は確認できていません。";
        silent_detail(reporting: u64, expected: u64):
            "Only {reporting} of {expected} devices are reporting. The rest are unknown, not healthy.",
            "{expected}台のうち{reporting}台しか報告していません。報告がないことは正常を意味しません。";
        not_ready_detail: "Part of the detector is not working:", "検知機能の一部が動作していません:";

        fleet: "Fleet", "装置全体";
        reporting: "Reporting", "報告中";
        of_expected(n: u64): "of {n} expected", "対象 {n}台";
        degraded_now: "Degraded now", "品質低下";
        healthy_now: "Healthy", "正常";
        not_known: "Not known", "不明";
        not_known_note: "no data, or too little to decide", "データなし、または判定に不足";
        open_events: "Open events", "継続中の事象";
        no_open_events: "None.", "ありません。";
        recent_incidents: "Incidents on record", "記録された障害";
        wall: "Wall display", "大画面表示";
        no_incidents: "None.", "ありません。";
        all_incidents: "All incidents", "すべての障害";
        more_events(n: usize): "and {n} more", "ほかに{n}件";

        clock: "Declaration clock", "宣言までの時計";
        clock_of(streak: &str, hold: &str): "{streak} of {hold} proved", "{hold}のうち{streak}を確認";
        clock_full(streak: &str): "full: {streak} proved", "基準時間に達しました（{streak}を確認）";
        due(at: &str, left: &str):
            "Becomes a major incident at {at} (in {left}) if nothing changes.",
            "このまま続くと {at} に重大障害を宣言します（あと{left}）。";
        suspended:
            "Suspended: without data, degradation can be neither proved nor ruled out.",
            "中断中: データが欠けているため、品質低下が続いているかどうかを確認できません。";
        incident: "Incident", "障害";
        state: "State", "状態";
        scope: "Scope", "範囲";
        scope_fleet: "fleet", "複数の装置";
        scope_isolated: "one device", "単独の装置";
        impact_start: "Impact began", "影響の開始";
        declared_at: "Declared", "重大障害の宣言";
        recovered_at: "Quality recovered", "品質の回復";
        resolved_at: "Resolved", "監視終了";
        not_yet: "not yet", "まだ";
        duration: "Proved degradation", "確認された継続時間";
        evidence: "Evidence", "根拠";
        suspect: "Suspect", "原因の候補";
        no_suspect:
            "none identified: the data point to no single one",
            "特定できません（データからは一つに絞れません）";
        confidence(certainty: &str): "confidence {certainty}", "確信度 {certainty}";
        runner_up: "Runner-up", "次点";
        inseparable:
            "Both cover the same devices: the data cannot tell them apart.",
            "どちらも同じ装置が該当するため、データからは区別できません。";
        affected: "Affected devices", "影響を受けた装置";
        devices_count(n: u64) {
            1 => "1 device", "1台";
            _ => "{n} devices", "{n}台";
        }
        now_members(n: u64): "{n} still affected", "うち{n}台で継続中";
        left_note: "no longer affected", "影響なし（対象外へ）";
        no_branch: "branch not known", "支店不明";
        timeline: "Timeline", "経過";
        who_detector: "detector", "自動検知";
        written_at(at: &str): "written {at}", "記録 {at}";
        change_early_warning(streak: &str):
            "Early warning after {streak} of proved degradation",
            "早期警告: 品質低下が{streak}連続";
        change_declared(n: u64) {
            1 => "Declared a major incident with 1 device", "重大障害を宣言（対象 1台）";
            _ => "Declared a major incident with {n} devices", "重大障害を宣言（対象 {n}台）";
        }
        change_joined(n: u64) {
            1 => "1 device joined", "1台を追加";
            _ => "{n} devices joined", "{n}台を追加";
        }
        change_left(n: u64) {
            1 => "1 device left", "1台が対象外へ";
            _ => "{n} devices left", "{n}台が対象外へ";
        }
        change_cause: "The suspect changed", "原因の候補を変更";
        change_recovered: "Quality recovered", "品質が回復";
        change_resolved: "Resolved", "監視終了";
        show_devices: "Show the devices", "装置を表示";
        not_recorded:
            "The record of this event is still being written; what is shown is as of the last tick.",
            "この事象の記録は書き込み待ちです。直近の判定時点の内容を表示しています。";
        record_unreadable: "The incident record cannot be read at the moment.", "障害の記録を現在読み出せません。";

        proof: "Continuity proof", "連続性の証明";
        proof_note:
            "Each minute is judged over all members together.",
            "1分ごとに、対象の装置すべてをまとめて判定しています。";
        proof_none: "It is written when the event is declared.", "重大障害の宣言時に記録されます。";
        proof_summary(minutes: usize, degraded: usize, healthy: usize, unknown: usize):
            "{minutes} minutes: {degraded} degraded, {healthy} healthy, {unknown} not known",
            "{minutes}分間: 品質低下 {degraded}分、正常 {healthy}分、不明 {unknown}分";
        proof_table: "As a table", "表で見る";
        minute: "Minute", "時刻";
        exceeding: "Above threshold", "しきい値超過";
        samples: "Samples", "サンプル数";
        members_reporting: "Members reporting", "報告した装置";
        treatment: "Treatment", "扱い";
        counts: "counts", "算入";
        does_not_count: "does not count, ends nothing by itself", "算入せず（これだけでは途切れない）";
        bridged(n: usize): "gap of {n} min, bridged", "{n}分の欠測、連続とみなす";

        verdict: "Verdict", "判定";
        verdict_degraded: "degraded", "品質低下";
        verdict_healthy: "healthy", "正常";
        verdict_indeterminate: "undecided", "判定不能";
        verdict_unknown: "no data", "データなし";

        device: "Device", "装置";
        branch: "Branch", "支店";
        update: "Update", "更新版";
        model: "Model", "機種";
        streak: "Streak", "継続時間";
        latency: "Added delay p50 / p95", "付加遅延 p50 / p95";
        false_positives: "False positives", "誤検知率";
        last_report: "Last heard", "最終受信";
        any: "any", "すべて";
        filter: "Show", "表示";
        filter_clear: "Clear", "条件をクリア";
        shown_of(shown: usize, total: usize): "{shown} of {total}", "{total}台中 {shown}台";
        next_page: "Next page", "次のページ";
        first_page: "First page", "最初のページ";
        no_devices: "No device matches.", "該当する装置はありません。";
        offline: "offline", "オフライン";
        workaround: "workaround on", "回避策適用中";

        test_p50: "median delay", "遅延の中央値";
        test_p95: "delay p95", "遅延 p95";
        test_false_positives: "false positives", "誤検知";
        test_flagged: "flagged flows", "検知された通信";

        zone(name: &str): "Times in {name}.", "時刻は {name} です。";
        refreshes(s: u32): "Reloads every {s} s.", "{s}秒ごとに再読み込みします。";
        refresh_stop: "Stop reloading", "再読み込みを止める";
        refresh_start: "Reload by itself", "自動で再読み込みする";
        not_found: "Not found", "見つかりません";
        not_found_detail:
            "This page does not exist. The number may be mistyped, or the event was never recorded.",
            "該当するページはありません。番号の誤りか、記録されていない事象です。";
        bad_request: "The address is not valid", "アドレスが正しくありません";
        back: "Back to the overview", "「現在の状況」へ戻る";
    }
}
