//! The expected fleet as CSV: `device,branch,model,customer`, and whom to call about each (`contact,phone,mail`), read and
//! written so that a spreadsheet can be used for it.
//!
//! * [`read`] takes what spreadsheets write: UTF-8 with or without a byte order mark, UTF-16, Shift_JIS; commas, semicolons or tabs,
//!   with or without a line `sep=;`; the columns in any order; rows and columns without content, which are no data; rows that end
//!   with the last cell that has content. It tells *all* faults with their line.
//! * What was taken otherwise than it was written, or looks wrong though it is possible, is told as a note ([`List::notes`]): the
//!   encoding, one name in several writings, a telephone number whose zero was dropped.
//! * Everything is bounded: [`MAX_BYTES`] of file, [`MAX_ROWS`] rows, [`MAX_CHARS`](label::MAX_CHARS) characters a name,
//!   [`MAX_FAULTS`] faults told.
//! * [`write()`] defuses formulas and [`read`] undoes exactly that ([`crate::record::sheet`]), so what was written is read
//!   back unchanged.
//!
//! | module | what it owns |
//! |---|---|
//! | `notes` | what is told of a list without refusing it |
//! | `table` | the file as records: separator, blank rows, columns |

mod notes;
mod table;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::io::{Read, Write};

use thiserror::Error;

use crate::engine::device::{DeviceId, Label};
use crate::engine::label;
use crate::record::incident::Contact;
use crate::record::phone;
use crate::record::sheet::{escape_formula, unescape_formula};
use crate::text;
use notes::Notes;
use table::{Record, Table};

#[cfg(test)]
mod tests;

/// Largest file in bytes.
pub const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// Most devices in one file.
pub const MAX_ROWS: usize = 1_000_000;

/// Most faults that are told of one file, and most notes.
pub const MAX_FAULTS: usize = 20;

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

/// What a file says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct List {
    /// The devices, sorted.
    pub rows: Vec<Row>,
    /// What a person should know of it.
    pub notes: Vec<Fault>,
}

/// One fault of a file, or a note on it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// Line, from 1; `None` when the fault is the whole file's.
    pub line: Option<u64>,
    /// What is wrong, and what would be right.
    pub rule: String,
    /// How many it stands for: more than one for those that are not told one by one.
    pub count: usize,
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
pub fn read(source: impl Read) -> Result<List, Vec<Fault>> {
    let bytes = bytes_of(source).map_err(|rule| vec![Fault { line: None, rule, count: 1 }])?;
    let (text, encoding) = text::decoded(&bytes)
        .map_err(|error| vec![Fault { line: None, rule: format!("the file {error}"), count: 1 }])?;
    let mut faults = Faults::default();
    let mut notes = Notes::new(encoding);
    let Some(mut table) = Table::open(&text, &mut faults) else { return Err(faults.finish()) };
    let mut rows: BTreeMap<DeviceId, (u64, Row)> = BTreeMap::new();
    while let Some(record) = table.next(&mut faults) {
        let line = record.line;
        if rows.len() == MAX_ROWS {
            faults.add(Some(line), format!("more than {MAX_ROWS} devices"));
            break;
        }
        let Some(row) = row_of(&record, &mut faults, &mut notes) else { continue };
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
    if faults.list.is_empty() {
        Ok(List { rows: rows.into_values().map(|(_, row)| row).collect(), notes: notes.finish() })
    } else {
        Err(faults.finish())
    }
}

/// Writes a list: UTF-8 without a byte order mark, CRLF line ends as RFC 4180 has them, formulas escape_formula.
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
        let label = |field: &Option<Label>| escape_formula(field.as_deref().unwrap_or_default());
        let text = |field: &Option<String>| escape_formula(field.as_deref().unwrap_or_default());
        let Contact { name, phone, mail } = &row.contact;
        let fields = [
            escape_formula(row.device.as_str()),
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
#[derive(Debug, Default)]
struct Faults {
    list: Vec<Fault>,
    more: usize,
}

impl Faults {
    fn add(&mut self, line: Option<u64>, rule: impl Into<String>) {
        if self.list.len() < MAX_FAULTS {
            self.list.push(Fault { line, rule: rule.into(), count: 1 });
        } else {
            self.more += 1;
        }
    }

    fn finish(mut self) -> Vec<Fault> {
        if self.more > 0 {
            self.list.push(Fault { line: None, rule: format!("and {} more", self.more), count: self.more });
        }
        self.list
    }
}

fn bytes_of(source: impl Read) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read = source.take(MAX_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|error| format!("the file cannot be read: {error}"))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!("the file is larger than {MAX_BYTES} bytes"));
    }
    Ok(bytes)
}

/// What is meant by a cell: without the apostrophe of [`escape_formula`], and without the `="..."` by which people keep a spreadsheet from
/// making a number of it.
fn meant(cell: &str) -> &str {
    let quoted = cell.strip_prefix("=\"").and_then(|rest| rest.strip_suffix('"'));
    quoted.filter(|text| !text.contains('"')).unwrap_or_else(|| unescape_formula(cell))
}

/// One row; every fault of it is told.
fn row_of(record: &Record<'_>, faults: &mut Faults, notes: &mut Notes) -> Option<Row> {
    let line = record.line;
    let field = |column: usize| meant(record.field(column));
    let mut name = |column: usize| match label::bounded(field(column)) {
        Ok(name) if name.is_empty() => Some(None),
        Ok(name) => {
            notes.name(column, line, field(column), &name);
            Some(Some(Label::from(name)))
        }
        Err(error) => {
            faults.add(Some(line), format!("{} is {error}", COLUMNS[column]));
            None
        }
    };
    let (branch, model, customer, contact) = (name(1), name(2), name(3), name(4));
    let mut checked = |column: usize, fits: fn(&str) -> bool, rule: &str| match label::form(field(column)) {
        text if text.is_empty() => Some(None),
        text if fits(&text) => Some(Some(text.into_owned())),
        text => {
            faults.add(Some(line), format!("{} {:?}: {rule}", COLUMNS[column], cut(&text)));
            None
        }
    };
    let phone = checked(5, phone::is_phone, phone::RULE);
    let mail = checked(6, is_mail, "a mail address is like name@example.jp, at most 254 bytes");
    if let Some(Some(number)) = &phone
        && phone::has_lost_zero(number)
    {
        notes.lost_zero(line, number);
    }
    match DeviceId::parse(&label::form(field(0))) {
        Ok(device) => {
            let contact = Contact { name: contact?.map(|name| name.to_string()), phone: phone?, mail: mail? };
            Some(Row { device, branch: branch?, model: model?, customer: customer?, contact })
        }
        Err(rule) => {
            faults.add(Some(line), format!("device {:?}: {rule}", cut(field(0))));
            None
        }
    }
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
