//! What the updater is told, and who decides it.
//!
//! | module | what it owns |
//! |---|---|
//! | `api` | read and decided by programs |
//! | `routes` | the page and its form |
//! | `view` | the page, drawn |

pub(super) mod api;
pub(super) mod routes;
pub(super) mod view;
