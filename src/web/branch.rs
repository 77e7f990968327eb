//! A branch, and the list of them.
//!
//! | module | what it owns |
//! |---|---|
//! | `routes` | the handlers |
//! | `view` | the pages |

pub(super) mod routes;
pub(super) mod view;
