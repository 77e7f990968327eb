//! `report`: what a night amounted to, as text or JSON, from the record or a running instance.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use super::explain::gather::{block_on, is_url};
use super::explain::words;
use crate::clock::Clock;
use crate::commands::fetch;
use crate::config::Config;
use crate::engine::time::Timestamp;
use crate::record::EventSummary;
use crate::record::incident::IncidentQuery;
use crate::record::report::{MorningReport, Silent};
use crate::runtime::failure::Failure;
use crate::runtime::location;
use crate::words::Zone;
use crate::words::number::{Certainty, counted};

/// Options of `report`.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
What the night amounted to: major incidents, those of one device, near misses with the reason why each was not declared, the
longest streaks, the suspects, and devices that do not report. The record does not know of silent devices: ask the running
instance with --from. The same stands on its page /report.

A time is HH:MM in the configured zone (the last one before the end), a length back from the end (24h, 90m), or RFC 3339.

Examples:
  fleetwatch report
  fleetwatch report --since 24h --json
  fleetwatch report --since 18:00 --until 08:30 --from http://127.0.0.1:8080")]
pub struct ReportArgs {
    /// From when.
    #[arg(long, default_value = "18:00", value_name = "TIME")]
    pub since: String,

    /// Up to when; now by default.
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,

    /// Address of a running instance, instead of the record that the configuration names.
    #[arg(long, value_name = "URL")]
    pub from: Option<String>,

    /// Configuration file.
    #[arg(long, short, env = "FLEETWATCH_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// One JSON object instead of text.
    #[arg(long)]
    pub json: bool,
}

/// Most incidents whose life is looked up, the latest first.
const LIVES: u32 = 2_000;

/// Most silent devices that are named.
const SILENT: usize = 40;

/// Runs the command with the process' own streams.
///
/// # Errors
/// When a time cannot be read, the record or the instance does not answer, or an output fails.
pub fn run(config: &Config, args: &ReportArgs) -> anyhow::Result<()> {
    let zone = Zone::named(&config.http.time_zone)?;
    let usage = |error: crate::words::zone::MomentError| Failure::Usage(error.to_string());
    let now = Clock::system().now();
    let until = args.until.as_deref().map_or(Ok(now), |text| zone.moment(text, now)).map_err(usage)?;
    let since = zone.moment(&args.since, until).map_err(usage)?;
    if since >= until {
        return Err(Failure::Usage("--since must be before --until".into()).into());
    }
    let report = match args.from.as_deref() {
        Some(url) if is_url(url) => asked(url, since, until)?,
        Some(other) => {
            return Err(Failure::Usage(format!("{other:?} must be http://host:port of a running instance")).into());
        }
        None => recorded(config, (since, until))?,
    };
    let mut text = String::new();
    if args.json {
        text = serde_json::to_string(&report)?;
        text.push('\n');
    } else {
        write(&report, &zone, &mut text);
    }
    io::stdout().lock().write_all(text.as_bytes()).context("cannot write to standard output")
}

fn asked(url: &str, since: Timestamp, until: Timestamp) -> anyhow::Result<MorningReport> {
    let instant = |at: Timestamp| jiff::Timestamp::from_millisecond(at.as_ms()).map(|instant| instant.to_string());
    let path = format!("/api/v1/report?since={}&until={}", instant(since)?, instant(until)?);
    fetch::get(url, &path)?.with_context(|| format!("{url} has no report: it is of another version"))
}

fn recorded(config: &Config, span: (Timestamp, Timestamp)) -> anyhow::Result<MorningReport> {
    let location = location::of(&config.store)?;
    block_on(async {
        let store = location.open_to_read().await?;
        let lives = store.incidents(&IncidentQuery { limit: LIVES, ..IncidentQuery::default() }).await?;
        let report = MorningReport::read((&*store, &lives), None, span).await?;
        store.close().await;
        Ok(report)
    })
    .with_context(|| format!("cannot read the record in {location}; --from takes a running instance"))
}

