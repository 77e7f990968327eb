//! The drafted review as Markdown, in the two languages: what people start from when they write theirs.
//!
//! Texts of people are shown as they were written, made harmless for tables and lists; what only people can know is left as a
//! heading to be filled in.

mod words;

use std::fmt::Write as _;

use jiff::Timestamp as Instant;
use jiff::tz::{Offset, TimeZone};

use crate::engine::effect::Cause;
use crate::engine::time::Timestamp;
use crate::incident::review::Late;
use crate::incident::{Action, MAX_REVIEW, Review};
use crate::words::length::lasting;
use crate::words::number::Certainty;
use crate::words::pages::story;
use crate::words::{Both, Lang, names, say};

/// Most devices that are listed; the others are in the data.
const DEVICES_SHOWN: usize = 30;

/// The drafted review's title, and the same of one that somebody has written.
const DRAFT_TITLE: Both<&str> = say("review (draft)", "振り返り (下書き)");
const TITLE: Both<&str> = say("review", "振り返り");

/// What stands where only people can know.
const TO_WRITE: Both<&str> = say("(to be written)", "(記入してください)");

/// In place of a part that is too long to be edited.
const IN_RECORD: Both<&str> = say("(see the record)", "(記録を参照)");

/// Whether something that only people can know was left as the draft has it.
pub fn is_unfinished(text: &str) -> bool {
    [TO_WRITE.en, TO_WRITE.ja].into_iter().any(|placeholder| text.contains(placeholder))
}

/// The draft as people begin to edit it: it is no draft any more, and fits into a review. Its longest parts give way; they are in the
/// record.
pub fn beginning(draft: &str, lang: Lang) -> String {
    let text = draft.replacen(DRAFT_TITLE.pick(lang), TITLE.pick(lang), 1);
    let mut parts: Vec<String> = text.split("\n## ").map(str::to_owned).collect();
    let length = |parts: &[String]| parts.iter().map(|part| part.chars().count() + 4).sum::<usize>();
    while length(&parts) > MAX_REVIEW {
        let longest = parts.iter_mut().max_by_key(|part| part.len());
        let Some((heading, part)) = longest.and_then(|part| Some((part.lines().next()?.to_owned(), part))) else {
            break;
        };
        let short = format!("{heading}\n\n{}\n", IN_RECORD.pick(lang));
        if short.len() >= part.len() {
            break;
        }
        *part = short;
    }
    parts.join("\n## ")
}

/// The review as Markdown, with instants by a clock `utc_offset_min` minutes east of UTC.
pub fn markdown(review: &Review, utc_offset_min: i32) -> Both {
    Both::of(|lang| {
        let mut page = Page { lang, zone: zone(utc_offset_min), text: String::new() };
        page.write(review);
        page.text
    })
}

fn zone(utc_offset_min: i32) -> TimeZone {
    let offset = utc_offset_min.checked_mul(60).and_then(|seconds| Offset::from_seconds(seconds).ok());
    offset.unwrap_or(Offset::UTC).to_time_zone()
}

struct Page {
    lang: Lang,
    zone: TimeZone,
    text: String,
}

impl Page {
    fn write(&mut self, review: &Review) {
        self.head(review);
        self.times(review);
        self.impact(review);
        self.suspect(review.cause.as_ref());
        self.late(review);
        self.timeline(review);
        self.said(review);
        self.left(review);
        for (ja, en) in [("振り返って", "What we learnt"), ("これから変えること", "What we change")] {
            self.heading(ja, en);
            self.line(&format!("- {}", TO_WRITE.pick(self.lang)));
        }
    }

