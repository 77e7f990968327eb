//! A device's last hours, minute by minute, as a replay sees them.
//!
//! Each minute is shown as it was judged when it closed, which is what the clock saw then; data that came later may have
//! changed it since.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::args::ExplainArgs;
use super::chart::Pen;
use super::gather::is_url;
use super::words;
use crate::commands::source::{self, Listener, Run, Surroundings};
use crate::config::Config;
use crate::engine::detector::{ClassMinute, Engine};
use crate::engine::device::DeviceId;
use crate::engine::effect::{Change, Verdict};
use crate::engine::snapshot::DeviceView;
use crate::engine::time::{Minute, Timestamp};
use crate::record::EventRecord;
use crate::record::derive::Records;
use crate::record::open_items::Lifecycle;
use crate::runtime::failure::Failure;
use crate::words::Zone;
use crate::words::length::micros;
use crate::words::number::{counted, share};

const HOUR_MS: i64 = 3_600_000;

/// Minutes in a row of the strip.
const ROW: usize = 60;

/// What is shown of a device.
#[derive(Debug)]
pub struct Life {
    source: PathBuf,
    until: Timestamp,
    /// As of the end; never reported devices are not in a replay.
    device: DeviceView,
    minutes: Vec<Judged>,
    /// Events that had it as a member within the time.
    events: Vec<EventRecord>,
}

/// One minute of the device.
#[derive(Clone, Debug)]
struct Judged {
    minute: Minute,
    view: DeviceView,
    classes: Vec<ClassMinute>,
}

/// Watches one device through a run.
struct Watcher<'a> {
    id: &'a DeviceId,
    minutes: Vec<Judged>,
    closed: Minute,
    records: Records,
}

impl Listener for Watcher<'_> {
    fn decided(&mut self, changes: &[Change]) -> anyhow::Result<()> {
        for change in changes {
            self.records.note(change);
        }
        Ok(())
    }

    fn ticked(&mut self, engine: &Engine) {
        let last = engine.last_tick().plus_ms(-engine.settings().grace_ms).minute().plus(-1);
        if last <= self.closed {
            return;
        }
        self.closed = last;
        let snapshot = engine.snapshot();
        if let Ok(index) = snapshot.devices.binary_search_by(|device| device.id.cmp(self.id)) {
            let classes = engine.explain(self.id, last);
            self.minutes.push(Judged { minute: last, view: snapshot.devices[index].clone(), classes });
        }
    }
}

/// Replays the source up to the time that is asked for, and keeps what the device went through.
///
/// # Errors
/// When the time or the source cannot be read, or the replay never meets the device.
pub fn gather(config: &Config, id: &DeviceId, args: &ExplainArgs, zone: &Zone) -> anyhow::Result<Life> {
    let source = match args.from.as_deref() {
        Some(url) if is_url(url) => {
            bail!(Failure::Usage(
                "a device's minutes come from a replay: --from takes a recording or a journal".to_owned()
            ))
        }
        Some(path) => PathBuf::from(path),
        None => config.journal.dir.clone(),
    };
    let until = until(&source, args.at.as_deref(), config.detector.grace_ms, zone)?;
    let from = until.plus_ms(-i64::from(args.hours) * HOUR_MS);
    let mut run = Run::new(config.detector.clone(), Surroundings::new(config)?, Some(until)).watched(from);
    let mut watcher = Watcher { id, minutes: Vec::new(), closed: Minute::default(), records: Records::default() };
    run.source(&source, &mut watcher)?;
    let Watcher { minutes, records, .. } = watcher;
    let Some(last) = minutes.last() else {
        bail!("a replay of {} up to {} meets no device {id}", source.display(), zone.stamp(until));
    };
    let within = |record: &&EventRecord| {
        record.devices.iter().any(|member| member.device == *id)
            && record.changes.iter().any(|entry| entry.change.at >= from)
    };
    let events = records.iter().filter(within).cloned().collect();
    Ok(Life { source, until, device: last.view.clone(), minutes, events })
}

/// The instant that is asked for, before the end of the source; the end and its grace where none is.
fn until(source: &Path, at: Option<&str>, grace_ms: i64, zone: &Zone) -> anyhow::Result<Timestamp> {
    let end = source::end(source)?.with_context(|| format!("{} holds no message", source.display()))?;
    match at {
        Some(text) => Ok(zone.moment(text, end).map_err(|error| Failure::Usage(error.to_string()))?),
        None => Ok(end.plus_ms(grace_ms)),
    }
}

/// Writes the device's life in lines of at most 80 columns.
pub fn write(life: &Life, zone: &Zone, pen: Pen, minutes: bool, out: &mut String) {
    head(life, zone, pen, out);
    let _ =
        writeln!(out, "\n{}", pen.heading("Minute by minute, one character each, as judged when the minute closed"));
    let _ = writeln!(out, "  {}", pen.legend());
    let most = life.minutes.iter().filter_map(p95).max().unwrap_or(0);
    let _ = writeln!(out, "  below: 95th percentile of the added delay, the highest {}", micros(most));
    for row in life.minutes.chunks(ROW) {
        let verdicts: Vec<Verdict> = row.iter().map(|judged| judged.view.verdict).collect();
        let bar = |judged: &Judged| p95(judged).map_or(' ', |us| pen.bar(us as f64 / most.max(1) as f64));
        let bars: String = row.iter().map(bar).collect();
        let _ = writeln!(out, "  {} {}", zone.time(row[0].minute.start()), pen.strip(&verdicts));
        let _ = writeln!(out, "        {}", bars.trim_end());
    }
    let count = |verdict| life.minutes.iter().filter(|judged| judged.view.verdict == verdict).count();
    let _ = writeln!(
        out,
        "  {} minutes: {} degraded, {} healthy, {} undecided, {} no data",
        life.minutes.len(),
        count(Verdict::Degraded),
        count(Verdict::Healthy),
        count(Verdict::Indeterminate),
        count(Verdict::Unknown)
    );
    streaks(life, zone, pen, out);
    if minutes {
        table(life, zone, pen, out);
    }
}

