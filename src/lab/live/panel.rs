//! The panel at the foot of a terminal.

use std::io;

use console::Term;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::record::open_items::{self, Lifecycle, OpenItem};
use crate::words::length;
use crate::words::number::Certainty;

use super::scene::{Moment, Scene};
use super::text::{Paint, count, local_minute, local_time, local_weekday, runner_up, suspect};

/// Drawn at most so often a second.
const REFRESH_HZ: u8 = 8;
/// Steps of a bar.
const STEPS: u64 = 1_000;
/// Width of the names at the left.
const MARGIN: usize = 11;

/// Rows, top to bottom.
#[derive(Debug)]
struct Rows {
    rule: ProgressBar,
    head: ProgressBar,
    devices: ProgressBar,
    rollout: ProgressBar,
    clock: ProgressBar,
    suspect: ProgressBar,
}

/// The panel. Until [`Panel::begin`] it is the one bar of the learning.
#[derive(Debug)]
pub(super) struct Panel {
    term: Term,
    paint: Paint,
    screen: MultiProgress,
    learning: ProgressBar,
    rows: Option<Rows>,
}

impl Panel {
    pub(super) fn new(term: Term, paint: Paint) -> Self {
        let screen = MultiProgress::with_draw_target(ProgressDrawTarget::term(term.clone(), REFRESH_HZ));
        let learning = screen.add(ProgressBar::new(STEPS));
        learning.set_style(bar(paint, "cyan", "learning  ", "{percent:>3} %  {msg}"));
        Self { term, paint, screen, learning, rows: None }
    }

    /// Width of the terminal.
    pub(super) fn columns(&self) -> usize {
        usize::from(self.term.size().1)
    }

    pub(super) fn line(&self, text: &str) -> io::Result<()> {
        // An empty line has to hold something to be drawn.
        self.screen.println(if text.is_empty() { " " } else { text })
    }

    pub(super) fn learning(&self, done: f64) {
        self.learning.set_message("of two days");
        self.learning.set_position((done * STEPS as f64) as u64);
    }

    pub(super) fn begin(&mut self) {
        self.learning.finish_and_clear();
        self.screen.remove(&self.learning);
        let text = || {
            let row = self.screen.add(ProgressBar::new(STEPS));
            row.set_style(ProgressStyle::with_template("{msg}").expect("the template is well-formed"));
            row
        };
        let (rule, head, devices, rollout) = (text(), text(), text(), text());
        let clock = self.screen.add(ProgressBar::new(STEPS));
        self.rows = Some(Rows { rule, head, devices, rollout, clock, suspect: text() });
    }

    pub(super) fn end(&self) {
        // What cannot be drawn any more cannot be cleared either.
        let _ = self.screen.clear();
    }

    pub(super) fn show(&self, moment: &Moment, scene: &Scene, width: usize) {
        let Some(rows) = &self.rows else { return };
        let paint = self.paint;
        rows.rule.set_message(paint.dim("─".repeat(width.saturating_sub(1))));
        rows.head.set_message(self.head(moment, scene));
        rows.devices.set_message(self.devices(moment));
        rows.rollout.set_message(self.rollout(moment, scene));
        let items = open_items::worst_first(&moment.snapshot, &moment.board);
        let worst = items.first();
        self.show_clock(&rows.clock, worst, scene);
        rows.suspect.set_message(self.suspect(worst, items.len().saturating_sub(1), width));
    }

    fn name(&self, name: &str) -> String {
        self.paint.dim(format!("{name:<MARGIN$}"))
    }

    fn head(&self, moment: &Moment, scene: &Scene) -> String {
        let day = local_weekday(moment.now, scene.utc_offset_min);
        let time = local_time(moment.now, scene.utc_offset_min);
        format!(
            "{}{}  {}   {} reports/s   {} acked",
            self.name("fleet time"),
            self.paint.bold(format!("{day} {time}")),
            self.paint.dim(format!("at {:.0}x", moment.speed)),
            self.paint.bold(count(moment.rate.round() as u64)),
            count(moment.acked)
        )
    }

    fn devices(&self, moment: &Moment) -> String {
        let (totals, paint) = (&moment.snapshot.totals, self.paint);
        let silent = totals.expected.saturating_sub(totals.reporting);
        let reporting = format!("{} of {}", count(totals.reporting), count(totals.expected));
        let reporting = if silent * 20 > totals.expected { paint.warn(reporting) } else { paint.bold(reporting) };
        let degraded = format!("{} degraded", count(totals.degraded));
        let degraded = if totals.degraded > 0 { paint.bad(degraded) } else { paint.dim(degraded) };
        let unknown = totals.unknown + totals.indeterminate;
        format!(
            "{}{reporting} report   {degraded}   {}   {}",
            self.name("devices"),
            paint.good(format!("{} healthy", count(totals.healthy))),
            paint.dim(format!("{} unknown", count(unknown)))
        )
    }

