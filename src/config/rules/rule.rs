//! One rule that joins keys.

use std::collections::BTreeSet;

use crate::config::fault::{Fault, Place, shown};
use crate::config::layer::Entry;

/// A rule that joins keys: the keys (the first one that was set is shown as the place) and what is wrong, if it is.
pub(super) struct Rule {
    keys: &'static [&'static str],
    broken: bool,
    rule: String,
}

pub(super) fn rule(keys: &'static [&'static str], broken: bool, text: impl Into<String>) -> Rule {
    Rule { keys, broken, rule: text.into() }
}

impl Rule {
    /// The fault, if the rule is broken and none of its keys has a fault already: at the first of its keys that was set somewhere; the
    /// last setting of a key counts.
    pub(super) fn fault(self, entries: &[Entry], refused: &BTreeSet<String>) -> Option<Fault> {
        if !self.broken || self.keys.iter().any(|key| refused.contains(*key)) {
            return None;
        }
        let set = self.keys.iter().find_map(|path| entries.iter().rev().find(|entry| entry.key.path == *path));
        let (place, key, value) = match set {
            Some(entry) => (entry.place.clone(), entry.key.path, Some(shown(&entry.value.to_string()))),
            None => (Place::Default, self.keys[0], None),
        };
        Some(Fault { place, key: key.into(), value, rule: self.rule, hint: None })
    }
}