/// The 95th percentile of a minute that has data, in microseconds.
fn p95(judged: &Judged) -> Option<u64> {
    judged.view.latency_us.filter(|_| judged.view.reporting).map(|quantiles| u64::from(quantiles.p95))
}

fn head(life: &Life, zone: &Zone, pen: Pen, out: &mut String) {
    let device = &life.device;
    let _ = writeln!(out, "{}", pen.heading(&format!("{}  {}", device.id, device.verdict.as_str())));
    let _ = writeln!(out, "  as of {}, by a replay of {}", zone.stamp(life.until), life.source.display());
    for (name, value) in [
        ("model", &device.model),
        ("branch", &device.branch),
        ("firmware", &device.firmware),
        ("update", &device.update),
    ] {
        let _ = writeln!(out, "  {name:<9} {}", value.as_deref().unwrap_or("not known"));
    }
    if device.streak_s > 0 {
        let _ = writeln!(out, "  streak    {} proved", counted(device.streak_s / 60, "minute"));
    }
    if !device.evidence.is_empty() {
        let _ = writeln!(out, "  because of {}", device.evidence.join(", "));
    }
    if let Some(ratio) = device.false_positive_ratio {
        let _ = writeln!(out, "  probes    {} wrongly flagged in the last 30 minutes", share(ratio));
    }
    for record in &life.events {
        let (name, state) = (words::name(&record.event), words::lifecycle(Lifecycle::of_record(&record.event, None)));
        let _ = writeln!(out, "  event     {name}, {state}; see explain {name}");
        if let Some(miss) = &record.event.near_miss {
            let _ = writeln!(out, "            {}", words::near_miss(miss));
        }
    }
}

/// The device's own streaks: from their first minute to their last, and by what.
fn streaks(life: &Life, zone: &Zone, pen: Pen, out: &mut String) {
    let running = |judged: &Judged| judged.view.streak_s > 0;
    let mut any = false;
    for run in life.minutes.chunk_by(|a, b| running(a) && running(b)) {
        let Some(longest) = run.iter().filter(|judged| running(judged)).max_by_key(|judged| judged.view.streak_s)
        else {
            continue;
        };
        if !std::mem::replace(&mut any, true) {
            let _ = writeln!(out, "\n{}", pen.heading("Its own streaks"));
        }
        let length = longest.view.streak_s / 60;
        let from = longest.minute.plus(1 - length as i64);
        let by = run.iter().rev().map(|judged| &judged.view.evidence).find(|evidence| !evidence.is_empty());
        let by = by.map_or_else(String::new, |evidence| format!(": {}", evidence.join(", ")));
        let _ = writeln!(
            out,
            "  about {} to {}, {}{by}",
            zone.time(from.start()),
            zone.time(longest.minute.end()),
            counted(length, "minute")
        );
    }
    if !any {
        let _ = writeln!(out, "  no streak in this time");
    }
}

fn table(life: &Life, zone: &Zone, pen: Pen, out: &mut String) {
    let _ = writeln!(out, "\n  minute  verdict          streak       p50       p95       p99  probes flagged");
    for Judged { minute, view, classes } in &life.minutes {
        let quantiles = view.latency_us.filter(|_| view.reporting);
        let [p50, p95, p99] = match quantiles {
            Some(of) => [of.p50, of.p95, of.p99].map(|us| micros(u64::from(us))),
            None => ["-"; 3].map(ToOwned::to_owned),
        };
        let mark = pen.strip(&[view.verdict]);
        let flagged = view.false_positive_ratio.map_or_else(|| "-".to_owned(), share);
        let (word, streak) = (view.verdict.as_str(), view.streak_s / 60);
        let _ = writeln!(
            out,
            "  {}   {mark} {word:<13} {streak:>4} min {p50:>9} {p95:>9} {p99:>9} {flagged:>9}",
            zone.time(minute.start())
        );
        for class in classes {
            class_line(class, pen, out);
        }
    }
}

/// What was counted of one class, and against what.
fn class_line(judged: &ClassMinute, pen: Pen, out: &mut String) {
    let counts = &judged.counts;
    let _ = write!(out, "          {} {:<6}", pen.strip(&[judged.verdict]), judged.class);
    match judged.thresholds_us {
        Some((p50, p95)) if counts.samples > 0 => {
            let over = |over: u64, limit: u32| format!("{over} over {}", micros(u64::from(limit)));
            let (p50, p95) = (over(counts.over_p50, p50), over(counts.over_p95, p95));
            let _ = write!(out, " {:>5} samples: {p50} (p50), {p95} (p95)", counts.samples);
        }
        _ => {
            let _ = write!(out, " no baseline yet");
        }
    }
    if counts.canary > 0 {
        let _ = write!(out, "; {}/{} probes", counts.canary_flagged, counts.canary);
    }
    let _ = writeln!(out);
}
