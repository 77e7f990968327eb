//! Taking a lock, poisoned or not.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// No data behind these locks can be left half done, so a poisoned one is as good as a clean one.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
