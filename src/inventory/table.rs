//! The file as records: what separates its fields, which of its rows and columns have content, and where its columns stand.

use csv::StringRecord;

use super::{COLUMNS, Faults, cut};
use crate::engine::label;

/// What separates fields, the likeliest first. Spreadsheets take that of their language: a semicolon where the comma is part of
/// numbers, a tab in "Unicode text".
const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Where each of [`COLUMNS`] stands in the file.
type Columns = [Option<usize>; COLUMNS.len()];

/// A file behind its header.
pub(super) struct Table<'t> {
    reader: csv::Reader<&'t [u8]>,
    record: StringRecord,
    columns: Columns,
    /// Columns without a name, until one of them has content.
    unnamed: Vec<usize>,
    width: usize,
    /// Lines before the first that the reader has seen.
    skipped: u64,
}

/// One row.
pub(super) struct Record<'r> {
    /// Its line, from 1.
    pub line: u64,
    fields: &'r StringRecord,
    columns: &'r Columns,
}

impl Record<'_> {
    /// The field of one of [`COLUMNS`]; empty where there is none.
    pub fn field(&self, column: usize) -> &str {
        self.columns[column].and_then(|place| self.fields.get(place)).unwrap_or_default()
    }
}

impl<'t> Table<'t> {
    /// Finds the header. `None` when it cannot be used; the faults say why.
    pub(super) fn open(text: &'t str, faults: &mut Faults) -> Option<Self> {
        let (given, text, skipped) = separator_line(text);
        let separator = given.unwrap_or_else(|| separator_of(text));
        let mut reader = reader(text, separator);
        let mut record = StringRecord::new();
        let line = loop {
            match reader.read_record(&mut record) {
                Ok(true) if is_blank(&record) => {}
                Ok(more) => {
                    let line = record.position().filter(|_| more).map_or(1, csv::Position::line);
                    break line + skipped;
                }
                Err(error) => {
                    faults.add(error.position().map(|position| position.line() + skipped), error.to_string());
                    return None;
                }
            }
        };
        let (columns, unnamed) = columns_of(&record, line, faults);
        let width = record.len();
        faults.list.is_empty().then_some(Self { reader, record, columns, unnamed, width, skipped })
    }

    /// The next row with content.
    pub(super) fn next(&mut self, faults: &mut Faults) -> Option<Record<'_>> {
        loop {
            match self.reader.read_record(&mut self.record) {
                Ok(false) => return None,
                Ok(true) if is_blank(&self.record) => {}
                Ok(true) => {
                    let line = self.record.position().map_or(0, csv::Position::line) + self.skipped;
                    if self.fits(line, faults) {
                        return Some(Record { line, fields: &self.record, columns: &self.columns });
                    }
                }
                Err(error) => {
                    let line = error.position().map(|position| position.line() + self.skipped);
                    faults.add(line, error.to_string());
                }
            }
        }
    }

    /// Whether all content stands below a name. A spreadsheet ends a row with its last cell that has some.
    fn fits(&mut self, line: u64, faults: &mut Faults) -> bool {
        let has_content = |record: &StringRecord, place: usize| record.get(place).is_some_and(|text| !text.is_empty());
        if (self.width..self.record.len()).any(|place| has_content(&self.record, place)) {
            let (fields, width) = (self.record.len(), self.width);
            faults.add(Some(line), format!("{fields} fields instead of {width}: is there a separator without quotes?"));
            return false;
        }
        let record = &self.record;
        if let Some(place) = self.unnamed.iter().position(|place| has_content(record, *place)) {
            let column = self.unnamed.swap_remove(place) + 1;
            faults.add(Some(line), format!("column {column} has content here and no name in the first line"));
        }
        true
    }
}

fn reader(text: &str, separator: u8) -> csv::Reader<&[u8]> {
    let mut builder = csv::ReaderBuilder::new();
    builder.has_headers(false).flexible(true).trim(csv::Trim::All).delimiter(separator);
    builder.from_reader(text.as_bytes())
}

fn is_blank(record: &StringRecord) -> bool {
    record.iter().all(str::is_empty)
}

/// The separator that the first line names as `sep=;`, the text behind that line, and how many lines that are.
fn separator_line(text: &str) -> (Option<u8>, &str, u64) {
    let (line, rest) = text.split_once('\n').unwrap_or((text, ""));
    let line = line.trim_end_matches('\r').trim_matches('"');
    let named = line.get(..4).filter(|start| start.eq_ignore_ascii_case("sep=")).map(|_| &line.as_bytes()[4..]);
    match named {
        Some([separator]) => (Some(*separator), rest, 1),
        // A spreadsheet that takes the line for data adds the empty cells of the other columns.
        Some([separator, more @ ..]) if more.iter().all(|byte| byte == separator) => (Some(*separator), rest, 1),
        _ => (None, text, 0),
    }
}

/// The separator with which the header names most columns.
fn separator_of(text: &str) -> u8 {
    let named = |separator: u8| {
        let mut reader = reader(text, separator);
        let header = reader.records().filter_map(Result::ok).find(|record| !is_blank(record)).unwrap_or_default();
        header.iter().filter(|name| column_of(name).is_some()).count()
    };
    let best = SEPARATORS.into_iter().rev().max_by_key(|separator| named(*separator));
    best.unwrap_or(b',')
}

fn column_of(name: &str) -> Option<usize> {
    let name = label::form(name);
    COLUMNS.iter().position(|column| name.eq_ignore_ascii_case(column))
}

fn columns_of(header: &StringRecord, line: u64, faults: &mut Faults) -> (Columns, Vec<usize>) {
    let mut columns = [None; COLUMNS.len()];
    let mut unnamed = Vec::new();
    for (place, name) in header.iter().enumerate() {
        match column_of(name) {
            Some(column) if columns[column].is_some() => faults.add(Some(line), format!("column {name} stands twice")),
            Some(column) => columns[column] = Some(place),
            None if label::form(name).is_empty() => unnamed.push(place),
            None => faults.add(
                Some(line),
                format!("unknown column {:?}; the first line names the columns: {}", cut(name), COLUMNS.join(",")),
            ),
        }
    }
    if columns[0].is_none() {
        faults.add(Some(line), format!("column device is missing; known columns: {}", COLUMNS.join(",")));
    }
    (columns, unnamed)
}