    fn rollout(&self, moment: &Moment, scene: &Scene) -> String {
        let on = |version: &str| {
            moment.snapshot.devices.iter().filter(|device| device.update.as_deref() == Some(version)).count()
        };
        let told: Vec<String> = scene
            .updates
            .iter()
            .map(|version| {
                format!("{version} on {} of {} devices", count(on(version) as u64), count(scene.branches.len() as u64))
            })
            .collect();
        format!("{}{}", self.name("update"), told.join(", "))
    }

    fn show_clock(&self, clock: &ProgressBar, worst: Option<&OpenItem>, scene: &Scene) {
        let minute = |at| local_minute(at, scene.utc_offset_min);
        let (name, colour, done, text) = match worst {
            None => ("clock", "dim", 0, self.paint.dim("nothing is degraded")),
            Some(worst) if worst.lifecycle == Lifecycle::Pending => {
                let done = worst.streak_s.min(worst.hold_s) * STEPS / worst.hold_s.max(1);
                let streak = self.paint.warn(format!(
                    "{} of {}",
                    length::clock(worst.streak_s.min(worst.hold_s)),
                    length::clock(worst.hold_s)
                ));
                let rest = match worst.declares_at {
                    _ if worst.suspended => ", no data".to_owned(),
                    Some(at) => format!(", full at {}", minute(at)),
                    None => String::new(),
                };
                ("clock", "yellow", done, format!("{streak}{rest}"))
            }
            Some(worst) => ("incident", colour_of(worst.lifecycle), STEPS, self.lifecycle(worst, &minute(worst.since))),
        };
        clock.set_style(bar(self.paint, colour, &format!("{name:<MARGIN$}"), "{msg}"));
        clock.set_position(done);
        clock.set_message(text);
    }

    /// `INC-2026-0001 pending permanent fix, since 02:01, 599 of 600 open`.
    fn lifecycle(&self, worst: &OpenItem, since: &str) -> String {
        let (name, word) = (&worst.name, worst.lifecycle.words().en);
        let text = format!("{name} {word}, since {since}, {} of {} open", count(worst.affected), count(worst.of));
        match colour_of(worst.lifecycle) {
            "red" => self.paint.bad(text),
            "yellow" => self.paint.warn(text),
            _ => self.paint.good(text),
        }
    }

    fn suspect(&self, worst: Option<&OpenItem>, others: usize, width: usize) -> String {
        let Some(worst) = worst else { return format!("{}{}", self.name("suspect"), self.paint.dim("none")) };
        let others = match others {
            0 => String::new(),
            others => self.paint.dim(format!("; {others} smaller")),
        };
        let row = |second: String| {
            let blame = match (&worst.cause, &worst.only) {
                (Some(cause), _) => {
                    format!("{} {}{second}", self.paint.name(suspect(cause)), Certainty(cause.confidence))
                }
                (None, Some(device)) => format!("none: {device} alone"),
                (None, None) => "none named yet".to_owned(),
            };
            format!("{}{blame}{others}", self.name("suspect"))
        };
        // The runner-up is the first to go where there is no room for everything.
        let second = worst.cause.as_ref().and_then(runner_up).map(|second| format!(", then {second}"));
        let whole = row(second.unwrap_or_default());
        if console::measure_text_width(&whole) < width { whole } else { row(String::new()) }
    }
}

/// The colour of how serious it is.
fn colour_of(lifecycle: Lifecycle) -> &'static str {
    match lifecycle {
        lifecycle if lifecycle.is_unmitigated() => "red",
        lifecycle if lifecycle.is_active() => "yellow",
        _ => "green",
    }
}

/// A bar as wide as the line leaves room for.
fn bar(paint: Paint, colour: &str, name: &str, tail: &str) -> ProgressStyle {
    let name = paint.dim(name);
    let template = if paint.is_on() {
        format!("{name}{{wide_bar:.{colour}/black.bright}}  {tail}")
    } else {
        format!("{name}{{wide_bar}}  {tail}")
    };
    let style = ProgressStyle::with_template(&template).expect("the template is well-formed");
    if paint.is_on() { style.progress_chars("━╸━") } else { style.progress_chars("━ ─") }
}
