//! The story as JSON lines that hold nothing of the machine: the same seed gives the same bytes.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use serde::Serialize;

use crate::engine::effect::Change;
use crate::engine::gate::Decision;

use super::story_line::StoryLine;

/// A file that is written to as the story goes on.
#[derive(Debug)]
pub(super) struct Transcript(BufWriter<File>);

#[derive(Serialize)]
struct Line<'a> {
    at: i64,
    event: &'a str,
    text: &'a str,
}

impl Transcript {
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        File::create(path).map(|file| Self(BufWriter::new(file)))
    }

    /// What the detector decided.
    pub(super) fn change(&mut self, change: &Change) -> io::Result<()> {
        self.write(change)
    }

    /// What was decided about an update.
    pub(super) fn gate(&mut self, decision: &Decision) -> io::Result<()> {
        self.write(decision)
    }

    /// What people did, or what became of an incident by it.
    pub(super) fn told(&mut self, told: &StoryLine) -> io::Result<()> {
        self.write(&Line { at: told.at.as_ms(), event: told.kind, text: &told.text })
    }

    fn write(&mut self, what: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.0, what)?;
        self.0.write_all(b"\n")
    }

    /// Writes what is left.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.0.flush()
    }
}
