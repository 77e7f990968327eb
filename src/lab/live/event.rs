//! An event as one line, and a declared incident as a block.

use std::collections::BTreeMap;

use crate::engine::effect::{Cause, Change, ChangeKind, Scope, Verdict};
use crate::engine::snapshot::{EventView, Snapshot};
use crate::engine::time::Timestamp;
use crate::record::open_items::{self, Lifecycle, OpenItem};
use crate::words::length::clock;
use crate::words::number::Certainty;

use super::scene::{Moment, Scene};
use super::text::{Paint, count, devices, local_minute, local_time, runner_up, suspect};

/// Most cells of a continuity strip: an hour and what the grace adds.
const MAX_CELLS: usize = 64;
/// Where the text of an event begins: after its time and its kind.
pub(super) const INDENT: usize = 20;
/// Width of the names at the left of a block.
const MARGIN: usize = 15;

/// A change in one line.
pub(super) fn line(change: &Change, moment: &Moment, scene: &Scene, paint: Paint) -> String {
    let at = local_time(change.at, scene.utc_offset_min);
    let what = match change.kind {
        ChangeKind::EarlyWarning => paint.warn(format!("{:<9}", "warning")),
        ChangeKind::Declared => paint.bad(format!("{:<9}", "declared")),
        // Not the words of the incident's own states: for people it is not over with this.
        ChangeKind::Recovered => paint.good(format!("{:<9}", "back")),
        ChangeKind::Resolved => paint.good(format!("{:<9}", "watched")),
        ChangeKind::CauseChanged => paint.name(format!("{:<9}", "suspect")),
        ChangeKind::Joined | ChangeKind::Left => format!("{:<9}", change.kind.as_str()),
    };
    format!("{}  {what} {}", paint.dim(at), sentence(change, moment, scene, paint))
}

fn sentence(change: &Change, moment: &Moment, scene: &Scene, paint: Paint) -> String {
    let members = members(change, &moment.snapshot);
    let name = change.incident.as_ref().unwrap_or(&change.event_id);
    match change.kind {
        ChangeKind::EarlyWarning => {
            let hold_s = view(&moment.snapshot, &change.event_id).map_or(3_600, |event| event.hold_s);
            let marks = format!("{} of {} min", change.streak_s / 60, hold_s / 60);
            format!("{} proved: {members}, {}", paint.bold(marks), blame(change.cause.as_ref(), paint))
        }
        ChangeKind::Declared => {
            let since = local_minute(change.impact_started_at, scene.utc_offset_min);
            let name = paint.bold(name);
            format!(
                "{name} major incident, {}: {members} since {since}, {}, {}",
                scope(change.scope),
                blame(change.cause.as_ref(), paint),
                continuity(change)
            )
        }
        ChangeKind::CauseChanged => format!("{name}: {}", blame(change.cause.as_ref(), paint)),
        ChangeKind::Recovered => {
            format!("{name}: the quality is back after {}, {members}", clock(change.streak_s))
        }
        ChangeKind::Resolved => {
            format!("{name}: the detector is done with it, quiet with data since the quality is back")
        }
        ChangeKind::Joined | ChangeKind::Left => format!("{name}: {members}"),
    }
}

/// Devices that joined or left an event of late, in one line.
pub(super) fn folded(
    id: &str,
    at: Timestamp,
    joined: usize,
    left: usize,
    moment: &Moment,
    scene: &Scene,
    paint: Paint,
) -> String {
    let event = view(&moment.snapshot, id);
    let name = event.and_then(|event| event.incident.as_deref()).unwrap_or(id);
    let now = event.map_or(String::new(), |event| format!(", {} now", devices(event.members.len())));
    let moved: Vec<String> = [(joined, "joined"), (left, "left")]
        .into_iter()
        .filter(|&(number, _)| number > 0)
        .map(|(number, verb)| format!("{} {verb}", devices(number)))
        .collect();
    let at = paint.dim(local_time(at, scene.utc_offset_min));
    format!("{at}  {:<9} {name}: {}{now}", "members", moved.join(", "))
}

