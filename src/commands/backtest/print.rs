//! The comparison as a table for people and as lines for programs.

use std::io::{self, Write};

use serde::Serialize;

use super::compare::{Comparison, compare, delay_s};
use super::outcome::{Found, Outcome};
use crate::config::overrides::Point;
use crate::engine::effect::{Scope, Suspect};
use crate::engine::settings::Settings;
use crate::engine::time::Timestamp;
use crate::words::Zone;

/// What is printed at the end.
#[derive(Debug)]
pub struct Report<'a> {
    base: &'a Settings,
    points: &'a [Point],
    reference: &'a Outcome,
    tried: &'a [Outcome],
    zone: &'a Zone,
}

/// One line of `--json`.
#[derive(Serialize)]
struct Line<'a> {
    reference: bool,
    set: serde_json::Map<String, serde_json::Value>,
    fleet: Side<'a>,
    isolated: Side<'a>,
    early_warnings: u64,
    near_misses: usize,
    /// Settings of this point that change what the baseline learns.
    learns_differently: Vec<&'static str>,
}

/// Incidents of one scope. A matched pair counts under the scope that it has at this point.
#[derive(Serialize)]
struct Side<'a> {
    incidents: usize,
    gained: Vec<Told<'a>>,
    lost: Vec<Told<'a>>,
    matched: Vec<Matched<'a>>,
}

#[derive(Serialize)]
struct Told<'a> {
    incident: &'a str,
    impact_started_at: Timestamp,
    declared_at: Option<Timestamp>,
    devices: usize,
    cause: Option<&'a Suspect>,
}

#[derive(Serialize)]
struct Matched<'a> {
    reference: &'a str,
    #[serde(flatten)]
    told: Told<'a>,
    delay_s: i64,
}

impl<'a> Report<'a> {
    /// A report of `outcomes`: that of `base` first, then those of `points`.
    pub fn new(base: &'a Settings, points: &'a [Point], outcomes: &'a [Outcome], zone: &'a Zone) -> Self {
        let (reference, tried) = outcomes.split_first().expect("the reference is always run");
        Self { base, points, reference, tried, zone }
    }

    /// One JSON object a line, the reference first.
    ///
    /// # Errors
    /// When `out` refuses.
    pub fn json(&self, out: &mut impl Write) -> io::Result<()> {
        let alone = Comparison::default();
        let lines = std::iter::once((None, self.reference, alone)).chain(
            self.points
                .iter()
                .zip(self.tried)
                .map(|(point, tried)| (Some(point), tried, compare(self.reference, tried))),
        );
        for (point, outcome, comparison) in lines {
            let set = point.map(|point| point.set.as_slice()).unwrap_or_default();
            let line = Line {
                reference: point.is_none(),
                set: set.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect(),
                fleet: side(outcome, &comparison, Scope::Fleet),
                isolated: side(outcome, &comparison, Scope::Isolated),
                early_warnings: outcome.early_warnings,
                near_misses: outcome.near_misses(),
                learns_differently: point.map(|p| learns_differently(self.base, &p.settings)).unwrap_or_default(),
            };
            serde_json::to_writer(&mut *out, &line)?;
            out.write_all(b"\n")?;
        }
        Ok(())
    }

