//! Reads one layer, a TOML file or the environment, into checked values that remember where they stood.

use std::ops::Range;
use std::path::Path;

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{Fault, Place, shown};
use super::keys;
use super::kinds::{Key, Kind, Table};
use super::table_reader::Reader;
use super::values::{plain, repeated, written};

/// Prefix of the environment variables that belong to the configuration.
pub const ENV_PREFIX: &str = "FLEETWATCH__";

/// Largest configuration file in bytes; a larger one is something else.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// A value that has passed its key's own check.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key.
    pub key: &'static Key,
    /// Its value.
    pub value: Value,
    /// Where it was set.
    pub place: Place,
    /// For a list of tables: the place of each table and of each key in it, by its path.
    pub inner: Vec<(String, Place)>,
}

/// Reads the TOML file at `path`; what is sound goes to `entries`, the rest to `faults`.
pub fn read_file(path: &Path, entries: &mut Vec<Entry>, faults: &mut Vec<Fault>) {
    let text = match read_text(path) {
        Ok(text) => text,
        Err(rule) => {
            faults.push(Fault { place: Place::file(path), key: String::new(), value: None, rule, hint: None });
            return;
        }
    };
    let mut file = File { path, text: &text, entries, faults };
    let (table, errors) = DeTable::parse_recoverable(&text);
    for error in errors {
        let place = file.place(error.span().unwrap_or(0..0));
        let rule = format!("not TOML: {}", error.message());
        file.faults.push(Fault { place, key: String::new(), value: None, rule, hint: None });
    }
    file.table("", table.get_ref());
}

/// Reads the variables with [`ENV_PREFIX`], in the order of their names.
pub fn read_env<E>(env: E, entries: &mut Vec<Entry>, faults: &mut Vec<Fault>)
where
    E: IntoIterator<Item = (String, String)>,
{
    let mut variables: Vec<(String, String)> =
        env.into_iter().filter(|(name, value)| name.starts_with(ENV_PREFIX) && !value.is_empty()).collect();
    variables.sort();
    for (name, text) in variables {
        let path = name[ENV_PREFIX.len()..].to_ascii_lowercase().replace("__", ".");
        let place = Place::Env(name);
        match keys::find(&path) {
            Some(key) => accept(key, key.kind.from_text(&text), shown(&text), place, entries, faults),
            None => faults.push(unknown(&path, place)),
        }
    }
}

/// The file's text, bounded.
fn read_text(path: &Path) -> Result<String, String> {
    let told = |error: std::io::Error| format!("cannot be read: {error}");
    let meta = std::fs::metadata(path).map_err(told)?;
    if !meta.is_file() {
        return Err("is not a file".into());
    }
    if meta.len() > MAX_FILE_BYTES {
        return Err(format!("is larger than {MAX_FILE_BYTES} bytes: not a configuration"));
    }
    let bytes = std::fs::read(path).map_err(told)?;
    crate::text::utf8(&bytes).map(str::to_owned).map_err(|error| error.to_string())
}

/// Walks one file.
struct File<'a> {
    path: &'a Path,
    text: &'a str,
    entries: &'a mut Vec<Entry>,
    faults: &'a mut Vec<Fault>,
}

impl File<'_> {
    fn table(&mut self, prefix: &str, table: &DeTable<'_>) {
        // In the order of the file, so that faults read from top to bottom.
        let mut items: Vec<_> = table.iter().collect();
        items.sort_by_key(|(name, _)| name.span().start);
        for (name, value) in items {
            let path =
                if prefix.is_empty() { name.get_ref().to_string() } else { format!("{prefix}.{}", name.get_ref()) };
            self.item(&path, name.span(), value);
        }
    }

    fn item(&mut self, path: &str, at: Range<usize>, value: &Spanned<DeValue<'_>>) {
        let place = self.place(at);
        match (keys::find(path), value.get_ref()) {
            (Some(Key { kind: Kind::Tables(table), .. }), _) => self.tables(path, table, place, value),
            (Some(key), value) => {
                let shown = shown(&written(value));
                accept(key, plain(value), shown, place, self.entries, self.faults);
            }
            (None, DeValue::Table(inner)) if keys::is_section(path) => self.table(path, inner),
            (None, _) if keys::is_section(path) => {
                let rule = format!("is a section: write [{path}] and its keys below it");
                self.faults.push(Fault { place, key: path.into(), value: None, rule, hint: None });
            }
            (None, DeValue::Table(_)) => {
                let hint = keys::nearest_section(path).map(|name| format!("did you mean [{name}]?"));
                let rule = "is not a section".into();
                self.faults.push(Fault { place, key: shown(path), value: None, rule, hint });
            }
            (None, _) => self.faults.push(unknown(path, place)),
        }
    }

    fn tables(&mut self, path: &str, table: &'static Table, place: Place, value: &Spanned<DeValue<'_>>) {
        let Some(key) = keys::find(path) else { return };
        let (file, text) = (self.path, self.text);
        let located = move |at| place_of(file, text, at);
        let mut reader = Reader { place: &located, faults: self.faults, places: Vec::new() };
        let value = reader.list(path, table, value);
        let inner = reader.places;
        self.entries.push(Entry { key, value, place, inner });
    }

    fn place(&self, at: Range<usize>) -> Place {
        place_of(self.path, self.text, at)
    }
}

/// The line of a file at which these bytes begin.
fn place_of(path: &Path, text: &str, at: Range<usize>) -> Place {
    let start = at.start.min(text.len());
    let line = 1 + text.as_bytes()[..start].iter().filter(|byte| **byte == b'\n').count();
    Place::File(path.to_path_buf(), Some(line))
}

/// Checks a value; it goes to `entries` or its fault to `faults`.
fn accept(
    key: &'static Key,
    value: Value,
    shown: String,
    place: Place,
    entries: &mut Vec<Entry>,
    faults: &mut Vec<Fault>,
) {
    match key.kind.check(&value) {
        Ok(()) => entries.push(Entry { key, value, place, inner: Vec::new() }),
        Err(rule) => {
            let value = repeated(&key.kind, shown);
            faults.push(Fault { place, key: key.path.into(), value, rule, hint: None });
        }
    }
}

/// The fault of a key that does not exist. Its value is not repeated: it may be a secret that has no business here.
fn unknown(path: &str, place: Place) -> Fault {
    if let Some(instead) = keys::successor(path) {
        let hint = Some(instead.to_string());
        return Fault { place, key: path.into(), value: None, rule: "is no key any more".into(), hint };
    }
    let secret = path.contains("password") || path.contains("secret");
    let hint = match keys::nearest(path) {
        _ if secret => Some("secrets are read from files, see the keys that end in _file".into()),
        nearest => nearest.map(|key| format!("did you mean {key}?")),
    };
    let rule = "is not a key".into();
    Fault { place, key: shown(path), value: None, rule, hint }
}
