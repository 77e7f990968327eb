//! The expected fleet as CSV: `device,branch,model,customer`, read and written so that a spreadsheet can be used for it.
//!
//! * [`read`] takes UTF-8 with or without a byte order mark, LF or CRLF line ends, the columns in any order, and tells
//!   *all* faults with their line. Shift_JIS and UTF-16, which spreadsheets like to write, are recognised and named.
//! * Everything is bounded: [`MAX_BYTES`] of file, [`MAX_ROWS`] rows, 64 bytes a field, [`MAX_FAULTS`] faults told.
//! * [`write()`] defuses formulas. A field that begins with one of `= + - @`, its full-width form, a tab or a carriage
//!   return is run as a formula by spreadsheets, so it is written with one apostrophe before it; [`read`] takes exactly
//!   that apostrophe away, so what was written is read back unchanged.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::io::{Read, Write};

use thiserror::Error;

use crate::engine::device::{DeviceId, Label, MAX_LABEL_BYTES};
use crate::engine::snapshot::Snapshot;

#[cfg(test)]
mod tests;

/// Largest file in bytes.
pub const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// Most devices in one file.
pub const MAX_ROWS: usize = 1_000_000;

/// Most faults that are told of one file.
pub const MAX_FAULTS: usize = 100;

/// The columns, in the order in which they are written.
pub const COLUMNS: [&str; 4] = ["device", "branch", "model", "customer"];

/// A device of the expected fleet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// Serial of the device.
    pub device: DeviceId,
    /// The office that looks after it.
    pub branch: Option<Label>,
    /// Model of the appliance.
    pub model: Option<Label>,
    /// Who owns it.
    pub customer: Option<Label>,
}

/// One fault of a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// Line, from 1; `None` when the fault is the whole file's.
    pub line: Option<u64>,
    /// What is wrong, and what would be right.
    pub rule: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.rule),
            None => f.write_str(&self.rule),
        }
    }
}

/// Why no list could be written.
#[derive(Debug, Error)]
#[error("cannot write the device list")]
pub struct ExportError(#[from] csv::Error);

/// Reads a list; the rows come back sorted by device.
///
/// # Errors
/// All faults of the file, at most [`MAX_FAULTS`] and then one that says how many more. Never empty. No row of a file
/// with a fault is used.
pub fn read(source: impl Read) -> Result<Vec<Row>, Vec<Fault>> {
    let text = text_of(source).map_err(|fault| vec![fault])?;
    let mut reader = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(text.as_bytes());
    let mut faults = Faults::default();
    let header = match reader.headers() {
        Ok(header) => header.clone(),
        Err(error) => return Err(vec![Fault { line: Some(1), rule: error.to_string() }]),
    };
    let columns = columns_of(&header, &mut faults);
    if !faults.list.is_empty() {
        return Err(faults.finish());
    }
    let mut rows: BTreeMap<DeviceId, (u64, Row)> = BTreeMap::new();
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                faults.add(error.position().map(csv::Position::line), error.to_string());
                continue;
            }
        };
        let line = record.position().map_or(0, csv::Position::line);
        if rows.len() == MAX_ROWS {
            faults.add(Some(line), format!("more than {MAX_ROWS} devices"));
            break;
        }
        let Some(row) = row_of(&record, line, header.len(), &columns, &mut faults) else { continue };
        match rows.entry(row.device.clone()) {
            Entry::Vacant(place) => {
                place.insert((line, row));
            }
            Entry::Occupied(first) => {
                faults.add(Some(line), format!("device {} stands on line {} already", row.device, first.get().0));
            }
        }
    }
    if rows.is_empty() && faults.list.is_empty() {
        faults.add(None, "there is no device in the file");
    }
    if faults.list.is_empty() { Ok(rows.into_values().map(|(_, row)| row).collect()) } else { Err(faults.finish()) }
}

/// Writes a list: UTF-8 without a byte order mark, CRLF line ends as RFC 4180 has them, formulas defused.
///
/// # Errors
/// When the sink refuses.
pub fn write<'a>(sink: impl Write, rows: impl IntoIterator<Item = &'a Row>) -> Result<(), ExportError> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(sink);
    writer.write_record(COLUMNS)?;
    for row in rows {
        let label = |field: &Option<Label>| defused(field.as_deref().unwrap_or_default());
        writer.write_record([
            defused(row.device.as_str()),
            label(&row.branch),
            label(&row.model),
            label(&row.customer),
        ])?;
    }
    writer.flush().map_err(csv::Error::from)?;
    Ok(())
}

/// The devices of a running instance as a list. A snapshot does not know customers: those columns stay empty.
pub fn rows_of(snapshot: &Snapshot) -> Vec<Row> {
    let row = |view: &crate::engine::snapshot::DeviceView| Row {
        device: view.id.clone(),
        branch: view.branch.clone(),
        model: view.model.clone(),
        customer: None,
    };
    snapshot.devices.iter().map(row).collect()
}

/// The faults so far, bounded.
#[derive(Default)]
struct Faults {
    list: Vec<Fault>,
    more: usize,
}