/// Writes the report as text.
pub fn write(report: &MorningReport, zone: &Zone, out: &mut String) {
    let (since, until) = (zone.stamp(report.since), zone.stamp(report.until));
    let _ = writeln!(out, "Report of {since} to {until}, {}", zone.name());
    let _ = writeln!(
        out,
        "{}, {} of one device, {} not declared, {} with no end on record",
        counted(report.major.len() as u64, "major incident"),
        report.isolated.len(),
        report.near_misses.len(),
        report.warned.len()
    );
    events("Major incidents", report, &report.major, zone, out);
    events("Incidents of one device", report, &report.isolated, zone, out);
    events("Near misses", report, &report.near_misses, zone, out);
    if !report.warned.is_empty() {
        events("Warned of, no end on record", report, &report.warned, zone, out);
    }
    let _ = writeln!(out, "\nLongest streaks");
    none_if(report.longest.is_empty(), out);
    for streak in &report.longest {
        let declared = if streak.declared { "" } else { ", not declared" };
        let _ = writeln!(out, "  {:<9} {:>4} min{declared}", streak.name, streak.streak_s / 60);
    }
    let _ = writeln!(out, "\nSuspects");
    none_if(report.suspects.is_empty(), out);
    for count in &report.suspects {
        let (incidents, devices) = (counted(count.incidents, "incident"), counted(count.devices, "device"));
        let (name, confidence) = (words::suspect(&count.suspect), Certainty(count.confidence));
        let _ = writeln!(out, "  {name}: {incidents}, {devices}, confidence up to {confidence}");
    }
    silent(report.silent.as_deref(), zone, out);
    if report.cut {
        let _ = writeln!(out, "\nThere were more events than a report looks at: ask for a shorter time.");
    }
}

fn none_if(empty: bool, out: &mut String) {
    if empty {
        let _ = writeln!(out, "  none");
    }
}

fn events(title: &str, report: &MorningReport, events: &[EventSummary], zone: &Zone, out: &mut String) {
    let _ = writeln!(out, "\n{title}");
    none_if(events.is_empty(), out);
    for event in events {
        let name = words::name(event);
        let (from, minutes) = (zone.stamp(event.impact_started_at), event.streak_s / 60);
        let (devices, state) = (counted(event.affected, "device"), words::lifecycle(report.lifecycle(event)));
        let _ = writeln!(out, "  {name:<9} from {from}, {minutes:>4} min proved, {devices}, {state}");
        if let Some(cause) = &event.cause {
            let _ = writeln!(
                out,
                "            {}, confidence {}",
                words::suspect(&cause.suspect),
                Certainty(cause.confidence)
            );
        }
        if let Some(miss) = &event.near_miss {
            let _ = writeln!(out, "            {}", words::near_miss(miss));
        }
        if !event.aliases.is_empty() {
            let _ = writeln!(out, "            also told as {}", event.aliases.join(", "));
        }
    }
}

fn silent(silent: Option<&[Silent]>, zone: &Zone, out: &mut String) {
    let _ = writeln!(out, "\nDevices that do not report");
    let Some(silent) = silent else {
        let _ = writeln!(out, "  not in the record: ask the running instance with --from");
        return;
    };
    none_if(silent.is_empty(), out);
    for device in silent.iter().take(SILENT) {
        let last = device.last_report_at.map_or_else(
            || "never reported".to_owned(),
            |at| {
                let when = if device.fell_silent { "fell silent in this time" } else { "silent since before" };
                format!("last heard {}, {when}", zone.stamp(at))
            },
        );
        let branch = device.branch.as_deref().unwrap_or("-");
        let _ = writeln!(out, "  {:<16} {branch:<16} {last}", device.device.as_str());
    }
    if silent.len() > SILENT {
        let _ = writeln!(out, "  and {} more", silent.len() - SILENT);
    }
}