/// The state of things in one line, for where there is no panel.
pub(super) fn status(moment: &Moment, scene: &Scene) -> String {
    let totals = &moment.snapshot.totals;
    let clock = match worst(moment) {
        None => "nothing on the clock".to_owned(),
        Some(worst) if worst.lifecycle == Lifecycle::Pending => {
            format!("{} of {} on the clock", clock(worst.streak_s), clock(worst.hold_s))
        }
        Some(worst) => format!("{} is {}", worst.name, worst.lifecycle.words().en),
    };
    format!(
        "{}  {:<9} {} of {} devices report, {} degraded, {clock}, {} reports/s",
        local_time(moment.now, scene.utc_offset_min),
        "status",
        count(totals.reporting),
        count(totals.expected),
        count(totals.degraded),
        count(moment.rate.round() as u64)
    )
}

/// A declared incident for people who have to act on it.
pub(super) fn block(change: &Change, moment: &Moment, scene: &Scene, paint: Paint, width: usize) -> Vec<String> {
    let name = change.incident.as_deref().unwrap_or(&change.event_id);
    let title = format!(" MAJOR INCIDENT {name} ");
    let rule = "━".repeat(width.saturating_sub(title.chars().count() + 3));
    let mut lines = vec![String::new(), paint.bad(format!("━━{title}{rule}"))];
    let mut row = |name: &str, text: String| lines.push(format!("  {}{text}", paint.dim(format!("{name:<MARGIN$}"))));
    let minute = |at| local_minute(at, scene.utc_offset_min);
    let branches = by_branch(change, scene);
    let reach = format!("{} of {}", count(change.devices.len() as u64), devices(scene.branches.len()));
    row("scope", format!("{}, {} in {}", scope(change.scope), paint.bold(reach), branch_count(branches.len())));
    let declared = local_time(change.at, scene.utc_offset_min);
    row("impact since", format!("{}, declared {declared}", paint.bold(minute(change.impact_started_at))));
    match &change.cause {
        Some(cause) => {
            row("suspect", format!("{}, confidence {}", paint.name(suspect(cause)), Certainty(cause.confidence)));
            row("runner-up", runner_up(cause).unwrap_or_else(|| "none".to_owned()));
        }
        None => row("suspect", "none named: the devices share nothing that explains it".to_owned()),
    }
    let evidence = view(&moment.snapshot, &change.event_id).map(|event| event.evidence.join(", "));
    if let Some(evidence) = evidence.filter(|evidence| !evidence.is_empty()) {
        row("evidence", fit(&evidence, width));
    }
    let ids: Vec<String> = change.devices.iter().map(ToString::to_string).collect();
    row("devices", some_of(&ids, width));
    let branches: Vec<String> = branches.iter().map(|(branch, number)| format!("{branch} {number}")).collect();
    row("branches", some_of(&branches, width));
    if !change.proof.is_empty() {
        row("continuity", strip(change, paint, width));
        row("", paint.dim(strip_axis(change, scene, width)));
        row("", continuity(change));
        row("", samples(change));
    }
    row("page", paint.name(format!("{}/incidents/{name}", scene.pages)));
    lines.push(paint.bad("━".repeat(width.saturating_sub(1))));
    lines.push(String::new());
    lines
}

/// What to look at first: see [`open_items::worst_first`].
pub(super) fn worst(moment: &Moment) -> Option<OpenItem> {
    open_items::worst_first(&moment.snapshot, &moment.board).into_iter().next()
}

fn view<'a>(snapshot: &'a Snapshot, id: &str) -> Option<&'a EventView> {
    snapshot.events.iter().find(|event| event.event_id == id)
}

fn scope(scope: Scope) -> &'static str {
    match scope {
        Scope::Fleet => "fleet",
        Scope::Isolated => "isolated",
    }
}

/// Whom a change is about: the number, or the name of a single device.
fn members(change: &Change, snapshot: &Snapshot) -> String {
    let of_event = || view(snapshot, &change.event_id).map(|event| event.members.as_slice());
    let members = if change.devices.is_empty() { of_event().unwrap_or_default() } else { &change.devices };
    match members {
        [only] => only.to_string(),
        many => devices(many.len()),
    }
}

