//! What the updater is told, and who decides it.
//!
//! | module | what it owns |
//! |---|---|
//! | `api` | read by programs, decided by people |
//! | `view` | the page |

pub(super) mod api;
pub(super) mod view;
