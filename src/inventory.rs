//! The expected fleet as CSV: `device,branch,model,customer`, and whom to call about each (`contact,phone,mail`), read and
//! written so that a spreadsheet can be used for it.
//!
//! * [`read`] takes UTF-8 with or without a byte order mark, LF or CRLF line ends, the columns in any order, and tells
//!   *all* faults with their line. Shift_JIS and UTF-16, which spreadsheets like to write, are recognised and named.
//! * Everything is bounded: [`MAX_BYTES`] of file, [`MAX_ROWS`] rows, 64 bytes a field, [`MAX_FAULTS`] faults told.
//! * [`write()`] defuses formulas and [`read`] undoes exactly that ([`crate::record::sheet`]), so what was written is read
//!   back unchanged.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::io::{Read, Write};

use thiserror::Error;

use crate::engine::device::{DeviceId, Label, MAX_LABEL_BYTES};
use crate::record::case::Contact;
use crate::record::sheet::{defused, fused};

#[cfg(test)]
mod tests;

/// Largest file in bytes.
pub const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// Most devices in one file.
pub const MAX_ROWS: usize = 1_000_000;

/// Most faults that are told of one file.
pub const MAX_FAULTS: usize = 100;

/// The columns, in the order in which they are written; those of contacts only where there is one.
pub const COLUMNS: [&str; 7] = ["device", "branch", "model", "customer", "contact", "phone", "mail"];

/// How many of [`COLUMNS`] say nothing of people.
const PLAIN_COLUMNS: usize = 4;

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
    /// Whom to call about it.
    pub contact: Contact,
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
    let rows: Vec<&Row> = rows.into_iter().collect();
    let has_contacts = rows.iter().any(|row| row.contact != Contact::default());
    let columns = if has_contacts { COLUMNS.len() } else { PLAIN_COLUMNS };
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(sink);
    writer.write_record(&COLUMNS[..columns])?;
    for row in rows {
        let label = |field: &Option<Label>| defused(field.as_deref().unwrap_or_default());
        let text = |field: &Option<String>| defused(field.as_deref().unwrap_or_default());
        let Contact { name, phone, mail } = &row.contact;
        let fields = [
            defused(row.device.as_str()),
            label(&row.branch),
            label(&row.model),
            label(&row.customer),
            text(name),
            text(phone),
            text(mail),
        ];
        writer.write_record(&fields[..columns])?;
    }
    writer.flush().map_err(csv::Error::from)?;
    Ok(())
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
    let (branch, model, customer, name) = (label(1), label(2), label(3), label(4));
    let mut checked = |column: usize, fits: fn(&str) -> bool, rule: &str| match field(column) {
        "" => Some(None),
        text if fits(text) => Some(Some(text.to_owned())),
        text => {
            faults.add(Some(line), format!("{} {:?}: {rule}", COLUMNS[column], cut(text)));
            None
        }
    };
    let phone = checked(5, is_phone, "a phone number is 3 to 32 of 0-9 + - ( ) and spaces, with at least 3 digits");
    let mail = checked(6, is_mail, "a mail address is like name@example.jp, at most 254 bytes");
    match DeviceId::parse(field(0)) {
        Ok(device) => {
            let contact = Contact { name: name?.map(|name| name.to_string()), phone: phone?, mail: mail? };
            Some(Row { device, branch: branch?, model: model?, customer: customer?, contact })
        }
        Err(rule) => {
            faults.add(Some(line), format!("device {:?}: {rule}", cut(field(0))));
            None
        }
    }
}

/// Whether somebody can dial it. Full-width digits, as spreadsheets in Japanese may have them, are told and not guessed at.
fn is_phone(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    text.len() <= 32 && digits >= 3 && text.bytes().all(|byte| byte.is_ascii_digit() || b"+-() ".contains(&byte))
}

/// Whether it has the form of an address: what is more, only sending to it can tell (RFC 5321, 4.5.3.1 for the length).
fn is_mail(text: &str) -> bool {
    let plain =
        text.len() <= 254 && !text.contains(|c: char| c.is_whitespace() || c.is_control() || "<>,;\"".contains(c));
    plain
        && text
            .rsplit_once('@')
            .is_some_and(|(user, host)| !user.is_empty() && host.contains('.') && !user.contains('@'))
}

/// Text as repeated in a fault, shortened.
fn cut(text: &str) -> String {
    text.chars().take(40).collect()
}
