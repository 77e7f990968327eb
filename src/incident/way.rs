//! The way an incident has gone: when it first came to each state, and when the quality that was back was lost again.

use std::collections::BTreeMap;

use serde::Serialize;

use super::state::State;
use crate::engine::time::Timestamp;

/// A time in which the quality, back before, was lost again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Lapse {
    pub lost_at: Timestamp,
    /// `None` while it lasts.
    pub back_at: Option<Timestamp>,
}

/// The way of one incident.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Way {
    reached: BTreeMap<State, Timestamp>,
    lapses: Vec<Lapse>,
    is_back: bool,
}

impl Way {
    /// The incident has come to `state`. The first time counts, and only on the way forward: a state that was skipped and that a
    /// relapse leads back to was not reached before those behind it.
    pub(super) fn reach(&mut self, state: State, at: Timestamp) {
        if self.reached.keys().next_back().is_none_or(|furthest| *furthest < state) {
            self.reached.insert(state, at);
        }
    }

    /// When it first came to `state`; `None` if it was skipped or is still ahead.
    pub fn reached(&self, state: State) -> Option<Timestamp> {
        self.reached.get(&state).copied()
    }

    /// Every device has its quality back.
    pub(super) fn come_back(&mut self, at: Timestamp) {
        self.is_back = true;
        if let Some(lapse) = self.lapses.last_mut() {
            lapse.back_at.get_or_insert(at);
        }
    }

    /// Not every device has it any more.
    pub(super) fn lose(&mut self, at: Timestamp) {
        if std::mem::replace(&mut self.is_back, false) {
            self.lapses.push(Lapse { lost_at: at, back_at: None });
        }
    }

    /// Whether every device had its quality back when that was looked at last.
    pub const fn is_back(&self) -> bool {
        self.is_back
    }

    /// When it was lost again, the earliest first.
    pub fn lapses(&self) -> &[Lapse] {
        &self.lapses
    }
}
