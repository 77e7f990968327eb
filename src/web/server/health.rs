//! Readiness: ready when every latch is open.
//!
//! Each part of the program that others depend on has a latch by name. It starts closed, its owner opens it when the part
//! works and closes it, with a reason, when it does not.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

/// One latch as it stands.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Latch {
    pub name: &'static str,
    pub ready: bool,
    /// Why it is not ready; empty when it is.
    pub reason: String,
}

/// The latches of the program.
#[derive(Debug)]
pub struct Health {
    latches: Mutex<Vec<Latch>>,
}

impl Health {
    /// Latches of these names, all closed.
    pub fn new(names: &[&'static str]) -> Self {
        let closed = |&name| Latch { name, ready: false, reason: "starting".to_owned() };
        Self { latches: Mutex::new(names.iter().map(closed).collect()) }
    }

    /// The part works. A name that is not known is added.
    pub fn open(&self, name: &'static str) {
        self.set(name, true, String::new());
    }

    /// The part does not work, because of `reason`. A name that is not known is added.
    pub fn close(&self, name: &'static str, reason: impl Into<String>) {
        self.set(name, false, reason.into());
    }

    /// Whether every latch is open.
    pub fn is_ready(&self) -> bool {
        self.lock().iter().all(|latch| latch.ready)
    }

    /// Every latch, in the order in which they were named.
    pub fn latches(&self) -> Vec<Latch> {
        self.lock().clone()
    }

    fn set(&self, name: &'static str, ready: bool, reason: String) {
        let mut latches = self.lock();
        match latches.iter_mut().find(|latch| latch.name == name) {
            Some(latch) => {
                latch.ready = ready;
                latch.reason = reason;
            }
            None => latches.push(Latch { name, ready, reason }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Latch>> {
        // No half-done state is possible in here, so a poisoned lock is as good as a clean one.
        self.latches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_means_every_latch_is_open() {
        let health = Health::new(&["broker", "journal"]);
        assert!(!health.is_ready());
        health.open("broker");
        assert!(!health.is_ready(), "one latch is still closed");
        health.open("journal");
        assert!(health.is_ready());
        health.close("journal", "disk full");
        assert!(!health.is_ready());
        assert_eq!(health.latches()[1], Latch { name: "journal", ready: false, reason: "disk full".to_owned() });
        assert_eq!(health.latches().len(), 2);
    }
}
