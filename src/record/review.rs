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
const DRAFT_TITLE: Both<&str> = say("review (draft)", "振り返り（下書き）");
const TITLE: Both<&str> = say("review", "振り返り");

/// What stands where only people can know.
const TO_WRITE: Both<&str> = say("(to be written)", "（記入してください）");

/// In place of a part that is too long to be edited.
const IN_RECORD: Both<&str> = say("(see the record)", "（記録を参照）");

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
        for heading in [say("What we learnt", "得られた教訓"), say("What we change", "改善策")] {
            self.heading(heading);
            self.line(&format!("- {}", self.say(TO_WRITE)));
        }
    }

    fn say(&self, text: Both<&'static str>) -> &'static str {
        text.pick(self.lang)
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn heading(&mut self, text: Both<&'static str>) {
        let heading = self.say(text);
        self.line(&format!("\n## {heading}\n"));
    }

    /// The columns of a table.
    fn columns(&mut self, columns: &[Both<&'static str>]) {
        let names: Vec<&str> = columns.iter().map(|name| self.say(*name)).collect();
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
        self.line(&words::head(lang, state, &drafted, scope));
        let (rule, measured) = (lasting(lang, review.criterion_s), lasting(lang, review.measured_s));
        self.line(&words::rule(lang, &rule, &measured));
        let fix = review.fix.as_deref().map_or_else(|| self.say(say("none yet", "まだありません")).to_owned(), cell);
        self.line(&format!("- {}: {fix}", self.say(say("Permanent fix", "恒久対策"))));
        if !review.aliases.is_empty() {
            let aliases = review.aliases.join(", ");
            self.line(&format!("- {}: {aliases}", self.say(say("Also known as", "統合された番号"))));
        }
    }

    fn times(&mut self, review: &Review) {
        self.heading(say("Durations", "所要時間"));
        self.columns(&[
            say("milestone", "項目"),
            say("at", "時刻"),
            say("from start of impact", "影響開始から"),
            say("from the declaration", "宣言から"),
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
            self.line(&words::lapse(self.lang, &lost, back.as_deref()));
        }
    }

    fn impact(&mut self, review: &Review) {
        self.heading(say("Impact", "影響"));
        let (devices, minutes, calls) = (review.devices.len(), review.impact_min, review.calls);
        self.line(&words::impact(self.lang, devices, minutes, calls));
        self.columns(&[
            say("branch", "支店"),
            say("devices", "台数"),
            say("settled", "完了"),
            say("device-minutes", "延べ分"),
        ]);
        for branch in &review.branches {
            let name = if branch.branch.is_empty() { "-".to_owned() } else { cell(&branch.branch) };
            self.line(&format!("| {name} | {} | {} | {} |", branch.devices, branch.settled, branch.impact_min));
        }
        self.line("");
        self.columns(&[
            say("device", "装置"),
            say("branch", "支店"),
            say("minutes", "分"),
            say("relapses", "再発"),
            say("step", "段階"),
        ]);
        for device in review.devices.iter().take(DEVICES_SHOWN) {
            let branch = device.branch.as_deref().map_or_else(|| "-".to_owned(), cell);
            let step = names::step(device.step).pick(self.lang);
            let (name, minutes, relapses) = (&device.device, device.impact_min, device.relapses);
            self.line(&format!("| {name} | {branch} | {minutes} | {relapses} | {step} |"));
        }
        if let Some(more) = devices.checked_sub(DEVICES_SHOWN).filter(|more| *more > 0) {
            self.line(&words::more(self.lang, more));
        }
    }

    fn suspect(&mut self, cause: Option<&Cause>) {
        self.heading(say("Suspect", "原因の候補"));
        let Some(cause) = cause else {
            return self.line(self.say(say("No suspect was identified.", "特定されていません。")));
        };
        let named = words::suspect(self.lang, &cause.suspect);
        let certainty = |confidence| Certainty(confidence).text(self.lang);
        let line = format!("- {named} ({})", certainty(cause.confidence));
        let next = cause
            .runner_up
            .as_ref()
            .map(|next| format!("{} ({})", words::suspect(self.lang, &next.suspect), certainty(next.confidence)));
        self.line(&line);
        if let Some(next) = next {
            let same = if cause.inseparable {
                self.say(say(", cannot be told apart", "、該当する装置が同じため区別できません"))
            } else {
                ""
            };
            self.line(&format!("- {}: {next}{same}", self.say(say("runner-up", "次点"))));
        }
        if let Some(evidence) = cause.evidence {
            let (with, of_with) = (evidence.affected_with, evidence.affected_with + evidence.healthy_with);
            let (without, of_without) =
                (evidence.affected_without, evidence.affected_without + evidence.healthy_without);
            self.line(&words::evidence(self.lang, (with, of_with), (without, of_without)));
        }
    }

    fn late(&mut self, review: &Review) {
        self.heading(say("Late actions", "遅延した対応"));
        for late in &review.late {
            let line = self.late_line(late);
            self.line(&format!("- {line}"));
        }
        self.or_none(review.late.is_empty());
    }

    fn late_line(&self, late: &Late) -> String {
        let lang = self.lang;
        let when =
            |at: Option<Timestamp>| at.map_or_else(|| self.say(say("not yet", "未完了")).to_owned(), |at| self.at(at));
        match late {
            Late::Unanswered { seat, at, exhausted } => words::unanswered(lang, &self.at(*at), seat, *exhausted),
            Late::Silence { at, silent_s } => words::silence(lang, &self.at(*at), &lasting(lang, *silent_s)),
            Late::Fix { due_at, released_at } => {
                let (due, came) = (self.at(*due_at), when(*released_at));
                words::due(self.lang, self.say(say("permanent fix", "恒久対策")), &due, &came)
            }
            Late::Claim { device, claim, claimed_at, verified_at } => {
                let (claimed, verified) = (self.at(*claimed_at), when(*verified_at));
                let claim = names::claim(*claim).pick(lang);
                words::claim(lang, device, claim, &claimed, &verified)
            }
            Late::Promise { promised_at, done_at, left } => {
                let (due, came) = (self.at(*promised_at), when(*done_at));
                let line = words::due(lang, self.say(say("promise", "約束")), &due, &came);
                if *left == 0 { line } else { words::left(lang, &line, *left) }
            }
            Late::Review { due_at, filed_at } => {
                let (due, came) = (self.at(*due_at), when(*filed_at));
                words::due(lang, self.say(say("review", "振り返り")), &due, &came)
            }
        }
    }

    fn timeline(&mut self, review: &Review) {
        self.heading(say("Timeline", "時系列"));
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
        self.heading(say("Messages sent", "連絡の記録"));
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
        self.heading(say("Devices signed off", "例外として承認した装置"));
        for (device, exception) in &review.exceptions {
            let (kind, at) = (names::exception(exception.kind).pick(self.lang), self.at(exception.at));
            let (by, evidence) = (cell(&exception.signed_by), cell(&exception.evidence));
            self.line(&format!("- {device}: {kind}, {by}, {at}: {evidence}"));
        }
        self.or_none(review.exceptions.is_empty());
        self.heading(say("Workarounds still on", "回避策が残っている装置"));
        for (device, since) in &review.debts {
            let since = self.at(*since);
            self.line(&words::debt(self.lang, device, &since));
        }
        self.or_none(review.debts.is_empty());
    }

    fn or_none(&mut self, is_empty: bool) {
        if is_empty {
            self.line(self.say(say("Nothing.", "ありません。")));
        }
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
