//! What an accepted message lost on its way in: fields that could not be used while the rest could.
//!
//! A branch with a name of a novel's length, a count of minus one, a histogram that is damaged: each costs itself. Were the
//! message refused for it, a device with all its other evidence would go unseen, and an incident would not know its update.
//! So it is left out, counted by field, and said where the device is shown.

use std::cell::Cell;
use std::fmt;

use super::error::DecodeError;

/// A field that can be left out of a message.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Field {
    Start,
    /// A whole traffic class.
    Class,
    Latency,
    Flows,
    Flagged,
    Canary,
    CanaryFlagged,
    Released,
    Rules,
    At,
    Model,
    Branch,
    Customer,
    Firmware,
    Update,
    UpdateInstalledAt,
    Packages,
    Workaround,
}

impl Field {
    /// How many there are.
    pub const COUNT: usize = 18;

    /// Every field, those of a report first.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Start,
        Self::Class,
        Self::Latency,
        Self::Flows,
        Self::Flagged,
        Self::Canary,
        Self::CanaryFlagged,
        Self::Released,
        Self::Rules,
        Self::At,
        Self::Model,
        Self::Branch,
        Self::Customer,
        Self::Firmware,
        Self::Update,
        Self::UpdateInstalledAt,
        Self::Packages,
        Self::Workaround,
    ];

    /// The field's name, as in the message and in metric labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Class => "class",
            Self::Latency => "latency",
            Self::Flows => "flows",
            Self::Flagged => "flagged",
            Self::Canary => "canary",
            Self::CanaryFlagged => "canary_flagged",
            Self::Released => "released",
            Self::Rules => "rules",
            Self::At => "at",
            Self::Model => "model",
            Self::Branch => "branch",
            Self::Customer => "customer",
            Self::Firmware => "firmware",
            Self::Update => "update",
            Self::UpdateInstalledAt => "update_installed_at",
            Self::Packages => "packages",
            Self::Workaround => "workaround",
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What was left out of one message. The readers share it, so it is noted through `&self`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LeftOut {
    first: Cell<Option<(Field, DecodeError)>>,
    counts: [Cell<u32>; Field::COUNT],
}

impl LeftOut {
    /// Whether the whole message could be used.
    pub fn is_empty(&self) -> bool {
        self.first.get().is_none()
    }

    /// What was left out first, and why.
    pub fn first(&self) -> Option<(Field, DecodeError)> {
        self.first.get()
    }

    /// How often each field was left out; only those that were.
    pub fn iter(&self) -> impl Iterator<Item = (Field, u32)> + '_ {
        Field::ALL
            .into_iter()
            .zip(&self.counts)
            .map(|(field, count)| (field, count.get()))
            .filter(|&(_, count)| count > 0)
    }

    #[cold]
    pub(super) fn note(&self, field: Field, why: DecodeError) {
        if self.is_empty() {
            self.first.set(Some((field, why)));
        }
        let count = &self.counts[field as usize];
        count.set(count.get().saturating_add(1));
    }

    /// The value of `result`, or nothing, which is noted.
    #[inline]
    pub(super) fn keep<T>(&self, field: Field, result: Result<T, DecodeError>) -> Option<T> {
        result.map_err(|why| self.note(field, why)).ok()
    }

    pub(super) fn clear(&self) {
        if !self.is_empty() {
            self.first.set(None);
            self.counts.iter().for_each(|count| count.set(0));
        }
    }
}
