//! The support desk: calls, and whom to call.
//!
//! | module | what it owns |
//! |---|---|
//! | `api` | contacts, for programs |
//! | `contact` | whom to call, for who may know |
//! | `routes` | look-ups, calls and claims |
//! | `view` | the page |

pub(super) mod api;
pub(super) mod contact;
pub(super) mod routes;
pub(super) mod view;
