//! Why a device's message was refused, in words.

use crate::words::{Lang, phrase};

phrase! {
    /// The words for a reason of the metrics; one without words stands for itself.
    pub fn refused_reason(lang: Lang, reason: &str) -> String match reason {
        "too_large" => "the message is too large", "メッセージが大きすぎます";
        "empty" => "the message is empty", "メッセージが空です";
        "unknown_encoding" | "malformed" | "truncated" | "trailing_bytes" =>
            "the message cannot be read",
            "メッセージの形式が正しくありません";
        "unsupported_version" => "the format's version is unknown", "未対応の形式版です";
        "wrong_type" => "a value has the wrong type", "値の型が正しくありません";
        "not_an_integer" => "a number is not an integer", "整数でない値があります";
        "missing_field" => "a field is missing", "必須の項目がありません";
        "duplicate_field" => "a field occurs twice", "同じ項目が重複しています";
        "device_mismatch" => "the message names another device", "別の装置を名乗っています";
        "out_of_range" => "a value is out of range", "値が範囲外です";
        "stale_sequence" => "the sequence number went back", "通し番号が戻っています";
        "too_old" => "the report is more than 48 hours old", "48時間より前の報告です";
        "rate_limited" => "it reports more time than has passed", "実際の経過時間より多くの時間を報告しています";
        "excessive" => "a count is implausibly high", "件数の値が異常に大きくなっています";
        other => "{other}", "{other}";
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::wire::DecodeError;

    #[test]
    fn every_reason_of_the_wire_has_words_in_both_languages() {
        for reason in DecodeError::REASONS.iter().filter(|reason| **reason != "bad_topic") {
            for lang in [Lang::En, Lang::Ja] {
                assert_ne!(refused_reason(lang, reason), *reason, "{reason}");
            }
        }
    }
}