fn blame(cause: Option<&Cause>, paint: Paint) -> String {
    match cause {
        Some(cause) => format!("suspect {} ({})", paint.name(suspect(cause)), Certainty(cause.confidence)),
        None => "no common cause named".to_owned(),
    }
}

fn branch_count(number: usize) -> String {
    if number == 1 { "1 branch".to_owned() } else { format!("{number} branches") }
}

/// Affected devices by branch, most first.
fn by_branch(change: &Change, scene: &Scene) -> Vec<(String, usize)> {
    let mut branches: BTreeMap<&str, usize> = BTreeMap::new();
    for branch in change.devices.iter().filter_map(|device| scene.branches.get(device)) {
        *branches.entry(branch).or_default() += 1;
    }
    let mut branches: Vec<_> = branches.into_iter().map(|(branch, number)| (branch.to_owned(), number)).collect();
    branches.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    branches
}

/// As many items as the line holds, and how many are left.
fn some_of(items: &[String], width: usize) -> String {
    let room = width.saturating_sub(MARGIN + 4);
    let mut text = String::new();
    for (at, item) in items.iter().enumerate() {
        let left = items.len() - at;
        let tail = if left > 1 { format!(", and {} more", left - 1) } else { String::new() };
        let separator = if at == 0 { "" } else { ", " };
        let needed = text.chars().count() + separator.len() + item.chars().count() + tail.len();
        if needed > room && at > 0 {
            return format!("{text}, and {left} more");
        }
        text.push_str(separator);
        text.push_str(item);
    }
    text
}

fn fit(text: &str, width: usize) -> String {
    console::truncate_str(text, width.saturating_sub(MARGIN + 3), "...").into_owned()
}

/// How many of the minutes had which verdict.
fn continuity(change: &Change) -> String {
    let of = |verdict| change.proof.iter().filter(|minute| minute.verdict == verdict).count();
    let unknown = of(Verdict::Unknown) + of(Verdict::Indeterminate);
    format!(
        "{} minutes: {} degraded, {} healthy, {unknown} without knowledge",
        change.proof.len(),
        of(Verdict::Degraded),
        of(Verdict::Healthy)
    )
}

fn samples(change: &Change) -> String {
    let samples: u64 = change.proof.iter().map(|minute| minute.samples).sum();
    let exceeding: u64 = change.proof.iter().map(|minute| minute.exceeding).sum();
    format!("{} of {} samples above threshold", count(exceeding), count(samples))
}

/// Cells that fit into `width`, from the newest back.
fn cells(change: &Change, width: usize) -> usize {
    change.proof.len().min(MAX_CELLS).min(width.saturating_sub(MARGIN + 3))
}

/// One cell a minute, oldest first. The forms differ too, for whoever sees no colours.
fn strip(change: &Change, paint: Paint, width: usize) -> String {
    let newest = &change.proof[change.proof.len() - cells(change, width)..];
    let mut text = String::new();
    for minute in newest {
        text.push_str(&match minute.verdict {
            Verdict::Degraded => paint.bad("█"),
            Verdict::Healthy => paint.good("▂"),
            Verdict::Indeterminate => paint.dim("░"),
            Verdict::Unknown => paint.dim("·"),
        });
    }
    text
}

/// Times below the strip: its first and its last minute, and the middle where there is room.
fn strip_axis(change: &Change, scene: &Scene, width: usize) -> String {
    let shown = &change.proof[change.proof.len() - cells(change, width)..];
    let (Some(first), Some(last)) = (shown.first(), shown.last()) else { return String::new() };
    let time = |at| local_minute(at, scene.utc_offset_min);
    let gap = shown.len().saturating_sub(10);
    if shown.len() < 20 {
        return format!("{}{}{}", time(first.at), " ".repeat(gap.max(1)), time(last.at));
    }
    let middle = &shown[shown.len() / 2];
    let left = shown.len() / 2 - 7;
    format!("{}{}{}{}{}", time(first.at), " ".repeat(left), time(middle.at), " ".repeat(gap - left - 5), time(last.at))
}