    /// The table, then each point's incidents where they differ, then what to know of the figures.
    ///
    /// # Errors
    /// When `out` refuses.
    pub fn table(&self, out: &mut impl Write) -> io::Result<()> {
        let compared: Vec<_> = self.tried.iter().map(|tried| (tried, compare(self.reference, tried))).collect();
        let mut rows = vec![row("reference", self.reference, None)];
        for (point, (tried, comparison)) in self.points.iter().zip(&compared) {
            rows.push(row(&point.label(), tried, Some(comparison)));
        }
        let head = ["", "fleet", "+", "-", "isolated", "+", "-", "warnings", "near misses", "declared"];
        print_rows(&head, &rows, out)?;
        writeln!(out, "\nreference")?;
        for found in self.reference.incidents() {
            writeln!(out, "    {}", self.told(found, ""))?;
        }
        if self.reference.incidents().is_empty() {
            writeln!(out, "    no incident")?;
        }
        for (point, (_, comparison)) in self.points.iter().zip(&compared) {
            let same = |(our, their): &&(&Found, &Found)| our.name() == their.name() && delay_s(our, their) == 0;
            if comparison.matched.iter().all(|pair| same(&pair))
                && comparison.gained.is_empty()
                && comparison.lost.is_empty()
            {
                writeln!(out, "{}: as the reference", point.label())?;
                continue;
            }
            writeln!(out, "{}", point.label())?;
            for (our, their) in comparison.matched.iter().filter(|pair| !same(pair)) {
                let delay = format!(", {}", words(delay_s(our, their)));
                let renamed = if our.name() == their.name() { "" } else { &format!(" (reference {})", our.name()) };
                writeln!(out, "  = {}{renamed}", self.told(their, &delay))?;
            }
            for (mark, list) in [("+", &comparison.gained), ("-", &comparison.lost)] {
                for found in list {
                    writeln!(out, "  {mark} {}", self.told(found, ""))?;
                }
            }
        }
        let notes = self.notes();
        if !notes.is_empty() {
            writeln!(out)?;
        }
        for note in notes {
            writeln!(out, "{note}")?;
        }
        Ok(())
    }

    /// What to know of the figures: learning, and damage of the source.
    pub fn notes(&self) -> Vec<String> {
        let mut keys: Vec<&str> =
            self.points.iter().flat_map(|point| learns_differently(self.base, &point.settings)).collect();
        keys.sort_unstable();
        keys.dedup();
        let mut notes = Vec::new();
        if !keys.is_empty() {
            notes.push(format!(
                "note: {} {} which minutes the baseline learns from, so a point's normal may differ from the reference's; \
                 state that the recording brings was learnt under the settings of its time",
                keys.join(", "),
                if keys.len() == 1 { "changes" } else { "change" },
            ));
        }
        notes.extend(self.reference.faults.lines().map(|fault| format!("note: {fault}")));
        notes
    }

    /// An incident in a line.
    fn told(&self, found: &Found, delay: &str) -> String {
        let event = &found.event;
        let declared = event.declared_at.map(|at| self.zone.time(at)).unwrap_or_default();
        let devices = found.devices.len();
        let cause = event
            .cause
            .as_ref()
            .map_or_else(|| "no suspect".to_owned(), |cause| format!("{} {}", cause.suspect.kind, cause.suspect.value));
        format!(
            "{:<9} {:<8} from {}, declared {declared}{delay}; {devices} {}; {cause}",
            found.name(),
            scope_word(event.scope),
            self.zone.stamp(event.impact_started_at),
            if devices == 1 { "device" } else { "devices" },
        )
    }
}

fn side<'a>(outcome: &'a Outcome, comparison: &Comparison<'a>, scope: Scope) -> Side<'a> {
    let of_scope = |found: &Found| found.event.scope == scope;
    let list = |found: &[&'a Found]| found.iter().copied().filter(|f| of_scope(f)).map(told).collect();
    let matched = comparison.matched.iter().filter(|(_, their)| of_scope(their));
    Side {
        incidents: outcome.count(scope),
        gained: list(&comparison.gained),
        lost: list(&comparison.lost),
        matched: matched
            .map(|(our, their)| Matched { reference: our.name(), told: told(their), delay_s: delay_s(our, their) })
            .collect(),
    }
}

fn told(found: &Found) -> Told<'_> {
    Told {
        incident: found.name(),
        impact_started_at: found.event.impact_started_at,
        declared_at: found.event.declared_at,
        devices: found.devices.len(),
        cause: found.event.cause.as_ref().map(|cause| &cause.suspect),
    }
}

