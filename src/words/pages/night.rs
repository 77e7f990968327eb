//! The words of the morning report and of an incident's evidence, in both languages.

use crate::engine::effect::{NearMiss, StreakEnd};
use crate::words::words;

words! {
    /// The words of one language.
    pub(crate) struct NightText {
        report: "Report", "夜間報告";
        span(since: &str, until: &str): "{since} to {until}", "{since} から {until} まで";
        since: "Since", "開始";
        until: "Until", "終了";
        moment_hint:
            "18:00, 24h, or a date and time; empty: the last 18:00, now",
            "18:00、24h、または日時。空欄は直近の18:00から現在まで";
        moment_wrong(text: &str):
            "{text} is not a time. Enter 18:00, 24h or 2026-11-22 18:00.",
            "{text} は時刻として解釈できません。18:00、24h、2026-11-22 18:00 のように入力してください。";
        backwards: "The beginning must be before the end.", "開始は終了より前でなければなりません。";
        major: "Major incidents", "重大障害";
        isolated: "Incidents of one device", "単独の装置の障害";
        near_misses: "Near misses", "重大障害に至らなかった事象";
        near_misses_note:
            "Early warnings that ended before a declaration.",
            "早期警告を出し、宣言に至る前に終わったものです。";
        warned: "Early warnings without a recorded end", "早期警告のみ（終了の記録なし）";
        longest: "Longest streaks", "継続時間の長いもの";
        not_declared: "not declared", "重大障害に至らず";
        suspects: "Suspects", "原因の候補";
        incidents(n: u64) {
            1 => "1 incident", "1件";
            _ => "{n} incidents", "{n}件";
        }
        silent: "Silent devices", "報告のない装置";
        silent_note:
            "As of now. Silence says nothing about quality and is never an incident by itself.",
            "現時点の状況です。報告がないことは正常も異常も意味せず、それだけで障害とはしません。";
        fell_silent: "fell silent in this period", "この時間帯に途絶";
        silent_before: "silent since before", "以前から途絶";
        never_reported: "never reported", "報告なし";
        and_more(n: usize): "and {n} more", "ほか{n}台";
        cut:
            "Too many events for one report: choose a shorter period.",
            "事象が多いため一部のみ表示しています。時間帯を短くしてください。";
        why: "Why not declared", "宣言に至らなかった理由";
        near_miss(miss: &NearMiss) {
            NearMiss { end: StreakEnd::Healthy, length_min, healthy_after, hold_min, .. } =>
                "{length_min} minutes, then {healthy_after} healthy ({hold_min} continuous minutes are required)",
                "{length_min}分継続、その後{healthy_after}分正常（基準は連続{hold_min}分）";
            NearMiss { end: StreakEnd::Unknown, length_min, gaps_after, hold_min, .. } =>
                "{length_min} minutes, then {gaps_after} without sufficient data ({hold_min} continuous minutes are required)",
                "{length_min}分継続、その後{gaps_after}分は判定できるデータなし（基準は連続{hold_min}分）";
            NearMiss { end: StreakEnd::Unproven, length_min, hold_min, .. } =>
                "{length_min} minutes, of which too few are verified ({hold_min} continuous minutes are required)",
                "{length_min}分継続、確認できた時間が不足（基準は連続{hold_min}分）";
        }

        aliases: "Also known as", "統合された番号";
        change_near_miss: "Ended, not declared", "終了（重大障害に至らず）";
        change_aliases(names: &str): "{names} proved to be this incident", "{names} は本障害と同一と判明";
        forecast(chance: &str): "Chance of a declaration: {chance}.", "宣言に至る見込み: {chance}。";
        forecast_due(at: &str): "Would be declared at {at}.", "このまま続くと {at} に宣言されます。";
        forecast_risk(scheduled: u32, at_risk: u32):
            "{scheduled} devices have not installed it yet; about {at_risk} of them are at risk.",
            "未適用の装置 {scheduled}台、うち約{at_risk}台に影響の見込み。";
        evidence: "Evidence for the suspect", "原因の候補の根拠";
        evidence_note:
            "Devices that are known to be affected or healthy, with the suspect and without it.",
            "影響の有無が分かっている装置の数です。";
        with_it: "With it", "該当する装置";
        without_it: "Without it", "該当しない装置";
        affected: "Affected", "影響あり";
        healthy: "Healthy", "正常";
        share: "Share affected", "影響の割合";
        difference(points: &str):
            "Difference in differences: {points} points more above threshold (with it against without it, the event against the hour before).",
            "差の差: しきい値超過の割合が {points} ポイント（該当と非該当、事象中とその前の1時間の比較）。";
        difference_unknown:
            "Difference in differences: not known, because one of the four groups has no data.",
            "差の差: 比較に必要なデータがそろわず、計算できません。";
        damage: "Damage by traffic", "影響の内訳";
        damage_note:
            "Share of samples, probes or flows above the threshold of their device, worst first.",
            "装置ごとのしきい値を超えたサンプルの割合です。影響の大きい順に示します。";
        class: "Traffic", "通信の種類";
        test: "Test", "判定項目";
        before: "Before", "事象前";
        during: "During", "事象中";
        rules: "Detection rules", "検知ルール";
        per_hour(before: &str, during: &str):
            "{before} to {during} flags an hour",
            "1時間あたり {before}件から {during}件";
        delay_of(class: &str): "Added delay of {class}", "{class} の付加遅延";
        unknown: "not known", "不明";
    }
}
