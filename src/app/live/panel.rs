//! The panel at the foot of a terminal.

use std::io;

use console::Term;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::engine::snapshot::{EventState, EventView};

use super::event::worst;
use super::text::{Paint, count, length, local_minute, local_time, local_weekday, percent, runner_up, suspect};
use super::{Moment, Scene};

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
        let event = worst(&moment.snapshot);
        self.show_clock(&rows.clock, event, scene);
        rows.suspect.set_message(self.suspect(moment, event, width));
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

    fn show_clock(&self, clock: &ProgressBar, event: Option<&EventView>, scene: &Scene) {
        let minute = |at| local_minute(at, scene.utc_offset_min);
        let (colour, done, text) = match event {
            None => ("dim", 0, self.paint.dim("nothing is degraded")),
            Some(event) => {
                let done = event.streak_s.min(event.hold_s) * STEPS / event.hold_s.max(1);
                let streak = format!("{} of {}", length(event.streak_s.min(event.hold_s)), length(event.hold_s));
                let incident = event.incident.as_deref().unwrap_or(&event.event_id);
                match event.state {
                    EventState::Declared => {
                        let text = format!("{incident} for {}", length(event.streak_s));
                        ("red", STEPS, self.paint.bad(text))
                    }
                    EventState::Recovered => ("green", STEPS, self.paint.good(format!("{incident} recovered"))),
                    EventState::Pending if event.suspended => {
                        ("yellow", done, format!("{}, no data", self.paint.warn(streak)))
                    }
                    EventState::Pending => {
                        let full = event.declares_at.map_or(String::new(), |at| format!(", full at {}", minute(at)));
                        ("yellow", done, format!("{}{full}", self.paint.warn(streak)))
                    }
                }
            }
        };
        clock.set_style(bar(self.paint, colour, &format!("{:<MARGIN$}", "one hour"), "{msg}"));
        clock.set_position(done);
        clock.set_message(text);
    }

    fn suspect(&self, moment: &Moment, event: Option<&EventView>, width: usize) -> String {
        let Some(event) = event else { return format!("{}{}", self.name("suspect"), self.paint.dim("none")) };
        let others = match moment.snapshot.events.len() - 1 {
            0 => String::new(),
            others => self.paint.dim(format!("; {others} smaller")),
        };
        let row = |second: String| {
            let blame = match &event.cause {
                Some(cause) => format!("{} {}{second}", self.paint.name(suspect(cause)), percent(cause.confidence)),
                None if event.members.len() == 1 => format!("none: {} alone", event.members[0]),
                None => "none named yet".to_owned(),
            };
            format!("{}{blame}{others}", self.name("suspect"))
        };
        // The runner-up is the first to go where there is no room for everything.
        let second = event.cause.as_ref().and_then(runner_up).map(|second| format!(", then {second}"));
        let whole = row(second.unwrap_or_default());
        if console::measure_text_width(&whole) < width { whole } else { row(String::new()) }
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
