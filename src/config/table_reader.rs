//! Reads lists of tables (`[[notify.channel]]`) with the place of every value.

use std::ops::Range;

use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{Fault, Place, shown};
use super::keys;
use super::kinds::{Key, Kind, Table};
use super::values::{plain, repeated, written};

/// Reads lists of tables of one file.
pub(super) struct Reader<'a> {
    /// Where something stands, by its bytes.
    pub(super) place: &'a dyn Fn(Range<usize>) -> Place,
    pub(super) faults: &'a mut Vec<Fault>,
    /// Place of each table and key that was read, by paths such as `notify.channel[2].url`, counted from 1.
    pub(super) places: Vec<(String, Place)>,
}

impl Reader<'_> {
    /// The sound parts of a list of tables; the rest goes to the faults.
    pub(super) fn list(&mut self, path: &str, table: &'static Table, value: &Spanned<DeValue<'_>>) -> Value {
        let DeValue::Array(items) = value.get_ref() else {
            self.fault((self.place)(value.span()), path, None, Kind::Tables(table).rule());
            return Value::Array(Vec::new());
        };
        let read =
            |(nth, item): (usize, &Spanned<DeValue<'_>>)| self.table(&format!("{path}[{}]", nth + 1), table, item);
        Value::Array(items.iter().enumerate().map(read).collect())
    }

    fn table(&mut self, path: &str, table: &'static Table, item: &Spanned<DeValue<'_>>) -> Value {
        let place = (self.place)(item.span());
        self.places.push((path.to_owned(), place.clone()));
        let mut read = Map::new();
        let DeValue::Table(inner) = item.get_ref() else {
            self.fault(place, path, Some(shown(&written(item.get_ref()))), "must be a table".into());
            return Value::Object(read);
        };
        for name in table.required.iter().filter(|name| !inner.contains_key(**name)) {
            self.fault(place.clone(), &format!("{path}.{name}"), None, "is missing".into());
        }
        for (name, value) in in_order(inner) {
            let name_path = format!("{path}.{}", name.get_ref());
            match table.keys.iter().find(|key| key.path == name.get_ref().as_ref()) {
                Some(key) => {
                    if let Some(value) = self.key(&name_path, key, name.span(), value) {
                        read.insert(key.path.to_owned(), value);
                    }
                }
                None => self.unknown(&name_path, table, name.get_ref(), name.span()),
            }
        }
        Value::Object(read)
    }

    fn key(&mut self, path: &str, key: &Key, at: Range<usize>, value: &Spanned<DeValue<'_>>) -> Option<Value> {
        let place = (self.place)(at);
        self.places.push((path.to_owned(), place.clone()));
        if let Kind::Tables(table) = key.kind {
            return Some(self.list(path, table, value));
        }
        let plain = plain(value.get_ref());
        match key.kind.check(&plain) {
            Ok(()) => Some(plain),
            Err(rule) => {
                let value = repeated(&key.kind, shown(&written(value.get_ref())));
                self.fault(place, path, value, rule);
                None
            }
        }
    }

    fn unknown(&mut self, path: &str, table: &Table, name: &str, at: Range<usize>) {
        let near = table.keys.iter().map(|key| (keys::distance(name, key.path), key.path)).min();
        let hint = near.filter(|(score, near)| score * 3 <= near.len().max(name.len()));
        let hint = hint.map(|(_, name)| format!("did you mean {name}?"));
        let hint = if name.contains("password") || name.contains("token") {
            Some("secrets are read from files, see secret_file".into())
        } else {
            hint
        };
        let place = (self.place)(at);
        self.faults.push(Fault { place, key: shown(path), value: None, rule: "is not a key".into(), hint });
    }

    fn fault(&mut self, place: Place, key: &str, value: Option<String>, rule: String) {
        self.faults.push(Fault { place, key: key.to_owned(), value, rule, hint: None });
    }
}

type Item<'a, 'de> = (&'a Spanned<std::borrow::Cow<'de, str>>, &'a Spanned<DeValue<'de>>);

/// The keys of a table in the order of the file, so that faults read from top to bottom.
fn in_order<'a, 'de>(table: &'a DeTable<'de>) -> Vec<Item<'a, 'de>> {
    let mut items: Vec<Item<'a, 'de>> = table.iter().collect();
    items.sort_by_key(|(name, _)| name.span().start);
    items
}
