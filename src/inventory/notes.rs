//! What is told of a list without refusing it.

use std::collections::BTreeMap;

use super::{COLUMNS, Fault, Faults, cut};
use crate::text::Encoding;

/// Most lines that are named of one name in several writings.
const MAX_LINES: usize = 10;

/// Where one writing of a name stands first, and how often it comes.
#[derive(Debug)]
struct Writing {
    text: String,
    line: u64,
}

/// One name of one column, with the writings that differ from each other.
#[derive(Debug, Default)]
struct Name {
    writings: Vec<Writing>,
}

/// The notes so far, bounded.
#[derive(Debug)]
pub(super) struct Notes {
    told: Faults,
    names: BTreeMap<(usize, String), Name>,
}

impl Notes {
    pub(super) fn new(encoding: Encoding) -> Self {
        let mut told = Faults::default();
        if encoding == Encoding::ShiftJis {
            told.add(
                None,
                "read as Shift_JIS (CP932), since it is not UTF-8; if names look wrong, save it as \"CSV UTF-8\"",
            );
        }
        Self { told, names: BTreeMap::new() }
    }

    /// Takes in how the name of a column is written on a line.
    pub(super) fn name(&mut self, column: usize, line: u64, written: &str, name: &str) {
        // People's names may be the same without being one.
        if column >= 4 {
            return;
        }
        let known = self.names.entry((column, name.to_owned())).or_default();
        let is_new = !known.writings.iter().any(|writing| writing.text == written);
        if is_new && known.writings.len() < MAX_LINES {
            known.writings.push(Writing { text: written.to_owned(), line });
        }
    }

    /// Notes a number that a spreadsheet took for one.
    pub(super) fn lost_zero(&mut self, line: u64, number: &str) {
        let rule = format!(
            "phone {:?} begins with neither 0 nor +: has a spreadsheet dropped the zero? It is found by 0{number} too, \
             but whoever dials it needs the zero",
            cut(number)
        );
        self.told.add(Some(line), rule);
    }

    pub(super) fn finish(mut self) -> Vec<Fault> {
        for ((column, name), known) in &self.names {
            if let [first, others @ ..] = &*known.writings
                && !others.is_empty()
            {
                let lines: Vec<String> = others.iter().map(|writing| writing.line.to_string()).collect();
                let column = COLUMNS[*column];
                let rule = format!(
                    "{column} {:?} is written in another way on line {} (blanks, width, accents, or characters that cannot be \
                     seen); it is one {column}",
                    cut(name),
                    lines.join(", "),
                );
                self.told.add(Some(first.line), rule);
            }
        }
        self.told.list.sort_by_key(|note| note.line);
        self.told.finish()
    }
}
