//! An incident or a near miss, in words and drawings of at most 80 columns.

use std::fmt::Write;

use super::chart::Pen;
use super::damage;
use super::words;
use crate::engine::effect::{Cause, Change, ChangeKind, ProofMinute, Verdict};
use crate::record::open_items::Lifecycle;
use crate::record::{EventRecord, EventSummary};
use crate::words::Zone;
use crate::words::number::{Certainty, counted, share};

/// Minutes in a row of the strip.
const ROW: usize = 60;

/// Most lines of the membership's timeline.
const TIMELINE: usize = 40;

/// Writes everything that is known of the event.
pub fn write(record: &EventRecord, lifecycle: Lifecycle, zone: &Zone, pen: Pen, minutes: bool, out: &mut String) {
    let changes: Vec<&Change> = record.changes.iter().map(|entry| &entry.change).collect();
    head(&record.event, lifecycle, zone, pen, out);
    suspect(record.blamed(), pen, out);
    let proof = changes.iter().rev().map(|change| &change.proof).find(|proof| !proof.is_empty());
    if let Some(proof) = proof {
        continuity(proof, zone, pen, minutes, out);
    } else if record.event.near_miss.is_none() {
        let _ = writeln!(out, "\nThe minutes are written down when the event is declared.");
    }
    let carried = changes.iter().rev().map(|change| &change.damage).find(|damage| !damage.is_empty());
    damage::write(carried.map_or(&[], |damage| damage), pen, out);
    forecasts(&changes, zone, pen, out);
    timeline(&changes, zone, pen, out);
}

fn head(event: &EventSummary, lifecycle: Lifecycle, zone: &Zone, pen: Pen, out: &mut String) {
    let EventSummary { event_id, streak_s, affected, .. } = event;
    let scope = words::scope(event.scope);
    let title = format!("{}  {}, {scope}", words::name(event), words::lifecycle(lifecycle));
    let _ = writeln!(out, "{}", pen.heading(&title));
    let minutes = counted(streak_s / 60, "minute");
    let _ = writeln!(out, "  impact     from {}, {minutes} of degradation proved", zone.stamp(event.impact_started_at));
    for (name, at) in [("declared", event.declared_at), ("back", event.recovered_at), ("watched", event.resolved_at)] {
        if let Some(at) = at {
            let _ = writeln!(out, "  {name:<10} {}", zone.stamp(at));
        }
    }
    let _ = writeln!(out, "  devices    {affected} were members; event {event_id}");
    if !event.aliases.is_empty() {
        let _ = writeln!(out, "  also told  as {}, which proved to be this one", event.aliases.join(", "));
    }
    if let Some(miss) = &event.near_miss {
        let _ = writeln!(out, "  not declared: {}", words::near_miss(miss));
        wrapped(&words::near_miss_reason(miss), out);
    }
}

/// A text in lines of at most 78 columns, indented.
fn wrapped(text: &str, out: &mut String) {
    let mut column = 0;
    for word in text.split(' ') {
        if column == 0 || column + 1 + word.len() > 74 {
            let _ = write!(out, "{}    {word}", if column == 0 { "" } else { "\n" });
            column = word.len();
        } else {
            let _ = write!(out, " {word}");
            column += 1 + word.len();
        }
    }
    out.push('\n');
}

fn suspect(cause: Option<&Cause>, pen: Pen, out: &mut String) {
    let _ = writeln!(out, "\n{}", pen.heading("Suspect"));
    let Some(cause) = cause else {
        let _ = writeln!(out, "  none named: the data do not single one out");
        return;
    };
    let name = words::suspect(&cause.suspect);
    let _ = writeln!(out, "  {name}, confidence {}", Certainty(cause.confidence));
    if let Some(second) = &cause.runner_up {
        let name = words::suspect(&second.suspect);
        let _ = writeln!(out, "  runner-up: {name}, confidence {}", Certainty(second.confidence));
    }
    if cause.inseparable {
        let _ = writeln!(out, "  cannot separate the two: they cover the same devices");
    }
    let Some(evidence) = &cause.evidence else { return };
    let _ = writeln!(out, "                 affected    healthy");
    for (label, affected, healthy) in [
        ("with it", evidence.affected_with, evidence.healthy_with),
        ("without it", evidence.affected_without, evidence.healthy_without),
    ] {
        let rate = f64::from(affected) / f64::from((affected + healthy).max(1));
        let _ = writeln!(out, "  {label:<12}{affected:>11}{healthy:>11}   {} affected", share(rate));
    }
    match evidence.difference {
        Some(difference) => {
            let points = difference * 100.0;
            let text = format!(
                "difference in differences: {points:+.0} points more above threshold, with it against without it, \
                 the event against the hour before"
            );
            wrapped(&text, out);
        }
        None => {
            let _ = writeln!(out, "  difference in differences: not known, one of the four groups has no data");
        }
    }
}

fn continuity(proof: &[ProofMinute], zone: &Zone, pen: Pen, minutes: bool, out: &mut String) {
    let _ = writeln!(out, "\n{}", pen.heading("The hour, one character a minute"));
    let _ = writeln!(out, "  {}", pen.legend());
    let _ = writeln!(out, "  below: share of samples above their device's threshold, in eighths");
    for row in proof.chunks(ROW) {
        let verdicts: Vec<Verdict> = row.iter().map(|minute| minute.verdict).collect();
        let shares: String = row.iter().map(|minute| pen.bar(exceeding(minute).unwrap_or(0.0))).collect();
        let _ = writeln!(out, "  {} {}", zone.time(row[0].at), pen.strip(&verdicts));
        let _ = writeln!(out, "        {}", shares.trim_end());
    }
    let count = |verdict| proof.iter().filter(|minute| minute.verdict == verdict).count();
    let (degraded, healthy) = (count(Verdict::Degraded), count(Verdict::Healthy));
    let gaps = proof.len() - degraded - healthy;
    let _ = writeln!(out, "  {} minutes: {degraded} degraded, {healthy} healthy, {gaps} not known", proof.len());
    counts(proof, out);
    treatment(proof, zone, out);
    if minutes {
        table(proof, zone, pen, out);
    }
}

