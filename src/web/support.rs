//! The support desk: calls, and whom to call.
//!
//! | module | what it owns |
//! |---|---|
//! | `api` | contacts, for programs |
//! | `routes` | calls and claims, recorded |
//! | `view` | the page |

pub(super) mod api;
pub(super) mod routes;
pub(super) mod view;
