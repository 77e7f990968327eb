//! What holds for every pair.

use std::collections::BTreeSet;

use super::pairs::{Pair, is_japanese};

/// Words of Latin script that a Japanese engineer reads as they are: names, units, abbreviations.
const LATIN: &[&str] = &[
    "fleetwatch",
    "Prometheus",
    "Markdown",
    "UTM",
    "MQTT",
    "API",
    "JSON",
    "CSV",
    "CPU",
    "NOC",
    "HTTP",
    "HTTPS",
    "DNS",
    "VPN",
    "VoIP",
    "URL",
    "p50",
    "p95",
    "p99",
];

/// What may stand in Japanese as it is typed, such as a serial, a version or a key of the configuration.
const TYPED: &[&str] = &[
    "B-0042",
    "C-00123",
    "INC-",
    "WA-1",
    "24h",
    "signatures",
    "access.mode = \"none\"",
    "access.proxy.networks",
    "gate.enabled",
    "https://",
    "localhost",
    "$update",
];

/// Words for which there is another: one word a thing.
const FORBIDDEN_JA: &[(&str, &str)] = &[
    ("支社", "支店"),
    ("営業所", "支店"),
    ("拠点", "支店"),
    ("端末", "装置"),
    ("機器", "装置"),
    ("機械", "装置"),
    ("インシデント", "障害"),
    ("重大障害の判定", "重大障害の宣言"),
    ("重大障害と判定", "重大障害を宣言"),
    ("手順", "案内文"),
    ("疑わしい原因", "原因の候補"),
    ("呼び出し", "招集"),
    ("格上げ", "装置全体の障害に変更"),
    ("求む", "担当者が必要"),
    ("見守", "監視"),
    ("群れ", "装置全体"),
    ("遺言", "切断通知"),
    ("終結にする", "終結する"),
    ("除外", "例外"),
    ("参集済み", "参加中"),
];

/// Phrases that are no native English of this field.
const FORBIDDEN_EN: &[&str] = &[
    "whoever",
    "somebody",
    "is there",
    "answer for it",
    "for a while",
    "can be had",
    "a word to",
    "is told",
    "are told",
    "stands",
    "so that",
    "once more",
    " of it ",
    "is hit",
    "be hit",
    "asked for",
    "without a break",
];

/// Numbers that English writes as words.
const NUMBERS: &[(&str, &str)] = &[
    ("2", "two"),
    ("2", "more than one"),
    ("3", "three"),
    ("3", "third"),
    ("4", "four"),
    ("5", "five"),
    ("10", "ten"),
    ("20", "twenty"),
    ("30", "half an hour"),
];

/// What is wrong with a pair.
pub fn broken(pair: &Pair) -> Vec<String> {
    let Pair { en, ja, .. } = pair;
    let mut wrong = Vec::new();
    if en.is_empty() != ja.is_empty() {
        wrong.push("one side is empty".to_owned());
    }
    let values = |text: &str| split(text).1;
    if values(en) != values(ja) {
        wrong.push("the sides insert different values".to_owned());
    }
    let (bare_en, bare_ja) = (split(en).0, split(ja).0);
    if !same_numbers(&bare_en, &bare_ja) {
        wrong.push("the sides say different numbers".to_owned());
    }
    if bare_en.chars().any(is_japanese) && bare_en != "日本語" {
        wrong.push("the English is Japanese".to_owned());
    }
    let foreign = foreign(&bare_ja);
    if !foreign.is_empty() {
        wrong.push(format!("the Japanese has {foreign:?}"));
    }
    if let Some(c) = ja.chars().find(|c| matches!(c, '\u{ff10}'..='\u{ff5a}')) {
        wrong.push(format!("{c} is of full width"));
    }
    if bare_ja.contains(['(', ')']) {
        wrong.push("in Japanese, parentheses are of full width".to_owned());
    }
    for (other, word) in FORBIDDEN_JA.iter().filter(|(other, _)| ja.contains(other)) {
        wrong.push(format!("{word} is the word for {other}"));
    }
    for phrase in FORBIDDEN_EN.iter().filter(|phrase| en.to_lowercase().contains(**phrase)) {
        wrong.push(format!("{phrase:?} is not what an engineer writes"));
    }
    wrong
}

/// The text without its values, and the values.
fn split(text: &str) -> (String, BTreeSet<String>) {
    let (mut bare, mut values) = (String::new(), BTreeSet::new());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (value, behind) = after.split_once('}').unwrap_or((after, ""));
        // What Grafana puts in has two braces.
        bare.push_str(before);
        bare.push(' ');
        values.insert(value.trim_matches('{').to_owned());
        rest = behind.trim_start_matches('}');
    }
    bare.push_str(rest);
    (bare, values)
}

fn numbers(text: &str) -> BTreeSet<&str> {
    text.split(|c: char| !c.is_ascii_digit()).filter(|number| !number.is_empty()).collect()
}

/// Whether each number of a side is on the other one. English writes small ones as words, and `a minute` for `1分`.
fn same_numbers(en: &str, ja: &str) -> bool {
    let (of_en, of_ja) = (numbers(en), numbers(ja));
    let in_words = |number: &str| {
        let words = NUMBERS.iter().filter(|(of, _)| *of == number).map(|(_, word)| word);
        number == "1" || words.into_iter().any(|word| en.to_lowercase().contains(word))
    };
    of_en.iter().all(|number| *number == "1" || of_ja.contains(number))
        && of_ja.iter().all(|number| of_en.contains(number) || in_words(number))
}

/// Latin words of a Japanese text that are on no list.
fn foreign(text: &str) -> Vec<String> {
    let mut bare = text.to_owned();
    for typed in TYPED {
        bare = bare.replace(typed, " ");
    }
    // The letters of a date's format.
    let dates: Vec<String> = bare.split('%').skip(1).map(|rest| rest.chars().take(2).collect()).collect();
    for date in dates {
        bare = bare.replace(&format!("%{date}"), " ");
    }
    let words = bare.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| word.chars().any(char::is_alphabetic));
    words.filter(|word| !LATIN.contains(word)).map(str::to_owned).collect()
}