fn scope_word(scope: Scope) -> &'static str {
    match scope {
        Scope::Fleet => "fleet",
        Scope::Isolated => "isolated",
    }
}

fn row(label: &str, outcome: &Outcome, comparison: Option<&Comparison<'_>>) -> Vec<String> {
    let mut row = vec![label.to_owned()];
    for scope in [Scope::Fleet, Scope::Isolated] {
        row.push(outcome.count(scope).to_string());
        let moved = comparison.map(|comparison| comparison.moved(scope));
        row.push(moved.map_or_else(String::new, |(gained, _)| gained.to_string()));
        row.push(moved.map_or_else(String::new, |(_, lost)| lost.to_string()));
    }
    row.push(outcome.early_warnings.to_string());
    row.push(outcome.near_misses().to_string());
    row.push(comparison.map_or_else(String::new, declared));
    row
}

/// The delays of the fleet incidents, or their range where there are many.
fn declared(comparison: &Comparison<'_>) -> String {
    let fleet = comparison.matched.iter().filter(|(_, their)| their.event.scope == Scope::Fleet);
    let mut delays: Vec<i64> = fleet.map(|(our, their)| delay_s(our, their)).collect();
    delays.sort_unstable();
    match delays[..] {
        [] => "-".to_owned(),
        [first, .., last] if delays.len() > 3 && first != last => {
            format!("{} to {} min", minutes(first), minutes(last))
        }
        [first, .., last] if first == last => format!("{} min", minutes(first)),
        _ => format!("{} min", delays.iter().map(|delay| minutes(*delay)).collect::<Vec<_>>().join(", ")),
    }
}

/// Seconds as signed minutes, with a tenth where it is not whole.
fn minutes(seconds: i64) -> String {
    match (seconds, seconds % 60) {
        (0, _) => "0".to_owned(),
        (_, 0) => format!("{:+}", seconds / 60),
        _ => format!("{:+.1}", seconds as f64 / 60.0),
    }
}

/// `15 min earlier`.
fn words(delay_s: i64) -> String {
    match delay_s {
        0 => "at the same time".to_owned(),
        delay => {
            let amount = minutes(delay.abs());
            format!("{} min {}", amount.trim_start_matches('+'), if delay < 0 { "earlier" } else { "later" })
        }
    }
}

/// Columns as wide as their widest cell; the first to the left, the others to the right, the last as it comes.
fn print_rows(head: &[&str], rows: &[Vec<String>], out: &mut impl Write) -> io::Result<()> {
    let width = |column: usize| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0).max(head[column].chars().count())
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let head: Vec<String> = head.iter().map(ToString::to_string).collect();
    for row in std::iter::once(&head).chain(rows) {
        let mut line = format!("{:<width$}", row[0], width = widths[0]);
        for (cell, width) in row.iter().zip(&widths).skip(1) {
            line.push_str(&format!("  {cell:>width$}"));
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// The keys that differ and change what is learnt: those that judge minutes, since a degraded minute is not learnt, and
/// those by which events open and close, since a member's minutes are not.
fn learns_differently(base: &Settings, tried: &Settings) -> Vec<&'static str> {
    let differs = [
        ("clear", base.clear_min != tried.clear_min),
        ("delta", base.delta_us != tried.delta_us),
        ("false_positive_floor", base.false_positive_floor.to_bits() != tried.false_positive_floor.to_bits()),
        ("hold", base.hold_min != tried.hold_min),
        ("max_gap", base.max_gap_min != tried.max_gap_min),
        ("objective_p50", base.objective_p50_us != tried.objective_p50_us),
        ("objective_p95", base.objective_p95_us != tried.objective_p95_us),
        ("ratio", base.ratio.to_bits() != tried.ratio.to_bits()),
        ("recover", base.recover_min != tried.recover_min),
        ("utc_offset", base.utc_offset_min != tried.utc_offset_min),
        ("time_zone", base.time_zone != tried.time_zone),
    ];
    differs.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
}
