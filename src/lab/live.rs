//! What `demo` shows while it runs: events that scroll, above a panel that stays; or plain lines.
//!
//! | module | what it owns |
//! |---|---|
//! | `text` | words, numbers and colours: times, counts, suspects |
//! | `scene` | what is looked at: what stays, and what holds at a moment |
//! | `event` | an event as one line, and a declared incident as a block |
//! | `panel` | the panel at the foot of a terminal |
//!
//! What is shown comes from the engine's snapshot and its changes, as the pages get it; nothing here decides.

mod event;
mod panel;
mod scene;
mod text;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use console::Term;

use crate::engine::effect::{Change, ChangeKind};
use crate::engine::time::Timestamp;

pub use scene::{Moment, Scene};
pub use text::{Paint, count, local_time};

use panel::Panel;

/// Widest line: longer ones are hard to read.
const MAX_WIDTH: usize = 110;
/// Narrowest terminal that the lines are laid out for.
const MIN_WIDTH: usize = 72;
/// Real time between two status lines where there is no panel.
const STATUS_EVERY: Duration = Duration::from_secs(10);
/// Devices that join or leave are told together, once in this time of the fleet.
const FOLD_MS: i64 = 10 * 60_000;

/// Devices that joined or left an event and have not been told of yet.
#[derive(Clone, Copy, Debug, Default)]
struct Folded {
    since: Timestamp,
    joined: usize,
    left: usize,
}

/// How the demo is shown.
#[derive(Debug)]
pub struct View {
    scene: Scene,
    paint: Paint,
    target: Output,
    folded: BTreeMap<String, Folded>,
    last_status: Option<Instant>,
}

#[derive(Debug)]
enum Output {
    Plain,
    Terminal(Panel),
}

impl View {
    /// A view on standard output: live on a terminal, unless `plain` is wanted or the terminal cannot move its cursor.
    pub fn new(scene: Scene, plain: bool) -> Self {
        let term = Term::stdout();
        let dumb = std::env::var_os("TERM").is_none_or(|name| name == "dumb");
        let live = !plain && !dumb && term.is_term();
        let paint = Paint::new(live && term.features().colors_supported());
        let target = if live { Output::Terminal(Panel::new(term, paint)) } else { Output::Plain };
        Self { scene, paint, target, folded: BTreeMap::new(), last_status: None }
    }

    /// Whether there is a panel.
    pub fn is_live(&self) -> bool {
        matches!(self.target, Output::Terminal(_))
    }

    /// How to colour what is handed to [`Self::line`].
    pub fn paint(&self) -> Paint {
        self.paint
    }

    /// Shows a line above the panel, for good.
    ///
    /// # Errors
    /// When standard output refuses.
    pub fn line(&self, text: &str) -> io::Result<()> {
        match &self.target {
            Output::Plain => writeln!(io::stdout().lock(), "{text}"),
            Output::Terminal(panel) => panel.line(text),
        }
    }

    /// Shows how much of the fleet's past has been worked through, 0 to 1.
    pub fn learning(&self, done: f64) {
        if let Output::Terminal(panel) = &self.target {
            panel.learning(done);
        }
    }

    /// Begins to show the fleet.
    pub fn begin(&mut self) {
        if let Output::Terminal(panel) = &mut self.target {
            panel.begin();
        }
    }

    /// Tells of a change: a line, or a block for a declared incident. Devices that join or leave are told together.
    ///
    /// # Errors
    /// When standard output refuses.
    pub fn change(&mut self, change: &Change, moment: &Moment) -> io::Result<()> {
        if matches!(change.kind, ChangeKind::Joined | ChangeKind::Left) {
            let folded = self.folded.entry(change.event_id.clone()).or_default();
            if folded.joined + folded.left == 0 {
                folded.since = change.at;
            }
            match change.kind {
                ChangeKind::Joined => folded.joined += change.devices.len(),
                _ => folded.left += change.devices.len(),
            }
            return Ok(());
        }
        self.unfold(Some((&change.event_id, change.at)), moment)?;
        if change.kind == ChangeKind::Declared && self.is_live() {
            for line in event::block(change, moment, &self.scene, self.paint, self.width()) {
                self.line(&line)?;
            }
            return Ok(());
        }
        self.event(&event::line(change, moment, &self.scene, self.paint))
    }

    /// Tells of something that people did, or that became of an incident by it.
    ///
    /// # Errors
    /// When standard output refuses.
    pub fn told(&self, at: Timestamp, kind: &str, text: &str) -> io::Result<()> {
        let padded = format!("{kind:<9}");
        let kind = match kind {
            "state" => self.paint.name(padded),
            "refused" | "debt" => self.paint.warn(padded),
            _ => padded,
        };
        self.event(&format!("{}  {kind} {text}", self.paint.dim(local_time(at, self.scene.utc_offset_min))))
    }

    /// Shows the line of an event: broken where a terminal would break it anywhere, as one line elsewhere.
    ///
    /// # Errors
    /// When standard output refuses.
    pub fn event(&self, text: &str) -> io::Result<()> {
        if !self.is_live() {
            return self.line(text);
        }
        text::wrap(text, self.width(), event::INDENT).iter().try_for_each(|line| self.line(line))
    }

    /// Brings the panel up to date; where there is none, writes a status line every ten seconds.
    ///
    /// # Errors
    /// When standard output refuses.
    pub fn refresh(&mut self, moment: &Moment) -> io::Result<()> {
        self.unfold(None, moment)?;
        let width = self.width();
        match &self.target {
            Output::Terminal(panel) => panel.show(moment, &self.scene, width),
            Output::Plain => {
                let now = crate::clock::monotonic();
                if self.last_status.is_none_or(|last| now.duration_since(last) >= STATUS_EVERY) {
                    self.last_status = Some(now);
                    self.line(&event::status(moment, &self.scene))?;
                }
            }
        }
        Ok(())
    }

    /// Takes the panel away and leaves the lines.
    pub fn end(&mut self) {
        if let Output::Terminal(panel) = &self.target {
            panel.end();
        }
        self.target = Output::Plain;
    }

    /// Tells of the devices that joined or left an event: those of `wanted` now, the others once it is time.
    fn unfold(&mut self, wanted: Option<(&str, Timestamp)>, moment: &Moment) -> io::Result<()> {
        let due = |id: &str, folded: &Folded| match wanted {
            Some((wanted, _)) => id == wanted,
            None => moment.now.since_ms(folded.since) >= FOLD_MS,
        };
        let ready: Vec<String> =
            self.folded.iter().filter(|(id, folded)| due(id, folded)).map(|(id, _)| id.clone()).collect();
        let at = wanted.map_or(moment.now, |(_, at)| at);
        for id in ready {
            let Some(folded) = self.folded.remove(&id) else { continue };
            let told = event::folded(&id, at, folded.joined, folded.left, moment, &self.scene, self.paint);
            self.event(&told)?;
        }
        Ok(())
    }

    fn width(&self) -> usize {
        match &self.target {
            Output::Terminal(panel) => panel.columns().clamp(MIN_WIDTH, MAX_WIDTH),
            Output::Plain => MAX_WIDTH,
        }
    }
}