impl Faults {
    fn add(&mut self, line: Option<u64>, rule: impl Into<String>) {
        if self.list.len() < MAX_FAULTS {
            self.list.push(Fault { line, rule: rule.into() });
        } else {
            self.more += 1;
        }
    }

    fn finish(mut self) -> Vec<Fault> {
        if self.more > 0 {
            self.list.push(Fault { line: None, rule: format!("and {} more faults", self.more) });
        }
        self.list
    }
}

/// The file as text, without its byte order mark.
fn text_of(source: impl Read) -> Result<String, Fault> {
    let whole = |rule: String| Fault { line: None, rule };
    let mut bytes = Vec::new();
    source
        .take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| whole(format!("the file cannot be read: {error}")))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(whole(format!("the file is larger than {MAX_BYTES} bytes")));
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(whole("the file is UTF-16 (\"Unicode text\"); save it as \"CSV UTF-8\"".into()));
    }
    if bytes.starts_with(&[0xef, 0xbb, 0xbf]) {
        bytes.drain(..3);
    }
    String::from_utf8(bytes).map_err(|error| {
        let bytes = error.as_bytes();
        let before = &bytes[..error.utf8_error().valid_up_to()];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count() as u64;
        let rule = if is_shift_jis(bytes) {
            "the file is not UTF-8; it looks like Shift_JIS, as spreadsheets write CSV in Japanese: save it as \
             \"CSV UTF-8\", or convert it with: iconv -f CP932 -t UTF-8 OLD.csv > NEW.csv"
        } else {
            "the file is not UTF-8 from here on: save it as \"CSV UTF-8\""
        };
        Fault { line: Some(line), rule: rule.into() }
    })
}

/// Whether the bytes are well-formed Shift_JIS (CP932) with at least one character beyond ASCII.
fn is_shift_jis(bytes: &[u8]) -> bool {
    let mut rest = bytes.iter().copied();
    let mut wide = false;
    while let Some(byte) = rest.next() {
        match byte {
            0x00..=0x7f => {}
            0xa1..=0xdf => wide = true,
            0x81..=0x9f | 0xe0..=0xfc => match rest.next() {
                Some(0x40..=0x7e | 0x80..=0xfc) => wide = true,
                _ => return false,
            },
            _ => return false,
        }
    }
    wide
}

/// Where each of [`COLUMNS`] stands in the file.
type Columns = [Option<usize>; COLUMNS.len()];

fn columns_of(header: &csv::StringRecord, faults: &mut Faults) -> Columns {
    let mut columns = [None; COLUMNS.len()];
    for (place, name) in header.iter().enumerate() {
        match COLUMNS.iter().position(|column| name.eq_ignore_ascii_case(column)) {
            Some(column) if columns[column].is_some() => faults.add(Some(1), format!("column {name} stands twice")),
            Some(column) => columns[column] = Some(place),
            None => faults.add(
                Some(1),
                format!("unknown column {:?}; the first line names the columns: {}", cut(name), COLUMNS.join(",")),
            ),
        }
    }
    if columns[0].is_none() {
        faults.add(Some(1), format!("column device is missing; known columns: {}", COLUMNS.join(",")));
    }
    columns
}

/// One row; every fault of it is told.
fn row_of(record: &csv::StringRecord, line: u64, width: usize, columns: &Columns, faults: &mut Faults) -> Option<Row> {
    if record.len() != width {
        faults.add(Some(line), format!("{} fields instead of {width}: is there a comma without quotes?", record.len()));
        return None;
    }
    let field = |column: usize| columns[column].and_then(|place| record.get(place)).map(fused).unwrap_or_default();
    let mut label = |column: usize| match field(column) {
        "" => Some(None),
        text if text.len() > MAX_LABEL_BYTES => {
            let rule = format!("{} is longer than {MAX_LABEL_BYTES} bytes (21 Japanese characters)", COLUMNS[column]);
            faults.add(Some(line), rule);
            None
        }
        text if text.chars().any(char::is_control) => {
            faults.add(Some(line), format!("{} holds a control character or a line break", COLUMNS[column]));
            None
        }
        text => Some(Some(Label::from(text))),
    };
    let (branch, model, customer) = (label(1), label(2), label(3));
    match DeviceId::parse(field(0)) {
        Ok(device) => Some(Row { device, branch: branch?, model: model?, customer: customer? }),
        Err(rule) => {
            faults.add(Some(line), format!("device {:?}: {rule}", cut(field(0))));
            None
        }
    }
}

/// Text as repeated in a fault, shortened.
fn cut(text: &str) -> String {
    text.chars().take(40).collect()
}

/// Whether a spreadsheet would run the text as a formula.
fn is_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}', '\t', '\r'])
}

/// The field as written: with an apostrophe before what a spreadsheet would run. Apostrophes that stand before a formula
/// already are doubled by the same rule, so that [`fused`] is the exact inverse.
fn defused(text: &str) -> String {
    if is_formula(text.trim_start_matches('\'')) { format!("'{text}") } else { text.into() }
}

/// The field as meant: without the apostrophe of [`defused`].
fn fused(text: &str) -> &str {
    match text.strip_prefix('\'') {
        Some(rest) if is_formula(rest.trim_start_matches('\'')) => rest,
        _ => text,
    }
}
