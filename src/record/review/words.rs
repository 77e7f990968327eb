//! The lines of a review.

use super::cell;
use crate::engine::device::DeviceId;
use crate::engine::effect::Suspect;
use crate::incident::review::Calls;
use crate::incident::{Audience, Seat};
use crate::words::{Lang, names, phrase};

phrase! {
    pub fn head(lang: Lang, state: &str, at: &str, scope: &str) -> String =
        "- State: {state}, as of {at}; scope: {scope}", "- 状態: {state}（{at} 現在）、範囲: {scope}";
}

phrase! {
    pub fn rule(lang: Lang, rule: &str, measured: &str) -> String =
        "- Rule: quality affected continuously for {rule}; measured at the declaration: {measured}",
        "- 基準: 品質への影響が連続 {rule} 以上。宣言時の実測: {measured}";
}

phrase! {
    /// When the quality was lost again, and when it was back.
    pub fn lapse(lang: Lang, lost: &str, back: Option<&str>) -> String match back {
        Some(back) =>
            "\nQuality degraded again at {lost} and recovered at {back}.",
            "\n品質は {lost} に再び低下し、{back} に回復しました。";
        None =>
            "\nQuality degraded again at {lost} and has not recovered yet.",
            "\n品質は {lost} に再び低下し、まだ回復していません。";
    }
}

phrase! {
    pub fn impact(lang: Lang, devices: usize, minutes: u64, calls: Calls) -> String =
        "{devices} devices, {minutes} device-minutes (including the quiet period that verifies the quality). {made} calls, {reached} of them answered; the customers of {devices_reached} devices were reached.\n",
        "{devices}台、延べ{minutes}分（品質確認の観察期間を含む）。電話{made}件、うち応答{reached}件、連絡のついた装置{devices_reached}台。\n",
        made = calls.made,
        reached = calls.reached,
        devices_reached = calls.devices_reached;
}

phrase! {
    pub fn more(lang: Lang, more: usize) -> String = "\nand {more} more", "\nほか{more}台";
}

phrase! {
    /// How many devices were affected with the suspect, and without it.
    pub fn evidence(lang: Lang, with: (u32, u32), without: (u32, u32)) -> String =
        "- affected: {with} of {of_with} devices with it, {without} of {of_without} without it",
        "- 該当する装置の {with}/{of_with}台、該当しない装置の {without}/{of_without}台に影響",
        with = with.0,
        of_with = with.1,
        without = without.0,
        of_without = without.1;
}

phrase! {
    pub fn unanswered(lang: Lang, at: &str, seat: &Seat, exhausted: bool) -> String match exhausted {
        true =>
            "{at} {seat}: nobody answered in time (the whole rota)",
            "{at} {seat}: 招集に応答なし（当番表を一巡）",
            seat = names::seat(lang, seat);
        false => "{at} {seat}: nobody answered in time", "{at} {seat}: 招集に応答なし", seat = names::seat(lang, seat);
    }
}

phrase! {
    pub fn silence(lang: Lang, until: &str, lasted: &str) -> String =
        "no update for {lasted} until {until}", "{until} まで {lasted}、続報なし";
}

phrase! {
    pub fn claim(lang: Lang, device: &DeviceId, claim: &str, claimed: &str, verified: &str) -> String =
        "{device} {claim}: claimed {claimed}, verified {verified}", "{device} {claim}: 申告 {claimed}、確認 {verified}";
}

phrase! {
    /// What was due when, and when it came.
    pub fn due(lang: Lang, what: &str, due: &str, came: &str) -> String =
        "{what}: due {due}; done: {came}", "{what}: 期限 {due}、実績 {came}";
}

phrase! {
    pub fn left(lang: Lang, line: &str, left: u32) -> String =
        "{line} ({left} devices left)", "{line}（残り{left}台）";
}

phrase! {
    pub fn debt(lang: Lang, device: &DeviceId, since: &str) -> String =
        "- {device}: since {since}",
        "- {device}: {since} から";
}

phrase! {
    /// Who was told.
    pub fn audience(lang: Lang, audience: &Audience) -> String match audience {
        Audience::People(people) => "{people}", "{people}", people = cell(&people.join(", "));
        Audience::Staff => "staff", "関係者";
        Audience::SupportQueue => "support", "サポート";
    }
}

/// A suspect, with its value made harmless.
pub fn suspect(lang: Lang, suspect: &Suspect) -> String {
    let kind = names::suspect_kind(lang, &suspect.kind);
    if suspect.kind == "fleet" { kind } else { format!("{kind} {}", cell(&suspect.value)) }
}