/// Share of the samples above the threshold; `None` without samples.
fn exceeding(minute: &ProofMinute) -> Option<f64> {
    (minute.samples > 0).then(|| minute.exceeding as f64 / minute.samples as f64)
}

/// What the degraded minutes rest on.
fn counts(proof: &[ProofMinute], out: &mut String) {
    let degraded = || proof.iter().filter(|minute| minute.verdict == Verdict::Degraded);
    let mut shares: Vec<f64> = degraded().filter_map(exceeding).collect();
    shares.sort_by(f64::total_cmp);
    let (Some(least), Some(most)) = (shares.first(), shares.last()) else { return };
    let samples: u64 = degraded().map(|minute| minute.samples).sum();
    let reporting = degraded().map(|minute| minute.reporting).min().unwrap_or(0);
    let expected = degraded().map(|minute| minute.expected).max().unwrap_or(0);
    let _ = writeln!(
        out,
        "  degraded minutes: {} to {} of {} samples a minute above threshold,",
        share(*least),
        share(*most),
        samples / shares.len() as u64,
    );
    let _ = writeln!(out, "  at least {reporting} of {expected} members reporting");
}

/// How each gap and each healthy minute went into the hour.
fn treatment(proof: &[ProofMinute], zone: &Zone, out: &mut String) {
    let is_gap = |verdict| matches!(verdict, Verdict::Unknown | Verdict::Indeterminate);
    let alike = |a: &ProofMinute, b: &ProofMinute| a.verdict == b.verdict || (is_gap(a.verdict) && is_gap(b.verdict));
    for run in proof.chunk_by(alike) {
        let (first, length) = (&run[0], run.len());
        let at = zone.time(first.at);
        let _ = match first.verdict {
            Verdict::Degraded => Ok(()),
            Verdict::Healthy => {
                writeln!(
                    out,
                    "  {at}  {}: does not count, ends nothing by itself",
                    counted(length as u64, "healthy minute")
                )
            }
            Verdict::Unknown | Verdict::Indeterminate => {
                writeln!(out, "  {at}  gap of {}: bridged, neither counts nor ends", counted(length as u64, "minute"))
            }
        };
    }
}

fn table(proof: &[ProofMinute], zone: &Zone, pen: Pen, out: &mut String) {
    let _ = writeln!(out, "\n  minute  verdict        above    of samples     reporting");
    for minute in proof {
        let above = exceeding(minute).map_or_else(|| "-".to_owned(), share);
        let ProofMinute { verdict, samples, reporting, expected, .. } = minute;
        let mark = pen.strip(&[*verdict]);
        let word = verdict.as_str();
        let _ = writeln!(
            out,
            "  {}   {mark} {word:<13}{above:>7} {samples:>13} {reporting:>7} of {expected}",
            zone.time(minute.at)
        );
    }
}

fn forecasts(changes: &[&Change], zone: &Zone, pen: Pen, out: &mut String) {
    let warnings: Vec<_> = changes.iter().filter_map(|change| Some((change, change.forecast.as_ref()?))).collect();
    if warnings.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{}", pen.heading("What was expected"));
    for (change, forecast) in warnings {
        let _ = writeln!(out, "  {}  after {}:", zone.time(change.at), counted(change.streak_s / 60, "minute"));
        wrapped(&words::forecast(forecast, zone), out);
    }
}

fn timeline(changes: &[&Change], zone: &Zone, pen: Pen, out: &mut String) {
    let _ = writeln!(out, "\n{}", pen.heading("What happened"));
    let hidden = changes.len().saturating_sub(TIMELINE);
    if hidden > 0 {
        let _ = writeln!(out, "  {} before", counted(hidden as u64, "change"));
    }
    for change in &changes[hidden..] {
        let _ = writeln!(out, "  {}  {}", zone.stamp(change.at), told(change));
    }
}

fn told(change: &Change) -> String {
    let devices = counted(change.devices.len() as u64, "device");
    let few = if change.devices.len() <= 3 {
        format!(": {}", change.devices.iter().map(|id| id.as_str()).collect::<Vec<_>>().join(", "))
    } else {
        String::new()
    };
    let told = match change.kind {
        ChangeKind::EarlyWarning => {
            format!("early warning after {}, {devices}", counted(change.streak_s / 60, "minute"))
        }
        ChangeKind::Declared => format!("declared a major incident with {devices}"),
        ChangeKind::Joined => format!("{devices} joined{few}"),
        ChangeKind::Left => format!("{devices} left{few}"),
        ChangeKind::CauseChanged => match &change.cause {
            Some(cause) => {
                format!("suspect is now {}, {}", words::suspect(&cause.suspect), Certainty(cause.confidence))
            }
            None => "no suspect any more".to_owned(),
        },
        ChangeKind::Recovered => match &change.near_miss {
            Some(miss) => format!("over, not declared: {}", words::near_miss(miss)),
            None => "the quality is back".to_owned(),
        },
        ChangeKind::Resolved => "the watch ended, quiet with data".to_owned(),
    };
    if change.aliases.is_empty() { told } else { format!("{told}; {} is this one", change.aliases.join(", ")) }
}