    fn say<'a>(&self, ja: &'a str, en: &'a str) -> &'a str {
        Both { ja, en }.pick(self.lang)
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn heading(&mut self, ja: &str, en: &str) {
        let heading = self.say(ja, en).to_owned();
        self.line(&format!("\n## {heading}\n"));
    }

    /// The columns of a table, each in both languages.
    fn columns(&mut self, columns: &[(&str, &str)]) {
        let names: Vec<&str> = columns.iter().map(|(ja, en)| Both { ja: *ja, en: *en }.pick(self.lang)).collect();
        self.line(&format!("| {} |", names.join(" | ")));
        self.line(&format!("|{}", "---|".repeat(columns.len())));
    }

    fn at(&self, at: Timestamp) -> String {
        let instant = Instant::from_millisecond(at.as_ms()).unwrap_or_default();
        instant.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
    }

    fn head(&mut self, review: &Review) {
        let lang = self.lang;
        self.line(&format!("# {}: {}\n", review.number, DRAFT_TITLE.pick(self.lang)));
        let state = names::state(review.state).pick(lang);
        let drafted = self.at(review.at);
        let scope = names::scope(review.scope).pick(lang);
        self.line(&match lang {
            Lang::Ja => format!("- 状態: {state} ({drafted} 現在)、範囲: {scope}"),
            Lang::En => format!("- State: {state}, as of {drafted}; scope: {scope}"),
        });
        let (rule, measured) = (lasting(lang, review.criterion_s), lasting(lang, review.measured_s));
        self.line(&match lang {
            Lang::Ja => format!("- 基準: 品質への影響が連続 {rule} 以上。宣言時の実測: {measured}"),
            Lang::En => {
                format!("- Rule: quality affected for {rule} without a break; measured at the declaration: {measured}")
            }
        });
        let fix = review.fix.as_deref().map_or_else(|| self.say("まだありません", "none yet").to_owned(), cell);
        self.line(&format!("- {}: {fix}", self.say("恒久対策", "Permanent fix")));
        if !review.aliases.is_empty() {
            let aliases = review.aliases.join(", ");
            self.line(&format!("- {}: {aliases}", self.say("別の番号", "Also told as")));
        }
    }

    fn times(&mut self, review: &Review) {
        self.heading("かかった時間", "How long it took");
        self.columns(&[
            ("節目", "milestone"),
            ("時刻", "at"),
            ("影響開始から", "from the impact's start"),
            ("宣言から", "from the declaration"),
        ]);
        for lasted in &review.milestones {
            let name = names::milestone(lasted.milestone).pick(self.lang);
            let after = lasted.from_declaration_s.map_or_else(|| "-".to_owned(), |seconds| lasting(self.lang, seconds));
            let (at, from) = (self.at(lasted.at), lasting(self.lang, lasted.from_impact_s));
            self.line(&format!("| {name} | {at} | {from} | {after} |"));
        }
        for lapse in &review.lapses {
            let lost = self.at(lapse.lost_at);
            let back = lapse.back_at.map(|at| self.at(at));
            self.line(&match (self.lang, back) {
                (Lang::Ja, Some(back)) => format!("\n品質は {lost} に再び低下し、{back} に回復しました。"),
                (Lang::Ja, None) => format!("\n品質は {lost} に再び低下し、まだ回復していません。"),
                (Lang::En, Some(back)) => format!("\nThe quality was lost again at {lost} and back at {back}."),
                (Lang::En, None) => format!("\nThe quality was lost again at {lost} and is not back yet."),
            });
        }
    }

    fn impact(&mut self, review: &Review) {
        self.heading("影響", "Impact");
        let (devices, minutes, calls) = (review.devices.len(), review.impact_min, review.calls);
        self.line(&match self.lang {
            Lang::Ja => format!(
                "{devices} 台、延べ {minutes} 分 (品質を確認する静観時間を含む)。電話 {} 件、うち応答 {} 件、連絡のついた装置 {} 台。\n",
                calls.made, calls.reached, calls.devices_reached
            ),
            Lang::En => format!(
                "{devices} devices, {minutes} device-minutes (the quiet period that verifies the quality included). {} calls, {} \
                 of them answered; the customers of {} devices were reached.\n",
                calls.made, calls.reached, calls.devices_reached
            ),
        });
        self.columns(&[("拠点", "branch"), ("台数", "devices"), ("完了", "settled"), ("延べ分", "device-minutes")]);
        for branch in &review.branches {
            let name = if branch.branch.is_empty() { "-".to_owned() } else { cell(&branch.branch) };
            self.line(&format!("| {name} | {} | {} | {} |", branch.devices, branch.settled, branch.impact_min));
        }
        self.line("");
        self.columns(&[
            ("装置", "device"),
            ("拠点", "branch"),
            ("分", "minutes"),
            ("再発", "relapses"),
            ("段階", "step"),
        ]);
        for device in review.devices.iter().take(DEVICES_SHOWN) {
            let branch = device.branch.as_deref().map_or_else(|| "-".to_owned(), cell);
            let step = names::step(device.step).pick(self.lang);
            let (name, minutes, relapses) = (&device.device, device.impact_min, device.relapses);
            self.line(&format!("| {name} | {branch} | {minutes} | {relapses} | {step} |"));
        }
        if let Some(more) = devices.checked_sub(DEVICES_SHOWN).filter(|more| *more > 0) {
            self.line(&match self.lang {
                Lang::Ja => format!("\nほか {more} 台"),
                Lang::En => format!("\nand {more} more"),
            });
        }
    }

    fn suspect(&mut self, cause: Option<&Cause>) {
        self.heading("疑わしい原因", "Suspect");
        let Some(cause) = cause else {
            return self.line(self.say("特定されていません。", "None was named."));
        };
        let named = format!("{} {}", cause.suspect.kind, cell(&cause.suspect.value));
        let certainty = |confidence| Certainty(confidence).text(self.lang);
        let line = format!("- {named} ({})", certainty(cause.confidence));
        let next = cause.runner_up.as_ref().map(|next| {
            format!("{} {} ({})", next.suspect.kind, cell(&next.suspect.value), certainty(next.confidence))
        });
        self.line(&line);
        if let Some(next) = next {
            let same = if cause.inseparable {
                self.say("、同じ装置のため区別できません", ", cannot be told apart")
            } else {
                ""
            };
            self.line(&format!("- {}: {next}{same}", self.say("次点", "runner-up")));
        }
        if let Some(evidence) = cause.evidence {
            let (with, of_with) = (evidence.affected_with, evidence.affected_with + evidence.healthy_with);
            let (without, of_without) =
                (evidence.affected_without, evidence.affected_without + evidence.healthy_without);
            self.line(&match self.lang {
                Lang::Ja => {
                    format!("- 該当する装置の {with}/{of_with} 台、該当しない装置の {without}/{of_without} 台に影響")
                }
                Lang::En => {
                    format!("- affected: {with} of {of_with} devices with it, {without} of {of_without} without it")
                }
            });
        }
    }

    fn late(&mut self, review: &Review) {
        self.heading("遅れたこと", "What was late");
        for late in &review.late {
            let line = self.late_line(late);
            self.line(&format!("- {line}"));
        }
        self.or_none(review.late.is_empty());
    }

    fn late_line(&self, late: &Late) -> String {
        let lang = self.lang;
        let when = |at: Option<Timestamp>| at.map_or_else(|| self.say("未", "not yet").to_owned(), |at| self.at(at));
        match late {
            Late::Unanswered { seat, at, exhausted } => {
                let (at, again) =
                    (self.at(*at), if *exhausted { self.say(" (当番表を一巡)", " (the whole rota)") } else { "" });
                match lang {
                    Lang::Ja => format!("{at} {seat}: 呼び出しに応答なし{again}"),
                    Lang::En => format!("{at} {seat}: nobody answered in time{again}"),
                }
            }
            Late::Silence { at, silent_s } => match lang {
                Lang::Ja => format!("{} まで {} 続報なし", self.at(*at), lasting(lang, *silent_s)),
                Lang::En => format!("nothing was said for {} until {}", lasting(lang, *silent_s), self.at(*at)),
            },
            Late::Fix { due_at, released_at } => {
                let (due, came) = (self.at(*due_at), when(*released_at));
                due_line(self.lang, ("恒久対策", "permanent fix"), (&due, &came))
            }
            Late::Claim { device, claim, claimed_at, verified_at } => {
                let (claimed, verified) = (self.at(*claimed_at), when(*verified_at));
                let claim = names::claim(*claim).pick(lang);
                match lang {
                    Lang::Ja => format!("{device} {claim}: 申告 {claimed}、確認 {verified}"),
                    Lang::En => format!("{device} {claim}: claimed {claimed}, verified {verified}"),
                }
            }
            Late::Promise { promised_at, done_at, left } => {
                let (due, came) = (self.at(*promised_at), when(*done_at));
                let line = due_line(lang, ("約束", "promise"), (&due, &came));
                match (lang, left) {
                    (_, 0) => line,
                    (Lang::Ja, left) => format!("{line} (残り {left} 台)"),
                    (Lang::En, left) => format!("{line} ({left} devices left)"),
                }
            }
            Late::Review { due_at, filed_at } => {
                let (due, came) = (self.at(*due_at), when(*filed_at));
                due_line(lang, ("振り返り", "review"), (&due, &came))
            }
        }
    }

    fn timeline(&mut self, review: &Review) {
        self.heading("時系列", "Timeline");
        for entry in &review.timeline {
            let at = self.at(entry.event.at);
            let until =
                if entry.until > entry.event.at { format!(" - {}", self.at(entry.until)) } else { String::new() };
            let (by, what) = (cell(&entry.event.by), self.happened(&entry.event.action));
            self.line(&format!("- {at}{until} {by}: {what}"));
        }
    }

    /// The same sentence as on the pages, with what a person wrote, but for what the review shows elsewhere or should not repeat: notes of
    /// calls, the evidence of sign-offs, an earlier review.
    fn happened(&self, action: &Action) -> String {
        let told = cell(&story::tell(self.lang, action, &|instant| self.at(instant)));
        let is_left_out =
            matches!(action, Action::Called { .. } | Action::Excepted { .. } | Action::ReviewFiled { .. });
        match action.text().filter(|_| !is_left_out) {
            Some(text) => format!("{told}: {}", cell(text)),
            None => told,
        }
    }

    fn said(&mut self, review: &Review) {
        self.heading("伝えたこと", "What was said");
        for said in &review.said {
            let (at, to) = (self.at(said.at), words::audience(self.lang, &said.audience));
            let what = names::notice(said.kind).pick(self.lang);
            let text = said.text.as_deref().map(|text| format!(": {}", cell(text))).unwrap_or_default();
            let mut line = format!("- {at} → {to}: {what}");
            let _ = write!(line, "{text}");
            self.line(&line);
        }
        self.or_none(review.said.is_empty());
    }

    fn left(&mut self, review: &Review) {
        self.heading("例外として承認した装置", "Signed off without being done");
        for (device, exception) in &review.exceptions {
            let (kind, at) = (names::exception(exception.kind).pick(self.lang), self.at(exception.at));
            let (by, evidence) = (cell(&exception.signed_by), cell(&exception.evidence));
            self.line(&format!("- {device}: {kind}, {by}, {at}: {evidence}"));
        }
        self.or_none(review.exceptions.is_empty());
        self.heading("回避策が残っている装置", "Workarounds still on");
        for (device, since) in &review.debts {
            let since = self.at(*since);
            self.line(&match self.lang {
                Lang::Ja => format!("- {device}: {since} から"),
                Lang::En => format!("- {device}: since {since}"),
            });
        }
        self.or_none(review.debts.is_empty());
    }

    fn or_none(&mut self, is_empty: bool) {
        if is_empty {
            self.line(self.say("ありません。", "Nothing."));
        }
    }
}

/// What was due when, and when it came.
fn due_line(lang: Lang, (ja, en): (&str, &str), (due, came): (&str, &str)) -> String {
    match lang {
        Lang::Ja => format!("{ja}: 期限 {due}、実際 {came}"),
        Lang::En => format!("{en}: due {due}, came {came}"),
    }
}

/// A person's text in one line that neither ends a table's cell nor begins markup.
fn cell(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.trim().chars() {
        match c {
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' => line.extend(['\\', c]),
            c if c.is_control() => line.push(' '),
            c => line.push(c),
        }
    }
    line
}

#[cfg(test)]
mod tests;
